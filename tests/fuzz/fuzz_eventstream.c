/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes read as an event stream: every view lies inside the message, no step is without progress, and a message of texts alone, written
 * again, is the same bytes. The first byte says whether the input is taken as it is, or as the headers of a message whose checksums are right.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lambdafit/base.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

static bool
inside (lf_str s, const char *p, size_t n)
{
  return s.p >= p && s.p <= p + n && s.n <= (size_t) (p + n - s.p);
}

static void
read_all (const char *p, size_t n)
{
  size_t at = 0;
  for (;;)
    {
      lf_es_message m;
      lf_error err = { 0 };
      ptrdiff_t k = lf_es_decode (p + at, n - at, &m, &err);
      CHECK ((k < 0) == (err.exit != LF_EXIT_OK));
      if (k <= 0)
        return;
      CHECK ((size_t) k >= 16 && (size_t) k <= n - at && m.headers_n <= LF_ES_HEADERS_MAX);
      CHECK (inside (m.payload, p + at, (size_t) k));
      size_t bytes = 16 + m.payload.n;
      for (size_t i = 0; i < m.headers_n; i++)
        {
          CHECK (m.headers[i].name.n > 0 && inside (m.headers[i].name, p + at, (size_t) k) && inside (m.headers[i].value, p + at, (size_t) k));
          bytes += 4 + m.headers[i].name.n + m.headers[i].value.n;
        }
      if (bytes == (size_t) k) /* no header of another type */
        {
          lf_buf again;
          lf_buf_init (&again, 0);
          CHECK (lf_es_encode (&again, m.headers, m.headers_n, m.payload.p, m.payload.n) == 0);
          CHECK (again.len == (size_t) k && memcmp (again.data, p + at, (size_t) k) == 0);
          lf_buf_fini (&again);
        }
      at += (size_t) k;
    }
}

static void
put32 (char *to, uint32_t v)
{
  for (int i = 0; i < 4; i++)
    to[i] = (char) (v >> (24 - 8 * i));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  size_t n = size ? size - 1 : 0;
  char *p = malloc (n + 16); /* of its own size, so that one byte too far is seen */
  CHECK (p);
  if (size && data[0] & 1)
    {
      put32 (p, (uint32_t) (n + 16));
      put32 (p + 4, (uint32_t) n);
      put32 (p + 8, lf_crc32 (0, p, 8));
      memcpy (p + 12, data + 1, n);
      put32 (p + 12 + n, lf_crc32 (0, p, 12 + n));
      read_all (p, n + 16);
    }
  else if (size)
    {
      char *own = realloc (p, n ? n : 1);
      CHECK (own);
      p = own;
      memcpy (p, data + 1, n);
      read_all (p, n);
    }
  free (p);
  return 0;
}
