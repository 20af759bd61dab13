/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a helper: its group, its channels, its namespaces, its users and what it builds before it is told which environment it
 * becomes. One is kept waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define NAMESPACES_FIX                                                                                                             \
  "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 "  \
  "(Ubuntu), "                                                                                                                     \
  "user.max_user_namespaces=10000; in a container, run it with the right to make namespaces (docker run --privileged); or run as " \
  "root"

static int
write_proc (pid_t pid, const char *file, const char *text)
{
  char path[64];
  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, file);
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  size_t n = strlen (text);
  ssize_t r = write (fd, text, n);
  int e = errno;
  close (fd);
  errno = e;
  return r == (ssize_t) n ? 0 : -1;
}

static int
map_users (const lf_sb_host *h, pid_t pid)
{
  if (h->deny_setgroups && write_proc (pid, "setgroups", "deny") < 0)
    return -1;
  return write_proc (pid, "uid_map", h->uid_map.data) < 0 || write_proc (pid, "gid_map", h->gid_map.data) < 0 ? -1 : 0;
}

void
lf_sb_child_kill (const lf_sb_child *c)
{
  if (c->pidfd < 0 || syscall (SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0) == 0 || errno == ESRCH)
    return;
  /* Filters of containers and emulators of kernels know the older call only. The number is still its own: nobody but us waits for it, and who does closes
   * the pidfd. */
  kill (c->pid, SIGKILL);
}

void
lf_sb_child_abandon (lf_sb_child *c)
{
  if (c->pidfd >= 0)
    {
      siginfo_t si;
      lf_sb_child_kill (c);
      while (waitid ((idtype_t) 3 /* P_PIDFD */, (id_t) c->pidfd, &si, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
    }
  lf_closep (&c->pidfd);
  lf_closep (&c->ctl);
  lf_closep (&c->log);
  lf_error ignored;
  if (c->cg)
    lf_cg_free (c->cg, &ignored);
  *c = LF_SB_NO_CHILD;
}

static int
make_channels (int ctl[2], int log[2], lf_error *err)
{
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "raise the limit of open files (ulimit -n)", "no control socket: %s",
                    strerror (errno));
  if (pipe2 (log, O_CLOEXEC) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "raise the limit of open files (ulimit -n)", "no log pipe: %s", strerror (errno));
  /* Only our ends: a runtime may not expect its output to be non-blocking. */
  fcntl (log[0], F_SETFL, O_NONBLOCK);
  fcntl (ctl[0], F_SETFL, O_NONBLOCK);
  return 0;
}

static int
start (lf_sb_host *h, int cgroup_fd, const int ctl, const int log, lf_sb_child *out, const char **step)
{
  lf_sb_clone c = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (h->userns ? CLONE_NEWUSER : 0),
                    .cgroup_fd = cgroup_fd,
                    .init_fd = h->init_fd,
                    .null_fd = h->null_fd,
                    .ctl_fd = ctl,
                    .log_fd = log,
                    .userns = h->userns,
                    .stack = h->stack };
  int e = lf_sb_clone_run (&c, &out->pid, &out->pidfd, step);
  if (e == 0 && h->userns && map_users (h, out->pid) < 0)
    {
      e = errno;
      *step = "map users";
    }
  /* A thousand processes of the function's must not keep the one from running that is to kill them. Only root may say so. */
  if (e == 0)
    setpriority (PRIO_PROCESS, (id_t) out->pid, -20);
  return e;
}

/* Sends the first message, with the lists of processes of the groups which the helper has still to join. */
static int
send_prepare (lf_sb_host *h, lf_sb_child *c, bool joined, lf_error *err)
{
  int fds[LF_CG_JOIN_MAX], n = joined ? 0 : lf_cg_join_fds (c->cg, fds, err);
  if (n < 0)
    return -1;
  lf_init_prepare p = { .magic = LF_INIT_MAGIC,
                        .ops = h->steps_n,
                        .nice = h->nice,
                        .flags = (h->switch_user ? LF_INIT_SWITCH_USER : 0) | (h->userns ? LF_INIT_USERNS : 0)
                                 | (h->old_mounts ? LF_INIT_OLD_MOUNTS : 0) };
  struct iovec iov[4] = { { &p, sizeof p },
                          { h->attach, strlen (h->attach) + 1 },
                          { (char *) LF_SB_HOSTNAME, sizeof LF_SB_HOSTNAME },
                          { h->steps.data, h->steps.len } };
  struct msghdr m = { .msg_iov = iov, .msg_iovlen = 4 };
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (sizeof fds)];
  } control = { 0 };
  if (n > 0)
    {
      m.msg_control = control.space;
      m.msg_controllen = CMSG_SPACE ((size_t) n * sizeof (int));
      control.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN ((size_t) n * sizeof (int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
      memcpy (CMSG_DATA (&control.h), fds, (size_t) n * sizeof (int));
    }
  ssize_t r;
  do
    r = sendmsg (c->ctl, &m, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  int e = errno;
  for (int i = 0; i < n; i++)
    close (fds[i]);
  return r >= 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, "sandbox", "", "the helper did not take its task: %s", strerror (e));
}

static int
spawn_error (int e, const char *step, lf_error *err)
{
  bool room = e == EAGAIN || e == ENOMEM || e == EMFILE || e == ENFILE;
  if (e == ENOSPC || e == EUSERS) /* the kernel's words would send people to their disk */
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "sandbox", NAMESPACES_FIX, "cannot %s: no more of them are allowed here (user.max_user_namespaces)",
                    step);
  return LF_FAIL (err, room ? LF_EXIT_IO : LF_EXIT_UNSUPPORTED, "sandbox",
                  room ? "start fewer environments, or raise ulimit -n and -u" : NAMESPACES_FIX, "cannot %s: %s", step,
                  strerror (e));
}

static int
spawn_in_group (lf_sb_host *h, lf_sb_child *out, lf_error *err)
{
  int ctl[2] = { -1, -1 }, log[2] = { -1, -1 };
  int r = make_channels (ctl, log, err);
  out->ctl = ctl[0];
  out->log = log[0];
  bool into = !h->no_clone_into && lf_cg_fd (out->cg) >= 0;
  if (r == 0)
    {
      const char *step = "";
      int e = start (h, into ? lf_cg_fd (out->cg) : -1, ctl[1], log[1], out, &step);
      if (into && (e == ENOSYS || e == E2BIG || e == EINVAL))
        {
          h->no_clone_into = true;
          into = false;
          e = start (h, -1, ctl[1], log[1], out, &step);
        }
      r = e ? spawn_error (e, step, err) : 0;
    }
  lf_closep (&ctl[1]);
  lf_closep (&log[1]);
  return r == 0 ? send_prepare (h, out, into, err) : -1;
}

int
lf_sb_spawn (lf_sb_host *h, lf_sb_child *out, lf_error *err)
{
  static const lf_cg_limits none = { LF_NONE, LF_NONE, LF_NONE };
  char name[32];
  *out = LF_SB_NO_CHILD;
  snprintf (name, sizeof name, "sandbox-%u", ++h->serial);
  if (lf_sb_users (h, out) < 0)
    return LF_FAIL_NOMEM (err);
  if (!(out->cg = lf_cg_new (h->cg, name, &none, err)))
    return -1;
  if (spawn_in_group (h, out, err) == 0)
    return 0;
  lf_sb_child_abandon (out);
  return -1;
}

void
lf_sb_refill (lf_sb_host *h)
{
  lf_error ignored; /* the next launch will say why */
  if (h->spare.pid < 0 && !h->no_spare)
    lf_sb_spawn (h, &h->spare, &ignored);
}

static int
configure (lf_sb_child *c, const lf_cg_limits *l, const lf_buf *config, lf_error *err)
{
  if (lf_cg_set_limits (c->cg, l, err) < 0)
    return -1;
  ssize_t r;
  do
    r = send (c->ctl, config->data, config->len, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  if (r == (ssize_t) config->len)
    return 0;
  return LF_FAIL (err, LF_EXIT_IO, "sandbox", "", "the helper did not take its configuration: %s", strerror (errno));
}

int
lf_sb_configure (lf_sb_host *h, const lf_cg_limits *l, const lf_buf *config, lf_sb_child *out, lf_error *err)
{
  *out = h->spare;
  h->spare = LF_SB_NO_CHILD;
  if (out->pid > 0)
    {
      if (configure (out, l, config, err) == 0)
        return 0;
      lf_sb_child_abandon (out); /* someone killed it while it waited */
    }
  if (lf_sb_spawn (h, out, err) < 0)
    return -1;
  if (configure (out, l, config, err) == 0)
    return 0;
  lf_sb_child_abandon (out);
  return -1;
}

void
lf_sb_setup_error (const lf_sb_host *h, const lf_init_note *n, lf_error *err)
{
  bool user = !strncmp (n->text, "become ", 7);
  bool denied = n->value == EPERM || n->value == EACCES || user;
  bool source = !strncmp (n->text, "show ", 5); /* something of the function's that may not be read */
  const char *fix = !denied ? "" : source ? "make it readable for this user" : NAMESPACES_FIX;
  if (denied && h->userns && !strncmp (n->text, "mount /proc", 11))
    fix = "this container hides parts of /proc, so a new one may not be mounted; run the container with --privileged or "
          "--security-opt "
          "systempaths=unconfined";
  lf_error_set (err, denied && !source ? LF_EXIT_UNSUPPORTED : LF_EXIT_IO, __FILE__, __LINE__, "sandbox", fix, "cannot %.190s: %s",
                n->text, strerror (n->value));
}
