/* SPDX-License-Identifier: Apache-2.0
 *
 * A second fleet, written from the rules and not from the first: no heap, no lists, no counters, only what has happened to each
 * environment and a look at all of them whenever something is to be decided. Slow and easy to read. It says which effects a step
 * must have and what each invocation must become.
 */
#ifndef LF_TEST_FLEET_ORACLE_H
#define LF_TEST_FLEET_ORACLE_H

#include "lambdafit/model.h"

#define ORACLE_ENVS 128
#define ORACLE_INVS 64
#define ORACLE_FNS 3
#define ORACLE_EFFECTS 1024

/* What an environment is doing. */
typedef enum { O_FREE, O_LAUNCH, O_INIT, O_INIT_AGAIN, O_HANDLE, O_ANSWERED, O_KILLED_INIT, O_KILLED, O_IDLE, O_GONE } o_doing;

typedef struct o_env
{
  lf_env *real;             /* filled by whoever carries the effects out */
  uint64_t serial, last_used;
  int fn, inv;              /* inv -1: none */
  o_doing doing;
  bool dead, frozen, again; /* dead: no process; again: it was initialising inside the invocation when it was killed */
  lf_time_us created, launched, idle_since;
} o_env;

typedef struct o_inv
{
  bool used, cold, answered, finished;
  lf_status status, abandoned_status;
  lf_time_us received, from;   /* from: where the duration begins */
  int64_t longer_us;           /* its deadline is later by this: its answer was looked for late */
  int64_t wait_us, init_us, abandoned_us, duration_us;
  const char *reason;
} o_inv;

__extension__ typedef __int128 o_wide;
typedef struct o_bucket { int64_t cap, per, period_us; o_wide level; lf_time_us at; } o_bucket;

typedef struct o_fn
{
  bool removed, single_use;
  int64_t reserved, timeout_us, keepalive_us, life_us; /* life 0: none */
  o_bucket rate, scale;
} o_fn;

typedef struct o_effect { lf_effect_type type; int env, inv; lf_env_end end; } o_effect;

typedef struct oracle
{
  const lf_profile *profile;
  lf_fleet_options options;
  lf_time_us now;
  uint64_t serials, uses;
  bool shut;
  o_fn fn[ORACLE_FNS];
  o_env env[ORACLE_ENVS];
  o_inv inv[ORACLE_INVS];
  o_bucket rate, scale;
  o_effect fx[ORACLE_EFFECTS];
  int fx_n;
} oracle;

void oracle_init (oracle *o, const lf_fleet_options *options);
void oracle_add (oracle *o, int fn, const lf_function *config);
bool oracle_set_reserved (oracle *o, int fn, int64_t reserved);
/* fn, env and inv are indices; -1 where the event has none. */
void oracle_step (oracle *o, lf_event_type type, int fn, int env, int inv, lf_status status, const lf_exit_info *how,
    int64_t own_us, lf_time_us now);
lf_time_us oracle_next (const oracle *o);
int oracle_in_flight (const oracle *o, int fn); /* -1: all */

#endif
