/* SPDX-License-Identifier: Apache-2.0
 *
 * Fn::ForEach of AWS::LanguageExtensions: a key "Fn::ForEach::NAME" of a map, with a list of an identifier, a collection and a map, stands for
 * that map once for each text of the collection. In keys and values ${Identifier} becomes the text, &{Identifier} the text without what is no
 * letter or digit, and a Ref of the identifier is the text itself.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define PREFIX "Fn::ForEach::"
#define LOOPS_MAX 5 /* one inside the other, as CloudFormation has it */

typedef struct pairs { const tpl_node **v; size_t n, cap; } pairs; /* key, value, key, value... */
typedef struct loop { const char *id, *text, *plain; size_t id_n; } loop;

static bool
is_loop (const tpl_node *key)
{
  const char *s = tpl_text (key);
  return s && lf_starts (s, PREFIX);
}

/* ---- a copy with the identifier's text in it ---------------------------------------------------------------------------------------- */

/* "${Id}" or "&{Id}" at s. */
static bool
names (const loop *l, const char *s, char mark)
{
  return s[0] == mark && s[1] == '{' && strncmp (s + 2, l->id, l->id_n) == 0 && s[2 + l->id_n] == '}';
}

static const tpl_node *
fill_scalar (tpl *t, const tpl_node *n, const loop *l)
{
  const char *s = n->u.s;
  bool any = false;
  for (const char *p = s; !any && (p = strpbrk (p, "$&")); p++)
    any = names (l, p, *p);
  tpl_work (t, 1 + n->n / 64);
  if (!any)
    return n;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, TPL_ARENA_MAX / 8);
  while (*s)
    {
      bool hit = names (l, s, '$') || names (l, s, '&');
      if (hit)
        lf_buf_adds (&b, *s == '$' ? l->text : l->plain);
      else
        lf_buf_addc (&b, *s);
      s += hit ? l->id_n + 3 : 1;
    }
  if (b.failed)
    {
      t->arena.failed = t->arena.over = true;
      return NULL;
    }
  tpl_work (t, b.len / 64);
  tpl_node *out = tpl_scalar (t, n, b.data, b.len, n->guess);
  if (out)
    out->plain = n->plain;
  return out;
}

static const tpl_node *fill (tpl *t, const tpl_node *n, const loop *l);

/* Shares what has no identifier in it. */
static const tpl_node *
fill_collection (tpl *t, const tpl_node *n, const loop *l)
{
  uint32_t items = n->kind == TPL_MAP ? 2 * n->n : n->n;
  tpl_node *out = NULL;
  for (uint32_t i = 0; i < items; i++)
    {
      const tpl_node *item = n->u.item[i], *filled = fill (t, item, l);
      if (!filled)
        return NULL;
      if (filled != item && !out)
        {
          if (!(out = tpl_collection (t, n->kind, n, n->n)))
            return NULL;
          memcpy (out->u.item, n->u.item, items * sizeof out->u.item[0]);
          out->n = n->n;
          out->guess = n->guess;
          out->weight = n->weight;
        }
      if (out)
        out->u.item[i] = (tpl_node *) filled;
    }
  if (out && out->kind == TPL_MAP)
    {
      const tpl_node *twice = tpl_index_make (t, out);
      if (twice)
        tpl_here (t, LF_TPL_ERROR, twice, "Fn::ForEach makes the key \"%.100s\" twice in one map", twice->u.s);
    }
  return out ? out : n;
}

static const tpl_node *
fill (tpl *t, const tpl_node *n, const loop *l)
{
  const tpl_node *arg;
  const char *name;
  tpl_work (t, 1);
  if (t->arena.failed)
    return NULL;
  if (n->kind == TPL_SCALAR)
    return fill_scalar (t, n, l);
  name = tpl_intrinsic (n, &arg);
  if (name && strcmp (name, "Ref") == 0 && lf_streq (tpl_text (arg), l->id))
    return tpl_scalar_str (t, n, l->text, false);
  return fill_collection (t, n, l);
}

/* ---- loops ---------------------------------------------------------------------------------------------------------------------------- */

static void
add (tpl *t, pairs *out, const tpl_node *key, const tpl_node *value)
{
  if (out->n + 2 > out->cap)
    {
      size_t cap = out->cap ? 2 * out->cap : 32;
      const tpl_node **v = realloc (out->v, cap * sizeof *v);
      if (!v)
        {
          t->oom = true;
          return;
        }
      out->v = v;
      out->cap = cap;
    }
  out->v[out->n++] = key;
  out->v[out->n++] = value;
}

/* The collection's texts as a list, or NULL with a problem. */
static const tpl_node *
collection (tpl *t, const tpl_node *key, const tpl_node *n)
{
  const tpl_node *list = tpl_resolve (t, n);
  if (!list)
    return NULL;
  if (list->kind != TPL_SEQ && list->guess)
    {
      tpl_warn_once (t, key, key->u.s, "the collection of %.100s is known only to a deployment: it is taken as empty", key->u.s);
      return NULL;
    }
  for (uint32_t i = 0; list->kind == TPL_SEQ && i < list->n; i++)
    if (!tpl_text (list->u.item[i]))
      {
        tpl_here (t, LF_TPL_ERROR, list->u.item[i], "the collection of %.100s is a list of texts, here is %s", key->u.s, tpl_kind_name (list->u.item[i]));
        return NULL;
      }
  if (list->kind == TPL_SEQ)
    return list;
  tpl_here (t, LF_TPL_ERROR, n, "the collection of %.100s is a list of texts, here it is %s", key->u.s, tpl_kind_name (list));
  return NULL;
}

static const char *
letters_and_digits (tpl *t, const char *s)
{
  char *out = tpl_strdup (t, s), *to = out;
  for (; out && *s; s++)
    if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9'))
      *to++ = *s;
  if (to)
    *to = 0;
  return out ? out : "";
}

static void expand_pair (tpl *t, pairs *out, const tpl_node *key, const tpl_node *value, int depth);

static void
expand_loop (tpl *t, pairs *out, const tpl_node *key, const tpl_node *arg, int depth)
{
  const char *id = tpl_is (arg, TPL_SEQ) && arg->n == 3 ? tpl_text (arg->u.item[0]) : NULL;
  const tpl_node *body = id ? arg->u.item[2] : NULL;
  if (!id || !*id || !tpl_is (body, TPL_MAP))
    {
      tpl_here (t, LF_TPL_ERROR, key, "%.100s takes a list of three: an identifier, a collection, and a map that is made for each of it", key->u.s);
      return;
    }
  if (depth == LOOPS_MAX)
    {
      tpl_here (t, LF_TPL_ERROR, key, "%.100s: loops may stand %d deep in each other", key->u.s, LOOPS_MAX);
      return;
    }
  const tpl_node *list = collection (t, key, arg->u.item[1]);
  for (uint32_t i = 0; list && i < list->n; i++)
    {
      const char *text = tpl_text (list->u.item[i]);
      loop l = { id, text, letters_and_digits (t, text), strlen (id) };
      for (uint32_t k = 0; k < body->n && !t->arena.failed && !t->oom; k++)
        {
          const tpl_node *own_key = fill (t, tpl_key (body, k), &l), *value = fill (t, tpl_value (body, k), &l);
          if (own_key && value)
            expand_pair (t, out, own_key, value, depth + 1);
        }
    }
}

static void
expand_pair (tpl *t, pairs *out, const tpl_node *key, const tpl_node *value, int depth)
{
  if (is_loop (key))
    expand_loop (t, out, key, value, depth);
  else
    add (t, out, key, value);
}

/* A deployment refuses loops without the transform that carries them out; here they are carried out all the same. */
static void
want_transform (tpl *t, const tpl_node *key)
{
  if (t->language_extensions || !tpl_set_add (t, "foreach without its transform"))
    return;
  bool before = t->deploy_only;
  t->deploy_only = true;
  tpl_here (t, LF_TPL_ERROR, key, "Fn::ForEach needs \"Transform: AWS::LanguageExtensions\" (before the one of SAM, in a list)");
  t->deploy_only = before;
}

const tpl_node *
tpl_foreach (tpl *t, const tpl_node *map)
{
  const tpl_node *first = NULL;
  pairs out = { NULL, 0, 0 };
  for (uint32_t i = 0; tpl_is (map, TPL_MAP) && i < map->n && !first; i++)
    first = is_loop (tpl_key (map, i)) ? tpl_key (map, i) : NULL;
  if (!first)
    return map;
  want_transform (t, first);
  for (uint32_t i = 0; i < map->n && !t->arena.failed && !t->oom; i++)
    expand_pair (t, &out, tpl_key (map, i), tpl_value (map, i), 0);
  tpl_node *m = t->arena.failed || t->oom ? NULL : tpl_collection (t, TPL_MAP, map, out.n / 2);
  for (size_t i = 0; m && i < out.n; i += 2)
    tpl_put (m, out.v[i], out.v[i + 1]);
  free (out.v);
  const tpl_node *twice = m ? tpl_index_make (t, m) : NULL;
  if (twice)
    tpl_here (t, LF_TPL_ERROR, twice, "Fn::ForEach makes the key \"%.100s\" twice in one map", twice->u.s);
  return m;
}
