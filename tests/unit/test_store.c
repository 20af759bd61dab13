/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: what is written is read, filters find what they should, the file is what docs/log.md says.
 */
#include "store_help.h"

static int
keep_one (const lf_record *r, int64_t rowid, void *user)
{
  (void) rowid;
  const lf_record *want = user;
#define SAME_TEXT(c) \
  if (want->c == NULL) \
    assert_null (r->c); \
  else \
    assert_string_equal (r->c, want->c);
#define LF_REC_TEXT(c, since, type, doc) SAME_TEXT (c)
#define LF_REC_INT(c, since, type, doc) assert_true (r->c == want->c);
#define LF_REC_BOOL(c, since, type, doc) assert_int_equal (r->c, want->c);
#define LF_REC_WORD(c, since, type, doc) assert_int_equal (r->c, want->c);
#define LF_REC_TAIL(c, since, type, doc) \
  SAME_TEXT (c) \
  assert_int_equal (r->c##_len, want->c##_len);
#define LF_REC_RUN(c, since, type, doc)
#include "../../src/store/record.def"
  return 0;
}

static void
expect_record (lf_store *s, const lf_record *want)
{
  lf_error err = { 0 };
  lf_log_filter f = { .request_id = want->request_id, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  int64_t last = 0;
  assert_int_equal (lf_store_invocations (s, &f, keep_one, (void *) (uintptr_t) want, &last, &err), 0);
  assert_true (last > 0);
}

static void
every_column_round_trips (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_record r;
  const char *path = help_path ("round.db");
  lf_store *s CLEAN_STORE = help_open (path);
  int64_t run = lf_store_run_begin (s, "run", "aws-lambda-2026-11", "us-east-1", "machine", &err);
  assert_true (run > 0);
  assert_true (lf_store_dirty (s));
  int64_t n = 1;
  lf_record_init (&r);
#define LF_REC_TEXT(c, since, type, doc) r.c = #c " \xc3\xa9 '\"";
#define LF_REC_INT(c, since, type, doc) r.c = (INT64_C (1) << 40) + n++;
#define LF_REC_BOOL(c, since, type, doc) r.c = 1;
#define LF_REC_WORD(c, since, type, doc) r.c = 1;
#define LF_REC_TAIL(c, since, type, doc) \
  r.c = "tail\nof it\n"; \
  r.c##_len = strlen (r.c);
#define LF_REC_RUN(c, since, type, doc)
#include "../../src/store/record.def"
  r.tmp_growth_bytes = -4096;
  assert_int_equal (lf_store_invocation (s, &r, &err), 0);
  lf_record bare;
  lf_record_init (&bare);
  bare.request_id = "bare";
  bare.function = "f";
  bare.received_us = 0;
  assert_int_equal (lf_store_invocation (s, &bare, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_false (lf_store_dirty (s));
  expect_record (s, &r);
  expect_record (s, &bare);
  for (int st = 0; st < LF_ST_COUNT; st++)
    {
      char id[16];
      snprintf (id, sizeof id, "status-%d", st);
      lf_record each = help_record (id, "f");
      each.status = (lf_status) st;
      each.source = (lf_source) (st % 3);
      assert_int_equal (lf_store_invocation (s, &each, &err), 0);
      expect_record (s, &each);
    }
  assert_int_equal (lf_store_run_end (s, run, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE run = 1"), 2 + LF_ST_COUNT);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM runs WHERE ended_us >= started_us AND host = 'machine'"), 1);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE request_id = 'bare' AND cold IS NULL AND duration_us IS NULL"
                                    " AND log_tail IS NULL AND max_memory_bytes IS NULL AND error_type IS NULL"),
                    1);
}

static void
text_stays_text (void **state)
{
  (void) state;
  lf_error err = { 0 };
  const char *path = help_path ("text.db");
  lf_store *s CLEAN_STORE = help_open (path);
  lf_record r = help_record ("x", "f"), want;
  r.error_message = "caf\xc3\xa9 \xff\xfe end";
  r.log_tail = "\xa9 half a letter\0and a NUL";
  r.log_tail_len = 26;
  assert_int_equal (lf_store_invocation (s, &r, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  want = r;
  want.error_message = "caf\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd end";
  want.log_tail = "\xef\xbf\xbd half a letter\0and a NUL";
  want.log_tail_len = 28;
  expect_record (s, &want);
}

static void
names_are_not_sql (void **state)
{
  (void) state;
  lf_error err = { 0 };
  static const char *const names[] = { "x'; DROP TABLE invocations; --", "\" OR 1=1 --", "%", "_", "?1", "a\nb", "" };
  const char *path = help_path ("names.db");
  lf_store *s CLEAN_STORE = help_open (path);
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    {
      lf_record r = help_record (names[i], names[i]);
      r.error_message = names[i];
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
      assert_int_equal (lf_store_env_begin (s, names[i], names[i], 1, "host", "{}", &err), 0);
      expect_record (s, &r);
    }
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), LF_ARRAY_LEN (names));
  lf_strv found LF_CLEANUP (lf_strv_fini) = { 0 };
  assert_int_equal (lf_store_functions (s, &found, &err), 0);
  assert_int_equal (found.n, LF_ARRAY_LEN (names));
}

static void
updates_and_refusals (void **state)
{
  (void) state;
  lf_error err = { 0 };
  const char *path = help_path ("update.db");
  lf_store *s CLEAN_STORE = help_open (path);
  lf_record r = help_record ("one", "f");
  assert_int_equal (lf_store_invocation (s, &r, &err), 0);
  r.duration_us = 9000;
  r.billed_ms = 9;
  r.max_memory_bytes = 77;
  r.status = LF_ST_TIMEOUT;
  assert_int_equal (lf_store_invocation_update (s, &r, &err), 0);
  expect_record (s, &r);
  /* A second row of the same id is refused, and the rest of the transaction lives on. */
  assert_int_equal (lf_store_invocation (s, &r, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_IO);
  lf_record none = help_record ("nobody", "f");
  err = (lf_error){ 0 };
  assert_int_equal (lf_store_invocation_update (s, &none, &err), -1);
  assert_non_null (strstr (err.why, "nobody"));
  assert_int_equal (help_add (s, "two", "f", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), 2);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE status <> 'ok'"), 1);
}

static void
uncommitted_is_gone (void **state)
{
  (void) state;
  lf_error err = { 0 };
  const char *path = help_path ("uncommitted.db");
  lf_store *s = help_open (path);
  assert_int_equal (help_add (s, "kept", "f", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_add (s, "dropped", "f", &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), 1);
  lf_store_close (s);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE request_id = 'kept'"), 1);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), 1);
}

/* More pages than the WAL's writer gathers, and than SQLite keeps in memory. */
static void
one_large_commit (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char id[32], tail[4000];
  memset (tail, 'l', sizeof tail);
  const char *path = help_path ("large.db");
  lf_store *s CLEAN_STORE = help_open (path);
  for (int i = 0; i < 4000; i++)
    {
      snprintf (id, sizeof id, "%d", i * 7919 % 4001);
      lf_record r = help_record (id, i % 2 ? "A" : "B");
      r.log_tail = tail;
      r.log_tail_len = sizeof tail;
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
      if (i == 100)
        {
          r.status = LF_ST_CRASH;
          assert_int_equal (lf_store_invocation_update (s, &r, &err), 0);
        }
    }
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE length (log_tail) = 4000"), 4000);
  assert_true (help_sound (path));
}

/* ---- functions, environments, violations --------------------------------------------------------------------------------------- */

static void
fill_function (lf_function *f)
{
  lf_error err = { 0 };
  lf_function_init (f);
  f->name = lf_strdup ("Classify");
  f->version = lf_strdup ("$LATEST");
  f->runtime = lf_strdup ("python3.12");
  f->handler = lf_strdup ("lambda_function.lambda_handler");
  f->region = lf_strdup ("eu-west-1");
  f->account = lf_strdup ("123456789012");
  f->interpreter = lf_strdup ("/usr/bin/python3.11 (3.11.2)");
  assert_int_equal (lf_runtime_parse (f->runtime, &f->rt, &err), 0);
  f->arch = LF_ARCH_ARM64;
  f->memory_mb = 1024;
  f->timeout_ms = 30000;
  f->tmp_mb = 512;
  f->package_bytes = 200000000;
  f->env_bytes = 17;
  f->network = LF_NET_NONE;
  f->log_format = LF_LOG_JSON;
  snprintf (f->code_sha256, sizeof f->code_sha256, "%s", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  lf_strv_add (&f->layers, "numpy.zip");
  lf_strv_add (&f->layers, "a \"b\".zip");
}

static void
functions_by_change (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_function f, got;
  const char *path = help_path ("functions.db");
  lf_store *s CLEAN_STORE = help_open (path);
  fill_function (&f);
  for (int i = 0; i < 3; i++)
    assert_int_equal (lf_store_function (s, &f, 100 + i, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM functions"), 1);
  assert_int_equal (help_sql (path, "SELECT json_array_length (layers) FROM functions"), 2);
  assert_int_equal (lf_store_function_get (s, "Classify", &got, &err), 1);
  assert_string_equal (got.name, "Classify");
  assert_string_equal (got.version, "$LATEST");
  assert_string_equal (got.runtime, "python3.12");
  assert_int_equal (got.rt.kind, LF_RT_PYTHON);
  assert_string_equal (got.handler, f.handler);
  assert_string_equal (got.region, "eu-west-1");
  assert_string_equal (got.account, "123456789012");
  assert_string_equal (got.interpreter, f.interpreter);
  assert_string_equal (got.code_sha256, f.code_sha256);
  assert_int_equal (got.arch, LF_ARCH_ARM64);
  assert_int_equal (got.memory_mb, 1024);
  assert_int_equal (got.timeout_ms, 30000);
  assert_int_equal (got.tmp_mb, 512);
  assert_int_equal (got.package_bytes, 200000000);
  assert_true (got.zip_bytes == LF_NONE);
  assert_true (got.reserved == LF_NONE);
  assert_int_equal (got.network, LF_NET_NONE);
  assert_int_equal (got.log_format, LF_LOG_JSON);
  assert_int_equal (got.layers.n, 2);
  assert_string_equal (got.layers.v[1], "a \"b\".zip");
  lf_function_fini (&got);
  f.memory_mb = 2048;
  assert_int_equal (lf_store_function (s, &f, 200, &err), 0);
  f.memory_mb = 1024; /* back again is a change too */
  assert_int_equal (lf_store_function (s, &f, 300, &err), 0);
  f.zip_bytes = 5;
  assert_int_equal (lf_store_function (s, &f, 400, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM functions"), 4);
  assert_int_equal (lf_store_function_get (s, "Classify", &got, &err), 1);
  assert_int_equal (got.zip_bytes, 5);
  lf_function_fini (&got);
  assert_int_equal (lf_store_function_get (s, "classify", &got, &err), 0);
  lf_function_fini (&got);
  lf_function_fini (&f);
}

static void
environments (void **state)
{
  (void) state;
  lf_error err = { 0 };
  const char *path = help_path ("environments.db");
  lf_store *s CLEAN_STORE = help_open (path);
  assert_int_equal (lf_store_env_begin (s, "e1", "f", 1000, "none", "{\"memory\":\"kernel\"}", &err), 0);
  assert_int_equal (lf_store_env_end (s, "e1", 2000, "keepalive", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  char *text LF_CLEANUP (lf_freep) = lf_store_env_enforcement (s, "e1");
  assert_string_equal (text, "{\"memory\":\"kernel\"}");
  assert_null (lf_store_env_enforcement (s, "e2"));
  assert_null (lf_store_env_enforcement (s, NULL));
  assert_int_equal (help_sql (path, "SELECT ended_us - started_us FROM environments WHERE end_reason = 'keepalive' AND network = 'none'"), 1000);
}

static int
check_violation (const lf_violation *v, void *user)
{
  int *n = user;
  if (*n == 0)
    {
      assert_string_equal (v->request_id, "r1");
      assert_string_equal (v->limit_id, "memory");
      assert_int_equal (v->severity, LF_SEV_NEAR);
      assert_int_equal (v->used, 95);
      assert_int_equal (v->allowed, 100);
      assert_string_equal (v->unit, "bytes");
      assert_int_equal (v->enforced, LF_ENF_KERNEL);
      assert_string_equal (v->rule, "rule");
      assert_string_equal (v->message, "a message");
      assert_string_equal (v->fix, "a fix");
    }
  else
    {
      assert_null (v->request_id);
      assert_null (v->unit);
      assert_true (v->used == LF_NONE);
      assert_int_equal (v->severity, LF_SEV_BROKEN);
    }
  ++*n;
  return 0;
}

static void
violations (void **state)
{
  (void) state;
  lf_error err = { 0 };
  int n = 0;
  lf_store *s CLEAN_STORE = help_open (help_path ("violations.db"));
  lf_violation near = { .request_id = "r1", .function = "f", .at_us = 5, .limit_id = "memory", .severity = LF_SEV_NEAR, .used = 95, .allowed = 100,
                        .unit = "bytes", .enforced = LF_ENF_CHECKED, .rule = "rule", .message = "a message", .fix = "a fix" };
  lf_violation broken = { .function = "f", .at_us = 4, .limit_id = "package", .severity = LF_SEV_BROKEN, .used = LF_NONE, .allowed = 100 };
  assert_int_equal (lf_store_violation (s, &near, &err), 0);
  assert_int_equal (lf_store_violation (s, &broken, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (lf_store_violations (s, NULL, NULL, check_violation, &n, &err), 0);
  assert_int_equal (n, 2);
  n = 0;
  assert_int_equal (lf_store_violations (s, "f", NULL, check_violation, &n, &err), 0);
  assert_int_equal (n, 2);
  n = 0;
  assert_int_equal (lf_store_violations (s, NULL, "r1", check_violation, &n, &err), 0);
  assert_int_equal (n, 1);
  n = 0;
  assert_int_equal (lf_store_violations (s, "other", "r1", check_violation, &n, &err), 0);
  assert_int_equal (lf_store_violations (s, "other", NULL, check_violation, &n, &err), 0);
  assert_int_equal (n, 0);
}

/* ---- filters: every combination against a plain loop ---------------------------------------------------------------------------- */

#define ROWS 240

typedef struct row { char id[8]; const char *function; bool error, cold; int64_t at; } row;
static row rows[ROWS];

typedef struct seen { size_t n; int64_t rowid[ROWS]; } seen;

static int
note (const lf_record *r, int64_t rowid, void *user)
{
  seen *s = user;
  assert_true (s->n < ROWS && rowid >= 1 && rowid <= ROWS);
  assert_string_equal (r->request_id, rows[rowid - 1].id);
  s->rowid[s->n++] = rowid;
  return 0;
}

static void
expect_filter (lf_store *s, const lf_log_filter *f)
{
  lf_error err = { 0 };
  seen want = { 0 }, got = { 0 };
  int64_t last = 0;
  for (int i = ROWS - 1; i >= 0 && (f->limit == LF_NONE || (int64_t) want.n < f->limit); i--)
    if ((f->function == NULL || strcmp (f->function, rows[i].function) == 0) && (!f->errors || rows[i].error) && (!f->cold || rows[i].cold)
        && (f->since_us == LF_NONE || rows[i].at >= f->since_us) && (f->until_us == LF_NONE || rows[i].at <= f->until_us) && i + 1 > f->after_rowid)
      want.rowid[want.n++] = i + 1;
  assert_int_equal (lf_store_invocations (s, f, note, &got, &last, &err), 0);
  assert_int_equal (got.n, want.n);
  for (size_t i = 0; i < got.n; i++)
    assert_int_equal (got.rowid[i], want.rowid[want.n - 1 - i]);
  assert_int_equal (last, want.n > 0 ? want.rowid[0] : 0);
}

static void
filters (void **state)
{
  (void) state;
  lf_error err = { 0 };
  const char *path = help_path ("filters.db");
  lf_store *s CLEAN_STORE = help_open (path);
  for (int i = 0; i < ROWS; i++)
    {
      snprintf (rows[i].id, sizeof rows[i].id, "r%d", i);
      rows[i].function = i % 3 == 0 ? "A" : i % 7 == 0 ? "C" : "B";
      rows[i].error = i % 11 == 3;
      rows[i].cold = i % 13 == 0;
      rows[i].at = 1000 + i / 2;
      lf_record r = help_record (rows[i].id, rows[i].function);
      r.received_us = rows[i].at;
      r.cold = rows[i].cold;
      r.status = rows[i].error ? LF_ST_CRASH : LF_ST_OK;
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
    }
  assert_int_equal (lf_store_commit (s, &err), 0);
  lf_store *reader CLEAN_STORE = help_open_read (path);
  static const char *const functions[] = { NULL, "A", "B", "nobody" };
  static const int64_t limits[] = { LF_NONE, 1, 7, 1000 }, since[] = { LF_NONE, 1060 }, until[] = { LF_NONE, 1100 }, after[] = { 0, 100, 239, 240 };
  for (unsigned c = 0; c < 4 * 4 * 2 * 2 * 4 * 2 * 2; c++)
    {
      lf_log_filter f = { .function = functions[c % 4], .limit = limits[c / 4 % 4], .since_us = since[c / 16 % 2], .until_us = until[c / 32 % 2],
                          .after_rowid = after[c / 64 % 4], .errors = c / 256 % 2, .cold = c / 512 % 2 };
      expect_filter (reader, &f);
    }
  lf_log_filter exact = { .request_id = "r21", .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  seen got = { 0 };
  assert_int_equal (lf_store_invocations (reader, &exact, note, &got, NULL, &err), 0);
  assert_int_equal (got.n, 1);
  exact.errors = true;
  assert_int_equal (lf_store_invocations (reader, &exact, note, &got, NULL, &err), 0);
  assert_int_equal (got.n, 1);
}

/* ---- logs of earlier versions ------------------------------------------------------------------------------------------------------- */

/* A log as the third version wrote it: read as it is, brought up to date by the first writer. */
static void
third_version (void **state)
{
  (void) state;
  const char *path = help_path ("third.db");
  lf_error err = { 0 };
  lf_log_filter all = { .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  lf_record r = help_record ("r0", "Classify");
  {
    lf_store *s CLEAN_STORE = help_open (path);
    assert_int_equal (lf_store_invocation (s, &r, &err), 0);
    assert_int_equal (lf_store_commit (s, &err), 0);
  }
  help_sql (path, "ALTER TABLE invocations DROP COLUMN cold_reason");
  help_sql (path, "ALTER TABLE runs DROP COLUMN refused");
  help_sql (path, "DROP TABLE checks");
  help_sql (path, "PRAGMA user_version = 3");
  {
    lf_store *reader CLEAN_STORE = lf_store_open_read (path, &err);
    seen got = { 0 };
    assert_non_null (reader);
    assert_int_equal (lf_store_invocations (reader, &all, note, &got, NULL, &err), 0);
    assert_int_equal (got.n, 1);
  }
  assert_int_equal (help_sql (path, "PRAGMA user_version"), 3);
  {
    lf_store *s CLEAN_STORE = help_open (path);
    r.request_id = "new";
    r.cold_reason = "reload";
    assert_int_equal (lf_store_invocation (s, &r, &err), 0);
    assert_int_equal (lf_store_commit (s, &err), 0);
  }
  assert_int_equal (help_sql (path, "PRAGMA user_version"), LF_STORE_VERSION);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE cold_reason IS NULL"), 1);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations WHERE cold_reason = 'reload'"), 1);
}

/* ---- the document ----------------------------------------------------------------------------------------------------------------- */

static char *
read_doc (void)
{
  lf_error err = { 0 };
  lf_buf b;
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/docs/log.md", getenv ("TOP_SRCDIR"));
  lf_buf_init (&b, 0);
  assert_int_equal (lf_read_file (path, (size_t) 1 << 20, &b, &err), 0);
  return lf_buf_take (&b);
}

static void
documented (void **state)
{
  (void) state;
  const lf_store_part *parts;
  size_t n = lf_store_schema (&parts), in_doc = 0;
  const char *path = help_path ("doc.db");
  char *doc LF_CLEANUP (lf_freep) = read_doc ();
  lf_store *s CLEAN_STORE = help_open (path);
  for (size_t i = 0; i < n; i++)
    {
      char *line LF_CLEANUP (lf_freep) = lf_asprintf ("| `%s` | %s | %s |\n", parts[i].column, parts[i].type, parts[i].doc);
      char *heading LF_CLEANUP (lf_freep) = lf_asprintf ("\n## `%s`\n", parts[i].table);
      char *section = strstr (doc, heading);
      assert_non_null (section);
      char *end = strstr (section + 1, "\n## "), *at = strstr (section, line);
      if (at == NULL || end == NULL || at > end)
        fail_msg ("docs/log.md lacks, under %s: %s", parts[i].table, line);
      /* And the file really has it. */
      char *sql LF_CLEANUP (lf_freep)
          = lf_asprintf ("SELECT count (*) FROM pragma_table_info ('%s') WHERE name = '%s'", parts[i].table, parts[i].column);
      assert_int_equal (help_sql (path, sql), 1);
    }
  /* The other way round: as many lines in the document and as many columns in the file as the table has. */
  for (const char *at = strstr (doc, "\n| `"); at != NULL && at < strstr (doc, "\n## Indexes"); at = strstr (at + 1, "\n| `"))
    in_doc++;
  assert_int_equal (in_doc, n);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM sqlite_master AS m, pragma_table_info (m.name) WHERE m.type = 'table'"), n);
  assert_int_equal (help_sql (path, "PRAGMA user_version"), LF_STORE_VERSION);
}

/* Every query of the document runs, and finds something in a log that has something of everything. */
static void
queries_of_the_document (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_function f;
  const char *path = help_path ("queries.db");
  lf_store *s CLEAN_STORE = help_open (path);
  lf_violation v = { .request_id = "q1", .function = "Classify", .at_us = lf_wall_us (), .limit_id = "memory", .severity = LF_SEV_BROKEN, .used = 2, .allowed = 1 };
  lf_record r = help_record ("q1", "Classify");
  r.received_us = lf_wall_us ();
  r.environment = "e1";
  r.max_memory_bytes = 64 * LF_MB;
  fill_function (&f);
  assert_true (lf_store_run_begin (s, "run", "p", "r", "h", &err) > 0);
  assert_int_equal (lf_store_function (s, &f, 1, &err), 0);
  assert_int_equal (lf_store_env_begin (s, "e1", "Classify", 1, "host", "{\"memory\":\"kernel\"}", &err), 0);
  assert_int_equal (lf_store_env_end (s, "e1", 2, "shutdown", &err), 0);
  assert_int_equal (lf_store_invocation (s, &r, &err), 0);
  assert_int_equal (lf_store_violation (s, &v, &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  lf_function_fini (&f);
  char *doc LF_CLEANUP (lf_freep) = read_doc ();
  size_t n = 0;
  for (char *at = strstr (doc, "```sql\n"); at != NULL; at = strstr (at + 1, "```sql\n"))
    {
      char *end = strstr (at + 7, "```");
      assert_non_null (end);
      char *query LF_CLEANUP (lf_freep) = lf_strndup (at + 7, (size_t) (end - at - 7));
      sqlite3 *db = NULL;
      sqlite3_stmt *st = NULL;
      assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
      if (sqlite3_prepare_v2 (db, query, -1, &st, NULL) != SQLITE_OK)
        fail_msg ("%s: %s", sqlite3_errmsg (db), query);
      if (sqlite3_step (st) != SQLITE_ROW)
        fail_msg ("no row: %s", query);
      sqlite3_finalize (st);
      sqlite3_close (db);
      n++;
    }
  assert_true (n >= 10);
}

/* The default place, and the environment variable that overrides it. */
static void
default_place (void **state)
{
  (void) state;
  setenv ("XDG_STATE_HOME", help_dir, 1);
  unsetenv ("LAMBDAFIT_DB");
  char *path LF_CLEANUP (lf_freep) = lf_store_default_path ();
  assert_string_equal (path, help_path ("lambdafit/log.db"));
  lf_store *s CLEAN_STORE = help_open (NULL);
  assert_string_equal (lf_store_path (s), path);
  setenv ("LAMBDAFIT_DB", "/elsewhere/x.db", 1);
  char *other LF_CLEANUP (lf_freep) = lf_store_default_path ();
  assert_string_equal (other, "/elsewhere/x.db");
  unsetenv ("LAMBDAFIT_DB");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_column_round_trips), cmocka_unit_test (text_stays_text),
    cmocka_unit_test (names_are_not_sql),        cmocka_unit_test (updates_and_refusals),
    cmocka_unit_test (uncommitted_is_gone),      cmocka_unit_test (one_large_commit),
         cmocka_unit_test (functions_by_change),
    cmocka_unit_test (environments),             cmocka_unit_test (violations),
    cmocka_unit_test (filters),                  cmocka_unit_test (third_version),
    cmocka_unit_test (documented),
    cmocka_unit_test (queries_of_the_document),  cmocka_unit_test (default_place),
  };
  return cmocka_run_group_tests (tests, help_setup, help_teardown);
}
