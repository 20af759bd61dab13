/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet: every execution environment of every function, and every decision about them.
 *
 * It is a state machine and nothing else. Events and the time go in through lf_fleet_step; effects come out, in the order in which
 * they are to be carried out. The daemon carries them out with sandboxes, the simulator with a virtual clock. docs/life-cycle.md is
 * the table of states, events and effects. The rules behind the table:
 *
 *   Admission. An invocation is in flight from LF_EV_INVOKE to LF_FX_FINISH. A function with reserved concurrency has exactly that
 *     much; the others share what is left of the account. The request rate is a continuous bucket of one second's worth; only
 *     requests that got in count. New environments come out of the scaling bucket: each function's own (2026) or the account's
 *     (2020). What is refused is answered and finished in the same step: throttled, or rejected when the function is removed or the
 *     fleet is shut down. A refused invocation has no environment and no times but `received` and `ended`.
 *
 *   Placement. The most recently used idle environment; one whose process died is as good as another (its /tmp is warm). None idle:
 *     a new one.
 *
 *   Time. Init has its own limit and is not part of the duration. An init that fails or overruns is run once more inside the
 *     invocation: from then on the function's timeout runs and its time is duration. So it is in an environment whose process died
 *     earlier. A deadline that has passed beats an event that arrives with it or after it, and when several have passed they are
 *     handled in order of their time, each as if the step had been made then.
 *
 *   Reset. After a crash or a timeout the process is gone and the environment stays, idle and in need of init. A process that is
 *     killed for a timeout keeps its invocation until LF_EV_EXIT says that it is gone; what it says in between is not heard.
 *
 *   Shutdown. Invocations that were not answered end as crashed; those that were keep their status.
 *
 * Cost. A step costs the logarithm of the number of deadlines and does not grow with idle environments. LF_EV_REMOVE_FN and
 * LF_EV_SHUTDOWN visit what they destroy. Everything that can fail for want of memory is done before anything changes.
 */
#include "fleet.h"

#include <stdlib.h>

/* ---- making and freeing ------------------------------------------------------------------------------------------------------ */

static void
scaling_set (const lf_profile *p, lf_bucket *b, int64_t tokens)
{
  lf_fl_bucket_set (b, tokens, p->scaling_period_ms * 1000, p->scaling_step, true);
}

lf_fleet *
lf_fleet_new (const lf_fleet_options *o)
{
  lf_fleet *f = calloc (1, sizeof *f);
  if (!f)
    return NULL;
  f->o = *o;
  f->now = LF_NONE;
  f->concurrency = o->concurrency == LF_NONE ? o->profile->concurrency_account : o->concurrency;
  f->init_max_us = o->profile->init_max_ms * 1000;
  lf_fl_rates_set (f, NULL, true);
  scaling_set (o->profile, &f->scale, o->profile->scaling_burst);
  return f;
}

static void
free_fn (lf_fleet *f, lf_fleet_fn *fn)
{
  *(fn->prev ? &fn->prev->next : &f->fns) = fn->next;
  if (fn->next)
    fn->next->prev = fn->prev;
  if (--fn->share->refs == 0)
    free (fn->share);
  free (fn->newest);
  free (fn);
}

void
lf_fleet_free (lf_fleet *f)
{
  if (!f)
    return;
  while (f->all)
    lf_fl_forget_env (f, f->all);
  while (f->fns)
    free_fn (f, f->fns);
  free (f->heap);
  free (f->spare);
  free (f);
}

/* Milliseconds of a setting, its default when it is absent, as microseconds; INT64_MAX when there is neither. */
static int64_t
setting_us (int64_t ms, int64_t otherwise_ms)
{
  if (ms == LF_NONE)
    ms = otherwise_ms;
  if (ms == LF_NONE || ms > INT64_MAX / 1000)
    return INT64_MAX;
  return ms > 0 ? ms * 1000 : 0;
}

static lf_fl_share *
share_new (lf_fleet *f, const lf_function *config)
{
  lf_fl_share *s = calloc (1, sizeof *s);
  if (!s)
    return NULL;
  s->reserved = config->reserved == LF_NONE || config->reserved >= 0 ? config->reserved : 0;
  if (s->reserved != LF_NONE)
    f->reserved_sum += s->reserved;
  lf_fl_rates_set (f, s, true);
  scaling_set (f->o.profile, &s->scale, f->o.profile->scaling_step);
  return s;
}

lf_fleet_fn *
lf_fleet_add_sharing (lf_fleet *f, const lf_function *config, void *user, lf_fleet_fn *with)
{
  lf_fleet_fn *fn = calloc (1, sizeof *fn);
  if (!fn || !(fn->share = with ? with->share : share_new (f, config)))
    {
      free (fn);
      return NULL;
    }
  const lf_profile *p = f->o.profile;
  fn->share->refs++;
  fn->share->members++;
  fn->fleet = f;
  fn->config = config;
  fn->user = user;
  fn->timeout_us = setting_us (config->timeout_ms, p->timeout_default_s * 1000);
  fn->keepalive_us = setting_us (config->keepalive_ms, p->keepalive_ms);
  fn->life_us = setting_us (config->life_ms, LF_NONE);
  fn->single_use = config->single_use;
  fn->next = f->fns;
  if (f->fns)
    f->fns->prev = fn;
  f->fns = fn;
  return fn;
}

lf_fleet_fn *
lf_fleet_add (lf_fleet *f, const lf_function *config, void *user)
{
  return lf_fleet_add_sharing (f, config, user, NULL);
}

bool
lf_fleet_forget (lf_fleet *f, lf_fleet_fn *fn)
{
  if (!fn->removed || fn->envs > 0 || fn->in_flight > 0)
    return false;
  free_fn (f, fn);
  return true;
}

/* ---- reserved concurrency ---------------------------------------------------------------------------------------------------- */

void
lf_fleet_end_single_use (lf_fleet_fn *fn)
{
  fn->single_use = false;
}

int
lf_fleet_set_reserved (lf_fleet *f, lf_fleet_fn *fn, int64_t reserved, lf_error *err)
{
  lf_fl_share *s = fn->share;
  int64_t before = s->reserved == LF_NONE ? 0 : s->reserved, after = reserved == LF_NONE ? 0 : reserved;
  /* A new account has fewer than the minimum altogether: it may give up none, but may set nought. */
  int64_t keep = f->o.profile->concurrency_unreserved_min;
  if (keep > f->concurrency)
    keep = f->concurrency;
  if (after < 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "reserved concurrency", "give a number from 0 on", "%lld is not a number of environments",
                    (long long) after);
  if (after > before && after > f->concurrency - keep - (f->reserved_sum - before))
    return LF_FAIL (err, LF_EXIT_USAGE, "reserved concurrency", "reserve less, here or for another function",
                    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                    "its minimum value of [%lld].", (long long) keep);
  if (s->reserved == LF_NONE && reserved != LF_NONE)
    f->pool_in_flight -= s->in_flight;
  else if (s->reserved != LF_NONE && reserved == LF_NONE)
    f->pool_in_flight += s->in_flight;
  bool first = s->reserved == LF_NONE;
  f->reserved_sum += after - before;
  s->reserved = reserved;
  lf_fl_rates_set (f, s, first);
  return 0;
}

int64_t
lf_fleet_reserved (const lf_fleet_fn *fn)
{
  return fn->share->reserved;
}

int64_t
lf_fleet_concurrency (const lf_fleet *f)
{
  return f->concurrency;
}

int64_t
lf_fleet_unreserved (const lf_fleet *f)
{
  return f->reserved_sum < f->concurrency ? f->concurrency - f->reserved_sum : 0;
}

/* ---- stepping ---------------------------------------------------------------------------------------------------------------- */

/* The most effects that one event can have by itself. */
static size_t
effects_max (const lf_fleet *f, const lf_event *ev)
{
  if (ev->type == LF_EV_SHUTDOWN)
    return 3 * f->counts.environments;
  return ev->type == LF_EV_REMOVE_FN ? ev->fn->counts.idle : 4;
}

static int
effects_reserve (lf_effects *fx, size_t extra)
{
  if (fx->cap - fx->n >= extra)
    return 0;
  size_t cap = fx->cap ? fx->cap * 2 : 16;
  while (cap - fx->n < extra)
    cap *= 2;
  lf_effect *v = realloc (fx->v, cap * sizeof *v);
  if (!v)
    return -1;
  fx->v = v;
  fx->cap = cap;
  return 0;
}

void
lf_effects_fini (lf_effects *fx)
{
  if (!fx)
    return;
  free (fx->v);
  *fx = (lf_effects) { 0 };
}

/* The first deadline is exact between steps, so mostly this is all there is to look at. */
static inline bool
anything_due (const lf_fleet *f, lf_time_us now)
{
  return (f->heap_n && f->heap[1].at <= now) || (f->freeze_first && f->freeze_first->freeze_at <= now);
}

/* All the memory that a step can need. A deadline and a freeze have one effect each and bring no further deadline. */
static int
reserve (lf_fleet *f, const lf_event *ev, lf_time_us now, lf_effects *fx)
{
  size_t due = anything_due (f, now) ? lf_fl_deadlines_due (f, now) + lf_fl_freezes_due (f, now) : 0;
  if (effects_reserve (fx, due + effects_max (f, ev)) != 0)
    return -1;
  if (ev->type != LF_EV_INVOKE)
    return 0;
  if (f->envs + 2 > f->heap_cap && lf_fl_deadlines_reserve (f, f->envs + 1) != 0)
    return -1;
  if (f->o.pick == LF_PICK_NEWEST && lf_fl_newest_reserve (ev->fn, ev->fn->envs + 1) != 0)
    return -1;
  if (!f->spare)
    f->spare = malloc (sizeof *f->spare);
  return f->spare ? 0 : -1;
}

static void
handle_due (lf_fleet *f, lf_time_us now, lf_effects *fx)
{
  for (;;)
    {
      lf_fl_deadline_settle (f);
      lf_env *d = f->heap_n ? f->heap[1].env : NULL, *z = f->freeze_first;
      bool deadline = d && d->deadline <= now, freeze = z && z->freeze_at <= now;
      if (!deadline && !freeze)
        return;
      bool take_deadline = deadline && (!freeze || d->deadline <= z->freeze_at);
      lf_time_us at = take_deadline ? d->deadline : z->freeze_at;
      if (at > f->now)
        f->now = at;
      if (take_deadline)
        lf_fl_deadline (f, d, fx);
      else
        lf_fl_freeze (f, z, fx);
    }
}

int
lf_fleet_step (lf_fleet *f, const lf_event *ev, lf_time_us now, lf_effects *fx)
{
  if (now < f->now)
    now = f->now;
  if (reserve (f, ev, now, fx) != 0)
    return -1;
  if (anything_due (f, now))
    handle_due (f, now, fx);
  f->now = now;
  lf_fl_event (f, ev, fx);
  lf_fl_deadline_settle (f);
  return 0;
}

lf_time_us
lf_fleet_next (const lf_fleet *f)
{
  lf_time_us at = f->heap_n ? f->heap[1].at : LF_NONE;
  if (f->freeze_first && (at == LF_NONE || f->freeze_first->freeze_at < at))
    at = f->freeze_first->freeze_at;
  return at;
}

const lf_env *
lf_fleet_overdue (const lf_fleet *f, lf_time_us at)
{
  const lf_env *e = f->heap_n && f->heap[1].at <= at ? f->heap[1].env : NULL;
  return e && (e->state == LF_ENV_BUSY || e->state == LF_ENV_STARTING) ? e : NULL;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------- */

void *
lf_fleet_fn_user (const lf_fleet_fn *fn)
{
  return fn->user;
}

const lf_function *
lf_fleet_fn_config (const lf_fleet_fn *fn)
{
  return fn->config;
}

int64_t
lf_fleet_in_flight (const lf_fleet *f, const lf_fleet_fn *fn)
{
  return fn ? fn->in_flight : f->in_flight;
}

void
lf_fleet_count (const lf_fleet *f, const lf_fleet_fn *fn, lf_fleet_counts *out)
{
  *out = fn ? fn->counts : f->counts;
}

void
lf_fleet_each (const lf_fleet *f, void (*visit) (const lf_env *e, void *user), void *user)
{
  for (const lf_env *e = f->all; e; e = e->all_next)
    visit (e, user);
}

lf_time_us
lf_env_keepalive_left (const lf_fleet *f, const lf_env *e, lf_time_us now)
{
  if (e->state != LF_ENV_IDLE || e->deadline == LF_NONE)
    return LF_NONE;
  if (now < f->now)
    now = f->now;
  return e->deadline > now ? e->deadline - now : 0;
}

const char *
lf_env_state_name (lf_env_state s)
{
  switch (s)
    {
    case LF_ENV_STARTING:
      return "starting";
    case LF_ENV_BUSY:
    case LF_ENV_RESETTING:
      return "busy";
    case LF_ENV_IDLE:
      return "idle";
    case LF_ENV_GONE:
      break;
    }
  return "gone";
}

const char *
lf_env_end_name (lf_env_end e)
{
  static const char *const names[] = {
    [LF_END_KEEPALIVE] = "keepalive", [LF_END_LIFE] = "life", [LF_END_SINGLE_USE] = "single_use",
    [LF_END_SHUTDOWN] = "shutdown", [LF_END_START_FAILED] = "start_failed", [LF_END_REMOVED] = "removed",
  };
  return (size_t) e < LF_ARRAY_LEN (names) ? names[e] : "unknown";
}
