/* SPDX-License-Identifier: Apache-2.0
 *
 * profile: a platform on a date: its limits, its behaviour and its prices, loaded from a JSON file (profiles/NAME.json or a
 * user's own). Every number in a file is {"value", "source", "confidence"}; confidence is "verified", "transcribed" or "assumed".
 * The file is checked when loaded: unknown keys, missing keys, wrong types and values out of range are errors that name the key.
 * The fields below are one table (src/profile/fields.def) that the loader, `profile show|diff|check` and the documentation use.
 */
#ifndef LAMBDAFIT_PROFILE_H
#define LAMBDAFIT_PROFILE_H

#include "lambdafit/base.h"

typedef enum { LF_ARCH_X86_64, LF_ARCH_ARM64, LF_ARCH_COUNT } lf_arch;
const char *lf_arch_name (lf_arch a);              /* "x86_64", "arm64" */
int lf_arch_parse (const char *s, lf_arch *out);   /* 0 or -1 */

typedef enum { LF_INIT_BILLED_ALL, LF_INIT_BILLED_CUSTOM } lf_init_billed; /* init billed for every function / only provided.* */
typedef enum { LF_STYLE_2020, LF_STYLE_2026 } lf_style;                    /* which era's log lines and error bodies */

/* One step of a function of memory: applies up to and including up_to_mb. */
typedef struct lf_cpu_step { int64_t up_to_mb; int cpus; } lf_cpu_step;

/* Prices of one region. Rates in `currency` per unit; a rate that is not published has mantissa -1 (known by lf_rate_known). */
typedef struct lf_duration_tier { int64_t up_to_gb_s; lf_decimal per_gb_s; } lf_duration_tier; /* up_to_gb_s INT64_MAX on the last */
typedef struct lf_prices
{
  char region[24];
  char currency[4];
  lf_decimal per_million_requests[LF_ARCH_COUNT];
  lf_duration_tier duration[LF_ARCH_COUNT][4];
  int duration_tiers[LF_ARCH_COUNT];
  lf_decimal tmp_per_gb_s;                /* above the free 512 MB */
  lf_decimal pc_duration_per_gb_s[LF_ARCH_COUNT], pc_idle_per_gb_s[LF_ARCH_COUNT];
} lf_prices;
bool lf_rate_known (lf_decimal d);

typedef struct lf_profile
{
  char name[64], title[128], date[16], service[16]; /* service: "lambda" */
  /* limits */
  int64_t memory_min_mb, memory_max_mb, memory_step_mb, memory_default_mb;
  int64_t timeout_min_s, timeout_max_s, timeout_default_s;
  int64_t tmp_min_mb, tmp_max_mb, tmp_default_mb;
  int64_t package_max_bytes;      /* unzipped sum; must be strictly smaller */
  int64_t zip_max_bytes;          /* direct upload */
  int64_t image_max_bytes;        /* all layers of a container image, unpacked; 0: none are taken */
  int64_t create_request_max_bytes;
  int64_t layers_max;
  int64_t request_max_bytes, response_max_bytes, async_request_max_bytes;
  int64_t stream_max_bytes;       /* a streamed response; 0: there is no streaming */
  int64_t stream_burst_bytes, stream_bytes_per_s; /* its bandwidth: so much at once, then so much a second; 0: no limit */
  int64_t env_max_bytes;          /* of the compact JSON object text */
  int64_t fds_max, processes_max, nproc_rlimit;
  int64_t concurrency_account, concurrency_unreserved_min;
  int64_t requests_per_concurrency; /* request rate = this * concurrency, per second */
  int64_t scaling_burst, scaling_step, scaling_period_ms; /* environments at once, then `step` more every period */
  int64_t scaling_per_function;   /* 1: the budget is each function's; 0: the account's */
  int64_t init_max_ms;
  int64_t extensions_max;
  int64_t client_context_max_bytes;
  int64_t log_tail_bytes;         /* X-Amz-Log-Result */
  int64_t log_line_max_bytes;
  /* behaviour */
  int64_t keepalive_ms;
  int64_t billing_granularity_ms;
  lf_init_billed init_billed;
  lf_style style;
  int64_t mb_per_vcpu;            /* 1769, 1792 */
  lf_cpu_step cpus[12];           /* visible CPUs by memory */
  int cpu_steps;
  int64_t tmp_free_mb;            /* charged above this; tmp_max_mb when never charged */
  int64_t invocation_id;          /* 1: /next carries Lambda-Runtime-Invocation-Id and stale ones get 410 */
  int64_t async_retries, async_max_age_s, async_retry_delay_1_ms, async_retry_delay_2_ms, async_backoff_min_ms, async_backoff_max_ms;
  int64_t free_requests, free_gb_s; /* monthly free tier */
  /* prices */
  lf_prices *prices;
  size_t prices_n;
  /* service == "fargate" or "ec2": rates are read by the simulator from this tree; NULL for lambda */
  struct cJSON *extra;
  struct cJSON *tree;             /* the file, for `profile show` (sources and confidences) */
} lf_profile;

/* NAME is a shipped profile's name, or a path (contains '/' or ends in ".json"). NULL: $LAMBDAFIT_PROFILE, else the default. */
lf_profile *lf_profile_load (const char *name, lf_error *err);
lf_profile *lf_profile_parse (const char *text, size_t n, const char *what, lf_error *err); /* no file access */
void lf_profile_free (lf_profile *p);
#define LF_PROFILE_DEFAULT "aws-lambda-2026-11"
/* Names of the shipped profiles, sorted, into out. */
int lf_profile_list (lf_strv *out, lf_error *err);
const lf_prices *lf_profile_prices (const lf_profile *p, const char *region); /* NULL if the profile has no such region */
int lf_profile_visible_cpus (const lf_profile *p, int64_t memory_mb);
/* CPU quota in thousandths of one CPU: round(1000 * memory / mb_per_vcpu). */
int64_t lf_profile_cpu_milli (const lf_profile *p, int64_t memory_mb);
/* One field of the table, for show, diff and docs. */
typedef struct lf_profile_field { const char *key, *section, *unit, *doc; } lf_profile_field;
size_t lf_profile_fields (const lf_profile_field **out);
/* Current value of field i as text ("10240", "all"), its source and its confidence from the file (borrowed; "" if derived). */
void lf_profile_field_get (const lf_profile *p, size_t i, char value[256], const char **source, const char **confidence);

/* One price of a region, for show, diff and docs; the table is src/profile/rates.def, spread over architectures and duration tiers. */
#define LF_RATE_SLOTS_MAX 16
typedef struct lf_profile_rate
{
  char key[64];               /* "per_million_requests.x86_64", "duration.arm64[1]" */
  const char *unit, *doc;     /* "per GB-s" */
  lf_decimal rate;            /* lf_rate_known says whether one is published */
  int64_t up_to_gb_s;         /* of a duration tier that is not the last, else LF_NONE */
  const char *source, *confidence; /* borrowed from the profile, "" if derived */
} lf_profile_rate;
/* All prices of a region, in the table's order; returns how many, 0 when the profile has no such region. */
size_t lf_profile_rates (const lf_profile *p, const char *region, lf_profile_rate out[LF_RATE_SLOTS_MAX]);

#endif
