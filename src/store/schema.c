/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema as data, and the steps from one version to the next.
 */
#include "inside.h"

#include <stdio.h>
#include <string.h>

typedef enum { PART_TABLE, PART_COLUMN, PART_INDEX, PART_TRIGGER } part_kind;

typedef struct part
{
  part_kind kind;
  const char *table, *name, *text, *doc;
  int since;
} part;

static const part parts[] = {
#define LF_TABLE(t, since, doc) { PART_TABLE, #t, #t, "", doc, since },
#define LF_COLUMN(t, c, since, type, doc) { PART_COLUMN, #t, #c, type, doc, since },
#define LF_INDEX(i, since, on, doc) { PART_INDEX, "", #i, on, doc, since },
#define LF_TRIGGER(t, since, on, doc) { PART_TRIGGER, "", #t, on, doc, since },
#include "schema.def"
};

size_t
lf_store_schema (const lf_store_part **out)
{
  static lf_store_part list[LF_ARRAY_LEN (parts)];
  size_t n = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    if (parts[i].kind == PART_COLUMN)
      list[n++] = (lf_store_part){ parts[i].table, parts[i].name, parts[i].text, parts[i].doc, parts[i].since };
  *out = list;
  return n;
}

static int
run_sql (sqlite3 *db, lf_buf *sql)
{
  int rc = sql->failed ? SQLITE_NOMEM : sqlite3_exec (db, sql->data, NULL, NULL, NULL);
  lf_buf_reset (sql);
  return rc;
}

static int
create_table (sqlite3 *db, const char *table, int version, lf_buf *sql)
{
  const char *comma = "";
  lf_buf_addf (sql, "CREATE TABLE %s (", table);
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    if (parts[i].kind == PART_COLUMN && parts[i].since <= version && strcmp (parts[i].table, table) == 0)
      {
        lf_buf_addf (sql, "%s%s %s", comma, parts[i].name, parts[i].text);
        comma = ", ";
      }
  lf_buf_adds (sql, ")");
  return run_sql (db, sql);
}

static int
since_of_table (const char *table)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    if (parts[i].kind == PART_TABLE && strcmp (parts[i].name, table) == 0)
      return parts[i].since;
  return 0;
}

/* Tables with the columns of their own first version, then what later versions added to them, then indexes. */
static int
step (sqlite3 *db, int version, lf_buf *sql)
{
  int rc = SQLITE_OK;
  for (size_t i = 0; i < LF_ARRAY_LEN (parts) && rc == SQLITE_OK; i++)
    if (parts[i].kind == PART_TABLE && parts[i].since == version)
      rc = create_table (db, parts[i].name, version, sql);
  for (size_t i = 0; i < LF_ARRAY_LEN (parts) && rc == SQLITE_OK; i++)
    if (parts[i].kind == PART_COLUMN && parts[i].since == version && since_of_table (parts[i].table) < version)
      {
        lf_buf_addf (sql, "ALTER TABLE %s ADD COLUMN %s %s", parts[i].table, parts[i].name, parts[i].text);
        rc = run_sql (db, sql);
      }
  for (size_t i = 0; i < LF_ARRAY_LEN (parts) && rc == SQLITE_OK; i++)
    if (parts[i].kind == PART_INDEX && parts[i].since == version)
      {
        lf_buf_addf (sql, "CREATE INDEX %s ON %s", parts[i].name, parts[i].text);
        rc = run_sql (db, sql);
      }
  for (size_t i = 0; i < LF_ARRAY_LEN (parts) && rc == SQLITE_OK; i++)
    if (parts[i].kind == PART_TRIGGER && parts[i].since == version)
      {
        lf_buf_addf (sql, "CREATE TRIGGER %s %s", parts[i].name, parts[i].text);
        rc = run_sql (db, sql);
      }
  return rc;
}

int
lf_schema_apply (sqlite3 *db, int from)
{
  lf_buf sql LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&sql, 0);
  int rc = SQLITE_OK;
  for (int version = from + 1; version <= LF_STORE_VERSION && rc == SQLITE_OK; version++)
    rc = step (db, version, &sql);
  if (rc != SQLITE_OK)
    return rc;
  lf_buf_addf (&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", LF_STORE_APPLICATION_ID, LF_STORE_VERSION);
  return run_sql (db, &sql);
}

static int
one_int (sqlite3 *db, const char *sql, int *out)
{
  sqlite3_stmt *st = NULL;
  int rc = sqlite3_prepare_v2 (db, sql, -1, &st, NULL);
  if (rc == SQLITE_OK && (rc = sqlite3_step (st)) == SQLITE_ROW)
    {
      *out = sqlite3_column_int (st, 0);
      rc = SQLITE_OK;
    }
  int end = sqlite3_finalize (st);
  return rc != SQLITE_OK ? rc : end;
}

static int
read_version (sqlite3 *db, int *out)
{
  int application = 0, tables = 0;
  int rc = one_int (db, "PRAGMA user_version", out);
  if (rc == SQLITE_OK)
    rc = one_int (db, "PRAGMA application_id", &application);
  if (rc == SQLITE_OK)
    rc = one_int (db, "SELECT count (*) FROM sqlite_master", &tables);
  if (rc != SQLITE_OK)
    return rc;
  if (tables == 0 && *out == 0)
    return SQLITE_OK;
  return application == LF_STORE_APPLICATION_ID && *out > 0 ? SQLITE_OK : SQLITE_MISMATCH;
}

/* 0 for a database without any table; SQLITE_MISMATCH for a database of some other program. Read as one: another process may be making
 * the same file just now. */
int
lf_schema_version (sqlite3 *db, int *out)
{
  *out = 0;
  if (sqlite3_get_autocommit (db) == 0)
    return read_version (db, out);
  int rc = sqlite3_exec (db, "BEGIN", NULL, NULL, NULL);
  if (rc != SQLITE_OK)
    return rc;
  rc = read_version (db, out);
  int end = sqlite3_exec (db, "COMMIT", NULL, NULL, NULL);
  if (end != SQLITE_OK)
    sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return rc != SQLITE_OK ? rc : end;
}
