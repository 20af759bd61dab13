/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a zip of which the same files always make the same bytes: sorted names, one date, rights that Lambda's user can live with.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "build.h"

#define DOS_DATE ((1980 - 1980) << 9 | 1 << 5 | 1)

static int
trouble (zip_t *z, const char *what, const char *path, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_IO, what, "", "%.300s cannot be written: %.200s", path, zip_strerror (z));
}

static zip_source_t *
link_source (zip_t *z, int dir, const char *path)
{
  char target[LF_PKG_LINK_MAX + 1];
  ssize_t n = readlinkat (dir, path, target, sizeof target);
  char *kept = n > 0 ? malloc ((size_t) n) : NULL;
  if (!kept)
    return NULL;
  memcpy (kept, target, (size_t) n);
  zip_source_t *s = zip_source_buffer (z, kept, (zip_uint64_t) n, 1);
  if (!s)
    free (kept);
  return s;
}

static int
add_node (zip_t *z, int dir, const char *root, const lf_pkg_node *n, int level, const char *out, lf_error *err)
{
  mode_t mode;
  zip_int64_t i;
  if (S_ISDIR (n->mode))
    {
      mode = S_IFDIR | 0755;
      i = zip_dir_add (z, n->path, ZIP_FL_ENC_GUESS);
    }
  else if (S_ISREG (n->mode) || S_ISLNK (n->mode))
    {
      LF_CLEANUP (lf_freep) char *full = lf_asprintf ("%s/%s", root, n->path);
      zip_source_t *s = !full ? NULL : S_ISLNK (n->mode) ? link_source (z, dir, n->path) : zip_source_file (z, full, 0, -1);
      mode = S_ISLNK (n->mode) ? S_IFLNK | 0777 : (mode_t) (S_IFREG | (n->mode & 0111 ? 0755 : 0644));
      i = s ? zip_file_add (z, n->path, s, ZIP_FL_ENC_GUESS) : -1;
      if (s && i < 0)
        zip_source_free (s);
      if (i >= 0 && zip_set_file_compression (z, (zip_uint64_t) i, ZIP_CM_DEFLATE, (zip_uint32_t) level) != 0)
        return trouble (z, out, n->path, err);
    }
  else
    return 0; /* sockets and pipes have no place in a package */
  if (i < 0 || zip_file_set_external_attributes (z, (zip_uint64_t) i, 0, ZIP_OPSYS_UNIX, (zip_uint32_t) mode << 16) != 0
      || zip_file_set_dostime (z, (zip_uint64_t) i, 0, DOS_DATE, 0) != 0)
    return trouble (z, out, n->path, err);
  return 0;
}

static void
progress (zip_t *z, double done, void *user)
{
  (void) z;
  const lf_build_options *o = user;
  o->progress (o->user, "packing", done);
}

static int
add_all (zip_t *z, const char *root, int level, const char *out, lf_error *err)
{
  lf_pkg_tree t;
  if (lf_pkg_tree_read (root, false, &t, err) != 0)
    return -1;
  LF_CLEANUP (lf_closep) int dir = open (root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int r = t.files ? 0 : LF_FAIL (err, LF_EXIT_USAGE, out, "give a folder with files in it", "there is nothing to pack");
  for (size_t i = 0; i < t.n && r == 0; i++)
    r = add_node (z, dir, root, &t.v[i], level, out, err);
  lf_pkg_tree_fini (&t);
  return r;
}

static int
put_in_place (const char *tmp, const char *out, lf_zip_judge *judge, lf_error *err)
{
  LF_CLEANUP (lf_closep) int fd = judge ? open (tmp, O_RDONLY | O_CLOEXEC) : -1;
  if (judge && fd >= 0 && judge (fd, out, err) != 0)
    return -1;
  mode_t mask = umask (0);
  umask (mask);
  if ((judge && fd < 0) || chmod (tmp, 0666 & ~mask) != 0 || rename (tmp, out) != 0)
    return LF_FAIL (err, LF_EXIT_IO, out, "choose a folder you may write to", "cannot be put in place: %s", strerror (errno));
  return 0;
}

int
lf_zip_write (const char *root, const char *out, int level, const lf_build_options *o, lf_zip_judge *judge, lf_error *err)
{
  int code = 0;
  if (lf_is_no_file (out))
    return LF_FAIL (err, LF_EXIT_IO, out, "give the name of a file", "is there and is no file");
  LF_CLEANUP (lf_freep) char *tmp = lf_asprintf ("%s.%ld.tmp", out, (long) getpid ());
  if (!tmp)
    return LF_FAIL_NOMEM (err);
  zip_t *z = zip_open (tmp, ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!z)
    return LF_FAIL (err, LF_EXIT_IO, out, "choose a folder you may write to", "cannot be written (libzip error %d)", code);
  if (add_all (z, root, level, out, err) != 0)
    {
      zip_discard (z);
      return -1;
    }
  if (o && o->progress)
    zip_register_progress_callback_with_state (z, 0.01, progress, NULL, (void *) (uintptr_t) o);
  if (zip_close (z) != 0)
    {
      trouble (z, out, "the archive", err);
      zip_discard (z);
      unlink (tmp);
      return -1;
    }
  int r = put_in_place (tmp, out, judge, err);
  if (r != 0)
    unlink (tmp);
  return r;
}
