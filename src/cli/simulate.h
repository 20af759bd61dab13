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
#define LF_SIM_POINTS_MAX 10000
#define LF_SIM_RUNS_MAX 50000
#define LF_SIM_MONTH_US (30 * INT64_C (86400000000))
#define LF_SIM_REQUESTS_MAX 1e11 /* of all runs together: half a day of two cores */

/* ---- what scenarios are made of -------------------------------------------------------------------------------------------- */

/* What a log has measured of a function, for every memory size. */
typedef struct lf_measured lf_measured;
lf_measured *lf_measured_load (const char *db, const char *function, lf_error *err);
void lf_measured_free (lf_measured *m);
const lf_function *lf_measured_function (const lf_measured *m); /* its latest settings */
/* Lends warm handler, init and first handler for a memory size: measured there, or modelled from the nearest size. *how is the sentence
 * that says which; it lives as long as m. init->n is 0 when the log has no cold start. */
int lf_measured_at (lf_measured *m, const lf_profile *p, int64_t memory_mb, lf_dist *warm, lf_dist *init, lf_dist *first, const char **how, lf_error *err);

/* How much of a handler is CPU time at a size; 1 where it was not measured. */
double lf_measured_cpu_share (const lf_measured *m, const lf_profile *p, int64_t memory_mb, bool *measured);

/* Distributions by their text, each file read once; and the log. One for a command. */
typedef struct lf_sim_stock
{
  const lf_profile *profile;
  lf_dist *dist;
  char **text;
  size_t n;
  lf_measured *measured;         /* NULL without --from */
} lf_sim_stock;
void lf_sim_stock_fini (lf_sim_stock *s);

/* One function of a scenario. */
typedef struct lf_sim_item
{
  lf_function fn;
  lf_arrivals_spec arrivals;
  lf_dist warm, init, first, cold; /* lent by the stock */
  bool has_warm, has_init, has_first, has_cold;
} lf_sim_item;

/* Everything one simulated situation needs. */
typedef struct lf_scenario
{
  const lf_profile *profile;
  size_t n;
  lf_sim_item *item;
  lf_workload *work;
  lf_sim_options options;
  lf_strv assumptions;           /* sentences */
} lf_scenario;
/* base: the options without a sweep's, whose memory size distributions given by hand hold for. */
lf_scenario *lf_scenario_new (const lf_args *a, const lf_args *base, lf_sim_stock *stock, lf_error *err);
void lf_scenario_free (lf_scenario *s);
int lf_scenario_assume (lf_scenario *s, const char *fmt, ...) LF_PRINTF (2, 3);
/* A share such as 0.01 or 1%. */
int lf_sim_on_off (const char *what, const char *text, bool otherwise, bool *out, lf_error *err);
int lf_sim_share (const char *what, const char *text, double *out, lf_error *err);

/* ---- sweeps ----------------------------------------------------------------------------------------------------------------- */

typedef struct lf_sim_axis { const struct lf_opt *opt; lf_strv values; } lf_sim_axis;
#define LF_SIM_AXES_MAX 8
typedef struct lf_sim_sweep { lf_sim_axis axis[LF_SIM_AXES_MAX]; size_t n, points; } lf_sim_sweep;
int lf_sim_sweep_parse (const lf_args *a, lf_sim_sweep *out, lf_error *err);
void lf_sim_sweep_fini (lf_sim_sweep *s);
/* The value that point i has on axis k. */
const char *lf_sim_sweep_value (const lf_sim_sweep *s, size_t i, size_t k);
/* *out is *a with point i's values; it borrows all texts. */
int lf_sim_sweep_args (const lf_sim_sweep *s, size_t i, const lf_args *a, lf_args *out, lf_error *err);

/* ---- runs ------------------------------------------------------------------------------------------------------------------- */

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
  bool keep;                      /* the result, for what happens over time */
  bool done, known_cost;
  double metric[LF_METRIC_COUNT]; /* < 0: there was none to measure */
  lf_sim_result *result;          /* if kept; its histograms are freed */
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

/* ---- beside Lambda --------------------------------------------------------------------------------------------------------- */

/* The same work on a size of Fargate or EC2. */
typedef struct lf_sim_candidate { char service[16], size[48]; double vcpus; int64_t memory_mb, places; lf_money per_hour; double slower; int64_t start_us, min_billed_us; } lf_sim_candidate;
typedef struct lf_sim_alternative
{
  lf_sim_candidate on;
  bool scaled, meets_goal;
  double count, monthly_usd, latency_p50_ms, latency_p95_ms, wait_mean_ms, busy_share;
} lf_sim_alternative;
typedef struct lf_sim_break_even { char service[16], size[48]; double rate_per_s /* < 0: never */, count, monthly_usd; } lf_sim_break_even;
typedef struct lf_sim_rate_row { double rate_per_s, lambda_usd, usd[2], count[2]; } lf_sim_rate_row; /* count < 0: cannot */
#define LF_SIM_RATES 17
typedef struct lf_sim_beside
{
  double goal_ms;
  lf_sim_alternative alternative[4];
  size_t alternatives;
  lf_sim_break_even break_even[2];
  size_t break_evens;
  char service[2][16];            /* of the columns of `rate` */
  lf_sim_rate_row rate[LF_SIM_RATES];
  size_t rates;
  lf_strv assumptions;
} lf_sim_beside;
/* m: the scenario's own figures. What cannot be compared (no price in the region, standard input) is an assumption and nothing else. */
int lf_sim_beside_make (const lf_args *a, const lf_scenario *s, const lf_sim_stock *stock, const lf_estimate m[LF_METRIC_COUNT], double length_us, lf_sim_beside *out,
                        lf_error *err);
void lf_sim_beside_fini (lf_sim_beside *b);

/* Everything that is printed. */
typedef struct lf_sim_page
{
  const lf_args *args;
  const lf_scenario *scenario;
  const lf_sim_run *runs;         /* those of point 0 first */
  size_t n;                       /* seeds */
  lf_estimate m[LF_METRIC_COUNT]; /* of point 0 */
  const lf_sim_sweep *sweep;      /* one point: no sweep */
  lf_scenario *const *scenarios;  /* of all points */
  const lf_estimate (*points)[LF_METRIC_COUNT];
  bool *pareto;
  const lf_sim_beside *beside;    /* NULL: not asked for */
} lf_sim_page;
/* Marks the points that none beats: as cheap, as fast (p95), with as few cold starts and as few lost requests, and better in one of them. */
void lf_sim_pareto (const lf_estimate (*points)[LF_METRIC_COUNT], size_t n, bool *out);
struct cJSON *lf_sim_json (const lf_sim_page *p);
/* The metrics, and their intervals, into an object. */
int lf_sim_json_metrics (struct cJSON *o, const lf_estimate m[LF_METRIC_COUNT], bool known_cost);
int lf_sim_html (const lf_sim_page *p, lf_buf *b);
/* Rows of the run with this seed into a log file. start: a time of the first moment, NULL: a Monday. */
int lf_sim_write_log (const lf_scenario *s, uint64_t seed, const char *file, const char *start, bool quiet, lf_error *err);
/* A figure for people. */
typedef enum { LF_AS_COUNT, LF_AS_MEAN, LF_AS_MS, LF_AS_S, LF_AS_MONEY, LF_AS_PERCENT } lf_sim_form;
void lf_sim_figure (double v, lf_sim_form as, char out[48]);
int lf_sim_text (const lf_sim_page *p, FILE *f);

#endif
