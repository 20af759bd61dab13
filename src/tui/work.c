/* SPDX-License-Identifier: Apache-2.0
 *
 * The two threads that work for the drawing one, so that neither a query nor the daemon ever holds up a key.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "inside.h"
#include "lambdafit/http.h"

#define READ_EVERY_MS 500
#define ASK_EVERY_MS 1000
#define NEWS_EVERY_US 150000 /* while a long log is read */

struct lf_work
{
  lf_app *app;
  pthread_t reader, asker;
  bool reads, asks;        /* started */
  pthread_mutex_t lock;    /* of what follows */
  pthread_cond_t wake;
  lf_want want;
  bool ask, stop;          /* ask: the daemon's view is open */
  unsigned told;           /* grows with each wish */
  int fd;
  lf_time_us last_news;    /* the reader's */
};

static void
say_news (lf_work *w)
{
  const uint64_t one = 1;
  if (write (w->fd, &one, sizeof one) < 0 && errno != EAGAIN)
    return;
}

int
lf_work_fd (const lf_work *w)
{
  return w->fd;
}

bool
lf_work_news (lf_work *w)
{
  uint64_t n;
  return read (w->fd, &n, sizeof n) == sizeof n;
}

/* Until somebody has a wish or the time is over. Called and returns with the lock held. */
static void
wait_for_wish (lf_work *w, unsigned known, int ms)
{
  struct timespec until;
  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long) (ms % 1000) * 1000000;
  until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  while (!w->stop && w->told == known)
    if (pthread_cond_timedwait (&w->wake, &w->lock, &until) != 0)
      return;
}

static bool
look (void *user, lf_want *want)
{
  lf_work *w = user;
  lf_time_us now = lf_now_us ();
  pthread_mutex_lock (&w->lock);
  *want = w->want;
  bool stop = w->stop;
  pthread_mutex_unlock (&w->lock);
  if (now - w->last_news > NEWS_EVERY_US)
    {
      w->last_news = now;
      say_news (w);
    }
  return stop;
}

static void *
read_log (void *user)
{
  lf_work *w = user;
  pthread_mutex_lock (&w->lock);
  while (!w->stop)
    {
      lf_want want = w->want;
      unsigned known = w->told;
      pthread_mutex_unlock (&w->lock);
      lf_error err = { 0 };
      if (lf_data_read (&w->app->data, &want, look, w, &err) != 0)
        say_news (w);
      pthread_mutex_lock (&w->lock);
      if (w->told == known)
        wait_for_wish (w, known, READ_EVERY_MS);
    }
  pthread_mutex_unlock (&w->lock);
  return NULL;
}

static void *
ask_daemon (void *user)
{
  lf_work *w = user;
  pthread_mutex_lock (&w->lock);
  while (!w->stop)
    {
      unsigned known = w->told;
      if (w->ask)
        {
          pthread_mutex_unlock (&w->lock);
          lf_app_ask_daemon (w->app);
          say_news (w);
          pthread_mutex_lock (&w->lock);
        }
      wait_for_wish (w, known, ASK_EVERY_MS);
    }
  pthread_mutex_unlock (&w->lock);
  return NULL;
}

void
lf_work_tell (lf_work *w)
{
  lf_want want;
  lf_app_want (w->app, &want);
  bool ask = w->app->place.view == LF_V_ENVIRONMENTS;
  pthread_mutex_lock (&w->lock);
  if (memcmp (&want, &w->want, sizeof want) != 0 || ask != w->ask)
    {
      w->want = want;
      w->ask = ask;
      w->told++;
      pthread_cond_broadcast (&w->wake);
    }
  pthread_mutex_unlock (&w->lock);
}

lf_work *
lf_work_start (lf_app *a, lf_error *err)
{
  sigset_t all, before;
  pthread_condattr_t clock;
  lf_work *w = calloc (1, sizeof *w);
  if (w == NULL)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  w->app = a;
  pthread_mutex_init (&w->lock, NULL);
  pthread_condattr_init (&clock);
  pthread_condattr_setclock (&clock, CLOCK_MONOTONIC);
  pthread_cond_init (&w->wake, &clock);
  pthread_condattr_destroy (&clock);
  w->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  lf_app_want (a, &w->want);
  w->ask = a->place.view == LF_V_ENVIRONMENTS;
  /* Signals belong to the drawing thread. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  w->reads = w->fd >= 0 && pthread_create (&w->reader, NULL, read_log, w) == 0;
  w->asks = w->reads && pthread_create (&w->asker, NULL, ask_daemon, w) == 0;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (w->asks)
    return w;
  (void) LF_FAIL (err, LF_EXIT_UNSUPPORTED, "top", "", "cannot start a thread");
  lf_work_stop (w);
  return NULL;
}

void
lf_work_stop (lf_work *w)
{
  if (w == NULL)
    return;
  pthread_mutex_lock (&w->lock);
  w->stop = true;
  pthread_cond_broadcast (&w->wake);
  pthread_mutex_unlock (&w->lock);
  if (w->reads)
    pthread_join (w->reader, NULL);
  if (w->asks)
    pthread_join (w->asker, NULL);
  if (w->fd >= 0)
    close (w->fd);
  pthread_cond_destroy (&w->wake);
  pthread_mutex_destroy (&w->lock);
  free (w);
}
