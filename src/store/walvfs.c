/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite writes each page of a commit to its write-ahead log with two calls, a small one for the frame's header and one for the page.
 * A warm invocation changes three pages, so most of its commit was spent in six calls. This VFS gathers the frames of a commit and
 * hands them to the real VFS in one write. Everything else is the real VFS.
 *
 * Why that is safe: nobody looks at a frame before the commit is published in the shared index, and SQLite publishes it only after the
 * write of the commit's last frame has returned. That write is the one that passes everything on, so its failure is still the commit's
 * failure. A frame's header says whether it is the last one: bytes 4 to 7 hold the database's size then, and zero otherwise. Any other
 * call on the file passes on what was gathered before it does its own work.
 */
#include "inside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NAME "lambdafit-wal"
#define WAL_HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define GATHER_MAX ((size_t) 127 << 10) /* SQLite's own VFS takes less than 128 KB at a time */

typedef struct wal_file
{
  sqlite3_file head; /* what SQLite sees; must be first */
  sqlite3_file *real;
  char *data;
  size_t len;
  sqlite3_int64 at;    /* where data belongs */
  bool commit_follows; /* the last header was that of a commit's last frame */
} wal_file;

/* Why the last write of this thread failed: SQLite itself keeps only ENOSPC apart from other reasons. */
static _Thread_local int write_errno;

int
lf_wal_write_errno (void)
{
  return write_errno;
}

static int
write_through (wal_file *w, const void *p, int n, sqlite3_int64 at)
{
  errno = 0;
  int rc = w->real->pMethods->xWrite (w->real, p, n, at);
  write_errno = rc == SQLITE_OK ? 0 : errno;
  return rc;
}

static int
pass_on (wal_file *w)
{
  size_t n = w->len;
  w->len = 0;
  return n > 0 ? write_through (w, w->data, (int) n, w->at) : SQLITE_OK;
}

static int
wal_close (sqlite3_file *f)
{
  wal_file *w = (wal_file *) f;
  free (w->data); /* what is still here was never committed */
  w->data = NULL;
  return w->real->pMethods->xClose (w->real);
}

static int
wal_write (sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
  wal_file *w = (wal_file *) f;
  bool header = n == FRAME_HEADER_BYTES;
  bool last = !header && w->commit_follows;
  w->commit_follows = false;
  if (w->len > 0 && (at != w->at + (sqlite3_int64) w->len || w->len + (size_t) n > GATHER_MAX))
    {
      int rc = pass_on (w);
      if (rc != SQLITE_OK)
        return rc;
    }
  if (at < WAL_HEADER_BYTES || (size_t) n > GATHER_MAX)
    return write_through (w, p, n, at);
  if (w->len == 0)
    w->at = at;
  memcpy (w->data + w->len, p, (size_t) n);
  w->len += (size_t) n;
  if (header)
    w->commit_follows = memcmp ((const char *) p + 4, "\0\0\0\0", 4) != 0;
  return last ? pass_on (w) : SQLITE_OK;
}

/* The other calls: pass on, then the real one. */
static int
wal_read (sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
  wal_file *w = (wal_file *) f;
  int rc = pass_on (w);
  return rc == SQLITE_OK ? w->real->pMethods->xRead (w->real, p, n, at) : rc;
}

static int
wal_truncate (sqlite3_file *f, sqlite3_int64 size)
{
  wal_file *w = (wal_file *) f;
  int rc = pass_on (w);
  return rc == SQLITE_OK ? w->real->pMethods->xTruncate (w->real, size) : rc;
}

static int
wal_sync (sqlite3_file *f, int flags)
{
  wal_file *w = (wal_file *) f;
  int rc = pass_on (w);
  return rc == SQLITE_OK ? w->real->pMethods->xSync (w->real, flags) : rc;
}

static int
wal_size (sqlite3_file *f, sqlite3_int64 *size)
{
  wal_file *w = (wal_file *) f;
  int rc = pass_on (w);
  return rc == SQLITE_OK ? w->real->pMethods->xFileSize (w->real, size) : rc;
}

static int
wal_lock (sqlite3_file *f, int level)
{
  wal_file *w = (wal_file *) f;
  return w->real->pMethods->xLock (w->real, level);
}

static int
wal_unlock (sqlite3_file *f, int level)
{
  wal_file *w = (wal_file *) f;
  return w->real->pMethods->xUnlock (w->real, level);
}

static int
wal_reserved (sqlite3_file *f, int *out)
{
  wal_file *w = (wal_file *) f;
  return w->real->pMethods->xCheckReservedLock (w->real, out);
}

static int
wal_control (sqlite3_file *f, int op, void *arg)
{
  wal_file *w = (wal_file *) f;
  int rc = pass_on (w);
  return rc == SQLITE_OK ? w->real->pMethods->xFileControl (w->real, op, arg) : rc;
}

static int
wal_sector (sqlite3_file *f)
{
  wal_file *w = (wal_file *) f;
  return w->real->pMethods->xSectorSize (w->real);
}

static int
wal_traits (sqlite3_file *f)
{
  wal_file *w = (wal_file *) f;
  return w->real->pMethods->xDeviceCharacteristics (w->real);
}

static const sqlite3_io_methods wal_methods = {
  .iVersion = 1,
  .xClose = wal_close,
  .xRead = wal_read,
  .xWrite = wal_write,
  .xTruncate = wal_truncate,
  .xSync = wal_sync,
  .xFileSize = wal_size,
  .xLock = wal_lock,
  .xUnlock = wal_unlock,
  .xCheckReservedLock = wal_reserved,
  .xFileControl = wal_control,
  .xSectorSize = wal_sector,
  .xDeviceCharacteristics = wal_traits,
};

static int
vfs_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
  sqlite3_vfs *real = vfs->pAppData;
  if ((flags & SQLITE_OPEN_WAL) == 0)
    return real->xOpen (real, name, f, flags, out_flags);
  wal_file *w = (wal_file *) f;
  memset (w, 0, sizeof *w);
  w->real = (sqlite3_file *) (w + 1);
  w->data = malloc (GATHER_MAX);
  if (w->data == NULL)
    return SQLITE_NOMEM;
  int rc = real->xOpen (real, name, w->real, flags, out_flags);
  if (w->real->pMethods != NULL)
    w->head.pMethods = &wal_methods; /* SQLite closes it even if the open failed */
  else
    free (w->data);
  return rc;
}

static int
vfs_delete (sqlite3_vfs *vfs, const char *name, int sync)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xDelete (real, name, sync);
}

static int
vfs_access (sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xAccess (real, name, flags, out);
}

static int
vfs_full_path (sqlite3_vfs *vfs, const char *name, int n, char *out)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xFullPathname (real, name, n, out);
}

static int
vfs_random (sqlite3_vfs *vfs, int n, char *out)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xRandomness (real, n, out);
}

static int
vfs_sleep (sqlite3_vfs *vfs, int us)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xSleep (real, us);
}

static int
vfs_time (sqlite3_vfs *vfs, double *out)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xCurrentTime (real, out);
}

static int
vfs_last_error (sqlite3_vfs *vfs, int n, char *out)
{
  sqlite3_vfs *real = vfs->pAppData;
  return real->xGetLastError (real, n, out);
}

static const char *registered; /* NULL: only the default VFS is there */

static void
register_once (void)
{
  static sqlite3_vfs vfs;
  /* Its count of its own memory is read by nobody, and takes a lock at each allocation. Refused once SQLite is in use: no harm. */
  (void) sqlite3_config (SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_vfs *real = sqlite3_vfs_find (NULL);
  if (real == NULL)
    return;
  vfs.iVersion = 1;
  vfs.szOsFile = (int) sizeof (wal_file) + real->szOsFile;
  vfs.mxPathname = real->mxPathname;
  vfs.zName = NAME;
  vfs.pAppData = real;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  vfs.xFullPathname = vfs_full_path;
  vfs.xRandomness = vfs_random;
  vfs.xSleep = vfs_sleep;
  vfs.xCurrentTime = vfs_time;
  vfs.xGetLastError = vfs_last_error;
  if (sqlite3_vfs_register (&vfs, 0) == SQLITE_OK)
    registered = NAME;
}

const char *
lf_wal_vfs (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once (&once, register_once);
  return registered;
}
