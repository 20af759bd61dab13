/* SPDX-License-Identifier: Apache-2.0
 *
 * model, inside: what a rule's condition sees, and the words of its texts.
 */
#ifndef LF_MODEL_RULES_H
#define LF_MODEL_RULES_H

#include "lambdafit/model.h"

/* Memory and /tmp are advised with this much more than what was seen, in steps that people use. */
#define LF_ADVICE_MARGIN_PERCENT 20
#define LF_ADVICE_MEMORY_STEP_MB 64
#define LF_ADVICE_TMP_STEP_MB 64

/* One rule being judged. */
typedef struct judge
{
  const lf_facts *x;
  lf_limit limit;             /* the subject's, or LF_LIM_COUNT */
  char observed[320];         /* what the condition found, "; " between */
  char line[200];             /* the line of the output that a pattern was in */
  int64_t slope, breaks_at;   /* of the trend that grows */
  lf_trend_id trend;
  const lf_package_problem *problem;
} judge;

/* A setting that the platform takes within a range only: memory and /tmp in MB, the timeout in seconds. */
typedef struct lf_range { int64_t asked, min, max, step; const char *unit; } lf_range;
bool lf_judge_range (const judge *j, lf_limit l, lf_range *out); /* false: this limit is no such setting */
bool lf_range_outside (const lf_range *r);
int64_t lf_range_nearest (const lf_range *r);                    /* value that is taken */
int64_t lf_judge_wall_us (const lf_record *r); /* init and handler; LF_NONE when not known */
int64_t lf_judge_used (const judge *j, lf_limit l);
int64_t lf_judge_allowed (const judge *j, lf_limit l);
/* How long the same work takes with one whole CPU, from CPU time and share; LF_NONE when it was not measured. */
int64_t lf_whole_cpu_us (const lf_facts *x, int64_t wall_us, int64_t cpu_us);

/* words.c */
void lf_show_amount (int64_t n, const char *unit, char *out, size_t cap); /* for people: "116 MB", "2.70 s", "6 layers" */
void lf_fill (char *out, size_t cap, const char *text, const judge *j);   /* with its words replaced */

#endif
