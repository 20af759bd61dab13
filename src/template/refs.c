/* SPDX-License-Identifier: Apache-2.0
 *
 * What Ref and Fn::GetAtt give: pseudo parameters, parameters, and for resources the names and ARNs that a deployment would make.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "inside.h"

static const struct kind { const char *type, *property, *ref, *arn; } kinds[] = {
#define RESOURCE(type, property, ref, arn) { type, property, ref, arn },
#include "resources.def"
};

static const struct { const char *type, *attribute, *value; } attributes[] = {
#define ATTRIBUTE(type, attribute, value) { type, attribute, value },
#include "resources.def"
};

static const struct kind *
kind_of (const char *type)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (kinds); i++)
    if (strcmp (kinds[i].type, type) == 0)
      return &kinds[i];
  return NULL;
}

/* ---- names that never change ------------------------------------------------------------------------------------------------------ */

static uint64_t
hash (const char *s, uint64_t h)
{
  for (; *s; s++)
    h = (h ^ (unsigned char) *s) * UINT64_C (1099511628211);
  h ^= h >> 32;
  return h * UINT64_C (0x9E3779B97F4A7C15);
}

static const char *
letters (tpl *t, const char *id)
{
  static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  char out[11];
  uint64_t h = hash (id, UINT64_C (1469598103934665603));
  for (int i = 0; i < 10; i++, h /= 36)
    out[i] = set[h % (i ? 36 : 26)];
  out[10] = 0;
  return tpl_strdup (t, out);
}

static const char *
uuid (tpl *t, const char *id)
{
  uint64_t a = hash (id, 1), b = hash (id, 2);
  return tpl_printf (t, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned) (a >> 32), (unsigned) (a >> 16 & 0xFFFF), (unsigned) (a & 0xFFF),
                     (unsigned) (b >> 48 & 0xFFF), (unsigned long long) (b & UINT64_C (0xFFFFFFFFFFFF)));
}

static const char *
lower (tpl *t, const char *s)
{
  char *p = tpl_strdup (t, s);
  for (char *q = p; q && *q; q++)
    *q = (char) tolower ((unsigned char) *q);
  return p ? p : "";
}

const char *
tpl_pseudo (tpl *t, const char *name)
{
  if (!lf_starts (name, "AWS::"))
    return NULL;
  name += 5;
  if (strcmp (name, "Region") == 0)
    return t->region;
  if (strcmp (name, "AccountId") == 0)
    return t->account;
  if (strcmp (name, "StackName") == 0)
    return t->stack;
  if (strcmp (name, "Partition") == 0)
    return t->partition;
  if (strcmp (name, "URLSuffix") == 0)
    return t->suffix;
  if (strcmp (name, "StackId") == 0)
    return tpl_printf (t, "arn:%s:cloudformation:%s:%s:stack/%s/%s", t->partition, t->region, t->account, t->stack, uuid (t, t->stack));
  return NULL;
}

/* ---- physical names --------------------------------------------------------------------------------------------------------------- */

tpl_resource *
tpl_resource_find (tpl *t, const char *id)
{
  long i = tpl_find (t->resources_map, id, strlen (id));
  return i < 0 || !t->resources ? NULL : &t->resources[i];
}

static const char *
given_name (tpl *t, tpl_resource *r, const struct kind *k, bool *guess)
{
  const tpl_node *n = k && k->property ? tpl_resolve (t, tpl_get (r->props, k->property)) : NULL;
  const char *s = tpl_text (n);
  if (!s || !*s || tpl_is_null (n))
    return NULL;
  *guess = n->guess;
  return s;
}

static const char *
find_name (tpl *t, tpl_resource *r, bool *guess)
{
  const struct kind *k = kind_of (r->type);
  const char *s = given_name (t, r, k, guess);
  if (s)
    return s;
  *guess = true;
  /* The function's own id, so that people find it again; other things get the stack's name before it, as they would. */
  if (tpl_type_is_function (r->type) || tpl_type_is_layer (r->type))
    {
      *guess = false;
      return r->id;
    }
  s = tpl_printf (t, "%s-%s", t->stack, r->id);
  return strcmp (r->type, "AWS::S3::Bucket") == 0 || strcmp (r->type, "AWS::ECR::Repository") == 0 ? lower (t, s) : s;
}

const char *
tpl_physical_name (tpl *t, tpl_resource *r, bool *guess)
{
  if (r->name_state == TPL_NAME_BUSY)
    {
      tpl_here (t, LF_TPL_ERROR, r->key, "the name of %.100s refers to itself", r->id);
      *guess = true;
      return r->id;
    }
  if (r->name_state == TPL_NAME_NEW)
    {
      const char *id = t->where_id, *property = t->where_property;
      const struct kind *k = kind_of (r->type);
      t->where_id = r->id;
      t->where_property = k ? k->property : NULL;
      r->name_state = TPL_NAME_BUSY;
      r->name = find_name (t, r, &r->name_guess);
      r->name_state = TPL_NAME_DONE;
      t->where_id = id;
      t->where_property = property;
    }
  *guess = r->name_guess;
  return r->name ? r->name : r->id;
}

/* ---- values ----------------------------------------------------------------------------------------------------------------------- */

/* An ARN where the row puts a name: the name is all that follows its last part of rows that name another resource. */
static const char *
plain_name (const char *name)
{
  const char *mark = lf_starts (name, "arn:") ? strstr (name, ":function:") : NULL;
  return mark ? mark + 10 : name;
}

static const tpl_node *
fill (tpl *t, const tpl_node *at, tpl_resource *r, const char *format)
{
  bool guess = false;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, (size_t) 1 << 20);
  for (const char *p = format; *p; p++)
    {
      if (*p != '%')
        {
          lf_buf_addc (&b, *p);
          continue;
        }
      switch (*++p)
        {
        case 'n':
          lf_buf_adds (&b, plain_name (tpl_physical_name (t, r, &guess)));
          break;
        case 'a':
          lf_buf_adds (&b, t->account);
          break;
        case 'r':
          lf_buf_adds (&b, t->region);
          break;
        case 'p':
          lf_buf_adds (&b, t->partition);
          break;
        case 's':
          lf_buf_adds (&b, t->suffix);
          break;
        case 'u':
          lf_buf_adds (&b, uuid (t, r->id));
          guess = true;
          break;
        case 'x':
          lf_buf_addf (&b, "%017llx", (unsigned long long) (hash (r->id, 3) & UINT64_C (0xFFFFFFFFFFFFFFFF)));
          guess = true;
          break;
        default:
          lf_buf_adds (&b, letters (t, r->id));
          guess = true;
        }
    }
  if (b.failed)
    {
      tpl_here (t, LF_TPL_ERROR, at, "a name of more than 1 MB");
      return tpl_unresolved (t, at, r->id);
    }
  return tpl_scalar (t, at, b.data, b.len, guess);
}

/* arn:aws:SERVICE:... of a type there is no row for. */
static const char *
made_up_arn (tpl *t, const tpl_resource *r, const char *name)
{
  const char *service = strstr (r->type, "::"), *end = service ? strstr (service + 2, "::") : NULL;
  const char *word = end ? tpl_strndup (t, service + 2, (size_t) (end - service - 2)) : "custom";
  return tpl_printf (t, "arn:%s:%s:%s:%s:%s", t->partition, lower (t, word ? word : ""), t->region, t->account, name);
}

/* Resources that the SAM transform adds are not in the text. Their type by the id, or NULL when it is none of them. */
static const char *
added_type (tpl *t, const char *id, const char **parent)
{
  *parent = NULL;
  if (!t->out.serverless)
    return NULL;
  if (lf_starts (id, "ServerlessRestApi"))
    return strcmp (id, "ServerlessRestApi") == 0 ? "AWS::Serverless::Api" : "AWS::ApiGateway::Stage";
  if (lf_starts (id, "ServerlessHttpApi"))
    return strcmp (id, "ServerlessHttpApi") == 0 ? "AWS::Serverless::HttpApi" : "AWS::ApiGatewayV2::Stage";
  if (lf_starts (id, "Serverless") || strcmp (id, "CodeDeployServiceRole") == 0)
    return "AWS::Serverless::Added";
  for (size_t n = strlen (id) - 1; n > 0; n--)
    {
      long i = tpl_find (t->resources_map, id, n);
      if (i < 0 || !tpl_serverless_type (t->resources[i].type))
        continue;
      *parent = t->resources[i].id;
      const char *rest = id + n;
      return strcmp (rest, "Role") == 0 ? "AWS::IAM::Role" : strcmp (rest, "Url") == 0 ? "AWS::Lambda::Url" : "AWS::Serverless::Added";
    }
  return NULL;
}

bool
tpl_may_be_added (tpl *t, const char *id)
{
  const char *parent;
  return strlen (id) > 1 && added_type (t, id, &parent) != NULL;
}

/* A resource that is not in the text: added by a transform, or a mistake, which is said. */
static tpl_resource *
absent (tpl *t, const tpl_node *at, const char *id, const char *how)
{
  const char *parent, *type = strlen (id) > 1 ? added_type (t, id, &parent) : NULL;
  if (!type && t->macros)
    {
      type = "Macro";
      tpl_warn_once (t, at, tpl_printf (t, "absent %s", id), "%.100s may be made by a macro of the template, which is not run: a made-up value is taken", id);
    }
  if (!type)
    {
      tpl_here (t, LF_TPL_ERROR, at, "%s names %.100s, which is neither a resource nor a parameter of this template", how, id);
      return NULL;
    }
  tpl_resource *r = tpl_alloc (t, sizeof *r);
  if (!r)
    return NULL;
  *r = (tpl_resource){ .id = id, .type = type };
  if (strcmp (type, "AWS::Lambda::Url") == 0 && parent)
    {
      tpl_resource *f = tpl_resource_find (t, parent);
      r->name = f ? tpl_physical_name (t, f, &r->name_guess) : parent;
      r->name_state = TPL_NAME_DONE;
      r->id = parent;
    }
  return r;
}

static const tpl_node *
ref_resource (tpl *t, const tpl_node *at, tpl_resource *r)
{
  const struct kind *k = kind_of (r->type);
  bool guess = true;
  if (k)
    return fill (t, at, r, k->ref);
  return tpl_scalar_str (t, at, tpl_physical_name (t, r, &guess), true);
}

const tpl_node *
tpl_ref (tpl *t, const tpl_node *at, const char *name)
{
  if (strcmp (name, "AWS::NoValue") == 0)
    return NULL;
  if (strcmp (name, "AWS::NotificationARNs") == 0)
    return tpl_collection (t, TPL_SEQ, at, 0);
  if (lf_starts (name, "AWS::"))
    {
      const char *s = tpl_pseudo (t, name);
      if (!s)
        tpl_here (t, LF_TPL_ERROR, at, "%.100s is no pseudo parameter of CloudFormation", name);
      return s ? tpl_scalar_str (t, at, s, false) : tpl_unresolved (t, at, name);
    }
  long i = tpl_find (t->params_map, name, strlen (name));
  if (i >= 0 && (size_t) i < t->params_n)
    return tpl_param_value (t, (size_t) i, at);
  tpl_resource *r = tpl_resource_find (t, name);
  const char *dot = strchr (name, '.');
  if (!r && dot && dot > name && dot[1] && tpl_find (t->resources_map, name, (size_t) (dot - name)) >= 0)
    {
      /* SAM takes Function.Version, Api.Stage and the like by Ref as well. */
      const char *id = tpl_strndup (t, name, (size_t) (dot - name));
      return id ? tpl_get_att (t, at, id, dot + 1) : NULL;
    }
  if (!r && !(r = absent (t, at, name, "Ref")))
    return tpl_unresolved (t, at, name);
  return ref_resource (t, at, r);
}

static bool
ends (const char *s, const char *end)
{
  return lf_ends (s, end);
}

static const tpl_node *
made_up (tpl *t, const tpl_node *at, tpl_resource *r, const char *attribute)
{
  bool guess = true;
  if (ends (attribute, "Arn") || ends (attribute, "ARN"))
    {
      const struct kind *k = kind_of (r->type);
      return k ? fill (t, at, r, k->arn) : tpl_unresolved (t, at, made_up_arn (t, r, tpl_physical_name (t, r, &guess)));
    }
  if (ends (attribute, "Name"))
    return tpl_unresolved (t, at, tpl_physical_name (t, r, &guess));
  if (ends (attribute, "Id") || ends (attribute, "ID"))
    return ref_resource (t, at, r);
  const char *value = tpl_printf (t, "%s-%s-%s", t->stack, r->id, attribute);
  tpl_warn_once (t, at, tpl_printf (t, "attribute %s.%s", r->id, attribute), "%.100s of %.100s (%.100s) is known only after a deployment: \"%.150s\" is taken", attribute,
                 r->id, r->type, value);
  return tpl_unresolved (t, at, value);
}

const tpl_node *
tpl_get_att (tpl *t, const tpl_node *at, const char *id, const char *attribute)
{
  tpl_resource *r = tpl_resource_find (t, id);
  if (!r && tpl_find (t->params_map, id, strlen (id)) >= 0)
    {
      tpl_here (t, LF_TPL_ERROR, at, "%.100s is a parameter, which has no attributes", id);
      return tpl_unresolved (t, at, id);
    }
  if (!r && !(r = absent (t, at, id, "Fn::GetAtt")))
    return tpl_unresolved (t, at, tpl_printf (t, "%s.%s", id, attribute));
  for (size_t i = 0; i < LF_ARRAY_LEN (attributes); i++)
    if (strcmp (attributes[i].type, r->type) == 0 && strcmp (attributes[i].attribute, attribute) == 0)
      return fill (t, at, r, attributes[i].value);
  const struct kind *k = kind_of (r->type);
  if (k && strcmp (attribute, "Arn") == 0)
    return fill (t, at, r, k->arn);
  if (k && k->property && strcmp (attribute, k->property) == 0)
    return fill (t, at, r, "%n");
  const tpl_node *own = tpl_get (r->props, attribute);
  if (own && (own->kind == TPL_SCALAR || own->kind == TPL_MAP))
    {
      own = tpl_resolve (t, own);
      if (tpl_is (own, TPL_SCALAR))
        return own;
    }
  return made_up (t, at, r, attribute);
}
