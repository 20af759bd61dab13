/* SPDX-License-Identifier: Apache-2.0
 *
 * --env-vars FILE: the variables of several functions in one JSON file, in the form that `sam local` takes: an object by function, and
 * "Parameters" for all of them.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "targets.h"

#define FILE_MAX ((size_t) 4 << 20)
#define FORM "write it as {\"FunctionLogicalId\": {\"NAME\": \"value\"}, \"Parameters\": {\"FOR_ALL\": \"value\"}}"

static int
check (const cJSON *o, const char *path, lf_error *err)
{
  const cJSON *fn, *v;
  if (!cJSON_IsObject (o))
    return LF_FAIL (err, LF_EXIT_USAGE, path, FORM, "not a JSON object");
  cJSON_ArrayForEach (fn, o)
  {
    if (!cJSON_IsObject (fn))
      return LF_FAIL (err, LF_EXIT_USAGE, path, FORM, "\"%.100s\" is no object of variables", fn->string);
    cJSON_ArrayForEach (v, fn)
    if (cJSON_IsObject (v) || cJSON_IsArray (v) || !v->string[0] || strchr (v->string, '='))
      return LF_FAIL (err, LF_EXIT_USAGE, path, FORM, "%.100s.%.100s is no variable with a text", fn->string, v->string);
  }
  return 0;
}

int
lf_env_vars_load (const lf_args *a, struct cJSON **out, lf_error *err)
{
  *out = NULL;
  if (!a->env_vars)
    return 0;
  *out = lf_json_load (a->env_vars, FILE_MAX, err);
  return *out ? check (*out, a->env_vars, err) : -1;
}

static int
set_all (const cJSON *vars, lf_function *f, lf_error *err)
{
  const cJSON *v;
  cJSON_ArrayForEach (v, vars)
  {
    lf_buf b LF_CLEANUP (lf_buf_fini);
    lf_buf_init (&b, 0);
    /* Numbers and truth values become texts, null the empty text. */
    int rc = cJSON_IsString (v) ? lf_buf_adds (&b, v->valuestring) : cJSON_IsNull (v) ? lf_buf_adds (&b, "") : lf_json_print (v, &b);
    if (rc < 0 || lf_strv_setenv (&f->env, v->string, b.data) < 0)
      return LF_FAIL_NOMEM (err);
  }
  return 0;
}

int
lf_env_vars_apply (const struct cJSON *vars, const char *id, const char *name, lf_function *f, lf_error *err)
{
  const cJSON *own = id ? cJSON_GetObjectItemCaseSensitive (vars, id) : NULL;
  if (!own && name)
    own = cJSON_GetObjectItemCaseSensitive (vars, name);
  return set_all (cJSON_GetObjectItemCaseSensitive (vars, "Parameters"), f, err) < 0 || set_all (own, f, err) < 0 ? -1 : 0;
}
