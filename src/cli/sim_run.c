/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs of scenarios on all cores. A run shares nothing with another, so what it comes to does not depend on who runs it or when.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulate.h"

#define THREADS_MAX 256
#define PROGRESS_AFTER_US 1000000
#define PROGRESS_EVERY_US 500000

/* ---- traces ---------------------------------------------------------------------------------------------------------------- */

typedef struct trace_file { int fd; char name[512]; } trace_file;

static int64_t
read_bytes (void *user, void *p, size_t n, lf_error *err)
{
  trace_file *f = user;
  ssize_t got;
  do
    got = read (f->fd, p, n);
  while (got < 0 && errno == EINTR);
  return got >= 0 ? got : LF_FAIL (err, LF_EXIT_IO, f->name, "", "cannot be read: %s", strerror (errno));
}

static int
rewind_bytes (void *user, lf_error *err)
{
  trace_file *f = user;
  return lseek (f->fd, 0, SEEK_SET) == 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, f->name, "save it in a file", "cannot be read twice: %s", strerror (errno));
}

static int
open_one (lf_bytes *b, const char *name, lf_error *err)
{
  trace_file *f = calloc (1, sizeof *f);
  if (!f)
    return LF_FAIL_NOMEM (err);
  snprintf (f->name, sizeof f->name, "%s", name);
  f->fd = strcmp (name, "-") == 0 ? fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open (name, O_RDONLY | O_CLOEXEC);
  *b = (lf_bytes){ .user = f, .read = read_bytes };
  if (f->fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, name, "", "cannot be opened: %s", strerror (errno));
  if (lseek (f->fd, 0, SEEK_CUR) >= 0)
    b->rewind = rewind_bytes;
  return 0;
}

int
lf_sim_files_open (lf_sim_files *f, const lf_arrivals_spec *spec, lf_error *err)
{
  f->n = 0;
  for (size_t i = 0; i < spec->n; i++)
    if (lf_source_is_trace (&spec->v[i]))
      {
        if (open_one (&f->bytes[f->n++], spec->v[i].file, err) != 0)
          return -1;
      }
  return 0;
}

void
lf_sim_files_close (lf_sim_files *f)
{
  for (size_t i = 0; i < f->n; i++)
    {
      trace_file *t = f->bytes[i].user;
      if (t && t->fd >= 0)
        close (t->fd);
      free (t);
    }
  f->n = 0;
}

/* ---- money ----------------------------------------------------------------------------------------------------------------- */

static int64_t
scaled (int64_t n, double by)
{
  double v = (double) n * by;
  return v < 9e18 ? (int64_t) (v + 0.5) : INT64_MAX;
}

void
lf_sim_cost (const lf_scenario *s, const lf_sim_result *r, double scale, lf_cost *out)
{
  *out = (lf_cost){ 0 };
  for (size_t i = 0; i < s->n && i < r->parts; i++)
    {
      const lf_function *f = &s->item[i].fn;
      const lf_sim_part *p = &r->part[i];
      lf_cost c;
      lf_cost_of (s->profile, f->region, f->arch, scaled (p->billed_ms, scale), scaled (p->init_ms, scale), f->memory_mb, f->tmp_mb,
                  scaled (p->billed_requests, scale), &c);
      lf_cost_add (out, &c);
    }
}

/* ---- one run --------------------------------------------------------------------------------------------------------------- */

typedef struct shared
{
  lf_sim_run *runs;
  size_t n;
  atomic_size_t next, finished;
  atomic_bool stop;
  bool progress;
  lf_time_us began;
  atomic_llong shown, requests, simulated; /* simulated: microseconds of all runs */
  double total_us;                         /* of all runs, 0 when a trace decides */
} shared;

typedef struct watcher { shared *s; lf_time_us at; int64_t requests; } watcher;

static void
show (shared *s)
{
  lf_time_us now = lf_now_us ();
  long long last = atomic_load (&s->shown);
  if (now - s->began < PROGRESS_AFTER_US || now - last < PROGRESS_EVERY_US || !atomic_compare_exchange_strong (&s->shown, &last, now))
    return;
  double seconds = (double) (now - s->began) / 1e6, requests = (double) atomic_load (&s->requests), done = (double) atomic_load (&s->simulated);
  char left[48] = "";
  if (s->total_us > 0 && done > 0)
    snprintf (left, sizeof left, "%3.0f %%, %.0f s left, ", 100 * done / s->total_us, seconds * (s->total_us - done) / done + 0.5);
  fprintf (stderr, "\r%s%zu of %zu runs, %.1f million requests, %.1f million/s \033[K", left, atomic_load (&s->finished), s->n, requests / 1e6,
           requests / 1e6 / seconds);
}

static int
progress (void *user, lf_time_us now, int64_t requests)
{
  watcher *w = user;
  atomic_fetch_add (&w->s->simulated, now - w->at);
  atomic_fetch_add (&w->s->requests, requests - w->requests);
  w->at = now;
  w->requests = requests;
  if (w->s->progress)
    show (w->s);
  return atomic_load (&w->s->stop);
}

static void
measure (lf_sim_run *run, const lf_sim_result *r)
{
  double *m = run->metric;
  lf_cost cost, month;
  lf_sim_cost (run->scenario, r, 1, &cost);
  lf_sim_cost (run->scenario, r, (double) LF_SIM_MONTH_US / (double) r->length_us, &month);
  run->known_cost = cost.known;
#define SET(name, value) m[LF_METRIC_##name] = (double) (value)
  SET (requests, r->total.requests);
  SET (cold, r->total.cold);
  SET (throttled, r->total.throttled);
  SET (failed, r->total.failed);
  SET (attempts, r->total.attempts);
  SET (timeouts, r->total.timeouts);
  SET (environments_mean, r->environments_mean);
  SET (environments_max, r->environments_max);
  SET (running_mean, r->running_mean);
  SET (running_max, r->running_max);
  SET (idle_mean, r->idle_mean);
  SET (lifespan_mean_s, r->lifespan_mean_s);
  SET (empty_share, r->empty_share);
  SET (found_empty, r->empty_found);
  SET (billed_ms, r->total.billed_ms);
  SET (cost_usd, lf_money_double (cost.total));
  SET (monthly_cost_usd, lf_money_double (month.total));
  SET (cost_requests_usd, lf_money_double (cost.requests));
  SET (cost_duration_usd, lf_money_double (cost.duration));
  SET (cost_init_usd, lf_money_double (cost.init));
  SET (cost_tmp_usd, lf_money_double (cost.tmp));
  SET (wait_mean, lf_hist_mean (&r->wait) / 1000);
  SET (wait_p50, lf_hist_percentile (&r->wait, 50) / 1000);
  SET (wait_p95, lf_hist_percentile (&r->wait, 95) / 1000);
  SET (wait_p99, lf_hist_percentile (&r->wait, 99) / 1000);
  SET (latency_mean, lf_hist_mean (&r->latency) / 1000);
  SET (latency_p50, lf_hist_percentile (&r->latency, 50) / 1000);
  SET (latency_p95, lf_hist_percentile (&r->latency, 95) / 1000);
  SET (latency_p99, lf_hist_percentile (&r->latency, 99) / 1000);
#undef SET
  if (r->latency.n == 0)
    for (int i = LF_METRIC_wait_mean; i <= LF_METRIC_latency_p99; i++)
      m[i] = -1; /* nothing was served: no times, not times of nought */
}

static int
run_opened (lf_sim_run *run, lf_sim_options *o, shared *s)
{
  watcher w = { .s = s };
  lf_sim_result *r = calloc (1, sizeof *r);
  if (!r)
    return LF_FAIL_NOMEM (&run->err);
  o->seed = run->seed;
  o->progress = progress;
  o->user = &w;
  int failed = lf_simulate (o, r, &run->err);
  if (failed == 0)
    measure (run, r);
  lf_hist_fini (&r->wait);
  lf_hist_fini (&r->latency);
  run->done = failed == 0 && !atomic_load (&s->stop);
  atomic_fetch_add (&s->requests, r->total.requests - w.requests);
  if (o->for_us != LF_NONE)
    atomic_fetch_add (&s->simulated, o->for_us - w.at);
  if (run->keep)
    run->result = r;
  else
    {
      lf_sim_result_fini (r);
      free (r);
    }
  return failed;
}

static int
run_one (lf_sim_run *run, shared *s)
{
  const lf_scenario *sc = run->scenario;
  lf_sim_options o = sc->options;
  lf_workload *work LF_CLEANUP (lf_freep) = malloc (sc->n * sizeof *work);
  lf_sim_files *files LF_CLEANUP (lf_freep) = calloc (sc->n, sizeof *files);
  size_t opened = 0;
  int failed = work && files ? 0 : LF_FAIL_NOMEM (&run->err);
  if (!failed)
    memcpy (work, sc->work, sc->n * sizeof *work);
  for (; !failed && opened < sc->n; opened++)
    {
      failed = lf_sim_files_open (&files[opened], work[opened].arrivals, &run->err);
      work[opened].bytes = files[opened].bytes;
    }
  o.work = work;
  if (!failed)
    failed = run_opened (run, &o, s);
  while (opened-- > 0)
    lf_sim_files_close (&files[opened]);
  return failed;
}

static void *
worker (void *user)
{
  shared *s = user;
  for (size_t i; !atomic_load (&s->stop) && (i = atomic_fetch_add (&s->next, 1)) < s->n;)
    {
      if (run_one (&s->runs[i], s) != 0)
        atomic_store (&s->stop, true);
      atomic_fetch_add (&s->finished, 1);
    }
  return NULL;
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------- */

static size_t
threads_wanted (size_t n)
{
  const char *text = getenv ("LAMBDAFIT_THREADS");
  int64_t threads = 0;
  if (!text || lf_parse_i64 (text, 1, THREADS_MAX, &threads) != 0)
    threads = sysconf (_SC_NPROCESSORS_ONLN);
  if (threads < 1)
    threads = 1;
  if (threads > THREADS_MAX)
    threads = THREADS_MAX;
  return (size_t) threads < n ? (size_t) threads : n;
}

int
lf_sim_run_all (lf_sim_run *runs, size_t n, bool quiet, lf_error *err)
{
  shared s = { .runs = runs, .n = n, .progress = !quiet && isatty (STDERR_FILENO), .began = lf_now_us () };
  for (size_t i = 0; i < n; i++)
    s.total_us += runs[i].scenario->options.for_us == LF_NONE ? 0 : (double) runs[i].scenario->options.for_us;
  pthread_t thread[THREADS_MAX];
  size_t started = 0, wanted = threads_wanted (n);
  while (started + 1 < wanted && pthread_create (&thread[started], NULL, worker, &s) == 0)
    started++;
  worker (&s);
  for (size_t i = 0; i < started; i++)
    pthread_join (thread[i], NULL);
  if (atomic_load (&s.shown) > 0)
    fputs ("\r\033[K", stderr);
  for (size_t i = 0; i < n; i++)
    if (runs[i].err.exit != LF_EXIT_OK)
      {
        *err = runs[i].err;
        return -1;
      }
  return 0;
}

void
lf_sim_runs_free (lf_sim_run *runs, size_t n)
{
  for (size_t i = 0; runs && i < n; i++)
    if (runs[i].result)
      {
        lf_sim_result_fini (runs[i].result);
        free (runs[i].result);
      }
  free (runs);
}

void
lf_sim_estimates (const lf_sim_run *runs, size_t n, lf_estimate out[LF_METRIC_COUNT])
{
  double *v LF_CLEANUP (lf_freep) = calloc (n + 1, sizeof *v);
  for (int m = 0; m < LF_METRIC_COUNT; m++)
    {
      size_t k = 0;
      for (size_t i = 0; v && i < n; i++)
        if (runs[i].metric[m] >= 0)
          v[k++] = runs[i].metric[m];
      out[m] = lf_estimate_of (v, k);
      if (k == 0)
        out[m].mean = -1;
    }
}

const char *
lf_metric_name (lf_metric m)
{
  static const char *const names[] = {
#define X(name) #name,
    LF_SIM_METRICS (X)
#undef X
  };
  return names[m];
}
