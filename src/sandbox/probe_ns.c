/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe's trials inside new namespaces. Each runs in a process of its own that sees nothing but copies of mounts, makes raw calls
 * and ends; nothing of it stays.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init/wire.h"
#include "probe_impl.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#define K_TREE_CLONE 1u
#define K_RECURSIVE 0x8000u
#define K_MOVE_F_EMPTY_PATH 4u
#define K_ATTR_RDONLY 1u

#define TRY(n, step, call)                                                                                                                  \
  do                                                                                                                                        \
    if (lf_probe_step ((n), (step), (int) (call)) < 0)                                                                                      \
      return -1;                                                                                                                            \
  while (0)

static int
fail (lf_probe_note *n, const char *step, int e)
{
  errno = e;
  return lf_probe_step (n, step, -1);
}

static int
private_mounts (lf_probe_note *n, void *arg)
{
  (void) arg;
  TRY (n, "make mounts private", mount (NULL, "/", "", MS_REC | MS_PRIVATE, NULL));
  return 0;
}

/* A folder to mount over: any will do, the namespace is ours. */
static const char *
spot (void)
{
  static const char *const dirs[] = { "/tmp", "/var/tmp", "/mnt", "/dev", "/" };
  struct stat st;
  for (size_t i = 0; i < LF_ARRAY_LEN (dirs); i++)
    if (stat (dirs[i], &st) == 0 && S_ISDIR (st.st_mode))
      return dirs[i];
  return "/";
}

static int
on_tmpfs (lf_probe_note *n, const char *options)
{
  if (private_mounts (n, NULL) < 0)
    return -1;
  TRY (n, "mount a tmpfs", mount ("lambdafit", spot (), "tmpfs", MS_NOSUID | MS_NODEV, options));
  TRY (n, "enter the tmpfs", chdir (spot ()));
  return 0;
}

static int
own_pid (lf_probe_note *n, void *arg)
{
  (void) arg;
  return syscall (SYS_getpid) == 1 ? 0 : fail (n, "be process 1", EPERM);
}

static int
own_name (lf_probe_note *n, void *arg)
{
  (void) arg;
  TRY (n, "set a host name of its own", sethostname ("sandbox", 7));
  return 0;
}

static int
own_proc (lf_probe_note *n, void *arg)
{
  (void) arg;
  if (on_tmpfs (n, "size=65536") < 0)
    return -1;
  TRY (n, "make a folder", mkdir ("proc", 0755));
  TRY (n, "mount /proc", mount ("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
  TRY (n, "see itself in /proc", access ("proc/1/stat", R_OK));
  return 0;
}

#define QUOTA 1048576

/* The quota must hold to the byte, and shared objects must be loadable from it. */
static int
tmp_quota (lf_probe_note *n, void *arg)
{
  (void) arg;
  if (on_tmpfs (n, "size=1048576,mode=1777") < 0)
    return -1;
  int fd = open ("file", O_RDWR | O_CREAT | O_CLOEXEC, 0700);
  TRY (n, "make a file", fd);
  static const char block[16384];
  int64_t total = 0;
  ssize_t w;
  while ((w = write (fd, block, sizeof block)) > 0 && total <= 2 * QUOTA)
    total += w;
  n->value = total;
  if (w >= 0 || errno != ENOSPC)
    return fail (n, "see ENOSPC at the quota", w < 0 ? errno : EFBIG);
  if (total != QUOTA)
    return fail (n, "fill exactly the quota", ERANGE);
  if (mmap (NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
    return lf_probe_step (n, "map a file of it as code", -1);
  return 0;
}

static int
must_be_read_only (lf_probe_note *n, const char *path)
{
  if (faccessat (AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
    return fail (n, "keep a read-only mount read-only", EBADF);
  /* A user who may not write the folder anyhow is told EACCES first. */
  return errno == EROFS || errno == EACCES ? 0 : lf_probe_step (n, "look at a read-only mount", -1);
}

/* In a user namespace, flags that came with a mount are locked and have to be given again. */
static unsigned long
kept_flags (const char *path)
{
  struct statvfs v;
  unsigned long f = 0;
  if (statvfs (path, &v))
    return 0;
  f |= v.f_flag & ST_NOSUID ? MS_NOSUID : 0;
  f |= v.f_flag & ST_NODEV ? MS_NODEV : 0;
  f |= v.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
  f |= v.f_flag & ST_NOATIME ? MS_NOATIME : 0;
  f |= v.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
  f |= v.f_flag & ST_RELATIME ? MS_RELATIME : 0;
  return f;
}

static int
read_only_bind (lf_probe_note *n, void *arg)
{
  (void) arg;
  if (on_tmpfs (n, "size=65536") < 0)
    return -1;
  static const char *const pairs[][2] = { { "source", "shown" }, { "/usr", "usr" } };
  TRY (n, "make a folder", mkdir ("source", 0777));
  for (size_t i = 0; i < LF_ARRAY_LEN (pairs); i++)
    {
      const char *from = pairs[i][0], *to = pairs[i][1];
      TRY (n, "make a folder", mkdir (to, 0755));
      TRY (n, "bind a folder", mount (from, to, "", MS_BIND | MS_REC, NULL));
      TRY (n, "make a bind read-only", mount (NULL, to, "", MS_REMOUNT | MS_BIND | MS_RDONLY | kept_flags (to), NULL));
      if (must_be_read_only (n, to) < 0)
        return -1;
    }
  int fd = open ("shown/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0 || errno != EROFS)
    return fail (n, "refuse a file below a read-only bind", EBADF);
  TRY (n, "write to the source of a read-only bind", open ("source/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return 0;
}

static int
mount_api (lf_probe_note *n, void *arg)
{
  (void) arg;
  struct { uint64_t set, clear, propagation, userns_fd; } read_only = { K_ATTR_RDONLY, 0, 0, 0 };
  if (on_tmpfs (n, "size=65536") < 0)
    return -1;
  TRY (n, "make a folder", mkdir ("usr", 0755));
  int fd = (int) syscall (SYS_open_tree, AT_FDCWD, "/usr", K_TREE_CLONE | K_RECURSIVE | O_CLOEXEC);
  TRY (n, "copy a tree of mounts (open_tree)", fd);
  TRY (n, "make it read-only (mount_setattr)", syscall (SYS_mount_setattr, fd, "", K_RECURSIVE | AT_EMPTY_PATH, &read_only, sizeof read_only));
  TRY (n, "put it in place (move_mount)", syscall (SYS_move_mount, fd, "", AT_FDCWD, "usr", K_MOVE_F_EMPTY_PATH));
  return must_be_read_only (n, "usr");
}

static int
pivot (lf_probe_note *n, void *arg)
{
  (void) arg;
  if (on_tmpfs (n, "size=65536") < 0)
    return -1;
  TRY (n, "make a folder", mkdir ("inside", 0755));
  TRY (n, "change the root", syscall (SYS_pivot_root, ".", "."));
  TRY (n, "let the old root go", umount2 (".", MNT_DETACH));
  TRY (n, "enter the new root", chdir ("/"));
  if (access ("/inside", F_OK) || access ("/usr", F_OK) == 0)
    return fail (n, "see only the new root", EBADF);
  return 0;
}

/* Without a user namespace of its own a sandbox leaves root for this user, which must exist in ours. */
static int
other_user (lf_probe_note *n, void *arg)
{
  (void) arg;
  TRY (n, "give up groups", syscall (SYS_setgroups, 0, NULL));
  TRY (n, "become another group", syscall (SYS_setresgid, LF_INIT_GID, LF_INIT_GID, LF_INIT_GID));
  TRY (n, "become a user without rights", syscall (SYS_setresuid, LF_INIT_UID, LF_INIT_UID, LF_INIT_UID));
  return 0;
}

/* Loopback alone, on it a socket that already listens; a connection to the host's loopback must not be possible from there. */
static int
network (lf_probe_note *n, void *arg)
{
  (void) arg;
  int s = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  TRY (n, "make a socket", s < c ? s : c);
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons (9001), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  if (connect (c, (struct sockaddr *) &a, sizeof a) == 0)
    return fail (n, "have a network of its own", EISCONN);
  close (c);
  struct ifreq r = { .ifr_flags = IFF_UP | IFF_RUNNING };
  memcpy (r.ifr_name, "lo", 3);
  TRY (n, "bring up loopback", ioctl (s, SIOCSIFFLAGS, &r));
  TRY (n, "bind 127.0.0.1:9001", bind (s, (struct sockaddr *) &a, sizeof a));
  TRY (n, "listen", listen (s, 4));
  c = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  TRY (n, "connect to itself", connect (c, (struct sockaddr *) &a, sizeof a));
  TRY (n, "accept", accept4 (s, NULL, NULL, SOCK_CLOEXEC));
  return 0;
}

const lf_probe_trial lf_probe_other_user = { "runtime_user", 0, other_user, "functions run as a user without rights" };
const lf_probe_trial lf_probe_namespaces[] = {
  { "mount_namespace", CLONE_NEWNS, private_mounts, "mounts of its own" },
  { "pid_namespace", CLONE_NEWPID, own_pid, "all processes of a sandbox end with its first" },
  { "ipc_uts_namespaces", CLONE_NEWIPC | CLONE_NEWUTS, own_name, "shared memory and host name of its own" },
  { "network_namespace", CLONE_NEWNET, network, "--network none works, with the Runtime API on 127.0.0.1:9001 inside" },
  { "proc", CLONE_NEWNS | CLONE_NEWPID, own_proc, "/proc shows the sandbox alone" },
  { "tmp_quota", CLONE_NEWNS, tmp_quota, "ENOSPC at exactly the quota, code may be loaded from /tmp" },
  { "read_only_bind", CLONE_NEWNS, read_only_bind, "everything but /tmp can be shown read-only" },
  { "mount_api", CLONE_NEWNS, mount_api, "open_tree, mount_setattr and move_mount work" },
  { "pivot_root", CLONE_NEWNS, pivot, "the host's files can be left behind" },
};
const size_t lf_probe_namespaces_n = LF_ARRAY_LEN (lf_probe_namespaces);
