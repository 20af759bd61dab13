/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: the oldest rows go while the daemon serves. It is done on the checkpointer's thread and connection, in transactions so short that
 * a caller whose row has to wait for one does not notice: each is measured, and the next takes more or fewer rows, so that TARGET_US is kept.
 * Between two of them the thread sleeps as long as the last one took.
 *
 * Rows go in the order in which they were written, which is that of their `rowid`. The newest UNSETTLED ones stay whatever the rule says: they may still
 * get their final figures, and the largest number must not be given twice. What belongs to a row (violations, what `check` knows of it) goes
 * with it, environments when all that they can have served is gone.
 *
 * Pages that become free go back to the file system in the same manner (SQLite's incremental vacuum). A file that was not made for that is
 * rebuilt once, before the daemon serves.
 */
#include "inside.h"

#include <time.h>

#define UNSETTLED 64
#define TARGET_US 3000        /* how long a transaction may take */
#define ROWS_MIN 16
#define ROWS_MAX 1024
#define ROUND_US 200000       /* then the thread looks whether a checkpoint is wanted */
#define FREE_PAGES 256        /* so many are left for the rows that come */
#define ENV_MARGIN_US (3600 * INT64_C (1000000)) /* longer than any invocation can wait and run */

typedef struct step { sqlite3 *db; int64_t rows; lf_time_us begun; } step;

static int64_t
one (sqlite3 *db, const char *sql, int64_t a, int64_t b)
{
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  if (sqlite3_prepare_v2 (db, sql, -1, &st, NULL) != SQLITE_OK)
    return LF_NONE;
  sqlite3_bind_int64 (st, 1, a);
  sqlite3_bind_int64 (st, 2, b);
  return sqlite3_step (st) == SQLITE_ROW ? lf_column_i64 (st, 0) : LF_NONE;
}

static int
run (sqlite3 *db, const char *sql, int64_t a, int64_t b)
{
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &st, NULL);
  if (rc != SQLITE_OK)
    return rc;
  sqlite3_bind_int64 (st, 1, a);
  sqlite3_bind_int64 (st, 2, b);
  rc = sqlite3_step (st);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* The last row that the rule lets go, or LF_NONE. An eighth more than the rule allows may gather first, so that most rounds find nothing to do. */
static int64_t
last_to_go (sqlite3 *db, const lf_keep *keep, int64_t first, int64_t newest, lf_time_us now)
{
  int64_t last = LF_NONE;
  if (keep->rows != LF_NONE && newest - first + 1 > keep->rows + keep->rows / 8)
    last = newest - keep->rows;
  if (keep->age_us != LF_NONE)
    {
      int64_t oldest = one (db, "SELECT received_us FROM invocations WHERE rowid = ?1", first, 0);
      if (oldest != LF_NONE && now - oldest > keep->age_us + keep->age_us / 8)
        {
          int64_t kept = one (db, "SELECT min(rowid) FROM (SELECT rowid FROM invocations NOT INDEXED WHERE received_us >= ?1 ORDER BY rowid LIMIT 1)", now - keep->age_us, 0);
          int64_t old = kept == LF_NONE ? newest : kept - 1;
          last = last == LF_NONE || old > last ? old : last;
        }
    }
  if (last != LF_NONE && last > newest - UNSETTLED)
    last = newest - UNSETTLED;
  return last != LF_NONE && last >= first ? last : LF_NONE;
}

/* Begins a transaction; its time counts from when it has the lock, since only then others wait. */
static int
begin (step *s)
{
  int rc = sqlite3_exec (s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  s->begun = lf_now_us ();
  return rc;
}

/* Ends it, chooses how much the next may do, and gives way. */
static int
end (step *s, int rc)
{
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (s->db, "COMMIT", NULL, NULL, NULL);
  if (rc != SQLITE_OK)
    sqlite3_exec (s->db, "ROLLBACK", NULL, NULL, NULL);
  int64_t took = lf_now_us () - s->begun;
  if (took > TARGET_US && s->rows > ROWS_MIN)
    s->rows /= 2;
  else if (took < TARGET_US / 3 && s->rows < ROWS_MAX)
    s->rows *= 2;
  int64_t rest = took < 250 ? 250 : took > 50000 ? 50000 : took;
  nanosleep (&(struct timespec){ .tv_sec = rest / 1000000, .tv_nsec = (rest % 1000000) * 1000 }, NULL);
  return rc;
}

static int
drop_rows (step *s, int64_t first, int64_t last)
{
  static const char *const sql[] = {
    "DELETE FROM violations WHERE request_id IN (SELECT request_id FROM invocations WHERE rowid BETWEEN ?1 AND ?2)",
    "DELETE FROM checks WHERE request_id IN (SELECT request_id FROM invocations WHERE rowid BETWEEN ?1 AND ?2)",
    "DELETE FROM invocations WHERE rowid BETWEEN ?1 AND ?2",
  };
  int rc = begin (s);
  for (size_t i = 0; rc == SQLITE_OK && i < LF_ARRAY_LEN (sql); i++)
    rc = run (s->db, sql[i], first, last);
  return end (s, rc);
}

/* Environments that ended before anything that is left can have begun. */
static int
drop_environments (step *s, int64_t first)
{
  int64_t from = one (s->db, "SELECT received_us FROM invocations WHERE rowid >= ?1 ORDER BY rowid LIMIT 1", first, 0);
  if (from == LF_NONE || one (s->db, "SELECT 1 FROM environments WHERE ended_us < ?1 LIMIT 1", from - ENV_MARGIN_US, 0) == LF_NONE)
    return SQLITE_OK;
  int rc = begin (s);
  if (rc == SQLITE_OK)
    rc = run (s->db, "DELETE FROM environments WHERE rowid IN (SELECT rowid FROM environments WHERE ended_us < ?1 LIMIT ?2)", from - ENV_MARGIN_US, s->rows);
  return end (s, rc);
}

/* SQLITE_DONE when there is nothing left to give back. */
static int
give_back (step *s)
{
  if (one (s->db, "PRAGMA auto_vacuum", 0, 0) != 2 || one (s->db, "PRAGMA freelist_count", 0, 0) <= FREE_PAGES)
    return SQLITE_DONE;
  char sql[64];
  sqlite3_snprintf (sizeof sql, sql, "PRAGMA incremental_vacuum(%lld)", (long long) s->rows);
  int rc = begin (s);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (s->db, sql, NULL, NULL, NULL);
  return end (s, rc);
}

int
lf_retain (sqlite3 *db, const lf_keep *keep, lf_retaining *at, const atomic_bool *stop)
{
  lf_time_us until = lf_now_us () + ROUND_US;
  step s = { .db = db, .rows = at->rows > 0 ? at->rows : ROWS_MIN };
  int rc = SQLITE_OK;
  if (at->last == 0)
    {
      int64_t first = one (db, "SELECT min(rowid) FROM invocations", 0, 0), newest = one (db, "SELECT max(rowid) FROM invocations", 0, 0);
      int64_t last = first == LF_NONE || newest == LF_NONE ? LF_NONE : last_to_go (db, keep, first, newest, lf_wall_us ());
      if (last == LF_NONE)
        return SQLITE_DONE;
      at->first = first;
      at->last = last;
    }
  while (rc == SQLITE_OK && at->first <= at->last && lf_now_us () < until && !atomic_load (stop))
    {
      int64_t last = at->last - at->first >= s.rows ? at->first + s.rows - 1 : at->last;
      if ((rc = drop_rows (&s, at->first, last)) == SQLITE_OK)
        at->first = last + 1;
    }
  if (rc == SQLITE_OK && at->first > at->last)
    rc = drop_environments (&s, at->first);
  while (rc == SQLITE_OK && at->first > at->last && lf_now_us () < until && !atomic_load (stop))
    rc = give_back (&s);
  at->rows = s.rows;
  if (rc == SQLITE_OK || rc == SQLITE_BUSY) /* busy: others write without a pause; the wait for them was one for us */
    return SQLITE_OK;
  at->last = 0; /* done, or something is in the way: looked at anew */
  return rc == SQLITE_DONE ? LF_RETAINED : rc;
}

/* For the only writer of a log, before it serves: afterwards pages can be given back a few at a time. */
int
lf_retain_prepare (sqlite3 *db)
{
  if (one (db, "PRAGMA auto_vacuum", 0, 0) == 2)
    return SQLITE_OK;
  int rc = sqlite3_exec (db, "PRAGMA auto_vacuum = INCREMENTAL", NULL, NULL, NULL);
  return rc == SQLITE_OK ? sqlite3_exec (db, "VACUUM", NULL, NULL, NULL) : rc;
}
