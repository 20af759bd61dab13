/* SPDX-License-Identifier: Apache-2.0
 *
 * From "The function is being created." to Active: layers are merged, the interpreter is found, the engine gets the function. Until then
 * an updated function serves its old code.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

typedef struct lf_dep_readying
{
  uv_work_t work;
  lf_deploy *d;
  uint64_t id;            /* of the function, which may be deleted meanwhile */
  char *name;
  char version[24];
  lf_function f;
  char *target, *interpreter;
  bool strict, failed;
  bool watched;           /* its folder is looked at for changes, and shall be */
  lf_prepared prepared;
  lf_error err;
} lf_dep_readying;

static void
readying_free (lf_dep_readying *w)
{
  lf_function_fini (&w->f);
  lf_prepared_fini (&w->prepared);
  free (w->name);
  free (w->target);
  free (w->interpreter);
  free (w);
}

static void
fail (lf_dep_version *v, const char *code, const char *why)
{
  snprintf (v->why_code, sizeof v->why_code, "%s", code);
  snprintf (v->why, sizeof v->why, "%.399s", why);
  if (v->state == LF_DEP_PENDING)
    v->state = LF_DEP_FAILED;
  else
    v->update_failed = true;
  v->updating = false;
}

/* The same engine function goes on with other code, or a new one begins. */
static int
hand_over (lf_deploy *d, lf_dep_readying *w)
{
  lf_live_fn *old = lf_engine_find_version (d->engine, w->name, w->version);
  lf_prepared *p = &w->prepared;
  if (!old)
    return lf_engine_add (d->engine, p, &w->err) ? 0 : -1;
  const char *alias = lf_live_fn_prepared (old)->alias;
  if (alias && !(p->alias = lf_strdup (alias)))
    return LF_FAIL_NOMEM (&w->err);
  return lf_engine_replace (old, p, &w->err) ? 0 : -1;
}

static void
finish (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v, lf_dep_readying *w)
{
  lf_refusal no;
  for (size_t i = 0; i < w->prepared.notes.n; i++)
    lf_engine_tell (d->engine, "%s: %s", fn->name, w->prepared.notes.v[i]);
  if (!w->failed && hand_over (d, w) < 0)
    w->failed = true;
  if (w->failed)
    {
      lf_engine_tell (d->engine, "%s: cannot be made ready: %s: %s", fn->name, w->err.what, w->err.why);
      fail (v, w->err.exit == LF_EXIT_UNSUPPORTED ? "InvalidRuntime" : w->err.exit == LF_EXIT_IO ? "InternalError" : "InvalidConfiguration", w->err.why);
    }
  else
    {
      v->state = LF_DEP_ACTIVE;
      v->updating = v->update_failed = false;
      v->why[0] = v->why_code[0] = 0;
    }
  if (lf_dep_save (d, fn, &no) < 0)
    lf_engine_tell (d->engine, "%s: %s", fn->name, no.text);
}

static void
ready (uv_work_t *work)
{
  lf_dep_readying *w = work->data;
  w->failed = (w->watched ? lf_prepare_watched : lf_prepare) (&w->f, w->target, w->interpreter, w->strict, w->d->profile, &w->prepared, NULL, &w->err) < 0;
}

static void
readied (uv_work_t *work, int status)
{
  lf_dep_readying *w = work->data;
  lf_deploy *d = w->d;
  (void) status;
  if (!d->closing)
    for (lf_dep_fn *fn = d->fns; fn; fn = fn->next)
      {
        lf_dep_version *v = fn->id == w->id ? lf_dep_version_get (fn, w->version) : NULL;
        if (v)
          finish (d, fn, v, w);
      }
  readying_free (w);
}

/* The interpreter that a function of the command line runs on was chosen by it. */
static char *
interpreter_of (const lf_deploy *d, const lf_dep_fn *fn, const lf_function *f)
{
  const lf_live_fn *live = fn->stored ? NULL : lf_dep_live (d, fn, fn->v[0]);
  const lf_prepared *p = live ? lf_live_fn_prepared (live) : NULL;
  return p && p->has_interp && strcmp (p->f.runtime, f->runtime) == 0 ? lf_strdup (p->interp.path) : NULL;
}

static lf_dep_readying *
readying_new (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v)
{
  lf_refusal no;
  lf_dep_readying *w = calloc (1, sizeof *w);
  cJSON *config LF_CLEANUP (lf_json_freep) = lf_dep_config_now (d, fn, v);
  if (!w || !config)
    {
      free (w);
      fail (v, "InternalError", "the system has no memory left");
      return NULL;
    }
  w->d = d;
  w->id = fn->id;
  w->strict = d->strict_runtime;
  w->work.data = w;
  snprintf (w->version, sizeof w->version, "%s", v->version);
  if (lf_dep_function (d, fn, v->version, config, &w->f, &no) < 0)
    {
      fail (v, "InvalidConfiguration", no.text);
      free (w);
      return NULL;
    }
  w->name = lf_strdup (fn->name);
  w->interpreter = interpreter_of (d, fn, &w->f);
  const lf_live_fn *live = lf_dep_live (d, fn, v);
  w->watched = live && lf_live_fn_prepared (live)->watch && !v->code.hex[0];
  w->target = v->code.hex[0] ? lf_dep_zip (d, v->code.hex) : lf_strdup (v->target);
  if (w->name && w->target)
    return w;
  fail (v, "InternalError", "the system has no memory left");
  readying_free (w);
  return NULL;
}

void
lf_dep_make_ready (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v)
{
  lf_dep_readying *w = readying_new (d, fn, v);
  if (w)
    uv_queue_work (lf_engine_loop (d->engine), &w->work, ready, readied);
}

void
lf_dep_make_ready_now (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v)
{
  lf_dep_readying *w = readying_new (d, fn, v);
  if (!w)
    return;
  ready (&w->work);
  finish (d, fn, v, w);
  readying_free (w);
}
