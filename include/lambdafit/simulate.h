/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate: traffic under a virtual clock. What Lambda decides is the model's fleet and its asynchronous events, driven here exactly as
 * the daemon drives them; this room adds where requests come from, how long they take, and what is counted. Pure: bytes of traces come
 * through a function of the caller's, randomness from a seed. The same seed gives the same numbers on every machine: nothing but
 * additions, multiplications, divisions and square roots of IEEE doubles, and no library function whose last bit is not fixed.
 *
 * Times are microseconds from the start of the simulation unless a name says otherwise.
 */
#ifndef LAMBDAFIT_SIMULATE_H
#define LAMBDAFIT_SIMULATE_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"
#include "lambdafit/profile.h"

/* ---- randomness ------------------------------------------------------------------------------------------------------------- */

typedef struct lf_rng { uint64_t s[4]; } lf_rng;
/* Streams of one seed are independent of each other: arrivals do not move when service times are drawn more often. */
void lf_rng_seed (lf_rng *r, uint64_t seed, uint64_t stream);
uint64_t lf_rng_u64 (lf_rng *r);
double lf_rng_unit (lf_rng *r);      /* [0, 1) */
double lf_rng_exp (lf_rng *r);       /* exponential, mean 1 */
double lf_rng_normal (lf_rng *r);    /* mean 0, deviation 1 */
/* The same on every machine; within two units of the last place. */
double lf_sim_log (double x);
double lf_sim_exp (double x);
double lf_sim_cos_turn (double turn); /* cos (2 pi turn) */

/* ---- times and distributions --------------------------------------------------------------------------------------------------- */

/* "2s", "150ms", "20us", "5m", "2h", "7d"; a number without a unit is in seconds. From 0 to 1000 days. 0 or -1. */
int lf_duration_parse (const char *s, size_t n, int64_t *us);

typedef enum { LF_DIST_FIXED, LF_DIST_EXP, LF_DIST_LOGNORMAL, LF_DIST_UNIFORM, LF_DIST_EMPIRICAL } lf_dist_kind;
#define LF_DIST_VALUES_MAX 4000000
typedef struct lf_dist
{
  lf_dist_kind kind;
  double a, b;            /* microseconds: fixed value, mean, median, from..to; b of lognormal is sigma */
  double scale;           /* every draw is multiplied by it; 1 unless a memory size is modelled */
  int64_t *values;        /* of an empirical one, owned unless `lent` */
  size_t n;
  bool lent;
  char file[512];         /* "" or the file that lf_dist_values is to be given */
} lf_dist;
#define LF_DIST_FORMS "fixed:2s, exp:MEAN, lognormal:MEDIAN,SIGMA, uniform:A,B or empirical:FILE"
/* `what` names the option in errors (LF_EXIT_USAGE). An empirical one has `file` set and no values yet. */
int lf_dist_parse (const char *what, const char *text, lf_dist *out, lf_error *err);
/* The text of an empirical file: one time a line (as lf_duration_parse), "#" begins a comment, the first line may be a heading. */
int lf_dist_values (const char *what, const char *text, size_t n, lf_dist *d, lf_error *err);
/* Takes over values[n] (malloc'd). */
void lf_dist_empirical (lf_dist *d, int64_t *values, size_t n);
void lf_dist_fini (lf_dist *d);
int64_t lf_dist_draw (const lf_dist *d, lf_rng *r);   /* whole microseconds, at most 1000 days */
double lf_dist_mean_us (const lf_dist *d);
void lf_dist_describe (const lf_dist *d, char out[160]);

/* ---- arrivals ---------------------------------------------------------------------------------------------------------------------- */

/* Bytes of a trace. read: how many were put into p (0: end), or -1 with *err. rewind: begin again; NULL where that cannot be. */
typedef struct lf_bytes
{
  void *user;
  int64_t (*read) (void *user, void *p, size_t n, lf_error *err);
  int (*rewind) (void *user, lf_error *err);
} lf_bytes;

typedef enum
{
  LF_ARR_POISSON, LF_ARR_CONSTANT, LF_ARR_BURST, LF_ARR_DIURNAL, LF_ARR_WEEKLY, LF_ARR_CSV, LF_ARR_AZURE2019, LF_ARR_AZURE2021
} lf_arr_kind;
/* One source of requests. Several may be joined with "+" in a text. */
typedef struct lf_source_spec
{
  lf_arr_kind kind;
  double rate_per_s;             /* poisson, constant; the mean of diurnal and of a weekly working day */
  int64_t burst, at_us, every_us; /* burst: how many, when, again after (0: once) */
  double amplitude, weekend;     /* diurnal, weekly: 0..1 around the mean, peak at 15:00; weekend days are this times a working day */
  char file[512];                /* traces */
} lf_source_spec;
#define LF_SOURCES_MAX 16
typedef struct lf_arrivals_spec { lf_source_spec v[LF_SOURCES_MAX]; size_t n; } lf_arrivals_spec;
#define LF_ARRIVALS_FORMS \
  "poisson:0.9/s, constant:10/s, burst:500@0s[/1h], diurnal:10/s,AMPLITUDE, weekly:10/s,AMPLITUDE,WEEKEND, csv:FILE, azure2019:FILE, " \
  "azure2021:FILE; several joined with +"
int lf_arrivals_parse (const char *what, const char *text, lf_arrivals_spec *out, lf_error *err);
bool lf_source_is_trace (const lf_source_spec *s);
/* Expected number of requests in a time, for bounding work; traces count as none. */
double lf_arrivals_expected (const lf_arrivals_spec *s, int64_t for_us);

typedef struct lf_arrival
{
  lf_time_us at;
  int64_t service_us;            /* of a trace that says how long each took, else LF_NONE */
  uint32_t fn;                   /* of a trace with several functions: which, from 0 in order of appearance */
} lf_arrival;
typedef struct lf_stream lf_stream;
#define LF_TRACE_FUNCTIONS_MAX 200000
/* bytes is used by traces only and must outlive the source. for_us: where it ends; LF_NONE only for traces (where the trace ends).
 * only: NULL, or the name of the one function of the trace that is wanted. */
lf_stream *lf_stream_new (const lf_source_spec *s, const lf_bytes *bytes, int64_t for_us, const char *only, lf_rng *rng, lf_error *err);
void lf_stream_free (lf_stream *s);
/* 1 and *out, 0 at the end, -1 with *err (a trace that is malformed or out of order: names its line). Times never go back. */
int lf_stream_next (lf_stream *s, lf_arrival *out, lf_error *err);
const char *lf_stream_function (const lf_stream *s, uint32_t fn); /* name in the trace, "" where it has none */
int64_t lf_stream_length (const lf_stream *s);                    /* for traces that know it (whole minutes, days), else LF_NONE */

/* ---- one run ------------------------------------------------------------------------------------------------------------------------- */

/* How long requests take. All are borrowed. */
typedef struct lf_law
{
  const lf_dist *warm;           /* handler of a warm request; NULL: as long as the trace says */
  const lf_dist *init;           /* NULL: no init phase. Added to a cold request */
  const lf_dist *first;          /* handler of a cold request, NULL: as warm */
  const lf_dist *cold;           /* NULL, or the whole response of a cold request, in place of init and handler */
  bool paired;                   /* init and first were measured together and are drawn together */
  double fail;                   /* share of invocations that end in a function error */
} lf_law;

/* One function and its traffic; functions of a trace are made after it, each with environments of its own. */
typedef struct lf_workload
{
  const lf_function *fn;
  const lf_arrivals_spec *arrivals;
  const lf_bytes *bytes;         /* one for each source of `arrivals` that is a trace, in order; NULL if there is none */
  const char *only;              /* see lf_stream_new */
  lf_law law;
  bool async;
  int retries;                   /* of a synchronous caller that was throttled, with backoff as the AWS SDKs' standard mode */
} lf_workload;

typedef struct lf_sim_row
{
  const lf_inv *inv;             /* finished */
  uint64_t environment;          /* its serial, 0 when it had none */
  uint64_t number;               /* of the request, from 1 in order of arrival */
  int attempt;                   /* from 1 */
  const char *function;          /* the name of a trace's function, or the workload's */
  size_t workload;
  lf_time_us arrived;
  int64_t wait_us, billed_ms;
  bool async;
} lf_sim_row;

typedef struct lf_sim_options
{
  const lf_profile *profile;
  const lf_workload *work;
  size_t work_n;
  int64_t for_us;                /* LF_NONE: until the traces end */
  int64_t concurrency;           /* LF_NONE: the profile's */
  lf_pick pick;
  bool rate_limit, scaling_limit;
  uint64_t seed;
  size_t waiting_max;            /* requests that wait or run at once; 0: LF_SIM_WAITING_MAX */
  int64_t requests_max;          /* stop after so many arrivals, LF_NONE: never */
  /* Every attempt when it has finished; non-zero ends the run with *err. May be NULL. */
  int (*row) (const lf_sim_row *row, void *user, lf_error *err);
  /* An environment began (ended LF_NONE) or ended. May be NULL. */
  int (*env) (const lf_env *e, size_t workload, lf_time_us ended, lf_env_end why, void *user, lf_error *err);
  void *user;
  /* Called now and then with what has been simulated so far; non-zero stops the run (not an error). May be NULL. */
  int (*progress) (void *user, lf_time_us now, int64_t requests);
} lf_sim_options;
#define LF_SIM_WAITING_MAX 5000000

/* Counts of values in buckets 1/256 apart, each with its sum, so that a value that comes often is given back exactly. */
typedef struct lf_hist { uint64_t n; int64_t min, max; double sum; struct { uint64_t n, sum; } *b; } lf_hist;
int lf_hist_init (lf_hist *h);
void lf_hist_fini (lf_hist *h);
void lf_hist_add (lf_hist *h, int64_t v);          /* v >= 0 */
double lf_hist_percentile (const lf_hist *h, double p); /* as lf_percentile; NAN-free: 0 when empty */
double lf_hist_mean (const lf_hist *h);

#define LF_SIM_BINS 240
typedef struct lf_sim_bin { double environments, running; int64_t environments_max, running_max, requests, cold, throttled, failed; } lf_sim_bin;

typedef struct lf_sim_part       /* of one workload */
{
  int64_t requests, cold, throttled, failed, timeouts, dropped, served, attempts, billed_ms, init_ms, billed_requests;
  int64_t functions;             /* that were called */
} lf_sim_part;

typedef struct lf_sim_result
{
  lf_time_us length_us;          /* averages over time are over this */
  lf_sim_part total, *part;      /* part: one for each workload, owned */
  size_t parts;
  int64_t environments_max, running_max, started, ended;
  double environments_mean, running_mean, idle_mean, lifespan_mean_s /* < 0: none ended */, empty_share;
  int64_t empty_found;           /* requests that found no environment at all */
  lf_hist wait, latency;         /* of the served ones; microseconds */
  lf_sim_bin bins[LF_SIM_BINS];
  size_t bins_n;
  lf_time_us bin_us;
  bool stopped;                  /* by progress or requests_max */
} lf_sim_result;
/* 0, or -1 with *err. *out is to be finished in either case. */
int lf_simulate (const lf_sim_options *o, lf_sim_result *out, lf_error *err);
void lf_sim_result_fini (lf_sim_result *r);

/* ---- a service that is always on -------------------------------------------------------------------------------------------------------- */

typedef struct lf_service_options
{
  const lf_arrivals_spec *arrivals;
  const lf_bytes *bytes;         /* as lf_workload */
  const char *only;
  const lf_dist *law;            /* how long a request takes on a place; NULL: what the trace says, times `scale` */
  double scale;
  int64_t for_us, requests_max;  /* whichever comes first */
  uint64_t seed;
  int64_t places;                /* requests that a task serves at once */
  size_t tasks;                  /* how many; with a target: at least */
  double target;                 /* 0: a fixed number; else the share of busy places that is aimed at */
  size_t tasks_max;              /* with a target; 0: no limit */
  int64_t start_us, min_billed_us;
} lf_service_options;
typedef struct lf_service_result
{
  int64_t requests;
  lf_time_us length_us;
  double tasks_mean;             /* as billed */
  size_t tasks_max;
  double busy_share;
  bool overloaded;               /* more came than could be served: given up, the other figures mean nothing */
  lf_hist wait, latency;
} lf_service_result;
int lf_service_simulate (const lf_service_options *o, lf_service_result *out, lf_error *err);
void lf_service_result_fini (lf_service_result *r);

/* ---- over seeds ---------------------------------------------------------------------------------------------------------------------- */

/* Mean of n values and the half-width of its 95 % interval (Student's t); half < 0 when n < 2. */
typedef struct lf_estimate { double mean, half; } lf_estimate;
lf_estimate lf_estimate_of (const double *v, size_t n);

#endif
