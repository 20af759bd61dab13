/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the host and of one sandbox: what host*.c, launch.c, clone.c and sandbox.c share.
 */
#ifndef LF_SANDBOX_SANDBOX_IMPL_H
#define LF_SANDBOX_SANDBOX_IMPL_H

#include "init/wire.h"
#include "lambdafit/sandbox.h"

#define LF_SB_CPUS_MAX (LF_INIT_CPU_WORDS * 64)
#define LF_SB_STACK (128 * 1024)
#define LF_SB_HOSTNAME "169-254-10-1"
/* Some files of /proc make the kernel walk a process's page tables, 50 ns for each entry of 8 bytes, while the daemon waits. Not larger ones than this, which
 * map 12 GB: more than a function may have of memory, but a file that is mapped ten thousand times would take seconds. */
#define LF_SB_TABLES_MAX (24 * LF_MB)

/* One started helper in its own group. */
typedef struct lf_sb_child
{
  pid_t pid;
  int pidfd, ctl, log;
  lf_cg *cg;
  uid_t uid;       /* of its runtime, to the host */
  bool uid_is_own; /* nobody else has that user */
} lf_sb_child;
#define LF_SB_NO_CHILD ((lf_sb_child){ .pid = -1, .pidfd = -1, .ctl = -1, .log = -1 })

typedef struct lf_sb_ranges
{
  struct
  {
    unsigned long first, count;
  } v[64];
  size_t n;
} lf_sb_ranges;

struct lf_sb_host
{
  lf_cg_driver *cg;
  lf_cg_kind kind;
  lf_enforcement enforcement;
  char *state_dir, *attach;
  int init_fd, null_fd;
  void *stack; /* of the child between clone and exec; launches never overlap */
  bool userns; /* sandboxes get a user namespace */
  bool deny_setgroups;
  bool switch_user; /* inside, uid 0 exists and the runtime leaves it */
  bool old_mounts;
  bool no_clone_into; /* this kernel cannot start a process inside a v2 group */
  bool own_users;     /* each environment's runtime is a user of its own to the host */
  lf_sb_ranges uids, gids; /* what our own user namespace has */
  lf_buf uid_map, gid_map;
  int swept; /* groups of dead daemons that were removed */
  int nice; /* our own, and so the functions' */
  lf_buf steps; /* what every root has */
  uint32_t steps_n;
  lf_sb_child spare; /* a helper that has built all of this and waits; pid -1: none */
  bool no_spare;
  unsigned serial;               /* of groups */
  uint16_t cpus[LF_SB_CPUS_MAX]; /* the CPUs we may use */
  size_t cpus_n;
  size_t next_cpu; /* where the next environment's CPUs begin */
  bool sys_made[2][LF_SB_CPUS_MAX + 1]; /* the second without lists of CPUs */
};

/* The vfork-like start of the helper in new namespaces, without any libc lock or allocation in the child (clone.c). `cgroup_fd` -1
 * or a v2 group to be born in. Returns 0 or an errno with the failed step in *step. */
typedef struct lf_sb_clone
{
  uint64_t flags; /* CLONE_NEW* */
  int cgroup_fd, init_fd, null_fd, ctl_fd, log_fd;
  bool userns;
  void *stack;
} lf_sb_clone;
int lf_sb_clone_run (const lf_sb_clone *c, pid_t *pid, int *pidfd, const char **step);

/* Starts a helper in a new group, maps its users and gives it the common root to build; it then waits for its configuration
 * (spawn.c). */
int lf_sb_spawn (lf_sb_host *h, lf_sb_child *out, lf_error *err);
void lf_sb_child_kill (const lf_sb_child *c); /* SIGKILL; the kernel then kills everything in its pid namespace */
void lf_sb_child_abandon (lf_sb_child *c); /* kills and reaps it, closes everything, removes its group */
/* Keeps one helper waiting, so that the next environment finds its namespaces, groups and common root ready. */
void lf_sb_refill (lf_sb_host *h);
/* The configuration message for an environment (launch.c). */
int lf_sb_config (lf_sb_host *h, const lf_sb_plan *plan, lf_buf *out, lf_error *err);
/* Takes the waiting helper, or starts one, and sends it the configuration. */
int lf_sb_configure (lf_sb_host *h, const lf_cg_limits *l, const lf_buf *config, lf_sb_child *out, lf_error *err);
/* Whether the other end of a connected TCP socket is a process of this user, and, where others may have that user too, one that the /proc
 * shows (peer.c). */
bool lf_sb_peer_inside (int fd, uid_t uid, bool uid_is_own, int proc_fd);
int lf_sb_users (lf_sb_host *h, lf_sb_child *c); /* chooses its user and makes the maps (host.c) */
/* Whether RLIMIT_NPROC, which counts a user's processes in a user namespace, counts the supervisor with the function's (sandbox.c). */
int64_t lf_sb_group_processes (const lf_sandbox *s); /* in its control group, or LF_NONE */
int64_t lf_sb_group_cpu_us (const lf_sandbox *s);    /* used by its control group, or LF_NONE */
bool lf_sb_supervisor_counts (const lf_sandbox *s);
/* SETUP_FAILED in words. */
void lf_sb_setup_error (const lf_sb_host *h, const lf_init_note *n, lf_error *err);

/* Bytes of the line "KEY   N kB" in a file of /proc; `key` begins with the newline before it and ends with its colon. LF_NONE: there is no such line
 * (pages.c). Pure. */
int64_t lf_sb_line_bytes (const char *text, const char *key);
pid_t lf_sb_runtime_pid (const lf_sandbox *s); /* the process that the supervisor started, in our pid namespace; 0 */
/* Prepared files: the /etc folder (host_files.c); for a number of CPUs the /sys folder and /proc/cpuinfo (host_sys.c). */
int lf_sb_etc_make (const char *dir, lf_error *err);
int lf_sb_sys_make (const char *dir, int cpus, bool hides_lists, lf_error *err);
int lf_sb_cpuinfo_make (const char *path, int cpus, lf_error *err);
/* The text of /proc/cpuinfo with `cpus` CPUs made from the host's; pure. Empty when there is nothing to make it from. */
void lf_sb_cpuinfo (const char *host, int cpus, lf_buf *out);
/* Helpers of both. Descriptors are of folders, made readable by all whatever the umask. A file that is not there, not public or too
 * large is left out: none is necessary. */
int lf_sb_folder (int dir, const char *name, lf_error *err);
int lf_sb_folders (int dir, const char *path, lf_error *err);
int lf_sb_puts_at (int dir, const char *name, const char *text, lf_error *err);
int lf_sb_copy_file (int from, const char *name, int to, const char *as, lf_error *err);
/* Steps (host.c): letter, path inside without the leading slash, source. */
int lf_sb_step (lf_buf *b, uint32_t *n, char op, const char *path, const char *arg);

#endif
