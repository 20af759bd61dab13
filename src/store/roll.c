/* SPDX-License-Identifier: Apache-2.0
 *
 * Making rollups, on the checkpointer's thread and connection: the thread that answers invocations has no part in it.
 *
 * A rollup is announced first (a row without data), then its rows are read without any lock, then the data is put in. A row that is changed
 * meanwhile deletes the announcement, by the log's trigger; then there is nothing to put the data into, and it is done again later.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include "lambdafit/rollup.h"

#define ROWS 8192
#define UNSETTLED 512 /* the newest rows, which may still change, are left alone */

typedef struct making { lf_rollup sums; int64_t first, last, mark; atomic_bool *stop; int bad; } making;

static int
add (const lf_record *r, int64_t rowid, void *user)
{
  making *m = user;
  (void) rowid;
  m->bad = lf_rollup_add (&m->sums, r);
  return m->bad != 0 || (m->stop != NULL && atomic_load_explicit (m->stop, memory_order_relaxed));
}

static int
exec (sqlite3 *db, const char *sql)
{
  return sqlite3_exec (db, sql, NULL, NULL, NULL);
}

/* The next ROWS rows, if there are that many settled ones. SQLITE_ROW, SQLITE_DONE, or an error. */
static int
find_next (sqlite3 *db, making *m)
{
  static const char sql[] = "SELECT c, (SELECT max(rowid) FROM invocations), (SELECT max(r) FROM (SELECT rowid AS r FROM invocations NOT INDEXED WHERE rowid > c ORDER BY rowid LIMIT ?1)) AS l,"
                            " (SELECT count(*) FROM (SELECT 1 FROM invocations NOT INDEXED WHERE rowid > c ORDER BY rowid LIMIT ?1))"
                            " FROM (SELECT coalesce((SELECT max(last) FROM rollups WHERE data IS NOT NULL), 0) AS c)";
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &st, NULL);
  if (rc != SQLITE_OK)
    return rc;
  sqlite3_bind_int64 (st, 1, ROWS);
  rc = sqlite3_step (st);
  if (rc != SQLITE_ROW)
    return rc;
  m->first = sqlite3_column_int64 (st, 0) + 1;
  m->last = sqlite3_column_int64 (st, 2);
  bool enough = sqlite3_column_int64 (st, 3) == ROWS && m->last <= sqlite3_column_int64 (st, 1) - UNSETTLED;
  return enough ? SQLITE_ROW : SQLITE_DONE;
}

/* Rollups of rows that VACUUM has given other numbers go. Nothing is written when there are none. */
static int
tidy (sqlite3 *db)
{
  return exec (db, "DELETE FROM rollups WHERE (SELECT last_id IS NOT (SELECT request_id FROM invocations WHERE rowid = last)"
                   " FROM rollups WHERE data IS NOT NULL ORDER BY last DESC LIMIT 1)");
}

/* What another program has announced and not finished goes: it may be dead. If it lives, it finds nothing to put its data into. */
static int
announce (sqlite3 *db, making *m)
{
  static const char sql[] = "INSERT INTO rollups (last, first, last_id, mark) SELECT ?1, ?2, request_id, ?3 FROM invocations WHERE rowid = ?1"
                            " AND ?2 = 1 + coalesce((SELECT max(last) FROM rollups), 0)";
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = exec (db, "BEGIN IMMEDIATE");
  if (rc != SQLITE_OK)
    return rc;
  sqlite3_randomness (sizeof m->mark, &m->mark);
  rc = exec (db, "DELETE FROM rollups WHERE data IS NULL");
  if (rc == SQLITE_OK)
    rc = sqlite3_prepare_v2 (db, sql, -1, &st, NULL);
  if (rc == SQLITE_OK)
    {
      sqlite3_bind_int64 (st, 1, m->last);
      sqlite3_bind_int64 (st, 2, m->first);
      sqlite3_bind_int64 (st, 3, m->mark);
      rc = sqlite3_step (st);
    }
  int changed = sqlite3_changes (db);
  sqlite3_reset (st);
  int end = exec (db, "COMMIT");
  if (end != SQLITE_OK)
    exec (db, "ROLLBACK");
  return rc != SQLITE_DONE ? rc : end != SQLITE_OK ? end : changed == 1 ? SQLITE_OK : SQLITE_BUSY;
}

static int
put_in (sqlite3 *db, const making *m, const lf_buf *data)
{
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = sqlite3_prepare_v2 (db, "UPDATE rollups SET data = ?2 WHERE last = ?1 AND mark = ?3 AND data IS NULL", -1, &st, NULL);
  if (rc != SQLITE_OK)
    return rc;
  sqlite3_bind_int64 (st, 1, m->last);
  sqlite3_bind_blob64 (st, 2, data->data, data->len, SQLITE_STATIC);
  sqlite3_bind_int64 (st, 3, m->mark);
  rc = sqlite3_step (st);
  return rc != SQLITE_DONE ? rc : sqlite3_changes (db) == 1 ? SQLITE_OK : SQLITE_BUSY;
}

static int
make_one (sqlite3 *db, making *m)
{
  lf_buf data LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&data, 0);
  int rc = tidy (db);
  if (rc == SQLITE_OK)
    rc = find_next (db, m);
  if (rc != SQLITE_ROW)
    return rc;
  rc = announce (db, m);
  if (rc != SQLITE_OK)
    return rc;
  rc = lf_scan_rows (db, LF_STORE_VERSION, m->first - 1, m->last, add, m);
  if (rc != SQLITE_DONE || m->bad != 0 || (m->stop != NULL && atomic_load (m->stop)))
    return rc != SQLITE_DONE ? rc : SQLITE_ABORT;
  if (lf_rollup_settle (&m->sums) != 0 || lf_rollup_encode (&m->sums, &data) != 0)
    return SQLITE_NOMEM;
  return put_in (db, m, &data);
}

int
lf_roll (sqlite3 *db, atomic_bool *stop)
{
  making m = { .stop = stop };
  lf_rollup_init (&m.sums);
  int rc = make_one (db, &m);
  lf_rollup_fini (&m.sums);
  return rc;
}
