/* SPDX-License-Identifier: Apache-2.0
 *
 * Files, folders, and where our own data is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#include "lambdafit/base.h"

static char dir[] = "/tmp/lf-test-base-XXXXXX";

static const char *
in_dir (const char *name)
{
  static char path[4][512];
  static unsigned turn;
  char *p = path[turn++ % 4];
  snprintf (p, sizeof path[0], "%s/%s", dir, name);
  return p;
}

static void
put (const char *path, const char *text)
{
  lf_error err;
  assert_int_equal (lf_write_file_atomic (path, text, strlen (text), &err), 0);
}

static void
files_come_back_whole (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_buf b;
  lf_buf_init (&b, 0);
  put (in_dir ("f"), "hello");
  put (in_dir ("f"), "hello again");
  assert_int_equal (lf_read_file (in_dir ("f"), 11, &b, &err), 0);
  assert_string_equal (b.data, "hello again");
  lf_buf_reset (&b);
  assert_int_equal (lf_read_file (in_dir ("f"), 10, &b, &err), -1);
  assert_non_null (strstr (err.why, "larger than 10 bytes"));
  assert_int_equal (lf_read_file (in_dir ("absent"), 10, &b, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_int_equal (lf_read_file (dir, 10, &b, &err), -1);
  lf_buf_reset (&b);
  put (in_dir ("empty"), "");
  assert_int_equal (lf_read_file (in_dir ("empty"), 0, &b, &err), 0);
  assert_int_equal (b.len, 0);
  assert_string_equal (b.data, "");
  assert_int_equal (lf_read_file ("/proc/self/status", 1 << 20, &b, &err), 0);
  assert_true (b.len > 0);
  lf_buf_fini (&b);
  assert_int_equal (lf_write_file_atomic (in_dir ("no/such/folder"), "x", 1, &err), -1);
  assert_int_equal (lf_write_file_atomic (dir, "x", 1, &err), -1);

  put (in_dir ("j.json"), "{\"a\":1}");
  LF_CLEANUP (lf_json_freep) cJSON *o = lf_json_load (in_dir ("j.json"), 100, &err);
  assert_int_equal (lf_json_i64 (o, "a", 0), 1);
  put (in_dir ("bad.json"), "{\"a\":");
  assert_null (lf_json_load (in_dir ("bad.json"), 100, &err));
  assert_non_null (strstr (err.what, "bad.json:1:6"));
}

/* What is no file stays what it is: a name in the place of /dev/null would be everybody's trouble. */
static void
pipes_are_written_to (void **state)
{
  (void) state;
  struct stat st;
  char got[16] = "";
  assert_int_equal (mkfifo (in_dir ("pipe"), 0600), 0);
  LF_CLEANUP (lf_closep) int fd = open (in_dir ("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true (fd >= 0);
  put (in_dir ("pipe"), "hello");
  assert_int_equal (read (fd, got, sizeof got), 5);
  assert_string_equal (got, "hello");
  assert_int_equal (lstat (in_dir ("pipe"), &st), 0);
  assert_true (S_ISFIFO (st.st_mode));
  assert_true (lf_is_no_file (in_dir ("pipe")) && lf_is_no_file (dir) && lf_is_no_file ("/dev/null"));
  assert_false (lf_is_no_file (in_dir ("no/such")));
  put (in_dir ("f"), "hello");
  assert_false (lf_is_no_file (in_dir ("f")));
}

static void
folders (void **state)
{
  (void) state;
  lf_error err;
  struct stat st;
  assert_int_equal (lf_mkdir_p (in_dir ("a/b//c/"), 0755, &err), 0);
  assert_int_equal (lf_mkdir_p (in_dir ("a/b/c"), 0755, &err), 0);
  assert_int_equal (stat (in_dir ("a/b/c"), &st), 0);
  put (in_dir ("file"), "x");
  assert_int_equal (lf_mkdir_p (in_dir ("file/x"), 0755, &err), -1);
  assert_int_equal (lf_mkdir_p (in_dir ("file"), 0755, &err), -1);
}

static void
trees_are_removed_without_following_links (void **state)
{
  (void) state;
  lf_error err;
  put (in_dir ("outside"), "must stay");
  assert_int_equal (lf_mkdir_p (in_dir ("t/ro/x"), 0755, &err), 0);
  put (in_dir ("t/ro/x/f"), "x");
  assert_int_equal (symlink ("../outside", in_dir ("t/link")), 0);
  assert_int_equal (symlink ("..", in_dir ("t/up")), 0);
  assert_int_equal (chmod (in_dir ("t/ro/x"), 0500), 0);
  assert_int_equal (chmod (in_dir ("t/ro"), 0), 0);
  assert_int_equal (lf_rm_rf (in_dir ("t"), &err), 0);
  assert_int_equal (access (in_dir ("t"), F_OK), -1);
  assert_int_equal (access (in_dir ("outside"), F_OK), 0);
  assert_int_equal (lf_rm_rf (in_dir ("t"), &err), 0);
  assert_int_equal (symlink ("outside", in_dir ("link")), 0);
  assert_int_equal (lf_rm_rf (in_dir ("link"), &err), 0);
  assert_int_equal (access (in_dir ("outside"), F_OK), 0);
}

static void
a_tree_deeper_than_any_path_is_removed (void **state)
{
  (void) state;
  lf_error err;
  assert_int_equal (mkdir (in_dir ("deep"), 0700), 0);
  int fd = open (in_dir ("deep"), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 3000; i++)
    {
      assert_int_equal (mkdirat (fd, "dd", 0700), 0);
      int next = openat (fd, "dd", O_RDONLY | O_DIRECTORY);
      assert_true (next >= 0);
      close (fd);
      fd = next;
    }
  close (fd);
  assert_int_equal (lf_rm_rf (in_dir ("deep"), &err), 0);
  assert_int_equal (access (in_dir ("deep"), F_OK), -1);
}

static void
our_data_is_found (void **state)
{
  (void) state;
  lf_error err;
  assert_int_equal (lf_mkdir_p (in_dir ("data/profiles"), 0755, &err), 0);
  assert_int_equal (lf_mkdir_p (in_dir ("data/src/runtimes"), 0755, &err), 0);
  setenv ("LAMBDAFIT_DATADIR", in_dir ("data"), 1);
  setenv ("LAMBDAFIT_LIBEXECDIR", in_dir ("helpers"), 1);
  assert_string_equal (lf_data_path (NULL), in_dir ("data"));
  assert_string_equal (lf_data_path ("profiles"), in_dir ("data/profiles"));
  assert_string_equal (lf_data_path ("runtimes"), in_dir ("data/src/runtimes"));
  assert_string_equal (lf_data_path ("absent"), in_dir ("data/absent"));
  assert_ptr_equal (lf_data_path ("profiles"), lf_data_path ("profiles"));
  assert_string_equal (lf_libexec_path ("lambdafit-init"), in_dir ("helpers/lambdafit-init"));
  unsetenv ("LAMBDAFIT_DATADIR");
  unsetenv ("LAMBDAFIT_LIBEXECDIR");
  /* This program runs two folders below the top of a build tree, so the configured folders are left. */
  assert_true (lf_ends (lf_data_path ("profiles/x.json"), "/profiles/x.json"));
  assert_true (lf_ends (lf_libexec_path ("lambdafit-init"), "/lambdafit-init"));
}

static void
folders_of_the_user_are_private (void **state)
{
  (void) state;
  struct stat st;
  setenv ("XDG_STATE_HOME", in_dir ("state"), 1);
  LF_CLEANUP (lf_freep) char *s = lf_state_dir ();
  assert_string_equal (s, in_dir ("state/lambdafit"));
  assert_int_equal (stat (s, &st), 0);
  assert_int_equal (st.st_mode & 0777, 0700);
  setenv ("XDG_CACHE_HOME", "relative", 1);
  setenv ("HOME", in_dir ("home"), 1);
  LF_CLEANUP (lf_freep) char *c = lf_cache_dir ();
  assert_string_equal (c, in_dir ("home/.cache/lambdafit"));
  setenv ("XDG_RUNTIME_DIR", in_dir ("run"), 1);
  LF_CLEANUP (lf_freep) char *r = lf_runtime_dir ();
  assert_string_equal (r, in_dir ("run/lambdafit"));
  put (in_dir ("plain"), "");
  setenv ("XDG_STATE_HOME", in_dir ("plain"), 1);
  assert_null (lf_state_dir ());
}

static void
clocks_and_ids (void **state)
{
  (void) state;
  lf_time_us a = lf_now_us (), b = lf_now_us ();
  assert_true (a > 0 && b >= a);
  assert_true (lf_wall_us () > INT64_C (1600000000000000));
  char x[37], y[37];
  lf_uuid4 (x);
  lf_uuid4 (y);
  assert_int_equal (strlen (x), 36);
  assert_string_not_equal (x, y);
  int closed = -1;
  lf_closep (&closed);
}

/* Ids are made from a store of random bytes; a child has a copy of its parent's. */
static void
a_fork_does_not_repeat_ids (void **state)
{
  (void) state;
  char before[37], ours[37], theirs[37] = "";
  int pipes[2];
  lf_uuid4 (before);
  assert_int_equal (pipe (pipes), 0);
  pid_t child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    {
      char id[37];
      lf_uuid4 (id);
      _exit (write (pipes[1], id, sizeof id) == (ssize_t) sizeof id ? 0 : 1);
    }
  lf_uuid4 (ours);
  assert_int_equal (read (pipes[0], theirs, sizeof theirs), sizeof theirs);
  close (pipes[0]);
  close (pipes[1]);
  int status;
  assert_int_equal (waitpid (child, &status, 0), child);
  assert_int_equal (status, 0);
  assert_int_equal (strlen (theirs), 36);
  assert_string_not_equal (ours, theirs);
}

static int
make_dir (void **state)
{
  (void) state;
  return mkdtemp (dir) ? 0 : -1;
}

static int
remove_dir (void **state)
{
  (void) state;
  lf_error err;
  return lf_rm_rf (dir, &err);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (files_come_back_whole),
    cmocka_unit_test (pipes_are_written_to),
    cmocka_unit_test (folders),
    cmocka_unit_test (trees_are_removed_without_following_links),
    cmocka_unit_test (a_tree_deeper_than_any_path_is_removed),
    cmocka_unit_test (our_data_is_found),
    cmocka_unit_test (folders_of_the_user_are_private),
    cmocka_unit_test (clocks_and_ids),
    cmocka_unit_test (a_fork_does_not_repeat_ids),
  };
  return cmocka_run_group_tests (tests, make_dir, remove_dir);
}
