/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's heart: one event goes into the fleet, its effects are carried out in order; what they cause becomes the next event.
 * Nothing here recurses into the fleet. Answers wait for the end of the loop turn, when one commit makes all their rows durable.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define LF_HANDLES 8
#define LF_QUEUE_START 1024 /* events; more wait only if one turn causes that many */

/* ---- events and effects ------------------------------------------------------------------------------------------------------ */

static void
carry_out (lf_engine *e, const lf_effect *fx)
{
  lf_live_env *env = fx->env ? fx->env->user : NULL;
  lf_call *call = fx->inv ? fx->inv->user : NULL;

  switch (fx->type)
    {
    case LF_FX_START:
      lf_live_env_start (e, fx->env);
      break;
    case LF_FX_RESTART:
      lf_live_env_restart (env);
      break;
    case LF_FX_THAW:
      if (env->sb)
        lf_sandbox_thaw (env->sb);
      break;
    case LF_FX_FREEZE:
      if (env->sb)
        lf_sandbox_freeze (env->sb);
      break;
    case LF_FX_KILL:
      if (env->face)
        e->rt->revoke (env->face);
      lf_live_env_look (env); /* what it uses now is gone with its processes */
      if (!lf_live_env_kill (env))
        lf_engine_event (e, &(lf_event){ .type = LF_EV_LAUNCH_FAILED, .env = env->core });
      break;
    case LF_FX_DESTROY:
      if (env)
        lf_live_env_destroy (env, fx->end);
      else
        lf_engine_event (e, &(lf_event){ .type = LF_EV_GONE, .env = fx->env });
      break;
    case LF_FX_DELIVER:
      lf_call_begin (call, env);
      lf_call_delivered (call);
      e->rt->deliver (env->face, call);
      break;
    case LF_FX_ABANDONED:
      lf_call_abandoned (call);
      break;
    case LF_FX_ANSWER:
      lf_call_answer (call);
      break;
    case LF_FX_FINISH:
      lf_call_finish (call);
      break;
    }
}

static void on_timer (uv_timer_t *t);

static void
arm_timer (lf_engine *e)
{
  lf_time_us next = lf_fleet_next (e->fleet);
  if (next == LF_NONE || (e->timer_at != LF_NONE && e->timer_at <= next))
    return; /* an earlier wake-up looks again */
  lf_time_us now = lf_now_us ();
  int64_t wait_us = next > now ? next - now : 0;
  uv_update_time (e->loop);
  uv_timer_start (&e->timer, on_timer, (uint64_t) ((wait_us + 999) / 1000), 0);
  e->timer_at = next;
}

static void
on_timer (uv_timer_t *t)
{
  lf_engine *e = t->data;
  e->timer_at = LF_NONE;
  lf_engine_event (e, &(lf_event){ .type = LF_EV_TICK });
}

static int
queue_event (lf_engine *e, const lf_event *ev)
{
  if (e->queue_n == e->queue_cap)
    {
      size_t cap = e->queue_cap ? e->queue_cap * 2 : LF_QUEUE_START;
      lf_event *q = realloc (e->queue, cap * sizeof *q);
      if (!q)
        return -1;
      e->queue = q;
      e->queue_cap = cap;
    }
  e->queue[e->queue_n++] = *ev;
  return 0;
}

/* False: the event was not taken and must come again. */
static bool
step_one (lf_engine *e, const lf_event *ev, lf_time_us now)
{
  e->fx.n = 0;
  if (lf_fleet_step (e->fleet, ev, now, &e->fx) < 0)
    {
      lf_error err = { 0 };
      (void) LF_FAIL_NOMEM (&err);
      if (ev->type == LF_EV_INVOKE)
        {
          lf_call *c = ev->inv->user;
          c->inv.status = LF_ST_REJECTED;
          c->finished = c->rejected = true;
          e->log_error = err;
          lf_engine_queue_answer (c);
        }
      else
        {
          /* The fleet did not take the event; it must not be lost. Memory comes back when requests end: try again soon. */
          lf_engine_log_failed (e, &err);
          e->timer_at = lf_now_us () + 10000;
          uv_timer_start (&e->timer, on_timer, 10, 0);
          return false;
        }
      return true;
    }
  for (size_t i = 0; i < e->fx.n; i++)
    carry_out (e, &e->fx.v[i]);
  return true;
}

static lf_time_us
step_time (const lf_engine *e)
{
  return e->step_at == LF_NONE ? lf_now_us () : e->step_at;
}


/* A loop that comes late to a deadline was kept from running, and so it cannot tell whether what waits for it now came in time. The function has
 * the benefit of the doubt: a machine that stood still makes no timeout of an answer. */
static bool
hear_late (lf_engine *e, lf_time_us now)
{
  const lf_env *core = e->hearing_late ? NULL : lf_fleet_overdue (e->fleet, now - LF_LATE_US), *before = NULL;
  if (!core)
    return false;
  e->hearing_late = true;
  for (; core && core != before; core = lf_fleet_overdue (e->fleet, now - LF_LATE_US))
    {
      lf_live_env *env = core->user;
      lf_time_us deadline = core->deadline;
      if (env && env->face)
        e->rt->drain (env->face);
      if (env)
        {
          lf_live_env_drain (env);
          e->step_at = deadline - 1;
          lf_engine_hear (env);
        }
      e->step_at = deadline;
      lf_engine_event (e, &(lf_event){ .type = LF_EV_TICK });
      e->step_at = LF_NONE;
      before = core; /* still there: no memory for its end, and the next event tries again */
    }
  e->hearing_late = false;
  return true;
}

void
lf_engine_event (lf_engine *e, const lf_event *ev)
{
  lf_time_us now = e->stepping ? LF_NONE : step_time (e);
  if (!e->stepping && hear_late (e, now))
    now = lf_now_us ();
  if (queue_event (e, ev) < 0)
    abort (); /* an event of the sandbox cannot be forgotten, and there is not even memory for the note */
  if (e->stepping)
    return;
  e->stepping = true;
  while (e->queue_head < e->queue_n)
    {
      lf_event one = e->queue[e->queue_head]; /* a copy: its effects may queue more and move the array */
      if (!step_one (e, &one, now))
        break;
      if (++e->queue_head < e->queue_n)
        now = step_time (e);
    }
  if (e->queue_head == e->queue_n)
    e->queue_head = e->queue_n = 0;
  e->stepping = false;
  arm_timer (e);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------- */

void
lf_engine_queue_answer (lf_call *c)
{
  if (c->queued)
    return;
  c->queued = true;
  c->next = NULL;
  c->engine->waiting_n++;
  *c->engine->waiting_tail = c;
  c->engine->waiting_tail = &c->next;
}

void
lf_engine_turn (lf_engine *e)
{
  if (!e->turn_at)
    e->turn_at = lf_now_us ();
}

/* What a runtime says waits for the end of the loop turn: what it printed before is then there too, as its pipe was ready before its socket
 * was, and needs not be looked for. */
void
lf_engine_news (lf_live_env *env)
{
  if (env->in_news)
    return;
  lf_engine_turn (env->engine);
  env->in_news = true;
  env->news_next = NULL;
  *env->engine->news_tail = env;
  env->engine->news_tail = &env->news_next;
}

void
lf_engine_no_news (lf_live_env *env)
{
  lf_engine *e = env->engine;
  if (!env->in_news)
    return;
  lf_live_env **at = &e->news;
  while (*at && *at != env)
    at = &(*at)->news_next;
  if (*at)
    *at = env->news_next;
  if (!*at)
    e->news_tail = at;
  env->in_news = env->posted = env->asked = env->acknowledge = false;
}

/* When what is heard in this turn had come at the earliest. If the loop had to wait for it, it came when the loop woke; if not, at any
 * time since the turn before, and that the loop was busy with others is not the function's doing. */
static lf_time_us
came_at (const lf_engine *e)
{
  return e->turn_at - e->slept_from > LF_NO_SLEEP_US ? e->turn_at : e->turn_before;
}

/* Of the time from an answer to the request for the next event: until the runtime was told that its answer has come, and from the
 * request's coming until now. */
static int64_t
own_time (const lf_live_env *env, lf_time_us now)
{
  if (!env->call || !env->call->inv.responded)
    return 0;
  lf_time_us answered = env->call->inv.response_at, told = env->told_at > answered ? env->told_at : answered, came = came_at (env->engine);
  return told - answered + now - (came > told ? came : told);
}

void
lf_engine_hear (lf_live_env *env)
{
  hear_late (env->engine, env->engine->turn_at); /* which may be this one */
  bool posted = env->posted, asked = env->asked;
  env->posted = env->asked = false;
  if (posted && env->call)
    lf_call_posted (env->call);
  if (asked)
    lf_engine_event (env->engine, &(lf_event){ .type = LF_EV_NEXT, .env = env->core, .own_us = own_time (env, lf_now_us ()) });
}

/* No environment is freed while its news are heard: that takes a turn of the loop. */
static void
hear_all (lf_engine *e)
{
  for (lf_live_env *env = e->news; env; env = env->news_next)
    lf_engine_hear (env);
}

/* After the callers: a runtime that hears of its answer's arrival goes on at once, and would take the processor from them. */
static void
acknowledge_all (lf_engine *e)
{
  lf_live_env *list = e->news;
  e->news = NULL;
  e->news_tail = &e->news;
  while (list)
    {
      lf_live_env *env = list;
      bool acknowledge = env->acknowledge;
      list = env->news_next;
      env->in_news = env->acknowledge = false;
      if (env->posted || env->asked)
        lf_engine_news (env); /* it came meanwhile */
      if (!acknowledge || !env->face)
        continue;
      e->rt->accepted (env->face);
      env->told_at = lf_now_us ();
    }
}

static void
flush_once (lf_engine *e)
{
  lf_error err;
  const lf_error *failure = NULL;
  lf_error_none (&err);
  if (e->log_error.exit != LF_EXIT_OK)
    {
      err = e->log_error;
      failure = &err;
      memset (&e->log_error, 0, sizeof e->log_error);
    }
  if (lf_store_dirty (e->store) && lf_store_commit (e->store, &err) < 0)
    {
      failure = &err;
      lf_engine_log_failed (e, &err);
      memset (&e->log_error, 0, sizeof e->log_error);
    }
  lf_call *c = e->waiting;
  e->waiting = NULL;
  e->waiting_tail = &e->waiting;
  e->waiting_n = 0;
  while (c)
    {
      lf_call *next = c->next;
      c->queued = false;
      lf_call_tell (c, failure);
      lf_call_release (c);
      c = next;
    }
  lf_events_flushed (e->events, failure);
}

/* Telling may cause new rows (an accepted event that is throttled at once); the loop must not go to sleep on them. */
static void
flush (lf_engine *e)
{
  hear_all (e);
  for (int round = 0; round < 100; round++)
    {
      flush_once (e);
      if (!e->waiting && !lf_store_dirty (e->store))
        break;
    }
  acknowledge_all (e);
  if (e->retired)
    lf_engine_sweep (e);
}

static void
on_once_more (uv_idle_t *h)
{
  (void) h; /* that it is there keeps the loop from waiting */
}

/* True: the answers of this turn wait for those of the next, which comes at once. Others must be under way, and coming in. */
static bool
look_again (lf_engine *e, bool quiet)
{
  bool first = e->looks == 0;
  if (first)
    e->looking_from = e->turn_at;
  e->quiet_looks = quiet ? e->quiet_looks + 1 : 0;
  bool again = e->waiting && e->waiting_n < LF_SHARE_MAX && e->calls > e->waiting_n && e->looks < LF_LOOKS_MAX
               && e->quiet_looks < LF_QUIET_LOOKS && e->turn_at - e->looking_from < LF_SHARE_US;
  if (again && first)
    uv_idle_start (&e->once_more, on_once_more);
  else if (!again && !first)
    uv_idle_stop (&e->once_more);
  e->looks = again ? e->looks + 1 : 0;
  return again;
}

static void
on_prepare (uv_prepare_t *h)
{
  lf_engine *e = h->data;
  if (!e->looks)
    flush (e);
  e->turn_before = e->turn_at;
  e->turn_at = 0;
  e->slept_from = lf_now_us ();
}

static void
on_check (uv_check_t *h)
{
  lf_engine *e = h->data;
  bool quiet = !e->turn_at;
  lf_engine_turn (e);
  hear_all (e);
  if (look_again (e, quiet))
    return;
  flush (e);
}

/* Rows of this loop turn cannot be written: remembered until its answers are given, which then carry the error. */
void
lf_engine_log_failed (lf_engine *e, const lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addf (&b, "lambdafit: %s: %s\n", err->what, err->why);
  if (err->fix[0])
    lf_buf_addf (&b, "  fix: %s\n", err->fix);
  if (!b.failed)
    lf_engine_say (e, NULL, b.data, b.len);
  e->log_error = *err;
}

void
lf_engine_say (lf_engine *e, const lf_function *f, const char *text, size_t n)
{
  if (!e->log || !n)
    return;
  if (e->open_line[0])
    e->log (f, "\n", 1, e->log_user);
  e->open_line[0] = 0;
  e->log (f, text, n, e->log_user);
}

void
lf_engine_note (lf_live_fn *fn, const char *text)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addf (&b, "lambdafit: %s: %s\n", fn->prep.f.name, text);
  if (!b.failed)
    lf_engine_say (fn->engine, &fn->prep.f, b.data, b.len);
}

void
lf_engine_tell (lf_engine *e, const char *fmt, ...)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  va_list ap;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "lambdafit: ");
  va_start (ap, fmt);
  lf_buf_addv (&b, fmt, ap);
  va_end (ap);
  lf_buf_addc (&b, '\n');
  if (!b.failed)
    lf_engine_say (e, NULL, b.data, b.len);
}

void
lf_engine_say_output (lf_engine *e, lf_live_env *env, const char *text, size_t n)
{
  if (!e->log || !n)
    return;
  if (e->open_line[0] && strcmp (e->open_line, env->id) != 0)
    e->log (&env->fn->prep.f, "\n", 1, e->log_user);
  e->log (&env->fn->prep.f, text, n, e->log_user);
  if (text[n - 1] == '\n')
    e->open_line[0] = 0;
  else
    memcpy (e->open_line, env->id, sizeof e->open_line);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

static bool
memory_is_sampled (const lf_engine *e)
{
  return lf_sb_host_enforcement (e->host)->by[LF_LIM_MEMORY] == LF_ENF_SAMPLED;
}

/* Where the kernel does not enforce memory, it is looked at; else only who is about to pass the limit. */
static void
sample_env (const lf_env *core, void *user)
{
  bool *again = user;
  lf_live_env *env = core->user;
  if (!env || !env->sb || core->state == LF_ENV_IDLE || core->state == LF_ENV_GONE)
    return;
  if (memory_is_sampled (env->engine))
    lf_sandbox_sample (env->sb);
  else if (lf_sandbox_near_memory (env->sb))
    lf_sandbox_on_memory (env->sb);
  *again = *again || lf_sandbox_near_memory (env->sb);
}

static void
on_sample (uv_timer_t *t)
{
  lf_engine *e = t->data;
  bool again = memory_is_sampled (e);
  lf_fleet_each (e->fleet, sample_env, &again);
  if (!again)
    uv_timer_stop (t);
}

void
lf_engine_watch_memory (lf_live_env *env)
{
  lf_engine *e = env->engine;
  if (!uv_is_active ((uv_handle_t *) &e->sampler) && !uv_is_closing ((uv_handle_t *) &e->sampler) && lf_sandbox_near_memory (env->sb))
    uv_timer_start (&e->sampler, on_sample, LF_SAMPLE_MS, LF_SAMPLE_MS);
}

static int
start_handles (lf_engine *e, lf_error *err)
{
  e->step_at = LF_NONE;
  uv_timer_init (e->loop, &e->timer);
  uv_timer_init (e->loop, &e->sampler);
  uv_timer_init (e->loop, &e->holder);
  uv_timer_init (e->loop, &e->streamer);
  uv_prepare_init (e->loop, &e->prepare);
  uv_check_init (e->loop, &e->check);
  uv_idle_init (e->loop, &e->once_more);
  e->timer.data = e->sampler.data = e->holder.data = e->streamer.data = e->prepare.data = e->check.data = e->once_more.data = e;
  e->handles_open = LF_HANDLES; /* these and the events' timer */
  if (uv_prepare_start (&e->prepare, on_prepare) < 0 || uv_check_start (&e->check, on_check) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "event loop", "", "its handles cannot be started");
  uv_unref ((uv_handle_t *) &e->prepare);
  uv_unref ((uv_handle_t *) &e->check);
  if (memory_is_sampled (e))
    uv_timer_start (&e->sampler, on_sample, LF_SAMPLE_MS, LF_SAMPLE_MS);
  return 0;
}

lf_engine *
lf_engine_new (const lf_engine_options *o, lf_error *err)
{
  lf_engine *e = calloc (1, sizeof *e);
  if (!e)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  e->loop = o->loop;
  e->profile = o->profile;
  e->store = o->store;
  e->host = o->host;
  e->rt = o->rt;
  e->log = o->log;
  e->log_user = o->log_user;
  e->pass_credentials = o->pass_credentials;
  e->say_rules = o->say_rules;
  e->environ_ = o->environ_;
  e->port_file = o->port_file;
  e->waiting_tail = &e->waiting;
  e->news_tail = &e->news;
  e->timer_at = LF_NONE;
  if (gethostname (e->hostname, sizeof e->hostname - 1) < 0)
    strcpy (e->hostname, "localhost");
  lf_buf json;
  lf_buf_init (&json, 0);
  if (lf_enforcement_json (lf_sb_host_enforcement (o->host), &json) == 0)
    e->enforcement_json = lf_buf_take (&json);
  lf_buf_fini (&json);
  e->fleet = lf_fleet_new (&(lf_fleet_options){ .profile = o->profile, .concurrency = o->concurrency, .pick = LF_PICK_MRU, .rate_limit = o->rate_limit,
                                                .scaling_limit = true, .freeze_delay_us = LF_FREEZE_DELAY_US });
  e->queue = calloc (LF_QUEUE_START, sizeof *e->queue); /* here a failure can still be told; events of one turn are few */
  e->queue_cap = e->queue ? LF_QUEUE_START : 0;
  if (!e->fleet || !e->enforcement_json || !e->queue)
    {
      (void) LF_FAIL_NOMEM (err);
      lf_fleet_free (e->fleet);
      free (e->queue);
      free (e->enforcement_json);
      free (e);
      return NULL;
    }
  if (start_handles (e, err) < 0 || !(e->events = lf_events_new (e, err)))
    {
      lf_fleet_free (e->fleet);
      free (e->queue);
      free (e->enforcement_json);
      free (e);
      return NULL;
    }
  return e;
}

static int
store_function (lf_engine *e, lf_live_fn *fn, lf_error *err)
{
  int64_t at = lf_wall_us ();
  if (lf_store_function (e->store, &fn->prep.f, at, err) < 0)
    return -1;
  for (size_t i = 0; i < fn->prep.near_n; i++)
    if (lf_store_violation (e->store, &fn->prep.near[i], err) < 0)
      return -1;
  lf_judge_say (fn, fn->prep.near, fn->prep.near_n);
  return lf_store_commit (e->store, err);
}

lf_live_fn *
lf_engine_find_version (lf_engine *e, const char *name, const char *version)
{
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    if (strcmp (fn->prep.f.name, name) == 0 && strcmp (fn->prep.f.version, version) == 0)
      return fn;
  return NULL;
}

/* Each reservation alone was checked; together they must leave the others their part too. */
static int
check_reserved (const lf_engine *e, const lf_function *f, lf_error *err)
{
  int64_t keep = e->profile->concurrency_unreserved_min, account = lf_fleet_concurrency (e->fleet);
  keep = keep < account ? keep : account;
  if (f->reserved == LF_NONE || f->reserved <= lf_fleet_unreserved (e->fleet) - keep || f->reserved == 0)
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, f->name, "reserve less, here or for another function (--concurrency)",
                  "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of "
                  "[%lld].", (long long) keep);
}

void
lf_engine_fn_free (lf_live_fn *fn)
{
  lf_prepared_fini (&fn->prep);
  free (fn->arn);
  free (fn);
}

/* Takes over *p, or leaves it as it was. */
lf_live_fn *
lf_engine_fn_new (lf_engine *e, lf_prepared *p, lf_live_fn *with, lf_error *err)
{
  lf_live_fn *fn = calloc (1, sizeof *fn);
  if (!fn)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  fn->engine = e;
  fn->held_tail = &fn->held;
  fn->prep = *p;
  memset (p, 0, sizeof *p);
  lf_reload_added (fn);
  fn->arn = lf_function_arn (&fn->prep.f, strcmp (fn->prep.f.version, "$LATEST") == 0 ? NULL : fn->prep.f.version);
  if (!fn->arn || store_function (e, fn, err) < 0 || !(fn->core = lf_fleet_add_sharing (e->fleet, &fn->prep.f, fn, with ? with->core : NULL)))
    {
      if (err->exit == LF_EXIT_OK)
        (void) LF_FAIL_NOMEM (err);
      *p = fn->prep;
      free (fn->arn);
      free (fn);
      return NULL;
    }
  return fn;
}

lf_live_fn *
lf_engine_add (lf_engine *e, lf_prepared *p, lf_error *err)
{
  lf_live_fn *with = e->fns;
  while (with && strcmp (with->prep.f.name, p->f.name) != 0)
    with = with->next;
  if (!with && check_reserved (e, &p->f, err) < 0)
    return NULL;
  if (lf_engine_find_version (e, p->f.name, p->f.version))
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, p->f.name, "give one of them another name with --name", "two functions have this name");
      return NULL;
    }
  lf_live_fn *fn = lf_engine_fn_new (e, p, with, err);
  if (!fn)
    return NULL;
  lf_live_fn **at = &e->fns;
  while (*at)
    at = &(*at)->next;
  *at = fn;
  return fn;
}

lf_live_fn *
lf_engine_find (lf_engine *e, const char *name)
{
  lf_live_fn *fn = lf_engine_find_version (e, name, "$LATEST");
  if (fn)
    return fn;
  for (fn = e->fns; fn; fn = fn->next)
    if (lf_streq (fn->prep.alias, name))
      return fn;
  return NULL;
}

const lf_function *
lf_live_fn_config (const lf_live_fn *fn)
{
  return &fn->prep.f;
}

lf_engine *
lf_live_fn_engine (const lf_live_fn *fn)
{
  return fn->engine;
}

const lf_prepared *
lf_live_fn_prepared (const lf_live_fn *fn)
{
  return &fn->prep;
}

const lf_profile *
lf_engine_profile (const lf_engine *e)
{
  return e->profile;
}

uv_loop_t *
lf_engine_loop (const lf_engine *e)
{
  return e->loop;
}

int64_t
lf_engine_concurrency (const lf_engine *e)
{
  return lf_fleet_concurrency (e->fleet);
}

void
lf_engine_each_fn (lf_engine *e, void (*visit) (lf_live_fn *fn, void *user), void *user)
{
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    visit (fn, user);
}

typedef struct env_visit
{
  lf_engine *e;
  void (*visit) (const lf_env_info *i, void *user);
  void *user;
} env_visit;

static void
visit_env (const lf_env *core, void *user)
{
  env_visit *v = user;
  lf_live_env *env = core->user;
  if (core->state == LF_ENV_GONE || !env)
    return;
  lf_sb_usage u = { LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE };
  if (env->sb)
    lf_sandbox_usage (env->sb, &u);
  lf_time_us now = lf_now_us ();
  lf_time_us left = lf_env_keepalive_left (v->e->fleet, core, now);
  lf_env_info i = { .id = env->id,
                    .function = env->fn->prep.f.name,
                    .state = lf_env_state_name (core->state),
                    .age_ms = (now - core->created) / 1000,
                    .served = (int64_t) core->served,
                    .memory_bytes = u.memory_bytes,
                    .tmp_bytes = u.tmp_bytes,
                    .keepalive_left_ms = left == LF_NONE ? LF_NONE : left / 1000,
                    .frozen = core->frozen,
                    .after_reload = env->after_reload,
                    .pid = env->sb ? (int) lf_sandbox_pid (env->sb) : -1 };
  v->visit (&i, v->user);
}

void
lf_engine_each_env (lf_engine *e, void (*visit) (const lf_env_info *i, void *user), void *user)
{
  env_visit v = { e, visit, user };
  lf_fleet_each (e->fleet, visit_env, &v);
}

int
lf_engine_refused (lf_engine *e, int64_t n, lf_error *err)
{
  return lf_store_run_refused (e->store, n, err);
}

int
lf_engine_resume_events (lf_engine *e, lf_error *err)
{
  return lf_events_resume (e->events, err);
}

bool
lf_engine_idle (const lf_engine *e)
{
  return e->calls == 0;
}

void
lf_engine_handle_closed (uv_handle_t *h)
{
  lf_engine *e = h->data;
  if (--e->handles_open == 0 && e->closed)
    e->closed (e->closed_user);
}

/* Called whenever an environment is gone; when the last one is, the engine's own handles go too. */
static void
close_when_empty (lf_engine *e)
{
  if (!e->closing || e->envs > 0 || e->handles_open != LF_HANDLES || uv_is_closing ((uv_handle_t *) &e->timer))
    return;
  flush (e);
  uv_close ((uv_handle_t *) &e->timer, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->sampler, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->holder, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->streamer, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->prepare, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->check, lf_engine_handle_closed);
  uv_close ((uv_handle_t *) &e->once_more, lf_engine_handle_closed);
  lf_events_close (e->events);
}

void
lf_engine_env_gone (lf_engine *e)
{
  e->envs--;
  close_when_empty (e);
}

void
lf_engine_close (lf_engine *e, void (*closed) (void *user), void *user)
{
  e->closed = closed;
  e->closed_user = user;
  e->closing = true;
  lf_reload_release_all (e);
  lf_hold_release_all (e);
  lf_engine_event (e, &(lf_event){ .type = LF_EV_SHUTDOWN });
  close_when_empty (e);
}

void
lf_engine_free (lf_engine *e)
{
  if (!e)
    return;
  for (lf_live_fn *fn = e->fns; fn; fn = fn->next)
    lf_judge_say_times (fn);
  lf_events_free (e->events);
  lf_fleet_free (e->fleet);
  lf_live_fn *lists[] = { e->fns, e->retired };
  for (size_t i = 0; i < LF_ARRAY_LEN (lists); i++)
    for (lf_live_fn *fn = lists[i], *next; fn; fn = next)
      {
        next = fn->next;
        lf_engine_fn_free (fn);
      }
  lf_effects_fini (&e->fx);
  free (e->queue);
  free (e->enforcement_json);
  free (e);
}
