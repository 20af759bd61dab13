/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a quantity grow from one invocation to the next? The rule is in the door; here is its arithmetic.
 */
#include "lambdafit/model.h"

#include <stdlib.h>
#include <string.h>

void
lf_trend_add (lf_trend *t, int64_t at, int64_t value)
{
  if (value == LF_NONE)
    return;
  if (t->n == 0)
    t->first = value;
  if (t->n == LF_TREND_MAX)
    {
      t->n--;
      memmove (t->at, t->at + 1, t->n * sizeof *t->at);
      memmove (t->value, t->value + 1, t->n * sizeof *t->value);
    }
  t->at[t->n] = at;
  t->value[t->n++] = value;
}

static int
ascending (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static int64_t
median (int64_t *v, size_t n)
{
  qsort (v, n, sizeof *v, ascending);
  return n % 2 ? v[n / 2] : v[n / 2 - 1] + (v[n / 2] - v[n / 2 - 1]) / 2;
}

/* Where the unbroken growth that leads to the newest value begins: every step of it is a quarter of the median step or more. One that
 * stands still, goes back, or only creeps after a leap (a cache that has filled, an allocator that has warmed up) is no growth. */
static size_t
growth_from (const lf_trend *t)
{
  int64_t steps[LF_TREND_MAX], sorted[LF_TREND_MAX];
  size_t n = LF_TREND_NEED - 1, first = t->n - LF_TREND_NEED;
  for (size_t i = 0; i < n; i++)
    if ((sorted[i] = steps[i] = t->value[first + i + 1] - t->value[first + i]) <= 0)
      return t->n; /* mostly so: nothing has to be sorted for it */
  int64_t usual = median (sorted, n);
  for (size_t i = 0; i < n; i++)
    if (steps[i] < usual / 4)
      return t->n;
  while (first > 0 && t->value[first] - t->value[first - 1] >= usual / 4 && t->value[first] > t->value[first - 1])
    first--;
  return first;
}

bool
lf_trend_grows (const lf_trend *t, int64_t allowed, int64_t least, int64_t *slope, int64_t *breaks_at)
{
  int64_t slopes[LF_TREND_MAX * (LF_TREND_MAX - 1) / 2];
  size_t n = 0;
  if (t->n < LF_TREND_NEED || allowed <= 0)
    return false;
  for (size_t i = growth_from (t); i < t->n; i++)
    for (size_t k = i + 1; k < t->n; k++)
      if (t->at[k] > t->at[i])
        slopes[n++] = (t->value[k] - t->value[i]) / (t->at[k] - t->at[i]);
  if (n == 0)
    return false;
  *slope = median (slopes, n);
  if (*slope <= 0 || *slope < least)
    return false;
  int64_t left = allowed - t->value[t->n - 1];
  int64_t more = left <= 0 ? 0 : left / *slope + (left % *slope > 0);
  *breaks_at = t->at[t->n - 1] + more;
  return more <= LF_TREND_HORIZON;
}
