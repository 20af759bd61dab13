/* SPDX-License-Identifier: Apache-2.0
 *
 * The results as `check --json` prints them.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "inside.h"

/* Exact where the base unit is: a time in milliseconds has three decimals, money twelve. */
static void
add_value (cJSON *o, const char *key, int measure, int64_t v)
{
  char text[64];
  lf_kind kind = measure < 0 ? LF_KIND_COUNT : lf_measure_get (measure)->kind;
  if (v == LF_NONE || kind == LF_KIND_BYTES || kind == LF_KIND_COUNT)
    {
      lf_json_add_i64 (o, key, v);
      return;
    }
  if (kind == LF_KIND_TIME)
    snprintf (text, sizeof text, "%s%lld.%03lld", v < 0 ? "-" : "", (long long) (v < 0 ? -v : v) / 1000, (long long) (v < 0 ? -v : v) % 1000);
  else
    lf_money_format ((lf_money) v * MONEY_TO_VALUE, 12, text);
  cJSON_AddRawToObject (o, key, text);
}

static cJSON *
one (const lf_result *r)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return NULL;
  lf_json_add_str (o, "function", r->function);
  lf_json_add_str (o, "budget", r->budget);
  lf_json_add_str (o, "statistic", r->statistic);
  lf_json_add_str (o, "event", r->event);
  add_value (o, "used", r->measure, r->used);
  add_value (o, "allowed", r->measure, r->allowed);
  add_value (o, "baseline", r->measure, r->baseline);
  lf_json_add_str (o, "unit", r->measure < 0 ? "invocations" : lf_measure_unit (r->measure));
  lf_json_add_str (o, "result", lf_result_name (r->word));
  lf_json_add_str (o, "message", r->message[0] ? r->message : NULL);
  lf_json_add_str (o, "fix", r->fix[0] ? r->fix : NULL);
  lf_json_add_str (o, "asked", r->budget_text[0] ? r->budget_text : NULL);
  lf_json_add_i64 (o, "line", r->line > 0 ? r->line : LF_NONE);
  return o;
}

static cJSON *
function_json (const lf_observed *o)
{
  int64_t cold = 0, failed = 0;
  cJSON *f = cJSON_CreateObject ();
  for (size_t i = 0; i < o->samples_n; i++)
    {
      cold += o->samples[i].cold == 1;
      failed += o->samples[i].status != LF_ST_OK;
    }
  if (!f)
    return NULL;
  lf_json_add_str (f, "function", o->name);
  lf_json_add_i64 (f, "invocations", (int64_t) o->samples_n);
  lf_json_add_i64 (f, "planned", o->planned);
  lf_json_add_i64 (f, "cold", cold);
  lf_json_add_i64 (f, "failed", failed);
  lf_json_add_i64 (f, "rounds", o->rounds);
  lf_json_add_str (f, "stopped", o->stopped[0] ? o->stopped : NULL);
  lf_json_add_str (f, "interpreter", o->have_f ? o->f.interpreter : NULL);
  return f;
}

int
lf_report_check_json (const lf_check_report *r, lf_buf *out)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  cJSON *results = o ? cJSON_AddArrayToObject (o, "results") : NULL, *functions = NULL;
  if (!results)
    return -1;
  for (size_t i = 0; i < r->results->n; i++)
    cJSON_AddItemToArray (results, one (&r->results->v[i]));
  lf_json_add_str (o, "result", lf_result_name (lf_results_word (r->results)));
  functions = cJSON_AddArrayToObject (o, "functions");
  for (size_t i = 0; functions && i < r->observed_n; i++)
    cJSON_AddItemToArray (functions, function_json (r->observed[i]));
  lf_json_add_str (o, "log", r->log);
  lf_json_add_str (o, "file", r->path);
  lf_json_add_str (o, "profile", r->profile);
  lf_json_add_str (o, "region", r->region);
  lf_json_add_str (o, "shard", r->shard);
  return lf_json_print_pretty (o, out) < 0 ? -1 : lf_buf_addc (out, '\n');
}
