/* SPDX-License-Identifier: Apache-2.0
 *
 * The judgement: budgets, the rule that tells noise from change, the baseline, and the documents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lambdafit/check.h"

static uint64_t seed = 88172645463325252u;

static double
rnd (void)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (double) (seed >> 11) / 9007199254740992.0;
}

static int
no_option (const char *name)
{
  (void) name;
  return -1;
}

/* ---- a world: one function, one event, samples made of numbers ------------------------------------------------------------------------- */

typedef struct world
{
  lf_check *check;
  lf_profile *profile;
  lf_observed o;
  lf_check_event event;
} world;

static void
make_world (world *w, const char *budgets)
{
  static const lf_check_names names = { no_option, NULL, 0 };
  lf_error err = { 0 };
  char text[400];
  snprintf (text, sizeof text, "functions:\n  f:\n    target: .\n    budgets: {%s}\n", budgets);
  memset (w, 0, sizeof *w);
  w->check = lf_check_parse (lf_doc_read (text, strlen (text), "t.yaml", &err), "t.yaml", &names, &err);
  if (!w->check)
    fail_msg ("%s", err.why);
  w->profile = lf_profile_load (NULL, &err);
  assert_non_null (w->profile);
  w->event.name = (char *) "e";
  w->o = (lf_observed){ .of = &w->check->functions[0], .name = "f", .profile = w->profile, .events = &w->event, .events_n = 1, .have_f = true, .have_enforcement = true };
  lf_function_init (&w->o.f);
  w->o.f.memory_mb = 512;
  w->o.f.timeout_ms = 3000;
  w->o.f.package_bytes = 1000;
  assert_int_equal (lf_function_defaults (&w->o.f, w->profile, &err), 0);
  for (int l = 0; l < LF_LIM_COUNT; l++)
    w->o.enforcement.by[l] = LF_ENF_KERNEL;
}

static void
end_world (world *w)
{
  lf_observed_fini (&w->o);
  lf_profile_free (w->profile);
  lf_check_free (w->check);
}

static lf_sample *
add (world *w, bool cold, int64_t duration_us, int round)
{
  lf_record r;
  lf_record_init (&r);
  r.request_id = "id";
  r.function = "f";
  r.cold = cold;
  r.status = LF_ST_OK;
  r.received_us = 1000000 * (int64_t) (w->o.samples_n + 1);
  r.duration_us = duration_us;
  r.init_us = cold ? 100000 : LF_NONE;
  r.cpu_us = duration_us;
  r.throttled_us = 0;
  r.billed_ms = (duration_us + 999) / 1000;
  r.memory_mb = 512;
  r.tmp_mb = 512;
  r.max_memory_bytes = 50 * LF_MB;
  r.region = "us-east-1";
  lf_sample *s = lf_observed_add (&w->o, &r, 0, round);
  assert_non_null (s);
  s->loop_wall_ns = s->loop_cpu_ns = 6000000;
  s->loop_memory_ns = 4000000;
  return s;
}

static const lf_result *
judged (world *w, const lf_baseline *b, lf_results *out, const char *budget)
{
  memset (out, 0, sizeof *out);
  assert_int_equal (lf_check_judge (&w->o, b, false, out), 0);
  for (size_t i = 0; i < out->n; i++)
    if (strcmp (out->v[i].budget, budget) == 0)
      return &out->v[i];
  return NULL;
}

/* ---- absolute budgets ------------------------------------------------------------------------------------------------------------------- */

static void
test_absolute (void **state)
{
  (void) state;
  static const struct { const char *budgets, *budget; lf_result_word word; int64_t used, allowed; } cases[] = {
    { "duration: 20 ms", "duration", LF_RES_PASS, 20000, 20000 },
    { "duration: 19 ms", "duration", LF_RES_BROKEN, 20000, 19000 },
    { "duration: {p50: 10 ms}", "duration", LF_RES_PASS, 10000, 10000 },
    { "duration: {p95: 19 ms}", "duration", LF_RES_PASS, 19000, 19000 },
    { "duration: {mean: 10 ms}", "duration", LF_RES_BROKEN, 10500, 10000 },
    { "duration: 50%", "duration", LF_RES_PASS, 20000, 1500000 },
    { "memory: 10%", "memory", LF_RES_PASS, 50 * LF_MB, 512 * LF_MB / 10 },
    { "memory: 9%", "memory", LF_RES_BROKEN, 50 * LF_MB, 512 * LF_MB * 9 / 100 },
    { "init: 100 ms", "init", LF_RES_PASS, 100000, 100000 },
    { "cold_start: 100 ms", "cold_start", LF_RES_BROKEN, 101000, 100000 },
    { "package: 999 B", "package", LF_RES_BROKEN, 1000, 999 },
    { "concurrency: 1", "concurrency", LF_RES_PASS, 1, 1 },
    { "zip: 1 MB", "zip", LF_RES_NOT_MEASURED, LF_NONE, LF_MB },
    { "tmp: 1 MB", "tmp", LF_RES_NOT_MEASURED, LF_NONE, LF_MB },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      world w;
      lf_results r;
      make_world (&w, cases[i].budgets);
      for (int k = 1; k <= 20; k++)
        add (&w, k == 1, k * 1000, 0);
      const lf_result *x = judged (&w, NULL, &r, cases[i].budget);
      assert_non_null (x);
      if (x->word != cases[i].word || x->used != cases[i].used || x->allowed != cases[i].allowed)
        fail_msg ("%s: %s, used %lld, allowed %lld", cases[i].budgets, lf_result_name (x->word), (long long) x->used, (long long) x->allowed);
      assert_true ((x->message[0] != 0) == (x->word != LF_RES_PASS) && (x->fix[0] != 0) == (x->word != LF_RES_PASS));
      assert_int_equal (lf_results_exit (&r, false), x->word == LF_RES_BROKEN ? 1 : 0);
      assert_int_equal (lf_results_exit (&r, true), x->word == LF_RES_BROKEN ? 1 : x->word == LF_RES_NOT_MEASURED ? 3 : 0);
      lf_results_fini (&r);
      end_world (&w);
    }
}

static void
test_a_timing_is_the_best_of_its_rounds (void **state)
{
  (void) state;
  world w;
  lf_results r;
  make_world (&w, "duration: 20 ms");
  add (&w, false, 30000, 0);
  const lf_result *x = judged (&w, NULL, &r, "duration");
  assert_int_equal (x->word, LF_RES_BROKEN);
  assert_true (x->doubtful);
  lf_results_fini (&r);
  add (&w, false, 15000, 1);
  assert_int_equal (judged (&w, NULL, &r, "duration")->word, LF_RES_PASS);
  lf_results_fini (&r);
  end_world (&w);
}

static void
test_near_a_timeout_in_a_busy_moment (void **state)
{
  (void) state;
  world w;
  lf_results r;
  make_world (&w, "");
  add (&w, false, 2800000, 0);
  lf_violation v = { .limit_id = "duration", .severity = LF_SEV_NEAR, .used = 2800, .allowed = 3000, .message = "near", .fix = "more" };
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 1);
  const lf_result *x = judged (&w, NULL, &r, "duration");
  assert_true (x->word == LF_RES_BROKEN && x->doubtful);
  lf_results_fini (&r);
  add (&w, false, 1000000, 1);
  assert_null (judged (&w, NULL, &r, "duration"));
  lf_results_fini (&r);
  end_world (&w);
}

static void
test_errors_and_limits (void **state)
{
  (void) state;
  world w;
  lf_results r;
  make_world (&w, "memory: 95%");
  lf_sample *s = add (&w, false, 1000, 0);
  s->status = LF_ST_FUNCTION_ERROR;
  s->problem = lf_strdup ("function_error: ValueError: no");
  lf_violation v = { .limit_id = "memory", .severity = LF_SEV_NEAR, .used = 92, .allowed = 100, .message = "near", .fix = "more" };
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 1);
  v.limit_id = "tmp";
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 1);
  v.severity = LF_SEV_BROKEN;
  v.limit_id = "response";
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 1);
  /* A rule that is about no limit: a warning is none of the gate's, what broke the invocation is. */
  v.limit_id = "filesystem";
  v.used = v.allowed = LF_NONE;
  v.severity = LF_SEV_NEAR;
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 0);
  v.severity = LF_SEV_BROKEN;
  assert_int_equal (lf_observed_violation (&w.o, &v, 0), 1);
  assert_int_equal (judged (&w, NULL, &r, "filesystem")->word, LF_RES_BROKEN);
  lf_results_fini (&r);
  assert_int_equal (judged (&w, NULL, &r, "function_error")->word, LF_RES_BROKEN);
  size_t broken = 0;
  for (size_t i = 0; i < r.n; i++)
    {
      broken += r.v[i].word == LF_RES_BROKEN;
      /* How near memory may come is said by its budget. */
      assert_true (strcmp (r.v[i].budget, "memory") != 0 || r.v[i].word == LF_RES_PASS);
    }
  assert_int_equal (broken, 4);
  lf_results_fini (&r);
  /* An error that is a broken limit is told once. */
  s->limited = true;
  assert_int_equal (judged (&w, NULL, &r, "function_error")->word, LF_RES_PASS);
  lf_results_fini (&r);
  w.o.enforcement.by[LF_LIM_FDS] = LF_ENF_NONE;
  assert_int_equal (judged (&w, NULL, &r, "fds")->word, LF_RES_NOT_MEASURED);
  lf_results_fini (&r);
  end_world (&w);
}

/* ---- the interval --------------------------------------------------------------------------------------------------------------------- */

static void
test_interval_ranks (void **state)
{
  (void) state;
  double base[40], now[40], ratio, low, high;
  for (int i = 0; i < 40; i++)
    base[i] = now[i] = 1 + i * 0.001;
  /* From tables of the U test, one-sided 0.005: no critical value for 4 and 4, U = 0 for 5 and 5, 16 for 10 and 10, 105 for 20 and 20. */
  assert_int_equal (lf_ratio_interval (base, 4, now, 4, &ratio, &low, &high), -1);
  assert_int_equal (lf_ratio_interval (base, 5, now, 5, &ratio, &low, &high), 0);
  assert_true (low == now[0] / base[4] && high == now[4] / base[0]);
  double all[400];
  size_t n = 0;
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < 10; j++)
      all[n++] = now[i] / base[j];
  assert_int_equal (lf_ratio_interval (base, 10, now, 10, &ratio, &low, &high), 0);
  size_t below = 0;
  for (size_t i = 0; i < n; i++)
    below += all[i] < low;
  assert_true (below <= 16 && below >= 12); /* equal ratios are side by side */
  assert_true (fabs (ratio - 1) < 1e-12 && low < 1 && high > 1);
}

static void
test_interval_covers (void **state)
{
  (void) state;
  /* Skewed, heavy-tailed timings: the interval misses the true factor about as seldom as it promises. */
  int outside = 0, tries = 3000;
  for (int t = 0; t < tries; t++)
    {
      double base[12], now[15], ratio, low, high;
      for (int i = 0; i < 12; i++)
        base[i] = exp (-log (1 - rnd ()) * 0.4);
      for (int i = 0; i < 15; i++)
        now[i] = 1.3 * exp (-log (1 - rnd ()) * 0.4);
      assert_int_equal (lf_ratio_interval (base, 12, now, 15, &ratio, &low, &high), 0);
      outside += low > 1.3 || high < 1.3;
    }
  assert_true (outside <= 45); /* 30 are expected at the most; 45 is nearly 3 sigma more */
  assert_true (outside >= 5);  /* and it is not wide for nothing */
}

/* ---- comparisons ------------------------------------------------------------------------------------------------------------------------ */

typedef struct machine { double slow, busy, contended; } machine;

static void
timings (lf_timings *t, size_t n, double work, double sleep, machine m)
{
  memset (t, 0, sizeof *t);
  for (size_t i = 0; i < n; i++)
    {
      double cpu = work * m.slow * (1 + 0.03 * (m.contended - 1)) * (0.98 + 0.06 * rnd ()), wait = (m.busy - 1) * cpu * (0.5 + 2 * rnd () * rnd ());
      double loop_cpu = 0.006 * m.slow, loop_wall = loop_cpu * m.busy;
      t->plain[i] = (cpu + wait + sleep) * 1000;
      t->wall[i] = (cpu + wait + sleep) / loop_wall;
      t->cpu[i] = (cpu + wait + sleep) / loop_cpu;
      t->used[i] = cpu / loop_cpu;
    }
  t->n = t->used_n = n;
  t->busy = m.busy;
  t->memory = 0.7 * m.contended;
  t->bound = work / (work + sleep);
  t->p50 = (int64_t) ((work * m.slow * m.busy + sleep) * 1e6);
}

static lf_comparison
three_rounds (double work, double sleep, machine then, double now_work, double now_sleep, machine now, double more)
{
  lf_timings base, rounds[3];
  timings (&base, 20, work, sleep, then);
  for (int i = 0; i < 3; i++)
    {
      timings (&rounds[i], 20, now_work, now_sleep, now);
      lf_comparison c = lf_compare (&base, rounds, (size_t) i + 1, more);
      if (!c.doubtful)
        return c;
    }
  return lf_compare (&base, rounds, 3, more);
}

static void
test_machines_and_changes (void **state)
{
  (void) state;
  static const machine idle = { 1, 1, 1 }, slow = { 2.2, 1, 1 }, busy = { 1, 4, 1.4 }, worst = { 1.5, 9, 4 };
  static const machine *const all[] = { &idle, &slow, &busy, &worst };
  int caught = 0;
  for (int try = 0; try < 40; try++)
    for (size_t a = 0; a < LF_ARRAY_LEN (all); a++)
      for (size_t b = 0; b < LF_ARRAY_LEN (all); b++)
        {
          /* The same handler is never called worse, whatever the machines do. */
          assert_int_not_equal (three_rounds (0.04, 0, *all[a], 0.04, 0, *all[b], 0.1).word, LF_CMP_WORSE);
          assert_int_not_equal (three_rounds (0.002, 0.05, *all[a], 0.002, 0.05, *all[b], 0.1).word, LF_CMP_WORSE);
        }
  for (int try = 0; try < 40; try++)
    {
      caught += three_rounds (0.04, 0, idle, 0.048, 0, idle, 0.1).word == LF_CMP_WORSE;
      caught += three_rounds (0.04, 0, idle, 0.048, 0, slow, 0.1).word == LF_CMP_WORSE;
      caught += three_rounds (0.04, 0, slow, 0.048, 0, idle, 0.1).word == LF_CMP_WORSE;
      caught += three_rounds (0.04, 0, idle, 0.048, 0, busy, 0.1).word == LF_CMP_WORSE;
      caught += three_rounds (0.04, 0, busy, 0.048, 0, idle, 0.1).word == LF_CMP_WORSE;
      caught += three_rounds (0.002, 0.05, idle, 0.002, 0.065, idle, 0.1).word == LF_CMP_WORSE;
    }
  assert_true (caught >= 236);
  /* Waiting longer on a machine that makes everybody wait is not told from it, and that is said. */
  lf_comparison c = three_rounds (0.002, 0.05, idle, 0.002, 0.5, busy, 0.1);
  assert_true (c.word == LF_CMP_BUSY || c.word == LF_CMP_SAME);
  /* A change below what Lambda bills is none. */
  assert_int_equal (three_rounds (0.0005, 0, idle, 0.001, 0, idle, 0.1).word, LF_CMP_SAME);
  lf_timings few;
  timings (&few, 3, 0.04, 0, idle);
  assert_int_equal (lf_compare (&few, &few, 1, 0.1).word, LF_CMP_FEW);
}

/* ---- baseline --------------------------------------------------------------------------------------------------------------------------- */

static lf_baseline *
baseline_of (world *w, lf_buf *text)
{
  lf_error err = { 0 };
  const lf_observed *all[] = { &w->o };
  lf_buf_reset (text);
  assert_int_equal (lf_baseline_write (all, 1, NULL, text), 0);
  lf_baseline *b = lf_baseline_parse (text->data, text->len, "b.json", &err);
  if (!b)
    fail_msg ("%s: %s", err.what, err.why);
  return b;
}

static void
fill (world *w, double factor)
{
  for (int k = 0; k < 30; k++)
    add (w, k < 6, (int64_t) (factor * (40000 + 200 * k)), 0);
}

static void
test_baseline (void **state)
{
  (void) state;
  static const char budgets[] = "duration: +10%, cold_start: +20%, memory: +10%, package: +0%, cost_per_million: +10%";
  world w, v;
  lf_results r;
  lf_buf text, again;
  lf_buf_init (&text, 0);
  lf_buf_init (&again, 0);
  make_world (&w, budgets);
  fill (&w, 1);
  const lf_result *x = judged (&w, NULL, &r, "duration");
  assert_true (x->word == LF_RES_NOT_MEASURED && x->incomplete && x->used != LF_NONE);
  assert_int_equal (lf_results_exit (&r, false), 2);
  lf_results_fini (&r);
  lf_baseline *b = baseline_of (&w, &text);
  lf_baseline_free (baseline_of (&w, &again));
  assert_string_equal (text.data, again.data);
  assert_int_equal (judged (&w, b, &r, "duration")->word, LF_RES_PASS);
  assert_int_equal (lf_results_word (&r), LF_RES_PASS);
  lf_results_fini (&r);

  make_world (&v, budgets);
  fill (&v, 1.25);
  for (size_t i = 0; i < v.o.samples_n; i++)
    v.o.samples[i].value[LF_LIM_MEMORY] = 70 * LF_MB;
  v.o.f.package_bytes = 1001;
  static const struct { const char *budget; lf_result_word word; } want[] = {
    { "duration", LF_RES_WORSE }, { "cold_start", LF_RES_PASS }, { "memory", LF_RES_WORSE }, { "package", LF_RES_WORSE }, { "cost_per_million", LF_RES_WORSE },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (want); i++)
    {
      x = judged (&v, b, &r, want[i].budget);
      assert_non_null (x);
      if (x->word != want[i].word)
        fail_msg ("%s: %s: %s", want[i].budget, lf_result_name (x->word), x->message);
      assert_true (x->baseline != LF_NONE && x->allowed != LF_NONE);
      lf_results_fini (&r);
    }
  v.o.name = "other";
  x = judged (&v, b, &r, "duration");
  assert_true (x->incomplete && strstr (x->message, "no function other"));
  lf_results_fini (&r);
  end_world (&v);
  end_world (&w);
  lf_baseline_free (b);
  lf_buf_fini (&text);
  lf_buf_fini (&again);
}

static void
test_bad_baselines (void **state)
{
  (void) state;
  static const char *const bad[] = { "", "[]", "{}", "{\"lambdafit_baseline\": 2, \"functions\": {}}", "{\"lambdafit_baseline\": 1}", "{\"lambdafit_baseline\": \"1\", \"functions\": {}}" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      lf_error err = { 0 };
      assert_null (lf_baseline_parse (bad[i], strlen (bad[i]), "b.json", &err));
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      assert_true (strstr (err.fix, "--update") != NULL);
    }
}

/* ---- documents --------------------------------------------------------------------------------------------------------------------------- */

static void
test_documents (void **state)
{
  (void) state;
  world w;
  lf_results r = { 0 };
  lf_error err = { 0 };
  make_world (&w, "duration: 1 ms, memory: 90%, zip: 1 MB");
  w.event.name = (char *) "<a&\"|`@x\x01\xff";
  lf_sample *s = add (&w, false, 5000, 0);
  s->status = LF_ST_FUNCTION_ERROR;
  s->problem = lf_strdup ("]]> <script> % \n::error::");
  assert_int_equal (lf_check_judge (&w.o, NULL, false, &r), 0);
  const lf_observed *all[] = { &w.o };
  lf_check_report report = { .results = &r, .path = "a b/t.yaml", .log = "log.db", .profile = "p", .region = "us-east-1", .observed = all, .observed_n = 1, .version = "1" };
  lf_buf b;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_report_check_json (&report, &b), 0);
  cJSON *j = lf_json_parse (b.data, b.len, "json", &err);
  assert_non_null (j);
  assert_string_equal (lf_json_str (j, "result"), "broken");
  cJSON_Delete (j);
  lf_buf_reset (&b);
  assert_int_equal (lf_report_check_junit (&report, &b), 0);
  assert_non_null (strstr (b.data, "tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\""));
  assert_null (strstr (b.data, "<script>"));
  lf_buf_reset (&b);
  assert_int_equal (lf_report_check_sarif (&report, &b), 0);
  j = lf_json_parse (b.data, b.len, "sarif", &err);
  assert_non_null (j);
  assert_non_null (strstr (b.data, "a%20b/t.yaml"));
  cJSON_Delete (j);
  lf_buf_reset (&b);
  assert_int_equal (lf_report_check_markdown (&report, &b), 0);
  assert_null (strstr (b.data, "<script>"));
  assert_null (strchr (b.data, '@'));
  lf_buf_reset (&b);
  assert_int_equal (lf_report_check_annotations (&report, &b), 0);
  assert_true (lf_starts (b.data, "::error file=a b/t.yaml,line="));
  for (const char *p = b.data; p && *p; p = strchr (p, '\n') ? strchr (p, '\n') + 1 : NULL)
    assert_true (lf_starts (p, "::error file=a b") || lf_starts (p, "::warning file=a b"));
  lf_buf_fini (&b);
  lf_results_fini (&r);
  end_world (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_absolute),          cmocka_unit_test (test_a_timing_is_the_best_of_its_rounds),
    cmocka_unit_test (test_near_a_timeout_in_a_busy_moment), cmocka_unit_test (test_errors_and_limits), cmocka_unit_test (test_interval_ranks),
    cmocka_unit_test (test_interval_covers),   cmocka_unit_test (test_machines_and_changes),
    cmocka_unit_test (test_baseline),          cmocka_unit_test (test_bad_baselines),
    cmocka_unit_test (test_documents),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
