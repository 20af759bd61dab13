/* SPDX-License-Identifier: Apache-2.0
 *
 * The root of a sandbox: an empty tmpfs to which the steps of the configuration are added, then /proc and /tmp, then it becomes "/"
 * and the host's tree is let go. The mount calls of Linux 5.2 (5.12 for recursive read-only) are used where the kernel has them:
 * one detached tree per bind, made read-only before anyone can see it. Older kernels get mount(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "init.h"

/* Own names: not every C library has these, and the kernel's header cannot be included beside <sys/mount.h> everywhere. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define K_TREE_CLONE 1
#define K_TREE_CLOEXEC O_CLOEXEC
#define K_MOVE_F_EMPTY_PATH 4
#define K_FS_CLOEXEC 1
#define K_FSCONFIG_SET_STRING 1
#define K_FSCONFIG_CMD_CREATE 6
#define K_ATTR_RDONLY 1u
#define K_ATTR_NOSUID 2u
#define K_ATTR_NODEV 4u
#define K_ATTR_NOEXEC 8u
struct k_mount_attr
{
  uint64_t set, clear, propagation, userns_fd;
};

static bool old_calls; /* mount(2) only */

void
step_set (job *j, const char *verb, const char *path)
{
  snprintf (j->step, sizeof j->step, "%s %s", verb, path);
}

static int
make_parents (const char *path)
{
  char p[4096];
  size_t n = strlen (path);
  if (n >= sizeof p)
    {
      errno = ENAMETOOLONG;
      return -1;
    }
  memcpy (p, path, n + 1);
  for (char *s = strchr (p, '/'); s; s = strchr (s + 1, '/'))
    {
      *s = 0;
      if (*p && mkdir (p, 0755) < 0 && errno != EEXIST)
        return -1;
      *s = '/';
    }
  return 0;
}

/* Folder PATH; the parents are only looked at when they are missing, which is rare. */
static int
make_dir (const char *path)
{
  if (mkdir (path, 0755) == 0 || errno == EEXIST)
    return 0;
  /* A read-only bind may already hold the place. */
  if (errno == EROFS && access (path, F_OK) == 0)
    return 0;
  if (errno != ENOENT || make_parents (path) < 0)
    return -1;
  return mkdir (path, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

static int
make_file (const char *path)
{
  for (int round = 0;; round++)
    {
      int fd = open (path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
      if (fd >= 0)
        {
          close (fd);
          return 0;
        }
      if (errno == EEXIST || (errno == EROFS && access (path, F_OK) == 0))
        return 0;
      if (errno != ENOENT || round || make_parents (path) < 0)
        return -1;
    }
}

static int
make_link (const char *path, const char *target)
{
  if (symlink (target, path) == 0)
    return 0;
  return errno == ENOENT && make_parents (path) == 0 ? symlink (target, path) : -1;
}

/* ---- mount(2) -------------------------------------------------------------------------------------------- */

/* Makes one existing mount read-only. Inside a user namespace a remount must repeat the flags the mount came with. */
static int
old_read_only (const char *path, unsigned long flags)
{
  struct statvfs v;
  if (statvfs (path, &v) < 0)
    return -1;
  static const struct
  {
    unsigned long st, ms;
  } keep[] = { { ST_NOSUID, MS_NOSUID },         { ST_NODEV, MS_NODEV },       { ST_NOEXEC, MS_NOEXEC }, { ST_NOATIME, MS_NOATIME },
               { ST_NODIRATIME, MS_NODIRATIME }, { ST_RELATIME, MS_RELATIME }, { ST_RDONLY, MS_RDONLY } };
  for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
    if (v.f_flag & keep[i].st)
      flags |= keep[i].ms;
  return mount (NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* mountinfo writes blanks and backslashes as three octal digits. */
static void
unescape (char *s)
{
  char *w = s;
  for (; *s; s++)
    if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3])
      {
        *w++ = (char) ((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
        s += 3;
      }
    else
      *w++ = *s;
  *w = 0;
}

/* What is mounted below the bind PATH came with it and must be read-only as well. */
static int
old_read_only_below (const char *path, unsigned long flags)
{
  char here[4096], line[8192], target[4096];
  if (!realpath (path, here))
    return -1;
  size_t n = strlen (here);
  FILE *f = fopen ("/proc/self/mountinfo", "re");
  if (!f)
    return -1;
  int r = 0;
  while (r == 0 && fgets (line, sizeof line, f))
    {
      if (sscanf (line, "%*s %*s %*s %*s %4095s", target) != 1)
        continue;
      unescape (target);
      if (strncmp (target, here, n) == 0 && target[n] == '/')
        r = old_read_only (target, flags);
    }
  int e = errno;
  fclose (f);
  errno = e;
  return r;
}

static int
old_bind (const char *from, const char *to, bool device)
{
  if (mount (from, to, NULL, MS_BIND | MS_REC, NULL) < 0 || mount (NULL, to, NULL, MS_PRIVATE | MS_REC, NULL) < 0)
    return -1;
  if (device)
    return old_read_only (to, MS_NOSUID | MS_NOEXEC);
  unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV;
  return old_read_only (to, flags) < 0 ? -1 : old_read_only_below (to, flags);
}

/* ---- the newer calls ------------------------------------------------------------------------------------- */

/* A detached mount of a new file system; the options are key, value, ..., NULL. */
static int
new_fs (const char *type, const char *const *options, unsigned attr)
{
  int fs = (int) syscall (SYS_fsopen, type, K_FS_CLOEXEC);
  if (fs < 0)
    return -1;
  int r = 0;
  for (; r == 0 && options[0]; options += 2)
    r = (int) syscall (SYS_fsconfig, fs, K_FSCONFIG_SET_STRING, options[0], options[1], 0);
  if (r == 0)
    r = (int) syscall (SYS_fsconfig, fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
  if (r == 0)
    r = (int) syscall (SYS_fsmount, fs, K_FS_CLOEXEC, attr);
  int e = errno;
  close (fs);
  errno = e;
  return r;
}

static int
attach (int fd, const char *to)
{
  return (int) syscall (SYS_move_mount, fd, "", AT_FDCWD, to, K_MOVE_F_EMPTY_PATH);
}

/* Mounts a new file system on TO; gives a descriptor of its root. */
static int
mount_fs (const char *type, const char *const *options, unsigned attr, const char *to)
{
  if (!old_calls)
    {
      int fd = new_fs (type, options, attr);
      if (fd < 0 || attach (fd, to) == 0)
        return fd;
      int e = errno;
      close (fd);
      errno = e;
      return -1;
    }
  char text[256] = "";
  for (size_t n = 0; options[0] && n < sizeof text; options += 2)
    n += (size_t) snprintf (text + n, sizeof text - n, "%s%s=%s", n ? "," : "", options[0], options[1]);
  unsigned long flags = (attr & K_ATTR_RDONLY ? MS_RDONLY : 0) | (attr & K_ATTR_NOSUID ? MS_NOSUID : 0)
                        | (attr & K_ATTR_NODEV ? MS_NODEV : 0) | (attr & K_ATTR_NOEXEC ? MS_NOEXEC : 0);
  if (mount (type, to, type, flags & ~(unsigned long) MS_RDONLY, text) < 0)
    return -1;
  if ((flags & MS_RDONLY) && old_read_only (to, flags) < 0)
    return -1;
  return open (to, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int
bind_tree (const char *from, const char *to, bool device)
{
  if (old_calls)
    return old_bind (from, to, device);
  int fd = (int) syscall (SYS_open_tree, AT_FDCWD, from, K_TREE_CLONE | K_TREE_CLOEXEC | (device ? 0 : AT_RECURSIVE));
  if (fd < 0)
    return -1;
  struct k_mount_attr a
      = { .set = device ? K_ATTR_NOSUID | K_ATTR_NOEXEC : K_ATTR_RDONLY | K_ATTR_NOSUID | K_ATTR_NODEV, .propagation = MS_PRIVATE };
  int r = (int) syscall (SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (device ? 0 : AT_RECURSIVE), &a, sizeof a);
  if (r == 0)
    r = attach (fd, to);
  int e = errno;
  close (fd);
  errno = e;
  return r;
}

/* ---- the root -------------------------------------------------------------------------------------------- */

static int
step_do (job *j, const char *op, const char *arg)
{
  const char *path = op + 1;
  switch (op[0])
    {
    case 'd':
      step_set (j, "make folder", path);
      return make_dir (path);
    case 's':
      step_set (j, "make link", path);
      return make_link (path, arg);
    case 'b':
      step_set (j, "make folder", path);
      if (make_dir (path) < 0)
        return -1;
      step_set (j, "show", arg);
      return bind_tree (arg, path, false);
    case 'f':
    case 'v':
      step_set (j, "make file", path);
      if (make_file (path) < 0)
        return -1;
      step_set (j, "show", arg);
      return bind_tree (arg, path, op[0] == 'v');
    default:
      step_set (j, "unknown step", op);
      errno = EINVAL;
      return -1;
    }
}

static int
steps_do (job *j, const char *s, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    {
      const char *op = s, *arg = s + strlen (s) + 1;
      s = op[0] == 'd' ? arg : arg + strlen (arg) + 1;
      if (step_do (j, op, arg) < 0)
        return -1;
    }
  return 0;
}

static int
mount_proc (job *j)
{
  step_set (j, "mount", "/proc");
  static const char *const none[] = { NULL };
  if (make_dir ("proc") < 0)
    return -1;
  j->proc_fd = mount_fs ("proc", none, K_ATTR_RDONLY | K_ATTR_NOSUID | K_ATTR_NODEV | K_ATTR_NOEXEC, "proc");
  return j->proc_fd < 0 ? -1 : 0;
}

static int
mount_tmp (job *j)
{
  char size[32], inodes[32];
  snprintf (size, sizeof size, "%lld", (long long) j->c.tmp_bytes);
  snprintf (inodes, sizeof inodes, "%lld", (long long) j->c.tmp_inodes);
  const char *options[] = { "size", size, "nr_inodes", inodes, "mode", "1777", NULL };
  step_set (j, "mount", "/tmp");
  if (make_dir ("tmp") < 0)
    return -1;
  j->tmp_fd = mount_fs ("tmpfs", options, K_ATTR_NOSUID | K_ATTR_NODEV, "tmp");
  return j->tmp_fd < 0 ? -1 : 0;
}

static int
root_enter (job *j)
{
  step_set (j, "enter", "the new root");
  if (syscall (SYS_pivot_root, ".", ".") < 0 || umount2 (".", MNT_DETACH) < 0 || chdir ("/") < 0)
    return -1;
  step_set (j, "make read-only", "/");
  if (old_calls)
    return mount (NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
  struct k_mount_attr a = { .set = K_ATTR_RDONLY };
  return (int) syscall (SYS_mount_setattr, AT_FDCWD, "/", 0, &a, sizeof a);
}

int
root_begin (job *j)
{
  static const char *const options[] = { "size", "1m", "nr_inodes", "4096", "mode", "0755", NULL };
  struct k_mount_attr nothing = { 0 };
  old_calls = (j->flags & LF_INIT_OLD_MOUNTS)
              || (syscall (SYS_mount_setattr, -1, "", 0, &nothing, sizeof nothing) < 0 && errno == ENOSYS);
  /* With a user namespace of our own the mounts are cut off already. */
  step_set (j, "cut off", "the host's mounts");
  if (!(j->flags & LF_INIT_USERNS) && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return -1;
  step_set (j, "mount the root on", j->attach);
  int fd = mount_fs ("tmpfs", options, K_ATTR_NOSUID | K_ATTR_NODEV, j->attach);
  if (fd < 0 || fchdir (fd) < 0)
    return -1;
  close (fd);
  return steps_do (j, j->common_ops, j->p.ops) < 0 ? -1 : mount_proc (j);
}

int
root_finish (job *j)
{
  return steps_do (j, j->ops, j->c.ops) < 0 || mount_tmp (j) < 0 ? -1 : root_enter (j);
}
