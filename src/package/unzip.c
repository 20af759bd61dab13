/* SPDX-License-Identifier: Apache-2.0
 *
 * Unpacking, by several threads that each read the archive through their own libzip handle. Links are made last, so no file is ever
 * written through one; every file is created exclusively; real bytes are counted, whatever the directory declares.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "internal.h"

#define BUFFER ((size_t) 256 << 10)
#define THREADS_MAX 8
#define FILES_PER_THREAD 8 /* fewer than this and a thread costs more than it brings */
#define LARGE ((uint64_t) 1 << 20)
#define BATCH 32           /* small files taken at once: neighbours, so that threads rarely create in the same folder */
#define LOCAL_SIG "PK\3\4"

typedef struct job
{
  lf_zip *z;
  const char *path;
  int fd, root;
  int64_t max_bytes;
  lf_zip_entry **order;      /* files only: the large ones first, largest first, then the rest folder by folder */
  size_t n, large_n;
  atomic_size_t next;
  _Atomic int64_t bytes;
  atomic_bool stop;
  pthread_mutex_t lock;
  lf_error first;            /* the first worker's error */
} job;

mode_t
lf_pkg_lambda_mode (mode_t m, bool dir)
{
  mode_t others = m & 05; /* nothing below /var/task or /opt is written to */
  return (mode_t) ((m & 0222) | others | others << 3 | others << 6 | (dir ? 0200 : 0));
}

int
lf_pkg_too_big (const char *what, int64_t bytes, int64_t max_bytes, lf_error *err)
{
  if (bytes < max_bytes)
    return 0;
  return LF_FAIL (err, LF_EXIT_FAILED, what, "see what takes the space: lambdafit layer size; shrink it, or use lambdafit layer double-zip",
                  "Unzipped size must be smaller than %lld bytes", (long long) max_bytes);
}

static void
report (job *j, const lf_error *e)
{
  pthread_mutex_lock (&j->lock);
  if (j->first.exit == LF_EXIT_OK)
    j->first = *e;
  pthread_mutex_unlock (&j->lock);
  atomic_store (&j->stop, true);
}

static int
write_all (int fd, const char *p, size_t n)
{
  while (n)
    {
      ssize_t w = write (fd, p, n);
      if (w < 0 && errno == EINTR)
        continue;
      if (w < 0)
        return -1;
      p += w;
      n -= (size_t) w;
    }
  return 0;
}

static int
cannot_write (const char *name, int e, lf_error *err)
{
  bool full = e == ENOSPC || e == EDQUOT;
  return LF_FAIL (err, LF_EXIT_IO, "cache", full ? "free some space, or set XDG_CACHE_HOME to a folder on a larger file system" : "",
                  "%.300s cannot be unpacked: %s", name, strerror (e));
}

/* The name beside the data must be the one in the directory: an archive with two names for one entry shows each reader what suits it. */
static int
check_local (const job *j, const lf_zip_entry *e, lf_error *err)
{
  unsigned char head[30];
  if (pread (j->fd, head, sizeof head, (off_t) e->offset) != (ssize_t) sizeof head || memcmp (head, LOCAL_SIG, 4) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip is damaged: no data where %.300s should begin",
                    e->name);
  char name[LF_PKG_NAME_MAX + 1];
  size_t n = (size_t) (head[26] | head[27] << 8);
  if (n != e->raw_n || n > sizeof name || pread (j->fd, name, n, (off_t) e->offset + (off_t) sizeof head) != (ssize_t) n
      || memcmp (name, e->raw, n) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, j->path, "build it again with another tool",
                    "refused: %.300s has another name beside its data than in the zip's directory", e->name);
  return 0;
}

static int
zip_trouble (const job *j, const lf_zip_entry *e, zip_file_t *f, lf_error *err)
{
  zip_error_t *ze = zip_file_get_error (f);
  int code = zip_error_code_zip (ze);
  const char *why = code == ZIP_ER_CRC ? "its checksum (CRC) does not match" : zip_error_strerror (ze);
  return LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip is damaged at %.300s: %.200s", e->name, why);
}

/* Copies the entry's data to `out` (-1: only into `text`). */
static int
read_entry (job *j, zip_t *za, const lf_zip_entry *e, char *buf, int out, lf_error *err)
{
  zip_file_t *f = zip_fopen_index (za, e->index, 0);
  if (!f)
    return LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip is damaged at %.300s: %.200s", e->name,
                    zip_strerror (za));
  uint64_t got = 0;
  int r = 0;
  while (r == 0 && !atomic_load_explicit (&j->stop, memory_order_relaxed))
    {
      zip_int64_t n = zip_fread (f, buf, BUFFER);
      if (n < 0)
        r = zip_trouble (j, e, f, err);
      if (n <= 0)
        break;
      got += (uint64_t) n;
      if (got > e->size)
        r = LF_FAIL (err, LF_EXIT_USAGE, j->path, "do not trust this archive", "refused: %.300s holds more than the %llu bytes it declares", e->name,
                     (unsigned long long) e->size);
      else if (lf_pkg_too_big (j->path, atomic_fetch_add (&j->bytes, n) + n, j->max_bytes, err) != 0)
        r = -1;
      else if (write_all (out, buf, (size_t) n) != 0)
        r = cannot_write (e->name, errno, err);
    }
  zip_fclose (f);
  if (r == 0 && got != e->size && !atomic_load (&j->stop))
    r = LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip is damaged: %.300s ends after %llu of its %llu bytes",
                 e->name, (unsigned long long) got, (unsigned long long) e->size);
  return r;
}

static int
unpack_file (job *j, zip_t *za, const lf_zip_entry *e, char *buf, lf_error *err)
{
  if (check_local (j, e, err) != 0)
    return -1;
  LF_CLEANUP (lf_closep) int fd = openat (j->root, e->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return cannot_write (e->name, errno, err);
  if (read_entry (j, za, e, buf, fd, err) != 0)
    return -1;
  struct timespec t[2] = { { .tv_sec = e->mtime_s }, { .tv_sec = e->mtime_s } };
  if (fchmod (fd, lf_pkg_lambda_mode (e->mode, false)) != 0 || futimens (fd, t) != 0)
    return cannot_write (e->name, errno, err);
  return 0;
}

/* libzip's own idea of the archive, from the very file we judged (fd's, even if the name was moved meanwhile). */
static zip_t *
open_zip (job *j, lf_error *err)
{
  char name[40];
  int code = 0;
  snprintf (name, sizeof name, "/proc/self/fd/%d", j->fd);
  zip_t *za = zip_open (name, ZIP_RDONLY, &code);
  if (!za)
    {
      zip_error_t ze;
      zip_error_init_with_code (&ze, code);
      LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip cannot be read: %.200s", zip_error_strerror (&ze));
      zip_error_fini (&ze);
      return NULL;
    }
  if ((uint64_t) zip_get_num_entries (za, 0) != j->z->records)
    {
      LF_FAIL (err, LF_EXIT_USAGE, j->path, "build it again with another tool", "refused: the zip has two directories that do not agree");
      zip_discard (za);
      return NULL;
    }
  return za;
}

/* The next files of this thread: one large file, or some small ones. */
static bool
take_batch (job *j, size_t *first, size_t *end)
{
  size_t batches = j->large_n + (j->n - j->large_n + BATCH - 1) / BATCH, i = atomic_fetch_add (&j->next, 1);
  if (i >= batches || atomic_load (&j->stop))
    return false;
  *first = i < j->large_n ? i : j->large_n + (i - j->large_n) * BATCH;
  *end = i < j->large_n ? i + 1 : *first + BATCH;
  if (*end > j->n)
    *end = j->n;
  return true;
}

static void *
worker (void *arg)
{
  job *j = arg;
  lf_error e = { 0 };
  LF_CLEANUP (lf_freep) char *buf = malloc (BUFFER);
  zip_t *za = buf ? open_zip (j, &e) : NULL;
  if (!buf)
    LF_FAIL_NOMEM (&e);
  bool ok = za != NULL;
  size_t i, end;
  while (ok && take_batch (j, &i, &end))
    for (; ok && i < end && !atomic_load (&j->stop); i++)
      ok = unpack_file (j, za, j->order[i], buf, &e) == 0;
  if (!ok)
    report (j, &e);
  if (za)
    zip_discard (za);
  return NULL;
}

static int
make_dirs (job *j, lf_error *err)
{
  char path[LF_PKG_NAME_MAX + 1], last[LF_PKG_NAME_MAX + 1] = "";
  for (size_t i = 0; i < j->z->n; i++)
    {
      const lf_zip_entry *e = &j->z->v[i];
      size_t n = strlen (e->name);
      memcpy (path, e->name, n + 1);
      if (e->kind != LF_ZE_DIR)
        {
          char *slash = strrchr (path, '/');
          if (!slash)
            continue;
          *slash = '\0';
        }
      if (strcmp (path, last) == 0)
        continue;
      size_t same = 0; /* what the last one made already: up to the last '/' both share */
      for (size_t k = 0; path[k] && path[k] == last[k]; k++)
        if (path[k] == '/')
          same = k + 1;
      strcpy (last, path);
      for (char *s = path + same;; s++)
        if (*s == '/' || *s == '\0')
          {
            char c = *s;
            *s = '\0';
            bool made = mkdirat (j->root, path, 0755) == 0;
            if (made ? fchmodat (j->root, path, 0755, 0) != 0 /* the umask must not show */ : errno != EEXIST)
              return cannot_write (path, errno, err);
            *s = c;
            if (c == '\0')
              break;
          }
    }
  return 0;
}

static int
order_cmp (const void *a, const void *b)
{
  const lf_zip_entry *x = *(lf_zip_entry *const *) a, *y = *(lf_zip_entry *const *) b;
  uint64_t p = x->size >= LARGE ? x->size : 0, q = y->size >= LARGE ? y->size : 0;
  if (p != q)
    return p > q ? -1 : 1;
  return (x > y) - (x < y); /* entries are sorted by name */
}

static int
read_links (job *j, lf_error *err)
{
  if (j->z->links == 0)
    return 0;
  zip_t *za = open_zip (j, err);
  int r = za ? 0 : -1;
  for (size_t i = 0; r == 0 && i < j->z->n; i++)
    {
      lf_zip_entry *e = &j->z->v[i];
      if (e->kind != LF_ZE_LINK)
        continue;
      zip_file_t *f = zip_fopen_index (za, e->index, 0);
      e->target = lf_pkg_arena_alloc (&j->z->names, e->size + 2);
      zip_int64_t n = f && e->target ? zip_fread (f, e->target, e->size + 1) : -1;
      if (!e->target)
        r = LF_FAIL_NOMEM (err);
      else if (n != (zip_int64_t) e->size || memchr (e->target, '\0', (size_t) n))
        r = LF_FAIL (err, LF_EXIT_USAGE, j->path, "copy, download or build it again", "the zip is damaged: the target of the link %.300s", e->name);
      else
        e->target[n] = '\0';
      if (f)
        zip_fclose (f);
    }
  if (za)
    zip_discard (za);
  return r == 0 ? lf_zip_check_links (j->z, err) : r;
}

/* Links and the rights of folders, from the deepest up: a folder may lose the right to be entered. */
static int
finish (job *j, lf_error *err)
{
  for (size_t i = 0; i < j->z->n; i++)
    if (j->z->v[i].kind == LF_ZE_LINK && symlinkat (j->z->v[i].target, j->root, j->z->v[i].name) != 0)
      return cannot_write (j->z->v[i].name, errno, err);
  for (size_t i = j->z->n; i-- > 0;)
    if (j->z->v[i].kind == LF_ZE_DIR && fchmodat (j->root, j->z->v[i].name, lf_pkg_lambda_mode (j->z->v[i].mode, true), 0) != 0)
      return cannot_write (j->z->v[i].name, errno, err);
  return 0;
}

static size_t
thread_count (size_t files)
{
  long cpus = sysconf (_SC_NPROCESSORS_ONLN);
  size_t n = cpus < 1 ? 1 : (size_t) cpus;
  if (n > THREADS_MAX)
    n = THREADS_MAX;
  return files / FILES_PER_THREAD + 1 < n ? files / FILES_PER_THREAD + 1 : n;
}

static int
unpack_files (job *j, lf_error *err)
{
  j->order = malloc ((j->z->n + 1) * sizeof (lf_zip_entry *));
  if (!j->order)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < j->z->n; i++)
    if (j->z->v[i].kind == LF_ZE_FILE)
      {
        j->order[j->n++] = &j->z->v[i];
        j->large_n += j->z->v[i].size >= LARGE;
      }
  qsort (j->order, j->n, sizeof (lf_zip_entry *), order_cmp);
  pthread_t t[THREADS_MAX];
  size_t want = thread_count (j->n), started = 0;
  while (started + 1 < want && pthread_create (&t[started], NULL, worker, j) == 0)
    started++;
  worker (j);
  for (size_t i = 0; i < started; i++)
    pthread_join (t[i], NULL);
  free (j->order);
  if (j->first.exit != LF_EXIT_OK)
    {
      *err = j->first;
      return -1;
    }
  return 0;
}

int
lf_zip_read_links (int fd, lf_zip *z, lf_error *err)
{
  job j = { .z = z, .path = z->path, .fd = fd, .lock = PTHREAD_MUTEX_INITIALIZER };
  return read_links (&j, err);
}

int
lf_zip_unpack (int fd, lf_zip *z, const char *root, int64_t max_bytes, lf_error *err)
{
  if (lf_pkg_too_big (z->path, z->bytes, max_bytes, err) != 0)
    return -1;
  job j = { .z = z, .path = z->path, .fd = fd, .max_bytes = max_bytes, .lock = PTHREAD_MUTEX_INITIALIZER };
  j.root = open (root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (j.root < 0)
    return cannot_write (root, errno, err);
  int r = read_links (&j, err) != 0 || make_dirs (&j, err) != 0 || unpack_files (&j, err) != 0 || finish (&j, err) != 0 ? -1 : 0;
  close (j.root);
  pthread_mutex_destroy (&j.lock);
  return r;
}
