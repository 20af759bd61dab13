/* SPDX-License-Identifier: Apache-2.0
 *
 * The life cycle, rule by rule, with exact numbers. Times are microseconds.
 */
#include "fleet_world.h"

#include <stdio.h>
#include <string.h>

/* ---- cold and warm ----------------------------------------------------------------------------------------------------------- */

static void
cold_then_warm (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 1000, "invoke a", "START:1" },
        { 1000, "env 1", "starting served=0" },
        { 2500, "launched 1", "" },
        { 2500, "env 1", "starting served=0 deadline=10002500" },
        { 2500, "launched 1", "" },
        { 202500, "next 1", "DELIVER:1a" },
        { 202500, "env 1", "busy served=0 deadline=3202500" },
        { 252700, "ok 1", "ANSWER:a" },
        { 252700, "? a", "ok cold wait=1500 init=200000 duration=50200" },
        { 252900, "next 1", "FINISH:a" },
        { 252900, "? a", "ok cold wait=1500 init=200000 duration=50200 ended=252900" },
        { 252900, "env 1", "idle served=1 deadline=300252900" },
        { 300000, "invoke b", "DELIVER:1b" },
        { 301000, "error 1", "ANSWER:b" },
        { 301001, "next 1", "FINISH:b" },
        { 301001, "? b", "function_error wait=0 duration=1001 ended=301001" },
        { 301001, "env 1", "idle served=2 deadline=300301001" });
  assert_int_equal (w.inv[0].begun, 2500);
  assert_int_equal (w.inv[0].delivered, 202500);
  assert_int_equal (w.inv[0].response_at, 252700);
  assert_int_equal (w.inv[1].begun, 300000);
  assert_int_equal (w.inv[1].delivered, 300000);
  world_close (&w);
}

static void
duration_grows_only_into_a_later_millisecond (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "launched 1", "" }, { 0, "next 1", "DELIVER:1a" },
        { 1001, "ok 1", "ANSWER:a" }, { 2000, "next 1", "FINISH:a" },
        { 2000, "? a", "ok cold wait=0 init=0 duration=1001 ended=2000" },
        { 10000, "invoke b", "DELIVER:1b" }, { 11001, "ok 1", "ANSWER:b" }, { 12001, "next 1", "FINISH:b" },
        { 12001, "? b", "ok wait=0 duration=2001 ended=12001" },
        { 20000, "invoke c", "DELIVER:1c" }, { 21000, "ok 1", "ANSWER:c" }, { 21000, "next 1", "FINISH:c" },
        { 21000, "? c", "ok wait=0 duration=1000 ended=21000" },
        /* What the platform took itself is nobody's time. */
        { 30000, "invoke d", "DELIVER:1d" }, { 30500, "ok 1", "ANSWER:d" }, { 34000, "next 1 3001", "FINISH:d" },
        { 34000, "? d", "ok wait=0 duration=500 ended=34000" },
        { 40000, "invoke e", "DELIVER:1e" }, { 40500, "ok 1", "ANSWER:e" }, { 44000, "next 1 2000", "FINISH:e" },
        { 44000, "? e", "ok wait=0 duration=2000 ended=44000" },
        { 50000, "invoke f", "DELIVER:1f" }, { 50500, "ok 1", "ANSWER:f" }, { 51000, "next 1 900000", "FINISH:f" },
        { 51000, "? f", "ok wait=0 duration=500 ended=51000" });
  world_close (&w);
}

static void
what_makes_no_sense_is_ignored (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "ok 1", "" }, { 10, "launched 1", "" }, { 20, "ok 1", "" },
        { 100, "next 1", "DELIVER:1a" },
        { 110, "launched 1", "" },
        { 120, "next 1", "DELIVER:1a" }, /* asks again: the same event again */
        { 200, "ok 1", "ANSWER:a" }, { 210, "error 1", "" }, { 210, "? a", "ok cold wait=10 init=90 duration=100" },
        { 220, "next 1", "FINISH:a" }, { 230, "next 1", "" }, { 240, "ok 1", "" }, { 260, "launched 1", "" },
        { 260, "env 1", "idle served=1 deadline=300000220" },
        { 100, "tick", "" }, /* time never goes back */
        { 50, "invoke b", "DELIVER:1b" }, { 300, "? b", "ok wait=0" });
  assert_int_equal (w.inv[1].received, 260);
  world_close (&w);
}

/* ---- init -------------------------------------------------------------------------------------------------------------------- */

static void
init_begins_when_it_began (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 100, "invoke a", "START:1" }, { 5000, "launched 1 1100", "" }, { 5100, "next 1", "DELIVER:1a" }, /* seen late */
        { 6100, "ok 1", "ANSWER:a" }, { 6100, "? a", "ok cold wait=1000 init=4000 duration=1000" },
        { 6100, "invoke b", "START:2" }, { 6200, "launched 2 50", "" }, { 6200, "next 2", "DELIVER:2b" }, /* never before the request */
        { 6300, "ok 2", "ANSWER:b" }, { 6300, "? b", "ok cold wait=0 init=100 duration=100" },
        { 6300, "invoke c", "START:3" }, { 6400, "launched 3 9000", "" }, { 6500, "next 3", "DELIVER:3c" }, /* nor in the future */
        { 6600, "ok 3", "ANSWER:c" }, { 6600, "? c", "ok cold wait=100 init=100 duration=100" });
  world_close (&w);
}

static void
first_init_fails_then_works (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 1000, "launched 1", "" },
        { 6000, "exit 1", "ABANDONED:1 RESTART:1" },
        { 6000, "? a", "ok cold wait=1000 abandoned=init_error/5000 exit=1/0" },
        { 6000, "env 1", "busy in_invoke_init served=0 deadline=3006000" },
        { 6500, "launched 1", "" }, { 7000, "ok 1", "" },
        { 106000, "next 1", "DELIVER:1a" },
        { 106000, "env 1", "busy served=0 deadline=3006000" },
        { 206000, "ok 1", "ANSWER:a" }, { 206000, "next 1", "FINISH:a" },
        { 206000, "? a", "ok cold wait=1000 abandoned=init_error/5000 duration=200000 ended=206000" });
  world_close (&w);
}

static void
init_fails_twice (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 1000, "launched 1", "" }, { 6000, "exit 1", "ABANDONED:1 RESTART:1" },
        { 16000, "exit 1", "ANSWER:a FINISH:a" },
        { 16000, "? a", "init_error cold wait=1000 abandoned=init_error/5000 duration=10000 ended=16000 exit=1/0" },
        { 16000, "env 1", "idle needs_init served=1 deadline=300016000" },
        { 20000, "invoke b", "RESTART:1" }, { 50000, "oom 1", "ANSWER:b FINISH:b" },
        { 50000, "? b", "out_of_memory wait=0 duration=30000 ended=50000 exit=0/9" },
        { 60000, "invoke c", "RESTART:1" }, { 61000, "noexec 1", "ANSWER:c FINISH:c" },
        { 61000, "? c", "init_error wait=0 duration=1000 ended=61000 exit=0/0" });
  world_close (&w);
}

static void
an_exec_that_fails_is_a_failed_init (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 1500, "noexec 1", "ABANDONED:1 RESTART:1" }, { 2000, "noexec 1", "ANSWER:a FINISH:a" },
        { 2000, "? a", "init_error cold wait=1500 abandoned=init_error/0 duration=500 ended=2000 exit=0/0" });
  assert_true (w.inv[0].exit.exec_failed);
  assert_int_equal (w.inv[0].exit.exec_errno, 2);
  world_close (&w);
}

static void
init_overruns_its_ten_seconds (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 500000, "launched 1", "" }, { 500000, "due", " =10500000" },
        { 10499999, "tick", "" }, { 10500000, "tick", "KILL:1" }, { 10500000, "env 1", "busy resetting served=0" },
        { 10500500, "next 1", "" }, { 10500600, "ok 1", "" },
        { 10501000, "oom 1", "ABANDONED:1 RESTART:1" },
        { 10501000, "? a", "ok cold wait=500000 abandoned=init_timeout/10000000" },
        { 13500999, "tick", "" },
        { 13501000, "tick", "KILL:1" }, { 13501000, "env 1", "busy resetting in_invoke_init served=0" },
        { 13502000, "exit 1", "ANSWER:a FINISH:a" },
        { 13502000, "? a", "init_timeout cold wait=500000 abandoned=init_timeout/10000000 duration=3000000 ended=13502000" },
        { 13502000, "env 1", "idle needs_init served=1 deadline=313502000" });
  world_close (&w);
}

static void
init_again_and_the_timeout (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w, /* first init ended by an error, the second overruns the function's timeout */
        { 0, "invoke a", "START:1" }, { 0, "launched 1", "" }, { 1000, "exit 1", "ABANDONED:1 RESTART:1" },
        { 3001000, "tick", "KILL:1" }, { 3001500, "exit 1", "ANSWER:a FINISH:a" },
        { 3001500, "? a", "timeout cold wait=0 abandoned=init_error/1000 duration=3000000 ended=3001500" },
        /* init inside the invocation in a warm environment */
        { 4000000, "invoke b", "RESTART:1" }, { 7000000, "tick", "KILL:1" }, { 7000000, "exit 1", "ANSWER:b FINISH:b" },
        { 7000000, "? b", "timeout wait=0 duration=3000000 ended=7000000" },
        /* the first init overran, the second did not, the handler did: that is a timeout of the function */
        { 8000000, "invoke c", "RESTART:1" }, { 8000100, "next 1", "DELIVER:1c" }, { 8000100, "invoke d", "START:2" },
        { 8000100, "launched 2", "" },
        { 11000000, "tick", "KILL:1" }, { 11000000, "exit 1", "ANSWER:c FINISH:c" },
        { 18000100, "tick", "KILL:2" }, { 18000100, "exit 2", "ABANDONED:2 RESTART:2" }, { 19000100, "next 2", "DELIVER:2d" },
        { 21000100, "tick", "KILL:2" }, { 21000100, "exit 2", "ANSWER:d FINISH:d" },
        { 21000100, "? d", "timeout cold wait=0 abandoned=init_timeout/10000000 duration=3000000 ended=21000100" });
  world_close (&w);
}

static void
no_sandbox_can_be_made (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 700, "failed 1", "ANSWER:a FINISH:a DESTROY:1:start_failed" },
        { 700, "? a", "crash cold wait=700 ended=700" }, { 700, "env 1", "gone served=1" }, { 800, "exit 1", "" },
        { 800, "next 1", "" },
        { 900, "gone 1", "" },
        { 1000, "invoke b", "START:2" }, { 1100, "failed 2 out_of_memory", "ANSWER:b FINISH:b DESTROY:2:start_failed" },
        { 1100, "? b", "out_of_memory cold wait=100 ended=1100" },
        { 1200, "gone 2", "" }, /* a process that cannot be started again in its sandbox */
        { 2000, "invoke c", "START:3" }, { 2000, "launched 3", "" }, { 2500, "exit 3", "ABANDONED:3 RESTART:3" },
        { 2600, "failed 3", "ANSWER:c FINISH:c DESTROY:3:start_failed" },
        { 2600, "? c", "crash cold wait=0 abandoned=init_error/500 duration=100 ended=2600" }, { 2700, "gone 3", "" });
  lf_fleet_counts c;
  lf_fleet_count (w.fleet, NULL, &c);
  assert_int_equal (c.environments, 0);
  world_close (&w);
}

static void
a_sandbox_is_lost (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "next 1", "DELIVER:1a" },
        { 500, "failed 1", "ANSWER:a FINISH:a DESTROY:1:start_failed" },
        { 500, "? a", "crash cold wait=0 init=0 duration=500 ended=500" }, { 500, "gone 1", "" },
        { 1000, "invoke b", "START:2" }, { 1000, "next 2", "DELIVER:2b" }, { 1500, "ok 2", "ANSWER:b" },
        { 1600, "failed 2", "FINISH:b DESTROY:2:start_failed" }, { 1600, "? b", "ok cold wait=0 init=0 duration=500 ended=1600" },
        { 2000, "invoke c", "START:3" }, { 2000, "next 3", "DELIVER:3c" }, { 2000, "ok 3", "ANSWER:c" },
        { 2000, "next 3", "FINISH:c" },
        { 2500, "failed 3", "DESTROY:3:start_failed" }, { 2600, "failed 3", "" },
        /* while it is killed for a timeout: that stays the reason */
        { 3000, "invoke d", "START:4" }, { 3000, "next 4", "DELIVER:4d" },
        { 3003000, "failed 4", "KILL:4 ANSWER:d FINISH:d DESTROY:4:start_failed" },
        { 3003000, "? d", "timeout cold wait=0 init=0 duration=3000000 ended=3003000" },
        { 4000000, "invoke e", "START:5" }, { 4000000, "launched 5", "" }, { 14000000, "tick", "KILL:5" },
        { 14000000, "failed 5", "ANSWER:e FINISH:e DESTROY:5:start_failed" },
        { 14000000, "? e", "crash cold wait=0 ended=14000000" });
  world_close (&w);
}

/* ---- crashes and timeouts ---------------------------------------------------------------------------------------------------- */

static void
a_crash_keeps_the_environment (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "launched 1", "" }, { 100, "next 1", "DELIVER:1a" },
        { 5100, "exit 1", "ANSWER:a FINISH:a" }, { 5100, "? a", "crash cold wait=0 init=100 duration=5000 ended=5100 exit=1/0" },
        { 5100, "env 1", "idle needs_init served=1 deadline=300005100" },
        { 9000, "invoke b", "RESTART:1" }, { 9000, "env 1", "busy in_invoke_init served=1 deadline=3009000" },
        { 9500, "next 1", "DELIVER:1b" }, { 9600, "oom 1", "ANSWER:b FINISH:b" },
        { 9600, "? b", "out_of_memory wait=0 duration=600 ended=9600 exit=0/9" },
        { 10000, "invoke c", "RESTART:1" }, { 10500, "next 1", "DELIVER:1c" }, { 11000, "ok 1", "ANSWER:c" },
        { 13000, "exit 1", "FINISH:c" }, { 13000, "? c", "ok wait=0 duration=3000 ended=13000 exit=1/0" },
        { 13000, "env 1", "idle needs_init served=3 deadline=300013000" }, { 13000, "exit 1", "" },
        { 14000, "invoke d", "RESTART:1" }, { 14500, "next 1", "DELIVER:1d" }, { 15000, "ok 1", "ANSWER:d" },
        { 15000, "next 1", "FINISH:d" },
        { 16000, "exit 1", "" }, { 16000, "env 1", "idle needs_init served=4 deadline=300015000" },
        { 17000, "invoke e", "RESTART:1" });
  assert_int_equal (w.inv[1].begun, 9000);
  world_close (&w);
}

static void
the_function_times_out (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "launched 1", "" }, { 100, "next 1", "DELIVER:1a" }, { 3000099, "tick", "" },
        { 3000400, "ok 1", "KILL:1" }, /* a response that comes when time is up comes too late */
        { 3000400, "env 1", "busy resetting served=0" }, { 3000500, "next 1", "" },
        { 3000900, "exit 1", "ANSWER:a FINISH:a" },
        { 3000900, "? a", "timeout cold wait=0 init=100 duration=3000000 ended=3000900" },
        { 3000900, "env 1", "idle needs_init served=1 deadline=303000900" },
        /* answered, but the runtime never asks for the next */
        { 4000000, "invoke b", "RESTART:1" }, { 4000000, "next 1", "DELIVER:1b" }, { 4001000, "ok 1", "ANSWER:b" },
        { 7000000, "next 1", "KILL:1" }, { 7000000, "? b", "ok wait=0 duration=1000" },
        { 7000700, "exit 1", "FINISH:b" }, { 7000700, "? b", "timeout wait=0 duration=3000000 ended=7000700" },
        /* the exit arrives with the deadline: the kill finds nothing left to kill */
        { 8000000, "invoke c", "RESTART:1" }, { 11000000, "exit 1", "KILL:1 ANSWER:c FINISH:c" },
        { 11000000, "? c", "timeout wait=0 duration=3000000 ended=11000000" });
  world_close (&w);
}

/* ---- idle -------------------------------------------------------------------------------------------------------------------- */

#define THREE_WARM \
  { 0, "invoke a", "START:1" }, { 0, "invoke b", "START:2" }, { 0, "invoke c", "START:3" }, { 0, "launched 1", "" }, \
      { 0, "launched 2", "" }, { 0, "launched 3", "" }, { 0, "next 1", "DELIVER:1a" }, { 0, "next 2", "DELIVER:2b" }, { 0, "next 3", "DELIVER:3c" }, \
      { 100, "ok 2", "ANSWER:b" }, { 100, "next 2", "FINISH:b" }, { 200, "ok 3", "ANSWER:c" }, { 200, "next 3", "FINISH:c" }, \
      { 300, "ok 1", "ANSWER:a" }, { 300, "next 1", "FINISH:a" }

static void
most_recently_used_first (void **state)
{
  (void) state;
  static const struct { lf_pick pick; const char *first, *second, *third; } cases[] = {
    { LF_PICK_MRU, "DELIVER:1d", "DELIVER:3e", "DELIVER:2f" },
    { LF_PICK_NEWEST, "DELIVER:3d", "DELIVER:2e", "DELIVER:1f" },
    { LF_PICK_LRU, "DELIVER:2d", "DELIVER:3e", "DELIVER:1f" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      world w;
      world_init (&w, world_profile_2026 ());
      w.options.pick = cases[i].pick;
      world_open (&w);
      PLAY (&w, THREE_WARM);
      assert_string_equal (world_do (&w, 400, "invoke d"), cases[i].first);
      assert_string_equal (world_do (&w, 400, "invoke e"), cases[i].second);
      assert_string_equal (world_do (&w, 400, "invoke f"), cases[i].third);
      assert_string_equal (world_do (&w, 400, "invoke g 1"), "START:4");
      assert_null (lf_fleet_broken (w.fleet));
      world_close (&w);
    }
}

static void
keepalive_ends (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.config[1].keepalive_ms = 50;
  w.config[2].keepalive_ms = 0;
  world_open (&w);
  PLAY (&w, THREE_WARM,
        { 400, "due", " =300000100" }, { 300000099, "tick", "" },
        { 300000250, "tick", "DESTROY:2:keepalive DESTROY:3:keepalive" },
        { 300000299, "invoke d", "DELIVER:1d" }, { 300000299, "ok 1", "ANSWER:d" }, { 300000299, "next 1", "FINISH:d" },
        { 300000300, "env 1", "idle served=2 deadline=600000299" },
        { 600000299, "invoke e", "DESTROY:1:keepalive START:4" }, /* exactly then it is over */
        { 600000299, "gone 1", "" }, { 600000299, "gone 2", "" }, { 600000299, "gone 3", "" },
        { 600000300, "invoke f 1", "START:5" }, { 600000300, "next 5", "DELIVER:5f" }, { 600000300, "ok 5", "ANSWER:f" },
        { 600000300, "next 5", "FINISH:f" }, { 600050299, "tick", "" }, { 600050300, "tick", "DESTROY:5:keepalive" },
        { 600050300, "invoke g 2", "START:6" }, { 600050300, "next 6", "DELIVER:6g" }, { 600050300, "ok 6", "ANSWER:g" },
        { 600050300, "next 6", "FINISH:g DESTROY:6:keepalive" });
  world_close (&w);
}

static void
keepalive_left_is_told (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w, THREE_WARM, { 400, "invoke d", "DELIVER:1d" });
  assert_int_equal (lf_env_keepalive_left (w.fleet, w.env[2], 1000100), 299000000);
  assert_int_equal (lf_env_keepalive_left (w.fleet, w.env[2], 400000000), 0);
  assert_int_equal (lf_env_keepalive_left (w.fleet, w.env[1], 1000100), LF_NONE);
  lf_fleet_counts c;
  lf_fleet_count (w.fleet, w.fn[0], &c);
  assert_int_equal (c.environments, 3);
  assert_int_equal (c.busy, 1);
  assert_int_equal (c.idle, 2);
  assert_int_equal (c.starting, 0);
  lf_fleet_count (w.fleet, w.fn[1], &c);
  assert_int_equal (c.environments, 0);
  world_close (&w);
}

static void
a_life_has_an_end (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.config[0].life_ms = 400000;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "launched 1", "" }, { 0, "next 1", "DELIVER:1a" }, { 100, "ok 1", "ANSWER:a" },
        { 100, "next 1", "FINISH:a" },
        { 200000000, "invoke b", "DELIVER:1b" }, { 200000000, "ok 1", "ANSWER:b" }, { 200000000, "next 1", "FINISH:b" },
        { 200000000, "env 1", "idle served=2 deadline=400000000" }, { 399999999, "invoke c", "DELIVER:1c" },
        { 401000000, "ok 1", "ANSWER:c" },
        { 401000000, "next 1", "FINISH:c DESTROY:1:life" }, /* at work when its time came */
        { 500000000, "invoke d", "START:2" }, { 500000000, "next 2", "DELIVER:2d" }, { 500000000, "ok 2", "ANSWER:d" },
        { 500000000, "next 2", "FINISH:d" },
        { 700000000, "invoke e", "DELIVER:2e" }, { 700000000, "ok 2", "ANSWER:e" }, { 700000000, "next 2", "FINISH:e" },
        { 900000000, "invoke f", "DESTROY:2:life START:3" }, { 900000000, "next 3", "DELIVER:3f" },
        { 900000000, "ok 3", "ANSWER:f" }, { 900000000, "next 3", "FINISH:f" },
        { 1299000000, "tick", "DESTROY:3:keepalive" }, { 1300000000, "invoke g", "START:4" }, { 1300000000, "next 4", "DELIVER:4g" },
        { 1300000000, "ok 4", "ANSWER:g" }, { 1300000000, "next 4", "FINISH:g" }, { 1599999999, "invoke h", "DELIVER:4h" },
        { 1599999999, "ok 4", "ANSWER:h" }, { 1599999999, "next 4", "FINISH:h" }, { 1699999999, "invoke i", "DELIVER:4i" },
        { 1700000000, "ok 4", "ANSWER:i" }, { 1700000000, "next 4", "FINISH:i DESTROY:4:life" }); /* on the dot */
  world_close (&w);
}

static void
frozen_between_invocations (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.freeze_delay_us = 2000;
  world_open (&w);
  PLAY (&w, THREE_WARM,
        { 400, "due", " =2100" }, { 2099, "tick", "" }, { 2100, "tick", "FREEZE:2" }, { 2100, "due", " =2200" },
        { 2150, "invoke d", "DELIVER:1d" },
        { 9000, "tick", "FREEZE:3" }, { 9000, "env 3", "idle frozen served=1 deadline=300000200" },
        { 9000, "invoke e", "THAW:3 DELIVER:3e" }, { 9000, "exit 2", "" }, { 9100, "invoke f", "THAW:2 RESTART:2" },
        { 9200, "ok 3", "ANSWER:e" }, { 9200, "next 3", "FINISH:e" }, { 9300, "exit 3", "" }, /* nothing left to freeze */
        { 20000, "tick", "" }, { 20000, "env 3", "idle needs_init served=2 deadline=300009200" },
        { 20000, "exit 2", "ANSWER:f FINISH:f" }, { 30000, "tick", "" }, { 30000, "due", " =3002150" });
  world_close (&w);
  world_init (&w, world_profile_2026 ());
  w.options.freeze_delay_us = 0;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "next 1", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" },
        { 10, "next 1", "FINISH:a FREEZE:1" },
        { 10, "invoke b", "THAW:1 DELIVER:1b" });
  world_close (&w);
}

static void
what_is_due_is_done_in_order (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.freeze_delay_us = 5000000;
  w.config[1].keepalive_ms = 5000;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "invoke b 1", "START:2" }, { 0, "invoke c", "START:3" }, { 0, "launched 3", "" },
        { 0, "next 1", "DELIVER:1a" }, { 0, "next 2", "DELIVER:2b" }, { 0, "ok 2", "ANSWER:b" }, { 0, "next 2", "FINISH:b" },
        { 50, "ok 1", "ANSWER:a" }, { 50, "next 1", "FINISH:a" }, { 60, "invoke d 2", "START:4" }, { 60, "next 4", "DELIVER:4d" },
        /* one late step: timeout at 3.00006, keepalive (before the freeze of the same time) at 5, freeze at 5.00005, init at 10 */
        { 20000000, "tick", "KILL:4 DESTROY:2:keepalive FREEZE:1 KILL:3" },
        { 20000000, "exit 3", "ABANDONED:3 RESTART:3" }, { 20000000, "? c", "ok cold wait=0 abandoned=init_timeout/10000000" });
  world_close (&w);
}

static void
one_invocation_for_one_environment (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.config[0].single_use = true;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "next 1", "DELIVER:1a" }, { 10, "ok 1", "ANSWER:a" },
        { 20, "next 1", "FINISH:a DESTROY:1:single_use" },
        { 30, "invoke b", "START:2" }, { 40, "next 2", "DELIVER:2b" }, { 50, "exit 2", "ANSWER:b FINISH:b DESTROY:2:single_use" },
        { 60, "invoke c", "START:3" }, { 60, "launched 3", "" }, { 70, "exit 3", "ABANDONED:3 RESTART:3" },
        { 3000070, "tick", "KILL:3" }, { 3000080, "exit 3", "ANSWER:c FINISH:c DESTROY:3:single_use" });
  world_close (&w);
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------- */

static void
a_function_is_removed (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.config[0].reserved = 3;
  world_open (&w);
  PLAY (&w, THREE_WARM, { 400, "invoke d", "DELIVER:1d" }, { 400, "invoke e 1", "START:4" });
  assert_int_equal (lf_fleet_unreserved (w.fleet), 997);
  assert_false (lf_fleet_forget (w.fleet, w.fn[0]));
  PLAY (&w,
        { 500, "remove 0", "DESTROY:3:removed DESTROY:2:removed" }, { 500, "remove 0", "" },
        { 500, "invoke f", "ANSWER:f FINISH:f" }, { 500, "? f", "rejected ended=500" }, { 500, "gone 3", "" },
        { 500, "gone 2", "" });
  assert_int_equal (lf_fleet_unreserved (w.fleet), 1000);
  assert_false (lf_fleet_forget (w.fleet, w.fn[0]));
  PLAY (&w, { 600, "ok 1", "ANSWER:d" }, { 600, "next 1", "FINISH:d DESTROY:1:removed" });
  assert_false (lf_fleet_forget (w.fleet, w.fn[0]));
  PLAY (&w, { 700, "gone 1", "" });
  assert_true (lf_fleet_forget (w.fleet, w.fn[0]));
  PLAY (&w, { 800, "next 4", "DELIVER:4e" });
  world_close (&w);
}

static void
everything_is_shut_down (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  PLAY (&w, THREE_WARM,
        { 400, "invoke d", "DELIVER:1d" }, { 400, "invoke e", "DELIVER:3e" }, { 450, "ok 3", "ANSWER:e" },
        { 450, "invoke f 1", "START:4" },
        { 1450, "shutdown",
        "ANSWER:f FINISH:f DESTROY:4:shutdown FINISH:e DESTROY:3:shutdown DESTROY:2:shutdown "
          "ANSWER:d FINISH:d DESTROY:1:shutdown" },
        { 1450, "? d", "crash wait=0 duration=1050 ended=1450" }, { 1450, "? e", "ok wait=0 duration=1050 ended=1450" },
        { 1450, "? f", "crash cold ended=1450" }, { 1460, "shutdown", "" }, { 1470, "next 1", "" },
        { 1480, "invoke g", "ANSWER:g FINISH:g" }, { 1480, "? g", "rejected ended=1480" },
        { 1490, "gone 1", "" }, { 1490, "gone 2", "" }, { 1490, "gone 3", "" }, { 1490, "gone 4", "" }, { 1490, "due", "" });
  world_close (&w);
}

static void
a_sandbox_vanishes (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.freeze_delay_us = 1000;
  world_open (&w);
  PLAY (&w, THREE_WARM,
        { 400, "invoke d", "DELIVER:1d" }, { 500, "gone 1", "ANSWER:d FINISH:d" },
        { 500, "? d", "crash wait=0 duration=100 ended=500" },
        { 600, "gone 3", "" }, { 600, "invoke e", "DELIVER:2e" }, { 600, "invoke f", "START:4" });
  world_close (&w);
}

/* ---- who gets in ------------------------------------------------------------------------------------------------------------- */

static void
concurrency_is_limited (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.concurrency = 4;
  w.config[1].reserved = 2;
  w.config[2].reserved = 0;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "invoke b", "START:2" },
        { 0, "invoke c", "ANSWER:c FINISH:c" }, { 0, "? c", "throttled ended=0 ConcurrentInvocationLimitExceeded" },
        { 0, "invoke d 1", "START:3" }, { 0, "invoke e 1", "START:4" },
        { 0, "invoke f 1", "ANSWER:f FINISH:f" },
        { 0, "? f", "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "invoke g 2", "ANSWER:g FINISH:g" },
        { 0, "? g", "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "next 1", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" }, /* answered is not finished */
        { 0, "invoke h", "ANSWER:h FINISH:h" }, { 0, "next 1", "FINISH:a" }, { 0, "invoke i", "DELIVER:1i" },
        { 0, "invoke j", "ANSWER:j FINISH:j" });
  assert_int_equal (lf_fleet_in_flight (w.fleet, NULL), 4);
  assert_int_equal (lf_fleet_in_flight (w.fleet, w.fn[1]), 2);
  world_close (&w);
}

static void
versions_share_a_reservation (void **state)
{
  (void) state;
  world w;
  lf_error err = { 0 };
  world_init (&w, world_profile_2026 ());
  w.options.concurrency = 110;
  w.config[0].reserved = 2;
  w.config[1].reserved = 7; /* means nothing: the function's counts */
  w.versions = true;
  world_open (&w);
  assert_int_equal (lf_fleet_unreserved (w.fleet), 108);
  PLAY (&w,
        { 0, "invoke a", "START:1" }, { 0, "invoke b 1", "START:2" },
        { 0, "invoke c", "ANSWER:c FINISH:c" }, { 0, "? c", "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "invoke d 1", "ANSWER:d FINISH:d" }, { 0, "? d", "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "invoke e 2", "START:3" },
        { 0, "remove 0", "" }, /* changed for the new code: what runs still counts */
        { 0, "invoke f 1", "ANSWER:f FINISH:f" }, { 0, "? f", "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "next 1", "DELIVER:1a" }, { 10, "ok 1", "ANSWER:a" }, { 20, "next 1", "FINISH:a DESTROY:1:removed" },
        { 30, "invoke g 1", "START:4" }, { 30, "invoke h 1", "ANSWER:h FINISH:h" });
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[1], 3, &err), 0);
  assert_int_equal (lf_fleet_unreserved (w.fleet), 107);
  PLAY (&w, { 40, "invoke i 1", "START:5" }, { 50, "remove 1", "" });
  assert_int_equal (lf_fleet_unreserved (w.fleet), 110);
  assert_int_equal (lf_fleet_reserved (w.fn[1]), LF_NONE);
  world_close (&w);
}

static void
reserving_leaves_the_others_a_minimum (void **state)
{
  (void) state;
  world w;
  lf_error err = { 0 };
  world_init (&w, world_profile_2026 ());
  world_open (&w);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 901, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_string_equal (err.why,
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
                                "minimum value of [100].");
  assert_int_equal (lf_fleet_reserved (w.fn[0]), LF_NONE);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 900, &err), 0);
  assert_int_equal (lf_fleet_unreserved (w.fleet), 100);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[1], 1, &err), -1);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[1], 0, &err), 0);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 899, &err), 0);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[1], 1, &err), 0);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], -7, &err), -1);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], INT64_MAX, &err), -1);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], LF_NONE, &err), 0);
  assert_int_equal (lf_fleet_unreserved (w.fleet), 999);
  assert_int_equal (lf_fleet_concurrency (w.fleet), 1000);
  world_close (&w);
  world_init (&w, world_profile_2026 ());
  w.options.concurrency = 10; /* a new account */
  world_open (&w);
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 1, &err), -1);
  assert_non_null (strstr (err.why, "[10]."));
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 0, &err), 0);
  world_close (&w);
}

static void
reservations_change_at_work (void **state)
{
  (void) state;
  world w;
  lf_error err = { 0 };
  world_init (&w, world_profile_2026 ());
  w.profile.concurrency_unreserved_min = 1;
  w.options.concurrency = 4;
  world_open (&w);
  PLAY (&w, { 0, "invoke a", "START:1" }, { 0, "invoke b", "START:2" }, { 0, "invoke c", "START:3" });
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], 2, &err), 0);
  PLAY (&w, { 0, "invoke d", "ANSWER:d FINISH:d" }, { 0, "? d",
      "throttled ended=0 ReservedFunctionConcurrentInvocationLimitExceeded" },
        { 0, "invoke e 1", "START:4" }, /* the pool has two, but the account only one left */
        { 0, "invoke f 1", "ANSWER:f FINISH:f" }, { 0, "? f", "throttled ended=0 ConcurrentInvocationLimitExceeded" },
        { 0, "next 1", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" }, { 0, "next 1", "FINISH:a" }, { 0, "invoke g 1", "START:5" });
  assert_int_equal (lf_fleet_set_reserved (w.fleet, w.fn[0], LF_NONE, &err), 0);
  PLAY (&w, { 0, "invoke h", "ANSWER:h FINISH:h" }, { 0, "? h", "throttled ended=0 ConcurrentInvocationLimitExceeded" });
  world_close (&w);
}

static void
requests_a_second_are_limited (void **state)
{
  (void) state;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.concurrency = 1;
  w.options.rate_limit = true;
  world_open (&w);
  PLAY (&w, { 0, "invoke a", "START:1" }, { 0, "next 1", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" }, { 0, "next 1", "FINISH:a" });
  for (int i = 0; i < 9; i++)
    PLAY (&w, { 0, "invoke a", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" }, { 0, "next 1", "FINISH:a" });
  PLAY (&w, /* ten at once, then one every 100 ms */
        { 0, "invoke b", "ANSWER:b FINISH:b" }, { 0, "? b", "throttled ended=0 FunctionInvocationRateLimitExceeded retry=100" },
        { 99999, "invoke b", "ANSWER:b FINISH:b" },
        { 99999, "? b", "throttled ended=99999 FunctionInvocationRateLimitExceeded retry=1" },
        { 100000, "invoke c", "DELIVER:1c" }, { 100000, "invoke d", "ANSWER:d FINISH:d" },
        { 100000, "? d", "throttled ended=100000 ConcurrentInvocationLimitExceeded" }, { 100000, "ok 1", "ANSWER:c" },
        { 100000, "next 1", "FINISH:c" },
        { 250000, "invoke c", "DELIVER:1c" }, { 250000, "ok 1", "ANSWER:c" }, { 250000, "next 1", "FINISH:c" },
        { 250000, "invoke d", "ANSWER:d FINISH:d" },
        { 250000, "? d", "throttled ended=250000 FunctionInvocationRateLimitExceeded retry=50" },
        { 300000, "invoke c", "DELIVER:1c" });
  world_close (&w);
  world_init (&w, world_profile_2026 ());
  w.profile.requests_per_concurrency = 1;
  w.options.rate_limit = true;
  w.config[1].reserved = 2;
  world_open (&w);
  PLAY (&w,
        { 0, "invoke a 1", "START:1" }, { 0, "next 1", "DELIVER:1a" }, { 0, "ok 1", "ANSWER:a" }, { 0, "next 1", "FINISH:a" },
        { 0, "invoke b 1", "DELIVER:1b" }, { 0, "invoke c 1", "ANSWER:c FINISH:c" },
        { 0, "? c", "throttled ended=0 ReservedFunctionInvocationRateLimitExceeded retry=500" }, { 0, "invoke d", "START:2" });
  world_close (&w);
}

/* How many new environments a burst gets at a time. *last: the last invocation. */
static size_t
burst (world *w, lf_fleet_fn *fn, size_t n, lf_time_us at, const lf_inv **last)
{
  static lf_inv pool[16000];
  static size_t used;
  size_t started = 0;
  if (at == 0 && fn == w->fn[0])
    used = 0;
  assert_true (used + n <= LF_ARRAY_LEN (pool));
  lf_inv *inv = pool + used;
  used += n;
  if (last)
    *last = &inv[n - 1];
  for (size_t i = 0; i < n; i++)
    {
      lf_event ev = { .type = LF_EV_INVOKE, .fn = fn, .inv = &inv[i] };
      memset (&inv[i], 0, sizeof inv[i]);
      w->fx.n = 0;
      assert_int_equal (lf_fleet_step (w->fleet, &ev, at, &w->fx), 0);
      started += w->fx.v[0].type == LF_FX_START;
      if (w->fx.v[0].type != LF_FX_START)
        {
          assert_int_equal (inv[i].status, LF_ST_THROTTLED);
          assert_string_equal (inv[i].throttle_reason, "ConcurrentInvocationLimitExceeded");
        }
    }
  assert_null (lf_fleet_broken (w->fleet));
  return started;
}

static void
scaling_differs_between_the_eras (void **state)
{
  (void) state;
  static const struct { int era; size_t first, other, after_10_s, after_60_s, at_most; } cases[] = {
    { 2026, 1000, 1000, 1000, 1000, 1000 }, /* each function 1,000 and then 1,000 every 10 s */
    { 2020, 3000, 0, 83, 417, 3000 },       /* the account 3,000 and then 500 a minute: 83.3 in 10 s, 416.7 in 50 s more */
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      world w;
      world_init (&w, cases[i].era == 2026 ? world_profile_2026 () : world_profile_2020 ());
      w.options.concurrency = 1000000;
      w.options.scaling_limit = true;
      world_open (&w);
      assert_int_equal (burst (&w, w.fn[0], 4000, 0, NULL), cases[i].first);
      assert_int_equal (burst (&w, w.fn[1], 1500, 0, NULL), cases[i].other);
      world_close (&w);
      world_open (&w);
      assert_int_equal (burst (&w, w.fn[0], 4000, 0, NULL), cases[i].first);
      assert_int_equal (burst (&w, w.fn[0], 1500, 10000000, NULL), cases[i].after_10_s);
      assert_int_equal (burst (&w, w.fn[0], 1500, 60000000, NULL), cases[i].after_60_s);
      assert_int_equal (burst (&w, w.fn[0], 4000, INT64_C (3600000000), NULL), cases[i].at_most);
      world_close (&w);
    }
}

static void
scaling_refills_continuously (void **state)
{
  (void) state;
  const lf_inv *last;
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.concurrency = 1000000;
  w.options.scaling_limit = true;
  world_open (&w);
  assert_int_equal (burst (&w, w.fn[0], 1001, 0, &last), 1000);
  assert_int_equal (last->retry_after_ms, 10);
  assert_int_equal (burst (&w, w.fn[0], 2, 9999, NULL), 0);
  assert_int_equal (burst (&w, w.fn[0], 2, 10000, NULL), 1);
  assert_int_equal (burst (&w, w.fn[0], 2000, 1010000, NULL), 100);
  world_close (&w);
  w.options.scaling_limit = false;
  world_open (&w);
  assert_int_equal (burst (&w, w.fn[0], 2000, 0, NULL), 2000);
  world_close (&w);
}

static void
names (void **state)
{
  (void) state;
  static const char *const states[] = { "starting", "busy", "idle", "busy", "gone" };
  static const char *const ends[] = { "keepalive", "life", "single_use", "shutdown", "start_failed", "removed" };
  for (size_t i = 0; i < LF_ARRAY_LEN (states); i++)
    assert_string_equal (lf_env_state_name ((lf_env_state) i), states[i]);
  for (size_t i = 0; i < LF_ARRAY_LEN (ends); i++)
    assert_string_equal (lf_env_end_name ((lf_env_end) i), ends[i]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (cold_then_warm),
    cmocka_unit_test (duration_grows_only_into_a_later_millisecond),
    cmocka_unit_test (what_makes_no_sense_is_ignored),
    cmocka_unit_test (init_begins_when_it_began), cmocka_unit_test (first_init_fails_then_works),
    cmocka_unit_test (init_fails_twice),
    cmocka_unit_test (an_exec_that_fails_is_a_failed_init),
    cmocka_unit_test (init_overruns_its_ten_seconds),
    cmocka_unit_test (init_again_and_the_timeout),
    cmocka_unit_test (no_sandbox_can_be_made),
    cmocka_unit_test (a_sandbox_is_lost),
    cmocka_unit_test (a_crash_keeps_the_environment),
    cmocka_unit_test (the_function_times_out),
    cmocka_unit_test (most_recently_used_first),
    cmocka_unit_test (keepalive_ends),
    cmocka_unit_test (keepalive_left_is_told),
    cmocka_unit_test (a_life_has_an_end),
    cmocka_unit_test (frozen_between_invocations),
    cmocka_unit_test (what_is_due_is_done_in_order),
    cmocka_unit_test (one_invocation_for_one_environment),
    cmocka_unit_test (a_function_is_removed),
    cmocka_unit_test (everything_is_shut_down),
    cmocka_unit_test (a_sandbox_vanishes),
    cmocka_unit_test (concurrency_is_limited),
    cmocka_unit_test (versions_share_a_reservation),
    cmocka_unit_test (reserving_leaves_the_others_a_minimum),
    cmocka_unit_test (reservations_change_at_work),
    cmocka_unit_test (requests_a_second_are_limited),
    cmocka_unit_test (scaling_differs_between_the_eras),
    cmocka_unit_test (scaling_refills_continuously),
    cmocka_unit_test (names),
  };
  return cmocka_run_group_tests_name ("fleet", tests, NULL, NULL);
}
