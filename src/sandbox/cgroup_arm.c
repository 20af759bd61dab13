/* SPDX-License-Identifier: Apache-2.0
 *
 * Registering a memory threshold with v1. The kernel waits for a grace period of RCU meanwhile (6 to 20 ms), which the daemon's
 * loop cannot afford, so one thread per driver does it. Every request brings its own descriptors: nothing is shared with the loop
 * but the queue.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cgroup_impl.h"

#define QUEUE_MAX 1024

typedef struct request
{
  int control, usage, event;
  int64_t threshold;
} request;

struct lf_cgp_armer
{
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  request queue[QUEUE_MAX];
  size_t first, n;
  bool stop;
};

static void
request_close (request *r)
{
  lf_cgp_close (&r->control);
  lf_cgp_close (&r->usage);
  lf_cgp_close (&r->event);
}

/* The eventfd becomes ready also when the kernel refuses: then the caller's look is all there is, and it must come. */
static void
request_do (request *r)
{
  char text[96];
  const uint64_t one = 1;
  int n = snprintf (text, sizeof text, "%d %d %lld", r->event, r->usage, (long long) r->threshold);
  ssize_t asked = write (r->control, text, (size_t) n), told = write (r->event, &one, sizeof one);
  (void) asked;
  (void) told;
}

static void *
work (void *p)
{
  lf_cgp_armer *a = p;
  pthread_mutex_lock (&a->lock);
  for (;;)
    {
      while (!a->n && !a->stop)
        pthread_cond_wait (&a->wake, &a->lock);
      if (a->stop)
        break;
      request r = a->queue[a->first];
      a->first = (a->first + 1) % QUEUE_MAX;
      a->n--;
      pthread_mutex_unlock (&a->lock);
      request_do (&r);
      request_close (&r);
      pthread_mutex_lock (&a->lock);
    }
  pthread_mutex_unlock (&a->lock);
  return NULL;
}

static lf_cgp_armer *
armer_new (void)
{
  lf_cgp_armer *a = calloc (1, sizeof *a);
  if (!a)
    return NULL;
  pthread_mutex_init (&a->lock, NULL);
  pthread_cond_init (&a->wake, NULL);
  /* The daemon's signals are for its loop. */
  sigset_t all, old;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  int r = pthread_create (&a->thread, NULL, work, a);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  if (r == 0)
    return a;
  pthread_cond_destroy (&a->wake);
  pthread_mutex_destroy (&a->lock);
  free (a);
  return NULL;
}

void
lf_cgp_armer_free (lf_cgp_armer *a)
{
  if (!a)
    return;
  pthread_mutex_lock (&a->lock);
  a->stop = true;
  pthread_cond_signal (&a->wake);
  pthread_mutex_unlock (&a->lock);
  pthread_join (a->thread, NULL);
  for (; a->n; a->n--, a->first = (a->first + 1) % QUEUE_MAX)
    request_close (&a->queue[a->first]);
  pthread_cond_destroy (&a->wake);
  pthread_mutex_destroy (&a->lock);
  free (a);
}

static bool
push (lf_cgp_armer *a, const request *r)
{
  pthread_mutex_lock (&a->lock);
  bool room = a->n < QUEUE_MAX;
  if (room)
    a->queue[(a->first + a->n++) % QUEUE_MAX] = *r;
  pthread_cond_signal (&a->wake);
  pthread_mutex_unlock (&a->lock);
  return room;
}

int
lf_cgp_arm (lf_cg_driver *d, int control, int usage, int event, int64_t threshold)
{
  request r = { control, fcntl (usage, F_DUPFD_CLOEXEC, 0), fcntl (event, F_DUPFD_CLOEXEC, 0), threshold };
  bool ok = r.usage >= 0 && r.event >= 0;
  if (ok && d->fake)
    {
      request_do (&r); /* a plain file takes no time, and tests look at once */
      request_close (&r);
    }
  else if (ok)
    {
      if (!d->armer)
        d->armer = armer_new ();
      ok = d->armer && push (d->armer, &r);
    }
  if (ok)
    return 0;
  lf_cgp_close (&r.usage);
  lf_cgp_close (&r.event);
  return -1;
}
