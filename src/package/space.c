/* SPDX-License-Identifier: Apache-2.0
 *
 * What takes the space: every byte of every target is put into exactly one entry.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"
#include "imagefile.h"
#include "space.h"

#define TARGETS_MAX 64
#define DUPLICATE_MIN 65536      /* smaller copies are not worth an entry */
#define FILE_SHOWN_MIN 262144    /* files below this are part of their folder in the tree */
#define SAMPLE 4096
#define LIBRARY_MIN 1048576      /* a shared library that belongs to no package has an entry of its own from this size on */
#define ARCHIVE_MIN 262144       /* data files that happen to be packed are part of their package */

typedef struct target
{
  lf_pkg_source s;
  lf_dists dists;
  int64_t *owner;                /* package of each file, or -1 */
  uint8_t *duplicate;
  int64_t *strippable;           /* of each file: what strip would remove */
  pthread_t reader;              /* reads them, while the rest goes on */
  bool reading;
} target;

struct lf_space_impl
{
  target *t;
  size_t n;
  lf_pkg_map groups;
  lf_pkg_arena names;
  size_t cap, folders_cap;
};

/* ---- debug sections --------------------------------------------------------------------------------------------------------------- */

/* Bytes that strip would remove; the loader never reads them. */
static int64_t
strippable (const lf_pkg_source *s, const lf_pkg_file *f)
{
  if (!S_ISREG (f->mode) || f->size < 8192 || !(strstr (f->path, ".so") || lf_ends (f->path, ".node") || (f->mode & 0100)))
    return 0;
  LF_CLEANUP (lf_closep) int fd = openat (s->fd, f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  lf_elf e;
  const char *reason;
  if (fd < 0 || lf_elf_read (fd, true, &e, &reason) != LF_ELF_OK)
    return 0;
  return e.strippable_bytes < 4096 || e.strippable_bytes > f->size ? 0 : e.strippable_bytes;
}

static void *
read_strippable (void *arg)
{
  target *t = arg;
  for (size_t i = 0; i < t->s.n; i++)
    t->strippable[i] = strippable (&t->s, &t->s.v[i]);
  return NULL;
}

/* Small trees are done before a thread has started. */
static void
start_reading (target *t)
{
  if (t->s.is_zip || t->s.image)
    return; /* would mean unpacking */
  t->reading = t->s.n > 500 && pthread_create (&t->reader, NULL, read_strippable, t) == 0;
  if (!t->reading)
    read_strippable (t);
}

static void
end_reading (target *t)
{
  if (t->reading)
    pthread_join (t->reader, NULL);
  t->reading = false;
}

/* ---- duplicates ------------------------------------------------------------------------------------------------------------------- */

typedef struct sized { int64_t size; size_t target, file; } sized;

static int
sized_cmp (const void *a, const void *b)
{
  const sized *x = a, *y = b;
  if (x->size != y->size)
    return x->size < y->size ? -1 : 1;
  if (x->target != y->target)
    return x->target < y->target ? -1 : 1;
  return (x->file > y->file) - (x->file < y->file);
}

static int
block_at (const target *t, const lf_pkg_file *f, int fd, off_t at, char block[SAMPLE])
{
  (void) t;
  size_t n = f->size - at < SAMPLE ? (size_t) (f->size - at) : SAMPLE;
  return pread (fd, block, n, at) == (ssize_t) n ? (int) n : -1;
}

/* Equal content of two files of the same size. Both ends first: files that differ do so there, nearly always. */
static bool
same_content (const target *ta, const lf_pkg_file *a, const target *tb, const lf_pkg_file *b)
{
  if (ta->s.is_zip && tb->s.is_zip)
    return a->crc == b->crc;
  if (ta->s.is_zip || tb->s.is_zip || ta->s.image || tb->s.image)
    return false; /* would mean unpacking */
  LF_CLEANUP (lf_closep) int fa = openat (ta->s.fd, a->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  LF_CLEANUP (lf_closep) int fb = openat (tb->s.fd, b->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  char x[SAMPLE], y[SAMPLE];
  off_t last = (off_t) (a->size - SAMPLE);
  if (fa < 0 || fb < 0 || block_at (tb, b, fb, last, y) != block_at (ta, a, fa, last, x) || memcmp (x, y, SAMPLE) != 0)
    return false;
  struct stat sa, sb;
  if (fstat (fa, &sa) == 0 && fstat (fb, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev)
    return true;
  size_t big = (size_t) 1 << 18;
  LF_CLEANUP (lf_freep) char *buf = malloc (2 * big);
  for (off_t at = 0; buf && at < a->size; at += (off_t) big)
    {
      ssize_t n = pread (fa, buf, big, at), m = pread (fb, buf + big, big, at);
      if (n <= 0 || n != m || memcmp (buf, buf + big, (size_t) n) != 0)
        return false;
    }
  return buf != NULL;
}

static int
find_duplicates (struct lf_space_impl *im, lf_error *err)
{
  size_t total = 0, n = 0;
  for (size_t i = 0; i < im->n; i++)
    total += im->t[i].s.n;
  LF_CLEANUP (lf_freep) sized *v = malloc ((total + 1) * sizeof *v);
  if (!v)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < im->n; i++)
    for (size_t k = 0; k < im->t[i].s.n; k++)
      if (S_ISREG (im->t[i].s.v[k].mode) && im->t[i].s.v[k].size >= DUPLICATE_MIN)
        v[n++] = (sized){ .size = im->t[i].s.v[k].size, .target = i, .file = k };
  if (n)
    qsort (v, n, sizeof *v, sized_cmp);
  for (size_t i = 0; i < n; i++)
    {
      if (im->t[v[i].target].duplicate[v[i].file])
        continue;
      for (size_t k = i + 1; k < n && v[k].size == v[i].size && k - i < 1000; k++)
        if (!im->t[v[k].target].duplicate[v[k].file]
            && same_content (&im->t[v[i].target], &im->t[v[i].target].s.v[v[i].file], &im->t[v[k].target], &im->t[v[k].target].s.v[v[k].file]))
          im->t[v[k].target].duplicate[v[k].file] = 1;
    }
  return 0;
}

/* ---- entries ---------------------------------------------------------------------------------------------------------------------- */

typedef struct place { const char *name, *version, *hint, *path; size_t path_n; } place;

/* Shrinks path[0..n) to the folder it shares with other. */
static size_t
shared_folder (const char *path, size_t n, const char *other)
{
  size_t i = 0, last = 0;
  while (i < n && path[i] == other[i])
    {
      if (path[i] == '/')
        last = i;
      i++;
    }
  return i == n && (other[n] == '/' || other[n] == '\0') ? n : last;
}

static lf_space_entry *
entry_of (lf_space *out, const char *key, size_t key_n, bool *fresh, lf_error *err)
{
  struct lf_space_impl *im = out->impl;
  int64_t *at = lf_pkg_map_get (&im->groups, key, key_n);
  *fresh = !at;
  if (at)
    return &out->entries[*at];
  if (out->n == im->cap)
    {
      size_t cap = im->cap ? im->cap * 2 : 64;
      lf_space_entry *v = realloc (out->entries, cap * sizeof *v);
      if (!v)
        {
          LF_FAIL_NOMEM (err);
          return NULL;
        }
      out->entries = v;
      im->cap = cap;
    }
  char *kept = lf_pkg_arena_dup (&im->names, key, key_n);
  at = kept ? lf_pkg_map_add (&im->groups, kept, key_n) : NULL;
  if (!at)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  *at = (int64_t) out->n;
  out->entries[out->n] = (lf_space_entry){ 0 };
  return &out->entries[out->n++];
}

static int
add_bytes (lf_space *out, size_t ti, const place *p, const char *group, lf_space_kind kind, int64_t bytes, int64_t files, lf_error *err)
{
  char key[700];
  bool fresh;
  int n = snprintf (key, sizeof key, "%zu %d %.600s", ti, (int) kind, group);
  lf_space_entry *e = entry_of (out, key, (size_t) n < sizeof key ? (size_t) n : sizeof key - 1, &fresh, err);
  if (!e)
    return -1;
  lf_pkg_arena *a = &out->impl->names;
  if (fresh)
    {
      *e = (lf_space_entry){ .kind = kind, .target = (int) ti, .path = lf_pkg_arena_dup (a, p->path, p->path_n),
                             .name = lf_pkg_arena_dup (a, p->name, strlen (p->name)),
                             .version = p->version ? lf_pkg_arena_dup (a, p->version, strlen (p->version)) : NULL,
                             .hint = p->hint ? lf_pkg_arena_dup (a, p->hint, strlen (p->hint)) : NULL };
      if (!e->path || !e->name)
        return LF_FAIL_NOMEM (err);
    }
  else if (kind != LF_SPACE_PACKAGE && kind != LF_SPACE_ARCHIVE)
    ((char *) (uintptr_t) e->path)[shared_folder (e->path, strlen (e->path), p->path)] = '\0';
  e->bytes += bytes;
  e->files += files;
  return 0;
}

static const char *
kind_hint (lf_space_kind k)
{
  switch (k)
    {
    case LF_SPACE_TESTS: return "not needed to run; leave out after trying";
    case LF_SPACE_HEADERS: return "for compiling only; leave out";
    case LF_SPACE_DEBUG: return "for debuggers: leave out, or strip --strip-unneeded the library";
    case LF_SPACE_CUDA: return "Lambda has no GPU: install the CPU build";
    case LF_SPACE_ARCHIVE: return "a packed file inside the package";
    case LF_SPACE_DUPLICATE: return "the same bytes are here more than once";
    default: return NULL;
    }
}

static int
add_file (lf_space *out, size_t ti, size_t fi, lf_arch arch, lf_error *err)
{
  target *t = &out->impl->t[ti];
  const lf_pkg_file *f = &t->s.v[fi];
  int64_t owner = t->owner[fi];
  const lf_dist *d = owner >= 0 ? &t->dists.v[owner] : NULL;
  const char *base = strrchr (f->path, '/');
  size_t dir_n = base ? (size_t) (base - f->path) : 0;
  base = base ? base + 1 : f->path;
  lf_space_kind kind = t->duplicate[fi] ? LF_SPACE_DUPLICATE : lf_space_kind_of (f->path, d ? d->name : NULL);
  if (kind == LF_SPACE_ARCHIVE && f->size < ARCHIVE_MIN)
    kind = LF_SPACE_PACKAGE;
  char foreign[64], group[640], hint[120];
  size_t first_n = strcspn (f->path, "/");
  place p = { .path = f->path, .path_n = dir_n, .hint = kind_hint (kind) };
  char top[256];
  snprintf (top, sizeof top, "%.*s", (int) first_n, dir_n ? f->path : ".");
  p.name = d ? d->name : top;
  p.version = d ? d->version : NULL;
  snprintf (group, sizeof group, "%lld %.300s", (long long) owner, d ? "" : top);
  if (kind == LF_SPACE_ARCHIVE)
    {
      p.name = base, p.version = NULL, p.path_n = strlen (f->path);
      snprintf (group, sizeof group, "%.600s", f->path);
    }
  else if ((kind == LF_SPACE_PACKAGE || kind == LF_SPACE_DUPLICATE) && lf_space_foreign (f->path, arch, foreign))
    {
      kind = LF_SPACE_OTHER;
      snprintf (group, sizeof group, "%lld foreign %s", (long long) owner, foreign);
      snprintf (hint, sizeof hint, "for %s, not for Lambda on %s: leave out", foreign, lf_arch_name (arch));
      p.hint = hint;
    }
  else if (kind == LF_SPACE_PACKAGE && !d)
    {
      kind = LF_SPACE_OTHER;
      if (dir_n == 0)
        p.path = ".", p.path_n = 1;
      if (f->size >= LIBRARY_MIN && strstr (base, ".so"))
        {
          p.name = base, p.path = f->path, p.path_n = strlen (f->path);
          snprintf (group, sizeof group, "%.600s", f->path);
        }
    }
  else if (kind == LF_SPACE_PACKAGE)
    { /* its folder on the search path; which one is settled by the largest file, see below */
      size_t root_n = strlen (d->root);
      p.path_n = root_n + (root_n != 0) + strcspn (f->path + root_n + (root_n != 0), "/");
    }
  int64_t drop = kind == LF_SPACE_PACKAGE || kind == LF_SPACE_OTHER ? t->strippable[fi] : 0;
  if (add_bytes (out, ti, &p, group, kind, f->size - drop, 1, err) != 0)
    return -1;
  p.hint = kind_hint (LF_SPACE_DEBUG);
  p.path_n = strlen (f->path);
  return drop ? add_bytes (out, ti, &p, group, LF_SPACE_DEBUG, drop, 0, err) : 0;
}

/* A package's entry shows the folder with its largest file, and not "bin" or its metadata. */
static int
settle_paths (lf_space *out, lf_error *err)
{
  struct lf_space_impl *im = out->impl;
  for (size_t i = 0; i < im->n; i++)
    {
      target *t = &im->t[i];
      LF_CLEANUP (lf_freep) size_t *largest = calloc (t->dists.n + 1, sizeof *largest); /* file + 1 */
      if (!largest)
        return LF_FAIL_NOMEM (err);
      for (size_t k = 0; k < t->s.n; k++)
        if (t->owner[k] >= 0 && S_ISREG (t->s.v[k].mode) && !strstr (t->s.v[k].path, "-info/")
            && (!largest[t->owner[k]] || t->s.v[k].size > t->s.v[largest[t->owner[k]] - 1].size))
          largest[t->owner[k]] = k + 1;
      for (size_t k = 0; k < t->dists.n; k++)
        {
          char key[100];
          int n = snprintf (key, sizeof key, "%zu %d %zu ", i, (int) LF_SPACE_PACKAGE, k);
          int64_t *at = largest[k] ? lf_pkg_map_get (&im->groups, key, (size_t) n) : NULL;
          if (!at)
            continue;
          const char *path = t->s.v[largest[k] - 1].path;
          size_t root_n = strlen (t->dists.v[k].root), from = root_n + (root_n != 0);
          /* a scoped or nested package keeps the folder it was found by */
          size_t end = from + strcspn (path + from, "/");
          LF_CLEANUP (lf_freep) char *own = lf_asprintf ("%.*s%s%s", (int) root_n, path, root_n ? "/" : "", t->dists.v[k].name);
          if (own && lf_pkg_source_find (&t->s, own))
            path = own, end = strlen (own); /* "numpy" rather than "numpy.libs", where its largest file is */
          if (path[from] == '@' && path[end] == '/')
            end += 1 + strcspn (path + end + 1, "/");
          out->entries[*at].path = lf_pkg_arena_dup (&im->names, path, end);
          if (!out->entries[*at].path)
            return LF_FAIL_NOMEM (err);
        }
    }
  return 0;
}

/* ---- folders ---------------------------------------------------------------------------------------------------------------------- */

static int
add_folder (lf_space *out, const char *path, size_t n, int depth, size_t ti, size_t parent, bool is_file, lf_error *err)
{
  struct lf_space_impl *im = out->impl;
  if (out->folders_n == im->folders_cap)
    {
      size_t cap = im->folders_cap ? im->folders_cap * 2 : 256;
      lf_space_folder *v = realloc (out->folders, cap * sizeof *v);
      if (!v)
        return LF_FAIL_NOMEM (err);
      out->folders = v;
      im->folders_cap = cap;
    }
  char *kept = lf_pkg_arena_dup (&im->names, path, n);
  if (!kept)
    return LF_FAIL_NOMEM (err);
  out->folders[out->folders_n++] = (lf_space_folder){ .path = kept, .depth = depth, .target = (int) ti, .parent = parent, .is_file = is_file };
  return 0;
}

/* Files are sorted, so the open folders are a stack. */
static int
read_folders (lf_space *out, size_t ti, lf_error *err)
{
  target *t = &out->impl->t[ti];
  size_t stack[LF_PKG_DEPTH_MAX + 2], ends[LF_PKG_DEPTH_MAX + 2];
  int depth = 0;
  if (add_folder (out, t->s.path, strlen (t->s.path), 0, ti, SIZE_MAX, false, err) != 0)
    return -1;
  stack[0] = out->folders_n - 1;
  ends[0] = 0;
  const char *at = "";
  for (size_t i = 0; i < t->s.n; i++)
    {
      const lf_pkg_file *f = &t->s.v[i];
      if (!S_ISREG (f->mode))
        continue;
      while (depth > 0 && !(strncmp (f->path, at, ends[depth]) == 0 && f->path[ends[depth]] == '/'))
        depth--;
      for (const char *s; (s = strchr (f->path + ends[depth] + (depth > 0), '/')) && depth < LF_PKG_DEPTH_MAX;)
        {
          size_t n = (size_t) (s - f->path);
          if (add_folder (out, f->path, n, depth + 1, ti, stack[depth], false, err) != 0)
            return -1;
          depth++;
          stack[depth] = out->folders_n - 1;
          ends[depth] = n;
        }
      at = f->path;
      for (int k = 0; k <= depth; k++)
        {
          out->folders[stack[k]].bytes += f->size;
          out->folders[stack[k]].files++;
        }
      if (f->size >= FILE_SHOWN_MIN)
        {
          if (add_folder (out, f->path, strlen (f->path), depth + 1, ti, stack[depth], true, err) != 0)
            return -1;
          out->folders[out->folders_n - 1].bytes = f->size;
          out->folders[out->folders_n - 1].files = 1;
        }
    }
  return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------------- */

static int
open_target (lf_space *out, const char *path, lf_arch arch, target *t, lf_error *err)
{
  if ((lf_image_is (path) ? lf_pkg_source_open_image (path, arch, &t->s, err) : lf_pkg_source_open (path, &t->s, err)) != 0)
    return -1;
  t->owner = malloc ((t->s.n + 1) * sizeof *t->owner);
  t->duplicate = calloc (t->s.n + 1, 1);
  t->strippable = calloc (t->s.n + 1, sizeof *t->strippable);
  if (!t->owner || !t->duplicate || !t->strippable)
    return LF_FAIL_NOMEM (err);
  start_reading (t);
  if (lf_dists_read (&t->s, &t->dists, err) != 0)
    return -1;
  for (size_t i = 0; i < t->s.n; i++)
    {
      t->owner[i] = S_ISREG (t->s.v[i].mode) ? lf_dists_owner (&t->s, &t->dists, t->s.v[i].path) : -1;
      if (t->owner[i] == -2)
        return LF_FAIL_NOMEM (err);
    }
  out->unzipped_bytes += t->s.bytes;
  out->files += t->s.files;
  out->zipped_bytes = t->s.is_zip && out->zipped_bytes != LF_NONE ? out->zipped_bytes + t->s.zip_bytes : LF_NONE;
  if (t->s.is_zip && (out->largest_zip == LF_NONE || t->s.zip_bytes > out->largest_zip))
    out->largest_zip = t->s.zip_bytes;
  return 0;
}

/* ---- images -------------------------------------------------------------------------------------------------------------------------- */

/* An image stands alone: its limit is one of its own. */
static int
take_image (lf_space *out, lf_error *err)
{
  struct lf_space_impl *im = out->impl;
  const lf_image *image = NULL;
  for (size_t i = 0; i < im->n && !image; i++)
    image = im->t[i].s.image;
  if (!image)
    return 0;
  if (im->n > 1)
    return LF_FAIL (err, LF_EXIT_USAGE, image->what, "measure it alone: an image has no layers of Lambda's beside it", "is a container image");
  out->layers = calloc (image->layers_n, sizeof *out->layers);
  if (!out->layers)
    return LF_FAIL_NOMEM (err);
  out->is_image = true;
  for (size_t i = 0; i < image->layers_n; i++)
    {
      const lf_image_layer *l = &image->layers[i];
      out->layers[out->layers_n++] = (lf_space_layer){ .name = l->name, .made_by = l->made_by, .bytes = l->bytes, .hidden_bytes = l->hidden_bytes, .files = l->files };
    }
  return 0;
}

/* What no file that is seen has: files that a later layer replaces or deletes, and what the layers' archives need for themselves. */
static int
add_layers (lf_space *out, lf_error *err)
{
  const lf_image *image = out->is_image ? out->impl->t[0].s.image : NULL;
  int64_t rest = image ? image->bytes : 0;
  for (size_t i = 0; image && i < image->layers_n; i++)
    {
      const lf_image_layer *l = &image->layers[i];
      rest -= l->file_bytes;
      for (size_t k = 0; k < l->n; k++)
        {
          char name[40], group[300];
          const char *path = l->v[k].path, *slash = strrchr (path, '/');
          snprintf (name, sizeof name, "layer %zu", i + 1);
          snprintf (group, sizeof group, "hidden %zu %.*s", i, (int) (strcspn (path, "/") < 200 ? strcspn (path, "/") : 200), path);
          place p = { .name = name, .hint = "a later layer deletes or replaces it, but it counts: delete it in the RUN that makes it", .path = path,
                      .path_n = slash ? (size_t) (slash - path) : 0 };
          if (l->v[k].hidden && l->v[k].size > 0 && add_bytes (out, 0, &p, group, LF_SPACE_HIDDEN, l->v[k].size, 1, err) != 0)
            return -1;
        }
    }
  place p = { .name = "layers' archives", .hint = "names, rights and padding of files in the layers", .path = ".", .path_n = 1 };
  return rest > 0 ? add_bytes (out, 0, &p, "archives", LF_SPACE_OTHER, rest, 0, err) : 0;
}

static int
largest_first (const void *a, const void *b)
{
  const lf_space_entry *x = a, *y = b;
  if (x->bytes != y->bytes)
    return x->bytes > y->bytes ? -1 : 1;
  if (x->target != y->target)
    return x->target < y->target ? -1 : 1;
  int c = strcmp (x->path, y->path);
  return c ? c : (int) x->kind - (int) y->kind;
}

static int
measure (const lf_strv *targets, lf_arch arch, lf_space *out, lf_error *err)
{
  struct lf_space_impl *im = out->impl;
  for (size_t i = 0; i < targets->n; i++, im->n++)
    if (open_target (out, targets->v[i], arch, &im->t[i], err) != 0)
      {
        im->n++;
        return -1;
      }
  if (take_image (out, err) != 0 || find_duplicates (im, err) != 0)
    return -1;
  for (size_t i = 0; i < im->n; i++)
    end_reading (&im->t[i]);
  for (size_t i = 0; i < im->n; i++)
    for (size_t k = 0; k < im->t[i].s.n; k++)
      if (S_ISREG (im->t[i].s.v[k].mode) && add_file (out, i, k, arch, err) != 0)
        return -1;
  if (add_layers (out, err) != 0 || settle_paths (out, err) != 0)
    return -1;
  for (size_t i = 0; i < out->n; i++)
    if (!out->entries[i].path[0])
      out->entries[i].path = ".";
  for (size_t i = 0; i < im->n; i++)
    if (read_folders (out, i, err) != 0)
      return -1;
  if (out->n)
    qsort (out->entries, out->n, sizeof *out->entries, largest_first);
  return 0;
}

int
lf_space_measure (const lf_strv *targets, lf_arch arch, lf_space *out, lf_error *err)
{
  *out = (lf_space){ .zipped_bytes = 0, .largest_zip = LF_NONE };
  if (targets->n == 0 || targets->n > TARGETS_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "layer size", "give at least one folder or .zip file", targets->n ? "%zu targets are too many" : "no target",
                    targets->n);
  out->impl = calloc (1, sizeof *out->impl);
  if (!out->impl || !(out->impl->t = calloc (targets->n, sizeof *out->impl->t)))
    {
      lf_space_fini (out);
      return LF_FAIL_NOMEM (err);
    }
  for (size_t i = 0; i < targets->n; i++)
    out->impl->t[i].s.fd = -1;
  if (measure (targets, arch, out, err) != 0)
    {
      lf_space_fini (out);
      return -1;
    }
  return 0;
}

void
lf_space_fini (lf_space *s)
{
  if (!s)
    return;
  struct lf_space_impl *im = s->impl;
  for (size_t i = 0; im && im->t && i < im->n; i++)
    {
      end_reading (&im->t[i]);
      lf_pkg_source_fini (&im->t[i].s);
      lf_dists_fini (&im->t[i].dists);
      free (im->t[i].owner);
      free (im->t[i].duplicate);
      free (im->t[i].strippable);
    }
  if (im)
    {
      free (im->t);
      lf_pkg_map_fini (&im->groups);
      lf_pkg_arena_fini (&im->names);
      free (im);
    }
  free (s->entries);
  free (s->folders);
  free (s->layers);
  *s = (lf_space){ 0 };
}
