/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of rows: percentiles against sorting, sums against the rows one by one, bytes and back, and what the log keeps of them while rows come,
 * change and go.
 */
#include "store_help.h"

#include "lambdafit/rollup.h"

static unsigned seed = 4711;

static unsigned
random_below (unsigned n)
{
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static void
percentiles (void **state)
{
  (void) state;
  for (int round = 0; round < 60; round++)
    {
      lf_samples s = { 0 };
      int64_t all[4000];
      size_t n = 0;
      unsigned range = (const unsigned[]){ 3, 1000, 4000000000u }[round % 3];
      for (int part = 0; part < 4; part++)
        {
          for (unsigned k = random_below (part == 0 ? 2500 : 300) + (round % 5 == 0); k > 0; k--)
            {
              all[n] = (int64_t) random_below (range) * (round % 7 == 0 ? -1 : 1);
              assert_int_equal (lf_samples_add (&s, all[n++]), 0);
            }
          assert_int_equal (lf_samples_settle (&s), 0);
          qsort (all, n, sizeof *all, by_value);
          for (int p = 0; p <= 100; p++)
            assert_int_equal (lf_samples_at (&s, p), lf_percentile (all, n, p));
          int64_t v = n > 0 ? all[random_below ((unsigned) n)] : 5;
          size_t below = 0;
          while (below < n && all[below] < v)
            below++;
          assert_int_equal (lf_samples_below (&s, v), below);
          if (n == 0)
            continue;
          lf_samples_remove (&s, v);
          memmove (all + below, all + below + 1, (n - below - 1) * sizeof *all);
          n--;
          assert_int_equal (s.n, n);
        }
      lf_samples_remove (&s, INT64_MAX);
      assert_int_equal (s.n, n);
      lf_samples_fini (&s);
    }
}

static lf_record
random_row (int i, char id[16])
{
  static const char *const names[] = { "Classify", "Resize", "it's" };
  static const char *const regions[] = { "us-east-1", "us-east-1", "af-south-1" };
  unsigned k = random_below (3);
  snprintf (id, 16, "r%d", i);
  lf_record r = help_record (id, names[k]);
  r.region = regions[k];
  r.received_us += i * INT64_C (7000000) + random_below (3000000) * (random_below (50) == 0 ? -300 : 1);
  r.cold = random_below (20) == 0;
  r.init_us = r.cold ? 100000 + random_below (900000) : LF_NONE;
  r.duration_us = 500 + random_below (2000000);
  r.billed_ms = (r.duration_us + (r.cold ? r.init_us : 0)) / 1000 + 1;
  r.memory_mb = 128 << random_below (2);
  r.tmp_mb = 512 + random_below (2) * 1024;
  r.max_memory_bytes = LF_MB * (50 + random_below (70));
  r.tmp_used_bytes = random_below (5) == 0 ? LF_NONE : random_below (1000000);
  r.request_bytes = random_below (5000);
  if (random_below (12) == 0)
    r.status = LF_ST_TIMEOUT;
  else if (random_below (12) == 0)
    {
      r.status = LF_ST_THROTTLED;
      r.duration_us = r.billed_ms = r.max_memory_bytes = r.tmp_used_bytes = r.init_us = LF_NONE;
      r.cold = -1;
    }
  return r;
}

static void
assert_near (lf_money a, lf_money b)
{
  lf_money d = a > b ? a - b : b - a;
  assert_true (d < 1000000); /* each row's cost is rounded at 1e-24 */
}

static void
same_cost (const lf_sums *s, const lf_sums *t, const lf_profile *p)
{
  for (int arch = -1; arch < LF_ARCH_COUNT; arch++)
    {
      lf_cost a, b;
      lf_sums_cost (s, p, NULL, arch, LF_NONE, LF_NONE, &a);
      lf_sums_cost (t, p, NULL, arch, LF_NONE, LF_NONE, &b);
      assert_true (a.known && b.known);
      assert_near (a.total, b.total);
      assert_near (a.init, b.init);
    }
}

static int64_t
sum_of_timeline (const lf_timeline *t)
{
  int64_t n = 0;
  for (int i = 0; i < lf_timeline_used (t); i++)
    n += t->v[i].invocations;
  return n;
}

static void
same_sums (const lf_sums *a, const lf_sums *b, const lf_profile *p)
{
  assert_true (a->invocations == b->invocations && a->errors == b->errors && a->cold == b->cold && a->throttled == b->throttled);
  assert_true (a->first_us == b->first_us && a->last_us == b->last_us && a->max_memory_bytes == b->max_memory_bytes && a->tmp_used_bytes == b->tmp_used_bytes);
  assert_true (a->init_us == b->init_us && a->duration_us == b->duration_us && a->request_bytes == b->request_bytes && a->response_bytes == b->response_bytes);
  for (int percent = 0; percent <= 100; percent++)
    {
      assert_int_equal (lf_samples_at (&a->duration, percent), lf_samples_at (&b->duration, percent));
      assert_int_equal (lf_samples_at (&a->init, percent), lf_samples_at (&b->init, percent));
    }
  assert_int_equal (sum_of_timeline (&a->timeline), a->invocations);
  assert_int_equal (sum_of_timeline (&b->timeline), b->invocations);
  same_cost (a, b, p);
}

static void
same (const lf_rollup *a, const lf_rollup *b, const lf_profile *p)
{
  assert_true (a->n == b->n && a->rows == b->rows && a->first_us == b->first_us && a->last_us == b->last_us);
  for (size_t i = 0; i < a->n; i++)
    {
      int64_t at = lf_rollup_find (b, a->v[i].name);
      assert_true (at >= 0);
      same_sums (&a->v[i], &b->v[at], p);
    }
}

/* Rows one by one are the same as parts of them that were encoded, decoded and merged. */
static void
sums_merge (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  lf_rollup whole, parts, part;
  lf_money expected = 0, total = 0;
  char id[16];
  lf_rollup_init (&whole);
  lf_rollup_init (&parts);
  for (int i = 0; i < 3000;)
    {
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      lf_rollup_init (&part);
      for (int end = i + 1 + (int) random_below (700); i < end; i++)
        {
          lf_record r = random_row (i, id);
          lf_cost c;
          lf_cost_of_record (p, r.region, &r, &c);
          expected += c.total;
          assert_int_equal (lf_rollup_add (&whole, &r), 0);
          assert_int_equal (lf_rollup_add (&part, &r), 0);
        }
      assert_int_equal (lf_rollup_settle (&part), 0);
      assert_int_equal (lf_rollup_encode (&part, &b), 0);
      lf_rollup_fini (&part);
      assert_int_equal (lf_rollup_decode (b.data, b.len, &part), 0);
      assert_int_equal (lf_rollup_merge (&parts, &part), 0);
      lf_rollup_fini (&part);
    }
  lf_rollup_settle (&whole);
  lf_rollup_settle (&parts);
  same (&whole, &parts, p);
  for (size_t i = 0; i < whole.n; i++)
    {
      lf_cost c;
      lf_sums_cost (&whole.v[i], p, NULL, -1, LF_NONE, LF_NONE, &c);
      total += c.total;
    }
  assert_near (total, expected);
  lf_rollup_fini (&whole);
  lf_rollup_fini (&parts);
  lf_profile_free (p);
}

/* A row whose last figures replace its first is as if it had come with the last ones, but for what only grows. */
static void
rows_replaced (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  lf_sums a, b;
  char id[16];
  lf_sums_init (&a, "f");
  lf_sums_init (&b, "f");
  for (int i = 0; i < 500; i++)
    {
      lf_record old = random_row (i, id), fresh = old;
      if (old.duration_us != LF_NONE)
        {
          fresh.duration_us += random_below (3000);
          fresh.billed_ms = fresh.duration_us / 1000 + 1;
          fresh.status = random_below (2) ? LF_ST_OK : LF_ST_CRASH;
        }
      assert_int_equal (lf_sums_add (&a, &old), 0);
      lf_sums_settle (&a);
      lf_sums_replace (&a, &old, &fresh);
      lf_sums_settle (&a);
      assert_int_equal (lf_sums_add (&b, &fresh), 0);
    }
  lf_sums_settle (&b);
  same_sums (&a, &b, p);
  lf_sums_fini (&a);
  lf_sums_fini (&b);
  lf_profile_free (p);
}

/* Whatever the bytes are: sums or a refusal. */
static void
damaged_bytes (void **state)
{
  (void) state;
  lf_rollup whole, out;
  char id[16];
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_rollup_init (&whole);
  for (int i = 0; i < 60; i++)
    {
      lf_record r = random_row (i, id);
      assert_int_equal (lf_rollup_add (&whole, &r), 0);
    }
  lf_rollup_settle (&whole);
  assert_int_equal (lf_rollup_encode (&whole, &b), 0);
  lf_rollup_fini (&whole);
  assert_int_equal (lf_rollup_decode ("", 0, &out), -1);
  for (size_t n = 1; n < b.len; n++)
    assert_int_equal (lf_rollup_decode (b.data, n, &out), -1);
  int refused = 0;
  for (int round = 0; round < 20000; round++)
    {
      char *copy = malloc (b.len);
      memcpy (copy, b.data, b.len);
      for (unsigned k = 1 + random_below (4); k > 0; k--)
        copy[random_below ((unsigned) b.len)] = (char) random_below (256);
      if (lf_rollup_decode (copy, b.len, &out) == 0)
        {
          lf_rollup sum;
          lf_rollup_init (&sum);
          assert_int_equal (lf_rollup_merge (&sum, &out), 0);
          lf_rollup_settle (&sum);
          lf_rollup_fini (&sum);
          lf_rollup_fini (&out);
        }
      else
        refused++;
      free (copy);
    }
  assert_true (refused > 0);
}

/* ---- in the log ---------------------------------------------------------------------------------------------------------------------------- */

#define KEPT "SELECT count (*) FROM rollups WHERE data IS NOT NULL"

static void
write_rows (lf_store *s, int from, int to)
{
  lf_error err = { 0 };
  char id[16];
  for (int i = from; i < to; i++)
    {
      lf_record r = random_row (i, id);
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
      if (i % 10 == 0)
        assert_int_equal (lf_store_commit (s, &err), 0);
    }
  assert_int_equal (lf_store_commit (s, &err), 0);
}

static void
wait_for (const char *path, const char *sql, int64_t wanted)
{
  int64_t got = -1;
  for (int i = 0; i < 12000 && (got = help_sql (path, sql)) != wanted; i++)
    usleep (10000);
  assert_int_equal (got, wanted);
}

static int
add_row (const lf_record *r, int64_t rowid, void *user)
{
  (void) rowid;
  assert_int_equal (lf_rollup_add (user, r), 0);
  return 0;
}

static int
add_kept (const lf_kept *k, void *user)
{
  lf_rollup r;
  assert_int_equal (lf_rollup_decode (k->data, k->n, &r), 0);
  assert_int_equal (lf_rollup_merge (user, &r), 0);
  lf_rollup_fini (&r);
  return 0;
}

/* A program that opens the log to write makes what can be made. */
static void
roll (const char *path, int64_t wanted)
{
  lf_store *s = help_open (path);
  wait_for (path, KEPT, wanted);
  lf_store_close (s);
}

/* What the log keeps and the rows after it, against all rows. Gives how many rows the rollups stand for. */
static int64_t
compare (const char *path)
{
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  lf_store *s CLEAN_STORE = lf_store_open_read (path, &err);
  lf_rollup rows, kept;
  int64_t covered = 0, mark = 0;
  assert_non_null (s);
  lf_rollup_init (&rows);
  lf_rollup_init (&kept);
  assert_int_equal (lf_store_kept (s, add_kept, &kept, &covered, &mark, &err), 0);
  int64_t of_kept = kept.rows;
  assert_int_equal (lf_store_scan (s, covered, LF_NONE, add_row, &kept, &err), 0);
  assert_int_equal (lf_store_scan (s, 0, LF_NONE, add_row, &rows, &err), 0);
  lf_rollup_settle (&rows);
  lf_rollup_settle (&kept);
  same (&rows, &kept, p);
  assert_int_equal (rows.rows, help_sql (path, "SELECT count (*) FROM invocations"));
  lf_rollup_fini (&rows);
  lf_rollup_fini (&kept);
  lf_profile_free (p);
  return of_kept;
}

static void
kept_by_the_log (void **state)
{
  (void) state;
  const char *path = help_path ("kept.db");
  lf_store *s = help_open (path);
  write_rows (s, 0, 17400);
  lf_store_close (s);
  roll (path, 2);
  assert_int_equal (compare (path), 16384);
  s = help_open (path);
  write_rows (s, 17400, 30000);
  lf_store_close (s);
  roll (path, 3);
  assert_int_equal (compare (path), 24576);
  /* A row that changes takes its rollup and the later ones along; they are made anew when the log is next written to. */
  assert_int_equal (help_sql (path, "UPDATE invocations SET duration_us = 77 WHERE rowid = 9000"), -1);
  assert_int_equal (help_sql (path, KEPT), 1);
  assert_int_equal (compare (path), 8192);
  roll (path, 3);
  assert_int_equal (compare (path), 24576);
  assert_int_equal (help_sql (path, "DELETE FROM invocations WHERE rowid = 20000"), -1);
  assert_int_equal (help_sql (path, KEPT), 2);
  assert_int_equal (compare (path), 16384);
  /* A row that is younger than all rollups leaves them alone. */
  assert_int_equal (help_sql (path, "UPDATE invocations SET duration_us = 78 WHERE rowid = 29999"), -1);
  assert_int_equal (help_sql (path, KEPT), 2);
  assert_true (help_sound (path));
}

/* VACUUM may give rows other numbers, by its documentation: what is kept then belongs to nothing and is not used. */
static void
numbered_anew (void **state)
{
  (void) state;
  const char *path = help_path ("vacuum.db");
  lf_store *s = help_open (path);
  write_rows (s, 0, 9000);
  lf_store_close (s);
  roll (path, 1);
  help_sql (path, "DROP TRIGGER invocations_updated");
  assert_int_equal (help_sql (path, "UPDATE invocations SET rowid = rowid + 100000"), -1);
  assert_int_equal (help_sql (path, KEPT), 1);
  assert_int_equal (compare (path), 0);
  s = help_open (path);
  wait_for (path, "SELECT count (*) FROM rollups WHERE last_id = (SELECT request_id FROM invocations WHERE rowid = last) AND data IS NOT NULL", 1);
  lf_store_close (s);
  assert_int_equal (compare (path), 8192);
}

/* An older log has none; it gets them when it is next written to. */
static void
older_log (void **state)
{
  (void) state;
  const char *path = help_path ("older.db");
  lf_store *s = help_open (path);
  write_rows (s, 0, 9000);
  lf_store_close (s);
  for (const char *const *sql = (const char *const[]){ "DROP TABLE rollups", "DROP TRIGGER invocations_updated", "DROP TRIGGER invocations_deleted",
                                                       "ALTER TABLE invocations DROP COLUMN overhead_us", "PRAGMA user_version = 1", NULL };
       *sql != NULL; sql++)
    help_sql (path, *sql);
  /* the triggers speak of the table that is gone first */
  help_sql (path, "DROP TRIGGER invocations_updated");
  help_sql (path, "DROP TRIGGER invocations_deleted");
  help_sql (path, "ALTER TABLE invocations DROP COLUMN overhead_us");
  help_sql (path, "ALTER TABLE invocations DROP COLUMN cold_reason");
  help_sql (path, "ALTER TABLE violations DROP COLUMN observed");
  help_sql (path, "ALTER TABLE runs DROP COLUMN refused");
  help_sql (path, "DROP TABLE checks");
  assert_int_equal (help_sql (path, "SELECT count (*) FROM sqlite_master WHERE type = 'trigger'"), 0);
  assert_int_equal (help_sql (path, "PRAGMA user_version"), 1);
  assert_int_equal (compare (path), 0);
  s = help_open (path);
  assert_int_equal (help_sql (path, "PRAGMA user_version"), LF_STORE_VERSION);
  wait_for (path, KEPT, 1);
  lf_store_close (s);
  assert_int_equal (compare (path), 8192);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE overhead_us IS NULL"), 9000);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (percentiles), cmocka_unit_test (sums_merge), cmocka_unit_test (rows_replaced), cmocka_unit_test (damaged_bytes),
    cmocka_unit_test (kept_by_the_log), cmocka_unit_test (numbered_anew), cmocka_unit_test (older_log),
  };
  return cmocka_run_group_tests (tests, help_setup, help_teardown);
}
