/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms in which a caller may name a function. The service checks the text with one regular expression of optional parts; here
 * the text is cut at its colons and each optional part is taken only if what follows can still be a name, which accepts the same
 * texts and also keeps "my-func-1:live" from being read as a region.
 */
#include "lambdafit/model.h"

#include <string.h>

#include "function.h"

#define NAME_TEXT_MAX 170 /* NamespacedFunctionName */
#define NAME_MAX_CHARS 64
#define PARTS_MAX 8

static bool
is_alnum (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
all_of (lf_str s, const char *also)
{
  for (size_t i = 0; i < s.n; i++)
    if (!is_alnum (s.p[i]) && (s.p[i] == '\0' || strchr (also, s.p[i]) == NULL))
      return false;
  return s.n > 0;
}

static bool
is_name (lf_str s)
{
  return all_of (s, "-_.");
}

/* "$latest" passes the service's check and is then not found, so that the caller gets a 404 and not a 400. */
static bool
is_qualifier (lf_str s)
{
  return all_of (s, "-_") || lf_str_ieq (s, "$LATEST") || lf_str_ieq (s, "$LATEST.PUBLISHED");
}

static bool
is_word (lf_str s, const char *word)
{
  return s.n == strlen (word) && memcmp (s.p, word, s.n) == 0;
}

static bool
is_account (lf_str s)
{
  if (s.n != 12)
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9')
      return false;
  return true;
}

static bool
is_lower (char c)
{
  return c >= 'a' && c <= 'z';
}

/* (eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9] */
static bool
is_region (lf_str s)
{
  const char *p = s.p, *end = s.p + s.n;
  if (s.n > 5 && memcmp (p, "eusc-", 5) == 0)
    p += 5;
  if (end - p < 6 || !is_lower (p[0]) || !is_lower (p[1]) || p[2] != '-')
    return false;
  p += 3;
  /* One group of letters, or two when the first is gov or iso?. */
  for (int group = 0; group < 2; group++)
    {
      const char *start = p;
      while (p < end && is_lower (*p))
        p++;
      size_t n = (size_t) (p - start);
      if (n == 0 || p == end || *p != '-')
        return false;
      p++;
      if (end - p == 1 && *p >= '0' && *p <= '9')
        return true;
      bool special = (n == 3 && memcmp (start, "gov", 3) == 0) || ((n == 3 || n == 4) && memcmp (start, "iso", 3) == 0);
      if (!special)
        return false;
    }
  return false;
}

/* Cuts s at its colons; returns how many pieces there are, PARTS_MAX + 1 when too many. */
static size_t
cut (const char *s, lf_str out[PARTS_MAX])
{
  size_t n = 0;
  for (;;)
    {
      if (n == PARTS_MAX)
        return PARTS_MAX + 1;
      size_t len = strcspn (s, ":");
      out[n++] = (lf_str){ s, len };
      if (s[len] == '\0')
        return n;
      s += len + 1;
    }
}

typedef struct parsed
{
  lf_str name, qualifier, region;
} parsed;

static bool
parse (const char *text, parsed *out)
{
  lf_str part[PARTS_MAX];
  size_t n = cut (text, part), i = 0;
  *out = (parsed){ 0 };
  if (n > PARTS_MAX)
    return false;
  bool arn = n > 3 && is_word (part[0], "arn") && is_word (part[2], "lambda")
             && (part[1].n == 0 || (part[1].n >= 3 && memcmp (part[1].p, "aws", 3) == 0 && all_of (part[1], "-")));
  if (arn)
    i = 3;
  if (i + 1 < n && is_region (part[i]) && is_name (part[i + 1])
      && (arn || (i + 2 < n && (is_account (part[i + 1]) || is_word (part[i + 1], "function")))))
    out->region = part[i++];
  if (i + 1 < n && is_account (part[i]) && is_name (part[i + 1]))
    i++;
  if (i + 1 < n && is_word (part[i], "function") && is_name (part[i + 1]))
    i++;
  if (i >= n || !is_name (part[i]))
    return false;
  out->name = part[i++];
  if (i < n)
    {
      if (!is_qualifier (part[i]))
        return false;
      out->qualifier = part[i++];
    }
  return i == n;
}

static int
refuse (const char *text, size_t len, bool pattern_ok, lf_error *err)
{
  const char *length = len == 0              ? "Member must have length greater than or equal to 1"
                       : len > NAME_TEXT_MAX ? "Member must have length less than or equal to 170"
                                             : NULL;
  const char *fix = "name the function as NAME, NAME:QUALIFIER, ACCOUNT:function:NAME or its ARN";
  if (length != NULL && !pattern_ok)
    return LF_FAIL (
        err, LF_EXIT_USAGE, "function name", fix,
        "2 validation errors detected: Value '%.300s' at 'functionName' failed to satisfy constraint: %s; "
        "Value '%.300s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s",
        text, length, text, LF_FUNCTION_NAME_PATTERN);
  if (length != NULL)
    return LF_FAIL (err, LF_EXIT_USAGE, "function name", fix,
                    "1 validation error detected: Value '%.300s' at 'functionName' failed to satisfy constraint: %s", text, length);
  return LF_FAIL (err, LF_EXIT_USAGE, "function name", fix,
                  "1 validation error detected: Value '%.300s' at 'functionName' failed to satisfy constraint: "
                  "Member must satisfy regular expression pattern: %s",
                  text, LF_FUNCTION_NAME_PATTERN);
}

int
lf_function_name_parse (const char *text, char **name, char **qualifier, char **region, lf_error *err)
{
  parsed p;
  size_t len = strlen (text);
  *name = *qualifier = *region = NULL;
  bool ok = parse (text, &p);
  if (!ok || len > NAME_TEXT_MAX)
    return refuse (text, len, ok, err);
  if (p.name.n > NAME_MAX_CHARS)
    return LF_FAIL (err, LF_EXIT_USAGE, "function name", "use at most 64 characters",
                    "1 validation error detected: Value '%.300s' at 'functionName' failed to satisfy constraint: "
                    "Member must have length less than or equal to 64",
                    text);
  *name = lf_strndup (p.name.p, p.name.n);
  if (p.qualifier.p != NULL)
    *qualifier = lf_strndup (p.qualifier.p, p.qualifier.n);
  if (p.region.p != NULL)
    *region = lf_strndup (p.region.p, p.region.n);
  if (*name == NULL || (p.qualifier.p != NULL && *qualifier == NULL) || (p.region.p != NULL && *region == NULL))
    {
      lf_freep (name);
      lf_freep (qualifier);
      lf_freep (region);
      *name = *qualifier = *region = NULL;
      return LF_FAIL_NOMEM (err);
    }
  return 0;
}

bool
lf_function_name_plain (const char *name)
{
  lf_str s = { name, strlen (name) };
  return all_of (s, "-_");
}
