/* SPDX-License-Identifier: Apache-2.0
 *
 * core PROFILE: reads questions, one JSON object a line, and answers each in one line. There is no clock and no sandbox here: this is the
 * model that the daemon and the simulator share.
 *
 *   {"billed": {"kind": "managed"|"custom", "init_us", "duration_us", "timed_out", "timeout_ms"}}      -> {"billed_ms"}
 *   {"cost": {"region", "arch", "billed_ms", "memory_mb", "tmp_mb", "requests", "gb_s_before"}}        -> {"usd"} with 12 decimals
 *   {"exit": {"code"|"signal", "oom", "exec_errno", "id"}}             -> {"type", "body"}; type null: the platform does not notice
 *   {"timeout": {"id", "timeout_ms", "at_us"}}                                                         -> {"type", "body"}
 *   {"too_large": {"bytes"}}                                                                           -> {"type", "body"}
 *   {"line": "init_start"|"start"|"end"|"report"|"init_report", "function": {...}, "record": {...}, "at_us", "phase", "status", "error_type"}
 *                                                                                                      -> {"text"}
 *   {"service_error": NAME, "reason", "text"}                                                          -> {"status", "type", "body"}
 *   {"runtime_error": TYPE, "from", "to"}                                                              -> {"status", "body"}
 *   {"error_type": TEXT}                                                                               -> {"kept"}
 *   {"name": TEXT}                                                                                     -> {"name", "qualifier", "region"} or {"error"}
 *   {"check": {...function}}                                                                           -> {"error", "limit"} (null: accepted)
 *   {"violations": {"function": {...}, "record": {...}}}, without record those known before            -> {"violations": [...]}
 *   {"profile": KEY}                                                                                   -> {"value"}
 *   {"fleet": ...}, {"async": ...}: see core_time.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

void
core_bad (const char *what)
{
  fprintf (stderr, "core: %s\n", what);
  exit (2);
}

int64_t
core_num (const cJSON *o, const char *key, int64_t otherwise)
{
  return lf_json_i64 (o, key, otherwise);
}

static const char *
text_of (const cJSON *o, const char *key, const char *otherwise)
{
  const char *s = lf_json_str (o, key);
  return s ? s : otherwise;
}

static void
copy (char **to, const char *from)
{
  if (!from)
    return;
  free (*to);
  *to = lf_strdup (from);
}

static void
copy_list (lf_strv *to, const cJSON *list)
{
  const cJSON *one;
  cJSON_ArrayForEach (one, list) lf_strv_add (to, cJSON_IsString (one) ? one->valuestring : "");
}

void
core_function (const cJSON *o, const lf_profile *p, lf_function *f)
{
  lf_error err = { 0 };
  lf_function_init (f);
  copy (&f->name, text_of (o, "name", "fn"));
  copy (&f->runtime, text_of (o, "runtime", "python3.12"));
  copy (&f->handler, lf_json_str (o, "handler"));
  copy (&f->region, lf_json_str (o, "region"));
  f->memory_mb = core_num (o, "memory_mb", LF_NONE);
  f->timeout_ms = core_num (o, "timeout_ms", LF_NONE);
  f->tmp_mb = core_num (o, "tmp_mb", LF_NONE);
  f->reserved = core_num (o, "reserved", LF_NONE);
  f->keepalive_ms = core_num (o, "keepalive_ms", LF_NONE);
  f->async_retries = (int) core_num (o, "async_retries", -1);
  f->async_max_age_s = core_num (o, "async_max_age_s", LF_NONE);
  if (lf_streq (lf_json_str (o, "arch"), "arm64"))
    f->arch = LF_ARCH_ARM64;
  if (lf_streq (lf_json_str (o, "log_format"), "JSON"))
    f->log_format = LF_LOG_JSON;
  copy_list (&f->env, cJSON_GetObjectItem (o, "env"));
  copy_list (&f->layers, cJSON_GetObjectItem (o, "layers"));
  int64_t fill = core_num (o, "env_json_bytes", LF_NONE);
  if (fill != LF_NONE)
    {
      /* One variable that makes the JSON object {"KK":"xx..."} exactly this long. */
      lf_buf b;
      lf_buf_init (&b, 0);
      lf_buf_adds (&b, "KK=");
      for (int64_t i = 0; i < fill - 9; i++)
        lf_buf_addc (&b, 'x');
      lf_strv_add (&f->env, b.data);
      lf_buf_fini (&b);
    }
  if (lf_function_defaults (f, p, &err) < 0 && err.exit != LF_EXIT_USAGE)
    core_bad (err.why);
  f->package_bytes = core_num (o, "package_bytes", LF_NONE);
  f->zip_bytes = core_num (o, "zip_bytes", LF_NONE);
}

static void
read_record (const cJSON *o, const lf_function *f, lf_record *r)
{
  lf_record_init (r);
  r->request_id = text_of (o, "request_id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
  r->function = f->name;
  r->memory_mb = f->memory_mb;
  r->tmp_mb = f->tmp_mb;
  if (lf_status_parse (text_of (o, "status", "ok"), &r->status) < 0)
    core_bad ("no such status");
  r->cold = (int) core_num (o, "cold", -1);
  r->error_type = lf_json_str (o, "error_type");
  r->error_message = lf_json_str (o, "error_message");
  r->init_us = core_num (o, "init_us", LF_NONE);
  r->duration_us = core_num (o, "duration_us", LF_NONE);
  r->billed_ms = core_num (o, "billed_ms", LF_NONE);
  r->max_memory_bytes = core_num (o, "max_memory_bytes", LF_NONE);
  r->peak_memory_bytes = core_num (o, "peak_memory_bytes", LF_NONE);
  r->tmp_used_bytes = core_num (o, "tmp_used_bytes", LF_NONE);
  r->request_bytes = core_num (o, "request_bytes", LF_NONE);
  r->response_bytes = core_num (o, "response_bytes", LF_NONE);
  r->async = lf_json_bool (o, "async", false);
}

/* ---- answers --------------------------------------------------------------------------------------------------------------------- */

static void
add_buf (cJSON *a, const char *key, lf_buf *b)
{
  lf_json_add_str (a, key, b->data ? b->data : "");
  lf_buf_fini (b);
  lf_buf_init (b, 0);
}

static cJSON *
billed (const cJSON *q, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject ();
  lf_runtime_kind kind = lf_streq (lf_json_str (q, "kind"), "custom") ? LF_RT_PROVIDED : LF_RT_PYTHON;
  lf_json_add_i64 (a, "billed_ms", lf_billed_ms (p, kind, core_num (q, "init_us", LF_NONE), core_num (q, "duration_us", 0), lf_json_bool (q, "timed_out", false),
                                                 core_num (q, "timeout_ms", 3000)));
  return a;
}

static cJSON *
cost (const cJSON *q, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject ();
  lf_cost c;
  char text[64];
  lf_cost_of_month (p, text_of (q, "region", "us-east-1"), lf_streq (lf_json_str (q, "arch"), "arm64") ? LF_ARCH_ARM64 : LF_ARCH_X86_64,
                    core_num (q, "gb_s_before", 0) * 1024000, core_num (q, "billed_ms", 0), 0, core_num (q, "memory_mb", 1024),
                    core_num (q, "tmp_mb", 512), core_num (q, "requests", 1), &c);
  lf_money_format (c.total, 12, text);
  lf_json_add_str (a, "usd", c.known ? text : NULL);
  return a;
}

static cJSON *
ended (const cJSON *q, const lf_profile *p)
{
  lf_exit_info how = { .code = (int) core_num (q, "code", 0), .signal = (int) core_num (q, "signal", 0),
                       .oom = lf_json_bool (q, "oom", false), .exec_errno = (int) core_num (q, "exec_errno", 0) };
  how.exec_failed = how.exec_errno != 0;
  how.exited = !how.signal && !how.exec_failed;
  bool noticed = lf_exit_noticed (p, &how);
  cJSON *a = cJSON_CreateObject ();
  const char *type = NULL;
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_body_exit (&b, p, text_of (q, "id", "ID"), &how, &type);
  lf_json_add_str (a, "type", noticed ? type : NULL);
  if (noticed)
    add_buf (a, "body", &b);
  else
    lf_buf_fini (&b);
  return a;
}

static cJSON *
platform_body (const cJSON *timeout, const cJSON *large, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject ();
  const char *type = NULL;
  lf_buf b;
  lf_buf_init (&b, 0);
  if (timeout)
    lf_body_timeout (&b, p, text_of (timeout, "id", "ID"), core_num (timeout, "timeout_ms", 3000), core_num (timeout, "at_us", 0), &type);
  else
    lf_body_response_too_large (&b, p, core_num (large, "bytes", LF_NONE), &type);
  lf_json_add_str (a, "type", type);
  add_buf (a, "body", &b);
  return a;
}

static cJSON *
line (const cJSON *q, const char *which, const lf_profile *p)
{
  lf_function f;
  lf_record r;
  lf_buf b;
  lf_buf_init (&b, 0);
  core_function (cJSON_GetObjectItem (q, "function"), p, &f);
  read_record (cJSON_GetObjectItem (q, "record"), &f, &r);
  int64_t at = core_num (q, "at_us", INT64_C (1791444629470000));
  if (lf_streq (which, "init_start"))
    lf_line_init_start_in (&b, p, &f, lf_json_str (q, "stream"), at);
  else if (lf_streq (which, "start"))
    lf_line_start (&b, p, &f, r.request_id, at);
  else if (lf_streq (which, "end"))
    lf_line_end (&b, p, &f, r.request_id, at);
  else if (lf_streq (which, "report"))
    lf_line_report (&b, p, &f, &r, at);
  else if (lf_streq (which, "init_report"))
    lf_line_init_report (&b, p, &f, r.init_us, text_of (q, "phase", "init"), text_of (q, "status", "error"), lf_json_str (q, "error_type"), at);
  else
    core_bad ("no such line");
  cJSON *a = cJSON_CreateObject ();
  add_buf (a, "text", &b);
  lf_function_fini (&f);
  return a;
}

static cJSON *
api_error (const cJSON *q, const char *service, const char *runtime)
{
  cJSON *a = cJSON_CreateObject ();
  lf_buf b;
  lf_buf_init (&b, 0);
  for (int i = 0; service && i < LF_SVC_COUNT; i++)
    if (lf_streq (lf_svc_error_get ((lf_svc_error) i)->name, service))
      {
        lf_json_add_i64 (a, "status", lf_svc_error_get ((lf_svc_error) i)->status);
        lf_svc_error_body (&b, (lf_svc_error) i, lf_json_str (q, "reason"), lf_json_str (q, "text"));
      }
  for (int i = 0; runtime && i < LF_RAPI_COUNT; i++)
    if (lf_streq (lf_rapi_error_get ((lf_rapi_error) i)->type, runtime))
      {
        lf_json_add_i64 (a, "status", lf_rapi_error_get ((lf_rapi_error) i)->status);
        lf_rapi_error_body (&b, (lf_rapi_error) i, lf_json_str (q, "from"), lf_json_str (q, "to"));
      }
  add_buf (a, "body", &b);
  return a;
}

static cJSON *
name (const char *text)
{
  cJSON *a = cJSON_CreateObject ();
  char *n, *qualifier, *region;
  lf_error err = { 0 };
  if (lf_function_name_parse (text, &n, &qualifier, &region, &err) < 0)
    {
      lf_json_add_str (a, "error", err.why);
      return a;
    }
  lf_json_add_str (a, "name", n);
  lf_json_add_str (a, "qualifier", qualifier);
  lf_json_add_str (a, "region", region);
  free (n);
  free (qualifier);
  free (region);
  return a;
}

static cJSON *
check (const cJSON *q, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject ();
  lf_function f;
  lf_error err = { 0 };
  const char *limit = NULL;
  core_function (q, p, &f);
  bool refused = lf_function_check (&f, p, &limit, &err) < 0;
  lf_json_add_str (a, "error", refused ? err.why : NULL);
  lf_json_add_str (a, "limit", limit);
  lf_function_fini (&f);
  return a;
}

static cJSON *
violations (const cJSON *q, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject (), *list = cJSON_AddArrayToObject (a, "violations");
  lf_function f;
  lf_record r;
  lf_violation v[LF_VIOLATIONS_MAX];
  const cJSON *record = cJSON_GetObjectItem (q, "record");
  core_function (cJSON_GetObjectItem (q, "function"), p, &f);
  if (record)
    read_record (record, &f, &r);
  size_t n = record ? lf_violations (&f, p, NULL, &r, v) : lf_violations_static (&f, p, 0, v);
  for (size_t i = 0; i < n; i++)
    {
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "limit", v[i].limit_id);
      lf_json_add_str (o, "severity", v[i].severity == LF_SEV_BROKEN ? "broken" : "near");
      lf_json_add_i64 (o, "used", v[i].used);
      lf_json_add_i64 (o, "allowed", v[i].allowed);
      lf_json_add_str (o, "unit", v[i].unit);
      cJSON_AddItemToArray (list, o);
    }
  lf_function_fini (&f);
  return a;
}

static cJSON *
profile_value (const char *key, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject ();
  const lf_profile_field *fields;
  size_t n = lf_profile_fields (&fields);
  for (size_t i = 0; i < n; i++)
    if (lf_streq (fields[i].key, key))
      {
        char value[256];
        const char *source, *confidence;
        lf_profile_field_get (p, i, value, &source, &confidence);
        lf_json_add_str (a, "value", value);
      }
  return a;
}

static cJSON *
error_type (const char *text)
{
  cJSON *a = cJSON_CreateObject ();
  char kept[128];
  lf_fatal_error_type (text, strlen (text), kept);
  lf_json_add_str (a, "kept", kept);
  return a;
}

static cJSON *
answer (const cJSON *q, const lf_profile *p)
{
  const cJSON *o;
  if ((o = cJSON_GetObjectItem (q, "billed")))
    return billed (o, p);
  if ((o = cJSON_GetObjectItem (q, "cost")))
    return cost (o, p);
  if ((o = cJSON_GetObjectItem (q, "exit")))
    return ended (o, p);
  if ((o = cJSON_GetObjectItem (q, "timeout")))
    return platform_body (o, NULL, p);
  if ((o = cJSON_GetObjectItem (q, "too_large")))
    return platform_body (NULL, o, p);
  if (lf_json_str (q, "line"))
    return line (q, lf_json_str (q, "line"), p);
  if (lf_json_str (q, "service_error") || lf_json_str (q, "runtime_error"))
    return api_error (q, lf_json_str (q, "service_error"), lf_json_str (q, "runtime_error"));
  if (lf_json_str (q, "error_type"))
    return error_type (lf_json_str (q, "error_type"));
  if (lf_json_str (q, "name"))
    return name (lf_json_str (q, "name"));
  if ((o = cJSON_GetObjectItem (q, "check")))
    return check (o, p);
  if ((o = cJSON_GetObjectItem (q, "violations")))
    return violations (o, p);
  if (lf_json_str (q, "profile"))
    return profile_value (lf_json_str (q, "profile"), p);
  if ((o = cJSON_GetObjectItem (q, "fleet")))
    return core_fleet (o, p);
  if ((o = cJSON_GetObjectItem (q, "async")))
    return core_async (o, p);
  core_bad ("no such question");
}

int
main (int argc, char **argv)
{
  lf_error err = { 0 };
  lf_profile *p = argc == 2 ? lf_profile_load (argv[1], &err) : NULL;
  if (!p)
    core_bad (argc == 2 ? err.why : "usage: core PROFILE");
  char *text = NULL;
  size_t cap = 0;
  for (ssize_t n; (n = getline (&text, &cap, stdin)) > 0;)
    {
      cJSON *q = lf_json_parse (text, (size_t) n, "question", &err);
      if (!q)
        core_bad (err.why);
      cJSON *a = answer (q, p);
      lf_buf b;
      lf_buf_init (&b, 0);
      if (lf_json_print (a, &b) < 0)
        core_bad ("the answer cannot be written");
      puts (b.data);
      lf_buf_fini (&b);
      cJSON_Delete (a);
      cJSON_Delete (q);
    }
  free (text);
  lf_profile_free (p);
  return 0;
}
