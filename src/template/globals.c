/* SPDX-License-Identifier: Apache-2.0
 *
 * Globals of SAM: maps are merged by key, lists are set one after the other (those of Globals first), anything else is overridden by what
 * the resource says. An intrinsic function counts as a single value.
 */
#include <string.h>

#include "inside.h"

static const struct { const char *type, *section; } sections[] = {
  { "AWS::Serverless::Function", "Function" }, { "AWS::Serverless::Api", "Api" }, { "AWS::Serverless::HttpApi", "HttpApi" },
  { "AWS::Serverless::SimpleTable", "SimpleTable" }, { "AWS::Serverless::StateMachine", "StateMachine" },
  { "AWS::Serverless::LayerVersion", "LayerVersion" }, { "AWS::Serverless::CapacityProvider", "CapacityProvider" },
  { "AWS::Serverless::WebSocketApi", "WebSocketApi" },
};

static const tpl_node *merge (tpl *t, const tpl_node *global, const tpl_node *own);

static bool
is_map (const tpl_node *n)
{
  const tpl_node *arg;
  return tpl_is (n, TPL_MAP) && !tpl_intrinsic (n, &arg);
}

static const tpl_node *
merge_maps (tpl *t, const tpl_node *global, const tpl_node *own)
{
  tpl_node *out = tpl_collection (t, TPL_MAP, own, (size_t) global->n + own->n);
  for (uint32_t i = 0; out && i < global->n; i++)
    {
      const tpl_node *k = tpl_key (global, i);
      long at = tpl_find (own, k->u.s, k->n);
      const tpl_node *v = at < 0 ? tpl_value (global, i) : merge (t, tpl_value (global, i), tpl_value (own, (size_t) at));
      if (!v)
        return NULL;
      tpl_put (out, at < 0 ? k : tpl_key (own, (size_t) at), v);
    }
  for (uint32_t i = 0; out && i < own->n; i++)
    if (tpl_find (global, tpl_key (own, i)->u.s, tpl_key (own, i)->n) < 0)
      tpl_put (out, tpl_key (own, i), tpl_value (own, i));
  if (out)
    tpl_index_make (t, out);
  tpl_work (t, (uint64_t) global->n + own->n);
  return out;
}

static const tpl_node *
merge (tpl *t, const tpl_node *global, const tpl_node *own)
{
  if (is_map (global) && is_map (own))
    return merge_maps (t, global, own);
  if (!tpl_is (global, TPL_SEQ) || !tpl_is (own, TPL_SEQ))
    return own;
  tpl_node *out = tpl_collection (t, TPL_SEQ, own, (size_t) global->n + own->n);
  for (uint32_t i = 0; out && i < global->n; i++)
    tpl_push (out, global->u.item[i]);
  for (uint32_t i = 0; out && i < own->n; i++)
    tpl_push (out, own->u.item[i]);
  tpl_work (t, (uint64_t) global->n + own->n);
  return out;
}

/* "IgnoreGlobals: '*'" or a list of properties. */
static const tpl_node *
without (tpl *t, const tpl_node *global, const tpl_node *ignore)
{
  if (!ignore)
    return global;
  if (tpl_text (ignore))
    return strcmp (tpl_text (ignore), "*") == 0 ? NULL : global;
  if (!tpl_is (ignore, TPL_SEQ))
    return global;
  tpl_node *out = tpl_collection (t, TPL_MAP, global, global->n);
  for (uint32_t i = 0; out && i < global->n; i++)
    {
      bool drop = false;
      for (uint32_t j = 0; j < ignore->n && !drop; j++)
        drop = lf_streq (tpl_text (ignore->u.item[j]), tpl_key (global, i)->u.s);
      if (!drop)
        tpl_put (out, tpl_key (global, i), tpl_value (global, i));
    }
  if (out)
    tpl_index_make (t, out);
  tpl_work (t, (uint64_t) global->n * (ignore->n + 1));
  return out;
}

const tpl_node *
tpl_globals_merge (tpl *t, const tpl_resource *r)
{
  const tpl_node *own = tpl_get (r->body, "Properties"), *global = NULL;
  for (size_t i = 0; i < LF_ARRAY_LEN (sections); i++)
    if (strcmp (sections[i].type, r->type) == 0)
      global = tpl_get (t->globals, sections[i].section);
  if (tpl_is (global, TPL_MAP))
    global = without (t, global, tpl_get (r->body, "IgnoreGlobals"));
  if (!tpl_is (global, TPL_MAP) || global->n == 0)
    return own;
  return is_map (own) ? merge_maps (t, global, own) : own && !tpl_is_null (own) ? own : global;
}
