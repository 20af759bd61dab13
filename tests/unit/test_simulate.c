/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator against formulas: what queueing theory says in closed form, what others have published, and what must hold in any run.
 */
#include "simulate_world.h"

/* ---- figures of a result ----------------------------------------------------------------------------------------------------- */

static double rejected (const lf_sim_result *r) { return (double) r->total.throttled / (double) r->total.requests; }
static double cold_share (const lf_sim_result *r) { return (double) r->total.cold / (double) r->total.requests; }
static double empty (const lf_sim_result *r) { return r->empty_share; }
static double found_empty (const lf_sim_result *r) { return (double) r->empty_found / (double) r->total.requests; }
static double environments (const lf_sim_result *r) { return r->environments_mean; }
static double running (const lf_sim_result *r) { return r->running_mean; }
static double billed (const lf_sim_result *r) { return (double) r->total.billed_ms / (double) r->total.served; }
static double requests (const lf_sim_result *r) { return (double) r->total.requests; }

/* ---- closed forms ------------------------------------------------------------------------------------------------------------ */

static void
rejections_are_erlang_b (void **state)
{
  (void) state;
  static const struct { double load; int servers; double keepalive; } cells[]
      = { { 2, 2, 300 }, { 5, 5, 300 }, { 5, 8, 0 }, { 8, 10, 10 }, { 20, 22, 300 }, { 0.5, 1, 0 }, { 30, 30, 1 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (cells); i++)
    {
      world w;
      char arrivals[40];
      snprintf (arrivals, sizeof arrivals, "poisson:%g/s", cells[i].load / 2);
      world_set (&w, arrivals, "exp:2s", NULL, "exp:2s", cells[i].keepalive, "10000s");
      w.options.concurrency = cells[i].servers;
      assert_within (&w, 10, rejected, erlang_b (cells[i].load, cells[i].servers), 1.3);
      world_fini (&w);
    }
}

/* Insensitive to the law of the service time: a constant and a heavy tail reject as an exponential does. */
static void
erlang_b_does_not_see_the_law (void **state)
{
  (void) state;
  static const char *const laws[] = { "fixed:1s", "lognormal:606ms,1", "uniform:0s,2s" }; /* 606.5 ms * exp (1/2) = 1 s */
  for (size_t i = 0; i < LF_ARRAY_LEN (laws); i++)
    {
      world w;
      world_set (&w, "poisson:4/s", laws[i], NULL, laws[i], 60, "10000s");
      w.options.concurrency = 5;
      assert_within (&w, 10, rejected, erlang_b (4, 5), 1.5);
      world_fini (&w);
    }
}

static void
scales_to_zero (void **state)
{
  (void) state;
  static const struct { double rate, mean, keepalive; } cells[] = { { 0.05, 2, 10 }, { 0.01, 5, 60 }, { 0.2, 1, 5 }, { 0.1, 4, 0 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (cells); i++)
    {
      world w;
      char arrivals[40], law[40];
      snprintf (arrivals, sizeof arrivals, "poisson:%g/s", cells[i].rate);
      snprintf (law, sizeof law, "exp:%gs", cells[i].mean);
      world_set (&w, arrivals, law, NULL, NULL, cells[i].keepalive, "10d");
      double expected = exp (-cells[i].rate * (cells[i].mean + cells[i].keepalive));
      assert_within (&w, 12, empty, expected, 1.2);
      assert_within (&w, 12, found_empty, expected, 1.2); /* what an arrival sees is what holds over time */
      world_fini (&w);
    }
}

static void
without_keepalive_all_are_cold (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "poisson:20/s", "exp:1s", "fixed:500ms", NULL, 0, "2000s");
  w.options.concurrency = 30;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.cold, r.total.requests - r.total.throttled);
  assert_true (r.total.cold > 30000 && r.total.throttled > 0);
  assert_true (r.idle_mean == 0);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

/* L = lambda W, on every path. What runs over the end is cut off one side only, so the two agree up to that. */
static void
little_holds (void **state)
{
  (void) state;
  static const char *const traffic[] = { "poisson:30/s", "constant:12/s", "burst:200@10s/60s", "diurnal:5/s,0.9" };
  for (size_t i = 0; i < LF_ARRAY_LEN (traffic); i++)
    {
      world w;
      lf_sim_result r;
      world_set (&w, traffic[i], "exp:800ms", "uniform:100ms,2s", NULL, 30, "20000s");
      assert_int_equal (world_run (&w, 3, &r), 0);
      double time = lf_hist_mean (&r.latency) * (double) r.latency.n, held = r.running_mean * (double) r.length_us;
      assert_true (fabs (time - held) < time * 1e-3);
      assert_true (fabs (r.environments_mean - r.running_mean - r.idle_mean) < 1e-9);
      lf_sim_result_fini (&r);
      world_fini (&w);
    }
}

/* The whole milliseconds of an exponential of mean m are geometric: their mean is 1 / (1 - exp (-1/m)). */
static void
billed_time_of_an_exponential (void **state)
{
  (void) state;
  world w;
  world_set (&w, "poisson:50/s", "exp:2ms", NULL, NULL, 300, "4000s");
  assert_within (&w, 8, billed, 1 / (1 - exp (-1 / 2.0)), 1.5);
  world_fini (&w);
  world_set (&w, "poisson:50/s", "exp:100ms", NULL, NULL, 300, "4000s");
  assert_within (&w, 8, billed, 1 / (1 - exp (-1 / 100.0)), 1.5);
  world_fini (&w);
}

/* Published: arrivals 0.9/s, warm 1.991 s, cold 2.244 s, kept 600 s: 0.133 % cold, 7.69 environments, 1.792 at work. */
static void
a_published_run (void **state)
{
  (void) state;
  world w;
  world_set (&w, "poisson:0.9/s", "exp:1.991s", NULL, "exp:2.244s", 600, "30d");
  w.options.pick = LF_PICK_NEWEST;
  assert_within (&w, 4, environments, 7.69, 1.5);
  assert_within (&w, 4, running, 0.9 * (1.991 * (1 - 0.00133) + 2.244 * 0.00133), 1.5);
  assert_within (&w, 4, cold_share, 0.00133, 1.5);
  w.options.pick = LF_PICK_MRU;
  assert_within (&w, 4, environments, 7.69, 1.5);
  assert_within (&w, 4, cold_share, 0.00133, 1.5);
  world_fini (&w);
}

/* ---- the rule of most-recently-used picking ----------------------------------------------------------------------------------- */

typedef struct span { int64_t from, to; } span;
typedef struct spans { span *v; size_t n, cap; } spans;

static int
keep_span (const lf_sim_row *row, void *user, lf_error *err)
{
  spans *s = user;
  (void) err;
  if (row->environment == 0)
    return 0;
  if (s->n == s->cap)
    s->v = realloc (s->v, (s->cap = s->cap ? s->cap * 2 : 4096) * sizeof *s->v);
  assert_non_null (s->v);
  s->v[s->n++] = (span){ row->inv->received, row->inv->ended };
  return 0;
}

typedef struct change { int64_t at; int by; } change;

static int
by_time (const void *a, const void *b)
{
  const change *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->by - y->by; /* who ends now serves who comes now */
}

/* Environments at t are the most that were busy at once in the window [t - T, t]: a request is cold exactly when it makes a new maximum.
 * Computed from when each request began and ended, and from nothing else. */
static void
rule (const spans *s, int64_t keep, int64_t end, int64_t *cold, double *mean, int64_t *most)
{
  change *c = malloc (2 * s->n * sizeof *c);
  struct { int64_t until, level; } *window = malloc ((2 * s->n + 1) * sizeof *window);
  size_t head = 0, tail = 0;
  int64_t level = 0, at = 0;
  double area = 0;
  assert_non_null (c);
  assert_non_null (window);
  for (size_t i = 0; i < s->n; i++)
    {
      c[2 * i] = (change){ s->v[i].from, 1 };
      c[2 * i + 1] = (change){ s->v[i].to, -1 };
    }
  qsort (c, 2 * s->n, sizeof *c, by_time);
  *cold = *most = 0;
  for (size_t i = 0; i <= 2 * s->n; i++)
    {
      int64_t next = i < 2 * s->n && c[i].at < end ? c[i].at : end;
      while (at < next)
        {
          while (head < tail && window[head].until <= at)
            head++;
          int64_t alive = head < tail && window[head].level > level ? window[head].level : level;
          int64_t stop = head < tail && window[head].level > level && window[head].until < next ? window[head].until : next;
          area += (double) alive * (double) (stop - at);
          at = stop;
        }
      if (i == 2 * s->n || c[i].at >= end)
        break;
      while (head < tail && window[head].until <= at)
        head++;
      int64_t alive = head < tail && window[head].level > level ? window[head].level : level;
      if (c[i].by < 0)
        {
          while (tail > head && window[tail - 1].level <= level)
            tail--;
          window[tail].until = at + keep;
          window[tail++].level = level;
        }
      level += c[i].by;
      *cold += level > alive;
      alive = alive > level ? alive : level;
      *most = *most > alive ? *most : alive;
    }
  *mean = area / (double) end;
  free (c);
  free (window);
}

static void
most_recently_used_is_a_window_maximum (void **state)
{
  (void) state;
  static const struct { const char *arrivals, *warm, *cold; double keepalive; } cells[]
      = { { "poisson:0.9/s", "exp:1.991s", "exp:2.244s", 600 }, { "poisson:5/s", "exp:1s", NULL, 10 },     { "poisson:5/s", "exp:1s", "exp:5s", 10 },
          { "poisson:20/s", "fixed:700ms", NULL, 3 },           { "poisson:1/s", "lognormal:1s,1", NULL, 60 }, { "poisson:50/s", "uniform:10ms,900ms", NULL, 1 },
          { "burst:40@5s/30s", "exp:2s", NULL, 45 },            { "burst:40@5s/30s", "exp:2s", NULL, 20 },   { "diurnal:2/s,1", "exp:3s", "exp:6s", 300 },
          { "poisson:100/s", "exp:200ms", NULL, 0.5 },          { "constant:7/s", "exp:1500ms", NULL, 20 },  { "poisson:0.02/s", "exp:10s", NULL, 100 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (cells); i++)
    {
      world w;
      lf_sim_result r;
      spans s = { 0 };
      int64_t cold, most;
      double mean;
      world_set (&w, cells[i].arrivals, cells[i].warm, NULL, cells[i].cold, cells[i].keepalive, "2h");
      w.options.row = keep_span;
      w.options.user = &s;
      assert_int_equal (world_run (&w, 5 + i, &r), 0);
      rule (&s, w.fn.keepalive_ms * 1000, r.length_us, &cold, &mean, &most);
      assert_int_equal (r.total.throttled, 0);
      assert_int_equal (r.total.cold, cold);
      assert_int_equal (r.environments_max, most);
      assert_true (fabs (r.environments_mean - mean) < 1e-9 * mean + 1e-12);
      free (s.v);
      lf_sim_result_fini (&r);
      world_fini (&w);
    }
}

/* ---- what happens to single requests ------------------------------------------------------------------------------------------ */

static void
a_burst_starts_as_many (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "burst:500@0s/10s", "fixed:5s", "fixed:2s", NULL, 300, "20s");
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.requests, 1000);
  assert_int_equal (r.total.cold, 500);
  assert_int_equal (r.environments_max, 500);
  assert_int_equal (r.total.billed_ms, 500 * 7000 + 500 * 5000);
  assert_int_equal (r.total.init_ms, 500 * 2000);
  assert_true (lf_hist_percentile (&r.latency, 50) == 5e6 && lf_hist_percentile (&r.latency, 51) == 7e6);
  lf_sim_result_fini (&r);
  w.options.concurrency = 100; /* the account's limit lets 100 in */
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.throttled, 800);
  lf_sim_result_fini (&r);
  w.options.concurrency = 0;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.throttled, 1000);
  assert_int_equal (r.total.billed_ms, 0);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

static void
the_scaling_rate_holds (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "burst:3000@0s/10s", "fixed:1s", NULL, NULL, 300, "11s");
  w.options.concurrency = 10000;
  w.options.scaling_limit = true;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.cold, 2000); /* 1,000 at once, 1,000 more in ten seconds */
  assert_int_equal (r.total.throttled, 2000 + 1000);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

static void
timeouts_and_long_inits (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "constant:0.1/s", "fixed:5s", "fixed:1s", NULL, 300, "30s");
  w.fn.timeout_ms = 3000;
  assert_int_equal (world_run (&w, 1, &r), 0);
  /* The first is cold: init 1 s, then 3 s of handler. The second and third find the environment reset: init is a part of the 3 s. */
  assert_int_equal (r.total.cold, 1);
  assert_int_equal (r.total.timeouts, 3);
  assert_int_equal (r.total.failed, 3);
  assert_int_equal (r.total.billed_ms, 4000 + 3000 + 3000);
  lf_sim_result_fini (&r);
  world_fini (&w);
  world_set (&w, "burst:1@0s", "fixed:5s", "fixed:12s", NULL, 300, "60s");
  assert_int_equal (world_run (&w, 1, &r), 0);
  /* Init is given up after 10 s and runs again inside the invocation: 10 + 12 + 5 s. */
  assert_true (lf_hist_mean (&r.latency) == 27e6);
  assert_int_equal (r.total.billed_ms, 17000);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

static int
sum_of_attempts (const lf_sim_row *row, void *user, lf_error *err)
{
  int64_t *at = user;
  (void) err;
  assert_true (row->attempt >= 1 && row->attempt <= 3);
  at[row->attempt] = row->inv->ended;
  return 0;
}

static void
asynchronous_events_are_retried (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  int64_t at[4] = { 0 };
  world_set (&w, "burst:1@5s", "fixed:2s", NULL, NULL, 300, "1h");
  w.work.async = true;
  w.work.law.fail = 1;
  w.options.row = sum_of_attempts;
  w.options.user = at;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.attempts, 3);
  assert_int_equal (r.total.failed, 1);
  assert_int_equal (r.total.requests, 1);
  assert_int_equal (at[1], 7000000);
  assert_int_equal (at[2], 69000000);  /* a minute later, and its own 2 s */
  assert_int_equal (at[3], 191000000); /* two minutes later */
  lf_sim_result_fini (&r);
  world_fini (&w);
  /* A throttled event is not lost: it comes again until there is room. */
  world_set (&w, "burst:50@0s", "fixed:2s", NULL, NULL, 300, "1h");
  w.work.async = true;
  w.options.concurrency = 1;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.served, 50);
  assert_int_equal (r.total.failed + r.total.throttled, 0);
  assert_true (r.total.attempts > 50 && lf_hist_mean (&r.wait) > 0);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

static void
throttled_callers_try_again (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "poisson:12/s", "exp:500ms", NULL, NULL, 300, "5000s");
  w.options.concurrency = 8;
  assert_int_equal (world_run (&w, 1, &r), 0);
  int64_t without = r.total.throttled;
  lf_sim_result_fini (&r);
  w.work.retries = 5;
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_true (without > 1000 && r.total.throttled < without / 10);
  assert_int_equal (r.total.attempts, r.total.served + r.total.throttled + (r.total.attempts - r.total.requests));
  assert_true (lf_hist_percentile (&r.wait, 99) > 0 && lf_hist_percentile (&r.wait, 50) == 0);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

/* ---- arrivals ------------------------------------------------------------------------------------------------------------------ */

static void
as_many_as_the_rate_says (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "poisson:3/s", "fixed:1ms", NULL, NULL, -1, "10000s");
  assert_within (&w, 10, requests, 30000, 1.5);
  world_fini (&w);
  world_set (&w, "constant:10/s", "fixed:1ms", NULL, NULL, -1, "100s");
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.requests, 1000);
  lf_sim_result_fini (&r);
  world_fini (&w);
  world_set (&w, "diurnal:2/s,0.7", "fixed:1ms", NULL, NULL, -1, "4d");
  assert_within (&w, 10, requests, 2 * 86400 * 4, 1.5);
  assert_int_equal (world_run (&w, 1, &r), 0);
  double day = 0, night = 0; /* 60 bins a day: around 15:00, and around 03:00 */
  for (int d = 0; d < 4; d++)
    {
      day += (double) r.bins[60 * d + 37].requests;
      night += (double) r.bins[60 * d + 7].requests;
    }
  assert_true (day / night > 4.9 && day / night < 6.4); /* 1.7 / 0.3 */
  lf_sim_result_fini (&r);
  world_fini (&w);
  world_set (&w, "weekly:2/s,0,0.25", "fixed:1ms", NULL, NULL, -1, "14d");
  assert_within (&w, 6, requests, 2 * 86400 * (10 + 4 * 0.25), 1.5);
  world_fini (&w);
  world_set (&w, "poisson:1/s+burst:100@10s/100s+constant:2/s", "fixed:1ms", NULL, NULL, -1, "1000s");
  assert_within (&w, 10, requests, 1000 + 1000 + 2000, 1.5);
  world_fini (&w);
}

/* ---- a service that is always on ------------------------------------------------------------------------------------------------- */

static double
erlang_c (double load, int servers)
{
  double b = erlang_b (load, servers);
  return b / (1 - load / servers * (1 - b));
}

static void
service_of (const world *w, lf_service_options *o)
{
  *o = (lf_service_options){ .arrivals = &w->arrivals, .law = &w->warm, .scale = 1, .for_us = w->options.for_us, .requests_max = INT64_MAX, .places = 1 };
}

/* The mean wait of M/M/c, and of M/D/1 (half of it), whether the places are one task's or many tasks'. */
static void
waits_are_erlang_c (void **state)
{
  (void) state;
  static const struct { const char *law; double load; int tasks, places; double factor; } cells[]
      = { { "exp:1s", 0.7, 1, 1, 1 }, { "exp:1s", 3, 4, 1, 1 }, { "exp:1s", 3, 2, 2, 1 }, { "exp:1s", 8, 10, 1, 1 }, { "exp:1s", 17, 5, 4, 1 },
          { "fixed:1s", 0.8, 1, 1, 0.5 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (cells); i++)
    {
      world w;
      char arrivals[40];
      double mean[10];
      int servers = cells[i].tasks * cells[i].places;
      snprintf (arrivals, sizeof arrivals, "poisson:%g/s", cells[i].load);
      world_set (&w, arrivals, cells[i].law, NULL, NULL, -1, "15000s");
      for (size_t k = 0; k < LF_ARRAY_LEN (mean); k++)
        {
          lf_service_options o;
          lf_service_result r;
          service_of (&w, &o);
          o.seed = k + 1;
          o.tasks = (size_t) cells[i].tasks;
          o.places = cells[i].places;
          assert_int_equal (lf_service_simulate (&o, &r, &w.err), 0);
          assert_true (fabs (r.busy_share - cells[i].load / servers) < 0.02);
          assert_true (fabs (r.tasks_mean - cells[i].tasks) < 0.01);
          mean[k] = lf_hist_mean (&r.wait) / 1e6;
          lf_service_result_fini (&r);
        }
      lf_estimate e = lf_estimate_of (mean, LF_ARRAY_LEN (mean));
      double expected = cells[i].factor * erlang_c (cells[i].load, servers) / (servers - cells[i].load);
      if (!(fabs (e.mean - expected) <= 1.4 * e.half))
        fail_msg ("%g of %d: waits %.5g ± %.2g, expected %.5g", cells[i].load, servers, e.mean, e.half, expected);
      world_fini (&w);
    }
}

static void
scaling_follows_the_load (void **state)
{
  (void) state;
  world w;
  lf_service_options o;
  lf_service_result r;
  world_set (&w, "diurnal:20/s,0.9", "exp:1s", NULL, NULL, -1, "3d");
  service_of (&w, &o);
  o.tasks = 1;
  o.target = 0.7;
  o.start_us = 45000000;
  o.min_billed_us = 60000000;
  assert_int_equal (lf_service_simulate (&o, &r, &w.err), 0);
  /* About as many as the load over the target, at most what the peak asks for, and hardly any waiting once they are there. */
  assert_true (r.tasks_mean > 20 / 0.7 * 0.95 && r.tasks_mean < 20 / 0.7 * 1.35);
  assert_true (r.tasks_max > 38 / 0.7 * 0.9 && r.tasks_max < 38 / 0.7 * 1.6);
  assert_true (lf_hist_percentile (&r.wait, 99) < 1e6);
  assert_false (r.overloaded);
  lf_service_result_fini (&r);
  world_fini (&w);
  /* A burst finds the tasks that were there: those that it starts are ready when it is over, and are billed for their minute. */
  world_set (&w, "constant:1/s+burst:200@65s", "fixed:500ms", NULL, NULL, -1, "30m");
  service_of (&w, &o);
  o.tasks = 1;
  o.target = 0.7;
  o.start_us = 45000000;
  o.min_billed_us = 60000000;
  assert_int_equal (lf_service_simulate (&o, &r, &w.err), 0);
  assert_true (r.tasks_max > 1 && lf_hist_percentile (&r.wait, 95) > 30e6);
  lf_service_result_fini (&r);
  world_fini (&w);
}

static void
too_little_is_said (void **state)
{
  (void) state;
  world w;
  lf_service_options o;
  lf_service_result r;
  world_set (&w, "poisson:2000/s", "fixed:10s", NULL, NULL, -1, "1h");
  service_of (&w, &o);
  o.tasks = 1;
  assert_int_equal (lf_service_simulate (&o, &r, &w.err), 0);
  assert_true (r.overloaded);
  lf_service_result_fini (&r);
  world_fini (&w);
}

/* ---- what always holds ----------------------------------------------------------------------------------------------------------- */

typedef struct ledger { int64_t rows, cold, refused, billed, begun, ended, last_number; } ledger;

static int
enter (const lf_sim_row *row, void *user, lf_error *err)
{
  ledger *l = user;
  (void) err;
  l->rows++;
  l->cold += row->environment && row->inv->cold;
  l->refused += row->environment == 0;
  l->billed += row->billed_ms == LF_NONE ? 0 : row->billed_ms;
  assert_true (row->inv->finished && row->inv->ended >= row->inv->received && row->inv->received >= row->arrived);
  assert_true (row->environment == 0 || row->inv->ended == row->inv->received + row->inv->wait_us + (row->inv->init_us > 0 ? row->inv->init_us : 0)
                                                               + (row->inv->abandoned_init_us > 0 ? row->inv->abandoned_init_us : 0) + row->inv->duration_us);
  return 0;
}

static int
env_enter (const lf_env *e, size_t workload, lf_time_us ended, lf_env_end why, void *user, lf_error *err)
{
  ledger *l = user;
  (void) workload;
  (void) why;
  (void) err;
  if (ended == LF_NONE)
    l->begun++;
  else
    {
      l->ended++;
      assert_true (ended >= e->created);
    }
  return 0;
}

static void
the_books_balance (void **state)
{
  (void) state;
  lf_rng rng;
  lf_rng_seed (&rng, 42, 0);
  static const char *const traffic[] = { "poisson:8/s", "constant:30/s", "burst:70@1s/20s", "diurnal:4/s,1+burst:200@600s", "poisson:0.1/s" };
  static const char *const laws[] = { "exp:700ms", "fixed:300ms", "lognormal:1s,1.5", "uniform:0s,4s" };
  static const char *const inits[] = { NULL, "fixed:1s", "lognormal:3s,1" };
  for (int i = 0; i < 120; i++)
    {
      world w;
      lf_sim_result r;
      ledger l = { 0 };
      world_set (&w, traffic[lf_rng_u64 (&rng) % 5], laws[lf_rng_u64 (&rng) % 4], inits[lf_rng_u64 (&rng) % 3], NULL,
                 (double) (lf_rng_u64 (&rng) % 4) * 7, "1000s");
      w.fn.timeout_ms = (int64_t) (1 + lf_rng_u64 (&rng) % 10) * 1000;
      w.fn.life_ms = lf_rng_u64 (&rng) % 3 ? LF_NONE : 50000;
      w.fn.reserved = lf_rng_u64 (&rng) % 3 ? LF_NONE : (int64_t) (lf_rng_u64 (&rng) % 20);
      w.options.concurrency = (int64_t) (lf_rng_u64 (&rng) % 40);
      w.options.pick = (lf_pick) (lf_rng_u64 (&rng) % 3);
      w.options.rate_limit = lf_rng_u64 (&rng) % 2;
      w.options.scaling_limit = lf_rng_u64 (&rng) % 2;
      w.work.async = lf_rng_u64 (&rng) % 2;
      w.work.retries = (int) (lf_rng_u64 (&rng) % 4);
      w.work.law.fail = lf_rng_u64 (&rng) % 2 ? 0.1 : 0;
      w.options.row = enter;
      w.options.env = env_enter;
      w.options.user = &l;
      assert_int_equal (world_run (&w, (uint64_t) i, &r), 0);
      assert_int_equal (l.rows, r.total.attempts);
      assert_int_equal (l.cold, r.total.cold);
      assert_int_equal (l.cold, r.started);
      assert_int_equal (l.rows - l.refused, r.total.served);
      assert_int_equal (l.billed, r.total.billed_ms);
      assert_int_equal (l.begun, r.started);
      assert_true (l.ended >= r.ended && l.ended <= l.begun);
      assert_true (r.environments_max >= r.running_max && r.running_max <= w.options.concurrency);
      assert_true (r.environments_mean >= r.running_mean && r.idle_mean >= 0);
      if (!w.work.async)
        assert_int_equal (r.total.requests, r.total.served + r.total.throttled);
      int64_t sum = 0;
      for (size_t k = 0; k < r.bins_n; k++)
        sum += r.bins[k].requests;
      assert_int_equal (sum, r.total.requests);
      lf_sim_result_fini (&r);
      world_fini (&w);
    }
}

static void
the_same_seed_gives_the_same (void **state)
{
  (void) state;
  world w;
  lf_sim_result a, b, c;
  world_set (&w, "poisson:20/s", "lognormal:300ms,1", "uniform:1s,2s", NULL, 30, "3000s");
  assert_int_equal (world_run (&w, 7, &a), 0);
  assert_int_equal (world_run (&w, 7, &b), 0);
  assert_int_equal (world_run (&w, 8, &c), 0);
  assert_memory_equal (&a.total, &b.total, sizeof a.total);
  assert_memory_equal (a.bins, b.bins, sizeof a.bins);
  assert_true (a.latency.sum == b.latency.sum && a.environments_mean == b.environments_mean);
  assert_int_not_equal (a.total.requests, c.total.requests);
  /* Fixed for ever, on any machine: a change of these figures is a change of every published result. */
  assert_int_equal (a.total.requests, 60463);
  lf_sim_result_fini (&a);
  lf_sim_result_fini (&b);
  lf_sim_result_fini (&c);
  /* Another keepalive sees the same requests. */
  w.fn.keepalive_ms = 1000;
  assert_int_equal (world_run (&w, 7, &c), 0);
  assert_int_equal (c.total.requests, 60463);
  lf_sim_result_fini (&c);
  world_fini (&w);
}

static void
more_than_can_wait_is_told (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  world_set (&w, "poisson:1000/s", "fixed:10s", NULL, NULL, 300, "1h");
  w.work.async = true;
  w.options.concurrency = 10;
  w.options.waiting_max = 10000;
  assert_int_equal (world_run (&w, 1, &r), -1);
  assert_non_null (strstr (w.err.why, "wait or run at once"));
  lf_sim_result_fini (&r);
  world_fini (&w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (rejections_are_erlang_b),
    cmocka_unit_test (erlang_b_does_not_see_the_law),
    cmocka_unit_test (scales_to_zero),
    cmocka_unit_test (without_keepalive_all_are_cold),
    cmocka_unit_test (little_holds),
    cmocka_unit_test (billed_time_of_an_exponential),
    cmocka_unit_test (a_published_run),
    cmocka_unit_test (most_recently_used_is_a_window_maximum),
    cmocka_unit_test (a_burst_starts_as_many),
    cmocka_unit_test (the_scaling_rate_holds),
    cmocka_unit_test (timeouts_and_long_inits),
    cmocka_unit_test (asynchronous_events_are_retried),
    cmocka_unit_test (throttled_callers_try_again),
    cmocka_unit_test (as_many_as_the_rate_says),
    cmocka_unit_test (waits_are_erlang_c),
    cmocka_unit_test (scaling_follows_the_load),
    cmocka_unit_test (too_little_is_said),
    cmocka_unit_test (the_books_balance),
    cmocka_unit_test (the_same_seed_gives_the_same),
    cmocka_unit_test (more_than_can_wait_is_told),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
