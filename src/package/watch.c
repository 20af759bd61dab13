/* SPDX-License-Identifier: Apache-2.0
 *
 * Has anything of these folders and files changed? The kernel notes every change when it is made (inotify), so a look after a change always
 * sees it, and costs one system call when there was none. Folders are watched with all below them, files by their name in their folder, since
 * editors and builds put a new file in the place of the old one.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define WATCHES_MAX 100000
#define CHANGES (IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

typedef struct place
{
  char *path;
  bool below;   /* a target, or below one: any change counts; else only the targets' names do */
} place;

struct lf_watch
{
  int fd;
  place *places; /* by watch descriptor */
  size_t cap, n;
  lf_strv targets, ignored;
};

void
lf_watch_free (lf_watch *w)
{
  if (!w)
    return;
  lf_closep (&w->fd);
  for (size_t i = 0; i < w->cap; i++)
    free (w->places[i].path);
  free (w->places);
  lf_strv_fini (&w->targets);
  lf_strv_fini (&w->ignored);
  free (w);
}

static int
cannot (const char *path, int e, lf_error *err)
{
  bool full = e == ENOSPC || e == EMFILE;
  return LF_FAIL (err, LF_EXIT_IO, path, full ? "raise fs.inotify.max_user_watches and max_user_instances with sysctl, or stop other programs that watch folders" : "",
                  "changes in it cannot be noticed: %s", full ? "the system watches as many folders as it may" : strerror (e));
}

/* A folder more. One that is watched already keeps its widest meaning. */
static int
add_place (lf_watch *w, const char *path, bool below, uint32_t changes, lf_error *err)
{
  int wd = inotify_add_watch (w->fd, path, changes | IN_ONLYDIR | IN_EXCL_UNLINK | IN_MASK_ADD);
  if (wd < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : cannot (path, errno, err); /* gone again, or not ours to read */
  size_t at = (size_t) wd;
  if (at >= w->cap)
    {
      size_t cap = at + 1 > 2 * w->cap ? at + 1 : 2 * w->cap;
      place *p = realloc (w->places, cap * sizeof *p);
      if (!p)
        return LF_FAIL_NOMEM (err);
      memset (p + w->cap, 0, (cap - w->cap) * sizeof *p);
      w->places = p;
      w->cap = cap;
    }
  w->places[at].below = w->places[at].below || below;
  if (!w->places[at].path)
    {
      if (!(w->places[at].path = lf_strdup (path)))
        return LF_FAIL_NOMEM (err);
      if (++w->n > WATCHES_MAX)
        return LF_FAIL (err, LF_EXIT_IO, path, "serve a smaller folder", "changes in it cannot be noticed: it is one of more than %d folders", WATCHES_MAX);
    }
  return 0;
}

/* What version control keeps beside the code changes all the time and is no code. */
static bool
passed_over (const char *name)
{
  return strcmp (name, ".") == 0 || strcmp (name, "..") == 0 || strcmp (name, ".git") == 0 || strcmp (name, ".hg") == 0 || strcmp (name, ".svn") == 0;
}

static bool
is_folder (int dir, const struct dirent *d)
{
  struct stat st;
  if (d->d_type != DT_UNKNOWN)
    return d->d_type == DT_DIR;
  return fstatat (dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode);
}

static int
add_below (lf_watch *w, const char *path, int depth, lf_error *err)
{
  if (add_place (w, path, true, CHANGES, err) < 0)
    return -1;
  DIR *d = depth < LF_PKG_DEPTH_MAX ? opendir (path) : NULL;
  int rc = 0;
  for (struct dirent *e; d && rc == 0 && (e = readdir (d));)
    if (!passed_over (e->d_name) && is_folder (dirfd (d), e))
      {
        char *child LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", path, e->d_name);
        rc = child ? add_below (w, child, depth + 1, err) : LF_FAIL_NOMEM (err);
      }
  if (d)
    closedir (d);
  return rc;
}

/* The folder that holds a path, so that another thing in its place is noticed. */
static int
add_holder (lf_watch *w, const char *path, lf_error *err)
{
  const char *slash = strrchr (path, '/');
  if (!slash || slash[1] == 0)
    return 0;
  char *holder LF_CLEANUP (lf_freep) = slash == path ? lf_strdup ("/") : lf_strndup (path, (size_t) (slash - path));
  if (!holder || lf_strv_add (&w->targets, path) < 0)
    return LF_FAIL_NOMEM (err);
  /* Beside a folder other files may be written to all the time, the log for one: only another thing in its place counts. */
  struct stat st;
  bool folder = stat (path, &st) == 0 && S_ISDIR (st.st_mode);
  return add_place (w, holder, false, folder ? CHANGES & ~(uint32_t) IN_MODIFY : CHANGES, err);
}

/* The path as it is named, with its folder resolved; and what it leads to, where that is another. */
static int
add_target (lf_watch *w, const char *target, lf_error *err)
{
  char *real LF_CLEANUP (lf_freep) = realpath (target, NULL);
  char *named LF_CLEANUP (lf_freep) = lf_strdup (target);
  size_t n = named ? strlen (named) : 0;
  while (n > 1 && named[n - 1] == '/')
    named[--n] = 0;
  char *slash = named ? strrchr (named, '/') : NULL;
  const char *last = slash ? slash + 1 : named;
  struct stat st;
  if (!named)
    return LF_FAIL_NOMEM (err);
  if (*last && strcmp (last, ".") != 0 && strcmp (last, "..") != 0)
    {
      char *folder LF_CLEANUP (lf_freep) = !slash ? realpath (".", NULL) : slash == named ? lf_strdup ("") : (*slash = 0, realpath (named, NULL));
      char *whole LF_CLEANUP (lf_freep) = folder ? lf_asprintf ("%s/%s", strcmp (folder, "/") == 0 ? "" : folder, last) : NULL;
      if (whole && add_holder (w, whole, err) < 0)
        return -1;
      if (whole && real && strcmp (whole, real) != 0 && add_holder (w, real, err) < 0)
        return -1;
    }
  else if (real && add_holder (w, real, err) < 0)
    return -1;
  return real && stat (real, &st) == 0 && S_ISDIR (st.st_mode) ? add_below (w, real, 0, err) : 0;
}

lf_watch *
lf_watch_new (const lf_strv *targets, lf_error *err)
{
  lf_watch *w = calloc (1, sizeof *w);
  if (!w)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  w->fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  int rc = w->fd < 0 ? cannot (targets->n ? targets->v[0] : "", errno, err) : 0;
  for (size_t i = 0; rc == 0 && i < targets->n; i++)
    rc = add_target (w, targets->v[i], err);
  if (rc == 0)
    return w;
  lf_watch_free (w);
  return NULL;
}

int
lf_watch_ignore (lf_watch *w, const char *path)
{
  const char *slash = strrchr (path, '/');
  char *dir LF_CLEANUP (lf_freep) = slash ? lf_strndup (path, (size_t) (slash - path) + 1) : lf_strdup (".");
  char *real LF_CLEANUP (lf_freep) = dir ? realpath (dir, NULL) : NULL;
  if (!dir)
    return -1;
  return real ? lf_strv_addf (&w->ignored, "%s/%s", strcmp (real, "/") == 0 ? "" : real, slash ? slash + 1 : path) : 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------ */

/* What we write ourselves may lie among the code: the log with its companions, and our own output sent to a file. */
static bool
is_ours (const lf_watch *w, const char *path)
{
  struct stat st, own;
  for (size_t i = 0; i < w->ignored.n; i++)
    if (lf_starts (path, w->ignored.v[i]))
      return true;
  if (lstat (path, &st) != 0 || !S_ISREG (st.st_mode))
    return false;
  for (int fd = 1; fd <= 2; fd++)
    if (fstat (fd, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
      return true;
  return false;
}

static bool
is_target (const lf_watch *w, const char *path)
{
  for (size_t i = 0; i < w->targets.n; i++)
    if (strcmp (w->targets.v[i], path) == 0)
      return true;
  return false;
}

static bool
counts (const lf_watch *w, const struct inotify_event *e, char what[256])
{
  if (e->mask & IN_Q_OVERFLOW)
    {
      snprintf (what, 256, "too many files");
      return true;
    }
  const place *p = e->wd >= 0 && (size_t) e->wd < w->cap ? &w->places[e->wd] : NULL;
  if ((e->mask & IN_IGNORED) || !p || !p->path)
    return false;
  char *path LF_CLEANUP (lf_freep) = e->len ? lf_asprintf ("%s/%s", strcmp (p->path, "/") == 0 ? "" : p->path, e->name) : lf_strdup (p->path);
  if (!path || (e->len && passed_over (e->name)) || !(p->below || is_target (w, path)) || (e->len && is_ours (w, path)))
    return false;
  size_t n = strlen (path);
  snprintf (what, 256, "%s", n < 250 ? path : path + n - 250);
  return true;
}

bool
lf_watch_changed (lf_watch *w, char what[256])
{
  char buf[16384] __attribute__ ((aligned (__alignof__ (struct inotify_event))));
  bool changed = false;
  for (;;)
    {
      ssize_t n = read (w->fd, buf, sizeof buf);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return changed;
      for (char *p = buf; p < buf + n && !changed;)
        {
          const struct inotify_event *e = (const struct inotify_event *) (const void *) p;
          changed = counts (w, e, what);
          p += sizeof *e + e->len;
        }
    }
}
