/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing. A transaction begins with the first row after a commit. When one statement fails for want of space or because of the disk,
 * SQLite may already have given up the whole transaction; then everything is refused until lf_store_commit has said so, so that a
 * later commit cannot succeed while earlier rows are missing.
 */
#include "config.h"

#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static const char *const sql_text[LF_SQL_COUNT] = {
  [LF_SQL_BEGIN] = "BEGIN IMMEDIATE",
  [LF_SQL_COMMIT] = "COMMIT",
  [LF_SQL_ROLLBACK] = "ROLLBACK",
  [LF_SQL_RUN_BEGIN] = "INSERT INTO runs (command, version, profile, region, host, started_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  [LF_SQL_RUN_END] = "UPDATE runs SET ended_us = ?2 WHERE id = ?1",
  [LF_SQL_ENV_BEGIN] = "INSERT INTO environments (id, function, started_us, network, enforcement, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
  [LF_SQL_ENV_END] = "UPDATE environments SET ended_us = ?2, end_reason = ?3 WHERE id = ?1",
  [LF_SQL_RUN_REFUSED] = "UPDATE runs SET refused = ?2 WHERE id = ?1",
  [LF_SQL_ENV_KILLED] = "UPDATE environments SET end_reason = 'killed' WHERE ended_us IS NULL AND end_reason IS NULL"
                        " AND run IN (SELECT id FROM runs WHERE command = 'serve' AND ended_us IS NULL AND id <> ?1)",
  [LF_SQL_VIOLATION] = "INSERT INTO violations (request_id, function, at_us, limit_id, severity, used, allowed, unit, enforced, rule, message, fix, observed)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
  [LF_SQL_CHECK] = "INSERT OR REPLACE INTO checks (request_id, function, event, at_us, round, expected, problem, fds, processes, loop_wall_ns,"
                   " loop_cpu_ns, loop_memory_ns, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, (SELECT run FROM invocations WHERE request_id = ?1))",
  [LF_SQL_EVENT] = "INSERT INTO events (request_id, function, accepted_us, attempts, due_us, payload) VALUES (?1, ?2, ?3, 0, ?3, ?4)",
  [LF_SQL_EVENT_UPDATE] = "UPDATE events SET attempts = ?2, due_us = ?3 WHERE request_id = ?1",
  [LF_SQL_EVENT_DONE] = "DELETE FROM events WHERE request_id = ?1",
};

/* The statements that follow from the tables of columns. */
static int
column_sql (lf_sql which, lf_buf *b)
{
  static const char *const record[] = {
#define LF_REC_TEXT(c, since, type, doc) #c,
#define LF_REC_INT LF_REC_TEXT
#define LF_REC_BOOL LF_REC_TEXT
#define LF_REC_WORD LF_REC_TEXT
#define LF_REC_TAIL LF_REC_TEXT
#define LF_REC_RUN LF_REC_TEXT
#include "record.def"
  };
  static const char *const function[] = {
#define LF_FN_TEXT(c, since, type, doc) #c,
#define LF_FN_INT LF_FN_TEXT
#define LF_FN_WORD LF_FN_TEXT
#define LF_FN_LIST LF_FN_TEXT
#include "function.def"
  };
  const char *comma = "";
  size_t n = which == LF_SQL_FUNCTION ? LF_ARRAY_LEN (function) : LF_ARRAY_LEN (record);
  const char *const *name = which == LF_SQL_FUNCTION ? function : record;
  if (which == LF_SQL_INVOCATION_UPDATE)
    {
      /* The request id, and what an index holds, never change after the first row: setting them would write the indexes again. */
      lf_buf_adds (b, "UPDATE invocations SET ");
      for (size_t i = 0; i < n; i++)
        if (strcmp (name[i], "request_id") != 0 && strcmp (name[i], "function") != 0 && strcmp (name[i], "received_us") != 0
            && strcmp (name[i], "run") != 0)
          {
            lf_buf_addf (b, "%s%s = ?%zu", comma, name[i], i + 1);
            comma = ", ";
          }
      lf_buf_adds (b, " WHERE request_id = ?1");
      return b->failed ? -1 : 0;
    }
  lf_buf_addf (b, "INSERT INTO %s (", which == LF_SQL_FUNCTION ? "functions" : "invocations");
  for (size_t i = 0; i < n; i++, comma = ", ")
    lf_buf_addf (b, "%s%s", comma, name[i]);
  if (which == LF_SQL_FUNCTION)
    lf_buf_adds (b, ", created_us) SELECT ");
  else
    lf_buf_adds (b, ") VALUES (");
  for (size_t i = 0; i < n; i++)
    lf_buf_addf (b, "%s?%zu", i > 0 ? ", " : "", i + 1);
  if (which != LF_SQL_FUNCTION)
    return lf_buf_adds (b, ")");
  lf_buf_addf (b, ", ?%zu WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM functions WHERE name = ?1 ORDER BY id DESC LIMIT 1) WHERE 1", n + 1);
  for (size_t i = 0; i < n; i++)
    lf_buf_addf (b, " AND %s IS ?%zu", name[i], i + 1);
  return lf_buf_adds (b, ")");
}

/* The prepared statement, made at its first use. */
static sqlite3_stmt *
statement (lf_store *s, lf_sql which, int *rc)
{
  *rc = SQLITE_OK;
  if (s->st[which] != NULL)
    return s->st[which];
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int built = sql_text[which] != NULL ? lf_buf_adds (&b, sql_text[which]) : column_sql (which, &b);
  if (built != 0)
    *rc = SQLITE_NOMEM;
  else
    *rc = sqlite3_prepare_v3 (s->db, b.data, -1, SQLITE_PREPARE_PERSISTENT, &s->st[which], NULL);
  return s->st[which];
}

static void
give_up (lf_store *s)
{
  int rc;
  if (sqlite3_get_autocommit (s->db) == 0)
    {
      sqlite3_stmt *st = statement (s, LF_SQL_ROLLBACK, &rc);
      if (st != NULL)
        {
          sqlite3_step (st);
          sqlite3_reset (st);
        }
    }
}

/* The transaction is lost; *err says why, and so will everything until the next commit. */
static int
lose (lf_store *s, int rc, const char *doing, lf_error *err)
{
  lf_store_fail (s, rc, doing, err);
  give_up (s);
  s->why = *err;
  s->failed = s->dirty = true;
  return -1;
}

static int
begin (lf_store *s, lf_error *err)
{
  int rc;
  if (!s->writer)
    return LF_FAIL (err, LF_EXIT_IO, s->path, "", "it was opened to be read only");
  if (s->failed)
    {
      *err = s->why;
      return -1;
    }
  if (s->dirty)
    return 0;
  sqlite3_stmt *st = statement (s, LF_SQL_BEGIN, &rc);
  if (st == NULL)
    return lose (s, rc, "write to it", err);
  sqlite3_step (st);
  rc = sqlite3_reset (st);
  if (rc != SQLITE_OK)
    return lose (s, rc, "write to it", err);
  s->dirty = true;
  return 0;
}

/* Begins if need be and gives the statement to bind. */
static sqlite3_stmt *
writing (lf_store *s, lf_sql which, lf_error *err)
{
  int rc;
  if (begin (s, err) != 0)
    return NULL;
  sqlite3_stmt *st = statement (s, which, &rc);
  if (st == NULL)
    lose (s, rc, "write to it", err);
  return st;
}

static int
run_statement (lf_store *s, sqlite3_stmt *st, const char *what, lf_error *err)
{
  sqlite3_step (st);
  int rc = sqlite3_reset (st);
  if (rc == SQLITE_OK)
    return 0;
  /* A row that the schema refuses undoes its own statement and nothing else. */
  if ((rc & 0xff) == SQLITE_CONSTRAINT)
    return LF_FAIL (err, LF_EXIT_IO, s->path, "", "%s is refused: %s", what, sqlite3_errmsg (s->db));
  return lose (s, rc, "write to it", err);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

int64_t
lf_store_run_begin (lf_store *s, const char *command, const char *profile, const char *region, const char *host, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_RUN_BEGIN, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, command);
  lf_bind_str (st, 2, PACKAGE_VERSION);
  lf_bind_str (st, 3, profile);
  lf_bind_str (st, 4, region);
  lf_bind_str (st, 5, host);
  lf_bind_i64 (st, 6, lf_wall_us ());
  if (run_statement (s, st, "the run", err) != 0)
    return -1;
  s->run = sqlite3_last_insert_rowid (s->db);
  return s->run;
}

int
lf_store_run_end (lf_store *s, int64_t run, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_RUN_END, err);
  if (st == NULL)
    return -1;
  lf_bind_i64 (st, 1, run);
  lf_bind_i64 (st, 2, lf_wall_us ());
  return run_statement (s, st, "the end of the run", err);
}

static char *
list_json (const lf_strv *list)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addc (&b, '[');
  for (size_t i = 0; i < list->n; i++)
    {
      if (i > 0)
        lf_buf_addc (&b, ',');
      lf_buf_add_json_str (&b, list->v[i], strlen (list->v[i]));
    }
  lf_buf_addc (&b, ']');
  return lf_buf_take (&b);
}

/* A fixed array that was never filled is absent, as a NULL pointer is. */
static const char *
present (const char *text)
{
  return text != NULL && *text != '\0' ? text : NULL;
}

int
lf_store_function (lf_store *s, const lf_function *f, int64_t at_us, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_FUNCTION, err);
  if (st == NULL)
    return -1;
  char *list LF_CLEANUP (lf_freep) = list_json (&f->layers);
  if (list == NULL)
    return LF_FAIL_NOMEM (err);
  int at = 1;
#define LF_FN_TEXT(c, since, type, doc) lf_bind_str (st, at++, present (f->c));
#define LF_FN_INT(c, since, type, doc) lf_bind_i64 (st, at++, f->c);
#define LF_FN_WORD(c, since, type, doc) lf_bind_str (st, at++, lf_##c##_name (f->c));
#define LF_FN_LIST(c, since, type, doc) lf_bind_str (st, at++, list);
#include "function.def"
  lf_bind_i64 (st, at, at_us);
  int result = run_statement (s, st, "the function", err);
  sqlite3_clear_bindings (st);
  return result;
}

int
lf_store_env_begin (lf_store *s, const char *id, const char *function, int64_t at_us, const char *network, const char *enforcement_json, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_ENV_BEGIN, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, id);
  lf_bind_str (st, 2, function);
  lf_bind_i64 (st, 3, at_us);
  lf_bind_str (st, 4, network);
  lf_bind_str (st, 5, enforcement_json);
  lf_bind_i64 (st, 6, s->run);
  return run_statement (s, st, "the environment", err);
}

int
lf_store_run_refused (lf_store *s, int64_t n, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_RUN_REFUSED, err);
  if (st == NULL)
    return -1;
  lf_bind_i64 (st, 1, s->run);
  lf_bind_i64 (st, 2, n);
  return run_statement (s, st, "the number of refused requests", err);
}

int
lf_store_envs_killed (lf_store *s, int64_t *n, lf_error *err)
{
  *n = 0;
  sqlite3_stmt *st = writing (s, LF_SQL_ENV_KILLED, err);
  if (st == NULL)
    return -1;
  lf_bind_i64 (st, 1, s->run);
  if (run_statement (s, st, "the environments of a daemon that was killed", err) != 0)
    return -1;
  *n = sqlite3_changes (s->db);
  return lf_store_commit (s, err);
}

int
lf_store_env_end (lf_store *s, const char *id, int64_t at_us, const char *reason, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_ENV_END, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, id);
  lf_bind_i64 (st, 2, at_us);
  lf_bind_str (st, 3, reason);
  return run_statement (s, st, "the end of the environment", err);
}

static void
bind_record (const lf_store *s, sqlite3_stmt *st, const lf_record *r)
{
  int at = 1;
#define LF_REC_TEXT(c, since, type, doc) lf_bind_str (st, at++, r->c);
#define LF_REC_INT(c, since, type, doc) lf_bind_i64 (st, at++, r->c);
#define LF_REC_BOOL(c, since, type, doc) lf_bind_i64 (st, at++, r->c < 0 ? LF_NONE : r->c != 0);
#define LF_REC_WORD(c, since, type, doc) lf_bind_str (st, at++, lf_##c##_name (r->c));
#define LF_REC_TAIL(c, since, type, doc) lf_bind_text (st, at++, r->c, r->c##_len);
#define LF_REC_RUN(c, since, type, doc) lf_bind_i64 (st, at++, s->run);
#include "record.def"
}

int
lf_store_invocation (lf_store *s, const lf_record *r, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_INVOCATION, err);
  if (st == NULL)
    return -1;
  bind_record (s, st, r);
  return run_statement (s, st, "the invocation", err);
}

int
lf_store_invocation_update (lf_store *s, const lf_record *r, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_INVOCATION_UPDATE, err);
  if (st == NULL)
    return -1;
  bind_record (s, st, r);
  if (run_statement (s, st, "the invocation", err) != 0)
    return -1;
  if (sqlite3_changes (s->db) == 0)
    return LF_FAIL (err, LF_EXIT_IO, s->path, "", "there is no invocation %s to update", r->request_id != NULL ? r->request_id : "");
  return 0;
}

int
lf_store_violation (lf_store *s, const lf_violation *v, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_VIOLATION, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, v->request_id);
  lf_bind_str (st, 2, v->function);
  lf_bind_i64 (st, 3, v->at_us);
  lf_bind_str (st, 4, v->limit_id);
  lf_bind_str (st, 5, lf_severity_name (v->severity));
  lf_bind_i64 (st, 6, v->used);
  lf_bind_i64 (st, 7, v->allowed);
  lf_bind_str (st, 8, v->unit);
  lf_bind_str (st, 9, lf_enforced_name (v->enforced));
  lf_bind_str (st, 10, v->rule);
  lf_bind_str (st, 11, v->message);
  lf_bind_str (st, 12, v->fix);
  lf_bind_str (st, 13, v->observed[0] != '\0' ? v->observed : NULL);
  return run_statement (s, st, "the violation", err);
}

int
lf_store_check (lf_store *s, const lf_check_row *r, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_CHECK, err);
  if (st == NULL)
    return -1;
  const int64_t numbers[] = { r->fds, r->processes, r->loop_wall_ns, r->loop_cpu_ns, r->loop_memory_ns };
  lf_bind_str (st, 1, r->request_id);
  lf_bind_str (st, 2, r->function);
  lf_bind_str (st, 3, r->event);
  lf_bind_i64 (st, 4, r->at_us);
  lf_bind_i64 (st, 5, r->round);
  lf_bind_i64 (st, 6, r->expected);
  lf_bind_str (st, 7, r->problem);
  for (size_t i = 0; i < LF_ARRAY_LEN (numbers); i++)
    lf_bind_i64 (st, 8 + (int) i, numbers[i]);
  return run_statement (s, st, "the check", err);
}

/* ---- commit -------------------------------------------------------------------------------------------------------------------- */

bool
lf_store_dirty (const lf_store *s)
{
  return s->dirty;
}

#define LOOK_EVERY_US 10000

/* SQLite goes on writing to a file that was deleted or replaced; nobody would ever see those rows. Looking costs a call, so not at
 * every commit of a busy moment. */
static int
check_still_there (lf_store *s, lf_error *err)
{
  int moved = 0;
  lf_time_us now = lf_now_us ();
  if (now - s->looked < LOOK_EVERY_US)
    return 0;
  if (sqlite3_file_control (s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved == 0)
    {
      s->looked = now;
      return 0;
    }
  give_up (s);
  return LF_FAIL (err, LF_EXIT_IO, s->path, "put the file back, or start again: a new log is made then",
                  "the file was deleted or replaced while it was being written to");
}

int
lf_store_commit (lf_store *s, lf_error *err)
{
  int rc;
  if (!s->dirty)
    return 0;
  s->dirty = false;
  if (s->failed)
    {
      s->failed = false;
      *err = s->why;
      return -1;
    }
  if (check_still_there (s, err) != 0)
    return -1;
  sqlite3_stmt *st = statement (s, LF_SQL_COMMIT, &rc);
  if (st != NULL)
    {
      sqlite3_step (st);
      rc = sqlite3_reset (st);
    }
  if (rc == SQLITE_OK)
    return 0;
  lf_store_fail (s, rc, "write to it", err);
  give_up (s);
  return -1;
}

/* ---- accepted events ------------------------------------------------------------------------------------------------------------- */

int
lf_store_event (lf_store *s, const char *request_id, const char *function, int64_t accepted_us, const char *payload, size_t n, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_EVENT, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, request_id);
  lf_bind_str (st, 2, function);
  lf_bind_i64 (st, 3, accepted_us);
  sqlite3_bind_blob64 (st, 4, n > 0 ? payload : "", n, SQLITE_STATIC);
  return run_statement (s, st, "the event", err);
}

int
lf_store_event_update (lf_store *s, const char *request_id, int attempts, int64_t due_us, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_EVENT_UPDATE, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, request_id);
  lf_bind_i64 (st, 2, attempts);
  lf_bind_i64 (st, 3, due_us);
  return run_statement (s, st, "the event", err);
}

int
lf_store_event_done (lf_store *s, const char *request_id, lf_error *err)
{
  sqlite3_stmt *st = writing (s, LF_SQL_EVENT_DONE, err);
  if (st == NULL)
    return -1;
  lf_bind_str (st, 1, request_id);
  return run_statement (s, st, "the event", err);
}
