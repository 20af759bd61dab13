/* SPDX-License-Identifier: Apache-2.0
 *
 * Hot reload. Before each call of a watched function one look at its watch: if its code or a layer has changed, the function is made ready
 * again by a helper thread, and this call and those that follow wait for that. Then the new one takes the old one's place: what runs ends
 * with the code it began with, and the calls that waited get new environments. What cannot be made ready leaves the old one, and is said.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Who calls a thousand times a second does not change the code between two calls. */
#define WATCH_AGE_US 200

struct lf_reload
{
  uv_work_t work;
  lf_live_fn *fn;      /* NULL: it was changed or removed meanwhile, nobody waits any more */
  lf_engine *engine;
  lf_prepared next;
  lf_prepared *old;    /* read by the helper; belongs to old_fn */
  lf_live_fn *old_fn;  /* kept until the work is done */
  lf_refused refused;  /* what the rules say of a change that Lambda would not take */
  lf_error err;
  int rc;
  char what[256];
};

/* ---- calls that wait ---------------------------------------------------------------------------------------------------------------- */

static void
wait_for_it (lf_call *c)
{
  lf_live_fn *fn = c->fn;
  c->held_since = lf_now_us ();
  c->held_next = NULL;
  *fn->parked_tail = c;
  fn->parked_tail = &c->held_next;
}

/* Those that waited go on, with the function that is there now. `same`: it is the one it was, and may have an environment that is about to
 * come free. */
static void
go_on (lf_live_fn *from, lf_live_fn *to, bool same)
{
  lf_call *c = from->parked, *next;
  from->parked = NULL;
  from->parked_tail = &from->parked;
  for (; c; c = next)
    {
      next = c->held_next;
      if (to != from)
        {
          from->calls--;
          to->calls++;
          c->fn = to;
        }
      c->held_us += lf_now_us () - c->held_since;
      if (!same || !lf_hold (c))
        lf_engine_event (c->engine, &(lf_event){ .type = LF_EV_INVOKE, .fn = c->fn->core, .inv = &c->inv });
    }
}

/* ---- the work ----------------------------------------------------------------------------------------------------------------------- */

static void
on_work (uv_work_t *w)
{
  lf_reload *r = w->data;
  r->rc = lf_prepare_again (r->old, r->engine->profile, &r->next, &r->refused, &r->err);
}

static void
say_reloaded (lf_live_fn *fn, const char *what)
{
  char text[300];
  snprintf (text, sizeof text, "reloaded: %s has changed", what);
  lf_engine_note (fn, text);
  for (size_t i = 0; i < fn->prep.notes.n; i++)
    lf_engine_note (fn, fn->prep.notes.v[i]);
}

static void
say_not_reloaded (lf_live_fn *fn, const lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addf (&b, "not reloaded, it goes on with the code it had: %s: %s%s%s", err->what, err->why, err->fix[0] ? "\n  fix: " : "", err->fix);
  if (!b.failed)
    lf_engine_note (fn, b.data);
}

/* Committed with the rows of this turn. */
static void
log_refused (const lf_reload *r)
{
  lf_error err = { 0 };
  if (lf_refused_write (r->engine->store, &r->refused, &err) < 0)
    lf_engine_log_failed (r->engine, &err);
}

static void
ignore_ours (lf_live_fn *fn)
{
  const lf_function *f = &fn->prep.f;
  const char *const paths[] = { lf_store_path (fn->engine->store), fn->engine->port_file, f->on_success, f->on_failure };
  for (size_t i = 0; fn->prep.watch && i < LF_ARRAY_LEN (paths); i++)
    if (paths[i])
      lf_watch_ignore (fn->prep.watch, paths[i]);
}

void
lf_reload_added (lf_live_fn *fn)
{
  fn->parked_tail = &fn->parked;
  ignore_ours (fn);
}

/* As many environments as it had will be started again because of this. */
static lf_live_fn *
replace (lf_reload *r)
{
  lf_live_fn *old = r->fn;
  lf_fleet_counts counts;
  lf_error err = { 0 };
  lf_fleet_count (r->engine->fleet, old->core, &counts);
  old->reloading = NULL; /* the calls that wait are this function's to give on */
  old->reloaded = true;
  lf_live_fn *now = lf_engine_replace (old, &r->next, &err);
  if (!now)
    {
      old->reloaded = false;
      say_not_reloaded (old, &err);
      return old;
    }
  now->reload_cold = counts.environments;
  say_reloaded (now, r->what);
  return now;
}

static void
on_worked (uv_work_t *w, int status)
{
  (void) status;
  lf_reload *r = w->data;
  lf_live_fn *fn = r->fn;
  r->old_fn->calls--;
  if (fn && r->rc < 0)
    {
      fn->reloading = NULL;
      say_not_reloaded (fn, &r->err);
      log_refused (r);
      if (r->next.watch) /* made after the change that was no good: the next one is tried again */
        {
          lf_watch_free (fn->prep.watch);
          fn->prep.watch = r->next.watch;
          r->next.watch = NULL;
          ignore_ours (fn);
        }
      go_on (fn, fn, true);
    }
  else if (fn)
    {
      lf_live_fn *now = replace (r);
      go_on (fn, now, now == fn);
    }
  lf_prepared_fini (&r->next);
  free (r);
}

static int
start (lf_live_fn *fn, const char *what)
{
  lf_reload *r = calloc (1, sizeof *r);
  if (!r)
    return -1;
  r->work.data = r;
  r->fn = r->old_fn = fn;
  r->engine = fn->engine;
  r->old = &fn->prep;
  memcpy (r->what, what, sizeof r->what);
  if (uv_queue_work (fn->engine->loop, &r->work, on_work, on_worked) < 0)
    {
      free (r);
      return -1;
    }
  fn->calls++; /* the helper reads it: it must not be freed */
  fn->reloading = r;
  return 0;
}

bool
lf_reload_wait (lf_call *c)
{
  lf_live_fn *fn = c->fn;
  char what[256];
  if (!fn->prep.watch || c->engine->closing)
    return false;
  lf_time_us now = lf_now_us ();
  if (!fn->reloading && now - fn->watched_at < WATCH_AGE_US)
    return false;
  fn->watched_at = now;
  if (!fn->reloading && (!lf_watch_changed (fn->prep.watch, what) || start (fn, what) < 0))
    return false;
  wait_for_it (c);
  return true;
}

void
lf_reload_changed (lf_live_fn *fn, lf_live_fn *to)
{
  if (!fn->reloading)
    return; /* nobody waits, or it is the reload itself that changes it */
  fn->reloading->fn = NULL;
  fn->reloading = NULL;
  go_on (fn, to ? to : fn, false); /* without another they are refused, as every call that comes too late */
}

void
lf_reload_release_all (lf_engine *e)
{
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    lf_reload_changed (fn, NULL);
}
