/* SPDX-License-Identifier: Apache-2.0
 *
 * Asynchronous events: tried at once; after an error twice more, a minute and then two minutes later; after a throttle again and
 * again, with a pause that doubles. An event is given up as soon as its next try would come later than its age allows.
 */
#include "lambdafit/model.h"

#include <stdlib.h>

struct lf_async
{
  const lf_profile *profile;
  lf_time_us now;
  uint64_t serial;
  lf_async_event **heap; /* waiting events, earliest at [1] */
  size_t n, cap;
  size_t accepted;       /* waiting and running: there is always room for all of them to wait */
};

lf_async *
lf_async_new (const lf_profile *p)
{
  lf_async *a = calloc (1, sizeof *a);
  if (!a)
    return NULL;
  a->profile = p;
  a->now = LF_NONE;
  return a;
}

void
lf_async_free (lf_async *a)
{
  if (!a)
    return;
  free (a->heap);
  free (a);
}

/* ---- the waiting ones -------------------------------------------------------------------------------------------------------- */

static bool
earlier (const lf_async_event *x, const lf_async_event *y)
{
  return x->due != y->due ? x->due < y->due : x->serial < y->serial;
}

static void
put (lf_async *a, size_t i, lf_async_event *ev)
{
  a->heap[i] = ev;
  ev->heap_pos = i;
}

static void
settle (lf_async *a, size_t i, lf_async_event *ev)
{
  for (; i > 1 && earlier (ev, a->heap[i / 2]); i /= 2)
    put (a, i, a->heap[i / 2]);
  for (size_t child; (child = 2 * i) <= a->n; i = child)
    {
      if (child < a->n && earlier (a->heap[child + 1], a->heap[child]))
        child++;
      if (!earlier (a->heap[child], ev))
        break;
      put (a, i, a->heap[child]);
    }
  put (a, i, ev);
}

static void
unqueue (lf_async *a, lf_async_event *ev)
{
  size_t i = ev->heap_pos;
  lf_async_event *last = a->heap[a->n--];
  ev->heap_pos = 0;
  if (last != ev)
    settle (a, i, last);
}

static int
reserve_events (lf_async *a)
{
  if (a->accepted + 2 <= a->cap)
    return 0;
  size_t cap = a->cap ? a->cap * 2 : 16;
  lf_async_event **v = realloc (a->heap, cap * sizeof *v);
  if (!v)
    return -1;
  a->heap = v;
  a->cap = cap;
  return 0;
}

static int
reserve_fx (lf_async_fxs *fx, size_t extra)
{
  if (fx->cap - fx->n >= extra)
    return 0;
  size_t cap = fx->cap ? fx->cap * 2 : 16;
  while (cap - fx->n < extra)
    cap *= 2;
  lf_async_fx *v = realloc (fx->v, cap * sizeof *v);
  if (!v)
    return -1;
  fx->v = v;
  fx->cap = cap;
  return 0;
}

/* ---- what becomes of one ----------------------------------------------------------------------------------------------------- */

static void
invoke (lf_async_event *ev, lf_async_fxs *fx)
{
  ev->running = true;
  fx->v[fx->n++] = (lf_async_fx) { .type = LF_AFX_INVOKE, .ev = ev };
}

static void
done (lf_async *a, lf_async_event *ev, lf_async_end end, lf_async_fxs *fx)
{
  a->accepted--;
  fx->v[fx->n++] = (lf_async_fx) { .type = LF_AFX_DONE, .ev = ev, .end = end };
}

static int64_t
retries (const lf_async *a, const lf_async_event *ev)
{
  return ev->fn && ev->fn->async_retries >= 0 ? ev->fn->async_retries : a->profile->async_retries;
}

static int64_t
max_age_us (const lf_async *a, const lf_async_event *ev)
{
  int64_t s = ev->fn && ev->fn->async_max_age_s != LF_NONE ? ev->fn->async_max_age_s : a->profile->async_max_age_s;
  return s > INT64_MAX / 1000000 ? INT64_MAX : s * 1000000;
}

static void
try_later (lf_async *a, lf_async_event *ev, int64_t delay_ms, lf_async_fxs *fx)
{
  int64_t delay_us = delay_ms > INT64_MAX / 1000 ? INT64_MAX : delay_ms * 1000;
  int64_t age = a->now - ev->accepted, limit = max_age_us (a, ev);
  if (age > limit || delay_us > limit - age)
    {
      done (a, ev, LF_AS_EVENT_AGE_EXCEEDED, fx);
      return;
    }
  ev->due = a->now + delay_us;
  settle (a, ++a->n, ev);
}

static int64_t
backoff_ms (const lf_profile *p, int throttles)
{
  int64_t ms = p->async_backoff_min_ms > 0 ? p->async_backoff_min_ms : 1;
  for (int i = 1; i < throttles && ms < p->async_backoff_max_ms; i++)
    ms = ms > INT64_MAX / 2 ? INT64_MAX : ms * 2;
  return ms < p->async_backoff_max_ms ? ms : p->async_backoff_max_ms;
}

static void
pass_time (lf_async *a, lf_time_us now)
{
  if (now > a->now)
    a->now = now;
}

int
lf_async_accept (lf_async *a, lf_async_event *ev, lf_time_us now, bool zero_reserved, lf_async_fxs *fx)
{
  if (reserve_events (a) != 0 || reserve_fx (fx, 1) != 0)
    return -1;
  pass_time (a, now);
  a->accepted++;
  ev->serial = ++a->serial;
  ev->accepted = ev->due = a->now;
  ev->attempts = ev->throttles = 0;
  ev->running = false;
  ev->heap_pos = 0;
  if (zero_reserved)
    done (a, ev, LF_AS_ZERO_RESERVED, fx);
  else
    invoke (ev, fx);
  return 0;
}

int
lf_async_resume (lf_async *a, lf_async_event *ev, lf_time_us now, int64_t age_us, int attempts, int64_t due_in_us)
{
  if (reserve_events (a) != 0)
    return -1;
  pass_time (a, now);
  a->accepted++;
  ev->serial = ++a->serial;
  ev->accepted = a->now - (age_us > 0 ? age_us : 0);
  ev->due = a->now + (due_in_us > 0 ? due_in_us : 0);
  ev->attempts = attempts;
  ev->throttles = 0;
  ev->running = false;
  settle (a, ++a->n, ev);
  return 0;
}

int
lf_async_result (lf_async *a, lf_async_event *ev, lf_status status, lf_time_us now, lf_async_fxs *fx)
{
  if (!ev->running)
    return 0;
  if (reserve_fx (fx, 1) != 0)
    return -1;
  pass_time (a, now);
  ev->running = false;
  if (status == LF_ST_THROTTLED)
    {
      if (ev->throttles < INT32_MAX)
        ev->throttles++;
      try_later (a, ev, backoff_ms (a->profile, ev->throttles), fx);
      return 0;
    }
  ev->throttles = 0;
  if (status == LF_ST_REJECTED) /* not even tried, and no later try would be */
    {
      done (a, ev, LF_AS_RETRIES_EXHAUSTED, fx);
      return 0;
    }
  ev->attempts++;
  if (status == LF_ST_OK)
    done (a, ev, LF_AS_SUCCESS, fx);
  else if (ev->attempts > retries (a, ev))
    done (a, ev, LF_AS_RETRIES_EXHAUSTED, fx);
  else
    try_later (a, ev, ev->attempts == 1 ? a->profile->async_retry_delay_1_ms : a->profile->async_retry_delay_2_ms, fx);
  return 0;
}

static size_t
due_below (const lf_async *a, size_t i)
{
  if (i > a->n || a->heap[i]->due > a->now)
    return 0;
  return 1 + due_below (a, 2 * i) + due_below (a, 2 * i + 1);
}

int
lf_async_tick (lf_async *a, lf_time_us now, lf_async_fxs *fx)
{
  lf_time_us before = a->now;
  pass_time (a, now);
  if (reserve_fx (fx, due_below (a, 1)) != 0)
    {
      a->now = before;
      return -1;
    }
  while (a->n && a->heap[1]->due <= a->now)
    {
      lf_async_event *ev = a->heap[1];
      unqueue (a, ev);
      invoke (ev, fx);
    }
  return 0;
}

void
lf_async_drop (lf_async *a, lf_async_event *ev)
{
  if (ev->heap_pos)
    unqueue (a, ev);
  else if (!ev->running)
    return;
  ev->running = false;
  a->accepted--;
}

lf_time_us
lf_async_next (const lf_async *a)
{
  return a->n ? a->heap[1]->due : LF_NONE;
}

size_t
lf_async_waiting (const lf_async *a)
{
  return a->n;
}

const char *
lf_async_end_name (lf_async_end e)
{
  static const char *const names[] = {
    [LF_AS_SUCCESS] = "Success", [LF_AS_RETRIES_EXHAUSTED] = "RetriesExhausted",
    [LF_AS_EVENT_AGE_EXCEEDED] = "EventAgeExceeded", [LF_AS_ZERO_RESERVED] = "ZeroReservedConcurrency",
  };
  return (size_t) e < LF_ARRAY_LEN (names) ? names[e] : "Unknown";
}
