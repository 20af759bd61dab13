/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that come, change and go while others are served. A function that is changed or removed is retired: what it began it ends, with
 * the code it began with; its environments are destroyed as they become idle; then it is freed.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Calls that wait for an environment of the old one to come free have not begun: they begin with the new one. */
static void
move_held (lf_live_fn *from, lf_live_fn *to)
{
  while (from->held)
    {
      lf_call *c = from->held;
      from->held = c->held_next;
      c->held = false;
      c->held_us += lf_now_us () - c->held_since;
      if (to)
        {
          from->calls--;
          to->calls++;
          c->fn = to;
        }
      lf_engine_event (c->engine, &(lf_event){ .type = LF_EV_INVOKE, .fn = c->fn->core, .inv = &c->inv });
    }
  from->held_tail = &from->held;
  from->held_n = 0;
}

static void
retire (lf_live_fn *fn)
{
  lf_engine *e = fn->engine;
  fn->next = e->retired;
  e->retired = fn;
  lf_engine_event (e, &(lf_event){ .type = LF_EV_REMOVE_FN, .fn = fn->core });
}

static lf_live_fn **
place_of (lf_live_fn *fn)
{
  lf_live_fn **at = &fn->engine->fns;
  while (*at != fn)
    at = &(*at)->next;
  return at;
}

/* What lf_engine_set_reserved, _async and _url have set stays. */
static int
keep_settings (const lf_function *from, lf_function *to, lf_error *err)
{
  char *success = lf_strdup (from->on_success), *failure = lf_strdup (from->on_failure);
  lf_url_config url = { 0 };
  if (lf_url_config_copy (&url, &from->url, err) < 0 || (from->on_success && !success) || (from->on_failure && !failure))
    {
      free (success);
      free (failure);
      lf_url_config_fini (&url);
      return LF_FAIL_NOMEM (err);
    }
  lf_url_config_fini (&to->url);
  to->url = url;
  free (to->on_success);
  free (to->on_failure);
  to->on_success = success;
  to->on_failure = failure;
  to->reserved = from->reserved;
  to->async_retries = from->async_retries;
  to->async_max_age_s = from->async_max_age_s;
  return 0;
}

lf_live_fn *
lf_engine_replace (lf_live_fn *fn, lf_prepared *p, lf_error *err)
{
  lf_engine *e = fn->engine;
  if (keep_settings (&fn->prep.f, &p->f, err) < 0)
    return NULL;
  lf_live_fn *now = lf_engine_fn_new (e, p, fn, err);
  if (!now)
    return NULL;
  lf_live_fn **at = place_of (fn);
  now->next = fn->next;
  *at = now;
  lf_events_move (e->events, fn, now);
  retire (fn);
  move_held (fn, now);
  lf_reload_changed (fn, now);
  return now;
}

void
lf_engine_remove (lf_live_fn *fn)
{
  *place_of (fn) = fn->next;
  lf_events_forget (fn->engine->events, fn);
  retire (fn);
  move_held (fn, NULL); /* refused, as every call that comes too late */
  lf_reload_changed (fn, NULL);
}

void
lf_engine_sweep (lf_engine *e)
{
  for (lf_live_fn **at = &e->retired, *fn; (fn = *at) != NULL;)
    {
      if (fn->calls > 0 || !lf_fleet_forget (e->fleet, fn->core))
        {
          at = &fn->next;
          continue;
        }
      *at = fn->next;
      lf_engine_fn_free (fn);
    }
}
