/* SPDX-License-Identifier: Apache-2.0
 *
 * One sandbox as the daemon sees it: its helper's messages turned into events, its measures, and the commands that change it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define FILE_AGE_US 50000
#define LOOK_AGE_US 200
#define MARK_LOOK_AGE_US 20000
#define SLACK_LOOK_AGE_US 2000
#define PEAK_SLACK (256 << 10)
#define MARK_STEP LF_MB
#define NEAR_MARK (4 * LF_MB)
#define FREE_WAIT_MS 2000 /* for a sandbox that is freed while it lives */
#define SAMPLE_PROCESSES_MAX 4096
#define SAMPLE_TABLES_MAX (4 * LF_SB_TABLES_MAX)

typedef enum
{
  ST_SETUP,
  ST_READY /* no runtime */,
  ST_RUNNING,
  ST_GONE /* socket closed */,
  ST_DEAD
} state;

struct lf_sandbox
{
  lf_sb_host *host;
  lf_sb_child child;
  int epoll, tmp_fd, proc_fd, listen_fd, runtime_fd, memory_fd;
  lf_cg *cg; /* child.cg */
  state st;
  bool running; /* a runtime was launched and its end not yet told */
  bool frozen, destroying, oom, setup_told;
  int64_t cpu_milli;  /* its share */
  bool unthrottled;   /* it may use more for its end */
  int64_t memory_limit;
  int64_t oom_seen; /* the kernel's count when the runtime started */
  int64_t mark;     /* where the moving mark is */
  int64_t sampled;  /* the last look at the processes themselves; LF_NONE until there is one */
  int64_t file;     /* page cache of the group when it was last read, at file_at */
  lf_time_us file_at;
  lf_cg_usage u; /* the last look, and what /tmp held then */
  int64_t tmp;
  lf_time_us looked_at;
  int64_t now;      /* memory at that look */
  bool just_looked; /* by lf_sandbox_check_memory; lf_sandbox_usage mostly follows */
  int64_t max_memory;                       /* since the start */
  int64_t peak_memory, peak_file, peak_tmp; /* since the invocation began */
  bool peak_exact;                          /* the kernel's mark was started again for this invocation */
};

static void arm (lf_sandbox *s);

/* ---- start ----------------------------------------------------------------------------------------------- */

static int
watch (lf_sandbox *s, int fd, lf_error *err)
{
  struct epoll_event e = { .events = EPOLLIN };
  if (s->epoll >= 0 && epoll_ctl (s->epoll, EPOLL_CTL_ADD, fd, &e) == 0)
    return 0;
  return LF_FAIL (err, LF_EXIT_IO, "sandbox", "raise the limit of open files (ulimit -n)", "cannot watch the helper: %s",
                  strerror (errno));
}

static int
launch (lf_sandbox *s, const lf_sb_plan *plan, lf_error *err)
{
  /* tmpfs pages are memory to the kernel: the hard limit leaves room for a full /tmp, the moving mark watches the rest. The helper
   * is one process more. */
  lf_cg_limits l = { .memory_bytes = plan->memory_bytes + plan->tmp_bytes,
                     .cpu_milli = plan->cpu_milli,
                     .processes = plan->processes > 0 ? plan->processes + 1 : LF_NONE };
  lf_buf config;
  lf_buf_init (&config, 0);
  int r = lf_sb_config (s->host, plan, &config, err);
  if (r == 0)
    r = lf_sb_configure (s->host, &l, &config, &s->child, err);
  lf_buf_fini (&config);
  s->cg = s->child.cg;
  s->epoll = r == 0 ? epoll_create1 (EPOLL_CLOEXEC) : -1;
  return r == 0 ? watch (s, s->child.ctl, err) : -1;
}

lf_sandbox *
lf_sandbox_launch (lf_sb_host *h, const char *id, const lf_sb_plan *plan, lf_error *err)
{
  (void) id; /* groups have names of their own: the helper that waits has one before it knows its environment */
  lf_sandbox *s = calloc (1, sizeof *s);
  if (!s)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  s->host = h;
  s->child = LF_SB_NO_CHILD;
  s->epoll = s->tmp_fd = s->proc_fd = s->listen_fd = s->runtime_fd = s->memory_fd = -1;
  s->memory_limit = plan->memory_bytes;
  s->cpu_milli = plan->cpu_milli;
  s->max_memory = s->peak_memory = s->sampled = s->oom_seen = s->mark = LF_NONE;
  s->tmp = LF_NONE;
  if (launch (s, plan, err) == 0)
    {
      arm (s);
      return s;
    }
  if (s->child.pid > 0)
    lf_sb_child_abandon (&s->child);
  s->cg = NULL;
  s->st = ST_DEAD;
  lf_sandbox_free (s);
  return NULL;
}

int
lf_sandbox_ctl_fd (const lf_sandbox *s)
{
  return s->epoll;
}

int
lf_sandbox_log_fd (const lf_sandbox *s)
{
  return s->child.log;
}

int
lf_sandbox_memory_fd (const lf_sandbox *s)
{
  return s->memory_fd;
}

bool
lf_sandbox_memory_fd_is_pri (const lf_sandbox *s)
{
  return s->host->kind == LF_CG_V2;
}

int
lf_sandbox_listen_fd (lf_sandbox *s)
{
  int fd = s->listen_fd;
  s->listen_fd = -1;
  return fd;
}

pid_t
lf_sandbox_pid (const lf_sandbox *s)
{
  return s->child.pid;
}

bool
lf_sandbox_is_peer (const lf_sandbox *s, int fd)
{
  return s && lf_sb_peer_inside (fd, s->child.uid, s->child.uid_is_own, s->proc_fd);
}

int64_t
lf_sb_group_processes (const lf_sandbox *s)
{
  lf_cg_usage u;
  return lf_cg_usage_get (s->cg, &u) == 0 ? u.processes : LF_NONE;
}

int64_t
lf_sb_group_cpu_us (const lf_sandbox *s)
{
  lf_cg_usage u;
  return lf_cg_usage_get (s->cg, &u) == 0 ? u.cpu_us : LF_NONE;
}

bool
lf_sb_supervisor_counts (const lf_sandbox *s)
{
  return s->host->userns && !s->host->switch_user;
}

bool
lf_sandbox_frozen (const lf_sandbox *s)
{
  return s->frozen;
}

/* ---- measures -------------------------------------------------------------------------------------------- */

static int64_t
tmp_used (const lf_sandbox *s)
{
  struct statvfs v;
  if (s->tmp_fd < 0 || fstatvfs (s->tmp_fd, &v) < 0)
    return LF_NONE;
  return (int64_t) (v.f_blocks - v.f_bfree) * (int64_t) v.f_frsize;
}

static void
raise_mark (int64_t *mark, int64_t v)
{
  if (v != LF_NONE && (*mark == LF_NONE || v > *mark))
    *mark = v;
}

static int64_t
oom_kills (lf_sandbox *s)
{
  lf_cg_usage u;
  return lf_cg_usage_get (s->cg, &u) == 0 ? u.oom_kills : LF_NONE;
}

/* Page cache is read anew when it may explain growth, or when the last look is old: reading it costs more than all the rest. */
static int64_t
file_bytes (lf_sandbox *s, int64_t raw)
{
  lf_time_us now = lf_now_us ();
  bool grown = s->max_memory == LF_NONE || raw - s->file > s->max_memory;
  if (s->file_at && !grown && now - s->file_at < FILE_AGE_US)
    return s->file;
  int64_t f = lf_cg_file_bytes (s->cg);
  s->file = f == LF_NONE ? 0 : f;
  s->file_at = now;
  return s->file;
}

/* Memory now, by the group or else by the last sample: what is charged, less what /tmp holds (it is disk on Lambda) and less cache
 * of files (the kernel takes it back when it needs room). */
static int64_t
look (lf_sandbox *s)
{
  lf_cg_usage *u = &s->u;
  int64_t now = s->sampled, held;
  s->tmp = tmp_used (s);
  s->looked_at = lf_now_us ();
  held = s->tmp == LF_NONE ? 0 : s->tmp;
  if (lf_cg_usage_hot (s->cg, u) < 0)
    u->memory_bytes = u->peak_bytes = u->cpu_us = u->throttled_us = LF_NONE;
  if (u->memory_bytes != LF_NONE)
    {
      now = u->memory_bytes - held - file_bytes (s, u->memory_bytes - held);
      now = now < 0 ? 0 : now;
      raise_mark (&s->peak_file, s->file);
      raise_mark (&s->peak_tmp, held);
    }
  raise_mark (&s->max_memory, now);
  raise_mark (&s->peak_memory, now);
  return s->now = now;
}

/* The kernel's own mark counts /tmp and cache too. What of them was there at the highest moment is not told; taking the most that
 * was seen never says too much, unless files came and went in /tmp unseen, and never more than the limit, which was watched. */
static int64_t
kernel_peak (const lf_sandbox *s)
{
  if (s->u.peak_bytes == LF_NONE)
    return LF_NONE;
  int64_t p = s->u.peak_bytes - s->peak_file - s->peak_tmp;
  return p > s->memory_limit && !s->oom ? s->memory_limit : p;
}

void
lf_sandbox_usage (lf_sandbox *s, lf_sb_usage *out)
{
  int64_t now = s->just_looked && lf_now_us () - s->looked_at <= LOOK_AGE_US ? s->now : look (s);
  s->just_looked = false;
  raise_mark (&s->peak_memory, kernel_peak (s));
  raise_mark (&s->max_memory, s->peak_memory);
  *out = (lf_sb_usage){ .memory_bytes = now,
                        .max_memory_bytes = s->max_memory,
                        .peak_memory_bytes = s->peak_exact ? s->peak_memory : LF_NONE,
                        .tmp_bytes = s->tmp,
                        .cpu_us = s->u.cpu_us,
                        .throttled_us = s->u.throttled_us };
}

static int64_t
now_used (const lf_sandbox *s)
{
  return s->u.memory_bytes == LF_NONE ? s->sampled : s->u.memory_bytes - (s->tmp == LF_NONE ? 0 : s->tmp) - s->file;
}

void
lf_sandbox_mark (lf_sandbox *s)
{
  /* The caller has mostly just asked for the usage: little runs between an answer and the next event, so that look still holds. */
  lf_time_us age = s->looked_at ? lf_now_us () - s->looked_at : MARK_LOOK_AGE_US + 1;
  if (age > MARK_LOOK_AGE_US)
    {
      look (s);
      age = 0;
    }
  raise_mark (&s->max_memory, kernel_peak (s));
  /* The kernel itself counts memory by the 256 KB for each processor: a mark that is no farther off is as good as a new one. */
  if (s->peak_exact && s->u.peak_bytes != LF_NONE && s->u.peak_bytes - s->u.memory_bytes <= PEAK_SLACK && s->u.peak_bytes >= s->u.memory_bytes
      && age <= SLACK_LOOK_AGE_US)
    s->peak_memory = now_used (s);
  else if (lf_cg_peak_reset (s->cg) == 0)
    {
      int64_t held = s->tmp == LF_NONE ? 0 : s->tmp;
      s->peak_exact = true;
      s->peak_file = s->file;
      s->peak_tmp = held;
      s->peak_memory = now_used (s);
    }
  arm (s);
}

static bool
past_mark (const lf_sandbox *s, int64_t slack)
{
  return s->u.memory_bytes != LF_NONE && s->mark != LF_NONE && s->u.memory_bytes > s->mark - slack;
}

/* Where the moving mark belongs: the limit, what /tmp holds and, on v1, the page cache (on v2 the mark makes the kernel take cache
 * back). Small steps are let go: the mark is then a little low, which costs a look, or a little high. Not so for who has passed the
 * mark and is allowed to: the kernel tells of passing it once, so it must lie where passing it is too much. */
static bool
move_mark (lf_sandbox *s)
{
  int64_t want = s->memory_limit + (s->tmp == LF_NONE ? 0 : s->tmp) + (s->host->kind == LF_CG_V1 ? s->file : 0);
  int64_t step = past_mark (s, 0) ? 0 : MARK_STEP;
  if (s->mark != LF_NONE && want <= s->mark + step && want >= s->mark - step)
    return false;
  s->mark = want;
  return true;
}

static void
arm (lf_sandbox *s)
{
  if (move_mark (s))
    s->memory_fd = lf_cg_memory_event_fd (s->cg, s->mark);
}

bool
lf_sandbox_near_memory (const lf_sandbox *s)
{
  return s->running && !s->oom && s->memory_fd >= 0 && past_mark (s, NEAR_MARK);
}

static void
kill_for_memory (lf_sandbox *s)
{
  s->oom = true;
  lf_sandbox_kill (s);
}

void
lf_sandbox_on_memory (lf_sandbox *s)
{
  /* The event is taken back before the look: what comes after that wakes us again. Use may also move while the mark does, so both are
   * repeated until they agree. */
  for (int round = 0; round < 4; round++)
    {
      s->memory_fd = lf_cg_memory_event_fd (s->cg, s->mark);
      s->file_at = 0;
      int64_t now = look (s);
      if (now != LF_NONE && now > s->memory_limit && s->running && !s->oom)
        kill_for_memory (s);
      if (!move_mark (s) || s->oom)
        return;
    }
  s->memory_fd = lf_cg_memory_event_fd (s->cg, s->mark);
}

/* An allocation may be over before the kernel's mark has reached us. */
bool
lf_sandbox_check_memory (lf_sandbox *s)
{
  if (!s->running || s->oom)
    return s->oom;
  int64_t now = look (s);
  if (s->u.memory_bytes != LF_NONE && now > s->memory_limit)
    {
      s->file_at = 0; /* a read of a file a moment ago is no use of memory */
      now = look (s);
    }
  s->just_looked = true;
  if (s->u.memory_bytes == LF_NONE || now <= s->memory_limit)
    return false;
  kill_for_memory (s);
  return true;
}

/* Memory of processes as the groups count it: pages of their own, and pages in shared memory. */
typedef struct sampled_bytes
{
  int64_t own, shared;
  int64_t tables; /* page tables that were walked */
} sampled_bytes;

/* What a kernel does not say adds nothing: older ones have no line for some of these. */
static int64_t
said_bytes (const char *text, const char *key)
{
  int64_t bytes = lf_sb_line_bytes (text, key);
  return bytes == LF_NONE ? 0 : bytes;
}

static bool
read_of (int proc, const char *pid, const char *name, char *buf, size_t size)
{
  char path[64];
  snprintf (path, sizeof path, "%.20s/%s", pid, name);
  int fd = openat (proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read (fd, buf, size - 1);
  lf_closep (&fd);
  buf[n > 0 ? n : 0] = 0;
  return n > 0;
}

/* Cheap, and counts what several processes share as often as there are of them. */
static void
quick_bytes (int proc, const char *pid, sampled_bytes *sum)
{
  char buf[4096];
  if (!read_of (proc, pid, "status", buf, sizeof buf))
    return;
  sum->own += said_bytes (buf, "\nRssAnon:");
  sum->shared += said_bytes (buf, "\nRssShmem:");
}

/* The same with shared pages divided among those who share them, as far as the walks for it do not take too long: what maps the same again and again is
 * counted as often. */
static void
fair_bytes (int proc, const char *pid, sampled_bytes *sum)
{
  char buf[4096];
  int64_t tables = read_of (proc, pid, "status", buf, sizeof buf) ? said_bytes (buf, "\nVmPTE:") : 0;
  bool walk = tables <= LF_SB_TABLES_MAX && sum->tables <= SAMPLE_TABLES_MAX - tables;
  sum->tables += walk ? tables : 0;
  if (!walk || !read_of (proc, pid, "smaps_rollup", buf, sizeof buf))
    {
      quick_bytes (proc, pid, sum);
      return;
    }
  sum->own += said_bytes (buf, "\nPss_Anon:");
  sum->shared += said_bytes (buf, "\nPss_Shmem:");
}

/* The sandbox's own /proc lists its processes and no others; 1 is the helper. LF_NONE when it cannot be read. */
static int64_t
sum_processes (const lf_sandbox *s, void (*add) (int proc, const char *pid, sampled_bytes *sum))
{
  int fd = openat (s->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir (fd);
  if (!d)
    {
      lf_closep (&fd);
      return LF_NONE;
    }
  sampled_bytes sum = { 0 };
  int left = SAMPLE_PROCESSES_MAX;
  struct dirent *e;
  while (left > 0 && (e = readdir (d)) != NULL)
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && strcmp (e->d_name, "1") != 0)
      {
        add (s->proc_fd, e->d_name, &sum);
        left--;
      }
  closedir (d);
  /* Files of /tmp that are mapped are shared memory to the kernel, and disk to us. */
  int64_t held = sum.shared ? tmp_used (s) : 0;
  return sum.own + (held != LF_NONE && sum.shared > held ? sum.shared - held : 0);
}

int
lf_sandbox_sample (lf_sandbox *s)
{
  if (s->proc_fd < 0 || !s->running)
    return -1;
  int64_t sum = sum_processes (s, quick_bytes);
  if (sum != LF_NONE && sum > s->memory_limit)
    sum = sum_processes (s, fair_bytes);
  if (sum == LF_NONE)
    return -1;
  s->sampled = sum;
  raise_mark (&s->max_memory, sum);
  raise_mark (&s->peak_memory, sum);
  if (sum > s->memory_limit && !s->oom)
    kill_for_memory (s);
  return 0;
}

/* ---- events ---------------------------------------------------------------------------------------------- */

static void
take_fds (lf_sandbox *s, uint32_t type, struct msghdr *m)
{
  int *ready[3] = { &s->tmp_fd, &s->proc_fd, &s->listen_fd };
  for (struct cmsghdr *c = CMSG_FIRSTHDR (m); c; c = CMSG_NXTHDR (m, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
      {
        int fds[3];
        size_t n = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
        memcpy (fds, CMSG_DATA (c), n * sizeof (int));
        for (size_t i = 0; i < n && i < 3; i++)
          {
            int *to = type == LF_INIT_NOTE_READY ? ready[i] : &s->runtime_fd;
            lf_closep (to);
            *to = fds[i];
          }
      }
}

/* 1: a note, 0: none now, -1: the helper has closed. */
static int
receive (lf_sandbox *s, lf_init_note *n)
{
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (3 * sizeof (int))];
  } control;
  struct iovec iov = { n, sizeof *n };
  struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space };
  ssize_t r;
  do
    r = recvmsg (s->child.ctl, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (r < 0 && errno == EINTR);
  if (r < 0 && errno == EAGAIN)
    return 0;
  if (r != (ssize_t) sizeof *n)
    return -1;
  n->text[sizeof n->text - 1] = 0;
  take_fds (s, n->type, &m);
  return 1;
}

static lf_exit_info
exit_info (lf_sandbox *s, int status)
{
  lf_exit_info x = { .exited = WIFEXITED (status) };
  if (x.exited)
    x.code = WEXITSTATUS (status);
  else
    {
      x.signal = WTERMSIG (status);
      x.core = WCOREDUMP (status);
    }
  int64_t kills = oom_kills (s);
  /* The kernel may have killed a child whose parent then ended by itself: that is out of memory as well. */
  x.oom = s->oom || (kills != LF_NONE && s->oom_seen != LF_NONE && kills > s->oom_seen);
  return x;
}

/* Dying takes CPU time too, a thousand processes' a lot: in a group with a small quota it would last many times as long as it has to, and
 * meanwhile the caller waits. */
static void
throttle (lf_sandbox *s, bool on)
{
  lf_error ignored;
  if (s->unthrottled != on || !s->cg || s->cpu_milli == LF_NONE)
    return;
  lf_cg_set_limits (s->cg, &(lf_cg_limits){ LF_NONE, on ? s->cpu_milli : LF_CG_CPU_ALL, LF_NONE }, &ignored);
  s->unthrottled = !on;
}

static void
ended (lf_sandbox *s, int status, lf_sb_event *ev)
{
  throttle (s, true);
  ev->type = LF_SB_EXIT;
  ev->exit = exit_info (s, status);
  s->running = s->oom = s->frozen = false;
  s->sampled = LF_NONE;
  lf_closep (&s->runtime_fd);
}

/* Turns a note into an event; false when it is not one for the caller. */
static bool
note_event (lf_sandbox *s, const lf_init_note *n, lf_sb_event *ev)
{
  switch (n->type)
    {
    case LF_INIT_NOTE_PREPARED:
      return false;
    case LF_INIT_NOTE_READY:
      s->st = ST_READY;
      if (s->host->enforcement.by[LF_LIM_MEMORY] == LF_ENF_KERNEL && s->child.uid_is_own)
        lf_closep (&s->proc_fd); /* only sampling and the look for a peer's process read it */
      return false;
    case LF_INIT_NOTE_LAUNCHED:
      s->st = ST_RUNNING;
      s->running = true;
      s->oom_seen = oom_kills (s);
      ev->type = LF_SB_LAUNCHED;
      ev->at = n->at_us;
      lf_sb_refill (s->host); /* now, when nobody waits for it */
      return true;
    case LF_INIT_NOTE_EXEC_FAILED:
      ev->type = LF_SB_EXEC_FAILED;
      ev->exit = (lf_exit_info){ .exec_failed = true, .exec_errno = n->value };
      return true;
    case LF_INIT_NOTE_SETUP_FAILED:
      s->setup_told = true;
      ev->type = LF_SB_SETUP_FAILED;
      lf_sb_setup_error (s->host, n, &ev->error);
      return true;
    case LF_INIT_NOTE_EXIT:
      s->st = ST_READY;
      if (!s->running)
        return false;
      ended (s, n->value, ev);
      return true;
    default:
      return false;
    }
}

/* The helper has closed: what it cannot tell any more is told for it, and then that it is dead. */
static void
gone_event (lf_sandbox *s, lf_sb_event *ev)
{
  siginfo_t si = { 0 };
  if (s->st != ST_DEAD)
    {
      if (waitid ((idtype_t) 3 /* P_PIDFD */, (id_t) s->child.pidfd, &si, WEXITED | WNOHANG | __WALL) < 0 ? errno != ECHILD
                                                                                                          : si.si_pid == 0)
        return;
      s->st = ST_DEAD;
      lf_closep (&s->child.pidfd); /* leaves the epoll with it; the caller polls no more after DEAD */
    }
  if (s->running && !s->destroying)
    ended (s, SIGKILL, ev);
  else if (s->tmp_fd < 0 && !s->setup_told && !s->destroying)
    {
      s->setup_told = true;
      ev->type = LF_SB_SETUP_FAILED;
      lf_error_set (&ev->error, LF_EXIT_IO, __FILE__, __LINE__, "sandbox", "", "the helper ended before the sandbox was ready");
    }
  else
    ev->type = LF_SB_DEAD;
}

void
lf_sandbox_read (lf_sandbox *s, lf_sb_event *ev)
{
  *ev = (lf_sb_event){ .type = LF_SB_NONE };
  while (s->st < ST_GONE)
    {
      lf_init_note n;
      int r = receive (s, &n);
      if (r == 0)
        return;
      if (r > 0 && note_event (s, &n, ev))
        return;
      if (r > 0)
        continue;
      lf_error ignored;
      s->st = ST_GONE;
      lf_closep (&s->child.ctl); /* a closed socket is always readable: from here the pidfd says when all are dead */
      watch (s, s->child.pidfd, &ignored);
    }
  gone_event (s, ev);
}

/* ---- commands -------------------------------------------------------------------------------------------- */

static int
command (lf_sandbox *s, uint32_t type)
{
  lf_init_cmd c = { type };
  return s->child.ctl >= 0 && send (s->child.ctl, &c, sizeof c, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t) sizeof c ? 0 : -1;
}

int
lf_sandbox_restart (lf_sandbox *s, lf_error *err)
{
  s->oom = false;
  if (s->running || command (s, LF_INIT_CMD_START) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "", s->running ? "the runtime is still running" : "the helper is gone");
  return 0;
}

int
lf_sandbox_kill (lf_sandbox *s)
{
  throttle (s, false);
  int r = command (s, LF_INIT_CMD_KILL);
  if (s->frozen)
    lf_sandbox_thaw (s);
  return r;
}

/* Only v2 can kill what is frozen, and everything must be able to die with the daemon: elsewhere processes are stopped. The
 * runtime's own at once and without waking the helper first; the helper then does the rest of the tree. */
static int
stop_or_go (lf_sandbox *s, bool stop)
{
  if (s->host->kind == LF_CG_V2)
    return stop ? lf_cg_freeze (s->cg) : lf_cg_thaw (s->cg);
  if (s->runtime_fd >= 0)
    syscall (SYS_pidfd_send_signal, s->runtime_fd, stop ? SIGSTOP : SIGCONT, NULL, 0);
  return command (s, stop ? LF_INIT_CMD_STOP : LF_INIT_CMD_CONT);
}

int
lf_sandbox_freeze (lf_sandbox *s)
{
  if (s->frozen)
    return 0;
  if (stop_or_go (s, true) < 0)
    return -1;
  s->frozen = true;
  return 0;
}

int
lf_sandbox_thaw (lf_sandbox *s)
{
  if (!s->frozen)
    return 0;
  if (stop_or_go (s, false) < 0)
    return -1;
  s->frozen = false;
  return 0;
}

void
lf_sandbox_destroy (lf_sandbox *s)
{
  if (s->destroying || s->st == ST_DEAD)
    return;
  s->destroying = true;
  throttle (s, false);
  lf_sb_child_kill (&s->child);
  /* Descriptors of its mounts would keep their memory. */
  lf_closep (&s->tmp_fd);
  lf_closep (&s->proc_fd);
  lf_closep (&s->listen_fd);
  lf_closep (&s->runtime_fd);
}

static void
wait_dead (lf_sandbox *s)
{
  struct pollfd p = { s->child.pidfd, POLLIN, 0 };
  siginfo_t si;
  lf_sandbox_destroy (s);
  if (s->child.pidfd >= 0 && poll (&p, 1, FREE_WAIT_MS) > 0)
    waitid ((idtype_t) 3 /* P_PIDFD */, (id_t) s->child.pidfd, &si, WEXITED | WNOHANG | __WALL);
}

void
lf_sandbox_free (lf_sandbox *s)
{
  if (!s)
    return;
  if (s->st != ST_DEAD)
    wait_dead (s);
  lf_closep (&s->epoll);
  lf_closep (&s->child.pidfd);
  lf_closep (&s->child.ctl);
  lf_closep (&s->child.log);
  lf_closep (&s->tmp_fd);
  lf_closep (&s->proc_fd);
  lf_closep (&s->listen_fd);
  lf_closep (&s->runtime_fd);
  lf_error ignored;
  if (s->cg)
    lf_cg_free (s->cg, &ignored);
  free (s);
}
