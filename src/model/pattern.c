/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking for what libraries say when they fail. Texts of many versions and languages are looked for at once, so the patterns are
 * plain: alternatives of parts that follow each other.
 */
#include "lambdafit/model.h"

#include <string.h>

/* How far behind the part before the next one may begin: a few lines of a trace. */
#define REACH 600

static char
lower (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

static const char *
find_part (const char *p, const char *end, const char *part, size_t n)
{
  if ((size_t) (end - p) < n)
    return NULL;
  char a = lower (part[0]), b = a >= 'a' && a <= 'z' ? (char) (a - ('a' - 'A')) : a;
  for (const char *last = end - n; p <= last; p++)
    {
      if (*p != a && *p != b)
        continue;
      size_t i = 1;
      while (i < n && lower (p[i]) == lower (part[i]))
        i++;
      if (i == n)
        return p;
    }
  return NULL;
}

/* The parts of one alternative in order; NULL, or where the first of them is. */
static const char *
find_alternative (const char *p, const char *end, const char *alt, size_t n)
{
  const char *part_end = memchr (alt, '*', n);
  size_t len = part_end ? (size_t) (part_end - alt) : n;
  while (len > 0 && (p = find_part (p, end, alt, len)) != NULL)
    {
      const char *after = p + len;
      if (!part_end)
        return p;
      const char *rest = part_end + 1, *reach = end - after > REACH ? after + REACH : end;
      if (find_alternative (after, reach, rest, n - len - 1) != NULL)
        return p;
      p = after;
    }
  return NULL;
}

static bool
ends_line (char c)
{
  return c == '\n' || c == '\r';
}

/* The line that `at` is in. Colours are left out; other unprintable bytes, and the hard blanks that
 * keep a trace together, become blanks. */
static void
copy_line (lf_str text, const char *at, char *line, size_t cap)
{
  const char *from = at, *end = text.p + text.n;
  while (from > text.p && !ends_line (from[-1]) && at - from < (ptrdiff_t) cap / 2)
    from--;
  size_t n = 0;
  for (; from < end && !ends_line (*from) && n + 1 < cap; from++)
    {
      char c = *from;
      if (c == 27 && from + 1 < end && from[1] == '[')
        {
          while (from + 1 < end && !ends_line (from[1]) && !(lower (from[1]) >= 'a' && lower (from[1]) <= 'z'))
            from++;
          from += from + 1 < end && !ends_line (from[1]);
          continue;
        }
      if (c == (char) 0xc2 && from + 1 < end && from[1] == (char) 0xa0)
        from++, c = ' ';
      if ((unsigned char) c < ' ' || c == 127)
        c = ' ';
      if (c != ' ' || (n > 0 && line[n - 1] != ' '))
        line[n++] = c;
    }
  line[lf_utf8_valid (line, n)] = '\0';
}

bool
lf_pattern_find (lf_str text, const char *patterns, char *line, size_t cap)
{
  while (text.n > 0 && *patterns)
    {
      size_t n = strcspn (patterns, "|");
      const char *at = find_alternative (text.p, text.p + text.n, patterns, n);
      if (at)
        {
          copy_line (text, at, line, cap);
          return true;
        }
      patterns += n + (patterns[n] == '|');
    }
  return false;
}
