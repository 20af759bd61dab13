/* SPDX-License-Identifier: Apache-2.0
 *
 * engine, inside: the objects the live driver is made of.
 */
#ifndef LF_ENGINE_INTERNAL_H
#define LF_ENGINE_INTERNAL_H

#include "lambdafit/engine.h"

/* Output kept for one invocation: enough for the longest tail and the lines around it. */
#define LF_LOG_KEEP 8192
#define LF_LINES_BYTES 500 /* START, END and REPORT mostly need less */
#define LF_FREEZE_DELAY_US 10000
#define LF_SAMPLE_MS 50
#define LF_COUNTS_US 1000
#define LF_COUNTS_AGE_US 100000
#define LF_COUNTS_FIRST 8
/* A commit costs as much as an invocation, and many can share it: those that end within a few looks at the sockets. The looks end when so
 * many have found nothing, so many answers wait, or the first has waited so long. */
#define LF_LOOKS_MAX 16
#define LF_QUIET_LOOKS 2
#define LF_SHARE_MAX 128
#define LF_SHARE_US 1000
#define LF_LATE_US 3000 /* timers have milliseconds; later than this is no fault of theirs */
#define LF_AFTER_LATE_US 1000000 /* for asking for the next event, who knows how much was left for that */
#define LF_NO_SLEEP_US 50 /* finding something at once and reading the first of it takes less */
#define LF_HOLD_US (1000 * 1000)
#define LF_HOLD_TICK_US (50 * 1000)
#define LF_HOLD_MAX_US (10 * 1000 * 1000)
#define LF_STARVED_PART 50 /* who gets less than this part of a CPU that it wants gets none; the smallest share is a fourteenth */
#define LF_STARVED_AGAIN_US (200 * 1000) /* until the next look */
#define LF_STARVED_TURN_US 6000 /* but a turn of it, which the kernel ends at its next tick, is still none */

struct lf_live_fn
{
  lf_engine *engine;
  lf_prepared prep;
  lf_fleet_fn *core;
  char *arn;
  size_t finishing;          /* invocations answered, whose runtime has not asked for the next one yet */
  lf_call *held, **held_tail; /* calls that wait for one of those */
  size_t held_n;
  size_t calls;              /* that point here */
  uint32_t rule_times[LF_RULES_MAX]; /* how often each rule held: it is said the first time only */
  struct lf_reload *reloading; /* it is being made ready again */
  lf_call *parked, **parked_tail; /* calls that wait for that */
  bool reloaded;             /* changed files took its place away */
  size_t reload_cold;        /* environments that will be started only because of a reload */
  lf_live_fn *next;          /* in the engine's functions, or in its retired ones */
  lf_time_us watched_at;     /* when its code was last looked at */
};

/* Text with a bound: only the newest LF_LOG_KEEP bytes matter. */
typedef struct lf_log_ring
{
  lf_buf buf;
  bool cut; /* something older was dropped */
} lf_log_ring;

typedef enum { LF_POLL_CTL, LF_POLL_LOG, LF_POLL_MEMORY, LF_POLL_COUNT } lf_poll_kind;
typedef struct lf_env_poll
{
  uv_poll_t handle;
  bool open;
} lf_env_poll;

struct lf_live_env
{
  lf_engine *engine;
  lf_live_fn *fn;
  lf_env *core;
  char id[33];
  char log_stream[64];
  lf_sandbox *sb;
  lf_sb_plan plan;
  void *face;
  int port;
  lf_call *call;            /* bound now: initialising for it, or serving it */
  lf_env_poll polls[LF_POLL_COUNT];
  int polls_open;
  bool destroying, dead, recorded;
  bool segfault;            /* since the last call was judged, a runtime of it died of one unnoticed */
  bool unnoticed;           /* its runtime has crashed in a way that Lambda does not see: the deadline will end the invocation */
  bool marked;              /* measures were started anew after the last invocation; nothing has run since */
  lf_time_us told_at;       /* its runtime was told that its last answer has come */
  bool posted, asked;       /* its runtime posted an answer, asked for the next event: dealt with at the end of the loop turn */
  bool acknowledge;         /* its runtime waits to hear that its answer was taken */
  bool in_news;
  lf_live_env *news_next;
  bool after_reload;        /* started because the files had changed */
  bool launched, next_early; /* its exec was told; it asked for an event before that was */
  lf_log_ring log;          /* output since the current invocation (or the init before it) began */
  lf_buf init_error_body;   /* /init/error of the last init, or empty */
  char init_error_type[128];
  lf_error launch_error;    /* why no sandbox could be made */
  int64_t cpu_base, throttled_base, tmp_base;
  lf_sb_usage usage;        /* when last looked at */
  lf_time_us sampled_at;    /* where memory is only sampled */
  lf_history history;       /* what its invocations left behind, for the rules */
  lf_time_us init_began;    /* of its runtime's last start; LF_NONE once an event was delivered */
  int64_t init_cpu_base;
  lf_time_us counted_at;    /* descriptors and processes */
  lf_time_us starved_from;  /* after its last answer it was seen to want the CPU while calls wait for it; 0 until then */
  int64_t starved_cpu_us;   /* what it had used by then */
  lf_sb_tasks tasks;        /* when last looked at */
  enum { LF_FILES_FIT, LF_FILES_BEGUN, LF_FILES_LOOKED } files; /* is it looked at which pages of mapped files are touched? */
};

struct lf_call
{
  lf_inv inv;
  lf_engine *engine;
  lf_live_fn *fn;
  lf_live_env *env;
  char request_id[37], row_id[48], invocation_id[37], trace_id[128], env_id[33];
  int attempt;
  char *arn;
  lf_buf payload, client_context;
  int64_t received_wall_us, deadline_wall_ms;
  bool want_tail, rejected;
  lf_call_done done;
  void *user;

  const lf_stream_ops *stream;
  bool streamed, caller_full, too_fast; /* a response has begun to stream; why its reading is stopped */
  int64_t stream_tokens;     /* bytes that may pass now */
  lf_time_us stream_filled;  /* when they were last added to */
  lf_call *stream_next;      /* in the engine's list of those that are too fast */

  lf_buf body;
  char content_type[128], error_type[128], error_message[1024];
  int64_t request_bytes, response_bytes;
  bool after_reload;        /* its environment was */
  bool posted_error;        /* the runtime's answer was an error (or too large) */
  lf_error *no_sandbox;     /* why there was none, if that is how it ended */

  lf_sb_usage usage;         /* at the end */
  int64_t cpu_us, throttled_us, tmp_growth;
  int64_t init_wall_us, init_cpu_us; /* of the last init while it was bound; LF_NONE */
  int64_t left_running, busy_threads, files_touched;
  char left_behind[80];     /* in its event loop, as its runtime says; "" */
  bool init_done, base64;
  bool looked;               /* at its tasks; once */
  lf_buf tail;
  lf_record record;
  lf_violation *violations; /* most invocations have none, and they are large */
  size_t violations_n;
  bool recorded, queued, finished, told;
  size_t end_at;             /* where END and REPORT begin in the tail */
  size_t log_seen;           /* bytes of output that the recorded tail knew */
  bool finishing, held;      /* counted in the function's `finishing`; in its `held` list */
  lf_time_us held_since;
  int64_t hold_until;        /* by the engine's hold_clock */
  int64_t held_us;           /* how long it waited there */
  lf_call *held_next;
  lf_call *next;             /* in the queue of answers waiting for the commit */
};

typedef struct lf_events lf_events;

struct lf_engine
{
  uv_loop_t *loop;
  const lf_profile *profile;
  lf_store *store;
  lf_sb_host *host;
  const lf_rt_ops *rt;
  lf_log_sink log;
  void *log_user;
  bool pass_credentials, say_rules;
  char *const *environ_;
  const char *port_file;
  char hostname[65];
  lf_fleet *fleet;
  lf_live_fn *fns, *retired;
  uv_timer_t timer, sampler, holder, streamer;
  int64_t hold_clock;        /* counts while calls are held and the loop turns */
  lf_time_us hold_ticked;
  lf_call *too_fast;        /* streams that wait for their bandwidth */
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t once_more;      /* the loop looks without waiting, for what can share a commit */
  int looks, quiet_looks;   /* so often since the first of the rows that wait; of them, the last that found nothing */
  lf_time_us looking_from;
  lf_time_us timer_at;      /* when the timer fires, LF_NONE when it is stopped */
  lf_effects fx;
  lf_event *queue;
  size_t queue_n, queue_cap, queue_head;
  bool stepping;
  lf_call *waiting, **waiting_tail;
  size_t waiting_n;
  lf_live_env *news, **news_tail; /* environments whose runtime said something in this loop turn */
  lf_time_us step_at;         /* when what is heard now is taken to have happened; LF_NONE: now */
  bool hearing_late;
  lf_time_us slept_from, turn_at, turn_before; /* the loop began to wait; it woke, this turn and the one before */
  size_t envs, calls;
  char open_line[33];       /* the environment whose output ended within a line; the next word is not its own */
  char *enforcement_json;
  lf_error log_error;
  lf_violation judged[LF_VIOLATIONS_MAX]; /* while an invocation is judged */
  lf_events *events;
  bool closing;
  void (*closed) (void *user);
  void *closed_user;
  int handles_open;
};

/* engine.c */
void lf_engine_event (lf_engine *e, const lf_event *ev);
void lf_engine_queue_answer (lf_call *c);
void lf_engine_turn (lf_engine *e);              /* something happened in this loop turn */
void lf_engine_news (lf_live_env *env);          /* one of its flags is set: at the end of the loop turn */
void lf_engine_hear (lf_live_env *env);          /* now: what comes next must not overtake it */
void lf_engine_no_news (lf_live_env *env);       /* it goes away */
void lf_engine_say (lf_engine *e, const lf_function *f, const char *text, size_t n);           /* whole lines of ours */
void lf_engine_watch_memory (lf_live_env *env); /* starts looking at it by a timer if it is about to pass its limit */
void lf_engine_say_output (lf_engine *e, lf_live_env *env, const char *text, size_t n); /* what a function printed */
void lf_engine_log_failed (lf_engine *e, const lf_error *err);

void lf_engine_env_gone (lf_engine *e);
void lf_engine_handle_closed (uv_handle_t *h);
lf_live_fn *lf_engine_fn_new (lf_engine *e, lf_prepared *p, lf_live_fn *with, lf_error *err); /* in no list yet; `with`: of the same name */
void lf_engine_fn_free (lf_live_fn *fn);

/* change.c */
void lf_engine_sweep (lf_engine *e); /* frees retired functions that nothing needs any more */

/* hold.c */
bool lf_hold (lf_call *c);              /* true: it waits; it will be invoked later */
void lf_hold_finishing (lf_call *c);    /* answered: its environment will be free in a moment */
void lf_hold_finished (lf_call *c);     /* ended: one that waits may go */
void lf_hold_timer (uv_timer_t *t);
void lf_hold_release_all (lf_engine *e);

/* reload.c */
typedef struct lf_reload lf_reload;
bool lf_reload_wait (lf_call *c);        /* true: its function has changed, the call goes on later */
void lf_reload_added (lf_live_fn *fn);
void lf_reload_changed (lf_live_fn *fn, lf_live_fn *to); /* by something else: what is being made is not wanted any more */
void lf_reload_release_all (lf_engine *e);

/* stream.c */
void lf_stream_timer (uv_timer_t *t);
void lf_stream_forget (lf_call *c);     /* its response will not go on */

/* live_env.c */
void lf_live_env_start (lf_engine *e, lf_env *core);
void lf_live_env_restart (lf_live_env *env);
bool lf_live_env_kill (lf_live_env *env); /* false: the sandbox is lost */
void lf_live_env_destroy (lf_live_env *env, lf_env_end end);
void lf_live_env_drain (lf_live_env *env);
void lf_live_env_look (lf_live_env *env); /* measures */

/* call.c */
void lf_call_begin (lf_call *c, lf_live_env *env);
void lf_call_delivered (lf_call *c);
void lf_call_posted (lf_call *c); /* its runtime has answered */
void lf_call_answer (lf_call *c);
void lf_call_finish (lf_call *c);
void lf_call_abandoned (lf_call *c);
void lf_call_tell (lf_call *c, const lf_error *failure);
void lf_call_release (lf_call *c);

/* refused.c: why could it not be made ready? `f` is what was known of it by then. */
int lf_refused_write (lf_store *s, const lf_refused *r, lf_error *err); /* the rows alone */
void lf_refused_judge (lf_function *f, const char *target, const lf_profile *p, const lf_error *why, lf_refused *out);

/* judge.c */
void lf_judge_files (lf_call *c);                             /* the files that it has mapped */
void lf_judge_measure (lf_call *c);                           /* what its tasks do, now that its outcome is known */
bool lf_judge_measure_again (lf_call *c);                     /* a moment later: more of them are at work than it seemed */
int lf_judge_late (lf_call *c, bool more_at_work, lf_error *err);                /* what that means for a call that is judged already, behind c->violations */
int lf_call_judge (lf_call *c, lf_error *err);                /* which rules hold, into c->violations; once */
void lf_judge_init_began (lf_live_env *env, lf_time_us at);   /* its runtime was started */
void lf_judge_init_ended (lf_call *c, bool done);             /* the event is delivered, or the invocation ended before */
/* In the output of a daemon: what a rule says the first time that it holds for the function, and at its end how often each one did. */
void lf_judge_say (lf_live_fn *fn, const lf_violation *v, size_t n);
void lf_judge_say_times (lf_live_fn *fn);
bool lf_judge_base64 (const char *p, size_t n);               /* is most of a response base64? */

/* settings.c */
/* Tells the destination of this end, if there is one. */
void lf_destination_tell (lf_live_fn *fn, const lf_async_record *r);
bool lf_destination_wanted (const lf_live_fn *fn);

/* events.c */
lf_events *lf_events_new (lf_engine *e, lf_error *err);
int lf_events_resume (lf_events *ev, lf_error *err);  /* goes on with what an earlier daemon had accepted */
void lf_events_flushed (lf_events *ev, const lf_error *failure); /* the commit is done: tell those who wait for it */
void lf_events_move (lf_events *ev, lf_live_fn *from, lf_live_fn *to); /* tries from now on are the new one's */
void lf_events_forget (lf_events *ev, const lf_live_fn *fn);          /* its function is deleted */
void lf_events_close (lf_events *ev);                 /* closes its handle; the engine counts it */
void lf_events_free (lf_events *ev);

/* log.c */
void lf_log_ring_init (lf_log_ring *r);
void lf_log_ring_fini (lf_log_ring *r);
void lf_log_ring_reset (lf_log_ring *r);
void lf_log_ring_add (lf_log_ring *r, const char *p, size_t n);

#endif
