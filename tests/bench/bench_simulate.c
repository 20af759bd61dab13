/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator's speed beside a plain loop over a heap: arrivals and ends of requests, a stack of idle environments with their last use, and
 * nothing of what the fleet decides or counts. Prints one JSON object: nanoseconds of CPU time for a request, by turns, the best of the rounds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lambdafit/simulate.h"

#define ROUNDS 5

static double
cpu_s (void)
{
  struct timespec t;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static _Noreturn void
give_up (const char *why)
{
  fprintf (stderr, "bench_simulate: %s\n", why);
  exit (1);
}

/* ---- the floor ----------------------------------------------------------------------------------------------------------------- */

typedef struct end { double at; int env; } end;

static uint64_t plain_state = 88172645463325252ULL;

static double
plain_exp (double mean)
{
  plain_state ^= plain_state << 13;
  plain_state ^= plain_state >> 7;
  plain_state ^= plain_state << 17;
  return -mean * log ((double) ((plain_state >> 11) + 1) * 0x1p-53);
}

static void
heap_put (end *h, int *n, end e)
{
  int i = (*n)++;
  for (; i > 0 && e.at < h[(i - 1) / 2].at; i = (i - 1) / 2)
    h[i] = h[(i - 1) / 2];
  h[i] = e;
}

static end
heap_take (end *h, int *n)
{
  end first = h[0], last = h[--*n];
  int i = 0;
  for (int c; (c = 2 * i + 1) < *n; i = c)
    {
      c += c + 1 < *n && h[c + 1].at < h[c].at;
      if (last.at <= h[c].at)
        break;
      h[i] = h[c];
    }
  h[i] = last;
  return first;
}

static double
plain (double rate, double mean, int64_t requests)
{
  enum { MOST = 65536 };
  static end heap[MOST];
  static struct { int env; double since; } idle[MOST];
  int n = 0, idle_n = 0, made = 0;
  int64_t cold = 0;
  double now = 0, latency = 0, began = cpu_s ();
  for (int64_t i = 0; i < requests; i++)
    {
      now += plain_exp (1 / rate);
      while (n && heap[0].at <= now)
        {
          end e = heap_take (heap, &n);
          idle[idle_n].env = e.env;
          idle[idle_n++].since = e.at;
        }
      while (idle_n && now - idle[0].since > 300)
        memmove (idle, idle + 1, (size_t) --idle_n * sizeof *idle);
      int env = idle_n ? idle[--idle_n].env : made++;
      cold += env == made - 1;
      double service = plain_exp (mean);
      latency += service;
      if (n == MOST)
        give_up ("the plain loop has no room");
      heap_put (heap, &n, (end){ now + service, env });
    }
  double took = cpu_s () - began;
  if (cold < 1 || !(latency > 0))
    give_up ("the plain loop did nothing");
  return took / (double) requests * 1e9;
}

/* ---- the simulator --------------------------------------------------------------------------------------------------------------- */

static double
simulated (const lf_profile *p, double rate, double mean, int64_t requests, double *environments)
{
  lf_error err = { 0 };
  lf_function fn;
  lf_function_init (&fn);
  if (lf_function_defaults (&fn, p, &err) != 0)
    give_up (err.why);
  lf_arrivals_spec arrivals = { .n = 1 };
  arrivals.v[0] = (lf_source_spec){ .kind = LF_ARR_POISSON, .rate_per_s = rate };
  lf_dist warm = { .kind = LF_DIST_EXP, .a = mean * 1e6, .scale = 1 };
  lf_workload w = { .fn = &fn, .arrivals = &arrivals, .law = { .warm = &warm } };
  lf_sim_options o = { .profile = p, .work = &w, .work_n = 1, .for_us = (int64_t) ((double) requests / rate * 1e6), .concurrency = 100000, .seed = 1,
                       .requests_max = LF_NONE };
  fn.timeout_ms = 900000;
  lf_sim_result r;
  double began = cpu_s ();
  if (lf_simulate (&o, &r, &err) != 0)
    give_up (err.why);
  double took = cpu_s () - began;
  *environments = r.environments_mean;
  double ns = took / (double) r.total.requests * 1e9;
  lf_sim_result_fini (&r);
  lf_function_fini (&fn);
  return ns;
}

static int64_t
resident (void)
{
  struct rusage u;
  getrusage (RUSAGE_SELF, &u);
  return u.ru_maxrss; /* KB */
}

int
main (void)
{
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  if (!p)
    give_up (err.why);
  double few_plain = 1e9, few = 1e9, many_plain = 1e9, many = 1e9, few_envs = 0, many_envs = 0, x;
  simulated (p, 35, 0.1, 100000, &few_envs);
  int64_t before = resident ();
  simulated (p, 35, 0.1, 10000000, &few_envs);
  int64_t grown = resident () - before;
  for (int i = 0; i < ROUNDS; i++)
    {
      few_plain = (x = plain (35, 0.1, 3000000)) < few_plain ? x : few_plain;
      few = (x = simulated (p, 35, 0.1, 3000000, &few_envs)) < few ? x : few;
      many_plain = (x = plain (9700, 1, 3000000)) < many_plain ? x : many_plain;
      many = (x = simulated (p, 9700, 1, 3000000, &many_envs)) < many ? x : many;
    }
  printf ("{\"plain_few_ns\": %.1f, \"few_ns\": %.1f, \"few_environments\": %.0f, \"plain_many_ns\": %.1f, \"many_ns\": %.1f, \"many_environments\": %.0f, "
          "\"growth_kb\": %lld}\n", few_plain, few, few_envs, many_plain, many, many_envs, (long long) grown);
  lf_profile_free (p);
  return 0;
}
