/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the log share: a folder of their own, rows to write, and plain SQL to look at the file from outside.
 */
#ifndef LF_TEST_STORE_HELP_H
#define LF_TEST_STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "lambdafit/store.h"

static char help_dir[256];

static int
help_setup (void **state)
{
  const char *tmp = getenv ("TMPDIR");
  (void) state;
  snprintf (help_dir, sizeof help_dir, "%.200s/lf-store-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
  if (mkdtemp (help_dir) == NULL)
    return -1;
  return chmod (help_dir, 0755);
}

static int
help_teardown (void **state)
{
  lf_error err = { 0 };
  (void) state;
  return lf_rm_rf (help_dir, &err);
}

/* A file in the test's folder; several results may be in use at once. */
static const char *
help_path (const char *name)
{
  static char paths[8][400];
  static unsigned next;
  char *out = paths[next++ % 8];
  snprintf (out, 400, "%s/%s", help_dir, name);
  return out;
}

static inline void
help_close (lf_store **s)
{
  lf_store_close (*s);
}
#define CLEAN_STORE LF_CLEANUP (help_close)

static inline lf_store *
help_open (const char *path)
{
  lf_error err = { 0 };
  lf_store *s = lf_store_open (path, &err);
  if (s == NULL)
    fail_msg ("%s: %s", err.what, err.why);
  return s;
}

static inline lf_store *
help_open_read (const char *path)
{
  lf_error err = { 0 };
  lf_store *s = lf_store_open_read (path, &err);
  if (s == NULL)
    fail_msg ("%s: %s", err.what, err.why);
  return s;
}

/* A plausible warm invocation; the id must outlive the record. */
static inline lf_record
help_record (const char *id, const char *function)
{
  lf_record r;
  lf_record_init (&r);
  r.request_id = id;
  r.function = function;
  r.received_us = INT64_C (1764000000000000);
  r.cold = 0;
  r.status = LF_ST_OK;
  r.duration_us = 1500;
  r.billed_ms = 2;
  r.memory_mb = 128;
  r.tmp_mb = 512;
  r.region = "us-east-1";
  return r;
}

static inline int
help_add (lf_store *s, const char *id, const char *function, lf_error *err)
{
  lf_record r = help_record (id, function);
  return lf_store_invocation (s, &r, err);
}

/* One number by plain SQL, through SQLite alone; -1 on any error. */
static inline int64_t
help_sql (const char *path, const char *sql)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *st = NULL;
  int64_t out = -1;
  if (sqlite3_open (path, &db) == SQLITE_OK)
    {
      sqlite3_busy_timeout (db, 5000);
      if (sqlite3_prepare_v2 (db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step (st) == SQLITE_ROW)
        out = sqlite3_column_int64 (st, 0);
    }
  sqlite3_finalize (st);
  sqlite3_close (db);
  return out;
}

static inline bool
help_sound (const char *path)
{
  return help_sql (path, "SELECT integrity_check = 'ok' FROM pragma_integrity_check LIMIT 1") == 1;
}

/* Runs `body` in a process of its own and gives what it returned. */
static inline int
help_child (int (*body) (void *), void *user)
{
  int status = 0;
  fflush (NULL);
  pid_t pid = fork ();
  if (pid == 0)
    _exit (body (user));
  if (pid < 0 || waitpid (pid, &status, 0) != pid || !WIFEXITED (status))
    return 255;
  return WEXITSTATUS (status);
}

#endif
