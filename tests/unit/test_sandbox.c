/* SPDX-License-Identifier: Apache-2.0
 *
 * Real sandboxes: as root and as an ordinary user, with the best control groups here and with none, with the newer mount calls and
 * with the old one. What the kernel here cannot do is said and skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/sandbox/init/wire.h"
#include "../../src/sandbox/sandbox_impl.h"
#include "sandbox_inside.h"
#include "sandbox_world.h"

/* ---- what it looks like inside --------------------------------------------------------------------------- */

static void
test_inside (void **state)
{
  (void) state;
  char *secret LF_CLEANUP (lf_freep) = lf_asprintf ("%s/secret", world.dir);
  run_check ("look", secret);
}

static void
test_quota (void **state)
{
  (void) state;
  run_check ("quota", "8388608");
}

static void
test_exec_from_tmp (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "exec-tmp", NULL);
  p.tmp_bytes = 64 * LF_MB;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  finish (s);
  plan_fini (&p);
}

static void
test_binds (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, NULL, NULL);
  p.opt_dir = lf_asprintf ("%s/opt", world.dir);
  p.binds[0] = (lf_sb_bind){ lf_asprintf ("%s/prefix", world.dir), lf_asprintf ("/home/someone/.tools/prefix") };
  p.binds[1] = (lf_sb_bind){ lf_asprintf ("%s/prefix", world.dir), lf_asprintf ("/opt/below") };
  p.binds_n = 2;
  lf_strv_fini (&p.argv);
  const char *script
      = "test -r /opt/layer/file && test -L /opt/link && test -r /opt/below/file && test -r /home/someone/.tools/prefix/file"
        " && test $(ls -A /home/someone | wc -l) = 1 && ! touch /opt/x 2>/dev/null && ! touch /opt/layer/x 2>/dev/null";
  lf_strv_add (&p.argv, "/bin/sh");
  lf_strv_add (&p.argv, "-c");
  lf_strv_add (&p.argv, script);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  finish (s);
  plan_fini (&p);
}

/* More CPUs than the machine has, as a large function on a small machine. */
static void
test_cpus (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, NULL, NULL);
  p.visible_cpus = (int) sysconf (_SC_NPROCESSORS_ONLN) + 1;
  lf_strv_fini (&p.argv);
  char *script LF_CLEANUP (lf_freep)
      = lf_asprintf ("test $(getconf _NPROCESSORS_ONLN) = %d && test $(grep -c ^processor /proc/cpuinfo) = %d"
                     " && test $(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l) = %d",
                     p.visible_cpus, p.visible_cpus, p.visible_cpus);
  lf_strv_add (&p.argv, "/bin/sh");
  lf_strv_add (&p.argv, "-c");
  lf_strv_add (&p.argv, script);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  finish (s);
  plan_fini (&p);
}

static void
expect_cpuinfo (const char *host, int cpus, const char *want)
{
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_sb_cpuinfo (host, cpus, &b);
  assert_string_equal (b.data ? b.data : "", want);
  lf_buf_fini (&b);
}

static void
test_cpuinfo (void **state)
{
  (void) state;
  static const char two[] = "processor\t: 0\nmodel name\t: A\ncore id\t\t: 0\nsiblings\t: 2\n\nprocessor\t: 1\nmodel name\t: "
                            "B\ncore id\t\t: 7\nsiblings\t: 2\n\n";
  expect_cpuinfo (two, 1, "processor\t: 0\nmodel name\t: A\ncore id\t\t: 0\nsiblings\t: 1\n\n");
  expect_cpuinfo (two, 3,
                  "processor\t: 0\nmodel name\t: A\ncore id\t\t: 0\nsiblings\t: 3\n\n"
                  "processor\t: 1\nmodel name\t: B\ncore id\t\t: 1\nsiblings\t: 3\n\n"
                  "processor\t: 2\nmodel name\t: A\ncore id\t\t: 2\nsiblings\t: 3\n\n");
  expect_cpuinfo ("processor\t: 0\nBogoMIPS\t: 1\n\nHardware\t: X\n", 2,
                  "processor\t: 0\nBogoMIPS\t: 1\n\nprocessor\t: 1\nBogoMIPS\t: 1\n\nHardware\t: X\n");
  expect_cpuinfo ("", 2, "");
  expect_cpuinfo ("\n\n\n", 2, "");
  expect_cpuinfo ("vendor_id\t: S390\n", 2, "");
  unsigned seed = 7;
  for (int round = 0; round < 2000; round++)
    {
      static const char letters[] = "processor:\n\t 01acid";
      char text[128];
      size_t n = (size_t) rand_r (&seed) % (sizeof text - 1);
      for (size_t i = 0; i < n; i++)
        text[i] = letters[(size_t) rand_r (&seed) % (sizeof letters - 1)];
      text[n] = 0;
      lf_buf b;
      lf_buf_init (&b, 65536);
      lf_sb_cpuinfo (text, rand_r (&seed) % 5, &b);
      assert_false (b.failed);
      lf_buf_fini (&b);
    }
}

/* ---- ends ------------------------------------------------------------------------------------------------ */

static void
test_codes (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "exit", "7");
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 7);
  finish (s);
  plan_fini (&p);
  plan_init (&p, "signal", "15");
  s = launch (&p);
  expect_launched (s);
  lf_exit_info x = expect_exit (s);
  assert_true (!x.exited && x.signal == SIGTERM && !x.oom);
  finish (s);
  plan_fini (&p);
}

static void
expect_exec_error (const char *path, int e)
{
  lf_sb_plan p;
  plan_init (&p, NULL, NULL);
  lf_strv_fini (&p.argv);
  lf_strv_add (&p.argv, path);
  lf_sandbox *s = launch (&p);
  for (int i = 0; i < 2; i++)
    {
      lf_sb_event ev = next_event (s);
      assert_int_equal (ev.type, LF_SB_EXEC_FAILED);
      assert_int_equal (ev.exit.exec_errno, e);
      assert_true (ev.exit.exec_failed);
      lf_error err;
      if (i == 0)
        assert_int_equal (lf_sandbox_restart (s, &err), 0);
    }
  finish (s);
  plan_fini (&p);
}

static void
test_exec_errors (void **state)
{
  (void) state;
  expect_exec_error ("/var/task/missing", ENOENT);
  expect_exec_error ("/var/task/not-executable", EACCES);
  expect_exec_error ("/var/task/not-a-program", ENOEXEC);
  expect_exec_error ("/var/task/bad-interpreter", ENOENT);
}

static void
test_restart (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_error err;
  plan_init (&p, "kept", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 1);
  assert_int_equal (lf_sandbox_restart (s, &err), 0);
  expect_launched (s);
  expect_code (s, 2);
  finish (s);
  plan_fini (&p);
}

static void
test_tree_killed (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "tree", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "grown");
  if (children (s) >= 0)
    assert_int_equal (children (s), 9);
  assert_int_equal (lf_sandbox_kill (s), 0);
  lf_exit_info x = expect_exit (s);
  assert_true (!x.exited && x.signal == SIGKILL && !x.oom);
  assert_true (children (s) <= 0);
  finish (s);
  plan_fini (&p);
  /* The same when the runtime ends by itself. */
  plan_init (&p, "leave-tree", NULL);
  s = launch (&p);
  expect_launched (s);
  expect_code (s, 5);
  assert_true (children (s) <= 0);
  finish (s);
  plan_fini (&p);
}

static void
test_destroy_running (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "tree", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "grown");
  finish (s);
  /* And before it is even built. */
  s = launch (&p);
  lf_sandbox_destroy (s);
  for (lf_sb_event ev = { 0 }; ev.type != LF_SB_DEAD;)
    ev = next_event (s);
  lf_sandbox_free (s);
  /* And by freeing alone. */
  s = launch (&p);
  pid_t pid = lf_sandbox_pid (s);
  lf_sandbox_free (s);
  assert_true (kill (pid, 0) < 0 && errno == ESRCH);
  plan_fini (&p);
}

static void
test_bomb (void **state)
{
  (void) state;
  if (lf_sb_host_enforcement (world.host)->by[LF_LIM_PROCESSES] != LF_ENF_KERNEL)
    {
      print_message ("kernel cannot: no limit of processes here\n");
      skip ();
    }
  lf_sb_plan p;
  plan_init (&p, "bomb", NULL);
  p.cpu_milli = 72;
  p.processes = 80;
  p.nproc_rlimit = 60;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "bomb");
  assert_int_equal (lf_sandbox_kill (s), 0);
  assert_int_equal (expect_exit (s).signal, SIGKILL);
  finish (s);
  plan_fini (&p);
}

/* Someone kills the helper: the runtime's end is told for it, then its own. */
static void
test_helper_killed (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_error err;
  plan_init (&p, "tree", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "grown");
  assert_int_equal (kill (lf_sandbox_pid (s), SIGKILL), 0);
  assert_int_equal (expect_exit (s).signal, SIGKILL);
  assert_int_equal (next_event (s).type, LF_SB_DEAD);
  assert_int_equal (lf_sandbox_restart (s, &err), -1);
  assert_int_equal (lf_sandbox_kill (s), -1);
  lf_sandbox_free (s);
  /* And the one that waits for the next environment. */
  if (world.host->spare.pid > 0)
    {
      struct pollfd w = { world.host->spare.pidfd, POLLIN, 0 };
      assert_int_equal (kill (world.host->spare.pid, SIGKILL), 0);
      assert_int_equal (poll (&w, 1, DEADLINE_US / 1000), 1);
    }
  s = launch (&p);
  expect_launched (s);
  finish (s);
  plan_fini (&p);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

static void
test_memory (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_sb_usage u;
  lf_error err;
  plan_init (&p, "eat", "300");
  p.memory_bytes = 64 * LF_MB;
  p.tmp_bytes = 512 * LF_MB;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  lf_sandbox_mark (s);
  lf_exit_info x = expect_exit (s);
  assert_true (!x.exited && x.signal == SIGKILL && x.oom);
  lf_sandbox_usage (s, &u);
  assert_true (u.max_memory_bytes > 60 * LF_MB);
  if (lf_sb_host_enforcement (world.host)->by[LF_LIM_MEMORY] == LF_ENF_KERNEL)
    assert_true (u.max_memory_bytes < 200 * LF_MB);
  /* The next life is not blamed for it. */
  if (lf_sandbox_restart (s, &err) < 0)
    fail_msg ("restart: %s", err.why);
  expect_launched (s);
  lf_sandbox_kill (s);
  assert_false (expect_exit (s).oom);
  finish (s);
  plan_fini (&p);
}

static void
test_tmp_is_not_memory (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_sb_usage u;
  plan_init (&p, "eat-tmp", "150");
  p.memory_bytes = 64 * LF_MB;
  p.tmp_bytes = 200 * LF_MB;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  lf_sandbox_usage (s, &u);
  assert_int_equal (u.tmp_bytes, 150 * LF_MB);
  if (u.max_memory_bytes != LF_NONE)
    assert_true (u.max_memory_bytes < 64 * LF_MB);
  finish (s);
  plan_fini (&p);
}

/* Page cache of files is given back when memory is short: reading more than the limit is no use of memory. */
static void
test_cache_is_not_memory (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_sb_usage u;
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/task/large", world.dir);
  char *block = calloc (1, LF_MB);
  int fd = open (path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  assert_true (fd >= 0 && block);
  for (int i = 0; i < 96; i++)
    assert_int_equal (write (fd, block, LF_MB), LF_MB);
  free (block);
  /* Out of the cache, so that the sandbox's own reading is charged to it. */
  assert_int_equal (fsync (fd), 0);
  posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
  close (fd);
  plan_init (&p, "read", "/var/task/large");
  p.memory_bytes = 48 * LF_MB;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  lf_sandbox_usage (s, &u);
  if (u.max_memory_bytes != LF_NONE)
    assert_true (u.max_memory_bytes < 40 * LF_MB);
  finish (s);
  plan_fini (&p);
  assert_int_equal (unlink (path), 0);
}

/* What an invocation used at most is known after it has given it back, and the next one starts from what is there then. */
static void
test_peak (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_sb_usage a, b;
  plan_init (&p, "breathe", "60");
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "ready");
  lf_sandbox_mark (s);
  assert_int_equal (kill_inside (s, SIGUSR1), 0);
  wait_output (s, "breathed");
  lf_sandbox_usage (s, &a);
  if (a.max_memory_bytes == LF_NONE || lf_sb_host_enforcement (world.host)->by[LF_LIM_MEMORY] != LF_ENF_KERNEL)
    print_message ("kernel cannot: no peak of memory without control groups\n");
  else
    {
      assert_true (a.max_memory_bytes > 60 * LF_MB && a.max_memory_bytes < 80 * LF_MB);
      assert_true (a.memory_bytes < 20 * LF_MB);
      lf_sandbox_mark (s);
      lf_sandbox_usage (s, &b);
      assert_true (b.max_memory_bytes >= 60 * LF_MB);
      if (b.peak_memory_bytes == LF_NONE)
        print_message ("kernel cannot: start the mark of memory again\n");
      else
        assert_true (a.peak_memory_bytes > 60 * LF_MB && b.peak_memory_bytes < 20 * LF_MB);
    }
  finish (s);
  plan_fini (&p);
}

/* What is mapped can be looked at; not if that would hold up the daemon for long. */
static void
test_mapped (void **state)
{
  (void) state;
  static const struct
  {
    const char *times;
    bool looks;
  } cases[] = { { "4", true }, { "1700", false } };
  bool sampled = lf_sb_host_enforcement (world.host)->by[LF_LIM_MEMORY] == LF_ENF_SAMPLED;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_sb_plan p;
      plan_init (&p, "map-again", cases[i].times);
      lf_sandbox *s = launch (&p);
      expect_launched (s);
      if (sampled && !cases[i].looks)
        assert_true (expect_exit (s).oom); /* where nobody counts, too much to be looked at is too much */
      else
        {
          wait_output (s, "mapped");
          assert_true (lf_sandbox_mapped (s) >= atoi (cases[i].times) * 7 * LF_MB);
          assert_int_equal (lf_sandbox_touched_begin (s), cases[i].looks);
          assert_int_equal (lf_sandbox_touched (s) != LF_NONE, cases[i].looks);
        }
      finish (s);
      plan_fini (&p);
    }
}

/* ---- freeze, network, many ------------------------------------------------------------------------------- */

static void
test_freeze (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "tick", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "...");
  assert_int_equal (lf_sandbox_freeze (s), 0);
  assert_true (lf_sandbox_frozen (s));
  wait_silence (s);
  assert_int_equal (lf_sandbox_thaw (s), 0);
  wait_output (s, "...");
  /* Killed while frozen. */
  assert_int_equal (lf_sandbox_freeze (s), 0);
  assert_int_equal (lf_sandbox_kill (s), 0);
  assert_int_equal (expect_exit (s).signal, SIGKILL);
  lf_error err;
  assert_int_equal (lf_sandbox_restart (s, &err), 0);
  expect_launched (s);
  wait_output (s, "...");
  assert_int_equal (lf_sandbox_freeze (s), 0);
  finish (s);
  plan_fini (&p);
}

static void
test_network_none (void **state)
{
  (void) state;
  lf_sb_plan p;
  plan_init (&p, "talk", NULL);
  p.network = LF_NET_NONE;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  int fd = lf_sandbox_listen_fd (s);
  assert_true (fd >= 0);
  assert_int_equal (lf_sandbox_listen_fd (s), -1);
  struct pollfd w = { fd, POLLIN, 0 };
  assert_int_equal (poll (&w, 1, DEADLINE_US / 1000), 1);
  int c = accept4 (fd, NULL, NULL, SOCK_CLOEXEC);
  assert_true (c >= 0);
  assert_int_equal (send (c, "!", 1, MSG_NOSIGNAL), 1);
  expect_code (s, 0);
  close (c);
  close (fd);
  finish (s);
  plan_fini (&p);
}

static void
test_many (void **state)
{
  (void) state;
  enum
  {
    MANY = 50
  };
  lf_sandbox *s[MANY];
  lf_sb_plan p;
  plan_init (&p, "sleep", NULL);
  for (int i = 0; i < MANY; i++)
    s[i] = launch (&p);
  for (int i = 0; i < MANY; i++)
    expect_launched (s[i]);
  for (int i = 0; i < MANY; i++)
    lf_sandbox_destroy (s[i]);
  for (int i = 0; i < MANY; i++)
    {
      assert_int_equal (next_event (s[i]).type, LF_SB_DEAD);
      lf_sandbox_free (s[i]);
    }
  plan_fini (&p);
}

/* Files that all sandboxes of a user see are made by each process that starts. Those that are there stay as they are; one that has to change is
 * another file, so that what runs keeps what it has open and mapped. */
static void
test_files_are_never_rewritten (void **state)
{
  (void) state;
  lf_error err = { 0 };
  struct stat before, after;
  char dir[] = "/tmp/lfetc-XXXXXX", path[64], text[8] = "";
  assert_non_null (mkdtemp (dir));
  snprintf (path, sizeof path, "%s/passwd", dir);
  assert_int_equal (lf_sb_etc_make (dir, &err), 0);
  assert_int_equal (stat (path, &before), 0);
  assert_true (before.st_size > 100);
  assert_int_equal (lf_sb_etc_make (dir, &err), 0);
  assert_int_equal (stat (path, &after), 0);
  assert_true (after.st_ino == before.st_ino && after.st_mtim.tv_sec == before.st_mtim.tv_sec && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
  int fd = open (path, O_RDWR | O_TRUNC | O_CLOEXEC);
  assert_int_equal (write (fd, "other", 5), 5);
  assert_int_equal (lf_sb_etc_make (dir, &err), 0);
  assert_int_equal (pread (fd, text, sizeof text - 1, 0), 5);
  assert_string_equal (text, "other");
  close (fd);
  assert_int_equal (stat (path, &after), 0);
  assert_true (after.st_size == before.st_size);
  snprintf (path, sizeof path, "%s/passwd.%d", dir, (int) getpid ());
  assert_int_equal (access (path, F_OK), -1);
  assert_int_equal (lf_rm_rf (dir, &err), 0);
}

/* ---- when the daemon dies -------------------------------------------------------------------------------- */

static void
doomed_daemon (int out, bool frozen)
{
  lf_sb_plan p;
  world.host = new_host (); /* the other one belongs to the process that lives on */
  plan_init (&p, "tree", NULL);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "grown");
  if (frozen)
    lf_sandbox_freeze (s);
  pid_t pid = lf_sandbox_pid (s);
  if (write (out, &pid, sizeof pid) != (ssize_t) sizeof pid)
    _exit (1);
  for (;;)
    pause ();
}

static void
test_daemon_killed (void **state)
{
  (void) state;
  for (int frozen = 0; frozen < 2; frozen++)
    {
      int out[2];
      pid_t inner = -1;
      assert_int_equal (pipe2 (out, O_CLOEXEC), 0);
      pid_t d = fork ();
      assert_true (d >= 0);
      if (d == 0)
        doomed_daemon (out[1], frozen);
      close (out[1]);
      assert_int_equal (read (out[0], &inner, sizeof inner), sizeof inner);
      close (out[0]);
      int pidfd = (int) syscall (SYS_pidfd_open, inner, 0);
      assert_true (pidfd >= 0);
      kill (d, SIGKILL);
      assert_int_equal (waitpid (d, NULL, 0), d);
      struct pollfd w = { pidfd, POLLIN, 0 };
      /* Pid 1 ends only after every process of its namespace. */
      assert_int_equal (poll (&w, 1, DEADLINE_US / 1000), 1);
      close (pidfd);
    }
  /* The next daemon removes the groups. */
  lf_sb_host_free (new_host ());
}

/* ---- refusals -------------------------------------------------------------------------------------------- */

static void
expect_refused (const char *from, const char *to)
{
  lf_sb_plan p;
  lf_error err;
  plan_init (&p, "true", NULL);
  p.binds[0] = (lf_sb_bind){ lf_strdup (from), lf_strdup (to) };
  p.binds_n = 1;
  assert_null (lf_sandbox_launch (world.host, "refused", &p, &err));
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  plan_fini (&p);
}

static void
test_bad_plans (void **state)
{
  (void) state;
  lf_sb_plan p;
  lf_error err;
  expect_refused ("/usr", "relative");
  expect_refused ("/usr", "/a/../b");
  expect_refused ("/usr", "/..");
  expect_refused ("/usr", "/");
  expect_refused ("/no/such/folder", "/x");
  plan_init (&p, "true", NULL);
  char *big = malloc (200000);
  memset (big, 'x', 199999);
  big[199999] = 0;
  lf_strv_add (&p.env, big);
  free (big);
  assert_null (lf_sandbox_launch (world.host, "refused", &p, &err));
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  plan_fini (&p);
  plan_init (&p, "true", NULL);
  free (p.task_dir);
  p.task_dir = lf_strdup ("/no/such/task");
  assert_null (lf_sandbox_launch (world.host, "refused", &p, &err));
  plan_fini (&p);
}

/* The helper by itself, fed configurations that no daemon sends: it says so and ends. */
static void
feed (const void *data, size_t n)
{
  char *init LF_CLEANUP (lf_freep) = lf_asprintf ("%s/lambdafit-init", world.dir);
  int s[2], st;
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
  /* In namespaces of its own, as it is always started: what it does must not be done to this machine. */
  long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | SIGCHLD | (geteuid () == 0 ? 0 : CLONE_NEWUSER);
  pid_t p = (pid_t) syscall (SYS_clone, flags, NULL, NULL, NULL, NULL);
  if (p < 0)
    fail_msg ("clone: %s", strerror (errno));
  if (p == 0)
    {
      close (s[0]);
      if (s[1] != LF_INIT_CTL_FD)
        dup2 (s[1], LF_INIT_CTL_FD);
      close_range (4, ~0u, 0);
      execl (init, init, (char *) NULL);
      _exit (99);
    }
  close (s[1]);
  if (send (s[0], data, n, MSG_NOSIGNAL) < 0)
    fail_msg ("send: %s", strerror (errno));
  lf_init_note note = { 0 };
  ssize_t r = recv (s[0], &note, sizeof note, 0);
  close (s[0]);
  assert_int_equal (waitpid (p, &st, 0), p);
  assert_true (WIFEXITED (st) && WEXITSTATUS (st) == 1);
  assert_true (r == 0 || (r == (ssize_t) sizeof note && note.type == LF_INIT_NOTE_SETUP_FAILED));
}

static void
garbage_at (char *data, size_t n, unsigned *seed)
{
  for (size_t i = 0; i < n; i++)
    data[i] = (char) (rand_r (seed) % 8 ? 1 + rand_r (seed) % 255 : 0);
}

static void
test_garbage (void **state)
{
  (void) state;
  static char data[4096];
  lf_init_prepare p = { .magic = LF_INIT_MAGIC, .ops = 3 };
  feed ("x", 1);
  feed (&p, sizeof p);
  p.magic++;
  feed (&p, sizeof p);
  p.magic--;
  unsigned seed = 1;
  for (int round = 0; round < 50; round++)
    {
      /* Few zeros, so that counts and strings disagree; no folder to build a root on is named like these. */
      p.ops = (uint32_t) rand_r (&seed) % 300;
      memcpy (data, &p, sizeof p);
      garbage_at (data + sizeof p, sizeof data - sizeof p, &seed);
      feed (data, sizeof p + (size_t) rand_r (&seed) % (sizeof data - sizeof p));
    }
}

static void
test_no_helper (void **state)
{
  (void) state;
  lf_error err;
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/other", world.dir);
  lf_sb_host_options o = { .state_dir = dir, .init_path = "/no/such/lambdafit-init" };
  assert_null (lf_sb_host_new (&o, &err));
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_true (err.fix[0] != 0);
}

/* What a user is told where no sandbox can be made. */
static void
test_refused (void **state)
{
  (void) state;
  lf_error err;
  const char *helper = lf_libexec_path ("lambdafit-init");
  char dir[] = "/tmp/lambdafit-test.XXXXXX";
  assert_non_null (mkdtemp (dir));
  lf_sb_host_options o = { .state_dir = dir, .init_path = helper };
  assert_null (lf_sb_host_new (&o, &err));
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_non_null (strstr (err.why, world.mode->masked_proc ? "/proc" : "namespaces"));
  assert_non_null (strstr (err.fix, world.mode->masked_proc ? "systempaths" : "user.max_user_namespaces"));
  assert_int_equal (lf_rm_rf (dir, &err), 0);
}

static int
run_mode (const mode *m)
{
  static const struct CMUnitTest all[] = { cmocka_unit_test (test_inside),
                                           cmocka_unit_test (test_quota),
                                           cmocka_unit_test (test_exec_from_tmp),
                                           cmocka_unit_test (test_binds),
                                           cmocka_unit_test (test_cpus),
                                           cmocka_unit_test (test_cpuinfo),
                                           cmocka_unit_test (test_helper_killed),
                                           cmocka_unit_test (test_codes),
                                           cmocka_unit_test (test_exec_errors),
                                           cmocka_unit_test (test_restart),
                                           cmocka_unit_test (test_tree_killed),
                                           cmocka_unit_test (test_destroy_running),
                                           cmocka_unit_test (test_bomb),
                                           cmocka_unit_test (test_memory),
                                           cmocka_unit_test (test_tmp_is_not_memory),
                                           cmocka_unit_test (test_cache_is_not_memory),
                                           cmocka_unit_test (test_peak),
                                           cmocka_unit_test (test_mapped),
                                           cmocka_unit_test (test_freeze),
                                           cmocka_unit_test (test_network_none),
                                           cmocka_unit_test (test_many),
                                           cmocka_unit_test (test_files_are_never_rewritten),
                                           cmocka_unit_test (test_daemon_killed),
                                           cmocka_unit_test (test_bad_plans),
                                           cmocka_unit_test (test_garbage),
                                           cmocka_unit_test (test_no_helper) };
  static const struct CMUnitTest few[]
      = { cmocka_unit_test (test_inside), cmocka_unit_test (test_quota), cmocka_unit_test (test_binds),
          cmocka_unit_test (test_restart), cmocka_unit_test (test_network_none) };
  static const struct CMUnitTest refused[] = { cmocka_unit_test (test_refused) };
  world.mode = m;
  print_message ("--- %s\n", m->name);
  if ((m->no_userns || m->masked_proc) && m->ordinary_user)
    return cmocka_run_group_tests_name (m->name, refused, NULL, NULL);
  return m->old_mounts || m->masked_proc ? cmocka_run_group_tests_name (m->name, few, set_scene, clear_scene)
                                         : cmocka_run_group_tests_name (m->name, all, set_scene, clear_scene);
}

/* Each mode in a process of its own: users cannot be changed back. */
static int
run_apart (const mode *m)
{
  fflush (NULL);
  pid_t p = fork ();
  if (p == 0)
    {
      if (m->masked_proc && hide_part_of_proc () < 0)
        {
          print_message ("kernel cannot: %s: %s\n", m->name, strerror (errno));
          _exit (0);
        }
      if (m->ordinary_user && geteuid () == 0 && (setgid (USER) < 0 || setuid (USER) < 0 || prctl (PR_SET_DUMPABLE, 1) < 0))
        _exit (99);
      if (m->no_userns && forbid_user_namespaces () < 0)
        {
          print_message ("kernel cannot: %s: no system call filter\n", m->name);
          _exit (0);
        }
      int r = run_mode (m);
      fflush (NULL);
      exit (r != 0);
    }
  int st = -1;
  return p > 0 && waitpid (p, &st, 0) == p && WIFEXITED (st) && WEXITSTATUS (st) == 0 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  if (argc > 2 && !strcmp (argv[1], "--inside"))
    return inside_main (argc, argv);
  static const mode modes[]
      = { { .name = "root, control groups" },
          { .name = "root, no control groups", .no_groups = true },
          { .name = "root, old mounts", .no_groups = true, .old_mounts = true },
          { .name = "root, user namespaces forbidden", .no_userns = true },
          { .name = "root, part of /proc hidden", .masked_proc = true },
          { .name = "ordinary user, part of /proc hidden", .ordinary_user = true, .masked_proc = true },
          { .name = "ordinary user", .ordinary_user = true },
          { .name = "ordinary user, old mounts", .ordinary_user = true, .no_groups = true, .old_mounts = true },
          { .name = "ordinary user, user namespaces forbidden", .ordinary_user = true, .no_userns = true } };
  int r = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (modes); i++)
    {
      if ((!modes[i].ordinary_user || modes[i].masked_proc) && geteuid () != 0)
        print_message ("not tried: %s (this is not root)\n", modes[i].name);
      else
        r |= run_apart (&modes[i]);
    }
  return r;
}
