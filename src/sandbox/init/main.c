/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit-init: pid 1 of one execution environment. It is started inside fresh namespaces, builds the root, gives up its powers,
 * starts the runtime and stays to watch it: it reaps everything, kills the whole tree on command or when the runtime ends, and
 * starts the runtime again in the same environment. It ends when the daemon does (the control socket closes), and the kernel then
 * kills everything in its pid namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "init.h"

static job the_job;
static char prepare[LF_INIT_PREPARE_MAX], config[LF_INIT_CONFIG_MAX];

static void
send_note (uint32_t type, int value, const char *text, const int *fds, size_t nfds)
{
  lf_init_note n = { .type = type, .value = value, .at_us = the_job.exec_us };
  if (text)
    snprintf (n.text, sizeof n.text, "%s", text);
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (3 * sizeof (int))];
  } control = { 0 };
  struct iovec iov = { &n, sizeof n };
  struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
  if (nfds)
    {
      m.msg_control = control.space;
      m.msg_controllen = CMSG_SPACE (nfds * sizeof (int));
      control.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN (nfds * sizeof (int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
      memcpy (CMSG_DATA (&control.h), fds, nfds * sizeof (int));
    }
  ssize_t r;
  do
    r = sendmsg (LF_INIT_CTL_FD, &m, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  if (r < 0)
    _exit (1); /* nobody is there to be told */
}

/* The next message of the daemon with its descriptors; without one there is nobody to work for. */
static size_t
message (char *text, size_t max, int *fds, size_t *nfds)
{
  union
  {
    struct cmsghdr h;
    char space[CMSG_SPACE (LF_INIT_FDS_MAX * sizeof (int))];
  } control;
  struct iovec iov = { text, max };
  struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space };
  ssize_t n;
  do
    n = recvmsg (LF_INIT_CTL_FD, &m, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    _exit (1);
  *nfds = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR (&m); c; c = CMSG_NXTHDR (&m, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
      {
        *nfds = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
        memcpy (fds, CMSG_DATA (c), *nfds * sizeof (int));
      }
  return m.msg_flags & MSG_TRUNC ? 0 : (size_t) n;
}

static int
set_up (job *j)
{
  int none[LF_INIT_FDS_MAX];
  size_t nones, n = message (prepare, sizeof prepare, j->join, &j->joins);
  j->tmp_fd = j->proc_fd = j->listen_fd = -1;
  step_set (j, "read", "the preparation");
  if (prepare_parse (j, prepare, n) < 0)
    return -1;
  umask (0);
  if (groups_join (j) < 0 || confine_early (j) < 0 || root_begin (j) < 0)
    return -1;
  send_note (LF_INIT_NOTE_PREPARED, 0, NULL, NULL, 0);
  n = message (config, sizeof config, none, &nones);
  step_set (j, "read", "the configuration");
  if (config_parse (j, config, n) < 0)
    return -1;
  if (root_finish (j) < 0 || ((j->flags & LF_INIT_NET_NONE) && network_up (j) < 0))
    return -1;
  return confine_late (j);
}

/* Nothing of the tree is left after this. Each round also meets what was being born in the last one. */
static void
kill_tree (pid_t runtime, int *status)
{
  for (;;)
    {
      kill (-1, SIGKILL);
      int st;
      pid_t p = waitpid (-1, &st, 0);
      if (p < 0 && errno == EINTR)
        continue;
      if (p < 0)
        return;
      if (p == runtime && status)
        *status = st;
    }
}

/* Returns the pid of the running runtime, 0 if it could not be started. */
static pid_t
start (job *j)
{
  pid_t pid = 0;
  int e = runtime_start (j, &pid);
  if (e == 0)
    {
      int fd = (int) syscall (SYS_pidfd_open, pid, 0); /* without it (before Linux 5.3) the daemon asks us for everything */
      send_note (LF_INIT_NOTE_LAUNCHED, 0, NULL, &fd, fd >= 0);
      if (fd >= 0)
        close (fd);
      return pid;
    }
  kill_tree (0, NULL);
  if (j->exec_us)
    send_note (LF_INIT_NOTE_EXEC_FAILED, e, NULL, NULL, 0);
  else
    send_note (LF_INIT_NOTE_SETUP_FAILED, e, j->step, NULL, 0);
  return 0;
}

/* Reaps what has ended. When the runtime itself has, the rest of the tree goes too. */
static pid_t
reap (pid_t runtime)
{
  int st;
  pid_t p;
  while ((p = waitpid (-1, &st, WNOHANG)) > 0)
    if (p == runtime)
      {
        kill_tree (0, NULL);
        send_note (LF_INIT_NOTE_EXIT, st, NULL, NULL, 0);
        return 0;
      }
  return runtime;
}

static pid_t
command (job *j, pid_t runtime, uint32_t type)
{
  switch (type)
    {
    case LF_INIT_CMD_START:
      return runtime ? runtime : start (j);
    case LF_INIT_CMD_KILL:
      if (runtime)
        {
          int st = SIGKILL;
          kill_tree (runtime, &st);
          send_note (LF_INIT_NOTE_EXIT, st, NULL, NULL, 0);
        }
      return 0;
    case LF_INIT_CMD_STOP:
    case LF_INIT_CMD_CONT:
      kill (-1, type == LF_INIT_CMD_STOP ? SIGSTOP : SIGCONT);
      return runtime;
    default:
      kill_tree (0, NULL);
      _exit (0);
    }
}

static void
supervise (job *j)
{
  sigset_t chld;
  sigemptyset (&chld);
  sigaddset (&chld, SIGCHLD);
  int sfd = signalfd (-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
  struct pollfd p[2] = { { LF_INIT_CTL_FD, POLLIN, 0 }, { sfd, POLLIN, 0 } };
  if (sfd < 0)
    {
      send_note (LF_INIT_NOTE_SETUP_FAILED, errno, "watch for the end of the runtime", NULL, 0);
      return;
    }
  for (pid_t runtime = start (j);;)
    {
      if (poll (p, 2, -1) < 0)
        continue;
      if (p[1].revents)
        {
          struct signalfd_siginfo si;
          while (read (sfd, &si, sizeof si) > 0)
            ;
          runtime = reap (runtime);
        }
      if (p[0].revents)
        {
          lf_init_cmd c;
          ssize_t n = recv (LF_INIT_CTL_FD, &c, sizeof c, MSG_DONTWAIT);
          if (n == (ssize_t) sizeof c)
            runtime = command (j, runtime, c.type);
          else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return; /* the daemon is gone */
        }
    }
}

/* What the daemon inherited from its own caller and could not mark is not for the runtime either. */
static void
close_others (void)
{
#ifdef SYS_close_range
  if (syscall (SYS_close_range, LF_INIT_CTL_FD + 1, ~0u, 0) == 0)
    return;
#endif
  for (int fd = LF_INIT_CTL_FD + 1; fd < 65536; fd++)
    close (fd);
}

int
main (void)
{
  job *j = &the_job;
  /* Started by hand it would mount over, rename and confine the machine itself. */
  if (getpid () != 1)
    {
      static const char text[] = "lambdafit-init is started by lambdafit, in namespaces of its own\n";
      ssize_t r = write (2, text, sizeof text - 1);
      (void) r;
      _exit (2);
    }
  close_others ();
  prctl (PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl (PR_SET_NAME, "lambdafit-init", 0, 0, 0);
  struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
  for (int s = 1; s < NSIG; s++)
    if (s != SIGKILL && s != SIGSTOP)
      sigaction (s, &sa, NULL);
  sigset_t all;
  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, NULL);
  fcntl (LF_INIT_CTL_FD, F_SETFD, FD_CLOEXEC);
  if (set_up (j) < 0)
    {
      send_note (LF_INIT_NOTE_SETUP_FAILED, errno, j->step, NULL, 0);
      _exit (1);
    }
  int fds[3] = { j->tmp_fd, j->proc_fd, j->listen_fd };
  send_note (LF_INIT_NOTE_READY, 0, NULL, fds, j->listen_fd >= 0 ? 3 : 2);
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0)
      close (fds[i]);
  supervise (j);
  _exit (0);
}
