/* SPDX-License-Identifier: Apache-2.0
 *
 * What a report says of a log, against plain SQL over the same file and against the sum of the rows' own costs.
 */
#include "store_help.h"

#define ROWS 997 /* a prime: no percentile falls on a round rank */

static const lf_report_filter *
filter_of (lf_report_filter *f, const lf_profile *p)
{
  *f = (lf_report_filter){ .since_us = LF_NONE, .until_us = LF_NONE, .profile = p };
  return f;
}

static unsigned seed = 12345;

static unsigned
random_below (unsigned n)
{
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

static lf_money
write_rows (lf_store *s, const lf_profile *p)
{
  lf_error err = { 0 };
  static const char *const names[] = { "Classify", "Resize", "it's" };
  static const char *const regions[] = { "us-east-1", "us-east-1", "af-south-1" };
  lf_money sum = 0;
  for (int i = 0; i < ROWS; i++)
    {
      char id[16];
      lf_cost cost;
      snprintf (id, sizeof id, "%d", i);
      unsigned k = random_below (3);
      lf_record r = help_record (id, names[k]);
      r.region = regions[k];
      r.received_us += i * INT64_C (1000000);
      r.cold = random_below (20) == 0;
      r.init_us = r.cold ? 100000 + random_below (900000) : LF_NONE;
      r.duration_us = 500 + random_below (2000000);
      r.billed_ms = r.duration_us / 1000 + 1;
      r.memory_mb = 128 << random_below (3);
      r.tmp_mb = 512 + random_below (2) * 1024;
      r.max_memory_bytes = LF_MB * (50 + random_below (70));
      r.tmp_used_bytes = random_below (5) == 0 ? LF_NONE : random_below (1000000);
      switch (random_below (12))
        {
        case 0: r.status = LF_ST_TIMEOUT; break;
        case 1:
          r.status = LF_ST_THROTTLED;
          r.duration_us = r.billed_ms = r.max_memory_bytes = r.tmp_used_bytes = r.init_us = LF_NONE;
          r.cold = -1;
          break;
        default: break;
        }
      lf_cost_of_record (p, r.region, &r, &cost);
      assert_true (cost.known);
      sum += cost.total;
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
    }
  lf_violation v = { .function = "Resize", .request_id = "5", .limit_id = "memory", .severity = LF_SEV_NEAR, .used = 90, .allowed = 100, .unit = "bytes", .message = "ninety" };
  for (int i = 0; i < 3; i++)
    {
      v.at_us = 1000 + i;
      v.used = i == 1 ? 97 : 91;
      snprintf (v.message, sizeof v.message, "message %d", i);
      assert_int_equal (lf_store_violation (s, &v, &err), 0);
    }
  v.severity = LF_SEV_BROKEN;
  v.limit_id = "tmp";
  assert_int_equal (lf_store_violation (s, &v, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  return sum;
}

static int64_t
asked (const char *path, const char *function, const char *sql)
{
  char *text LF_CLEANUP (lf_freep) = NULL;
  char *quoted = sqlite3_mprintf (sql, function, function, function);
  text = lf_strdup (quoted);
  sqlite3_free (quoted);
  return help_sql (path, text);
}

#define PERCENTILE(column, p) \
  "SELECT " column " FROM invocations WHERE function = %Q AND " column " IS NOT NULL ORDER BY " column " LIMIT 1 OFFSET" \
  " (SELECT max ((count (*) * " p " + 99) / 100 - 1, 0) FROM invocations WHERE function = %Q AND " column " IS NOT NULL)"

static void
as_plain_sql_says (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_report r;
  lf_report_filter f;
  const char *path = help_path ("report.db");
  lf_store *s CLEAN_STORE = help_open (path);
  lf_profile *p = lf_profile_load (NULL, &err);
  assert_non_null (p);
  lf_money sum = write_rows (s, p);
  assert_int_equal (lf_store_report (s, filter_of (&f, p), &r, &err), 0);
  assert_int_equal (r.n, 3);
  assert_int_equal (r.invocations, ROWS);
  assert_true (r.cost.known && r.cost.total == sum);
  assert_string_equal (r.region, "");
  for (size_t i = 0; i < r.n; i++)
    {
      const lf_report_function *it = &r.functions[i];
      assert_int_equal (it->invocations, asked (path, it->name, "SELECT count (*) FROM invocations WHERE function = %Q"));
      assert_int_equal (it->errors, asked (path, it->name, "SELECT count (*) FROM invocations WHERE function = %Q AND status <> 'ok'"));
      assert_int_equal (it->cold, asked (path, it->name, "SELECT count (*) FROM invocations WHERE function = %Q AND cold = 1"));
      assert_int_equal (it->throttled, asked (path, it->name, "SELECT count (*) FROM invocations WHERE function = %Q AND status = 'throttled'"));
      assert_int_equal (it->duration_us.p50, asked (path, it->name, PERCENTILE ("duration_us", "50")));
      assert_int_equal (it->duration_us.p95, asked (path, it->name, PERCENTILE ("duration_us", "95")));
      assert_int_equal (it->duration_us.p99, asked (path, it->name, PERCENTILE ("duration_us", "99")));
      assert_int_equal (it->init_us.p50, asked (path, it->name, PERCENTILE ("init_us", "50")));
      assert_int_equal (it->init_us.p95, asked (path, it->name, PERCENTILE ("init_us", "95")));
      assert_int_equal (it->max_memory_bytes, asked (path, it->name, "SELECT max (max_memory_bytes) FROM invocations WHERE function = %Q"));
      assert_int_equal (it->tmp_used_bytes, asked (path, it->name, "SELECT max (tmp_used_bytes) FROM invocations WHERE function = %Q"));
      assert_int_equal (it->billed_ms, asked (path, it->name, "SELECT sum (billed_ms) FROM invocations WHERE function = %Q"));
      int64_t in_histogram = 0, in_timeline = 0, errors = 0, cold = 0;
      for (int k = 0; k < LF_REPORT_BUCKETS; k++)
        {
          in_histogram += it->histogram[k];
          in_timeline += it->timeline[k].invocations;
          errors += it->timeline[k].errors;
          cold += it->timeline[k].cold;
        }
      assert_int_equal (in_histogram, it->duration_us.n);
      assert_int_equal (in_timeline, it->invocations);
      assert_int_equal (errors, it->errors);
      assert_int_equal (cold, it->cold);
      assert_int_equal (it->violations, strcmp (it->name, "Resize") == 0 ? 4 : 0);
      assert_int_equal (it->broken, strcmp (it->name, "Resize") == 0 ? 1 : 0);
    }
  assert_int_equal (r.violations_n, 2);
  assert_string_equal (r.violations[0].limit_id, "tmp");
  assert_int_equal (r.violations[1].count, 3);
  assert_int_equal (r.violations[1].used, 97);
  assert_string_equal (r.violations[1].message, "message 1");
  assert_int_equal (r.violations[1].first_us, 1000);
  assert_int_equal (r.violations[1].last_us, 1002);
  lf_report_fini (&r);
  lf_profile_free (p);
}

static void
filtered_and_priced_elsewhere (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_report r;
  lf_report_filter f;
  const char *path = help_path ("report.db");
  lf_store *s CLEAN_STORE = help_open_read (path);
  lf_profile *p = lf_profile_load (NULL, &err), *old = lf_profile_load ("aws-lambda-2020-02", &err);
  assert_true (p != NULL && old != NULL);
  int64_t middle = INT64_C (1764000000000000) + 500 * INT64_C (1000000);
  filter_of (&f, p);
  f.since_us = middle;
  f.region = "eu-west-1";
  assert_int_equal (lf_store_report (s, &f, &r, &err), 0);
  assert_int_equal (r.invocations, ROWS - 500);
  assert_true (r.first_us == middle);
  assert_string_equal (r.region, "eu-west-1");
  assert_int_equal (r.violations_n, 0);
  lf_report_fini (&r);
  f.until_us = middle;
  assert_int_equal (lf_store_report (s, &f, &r, &err), 0);
  assert_int_equal (r.invocations, 1);
  lf_report_fini (&r);
  filter_of (&f, p);
  f.function = "it's";
  assert_int_equal (lf_store_report (s, &f, &r, &err), 0);
  assert_int_equal (r.n, 1);
  assert_int_equal (r.invocations, asked (path, "it's", "SELECT count (*) FROM invocations WHERE function = %Q"));
  assert_string_equal (r.region, "af-south-1");
  lf_report_fini (&r);
  f.function = "nobody";
  assert_int_equal (lf_store_report (s, &f, &r, &err), 0);
  assert_int_equal (r.n, 0);
  assert_true (r.first_us == LF_NONE);
  lf_report_fini (&r);
  /* A profile without prices for a row's region: the cost is unknown, not zero. */
  filter_of (&f, old);
  assert_int_equal (lf_store_report (s, &f, &r, &err), 0);
  assert_false (r.cost.known);
  lf_report_fini (&r);
  lf_profile_free (p);
  lf_profile_free (old);
}

static void
nothing_yet (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_report r;
  lf_report_filter f;
  lf_store *s CLEAN_STORE = help_open (help_path ("none.db"));
  lf_profile *p = lf_profile_load (NULL, &err);
  lf_violation v = { .function = "later", .at_us = 5, .limit_id = "package", .severity = LF_SEV_BROKEN, .used = 5, .allowed = 4 };
  assert_int_equal (lf_store_report (s, filter_of (&f, p), &r, &err), 0);
  assert_int_equal (r.n + r.violations_n, 0);
  lf_report_fini (&r);
  /* In the middle of a transaction, its own rows are part of the view. */
  assert_int_equal (lf_store_violation (s, &v, &err), 0);
  assert_int_equal (help_add (s, "one", "later", &err), 0);
  assert_int_equal (lf_store_report (s, filter_of (&f, p), &r, &err), 0);
  assert_int_equal (r.n, 1);
  assert_int_equal (r.functions[0].violations, 1);
  assert_int_equal (r.functions[0].duration_us.p99, 1500);
  assert_int_equal (r.functions[0].histogram[0], 1);
  assert_true (r.functions[0].init_us.p50 == LF_NONE && r.functions[0].package_bytes == LF_NONE);
  lf_report_fini (&r);
  assert_int_equal (lf_store_commit (s, &err), 0);
  lf_profile_free (p);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (as_plain_sql_says),
    cmocka_unit_test (filtered_and_priced_elsewhere),
    cmocka_unit_test (nothing_yet),
  };
  return cmocka_run_group_tests (tests, help_setup, help_teardown);
}
