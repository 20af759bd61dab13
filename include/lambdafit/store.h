/* SPDX-License-Identifier: Apache-2.0
 *
 * store: the log, one SQLite file. Schema with version and migrations (src/store/schema.def), a writer used by the daemon's loop, and
 * readers that open any log read-only. "An answered invocation is already committed": the writer groups rows of one loop turn in one
 * transaction; lf_store_commit returns before any of them is answered. WAL, synchronous=NORMAL; checkpoints run on a thread of the
 * store's own, never in the caller.
 */
#ifndef LAMBDAFIT_STORE_H
#define LAMBDAFIT_STORE_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"

#define LF_STORE_VERSION 6

typedef struct lf_store lf_store;
/* NULL path: $LAMBDAFIT_DB, else $XDG_STATE_HOME/lambdafit/log.db. Creates and migrates. Errors (LF_EXIT_IO): not a database, newer schema
 * (says both versions), locked, read-only, full. Several writers of one file are allowed (a `run` beside a daemon): busy timeout 5 s. */
lf_store *lf_store_open (const char *path, lf_error *err);
lf_store *lf_store_open_read (const char *path, lf_error *err); /* never writes; works on a read-only file or folder */
void lf_store_close (lf_store *s);
const char *lf_store_path (const lf_store *s);
char *lf_store_default_path (void);

/* One run of the daemon or of `run`: who wrote, when, where. Returns its id, or -1. */
int64_t lf_store_run_begin (lf_store *s, const char *command, const char *profile, const char *region, const char *host, lf_error *err);
int lf_store_run_end (lf_store *s, int64_t run, lf_error *err);
int lf_store_function (lf_store *s, const lf_function *f, int64_t at_us, lf_error *err);          /* inserts a new row when anything changed */
int lf_store_env_begin (lf_store *s, const char *id, const char *function, int64_t at_us, const char *network, const char *enforcement_json, lf_error *err);
int lf_store_run_refused (lf_store *s, int64_t n, lf_error *err); /* of the run that was begun last */
/* Only for the one daemon of a log, after its lf_store_run_begin: marks environments of daemons before it that never said their end. */
int lf_store_envs_killed (lf_store *s, int64_t *n, lf_error *err);
int lf_store_env_end (lf_store *s, const char *id, int64_t at_us, const char *reason, lf_error *err);
int lf_store_invocation (lf_store *s, const lf_record *r, lf_error *err);                        /* insert */
int lf_store_invocation_update (lf_store *s, const lf_record *r, lf_error *err);                 /* same request_id: final figures */
int lf_store_violation (lf_store *s, const lf_violation *v, lf_error *err);
/* Accepted asynchronous events: kept until they are done, so that none is lost when the daemon dies. */
int lf_store_event (lf_store *s, const char *request_id, const char *function, int64_t accepted_us, const char *payload, size_t n, lf_error *err);
int lf_store_event_update (lf_store *s, const char *request_id, int attempts, int64_t due_us, lf_error *err);
int lf_store_event_done (lf_store *s, const char *request_id, lf_error *err);
typedef struct lf_stored_event { const char *request_id, *function, *payload; size_t payload_len; int64_t accepted_us, due_us; int attempts; } lf_stored_event;
typedef int (*lf_event_each) (const lf_stored_event *ev, void *user);
int lf_store_events (lf_store *s, lf_event_each each, void *user, lf_error *err); /* oldest first; a non-zero return stops */
/* Rows written since the last commit become durable against kill -9. Opens a transaction lazily at the first write. On failure
 * (disk full, locked, I/O) everything since the last commit is rolled back and the error says which file and how to go on: do not answer. */
int lf_store_commit (lf_store *s, lf_error *err);
bool lf_store_dirty (const lf_store *s);

/* What a log keeps: the newest `rows` invocations, those received within `age_us`; LF_NONE: no such bound. Where both are set, each lets rows go. */
typedef struct lf_keep { int64_t rows, age_us; } lf_keep;
/* From now on older invocations, and what belongs to them, are removed in the background and the file becomes smaller; no commit waits for that longer
 * than a few milliseconds. Call it before anybody is served: a file that was not made for it is rebuilt first, which takes a second for each 100 MB or so. */
int lf_store_keep (lf_store *s, const lf_keep *keep, lf_error *err);

/* What `check` knows of an invocation that it made. Integers may be LF_NONE, problem NULL. */
typedef struct lf_check_row
{
  const char *request_id, *function, *event, *problem;
  int64_t at_us, round, expected, fds, processes, loop_wall_ns, loop_cpu_ns, loop_memory_ns;
  int64_t run, run_started_us; /* when read; LF_NONE: not known */
} lf_check_row;
/* After the invocation's own row, which says its run. */
int lf_store_check (lf_store *s, const lf_check_row *r, lf_error *err);
/* In the order of time; strings live during the call, a non-zero return stops. Older logs have none. */
typedef int (*lf_check_each) (const lf_check_row *r, void *user);
int lf_store_checks (lf_store *s, lf_check_each each, void *user, lf_error *err);

/* ---- many logs into one ----------------------------------------------------------------------------------------------------------- */

typedef struct lf_merge_counts { int64_t invocations, duplicates; } lf_merge_counts;
/* Writes all rows of n logs of any known schema to `out`, each once, in the order of time. `out` appears when it is whole; a log of this name is
 * replaced. Events that are still to be done are left out. */
int lf_store_merge (char *const *paths, size_t n, const char *out, lf_merge_counts *counts, lf_error *err);

/* ---- readers ------------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_log_filter
{
  const char *function, *request_id;   /* NULL: any */
  bool errors, cold;                   /* only those */
  int64_t since_us, until_us;          /* wall clock, LF_NONE: open */
  int64_t after_rowid;                 /* for --follow; 0: from the start */
  int64_t limit;                       /* newest N, still given oldest first; LF_NONE: all */
} lf_log_filter;
/* Calls `each` for every match, oldest first; strings live during the call. A non-zero return stops. 0 or -1. *last_rowid (may be NULL) is the newest seen. */
typedef int (*lf_log_each) (const lf_record *r, int64_t rowid, void *user);
int lf_store_invocations (lf_store *s, const lf_log_filter *f, lf_log_each each, void *user, int64_t *last_rowid, lf_error *err);
typedef int (*lf_violation_each) (const lf_violation *v, void *user);
/* request_id NULL: all; "": those that were known before any invocation. */
int lf_store_violations (lf_store *s, const char *function, const char *request_id, lf_violation_each each, void *user, lf_error *err);
/* Those written after *last_id (0: all), oldest first; *last_id becomes the newest one's. */
int lf_store_violations_after (lf_store *s, int64_t *last_id, lf_violation_each each, void *user, lf_error *err);
/* Latest row of a function (owned fields in *out; lf_function_fini). 1 found, 0 not, -1 error. */
int lf_store_function_get (lf_store *s, const char *name, lf_function *out, lf_error *err);
int lf_store_functions (lf_store *s, lf_strv *names, lf_error *err);
/* Enforcement JSON of an environment (caller frees), NULL when unknown. */
char *lf_store_env_enforcement (lf_store *s, const char *environment);

/* How long a write or a read waits for another program's lock; 5,000 ms unless said otherwise. */
void lf_store_busy_timeout (lf_store *s, int ms);
/* Every column of every table, in order, for documentation and tests. */
typedef struct lf_store_part { const char *table, *column, *type, *doc; int since; } lf_store_part;
size_t lf_store_schema (const lf_store_part **out);

/* ---- aggregation: what `report` says of a log ------------------------------------------------------------------------------------- */

/* Of n measured values; all LF_NONE when n is 0. A percentile p is the value at rank ceil (p/100 * n). */
typedef struct lf_spread { size_t n; int64_t min, p50, p95, p99, max; } lf_spread;
#define LF_REPORT_BUCKETS 48
typedef struct lf_report_bucket { int64_t invocations, errors, cold; } lf_report_bucket;

typedef struct lf_report_function
{
  char *name;
  int64_t invocations, errors, cold, throttled; /* errors: whose status is not ok, the throttled ones too */
  lf_spread init_us, duration_us;
  int64_t memory_mb, tmp_mb, timeout_ms;        /* the latest setting, LF_NONE if unknown */
  int64_t max_memory_bytes, tmp_used_bytes;     /* the largest of all rows */
  int64_t memory_permille, tmp_permille, duration_permille; /* the closest to its own row's limit */
  int64_t package_bytes;
  int64_t billed_ms;
  lf_cost cost;                                 /* unknown if any row cannot be priced */
  int64_t violations, broken;                   /* rows; those of them that are broken */
  int64_t histogram[LF_REPORT_BUCKETS];         /* durations, in buckets of equal ratio from duration_us.min to .max */
  lf_report_bucket timeline[LF_REPORT_BUCKETS]; /* buckets of equal length from the report's first_us to its last_us */
} lf_report_function;

/* All violations of one function, rule and severity; the texts are those of the worst one. */
typedef struct lf_report_violation
{
  char *function, *limit_id, *unit, *rule, *message, *fix, *request_id;
  lf_severity severity;
  lf_enforced enforced;
  int64_t used, allowed, count, first_us, last_us;
} lf_report_violation;

typedef struct lf_report
{
  lf_report_function *functions; /* by name */
  size_t n;
  lf_report_violation *violations; /* broken first, then by how often */
  size_t violations_n;
  int64_t invocations, errors, cold, throttled, billed_ms, first_us, last_us; /* first and last LF_NONE without rows */
  lf_cost cost;
  char region[24]; /* the one that all prices are of; "" if the rows have several */
} lf_report;

typedef struct lf_report_filter
{
  const char *function;    /* NULL: all */
  int64_t since_us, until_us; /* LF_NONE: open */
  const lf_profile *profile;
  const char *region;      /* NULL: each row's own */
} lf_report_filter;
/* One consistent view of the log, whatever is written meanwhile. */
int lf_store_report (lf_store *s, const lf_report_filter *f, lf_report *out, lf_error *err);
void lf_report_fini (lf_report *r);

#endif
