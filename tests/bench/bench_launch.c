/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a sandbox takes from launch to the first instruction of its bootstrap, against posix_spawn of the same program (which
 * prints the monotonic clock as it starts), and how long freezing and thawing an idle environment takes. One line of JSON,
 * microseconds. bench_launch RUNTIME [COUNT]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lambdafit/sandbox.h"

#define COUNT_MAX 1000
extern char **environ;

static lf_sb_host *host;
static char folder[] = "/tmp/lambdafit-bench.XXXXXX";

static void
tidy (void)
{
  lf_error err;
  lf_sb_host_free (host);
  host = NULL;
  lf_rm_rf (folder, &err);
}

static void
die (const char *what, const char *why)
{
  fprintf (stderr, "bench_launch: %s: %s\n", what, why);
  tidy ();
  exit (1);
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static double
median (double *v, int n)
{
  qsort (v, (size_t) n, sizeof *v, compare);
  return v[n / 2];
}

/* The moment that the program printed. */
static lf_time_us
moment (int fd)
{
  char text[64];
  size_t n = 0;
  while (n < sizeof text - 1)
    {
      struct pollfd p = { fd, POLLIN, 0 };
      if (poll (&p, 1, 10000) <= 0)
        die ("program", "said nothing in ten seconds");
      ssize_t k = read (fd, text + n, sizeof text - 1 - n);
      if (k <= 0)
        die ("program", "ended without saying when it began");
      n += (size_t) k;
      if (text[n - 1] == '\n')
        break;
    }
  text[n] = '\0';
  return strtoll (text, NULL, 10);
}

static double
spawn_once (char *program)
{
  int pipes[2];
  pid_t pid;
  char *argv[] = { program, (char *) (uintptr_t) "--now", NULL };
  posix_spawn_file_actions_t fa;
  if (pipe2 (pipes, O_CLOEXEC) < 0)
    die ("pipe", strerror (errno));
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_adddup2 (&fa, pipes[1], 1);
  lf_time_us t = lf_now_us ();
  if (posix_spawn (&pid, program, &fa, NULL, argv, environ) != 0)
    die (program, "cannot be started");
  posix_spawn_file_actions_destroy (&fa);
  close (pipes[1]);
  lf_time_us at = moment (pipes[0]);
  close (pipes[0]);
  waitpid (pid, NULL, 0);
  return (double) (at - t);
}

static lf_sb_event
next_event (lf_sandbox *s)
{
  lf_sb_event ev;
  for (;;)
    {
      lf_sandbox_read (s, &ev);
      if (ev.type == LF_SB_SETUP_FAILED)
        die (ev.error.what, ev.error.why);
      if (ev.type != LF_SB_NONE)
        return ev;
      struct pollfd p = { lf_sandbox_ctl_fd (s), POLLIN, 0 };
      if (poll (&p, 1, 10000) <= 0)
        die ("sandbox", "no event in ten seconds");
    }
}

static void
end (lf_sandbox *s)
{
  lf_sandbox_destroy (s);
  while (next_event (s).type != LF_SB_DEAD)
    ;
  lf_sandbox_free (s);
}

static double
launch_once (const lf_sb_plan *p, int i)
{
  lf_error err;
  char id[32];
  snprintf (id, sizeof id, "bench-%d", i);
  lf_time_us t = lf_now_us ();
  lf_sandbox *s = lf_sandbox_launch (host, id, p, &err);
  if (!s)
    die (err.what, err.why);
  while (next_event (s).type != LF_SB_LAUNCHED)
    ;
  lf_time_us at = moment (lf_sandbox_log_fd (s));
  end (s);
  return (double) (at - t);
}

/* The state of a process as the kernel shows it; its "stat" is kept open, since opening costs more than freezing. */
static bool
stopped (int stat_fd, const char *freezer)
{
  char text[512];
  ssize_t k = pread (stat_fd, text, sizeof text - 1, 0);
  text[k > 0 ? k : 0] = '\0';
  if (freezer)
    return strstr (text, "frozen 1");
  const char *paren = strrchr (text, ')');
  return paren && (paren[2] == 'T' || paren[2] == 't');
}

/* What shows whether the sandbox's program stands still: its group's events on v2, its own state elsewhere. */
static int
watch (const lf_sandbox *s, const char **freezer)
{
  char path[600], text[400];
  int fd;
  ssize_t k;
  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int) lf_sandbox_pid (s), (int) lf_sandbox_pid (s));
  fd = open (path, O_RDONLY | O_CLOEXEC);
  k = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  close (fd);
  if (k <= 0)
    die ("freeze", "the program cannot be found");
  text[k] = '\0';
  int pid = atoi (text);
  *freezer = NULL;
  snprintf (path, sizeof path, "/proc/%d/stat", pid);
  if (lf_sb_host_cgroup (host) == LF_CG_V2)
    {
      char *line = NULL;
      size_t cap = 0;
      snprintf (path, sizeof path, "/proc/%d/cgroup", pid);
      FILE *f = fopen (path, "re");
      while (f && getline (&line, &cap, f) > 0)
        if (strncmp (line, "0::", 3) == 0)
          snprintf (path, sizeof path, "/sys/fs/cgroup%.*s/cgroup.events", (int) strcspn (line + 3, "\n"), line + 3);
      if (f)
        fclose (f);
      free (line);
      *freezer = "v2";
    }
  fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    die (path, strerror (errno));
  return fd;
}

/* Freezes and thaws a program that waits, as environments do between invocations: the calls alone, and until the kernel shows it
 * done. */
static void
freeze_medians (const lf_sb_plan *p, int n, double *calls, double *seen)
{
  static double call[COUNT_MAX], whole[COUNT_MAX];
  lf_error err;
  const char *freezer;
  lf_sandbox *s = lf_sandbox_launch (host, "bench-freeze", p, &err);
  if (!s)
    die (err.what, err.why);
  while (next_event (s).type != LF_SB_LAUNCHED)
    ;
  int fd = watch (s, &freezer);
  for (int i = 0; i < n; i++)
    {
      lf_time_us a = lf_now_us ();
      int rc = lf_sandbox_freeze (s);
      lf_time_us b = lf_now_us ();
      while (rc == 0 && !stopped (fd, freezer) && lf_now_us () - b < 1000000)
        ;
      lf_time_us c = lf_now_us ();
      rc |= lf_sandbox_thaw (s);
      lf_time_us d = lf_now_us ();
      while (rc == 0 && stopped (fd, freezer) && lf_now_us () - d < 1000000)
        ;
      lf_time_us e = lf_now_us ();
      if (rc < 0 || c - b >= 1000000 || e - d >= 1000000)
        die ("freeze", "not possible here");
      call[i] = (double) (b - a + d - c);
      whole[i] = (double) (e - a);
    }
  close (fd);
  end (s);
  *calls = median (call, n);
  *seen = median (whole, n);
}

static void
plan_set (lf_sb_plan *p, const char *arg)
{
  lf_strv_fini (&p->argv);
  lf_strv_add (&p->argv, "/var/task/bootstrap");
  if (arg)
    lf_strv_add (&p->argv, arg);
}

int
main (int argc, char **argv)
{
  static double spawned[COUNT_MAX], launched[COUNT_MAX], again[COUNT_MAX];
  static const char *const drivers[] = { "none", "v1", "v2" };
  lf_error err;
  LF_CLEANUP (lf_buf_fini) lf_buf program = { 0 };
  int64_t n = 100;
  if (argc < 2 || (argc > 2 && lf_parse_i64 (argv[2], 1, COUNT_MAX, &n) < 0) || !mkdtemp (folder))
    return 2;
  char *task LF_CLEANUP (lf_freep) = lf_asprintf ("%s/task", folder),
                        *boot LF_CLEANUP (lf_freep) = lf_asprintf ("%s/task/bootstrap", folder),
                        *state LF_CLEANUP (lf_freep) = lf_asprintf ("%s/state", folder);
  if (lf_mkdir_p (task, 0755, &err) < 0 || lf_mkdir_p (state, 0755, &err) < 0
      || lf_read_file (argv[1], 64 << 20, &program, &err) < 0 || lf_write_file_atomic (boot, program.data, program.len, &err) < 0)
    die (err.what, err.why);
  chmod (folder, 0755);
  chmod (boot, 0755);
  lf_sb_host_options o = { .state_dir = state };
  host = lf_sb_host_new (&o, &err);
  if (!host)
    die (err.what, err.why);
  lf_sb_plan p = { .task_dir = task,
                   .memory_bytes = 128 * LF_MB,
                   .tmp_bytes = 512 * LF_MB,
                   .cpu_milli = LF_NONE,
                   .visible_cpus = 2,
                   .fds = 1024,
                   .processes = 1024,
                   .nproc_rlimit = 742 };
  lf_strv_add (&p.env, "PATH=/usr/local/bin:/usr/bin:/bin");
  plan_set (&p, "--now");
  for (int i = 0; i < (int) n; i++)
    {
      spawned[i] = spawn_once (boot);
      launched[i] = launch_once (&p, i);
    }
  /* A burst: no time for anything to be prepared in between. */
  for (int i = 0; i < (int) n; i++)
    again[i] = launch_once (&p, i);
  plan_set (&p, "--wait");
  double calls, seen;
  freeze_medians (&p, (int) n, &calls, &seen);
  double a = median (spawned, (int) n), b = median (launched, (int) n), c = median (again, (int) n);
  printf ("{\"cgroup\":\"%s\",\"count\":%d,\"spawn_us\":%.0f,\"launch_us\":%.0f,\"launch_burst_us\":%.0f,\"freeze_thaw_us\":%.1f,"
          "\"freeze_thaw_call_us\":%.1f}\n",
          drivers[lf_sb_host_cgroup (host)], (int)n, a, b, c, seen, calls);
  lf_strv_fini (&p.argv);
  lf_strv_fini (&p.env);
  tidy ();
  return 0;
}
