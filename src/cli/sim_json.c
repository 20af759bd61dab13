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
      lf_json_add_str (f, "function", s->fn[i].name);
      const struct { const char *key; int64_t v; } values[]
          = { { "functions", p->functions }, { "memory_mb", s->fn[i].memory_mb }, { "timeout_ms", s->fn[i].timeout_ms }, { "keepalive_ms", s->fn[i].keepalive_ms },
              { "requests", p->requests }, { "cold", p->cold }, { "throttled", p->throttled }, { "failed", p->failed }, { "timeouts", p->timeouts },
              { "attempts", p->attempts }, { "billed_ms", p->billed_ms }, { "init_ms", p->init_ms }, { "billed_requests", p->billed_requests } };
      for (size_t k = 0; k < LF_ARRAY_LEN (values); k++)
        bad |= lf_json_add_i64 (f, values[k].key, values[k].v) != 0;
    }
  return bad ? -1 : 0;
}

cJSON *
lf_sim_json (const lf_sim_page *p)
{
  cJSON *o = cJSON_CreateObject ();
  const lf_sim_result *first = &p->runs[0].result;
  if (!o)
    return NULL;
  int bad = lf_sim_json_metrics (o, p->m, p->runs[0].known_cost) != 0;
  bad |= add_number (o, "length_s", (double) first->length_us / 1e6, true) != 0;
  bad |= lf_json_add_i64 (o, "seed", (int64_t) p->runs[0].seed) != 0 || lf_json_add_i64 (o, "seeds", (int64_t) p->n) != 0;
  bad |= lf_json_add_str (o, "profile", p->scenario->profile->name) != 0 || lf_json_add_str (o, "region", p->scenario->fn[0].region) != 0;
  bad |= add_functions (o, p->scenario, first) != 0 || add_bins (o, first) != 0;
  cJSON *list = cJSON_AddArrayToObject (o, "assumptions");
  for (size_t i = 0; list && i < p->scenario->assumptions.n; i++)
    {
      cJSON *text = cJSON_CreateString (p->scenario->assumptions.v[i]);
      bad |= !text || !cJSON_AddItemToArray (list, text);
    }
  if (!bad && list)
    return o;
  cJSON_Delete (o);
  return NULL;
}
