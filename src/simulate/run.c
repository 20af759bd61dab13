/* SPDX-License-Identifier: Apache-2.0
 *
 * One run: requests go into the fleet, its effects are carried out by a queue of times, and what comes out is counted.
 *
 * Order of what happens at the same time: deadlines of the fleet (timeouts, keepalive) first, as it decides itself; then ends of init
 * and of handlers, in the order in which they began; then retries; then arrivals. So an environment that becomes idle serves the
 * request that comes at that very moment.
 *
 * Random numbers: each workload has a stream for its arrivals, one for the warm time of each arrival, one for everything that cold
 * starts draw, and one for failures and backoffs. Runs that differ in a limit or a keepalive see the same requests.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"

#define PROGRESS_MASK 0xffff
#define RETRY_FIRST_US 1000000.0 /* botocore, retries in standard mode: a random part of 1 s, 2 s, 4 s..., never above 20 s */
#define RETRY_MOST_US 20000000.0

/* ---- counting over time ---------------------------------------------------------------------------------------------------- */

static void
merge_bins (sim *s)
{
  lf_sim_bin *b = s->r->bins;
  for (size_t i = 0; i < LF_SIM_BINS / 2; i++)
    {
      lf_sim_bin x = b[2 * i], y = b[2 * i + 1];
      b[i] = (lf_sim_bin){ x.environments + y.environments, x.running + y.running,
                           x.environments_max > y.environments_max ? x.environments_max : y.environments_max,
                           x.running_max > y.running_max ? x.running_max : y.running_max,
                           x.requests + y.requests, x.cold + y.cold, x.throttled + y.throttled, x.failed + y.failed };
    }
  s->r->bins_n = LF_SIM_BINS / 2;
  s->bin_us *= 2;
}

static inline void
env_area (sim *s, lf_time_us to)
{
  int64_t d = to - s->env_since;
  s->env_area += d * s->envs;
  if (s->envs == 0)
    s->empty_total += (double) d;
  s->env_since = to;
}

static inline void
running_area (sim *s, lf_time_us to)
{
  s->running_area += (to - s->last) * s->running;
  s->last = to;
}

/* Closes the bin at `at`. */
static void
close_bin (sim *s, lf_time_us at, bool last)
{
  const lf_sim_part *t = &s->r->total;
  lf_sim_bin *b = s->bin, *old = &s->before;
  running_area (s, at);
  env_area (s, at);
  b->environments = (double) s->env_area;
  b->running = (double) s->running_area;
  s->env_total += b->environments;
  s->running_total += b->running;
  s->env_area = s->running_area = 0;
  b->requests = t->requests - old->requests;
  b->cold = t->cold - old->cold;
  b->throttled = t->throttled - old->throttled;
  b->failed = t->failed - old->failed;
  *old = (lf_sim_bin){ .requests = t->requests, .cold = t->cold, .throttled = t->throttled, .failed = t->failed };
  s->r->bins_n++;
  if (last)
    return;
  if (s->r->bins_n == LF_SIM_BINS)
    merge_bins (s);
  s->bin = &s->r->bins[s->r->bins_n];
  *s->bin = (lf_sim_bin){ .environments_max = s->envs, .running_max = s->running };
  s->bin_end = at + s->bin_us;
}

static void
cross_bins (sim *s, lf_time_us t)
{
  while (t >= s->bin_end && s->bin_end < s->horizon)
    close_bin (s, s->bin_end, false);
}

/* To be called before anything changes. */
static inline void
advance (sim *s, lf_time_us t)
{
  if (t > s->horizon)
    t = s->horizon;
  if (t >= s->bin_end)
    cross_bins (s, t);
  running_area (s, t);
}

static inline void
env_changes (sim *s)
{
  env_area (s, s->last);
}

static inline void
env_more (sim *s)
{
  env_changes (s);
  s->envs++;
  s->r->started++;
  if (s->envs > s->r->environments_max)
    s->r->environments_max = s->envs;
  if (s->envs > s->bin->environments_max)
    s->bin->environments_max = s->envs;
}

static inline void
running_more (sim *s)
{
  s->running++;
  if (s->running > s->r->running_max)
    s->r->running_max = s->running;
  if (s->running > s->bin->running_max)
    s->bin->running_max = s->running;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------------- */

static int carry_out (sim *s);

static inline int
step (sim *s, lf_event_type type)
{
  s->ev.type = type;
  return lf_fleet_step (s->fleet, &s->ev, s->now, &s->fx) == 0 ? 0 : LF_FAIL_NOMEM (s->err);
}

static inline int
step_env (sim *s, lf_event_type type, lf_env *e)
{
  s->ev.env = e;
  return step (s, type);
}

static inline slot *
slot_of (lf_inv *inv)
{
  return inv->user;
}

/* The init phase of a new environment, or init again inside an invocation: up to `deadline` there is time for it. */
static int
begin_init (sim *s, lf_env *e, slot *x, lf_time_us deadline)
{
  const lf_law *law = &x->fn->work->w->law;
  lf_rng *rng = &x->fn->work->cold;
  int64_t us = 0;
  x->first = LF_NONE;
  if (law->cold)
    us = 0; /* the whole response is one time; how much of it is init is not known */
  else if (law->paired && law->init && law->first)
    {
      size_t i = (size_t) (lf_rng_unit (rng) * (double) law->init->n);
      us = lf_sim_round ((double) law->init->values[i] * law->init->scale);
      x->first = lf_sim_round ((double) law->first->values[i] * law->first->scale);
    }
  else if (law->init)
    us = lf_dist_draw (law->init, rng);
  if (us == 0)
    return step_env (s, LF_EV_NEXT, e);
  if (deadline != LF_NONE && us >= deadline - s->now)
    return 0; /* the deadline comes first */
  x->phase = PHASE_INIT;
  lf_queue_put (&s->queue, s->now + us, x->id);
  return 0;
}

static int
start (sim *s, lf_env *e, slot *x)
{
  env_more (s);
  x->fn->work->part->cold++;
  s->r->total.cold++;
  if (s->o->env && s->o->env (e, x->fn->work->index, LF_NONE, LF_END_KEEPALIVE, s->o->user, s->err) != 0)
    return -1;
  if (step_env (s, LF_EV_LAUNCHED, e) != 0)
    return -1;
  return begin_init (s, e, x, e->deadline);
}

static inline int
deliver (sim *s, lf_env *e, slot *x)
{
  const lf_law *law = &x->fn->work->w->law;
  int64_t us = x->service;
  if (x->inv.cold)
    {
      if (x->first != LF_NONE)
        us = x->first;
      else if (law->cold || law->first)
        us = lf_dist_draw (law->cold ? law->cold : law->first, &x->fn->work->cold);
    }
  if (e->deadline != LF_NONE && us >= e->deadline - s->now)
    return 0; /* it will time out */
  x->phase = PHASE_HANDLER;
  lf_queue_put (&s->queue, s->now + us, x->id);
  return 0;
}

static int
destroy (sim *s, lf_env *e, lf_env_end end)
{
  env_changes (s);
  s->envs--;
  if (s->now <= s->horizon)
    {
      s->r->ended++;
      s->life_sum += (double) (s->now - e->created) / 1e6;
    }
  const function *f = lf_fleet_fn_user (e->fn);
  if (s->o->env && s->o->env (e, f->work->index, s->now, end, s->o->user, s->err) != 0)
    return -1;
  return step_env (s, LF_EV_GONE, e);
}

/* ---- the end of an attempt ------------------------------------------------------------------------------------------------- */

static void
bill (sim *s, slot *x)
{
  lf_sim_part *p = x->fn->work->part;
  const lf_function *c = &x->fn->config;
  const lf_inv *inv = &x->inv;
  bool timed_out = inv->status == LF_ST_TIMEOUT || inv->status == LF_ST_INIT_TIMEOUT;
  s->timed = lf_billed_ms (s->o->profile, c->rt.kind, inv->init_us, inv->duration_us, timed_out, c->timeout_ms);
  p->billed_ms += s->timed;
  p->billed_requests++;
  if (inv->cold && inv->init_us > 0)
    p->init_ms += s->timed - lf_billed_ms (s->o->profile, c->rt.kind, LF_NONE, inv->duration_us, timed_out, c->timeout_ms);
  p->timeouts += timed_out;
}

static int
tell (sim *s, slot *x, uint64_t environment, int64_t billed_ms)
{
  lf_sim_row row = { .inv = &x->inv, .environment = environment, .number = x->number, .attempt = x->attempt, .function = x->fn->config.name,
                     .workload = x->fn->work->index, .arrived = x->arrived, .wait_us = LF_NONE, .billed_ms = billed_ms, .async = x->ev != NULL };
  if (environment)
    row.wait_us = x->inv.received + x->inv.wait_us - x->arrived;
  return s->o->row (&row, s->o->user, s->err);
}

static void
lost (sim *s, work *w, bool throttled)
{
  if (throttled)
    {
      w->part->throttled++;
      s->r->total.throttled++;
    }
  else
    {
      w->part->failed++;
      s->r->total.failed++;
    }
}

/* What the model of asynchronous events wants next. It may want several invocations at once after a tick. */
static int event_effects (sim *s);

static int
attempt_result (sim *s, slot *x, bool refused)
{
  work *w = x->fn->work;
  if (x->ev)
    {
      event *ev = x->ev;
      lf_status status = x->inv.status;
      slot_done (s, x);
      return lf_async_result (s->async, &ev->model, status, s->now, &s->afx) == 0 ? event_effects (s) : LF_FAIL_NOMEM (s->err);
    }
  if (refused && x->attempt <= w->w->retries)
    {
      double most = RETRY_FIRST_US * (double) (1 << (x->attempt < 6 ? x->attempt - 1 : 5));
      int64_t pause = lf_sim_round ((most < RETRY_MOST_US ? most : RETRY_MOST_US) * lf_rng_unit (&w->chance));
      x->attempt++;
      x->phase = PHASE_RETRY;
      lf_queue_put (&s->queue, s->now + pause, x->id);
      return 0;
    }
  if (refused || x->inv.status != LF_ST_OK)
    lost (s, w, refused);
  slot_done (s, x);
  return 0;
}

static int
finish (sim *s, lf_env *e, slot *x)
{
  bool refused = x->inv.status == LF_ST_THROTTLED || x->inv.status == LF_ST_REJECTED;
  work *w = x->fn->work;
  w->part->attempts++;
  if (!refused)
    {
      s->running--;
      w->part->served++;
      bill (s, x);
      lf_hist_add (&s->r->wait, x->inv.received + x->inv.wait_us - x->arrived);
      lf_hist_add (&s->r->latency, s->now - x->arrived);
    }
  if (s->o->row && tell (s, x, refused ? 0 : e->serial, refused ? LF_NONE : s->timed) != 0)
    return -1;
  return attempt_result (s, x, refused);
}

static int
effect (sim *s, lf_effect f)
{
  switch (f.type)
    {
    case LF_FX_START:
      return start (s, f.env, slot_of (f.inv));
    case LF_FX_DELIVER:
      return deliver (s, f.env, slot_of (f.inv));
    case LF_FX_RESTART:
      return begin_init (s, f.env, slot_of (f.inv), f.env->deadline);
    case LF_FX_KILL:
      return step_env (s, LF_EV_EXIT, f.env); /* a kill takes no time here */
    case LF_FX_DESTROY:
      return destroy (s, f.env, f.end);
    case LF_FX_FINISH:
      return finish (s, f.env, slot_of (f.inv));
    case LF_FX_ANSWER: /* counted at FINISH, which comes at the same moment */
    case LF_FX_THAW:
    case LF_FX_FREEZE:
    case LF_FX_ABANDONED:
      break;
    }
  return 0;
}

/* Effects may bring steps that append further effects. */
static int
carry_out (sim *s)
{
  for (size_t i = 0; i < s->fx.n; i++)
    if (effect (s, s->fx.v[i]) != 0)
      return -1;
  s->fx.n = 0;
  return 0;
}

/* ---- what happens ---------------------------------------------------------------------------------------------------------- */

/* Effects of a step inside carry_out are taken by its loop. */
static int
invoke (sim *s, slot *x, bool nested)
{
  x->inv.user = x;
  x->inv.sync = x->ev == NULL;
  x->first = LF_NONE;
  if (s->envs == 0)
    s->r->empty_found++;
  s->ev.fn = x->fn->fleet;
  s->ev.inv = &x->inv;
  if (step (s, LF_EV_INVOKE) != 0)
    return -1;
  if (x->inv.env)
    running_more (s);
  return nested ? 0 : carry_out (s);
}

static int
event_effects (sim *s)
{
  for (size_t i = 0; i < s->afx.n; i++)
    {
      lf_async_fx f = s->afx.v[i];
      event *ev = (event *) (void *) f.ev;
      if (f.type == LF_AFX_DONE)
        {
          if (f.end != LF_AS_SUCCESS)
            {
              ev->fn->work->part->dropped++;
              lost (s, ev->fn->work, false);
            }
          ev->next = s->event_free;
          s->event_free = ev;
          continue;
        }
      slot *x = slot_new (s);
      if (!x)
        return -1;
      x->fn = ev->fn;
      x->ev = ev;
      x->arrived = ev->arrived;
      x->service = ev->service;
      x->number = ev->number;
      x->attempt = ev->model.attempts + ev->model.throttles + 1;
      if (invoke (s, x, true) != 0)
        return -1;
    }
  s->afx.n = 0;
  return 0;
}

int
lf_sim_pull (sim *s, feed *d)
{
  int got = lf_stream_next (d->source, &d->head, s->err);
  if (got < 0)
    return -1;
  if (got == 0)
    {
      d->ended = true;
      d->head.at = INT64_MAX;
    }
  else if (d->head.at > LF_SIM_TIME_MAX)
    return LF_FAIL (s->err, LF_EXIT_USAGE, "--arrivals", "are the times in seconds? --for TIME takes the beginning only",
                    "a request comes more than 1000 days after the first, which is the longest time that is simulated");
  return 0;
}

void
lf_sim_choose_feed (sim *s)
{
  s->next_feed = 0;
  for (size_t i = 1; i < s->feeds_n; i++)
    if (s->feeds[i].head.at < s->feeds[s->next_feed].head.at)
      s->next_feed = i;
  s->next_at = s->feeds_n ? s->feeds[s->next_feed].head.at : INT64_MAX;
}

static int
accept_event (sim *s, function *f, int64_t service, uint64_t number)
{
  event *ev = lf_sim_event_new (s);
  if (!ev)
    return -1;
  memset (ev, 0, sizeof *ev);
  ev->fn = f;
  ev->arrived = s->now;
  ev->service = service;
  ev->number = number;
  ev->model.fn = &f->config;
  bool zero = f->config.reserved == 0;
  if (lf_async_accept (s->async, &ev->model, s->now, zero, &s->afx) != 0)
    return LF_FAIL_NOMEM (s->err);
  return event_effects (s) == 0 ? carry_out (s) : -1;
}

static int
arrive (sim *s)
{
  feed *d = &s->feeds[s->next_feed];
  function *f = lf_sim_function_of (s, d);
  if (!f)
    return LF_FAIL_NOMEM (s->err);
  work *w = d->work;
  int64_t service = w->w->law.warm ? lf_dist_draw (w->w->law.warm, &w->service) : d->head.service_us;
  if (service == LF_NONE)
    return LF_FAIL (s->err, LF_EXIT_USAGE, "--warm", "give --warm DIST or --from FUNCTION, or a column \"duration\"",
                    "request %lld of the trace does not say how long it takes", (long long) s->r->total.requests + 1);
  w->part->requests++;
  uint64_t number = (uint64_t) ++s->r->total.requests;
  if (lf_sim_pull (s, d) != 0)
    return -1;
  lf_sim_choose_feed (s);
  if (s->o->requests_max != LF_NONE && s->r->total.requests >= s->o->requests_max)
    s->next_at = INT64_MAX, s->r->stopped = true;
  if ((number & PROGRESS_MASK) == 0 && s->o->progress && s->o->progress (s->o->user, s->now, (int64_t) number) != 0)
    s->next_at = INT64_MAX, s->r->stopped = true;
  if (w->w->async)
    return accept_event (s, f, service, number);
  slot *x = slot_new (s);
  if (!x)
    return -1;
  x->fn = f;
  x->ev = NULL;
  x->arrived = s->now;
  x->service = service;
  x->number = number;
  x->attempt = 1;
  return invoke (s, x, false);
}

/* With ten thousand environments the next one to end is in no near cache: it is asked for while others are at work. */
static inline void
fetch_next (const sim *s)
{
  if (!s->queue.n)
    return;
  const char *p = (const char *) slot_at (s, (uint32_t) s->queue.v[LF_QUEUE_ROOT].id);
  for (size_t i = 0; i < sizeof (slot); i += 64)
    __builtin_prefetch (p + i, 1);
}

static inline void
fetch_next_env (const sim *s)
{
  if (!s->queue.n)
    return;
  const char *p = (const char *) slot_at (s, (uint32_t) s->queue.v[LF_QUEUE_ROOT].id)->inv.env;
  for (size_t i = 0; i < sizeof (lf_env); i += 64)
    __builtin_prefetch (p + i, 1);
}

static int
due (sim *s)
{
  slot *x = slot_at (s, lf_queue_pop (&s->queue));
  fetch_next (s);
  if (x->phase == PHASE_RETRY)
    return invoke (s, x, false);
  lf_env *e = x->inv.env;
  if (x->phase == PHASE_HANDLER)
    {
      double fail = x->fn->work->w->law.fail;
      s->ev.status = fail > 0 && lf_rng_unit (&x->fn->work->chance) < fail ? LF_ST_FUNCTION_ERROR : LF_ST_OK;
      if (step_env (s, LF_EV_RESPONSE, e) != 0)
        return -1;
    }
  if (step_env (s, LF_EV_NEXT, e) != 0 || carry_out (s) != 0)
    return -1;
  fetch_next_env (s);
  return 0;
}

static inline lf_time_us
or_never (lf_time_us t)
{
  return t == LF_NONE ? INT64_MAX : t;
}

static int
loop (sim *s)
{
  bool any_async = s->async != NULL;
  for (;;)
    {
      lf_time_us arrival = s->next_at, queued = lf_queue_next (&s->queue), fleet = or_never (lf_fleet_next (s->fleet));
      lf_time_us async = any_async ? or_never (lf_async_next (s->async)) : INT64_MAX;
      lf_time_us other = arrival < queued ? arrival : queued;
      other = async < other ? async : other;
      lf_time_us t = fleet < other ? fleet : other;
      if (t == INT64_MAX)
        return 0;
      if (other == INT64_MAX && s->running == 0 && (s->horizon == INT64_MAX || t > s->horizon))
        return 0; /* only idle environments are left, and what becomes of them is not counted */
      s->now = t;
      advance (s, t);
      int failed;
      if (fleet <= other)
        failed = step (s, LF_EV_TICK) != 0 || carry_out (s) != 0;
      else if (queued <= arrival && queued <= async)
        failed = due (s);
      else if (async <= arrival)
        failed = lf_async_tick (s->async, t, &s->afx) != 0 ? LF_FAIL_NOMEM (s->err) : event_effects (s) != 0 || carry_out (s) != 0;
      else
        failed = arrive (s);
      if (failed)
        return -1;
    }
}

/* ---- the end -------------------------------------------------------------------------------------------- */

static void
sum_up (sim *s)
{
  lf_sim_result *r = s->r;
  if (s->horizon == INT64_MAX)
    {
      s->horizon = s->now;
      for (size_t i = 0; i < s->feeds_n; i++)
        {
          int64_t length = lf_stream_length (s->feeds[i].source);
          if (length != LF_NONE && length > s->horizon)
            s->horizon = length;
        }
    }
  else if (r->stopped && s->now < s->horizon)
    s->horizon = s->now;
  if (s->horizon < 1)
    s->horizon = 1;
  advance (s, s->horizon);
  close_bin (s, s->horizon, true);
  r->length_us = s->horizon;
  r->bin_us = s->bin_us;
  double length = (double) s->horizon;
  for (size_t i = 0; i < r->bins_n; i++)
    {
      double width = (double) (i + 1 < r->bins_n ? s->bin_us : s->horizon - (int64_t) i * s->bin_us);
      r->bins[i].environments /= width > 0 ? width : 1;
      r->bins[i].running /= width > 0 ? width : 1;
    }
  r->environments_mean = s->env_total / length;
  r->running_mean = s->running_total / length;
  r->idle_mean = (s->env_total - s->running_total) / length;
  r->empty_share = s->empty_total / length;
  r->lifespan_mean_s = r->ended ? s->life_sum / (double) r->ended : -1;
  for (size_t i = 0; i < r->parts; i++)
    {
      const int64_t *from = (const int64_t *) &r->part[i];
      int64_t *to = (int64_t *) &r->total;
      for (size_t k = 0; k < sizeof r->total / sizeof *to; k++)
        if (&to[k] != &r->total.requests && &to[k] != &r->total.cold && &to[k] != &r->total.throttled && &to[k] != &r->total.failed)
          to[k] += from[k];
    }
}

int
lf_simulate (const lf_sim_options *o, lf_sim_result *out, lf_error *err)
{
  memset (out, 0, sizeof *out);
  sim s = { .o = o, .r = out, .err = err };
  int failed = lf_sim_open (&s) != 0 || loop (&s) != 0;
  if (!failed)
    sum_up (&s);
  lf_sim_close (&s);
  return failed ? -1 : 0;
}

void
lf_sim_result_fini (lf_sim_result *r)
{
  free (r->part);
  r->part = NULL;
  lf_hist_fini (&r->wait);
  lf_hist_fini (&r->latency);
}
