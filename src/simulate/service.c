/* SPDX-License-Identifier: Apache-2.0
 *
 * The same work on a service that is always on: tasks (or machines) with so many places each, one queue in order of arrival before them,
 * a fixed number or as many as the load asks for.
 *
 * Scaling follows the target as AWS's target tracking does in outline: at the end of every period the busy share of the places is compared
 * with the target; too busy, and tasks are started at once, ready after their start-up time; for several periods not busy enough, and tasks
 * are ended, the newest first, each when its requests are done. A task is billed from its start, ready or not, for at least the minimum.
 */
#include <string.h>

#include "inside.h"

#define PERIOD_US INT64_C (60000000)
#define CALM_PERIODS 5           /* before tasks are ended */
#define WAITING_MAX 2000000

typedef struct task { lf_time_us started, ready; } task;
typedef struct wait { lf_time_us at; int64_t service; } wait;

typedef struct fleet
{
  const lf_service_options *o;
  lf_service_result *r;
  lf_queue done;                 /* ends of requests that are being served */
  task *tasks;
  size_t tasks_n, tasks_cap, ready_n;
  wait *ring;                    /* those that wait */
  size_t ring_n, ring_at, ring_cap;
  int64_t places, busy;          /* of tasks that are ready; places in use, those of ending tasks too */
  int64_t ending;                /* places that go when their request is done */
  lf_time_us now, last, period_end;
  double busy_us, place_us, billed_us;
  double period_busy_us;
  int calm;
  size_t calm_most;
} fleet;

static void
pass (fleet *f, lf_time_us t)
{
  double d = (double) (t - f->last);
  f->busy_us += d * (double) f->busy;
  f->period_busy_us += d * (double) f->busy;
  f->place_us += d * (double) f->places;
  f->last = f->now = t;
}

static int
serve (fleet *f, wait w)
{
  if (lf_queue_reserve (&f->done, f->done.n + 1) != 0)
    return -1;
  f->busy++;
  lf_queue_put (&f->done, f->now + w.service, 0);
  lf_hist_add (&f->r->wait, f->now - w.at);
  lf_hist_add (&f->r->latency, f->now - w.at + w.service);
  return 0;
}

static int
wait_in_line (fleet *f, wait w)
{
  if (f->ring_n == f->ring_cap)
    {
      if (f->ring_cap >= WAITING_MAX)
        return f->r->overloaded = true;
      size_t cap = f->ring_cap ? f->ring_cap * 2 : 1024;
      wait *v = malloc (cap * sizeof *v);
      if (!v)
        return -1;
      for (size_t i = 0; i < f->ring_n; i++)
        v[i] = f->ring[(f->ring_at + i) % f->ring_cap];
      free (f->ring);
      f->ring = v;
      f->ring_cap = cap;
      f->ring_at = 0;
    }
  f->ring[(f->ring_at + f->ring_n++) % f->ring_cap] = w;
  return 0;
}

static int
serve_waiting (fleet *f)
{
  while (f->ring_n && f->busy - f->ending < f->places)
    {
      wait w = f->ring[f->ring_at];
      f->ring_at = (f->ring_at + 1) % f->ring_cap;
      f->ring_n--;
      if (serve (f, w) != 0)
        return -1;
    }
  return 0;
}

/* ---- tasks ----------------------------------------------------------------------------------------------------------------- */

static int
start_tasks (fleet *f, size_t n, bool ready)
{
  while (f->tasks_n + n > f->tasks_cap)
    {
      size_t cap = f->tasks_cap ? f->tasks_cap * 2 : 16;
      task *v = realloc (f->tasks, cap * sizeof *v);
      if (!v)
        return -1;
      f->tasks = v;
      f->tasks_cap = cap;
    }
  for (size_t i = 0; i < n; i++)
    {
      f->tasks[f->tasks_n++] = (task){ f->now, ready ? f->now : f->now + f->o->start_us };
      if (ready)
        {
          f->ready_n++;
          f->places += f->o->places;
        }
    }
  if (f->tasks_n > f->r->tasks_max)
    f->r->tasks_max = f->tasks_n;
  return 0;
}

static void
bill (fleet *f, const task *t, lf_time_us end)
{
  int64_t us = end - t->started;
  f->billed_us += (double) (us > f->o->min_billed_us ? us : f->o->min_billed_us);
}

static void
end_task (fleet *f)
{
  task *t = &f->tasks[--f->tasks_n];
  bill (f, t, f->now);
  if (f->ready_n <= f->tasks_n)
    return; /* it was not ready yet */
  f->ready_n--;
  f->places -= f->o->places;
  int64_t over = f->busy - f->ending - f->places;
  if (over > 0)
    f->ending += over;
}

static lf_time_us
next_ready (const fleet *f)
{
  return f->ready_n < f->tasks_n ? f->tasks[f->ready_n].ready : INT64_MAX;
}

/* The end of a period: how many tasks would have been as busy as the target says. */
static int
control (fleet *f)
{
  double target = f->o->target, per_task = (double) f->o->places * (double) PERIOD_US;
  double wanted = f->period_busy_us / per_task / target; /* a queue is not seen: busy is busy */
  size_t want = (size_t) wanted;
  want += (double) want < wanted;
  want = want < f->o->tasks ? f->o->tasks : want;
  want = f->o->tasks_max && want > f->o->tasks_max ? f->o->tasks_max : want;
  f->period_busy_us = 0;
  f->period_end += PERIOD_US;
  if (want >= f->tasks_n)
    {
      f->calm = 0;
      f->calm_most = 0;
      return want > f->tasks_n ? start_tasks (f, want - f->tasks_n, false) : 0;
    }
  f->calm_most = want > f->calm_most ? want : f->calm_most;
  if (++f->calm < CALM_PERIODS)
    return 0;
  while (f->tasks_n > f->calm_most)
    end_task (f);
  f->calm = 0;
  f->calm_most = 0;
  return 0;
}

/* ---- the run --------------------------------------------------------------------------------------------------------------- */

typedef struct traffic { lf_stream **v; lf_arrival *head; bool *ended; size_t n, first; } traffic;

static int
pull (traffic *t, size_t i, lf_error *err)
{
  int got = lf_stream_next (t->v[i], &t->head[i], err);
  if (got == 0)
    {
      t->ended[i] = true;
      t->head[i].at = INT64_MAX;
    }
  return got < 0 ? -1 : 0;
}

static void
choose (traffic *t)
{
  t->first = 0;
  for (size_t i = 1; i < t->n; i++)
    if (t->head[i].at < t->head[t->first].at)
      t->first = i;
}

static int
happen (fleet *f, traffic *t, lf_rng *rng, lf_error *err)
{
  lf_time_us arrival = f->r->requests < f->o->requests_max ? t->head[t->first].at : INT64_MAX, done = lf_queue_next (&f->done), ready = next_ready (f);
  bool more = arrival != INT64_MAX || f->done.n || f->ring_n;
  lf_time_us period = f->o->target > 0 && more ? f->period_end : INT64_MAX;
  lf_time_us first = arrival < done ? arrival : done;
  first = ready < first && more ? ready : first;
  first = period < first ? period : first;
  if (first == INT64_MAX)
    return 0;
  pass (f, first);
  int failed = 0;
  if (first == done)
    {
      lf_queue_pop (&f->done);
      f->busy--;
      f->ending -= f->ending > 0;
      failed = serve_waiting (f);
    }
  else if (first == ready)
    {
      f->ready_n++;
      f->places += f->o->places;
      failed = serve_waiting (f);
    }
  else if (first == period)
    failed = control (f);
  else
    {
      lf_arrival *a = &t->head[t->first];
      int64_t us = f->o->law ? lf_dist_draw (f->o->law, rng) : lf_sim_round ((double) a->service_us * f->o->scale);
      wait w = { a->at, us };
      f->r->requests++;
      failed = f->busy - f->ending < f->places ? serve (f, w) : wait_in_line (f, w);
      if (!failed && pull (t, t->first, err) != 0)
        return -1;
      choose (t);
    }
  if (failed && !f->r->overloaded)
    return LF_FAIL_NOMEM (err);
  return failed ? 0 : 1;
}

static void
service_sum_up (fleet *f)
{
  lf_service_result *r = f->r;
  lf_time_us length = f->o->for_us != LF_NONE && f->now < f->o->for_us && r->requests < f->o->requests_max ? f->o->for_us : f->now;
  if (length < 1)
    length = 1;
  if (length > f->last)
    pass (f, length);
  for (size_t i = 0; i < f->tasks_n; i++)
    bill (f, &f->tasks[i], length);
  r->length_us = length;
  r->tasks_mean = f->billed_us / (double) length;
  r->busy_share = f->place_us > 0 ? f->busy_us / f->place_us : 0;
}

static int
service_run (fleet *f, traffic *t, lf_rng *rng, lf_rng *arrivals, lf_error *err)
{
  const lf_service_options *o = f->o;
  const lf_bytes *bytes = o->bytes;
  for (size_t i = 0; i < o->arrivals->n; i++, t->n++)
    {
      const lf_source_spec *spec = &o->arrivals->v[i];
      lf_rng_seed (&arrivals[i], o->seed, 10 + i);
      t->v[i] = lf_stream_new (spec, lf_source_is_trace (spec) ? bytes++ : NULL, o->for_us, o->only, &arrivals[i], err);
      if (!t->v[i] || pull (t, i, err) != 0)
        {
          t->n += t->v[i] != NULL;
          return -1;
        }
    }
  choose (t);
  if (start_tasks (f, o->tasks, true) != 0)
    return LF_FAIL_NOMEM (err);
  int more;
  while ((more = happen (f, t, rng, err)) == 1)
    ;
  return more;
}

int
lf_service_simulate (const lf_service_options *o, lf_service_result *out, lf_error *err)
{
  lf_stream *streams[LF_SOURCES_MAX] = { NULL };
  lf_arrival heads[LF_SOURCES_MAX];
  bool ended[LF_SOURCES_MAX] = { false };
  lf_rng rng, arrivals[LF_SOURCES_MAX];
  traffic t = { streams, heads, ended, 0, 0 };
  fleet f = { .o = o, .r = out, .period_end = PERIOD_US };
  memset (out, 0, sizeof *out);
  lf_rng_seed (&rng, o->seed, 1); /* as the first workload's warm handlers */
  int failed = lf_hist_init (&out->wait) != 0 || lf_hist_init (&out->latency) != 0 ? LF_FAIL_NOMEM (err) : 0;
  if (!failed)
    failed = service_run (&f, &t, &rng, arrivals, err);
  if (!failed)
    service_sum_up (&f);
  for (size_t i = 0; i < t.n; i++)
    lf_stream_free (streams[i]);
  lf_queue_fini (&f.done);
  free (f.tasks);
  free (f.ring);
  return failed;
}

void
lf_service_result_fini (lf_service_result *r)
{
  lf_hist_fini (&r->wait);
  lf_hist_fini (&r->latency);
}
