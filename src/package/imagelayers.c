/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of an image: what is in each, and what of it is still seen when all of them lie over each other.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imagefile.h"

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
#define KEPT_MAX ((int64_t) 16 << 20)  /* content of one file */
#define KEPT_ALL (INT64_C (96) << 20)  /* of all of them */

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

/* What tells which package a file belongs to. */
static bool
is_wanted (const char *path)
{
  return lf_ends (path, "-info/RECORD") || lf_ends (path, "-info/top_level.txt") || (lf_ends (path, "/package.json") && strstr (path, "node_modules/"));
}

static lf_image_entry *
add_entry (lf_image *im, lf_image_layer *l, size_t name_n, lf_error *err)
{
  im->name_bytes += name_n;
  if (++im->entries > LF_IMAGE_ENTRIES_MAX || im->name_bytes > LF_IMAGE_NAMES_MAX)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, im->what, "leave files out", "the image has more than %d files and folders, or %zu MB of names", LF_IMAGE_ENTRIES_MAX, LF_IMAGE_NAMES_MAX >> 20);
      return NULL;
    }
  if (l->n == l->cap)
    {
      size_t cap = l->cap ? l->cap * 2 : 64;
      lf_image_entry *v = realloc (l->v, cap * sizeof *v);
      if (!v)
        {
          (void) LF_FAIL_NOMEM (err);
          return NULL;
        }
      l->v = v;
      l->cap = cap;
    }
  lf_image_entry *e = &l->v[l->n++];
  *e = (lf_image_entry){ .path = "" };
  return e;
}

/* Sets kind and path; a whiteout's path is that of what it deletes. */
static int
name_entry (lf_image *im, const lf_tar *t, lf_image_entry *e, lf_error *err)
{
  const char *slash = strrchr (t->path, '/'), *base = slash ? slash + 1 : t->path;
  size_t dir_n = slash ? (size_t) (slash - t->path) : 0;
  e->kind = t->type == '0' ? LF_IE_FILE : t->type == '5' ? LF_IE_FOLDER : LF_IE_LINK;
  if (strcmp (base, OPAQUE) == 0)
    {
      e->kind = LF_IE_HIDES;
      e->path = lf_pkg_arena_dup (&im->names, t->path, dir_n);
    }
  else if (lf_starts (base, WHITEOUT) && base[strlen (WHITEOUT)])
    {
      e->kind = LF_IE_GONE;
      char *path = lf_pkg_arena_dup (&im->names, t->path, strlen (t->path) - strlen (WHITEOUT));
      if (path)
        strcpy (path + (base - t->path), base + strlen (WHITEOUT));
      e->path = path;
    }
  else
    e->path = lf_pkg_arena_dup (&im->names, t->path, strlen (t->path));
  e->size = e->kind == LF_IE_FILE ? t->size : 0;
  return e->path ? 0 : LF_FAIL_NOMEM (err);
}

static int
keep_content (lf_image *im, lf_tar *t, lf_image_entry *e, lf_error *err)
{
  if (e->kind != LF_IE_FILE || e->size == 0 || e->size > KEPT_MAX || !is_wanted (e->path) || im->kept_bytes + e->size > KEPT_ALL)
    return 0;
  char *data = lf_pkg_arena_alloc (&im->names, (size_t) e->size);
  if (!data)
    return LF_FAIL_NOMEM (err);
  if (lf_tar_read (t, data, (size_t) e->size) != e->size)
    return 0; /* the next member says that it is cut off */
  im->kept_bytes += e->size;
  e->data = data;
  e->data_n = (uint32_t) e->size;
  return 0;
}

static int
check_total (const lf_image *im, int64_t more, lf_error *err)
{
  if (im->bytes + more <= LF_IMAGE_BYTES_MAX)
    return 0;
  return LF_FAIL (err, LF_EXIT_FAILED, im->what, "make a smaller one: a smaller base, a second stage, CPU builds of libraries",
                  "the image unpacks to more than %lld GB, where reading it was given up", (long long) (LF_IMAGE_BYTES_MAX >> 30));
}

/* To the end of what the layer unpacks to: tars are filled up with zeros. */
static int
drain (const lf_image *im, lf_pkg_stream *s, lf_error *err)
{
  unsigned char block[16384];
  int64_t got;
  while ((got = lf_pkg_stream_read (s, block, sizeof block)) > 0)
    if (check_total (im, s->read, err) != 0)
      return -1;
  return got == 0 ? 0 : LF_FAIL (err, LF_EXIT_USAGE, im->what, "copy, download or save it again", "a layer is damaged: %s", s->why ? s->why : "it cannot be read");
}

int
lf_image_read_layer (lf_image *im, size_t layer, lf_pkg_stream *s, lf_error *err)
{
  lf_image_layer *l = &im->layers[layer];
  lf_tar t LF_CLEANUP (lf_tar_fini) = { .s = s, .what = im->what };
  int rc;
  l->bytes = 0;
  while ((rc = lf_tar_next (&t, err)) > 0)
    {
      lf_image_entry *e = NULL;
      if (check_total (im, s->read + t.size, err) != 0)
        return -1;
      if (!*t.path)
        continue;
      e = add_entry (im, l, strlen (t.path), err);
      if (!e || name_entry (im, &t, e, err) != 0 || keep_content (im, &t, e, err) != 0)
        return -1;
      l->files += e->kind == LF_IE_FILE;
      l->file_bytes += e->size;
    }
  if (rc < 0 || drain (im, s, err) != 0)
    return -1;
  l->bytes = s->read;
  im->bytes += l->bytes;
  return 0;
}

/* ---- one over the other --------------------------------------------------------------------------------------------------------------- */

/* Is the path, or a folder that it lies in, among those? */
static bool
covered (const lf_pkg_map *gone, const char *path)
{
  size_t n = strlen (path);
  if (gone->n == 0)
    return false;
  for (size_t i = 0; i <= n; i++)
    if ((i == n || path[i] == '/') && lf_pkg_map_get (gone, path, i))
      return true;
  return false;
}

static bool
add_path (lf_pkg_map *m, const char *path)
{
  int64_t *v = lf_pkg_map_add (m, path, strlen (path));
  if (v)
    *v = 1;
  return v != NULL;
}

/* Of an opaque folder all that lies below it, but the folder itself stays: as a path that ends in a slash. */
static bool
below_opaque (const lf_pkg_map *opaque, const char *path)
{
  if (opaque->n == 0)
    return false;
  if (lf_pkg_map_get (opaque, "", 0))
    return true;
  for (const char *s = strchr (path, '/'); s; s = strchr (s + 1, '/'))
    if (lf_pkg_map_get (opaque, path, (size_t) (s - path)))
      return true;
  return false;
}

/* From the last layer to the first: what an upper one has, or deletes, a lower one's does not show. */
int
lf_image_hide (lf_image *im, lf_error *err)
{
  lf_pkg_map seen = { 0 }, gone = { 0 }, opaque = { 0 };
  bool ok = true;
  for (size_t i = im->layers_n; i-- > 0 && ok;)
    {
      lf_image_layer *l = &im->layers[i];
      for (size_t k = l->n; k-- > 0 && ok;)
        {
          lf_image_entry *e = &l->v[k];
          if (e->kind > LF_IE_LINK)
            continue;
          e->hidden = (e->kind != LF_IE_FOLDER && lf_pkg_map_get (&seen, e->path, strlen (e->path))) || covered (&gone, e->path) || below_opaque (&opaque, e->path);
          if (e->hidden)
            l->hidden_bytes += e->size;
          else
            ok = add_path (&seen, e->path);
        }
      for (size_t k = 0; k < l->n && ok; k++)
        if (l->v[k].kind != LF_IE_FOLDER) /* a file stands in the way of a folder of the same name */
          ok = add_path (l->v[k].kind == LF_IE_HIDES ? &opaque : &gone, l->v[k].path);
    }
  lf_pkg_map_fini (&seen);
  lf_pkg_map_fini (&gone);
  lf_pkg_map_fini (&opaque);
  return ok ? 0 : LF_FAIL_NOMEM (err);
}

/* ---- as a source of files ------------------------------------------------------------------------------------------------------------- */

static int
by_path (const void *a, const void *b)
{
  return lf_pkg_path_cmp (((const lf_pkg_file *) a)->path, ((const lf_pkg_file *) b)->path);
}

static int
list_files (lf_pkg_source *s, lf_error *err)
{
  const lf_image *im = s->image;
  size_t n = 0;
  s->v = malloc ((im->entries + 1) * sizeof *s->v);
  if (!s->v)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < im->layers_n; i++)
    for (size_t k = 0; k < im->layers[i].n; k++)
      {
        const lf_image_entry *e = &im->layers[i].v[k];
        if (e->hidden || (e->kind != LF_IE_FILE && e->kind != LF_IE_LINK))
          continue;
        s->v[n++] = (lf_pkg_file){ .path = e->path, .size = e->size, .mode = (e->kind == LF_IE_FILE ? S_IFREG : S_IFLNK) | 0644, .data = e->data, .data_n = e->data_n };
        s->files += e->kind == LF_IE_FILE;
      }
  if (n > 0)
    qsort (s->v, n, sizeof *s->v, by_path);
  s->n = n;
  s->bytes = im->bytes;
  return 0;
}

int
lf_pkg_source_open_image (const char *path, lf_arch arch, lf_pkg_source *s, lf_error *err)
{
  *s = (lf_pkg_source){ .fd = -1, .zip_bytes = LF_NONE };
  s->path = lf_strdup (path);
  s->image = calloc (1, sizeof *s->image);
  int rc = s->path && s->image ? 0 : LF_FAIL_NOMEM (err);
  if (rc == 0)
    rc = lf_image_read (s->path, arch, s->image, err);
  if (rc == 0)
    rc = list_files (s, err);
  if (rc != 0)
    lf_pkg_source_fini (s);
  return rc;
}
