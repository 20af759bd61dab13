/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching folders and files: every kind of change is seen at the next look, and nothing else is.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lambdafit/package.h"

static char top[200];

static char *
at (const char *name)
{
  static char path[8][400];
  static int turn;
  char *p = path[turn++ % 8];
  snprintf (p, sizeof path[0], "%s/%s", top, name);
  return p;
}

static void
put (const char *name, const char *text)
{
  FILE *f = fopen (at (name), "we");
  assert_non_null (f);
  fputs (text, f);
  fclose (f);
}

static int
setup (void **state)
{
  (void) state;
  snprintf (top, sizeof top, "/tmp/test_watch.XXXXXX");
  if (!mkdtemp (top) || mkdir (at ("code"), 0755) != 0 || mkdir (at ("code/sub"), 0755) != 0 || mkdir (at ("code/.git"), 0755) != 0)
    return -1;
  put ("code/app.py", "1");
  put ("code/sub/m.py", "1");
  put ("layer.zip", "1");
  put ("other", "1");
  return 0;
}

static int
teardown (void **state)
{
  lf_error err = { 0 };
  (void) state;
  return lf_rm_rf (top, &err);
}

/* Linux gives all programs of a user 128 of these together; others may have them just now. */
static void
wait_for_an_instance (void)
{
  int fd = -1;
  for (int i = 0; i < 6000 && (fd = inotify_init1 (IN_CLOEXEC)) < 0 && errno == EMFILE; i++)
    poll (NULL, 0, 10);
  if (fd >= 0)
    close (fd);
}

static lf_watch *
watching (const char *a, const char *b)
{
  wait_for_an_instance ();
  lf_strv t = { 0 };
  lf_error err = { 0 };
  assert_int_equal (lf_strv_add (&t, a), 0);
  if (b)
    assert_int_equal (lf_strv_add (&t, b), 0);
  lf_watch *w = lf_watch_new (&t, &err);
  if (!w)
    fail_msg ("%s: %s", err.what, err.why);
  lf_strv_fini (&t);
  char what[256];
  assert_false (lf_watch_changed (w, what));
  return w;
}

/* Seen, by this name's end; and only once. */
static void
seen (lf_watch *w, const char *name)
{
  char what[256] = "";
  if (!lf_watch_changed (w, what) || !lf_ends (what, name))
    fail_msg ("a change of %s: %s", name, what[0] ? what : "not seen");
  assert_false (lf_watch_changed (w, what));
}

static void
unseen (lf_watch *w)
{
  char what[256] = "";
  if (lf_watch_changed (w, what))
    fail_msg ("%s counts", what);
}

static void
changes_in_a_folder (void **state)
{
  (void) state;
  lf_watch *w = watching (at ("code"), at ("layer.zip"));
  put ("code/app.py", "2");
  seen (w, "/code/app.py");
  put ("code/sub/m.py", "2");
  seen (w, "/code/sub/m.py");
  put ("code/new.py", "");
  seen (w, "/code/new.py");
  assert_int_equal (unlink (at ("code/new.py")), 0);
  seen (w, "/code/new.py");
  assert_int_equal (chmod (at ("code/app.py"), 0755), 0);
  seen (w, "/code/app.py");
  put ("tmp.py", "3"); /* as editors save: a new file in the place of the old one */
  unseen (w);
  assert_int_equal (rename (at ("tmp.py"), at ("code/app.py")), 0);
  seen (w, "/code/app.py");
  assert_int_equal (symlink ("app.py", at ("code/link")), 0);
  seen (w, "/code/link");
  assert_int_equal (mkdir (at ("code/sub/deep"), 0755), 0);
  seen (w, "/code/sub/deep");
  lf_watch_free (w);
}

static void
changes_of_a_file (void **state)
{
  (void) state;
  lf_watch *w = watching (at ("code"), at ("layer.zip"));
  put ("layer.zip", "2");
  seen (w, "/layer.zip");
  put ("layer.new", "3");
  unseen (w);
  assert_int_equal (rename (at ("layer.new"), at ("layer.zip")), 0);
  seen (w, "/layer.zip");
  assert_int_equal (unlink (at ("layer.zip")), 0);
  seen (w, "/layer.zip");
  put ("layer.zip", "4");
  seen (w, "/layer.zip");
  lf_watch_free (w);
}

static void
what_does_not_count (void **state)
{
  (void) state;
  char text[8];
  lf_watch *w = watching (at ("code"), at ("layer.zip"));
  put ("other", "2");
  put ("code/.git/index", "2");
  int fd = open (at ("code/app.py"), O_RDONLY | O_CLOEXEC);
  assert_true (read (fd, text, sizeof text) >= 0);
  close (fd);
  unseen (w);
  assert_int_equal (lf_watch_ignore (w, at ("code/log.db")), 0);
  put ("code/log.db", "2");
  put ("code/log.db-wal", "2");
  put ("code/log.db.serve.lock", "2");
  unseen (w);
  put ("code/log.py", "2");
  seen (w, "/code/log.py");
  lf_watch_free (w);
}

/* Our own output may be sent to a file among the code. */
static void
our_output (void **state)
{
  (void) state;
  lf_watch *w = watching (at ("code"), NULL);
  int saved = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 10), fd = open (at ("code/serve.err"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  assert_true (saved >= 0 && fd >= 0);
  assert_int_equal (dup2 (fd, STDERR_FILENO), STDERR_FILENO);
  assert_int_equal (write (fd, "line\n", 5), 5);
  char what[256];
  bool changed = lf_watch_changed (w, what);
  assert_int_equal (dup2 (saved, STDERR_FILENO), STDERR_FILENO);
  assert_false (changed);
  assert_int_equal (write (fd, "line\n", 5), 5);
  seen (w, "/code/serve.err");
  close (fd);
  close (saved);
  lf_watch_free (w);
}

/* A folder that is deleted and made again, as builds do, and one that is not there yet. */
static void
replaced_as_a_whole (void **state)
{
  lf_error err = { 0 };
  (void) state;
  lf_watch *w = watching (at ("code"), NULL);
  assert_int_equal (rename (at ("code"), at ("old")), 0);
  seen (w, "/code");
  assert_int_equal (mkdir (at ("code"), 0755), 0);
  seen (w, "/code");
  lf_watch_free (w);
  assert_int_equal (lf_rm_rf (at ("code"), &err), 0);
  w = watching (at ("code"), NULL);
  assert_int_equal (rename (at ("old"), at ("code")), 0);
  seen (w, "/code");
  lf_watch_free (w);
}

static void
by_a_link (void **state)
{
  (void) state;
  assert_int_equal (symlink ("code", at ("current")), 0);
  lf_watch *w = watching (at ("current/"), NULL);
  put ("code/app.py", "5");
  seen (w, "/code/app.py");
  assert_int_equal (unlink (at ("current")), 0);
  seen (w, "/current");
  lf_watch_free (w);
}

/* More changes than the kernel counts are still one. */
static void
very_many (void **state)
{
  (void) state;
  lf_watch *w = watching (at ("code"), NULL);
  for (int i = 0; i < 20000; i++)
    {
      assert_int_equal (chmod (at ("code/app.py"), i % 2 ? 0644 : 0600), 0);
      assert_int_equal (chmod (at ("code/sub/m.py"), i % 2 ? 0644 : 0600), 0);
    }
  char what[256];
  assert_true (lf_watch_changed (w, what));
  unseen (w);
  lf_watch_free (w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (changes_in_a_folder, setup, teardown), cmocka_unit_test_setup_teardown (changes_of_a_file, setup, teardown),
    cmocka_unit_test_setup_teardown (what_does_not_count, setup, teardown), cmocka_unit_test_setup_teardown (our_output, setup, teardown),
    cmocka_unit_test_setup_teardown (replaced_as_a_whole, setup, teardown), cmocka_unit_test_setup_teardown (by_a_link, setup, teardown),
    cmocka_unit_test_setup_teardown (very_many, setup, teardown),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
