/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups, version 2: one hierarchy. Controllers reach a group only through `cgroup.subtree_control` of every group above it,
 * and a group that gives controllers on may hold no processes itself (the top of the machine excepted). So as root our parent goes below
 * the top; as a user it goes below the nearest group that was delegated (systemd: Delegate=yes), and processes that sit in that very
 * group (we ourselves, the shell that started us) are moved to a leaf beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cgroup_impl.h"

#define FIX_DELEGATE "run it in a delegated group: systemd-run --user --scope -p Delegate=yes lambdafit ... (or as root)"

enum { C_MEMORY = 1, C_CPU = 2, C_PIDS = 4, C_ALL = 7 };
static const char *const names[] = { "memory", "cpu", "pids" };

static int
controllers (int dirfd, const char *file)
{
  char text[512];
  int set = 0;
  if (lf_cgp_read (dirfd, file, text, sizeof text) > 0)
    for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
      if (lf_cgp_has_word (text, names[i]))
        set |= 1 << i;
  return set;
}

/* Gives what is available on to the groups below, one by one, so that one that is refused does not hide the others. Returns what the
 * groups below have then. */
static int
enable (const lf_cg_driver *d, int dirfd)
{
  int available = controllers (dirfd, "cgroup.controllers"), on = controllers (dirfd, "cgroup.subtree_control");
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    if ((available & ~on) & (1 << i))
      {
        char text[32];
        snprintf (text, sizeof text, "+%s", names[i]);
        int r = lf_cgp_write (dirfd, "cgroup.subtree_control", text);
        if (!r && d->fake)
          on |= 1 << i; /* a plain file holds only the last word written */
      }
  return d->fake ? on : controllers (dirfd, "cgroup.subtree_control");
}

/* Moves every process of the group to a leaf below it. */
static int
move_to_leaf (lf_cg_driver *d, int dirfd)
{
  int r = d->k.mkdir_at (dirfd, LF_CGP_LEAF);
  if (r && r != -EEXIST)
    return r;
  for (int round = 0; round < 16; round++)
    {
      char text[16384];
      if ((r = lf_cgp_read (dirfd, "cgroup.procs", text, sizeof text)) <= 0)
        return r;
      for (char *p = text; *p;)
        {
          char *end;
          long pid = strtol (p, &end, 10);
          if (end == p || pid <= 0) /* 0: a process that our pid namespace does not show; not ours to move */
            return -EPERM;
          r = lf_cgp_write_i64 (dirfd, LF_CGP_LEAF "/cgroup.procs", pid);
          if (r && r != -ESRCH)
            return r;
          p = *end ? end + 1 : end;
        }
      if (d->fake)
        return 0;
    }
  return -EBUSY;
}

typedef struct candidate { int fd, set; bool busy, may_write; } candidate;

static bool
holds_processes (int dirfd)
{
  char text[16];
  return lf_cgp_read (dirfd, "cgroup.procs", text, sizeof text) > 0;
}

/* Looks at one group as the place for our parent. */
static candidate
examine (lf_cg_driver *d, const char *path, bool top)
{
  candidate c = { lf_cgp_open (AT_FDCWD, path, O_RDONLY | O_DIRECTORY), 0, false, false };
  if (c.fd < 0)
    return c;
  char type[64];
  bool threaded = lf_cgp_read (c.fd, "cgroup.type", type, sizeof type) > 0 && strstr (type, "threaded");
  /* Moving a process needs the right to write the nearest group above both its places, which is this one. */
  c.may_write = !threaded && lf_cgp_can_write (c.fd, ".") && lf_cgp_can_write (c.fd, "cgroup.procs");
  if (!c.may_write)
    return c;
  c.set = controllers (c.fd, "cgroup.subtree_control");
  /* Nothing may be tried on a group that holds processes: memory would be refused, but cpu and pids would turn it into a threaded
   * domain, in which no group of ours could hold a process. */
  c.busy = !top && c.set != C_ALL && holds_processes (c.fd);
  if (!c.busy)
    c.set = enable (d, c.fd);
  return c;
}

static void
keep_better (candidate *best, char **best_path, candidate *c, const char *path)
{
  if (c->fd >= 0 && c->may_write && (best->fd < 0 || (c->set & C_MEMORY) > (best->set & C_MEMORY)
                                     || ((c->set & C_MEMORY) == (best->set & C_MEMORY) && c->set > best->set)))
    {
      lf_cgp_close (&best->fd);
      *best = *c;
      free (*best_path);
      *best_path = lf_strdup (path);
      return;
    }
  lf_cgp_close (&c->fd);
}

static bool
delegated (const char *path)
{
  char v[8];
  return getxattr (path, "user.delegate", v, sizeof v) == 1 && v[0] == '1'; /* systemd's mark */
}

/* From `own` up to the top; with `move`, processes that are in the way go to a leaf where that gains a controller. */
static void
walk_up (lf_cg_driver *d, const char *own, size_t top, bool move, candidate *best, char **best_path)
{
  char *path LF_CLEANUP (lf_freep) = lf_strdup (own);
  while (path && best->set != C_ALL)
    {
      candidate c = examine (d, path, false);
      if (move && c.busy && (controllers (c.fd, "cgroup.controllers") & ~best->set) && move_to_leaf (d, c.fd) == 0)
        c.set = enable (d, c.fd);
      keep_better (best, best_path, &c, path);
      char *slash = strrchr (path + top, '/');
      if (!slash)
        break;
      *slash = '\0';
    }
}

/* The top of the machine, for who may write it. Else our own group if systemd delegated it; else the nearest group above that can give
 * all controllers on as it is; and only then one whose processes must be moved. */
static int
choose_base (lf_cg_driver *d, const lf_cgp_spot *s, lf_error *err)
{
  candidate best = { -1, 0, false, false };
  char *best_path LF_CLEANUP (lf_freep) = NULL;
  char *own LF_CLEANUP (lf_freep) = lf_asprintf ("%s%s%s", s->mount, s->own && s->own[0] ? "/" : "", s->own ? s->own : "");
  char *events LF_CLEANUP (lf_freep) = lf_asprintf ("%s/cgroup.events", s->mount);
  if (!own || !events)
    return LF_FAIL_NOMEM (err);
  if (access (events, F_OK) != 0) /* only the true top has no such file */
    {
      candidate c = examine (d, s->mount, true);
      keep_better (&best, &best_path, &c, s->mount);
    }
  size_t top = strlen (s->mount);
  bool at_top = best.fd >= 0;
  if (!at_top && delegated (own))
    walk_up (d, own, strlen (own), true, &best, &best_path);
  for (int move = 0; move <= 1; move++)
    if (!at_top && (best.fd < 0 || !(best.set & C_MEMORY)))
      walk_up (d, own, top, move, &best, &best_path);
  d->base[LF_CGH_V2] = best.fd;
  snprintf (d->where, sizeof d->where, "%.400s", best_path ? best_path : s->mount);
  if (best.fd < 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", FIX_DELEGATE, "no group in %s may be written by this user", s->mount);
  return 0;
}

/* memory.peak can be started again from Linux 6.12; before, it is not even writable. Tried on the parent, where it does no harm. */
static bool
can_reset_peak (lf_cg_driver *d)
{
  int fd = lf_cgp_open (d->at[LF_CGH_V2], "memory.peak", O_RDWR);
  if (fd < 0)
    return false;
  bool ok = pwrite (fd, "reset", 5, 0) == 5;
  close (fd);
  return ok;
}

/* The parent has every file its children will have, because it has the same controllers. */
static void
find_caps (lf_cg_driver *d, int given)
{
  lf_cg_caps *c = &d->caps;
  int at = d->at[LF_CGH_V2];
  char text[512];
  if (given & C_MEMORY)
    {
      c->memory = lf_cgp_exists (at, "memory.max");
      c->swap = lf_cgp_exists (at, "memory.swap.max");
      c->peak = lf_cgp_exists (at, "memory.peak");
      c->peak_reset = c->peak && can_reset_peak (d);
      c->oom_count = lf_cgp_read (at, "memory.events", text, sizeof text) > 0 && lf_cgp_key (text, "oom_kill") != LF_NONE;
      c->mark = lf_cgp_exists (at, "memory.high") && lf_cgp_exists (at, "memory.events");
    }
  c->cpu = (given & C_CPU) && lf_cgp_exists (at, "cpu.max");
  bool stat = lf_cgp_read (at, "cpu.stat", text, sizeof text) > 0;
  c->cpu_usage = stat && lf_cgp_key (text, "usage_usec") != LF_NONE;
  c->throttled = c->cpu && stat && lf_cgp_key (text, "throttled_usec") != LF_NONE;
  c->pids = (given & C_PIDS) && lf_cgp_exists (at, "pids.max");
  c->freezer = lf_cgp_exists (at, "cgroup.freeze");
  c->kill = true;
  c->clone_into = true;
}

static int
v2_open (lf_cg_driver *d, const lf_cgp_place *p, char *why, lf_error *err)
{
  if (!p->v2.mount)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", "", "no v2 hierarchy is mounted");
  if (choose_base (d, &p->v2, err) || lf_cgp_parent_make (d, err))
    return -1;
  int given = enable (d, d->at[LF_CGH_V2]);
  find_caps (d, given);
  if (!(given & C_ALL) && !controllers (d->base[LF_CGH_V2], "cgroup.controllers") && !d->caps.freezer)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", "", "the hierarchy in %s has no controllers", p->v2.mount);
  if (why)
    {
      why[0] = '\0';
      for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
        if (!(given & (1 << i)))
          {
            size_t n = strlen (why);
            snprintf (why + n, 200 - n, "%s%s", n ? ", " : "without the controllers ", names[i]);
          }
    }
  return 0;
}

static int
fail_limit (lf_error *err, const char *file, int e)
{
  return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", "see `lambdafit doctor`", "cannot set %s: %s", file, strerror (-e));
}

static int
v2_set_memory (lf_cg *g, int64_t bytes, lf_error *err)
{
  int r = g->d->caps.memory ? lf_cgp_write_i64 (g->dir, "memory.max", bytes) : 0;
  return r < 0 ? fail_limit (err, "memory.max", r) : 0;
}

static int
hot (lf_cg *g, const char *file, int flags)
{
  int fd = lf_cgp_open (g->dir, file, flags);
  return fd < 0 ? -1 : fd;
}

static int
v2_limit (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  const lf_cg_caps *c = &g->d->caps;
  int r;
  if (l->memory_bytes != LF_NONE && v2_set_memory (g, l->memory_bytes, err))
    return -1;
  if (l->memory_bytes != LF_NONE && c->memory && c->swap && (r = lf_cgp_write (g->dir, "memory.swap.max", "0")) < 0)
    return fail_limit (err, "memory.swap.max", r);
  if (l->cpu_milli != LF_NONE && c->cpu)
    {
      char text[64];
      int64_t quota = l->cpu_milli == LF_CG_CPU_ALL ? LF_CG_CPU_ALL : l->cpu_milli * LF_CG_CPU_PERIOD_US / 1000;
      if (quota == LF_CG_CPU_ALL)
        snprintf (text, sizeof text, "max %d", LF_CG_CPU_PERIOD_US);
      else
        snprintf (text, sizeof text, "%lld %d", (long long) (quota < 1000 ? 1000 : quota), LF_CG_CPU_PERIOD_US);
      if ((r = lf_cgp_write (g->dir, "cpu.max", text)) < 0)
        return fail_limit (err, "cpu.max", r);
    }
  if (l->processes != LF_NONE && c->pids && (r = lf_cgp_write_i64 (g->dir, "pids.max", l->processes)) < 0)
    return fail_limit (err, "pids.max", r);
  return 0;
}

static int
v2_setup (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  const lf_cg_caps *c = &g->d->caps;
  g->dir = lf_cgp_open (g->d->at[LF_CGH_V2], g->name, O_RDONLY | O_DIRECTORY);
  if (g->dir < 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", "", "cannot open the new group %s: %s", g->name, strerror (-g->dir));
  if (v2_limit (g, l, err))
    return -1;
  if (c->memory)
    {
      g->stat = hot (g, "memory.stat", O_RDONLY);
      g->mem = hot (g, "memory.current", O_RDONLY);
      g->peak = hot (g, "memory.peak", c->peak_reset ? O_RDWR : O_RDONLY);
    }
  g->cpu = hot (g, "cpu.stat", O_RDONLY);
  g->freezer = hot (g, "cgroup.freeze", O_WRONLY);
  return 0;
}

static int
v2_attach (lf_cg *g, pid_t pid, lf_error *err)
{
  int r = lf_cgp_write_i64 (g->dir, "cgroup.procs", pid);
  if (r)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", r == -EACCES ? FIX_DELEGATE : "", "cannot move process %d into %s/%s: %s",
                    (int) pid, g->d->where, g->name, strerror (-r));
  return 0;
}

static int
v2_join (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err)
{
  fds[0] = lf_cgp_open (g->dir, "cgroup.procs", O_WRONLY);
  if (fds[0] < 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup v2", FIX_DELEGATE, "cannot open the list of processes of %s/%s: %s", g->d->where, g->name,
                    strerror (-fds[0]));
  return 1;
}

static int64_t
v2_file_bytes (lf_cg *g)
{
  return lf_cgp_file_bytes (g->stat, "file", "shmem");
}

static int
v2_freeze (lf_cg *g, bool on)
{
  return g->freezer >= 0 && pwrite (g->freezer, on ? "1" : "0", 1, 0) == 1 ? 0 : -1;
}

static int
v2_kill (lf_cg *g)
{
  if (!lf_cgp_write (g->dir, "cgroup.kill", "1"))
    return 0;
  return lf_cgp_kill_listed (g->dir) < 0 ? -1 : 0; /* before Linux 5.14; SIGKILL wakes frozen processes here */
}

static void
v2_usage (lf_cg *g, lf_cg_usage *u, bool all)
{
  char text[1024];
  u->memory_bytes = lf_cgp_pread_i64 (g->mem);
  u->peak_bytes = lf_cgp_pread_i64 (g->peak);
  if (lf_cgp_pread (g->cpu, text, sizeof text) > 0)
    {
      u->cpu_us = lf_cgp_key (text, "usage_usec");
      u->throttled_us = g->d->caps.cpu ? lf_cgp_key (text, "throttled_usec") : LF_NONE;
    }
  if (!all)
    return;
  if (g->d->caps.memory && lf_cgp_read (g->dir, "memory.events", text, sizeof text) > 0)
    u->oom_kills = lf_cgp_key (text, "oom_kill");
  if (g->d->caps.pids && lf_cgp_read (g->dir, "pids.current", text, sizeof text) > 0)
    u->processes = lf_cgp_number (text);
}

static int
v2_peak_reset (lf_cg *g)
{
  return g->d->caps.peak_reset && g->peak >= 0 && pwrite (g->peak, "reset", 5, 0) == 5 ? 0 : -1;
}

static int
v2_event_fd (lf_cg *g, int64_t threshold)
{
  char text[1024];
  if (!g->d->caps.mark)
    return -1;
  if (g->event < 0 && (g->event = hot (g, "memory.events", O_RDONLY)) < 0)
    return -1;
  lf_cgp_pread (g->event, text, sizeof text); /* reading is what arms it again */
  if (g->mark != threshold && lf_cgp_write_i64 (g->dir, "memory.high", threshold))
    return -1;
  g->mark = threshold;
  return g->event;
}

const lf_cgp_ops lf_cgp_v2 = { .kind = LF_CG_V2, .open = v2_open, .setup = v2_setup, .limit = v2_limit, .join = v2_join, .attach = v2_attach,
                               .set_memory = v2_set_memory, .freeze = v2_freeze, .kill = v2_kill, .usage = v2_usage, .file_bytes = v2_file_bytes,
                               .peak_reset = v2_peak_reset, .event_fd = v2_event_fd };
