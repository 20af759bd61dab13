/* SPDX-License-Identifier: Apache-2.0
 *
 * The known word that somebody may have meant.
 */
#include <ctype.h>
#include <string.h>

#include "inside.h"

#define WORD_MAX 40

static char
fold (char c)
{
  if (c == '-')
    return '_';
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static size_t
least (size_t a, size_t b, size_t c)
{
  size_t m = a < b ? a : b;
  return m < c ? m : c;
}

/* Edit distance (two neighbours changed over count as one), case and '-' for '_' left aside. */
static size_t
distance (const char *a, const char *b)
{
  size_t n = strlen (a), m = strlen (b), d[3][WORD_MAX + 1];
  if (n > WORD_MAX || m > WORD_MAX)
    return WORD_MAX;
  for (size_t j = 0; j <= m; j++)
    d[0][j] = j;
  for (size_t i = 1; i <= n; i++)
    {
      size_t *now = d[i % 3], *before = d[(i + 2) % 3], *two = d[(i + 1) % 3];
      now[0] = i;
      for (size_t j = 1; j <= m; j++)
        {
          bool same = fold (a[i - 1]) == fold (b[j - 1]);
          now[j] = least (before[j] + 1, now[j - 1] + 1, before[j - 1] + !same);
          if (i > 1 && j > 1 && fold (a[i - 1]) == fold (b[j - 2]) && fold (a[i - 2]) == fold (b[j - 1]) && two[j - 2] + 1 < now[j])
            now[j] = two[j - 2] + 1;
        }
    }
  return d[n % 3][m];
}

const char *
lf_nearest (const char *word, const char *const *known, size_t n)
{
  const char *best = NULL;
  size_t best_d = strlen (word) / 3 + 2;
  for (size_t i = 0; i < n; i++)
    {
      size_t d = distance (word, known[i]);
      if (d < best_d)
        {
          best_d = d;
          best = known[i];
        }
    }
  return best;
}
