/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to an environment and to the invocation bound to it, event by event. docs/life-cycle.md has the same as a table.
 */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

/* ---- small parts ------------------------------------------------------------------------------------------------------------- */

void
lf_fl_destroy (lf_fleet *f, lf_env *e, lf_env_end end, lf_effects *fx)
{
  if (e->state == LF_ENV_IDLE)
    {
      lf_fl_idle_remove (f, e);
      lf_fl_freeze_unqueue (f, e);
    }
  lf_fl_deadline_set (f, e, LF_NONE);
  lf_fl_state (e, LF_ENV_GONE);
  e->in_invoke_init = e->init_overran = false;
  lf_fl_emit (fx, LF_FX_DESTROY, e, NULL);
  fx->v[fx->n - 1].end = end;
}

void
lf_fl_freeze (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  lf_fl_freeze_unqueue (f, e);
  e->frozen = true;
  lf_fl_emit (fx, LF_FX_FREEZE, e, NULL);
}

static void
kill_env (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  lf_fl_state (e, LF_ENV_RESETTING);
  lf_fl_deadline_set (f, e, LF_NONE);
  lf_fl_emit (fx, LF_FX_KILL, e, e->inv);
}

/* ---- the end of an invocation ------------------------------------------------------------------------------------------------ */

static void
answer (lf_fleet *f, lf_env *e, lf_status status, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  inv->status = status;
  inv->answered = true;
  if (inv->counted_from != LF_NONE && inv->duration_us == LF_NONE)
    inv->duration_us = f->now - inv->counted_from;
  lf_fl_emit (fx, LF_FX_ANSWER, e, inv);
}

static void
finish (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  inv->finished = true;
  inv->ended = f->now;
  e->inv = NULL;
  e->served++;
  f->in_flight--;
  e->fn->in_flight--;
  e->fn->share->in_flight--;
  if (e->fn->share->reserved == LF_NONE)
    f->pool_in_flight--;
  lf_fl_emit (fx, LF_FX_FINISH, e, inv);
}

/* What ran after the answer is part of the duration, but a difference that no one is billed for is not worth writing again. */
/* Never over the timeout: an answer that was looked for late may have its end after it. */
static void
grow_duration (const lf_env *e, lf_time_us now)
{
  lf_inv *inv = e->inv;
  int64_t d = now - inv->counted_from;
  if (d > e->fn->timeout_us)
    d = e->fn->timeout_us;
  if ((d + 999) / 1000 > (inv->duration_us + 999) / 1000)
    inv->duration_us = d;
}

static void
become_idle (lf_fleet *f, lf_env *e, bool needs_init, lf_effects *fx)
{
  lf_fleet_fn *fn = e->fn;
  lf_time_us life_end = lf_fl_after (e->created, fn->life_us), keep_end = lf_fl_after (f->now, fn->keepalive_us);
  e->needs_init = needs_init;
  e->in_invoke_init = false;
  e->idle_since = f->now;
  if (fn->removed)
    lf_fl_destroy (f, e, LF_END_REMOVED, fx);
  else if (fn->single_use)
    lf_fl_destroy (f, e, LF_END_SINGLE_USE, fx);
  else if (life_end <= f->now)
    lf_fl_destroy (f, e, LF_END_LIFE, fx);
  else if (keep_end <= f->now)
    lf_fl_destroy (f, e, LF_END_KEEPALIVE, fx);
  else
    {
      lf_fl_state (e, LF_ENV_IDLE);
      lf_fl_idle_push (f, e);
      lf_fl_deadline_set (f, e, life_end < keep_end ? life_end : keep_end);
      if (needs_init || f->o.freeze_delay_us < 0)
        return; /* there is no process to freeze, or nobody wants it frozen */
      if (f->o.freeze_delay_us == 0)
        lf_fl_freeze (f, e, fx);
      else
        lf_fl_freeze_queue (f, e, lf_fl_after (f->now, f->o.freeze_delay_us));
    }
}

/* ---- init -------------------------------------------------------------------------------------------------------------------- */

static void
launched (lf_fleet *f, lf_env *e, lf_time_us at)
{
  if (e->state != LF_ENV_STARTING || e->launched != LF_NONE)
    return;
  if (at == 0 || at > f->now)
    at = f->now;
  if (at < e->inv->received)
    at = e->inv->received;
  e->launched = e->inv->begun = at;
  e->inv->wait_us = at - e->inv->received;
  lf_fl_deadline_set (f, e, lf_fl_after (at, f->init_max_us));
}

/* The first init came to nothing: it runs once more, as a part of the invocation and under its timeout. */
static void
abandon (lf_fleet *f, lf_env *e, lf_status why, int64_t init_us, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  inv->abandoned_status = why;
  inv->abandoned_init_us = init_us;
  inv->counted_from = f->now;
  e->init_overran = false;
  e->in_invoke_init = true;
  lf_fl_state (e, LF_ENV_BUSY);
  lf_fl_deadline_set (f, e, lf_fl_after (f->now, e->fn->timeout_us));
  lf_fl_emit (fx, LF_FX_ABANDONED, e, inv);
  lf_fl_emit (fx, LF_FX_RESTART, e, inv);
}

/* ---- the runtime speaks ------------------------------------------------------------------------------------------------------ */

void
lf_fl_deliver (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  e->in_invoke_init = false;
  e->inv->delivered = f->now;
  memset (&e->inv->exit, 0, sizeof e->inv->exit); /* a failed first init did not end this invocation */
  lf_fl_emit (fx, LF_FX_DELIVER, e, e->inv);
}

static void
next (lf_fleet *f, lf_env *e, int64_t own_us, lf_effects *fx)
{
  if (e->state == LF_ENV_STARTING)
    {
      launched (f, e, 0); /* in case the driver saw the runtime speak before it saw the exec */
      e->inv->init_us = f->now - e->launched;
      e->inv->counted_from = f->now;
      lf_fl_state (e, LF_ENV_BUSY);
      lf_fl_deadline_set (f, e, lf_fl_after (f->now, e->fn->timeout_us));
      lf_fl_deliver (f, e, fx);
    }
  else if (e->state == LF_ENV_BUSY && e->in_invoke_init)
    lf_fl_deliver (f, e, fx);
  else if (e->state == LF_ENV_BUSY && !e->inv->responded)
    lf_fl_emit (fx, LF_FX_DELIVER, e, e->inv); /* asking again gets the same event again */
  else if (e->state == LF_ENV_BUSY)
    {
      grow_duration (e, f->now - own_us);
      finish (f, e, fx);
      become_idle (f, e, false, fx);
    }
}

static void
response (lf_fleet *f, lf_env *e, lf_status status, int64_t own_us, lf_effects *fx)
{
  if (e->state != LF_ENV_BUSY || e->in_invoke_init || e->inv->responded)
    return;
  e->inv->responded = true;
  e->inv->response_at = f->now;
  if (own_us > 0)
    lf_fl_deadline_set (f, e, lf_fl_after (e->deadline, own_us));
  answer (f, e, status == LF_ST_OK ? LF_ST_OK : LF_ST_FUNCTION_ERROR, fx);
}

/* ---- the process ends -------------------------------------------------------------------------------------------------------- */

static void
exit_busy (lf_fleet *f, lf_env *e, const lf_exit_info *how, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  inv->exit = *how;
  if (inv->responded)
    grow_duration (e, f->now);
  else
    answer (f, e, how->oom ? LF_ST_OUT_OF_MEMORY : e->in_invoke_init ? LF_ST_INIT_ERROR : LF_ST_CRASH, fx);
  finish (f, e, fx);
  become_idle (f, e, true, fx);
}

/* The end of an invocation whose function overran its timeout. */
static void
timed_out (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  bool init_again = e->in_invoke_init && inv->abandoned_status == LF_ST_INIT_TIMEOUT;
  memset (&inv->exit, 0, sizeof inv->exit); /* the timeout ended it, not the process */
  inv->duration_us = e->fn->timeout_us;     /* exactly: how long the kill took is nobody's bill */
  if (inv->answered)
    inv->status = LF_ST_TIMEOUT;
  else
    answer (f, e, init_again ? LF_ST_INIT_TIMEOUT : LF_ST_TIMEOUT, fx);
  finish (f, e, fx);
}

/* The process that was killed for a timeout is gone. */
static void
exit_reset (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  if (e->init_overran)
    {
      abandon (f, e, LF_ST_INIT_TIMEOUT, f->init_max_us, fx);
      return;
    }
  timed_out (f, e, fx);
  become_idle (f, e, true, fx);
}

static void
process_exit (lf_fleet *f, lf_env *e, const lf_exit_info *how, lf_effects *fx)
{
  switch (e->state)
    {
    case LF_ENV_STARTING:
      launched (f, e, 0); /* an exec that failed is an init of no length */
      e->inv->exit = *how;
      abandon (f, e, LF_ST_INIT_ERROR, f->now - e->launched, fx);
      break;
    case LF_ENV_BUSY:
      exit_busy (f, e, how, fx);
      break;
    case LF_ENV_RESETTING:
      exit_reset (f, e, fx);
      break;
    case LF_ENV_IDLE:
      e->needs_init = true;
      lf_fl_freeze_unqueue (f, e);
      break;
    case LF_ENV_GONE:
      break;
    }
}

/* ---- the end of an environment ----------------------------------------------------------------------------------------------- */

/* Ends whatever is bound to an environment that will serve no more. */
static void
cut_short (lf_fleet *f, lf_env *e, lf_status status, const lf_exit_info *how, lf_effects *fx)
{
  lf_inv *inv = e->inv;
  if (!inv)
    return;
  if (e->state == LF_ENV_RESETTING && !e->init_overran)
    {
      timed_out (f, e, fx);
      return;
    }
  inv->exit = *how;
  if (inv->answered)
    grow_duration (e, f->now);
  else
    answer (f, e, status, fx);
  finish (f, e, fx);
}

/* No sandbox could be made, or it is lost while its environment lives. */
static void
launch_failed (lf_fleet *f, lf_env *e, const lf_event *ev, lf_effects *fx)
{
  if (e->state == LF_ENV_GONE)
    return;
  if (e->inv && e->inv->wait_us == LF_NONE)
    e->inv->wait_us = f->now - e->inv->received;
  cut_short (f, e, ev->status == LF_ST_OK ? LF_ST_CRASH : ev->status, &ev->exit, fx);
  lf_fl_destroy (f, e, LF_END_START_FAILED, fx);
}

void
lf_fl_forget_env (lf_fleet *f, lf_env *e)
{
  *(e->all_prev ? &e->all_prev->all_next : &f->all) = e->all_next;
  if (e->all_next)
    e->all_next->all_prev = e->all_prev;
  f->envs--;
  e->fn->envs--;
  free (e);
}

/* A sandbox may also vanish unasked; then its environment is lost without LF_FX_DESTROY. */
static void
gone (lf_fleet *f, lf_env *e, const lf_event *ev, lf_effects *fx)
{
  if (e->state != LF_ENV_GONE)
    {
      cut_short (f, e, LF_ST_CRASH, &ev->exit, fx);
      lf_fl_destroy (f, e, LF_END_SHUTDOWN, fx);
      fx->n--;
    }
  lf_fl_forget_env (f, e);
}

static void
remove_fn (lf_fleet *f, lf_fleet_fn *fn, lf_effects *fx)
{
  if (fn->removed)
    return;
  fn->removed = true;
  lf_fl_share *s = fn->share;
  if (--s->members == 0 && s->reserved != LF_NONE)
    {
      f->reserved_sum -= s->reserved;
      f->pool_in_flight += s->in_flight;
      s->reserved = LF_NONE;
      lf_fl_rates_set (f, NULL, false);
    }
  while (fn->idle_first)
    lf_fl_destroy (f, fn->idle_first, LF_END_REMOVED, fx);
}

static void
shut_down (lf_fleet *f, lf_effects *fx)
{
  static const lf_exit_info nothing = { 0 };
  f->shut = true;
  for (lf_env *e = f->all; e; e = e->all_next)
    if (e->state != LF_ENV_GONE)
      {
        cut_short (f, e, LF_ST_CRASH, &nothing, fx);
        lf_fl_destroy (f, e, LF_END_SHUTDOWN, fx);
      }
}

/* ---- dispatch ---------------------------------------------------------------------------------------------------------------- */

void
lf_fl_deadline (lf_fleet *f, lf_env *e, lf_effects *fx)
{
  switch (e->state)
    {
    case LF_ENV_STARTING:
      e->init_overran = true;
      kill_env (f, e, fx);
      break;
    case LF_ENV_BUSY:
      kill_env (f, e, fx);
      break;
    case LF_ENV_IDLE:
      lf_fl_destroy (f, e, lf_fl_after (e->created, e->fn->life_us) <= f->now ? LF_END_LIFE : LF_END_KEEPALIVE, fx);
      break;
    case LF_ENV_RESETTING:
    case LF_ENV_GONE:
      break; /* these have none */
    }
}

void
lf_fl_event (lf_fleet *f, const lf_event *ev, lf_effects *fx)
{
  switch (ev->type)
    {
    case LF_EV_INVOKE:
      lf_fl_invoke (f, ev->fn, ev->inv, fx);
      break;
    case LF_EV_LAUNCHED:
      launched (f, ev->env, ev->at);
      break;
    case LF_EV_LAUNCH_FAILED:
      launch_failed (f, ev->env, ev, fx);
      break;
    case LF_EV_NEXT:
      next (f, ev->env, ev->own_us, fx);
      break;
    case LF_EV_RESPONSE:
      response (f, ev->env, ev->status, ev->own_us, fx);
      break;
    case LF_EV_EXIT:
      process_exit (f, ev->env, &ev->exit, fx);
      break;
    case LF_EV_GONE:
      gone (f, ev->env, ev, fx);
      break;
    case LF_EV_TICK:
      break;
    case LF_EV_REMOVE_FN:
      remove_fn (f, ev->fn, fx);
      break;
    case LF_EV_SHUTDOWN:
      shut_down (f, fx);
      break;
    }
}
