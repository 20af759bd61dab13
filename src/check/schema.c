/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON Schema: the validation keywords of draft 2020-12 with the common ones of draft 7. A keyword that is not known here is refused when the
 * schema is read: one that was silently passed over would make a check green that is not.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"
#include "pattern.h"

#define DEPTH_MAX 100
#define STEPS_MAX 2000000

typedef struct validation
{
  const cJSON *root;
  lf_buf *why;
  char path[300];
  long steps;
} validation;

static int validate (validation *v, const cJSON *got, const cJSON *s, int depth);

/* ---- keywords -------------------------------------------------------------------------------------------------------------------------- */

/* What stands behind a keyword: nothing to look into, one schema, a list of schemas, a map of schemas. */
typedef enum { INSIDE_NONE, INSIDE_SCHEMA, INSIDE_LIST, INSIDE_MAP, INSIDE_PATTERNS, INSIDE_ITEMS, INSIDE_PATTERN } inside;
static const struct { const char *word; inside in; } keywords[] = {
  { "$schema", INSIDE_NONE }, { "$id", INSIDE_NONE }, { "$comment", INSIDE_NONE }, { "$ref", INSIDE_NONE }, { "$defs", INSIDE_MAP },
  { "definitions", INSIDE_MAP }, { "title", INSIDE_NONE }, { "description", INSIDE_NONE }, { "default", INSIDE_NONE }, { "examples", INSIDE_NONE },
  { "deprecated", INSIDE_NONE }, { "readOnly", INSIDE_NONE }, { "writeOnly", INSIDE_NONE }, { "format", INSIDE_NONE },
  { "contentEncoding", INSIDE_NONE }, { "contentMediaType", INSIDE_NONE }, { "type", INSIDE_NONE }, { "enum", INSIDE_NONE }, { "const", INSIDE_NONE },
  { "multipleOf", INSIDE_NONE }, { "maximum", INSIDE_NONE }, { "exclusiveMaximum", INSIDE_NONE }, { "minimum", INSIDE_NONE },
  { "exclusiveMinimum", INSIDE_NONE }, { "maxLength", INSIDE_NONE }, { "minLength", INSIDE_NONE }, { "pattern", INSIDE_PATTERN },
  { "maxItems", INSIDE_NONE }, { "minItems", INSIDE_NONE }, { "uniqueItems", INSIDE_NONE }, { "maxContains", INSIDE_NONE },
  { "minContains", INSIDE_NONE }, { "maxProperties", INSIDE_NONE }, { "minProperties", INSIDE_NONE }, { "required", INSIDE_NONE },
  { "dependentRequired", INSIDE_NONE }, { "properties", INSIDE_MAP }, { "patternProperties", INSIDE_PATTERNS },
  { "additionalProperties", INSIDE_SCHEMA }, { "propertyNames", INSIDE_SCHEMA }, { "dependentSchemas", INSIDE_MAP }, { "prefixItems", INSIDE_LIST },
  { "items", INSIDE_ITEMS }, { "additionalItems", INSIDE_SCHEMA }, { "contains", INSIDE_SCHEMA }, { "allOf", INSIDE_LIST }, { "anyOf", INSIDE_LIST },
  { "oneOf", INSIDE_LIST }, { "not", INSIDE_SCHEMA }, { "if", INSIDE_SCHEMA }, { "then", INSIDE_SCHEMA }, { "else", INSIDE_SCHEMA },
};

static const cJSON *
key (const cJSON *o, const char *name)
{
  return cJSON_GetObjectItemCaseSensitive (o, name);
}

/* "#", "#/$defs/point": where a reference leads; NULL: nowhere. */
static const cJSON *
resolve (const cJSON *root, const char *ref)
{
  const cJSON *at = root;
  if (*ref != '#')
    return NULL;
  for (const char *p = ref + 1; at && *p == '/';)
    {
      char name[200];
      size_t n = 0;
      for (p++; *p && *p != '/' && n + 1 < sizeof name; p++)
        if (*p == '~' && (p[1] == '0' || p[1] == '1'))
          name[n++] = *++p == '0' ? '~' : '/';
        else
          name[n++] = *p;
      name[n] = 0;
      int64_t index;
      if (cJSON_IsArray (at))
        at = lf_parse_i64 (name, 0, 1000000, &index) == 0 ? cJSON_GetArrayItem (at, (int) index) : NULL;
      else
        at = key (at, name);
      if (*p && *p != '/')
        return NULL;
    }
  return at;
}

static int
refuse (const char *what, lf_error *err, const char *why, const char *word)
{
  return LF_FAIL (err, LF_EXIT_USAGE, what, "docs/check.md lists the keywords that are supported", "%s \"%.80s\"", why, word);
}

static int check_schema (const cJSON *s, const cJSON *root, const char *what, int depth, lf_error *err);

static int
check_children (const cJSON *v, inside in, const cJSON *root, const char *what, int depth, lf_error *err)
{
  const cJSON *i;
  char why[120];
  if (in == INSIDE_ITEMS)
    in = cJSON_IsArray (v) ? INSIDE_LIST : INSIDE_SCHEMA;
  if (in == INSIDE_SCHEMA)
    return check_schema (v, root, what, depth + 1, err);
  if (in == INSIDE_PATTERN && (!cJSON_IsString (v) || lf_pattern_check (v->valuestring, why) < 0))
    return refuse (what, err, "a pattern that is not understood:", cJSON_IsString (v) ? v->valuestring : "(no text)");
  if (in == INSIDE_NONE || in == INSIDE_PATTERN)
    return 0;
  if (in == INSIDE_LIST ? !cJSON_IsArray (v) : !cJSON_IsObject (v))
    return refuse (what, err, in == INSIDE_LIST ? "not a list of schemas:" : "not a map of schemas:", v->string);
  cJSON_ArrayForEach (i, v)
  {
    if (in == INSIDE_PATTERNS && lf_pattern_check (i->string, why) < 0)
      return refuse (what, err, "a pattern that is not understood:", i->string);
    if (check_schema (i, root, what, depth + 1, err) < 0)
      return -1;
  }
  return 0;
}

static int
check_schema (const cJSON *s, const cJSON *root, const char *what, int depth, lf_error *err)
{
  const cJSON *v;
  if (cJSON_IsBool (s))
    return 0;
  if (!cJSON_IsObject (s))
    return refuse (what, err, "a schema is an object, true or false, which is not so at", s->string ? s->string : "its top");
  if (depth > DEPTH_MAX)
    return refuse (what, err, "the schema is nested too deeply at", s->string ? s->string : "");
  cJSON_ArrayForEach (v, s)
  {
    size_t k = 0;
    while (k < LF_ARRAY_LEN (keywords) && strcmp (keywords[k].word, v->string) != 0)
      k++;
    if (k == LF_ARRAY_LEN (keywords))
      return refuse (what, err, "the schema has a keyword that is not supported:", v->string);
    if (strcmp (v->string, "$ref") == 0 && (!cJSON_IsString (v) || !resolve (root, v->valuestring)))
      return refuse (what, err, "the schema has a reference that leads nowhere in it:", cJSON_IsString (v) ? v->valuestring : "(no text)");
    if (check_children (v, keywords[k].in, root, what, depth, err) < 0)
      return -1;
  }
  return 0;
}

int
lf_schema_check (const cJSON *schema, const char *what, lf_error *err)
{
  return check_schema (schema, schema, what, 0, err);
}

/* ---- validation ------------------------------------------------------------------------------------------------------------------------- */

static int
bad (validation *v, const char *fmt, ...) LF_PRINTF (2, 3);
static int
bad (validation *v, const char *fmt, ...)
{
  va_list ap;
  lf_buf_addf (v->why, "%s ", v->path);
  va_start (ap, fmt);
  lf_buf_addv (v->why, fmt, ap);
  va_end (ap);
  return -1;
}

/* The same without a word about it. */
static bool
holds (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  size_t n = strlen (v->path), len = v->why->len;
  bool ok = validate (v, got, s, depth) == 0;
  v->path[n] = 0;
  if (v->why->len > len)
    {
      v->why->len = len;
      v->why->data[len] = 0;
    }
  return ok;
}

static int
inside_of (validation *v, const cJSON *got, const char *name, int index, const cJSON *s, int depth)
{
  size_t n = strlen (v->path);
  if (name)
    snprintf (v->path + n, sizeof v->path - n, ".%.60s", name);
  else
    snprintf (v->path + n, sizeof v->path - n, "[%d]", index);
  int rc = validate (v, got, s, depth);
  if (rc == 0)
    v->path[n] = 0;
  return rc;
}

static bool
is_type (const cJSON *got, const char *type)
{
  if (strcmp (type, "integer") == 0)
    return cJSON_IsNumber (got) && got->valuedouble == floor (got->valuedouble);
  return (cJSON_IsNumber (got) && strcmp (type, "number") == 0) || (cJSON_IsString (got) && strcmp (type, "string") == 0)
         || (cJSON_IsBool (got) && strcmp (type, "boolean") == 0) || (cJSON_IsNull (got) && strcmp (type, "null") == 0)
         || (cJSON_IsArray (got) && strcmp (type, "array") == 0) || (cJSON_IsObject (got) && strcmp (type, "object") == 0);
}

static int
types (validation *v, const cJSON *got, const cJSON *s)
{
  const cJSON *t = key (s, "type"), *e = key (s, "enum"), *c = key (s, "const"), *i;
  const cJSON *several = cJSON_IsArray (t) ? t : NULL;
  bool found = !t || (cJSON_IsString (t) && is_type (got, t->valuestring));
  cJSON_ArrayForEach (i, several) found = found || (cJSON_IsString (i) && is_type (got, i->valuestring));
  if (!found)
    {
      lf_buf text LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&text, 0);
      lf_json_print (t, &text);
      return bad (v, "is not of type %s", text.data ? text.data : "");
    }
  lf_buf ignored LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&ignored, 0);
  if (c && lf_match_equal (got, c, 0, &ignored) < 0)
    return bad (v, "is not the one value that the schema allows");
  found = !e;
  cJSON_ArrayForEach (i, e) found = found || lf_match_equal (got, i, 0, &ignored) == 0;
  return found ? 0 : bad (v, "is none of the values that the schema allows");
}

static int
numbers (validation *v, const cJSON *got, const cJSON *s)
{
  double x = got->valuedouble;
  const cJSON *k;
  if ((k = key (s, "minimum")) && x < k->valuedouble)
    return bad (v, "is %g, less than the minimum %g", x, k->valuedouble);
  if ((k = key (s, "maximum")) && x > k->valuedouble)
    return bad (v, "is %g, more than the maximum %g", x, k->valuedouble);
  if ((k = key (s, "exclusiveMinimum")) && x <= k->valuedouble)
    return bad (v, "is %g, not more than %g", x, k->valuedouble);
  if ((k = key (s, "exclusiveMaximum")) && x >= k->valuedouble)
    return bad (v, "is %g, not less than %g", x, k->valuedouble);
  if ((k = key (s, "multipleOf")) && k->valuedouble > 0)
    {
      double q = x / k->valuedouble;
      if (fabs (q - round (q)) > 1e-9 * (fabs (q) > 1 ? fabs (q) : 1))
        return bad (v, "is %g, no multiple of %g", x, k->valuedouble);
    }
  return 0;
}

static int
strings (validation *v, const cJSON *got, const cJSON *s)
{
  size_t n = 0;
  const cJSON *k;
  for (const char *p = got->valuestring; *p; p++)
    n += ((unsigned char) *p & 0xC0) != 0x80;
  if ((k = key (s, "minLength")) && (double) n < k->valuedouble)
    return bad (v, "has %zu characters, fewer than %g", n, k->valuedouble);
  if ((k = key (s, "maxLength")) && (double) n > k->valuedouble)
    return bad (v, "has %zu characters, more than %g", n, k->valuedouble);
  int found = (k = key (s, "pattern")) ? lf_pattern_match (k->valuestring, got->valuestring) : 1;
  if (found != 1)
    return bad (v, found ? "cannot be matched with %.100s in a reasonable time" : "does not match the pattern %.100s", k->valuestring);
  return 0;
}

static int
sizes (validation *v, const cJSON *got, const cJSON *s, const char *least, const char *most, const char *what)
{
  const cJSON *k;
  int n = cJSON_GetArraySize (got);
  if ((k = key (s, least)) && n < k->valuedouble)
    return bad (v, "has %d %s, fewer than %g", n, what, k->valuedouble);
  if ((k = key (s, most)) && n > k->valuedouble)
    return bad (v, "has %d %s, more than %g", n, what, k->valuedouble);
  return 0;
}

static int
unique_items (validation *v, const cJSON *got)
{
  lf_buf ignored LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&ignored, 0);
  for (const cJSON *a = got->child; a; a = a->next)
    for (const cJSON *b = a->next; b; b = b->next)
      {
        if (++v->steps > STEPS_MAX)
          return bad (v, "has too many items to compare each with each");
        if (lf_match_equal (a, b, 0, &ignored) == 0)
          return bad (v, "has the same item twice");
      }
  return 0;
}

static int
contained (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  const cJSON *c = key (s, "contains"), *least = key (s, "minContains"), *most = key (s, "maxContains"), *i;
  int found = 0;
  if (!c)
    return 0;
  cJSON_ArrayForEach (i, got) found += holds (v, i, c, depth + 1);
  if (found < (least ? least->valuedouble : 1))
    return bad (v, "has %d of the items that it must contain", found);
  return most && found > most->valuedouble ? bad (v, "has %d of the items of which it may contain %g", found, most->valuedouble) : 0;
}

static int
arrays (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  const cJSON *prefix = key (s, "prefixItems"), *items = key (s, "items"), *i;
  if (sizes (v, got, s, "minItems", "maxItems", "items") < 0 || contained (v, got, s, depth) < 0)
    return -1;
  if (cJSON_IsTrue (key (s, "uniqueItems")) && unique_items (v, got) < 0)
    return -1;
  if (cJSON_IsArray (items)) /* as draft 7 wrote it */
    {
      prefix = items;
      items = key (s, "additionalItems");
    }
  const cJSON *at = prefix ? prefix->child : NULL;
  int index = 0;
  cJSON_ArrayForEach (i, got)
  {
    const cJSON *of = at ? at : items;
    at = at ? at->next : NULL;
    if (of && inside_of (v, i, NULL, index, of, depth + 1) < 0)
      return -1;
    index++;
  }
  return 0;
}

static int
one_property (validation *v, const cJSON *p, const cJSON *s, int depth)
{
  const cJSON *properties = key (s, "properties"), *patterns = key (s, "patternProperties"), *more = key (s, "additionalProperties"), *names, *i;
  const cJSON *own = properties ? key (properties, p->string) : NULL;
  bool known = own != NULL;
  if (own && inside_of (v, p, p->string, 0, own, depth + 1) < 0)
    return -1;
  cJSON_ArrayForEach (i, patterns) if (lf_pattern_match (i->string, p->string) == 1)
  {
    known = true;
    if (inside_of (v, p, p->string, 0, i, depth + 1) < 0)
      return -1;
  }
  if (!known && more && cJSON_IsFalse (more))
    return bad (v, "has \"%.80s\", which the schema does not allow", p->string);
  if (!known && more && inside_of (v, p, p->string, 0, more, depth + 1) < 0)
    return -1;
  if ((names = key (s, "propertyNames")) != NULL)
    {
      cJSON *name LF_CLEANUP (lf_json_freep) = cJSON_CreateString (p->string);
      if (name && !holds (v, name, names, depth + 1))
        return bad (v, "has \"%.80s\", a name that the schema does not allow", p->string);
    }
  return 0;
}

static int
objects (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  const cJSON *i, *k;
  if (sizes (v, got, s, "minProperties", "maxProperties", "properties") < 0)
    return -1;
  cJSON_ArrayForEach (i, key (s, "required")) if (cJSON_IsString (i) && !key (got, i->valuestring))
    return bad (v, "has no \"%.80s\", which is required", i->valuestring);
  cJSON_ArrayForEach (i, key (s, "dependentRequired")) if (key (got, i->string))
    cJSON_ArrayForEach (k, i) if (cJSON_IsString (k) && !key (got, k->valuestring))
      return bad (v, "has \"%.80s\" and so must have \"%.80s\"", i->string, k->valuestring);
  cJSON_ArrayForEach (i, key (s, "dependentSchemas")) if (key (got, i->string) && validate (v, got, i, depth + 1) < 0)
    return -1;
  cJSON_ArrayForEach (i, got) if (one_property (v, i, s, depth) < 0)
    return -1;
  return 0;
}

static int
combined (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  const cJSON *i, *all = key (s, "allOf"), *any = key (s, "anyOf"), *one = key (s, "oneOf"), *not_ = key (s, "not"), *if_ = key (s, "if");
  bool some = !any;
  int count = 0;
  cJSON_ArrayForEach (i, all) if (validate (v, got, i, depth + 1) < 0)
    return -1;
  cJSON_ArrayForEach (i, any) some = some || holds (v, got, i, depth + 1);
  if (!some)
    return bad (v, "matches none of the schemas of anyOf");
  cJSON_ArrayForEach (i, one) count += holds (v, got, i, depth + 1);
  if (one && count != 1)
    return bad (v, "matches %d of the schemas of oneOf, not one", count);
  if (not_ && holds (v, got, not_, depth + 1))
    return bad (v, "matches what the schema says it must not be");
  if (if_)
    {
      const cJSON *then = holds (v, got, if_, depth + 1) ? key (s, "then") : key (s, "else");
      if (then && validate (v, got, then, depth + 1) < 0)
        return -1;
    }
  return 0;
}

static int
validate (validation *v, const cJSON *got, const cJSON *s, int depth)
{
  if (cJSON_IsTrue (s))
    return 0;
  if (cJSON_IsFalse (s))
    return bad (v, "is not allowed by the schema");
  if (depth > DEPTH_MAX || ++v->steps > STEPS_MAX)
    return bad (v, "cannot be judged: the schema leads too deep or around in a circle");
  const cJSON *ref = key (s, "$ref");
  const cJSON *to = ref ? resolve (v->root, ref->valuestring) : NULL;
  if ((to && validate (v, got, to, depth + 1) < 0) || types (v, got, s) < 0)
    return -1;
  if ((cJSON_IsNumber (got) && numbers (v, got, s) < 0) || (cJSON_IsString (got) && strings (v, got, s) < 0)
      || (cJSON_IsArray (got) && arrays (v, got, s, depth) < 0) || (cJSON_IsObject (got) && objects (v, got, s, depth) < 0))
    return -1;
  return combined (v, got, s, depth);
}

int
lf_match_schema (const cJSON *got, const cJSON *schema, lf_buf *why)
{
  validation v = { .root = schema, .why = why, .path = "$" };
  return validate (&v, got, schema, 0);
}
