/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. Private to it.
 */
#ifndef LF_STORE_INSIDE_H
#define LF_STORE_INSIDE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "lambdafit/store.h"

#define LF_STORE_APPLICATION_ID 0x4c464954 /* "LFIT" */
#define LF_STORE_BUSY_MS 5000

typedef enum
{
  LF_SQL_BEGIN, LF_SQL_COMMIT, LF_SQL_ROLLBACK,
  LF_SQL_RUN_BEGIN, LF_SQL_RUN_END,
  LF_SQL_FUNCTION, LF_SQL_ENV_BEGIN, LF_SQL_ENV_END, LF_SQL_ENV_KILLED, LF_SQL_RUN_REFUSED,
  LF_SQL_INVOCATION, LF_SQL_INVOCATION_UPDATE, LF_SQL_VIOLATION,
  LF_SQL_CHECK, LF_SQL_EVENT, LF_SQL_EVENT_UPDATE, LF_SQL_EVENT_DONE,
  LF_SQL_COUNT
} lf_sql;

typedef struct lf_checkpointer lf_checkpointer;

struct lf_store
{
  sqlite3 *db;
  char *path;
  bool writer;
  int busy_ms;
  int version;            /* of the file's schema */
  /* writer */
  sqlite3_stmt *st[LF_SQL_COUNT];
  bool dirty;             /* a transaction is open */
  bool failed;            /* it was lost; everything until the next commit is refused with `why` */
  lf_error why;
  lf_time_us looked;      /* when the file was last seen to be in its place */
  int64_t run;            /* LF_NONE before lf_store_run_begin */
  lf_checkpointer *checkpointer;
  /* reader */
  bool immutable;         /* opened without locks, because nobody has the file open for writing */
  struct stat seen;       /* the file as it was then */
  int64_t opened;         /* how often it was opened again */
};

/* Says what SQLite's last error means for the file, and how to go on. Returns -1. */
int lf_store_fail (lf_store *s, int rc, const char *doing, lf_error *err);
int lf_store_fail_db (sqlite3 *db, const char *path, int rc, const char *doing, lf_error *err);
/* Makes sure that a reader sees the file as it is now; every reading function begins with it. */
int lf_store_refresh (lf_store *s, lf_error *err);
sqlite3_stmt *lf_store_prepare (lf_store *s, const char *sql, lf_error *err);
void lf_stmt_freep (sqlite3_stmt **st);

/* Waits for a lock: short naps first, because most waits here are for another process's commit. */
int lf_store_busy (void *user, int count);

/* Name of the VFS that writes a commit's frames at once, for sqlite3_open_v2. */
const char *lf_wal_vfs (void);
int lf_wal_write_errno (void); /* errno of this thread's last write to a WAL, 0 if it went well */

/* Brings a database from schema `from` (0: empty) to LF_STORE_VERSION, inside the caller's transaction. SQLITE_OK or an error code. */
int lf_schema_apply (sqlite3 *db, int from);
int lf_schema_version (sqlite3 *db, int *out); /* SQLITE_OK or an error code */

/* Every row after `after` up to `until`; SQLITE_DONE, also when `each` stops it, or an error. */
int lf_scan_rows (sqlite3 *db, int version, int64_t after, int64_t until, lf_log_each each, void *user);
/* Makes the next rollup: SQLITE_OK; SQLITE_DONE when there are not yet rows enough; an error, when something is in the way or *stop. */
int lf_roll (sqlite3 *db, atomic_bool *stop);

/* Takes away rows that are not to be kept, for a fraction of a second, and remembers in *at where it was. SQLITE_OK: there is more to do; SQLITE_DONE:
 * nothing was; LF_RETAINED: all is done, and a checkpoint makes the file smaller; else an error: something was in the way. */
typedef struct lf_retaining { int64_t first, last, rows; } lf_retaining;
#define LF_RETAINED SQLITE_ROW
int lf_retain (sqlite3 *db, const lf_keep *keep, lf_retaining *at, const atomic_bool *stop);
int lf_retain_prepare (sqlite3 *db);

lf_checkpointer *lf_checkpointer_start (const char *path, lf_error *err);
void lf_checkpointer_stop (lf_checkpointer *c);
void lf_checkpointer_keep (lf_checkpointer *c, const lf_keep *keep);
/* Called after each commit with the WAL's length in pages; never blocks. */
void lf_checkpointer_note (lf_checkpointer *c, int pages);

/* Binding with the project's "absent" values as NULL. */
void lf_bind_i64 (sqlite3_stmt *st, int at, int64_t v);
void lf_bind_str (sqlite3_stmt *st, int at, const char *v);
void lf_bind_text (sqlite3_stmt *st, int at, const char *v, size_t n); /* bytes that are not UTF-8 become U+FFFD */
int64_t lf_column_i64 (sqlite3_stmt *st, int at); /* LF_NONE for NULL */
const char *lf_column_str (sqlite3_stmt *st, int at);

const char *lf_source_name (lf_source s);
const char *lf_severity_name (lf_severity s);
const char *lf_network_name (lf_network n);
const char *lf_log_format_name (lf_log_format f);

/* Columns of `invocations` for a SELECT, prefixed by `alias.`; a column that the file's schema does not have yet is NULL. */
int lf_record_columns (lf_buf *b, const char *alias, int version);
void lf_record_read (sqlite3_stmt *st, int first, lf_record *r);

/* Distinct function names in `invocations` by jumping through the index: a seek for each name, however many rows. */
#define LF_FUNCTION_NAMES_SQL \
  "WITH RECURSIVE f (n) AS (SELECT min (function) FROM invocations UNION ALL " \
  "SELECT (SELECT min (function) FROM invocations WHERE function > n) FROM f WHERE n IS NOT NULL) SELECT n FROM f WHERE n IS NOT NULL"

#endif
