/* SPDX-License-Identifier: Apache-2.0
 *
 * Who gets in, and where: concurrency (reserved, unreserved, the account's), the request rate, the scaling rate, and the choice
 * between an idle environment and a new one.
 */
#include "fleet.h"

#include <string.h>

#define RESERVED_CONCURRENCY "ReservedFunctionConcurrentInvocationLimitExceeded"
#define CONCURRENCY "ConcurrentInvocationLimitExceeded"
#define RESERVED_RATE "ReservedFunctionInvocationRateLimitExceeded"
#define RATE "FunctionInvocationRateLimitExceeded"

/* ---- token buckets ----------------------------------------------------------------------------------------------------------- */

static int64_t
product (int64_t a, int64_t b)
{
  if (a <= 0 || b <= 0)
    return 0;
  return a > INT64_MAX / 4 / b ? INT64_MAX / 4 : a * b; /* /4: sums of two levels stay in range */
}

void
lf_fl_bucket_set (lf_bucket *b, int64_t tokens, int64_t unit, int64_t rate, bool fill)
{
  b->unit = unit > 0 ? unit : 1;
  b->rate = rate > 0 ? rate : 0;
  b->cap = product (tokens, b->unit);
  if (fill)
    b->at = LF_NONE;
  if (b->at == LF_NONE)
    b->level = b->cap; /* full until it is first used */
  else if (b->level > b->cap)
    b->level = b->cap;
}

static void
bucket_refill (lf_bucket *b, lf_time_us now)
{
  if (b->at != LF_NONE && b->rate > 0 && b->level < b->cap)
    {
      int64_t elapsed = now - b->at, missing = b->cap - b->level;
      b->level = elapsed > missing / b->rate ? b->cap : b->level + elapsed * b->rate;
    }
  b->at = now;
}

/* Milliseconds until there is a token, at least 1; LF_NONE when there never will be one. */
static int64_t
bucket_wait_ms (const lf_bucket *b)
{
  if (b->rate <= 0 || b->cap < b->unit)
    return LF_NONE;
  int64_t us = (b->unit - b->level + b->rate - 1) / b->rate;
  return us > 1000 ? (us + 999) / 1000 : 1;
}

/* ---- admission --------------------------------------------------------------------------------------------------------------- */

/* The request rate that belongs to a function: its own when it has reserved concurrency, else the pool's. s NULL: only the
   pool. */
void
lf_fl_rates_set (lf_fleet *f, lf_fl_share *s, bool fill)
{
  int64_t per = f->o.profile->requests_per_concurrency, pool = lf_fleet_unreserved (f);
  if (f->now != LF_NONE)
    bucket_refill (&f->rate, f->now);
  lf_fl_bucket_set (&f->rate, product (per, pool), 1000000, product (per, pool), fill && !s);
  if (!s || s->reserved == LF_NONE)
    return;
  if (!fill && f->now != LF_NONE)
    bucket_refill (&s->rate, f->now); /* time that passed is worth what it was worth then */
  lf_fl_bucket_set (&s->rate, product (per, s->reserved), 1000000, product (per, s->reserved), fill);
}

static void
refuse (lf_inv *inv, lf_status status, const char *reason, int64_t retry_after_ms, lf_effects *fx)
{
  inv->status = status;
  inv->throttle_reason = reason;
  inv->retry_after_ms = retry_after_ms;
  inv->answered = inv->finished = true;
  inv->ended = inv->received;
  lf_fl_emit (fx, LF_FX_ANSWER, NULL, inv);
  lf_fl_emit (fx, LF_FX_FINISH, NULL, inv);
}

static const char *
over_concurrency (const lf_fleet *f, const lf_fl_share *s)
{
  if (s->reserved != LF_NONE && s->in_flight >= s->reserved)
    return RESERVED_CONCURRENCY;
  if (s->reserved == LF_NONE && f->pool_in_flight >= lf_fleet_unreserved (f))
    return CONCURRENCY;
  /* Only after a reservation changed under running invocations can the parts add up to more than the account has. */
  return f->in_flight >= f->concurrency ? CONCURRENCY : NULL;
}

static lf_bucket *
scaling_bucket (lf_fleet *f, lf_fleet_fn *fn)
{
  return f->o.profile->scaling_per_function ? &fn->share->scale : &f->scale;
}

/* ---- placement --------------------------------------------------------------------------------------------------------------- */

static void
inv_reset (lf_inv *inv, lf_fleet_fn *fn, lf_time_us now)
{
  inv->fn = fn;
  inv->env = NULL;
  inv->cold = inv->responded = inv->finished = inv->answered = false;
  inv->status = LF_ST_OK;
  inv->received = now;
  inv->begun = inv->delivered = inv->response_at = inv->ended = inv->counted_from = LF_NONE;
  inv->wait_us = inv->init_us = inv->duration_us = inv->abandoned_init_us = LF_NONE;
  inv->abandoned_status = LF_ST_OK;
  memset (&inv->exit, 0, sizeof inv->exit);
  inv->throttle_reason = NULL;
  inv->retry_after_ms = LF_NONE;
}

static void
bind (lf_fleet *f, lf_env *e, lf_inv *inv)
{
  e->inv = inv;
  inv->env = e;
  f->in_flight++;
  e->fn->in_flight++;
  e->fn->share->in_flight++;
  if (e->fn->share->reserved == LF_NONE)
    f->pool_in_flight++;
}

static void
place_idle (lf_fleet *f, lf_env *e, lf_inv *inv, lf_effects *fx)
{
  lf_fl_idle_remove (f, e);
  lf_fl_freeze_unqueue (f, e);
  lf_fl_state (e, LF_ENV_BUSY);
  bind (f, e, inv);
  inv->begun = inv->counted_from = f->now;
  inv->wait_us = 0;
  lf_fl_deadline_set (f, e, lf_fl_after (f->now, e->fn->timeout_us));
  if (e->frozen)
    {
      e->frozen = false;
      lf_fl_emit (fx, LF_FX_THAW, e, NULL);
    }
  if (!e->needs_init)
    {
      lf_fl_deliver (f, e, fx);
      return;
    }
  e->needs_init = false;
  e->in_invoke_init = true;
  lf_fl_emit (fx, LF_FX_RESTART, e, inv);
}

static void
place_new (lf_fleet *f, lf_fleet_fn *fn, lf_inv *inv, lf_effects *fx)
{
  lf_env *e = f->spare;
  f->spare = NULL;
  memset (e, 0, sizeof *e);
  e->serial = ++f->serial;
  e->fn = fn;
  e->created = f->now;
  e->launched = e->idle_since = e->deadline = LF_NONE;
  e->all_next = f->all;
  if (f->all)
    f->all->all_prev = e;
  f->all = e;
  f->envs++;
  fn->envs++;
  e->state = LF_ENV_GONE; /* counted nowhere yet */
  lf_fl_state (e, LF_ENV_STARTING);
  inv->cold = true;
  bind (f, e, inv);
  lf_fl_emit (fx, LF_FX_START, e, inv);
}

void
lf_fl_invoke (lf_fleet *f, lf_fleet_fn *fn, lf_inv *inv, lf_effects *fx)
{
  inv_reset (inv, fn, f->now);
  if (f->shut || fn->removed)
    {
      refuse (inv, LF_ST_REJECTED, NULL, LF_NONE, fx);
      return;
    }
  const char *reason = over_concurrency (f, fn->share);
  if (reason)
    {
      refuse (inv, LF_ST_THROTTLED, reason, LF_NONE, fx);
      return;
    }
  bool reserved = fn->share->reserved != LF_NONE;
  lf_bucket *rate = f->o.rate_limit ? (reserved ? &fn->share->rate : &f->rate) : NULL;
  if (rate)
    {
      bucket_refill (rate, f->now);
      if (rate->level < rate->unit)
        {
          refuse (inv, LF_ST_THROTTLED, reserved ? RESERVED_RATE : RATE, bucket_wait_ms (rate), fx);
          return;
        }
    }
  lf_env *idle = lf_fl_idle_pick (f, fn);
  lf_bucket *scale = !idle && f->o.scaling_limit ? scaling_bucket (f, fn) : NULL;
  if (scale)
    {
      bucket_refill (scale, f->now);
      if (scale->level < scale->unit)
        {
          refuse (inv, LF_ST_THROTTLED, CONCURRENCY, bucket_wait_ms (scale), fx);
          return;
        }
      scale->level -= scale->unit;
    }
  if (rate)
    rate->level -= rate->unit; /* only what got in counts */
  if (idle)
    place_idle (f, idle, inv, fx);
  else
    place_new (f, fn, inv, fx);
}
