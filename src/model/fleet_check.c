/* SPDX-License-Identifier: Apache-2.0
 *
 * Every invariant of the fleet, for tests: the first sentence that is not true is returned.
 */
#include "fleet.h"

#define TRUE_OR_SAY(condition, sentence) \
  do \
    { \
      if (!(condition)) \
        return sentence; \
    } \
  while (0)

static const char *
broken_inv (const lf_env *e)
{
  const lf_inv *inv = e->inv;
  TRUE_OR_SAY (inv->env == e, "a bound invocation knows another environment");
  TRUE_OR_SAY (inv->fn == e->fn, "an environment serves another function's invocation");
  TRUE_OR_SAY (!inv->finished, "a finished invocation is still bound");
  TRUE_OR_SAY (inv->answered == inv->responded, "an unfinished invocation is answered without a response");
  TRUE_OR_SAY (!inv->responded || inv->delivered != LF_NONE, "a response came before the delivery");
  TRUE_OR_SAY (!inv->answered || inv->duration_us >= 0, "an answered invocation has no duration");
  TRUE_OR_SAY (inv->init_us == LF_NONE || inv->cold, "a warm invocation has a first init");
  TRUE_OR_SAY (inv->init_us == LF_NONE || inv->abandoned_init_us == LF_NONE, "a first init both succeeded and was abandoned");
  return NULL;
}

static const char *
broken_phase (const lf_env *e)
{
  switch (e->state)
    {
    case LF_ENV_STARTING:
      TRUE_OR_SAY (e->inv && e->inv->cold, "a starting environment has no cold invocation");
      TRUE_OR_SAY ((e->launched != LF_NONE) == (e->deadline != LF_NONE), "a first init has no limit, or a launch has one");
      TRUE_OR_SAY (!e->needs_init && !e->in_invoke_init && e->served == 0, "a starting environment was used before");
      return NULL;
    case LF_ENV_BUSY:
      TRUE_OR_SAY (e->inv, "a busy environment has no invocation");
      TRUE_OR_SAY (!e->needs_init, "a busy environment waits for an init that nobody asked for");
      TRUE_OR_SAY (e->inv->counted_from != LF_NONE, "a busy environment's duration does not run");
      TRUE_OR_SAY (e->in_invoke_init == (e->inv->delivered == LF_NONE),
          "a busy environment neither initialises nor serves, or does both");
      TRUE_OR_SAY (e->deadline != LF_NONE || e->fn->timeout_us == INT64_MAX, "a busy environment has no deadline");
      return NULL;
    case LF_ENV_IDLE:
      TRUE_OR_SAY (!e->inv && !e->in_invoke_init, "an idle environment is bound");
      TRUE_OR_SAY (e->idle_since != LF_NONE && e->served > 0, "an idle environment never served");
      TRUE_OR_SAY (!e->fn->removed && !e->fn->single_use, "an environment that should be gone is idle");
      TRUE_OR_SAY (!e->freeze_queued || (!e->frozen && !e->needs_init), "an environment waits to be frozen for nothing");
      return NULL;
    case LF_ENV_RESETTING:
      TRUE_OR_SAY (e->inv && e->deadline == LF_NONE, "a resetting environment has no invocation, or has a deadline");
      TRUE_OR_SAY (!e->init_overran || e->inv->abandoned_init_us == LF_NONE, "a first init was abandoned twice");
      return NULL;
    case LF_ENV_GONE:
      TRUE_OR_SAY (!e->inv && e->deadline == LF_NONE, "a gone environment is bound or has a deadline");
      return NULL;
    }
  return "an environment is in no state";
}

static const char *
broken_env (const lf_fleet *f, const lf_env *e)
{
  TRUE_OR_SAY (!f->shut || e->state == LF_ENV_GONE, "an environment outlives the shutdown");
  TRUE_OR_SAY (e->state == LF_ENV_IDLE || e->state == LF_ENV_GONE || !e->frozen, "an environment works while frozen");
  TRUE_OR_SAY (e->state == LF_ENV_IDLE || !e->freeze_queued, "an environment at work waits to be frozen");
  TRUE_OR_SAY (e->state == LF_ENV_RESETTING || !e->init_overran, "an init overran that is not being killed");
  TRUE_OR_SAY ((e->deadline != LF_NONE) == (e->heap_pos != 0), "a deadline is not in the heap, or the heap has one too many");
  TRUE_OR_SAY (e->deadline == LF_NONE || (e->deadline >= f->now && f->heap[e->heap_pos].at <= e->deadline && f->heap[e->heap_pos].at == e->heap_at), "a deadline has passed unseen");
  TRUE_OR_SAY (!e->heap_pos || (e->heap_pos <= f->heap_n && f->heap[e->heap_pos].env == e),
      "an environment is not where it is in the heap");
  const char *broken = e->inv ? broken_inv (e) : NULL;
  return broken ? broken : broken_phase (e);
}

static const char *
broken_orders (const lf_fleet *f)
{
  for (size_t i = 2; i <= f->heap_n; i++)
    TRUE_OR_SAY (f->heap[i / 2].at <= f->heap[i].at, "the heap is out of order");
  TRUE_OR_SAY (f->heap_n == 0 || f->heap[1].at == f->heap[1].env->deadline, "the first deadline is not exact");
  const lf_env *before = NULL;
  size_t n = 0;
  for (const lf_env *e = f->freeze_first; e; before = e, e = e->freeze_next, n++)
    {
      TRUE_OR_SAY (e->freeze_queued && e->freeze_prev == before && n <= f->envs, "the queue to be frozen is not linked");
      TRUE_OR_SAY (e->freeze_at >= (before ? before->freeze_at : f->now), "the queue to be frozen is out of order");
    }
  TRUE_OR_SAY (f->freeze_last == before, "the queue to be frozen ends elsewhere");
  return NULL;
}

static const char *
broken_fn (const lf_fleet *f, const lf_fleet_fn *fn)
{
  const lf_env *before = NULL;
  size_t n = 0;
  for (const lf_env *e = fn->idle_first; e; before = e, e = e->lru_next, n++)
    {
      TRUE_OR_SAY (e->state == LF_ENV_IDLE && e->fn == fn && e->lru_prev == before && n < fn->envs, "the idle list is not linked");
      TRUE_OR_SAY (!before || e->idle_since <= before->idle_since, "the idle list is not in order of use");
      TRUE_OR_SAY (f->o.pick != LF_PICK_NEWEST || (e->pick_pos && fn->newest[e->pick_pos] == e),
          "an idle environment is not to be found by age");
    }
  TRUE_OR_SAY (fn->idle_last == before, "the idle list ends elsewhere");
  TRUE_OR_SAY (n == fn->counts.idle, "idle environments are miscounted");
  TRUE_OR_SAY (f->o.pick != LF_PICK_NEWEST || fn->newest_n == n, "the order by age has other environments");
  for (size_t i = 2; i <= fn->newest_n; i++)
    TRUE_OR_SAY (fn->newest[i / 2]->serial > fn->newest[i]->serial, "the order by age is wrong");
  TRUE_OR_SAY (fn->in_flight == (int64_t) (fn->counts.busy + fn->counts.starting), "invocations in flight are not those at work");
  TRUE_OR_SAY (fn->counts.environments == fn->counts.busy + fn->counts.starting + n, "environments are miscounted");
  return NULL;
}

/* Looked at with the first of its functions. */
static const char *
broken_share (const lf_fleet *f, const lf_fleet_fn *first, int64_t *reserved)
{
  const lf_fl_share *s = first->share;
  size_t refs = 0, members = 0;
  int64_t in_flight = 0;
  for (const lf_fleet_fn *fn = f->fns; fn && fn != first; fn = fn->next)
    if (fn->share == s)
      return NULL;
  for (const lf_fleet_fn *fn = first; fn; fn = fn->next)
    if (fn->share == s)
      {
        refs++;
        members += !fn->removed;
        in_flight += fn->in_flight;
      }
  *reserved += s->reserved == LF_NONE ? 0 : s->reserved;
  TRUE_OR_SAY (refs == s->refs && members == s->members && in_flight == s->in_flight, "what functions share is miscounted");
  TRUE_OR_SAY (members > 0 || s->reserved == LF_NONE, "a removed function still has its reservation");
  return NULL;
}

const char *
lf_fleet_broken (const lf_fleet *f)
{
  size_t envs = 0, deadlines = 0, queued = 0, waiting = 0;
  for (const lf_env *e = f->all; e; e = e->all_next, envs++)
    {
      const char *broken = broken_env (f, e);
      if (broken)
        return broken;
      deadlines += e->heap_pos != 0;
      queued += e->freeze_queued;
    }
  const char *broken = broken_orders (f);
  if (broken)
    return broken;
  for (const lf_env *e = f->freeze_first; e; e = e->freeze_next)
    waiting++;
  TRUE_OR_SAY (envs == f->envs, "the fleet's environments are miscounted");
  TRUE_OR_SAY (deadlines == f->heap_n, "the heap has environments that are not the fleet's");
  TRUE_OR_SAY (queued == waiting, "the queue to be frozen has lost some");
  int64_t in_flight = 0, pool = 0, reserved = 0;
  size_t live = 0;
  for (const lf_fleet_fn *fn = f->fns; fn; fn = fn->next)
    {
      if ((broken = broken_fn (f, fn)) || (broken = broken_share (f, fn, &reserved)))
        return broken;
      in_flight += fn->in_flight;
      pool += fn->share->reserved == LF_NONE ? fn->in_flight : 0;
      live += fn->counts.environments;
    }
  TRUE_OR_SAY (in_flight == f->in_flight && pool == f->pool_in_flight, "invocations in flight are miscounted");
  TRUE_OR_SAY (reserved == f->reserved_sum, "reservations are miscounted");
  TRUE_OR_SAY (live == f->counts.environments, "the counts of functions and fleet differ");
  TRUE_OR_SAY (f->in_flight <= f->concurrency, "more invocations are in flight than the account may have");
  return NULL;
}
