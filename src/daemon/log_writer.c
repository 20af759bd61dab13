/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log_writer.h"

#define QUEUE_MAX ((size_t) 4 << 20)
#define GATHER_MS 5
#define DRAIN_TURNS_MAX 25

struct lf_log_writer
{
  int fd;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake, idle;
  lf_buf queue;
  size_t dropped;
  bool ending, writing;
};

static void
write_all (int fd, const char *p, size_t n)
{
  while (n > 0)
    {
      ssize_t w = write (fd, p, n);
      if (w > 0)
        {
          p += w;
          n -= (size_t) w;
        }
      else if (w < 0 && errno == EAGAIN)
        poll (&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 1000);
      else if (w < 0 && errno != EINTR)
        return; /* the reader is gone: nothing more can be shown */
    }
}

static void *
run (void *arg)
{
  lf_log_writer *w = arg;
  lf_buf mine;
  lf_buf_init (&mine, QUEUE_MAX);
  pthread_mutex_lock (&w->lock);
  for (;;)
    {
      while (w->queue.len == 0 && !w->ending)
        pthread_cond_wait (&w->wake, &w->lock);
      if (w->queue.len == 0)
        break;
      if (!w->ending)
        {
          /* What comes within the next moment is written with it: a wake-up for each line would cost more than the line. */
          pthread_mutex_unlock (&w->lock);
          poll (NULL, 0, GATHER_MS);
          pthread_mutex_lock (&w->lock);
        }
      lf_buf swap = w->queue;
      w->queue = mine;
      mine = swap;
      w->writing = true;
      size_t dropped = w->dropped;
      w->dropped = 0;
      pthread_mutex_unlock (&w->lock);
      write_all (w->fd, mine.data, mine.len);
      if (dropped)
        {
          char note[100];
          int n = snprintf (note, sizeof note, "\nlambdafit: %zu bytes of output were dropped: standard error is too slow\n", dropped);
          write_all (w->fd, note, (size_t) n);
        }
      if (mine.cap > 65536)
        lf_buf_fini (&mine), lf_buf_init (&mine, QUEUE_MAX);
      else
        lf_buf_reset (&mine);
      pthread_mutex_lock (&w->lock);
      w->writing = false;
      pthread_cond_broadcast (&w->idle);
    }
  pthread_mutex_unlock (&w->lock);
  lf_buf_fini (&mine);
  return NULL;
}

lf_log_writer *
lf_log_writer_new (int fd, lf_error *err)
{
  lf_log_writer *w = calloc (1, sizeof *w);
  if (!w)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  w->fd = fd;
  pthread_mutex_init (&w->lock, NULL);
  pthread_cond_init (&w->wake, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init (&monotonic);
  pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init (&w->idle, &monotonic);
  pthread_condattr_destroy (&monotonic);
  lf_buf_init (&w->queue, QUEUE_MAX);
  /* Signals are the loop's business. */
  sigset_t all, before;
  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, &before);
  int rc = pthread_create (&w->thread, NULL, run, w);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (rc != 0)
    {
      (void) LF_FAIL (err, LF_EXIT_IO, "log writer", "", "its thread cannot be started: %s", strerror (rc));
      free (w);
      return NULL;
    }
  return w;
}

void
lf_log_writer_add (lf_log_writer *w, const char *text, size_t n)
{
  pthread_mutex_lock (&w->lock);
  bool first = w->queue.len == 0;
  if (lf_buf_add (&w->queue, text, n) < 0)
    {
      w->queue.failed = false;
      w->dropped += n;
    }
  if (first)
    pthread_cond_signal (&w->wake);
  pthread_mutex_unlock (&w->lock);
}

/* False: so long it was not done. */
static bool
wait_written (lf_log_writer *w, int ms)
{
  struct timespec end;
  clock_gettime (CLOCK_MONOTONIC, &end);
  end.tv_sec += ms / 1000;
  end.tv_nsec += ms % 1000 * 1000000L;
  if (end.tv_nsec >= 1000000000L)
    {
      end.tv_sec++;
      end.tv_nsec -= 1000000000L;
    }
  int rc = 0;
  pthread_mutex_lock (&w->lock);
  while ((w->queue.len > 0 || w->writing) && rc == 0)
    rc = pthread_cond_timedwait (&w->idle, &w->lock, &end);
  pthread_mutex_unlock (&w->lock);
  return rc == 0;
}

bool
lf_log_writer_drain (lf_log_writer *w, int ms)
{
  struct pollfd to = { .fd = w->fd, .events = POLLOUT };
  for (int i = 0; i < DRAIN_TURNS_MAX; i++)
    {
      if (wait_written (w, ms))
        return true;
      if (poll (&to, 1, 0) != 1 || !(to.revents & POLLOUT))
        return false;
    }
  return false;
}

void
lf_log_writer_free (lf_log_writer *w)
{
  if (!w)
    return;
  pthread_mutex_lock (&w->lock);
  w->ending = true;
  pthread_cond_signal (&w->wake);
  pthread_mutex_unlock (&w->lock);
  pthread_join (w->thread, NULL);
  pthread_mutex_destroy (&w->lock);
  pthread_cond_destroy (&w->wake);
  pthread_cond_destroy (&w->idle);
  lf_buf_fini (&w->queue);
  free (w);
}
