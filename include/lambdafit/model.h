/* SPDX-License-Identifier: Apache-2.0
 *
 * model: everything Lambda decides, with no clock and no I/O. Functions and their checks, the fleet of execution environments
 * (placement, cold and warm, init, timeouts, keepalive, concurrency, throttles, reset), asynchronous events, billing, limits and
 * violations, log lines. The daemon carries the effects out with real sandboxes; the simulator runs the same code with a virtual clock.
 */
#ifndef LAMBDAFIT_MODEL_H
#define LAMBDAFIT_MODEL_H

#include "lambdafit/base.h"
#include "lambdafit/profile.h"

/* ---- runtimes (one table: src/model/runtimes.def) -------------------------------------------------------------------------- */

typedef enum { LF_RT_PROVIDED, LF_RT_PYTHON, LF_RT_NODEJS, LF_RT_REFUSED } lf_runtime_kind;
typedef struct lf_runtime_info
{
  char id[32];              /* "python3.12" */
  lf_runtime_kind kind;
  int major, minor;         /* 3, 12; 22, 0; 0, 0 for provided */
  const char *instead;      /* for LF_RT_REFUSED: what to do instead */
} lf_runtime_info;
/* Recognises any python3.N, nodejsN.x, provided.al2, provided.al2023, and the refused families. 0 or -1 with a Lambda-like error. */
int lf_runtime_parse (const char *id, lf_runtime_info *out, lf_error *err);

/* ---- functions -------------------------------------------------------------------------------------------------------------- */

typedef enum { LF_LOG_TEXT, LF_LOG_JSON } lf_log_format;
typedef enum { LF_NET_HOST, LF_NET_NONE } lf_network;

/* How a function is reached by HTTP (its function URL). `set`: a template or the control API gave one; without one it is reachable all the
 * same, with these defaults: no authorization, buffered, no CORS. */
typedef struct lf_url_config
{
  bool set, iam, stream;          /* AuthType AWS_IAM; InvokeMode RESPONSE_STREAM */
  bool cors, credentials;         /* Cors was given; AllowCredentials */
  int64_t max_age_s;              /* LF_NONE: not given */
  lf_strv origins, methods, headers, expose;
} lf_url_config;
void lf_url_config_fini (lf_url_config *u);
int lf_url_config_copy (lf_url_config *to, const lf_url_config *from, lf_error *err);

/* A function's configuration as Lambda would hold it. Strings are owned by the struct. */
typedef struct lf_function
{
  char *name, *version;           /* version "$LATEST" */
  char *runtime, *handler;
  lf_runtime_info rt;
  lf_arch arch;
  char *region, *account;         /* account "123456789012" */
  int64_t memory_mb, timeout_ms, tmp_mb;
  lf_strv env;                    /* the user's variables, "K=V" */
  lf_strv layers;                 /* paths or ARNs, in order */
  int64_t reserved;               /* reserved concurrency, LF_NONE when not reserved */
  int64_t keepalive_ms;           /* LF_NONE: the profile's */
  int64_t life_ms;                /* maximum age of an environment, LF_NONE: no limit */
  lf_network network;
  lf_log_format log_format;
  bool single_use;                /* `run --cold`: an environment serves one invocation */
  int async_retries;              /* -1: the profile's */
  int64_t async_max_age_s;        /* LF_NONE: the profile's */
  char *on_success, *on_failure;  /* destinations of asynchronous events: a function's name or ARN, or a file; NULL: none */
  lf_url_config url;
  /* measured when prepared */
  int64_t package_bytes, zip_bytes, env_bytes; /* zip_bytes LF_NONE for a directory */
  int64_t image_bytes;            /* of a container image: all layers unpacked; LF_NONE for a directory or a zip */
  char code_sha256[45];
  char *interpreter;              /* what really runs it: "/usr/bin/python3.11 (3.11.2)"; NULL for provided */
} lf_function;
void lf_function_init (lf_function *f);        /* defaults, all numbers LF_NONE */
void lf_function_fini (lf_function *f);
int lf_function_copy (lf_function *to, const lf_function *from, lf_error *err);
int lf_function_defaults (lf_function *f, const lf_profile *p, lf_error *err); /* fills what is missing from the profile */
/* Everything CreateFunction would refuse about the settings (names, ranges, environment size and reserved keys, layers), with
 * Lambda's own text. err->exit is LF_EXIT_USAGE for bad settings and LF_EXIT_FAILED for a broken limit (then *limit_id names it). */
int lf_function_check (const lf_function *f, const lf_profile *p, const char **limit_id, lf_error *err);
/* The compact JSON object text whose length Lambda measures for the 4 KB limit. */
int lf_function_env_json (const lf_function *f, lf_buf *out);
bool lf_env_key_reserved (const char *key);
char *lf_function_arn (const lf_function *f, const char *qualifier); /* NULL qualifier: none; caller frees */

/* Parses every accepted form of FunctionName (name, name:qual, function:name, account:function:name, partial and full ARN), already
 * percent-decoded. *name and *qualifier (NULL if none) are owned by the caller. -1 with the ValidationException text in err->why. */
int lf_function_name_parse (const char *text, char **name, char **qualifier, char **region, lf_error *err);

/* ---- what one invocation becomes -------------------------------------------------------------------------------------------- */

typedef enum
{
  LF_ST_OK, LF_ST_FUNCTION_ERROR, LF_ST_TIMEOUT, LF_ST_OUT_OF_MEMORY, LF_ST_CRASH, LF_ST_INIT_ERROR, LF_ST_INIT_TIMEOUT,
  LF_ST_THROTTLED, LF_ST_REJECTED, LF_ST_COUNT
} lf_status;
const char *lf_status_name (lf_status s);         /* "ok", "function_error", ... (src/model/status.def) */
int lf_status_parse (const char *s, lf_status *out);

typedef enum { LF_SRC_LIVE, LF_SRC_SIMULATED, LF_SRC_IMPORTED } lf_source;
/* KERNEL: cannot be exceeded, the kernel refuses. CHECKED: as exact, but by lambdafit's own check of what passes through it (payload
 * sizes, package, concurrency). In logs and JSON both are "kernel" (three words: kernel, sampled, none); tables for people say "checked". */
typedef enum { LF_ENF_NONE, LF_ENF_SAMPLED, LF_ENF_KERNEL, LF_ENF_CHECKED } lf_enforced;
const char *lf_enforced_name (lf_enforced e);  /* "none", "sampled", "kernel", "kernel" */
const char *lf_enforced_label (lf_enforced e); /* "none", "sampled", "kernel", "checked" */

/* The row of one invocation: quantities, never money. Integers are LF_NONE when not measured. Strings are borrowed and may be NULL. */
typedef struct lf_record
{
  const char *request_id, *function, *environment, *host;
  lf_source source;
  int64_t received_us;                /* wall clock */
  int cold;                           /* 0, 1; -1 not applicable */
  lf_status status;
  const char *error_type, *error_message;
  int64_t wait_us, init_us, duration_us, billed_ms, memory_mb, tmp_mb;
  lf_arch arch;
  const char *region, *profile;
  int64_t max_memory_bytes, peak_memory_bytes, tmp_used_bytes, tmp_growth_bytes, cpu_us, throttled_us;
  int64_t request_bytes, response_bytes, overhead_us;
  const char *log_tail;
  size_t log_tail_len;
  const char *cold_reason;            /* "reload": an environment was there, but its code had changed; NULL: none was free, or warm */
  bool async;                         /* accepted as an event (202), so the limit of asynchronous requests applies */
  bool streamed;                      /* the response went out in pieces, so the limit of streams applies; not in the log */
  int64_t fds, processes;             /* open and alive at the end of a live invocation; not in the log */
} lf_record;
void lf_record_init (lf_record *r);   /* all absent */
/* The value at rank ceil (p/100 * n) of n sorted values, LF_NONE when there are none; p from 0 (the least) to 100 (the greatest). */
int64_t lf_percentile (const int64_t *sorted, size_t n, int p);

/* ---- limits (one table: src/model/limits.def) -------------------------------------------------------------------------------- */

typedef enum
{
  LF_LIM_DURATION, LF_LIM_INIT, LF_LIM_MEMORY, LF_LIM_TMP, LF_LIM_PACKAGE, LF_LIM_ZIP, LF_LIM_LAYERS, LF_LIM_IMAGE, LF_LIM_REQUEST, LF_LIM_RESPONSE,
  LF_LIM_ASYNC_REQUEST, LF_LIM_ENV, LF_LIM_FDS, LF_LIM_PROCESSES, LF_LIM_CONCURRENCY, LF_LIM_REQUEST_RATE, LF_LIM_COUNT
} lf_limit;
typedef struct lf_limit_info
{
  const char *id, *title, *unit, *doc;
  lf_enforced by_default;
  bool per_invocation;
  const char *fields; /* keys of the profile's fields that decide it, separated by blanks */
} lf_limit_info;
const lf_limit_info *lf_limit_get (lf_limit l);
int lf_limit_parse (const char *id, lf_limit *out);
int64_t lf_limit_allowed (lf_limit l, const lf_function *f, const lf_profile *p); /* in the limit's unit; LF_NONE: no limit */
int64_t lf_limit_used (lf_limit l, const lf_function *f, const lf_record *r);     /* r may be NULL (static limits); LF_NONE: not measured */

/* How each limit is really enforced for an environment on this machine. */
typedef struct lf_enforcement { lf_enforced by[LF_LIM_COUNT]; lf_enforced cpu; } lf_enforcement;
int lf_enforcement_json (const lf_enforcement *e, lf_buf *out);   /* {"memory":"kernel",...} */

typedef enum { LF_SEV_BROKEN, LF_SEV_NEAR } lf_severity;
typedef struct lf_violation
{
  const char *request_id, *function; /* request_id NULL before any invocation */
  int64_t at_us;
  const char *limit_id;              /* what it is about: a limit's id, or another subject (filesystem, shared_memory, ...) */
  lf_severity severity;
  int64_t used, allowed;             /* LF_NONE, with unit NULL, where the subject is no limit */
  const char *unit;
  lf_enforced enforced;
  const char *rule;
  char message[480], fix[480];       /* what happened and why; what to do */
  char observed[320];                /* the facts that made the rule hold */
} lf_violation;
#define LF_VIOLATIONS_MAX 16

/* ---- rules (one table: src/model/rules.def) ------------------------------------------------------------------------------------ */

/* The last values of a quantity, one after each invocation of one environment, newest last. */
#define LF_TREND_MAX 16
typedef struct lf_trend { size_t n; int64_t first; /* of all values, also those that are no longer kept */
  int64_t at[LF_TREND_MAX], value[LF_TREND_MAX]; } lf_trend; /* at: the invocation's number in its environment */
void lf_trend_add (lf_trend *t, int64_t at, int64_t value);   /* LF_NONE is left out */
/* Does it grow? The last LF_TREND_NEED values must each be larger than the one before by at least a quarter of the median step; the slope is
 * the median over all pairs of the kept values that belong to that run (Theil and Sen), and is at least `least`; and going on
 * like this it reaches `allowed` within LF_TREND_HORIZON invocations. Then *slope (for one invocation) and *breaks_at, the number of the
 * invocation that reaches it. */
#define LF_TREND_NEED 5
#define LF_TREND_HORIZON 10000
bool lf_trend_grows (const lf_trend *t, int64_t allowed, int64_t least, int64_t *slope, int64_t *breaks_at);

typedef enum { LF_TREND_MEMORY, LF_TREND_TMP, LF_TREND_FDS, LF_TREND_COUNT } lf_trend_id;
/* What is known of an environment's invocations so far, the one that is judged included. All zero: nothing. */
typedef struct lf_history
{
  int64_t served;                     /* invocations, this one included */
  lf_trend trend[LF_TREND_COUNT];     /* memory in use, bytes in /tmp, descriptors: at the end of each */
  int64_t tmp_before;                 /* in /tmp when this one began */
  uint64_t first_event;               /* a digest of the first invocation's event */
  bool first_ok;                      /* that one went well */
  int64_t same_failures;              /* warm function errors in a row with that event, this one included */
} lf_history;

/* What is in the code and the layers, as far as rules ask. Made by package/; all zero: nothing is known. */
typedef struct lf_package_problem
{
  const char *kind;                   /* as `layer check` names it: structure, architecture, python-abi, glibc, libstdc++, missing-library, permissions */
  char target[120], path[100], what[200], fix[200];
} lf_package_problem;
typedef struct lf_package_facts
{
  bool known;
  int64_t code_bytes, layer_bytes;
  int64_t cuda_bytes;
  char cuda[160];                     /* the largest of those libraries */
  int64_t prune_bytes;                /* tests, headers, debug information, caches: what a function does without */
  int64_t hidden_bytes;               /* of an image: what a later layer deletes or replaces */
  char hidden[160];                   /* where the most of it is: "layer 2 (RUN pip install torch) (900 MB)" */
  char largest[160];                  /* of an image: what else takes the most */
  char prune[160];                    /* the largest of them, with sizes: "scipy/tests (13 MB), numpy/tests (5.7 MB)" */
  lf_package_problem problems[6];     /* what would not load, by `layer check`: the first of each kind in each part */
  size_t problems_n;
  bool wants_workers;                 /* the function's own code asks joblib or scikit-learn for workers (n_jobs) */
} lf_package_facts;

/* All that rules look at. Everything is borrowed; what is NULL, zero or LF_NONE was not observed, and no rule holds for it. */
typedef struct lf_facts
{
  const lf_function *f;
  const lf_profile *p;
  const lf_enforcement *e;            /* NULL: as the limits are by default */
  const lf_record *r;                 /* the invocation; NULL: before any */
  const lf_package_facts *package;
  const lf_history *history;          /* of its environment */
  lf_str output;                      /* what it printed last; empty: the record's log tail */
  int64_t init_wall_us, init_cpu_us;  /* of the last init in this invocation: time and CPU; LF_NONE */
  bool init_done;                     /* it led to the handler's first call */
  bool segfault;                      /* its runtime had died of one, which the platform did not notice (lf_exit_noticed) */
  int64_t busy_threads;               /* alive at the end, each with a tenth or more of the CPU time */
  int64_t memory_now, files_touched;  /* at the end: memory held, and pages of mapped files that the invocation touched, at least; LF_NONE */
  const char *left_behind;            /* what its event loop had still to do after its response: "1 timer"; NULL or "" */
  int64_t left_running;               /* threads and processes that it started, and that were not done nor idle after its response */
  bool base64;                        /* most of the response is base64 */
  const char *no_number;              /* what the response has in a number's place: "NaN"; NULL */
  bool no_number_in_body;             /* in the JSON that is the text of its `body` */
  bool answered_error;                /* the handler caught its error: the response has a statusCode of 500 or more */
  lf_str response;                    /* then what it answered */
} lf_facts;
void lf_facts_init (lf_facts *x, const lf_function *f, const lf_profile *p, const lf_enforcement *e, const lf_record *r);
/* Which rules hold. Writes at most LF_VIOLATIONS_MAX; returns how many. Their strings live as long as the facts. */
size_t lf_judge (const lf_facts *x, int64_t at_us, lf_violation out[LF_VIOLATIONS_MAX]);
/* The same of a record alone, and of what is known before any invocation alone. */
size_t lf_violations (const lf_function *f, const lf_profile *p, const lf_enforcement *e, const lf_record *r, lf_violation out[LF_VIOLATIONS_MAX]);
size_t lf_violations_static (const lf_function *f, const lf_profile *p, int64_t at_us, lf_violation out[LF_VIOLATIONS_MAX]);

/* "NaN", "Infinity" or "-Infinity" where a response that is otherwise JSON has a value; NULL. Python's runtime writes them (awslambdaric 4.2.2 asks its encoder
 * for it), and Lambda does not read what it passes on. Of an answer over HTTP (`statusCode`) its body is looked at too: *in_body. The first MB only. */
const char *lf_response_no_number (lf_str response, bool *in_body);

typedef struct lf_rule_info
{
  const char *id, *subject, *severity; /* severity: "broken", "near", or "broken or near" */
  const char *when, *what, *why, *fix; /* when it holds, in words; the texts with their words in braces */
} lf_rule_info;
#define LF_RULES_MAX 96
/* "Pruning scipy/tests (13 MB), ... saves 19 MB. ", or "" */
void lf_prune_advice (const lf_package_facts *k, char *out, size_t cap);
size_t lf_rules (const lf_rule_info **out); /* at most LF_RULES_MAX */
const lf_rule_info *lf_rule_find (const char *id); /* NULL: none (a log of another version) */
/* Is one of the patterns (see rules.def) in the text? The line of its first part goes to `line`, cut to fit. */
bool lf_pattern_find (lf_str text, const char *patterns, char *line, size_t cap);

/* ---- billing ------------------------------------------------------------------------------------------------------------------ */

/* Billed milliseconds. init_us LF_NONE when there was no init phase; timed_out: the handler's part bills exactly the timeout. */
int64_t lf_billed_ms (const lf_profile *p, lf_runtime_kind kind, int64_t init_us, int64_t duration_us, bool timed_out, int64_t timeout_ms);
typedef struct lf_cost { lf_money total, requests, duration, init, tmp; bool known; const char *currency; } lf_cost;
/* Cost of quantities in a region, at the first tier of duration. The parts add up to the total. `known` is false, and all parts are zero,
 * when the profile has no price for the region or architecture. init_ms_part is the part of billed_ms that is init. */
void lf_cost_of (const lf_profile *p, const char *region, lf_arch arch, int64_t billed_ms, int64_t init_ms_part, int64_t memory_mb,
                 int64_t tmp_mb, int64_t requests, lf_cost *out);
/* As above in a month that already holds mb_ms_before MB * milliseconds (GB-s * 1,024,000): later tiers are cheaper. */
void lf_cost_of_month (const lf_profile *p, const char *region, lf_arch arch, int64_t mb_ms_before, int64_t billed_ms, int64_t init_ms_part,
                       int64_t memory_mb, int64_t tmp_mb, int64_t requests, lf_cost *out);
/* Takes the billed time as the row has it; to price a row on another platform, set billed_ms with lf_billed_ms of that profile first. */
void lf_cost_of_record (const lf_profile *p, const char *region, const lf_record *r, lf_cost *out);
void lf_cost_add (lf_cost *sum, const lf_cost *c); /* a zeroed sum is empty */

/* What many rows of one setting (region, architecture, memory, /tmp) add up to, before any price: from it they can be priced again with
 * another profile or region. A zeroed one is empty. */
typedef struct lf_usage
{
  int64_t requests, free, unpriced;       /* rows that cost something, rows that cost nothing, rows without a billed time or memory size */
  int64_t billed_ms;
  int64_t init_all_ms, init_beyond_ms;    /* the part of billed_ms that is init, where every init is billed, and where only custom runtimes' is */
} lf_usage;
void lf_usage_add (lf_usage *u, const lf_record *r, int sign);      /* sign -1 takes the row away again */
void lf_usage_merge (lf_usage *u, const lf_usage *from);
/* The sum of what lf_cost_of_record says of each row. Where a profile bills in steps of more than 1 ms, the total is still exact, and its
 * division into init and duration is that of steps of 1 ms. */
void lf_cost_of_usage (const lf_profile *p, const char *region, lf_arch arch, int64_t memory_mb, int64_t tmp_mb, const lf_usage *u, lf_cost *out);

/* ---- log lines and error bodies, byte for byte as Lambda's --------------------------------------------------------------------- */

int lf_line_init_start (lf_buf *b, const lf_profile *p, const lf_function *f, int64_t wall_us);
/* The same with the name of the environment's log stream, from which the JSON form makes its instanceId; NULL leaves that out. */
int lf_line_init_start_in (lf_buf *b, const lf_profile *p, const lf_function *f, const char *log_stream, int64_t wall_us);
int lf_line_start (lf_buf *b, const lf_profile *p, const lf_function *f, const char *request_id, int64_t wall_us);
int lf_line_end (lf_buf *b, const lf_profile *p, const lf_function *f, const char *request_id, int64_t wall_us);
/* REPORT, with the era's way of saying a failure (fields, or separate lines). r gives everything. */
int lf_line_report (lf_buf *b, const lf_profile *p, const lf_function *f, const lf_record *r, int64_t wall_us);
/* INIT_REPORT for a failed or repeated init; status "timeout" or "error"; error_type may be NULL; phase "init" or "invoke". */
int lf_line_init_report (lf_buf *b, const lf_profile *p, const lf_function *f, int64_t init_us, const char *phase, const char *status,
                         const char *error_type, int64_t wall_us);
/* Body the caller gets for an outcome that the platform (not the runtime) reports: timeout, exit, signal, out of memory, response
 * too large. `exit` describes the process's end. Also gives error_type. */
typedef struct lf_exit_info { bool exited; int code; int signal; bool core; bool oom; bool exec_failed; int exec_errno; } lf_exit_info;
int lf_body_timeout (lf_buf *b, const lf_profile *p, const char *request_id, int64_t timeout_ms, int64_t wall_us, const char **error_type);
int lf_body_exit (lf_buf *b, const lf_profile *p, const char *request_id, const lf_exit_info *how, const char **error_type);
int lf_body_response_too_large (lf_buf *b, const lf_profile *p, int64_t bytes, const char **error_type);
int lf_body_stream_too_large (lf_buf *b, const lf_profile *p, const char **error_type);
/* What the platform sees of an end. In 2020 it tells of the core that the signals of crashes leave. Today it does not notice a segmentation
 * fault at all: false, and the invocation runs into its timeout. */
bool lf_exit_noticed (const lf_profile *p, lf_exit_info *how);
/* The sentence alone: "Runtime exited with error: signal: killed". */
void lf_exit_sentence (const lf_exit_info *how, char out[96]);

/* ---- errors of the two APIs (one table: src/model/errors.def) --------------------------------------------------------------------- */

/* Errors of the service: what a caller of the Invoke or control API gets instead of an answer of the function. */
typedef enum
{
  LF_SVC_RESOURCE_NOT_FOUND, LF_SVC_INVALID_REQUEST_CONTENT, LF_SVC_REQUEST_TOO_LARGE, LF_SVC_TOO_MANY_REQUESTS, LF_SVC_VALIDATION,
  LF_SVC_INVALID_PARAMETER_VALUE, LF_SVC_RESOURCE_CONFLICT, LF_SVC_RESOURCE_NOT_READY, LF_SVC_UNSUPPORTED_MEDIA_TYPE,
  LF_SVC_PRECONDITION_FAILED, LF_SVC_CODE_STORAGE_EXCEEDED, LF_SVC_SERIALIZED_REQUEST_TOO_LARGE, LF_SVC_INVALID_RUNTIME,
  LF_SVC_INVALID_ZIP_FILE, LF_SVC_RECURSIVE_INVOCATION, LF_SVC_SERVICE, LF_SVC_ACCESS_DENIED, LF_SVC_NO_PROVISIONED, LF_SVC_POLICY_LENGTH, LF_SVC_UNKNOWN_OPERATION, LF_SVC_COUNT
} lf_svc_error;
typedef struct lf_svc_error_info
{
  const char *name;        /* header x-amzn-ErrorType */
  int status;              /* HTTP */
  const char *message_key; /* "message" or "Message" */
  const char *type;        /* "User", "Service"; NULL: the body has no Type */
  const char *text;        /* when the caller of lf_svc_error_body gives none; may be NULL */
} lf_svc_error_info;
const lf_svc_error_info *lf_svc_error_get (lf_svc_error e);
/* The body. `reason` is for LF_SVC_TOO_MANY_REQUESTS (NULL otherwise); `text` NULL takes the usual one, and null where there is none. */
int lf_svc_error_body (lf_buf *b, lf_svc_error e, const char *reason, const char *text);

/* Errors of the Runtime API: what a runtime gets. */
typedef enum
{
  LF_RAPI_INVALID_REQUEST_ID, LF_RAPI_INVALID_STATE, LF_RAPI_TOO_LARGE, LF_RAPI_TRUNCATED, LF_RAPI_INVALID_RESPONSE_MODE,
  LF_RAPI_STALE_INVOCATION, LF_RAPI_INTERNAL, LF_RAPI_COUNT
} lf_rapi_error;
typedef struct lf_rapi_error_info { const char *type; int status; const char *text; } lf_rapi_error_info;
const lf_rapi_error_info *lf_rapi_error_get (lf_rapi_error e);
/* The body with its newline. For LF_RAPI_INVALID_STATE `from` and `to` name the states ("Ready", "InvocationResponse"); for
 * LF_RAPI_TOO_LARGE `from` is the allowed number of bytes as text (NULL: 6291556); otherwise both are NULL. */
int lf_rapi_error_body (lf_buf *b, lf_rapi_error e, const char *from, const char *to);
#define LF_RAPI_OK_BODY "{\"status\":\"OK\"}\n" /* 202 */
/* The error type that is kept of a runtime's Lambda-Runtime-Function-Error-Type (n bytes, may be NULL): itself if it names a type of its
 * own, else "Function.Unknown" or "Runtime.Unknown". Cut to the size of out. */
void lf_fatal_error_type (const char *header, size_t n, char out[128]);

/* ---- the fleet ------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_fleet lf_fleet;
typedef struct lf_fleet_fn lf_fleet_fn;
typedef struct lf_env lf_env;
typedef struct lf_inv lf_inv;

/* starting: first init; busy: serving or initialising again inside an invocation; idle: warm; resetting: being killed to be re-used;
 * gone: destroyed, waiting for the driver's LF_EV_GONE. */
typedef enum { LF_ENV_STARTING, LF_ENV_BUSY, LF_ENV_IDLE, LF_ENV_RESETTING, LF_ENV_GONE } lf_env_state;
const char *lf_env_state_name (lf_env_state s); /* "starting", "busy", "idle"; resetting counts as "busy" */

typedef enum { LF_END_KEEPALIVE, LF_END_LIFE, LF_END_SINGLE_USE, LF_END_SHUTDOWN, LF_END_START_FAILED, LF_END_REMOVED } lf_env_end;
const char *lf_env_end_name (lf_env_end e);

/* One execution environment. Owned by the fleet; the driver hangs its own object on `user` and never writes other fields. */
struct lf_env
{
  void *user;
  uint64_t serial;              /* 1, 2, 3... in order of creation */
  lf_fleet_fn *fn;
  lf_env_state state;
  bool frozen, needs_init, in_invoke_init;  /* needs_init: the process is dead, /tmp is kept */
  lf_inv *inv;                  /* bound invocation or NULL */
  lf_time_us created, launched, idle_since, deadline; /* deadline of the running phase, LF_NONE if none */
  uint64_t served;
  /* private to the fleet */
  lf_env *lru_prev, *lru_next, *all_prev, *all_next;
  size_t heap_pos;
  lf_time_us heap_at;
  bool freeze_queued;
  lf_env *freeze_prev, *freeze_next;
  lf_time_us freeze_at;
  size_t pick_pos;
  bool init_overran; /* resetting because the first init passed its limit: it runs again inside the invocation */
};

/* One invocation, embedded in the driver's own object (so no lookups): the driver zeroes it and keeps it alive until LF_FX_FINISH. */
struct lf_inv
{
  void *user;
  lf_fleet_fn *fn;
  lf_env *env;
  bool sync;
  /* results, valid as the effects say */
  bool cold, responded, finished, answered;
  lf_status status;
  lf_time_us received, begun /* init began (cold) or handler delivered (warm) */, delivered, response_at, ended;
  int64_t wait_us, init_us, duration_us; /* init_us: the first init phase, LF_NONE when warm */
  int64_t abandoned_init_us;            /* a first init that failed or timed out and was run again inside the invocation, else LF_NONE */
  lf_status abandoned_status;           /* LF_ST_INIT_ERROR or LF_ST_INIT_TIMEOUT */
  lf_exit_info exit;                     /* how the process ended, if it ended this invocation */
  const char *throttle_reason;           /* Lambda's Reason */
  int64_t retry_after_ms;                /* LF_NONE or a hint */
  lf_time_us counted_from;               /* private to the fleet: where duration begins */
};

typedef enum
{
  LF_EV_INVOKE,        /* inv, fn */
  LF_EV_LAUNCHED,      /* env: its runtime was exec'd (init begins) */
  LF_EV_LAUNCH_FAILED, /* env: no sandbox could be made, or it is lost (at any time); the invocation fails, the environment is destroyed */
  LF_EV_NEXT,          /* env: the runtime asked for the next invocation */
  LF_EV_RESPONSE,      /* env: the whole answer arrived; `status` LF_ST_OK or LF_ST_FUNCTION_ERROR */
  LF_EV_EXIT,          /* env: the runtime process (and its tree) is gone; `exit` says how. Also the answer to LF_FX_KILL. */
  LF_EV_GONE,          /* env: the sandbox is destroyed; the fleet forgets it and frees it */
  LF_EV_TICK,          /* time passed */
  LF_EV_REMOVE_FN,     /* fn: destroy its environments as they become idle, refuse new ones */
  LF_EV_SHUTDOWN       /* destroy everything */
} lf_event_type;
typedef struct lf_event { lf_event_type type; lf_fleet_fn *fn; lf_env *env; lf_inv *inv; lf_status status; lf_exit_info exit;
  lf_time_us at; /* LAUNCHED: when it was exec'd, which may be a while before anyone looked; 0: now */
  int64_t own_us; /* What the driver itself took, which is not the function's time; at least 0. NEXT: since the answer. RESPONSE: since the moment that
                   * is given as now, because it looked late; the deadline moves by that much. */
} lf_event;

typedef enum
{
  LF_FX_START,     /* env: launch a sandbox for env->fn */
  LF_FX_RESTART,   /* env: start the runtime process again in the same sandbox (same /tmp) */
  LF_FX_THAW,      /* env */
  LF_FX_DELIVER,   /* env, inv: answer the waiting /next */
  LF_FX_FREEZE,    /* env */
  LF_FX_KILL,      /* env: kill the process tree, keep /tmp, then send LF_EV_EXIT */
  LF_FX_DESTROY,   /* env, end: tear everything down, then send LF_EV_GONE */
  LF_FX_ABANDONED, /* env, inv: a first init failed or timed out (inv->abandoned_*): log INIT_REPORT; a RESTART follows */
  LF_FX_ANSWER,    /* inv: its outcome is known (status, duration, init): commit the row, then answer the caller */
  LF_FX_FINISH     /* inv: nothing more will happen to it; duration is final (it may have grown since ANSWER); the driver may free it */
} lf_effect_type;
typedef struct lf_effect { lf_effect_type type; lf_env *env; lf_inv *inv; lf_env_end end; } lf_effect;
/* Effects are appended in the order in which they must be carried out. */
typedef struct lf_effects { lf_effect *v; size_t n, cap; } lf_effects;
void lf_effects_fini (lf_effects *fx);

typedef enum { LF_PICK_MRU, LF_PICK_NEWEST, LF_PICK_LRU } lf_pick;
typedef struct lf_fleet_options
{
  const lf_profile *profile;
  int64_t concurrency;        /* LF_NONE: the profile's account limit */
  lf_pick pick;
  bool rate_limit;            /* enforce requests per second */
  bool scaling_limit;         /* enforce the scaling rate */
  int64_t freeze_delay_us;    /* an idle environment is frozen this long after it became idle; LF_NONE: never */
} lf_fleet_options;
lf_fleet *lf_fleet_new (const lf_fleet_options *o);
void lf_fleet_free (lf_fleet *f);                    /* frees what is left, whatever its state */
/* f must stay valid and unchanged until the function is removed and has no environments. NULL when out of memory. */
lf_fleet_fn *lf_fleet_add (lf_fleet *f, const lf_function *fn, void *user);
/* The same for another version of `with`, or its new code: they have one reserved concurrency and one request rate together. */
lf_fleet_fn *lf_fleet_add_sharing (lf_fleet *f, const lf_function *fn, void *user, lf_fleet_fn *with);
void *lf_fleet_fn_user (const lf_fleet_fn *fn);
const lf_function *lf_fleet_fn_config (const lf_fleet_fn *fn);
int lf_fleet_set_reserved (lf_fleet *f, lf_fleet_fn *fn, int64_t reserved, lf_error *err); /* LF_NONE unsets */
/* Environments of a function that was added with single_use live on from now on. */
void lf_fleet_end_single_use (lf_fleet_fn *fn);
/* Frees a removed function that has no environment (gone ones count until LF_EV_GONE) and no invocation left: true. False: not yet.
 * Functions never forgotten are freed with the fleet. */
bool lf_fleet_forget (lf_fleet *f, lf_fleet_fn *fn);
int64_t lf_fleet_reserved (const lf_fleet_fn *fn);       /* LF_NONE when not reserved */
int64_t lf_fleet_concurrency (const lf_fleet *f);        /* the account's limit in force */
int64_t lf_fleet_unreserved (const lf_fleet *f);         /* what of it no function has reserved */
int64_t lf_fleet_in_flight (const lf_fleet *f, const lf_fleet_fn *fn /* NULL: all */);
/* The only way anything happens. Time never goes back (a smaller `now` is read as the last one). Due deadlines are handled before
 * the event. Appends to *fx (the caller empties it). 0, or -1 only when out of memory (then nothing changed). */
int lf_fleet_step (lf_fleet *f, const lf_event *ev, lf_time_us now, lf_effects *fx);
/* When LF_EV_TICK is next needed, or LF_NONE. */
lf_time_us lf_fleet_next (const lf_fleet *f);
/* The environment whose deadline is the first, if it works and its time was over at `at`, or NULL: who could not step in time may look for what it said. */
const lf_env *lf_fleet_overdue (const lf_fleet *f, lf_time_us at);
typedef struct lf_fleet_counts { size_t environments, busy, idle, starting; } lf_fleet_counts;
void lf_fleet_count (const lf_fleet *f, const lf_fleet_fn *fn /* NULL: all */, lf_fleet_counts *out);
/* Visits every environment, gone ones too until LF_EV_GONE (do not step meanwhile). */
void lf_fleet_each (const lf_fleet *f, void (*visit) (const lf_env *e, void *user), void *user);
lf_time_us lf_env_keepalive_left (const lf_fleet *f, const lf_env *e, lf_time_us now); /* LF_NONE unless idle */
/* Asserts every invariant of the fleet; for tests. NULL, or the sentence that is broken. */
const char *lf_fleet_broken (const lf_fleet *f);

/* ---- asynchronous events (retries, maximum age), on top of the fleet; pure as well ------------------------------------------------ */

typedef struct lf_async lf_async;
typedef enum { LF_AS_SUCCESS, LF_AS_RETRIES_EXHAUSTED, LF_AS_EVENT_AGE_EXCEEDED, LF_AS_ZERO_RESERVED } lf_async_end;
const char *lf_async_end_name (lf_async_end e);  /* "Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency" */
typedef struct lf_async_event
{
  void *user;
  const lf_function *fn;
  lf_time_us accepted, due;
  int attempts;               /* invocations made (throttled tries do not count) */
  int throttles;              /* in a row, for the backoff */
  bool running;
  size_t heap_pos;
  uint64_t serial;            /* order of acceptance; private, as heap_pos is */
} lf_async_event;               /* embedded in the driver's object */
typedef enum { LF_AFX_INVOKE, LF_AFX_DONE } lf_async_fx_type;
typedef struct lf_async_fx { lf_async_fx_type type; lf_async_event *ev; lf_async_end end; } lf_async_fx;
typedef struct lf_async_fxs { lf_async_fx *v; size_t n, cap; } lf_async_fxs;
lf_async *lf_async_new (const lf_profile *p);
void lf_async_free (lf_async *a);
int lf_async_accept (lf_async *a, lf_async_event *ev, lf_time_us now, bool zero_reserved, lf_async_fxs *fx);
/* An event that an earlier daemon had accepted: it waits as it did then. */
int lf_async_resume (lf_async *a, lf_async_event *ev, lf_time_us now, int64_t age_us, int attempts, int64_t due_in_us);
int lf_async_result (lf_async *a, lf_async_event *ev, lf_status status, lf_time_us now, lf_async_fxs *fx);
int lf_async_tick (lf_async *a, lf_time_us now, lf_async_fxs *fx);
lf_time_us lf_async_next (const lf_async *a);
size_t lf_async_waiting (const lf_async *a);
/* What a destination gets of an event that has ended: one JSON object, without a newline. */
typedef struct lf_async_record
{
  const char *request_id;
  const lf_function *fn;
  lf_async_end end;
  int attempts;
  const char *payload;        /* the event, JSON */
  size_t payload_len;
  bool has_response;          /* of the last attempt; false when there was none */
  bool function_error;
  const char *response;       /* JSON; what is not is written as a string */
  size_t response_len;
} lf_async_record;
int lf_async_record_json (lf_buf *b, const lf_async_record *r, int64_t wall_us);
/* Is it a function that `dest` names, and which? *name is the caller's. A file has a slash or a dot in it. 0 file, 1 function, -1 neither:
 * another service's ARN, or another region's. */
int lf_destination_parse (const char *dest, const lf_function *of, char **name, lf_error *err);
/* Forgets an event (its function is deleted, the daemon ends) without an effect. A result that still comes for it is ignored. */
void lf_async_drop (lf_async *a, lf_async_event *ev);

/* ---- function URLs (payload format 2.0): pure -------------------------------------------------------------------------------------- */

typedef struct lf_url_header { lf_str name, value; } lf_url_header;
typedef struct lf_url_request
{
  lf_str method, path, query;  /* raw, as they came; the path begins with a slash */
  const lf_url_header *headers; /* as they came, repeats one by one */
  size_t headers_n;
  lf_str body;
  const char *domain, *prefix; /* "NAME.lambda-url.localhost", "NAME" */
  const char *source_ip, *request_id, *trace_id;
  lf_str access_key;           /* of the caller's signature; empty when AuthType is NONE */
  int port;
  int64_t wall_us;
} lf_url_request;
/* The event that the function gets, compact JSON (AWS documentation, "Invoking Lambda function URLs": request payload). 0 or -1 (no memory). */
int lf_url_event (const lf_function *f, const lf_url_request *r, lf_buf *out);

/* An HTTP answer. names and values belong together by position; repeats are allowed (set-cookie). */
typedef struct lf_url_answer
{
  int status;
  lf_strv names, values;
  lf_buf body;
} lf_url_answer;
void lf_url_answer_init (lf_url_answer *a);
void lf_url_answer_fini (lf_url_answer *a);
/* What a function's buffered response means as HTTP. 0, or -1 with the reason in *why: it means nothing, the caller gets 502. */
int lf_url_answer_from (const char *response, size_t n, lf_url_answer *a, const char **why);
/* The JSON in front of a streamed response (application/vnd.awslambda.http-integration-response, before its eight NULs). As above. */
int lf_url_answer_prelude (const char *json, size_t n, lf_url_answer *a, const char **why);
/* CORS: sets what the configuration says, in place of what the function said. 0 or -1 (no memory). */
int lf_url_cors (const lf_url_config *u, lf_str origin, lf_url_answer *a);
/* The answer to a preflight, which the function does not see. */
int lf_url_preflight (const lf_url_config *u, lf_str origin, lf_url_answer *a);

#endif
