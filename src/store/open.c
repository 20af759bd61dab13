/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing a log, and what SQLite's errors mean for the person in front of it.
 */
#include "inside.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *
lf_store_path (const lf_store *s)
{
  return s->path;
}

char *
lf_store_default_path (void)
{
  const char *env = getenv ("LAMBDAFIT_DB");
  if (env != NULL && *env != '\0')
    return lf_strdup (env);
  char *dir LF_CLEANUP (lf_freep) = lf_state_dir ();
  return dir != NULL ? lf_asprintf ("%s/log.db", dir) : NULL;
}

void
lf_stmt_freep (sqlite3_stmt **st)
{
  sqlite3_finalize (*st);
  *st = NULL;
}

int
lf_store_busy (void *user, int count)
{
  const lf_store *s = user;
  /* 20 naps of 50 us, then 1 ms each. */
  if (count >= 20 + s->busy_ms)
    return 0;
  struct timespec nap = { 0, count < 20 ? 50000 : 1000000 };
  nanosleep (&nap, NULL);
  return 1;
}

/* ---- errors -------------------------------------------------------------------------------------------------------------------- */

static bool
no_space (int rc, int e)
{
  return (rc & 0xff) == SQLITE_FULL || e == ENOSPC || e == EDQUOT || e == EFBIG;
}

int
lf_store_fail_db (sqlite3 *db, const char *path, int rc, const char *doing, lf_error *err)
{
  int e = db != NULL ? sqlite3_system_errno (db) : 0;
  int full = db != NULL ? sqlite3_extended_errcode (db) : rc;
  const char *text = db != NULL ? sqlite3_errmsg (db) : sqlite3_errstr (rc);
  if ((full & 0xff) != (rc & 0xff))
    full = rc;
  if (((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_FULL) && lf_wal_write_errno () != 0)
    e = lf_wal_write_errno ();
  bool io = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_CANTOPEN;
  if (io && no_space (rc, e))
    LF_FAIL (err, LF_EXIT_IO, path, "free some space there, or use another place with --db FILE", "cannot %s: the disk is full (or the file may not grow)", doing);
  else
    switch (rc & 0xff)
      {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        LF_FAIL (err, LF_EXIT_IO, path, "end the program that holds it (fuser FILE names it), or use another log with --db FILE",
                 "cannot %s: another program has locked it and does not let go", doing);
        break;
      case SQLITE_READONLY:
      case SQLITE_PERM:
        LF_FAIL (err, LF_EXIT_IO, path, "make the file and its folder writable, or use another place with --db FILE",
                 "cannot %s: it is read-only", doing);
        break;
      case SQLITE_NOTADB:
        LF_FAIL (err, LF_EXIT_IO, path, "give the right file with --db FILE, or move this one away", "it is not a lambdafit log, nor any SQLite database");
        break;
      case SQLITE_MISMATCH:
        LF_FAIL (err, LF_EXIT_IO, path, "give the right file with --db FILE", "it is a database of another program, not a lambdafit log");
        break;
      case SQLITE_CORRUPT:
        LF_FAIL (err, LF_EXIT_IO, path, "save what is left with: sqlite3 FILE .recover | sqlite3 NEW; then move the damaged file away",
                 "cannot %s: the file is damaged (%s)", doing, sqlite3_errstr (SQLITE_CORRUPT)); /* its last message may be of what came after */
        break;
      case SQLITE_CANTOPEN:
        LF_FAIL (err, LF_EXIT_IO, path, "check that the folder exists and that you may write there, or use another place with --db FILE",
                 "cannot %s: %s", doing, e != 0 ? strerror (e) : text);
        break;
      case SQLITE_NOMEM: LF_FAIL_NOMEM (err); break;
      default:
        LF_FAIL (err, LF_EXIT_IO, path, "check the disk, or use another place with --db FILE", "cannot %s: %s%s%s (SQLite %d)", doing, text, e != 0 && io ? ", " : "", e != 0 && io ? strerror (e) : "", full);
      }
  err->sys_errno = io ? e : (rc & 0xff) == SQLITE_BUSY ? EBUSY : 0;
  return -1;
}

int
lf_store_fail (lf_store *s, int rc, const char *doing, lf_error *err)
{
  return lf_store_fail_db (s->db, s->path, rc, doing, err);
}

static int
newer (const lf_store *s, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_IO, s->path, "upgrade lambdafit, or use another log with --db FILE",
                  "it was written by a newer lambdafit (its schema is version %d, this program knows up to %d)", s->version, LF_STORE_VERSION);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------- */

static lf_store *
new_store (const char *path, lf_error *err)
{
  lf_store *s = calloc (1, sizeof *s);
  char *copy = path != NULL && *path != '\0' ? lf_strdup (path) : lf_store_default_path ();
  if (s == NULL || copy == NULL)
    {
      free (s);
      free (copy);
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  s->path = copy;
  s->run = LF_NONE;
  s->busy_ms = LF_STORE_BUSY_MS;
  return s;
}

void
lf_store_busy_timeout (lf_store *s, int ms)
{
  s->busy_ms = ms;
}

static int
exec_or_fail (lf_store *s, const char *sql, const char *doing, lf_error *err)
{
  int rc = sqlite3_exec (s->db, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? 0 : lf_store_fail (s, rc, doing, err);
}

static int
set_wal (lf_store *s, lf_error *err)
{
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  int rc = sqlite3_prepare_v2 (s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
  if (rc == SQLITE_OK)
    rc = sqlite3_step (st);
  if (rc != SQLITE_ROW)
    return lf_store_fail (s, rc, "open it", err);
  const char *mode = lf_column_str (st, 0);
  if (!lf_streq (mode, "wal"))
    return LF_FAIL (err, LF_EXIT_IO, s->path, "put the log on a local disk with --db FILE",
                    "its file system cannot share memory between programs, which SQLite's write-ahead log needs");
  return 0;
}

/* Two programs may open a new file at the same moment: the version is read again under the lock. */
static int
migrate (lf_store *s, lf_error *err)
{
  if (exec_or_fail (s, "BEGIN IMMEDIATE", "update its schema", err) != 0)
    return -1;
  int rc = lf_schema_version (s->db, &s->version);
  if (rc == SQLITE_OK && s->version < LF_STORE_VERSION)
    rc = lf_schema_apply (s->db, s->version);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec (s->db, "COMMIT", NULL, NULL, NULL);
  if (rc == SQLITE_OK)
    {
      s->version = s->version > LF_STORE_VERSION ? s->version : LF_STORE_VERSION;
      return 0;
    }
  lf_store_fail (s, rc, "update its schema", err);
  sqlite3_exec (s->db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

static int
after_commit (void *user, sqlite3 *db, const char *name, int pages)
{
  lf_store *s = user;
  (void) db;
  (void) name;
  if (s->checkpointer != NULL)
    lf_checkpointer_note (s->checkpointer, pages);
  return SQLITE_OK;
}

static int
not_a_file (const lf_store *s, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_IO, s->path, "give a file with --db FILE", "it cannot be a log: it is a folder or a device");
}

static int
open_writer (lf_store *s, lf_error *err)
{
  struct stat there;
  s->writer = true;
  if (stat (s->path, &there) == 0 && !S_ISREG (there.st_mode))
    return not_a_file (s, err);
  int rc = sqlite3_open_v2 (s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                            lf_wal_vfs ());
  if (rc != SQLITE_OK)
    return lf_store_fail (s, rc, "open it", err);
  sqlite3_extended_result_codes (s->db, 1);
  sqlite3_busy_handler (s->db, lf_store_busy, s);
  rc = lf_schema_version (s->db, &s->version);
  if (rc != SQLITE_OK)
    return lf_store_fail (s, rc, "open it", err);
  if (s->version > LF_STORE_VERSION)
    return newer (s, err);
  if (sqlite3_db_readonly (s->db, "main") == 1)
    return lf_store_fail (s, SQLITE_READONLY, "write to it", err);
  /* A commit writes a few whole pages, whatever changed in them; small ones halve what goes to the disk. Only for a new file. */
  if (s->version == 0 && exec_or_fail (s, "PRAGMA page_size = 2048", "open it", err) != 0)
    return -1;
  if (set_wal (s, err) != 0
      || exec_or_fail (s, "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096; PRAGMA journal_size_limit = 80000000",
                       "open it", err)
             != 0)
    return -1;
  if (s->version < LF_STORE_VERSION && migrate (s, err) != 0)
    return -1;
  if (s->version > LF_STORE_VERSION)
    return newer (s, err);
  sqlite3_wal_autocheckpoint (s->db, 0);
  s->checkpointer = lf_checkpointer_start (s->path, err);
  if (s->checkpointer == NULL)
    return -1;
  sqlite3_wal_hook (s->db, after_commit, s);
  return 0;
}

int
lf_store_keep (lf_store *s, const lf_keep *keep, lf_error *err)
{
  int rc = lf_retain_prepare (s->db);
  if (rc != SQLITE_OK)
    return lf_store_fail (s, rc, "rebuild it, so that old rows can leave it (--keep)", err);
  lf_checkpointer_keep (s->checkpointer, keep);
  return 0;
}

/* Turning a new file to write-ahead logging takes a lock for which SQLite does not wait: when several programs open the same new file,
 * one does it and the others come again. */
lf_store *
lf_store_open (const char *path, lf_error *err)
{
  lf_time_us deadline = lf_now_us () + LF_STORE_BUSY_MS * 1000;
  for (;;)
    {
      lf_store *s = new_store (path, err);
      if (s == NULL || open_writer (s, err) == 0)
        return s;
      lf_store_close (s);
      if (err->sys_errno != EBUSY || lf_now_us () > deadline)
        return NULL;
      sqlite3_sleep (5);
      memset (err, 0, sizeof *err);
    }
}

void
lf_store_close (lf_store *s)
{
  if (s == NULL)
    return;
  if (s->db != NULL)
    sqlite3_wal_hook (s->db, NULL, NULL);
  lf_checkpointer_stop (s->checkpointer);
  for (int i = 0; i < LF_SQL_COUNT; i++)
    sqlite3_finalize (s->st[i]);
  sqlite3_close (s->db); /* rolls back what was not committed; the last one to close empties the WAL */
  free (s->path);
  free (s);
}

/* ---- opening to read ------------------------------------------------------------------------------------------------------------- */

static bool
has_wal (const lf_store *s)
{
  struct stat st;
  char *wal LF_CLEANUP (lf_freep) = lf_asprintf ("%s-wal", s->path);
  if (wal == NULL || stat (wal, &st) != 0)
    return false;
  if (st.st_size > 0)
    return true;
  /* Empty: a writer that has just opened the file, unless nobody can write here at all. */
  return access (s->path, W_OK) == 0;
}

/* A path as the path part of a "file:" URI. */
static char *
uri_of (const char *path, const char *query)
{
  char full[PATH_MAX];
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "file:");
  for (const char *p = realpath (path, full) != NULL ? full : path; *p != '\0'; p++)
    if (strchr ("?#%", *p) != NULL)
      lf_buf_addf (&b, "%%%02X", (unsigned) (unsigned char) *p);
    else
      lf_buf_addc (&b, *p);
  lf_buf_adds (&b, query);
  return lf_buf_take (&b);
}

static int
connect_reader (lf_store *s, lf_error *err)
{
  if (stat (s->path, &s->seen) != 0)
    return LF_FAIL (err, LF_EXIT_IO, s->path, "run a function first (lambdafit run, lambdafit serve), or give the log with --db FILE", "%s",
                    errno == ENOENT ? "there is no log here" : strerror (errno));
  if (!S_ISREG (s->seen.st_mode))
    return not_a_file (s, err);
  /* Without a WAL nobody has the log open. Then no locks are taken, so nothing is created beside it and a read-only folder will do. */
  s->immutable = !has_wal (s);
  char *uri LF_CLEANUP (lf_freep) = uri_of (s->path, s->immutable ? "?mode=ro&immutable=1" : "?mode=ro");
  if (uri == NULL)
    return LF_FAIL_NOMEM (err);
  int rc = sqlite3_open_v2 (uri, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE, NULL);
  if (rc == SQLITE_OK)
    {
      sqlite3_extended_result_codes (s->db, 1);
      sqlite3_busy_handler (s->db, lf_store_busy, s);
      rc = lf_schema_version (s->db, &s->version);
    }
  if (!s->immutable && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY))
    return LF_FAIL (err, LF_EXIT_IO, s->path, "copy the log together with the file that ends in -wal to a folder of yours, and open that",
                    "its newest rows are still in its -wal file, and reading that needs a folder that can be written to");
  if (rc != SQLITE_OK)
    return lf_store_fail (s, rc, "read it", err);
  if (s->version == 0)
    return LF_FAIL (err, LF_EXIT_IO, s->path, "run a function first, or give the log with --db FILE", "it is empty: there is no log in it");
  return s->version > LF_STORE_VERSION ? newer (s, err) : 0;
}

lf_store *
lf_store_open_read (const char *path, lf_error *err)
{
  lf_store *s = new_store (path, err);
  if (s != NULL && connect_reader (s, err) != 0)
    {
      lf_store_close (s);
      return NULL;
    }
  return s;
}

/* Whether what is open is still the file at the path, and, if it was opened without locks, still as it was. */
static bool
stale (const lf_store *s)
{
  struct stat now;
  if (s->db == NULL || stat (s->path, &now) != 0 || now.st_ino != s->seen.st_ino || now.st_dev != s->seen.st_dev)
    return true;
  if (!s->immutable)
    return false;
  return now.st_size != s->seen.st_size || now.st_mtim.tv_sec != s->seen.st_mtim.tv_sec || now.st_mtim.tv_nsec != s->seen.st_mtim.tv_nsec
         || has_wal (s);
}

int
lf_store_refresh (lf_store *s, lf_error *err)
{
  if (s->writer || !stale (s))
    return 0;
  sqlite3_close (s->db);
  s->db = NULL;
  s->opened++;
  if (connect_reader (s, err) == 0)
    return 0;
  sqlite3_close (s->db);
  s->db = NULL;
  return -1;
}

sqlite3_stmt *
lf_store_prepare (lf_store *s, const char *sql, lf_error *err)
{
  sqlite3_stmt *st = NULL;
  int rc = sqlite3_prepare_v2 (s->db, sql, -1, &st, NULL);
  if (rc == SQLITE_OK)
    return st;
  lf_store_fail (s, rc, "read it", err);
  return NULL;
}
