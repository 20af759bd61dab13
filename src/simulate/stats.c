/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting without keeping: values go into buckets whose width grows with them, so memory does not grow with the number of values, and a
 * percentile is within 1/512 of the true one, exact where a bucket holds one value.
 */
#include <string.h>

#include "inside.h"

#define SUB_BITS 8
#define SUB (1 << SUB_BITS)
#define BUCKETS ((63 - SUB_BITS) * SUB)

int
lf_hist_init (lf_hist *h)
{
  *h = (lf_hist){ .min = INT64_MAX };
  h->b = calloc (BUCKETS, sizeof *h->b);
  return h->b ? 0 : -1;
}

void
lf_hist_fini (lf_hist *h)
{
  free (h->b);
  h->b = NULL;
}

void
lf_hist_add (lf_hist *h, int64_t v)
{
  size_t i = (size_t) v;
  if (v >= SUB)
    {
      int e = 63 - __builtin_clzll ((unsigned long long) v) - SUB_BITS;
      i = ((size_t) (e + 1) << SUB_BITS) + (((size_t) v >> e) & (SUB - 1));
    }
  h->b[i].n++;
  h->b[i].sum += (uint64_t) v;
  h->n++;
  h->sum += (double) v;
  if (v < h->min)
    h->min = v;
  if (v > h->max)
    h->max = v;
}

double
lf_hist_percentile (const lf_hist *h, double p)
{
  if (h->n == 0)
    return 0;
  double want = p / 100 * (double) h->n;
  uint64_t rank = (uint64_t) want, seen = 0;
  rank += (double) rank < want;
  if (rank < 1)
    rank = 1;
  for (size_t i = 0; i < BUCKETS; i++)
    if ((seen += h->b[i].n) >= rank)
      return (double) h->b[i].sum / (double) h->b[i].n;
  return (double) h->max;
}

double
lf_hist_mean (const lf_hist *h)
{
  return h->n ? h->sum / (double) h->n : 0;
}

/* ---- over seeds ------------------------------------------------------------------------------------------------------------ */

/* The 0.975 quantile of Student's t with df degrees of freedom (any table of it). */
static double
student (size_t df)
{
  static const double t[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                              2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042 };
  if (df <= LF_ARRAY_LEN (t))
    return t[df - 1];
  double n = (double) df, z = 1.959964;
  return z + (z * z * z + z) / (4 * n) + (5 * z * z * z * z * z + 16 * z * z * z + 3 * z) / (96 * n * n);
}

lf_estimate
lf_estimate_of (const double *v, size_t n)
{
  double sum = 0, square = 0;
  for (size_t i = 0; i < n; i++)
    sum += v[i];
  double mean = n ? sum / (double) n : 0;
  if (n < 2)
    return (lf_estimate){ mean, -1 };
  for (size_t i = 0; i < n; i++)
    square += (v[i] - mean) * (v[i] - mean);
  double sd = lf_sim_sqrt (square / (double) (n - 1));
  return (lf_estimate){ mean, student (n - 1) * sd / lf_sim_sqrt ((double) n) };
}
