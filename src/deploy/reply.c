/* SPDX-License-Identifier: Apache-2.0
 *
 * What callers are told of a function: a FunctionConfiguration, in the order in which the service writes its members.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int
lf_dep_no (lf_refusal *no, lf_svc_error e, const char *fmt, ...)
{
  va_list ap;
  no->svc = e;
  va_start (ap, fmt);
  vsnprintf (no->text, sizeof no->text, fmt, ap);
  va_end (ap);
  return -1;
}

int
lf_dep_no_memory (lf_refusal *no)
{
  return lf_dep_no (no, LF_SVC_SERVICE, "the system has no memory left");
}

int
lf_dep_no_error (lf_refusal *no, const lf_error *err)
{
  if (err->exit == LF_EXIT_IO)
    return lf_dep_no (no, LF_SVC_SERVICE, "%s: %s%s%s", err->what, err->why, err->fix[0] ? ". " : "", err->fix);
  bool validation = strstr (err->why, "validation error") && err->why[0] >= '1' && err->why[0] <= '9';
  return lf_dep_no (no, validation ? LF_SVC_VALIDATION : LF_SVC_INVALID_PARAMETER_VALUE, "%s", err->why);
}

cJSON *
lf_dep_empty (lf_refusal *no)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    lf_dep_no_memory (no);
  return o;
}

/* ---- lists in pages --------------------------------------------------------------------------------------------------------------- */

int
lf_dep_page (const lf_deploy_request *q, int64_t most, size_t n, size_t *from, size_t *to, lf_refusal *no)
{
  int64_t at = 0, max = q->max_items == LF_NONE ? 50 : q->max_items;
  if (q->marker && lf_parse_i64 (q->marker, 0, INT32_MAX, &at) < 0)
    return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Invalid marker: %.100s", q->marker);
  if (max < 1 || max > most)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '%lld' at 'maxItems' failed to satisfy constraint: Member must have value %s than or equal to %lld",
                      (long long) max, max < 1 ? "greater" : "less", (long long) (max < 1 ? 1 : most));
  if (max > 50)
    max = 50; /* a page holds no more, whatever is asked for */
  *from = (size_t) at < n ? (size_t) at : n;
  *to = n - *from < (size_t) max ? n : *from + (size_t) max;
  return 0;
}

void
lf_dep_next_marker (cJSON *reply, size_t to, size_t n)
{
  char text[24];
  snprintf (text, sizeof text, "%zu", to);
  if (to < n)
    lf_json_add_str (reply, "NextMarker", text);
}

/* ---- a FunctionConfiguration -------------------------------------------------------------------------------------------------------- */

static void
copy_member (cJSON *o, const cJSON *config, const char *key)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (config, key);
  cJSON *copy = v ? cJSON_Duplicate (v, true) : NULL;
  if (copy)
    cJSON_AddItemToObject (o, key, copy);
}

/* Layers of the command line are folders and zips; they get an ARN like the others, of their base name. */
static char *
layer_arn (const lf_deploy *d, const lf_dep_fn *fn, const char *path)
{
  if (lf_starts (path, "arn:"))
    return lf_strdup (path);
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, NULL);
  char *cut = arn ? strstr (arn, "function:") : NULL;
  const char *base = strrchr (path, '/') ? strrchr (path, '/') + 1 : path;
  if (!cut)
    return NULL;
  *cut = 0;
  char *name LF_CLEANUP (lf_freep) = lf_strndup (base, strcspn (base, "."));
  for (char *c = name; c && *c; c++)
    if (!strchr ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *c))
      *c = '-';
  return name ? lf_asprintf ("%slayer:%s:1", arn, name[0] ? name : "layer") : NULL;
}

static void
add_layers (lf_deploy *d, const lf_dep_fn *fn, cJSON *o, const cJSON *config)
{
  const cJSON *given = cJSON_GetObjectItemCaseSensitive (config, "Layers"), *one;
  if (!cJSON_GetArraySize (given))
    return;
  cJSON *list = cJSON_AddArrayToObject (o, "Layers");
  cJSON_ArrayForEach (one, given)
    {
      lf_refusal no;
      char *arn LF_CLEANUP (lf_freep) = layer_arn (d, fn, one->valuestring);
      const cJSON *layer = lf_starts (one->valuestring, "arn:") ? lf_dep_layer_version (d, one->valuestring, &no) : NULL;
      cJSON *l = cJSON_CreateObject ();
      cJSON_AddItemToArray (list, l);
      lf_json_add_str (l, "Arn", arn);
      lf_json_add_i64 (l, "CodeSize", lf_json_i64 (layer, "zip_bytes", 0));
    }
}

static void
add_environment (cJSON *o, const cJSON *config)
{
  const cJSON *variables = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (config, "Environment"), "Variables");
  if (cJSON_GetArraySize (variables))
    copy_member (o, config, "Environment");
}

static void
add_state (cJSON *o, const lf_dep_version *v)
{
  static const char *const states[] = { "Pending", "Active", "Failed" };
  bool latest = strcmp (v->version, LF_DEP_LATEST) == 0;
  lf_json_add_str (o, "State", states[v->state]);
  if (v->state == LF_DEP_PENDING)
    {
      lf_json_add_str (o, "StateReason", "The function is being created.");
      lf_json_add_str (o, "StateReasonCode", "Creating");
    }
  else if (v->state == LF_DEP_FAILED)
    {
      lf_json_add_str (o, "StateReason", v->why);
      lf_json_add_str (o, "StateReasonCode", v->why_code);
    }
  if (!latest && v->state == LF_DEP_PENDING)
    return;
  lf_json_add_str (o, "LastUpdateStatus", v->updating ? "InProgress" : v->update_failed ? "Failed" : "Successful");
  if (v->updating)
    {
      lf_json_add_str (o, "LastUpdateStatusReason", "The function is being created.");
      lf_json_add_str (o, "LastUpdateStatusReasonCode", "Creating");
    }
  else if (v->update_failed)
    {
      lf_json_add_str (o, "LastUpdateStatusReason", v->why);
      lf_json_add_str (o, "LastUpdateStatusReasonCode", v->why_code);
    }
}

/* What is null, or anything but a text, counts as not given. */
static void
text_or (cJSON *o, const char *key, const char *otherwise)
{
  if (lf_json_str (o, key))
    return;
  cJSON_DeleteItemFromObjectCaseSensitive (o, key);
  lf_json_add_str (o, key, otherwise);
}

static void
add_logging (cJSON *o, const lf_dep_fn *fn, const cJSON *config)
{
  const cJSON *given = cJSON_GetObjectItemCaseSensitive (config, "LoggingConfig");
  cJSON *l = given ? cJSON_Duplicate (given, true) : cJSON_CreateObject ();
  char group[100];
  if (!l)
    return;
  text_or (l, "LogFormat", "Text");
  if (lf_streq (lf_json_str (l, "LogFormat"), "JSON"))
    {
      text_or (l, "ApplicationLogLevel", "INFO");
      text_or (l, "SystemLogLevel", "INFO");
    }
  snprintf (group, sizeof group, "/aws/lambda/%.64s", fn->name);
  text_or (l, "LogGroup", group);
  cJSON_AddItemToObject (o, "LoggingConfig", l);
}

/* A runtime's version has a digest in its ARN; this one is the same for the same runtime. */
static void
add_runtime_version (cJSON *o, const lf_dep_fn *fn, const char *runtime)
{
  char hex[65];
  lf_sha256 *s = runtime ? lf_sha256_new () : NULL;
  if (!s)
    return;
  lf_sha256_update (s, runtime, strlen (runtime));
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  char *arn LF_CLEANUP (lf_freep) = lf_asprintf ("arn:aws:lambda:%s::runtime:%s", fn->region, hex);
  lf_json_add_str (cJSON_AddObjectToObject (o, "RuntimeVersionConfig"), "RuntimeVersionArn", arn);
}

static void
add_vpc (cJSON *o, const cJSON *config)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (config, "VpcConfig");
  if (!cJSON_GetArraySize (cJSON_GetObjectItemCaseSensitive (v, "SubnetIds")))
    return;
  copy_member (o, config, "VpcConfig");
  lf_json_add_str (cJSON_GetObjectItemCaseSensitive (o, "VpcConfig"), "VpcId", "vpc-00000000");
}

static void
add_code (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v, cJSON *o)
{
  const lf_live_fn *live = lf_dep_live (d, fn, v);
  const lf_function *f = live ? lf_live_fn_config (live) : NULL;
  bool own = v->code.hex[0] || !f;
  int64_t bytes = own ? v->code.zip_bytes : f->zip_bytes == LF_NONE ? lf_live_fn_prepared (live)->package.unzipped_bytes : f->zip_bytes;
  lf_json_add_i64 (o, "CodeSize", bytes);
}

static const char *
code_sha (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v)
{
  const lf_live_fn *live = v->code.hex[0] ? NULL : lf_dep_live (d, fn, v);
  return live ? lf_live_fn_config (live)->code_sha256 : v->code.sha256;
}

static void
add_rest (cJSON *o, const lf_dep_fn *fn, const cJSON *config)
{
  copy_member (o, config, "DeadLetterConfig");
  copy_member (o, config, "KMSKeyArn");
  copy_member (o, config, "FileSystemConfigs");
  if (cJSON_GetObjectItemCaseSensitive (config, "TracingConfig"))
    copy_member (o, config, "TracingConfig");
  else
    lf_json_add_str (cJSON_AddObjectToObject (o, "TracingConfig"), "Mode", "PassThrough");
  lf_json_add_str (o, "PackageType", "Zip");
  if (cJSON_GetObjectItemCaseSensitive (config, "Architectures"))
    copy_member (o, config, "Architectures");
  else
    cJSON_AddItemToArray (cJSON_AddArrayToObject (o, "Architectures"), cJSON_CreateString (lf_arch_name (LF_ARCH_X86_64)));
  if (cJSON_GetObjectItemCaseSensitive (config, "EphemeralStorage"))
    copy_member (o, config, "EphemeralStorage");
  else
    lf_json_add_i64 (cJSON_AddObjectToObject (o, "EphemeralStorage"), "Size", 512);
  const char *snap = lf_json_str (cJSON_GetObjectItemCaseSensitive (config, "SnapStart"), "ApplyOn");
  cJSON *s = cJSON_AddObjectToObject (o, "SnapStart");
  lf_json_add_str (s, "ApplyOn", snap ? snap : "None");
  lf_json_add_str (s, "OptimizationStatus", "Off");
  add_logging (o, fn, config);
}

cJSON *
lf_dep_reply (lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v, bool in_list)
{
  static const char *const first[] = { "Runtime", "Role", "Handler" }, *const then[] = { "Description", "Timeout", "MemorySize" };
  bool latest = strcmp (v->version, LF_DEP_LATEST) == 0;
  cJSON *config LF_CLEANUP (lf_json_freep) = lf_dep_config_now (d, fn, v);
  cJSON *o = cJSON_CreateObject ();
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, latest ? NULL : v->version);
  if (!o || !config || !arn)
    {
      cJSON_Delete (o);
      return NULL;
    }
  lf_json_add_str (o, "FunctionName", fn->name);
  lf_json_add_str (o, "FunctionArn", arn);
  for (size_t i = 0; i < LF_ARRAY_LEN (first); i++)
    copy_member (o, config, first[i]);
  add_code (d, fn, v, o);
  for (size_t i = 0; i < LF_ARRAY_LEN (then); i++)
    copy_member (o, config, then[i]);
  lf_json_add_str (o, "LastModified", v->modified);
  lf_json_add_str (o, "CodeSha256", code_sha (d, fn, v));
  lf_json_add_str (o, "Version", v->version);
  add_vpc (o, config);
  add_environment (o, config);
  lf_json_add_str (o, "RevisionId", v->revision);
  add_layers (d, fn, o, config);
  add_rest (o, fn, config);
  if (!in_list)
    {
      add_state (o, v);
      add_runtime_version (o, fn, lf_json_str (config, "Runtime"));
    }
  return o;
}
