/* SPDX-License-Identifier: Apache-2.0
 *
 * check, inside: what the files of this room share.
 */
#ifndef LF_CHECK_INSIDE_H
#define LF_CHECK_INSIDE_H

#include "lambdafit/check.h"

#define MONEY_TO_VALUE ((lf_money) 1000000000000) /* 1e-24 to 1e-12 */
#define BUSY_RATIO 1.15   /* wall time over CPU time of the loop: above, the machine is busy with something else */
#define BOUND_PART 0.6    /* from here on a handler's time is that of its computing */
#define CONTENDED_MAX 2.5
#define MEMORY_PART 0.1   /* of a handler's CPU time, that which contended caches make dearer; measured: 0.02 for plain Python */
#define ROUNDS_MAX 3
#define FLOOR_US 1000     /* Lambda bills in milliseconds; a smaller change is none */

/* The samples of a measure that count for absolute budgets, or for a comparison. */
bool lf_sample_counts (const lf_sample *s, int measure);
/* Timings of a measure in one round, of one event (-1: all), with the loops beside them. */
void lf_observed_timings (const lf_observed *o, int measure, int event, int round, lf_timings *out);
/* One value of the samples of a round: LF_NONE when there is none. *worst is the sample that it comes from. */
int64_t lf_observed_stat (const lf_observed *o, int measure, lf_stat stat, int event, int round, const lf_sample **worst);
int64_t lf_observed_static (const lf_observed *o, int measure);
/* Most environments at a time, and most requests within a second. */
int64_t lf_observed_concurrency (const lf_observed *o);
int64_t lf_observed_rate (const lf_observed *o);



/* From a baseline: exact values, timings. */
int64_t lf_baseline_value (const lf_baseline *b, const char *function, int measure, lf_stat stat);
bool lf_baseline_timings (const lf_baseline *b, const char *function, const char *event, int measure, lf_timings *out);
/* Bytes of a part of the package; LF_NONE when the baseline has none of this name. False: the baseline knows no parts. */
bool lf_baseline_part (const lf_baseline *b, const char *function, const char *part_name, int64_t *bytes);
bool lf_baseline_has (const lf_baseline *b, const char *function);
/* What differs in the settings that timings depend on: "memory 128 -> 512 MB", or "". */
void lf_baseline_settings (const lf_baseline *b, const lf_observed *o, char out[200]);

/* Text that is safe in XML: characters that XML cannot hold become '?'. */
void lf_add_xml (lf_buf *b, const char *s);

#endif
