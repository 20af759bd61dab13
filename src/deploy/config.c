/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of a function, as its callers give and get them (the members of a FunctionConfiguration), and as the engine needs them.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- what a request may set ---------------------------------------------------------------------------------------------------- */

typedef enum { TEXT, NUMBER, OBJECT, LIST } member_kind;

static const struct member
{
  const char *key;
  member_kind kind;
  bool changeable; /* by UpdateFunctionConfiguration */
} members[] = {
  { "Runtime", TEXT, true },
  { "Role", TEXT, true },
  { "Handler", TEXT, true },
  { "Description", TEXT, true },
  { "Timeout", NUMBER, true },
  { "MemorySize", NUMBER, true },
  { "Environment", OBJECT, true },
  { "Layers", LIST, true },
  { "EphemeralStorage", OBJECT, true },
  { "LoggingConfig", OBJECT, true },
  { "VpcConfig", OBJECT, true },
  { "DeadLetterConfig", OBJECT, true },
  { "TracingConfig", OBJECT, true },
  { "KMSKeyArn", TEXT, true },
  { "FileSystemConfigs", LIST, true },
  { "SnapStart", OBJECT, true },
  { "PackageType", TEXT, false },
  { "Architectures", LIST, false },
};

static bool
is_kind (const cJSON *v, member_kind kind)
{
  switch (kind)
    {
    case TEXT:
      return cJSON_IsString (v);
    case NUMBER:
      return lf_dep_is_whole (v);
    case OBJECT:
      return cJSON_IsObject (v);
    case LIST:
      return cJSON_IsArray (v);
    }
  return false;
}

static int
all_texts (const cJSON *list, const char *what, lf_refusal *no)
{
  const cJSON *v;
  cJSON_ArrayForEach (v, list)
    if (!cJSON_IsString (v))
      return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s holds a value that is not a string", what);
  return 0;
}

static bool
has_text (const cJSON *list, const char *text)
{
  const cJSON *v;
  cJSON_ArrayForEach (v, list)
    if (strcmp (v->valuestring, text) == 0)
      return true;
  return false;
}

/* A layer is named by the ARN of its version. What the function has already stays: the command line gives folders, which no request may. */
static int
check_layer_names (const cJSON *before, const cJSON *list, lf_refusal *no)
{
  static const char shown[] = "arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+";
  const cJSON *v;
  regex_t re;
  int rc = 0;
  if (regcomp (&re, "^arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]+$", REG_EXTENDED | REG_NOSUB) != 0)
    return lf_dep_no_memory (no);
  cJSON_ArrayForEach (v, list)
    if (rc == 0 && (strlen (v->valuestring) > 2048 || regexec (&re, v->valuestring, 0, NULL, 0) != 0) && !has_text (before, v->valuestring))
      rc = lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '[%.300s]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length "
                      "less than or equal to 2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: %s]",
                      v->valuestring, shown);
  regfree (&re);
  return rc;
}

/* What the model's check of a whole function does not know. */
static int
check_member (const cJSON *before, const cJSON *v, const char *key, lf_refusal *no)
{
  const char *mode = strcmp (key, "TracingConfig") == 0 ? lf_json_str (v, "Mode") : NULL;
  if (strcmp (key, "Layers") == 0)
    return check_layer_names (before, v, no);
  if (strcmp (key, "Architectures") == 0 && cJSON_GetArraySize (v) > 1)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '[%.32s, %.32s]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1",
                      cJSON_GetArrayItem (v, 0)->valuestring, cJSON_GetArrayItem (v, 1)->valuestring);
  if (mode && strcmp (mode, "Active") != 0 && strcmp (mode, "PassThrough") != 0)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '%.64s' at 'tracingConfig.mode' failed to satisfy constraint: Member must satisfy enum value set: "
                      "[Active, PassThrough]", mode);
  return 0;
}

static int
take (cJSON *config, const cJSON *request, const struct member *m, lf_refusal *no)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (request, m->key);
  if (!v || cJSON_IsNull (v))
    return 0;
  if (!is_kind (v, m->kind))
    return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s has a value of the wrong type", m->key);
  const cJSON *variables = strcmp (m->key, "Environment") == 0 ? cJSON_GetObjectItemCaseSensitive (v, "Variables") : NULL;
  if ((m->kind == LIST && strcmp (m->key, "FileSystemConfigs") != 0 && all_texts (v, m->key, no) < 0) || all_texts (variables, "Environment", no) < 0
      || check_member (cJSON_GetObjectItemCaseSensitive (config, m->key), v, m->key, no) < 0)
    return -1;
  cJSON *copy = cJSON_Duplicate (v, true);
  cJSON_DeleteItemFromObjectCaseSensitive (config, m->key);
  if (!copy || !cJSON_AddItemToObject (config, m->key, copy))
    {
      cJSON_Delete (copy);
      return lf_dep_no_memory (no);
    }
  return 0;
}

static int
check_role (const cJSON *config, lf_refusal *no)
{
  static const char shown[] = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
  const char *role = lf_json_str (config, "Role");
  regex_t re;
  if (!role)
    return lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null");
  if (regcomp (&re, "^arn:(aws[a-zA-Z-]*)?:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@/-]+$", REG_EXTENDED | REG_NOSUB) != 0)
    return lf_dep_no_memory (no);
  bool ok = regexec (&re, role, 0, NULL, 0) == 0;
  regfree (&re);
  return ok ? 0
            : lf_dep_no (no, LF_SVC_VALIDATION,
                         "1 validation error detected: Value '%.300s' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: %s",
                         role, shown);
}

static int
add_missing_text (cJSON *config, const char *key, const char *text)
{
  return cJSON_GetObjectItemCaseSensitive (config, key) ? 0 : lf_json_add_str (config, key, text);
}

static int
fill_in (const lf_deploy *d, cJSON *config, lf_refusal *no)
{
  int rc = add_missing_text (config, "Description", "") | add_missing_text (config, "PackageType", "Zip");
  if (!cJSON_GetObjectItemCaseSensitive (config, "Timeout"))
    rc |= lf_json_add_i64 (config, "Timeout", d->profile->timeout_default_s);
  if (!cJSON_GetObjectItemCaseSensitive (config, "MemorySize"))
    rc |= lf_json_add_i64 (config, "MemorySize", d->profile->memory_default_mb);
  return rc ? lf_dep_no_memory (no) : 0;
}

cJSON *
lf_dep_config_create (const lf_deploy *d, const cJSON *request, lf_refusal *no)
{
  cJSON *config = cJSON_CreateObject ();
  int rc = config ? 0 : lf_dep_no_memory (no);
  for (size_t i = 0; rc == 0 && i < LF_ARRAY_LEN (members); i++)
    rc = take (config, request, &members[i], no);
  const char *package = rc == 0 ? lf_json_str (config, "PackageType") : NULL;
  if (package && strcmp (package, "Zip") != 0)
    rc = lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit does not run container images: give the code as a zip, with the runtime that the image is made from");
  if (rc == 0)
    rc = lf_dep_check_config_shape (config, no);
  if (rc == 0)
    rc = check_role (config, no);
  if (rc == 0 && (!lf_json_str (config, "Runtime") || !lf_json_str (config, "Handler")))
    rc = lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
  if (rc == 0)
    rc = fill_in (d, config, no);
  if (rc == 0)
    return config;
  cJSON_Delete (config);
  return NULL;
}

cJSON *
lf_dep_config_change (const cJSON *config, const cJSON *request, lf_refusal *no)
{
  cJSON *now = cJSON_Duplicate (config, true);
  int rc = now ? 0 : lf_dep_no_memory (no);
  for (size_t i = 0; rc == 0 && i < LF_ARRAY_LEN (members); i++)
    if (members[i].changeable)
      rc = take (now, request, &members[i], no);
  if (rc == 0)
    rc = lf_dep_check_config_shape (now, no);
  if (rc == 0 && lf_json_str (request, "Role"))
    rc = check_role (now, no);
  if (rc == 0)
    return now;
  cJSON_Delete (now);
  return NULL;
}

/* ---- settings of functions that the command line describes ------------------------------------------------------------------------ */

static void
add_variables (cJSON *config, const lf_function *f)
{
  if (!f->env.n)
    return;
  cJSON *variables = cJSON_AddObjectToObject (cJSON_AddObjectToObject (config, "Environment"), "Variables");
  for (size_t i = 0; i < f->env.n; i++)
    {
      const char *eq = strchr (f->env.v[i], '=');
      char *key LF_CLEANUP (lf_freep) = eq ? lf_strndup (f->env.v[i], (size_t) (eq - f->env.v[i])) : NULL;
      if (key)
        lf_json_add_str (variables, key, eq + 1);
    }
}

static void
add_text_item (cJSON *list, const char *text)
{
  cJSON *s = cJSON_CreateString (text);
  if (s)
    cJSON_AddItemToArray (list, s);
}

static cJSON *
config_of (const lf_function *f)
{
  cJSON *config = cJSON_CreateObject ();
  if (!config)
    return NULL;
  lf_json_add_str (config, "Runtime", f->runtime);
  char *role LF_CLEANUP (lf_freep) = lf_asprintf ("arn:aws:iam::%s:role/lambdafit", f->account);
  lf_json_add_str (config, "Role", role);
  lf_json_add_str (config, "Handler", f->handler);
  lf_json_add_str (config, "Description", "");
  lf_json_add_i64 (config, "Timeout", (f->timeout_ms + 999) / 1000);
  lf_json_add_i64 (config, "MemorySize", f->memory_mb);
  add_variables (config, f);
  if (f->layers.n)
    {
      cJSON *layers = cJSON_AddArrayToObject (config, "Layers");
      for (size_t i = 0; i < f->layers.n; i++)
        add_text_item (layers, f->layers.v[i]);
    }
  lf_json_add_i64 (cJSON_AddObjectToObject (config, "EphemeralStorage"), "Size", f->tmp_mb);
  lf_json_add_str (cJSON_AddObjectToObject (config, "LoggingConfig"), "LogFormat", f->log_format == LF_LOG_JSON ? "JSON" : "Text");
  lf_json_add_str (config, "PackageType", "Zip");
  add_text_item (cJSON_AddArrayToObject (config, "Architectures"), lf_arch_name (f->arch));
  return config;
}

cJSON *
lf_dep_config_now (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v)
{
  if (v->config)
    return cJSON_Duplicate (v->config, true);
  const lf_live_fn *live = lf_dep_live (d, fn, v);
  return live ? config_of (lf_live_fn_config (live)) : cJSON_CreateObject ();
}

/* ---- as the engine needs them ------------------------------------------------------------------------------------------------------ */

static int
set_text (char **to, const char *from)
{
  if (!from)
    return 0;
  free (*to);
  return (*to = lf_strdup (from)) ? 0 : -1;
}

static int
set_arch (const cJSON *config, lf_function *out, lf_refusal *no)
{
  const cJSON *one = cJSON_GetArrayItem (cJSON_GetObjectItemCaseSensitive (config, "Architectures"), 0);
  if (one && lf_arch_parse (one->valuestring, &out->arch) < 0)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '[%.64s]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must "
                      "satisfy enum value set: [x86_64, arm64]]", one->valuestring);
  return 0;
}

static int
set_env (const cJSON *config, lf_function *out)
{
  const cJSON *v;
  lf_strv_fini (&out->env);
  cJSON_ArrayForEach (v, cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (config, "Environment"), "Variables"))
    if (lf_strv_addf (&out->env, "%s=%s", v->string, v->valuestring) < 0)
      return -1;
  return 0;
}

/* Everything but the layers. */
static int
set_function (const cJSON *config, lf_function *out, lf_refusal *no)
{
  const cJSON *tmp = cJSON_GetObjectItemCaseSensitive (config, "EphemeralStorage");
  const char *format = lf_json_str (cJSON_GetObjectItemCaseSensitive (config, "LoggingConfig"), "LogFormat");
  int64_t timeout_s = lf_json_i64 (config, "Timeout", LF_NONE);
  if (set_text (&out->runtime, lf_json_str (config, "Runtime")) < 0 || set_text (&out->handler, lf_json_str (config, "Handler")) < 0 || set_env (config, out) < 0)
    return lf_dep_no_memory (no);
  /* A timeout that the command line gave in milliseconds is not rounded by a change of something else. */
  if (timeout_s != LF_NONE && timeout_s != (out->timeout_ms + 999) / 1000)
    out->timeout_ms = timeout_s > INT64_MAX / 1000 ? INT64_MAX : timeout_s < 0 ? -1 : timeout_s * 1000;
  out->memory_mb = lf_json_i64 (config, "MemorySize", out->memory_mb);
  out->tmp_mb = lf_json_i64 (tmp, "Size", out->tmp_mb);
  if (format && strcmp (format, "JSON") != 0 && strcmp (format, "Text") != 0)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '%.64s' at 'loggingConfig.logFormat' failed to satisfy constraint: Member must satisfy enum value set: "
                      "[JSON, Text]", format);
  out->log_format = format && format[0] == 'J' ? LF_LOG_JSON : LF_LOG_TEXT;
  return set_arch (config, out, no);
}

static int
set_layers (lf_deploy *d, const cJSON *config, lf_function *out, lf_refusal *no)
{
  const cJSON *one;
  lf_strv_fini (&out->layers);
  cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive (config, "Layers"))
    {
      const char *path = one->valuestring;
      char *zip LF_CLEANUP (lf_freep) = NULL;
      if (lf_starts (path, "arn:"))
        {
          const cJSON *layer = lf_dep_layer_version (d, path, no);
          if (!layer)
            return -1;
          path = zip = lf_dep_zip (d, lf_json_str (layer, "zip"));
        }
      if (!path || lf_strv_add (&out->layers, path) < 0)
        return lf_dep_no_memory (no);
    }
  return 0;
}

static int
begin (const lf_deploy *d, const lf_dep_fn *fn, const char *version, lf_function *out, lf_refusal *no)
{
  lf_error err = { 0 };
  lf_live_fn *live = fn->stored ? NULL : lf_engine_find_version (d->engine, fn->name, LF_DEP_LATEST);
  if (live)
    {
      if (lf_function_copy (out, lf_live_fn_config (live), &err) < 0)
        return lf_dep_no_memory (no);
    }
  else
    {
      lf_function_init (out);
      out->network = d->network;
      out->keepalive_ms = d->keepalive_ms;
    }
  if (strcmp (version, LF_DEP_LATEST) != 0)
    out->reserved = LF_NONE;
  return set_text (&out->name, fn->name) < 0 || set_text (&out->region, fn->region) < 0 || set_text (&out->version, version) < 0 ? lf_dep_no_memory (no) : 0;
}

int
lf_dep_function (lf_deploy *d, const lf_dep_fn *fn, const char *version, const cJSON *config, lf_function *out, lf_refusal *no)
{
  lf_error err = { 0 };
  lf_function_init (out);
  if (begin (d, fn, version, out, no) < 0 || set_function (config, out, no) < 0 || set_layers (d, config, out, no) < 0)
    {
      lf_function_fini (out);
      return -1;
    }
  if (lf_function_defaults (out, d->profile, &err) < 0)
    {
      lf_function_fini (out);
      return lf_dep_no_error (no, &err);
    }
  return 0;
}

/* ---- what is refused ----------------------------------------------------------------------------------------------------------------- */

static int
check_layer_sizes (lf_deploy *d, const cJSON *config, const lf_dep_code *code, lf_refusal *no)
{
  const cJSON *one;
  int64_t sum = 0, max = d->profile->package_max_bytes;
  cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive (config, "Layers"))
    if (lf_starts (one->valuestring, "arn:"))
      {
        const cJSON *layer = lf_dep_layer_version (d, one->valuestring, no);
        if (!layer)
          return -1;
        sum += lf_json_i64 (layer, "unzipped_bytes", 0);
      }
  int64_t all = sum + (code ? code->unzipped_bytes : 0);
  if (sum > 0 && all >= max)
    return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Layers consume more than the available size of %lld bytes. The actual size is %lld bytes.",
                      (long long) max, (long long) all);
  return 0;
}

int
lf_dep_config_check (lf_deploy *d, const char *name, const cJSON *config, const lf_dep_code *code, lf_refusal *no)
{
  lf_function f;
  lf_error err = { 0 };
  const cJSON *one;
  lf_function_init (&f);
  int rc = (f.name = lf_strdup (name)) ? set_function (config, &f, no) : lf_dep_no_memory (no);
  cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive (config, "Layers"))
    if (rc == 0 && lf_strv_add (&f.layers, one->valuestring) < 0)
      rc = lf_dep_no_memory (no);
  if (rc == 0 && (lf_function_defaults (&f, d->profile, &err) < 0 || lf_function_check (&f, d->profile, NULL, &err) < 0))
    rc = lf_dep_no_error (no, &err);
  lf_function_fini (&f);
  return rc < 0 ? -1 : check_layer_sizes (d, config, code, no);
}
