/* SPDX-License-Identifier: Apache-2.0
 *
 * Money and dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lambdafit/base.h"

static lf_decimal
rate (const char *s)
{
  lf_decimal d;
  assert_int_equal (lf_decimal_parse (s, &d), 0);
  return d;
}

static void
rates_are_exact (void **state)
{
  (void) state;
  static const struct
  {
    const char *text, *plain;
    int64_t mantissa;
    int scale;
  } t[] = {
    { "0.0000166667", "0.0000166667", 166667, 10 },
    { "1.66667e-05", "0.0000166667", 166667, 10 },
    { "0.0000000021", "0.0000000021", 21, 10 },
    { "0.20", "0.2", 2, 1 },
    { "0", "0", 0, 0 },
    { "0.000", "0", 0, 0 },
    { "0e-900", "0", 0, 0 },
    { "50e-2", "0.5", 5, 1 },
    { "12e3", "12000", 12000, 0 },
    { "1.5E+1", "15", 15, 0 },
    { "0.50000000000000000000000000", "0.5", 5, 1 },
    { "9223372036854775807", "9223372036854775807", INT64_MAX, 0 },
    { "0.000000000000000001", "0.000000000000000001", 1, 18 },
    { "100", "100", 100, 0 },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (t); i++)
    {
      lf_decimal d = rate (t[i].text);
      char plain[40];
      lf_decimal_format (d, plain);
      assert_true (d.mantissa == t[i].mantissa);
      assert_int_equal (d.scale, t[i].scale);
      assert_string_equal (plain, t[i].plain);
      assert_int_equal (lf_decimal_cmp (d, rate (plain)), 0);
    }
  static const char *const bad[] = { "",     ".",    ".5",  "5.",   "-1", "+1",  "1,5", "1.2.3", "1e",    "1e+",
                                     "1e-x", "1e--2", "0x1", "NaN", "inf", " 1", "1 ", "9223372036854775808", "1e19", "1e-19",
                                     "0.0000000000000000001", "1e99999999999999999999" };
  lf_decimal d;
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    assert_int_equal (lf_decimal_parse (bad[i], &d), -1);
  assert_int_equal (lf_decimal_parse (NULL, &d), -1);
}

static void
rates_compare (void **state)
{
  (void) state;
  assert_int_equal (lf_decimal_cmp (rate ("0.1"), rate ("0.10")), 0);
  assert_int_equal (lf_decimal_cmp (rate ("0.1"), rate ("0.11")), -1);
  assert_int_equal (lf_decimal_cmp (rate ("9223372036854775807"), rate ("0.000000000000000001")), 1);
}

static void
published_prices_multiply_exactly (void **state)
{
  (void) state;
  char text[64];
  /* us-east-1, x86_64: 1,024 MB for 1 ms, a value AWS publishes as $0.0000000167. */
  lf_money ms = lf_money_mul2 (rate ("0.0000166667"), 1, 1024, 1024000);
  lf_money_format (ms, 24, text);
  assert_string_equal (text, "0.000000016666700000000000");
  lf_money_format (ms, 10, text);
  assert_string_equal (text, "0.0000000167");
  /* 128 MB: published as $0.0000000021. */
  lf_money_format (lf_money_mul2 (rate ("0.0000166667"), 1, 128, 1024000), 24, text);
  assert_string_equal (text, "0.000000002083337500000000");
  /* A million requests at $0.20 per million. */
  assert_true (lf_money_mul (rate ("0.20"), 1000000, 1000000) == lf_money_mul (rate ("0.2"), 1, 1));
  /* A sum of a million equal parts is the product: nothing is rounded on the way. */
  assert_true (lf_money_mul2 (rate ("0.0000166667"), 137, 1769, 1024000) * 1000000
               == lf_money_mul2 (rate ("0.0000166667"), 137 * INT64_C (1000000), 1769, 1024000));
}

static void
division_rounds_half_up (void **state)
{
  (void) state;
  char text[64];
  lf_money_format (lf_money_mul (rate ("1"), 1, 3), 24, text);
  assert_string_equal (text, "0.333333333333333333333333");
  lf_money_format (lf_money_mul (rate ("2"), 1, 3), 24, text);
  assert_string_equal (text, "0.666666666666666666666667");
  lf_money_format (lf_money_mul (rate ("2"), -1, 3), 24, text);
  assert_string_equal (text, "-0.666666666666666666666667");
  assert_true (lf_money_mul2 (rate ("0.000000000000000001"), 1, 1, 2000000) == 1); /* exactly one half of 1e-24 */
  assert_true (lf_money_mul2 (rate ("0.000000000000000001"), 1, 1, 2000001) == 0);
}

static void
huge_amounts_do_not_wrap (void **state)
{
  (void) state;
  lf_decimal big = rate ("9223372036854775807");
  lf_money m = lf_money_mul2 (big, INT64_MAX, INT64_MAX, 1);
  assert_true (m > 0);
  assert_true (lf_money_mul2 (big, INT64_MIN, INT64_MAX, 1) == -m);
  char text[64];
  lf_money_format (m, 0, text);
  assert_string_equal (text, "170141183460469");
  lf_money_format (lf_money_mul2 (rate ("0.000000000000000001"), INT64_MAX, INT64_MAX, INT64_MAX), 18, text);
  assert_string_equal (text, "9.223372036854775807");
}

static void
amounts_are_shown_with_two_digits_at_least (void **state)
{
  (void) state;
  static const struct
  {
    const char *amount, *shown;
  } t[] = {
    { "0.0000021", "$0.0000021" }, { "0.000002", "$0.000002" }, { "1.25", "$1.25" },       { "0", "$0.00" },
    { "12.345", "$12.35" },        { "0.5", "$0.50" },          { "0.05", "$0.05" },       { "0.0996", "$0.10" },
    { "0.004", "$0.004" },         { "1234567.891", "$1234567.89" }, { "0.00009996", "$0.0001" }, { "0.999", "$1.00" },
  };
  char text[64];
  for (size_t i = 0; i < LF_ARRAY_LEN (t); i++)
    {
      lf_money_show (lf_money_mul (rate (t[i].amount), 1, 1), "USD", text);
      assert_string_equal (text, t[i].shown);
    }
  lf_money_show (-lf_money_mul (rate ("0.0021"), 1, 1), NULL, text);
  assert_string_equal (text, "-$0.0021");
  lf_money_show (lf_money_mul (rate ("2.5"), 1, 1), "CNY", text);
  assert_string_equal (text, "CNY 2.50");
  lf_money_show (1, "USD", text);
  assert_string_equal (text, "$0.000000000000000000000001");
  lf_money_format (lf_money_mul (rate ("2.5"), 1, 1), 0, text);
  assert_string_equal (text, "3");
  lf_money_format (-1, 2, text);
  assert_string_equal (text, "0.00");
  double d = lf_money_double (lf_money_mul (rate ("0.25"), 1, 1));
  assert_true (d > 0.2499999999 && d < 0.2500000001);
}

static void
dates (void **state)
{
  (void) state;
  static const struct
  {
    int64_t seconds;
    const char *text;
    int weekday;
  } t[] = {
    { 0, "1970-01-01T00:00:00.000Z", 4 },
    { 951782400, "2000-02-29T00:00:00.000Z", 2 },
    { 951868799, "2000-02-29T23:59:59.000Z", 2 },
    { 951868800, "2000-03-01T00:00:00.000Z", 3 },
    { 4107542400, "2100-03-01T00:00:00.000Z", 1 },
    { 1764037614, "2025-11-25T02:26:54.000Z", 2 },
    { 1735689599, "2024-12-31T23:59:59.000Z", 2 },
    { -1, "1969-12-31T23:59:59.000Z", 3 },
    { -62135596800, "0001-01-01T00:00:00.000Z", 1 },
    { 253402300799, "9999-12-31T23:59:59.000Z", 5 },
  };
  char text[32];
  for (size_t i = 0; i < LF_ARRAY_LEN (t); i++)
    {
      lf_iso8601_ms (t[i].seconds * 1000000, text);
      assert_string_equal (text, t[i].text);
      assert_int_equal (lf_utc_from (t[i].seconds * 1000000).weekday, t[i].weekday);
    }
  lf_iso8601_ms (1764037614123999, text);
  assert_string_equal (text, "2025-11-25T02:26:54.123Z");
  lf_iso8601_ms (-1, text);
  assert_string_equal (text, "1969-12-31T23:59:59.999Z");
  lf_iso8601_ms (INT64_MAX, text); /* far beyond any date, but in bounds */
  assert_true (strlen (text) < 32);
  lf_iso8601_ms (INT64_MIN, text);
  assert_true (strlen (text) < 32);
}

static void
ids_have_the_bits_of_version_4 (void **state)
{
  (void) state;
  uint8_t r[16];
  char id[37];
  memset (r, 0xff, sizeof r);
  lf_uuid4_from (r, id);
  assert_string_equal (id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
  memset (r, 0, sizeof r);
  lf_uuid4_from (r, id);
  assert_string_equal (id, "00000000-0000-4000-8000-000000000000");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (rates_are_exact),
    cmocka_unit_test (rates_compare),
    cmocka_unit_test (published_prices_multiply_exactly),
    cmocka_unit_test (division_rounds_half_up),
    cmocka_unit_test (huge_amounts_do_not_wrap),
    cmocka_unit_test (amounts_are_shown_with_two_digits_at_least),
    cmocka_unit_test (dates),
    cmocka_unit_test (ids_have_the_bits_of_version_4),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
