/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that every sandbox sees instead of the host's: an /etc that names Lambda's user and holds only public files, and a /sys
 * that shows the CPUs an environment has. They are plain files, made once and shown read-only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define COPY_MAX (4 * LF_MB)
#define COPY_FILES_MAX 4096
#define COPY_DEPTH_MAX 8

/* ---- writing --------------------------------------------------------------------------------------------- */

static int
put (int dir, const char *name, const char *text, size_t n, lf_error *err)
{
  int fd = openat (dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (errno));
  ssize_t w = write (fd, text, n);
  int e = w < 0 ? errno : ENOSPC;
  /* The umask must not decide who can read it. */
  if (w == (ssize_t) n && fchmod (fd, 0644) == 0)
    return close (fd), 0;
  close (fd);
  return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (e));
}

static int
puts_at (int dir, const char *name, const char *text, lf_error *err)
{
  return put (dir, name, text, strlen (text), err);
}

/* Opens (makes) a folder below DIR, readable by all. */
static int
folder (int dir, const char *name, lf_error *err)
{
  if (mkdirat (dir, name, 0755) < 0 && errno != EEXIST)
    return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (errno));
  int fd = openat (dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || fchmod (fd, 0755) < 0)
    {
      int e = errno;
      lf_closep (&fd);
      return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (e));
    }
  return fd;
}

/* A folder given by its path, made with its parents. */
static int
folders (int dir, const char *path, lf_error *err)
{
  char part[256];
  int at = dup (dir);
  while (at >= 0 && *path)
    {
      size_t n = strcspn (path, "/");
      snprintf (part, sizeof part, "%.*s", (int) n, path);
      int next = folder (at, part, err);
      close (at);
      at = next;
      path += n + (path[n] == '/');
    }
  return at;
}

static int
link_at (int dir, const char *name, const char *target, lf_error *err)
{
  if (symlinkat (target, dir, name) == 0 || errno == EEXIST)
    return 0;
  return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (errno));
}

/* ---- copying public files -------------------------------------------------------------------------------- */

/* A readable regular file, or nothing at all when it is not there, not public or too large: none of them is necessary. */
static int
copy_file (int from, const char *name, int to, const char *as, lf_error *err)
{
  int fd LF_CLEANUP (lf_closep) = openat (from, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || !(st.st_mode & S_IROTH))
    return 0;
  char *data LF_CLEANUP (lf_freep) = malloc (COPY_MAX);
  if (!data)
    return LF_FAIL_NOMEM (err);
  size_t n = 0;
  ssize_t r;
  /* Files of /proc and /sys say size 0: read to the end. */
  while (n < (size_t) COPY_MAX && (r = read (fd, data + n, (size_t) COPY_MAX - n)) > 0)
    n += (size_t) r;
  return n < (size_t) COPY_MAX ? put (to, as, data, n, err) : 0;
}

static int
copy_tree (int from, const char *name, int to, int depth, int *left, lf_error *err)
{
  int src = openat (from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  DIR *d = src < 0 ? NULL : fdopendir (src);
  if (!d)
    {
      lf_closep (&src);
      return 0;
    }
  int dst LF_CLEANUP (lf_closep) = folder (to, name, err), r = dst < 0 ? -1 : 0;
  struct dirent *e;
  while (r == 0 && *left > 0 && (e = readdir (d)) != NULL)
    {
      char target[4096];
      if (e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2])))
        continue;
      --*left;
      ssize_t n = readlinkat (src, e->d_name, target, sizeof target - 1);
      if (n >= 0)
        {
          target[n] = 0;
          r = link_at (dst, e->d_name, target, err);
        }
      else if (e->d_type == DT_DIR)
        r = depth < COPY_DEPTH_MAX ? copy_tree (src, e->d_name, dst, depth + 1, left, err) : 0;
      else
        r = copy_file (src, e->d_name, dst, e->d_name, err);
    }
  closedir (d);
  return r;
}

/* ---- /etc ------------------------------------------------------------------------------------------------ */

static const char *const etc_copied[]
    = { "gai.conf",   "host.conf", "inputrc",   "ld.so.cache", "ld.so.conf", "locale.alias", "magic",
        "mime.types", "networks",  "protocols", "resolv.conf", "rpc",        "services",     "shells" };
static const char *const etc_trees[] = { "ld.so.conf.d", "python3", "terminfo" };
/* Places onto which the host's public folders are shown (see host.c). */
static const char *const etc_places[]
    = { "alternatives", "fonts", "ssl/certs", "pki/ca-trust", "pki/tls/certs", "ca-certificates", "crypto-policies" };

static int
etc_written (int dir, lf_error *err)
{
  static const struct
  {
    const char *name, *text;
  } files[] = {
    { "passwd", "root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
                "nobody:x:65534:65534:Nobody:/:/sbin/nologin\n" },
    { "group", "root:x:0:\ntty:x:5:\nsbx_user1051:x:990:\nnobody:x:65534:\n" },
    { "hosts",
      "127.0.0.1 localhost localhost.localdomain\n127.0.0.1 " LF_SB_HOSTNAME "\n::1 localhost6 localhost6.localdomain6\n" },
    { "hostname", LF_SB_HOSTNAME "\n" },
    { "nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nservices: files\nprotocols: "
                       "files\nrpc: files\n" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (files); i++)
    if (puts_at (dir, files[i].name, files[i].text, err) < 0)
      return -1;
  return link_at (dir, "localtime", "../usr/share/zoneinfo/UTC", err) < 0 || link_at (dir, "mtab", "../proc/self/mounts", err) < 0
                 || link_at (dir, "os-release", "../usr/lib/os-release", err) < 0
             ? -1
             : 0;
}

/* The configuration of one Python (python3.11) has its version in its name. */
static int
etc_pythons (int host, int dir, int *left, lf_error *err)
{
  int r = 0, fd = dup (host);
  DIR *d = fd < 0 ? NULL : fdopendir (fd);
  if (!d)
    {
      lf_closep (&fd);
      return 0;
    }
  struct dirent *e;
  while (r == 0 && (e = readdir (d)) != NULL)
    if (lf_starts (e->d_name, "python3."))
      r = copy_tree (host, e->d_name, dir, 0, left, err);
  closedir (d);
  return r;
}

int
lf_sb_etc_make (const char *path, lf_error *err)
{
  int dir LF_CLEANUP (lf_closep) = folder (AT_FDCWD, path, err);
  int host LF_CLEANUP (lf_closep) = open ("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return -1;
  if (host < 0)
    return LF_FAIL (err, LF_EXIT_IO, "/etc", "", "cannot be read: %s", strerror (errno));
  if (etc_written (dir, err) < 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_copied); i++)
    if (copy_file (host, etc_copied[i], dir, etc_copied[i], err) < 0)
      return -1;
  int left = COPY_FILES_MAX;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_trees); i++)
    if (copy_tree (host, etc_trees[i], dir, 0, &left, err) < 0)
      return -1;
  if (etc_pythons (host, dir, &left, err) < 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_places); i++)
    {
      int fd LF_CLEANUP (lf_closep) = folders (dir, etc_places[i], err);
      if (fd < 0)
        return -1;
    }
  int ssl LF_CLEANUP (lf_closep) = openat (dir, "ssl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return ssl < 0 ? 0 : copy_file (host, "ssl/openssl.cnf", ssl, "openssl.cnf", err);
}

/* ---- /sys ------------------------------------------------------------------------------------------------ */

/* What is worth knowing of a CPU; the copy stands still, so what changes all the time is left out. */
static const char *const cpu_trees[] = { "topology", "cache" };
static const char *const cpufreq_files[] = { "cpuinfo_max_freq", "cpuinfo_min_freq", "base_frequency", "scaling_max_freq" };

static int
cpu_make (int dir, int host, int number, int like, int *left, lf_error *err)
{
  char name[32];
  snprintf (name, sizeof name, "cpu%d", number);
  int fd LF_CLEANUP (lf_closep) = folder (dir, name, err);
  if (fd < 0)
    return -1;
  snprintf (name, sizeof name, "cpu%d", like);
  int from LF_CLEANUP (lf_closep) = openat (host, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from < 0)
    return 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (cpu_trees); i++)
    if (copy_tree (from, cpu_trees[i], fd, 0, left, err) < 0)
      return -1;
  int freq LF_CLEANUP (lf_closep) = openat (from, "cpufreq", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (freq < 0)
    return 0;
  int to LF_CLEANUP (lf_closep) = folder (fd, "cpufreq", err);
  if (to < 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (cpufreq_files); i++)
    if (copy_file (freq, cpufreq_files[i], to, cpufreq_files[i], err) < 0)
      return -1;
  return 0;
}

/* Lists of CPUs in topology and cache name the host's; an environment has only its own. */
static int
cpu_lists (int dir, int number, int cpus, lf_error *err)
{
  char path[64], all[32], mask[32], self[16];
  snprintf (all, sizeof all, cpus > 1 ? "0-%d\n" : "0\n", cpus - 1);
  snprintf (self, sizeof self, "%d\n", number);
  snprintf (mask, sizeof mask, "%x\n", cpus < 31 ? (1u << cpus) - 1 : 0x7fffffffu);
  snprintf (path, sizeof path, "cpu%d/topology", number);
  int fd LF_CLEANUP (lf_closep) = openat (dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  static const char *const lists[] = { "core_siblings_list", "package_cpus_list", "die_cpus_list" };
  static const char *const masks[] = { "core_siblings", "package_cpus", "die_cpus" };
  static const char *const own[] = { "thread_siblings_list", "core_cpus_list", "core_id" };
  for (size_t i = 0; i < LF_ARRAY_LEN (lists); i++)
    if ((faccessat (fd, lists[i], F_OK, 0) == 0 && puts_at (fd, lists[i], all, err) < 0)
        || (faccessat (fd, masks[i], F_OK, 0) == 0 && puts_at (fd, masks[i], mask, err) < 0))
      return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (own); i++)
    if (faccessat (fd, own[i], F_OK, 0) == 0 && puts_at (fd, own[i], self, err) < 0)
      return -1;
  return 0;
}

int
lf_sb_sys_make (const char *path, int cpus, lf_error *err)
{
  int sys LF_CLEANUP (lf_closep) = folder (AT_FDCWD, path, err);
  if (sys < 0)
    return -1;
  int dir LF_CLEANUP (lf_closep) = folders (sys, "devices/system/cpu", err);
  int thp LF_CLEANUP (lf_closep) = folders (sys, "kernel/mm/transparent_hugepage", err);
  if (dir < 0 || thp < 0)
    return -1;
  char list[32];
  snprintf (list, sizeof list, cpus > 1 ? "0-%d\n" : "0\n", cpus - 1);
  if (puts_at (dir, "online", list, err) < 0 || puts_at (dir, "possible", list, err) < 0 || puts_at (dir, "present", list, err) < 0
      || puts_at (dir, "offline", "\n", err) < 0)
    return -1;
  if (copy_file (AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", thp, "enabled", err) < 0
      || copy_file (AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", thp, "hpage_pmd_size", err) < 0)
    return -1;
  int host LF_CLEANUP (lf_closep) = open ("/sys/devices/system/cpu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (host < 0)
    return 0;
  long here = sysconf (_SC_NPROCESSORS_CONF);
  int left = COPY_FILES_MAX;
  for (int i = 0; i < cpus && i < 64; i++)
    if (cpu_make (dir, host, i, here > 0 ? (int) (i % here) : 0, &left, err) < 0 || cpu_lists (dir, i, cpus, err) < 0)
      return -1;
  return 0;
}
