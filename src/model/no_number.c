/* SPDX-License-Identifier: Apache-2.0
 *
 * Words in a response that stand where JSON has a number, and are none: Python's json module writes them for floats that are not finite.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "lambdafit/model.h"

/* Every response is looked at while others wait, so no more than this of one. */
#define LOOK_MAX ((size_t) 1 << 20)

static const char *const words[] = { "-Infinity", "Infinity", "NaN" };

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
begins_value (char before)
{
  return before == '[' || before == ':' || before == ',';
}

static bool
ends_value (char c)
{
  return c == ',' || c == ']' || c == '}';
}

/* The word that is a whole value at `at`: behind it only what ends a value, or nothing. */
static const char *
word_at (lf_str s, size_t at)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
    {
      size_t n = strlen (words[i]), end = at + n;
      if (s.n - at < n || memcmp (s.p + at, words[i], n) != 0)
        continue;
      while (end < s.n && is_blank (s.p[end]))
        end++;
      return end == s.n || ends_value (s.p[end]) ? words[i] : NULL;
    }
  return NULL;
}

/* Outside of strings, where a value may begin. Text that is no JSON at all seldom looks like this, and is not asked for. */
static const char *
find (lf_str s)
{
  char before = '['; /* as if there were a list around it */
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] == '"')
      {
        for (i++; i < s.n && s.p[i] != '"'; i++)
          i += s.p[i] == '\\';
        before = '"';
      }
    else if (!is_blank (s.p[i]))
      {
        const char *found = begins_value (before) ? word_at (s, i) : NULL;
        if (found != NULL)
          return found;
        before = s.p[i];
      }
  return NULL;
}

static bool
may_have (lf_str s)
{
  return s.n > 0 && (memmem (s.p, s.n, "NaN", 3) != NULL || memmem (s.p, s.n, "Infinity", 8) != NULL);
}

static bool
is_json (lf_str s)
{
  size_t i = 0;
  while (i < s.n && is_blank (s.p[i]))
    i++;
  return i < s.n && (s.p[i] == '{' || s.p[i] == '[' || (i == 0 && word_at (s, 0) != NULL && s.n <= strlen (words[0])));
}

const char *
lf_response_no_number (lf_str response, bool *in_body)
{
  lf_str s = { response.p, response.n < LOOK_MAX ? response.n : LOOK_MAX };
  *in_body = false;
  if (!may_have (s) || !is_json (s))
    return NULL;
  const char *found = find (s);
  if (found != NULL || response.n > LOOK_MAX || memmem (s.p, s.n, "\"statusCode\"", 12) == NULL)
    return found;
  /* An answer over HTTP: its body is text, and that may be JSON in its turn. */
  lf_error ignored = { 0 };
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_parse (s.p, s.n, "response", &ignored);
  const char *body = o != NULL ? lf_json_str (o, "body") : NULL;
  lf_str b = { body, body != NULL ? strlen (body) : 0 };
  found = is_json (b) ? find (b) : NULL;
  *in_body = found != NULL;
  return found;
}
