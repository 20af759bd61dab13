/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a function's asynchronous events: retries, age, and who gets the records. Records for another function of the template are
 * delivered here; a queue, a topic or a bus is not here, which is said.
 */
#include <string.h>

#include "inside.h"

typedef struct event_config { tpl *t; const char *id, *prefix; } event_config;

static const char *
property_of (const event_config *x, const char *name)
{
  return tpl_printf (x->t, "%s%s", x->prefix, name);
}

static void
read_number (const event_config *x, const tpl_node *config, const char *name, int64_t *to)
{
  int64_t v;
  if (tpl_number (x->t, tpl_get (config, name), x->id, property_of (x, name), &v) == TPL_NUM_OK)
    *to = v;
}

/* "arn:...:function:NAME", without a version or an alias: what is served here is the latest. NULL: no function. */
static char *
function_of (tpl *t, const char *arn)
{
  const char *mark = strstr (arn, ":lambda:") ? strstr (arn, ":function:") : NULL;
  if (!mark)
    return NULL;
  char *s = lf_strndup (arn, (size_t) (mark - arn) + 10 + strcspn (mark + 10, ":"));
  t->oom = t->oom || !s;
  return s;
}

static void
read_destination (const event_config *x, const tpl_node *config, const char *which, const char *option, char **to)
{
  const char *property = property_of (x, tpl_printf (x->t, "DestinationConfig.%s", which));
  const tpl_node *raw = tpl_get (tpl_get (config, "DestinationConfig"), which);
  x->t->where_id = x->id;
  x->t->where_property = property;
  const tpl_node *d = tpl_resolve (x->t, raw);
  if (!d || tpl_is_null (d))
    return;
  if (d->kind != TPL_MAP)
    {
      tpl_problem (x->t, LF_TPL_ERROR, raw, x->id, property, "%s is a map with Destination, here it is %s", which, tpl_kind_name (d));
      return;
    }
  const char *type = tpl_text (tpl_get (d, "Type")), *arn = tpl_text (tpl_get (d, "Destination"));
  char *function = arn ? function_of (x->t, arn) : NULL;
  if (function)
    {
      lf_freep (to);
      *to = function;
    }
  else if (arn || type)
    tpl_problem (x->t, LF_TPL_WARNING, raw, x->id, property, "the records go to %s%.200s, which is not here: they are not delivered (%s FILE writes them to a file)",
                 type && !arn ? "a resource of type " : "", arn ? arn : type, option);
}

void
tpl_event_config (tpl *t, const char *id, const char *prefix, const tpl_node *config, lf_function *f)
{
  event_config x = { t, id, prefix };
  int64_t retries = LF_NONE;
  if (!config)
    return;
  read_number (&x, config, "MaximumRetryAttempts", &retries);
  read_number (&x, config, "MaximumEventAgeInSeconds", &f->async_max_age_s);
  if (retries != LF_NONE)
    f->async_retries = retries < 0 ? 0 : retries > INT32_MAX ? INT32_MAX : (int) retries;
  read_destination (&x, config, "OnSuccess", "--on-success", &f->on_success);
  read_destination (&x, config, "OnFailure", "--on-failure", &f->on_failure);
}

void
tpl_event_config_resource (tpl *t, const tpl_resource *r)
{
  const tpl_node *raw = tpl_get (r->props, "FunctionName");
  lf_template_function *f = tpl_function_named (t, tpl_string (t, raw, r->id, "FunctionName"));
  if (f)
    tpl_event_config (t, r->id, "", r->props, &f->f);
  else if (raw)
    tpl_problem (t, LF_TPL_WARNING, raw, r->id, "FunctionName", "these settings are for a function that is not in this template");
  else
    tpl_problem (t, LF_TPL_ERROR, r->key, r->id, "FunctionName", "an EventInvokeConfig needs FunctionName");
}
