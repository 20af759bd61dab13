/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of which percentiles are wanted. All are kept: an estimate would not agree with what a query says.
 */
#include <stdlib.h>
#include <string.h>

#include "lambdafit/rollup.h"

#define RADIX_BITS 11
#define RADIX_MIN 512 /* fewer are sorted by comparing */
#define TAIL_MAX 65536

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

/* By digits of 11 bits, the least first; only as many digits as the largest value has. */
static void
sort (int64_t *v, size_t n)
{
  int64_t max = 0, min = 0;
  for (size_t i = 0; i < n; i++)
    {
      max = v[i] > max ? v[i] : max;
      min = v[i] < min ? v[i] : min;
    }
  int64_t *other = n >= RADIX_MIN && min == 0 ? malloc (n * sizeof *other) : NULL;
  if (other == NULL)
    {
      qsort (v, n, sizeof *v, by_value);
      return;
    }
  int64_t *from = v, *to = other;
  for (int shift = 0; shift < 63 && max >> shift > 0; shift += RADIX_BITS)
    {
      size_t count[(1 << RADIX_BITS) + 1] = { 0 };
      for (size_t i = 0; i < n; i++)
        count[(from[i] >> shift & ((1 << RADIX_BITS) - 1)) + 1]++;
      for (size_t i = 1; i < LF_ARRAY_LEN (count); i++)
        count[i] += count[i - 1];
      for (size_t i = 0; i < n; i++)
        to[count[from[i] >> shift & ((1 << RADIX_BITS) - 1)]++] = from[i];
      int64_t *swap = from;
      from = to;
      to = swap;
    }
  if (from != v)
    memcpy (v, from, n * sizeof *v);
  free (other);
}

static int
reserve (lf_samples *s, size_t more)
{
  if (s->cap - s->n >= more)
    return 0;
  size_t cap = s->cap + s->cap / 2 + more + 64;
  int64_t *grown = realloc (s->v, cap * sizeof *grown);
  if (grown == NULL)
    return -1;
  s->v = grown;
  s->cap = cap;
  return 0;
}

int
lf_samples_add (lf_samples *s, int64_t v)
{
  if (v == LF_NONE)
    return 0;
  if (reserve (s, 1) != 0)
    return -1;
  s->v[s->n++] = v;
  return 0;
}

int
lf_samples_add_sorted (lf_samples *s, const int64_t *v, size_t n)
{
  if (n == 0)
    return 0;
  if (reserve (s, n) != 0)
    return -1;
  memcpy (s->v + s->n, v, n * sizeof *v);
  s->n += n;
  return 0;
}

/* v[from..mid) and v[mid..to), each sorted, become one. */
static int
merge (int64_t *v, size_t from, size_t mid, size_t to)
{
  size_t left = mid - from, right = to - mid;
  int64_t *copy = right > 0 && left > 0 ? malloc (right * sizeof *copy) : NULL;
  if (right == 0 || left == 0)
    return 0;
  if (copy == NULL)
    return -1;
  memcpy (copy, v + mid, right * sizeof *copy);
  while (right > 0)
    if (left > 0 && v[from + left - 1] > copy[right - 1])
      v[--to] = v[from + --left];
    else
      v[--to] = copy[--right];
  free (copy);
  return 0;
}

int
lf_samples_settle (lf_samples *s)
{
  if (s->settled < s->n)
    {
      sort (s->v + s->settled, s->n - s->settled);
      if (merge (s->v, s->main, s->settled, s->n) != 0)
        return -1;
      s->settled = s->n;
    }
  size_t tail = s->settled - s->main;
  if (tail > TAIL_MAX || tail > s->main / 8)
    {
      if (merge (s->v, 0, s->main, s->settled) != 0)
        return -1;
      s->main = s->settled;
    }
  return 0;
}

void
lf_samples_fini (lf_samples *s)
{
  free (s->v);
  *s = (lf_samples){ 0 };
}

/* Of v[from..to) the place of the first that is not less. */
static size_t
lower_bound (const int64_t *v, size_t from, size_t to, int64_t x)
{
  while (from < to)
    {
      size_t mid = from + (to - from) / 2;
      if (v[mid] < x)
        from = mid + 1;
      else
        to = mid;
    }
  return from;
}

void
lf_samples_remove (lf_samples *s, int64_t v)
{
  size_t at = v == LF_NONE ? s->settled : lower_bound (s->v, 0, s->main, v);
  bool in_main = at < s->main && s->v[at] == v;
  if (!in_main && v != LF_NONE)
    at = lower_bound (s->v, s->main, s->settled, v);
  if (at >= s->settled || s->v[at] != v)
    return;
  memmove (s->v + at, s->v + at + 1, (s->n - at - 1) * sizeof *s->v);
  s->main -= in_main;
  s->settled--;
  s->n--;
}

size_t
lf_samples_below (const lf_samples *s, int64_t v)
{
  return lower_bound (s->v, 0, s->main, v) + (lower_bound (s->v, s->main, s->settled, v) - s->main);
}

/* The value of rank k (from 0) of the two sorted parts together: how many of the k before it come from the first part? */
static int64_t
of_rank (const lf_samples *s, size_t k)
{
  const int64_t *a = s->v, *b = s->v + s->main;
  size_t a_n = s->main, b_n = s->settled - s->main;
  size_t low = k > b_n ? k - b_n : 0, high = k < a_n ? k : a_n;
  while (low < high)
    {
      size_t i = low + (high - low) / 2;
      if (b[k - i - 1] >= a[i])
        low = i + 1;
      else
        high = i;
    }
  if (low < a_n && (k - low >= b_n || a[low] <= b[k - low]))
    return a[low];
  return b[k - low];
}

int64_t
lf_samples_at (const lf_samples *s, int percent)
{
  size_t n = s->settled, rank = n / 100 * (size_t) percent + (n % 100 * (size_t) percent + 99) / 100;
  if (n == 0)
    return LF_NONE;
  return of_rank (s, rank > 0 ? rank - 1 : 0);
}
