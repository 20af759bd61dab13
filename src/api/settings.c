/* SPDX-License-Identifier: Apache-2.0
 *
 * The control operations that change how a served function is invoked: its reserved concurrency, and what becomes of its asynchronous
 * events. The other operations of the control API are for deploying, which the command line and templates do here.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "invoke.h"

#define LF_SETTINGS_BODY_MAX (64 * 1024)

static void
reply_json (lf_http_req *r, int status, lf_buf *b)
{
  char id[37];
  lf_uuid4 (id);
  lf_http_pair h[] = { { "Content-Type", "application/json" }, { "x-amzn-RequestId", id } };
  lf_http_reply (r, status, h + (status == 204), status == 204 ? 1 : 2, b->data, b->len);
}

static cJSON *
read_body (lf_http_req *r)
{
  lf_error err = { 0 };
  cJSON *o = r->body.len <= LF_SETTINGS_BODY_MAX && !r->too_large
                 ? lf_json_parse (r->body.data ? r->body.data : "", r->body.len, "request", &err)
                 : NULL;
  if (!cJSON_IsObject (o))
    {
      lf_svc_reply (r, LF_SVC_INVALID_REQUEST_CONTENT, NULL, NULL, 0, "Could not parse request body into json: it is no JSON object");
      cJSON_Delete (o);
      return NULL;
    }
  return o;
}

/* ---- reserved concurrency ------------------------------------------------------------------------------------------------------- */

static void
reply_reserved (lf_http_req *r, int64_t reserved)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (reserved == LF_NONE)
    lf_buf_adds (&b, "{}");
  else
    lf_buf_addf (&b, "{\"ReservedConcurrentExecutions\":%lld}", (long long) reserved);
  reply_json (r, 200, &b);
}

static void
put_concurrency (lf_http_req *r, lf_live_fn *fn)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = read_body (r);
  lf_error err = { 0 };
  if (!o)
    return;
  int64_t n = lf_json_i64 (o, "ReservedConcurrentExecutions", LF_NONE);
  if (n == LF_NONE || n < 0)
    lf_svc_reply (r, LF_SVC_VALIDATION, NULL, NULL, 0,
                  n == LF_NONE ? "1 validation error detected: Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must not be null"
                               : "1 validation error detected: Value at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must have value "
                                 "greater than or equal to 0");
  else if (lf_engine_set_reserved (fn, n, &err) < 0)
    lf_svc_reply (r, LF_SVC_INVALID_PARAMETER_VALUE, NULL, NULL, 0, err.why);
  else
    reply_reserved (r, n);
}

void
lf_settings_concurrency (lf_http_req *r, lf_live_fn *fn)
{
  lf_error err = { 0 };
  lf_buf none LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&none, 0);
  if (lf_str_eq (r->method, "PUT"))
    put_concurrency (r, fn);
  else if (lf_str_eq (r->method, "GET"))
    reply_reserved (r, lf_live_fn_config (fn)->reserved);
  else if (lf_engine_set_reserved (fn, LF_NONE, &err) < 0)
    lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, err.why);
  else
    reply_json (r, 204, &none);
}

/* ---- asynchronous events ---------------------------------------------------------------------------------------------------------- */

static bool
has_config (const lf_function *f)
{
  return f->async_retries >= 0 || f->async_max_age_s != LF_NONE || f->on_success || f->on_failure;
}

static void
add_destination (lf_buf *b, const char *key, const char *dest)
{
  lf_buf_addf (b, "\"%s\":{", key);
  if (dest)
    {
      lf_buf_adds (b, "\"Destination\":");
      lf_buf_add_json_str (b, dest, strlen (dest));
    }
  lf_buf_addc (b, '}');
}

static void
add_config (lf_buf *b, const lf_function *f)
{
  char *arn LF_CLEANUP (lf_freep) = lf_function_arn (f, "$LATEST");
  int64_t now = lf_wall_us ();
  lf_buf_adds (b, "{\"DestinationConfig\":{");
  add_destination (b, "OnFailure", f->on_failure);
  lf_buf_addc (b, ',');
  add_destination (b, "OnSuccess", f->on_success);
  lf_buf_addf (b, "},\"FunctionArn\":\"%s\",\"LastModified\":%lld.%03d", arn ? arn : "", (long long) (now / 1000000), (int) (now / 1000 % 1000));
  if (f->async_max_age_s != LF_NONE)
    lf_buf_addf (b, ",\"MaximumEventAgeInSeconds\":%lld", (long long) f->async_max_age_s);
  if (f->async_retries >= 0)
    lf_buf_addf (b, ",\"MaximumRetryAttempts\":%d", f->async_retries);
  lf_buf_addc (b, '}');
}

static void
reply_config (lf_http_req *r, const lf_function *f)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  add_config (&b, f);
  reply_json (r, 200, &b);
}

void
lf_settings_events_list (lf_http_req *r, lf_live_fn *fn)
{
  const lf_function *f = lf_live_fn_config (fn);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "{\"FunctionEventInvokeConfigs\":[");
  if (has_config (f))
    add_config (&b, f);
  lf_buf_adds (&b, "]}");
  reply_json (r, 200, &b);
}

static bool
wrong_type (lf_http_req *r, const char *key)
{
  char text[160];
  snprintf (text, sizeof text, "Could not parse request body into json: %s has a value of the wrong type", key);
  lf_svc_reply (r, LF_SVC_INVALID_REQUEST_CONTENT, NULL, NULL, 0, text);
  return false;
}

static bool
given (const cJSON *o, const char *key, const cJSON **out)
{
  *out = cJSON_GetObjectItemCaseSensitive (o, key);
  return *out && !cJSON_IsNull (*out);
}

/* A number of the body in its range; false when it was refused. */
static bool
read_number (lf_http_req *r, const cJSON *o, const char *key, const char *member, int64_t min, int64_t max, int64_t *out)
{
  char text[240];
  const cJSON *v;
  int64_t n = lf_json_i64 (o, key, LF_NONE);
  if (!given (o, key, &v))
    return true;
  if (n == LF_NONE)
    return wrong_type (r, key);
  if (n >= min && n <= max)
    {
      *out = n;
      return true;
    }
  snprintf (text, sizeof text, "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %lld",
            (long long) n, member, n < min ? "greater" : "less", (long long) (n < min ? min : max));
  lf_svc_reply (r, LF_SVC_VALIDATION, NULL, NULL, 0, text);
  return false;
}

/* False when it was refused. {} takes a destination away. */
static bool
read_destination (lf_http_req *r, const cJSON *config, const char *key, const char **out)
{
  const cJSON *d, *text;
  if (!given (config, key, &d))
    return true;
  if (!cJSON_IsObject (d) || (given (d, "Destination", &text) && !cJSON_IsString (text)))
    return wrong_type (r, key);
  *out = lf_json_str (d, "Destination");
  return true;
}

/* PUT replaces the whole, POST only what it names. */
static void
set_config (lf_http_req *r, lf_live_fn *fn, bool whole)
{
  const lf_function *f = lf_live_fn_config (fn);
  cJSON *o LF_CLEANUP (lf_json_freep) = read_body (r);
  lf_error err = { 0 };
  if (!o)
    return;
  lf_async_settings s = { .retries = -1, .max_age_s = LF_NONE };
  if (!whole)
    s = (lf_async_settings){ f->async_retries, f->async_max_age_s, f->on_success, f->on_failure };
  int64_t retries = s.retries;
  if (!read_number (r, o, "MaximumRetryAttempts", "maximumRetryAttempts", 0, 2, &retries)
      || !read_number (r, o, "MaximumEventAgeInSeconds", "maximumEventAgeInSeconds", 60, 21600, &s.max_age_s))
    return;
  s.retries = (int) retries;
  const cJSON *d;
  if (given (o, "DestinationConfig", &d) && !cJSON_IsObject (d))
    wrong_type (r, "DestinationConfig");
  else if (!read_destination (r, d, "OnSuccess", &s.on_success) || !read_destination (r, d, "OnFailure", &s.on_failure))
    return;
  else if (lf_engine_set_async (fn, &s, &err) < 0)
    lf_svc_reply (r, err.exit == LF_EXIT_USAGE ? LF_SVC_INVALID_PARAMETER_VALUE : LF_SVC_SERVICE, NULL, NULL, 0, err.why);
  else
    reply_config (r, f);
}

static void
no_config (lf_http_req *r, const lf_function *f)
{
  char text[400];
  char *arn LF_CLEANUP (lf_freep) = lf_function_arn (f, "$LATEST");
  snprintf (text, sizeof text, "The function %s doesn't have an EventInvokeConfig", arn ? arn : f->name);
  lf_svc_reply (r, LF_SVC_RESOURCE_NOT_FOUND, NULL, NULL, 0, text);
}

void
lf_settings_events (lf_http_req *r, lf_live_fn *fn)
{
  const lf_function *f = lf_live_fn_config (fn);
  lf_error err = { 0 };
  lf_buf none LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&none, 0);
  bool put = lf_str_eq (r->method, "PUT");
  if (put || lf_str_eq (r->method, "POST"))
    set_config (r, fn, put);
  else if (!has_config (f))
    no_config (r, f);
  else if (lf_str_eq (r->method, "GET"))
    reply_config (r, f);
  else if (lf_engine_set_async (fn, &(lf_async_settings){ .retries = -1, .max_age_s = LF_NONE }, &err) < 0)
    lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, err.why);
  else
    reply_json (r, 204, &none);
}
