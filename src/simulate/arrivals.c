/* SPDX-License-Identifier: Apache-2.0
 *
 * When requests come: the texts of --arrivals, and the sources that are formulas. Those that are files are in trace*.c.
 */
#include <stdio.h>
#include <string.h>

#include "inside.h"

#define PEAK_HOUR 15.0
#define HOUR_US 3.6e9
#define EXAMPLES "forms: " LF_ARRIVALS_FORMS

struct lf_stream
{
  lf_source_spec spec;
  int64_t for_us;
  lf_rng *rng;
  double t, gap_us;             /* the last arrival; mean gap (at the peak, where the rate varies) */
  int64_t k, left;              /* of constant: how many; of burst: which, and how many of it are left */
  lf_trace *trace;
};

/* ---- text ------------------------------------------------------------------------------------------------------------------ */

static const struct { const char *prefix; lf_arr_kind kind; } kinds[]
    = { { "poisson:", LF_ARR_POISSON }, { "constant:", LF_ARR_CONSTANT }, { "burst:", LF_ARR_BURST }, { "diurnal:", LF_ARR_DIURNAL },
        { "weekly:", LF_ARR_WEEKLY }, { "csv:", LF_ARR_CSV }, { "azure2019:", LF_ARR_AZURE2019 }, { "azure2021:", LF_ARR_AZURE2021 } };

static int
bad (const char *what, const char *s, size_t n, const char *why, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_USAGE, what, EXAMPLES, "\"%.*s\": %s", (int) (n > 80 ? 80 : n), s, why);
}

static int
parse_burst (const char *what, const char *s, size_t n, const char *rest, size_t rest_n, lf_source_spec *o, lf_error *err)
{
  const char *at = memchr (rest, '@', rest_n), *end = rest + rest_n;
  double count;
  size_t digits = at ? (size_t) (at - rest) : rest_n;
  if (digits == 0 || lf_sim_number (rest, digits, &count) != digits || count < 1 || count > 1e8 || count != (double) (int64_t) count)
    return bad (what, s, n, "a burst is a whole number of requests from 1 to 100,000,000", err);
  o->burst = (int64_t) count;
  if (!at)
    return 0;
  const char *slash = memchr (at, '/', (size_t) (end - at));
  if (lf_duration_parse (at + 1, (size_t) ((slash ? slash : end) - at - 1), &o->at_us) != 0)
    return bad (what, s, n, "the time after @ is not one", err);
  if (slash && (lf_duration_parse (slash + 1, (size_t) (end - slash - 1), &o->every_us) != 0 || o->every_us == 0))
    return bad (what, s, n, "the time after / must be one above 0: how often the burst comes", err);
  return 0;
}

/* RATE, or RATE,AMPLITUDE, or RATE,AMPLITUDE,WEEKEND. */
static int
parse_rate (const char *what, const char *s, size_t n, const char *rest, size_t rest_n, lf_source_spec *o, lf_error *err)
{
  double *extra[] = { &o->amplitude, &o->weekend };
  size_t most = o->kind == LF_ARR_WEEKLY ? 2 : o->kind == LF_ARR_DIURNAL ? 1 : 0, given = 0;
  const char *end = rest + rest_n, *comma = memchr (rest, ',', rest_n);
  if (lf_sim_rate (rest, (size_t) ((comma ? comma : end) - rest), &o->rate_per_s) != 0)
    return bad (what, s, n, "not a rate such as 0.9/s, 30/m, 5/h or 100/d", err);
  if (!(o->rate_per_s > 0))
    return bad (what, s, n, "a rate of 0 sends nothing; it must be above 0", err);
  if (o->rate_per_s > 1e9)
    return bad (what, s, n, "a rate above 1,000,000,000/s is not simulated", err);
  while (comma && given < most)
    {
      const char *from = comma + 1;
      comma = memchr (from, ',', (size_t) (end - from));
      size_t len = (size_t) ((comma ? comma : end) - from);
      if (len == 0 || lf_sim_number (from, len, extra[given]) != len || *extra[given] > 1)
        return bad (what, s, n, "amplitude and weekend are numbers from 0 to 1", err);
      given++;
    }
  return comma ? bad (what, s, n, "too many values", err) : 0;
}

static int
parse_source (const char *what, const char *s, size_t n, lf_source_spec *o, lf_error *err)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (kinds); i++)
    {
      size_t skip = strlen (kinds[i].prefix);
      if (n < skip || memcmp (s, kinds[i].prefix, skip) != 0)
        continue;
      *o = (lf_source_spec){ .kind = kinds[i].kind, .amplitude = 0.8, .weekend = 0.4 };
      if (o->kind == LF_ARR_BURST)
        return parse_burst (what, s, n, s + skip, n - skip, o, err);
      if (!lf_source_is_trace (o))
        return parse_rate (what, s, n, s + skip, n - skip, o, err);
      if (n == skip || n - skip >= sizeof o->file)
        return bad (what, s, n, "needs a file's name", err);
      memcpy (o->file, s + skip, n - skip);
      return 0;
    }
  return bad (what, s, n, "not a kind of traffic", err);
}

/* The next "+" that begins another source; a "+" in a file's name does not. */
static const char *
source_end (const char *s)
{
  for (const char *p = strchr (s, '+'); p; p = strchr (p + 1, '+'))
    for (size_t i = 0; i < LF_ARRAY_LEN (kinds); i++)
      if (lf_starts (p + 1, kinds[i].prefix))
        return p;
  return s + strlen (s);
}

int
lf_arrivals_parse (const char *what, const char *text, lf_arrivals_spec *out, lf_error *err)
{
  *out = (lf_arrivals_spec){ 0 };
  for (const char *s = text;; s++)
    {
      const char *end = source_end (s);
      if (out->n == LF_SOURCES_MAX)
        return LF_FAIL (err, LF_EXIT_USAGE, what, "", "more than %d sources are joined", LF_SOURCES_MAX);
      if (parse_source (what, s, (size_t) (end - s), &out->v[out->n], err) != 0)
        return -1;
      out->n++;
      if (!*end)
        return 0;
      s = end;
    }
}

bool
lf_source_is_trace (const lf_source_spec *s)
{
  return s->kind == LF_ARR_CSV || s->kind == LF_ARR_AZURE2019 || s->kind == LF_ARR_AZURE2021;
}

double
lf_arrivals_expected (const lf_arrivals_spec *s, int64_t for_us)
{
  double sum = 0;
  for (size_t i = 0; i < s->n; i++)
    if (s->v[i].kind == LF_ARR_BURST && for_us > s->v[i].at_us)
      sum += (double) s->v[i].burst * (s->v[i].every_us ? 1 + (double) ((for_us - s->v[i].at_us - 1) / s->v[i].every_us) : 1);
    else if (s->v[i].kind != LF_ARR_BURST && !lf_source_is_trace (&s->v[i]))
      sum += s->v[i].rate_per_s * (double) for_us / 1e6;
  return sum;
}

/* ---- sources --------------------------------------------------------------------------------------------------------------- */

lf_stream *
lf_stream_new (const lf_source_spec *s, const lf_bytes *bytes, int64_t for_us, const char *only, lf_rng *rng, lf_error *err)
{
  lf_stream *o = calloc (1, sizeof *o);
  if (!o)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  o->spec = *s;
  o->for_us = for_us;
  o->rng = rng;
  o->left = s->burst;
  double peak = s->kind == LF_ARR_DIURNAL || s->kind == LF_ARR_WEEKLY ? 1 + s->amplitude : 1;
  if (s->rate_per_s > 0)
    o->gap_us = 1e6 / (s->rate_per_s * peak);
  if (!lf_source_is_trace (s))
    return o;
  o->trace = lf_trace_new (s->kind, bytes, s->file, for_us, only, rng, err);
  if (o->trace)
    return o;
  free (o);
  return NULL;
}

void
lf_stream_free (lf_stream *s)
{
  if (!s)
    return;
  lf_trace_free (s->trace);
  free (s);
}

/* How much of its peak the rate has at t, from 0 to 1. */
static double
share (const lf_source_spec *s, double t)
{
  double hours = t / HOUR_US, f = (1 + s->amplitude * lf_sim_cos_turn ((hours - PEAK_HOUR) / 24)) / (1 + s->amplitude);
  if (s->kind == LF_ARR_WEEKLY && (int64_t) (hours / 24) % 7 >= 5)
    f *= s->weekend;
  return f;
}

static int
next_burst (lf_stream *s, lf_arrival *out)
{
  while (s->left == 0)
    {
      if (!s->spec.every_us)
        return 0;
      s->k++;
      s->left = s->spec.burst;
    }
  int64_t at = s->spec.at_us + s->k * s->spec.every_us;
  if (at >= s->for_us)
    return 0;
  s->left--;
  out->at = at;
  return 1;
}

int
lf_stream_next (lf_stream *s, lf_arrival *out, lf_error *err)
{
  out->service_us = LF_NONE;
  out->fn = 0;
  switch (s->spec.kind)
    {
    case LF_ARR_POISSON:
      s->t += s->gap_us * lf_rng_exp (s->rng);
      break;
    case LF_ARR_CONSTANT:
      s->t = (double) s->k++ * s->gap_us;
      break;
    case LF_ARR_BURST:
      return next_burst (s, out);
    case LF_ARR_DIURNAL:
    case LF_ARR_WEEKLY:
      do
        s->t += s->gap_us * lf_rng_exp (s->rng);
      while (s->t < (double) s->for_us && lf_rng_unit (s->rng) >= share (&s->spec, s->t));
      break;
    case LF_ARR_CSV:
    case LF_ARR_AZURE2019:
    case LF_ARR_AZURE2021:
      return lf_trace_next (s->trace, out, err);
    }
  if (s->t >= (double) s->for_us)
    return 0;
  out->at = (int64_t) s->t;
  return 1;
}

const char *
lf_stream_function (const lf_stream *s, uint32_t fn)
{
  return s->trace ? lf_trace_function (s->trace, fn) : "";
}

int64_t
lf_stream_length (const lf_stream *s)
{
  return s->trace ? lf_trace_length (s->trace) : LF_NONE;
}
