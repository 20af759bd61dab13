/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's configuration: its life, its defaults, its ARN and its environment as JSON.
 */
#include "lambdafit/model.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_REGION "us-east-1"
#define DEFAULT_ACCOUNT "123456789012"

void
lf_function_init (lf_function *f)
{
  *f = (lf_function){
    .memory_mb = LF_NONE,
    .timeout_ms = LF_NONE,
    .tmp_mb = LF_NONE,
    .reserved = LF_NONE,
    .keepalive_ms = LF_NONE,
    .life_ms = LF_NONE,
    .async_retries = -1,
    .async_max_age_s = LF_NONE,
    .package_bytes = LF_NONE,
    .image_bytes = LF_NONE,
    .zip_bytes = LF_NONE,
    .env_bytes = LF_NONE,
    .url = { .max_age_s = LF_NONE },
  };
}

void
lf_function_fini (lf_function *f)
{
  if (f == NULL)
    return;
  char *owned[] = { f->name, f->version, f->runtime, f->handler, f->region, f->account, f->interpreter, f->on_success, f->on_failure };
  for (size_t i = 0; i < LF_ARRAY_LEN (owned); i++)
    free (owned[i]);
  lf_strv_fini (&f->env);
  lf_strv_fini (&f->layers);
  lf_url_config_fini (&f->url);
  *f = (lf_function){ 0 };
}

static int
copy_str (char **to, const char *from)
{
  *to = lf_strdup (from);
  return *to == NULL && from != NULL ? -1 : 0;
}

static int
copy_strv (lf_strv *to, const lf_strv *from)
{
  *to = (lf_strv){ 0 };
  for (size_t i = 0; i < from->n; i++)
    if (lf_strv_add (to, from->v[i]) != 0)
      return -1;
  return 0;
}

void
lf_url_config_fini (lf_url_config *u)
{
  lf_strv_fini (&u->origins);
  lf_strv_fini (&u->methods);
  lf_strv_fini (&u->headers);
  lf_strv_fini (&u->expose);
  *u = (lf_url_config){ .max_age_s = LF_NONE };
}

int
lf_url_config_copy (lf_url_config *to, const lf_url_config *from, lf_error *err)
{
  *to = *from;
  to->origins = to->methods = to->headers = to->expose = (lf_strv){ 0 };
  if (copy_strv (&to->origins, &from->origins) == 0 && copy_strv (&to->methods, &from->methods) == 0 && copy_strv (&to->headers, &from->headers) == 0
      && copy_strv (&to->expose, &from->expose) == 0)
    return 0;
  lf_url_config_fini (to);
  return LF_FAIL_NOMEM (err);
}

int
lf_function_copy (lf_function *to, const lf_function *from, lf_error *err)
{
  *to = *from;
  to->name = to->version = to->runtime = to->handler = to->region = to->account = to->interpreter = NULL;
  to->on_success = to->on_failure = NULL;
  to->env = to->layers = (lf_strv){ 0 };
  to->url = (lf_url_config){ .max_age_s = LF_NONE };
  if (copy_str (&to->name, from->name) != 0 || copy_str (&to->version, from->version) != 0
      || copy_str (&to->runtime, from->runtime) != 0 || copy_str (&to->handler, from->handler) != 0
      || copy_str (&to->on_success, from->on_success) != 0
      || copy_str (&to->on_failure, from->on_failure) != 0 || copy_str (&to->region, from->region) != 0 || copy_str (&to->account, from->account) != 0
      || copy_str (&to->interpreter, from->interpreter) != 0 || copy_strv (&to->env, &from->env) != 0
      || copy_strv (&to->layers, &from->layers) != 0 || lf_url_config_copy (&to->url, &from->url, err) != 0)
    {
      lf_function_fini (to);
      return LF_FAIL_NOMEM (err);
    }
  return 0;
}

static int
set_default (char **s, const char *value)
{
  return *s != NULL ? 0 : copy_str (s, value);
}

static void
set_default_num (int64_t *n, int64_t value)
{
  if (*n == LF_NONE)
    *n = value;
}

/* The handler that the service's consoles write into a new function of the kind. */
static const char *
usual_handler (lf_runtime_kind kind)
{
  switch (kind)
    {
    case LF_RT_PYTHON:
      return "lambda_function.lambda_handler";
    case LF_RT_NODEJS:
      return "index.handler";
    case LF_RT_PROVIDED:
      return "bootstrap";
    case LF_RT_REFUSED:
      break;
    }
  return NULL;
}

int
lf_function_defaults (lf_function *f, const lf_profile *p, lf_error *err)
{
  set_default_num (&f->memory_mb, p->memory_default_mb);
  set_default_num (&f->timeout_ms, p->timeout_default_s * 1000);
  set_default_num (&f->tmp_mb, p->tmp_default_mb);
  if (set_default (&f->version, "$LATEST") != 0 || set_default (&f->region, DEFAULT_REGION) != 0
      || set_default (&f->account, DEFAULT_ACCOUNT) != 0)
    return LF_FAIL_NOMEM (err);
  if (f->runtime != NULL)
    {
      if (lf_runtime_parse (f->runtime, &f->rt, err) != 0)
        return -1;
      if (set_default (&f->handler, usual_handler (f->rt.kind)) != 0)
        return LF_FAIL_NOMEM (err);
    }
  f->env_bytes = 0;
  if (f->env.n > 0)
    {
      lf_buf b;
      lf_buf_init (&b, 0);
      int rc = lf_function_env_json (f, &b);
      f->env_bytes = (int64_t) b.len;
      lf_buf_fini (&b);
      if (rc != 0)
        return LF_FAIL_NOMEM (err);
    }
  return 0;
}

int
lf_function_env_json (const lf_function *f, lf_buf *out)
{
  lf_buf_addc (out, '{');
  for (size_t i = 0; i < f->env.n; i++)
    {
      const char *kv = f->env.v[i], *eq = strchr (kv, '=');
      size_t klen = eq != NULL ? (size_t) (eq - kv) : strlen (kv);
      const char *value = eq != NULL ? eq + 1 : "";
      if (i > 0)
        lf_buf_addc (out, ',');
      lf_buf_add_json_str (out, kv, klen);
      lf_buf_addc (out, ':');
      lf_buf_add_json_str (out, value, strlen (value));
    }
  return lf_buf_addc (out, '}') != 0 || out->failed ? -1 : 0;
}

static const char *
partition (const char *region)
{
  if (lf_starts (region, "cn-"))
    return "aws-cn";
  if (lf_starts (region, "us-gov-"))
    return "aws-us-gov";
  if (lf_starts (region, "eusc-"))
    return "aws-eusc";
  return "aws";
}

char *
lf_function_arn (const lf_function *f, const char *qualifier)
{
  const char *region = f->region != NULL ? f->region : DEFAULT_REGION;
  return lf_asprintf ("arn:%s:lambda:%s:%s:function:%s%s%s", partition (region), region,
                      f->account != NULL ? f->account : DEFAULT_ACCOUNT, f->name != NULL ? f->name : "",
                      qualifier != NULL ? ":" : "", qualifier != NULL ? qualifier : "");
}
