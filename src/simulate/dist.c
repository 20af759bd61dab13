/* SPDX-License-Identifier: Apache-2.0
 *
 * How long things take: the laws, their texts and their draws.
 */
#include <stdio.h>
#include <string.h>

#include "inside.h"

static int
bad (const char *what, const char *text, const char *why, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_USAGE, what, "forms: " LF_DIST_FORMS "; times are 20us, 150ms, 2s, 5m, 1h", "\"%.80s\": %s", text, why);
}

/* "A,B" into two pieces. */
static bool
halves (const char *s, size_t *first, const char **second)
{
  const char *comma = strchr (s, ',');
  if (!comma || strchr (comma + 1, ','))
    return false;
  *first = (size_t) (comma - s);
  *second = comma + 1;
  return true;
}

static int
parse_one (const char *what, const char *text, const char *rest, lf_dist *out, lf_error *err)
{
  int64_t us;
  if (lf_duration_parse (rest, strlen (rest), &us) != 0)
    return bad (what, text, "not a time from 0 to 1000 days", err);
  out->a = (double) us;
  if (out->kind == LF_DIST_EXP && us == 0)
    return bad (what, text, "an exponential's mean must be above 0", err);
  return 0;
}

static int
parse_two (const char *what, const char *text, const char *rest, lf_dist *out, lf_error *err)
{
  size_t first;
  const char *second;
  int64_t a, b;
  if (!halves (rest, &first, &second))
    return bad (what, text, "needs two values with a comma between them", err);
  if (lf_duration_parse (rest, first, &a) != 0)
    return bad (what, text, "the first value is not a time from 0 to 1000 days", err);
  out->a = (double) a;
  if (out->kind == LF_DIST_LOGNORMAL)
    {
      size_t n = strlen (second);
      if (lf_sim_number (second, n, &out->b) != n || n == 0 || out->b > 10)
        return bad (what, text, "sigma must be a number from 0 to 10", err);
      return a == 0 ? bad (what, text, "a lognormal's median must be above 0", err) : 0;
    }
  if (lf_duration_parse (second, strlen (second), &b) != 0)
    return bad (what, text, "the second value is not a time from 0 to 1000 days", err);
  if (b < a)
    return bad (what, text, "the second time is below the first", err);
  out->b = (double) b;
  return 0;
}

int
lf_dist_parse (const char *what, const char *text, lf_dist *out, lf_error *err)
{
  static const struct { const char *prefix; lf_dist_kind kind; } kinds[]
      = { { "fixed:", LF_DIST_FIXED }, { "exp:", LF_DIST_EXP }, { "lognormal:", LF_DIST_LOGNORMAL }, { "uniform:", LF_DIST_UNIFORM },
          { "empirical:", LF_DIST_EMPIRICAL } };
  *out = (lf_dist){ .scale = 1 };
  for (size_t i = 0; i < LF_ARRAY_LEN (kinds); i++)
    {
      if (!lf_starts (text, kinds[i].prefix))
        continue;
      const char *rest = text + strlen (kinds[i].prefix);
      out->kind = kinds[i].kind;
      if (out->kind == LF_DIST_FIXED || out->kind == LF_DIST_EXP)
        return parse_one (what, text, rest, out, err);
      if (out->kind != LF_DIST_EMPIRICAL)
        return parse_two (what, text, rest, out, err);
      if (!*rest || strlen (rest) >= sizeof out->file)
        return bad (what, text, "needs a file's name", err);
      strcpy (out->file, rest);
      return 0;
    }
  return bad (what, text, "not a distribution", err);
}

int
lf_dist_values (const char *what, const char *text, size_t n, lf_dist *d, lf_error *err)
{
  size_t cap = 0, got = 0, line = 0;
  int64_t *v LF_CLEANUP (lf_freep) = NULL;
  for (const char *p = text, *end = text + n; p < end;)
    {
      const char *nl = memchr (p, '\n', (size_t) (end - p)), *stop = nl ? nl : end, *next = nl ? nl + 1 : end;
      line++;
      while (p < stop && (*p == ' ' || *p == '\t'))
        p++;
      while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r' || stop[-1] == ','))
        stop--;
      int64_t us;
      if (p < stop && *p != '#')
        {
          if (lf_duration_parse (p, (size_t) (stop - p), &us) != 0)
            {
              if (line > 1 || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.')
                return LF_FAIL (err, LF_EXIT_USAGE, what, "one time a line, in seconds or with a unit: 1.25, 300ms; not negative",
                                "%s, line %zu: \"%.*s\" is not a time", d->file, line, (int) (stop - p > 60 ? 60 : stop - p), p);
              p = next;
              continue;
            }
          if (got == LF_DIST_VALUES_MAX)
            return LF_FAIL (err, LF_EXIT_USAGE, what, "take a sample of it", "%s has more than %d values", d->file, LF_DIST_VALUES_MAX);
          if (got == cap)
            {
              cap = cap ? cap * 2 : 1024;
              int64_t *grown = realloc (v, cap * sizeof *v);
              if (!grown)
                return LF_FAIL_NOMEM (err);
              v = grown;
            }
          v[got++] = us;
        }
      p = next;
    }
  if (got == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, what, "one time a line", "%s has no values", d->file);
  lf_dist_empirical (d, v, got);
  v = NULL;
  return 0;
}

void
lf_dist_empirical (lf_dist *d, int64_t *values, size_t n)
{
  d->kind = LF_DIST_EMPIRICAL;
  d->values = values;
  d->n = n;
}

void
lf_dist_fini (lf_dist *d)
{
  if (!d->lent)
    free (d->values);
  d->values = NULL;
  d->n = 0;
}

int64_t
lf_dist_draw (const lf_dist *d, lf_rng *r)
{
  double us = d->a;
  switch (d->kind)
    {
    case LF_DIST_FIXED:
      break;
    case LF_DIST_EXP:
      us = d->a * lf_rng_exp (r);
      break;
    case LF_DIST_LOGNORMAL:
      us = d->a * lf_sim_exp (d->b * lf_rng_normal (r));
      break;
    case LF_DIST_UNIFORM:
      us = d->a + (d->b - d->a) * lf_rng_unit (r);
      break;
    case LF_DIST_EMPIRICAL:
      us = (double) d->values[(size_t) (lf_rng_unit (r) * (double) d->n)];
      break;
    }
  return lf_sim_round (us * d->scale);
}

double
lf_dist_mean_us (const lf_dist *d)
{
  double sum = 0;
  switch (d->kind)
    {
    case LF_DIST_FIXED:
    case LF_DIST_EXP:
      return d->a * d->scale;
    case LF_DIST_LOGNORMAL:
      return d->a * lf_sim_exp (d->b * d->b / 2) * d->scale;
    case LF_DIST_UNIFORM:
      return (d->a + d->b) / 2 * d->scale;
    case LF_DIST_EMPIRICAL:
      for (size_t i = 0; i < d->n; i++)
        sum += (double) d->values[i];
      return d->n ? sum / (double) d->n * d->scale : 0;
    }
  return 0;
}

void
lf_dist_describe (const lf_dist *d, char out[160])
{
  double ms = d->scale / 1000;
  switch (d->kind)
    {
    case LF_DIST_FIXED:
      snprintf (out, 160, "fixed, %.6g ms", d->a * ms);
      return;
    case LF_DIST_EXP:
      snprintf (out, 160, "exponential, mean %.6g ms", d->a * ms);
      return;
    case LF_DIST_LOGNORMAL:
      snprintf (out, 160, "lognormal, median %.6g ms, sigma %g", d->a * ms, d->b);
      return;
    case LF_DIST_UNIFORM:
      snprintf (out, 160, "uniform, %.6g to %.6g ms", d->a * ms, d->b * ms);
      return;
    case LF_DIST_EMPIRICAL:
      snprintf (out, 160, "resampled from %zu values, mean %.6g ms", d->n, lf_dist_mean_us (d) / 1000);
    }
}
