/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions there are: those created through the API, and those of the command line, which are taken in as they are met.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- life -------------------------------------------------------------------------------------------------------------------------- */

static void
version_free (lf_dep_version *v)
{
  if (!v)
    return;
  cJSON_Delete (v->config);
  free (v->target);
  free (v);
}

void
lf_dep_fn_free (lf_dep_fn *fn)
{
  if (!fn)
    return;
  for (size_t i = 0; i < fn->n; i++)
    version_free (fn->v[i]);
  free (fn->v);
  cJSON_Delete (fn->aliases);
  cJSON_Delete (fn->tags);
  cJSON_Delete (fn->policy);
  free (fn->region);
  free (fn->name);
  free (fn);
}

void
lf_dep_touch (lf_dep_version *v)
{
  lf_utc t = lf_utc_from (lf_wall_us ());
  lf_uuid4 (v->revision);
  snprintf (v->modified, sizeof v->modified, "%04d-%02d-%02dT%02d:%02d:%02d.%03d+0000", t.year % 10000, t.month % 100, t.day % 100, t.hour % 100, t.minute % 100,
            t.second % 100, t.ms % 1000);
}

lf_dep_version *
lf_dep_version_new (lf_dep_fn *fn, const char *version)
{
  lf_dep_version **list = realloc (fn->v, (fn->n + 1) * sizeof *list);
  lf_dep_version *v = list ? calloc (1, sizeof *v) : NULL;
  if (list)
    fn->v = list;
  if (!v)
    return NULL;
  snprintf (v->version, sizeof v->version, "%s", version);
  lf_dep_touch (v);
  fn->v[fn->n++] = v;
  return v;
}

lf_dep_version *
lf_dep_version_get (const lf_dep_fn *fn, const char *version)
{
  for (size_t i = 0; i < fn->n; i++)
    if (strcmp (fn->v[i]->version, version) == 0)
      return fn->v[i];
  return NULL;
}

void
lf_dep_version_drop (lf_dep_fn *fn, lf_dep_version *v)
{
  for (size_t i = 0; i < fn->n; i++)
    if (fn->v[i] == v)
      {
        memmove (fn->v + i, fn->v + i + 1, (fn->n - i - 1) * sizeof *fn->v);
        fn->n--;
        break;
      }
  version_free (v);
}

lf_dep_fn *
lf_dep_fn_new (lf_deploy *d, const char *name, const char *region)
{
  lf_dep_fn *fn = calloc (1, sizeof *fn), **at = &d->fns;
  if (!fn)
    return NULL;
  fn->id = ++d->last_id;
  fn->next_version = 1;
  fn->name = lf_strdup (name);
  fn->region = lf_strdup (region);
  fn->aliases = cJSON_CreateArray ();
  fn->tags = cJSON_CreateObject ();
  fn->policy = cJSON_CreateArray ();
  lf_uuid4 (fn->policy_revision);
  lf_iso8601_ms (lf_wall_us (), fn->url_created); /* for one of a template; others say when theirs was made */
  memcpy (fn->url_modified, fn->url_created, sizeof fn->url_modified);
  if (!fn->name || !fn->region || !fn->aliases || !fn->tags || !fn->policy || !lf_dep_version_new (fn, LF_DEP_LATEST))
    {
      lf_dep_fn_free (fn);
      return NULL;
    }
  while (*at)
    at = &(*at)->next;
  *at = fn;
  return fn;
}

/* ---- finding ------------------------------------------------------------------------------------------------------------------------- */

static lf_dep_fn *
known (const lf_deploy *d, const char *name)
{
  for (lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    if (strcmp (fn->name, name) == 0)
      return fn;
  return NULL;
}

static void
adopt (lf_live_fn *live, void *user)
{
  lf_deploy *d = user;
  const lf_function *f = lf_live_fn_config (live);
  if (known (d, f->name) || strcmp (f->version, LF_DEP_LATEST) != 0)
    return;
  lf_dep_fn *fn = lf_dep_fn_new (d, f->name, f->region);
  if (fn)
    fn->v[0]->state = LF_DEP_ACTIVE;
}

void
lf_dep_adopt (lf_deploy *d)
{
  lf_engine_each_fn (d->engine, adopt, d);
}

lf_dep_fn *
lf_dep_lookup (lf_deploy *d, const char *name)
{
  lf_dep_fn *fn = known (d, name);
  if (fn)
    return fn;
  lf_live_fn *live = lf_engine_find (d->engine, name); /* by the alias of a template's logical id, perhaps */
  if (!live)
    return NULL;
  adopt (live, d);
  return known (d, lf_live_fn_config (live)->name);
}

const char *
lf_dep_region (const lf_deploy *d, const char *client)
{
  if (d->region)
    return d->region;
  return client && lf_profile_prices (d->profile, client) ? client : "us-east-1";
}

static char *
arn_of (const char *name, const char *region, const char *qualifier)
{
  lf_function f;
  lf_function_init (&f);
  f.name = (char *) name;
  f.region = (char *) region;
  return lf_function_arn (&f, qualifier);
}

char *
lf_dep_arn (const lf_deploy *d, const lf_dep_fn *fn, const char *qualifier)
{
  (void) d;
  return arn_of (fn->name, fn->region, qualifier);
}

lf_dep_fn *
lf_dep_find (lf_deploy *d, const char *name, const char *region, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_lookup (d, name);
  if (fn)
    return fn;
  char *arn LF_CLEANUP (lf_freep) = arn_of (name, lf_dep_region (d, region), NULL);
  lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Function not found: %s", arn ? arn : name);
  return NULL;
}

cJSON *
lf_dep_alias (const lf_dep_fn *fn, const char *name)
{
  cJSON *a;
  cJSON_ArrayForEach (a, fn->aliases)
    if (lf_streq (lf_json_str (a, "Name"), name))
      return a;
  return NULL;
}

lf_dep_version *
lf_dep_pick (lf_deploy *d, lf_dep_fn *fn, const char *qualifier, lf_refusal *no)
{
  if (!qualifier)
    return fn->v[0];
  const cJSON *alias = lf_dep_alias (fn, qualifier);
  lf_dep_version *v = lf_dep_version_get (fn, alias ? lf_json_str (alias, "FunctionVersion") : qualifier);
  if (v)
    return v;
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, qualifier);
  lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Function not found: %s", arn ? arn : fn->name);
  return NULL;
}

lf_live_fn *
lf_dep_live (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v)
{
  return lf_engine_find_version (d->engine, fn->name, v->version);
}

int
lf_dep_check_revision (const lf_dep_version *v, const char *revision, lf_refusal *no)
{
  if (!revision || strcmp (revision, v->revision) == 0)
    return 0;
  return lf_dep_no (no, LF_SVC_PRECONDITION_FAILED, "%s", lf_svc_error_get (LF_SVC_PRECONDITION_FAILED)->text);
}

int
lf_dep_check_free (const lf_deploy *d, const lf_dep_fn *fn, lf_refusal *no)
{
  if (!fn->busy && !fn->v[0]->updating && fn->v[0]->state != LF_DEP_PENDING)
    return 0;
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, NULL);
  return lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "The operation cannot be performed at this time. An update is in progress for resource: %s", arn ? arn : fn->name);
}

/* ---- invocations ----------------------------------------------------------------------------------------------------------------------- */

/* Most go to the alias's version; AdditionalVersionWeights take their part of the others. */
static lf_dep_version *
route_alias (const lf_dep_fn *fn, const cJSON *alias)
{
  const cJSON *weights = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (alias, "RoutingConfig"), "AdditionalVersionWeights"), *w;
  uint32_t r;
  lf_random_bytes (&r, sizeof r);
  double at = r / 4294967296.0;
  cJSON_ArrayForEach (w, weights)
    {
      if (at < w->valuedouble)
        return lf_dep_version_get (fn, w->string);
      at -= w->valuedouble;
    }
  return lf_dep_version_get (fn, lf_json_str (alias, "FunctionVersion"));
}

lf_live_fn *
lf_deploy_resolve (lf_deploy *d, const char *name, const char *qualifier, const char *region, bool control, lf_refusal *no)
{
  bool latest = !qualifier || strcmp (qualifier, LF_DEP_LATEST) == 0;
  lf_live_fn *live = latest ? lf_engine_find (d->engine, name) : NULL;
  if (live)
    return live;
  lf_dep_fn *fn = lf_dep_lookup (d, name);
  const cJSON *alias = fn && !latest ? lf_dep_alias (fn, qualifier) : NULL;
  const lf_dep_version *v = !fn ? NULL : alias ? route_alias (fn, alias) : lf_dep_version_get (fn, latest ? LF_DEP_LATEST : qualifier);
  if (!v)
    {
      char *arn LF_CLEANUP (lf_freep) = arn_of (name, fn ? fn->region : lf_dep_region (d, region), !latest ? qualifier : control ? NULL : LF_DEP_LATEST);
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Function not found: %s", arn ? arn : name);
      return NULL;
    }
  if ((live = lf_dep_live (d, fn, v)))
    return live;
  lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "The operation cannot be performed at this time. The function is currently in the following state: %s",
             v->state == LF_DEP_FAILED ? "Failed" : "Pending");
  return NULL;
}

int
lf_deploy_check_region (lf_deploy *d, const char *name, const char *region, lf_refusal *no)
{
  const lf_dep_fn *fn = region ? lf_dep_lookup (d, name) : NULL;
  if (!fn || strcmp (fn->region, region) == 0)
    return 0;
  return lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Functions from '%s' are not reachable in this region ('%s')", region, fn->region);
}

void
lf_deploy_settings_changed (lf_deploy *d, const char *name)
{
  lf_refusal no;
  lf_dep_fn *fn = lf_dep_lookup (d, name);
  if (fn && lf_dep_save (d, fn, &no) < 0)
    lf_engine_tell (d->engine, "%s: %s", fn->name, no.text);
}
