/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox: the mechanism behind one execution environment. A plan (pure) says what Lambda's environment looks like; launching it
 * starts `lambdafit-init` as pid 1 of new namespaces with a vfork-like clone (the daemon never forks or unshares itself). The
 * supervisor stays alive over restarts of the runtime, so /tmp survives a reset. The room uses no event loop: it gives descriptors
 * to poll and functions to call when they are ready; nothing here blocks except where said.
 *
 * Cgroup driver with three instances (v2, v1, none), each taking a root directory, so it is tested on a fake tree.
 */
#ifndef LAMBDAFIT_SANDBOX_H
#define LAMBDAFIT_SANDBOX_H

#include <sys/types.h>
#include "lambdafit/base.h"
#include "lambdafit/model.h"

/* ---- cgroups ---------------------------------------------------------------------------------------------------------------------- */

typedef enum { LF_CG_NONE, LF_CG_V1, LF_CG_V2 } lf_cg_kind;
typedef struct lf_cg_driver lf_cg_driver; /* a hierarchy we may use: opened once by the daemon */
typedef struct lf_cg lf_cg;               /* one group */
typedef struct lf_cg_limits { int64_t memory_bytes, cpu_milli, processes; } lf_cg_limits; /* LF_NONE: not limited */
#define LF_CG_CPU_ALL INT64_MAX /* as cpu_milli: a limit that was set is taken away */
typedef struct lf_cg_usage { int64_t memory_bytes, peak_bytes, cpu_us, throttled_us, oom_kills, processes; } lf_cg_usage;

/* Opens the best driver here: v2 (own delegated subtree), else v1 (writable controllers), else none. `force` picks one. With a
 * root other than NULL the hierarchy is looked for there (tests). Never fails for LF_CG_NONE. `why` (>= 200 bytes, may be NULL) says why not better. */
lf_cg_driver *lf_cg_open (const lf_cg_kind *force, const char *root, char *why, lf_error *err);
void lf_cg_close (lf_cg_driver *d);             /* removes our parent group too */
lf_cg_kind lf_cg_driver_kind (const lf_cg_driver *d);
/* Removes groups (and kills processes in them) left by a daemon that died; returns how many. */
int lf_cg_sweep (lf_cg_driver *d);
lf_cg *lf_cg_new (lf_cg_driver *d, const char *name, const lf_cg_limits *l, lf_error *err);
int lf_cg_attach (lf_cg *g, pid_t pid, lf_error *err);
int lf_cg_fd (const lf_cg *g);                  /* v2 directory fd for CLONE_INTO_CGROUP, or -1 */
int lf_cg_set_memory (lf_cg *g, int64_t bytes, lf_error *err);
int lf_cg_freeze (lf_cg *g);                    /* 0, or -1 (none: unsupported, the supervisor does it) */
int lf_cg_thaw (lf_cg *g);
int lf_cg_kill (lf_cg *g);                      /* every process in it */
int lf_cg_usage_get (lf_cg *g, lf_cg_usage *u); /* what is not measured is LF_NONE */
int lf_cg_peak_reset (lf_cg *g);                /* starts a new per-invocation mark; -1 when this kernel cannot */
/* Arms the moving mark and returns the descriptor to poll: POLLIN on v1, POLLPRI on v2; -1 where there is none. Call it again to move the mark or
 * to arm it again after it fired: the descriptor stays the same. Crossing upwards is reported; look at usage once after arming (v1 arms in
 * the background, because that takes the kernel milliseconds, and makes the descriptor ready once when it is done). */
int lf_cg_memory_event_fd (lf_cg *g, int64_t threshold_bytes);
int lf_cg_free (lf_cg *g, lf_error *err);       /* removes it; its processes must be dead */

/* What this driver can really do here; every field is found by looking or trying, none is assumed. */
typedef struct lf_cg_caps
{
  bool memory;      /* a hard memory limit */
  bool swap;        /* swap is counted too, so the limit cannot be escaped through it */
  bool peak;        /* a high-water mark */
  bool peak_reset;  /* ... that lf_cg_peak_reset can start again */
  bool oom_count;   /* the kernel counts its out-of-memory kills */
  bool mark;        /* lf_cg_memory_event_fd works */
  bool cpu;         /* a CPU quota */
  bool cpu_usage, throttled;
  bool pids;        /* a limit of processes */
  bool freezer, kill;
  bool clone_into;  /* lf_cg_fd gives a descriptor for CLONE_INTO_CGROUP */
} lf_cg_caps;
#define LF_CG_CPU_PERIOD_US 20000 /* Lambda's quota windows are reported to be about 20 ms */
void lf_cg_caps_get (const lf_cg_driver *d, lf_cg_caps *c);
const char *lf_cg_where (const lf_cg_driver *d); /* our parent group, for messages; "" for none */
/* As lf_cg_usage_get without what is only wanted when a process ended (oom_kills and processes stay LF_NONE): open descriptors only. */
int lf_cg_usage_hot (lf_cg *g, lf_cg_usage *u);
/* Sets all limits anew; what is LF_NONE is left as it is. */
int lf_cg_set_limits (lf_cg *g, const lf_cg_limits *l, lf_error *err);
/* Descriptors (close-on-exec, the caller's) by which a process that has one thread moves itself in: it writes "0" to each. Moving another
 * process can take the kernel many milliseconds. Freezing is left out: a group joined so is not frozen by the v1
 * freezer. Returns how many, or -1. */
#define LF_CG_JOIN_MAX 5
int lf_cg_join_fds (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err);
/* Page cache of ordinary files that is charged to the group: it is given back when memory is short, and belongs to nobody's use.
 * Costs tens of microseconds. LF_NONE when not measured. */
int64_t lf_cg_file_bytes (lf_cg *g);

/* ---- what the machine can do (doctor) ----------------------------------------------------------------------------------------------- */

typedef struct lf_mechanism { const char *name; bool ok; char detail[240]; char fix[300]; } lf_mechanism;
typedef struct lf_machine
{
  lf_mechanism mech[32];
  size_t n;
  lf_enforcement enforcement;   /* what an environment started here gets */
  bool sandbox;                 /* can one be made at all */
} lf_machine;
/* Tries every mechanism for real (namespaces, mounts, quota, cgroup controllers, freezer, network namespace...). May take tens of ms; blocks. */
void lf_machine_probe (lf_machine *m);

/* ---- the host: one per daemon ------------------------------------------------------------------------------------------------------- */

typedef struct lf_sb_host lf_sb_host;
typedef struct lf_sb_host_options
{
  const char *state_dir;    /* private folder for prepared files (etc/, fake /sys files) */
  const char *init_path;    /* lambdafit-init; NULL: lf_libexec_path */
  const lf_cg_kind *cg;     /* force a cgroup driver */
  bool old_mounts;          /* build roots with mount(2) only, as on kernels before 5.12 (tests) */
  bool no_spare;            /* keep no helper waiting for the next environment */
} lf_sb_host_options;
/* Prepares what all sandboxes share (etc folder with passwd, hosts, resolv.conf...; the cgroup parent). -1 with exit UNSUPPORTED and a
 * fix when no sandbox can be made here (user namespaces forbidden, ...). Blocks briefly. */
/* It keeps one prepared helper waiting, so the first environment starts faster. Helpers die with the thread that started them:
 * make the host and launch from one thread that lives as long as the daemon. */
lf_sb_host *lf_sb_host_new (const lf_sb_host_options *o, lf_error *err);
void lf_sb_host_free (lf_sb_host *h);
int lf_sb_host_swept (const lf_sb_host *h); /* control groups that dead daemons had left and that were removed */
const lf_enforcement *lf_sb_host_enforcement (const lf_sb_host *h);
lf_cg_kind lf_sb_host_cgroup (const lf_sb_host *h);

/* ---- the plan (pure) ---------------------------------------------------------------------------------------------------------------- */

typedef struct lf_sb_bind { char *from, *to; } lf_sb_bind;
/* Everything a sandbox is made from. Made by lf_sb_plan_make from a function; the driver may adjust it before launch. */
typedef struct lf_sb_plan
{
  char *task_dir;           /* host folder shown read-only as /var/task */
  char *opt_dir;            /* merged layers shown as /opt, or NULL (an empty /opt) */
  char *runtime_dir;        /* our bootstraps for managed runtimes, shown as /var/runtime; or NULL (empty) */
  lf_sb_bind binds[16];     /* interpreter prefixes, read-only, same path inside unless `to` says otherwise */
  size_t binds_n;
  lf_strv argv;             /* runtime command inside the sandbox; argv[0] is a path inside */
  lf_strv env;              /* complete environment; AWS_LAMBDA_RUNTIME_API is set by the driver before launch */
  int64_t memory_bytes, tmp_bytes, cpu_milli;
  int visible_cpus;
  bool hides_cpu_lists;     /* /sys does not say which processors are possible and present: as Lambda's on arm64 */
  int64_t fds, processes, nproc_rlimit;
  lf_network network;
} lf_sb_plan;
void lf_sb_plan_fini (lf_sb_plan *p);
/* What was found on the machine to run a managed runtime with (see lf_interpreter_find). */
typedef struct lf_interpreter
{
  char *path;               /* /usr/bin/python3.11 */
  char *version;            /* "3.11.2" */
  char *prefix;             /* folder to make visible when it is not under /usr; NULL otherwise */
  bool exact;               /* the version the runtime id asks for */
  bool own_client;          /* the real client (awslambdaric, aws-lambda-ric) is importable from the function, its layers or the interpreter */
  char *client_argv0;       /* for own_client with Node: path of the client's entry inside the sandbox */
} lf_interpreter;
void lf_interpreter_fini (lf_interpreter *i);
/* Finds the interpreter for a managed runtime: exact version in PATH, then pyenv, uv, conda, nvm, fnm, asdf, mise folders; else the nearest of
 * the same language (exact = false). `by_hand` (may be NULL) decides. Runs nothing but reads version from file names and, when
 * needed, asks the binary itself by posix_spawn (blocks; called before serving). -1: LF_EXIT_UNSUPPORTED. */
int lf_interpreter_find (const lf_runtime_info *rt, const char *by_hand, lf_interpreter *out, lf_error *err);
/* Whether the function's code or layers bring the real runtime client, and how to start it. */
int lf_interpreter_client (lf_interpreter *i, const lf_runtime_info *rt, const char *task_dir, const char *opt_dir, lf_error *err);
/* log_stream: "YYYY/MM/DD/[$LATEST]hex". creds: false gives placeholder credentials. host_env: the caller's environ (for AWS_ENDPOINT_URL*). */
typedef struct lf_sb_plan_input
{
  const lf_function *f; const lf_profile *p; const lf_interpreter *interp; /* NULL for provided */
  const char *task_dir, *opt_dir, *runtime_dir, *log_stream; bool pass_credentials; char *const *host_env;
} lf_sb_plan_input;
int lf_sb_plan_make (const lf_sb_plan_input *in, lf_sb_plan *out, lf_error *err);

/* ---- one sandbox ---------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_sandbox lf_sandbox;
typedef enum
{
  LF_SB_NONE,         /* nothing more to read now */
  LF_SB_LAUNCHED,     /* the runtime was exec'd (init begins) */
  LF_SB_EXEC_FAILED,  /* the runtime could not be exec'd: exit.exec_errno */
  LF_SB_SETUP_FAILED, /* no sandbox: `error` */
  LF_SB_EXIT,         /* the runtime's process ended: `exit` (oom told apart by the cgroup's count); its whole tree is dead */
  LF_SB_DEAD          /* the supervisor is gone: the sandbox can only be freed */
} lf_sb_event_type;
typedef struct lf_sb_event { lf_sb_event_type type; lf_exit_info exit; lf_error error; lf_time_us at; } lf_sb_event; /* at: LAUNCHED only */

/* Starts pid 1 and returns at once; LAUNCHED or a failure comes as an event. The plan is copied into the helper's message and not kept.
 * With network NONE the Runtime API's listening socket (127.0.0.1:9001 inside) comes back by lf_sandbox_listen_fd after LAUNCHED is
 * reported, and before the runtime is exec'd it is already listening, so the runtime may connect first. */
lf_sandbox *lf_sandbox_launch (lf_sb_host *h, const char *id, const lf_sb_plan *plan, lf_error *err);
int lf_sandbox_ctl_fd (const lf_sandbox *s);     /* poll for reading: events */
int lf_sandbox_log_fd (const lf_sandbox *s);     /* poll for reading: stdout and stderr of everything inside, non-blocking */
int lf_sandbox_memory_fd (const lf_sandbox *s);  /* poll (POLLPRI on v2, POLLIN on v1): memory passed the moving mark; -1 if none */
bool lf_sandbox_memory_fd_is_pri (const lf_sandbox *s);
int lf_sandbox_listen_fd (lf_sandbox *s);        /* network none: the caller owns it; -1 otherwise */
void lf_sandbox_read (lf_sandbox *s, lf_sb_event *ev); /* one event; LF_SB_NONE when there is none */
void lf_sandbox_on_memory (lf_sandbox *s);       /* memory_fd is ready: kill if over the limit (the EXIT event then says oom), else arm again */
bool lf_sandbox_near_memory (const lf_sandbox *s); /* so near that the kernel, which counts in steps, may not tell of passing the limit: call
                                                     lf_sandbox_on_memory from a timer while this holds */
bool lf_sandbox_check_memory (lf_sandbox *s);    /* over the limit at this moment: killed, the EXIT event then says oom */
int lf_sandbox_sample (lf_sandbox *s);           /* driver without kernel enforcement: look at memory now, kill if over; call from a timer */
int lf_sandbox_restart (lf_sandbox *s, lf_error *err);  /* after EXIT: run the same argv and env again, /tmp kept; LAUNCHED follows */
int lf_sandbox_kill (lf_sandbox *s);             /* SIGKILL to the runtime's whole tree (thaws first); EXIT follows */
int lf_sandbox_freeze (lf_sandbox *s);
int lf_sandbox_thaw (lf_sandbox *s);
bool lf_sandbox_frozen (const lf_sandbox *s);
/* Whether the other end of this connected TCP socket (over loopback) is a process of this sandbox. About 10 us where each sandbox has a user of
 * its own (root), else a look at the descriptors of its processes. */
bool lf_sandbox_is_peer (const lf_sandbox *s, int fd);
pid_t lf_sandbox_pid (const lf_sandbox *s);      /* supervisor, in our pid namespace */
/* Measures. Cheap: a few preads. */
typedef struct lf_sb_usage { int64_t memory_bytes, max_memory_bytes, peak_memory_bytes, tmp_bytes, cpu_us, throttled_us; } lf_sb_usage;
void lf_sandbox_usage (lf_sandbox *s, lf_sb_usage *u); /* max: since the start; peak: since lf_sandbox_mark; both without /tmp */
/* The most descriptors that one process inside has open now, and how many processes and threads there are; LF_NONE when not known. Reads
 * the host's /proc: tens of microseconds. */
void lf_sandbox_counts (const lf_sandbox *s, int64_t *fds, int64_t *processes);
/* The tasks inside, as they are now: how many of those that were not there at the last look are still at work (one that sleeps or waits for a disk or the
 * network; not one that waits to be given work), and how many have each a tenth or more of the CPU time used since then. *t is the last look, all zero
 * for none, and becomes this one. Some ten microseconds for each task. */
#define LF_SB_TASKS_MAX 64
typedef struct lf_sb_suspect { pid_t pid, tid; int64_t cpu_ns; /* of its process */ } lf_sb_suspect;
typedef struct lf_sb_tasks
{
  size_t n;
  pid_t tid[LF_SB_TASKS_MAX];
  int64_t cpu_ticks[LF_SB_TASKS_MAX];
  int64_t left_running, busy;
  lf_sb_suspect suspects[8]; /* new, and wanting the CPU: at work or just done with it */
  size_t suspects_n;
} lf_sb_tasks;
void lf_sandbox_tasks (const lf_sandbox *s, lf_sb_tasks *t);
/* A second look at the suspects, a moment later: threads of the runtime that have computed since are at work too (but not where a library is loaded whose threads
 * spin before they sleep), and so are other processes that do not wait to be given work. False: none of them is. */
bool lf_sandbox_tasks_again (const lf_sandbox *s, lf_sb_tasks *t);
/* Whether one of its tasks (of the first LF_SB_TASKS_MAX) wants the CPU at this moment, and the CPU time that all have used so far. False where that time is
 * not known. */
bool lf_sandbox_wants_cpu (const lf_sandbox *s, int64_t *cpu_us);
/* Pages of files (and of /tmp) that the runtime's process has mapped and that are in memory. A few microseconds. */
int64_t lf_sandbox_mapped (const lf_sandbox *s);
/* How many of them it touches: from a beginning to a look, at least so many bytes (no page of its own is counted instead). LF_NONE or false: not known. Each
 * walks all its pages, a millisecond for some hundred megabytes: only where lf_sandbox_mapped gives reason to, and not often. More than 12 GB are not
 * walked, and so not known. */
bool lf_sandbox_touched_begin (const lf_sandbox *s);
int64_t lf_sandbox_touched (const lf_sandbox *s);
void lf_sandbox_mark (lf_sandbox *s);            /* an invocation begins */
/* Kills everything, removes cgroup and mounts. Asynchronous part: lf_sandbox_destroy starts it; DEAD comes on ctl_fd (or at once);
 * then lf_sandbox_free, which does not block (it retries rmdir of the cgroup a bounded number of times). */
void lf_sandbox_destroy (lf_sandbox *s);
void lf_sandbox_free (lf_sandbox *s);

#endif
