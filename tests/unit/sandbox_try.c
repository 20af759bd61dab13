/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox_try: runs a command in a sandbox and shows what happens; with -b, measures how long sandboxes take to start. For
 * developers. sandbox_try [-f] [-n] [-o] [-s] [-m MB] [-t MB] [-g none|v1|v2] [-d TASKDIR] [-b COUNT] [--] COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lambdafit/sandbox.h"

extern char **environ;

static void
die (const lf_error *e)
{
  fprintf (stderr, "sandbox_try: %s: %s\n  fix: %s\n", e->what, e->why, e->fix);
  exit (e->exit);
}

static bool
drain (int fd)
{
  char buf[4096];
  ssize_t n;
  while ((n = read (fd, buf, sizeof buf)) > 0)
    fwrite (buf, 1, (size_t) n, stdout);
  fflush (stdout);
  return n < 0 && errno == EAGAIN;
}

/* The next event, with output shown and memory watched meanwhile. */
static lf_sb_event
next_event (lf_sandbox *s)
{
  lf_sb_event ev;
  for (;;)
    {
      lf_sandbox_read (s, &ev);
      if (ev.type != LF_SB_NONE)
        return ev;
      struct pollfd p[3] = { { lf_sandbox_ctl_fd (s), POLLIN, 0 },
                             { lf_sandbox_log_fd (s), POLLIN, 0 },
                             { lf_sandbox_memory_fd (s), lf_sandbox_memory_fd_is_pri (s) ? POLLPRI : POLLIN, 0 } };
      int r = poll (p, 3, lf_sandbox_memory_fd (s) < 0 ? 100 : -1);
      if (p[1].revents)
        drain (p[1].fd);
      if (r > 0 && p[2].revents)
        lf_sandbox_on_memory (s);
      if (r == 0)
        lf_sandbox_sample (s);
    }
}

static void
show_end (lf_sandbox *s, const lf_sb_event *ev)
{
  lf_sb_usage u;
  lf_sandbox_usage (s, &u);
  fprintf (stderr, "exited %d code %d signal %d core %d oom %d exec_errno %d\n", ev->exit.exited, ev->exit.code, ev->exit.signal,
           ev->exit.core, ev->exit.oom, ev->exit.exec_errno);
  fprintf (stderr, "memory %.1f max %.1f tmp %.1f MB, cpu %lld us\n", (double) u.memory_bytes / 1e6,
           (double) u.max_memory_bytes / 1e6, (double) u.tmp_bytes / 1e6, (long long) u.cpu_us);
}

static int
run_once (lf_sb_host *h, const lf_sb_plan *p)
{
  lf_error err;
  lf_sandbox *s = lf_sandbox_launch (h, "try", p, &err);
  if (!s)
    die (&err);
  for (;;)
    {
      lf_sb_event ev = next_event (s);
      if (ev.type == LF_SB_SETUP_FAILED)
        die (&ev.error);
      if (ev.type == LF_SB_EXIT || ev.type == LF_SB_EXEC_FAILED)
        {
          drain (lf_sandbox_log_fd (s));
          show_end (s, &ev);
          lf_sandbox_destroy (s);
        }
      if (ev.type == LF_SB_DEAD)
        break;
    }
  lf_sandbox_free (s);
  return 0;
}

static int
compare (const void *a, const void *b)
{
  const lf_time_us x = *(const lf_time_us *) a, y = *(const lf_time_us *) b;
  return x < y ? -1 : x > y;
}

static lf_time_us
median (lf_time_us *v, int n)
{
  qsort (v, (size_t) n, sizeof *v, compare);
  return v[n / 2];
}

/* Plain posix_spawn of the same command until it has ended, for the ratio. */
static lf_time_us
spawn_once (char **argv)
{
  pid_t pid;
  lf_time_us t = lf_now_us ();
  if (posix_spawn (&pid, argv[0], NULL, NULL, argv, environ) != 0)
    exit (1);
  waitpid (pid, NULL, 0);
  return lf_now_us () - t;
}

static void
bench (lf_sb_host *h, const lf_sb_plan *p, int n)
{
  lf_time_us *launched = calloc ((size_t) n, sizeof *launched), *call = calloc ((size_t) n, sizeof *call),
             *whole = calloc ((size_t) n, sizeof *whole), *plain = calloc ((size_t) n, sizeof *plain);
  for (int i = 0; i < n; i++)
    {
      lf_error err;
      lf_time_us t = lf_now_us ();
      lf_sandbox *s = lf_sandbox_launch (h, "bench", p, &err);
      if (!s)
        die (&err);
      call[i] = lf_now_us () - t;
      for (lf_sb_event ev = { 0 }; ev.type != LF_SB_DEAD;)
        {
          ev = next_event (s);
          if (ev.type == LF_SB_SETUP_FAILED)
            die (&ev.error);
          if (ev.type == LF_SB_LAUNCHED)
            launched[i] = lf_now_us () - t;
          if (ev.type == LF_SB_EXIT)
            {
              whole[i] = lf_now_us () - t;
              lf_sandbox_destroy (s);
            }
        }
      lf_sandbox_free (s);
      plain[i] = spawn_once (p->argv.v);
    }
  lf_time_us a = median (call, n), b = median (launched, n), c = median (whole, n), d = median (plain, n);
  printf ("launch call %lld us, to exec %lld us, to exit %lld us, plain spawn to exit %lld us; ratio %.2f\n", (long long) a,
          (long long) b, (long long) c, (long long) d, (double) c / (double) d);
  free (launched);
  free (call);
  free (whole);
  free (plain);
}

/* How long the daemon is busy with freezing and thawing a sandbox that sleeps. The runtime must be one that stays. */
static void
bench_freeze (lf_sb_host *h, const lf_sb_plan *p, int n)
{
  lf_error err;
  lf_time_us *both = calloc ((size_t) n, sizeof *both);
  lf_sandbox *s = lf_sandbox_launch (h, "freeze", p, &err);
  if (!s)
    die (&err);
  for (lf_sb_event ev = { 0 }; ev.type != LF_SB_LAUNCHED;)
    if ((ev = next_event (s)).type == LF_SB_SETUP_FAILED)
      die (&ev.error);
  for (int i = 0; i < n; i++)
    {
      lf_time_us t = lf_now_us ();
      lf_sandbox_freeze (s);
      lf_sandbox_thaw (s);
      both[i] = lf_now_us () - t;
      usleep (1000); /* let it settle, as between invocations */
    }
  printf ("freeze and thaw %lld us\n", (long long) median (both, n));
  lf_time_us t = lf_now_us ();
  for (int i = 0; i < n; i++)
    {
      lf_sb_usage u;
      lf_sandbox_usage (s, &u);
      lf_sandbox_mark (s);
    }
  printf ("usage and mark %.1f us\n", (double) (lf_now_us () - t) / n);
  lf_sandbox_free (s);
  free (both);
}

int
main (int argc, char **argv)
{
  lf_sb_plan p = { .task_dir = lf_strdup ("/usr/share"),
                   .memory_bytes = 128 * LF_MB,
                   .tmp_bytes = 512 * LF_MB,
                   .cpu_milli = LF_NONE,
                   .visible_cpus = 2,
                   .fds = 1024,
                   .processes = 1024,
                   .nproc_rlimit = 742 };
  lf_cg_kind kind = LF_CG_NONE;
  char dir[] = "/tmp/sandbox_try.XXXXXX";
  lf_sb_host_options o = { .state_dir = dir };
  int count = 0, c;
  bool freeze = false;
  lf_error err;
  while ((c = getopt (argc, argv, "+fnosm:t:g:d:b:")) != -1)
    switch (c)
      {
      case 'n':
        p.network = LF_NET_NONE;
        break;
      case 'f':
        freeze = true;
        break;
      case 's':
        o.no_spare = true;
        break;
      case 'o':
        o.old_mounts = true;
        break;
      case 'm':
        p.memory_bytes = atoll (optarg) * LF_MB;
        break;
      case 't':
        p.tmp_bytes = atoll (optarg) * LF_MB;
        break;
      case 'g':
        kind = !strcmp (optarg, "v2") ? LF_CG_V2 : !strcmp (optarg, "v1") ? LF_CG_V1 : LF_CG_NONE;
        o.cg = &kind;
        break;
      case 'd':
        free (p.task_dir);
        p.task_dir = lf_strdup (optarg);
        break;
      case 'b':
        count = atoi (optarg);
        break;
      default:
        return 2;
      }
  for (int i = optind; i < argc; i++)
    lf_strv_add (&p.argv, argv[i]);
  lf_strv_add (&p.env, "PATH=/usr/local/bin:/usr/bin:/bin");
  if (!p.argv.n || !mkdtemp (dir))
    return 2;
  lf_time_us t = lf_now_us ();
  lf_sb_host *h = lf_sb_host_new (&o, &err);
  if (!h)
    {
      lf_error e2;
      lf_rm_rf (dir, &e2);
      die (&err);
    }
  fprintf (stderr, "host ready in %lld us, cgroup driver %d\n", (long long) (lf_now_us () - t), lf_sb_host_cgroup (h));
  if (count)
    freeze ? bench_freeze (h, &p, count) : bench (h, &p, count);
  else
    run_once (h, &p);
  lf_sb_host_free (h);
  lf_rm_rf (dir, &err);
  lf_strv_fini (&p.argv);
  lf_strv_fini (&p.env);
  free (p.task_dir);
  return 0;
}
