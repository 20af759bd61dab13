/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a template: tags become the long form of what they stand for, aliases share the node they name and count as often as they are
 * used, keys given twice and nesting without end are refused here.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

/* Short tags, and the key each stands for. */
static const struct { const char *tag, *key; } tags[] = {
  { "!Ref", "Ref" }, { "!Condition", "Condition" }, { "!GetAtt", "Fn::GetAtt" }, { "!Sub", "Fn::Sub" }, { "!Join", "Fn::Join" },
  { "!Select", "Fn::Select" }, { "!Split", "Fn::Split" }, { "!FindInMap", "Fn::FindInMap" }, { "!If", "Fn::If" }, { "!And", "Fn::And" },
  { "!Or", "Fn::Or" }, { "!Not", "Fn::Not" }, { "!Equals", "Fn::Equals" }, { "!Base64", "Fn::Base64" }, { "!GetAZs", "Fn::GetAZs" },
  { "!Cidr", "Fn::Cidr" }, { "!ImportValue", "Fn::ImportValue" }, { "!Transform", "Fn::Transform" }, { "!ToJsonString", "Fn::ToJsonString" },
  { "!Length", "Fn::Length" }, { "!GetStackOutput", "Fn::GetStackOutput" }, { "!Contains", "Fn::Contains" },
  { "!EachMemberEquals", "Fn::EachMemberEquals" }, { "!EachMemberIn", "Fn::EachMemberIn" }, { "!RefAll", "Fn::RefAll" },
  { "!ValueOf", "Fn::ValueOf" }, { "!ValueOfAll", "Fn::ValueOfAll" },
};

#define YAML_TAG "tag:yaml.org,2002:"

static int
stop (tpl_builder *b)
{
  b->stop = true;
  return -1;
}

static int
push (tpl_builder *b, tpl_node *node)
{
  if (b->n == b->cap)
    {
      size_t cap = b->cap ? 2 * b->cap : 256;
      tpl_node **v = realloc (b->v, cap * sizeof *v);
      if (!v)
        {
          b->t->oom = true;
          return stop (b);
        }
      b->v = v;
      b->cap = cap;
    }
  b->v[b->n++] = node;
  return 0;
}

static int
count (tpl_builder *b, const tpl_node *node)
{
  if (!node)
    return stop (b);
  if (++b->t->nodes <= TPL_NODES_MAX)
    return 0;
  tpl_fatal (b->t, node->line, node->column, NULL, "the template has more than %d values", TPL_NODES_MAX);
  return stop (b);
}

/* ---- anchors ---------------------------------------------------------------------------------------------------------------------- */

static uint64_t
hash (const char *s)
{
  uint64_t h = UINT64_C (1469598103934665603);
  for (; *s; s++)
    h = (h ^ (unsigned char) *s) * UINT64_C (1099511628211);
  return h ^ (h >> 29);
}

static tpl_anchor *
anchor_slot (tpl_anchor *v, size_t cap, const char *name)
{
  size_t i = hash (name) & (cap - 1);
  while (v[i].name && strcmp (v[i].name, name) != 0)
    i = (i + 1) & (cap - 1);
  return &v[i];
}

static int
anchor_set (tpl_builder *b, const char *name, tpl_node *node)
{
  if (2 * (b->anchors_n + 1) > b->anchors_cap)
    {
      size_t cap = b->anchors_cap ? 2 * b->anchors_cap : 32;
      tpl_anchor *v = calloc (cap, sizeof *v);
      if (!v)
        {
          b->t->oom = true;
          return stop (b);
        }
      for (size_t i = 0; i < b->anchors_cap; i++)
        if (b->anchors[i].name)
          *anchor_slot (v, cap, b->anchors[i].name) = b->anchors[i];
      free (b->anchors);
      b->anchors = v;
      b->anchors_cap = cap;
    }
  tpl_anchor *a = anchor_slot (b->anchors, b->anchors_cap, name);
  b->anchors_n += a->name == NULL;
  *a = (tpl_anchor){ name, node };
  return 0;
}

/* ---- tags ------------------------------------------------------------------------------------------------------------------------- */

static const char *
tag_key (const char *tag)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (tags); i++)
    if (strcmp (tags[i].tag, tag) == 0)
      return tags[i].key;
  return NULL;
}

/* {KEY: node} for a short tag. */
static tpl_node *
with_tag (tpl_builder *b, tpl_node *node, const char *tag)
{
  tpl *t = b->t;
  if (!tag || strcmp (tag, "!") == 0 || lf_starts (tag, YAML_TAG))
    {
      if (tag && node->kind == TPL_SCALAR)
        node->plain = strcmp (tag, "!") != 0 && strcmp (tag, YAML_TAG "str") != 0 && node->plain;
      return node;
    }
  const char *key = tag_key (tag);
  if (!key)
    {
      tpl_fatal (t, node->line, node->column, NULL, "the tag %.100s is unknown: CloudFormation has !Ref, !Sub, !GetAtt, !Join and the other short forms of its "
                 "functions", tag);
      return NULL;
    }
  tpl_node *map = tpl_collection (t, TPL_MAP, node, 1), *name = tpl_scalar_str (t, node, key, false);
  if (!map || !name)
    return NULL;
  tpl_put (map, name, node);
  map->weight = node->weight + 2;
  map->alias = node->alias;
  return map;
}

/* A node is whole: its tag is applied, its anchor set, and it becomes a child of what is open. */
static int
finish (tpl_builder *b, tpl_node *node, const char *tag, const char *anchor)
{
  if (count (b, node) < 0)
    return -1;
  node = with_tag (b, node, tag);
  if (!node || (anchor && anchor_set (b, anchor, node) < 0))
    return stop (b);
  return push (b, node);
}

/* ---- merge keys ------------------------------------------------------------------------------------------------------------------- */

static bool
is_merge (const tpl_node *key, const tpl_node *value)
{
  return key->kind == TPL_SCALAR && key->plain && strcmp (key->u.s, "<<") == 0 && (value->kind == TPL_MAP || value->kind == TPL_SEQ);
}

/* The pairs of `from` that the map has not got yet. */
static void
merge_pairs (tpl_node *map, const tpl_node *from)
{
  for (uint32_t i = 0; tpl_is (from, TPL_MAP) && i < from->n; i++)
    {
      const tpl_node *k = tpl_key (from, i);
      bool have = false;
      for (uint32_t j = 0; j < map->n && !have; j++)
        have = k->kind == TPL_SCALAR && tpl_key (map, j)->kind == TPL_SCALAR && strcmp (tpl_key (map, j)->u.s, k->u.s) == 0;
      if (!have)
        tpl_put (map, k, tpl_value (from, i));
    }
}

#define MERGE_MAX 256 /* pairs that a map with merge keys may have */

/* "<<: *defaults" takes the pairs of a map, or of several; what the map says itself counts. */
static tpl_node *
expand_merges (tpl_builder *b, tpl_node *map)
{
  size_t room = map->n;
  bool any = false;
  for (uint32_t i = 0; i < map->n; i++)
    if (is_merge (tpl_key (map, i), tpl_value (map, i)))
      {
        const tpl_node *v = tpl_value (map, i);
        any = true;
        room += v->kind == TPL_MAP ? v->n : 0;
        for (uint32_t j = 0; v->kind == TPL_SEQ && j < v->n; j++)
          room += v->u.item[j]->kind == TPL_MAP ? v->u.item[j]->n : 0;
      }
  if (!any)
    return map;
  if (room > MERGE_MAX)
    {
      tpl_fatal (b->t, map->line, map->column, "<<", "a map with a merge key may have %d keys at most", MERGE_MAX);
      return NULL;
    }
  tpl_node *out = tpl_collection (b->t, TPL_MAP, map, room);
  for (uint32_t i = 0; out && i < map->n; i++)
    if (!is_merge (tpl_key (map, i), tpl_value (map, i)))
      tpl_put (out, tpl_key (map, i), tpl_value (map, i));
  for (uint32_t i = 0; out && i < map->n; i++)
    if (is_merge (tpl_key (map, i), tpl_value (map, i)))
      {
        const tpl_node *v = tpl_value (map, i);
        if (v->kind == TPL_MAP)
          merge_pairs (out, v);
        for (uint32_t j = 0; v->kind == TPL_SEQ && j < v->n; j++)
          merge_pairs (out, v->u.item[j]);
      }
  b->t->nodes += (uint32_t) room;
  return out;
}

/* ---- events ----------------------------------------------------------------------------------------------------------------------- */

int
tpl_build_open (tpl_builder *b, tpl_kind kind, int line, int column, const char *tag, const char *anchor)
{
  if (b->depth == TPL_DEPTH_MAX)
    {
      tpl_fatal (b->t, line, column, NULL, "nested deeper than %d levels", TPL_DEPTH_MAX);
      return stop (b);
    }
  if (anchor && anchor_set (b, anchor, NULL) < 0)
    return -1;
  b->frames[b->depth++] = (tpl_frame){ kind, b->n, line, column, tag, anchor };
  return 0;
}

static int
check_keys (tpl_builder *b, tpl_node *map)
{
  for (uint32_t i = 0; i < map->n; i++)
    if (tpl_key (map, i)->kind != TPL_SCALAR)
      {
        const tpl_node *k = tpl_key (map, i);
        tpl_fatal (b->t, k->line, k->column, NULL, "a key must be text, here it is %s", tpl_kind_name (k));
        return stop (b);
      }
  const tpl_node *twice = tpl_index_make (b->t, map);
  if (!twice)
    return b->t->arena.failed ? stop (b) : 0;
  tpl_fatal (b->t, twice->line, twice->column, twice->u.s, "the key \"%.100s\" is here twice in one map", twice->u.s);
  return stop (b);
}

int
tpl_build_close (tpl_builder *b)
{
  tpl_frame *f = &b->frames[--b->depth];
  size_t n = b->n - f->start, pairs = f->kind == TPL_MAP ? n / 2 : n;
  tpl_node at = { .line = f->line, .column = f->column };
  tpl_node *node = tpl_collection (b->t, f->kind, &at, pairs);
  if (!node)
    return stop (b);
  uint64_t weight = 1;
  for (size_t i = 0; i < n; i++)
    {
      tpl_node *c = b->v[f->start + i];
      node->u.item[i] = c;
      weight += c->weight;
      node->alias |= c->alias;
    }
  node->n = (uint32_t) pairs;
  b->n = f->start;
  if (weight > TPL_NODES_MAX)
    {
      tpl_fatal (b->t, f->line, f->column, NULL, "aliases expand this to more than %d values", TPL_NODES_MAX);
      return stop (b);
    }
  node->weight = (uint32_t) weight;
  if (f->kind == TPL_MAP && !(node = expand_merges (b, node)))
    return stop (b);
  node->weight = (uint32_t) weight;
  if (f->kind == TPL_MAP && check_keys (b, node) < 0)
    return -1;
  return finish (b, node, f->tag, f->anchor);
}

int
tpl_build_scalar (tpl_builder *b, const char *s, size_t n, bool plain, int line, int column, const char *tag, const char *anchor)
{
  tpl_node at = { .line = line, .column = column };
  if (n && memchr (s, 0, n))
    {
      tpl_fatal (b->t, line, column, NULL, "a text with a NUL character");
      return stop (b);
    }
  tpl_node *node = tpl_scalar (b->t, &at, s ? s : "", s ? n : 0, false);
  if (!node)
    return stop (b);
  node->plain = plain;
  return finish (b, node, tag, anchor);
}

int
tpl_build_alias (tpl_builder *b, const char *name, int line, int column)
{
  const tpl_anchor *a = b->anchors_cap ? anchor_slot (b->anchors, b->anchors_cap, name) : NULL;
  if (!a || !a->name)
    tpl_fatal (b->t, line, column, NULL, "the alias *%.100s names no anchor before it", name);
  else if (!a->node)
    tpl_fatal (b->t, line, column, NULL, "the alias *%.100s stands inside what it names: this would have no end", name);
  else
    {
      a->node->alias = true;
      b->t->out.steps++;
      return push (b, a->node);
    }
  return stop (b);
}

tpl_node *
tpl_build_root (tpl_builder *b)
{
  return b->stop || b->n != 1 || b->depth ? NULL : b->v[0];
}

void
tpl_build_fini (tpl_builder *b)
{
  free (b->v);
  free (b->anchors);
}
