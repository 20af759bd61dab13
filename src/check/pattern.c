/* SPDX-License-Identifier: Apache-2.0
 *
 * A backtracking matcher that walks the pattern's own text, with a limit on its steps and its depth.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/base.h"
#include "pattern.h"

#define STEPS_MAX 20000000
#define DEPTH_MAX 4000
#define COUNT_MAX 1000

typedef struct matcher
{
  const char *text;
  long steps;
  int depth;
  bool failed; /* too long, or too deep */
} matcher;

/* What is to be matched after the current piece: a linked list on the stack. */
typedef struct rest
{
  const char *p, *end;           /* the sequence that goes on */
  const char *atom, *atom_end;   /* a group */
  long done, min, max;
  bool lazy;
  const char *since;             /* where this round began */
  const struct rest *next;
} rest;

/* ---- the pattern's own parts ---------------------------------------------------------------------------------------------------------- */

/* Where a class "[...]" ends: behind its bracket, or NULL. */
static const char *
class_end (const char *p, const char *end)
{
  for (p++; p < end && *p != ']'; p++)
    if (*p == '\\' && p + 1 < end)
      p++;
  return p < end ? p + 1 : NULL;
}

/* Where a group "(...)" ends, or NULL. */
static const char *
group_end (const char *p, const char *end)
{
  int depth = 0;
  while (p < end)
    {
      if (*p == '\\')
        p++;
      else if (*p == '[')
        {
          if (!(p = class_end (p, end)))
            return NULL;
          continue;
        }
      else if (*p == '(')
        depth++;
      else if (*p == ')' && --depth == 0)
        return p + 1;
      p++;
    }
  return NULL;
}

/* Bytes of the UTF-8 character at p. */
static size_t
char_len (const char *p)
{
  size_t n = 1;
  if ((unsigned char) *p < 0xC0)
    return 1;
  while (n < 4 && ((unsigned char) p[n] & 0xC0) == 0x80)
    n++;
  return n;
}

static const char *
atom_end (const char *p, const char *end)
{
  if (*p == '[')
    return class_end (p, end);
  if (*p == '(')
    return group_end (p, end);
  if (*p == '\\')
    return p + 1 < end ? p + 1 + char_len (p + 1) : NULL;
  return p + char_len (p);
}

/* "*", "+", "?", "{2}", "{2,}", "{2,5}", each with "?" behind it. Where it ends; NULL: not understood. */
static const char *
quantifier (const char *p, const char *end, long *min, long *max, bool *lazy)
{
  *min = *max = 1;
  *lazy = false;
  if (p < end && strchr ("*+?", *p))
    {
      *min = *p == '+';
      *max = *p == '?' ? 1 : -1;
      p++;
    }
  else if (p < end && *p == '{')
    {
      char *q;
      if (!isdigit ((unsigned char) p[1]))
        return NULL;
      *min = *max = strtol (p + 1, &q, 10);
      if (*q == ',')
        {
          q++;
          *max = isdigit ((unsigned char) *q) ? strtol (q, &q, 10) : -1;
        }
      if (*q != '}' || q >= end || *min > COUNT_MAX || *max > COUNT_MAX || (*max >= 0 && *max < *min))
        return NULL;
      p = q + 1;
    }
  else
    return p;
  *lazy = p < end && *p == '?';
  return p + *lazy;
}

/* ---- checking ------------------------------------------------------------------------------------------------------------------------- */

static int
wrong (char why[120], const char *text)
{
  snprintf (why, 120, "%s", text);
  return -1;
}

static int
check_escape (const char *p, char why[120])
{
  if (p[1] >= '1' && p[1] <= '9')
    return wrong (why, "back references are not supported");
  if (isalpha ((unsigned char) p[1]) && !strchr ("dDwWsSbBnrtfv", p[1]))
    return wrong (why, "an escape that is not supported");
  return 0;
}

static int
check_part (const char *p, const char *end, int depth, char why[120])
{
  if (depth > 50)
    return wrong (why, "nested too deeply");
  while (p < end)
    {
      const char *q;
      long min, max;
      bool lazy;
      if (*p == '|' || *p == '^' || *p == '$')
        {
          p++;
          continue;
        }
      if (strchr ("*+?{)", *p) || !(q = atom_end (p, end)) || q > end)
        return wrong (why, "a bracket or a repetition is out of place");
      if (*p == '(' && p[1] == '?' && p[2] != ':')
        return wrong (why, "look-around and named groups are not supported");
      if (*p == '(' && check_part (p + 1 + (p[1] == '?' ? 2 : 0), q - 1, depth + 1, why) < 0)
        return -1;
      for (const char *c = p; *p == '[' && c < q; c++)
        if (*c == '\\' && check_escape (c++, why) < 0)
          return -1;
      if (*p == '\\' && check_escape (p, why) < 0)
        return -1;
      if (!(p = quantifier (q, end, &min, &max, &lazy)))
        return wrong (why, "a repetition that is not understood");
    }
  return 0;
}

int
lf_pattern_check (const char *pattern, char why[120])
{
  return check_part (pattern, pattern + strlen (pattern), 0, why);
}

/* ---- single characters ------------------------------------------------------------------------------------------------------------------ */

static bool
is_word (unsigned char c)
{
  return isalnum (c) || c == '_';
}

static bool
escape_class (char e, const char *s)
{
  unsigned char c = (unsigned char) *s;
  bool in = (e | 32) == 'd' ? c >= '0' && c <= '9' : (e | 32) == 'w' ? c < 0x80 && is_word (c) : c != 0 && strchr (" \t\n\r\f\v", c) != NULL;
  return (e & 32) ? in : !in;
}

static unsigned long
code_point (const char *s)
{
  size_t n = char_len (s);
  unsigned long c = (unsigned char) *s;
  if (n == 1)
    return c;
  c &= 0x7Fu >> n;
  for (size_t i = 1; i < n; i++)
    c = c << 6 | ((unsigned char) s[i] & 0x3F);
  return c;
}

static unsigned long
escaped (char e)
{
  static const char from[] = "nrtfvb", to[] = "\n\r\t\f\v\b";
  const char *at = strchr (from, e);
  return e && at ? (unsigned char) to[at - from] : (unsigned char) e;
}

static bool
in_class (const char *p, const char *end, const char *s)
{
  bool negated = p[1] == '^', found = false;
  unsigned long c = code_point (s);
  for (p += 1 + negated; p < end - 1;)
    {
      if (*p == '\\' && strchr ("dDwWsS", p[1]))
        {
          found = found || escape_class (p[1], s);
          p += 2;
          continue;
        }
      unsigned long low = *p == '\\' ? escaped (p[1]) : code_point (p), high = low;
      p += *p == '\\' ? 2 : char_len (p);
      if (*p == '-' && p + 1 < end - 1)
        {
          p++;
          high = *p == '\\' ? escaped (p[1]) : code_point (p);
          p += *p == '\\' ? 2 : char_len (p);
        }
      found = found || (c >= low && c <= high);
    }
  return found != negated;
}

/* Length of the one character at s that the atom takes; 0: it takes none there. */
static size_t
take_one (const char *p, const char *end, const char *s)
{
  if (!*s)
    return 0;
  size_t n = char_len (s);
  if (*p == '[')
    return in_class (p, end, s) ? n : 0;
  if (*p == '.')
    return *s != '\n' && *s != '\r' ? n : 0;
  if (*p == '\\')
    {
      if (strchr ("dDwWsS", p[1]))
        return escape_class (p[1], s) ? n : 0;
      return code_point (s) == (isalpha ((unsigned char) p[1]) ? escaped (p[1]) : code_point (p + 1)) ? n : 0;
    }
  return strncmp (p, s, char_len (p)) == 0 ? n : 0;
}

/* ---- matching --------------------------------------------------------------------------------------------------------------------------- */

static bool sequence (matcher *m, const char *p, const char *end, const char *s, const rest *after);

static bool repeat (matcher *m, const rest *r, const char *s);

static bool
go_on (matcher *m, const rest *r, const char *s)
{
  if (!r)
    return true;
  if (s == r->since && r->done >= r->min) /* an empty round again would never end */
    return sequence (m, r->p, r->end, s, r->next);
  return repeat (m, r, s);
}

/* Another round of a group: each of its alternatives. */
static bool
round_of (matcher *m, const rest *r, const char *s)
{
  rest again = *r;
  again.done++;
  again.since = s;
  const char *p = r->atom + 1 + (r->atom[1] == '?' ? 2 : 0), *end = r->atom_end - 1;
  for (const char *q = p; q <= end; q++)
    {
      const char *stop = q;
      while (stop < end && *stop != '|')
        stop = atom_end (stop, end);
      if (sequence (m, q, stop, s, &again))
        return true;
      q = stop;
    }
  return false;
}

/* A single character repeated, without recursion: texts may be long. */
static bool
repeat_char (matcher *m, const rest *r, const char *s)
{
  const char *at = s;
  long n = 0;
  size_t k = 0;
  while ((r->lazy ? n < r->min : r->max < 0 || n < r->max) && (k = take_one (r->atom, r->atom_end, at)) > 0)
    {
      at += k;
      n++;
      m->steps++;
    }
  if (n < r->min)
    return false;
  for (;;)
    {
      if (sequence (m, r->p, r->end, at, r->next))
        return true;
      if (m->failed || (r->lazy ? r->max >= 0 && n >= r->max : n == r->min))
        return false;
      if (r->lazy && (k = take_one (r->atom, r->atom_end, at)) == 0)
        return false;
      if (r->lazy)
        at += k;
      else
        do
          at--;
        while (((unsigned char) *at & 0xC0) == 0x80);
      n += r->lazy ? 1 : -1;
    }
}

static bool
repeat (matcher *m, const rest *r, const char *s)
{
  bool more = r->max < 0 || r->done < r->max;
  if (*r->atom != '(')
    return repeat_char (m, r, s);
  if (r->done < r->min)
    return round_of (m, r, s);
  if (r->lazy)
    return sequence (m, r->p, r->end, s, r->next) || (more && round_of (m, r, s));
  return (more && round_of (m, r, s)) || sequence (m, r->p, r->end, s, r->next);
}

static bool
anchor (const matcher *m, const char *p, const char *s)
{
  if (*p == '^')
    return s == m->text;
  if (*p == '$')
    return *s == 0;
  bool before = s > m->text && is_word ((unsigned char) s[-1]), here = is_word ((unsigned char) *s);
  return (before != here) == (p[1] == 'b');
}

static bool
sequence (matcher *m, const char *p, const char *end, const char *s, const rest *after)
{
  if (m->failed || ++m->steps > STEPS_MAX || m->depth > DEPTH_MAX)
    {
      m->failed = true;
      return false;
    }
  if (p >= end)
    return go_on (m, after, s);
  m->depth++;
  bool ok;
  bool border = *p == '\\' && (p[1] == 'b' || p[1] == 'B');
  if (*p == '^' || *p == '$' || border)
    ok = anchor (m, p, s) && sequence (m, p + 1 + border, end, s, after);
  else
    {
      rest r = { .atom = p, .atom_end = atom_end (p, end), .next = after, .end = end };
      r.p = quantifier (r.atom_end, end, &r.min, &r.max, &r.lazy);
      ok = r.p != NULL && repeat (m, &r, s);
    }
  m->depth--;
  return ok;
}

int
lf_pattern_match (const char *pattern, const char *text)
{
  char why[120];
  size_t n = strlen (pattern);
  matcher m = { .text = text };
  if (lf_pattern_check (pattern, why) < 0)
    return -1;
  /* As one group, so that alternatives at the top are like any other. */
  char *group LF_CLEANUP (lf_freep) = lf_asprintf ("(?:%s)", pattern);
  if (!group)
    return -1;
  for (const char *s = text;; s++)
    {
      if (((unsigned char) *s & 0xC0) != 0x80 && sequence (&m, group, group + n + 4, s, NULL))
        return 1;
      if (m.failed)
        return -1;
      if (!*s)
        return 0;
    }
}
