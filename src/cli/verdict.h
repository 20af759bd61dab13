/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict of a run: what was used of each limit, times, cost, and what was broken.
 */
#ifndef LF_CLI_VERDICT_H
#define LF_CLI_VERDICT_H

#include "cli.h"

#define LF_VERDICT_VIOLATIONS_MAX 64

/* One rule that spoke: its first words, its worst value, how often. */
typedef struct lf_verdict_note
{
  lf_violation v; /* rule, limit_id and unit are the tables' own */
  char request_id[48];
  int64_t times;
} lf_verdict_note;

typedef struct lf_verdict
{
  const lf_profile *profile;
  const lf_function *f;
  const lf_strv *notes;
  lf_enforcement enforcement;
  bool json, failed;
  int64_t count, cold, warm, billed_ms;
  int64_t *init, *cold_duration, *warm_duration; /* samples, microseconds */
  size_t init_n, cold_n, warm_n;
  int64_t by_status[LF_ST_COUNT];
  int64_t used[LF_LIM_COUNT];
  int64_t cpu_us, throttled_us;
  lf_cost cost;
  lf_verdict_note seen[LF_VERDICT_VIOLATIONS_MAX];
  size_t seen_n;
  struct cJSON *invocations;
  bool nomem;
} lf_verdict;

void lf_verdict_init (lf_verdict *v, const lf_function *f, const lf_profile *p);
void lf_verdict_fini (lf_verdict *v);
void lf_verdict_add (lf_verdict *v, const lf_outcome *o);
void lf_verdict_violation (lf_verdict *v, const lf_violation *one);
void lf_verdict_print (lf_verdict *v, FILE *f);
struct cJSON *lf_verdict_json (lf_verdict *v); /* the caller owns it */
struct cJSON *lf_function_json (const lf_function *f, const lf_profile *p);

#endif
