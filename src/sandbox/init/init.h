/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside lambdafit-init. Everything is static memory; a failure names its step and leaves errno.
 */
#ifndef LF_INIT_INIT_H
#define LF_INIT_INIT_H

#include <stdbool.h>
#include <sys/types.h>
#include "wire.h"

typedef struct job
{
  lf_init_prepare p;
  lf_init_config c;
  uint32_t flags; /* of both */
  const char *attach, *hostname, *common_ops, *ops;
  char *argv[LF_INIT_ARGV_MAX + 1], *envp[LF_INIT_ENV_MAX + 1];
  int join[LF_INIT_FDS_MAX];
  size_t joins;
  int tmp_fd, proc_fd, listen_fd; /* handed to the daemon */
  char step[200];                 /* what was being done */
  volatile int64_t exec_us;       /* when the runtime was exec'd last; written by the child that shares this memory until then */
} job;

int prepare_parse (job *j, char *text, size_t n); /* parse.c: 0, or -1 with errno EPROTO */
int config_parse (job *j, char *text, size_t n);
int root_begin (job *j);    /* mounts.c: what is common to all */
int root_finish (job *j);   /* after it the sandbox's root is "/" */
int groups_join (job *j);   /* confine.c */
int confine_early (job *j); /* what does not depend on the environment */
int network_up (job *j);
int confine_late (job *j);              /* what the supervisor gives up before the runtime starts */
int walls_raise (void);                 /* filter.c: the filter of system calls, for this process and all that it starts */
/* run.c: 0 and a pid after exec succeeded, else errno; exec_us is 0 when it failed before the exec, which is then no fault of the
 * function's */
int runtime_start (job *j, pid_t *pid);
void step_set (job *j, const char *verb, const char *path);

#endif
