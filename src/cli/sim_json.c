/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulation as JSON.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

/* "wait_p95" is "p95" of "wait_ms"; "cost_init_usd" is "init_usd" of "cost_parts"; the rest stands by itself. */
static cJSON *
home (cJSON *o, lf_metric m, const char **key)
{
  static const struct { const char *prefix, *object; } groups[]
      = { { "wait_", "wait_ms" }, { "latency_", "latency_ms" }, { "cost_requests_", "cost_parts" }, { "cost_duration_", "cost_parts" },
          { "cost_init_", "cost_parts" }, { "cost_tmp_", "cost_parts" } };
  *key = lf_metric_name (m);
  for (size_t i = 0; i < LF_ARRAY_LEN (groups); i++)
    if (lf_starts (*key, groups[i].prefix))
      {
        cJSON *g = cJSON_GetObjectItemCaseSensitive (o, groups[i].object);
        if (!g)
          g = cJSON_AddObjectToObject (o, groups[i].object);
        *key = strchr (*key, '_') + 1;
        return g;
      }
  return o;
}

static bool
is_money (lf_metric m)
{
  return lf_ends (lf_metric_name (m), "_usd");
}

static int
add_number (cJSON *o, const char *key, double v, bool known)
{
  if (!known)
    return cJSON_AddNullToObject (o, key) ? 0 : -1;
  /* Whole numbers are printed as such, whatever their size. */
  if (v == (double) (int64_t) v && v > -9e15 && v < 9e15)
    return lf_json_add_i64 (o, key, (int64_t) v);
  return cJSON_AddNumberToObject (o, key, v) ? 0 : -1;
}

int
lf_sim_json_metrics (cJSON *o, const lf_estimate m[LF_METRIC_COUNT], bool known_cost)
{
  int bad = 0;
  const char *key;
  for (int i = 0; i < LF_METRIC_COUNT; i++)
    {
      cJSON *at = home (o, (lf_metric) i, &key);
      bad |= !at || add_number (at, key, m[i].mean, m[i].mean >= 0 && (known_cost || !is_money ((lf_metric) i))) != 0;
    }
  cJSON *interval = cJSON_AddObjectToObject (o, "interval");
  for (int i = 0; interval && i < LF_METRIC_COUNT; i++)
    {
      cJSON *at = home (interval, (lf_metric) i, &key);
      bad |= !at || add_number (at, key, m[i].half, m[i].half >= 0 && (known_cost || !is_money ((lf_metric) i))) != 0;
    }
  return bad || !interval ? -1 : 0;
}

static int
add_bins (cJSON *o, const lf_sim_result *r)
{
  static const char *const keys[] = { "environments", "running", "environments_max", "running_max", "requests", "cold", "throttled", "failed" };
  cJSON *t = cJSON_AddObjectToObject (o, "over_time"), *v[LF_ARRAY_LEN (keys)];
  int bad = !t || add_number (t, "step_s", (double) r->bin_us / 1e6, true) != 0;
  for (size_t k = 0; k < LF_ARRAY_LEN (keys); k++)
    bad |= !(v[k] = cJSON_AddArrayToObject (t, keys[k]));
  for (size_t i = 0; !bad && i < r->bins_n; i++)
    {
      const lf_sim_bin *b = &r->bins[i];
      const double values[] = { b->environments, b->running, (double) b->environments_max, (double) b->running_max, (double) b->requests, (double) b->cold,
                                (double) b->throttled, (double) b->failed };
      for (size_t k = 0; k < LF_ARRAY_LEN (keys); k++)
        {
          cJSON *n = cJSON_CreateNumber (values[k]);
          bad |= !n || !cJSON_AddItemToArray (v[k], n);
        }
    }
  return bad ? -1 : 0;
}

static int
add_functions (cJSON *o, const lf_scenario *s, const lf_sim_result *r)
{
  cJSON *list = cJSON_AddArrayToObject (o, "functions");
  int bad = !list;
  for (size_t i = 0; list && i < r->parts; i++)
    {
      const lf_sim_part *p = &r->part[i];
      cJSON *f = cJSON_CreateObject ();
      if (!f || !cJSON_AddItemToArray (list, f))
        return -1;
      lf_json_add_str (f, "function", s->item[i].fn.name);
      const struct { const char *key; int64_t v; } values[]
          = { { "functions", p->functions }, { "memory_mb", s->item[i].fn.memory_mb }, { "timeout_ms", s->item[i].fn.timeout_ms }, { "keepalive_ms", s->item[i].fn.keepalive_ms },
              { "requests", p->requests }, { "cold", p->cold }, { "throttled", p->throttled }, { "failed", p->failed }, { "timeouts", p->timeouts },
              { "attempts", p->attempts }, { "billed_ms", p->billed_ms }, { "init_ms", p->init_ms }, { "billed_requests", p->billed_requests } };
      for (size_t k = 0; k < LF_ARRAY_LEN (values); k++)
        bad |= lf_json_add_i64 (f, values[k].key, values[k].v) != 0;
    }
  return bad ? -1 : 0;
}

static int
add_assumptions (cJSON *o, const lf_scenario *s)
{
  cJSON *list = cJSON_AddArrayToObject (o, "assumptions");
  for (size_t i = 0; list && i < s->assumptions.n; i++)
    {
      cJSON *text = cJSON_CreateString (s->assumptions.v[i]);
      if (!text || !cJSON_AddItemToArray (list, text))
        return -1;
    }
  return list ? 0 : -1;
}

/* A value as what it is: 512 a number, "mru" a text. */
static int
add_value (cJSON *o, const lf_opt *opt, const char *value)
{
  if (opt->type == LF_OPT_FLAG)
    return cJSON_AddBoolToObject (o, opt->name, strcmp (value, "on") == 0) ? 0 : -1;
  char *end;
  double v = strtod (value, &end);
  if ((opt->type == LF_OPT_INT || opt->type == LF_OPT_SECONDS) && end != value && !*end)
    return add_number (o, opt->name, v, true);
  return lf_json_add_str (o, opt->name, value);
}

static int
add_points (cJSON *o, const lf_sim_page *p)
{
  cJSON *list = cJSON_AddArrayToObject (o, "points");
  int bad = !list;
  for (size_t i = 0; list && i < p->sweep->points; i++)
    {
      cJSON *point = cJSON_CreateObject (), *set = cJSON_AddObjectToObject (point, "set");
      if (!set || !cJSON_AddItemToArray (list, point))
        return -1;
      for (size_t k = 0; k < p->sweep->n; k++)
        bad |= add_value (set, p->sweep->axis[k].opt, lf_sim_sweep_value (p->sweep, i, k)) != 0;
      bad |= !cJSON_AddBoolToObject (point, "pareto", p->pareto[i]);
      bad |= lf_sim_json_metrics (point, p->points[i], p->runs[i * p->n].known_cost) != 0;
      bad |= add_assumptions (point, p->scenarios[i]) != 0;
    }
  return bad ? -1 : 0;
}

static int
add_alternatives (cJSON *o, const lf_sim_beside *b)
{
  cJSON *list = cJSON_AddArrayToObject (o, "alternatives");
  int bad = !list;
  for (size_t i = 0; list && i < b->alternatives; i++)
    {
      const lf_sim_alternative *x = &b->alternative[i];
      cJSON *e = cJSON_CreateObject ();
      if (!e || !cJSON_AddItemToArray (list, e))
        return -1;
      bad |= lf_json_add_str (e, "service", x->on.service) != 0 || lf_json_add_str (e, "mode", x->scaled ? "scaled" : "fixed") != 0
             || lf_json_add_str (e, "size", x->on.size) != 0 || add_number (e, "count", x->count, true) != 0
             || add_number (e, "monthly_cost_usd", x->monthly_usd, true) != 0 || add_number (e, "latency_p50_ms", x->latency_p50_ms, true) != 0
             || add_number (e, "latency_p95_ms", x->latency_p95_ms, true) != 0 || add_number (e, "wait_mean_ms", x->wait_mean_ms, true) != 0
             || add_number (e, "busy_share", x->busy_share, true) != 0 || add_number (e, "requests_at_once", (double) x->on.places, true) != 0
             || !cJSON_AddBoolToObject (e, "meets_goal", x->meets_goal);
    }
  return bad ? -1 : 0;
}

static int
add_rates (cJSON *o, const lf_sim_beside *b)
{
  cJSON *even = cJSON_AddArrayToObject (o, "break_even"), *rates = cJSON_AddArrayToObject (o, "rates");
  int bad = !even || !rates;
  for (size_t i = 0; even && i < b->break_evens; i++)
    {
      const lf_sim_break_even *x = &b->break_even[i];
      cJSON *e = cJSON_CreateObject ();
      if (!e || !cJSON_AddItemToArray (even, e))
        return -1;
      bool known = x->rate_per_s >= 0;
      bad |= lf_json_add_str (e, "service", x->service) != 0 || lf_json_add_str (e, "size", x->size) != 0 || add_number (e, "rate_per_s", x->rate_per_s, known) != 0
             || add_number (e, "count", x->count, known) != 0 || add_number (e, "monthly_cost_usd", x->monthly_usd, known) != 0;
    }
  for (size_t i = 0; rates && i < b->rates; i++)
    {
      const lf_sim_rate_row *r = &b->rate[i];
      cJSON *e = cJSON_CreateObject ();
      if (!e || !cJSON_AddItemToArray (rates, e))
        return -1;
      bad |= add_number (e, "rate_per_s", r->rate_per_s, true) != 0 || add_number (e, "lambda_usd", r->lambda_usd, true) != 0;
      for (size_t k = 0; k < b->break_evens; k++)
        {
          char key[40];
          snprintf (key, sizeof key, "%s_usd", b->service[k]);
          bad |= add_number (e, key, r->usd[k], r->count[k] >= 0) != 0;
          snprintf (key, sizeof key, "%s_count", b->service[k]);
          bad |= add_number (e, key, r->count[k], r->count[k] >= 0) != 0;
        }
    }
  return bad ? -1 : 0;
}

static int
add_beside (cJSON *o, const lf_sim_beside *b)
{
  cJSON *list = cJSON_GetObjectItemCaseSensitive (o, "assumptions");
  int bad = add_alternatives (o, b) != 0 || add_rates (o, b) != 0 || add_number (o, "latency_goal_ms", b->goal_ms, b->goal_ms > 0) != 0;
  for (size_t i = 0; list && i < b->assumptions.n; i++)
    {
      cJSON *text = cJSON_CreateString (b->assumptions.v[i]);
      bad |= !text || !cJSON_AddItemToArray (list, text);
    }
  return bad ? -1 : 0;
}

cJSON *
lf_sim_json (const lf_sim_page *p)
{
  cJSON *o = cJSON_CreateObject ();
  int bad = !o;
  if (p->sweep->n)
    bad |= add_points (o, p) != 0;
  else
    bad |= lf_sim_json_metrics (o, p->m, p->runs[0].known_cost) != 0;
  const lf_sim_result *first = p->runs[0].result;
  bad |= add_number (o, "length_s", (double) first->length_us / 1e6, true) != 0;
  bad |= lf_json_add_i64 (o, "seed", (int64_t) p->runs[0].seed) != 0 || lf_json_add_i64 (o, "seeds", (int64_t) p->n) != 0;
  bad |= lf_json_add_str (o, "profile", p->scenario->profile->name) != 0 || lf_json_add_str (o, "region", p->scenario->item[0].fn.region) != 0;
  if (!p->sweep->n)
    bad |= add_functions (o, p->scenario, first) != 0 || add_bins (o, first) != 0 || add_assumptions (o, p->scenario) != 0;
  if (p->beside)
    bad |= add_beside (o, p->beside) != 0;
  if (!bad)
    return o;
  cJSON_Delete (o);
  return NULL;
}
