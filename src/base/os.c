/* SPDX-License-Identifier: Apache-2.0
 *
 * Clock, randomness and files: the only part of this room that looks outside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lambdafit/base.h"

static int64_t
clock_us (clockid_t id)
{
  struct timespec t;
  clock_gettime (id, &t);
  return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

lf_time_us
lf_now_us (void)
{
  return clock_us (CLOCK_MONOTONIC);
}

int64_t
lf_wall_us (void)
{
  return clock_us (CLOCK_REALTIME);
}

static void
kernel_random (void *p, size_t n)
{
  char *q = p;
  while (n > 0)
    {
      ssize_t k = getrandom (q, n, 0);
      if (k < 0 && errno == EINTR)
        continue;
      if (k <= 0)
        abort (); /* ids that repeat would corrupt the log: no fallback is better */
      q += k;
      n -= (size_t) k;
    }
}

/* A forked child must not give out what its parent's store holds. */
static unsigned forks;

static void
count_fork (void)
{
  forks++;
}

static void
watch_forks (void)
{
  if (pthread_atfork (NULL, NULL, count_fork) != 0)
    abort ();
}

/* Small amounts come from a store of the thread's own, filled by one call for many; what was given out is wiped there. */
void
lf_random_bytes (void *p, size_t n)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static _Thread_local unsigned char pool[2048];
  static _Thread_local size_t left;
  static _Thread_local unsigned filled_by;
  if (n > sizeof pool / 8)
    {
      kernel_random (p, n);
      return;
    }
  pthread_once (&once, watch_forks);
  if (left < n || filled_by != forks)
    {
      filled_by = forks;
      kernel_random (pool, sizeof pool);
      left = sizeof pool;
    }
  left -= n;
  memcpy (p, pool + left, n);
  memset (pool + left, 0, n);
}

void
lf_uuid4 (char out[37])
{
  uint8_t r[16];
  lf_random_bytes (r, sizeof r);
  lf_uuid4_from (r, out);
}

void
lf_closep (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1; /* so that closing twice cannot hit what has got the number since */
}

/* ---- whole files -------------------------------------------------------------------------------------------------------------- */

static int
read_all (int fd, const char *path, size_t max, lf_buf *out, lf_error *err)
{
  size_t total = 0;
  for (;;)
    {
      /* One byte more than allowed tells "exactly max" from "too large"; files of /proc have no size to ask for. */
      char chunk[65536];
      size_t want = max - total < sizeof chunk ? max - total + 1 : sizeof chunk;
      ssize_t k = read (fd, chunk, want);
      if (k < 0 && errno == EINTR)
        continue;
      if (k < 0)
        return LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be read: %s", strerror (errno));
      if (k == 0)
        return lf_buf_reserve (out, 0) < 0 ? LF_FAIL_NOMEM (err) : 0;
      if ((size_t) k > max - total)
        return LF_FAIL (err, LF_EXIT_IO, path, "", "is larger than %zu bytes", max);
      total += (size_t) k;
      if (lf_buf_add (out, chunk, (size_t) k) < 0)
        return LF_FAIL (err, LF_EXIT_IO, path, "", "is too large to be held in memory");
    }
}

int
lf_read_file (const char *path, size_t max, lf_buf *out, lf_error *err)
{
  if (strcmp (path, "-") == 0)
    return read_all (STDIN_FILENO, "standard input", max, out, err);
  LF_CLEANUP (lf_closep) int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, path, errno == ENOENT ? "check the path" : "", "cannot be opened: %s", strerror (errno));
  return read_all (fd, path, max, out, err);
}

static int
write_all (int fd, const char *p, size_t n)
{
  while (n > 0)
    {
      ssize_t k = write (fd, p, n);
      if (k < 0 && errno == EINTR)
        continue;
      if (k < 0)
        return -1;
      p += k;
      n -= (size_t) k;
    }
  return 0;
}

bool
lf_is_no_file (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 && (!S_ISREG (st.st_mode) || strncmp (path, "/dev/", 5) == 0 || strncmp (path, "/proc/", 6) == 0);
}

static int
write_as_it_is (const char *path, const void *p, size_t n, lf_error *err)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC | O_NOCTTY), bad = fd < 0 || write_all (fd, p, n) < 0 ? errno : 0;
  if (fd >= 0 && close (fd) < 0 && !bad)
    bad = errno;
  return bad ? LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be written: %s", strerror (bad)) : 0;
}

int
lf_write_file_atomic (const char *path, const void *p, size_t n, lf_error *err)
{
  if (lf_is_no_file (path))
    return write_as_it_is (path, p, n, err);
  uint64_t r;
  lf_random_bytes (&r, sizeof r);
  LF_CLEANUP (lf_freep) char *temp = lf_asprintf ("%s.%016llx.tmp", path, (unsigned long long) r);
  if (!temp)
    return LF_FAIL_NOMEM (err);
  int fd = open (temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be written: %s", strerror (errno));
  /* Data before name: after a power cut a new name must not lead to an empty file. */
  int bad = write_all (fd, p, n) < 0 || fsync (fd) < 0 ? errno : 0;
  if (close (fd) < 0 && !bad)
    bad = errno;
  if (!bad && rename (temp, path) < 0)
    bad = errno;
  if (!bad)
    return 0;
  unlink (temp);
  errno = bad;
  return LF_FAIL (err, LF_EXIT_IO, path, bad == ENOSPC ? "free some space on that disk" : "", "cannot be written: %s", strerror (bad));
}

int
lf_mkdir_p (const char *path, int mode, lf_error *err)
{
  LF_CLEANUP (lf_freep) char *p = lf_strdup (path);
  if (!p)
    return LF_FAIL_NOMEM (err);
  for (char *s = p + (*p == '/');; s++)
    {
      if (*s != '/' && *s != '\0')
        continue;
      char c = *s;
      *s = '\0';
      struct stat st;
      if (*p && mkdir (p, (mode_t) mode) < 0 && !(errno == EEXIST || (stat (p, &st) == 0 && S_ISDIR (st.st_mode))))
        return LF_FAIL (err, LF_EXIT_IO, path, "", "the folder %s cannot be made: %s", p, strerror (errno));
      if (c == '\0')
        break;
      *s = c;
    }
  struct stat st;
  if (stat (path, &st) < 0 || !S_ISDIR (st.st_mode))
    return LF_FAIL (err, LF_EXIT_IO, path, "", "is not a folder");
  return 0;
}

/* ---- removing a tree ------------------------------------------------------------------------------------------------------------ */

/* Deeper folders are moved up to the root of the tree and removed from there: neither descriptors nor stack grow with depth. */
#define RM_DEPTH 32

typedef struct rm_state
{
  int root;
  unsigned hoisted;
  bool again; /* something was moved up */
} rm_state;

static int rm_children (rm_state *s, int fd, int depth);

static int
rm_folder (rm_state *s, int parent, const char *name, int depth)
{
  if (depth >= RM_DEPTH)
    {
      char up[32];
      do
        snprintf (up, sizeof up, ".lf-rm-%u", s->hoisted++);
      while (faccessat (s->root, up, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
      if (renameat (parent, name, s->root, up) < 0)
        return -1;
      s->again = true;
      return 0;
    }
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat (parent, name, flags);
  if (fd < 0 && errno == EACCES && fchmodat (parent, name, 0700, 0) == 0)
    fd = openat (parent, name, flags);
  if (fd < 0)
    return -1;
  int rc = rm_children (s, fd, depth + 1);
  int saved = errno;
  close (fd);
  errno = saved;
  return rc < 0 ? -1 : unlinkat (parent, name, AT_REMOVEDIR);
}

static int
rm_entry (rm_state *s, int fd, const char *name, int depth)
{
  if (unlinkat (fd, name, 0) == 0 || errno == ENOENT)
    return 0;
  struct stat st;
  int saved = errno;
  if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR (st.st_mode))
    {
      errno = saved;
      return -1;
    }
  return rm_folder (s, fd, name, depth);
}

static int
rm_children (rm_state *s, int fd, int depth)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  DIR *d = copy < 0 ? NULL : fdopendir (copy);
  if (!d)
    {
      lf_closep (&copy);
      return -1;
    }
  rewinddir (d); /* the copy shares its position with fd, which an earlier round may have moved */
  struct stat st;
  if (fstat (fd, &st) == 0 && (st.st_mode & 0700) != 0700)
    (void) fchmod (fd, 0700); /* read-only folders of packages; what cannot be changed fails below with a reason */
  int rc = 0;
  for (struct dirent *e; rc == 0 && (errno = 0, e = readdir (d)) != NULL;)
    if (strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0)
      rc = rm_entry (s, fd, e->d_name, depth);
  int saved = errno;
  closedir (d);
  errno = saved;
  return rc;
}

int
lf_rm_rf (const char *path, lf_error *err)
{
  if (unlink (path) == 0 || errno == ENOENT)
    return 0;
  rm_state s = { .root = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) };
  if (s.root < 0 && errno == EACCES && chmod (path, 0700) == 0)
    s.root = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int rc = s.root < 0 ? -1 : 0;
  do
    {
      s.again = false;
      if (rc == 0)
        rc = rm_children (&s, s.root, 0);
    }
  while (rc == 0 && s.again);
  int saved = errno;
  lf_closep (&s.root);
  errno = saved;
  if (rc == 0)
    rc = rmdir (path);
  return rc == 0 || errno == ENOENT ? 0 : LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be removed: %s", strerror (errno));
}

struct cJSON *
lf_json_load (const char *path, size_t max, lf_error *err)
{
  lf_buf b;
  lf_buf_init (&b, max);
  struct cJSON *o = NULL;
  if (lf_read_file (path, max, &b, err) == 0)
    o = lf_json_parse (b.data, b.len, path, err);
  lf_buf_fini (&b);
  return o;
}
