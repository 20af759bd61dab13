/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of the log as JSON, with the column names as keys.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "cli.h"

static const char *
source_name (lf_source s)
{
  static const char *const names[] = { "live", "simulated", "imported" };
  return names[s];
}

cJSON *
lf_record_json (const lf_record *r)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return NULL;
  int bad = 0;
  bad |= lf_json_add_str (o, "request_id", r->request_id);
  bad |= lf_json_add_str (o, "function", r->function);
  bad |= lf_json_add_str (o, "environment", r->environment);
  bad |= lf_json_add_str (o, "source", source_name (r->source));
  bad |= lf_json_add_i64 (o, "received_us", r->received_us);
  bad |= lf_json_add_i64 (o, "cold", r->cold < 0 ? LF_NONE : r->cold);
  bad |= lf_json_add_str (o, "status", lf_status_name (r->status));
  bad |= lf_json_add_str (o, "error_type", r->error_type);
  bad |= lf_json_add_str (o, "error_message", r->error_message);
  const struct { const char *key; int64_t v; } numbers[] = {
    { "wait_us", r->wait_us }, { "init_us", r->init_us }, { "duration_us", r->duration_us }, { "billed_ms", r->billed_ms },
    { "memory_mb", r->memory_mb }, { "tmp_mb", r->tmp_mb },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (numbers); i++)
    bad |= lf_json_add_i64 (o, numbers[i].key, numbers[i].v);
  bad |= lf_json_add_str (o, "arch", lf_arch_name (r->arch));
  bad |= lf_json_add_str (o, "region", r->region);
  bad |= lf_json_add_str (o, "profile", r->profile);
  const struct { const char *key; int64_t v; } measures[] = {
    { "max_memory_bytes", r->max_memory_bytes }, { "peak_memory_bytes", r->peak_memory_bytes }, { "tmp_used_bytes", r->tmp_used_bytes },
    { "tmp_growth_bytes", r->tmp_growth_bytes }, { "cpu_us", r->cpu_us }, { "throttled_us", r->throttled_us },
    { "request_bytes", r->request_bytes }, { "response_bytes", r->response_bytes },
    { "overhead_us", r->overhead_us },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (measures); i++)
    bad |= lf_json_add_i64 (o, measures[i].key, measures[i].v);
  char *tail LF_CLEANUP (lf_freep) = r->log_tail ? lf_strndup (r->log_tail, r->log_tail_len) : NULL;
  bad |= lf_json_add_str (o, "log_tail", tail);
  bad |= lf_json_add_str (o, "host", r->host);
  bad |= lf_json_add_str (o, "cold_reason", r->cold_reason);
  if (!bad)
    return o;
  cJSON_Delete (o);
  return NULL;
}

cJSON *
lf_violation_json (const lf_violation *v)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return NULL;
  lf_json_add_str (o, "request_id", v->request_id);
  lf_json_add_str (o, "function", v->function);
  lf_json_add_i64 (o, "at_us", v->at_us);
  lf_json_add_str (o, "limit_id", v->limit_id);
  lf_json_add_str (o, "severity", v->severity == LF_SEV_BROKEN ? "broken" : "near");
  lf_json_add_i64 (o, "used", v->used);
  lf_json_add_i64 (o, "allowed", v->allowed);
  lf_json_add_str (o, "unit", v->unit);
  lf_json_add_str (o, "enforced", lf_enforced_name (v->enforced));
  lf_json_add_str (o, "rule", v->rule);
  lf_json_add_str (o, "message", v->message);
  lf_json_add_str (o, "fix", v->fix);
  lf_json_add_str (o, "observed", v->observed[0] ? v->observed : NULL);
  return o;
}

/* Exact to 1e-12; null when the profile has no price. */
int
lf_json_add_money (cJSON *o, const char *key, const lf_cost *c, lf_money m)
{
  if (!c->known)
    return cJSON_AddNullToObject (o, key) ? 0 : -1;
  char text[64];
  lf_money_format (m, 12, text);
  return cJSON_AddRawToObject (o, key, text) ? 0 : -1;
}
