/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: zips written byte by byte, so that they can be wrong in every way a hostile one is.
 */
#ifndef LF_TEST_RAWZIP_H
#define LF_TEST_RAWZIP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

typedef struct raw_entry
{
  const char *name;
  size_t name_n;          /* 0: strlen */
  const char *data;
  size_t data_n;          /* 0: strlen when data */
  unsigned mode;          /* st_mode; 0: made by DOS, no rights */
  unsigned flags, method;
  uint32_t declared;      /* 0: the true size */
  uint32_t crc_xor;
  int same_as;            /* > 0: shares the data of entry same_as - 1 */
  const char *local_name; /* NULL: the same name */
} raw_entry;

typedef struct raw_zip { unsigned char *p; size_t n, cap; } raw_zip;

static inline void
raw_put (raw_zip *z, const void *p, size_t n)
{
  if (z->n + n > z->cap)
    {
      z->cap = (z->n + n) * 2 + 1024;
      z->p = realloc (z->p, z->cap);
      if (!z->p)
        abort ();
    }
  if (n)
    memcpy (z->p + z->n, p, n);
  z->n += n;
}

static inline void
raw_le (raw_zip *z, uint64_t v, int bytes)
{
  for (int i = 0; i < bytes; i++, v >>= 8)
    raw_put (z, &(unsigned char){ (unsigned char) v }, 1);
}

static inline void
raw_common (raw_zip *z, const raw_entry *e, uint32_t packed, uint32_t crc, size_t name_n)
{
  raw_le (z, 20, 2);
  raw_le (z, e->flags, 2);
  raw_le (z, e->method, 2);
  raw_le (z, 0x6000, 2);  /* 12:00:00 */
  raw_le (z, 0x5a21, 2);  /* 2025-01-01 */
  raw_le (z, crc, 4);
  raw_le (z, packed, 4);
  raw_le (z, e->declared ? e->declared : (e->data_n ? e->data_n : e->data ? strlen (e->data) : 0), 4);
  raw_le (z, name_n, 2);
  raw_le (z, 0, 2);
}

/* method 8 expects data_n raw bytes which are deflated here. */
static inline raw_zip
raw_make (const raw_entry *e, size_t n)
{
  raw_zip z = { 0 };
  uint32_t at[64], packed[64], crc[64];
  for (size_t i = 0; i < n; i++)
    {
      size_t len = e[i].data_n ? e[i].data_n : e[i].data ? strlen (e[i].data) : 0;
      const char *local = e[i].local_name ? e[i].local_name : e[i].name;
      size_t name_n = e[i].local_name ? strlen (local) : e[i].name_n ? e[i].name_n : strlen (e[i].name);
      if (e[i].same_as > 0)
        {
          at[i] = at[e[i].same_as - 1];
          packed[i] = packed[e[i].same_as - 1];
          crc[i] = crc[e[i].same_as - 1];
          continue;
        }
      unsigned char *out = NULL;
      uLong out_n = len;
      if (e[i].method == 8)
        {
          z_stream s = { 0 };
          deflateInit2 (&s, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
          out_n = deflateBound (&s, len) + 64;
          out = malloc (out_n);
          s.next_in = (unsigned char *) (uintptr_t) e[i].data;
          s.avail_in = (unsigned) len;
          s.next_out = out;
          s.avail_out = (unsigned) out_n;
          deflate (&s, Z_FINISH);
          out_n = s.total_out;
          deflateEnd (&s);
        }
      at[i] = (uint32_t) z.n;
      packed[i] = (uint32_t) out_n;
      crc[i] = (uint32_t) crc32 (0, (const unsigned char *) (e[i].data ? e[i].data : ""), (unsigned) len) ^ e[i].crc_xor;
      raw_put (&z, "PK\3\4", 4);
      raw_common (&z, &e[i], packed[i], crc[i], name_n);
      raw_put (&z, local, name_n);
      raw_put (&z, out ? (void *) out : (const void *) e[i].data, out_n);
      free (out);
    }
  size_t cen = z.n;
  for (size_t i = 0; i < n; i++)
    {
      size_t name_n = e[i].name_n ? e[i].name_n : strlen (e[i].name);
      raw_put (&z, "PK\1\2", 4);
      raw_le (&z, e[i].mode ? 0x031e : 0x0014, 2);
      raw_common (&z, &e[i], packed[i], crc[i], name_n);
      raw_le (&z, 0, 2 + 2 + 2);
      raw_le (&z, (uint32_t) e[i].mode << 16, 4);
      raw_le (&z, at[i], 4);
      raw_put (&z, e[i].name, name_n);
    }
  size_t cen_n = z.n - cen;
  raw_put (&z, "PK\5\6", 4);
  raw_le (&z, 0, 4);
  raw_le (&z, n, 2);
  raw_le (&z, n, 2);
  raw_le (&z, cen_n, 4);
  raw_le (&z, cen, 4);
  raw_le (&z, 0, 2);
  return z;
}

static inline void
raw_save (const char *path, const void *p, size_t n)
{
  FILE *f = fopen (path, "wb");
  if (!f || fwrite (p, 1, n, f) != n || fclose (f) != 0)
    abort ();
}

static inline void
raw_write (const char *path, const raw_entry *e, size_t n)
{
  raw_zip z = raw_make (e, n);
  raw_save (path, z.p, z.n);
  free (z.p);
}

#endif
