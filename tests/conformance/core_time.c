/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet and the queue of asynchronous events on a virtual clock.
 *
 * {"fleet": {"concurrency", "rate_limit", "functions": [{"name", "reserved", "keepalive_ms", "timeout_ms", "reserve_error"?}],
 *            "events": [{"at_ms", "invoke": NAME, "times", "takes_ms", "init_ms", "hangs"} | {"at_ms", "look": NAME} | {"at_ms", "reserve": NAME, "to": N}]}}
 *   -> {"events": [{"ok", "throttled", "cold", "reasons": {REASON: n}, "retry_after_ms": first} | {"environments", "idle", "busy"} | {"error"}]}
 *   Every environment inits in init_ms; an invocation is answered after takes_ms and asks for the next event at once.
 *
 * {"async": {"function": {...}, "results": [STATUS...]}}, each try taking no time, the last status repeated
 *   -> {"tries_ms": [...], "done_ms", "end", "attempts"}
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define T0 INT64_C (1000000000)
#define PENDING_MAX 8192

typedef struct wake
{
  lf_time_us at;
  lf_event ev;
  uint64_t order;
} wake;

typedef struct call
{
  lf_inv inv;
  int64_t takes_us, init_us;
  bool hangs;
} call;

typedef struct clockwork
{
  lf_fleet *fleet;
  lf_time_us now;
  wake pending[PENDING_MAX];
  size_t n;
  uint64_t order;
} clockwork;

static void step (clockwork *w, const lf_event *ev);

static void
later (clockwork *w, lf_time_us at, lf_event ev)
{
  if (w->n == PENDING_MAX)
    core_bad ("too much at a time");
  w->pending[w->n++] = (wake){ at, ev, w->order++ };
}

static void
forget (clockwork *w, const lf_env *e)
{
  for (size_t i = 0; i < w->n;)
    if (w->pending[i].ev.env == e)
      w->pending[i] = w->pending[--w->n];
    else
      i++;
}

static void
carry_out (clockwork *w, const lf_effect *fx)
{
  call *c = fx->inv ? fx->inv->user : NULL;
  switch (fx->type)
    {
    case LF_FX_START:
      later (w, w->now, (lf_event){ .type = LF_EV_LAUNCHED, .env = fx->env });
      later (w, w->now + (c ? c->init_us : 0), (lf_event){ .type = LF_EV_NEXT, .env = fx->env });
      break;
    case LF_FX_RESTART:
      later (w, w->now, (lf_event){ .type = LF_EV_NEXT, .env = fx->env });
      break;
    case LF_FX_DELIVER:
      if (c->hangs)
        break;
      later (w, w->now + c->takes_us, (lf_event){ .type = LF_EV_RESPONSE, .env = fx->env, .status = LF_ST_OK });
      later (w, w->now + c->takes_us, (lf_event){ .type = LF_EV_NEXT, .env = fx->env });
      break;
    case LF_FX_KILL:
      forget (w, fx->env);
      later (w, w->now, (lf_event){ .type = LF_EV_EXIT, .env = fx->env, .exit = { .signal = 9 } });
      break;
    case LF_FX_DESTROY:
      forget (w, fx->env);
      later (w, w->now, (lf_event){ .type = LF_EV_GONE, .env = fx->env });
      break;
    default:
      break;
    }
}

static void
step (clockwork *w, const lf_event *ev)
{
  lf_effects fx = { 0 };
  if (lf_fleet_step (w->fleet, ev, w->now, &fx) < 0)
    core_bad ("no memory");
  for (size_t i = 0; i < fx.n; i++)
    carry_out (w, &fx.v[i]);
  lf_effects_fini (&fx);
}

/* Everything that is due up to `until`, in order. */
static void
run_to (clockwork *w, lf_time_us until)
{
  for (;;)
    {
      size_t first = w->n;
      for (size_t i = 0; i < w->n; i++)
        if (first == w->n || w->pending[i].at < w->pending[first].at
            || (w->pending[i].at == w->pending[first].at && w->pending[i].order < w->pending[first].order))
          first = i;
      lf_time_us tick = lf_fleet_next (w->fleet);
      bool have = first < w->n && w->pending[first].at <= until;
      if (tick != LF_NONE && tick <= until && (!have || tick < w->pending[first].at))
        {
          w->now = tick > w->now ? tick : w->now;
          step (w, &(lf_event){ .type = LF_EV_TICK });
          continue;
        }
      if (!have)
        break;
      wake due = w->pending[first];
      w->pending[first] = w->pending[--w->n];
      w->now = due.at > w->now ? due.at : w->now;
      step (w, &due.ev);
    }
  w->now = until;
}

typedef struct town
{
  lf_function f[8];
  lf_fleet_fn *fn[8];
  size_t n;
} town;

static size_t
find (const town *t, const char *name)
{
  for (size_t i = 0; i < t->n; i++)
    if (lf_streq (t->f[i].name, name))
      return i;
  core_bad ("no such function");
}

static cJSON *
invoke (clockwork *w, lf_fleet_fn *fn, const cJSON *e, call **calls, size_t *calls_n)
{
  cJSON *a = cJSON_CreateObject ();
  cJSON *reasons = cJSON_CreateObject ();
  int64_t times = core_num (e, "times", 1), ok = 0, throttled = 0, cold = 0, retry = LF_NONE;
  for (int64_t i = 0; i < times; i++)
    {
      call *c = calloc (1, sizeof *c);
      if (!c || *calls_n == PENDING_MAX)
        core_bad ("too many calls");
      calls[(*calls_n)++] = c;
      c->inv.user = c;
      c->takes_us = core_num (e, "takes_ms", 0) * 1000;
      c->init_us = core_num (e, "init_ms", 0) * 1000;
      c->hangs = lf_json_bool (e, "hangs", false);
      step (w, &(lf_event){ .type = LF_EV_INVOKE, .fn = fn, .inv = &c->inv });
      if (c->inv.status == LF_ST_THROTTLED)
        {
          throttled++;
          retry = retry == LF_NONE ? c->inv.retry_after_ms : retry;
          cJSON *r = cJSON_GetObjectItem (reasons, c->inv.throttle_reason);
          if (r)
            cJSON_SetNumberValue (r, r->valuedouble + 1);
          else
            cJSON_AddNumberToObject (reasons, c->inv.throttle_reason, 1);
        }
      else
        {
          ok++;
          cold += c->inv.cold;
        }
    }
  lf_json_add_i64 (a, "ok", ok);
  lf_json_add_i64 (a, "throttled", throttled);
  lf_json_add_i64 (a, "cold", cold);
  cJSON_AddItemToObject (a, "reasons", reasons);
  lf_json_add_i64 (a, "retry_after_ms", retry);
  return a;
}

static cJSON *
look (clockwork *w, const lf_fleet_fn *fn)
{
  cJSON *a = cJSON_CreateObject ();
  lf_fleet_counts c;
  lf_fleet_count (w->fleet, fn, &c);
  lf_json_add_i64 (a, "environments", (int64_t) c.environments);
  lf_json_add_i64 (a, "idle", (int64_t) c.idle);
  lf_json_add_i64 (a, "busy", (int64_t) (c.busy + c.starting));
  return a;
}

static cJSON *
reserve (clockwork *w, lf_fleet_fn *fn, const cJSON *e)
{
  cJSON *a = cJSON_CreateObject ();
  lf_error err = { 0 };
  int rc = lf_fleet_set_reserved (w->fleet, fn, core_num (e, "to", LF_NONE), &err);
  lf_json_add_str (a, "error", rc < 0 ? err.why : NULL);
  lf_json_add_i64 (a, "unreserved", lf_fleet_unreserved (w->fleet));
  return a;
}

cJSON *
core_fleet (const cJSON *q, const lf_profile *p)
{
  clockwork *w = calloc (1, sizeof *w);
  call **calls = calloc (PENDING_MAX, sizeof *calls);
  if (!w || !calls)
    core_bad ("no memory");
  size_t calls_n = 0;
  town t = { 0 };
  w->now = T0;
  w->fleet = lf_fleet_new (&(lf_fleet_options){ .profile = p, .concurrency = core_num (q, "concurrency", LF_NONE), .pick = LF_PICK_MRU,
                                                .rate_limit = lf_json_bool (q, "rate_limit", false), .scaling_limit = true, .freeze_delay_us = 0 });
  const cJSON *one;
  cJSON_ArrayForEach (one, cJSON_GetObjectItem (q, "functions"))
  {
    if (t.n == LF_ARRAY_LEN (t.f))
      core_bad ("too many functions");
    core_function (one, p, &t.f[t.n]);
    t.fn[t.n] = lf_fleet_add (w->fleet, &t.f[t.n], NULL);
    t.n++;
  }
  cJSON *a = cJSON_CreateObject (), *list = cJSON_AddArrayToObject (a, "events");
  cJSON_ArrayForEach (one, cJSON_GetObjectItem (q, "events"))
  {
    run_to (w, T0 + core_num (one, "at_ms", 0) * 1000);
    if (lf_json_str (one, "invoke"))
      cJSON_AddItemToArray (list, invoke (w, t.fn[find (&t, lf_json_str (one, "invoke"))], one, calls, &calls_n));
    else if (lf_json_str (one, "look"))
      cJSON_AddItemToArray (list, look (w, t.fn[find (&t, lf_json_str (one, "look"))]));
    else if (lf_json_str (one, "reserve"))
      cJSON_AddItemToArray (list, reserve (w, t.fn[find (&t, lf_json_str (one, "reserve"))], one));
    else
      core_bad ("no such event");
    const char *broken = lf_fleet_broken (w->fleet);
    if (broken)
      core_bad (broken);
  }
  lf_fleet_free (w->fleet);
  for (size_t i = 0; i < calls_n; i++)
    free (calls[i]);
  for (size_t i = 0; i < t.n; i++)
    lf_function_fini (&t.f[i]);
  free (calls);
  free (w);
  return a;
}

cJSON *
core_async (const cJSON *q, const lf_profile *p)
{
  cJSON *a = cJSON_CreateObject (), *tries = cJSON_AddArrayToObject (a, "tries_ms");
  const cJSON *results = cJSON_GetObjectItem (q, "results");
  lf_function f;
  core_function (cJSON_GetObjectItem (q, "function"), p, &f);
  lf_async *queue = lf_async_new (p);
  lf_async_event ev = { .fn = &f };
  lf_async_fxs fx = { 0 };
  lf_time_us now = T0;
  int n = cJSON_GetArraySize (results), k = 0;
  bool over = false;
  if (!queue || lf_async_accept (queue, &ev, now, f.reserved == 0, &fx) < 0)
    core_bad ("no memory");
  while (!over)
    {
      while (fx.n && !over)
        {
          lf_async_fx one = fx.v[0];
          memmove (fx.v, fx.v + 1, --fx.n * sizeof fx.v[0]);
          if (one.type == LF_AFX_DONE)
            {
              over = true;
              lf_json_add_i64 (a, "done_ms", (now - T0) / 1000);
              lf_json_add_str (a, "end", lf_async_end_name (one.end));
              lf_json_add_i64 (a, "attempts", ev.attempts);
              break;
            }
          if (cJSON_GetArraySize (tries) < 60)
            cJSON_AddItemToArray (tries, cJSON_CreateNumber ((double) (now - T0) / 1000));
          lf_status status = LF_ST_OK;
          const cJSON *r = cJSON_GetArrayItem (results, k < n ? k : n - 1);
          k++;
          if (r && lf_status_parse (r->valuestring, &status) < 0)
            core_bad ("no such status");
          lf_async_result (queue, &ev, status, now, &fx);
        }
      if (over)
        break;
      now = lf_async_next (queue);
      if (now == LF_NONE)
        core_bad ("the event is lost");
      lf_async_tick (queue, now, &fx);
    }
  free (fx.v);
  lf_async_free (queue);
  lf_function_fini (&f);
  return a;
}
