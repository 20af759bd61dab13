/* SPDX-License-Identifier: Apache-2.0 */
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/base.h"

size_t
lf_base64_encoded_len (size_t n)
{
  return (n + 2) / 3 * 4;
}

int
lf_buf_add_base64 (lf_buf *b, const void *p, size_t n)
{
  if (n == 0)
    return lf_buf_reserve (b, 0);
  size_t len = lf_base64_encoded_len (n);
  if (len < n || lf_buf_reserve (b, len) < 0)
    {
      b->failed = true;
      return -1;
    }
  base64_encode_raw (b->data + b->len, n, p);
  b->len += len;
  b->data[b->len] = '\0';
  return 0;
}

static int
base64_value (char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Own and not nettle's decoder: that one skips blanks and accepts some wrong paddings. */
static int
base64_quad (const char *s, bool last, unsigned char out[3])
{
  int a = base64_value (s[0]), b = base64_value (s[1]), c = base64_value (s[2]), d = base64_value (s[3]);
  if (a < 0 || b < 0)
    return -1;
  out[0] = (unsigned char) (a << 2 | b >> 4);
  if (last && s[2] == '=' && s[3] == '=')
    return (b & 15) == 0 ? 1 : -1;
  if (c < 0)
    return -1;
  out[1] = (unsigned char) ((b & 15) << 4 | c >> 2);
  if (last && s[3] == '=')
    return (c & 3) == 0 ? 2 : -1;
  if (d < 0)
    return -1;
  out[2] = (unsigned char) ((c & 3) << 6 | d);
  return 3;
}

int
lf_base64_decode (const char *s, size_t n, lf_buf *out)
{
  if (n % 4 != 0 || lf_buf_reserve (out, n / 4 * 3) < 0)
    {
      /* The true size may be up to two bytes less than reserved; only a buffer within two bytes of its maximum notices. */
      if (n % 4 != 0 || n == 0)
        return -1;
      size_t pad = (s[n - 1] == '=') + (size_t) (s[n - 1] == '=' && s[n - 2] == '=');
      out->failed = false;
      if (lf_buf_reserve (out, n / 4 * 3 - pad) < 0)
        return -1;
    }
  size_t before = out->len;
  for (size_t i = 0; i < n; i += 4)
    {
      unsigned char bytes[3];
      int k = base64_quad (s + i, i + 4 == n, bytes);
      if (k < 0)
        {
          out->len = before;
          out->data[before] = '\0';
          return -1;
        }
      memcpy (out->data + out->len, bytes, (size_t) k);
      out->len += (size_t) k;
    }
  out->data[out->len] = '\0';
  return 0;
}

static int
hex_value (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
lf_url_decode (const char *s, size_t n, lf_buf *out)
{
  size_t before = out->len;
  if (lf_buf_reserve (out, 0) < 0)
    return -1;
  for (size_t i = 0; i < n; i++)
    {
      char c = s[i];
      if (c == '%')
        {
          int hi = n - i > 2 ? hex_value (s[i + 1]) : -1, lo = n - i > 2 ? hex_value (s[i + 2]) : -1;
          if (hi < 0 || lo < 0)
            goto bad;
          c = (char) (hi << 4 | lo);
          i += 2;
        }
      if (lf_buf_addc (out, c) < 0)
        goto bad;
    }
  return 0;
bad:
  out->len = before;
  out->data[before] = '\0';
  return -1;
}

/* ---- digest ---------------------------------------------------------------------------------------------------------------- */

struct lf_sha256
{
  struct sha256_ctx ctx;
};

lf_sha256 *
lf_sha256_new (void)
{
  lf_sha256 *s = malloc (sizeof *s);
  if (s)
    sha256_init (&s->ctx);
  return s;
}

void
lf_sha256_update (lf_sha256 *s, const void *p, size_t n)
{
  sha256_update (&s->ctx, n, p);
}

void
lf_sha256_hex (lf_sha256 *s, char out[65])
{
  uint8_t d[SHA256_DIGEST_SIZE];
  sha256_digest (&s->ctx, sizeof d, d);
  for (size_t i = 0; i < sizeof d; i++)
    snprintf (out + 2 * i, 3, "%02x", d[i]);
}

void
lf_sha256_base64 (lf_sha256 *s, char out[45])
{
  uint8_t d[SHA256_DIGEST_SIZE];
  sha256_digest (&s->ctx, sizeof d, d);
  base64_encode_raw (out, sizeof d, d);
  out[44] = '\0';
}

void
lf_sha256_free (lf_sha256 *s)
{
  free (s);
}

void
lf_uuid4_from (const uint8_t r[16], char out[37])
{
  uint8_t u[16];
  memcpy (u, r, sizeof u);
  u[6] = (uint8_t) ((u[6] & 0x0f) | 0x40);
  u[8] = (uint8_t) ((u[8] & 0x3f) | 0x80);
  static const char hex[] = "0123456789abcdef";
  char *o = out;
  for (size_t i = 0; i < sizeof u; i++)
    {
      if (i == 4 || i == 6 || i == 8 || i == 10)
        *o++ = '-';
      *o++ = hex[u[i] >> 4];
      *o++ = hex[u[i] & 15];
    }
  *o = '\0';
}
