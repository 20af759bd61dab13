/* SPDX-License-Identifier: Apache-2.0
 *
 * package, inside: bytes read once, from front to back: of a file, of what is packed in it, of a member of a tar. Nothing is held but a block.
 */
#ifndef LF_PACKAGE_STREAM_H
#define LF_PACKAGE_STREAM_H

#include "internal.h"

#define LF_STREAM_BLOCK 65536

typedef struct lf_pkg_stream lf_pkg_stream;
struct lf_pkg_stream
{
  /* Up to n bytes, 0 at the end, -1 damaged (then `why` says how). */
  int64_t (*take) (lf_pkg_stream *s, unsigned char *p, size_t n);
  int64_t (*jump) (lf_pkg_stream *s, int64_t n); /* how many of n bytes were passed without reading them; NULL: it cannot */
  void (*done) (lf_pkg_stream *s);               /* what is behind it; NULL: nothing */
  lf_pkg_stream *from;                           /* owned */
  const char *why;
  int64_t read;                              /* bytes given or passed so far */
  bool packed;
};

/* A file's bytes from `at` on, `len` of them. The descriptor is borrowed. NULL: no memory. */
lf_pkg_stream *lf_pkg_stream_file (int fd, int64_t at, int64_t len);
/* What `from` holds, unpacked if its first bytes say that it is packed: gzip, or zstd where the library is linked. `from` is owned from here on,
 * whatever comes. NULL: damaged, packed in a way that cannot be read, or no memory. */
lf_pkg_stream *lf_pkg_stream_unpacked (lf_pkg_stream *from, const char *what, lf_error *err);
void lf_pkg_stream_free (lf_pkg_stream *s);
/* As many of n bytes as there are; -1 when damaged. */
int64_t lf_pkg_stream_read (lf_pkg_stream *s, void *p, size_t n);
/* 0, or -1 when damaged or when it ends before. */
int lf_pkg_stream_skip (lf_pkg_stream *s, int64_t n);
static inline void
lf_pkg_stream_freep (lf_pkg_stream **s)
{
  lf_pkg_stream_free (*s);
}

/* ---- tar ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_tar
{
  lf_pkg_stream *s;         /* borrowed */
  const char *what;     /* for errors */
  char *path, *link;    /* of the member: cleaned, never leading out; "" for the top itself */
  char type;            /* '0' file, '1' hard link, '2' link, '3' to '6' devices, folder and pipe */
  int64_t size;         /* of its data */
  int64_t left, pad;    /* not yet read of it */
  int64_t members;
} lf_tar;
/* 1: the next member, 0: the end, -1 damaged or hostile. What was not read of the one before is passed. */
int lf_tar_next (lf_tar *t, lf_error *err);
int64_t lf_tar_read (lf_tar *t, void *p, size_t n); /* of the member's data, as lf_pkg_stream_read */
/* The member's data as a stream; it must not be used after the next member was asked for. */
lf_pkg_stream *lf_tar_stream (lf_tar *t);
void lf_tar_fini (lf_tar *t);

#endif
