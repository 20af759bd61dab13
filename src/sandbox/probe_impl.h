/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the probe (doctor): a table of trials and the process they run in. Not a door.
 */
#ifndef LF_SANDBOX_PROBE_IMPL_H
#define LF_SANDBOX_PROBE_IMPL_H

#include "lambdafit/sandbox.h"

/* What a trial's process tells; it lies in memory that both share. */
typedef struct lf_probe_note
{
  int error;                /* errno, 0: it worked */
  char step[80];            /* what failed */
  volatile int64_t value;
  volatile bool go;         /* set by the parent: carry on */
} lf_probe_note;

#define LF_PROBE_MS 10000   /* nothing here takes more than some 10 ms; a trial that hangs is killed */

typedef int (*lf_probe_fn) (lf_probe_note *n, void *arg); /* in the child, raw calls only; -1 with errno and step */

/* Runs `fn` in a new process with new namespaces `flags` (CLONE_NEW*); with CLONE_NEWUSER the own ids are mapped first. 0, or the errno. */
int lf_probe_run (uint64_t flags, lf_probe_fn fn, void *arg, lf_probe_note *out);

/* The same in two halves, for trials in which the parent has something to do meanwhile. */
typedef struct lf_probe_child { pid_t pid; lf_probe_note *note; } lf_probe_child;
int lf_probe_start (uint64_t flags, int cgroup_fd, lf_probe_fn fn, void *arg, lf_probe_child *c);
bool lf_probe_wait (lf_probe_child *c, int ms, int *status);  /* true when it ended; it is reaped then */
void lf_probe_end (lf_probe_child *c);                       /* kills it if it still runs, reaps, frees the note */

int lf_probe_step (lf_probe_note *n, const char *step, int result); /* keeps the step when result < 0; the result */

typedef struct lf_probe_trial { const char *name; uint64_t flags; lf_probe_fn fn; const char *good; } lf_probe_trial;
extern const lf_probe_trial lf_probe_other_user; /* what sandboxes without a user namespace need */
extern const lf_probe_trial lf_probe_namespaces[];
extern const size_t lf_probe_namespaces_n;

/* Adds one line to the machine's list. */
lf_mechanism *lf_probe_add (lf_machine *m, const char *name, bool ok);
void lf_probe_cgroups (lf_machine *m, const lf_cg_kind *force);
bool lf_probe_ok (const lf_machine *m, const char *name);
void lf_probe_namespace_fix (int error, char *out, size_t size);  /* why namespaces are refused here, and what to do */

#endif
