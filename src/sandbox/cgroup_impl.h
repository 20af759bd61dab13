/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the cgroup driver: what its three instances share. Not a door: only src/sandbox/cgroup*.c and their test include it.
 */
#ifndef LF_SANDBOX_CGROUP_IMPL_H
#define LF_SANDBOX_CGROUP_IMPL_H

#include "lambdafit/sandbox.h"

/* The v1 hierarchies; v2 uses the first slot alone. */
enum { LF_CGH_MEMORY, LF_CGH_CPU, LF_CGH_CPUACCT, LF_CGH_PIDS, LF_CGH_FREEZER, LF_CGH_COUNT };
#define LF_CGH_V2 0

#define LF_CGP_PREFIX "lambdafit-"       /* of parent groups: PREFIX pid "-" start time */
#define LF_CGP_LEAF "lambdafit.main"     /* where our own processes go when they are in the way; never swept */
#define LF_CGP_FROZEN "frozen"           /* the dummy of the v1 freezer */
#define LF_CG_NAME_MAX 80
#define LF_CG_LEFT_MAX 1024              /* groups whose removal is tried again later */

/* The two calls by which a real hierarchy differs from a folder: the kernel fills a new group with files and removes them with it. */
typedef struct lf_cgp_kernel
{
  int (*mkdir_at) (int dirfd, const char *name);
  int (*rmdir_at) (int dirfd, const char *name);
} lf_cgp_kernel;
extern const lf_cgp_kernel lf_cgp_real_kernel;

/* Where hierarchies are mounted and where in them this process is. `own` is relative to the mount ("" is its top), NULL if outside. */
typedef struct lf_cgp_spot { char *mount, *own; } lf_cgp_spot;
typedef struct lf_cgp_place { lf_cgp_spot v2, v1[LF_CGH_COUNT]; } lf_cgp_place;
const char *lf_cgp_controller (int h);
/* Pure: from the texts of /proc/self/mountinfo and /proc/self/cgroup. -1 only when out of memory. */
int lf_cgp_place_parse (const char *mountinfo, const char *self, lf_cgp_place *out);
int lf_cgp_place_under (const char *root, lf_cgp_place *out);
void lf_cgp_place_fini (lf_cgp_place *p);

typedef struct lf_cgp_ops
{
  lf_cg_kind kind;
  int (*open) (lf_cg_driver *d, const lf_cgp_place *p, char *why, lf_error *err);
  int (*setup) (lf_cg *g, const lf_cg_limits *l, lf_error *err); /* the group's folders exist */
  int (*limit) (lf_cg *g, const lf_cg_limits *l, lf_error *err);
  int (*join) (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err);
  int64_t (*file_bytes) (lf_cg *g);
  int (*attach) (lf_cg *g, pid_t pid, lf_error *err);
  int (*set_memory) (lf_cg *g, int64_t bytes, lf_error *err);
  int (*freeze) (lf_cg *g, bool on);
  int (*kill) (lf_cg *g);
  void (*usage) (lf_cg *g, lf_cg_usage *u, bool all);
  int (*peak_reset) (lf_cg *g);
  int (*event_fd) (lf_cg *g, int64_t threshold);
} lf_cgp_ops;
extern const lf_cgp_ops lf_cgp_v2, lf_cgp_v1, lf_cgp_none;

/* v1: registers a threshold on a thread of its own (cgroup_arm.c). Takes `control` over
 * unless it fails; `usage` and `event` stay the caller's. 0 or -1. */
typedef struct lf_cgp_armer lf_cgp_armer;
int lf_cgp_arm (lf_cg_driver *d, int control, int usage, int event, int64_t threshold);
void lf_cgp_armer_free (lf_cgp_armer *a);

struct lf_cg_driver
{
  const lf_cgp_ops *ops;
  lf_cgp_kernel k;
  lf_cg_caps caps;
  char parent[LF_CG_NAME_MAX];          /* name of our parent group, the same in each hierarchy */
  char where[512];
  int base[LF_CGH_COUNT];               /* folder in which the parent was made, or -1 */
  int at[LF_CGH_COUNT];                 /* the parent, or -1: no such hierarchy here */
  bool same[LF_CGH_COUNT];              /* mounted together with an earlier one: the group is already there */
  bool fake;
  lf_cgp_armer *armer;                  /* v1, from the first mark on */
  char *left[LF_CG_LEFT_MAX];           /* groups that could not be removed yet */
  size_t left_n;
};

struct lf_cg
{
  lf_cg_driver *d;
  char name[LF_CG_NAME_MAX];
  int dir;                              /* v2: the group */
  int mem, stat, peak, cpu, cpuacct, freezer; /* hot files, -1 where there is none */
  int event, poll;                      /* v1: eventfd inside an epoll; v2: event alone */
  int64_t mark;                         /* threshold armed, LF_NONE */
  int64_t quota_us, slices_us, throttled_us; /* v1: CPU time for a period, 0 for no limit; what of it may lie unused on other processors; last reading */
  int64_t window_at, window_cpu, before_cpu; /* v1: CPU time when this window and the one before began */
};

/* ---- files: all return -errno on failure ---- */
int lf_cgp_write (int dirfd, const char *file, const char *text);
int lf_cgp_write_i64 (int dirfd, const char *file, int64_t v);
int lf_cgp_read (int dirfd, const char *file, char *buf, size_t n); /* NUL-terminated; the length */
int lf_cgp_pread (int fd, char *buf, size_t n);
int64_t lf_cgp_pread_i64 (int fd);                                  /* LF_NONE when it is not a number */
int64_t lf_cgp_number (const char *text);                           /* "123\n"; "max" and garbage are LF_NONE */
int64_t lf_cgp_key (const char *text, const char *key);             /* "key 123" at the start of a line */
int64_t lf_cgp_file_bytes (int fd, const char *file, const char *shmem); /* file minus shmem in a memory.stat */
bool lf_cgp_has_word (const char *text, const char *word);
bool lf_cgp_exists (int dirfd, const char *file);
bool lf_cgp_can_write (int dirfd, const char *file);                /* with our effective ids */
int lf_cgp_open (int dirfd, const char *file, int flags);           /* a descriptor (close-on-exec) or -errno */
void lf_cgp_close (int *fd);

/* ---- groups ---- */
/* Adds the parent group below base[h]; shared names over all hierarchies of the driver. */
int lf_cgp_parent_make (lf_cg_driver *d, lf_error *err);
/* SIGKILL to each process listed in the folder's cgroup.procs until none is new. How many were signalled, or -errno. */
int lf_cgp_kill_listed (int dirfd);
/* Kills what is in the tree and removes it, within about `wait_ms`. 0 when it is gone. */
int lf_cgp_reap (const lf_cgp_kernel *k, int dirfd, const char *name, int wait_ms);
/* Is this the name of a parent group whose daemon is dead? */
bool lf_cgp_is_dead_parent (int basefd, const char *name);

/* As lf_cg_open with the place and the kernel given. */
lf_cg_driver *lf_cgp_open_place (const lf_cg_kind *force, const lf_cgp_place *place, const lf_cgp_kernel *k, bool fake, char *why, lf_error *err);

#endif
