/* SPDX-License-Identifier: Apache-2.0
 *
 * The cgroup driver: on fake trees (plain folders, where a small stand-in for the kernel fills new groups with files), and for real with
 * whatever hierarchy this machine lets us use.
 */
/* How long something may take that is waited for: an emulated machine is ten to twenty times slower. */
#define SLOW_MS 120000

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cgroup_impl.h"
#include "sandbox_impl.h"

/* ---- a stand-in for the kernel ---------------------------------------------------------------------------------------------------------- */

typedef struct fake_file { const char *name, *text; } fake_file;

static const fake_file v2_files[] = {
  { "cgroup.controllers", "cpu memory pids\n" }, { "cgroup.subtree_control", "" }, { "cgroup.procs", "" }, { "cgroup.freeze", "0\n" },
  { "cgroup.kill", "" }, { "cgroup.events", "populated 0\nfrozen 0\n" }, { "memory.max", "max\n" }, { "memory.high", "max\n" },
  { "memory.swap.max", "max\n" }, { "memory.current", "1000\n" }, { "memory.peak", "2000\n" },
  { "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n" }, { "cpu.max", "max 100000\n" },
  { "cpu.stat", "usage_usec 5000\nuser_usec 4000\nsystem_usec 1000\nnr_periods 2\nnr_throttled 1\nthrottled_usec 700\n" },
  { "pids.max", "max\n" }, { "pids.current", "4\n" },
};
static const fake_file v1_memory[] = { { "tasks", "" },
  { "cgroup.procs", "" }, { "memory.limit_in_bytes", "9223372036854771712\n" }, { "memory.memsw.limit_in_bytes", "9223372036854771712\n" },
  { "memory.usage_in_bytes", "1000\n" }, { "memory.max_usage_in_bytes", "2000\n" }, { "memory.swappiness", "60\n" },
  { "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n" }, { "cgroup.event_control", "" }, { "memory.use_hierarchy", "0\n" },
};
static const fake_file v1_cpu[] = { { "tasks", "" },
  { "cgroup.procs", "" }, { "cpu.cfs_period_us", "100000\n" }, { "cpu.cfs_quota_us", "-1\n" },
  { "cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 700000\n" },
};
static const fake_file v1_cpuacct[] = { { "tasks", "" }, { "cgroup.procs", "" }, { "cpuacct.usage", "5000000\n" } };
static const fake_file v1_pids[] = { { "tasks", "" }, { "cgroup.procs", "" }, { "pids.max", "max\n" }, { "pids.current", "4\n" } };
static const fake_file v1_freezer[] = { { "tasks", "" }, { "cgroup.procs", "" }, { "freezer.state", "THAWED\n" } };

static char tree[PATH_MAX];
static const char *absent;      /* a file that new groups do not get, NULL for none */
static const char *given;       /* what a new group of v2 has, NULL for all */

static void
put (int dirfd, const char *name, const char *text)
{
  int fd = openat (dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  assert_true (fd >= 0);
  assert_int_equal (write (fd, text, strlen (text)), strlen (text));
  close (fd);
}

static void
fill (int fd, const fake_file *f, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (!absent || strcmp (absent, f[i].name))
      put (fd, f[i].name, f[i].text);
}
#define FILL(fd, table) fill (fd, table, LF_ARRAY_LEN (table))

static int
fake_mkdir (int dirfd, const char *name)
{
  char link[64], path[PATH_MAX];
  if (mkdirat (dirfd, name, 0755))
    return -errno;
  int fd = openat (dirfd, name, O_RDONLY | O_DIRECTORY);
  assert_true (fd >= 0);
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink (link, path, sizeof path - 1);
  assert_true (n > 0);
  path[n] = '\0';
  const char *p = path + strlen (tree);
  if (lf_starts (p, "/memory/"))
    FILL (fd, v1_memory);
  else if (lf_starts (p, "/cpu/"))
    FILL (fd, v1_cpu);
  else if (lf_starts (p, "/cpuacct/"))
    FILL (fd, v1_cpuacct);
  else if (lf_starts (p, "/pids/"))
    FILL (fd, v1_pids);
  else if (lf_starts (p, "/freezer/"))
    FILL (fd, v1_freezer);
  else
    {
      FILL (fd, v2_files);
      if (given)
        put (fd, "cgroup.controllers", given);
    }
  close (fd);
  return 0;
}

static int busy; /* so many removals are refused */

static int
fake_rmdir (int dirfd, const char *name)
{
  if (busy > 0)
    {
      busy--;
      return -EBUSY;
    }
  int fd = openat (dirfd, name, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return -errno;
  const fake_file *all[] = { v2_files, v1_memory, v1_cpu, v1_cpuacct, v1_pids, v1_freezer };
  const size_t n[] = { LF_ARRAY_LEN (v2_files), LF_ARRAY_LEN (v1_memory), LF_ARRAY_LEN (v1_cpu),
                       LF_ARRAY_LEN (v1_cpuacct), LF_ARRAY_LEN (v1_pids), LF_ARRAY_LEN (v1_freezer) };
  for (size_t t = 0; t < LF_ARRAY_LEN (all); t++)
    for (size_t i = 0; i < n[t]; i++)
      unlinkat (fd, all[t][i].name, 0);
  close (fd);
  return unlinkat (dirfd, name, AT_REMOVEDIR) ? -EBUSY : 0;
}

static const lf_cgp_kernel fake_kernel = { fake_mkdir, fake_rmdir };

static int
tree_new (void **state)
{
  (void) state;
  snprintf (tree, sizeof tree, "/tmp/lf-cgroup-XXXXXX");
  absent = given = NULL;
  busy = 0;
  return mkdtemp (tree) ? 0 : -1;
}

static int
tree_gone (void **state)
{
  (void) state;
  lf_error err = { 0 };
  return lf_rm_rf (tree, &err);
}

static void
put_tree (const char *file, const char *text)
{
  put (AT_FDCWD, file, text);
}

static char *
in_tree (const char *fmt, ...)
{
  static char path[4][PATH_MAX + 512];
  static int turn;
  char *p = path[turn++ % 4];
  int n = snprintf (p, sizeof path[0], "%s/", tree);
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (p + n, sizeof path[0] - (size_t) n, fmt, ap);
  va_end (ap);
  return p;
}

static void
assert_holds (const char *path, const char *text)
{
  char have[512];
  int n = lf_cgp_read (AT_FDCWD, path, have, sizeof have);
  if (n < 0)
    fail_msg ("%s: %s", path, strerror (-n));
  if (strcmp (have, text))
    fail_msg ("%s holds '%s', not '%s'", path, have, text);
}

static void
v2_tree (const char *controllers)
{
  put_tree (in_tree ("cgroup.controllers"), controllers);
  put_tree (in_tree ("cgroup.subtree_control"), "");
  put_tree (in_tree ("cgroup.procs"), "");
}

static void
v1_tree (void)
{
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      assert_int_equal (mkdir (in_tree ("%s", lf_cgp_controller (h)), 0755), 0);
      put_tree (in_tree ("%s/cgroup.procs", lf_cgp_controller (h)), "");
    }
}

static lf_cg_driver *
open_tree (const lf_cg_kind *force, char *why, lf_error *err)
{
  lf_cgp_place p = { 0 };
  assert_int_equal (lf_cgp_place_under (tree, &p), 0);
  lf_cg_driver *d = lf_cgp_open_place (force, &p, &fake_kernel, true, why, err);
  lf_cgp_place_fini (&p);
  return d;
}

static size_t
entries (const char *path)
{
  struct stat st;
  return stat (path, &st) ? 0 : (size_t) st.st_nlink - 2; /* folders below a folder */
}

static const lf_cg_limits limits = { 128 * LF_MB, 72, 1024 };

/* ---- fake trees --------------------------------------------------------------------------------------------------------------------------- */

static void
test_v2_writes (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  v2_tree ("cpuset cpu io memory pids\n");
  lf_cg_driver *d = open_tree (NULL, why, &err);
  assert_non_null (d);
  assert_int_equal (lf_cg_driver_kind (d), LF_CG_V2);
  assert_string_equal (why, "");
  assert_holds (in_tree ("cgroup.subtree_control"), "+pids");
  assert_holds (in_tree ("%s/cgroup.subtree_control", d->parent), "+pids");
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_true (c.memory && c.swap && c.peak && c.peak_reset && c.oom_count && c.mark && c.cpu && c.cpu_usage && c.throttled && c.pids
               && c.freezer && c.kill && c.clone_into);

  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  assert_true (lf_cg_fd (g) >= 0);
  const char *at = in_tree ("%s/env-1", d->parent);
  char file[PATH_MAX + 600];
#define HOLDS(name, text) (snprintf (file, sizeof file, "%s/" name, at), assert_holds (file, text))
  HOLDS ("memory.max", "134217728");
  HOLDS ("memory.swap.max", "0");
  HOLDS ("cpu.max", "1440 20000");
  HOLDS ("pids.max", "1024");
  assert_int_equal (lf_cg_attach (g, 4242, &err), 0);
  HOLDS ("cgroup.procs", "4242");
  assert_int_equal (lf_cg_freeze (g), 0);
  HOLDS ("cgroup.freeze", "1\n");
  assert_int_equal (lf_cg_thaw (g), 0);
  HOLDS ("cgroup.freeze", "0\n");
  assert_int_equal (lf_cg_kill (g), 0);
  HOLDS ("cgroup.kill", "1");
  assert_int_equal (lf_cg_set_memory (g, 640 * LF_MB, &err), 0);
  HOLDS ("memory.max", "671088640");
  int fd = lf_cg_memory_event_fd (g, 100 * LF_MB);
  assert_true (fd >= 0);
  HOLDS ("memory.high", "104857600");
  assert_int_equal (lf_cg_memory_event_fd (g, 120 * LF_MB), fd);
  HOLDS ("memory.high", "125829120");
  assert_int_equal (lf_cg_memory_event_fd (g, -5), -1);
  assert_int_equal (lf_cg_peak_reset (g), 0);

  assert_int_equal (lf_cg_free (g, &err), 0);
  assert_int_equal (access (at, F_OK), -1);
  lf_cg_close (d);
  assert_int_equal (entries (tree), 0);
}

static void
test_v2_usage (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  lf_cg_driver *d = open_tree (NULL, NULL, &err);
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  lf_cg_usage u;
  assert_int_equal (lf_cg_usage_get (g, &u), 0);
  assert_int_equal (u.memory_bytes, 1000);
  assert_int_equal (u.peak_bytes, 2000);
  assert_int_equal (u.cpu_us, 5000);
  assert_int_equal (u.throttled_us, 700);
  assert_int_equal (u.oom_kills, 1);
  assert_int_equal (u.processes, 4);
  lf_cg_usage_hot (g, &u);
  assert_int_equal (u.memory_bytes, 1000);
  assert_int_equal (u.oom_kills, LF_NONE);
  /* Whatever the files hold, what is not a number was not measured. */
  static const char *const garbage[] = { "", "max\n", "-3\n", "12x\n", "99999999999999999999999\n", "\xff\xfe", "usage_usec\n", "usage_usec x\n" };
  for (size_t i = 0; i < LF_ARRAY_LEN (garbage); i++)
    {
      put_tree (in_tree ("%s/env-1/memory.current", d->parent), garbage[i]);
      put_tree (in_tree ("%s/env-1/memory.peak", d->parent), garbage[i]);
      put_tree (in_tree ("%s/env-1/cpu.stat", d->parent), garbage[i]);
      put_tree (in_tree ("%s/env-1/memory.events", d->parent), garbage[i]);
      put_tree (in_tree ("%s/env-1/pids.current", d->parent), garbage[i]);
      lf_cg_usage_get (g, &u);
      assert_true (u.memory_bytes == LF_NONE && u.peak_bytes == LF_NONE && u.cpu_us == LF_NONE && u.throttled_us == LF_NONE
                   && u.oom_kills == LF_NONE && u.processes == LF_NONE);
    }
  lf_cg_free (g, &err);
  lf_cg_close (d);
}

static void
test_v2_old_kernel (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  absent = "memory.peak";
  lf_cg_driver *d = open_tree (NULL, NULL, &err);
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_true (c.memory && !c.peak && !c.peak_reset);
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.peak_bytes, LF_NONE);
  assert_int_equal (u.memory_bytes, 1000);
  assert_int_equal (lf_cg_peak_reset (g), -1);
  lf_cg_free (g, &err);
  lf_cg_close (d);
  /* No swap controller: the limit is set all the same. A file that cannot be written is an error that names it. */
  absent = "memory.swap.max";
  d = open_tree (NULL, NULL, &err);
  lf_cg_caps_get (d, &c);
  assert_false (c.swap);
  absent = "pids.max";
  g = lf_cg_new (d, "env-2", &limits, &err);
  assert_null (g);
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_non_null (strstr (err.why, "pids.max"));
  assert_int_equal (access (in_tree ("%s/env-2", d->parent), F_OK), -1);
  lf_cg_close (d);
}

static void
test_v2_missing_controllers (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  v2_tree ("pids\n");
  given = "pids\n";
  lf_cg_driver *d = open_tree (NULL, why, &err);
  assert_non_null (d);
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_true (c.pids && c.freezer && !c.memory && !c.cpu && !c.mark && !c.throttled);
  assert_non_null (strstr (why, "memory, cpu"));
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  assert_holds (in_tree ("%s/env-1/memory.max", d->parent), "max\n");
  assert_int_equal (lf_cg_memory_event_fd (g, 1), -1);
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_true (u.memory_bytes == LF_NONE && u.oom_kills == LF_NONE && u.processes == 4);
  lf_cg_free (g, &err);
  lf_cg_close (d);
}

/* A user's place: the top is not ours, our own group holds processes; they must go to a leaf before controllers can be given on. */
static void
test_v2_below_own (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  put_tree (in_tree ("cgroup.events"), "populated 1\n"); /* not the true top */
  assert_int_equal (unlink (in_tree ("cgroup.procs")), 0); /* and not writable */
  assert_int_equal (mkdir (in_tree ("session"), 0755), 0);
  put_tree (in_tree ("session/cgroup.controllers"), "memory pids cpu");
  put_tree (in_tree ("session/cgroup.subtree_control"), "");
  put_tree (in_tree ("session/cgroup.procs"), "101\n102\n");
  char mounts[PATH_MAX + 200];
  snprintf (mounts, sizeof mounts, "31 23 0:28 / %s rw,relatime shared:4 - cgroup2 cgroup2 rw\n", tree);
  lf_cgp_place p;
  assert_int_equal (lf_cgp_place_parse (mounts, "0::/session\n", &p), 0);
  assert_string_equal (p.v2.own, "session");
  lf_cg_driver *d = lf_cgp_open_place (NULL, &p, &fake_kernel, true, NULL, &err);
  assert_non_null (d);
  assert_int_equal (lf_cg_driver_kind (d), LF_CG_V2);
  assert_int_equal (access (in_tree ("session/%s", d->parent), F_OK), 0);
  assert_holds (in_tree ("session/" LF_CGP_LEAF "/cgroup.procs"), "102");
  assert_holds (in_tree ("session/cgroup.subtree_control"), "+pids");
  assert_holds (in_tree ("cgroup.subtree_control"), "");
  lf_cg_close (d);
  /* A process that our pid namespace cannot see is not ours to move, and nothing is enabled beside it. */
  put_tree (in_tree ("session/cgroup.procs"), "0\n");
  put_tree (in_tree ("session/cgroup.subtree_control"), "");
  given = "";
  d = lf_cgp_open_place (NULL, &p, &fake_kernel, true, NULL, &err);
  assert_non_null (d);
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_false (c.memory);
  assert_holds (in_tree ("session/cgroup.subtree_control"), "");
  lf_cg_close (d);
  assert_int_equal (unlink (in_tree ("session/cgroup.procs")), 0);
  char why[200];
  d = lf_cgp_open_place (NULL, &p, &fake_kernel, true, why, &err);
  assert_int_equal (lf_cg_driver_kind (d), LF_CG_NONE);
  assert_non_null (strstr (why, "no group"));
  lf_cg_close (d);
  const lf_cg_kind force = LF_CG_V2;
  assert_null (lf_cgp_open_place (&force, &p, &fake_kernel, true, why, &err));
  assert_non_null (strstr (err.fix, "Delegate=yes"));
  lf_cgp_place_fini (&p);
}

static void
test_v1_writes (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  v1_tree ();
  lf_cg_driver *d = open_tree (NULL, why, &err);
  assert_non_null (d);
  assert_int_equal (lf_cg_driver_kind (d), LF_CG_V1);
  assert_string_equal (why, "");
  assert_holds (in_tree ("freezer/%s/frozen/freezer.state", d->parent), "FROZEN");
  assert_holds (in_tree ("memory/%s/memory.use_hierarchy", d->parent), "1");
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  assert_int_equal (lf_cg_fd (g), -1);
#define V1_HOLDS(h, name, text) assert_holds (in_tree (h "/%s/env-1/" name, d->parent), text)
  V1_HOLDS ("memory", "memory.limit_in_bytes", "134217728");
  V1_HOLDS ("memory", "memory.memsw.limit_in_bytes", "134217728");
  V1_HOLDS ("memory", "memory.swappiness", "0");
  V1_HOLDS ("cpu", "cpu.cfs_period_us", "20000");
  V1_HOLDS ("cpu", "cpu.cfs_quota_us", "1440");
  V1_HOLDS ("pids", "pids.max", "1024");
  assert_int_equal (lf_cg_attach (g, 4242, &err), 0);
  V1_HOLDS ("memory", "cgroup.procs", "4242");
  V1_HOLDS ("cpuacct", "cgroup.procs", "4242");
  V1_HOLDS ("freezer", "cgroup.procs", "4242");
  assert_int_equal (lf_cg_freeze (g), 0);
  V1_HOLDS ("freezer", "freezer.state", "FROZEN\n");
  assert_int_equal (lf_cg_thaw (g), 0);
  V1_HOLDS ("freezer", "freezer.state", "THAWED\n");
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.memory_bytes, 1000);
  assert_int_equal (u.peak_bytes, 2000);
  assert_int_equal (u.cpu_us, 5000);
  assert_int_equal (u.throttled_us, 700);
  assert_int_equal (u.oom_kills, 2);
  assert_int_equal (u.processes, 4);
  int fd = lf_cg_memory_event_fd (g, 100 * LF_MB);
  assert_true (fd >= 0);
  char control[256];
  lf_cgp_read (AT_FDCWD, in_tree ("memory/%s/env-1/cgroup.event_control", d->parent), control, sizeof control);
  char told[32];
  snprintf (told, sizeof told, " %ld", 100 * LF_MB + sysconf (_SC_PAGESIZE)); /* more than the mark, and the kernel tells of reaching it */
  assert_non_null (strstr (control, told));
  assert_int_equal (lf_cg_memory_event_fd (g, 120 * LF_MB), fd);
  lf_cgp_read (AT_FDCWD, in_tree ("memory/%s/env-1/cgroup.event_control", d->parent), control, sizeof control);
  snprintf (told, sizeof told, " %ld", 120 * LF_MB + sysconf (_SC_PAGESIZE));
  assert_non_null (strstr (control, told));
  assert_int_equal (lf_cg_peak_reset (g), 0);
  lf_cg_usage_get (g, &u);
  assert_int_equal (lf_cg_free (g, &err), 0);
  lf_cg_close (d);
  for (int h = 0; h < LF_CGH_COUNT; h++)
    assert_int_equal (entries (in_tree ("%s", lf_cgp_controller (h))), 0);
}

static void
test_v1_partial (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  v1_tree ();
  /* Mounted together, as most distributions do; and two controllers missing. */
  assert_int_equal (lf_rm_rf (in_tree ("cpuacct"), &err), 0);
  assert_int_equal (symlink ("cpu", in_tree ("cpuacct")), 0);
  assert_int_equal (lf_rm_rf (in_tree ("pids"), &err), 0);
  assert_int_equal (lf_rm_rf (in_tree ("freezer"), &err), 0);
  lf_cg_driver *d = open_tree (NULL, why, &err);
  assert_non_null (d);
  assert_non_null (strstr (why, "pids, freezer"));
  lf_cg_caps c;
  lf_cg_caps_get (d, &c);
  assert_true (c.memory && c.cpu && !c.pids && !c.freezer);
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  assert_int_equal (lf_cg_attach (g, 4242, &err), 0);
  assert_int_equal (lf_cg_freeze (g), -1);
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.processes, LF_NONE);
  assert_int_equal (lf_cg_free (g, &err), 0);
  lf_cg_close (d);
  assert_int_equal (entries (in_tree ("cpu")), 0);
}

static void
test_none (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  lf_cg_driver *d = open_tree (NULL, why, &err); /* an empty folder */
  assert_non_null (d);
  assert_int_equal (lf_cg_driver_kind (d), LF_CG_NONE);
  assert_non_null (strstr (why, "v2: no v2 hierarchy is mounted"));
  lf_cg *g = lf_cg_new (d, "env-1", &limits, &err);
  assert_non_null (g);
  assert_int_equal (lf_cg_attach (g, 1, &err), 0);
  assert_int_equal (lf_cg_freeze (g), -1);
  assert_int_equal (lf_cg_kill (g), -1);
  assert_int_equal (lf_cg_fd (g), -1);
  assert_int_equal (lf_cg_memory_event_fd (g, 1), -1);
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_true (u.memory_bytes == LF_NONE && u.peak_bytes == LF_NONE && u.cpu_us == LF_NONE && u.oom_kills == LF_NONE);
  assert_int_equal (lf_cg_free (g, &err), 0);
  assert_int_equal (lf_cg_sweep (d), 0);
  lf_cg_close (d);
  for (lf_cg_kind k = LF_CG_V1; k <= LF_CG_V2; k++)
    assert_null (open_tree (&k, why, &err));
}

static void
test_names (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  lf_cg_driver *d = open_tree (NULL, NULL, &err);
  char long_name[200];
  memset (long_name, 'a', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  const char *const bad[] = { "", ".", "..", "a/b", "/", "../x", "a\nb", "frozen", long_name };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    assert_null (lf_cg_new (d, bad[i], &limits, &err));
  lf_cg *g = lf_cg_new (d, "twice", &limits, &err);
  assert_non_null (g);
  assert_null (lf_cg_new (d, "twice", &limits, &err));
  assert_non_null (strstr (err.why, "exists"));
  assert_holds (in_tree ("%s/twice/memory.max", d->parent), "134217728");
  lf_cg_free (g, &err);
  lf_cg_free (NULL, &err);
  lf_cg_close (d);
}

static void
test_busy_removal (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  lf_cg_driver *d = open_tree (NULL, NULL, &err);
  lf_cg *g = lf_cg_new (d, "slow", &limits, &err);
  busy = 3;
  lf_time_us t = lf_now_us ();
  assert_int_equal (lf_cg_free (g, &err), 0);
  g = lf_cg_new (d, "slower", &limits, &err);
  busy = 1000;
  assert_int_equal (lf_cg_free (g, &err), -1);
  assert_true (busy > 500 && lf_now_us () - t < 20000000); /* it gives up */
  assert_int_equal (access (in_tree ("%s/slower", d->parent), F_OK), 0);
  busy = 0;
  g = lf_cg_new (d, "next", &limits, &err); /* removes what was left */
  assert_int_equal (access (in_tree ("%s/slower", d->parent), F_OK), -1);
  lf_cg_free (g, &err);
  lf_cg_close (d);
}

static void
test_sweep (void **state)
{
  (void) state;
  lf_error err = { 0 };
  v2_tree ("cpu memory pids\n");
  lf_cg_driver *d = open_tree (NULL, NULL, &err), *live = open_tree (NULL, NULL, &err);
  assert_string_not_equal (d->parent, live->parent);
  lf_cg *g = lf_cg_new (live, "env", &limits, &err);
  assert_non_null (g);
  int base = open (tree, O_RDONLY | O_DIRECTORY);
  const char *const dead[] = { "lambdafit-999999999-5", "lambdafit-999999999-5-1" };
  const char *const other[] = { "lambdafit.main", "lambdafit-", "lambdafit-x-1", "lambdafit-12", "lambdafit-1-0", "lambdafit-999999999-5-",
                                "lambdafit-999999999-5x", "lambdafit-99999999999-5", "user.slice" };
  for (size_t i = 0; i < LF_ARRAY_LEN (dead); i++)
    {
      assert_int_equal (fake_mkdir (base, dead[i]), 0);
      int fd = openat (base, dead[i], O_RDONLY | O_DIRECTORY);
      assert_int_equal (fake_mkdir (fd, "env-7"), 0);
      close (fd);
    }
  for (size_t i = 0; i < LF_ARRAY_LEN (other); i++)
    assert_int_equal (fake_mkdir (base, other[i]), 0);
  /* Locked: alive, though no process here has that number (it may live in another pid namespace). */
  assert_int_equal (fake_mkdir (base, "lambdafit-999999999-6"), 0);
  int lock = openat (base, "lambdafit-999999999-6", O_RDONLY | O_DIRECTORY);
  assert_int_equal (flock (lock, LOCK_EX), 0);
  assert_int_equal (lf_cg_sweep (d), 2);
  for (size_t i = 0; i < LF_ARRAY_LEN (dead); i++)
    assert_int_equal (faccessat (base, dead[i], F_OK, 0), -1);
  for (size_t i = 0; i < LF_ARRAY_LEN (other); i++)
    assert_int_equal (faccessat (base, other[i], F_OK, 0), 0);
  assert_int_equal (access (in_tree ("%s/env", live->parent), F_OK), 0);
  close (lock);
  assert_int_equal (lf_cg_sweep (d), 1);
  close (base);
  lf_cg_free (g, &err);
  lf_cg_close (live);
  lf_cg_close (d);
}

static void
test_place (void **state)
{
  (void) state;
  lf_cgp_place p;
  static const char mounts[] = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                               "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
                               "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct\n"
                               "33 31 0:30 / /mnt/with\\040blank rw - cgroup cgroup rw,memory\n"
                               "34 31 0:31 /elsewhere /sys/fs/cgroup/pids-a rw - cgroup cgroup rw,pids\n"
                               "35 31 0:31 / /sys/fs/cgroup/pids-b rw - cgroup cgroup rw,pids\n"
                               "41 31 0:38 / /sys/fs/cgroup/unified rw shared:1 master:2 - cgroup2 cgroup2 rw,nsdelegate\n";
  static const char self[] = "12:cpu,cpuacct:/docker/abc\n9:memory:/user.slice\n8:pids:/user.slice/u\n1:name=systemd:/x\n0::/user.slice/a:b\n";
  assert_int_equal (lf_cgp_place_parse (mounts, self, &p), 0);
  assert_string_equal (p.v2.mount, "/sys/fs/cgroup/unified");
  assert_string_equal (p.v2.own, "user.slice/a:b");
  assert_string_equal (p.v1[LF_CGH_CPU].mount, "/sys/fs/cgroup/cpu,cpuacct");
  assert_string_equal (p.v1[LF_CGH_CPUACCT].own, "");
  assert_string_equal (p.v1[LF_CGH_MEMORY].mount, "/mnt/with blank");
  assert_string_equal (p.v1[LF_CGH_MEMORY].own, "user.slice");
  assert_string_equal (p.v1[LF_CGH_PIDS].mount, "/sys/fs/cgroup/pids-b"); /* the one that shows us */
  assert_string_equal (p.v1[LF_CGH_PIDS].own, "user.slice/u");
  assert_null (p.v1[LF_CGH_FREEZER].mount);
  lf_cgp_place_fini (&p);
  /* Outside of the namespace's view. */
  assert_int_equal (lf_cgp_place_parse ("41 31 0:38 / /cg rw - cgroup2 c rw\n", "0::/../other\n", &p), 0);
  assert_string_equal (p.v2.mount, "/cg");
  assert_null (p.v2.own);
  lf_cgp_place_fini (&p);
  static const char *const garbage[] = { "", "\n\n\n", "1", "a b c d e f", "a b c d e - cgroup2", "- - - - - - - -", "1 2 3 / /m rw -", "1 2 3 \\04 \\ rw - cgroup c memory",
                                         "1 2 3 / /m rw - cgroup c ,,,memory,,", "1 2 3 / /m rw - cgroup2 c rw" };
  for (size_t i = 0; i < LF_ARRAY_LEN (garbage); i++)
    for (size_t j = 0; j < LF_ARRAY_LEN (garbage); j++)
      {
        assert_int_equal (lf_cgp_place_parse (garbage[i], garbage[j], &p), 0);
        lf_cgp_place_fini (&p);
      }
  unsigned seed = 7;
  for (int i = 0; i < 5000; i++)
    {
      char text[sizeof mounts];
      memcpy (text, mounts, sizeof mounts);
      for (int k = 0; k < 8; k++)
        {
          seed = seed * 1103515245u + 12345u;
          text[seed / 65536 % (sizeof mounts - 1)] = " \n\\-/,0"[seed >> 28 & 7 ? seed >> 28 & 7 & 6 : 0];
        }
      assert_int_equal (lf_cgp_place_parse (text, text, &p), 0);
      lf_cgp_place_fini (&p);
    }
}

static void
test_texts (void **state)
{
  (void) state;
  assert_int_equal (lf_cgp_number ("12\n"), 12);
  assert_int_equal (lf_cgp_number ("max\n"), LF_NONE);
  assert_int_equal (lf_cgp_number (" 1"), LF_NONE);
  assert_int_equal (lf_cgp_key ("oom 1\noom_kill 7\n", "oom_kill"), 7);
  assert_int_equal (lf_cgp_key ("oom 1\noom_kill 7", "oom"), 1);
  assert_int_equal (lf_cgp_key ("xoom_kill 7\n", "oom_kill"), LF_NONE);
  assert_int_equal (lf_cgp_key ("", "oom_kill"), LF_NONE);
  assert_true (lf_cgp_has_word ("cpuset cpu io\n", "cpu"));
  assert_true (lf_cgp_has_word ("cpu", "cpu"));
  assert_false (lf_cgp_has_word ("cpuset io hcpu\n", "cpu"));
  assert_false (lf_cgp_has_word ("", "cpu"));
}

/* ---- for real --------------------------------------------------------------------------------------------------------------------------- */

static lf_cg_driver *real;
static lf_cg_caps can;

static int
real_open (void **state)
{
  (void) state;
  lf_error err = { 0 };
  char why[200];
  real = lf_cg_open (NULL, NULL, why, &err);
  if (!real)
    return -1;
  lf_cg_caps_get (real, &can);
  static const char *const kinds[] = { "none", "v1", "v2" };
  print_message ("          driver %s at %s %s\n", kinds[lf_cg_driver_kind (real)], lf_cg_where (real), why);
  return 0;
}

static int
real_close (void **state)
{
  (void) state;
  char where[600];
  snprintf (where, sizeof where, "%s", lf_cg_where (real));
  lf_cg_close (real);
  if (where[0] && access (where, F_OK) == 0)
    {
      print_error ("%s is still there\n", where);
      return -1;
    }
  return 0;
}

#define NEED(x)                                                                                                                           \
  do                                                                                                                                      \
    if (!(x))                                                                                                                             \
      skip ();                                                                                                                            \
  while (0)

typedef struct child { pid_t pid; int go, said; } child;

/* A child that waits for a byte before each step of work (so that it is in its group first). */
static child
start (void (*work) (int go, int said))
{
  int go[2], said[2];
  assert_int_equal (pipe2 (go, O_CLOEXEC), 0);
  assert_int_equal (pipe2 (said, O_CLOEXEC), 0);
  pid_t pid = fork ();
  assert_true (pid >= 0);
  if (!pid)
    {
      char c;
      close (go[1]);
      close (said[0]);
      if (read (go[0], &c, 1) == 1)
        work (go[0], said[1]);
      _exit (0);
    }
  close (go[0]);
  close (said[1]);
  return (child) { pid, go[1], said[0] };
}

static void
step (child *c)
{
  assert_int_equal (write (c->go, "g", 1), 1);
}

static bool
says (child *c, int ms)
{
  struct pollfd p = { c->said, POLLIN, 0 };
  char b;
  return poll (&p, 1, ms) == 1 && read (c->said, &b, 1) == 1;
}

static int
wait_end (child *c)
{
  int st = 0;
  assert_int_equal (waitpid (c->pid, &st, 0), c->pid);
  close (c->go);
  close (c->said);
  return st;
}

static void
touch (size_t mb)
{
  char *p = mmap (NULL, mb << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    _exit (9);
  for (size_t i = 0; i < mb << 20; i += 4096)
    ((volatile char *) p)[i] = 1;
  munmap (p, mb << 20);
}

static void
eat_200 (int go, int said)
{
  (void) go;
  (void) said;
  touch (200);
}

static void
eat_steps (int go, int said)
{
  static const size_t mb[] = { 24, 8, 40 };
  char c;
  for (size_t i = 0; i < 3; i++)
    {
      touch (mb[i]);
      if (write (said, "d", 1) != 1 || read (go, &c, 1) != 1)
        return;
    }
}

static void
spin (int go, int said)
{
  (void) go;
  if (write (said, "d", 1) != 1)
    return;
  for (volatile unsigned long i = 0;; i++)
    ;
}

static void
chatter (int go, int said)
{
  (void) go;
  for (;;)
    {
      if (write (said, "d", 1) != 1)
        return;
      usleep (1000);
    }
}

static void
breed (int go, int said)
{
  (void) go;
  for (int i = 0; i < 20; i++)
    {
      pid_t p = fork ();
      if (p < 0)
        {
          if (write (said, errno == EAGAIN ? "e" : "x", 1) != 1)
            _exit (1);
          break;
        }
      if (!p)
        break;
    }
  for (;;)
    pause ();
}

static lf_cg *
group_with (const char *name, int64_t mb, int64_t cpu, int64_t processes, child *c)
{
  lf_error err = { 0 };
  const lf_cg_limits l = { mb == LF_NONE ? LF_NONE : mb * LF_MB, cpu, processes };
  lf_cg *g = lf_cg_new (real, name, &l, &err);
  if (!g)
    fail_msg ("%s", err.why);
  if (lf_cg_attach (g, c->pid, &err))
    fail_msg ("%s", err.why);
  return g;
}

static void
free_group (lf_cg *g)
{
  lf_error err = { 0 };
  if (lf_cg_free (g, &err))
    fail_msg ("%s", err.why);
}

static void
test_real_memory_kill (void **state)
{
  (void) state;
  NEED (can.memory && can.oom_count);
  child c = start (eat_200);
  lf_cg *g = group_with ("memory", 64, LF_NONE, LF_NONE, &c);
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.oom_kills, 0);
  step (&c);
  int st = wait_end (&c);
  assert_true (WIFSIGNALED (st) && WTERMSIG (st) == SIGKILL);
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.oom_kills, 1);
  if (can.peak)
    assert_in_range (u.peak_bytes, 60 * LF_MB, 64 * LF_MB);
  free_group (g);
}

static void
test_real_peak (void **state)
{
  (void) state;
  NEED (can.peak);
  child c = start (eat_steps);
  lf_cg *g = group_with ("peak", 128, LF_NONE, LF_NONE, &c);
  lf_cg_usage u;
  step (&c);
  assert_true (says (&c, SLOW_MS));
  lf_cg_usage_hot (g, &u);
  assert_in_range (u.peak_bytes, 24 * LF_MB, 32 * LF_MB);
  int reset = lf_cg_peak_reset (g);
  assert_int_equal (reset, can.peak_reset ? 0 : -1);
  step (&c);
  assert_true (says (&c, SLOW_MS));
  lf_cg_usage_hot (g, &u);
  if (can.peak_reset)
    assert_in_range (u.peak_bytes, 8 * LF_MB, 16 * LF_MB);
  else
    assert_in_range (u.peak_bytes, 24 * LF_MB, 32 * LF_MB);
  step (&c);
  assert_true (says (&c, SLOW_MS));
  lf_cg_usage_hot (g, &u);
  assert_in_range (u.peak_bytes, 40 * LF_MB, 48 * LF_MB);
  close (c.go);
  c.go = -1;
  wait_end (&c);
  free_group (g);
}

/* v1 arms in the background and says when it is done. */
static int
mark_at (lf_cg *g, int64_t bytes)
{
  int fd = lf_cg_memory_event_fd (g, bytes);
  if (lf_cg_driver_kind (real) != LF_CG_V1)
    return fd;
  struct pollfd p = { fd, POLLIN, 0 };
  assert_int_equal (poll (&p, 1, SLOW_MS), 1);
  return lf_cg_memory_event_fd (g, bytes);
}

static void
test_real_mark (void **state)
{
  (void) state;
  NEED (can.mark);
  child c = start (eat_steps);
  lf_cg *g = group_with ("mark", 256, LF_NONE, LF_NONE, &c);
  int fd = mark_at (g, 16 * LF_MB);
  assert_true (fd >= 0);
  struct pollfd p = { fd, lf_cg_driver_kind (real) == LF_CG_V2 ? POLLPRI : POLLIN, 0 };
  assert_int_equal (poll (&p, 1, 0), 0);
  step (&c);
  assert_int_equal (poll (&p, 1, SLOW_MS), 1);
  /* Moved above what comes next: silent. Then it is passed again. (At once, because v2 slows the group down while it is over the mark.) */
  assert_int_equal (mark_at (g, 32 * LF_MB), fd);
  assert_true (says (&c, 60000));
  /* v2 tells of one crossing more than once, a little late. */
  for (int i = 0; i < 20 && poll (&p, 1, 50) == 1; i++)
    assert_int_equal (lf_cg_memory_event_fd (g, 32 * LF_MB), fd);
  step (&c);
  assert_true (says (&c, SLOW_MS));
  assert_int_equal (poll (&p, 1, 50), 0);
  step (&c);
  assert_int_equal (poll (&p, 1, SLOW_MS), 1);
  assert_int_equal (lf_cg_memory_event_fd (g, 32 * LF_MB), fd);
  kill (c.pid, SIGKILL);
  wait_end (&c);
  free_group (g);
}

static void
test_real_set_memory (void **state)
{
  (void) state;
  NEED (can.memory);
  lf_error err = { 0 };
  child c = start (eat_200);
  lf_cg *g = group_with ("grow", 32, LF_NONE, LF_NONE, &c);
  assert_int_equal (lf_cg_set_memory (g, 300 * LF_MB, &err), 0);
  assert_int_equal (lf_cg_set_memory (g, 260 * LF_MB, &err), 0);
  step (&c);
  int st = wait_end (&c);
  assert_true (WIFEXITED (st) && WEXITSTATUS (st) == 0);
  free_group (g);
}

static void
test_real_cpu (void **state)
{
  (void) state;
  NEED (can.cpu && can.throttled && can.cpu_usage);
  child c = start (spin);
  lf_cg *g = group_with ("cpu", LF_NONE, 50, LF_NONE, &c); /* so little that it is throttled on a machine with much to do too */
  lf_cg_usage a, b;
  step (&c);
  assert_true (says (&c, SLOW_MS));
  lf_time_us t = lf_now_us ();
  lf_cg_usage_hot (g, &a);
  do /* until it was throttled for a while */
    {
      usleep (10000);
      lf_cg_usage_hot (g, &b);
    }
  while (b.throttled_us - a.throttled_us < 300000 && lf_now_us () - t < 60000000);
  int64_t wall = lf_now_us () - t;
  assert_true (b.throttled_us > a.throttled_us);
  assert_true (b.cpu_us > a.cpu_us);
  assert_true ((double) (b.cpu_us - a.cpu_us) / (double) wall < 0.2);
  assert_int_equal (lf_cg_kill (g), 0);
  int st = wait_end (&c);
  assert_true (WIFSIGNALED (st) && WTERMSIG (st) == SIGKILL);
  free_group (g);
}

static void
test_real_freeze (void **state)
{
  (void) state;
  NEED (can.freezer);
  child c = start (chatter);
  lf_cg *g = group_with ("freeze", LF_NONE, LF_NONE, LF_NONE, &c);
  step (&c);
  assert_true (says (&c, SLOW_MS));
  for (int i = 0; i < 5; i++)
    {
      assert_int_equal (lf_cg_freeze (g), 0);
      lf_time_us end = lf_now_us () + 60000000; /* freezing is not at once: silence follows, longer than one who waits for a CPU is silent */
      while (says (&c, 200) && lf_now_us () < end)
        ;
      assert_true (lf_now_us () < end);
      assert_int_equal (lf_cg_thaw (g), 0);
      assert_true (says (&c, SLOW_MS));
    }
  assert_int_equal (lf_cg_freeze (g), 0);
  assert_int_equal (lf_cg_kill (g), 0); /* also when frozen */
  int st = wait_end (&c);
  assert_true (WIFSIGNALED (st) && WTERMSIG (st) == SIGKILL);
  free_group (g);
}

static void
test_real_processes (void **state)
{
  (void) state;
  NEED (can.pids);
  child c = start (breed);
  lf_cg *g = group_with ("pids", LF_NONE, LF_NONE, 5, &c);
  step (&c);
  char b = 0;
  struct pollfd p = { c.said, POLLIN, 0 };
  assert_int_equal (poll (&p, 1, SLOW_MS), 1);
  assert_int_equal (read (c.said, &b, 1), 1);
  assert_int_equal (b, 'e');
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.processes, 5);
  assert_int_equal (lf_cg_kill (g), 0);
  wait_end (&c);
  lf_time_us end = lf_now_us () + 60000000;
  do
    lf_cg_usage_get (g, &u);
  while (u.processes && lf_now_us () < end);
  assert_int_equal (u.processes, 0);
  free_group (g);
}

/* A process that moves itself by the descriptors it was given is in the group and counted there. */
static int joining[LF_CG_JOIN_MAX], joining_n;

static void
join_and_touch (int go, int said)
{
  char c;
  for (int i = 0; i < joining_n; i++)
    if (write (joining[i], "0", 1) != 1)
      _exit (7);
  touch (20);
  if (write (said, "d", 1) != 1 || read (go, &c, 1) != 1)
    _exit (8);
}

static void
test_real_join (void **state)
{
  (void) state;
  NEED (can.memory && can.pids && can.peak);
  lf_error err = { 0 };
  const lf_cg_limits l = { 64 * LF_MB, LF_NONE, 8 };
  lf_cg *g = lf_cg_new (real, "join", &l, &err);
  assert_non_null (g);
  joining_n = lf_cg_join_fds (g, joining, &err);
  assert_in_range (joining_n, 1, LF_CG_JOIN_MAX);
  child c = start (join_and_touch);
  for (int i = 0; i < joining_n; i++)
    close (joining[i]);
  step (&c);
  assert_true (says (&c, SLOW_MS));
  lf_cg_usage u;
  lf_cg_usage_get (g, &u);
  assert_int_equal (u.processes, 1);
  assert_in_range (u.peak_bytes, 20 * LF_MB, 28 * LF_MB);
  step (&c);
  int st = wait_end (&c);
  assert_true (WIFEXITED (st) && WEXITSTATUS (st) == 0);
  free_group (g);
}

static void
test_real_sweep (void **state)
{
  (void) state;
  NEED (lf_cg_driver_kind (real) != LF_CG_NONE);
  /* A daemon that dies without a word, leaving a process in a frozen group. */
  int said[2];
  assert_int_equal (pipe (said), 0);
  pid_t daemon_pid = fork ();
  if (!daemon_pid)
    {
      lf_error err = { 0 };
      lf_cg_driver *d = lf_cg_open (NULL, NULL, NULL, &err);
      const lf_cg_limits l = { LF_NONE, LF_NONE, LF_NONE };
      lf_cg *g = d ? lf_cg_new (d, "orphan", &l, &err) : NULL;
      pid_t p = g ? fork () : -1;
      if (!p)
        {
          close_range (3, ~0u, 0); /* as exec does to everything of the driver; its lock must die with the daemon */
          for (;;)
            pause ();
        }
      bool ok = p > 0 && !lf_cg_attach (g, p, &err);
      if (ok && can.freezer)
        lf_cg_freeze (g);
      dprintf (said[1], "%d %s\n", ok ? (int) p : -1, d ? d->parent : "?");
      kill (getpid (), SIGKILL);
    }
  int st;
  assert_int_equal (waitpid (daemon_pid, &st, 0), daemon_pid);
  char line[256] = "", name[128];
  int pid = -1;
  assert_true (read (said[0], line, sizeof line - 1) > 0);
  assert_int_equal (sscanf (line, "%d %127s", &pid, name), 2);
  close (said[0]);
  close (said[1]);
  assert_true (pid > 1);
  lf_cg_kind kind = lf_cg_driver_kind (real);
  int first = kind == LF_CG_V2 ? LF_CGH_V2 : -1;
  for (int h = 0; h < LF_CGH_COUNT && first < 0; h++)
    if (real->base[h] >= 0)
      first = h;
  assert_int_equal (faccessat (real->base[first], name, F_OK, 0), 0);
  assert_true (lf_cg_sweep (real) >= 1);
  assert_int_equal (faccessat (real->base[first], name, F_OK, 0), -1);
  lf_time_us end = lf_now_us () + 60000000;
  while (kill (pid, 0) == 0 && lf_now_us () < end)
    usleep (1000); /* init has to reap it */
  assert_int_equal (access (lf_cg_where (real), F_OK), 0);
}

static void
test_lines_of_a_process (void **state)
{
  (void) state;
  static const char text[] = "Name:\tVmPTE:\nVmPTE:\t      24 kB\nRssAnon:\t0 kB\nOdd:\t-3 kB\nHuge:\t99999999999999999999 kB\nAnonHugePages:  2048 kB\n";
  static const struct { const char *key; int64_t bytes; } cases[] = {
    { "\nVmPTE:", 24 * 1024 }, { "\nRssAnon:", 0 }, { "\nAnonHugePages:", 2048 * 1024 },
    { "\nRssShmem:", LF_NONE }, { "\nHugePages:", LF_NONE }, { "\nOdd:", LF_NONE }, { "\nHuge:", LF_NONE },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    assert_int_equal (lf_sb_line_bytes (text, cases[i].key), cases[i].bytes);
  assert_int_equal (lf_sb_line_bytes ("", "\nVmPTE:"), LF_NONE);
}

int
main (void)
{
#define FAKE(t) cmocka_unit_test_setup_teardown (t, tree_new, tree_gone)
  const struct CMUnitTest fake[] = {
    FAKE (test_v2_writes), FAKE (test_v2_usage), FAKE (test_v2_old_kernel), FAKE (test_v2_missing_controllers), FAKE (test_v2_below_own),
    FAKE (test_v1_writes), FAKE (test_v1_partial), FAKE (test_none), FAKE (test_names), FAKE (test_busy_removal), FAKE (test_sweep),
    cmocka_unit_test (test_place), cmocka_unit_test (test_texts), cmocka_unit_test (test_lines_of_a_process),
  };
  const struct CMUnitTest kernel[] = {
    cmocka_unit_test (test_real_memory_kill), cmocka_unit_test (test_real_peak), cmocka_unit_test (test_real_mark),
    cmocka_unit_test (test_real_set_memory), cmocka_unit_test (test_real_cpu), cmocka_unit_test (test_real_freeze),
    cmocka_unit_test (test_real_processes), cmocka_unit_test (test_real_join), cmocka_unit_test (test_real_sweep),
  };
  int failed = cmocka_run_group_tests_name ("fake trees", fake, NULL, NULL);
  return failed + cmocka_run_group_tests_name ("this machine", kernel, real_open, real_close);
}
