/* SPDX-License-Identifier: Apache-2.0
 *
 * Real sandboxes: as root and as an ordinary user, with the best control groups here and with none, with the newer mount calls and
 * with the old one. What the kernel here cannot do is said and skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lambdafit/sandbox.h"
#include "../../src/sandbox/init/wire.h"
#include "sandbox_inside.h"

#define DEADLINE_US 20000000
#define USER 65534
#define TMP_BYTES (8 * LF_MB)

typedef struct mode
{
  const char *name;
  bool ordinary_user, no_groups, old_mounts, no_userns;
} mode;
static const mode *now_mode;
static char root_dir[64]; /* everything the tests write */
static lf_sb_host *host;
static lf_buf log_text;

static lf_sb_host *
new_host (void)
{
  static const lf_cg_kind none = LF_CG_NONE;
  static int serial;
  lf_error err;
  char *helper LF_CLEANUP (lf_freep) = lf_asprintf ("%s/lambdafit-init", root_dir);
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/state-%d-%d", root_dir, (int) getpid (), ++serial);
  lf_sb_host_options o
      = { .state_dir = dir, .init_path = helper, .cg = now_mode->no_groups ? &none : NULL, .old_mounts = now_mode->old_mounts };
  lf_sb_host *h = lf_sb_host_new (&o, &err);
  if (!h)
    print_message ("%s: %s: %s\n", now_mode->name, err.what, err.why);
  return h;
}

/* ---- running one ----------------------------------------------------------------------------------------- */

static void
plan_init (lf_sb_plan *p, const char *check, const char *arg)
{
  *p = (lf_sb_plan){ .memory_bytes = 256 * LF_MB,
                     .tmp_bytes = TMP_BYTES,
                     .cpu_milli = LF_NONE,
                     .visible_cpus = 2,
                     .fds = 1024,
                     .processes = 1024,
                     .nproc_rlimit = 742 };
  p->task_dir = lf_asprintf ("%s/task", root_dir);
  assert_int_equal (lf_strv_add (&p->argv, "/var/task/program"), 0);
  if (check)
    {
      assert_int_equal (lf_strv_add (&p->argv, "--inside"), 0);
      assert_int_equal (lf_strv_add (&p->argv, check), 0);
      assert_int_equal (lf_strv_add (&p->argv, arg ? arg : ""), 0);
    }
  assert_int_equal (lf_strv_add (&p->env, "MARKER=present"), 0);
  assert_int_equal (lf_strv_add (&p->env, "ASAN_OPTIONS=detect_leaks=0"), 0);
}

static void
plan_fini (lf_sb_plan *p)
{
  free (p->task_dir);
  free (p->opt_dir);
  free (p->runtime_dir);
  for (size_t i = 0; i < p->binds_n; i++)
    {
      free (p->binds[i].from);
      free (p->binds[i].to);
    }
  lf_strv_fini (&p->argv);
  lf_strv_fini (&p->env);
}

static lf_sandbox *
launch (const lf_sb_plan *p)
{
  static int serial;
  char id[32];
  lf_error err;
  snprintf (id, sizeof id, "test-%d", ++serial);
  lf_buf_reset (&log_text);
  lf_sandbox *s = lf_sandbox_launch (host, id, p, &err);
  if (!s)
    fail_msg ("launch: %s: %s", err.what, err.why);
  return s;
}

static void
drain (lf_sandbox *s)
{
  char buf[4096];
  ssize_t n;
  while ((n = read (lf_sandbox_log_fd (s), buf, sizeof buf)) > 0)
    lf_buf_add (&log_text, buf, (size_t) n);
}

/* One turn of a loop: waits a moment for anything, and looks at memory where the kernel does not. */
static void
turn (lf_sandbox *s)
{
  struct pollfd p[3] = { { lf_sandbox_ctl_fd (s), POLLIN, 0 },
                         { lf_sandbox_log_fd (s), POLLIN, 0 },
                         { lf_sandbox_memory_fd (s), lf_sandbox_memory_fd_is_pri (s) ? POLLPRI : POLLIN, 0 } };
  poll (p, 3, 20);
  drain (s);
  if (p[2].revents)
    lf_sandbox_on_memory (s);
  if (lf_sb_host_enforcement (host)->by[LF_LIM_MEMORY] == LF_ENF_SAMPLED)
    lf_sandbox_sample (s);
}

static lf_sb_event
next_event (lf_sandbox *s)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  lf_sb_event ev;
  for (;;)
    {
      lf_sandbox_read (s, &ev);
      if (ev.type == LF_SB_SETUP_FAILED)
        fail_msg ("set-up: %s: %s", ev.error.what, ev.error.why);
      if (ev.type != LF_SB_NONE)
        return ev;
      if (lf_now_us () > end)
        fail_msg ("no event in time; output: %s", log_text.data ? log_text.data : "");
      turn (s);
    }
}

static lf_exit_info
expect_exit (lf_sandbox *s)
{
  lf_sb_event ev = next_event (s);
  drain (s);
  if (ev.type != LF_SB_EXIT)
    fail_msg ("event %d instead of the exit", ev.type);
  return ev.exit;
}

static void
expect_launched (lf_sandbox *s)
{
  assert_int_equal (next_event (s).type, LF_SB_LAUNCHED);
}

static void
expect_code (lf_sandbox *s, int code)
{
  lf_exit_info x = expect_exit (s);
  if (!x.exited || x.code != code)
    fail_msg ("exited %d, code %d, signal %d; output: %s", x.exited, x.code, x.signal, log_text.data ? log_text.data : "");
}

static void
finish (lf_sandbox *s)
{
  pid_t pid = lf_sandbox_pid (s);
  lf_sandbox_destroy (s);
  assert_int_equal (next_event (s).type, LF_SB_DEAD);
  lf_sandbox_free (s);
  assert_true (kill (pid, 0) < 0 && errno == ESRCH);
}

static void
wait_output (lf_sandbox *s, const char *text)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  while (!log_text.data || !strstr (log_text.data, text))
    {
      if (lf_now_us () > end)
        fail_msg ("no \"%s\" in time; output: %s", text, log_text.data ? log_text.data : "");
      turn (s);
    }
}

/* Until nothing has been printed for several turns: what was on its way has come. */
static void
wait_silence (lf_sandbox *s)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  for (int quiet = 0; quiet < 4; quiet++)
    {
      lf_buf_reset (&log_text);
      turn (s);
      if (log_text.len > 0)
        quiet = -1;
      if (lf_now_us () > end)
        fail_msg ("it does not fall silent");
    }
}

/* Processes below the helper, as its own /proc entry lists them; -1 where the kernel has no such list. */
static int
children (lf_sandbox *s)
{
  char path[64], text[256] = "";
  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int) lf_sandbox_pid (s), (int) lf_sandbox_pid (s));
  FILE *f = fopen (path, "re");
  if (!f)
    return -1;
  int n = 0;
  while (fscanf (f, "%255s", text) == 1)
    n++;
  fclose (f);
  return n;
}

/* A signal to the runtime from outside: it is the helper's only child then. */
static int
kill_inside (lf_sandbox *s, int sig)
{
  char path[64];
  int pid = 0;
  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int) lf_sandbox_pid (s), (int) lf_sandbox_pid (s));
  FILE *f = fopen (path, "re");
  bool ok = f && fscanf (f, "%d", &pid) == 1 && pid > 0;
  if (f)
    fclose (f);
  return ok ? kill (pid, sig) : -1;
}

/* A whole life that must end with status 0. */
static void
run_check (const char *check, const char *arg)
{
  lf_sb_plan p;
  plan_init (&p, check, arg);
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  expect_code (s, 0);
  finish (s);
  plan_fini (&p);
}

/* ---- what it looks like inside --------------------------------------------------------------------------- */

static void
test_inside (void **state)
{
  (void) state;
  char *secret LF_CLEANUP (lf_freep) = lf_asprintf ("%s/secret", root_dir);
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
  p.opt_dir = lf_asprintf ("%s/opt", root_dir);
  p.binds[0] = (lf_sb_bind){ lf_asprintf ("%s/prefix", root_dir), lf_asprintf ("/home/someone/.tools/prefix") };
  p.binds[1] = (lf_sb_bind){ lf_asprintf ("%s/prefix", root_dir), lf_asprintf ("/opt/below") };
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
  if (lf_sb_host_enforcement (host)->by[LF_LIM_PROCESSES] != LF_ENF_KERNEL)
    {
      print_message ("kernel cannot: no limit of processes here\n");
      skip ();
    }
  lf_sb_plan p;
  plan_init (&p, "bomb", NULL);
  p.cpu_milli = 72;
  p.processes = 200;
  p.nproc_rlimit = 150;
  lf_sandbox *s = launch (&p);
  expect_launched (s);
  wait_output (s, "bomb");
  assert_int_equal (lf_sandbox_kill (s), 0);
  assert_int_equal (expect_exit (s).signal, SIGKILL);
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
  if (lf_sb_host_enforcement (host)->by[LF_LIM_MEMORY] == LF_ENF_KERNEL)
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
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/task/large", root_dir);
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
  if (a.max_memory_bytes == LF_NONE || lf_sb_host_enforcement (host)->by[LF_LIM_MEMORY] != LF_ENF_KERNEL)
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

/* ---- when the daemon dies -------------------------------------------------------------------------------- */

static void
doomed_daemon (int out, bool frozen)
{
  lf_sb_plan p;
  host = new_host (); /* the other one belongs to the process that lives on */
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
  assert_null (lf_sandbox_launch (host, "refused", &p, &err));
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
  assert_null (lf_sandbox_launch (host, "refused", &p, &err));
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  plan_fini (&p);
  plan_init (&p, "true", NULL);
  free (p.task_dir);
  p.task_dir = lf_strdup ("/no/such/task");
  assert_null (lf_sandbox_launch (host, "refused", &p, &err));
  plan_fini (&p);
}

/* The helper by itself, fed configurations that no daemon sends: it says so and ends. */
static void
feed (const void *data, size_t n)
{
  char *init LF_CLEANUP (lf_freep) = lf_asprintf ("%s/lambdafit-init", root_dir);
  int s[2], st;
  assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
  pid_t p = fork ();
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
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/other", root_dir);
  lf_sb_host_options o = { .state_dir = dir, .init_path = "/no/such/lambdafit-init" };
  assert_null (lf_sb_host_new (&o, &err));
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_true (err.fix[0] != 0);
}

/* ---- the scenery ----------------------------------------------------------------------------------------- */

static void
write_at (const char *name, const char *text, mode_t m)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", root_dir, name);
  lf_error err;
  assert_int_equal (lf_write_file_atomic (path, text, strlen (text), &err), 0);
  assert_int_equal (chmod (path, m), 0);
}

static void
copy_at (const char *from, const char *name)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", root_dir, name);
  lf_buf b;
  lf_error err;
  lf_buf_init (&b, 0);
  if (lf_read_file (from, 256 * LF_MB, &b, &err) < 0 || lf_write_file_atomic (path, b.data, b.len, &err) < 0
      || chmod (path, 0755) < 0)
    fail_msg ("%s: %s", err.what, err.why);
  lf_buf_fini (&b);
}

static void
folder_at (const char *name)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", root_dir, name);
  assert_true (mkdir (path, 0755) == 0 || errno == EEXIST);
  assert_int_equal (chmod (path, 0755), 0);
}

static int
set_scene (void **state)
{
  (void) state;
  static const char *const folders[] = { "task", "opt", "opt/layer", "prefix" };
  strcpy (root_dir, "/tmp/lambdafit-test.XXXXXX");
  assert_non_null (mkdtemp (root_dir));
  assert_int_equal (chmod (root_dir, 0755), 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (folders); i++)
    folder_at (folders[i]);
  write_at ("secret", "secret\n", 0644);
  write_at ("task/not-executable", "#!/bin/sh\n", 0644);
  write_at ("task/not-a-program", "neither\n", 0755);
  write_at ("task/bad-interpreter", "#!/no/such/program\n", 0755);
  write_at ("opt/layer/file", "x\n", 0644);
  write_at ("prefix/file", "x\n", 0644);
  char *link LF_CLEANUP (lf_freep) = lf_asprintf ("%s/opt/link", root_dir);
  assert_int_equal (symlink ("layer/file", link), 0);
  copy_at ("/proc/self/exe", "task/program");
  const char *init = lf_libexec_path ("lambdafit-init");
  copy_at (init, "lambdafit-init");
  lf_buf_init (&log_text, LF_MB);
  host = new_host ();
  return host ? 0 : -1;
}

static int
clear_scene (void **state)
{
  (void) state;
  lf_error err;
  lf_sb_host_free (host);
  lf_buf_fini (&log_text);
  return lf_rm_rf (root_dir, &err);
}

/* As where an administrator or a container forbids them: clone and unshare with a new user namespace are refused. */
static int
forbid_user_namespaces (void)
{
  enum
  {
    NEWUSER = 0x10000000
  };
  struct sock_filter f[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[0])),
    BPF_JUMP (BPF_JMP | BPF_JSET | BPF_K, NEWUSER, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog p = { sizeof f / sizeof *f, f };
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0 ? 0 : -1;
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
  assert_non_null (strstr (err.why, "namespaces"));
  assert_non_null (strstr (err.fix, "user.max_user_namespaces"));
  assert_int_equal (lf_rm_rf (dir, &err), 0);
}

static int
run_mode (const mode *m)
{
  static const struct CMUnitTest all[] = { cmocka_unit_test (test_inside),
                                           cmocka_unit_test (test_quota),
                                           cmocka_unit_test (test_exec_from_tmp),
                                           cmocka_unit_test (test_binds),
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
                                           cmocka_unit_test (test_freeze),
                                           cmocka_unit_test (test_network_none),
                                           cmocka_unit_test (test_many),
                                           cmocka_unit_test (test_daemon_killed),
                                           cmocka_unit_test (test_bad_plans),
                                           cmocka_unit_test (test_garbage),
                                           cmocka_unit_test (test_no_helper) };
  static const struct CMUnitTest few[]
      = { cmocka_unit_test (test_inside), cmocka_unit_test (test_quota), cmocka_unit_test (test_binds),
          cmocka_unit_test (test_restart), cmocka_unit_test (test_network_none) };
  static const struct CMUnitTest refused[] = { cmocka_unit_test (test_refused) };
  now_mode = m;
  print_message ("--- %s\n", m->name);
  if (m->no_userns && m->ordinary_user)
    return cmocka_run_group_tests_name (m->name, refused, NULL, NULL);
  return m->old_mounts ? cmocka_run_group_tests_name (m->name, few, set_scene, clear_scene)
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
          { .name = "ordinary user", .ordinary_user = true },
          { .name = "ordinary user, old mounts", .ordinary_user = true, .no_groups = true, .old_mounts = true },
          { .name = "ordinary user, user namespaces forbidden", .ordinary_user = true, .no_userns = true } };
  int r = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (modes); i++)
    {
      if (!modes[i].ordinary_user && geteuid () != 0)
        print_message ("not tried: %s (this is not root)\n", modes[i].name);
      else
        r |= run_apart (&modes[i]);
    }
  return r;
}
