/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a function ready, before anything starts: its code, its layers, what it left unsaid, every limit that Lambda checks at
 * deployment, and the interpreter. Everything that can be known to be wrong is said here.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int
add_note (lf_prepared *p, const char *text, lf_error *err)
{
  return text[0] && lf_strv_add (&p->notes, text) < 0 ? LF_FAIL_NOMEM (err) : 0;
}

/* The target's base name, with what a function name cannot hold replaced. */
static char *
name_from (const char *target, bool is_zip)
{
  char *real LF_CLEANUP (lf_freep) = realpath (target, NULL);
  const char *base = real ? strrchr (real, '/') : NULL;
  base = base && base[1] ? base + 1 : "function";
  size_t n = strlen (base);
  if (is_zip && n > 4 && lf_ends (base, ".zip"))
    n -= 4;
  char *name = lf_strndup (base, n < 64 ? n : 64);
  for (char *c = name; c && *c; c++)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_'))
      *c = '-';
  return name;
}

static int
open_code (lf_prepared *out, const char *target, const lf_profile *p, lf_error *err)
{
  char note[256] = "";
  lf_function *f = &out->f;
  if (lf_package_open (target, p->package_max_bytes, &out->package, err) < 0 || lf_package_detect (&out->package, f, note, err) < 0
      || add_note (out, note, err) < 0)
    return -1;
  if (!f->name && !(f->name = name_from (out->package.source, out->package.is_zip)))
    return LF_FAIL_NOMEM (err);
  return 0;
}

static int
check_sizes (lf_prepared *out, const lf_profile *p, int64_t layer_bytes, lf_error *err)
{
  lf_function *f = &out->f;
  f->package_bytes = out->package.unzipped_bytes + layer_bytes;
  f->zip_bytes = out->package.zip_bytes;
  memcpy (f->code_sha256, out->package.sha256, sizeof f->code_sha256);
  lf_buf json LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&json, 0);
  if (lf_function_env_json (f, &json) < 0)
    return LF_FAIL_NOMEM (err);
  f->env_bytes = (int64_t) json.len;
  char fix[300];
  snprintf (fix, sizeof fix, "see what takes the space with: lambdafit layer size %s", out->package.source);
  if (layer_bytes > 0 && layer_bytes < p->package_max_bytes)
    snprintf (fix, sizeof fix, "with these layers the code must be smaller than %lld bytes unzipped (it is %lld); see what takes the space with: lambdafit layer size %.80s",
              (long long) (p->package_max_bytes - layer_bytes), (long long) out->package.unzipped_bytes, out->package.source);
  if (layer_bytes > 0 && f->package_bytes >= p->package_max_bytes)
    return LF_FAIL (err, LF_EXIT_FAILED, f->name, fix, "Layers consume more than the available size of %lld bytes. The actual size is %lld bytes.",
                    (long long) p->package_max_bytes, (long long) f->package_bytes);
  const char *limit = NULL;
  if (lf_function_check (f, p, &limit, err) < 0)
    return -1;
  return 0;
}

static int
find_interpreter (lf_prepared *out, const char *by_hand, bool strict, lf_error *err)
{
  lf_function *f = &out->f;
  free (f->interpreter); /* of the configuration that this one was copied from */
  f->interpreter = NULL;
  if (f->rt.kind == LF_RT_PROVIDED)
    return by_hand ? LF_FAIL (err, LF_EXIT_USAGE, "--interpreter", "leave it out", "%s runs the function's own bootstrap, it has no interpreter", f->runtime)
                   : 0;
  if (lf_interpreter_find (&f->rt, by_hand, &out->interp, err) < 0)
    return -1;
  out->has_interp = true;
  if (!out->interp.exact && !by_hand && strict)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, f->runtime, "install that version, give one with --interpreter, or leave out --strict-runtime",
                    "no interpreter of exactly this version is here; the nearest is %s (%s)", out->interp.path, out->interp.version);
  if (lf_interpreter_client (&out->interp, &f->rt, out->package.dir, out->opt_dir, err) < 0)
    return -1;
  f->interpreter = lf_asprintf ("%s (%s)", out->interp.path, out->interp.version);
  if (!f->interpreter)
    return LF_FAIL_NOMEM (err);
  if (out->interp.exact)
    return 0;
  char note[256];
  snprintf (note, sizeof note, "warning: %s runs on %s (%s): no interpreter of exactly that version is here", f->runtime, out->interp.path,
            out->interp.version);
  return add_note (out, note, err);
}

static int
prepare (lf_prepared *out, const char *target, const char *interpreter, bool strict, const lf_profile *p, lf_error *err)
{
  int64_t layer_bytes = 0;
  lf_function *f = &out->f;
  lf_error late = { 0 };
  if (open_code (out, target, p, err) < 0 || lf_function_defaults (f, p, err) < 0 || lf_runtime_parse (f->runtime, &f->rt, err) < 0)
    return -1;
  if (f->rt.kind == LF_RT_REFUSED)
    return LF_FAIL (err, LF_EXIT_USAGE, f->runtime, f->rt.instead ? f->rt.instead : "", "this runtime is known, but lambdafit does not run it");
  if ((int64_t) f->layers.n <= p->layers_max && lf_layers_open (&f->layers, p->package_max_bytes, &out->opt_dir, &layer_bytes, err) < 0)
    return -1;
  if (check_sizes (out, p, layer_bytes, err) < 0 || find_interpreter (out, interpreter, strict, err) < 0)
    return -1;
  /* A handler that is not there is no error of the deployment; Lambda finds out at init. It is said before. */
  if (lf_package_check_handler (&out->package, f, &late) < 0)
    {
      char note[256];
      snprintf (note, sizeof note, "warning: %.90s: %.150s", late.what, late.why);
      if (add_note (out, note, err) < 0)
        return -1;
    }
  lf_package_facts_read (&out->package, out->opt_dir, layer_bytes, f, &out->facts);
  lf_facts x;
  lf_facts_init (&x, f, p, NULL, NULL);
  x.package = &out->facts;
  out->near_n = lf_judge (&x, lf_wall_us (), out->near);
  return 0;
}

/* A package that is too large for Lambda: what in it could be left out, and how much that saves. */
static void
advise_pruning (const char *target, const lf_function *f, const lf_profile *p, lf_error *err)
{
  lf_package_facts facts = { 0 };
  char advice[240], fix[sizeof err->fix];
  char limit[32];
  snprintf (limit, sizeof limit, "%lld bytes", (long long) p->package_max_bytes);
  if (err->exit != LF_EXIT_FAILED || strstr (err->why, limit) == NULL)
    return;
  lf_package_space_facts (target, f, &facts);
  lf_prune_advice (&facts, advice, sizeof advice);
  snprintf (fix, sizeof fix, "%s%s%s%s", advice, facts.cuda_bytes > LF_MB ? "Libraries for GPUs are of no use on Lambda: " : "",
            facts.cuda_bytes > LF_MB ? facts.cuda : "", facts.cuda_bytes > LF_MB ? ". " : "");
  size_t n = strlen (fix);
  snprintf (fix + n, sizeof fix - n, "%.*s", (int) (sizeof fix - n - 1), err->fix);
  if (n > 0 && fix[n] >= 'a' && fix[n] <= 'z')
    fix[n] = (char) (fix[n] - ('a' - 'A')); /* a sentence of its own */
  memcpy (err->fix, fix, sizeof err->fix);
}

int
lf_prepare (lf_function *f, const char *target, const char *interpreter, bool strict, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err)
{
  /* Made by the loop's helpers too: the search for interpreters is not for two threads at once. */
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  memset (out, 0, sizeof *out);
  out->f = *f;
  lf_function_init (f);
  pthread_mutex_lock (&one_at_a_time);
  int rc = prepare (out, target, interpreter, strict, p, err);
  pthread_mutex_unlock (&one_at_a_time);
  if (rc == 0)
    return 0;
  advise_pruning (target, &out->f, p, err);
  if (!out->f.name)
    out->f.name = name_from (target, lf_ends (target, ".zip"));
  if (refused)
    lf_refused_judge (&out->f, target, p, err, refused);
  lf_prepared_fini (out);
  return -1;
}

/* ---- watched ------------------------------------------------------------------------------------------------------------------------ */

static void
recipe_fini (struct lf_recipe *r)
{
  lf_function_fini (&r->asked);
  free (r->target);
  free (r->interpreter);
}

static int
recipe_make (struct lf_recipe *r, const lf_function *f, const char *target, const char *interpreter, bool strict, lf_error *err)
{
  if (lf_function_copy (&r->asked, f, err) < 0)
    return -1;
  r->strict = strict;
  r->target = lf_strdup (target);
  r->interpreter = lf_strdup (interpreter);
  if (r->target && (r->interpreter || !interpreter))
    return 0;
  recipe_fini (r);
  memset (r, 0, sizeof *r);
  return LF_FAIL_NOMEM (err);
}

static lf_watch *
watch_recipe (const struct lf_recipe *r, lf_error *err)
{
  lf_strv targets LF_CLEANUP (lf_strv_fini) = { 0 };
  bool ok = lf_strv_add (&targets, r->target) == 0;
  for (size_t i = 0; i < r->asked.layers.n && ok; i++)
    ok = lf_strv_add (&targets, r->asked.layers.v[i]) == 0;
  if (ok)
    return lf_watch_new (&targets, err);
  (void) LF_FAIL_NOMEM (err);
  return NULL;
}

/* The watch is made first, so that no change falls between the reading and it. Takes over the recipe when all goes well. */
static int
prepare_by_recipe (struct lf_recipe *r, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err)
{
  lf_error late = { 0 };
  lf_function f;
  lf_watch *watch = watch_recipe (r, &late);
  if (lf_function_copy (&f, &r->asked, err) < 0 || lf_prepare (&f, r->target, r->interpreter, r->strict, p, out, refused, err) < 0)
    {
      memset (out, 0, sizeof *out);
      out->watch = watch;
      return -1;
    }
  out->watch = watch;
  out->recipe = *r;
  memset (r, 0, sizeof *r);
  if (watch)
    return 0;
  char note[256];
  snprintf (note, sizeof note, "warning: %.90s: %.150s", late.what, late.why);
  return add_note (out, note, err);
}

int
lf_prepare_watched (lf_function *f, const char *target, const char *interpreter, bool strict, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err)
{
  struct lf_recipe r = { 0 };
  memset (out, 0, sizeof *out);
  int rc = recipe_make (&r, f, target, interpreter, strict, err);
  lf_function_fini (f);
  if (rc == 0)
    rc = prepare_by_recipe (&r, p, out, refused, err);
  recipe_fini (&r);
  if (rc < 0)
    lf_prepared_fini (out);
  return rc;
}

int
lf_prepare_again (const lf_prepared *old, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err)
{
  struct lf_recipe r = { 0 };
  const struct lf_recipe *from = &old->recipe;
  memset (out, 0, sizeof *out);
  char *alias = lf_strdup (old->alias);
  int rc = old->alias && !alias ? LF_FAIL_NOMEM (err) : recipe_make (&r, &from->asked, from->target, from->interpreter, from->strict, err);
  if (rc == 0)
    rc = prepare_by_recipe (&r, p, out, refused, err);
  recipe_fini (&r);
  if (rc < 0)
    free (alias);
  else
    out->alias = alias;
  return rc;
}

void
lf_prepared_fini (lf_prepared *p)
{
  lf_function_fini (&p->f);
  lf_package_fini (&p->package);
  lf_cache_release (p->opt_dir);
  free (p->opt_dir);
  lf_interpreter_fini (&p->interp);
  lf_strv_fini (&p->notes);
  free (p->alias);
  recipe_fini (&p->recipe);
  lf_watch_free (p->watch);
  memset (p, 0, sizeof *p);
}
