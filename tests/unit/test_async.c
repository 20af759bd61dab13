/* SPDX-License-Identifier: Apache-2.0
 *
 * Asynchronous events: retries, backoff and age, with exact numbers, then at random against what the rules say of one event alone.
 */
#include "fleet_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S INT64_C (1000000)

typedef struct queue
{
  lf_profile profile;
  lf_function fn;
  lf_async *a;
  lf_async_fxs fx;
} queue;

static void
queue_open (queue *q)
{
  memset (q, 0, sizeof *q);
  q->profile = world_profile_2026 ();
  q->fn = world_function ();
  q->a = lf_async_new (&q->profile);
  assert_non_null (q->a);
}

static void
queue_close (queue *q)
{
  lf_async_free (q->a);
  free (q->fx.v);
}

/* What the last call wanted: "" for nothing, "invoke", or how it ended. */
static const char *
wanted (queue *q, const lf_async_event *ev)
{
  assert_true (q->fx.n <= 1);
  if (q->fx.n == 0)
    return "";
  assert_ptr_equal (q->fx.v[0].ev, ev);
  return q->fx.v[0].type == LF_AFX_INVOKE ? "invoke" : lf_async_end_name (q->fx.v[0].end);
}

static const char *
accept (queue *q, lf_async_event *ev, lf_time_us now, bool zero)
{
  q->fx.n = 0;
  ev->fn = &q->fn;
  assert_int_equal (lf_async_accept (q->a, ev, now, zero, &q->fx), 0);
  return wanted (q, ev);
}

static const char *
result (queue *q, lf_async_event *ev, lf_status status, lf_time_us now)
{
  q->fx.n = 0;
  assert_int_equal (lf_async_result (q->a, ev, status, now, &q->fx), 0);
  return wanted (q, ev);
}

static const char *
tick (queue *q, const lf_async_event *ev, lf_time_us now)
{
  q->fx.n = 0;
  assert_int_equal (lf_async_tick (q->a, now, &q->fx), 0);
  return wanted (q, ev);
}

static void
once_is_enough (void **state)
{
  (void) state;
  queue q;
  queue_open (&q);
  lf_async_event e = { 0 };
  assert_string_equal (accept (&q, &e, 5, false), "invoke");
  assert_int_equal (lf_async_next (q.a), LF_NONE);
  assert_true (e.running);
  assert_string_equal (result (&q, &e, LF_ST_OK, 10), "Success");
  assert_int_equal (e.attempts, 1);
  assert_string_equal (result (&q, &e, LF_ST_OK, 11), ""); /* twice is ignored */
  queue_close (&q);
}

static void
errors_are_tried_twice_more (void **state)
{
  (void) state;
  static const lf_status bad[] = { LF_ST_FUNCTION_ERROR, LF_ST_TIMEOUT, LF_ST_OUT_OF_MEMORY, LF_ST_CRASH, LF_ST_INIT_ERROR,
      LF_ST_INIT_TIMEOUT };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      queue q;
      queue_open (&q);
      lf_async_event e = { 0 };
      assert_string_equal (accept (&q, &e, 0, false), "invoke");
      assert_string_equal (result (&q, &e, bad[i], 2 * S), "");
      assert_int_equal (lf_async_next (q.a), 62 * S);
      assert_int_equal (lf_async_waiting (q.a), 1);
      assert_string_equal (tick (&q, &e, 62 * S - 1), "");
      assert_string_equal (tick (&q, &e, 62 * S), "invoke");
      assert_int_equal (lf_async_waiting (q.a), 0);
      assert_string_equal (result (&q, &e, bad[i], 70 * S), "");
      assert_int_equal (lf_async_next (q.a), 190 * S);
      assert_string_equal (tick (&q, &e, 190 * S), "invoke");
      assert_string_equal (result (&q, &e, bad[i], 191 * S), "RetriesExhausted");
      assert_int_equal (e.attempts, 3);
      queue_close (&q);
    }
}

static void
retries_are_the_functions (void **state)
{
  (void) state;
  for (int n = 0; n <= 1; n++)
    {
      queue q;
      queue_open (&q);
      q.fn.async_retries = n;
      lf_async_event e = { 0 };
      accept (&q, &e, 0, false);
      for (int i = 0; i < n; i++)
        {
          assert_string_equal (result (&q, &e, LF_ST_CRASH, 0), "");
          assert_string_equal (tick (&q, &e, lf_async_next (q.a)), "invoke");
        }
      assert_string_equal (result (&q, &e, LF_ST_CRASH, 0), "RetriesExhausted");
      assert_int_equal (e.attempts, n + 1);
      queue_close (&q);
    }
}

static void
throttles_back_off (void **state)
{
  (void) state;
  static const int64_t pause_s[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
  queue q;
  queue_open (&q);
  lf_async_event e = { 0 };
  lf_time_us now = 0;
  accept (&q, &e, now, false);
  for (size_t i = 0; i < LF_ARRAY_LEN (pause_s); i++)
    {
      assert_string_equal (result (&q, &e, LF_ST_THROTTLED, now), "");
      assert_int_equal (lf_async_next (q.a), now + pause_s[i] * S);
      now = lf_async_next (q.a);
      assert_string_equal (tick (&q, &e, now), "invoke");
    }
  assert_int_equal (e.attempts, 0);
  assert_string_equal (result (&q, &e, LF_ST_CRASH, now), ""); /* the first error after all */
  assert_int_equal (lf_async_next (q.a), now + 60 * S);
  now += 60 * S;
  assert_string_equal (tick (&q, &e, now), "invoke");
  assert_string_equal (result (&q, &e, LF_ST_THROTTLED, now), ""); /* and the backoff begins anew */
  assert_int_equal (lf_async_next (q.a), now + 1 * S);
  assert_int_equal (e.attempts, 1);
  queue_close (&q);
}

static void
events_grow_too_old (void **state)
{
  (void) state;
  queue q;
  queue_open (&q);
  q.fn.async_max_age_s = 100;
  lf_async_event e = { 0 };
  accept (&q, &e, 0, false);
  assert_string_equal (result (&q, &e, LF_ST_CRASH, 40 * S), ""); /* exactly as old as it may become */
  assert_string_equal (tick (&q, &e, 100 * S), "invoke");
  assert_string_equal (result (&q, &e, LF_ST_CRASH, 100 * S), "EventAgeExceeded");
  assert_int_equal (e.attempts, 2);
  lf_async_event f = { 0 };
  accept (&q, &f, 200 * S, false);
  assert_string_equal (result (&q, &f, LF_ST_CRASH, 240 * S + 1), "EventAgeExceeded"); /* at once, not when its time has come */
  assert_int_equal (lf_async_waiting (q.a), 0);
  lf_async_event g = { 0 };
  accept (&q, &g, 300 * S, false);
  assert_string_equal (result (&q, &g, LF_ST_THROTTLED, 400 * S), "EventAgeExceeded");
  assert_int_equal (g.attempts, 0);
  q.fn.async_max_age_s = LF_NONE; /* the profile's six hours */
  lf_async_event h = { 0 };
  accept (&q, &h, 500 * S, false);
  assert_string_equal (result (&q, &h, LF_ST_THROTTLED, (500 + 21599) * S), "");
  assert_string_equal (tick (&q, &h, (500 + 21600) * S), "invoke");
  assert_string_equal (result (&q, &h, LF_ST_THROTTLED, (500 + 21600) * S), "EventAgeExceeded");
  queue_close (&q);
}

static void
some_end_at_once (void **state)
{
  (void) state;
  queue q;
  queue_open (&q);
  lf_async_event e = { 0 }, f = { 0 };
  assert_string_equal (accept (&q, &e, 0, true), "ZeroReservedConcurrency");
  assert_int_equal (e.attempts, 0);
  assert_false (e.running);
  assert_string_equal (accept (&q, &f, 0, false), "invoke");
  assert_string_equal (result (&q, &f, LF_ST_REJECTED, 0), "RetriesExhausted");
  assert_int_equal (f.attempts, 0);
  queue_close (&q);
}

static void
dropped_events_are_forgotten (void **state)
{
  (void) state;
  queue q;
  queue_open (&q);
  lf_async_event e = { 0 }, f = { 0 }, never = { 0 };
  accept (&q, &e, 0, false);
  accept (&q, &f, 0, false);
  assert_string_equal (result (&q, &e, LF_ST_CRASH, 0), "");
  lf_async_drop (q.a, &e);
  assert_int_equal (lf_async_waiting (q.a), 0);
  lf_async_drop (q.a, &e);
  lf_async_drop (q.a, &f);
  assert_string_equal (result (&q, &f, LF_ST_CRASH, 0), "");
  lf_async_drop (q.a, &never);
  assert_int_equal (lf_async_next (q.a), LF_NONE);
  queue_close (&q);
}

static void
without_memory_nothing_changes (void **state)
{
  (void) state;
  queue q;
  queue_open (&q);
  lf_async_event e = { .fn = &q.fn };
  for (long n = 0; n <= 1; n++)
    {
      world_alloc_fails_after = n;
      int rc = lf_async_accept (q.a, &e, 7, false, &q.fx);
      world_alloc_fails_after = -1;
      assert_int_equal (rc, -1);
      assert_int_equal (q.fx.n, 0);
      assert_false (e.running);
    }
  assert_string_equal (accept (&q, &e, 5, false), "invoke");
  lf_async_fxs empty = { 0 };
  world_alloc_fails_after = 0;
  int rc = lf_async_result (q.a, &e, LF_ST_CRASH, 9, &empty);
  world_alloc_fails_after = -1;
  assert_int_equal (rc, -1);
  assert_true (e.running && e.attempts == 0);
  assert_string_equal (result (&q, &e, LF_ST_CRASH, 5), "");
  assert_int_equal (lf_async_next (q.a), 5 + 60 * S);
  world_alloc_fails_after = 0;
  rc = lf_async_tick (q.a, 100 * S, &empty);
  world_alloc_fails_after = -1;
  assert_int_equal (rc, -1);
  assert_int_equal (lf_async_waiting (q.a), 1);
  assert_string_equal (tick (&q, &e, 100 * S), "invoke");
  world_alloc_fails_after = 0;
  lf_async *none = lf_async_new (&q.profile);
  world_alloc_fails_after = -1;
  assert_null (none);
  lf_async_free (none);
  queue_close (&q);
}

/* ---- at random --------------------------------------------------------------------------------------------------------------- */

#define EVENTS 300

typedef struct watched { lf_async_event ev; lf_function fn; bool live; lf_time_us accepted, due; int errors, throttles; } watched;

static void
take_effects (queue *q, watched *all, lf_async_end *expected, watched *about)
{
  lf_time_us last = LF_NONE;
  for (size_t i = 0; i < q->fx.n; i++)
    {
      watched *w = q->fx.v[i].ev->user;
      assert_true (w >= all && w < all + EVENTS && w->live);
      if (q->fx.v[i].type == LF_AFX_DONE)
        {
          assert_ptr_equal (w, about);
          assert_non_null (expected);
          assert_int_equal (q->fx.v[i].end, *expected);
          w->live = false;
          continue;
        }
      assert_true (w->due >= last && w->due != LF_NONE); /* in order of their time */
      last = w->due;
      w->due = LF_NONE;
    }
}

/* What the rules say becomes of one event: true when it ends, as *end says; else it waits until w->due. */
static bool
rule (watched *w, lf_status status, lf_time_us now, lf_async_end *end)
{
  int64_t pause_s = 1;
  *end = LF_AS_RETRIES_EXHAUSTED;
  if (status == LF_ST_REJECTED)
    return true;
  if (status == LF_ST_OK)
    {
      *end = LF_AS_SUCCESS;
      return true;
    }
  if (status == LF_ST_THROTTLED)
    {
      for (int i = 0; i < w->throttles && pause_s < 300; i++)
        pause_s *= 2;
      pause_s = pause_s > 300 ? 300 : pause_s;
      w->throttles++;
    }
  else
    {
      w->throttles = 0;
      if (w->errors++ == (w->fn.async_retries < 0 ? 2 : w->fn.async_retries))
        return true;
      pause_s = w->errors == 1 ? 60 : 120;
    }
  *end = LF_AS_EVENT_AGE_EXCEEDED;
  if (now + pause_s * S - w->accepted > w->fn.async_max_age_s * S)
    return true;
  w->due = now + pause_s * S;
  return false;
}

static void
as_the_rules_say (void **state)
{
  (void) state;
  static watched all[EVENTS];
  queue q;
  queue_open (&q);
  uint64_t random = world_seed ();
  print_message ("LF_SEED=%" PRIu64 "\n", world_seed ());
  lf_time_us now = 0;
  size_t ends = 0;
  for (int step = 0; step < 300000; step++)
    {
      now += (lf_time_us) (world_random (&random) % (uint64_t) (3 * S));
      watched *w = &all[world_random (&random) % EVENTS];
      uint64_t what = world_random (&random) % 4;
      lf_async_end end = LF_AS_ZERO_RESERVED, *expected = NULL;
      q.fx.n = 0;
      if (what == 0)
        assert_int_equal (lf_async_tick (q.a, now, &q.fx), 0);
      else if (!w->live)
        {
          bool zero = world_random (&random) % 8 == 0;
          *w = (watched) { .fn = world_function (), .live = true, .accepted = now, .due = now };
          w->fn.async_retries = (int) (world_random (&random) % 4) - 1;
          w->fn.async_max_age_s = 60 + (int64_t) (world_random (&random) % 1000);
          w->ev.user = w;
          w->ev.fn = &w->fn;
          expected = zero ? &end : NULL;
          assert_int_equal (lf_async_accept (q.a, &w->ev, now, zero, &q.fx), 0);
        }
      else if (w->ev.running)
        {
          lf_status s = world_random (&random) % 3 == 0 ? LF_ST_THROTTLED : (lf_status) (world_random (&random) % LF_ST_COUNT);
          expected = rule (w, s, now, &end) ? &end : NULL;
          ends += expected != NULL;
          assert_int_equal (lf_async_result (q.a, &w->ev, s, now, &q.fx), 0);
          assert_true (q.fx.n == (expected ? 1 : 0));
        }
      else if (what == 1 && world_random (&random) % 50 == 0)
        {
          lf_async_drop (q.a, &w->ev);
          w->live = false;
        }
      take_effects (&q, all, expected, w);
      size_t waiting = 0;
      lf_time_us next = LF_NONE;
      for (size_t i = 0; step % 16 == 0 && i < EVENTS; i++)
        if (all[i].live && !all[i].ev.running)
          {
            waiting++;
            assert_int_equal (all[i].ev.due, all[i].due);
            next = next == LF_NONE || all[i].due < next ? all[i].due : next;
          }
      if (step % 16 == 0)
        {
          assert_int_equal (lf_async_waiting (q.a), waiting);
          assert_int_equal (lf_async_next (q.a), next);
        }
    }
  assert_true (ends > 1000);
  queue_close (&q);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (once_is_enough),
    cmocka_unit_test (errors_are_tried_twice_more),
    cmocka_unit_test (retries_are_the_functions),
    cmocka_unit_test (throttles_back_off),
    cmocka_unit_test (events_grow_too_old),
    cmocka_unit_test (some_end_at_once),
    cmocka_unit_test (dropped_events_are_forgotten),
    cmocka_unit_test (without_memory_nothing_changes),
    cmocka_unit_test (as_the_rules_say),
  };
  return cmocka_run_group_tests_name ("asynchronous events", tests, NULL, NULL);
}
