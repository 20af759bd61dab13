/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate --sweep NAME=V1,V2: every combination of values of options, and which of them no other beats in everything.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

#define SWEEP_FIX "write it as --sweep memory=512,1024,1769, or with \";\" between values that have commas: --sweep \"warm=lognormal:1s,0.5;fixed:1s\""

/* Options that say nothing of the simulated situation. */
static bool
swept (const lf_opt *o)
{
  static const char *const other[] = { "seed", "seeds", "json", "quiet", "sweep", "from", "db", "html", "log", "profile", "with", "name", "start", "beside", "latency-goal", "tasks" };
  for (size_t i = 0; i < LF_ARRAY_LEN (other); i++)
    if (strcmp (o->name, other[i]) == 0)
      return false;
  return o->type != LF_OPT_LIST;
}

static int
axis (const char *text, lf_sim_axis *out, lf_error *err)
{
  const char *eq = strchr (text, '=');
  out->opt = eq ? lf_command_option (lf_command_find ("simulate"), text, (size_t) (eq - text)) : NULL;
  if (!out->opt || !swept (out->opt))
    return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", SWEEP_FIX, "\"%.80s\" does not begin with an option of the simulated situation and =", text);
  char separator = strchr (eq, ';') ? ';' : ',';
  for (const char *p = eq + 1;;)
    {
      const char *end = strchr (p, separator);
      size_t n = end ? (size_t) (end - p) : strlen (p);
      char *value LF_CLEANUP (lf_freep) = lf_strndup (p, n);
      if (!value || lf_strv_add (&out->values, value) != 0)
        return LF_FAIL_NOMEM (err);
      if (n == 0)
        return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", SWEEP_FIX, "\"%.80s\" has an empty value", text);
      if (out->values.n > LF_SIM_POINTS_MAX)
        return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "", "more than %d points", LF_SIM_POINTS_MAX);
      if (!end)
        return 0;
      p = end + 1;
    }
}

int
lf_sim_sweep_parse (const lf_args *a, lf_sim_sweep *out, lf_error *err)
{
  *out = (lf_sim_sweep){ .points = 1 };
  for (size_t i = 0; i < a->sweep.n; i++)
    {
      if (i == LF_SIM_AXES_MAX)
        return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "", "more than %d options are swept", LF_SIM_AXES_MAX);
      out->n++;
      if (axis (a->sweep.v[i], &out->axis[i], err) != 0)
        return -1;
      for (size_t k = 0; k < i; k++)
        if (out->axis[k].opt == out->axis[i].opt)
          return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "give all its values in one", "%s is swept twice", out->axis[i].opt->name);
      out->points *= out->axis[i].values.n;
      if (out->points > LF_SIM_POINTS_MAX)
        return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "sweep fewer values", "more than %d points", LF_SIM_POINTS_MAX);
    }
  return 0;
}

void
lf_sim_sweep_fini (lf_sim_sweep *s)
{
  for (size_t i = 0; i < s->n; i++)
    lf_strv_fini (&s->axis[i].values);
}

/* The last axis moves fastest. */
const char *
lf_sim_sweep_value (const lf_sim_sweep *s, size_t i, size_t k)
{
  for (size_t j = s->n; --j > k;)
    i /= s->axis[j].values.n;
  return s->axis[k].values.v[i % s->axis[k].values.n];
}

int
lf_sim_sweep_args (const lf_sim_sweep *s, size_t i, const lf_args *a, lf_args *out, lf_error *err)
{
  *out = *a;
  for (size_t k = 0; k < s->n; k++)
    {
      const lf_opt *o = s->axis[k].opt;
      const char *value = lf_sim_sweep_value (s, i, k);
      if (o->type == LF_OPT_FLAG)
        {
          bool on = strcmp (value, "on") == 0;
          if (!on && strcmp (value, "off") != 0)
            return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "its values are on and off", "\"%.40s\" is no value of --%s", value, o->name);
          *(bool *) ((char *) out + o->offset) = on;
        }
      else if (lf_args_set (o, value, out, err) != 0)
        return -1;
    }
  return 0;
}

/* ---- what no other beats ------------------------------------------------------------------------------------------------------- */

static double
lost (const lf_estimate m[LF_METRIC_COUNT])
{
  return (m[LF_METRIC_throttled].mean + m[LF_METRIC_failed].mean) / (m[LF_METRIC_requests].mean > 0 ? m[LF_METRIC_requests].mean : 1);
}

/* Where nothing was served there is no time, which is worse than any. */
static double
p95 (const lf_estimate m[LF_METRIC_COUNT])
{
  return m[LF_METRIC_latency_p95].mean < 0 ? HUGE_VAL : m[LF_METRIC_latency_p95].mean;
}

static bool
beats (const lf_estimate x[LF_METRIC_COUNT], const lf_estimate y[LF_METRIC_COUNT])
{
  const double a[] = { x[LF_METRIC_monthly_cost_usd].mean, p95 (x), x[LF_METRIC_cold].mean, lost (x) };
  const double b[] = { y[LF_METRIC_monthly_cost_usd].mean, p95 (y), y[LF_METRIC_cold].mean, lost (y) };
  bool better = false;
  for (size_t i = 0; i < LF_ARRAY_LEN (a); i++)
    {
      if (a[i] > b[i])
        return false;
      better |= a[i] < b[i];
    }
  return better;
}

void
lf_sim_pareto (const lf_estimate (*points)[LF_METRIC_COUNT], size_t n, bool *out)
{
  for (size_t i = 0; i < n; i++)
    {
      out[i] = true;
      for (size_t k = 0; k < n && out[i]; k++)
        out[i] = !beats (points[k], points[i]);
    }
}
