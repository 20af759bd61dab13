/* SPDX-License-Identifier: Apache-2.0
 *
 * A JSON checker that builds nothing. It keeps one bit per open bracket instead of recursing, so the deepest text it accepts
 * costs 64 bytes of stack. Reasons are worded as Lambda's front door words them. */
#include <stdio.h>
#include <string.h>

#include "json_scan.h"

#define VALUE_KINDS "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

typedef struct scan
{
  const unsigned char *s;
  size_t n, i;
  size_t depth;
  uint8_t is_object[LF_JSON_DEPTH_MAX / 8];
  lf_json_problem *p;
  lf_json_facts *facts;
} scan;

void
lf_json_place (const char *text, size_t offset, lf_json_problem *p)
{
  p->offset = offset;
  p->line = 1;
  size_t start = 0;
  for (size_t i = 0; i < offset; i++)
    if (text[i] == '\n')
      {
        p->line++;
        start = i + 1;
      }
  p->column = (int) (offset - start) + 1;
}

static int LF_PRINTF (3, 4) fail (scan *c, size_t at, const char *fmt, ...)
{
  va_list ap;
  lf_json_place ((const char *) c->s, at, c->p);
  va_start (ap, fmt);
  vsnprintf (c->p->reason, sizeof c->p->reason, fmt, ap);
  va_end (ap);
  return -1;
}

/* The bytes at `at` are not UTF-8: name the byte that is to blame. */
static int
fail_utf8 (scan *c, size_t at)
{
  unsigned char b = c->s[at];
  size_t len = b >= 0xc2 && b <= 0xdf ? 2 : b >= 0xe0 && b <= 0xef ? 3 : b >= 0xf0 && b <= 0xf4 ? 4 : 0;
  if (len == 0)
    return fail (c, at, "Invalid UTF-8 start byte 0x%x", b);
  size_t k = 1;
  while (k < len && at + k < c->n && (c->s[at + k] & 0xc0) == 0x80)
    k++;
  if (at + k >= c->n)
    return fail (c, c->n, "Unexpected end-of-input: a multi-byte UTF-8 character is cut");
  /* All bytes have the right shape when the sequence is overlong, a surrogate or too high: then the second one decides. */
  return fail (c, at, "Invalid UTF-8 middle byte 0x%x", c->s[at + (k == len ? 1 : k)]);
}

/* 'x' (code 120), with the whole character where it has several bytes. */
static void
describe (const unsigned char *s, size_t n, char out[48])
{
  unsigned char b = s[0];
  if (b < 0x20)
    snprintf (out, 48, "(CTRL-CHAR, code %d)", b);
  else if (b < 0x80)
    snprintf (out, 48, "'%c' (code %d)", b, b);
  else
    {
      size_t len = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
      unsigned code = len == 2 ? b & 31U : len == 3 ? b & 15U : b & 7U;
      for (size_t i = 1; i < len && i < n; i++)
        code = code << 6 | (s[i] & 63U);
      snprintf (out, 48, "'%.*s' (code %u / 0x%x)", (int) (len < n ? len : n), (const char *) s, code, code);
    }
}

static int
fail_char (scan *c, const char *expected)
{
  if (c->s[c->i] >= 0x80 && lf_utf8_valid ((const char *) c->s + c->i, c->n - c->i) == 0)
    return fail_utf8 (c, c->i);
  char name[48];
  describe (c->s + c->i, c->n - c->i, name);
  return fail (c, c->i, "Unexpected character (%s): %s", name, expected);
}

static bool
in_object (const scan *c)
{
  size_t d = c->depth - 1;
  return c->is_object[d / 8] >> (d % 8) & 1;
}

static int
fail_end (scan *c)
{
  if (c->depth == 0)
    return fail (c, c->n, "Unexpected end-of-input: no value was found");
  return fail (c, c->n, "Unexpected end-of-input: expected close marker for %s", in_object (c) ? "Object" : "Array");
}

/* Skips blanks: 0, or -1 for a character that may not stand between tokens. */
static int
blanks (scan *c)
{
  for (; c->i < c->n; c->i++)
    {
      unsigned char b = c->s[c->i];
      if (b == ' ' || b == '\n' || b == '\r' || b == '\t')
        continue;
      if (b < 0x20)
        return fail (c, c->i, "Illegal character ((CTRL-CHAR, code %d)): only regular white space (\\r, \\n, \\t) is allowed between tokens", b);
      return 0;
    }
  return 0;
}

static bool
is_hex (unsigned char b)
{
  return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F');
}

/* After a backslash. */
static int
escape (scan *c, const char *end_text)
{
  if (c->i >= c->n)
    return fail (c, c->n, "Unexpected end-of-input in character escape sequence");
  unsigned char b = c->s[c->i++];
  if (b == 'u')
    {
      for (int k = 0; k < 4; k++, c->i++)
        {
          if (c->i >= c->n)
            return fail (c, c->n, "%s", end_text);
          if (!is_hex (c->s[c->i]))
            return fail_char (c, "expected a hex-digit for character escape sequence");
        }
      return 0;
    }
  if (b != 0 && strchr ("\"\\/bfnrt", b))
    return 0;
  char name[48];
  c->i--;
  if (b >= 0x80 && lf_utf8_valid ((const char *) c->s + c->i, c->n - c->i) == 0)
    return fail_utf8 (c, c->i);
  describe (c->s + c->i, c->n - c->i, name);
  return fail (c, c->i, "Unrecognized character escape %s", name);
}

static int
string (scan *c, bool key)
{
  const char *end_text
      = key ? "Unexpected end-of-input in field name" : "Unexpected end-of-input: was expecting closing quote for a string value";
  c->i++;
  for (;;)
    {
      while (c->i < c->n && c->s[c->i] >= 0x20 && c->s[c->i] < 0x80 && c->s[c->i] != '"' && c->s[c->i] != '\\')
        c->i++;
      if (c->i >= c->n)
        return fail (c, c->n, "%s", end_text);
      unsigned char b = c->s[c->i];
      if (b == '"')
        {
          c->i++;
          return 0;
        }
      if (b == '\\')
        {
          c->i++;
          if (escape (c, end_text) < 0)
            return -1;
        }
      else if (b < 0x20)
        return fail (c, c->i, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in %s", b,
                     key ? "name" : "string value");
      else
        {
          /* Longest sequence is 4 bytes; asking for a little at a time keeps the scan linear. */
          size_t left = c->n - c->i, k = lf_utf8_valid ((const char *) c->s + c->i, left < 4 ? left : 4);
          size_t one = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
          if (k < one || b < 0xc2)
            return fail_utf8 (c, c->i);
          c->i += one;
        }
    }
}

/* One or more digits. */
static int
digits (scan *c, const char *expected)
{
  size_t from = c->i;
  while (c->i < c->n && c->s[c->i] >= '0' && c->s[c->i] <= '9')
    c->i++;
  if (c->i > from)
    return 0;
  if (c->i >= c->n)
    return fail (c, c->n, "Unexpected end-of-input: %s", expected);
  return fail_char (c, expected);
}

static int
number (scan *c)
{
  size_t from = c->i;
  if (c->s[c->i] == '-')
    c->i++;
  size_t first = c->i;
  if (digits (c, "expected digit (0-9) to follow minus sign, for valid numeric value") < 0)
    return -1;
  if (c->s[first] == '0' && c->i > first + 1)
    return fail (c, first, "Invalid numeric value: Leading zeroes not allowed");
  if (c->i < c->n && c->s[c->i] == '.')
    {
      c->i++;
      if (digits (c, "Decimal point not followed by a digit") < 0)
        return -1;
    }
  if (c->i < c->n && (c->s[c->i] | 32) == 'e')
    {
      c->i++;
      if (c->i < c->n && (c->s[c->i] == '+' || c->s[c->i] == '-'))
        c->i++;
      if (digits (c, "Exponent indicator not followed by a digit") < 0)
        return -1;
    }
  if (c->i - from > c->facts->longest_number)
    *c->facts = (lf_json_facts){ c->i - from, from };
  return 0;
}

static bool
is_word (unsigned char b)
{
  return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || b == '_' || b == '$';
}

static int
word (scan *c)
{
  static const char *const words[] = { "true", "false", "null" };
  size_t end = c->i;
  while (end < c->n && is_word (c->s[end]))
    end++;
  size_t len = end - c->i;
  for (size_t k = 0; k < LF_ARRAY_LEN (words); k++)
    if (len == strlen (words[k]) && memcmp (c->s + c->i, words[k], len) == 0)
      {
        c->i = end;
        return 0;
      }
  return fail (c, c->i, "Unrecognized token '%.*s': was expecting " VALUE_KINDS, (int) (len < 64 ? len : 64), (const char *) c->s + c->i);
}

/* Opens a bracket at c->i. */
static int
push (scan *c, bool object)
{
  if (c->depth >= LF_JSON_DEPTH_MAX)
    return fail (c, c->i, "Document nesting depth (%d) exceeds the maximum allowed (%d)", LF_JSON_DEPTH_MAX + 1, LF_JSON_DEPTH_MAX);
  uint8_t bit = (uint8_t) (1U << (c->depth % 8));
  if (object)
    c->is_object[c->depth / 8] |= bit;
  else
    c->is_object[c->depth / 8] &= (uint8_t) ~bit;
  c->depth++;
  c->i++;
  return 0;
}

/* A value, or the opening of one: *opened says that a bracket was opened and its content follows. */
static int
value (scan *c, bool *opened)
{
  *opened = false;
  if (c->i >= c->n)
    return fail_end (c);
  unsigned char b = c->s[c->i];
  if (b == '{' || b == '[')
    {
      *opened = true;
      return push (c, b == '{');
    }
  if (b == '"')
    return string (c, false);
  if (b == '-' || (b >= '0' && b <= '9'))
    return number (c);
  if (is_word (b))
    return word (c);
  return fail_char (c, "expected a valid value " VALUE_KINDS);
}

/* "name": before a member's value. */
static int
name_and_colon (scan *c)
{
  if (c->i >= c->n)
    return fail_end (c);
  if (c->s[c->i] != '"')
    return fail_char (c, "was expecting double-quote to start field name");
  if (string (c, true) < 0 || blanks (c) < 0)
    return -1;
  if (c->i >= c->n)
    return fail_end (c);
  if (c->s[c->i] != ':')
    return fail_char (c, "was expecting a colon to separate field name and value");
  c->i++;
  return blanks (c);
}

/* After a complete value: closes brackets as long as they close. 0 when another value follows, 1 when the text is complete. */
static int
after_value (scan *c)
{
  while (c->depth > 0)
    {
      if (blanks (c) < 0)
        return -1;
      if (c->i >= c->n)
        return fail_end (c);
      bool object = in_object (c);
      unsigned char b = c->s[c->i];
      if (b == ',')
        {
          c->i++;
          if (blanks (c) < 0 || (object && name_and_colon (c) < 0))
            return -1;
          return 0;
        }
      if ((b == '}' && !object) || (b == ']' && object))
        return fail (c, c->i, "Unexpected close marker '%c': expected '%c'", b, object ? '}' : ']');
      if (b != '}' && b != ']')
        return fail_char (c, object ? "was expecting comma to separate Object entries" : "was expecting comma to separate Array entries");
      c->i++;
      c->depth--;
    }
  return 1;
}

/* After an opening bracket: 1 when it closes at once, 0 when a value follows. */
static int
after_open (scan *c)
{
  if (blanks (c) < 0)
    return -1;
  bool object = in_object (c);
  if (c->i < c->n && c->s[c->i] == (object ? '}' : ']'))
    {
      c->i++;
      c->depth--;
      return 1;
    }
  return object ? name_and_colon (c) : 0;
}

int
lf_json_scan (const char *text, size_t n, lf_json_problem *p, lf_json_facts *facts)
{
  scan c = { .s = (const unsigned char *) text, .n = n, .p = p, .facts = facts };
  *facts = (lf_json_facts){ 0 };
  if (blanks (&c) < 0)
    return -1;
  for (;;)
    {
      bool opened;
      if (value (&c, &opened) < 0)
        return -1;
      int closed = opened ? after_open (&c) : 1;
      if (closed < 0)
        return -1;
      if (!closed)
        continue;
      int done = after_value (&c);
      if (done < 0)
        return -1;
      if (done)
        break;
    }
  if (c.i < c.n && is_word (c.s[c.i]))
    return fail_char (&c, "Expected space separating root-level values");
  if (blanks (&c) < 0)
    return -1;
  return c.i < c.n ? fail_char (&c, "was expecting the end of the text after the value") : 0;
}

int
lf_json_validate (const char *text, size_t n, lf_json_problem *p)
{
  lf_json_facts facts;
  return lf_json_scan (text, n, p, &facts);
}
