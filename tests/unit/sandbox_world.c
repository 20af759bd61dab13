/* SPDX-License-Identifier: Apache-2.0
 *
 * See sandbox_world.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <poll.h>
#include <signal.h>
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
#include "sandbox_world.h"

struct world world;

lf_sb_host *
new_host (void)
{
  static const lf_cg_kind none = LF_CG_NONE;
  static int serial;
  lf_error err;
  char *helper LF_CLEANUP (lf_freep) = lf_asprintf ("%s/lambdafit-init", world.dir);
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/state-%d-%d", world.dir, (int) getpid (), ++serial);
  lf_sb_host_options o
      = { .state_dir = dir, .init_path = helper, .cg = world.mode->no_groups ? &none : NULL, .old_mounts = world.mode->old_mounts };
  lf_sb_host *h = lf_sb_host_new (&o, &err);
  if (!h)
    print_message ("%s: %s: %s\n", world.mode->name, err.what, err.why);
  return h;
}

/* ---- running one ----------------------------------------------------------------------------------------- */

void
plan_init (lf_sb_plan *p, const char *check, const char *arg)
{
  *p = (lf_sb_plan){ .memory_bytes = 256 * LF_MB,
                     .tmp_bytes = TMP_BYTES,
                     .cpu_milli = LF_NONE,
                     .visible_cpus = 2,
                     .fds = 1024,
                     .processes = 1024,
                     .nproc_rlimit = 742 };
  p->task_dir = lf_asprintf ("%s/task", world.dir);
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

void
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

lf_sandbox *
launch (const lf_sb_plan *p)
{
  static int serial;
  char id[32];
  lf_error err;
  snprintf (id, sizeof id, "test-%d", ++serial);
  lf_buf_reset (&world.log);
  lf_sandbox *s = lf_sandbox_launch (world.host, id, p, &err);
  if (!s)
    fail_msg ("launch: %s: %s", err.what, err.why);
  return s;
}

void
drain (lf_sandbox *s)
{
  char buf[4096];
  ssize_t n;
  while ((n = read (lf_sandbox_log_fd (s), buf, sizeof buf)) > 0)
    lf_buf_add (&world.log, buf, (size_t) n);
}

/* One turn of a loop: waits a moment for anything, and looks at memory where the kernel does not. */
void
turn (lf_sandbox *s)
{
  struct pollfd p[3] = { { lf_sandbox_ctl_fd (s), POLLIN, 0 },
                         { lf_sandbox_log_fd (s), POLLIN, 0 },
                         { lf_sandbox_memory_fd (s), lf_sandbox_memory_fd_is_pri (s) ? POLLPRI : POLLIN, 0 } };
  poll (p, 3, 20);
  drain (s);
  if (p[2].revents)
    lf_sandbox_on_memory (s);
  if (lf_sb_host_enforcement (world.host)->by[LF_LIM_MEMORY] == LF_ENF_SAMPLED)
    lf_sandbox_sample (s);
}

lf_sb_event
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
        fail_msg ("no event in time; output: %s", world.log.data ? world.log.data : "");
      turn (s);
    }
}

lf_exit_info
expect_exit (lf_sandbox *s)
{
  lf_sb_event ev = next_event (s);
  drain (s);
  if (ev.type != LF_SB_EXIT)
    fail_msg ("event %d instead of the exit", ev.type);
  return ev.exit;
}

void
expect_launched (lf_sandbox *s)
{
  assert_int_equal (next_event (s).type, LF_SB_LAUNCHED);
}

void
expect_code (lf_sandbox *s, int code)
{
  lf_exit_info x = expect_exit (s);
  if (!x.exited || x.code != code)
    fail_msg ("exited %d, code %d, signal %d; output: %s", x.exited, x.code, x.signal, world.log.data ? world.log.data : "");
}

void
finish (lf_sandbox *s)
{
  pid_t pid = lf_sandbox_pid (s);
  lf_sandbox_destroy (s);
  assert_int_equal (next_event (s).type, LF_SB_DEAD);
  lf_sandbox_free (s);
  assert_true (kill (pid, 0) < 0 && errno == ESRCH);
}

void
wait_output (lf_sandbox *s, const char *text)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  while (!world.log.data || !strstr (world.log.data, text))
    {
      if (lf_now_us () > end)
        fail_msg ("no \"%s\" in time; output: %s", text, world.log.data ? world.log.data : "");
      turn (s);
    }
}

/* Until nothing has been printed for several turns: what was on its way has come. */
void
wait_silence (lf_sandbox *s)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  for (int quiet = 0; quiet < 4; quiet++)
    {
      lf_buf_reset (&world.log);
      turn (s);
      if (world.log.len > 0)
        quiet = -1;
      if (lf_now_us () > end)
        fail_msg ("it does not fall silent");
    }
}

/* Processes below the helper, as its own /proc entry lists them; -1 where the kernel has no such list. */
int
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
int
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
void
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

/* ---- the scenery ----------------------------------------------------------------------------------------- */

static void
write_at (const char *name, const char *text, mode_t m)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", world.dir, name);
  lf_error err;
  assert_int_equal (lf_write_file_atomic (path, text, strlen (text), &err), 0);
  assert_int_equal (chmod (path, m), 0);
}

static void
copy_at (const char *from, const char *name)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", world.dir, name);
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
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", world.dir, name);
  assert_true (mkdir (path, 0755) == 0 || errno == EEXIST);
  assert_int_equal (chmod (path, 0755), 0);
}

int
set_scene (void **state)
{
  (void) state;
  static const char *const folders[] = { "task", "opt", "opt/layer", "prefix" };
  strcpy (world.dir, "/tmp/lambdafit-test.XXXXXX");
  assert_non_null (mkdtemp (world.dir));
  assert_int_equal (chmod (world.dir, 0755), 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (folders); i++)
    folder_at (folders[i]);
  write_at ("secret", "secret\n", 0644);
  write_at ("task/not-executable", "#!/bin/sh\n", 0644);
  write_at ("task/not-a-program", "neither\n", 0755);
  write_at ("task/bad-interpreter", "#!/no/such/program\n", 0755);
  write_at ("opt/layer/file", "x\n", 0644);
  write_at ("prefix/file", "x\n", 0644);
  char *link LF_CLEANUP (lf_freep) = lf_asprintf ("%s/opt/link", world.dir);
  assert_int_equal (symlink ("layer/file", link), 0);
  copy_at ("/proc/self/exe", "task/program");
  const char *init = lf_libexec_path ("lambdafit-init");
  copy_at (init, "lambdafit-init");
  lf_buf_init (&world.log, LF_MB);
  world.host = new_host ();
  return world.host ? 0 : -1;
}

int
clear_scene (void **state)
{
  (void) state;
  lf_error err;
  lf_sb_host_free (world.host);
  lf_buf_fini (&world.log);
  return lf_rm_rf (world.dir, &err);
}

/* As where an administrator or a container forbids them: clone and unshare with a new user namespace are refused. */
int
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

int
hide_part_of_proc (void)
{
  return unshare (CLONE_NEWNS) == 0 && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
                 && mount ("none", "/proc/fs", "tmpfs", MS_RDONLY, NULL) == 0
             ? 0
             : -1;
}
