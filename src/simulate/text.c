/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers, times and rates in texts, lines of traces, and names. Numbers are read here and not by strtod: a locale must not decide what
 * a trace says, and "nan", "inf" and "0x10" are no times.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inside.h"

size_t
lf_sim_number (const char *s, size_t n, double *out)
{
  size_t i = 0;
  int digits = 0, scale = 0, exponent = 0;
  double v = 0;
  for (bool point = false; i < n && ((s[i] >= '0' && s[i] <= '9') || (s[i] == '.' && !point)); i++)
    {
      if (s[i] == '.')
        {
          point = true;
          continue;
        }
      digits++;
      v = v * 10 + (s[i] - '0');
      scale += point;
    }
  if (digits == 0 || digits > 40)
    return 0;
  if (i + 1 < n && (s[i] == 'e' || s[i] == 'E'))
    {
      size_t k = i + 1;
      bool minus = s[k] == '-';
      k += s[k] == '-' || s[k] == '+';
      size_t first = k;
      for (; k < n && s[k] >= '0' && s[k] <= '9' && k - first < 4; k++)
        exponent = exponent * 10 + (s[k] - '0');
      if (k == first || (k < n && s[k] >= '0' && s[k] <= '9'))
        return 0;
      exponent = minus ? -exponent : exponent;
      i = k;
    }
  exponent -= scale;
  if (exponent > 300 || exponent < -300)
    return 0;
  double ten = 1;
  for (int k = exponent < 0 ? -exponent : exponent; k > 0; k--)
    ten *= 10;
  *out = exponent < 0 ? v / ten : v * ten;
  return i;
}

int
lf_duration_parse (const char *s, size_t n, int64_t *us)
{
  static const struct { const char *unit; double us; } units[]
      = { { "", 1e6 }, { "us", 1 }, { "µs", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 6e7 }, { "min", 6e7 }, { "h", 3.6e9 }, { "d", 8.64e10 } };
  double v;
  size_t used = lf_sim_number (s, n, &v);
  while (used > 0 && used < n && s[used] == ' ')
    used++;
  for (size_t i = 0; used > 0 && i < LF_ARRAY_LEN (units); i++)
    if (strlen (units[i].unit) == n - used && memcmp (units[i].unit, s + used, n - used) == 0)
      {
        double t = v * units[i].us;
        if (!(t <= (double) LF_SIM_TIME_MAX))
          return -1;
        *us = (int64_t) (t + 0.5);
        return 0;
      }
  return -1;
}

int
lf_sim_rate (const char *s, size_t n, double *per_s)
{
  static const struct { const char *unit; double s; } units[] = { { "/s", 1 }, { "/m", 60 }, { "/min", 60 }, { "/h", 3600 }, { "/d", 86400 } };
  double v;
  size_t used = lf_sim_number (s, n, &v);
  for (size_t i = 0; used > 0 && i < LF_ARRAY_LEN (units); i++)
    if (strlen (units[i].unit) == n - used && memcmp (units[i].unit, s + used, n - used) == 0)
      {
        *per_s = v / units[i].s;
        return 0;
      }
  return -1;
}

/* ---- lines ----------------------------------------------------------------------------------------------------------------- */

int
lf_lines_init (lf_lines *l, const lf_bytes *b, const char *what, size_t line_max, lf_error *err)
{
  *l = (lf_lines){ .bytes = b, .what = what, .cap = line_max };
  l->buf = malloc (line_max + 1);
  return l->buf ? 0 : LF_FAIL_NOMEM (err);
}

void
lf_lines_fini (lf_lines *l)
{
  free (l->buf);
  l->buf = NULL;
}

int
lf_lines_bad (const lf_lines *l, lf_error *err, const char *fix, const char *why, ...)
{
  char text[400];
  va_list ap;
  va_start (ap, why);
  vsnprintf (text, sizeof text, why, ap);
  va_end (ap);
  return LF_FAIL (err, LF_EXIT_USAGE, l->what, fix, "line %lld: %s", (long long) l->line, text);
}

int
lf_lines_next (lf_lines *l, char **line, size_t *n, lf_error *err)
{
  for (;;)
    {
      char *from = l->buf + l->start, *nl = memchr (from, '\n', l->end - l->start);
      if (nl || (l->eof && l->end > l->start))
        {
          size_t len = nl ? (size_t) (nl - from) : l->end - l->start;
          l->start += len + (nl != NULL);
          l->line++;
          if (len && from[len - 1] == '\r')
            len--;
          from[len] = 0;
          *line = from;
          *n = len;
          return 1;
        }
      if (l->eof)
        return 0;
      memmove (l->buf, from, l->end - l->start);
      l->end -= l->start;
      l->start = 0;
      if (l->end == l->cap)
        {
          l->line++;
          return lf_lines_bad (l, err, "is this the right file?", "longer than %zu bytes", l->cap);
        }
      int64_t got = l->bytes->read (l->bytes->user, l->buf + l->end, l->cap - l->end, err);
      if (got < 0)
        return -1;
      l->eof = got == 0;
      l->end += (size_t) got;
    }
}

int
lf_lines_again (lf_lines *l, lf_error *err)
{
  l->start = l->end = 0;
  l->line = 0;
  l->eof = false;
  return l->bytes->rewind (l->bytes->user, err);
}

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

static uint64_t
hash (const char *s, size_t n)
{
  uint64_t h = 0xcbf29ce484222325ULL;
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char) s[i]) * 0x100000001b3ULL;
  return h ^ h >> 29;
}

static int
grow (lf_names *t)
{
  size_t slots_n = t->slots_n ? t->slots_n * 2 : 64;
  uint32_t *slots = calloc (slots_n, sizeof *slots); /* 0: free, else number + 1 */
  char **v = realloc (t->v, slots_n / 2 * sizeof *v);
  if (v)
    t->v = v;
  if (!slots || !v)
    {
      free (slots);
      return -1;
    }
  for (size_t i = 0; i < t->n; i++)
    {
      size_t at = hash (t->v[i], strlen (t->v[i])) & (slots_n - 1);
      while (slots[at])
        at = (at + 1) & (slots_n - 1);
      slots[at] = (uint32_t) i + 1;
    }
  free (t->slots);
  t->slots = slots;
  t->slots_n = slots_n;
  t->cap = slots_n / 2;
  return 0;
}

int64_t
lf_names_put (lf_names *t, const char *s, size_t n, bool *added)
{
  *added = false;
  if (t->n == t->cap && grow (t) != 0)
    return -1;
  size_t at = hash (s, n) & (t->slots_n - 1);
  for (; t->slots[at]; at = (at + 1) & (t->slots_n - 1))
    {
      const char *known = t->v[t->slots[at] - 1];
      if (strncmp (known, s, n) == 0 && known[n] == 0)
        return t->slots[at] - 1;
    }
  char *copy = lf_strndup (s, n);
  if (!copy)
    return -1;
  t->v[t->n] = copy;
  t->slots[at] = (uint32_t) ++t->n;
  *added = true;
  return (int64_t) t->n - 1;
}

void
lf_names_fini (lf_names *t)
{
  for (size_t i = 0; i < t->n; i++)
    free (t->v[i]);
  free (t->v);
  free (t->slots);
  *t = (lf_names){ 0 };
}
