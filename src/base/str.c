/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/base.h"

char *
lf_strdup (const char *s)
{
  return s ? lf_strndup (s, strlen (s)) : NULL;
}

char *
lf_strndup (const char *s, size_t n)
{
  if (!s)
    return NULL;
  char *p = malloc (n + 1);
  if (!p)
    return NULL;
  memcpy (p, s, n);
  p[n] = '\0';
  return p;
}

char *
lf_asprintf (const char *fmt, ...)
{
  lf_buf b;
  lf_buf_init (&b, 0);
  va_list ap;
  va_start (ap, fmt);
  lf_buf_addv (&b, fmt, ap);
  va_end (ap);
  return lf_buf_take (&b);
}

bool
lf_streq (const char *a, const char *b)
{
  return a == b || (a && b && strcmp (a, b) == 0);
}

bool
lf_starts (const char *s, const char *prefix)
{
  return s && strncmp (s, prefix, strlen (prefix)) == 0;
}

bool
lf_ends (const char *s, const char *suffix)
{
  if (!s)
    return false;
  size_t n = strlen (s), m = strlen (suffix);
  return n >= m && memcmp (s + n - m, suffix, m) == 0;
}

/* Not tolower(): that follows the locale, and header names do not. */
static unsigned char
ascii_lower (unsigned char c)
{
  return c >= 'A' && c <= 'Z' ? (unsigned char) (c + 32) : c;
}

bool
lf_str_ieq (lf_str a, const char *b)
{
  for (size_t i = 0; i < a.n; i++)
    if (b[i] == '\0' || ascii_lower ((unsigned char) a.p[i]) != ascii_lower ((unsigned char) b[i]))
      return false;
  return b[a.n] == '\0';
}

int
lf_take_i64 (const char **p, int64_t max, int64_t *out)
{
  const char *s = *p;
  int64_t v = 0;
  if (*s < '0' || *s > '9')
    return -1;
  for (; *s >= '0' && *s <= '9'; s++)
    if (__builtin_mul_overflow (v, 10, &v) || __builtin_add_overflow (v, *s - '0', &v) || v > max)
      return -1;
  *p = s;
  *out = v;
  return 0;
}

int
lf_parse_i64 (const char *s, int64_t min, int64_t max, int64_t *out)
{
  if (!s)
    return -1;
  bool negative = *s == '-';
  if (negative)
    s++;
  if (*s == '\0')
    return -1;
  int64_t v = 0; /* kept negative: INT64_MIN has no positive twin */
  for (; *s; s++)
    {
      if (*s < '0' || *s > '9')
        return -1;
      if (__builtin_mul_overflow (v, 10, &v) || __builtin_sub_overflow (v, *s - '0', &v))
        return -1;
    }
  if (!negative)
    {
      if (v == INT64_MIN)
        return -1;
      v = -v;
    }
  if (v < min || v > max)
    return -1;
  *out = v;
  return 0;
}

void
lf_freep (void *p)
{
  void *q;
  memcpy (&q, p, sizeof q); /* p is the address of a pointer of some other type */
  free (q);
}

/* Length of the valid sequence at p, or 0. */
static size_t
utf8_one (const unsigned char *p, size_t n)
{
  unsigned char c = p[0], low = 0x80, high = 0xbf;
  size_t len;
  if (c < 0x80)
    return 1;
  if (c >= 0xc2 && c <= 0xdf)
    len = 2;
  else if (c >= 0xe0 && c <= 0xef)
    {
      len = 3;
      low = c == 0xe0 ? 0xa0 : 0x80;
      high = c == 0xed ? 0x9f : 0xbf; /* no surrogates */
    }
  else if (c >= 0xf0 && c <= 0xf4)
    {
      len = 4;
      low = c == 0xf0 ? 0x90 : 0x80;
      high = c == 0xf4 ? 0x8f : 0xbf; /* nothing above U+10FFFF */
    }
  else
    return 0;
  if (n < len || p[1] < low || p[1] > high)
    return 0;
  for (size_t i = 2; i < len; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  return len;
}

size_t
lf_utf8_valid (const char *p, size_t n)
{
  const unsigned char *u = (const unsigned char *) p;
  size_t i = 0;
  while (i < n)
    {
      uint64_t word;
      /* Payloads are mostly ASCII: take eight bytes at a time while no high bit is set. */
      if (n - i >= sizeof word && (memcpy (&word, u + i, sizeof word), (word & UINT64_C (0x8080808080808080)) == 0))
        {
          i += sizeof word;
          continue;
        }
      size_t k = utf8_one (u + i, n - i);
      if (k == 0)
        break;
      i += k;
    }
  return i;
}

/* ---- arrays of strings -------------------------------------------------------------------------------------------------- */

/* Takes S (also frees it on failure). */
static int
strv_push (lf_strv *a, char *s)
{
  if (!s)
    return -1;
  if (a->n + 2 > a->cap)
    {
      size_t cap = a->cap ? a->cap * 2 : 8;
      char **v = cap > SIZE_MAX / sizeof *v ? NULL : realloc (a->v, cap * sizeof *v);
      if (!v)
        {
          free (s);
          return -1;
        }
      a->v = v;
      a->cap = cap;
    }
  a->v[a->n++] = s;
  a->v[a->n] = NULL;
  return 0;
}

int
lf_strv_add (lf_strv *a, const char *s)
{
  return strv_push (a, lf_strdup (s));
}

int
lf_strv_addf (lf_strv *a, const char *fmt, ...)
{
  lf_buf b;
  lf_buf_init (&b, 0);
  va_list ap;
  va_start (ap, fmt);
  lf_buf_addv (&b, fmt, ap);
  va_end (ap);
  return strv_push (a, lf_buf_take (&b));
}

void
lf_strv_fini (lf_strv *a)
{
  if (!a)
    return;
  for (size_t i = 0; i < a->n; i++)
    free (a->v[i]);
  free (a->v);
  *a = (lf_strv){ 0 };
}

static size_t
env_find (const lf_strv *a, const char *key)
{
  size_t k = strlen (key);
  for (size_t i = 0; i < a->n; i++)
    if (strncmp (a->v[i], key, k) == 0 && a->v[i][k] == '=')
      return i;
  return SIZE_MAX;
}

const char *
lf_strv_env (const lf_strv *a, const char *key)
{
  size_t i = env_find (a, key);
  return i == SIZE_MAX ? NULL : a->v[i] + strlen (key) + 1;
}

int
lf_strv_setenv (lf_strv *a, const char *key, const char *value)
{
  size_t i = env_find (a, key);
  if (i == SIZE_MAX)
    return lf_strv_addf (a, "%s=%s", key, value);
  char *s = lf_asprintf ("%s=%s", key, value);
  if (!s)
    return -1;
  free (a->v[i]);
  a->v[i] = s;
  return 0;
}

void
lf_str_copy (char *to, size_t size, lf_str s)
{
  size_t n = s.n < size ? s.n : size - 1;
  if (n)
    memcpy (to, s.p, n);
  to[n] = '\0';
}
