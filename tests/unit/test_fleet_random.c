/* SPDX-License-Identifier: Apache-2.0
 *
 * Millions of random steps. After each the fleet's invariants are asserted and its effects and results compared, one by one,
 * with those
 * of the oracle; now and then memory runs out in the middle, and then nothing may have changed. LF_SEED repeats a run.
 */
#include "fleet_oracle.h"
#include "fleet_world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define RUNS 80
#else
#define RUNS 250
#endif
#define STEPS 10000
#define STUCK_AT 100 /* environments that are not forgotten yet */

typedef struct chaos
{
  uint64_t random;
  lf_profile profile;
  lf_fleet_options options;
  lf_function config[ORACLE_FNS];
  lf_fleet *fleet;
  lf_fleet_fn *fn[ORACLE_FNS];
  oracle o;
  lf_inv inv[ORACLE_INVS];
  int answers[ORACLE_INVS], finishes[ORACLE_INVS];
  lf_effects fx;
  lf_time_us now;
  int run;
  long step;
  bool calm; /* most things go well and time passes slowly, so that environments grow old */
  /* what was reached, so that a test that reaches nothing cannot pass */
  uint64_t steps, effects[LF_FX_FINISH + 1], ends[LF_END_REMOVED + 1], statuses[LF_ST_COUNT], failures, again;
} chaos;

static uint64_t
below (chaos *c, uint64_t n)
{
  return world_random (&c->random) % n;
}

static bool
one_in (chaos *c, uint64_t n)
{
  return below (c, n) == 0;
}

static _Noreturn void
wrong (const chaos *c, const char *what)
{
  print_error ("LF_SEED=%" PRIu64 ", run %d, step %ld: %s\n", world_seed (), c->run, c->step, what);
  fail ();
  abort ();
}

#define MUST(c, condition) \
  do \
    { \
      if (!(condition)) \
        wrong ((c), "not true: " #condition); \
    } \
  while (0)

/* ---- a fleet with random settings -------------------------------------------------------------------------------------------- */

static void
random_function (chaos *c, int i, bool reserve)
{
  lf_function *f = &c->config[i];
  *f = world_function ();
  int64_t slow = c->calm ? 10 : 1;
  f->timeout_ms = 1 + (int64_t) below (c, 60) * slow;
  if (one_in (c, 2))
    f->keepalive_ms = (int64_t) below (c, 300) * slow;
  if (one_in (c, 3))
    f->life_ms = 1 + (int64_t) below (c, 1000) * slow;
  f->single_use = one_in (c, 6 * (uint64_t) slow);
  if (reserve && one_in (c, 4))
    f->reserved = (int64_t) below (c, 4);
  c->fn[i] = lf_fleet_add (c->fleet, f, NULL);
  MUST (c, c->fn[i] && lf_fleet_fn_config (c->fn[i]) == f);
  oracle_add (&c->o, i, f);
}

static void
chaos_open (chaos *c)
{
  c->calm = one_in (c, 2);
  c->profile = one_in (c, 2) ? world_profile_2026 () : world_profile_2020 ();
  c->profile.keepalive_ms = 200;
  c->profile.init_max_ms = 1 + (int64_t) below (c, c->calm ? 500 : 50);
  c->profile.concurrency_unreserved_min = 2;
  c->profile.requests_per_concurrency = 20;
  c->profile.scaling_burst = 8;
  c->profile.scaling_step = 5;
  c->profile.scaling_period_ms = 100;
  static const int64_t freezes[] = { LF_NONE, 0, 1, 3000, 50000, 400000 };
  c->options = (lf_fleet_options) {
    .profile = &c->profile, .concurrency = 3 + (int64_t) below (c, 15), .pick = (lf_pick) below (c, 3), .rate_limit = one_in (c, 3),
    .scaling_limit = one_in (c, 3), .freeze_delay_us = freezes[below (c, LF_ARRAY_LEN (freezes))],
  };
  c->fleet = lf_fleet_new (&c->options);
  MUST (c, c->fleet);
  oracle_init (&c->o, &c->options);
  for (int i = 0; i < ORACLE_FNS; i++)
    random_function (c, i, i > 0);
  c->now = 0;
}

/* ---- comparing --------------------------------------------------------------------------------------------------------------- */

static void
compare_results (chaos *c, const lf_inv *got, const o_inv *want)
{
  MUST (c, got->status == want->status);
  MUST (c, got->cold == want->cold);
  MUST (c, got->answered && got->finished == want->finished);
  MUST (c, got->received == want->received);
  MUST (c, got->wait_us == want->wait_us);
  MUST (c, got->init_us == want->init_us);
  MUST (c, got->abandoned_init_us == want->abandoned_us);
  MUST (c, got->abandoned_status == want->abandoned_status);
  MUST (c, got->duration_us == want->duration_us);
  MUST (c, got->throttle_reason == want->reason || lf_streq (got->throttle_reason, want->reason));
}

static void
carry_out (chaos *c, const lf_effect *x, const o_effect *want)
{
  MUST (c, x->type == want->type);
  c->effects[x->type]++;
  o_env *e = want->env >= 0 ? &c->o.env[want->env] : NULL;
  if (x->type == LF_FX_START)
    {
      e->real = x->env;
      x->env->user = e;
      MUST (c, x->env->serial == e->serial);
    }
  MUST (c, x->env == (e ? e->real : NULL));
  MUST (c, x->inv == (want->inv >= 0 ? &c->inv[want->inv] : NULL));
  if (x->type == LF_FX_DESTROY)
    {
      MUST (c, x->end == want->end);
      c->ends[x->end]++;
    }
  if (x->type == LF_FX_ANSWER)
    {
      MUST (c, ++c->answers[want->inv] == 1 && c->finishes[want->inv] == 0);
      compare_results (c, x->inv, &c->o.inv[want->inv]);
    }
  if (x->type == LF_FX_FINISH)
    {
      MUST (c, ++c->finishes[want->inv] == 1 && c->answers[want->inv] == 1);
      compare_results (c, x->inv, &c->o.inv[want->inv]);
      c->statuses[x->inv->status]++;
      c->again += x->inv->abandoned_init_us != LF_NONE && x->inv->status == LF_ST_OK;
      c->o.inv[want->inv].used = false;
    }
}

static void
compare (chaos *c)
{
  MUST (c, (int) c->fx.n == c->o.fx_n);
  for (size_t i = 0; i < c->fx.n; i++)
    carry_out (c, &c->fx.v[i], &c->o.fx[i]);
  /* whoever reads an invocation after its end reads rubbish */
  for (size_t i = 0; i < c->fx.n; i++)
    if (c->fx.v[i].type == LF_FX_FINISH)
      memset (c->fx.v[i].inv, 0x5a, sizeof *c->fx.v[i].inv);
  MUST (c, lf_fleet_next (c->fleet) == oracle_next (&c->o));
  MUST (c, lf_fleet_in_flight (c->fleet, NULL) == oracle_in_flight (&c->o, -1));
  MUST (c, lf_fleet_in_flight (c->fleet, NULL) <= c->options.concurrency);
  const char *broken = lf_fleet_broken (c->fleet);
  if (broken)
    wrong (c, broken);
}

/* ---- no memory --------------------------------------------------------------------------------------------------------------- */

typedef struct snapshot { size_t n; uint64_t hash; } snapshot;

static void
hash_env (const lf_env *e, void *user)
{
  snapshot *s = user;
  const unsigned char *p = (const unsigned char *) e;
  for (size_t i = 0; i < sizeof *e; i++)
    s->hash = (s->hash ^ p[i]) * UINT64_C (1099511628211);
  s->n++;
}

static snapshot
look (const chaos *c)
{
  snapshot s = { 0 };
  lf_fleet_each (c->fleet, hash_env, &s);
  const unsigned char *p = (const unsigned char *) c->inv;
  for (size_t i = 0; i < sizeof c->inv; i++)
    s.hash = (s.hash ^ p[i]) * UINT64_C (1099511628211);
  return s;
}

/* True when the step failed for want of memory; then it has changed nothing. */
static bool
step_without_memory (chaos *c, const lf_event *ev, lf_time_us now)
{
  if (one_in (c, 2))
    lf_effects_fini (&c->fx);
  snapshot before = look (c);
  lf_time_us due = lf_fleet_next (c->fleet);
  size_t n = c->fx.n;
  world_alloc_fails_after = (long) below (c, 4);
  int rc = lf_fleet_step (c->fleet, ev, now, &c->fx);
  world_alloc_fails_after = -1;
  if (rc == 0)
    return false;
  snapshot after = look (c);
  MUST (c, before.n == after.n && before.hash == after.hash);
  MUST (c, lf_fleet_next (c->fleet) == due && c->fx.n == n);
  MUST (c, !lf_fleet_broken (c->fleet));
  c->failures++;
  return true;
}

/* ---- one random step --------------------------------------------------------------------------------------------------------- */

static void
do_step (chaos *c, lf_event *ev, int fn, int env, int inv)
{
  /* the driver's clock may even be read backwards */
  lf_time_us now = one_in (c, 50) ? c->now - (lf_time_us) below (c, 10000) : c->now;
  c->fx.n = 0;
  if (!one_in (c, 60) || step_without_memory (c, ev, now))
    MUST (c, lf_fleet_step (c->fleet, ev, now, &c->fx) == 0);
  oracle_step (&c->o, ev->type, fn, env, inv, ev->status, &ev->exit, ev->own_us, now);
  compare (c);
  c->steps++;
}

static int
pick_env (chaos *c, int fn_or_any, bool gone)
{
  int found = -1;
  uint64_t n = 0;
  for (int i = 0; i < ORACLE_ENVS; i++)
    {
      const o_env *e = &c->o.env[i];
      if (e->doing == O_FREE || (fn_or_any >= 0 && e->fn != fn_or_any) || (gone && e->doing != O_GONE))
        continue;
      if (one_in (c, ++n))
        found = i;
    }
  return found;
}

static void
invoke (chaos *c)
{
  int i = 0;
  while (i < ORACLE_INVS && c->o.inv[i].used)
    i++;
  if (i == ORACLE_INVS)
    wrong (c, "more invocations in flight than the account has");
  int fn = (int) below (c, ORACLE_FNS);
  memset (&c->inv[i], 0, sizeof c->inv[i]);
  c->answers[i] = c->finishes[i] = 0;
  lf_event ev = { .type = LF_EV_INVOKE, .fn = c->fn[fn], .inv = &c->inv[i] };
  do_step (c, &ev, fn, -1, i);
}

/* What the environment is likely to say next, or something it has no business to say. */
static lf_event_type
likely_event (chaos *c, const o_env *e)
{
  static const lf_event_type any[] = { LF_EV_LAUNCHED, LF_EV_LAUNCH_FAILED, LF_EV_NEXT, LF_EV_RESPONSE, LF_EV_EXIT };
  uint64_t luck = c->calm ? 10 : 1;
  if (one_in (c, 12 * luck))
    return any[below (c, LF_ARRAY_LEN (any))];
  switch (e->doing)
    {
    case O_LAUNCH:
      return one_in (c, 12 * luck) ? LF_EV_LAUNCH_FAILED : LF_EV_LAUNCHED;
    case O_INIT:
    case O_INIT_AGAIN:
      return one_in (c, 4 * luck) ? LF_EV_EXIT : LF_EV_NEXT;
    case O_HANDLE:
      return one_in (c, 6 * luck) ? LF_EV_EXIT : LF_EV_RESPONSE;
    case O_ANSWERED:
      return one_in (c, 12 * luck) ? LF_EV_EXIT : LF_EV_NEXT;
    case O_KILLED_INIT:
    case O_KILLED:
      return LF_EV_EXIT;
    case O_GONE:
      return LF_EV_GONE;
    default:
      return one_in (c, 10 * luck) ? LF_EV_EXIT : LF_EV_TICK;
    }
}

static void
environment_speaks (chaos *c)
{
  int i = pick_env (c, -1, false);
  if (i < 0)
    return;
  static const lf_status statuses[] = { LF_ST_OK, LF_ST_OK, LF_ST_FUNCTION_ERROR, LF_ST_CRASH, LF_ST_OUT_OF_MEMORY };
  o_env *e = &c->o.env[i];
  lf_event ev = { .env = e->real };
  ev.type = one_in (c, 400) ? LF_EV_GONE : likely_event (c, e);
  ev.status = statuses[below (c, LF_ARRAY_LEN (statuses))];
  if ((ev.type == LF_EV_NEXT || ev.type == LF_EV_RESPONSE) && one_in (c, 2))
    ev.own_us = (int64_t) below (c, 4000);
  if (one_in (c, 3))
    ev.exit = (lf_exit_info) { .signal = 9, .oom = one_in (c, 2) };
  else
    ev.exit = (lf_exit_info) { .exited = true, .code = (int) below (c, 3), .exec_failed = one_in (c, 8) };
  do_step (c, &ev, -1, i, -1);
}

static void
settings_change (chaos *c)
{
  int i = (int) below (c, ORACLE_FNS);
  if (c->o.fn[i].removed)
    {
      bool empty = pick_env (c, i, false) < 0;
      MUST (c, lf_fleet_forget (c->fleet, c->fn[i]) == empty);
      if (empty)
        random_function (c, i, false);
      return;
    }
  if (one_in (c, 8))
    {
      lf_event ev = { .type = LF_EV_REMOVE_FN, .fn = c->fn[i] };
      do_step (c, &ev, i, -1, -1);
      return;
    }
  lf_error err = { 0 };
  int64_t reserved = one_in (c, 2) ? LF_NONE : (int64_t) below (c, 12);
  bool done = lf_fleet_set_reserved (c->fleet, c->fn[i], reserved, &err) == 0;
  MUST (c, done == oracle_set_reserved (&c->o, i, reserved));
  MUST (c, lf_fleet_reserved (c->fn[i]) == c->o.fn[i].reserved);
}

static void
gone_ones_go (chaos *c)
{
  int i = pick_env (c, -1, true);
  if (i < 0)
    return;
  lf_event ev = { .type = LF_EV_GONE, .env = c->o.env[i].real };
  do_step (c, &ev, -1, i, -1);
}

static void
time_passes (chaos *c)
{
  static const uint64_t most[] = { 2, 300, 3000, 3000, 20000, 20000, 400000 };
  c->now += (lf_time_us) below (c, most[below (c, LF_ARRAY_LEN (most) - (c->calm && !one_in (c, 100) ? 3 : 0))]);
  lf_time_us due = lf_fleet_next (c->fleet);
  if (due != LF_NONE && due >= c->now && one_in (c, c->calm ? 40 : 8))
    c->now = due - (one_in (c, 2) && due > c->now); /* exactly then, or just before */
}

static void
random_step (chaos *c)
{
  time_passes (c);
  uint64_t what = below (c, 100);
  int envs = 0;
  for (int i = 0; i < ORACLE_ENVS; i++)
    envs += c->o.env[i].doing != O_FREE;
  if (envs > STUCK_AT || what < 8)
    gone_ones_go (c);
  else if (what < 35)
    invoke (c);
  else if (what < 94)
    environment_speaks (c);
  else if (what < 95)
    settings_change (c);
  else
    do_step (c, &(lf_event) { .type = LF_EV_TICK }, -1, -1, -1);
}

static void
chaos_close (chaos *c)
{
  if (one_in (c, 4))
    {
      lf_fleet_free (c->fleet); /* in whatever state it is */
      return;
    }
  do_step (c, &(lf_event) { .type = LF_EV_SHUTDOWN }, -1, -1, -1);
  invoke (c);
  while (pick_env (c, -1, false) >= 0)
    gone_ones_go (c);
  for (int i = 0; i < ORACLE_INVS; i++)
    MUST (c, !c->o.inv[i].used);
  lf_fleet_counts left;
  lf_fleet_count (c->fleet, NULL, &left);
  MUST (c, left.environments == 0 && left.busy == 0 && left.idle == 0 && left.starting == 0);
  lf_fleet_free (c->fleet);
}

static void
as_the_oracle_says (void **state)
{
  (void) state;
  static chaos c;
  c.random = world_seed ();
  print_message ("LF_SEED=%" PRIu64 "\n", world_seed ());
  for (c.run = 0; c.run < RUNS; c.run++)
    {
      memset (c.o.inv, 0, sizeof c.o.inv);
      chaos_open (&c);
      for (c.step = 0; c.step < STEPS; c.step++)
        random_step (&c);
      chaos_close (&c);
    }
  lf_effects_fini (&c.fx);
  for (size_t i = 0; i < LF_ARRAY_LEN (c.effects); i++)
    assert_true (c.effects[i] > 1000);
  for (size_t i = 0; i < LF_ARRAY_LEN (c.ends); i++)
    assert_true (c.ends[i] > 20);
  for (size_t i = 0; i < LF_ST_COUNT; i++)
    assert_true (c.statuses[i] > 20);
  assert_true (c.failures > 100 && c.again > 100);
  print_message ("%" PRIu64 " steps, %" PRIu64 " of %" PRIu64 " invocations cold, %" PRIu64 " steps without memory\n", c.steps,
      c.effects[LF_FX_START],
                 c.effects[LF_FX_FINISH], c.failures);
}

/* ---- making a fleet without memory ------------------------------------------------------------------------------------------- */

static void
no_memory_for_a_fleet (void **state)
{
  (void) state;
  lf_profile p = world_profile_2026 ();
  lf_function config = world_function ();
  lf_fleet_options o = { .profile = &p, .concurrency = LF_NONE, .freeze_delay_us = LF_NONE };
  world_alloc_fails_after = 0;
  lf_fleet *none = lf_fleet_new (&o);
  world_alloc_fails_after = -1;
  assert_null (none);
  lf_fleet_free (none);
  lf_fleet *f = lf_fleet_new (&o);
  assert_non_null (f);
  world_alloc_fails_after = 0;
  lf_fleet_fn *fn = lf_fleet_add (f, &config, NULL);
  world_alloc_fails_after = -1;
  assert_null (fn);
  assert_null (lf_fleet_broken (f));
  lf_fleet_free (f);
}

/* ---- cost -------------------------------------------------------------------------------------------------------------------- */

static void
step (lf_fleet *f, lf_fleet_fn *fn, lf_env *e, lf_inv *inv, lf_event_type type, lf_time_us now, lf_effects *fx)
{
  lf_event ev = { .type = type, .fn = fn, .env = e, .inv = inv };
  fx->n = 0;
  assert_int_equal (lf_fleet_step (f, &ev, now, fx), 0);
}

/* Processor time of warm invocations while `idle` other environments wait. The best of several: the machine has other work. */
static double
warm_seconds (lf_pick pick, size_t idle)
{
  lf_profile p = world_profile_2026 ();
  lf_function config = world_function ();
  lf_fleet_options o = { .profile = &p, .concurrency = 100000, .pick = pick, .freeze_delay_us = 1000 };
  lf_fleet *f = lf_fleet_new (&o);
  lf_fleet_fn *fn = lf_fleet_add (f, &config, NULL);
  lf_inv *inv = calloc (idle, sizeof *inv);
  lf_effects fx = { 0 };
  assert_non_null (inv);
  for (size_t i = 0; i < idle; i++)
    step (f, fn, NULL, &inv[i], LF_EV_INVOKE, 0, &fx);
  for (size_t i = 0; i < idle; i++)
    {
      lf_env *e = inv[i].env;
      step (f, fn, e, NULL, LF_EV_NEXT, 1, &fx);
      step (f, fn, e, NULL, LF_EV_RESPONSE, 2, &fx);
      step (f, fn, e, NULL, LF_EV_NEXT, 3, &fx);
    }
  assert_null (lf_fleet_broken (f));
  double best = 1e9;
  lf_time_us now = 10000;
  for (int round = 0; round < 5; round++)
    {
      clock_t begin = clock ();
      for (int i = 0; i < 4000; i++, now += 100)
        {
          memset (&inv[0], 0, sizeof inv[0]);
          step (f, fn, NULL, &inv[0], LF_EV_INVOKE, now, &fx);
          lf_env *e = inv[0].env;
          step (f, fn, e, NULL, LF_EV_RESPONSE, now + 10, &fx);
          step (f, fn, e, NULL, LF_EV_NEXT, now + 20, &fx);
          assert_true (lf_fleet_next (f) > now);
        }
      double s = (double) (clock () - begin) / CLOCKS_PER_SEC;
      best = s < best ? s : best;
    }
  lf_fleet_counts n;
  lf_fleet_count (f, fn, &n);
  assert_int_equal (n.idle, idle);
  free (inv);
  lf_effects_fini (&fx);
  lf_fleet_free (f);
  return best;
}

static void
idle_environments_cost_nothing (void **state)
{
  (void) state;
  for (lf_pick pick = LF_PICK_MRU; pick <= LF_PICK_LRU; pick++)
    {
      double few = warm_seconds (pick, 10), many = warm_seconds (pick, 10000);
      print_message ("pick %d: %.0f ns for a warm invocation beside 10 idle environments, %.0f ns beside 10,000\n", (int) pick,
          few / 4e3 * 1e9,
                     many / 4e3 * 1e9);
      assert_true (many < few * 25); /* a thousand times as many; the rest is for caches and the logarithm */
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (as_the_oracle_says),
    cmocka_unit_test (no_memory_for_a_fleet),
    cmocka_unit_test (idle_environments_cost_nothing),
  };
  return cmocka_run_group_tests_name ("fleet, at random", tests, NULL, NULL);
}
