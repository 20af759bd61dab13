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

/* Whether it is there already, as it should be. */
static bool
same (int dir, const char *name, const char *text, size_t n)
{
  int fd LF_CLEANUP (lf_closep) = openat (dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0 || !S_ISREG (st.st_mode) || (st.st_mode & 07777) != 0644 || st.st_size != (off_t) n)
    return false;
  char *there LF_CLEANUP (lf_freep) = malloc (n ? n : 1);
  size_t have = 0;
  for (ssize_t r; there && have < n && (r = read (fd, there + have, n - have)) > 0;)
    have += (size_t) r;
  return there && have == n && memcmp (there, text, n) == 0;
}

/* The sandboxes of every process that runs now show these files, and may have them mapped: one that is there is never written to. A new one
 * takes its place as a whole. */
static int
put (int dir, const char *name, const char *text, size_t n, lf_error *err)
{
  if (same (dir, name, text, n))
    return 0;
  char *fresh LF_CLEANUP (lf_freep) = lf_asprintf ("%s.%d", name, (int) getpid ());
  if (!fresh)
    return LF_FAIL_NOMEM (err);
  int fd LF_CLEANUP (lf_closep) = openat (dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (errno));
  ssize_t w = write (fd, text, n);
  int e = w == (ssize_t) n ? 0 : w < 0 ? errno : ENOSPC;
  /* The umask must not decide who can read it. */
  if (!e && (fchmod (fd, 0644) < 0 || renameat (dir, fresh, dir, name) < 0))
    e = errno;
  if (!e)
    return 0;
  unlinkat (dir, fresh, 0);
  return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot prepare: %s", strerror (e));
}

int
lf_sb_puts_at (int dir, const char *name, const char *text, lf_error *err)
{
  return put (dir, name, text, strlen (text), err);
}

/* Opens (makes) a folder below DIR, readable by all. */
int
lf_sb_folder (int dir, const char *name, lf_error *err)
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
int
lf_sb_folders (int dir, const char *path, lf_error *err)
{
  char part[256];
  int at = dup (dir);
  while (at >= 0 && *path)
    {
      size_t n = strcspn (path, "/");
      snprintf (part, sizeof part, "%.*s", (int) n, path);
      int next = lf_sb_folder (at, part, err);
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
int
lf_sb_copy_file (int from, const char *name, int to, const char *as, lf_error *err)
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
  int dst LF_CLEANUP (lf_closep) = lf_sb_folder (to, name, err), r = dst < 0 ? -1 : 0;
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
        r = lf_sb_copy_file (src, e->d_name, dst, e->d_name, err);
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
    if (lf_sb_puts_at (dir, files[i].name, files[i].text, err) < 0)
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
  int dir LF_CLEANUP (lf_closep) = lf_sb_folder (AT_FDCWD, path, err);
  int host LF_CLEANUP (lf_closep) = open ("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return -1;
  if (host < 0)
    return LF_FAIL (err, LF_EXIT_IO, "/etc", "", "cannot be read: %s", strerror (errno));
  if (etc_written (dir, err) < 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_copied); i++)
    if (lf_sb_copy_file (host, etc_copied[i], dir, etc_copied[i], err) < 0)
      return -1;
  int left = COPY_FILES_MAX;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_trees); i++)
    if (copy_tree (host, etc_trees[i], dir, 0, &left, err) < 0)
      return -1;
  if (etc_pythons (host, dir, &left, err) < 0)
    return -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (etc_places); i++)
    {
      int fd LF_CLEANUP (lf_closep) = lf_sb_folders (dir, etc_places[i], err);
      if (fd < 0)
        return -1;
    }
  int ssl LF_CLEANUP (lf_closep) = openat (dir, "ssl", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return ssl < 0 ? 0 : lf_sb_copy_file (host, "ssl/openssl.cnf", ssl, "openssl.cnf", err);
}
