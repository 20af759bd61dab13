/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling noise from change, without a guess about how timings are distributed.
 *
 * All ratios now_i / base_j are put in order. If the two differ by a common factor r and by nothing else, the number of ratios below r has
 * the distribution of Mann and Whitney's U, whatever the timings' own distribution is. So the k-th smallest and the k-th largest ratio
 * enclose r, with a chance of error that depends on k and the two counts alone. The median of the ratios estimates r (Hodges and Lehmann).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define ERROR 0.005 /* at each end */
#define COUNT_MAX 40

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* The largest k with P (U < k) <= ERROR, U of m and n values; 0: even the outermost ratio is not sure enough. Exact: ways[j][u] counts
 * the orders of i values of the one kind and j of the other with u pairs the wrong way around. */
static size_t
rank_of (size_t m, size_t n)
{
  size_t top = m * n + 1;
  double *ways = calloc ((n + 1) * top, sizeof *ways), total = 0, sum = 0;
  size_t k = 0;
  if (!ways)
    return 0;
  for (size_t j = 0; j <= n; j++)
    ways[j * top] = 1;
  for (size_t i = 1; i <= m; i++)
    for (size_t j = 1; j <= n; j++) /* the last in order is of the first kind, above all j others; or of the second */
      {
        double *now = ways + j * top, *less = ways + (j - 1) * top;
        for (size_t u = i * j + 1; u-- > 0;)
          now[u] = (u >= j ? now[u - j] : 0) + less[u];
      }
  for (size_t u = 0; u < top; u++)
    total += ways[n * top + u];
  for (; k < top; k++)
    {
      sum += ways[n * top + k];
      if (sum > ERROR * total)
        break;
    }
  free (ways);
  return k;
}

int
lf_ratio_interval (const double *base, size_t bn, const double *now, size_t nn, double *ratio, double *low, double *high)
{
  bn = bn > COUNT_MAX ? COUNT_MAX : bn;
  nn = nn > COUNT_MAX ? COUNT_MAX : nn;
  size_t n = bn * nn, k = n ? rank_of (nn, bn) : 0;
  double *all = n ? malloc (n * sizeof *all) : NULL;
  if (!all)
    return -1;
  for (size_t i = 0; i < nn; i++)
    for (size_t j = 0; j < bn; j++)
      all[i * bn + j] = base[j] > 0 ? now[i] / base[j] : 1;
  qsort (all, n, sizeof *all, compare);
  *ratio = n % 2 ? all[n / 2] : (all[n / 2 - 1] + all[n / 2]) / 2;
  *low = k ? all[k - 1] : 0;
  *high = k ? all[n - k] : INFINITY;
  free (all);
  return k ? 0 : -1;
}

/* Spread over their order, so that the thinned ones are distributed as all are. */
static size_t
thin (const double *v, size_t n, double out[COUNT_MAX])
{
  double sorted[200];
  memcpy (sorted, v, n * sizeof *v);
  qsort (sorted, n, sizeof *sorted, compare);
  size_t keep = n > COUNT_MAX ? COUNT_MAX : n;
  for (size_t i = 0; i < keep; i++)
    out[i] = sorted[(2 * i + 1) * n / (2 * keep)];
  return keep;
}

typedef struct interval { double ratio, low; bool known; } interval;

static interval
interval_of (const double *base, size_t bn, const double *now, size_t nn)
{
  double b[COUNT_MAX], v[COUNT_MAX], high;
  interval i = { 1, 0, false };
  bn = thin (base, bn, b);
  nn = thin (now, nn, v);
  i.known = lf_ratio_interval (b, bn, v, nn, &i.ratio, &i.low, &high) == 0;
  return i;
}

static interval
lesser (interval a, interval b)
{
  return (interval){ a.ratio < b.ratio ? a.ratio : b.ratio, a.low < b.low ? a.low : b.low, a.known && b.known };
}

/* Divided by the loop's wall time, timings of a busy base come out too small; divided by its CPU time, those of a busy run come out too large; and
 * what waits for something else than the CPU should not be divided at all. A true change shows in all three, so the least counts. */
static interval
by_wall (const lf_timings *base, const lf_timings *t)
{
  interval wall = interval_of (base->wall, base->n, t->wall, t->n), cpu = interval_of (base->cpu, base->n, t->cpu, t->n),
           plain = interval_of (base->plain, base->n, t->plain, t->n);
  return lesser (lesser (wall, cpu), plain);
}

static interval
by_cpu (const lf_timings *base, const lf_timings *t)
{
  return interval_of (base->used, base->used_n, t->used, t->used_n);
}

static void
pool (lf_timings *to, const lf_timings *from)
{
  for (size_t i = 0; i < from->n && to->n < LF_TIMINGS_MAX; i++, to->n++)
    {
      to->plain[to->n] = from->plain[i];
      to->wall[to->n] = from->wall[i];
      to->cpu[to->n] = from->cpu[i];
    }
  for (size_t i = 0; i < from->used_n && to->used_n < LF_TIMINGS_MAX; i++)
    to->used[to->used_n++] = from->used[i];
}

/* A change that Lambda would not bill is none. */
static bool
counts (const lf_timings *t, double ratio)
{
  return (double) t->p50 * (1 - 1 / ratio) >= FLOOR_US;
}

/* What the rounds say together. */
typedef struct evidence
{
  bool wall_over, cpu_over; /* in each round the estimate is over the allowed change */
  double busy, bound;
  double contended;         /* how much dearer work in memory is than it was for the base */
  interval wall, cpu;       /* of all rounds */
} evidence;

static bool
gather (const lf_timings *base, const lf_timings *rounds, size_t n, double limit, evidence *e)
{
  lf_timings *all = calloc (1, sizeof *all);
  *e = (evidence){ .wall_over = true, .bound = n ? rounds[0].bound : 0 };
  e->cpu_over = e->bound >= BOUND_PART;
  if (!all)
    return false;
  for (size_t i = 0; i < n; i++)
    {
      interval w = by_wall (base, &rounds[i]), u = by_cpu (base, &rounds[i]);
      e->wall_over = e->wall_over && w.ratio > limit && counts (&rounds[i], w.ratio);
      e->cpu_over = e->cpu_over && u.ratio > limit && counts (&rounds[i], u.ratio);
      e->busy = rounds[i].busy > e->busy ? rounds[i].busy : e->busy;
      double contended = base->memory > 0 ? rounds[i].memory / base->memory : 1;
      e->contended = contended > e->contended ? contended : e->contended;
      pool (all, &rounds[i]);
    }
  e->wall = by_wall (base, all);
  e->cpu = by_cpu (base, all);
  free (all);
  return e->wall.known;
}

lf_comparison
lf_compare (const lf_timings *base, const lf_timings *rounds, size_t n, double more)
{
  double limit = 1 + more;
  lf_comparison c = { .word = LF_CMP_FEW, .ratio = 1 };
  evidence e;
  if (!gather (base, rounds, n, limit, &e))
    return c;
  bool wall = e.wall_over && e.wall.low > limit, cpu = e.cpu_over && e.cpu.known && e.cpu.low > limit;
  c.doubtful = (e.wall_over || e.cpu_over) && n < ROUNDS_MAX;
  c.by_cpu = cpu || (!wall && e.bound >= BOUND_PART && e.cpu.known);
  c.ratio = c.by_cpu ? e.cpu.ratio : e.wall.ratio;
  c.low = c.by_cpu ? e.cpu.low : e.wall.low;
  /* On a busy machine only the CPU time can tell: waiting for others is not the handler's doing. And where caches are contended, CPU time itself
   * grows, by how much depends on what the handler is made of: so much more is asked for, and much contention tells nothing. */
  double more_for_memory = e.contended > 1 ? 1 + MEMORY_PART * (e.contended - 1) : 1;
  bool sure = cpu && e.contended <= CONTENDED_MAX && e.cpu.low > limit * more_for_memory;
  c.word = sure || (wall && e.busy <= BUSY_RATIO) ? LF_CMP_WORSE : wall || cpu ? LF_CMP_BUSY : LF_CMP_SAME;
  return c;
}
