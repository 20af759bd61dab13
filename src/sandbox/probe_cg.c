/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe's trials of control groups, each with a real process in a real group.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe_impl.h"

/* The fixed cost of a process is below 1 MB; these are far enough apart to tell the trial's memory from it. */
#define LIMIT_MB 24
#define MARK_KB 7680
#define FIRST_MB 8
#define OVER_MB 64

static void
nap_us (long us)
{
  nanosleep (&(struct timespec) { us / 1000000, us % 1000000 * 1000 }, NULL);
}

static void
await_go (lf_probe_note *n)
{
  while (!n->go)
    nap_us (100);
  n->go = false;
}

static int
touch (lf_probe_note *n, size_t mb)
{
  volatile char *p = mmap (NULL, mb << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return lf_probe_step (n, "map memory", -1);
  for (size_t i = 0; i < mb << 20; i += 4096)
    p[i] = 1;
  return munmap ((void *) p, mb << 20);
}

static int
eat (lf_probe_note *n, void *arg)
{
  (void) arg;
  await_go (n);
  if (touch (n, FIRST_MB) < 0)
    return -1;
  n->value = 1;
  await_go (n);
  return touch (n, OVER_MB);
}

static int
count_up (lf_probe_note *n, void *arg)
{
  (void) arg;
  while (!n->go)
    {
      n->value++;
      nap_us (100);
    }
  return 0;
}

static int
burn (lf_probe_note *n, void *arg)
{
  (void) arg;
  await_go (n);
  while (!n->go)
    n->value++;
  return 0;
}

static int
breed (lf_probe_note *n, void *arg)
{
  (void) arg;
  await_go (n);
  for (int i = 0; i < 16; i++)
    {
      pid_t p = fork ();
      if (p < 0)
        {
          n->value = errno;
          break;
        }
      if (!p)
        for (;;)
          pause ();
    }
  if (!n->value)
    n->value = -1;
  while (!n->go)
    pause ();
  return 0;
}

typedef struct trial
{
  lf_cg_driver *d;
  lf_cg *g;
  lf_probe_child c;
  char why[240];
} trial;

static bool
trial_start (trial *t, const char *name, const lf_cg_limits *l, lf_probe_fn fn)
{
  lf_error err = { 0 };
  t->c = (lf_probe_child) { -1, NULL };
  t->why[0] = '\0';
  t->g = lf_cg_new (t->d, name, l, &err);
  int e = t->g ? lf_probe_start (0, -1, fn, NULL, &t->c) : 0;
  if (t->g && !e && !lf_cg_attach (t->g, t->c.pid, &err))
    return true;
  snprintf (t->why, sizeof t->why, "%.230s", e ? strerror (e) : err.why);
  return false;
}

static void
trial_end (trial *t)
{
  lf_error err = { 0 };
  if (t->g)
    lf_cg_kill (t->g);
  lf_probe_end (&t->c);
  /* Children of the trial are not ours to reap: the group is left for the driver when they take their time. */
  lf_cg_free (t->g, &err);
  t->g = NULL;
}

static void
say (lf_machine *m, const char *name, bool ok, const char *good, const char *bad, const char *fix)
{
  lf_mechanism *x = lf_probe_add (m, name, ok);
  snprintf (x->detail, sizeof x->detail, "%.239s", ok ? good : bad);
  if (!ok)
    snprintf (x->fix, sizeof x->fix, "%.299s", fix);
}

static bool
until (volatile int64_t *v, int64_t more_than, int ms)
{
  for (lf_time_us end = lf_now_us () + (int64_t) ms * 1000; *v <= more_than && lf_now_us () < end;)
    nap_us (100);
  return *v > more_than;
}

/* The limit, its count, the marks: one process that goes over the moving mark first and over the limit then. */
static void
probe_memory (lf_machine *m, lf_cg_driver *d, const lf_cg_caps *caps, const char *missing)
{
  trial t = { .d = d };
  const lf_cg_limits l = { LIMIT_MB * LF_MB, LF_NONE, LF_NONE };
  bool marked = false, peak = false, reset = false, killed = false, counted = false;
  lf_cg_usage before, after, u;
  if (caps->memory && trial_start (&t, "probe-memory", &l, eat))
    {
      int st, fd = lf_cg_memory_event_fd (t.g, MARK_KB * 1024);
      struct pollfd p = { fd, lf_cg_driver_kind (d) == LF_CG_V2 ? POLLPRI : POLLIN, 0 };
      t.c.note->go = true;
      marked = fd >= 0 && poll (&p, 1, 5000) == 1;
      if (fd >= 0)
        lf_cg_memory_event_fd (t.g, 4 * OVER_MB * LF_MB);
      until (&t.c.note->value, 0, 5000);
      lf_cg_usage_get (t.g, &before);
      peak = before.peak_bytes != LF_NONE && before.peak_bytes >= FIRST_MB * LF_MB;
      reset = peak && lf_cg_peak_reset (t.g) == 0;
      lf_cg_usage_get (t.g, &after);
      reset = reset && after.peak_bytes < before.peak_bytes;
      t.c.note->go = true;
      killed = lf_probe_wait (&t.c, LF_PROBE_MS, &st) && WIFSIGNALED (st) && WTERMSIG (st) == SIGKILL;
      lf_cg_usage_get (t.g, &u);
      counted = killed && u.oom_kills != LF_NONE && u.oom_kills > 0;
    }
  const char *why = t.why[0] ? t.why : "a process over the limit was not killed";
  trial_end (&t);
  const char *none = caps->memory ? NULL : missing, *same = "as for cgroup";
  say (m, "cgroup_memory", killed, "the kernel ends what exceeds the limit", none ? none : why, "memory is sampled instead, and a short peak can be missed: see cgroup");
  say (m, "memory_peak_reset", reset, "each invocation's own peak is measured",
       none ? none : peak ? "the mark can be read but not started again" : "the kernel keeps no mark",
       none ? same : "peak_memory_bytes stays empty: cgroup v2 resets the mark from Linux 6.12, v1 always does");
  say (m, "oom_count", counted, "an out-of-memory kill is told apart from others", none ? none : "the kernel does not count its kills here",
       none ? same : "Linux 4.13 or later counts them");
  say (m, "memory_follows_tmp", marked, "what /tmp holds is not counted as memory", none ? none : "no event when memory passes a mark",
       none ? same : "files in /tmp count against the memory limit here: a kernel with cgroup events is needed");
}

static void
probe_cpu (lf_machine *m, lf_cg_driver *d, const lf_cg_caps *caps, const char *missing)
{
  trial t = { .d = d };
  const lf_cg_limits l = { LF_NONE, 100, LF_NONE };
  lf_cg_usage a = { 0 }, u = { 0 };
  bool ok = false;
  if (caps->cpu && trial_start (&t, "probe-cpu", &l, burn))
    {
      lf_cg_usage_hot (t.g, &a);
      t.c.note->go = true;
      for (lf_time_us end = lf_now_us () + 3000000; !ok && lf_now_us () < end; nap_us (2000))
        {
          lf_cg_usage_hot (t.g, &u);
          ok = u.throttled_us != LF_NONE && u.throttled_us > a.throttled_us;
        }
    }
  const char *why = !caps->cpu ? missing : t.why[0] ? t.why : "a process over its share was not throttled";
  trial_end (&t);
  say (m, "cgroup_cpu", ok, "CPU time is limited in windows of 20 ms, and the throttled time counted", why,
       "functions run at the machine's full speed and their durations are too short: give the group the cpu controller");
}

static void
probe_pids (lf_machine *m, lf_cg_driver *d, const lf_cg_caps *caps, const char *missing)
{
  trial t = { .d = d };
  const lf_cg_limits l = { LF_NONE, LF_NONE, 3 };
  bool ok = false;
  if (caps->pids && trial_start (&t, "probe-pids", &l, breed))
    {
      t.c.note->go = true;
      for (lf_time_us end = lf_now_us () + 5000000; !t.c.note->value && lf_now_us () < end;)
        nap_us (200);
      ok = t.c.note->value == EAGAIN;
    }
  const char *why = !caps->pids ? missing : t.why[0] ? t.why : "more processes could be made than allowed";
  trial_end (&t);
  say (m, "cgroup_pids", ok, "the number of processes is limited", why, "RLIMIT_NPROC is used instead: give the group the pids controller");
}

/* Freezing must stop it, thawing must let it go on, and killing must end it, all without asking it. */
static void
probe_freezer (lf_machine *m, lf_cg_driver *d, const lf_cg_caps *caps)
{
  trial t = { .d = d };
  const lf_cg_limits l = { LF_NONE, LF_NONE, LF_NONE };
  bool frozen = false, thawed = false, killed = false;
  int st;
  if (lf_cg_driver_kind (d) != LF_CG_NONE && trial_start (&t, "probe-freezer", &l, count_up))
    {
      volatile int64_t *v = &t.c.note->value;
      until (v, 0, 2000);
      if (caps->freezer && lf_cg_freeze (t.g) == 0)
        {
          for (lf_time_us end = lf_now_us () + 2000000; !frozen && lf_now_us () < end;)
            {
              int64_t now = *v;
              nap_us (3000);
              frozen = *v == now;
            }
          lf_cg_thaw (t.g);
          thawed = until (v, *v, 2000);
        }
      killed = lf_cg_kill (t.g) == 0 && lf_probe_wait (&t.c, 2000, &st) && WIFSIGNALED (st);
    }
  trial_end (&t);
  say (m, "freezer", frozen && thawed, "environments are frozen between invocations", "no freezer in this group", "SIGSTOP is used instead");
  say (m, "cgroup_kill", killed, "all processes of a group can be ended at once", "no group to kill", "the pid namespace ends them instead");
}

static void
probe_clone_into (lf_machine *m, lf_cg_driver *d, const lf_cg_caps *caps)
{
  lf_error err = { 0 };
  const lf_cg_limits l = { LF_NONE, LF_NONE, LF_NONE };
  lf_probe_child c = { -1, NULL };
  int e = caps->clone_into ? 0 : ENOSYS;
  lf_cg *g = e ? NULL : lf_cg_new (d, "probe-clone", &l, &err);
  if (g && !(e = lf_probe_start (0, lf_cg_fd (g), count_up, NULL, &c)) && !until (&c.note->value, 0, 2000))
    e = ETIMEDOUT;
  if (g)
    {
      lf_cg_kill (g); /* it must be in there to be hit */
      int st;
      if (!e && !(lf_probe_wait (&c, 2000, &st) && WIFSIGNALED (st)))
        e = ESRCH;
    }
  lf_probe_end (&c);
  lf_cg_free (g, &err);
  say (m, "clone_into_cgroup", g && !e, "a sandbox is born in its group", caps->clone_into ? strerror (e) : "only cgroup v2 has it", "not required: processes are moved into their group");
}

static const char *
kind_name (lf_cg_kind k)
{
  return k == LF_CG_V2 ? "v2" : k == LF_CG_V1 ? "v1" : "none";
}

static const char *
cgroup_fix (void)
{
  if (geteuid () == 0)
    return "in a container, the host's cgroups must be writable: docker run --privileged --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw";
  if (access ("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
    return "run it in a group of your own: systemd-run --user --scope -p Delegate=yes COMMAND; or as root";
  return "this machine has cgroup v1, which only root can use: run as root, or boot with systemd.unified_cgroup_hierarchy=1";
}

void
lf_probe_cgroups (lf_machine *m, const lf_cg_kind *force)
{
  lf_error err = { 0 };
  char why[200] = "";
  lf_cg_driver *d = lf_cg_open (force, NULL, why, &err);
  const char *fix = cgroup_fix ();
  if (!d)
    {
      say (m, "cgroup", false, "", err.why, err.fix);
      return;
    }
  lf_cg_caps caps;
  lf_cg_caps_get (d, &caps);
  lf_mechanism *x = lf_probe_add (m, "cgroup", lf_cg_driver_kind (d) != LF_CG_NONE);
  snprintf (x->detail, sizeof x->detail, "%.4s%s%.100s%s%.120s", kind_name (lf_cg_driver_kind (d)), x->ok ? " in " : "", lf_cg_where (d), why[0] ? "; " : "", why);
  if (!x->ok || why[0])
    snprintf (x->fix, sizeof x->fix, "%s", fix);
  const char *missing = x->ok ? "this group has not been given the controller" : "no control group may be made here";
  probe_memory (m, d, &caps, missing);
  probe_cpu (m, d, &caps, missing);
  probe_pids (m, d, &caps, missing);
  probe_freezer (m, d, &caps);
  probe_clone_into (m, d, &caps);
  lf_cg_close (d);
}
