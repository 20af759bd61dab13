/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe: that it runs to its end whatever the machine allows, that what it says holds together, and that it leaves nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe_impl.h"

static lf_machine machine;

static size_t
descriptors (void)
{
  size_t n = 0;
  DIR *d = opendir ("/proc/self/fd");
  assert_non_null (d);
  while (readdir (d))
    n++;
  closedir (d);
  return n;
}

static const lf_mechanism *
find (const lf_machine *m, const char *name)
{
  for (size_t i = 0; i < m->n; i++)
    if (!strcmp (m->mech[i].name, name))
      return &m->mech[i];
  fail_msg ("no mechanism %s", name);
  return NULL;
}

/* Names are part of `doctor --json`. */
static const char *const names[] = {
  "user_namespaces", "mount_namespace",   "pid_namespace", "ipc_uts_namespaces", "network_namespace", "proc",       "tmp_quota",   "read_only_bind",
  "mount_api",       "pivot_root",        "runtime_user", "pidfd",         "clone3",             "seccomp",           "cgroup",     "cgroup_memory", "memory_peak_reset",
  "oom_count",       "memory_follows_tmp", "cgroup_cpu",    "cgroup_pids",        "freezer",           "cgroup_kill", "clone_into_cgroup",
};

static void
coherent (const lf_machine *m)
{
  assert_int_equal (m->n, LF_ARRAY_LEN (names));
  for (size_t i = 0; i < m->n; i++)
    {
      const lf_mechanism *x = &m->mech[i];
      assert_string_equal (x->name, names[i]);
      if (!x->detail[0])
        fail_msg ("%s says nothing", x->name);
      if (!x->ok && !x->fix[0])
        fail_msg ("%s does not say how to fix it", x->name);
    }
  const lf_enforcement *e = &m->enforcement;
  assert_int_equal (e->by[LF_LIM_PACKAGE], LF_ENF_CHECKED);
  if (!m->sandbox)
    {
      assert_int_equal (e->by[LF_LIM_MEMORY], LF_ENF_NONE);
      assert_int_equal (e->by[LF_LIM_DURATION], LF_ENF_NONE);
      return;
    }
  assert_true (find (m, "mount_namespace")->ok && find (m, "proc")->ok && find (m, "pivot_root")->ok);
  assert_int_equal (e->by[LF_LIM_MEMORY], find (m, "cgroup_memory")->ok ? LF_ENF_KERNEL : LF_ENF_SAMPLED);
  assert_int_equal (e->by[LF_LIM_TMP], LF_ENF_KERNEL);
  assert_int_equal (e->by[LF_LIM_FDS], LF_ENF_KERNEL);
  assert_int_equal (e->by[LF_LIM_DURATION], LF_ENF_CHECKED);
  assert_int_equal (e->cpu, find (m, "cgroup_cpu")->ok ? LF_ENF_KERNEL : LF_ENF_NONE);
}

static void
test_machine (void **state)
{
  (void) state;
  size_t before = descriptors ();
  lf_time_us t = lf_now_us ();
  lf_machine_probe (&machine);
  t = lf_now_us () - t;
  for (size_t i = 0; i < machine.n; i++)
    print_message ("          %-20s %-3s %s%s%s\n", machine.mech[i].name, machine.mech[i].ok ? "yes" : "no", machine.mech[i].detail,
                   machine.mech[i].fix[0] ? " / fix: " : "", machine.mech[i].fix);
  print_message ("          sandbox: %s, %lld ms\n", machine.sandbox ? "yes" : "no", (long long) (t / 1000));
  coherent (&machine);
  assert_int_equal (descriptors (), before);
  assert_int_equal (waitpid (-1, NULL, __WALL | WNOHANG), -1);
  assert_int_equal (errno, ECHILD);
}

/* What the driver promises must be what the trials find: a capability that does not work is a lie in every record. */
static void
test_agrees_with_driver (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_cg_driver *d = lf_cg_open (NULL, NULL, NULL, &err);
  assert_non_null (d);
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_int_equal (c.memory, find (&machine, "cgroup_memory")->ok);
  assert_int_equal (c.peak_reset, find (&machine, "memory_peak_reset")->ok);
  assert_int_equal (c.oom_count, find (&machine, "oom_count")->ok);
  assert_int_equal (c.mark, find (&machine, "memory_follows_tmp")->ok);
  assert_int_equal (c.cpu, find (&machine, "cgroup_cpu")->ok);
  assert_int_equal (c.pids, find (&machine, "cgroup_pids")->ok);
  assert_int_equal (c.freezer, find (&machine, "freezer")->ok);
  assert_int_equal (c.kill, find (&machine, "cgroup_kill")->ok);
  assert_int_equal (c.clone_into, find (&machine, "clone_into_cgroup")->ok);
  lf_cg_close (d);
}

/* In a child with a limit of no namespaces: the machine that forbids them. */
static void
test_forbidden (void **state)
{
  (void) state;
  if (geteuid () != 0)
    skip ();
  lf_machine *m = test_calloc (1, sizeof *m);
  int p[2];
  assert_int_equal (pipe (p), 0);
  pid_t pid = fork ();
  if (!pid)
    {
      /* Limits are those of the user namespace we enter; nobody else notices. Inside a user namespace we would be allowed more, so
       * leave it as an ordinary user. */
      FILE *f;
      if (unshare (CLONE_NEWUSER) || !(f = fopen ("/proc/self/uid_map", "w")) || fprintf (f, "0 0 1") < 0 || fclose (f)
          || !(f = fopen ("/proc/sys/user/max_user_namespaces", "w")) || fprintf (f, "0") < 0 || fclose (f)
          || !(f = fopen ("/proc/sys/user/max_mnt_namespaces", "w")) || fprintf (f, "0") < 0 || fclose (f))
        _exit (77);
      lf_machine_probe (m);
      const char *at = (const char *) m;
      for (size_t n = sizeof *m; n;)
        {
          ssize_t w = write (p[1], at, n);
          if (w <= 0)
            _exit (1);
          at += w;
          n -= (size_t) w;
        }
      _exit (0);
    }
  close (p[1]);
  char *at = (char *) m;
  for (size_t n = sizeof *m; n;)
    {
      ssize_t r = read (p[0], at, n);
      if (r <= 0)
        break;
      at += r;
      n -= (size_t) r;
    }
  close (p[0]);
  int st = 0;
  assert_int_equal (waitpid (pid, &st, 0), pid);
  assert_true (WIFEXITED (st));
  if (WEXITSTATUS (st) == 77)
    {
      test_free (m);
      skip ();
    }
  assert_int_equal (WEXITSTATUS (st), 0);
  coherent (m); /* the names are pointers into the same program and valid here too */
  assert_false (m->sandbox);
  assert_false (find (m, "user_namespaces")->ok);
  assert_non_null (strstr (find (m, "user_namespaces")->fix, "user.max_user_namespaces"));
  assert_false (find (m, "mount_namespace")->ok);
  assert_true (find (m, "pidfd")->ok);
  test_free (m);
}

static int
fails (lf_probe_note *n, void *arg)
{
  (void) arg;
  errno = ENOTTY;
  return lf_probe_step (n, "do the thing", -1);
}

static int
dies (lf_probe_note *n, void *arg)
{
  (void) n;
  (void) arg;
  kill (getpid (), SIGKILL);
  return 0;
}

static int
hangs (lf_probe_note *n, void *arg)
{
  (void) n;
  (void) arg;
  while (pause () < 0)
    ;
  return 0;
}

static void
test_process (void **state)
{
  (void) state;
  lf_probe_note n;
  assert_int_equal (lf_probe_run (0, fails, NULL, &n), ENOTTY);
  assert_string_equal (n.step, "do the thing");
  assert_int_equal (lf_probe_run (0, dies, NULL, &n), EINTR);
  assert_string_equal (n.step, "survive signal 9");
  lf_probe_child c;
  int st;
  assert_int_equal (lf_probe_start (0, -1, hangs, NULL, &c), 0);
  assert_false (lf_probe_wait (&c, 20, &st));
  pid_t pid = c.pid;
  lf_probe_end (&c);
  assert_int_equal (kill (pid, 0), -1);
  assert_int_not_equal (lf_probe_start (CLONE_THREAD, -1, hangs, NULL, &c), 0); /* refused by the kernel */
}

static void
test_list_is_bounded (void **state)
{
  (void) state;
  lf_machine *m = test_calloc (1, sizeof *m);
  for (int i = 0; i < 100; i++)
    lf_probe_add (m, "x", true);
  assert_int_equal (m->n, LF_ARRAY_LEN (m->mech));
  assert_true (lf_probe_ok (m, "x"));
  assert_false (lf_probe_ok (m, "y"));
  test_free (m);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_machine), cmocka_unit_test (test_agrees_with_driver), cmocka_unit_test (test_forbidden),
    cmocka_unit_test (test_process), cmocka_unit_test (test_list_is_bounded),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
