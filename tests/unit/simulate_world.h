/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the simulator share: one function with one traffic, and closed forms to hold it against.
 */
#ifndef LF_TEST_SIMULATE_WORLD_H
#define LF_TEST_SIMULATE_WORLD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lambdafit/simulate.h"

typedef struct world
{
  lf_profile *profile;
  lf_function fn;
  lf_arrivals_spec arrivals;
  lf_dist warm, init, cold;
  lf_bytes bytes;
  const char *text;             /* of the trace that `bytes` reads */
  size_t at, piece;             /* how many bytes a read gives at most; 0: all */
  lf_workload work;
  lf_sim_options options;
  lf_error err;
} world;

/* init and cold may be NULL. keepalive_s < 0: the profile's. */
void world_set (world *w, const char *arrivals, const char *warm, const char *init, const char *cold, double keepalive_s, const char *for_);
void world_trace (world *w, const char *text); /* what arrivals of a trace read */
void world_fini (world *w);
int world_run (world *w, uint64_t seed, lf_sim_result *r);

/* Is `expected` within k half-widths of the 95 % interval of f over the seeds 1..n? Seeds are fixed, so this never changes its mind. */
void assert_within (world *w, size_t n, double (*f) (const lf_sim_result *), double expected, double k);

double erlang_b (double load, int servers);

#endif
