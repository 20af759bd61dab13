/* SPDX-License-Identifier: Apache-2.0
 *
 * How many descriptors and tasks an environment has now, from the host's /proc: the kernel keeps no marks of them, so this is a look and
 * not a peak.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox_impl.h"

#define PROCESSES_MAX 256

typedef struct counting
{
  pid_t pid[PROCESSES_MAX]; /* found so far; those from `next` on are still to be looked at */
  size_t n, next;
  int64_t fds, tasks;
} counting;

/* The entries of /proc/PID/fd. Since Linux 6.2 the folder's size says it; before, it must be read. */
static int64_t
descriptors (pid_t pid)
{
  char path[64];
  struct stat st;
  snprintf (path, sizeof path, "/proc/%d/fd", (int) pid);
  if (stat (path, &st) < 0)
    return 0;
  if (st.st_size > 0)
    return st.st_size;
  DIR *d = opendir (path);
  int64_t n = 0;
  for (struct dirent *e; d && (e = readdir (d));)
    n += e->d_name[0] != '.';
  if (d)
    closedir (d);
  return n;
}

static void
children (counting *c, pid_t pid)
{
  char path[64], text[4096];
  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int) pid, (int) pid);
  int fd LF_CLEANUP (lf_closep) = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  if (n <= 0)
    return;
  text[n] = 0;
  for (char *p = text, *end; c->n < PROCESSES_MAX; p = end)
    {
      long child = strtol (p, &end, 10);
      if (end == p || child <= 0)
        return;
      c->pid[c->n++] = (pid_t) child;
    }
}

static void
look (counting *c, pid_t pid)
{
  char path[64];
  struct stat st;
  int64_t fds = descriptors (pid);
  snprintf (path, sizeof path, "/proc/%d/task", (int) pid);
  c->fds = fds > c->fds ? fds : c->fds;
  if (stat (path, &st) == 0 && st.st_nlink > 2)
    c->tasks += (int64_t) st.st_nlink - 2;
  children (c, pid);
}

void
lf_sandbox_counts (const lf_sandbox *s, int64_t *fds, int64_t *processes)
{
  counting c;
  c.n = c.next = 0;
  c.fds = c.tasks = 0;
  *fds = *processes = LF_NONE;
  pid_t top = lf_sandbox_pid (s);
  if (top <= 0)
    return;
  children (&c, top);
  while (c.next < c.n)
    look (&c, c.pid[c.next++]);
  /* Of a large tree only a part is looked at; the group counts all, and our helper with them. */
  int64_t counted = c.n == PROCESSES_MAX ? lf_sb_group_processes (s) : LF_NONE;
  if (counted > c.tasks + 1)
    c.tasks = counted - 1;
  if (c.tasks > 0)
    {
      *fds = c.fds;
      /* An ordinary user's supervisor has the function's user and takes one of its processes. */
      *processes = c.tasks + (lf_sb_supervisor_counts (s) ? 1 : 0);
    }
}

pid_t
lf_sb_runtime_pid (const lf_sandbox *s)
{
  counting c = { .n = 0 };
  pid_t top = lf_sandbox_pid (s);
  if (top > 0)
    children (&c, top);
  return c.n > 0 ? c.pid[0] : 0;
}

/* ---- what the tasks do ---------------------------------------------------------------------------------------------------------------- */

typedef struct task
{
  pid_t pid, tid;
  char state;
  int64_t cpu_ticks;
  long syscall; /* -1: running, or not known */
} task;

static int
read_text (const char *path, char *text, size_t cap)
{
  int fd LF_CLEANUP (lf_closep) = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read (fd, text, cap - 1) : -1;
  text[n > 0 ? n : 0] = 0;
  return n > 0 ? 0 : -1;
}

static bool
read_task (task *t)
{
  char path[64], text[512];
  snprintf (path, sizeof path, "/proc/%d/task/%d/stat", (int) t->pid, (int) t->tid);
  const char *p = read_text (path, text, sizeof text) == 0 ? strrchr (text, ')') : NULL;
  long long user = 0, sys = 0;
  if (!p || sscanf (p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &t->state, &user, &sys) != 3)
    return false;
  t->cpu_ticks = user + sys;
  t->syscall = -1;
  snprintf (path, sizeof path, "/proc/%d/task/%d/syscall", (int) t->pid, (int) t->tid);
  if (t->state != 'R' && read_text (path, text, sizeof text) == 0)
    {
      char *end;
      long nr = strtol (text, &end, 10);
      t->syscall = end != text ? nr : -1;
    }
  return true;
}

/* What something that only waits to be given work is in. */
static bool
idle_call (long nr)
{
  static const long calls[] = {
    SYS_futex, SYS_epoll_pwait, SYS_accept, SYS_accept4, SYS_rt_sigtimedwait, SYS_rt_sigsuspend,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_pause
    SYS_pause,
#endif
#ifdef SYS_sched_yield
    SYS_sched_yield,
#endif
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (calls); i++)
    if (calls[i] == nr)
      return true;
  return nr < 0;
}

/* A server in a process of its own waits for its next request in one of these. */
static bool
serving_call (long nr)
{
  static const long calls[] = {
    SYS_read, SYS_recvfrom, SYS_recvmsg, SYS_ppoll, SYS_pselect6, SYS_wait4, SYS_waitid,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_select
    SYS_select,
#endif
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (calls); i++)
    if (calls[i] == nr)
      return true;
  return idle_call (nr);
}

/* Its CPU time at the last look; LF_NONE: it was not there. */
static int64_t
ticks_before (const lf_sb_tasks *t, pid_t tid)
{
  for (size_t i = 0; i < t->n; i++)
    if (t->tid[i] == tid)
      return t->cpu_ticks[i];
  return LF_NONE;
}

static bool
at_work (const task *t, pid_t runtime)
{
  if (t->state == 'Z' || t->state == 'X')
    return false;
  if (t->state == 'R')
    return true;
  return t->pid == runtime ? !idle_call (t->syscall) : !serving_call (t->syscall);
}

#define MAPS_MAX 8192 /* lines, a microsecond each; programs with all of these libraries have less */

/* Libraries of numbers have threads that spin for a while before they go to sleep, which cannot be told from work. */
static bool
may_spin (pid_t pid)
{
  static const char *const libraries[] = { "openblas", "libgomp", "libomp", "libiomp", "mkl", "/libblas", "libtorch", "onnxruntime", "tensorflow" };
  char path[64], line[512];
  bool yes = false;
  int left = MAPS_MAX;
  snprintf (path, sizeof path, "/proc/%d/maps", (int) pid);
  FILE *f = fopen (path, "re");
  while (f && !yes && left > 0 && fgets (line, sizeof line, f))
    {
      left--;
      for (size_t i = 0; i < LF_ARRAY_LEN (libraries); i++)
        yes = yes || strstr (line, libraries[i]);
    }
  if (f)
    fclose (f);
  return yes || !f || left == 0;
}

static int64_t
cpu_ns (pid_t pid)
{
  clockid_t clock;
  struct timespec t;
  return clock_getcpuclockid (pid, &clock) == 0 && clock_gettime (clock, &t) == 0 ? (int64_t) t.tv_sec * 1000000000 + t.tv_nsec : LF_NONE;
}

/* A task that wants the CPU may be at work, or have done it and only wait for its turn to go to sleep, where the share of a CPU is small or the
 * machine is busy. The next look tells. */
static void
suspect (lf_sb_tasks *t, const task *one)
{
  if (t->suspects_n < LF_ARRAY_LEN (t->suspects))
    t->suspects[t->suspects_n++] = (lf_sb_suspect){ .pid = one->pid, .tid = one->tid, .cpu_ns = cpu_ns (one->pid) };
}

#define COMPUTES_NS 1000000 /* to go to sleep takes a twentieth of it */

/* A process that still wants the CPU may also be one that is just starting. */
static bool
is_at_work (const lf_sb_suspect *was, pid_t runtime)
{
  task t = { .pid = was->pid, .tid = was->tid };
  int64_t now = cpu_ns (was->pid);
  if (!read_task (&t) || !at_work (&t, runtime))
    return false;
  if (t.state != 'R' || t.pid != runtime)
    return true;
  return now != LF_NONE && was->cpu_ns != LF_NONE && now - was->cpu_ns >= COMPUTES_NS && !may_spin (t.pid);
}

bool
lf_sandbox_tasks_again (const lf_sandbox *s, lf_sb_tasks *t)
{
  counting c = { .n = 0 };
  int64_t found = 0;
  pid_t top = lf_sandbox_pid (s);
  if (top > 0 && t->suspects_n > 0)
    children (&c, top);
  for (size_t i = 0; i < t->suspects_n && c.n > 0; i++)
    found += is_at_work (&t->suspects[i], c.pid[0]);
  t->suspects_n = 0;
  t->left_running += found;
  return found > 0;
}

/* One task of the sandbox; false ends the walk. */
typedef bool task_seen (const task *one, pid_t runtime, void *user);

static void
each_task (const lf_sandbox *s, task_seen *see, void *user)
{
  counting c = { .n = 0 };
  int left = LF_SB_TASKS_MAX;
  pid_t top = lf_sandbox_pid (s);
  if (top > 0)
    children (&c, top);
  for (; c.next < c.n && left > 0; c.next++)
    {
      char path[64];
      children (&c, c.pid[c.next]);
      snprintf (path, sizeof path, "/proc/%d/task", (int) c.pid[c.next]);
      DIR *d = opendir (path);
      for (struct dirent *e; d && left > 0 && (e = readdir (d));)
        {
          task one = { .pid = c.pid[c.next], .tid = (pid_t) strtol (e->d_name, NULL, 10) };
          if (one.tid > 0 && read_task (&one))
            left = see (&one, c.pid[0], user) ? left - 1 : 0;
        }
      if (d)
        closedir (d);
    }
}

static bool
see_running (const task *one, pid_t runtime, void *user)
{
  (void) runtime;
  bool *wants = user;
  *wants = one->state == 'R';
  return !*wants;
}

bool
lf_sandbox_wants_cpu (const lf_sandbox *s, int64_t *cpu_us)
{
  bool wants = false;
  *cpu_us = lf_sb_group_cpu_us (s);
  if (*cpu_us != LF_NONE)
    each_task (s, see_running, &wants);
  return wants;
}

typedef struct tasks_look
{
  const lf_sb_tasks *before;
  lf_sb_tasks now;
  int64_t cpu[LF_SB_TASKS_MAX], sum;
} tasks_look;

static bool
see_task (const task *one, pid_t runtime, void *user)
{
  tasks_look *l = user;
  lf_sb_tasks *now = &l->now;
  int64_t before = ticks_before (l->before, one->tid);
  now->cpu_ticks[now->n] = one->cpu_ticks;
  if (one->tid != runtime && before == LF_NONE && at_work (one, runtime))
    {
      now->left_running += one->state != 'R';
      if (one->state == 'R')
        suspect (now, one);
    }
  l->sum += l->cpu[now->n] = one->cpu_ticks - (before == LF_NONE ? 0 : before);
  now->tid[now->n++] = one->tid;
  return true;
}

void
lf_sandbox_tasks (const lf_sandbox *s, lf_sb_tasks *t)
{
  tasks_look l = { .before = t };
  each_task (s, see_task, &l);
  for (size_t i = 0; i < l.now.n; i++)
    l.now.busy += l.cpu[i] >= 10 && l.cpu[i] * 10 >= l.sum; /* ticks of 10 ms */
  *t = l.now;
}
