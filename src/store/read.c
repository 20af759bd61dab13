/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading. Which index a query uses is said in the query, never left to chance: a log of millions of rows has no statistics, and the
 * wrong guess reads all of it.
 */
#include "inside.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

/* The condition of a filter with its parameters: ?1 function, ?2 since, ?3 until, ?4 after_rowid, ?5 limit. */
static void
condition (lf_buf *b, const lf_log_filter *f, bool by_time)
{
  lf_buf_adds (b, " WHERE 1");
  if (f->function != NULL)
    lf_buf_adds (b, " AND function = ?1");
  else if (by_time)
    lf_buf_adds (b, " AND function IN (" LF_FUNCTION_NAMES_SQL ")");
  if (f->errors)
    lf_buf_adds (b, " AND status <> 'ok'");
  if (f->cold)
    lf_buf_adds (b, " AND cold = 1");
  if (f->since_us != LF_NONE)
    lf_buf_adds (b, " AND received_us >= ?2");
  if (f->until_us != LF_NONE)
    lf_buf_adds (b, " AND received_us <= ?3");
  if (f->after_rowid > 0)
    lf_buf_adds (b, " AND rowid > ?4");
}

/* Rowids of the matches, oldest first. */
static void
keys (lf_buf *b, const lf_log_filter *f)
{
  bool newest = f->limit != LF_NONE;
  bool timed = f->since_us != LF_NONE || f->until_us != LF_NONE;
  bool follow = f->after_rowid > 0;
  const char *index = NULL;
  if (!follow && f->errors)
    index = "invocations_failed";
  else if (!follow && f->cold)
    index = "invocations_cold";
  else if (!follow && (timed || (f->function != NULL && newest)))
    index = "invocations_by_function";
  if (newest)
    lf_buf_adds (b, "SELECT r FROM (");
  lf_buf_adds (b, "SELECT rowid AS r FROM invocations ");
  if (index != NULL)
    lf_buf_addf (b, "INDEXED BY %s", index);
  else
    lf_buf_adds (b, "NOT INDEXED");
  condition (b, f, index != NULL && timed);
  /* SQLite leaves out a subquery's ORDER BY unless there is a LIMIT beside it, hence LIMIT -1. */
  if (!newest)
    lf_buf_adds (b, " ORDER BY rowid LIMIT -1");
  else if (f->function != NULL && index != NULL)
    lf_buf_adds (b, " ORDER BY received_us DESC, rowid DESC LIMIT ?5) ORDER BY r LIMIT -1");
  else
    lf_buf_adds (b, " ORDER BY rowid DESC LIMIT ?5) ORDER BY r LIMIT -1");
}

static sqlite3_stmt *
query_invocations (lf_store *s, const lf_log_filter *f, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "SELECT i.rowid, ");
  lf_record_columns (&b, "i", s->version);
  if (f->request_id != NULL)
    {
      lf_buf_adds (&b, " FROM (SELECT rowid AS r FROM invocations");
      condition (&b, f, false);
      lf_buf_adds (&b, " AND request_id = ?6) AS k CROSS JOIN invocations AS i ON i.rowid = k.r");
    }
  else
    {
      lf_buf_adds (&b, " FROM (");
      keys (&b, f);
      lf_buf_adds (&b, ") AS k CROSS JOIN invocations AS i ON i.rowid = k.r");
    }
  if (b.failed)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  sqlite3_stmt *st = lf_store_prepare (s, b.data, err);
  if (st == NULL)
    return NULL;
  /* A parameter that the text does not use is refused, which does not matter. */
  lf_bind_str (st, 1, f->function);
  lf_bind_i64 (st, 2, f->since_us);
  lf_bind_i64 (st, 3, f->until_us);
  lf_bind_i64 (st, 4, f->after_rowid);
  lf_bind_i64 (st, 5, f->limit);
  lf_bind_str (st, 6, f->request_id);
  return st;
}

static int
finished (lf_store *s, int rc, lf_error *err)
{
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : lf_store_fail (s, rc, "read it", err);
}

int
lf_store_invocations (lf_store *s, const lf_log_filter *f, lf_log_each each, void *user, int64_t *last_rowid, lf_error *err)
{
  if (lf_store_refresh (s, err) != 0)
    return -1;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = query_invocations (s, f, err);
  if (st == NULL)
    return -1;
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_record r;
      int64_t rowid = sqlite3_column_int64 (st, 0);
      lf_record_read (st, 1, &r);
      if (last_rowid != NULL && rowid > *last_rowid)
        *last_rowid = rowid;
      if (each (&r, rowid, user) != 0)
        break;
    }
  return finished (s, rc, err);
}

/* ---- violations ---------------------------------------------------------------------------------------------------------------- */

static lf_enforced
read_enforced (const char *text)
{
  for (int e = LF_ENF_NONE; text != NULL && e <= LF_ENF_KERNEL; e++)
    if (strcmp (text, lf_enforced_name ((lf_enforced) e)) == 0)
      return (lf_enforced) e;
  return LF_ENF_NONE;
}

static void
copy_text (char *out, size_t size, const char *text)
{
  size_t n = text != NULL ? strlen (text) : 0;
  if (n >= size)
    n = lf_utf8_valid (text, size - 1);
  if (n > 0)
    memcpy (out, text, n);
  out[n] = '\0';
}

static void
read_violation (sqlite3_stmt *st, lf_violation *v)
{
  *v = (lf_violation){ 0 };
  v->request_id = lf_column_str (st, 0);
  v->function = lf_column_str (st, 1);
  v->at_us = sqlite3_column_int64 (st, 2);
  v->limit_id = lf_column_str (st, 3);
  v->severity = lf_streq (lf_column_str (st, 4), "near") ? LF_SEV_NEAR : LF_SEV_BROKEN;
  v->used = lf_column_i64 (st, 5);
  v->allowed = lf_column_i64 (st, 6);
  v->unit = lf_column_str (st, 7);
  v->enforced = read_enforced (lf_column_str (st, 8));
  v->rule = lf_column_str (st, 9);
  copy_text (v->message, sizeof v->message, lf_column_str (st, 10));
  copy_text (v->fix, sizeof v->fix, lf_column_str (st, 11));
  copy_text (v->observed, sizeof v->observed, lf_column_str (st, 12));
}

/* An older file has no column for what was observed. */
static sqlite3_stmt *
prepare_violations (lf_store *s, const char *where, lf_error *err)
{
  char sql[400];
  snprintf (sql, sizeof sql, "SELECT request_id, function, at_us, limit_id, severity, used, allowed, unit, enforced, rule, message, fix, %s FROM violations %s",
            s->version >= 3 ? "observed" : "NULL", where);
  return lf_store_prepare (s, sql, err);
}

int
lf_store_violations (lf_store *s, const char *function, const char *request_id, lf_violation_each each, void *user, lf_error *err)
{
  const char *where = "ORDER BY id";
  if (request_id != NULL && *request_id == '\0')
    where = "WHERE request_id IS NULL AND (?1 IS NULL OR function = ?1) ORDER BY id";
  else if (request_id != NULL)
    where = "WHERE request_id = ?2 AND (?1 IS NULL OR function = ?1) ORDER BY id";
  else if (function != NULL)
    where = "INDEXED BY violations_by_function WHERE function = ?1 ORDER BY id";
  if (lf_store_refresh (s, err) != 0)
    return -1;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = prepare_violations (s, where, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, function);
  lf_bind_str (st, 2, request_id);
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_violation v;
      read_violation (st, &v);
      if (each (&v, user) != 0)
        break;
    }
  return finished (s, rc, err);
}

int
lf_store_violations_after (lf_store *s, int64_t *last_id, lf_violation_each each, void *user, lf_error *err)
{
  if (lf_store_refresh (s, err) != 0)
    return -1;
  sqlite3_stmt *newest LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, "SELECT max(id) FROM violations", err);
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep)
      = newest != NULL ? prepare_violations (s, "WHERE id > ?1 AND id <= ?2 ORDER BY id", err) : NULL;
  if (st == NULL)
    return -1;
  int rc = sqlite3_step (newest);
  if (rc != SQLITE_ROW)
    return lf_store_fail (s, rc, "read it", err);
  int64_t last = sqlite3_column_int64 (newest, 0);
  lf_bind_i64 (st, 1, *last_id);
  lf_bind_i64 (st, 2, last);
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_violation v;
      read_violation (st, &v);
      if (each (&v, user) != 0)
        break;
    }
  *last_id = last > *last_id ? last : *last_id;
  return finished (s, rc, err);
}

/* ---- checks -------------------------------------------------------------------------------------------------------------------- */

int
lf_store_checks (lf_store *s, lf_check_each each, void *user, lf_error *err)
{
  static const char sql[] = "SELECT c.request_id, c.function, c.event, c.problem, c.at_us, c.round, c.expected, c.fds, c.processes, c.loop_wall_ns, "
                            "c.loop_cpu_ns, c.loop_memory_ns, c.run, r.started_us FROM checks AS c LEFT JOIN runs AS r ON r.id = c.run ORDER BY c.at_us, c.rowid";
  if (lf_store_refresh (s, err) != 0)
    return -1;
  if (s->version < 6)
    return 0;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, sql, err);
  int rc;
  if (st == NULL)
    return -1;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_check_row r = { .request_id = lf_column_str (st, 0), .function = lf_column_str (st, 1), .event = lf_column_str (st, 2), .problem = lf_column_str (st, 3) };
      int64_t *numbers[] = { &r.at_us, &r.round, &r.expected, &r.fds, &r.processes, &r.loop_wall_ns, &r.loop_cpu_ns, &r.loop_memory_ns, &r.run, &r.run_started_us };
      for (size_t i = 0; i < LF_ARRAY_LEN (numbers); i++)
        *numbers[i] = lf_column_i64 (st, 4 + (int) i);
      if (each (&r, user) != 0)
        break;
    }
  return finished (s, rc, err);
}

/* ---- accepted events ------------------------------------------------------------------------------------------------------------- */

int
lf_store_events (lf_store *s, lf_event_each each, void *user, lf_error *err)
{
  static const char sql[] = "SELECT request_id, function, accepted_us, attempts, due_us, payload FROM events ORDER BY accepted_us, request_id";
  if (lf_store_refresh (s, err) != 0)
    return -1;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, sql, err);
  if (st == NULL)
    return -1;
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      const void *payload = sqlite3_column_blob (st, 5);
      lf_stored_event ev = { .request_id = lf_column_str (st, 0), .function = lf_column_str (st, 1), .accepted_us = lf_column_i64 (st, 2),
                             .attempts = (int) lf_column_i64 (st, 3), .due_us = lf_column_i64 (st, 4), .payload = payload != NULL ? payload : "",
                             .payload_len = (size_t) sqlite3_column_bytes (st, 5) };
      if (each (&ev, user) != 0)
        break;
    }
  return finished (s, rc, err);
}

/* ---- functions ----------------------------------------------------------------------------------------------------------------- */

static int
read_text (char **member, const char *text)
{
  free (*member);
  *member = lf_strdup (text);
  return text != NULL && *member == NULL ? -1 : 0;
}

static int
read_list (lf_strv *list, const char *text)
{
  lf_error ignored = { 0 };
  cJSON *items LF_CLEANUP (lf_json_freep) = text != NULL ? lf_json_parse (text, strlen (text), "layers", &ignored) : NULL;
  const cJSON *item;
  cJSON_ArrayForEach (item, items)
    if (cJSON_IsString (item) && lf_strv_add (list, item->valuestring) != 0)
      return -1;
  return 0;
}

static int
read_function (sqlite3_stmt *st, lf_function *f)
{
  int bad = 0;
  lf_error ignored = { 0 };
  enum { AT_FIRST = -1,
#define LF_FN_TEXT(c, since, type, doc) AT_##c,
#define LF_FN_INT LF_FN_TEXT
#define LF_FN_WORD LF_FN_TEXT
#define LF_FN_LIST LF_FN_TEXT
#include "function.def"
  };
  bad |= read_text (&f->name, lf_column_str (st, AT_name));
  bad |= read_text (&f->version, lf_column_str (st, AT_version));
  bad |= read_text (&f->runtime, lf_column_str (st, AT_runtime));
  bad |= read_text (&f->handler, lf_column_str (st, AT_handler));
  bad |= read_text (&f->region, lf_column_str (st, AT_region));
  bad |= read_text (&f->account, lf_column_str (st, AT_account));
  bad |= read_text (&f->interpreter, lf_column_str (st, AT_interpreter));
  bad |= read_list (&f->layers, lf_column_str (st, AT_layers));
#define LF_FN_TEXT(c, since, type, doc)
#define LF_FN_INT(c, since, type, doc) f->c = lf_column_i64 (st, AT_##c);
#define LF_FN_WORD(c, since, type, doc)
#define LF_FN_LIST(c, since, type, doc)
#include "function.def"
  copy_text (f->code_sha256, sizeof f->code_sha256, lf_column_str (st, AT_code_sha256));
  lf_arch_parse (lf_column_str (st, AT_arch), &f->arch);
  f->network = lf_streq (lf_column_str (st, AT_network), "none") ? LF_NET_NONE : LF_NET_HOST;
  f->log_format = lf_streq (lf_column_str (st, AT_log_format), "JSON") ? LF_LOG_JSON : LF_LOG_TEXT;
  if (f->runtime != NULL)
    lf_runtime_parse (f->runtime, &f->rt, &ignored);
  return bad;
}

int
lf_store_function_get (lf_store *s, const char *name, lf_function *out, lf_error *err)
{
  static const struct { const char *name; int since; } columns[] = {
#define LF_FN_TEXT(c, since, type, doc) { #c, since },
#define LF_FN_INT LF_FN_TEXT
#define LF_FN_WORD LF_FN_TEXT
#define LF_FN_LIST LF_FN_TEXT
#include "function.def"
  };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_function_init (out);
  if (lf_store_refresh (s, err) != 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (columns); i++)
    lf_buf_addf (&b, "%s%s", i > 0 ? ", " : "SELECT ", columns[i].since <= s->version ? columns[i].name : "NULL");
  if (lf_buf_adds (&b, " FROM functions INDEXED BY functions_by_name WHERE name = ?1 ORDER BY id DESC LIMIT 1") != 0)
    return LF_FAIL_NOMEM (err);
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, b.data, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, name);
  int rc = sqlite3_step (st);
  if (rc == SQLITE_DONE)
    return 0;
  if (rc != SQLITE_ROW)
    return lf_store_fail (s, rc, "read it", err);
  if (read_function (st, out) == 0)
    return 1;
  lf_function_fini (out);
  lf_function_init (out);
  return LF_FAIL_NOMEM (err);
}

int
lf_store_functions (lf_store *s, lf_strv *names, lf_error *err)
{
  if (lf_store_refresh (s, err) != 0)
    return -1;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep)
      = lf_store_prepare (s, "SELECT name FROM functions UNION SELECT n FROM (" LF_FUNCTION_NAMES_SQL ") ORDER BY 1", err);
  if (st == NULL)
    return -1;
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    if (lf_strv_add (names, lf_column_str (st, 0)) != 0)
      return LF_FAIL_NOMEM (err);
  return finished (s, rc, err);
}

char *
lf_store_env_enforcement (lf_store *s, const char *environment)
{
  lf_error ignored = { 0 };
  if (environment == NULL || lf_store_refresh (s, &ignored) != 0)
    return NULL;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, "SELECT enforcement FROM environments WHERE id = ?1", &ignored);
  if (st == NULL)
    return NULL;
  lf_bind_str (st, 1, environment);
  return sqlite3_step (st) == SQLITE_ROW ? lf_strdup (lf_column_str (st, 0)) : NULL;
}
