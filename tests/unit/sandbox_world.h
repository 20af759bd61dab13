/* SPDX-License-Identifier: Apache-2.0
 *
 * The world in which real sandboxes are tested: folders to show in them, a host, and the steps every test takes.
 */
#ifndef LF_TEST_SANDBOX_WORLD_H
#define LF_TEST_SANDBOX_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lambdafit/sandbox.h"

#define DEADLINE_US 120000000 /* an emulated guest is slow, and a fork bomb in it slower */
#define USER 65534
#define TMP_BYTES (8 * LF_MB)

typedef struct mode
{
  const char *name;
  bool ordinary_user, no_groups, old_mounts, no_userns, masked_proc;
} mode;

/* One at a time: each mode has a process of its own. */
extern struct world
{
  const mode *mode;
  char dir[64]; /* everything the tests write */
  lf_sb_host *host;
  lf_buf log; /* what the last launched sandbox printed */
} world;

int set_scene (void **state);
int clear_scene (void **state);
lf_sb_host *new_host (void);
int hide_part_of_proc (void);      /* as container engines do; 0 or -1 */
int forbid_user_namespaces (void); /* 0, or -1 where there are no system call filters */

/* A plan that runs a check of sandbox_inside.c (NULL: only the program). */
void plan_init (lf_sb_plan *p, const char *check, const char *arg);
void plan_fini (lf_sb_plan *p);
lf_sandbox *launch (const lf_sb_plan *p);
void drain (lf_sandbox *s);
void turn (lf_sandbox *s);
lf_sb_event next_event (lf_sandbox *s);
void expect_launched (lf_sandbox *s);
lf_exit_info expect_exit (lf_sandbox *s);
void expect_code (lf_sandbox *s, int code);
void finish (lf_sandbox *s);
void wait_output (lf_sandbox *s, const char *text);
void wait_silence (lf_sandbox *s);
int children (lf_sandbox *s);
int kill_inside (lf_sandbox *s, int sig);
void run_check (const char *check, const char *arg);

#endif
