/* SPDX-License-Identifier: Apache-2.0
 *
 * Billed time against recorded REPORT lines, and cost in exact money.
 */
#include "model_help.h"

static void
recorded_billing (void **state)
{
  static const struct
  {
    bool old;
    lf_runtime_kind kind;
    int64_t init_us, duration_us;
    bool timed_out;
    int64_t timeout_ms, billed;
  } cases[] = {
    /* init and duration are added before rounding */
    { false, LF_RT_PYTHON, 463512, 1233960, false, 3000, 1698 },
    { false, LF_RT_PYTHON, 1316493, 795365, false, 3000, 2112 },
    { false, LF_RT_NODEJS, 100770, 250060, false, 3000, 351 },
    { false, LF_RT_PROVIDED, 1307680, 1058150, false, 3000, 2366 },
    { false, LF_RT_PYTHON, LF_NONE, 3010, false, 3000, 4 },
    { false, LF_RT_PYTHON, LF_NONE, 4000, false, 3000, 4 },
    { false, LF_RT_PYTHON, LF_NONE, 4001, false, 3000, 5 },
    { false, LF_RT_PYTHON, LF_NONE, 1, false, 3000, 1 },
    /* a failed init that was run again is inside the duration */
    { false, LF_RT_PYTHON, LF_NONE, 95780, false, 3000, 96 },
    { false, LF_RT_PYTHON, LF_NONE, 143120, false, 3000, 144 },
    { false, LF_RT_NODEJS, LF_NONE, 1338340, false, 3000, 1339 },
    { false, LF_RT_PYTHON, LF_NONE, 10935700, false, 30000, 10936 },
    /* a timeout bills exactly the timeout, and init on top */
    { false, LF_RT_PYTHON, 433750, 10000000, true, 10000, 10434 },
    { false, LF_RT_PYTHON, 433750, 10003170, true, 10000, 10434 },
    { false, LF_RT_PYTHON, LF_NONE, 180000000, true, 180000, 180000 },
    /* February 2020: the next 100 ms; init only of custom runtimes */
    { true, LF_RT_PYTHON, LF_NONE, 12340, false, 3000, 100 },
    { true, LF_RT_PYTHON, LF_NONE, 128830, false, 3000, 200 },
    { true, LF_RT_PYTHON, 502960, 128830, false, 3000, 200 },
    { true, LF_RT_PROVIDED, 48260, 237170, false, 3000, 300 },
    { true, LF_RT_PROVIDED, 48260, 251740, false, 3000, 300 },
    { true, LF_RT_PROVIDED, 48260, 251741, false, 3000, 400 },
    { true, LF_RT_PYTHON, 502960, 3018670, true, 3000, 3000 },
    { true, LF_RT_PYTHON, LF_NONE, 3003170, true, 3000, 3000 },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      int64_t got = lf_billed_ms (cases[i].old ? then20 : now26, cases[i].kind, cases[i].init_us, cases[i].duration_us,
                                  cases[i].timed_out, cases[i].timeout_ms);
      if (got != cases[i].billed)
        fail_msg ("case %zu: billed %lld, recorded %lld", i, (long long) got, (long long) cases[i].billed);
    }
}

static void
money_is (lf_money m, const char *want)
{
  char text[64];
  lf_money_format (m, 24, text);
  for (size_t n = strlen (text); n > 0 && text[n - 1] == '0'; n--)
    text[n - 1] = '\0';
  assert_string_equal (text, want);
}

static void
exact_cost (void **state)
{
  lf_cost c;
  (void) state;
  /* 1,000 ms at 1,024 MB is one GB-s. */
  lf_cost_of (now26, "us-east-1", LF_ARCH_X86_64, 1000, 0, 1024, 512, 1, &c);
  assert_true (c.known);
  assert_string_equal (c.currency, "USD");
  money_is (c.duration, "0.0000166667");
  money_is (c.requests, "0.0000002");
  money_is (c.init, "0.");
  money_is (c.tmp, "0.");
  money_is (c.total, "0.0000168667");
  lf_cost_of (now26, "us-east-1", LF_ARCH_ARM64, 1000, 400, 1024, 1536, 1, &c);
  money_is (c.duration, "0.00000800004");
  money_is (c.init, "0.00000533336");
  money_is (c.tmp, "0.0000000309"); /* 1,024 MB over the free 512 for one second */
  money_is (c.total, "0.0000135643");
  /* One millisecond at 128 MB, to the last digit. */
  lf_cost_of (now26, "us-east-1", LF_ARCH_X86_64, 1, 0, 128, 512, 0, &c);
  money_is (c.total, "0.0000000020833375");
  /* 100 ms in 2020: the rate itself, not a price list rounded for each size. */
  char text[64];
  lf_cost_of (then20, "us-east-1", LF_ARCH_X86_64, 100, 0, 3008, 512, 0, &c);
  lf_money_format (c.total, 9, text);
  assert_string_equal (text, "0.000004896");
  lf_cost_of (then20, "us-east-1", LF_ARCH_X86_64, 100, 0, 128, 512, 0, &c);
  lf_money_format (c.total, 9, text);
  assert_string_equal (text, "0.000000208");
}

static void
unknown_cost (void **state)
{
  lf_cost c;
  (void) state;
  lf_cost_of (now26, "mars-north-1", LF_ARCH_X86_64, 1000, 0, 1024, 512, 1, &c);
  assert_false (c.known);
  assert_true (c.total == 0);
  lf_cost_of (now26, NULL, LF_ARCH_X86_64, 1000, 0, 1024, 512, 1, &c);
  assert_false (c.known);
  lf_cost_of (then20, "us-east-1", LF_ARCH_ARM64, 1000, 0, 1024, 512, 1, &c);
  assert_false (c.known);
  lf_cost_of (now26, "us-east-1", LF_ARCH_X86_64, LF_NONE, 0, 1024, 512, 1, &c);
  assert_false (c.known);
}

/* The price of a month in tiers, and that splitting it anywhere changes nothing. */
static void
tiers (void **state)
{
  const int64_t gb_s = 1024000, month = INT64_C (20000000000); /* 6 + 9 + 5 thousand million GB-s */
  lf_cost whole, a, b;
  (void) state;
  lf_cost_of_month (now26, "us-east-1", LF_ARCH_X86_64, 0, month * 1000, 0, 1024, 512, 0, &whole);
  assert_true (whole.known);
  money_is (whole.total, "301667.2"); /* 6e9*0.0000166667 + 9e9*0.000015 + 5e9*0.0000133334 */
  uint32_t seed = 7;
  for (int i = 0; i < 1000; i++)
    {
      seed = seed * 1664525 + 1013904223;
      int64_t first = (int64_t) (seed % 20000) * 1000000;
      lf_cost_of_month (now26, "us-east-1", LF_ARCH_X86_64, 0, first * 1000, 0, 1024, 512, 0, &a);
      lf_cost_of_month (now26, "us-east-1", LF_ARCH_X86_64, first * gb_s, (month - first) * 1000, 0, 1024, 512, 0, &b);
      lf_cost_add (&a, &b);
      if (a.total != whole.total)
        fail_msg ("split at %lld GB-s costs something else", (long long) first);
    }
  /* Init comes first in time, so it fills the cheaper tier's room before the handler does. */
  lf_cost_of_month (now26, "us-east-1", LF_ARCH_X86_64, INT64_C (6000000000) * gb_s - gb_s, 2000, 1000, 1024, 512, 0, &a);
  money_is (a.init, "0.0000166667");
  money_is (a.duration, "0.000015");
}

static void
cost_of_records (void **state)
{
  lf_record r;
  lf_cost c, sum = { 0 };
  (void) state;
  lf_record_init (&r);
  r.memory_mb = 1024;
  r.tmp_mb = 512;
  r.init_us = 463512;
  r.duration_us = 1233960;
  r.billed_ms = 1698;
  lf_cost_of_record (now26, "us-east-1", &r, &c);
  money_is (c.init, "0.0000077333488"); /* 464 ms */
  assert_true (c.total == c.requests + c.duration + c.init + c.tmp);
  lf_cost_add (&sum, &c);
  lf_cost_add (&sum, &c);
  assert_true (sum.known && sum.total == 2 * c.total);
  /* 2020, managed: init is free. Custom: the part beyond the rounded duration. */
  r.billed_ms = 1300;
  lf_cost_of_record (then20, "us-east-1", &r, &c);
  assert_true (c.known && c.init == 0);
  r.billed_ms = 1700;
  lf_cost_of_record (then20, "us-east-1", &r, &c);
  money_is (c.init, "0.00000666668"); /* 400 ms */
  r.status = LF_ST_THROTTLED;
  lf_cost_of_record (now26, "us-east-1", &r, &c);
  assert_true (c.known && c.total == 0);
  r.status = LF_ST_FUNCTION_ERROR;
  r.billed_ms = LF_NONE;
  lf_cost_of_record (now26, "us-east-1", &r, &c);
  assert_false (c.known);
  lf_cost_add (&sum, &c);
  assert_false (sum.known);
  lf_cost yuan = { .known = true, .currency = "CNY" }, usd = { .known = true, .currency = "USD" };
  lf_cost_add (&usd, &yuan);
  assert_false (usd.known);
}

/* The parts always add up, and nothing overflows, for any quantities. */
static void
random_costs (void **state)
{
  static const char *const regions[] = { "us-east-1", "sa-east-1", "eu-central-1", "cn-north-1", "nowhere" };
  uint64_t seed = 12345;
  (void) state;
  for (int i = 0; i < 50000; i++)
    {
      int64_t v[6];
      for (size_t k = 0; k < 6; k++)
        {
          seed = seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
          v[k] = (int64_t) (seed >> (1 + seed % 60));
        }
      lf_cost c, sum = { 0 };
      lf_cost_of_month (i % 2 ? now26 : then20, regions[i % 5], (lf_arch) (i % LF_ARCH_COUNT), v[0], v[1], v[2], v[3], v[4], v[5],
                        &c);
      if (c.known && v[1] < INT64_C (1) << 40 && v[3] < 100000 && v[4] < 100000 && v[5] < INT64_C (1) << 40)
        assert_true (c.total == c.requests + c.duration + c.init + c.tmp);
      assert_true (c.total >= 0);
      lf_cost_add (&sum, &c);
      lf_cost_add (&sum, &c);
      assert_true (lf_billed_ms (i % 2 ? now26 : then20, LF_RT_PROVIDED, v[0], v[1], false, 0) >= v[1] / 1000);
    }
}

static void
percentiles (void **state)
{
  int64_t v[1000];
  (void) state;
  for (size_t n = 1; n <= 1000; n++)
    {
      for (size_t i = 0; i < n; i++)
        v[i] = (int64_t) i + 1; /* the value is its rank */
      for (int p = 1; p <= 100; p++)
        assert_int_equal (lf_percentile (v, n, p), ((int64_t) n * p + 99) / 100);
      assert_int_equal (lf_percentile (v, n, 0), 1);
    }
  assert_int_equal (lf_percentile (v, 0, 50), LF_NONE);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (recorded_billing), cmocka_unit_test (exact_cost),   cmocka_unit_test (unknown_cost), cmocka_unit_test (tiers),
    cmocka_unit_test (cost_of_records),  cmocka_unit_test (random_costs), cmocka_unit_test (percentiles),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
