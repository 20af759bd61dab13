/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a check file, and YAML's words as JSON values (core schema).
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

lf_doc *
lf_doc_new (lf_doc_kind kind, int line, int column)
{
  lf_doc *d = calloc (1, sizeof *d);
  if (d)
    *d = (lf_doc){ .kind = kind, .line = line, .column = column, .plain = true };
  return d;
}

void
lf_doc_free (lf_doc *d)
{
  if (!d)
    return;
  for (size_t i = 0; i < d->n; i++)
    lf_doc_free (d->item[i]); /* no deeper than LF_DOC_DEPTH_MAX */
  free (d->item);
  free (d->key);
  free (d->text);
  free (d);
}

int
lf_doc_add (lf_doc *to, lf_doc *child)
{
  if (to->n == to->cap)
    {
      size_t cap = to->cap ? to->cap * 2 : 4;
      lf_doc **more = realloc (to->item, cap * sizeof *more);
      if (!more)
        {
          lf_doc_free (child);
          return -1;
        }
      to->item = more;
      to->cap = cap;
    }
  to->item[to->n++] = child;
  return 0;
}

const lf_doc *
lf_doc_get (const lf_doc *map, const char *key)
{
  if (!map || map->kind != LF_DOC_MAP)
    return NULL;
  for (size_t i = 0; i < map->n; i++)
    if (strcmp (map->item[i]->key, key) == 0)
      return map->item[i];
  return NULL;
}

static bool
one_of (const char *s, const char *const *words, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (s, words[i]) == 0)
      return true;
  return false;
}

/* A number as YAML's core schema has it, as JSON writes it: digits, a point, an exponent. */
static bool
number_text (const char *s, char out[64])
{
  size_t n = strlen (s);
  const char *p = s + (*s == '+' || *s == '-');
  if (n == 0 || n > 60 || strspn (s, "0123456789+-.eE") != n || (*p != '.' && (*p < '0' || *p > '9')))
    return false;
  char *end;
  strtod (s, &end);
  if (*end)
    return false;
  /* Leading zeros and a bare point are no JSON. */
  while (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
    p++;
  size_t k = 0;
  if (*s == '-')
    out[k++] = '-';
  if (*p == '.')
    out[k++] = '0';
  for (; *p; p++)
    {
      out[k++] = *p;
      if (*p == '.' && (p[1] < '0' || p[1] > '9'))
        out[k++] = '0';
    }
  out[k] = 0;
  return true;
}

static cJSON *
scalar_json (const lf_doc *d)
{
  static const char *const nulls[] = { "", "~", "null", "Null", "NULL" }, *const trues[] = { "true", "True", "TRUE" },
                           *const falses[] = { "false", "False", "FALSE" };
  const char *s = d->text ? d->text : "";
  char number[64];
  if (!d->plain)
    return cJSON_CreateString (s);
  if (one_of (s, nulls, LF_ARRAY_LEN (nulls)))
    return cJSON_CreateNull ();
  if (one_of (s, trues, LF_ARRAY_LEN (trues)))
    return cJSON_CreateTrue ();
  if (one_of (s, falses, LF_ARRAY_LEN (falses)))
    return cJSON_CreateFalse ();
  if (number_text (s, number))
    {
      lf_error ignored = { 0 };
      cJSON *v = lf_json_parse (number, strlen (number), "number", &ignored);
      if (v)
        return v;
    }
  return cJSON_CreateString (s);
}

cJSON *
lf_doc_json (const lf_doc *d)
{
  if (d->kind == LF_DOC_SCALAR)
    return scalar_json (d);
  cJSON *o = d->kind == LF_DOC_MAP ? cJSON_CreateObject () : cJSON_CreateArray ();
  for (size_t i = 0; o && i < d->n; i++)
    {
      cJSON *v = lf_doc_json (d->item[i]);
      if (!v || !(d->kind == LF_DOC_MAP ? cJSON_AddItemToObject (o, d->item[i]->key, v) : cJSON_AddItemToArray (o, v)))
        {
          cJSON_Delete (v);
          cJSON_Delete (o);
          return NULL;
        }
    }
  return o;
}
