/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end of a connection over loopback. With the host's network every process of the machine could speak to an
 * environment's Runtime API, take its events and answer for it; only what runs inside may.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox_impl.h"

#define LINKS_MAX 8192 /* descriptors looked at for one connection: some milliseconds */

typedef struct lf_peer
{
  uid_t uid;
  uint64_t inode;
} lf_peer;

static int
ask (int nl, const struct sockaddr_in *peer, const struct sockaddr_in *us, lf_peer *out)
{
  struct
  {
    struct nlmsghdr h;
    struct inet_diag_req_v2 r;
  } q = { .h = { .nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST },
          .r = { .sdiag_family = AF_INET,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = ~0u,
                 .id = { .idiag_sport = peer->sin_port,
                         .idiag_dport = us->sin_port,
                         .idiag_src = { peer->sin_addr.s_addr },
                         .idiag_dst = { us->sin_addr.s_addr },
                         .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } } };
  union
  {
    struct nlmsghdr h;
    char space[4096];
  } a;
  if (send (nl, &q, sizeof q, 0) != (ssize_t) sizeof q)
    return -1;
  ssize_t n = recv (nl, &a, sizeof a, 0);
  if (n < (ssize_t) NLMSG_LENGTH (sizeof (struct inet_diag_msg)) || a.h.nlmsg_type != SOCK_DIAG_BY_FAMILY)
    return -1;
  const struct inet_diag_msg *m = NLMSG_DATA (&a.h);
  out->uid = m->idiag_uid;
  out->inode = m->idiag_inode;
  return 0;
}

/* The same from the table, where the kernel has no such socket or a container forbids it. */
static int
look_up (const struct sockaddr_in *peer, const struct sockaddr_in *us, const char *table, lf_peer *out)
{
  char line[512], mine[64];
  FILE *f = fopen (table, "re");
  int r = -1;
  snprintf (mine, sizeof mine, "%08X:%04X %s%08X:%04X ", peer->sin_addr.s_addr, ntohs (peer->sin_port),
            strstr (table, "tcp6") ? "0000000000000000FFFF0000" : "", us->sin_addr.s_addr, ntohs (us->sin_port));
  while (f && r < 0 && fgets (line, sizeof line, f))
    {
      const char *at = strstr (line, mine);
      unsigned uid;
      unsigned long long inode;
      if (at && sscanf (at + strlen (mine), "%*x %*x:%*x %*x:%*x %*x %u %*u %llu", &uid, &inode) == 2)
        {
          out->uid = uid;
          out->inode = inode;
          r = 0;
        }
    }
  if (f)
    fclose (f);
  return r;
}

static int
find_peer (int fd, lf_peer *out)
{
  struct sockaddr_in peer = { 0 }, us = { 0 };
  socklen_t n = sizeof peer, m = sizeof us;
  if (getpeername (fd, (struct sockaddr *) &peer, &n) < 0 || getsockname (fd, (struct sockaddr *) &us, &m) < 0 || peer.sin_family != AF_INET)
    return -1;
  int nl LF_CLEANUP (lf_closep) = socket (AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (nl >= 0 && ask (nl, &peer, &us, out) == 0)
    return 0;
  return look_up (&peer, &us, "/proc/self/net/tcp", out) == 0 ? 0 : look_up (&peer, &us, "/proc/self/net/tcp6", out);
}

/* Whether the process in the open folder has this socket. */
static bool
process_has (int proc, const char *pid, uint64_t inode, int *left)
{
  char path[64], want[64], is[64];
  int n = snprintf (want, sizeof want, "socket:[%llu]", (unsigned long long) inode);
  snprintf (path, sizeof path, "%.20s/fd", pid);
  int fd = openat (proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir (fd);
  bool found = false;
  if (!d)
    {
      lf_closep (&fd);
      return false;
    }
  for (struct dirent *e; !found && *left > 0 && (e = readdir (d)) != NULL; (*left)--)
    found = readlinkat (dirfd (d), e->d_name, is, sizeof is) == n && memcmp (is, want, (size_t) n) == 0;
  closedir (d);
  return found;
}

/* The sandbox's own /proc lists what runs inside and nothing else. */
static bool
inside_has (int proc_fd, uint64_t inode)
{
  int fd = openat (proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir (fd);
  bool found = false;
  int left = LINKS_MAX;
  if (!d)
    {
      lf_closep (&fd);
      return false;
    }
  for (struct dirent *e; !found && left > 0 && (e = readdir (d)) != NULL;)
    if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && strcmp (e->d_name, "1") != 0)
      found = process_has (proc_fd, e->d_name, inode, &left);
  closedir (d);
  return found;
}

bool
lf_sb_peer_inside (int fd, uid_t uid, bool uid_is_own, int proc_fd)
{
  lf_peer p = { 0, 0 };
  if (find_peer (fd, &p) < 0 || p.uid != uid)
    return false;
  return uid_is_own || (p.inode && proc_fd >= 0 && inside_has (proc_fd, p.inode));
}
