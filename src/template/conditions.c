/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions. Each is decided once.
 */
#include <string.h>

#include "inside.h"

void
tpl_conditions (tpl *t)
{
  t->where_property = "Conditions";
  const tpl_node *m = t->conds_map = tpl_foreach (t, t->conds_map);
  size_t n = m ? m->n : 0;
  t->conds = tpl_alloc (t, n * sizeof *t->conds);
  if (!t->conds)
    return;
  t->conds_n = n;
  for (size_t i = 0; i < n; i++)
    t->conds[i] = (tpl_cond){ tpl_key (m, i), tpl_value (m, i), TPL_COND_NEW };
}

int
tpl_condition (tpl *t, const char *name, const tpl_node *at)
{
  long i = tpl_find (t->conds_map, name, strlen (name));
  if (i < 0 || !t->conds)
    {
      tpl_here (t, LF_TPL_ERROR, at, "there is no condition \"%.100s\" in this template", name);
      return 1;
    }
  tpl_cond *c = &t->conds[i];
  if (c->state == TPL_COND_BUSY)
    {
      tpl_here (t, LF_TPL_ERROR, c->key, "the condition %.100s refers to itself", name);
      c->state = TPL_COND_TRUE;
    }
  if (c->state == TPL_COND_NEW)
    {
      c->state = TPL_COND_BUSY;
      const char *id = t->where_id, *property = t->where_property;
      t->where_id = NULL;
      t->where_property = tpl_printf (t, "Conditions.%s", name);
      int truth = tpl_truth (t, c->body);
      c->state = truth ? TPL_COND_TRUE : TPL_COND_FALSE;
      t->where_id = id;
      t->where_property = property;
    }
  return c->state == TPL_COND_TRUE;
}

static bool
same (tpl *t, const tpl_node *a, const tpl_node *b)
{
  if (tpl_is (a, TPL_SCALAR) && tpl_is (b, TPL_SCALAR))
    {
      /* A plain yes or True is the text "true". */
      int x = a->plain ? tpl_bool (a) : -1, y = b->plain ? tpl_bool (b) : -1;
      tpl_work (t, (a->n + b->n) / 64);
      const char *s = x >= 0 ? (x ? "true" : "false") : a->u.s, *r = y >= 0 ? (y ? "true" : "false") : b->u.s;
      return strcmp (s, r) == 0;
    }
  lf_buf p LF_CLEANUP (lf_buf_fini), q LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&p, TPL_ARENA_MAX / 8);
  lf_buf_init (&q, TPL_ARENA_MAX / 8);
  if (tpl_json (a, &p) < 0 || tpl_json (b, &q) < 0)
    {
      t->oom = true;
      return false;
    }
  tpl_work (t, (p.len + q.len) / 64);
  return p.len == q.len && memcmp (p.data, q.data, p.len) == 0;
}

static bool
counted (tpl *t, const tpl_node *at, const tpl_node *arg, const char *name, uint32_t min, uint32_t max)
{
  if (tpl_is (arg, TPL_SEQ) && arg->n >= min && arg->n <= max)
    return true;
  if (min == max)
    tpl_here (t, LF_TPL_ERROR, at, "%s takes a list of %u, here it is %s%s", name, min, tpl_kind_name (arg), tpl_is (arg, TPL_SEQ) ? " of another length" : "");
  else
    tpl_here (t, LF_TPL_ERROR, at, "%s takes a list of %u to %u conditions", name, min, max);
  return false;
}

static int
truth (tpl *t, const tpl_node *n)
{
  const tpl_node *arg, *named = tpl_is (n, TPL_MAP) && n->n == 1 ? tpl_get (n, "Condition") : NULL;
  const char *name = tpl_intrinsic (n, &arg);
  if (named)
    return tpl_text (named) ? tpl_condition (t, tpl_text (named), named) : (tpl_here (t, LF_TPL_ERROR, n, "Condition takes a condition's name"), 1);
  if (!name)
    {
      int b = tpl_bool (n);
      if (b < 0)
        tpl_here (t, LF_TPL_ERROR, n, "a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition, here it is %s", tpl_kind_name (n));
      return b != 0;
    }
  if (strcmp (name, "Fn::Not") == 0)
    return counted (t, n, arg, name, 1, 1) ? !tpl_truth (t, arg->u.item[0]) : 1;
  if (strcmp (name, "Fn::Equals") == 0)
    return counted (t, n, arg, name, 2, 2) ? same (t, tpl_resolve (t, arg->u.item[0]), tpl_resolve (t, arg->u.item[1])) : 1;
  bool and = strcmp (name, "Fn::And") == 0;
  if (and || strcmp (name, "Fn::Or") == 0)
    {
      if (!counted (t, n, arg, name, 2, 10))
        return 1;
      bool result = and;
      for (uint32_t i = 0; i < arg->n; i++) /* all of them, so that an error in any is seen */
        {
          bool one = tpl_truth (t, arg->u.item[i]);
          result = and ? result && one : result || one;
        }
      return result;
    }
  const tpl_node *value = tpl_resolve (t, n);
  int b = tpl_bool (value);
  if (b < 0 && !(value && value->guess))
    tpl_here (t, LF_TPL_ERROR, n, "%s gives no truth value", name);
  return b != 0;
}

int
tpl_truth (tpl *t, const tpl_node *n)
{
  tpl_work (t, 1);
  if (!n || t->arena.failed || t->endless)
    return 1;
  if (t->calls >= TPL_CALLS_MAX)
    {
      tpl_fatal (t, n->line, n->column, t->where_property, "conditions refer to each other more than %d deep", TPL_CALLS_MAX);
      t->endless = true;
      return 1;
    }
  t->calls++;
  int r = truth (t, n);
  t->calls--;
  return r;
}
