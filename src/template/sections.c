/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands at the top of a template, and its resources.
 */
#include <string.h>

#include "inside.h"

#define SAM "AWS::Serverless-2016-10-31"

bool
tpl_type_is_function (const char *type)
{
  return strcmp (type, "AWS::Serverless::Function") == 0 || strcmp (type, "AWS::Lambda::Function") == 0;
}

bool
tpl_type_is_layer (const char *type)
{
  return strcmp (type, "AWS::Serverless::LayerVersion") == 0 || strcmp (type, "AWS::Lambda::LayerVersion") == 0;
}

bool
tpl_serverless_type (const char *type)
{
  return lf_starts (type, "AWS::Serverless::");
}

static void
read_transform (tpl *t, const tpl_node *n)
{
  const char *s = tpl_is_null (n) ? NULL : tpl_text (n);
  if (s && strcmp (s, SAM) == 0)
    t->out.serverless = true;
  else if (s && strcmp (s, "AWS::LanguageExtensions") == 0)
    t->language_extensions = true;
  else if (s || tpl_is (n, TPL_MAP))
    {
      const char *name = s ? s : tpl_text (tpl_get (n, "Name"));
      t->macros = true;
      tpl_problem (t, LF_TPL_WARNING, n, NULL, "Transform", "the macro %.100s is run by CloudFormation only: it is passed over", name ? name : "");
    }
  else if (tpl_is (n, TPL_SEQ))
    for (uint32_t i = 0; i < n->n; i++)
      read_transform (t, n->u.item[i]);
}

/* A section that must be a map; anything else ends the template. */
static const tpl_node *
section (tpl *t, const char *name)
{
  const tpl_node *n = tpl_get (t->root, name);
  if (!n || tpl_is (n, TPL_MAP))
    return n;
  if (tpl_is_null (n) && strcmp (name, "Resources") != 0)
    return NULL;
  tpl_fatal (t, n->line, n->column, name, "%s is a map, here it is %s", name, tpl_kind_name (n));
  return NULL;
}

static void
read_resource (tpl *t, tpl_resource *r, const tpl_node *key, const tpl_node *body)
{
  const tpl_node *type = tpl_get (body, "Type"), *props = tpl_get (body, "Properties"), *arg;
  *r = (tpl_resource){ .key = key, .body = body, .id = key->u.s, .type = "" };
  if (lf_starts (r->id, "Fn::"))
    {
      tpl_problem (t, LF_TPL_WARNING, key, NULL, r->id, "%.100s is carried out by CloudFormation only: what it makes is not seen here", r->id);
      return;
    }
  if (!tpl_is (body, TPL_MAP))
    {
      tpl_problem (t, LF_TPL_ERROR, key, r->id, NULL, "a resource is a map with a Type, here it is %s", tpl_kind_name (body));
      return;
    }
  if (!type && tpl_get (body, "Fn::Transform"))
    {
      tpl_problem (t, LF_TPL_WARNING, key, r->id, NULL, "what Fn::Transform makes of this resource is not seen here");
      return;
    }
  if (!tpl_text (type) || !*tpl_text (type))
    {
      tpl_problem (t, LF_TPL_ERROR, type ? type : key, r->id, "Type", type ? "Type is a text such as AWS::Serverless::Function" : "this resource has no Type");
      return;
    }
  r->type = tpl_text (type);
  if (props && !tpl_is (props, TPL_MAP) && !tpl_is_null (props))
    tpl_problem (t, LF_TPL_ERROR, props, r->id, "Properties", "Properties is a map, here it is %s", tpl_kind_name (props));
  else if (tpl_type_is_function (r->type) && tpl_intrinsic (props, &arg))
    tpl_problem (t, LF_TPL_ERROR, props, r->id, "Properties", "Properties is a map, here it is an intrinsic function");
}

void
tpl_resources (tpl *t)
{
  t->where_property = "Resources";
  const tpl_node *m = tpl_foreach (t, tpl_get (t->root, "Resources"));
  t->resources = m ? tpl_alloc (t, m->n * sizeof *t->resources) : NULL;
  if (!t->resources)
    return;
  t->resources_map = m;
  t->resources_n = m->n;
  for (uint32_t i = 0; i < m->n; i++)
    read_resource (t, &t->resources[i], tpl_key (m, i), tpl_value (m, i));
  for (uint32_t i = 0; i < m->n; i++)
    {
      tpl_resource *r = &t->resources[i];
      if (!tpl_is (r->body, TPL_MAP))
        continue;
      t->where_id = r->id;
      t->where_property = "Properties";
      r->props = tpl_foreach (t, tpl_serverless_type (r->type) ? tpl_globals_merge (t, r) : tpl_get (r->body, "Properties"));
    }
}

void
tpl_sections (tpl *t)
{
  const tpl_node *resources = tpl_get (t->root, "Resources");
  if (tpl_is_null (t->root))
    {
      tpl_fatal (t, 1, 1, NULL, "the template is empty");
      return;
    }
  if (!tpl_is (t->root, TPL_MAP))
    {
      tpl_fatal (t, t->root->line, t->root->column, NULL, "a template is a map with Resources, here it is %s", tpl_kind_name (t->root));
      return;
    }
  if (!resources)
    {
      tpl_fatal (t, t->root->line, t->root->column, "Resources", "the template has no Resources");
      return;
    }
  read_transform (t, tpl_get (t->root, "Transform"));
  t->params_map = section (t, "Parameters");
  t->conds_map = section (t, "Conditions");
  t->mappings = section (t, "Mappings");
  t->globals = section (t, "Globals");
  (void) section (t, "Resources");
}
