/* SPDX-License-Identifier: Apache-2.0
 *
 * From the options of simulate to a scenario.
 */
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

#define EMPIRICAL_FILE_MAX ((size_t) 256 << 20)

int
lf_scenario_assume (lf_scenario *s, const char *fmt, ...)
{
  char text[600];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  return lf_strv_add (&s->assumptions, text);
}

void
lf_scenario_free (lf_scenario *s)
{
  if (!s)
    return;
  for (size_t i = 0; i < s->n; i++)
    {
      lf_function_fini (&s->fn[i]);
      lf_dist_fini (&s->dist[i].warm);
      lf_dist_fini (&s->dist[i].init);
      lf_dist_fini (&s->dist[i].first);
      lf_dist_fini (&s->dist[i].cold);
    }
  lf_strv_fini (&s->assumptions);
  free (s);
}

/* ---- distributions --------------------------------------------------------------------------------------------------------- */

static int
dist (const char *what, const char *text, lf_dist *out, lf_error *err)
{
  if (lf_dist_parse (what, text, out, err) != 0)
    return -1;
  if (out->kind != LF_DIST_EMPIRICAL)
    return 0;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, EMPIRICAL_FILE_MAX);
  if (lf_read_file (out->file, EMPIRICAL_FILE_MAX, &b, err) != 0)
    return -1;
  return lf_dist_values (what, b.data ? b.data : "", b.len, out, err);
}

static int
share (const char *what, const char *text, double *out, lf_error *err)
{
  char *end;
  double v = strtod (text, &end);
  bool percent = *end == '%';
  if (end == text || end[percent] || !(v >= 0) || v > (percent ? 100 : 1))
    return LF_FAIL (err, LF_EXIT_USAGE, what, "give a share from 0 to 1, or a percentage: 0.01, 1%", "\"%.40s\" is not a share", text);
  *out = percent ? v / 100 : v;
  return 0;
}

static int
laws (lf_scenario *s, size_t i, const lf_args *a, lf_error *err)
{
  lf_law *law = &s->work[i].law;
  if (a->warm)
    {
      if (dist ("--warm", a->warm, &s->dist[i].warm, err) != 0)
        return -1;
      s->dist[i].has_warm = true;
    }
  if (a->init_dist && a->cold_dist)
    return LF_FAIL (err, LF_EXIT_USAGE, "--cold", "--init is added to a cold request's handler; --cold is all of a cold request", "given together with --init");
  if (a->init_dist)
    {
      if (dist ("--init", a->init_dist, &s->dist[i].init, err) != 0)
        return -1;
      s->dist[i].has_init = true;
    }
  if (a->cold_dist)
    {
      if (dist ("--cold", a->cold_dist, &s->dist[i].cold, err) != 0)
        return -1;
      s->dist[i].has_cold = true;
    }
  if (a->fail && share ("--fail", a->fail, &law->fail, err) != 0)
    return -1;
  return 0;
}

/* ---- functions ------------------------------------------------------------------------------------------------------------- */

static int
in_range (const char *what, int64_t v, int64_t min, int64_t max, const char *unit, const lf_profile *p, lf_error *err)
{
  if (v >= min && v <= max)
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, what, "", "%lld is not from %lld to %lld %s, as %s has it", (long long) v, (long long) min, (long long) max, unit, p->name);
}

static int
function (lf_scenario *s, size_t i, const lf_args *a, const char *name, lf_error *err)
{
  const lf_profile *p = s->profile;
  lf_function *f = &s->fn[i];
  if (lf_args_function (a, f, err) != 0)
    return -1;
  if (!f->name && !(f->name = lf_strdup (name)))
    return LF_FAIL_NOMEM (err);
  if (!f->runtime && !(f->runtime = lf_strdup ("python3.12")))
    return LF_FAIL_NOMEM (err);
  if (lf_runtime_parse (f->runtime, &f->rt, err) != 0)
    return -1;
  if (f->timeout_ms == LF_NONE)
    f->timeout_ms = p->timeout_max_s * 1000;
  f->life_ms = a->life;
  if (lf_function_defaults (f, p, err) != 0)
    return -1;
  if (in_range ("--memory", f->memory_mb, p->memory_min_mb, p->memory_max_mb, "MB", p, err) != 0
      || in_range ("--timeout", f->timeout_ms / 1000, p->timeout_min_s, p->timeout_max_s, "s", p, err) != 0
      || in_range ("--tmp", f->tmp_mb, p->tmp_min_mb, p->tmp_max_mb, "MB", p, err) != 0)
    return -1;
  return 0;
}

static int
traffic (lf_scenario *s, size_t i, const lf_args *a, lf_error *err)
{
  if (!a->arrivals)
    return LF_FAIL (err, LF_EXIT_USAGE, "--arrivals", "forms: " LF_ARRIVALS_FORMS, "how requests come is not given");
  if (lf_arrivals_parse ("--arrivals", a->arrivals, &s->arrivals[i], err) != 0)
    return -1;
  lf_workload *w = &s->work[i];
  w->fn = &s->fn[i];
  w->arrivals = &s->arrivals[i];
  w->only = a->only;
  w->async = a->async;
  w->retries = a->retries == LF_NONE ? 0 : (int) a->retries;
  return 0;
}

/* The structs lie still now: pointers between them can be set. */
static void
connect_laws (lf_scenario *s)
{
  for (size_t i = 0; i < s->n; i++)
    {
      lf_law *law = &s->work[i].law;
      law->warm = s->dist[i].has_warm ? &s->dist[i].warm : NULL;
      law->init = s->dist[i].has_init ? &s->dist[i].init : NULL;
      law->first = s->dist[i].has_first ? &s->dist[i].first : NULL;
      law->cold = s->dist[i].has_cold ? &s->dist[i].cold : NULL;
    }
}

static bool
trace_has_durations (const lf_arrivals_spec *a)
{
  for (size_t i = 0; i < a->n; i++)
    if (a->v[i].kind != LF_ARR_AZURE2021 && a->v[i].kind != LF_ARR_CSV)
      return false;
  return true;
}

static int
add_work (lf_scenario *s, const lf_args *a, const char *name, lf_error *err)
{
  size_t i = s->n++;
  if (function (s, i, a, name, err) != 0 || traffic (s, i, a, err) != 0 || laws (s, i, a, err) != 0)
    return -1;
  if (!a->warm && !trace_has_durations (&s->arrivals[i]))
    return LF_FAIL (err, LF_EXIT_USAGE, "--warm", "give --from FUNCTION for what the log has measured, or --warm DIST (" LF_DIST_FORMS ")",
                    "how long a warm request takes is not given");
  return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------- */

static int
pick_of (const char *text, lf_pick *out, lf_error *err)
{
  static const char *const words[] = { [LF_PICK_MRU] = "mru", [LF_PICK_NEWEST] = "newest", [LF_PICK_LRU] = "lru" };
  for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
    if (!text || strcmp (text, words[i]) == 0)
      {
        *out = (lf_pick) i;
        return 0;
      }
  return LF_FAIL (err, LF_EXIT_USAGE, "--pick", "give mru, newest or lru", "\"%.40s\" is no way to choose an environment", text);
}

static int
on_off (const char *what, const char *text, bool otherwise, bool *out, lf_error *err)
{
  if (text && strcmp (text, "on") != 0 && strcmp (text, "off") != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, what, "give on or off", "\"%.40s\" is neither", text);
  *out = text ? strcmp (text, "on") == 0 : otherwise;
  return 0;
}

static int
length (lf_scenario *s, const char *text, lf_error *err)
{
  bool formula = false;
  for (size_t i = 0; i < s->n; i++)
    for (size_t k = 0; k < s->arrivals[i].n; k++)
      formula |= !lf_source_is_trace (&s->arrivals[i].v[k]);
  s->options.for_us = LF_NONE;
  if (!text && !formula)
    return 0;
  if (!text)
    text = "1d";
  if (lf_duration_parse (text, strlen (text), &s->options.for_us) != 0 || s->options.for_us == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--for", "give a time above 0: 90s, 10m, 24h, 30d; at most 1000d", "\"%.40s\" is not a time", text);
  return 0;
}

static int
settings (lf_scenario *s, const lf_args *a, lf_error *err)
{
  lf_sim_options *o = &s->options;
  o->profile = s->profile;
  o->work = s->work;
  o->work_n = s->n;
  o->concurrency = a->limit;
  o->requests_max = LF_NONE;
  return pick_of (a->pick, &o->pick, err) != 0 || on_off ("--rate-limit", a->rate_limit, true, &o->rate_limit, err) != 0
                 || on_off ("--scaling", a->scaling, true, &o->scaling_limit, err) != 0 || length (s, a->for_, err) != 0
             ? -1
             : 0;
}

lf_scenario *
lf_scenario_new (const lf_args *a, const lf_profile *p, lf_error *err)
{
  lf_scenario *s = calloc (1, sizeof *s);
  if (!s)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  s->profile = p;
  if (add_work (s, a, "function", err) == 0 && settings (s, a, err) == 0)
    {
      connect_laws (s);
      return s;
    }
  lf_scenario_free (s);
  return NULL;
}
