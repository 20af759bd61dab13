/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/base.h"

void
lf_buf_init (lf_buf *b, size_t max)
{
  *b = (lf_buf){ .max = max };
}

void
lf_buf_fini (lf_buf *b)
{
  if (!b)
    return;
  free (b->data);
  *b = (lf_buf){ .max = b->max };
}

void
lf_buf_reset (lf_buf *b)
{
  b->len = 0;
  b->failed = false;
  if (b->data)
    b->data[0] = '\0';
}

int
lf_buf_reserve (lf_buf *b, size_t extra)
{
  size_t max = b->max ? b->max : LF_BUF_MAX;
  if (b->len > max || extra > max - b->len)
    {
      b->failed = true;
      return -1;
    }
  size_t need = b->len + extra + 1; /* the NUL is beside the maximum, so a buffer can hold exactly max bytes */
  if (need <= b->cap)
    return 0;
  size_t cap = b->cap ? b->cap : 64;
  while (cap < need)
    cap += cap / 2 + 1;
  if (cap > max + 1)
    cap = max + 1;
  char *p = realloc (b->data, cap);
  if (!p)
    {
      b->failed = true;
      return -1;
    }
  b->data = p;
  b->cap = cap;
  b->data[b->len] = '\0';
  return 0;
}

int
lf_buf_add (lf_buf *b, const void *p, size_t n)
{
  if (lf_buf_reserve (b, n) < 0)
    return -1;
  if (n)
    memcpy (b->data + b->len, p, n);
  b->len += n;
  b->data[b->len] = '\0';
  return 0;
}

int
lf_buf_adds (lf_buf *b, const char *s)
{
  return lf_buf_add (b, s, strlen (s));
}

int
lf_buf_addc (lf_buf *b, char c)
{
  return lf_buf_add (b, &c, 1);
}

int
lf_buf_addu (lf_buf *b, uint64_t v, unsigned base)
{
  char digits[64];
  size_t i = sizeof digits;
  do
    digits[--i] = "0123456789abcdef"[v % base];
  while ((v /= base) > 0);
  return lf_buf_add (b, digits + i, sizeof digits - i);
}

int
lf_buf_addv (lf_buf *b, const char *fmt, va_list ap)
{
  va_list again;
  va_copy (again, ap);
  size_t room = b->cap > b->len ? b->cap - b->len : 0;
  int n = vsnprintf (room ? b->data + b->len : NULL, room, fmt, ap);
  int rc = -1;
  if (n >= 0 && (size_t) n < room)
    {
      /* Memory left over from before a reset may exceed what is allowed now only if max was changed: reserve checks it. */
      rc = lf_buf_reserve (b, (size_t) n);
    }
  else if (n >= 0 && lf_buf_reserve (b, (size_t) n) == 0)
    rc = vsnprintf (b->data + b->len, (size_t) n + 1, fmt, again) == n ? 0 : -1;
  va_end (again);
  if (rc < 0)
    {
      b->failed = true;
      if (b->data && b->cap > b->len)
        b->data[b->len] = '\0';
      return -1;
    }
  b->len += (size_t) n;
  return 0;
}

int
lf_buf_addf (lf_buf *b, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  int rc = lf_buf_addv (b, fmt, ap);
  va_end (ap);
  return rc;
}

/* Text of one byte that may not stand as it is in a JSON string; NULL when it may. */
static const char *
json_escape (unsigned char c, char out[8])
{
  switch (c)
    {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      if (c >= 0x20)
        return NULL;
      snprintf (out, 8, "\\u%04x", c);
      return out;
    }
}

static int
add_json_body (lf_buf *b, const char *s, size_t n)
{
  char esc[8];
  while (n > 0)
    {
      size_t good = lf_utf8_valid (s, n), from = 0;
      for (size_t i = 0; i < good; i++)
        {
          const char *e = json_escape ((unsigned char) s[i], esc);
          if (!e)
            continue;
          if (lf_buf_add (b, s + from, i - from) < 0 || lf_buf_adds (b, e) < 0)
            return -1;
          from = i + 1;
        }
      if (lf_buf_add (b, s + from, good - from) < 0)
        return -1;
      s += good;
      n -= good;
      if (n > 0)
        {
          if (lf_buf_adds (b, "\xEF\xBF\xBD") < 0)
            return -1;
          s++;
          n--;
        }
    }
  return 0;
}

int
lf_buf_add_json_str (lf_buf *b, const char *s, size_t n)
{
  size_t before = b->len;
  if (lf_buf_addc (b, '"') == 0 && add_json_body (b, s, n) == 0 && lf_buf_addc (b, '"') == 0)
    return 0;
  b->len = before; /* all or nothing: half a string would make the whole text unreadable */
  if (b->data)
    b->data[before] = '\0';
  return -1;
}

int
lf_buf_add_printable (lf_buf *b, const char *p, size_t n)
{
  if (lf_buf_reserve (b, n) < 0)
    return -1;
  while (n > 0)
    {
      size_t good = lf_utf8_valid (p, n);
      for (size_t i = 0; i < good; i++)
        {
          unsigned char c = (unsigned char) p[i];
          bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
          /* U+0080..U+009F are control characters too: some terminals obey them. Both bytes become '?'. */
          if (c == 0xc2 && i + 1 < good && (unsigned char) p[i + 1] < 0xa0)
            {
              b->data[b->len++] = '?';
              i++;
              control = true;
            }
          b->data[b->len++] = control ? '?' : (char) c;
        }
      p += good;
      n -= good;
      if (n > 0)
        {
          b->data[b->len++] = '?';
          p++;
          n--;
        }
    }
  if (b->data)
    b->data[b->len] = '\0';
  return 0;
}

char *
lf_buf_take (lf_buf *b)
{
  char *s = NULL;
  if (!b->failed && lf_buf_reserve (b, 0) == 0)
    {
      s = b->data;
      b->data = NULL;
    }
  lf_buf_fini (b);
  return s;
}
