/* SPDX-License-Identifier: Apache-2.0
 *
 * Tar, as images and their layers are written: ustar, with the long names of GNU and of pax. Names are cleaned, and one that leads out is
 * refused; what a header declares is believed no further than the bytes go.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define BLOCK 512
#define EXTRA_MAX (INT64_C (1) << 20)   /* of a long name, or of pax records */
#define SIZE_MAX_BYTES (INT64_C (1) << 50)
#define AGAIN "copy, download or save it again"

static int
damaged (const lf_tar *t, lf_error *err, const char *how)
{
  return LF_FAIL (err, LF_EXIT_USAGE, t->what, AGAIN, "the archive is damaged at byte %lld: %s", (long long) t->s->read, how);
}

static int
unreadable (const lf_tar *t, lf_error *err)
{
  return damaged (t, err, t->s->why ? t->s->why : "it is cut off");
}

/* ---- fields ------------------------------------------------------------------------------------------------------------------------- */

/* Octal digits, or, with the first bit set, a binary number. -1: neither. */
static int64_t
number (const unsigned char *p, size_t n)
{
  int64_t v = 0;
  size_t i = 0;
  if (p[0] & 0x80)
    {
      if (p[0] != 0x80)
        return -1; /* negative, or absurd */
      for (i = 1; i < n; i++)
        {
          if (v > SIZE_MAX_BYTES)
            return -1;
          v = v << 8 | p[i];
        }
      return v;
    }
  while (i < n && p[i] == ' ')
    i++;
  for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
    v = v << 3 | (p[i] - '0'); /* 12 digits at most */
  return i < n && p[i] != ' ' && p[i] != '\0' ? -1 : v;
}

static bool
sum_is_right (const unsigned char *h)
{
  int64_t want = number (h + 148, 8), plain = 0, with_sign = 0;
  for (size_t i = 0; i < BLOCK; i++)
    {
      unsigned char c = i >= 148 && i < 156 ? ' ' : h[i];
      plain += c;
      with_sign += (signed char) c;
    }
  return want == plain || want == with_sign;
}

/* Without "./", "//" and a slash at either end. NULL: no memory, or (*bad) it leads out or has a NUL in it. */
static char *
clean (const char *p, size_t n, bool *bad)
{
  char *out = malloc (n + 1);
  size_t len = 0;
  *bad = memchr (p, '\0', n) != NULL || n > LF_PKG_NAME_MAX;
  for (size_t i = 0; out && !*bad && i < n;)
    {
      size_t end = i;
      while (end < n && p[end] != '/')
        end++;
      size_t part = end - i;
      *bad = part == 2 && p[i] == '.' && p[i + 1] == '.';
      if (part > 0 && !(part == 1 && p[i] == '.'))
        {
          if (len > 0)
            out[len++] = '/';
          memcpy (out + len, p + i, part);
          len += part;
        }
      i = end + 1;
    }
  if (out && !*bad)
    {
      out[len] = '\0';
      return out;
    }
  free (out);
  return NULL;
}

/* ---- what stands before a header ------------------------------------------------------------------------------------------------------ */

typedef struct extra { lf_buf path, link; int64_t size; } extra;

static void
extra_fini (extra *x)
{
  lf_buf_fini (&x->path);
  lf_buf_fini (&x->link);
}

static bool
key_is (const char *p, size_t n, const char *key)
{
  return strlen (key) == n && memcmp (p, key, n) == 0;
}

/* Records "LENGTH KEY=VALUE\n", where LENGTH counts all of it. */
static bool
pax (const lf_buf *b, extra *x)
{
  for (size_t at = 0; at < b->len;)
    {
      size_t len = 0, i = at;
      while (i < b->len && b->data[i] >= '0' && b->data[i] <= '9' && len <= b->len)
        len = len * 10 + (size_t) (b->data[i++] - '0');
      if (i == at || i >= b->len || b->data[i] != ' ' || len > b->len - at || len < i - at + 3 || b->data[at + len - 1] != '\n')
        return false;
      const char *key = b->data + i + 1, *end = b->data + at + len - 1, *eq = memchr (key, '=', (size_t) (end - key));
      if (!eq)
        return false;
      size_t key_n = (size_t) (eq - key), n = (size_t) (end - eq - 1);
      lf_buf *to = key_is (key, key_n, "path") || key_is (key, key_n, "GNU.sparse.name") ? &x->path : key_is (key, key_n, "linkpath") ? &x->link : NULL;
      if (to)
        {
          lf_buf_reset (to);
          if (lf_buf_add (to, eq + 1, n) != 0)
            return false;
        }
      else if (key_is (key, key_n, "size"))
        {
          char digits[24] = "";
          if (n == 0 || n >= sizeof digits)
            return false;
          memcpy (digits, eq + 1, n);
          if (lf_parse_i64 (digits, 0, SIZE_MAX_BYTES, &x->size) != 0)
            return false;
        }
      at += len;
    }
  return true;
}

/* The data of a member that tells of the next one. */
static int
read_extra (lf_tar *t, char type, extra *x, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, (size_t) EXTRA_MAX + 1);
  if (t->size > EXTRA_MAX)
    return damaged (t, err, "a name or header is larger than 1 MB");
  if (t->size > 0 && (lf_buf_reserve (&b, (size_t) t->size) != 0))
    return LF_FAIL_NOMEM (err);
  if (t->size > 0 && lf_pkg_stream_read (t->s, b.data, (size_t) t->size) != t->size)
    return unreadable (t, err);
  b.len = (size_t) t->size;
  if (lf_pkg_stream_skip (t->s, t->pad) != 0)
    return unreadable (t, err);
  t->left = t->pad = 0;
  if (type == 'g' || b.len == 0)
    return 0; /* of all that follow: nothing that matters here */
  if (type == 'x')
    return pax (&b, x) ? 0 : damaged (t, err, "a pax header is none");
  lf_buf *to = type == 'L' ? &x->path : &x->link;
  lf_buf_reset (to);
  return lf_buf_add (to, b.data, strnlen (b.data, b.len)) == 0 ? 0 : LF_FAIL_NOMEM (err);
}

/* ---- members ------------------------------------------------------------------------------------------------------------------------ */

/* A header, or 0 at the end of the archive. */
static int
read_header (lf_tar *t, unsigned char h[BLOCK], lf_error *err)
{
  static const unsigned char zeros[BLOCK];
  if (lf_pkg_stream_read (t->s, h, BLOCK) != BLOCK)
    return unreadable (t, err);
  if (memcmp (h, zeros, BLOCK) == 0)
    return 0;
  if (!sum_is_right (h))
    return damaged (t, err, "there is no tar header");
  t->type = h[156] == '\0' || h[156] == '7' ? '0' : (char) h[156];
  t->size = number (h + 124, 12);
  if (t->size < 0 || t->size > SIZE_MAX_BYTES)
    return damaged (t, err, "a size is absurd");
  return 1;
}

/* The map of an old GNU sparse file goes on in blocks of its own. */
static int
pass_sparse (lf_tar *t, unsigned char h[BLOCK], lf_error *err)
{
  unsigned char more = t->type == 'S' ? h[482] : 0;
  while (more)
    {
      if (lf_pkg_stream_read (t->s, h, BLOCK) != BLOCK)
        return unreadable (t, err);
      more = h[504];
    }
  if (t->type == 'S')
    t->type = '0';
  return 0;
}

static int
set_names (lf_tar *t, const unsigned char h[BLOCK], const extra *x, lf_error *err)
{
  char name[300];
  bool bad = false;
  size_t n = strnlen ((const char *) h, 100), before = memcmp (h + 257, "ustar", 6) == 0 ? strnlen ((const char *) h + 345, 155) : 0;
  memcpy (name, h + 345, before);
  if (before > 0)
    name[before++] = '/';
  memcpy (name + before, h, n);
  const char *p = x->path.len ? x->path.data : name;
  n = x->path.len ? x->path.len : before + n;
  free (t->path);
  free (t->link);
  t->link = NULL;
  t->path = clean (p, n, &bad);
  if (bad)
    return damaged (t, err, "a name leads out of it, or is none");
  if (!t->path)
    return LF_FAIL_NOMEM (err);
  if (t->type != '1' && t->type != '2')
    return 0;
  /* A link may lead anywhere; only one within an archive of layers is followed, by its text. */
  t->link = x->link.len ? lf_strndup (x->link.data, x->link.len) : lf_strndup ((const char *) h + 157, strnlen ((const char *) h + 157, 100));
  return t->link ? 0 : LF_FAIL_NOMEM (err);
}

int
lf_tar_next (lf_tar *t, lf_error *err)
{
  unsigned char h[BLOCK];
  extra x LF_CLEANUP (extra_fini) = { .size = -1 };
  lf_buf_init (&x.path, (size_t) EXTRA_MAX + 1);
  lf_buf_init (&x.link, (size_t) EXTRA_MAX + 1);
  if (lf_pkg_stream_skip (t->s, t->left + t->pad) != 0)
    return unreadable (t, err);
  for (t->left = t->pad = 0;;)
    {
      int rc = read_header (t, h, err);
      if (rc <= 0)
        return rc;
      bool tells = strchr ("xgLK", t->type) != NULL;
      if (!tells && x.size >= 0)
        t->size = x.size;
      if (strchr ("123456", t->type))
        t->size = 0; /* whatever it says: so Docker reads them */
      t->pad = (BLOCK - t->size % BLOCK) % BLOCK;
      if (++t->members > 8 * INT64_C (1000000))
        return damaged (t, err, "it has too many members");
      if (!tells)
        break;
      if (read_extra (t, t->type, &x, err) != 0)
        return -1;
    }
  t->left = t->size;
  if (pass_sparse (t, h, err) != 0)
    return -1;
  return set_names (t, h, &x, err) == 0 ? 1 : -1;
}

int64_t
lf_tar_read (lf_tar *t, void *p, size_t n)
{
  if ((int64_t) n > t->left)
    n = (size_t) t->left;
  int64_t got = lf_pkg_stream_read (t->s, p, n);
  if (got > 0)
    t->left -= got;
  return got == (int64_t) n ? got : -1;
}

void
lf_tar_fini (lf_tar *t)
{
  free (t->path);
  free (t->link);
  t->path = t->link = NULL;
}

/* ---- a member as a stream ------------------------------------------------------------------------------------------------------------- */

typedef struct member_stream { lf_pkg_stream s; lf_tar *t; } member_stream;

static int64_t
member_take (lf_pkg_stream *s, unsigned char *p, size_t n)
{
  lf_tar *t = ((member_stream *) s)->t;
  if (t->left == 0)
    return 0;
  int64_t got = lf_tar_read (t, p, n);
  if (got < 0)
    s->why = t->s->why ? t->s->why : "it is cut off";
  return got;
}

static int64_t
member_jump (lf_pkg_stream *s, int64_t n)
{
  lf_tar *t = ((member_stream *) s)->t;
  if (n > t->left)
    n = t->left;
  if (!t->s->jump)
    return 0;
  int64_t jumped = t->s->jump (t->s, n);
  if (jumped > 0)
    {
      t->s->read += jumped;
      t->left -= jumped;
    }
  return jumped;
}

lf_pkg_stream *
lf_tar_stream (lf_tar *t)
{
  member_stream *m = calloc (1, sizeof *m);
  if (!m)
    return NULL;
  *m = (member_stream){ .s = { .take = member_take, .jump = member_jump }, .t = t };
  return (lf_pkg_stream *) m;
}
