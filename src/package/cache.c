/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache of unpacked packages and merged layers: CACHE/packages/SHA256/{root/,meta,lock}, CACHE/layers/... An entry appears by one
 * rename, complete. Who uses one holds a shared lock on its lock file until it is released; eviction takes only what nobody holds.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define CACHE_MAX_BYTES (INT64_C (8) << 30)
#define ENTRIES_MAX 4096
#define KNOWN_MAX 4096
#define ORPHAN_AGE_S 3600

/* One lock for each entry in use, and how often it is. */
typedef struct pinned_entry { char *path; int fd; size_t uses; } pinned_entry;
static struct { pthread_mutex_t lock; pinned_entry *v; size_t n, cap; } pinned = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The lock is held. */
static pinned_entry *
find_pin (const char *path, size_t n)
{
  for (size_t i = 0; i < pinned.n; i++)
    if (strncmp (pinned.v[i].path, path, n) == 0 && pinned.v[i].path[n] == '\0')
      return &pinned.v[i];
  return NULL;
}

static bool
is_pinned (const char *path)
{
  pthread_mutex_lock (&pinned.lock);
  bool found = find_pin (path, strlen (path)) != NULL;
  pthread_mutex_unlock (&pinned.lock);
  return found;
}

/* The lock is held. */
static bool
add_pin (const char *path, int fd)
{
  if (pinned.n == pinned.cap)
    {
      size_t cap = pinned.cap ? pinned.cap * 2 : 16;
      pinned_entry *v = realloc (pinned.v, cap * sizeof *v);
      if (!v)
        return false;
      pinned.v = v;
      pinned.cap = cap;
    }
  char *copy = lf_strdup (path);
  if (copy)
    pinned.v[pinned.n++] = (pinned_entry){ copy, fd, 1 };
  return copy != NULL;
}

/* Takes fd: kept open when this is the first pin of path. */
static void
pin (const char *path, int fd)
{
  pthread_mutex_lock (&pinned.lock);
  pinned_entry *e = find_pin (path, strlen (path));
  if (e)
    e->uses++;
  if (e || !add_pin (path, fd))
    close (fd); /* no memory for the note: the entry is only less protected */
  pthread_mutex_unlock (&pinned.lock);
}

void
lf_cache_release (const char *root)
{
  size_t n = root && lf_ends (root, "/root") ? strlen (root) - strlen ("/root") : 0;
  if (!n)
    return;
  pthread_mutex_lock (&pinned.lock);
  pinned_entry *e = find_pin (root, n);
  if (e && --e->uses == 0)
    {
      close (e->fd);
      free (e->path);
      *e = pinned.v[--pinned.n];
    }
  if (pinned.n == 0)
    {
      free (pinned.v);
      pinned.v = NULL;
      pinned.cap = 0;
    }
  pthread_mutex_unlock (&pinned.lock);
}

static char *
kind_dir (const char *kind)
{
  LF_CLEANUP (lf_freep) char *top = lf_cache_dir ();
  return top ? lf_asprintf ("%s/%s", top, kind) : NULL;
}

static bool
same_file (int fd, const char *path)
{
  struct stat a, b;
  return fstat (fd, &a) == 0 && lstat (path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int
read_meta (const char *dir, lf_pkg_meta *m)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/meta", dir);
  lf_buf text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 0);
  lf_error ignored;
  int64_t bytes, files;
  if (!path || lf_read_file (path, 200, &text, &ignored) < 0 || lf_buf_add (&text, "", 1) < 0)
    return -1;
  const char *at = text.data;
  if (lf_take_i64 (&at, INT64_MAX, &bytes) < 0 || *at++ != ' ' || lf_take_i64 (&at, INT64_MAX, &files) < 0)
    return -1;
  *m = (lf_pkg_meta){ .bytes = bytes, .files = files };
  return 0;
}

int
lf_pkg_cache_find (const char *kind, const char *hex, char **root, lf_pkg_meta *meta)
{
  LF_CLEANUP (lf_freep) char *top = kind_dir (kind);
  LF_CLEANUP (lf_freep) char *dir = top ? lf_asprintf ("%s/%s", top, hex) : NULL;
  LF_CLEANUP (lf_freep) char *lock = dir ? lf_asprintf ("%s/lock", dir) : NULL;
  int fd = lock ? open (lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
  if (fd < 0)
    return 0;
  if (flock (fd, LOCK_SH | LOCK_NB) != 0 || !same_file (fd, lock) || read_meta (dir, meta) != 0
      || !(*root = lf_asprintf ("%s/root", dir)))
    {
      close (fd);
      return 0;
    }
  futimens (fd, NULL); /* the time of last use, which eviction goes by */
  pin (dir, fd);
  return 1;
}

/* Removes dir if nobody holds its lock: renamed first, so that nobody finds half of it. */
static bool
remove_unused (const char *top, const char *name)
{
  LF_CLEANUP (lf_freep) char *dir = lf_asprintf ("%s/%s", top, name);
  LF_CLEANUP (lf_freep) char *lock = dir ? lf_asprintf ("%s/lock", dir) : NULL;
  if (!lock || is_pinned (dir))
    return false;
  LF_CLEANUP (lf_closep) int fd = open (lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat st;
  if (fd < 0)
    { /* somebody is between mkdir and the lock, or was killed there */
      if (lstat (dir, &st) != 0 || time (NULL) - st.st_mtime < ORPHAN_AGE_S)
        return false;
    }
  else if (flock (fd, LOCK_EX | LOCK_NB) != 0 || !same_file (fd, lock))
    return false;
  lf_error ignored = { 0 };
  char id[37];
  lf_uuid4 (id);
  LF_CLEANUP (lf_freep) char *gone = lf_asprintf ("%s/.gone-%s", top, id);
  if (!gone || rename (dir, gone) != 0)
    return false;
  return lf_pkg_remove (gone, &ignored) == 0;
}

static bool
is_old (int dir, const char *name)
{
  struct stat st;
  return fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && time (NULL) - st.st_mtime > ORPHAN_AGE_S;
}

static void
remove_orphans (const char *top)
{
  DIR *d = opendir (top);
  if (!d)
    return;
  struct dirent *de;
  lf_error ignored = { 0 };
  while ((de = readdir (d)))
    if (lf_starts (de->d_name, ".tmp-"))
      remove_unused (top, de->d_name);
    else if (lf_starts (de->d_name, ".gone-") || (lf_starts (de->d_name, ".lock-") && is_old (dirfd (d), de->d_name)))
      {
        LF_CLEANUP (lf_freep) char *gone = lf_asprintf ("%s/%s", top, de->d_name);
        if (gone)
          lf_pkg_remove (gone, &ignored);
      }
  closedir (d);
}

int
lf_pkg_cache_list (const char *kind, lf_pkg_cached **out, size_t *n)
{
  *out = NULL;
  *n = 0;
  LF_CLEANUP (lf_freep) char *top = kind_dir (kind);
  DIR *d = top ? opendir (top) : NULL;
  if (!d)
    return 0;
  size_t cap = 0;
  int r = 0;
  struct dirent *de;
  while (r == 0 && (de = readdir (d)))
    {
      lf_pkg_meta m;
      struct stat st;
      LF_CLEANUP (lf_freep) char *dir = strlen (de->d_name) == 64 ? lf_asprintf ("%s/%s", top, de->d_name) : NULL;
      LF_CLEANUP (lf_freep) char *lock = dir ? lf_asprintf ("%s/lock", dir) : NULL;
      if (!lock || stat (lock, &st) != 0 || read_meta (dir, &m) != 0)
        continue;
      if (*n == cap)
        {
          cap = cap ? cap * 2 : 16;
          lf_pkg_cached *v = realloc (*out, cap * sizeof *v);
          if (!v)
            {
              r = -1;
              continue;
            }
          *out = v;
        }
      lf_pkg_cached *c = &(*out)[(*n)++];
      *c = (lf_pkg_cached){ .bytes = m.bytes, .files = m.files, .used_s = st.st_mtim.tv_sec, .used_ns = st.st_mtim.tv_nsec };
      memcpy (c->hex, de->d_name, 65);
    }
  closedir (d);
  return r;
}

static int
oldest_first (const void *a, const void *b)
{
  const lf_pkg_cached *x = a, *y = b;
  if (x->used_s != y->used_s)
    return x->used_s < y->used_s ? -1 : 1;
  return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

int64_t
lf_pkg_cache_shrink (const char *kind, int64_t max_bytes)
{
  LF_CLEANUP (lf_freep) char *top = kind_dir (kind);
  if (!top)
    return 0;
  remove_orphans (top);
  lf_pkg_cached *v;
  size_t n;
  int64_t total = 0, freed = 0;
  if (lf_pkg_cache_list (kind, &v, &n) != 0)
    n = 0;
  for (size_t i = 0; i < n; i++)
    total += v[i].bytes;
  if (n)
    qsort (v, n, sizeof *v, oldest_first);
  for (size_t i = 0; i < n && (total - freed > max_bytes || n - i > ENTRIES_MAX); i++)
    if (remove_unused (top, v[i].hex))
      freed += v[i].bytes;
  free (v);
  return freed;
}

static const char *const kinds[] = { "packages", "layers" };

static int
recent_first (const void *a, const void *b)
{
  const lf_cache_entry *x = a, *y = b;
  if (x->used_us != y->used_us)
    return x->used_us > y->used_us ? -1 : 1;
  return strcmp (x->sha256, y->sha256);
}

int
lf_cache_list (lf_cache_entry **out, size_t *n, lf_error *err)
{
  *out = NULL;
  *n = 0;
  for (size_t k = 0; k < LF_ARRAY_LEN (kinds); k++)
    {
      LF_CLEANUP (lf_freep) lf_pkg_cached *v = NULL;
      size_t found;
      int r = lf_pkg_cache_list (kinds[k], &v, &found);
      lf_cache_entry *all = r == 0 ? realloc (*out, (*n + found + 1) * sizeof *all) : NULL;
      if (!all)
        {
          free (*out);
          *out = NULL;
          return LF_FAIL_NOMEM (err);
        }
      *out = all;
      for (size_t i = 0; i < found; i++)
        {
          lf_cache_entry *e = &all[(*n)++];
          *e = (lf_cache_entry){ .kind = kinds[k], .bytes = v[i].bytes, .files = v[i].files, .used_us = v[i].used_s * 1000000 + v[i].used_ns / 1000 };
          memcpy (e->sha256, v[i].hex, sizeof e->sha256);
        }
    }
  qsort (*out, *n, sizeof **out, recent_first);
  return 0;
}

int64_t
lf_cache_clear (int64_t max_bytes)
{
  int64_t freed = 0;
  for (size_t k = 0; k < LF_ARRAY_LEN (kinds); k++)
    freed += lf_pkg_cache_shrink (kinds[k], max_bytes);
  return freed;
}

int
lf_pkg_cache_begin (const char *kind, lf_pkg_build *b, lf_error *err)
{
  *b = (lf_pkg_build){ .lock = -1 };
  LF_CLEANUP (lf_freep) char *top = kind_dir (kind);
  if (!top)
    return LF_FAIL (err, LF_EXIT_IO, "cache", "set XDG_CACHE_HOME to a folder you may write to", "there is no cache folder");
  if (lf_mkdir_p (top, 0700, err) != 0)
    return -1;
  lf_pkg_cache_shrink (kind, CACHE_MAX_BYTES);
  char id[37];
  lf_uuid4 (id);
  b->dir = lf_asprintf ("%s/.tmp-%s", top, id);
  b->root = lf_asprintf ("%s/.tmp-%s/root", top, id);
  LF_CLEANUP (lf_freep) char *first = lf_asprintf ("%s/.lock-%s", top, id); /* locked before it is where others look */
  LF_CLEANUP (lf_freep) char *lock = b->dir ? lf_asprintf ("%s/lock", b->dir) : NULL;
  if (!b->root || !lock || !first)
    {
      lf_pkg_cache_abort (b);
      return LF_FAIL_NOMEM (err);
    }
  if ((b->lock = open (first, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0 || flock (b->lock, LOCK_EX | LOCK_NB) != 0
      || mkdir (b->dir, 0700) != 0 || rename (first, lock) != 0 || mkdir (b->root, 0755) != 0 || chmod (b->root, 0755) != 0)
    {
      int e = errno;
      unlink (first);
      LF_FAIL (err, LF_EXIT_IO, b->dir, "free some space, or set XDG_CACHE_HOME to a folder you may write to", "cannot be made: %s", strerror (e));
      lf_pkg_cache_abort (b);
      return -1;
    }
  return 0;
}

static void
build_fini (lf_pkg_build *b)
{
  if (b->lock >= 0)
    close (b->lock);
  free (b->dir);
  free (b->root);
  *b = (lf_pkg_build){ .lock = -1 };
}

void
lf_pkg_cache_abort (lf_pkg_build *b)
{
  lf_error ignored = { 0 };
  if (b->dir)
    lf_pkg_remove (b->dir, &ignored);
  build_fini (b);
}

int
lf_pkg_cache_publish (const char *kind, const char *hex, const lf_pkg_meta *meta, lf_pkg_build *b, char **root, lf_error *err)
{
  LF_CLEANUP (lf_freep) char *top = kind_dir (kind);
  LF_CLEANUP (lf_freep) char *dir = top ? lf_asprintf ("%s/%s", top, hex) : NULL;
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/meta", b->dir);
  LF_CLEANUP (lf_freep) char *text = lf_asprintf ("%lld %lld\n", (long long) meta->bytes, (long long) meta->files);
  if (!dir || !path || !text)
    {
      lf_pkg_cache_abort (b);
      return LF_FAIL_NOMEM (err);
    }
  if (lf_write_file_atomic (path, text, strlen (text), err) != 0)
    {
      lf_pkg_cache_abort (b);
      return -1;
    }
  for (int attempt = 0; attempt < 3; attempt++)
    {
      lf_pkg_meta theirs;
      if (rename (b->dir, dir) == 0)
        { /* our lock moved along; shared from now on */
          flock (b->lock, LOCK_SH);
          pin (dir, b->lock);
          b->lock = -1;
          build_fini (b);
          *root = lf_asprintf ("%s/root", dir);
          return *root ? 0 : LF_FAIL_NOMEM (err);
        }
      int e = errno;
      if (e != EEXIST && e != ENOTEMPTY)
        {
          LF_FAIL (err, LF_EXIT_IO, dir, "", "cannot be put in place: %s", strerror (e));
          lf_pkg_cache_abort (b);
          return -1;
        }
      if (lf_pkg_cache_find (kind, hex, root, &theirs))
        {
          lf_pkg_cache_abort (b);
          return 0;
        }
      remove_unused (top, hex); /* what is there is damaged or on its way out */
    }
  LF_FAIL (err, LF_EXIT_IO, dir, "remove the folder", "is damaged and cannot be replaced");
  lf_pkg_cache_abort (b);
  return -1;
}

/* ---- digests of files, remembered --------------------------------------------------------------------------------------------- */

static int
hash_file (int fd, const char *path, char hex[65], lf_error *err)
{
  LF_CLEANUP (lf_freep) char *buf = malloc ((size_t) 1 << 18);
  lf_sha256 *s = lf_sha256_new ();
  if (!buf || !s)
    {
      lf_sha256_free (s);
      return LF_FAIL_NOMEM (err);
    }
  off_t at = 0;
  ssize_t n;
  while ((n = pread (fd, buf, (size_t) 1 << 18, at)) != 0)
    {
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          lf_sha256_free (s);
          return LF_FAIL (err, LF_EXIT_USAGE, path, "", "cannot be read: %s", strerror (errno));
        }
      lf_sha256_update (s, buf, (size_t) n);
      at += n;
    }
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  return 0;
}

/* The note's name says everything that changes when the file does. A file changed within the clock's last tick could change again
 * unseen, so it is not remembered yet. NULL when there is nothing to go by. */
static char *
note_path (int fd, const char *path, bool *settled)
{
  struct stat st;
  LF_CLEANUP (lf_freep) char *top = kind_dir ("digests");
  LF_CLEANUP (lf_freep) char *real = realpath (path, NULL);
  lf_sha256 *s = top && real && fstat (fd, &st) == 0 ? lf_sha256_new () : NULL;
  if (!s)
    return NULL;
  int64_t facts[] = { (int64_t) st.st_dev, (int64_t) st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
                      st.st_ctim.tv_nsec };
  int64_t changed = st.st_mtim.tv_sec > st.st_ctim.tv_sec ? st.st_mtim.tv_sec : st.st_ctim.tv_sec;
  *settled = changed < (int64_t) time (NULL) - 2;
  char key[65];
  lf_sha256_update (s, real, strlen (real) + 1);
  lf_sha256_update (s, facts, sizeof facts);
  lf_sha256_hex (s, key);
  lf_sha256_free (s);
  return lf_asprintf ("%s/%s", top, key);
}

static void
forget_notes (const char *note)
{
  LF_CLEANUP (lf_freep) char *top = lf_strndup (note, (size_t) (strrchr (note, '/') - note));
  DIR *d = top ? opendir (top) : NULL;
  size_t n = 0;
  while (d && readdir (d))
    n++;
  if (d)
    closedir (d);
  lf_error ignored = { 0 };
  if (n > KNOWN_MAX)
    lf_rm_rf (top, &ignored);
  if (top)
    lf_mkdir_p (top, 0700, &ignored);
}

int
lf_pkg_file_sha (int fd, const char *path, char hex[65], lf_error *err)
{
  bool settled = false;
  LF_CLEANUP (lf_freep) char *note = note_path (fd, path, &settled);
  FILE *f = note && settled ? fopen (note, "re") : NULL;
  if (f)
    {
      size_t n = fread (hex, 1, 64, f);
      fclose (f);
      hex[n] = '\0';
      if (n == 64 && strspn (hex, "0123456789abcdef") == 64)
        return 0;
    }
  if (hash_file (fd, path, hex, err) != 0)
    return -1;
  lf_error ignored = { 0 };
  if (note && settled)
    {
      forget_notes (note);
      lf_write_file_atomic (note, hex, 64, &ignored);
    }
  return 0;
}

void
lf_pkg_hex_to_base64 (const char *hex, char out[45])
{
  unsigned char raw[32];
  for (int i = 0; i < 32; i++)
    {
      char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
      raw[i] = (unsigned char) strtoul (two, NULL, 16);
    }
  lf_buf b;
  lf_buf_init (&b, 64);
  lf_buf_add_base64 (&b, raw, sizeof raw);
  snprintf (out, 45, "%s", b.data ? b.data : "");
  lf_buf_fini (&b);
}
