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

static void
add_url (tpl *t, const char *function, const char *name, const tpl_node *at, const tpl_node *config)
{
  const char *auth = tpl_string (t, tpl_get (config, "AuthType"), function, "FunctionUrlConfig.AuthType");
  const char *mode = tpl_string (t, tpl_get (config, "InvokeMode"), function, "FunctionUrlConfig.InvokeMode");
  lf_template_event *e = add (t);
  if (e)
    *e = (lf_template_event){ .function = function, .name = name, .type = "FunctionUrl", .auth = auth ? auth : "NONE", .mode = mode ? mode : "BUFFERED",
                              .line = at->line, .column = at->column };
}

static void
read_event (tpl *t, const char *function, const tpl_node *key, const tpl_node *body)
{
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
      add_url (t, function, key->u.s, key, p);
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
tpl_function_events (tpl *t, const tpl_resource *r, const tpl_node *props)
{
  const tpl_node *events = tpl_get (props, "Events"), *url = tpl_get (props, "FunctionUrlConfig"), *arg;
  t->where_id = r->id;
  t->where_property = "FunctionUrlConfig";
  if (url)
    {
      const tpl_node *config = tpl_resolve (t, url);
      if (tpl_is (config, TPL_MAP))
        add_url (t, r->id, "FunctionUrl", url, config);
      else if (config && !tpl_is_null (config))
        tpl_problem (t, LF_TPL_ERROR, url, r->id, "FunctionUrlConfig", "FunctionUrlConfig is a map, here it is %s", tpl_kind_name (config));
    }
  if (!events || tpl_is_null (events))
    return;
  if (!tpl_is (events, TPL_MAP) || tpl_intrinsic (events, &arg))
    {
      tpl_problem (t, LF_TPL_ERROR, events, r->id, "Events", "Events is a map of named events, here it is %s", tpl_kind_name (events));
      return;
    }
  for (uint32_t i = 0; i < events->n && !t->arena.failed; i++)
    read_event (t, r->id, tpl_key (events, i), tpl_value (events, i));
}

/* The function that an AWS::Lambda::Url is of: its name, its ARN or its logical id. */
static const char *
target (tpl *t, const tpl_resource *r)
{
  const char *s = tpl_string (t, tpl_get (r->props, "TargetFunctionArn"), r->id, "TargetFunctionArn");
  const char *mark = s ? strstr (s, ":function:") : NULL;
  if (!s)
    return NULL;
  if (mark)
    s = tpl_strndup (t, mark + 10, strcspn (mark + 10, ":"));
  const char *at = s ? tpl_text (tpl_get (t->function_index, s)) : NULL;
  return at ? t->out.functions[strtoul (at, NULL, 10)].logical_id : NULL;
}

void
tpl_url_resource (tpl *t, const tpl_resource *r)
{
  const char *function = target (t, r);
  if (function)
    add_url (t, function, r->id, r->key, r->props);
  else if (!tpl_get (r->props, "TargetFunctionArn"))
    tpl_problem (t, LF_TPL_ERROR, r->key, r->id, "TargetFunctionArn", "a function URL needs TargetFunctionArn");
  else
    tpl_problem (t, LF_TPL_WARNING, tpl_get (r->props, "TargetFunctionArn"), r->id, "TargetFunctionArn", "this URL is of a function that is not in this template");
}
