/* SPDX-License-Identifier: Apache-2.0
 *
 * Control groups, the network of a sandbox that has none, and what the supervisor gives up before the first runtime starts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "init.h"

/* Moves the helper, and with it all that it will start, into the environment's control groups. */
int
groups_join (job *j)
{
  step_set (j, "join", "the control groups");
  for (size_t i = 0; i < j->joins; i++)
    {
      if (write (j->join[i], "0", 1) != 1)
        return -1;
      close (j->join[i]);
    }
  return 0;
}

/* Only loopback, and on it the Runtime API's socket, already listening: the runtime may connect before the daemon has accepted. */
int
network_up (job *j)
{
  step_set (j, "make", "a network namespace");
  if (unshare (CLONE_NEWNET) < 0)
    return -1;
  step_set (j, "bring up", "the loopback interface");
  int s = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0)
    return -1;
  struct ifreq r = { .ifr_flags = IFF_UP | IFF_RUNNING };
  memcpy (r.ifr_name, "lo", 3);
  if (ioctl (s, SIOCSIFFLAGS, &r) < 0)
    return -1;
  step_set (j, "listen on", "127.0.0.1:9001");
  int one = 1;
  setsockopt (s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a
      = { .sin_family = AF_INET, .sin_port = htons (LF_INIT_API_PORT), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  if (bind (s, (struct sockaddr *) &a, sizeof a) < 0 || listen (s, 128) < 0)
    return -1;
  j->listen_fd = s;
  return 0;
}

static int
keep_caps (uint64_t keep)
{
  struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct d[2] = { { .effective = (uint32_t) keep, .permitted = (uint32_t) keep },
                                         { .effective = (uint32_t) (keep >> 32), .permitted = (uint32_t) (keep >> 32) } };
  return (int) syscall (SYS_capset, &h, d);
}

/* What our user namespace may have at most. A namespace inside of the sandbox would give back powers that were taken; what is
 * counted here is counted for the daemon's own user too, whose share must not be used up. */
static void
limit_namespace (void)
{
  static const char *const limits[][2]
      = { { "/proc/sys/user/max_user_namespaces", "0" },
          { "/proc/sys/user/max_inotify_instances", "32" },
          { "/proc/sys/user/max_inotify_watches", "8192" } };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    {
      int fd = open (limits[i][0], O_WRONLY | O_CLOEXEC);
      if (fd < 0)
        continue;
      ssize_t r = write (fd, limits[i][1], strlen (limits[i][1]));
      (void) r; /* a container may show /proc/sys read-only; the filter refuses namespaces as well */
      close (fd);
    }
}

int
confine_early (job *j)
{
  step_set (j, "set", "the host name");
  if (sethostname (j->hostname, strlen (j->hostname)) < 0)
    return -1;
  /* /proc/self/cgroup then names no place of the host. */
  step_set (j, "make", "a control group namespace");
  if (unshare (CLONE_NEWCGROUP) < 0 && errno != EINVAL)
    return -1;
  if (j->flags & LF_INIT_USERNS)
    limit_namespace ();
  /* A new session keyring hides the daemon's keys. Keys have a quota per user; without a new one the old stays, and cannot be told.
   */
  syscall (SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
  for (unsigned long c = 0; c < 64 && prctl (PR_CAPBSET_DROP, c, 0, 0, 0) == 0; c++)
    ;
  return 0;
}

/* The supervisor needs to signal the runtime and, where the user is switched, to switch again at a restart. Nothing else is kept,
 * and nothing can be gained back: no bounding set, no ambient set, no new privileges. */
int
confine_late (job *j)
{
  for (size_t i = 0; i < LF_INIT_CPU_WORDS; i++)
    if (j->c.cpus[i])
      {
        /* CPUs may have gone offline since they were chosen: then all stay allowed. */
        syscall (SYS_sched_setaffinity, 0, sizeof j->c.cpus, j->c.cpus);
        break;
      }
  umask (022);
  step_set (j, "drop", "capabilities");
  prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  uint64_t keep = j->flags & LF_INIT_SWITCH_USER ? 1u << CAP_KILL | 1u << CAP_SETUID | 1u << CAP_SETGID : 0;
  if (keep_caps (keep) < 0 || prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -1;
  step_set (j, "install", "the filter of system calls");
  if (walls_raise () < 0)
    return -1;
  /* The runtime may have the same uid: it must not trace its supervisor. */
  return prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
}
