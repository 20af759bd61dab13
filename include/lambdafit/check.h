/* SPDX-License-Identifier: Apache-2.0
 *
 * check: the gate of `lambdafit check`. What a check file asks for, what was measured, and the judgement of the one by the other, all pure:
 * no clock, no file. Reading files and YAML is in an archive of its own (src/check/file/, the functions at the end of this door).
 *
 * A value is an integer in the base unit of its measure's kind: microseconds, bytes, a count, or 1e-12 of the currency. LF_NONE is "not
 * measured". Strings of results are borrowed from the check and the samples that they were made from.
 */
#ifndef LAMBDAFIT_CHECK_H
#define LAMBDAFIT_CHECK_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"

/* ---- what can be budgeted (one table: src/check/measures.def) -------------------------------------------------------------------- */

/* The limits come first, with their numbers. */
typedef enum
{
  LF_CHK_TMP_GROWTH = LF_LIM_COUNT, LF_CHK_COLD_START, LF_CHK_THROTTLED_CPU, LF_CHK_COST_PER_MILLION, LF_CHK_MONTHLY_COST, LF_CHK_COUNT
} lf_check_extra;
typedef enum { LF_KIND_TIME, LF_KIND_BYTES, LF_KIND_COUNT, LF_KIND_MONEY } lf_kind;
typedef struct lf_measure
{
  const char *id;
  lf_kind kind;
  bool of_function;      /* known without an invocation: package, zip, layers, env */
  bool cold_only;        /* only a cold start has it: init, cold_start */
  const char *doc;       /* what is measured */
  const char *cause, *fix; /* likely cause of its growth, and what to do */
} lf_measure;
const lf_measure *lf_measure_get (int m);
int lf_measure_find (const char *id);               /* its number, or -1 */
const char *lf_measure_unit (int m);                /* in JSON: "ms", "bytes", "USD", the limit's own for counts */
double lf_measure_json (int m, int64_t v);          /* the value in that unit */
void lf_measure_show (int m, int64_t v, char out[48]); /* for people; "-" for LF_NONE */

typedef enum { LF_STAT_MAX, LF_STAT_MEAN, LF_STAT_P50, LF_STAT_P95, LF_STAT_P99, LF_STAT_COUNT } lf_stat;
const char *lf_stat_name (lf_stat s);

/* ---- a tree read from YAML or JSON, with places ------------------------------------------------------------------------------------ */

typedef enum { LF_DOC_SCALAR, LF_DOC_SEQ, LF_DOC_MAP } lf_doc_kind;
typedef struct lf_doc
{
  lf_doc_kind kind;
  bool plain;            /* a scalar without quotes */
  int line, column;      /* from 1 */
  char *key;             /* as a value of a map: its key, else NULL */
  int key_line, key_column;
  char *text;            /* of a scalar */
  size_t len;
  struct lf_doc **item;
  size_t n, cap;
} lf_doc;
lf_doc *lf_doc_new (lf_doc_kind kind, int line, int column);
void lf_doc_free (lf_doc *d);
int lf_doc_add (lf_doc *to, lf_doc *child);         /* takes child over, also when it fails (-1, no memory) */
const lf_doc *lf_doc_get (const lf_doc *map, const char *key); /* NULL if absent or no map */
struct cJSON *lf_doc_json (const lf_doc *d);        /* by YAML's core schema; NULL: no memory. The caller owns it */
#define LF_DOC_NODES_MAX 200000
#define LF_DOC_DEPTH_MAX 64

/* ---- the check file ------------------------------------------------------------------------------------------------------------------ */

typedef enum { LF_BUD_ABSOLUTE, LF_BUD_PERCENT /* of Lambda's limit */, LF_BUD_CHANGE /* against the baseline, by a part */, LF_BUD_MORE /* by a quantity */ } lf_budget_kind;
typedef struct lf_budget
{
  int measure;
  lf_stat stat;
  lf_budget_kind kind;
  int64_t value;         /* base unit, or 1e-6 parts (20 % is 200,000) */
  int line, column;
  char text[40];         /* as it was written */
} lf_budget;

typedef struct lf_expect
{
  const lf_doc *equals;  /* a value in the file, or NULL */
  char *json, *schema;   /* paths; a '*' stands for the event's base name */
  double tolerance;      /* 0: exact */
  int line, column;
} lf_expect;

/* An event as it was asked for. */
typedef struct lf_event_spec
{
  char *path;            /* file or pattern, or NULL */
  const lf_doc *value;   /* inline, or NULL */
  int64_t size;          /* generated with so many bytes, or LF_NONE */
  char *name;            /* given name, or NULL */
  bool has_expect;
  lf_expect expect;      /* its own */
  int line, column;
} lf_event_spec;

typedef struct lf_option_value { char *name; lf_strv values; int line, column; } lf_option_value; /* a function option by its long name */

typedef struct lf_check_function
{
  char *name, *target;   /* target NULL: the template's function of this name */
  int line, column;
  lf_option_value *options;
  size_t options_n;
  lf_event_spec *events;
  size_t events_n;
  int64_t cold, warm, concurrency, requests_per_month;
  bool has_expect;
  lf_expect expect;
  lf_budget *budgets;
  size_t budgets_n;
} lf_check_function;

#define LF_CHECK_FUNCTIONS_MAX 200
#define LF_CHECK_EVENTS_MAX 2000
#define LF_CHECK_COLD_DEFAULT 5
#define LF_CHECK_WARM_DEFAULT 20

typedef struct lf_check
{
  char *path;            /* as it is named in messages */
  lf_doc *doc;
  char *profile, *region, *template_;
  lf_check_function *functions;
  size_t functions_n;
} lf_check;
/* Options of functions that the caller knows. Returns their number of values: 0 a flag, 1 one, 2 a list; -1 unknown. *names lists all, for the
 * nearest one. */
typedef struct lf_check_names { int (*option) (const char *name); const char *const *names; size_t n; } lf_check_names;
/* Takes `doc` over, also on failure. NULL: *err says what, with FILE:LINE:COLUMN (exit status 2). */
lf_check *lf_check_parse (lf_doc *doc, const char *path, const lf_check_names *names, lf_error *err);
void lf_check_free (lf_check *c);
/* The known word nearest to `word`, or NULL when none is near. */
const char *lf_nearest (const char *word, const char *const *known, size_t n);

/* "80%", "+20%", "8 s", "512 MB", "0.40 USD", "100". */
int lf_budget_parse (int measure, const char *text, lf_budget *out, char why[300]);
/* Bytes from "1 MB", "6000000". */
int lf_bytes_parse (const char *text, int64_t *out);

/* ---- does a response match? ---------------------------------------------------------------------------------------------------------- */

/* Exactly, numbers within the tolerance: |a - b| <= tolerance * max (1, |b|). 0, or -1 with *why, which begins with the place ("$.a[2]"). */
int lf_match_equal (const struct cJSON *got, const struct cJSON *want, double tolerance, lf_buf *why);
/* Every key of `want`'s objects is there and matches; arrays have the same length. */
int lf_match_subset (const struct cJSON *got, const struct cJSON *want, double tolerance, lf_buf *why);
/* JSON Schema (2020-12 and the common part of 7). lf_schema_check refuses keywords that are not supported, rather than ignore them. */
int lf_schema_check (const struct cJSON *schema, const char *what, lf_error *err);
int lf_match_schema (const struct cJSON *got, const struct cJSON *schema, lf_buf *why);

/* ---- what was measured --------------------------------------------------------------------------------------------------------------- */

/* An event ready to be sent. */
typedef struct lf_check_event
{
  char *name;            /* "events/a.json", or the JSON itself where it is short */
  lf_buf payload;
  struct cJSON *equals, *json, *schema; /* what is expected, or NULL */
  double tolerance;
  int line, column;
} lf_check_event;

typedef struct lf_sample
{
  int event;             /* index, or -1: unknown */
  int cold;              /* 1, 0; -1: none served it */
  int round;             /* 0 first; later ones only where a timing was doubted */
  lf_status status;
  int64_t value[LF_CHK_COUNT];
  int64_t cpu_us, at_us, end_us;
  int64_t loop_wall_ns, loop_cpu_ns, loop_memory_ns; /* the calibration loops beside it, or LF_NONE */
  bool limited;          /* it broke a rule, which has a result of its own */
  int expected;          /* 1 as expected, 0 not, -1: nothing was expected */
  char *request_id, *problem; /* problem: the error, or why it is not as expected; NULL: none */
} lf_sample;

typedef struct lf_seen     /* violations of one subject (a limit, or what else a rule is about), severity and event */
{
  char subject[32];
  int measure, event;      /* measure -1: nothing that a budget can be about */
  lf_severity severity;
  lf_enforced enforced;
  int64_t used, allowed, times;
  char message[sizeof ((lf_violation *) 0)->message], fix[sizeof ((lf_violation *) 0)->fix];
} lf_seen;

/* The largest things in a package: a folder or a large file at its top, or in the folder for libraries of a layer. */
#define LF_PARTS_MAX 24
typedef struct lf_part { char name[80]; int64_t bytes; } lf_part;

typedef struct lf_observed
{
  const lf_check_function *of;
  const char *name;
  bool have_f;
  lf_function f;         /* as it ran */
  const lf_profile *profile;
  bool have_enforcement;
  lf_enforcement enforcement;
  lf_check_event *events;
  size_t events_n;
  lf_sample *samples;
  size_t samples_n, samples_cap;
  lf_seen *seen;
  size_t seen_n;
  lf_part parts[LF_PARTS_MAX];
  size_t parts_n;
  int64_t planned;       /* invocations that were to be made in the first round */
  int rounds;
  bool part;             /* a shard: only some of its events */
  bool from_log, events_unknown; /* measured before; in a log that does not know which event an invocation had */
  char stopped[200];     /* why not all were made, or "" */
} lf_observed;
void lf_observed_fini (lf_observed *o);
/* A row becomes a sample, with everything that can be read from it; NULL: no memory. */
lf_sample *lf_observed_add (lf_observed *o, const lf_record *r, int event, int round);
/* 1: it was taken, so the sample has a result of its own for it; 0: it is no more than a warning that no budget can be about; -1: no memory. */
int lf_observed_violation (lf_observed *o, const lf_violation *v, int event);
/* Sets `expected` and `problem` of a sample whose status is ok. */
int lf_sample_expect (lf_sample *s, const lf_check_event *e, const char *body, size_t n);

/* ---- baseline -------------------------------------------------------------------------------------------------------------------------- */

#define LF_BASELINE_VERSION 1
#define LF_BASELINE_SAMPLES_MAX 30
typedef struct lf_baseline { struct cJSON *tree; char *path; } lf_baseline;
/* NULL: no baseline, or one that this program cannot use (*err, exit status 2). */
lf_baseline *lf_baseline_parse (const char *text, size_t n, const char *path, lf_error *err);
void lf_baseline_free (lf_baseline *b);
/* The text of a baseline of all functions observed, in a stable order. Functions of `old` (may be NULL) that were not observed are kept. */
int lf_baseline_write (const lf_observed *const *o, size_t n, const lf_baseline *old, lf_buf *out);

/* Timings in milliseconds; each divided by the loop beside it: by its wall time, by its CPU time; and the CPU time used, by the loop's CPU time. */
#define LF_TIMINGS_MAX 200
typedef struct lf_timings
{
  double plain[LF_TIMINGS_MAX], wall[LF_TIMINGS_MAX], cpu[LF_TIMINGS_MAX], used[LF_TIMINGS_MAX];
  size_t n, used_n;
  double busy;           /* wall time over CPU time of the loops: about 1 on a machine that has nothing else to do */
  double memory;         /* CPU time of the loop that works in memory over that of the other: more on a machine whose caches are contended */
  double bound;          /* which part of its time it computes or is held back for it, undisturbed */
  int64_t p50;           /* of the measure itself */
} lf_timings;
typedef enum { LF_CMP_SAME, LF_CMP_WORSE, LF_CMP_BUSY, LF_CMP_FEW } lf_comparison_word;
typedef struct lf_comparison
{
  lf_comparison_word word;
  bool doubtful;         /* over the allowed change in every round until now: measure again */
  bool by_cpu;           /* the CPU time shows it */
  double ratio, low;     /* the estimate, and what it surely exceeds */
} lf_comparison;
/* Are the timings of one to three rounds more than `more` (0.2: a fifth) above the base's? See docs/check.md for the rule. */
lf_comparison lf_compare (const lf_timings *base, const lf_timings *rounds, size_t n, double more);
/* The interval of the ratio between two samples, distribution-free (Mann and Whitney), one-sided error 0.005 at each end. -1: too few. */
int lf_ratio_interval (const double *base, size_t bn, const double *now, size_t nn, double *ratio, double *low, double *high);

/* ---- judgement ----------------------------------------------------------------------------------------------------------------------- */

typedef enum { LF_RES_PASS, LF_RES_NOT_MEASURED, LF_RES_WORSE, LF_RES_BROKEN } lf_result_word; /* from good to bad */
const char *lf_result_name (lf_result_word w); /* "pass", "not_measured", "worse", "broken" */

typedef struct lf_result
{
  const char *function, *budget, *statistic /* or NULL */, *event /* or NULL */;
  int measure;           /* or -1: function_error, expect */
  int64_t used, allowed, baseline;
  lf_result_word word;
  bool incomplete;       /* not measured because a baseline or a part of the log is missing: the configuration is not complete */
  bool of_event;         /* about this event; else it is only where the value was found */
  bool doubtful;         /* a timing over its budget: worth measuring again */
  int line, column;
  char budget_text[40], message[700], fix[500];
} lf_result;

typedef struct lf_results { lf_result *v; size_t n, cap; bool nomem; } lf_results;
void lf_results_fini (lf_results *r);
/* Appends the results of one function. baseline may be NULL. `update`: changes are not judged. */
int lf_check_judge (const lf_observed *o, const lf_baseline *baseline, bool update, lf_results *out);
/* Appends that a function could not be run, or not to the end, and why: the check is not complete, so it is not green. */
int lf_check_not_run (const lf_observed *o, const lf_error *why, lf_results *out);
/* What Lambda allows of a measure, in base units; LF_NONE: no such limit. */
int64_t lf_check_limit (int m, const lf_function *f, const lf_profile *p);
lf_result_word lf_results_word (const lf_results *r);
/* 0, 1 or 3, or 2 when nothing else failed but a baseline is missing. */
int lf_results_exit (const lf_results *r, bool strict);

/* ---- reports --------------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_check_report
{
  const lf_results *results;
  const char *path;      /* the check file, relative */
  const char *log;       /* or NULL */
  const char *profile, *region;
  const char *shard;     /* "1/3" or NULL */
  const lf_observed *const *observed;
  size_t observed_n;
  int64_t at_us;         /* wall clock, for documents that need one */
  int64_t took_us;
  bool strict;
  const char *version;   /* of this program */
} lf_check_report;
int lf_report_check_json (const lf_check_report *r, lf_buf *out);
int lf_report_check_junit (const lf_check_report *r, lf_buf *out);
int lf_report_check_sarif (const lf_check_report *r, lf_buf *out);
int lf_report_check_markdown (const lf_check_report *r, lf_buf *out);
int lf_report_check_annotations (const lf_check_report *r, lf_buf *out); /* GitHub's workflow commands */

/* ---- reading: src/check/file/ ---------------------------------------------------------------------------------------------------------- */

#define LF_CHECK_BYTES_MAX ((size_t) 4 << 20)
#define LF_EVENT_BYTES_MAX ((size_t) 64 << 20)
lf_doc *lf_doc_read (const char *text, size_t n, const char *path, lf_error *err); /* YAML, and so JSON */
/* The events that a function's list means, files read. The current folder is the check file's. *events is the caller's (lf_check_events_free). */
int lf_check_events_load (const lf_check *c, const lf_check_function *f, lf_check_event **events, size_t *n, lf_error *err);
void lf_check_events_free (lf_check_event *events, size_t n);
/* "FILE:LINE:COLUMN" */
void lf_check_place (const lf_check *c, int line, int column, char out[200]);

#endif
