/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit check: what its files share.
 */
#ifndef LF_CLI_CHECK_H
#define LF_CLI_CHECK_H

#include "cli.h"
#include "lambdafit/check.h"

#define LF_CHECK_FILE "lambdafit.yaml"
#define LF_CHECK_BASELINE "lambdafit.baseline.json"
#define LF_CHECK_LOG "lambdafit-check.db"

/* Everything of one run of the command. */
typedef struct lf_checking
{
  const lf_args *a;
  lf_check *check;
  lf_profile *profile;
  lf_baseline *baseline;    /* or NULL */
  lf_observed *observed;    /* of each function, in the file's order */
  size_t observed_n;        /* of those that were tried */
  lf_results results;
  char *cwd;                /* before going to the file's folder */
  char *db, *template_;     /* template_: of the command line, or NULL */
  int shard, shards;        /* 1/1: all */
  int signum;
  int64_t began_us, wall_us;
  lf_error failure;         /* what ended it early, exit LF_EXIT_OK: nothing */
} lf_checking;

/* Measures one function, and again where a timing is doubted. 0; -1: *err, what was measured until then is kept. */
int lf_check_function_run (lf_checking *k, size_t index, lf_error *err);
/* Takes what is in the log k->db as measured. */
int lf_check_from (lf_checking *k, lf_error *err);
/* The options of a function as command line arguments; lf_args_fini when done. Texts are borrowed from the check. */
int lf_check_args (const lf_checking *k, const lf_check_function *f, lf_args *out, lf_error *err);
int lf_check_init (const lf_args *a); /* the exit status */
/* Measures the one function of a check file's text in the current folder, with a log that is not kept. *out takes what was measured; its events are
 * gone. */
int lf_check_trial (const lf_args *a, const char *text, size_t n, lf_observed *out, lf_error *err);
void lf_check_print (const lf_checking *k, FILE *f);

/* The calibration loops: always the same work, about 10 ms of it. Nanoseconds of wall time and of CPU time of the one that calculates, and of CPU
 * time of the one that works in memory. */
typedef struct lf_loops { int64_t wall_ns, cpu_ns, memory_ns; } lf_loops;
void lf_calibrate (lf_loops *out);

#endif
