/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of application/vnd.amazon.eventstream. All numbers are big-endian:
 *
 *   u32 total length, u32 length of the headers, u32 CRC of these eight bytes
 *   headers: u8 length of the name, name, u8 type, value (a text: u16 length, bytes)
 *   payload, u32 CRC of everything before it
 */
#include <string.h>

#include "lambdafit/base.h"

#define PRELUDE 12
#define FRAME (PRELUDE + 4)
#define TYPE_TEXT 7

/* Four bits at a time: sixteen numbers instead of 256, and fast enough for what passes through here. */
uint32_t
lf_crc32 (uint32_t crc, const void *p, size_t n)
{
  static const uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
  const unsigned char *b = p;
  crc = ~crc;
  for (size_t i = 0; i < n; i++)
    {
      crc ^= b[i];
      crc = crc >> 4 ^ table[crc & 15];
      crc = crc >> 4 ^ table[crc & 15];
    }
  return ~crc;
}

static void
put32 (unsigned char *to, uint32_t v)
{
  to[0] = (unsigned char) (v >> 24);
  to[1] = (unsigned char) (v >> 16);
  to[2] = (unsigned char) (v >> 8);
  to[3] = (unsigned char) v;
}

static uint32_t
get32 (const char *p)
{
  const unsigned char *b = (const unsigned char *) p;
  return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static size_t
get16 (const char *p)
{
  const unsigned char *b = (const unsigned char *) p;
  return (size_t) (b[0] << 8 | b[1]);
}

int
lf_es_encode (lf_buf *out, const lf_es_header *headers, size_t n, const void *payload, size_t len)
{
  size_t head = 0, start = out->len;
  unsigned char word[PRELUDE];
  for (size_t i = 0; i < n; i++)
    {
      if (headers[i].name.n == 0 || headers[i].name.n > 255 || headers[i].value.n > 65535)
        return -1;
      head += 4 + headers[i].name.n + headers[i].value.n;
    }
  if (len > LF_ES_MESSAGE_MAX || head > LF_ES_MESSAGE_MAX - len - FRAME || lf_buf_reserve (out, FRAME + head + len) < 0)
    return -1;
  put32 (word, (uint32_t) (FRAME + head + len));
  put32 (word + 4, (uint32_t) head);
  put32 (word + 8, lf_crc32 (0, word, 8));
  lf_buf_add (out, word, PRELUDE);
  for (size_t i = 0; i < n; i++)
    {
      const unsigned char size[3] = { TYPE_TEXT, (unsigned char) (headers[i].value.n >> 8), (unsigned char) headers[i].value.n };
      lf_buf_addc (out, (char) headers[i].name.n);
      lf_buf_add (out, headers[i].name.p, headers[i].name.n);
      lf_buf_add (out, size, 3);
      if (headers[i].value.n)
        lf_buf_add (out, headers[i].value.p, headers[i].value.n);
    }
  if (len)
    lf_buf_add (out, payload, len);
  put32 (word, lf_crc32 (0, out->data + start, out->len - start));
  return lf_buf_add (out, word, 4);
}

static ptrdiff_t
wrong (lf_error *err, const char *why)
{
  return LF_FAIL (err, LF_EXIT_IO, "event stream", "", "%s", why);
}

/* Bytes of a value that is no text, by its type; (size_t) -1: there is no such type. */
static size_t
value_bytes (unsigned type, const char *p, size_t left)
{
  static const size_t fixed[] = { 0, 0, 1, 2, 4, 8, 0, 0, 8, 16 }; /* true, false, byte, short, int, long, bytes, text, time, uuid */
  if (type == 6)
    return left < 2 ? (size_t) -1 : 2 + get16 (p);
  return type < LF_ARRAY_LEN (fixed) ? fixed[type] : (size_t) -1;
}

static int
read_headers (const char *p, size_t n, lf_es_message *out)
{
  while (n > 0)
    {
      size_t name = (unsigned char) p[0];
      if (name == 0 || n < name + 2)
        return -1;
      lf_str s = { p + 1, name };
      unsigned type = (unsigned char) p[1 + name];
      p += name + 2;
      n -= name + 2;
      if (type == TYPE_TEXT)
        {
          size_t len = n < 2 ? (size_t) -1 : get16 (p);
          if (n < 2 || len > n - 2 || out->headers_n == LF_ES_HEADERS_MAX)
            return -1;
          out->headers[out->headers_n++] = (lf_es_header){ s, { p + 2, len } };
          p += 2 + len;
          n -= 2 + len;
          continue;
        }
      size_t skip = value_bytes (type, p, n);
      if (skip > n)
        return -1;
      p += skip;
      n -= skip;
    }
  return 0;
}

ptrdiff_t
lf_es_decode (const char *p, size_t n, lf_es_message *out, lf_error *err)
{
  *out = (lf_es_message){ .headers_n = 0 };
  if (n < PRELUDE)
    return 0;
  size_t total = get32 (p), head = get32 (p + 4);
  if (get32 (p + 8) != lf_crc32 (0, p, 8))
    return wrong (err, "the checksum of a message's beginning is wrong");
  if (total < FRAME || total > LF_ES_MESSAGE_MAX || head > total - FRAME)
    return wrong (err, "a message has an impossible length");
  if (n < total)
    return 0;
  if (get32 (p + total - 4) != lf_crc32 (0, p, total - 4))
    return wrong (err, "the checksum of a message is wrong");
  if (read_headers (p + PRELUDE, head, out) < 0)
    return wrong (err, "a header of a message is broken");
  out->payload = (lf_str){ p + PRELUDE + head, total - FRAME - head };
  return (ptrdiff_t) total;
}

lf_str
lf_es_get (const lf_es_message *m, const char *name)
{
  size_t n = strlen (name);
  for (size_t i = 0; i < m->headers_n; i++)
    if (m->headers[i].name.n == n && memcmp (m->headers[i].name.p, name, n) == 0)
      return m->headers[i].value;
  return (lf_str){ NULL, 0 };
}
