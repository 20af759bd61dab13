/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a file, and of what is packed in it.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "stream.h"

#define ZSTD_WINDOW_LOG_MAX 27 /* 128 MB: what the format's decoders take unasked */

int64_t
lf_pkg_stream_read (lf_pkg_stream *s, void *p, size_t n)
{
  size_t done = 0;
  while (done < n)
    {
      int64_t got = s->take (s, (unsigned char *) p + done, n - done);
      if (got < 0)
        return -1;
      if (got == 0)
        break;
      done += (size_t) got;
    }
  s->read += (int64_t) done;
  return (int64_t) done;
}

int
lf_pkg_stream_skip (lf_pkg_stream *s, int64_t n)
{
  unsigned char block[LF_STREAM_BLOCK / 4];
  int64_t jumped = s->jump ? s->jump (s, n) : 0;
  if (jumped < 0)
    return -1;
  s->read += jumped;
  for (n -= jumped; n > 0;)
    {
      int64_t got = lf_pkg_stream_read (s, block, n < (int64_t) sizeof block ? (size_t) n : sizeof block);
      if (got <= 0)
        {
          if (got == 0)
            s->why = "it is cut off";
          return -1;
        }
      n -= got;
    }
  return 0;
}

void
lf_pkg_stream_free (lf_pkg_stream *s)
{
  if (!s)
    return;
  if (s->done)
    s->done (s);
  lf_pkg_stream_free (s->from);
  free (s);
}

/* ---- a file ------------------------------------------------------------------------------------------------------------------------- */

typedef struct file_stream { lf_pkg_stream s; int fd; int64_t at, left; } file_stream;

static int64_t
file_take (lf_pkg_stream *s, unsigned char *p, size_t n)
{
  file_stream *f = (file_stream *) s;
  ssize_t got;
  if ((int64_t) n > f->left)
    n = (size_t) f->left;
  do
    got = n ? pread (f->fd, p, n, (off_t) f->at) : 0;
  while (got < 0 && errno == EINTR);
  if (got < 0)
    {
      s->why = "it cannot be read";
      return -1;
    }
  f->at += got;
  f->left -= got;
  return got;
}

static int64_t
file_jump (lf_pkg_stream *s, int64_t n)
{
  file_stream *f = (file_stream *) s;
  if (n > f->left)
    n = f->left;
  f->at += n;
  f->left -= n;
  return n;
}

lf_pkg_stream *
lf_pkg_stream_file (int fd, int64_t at, int64_t len)
{
  file_stream *f = calloc (1, sizeof *f);
  if (!f)
    return NULL;
  *f = (file_stream){ .s = { .take = file_take, .jump = file_jump }, .fd = fd, .at = at, .left = len };
  return (lf_pkg_stream *) f;
}

/* ---- what was read ahead to see what it is -------------------------------------------------------------------------------------------- */

typedef struct ahead_stream { lf_pkg_stream s; unsigned char head[8]; size_t n, at; } ahead_stream;

static int64_t
ahead_take (lf_pkg_stream *s, unsigned char *p, size_t n)
{
  ahead_stream *a = (ahead_stream *) s;
  if (a->at < a->n)
    {
      if (n > a->n - a->at)
        n = a->n - a->at;
      memcpy (p, a->head + a->at, n);
      a->at += n;
      return (int64_t) n;
    }
  int64_t got = lf_pkg_stream_read (s->from, p, n);
  s->why = s->from->why;
  return got;
}

static int64_t
ahead_jump (lf_pkg_stream *s, int64_t n)
{
  ahead_stream *a = (ahead_stream *) s;
  int64_t first = (int64_t) (a->n - a->at);
  if (!s->from->jump || n < first)
    return 0; /* they are read instead */
  a->at = a->n;
  int64_t jumped = s->from->jump (s->from, n - first);
  return jumped < 0 ? -1 : first + jumped;
}

/* ---- gzip --------------------------------------------------------------------------------------------------------------------------- */

typedef struct gzip_stream { lf_pkg_stream s; z_stream z; bool begun, ended, last; unsigned char in[LF_STREAM_BLOCK]; } gzip_stream;

static void
gzip_done (lf_pkg_stream *s)
{
  inflateEnd (&((gzip_stream *) s)->z);
}

/* False: there is no more, or it is damaged. */
static bool
gzip_fill (gzip_stream *g)
{
  if (g->z.avail_in > 0 || g->last)
    return true;
  int64_t got = lf_pkg_stream_read (g->s.from, g->in, sizeof g->in);
  if (got < 0)
    {
      g->s.why = g->s.from->why;
      return false;
    }
  g->last = got < (int64_t) sizeof g->in;
  g->z.next_in = g->in;
  g->z.avail_in = (uInt) got;
  return true;
}

/* Several gzips behind each other are one: so Docker reads them, and so some tools write them. */
static int64_t
gzip_take (lf_pkg_stream *s, unsigned char *p, size_t n)
{
  gzip_stream *g = (gzip_stream *) s;
  g->z.next_out = p;
  g->z.avail_out = n > LF_STREAM_BLOCK ? LF_STREAM_BLOCK : (uInt) n;
  uInt room = g->z.avail_out;
  while (g->z.avail_out == room)
    {
      if (!gzip_fill (g))
        return -1;
      if (g->ended && g->z.avail_in == 0)
        return 0;
      if (g->ended)
        {
          g->ended = false;
          inflateReset (&g->z);
        }
      if (g->z.avail_in == 0)
        {
          s->why = "it is cut off";
          return -1;
        }
      int rc = inflate (&g->z, Z_NO_FLUSH);
      g->ended = rc == Z_STREAM_END;
      if (rc != Z_OK && rc != Z_STREAM_END)
        {
          s->why = "its gzip data is damaged";
          return -1;
        }
    }
  return (int64_t) (room - g->z.avail_out);
}

static lf_pkg_stream *
gzip_new (lf_pkg_stream *from)
{
  gzip_stream *g = calloc (1, sizeof *g);
  if (!g)
    return NULL;
  g->s = (lf_pkg_stream){ .take = gzip_take, .packed = true };
  if (inflateInit2 (&g->z, 15 + 16) != Z_OK)
    {
      free (g);
      return NULL;
    }
  g->s.done = gzip_done;
  g->s.from = from;
  return (lf_pkg_stream *) g;
}

/* ---- zstd --------------------------------------------------------------------------------------------------------------------------- */

#ifdef HAVE_ZSTD
typedef struct zstd_stream { lf_pkg_stream s; ZSTD_DStream *z; ZSTD_inBuffer in; bool last, whole; unsigned char bytes[LF_STREAM_BLOCK]; } zstd_stream;

static void
zstd_done (lf_pkg_stream *s)
{
  ZSTD_freeDStream (((zstd_stream *) s)->z);
}

static int64_t
zstd_take (lf_pkg_stream *s, unsigned char *p, size_t n)
{
  zstd_stream *z = (zstd_stream *) s;
  ZSTD_outBuffer out = { p, n, 0 };
  while (out.pos == 0)
    {
      if (z->in.pos == z->in.size && !z->last)
        {
          int64_t got = lf_pkg_stream_read (s->from, z->bytes, sizeof z->bytes);
          if (got < 0)
            {
              s->why = s->from->why;
              return -1;
            }
          z->last = got < (int64_t) sizeof z->bytes;
          z->in = (ZSTD_inBuffer){ z->bytes, (size_t) got, 0 };
        }
      bool dry = z->in.pos == z->in.size;
      if (dry && z->whole)
        return 0;
      size_t rc = ZSTD_decompressStream (z->z, &out, &z->in);
      if (ZSTD_isError (rc) || (dry && out.pos == 0))
        {
          s->why = ZSTD_isError (rc) ? "its zstd data is damaged" : "it is cut off";
          return -1;
        }
      z->whole = rc == 0;
    }
  return (int64_t) out.pos;
}

static lf_pkg_stream *
zstd_new (lf_pkg_stream *from)
{
  zstd_stream *z = calloc (1, sizeof *z);
  if (!z)
    return NULL;
  z->s = (lf_pkg_stream){ .take = zstd_take, .done = zstd_done, .packed = true };
  z->z = ZSTD_createDStream ();
  if (!z->z || ZSTD_isError (ZSTD_DCtx_setParameter (z->z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
    {
      lf_pkg_stream_free ((lf_pkg_stream *) z);
      return NULL;
    }
  z->s.from = from;
  return (lf_pkg_stream *) z;
}
#endif

/* ---- what it is ---------------------------------------------------------------------------------------------------------------------- */

static lf_pkg_stream *
cannot (lf_pkg_stream *s, const char *what, lf_error *err, const char *how)
{
  (void) LF_FAIL (err, LF_EXIT_USAGE, what, "pack it with gzip, or not at all: docker save, skopeo copy docker-daemon:IMAGE oci:DIR", "is packed with %s, which cannot be read here", how);
  lf_pkg_stream_free (s);
  return NULL;
}

lf_pkg_stream *
lf_pkg_stream_unpacked (lf_pkg_stream *from, const char *what, lf_error *err)
{
  ahead_stream *a = from ? calloc (1, sizeof *a) : NULL;
  if (!a)
    {
      lf_pkg_stream_free (from);
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  a->s = (lf_pkg_stream){ .take = ahead_take, .jump = ahead_jump, .from = from };
  int64_t n = lf_pkg_stream_read (from, a->head, sizeof a->head);
  if (n < 0)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, what, "copy, download or save it again", "cannot be read: %s", from->why);
      lf_pkg_stream_free (&a->s);
      return NULL;
    }
  a->n = (size_t) n;
  lf_pkg_stream *out = &a->s;
  if (n >= 2 && memcmp (a->head, "\x1f\x8b", 2) == 0)
    out = gzip_new (&a->s);
  else if (n >= 4 && memcmp (a->head, "\x28\xb5\x2f\xfd", 4) == 0)
#ifdef HAVE_ZSTD
    out = zstd_new (&a->s);
#else
    return cannot (&a->s, what, err, "zstd");
#endif
  else if (n >= 6 && memcmp (a->head, "\xfd" "7zXZ", 6) == 0)
    return cannot (&a->s, what, err, "xz");
  else if (n >= 3 && memcmp (a->head, "BZh", 3) == 0)
    return cannot (&a->s, what, err, "bzip2");
  if (!out)
    {
      lf_pkg_stream_free (&a->s);
      (void) LF_FAIL_NOMEM (err);
    }
  return out;
}
