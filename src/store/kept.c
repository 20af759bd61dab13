/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading many rows fast, and the rollups that stand for most of them.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

#include "lambdafit/rollup.h"

/* `rowid` first; the output, which may need pages of its own, is never read. */
#define LEAN "rowid, request_id, function, received_us, cold, status, error_type, error_message, wait_us, init_us, duration_us, billed_ms, memory_mb, " \
             "tmp_mb, arch, region, max_memory_bytes, peak_memory_bytes, tmp_used_bytes, request_bytes, response_bytes, "
#define REASON_SINCE 4 /* before it there is no cold_reason */

static void
read_lean (sqlite3_stmt *st, lf_record *r)
{
  int at = 1;
  lf_record_init (r);
  r->request_id = lf_column_str (st, at++);
  r->function = lf_column_str (st, at++);
  r->received_us = sqlite3_column_int64 (st, at++);
  r->cold = sqlite3_column_type (st, at) == SQLITE_NULL ? -1 : sqlite3_column_int (st, at) != 0;
  at++;
  if (lf_status_parse (lf_column_str (st, at++), &r->status) != 0)
    r->status = LF_ST_REJECTED;
  r->error_type = lf_column_str (st, at++);
  r->error_message = lf_column_str (st, at++);
  int64_t *numbers[] = { &r->wait_us, &r->init_us, &r->duration_us, &r->billed_ms, &r->memory_mb, &r->tmp_mb };
  for (size_t i = 0; i < LF_ARRAY_LEN (numbers); i++)
    *numbers[i] = lf_column_i64 (st, at++);
  lf_arch_parse (lf_column_str (st, at++), &r->arch);
  r->region = lf_column_str (st, at++);
  int64_t *measures[] = { &r->max_memory_bytes, &r->peak_memory_bytes, &r->tmp_used_bytes, &r->request_bytes, &r->response_bytes };
  for (size_t i = 0; i < LF_ARRAY_LEN (measures); i++)
    *measures[i] = lf_column_i64 (st, at++);
  r->cold_reason = lf_column_str (st, at);
}

static int
each_row (sqlite3_stmt *st, lf_log_each each, void *user)
{
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_record r;
      int64_t rowid = sqlite3_column_int64 (st, 0);
      read_lean (st, &r);
      if (each (&r, rowid, user) != 0)
        return SQLITE_DONE;
    }
  return rc;
}

int
lf_scan_rows (sqlite3 *db, int version, int64_t after, int64_t until, lf_log_each each, void *user)
{
#define SCAN(reason) "SELECT " LEAN reason " FROM invocations NOT INDEXED WHERE rowid > ?1 AND rowid <= ?2 ORDER BY rowid"
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = sqlite3_prepare_v2 (db, version < REASON_SINCE ? SCAN ("NULL") : SCAN ("cold_reason"), -1, &st, NULL);
  if (rc != SQLITE_OK)
    return rc;
  sqlite3_bind_int64 (st, 1, after);
  sqlite3_bind_int64 (st, 2, until == LF_NONE ? INT64_MAX : until);
  return each_row (st, each, user);
}

int
lf_store_scan (lf_store *s, int64_t after, int64_t until, lf_log_each each, void *user, lf_error *err)
{
  if (lf_store_refresh (s, err) != 0)
    return -1;
  int rc = lf_scan_rows (s->db, s->version, after, until, each, user);
  return rc == SQLITE_DONE ? 0 : lf_store_fail (s, rc, "read it", err);
}

int
lf_store_newest (lf_store *s, const char *function, int64_t n, lf_log_each each, void *user, lf_error *err)
{
  if (lf_store_refresh (s, err) != 0)
    return -1;
#define ALL(reason) "SELECT " LEAN reason " FROM invocations WHERE rowid IN (SELECT rowid FROM invocations ORDER BY rowid DESC LIMIT ?1) ORDER BY rowid"
#define ONE(reason) "SELECT " LEAN reason " FROM invocations WHERE rowid IN (SELECT rowid FROM invocations INDEXED BY invocations_by_function" \
                    " WHERE function = ?2 ORDER BY received_us DESC LIMIT ?1) ORDER BY rowid"
  bool old = s->version < REASON_SINCE;
  const char *sql = function == NULL ? (old ? ALL ("NULL") : ALL ("cold_reason")) : old ? ONE ("NULL") : ONE ("cold_reason");
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, sql, err);
  if (st == NULL)
    return -1;
  sqlite3_bind_int64 (st, 1, n);
  lf_bind_str (st, 2, function);
  int rc = each_row (st, each, user);
  return rc == SQLITE_DONE ? 0 : lf_store_fail (s, rc, "read it", err);
}

/* ---- rollups --------------------------------------------------------------------------------------------------------------------------- */

/* VACUUM may number rows anew; then the last row of the last rollup has another request id. */
static bool
belong_to_rows (lf_store *s)
{
  static const char sql[] = "SELECT last_id = (SELECT request_id FROM invocations WHERE rowid = last) FROM rollups WHERE data IS NOT NULL ORDER BY last DESC LIMIT 1";
  lf_error ignored = { 0 };
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, sql, &ignored);
  return st != NULL && sqlite3_step (st) == SQLITE_ROW && sqlite3_column_int (st, 0) == 1;
}

int
lf_store_kept (lf_store *s, lf_kept_each each, void *user, int64_t *covered, int64_t *mark, lf_error *err)
{
  *covered = *mark = 0;
  if (lf_store_refresh (s, err) != 0)
    return -1;
  if (s->version < 2 || !belong_to_rows (s))
    return 0;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, "SELECT first, last, mark, data FROM rollups ORDER BY last", err);
  if (st == NULL)
    return -1;
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      lf_kept k = { sqlite3_column_int64 (st, 0), sqlite3_column_int64 (st, 1), sqlite3_column_blob (st, 3), (size_t) sqlite3_column_bytes (st, 3) };
      if (k.data == NULL || k.first != *covered + 1 || each (&k, user) != 0)
        return 0;
      *covered = k.last;
      *mark = sqlite3_column_int64 (st, 2);
    }
  return rc == SQLITE_DONE ? 0 : lf_store_fail (s, rc, "read it", err);
}

int64_t
lf_store_kept_mark (lf_store *s, int64_t covered)
{
  lf_error ignored = { 0 };
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = s->version >= 2 && covered > 0 ? lf_store_prepare (s, "SELECT mark FROM rollups WHERE last = ?1", &ignored) : NULL;
  if (st == NULL)
    return 0;
  sqlite3_bind_int64 (st, 1, covered);
  return sqlite3_step (st) == SQLITE_ROW ? sqlite3_column_int64 (st, 0) : 0;
}

int
lf_store_changed (lf_store *s, lf_store_state *state, lf_error *err)
{
  lf_store_state now = { 0 };
  if (lf_store_refresh (s, err) != 0)
    return -1;
  now.device = (uint64_t) s->seen.st_dev;
  now.inode = (uint64_t) s->seen.st_ino;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, "SELECT data_version FROM pragma_data_version", err);
  int rc = st != NULL ? sqlite3_step (st) : SQLITE_ERROR;
  if (rc != SQLITE_ROW)
    return st != NULL ? lf_store_fail (s, rc, "read it", err) : -1;
  now.version = sqlite3_column_int64 (st, 0) + (s->opened << 32);
  bool first = state->inode == 0, other = !first && (state->inode != now.inode || state->device != now.device);
  if (!other && !first && state->version == now.version)
    return 0;
  sqlite3_stmt *newest LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (s, "SELECT max(rowid) FROM invocations", err);
  rc = newest != NULL ? sqlite3_step (newest) : SQLITE_ERROR;
  if (rc != SQLITE_ROW)
    return newest != NULL ? lf_store_fail (s, rc, "read it", err) : -1;
  now.newest = sqlite3_column_int64 (newest, 0);
  other |= now.newest < state->newest;
  *state = now;
  return other ? 2 : 1;
}

int64_t
lf_store_functions_mark (lf_store *s)
{
  lf_error ignored = { 0 };
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_refresh (s, &ignored) == 0 ? lf_store_prepare (s, "SELECT max(id) FROM functions", &ignored) : NULL;
  return st != NULL && sqlite3_step (st) == SQLITE_ROW ? sqlite3_column_int64 (st, 0) : 0;
}

char *
lf_store_function_enforcement (lf_store *s, const char *function)
{
  lf_error ignored = { 0 };
  if (function == NULL || lf_store_refresh (s, &ignored) != 0)
    return NULL;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = lf_store_prepare (
      s, "SELECT enforcement FROM environments INDEXED BY environments_by_function WHERE function = ?1 ORDER BY started_us DESC LIMIT 1", &ignored);
  if (st == NULL)
    return NULL;
  lf_bind_str (st, 1, function);
  return sqlite3_step (st) == SQLITE_ROW ? lf_strdup (lf_column_str (st, 0)) : NULL;
}
