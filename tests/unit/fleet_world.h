/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the fleet share: profiles made by hand, a fleet that is told what happens in words and says in words what it
 * wants
 * done, and an allocator that can be told to fail.
 */
#ifndef LF_TEST_FLEET_WORLD_H
#define LF_TEST_FLEET_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lambdafit/model.h"

lf_profile world_profile_2026 (void);
lf_profile world_profile_2020 (void);
lf_function world_function (void); /* timeout 3 s, everything else the profile's */
const char *world_status (lf_status s);

#define WORLD_FNS 3
#define WORLD_INVS 26
#define WORLD_ENVS 64

typedef struct world
{
  lf_profile profile;
  lf_function config[WORLD_FNS];
  lf_fleet_options options;
  lf_fleet *fleet;
  lf_fleet_fn *fn[WORLD_FNS];
  lf_inv inv[WORLD_INVS]; /* a, b, c... */
  lf_env *env[WORLD_ENVS]; /* by serial */
  lf_effects fx;
  char text[2000];
  bool versions; /* function 1 is another version of function 0 */
} world;

/* Fill with the defaults; change profile, config and options; then open. */
void world_init (world *w, lf_profile profile);
void world_open (world *w);
void world_close (world *w);

/* One thing that happens at a time, and the effects it must have. Events: "invoke a", "invoke a 1" (function 1), "launched 1",
   "failed 1",
 * "failed 1 out_of_memory", "next 1", "ok 1", "error 1", "exit 1", "oom 1", "noexec 1", "gone 1", "tick", "remove 0", "shutdown".
 * "? a" asks what an invocation has become, "env 1" the same of an environment, "due" when the fleet wants to be woken. */
typedef struct row
{
  lf_time_us at;
  const char *event, *effects;
} row;
const char *world_do (world *w, lf_time_us at, const char *event);
void world_play (world *w, const row *rows, size_t n, const char *file, int line);
#define PLAY(w, ...) \
  do \
    { \
      static const row rows_[] = { __VA_ARGS__ }; \
      world_play ((w), rows_, LF_ARRAY_LEN (rows_), __FILE__, __LINE__); \
    } \
  while (0)

/* After how many more allocations the next one fails; negative: never. */
extern long world_alloc_fails_after;

uint64_t world_seed (void);                              /* LF_SEED, or a fixed number */
static inline uint64_t
world_random (uint64_t *state)
{
  uint64_t z = *state += UINT64_C (0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

#endif
