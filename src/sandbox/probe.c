/* SPDX-License-Identifier: Apache-2.0
 *
 * What this machine can enforce, proved by trying: the process in which a trial runs, the reasons for refused namespaces, and the sum.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe_impl.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define K_CLONE_INTO_CGROUP UINT64_C (0x200000000)

/* struct clone_args of the kernel; older headers have a shorter one. */
struct k_clone_args
{
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* ---- the process of a trial -------------------------------------------------------------------------------------------------------- */

int
lf_probe_step (lf_probe_note *n, const char *step, int result)
{
  if (result < 0)
    {
      int e = errno;
      snprintf (n->step, sizeof n->step, "%s", step);
      errno = e;
    }
  return result;
}

static int
write_self (const char *file, const char *text)
{
  int fd = open (file, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t w = write (fd, text, strlen (text));
  int e = errno;
  close (fd);
  errno = e;
  return w == (ssize_t) strlen (text) ? 0 : -1;
}

static int
map_self (lf_probe_note *n, unsigned uid, unsigned gid)
{
  char text[64];
  if (lf_probe_step (n, "write /proc/self/setgroups", write_self ("/proc/self/setgroups", "deny")) < 0 && errno != ENOENT)
    return -1;
  snprintf (text, sizeof text, "0 %u 1", uid);
  if (lf_probe_step (n, "map the user", write_self ("/proc/self/uid_map", text)) < 0)
    return -1;
  snprintf (text, sizeof text, "0 %u 1", gid);
  return lf_probe_step (n, "map the group", write_self ("/proc/self/gid_map", text));
}

static void
child_run (uint64_t flags, lf_probe_fn fn, void *arg, lf_probe_note *n, unsigned uid, unsigned gid)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  int r = flags & CLONE_NEWUSER ? map_self (n, uid, gid) : 0;
  errno = r ? errno : 0;
  if (!r && fn && fn (n, arg) < 0)
    r = -1;
  n->error = r ? (errno ? errno : EIO) : 0;
  if (r && !n->step[0])
    snprintf (n->step, sizeof n->step, "trial");
  _exit (r ? 1 : 0);
}

int
lf_probe_start (uint64_t flags, int cgroup_fd, lf_probe_fn fn, void *arg, lf_probe_child *c)
{
  unsigned uid = geteuid (), gid = getegid ();
  c->pid = -1;
  c->note = mmap (NULL, sizeof *c->note, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (c->note == MAP_FAILED)
    {
      c->note = NULL;
      return ENOMEM;
    }
  /* Without a signal at its end, so that nobody's SIGCHLD handler hears of it; waiting then needs __WALL. */
  long r;
  if (cgroup_fd >= 0)
    {
      struct k_clone_args a = { .flags = flags | K_CLONE_INTO_CGROUP, .cgroup = (uint64_t) cgroup_fd };
      r = syscall (SYS_clone3, &a, sizeof a);
    }
  else
    r = syscall (SYS_clone, (unsigned long) flags, NULL, NULL, NULL, 0);
  if (r == 0)
    child_run (flags, fn, arg, c->note, uid, gid);
  if (r < 0)
    {
      int e = errno;
      lf_probe_end (c);
      return e;
    }
  c->pid = (pid_t) r;
  return 0;
}

bool
lf_probe_wait (lf_probe_child *c, int ms, int *status)
{
  lf_time_us until = lf_now_us () + (int64_t) ms * 1000;
  *status = 0;
  if (c->pid < 0)
    return true;
  int fd = (int) syscall (SYS_pidfd_open, c->pid, 0);
  if (fd >= 0)
    {
      struct pollfd p = { fd, POLLIN, 0 };
      poll (&p, 1, ms);
      close (fd);
    }
  for (;;)
    {
      pid_t r = waitpid (c->pid, status, WNOHANG | __WALL);
      if (r == c->pid || (r < 0 && errno == ECHILD))
        {
          c->pid = -1;
          return true;
        }
      if (lf_now_us () >= until)
        return false;
      nanosleep (&(struct timespec) { 0, 200000 }, NULL);
    }
}

void
lf_probe_end (lf_probe_child *c)
{
  int st;
  if (c->pid > 0)
    {
      kill (c->pid, SIGKILL);
      lf_probe_wait (c, LF_PROBE_MS, &st);
    }
  if (c->note)
    munmap (c->note, sizeof *c->note);
  c->note = NULL;
}

int
lf_probe_run (uint64_t flags, lf_probe_fn fn, void *arg, lf_probe_note *out)
{
  lf_probe_child c;
  memset (out, 0, sizeof *out);
  int st, e = lf_probe_start (flags, -1, fn, arg, &c);
  if (e)
    {
      snprintf (out->step, sizeof out->step, "make %s", flags ? "namespaces" : "a process");
      out->error = e;
      return e;
    }
  if (!lf_probe_wait (&c, LF_PROBE_MS, &st))
    {
      snprintf (out->step, sizeof out->step, "finish in time");
      out->error = ETIMEDOUT;
    }
  else if (WIFSIGNALED (st))
    {
      snprintf (out->step, sizeof out->step, "survive signal %d", WTERMSIG (st));
      out->error = EINTR;
    }
  else
    {
      memcpy (out->step, c.note->step, sizeof out->step);
      out->error = c.note->error;
      out->value = c.note->value;
    }
  lf_probe_end (&c);
  return out->error;
}

/* ---- why namespaces are refused --------------------------------------------------------------------------------------------------------- */

static int64_t
sysctl (const char *name)
{
  char path[128], text[64];
  snprintf (path, sizeof path, "/proc/sys/%s", name);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return LF_NONE;
  ssize_t n = read (fd, text, sizeof text - 1);
  close (fd);
  int64_t v;
  if (n <= 0)
    return LF_NONE;
  text[n] = '\0';
  text[strcspn (text, "\n")] = '\0';
  return lf_parse_i64 (text, INT64_MIN + 1, INT64_MAX, &v) ? LF_NONE : v;
}

static bool
in_container (void)
{
  return access ("/.dockerenv", F_OK) == 0 || access ("/run/.containerenv", F_OK) == 0 || getenv ("KUBERNETES_SERVICE_HOST")
         || access ("/run/systemd/container", F_OK) == 0;
}

void
lf_probe_namespace_fix (int error, char *out, size_t size)
{
  const char *fix;
  if (sysctl ("user/max_user_namespaces") == 0)
    fix = "user namespaces are switched off: sudo sysctl -w user.max_user_namespaces=15000 (keep it in /etc/sysctl.d/)";
  else if (sysctl ("kernel/unprivileged_userns_clone") == 0 && geteuid () != 0)
    fix = "this Debian kernel allows user namespaces to root only: sudo sysctl -w kernel.unprivileged_userns_clone=1 (keep it in /etc/sysctl.d/)";
  else if (sysctl ("kernel/apparmor_restrict_unprivileged_userns") == 1 && geteuid () != 0)
    fix = "AppArmor takes all rights from user namespaces (Ubuntu 23.10 and later): sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give "
          "lambdafit a profile with `userns,`; or run as root";
  else if (error == ENOSPC || error == EUSERS)
    fix = "the limit of namespaces is reached: raise user.max_user_namespaces, user.max_mnt_namespaces, user.max_pid_namespaces, user.max_net_namespaces";
  else if (error == EINVAL || error == ENOSYS)
    fix = "this kernel was built without it (CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS): use a distribution's kernel";
  else if (in_container ())
    fix = "the container's seccomp profile and missing CAP_SYS_ADMIN forbid it: docker run --privileged, or --cap-add SYS_ADMIN --security-opt "
          "seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined";
  else if (geteuid () != 0)
    fix = "run as root, or allow this user to make user namespaces (a chroot, SELinux or a seccomp filter may forbid it)";
  else
    fix = "root lacks CAP_SYS_ADMIN here: run it outside of the sandbox or container that took it";
  snprintf (out, size, "%s", fix);
}

/* ---- single calls ------------------------------------------------------------------------------------------------------------------------ */

static int
only_exit (lf_probe_note *n, void *arg)
{
  (void) n;
  (void) arg;
  return 0;
}

/* As helpers are started: the descriptor comes with the process. pidfd_open is a call of its own, which filters may refuse. */
static void
probe_pidfd (lf_machine *m)
{
  lf_probe_child c = { -1, NULL };
  int fd = -1;
  siginfo_t si = { 0 };
  long r = syscall (SYS_clone, (unsigned long) CLONE_PIDFD, NULL, &fd, NULL, 0);
  if (r == 0)
    _exit (0);
  c.pid = (pid_t) r;
  int e = r < 0 ? errno : fd < 0 ? ENOSYS /* Linux before 5.2 does not know the flag */ : 0;
  if (!e)
    {
      struct pollfd p = { fd, POLLIN, 0 };
      if (poll (&p, 1, LF_PROBE_MS) != 1)
        e = ETIMEDOUT;
      else if (waitid ((idtype_t) 3 /* P_PIDFD */, (id_t) fd, &si, WEXITED | __WALL))
        e = errno;
      else
        c.pid = -1;
    }
  if (fd >= 0)
    close (fd);
  lf_probe_end (&c);
  lf_mechanism *x = lf_probe_add (m, "pidfd", e == 0);
  snprintf (x->detail, sizeof x->detail, "%s", e ? strerror (e) : "the end of a process is seen and reaped through its descriptor");
  if (e)
    snprintf (x->fix, sizeof x->fix, "Linux 5.4 or later is needed");
}

static void
probe_clone3 (lf_machine *m)
{
  struct k_clone_args a = { 0 };
  long r = syscall (SYS_clone3, &a, sizeof a);
  if (r == 0)
    _exit (0);
  int e = r < 0 ? errno : 0, st;
  lf_probe_child c = { (pid_t) r, NULL };
  if (!e)
    lf_probe_wait (&c, LF_PROBE_MS, &st);
  lf_mechanism *x = lf_probe_add (m, "clone3", e == 0);
  snprintf (x->detail, sizeof x->detail, "%s", e ? strerror (e) : "available");
  if (e)
    snprintf (x->fix, sizeof x->fix, "not required: clone is used. Linux 5.3, or Docker 20.10.10 and later with its default seccomp profile, have it");
}

/* Sandboxes have a filter where they can; and a function that filters itself (a browser, for one) needs it, as it has it on Lambda. */
static int
try_seccomp (lf_probe_note *n, void *arg)
{
  (void) arg;
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog prog = { LF_ARRAY_LEN (code), code };
  if (lf_probe_step (n, "set no_new_privs", prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) < 0
      || lf_probe_step (n, "install a filter", prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0)) < 0)
    return -1;
  return lf_probe_step (n, "see the filter work", syscall (SYS_getppid) == -1 && errno == 77 ? 0 : -1);
}

static void
probe_seccomp (lf_machine *m)
{
  lf_probe_note n;
  int e = lf_probe_run (0, try_seccomp, NULL, &n);
  lf_mechanism *x = lf_probe_add (m, "seccomp", e == 0);
  snprintf (x->detail, sizeof x->detail, e ? "cannot %s: %s" : "%s%s", e ? n.step : "system calls that no function needs are refused, and a function may filter its own", e ? strerror (e) : "");
  if (e)
    snprintf (x->fix, sizeof x->fix, "not required: sandboxes do without a filter of system calls; a kernel with CONFIG_SECCOMP_FILTER has it");
}

/* ---- the sum ------------------------------------------------------------------------------------------------------------------------------ */

lf_mechanism *
lf_probe_add (lf_machine *m, const char *name, bool ok)
{
  lf_mechanism *x = &m->mech[m->n < LF_ARRAY_LEN (m->mech) ? m->n++ : LF_ARRAY_LEN (m->mech) - 1];
  *x = (lf_mechanism) { .name = name, .ok = ok };
  return x;
}

bool
lf_probe_ok (const lf_machine *m, const char *name)
{
  for (size_t i = 0; i < m->n; i++)
    if (!strcmp (m->mech[i].name, name))
      return m->mech[i].ok;
  return false;
}

/* Each trial with a user namespace first, as sandboxes are made; root can also do without. */
static bool
probe_namespaces (lf_machine *m)
{
  lf_probe_note n;
  int e = lf_probe_run (CLONE_NEWUSER, only_exit, NULL, &n);
  lf_mechanism *x = lf_probe_add (m, "user_namespaces", e == 0);
  if (e)
    {
      snprintf (x->detail, sizeof x->detail, "cannot %s: %s", n.step, strerror (e));
      lf_probe_namespace_fix (e, x->fix, sizeof x->fix);
    }
  else
    snprintf (x->detail, sizeof x->detail, "%s", geteuid () ? "allowed for this user" : "allowed");
  bool root = geteuid () == 0, userns = e == 0;
  for (size_t i = 0; i < lf_probe_namespaces_n; i++)
    {
      const lf_probe_trial *t = &lf_probe_namespaces[i];
      e = lf_probe_run (t->flags | (userns ? CLONE_NEWUSER : 0), t->fn, NULL, &n);
      bool plain = false;
      if (e && userns && root)
        {
          lf_probe_note again;
          plain = lf_probe_run (t->flags, t->fn, NULL, &again) == 0;
        }
      x = lf_probe_add (m, t->name, !e || plain);
      if (x->ok)
        {
          snprintf (x->detail, sizeof x->detail, "%s%s", t->good, plain ? " (only without a user namespace)" : "");
          continue;
        }
      snprintf (x->detail, sizeof x->detail, "cannot %s: %s", n.step, strerror (e));
      if (!strcmp (t->name, "mount_api"))
        snprintf (x->fix, sizeof x->fix, "not required: mount is used. Linux 5.12 and later have it");
      else if (!strcmp (t->name, "proc"))
        snprintf (x->fix, sizeof x->fix, "parts of /proc are hidden, as containers do: docker run --privileged or --security-opt systempaths=unconfined");
      else
        lf_probe_namespace_fix (e, x->fix, sizeof x->fix);
    }
  return userns;
}

/* With a user namespace of its own a sandbox's users are what its map says. */
static void
probe_user (lf_machine *m, bool userns)
{
  const lf_probe_trial *t = &lf_probe_other_user;
  lf_probe_note n = { 0 };
  int e = userns ? 0 : lf_probe_run (t->flags, t->fn, NULL, &n);
  lf_mechanism *x = lf_probe_add (m, t->name, !e);
  if (!e)
    {
      snprintf (x->detail, sizeof x->detail, "%s%s", t->good, userns ? ", mapped in a user namespace of their own" : "");
      return;
    }
  snprintf (x->detail, sizeof x->detail, "cannot %s: %s", n.step, strerror (e));
  const lf_mechanism *ns = &m->mech[0];
  snprintf (x->fix, sizeof x->fix, "%s", ns->fix);
}

static void
find_enforcement (lf_machine *m, bool userns)
{
  static const lf_limit checked[] = { LF_LIM_DURATION, LF_LIM_INIT,          LF_LIM_PACKAGE, LF_LIM_ZIP,         LF_LIM_LAYERS,      LF_LIM_REQUEST,
                                      LF_LIM_RESPONSE, LF_LIM_ASYNC_REQUEST, LF_LIM_ENV,     LF_LIM_CONCURRENCY, LF_LIM_REQUEST_RATE, LF_LIM_IMAGE };
  lf_enforcement *e = &m->enforcement;
  /* What passes through lambdafit itself is checked there, sandbox or not; time needs something to kill. */
  for (size_t i = 0; i < LF_ARRAY_LEN (checked); i++)
    e->by[checked[i]] = i < 2 && !m->sandbox ? LF_ENF_NONE : LF_ENF_CHECKED;
  if (!m->sandbox)
    return;
  e->by[LF_LIM_MEMORY] = lf_probe_ok (m, "cgroup_memory") ? LF_ENF_KERNEL : LF_ENF_SAMPLED;
  e->by[LF_LIM_TMP] = lf_probe_ok (m, "tmp_quota") ? LF_ENF_KERNEL : LF_ENF_NONE;
  e->by[LF_LIM_FDS] = LF_ENF_KERNEL;
  /* RLIMIT_NPROC counts per user namespace; without one it counts all sandboxes together. */
  e->by[LF_LIM_PROCESSES] = lf_probe_ok (m, "cgroup_pids") || userns ? LF_ENF_KERNEL : LF_ENF_NONE;
  e->cpu = lf_probe_ok (m, "cgroup_cpu") ? LF_ENF_KERNEL : LF_ENF_NONE;
}

void
lf_machine_probe (lf_machine *m)
{
  static const char *const needed[] = { "runtime_user", "mount_namespace", "pid_namespace", "ipc_uts_namespaces", "proc", "tmp_quota", "read_only_bind", "pivot_root", "pidfd" };
  memset (m, 0, sizeof *m);
  bool userns = probe_namespaces (m);
  probe_user (m, userns);
  probe_pidfd (m);
  probe_clone3 (m);
  probe_seccomp (m);
  lf_probe_cgroups (m, NULL);
  m->sandbox = true;
  for (size_t i = 0; i < LF_ARRAY_LEN (needed); i++)
    m->sandbox = m->sandbox && lf_probe_ok (m, needed[i]);
  find_enforcement (m, userns);
}
