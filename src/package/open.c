/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening a package: a folder is used where it is, a zip is unpacked into the cache once.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "internal.h"

void
lf_package_fini (lf_package *p)
{
  if (!p)
    return;
  if (p->is_zip)
    lf_cache_release (p->dir);
  free (p->source);
  free (p->dir);
  *p = (lf_package){ 0 };
}

static int
open_dir (const char *target, int64_t max_bytes, lf_package *out, char hex[65], lf_error *err)
{
  lf_pkg_tree t;
  if (lf_pkg_tree_read (target, false, &t, err) != 0)
    return -1;
  int r = 0;
  if (t.files == 0)
    r = LF_FAIL (err, LF_EXIT_USAGE, target, "put the function's files in it, or give another folder",
                 t.n ? "the folder holds folders but no files" : "the folder is empty");
  else
    r = lf_pkg_too_big (target, t.bytes, max_bytes, err) != 0 || lf_pkg_tree_sha (target, &t, hex, err) != 0 ? -1 : 0;
  out->unzipped_bytes = t.bytes;
  out->files = t.files;
  out->zip_bytes = LF_NONE;
  lf_pkg_tree_fini (&t);
  if (r == 0 && !(out->dir = realpath (target, NULL)))
    r = LF_FAIL (err, LF_EXIT_USAGE, target, "", "cannot be resolved: %s", strerror (errno));
  return r;
}

static int
unpack (const char *target, int fd, const char *hex, int64_t max_bytes, lf_package *out, lf_error *err)
{
  lf_zip z;
  lf_pkg_build b = { .lock = -1 };
  int r = lf_zip_read (fd, target, &z, err);
  if (r == 0)
    r = lf_pkg_too_big (target, z.bytes, max_bytes, err);
  if (r == 0)
    r = lf_pkg_cache_begin ("packages", &b, err);
  if (r == 0)
    {
      lf_pkg_meta m = { .bytes = z.bytes, .files = z.files };
      out->unzipped_bytes = m.bytes;
      out->files = m.files;
      r = lf_zip_unpack (fd, &z, b.root, max_bytes, err);
      if (r == 0)
        r = lf_pkg_cache_publish ("packages", hex, &m, &b, &out->dir, err);
      else
        lf_pkg_cache_abort (&b);
    }
  lf_zip_fini (&z);
  return r;
}

static int
open_zip (const char *target, int64_t max_bytes, lf_package *out, char hex[65], lf_error *err)
{
  LF_CLEANUP (lf_closep) int fd = open (target, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, target, "give yourself the right to read it", "cannot be opened: %s", strerror (errno));
  out->is_zip = true;
  out->zip_bytes = st.st_size;
  if (lf_pkg_file_sha (fd, target, hex, err) != 0)
    return -1;
  lf_pkg_meta m;
  if (!lf_pkg_cache_find ("packages", hex, &out->dir, &m))
    return unpack (target, fd, hex, max_bytes, out, err);
  out->unzipped_bytes = m.bytes;
  out->files = m.files;
  return lf_pkg_too_big (target, m.bytes, max_bytes, err);
}

int
lf_pkg_open_hex (const char *target, int64_t max_bytes, lf_package *out, char hex[65], lf_error *err)
{
  *out = (lf_package){ .zip_bytes = LF_NONE };
  struct stat st;
  if (!target || !*target)
    return LF_FAIL (err, LF_EXIT_USAGE, "package", "give a folder or a .zip file", "no path was given");
  if (stat (target, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, target, errno == ENOENT ? "check the path; give a folder or a .zip file" : "", "cannot be opened: %s",
                    strerror (errno));
  if (!S_ISDIR (st.st_mode) && !S_ISREG (st.st_mode))
    return LF_FAIL (err, LF_EXIT_USAGE, target, "give a folder or a .zip file", "is neither a folder nor a file");
  if (lf_image_refuse (target, err) != 0)
    return -1;
  int r = S_ISDIR (st.st_mode) ? open_dir (target, max_bytes, out, hex, err) : open_zip (target, max_bytes, out, hex, err);
  if (r == 0 && !(out->source = lf_strdup (target)))
    r = LF_FAIL_NOMEM (err);
  if (r == 0)
    lf_pkg_hex_to_base64 (hex, out->sha256);
  else
    lf_package_fini (out);
  return r;
}

int
lf_package_open (const char *target, int64_t max_bytes, lf_package *out, lf_error *err)
{
  char hex[65];
  return lf_pkg_open_hex (target, max_bytes, out, hex, err);
}
