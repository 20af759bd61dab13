/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a folder: every entry with its size, times and rights; links are never followed.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define CHUNK ((size_t) 64 << 10)

struct lf_pkg_chunk
{
  struct lf_pkg_chunk *next;
  size_t used, cap;
  char data[];
};

char *
lf_pkg_arena_alloc (lf_pkg_arena *a, size_t n)
{
  struct lf_pkg_chunk *c = a->head;
  if (!c || c->cap - c->used < n)
    {
      size_t cap = n > CHUNK ? n : CHUNK;
      c = malloc (sizeof *c + cap);
      if (!c)
        return NULL;
      *c = (struct lf_pkg_chunk){ .next = a->head, .cap = cap };
      a->head = c;
    }
  char *p = c->data + c->used;
  c->used += n;
  return p;
}

char *
lf_pkg_arena_dup (lf_pkg_arena *a, const char *p, size_t n)
{
  char *s = lf_pkg_arena_alloc (a, n + 1);
  if (!s)
    return NULL;
  memcpy (s, p, n);
  s[n] = '\0';
  return s;
}

void
lf_pkg_arena_fini (lf_pkg_arena *a)
{
  while (a->head)
    {
      struct lf_pkg_chunk *next = a->head->next;
      free (a->head);
      a->head = next;
    }
}

int
lf_pkg_path_cmp (const char *a, const char *b)
{
  while (*a && *a == *b)
    a++, b++;
  int x = *a == '/' ? 1 : (unsigned char) *a, y = *b == '/' ? 1 : (unsigned char) *b;
  return (x > y) - (x < y);
}

static int
node_cmp (const void *a, const void *b)
{
  return lf_pkg_path_cmp (((const lf_pkg_node *) a)->path, ((const lf_pkg_node *) b)->path);
}

static lf_pkg_node *
tree_add (lf_pkg_tree *t)
{
  if (t->n == t->cap)
    {
      size_t cap = t->cap ? t->cap * 2 : 256;
      lf_pkg_node *v = realloc (t->v, cap * sizeof *v);
      if (!v)
        return NULL;
      t->v = v;
      t->cap = cap;
    }
  lf_pkg_node *n = &t->v[t->n++];
  *n = (lf_pkg_node){ 0 };
  return n;
}

typedef struct walk
{
  lf_pkg_tree *t;
  const char *top;
  bool tolerant;
  lf_error *err;
  char path[LF_PKG_NAME_MAX + 1];
} walk;

static int
fail_at (walk *w, const char *doing, int e)
{
  return LF_FAIL (w->err, LF_EXIT_USAGE, w->top, "give yourself the right to read it, or leave it out of the package", "%.300s cannot be %s: %s",
                  w->path[0] ? w->path : "it", doing, strerror (e));
}

static int walk_dir (walk *w, int fd, size_t len, int depth);

static int
walk_subdir (walk *w, int fd, const char *name, size_t len, int depth, size_t node)
{
  int sub = openat (fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (sub >= 0)
    return walk_dir (w, sub, len, depth + 1);
  if (!w->tolerant)
    return fail_at (w, "listed", errno);
  w->t->v[node].unreadable = true;
  return 0;
}

static int
walk_entry (walk *w, int fd, const char *name, size_t len, int depth)
{
  size_t nn = strlen (name), at = len ? len + 1 : 0;
  if (at + nn > LF_PKG_NAME_MAX || depth > LF_PKG_DEPTH_MAX)
    return LF_FAIL (w->err, LF_EXIT_USAGE, w->top, "shorten the path, or leave the folder out of the package",
                    "a path in it is too long or too deep (%d bytes and %d levels are the most): %.200s", LF_PKG_NAME_MAX, LF_PKG_DEPTH_MAX,
                    w->path);
  if (len)
    w->path[len] = '/';
  memcpy (w->path + at, name, nn + 1);
  struct stat st;
  if (fstatat (fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    {
      int e = errno;
      w->path[len] = '\0';
      return e == ENOENT || w->tolerant ? 0 : fail_at (w, "read", e); /* ENOENT: removed while we looked */
    }
  if (w->t->n >= LF_PKG_ENTRIES_MAX)
    return LF_FAIL (w->err, LF_EXIT_USAGE, w->top, "leave out what the function does not need", "it holds more than %d entries",
                    LF_PKG_ENTRIES_MAX);
  lf_pkg_node *n = tree_add (w->t);
  if (!n || !(n->path = lf_pkg_arena_dup (&w->t->names, w->path, at + nn)))
    return LF_FAIL_NOMEM (w->err);
  n->mode = st.st_mode;
  n->size = st.st_size;
  n->mtime_ns = (int64_t) st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  n->dev = st.st_dev;
  n->ino = st.st_ino;
  if (S_ISREG (st.st_mode))
    {
      w->t->files++;
      w->t->bytes += st.st_size;
    }
  int r = S_ISDIR (st.st_mode) ? walk_subdir (w, fd, name, at + nn, depth, w->t->n - 1) : 0;
  w->path[len] = '\0';
  return r;
}

/* Takes fd. */
static int
walk_dir (walk *w, int fd, size_t len, int depth)
{
  DIR *d = fdopendir (fd);
  if (!d)
    {
      int e = errno;
      close (fd);
      return fail_at (w, "listed", e);
    }
  int r = 0;
  while (r == 0)
    {
      errno = 0;
      struct dirent *de = readdir (d);
      if (!de)
        {
          if (errno)
            r = fail_at (w, "listed", errno);
          break;
        }
      if (strcmp (de->d_name, ".") != 0 && strcmp (de->d_name, "..") != 0)
        r = walk_entry (w, dirfd (d), de->d_name, len, depth);
    }
  closedir (d);
  return r;
}

int
lf_pkg_tree_read (const char *dir, bool tolerant, lf_pkg_tree *t, lf_error *err)
{
  *t = (lf_pkg_tree){ 0 };
  walk *w = malloc (sizeof *w);
  if (!w)
    return LF_FAIL_NOMEM (err);
  *w = (walk){ .t = t, .top = dir, .tolerant = tolerant, .err = err };
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
  if (fd < 0)
    r = LF_FAIL (err, LF_EXIT_USAGE, dir, "give yourself the right to read the folder", "cannot be listed: %s", strerror (errno));
  else
    r = walk_dir (w, fd, 0, 0);
  free (w);
  if (r != 0)
    {
      lf_pkg_tree_fini (t);
      return -1;
    }
  if (t->n)
    qsort (t->v, t->n, sizeof *t->v, node_cmp);
  return 0;
}

void
lf_pkg_tree_fini (lf_pkg_tree *t)
{
  if (!t)
    return;
  free (t->v);
  lf_pkg_arena_fini (&t->names);
  *t = (lf_pkg_tree){ 0 };
}

int
lf_pkg_tree_sha (const char *dir, const lf_pkg_tree *t, char hex[65], lf_error *err)
{
  lf_sha256 *s = lf_sha256_new ();
  if (!s)
    return LF_FAIL_NOMEM (err);
  int fd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (size_t i = 0; i < t->n; i++)
    {
      const lf_pkg_node *n = &t->v[i];
      bool dated = S_ISREG (n->mode); /* a folder's size and time say nothing about what is in it */
      int64_t facts[3] = { (int64_t) n->mode, dated ? n->size : 0, dated ? n->mtime_ns : 0 };
      lf_sha256_update (s, n->path, strlen (n->path) + 1);
      lf_sha256_update (s, facts, sizeof facts);
      if (S_ISLNK (n->mode) && fd >= 0)
        {
          char target[LF_PKG_LINK_MAX + 1];
          ssize_t len = readlinkat (fd, n->path, target, sizeof target);
          if (len > 0)
            lf_sha256_update (s, target, (size_t) len);
        }
    }
  if (fd >= 0)
    close (fd);
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  return 0;
}

int
lf_pkg_remove (const char *path, lf_error *err)
{
  lf_error ignored = { 0 };
  struct stat st;
  if (lstat (path, &st) != 0)
    return 0;
  /* A package may hold folders without the right to write or enter. Opening one level may show more of them, so go on until none is left. */
  for (int round = 0; round < LF_PKG_DEPTH_MAX && S_ISDIR (st.st_mode); round++)
    {
      lf_pkg_tree t;
      bool closed = false;
      chmod (path, 0700);
      if (lf_pkg_tree_read (path, true, &t, &ignored) != 0)
        break;
      int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      for (size_t i = 0; i < t.n && fd >= 0; i++)
        if (S_ISDIR (t.v[i].mode) && (t.v[i].mode & 0700) != 0700 && fchmodat (fd, t.v[i].path, 0700, 0) == 0)
          closed = true;
      if (fd >= 0)
        close (fd);
      lf_pkg_tree_fini (&t);
      if (!closed)
        break;
    }
  return lf_rm_rf (path, err);
}
