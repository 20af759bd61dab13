/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of function URLs. Every function has one URL, which serves $LATEST whether it has settings or not; these say how.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- replies ---------------------------------------------------------------------------------------------------------------------------- */

static void
add_list (cJSON *o, const char *key, const lf_strv *list)
{
  cJSON *a = list->n ? cJSON_AddArrayToObject (o, key) : NULL;
  for (size_t i = 0; a && i < list->n; i++)
    cJSON_AddItemToArray (a, cJSON_CreateString (list->v[i]));
}

static void
add_settings (cJSON *o, const lf_url_config *u)
{
  lf_json_add_str (o, "AuthType", u->iam ? "AWS_IAM" : "NONE");
  lf_json_add_str (o, "InvokeMode", u->stream ? "RESPONSE_STREAM" : "BUFFERED");
  cJSON *cors = u->cors ? cJSON_AddObjectToObject (o, "Cors") : NULL;
  if (!cors)
    return;
  if (u->credentials)
    cJSON_AddTrueToObject (cors, "AllowCredentials");
  add_list (cors, "AllowHeaders", &u->headers);
  add_list (cors, "AllowMethods", &u->methods);
  add_list (cors, "AllowOrigins", &u->origins);
  add_list (cors, "ExposeHeaders", &u->expose);
  if (u->max_age_s != LF_NONE)
    lf_json_add_i64 (cors, "MaxAge", u->max_age_s);
}

static cJSON *
reply (lf_deploy *d, const lf_deploy_request *q, const lf_dep_fn *fn, const lf_url_config *u, lf_refusal *no)
{
  cJSON *o = lf_dep_empty (no);
  const char *port = strrchr (q->base_url, ':');
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, NULL);
  char *url LF_CLEANUP (lf_freep) = lf_asprintf ("http://%s.lambda-url.localhost%s/", fn->name, port && port > q->base_url + 5 ? port : "");
  if (!o)
    return NULL;
  lf_json_add_str (o, "FunctionUrl", url);
  lf_json_add_str (o, "FunctionArn", arn);
  lf_json_add_str (o, "CreationTime", fn->url_created);
  lf_json_add_str (o, "LastModifiedTime", fn->url_modified);
  add_settings (o, u);
  return o;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------------ */

static int
take_list (const cJSON *cors, const char *key, lf_strv *out, lf_refusal *no)
{
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (cors, key), *one;
  if (list && !cJSON_IsArray (list))
    return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s is no list", key);
  if (cJSON_GetArraySize (list) > 100)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value at 'cors.%c%s' failed to satisfy constraint: Member must have length less than or equal to 100", key[0] | 32,
                      key + 1);
  lf_strv_fini (out);
  cJSON_ArrayForEach (one, list)
    if (!cJSON_IsString (one) || strlen (one->valuestring) > 1024)
      return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s holds a value that is not a string, or one over 1024 bytes", key);
    else if (lf_strv_add (out, one->valuestring) < 0)
      return lf_dep_no_memory (no);
  return 0;
}

static int
take_cors (const cJSON *request, lf_url_config *u, lf_refusal *no)
{
  const cJSON *cors = cJSON_GetObjectItemCaseSensitive (request, "Cors");
  if (!cors || cJSON_IsNull (cors))
    return 0;
  u->cors = cJSON_IsObject (cors) && cors->child;
  u->credentials = lf_json_bool (cors, "AllowCredentials", false);
  u->max_age_s = lf_json_i64 (cors, "MaxAge", LF_NONE);
  if (u->max_age_s != LF_NONE && (u->max_age_s < 0 || u->max_age_s > 86400))
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '%lld' at 'cors.maxAge' failed to satisfy constraint: Member must have value %s than or equal to %d",
                      (long long) u->max_age_s, u->max_age_s < 0 ? "greater" : "less", u->max_age_s < 0 ? 0 : 86400);
  return take_list (cors, "AllowHeaders", &u->headers, no) < 0 || take_list (cors, "AllowMethods", &u->methods, no) < 0
                 || take_list (cors, "AllowOrigins", &u->origins, no) < 0 || take_list (cors, "ExposeHeaders", &u->expose, no) < 0
             ? -1
             : 0;
}

static int
take_word (const cJSON *request, const char *key, const char *off, const char *on, bool *out, lf_refusal *no)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (request, key);
  if (!v || cJSON_IsNull (v))
    return 0;
  if (!cJSON_IsString (v) || (strcmp (v->valuestring, off) != 0 && strcmp (v->valuestring, on) != 0))
    return lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value '%.64s' at '%c%s' failed to satisfy constraint: Member must satisfy enum value set: [%s, %s]",
                      cJSON_IsString (v) ? v->valuestring : "", key[0] | 32, key + 1, off, on);
  *out = strcmp (v->valuestring, on) == 0;
  return 0;
}

static int
take_settings (const cJSON *request, lf_url_config *u, lf_refusal *no)
{
  u->set = true;
  return take_word (request, "AuthType", "NONE", "AWS_IAM", &u->iam, no) < 0 || take_word (request, "InvokeMode", "BUFFERED", "RESPONSE_STREAM", &u->stream, no) < 0
                 || take_cors (request, u, no) < 0
             ? -1
             : 0;
}

int
lf_dep_url_read (lf_live_fn *live, const cJSON *o)
{
  lf_refusal no;
  lf_error err = { 0 };
  lf_url_config u = { .max_age_s = LF_NONE };
  int rc = take_settings (o, &u, &no) < 0 ? -1 : lf_engine_set_url (live, &u, &err);
  lf_url_config_fini (&u);
  return rc;
}

void
lf_dep_url_write (const lf_live_fn *live, cJSON *o)
{
  const lf_url_config *u = &lf_live_fn_config (live)->url;
  if (u->set)
    add_settings (cJSON_AddObjectToObject (o, "url"), u);
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------------------ */

static lf_live_fn *
find (lf_deploy *d, const lf_deploy_request *q, lf_dep_fn **fn, lf_refusal *no)
{
  *fn = lf_dep_lookup (d, q->name);
  if (!*fn)
    {
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Function does not exist");
      return NULL;
    }
  if (q->qualifier)
    {
      lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit has one URL for each function, which serves $LATEST: leave the qualifier out");
      return NULL;
    }
  lf_live_fn *live = lf_dep_live (d, *fn, (*fn)->v[0]);
  if (!live)
    lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "The operation cannot be performed at this time. The function is currently in the following state: %s",
               (*fn)->v[0]->state == LF_DEP_FAILED ? "Failed" : "Pending");
  return live;
}

/* One that has settings. */
static lf_live_fn *
find_set (lf_deploy *d, const lf_deploy_request *q, lf_dep_fn **fn, lf_refusal *no)
{
  lf_live_fn *live = find (d, q, fn, no);
  if (!live || lf_live_fn_config (live)->url.set)
    return live;
  lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "%s", lf_svc_error_get (LF_SVC_RESOURCE_NOT_FOUND)->text);
  return NULL;
}

static cJSON *
change (lf_deploy *d, const lf_deploy_request *q, lf_dep_fn *fn, lf_live_fn *live, bool new_, lf_refusal *no)
{
  lf_url_config u = { .max_age_s = LF_NONE };
  lf_error err = { 0 };
  cJSON *o = NULL;
  if (!new_ && lf_url_config_copy (&u, &lf_live_fn_config (live)->url, &err) < 0)
    lf_dep_no_memory (no);
  else if (take_settings (q->body, &u, no) == 0)
    {
      lf_iso8601_ms (lf_wall_us (), fn->url_modified);
      if (new_)
        memcpy (fn->url_created, fn->url_modified, sizeof fn->url_created);
      if (lf_engine_set_url (live, &u, &err) < 0)
        lf_dep_no_error (no, &err);
      else if (lf_dep_save (d, fn, no) == 0)
        o = reply (d, q, fn, &u, no);
    }
  lf_url_config_fini (&u);
  return o;
}

cJSON *
lf_deploy_create_url (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  lf_live_fn *live = find (d, q, &fn, no);
  if (!live)
    return NULL;
  if (lf_live_fn_config (live)->url.set)
    {
      char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, NULL);
      lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT,
                 "Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this Lambda function", arn ? arn : fn->name);
      return NULL;
    }
  if (!lf_json_str (q->body, "AuthType"))
    {
      lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value null at 'authType' failed to satisfy constraint: Member must not be null");
      return NULL;
    }
  return change (d, q, fn, live, true, no);
}

cJSON *
lf_deploy_update_url (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  lf_live_fn *live = find_set (d, q, &fn, no);
  return live ? change (d, q, fn, live, false, no) : NULL;
}

cJSON *
lf_deploy_get_url (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  lf_live_fn *live = find_set (d, q, &fn, no);
  return live ? reply (d, q, fn, &lf_live_fn_config (live)->url, no) : NULL;
}

cJSON *
lf_deploy_list_urls (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  lf_live_fn *live = find (d, q, &fn, no);
  cJSON *o = live ? lf_dep_empty (no) : NULL, *list = o ? cJSON_AddArrayToObject (o, "FunctionUrlConfigs") : NULL;
  if (list && lf_live_fn_config (live)->url.set)
    cJSON_AddItemToArray (list, reply (d, q, fn, &lf_live_fn_config (live)->url, no));
  return o;
}

cJSON *
lf_deploy_delete_url (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  lf_error err = { 0 };
  lf_url_config none = { .max_age_s = LF_NONE };
  lf_live_fn *live = find_set (d, q, &fn, no);
  if (!live)
    return NULL;
  if (lf_engine_set_url (live, &none, &err) < 0)
    {
      lf_dep_no_error (no, &err);
      return NULL;
    }
  return lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
}
