/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a folder or a zip behind one face, so that measuring and checking need not care which it is.
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

#include "imagefile.h"

static int
open_folder (lf_pkg_source *s, lf_error *err)
{
  if (lf_pkg_tree_read (s->path, true, &s->tree, err) != 0)
    return -1;
  s->v = malloc ((s->tree.n + 1) * sizeof *s->v);
  if (!s->v)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < s->tree.n; i++)
    {
      const lf_pkg_node *n = &s->tree.v[i];
      int64_t down = n->mtime_ns < 0 ? (n->mtime_ns - 999999999) / 1000000000 : n->mtime_ns / 1000000000;
      s->v[i] = (lf_pkg_file){ .path = n->path, .size = n->size, .mtime_s = down, .mode = n->mode };
    }
  s->n = s->tree.n;
  s->bytes = s->tree.bytes;
  s->files = s->tree.files;
  return 0;
}

static int
open_archive (lf_pkg_source *s, lf_error *err)
{
  struct stat st;
  if (fstat (s->fd, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, s->path, "", "cannot be read: %s", strerror (errno));
  s->is_zip = true;
  s->zip_bytes = st.st_size;
  if (lf_zip_read (s->fd, s->path, &s->zip, err) != 0)
    return -1;
  s->v = malloc ((s->zip.n + 1) * sizeof *s->v);
  if (!s->v)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < s->zip.n; i++)
    {
      const lf_zip_entry *e = &s->zip.v[i];
      mode_t kind = e->kind == LF_ZE_DIR ? S_IFDIR : e->kind == LF_ZE_LINK ? S_IFLNK : S_IFREG;
      s->v[i] = (lf_pkg_file){ .path = e->name, .size = (int64_t) e->size, .mtime_s = e->mtime_s, .mode = kind | e->mode, .crc = e->crc,
                               .index = e->index };
    }
  s->n = s->zip.n;
  s->bytes = s->zip.bytes;
  s->files = s->zip.files;
  return 0;
}

int
lf_pkg_source_open (const char *path, lf_pkg_source *s, lf_error *err)
{
  *s = (lf_pkg_source){ .fd = -1, .zip_bytes = LF_NONE };
  struct stat st;
  if (stat (path, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, path, errno == ENOENT ? "check the path; give a folder or a .zip file" : "", "cannot be opened: %s",
                    strerror (errno));
  if (!S_ISDIR (st.st_mode) && !S_ISREG (st.st_mode))
    return LF_FAIL (err, LF_EXIT_USAGE, path, "give a folder or a .zip file", "is neither a folder nor a file");
  s->path = lf_strdup (path);
  s->fd = open (path, O_RDONLY | O_CLOEXEC);
  if (!s->path || s->fd < 0)
    {
      int e = errno;
      lf_pkg_source_fini (s);
      return LF_FAIL (err, LF_EXIT_USAGE, path, "give yourself the right to read it", "cannot be opened: %s", strerror (e));
    }
  if ((S_ISDIR (st.st_mode) ? open_folder : open_archive) (s, err) != 0)
    {
      lf_pkg_source_fini (s);
      return -1;
    }
  return 0;
}

void
lf_pkg_source_fini (lf_pkg_source *s)
{
  if (!s)
    return;
  if (s->handle)
    zip_discard (s->handle);
  lf_closep (&s->fd);
  free (s->v);
  free (s->path);
  lf_pkg_tree_fini (&s->tree);
  lf_zip_fini (&s->zip);
  lf_image_fini (s->image);
  free (s->image);
  *s = (lf_pkg_source){ .fd = -1 };
}

static int
read_zipped (lf_pkg_source *s, const lf_pkg_file *f, size_t max, lf_buf *out, lf_error *err)
{
  char name[40];
  int code = 0;
  snprintf (name, sizeof name, "/proc/self/fd/%d", s->fd);
  if (!s->handle && !(s->handle = zip_open (name, ZIP_RDONLY, &code)))
    return LF_FAIL (err, LF_EXIT_USAGE, s->path, "copy, download or build it again", "the zip cannot be read (libzip error %d)", code);
  zip_file_t *z = zip_fopen_index (s->handle, f->index, 0);
  size_t left = (size_t) f->size < max ? (size_t) f->size : max;
  int r = z ? lf_buf_reserve (out, left) : -1;
  while (r == 0 && left)
    {
      char block[16384];
      zip_int64_t n = zip_fread (z, block, left < sizeof block ? left : sizeof block);
      r = n <= 0 ? -1 : lf_buf_add (out, block, (size_t) n);
      left -= n > 0 ? (size_t) n : 0;
    }
  if (z)
    zip_fclose (z);
  return r == 0 ? 0 : LF_FAIL (err, LF_EXIT_USAGE, s->path, "copy, download or build it again", "the zip is damaged at %.300s", f->path);
}

int
lf_pkg_source_read (lf_pkg_source *s, const lf_pkg_file *f, size_t max, lf_buf *out, lf_error *err)
{
  if (s->image)
    return f->data && lf_buf_add (out, f->data, f->data_n < max ? f->data_n : max) == 0
               ? 0
               : LF_FAIL (err, LF_EXIT_USAGE, s->path, "", "what is in %.300s was not kept", f->path);
  if (s->is_zip)
    return read_zipped (s, f, max, out, err);
  LF_CLEANUP (lf_closep) int fd = openat (s->fd, f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  size_t left = (size_t) f->size < max ? (size_t) f->size : max;
  int r = fd < 0 || lf_buf_reserve (out, left) != 0 ? -1 : 0;
  while (r == 0 && left)
    {
      char block[16384];
      ssize_t n = read (fd, block, left < sizeof block ? left : sizeof block);
      if (n < 0 && errno == EINTR)
        continue;
      if (n == 0)
        break;
      r = n < 0 ? -1 : lf_buf_add (out, block, (size_t) n);
      left -= n > 0 ? (size_t) n : 0;
    }
  return r == 0 ? 0 : LF_FAIL (err, LF_EXIT_USAGE, s->path, "give yourself the right to read it", "%.300s cannot be read: %s", f->path,
                               strerror (errno));
}

lf_pkg_file *
lf_pkg_source_find (const lf_pkg_source *s, const char *path)
{
  size_t lo = 0, hi = s->n;
  while (lo < hi)
    {
      size_t mid = lo + (hi - lo) / 2;
      int c = lf_pkg_path_cmp (s->v[mid].path, path);
      if (c == 0)
        return &s->v[mid];
      if (c < 0)
        lo = mid + 1;
      else
        hi = mid;
    }
  return NULL;
}
