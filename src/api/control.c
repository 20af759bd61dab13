/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own small routes, for `lambdafit ps` and for a second daemon that asks who is there. And the fields of an error object.
 */
#include <cjson/cJSON.h>
#include <unistd.h>

#include "invoke.h"

static void
reply_json (lf_http_req *r, const cJSON *o)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (!o || lf_json_print (o, &b) < 0)
    lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
  else
    lf_http_reply (r, 200, &(lf_http_pair){ "Content-Type", "application/json" }, 1, b.data, b.len);
}

static void
add_env (const lf_env_info *i, void *user)
{
  cJSON *list = user;
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return;
  lf_json_add_str (o, "environment", i->id);
  lf_json_add_str (o, "function", i->function);
  lf_json_add_str (o, "state", i->state);
  lf_json_add_i64 (o, "age_ms", i->age_ms);
  lf_json_add_i64 (o, "served", i->served);
  lf_json_add_i64 (o, "memory_bytes", i->memory_bytes);
  lf_json_add_i64 (o, "tmp_bytes", i->tmp_bytes);
  lf_json_add_i64 (o, "keepalive_left_ms", i->keepalive_left_ms);
  lf_json_add_i64 (o, "pid", i->pid > 0 ? i->pid : LF_NONE);
  cJSON_AddBoolToObject (o, "frozen", i->frozen);
  cJSON_AddBoolToObject (o, "after_reload", i->after_reload);
  cJSON_AddItemToArray (list, o);
}

void
lf_control_environments (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  (void) args;
  cJSON *list LF_CLEANUP (lf_json_freep) = cJSON_CreateArray ();
  if (list)
    lf_engine_each_env (lf_api_engine (a), add_env, list);
  reply_json (r, list);
}

static void
add_fn (lf_live_fn *fn, void *user)
{
  cJSON *list = user;
  cJSON *name = cJSON_CreateString (lf_live_fn_config (fn)->name);
  if (name)
    cJSON_AddItemToArray (list, name);
}

void
lf_control_info (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  (void) args;
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  if (o)
    {
      lf_json_add_str (o, "server", "lambdafit");
      lf_json_add_i64 (o, "pid", getpid ());
      lf_json_add_str (o, "profile", lf_engine_profile (lf_api_engine (a))->name);
      cJSON *list = cJSON_AddArrayToObject (o, "functions");
      if (list)
        lf_engine_each_fn (lf_api_engine (a), add_fn, list);
    }
  reply_json (r, o);
}

void
lf_control_operations (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  (void) a;
  (void) args;
  const lf_route *routes;
  size_t n = lf_api_routes (&routes);
  cJSON *list LF_CLEANUP (lf_json_freep) = cJSON_CreateArray ();
  for (size_t i = 0; list && i < n; i++)
    {
      cJSON *o = cJSON_CreateObject ();
      cJSON_AddItemToArray (list, o);
      lf_json_add_str (o, "operation", routes[i].operation);
      lf_json_add_str (o, "method", routes[i].method);
      lf_json_add_str (o, "path", routes[i].path);
      if (routes[i].query)
        lf_json_add_str (o, "query", routes[i].query);
    }
  reply_json (r, list);
}

int
lf_api_error_fields (const cJSON *o, lf_buf *out)
{
  static const char *const keys[] = { "errorMessage", "errorType", "stackTrace" };
  if (!cJSON_IsObject (o))
    return -1;
  lf_buf_addc (out, '{');
  bool first = true;
  for (size_t i = 0; i < LF_ARRAY_LEN (keys); i++)
    {
      const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, keys[i]);
      if (!v)
        continue;
      lf_buf_addf (out, "%s\"%s\":", first ? "" : ",", keys[i]);
      lf_json_print (v, out);
      first = false;
    }
  return lf_buf_addc (out, '}');
}
