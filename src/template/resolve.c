/* SPDX-License-Identifier: Apache-2.0
 *
 * Resolving a tree: intrinsic functions become their values. What comes out shares with what went in wherever nothing changed.
 */
#include <string.h>

#include "inside.h"

typedef const tpl_node *(*fn) (tpl *t, const tpl_node *at, const tpl_node *arg);

const tpl_node *
tpl_unresolved (tpl *t, const tpl_node *at, const char *text)
{
  return tpl_scalar_str (t, at, text, true);
}

static const tpl_node *
fn_ref (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  /* The language extensions let an intrinsic function say which. */
  const char *name = tpl_text (arg ? (arg->kind == TPL_MAP && t->language_extensions ? tpl_resolve (t, arg) : arg) : NULL);
  if (name && *name)
    return tpl_ref (t, at, name);
  tpl_here (t, LF_TPL_ERROR, at, "Ref takes the name of a parameter or a resource, here it is %s", tpl_kind_name (arg));
  return tpl_unresolved (t, at, "unresolved");
}

static const tpl_node *
fn_get_att (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const char *s = tpl_text (arg), *dot = s ? strchr (s, '.') : NULL;
  if (dot && dot > s && dot[1])
    {
      char *id = tpl_strndup (t, s, (size_t) (dot - s));
      return id ? tpl_get_att (t, at, id, dot + 1) : NULL;
    }
  if (tpl_is (arg, TPL_SEQ) && arg->n >= 2)
    {
      const char *id = tpl_text (tpl_resolve (t, arg->u.item[0]));
      lf_buf name LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&name, 4096);
      bool ok = id != NULL;
      for (uint32_t i = 1; i < arg->n && ok; i++)
        {
          const char *part = tpl_text (tpl_resolve (t, arg->u.item[i]));
          ok = part && lf_buf_addf (&name, "%s%s", i > 1 ? "." : "", part) == 0;
        }
      if (ok)
        return tpl_get_att (t, at, id, name.data);
    }
  tpl_here (t, LF_TPL_ERROR, at, "Fn::GetAtt takes RESOURCE.ATTRIBUTE or a list of the two");
  return tpl_unresolved (t, at, "unresolved");
}

static const tpl_node *
fn_if (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  if (!tpl_is (arg, TPL_SEQ) || arg->n != 3)
    {
      tpl_here (t, LF_TPL_ERROR, at, "Fn::If takes a list of three: a condition, the value if it holds, the value if not");
      return tpl_unresolved (t, at, "unresolved");
    }
  const tpl_node *c = arg->u.item[0];
  int truth = tpl_text (c) ? tpl_condition (t, tpl_text (c), c) : tpl_truth (t, c);
  return tpl_resolve (t, arg->u.item[truth ? 1 : 2]);
}

static const tpl_node *
fn_truth (tpl *t, const tpl_node *at)
{
  tpl_node *n = tpl_scalar_str (t, at, tpl_truth (t, at) ? "true" : "false", false);
  if (n)
    n->plain = true;
  return n;
}

static const tpl_node *
fn_import (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const tpl_node *name = tpl_resolve (t, arg);
  const char *s = tpl_text (name);
  if (!s)
    {
      tpl_here (t, LF_TPL_ERROR, at, "Fn::ImportValue takes the name of an export, here it is %s", tpl_kind_name (name));
      s = "unresolved";
    }
  else
    tpl_warn_once (t, at, tpl_printf (t, "import %s", s), "the import \"%.200s\" is an output of another stack and is not resolved: its name is taken as the value", s);
  return tpl_unresolved (t, at, s);
}

static void
pass_over (tpl *t, const tpl_node *at, const char *name, const tpl_node *arg)
{
  const char *macro = tpl_text (tpl_get (arg, "Name"));
  tpl_warn_once (t, at, tpl_printf (t, "%s %d:%d", name, at->line, at->column), "%s%s%.100s is carried out by CloudFormation only: it is passed over", name,
                 macro ? " of " : "", macro ? macro : "");
}

static const struct { const char *name; fn call; } functions[] = {
  { "Ref", fn_ref }, { "Fn::GetAtt", fn_get_att }, { "Fn::Sub", tpl_fn_sub }, { "Fn::Join", tpl_fn_join }, { "Fn::Select", tpl_fn_select },
  { "Fn::Split", tpl_fn_split }, { "Fn::FindInMap", tpl_fn_find_in_map }, { "Fn::If", fn_if }, { "Fn::Base64", tpl_fn_base64 },
  { "Fn::GetAZs", tpl_fn_get_azs }, { "Fn::Cidr", tpl_fn_cidr }, { "Fn::ImportValue", fn_import }, { "Fn::Length", tpl_fn_length },
  { "Fn::ToJsonString", tpl_fn_to_json },
};

static const tpl_node *
call (tpl *t, const tpl_node *n, const char *name, const tpl_node *arg)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (functions); i++)
    if (strcmp (functions[i].name, name) == 0)
      return functions[i].call (t, n, arg);
  static const char *const truths[] = { "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals" };
  for (size_t i = 0; i < LF_ARRAY_LEN (truths); i++)
    if (strcmp (truths[i], name) == 0)
      return fn_truth (t, n);
  if (strcmp (name, "Fn::Transform") == 0)
    {
      pass_over (t, n, name, arg);
      return NULL;
    }
  static const char *const elsewhere[] = { "Fn::GetStackOutput", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll" };
  for (size_t i = 0; i < LF_ARRAY_LEN (elsewhere); i++)
    if (strcmp (elsewhere[i], name) == 0)
      {
        pass_over (t, n, name, arg);
        return tpl_unresolved (t, n, "unresolved");
      }
  tpl_here (t, LF_TPL_ERROR, n, "%.100s is no intrinsic function of CloudFormation", name);
  return tpl_unresolved (t, n, "unresolved");
}

static const tpl_node *
resolve_seq (tpl *t, const tpl_node *n)
{
  tpl_node *out = NULL;
  for (uint32_t i = 0; i < n->n; i++)
    {
      const tpl_node *item = n->u.item[i], *r = tpl_resolve (t, item);
      if (r != item && !out)
        {
          out = tpl_collection (t, TPL_SEQ, n, n->n);
          for (uint32_t j = 0; out && j < i; j++)
            tpl_push (out, n->u.item[j]);
        }
      if (t->arena.failed)
        return NULL;
      if (out && r)
        tpl_push (out, r);
    }
  return out ? out : n;
}

static const tpl_node *
resolve_map (tpl *t, const tpl_node *n)
{
  tpl_node *out = NULL;
  n = tpl_foreach (t, n);
  for (uint32_t i = 0; n && i < n->n; i++)
    {
      const tpl_node *k = tpl_key (n, i), *v = tpl_value (n, i), *r;
      const char *name = tpl_text (k);
      if (name && strcmp (name, "Fn::Transform") == 0)
        {
          pass_over (t, k, name, v);
          r = NULL;
        }
      else
        r = tpl_resolve (t, v);
      if (r != v && !out)
        {
          out = tpl_collection (t, TPL_MAP, n, n->n);
          for (uint32_t j = 0; out && j < i; j++)
            tpl_put (out, tpl_key (n, j), tpl_value (n, j));
        }
      if (t->arena.failed)
        return NULL;
      if (out && r)
        tpl_put (out, k, r);
    }
  if (out)
    tpl_index_make (t, out);
  return out ? out : n;
}

static const tpl_node *
resolve (tpl *t, const tpl_node *n)
{
  const tpl_node *arg;
  const char *name;
  if (n->kind == TPL_SCALAR)
    {
      if (n->n > 10 && strstr (n->u.s, "{{resolve:"))
        tpl_warn_once (t, n, n->u.s, "the dynamic reference %.200s is resolved by CloudFormation only: the text is taken as it stands", n->u.s);
      return n;
    }
  if (n->kind == TPL_SEQ)
    return resolve_seq (t, n);
  name = tpl_intrinsic (n, &arg);
  return name && !lf_starts (name, "Fn::ForEach::") ? call (t, n, name, arg) : resolve_map (t, n);
}

const tpl_node *
tpl_resolve (tpl *t, const tpl_node *n)
{
  if (!n || t->arena.failed || t->endless)
    return NULL;
  tpl_work (t, 1 + (n->kind == TPL_SCALAR ? n->n / 64 : 0));
  if (t->arena.failed)
    return NULL;
  if (t->calls >= TPL_CALLS_MAX)
    {
      /* Going on elsewhere could take for ever: each level may ask for the next one twice. */
      tpl_fatal (t, n->line, n->column, t->where_property, "what this refers to goes more than %d deep, or has no end", TPL_CALLS_MAX);
      t->endless = true;
      return NULL;
    }
  t->calls++;
  const tpl_node *r = resolve (t, n);
  t->calls--;
  return r;
}
