/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet_oracle.h"

#include <string.h>

#define NEVER INT64_MAX

/* ---- buckets ----------------------------------------------------------------------------------------------------------------- */

static void
bucket_pass (o_bucket *b, lf_time_us now)
{
  o_wide cap = (o_wide) b->cap * b->period_us;
  if (b->at == LF_NONE)
    b->level = cap;
  else
    b->level += (o_wide) b->per * (now - b->at);
  if (b->level > cap)
    b->level = cap;
  b->at = now;
}

static void
bucket_change (o_bucket *b, int64_t cap, int64_t per, lf_time_us now)
{
  if (now != LF_NONE)
    bucket_pass (b, now);
  b->cap = cap;
  b->per = per;
  if (b->level > (o_wide) cap * b->period_us)
    b->level = (o_wide) cap * b->period_us;
}

/* ---- what is ----------------------------------------------------------------------------------------------------------------- */

int
oracle_in_flight (const oracle *o, int fn)
{
  int n = 0;
  for (int i = 0; i < ORACLE_ENVS; i++)
    n += o->env[i].doing != O_FREE && o->env[i].inv >= 0 && (fn < 0 || o->env[i].fn == fn);
  return n;
}

static int64_t
pool (const oracle *o)
{
  int64_t left = o->options.concurrency;
  for (int i = 0; i < ORACLE_FNS; i++)
    if (o->fn[i].reserved != LF_NONE && !o->fn[i].removed)
      left -= o->fn[i].reserved;
  return left > 0 ? left : 0;
}

static lf_time_us
deadline (const oracle *o, const o_env *e)
{
  const o_fn *fn = &o->fn[e->fn];
  switch (e->doing)
    {
    case O_INIT:
      return e->launched + o->profile->init_max_ms * 1000;
    case O_INIT_AGAIN:
    case O_HANDLE:
    case O_ANSWERED:
      return o->inv[e->inv].from + fn->timeout_us + o->inv[e->inv].longer_us;
    case O_IDLE:
      if (fn->life_us && e->created + fn->life_us < e->idle_since + fn->keepalive_us)
        return e->created + fn->life_us;
      return e->idle_since + fn->keepalive_us;
    default:
      return NEVER;
    }
}

static lf_time_us
freeze_time (const oracle *o, const o_env *e)
{
  if (e->doing != O_IDLE || e->dead || e->frozen || o->options.freeze_delay_us == LF_NONE)
    return NEVER;
  return e->idle_since + o->options.freeze_delay_us;
}

lf_time_us
oracle_next (const oracle *o)
{
  lf_time_us at = NEVER;
  for (int i = 0; i < ORACLE_ENVS; i++)
    {
      if (o->env[i].doing == O_FREE)
        continue;
      lf_time_us d = deadline (o, &o->env[i]), z = freeze_time (o, &o->env[i]);
      at = d < at ? d : at;
      at = z < at ? z : at;
    }
  return at == NEVER ? LF_NONE : at;
}

/* ---- what happens ------------------------------------------------------------------------------------------------------------ */

static void
expect (oracle *o, lf_effect_type type, const o_env *e, int inv, lf_env_end end)
{
  o->fx[o->fx_n++] = (o_effect) { .type = type, .env = e ? (int) (e - o->env) : -1, .inv = inv, .end = end };
}

static void
destroy (oracle *o, o_env *e, lf_env_end end)
{
  e->doing = O_GONE;
  expect (o, LF_FX_DESTROY, e, -1, end);
}

static void
freeze (oracle *o, o_env *e)
{
  e->frozen = true;
  expect (o, LF_FX_FREEZE, e, -1, 0);
}

static void
answer (oracle *o, o_env *e, lf_status status)
{
  o_inv *v = &o->inv[e->inv];
  v->answered = true;
  v->status = status;
  if (v->from != LF_NONE && v->duration_us == LF_NONE)
    v->duration_us = o->now - v->from;
  expect (o, LF_FX_ANSWER, e, e->inv, 0);
}

static void
finish (oracle *o, o_env *e)
{
  o->inv[e->inv].finished = true;
  expect (o, LF_FX_FINISH, e, e->inv, 0);
  e->inv = -1;
}

static int64_t
ms_begun (int64_t us)
{
  return us / 1000 + (us % 1000 != 0);
}

static void
finish_answered (oracle *o, o_env *e, int64_t not_its_own)
{
  o_inv *v = &o->inv[e->inv];
  int64_t whole = o->now - v->from - not_its_own, most = o->fn[e->fn].timeout_us;
  whole = whole < most ? whole : most;
  if (whole > v->duration_us && ms_begun (whole) != ms_begun (v->duration_us))
    v->duration_us = whole;
  finish (o, e);
}

static void
rest (oracle *o, o_env *e, bool dead)
{
  const o_fn *fn = &o->fn[e->fn];
  e->dead = dead;
  e->doing = O_IDLE;
  e->idle_since = o->now;
  e->last_used = ++o->uses;
  if (fn->removed)
    destroy (o, e, LF_END_REMOVED);
  else if (fn->single_use)
    destroy (o, e, LF_END_SINGLE_USE);
  else if (fn->life_us && e->created + fn->life_us <= o->now)
    destroy (o, e, LF_END_LIFE);
  else if (fn->keepalive_us == 0)
    destroy (o, e, LF_END_KEEPALIVE);
  else if (freeze_time (o, e) == o->now)
    freeze (o, e);
}

static void
time_is_up (oracle *o, o_env *e)
{
  const o_fn *fn = &o->fn[e->fn];
  if (e->doing == O_IDLE)
    {
      destroy (o, e, fn->life_us && e->created + fn->life_us <= o->now ? LF_END_LIFE : LF_END_KEEPALIVE);
      return;
    }
  e->again = e->doing == O_INIT_AGAIN;
  e->doing = e->doing == O_INIT ? O_KILLED_INIT : O_KILLED;
  expect (o, LF_FX_KILL, e, e->inv, 0);
}

static void
pass_time (oracle *o, lf_time_us now)
{
  for (;;)
    {
      o_env *first = NULL;
      lf_time_us at = NEVER;
      bool is_freeze = false;
      for (int i = 0; i < ORACLE_ENVS; i++)
        {
          o_env *e = &o->env[i];
          if (e->doing == O_FREE)
            continue;
          lf_time_us d = deadline (o, e), z = freeze_time (o, e);
          if (d < at || (d == at && first && (is_freeze || e->serial < first->serial)))
            first = e, at = d, is_freeze = false;
          if (z < at || (z == at && first && is_freeze && e->last_used < first->last_used))
            first = e, at = z, is_freeze = true;
        }
      if (!first || at > now)
        break;
      if (at > o->now)
        o->now = at;
      if (is_freeze)
        freeze (o, first);
      else
        time_is_up (o, first);
    }
  o->now = now;
}

static void
refuse (oracle *o, int inv, lf_status status, const char *reason)
{
  o_inv *v = &o->inv[inv];
  v->status = status;
  v->reason = reason;
  v->answered = v->finished = true;
  expect (o, LF_FX_ANSWER, NULL, inv, 0);
  expect (o, LF_FX_FINISH, NULL, inv, 0);
}

static o_env *
choose (oracle *o, int fn)
{
  o_env *best = NULL;
  for (int i = 0; i < ORACLE_ENVS; i++)
    {
      o_env *e = &o->env[i];
      if (e->doing != O_IDLE || e->fn != fn)
        continue;
      bool better = !best || (o->options.pick == LF_PICK_MRU && e->last_used > best->last_used)
                    || (o->options.pick == LF_PICK_LRU && e->last_used < best->last_used)
                    || (o->options.pick == LF_PICK_NEWEST && e->serial > best->serial);
      if (better)
        best = e;
    }
  return best;
}

static const char *
refusal (oracle *o, int fn, bool needs_new)
{
  const o_fn *g = &o->fn[fn];
  bool own = g->reserved != LF_NONE;
  int in_pool = 0;
  for (int i = 0; i < ORACLE_FNS; i++)
    if (o->fn[i].reserved == LF_NONE || o->fn[i].removed)
      in_pool += oracle_in_flight (o, i);
  if (own && oracle_in_flight (o, fn) >= g->reserved)
    return "ReservedFunctionConcurrentInvocationLimitExceeded";
  if (!own && in_pool >= pool (o))
    return "ConcurrentInvocationLimitExceeded";
  if (oracle_in_flight (o, -1) >= o->options.concurrency)
    return "ConcurrentInvocationLimitExceeded";
  o_bucket *rate = own ? &o->fn[fn].rate : &o->rate;
  o_bucket *scale = o->profile->scaling_per_function ? &o->fn[fn].scale : &o->scale;
  if (o->options.rate_limit)
    {
      bucket_pass (rate, o->now);
      if (rate->level < rate->period_us)
        return own ? "ReservedFunctionInvocationRateLimitExceeded" : "FunctionInvocationRateLimitExceeded";
    }
  if (o->options.scaling_limit && needs_new)
    {
      bucket_pass (scale, o->now);
      if (scale->level < scale->period_us)
        return "ConcurrentInvocationLimitExceeded";
      scale->level -= scale->period_us;
    }
  if (o->options.rate_limit)
    rate->level -= rate->period_us;
  return NULL;
}

static void
invoke (oracle *o, int fn, int inv)
{
  o_inv *v = &o->inv[inv];
  *v = (o_inv) { .used = true, .received = o->now, .from = LF_NONE, .wait_us = LF_NONE, .init_us = LF_NONE, .abandoned_us = LF_NONE,
                 .duration_us = LF_NONE };
  if (o->shut || o->fn[fn].removed)
    {
      refuse (o, inv, LF_ST_REJECTED, NULL);
      return;
    }
  o_env *e = choose (o, fn);
  const char *reason = refusal (o, fn, e == NULL);
  if (reason)
    {
      refuse (o, inv, LF_ST_THROTTLED, reason);
      return;
    }
  if (!e)
    {
      for (e = o->env; e->doing != O_FREE; e++)
        ;
      *e = (o_env) { .serial = ++o->serials, .fn = fn, .inv = inv, .doing = O_LAUNCH, .created = o->now };
      v->cold = true;
      expect (o, LF_FX_START, e, inv, 0);
      return;
    }
  e->inv = inv;
  v->wait_us = 0;
  v->from = o->now;
  if (e->frozen)
    expect (o, LF_FX_THAW, e, -1, 0);
  e->frozen = false;
  e->doing = e->dead ? O_INIT_AGAIN : O_HANDLE;
  expect (o, e->dead ? LF_FX_RESTART : LF_FX_DELIVER, e, inv, 0);
  e->dead = false;
}

static void
launched (oracle *o, o_env *e)
{
  if (e->doing != O_LAUNCH)
    return;
  e->doing = O_INIT;
  e->launched = o->now;
  o->inv[e->inv].wait_us = o->now - o->inv[e->inv].received;
}

static void
first_init_is_lost (oracle *o, o_env *e, lf_status why, int64_t us)
{
  o_inv *v = &o->inv[e->inv];
  v->abandoned_status = why;
  v->abandoned_us = us;
  v->from = o->now;
  e->doing = O_INIT_AGAIN;
  expect (o, LF_FX_ABANDONED, e, e->inv, 0);
  expect (o, LF_FX_RESTART, e, e->inv, 0);
}

static void
end_timed_out (oracle *o, o_env *e)
{
  o_inv *v = &o->inv[e->inv];
  v->duration_us = o->fn[e->fn].timeout_us;
  if (v->answered)
    v->status = LF_ST_TIMEOUT;
  else
    answer (o, e,
        e->again && v->abandoned_us != LF_NONE && v->abandoned_status == LF_ST_INIT_TIMEOUT ? LF_ST_INIT_TIMEOUT : LF_ST_TIMEOUT);
  finish (o, e);
}

static void
process_exit (oracle *o, o_env *e, const lf_exit_info *how)
{
  launched (o, e);
  switch (e->doing)
    {
    case O_INIT:
      first_init_is_lost (o, e, LF_ST_INIT_ERROR, o->now - e->launched);
      return;
    case O_KILLED_INIT:
      first_init_is_lost (o, e, LF_ST_INIT_TIMEOUT, o->profile->init_max_ms * 1000);
      return;
    case O_INIT_AGAIN:
    case O_HANDLE:
      answer (o, e, how->oom ? LF_ST_OUT_OF_MEMORY : e->doing == O_HANDLE ? LF_ST_CRASH : LF_ST_INIT_ERROR);
      finish (o, e);
      rest (o, e, true);
      return;
    case O_ANSWERED:
      finish_answered (o, e, 0);
      rest (o, e, true);
      return;
    case O_KILLED:
      end_timed_out (o, e);
      rest (o, e, true);
      return;
    case O_IDLE:
      e->dead = true;
      return;
    default:
      return;
    }
}

static void
runtime_next (oracle *o, o_env *e, int64_t own_us)
{
  launched (o, e);
  if (e->doing == O_INIT)
    {
      o->inv[e->inv].init_us = o->now - e->launched;
      o->inv[e->inv].from = o->now;
    }
  if (e->doing == O_INIT || e->doing == O_INIT_AGAIN || e->doing == O_HANDLE)
    {
      e->doing = O_HANDLE;
      expect (o, LF_FX_DELIVER, e, e->inv, 0);
    }
  else if (e->doing == O_ANSWERED)
    {
      finish_answered (o, e, own_us);
      rest (o, e, false);
    }
}

static void
end_invocation (oracle *o, o_env *e, lf_status status)
{
  if (e->inv < 0)
    return;
  if (e->doing == O_KILLED)
    end_timed_out (o, e);
  else if (o->inv[e->inv].answered)
    finish_answered (o, e, 0);
  else
    {
      answer (o, e, status);
      finish (o, e);
    }
}

static void
launch_failed (oracle *o, o_env *e, lf_status status)
{
  if (e->doing == O_GONE)
    return;
  if (e->doing == O_LAUNCH)
    o->inv[e->inv].wait_us = o->now - o->inv[e->inv].received;
  end_invocation (o, e, status == LF_ST_OK ? LF_ST_CRASH : status);
  destroy (o, e, LF_END_START_FAILED);
}

static void
pool_rate (oracle *o)
{
  int64_t per_s = pool (o) * o->profile->requests_per_concurrency;
  bucket_change (&o->rate, per_s, per_s, o->now);
}

/* Those used last go first. */
static void
remove_fn (oracle *o, int fn)
{
  if (o->fn[fn].removed)
    return;
  bool had = o->fn[fn].reserved != LF_NONE;
  o->fn[fn].removed = true;
  o->fn[fn].reserved = LF_NONE;
  if (had)
    pool_rate (o);
  for (;;)
    {
      o_env *last = NULL;
      for (o_env *e = o->env; e < o->env + ORACLE_ENVS; e++)
        if (e->doing == O_IDLE && e->fn == fn && (!last || e->last_used > last->last_used))
          last = e;
      if (!last)
        return;
      destroy (o, last, LF_END_REMOVED);
    }
}

/* Those made last go first. */
static void
shut_down (oracle *o)
{
  o->shut = true;
  for (;;)
    {
      o_env *last = NULL;
      for (o_env *e = o->env; e < o->env + ORACLE_ENVS; e++)
        if (e->doing != O_FREE && e->doing != O_GONE && (!last || e->serial > last->serial))
          last = e;
      if (!last)
        return;
      end_invocation (o, last, LF_ST_CRASH);
      destroy (o, last, LF_END_SHUTDOWN);
    }
}

void
oracle_step (oracle *o, lf_event_type type, int fn, int env, int inv, lf_status status, const lf_exit_info *how,
    int64_t own_us, lf_time_us now)
{
  o_env *e = env >= 0 ? &o->env[env] : NULL;
  o->fx_n = 0;
  pass_time (o, now > o->now ? now : o->now);
  switch (type)
    {
    case LF_EV_INVOKE:
      invoke (o, fn, inv);
      break;
    case LF_EV_LAUNCHED:
      launched (o, e);
      break;
    case LF_EV_LAUNCH_FAILED:
      launch_failed (o, e, status);
      break;
    case LF_EV_NEXT:
      runtime_next (o, e, own_us);
      break;
    case LF_EV_RESPONSE:
      if (e->doing == O_HANDLE)
        {
          e->doing = O_ANSWERED;
          o->inv[e->inv].longer_us = own_us;
          answer (o, e, status == LF_ST_OK ? LF_ST_OK : LF_ST_FUNCTION_ERROR);
        }
      break;
    case LF_EV_EXIT:
      process_exit (o, e, how);
      break;
    case LF_EV_GONE:
      if (e->doing != O_GONE)
        end_invocation (o, e, LF_ST_CRASH);
      e->doing = O_FREE;
      break;
    case LF_EV_TICK:
      break;
    case LF_EV_REMOVE_FN:
      remove_fn (o, fn);
      break;
    case LF_EV_SHUTDOWN:
      shut_down (o);
      break;
    }
}

/* ---- settings ---------------------------------------------------------------------------------------------------------------- */

void
oracle_init (oracle *o, const lf_fleet_options *options)
{
  const lf_profile *p = options->profile;
  int64_t per_s = options->concurrency * p->requests_per_concurrency;
  memset (o, 0, sizeof *o);
  o->profile = p;
  o->options = *options;
  o->now = LF_NONE;
  o->rate = (o_bucket) { .cap = per_s, .per = per_s, .period_us = 1000000, .at = LF_NONE };
  o->scale = (o_bucket) { .cap = p->scaling_burst, .per = p->scaling_step, .period_us = p->scaling_period_ms * 1000,
      .at = LF_NONE };
  for (int i = 0; i < ORACLE_FNS; i++)
    o->fn[i].reserved = LF_NONE;
}

static void
own_rate (oracle *o, o_fn *fn, bool first)
{
  int64_t per_s = fn->reserved * o->profile->requests_per_concurrency;
  if (first)
    fn->rate = (o_bucket) { .cap = per_s, .per = per_s, .period_us = 1000000, .at = LF_NONE };
  else
    bucket_change (&fn->rate, per_s, per_s, o->now);
}

void
oracle_add (oracle *o, int i, const lf_function *config)
{
  const lf_profile *p = o->profile;
  o_fn *fn = &o->fn[i];
  *fn = (o_fn) {
    .single_use = config->single_use, .reserved = config->reserved, .timeout_us = config->timeout_ms * 1000,
    .keepalive_us = (config->keepalive_ms == LF_NONE ? p->keepalive_ms : config->keepalive_ms) * 1000,
    .life_us = config->life_ms == LF_NONE ? 0 : config->life_ms * 1000,
    .scale = { .cap = p->scaling_step, .per = p->scaling_step, .period_us = p->scaling_period_ms * 1000, .at = LF_NONE },
  };
  pool_rate (o);
  if (fn->reserved != LF_NONE)
    own_rate (o, fn, true);
}

bool
oracle_set_reserved (oracle *o, int i, int64_t reserved)
{
  o_fn *fn = &o->fn[i];
  int64_t minimum = o->profile->concurrency_unreserved_min, before = fn->reserved == LF_NONE ? 0 : fn->reserved, others = 0;
  for (int k = 0; k < ORACLE_FNS; k++)
    if (k != i && o->fn[k].reserved != LF_NONE)
      others += o->fn[k].reserved;
  if (reserved != LF_NONE && reserved > before && o->options.concurrency - others - reserved < minimum)
    return false;
  bool first = fn->reserved == LF_NONE;
  fn->reserved = reserved;
  pool_rate (o);
  if (reserved != LF_NONE)
    own_rate (o, fn, first);
  return true;
}
