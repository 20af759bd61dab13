/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs of many machines into one. Inputs of any schema that this program knows are read side by side, a row of each in memory, and written in the
 * order of time; what is in several of them is written once. The result appears under its name when it is whole.
 */
#include "inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 64
#define COMMIT_EVERY 5000
#define INPUTS_MAX 1000

/* How the rows of a table are put in order, and how the same one is known again. `same` is a condition on the new row's columns, ?1, ?2... in the
 * order of `by`; NULL: the table's own key does it. */
typedef struct merge_table { const char *name, *time, *own_id, *by, *same; } merge_table;

/* Events that are still to be done stay where their daemon is, and rollups are made anew. */
static const merge_table tables[] = {
  { "runs", "started_us", "id", "command host started_us", "SELECT id FROM runs WHERE command IS ?1 AND host IS ?2 AND started_us IS ?3" },
  { "functions", "created_us", "id", "name created_us code_sha256 memory_mb",
    "SELECT id FROM functions WHERE name = ?1 AND created_us IS ?2 AND code_sha256 IS ?3 AND memory_mb IS ?4" },
  { "environments", "started_us", NULL, NULL, NULL },
  { "invocations", "received_us", NULL, NULL, NULL },
  { "violations", "at_us", "id", "function at_us request_id limit_id severity rule",
    "SELECT id FROM violations WHERE function = ?1 AND at_us = ?2 AND request_id IS ?3 AND limit_id = ?4 AND severity = ?5 AND rule IS ?6" },
  { "checks", "at_us", NULL, NULL, NULL },
};

typedef struct run_ids { int64_t *old, *now; size_t n, cap; } run_ids;

typedef struct input
{
  lf_store *s;
  sqlite3_stmt *rows;    /* of the table that is merged just now */
  bool have;             /* a row is there */
  int64_t at;
  run_ids runs;
} input;

typedef struct merging
{
  lf_store *to;
  input *in;
  size_t n;
  const merge_table *table;
  const char *columns[COLUMNS_MAX];
  int since[COLUMNS_MAX];
  int columns_n, run_column; /* run_column: which one holds the number of a run, or -1 */
  int by[8], by_n;
  sqlite3_stmt *insert, *same;
  int64_t pending;
  lf_merge_counts *counts;
} merging;

/* ---- statements --------------------------------------------------------------------------------------------------------------------------- */

static int
column_at (const merging *m, const char *name, size_t n)
{
  for (int i = 0; i < m->columns_n; i++)
    if (strlen (m->columns[i]) == n && memcmp (m->columns[i], name, n) == 0)
      return i;
  return -1;
}

static void
list_columns (merging *m)
{
  const lf_store_part *parts;
  size_t n = lf_store_schema (&parts);
  m->columns_n = m->by_n = 0;
  m->run_column = -1;
  for (size_t i = 0; i < n; i++)
    if (strcmp (parts[i].table, m->table->name) == 0 && !lf_streq (parts[i].column, m->table->own_id) && m->columns_n < COLUMNS_MAX)
      {
        if (strcmp (parts[i].column, "run") == 0)
          m->run_column = m->columns_n;
        m->since[m->columns_n] = parts[i].since;
        m->columns[m->columns_n++] = parts[i].column;
      }
  for (const char *p = m->table->by; p && *p; p += strspn (p, " "))
    {
      size_t len = strcspn (p, " ");
      m->by[m->by_n++] = column_at (m, p, len);
      p += len;
    }
}

static sqlite3_stmt *
prepare_insert (merging *m, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addf (&b, "INSERT OR IGNORE INTO %s (", m->table->name);
  for (int i = 0; i < m->columns_n; i++)
    lf_buf_addf (&b, "%s%s", i ? ", " : "", m->columns[i]);
  lf_buf_adds (&b, ") VALUES (");
  for (int i = 0; i < m->columns_n; i++)
    lf_buf_addf (&b, "%s?%d", i ? ", " : "", i + 1);
  lf_buf_addc (&b, ')');
  return b.failed ? NULL : lf_store_prepare (m->to, b.data, err);
}

/* Columns that the input's schema does not have are NULL; a table that it does not have gives no statement. */
static int
open_rows (merging *m, input *in, int since, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  in->rows = NULL;
  in->have = false;
  if (in->s->version < since)
    return 0;
  lf_buf_addf (&b, "SELECT %s", m->table->time);
  for (int i = 0; i < m->columns_n; i++)
    lf_buf_addf (&b, ", %s", m->since[i] <= in->s->version ? m->columns[i] : "NULL");
  lf_buf_addf (&b, ", %s FROM %s ORDER BY %s", m->table->own_id ? m->table->own_id : "NULL", m->table->name, m->table->own_id ? m->table->own_id : "rowid");
  if (b.failed)
    return LF_FAIL_NOMEM (err);
  return (in->rows = lf_store_prepare (in->s, b.data, err)) ? 0 : -1;
}

static int
next_row (input *in, lf_error *err)
{
  int rc = in->rows ? sqlite3_step (in->rows) : SQLITE_DONE;
  in->have = rc == SQLITE_ROW;
  if (in->have)
    in->at = sqlite3_column_int64 (in->rows, 0);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : lf_store_fail (in->s, rc, "read it", err);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------------ */

static int64_t
run_of (const input *in, int64_t old)
{
  size_t low = 0, high = in->runs.n;
  while (low < high)
    {
      size_t at = (low + high) / 2;
      if (in->runs.old[at] < old)
        low = at + 1;
      else
        high = at;
    }
  return low < in->runs.n && in->runs.old[low] == old ? in->runs.now[low] : LF_NONE;
}

static int
remember_run (input *in, int64_t old, int64_t now, lf_error *err)
{
  run_ids *r = &in->runs;
  if (r->n == r->cap)
    {
      size_t cap = r->cap ? r->cap * 2 : 16;
      int64_t *a = realloc (r->old, cap * sizeof *a), *b = realloc (r->now, cap * sizeof *b);
      r->old = a ? a : r->old;
      r->now = b ? b : r->now;
      if (!a || !b)
        return LF_FAIL_NOMEM (err);
      r->cap = cap;
    }
  r->old[r->n] = old;
  r->now[r->n++] = now;
  return 0;
}

/* The number of the same row, if it was written already; LF_NONE: it was not. */
static int64_t
find_same (merging *m, input *in)
{
  if (!m->same)
    return LF_NONE;
  for (int i = 0; i < m->by_n; i++)
    sqlite3_bind_value (m->same, i + 1, sqlite3_column_value (in->rows, m->by[i] + 1));
  int64_t id = sqlite3_step (m->same) == SQLITE_ROW ? sqlite3_column_int64 (m->same, 0) : LF_NONE;
  sqlite3_reset (m->same);
  return id;
}

static int
commit (merging *m, bool more, lf_error *err)
{
  m->pending = 0;
  int rc = sqlite3_exec (m->to->db, more ? "COMMIT; BEGIN" : "COMMIT", NULL, NULL, NULL);
  return rc == SQLITE_OK ? 0 : lf_store_fail (m->to, rc, "write to it", err);
}

static int
copy_row (merging *m, input *in, lf_error *err)
{
  int64_t id = find_same (m, in), own = sqlite3_column_int64 (in->rows, m->columns_n + 1);
  bool is_runs = m->table == &tables[0], is_new = id == LF_NONE;
  if (is_new)
    {
      for (int i = 0; i < m->columns_n; i++)
        if (i == m->run_column)
          lf_bind_i64 (m->insert, i + 1, run_of (in, sqlite3_column_int64 (in->rows, i + 1)));
        else
          sqlite3_bind_value (m->insert, i + 1, sqlite3_column_value (in->rows, i + 1));
      sqlite3_step (m->insert);
      int rc = sqlite3_reset (m->insert);
      if (rc != SQLITE_OK)
        return lf_store_fail (m->to, rc, "write to it", err);
      is_new = sqlite3_changes (m->to->db) > 0;
      id = sqlite3_last_insert_rowid (m->to->db);
    }
  if (strcmp (m->table->name, "invocations") == 0)
    {
      m->counts->invocations += is_new;
      m->counts->duplicates += !is_new;
    }
  if (is_runs && remember_run (in, own, id, err) < 0)
    return -1;
  return ++m->pending >= COMMIT_EVERY ? commit (m, true, err) : 0;
}

/* The input whose next row is the oldest; NULL: all are at their end. */
static input *
oldest (const merging *m)
{
  input *best = NULL;
  for (size_t i = 0; i < m->n; i++)
    if (m->in[i].have && (!best || m->in[i].at < best->at))
      best = &m->in[i];
  return best;
}

static int
merge_rows (merging *m, lf_error *err)
{
  int since = 0;
  for (int i = 0; i < m->columns_n; i++)
    since = since == 0 || m->since[i] < since ? m->since[i] : since;
  m->insert = prepare_insert (m, err);
  m->same = m->insert && m->table->same ? lf_store_prepare (m->to, m->table->same, err) : NULL;
  if (!m->insert || (m->table->same && !m->same))
    return -1;
  for (size_t i = 0; i < m->n; i++)
    if (open_rows (m, &m->in[i], since, err) < 0 || next_row (&m->in[i], err) < 0)
      return -1;
  for (input *in; (in = oldest (m)) != NULL;)
    if (copy_row (m, in, err) < 0 || next_row (in, err) < 0)
      return -1;
  return 0;
}

static int
merge_table_of (merging *m, lf_error *err)
{
  list_columns (m);
  int rc = m->columns_n ? merge_rows (m, err) : 0;
  sqlite3_finalize (m->insert);
  sqlite3_finalize (m->same);
  m->insert = m->same = NULL;
  for (size_t i = 0; i < m->n; i++)
    {
      sqlite3_finalize (m->in[i].rows);
      m->in[i].rows = NULL;
    }
  return rc;
}

static int
merge_all (merging *m, lf_error *err)
{
  int rc = sqlite3_exec (m->to->db, "BEGIN", NULL, NULL, NULL);
  if (rc != SQLITE_OK)
    return lf_store_fail (m->to, rc, "write to it", err);
  for (size_t t = 0; t < LF_ARRAY_LEN (tables); t++)
    {
      m->table = &tables[t];
      if (merge_table_of (m, err) < 0)
        {
          sqlite3_exec (m->to->db, "ROLLBACK", NULL, NULL, NULL);
          return -1;
        }
    }
  return commit (m, false, err);
}

/* ---- files ----------------------------------------------------------------------------------------------------------------------------------- */

static int
open_inputs (merging *m, char *const *paths, lf_error *err)
{
  m->in = calloc (m->n, sizeof *m->in);
  if (!m->in)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < m->n; i++)
    if (!(m->in[i].s = lf_store_open_read (paths[i], err)))
      return -1;
    else
      sqlite3_exec (m->in[i].s->db, "BEGIN", NULL, NULL, NULL); /* one view of it, whatever is written meanwhile */
  return 0;
}

static void
remove_parts (const char *path)
{
  static const char *const parts[] = { "", "-wal", "-shm", "-journal" };
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      char *p LF_CLEANUP (lf_freep) = lf_asprintf ("%s%s", path, parts[i]);
      if (p)
        unlink (p);
    }
}

/* What is replaced must be a log; its WAL would be taken for the new file's. */
static int
check_output (const char *path, lf_error *err)
{
  struct stat st;
  char *wal LF_CLEANUP (lf_freep) = lf_asprintf ("%s-wal", path);
  if (!wal)
    return LF_FAIL_NOMEM (err);
  if (stat (path, &st) < 0)
    return 0;
  if (lf_is_no_file (path))
    return LF_FAIL (err, LF_EXIT_IO, path, "give the name of a file", "is there and is no file");
  lf_store *old = lf_store_open_read (path, err);
  if (!old)
    return -1;
  lf_store_close (old);
  if (stat (wal, &st) == 0 && st.st_size > 0)
    return LF_FAIL (err, LF_EXIT_IO, path, "write to another file, or end the program that uses it", "it is a log in use");
  return 0;
}

int
lf_store_merge (char *const *paths, size_t n, const char *out, lf_merge_counts *counts, lf_error *err)
{
  merging m = { .n = n, .counts = counts };
  char *tmp LF_CLEANUP (lf_freep) = lf_asprintf ("%s.%ld.part", out, (long) getpid ());
  *counts = (lf_merge_counts){ 0 };
  if (n == 0 || n > INPUTS_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "log merge", "", "from 1 to %d logs can be merged", INPUTS_MAX);
  int rc = tmp ? check_output (out, err) : LF_FAIL_NOMEM (err);
  if (rc == 0)
    rc = open_inputs (&m, paths, err);
  if (rc == 0 && !(m.to = lf_store_open (tmp, err)))
    rc = -1;
  if (rc == 0)
    rc = merge_all (&m, err);
  for (size_t i = 0; m.in && i < n; i++)
    {
      lf_store_close (m.in[i].s);
      free (m.in[i].runs.old);
      free (m.in[i].runs.now);
    }
  free (m.in);
  lf_store_close (m.to);
  if (rc == 0 && rename (tmp, out) < 0)
    rc = LF_FAIL (err, LF_EXIT_IO, out, "check that the folder exists and that you may write there", "cannot be written: %s", strerror (errno));
  if (tmp)
    remove_parts (tmp);
  return rc;
}
