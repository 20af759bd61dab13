/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the simulator share with each other and with nobody else.
 */
#ifndef LF_SIMULATE_INSIDE_H
#define LF_SIMULATE_INSIDE_H

#include <math.h>
#include <stdlib.h>

#include "lambdafit/simulate.h"

#define LF_SIM_DAY_US INT64_C (86400000000)
#define LF_SIM_TIME_MAX (1000 * LF_SIM_DAY_US)

/* IEEE 754 fixes every bit of it. */
static inline double
lf_sim_sqrt (double x)
{
  return sqrt (x);
}

/* A positive number of microseconds as a whole one. */
static inline int64_t
lf_sim_round (double us)
{
  return us >= (double) LF_SIM_TIME_MAX ? LF_SIM_TIME_MAX : us > 0 ? (int64_t) (us + 0.5) : 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------------------ */

/* A plain decimal number at the start of s, not negative: its value, and how many bytes it took (0: none). */
size_t lf_sim_number (const char *s, size_t n, double *out);
/* "0.9/s", "100/m", "5/h", "3/d": per second. 0 or -1. */
int lf_sim_rate (const char *s, size_t n, double *per_s);

/* Lines of a trace, read in pieces; a line of more than `line_max` bytes is an error. */
typedef struct lf_lines
{
  const lf_bytes *bytes;
  char *buf;
  size_t cap, start, end;
  bool eof;
  int64_t line;               /* number of the one last given, from 1 */
  const char *what;           /* the file's name, for errors */
} lf_lines;
int lf_lines_init (lf_lines *l, const lf_bytes *b, const char *what, size_t line_max, lf_error *err);
void lf_lines_fini (lf_lines *l);
/* 1 and the line without its end, NUL-terminated in place; 0 at the end; -1. */
int lf_lines_next (lf_lines *l, char **line, size_t *n, lf_error *err);
int lf_lines_again (lf_lines *l, lf_error *err);
int lf_lines_bad (const lf_lines *l, lf_error *err, const char *fix, const char *why, ...) LF_PRINTF (4, 5);

/* Names, numbered from 0 in order of appearance. */
typedef struct lf_names { char **v; size_t n, cap; uint32_t *slots; size_t slots_n; } lf_names;
int64_t lf_names_put (lf_names *t, const char *s, size_t n, bool *added); /* its number, or -1: no memory */
void lf_names_fini (lf_names *t);

/* ---- traces ---------------------------------------------------------------------------------------------------------------- */

typedef struct lf_trace lf_trace;
lf_trace *lf_trace_new (lf_arr_kind kind, const lf_bytes *bytes, const char *file, int64_t for_us, const char *only, lf_rng *rng, lf_error *err);
void lf_trace_free (lf_trace *t);
int lf_trace_next (lf_trace *t, lf_arrival *out, lf_error *err);
const char *lf_trace_function (const lf_trace *t, uint32_t fn);
int64_t lf_trace_length (const lf_trace *t);

/* ---- events in order of time --------------------------------------------------------------------------------------------------- */

/* A heap with four children a node: sixteen bytes an event, so that the children of one are one cache line, and one number to compare, so
 * that it takes no branches: the time, then the order in which they were put in. That order is kept modulo 2^17: among more events of one
 * moment it begins anew, the same in every run. */
typedef struct lf_due { uint64_t key, id; } lf_due;
typedef struct lf_queue { lf_due *v; size_t n, cap; uint32_t seq; void *memory; } lf_queue;
#define LF_QUEUE_SEQ_BITS 17 /* the rest, 47 bits, is microseconds of 1,628 days */
int lf_queue_reserve (lf_queue *q, size_t n);
void lf_queue_fini (lf_queue *q);

/* v[3] is the root: its children are 4..7, and those of i begin at 4 (i - 2). */
#define LF_QUEUE_ROOT 3

static inline void
lf_queue_rise (lf_queue *q, size_t i, lf_due d)
{
  while (i > LF_QUEUE_ROOT)
    {
      size_t up = i / 4 + 2;
      if (d.key >= q->v[up].key)
        break;
      q->v[i] = q->v[up];
      i = up;
    }
  q->v[i] = d;
}

#define LF_QUEUE_TIME_MAX (INT64_MAX >> (LF_QUEUE_SEQ_BITS - 1))

/* Room must have been made; at is not negative. What lies beyond the last time there is (no timeout is so long) comes then. */
static inline void
lf_queue_put (lf_queue *q, int64_t at, uint32_t id)
{
  if (at > LF_QUEUE_TIME_MAX)
    at = LF_QUEUE_TIME_MAX;
  uint64_t key = (uint64_t) at << LF_QUEUE_SEQ_BITS | (q->seq++ & ((1u << LF_QUEUE_SEQ_BITS) - 1));
  lf_queue_rise (q, LF_QUEUE_ROOT + q->n++, (lf_due){ key, id });
}

/* The hole goes down to the leaves along the smallest children, then the last one rises from there: it nearly always stays. */
static inline uint32_t
lf_queue_pop (lf_queue *q)
{
  lf_due *v = q->v;
  uint32_t id = (uint32_t) v[LF_QUEUE_ROOT].id;
  size_t end = LF_QUEUE_ROOT + --q->n, i = LF_QUEUE_ROOT, c;
  lf_due last = v[end];
  while ((c = 4 * (i - 2)) + 4 <= end)
    {
      /* The sixteen grandchildren lie together: four lines, of which one will be needed. */
      for (size_t k = 0; k < 16; k += 4)
        __builtin_prefetch (&v[4 * (c - 2) + k]);
      size_t a = c + (v[c + 1].key < v[c].key), b = c + 2 + (v[c + 3].key < v[c + 2].key);
      size_t best = a + (b - a) * (size_t) (v[b].key < v[a].key);
      v[i] = v[best];
      i = best;
    }
  if (c < end)
    {
      size_t best = c;
      for (size_t k = c + 1; k < end; k++)
        best = v[k].key < v[best].key ? k : best;
      v[i] = v[best];
      i = best;
    }
  if (q->n)
    lf_queue_rise (q, i, last);
  return id;
}

static inline int64_t
lf_queue_next (const lf_queue *q)
{
  return q->n ? (int64_t) (q->v[LF_QUEUE_ROOT].key >> LF_QUEUE_SEQ_BITS) : INT64_MAX;
}

#endif
