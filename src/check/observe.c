/* SPDX-License-Identifier: Apache-2.0
 *
 * From rows to samples, and from samples to single values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define SAMPLES_MAX 2000000

void
lf_observed_fini (lf_observed *o)
{
  for (size_t i = 0; i < o->samples_n; i++)
    {
      free (o->samples[i].request_id);
      free (o->samples[i].problem);
    }
  free (o->samples);
  free (o->seen);
  if (o->have_f)
    lf_function_fini (&o->f);
  memset (o, 0, sizeof *o);
}

static int64_t
sum (int64_t a, int64_t b)
{
  return a == LF_NONE || b == LF_NONE ? LF_NONE : a + b;
}

static void
set_values (const lf_observed *o, const lf_record *r, lf_sample *s)
{
  for (int l = 0; l < LF_LIM_COUNT; l++)
    s->value[l] = lf_limit_get ((lf_limit) l)->per_invocation ? lf_limit_used ((lf_limit) l, &o->f, r) : LF_NONE;
  s->value[LF_LIM_DURATION] = r->duration_us; /* finer than the limit's unit */
  s->value[LF_LIM_INIT] = r->cold == 1 ? r->init_us : LF_NONE;
  s->value[LF_CHK_COLD_START] = r->cold == 1 ? sum (r->init_us, r->duration_us) : LF_NONE;
  s->value[LF_CHK_TMP_GROWTH] = r->tmp_growth_bytes;
  s->value[LF_CHK_THROTTLED_CPU] = r->throttled_us;
  lf_cost cost = { 0 };
  lf_cost_of_record (o->profile, r->region ? r->region : o->f.region, r, &cost);
  int64_t one = cost.known && r->billed_ms != LF_NONE ? (int64_t) (cost.total * 1000000 / MONEY_TO_VALUE) : LF_NONE;
  s->value[LF_CHK_COST_PER_MILLION] = one;
  int64_t times = o->of ? o->of->requests_per_month : LF_NONE;
  s->value[LF_CHK_MONTHLY_COST] = one == LF_NONE || times == LF_NONE ? LF_NONE : (int64_t) (cost.total * times / MONEY_TO_VALUE);
}

lf_sample *
lf_observed_add (lf_observed *o, const lf_record *r, int event, int round)
{
  if (o->samples_n == SAMPLES_MAX)
    return NULL;
  if (o->samples_n == o->samples_cap)
    {
      size_t cap = o->samples_cap ? o->samples_cap * 2 : 64;
      lf_sample *more = realloc (o->samples, cap * sizeof *more);
      if (!more)
        return NULL;
      o->samples = more;
      o->samples_cap = cap;
    }
  lf_sample *s = &o->samples[o->samples_n];
  *s = (lf_sample){ .event = event, .cold = r->cold, .round = round, .status = r->status, .cpu_us = r->cpu_us, .at_us = r->received_us, .expected = -1,
                    .loop_wall_ns = LF_NONE, .loop_cpu_ns = LF_NONE, .loop_memory_ns = LF_NONE };
  int64_t took = sum (sum (r->wait_us == LF_NONE ? 0 : r->wait_us, r->init_us == LF_NONE ? 0 : r->init_us), r->duration_us);
  s->end_us = took == LF_NONE ? r->received_us : r->received_us + took;
  set_values (o, r, s);
  s->request_id = lf_strdup (r->request_id ? r->request_id : "");
  if (r->status != LF_ST_OK)
    s->problem = lf_asprintf ("%s: %.200s: %.300s", lf_status_name (r->status), r->error_type ? r->error_type : "error", r->error_message ? r->error_message : "");
  if (!s->request_id || (r->status != LF_ST_OK && !s->problem))
    {
      free (s->request_id);
      free (s->problem);
      return NULL;
    }
  o->samples_n++;
  if (round >= o->rounds)
    o->rounds = round + 1;
  return s;
}

/* The same subject of the same event again is counted, and its worst value kept. */
int
lf_observed_violation (lf_observed *o, const lf_violation *v, int event)
{
  const char *subject = v->limit_id ? v->limit_id : "rule";
  int measure = lf_measure_find (subject);
  if (measure < 0 && v->severity == LF_SEV_NEAR)
    return 0;
  for (size_t i = 0; i < o->seen_n; i++)
    {
      lf_seen *s = &o->seen[i];
      if (strcmp (s->subject, subject) != 0 || s->event != event || s->severity != v->severity)
        continue;
      s->times++;
      if (v->used > s->used)
        {
          s->used = v->used;
          memcpy (s->message, v->message, sizeof s->message);
        }
      return 1;
    }
  lf_seen *more = realloc (o->seen, (o->seen_n + 1) * sizeof *more);
  if (!more)
    return -1;
  o->seen = more;
  lf_seen *s = &o->seen[o->seen_n++];
  *s = (lf_seen){ .measure = measure, .event = event, .severity = v->severity, .enforced = v->enforced, .used = v->used, .allowed = v->allowed, .times = 1 };
  snprintf (s->subject, sizeof s->subject, "%s", subject);
  snprintf (s->message, sizeof s->message, "%s", v->message);
  snprintf (s->fix, sizeof s->fix, "%s", v->fix);
  return 1;
}

/* ---- single values ----------------------------------------------------------------------------------------------------------------------- */

static int64_t
base_units (int m, int64_t v)
{
  return v != LF_NONE && lf_measure_get (m)->kind == LF_KIND_TIME ? v * 1000 : v;
}

int64_t
lf_check_limit (int m, const lf_function *f, const lf_profile *p)
{
  return m < LF_LIM_COUNT ? base_units (m, lf_limit_allowed ((lf_limit) m, f, p)) : LF_NONE;
}

int64_t
lf_observed_static (const lf_observed *o, int m)
{
  return m < LF_LIM_COUNT && o->have_f ? base_units (m, lf_limit_used ((lf_limit) m, &o->f, NULL)) : LF_NONE;
}

/* Throttled and refused requests were not served: they have no values. */
bool
lf_sample_counts (const lf_sample *s, int measure)
{
  return s->value[measure] != LF_NONE;
}

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static int64_t
value_of (int64_t *v, size_t n, lf_stat stat)
{
  static const int percent[LF_STAT_COUNT] = { [LF_STAT_MAX] = 100, [LF_STAT_P50] = 50, [LF_STAT_P95] = 95, [LF_STAT_P99] = 99 };
  if (n == 0)
    return LF_NONE;
  if (stat != LF_STAT_MEAN)
    {
      qsort (v, n, sizeof *v, by_value);
      return lf_percentile (v, n, percent[stat]);
    }
  long double total = 0;
  for (size_t i = 0; i < n; i++)
    total += (long double) v[i];
  return (int64_t) (total / (long double) n + (total < 0 ? -0.5L : 0.5L));
}

int64_t
lf_observed_stat (const lf_observed *o, int m, lf_stat stat, int event, int round, const lf_sample **worst)
{
  int64_t *v = malloc ((o->samples_n + 1) * sizeof *v);
  size_t n = 0;
  for (size_t i = 0; v && i < o->samples_n; i++)
    {
      const lf_sample *s = &o->samples[i];
      if ((event < 0 || s->event == event) && (round < 0 || s->round == round) && lf_sample_counts (s, m))
        v[n++] = s->value[m];
    }
  int64_t result = v ? value_of (v, n, stat) : LF_NONE;
  free (v);
  for (size_t i = 0; worst && stat != LF_STAT_MEAN && result != LF_NONE && i < o->samples_n; i++)
    {
      const lf_sample *s = &o->samples[i];
      if ((event < 0 || s->event == event) && (round < 0 || s->round == round) && s->value[m] == result)
        {
          *worst = s;
          break;
        }
    }
  return result;
}

/* ---- together ------------------------------------------------------------------------------------------------------------------------------ */

typedef struct moment { int64_t at; int step; } moment;

static int
by_moment (const void *a, const void *b)
{
  const moment *x = a, *y = b;
  return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : x->step - y->step; /* one that ends makes room for one that begins */
}

/* The most that are between their begin and their end at any moment; `window`: for so long after their begin instead. */
static int64_t
most_at_once (const lf_observed *o, int64_t window)
{
  moment *m = malloc ((2 * o->samples_n + 1) * sizeof *m);
  size_t n = 0;
  int64_t now = 0, most = 0;
  for (size_t i = 0; m && i < o->samples_n; i++)
    {
      const lf_sample *s = &o->samples[i];
      if (s->cold < 0 && window == LF_NONE)
        continue;
      m[n++] = (moment){ s->at_us, 1 };
      m[n++] = (moment){ window == LF_NONE ? s->end_us : s->at_us + window, -1 };
    }
  if (n == 0)
    {
      free (m);
      return LF_NONE;
    }
  qsort (m, n, sizeof *m, by_moment);
  for (size_t i = 0; i < n; i++)
    {
      now += m[i].step;
      most = now > most ? now : most;
    }
  free (m);
  return most;
}

int64_t
lf_observed_concurrency (const lf_observed *o)
{
  return most_at_once (o, LF_NONE);
}

int64_t
lf_observed_rate (const lf_observed *o)
{
  return most_at_once (o, 1000000);
}

/* ---- timings ------------------------------------------------------------------------------------------------------------------------------- */

#define NEIGHBOURS 3

static int
by_double (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static double
median (double *v, size_t n)
{
  qsort (v, n, sizeof *v, by_double);
  return n ? v[n / 2] : 0;
}

/* The loop as it ran around a sample: the median of those next to it in time, so that one disturbed loop does not disturb a sample. */
static bool
loop_around (const lf_observed *o, size_t at, double *wall, double *cpu, double *memory)
{
  double w[2 * NEIGHBOURS + 1], c[2 * NEIGHBOURS + 1], m[2 * NEIGHBOURS + 1];
  size_t n = 0;
  for (size_t i = at > NEIGHBOURS ? at - NEIGHBOURS : 0; i < o->samples_n && i <= at + NEIGHBOURS; i++)
    if (o->samples[i].loop_wall_ns > 0 && o->samples[i].loop_cpu_ns > 0 && o->samples[i].loop_memory_ns > 0
        && o->samples[i].round == o->samples[at].round)
      {
        w[n] = (double) o->samples[i].loop_wall_ns;
        m[n] = (double) o->samples[i].loop_memory_ns;
        c[n++] = (double) o->samples[i].loop_cpu_ns;
      }
  *wall = median (w, n);
  *cpu = median (c, n);
  *memory = median (m, n);
  return n > 0;
}

/* A comparison is of warm invocations where the measure is not one of cold starts alone: a mixture would hide either. */
static bool
compared (const lf_observed *o, const lf_sample *s, int m, int event, int round, bool any_warm)
{
  (void) o;
  return (event < 0 || s->event == event) && s->round == round && s->status == LF_ST_OK && lf_sample_counts (s, m)
         && (lf_measure_get (m)->cold_only || !any_warm || s->cold == 0);
}

/* The part of its time that an invocation computed, or was held back for computing. */
static double
computing (const lf_sample *s)
{
  int64_t whole = s->value[LF_CHK_COLD_START] != LF_NONE ? s->value[LF_CHK_COLD_START] : s->value[LF_LIM_DURATION];
  int64_t held = s->value[LF_CHK_THROTTLED_CPU] != LF_NONE ? s->value[LF_CHK_THROTTLED_CPU] : 0;
  return whole > 0 ? (double) (s->cpu_us + held) / (double) whole : 0;
}

/* What only waits for others makes the part smaller, so the upper quarter is that of an undisturbed one. */
static double
upper_quarter (double *v, size_t n)
{
  qsort (v, n, sizeof *v, by_double);
  return n ? v[n - 1 - n / 4] : 0;
}

void
lf_observed_timings (const lf_observed *o, int m, int event, int round, lf_timings *out)
{
  bool any_warm = false;
  int64_t *plain = malloc ((o->samples_n + 1) * sizeof *plain);
  double *busy = malloc ((o->samples_n + 1) * sizeof *busy), *contended = malloc ((o->samples_n + 1) * sizeof *busy), *bound = malloc ((o->samples_n + 1) * sizeof *bound);
  size_t n = 0, k = 0, j = 0;
  memset (out, 0, sizeof *out);
  out->p50 = LF_NONE;
  for (size_t i = 0; i < o->samples_n; i++)
    any_warm = any_warm || (o->samples[i].cold == 0 && (event < 0 || o->samples[i].event == event));
  for (size_t i = 0; plain && busy && contended && bound && i < o->samples_n; i++)
    {
      const lf_sample *s = &o->samples[i];
      double wall, cpu, memory;
      if (!compared (o, s, m, event, round, any_warm))
        continue;
      plain[n++] = s->value[m];
      if (s->cpu_us != LF_NONE)
        bound[j++] = computing (s);
      if (!loop_around (o, i, &wall, &cpu, &memory))
        continue;
      contended[k] = memory / cpu;
      busy[k++] = wall / cpu;
      if (out->n == LF_TIMINGS_MAX)
        continue;
      /* A time that may be nothing (throttling) gets the floor on both sides, so that a ratio is one. */
      double v = (double) s->value[m] + (m == LF_CHK_THROTTLED_CPU ? FLOOR_US : 0);
      out->plain[out->n] = v / 1000;
      out->wall[out->n] = v * 1000 / wall;
      out->cpu[out->n++] = v * 1000 / cpu;
      if (s->cpu_us > 0)
        out->used[out->used_n++] = (double) s->cpu_us * 1000 / cpu;
    }
  out->p50 = plain ? value_of (plain, n, LF_STAT_P50) : LF_NONE;
  out->busy = busy ? median (busy, k) : 0;
  out->memory = contended ? median (contended, k) : 0;
  out->bound = m != LF_CHK_THROTTLED_CPU && bound ? upper_quarter (bound, j) : 0;
  free (bound);
  free (busy);
  free (contended);
  free (plain);
}
