/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes of a template.
 */
#include <string.h>
#include <strings.h>

#include "inside.h"

#define INDEX_FROM 8 /* smaller maps are searched from front to back */

tpl_node *
tpl_node_new (tpl *t, tpl_kind kind, int line, int column)
{
  tpl_node *n = tpl_alloc (t, sizeof *n);
  if (!n)
    return NULL;
  n->kind = (uint8_t) kind;
  n->line = line;
  n->column = column;
  n->weight = 1;
  if (kind == TPL_SCALAR)
    n->u.s = "";
  t->out.steps++;
  return n;
}

tpl_node *
tpl_scalar (tpl *t, const tpl_node *at, const char *s, size_t len, bool guess)
{
  tpl_node *n = tpl_node_new (t, TPL_SCALAR, at ? at->line : 1, at ? at->column : 1);
  char *copy = n && s ? tpl_strndup (t, s, len) : NULL;
  if (!copy)
    return NULL;
  n->u.s = copy;
  n->n = (uint32_t) len;
  n->guess = guess;
  return n;
}

tpl_node *
tpl_scalar_str (tpl *t, const tpl_node *at, const char *s, bool guess)
{
  return tpl_scalar (t, at, s, s ? strlen (s) : 0, guess);
}

tpl_node *
tpl_collection (tpl *t, tpl_kind kind, const tpl_node *at, size_t room)
{
  tpl_node *n = tpl_node_new (t, kind, at ? at->line : 1, at ? at->column : 1);
  if (!n)
    return NULL;
  n->u.item = tpl_alloc (t, (kind == TPL_MAP ? 2 : 1) * room * sizeof *n->u.item);
  return n->u.item ? n : NULL;
}

void
tpl_push (tpl_node *seq, const tpl_node *item)
{
  seq->u.item[seq->n++] = (tpl_node *) item;
  seq->guess |= item->guess;
}

void
tpl_put (tpl_node *map, const tpl_node *key, const tpl_node *value)
{
  map->u.item[2 * map->n] = (tpl_node *) key;
  map->u.item[2 * map->n + 1] = (tpl_node *) value;
  map->n++;
  map->guess |= value->guess;
}

static uint32_t
hash (const char *s, size_t n)
{
  uint64_t h = UINT64_C (1469598103934665603);
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char) s[i]) * UINT64_C (1099511628211);
  return (uint32_t) (h ^ (h >> 32));
}

static bool
key_is (const tpl_node *k, const char *s, size_t n)
{
  return k->kind == TPL_SCALAR && k->n == n && memcmp (k->u.s, s, n) == 0;
}

/* Few keys: compared with each other. Many: put into a table, which also finds the twice-given ones in linear time. */
const tpl_node *
tpl_index_make (tpl *t, tpl_node *map)
{
  const tpl_node *twice = NULL;
  if (map->n <= INDEX_FROM)
    {
      for (uint32_t i = 1; i < map->n && !twice; i++)
        for (uint32_t j = 0; j < i && !twice; j++)
          {
            const tpl_node *k = tpl_key (map, i);
            if (k->kind == TPL_SCALAR && key_is (tpl_key (map, j), k->u.s, k->n))
              twice = k;
          }
      return twice;
    }
  uint32_t cap = 32;
  while (cap < 2 * map->n)
    cap *= 2;
  tpl_index *x = tpl_alloc (t, sizeof *x + cap * sizeof x->slot[0]);
  if (!x)
    return NULL;
  x->mask = cap - 1;
  for (uint32_t i = 0; i < map->n; i++)
    {
      const tpl_node *k = tpl_key (map, i);
      if (k->kind != TPL_SCALAR)
        continue;
      uint32_t at = hash (k->u.s, k->n) & x->mask;
      for (; x->slot[at]; at = (at + 1) & x->mask)
        if (key_is (tpl_key (map, x->slot[at] - 1), k->u.s, k->n))
          break;
      if (x->slot[at])
        twice = twice ? twice : k;
      else
        x->slot[at] = i + 1;
    }
  map->index = x;
  t->out.steps += map->n;
  return twice;
}

long
tpl_find (const tpl_node *map, const char *key, size_t n)
{
  if (!tpl_is (map, TPL_MAP))
    return -1;
  if (!map->index)
    {
      for (uint32_t i = 0; i < map->n; i++)
        if (key_is (tpl_key (map, i), key, n))
          return (long) i;
      return -1;
    }
  for (uint32_t at = hash (key, n) & map->index->mask; map->index->slot[at]; at = (at + 1) & map->index->mask)
    if (key_is (tpl_key (map, map->index->slot[at] - 1), key, n))
      return (long) map->index->slot[at] - 1;
  return -1;
}

const tpl_node *
tpl_get (const tpl_node *map, const char *key)
{
  long i = tpl_find (map, key, strlen (key));
  return i < 0 ? NULL : tpl_value (map, (size_t) i);
}

const char *
tpl_text (const tpl_node *n)
{
  return tpl_is (n, TPL_SCALAR) ? n->u.s : NULL;
}

bool
tpl_is_null (const tpl_node *n)
{
  if (!tpl_is (n, TPL_SCALAR) || !n->plain)
    return false;
  return n->n == 0 || strcmp (n->u.s, "~") == 0 || strcmp (n->u.s, "null") == 0 || strcmp (n->u.s, "Null") == 0 || strcmp (n->u.s, "NULL") == 0;
}

int
tpl_bool (const tpl_node *n)
{
  static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off" };
  const char *s = tpl_text (n);
  for (size_t i = 0; s && i < LF_ARRAY_LEN (yes); i++)
    {
      if (strcasecmp (s, yes[i]) == 0)
        return 1;
      if (strcasecmp (s, no[i]) == 0)
        return 0;
    }
  return -1;
}

const char *
tpl_kind_name (const tpl_node *n)
{
  const tpl_node *arg;
  if (tpl_intrinsic (n, &arg))
    return "an intrinsic function";
  if (tpl_is_null (n))
    return "nothing";
  return tpl_is (n, TPL_SEQ) ? "a list" : tpl_is (n, TPL_MAP) ? "a map" : "a single value";
}

const char *
tpl_intrinsic (const tpl_node *n, const tpl_node **arg)
{
  if (!tpl_is (n, TPL_MAP) || n->n != 1)
    return NULL;
  const char *k = tpl_text (tpl_key (n, 0));
  if (!k || (strcmp (k, "Ref") != 0 && !lf_starts (k, "Fn::")))
    return NULL;
  *arg = tpl_value (n, 0);
  return k;
}

/* A plain scalar that JSON would write without quotes. */
static bool
bare (const tpl_node *n)
{
  if (!n->plain || n->n == 0 || n->n > 30)
    return false;
  if (strcmp (n->u.s, "true") == 0 || strcmp (n->u.s, "false") == 0 || strcmp (n->u.s, "null") == 0)
    return true;
  lf_json_problem p;
  return strchr ("-0123456789", n->u.s[0]) && lf_json_validate (n->u.s, n->n, &p) == 0;
}

int
tpl_json (const tpl_node *n, lf_buf *b)
{
  if (!n)
    return lf_buf_adds (b, "null");
  if (n->kind == TPL_SCALAR)
    return tpl_is_null (n) ? lf_buf_adds (b, "null") : bare (n) ? lf_buf_adds (b, n->u.s) : lf_buf_add_json_str (b, n->u.s, n->n);
  lf_buf_addc (b, n->kind == TPL_MAP ? '{' : '[');
  for (uint32_t i = 0; i < n->n; i++)
    {
      if (i)
        lf_buf_addc (b, ',');
      if (n->kind == TPL_MAP)
        {
          const tpl_node *k = tpl_key (n, i);
          lf_buf_add_json_str (b, k->kind == TPL_SCALAR ? k->u.s : "", k->kind == TPL_SCALAR ? k->n : 0);
          lf_buf_addc (b, ':');
        }
      if (tpl_json (n->kind == TPL_MAP ? tpl_value (n, i) : n->u.item[i], b) < 0)
        return -1;
    }
  return lf_buf_addc (b, n->kind == TPL_MAP ? '}' : ']');
}
