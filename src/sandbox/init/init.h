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
  lf_init_config c;
  const char *attach, *hostname, *ops;
  char *argv[LF_INIT_ARGV_MAX + 1], *envp[LF_INIT_ENV_MAX + 1];
  int tmp_fd, proc_fd, listen_fd; /* handed to the daemon */
  char step[200];                 /* what was being done */
} job;

int root_build (job *j);            /* mounts.c: after it the sandbox's root is "/" */
int network_up (job *j);            /* confine.c */
int confine_supervisor (job *j);    /* confine.c: what the runtime inherits and what the supervisor gives up */
int runtime_start (job *j, pid_t *pid); /* run.c: 0 and a pid after exec succeeded, else errno */
void step_set (job *j, const char *verb, const char *path);

#endif
