/* SPDX-License-Identifier: Apache-2.0
 *
 * A caller beside the daemon comes back within microseconds, often before the runtime has asked for its next event (a function with a small
 * CPU share may even be throttled just then). On Lambda the caller's network is slower than that, and it finds the environment idle. So a
 * call that would start a new environment waits a moment for one that has answered already; not longer than LF_HOLD_US, because a runtime
 * may also work on after its answer, and not more calls than such environments.
 *
 * The second is one in which the runtime could be heard. A machine that stands still (another one's turn, a laptop's lid) stops the runtime
 * and us alike, and when it goes on, the loop looks at its timers before its sockets. So the time is counted in ticks, and one that came
 * late counts as two, however late it was. It may also be the runtime alone that gets no CPU, as others have it: who wants one and gets next
 * to nothing is waited for longer, up to LF_HOLD_MAX_US.
 */
#include "internal.h"

static void
invoke (lf_call *c)
{
  c->held = false;
  c->held_us += lf_now_us () - c->held_since;
  lf_engine_event (c->engine, &(lf_event){ .type = LF_EV_INVOKE, .fn = c->fn->core, .inv = &c->inv });
}

static lf_call *
take_first (lf_live_fn *fn)
{
  lf_call *c = fn->held;
  fn->held = c->held_next;
  if (!fn->held)
    fn->held_tail = &fn->held;
  fn->held_n--;
  return c;
}

bool
lf_hold (lf_call *c)
{
  lf_live_fn *fn = c->fn;
  lf_fleet_counts counts;
  if (fn->finishing <= fn->held_n || c->engine->closing)
    return false;
  lf_fleet_count (c->engine->fleet, fn->core, &counts);
  if (counts.idle > 0)
    return false;
  c->held = true;
  c->held_since = lf_now_us ();
  c->hold_until = c->engine->hold_clock + LF_HOLD_US;
  c->held_next = NULL;
  *fn->held_tail = c;
  fn->held_tail = &c->held_next;
  fn->held_n++;
  if (!uv_is_active ((uv_handle_t *) &c->engine->holder))
    {
      c->engine->hold_ticked = c->held_since;
      uv_timer_start (&c->engine->holder, lf_hold_timer, LF_HOLD_TICK_US / 1000, 0);
    }
  return true;
}

void
lf_hold_finishing (lf_call *c)
{
  if (!c->finishing && c->inv.responded && !c->finished)
    {
      c->finishing = true;
      c->fn->finishing++;
      if (c->env)
        c->env->starved_from = 0;
    }
}

void
lf_hold_finished (lf_call *c)
{
  if (c->finishing)
    {
      c->finishing = false;
      c->fn->finishing--;
      if (c->fn->held)
        invoke (take_first (c->fn));
    }
}

static bool
is_over (const lf_call *c, lf_time_us now)
{
  return c->hold_until <= c->engine->hold_clock || now - c->held_since >= LF_HOLD_MAX_US;
}

static bool
is_starved (lf_live_env *env, lf_time_us now)
{
  int64_t cpu;
  if (!lf_sandbox_wants_cpu (env->sb, &cpu))
    return false;
  if (!env->starved_from)
    {
      env->starved_from = now;
      env->starved_cpu_us = cpu;
    }
  lf_time_us waited = now - env->starved_from;
  return (cpu - env->starved_cpu_us - LF_STARVED_TURN_US) * LF_STARVED_PART < waited;
}

typedef struct starving
{
  const lf_live_fn *fn;
  lf_time_us now;
  size_t n;
} starving;

static void
count_starved (const lf_env *core, void *user)
{
  starving *s = user;
  lf_live_env *env = core->user;
  if (env && env->fn == s->fn && env->sb && !env->dead && env->call && env->call->finishing)
    s->n += is_starved (env, s->now);
}

/* How many environments of the function have answered, and cannot ask for their next event because they get no CPU. */
static size_t
starved (lf_live_fn *fn, lf_time_us now)
{
  starving s = { .fn = fn, .now = now };
  lf_fleet_each (fn->engine->fleet, count_starved, &s);
  return s.n;
}

/* Those whose time is over get an environment of their own: the first ones, as only so many of them wait on as there are environments to wait for. Those
 * do so for a moment more, as who gets the CPU again must also be heard. */
static void
let_go (lf_live_fn *fn, lf_time_us now)
{
  size_t stay = fn->held && is_over (fn->held, now) ? starved (fn, now) : 0;
  while (fn->held && is_over (fn->held, now) && (fn->held_n > stay || now - fn->held->held_since >= LF_HOLD_MAX_US))
    invoke (take_first (fn));
  for (lf_call *c = fn->held; c && is_over (c, now); c = c->held_next)
    c->hold_until = fn->engine->hold_clock + LF_STARVED_AGAIN_US;
}

void
lf_hold_timer (uv_timer_t *t)
{
  lf_engine *e = t->data;
  lf_time_us now = lf_now_us ();
  int64_t passed = now - e->hold_ticked;
  bool more = false;
  e->hold_ticked = now;
  e->hold_clock += passed < 2 * LF_HOLD_TICK_US ? passed : 2 * LF_HOLD_TICK_US;
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    {
      let_go (fn, now);
      more = more || fn->held;
    }
  if (more)
    uv_timer_start (t, lf_hold_timer, LF_HOLD_TICK_US / 1000, 0);
}

void
lf_hold_release_all (lf_engine *e)
{
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    while (fn->held)
      invoke (take_first (fn));
}
