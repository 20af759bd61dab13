/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate, inside the program: from options to scenarios, from scenarios to runs on all cores, from runs to text, JSON and HTML.
 */
#ifndef LF_CLI_SIMULATE_H
#define LF_CLI_SIMULATE_H

#include "cli.h"
#include "lambdafit/simulate.h"
#include "lambdafit/store.h"

#define LF_SIM_WORK_MAX 64
#define LF_SIM_MONTH_US (30 * INT64_C (86400000000))
#define LF_SIM_REQUESTS_MAX 1e11 /* of all runs together: half a day of two cores */

/* Everything one simulated situation needs, borrowed from nobody but the profile. */
typedef struct lf_scenario
{
  const lf_profile *profile;
  size_t n;
  lf_function fn[LF_SIM_WORK_MAX];
  lf_arrivals_spec arrivals[LF_SIM_WORK_MAX];
  struct { lf_dist warm, init, first, cold; bool has_warm, has_init, has_first, has_cold; } dist[LF_SIM_WORK_MAX];
  lf_workload work[LF_SIM_WORK_MAX];
  lf_sim_options options;
  lf_strv assumptions;           /* sentences */
} lf_scenario;
lf_scenario *lf_scenario_new (const lf_args *a, const lf_profile *p, lf_error *err);
void lf_scenario_free (lf_scenario *s);
int lf_scenario_assume (lf_scenario *s, const char *fmt, ...) LF_PRINTF (2, 3);

/* What one run comes to, as numbers that can be averaged over seeds. Names are the JSON keys; `group.key` is a key of an object. */
#define LF_SIM_METRICS(X) \
  X (requests) X (cold) X (throttled) X (failed) X (environments_mean) X (environments_max) X (running_mean) X (running_max) X (idle_mean) \
  X (lifespan_mean_s) X (empty_share) X (found_empty) X (attempts) X (timeouts) X (billed_ms) X (cost_usd) X (monthly_cost_usd) \
  X (cost_requests_usd) X (cost_duration_usd) X (cost_init_usd) X (cost_tmp_usd) \
  X (wait_mean) X (wait_p50) X (wait_p95) X (wait_p99) X (latency_mean) X (latency_p50) X (latency_p95) X (latency_p99)
typedef enum
{
#define X(name) LF_METRIC_##name,
  LF_SIM_METRICS (X)
#undef X
  LF_METRIC_COUNT
} lf_metric;
const char *lf_metric_name (lf_metric m);

/* One run of a scenario with one seed. */
typedef struct lf_sim_run
{
  const lf_scenario *scenario;
  uint64_t seed;
  bool done, known_cost;
  double metric[LF_METRIC_COUNT]; /* lifespan < 0: none ended */
  lf_sim_result result;           /* its histograms are freed */
  lf_error err;
} lf_sim_run;
/* Runs them all on every core (or LAMBDAFIT_THREADS of them); each is the same whoever runs it. -1 and the first failed one's error. */
int lf_sim_run_all (lf_sim_run *runs, size_t n, bool quiet, lf_error *err);
void lf_sim_runs_free (lf_sim_run *runs, size_t n);
/* Quantities of a result priced. scale: 1, or a month's share. */
void lf_sim_cost (const lf_scenario *s, const lf_sim_result *r, double scale, lf_cost *out);
/* Mean and interval of each metric over the seeds of a scenario. */
void lf_sim_estimates (const lf_sim_run *runs, size_t n, lf_estimate out[LF_METRIC_COUNT]);

/* A trace's file as bytes. */
typedef struct lf_sim_files { lf_bytes bytes[LF_SOURCES_MAX]; size_t n; } lf_sim_files;
int lf_sim_files_open (lf_sim_files *f, const lf_arrivals_spec *spec, lf_error *err);
void lf_sim_files_close (lf_sim_files *f);

/* Everything that is printed. */
typedef struct lf_sim_page
{
  const lf_args *args;
  const lf_scenario *scenario;
  const lf_sim_run *runs;
  size_t n;                       /* seeds */
  lf_estimate m[LF_METRIC_COUNT];
} lf_sim_page;
struct cJSON *lf_sim_json (const lf_sim_page *p);
/* The metrics, and their intervals, into an object. */
int lf_sim_json_metrics (struct cJSON *o, const lf_estimate m[LF_METRIC_COUNT], bool known_cost);
int lf_sim_text (const lf_sim_page *p, FILE *f);

#endif
