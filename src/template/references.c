/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that lead nowhere, in all of a template: a deployment refuses it for each, also where no function reads them (the policy of a role, an
 * event's queue, an output). What functions are made of was resolved before; the same finding is not said again.
 */
#include <string.h>

#include "validate.h"

#define MISSING "%s names %.100s, which is neither a resource nor a parameter of this template"

static void
say (tpl *t, const tpl_node *at, const char *message)
{
  bool full = t->problems_n == TPL_PROBLEMS_MAX && t->warnings_n == 0; /* only counted any more */
  for (size_t i = 0; i < t->problems_n && !full; i++)
    if (t->problems[i].line == at->line && t->problems[i].column == at->column && lf_streq (t->problems[i].message, message))
      return;
  tpl_deploy (t, LF_TPL_ERROR, at, t->where_id, t->where_property, "%s", message);
}

static bool
is_resource (tpl *t, const char *name, size_t n)
{
  if (tpl_find (t->resources_map, name, n) >= 0)
    return true;
  const char *id = tpl_strndup (t, name, n);
  return !id || tpl_may_be_added (t, id);
}

/* Only the part before a dot is looked up: Function.Version, and what a nested stack puts out. */
static void
look_up (tpl *t, const tpl_node *at, const char *how, const char *name, size_t n, bool parameters)
{
  size_t head = 0;
  while (head < n && name[head] != '.')
    head++;
  tpl_work (t, 1 + n);
  if (n == 0 || (n > 5 && memcmp (name, "AWS::", 5) == 0) || (parameters && tpl_find (t->params_map, name, n) >= 0) || is_resource (t, name, head))
    return;
  char text[300];
  const char *id = tpl_strndup (t, name, head);
  snprintf (text, sizeof text, MISSING, how, id ? id : "");
  say (t, at, text);
}

static void
look_up_condition (tpl *t, const tpl_node *name)
{
  const char *s = tpl_text (name);
  if (!s || tpl_find (t->conds_map, s, strlen (s)) >= 0)
    return;
  char text[200];
  snprintf (text, sizeof text, "there is no condition \"%.100s\" in this template", s);
  say (t, name, text);
}

static void
walk_sub (tpl *t, const tpl_node *node, const tpl_node *arg)
{
  const tpl_node *names = tpl_is (arg, TPL_SEQ) && arg->n == 2 ? arg->u.item[1] : NULL;
  const char *at = tpl_text (tpl_is (arg, TPL_SEQ) && arg->n ? arg->u.item[0] : arg), *open, *name;
  for (size_t n; at && tpl_sub_next (&at, &open, &name, &n);)
    if (tpl_sub_name_valid (name, n) && tpl_find (names, name, n) < 0)
      look_up (t, node, memchr (name, '.', n) ? "Fn::GetAtt" : "Ref", name, n, true);
}

static void
walk_intrinsic (tpl *t, const tpl_node *n, const char *name, const tpl_node *arg)
{
  const tpl_node *first = tpl_is (arg, TPL_SEQ) && arg->n ? arg->u.item[0] : arg;
  const char *s = tpl_text (first);
  if (strcmp (name, "Fn::Sub") == 0)
    walk_sub (t, n, arg);
  else if (strcmp (name, "Ref") == 0 && first == arg && s)
    look_up (t, n, "Ref", s, strlen (s), true);
  else if (strcmp (name, "Fn::GetAtt") == 0 && s)
    look_up (t, n, "Fn::GetAtt", s, strlen (s), false);
  else if (strcmp (name, "Fn::If") == 0)
    look_up_condition (t, first);
}

/* `conditions`: in the section of that name, where {Condition: NAME} is one; elsewhere the word belongs to policies and definitions. */
static void
walk (tpl *t, const tpl_node *n, bool conditions)
{
  const tpl_node *arg;
  tpl_work (t, 1);
  if (!n || n->kind == TPL_SCALAR || t->arena.failed)
    return;
  const char *name = tpl_intrinsic (n, &arg);
  if (name)
    walk_intrinsic (t, n, name, arg);
  if (conditions && n->kind == TPL_MAP && n->n == 1 && tpl_get (n, "Condition"))
    look_up_condition (t, tpl_get (n, "Condition"));
  for (uint32_t i = 0; i < n->n; i++)
    if (n->kind == TPL_SEQ)
      walk (t, n->u.item[i], conditions);
    else if (!lf_starts (tpl_key (n, i)->u.s, "Fn::ForEach::") && strcmp (tpl_key (n, i)->u.s, "Fn::Transform") != 0)
      walk (t, tpl_value (n, i), conditions); /* a loop's body has names of its own, and the arguments of a macro may */
}

/* Each member under its own name, so that a finding says where it is. */
static void
walk_members (tpl *t, const tpl_node *map, const char *prefix, bool conditions)
{
  for (uint32_t i = 0; tpl_is (map, TPL_MAP) && i < map->n; i++)
    if (!lf_starts (tpl_key (map, i)->u.s, "Fn::"))
      {
        t->where_property = tpl_printf (t, "%s%s", prefix, tpl_key (map, i)->u.s);
        walk (t, tpl_value (map, i), conditions);
      }
}

static void
check_depends (tpl *t, const tpl_node *n)
{
  t->where_property = "DependsOn";
  for (uint32_t i = 0; n && i < (n->kind == TPL_SEQ ? n->n : 1); i++)
    {
      const tpl_node *one = n->kind == TPL_SEQ ? n->u.item[i] : n;
      if (tpl_text (one))
        look_up (t, one, "DependsOn", one->u.s, one->n, false);
    }
}

/* What others make of the template may have any name. */
static bool
made_elsewhere (const tpl *t)
{
  if (t->macros || tpl_get (t->root, "Fn::Transform"))
    return true;
  for (size_t i = 0; i < t->resources_n; i++)
    if (lf_starts (t->resources[i].id, "Fn::") || lf_ends (t->resources[i].type, "::MODULE") || !*t->resources[i].type)
      return true;
  return false;
}

static void
check_outputs (tpl *t)
{
  const tpl_node *outputs = tpl_get (t->root, "Outputs");
  walk_members (t, outputs, "Outputs.", false);
  for (uint32_t i = 0; tpl_is (outputs, TPL_MAP) && i < outputs->n; i++)
    if (!lf_starts (tpl_key (outputs, i)->u.s, "Fn::"))
      {
        t->where_property = tpl_printf (t, "Outputs.%s.Condition", tpl_key (outputs, i)->u.s);
        look_up_condition (t, tpl_get (tpl_value (outputs, i), "Condition"));
      }
}

void
tpl_check_references (tpl *t)
{
  if (made_elsewhere (t))
    return;
  t->where_id = NULL;
  walk_members (t, t->conds_map, "Conditions.", true);
  walk_members (t, tpl_get (t->globals, "Function"), "Globals.Function.", false);
  check_outputs (t);
  for (size_t i = 0; i < t->resources_n; i++)
    {
      const tpl_node *body = t->resources[i].body, *arg, *props = tpl_get (body, "Properties");
      t->where_id = t->resources[i].id;
      check_depends (t, tpl_get (body, "DependsOn"));
      if (!tpl_intrinsic (props, &arg))
        walk_members (t, props, "", false);
    }
  t->where_id = t->where_property = NULL;
}
