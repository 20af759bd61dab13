/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups, version 1: a hierarchy for each controller, each optional. The base is the top of each mount (in a container that is
 * mostly the container's own group); a user who may not write there gets a group below the own one if that was handed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_impl.h"

#define CPU_SLICE_US 5000 /* the kernel hands out the quota in such parts */

static bool
usable_base (int fd)
{
  return fd >= 0 && lf_cgp_can_write (fd, ".") && lf_cgp_can_write (fd, "cgroup.procs");
}

/* The folder to make our parent in, or -1. */
static int
open_base (const lf_cgp_spot *s)
{
  if (!s->mount)
    return -1;
  int fd = lf_cgp_open (AT_FDCWD, s->mount, O_RDONLY | O_DIRECTORY);
  if (usable_base (fd))
    return fd;
  lf_cgp_close (&fd);
  if (!s->own || !s->own[0])
    return -1;
  char *own LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", s->mount, s->own);
  fd = own ? lf_cgp_open (AT_FDCWD, own, O_RDONLY | O_DIRECTORY) : -1;
  if (usable_base (fd))
    return fd;
  lf_cgp_close (&fd);
  return -1;
}

static void
find_same (lf_cg_driver *d, int h)
{
  struct stat a, b;
  for (int i = 0; i < h; i++)
    if (d->base[i] >= 0 && !fstat (d->base[i], &a) && !fstat (d->base[h], &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
      d->same[h] = true;
}

/* Freezing the first group of a machine switches a slow path on and thawing the last one off (100 us each); one empty frozen group
 * keeps it on. */
static void
keep_frozen_dummy (lf_cg_driver *d)
{
  int at = d->at[LF_CGH_FREEZER];
  if (at >= 0 && !d->k.mkdir_at (at, LF_CGP_FROZEN))
    lf_cgp_write (at, LF_CGP_FROZEN "/freezer.state", "FROZEN");
}

static void
find_caps (lf_cg_driver *d)
{
  lf_cg_caps *c = &d->caps;
  int m = d->at[LF_CGH_MEMORY], cpu = d->at[LF_CGH_CPU];
  if (m >= 0)
    {
      char text[256];
      c->memory = lf_cgp_exists (m, "memory.limit_in_bytes");
      c->swap = lf_cgp_exists (m, "memory.memsw.limit_in_bytes");
      c->peak = lf_cgp_exists (m, "memory.max_usage_in_bytes");
      c->peak_reset = c->peak && lf_cgp_write (m, "memory.max_usage_in_bytes", "0") == 0;
      c->oom_count = lf_cgp_read (m, "memory.oom_control", text, sizeof text) > 0 && lf_cgp_key (text, "oom_kill") != LF_NONE;
      c->mark = lf_cgp_exists (m, "cgroup.event_control");
      /* Kernels before 5.11 do not count what is below a group unless asked. */
      lf_cgp_write (m, "memory.use_hierarchy", "1");
    }
  c->cpu = cpu >= 0 && lf_cgp_exists (cpu, "cpu.cfs_quota_us");
  c->throttled = c->cpu && lf_cgp_exists (cpu, "cpu.stat");
  c->cpu_usage = d->at[LF_CGH_CPUACCT] >= 0 && lf_cgp_exists (d->at[LF_CGH_CPUACCT], "cpuacct.usage");
  c->pids = d->at[LF_CGH_PIDS] >= 0; /* its limit is a file of groups, not of the top: proved by the first group */
  c->freezer = d->at[LF_CGH_FREEZER] >= 0 && lf_cgp_exists (d->at[LF_CGH_FREEZER], "freezer.state");
  c->kill = true;
}

static int
v1_open (lf_cg_driver *d, const lf_cgp_place *p, char *why, lf_error *err)
{
  char missing[200] = "";
  int have = 0;
  bool mounted = false;
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      mounted = mounted || p->v1[h].mount;
      d->base[h] = open_base (&p->v1[h]);
      if (d->base[h] >= 0)
        {
          find_same (d, h);
          if (!have++)
            snprintf (d->where, sizeof d->where, "%.400s", p->v1[h].mount);
          continue;
        }
      size_t n = strlen (missing);
      snprintf (missing + n, sizeof missing - n, "%s%s%s", n ? ", " : "", lf_cgp_controller (h), p->v1[h].mount ? " (not writable)" : "");
    }
  if (!have)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v1", mounted ? "run as root, or chown a group of each controller to this user" : "", "%s",
                    mounted ? "no controller is writable for this user" : "no controller is mounted");
  if (lf_cgp_parent_make (d, err))
    return -1;
  keep_frozen_dummy (d);
  find_caps (d);
  if (why)
    snprintf (why, 200, "%s%s", missing[0] ? "without the controllers " : "", missing);
  return 0;
}

/* PATH of a group's file below its hierarchy's parent. */
typedef char file_path[LF_CG_NAME_MAX + 64];

static const char *
in_group (const lf_cg *g, const char *file, file_path out)
{
  snprintf (out, sizeof (file_path), "%s/%s", g->name, file);
  return out;
}

static int
put_i64 (lf_cg *g, int h, const char *file, int64_t v)
{
  file_path p;
  return lf_cgp_write_i64 (g->d->at[h], in_group (g, file, p), v);
}

static int
hot (lf_cg *g, int h, const char *file, int flags)
{
  file_path p;
  return g->d->at[h] < 0 ? -1 : lf_cgp_open (g->d->at[h], in_group (g, file, p), flags);
}

static int
fail_limit (lf_error *err, const char *what, int e)
{
  return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v1", "see `lambdafit doctor`", "cannot set %s: %s", what, strerror (-e));
}

static int
v1_set_memory (lf_cg *g, int64_t bytes, lf_error *err)
{
  if (!g->d->caps.memory)
    return 0;
  const int h = LF_CGH_MEMORY;
  /* memory <= memory+swap must hold at each step: going down memory first, going up the sum first. */
  int r = put_i64 (g, h, "memory.limit_in_bytes", bytes);
  int s = g->d->caps.swap ? put_i64 (g, h, "memory.memsw.limit_in_bytes", bytes) : 0;
  if (r == -EINVAL && !s)
    r = put_i64 (g, h, "memory.limit_in_bytes", bytes);
  if (r || s)
    return fail_limit (err, r ? "memory.limit_in_bytes" : "memory.memsw.limit_in_bytes", r ? r : s);
  return 0;
}

static int
v1_limit (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  lf_cg_driver *d = g->d;
  int r;
  if (l->memory_bytes != LF_NONE && v1_set_memory (g, l->memory_bytes, err))
    return -1;
  if (l->cpu_milli != LF_NONE && d->caps.cpu)
    {
      bool all = l->cpu_milli == LF_CG_CPU_ALL;
      int64_t quota = all ? -1 : l->cpu_milli * LF_CG_CPU_PERIOD_US / 1000;
      g->quota_us = all ? 0 : quota < 1000 ? 1000 : quota;
      g->slices_us = CPU_SLICE_US * sysconf (_SC_NPROCESSORS_ONLN);
      if ((r = put_i64 (g, LF_CGH_CPU, "cpu.cfs_period_us", LF_CG_CPU_PERIOD_US)) < 0)
        return fail_limit (err, "cpu.cfs_period_us", r);
      if ((r = put_i64 (g, LF_CGH_CPU, "cpu.cfs_quota_us", quota < 1000 && !all ? 1000 : quota)) < 0)
        return fail_limit (err, "cpu.cfs_quota_us", r);
    }
  if (l->processes != LF_NONE && d->caps.pids && (r = put_i64 (g, LF_CGH_PIDS, "pids.max", l->processes)) < 0)
    return fail_limit (err, "pids.max", r);
  return 0;
}

/* Buffers of sockets are no memory to version 1, and all groups' together are what the machine has for its own network: gigabytes for who opens many
 * connections and does not read. Who has this much has to wait until some of it was read. Version 2 counts them as memory. */
#define SOCKETS_MAX (256 * LF_MB)

static int
v1_setup (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  lf_cg_driver *d = g->d;
  if (v1_limit (g, l, err))
    return -1;
  if (d->caps.memory)
    {
      put_i64 (g, LF_CGH_MEMORY, "memory.swappiness", 0); /* absent on some kernels; memory and swap together are the real limit */
      put_i64 (g, LF_CGH_MEMORY, "memory.kmem.tcp.limit_in_bytes", SOCKETS_MAX); /* the same */
    }
  g->mem = hot (g, LF_CGH_MEMORY, "memory.usage_in_bytes", O_RDONLY);
  g->stat = hot (g, LF_CGH_MEMORY, "memory.stat", O_RDONLY);
  g->peak = hot (g, LF_CGH_MEMORY, "memory.max_usage_in_bytes", d->caps.peak_reset ? O_RDWR : O_RDONLY);
  g->cpu = hot (g, LF_CGH_CPU, "cpu.stat", O_RDONLY);
  g->cpuacct = hot (g, LF_CGH_CPUACCT, "cpuacct.usage", O_RDONLY);
  g->freezer = hot (g, LF_CGH_FREEZER, "freezer.state", O_RDWR);
  return 0;
}

static int
v1_attach (lf_cg *g, pid_t pid, lf_error *err)
{
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      if (g->d->at[h] < 0 || g->d->same[h])
        continue;
      int r = put_i64 (g, h, "cgroup.procs", pid);
      if (r)
        return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v1", "", "cannot move process %d into the %s group: %s", (int) pid,
                        lf_cgp_controller (h), strerror (-r));
    }
  return 0;
}

static int
v1_join (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err)
{
  int n = 0;
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      /* A frozen process cannot die, so what must die with the daemon stays out of the freezer. */
      if (h == LF_CGH_FREEZER || g->d->at[h] < 0 || g->d->same[h])
        continue;
      /* A task that moves itself alone needs not wait until no process of the machine forks or ends, as "cgroup.procs" makes it do:
       * 0.1 ms for all hierarchies instead of 10 to 20. */
      fds[n] = hot (g, h, "tasks", O_WRONLY);
      if (fds[n] < 0)
        {
          int e = -fds[n];
          while (n > 0)
            lf_cgp_close (&fds[--n]);
          return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v1", "", "cannot open the list of tasks of the %s group: %s", lf_cgp_controller (h), strerror (e));
        }
      n++;
    }
  return n;
}

static int64_t
v1_file_bytes (lf_cg *g)
{
  return lf_cgp_file_bytes (g->stat, "total_cache", "total_shmem");
}

static int
v1_freeze (lf_cg *g, bool on)
{
  const char *text = on ? "FROZEN" : "THAWED";
  return g->freezer >= 0 && pwrite (g->freezer, text, 6, 0) == 6 ? 0 : -1;
}

static int
v1_kill (lf_cg *g)
{
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      int dir = g->d->at[h] < 0 ? -1 : lf_cgp_open (g->d->at[h], g->name, O_RDONLY | O_DIRECTORY);
      if (dir < 0)
        continue;
      int r = lf_cgp_kill_listed (dir);
      close (dir);
      /* Only running processes can die; the signal is already pending, so nothing of theirs runs. */
      v1_freeze (g, false);
      return r < 0 ? -1 : 0;
    }
  return -1;
}

/* Only who has used up the quota within a period can have been throttled. A period is shorter than a window, and what was used since the
 * window before this one began is known: below the quota, less the slices of 5 ms that other processors may hold, nothing was. */
static bool
may_be_throttled (lf_cg *g, int64_t cpu_us)
{
  if (cpu_us == LF_NONE || g->throttled_us == LF_NONE || !g->quota_us)
    return true;
  int64_t now = lf_now_us (), used = cpu_us - g->before_cpu;
  if (now - g->window_at >= LF_CG_CPU_PERIOD_US)
    {
      g->before_cpu = g->window_cpu;
      g->window_cpu = cpu_us;
      g->window_at = now;
    }
  return used >= g->quota_us - g->slices_us;
}

static void
v1_usage (lf_cg *g, lf_cg_usage *u, bool all)
{
  char text[512];
  file_path p;
  u->memory_bytes = lf_cgp_pread_i64 (g->mem);
  u->peak_bytes = lf_cgp_pread_i64 (g->peak);
  int64_t ns = lf_cgp_pread_i64 (g->cpuacct);
  u->cpu_us = ns == LF_NONE ? LF_NONE : ns / 1000;
  if (all || may_be_throttled (g, u->cpu_us))
    {
      g->throttled_us = LF_NONE;
      if (lf_cgp_pread (g->cpu, text, sizeof text) > 0 && (ns = lf_cgp_key (text, "throttled_time")) != LF_NONE)
        g->throttled_us = ns / 1000;
    }
  u->throttled_us = g->throttled_us;
  if (!all)
    return;
  if (g->d->at[LF_CGH_MEMORY] >= 0 && lf_cgp_read (g->d->at[LF_CGH_MEMORY], in_group (g, "memory.oom_control", p), text, sizeof text) > 0)
    u->oom_kills = lf_cgp_key (text, "oom_kill");
  if (g->d->at[LF_CGH_PIDS] >= 0 && lf_cgp_read (g->d->at[LF_CGH_PIDS], in_group (g, "pids.current", p), text, sizeof text) > 0)
    u->processes = lf_cgp_number (text);
}

static int
v1_peak_reset (lf_cg *g)
{
  return g->d->caps.peak_reset && g->peak >= 0 && pwrite (g->peak, "0", 1, 0) == 1 ? 0 : -1;
}

/* A threshold goes away only with its eventfd, so a moved mark needs a new one; the epoll around it keeps the caller's descriptor. The
 * kernel takes many milliseconds to register one, so a thread waits for that; it makes the eventfd ready once when it is done. It tells of
 * use that reaches a threshold, and only once; we want that of more than it. */
static int
new_threshold (lf_cg *g, int64_t threshold)
{
  int ev = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (ev < 0)
    return -1;
  struct epoll_event want = { .events = EPOLLIN };
  int control = hot (g, LF_CGH_MEMORY, "cgroup.event_control", O_WRONLY);
  if (control < 0 || epoll_ctl (g->poll, EPOLL_CTL_ADD, ev, &want) || lf_cgp_arm (g->d, control, g->mem, ev, threshold + sysconf (_SC_PAGESIZE)))
    {
      lf_cgp_close (&control);
      close (ev);
      return -1;
    }
  lf_cgp_close (&g->event);
  g->event = ev;
  g->mark = threshold;
  return 0;
}

static int
v1_event_fd (lf_cg *g, int64_t threshold)
{
  if (!g->d->caps.mark || g->mem < 0)
    return -1;
  if (g->poll < 0 && (g->poll = epoll_create1 (EPOLL_CLOEXEC)) < 0)
    return -1;
  if (g->mark != threshold)
    return new_threshold (g, threshold) ? -1 : g->poll;
  uint64_t count;
  while (read (g->event, &count, sizeof count) > 0)
    ;
  return g->poll;
}

const lf_cgp_ops lf_cgp_v1 = { .kind = LF_CG_V1, .open = v1_open, .setup = v1_setup, .limit = v1_limit, .join = v1_join, .attach = v1_attach,
                               .set_memory = v1_set_memory, .freeze = v1_freeze, .kill = v1_kill, .usage = v1_usage, .file_bytes = v1_file_bytes,
                               .peak_reset = v1_peak_reset, .event_fd = v1_event_fd };
