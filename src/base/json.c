/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

#define EXACT_MAX INT64_C (9007199254740992) /* 2^53: above it a double skips integers */
#define NUMBER_MAX 63                        /* cJSON reads no longer numbers */

struct cJSON *
lf_json_parse (const char *text, size_t n, const char *what, lf_error *err)
{
  lf_json_problem p;
  lf_json_facts facts;
  char place[200];
  const char *end = NULL;
  /* The check comes first: cJSON lets much pass that is not JSON, and tells only where it stopped. */
  if (lf_json_scan (text, n, &p, &facts) < 0)
    {
      snprintf (place, sizeof place, "%.150s:%d:%d", what, p.line, p.column);
      LF_FAIL (err, LF_EXIT_USAGE, place, "", "not valid JSON: %s", p.reason);
      return NULL;
    }
  if (facts.longest_number > NUMBER_MAX)
    {
      lf_json_place (text, facts.longest_number_at, &p);
      snprintf (place, sizeof place, "%.150s:%d:%d", what, p.line, p.column);
      LF_FAIL (err, LF_EXIT_USAGE, place, "write it with an exponent or with fewer digits", "a number of %zu characters is too long",
               facts.longest_number);
      return NULL;
    }
  cJSON *o = cJSON_ParseWithLengthOpts (text, n, &end, 0);
  if (!o)
    {
      size_t at = end && end >= text && end <= text + n ? (size_t) (end - text) : 0;
      lf_json_place (text, at, &p);
      snprintf (place, sizeof place, "%.150s:%d:%d", what, p.line, p.column);
      LF_FAIL (err, LF_EXIT_USAGE, place, "look for a \\u escape of half a surrogate pair", "this JSON value cannot be represented");
    }
  return o;
}

static const cJSON *
get (const cJSON *o, const char *key)
{
  return cJSON_IsObject (o) ? cJSON_GetObjectItemCaseSensitive (o, key) : NULL;
}

const char *
lf_json_str (const struct cJSON *o, const char *key)
{
  return cJSON_GetStringValue (get (o, key));
}

int64_t
lf_json_i64 (const struct cJSON *o, const char *key, int64_t otherwise)
{
  const cJSON *v = get (o, key);
  if (cJSON_IsRaw (v))
    {
      int64_t raw;
      return lf_parse_i64 (v->valuestring, INT64_MIN, INT64_MAX, &raw) == 0 ? raw : otherwise;
    }
  if (!cJSON_IsNumber (v))
    return otherwise;
  double d = v->valuedouble;
  if (!(fabs (d) <= (double) EXACT_MAX) || (double) (int64_t) d != d)
    return otherwise;
  return (int64_t) d;
}

bool
lf_json_bool (const struct cJSON *o, const char *key, bool otherwise)
{
  const cJSON *v = get (o, key);
  return cJSON_IsBool (v) ? cJSON_IsTrue (v) : otherwise;
}

void
lf_json_freep (struct cJSON **o)
{
  cJSON_Delete (*o);
}

int
lf_json_add_i64 (struct cJSON *o, const char *key, int64_t v)
{
  if (v == LF_NONE)
    return cJSON_AddNullToObject (o, key) ? 0 : -1;
  if (v >= -EXACT_MAX && v <= EXACT_MAX)
    return cJSON_AddNumberToObject (o, key, (double) v) ? 0 : -1;
  char text[24];
  snprintf (text, sizeof text, "%lld", (long long) v);
  return cJSON_AddRawToObject (o, key, text) ? 0 : -1;
}

int
lf_json_add_str (struct cJSON *o, const char *key, const char *v)
{
  if (!v)
    return cJSON_AddNullToObject (o, key) ? 0 : -1;
  size_t n = strlen (v);
  if (lf_utf8_valid (v, n) == n)
    return cJSON_AddStringToObject (o, key, v) ? 0 : -1;

  lf_buf b;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < n;)
    {
      size_t good = lf_utf8_valid (v + i, n - i);
      lf_buf_add (&b, v + i, good);
      i += good;
      if (i < n)
        {
          lf_buf_adds (&b, "\xEF\xBF\xBD");
          i++;
        }
    }
  LF_CLEANUP (lf_freep) char *valid = lf_buf_take (&b);
  return valid && cJSON_AddStringToObject (o, key, valid) ? 0 : -1;
}

/* ---- text ------------------------------------------------------------------------------------------------------------------- */

/* Own and not cJSON's printer: that one indents with tabs and makes a second copy of everything. */
typedef struct printer
{
  lf_buf *b;
  bool pretty;
  int depth;
} printer;

static int print_value (printer *w, const cJSON *v);

static int
print_number (lf_buf *b, double d)
{
  if (!isfinite (d))
    return lf_buf_adds (b, "null");
  if (fabs (d) <= (double) EXACT_MAX && (double) (int64_t) d == d)
    return lf_buf_addf (b, "%lld", (long long) d);
  char text[40];
  for (int precision = 15; precision <= 17; precision++)
    {
      snprintf (text, sizeof text, "%.*g", precision, d);
      if (strtod (text, NULL) == d)
        break;
    }
  for (char *p = text; *p; p++)
    if (*p == ',')
      *p = '.'; /* a locale's decimal comma */
  return lf_buf_adds (b, text);
}

static int
new_line (const printer *w)
{
  return w->pretty ? lf_buf_addf (w->b, "\n%*s", 2 * w->depth, "") : 0;
}

static int
print_members (printer *w, const cJSON *v)
{
  bool object = cJSON_IsObject (v);
  if (w->depth >= LF_JSON_DEPTH_MAX || lf_buf_addc (w->b, object ? '{' : '[') < 0)
    return -1;
  w->depth++;
  for (const cJSON *m = v->child; m; m = m->next)
    {
      if ((m != v->child && lf_buf_addc (w->b, ',') < 0) || new_line (w) < 0)
        return -1;
      if (object && (lf_buf_add_json_str (w->b, m->string, strlen (m->string)) < 0 || lf_buf_adds (w->b, w->pretty ? ": " : ":") < 0))
        return -1;
      if (print_value (w, m) < 0)
        return -1;
    }
  w->depth--;
  if (v->child && new_line (w) < 0)
    return -1;
  return lf_buf_addc (w->b, object ? '}' : ']');
}

static int
print_value (printer *w, const cJSON *v)
{
  switch (v->type & 0xff)
    {
    case cJSON_False:
      return lf_buf_adds (w->b, "false");
    case cJSON_True:
      return lf_buf_adds (w->b, "true");
    case cJSON_Number:
      return print_number (w->b, v->valuedouble);
    case cJSON_String:
      return lf_buf_add_json_str (w->b, v->valuestring, strlen (v->valuestring));
    case cJSON_Raw:
      return lf_buf_adds (w->b, v->valuestring);
    case cJSON_Array:
    case cJSON_Object:
      return print_members (w, v);
    default:
      return lf_buf_adds (w->b, "null");
    }
}

static int
print (const cJSON *o, lf_buf *b, bool pretty)
{
  printer w = { .b = b, .pretty = pretty };
  size_t before = b->len;
  if (o && print_value (&w, o) == 0)
    return 0;
  b->failed = true;
  b->len = before;
  if (b->data)
    b->data[before] = '\0';
  return -1;
}

int
lf_json_print (const struct cJSON *o, lf_buf *b)
{
  return print (o, b, false);
}

int
lf_json_print_pretty (const struct cJSON *o, lf_buf *b)
{
  return print (o, b, true);
}
