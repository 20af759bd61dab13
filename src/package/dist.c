/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dist.h"

#define RECORD_MAX ((size_t) 32 << 20)
#define JSON_MAX ((size_t) 256 << 10)
#define DISTS_MAX 20000

static int64_t
add_dist (lf_dists *d, const char *name, size_t name_n, const char *version, size_t version_n, const char *root, size_t root_n)
{
  if (d->n == d->cap)
    {
      size_t cap = d->cap ? d->cap * 2 : 32;
      lf_dist *v = realloc (d->v, cap * sizeof *v);
      if (!v)
        return -2;
      d->v = v;
      d->cap = cap;
    }
  lf_dist x = { .name = lf_pkg_arena_dup (&d->names, name, name_n), .root = lf_pkg_arena_dup (&d->names, root, root_n),
                .version = version ? lf_pkg_arena_dup (&d->names, version, version_n) : NULL };
  if (!x.name || !x.root || (version && !x.version))
    return -2;
  d->v[d->n] = x;
  return (int64_t) d->n++;
}

static int
claim (lf_dists *d, lf_pkg_map *m, const char *root, size_t root_n, const char *p, size_t n, int64_t who)
{
  size_t total = root_n + (root_n != 0) + n;
  char key[LF_PKG_NAME_MAX + 1];
  if (total > LF_PKG_NAME_MAX)
    return 0;
  memcpy (key, root, root_n);
  if (root_n)
    key[root_n] = '/';
  memcpy (key + total - n, p, n);
  if (lf_pkg_map_get (m, key, total))
    return 0; /* the first who says so owns it */
  char *kept = lf_pkg_arena_dup (&d->names, key, total);
  int64_t *v = kept ? lf_pkg_map_add (m, kept, total) : NULL;
  if (!v)
    return -1;
  *v = who;
  return 0;
}

/* Each line of a RECORD is "path,hash,size". */
static int
take_record (lf_dists *d, const lf_buf *b, const char *root, size_t root_n, int64_t who)
{
  const char *p = b->data, *end = p + b->len;
  const char *last = NULL;
  size_t last_n = 0;
  while (p < end)
    {
      const char *nl = memchr (p, '\n', (size_t) (end - p)), *stop = nl ? nl : end;
      bool quoted = *p == '"';
      const char *from = p + quoted, *to = memchr (from, quoted ? '"' : ',', (size_t) (stop - from));
      size_t n = to ? (size_t) (to - from) : 0;
      p = stop + 1;
      if (n == 0 || from[0] == '/' || (n > 2 && memcmp (from, "..", 2) == 0))
        continue;
      const char *slash = memrchr (from, '/', n);
      size_t dir_n = slash ? (size_t) (slash - from) : 0;
      if (!slash ? claim (d, &d->files, root, root_n, from, n, who) != 0
                 : !(last && last_n == dir_n && memcmp (last, from, dir_n) == 0) && claim (d, &d->dirs, root, root_n, from, dir_n, who) != 0)
        return -1;
      last = slash ? from : NULL;
      last_n = dir_n;
    }
  return 0;
}

static int
take_top_level (lf_dists *d, const lf_buf *b, const char *root, size_t root_n, int64_t who)
{
  const char *p = b->data, *end = p + b->len;
  while (p < end)
    {
      const char *nl = memchr (p, '\n', (size_t) (end - p)), *stop = nl ? nl : end;
      size_t n = (size_t) (stop - p);
      while (n && isspace ((unsigned char) p[n - 1]))
        n--;
      char file[300];
      if (n && n < 250)
        {
          memcpy (file, p, n);
          memcpy (file + n, ".py", 4);
          if (claim (d, &d->dirs, root, root_n, p, n, who) != 0 || claim (d, &d->files, root, root_n, file, n + 3, who) != 0)
            return -1;
        }
      p = stop + 1;
    }
  return 0;
}

/* "numpy-1.24.2.dist-info": the version starts at the last '-' that a digit follows. */
static void
split_info (const char *base, size_t n, size_t *name_n, const char **version, size_t *version_n)
{
  *name_n = n;
  *version = NULL;
  *version_n = 0;
  for (size_t i = 1; i + 1 < n; i++)
    if (base[i] == '-' && isdigit ((unsigned char) base[i + 1]))
      {
        *name_n = i;
        *version = base + i + 1;
        *version_n = n - i - 1;
      }
  /* setuptools adds the Python version to eggs: "x-1.0-py3.11" */
  for (size_t i = 0; *version && i + 3 < *version_n; i++)
    if (memcmp (*version + i, "-py", 3) == 0)
      *version_n = i;
}

static int
read_info (lf_pkg_source *s, lf_dists *d, const lf_pkg_file *dir, lf_error *err)
{
  const char *slash = strrchr (dir->path, '/'), *base = slash ? slash + 1 : dir->path, *dot = strrchr (base, '.');
  size_t root_n = slash ? (size_t) (slash - dir->path) : 0, name_n, version_n;
  const char *version;
  if (d->n >= DISTS_MAX)
    return 0;
  split_info (base, (size_t) (dot - base), &name_n, &version, &version_n);
  int64_t who = add_dist (d, base, name_n, version, version_n, dir->path, root_n);
  if (who < 0 || claim (d, &d->dirs, "", 0, dir->path, strlen (dir->path), who) != 0)
    return LF_FAIL_NOMEM (err);
  if (!S_ISDIR (dir->mode))
    return claim (d, &d->files, "", 0, dir->path, strlen (dir->path), who) == 0 ? 0 : LF_FAIL_NOMEM (err);
  static const char *const lists[] = { "RECORD", "top_level.txt" };
  for (size_t i = 0; i < LF_ARRAY_LEN (lists); i++)
    {
      LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/%s", dir->path, lists[i]);
      lf_pkg_file *f = path ? lf_pkg_source_find (s, path) : NULL;
      if (!f || !S_ISREG (f->mode))
        continue;
      lf_buf b;
      lf_error ignored = { 0 };
      lf_buf_init (&b, RECORD_MAX + 1);
      int r = 0;
      if (lf_pkg_source_read (s, f, RECORD_MAX, &b, &ignored) == 0 && b.len)
        r = (i == 0 ? take_record : take_top_level) (d, &b, dir->path, root_n, who);
      lf_buf_fini (&b);
      if (r != 0)
        return LF_FAIL_NOMEM (err);
    }
  return 0;
}

int
lf_dists_read (lf_pkg_source *s, lf_dists *d, lf_error *err)
{
  *d = (lf_dists){ 0 };
  for (size_t i = 0; i < s->n; i++)
    {
      const char *path = s->v[i].path;
      bool info = lf_ends (path, ".dist-info") || lf_ends (path, ".egg-info");
      if (info && path[0] != '.' && read_info (s, d, &s->v[i], err) != 0)
        {
          lf_dists_fini (d);
          return -1;
        }
      /* zips often have no entries for folders: the first file inside stands for it */
      const char *in = strstr (path, "-info/");
      size_t n = in ? (size_t) (in - path) + 5 : 0;
      if (n < 11 || (memcmp (in - 5, ".dist", 5) != 0 && memcmp (in - 4, ".egg", 4) != 0) || lf_pkg_map_get (&d->dirs, path, n))
        continue;
      lf_pkg_file dir = { .mode = S_IFDIR | 0755, .path = lf_pkg_arena_dup (&d->names, path, n) };
      if (!dir.path || read_info (s, d, &dir, err) != 0)
        {
          lf_dists_fini (d);
          return dir.path ? -1 : LF_FAIL_NOMEM (err);
        }
    }
  return 0;
}

/* A package known only by its folder: made once. */
static int64_t
by_place (lf_pkg_source *s, lf_dists *d, const char *path, size_t dir_n, size_t root_n, bool node)
{
  int64_t *known = lf_pkg_map_get (&d->found, path, dir_n);
  if (known)
    return *known;
  const char *name = path + root_n + (root_n != 0);
  size_t name_n = dir_n - root_n - (root_n != 0);
  LF_CLEANUP (lf_json_freep) cJSON *j = NULL;
  const char *version = NULL;
  if (node)
    {
      LF_CLEANUP (lf_freep) char *json = lf_asprintf ("%.*s/package.json", (int) dir_n, path);
      lf_pkg_file *f = json ? lf_pkg_source_find (s, json) : NULL;
      lf_buf b;
      lf_error ignored = { 0 };
      lf_buf_init (&b, JSON_MAX + 1);
      if (f && S_ISREG (f->mode) && (size_t) f->size <= JSON_MAX && lf_pkg_source_read (s, f, JSON_MAX, &b, &ignored) == 0 && b.len)
        j = lf_json_parse (b.data, b.len, json, &ignored);
      lf_buf_fini (&b);
      version = j ? lf_json_str (j, "version") : NULL;
    }
  if (d->n >= DISTS_MAX)
    return -1;
  int64_t who = add_dist (d, name, name_n, version, version ? strlen (version) : 0, path, root_n);
  char *key = who >= 0 ? lf_pkg_arena_dup (&d->names, path, dir_n) : NULL;
  int64_t *v = key ? lf_pkg_map_add (&d->found, key, dir_n) : NULL;
  if (!v)
    return -2;
  *v = who;
  return who;
}

static int64_t
node_owner (lf_pkg_source *s, lf_dists *d, const char *path)
{
  const char *last = NULL;
  for (const char *p = path; (p = strstr (p, "node_modules/")); p += 13)
    if (p == path || p[-1] == '/')
      last = p + 13;
  if (!last)
    return -1;
  size_t n = strcspn (last, "/");
  if (last[0] == '@' && last[n] == '/')
    n += 1 + strcspn (last + n + 1, "/");
  if (last[n] != '/')
    return -1;
  return by_place (s, d, path, (size_t) (last - path) + n, (size_t) (last - path) - 1, true);
}

/* Where a layer's or a function's search path begins in this path, for packages without metadata. */
static size_t
site_root (const char *path)
{
  static const char *const sites[] = { "site-packages/", "dist-packages/" };
  for (size_t i = 0; i < LF_ARRAY_LEN (sites); i++)
    {
      const char *p = strstr (path, sites[i]);
      if (p && (p == path || p[-1] == '/'))
        return (size_t) (p - path) + strlen (sites[i]) - 1;
    }
  return lf_starts (path, "python/") && !lf_starts (path, "python/lib/") ? 6 : 0;
}

int64_t
lf_dists_owner (lf_pkg_source *s, lf_dists *d, const char *path)
{
  int64_t node = node_owner (s, d, path);
  if (node != -1)
    return node;
  size_t n = strlen (path);
  int64_t *v = lf_pkg_map_get (&d->files, path, n);
  if (v)
    return *v;
  for (const char *slash = memrchr (path, '/', n); slash; slash = memrchr (path, '/', (size_t) (slash - path)))
    if ((v = lf_pkg_map_get (&d->dirs, path, (size_t) (slash - path))))
      return *v;
  size_t root_n = site_root (path);
  const char *first = path + root_n + (root_n != 0);
  size_t first_n = strcspn (first, "/");
  if (first[first_n] != '/' || first_n == 0)
    return -1;
  size_t dir_n = (size_t) (first - path) + first_n;
  if (lf_pkg_map_get (&d->found, path, dir_n))
    return by_place (s, d, path, dir_n, root_n, false);
  LF_CLEANUP (lf_freep) char *init = lf_asprintf ("%.*s/__init__.py", (int) dir_n, path);
  if (root_n == 0 && !(init && lf_pkg_source_find (s, init)))
    return -1;
  return by_place (s, d, path, dir_n, root_n, false);
}

void
lf_dists_fini (lf_dists *d)
{
  if (!d)
    return;
  free (d->v);
  lf_pkg_map_fini (&d->dirs);
  lf_pkg_map_fini (&d->files);
  lf_pkg_map_fini (&d->found);
  lf_pkg_arena_fini (&d->names);
  *d = (lf_dists){ 0 };
}
