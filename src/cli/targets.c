/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions made ready for `run` and `serve`. A function of a template is what the template says; options of the command line count more.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "targets.h"

void
lf_targets_fini (lf_targets *t)
{
  for (size_t i = 0; i < t->n; i++)
    lf_prepared_fini (&t->fns[i]);
  free (t->fns);
  lf_template_free (t->template_);
  cJSON_Delete (t->env_vars);
  memset (t, 0, sizeof *t);
}

void
lf_targets_refused_log (const lf_targets *t, const lf_profile *p, const char *db, const char *command)
{
  lf_error late = { 0 };
  if (t->refused.n > 0 && lf_refused_log (&t->refused, p, db, command, &late) < 0)
    lf_cli_error (&late);
}

int
lf_targets_refused (const lf_targets *t, const lf_profile *p, const char *db, const char *command, const lf_error *err)
{
  lf_error short_ = *err;
  if (t->refused.n > 0)
    short_.fix[0] = '\0'; /* the rules' is the same with more in it */
  int status = lf_cli_error (&short_);
  for (size_t i = 0; i < t->refused.n; i++)
    fprintf (stderr, "  BROKEN %s: %s\n    fix: %s\n", t->refused.v[i].limit_id, t->refused.v[i].message, t->refused.v[i].fix);
  lf_targets_refused_log (t, p, db, command);
  return status;
}

int
lf_args_template (const lf_args *a, char **path, lf_error *err)
{
  if (!a->template_)
    return lf_template_find (".", path, err);
  *path = lf_strdup (a->template_);
  return *path ? 0 : LF_FAIL_NOMEM (err);
}

void
lf_args_template_options (const lf_args *a, lf_template_options *out)
{
  *out = (lf_template_options){ .parameters = &a->parameters, .region = a->region };
}

static void
say_function (const lf_args *a, const lf_prepared *p, const char *from, bool one)
{
  const lf_function *f = &p->f;
  for (size_t k = 0; k < p->notes.n && !(one && a->quiet); k++)
    fprintf (stderr, "lambdafit: %s%s%s\n", one ? "" : f->name, one ? "" : ": ", p->notes.v[k]);
  if (one) /* its verdict says the rest; a daemon says itself what the rules say of the package */
    return;
  if (!a->quiet)
    fprintf (stderr, "lambdafit: %s: %s, handler %s, %lld MB, timeout %lld s, from %s\n", f->name, f->runtime, f->handler, (long long) f->memory_mb,
             (long long) (f->timeout_ms / 1000), from);
}

/* ---- options that count more ------------------------------------------------------------------------------------------------------- */

static void
take_text (char **to, char **from)
{
  if (!*from)
    return;
  free (*to);
  *to = *from;
  *from = NULL;
}

static void
take_number (int64_t *to, int64_t from)
{
  if (from != LF_NONE)
    *to = from;
}

/* What the command line says counts more than the template. */
static int
override (const lf_args *a, lf_function *f, lf_error *err)
{
  lf_function o;
  int rc = lf_args_function (a, &o, err);
  if (rc == 0)
    {
      take_text (&f->name, &o.name);
      take_text (&f->runtime, &o.runtime);
      take_text (&f->handler, &o.handler);
      take_text (&f->region, &o.region);
      take_number (&f->memory_mb, o.memory_mb);
      take_number (&f->timeout_ms, o.timeout_ms);
      take_number (&f->tmp_mb, o.tmp_mb);
      take_number (&f->keepalive_ms, o.keepalive_ms);
      take_number (&f->reserved, o.reserved);
      take_number (&f->async_max_age_s, o.async_max_age_s);
      if (o.async_retries >= 0)
        f->async_retries = o.async_retries;
      take_text (&f->on_success, &o.on_success);
      take_text (&f->on_failure, &o.on_failure);
      f->network = o.network;
      if (a->arch)
        f->arch = o.arch;
      if (a->log_format)
        f->log_format = o.log_format;
      for (size_t i = 0; i < o.env.n && rc == 0; i++)
        {
          char *eq = strchr (o.env.v[i], '=');
          if (!eq)
            continue;
          *eq = 0;
          if (lf_strv_setenv (&f->env, o.env.v[i], eq + 1) < 0)
            rc = LF_FAIL_NOMEM (err);
        }
      if (o.layers.n)
        {
          lf_strv_fini (&f->layers);
          f->layers = o.layers;
          o.layers = (lf_strv){ 0 };
        }
    }
  lf_function_fini (&o);
  return rc;
}

/* A daemon notices changes of the files, one run is over too soon. */
static int
make_ready (const lf_args *a, const lf_profile *p, bool one, lf_function *f, const char *target, lf_prepared *out, lf_refused *refused, lf_error *err)
{
  return one || a->no_reload ? lf_prepare (f, target, a->interpreter, a->strict_runtime, p, out, refused, err)
                             : lf_prepare_watched (f, target, a->interpreter, a->strict_runtime, p, out, refused, err);
}

/* ---- folders and zips ------------------------------------------------------------------------------------------------------------- */

/* What a target is called: its last part, without ".zip". */
static char *
base_name (const char *target)
{
  char *real LF_CLEANUP (lf_freep) = realpath (target, NULL);
  const char *base = real && strrchr (real, '/') ? strrchr (real, '/') + 1 : target;
  size_t n = strlen (base);
  return lf_strndup (base, n > 4 && lf_ends (base, ".zip") ? n - 4 : n);
}

/* `serve` alone in a folder that holds no function: functions come through the API. */
static bool
serves_nothing (const lf_args *a, bool one, const lf_error *err)
{
  bool described = a->name || a->handler || a->runtime || a->interpreter || a->layers.n || a->env.n || a->env_file;
  if (one || a->rest_n || described || err->exit != LF_EXIT_USAGE)
    return false;
  fprintf (stderr, "lambdafit: no function is here (%s: %s): serving those that are created through the API\n", err->what, err->why);
  return true;
}

static int
from_paths (const lf_args *a, const lf_profile *p, bool one, lf_targets *out, lf_error *err)
{
  size_t n = a->rest_n ? (size_t) a->rest_n : 1;
  if (a->parameters.n)
    return LF_FAIL (err, LF_EXIT_USAGE, "--parameter", "give the template with -t", "there is no template to give a parameter to");
  if (a->name && n > 1)
    return LF_FAIL (err, LF_EXIT_USAGE, "--name", "leave it out: each function is named after its target", "one name cannot be given to %zu functions", n);
  if (!(out->fns = calloc (n, sizeof *out->fns)))
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < n; i++)
    {
      const char *target = a->rest_n ? a->rest[i] : ".";
      lf_function f;
      char *base LF_CLEANUP (lf_freep) = base_name (target);
      lf_function_init (&f);
      int rc = lf_env_vars_apply (out->env_vars, NULL, a->name ? a->name : base, &f, err);
      if (rc == 0)
        rc = override (a, &f, err);
      f.single_use = one && a->cold;
      if (rc == 0)
        rc = make_ready (a, p, one, &f, target, &out->fns[i], &out->refused, err);
      lf_function_fini (&f);
      if (rc < 0 && serves_nothing (a, one, err))
        {
          *err = (lf_error){ 0 };
          return 0;
        }
      if (rc < 0)
        return -1;
      out->n++;
      say_function (a, &out->fns[i], target, one);
    }
  return 0;
}

/* ---- functions of a template ------------------------------------------------------------------------------------------------------- */

static bool
is_remote (const char *layer)
{
  struct stat st;
  return lf_starts (layer, "s3://") || (lf_starts (layer, "arn:") && stat (layer, &st) != 0) || (!strchr (layer, '/') && stat (layer, &st) != 0);
}

/* Layers that are on AWS cannot be had here: the function runs without them, and that is said. */
static int
local_layers (lf_function *f, const char *id, lf_error *err)
{
  lf_strv keep = { 0 };
  for (size_t i = 0; i < f->layers.n; i++)
    if (is_remote (f->layers.v[i]))
      fprintf (stderr, "lambdafit: warning: %s: the layer %s is not on this machine, the function runs without it\n  fix: give all its layers as folders or zips with --layer\n",
               id, f->layers.v[i]);
    else if (lf_strv_add (&keep, f->layers.v[i]) < 0)
      {
        lf_strv_fini (&keep);
        return LF_FAIL_NOMEM (err);
      }
  lf_strv_fini (&f->layers);
  f->layers = keep;
  return 0;
}

/* Inline code becomes a folder in the cache, named by what is in it. */
static int
write_inline (const lf_template_function *fn, char **dir, lf_error *err)
{
  char hex[65];
  char *cache LF_CLEANUP (lf_freep) = lf_cache_dir (), *file LF_CLEANUP (lf_freep) = NULL;
  lf_sha256 *s = lf_sha256_new ();
  if (!cache || !s)
    {
      lf_sha256_free (s);
      return LF_FAIL_NOMEM (err);
    }
  lf_sha256_update (s, fn->inline_file, strlen (fn->inline_file));
  lf_sha256_update (s, fn->inline_code, strlen (fn->inline_code));
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  *dir = lf_asprintf ("%s/inline/%.32s", cache, hex);
  file = *dir ? lf_asprintf ("%s/%s", *dir, fn->inline_file) : NULL;
  struct stat st;
  if (!file)
    return LF_FAIL_NOMEM (err);
  if (stat (file, &st) == 0)
    return 0;
  return lf_mkdir_p (*dir, 0755, err) < 0 || lf_write_file_atomic (file, fn->inline_code, strlen (fn->inline_code), err) < 0 ? -1 : 0;
}

static int
place_error (const lf_template *t, const lf_template_function *fn, const char *fix, lf_error *err, const char *why, const char *what)
{
  char where[200];
  snprintf (where, sizeof where, "%.160s:%d:%d", t->path, fn->code_line, fn->code_column);
  return LF_FAIL (err, LF_EXIT_USAGE, where, fix, "%s: %s%s", fn->logical_id, why, what);
}

/* The folder that the image is made from, where the template names it, can be run instead. */
static int
image_error (const lf_template *t, const lf_template_function *fn, lf_error *err)
{
  LF_CLEANUP (lf_freep) char *context = fn->path ? lf_template_join (t, fn->path) : NULL;
  struct stat st;
  char fix[480];
  if (context && stat (context, &st) == 0 && S_ISDIR (st.st_mode))
    snprintf (fix, sizeof fix, "run the folder that it is made from, and what it installs as a layer: lambdafit run %.250s --layer DIR; a saved image's size is judged by lambdafit layer size IMAGE.tar", context);
  else
    snprintf (fix, sizeof fix, "run the handler's folder with the runtime of the image, and what it installs as a layer: lambdafit run PATH --runtime ID --layer DIR; a saved image's size is judged by lambdafit layer size IMAGE.tar");
  return place_error (t, fn, fix, err, "its code is a container image, which lambdafit does not run", "");
}

/* The code's folder or zip. -1 and *skip: the template is right, but this cannot be run here. */
static int
find_code (const lf_template *t, const lf_template_function *fn, char **target, bool *skip, lf_error *err)
{
  struct stat st;
  *skip = true;
  switch (fn->code)
    {
    case LF_TPL_CODE_S3:
      return place_error (t, fn, "download it and say its path in the template, or run the folder or zip itself: lambdafit run PATH", err, "its code is on S3 at ", fn->location);
    case LF_TPL_CODE_IMAGE:
      return image_error (t, fn, err);
    case LF_TPL_CODE_INLINE:
      *skip = false;
      return write_inline (fn, target, err);
    case LF_TPL_CODE_PATH:
      break;
    }
  *skip = false;
  if (!(*target = lf_template_join (t, fn->path)))
    return LF_FAIL_NOMEM (err);
  if (stat (*target, &st) != 0)
    return place_error (t, fn, fn->build_method ? "build it first: sam build" : "correct the path; it is relative to the template's folder", err, "there is no code at ", *target);
  return 0;
}

static int
prepare_function (const lf_args *a, const lf_profile *p, lf_targets *all, const lf_template_function *fn, bool one, lf_prepared *out, bool *skip,
                  lf_error *err)
{
  const lf_template *t = all->template_;
  char *target LF_CLEANUP (lf_freep) = NULL;
  lf_function f;
  lf_runtime_info rt;
  lf_error ignored = { 0 };
  *skip = false;
  lf_function_init (&f);
  if (lf_template_function_usable (t, fn, err) < 0 || find_code (t, fn, &target, skip, err) < 0)
    return -1;
  int rc = lf_function_copy (&f, &fn->f, err);
  if (rc == 0)
    rc = lf_env_vars_apply (all->env_vars, fn->logical_id, fn->f.name, &f, err);
  if (rc == 0)
    rc = override (a, &f, err);
  if (rc == 0)
    rc = local_layers (&f, fn->logical_id, err);
  if (rc == 0)
    {
      f.single_use = one && a->cold;
      *skip = f.runtime && lf_runtime_parse (f.runtime, &rt, &ignored) == 0 && rt.kind == LF_RT_REFUSED;
      rc = make_ready (a, p, one, &f, target, out, &all->refused, err);
    }
  if (rc == 0 && fn->named && !(out->alias = lf_strdup (fn->logical_id)))
    rc = LF_FAIL_NOMEM (err);
  lf_function_fini (&f);
  if (rc == 0)
    say_function (a, out, target, one);
  return rc;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------------------------- */

static void
list_names (const lf_template *t, char *out, size_t size)
{
  size_t n = (size_t) snprintf (out, size, t->functions_n ? "the template has: " : "the template has no function");
  for (size_t i = 0; i < t->functions_n && n + 80 < size; i++)
    n += (size_t) snprintf (out + n, size - n, "%s%.60s", i ? ", " : "", t->functions[i].logical_id);
}

/* A name that is no function: what the template has under it is said. Always -1. */
static int
no_such_function (const lf_template *t, const char *name, const char *names, lf_error *err)
{
  for (size_t i = 0; i < t->others_n; i++)
    {
      const lf_template_other *o = &t->others[i];
      if (strcmp (o->logical_id, name) != 0)
        continue;
      if (o->left_out)
        return LF_FAIL (err, LF_EXIT_USAGE, name, "give the parameters that its condition asks for with --parameter NAME=VALUE", "%s:%d: its condition does not hold, so it is left out",
                        t->path, o->line);
      return LF_FAIL (err, LF_EXIT_USAGE, name, names, "%s:%d: it is no function but of type %.100s", t->path, o->line, o->type);
    }
  return LF_FAIL (err, LF_EXIT_USAGE, name, names, "%s has no function of this logical id or name", t->path);
}

static const lf_template_function *
choose_one (const lf_args *a, const lf_template *t, lf_error *err)
{
  char names[480];
  list_names (t, names, sizeof names);
  if (!a->rest_n && t->functions_n == 1)
    return &t->functions[0];
  if (!a->rest_n)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, t->path, names, t->functions_n ? "which of its %zu functions is to run? Give its logical id" : "nothing to run: %zu functions",
                      t->functions_n);
      return NULL;
    }
  const lf_template_function *fn = lf_template_function_find (t, a->rest[0]);
  if (!fn)
    (void) no_such_function (t, a->rest[0], names, err);
  return fn;
}

/* What the template says besides its functions; of functions only what is about `id` (NULL: all). */
static void
say_template (const lf_args *a, const lf_template *t, const char *id)
{
  size_t deploy = 0;
  for (size_t i = 0; i < t->problems_n; i++)
    {
      const lf_template_problem *p = &t->problems[i];
      if (p->deploy_only)
        deploy += p->severity == LF_TPL_ERROR;
      else if (p->severity == LF_TPL_WARNING && !a->quiet && (!id || !p->logical_id || strcmp (p->logical_id, id) == 0))
        fprintf (stderr, "lambdafit: warning: %s:%d:%d: %s%s%s\n", t->path, p->line, p->column, p->logical_id ? p->logical_id : "", p->logical_id ? ": " : "", p->message);
    }
  if (deploy && !a->quiet)
    fprintf (stderr, "lambdafit: warning: a deployment of %s would be refused: lambdafit validate -t %s says why\n", t->path, t->path);
  for (size_t i = 0; i < t->layers_n && !a->quiet; i++)
    if (t->layers[i].build_method && !strstr (t->path, ".aws-sam/"))
      fprintf (stderr, "lambdafit: warning: %s:%d:%d: %s: this layer is made by `sam build` (BuildMethod %s); its source is taken as it is\n", t->path, t->layers[i].line,
               t->layers[i].column, t->layers[i].logical_id, t->layers[i].build_method);
  if (!a->verbose)
    return;
  for (size_t i = 0; i < t->others_n; i++)
    fprintf (stderr, "lambdafit: %s:%d: %s (%s) %s\n", t->path, t->others[i].line, t->others[i].logical_id, t->others[i].type,
             t->others[i].left_out ? "is left out by its condition" : "is no function");
}

static void
say_events (const lf_args *a, const lf_template *t, const char *id)
{
  for (size_t i = 0; i < t->events_n && !a->quiet; i++)
    {
      const lf_template_event *e = &t->events[i];
      if (strcmp (e->function, id) != 0)
        continue;
      if (e->path)
        fprintf (stderr, "lambdafit: %s: event %s: %s %s %s\n", id, e->name, e->type, e->method, e->path);
      else
        fprintf (stderr, "lambdafit: %s: event %s: %s\n", id, e->name, e->type);
    }
}

/* A template's destination that is not served here must not keep the others from being served. */
static int
drop_destination (const lf_targets *out, const lf_prepared *of, char **dest, const char *what, lf_error *err)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  if (!*dest || lf_destination_parse (*dest, &of->f, &name, err) < 0)
    return *dest ? -1 : 0;
  for (size_t i = 0; name && i < out->n; i++)
    if (strcmp (out->fns[i].f.name, name) == 0 || lf_streq (out->fns[i].alias, name))
      return 0;
  if (!name)
    return 0;
  fprintf (stderr, "lambdafit: warning: %s: the function %s, which gets the records of its %s asynchronous events, is not served: they are not delivered\n  fix: serve it "
           "too, or give another destination with --on-%s\n", of->f.name, name, what, strcmp (what, "failed") == 0 ? "failure" : "success");
  free (*dest);
  *dest = NULL;
  return 0;
}

static int
check_destinations (const lf_args *a, lf_targets *out, lf_error *err)
{
  for (size_t i = 0; i < out->n; i++)
    if ((!a->on_success && drop_destination (out, &out->fns[i], &out->fns[i].f.on_success, "successful", err) < 0)
        || (!a->on_failure && drop_destination (out, &out->fns[i], &out->fns[i].f.on_failure, "failed", err) < 0))
      return -1;
  return 0;
}

/* All functions of the template, or those that are named. What the template has right but lambdafit cannot run is passed over, as long as
 * something is left and it was not asked for by name. */
static int
from_template_all (const lf_args *a, const lf_profile *p, lf_targets *out, lf_error *err)
{
  const lf_template *t = out->template_;
  size_t n = a->rest_n ? (size_t) a->rest_n : t->functions_n;
  bool passed = false;
  char names[480];
  list_names (t, names, sizeof names);
  if (a->name && n > 1)
    return LF_FAIL (err, LF_EXIT_USAGE, "--name", "leave it out: functions have their names from the template", "one name cannot be given to %zu functions", n);
  if (n == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, t->path, "give the folder of a function instead: lambdafit serve PATH", "the template has no function");
  if (!(out->fns = calloc (n, sizeof *out->fns)))
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < n; i++)
    {
      bool skip;
      const lf_template_function *fn = a->rest_n ? lf_template_function_find (t, a->rest[i]) : &t->functions[i];
      if (!fn)
        return no_such_function (t, a->rest[i], names, err);
      if (prepare_function (a, p, out, fn, false, &out->fns[out->n], &skip, err) == 0)
        {
          out->n++;
          say_events (a, t, fn->logical_id);
          continue;
        }
      if (!skip || a->rest_n)
        return -1;
      passed = true;
      fprintf (stderr, "lambdafit: warning: %s is passed over: %s: %s\n", fn->logical_id, err->what, err->why);
    }
  if (out->n == 0 && passed)
    return -1; /* the last one's error says why nothing is left */
  *err = (lf_error){ 0 };
  return check_destinations (a, out, err);
}

static int
from_template (const lf_args *a, const lf_profile *p, bool one, lf_targets *out, lf_error *err)
{
  lf_template *t = out->template_;
  bool skip;
  if (lf_template_validate (t, p, err) < 0)
    return -1;
  const lf_template_function *fn = one ? choose_one (a, t, err) : NULL;
  if (one && !fn)
    return -1;
  say_template (a, t, fn ? fn->logical_id : NULL);
  if (!one)
    return from_template_all (a, p, out, err);
  if (!(out->fns = calloc (1, sizeof *out->fns)))
    return LF_FAIL_NOMEM (err);
  if (prepare_function (a, p, out, fn, true, &out->fns[0], &skip, err) < 0)
    return -1;
  out->n = 1;
  return 0;
}

static bool
any_is_path (const lf_args *a)
{
  struct stat st;
  for (int i = 0; i < a->rest_n; i++)
    if (stat (a->rest[i], &st) == 0 || strchr (a->rest[i], '/') || lf_ends (a->rest[i], ".zip"))
      return true;
  return false;
}

int
lf_targets_prepare (const lf_args *a, const lf_profile *p, bool one, lf_targets *out, lf_error *err)
{
  char *path LF_CLEANUP (lf_freep) = NULL;
  lf_template_options o;
  memset (out, 0, sizeof *out);
  lf_args_template_options (a, &o);
  int rc = lf_env_vars_load (a, &out->env_vars, err);
  /* A path is a path, whatever lies beside it; a word that is none may be a function of the folder's template. */
  if (rc == 0 && (a->template_ || !any_is_path (a)))
    rc = lf_args_template (a, &path, err);
  if (rc == 0 && path && !(out->template_ = lf_template_load (path, &o, err)))
    {
      if (!a->template_ && !err->fix[0])
        snprintf (err->fix, sizeof err->fix, "correct the template, or give the folder itself: lambdafit %s .", one ? "run" : "serve");
      rc = -1;
    }
  /* A template that was not asked for and has no function leaves the folder itself. */
  if (rc == 0 && path && !a->template_ && !a->rest_n && out->template_->functions_n == 0)
    {
      lf_template_free (out->template_);
      out->template_ = NULL;
    }
  if (rc == 0)
    rc = out->template_ ? from_template (a, p, one, out, err) : from_paths (a, p, one, out, err);
  if (rc < 0)
    {
      lf_refused why = out->refused; /* all that is of use */
      lf_targets_fini (out);
      out->refused = why;
    }
  return rc;
}
