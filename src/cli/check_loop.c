/* SPDX-License-Identifier: Apache-2.0
 *
 * The calibration loops. What a handler's time means depends on the machine and on what else it does just now; this work is the same everywhere,
 * so a ratio to its time can be compared between machines. Arithmetic within the first cache, whose CPU time depends on the processor alone, and
 * work in memory beyond the caches, which a busy machine makes several times dearer.
 */
#include <stdint.h>
#include <time.h>

#include "check.h"

#define SMALL_WORDS 4096          /* 32 KB */
#define SMALL_STEPS 1000000
#define LARGE_WORDS (1 << 20)     /* 8 MB */
#define LARGE_STEPS 150000

static int64_t
now_ns (clockid_t clock)
{
  struct timespec t;
  clock_gettime (clock, &t);
  return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t
work (uint64_t *memory, uint64_t words, int steps)
{
  uint64_t x = UINT64_C (88172645463325252), sum = 0;
  for (int i = 0; i < steps; i++)
    {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      uint64_t *at = &memory[x & (words - 1)];
      sum += *at;
      *at = sum ^ x;
      sum = sum & 1 ? sum * 3 + 1 : sum >> 1;
    }
  return sum;
}

void
lf_calibrate (lf_loops *out)
{
  static uint64_t memory[LARGE_WORDS];
  static volatile uint64_t sink;
  int64_t wall = now_ns (CLOCK_MONOTONIC), cpu = now_ns (CLOCK_THREAD_CPUTIME_ID);
  sink = work (memory, SMALL_WORDS, SMALL_STEPS);
  out->cpu_ns = now_ns (CLOCK_THREAD_CPUTIME_ID) - cpu;
  out->wall_ns = now_ns (CLOCK_MONOTONIC) - wall;
  cpu = now_ns (CLOCK_THREAD_CPUTIME_ID);
  sink = work (memory, LARGE_WORDS, LARGE_STEPS);
  out->memory_ns = now_ns (CLOCK_THREAD_CPUTIME_ID) - cpu;
  (void) sink;
}
