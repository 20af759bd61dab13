/* SPDX-License-Identifier: Apache-2.0
 *
 * The log when things go wrong: full disks, files that are read-only, locked, damaged, foreign, newer or deleted, several processes,
 * and kill -9.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define CHECK(c) \
  do \
    if (!(c)) \
      { \
        fprintf (stderr, "%s:%d: not so: %s (%s: %s)\n", __FILE__, __LINE__, #c, err.what, err.why); \
        return 1; \
      } \
  while (0)

static void
make_log (const char *path, int n)
{
  lf_error err = { 0 };
  lf_store *s CLEAN_STORE = help_open (path);
  for (int i = 0; i < n; i++)
    {
      char id[32];
      snprintf (id, sizeof id, "made-%d", i);
      assert_int_equal (help_add (s, id, "f", &err), 0);
    }
  assert_int_equal (lf_store_commit (s, &err), 0);
}

static void
write_text (const char *path, const char *text, size_t n)
{
  lf_error err = { 0 };
  assert_int_equal (lf_write_file_atomic (path, text, n, &err), 0);
}

/* Both ways of opening say no, with the file's name, a reason that has `word` in it, and the status for files. */
static void
refused (const char *path, const char *word)
{
  for (int reading = 0; reading < 2; reading++)
    {
      lf_error err = { 0 };
      lf_store *s = reading ? lf_store_open_read (path, &err) : lf_store_open (path, &err);
      if (s != NULL)
        {
          lf_store_close (s);
          fail_msg ("%s was opened", path);
        }
      assert_int_equal (err.exit, LF_EXIT_IO);
      assert_string_equal (err.what, path);
      if (err.fix[0] == '\0')
        fail_msg ("no fix for: %s", err.why);
      if (strstr (err.why, word) == NULL)
        fail_msg ("\"%s\" does not say \"%s\"", err.why, word);
    }
}

static void
foreign_files (void **state)
{
  (void) state;
  char junk[8192];
  for (size_t i = 0; i < sizeof junk; i++)
    junk[i] = (char) (i * 7 + 3);
  write_text (help_path ("junk.db"), junk, sizeof junk);
  refused (help_path ("junk.db"), "not a lambdafit log");
  write_text (help_path ("short.db"), "hello\n", 6);
  refused (help_path ("short.db"), "not a lambdafit log");
  assert_int_equal (help_sql (help_path ("other.db"), "CREATE TABLE songs (a)"), -1);
  refused (help_path ("other.db"), "another program");
  assert_int_equal (help_sql (help_path ("other2.db"), "PRAGMA user_version = 3"), -1);
  refused (help_path ("other2.db"), "another program");
  refused (help_dir, "folder");
}

static void
newer_schema (void **state)
{
  (void) state;
  const char *path = help_path ("newer.db");
  make_log (path, 1);
  help_sql (path, "PRAGMA user_version = 99");
  refused (path, "version 99");
  char known[20];
  snprintf (known, sizeof known, "up to %d", LF_STORE_VERSION);
  refused (path, known);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), 1);
}

static void
truncated (void **state)
{
  (void) state;
  lf_error err = { 0 };
  struct stat st;
  const char *path = help_path ("truncated.db");
  make_log (path, 500);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (truncate (path, st.st_size / 2 / 4096 * 4096), 0);
  refused (path, "damaged");
  /* Every other length: an error or a log, never a crash. */
  lf_buf whole LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&whole, 0);
  make_log (help_path ("whole.db"), 60);
  assert_int_equal (lf_read_file (help_path ("whole.db"), (size_t) 1 << 24, &whole, &err), 0);
  for (size_t n = 0; n < whole.len; n += 997)
    {
      write_text (help_path ("cut.db"), whole.data, n);
      lf_store *s = lf_store_open_read (help_path ("cut.db"), &err);
      lf_store_close (s);
      s = lf_store_open (help_path ("cut.db"), &err);
      lf_store_close (s);
      unlink (help_path ("cut.db"));
    }
}

static int
ignore_row (const lf_record *r, int64_t rowid, void *user)
{
  (void) r;
  (void) rowid;
  ++*(int *) user;
  return 0;
}

static const lf_log_filter everything = { .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };

static void
damaged_inside (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_buf whole LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&whole, 0);
  make_log (help_path ("sane.db"), 200);
  assert_int_equal (lf_read_file (help_path ("sane.db"), (size_t) 1 << 24, &whole, &err), 0);
  for (unsigned seed = 1; seed <= 150; seed++)
    {
      unsigned x = seed * 2654435761u;
      for (int k = 0; k < 20; k++)
        {
          x = x * 1664525u + 1013904223u;
          whole.data[100 + x % (whole.len - 100)] ^= (char) (x >> 24 | 1);
        }
      write_text (help_path ("damaged.db"), whole.data, whole.len);
      int n = 0;
      lf_store *s = lf_store_open_read (help_path ("damaged.db"), &err);
      if (s != NULL)
        {
          lf_strv names LF_CLEANUP (lf_strv_fini) = { 0 };
          lf_store_invocations (s, &everything, ignore_row, &n, NULL, &err);
          lf_store_functions (s, &names, &err);
        }
      lf_store_close (s);
    }
}

static void
no_log_and_no_folder (void **state)
{
  (void) state;
  lf_error err = { 0 };
  assert_null (lf_store_open_read (help_path ("absent.db"), &err));
  assert_non_null (strstr (err.why, "no log"));
  assert_int_not_equal (access (help_path ("absent.db"), F_OK), 0);
  err = (lf_error){ 0 };
  assert_null (lf_store_open (help_path ("no/such/folder/x.db"), &err));
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_non_null (strstr (err.fix, "--db"));
  write_text (help_path ("empty.db"), "", 0);
  err = (lf_error){ 0 };
  assert_null (lf_store_open_read (help_path ("empty.db"), &err));
  assert_non_null (strstr (err.why, "empty"));
  make_log (help_path ("empty.db"), 1);
  lf_store *s CLEAN_STORE = help_open_read (help_path ("empty.db"));
  lf_record r = help_record ("x", "f");
  err = (lf_error){ 0 };
  assert_int_equal (lf_store_invocation (s, &r, &err), -1);
  assert_non_null (strstr (err.why, "read only"));
  assert_int_equal (lf_store_commit (s, &err), 0);
}

static void
deleted_under_us (void **state)
{
  (void) state;
  lf_error err = { 0 };
  struct timespec nap = { 0, 20000000 };
  const char *path = help_path ("deleted.db");
  lf_store *s CLEAN_STORE = help_open (path);
  assert_int_equal (help_add (s, "one", "f", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (unlink (path), 0);
  nanosleep (&nap, NULL); /* longer than the interval in which it does not look again */
  assert_int_equal (help_add (s, "two", "f", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_non_null (strstr (err.why, "deleted"));
}

/* ---- locks and several processes -------------------------------------------------------------------------------------------------- */

static int
write_many (void *user)
{
  lf_error err = { 0 };
  const char *who = user;
  lf_store *s = lf_store_open (help_path ("shared.db"), &err);
  if (s == NULL)
    fprintf (stderr, "%s: %s: %s (%s:%d)\n", who, err.what, err.why, err.file, err.line);
  CHECK (s != NULL);
  for (int i = 0; i < 300; i++)
    {
      char id[32];
      snprintf (id, sizeof id, "%s-%d", who, i);
      int rc = help_add (s, id, "f", &err) == 0 ? lf_store_commit (s, &err) : -1;
      if (rc != 0)
        fprintf (stderr, "%s: %s: %s (%s:%d)\n", id, err.what, err.why, err.file, err.line);
      CHECK (rc == 0);
    }
  lf_store_close (s);
  return 0;
}

/* Four processes find no file, make it together and write to it, while this one follows by rowid. */
static int
in_order (const lf_record *r, int64_t rowid, void *user)
{
  int64_t *seen = user;
  (void) r;
  assert_true (rowid == *seen + 1);
  *seen = rowid;
  return 0;
}

static void
several_writers_one_reader (void **state)
{
  (void) state;
  static char who[][2] = { "a", "b", "c", "d" };
  pid_t pids[4];
  fflush (NULL);
  for (int i = 0; i < 4; i++)
    {
      pids[i] = fork ();
      if (pids[i] == 0)
        _exit (write_many (who[i]));
    }
  lf_error err = { 0 };
  int64_t seen = 0, deadline = lf_now_us () + 120 * 1000000;
  lf_store *reader = NULL;
  while (seen < 1200 && lf_now_us () < deadline)
    {
      lf_log_filter f = everything;
      f.after_rowid = seen;
      if (reader == NULL)
        reader = lf_store_open_read (help_path ("shared.db"), &err);
      if (reader != NULL)
        assert_int_equal (lf_store_invocations (reader, &f, in_order, &seen, NULL, &err), 0);
      sched_yield ();
    }
  lf_store_close (reader);
  for (int i = 0; i < 4; i++)
    {
      int status = 1;
      assert_int_equal (waitpid (pids[i], &status, 0), pids[i]);
      assert_int_equal (status, 0);
    }
  assert_int_equal (seen, 1200);
  assert_true (help_sound (help_path ("shared.db")));
}

/* A reader that opened a quiet file (and took no locks) sees what a writer does to it later. */
static void
reader_notices_a_writer (void **state)
{
  (void) state;
  lf_error err = { 0 };
  int n = 0;
  const char *path = help_path ("notice.db");
  make_log (path, 3);
  lf_store *reader CLEAN_STORE = help_open_read (path);
  assert_int_equal (lf_store_invocations (reader, &everything, ignore_row, &n, NULL, &err), 0);
  assert_int_equal (n, 3);
  assert_int_not_equal (access (help_path ("notice.db-shm"), F_OK), 0);
  lf_store *writer CLEAN_STORE = help_open (path);
  assert_int_equal (help_add (writer, "later", "f", &err), 0);
  assert_int_equal (lf_store_commit (writer, &err), 0);
  n = 0;
  assert_int_equal (lf_store_invocations (reader, &everything, ignore_row, &n, NULL, &err), 0);
  assert_int_equal (n, 4);
}

static int
hold_lock (void *user)
{
  lf_error err = { 0 };
  int *pipes = user;
  sqlite3 *db;
  char byte;
  CHECK (read (pipes[2], &byte, 1) == 1);
  CHECK (sqlite3_open (help_path ("locked.db"), &db) == SQLITE_OK);
  CHECK (sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
  CHECK (write (pipes[1], "x", 1) == 1);
  CHECK (read (pipes[2], &byte, 1) == 0);
  return 0;
}

static void
locked_by_another (void **state)
{
  (void) state;
  lf_error err = { 0 };
  int out[2], in[2];
  char byte;
  const char *path = help_path ("locked.db");
  assert_int_equal (pipe (out), 0);
  assert_int_equal (pipe (in), 0);
  fflush (NULL);
  pid_t pid = fork (); /* before a store has a thread, which might just hold a lock inside SQLite */
  if (pid == 0)
    {
      close (in[1]);
      _exit (hold_lock ((int[]){ out[0], out[1], in[0] }));
    }
  close (out[1]);
  close (in[0]);
  lf_store *s CLEAN_STORE = help_open (path);
  assert_int_equal (write (in[1], "g", 1), 1);
  assert_int_equal (read (out[0], &byte, 1), 1);
  int64_t before = lf_now_us ();
  lf_store_busy_timeout (s, 300);
  assert_int_equal (help_add (s, "one", "f", &err), -1);
  assert_true (lf_now_us () - before > 250000);
  assert_non_null (strstr (err.why, "locked"));
  /* Until the commit has said so, nothing more is taken. */
  assert_true (lf_store_dirty (s));
  err = (lf_error){ 0 };
  assert_int_equal (help_add (s, "two", "f", &err), -1);
  err = (lf_error){ 0 };
  assert_int_equal (lf_store_commit (s, &err), -1);
  assert_non_null (strstr (err.why, "locked"));
  close (in[1]);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  close (out[0]);
  assert_int_equal (help_add (s, "three", "f", &err), 0);
  assert_int_equal (lf_store_commit (s, &err), 0);
  assert_int_equal (help_sql (path, "SELECT count (*) FROM invocations"), 1);
}

/* ---- no space ----------------------------------------------------------------------------------------------------------------------- */

/* Writes until there is no space, frees some, and goes on: what was committed is there, what was not is not, the log is sound. */
static int
fill_up (const char *path, int (*make_room) (void))
{
  lf_error err = { 0 };
  char id[32];
  char tail[3000];
  int64_t committed = 0;
  memset (tail, 'x', sizeof tail);
  lf_store *s = lf_store_open (path, &err);
  CHECK (s != NULL);
  for (int turn = 0;; turn++)
    {
      CHECK (turn < 100000);
      int rc = 0;
      for (int i = 0; i < 3; i++)
        {
          snprintf (id, sizeof id, "%d-%d", turn, i);
          lf_record r = help_record (id, "f");
          r.log_tail = tail;
          r.log_tail_len = sizeof tail;
          rc |= lf_store_invocation (s, &r, &err);
        }
      err = (lf_error){ 0 };
      if (lf_store_commit (s, &err) != 0)
        break;
      CHECK (rc == 0);
      committed += 3;
    }
  CHECK (committed > 0);
  CHECK (err.exit == LF_EXIT_IO);
  CHECK (strstr (err.why, "full") != NULL);
  CHECK (strstr (err.fix, "--db") != NULL);
  CHECK (!lf_store_dirty (s));
  /* Still full: again an error, again nothing half done. */
  help_add (s, "again", "f", &err);
  lf_store_commit (s, &err);
  CHECK (make_room () == 0);
  int64_t before = help_sql (path, "SELECT count (*) FROM invocations");
  CHECK (before == committed || before == committed + 1);
  CHECK (help_add (s, "after", "f", &err) == 0);
  CHECK (lf_store_commit (s, &err) == 0);
  lf_store_close (s);
  CHECK (help_sql (path, "SELECT count (*) FROM invocations") == before + 1);
  CHECK (help_sound (path));
  return 0;
}

static int
raise_limit (void)
{
  struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
  return setrlimit (RLIMIT_FSIZE, &all);
}

static int
full_by_limit (void *user)
{
  lf_error err = { 0 };
  (void) user;
  struct rlimit small = { 1 << 20, RLIM_INFINITY };
  signal (SIGXFSZ, SIG_IGN);
  CHECK (setrlimit (RLIMIT_FSIZE, &small) == 0);
  return fill_up (help_path ("limit.db"), raise_limit);
}

static int
remove_ballast (void)
{
  return unlink (help_path ("disk/ballast"));
}

#define NO_MOUNT 77

static int
full_by_disk (void *user)
{
  lf_error err = { 0 };
  (void) user;
  if (unshare (geteuid () == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0 || mkdir (help_path ("disk"), 0755) != 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount ("tmpfs", help_path ("disk"), "tmpfs", 0, "size=2m") != 0)
    return NO_MOUNT;
  static char block[512 << 10];
  int fd = open (help_path ("disk/ballast"), O_WRONLY | O_CREAT, 0644);
  CHECK (fd >= 0 && write (fd, block, sizeof block) == (ssize_t) sizeof block && close (fd) == 0);
  return fill_up (help_path ("disk/log.db"), remove_ballast);
}

static void
no_space (void **state)
{
  (void) state;
  assert_int_equal (help_child (full_by_limit, NULL), 0);
  int status = help_child (full_by_disk, NULL);
  if (status == NO_MOUNT)
    print_message ("not here: a small disk (no mount namespace)\n");
  else
    assert_int_equal (status, 0);
}

/* ---- read-only ---------------------------------------------------------------------------------------------------------------------- */

static int
become_nobody (void)
{
  return geteuid () != 0 || (setgid (65534) == 0 && setuid (65534) == 0) ? 0 : -1;
}

static int
read_only (void *user)
{
  lf_error err = { 0 };
  int n = 0;
  (void) user;
  CHECK (become_nobody () == 0);
  CHECK (lf_store_open (help_path ("ro/log.db"), &err) == NULL);
  CHECK (err.exit == LF_EXIT_IO && err.fix[0] != '\0');
  CHECK (strstr (err.why, "read-only") != NULL);
  err = (lf_error){ 0 };
  CHECK (lf_store_open (help_path ("ro/new.db"), &err) == NULL);
  CHECK (err.exit == LF_EXIT_IO && strstr (err.fix, "--db") != NULL);
  err = (lf_error){ 0 };
  lf_store *s = lf_store_open_read (help_path ("ro/log.db"), &err);
  CHECK (s != NULL);
  CHECK (lf_store_invocations (s, &everything, ignore_row, &n, NULL, &err) == 0);
  CHECK (n == 5);
  lf_store_close (s);
  /* With a WAL that was left behind and nothing else, the newest rows cannot be read here. */
  err = (lf_error){ 0 };
  CHECK (lf_store_open_read (help_path ("ro/left.db"), &err) == NULL);
  CHECK (strstr (err.why, "-wal") != NULL && err.fix[0] != '\0');
  return 0;
}

static void
copy_file (const char *from, const char *to)
{
  lf_error err = { 0 };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  assert_int_equal (lf_read_file (from, (size_t) 1 << 26, &b, &err), 0);
  write_text (to, b.data, b.len);
}

static void
read_only_places (void **state)
{
  (void) state;
  lf_error err = { 0 };
  assert_int_equal (mkdir (help_path ("ro"), 0755), 0);
  make_log (help_path ("ro/log.db"), 5);
  lf_store *open_one = help_open (help_path ("live.db"));
  assert_int_equal (help_add (open_one, "x", "f", &err), 0);
  assert_int_equal (lf_store_commit (open_one, &err), 0);
  /* In a child: closing a copy's source here would drop the locks of the open log. */
  copy_file (help_path ("live.db-wal"), help_path ("ro/left.db-wal"));
  lf_store_close (open_one);
  copy_file (help_path ("live.db"), help_path ("ro/left.db"));
  assert_int_equal (chmod (help_path ("ro/log.db"), 0444), 0);
  assert_int_equal (chmod (help_path ("ro/left.db"), 0444), 0);
  assert_int_equal (chmod (help_path ("ro/left.db-wal"), 0444), 0);
  assert_int_equal (chmod (help_path ("ro"), 0555), 0);
  int status = help_child (read_only, NULL);
  assert_int_equal (chmod (help_path ("ro"), 0755), 0);
  assert_int_equal (status, 0);
  assert_int_not_equal (access (help_path ("ro/log.db-shm"), F_OK), 0);
}

/* ---- kill -9 ------------------------------------------------------------------------------------------------------------------------ */

/* Commits groups of one to four rows, and after each commit tells their numbers. */
static void
commit_and_tell (const char *path, int out, int64_t from)
{
  lf_error err = { 0 };
  char tail[700];
  memset (tail, 't', sizeof tail);
  lf_store *s = lf_store_open (path, &err);
  if (s == NULL)
    _exit (1);
  for (int64_t n = from;;)
    {
      int64_t group[4];
      int k = (int) (n % 4) + 1;
      for (int i = 0; i < k; i++)
        {
          char id[40];
          snprintf (id, sizeof id, "%lld", (long long) n);
          lf_record r = help_record (id, n % 2 ? "A" : "B");
          r.log_tail = tail;
          r.log_tail_len = sizeof tail;
          if (lf_store_invocation (s, &r, &err) != 0)
            _exit (1);
          group[i] = n++;
        }
      if (lf_store_commit (s, &err) != 0)
        _exit (1);
      if (write (out, group, sizeof *group * (size_t) k) != (ssize_t) sizeof *group * k)
        _exit (1);
    }
}

static void
killed_in_the_middle (void **state)
{
  (void) state;
  const char *path = help_path ("killed.db");
  int64_t answered = 0, last = 0;
  for (int round = 0; round < 20; round++)
    {
      int fds[2];
      int64_t told;
      assert_int_equal (pipe (fds), 0);
      fflush (NULL);
      pid_t pid = fork ();
      if (pid == 0)
        {
          close (fds[0]);
          commit_and_tell (path, fds[1], (round + 1) * INT64_C (1000000));
        }
      close (fds[1]);
      /* A different number of commits each time, then the kill at whatever it is doing. */
      int want = 1 + round * 37 % 200, got = 0;
      while (read (fds[0], &told, sizeof told) == (ssize_t) sizeof told)
        {
          last = told;
          answered++;
          if (++got == want)
            assert_int_equal (kill (pid, SIGKILL), 0);
        }
      assert_true (got >= want);
      close (fds[0]);
      int status;
      assert_int_equal (waitpid (pid, &status, 0), pid);
      assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
      /* In every round the ids count up without a gap, so their number and the last one say that none is missing. */
      char sql[200];
      snprintf (sql, sizeof sql, "SELECT count (*) FROM invocations WHERE CAST (request_id AS INTEGER) BETWEEN %lld AND %lld",
                (round + 1) * 1000000LL, (long long) last);
      assert_int_equal (help_sql (path, sql), got);
      assert_true (help_sound (path));
    }
  lf_store *s CLEAN_STORE = help_open (path);
  assert_true (help_sql (path, "SELECT count (*) FROM invocations") >= answered);
}

/* The WAL is emptied behind the writer's back, on the store's own thread. */
static void
checkpoints_happen (void **state)
{
  (void) state;
  lf_error err = { 0 };
  struct stat st = { 0 };
  char tail[4000];
  memset (tail, 'w', sizeof tail);
  const char *path = help_path ("wal.db");
  lf_store *s CLEAN_STORE = help_open (path);
  for (int n = 0; n < 8000; n++)
    {
      char id[32];
      snprintf (id, sizeof id, "w-%d", n);
      lf_record r = help_record (id, "f");
      r.log_tail = tail;
      r.log_tail_len = sizeof tail;
      assert_int_equal (lf_store_invocation (s, &r, &err), 0);
      if (n % 8 == 7)
        assert_int_equal (lf_store_commit (s, &err), 0);
    }
  int64_t deadline = lf_now_us () + 60 * 1000000;
  while (st.st_size < (8 << 20) && lf_now_us () < deadline)
    assert_int_equal (stat (path, &st), 0);
  assert_true (st.st_size >= (8 << 20));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (foreign_files),
    cmocka_unit_test (newer_schema),
    cmocka_unit_test (truncated),
    cmocka_unit_test (damaged_inside),
    cmocka_unit_test (no_log_and_no_folder),
    cmocka_unit_test (deleted_under_us),
    cmocka_unit_test (several_writers_one_reader),
    cmocka_unit_test (reader_notices_a_writer),
    cmocka_unit_test (locked_by_another),
    cmocka_unit_test (no_space),
    cmocka_unit_test (read_only_places),
    cmocka_unit_test (killed_in_the_middle),
    cmocka_unit_test (checkpoints_happen),
  };
  return cmocka_run_group_tests (tests, help_setup, help_teardown);
}
