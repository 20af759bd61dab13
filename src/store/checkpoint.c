/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints on a thread of their own: moving pages from the WAL into the database waits for the disk, which the thread that answers
 * invocations must never do.
 *
 * A passive checkpoint stops nobody, but as long as commits keep coming it never empties the WAL, so the WAL would grow for ever. Above
 * WAL_HARD_BYTES the thread therefore asks for a restart right after a passive one: the writer then waits only for the few pages that
 * came in between. A reader in the middle of a long query can prevent that; then the thread gives way at once and tries again later.
 */
#include "inside.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAL_SOFT_BYTES (40 << 20) /* so much since the last checkpoint wakes the thread: each one waits for the disk, so not too often */
#define WAL_HARD_BYTES (64 << 20) /* ask for a restart */
#define PASSIVE_ROUNDS 4
#define RESTART_PAGES 200     /* few enough that the writer may wait for them */
/* Rollups wait for a quiet moment, so that they take no processor from who is answered just now; with so many commits not in one
 * they are made all the same, since reading that many single rows would be slow. */
#define ROLL_QUIET_MS 500
#define ROLL_BACKLOG 100000
#define ROLL_BUSY_MS 100      /* how long a rollup, or taking old rows away, waits for the writer */
#define RETAIN_COMMITS 256    /* after so many it is looked whether old rows are to go */
#define RESTART_BUSY_MS 5     /* the longest that a restart may hold the writer for the sake of readers */

struct lf_checkpointer
{
  sqlite3 *db;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  atomic_bool stop;
  bool wanted, roll, retain;
  lf_keep keep;          /* written before `keeps` is set */
  bool keeps;
  lf_retaining retaining;
  unsigned retained;     /* commits at the last look for old rows: only this thread's */
  atomic_uint commits;
  unsigned rolled;       /* commits at the last rollups: only this thread's */
  int soft, hard;        /* the two sizes, in pages */
  atomic_int base;       /* pages that were in the WAL at the last checkpoint */
  atomic_bool pending;   /* the thread was told and has not finished */
  atomic_bool sleeping;  /* it waits for the first commit */
};

static void
checkpoint (lf_checkpointer *c)
{
  int in_wal = 0, moved = 0;
  /* Passive ones until little is left for the restart to do, as long as it gets less. */
  for (int round = 0, left = INT_MAX; round < PASSIVE_ROUNDS; round++, left = in_wal - moved)
    if (sqlite3_wal_checkpoint_v2 (c->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &moved) != SQLITE_OK)
      {
        in_wal = moved = 0; /* a full disk, most likely: the WAL stays and nothing is lost; the writer will say it when its own writes fail */
        break;
      }
    else if (in_wal <= c->hard || in_wal - moved < RESTART_PAGES || in_wal - moved >= left)
      break;
  if (in_wal > c->hard)
    {
      int after = 0;
      if (sqlite3_wal_checkpoint_v2 (c->db, "main", SQLITE_CHECKPOINT_RESTART, &after, &moved) == SQLITE_OK)
        in_wal = 0;
    }
  atomic_store (&c->base, in_wal);
}

/* One rollup; true if there may be rows for another. */
static bool
roll (lf_checkpointer *c)
{
  sqlite3_busy_timeout (c->db, ROLL_BUSY_MS);
  bool more = lf_roll (c->db, &c->stop) == SQLITE_OK;
  sqlite3_busy_timeout (c->db, RESTART_BUSY_MS);
  return more;
}

/* Old rows go; true if there are more of them. */
static bool
retain (lf_checkpointer *c)
{
  sqlite3_busy_timeout (c->db, ROLL_BUSY_MS);
  int rc = lf_retain (c->db, &c->keep, &c->retaining, &c->stop);
  sqlite3_busy_timeout (c->db, RESTART_BUSY_MS);
  if (rc == LF_RETAINED)
    checkpoint (c);
  return rc == SQLITE_OK;
}

/* Waits to be woken, or for a quiet moment after commits, or for too many of them. */
static void
wait_for_work (lf_checkpointer *c)
{
  atomic_store (&c->sleeping, true); /* before the look: a commit that comes after it wakes the thread */
  unsigned before = atomic_load (&c->commits);
  if (before == c->rolled)
    pthread_cond_wait (&c->wake, &c->lock);
  atomic_store (&c->sleeping, false); /* one wake-up is enough for the many commits that follow */
  if (before == c->rolled)
    return;
  struct timespec end;
  clock_gettime (CLOCK_MONOTONIC, &end);
  end.tv_nsec += ROLL_QUIET_MS * 1000000L;
  end.tv_sec += end.tv_nsec / 1000000000L;
  end.tv_nsec %= 1000000000L;
  int rc = pthread_cond_timedwait (&c->wake, &c->lock, &end);
  unsigned now = atomic_load (&c->commits);
  if (c->keeps && ((rc == ETIMEDOUT && now == before) || now - c->retained >= RETAIN_COMMITS))
    {
      c->retain = true;
      c->retained = now;
    }
  if ((rc == ETIMEDOUT && now == before) || now - c->rolled >= ROLL_BACKLOG)
    {
      c->roll = true;
      c->rolled = now;
    }
}

static void *
serve (void *user)
{
  lf_checkpointer *c = user;
  pthread_mutex_lock (&c->lock);
  while (!c->stop)
    {
      if (!c->wanted && !c->roll && !c->retain)
        {
          wait_for_work (c);
          continue;
        }
      bool wanted = c->wanted, retaining = c->retain, rolling = c->roll && !retaining; /* no sums of rows that are about to go */
      c->wanted = c->retain = false;
      c->roll = c->roll && !rolling;
      pthread_mutex_unlock (&c->lock);
      if (wanted)
        {
          checkpoint (c);
          atomic_store (&c->pending, false);
        }
      bool more = rolling && roll (c), older = retaining && retain (c);
      pthread_mutex_lock (&c->lock);
      c->roll |= more;
      c->retain |= older;
    }
  pthread_mutex_unlock (&c->lock);
  return NULL;
}

void
lf_checkpointer_keep (lf_checkpointer *c, const lf_keep *keep)
{
  pthread_mutex_lock (&c->lock);
  c->keep = *keep;
  c->keeps = c->retain = true;
  pthread_cond_signal (&c->wake);
  pthread_mutex_unlock (&c->lock);
}

void
lf_checkpointer_note (lf_checkpointer *c, int pages)
{
  int base = atomic_load_explicit (&c->base, memory_order_relaxed);
  if (pages < base)
    atomic_store (&c->base, base = 0);
  bool wanted = pages - base >= c->soft && !atomic_exchange (&c->pending, true);
  atomic_fetch_add (&c->commits, 1);
  if (!wanted && !atomic_load (&c->sleeping))
    return;
  pthread_mutex_lock (&c->lock);
  c->wanted |= wanted;
  pthread_cond_signal (&c->wake);
  pthread_mutex_unlock (&c->lock);
}

static int
page_size (sqlite3 *db)
{
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = NULL;
  if (sqlite3_prepare_v2 (db, "PRAGMA page_size", -1, &st, NULL) == SQLITE_OK && sqlite3_step (st) == SQLITE_ROW)
    return sqlite3_column_int (st, 0);
  return 4096;
}

/* Signals belong to the program's own threads. */
static int
start_without_signals (lf_checkpointer *c)
{
  sigset_t all, before;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  int rc = pthread_create (&c->thread, NULL, serve, c);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return rc;
}

lf_checkpointer *
lf_checkpointer_start (const char *path, lf_error *err)
{
  lf_checkpointer *c = calloc (1, sizeof *c);
  if (c == NULL)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  pthread_mutex_init (&c->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (&c->wake, &monotonic);
  pthread_condattr_destroy (&monotonic);
  int rc = sqlite3_open_v2 (path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  if (rc != SQLITE_OK)
    lf_store_fail_db (c->db, path, rc, "open it for checkpoints", err);
  else
    {
      sqlite3_busy_timeout (c->db, RESTART_BUSY_MS);
      sqlite3_exec (c->db, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1024", NULL, NULL, NULL);
      int page = page_size (c->db);
      c->soft = WAL_SOFT_BYTES / page;
      c->hard = WAL_HARD_BYTES / page;
      c->roll = true; /* an older log may have none yet */
      rc = start_without_signals (c);
      if (rc == 0)
        return c;
      LF_FAIL (err, LF_EXIT_IO, path, "", "cannot start the thread for checkpoints: %s", strerror (rc));
    }
  sqlite3_close (c->db);
  pthread_cond_destroy (&c->wake);
  pthread_mutex_destroy (&c->lock);
  free (c);
  return NULL;
}

void
lf_checkpointer_stop (lf_checkpointer *c)
{
  if (c == NULL)
    return;
  pthread_mutex_lock (&c->lock);
  c->stop = true;
  pthread_cond_signal (&c->wake);
  pthread_mutex_unlock (&c->lock);
  pthread_join (c->thread, NULL);
  sqlite3_close (c->db);
  pthread_cond_destroy (&c->wake);
  pthread_mutex_destroy (&c->lock);
  free (c);
}
