/* SPDX-License-Identifier: Apache-2.0
 *
 * engine: the live driver. It carries out the fleet's effects with real sandboxes and the real clock on one libuv loop, measures, writes
 * each invocation's row, and answers only after the row is committed: everything that finished in one loop turn is committed together.
 * The HTTP faces (api/) call in; the engine speaks to a runtime through lf_rt_ops so that it knows no routes.
 */
#ifndef LAMBDAFIT_ENGINE_H
#define LAMBDAFIT_ENGINE_H

#include <uv.h>
#include "lambdafit/base.h"
#include "lambdafit/model.h"
#include "lambdafit/package.h"
#include "lambdafit/sandbox.h"
#include "lambdafit/store.h"

typedef struct lf_engine lf_engine;
typedef struct lf_live_fn lf_live_fn;
typedef struct lf_live_env lf_live_env;
typedef struct lf_call lf_call;

/* ---- a function made ready to run -------------------------------------------------------------------------------------------- */

typedef struct lf_prepared
{
  lf_function f;
  lf_package package;
  char *opt_dir;
  lf_interpreter interp;
  bool has_interp;
  lf_strv notes;       /* choices worth telling: handler taken, interpreter not exact */
  lf_violation near[LF_VIOLATIONS_MAX]; /* package, zip, layers, env */
  size_t near_n;
  lf_package_facts facts; /* of code and layers, for the rules */
  char *alias;         /* another name that callers may use (a template's logical id), or NULL */
  /* How it was made, to make it again when its files change; watch is NULL when nobody wants that. */
  struct lf_recipe { lf_function asked; char *target, *interpreter; bool strict; } recipe;
  lf_watch *watch;
} lf_prepared;

/* Why Lambda would not take a function: what the rules say of its settings and its package. n is 0 where it was refused for another reason. Of the
 * violations, `function` is not set: the name is here. */
typedef struct lf_refused { char name[65], region[24]; lf_violation v[LF_VIOLATIONS_MAX]; size_t n; } lf_refused;
/* Writes them to the log, as a run of this command. db NULL: the log that is always used. */
int lf_refused_log (const lf_refused *r, const lf_profile *p, const char *db, const char *command, lf_error *err);

/* Opens the code and layers, finds what is missing in `f` (which is moved into *out), checks every limit Lambda checks at deployment, and
 * finds the interpreter. Blocks (unpacks zips): before serving only. `strict`: another interpreter version than the runtime's is refused.
 * On failure `refused` says what the rules say; it may be NULL. */
int lf_prepare (lf_function *f, const char *target, const char *interpreter, bool strict, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err);
void lf_prepared_fini (lf_prepared *p);
/* The same, and changes of its code and layers are noticed from before they were read: the next call then gets an environment with the new
 * ones. What cannot be watched is served without that, and a note says so. */
int lf_prepare_watched (lf_function *f, const char *target, const char *interpreter, bool strict, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err);
/* Once more, by its recipe. `old` is only read. On failure *out has nothing but, where one could be made, a new watch. */
int lf_prepare_again (const lf_prepared *old, const lf_profile *p, lf_prepared *out, lf_refused *refused, lf_error *err);

/* ---- calls --------------------------------------------------------------------------------------------------------------------- */

/* What the caller gets. Borrowed; valid during `done`. */
typedef struct lf_outcome
{
  const char *request_id;
  lf_status status;
  lf_live_fn *fn;
  const char *version;             /* that ran, or would have: "$LATEST" */
  bool function_error;             /* X-Amz-Function-Error: Unhandled */
  bool streamed;                   /* the response went to lf_stream_ops.piece; body holds only what went wrong, if something did */
  const char *body;
  size_t body_len;
  const char *content_type;        /* the runtime's, or NULL */
  const char *log_tail;
  size_t log_tail_len;
  const char *throttle_reason;
  const char *trace_id;
  int64_t retry_after_ms;
  const lf_record *record;
  const lf_inv *inv;               /* the phases as the fleet measured them */
  const lf_violation *violations;
  size_t violations_n;
  const lf_error *no_sandbox;      /* not NULL: the machine could not give it an environment, for this reason */
  const lf_error *error;           /* not NULL: the log could not be written: the result must not be given out */
} lf_outcome;
typedef void (*lf_call_done) (const lf_outcome *o, void *user);

/* For a caller that takes a response while it is being made. Everything comes before `done`, never from inside lf_engine_call. */
typedef struct lf_stream_ops
{
  void (*begin) (const lf_call *c, const char *content_type, void *user); /* once, before the first piece; content_type is the runtime's, "" without */
  /* False: no more now; lf_engine_stream_resume says when. A little may still come meanwhile. */
  bool (*piece) (const void *p, size_t n, void *user);
} lf_stream_ops;

typedef struct lf_call_options
{
  lf_buf *payload;                 /* moved: empty afterwards */
  lf_str client_context;           /* decoded JSON, or empty */
  lf_str trace_id;                 /* caller's X-Amzn-Trace-Id, or empty */
  const char *qualifier;           /* NULL: none */
  const char *request_id;          /* NULL: a new one (retries of asynchronous events keep theirs) */
  int attempt;                     /* of an asynchronous event, from 1; 0: synchronous. The row of a later try is "REQUEST_ID/2", "/3" */
  bool want_tail;                  /* answer only when the invocation has wholly ended, so that the log is complete */
  bool sync;
  const lf_stream_ops *stream;     /* NULL: the response is given whole, by `done`; used only where the profile has streaming */
  lf_call_done done;
  void *user;
} lf_call_options;
/* An id as the engine makes them, for a caller that must know it before the call. */
void lf_engine_request_id (char out[37]);
/* A line of ours about a function, among the functions' output: "lambdafit: NAME: TEXT". */
void lf_engine_note (lf_live_fn *fn, const char *text);
/* Leads to exactly one `done`, never before this returns, unless the caller forgets it. NULL only when out of memory (then no `done`). */
lf_call *lf_engine_call (lf_engine *e, lf_live_fn *fn, lf_call_options *o, lf_error *err);
/* The caller went away: `done` will not be called; the invocation goes on, as on Lambda. */
void lf_engine_forget (lf_call *c);
/* The caller takes pieces again. */
void lf_engine_stream_resume (lf_call *c);
/* Writes the row of a request refused before the fleet saw it (too large, not JSON); `done` comes when it is committed. */
lf_call *lf_engine_reject (lf_engine *e, lf_live_fn *fn, int64_t request_bytes, bool async, const char *error_type, const char *message,
                           lf_call_done done, void *user, lf_error *err);

/* An asynchronous event: kept in the log until it succeeded or was given up, so that a crash loses none. `accepted` comes after the commit. */
typedef void (*lf_accept_done) (const char *request_id, const lf_error *failure, void *user);
/* Whether so many bytes of payload would be more than may wait in memory (256 MB for all events of the daemon): the caller is told to come again. */
bool lf_engine_events_full (const lf_engine *e, size_t bytes);
int lf_engine_event_accept (lf_engine *e, lf_live_fn *fn, lf_buf *payload, lf_accept_done accepted, void *user, lf_error *err);

/* After every function was added: goes on with the events that an earlier daemon accepted and did not finish. */
int lf_engine_resume_events (lf_engine *e, lf_error *err);

/* ---- settings that may change while a function is served ------------------------------------------------------------------------ */

/* Its environments, which served one invocation each until now, live on. */
void lf_engine_end_single_use (lf_live_fn *fn);
int lf_engine_set_reserved (lf_live_fn *fn, int64_t reserved, lf_error *err); /* LF_NONE: none any more */
/* How asynchronous events of a function are handled; texts may be NULL. They are checked, and copied. */
typedef struct lf_async_settings { int retries; int64_t max_age_s; const char *on_success, *on_failure; } lf_async_settings;
int lf_engine_set_async (lf_live_fn *fn, const lf_async_settings *s, lf_error *err);
int lf_engine_set_url (lf_live_fn *fn, const lf_url_config *u, lf_error *err); /* copied */
/* After every function was added: is each destination served? */
int lf_engine_check_destinations (lf_engine *e, lf_error *err);

/* ---- the runtime's side ------------------------------------------------------------------------------------------------------------ */

/* Protocol states of the Runtime API, with the names its error texts use (runtime states of AWS's emulator). */
typedef enum
{
  LF_RT_STARTED, LF_RT_INIT_ERROR, LF_RT_READY, LF_RT_RUNNING, LF_RT_INVOCATION_RESPONSE, LF_RT_INVOCATION_ERROR_RESPONSE,
  LF_RT_RESPONSE_SENT
} lf_rt_state;
const char *lf_rt_state_name (lf_rt_state s);

typedef struct lf_rt_ops
{
  /* Opens the Runtime API of an environment: on `fd` (a listening socket) or, for -1, on 127.0.0.1 at any port. */
  void *(*open) (lf_live_env *env, int fd, int *port, lf_error *err);
  /* An invocation is there: answer one waiting /next, now or when it comes. */
  void (*deliver) (void *face, const lf_call *call);
  /* The runtime's process is gone. First: what it has sent already. Then: forget its waiting requests. */
  void (*drain) (void *face);
  void (*drop) (void *face);
  void (*close) (void *face);
  /* The invocation ended without the runtime (timeout, crash): its event is no longer to be given out. */
  void (*revoke) (void *face);
  /* Stop reading the response that is being streamed, or go on. */
  void (*pause) (void *face, bool stop);
  /* What came by lf_engine_response may now be acknowledged: its caller, who waits longer, has been told first. */
  void (*accepted) (void *face);
} lf_rt_ops;

/* What the routes report. The environment must be alive; calls in a wrong state are the route's to refuse (it owns the protocol state). */
/* Before lf_engine_next: what our own runtime says that the handler left behind, "1 timer". */
void lf_engine_left_behind (lf_live_env *env, lf_str what);
void lf_engine_next (lf_live_env *env);                                       /* /next arrived */
/* /response or /error arrived whole. body is moved when not NULL. `error`: it was /error. The runtime is told by `accepted`, at the end of the
 * loop turn. */
void lf_engine_response (lf_live_env *env, lf_buf *body, bool error, lf_str content_type, lf_str error_type);
void lf_engine_response_too_large (lf_live_env *env, lf_str body /* what was kept of it */, int64_t bytes);
/* A response that arrives in pieces. lf_engine_stream_wanted: its caller takes pieces; else it is to be collected and given to
 * lf_engine_response. lf_engine_response (without a body), or lf_engine_response_too_large, ends it. */
bool lf_engine_stream_wanted (const lf_live_env *env);
void lf_engine_stream_begin (lf_live_env *env, lf_str content_type);
void lf_engine_stream_piece (lf_live_env *env, const void *p, size_t n);
void lf_engine_init_error (lf_live_env *env, lf_buf *body, lf_str error_type);

/* ---- looking in --------------------------------------------------------------------------------------------------------------------- */

const char *lf_call_request_id (const lf_call *c);
const char *lf_call_invocation_id (const lf_call *c);
const char *lf_call_trace_id (const lf_call *c);
const char *lf_call_arn (const lf_call *c);
const char *lf_call_version (const lf_call *c);
lf_live_fn *lf_call_fn (const lf_call *c);
lf_str lf_call_client_context (const lf_call *c);
lf_str lf_call_payload (const lf_call *c);
int64_t lf_call_deadline_wall_ms (const lf_call *c);
const lf_call *lf_live_env_call (const lf_live_env *env);                      /* the one being served, or NULL */
lf_engine *lf_live_env_engine (const lf_live_env *env);
const lf_function *lf_live_env_function (const lf_live_env *env);
const char *lf_live_env_id (const lf_live_env *env);
/* How many connections and requests this run has refused before they became calls; written with the next commit. */
int lf_engine_refused (lf_engine *e, int64_t n, lf_error *err);
bool lf_live_env_is_peer (const lf_live_env *env, int fd); /* the other end of this TCP connection is one of its processes */

lf_live_fn *lf_engine_find (lf_engine *e, const char *name); /* $LATEST by name, else by alias */
lf_live_fn *lf_engine_find_version (lf_engine *e, const char *name, const char *version);
const lf_function *lf_live_fn_config (const lf_live_fn *fn);
lf_engine *lf_live_fn_engine (const lf_live_fn *fn);
const lf_prepared *lf_live_fn_prepared (const lf_live_fn *fn);
const lf_profile *lf_engine_profile (const lf_engine *e);
uv_loop_t *lf_engine_loop (const lf_engine *e);
int64_t lf_engine_concurrency (const lf_engine *e); /* the account's, in force */
void lf_engine_each_fn (lf_engine *e, void (*visit) (lf_live_fn *fn, void *user), void *user);

typedef struct lf_env_info
{
  const char *id, *function, *state;
  int64_t age_ms, served, memory_bytes, tmp_bytes, keepalive_left_ms;
  bool frozen;
  bool after_reload;   /* it was started because the function's files had changed */
  int pid;
} lf_env_info;
void lf_engine_each_env (lf_engine *e, void (*visit) (const lf_env_info *i, void *user), void *user);

/* ---- the engine itself ---------------------------------------------------------------------------------------------------------------- */

/* Text as Lambda would log it: platform lines and the function's output, in order. */
typedef void (*lf_log_sink) (const lf_function *f, const char *text, size_t n, void *user);

typedef struct lf_engine_options
{
  uv_loop_t *loop;
  const lf_profile *profile;
  lf_store *store;
  lf_sb_host *host;
  const lf_rt_ops *rt;
  lf_log_sink log;
  void *log_user;
  bool pass_credentials, rate_limit;
  bool say_rules;            /* what rules say goes to the output, the first time (a daemon's; a run has its verdict) */
  int64_t concurrency;       /* account, LF_NONE: the profile's */
  char *const *environ_;     /* the caller's environment */
  const char *port_file;     /* written by whoever serves, or NULL: no change of the code when it lies there */
} lf_engine_options;
lf_engine *lf_engine_new (const lf_engine_options *o, lf_error *err);
/* Takes over *p (emptied). A name that exists already is an error; versions of one function are functions of one name. */
/* A function that was prepared with a watch is made again when its files have changed, before the next call; that call waits for it. */
lf_live_fn *lf_engine_add (lf_engine *e, lf_prepared *p, lf_error *err);
/* Other code or settings in the place of a served function's, at any time. Takes over *p (emptied; it has the name and version of fn). Calls
 * that run end as they began; their environments, and idle ones, are destroyed. Every call from now on, and asynchronous events that wait,
 * get the new code. Reserved concurrency and the settings of asynchronous events stay as they are. Returns the new function; the old pointer is the engine's to free. NULL: nothing changed. */
lf_live_fn *lf_engine_replace (lf_live_fn *fn, lf_prepared *p, lf_error *err);
/* Ends serving a function: calls that run end, its waiting events are forgotten. fn is the engine's to free. */
void lf_engine_remove (lf_live_fn *fn);
/* Ends every environment; `closed` is called when none is left and every row is committed. Calls still running are answered as ended. */
void lf_engine_close (lf_engine *e, void (*closed) (void *user), void *user);
void lf_engine_free (lf_engine *e);
/* A line of ours ("lambdafit: ...") between the functions' output. */
void lf_engine_tell (lf_engine *e, const char *fmt, ...) LF_PRINTF (2, 3);
bool lf_engine_idle (const lf_engine *e); /* no call is running */

#endif
