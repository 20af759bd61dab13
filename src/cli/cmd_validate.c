/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit validate: what a deployment would refuse in a template, packages included.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layer.h"
#include "targets.h"

/* ---- packages ---------------------------------------------------------------------------------------------------------------------- */

static int
add (lf_template *t, const lf_template_function *fn, lf_template_severity severity, const char *property, const char *limit, const char *message)
{
  return lf_template_add_problem (t, severity, fn->code_line, fn->code_column, fn->logical_id, property, limit, message);
}

static const char *
code_property (const lf_template_function *fn)
{
  return strcmp (fn->type, "AWS::Lambda::Function") == 0 ? "Code" : "CodeUri";
}

/* The unzipped size of a folder or zip, LF_NONE when it cannot be had; a size over the limit is an error of status LF_EXIT_FAILED. */
static int64_t
size_of (const char *path, int64_t max, lf_error *err)
{
  lf_package package = { 0 };
  if (lf_package_open (path, max, &package, err) < 0)
    return LF_NONE;
  int64_t n = package.unzipped_bytes;
  lf_package_fini (&package);
  return n;
}

static int
check_layers (lf_template *t, const lf_template_function *fn, const lf_profile *p, int64_t code, lf_error *err)
{
  int64_t sum = code;
  struct stat st;
  char text[300];
  for (size_t i = 0; i < fn->f.layers.n && (int64_t) fn->f.layers.n <= p->layers_max; i++)
    {
      lf_error why = { 0 };
      if (stat (fn->f.layers.v[i], &st) != 0)
        continue; /* on AWS, or not built yet: said of the layer itself */
      int64_t n = size_of (fn->f.layers.v[i], p->package_max_bytes, &why);
      if (n != LF_NONE)
        sum += n;
      else if (why.exit == LF_EXIT_FAILED)
        sum = p->package_max_bytes;
    }
  if (sum < p->package_max_bytes || sum == code)
    return 0;
  snprintf (text, sizeof text, "Layers consume more than the available size of %lld bytes (code and layers unzipped)", (long long) p->package_max_bytes);
  return add (t, fn, LF_TPL_ERROR, "Layers", "package", text) < 0 ? LF_FAIL_NOMEM (err) : 0;
}

static int
check_code (lf_template *t, const lf_template_function *fn, const lf_profile *p, lf_error *err)
{
  char *path LF_CLEANUP (lf_freep) = lf_template_join (t, fn->path);
  char text[500];
  struct stat st;
  lf_error why = { 0 };
  if (!path)
    return LF_FAIL_NOMEM (err);
  if (stat (path, &st) != 0)
    {
      snprintf (text, sizeof text, "there is no code at %.300s%s", path, fn->build_method ? " (is it built?)" : "");
      return add (t, fn, LF_TPL_WARNING, code_property (fn), NULL, text) < 0 ? LF_FAIL_NOMEM (err) : 0;
    }
  int64_t n = size_of (path, p->package_max_bytes, &why);
  if (n == LF_NONE)
    return add (t, fn, LF_TPL_ERROR, code_property (fn), why.exit == LF_EXIT_FAILED ? "package" : NULL, why.why) < 0 ? LF_FAIL_NOMEM (err) : 0;
  if (n >= p->package_max_bytes)
    {
      snprintf (text, sizeof text, "Unzipped size must be smaller than %lld bytes (it is %lld)", (long long) p->package_max_bytes, (long long) n);
      return add (t, fn, LF_TPL_ERROR, code_property (fn), "package", text) < 0 ? LF_FAIL_NOMEM (err) : 0;
    }
  return check_layers (t, fn, p, n, err);
}

/* An image that was saved to a file, as `ImageUri` may name it; one in a registry is not here to be measured. */
static int
check_image (lf_template *t, const lf_template_function *fn, const lf_profile *p, lf_error *err)
{
  char *path LF_CLEANUP (lf_freep) = lf_template_join (t, fn->location);
  const char *property = strcmp (fn->type, "AWS::Lambda::Function") == 0 ? "Code.ImageUri" : "ImageUri";
  lf_strv targets LF_CLEANUP (lf_strv_fini) = { 0 };
  lf_error why = { 0 };
  lf_space s;
  if (!path)
    return LF_FAIL_NOMEM (err);
  if (!lf_image_is (path))
    return 0;
  if (lf_strv_add (&targets, path) < 0)
    return LF_FAIL_NOMEM (err);
  if (lf_space_measure (&targets, fn->f.arch, &s, &why) != 0)
    return add (t, fn, LF_TPL_ERROR, property, why.exit == LF_EXIT_FAILED ? "image" : NULL, why.why) < 0 ? LF_FAIL_NOMEM (err) : 0;
  lf_violation all[LF_VIOLATIONS_MAX];
  size_t n = lf_image_judge (&s, fn->f.name, fn->f.arch, p, all);
  int bad = 0;
  for (size_t i = 0; i < n && !bad; i++)
    {
      char text[1000];
      bool broken = all[i].severity == LF_SEV_BROKEN;
      snprintf (text, sizeof text, "%s fix: %s", all[i].message, all[i].fix);
      bad = add (t, fn, broken ? LF_TPL_ERROR : LF_TPL_WARNING, property, all[i].limit_id, text) < 0;
    }
  lf_space_fini (&s);
  return bad ? LF_FAIL_NOMEM (err) : 0;
}

static int
check_packages (lf_template *t, const lf_profile *p, lf_error *err)
{
  for (size_t i = 0; i < t->functions_n; i++)
    if (t->functions[i].code == LF_TPL_CODE_PATH && check_code (t, &t->functions[i], p, err) < 0)
      return -1;
    else if (t->functions[i].code == LF_TPL_CODE_IMAGE && check_image (t, &t->functions[i], p, err) < 0)
      return -1;
  for (size_t i = 0; i < t->layers_n; i++)
    {
      const lf_template_layer *l = &t->layers[i];
      char *path LF_CLEANUP (lf_freep) = l->path ? lf_template_join (t, l->path) : NULL;
      struct stat st;
      if (!path || stat (path, &st) == 0)
        continue;
      char text[400];
      snprintf (text, sizeof text, "there is nothing at %.300s", path);
      if (lf_template_add_problem (t, LF_TPL_WARNING, l->line, l->column, l->logical_id, lf_starts (l->type, "AWS::Serverless") ? "ContentUri" : "Content", NULL, text) < 0)
        return LF_FAIL_NOMEM (err);
    }
  return 0;
}

/* ---- telling ------------------------------------------------------------------------------------------------------------------------ */

static size_t
count (const lf_template *t, lf_template_severity severity)
{
  size_t n = 0;
  for (size_t i = 0; i < t->problems_n; i++)
    n += t->problems[i].severity == severity;
  return n;
}

static cJSON *
add_object (cJSON *list)
{
  cJSON *o = cJSON_CreateObject ();
  cJSON_AddItemToArray (list, o);
  return o;
}

static int
problems_json (const lf_template *t, cJSON *list)
{
  int bad = 0;
  for (size_t i = 0; i < t->problems_n; i++)
    {
      const lf_template_problem *p = &t->problems[i];
      cJSON *o = add_object (list);
      bad |= lf_json_add_str (o, "severity", p->severity == LF_TPL_ERROR ? "error" : "warning");
      bad |= lf_json_add_str (o, "file", t->path);
      bad |= lf_json_add_i64 (o, "line", p->line);
      bad |= lf_json_add_i64 (o, "column", p->column);
      bad |= lf_json_add_str (o, "logical_id", p->logical_id);
      bad |= lf_json_add_str (o, "property", p->property);
      bad |= lf_json_add_str (o, "message", p->message);
      bad |= lf_json_add_str (o, "limit", p->limit_id);
    }
  return bad;
}

static int
events_json (const lf_template *t, cJSON *list)
{
  int bad = 0;
  for (size_t i = 0; i < t->events_n; i++)
    {
      const lf_template_event *e = &t->events[i];
      cJSON *o = add_object (list);
      bad |= lf_json_add_str (o, "function", e->function);
      bad |= lf_json_add_str (o, "name", e->name);
      bad |= lf_json_add_str (o, "type", e->type);
      bad |= lf_json_add_str (o, "method", e->method);
      bad |= lf_json_add_str (o, "path", e->path);
      bad |= lf_json_add_str (o, "auth", e->auth);
      bad |= lf_json_add_str (o, "mode", e->mode);
    }
  return bad;
}

static int
functions_json (const lf_template *t, cJSON *list)
{
  static const char *const code[] = { "path", "inline", "s3", "image" };
  int bad = 0;
  for (size_t i = 0; i < t->functions_n; i++)
    {
      const lf_template_function *fn = &t->functions[i];
      cJSON *o = add_object (list), *env = NULL;
      bad |= lf_json_add_str (o, "logical_id", fn->logical_id);
      bad |= lf_json_add_str (o, "name", fn->f.name);
      bad |= lf_json_add_str (o, "type", fn->type);
      bad |= lf_json_add_i64 (o, "line", fn->line);
      bad |= lf_json_add_str (o, "runtime", fn->f.runtime);
      bad |= lf_json_add_str (o, "handler", fn->f.handler);
      bad |= lf_json_add_str (o, "arch", lf_arch_name (fn->f.arch));
      bad |= lf_json_add_i64 (o, "memory_mb", fn->f.memory_mb);
      bad |= lf_json_add_i64 (o, "timeout_ms", fn->f.timeout_ms);
      bad |= lf_json_add_i64 (o, "tmp_mb", fn->f.tmp_mb);
      bad |= lf_json_add_str (o, "code", code[fn->code]);
      bad |= lf_json_add_str (o, "path", fn->path);
      bad |= lf_json_add_str (o, "location", fn->location);
      cJSON *layers = cJSON_AddArrayToObject (o, "layers");
      for (size_t k = 0; k < fn->f.layers.n; k++)
        cJSON_AddItemToArray (layers, cJSON_CreateString (fn->f.layers.v[k]));
      env = cJSON_AddObjectToObject (o, "environment");
      for (size_t k = 0; k < fn->f.env.n; k++)
        {
          const char *pair = fn->f.env.v[k], *eq = strchr (pair, '=');
          char *key LF_CLEANUP (lf_freep) = lf_strndup (pair, (size_t) (eq - pair));
          bad |= !key || lf_json_add_str (env, key, eq + 1);
        }
    }
  return bad;
}

static int
print_json (const lf_template *t, lf_error *err)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int bad = lf_json_add_str (o, "template", t->path);
  bad |= problems_json (t, cJSON_AddArrayToObject (o, "problems"));
  bad |= functions_json (t, cJSON_AddArrayToObject (o, "functions"));
  bad |= events_json (t, cJSON_AddArrayToObject (o, "events"));
  if (bad || lf_json_print_pretty (o, &b) < 0)
    return LF_FAIL_NOMEM (err);
  fwrite (b.data, 1, b.len, stdout);
  fputc ('\n', stdout);
  return 0;
}

static int
print_text (const lf_template *t, const lf_args *a, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < t->problems_n; i++)
    if ((!a->quiet || t->problems[i].severity == LF_TPL_ERROR) && lf_template_problem_text (t, &t->problems[i], &b) < 0)
      return LF_FAIL_NOMEM (err);
  fwrite (b.data ? b.data : "", 1, b.len, stdout);
  fflush (stdout);
  for (size_t i = 0; i < t->others_n && a->verbose; i++)
    fprintf (stderr, "lambdafit: %s:%d: %s (%s) %s\n", t->path, t->others[i].line, t->others[i].logical_id, t->others[i].type,
             t->others[i].left_out ? "is left out by its condition" : "is no function");
  if (t->problems_dropped)
    fprintf (stderr, "lambdafit: %zu more findings are not shown\n", t->problems_dropped);
  if (!a->quiet)
    fprintf (stderr, "lambdafit: %s: %zu functions, %zu errors, %zu warnings\n", t->path, t->functions_n, count (t, LF_TPL_ERROR), count (t, LF_TPL_WARNING));
  return 0;
}

int
lf_cmd_validate (const lf_args *a)
{
  lf_error err = { 0 };
  char *path LF_CLEANUP (lf_freep) = NULL;
  lf_template_options o;
  lf_template *t = NULL;
  lf_profile *p = lf_args_profile (a, &err);
  lf_args_template_options (a, &o);
  int status = LF_EXIT_OK;
  if (p && lf_args_template (a, &path, &err) == 0 && !path)
    (void) LF_FAIL (&err, LF_EXIT_USAGE, "validate", "give it with -t FILE", "there is no template.yaml, template.yml or template.json in this directory");
  if (!p || !path || !(t = lf_template_read (path, &o, &err)) || lf_template_validate (t, p, &err) < 0 || check_packages (t, p, &err) < 0
      || (a->json ? print_json (t, &err) : print_text (t, a, &err)) < 0)
    status = lf_cli_error (&err);
  else if (count (t, LF_TPL_ERROR) > 0)
    status = LF_EXIT_FAILED;
  lf_template_free (t);
  lf_profile_free (p);
  return status;
}
