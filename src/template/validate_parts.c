/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deployment would refuse about the parts of a template that are no function.
 */
#include <ctype.h>
#include <string.h>

#include "validate.h"

#define RESOURCES_MAX 500
#define BODY_MAX LF_MB

static void
check_id (tpl *t, const tpl_node *key)
{
  if (lf_starts (key->u.s, "Fn::"))
    return;
  for (uint32_t i = 0; i < key->n; i++)
    if (!isalnum ((unsigned char) key->u.s[i]))
      {
        tpl_deploy (t, LF_TPL_ERROR, key, key->u.s, NULL, "Resource name %.255s is non alphanumeric.", key->u.s);
        return;
      }
  if (key->n > 255 || key->n == 0)
    tpl_deploy (t, LF_TPL_ERROR, key, key->u.s, NULL, "a logical id has 1 to 255 letters and digits");
}

void
tpl_check_sections (tpl *t)
{
  const tpl_node *version = tpl_get (t->root, "AWSTemplateFormatVersion"), *function = tpl_get (t->globals, "Function");
  bool said = false;
  if (tpl_text (version) && strcmp (version->u.s, "2010-09-09") != 0)
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (t->root, "AWSTemplateFormatVersion", t->root), NULL, "AWSTemplateFormatVersion",
                "Template format error: %.60s is not a supported value for AWSTemplateFormatVersion.", version->u.s);
  tpl_check_names (t, "", t->root, NULL, "");
  tpl_check_names (t, "Globals", t->globals, NULL, "Globals.");
  tpl_check_names (t, "Globals.Function", function, NULL, "Globals.Function.");
  if (t->resources_n > RESOURCES_MAX)
    tpl_deploy (t, LF_TPL_WARNING, t->resources[RESOURCES_MAX].key, NULL, "Resources", "a stack takes %d resources at most, here are %zu", RESOURCES_MAX, t->resources_n);
  if (t->bytes > BODY_MAX)
    tpl_deploy (t, LF_TPL_WARNING, t->root, NULL, NULL, "CloudFormation takes a template of 1 MB at most, this one has %zu bytes", t->bytes);
  if (t->root->alias)
    tpl_deploy (t, LF_TPL_WARNING, t->root, NULL, NULL, "CloudFormation takes no YAML aliases: they must be expanded before a deployment, as the packaging of AWS SAM does");
  for (size_t i = 0; i < t->resources_n; i++)
    {
      const tpl_resource *r = &t->resources[i];
      check_id (t, r->key);
      tpl_check_type (t, r);
      tpl_check_names (t, "resource", r->body, r->id, "");
      if (!t->out.serverless && tpl_serverless_type (r->type) && !said && !t->macros)
        {
          tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->body, "Type", r->key), r->id, "Type", "%.80s needs \"Transform: AWS::Serverless-2016-10-31\" at the top of the template", r->type);
          said = true;
        }
    }
}

static bool
layer_name_valid (const char *s)
{
  for (; *s; s++)
    if (!isalnum ((unsigned char) *s) && *s != '-' && *s != '_')
      return false;
  return true;
}

static void
check_length (tpl *t, const tpl_resource *r, const char *property, uint32_t max)
{
  const tpl_node *n = tpl_get (r->props, property);
  if (tpl_is (n, TPL_SCALAR) && n->n > max)
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->props, property, r->key), r->id, property, "Member must have length less than or equal to %u", max);
}

static void
check_layer (tpl *t, tpl_resource *r)
{
  bool guess;
  const char *name = tpl_physical_name (t, r, &guess);
  const tpl_node *runtimes = tpl_get (r->props, "CompatibleRuntimes"), *archs = tpl_get (r->props, "CompatibleArchitectures");
  if (!guess && !lf_starts (name, "arn:") && (!layer_name_valid (name) || strlen (name) > 140))
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->props, "LayerName", r->key), r->id, "LayerName",
                "1 validation error detected: Value '%.160s' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9-_]+, and have length less than or equal to 140", name);
  if (tpl_is (runtimes, TPL_SEQ) && runtimes->n > 15)
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->props, "CompatibleRuntimes", r->key), r->id, "CompatibleRuntimes", "Member must have length less than or equal to 15");
  if (tpl_is (archs, TPL_SEQ) && archs->n > 2)
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->props, "CompatibleArchitectures", r->key), r->id, "CompatibleArchitectures", "Member must have length less than or equal to 2");
  check_length (t, r, "Description", 256);
  check_length (t, r, "LicenseInfo", 512);
  tpl_check_names (t, r->type, tpl_get (r->body, "Properties"), r->id, "");
}

void
tpl_check_layers (tpl *t)
{
  for (size_t i = 0; i < t->resources_n; i++)
    {
      tpl_resource *r = &t->resources[i];
      if (tpl_type_is_layer (r->type) && !r->left_out)
        check_layer (t, r);
      else if (strcmp (r->type, "AWS::Lambda::Url") == 0)
        tpl_check_names (t, r->type, tpl_get (r->body, "Properties"), r->id, "");
    }
}

static bool
one_of (const char *s, const char *a, const char *b)
{
  return strcmp (s, a) == 0 || strcmp (s, b) == 0;
}

void
tpl_check_urls (tpl *t)
{
  for (size_t i = 0; i < t->out.events_n; i++)
    {
      const lf_template_event *e = &t->out.events[i];
      tpl_node at = { .line = e->line, .column = e->column };
      if (!e->auth)
        continue;
      if (!one_of (e->auth, "NONE", "AWS_IAM"))
        tpl_deploy (t, LF_TPL_ERROR, &at, e->function, "FunctionUrlConfig.AuthType",
                    "1 validation error detected: Value '%.60s' at 'authType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]", e->auth);
      if (!one_of (e->mode, "BUFFERED", "RESPONSE_STREAM"))
        tpl_deploy (t, LF_TPL_ERROR, &at, e->function, "FunctionUrlConfig.InvokeMode",
                    "1 validation error detected: Value '%.60s' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum value set: [BUFFERED, RESPONSE_STREAM]", e->mode);
    }
}
