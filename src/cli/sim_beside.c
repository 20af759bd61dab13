/* SPDX-License-Identifier: Apache-2.0
 *
 * The same work beside Lambda, on Fargate and on EC2: how many tasks a latency goal needs and what they cost, what scaling on load makes of
 * it, and from which rate on an always-on service is cheaper.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "services.h"

#define FARGATE "fargate-2026-11"
#define EC2 "ec2-2026-11"
#define REQUESTS_MAX 300000      /* of one trial with the traffic itself */
#define POISSON_REQUESTS 60000   /* of one trial at another rate, at least */
#define TASKS_MAX 10000
#define TARGET 0.7
#define GOAL 1.1
#define MONTH_HOURS 720
#define BREAK_EVEN_TASKS 64

typedef struct study
{
  const lf_args *a;
  const lf_scenario *s;
  lf_sim_beside *out;
  lf_error *err;
  double rate, cpu_share, lambda_per_request;
  int64_t goal_us;
} study;

/* ---- one trial ------------------------------------------------------------------------------------------------------------------- */

static double
usd_a_month (const lf_sim_candidate *c, double count)
{
  return lf_money_double (c->per_hour * MONTH_HOURS) * count;
}

static int
trial (study *t, const lf_sim_candidate *c, const lf_arrivals_spec *poisson, int64_t requests, size_t tasks, double target, lf_service_result *r)
{
  const lf_sim_item *it = &t->s->item[0];
  lf_dist law = it->warm;
  lf_sim_files files = { .n = 0 };
  law.scale *= c->slower;
  lf_service_options o = { .arrivals = poisson ? poisson : &it->arrivals, .only = t->a->only, .law = it->has_warm ? &law : NULL, .scale = c->slower,
                           .for_us = poisson ? 1000 * INT64_C (86400000000) : t->s->options.for_us, .requests_max = requests,
                           .seed = (uint64_t) (t->a->seed == LF_NONE ? 1 : t->a->seed), .places = c->places, .tasks = tasks, .target = target,
                           .tasks_max = TASKS_MAX, .start_us = c->start_us, .min_billed_us = c->min_billed_us };
  int failed = poisson ? 0 : lf_sim_files_open (&files, &it->arrivals, t->err);
  o.bytes = files.bytes;
  if (!failed)
    failed = lf_service_simulate (&o, r, t->err);
  else
    memset (r, 0, sizeof *r);
  lf_sim_files_close (&files);
  return failed;
}

/* 1: these tasks reach the goal, 0: not, -1. */
static int
reaches (study *t, const lf_sim_candidate *c, double poisson_rate, size_t tasks, lf_sim_alternative *into)
{
  lf_service_result r;
  lf_arrivals_spec poisson = { .n = 1 };
  poisson.v[0] = (lf_source_spec){ .kind = LF_ARR_POISSON, .rate_per_s = poisson_rate };
  int64_t enough = (int64_t) tasks * c->places * 50, requests = enough > POISSON_REQUESTS ? enough : POISSON_REQUESTS;
  int failed = poisson_rate > 0 ? trial (t, c, &poisson, requests, tasks, 0, &r) : trial (t, c, NULL, REQUESTS_MAX, tasks, 0, &r);
  double p95 = failed ? 0 : lf_hist_percentile (&r.latency, 95);
  bool good = !failed && !r.overloaded && p95 <= (double) t->goal_us && r.busy_share < 0.9999;
  if (into && !failed)
    *into = (lf_sim_alternative){ .on = *c, .meets_goal = good, .count = (double) tasks, .monthly_usd = usd_a_month (c, (double) tasks),
                                  .latency_p50_ms = lf_hist_percentile (&r.latency, 50) / 1000, .latency_p95_ms = p95 / 1000,
                                  .wait_mean_ms = lf_hist_mean (&r.wait) / 1000, .busy_share = r.busy_share };
  lf_service_result_fini (&r);
  return failed ? -1 : good;
}

static double
mean_service_s (const study *t, const lf_sim_candidate *c)
{
  const lf_sim_item *it = &t->s->item[0];
  return it->has_warm ? lf_dist_mean_us (&it->warm) / 1e6 * c->slower : 0;
}

/* Can one request alone be as fast as the goal? */
static bool
fast_enough (const study *t, const lf_sim_candidate *c)
{
  const lf_sim_item *it = &t->s->item[0];
  lf_rng rng;
  int slow = 0, n = 20000;
  if (!it->has_warm)
    return true;
  lf_rng_seed (&rng, 1, 99);
  for (int i = 0; i < n; i++)
    slow += (double) lf_dist_draw (&it->warm, &rng) * c->slower > (double) t->goal_us;
  return slow <= n / 20;
}

/* The fewest tasks that reach the goal: 0 none do, -1 an error. poisson_rate 0: the traffic itself. */
static int64_t
fewest (study *t, const lf_sim_candidate *c, double poisson_rate, lf_sim_alternative *into)
{
  double rate = poisson_rate > 0 ? poisson_rate : t->rate, load = rate * mean_service_s (t, c) / (double) c->places;
  if (load >= TASKS_MAX)
    return 0;
  size_t low = load >= 1 ? (size_t) load : 0, high = low + 1; /* low never reaches it */
  int good;
  while ((good = reaches (t, c, poisson_rate, high, into)) == 0)
    {
      low = high;
      high = high + (high + 3) / 4;
      if (high > TASKS_MAX)
        return 0;
    }
  while (good > 0 && high - low > 1)
    {
      size_t middle = low + (high - low) / 2;
      lf_sim_alternative x;
      good = reaches (t, c, poisson_rate, middle, &x);
      if (good < 0)
        break;
      if (good)
        {
          high = middle;
          if (into)
            *into = x;
        }
      else
        low = middle;
      good = 1;
    }
  return good < 0 ? -1 : (int64_t) high;
}

/* ---- the best size of a service --------------------------------------------------------------------------------------------------- */

static int
cheapest (study *t, const lf_sim_candidates *c, lf_sim_alternative *best)
{
  int found = 0;
  for (size_t i = 0; i < c->n; i++)
    {
      lf_sim_candidate *x = &c->v[i];
      lf_sim_alternative alternative;
      double load = t->rate * mean_service_s (t, x) / (double) x->places;
      size_t least = t->a->tasks != LF_NONE ? (size_t) t->a->tasks : load >= 1 ? (size_t) load + 1 : 1;
      if (!fast_enough (t, x) || (found && usd_a_month (x, (double) least) >= best->monthly_usd))
        continue;
      int64_t n = t->a->tasks != LF_NONE ? reaches (t, x, 0, least, &alternative) : fewest (t, x, 0, &alternative);
      if (n < 0)
        return -1;
      if (n == 0 && t->a->tasks == LF_NONE)
        continue;
      bool better = !found || (alternative.meets_goal && !best->meets_goal) || (alternative.meets_goal == best->meets_goal && alternative.monthly_usd < best->monthly_usd);
      if (better)
        *best = alternative;
      found = 1;
    }
  return found;
}

static int
scaled (study *t, const lf_sim_alternative *fixed, lf_sim_alternative *out)
{
  lf_service_result r;
  int failed = trial (t, &fixed->on, NULL, REQUESTS_MAX, 1, TARGET, &r);
  double p95 = failed ? 0 : lf_hist_percentile (&r.latency, 95);
  if (!failed)
    *out = (lf_sim_alternative){ .on = fixed->on, .scaled = true, .meets_goal = !r.overloaded && p95 <= (double) t->goal_us, .count = r.tasks_mean,
                                 .monthly_usd = usd_a_month (&fixed->on, r.tasks_mean), .latency_p50_ms = lf_hist_percentile (&r.latency, 50) / 1000,
                                 .latency_p95_ms = p95 / 1000, .wait_mean_ms = lf_hist_mean (&r.wait) / 1000, .busy_share = r.busy_share };
  lf_service_result_fini (&r);
  return failed;
}

/* ---- rates -------------------------------------------------------------------------------------------------------------------------- */

/* A month of Lambda at another rate, with as many cold starts as there are then. */
static int
lambda_month (study *t, double rate, double *usd)
{
  lf_arrivals_spec poisson = { .n = 1 };
  poisson.v[0] = (lf_source_spec){ .kind = LF_ARR_POISSON, .rate_per_s = rate };
  lf_workload w = t->s->work[0];
  w.arrivals = &poisson;
  lf_sim_options o = t->s->options;
  o.work = &w;
  o.work_n = 1;
  o.for_us = 1000 * INT64_C (86400000000);
  o.requests_max = POISSON_REQUESTS;
  o.seed = 1;
  o.rate_limit = o.scaling_limit = false; /* what it costs when it is let in */
  o.concurrency = 10000000;
  lf_sim_result r;
  int failed = lf_simulate (&o, &r, t->err);
  if (!failed)
    {
      lf_cost cost;
      lf_sim_cost (t->s, &r, rate * (double) MONTH_HOURS * 3600 / (double) (r.total.requests ? r.total.requests : 1), &cost);
      *usd = lf_money_double (cost.total);
    }
  lf_sim_result_fini (&r);
  return failed;
}

/* The highest rate that so many tasks serve within the goal, to 1 %; 0 when none. */
static double
most (study *t, const lf_sim_candidate *c, size_t tasks, int *failed)
{
  double low = 0, high = (double) tasks * (double) c->places / mean_service_s (t, c), bound = high;
  while (!*failed && high - low > 0.01 * high && high > bound * 1e-6)
    {
      double middle = (low + high) / 2;
      int good = reaches (t, c, middle, tasks, NULL);
      *failed = good < 0;
      *(good > 0 ? &low : &high) = middle;
    }
  return low;
}

/* With n tasks the service is cheaper from the rate on at which Lambda costs as much as they do; they must be able to serve that. */
static int
break_even (study *t, const lf_sim_candidate *c, lf_sim_break_even *out)
{
  double per_request = t->lambda_per_request, served_before = 0;
  int failed = 0;
  *out = (lf_sim_break_even){ .rate_per_s = -1 };
  strcpy (out->service, c->service);
  strcpy (out->size, c->size);
  if (!(per_request > 0) || !t->s->item[0].has_warm)
    return 0;
  for (size_t n = 1; n <= BREAK_EVEN_TASKS && !failed; n += n < 4 ? 1 : n / 4)
    {
      double rate = usd_a_month (c, (double) n) / (per_request * MONTH_HOURS * 3600), able = (double) n * (double) c->places / mean_service_s (t, c), lambda = 0;
      if (rate >= able)
        continue;
      /* Once more with the cold starts of that rate. */
      failed = lambda_month (t, rate, &lambda) != 0;
      if (!failed && lambda > 0)
        rate *= usd_a_month (c, (double) n) / lambda;
      double served = failed ? 0 : most (t, c, n, &failed);
      if (!failed && rate <= served)
        {
          out->rate_per_s = rate > served_before ? rate : served_before;
          out->count = (double) n;
          out->monthly_usd = usd_a_month (c, (double) n);
          return 0;
        }
      served_before = served;
    }
  return failed ? -1 : 0;
}

static int
rate_rows (study *t, const lf_sim_candidate *const *c, size_t n)
{
  lf_sim_beside *b = t->out;
  if (!t->s->item[0].has_warm)
    return 0;
  for (int i = 0; i < LF_SIM_RATES; i++)
    {
      lf_sim_rate_row *row = &b->rate[b->rates];
      /* A quarter of a power of ten a step, around the traffic's own rate. */
      row->rate_per_s = t->rate * lf_sim_exp (2.302585092994046 / 4 * (i - LF_SIM_RATES / 2));
      if (lambda_month (t, row->rate_per_s, &row->lambda_usd) != 0)
        return -1;
      for (size_t k = 0; k < n; k++)
        {
          int64_t count = fewest (t, c[k], row->rate_per_s, NULL);
          if (count < 0)
            return -1;
          row->count[k] = count ? (double) count : -1;
          row->usd[k] = usd_a_month (c[k], (double) count);
        }
      b->rates++;
    }
  return 0;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------- */

static int assume (lf_sim_beside *b, const char *fmt, ...) LF_PRINTF (2, 3);

static int
assume (lf_sim_beside *b, const char *fmt, ...)
{
  char text[600];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  return lf_strv_add (&b->assumptions, text);
}

static int
assumptions (study *t, bool cpu_measured)
{
  lf_sim_beside *b = t->out;
  int64_t memory = t->s->item[0].fn.memory_mb;
  double share = (double) memory / (double) t->s->profile->mb_per_vcpu;
  return assume (b, "beside Lambda: a task serves one request for each whole CPU it has, with %lld MB each, in order of arrival; a fleet is always on, for 720 hours a month",
                 (long long) memory)
             | assume (b, "%.0f %% of a handler is CPU time (%s), %.2f CPUs on Lambda at %lld MB, up to one on a task", 100 * t->cpu_share,
                       cpu_measured ? "measured" : "assumed; --cpu-share", share < 1 ? share : 1, (long long) memory)
             | assume (b, "the goal is a p95 of %.4g ms (%s)", b->goal_ms, t->a->latency_goal ? "--latency-goal" : "1.1 times Lambda's")
             | assume (b, "scaled: every minute to %.0f %% of places busy, up at once, down after 5 minutes, at least 1 task; Fargate is ready after 45 s, an EC2 machine "
                          "after 60 s, both are billed meanwhile and for at least 60 s", 100 * TARGET)
             | assume (b, "other rates are Poisson; list prices on demand; no load balancer (Lambda needs none for Invoke), disks, transfer or people's time are in it; "
                          "burstable EC2 types are left out")
         ? -1
         : 0;
}

static int
one_service (study *t, const char *profile, lf_sim_candidate *chosen)
{
  lf_sim_candidates c;
  lf_sim_beside *b = t->out;
  const lf_function *f = &t->s->item[0].fn;
  lf_sim_alternative best;
  if (lf_sim_candidates_load (profile, f, &c, t->err) != 0)
    {
      lf_sim_candidates_fini (&c);
      return -1;
    }
  double share = (double) f->memory_mb / (double) t->s->profile->mb_per_vcpu, here = share < 1 ? share : 1;
  for (size_t i = 0; i < c.n; i++)
    {
      double there = c.v[i].vcpus / (double) c.v[i].places;
      c.v[i].slower = 1 - t->cpu_share + t->cpu_share * here / (there < 1 ? there : 1);
    }
  int found = cheapest (t, &c, &best);
  if (found == 1)
    {
      b->alternative[b->alternatives++] = best;
      found = scaled (t, &best, &b->alternative[b->alternatives]) != 0 ? -1 : 1;
      b->alternatives += found == 1;
      *chosen = best.on;
    }
  else if (found == 0 && assume (b, c.n ? "%s: no size reaches the latency goal for %s, %s" : "%s: no price or no size for %s, %s", c.profile, f->region, lf_arch_name (f->arch)) != 0)
    found = LF_FAIL_NOMEM (t->err);
  lf_sim_candidates_fini (&c);
  return found;
}

static int
compare (study *t)
{
  static const char *const profiles[] = { FARGATE, EC2 };
  lf_sim_candidate chosen[2];
  const lf_sim_candidate *c[2];
  size_t n = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (profiles); i++)
    {
      int found = one_service (t, profiles[i], &chosen[n]);
      if (found < 0)
        return -1;
      if (found == 0)
        continue;
      c[n] = &chosen[n];
      strcpy (t->out->service[n], chosen[n].service);
      if (break_even (t, c[n], &t->out->break_even[t->out->break_evens]) != 0)
        return -1;
      t->out->break_evens++;
      n++;
    }
  return n ? rate_rows (t, c, n) : 0;
}

static bool
from_pipe (const lf_scenario *s)
{
  for (size_t i = 0; i < s->item[0].arrivals.n; i++)
    if (strcmp (s->item[0].arrivals.v[i].file, "-") == 0)
      return true;
  return false;
}

int
lf_sim_beside_make (const lf_args *a, const lf_scenario *s, const lf_sim_stock *stock, const lf_estimate m[LF_METRIC_COUNT], double length_us, lf_sim_beside *out,
                    lf_error *err)
{
  study t = { .a = a, .s = s, .out = out, .err = err, .cpu_share = 1 };
  bool cpu_measured = false;
  *out = (lf_sim_beside){ 0 };
  if (a->latency_goal && (lf_duration_parse (a->latency_goal, strlen (a->latency_goal), &t.goal_us) != 0 || t.goal_us == 0))
    return LF_FAIL (err, LF_EXIT_USAGE, "--latency-goal", "give a time above 0, such as 300ms", "\"%.40s\" is not a time", a->latency_goal);
  if (a->cpu_share && lf_sim_share ("--cpu-share", a->cpu_share, &t.cpu_share, err) != 0)
    return -1;
  if (!a->cpu_share && stock->measured)
    t.cpu_share = lf_measured_cpu_share (stock->measured, s->profile, s->item[0].fn.memory_mb, &cpu_measured);
  if (from_pipe (s))
    return assume (out, "not compared with Fargate and EC2: standard input can be read once") != 0 ? LF_FAIL_NOMEM (err) : 0;
  if (s->n > 1)
    return assume (out, "not compared with Fargate and EC2: only one function by itself is") != 0 ? LF_FAIL_NOMEM (err) : 0;
  double served = m[LF_METRIC_requests].mean - m[LF_METRIC_throttled].mean;
  t.rate = m[LF_METRIC_requests].mean / (length_us / 1e6);
  if (!(served > 0) || !(m[LF_METRIC_latency_p95].mean > 0))
    return assume (out, "not compared with Fargate and EC2: no request was served") != 0 ? LF_FAIL_NOMEM (err) : 0;
  if (!a->latency_goal)
    t.goal_us = (int64_t) (m[LF_METRIC_latency_p95].mean * 1000 * GOAL + 1);
  out->goal_ms = (double) t.goal_us / 1000;
  t.lambda_per_request = m[LF_METRIC_cost_usd].mean / served;
  return assumptions (&t, cpu_measured) != 0 ? LF_FAIL_NOMEM (err) : compare (&t);
}

void
lf_sim_beside_fini (lf_sim_beside *b)
{
  lf_strv_fini (&b->assumptions);
}
