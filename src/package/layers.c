/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers merged into one folder, in order, as Lambda unpacks them into /opt: folders merge, anything else of a later layer replaces
 * what an earlier one had under that name. The result is kept in the cache under the digests of its parts.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define LAYERS_MAX 64 /* far above what a profile allows; the limit itself is the model's to name */

typedef struct layer { lf_package p; char hex[65]; } layer;

static int
cannot (const char *path, int e, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_IO, "cache", e == ENOSPC ? "free some space, or set XDG_CACHE_HOME to a folder on a larger file system" : "",
                  "%.300s of a layer cannot be merged: %s", path, strerror (e));
}

/* Makes room for an entry: gone is whatever an earlier layer had there, unless both are folders. */
static int
make_room (int root, const char *root_path, const char *path, bool dir, bool *exists, lf_error *err)
{
  struct stat st;
  *exists = false;
  if (fstatat (root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? 0 : cannot (path, errno, err);
  if (!S_ISDIR (st.st_mode))
    return unlinkat (root, path, 0) == 0 ? 0 : cannot (path, errno, err);
  if (dir)
    {
      *exists = true;
      return 0;
    }
  LF_CLEANUP (lf_freep) char *full = lf_asprintf ("%s/%s", root_path, path);
  return full ? lf_pkg_remove (full, err) : LF_FAIL_NOMEM (err);
}

static int
copy_bytes (int from, int to)
{
  if (ioctl (to, FICLONE, from) == 0)
    return 0;
  char buf[65536];
  for (;;)
    {
      ssize_t n = read (from, buf, sizeof buf);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return n == 0 ? 0 : -1;
      for (ssize_t w = 0, k; w < n; w += k)
        if ((k = write (to, buf + w, (size_t) (n - w))) < 0)
          {
            if (errno != EINTR)
              return -1;
            k = 0;
          }
    }
}

/* A file of the cache is linked. A file of the user's own folder is copied, because it may be edited in place later. */
static int
put_file (int from, int root, const lf_pkg_node *n, bool may_link, lf_error *err)
{
  if (may_link && linkat (from, n->path, root, n->path, 0) == 0)
    return 0;
  LF_CLEANUP (lf_closep) int to = openat (root, n->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0)
    return cannot (n->path, errno, err);
  LF_CLEANUP (lf_closep) int in = openat (from, n->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (in < 0 && errno != EACCES) /* what we cannot read, the function cannot read either */
    return cannot (n->path, errno, err);
  if (in >= 0 && copy_bytes (in, to) != 0)
    return cannot (n->path, errno, err);
  struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = n->mtime_ns / 1000000000, .tv_nsec = n->mtime_ns % 1000000000 } };
  if (fchmod (to, n->mode & 0777) != 0 || futimens (to, t) != 0)
    return cannot (n->path, errno, err);
  return 0;
}

static int
put_node (int from, int root, const char *root_path, const lf_pkg_node *n, bool may_link, lf_error *err)
{
  bool exists, dir = S_ISDIR (n->mode);
  if (!dir && !S_ISREG (n->mode) && !S_ISLNK (n->mode))
    return 0;
  if (make_room (root, root_path, n->path, dir, &exists, err) != 0)
    return -1;
  if (dir)
    return exists || mkdirat (root, n->path, 0755) == 0 ? 0 : cannot (n->path, errno, err);
  if (S_ISREG (n->mode))
    return put_file (from, root, n, may_link, err);
  char target[LF_PKG_LINK_MAX + 1];
  ssize_t len = readlinkat (from, n->path, target, sizeof target - 1);
  if (len < 0)
    return cannot (n->path, errno, err);
  target[len] = '\0';
  return symlinkat (target, root, n->path) == 0 ? 0 : cannot (n->path, errno, err);
}

/* Folders get their rights once everything is in place: the last layer that has the folder decides. */
static int
merge_modes (int root, const lf_pkg_tree *trees, size_t n, lf_error *err)
{
  for (size_t i = 0; i < n; i++)
    for (size_t k = trees[i].n; k-- > 0;)
      {
        struct stat st;
        const lf_pkg_node *d = &trees[i].v[k];
        if (S_ISDIR (d->mode) && fstatat (root, d->path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR (st.st_mode)
            && fchmodat (root, d->path, (d->mode & 0777) | 0500 /* later layers' folders are still visited */, 0) != 0)
          return cannot (d->path, errno, err);
      }
  return 0;
}

static int
merge (const layer *l, size_t n, const char *root_path, lf_pkg_meta *m, lf_error *err)
{
  LF_CLEANUP (lf_freep) lf_pkg_tree *trees = calloc (n, sizeof *trees);
  LF_CLEANUP (lf_closep) int root = open (root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!trees || root < 0)
    return LF_FAIL_NOMEM (err);
  int r = 0;
  for (size_t i = 0; i < n && r == 0; i++)
    {
      LF_CLEANUP (lf_closep) int from = open (l[i].p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      r = from < 0 ? cannot (l[i].p.source, errno, err) : lf_pkg_tree_read (l[i].p.dir, true, &trees[i], err);
      for (size_t k = 0; r == 0 && k < trees[i].n; k++)
        r = put_node (from, root, root_path, &trees[i].v[k], l[i].p.is_zip, err);
    }
  if (r == 0)
    r = merge_modes (root, trees, n, err);
  for (size_t i = 0; i < n; i++)
    lf_pkg_tree_fini (&trees[i]);
  lf_pkg_tree all;
  if (r == 0)
    r = lf_pkg_tree_read (root_path, true, &all, err);
  if (r == 0)
    {
      *m = (lf_pkg_meta){ .bytes = all.bytes, .files = all.files };
      lf_pkg_tree_fini (&all);
    }
  return r;
}

static int
open_merged (const layer *l, size_t n, char **opt_dir, lf_error *err)
{
  char hex[65];
  lf_sha256 *s = lf_sha256_new ();
  if (!s)
    return LF_FAIL_NOMEM (err);
  lf_sha256_update (s, "layers 1", 9);
  for (size_t i = 0; i < n; i++)
    {
      lf_sha256_update (s, l[i].p.is_zip ? "z" : "d", 1);
      lf_sha256_update (s, l[i].hex, 64);
    }
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  lf_pkg_meta m;
  if (lf_pkg_cache_find ("layers", hex, opt_dir, &m))
    return 0;
  lf_pkg_build b;
  if (lf_pkg_cache_begin ("layers", &b, err) != 0)
    return -1;
  if (merge (l, n, b.root, &m, err) != 0)
    {
      lf_pkg_cache_abort (&b);
      return -1;
    }
  return lf_pkg_cache_publish ("layers", hex, &m, &b, opt_dir, err);
}

static int
open_all (const lf_strv *layers, int64_t max_bytes, layer *l, int64_t *bytes, lf_error *err)
{
  for (size_t i = 0; i < layers->n; i++)
    {
      if (lf_starts (layers->v[i], "arn:"))
        return LF_FAIL (err, LF_EXIT_USAGE, layers->v[i], "download the layer and give its zip or folder with --layer",
                        "a layer's content cannot be known from its ARN");
      /* Each is opened against the whole limit, so that a layer that alone is too big is not unpacked. */
      if (lf_pkg_open_hex (layers->v[i], max_bytes, &l[i].p, l[i].hex, err) != 0)
        return -1;
      *bytes += l[i].p.unzipped_bytes;
    }
  if (*bytes >= max_bytes)
    return LF_FAIL (err, LF_EXIT_FAILED, "layers", "see what takes the space: lambdafit layer size; shrink them, or use lambdafit layer double-zip",
                    "Layers consume more than the available size of %lld bytes. The actual size is %lld bytes.", (long long) max_bytes,
                    (long long) *bytes);
  return 0;
}

int
lf_layers_open (const lf_strv *layers, int64_t max_bytes, char **opt_dir, int64_t *bytes, lf_error *err)
{
  *opt_dir = NULL;
  *bytes = 0;
  if (layers->n == 0)
    return 0;
  if (layers->n > LAYERS_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "layers", "merge some of them", "%zu layers are more than any profile allows", layers->n);
  LF_CLEANUP (lf_freep) layer *l = calloc (layers->n, sizeof *l);
  if (!l)
    return LF_FAIL_NOMEM (err);
  int r = open_all (layers, max_bytes, l, bytes, err);
  if (r == 0 && layers->n > 1)
    r = open_merged (l, layers->n, opt_dir, err);
  else if (r == 0)
    {
      *opt_dir = l[0].p.dir;
      l[0].p.dir = NULL;
    }
  for (size_t i = 0; i < layers->n; i++)
    lf_package_fini (&l[i].p);
  return r;
}
