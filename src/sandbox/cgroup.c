/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups: the choice of a driver and what all of them share. Each daemon makes one parent group, named after its process id
 * and start time and locked while it lives, so that the groups of a dead daemon are recognised beside a live one, also when the two
 * do not share a pid namespace.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroup_impl.h"

static int
real_mkdir (int dirfd, const char *name)
{
  return mkdirat (dirfd, name, 0755) ? -errno : 0;
}

static int
real_rmdir (int dirfd, const char *name)
{
  return unlinkat (dirfd, name, AT_REMOVEDIR) ? -errno : 0;
}

const lf_cgp_kernel lf_cgp_real_kernel = { real_mkdir, real_rmdir };

static void
nap_us (long us)
{
  struct timespec t = { us / 1000000, us % 1000000 * 1000 };
  nanosleep (&t, NULL);
}

/* ---- killing and removing ------------------------------------------------------------------------------------------------------------- */

#define KILL_ROUNDS 64

/* Signals the listed processes that are not in seen[0..n) (sorted not needed: the list is short when it matters); how many were new. */
static int
kill_round (int dirfd, pid_t *seen, size_t *n, size_t max)
{
  int fd = lf_cgp_open (dirfd, "cgroup.procs", O_RDONLY);
  if (fd < 0)
    return fd;
  FILE *f = fdopen (fd, "r");
  if (!f)
    {
      close (fd);
      return -ENOMEM;
    }
  int fresh = 0, pid;
  /* 0 stands for a process of another pid namespace: kill (0) would hit ourselves. */
  while (fscanf (f, "%d", &pid) == 1)
    {
      if (pid <= 1 || pid == getpid ())
        continue;
      bool old = false;
      for (size_t i = 0; i < *n && !old; i++)
        old = seen[i] == pid;
      if (old || kill (pid, SIGKILL))
        continue;
      fresh++;
      if (*n < max)
        seen[(*n)++] = pid;
    }
  fclose (f);
  return fresh;
}

int
lf_cgp_kill_listed (int dirfd)
{
  pid_t seen[1024];
  size_t n = 0;
  int total = 0;
  /* A process may fork between the list and the signal, so look again until nothing is new. */
  for (int i = 0; i < KILL_ROUNDS; i++)
    {
      int fresh = kill_round (dirfd, seen, &n, LF_ARRAY_LEN (seen));
      if (fresh < 0)
        return fresh;
      if (!fresh)
        break;
      total += fresh;
    }
  return total;
}

#define TREE_DEPTH_MAX 16

/* One pass over a tree: kill, thaw (a frozen process of v1 cannot die), remove what is empty. 0 when it is gone. */
static int
reap_pass (const lf_cgp_kernel *k, int dirfd, const char *name, int depth)
{
  int fd = lf_cgp_open (dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd == -ENOENT)
    return 0;
  if (fd < 0)
    return fd;
  if (lf_cgp_write (fd, "cgroup.kill", "1") < 0)
    lf_cgp_kill_listed (fd);
  if (lf_cgp_exists (fd, "freezer.state"))
    lf_cgp_write (fd, "freezer.state", "THAWED");
  else if (lf_cgp_exists (fd, "cgroup.freeze"))
    lf_cgp_write (fd, "cgroup.freeze", "0");
  DIR *dir = fdopendir (fd);
  if (!dir)
    {
      close (fd);
      return -ENOMEM;
    }
  struct dirent *e;
  while (depth < TREE_DEPTH_MAX && (e = readdir (dir)) != NULL)
    if (e->d_type == DT_DIR && strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0)
      reap_pass (k, fd, e->d_name, depth + 1);
  closedir (dir);
  int r = k->rmdir_at (dirfd, name);
  return r == -ENOENT ? 0 : r;
}

int
lf_cgp_reap (const lf_cgp_kernel *k, int dirfd, const char *name, int wait_ms)
{
  lf_time_us until = lf_now_us () + (int64_t) wait_ms * 1000;
  for (;;)
    {
      int r = reap_pass (k, dirfd, name, 0);
      if (r != -EBUSY || lf_now_us () >= until)
        return r;
      nap_us (1000);
    }
}

/* ---- parent groups -------------------------------------------------------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat: when the process started, in ticks since boot. LF_NONE when there is no such process. */
static int64_t
start_time (pid_t pid)
{
  char path[64], buf[1024];
  snprintf (path, sizeof path, "/proc/%d/stat", (int) pid);
  if (lf_cgp_read (AT_FDCWD, path, buf, sizeof buf) <= 0)
    return LF_NONE;
  const char *p = strrchr (buf, ')'); /* the command's name may hold anything */
  for (int field = 2; p && field < 22; field++)
    p = strchr (p + 1, ' ');
  return p ? lf_cgp_number (p + 1) : LF_NONE;
}

static bool
locked (int basefd, const char *name)
{
  int fd = lf_cgp_open (basefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0)
    return false;
  bool taken = flock (fd, LOCK_EX | LOCK_NB) != 0;
  close (fd);
  return taken;
}

bool
lf_cgp_is_dead_parent (int basefd, const char *name)
{
  int64_t pid, start, serial;
  const char *at = name + strlen (LF_CGP_PREFIX);
  if (!lf_starts (name, LF_CGP_PREFIX) || lf_take_i64 (&at, INT32_MAX, &pid) < 0 || *at++ != '-' || lf_take_i64 (&at, INT64_MAX, &start) < 0)
    return false;
  if (*at == '-' && (at++, lf_take_i64 (&at, INT64_MAX, &serial) < 0))
    return false;
  if (*at || pid <= 1)
    return false;
  return start_time ((pid_t) pid) != start && !locked (basefd, name);
}

int
lf_cgp_parent_make (lf_cg_driver *d, lf_error *err)
{
  for (int try = 0; try < 100; try++)
    {
      int n = snprintf (d->parent, sizeof d->parent, LF_CGP_PREFIX "%d-%lld", (int) getpid (), (long long) start_time (getpid ()));
      if (try)
        snprintf (d->parent + n, sizeof d->parent - (size_t) n, "-%d", try);
      int r = 0, h;
      for (h = 0; h < LF_CGH_COUNT && !r; h++)
        if (d->base[h] >= 0 && !d->same[h])
          r = d->k.mkdir_at (d->base[h], d->parent);
      for (int b = 0; b < h - 1 && r; b++)
        if (d->base[b] >= 0 && !d->same[b])
          d->k.rmdir_at (d->base[b], d->parent);
      if (r == -EEXIST)
        continue; /* another driver of this process */
      if (r)
        return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup", "run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes COMMAND",
                        "cannot make a group in %s: %s", d->where, strerror (-r));
      for (h = 0; h < LF_CGH_COUNT; h++)
        if (d->base[h] >= 0)
          {
            d->at[h] = lf_cgp_open (d->base[h], d->parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (d->at[h] < 0)
              return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup", "", "cannot open the group made in %s: %s", d->where, strerror (-d->at[h]));
            flock (d->at[h], LOCK_EX | LOCK_NB); /* best effort: the name alone already tells most cases */
          }
      size_t len = strlen (d->where);
      snprintf (d->where + len, sizeof d->where - len, "/%s", d->parent);
      return 0;
    }
  return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup", "", "too many groups of this process in %s", d->where);
}

/* ---- choice --------------------------------------------------------------------------------------------------------------------------- */

static void
driver_close (lf_cg_driver *d)
{
  lf_cgp_armer_free (d->armer);
  /* The freezer is last in the list and must be first here: what is frozen cannot die, and so stays in the other groups. */
  for (int h = LF_CGH_COUNT - 1; h >= 0; h--)
    {
      /* A short wait: whatever still runs here was killed a moment ago. */
      if (d->at[h] >= 0 && !d->same[h])
        {
          lf_cgp_close (&d->at[h]);
          lf_cgp_reap (&d->k, d->base[h], d->parent, 500);
        }
      lf_cgp_close (&d->at[h]);
      lf_cgp_close (&d->base[h]);
    }
  for (size_t i = 0; i < d->left_n; i++)
    free (d->left[i]);
  free (d);
}

static lf_cg_driver *
driver_open (const lf_cgp_ops *ops, const lf_cgp_place *p, const lf_cgp_kernel *k, bool fake, char *why, lf_error *err)
{
  lf_cg_driver *d = calloc (1, sizeof *d);
  if (!d)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  d->ops = ops;
  d->k = *k;
  d->fake = fake;
  for (int h = 0; h < LF_CGH_COUNT; h++)
    d->base[h] = d->at[h] = -1;
  if (ops->open (d, p, why, err))
    {
      driver_close (d);
      return NULL;
    }
  return d;
}

static int
worth (const lf_cg_driver *d)
{
  if (!d)
    return -1;
  const lf_cg_caps *c = &d->caps;
  return c->memory * 16 + c->cpu * 8 + c->pids * 4 + c->freezer * 2 + (d->ops->kind == LF_CG_V2);
}

static const lf_cgp_ops *
ops_of (lf_cg_kind kind)
{
  return kind == LF_CG_V2 ? &lf_cgp_v2 : kind == LF_CG_V1 ? &lf_cgp_v1 : &lf_cgp_none;
}

lf_cg_driver *
lf_cgp_open_place (const lf_cg_kind *force, const lf_cgp_place *place, const lf_cgp_kernel *k, bool fake, char *why, lf_error *err)
{
  char why2[400] = "", why1[400] = "";
  if (why)
    why[0] = '\0';
  if (force)
    {
      lf_cg_driver *d = driver_open (ops_of (*force), place, k, fake, why2, err);
      if (d && why)
        snprintf (why, 200, "%s", why2);
      return d;
    }
  lf_error e2 = { 0 }, e1 = { 0 };
  lf_cg_driver *v2 = driver_open (&lf_cgp_v2, place, k, fake, why2, &e2);
  /* Complete is complete: do not touch the other hierarchies for nothing. */
  lf_cg_driver *v1 = worth (v2) >= 31 ? NULL : driver_open (&lf_cgp_v1, place, k, fake, why1, &e1);
  lf_cg_driver *best = worth (v2) > worth (v1) ? v2 : v1, *other = best == v2 ? v1 : v2;
  if (other)
    driver_close (other);
  if (why && best)
    snprintf (why, 200, "%s", best == v2 ? why2 : why1);
  else if (why)
    snprintf (why, 200, "v2: %.90s; v1: %.90s", e2.why, e1.why);
  return best ? best : driver_open (&lf_cgp_none, place, k, fake, NULL, err);
}

lf_cg_driver *
lf_cg_open (const lf_cg_kind *force, const char *root, char *why, lf_error *err)
{
  lf_cgp_place place LF_CLEANUP (lf_cgp_place_fini) = { 0 };
  int r;
  if (root)
    r = lf_cgp_place_under (root, &place);
  else
    {
      /* Machines with many containers have long mount tables. */
      size_t size = 4u << 20;
      char *mounts LF_CLEANUP (lf_freep) = malloc (size), self[8192];
      if (!mounts)
        return LF_FAIL_NOMEM (err), NULL;
      lf_cgp_read (AT_FDCWD, "/proc/self/mountinfo", mounts, size);
      lf_cgp_read (AT_FDCWD, "/proc/self/cgroup", self, sizeof self);
      r = lf_cgp_place_parse (mounts, self, &place);
    }
  if (r)
    return LF_FAIL_NOMEM (err), NULL;
  return lf_cgp_open_place (force, &place, &lf_cgp_real_kernel, root != NULL, why, err);
}

/* ---- groups --------------------------------------------------------------------------------------------------------------------------- */

/* Removes the group's folders; 0, or -errno of the first that stays. */
static int
remove_folders (lf_cg_driver *d, const char *name)
{
  int left = 0;
  for (int h = 0; h < LF_CGH_COUNT; h++)
    if (d->at[h] >= 0 && !d->same[h])
      {
        int r = d->k.rmdir_at (d->at[h], name);
        if (r && r != -ENOENT && !left)
          left = r;
      }
  return left;
}

static void
retry_left (lf_cg_driver *d, size_t at_most)
{
  for (size_t i = 0; i < d->left_n && at_most--;)
    if (remove_folders (d, d->left[i]) != -EBUSY)
      {
        free (d->left[i]);
        d->left[i] = d->left[--d->left_n];
      }
    else
      i++;
}

static bool
name_ok (const char *name)
{
  size_t n = strlen (name);
  return n && n < LF_CG_NAME_MAX && name[0] != '.' && !strchr (name, '/') && !strchr (name, '\n') && strcmp (name, LF_CGP_FROZEN) != 0;
}

static void
group_close (lf_cg *g)
{
  int *fds[] = { &g->poll, &g->event, &g->mem, &g->stat, &g->peak, &g->cpu, &g->cpuacct, &g->freezer, &g->dir };
  for (size_t i = 0; i < LF_ARRAY_LEN (fds); i++)
    lf_cgp_close (fds[i]);
}

static int
group_make (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  lf_cg_driver *d = g->d;
  for (int h = 0; h < LF_CGH_COUNT; h++)
    if (d->at[h] >= 0 && !d->same[h])
      {
        int r = d->k.mkdir_at (d->at[h], g->name);
        if (r)
          return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "cgroup", r == -EEXIST ? "" : "see `lambdafit doctor`", "cannot make the group %s in %s: %s",
                          g->name, d->where, strerror (-r));
      }
  return d->ops->setup (g, l, err);
}

lf_cg *
lf_cg_new (lf_cg_driver *d, const char *name, const lf_cg_limits *l, lf_error *err)
{
  if (!name_ok (name))
    return LF_FAIL (err, LF_EXIT_USAGE, "cgroup", "", "'%.40s' cannot be the name of a group", name), NULL;
  retry_left (d, 8);
  lf_cg *g = calloc (1, sizeof *g);
  if (!g)
    return LF_FAIL_NOMEM (err), NULL;
  g->d = d;
  snprintf (g->name, sizeof g->name, "%s", name);
  g->dir = g->mem = g->stat = g->peak = g->cpu = g->cpuacct = g->freezer = g->event = g->poll = -1;
  g->mark = g->throttled_us = LF_NONE;
  /* A group that exists already belongs to someone else: then nothing of it may be removed. */
  for (int h = 0; h < LF_CGH_COUNT; h++)
    if (d->at[h] >= 0 && lf_cgp_exists (d->at[h], name))
      {
        free (g);
        return LF_FAIL (err, LF_EXIT_IO, "cgroup", "", "the group %s exists already in %s", name, d->where), NULL;
      }
  if (group_make (g, l, err))
    {
      group_close (g);
      remove_folders (d, name);
      free (g);
      return NULL;
    }
  return g;
}

int
lf_cg_free (lf_cg *g, lf_error *err)
{
  if (!g)
    return 0;
  lf_cg_driver *d = g->d;
  group_close (g);
  int r = remove_folders (d, g->name);
  /* A killed process leaves its group a moment after its parent was told. */
  for (long us = 50; r == -EBUSY && us <= 800; us *= 2)
    {
      nap_us (us);
      r = remove_folders (d, g->name);
    }
  int result = 0;
  if (r)
    {
      char *name = r == -EBUSY && d->left_n < LF_CG_LEFT_MAX ? lf_strdup (g->name) : NULL;
      if (name)
        d->left[d->left_n++] = name;
      result = LF_FAIL (err, LF_EXIT_IO, "cgroup", "", "the group %s is not removed yet: %s", g->name, strerror (-r));
    }
  else
    retry_left (d, 8);
  free (g);
  return result;
}

void
lf_cg_close (lf_cg_driver *d)
{
  if (d)
    driver_close (d);
}

int
lf_cg_sweep (lf_cg_driver *d)
{
  int removed = 0;
  for (int h = LF_CGH_COUNT - 1; h >= 0; h--) /* the freezer first, as above */
    {
      if (d->base[h] < 0 || d->same[h])
        continue;
      int fd = lf_cgp_open (d->base[h], ".", O_RDONLY | O_DIRECTORY);
      DIR *dir = fd < 0 ? NULL : fdopendir (fd);
      if (!dir)
        {
          lf_cgp_close (&fd);
          continue;
        }
      struct dirent *e;
      while ((e = readdir (dir)) != NULL)
        if (lf_cgp_is_dead_parent (d->base[h], e->d_name) && !lf_cgp_reap (&d->k, d->base[h], e->d_name, 1000))
          removed++;
      closedir (dir);
    }
  return removed;
}

/* ---- through the table ----------------------------------------------------------------------------------------------------------------- */

lf_cg_kind
lf_cg_driver_kind (const lf_cg_driver *d)
{
  return d->ops->kind;
}

void
lf_cg_caps_get (const lf_cg_driver *d, lf_cg_caps *c)
{
  *c = d->caps;
}

const char *
lf_cg_where (const lf_cg_driver *d)
{
  return d->where;
}

int
lf_cg_attach (lf_cg *g, pid_t pid, lf_error *err)
{
  return g->d->ops->attach (g, pid, err);
}

int
lf_cg_fd (const lf_cg *g)
{
  return g->d->caps.clone_into ? g->dir : -1;
}

int
lf_cg_set_memory (lf_cg *g, int64_t bytes, lf_error *err)
{
  return g->d->ops->set_memory (g, bytes, err);
}

int
lf_cg_set_limits (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  return g->d->ops->limit (g, l, err);
}

int
lf_cg_join_fds (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err)
{
  return g->d->ops->join (g, fds, err);
}

int64_t
lf_cg_file_bytes (lf_cg *g)
{
  return g->d->ops->file_bytes (g);
}

int
lf_cg_freeze (lf_cg *g)
{
  return g->d->ops->freeze (g, true);
}

int
lf_cg_thaw (lf_cg *g)
{
  return g->d->ops->freeze (g, false);
}

int
lf_cg_kill (lf_cg *g)
{
  return g->d->ops->kill (g);
}

static void
usage (lf_cg *g, lf_cg_usage *u, bool all)
{
  *u = (lf_cg_usage) { LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE };
  g->d->ops->usage (g, u, all);
}

int
lf_cg_usage_get (lf_cg *g, lf_cg_usage *u)
{
  usage (g, u, true);
  return 0;
}

int
lf_cg_usage_hot (lf_cg *g, lf_cg_usage *u)
{
  usage (g, u, false);
  return 0;
}

int
lf_cg_peak_reset (lf_cg *g)
{
  return g->d->ops->peak_reset (g);
}

int
lf_cg_memory_event_fd (lf_cg *g, int64_t threshold_bytes)
{
  return threshold_bytes < 0 ? -1 : g->d->ops->event_fd (g, threshold_bytes);
}
