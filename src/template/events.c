/* SPDX-License-Identifier: Apache-2.0
 *
 * How functions are reached: their events and URLs.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

static lf_template_event *
add (tpl *t)
{
  /* Grows by doubling in the arena: the old array stays there, which is at most as much again. */
  size_t n = t->out.events_n;
  if ((n & (n - 1)) == 0)
    {
      lf_template_event *v = tpl_alloc (t, (n ? 2 * n : 1) * sizeof *v);
      if (!v)
        return NULL;
      if (n)
        memcpy (v, t->out.events, n * sizeof *v);
      t->out.events = v;
    }
  return &t->out.events[t->out.events_n++];
}

static const char *
upper (tpl *t, const char *s)
{
  char *p = tpl_strdup (t, s);
  for (char *q = p; q && *q; q++)
    *q = (char) toupper ((unsigned char) *q);
  return p && strcmp (p, "X-AMAZON-APIGATEWAY-ANY-METHOD") == 0 ? "ANY" : p;
}

/* ---- function URLs ------------------------------------------------------------------------------------------------------------------ */

/* Whose URL it is, and where it says so. `prefix` is what stands before its properties: "FunctionUrlConfig.", or nothing. */
typedef struct url { const char *id, *prefix; const tpl_node *config; lf_url_config *out; } url;

static const char *
property_of (tpl *t, const url *u, const char *name)
{
  return tpl_printf (t, "%s%s", u->prefix, name);
}

/* A list of texts; one text alone stands for a list of it. */
static void
read_list (tpl *t, const url *u, const tpl_node *cors, const char *name, lf_strv *out)
{
  const char *property = property_of (t, u, tpl_printf (t, "Cors.%s", name));
  const tpl_node *raw = tpl_get (cors, name);
  t->where_id = u->id;
  t->where_property = property;
  const tpl_node *n = tpl_resolve (t, raw);
  if (!n || tpl_is_null (n))
    return;
  for (uint32_t i = 0; i < (n->kind == TPL_SEQ ? n->n : 1); i++)
    {
      const char *s = tpl_text (n->kind == TPL_SEQ ? n->u.item[i] : n);
      if (!s)
        tpl_problem (t, LF_TPL_ERROR, raw, u->id, property, "%s is a list of texts", name);
      else if (lf_strv_add (out, s) != 0)
        t->oom = true;
    }
}

static void
read_cors (tpl *t, const url *u)
{
  const tpl_node *raw = tpl_get (u->config, "Cors");
  t->where_id = u->id;
  t->where_property = property_of (t, u, "Cors");
  const tpl_node *cors = tpl_resolve (t, raw);
  if (!cors || tpl_is_null (cors) || (cors->guess && cors->kind != TPL_MAP))
    return;
  if (cors->kind != TPL_MAP)
    {
      tpl_problem (t, LF_TPL_ERROR, raw, u->id, property_of (t, u, "Cors"), "Cors is a map, here it is %s", tpl_kind_name (cors));
      return;
    }
  u->out->cors = true;
  u->out->credentials = tpl_bool (tpl_get (cors, "AllowCredentials")) == 1;
  read_list (t, u, cors, "AllowOrigins", &u->out->origins);
  read_list (t, u, cors, "AllowMethods", &u->out->methods);
  read_list (t, u, cors, "AllowHeaders", &u->out->headers);
  read_list (t, u, cors, "ExposeHeaders", &u->out->expose);
  int64_t age;
  if (tpl_number (t, tpl_get (cors, "MaxAge"), u->id, property_of (t, u, "Cors.MaxAge"), &age) == TPL_NUM_OK)
    u->out->max_age_s = age;
}

/* A word as it is said, whatever it is: validation refuses what does not exist. */
static const char *
read_word (tpl *t, const url *u, const char *name, const char *otherwise)
{
  const char *s = tpl_string (t, tpl_get (u->config, name), u->id, property_of (t, u, name));
  return s ? s : otherwise;
}

/* A function has one URL here: the first that is said. */
static void
add_url (tpl *t, lf_template_function *f, const char *name, const tpl_node *at, url u)
{
  lf_url_config unused = { .max_age_s = LF_NONE };
  u.out = f->f.url.set ? &unused : &f->f.url;
  const char *auth = read_word (t, &u, "AuthType", "NONE"), *mode = read_word (t, &u, "InvokeMode", "BUFFERED");
  u.out->set = true;
  u.out->iam = strcmp (auth, "AWS_IAM") == 0;
  u.out->stream = strcmp (mode, "RESPONSE_STREAM") == 0;
  read_cors (t, &u);
  lf_url_config_fini (&unused);
  lf_template_event *e = add (t);
  if (e)
    *e = (lf_template_event){ .function = f->logical_id, .name = name, .type = "FunctionUrl", .auth = auth, .mode = mode, .line = at->line, .column = at->column };
}

static void
read_event (tpl *t, lf_template_function *f, const tpl_node *key, const tpl_node *body)
{
  const char *function = f->logical_id;
  const char *property = tpl_printf (t, "Events.%s", key->u.s), *type = tpl_string (t, tpl_get (body, "Type"), function, property);
  const tpl_node *p = tpl_get (body, "Properties");
  if (!tpl_is (body, TPL_MAP) || !type)
    {
      t->where_id = function;
      t->where_property = property;
      if (tpl_resolve (t, body))
        tpl_problem (t, LF_TPL_ERROR, key, function, property, tpl_is (body, TPL_MAP) ? "an event needs a Type" : "an event is a map with a Type");
      return;
    }
  if (strcmp (type, "FunctionUrl") == 0)
    {
      add_url (t, f, key->u.s, key, (url){ function, tpl_printf (t, "%s.Properties.", property), p, NULL });
      return;
    }
  bool api = strcmp (type, "Api") == 0, http = strcmp (type, "HttpApi") == 0;
  const char *method = NULL, *path = NULL;
  if (api || http)
    {
      method = tpl_string (t, tpl_get (p, "Method"), function, tpl_printf (t, "%s.Method", property));
      path = tpl_string (t, tpl_get (p, "Path"), function, tpl_printf (t, "%s.Path", property));
      if (api && (!method || !path))
        tpl_problem (t, LF_TPL_ERROR, key, function, property, "an event of type Api needs Method and Path");
      method = upper (t, method ? method : "ANY");
      path = path ? path : "$default";
    }
  lf_template_event *e = add (t);
  if (e)
    *e = (lf_template_event){ .function = function, .name = key->u.s, .type = type, .method = method, .path = path, .line = key->line, .column = key->column };
}

void
tpl_function_events (tpl *t, const tpl_resource *r, const tpl_node *props, lf_template_function *f)
{
  const tpl_node *events = tpl_get (props, "Events"), *at = tpl_get (props, "FunctionUrlConfig"), *arg;
  t->where_id = r->id;
  t->where_property = "FunctionUrlConfig";
  if (at)
    {
      const tpl_node *config = tpl_resolve (t, at);
      if (tpl_is (config, TPL_MAP))
        add_url (t, f, "FunctionUrl", at, (url){ r->id, "FunctionUrlConfig.", config, NULL });
      else if (config && !tpl_is_null (config))
        tpl_problem (t, LF_TPL_ERROR, at, r->id, "FunctionUrlConfig", "FunctionUrlConfig is a map, here it is %s", tpl_kind_name (config));
    }
  if (!events || tpl_is_null (events))
    return;
  if (!tpl_is (events, TPL_MAP) || tpl_intrinsic (events, &arg))
    {
      tpl_problem (t, LF_TPL_ERROR, events, r->id, "Events", "Events is a map of named events, here it is %s", tpl_kind_name (events));
      return;
    }
  for (uint32_t i = 0; i < events->n && !t->arena.failed; i++)
    read_event (t, f, tpl_key (events, i), tpl_value (events, i));
}

lf_template_function *
tpl_function_named (tpl *t, const char *s)
{
  const char *mark = s ? strstr (s, ":function:") : NULL;
  if (!s)
    return NULL;
  if (mark)
    s = tpl_strndup (t, mark + 10, strcspn (mark + 10, ":"));
  const char *at = s ? tpl_text (tpl_get (t->function_index, s)) : NULL;
  return at ? &t->out.functions[strtoul (at, NULL, 10)] : NULL;
}

void
tpl_url_resource (tpl *t, const tpl_resource *r)
{
  lf_template_function *f = tpl_function_named (t, tpl_string (t, tpl_get (r->props, "TargetFunctionArn"), r->id, "TargetFunctionArn"));
  if (f)
    add_url (t, f, r->id, r->key, (url){ r->id, "", r->props, NULL });
  else if (!tpl_get (r->props, "TargetFunctionArn"))
    tpl_problem (t, LF_TPL_ERROR, r->key, r->id, "TargetFunctionArn", "a function URL needs TargetFunctionArn");
  else
    tpl_problem (t, LF_TPL_WARNING, tpl_get (r->props, "TargetFunctionArn"), r->id, "TargetFunctionArn", "this URL is of a function that is not in this template");
}
