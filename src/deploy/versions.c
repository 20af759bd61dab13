/* SPDX-License-Identifier: Apache-2.0
 *
 * Published versions, and aliases that point to them.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- versions ----------------------------------------------------------------------------------------------------------------------- */

static bool
same_digest (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *a, const lf_dep_version *b)
{
  if (a->code.hex[0] || b->code.hex[0])
    return strcmp (a->code.hex, b->code.hex) == 0;
  const lf_live_fn *x = lf_dep_live (d, fn, a), *y = lf_dep_live (d, fn, b);
  return x && y && strcmp (lf_live_fn_config (x)->code_sha256, lf_live_fn_config (y)->code_sha256) == 0;
}

/* The newest version, if $LATEST is still what it was. */
static lf_dep_version *
unchanged (const lf_deploy *d, const lf_dep_fn *fn, const cJSON *config)
{
  lf_dep_version *last = fn->n > 1 ? fn->v[fn->n - 1] : NULL;
  cJSON *a LF_CLEANUP (lf_json_freep) = last ? cJSON_Duplicate (last->config, true) : NULL, *b LF_CLEANUP (lf_json_freep) = last ? cJSON_Duplicate (config, true) : NULL;
  if (!a || !b)
    return NULL;
  cJSON_DeleteItemFromObjectCaseSensitive (a, "Description"); /* may be its own */
  cJSON_DeleteItemFromObjectCaseSensitive (b, "Description");
  return cJSON_Compare (a, b, true) && same_digest (d, fn, fn->v[0], last) ? last : NULL;
}

static int
set_description (cJSON *config, const char *description)
{
  cJSON_DeleteItemFromObjectCaseSensitive (config, "Description");
  return lf_json_add_str (config, "Description", description);
}

lf_dep_version *
lf_dep_publish (lf_deploy *d, lf_dep_fn *fn, const char *description, lf_refusal *no)
{
  char number[24];
  cJSON *config = lf_dep_config_now (d, fn, fn->v[0]);
  lf_dep_version *last = config ? unchanged (d, fn, config) : NULL;
  if (last)
    {
      cJSON_Delete (config);
      return last;
    }
  if (fn->n > LF_DEP_VERSIONS_MAX)
    {
      cJSON_Delete (config);
      lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %d versions of a function: delete some", LF_DEP_VERSIONS_MAX);
      return NULL;
    }
  snprintf (number, sizeof number, "%lld", (long long) fn->next_version);
  const lf_live_fn *live = lf_dep_live (d, fn, fn->v[0]);
  const char *target = fn->v[0]->target ? fn->v[0]->target : live ? lf_live_fn_prepared (live)->package.source : NULL;
  lf_dep_version *v = config ? lf_dep_version_new (fn, number) : NULL;
  if (!v || (description && description[0] && set_description (config, description) < 0) || (target && !(v->target = lf_strdup (target))))
    {
      cJSON_Delete (config);
      if (v)
        lf_dep_version_drop (fn, v);
      lf_dep_no_memory (no);
      return NULL;
    }
  v->config = config;
  v->code = fn->v[0]->code;
  fn->next_version++;
  return v;
}

static const char *
latest_sha (const lf_deploy *d, const lf_dep_fn *fn)
{
  const lf_live_fn *live = fn->v[0]->code.hex[0] ? NULL : lf_dep_live (d, fn, fn->v[0]);
  return live ? lf_live_fn_config (live)->code_sha256 : fn->v[0]->code.sha256;
}

cJSON *
lf_deploy_publish_version (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  const char *sha = lf_json_str (q->body, "CodeSha256");
  if (!fn || lf_dep_check_version_shape (q->body, no) < 0 || lf_dep_check_free (d, fn, no) < 0 || lf_dep_check_revision (fn->v[0], lf_json_str (q->body, "RevisionId"), no) < 0)
    return NULL;
  if (sha && sha[0] && strcmp (sha, latest_sha (d, fn)) != 0)
    {
      lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE,
                 "CodeSHA256 (%.100s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", sha, latest_sha (d, fn));
      return NULL;
    }
  lf_dep_version *v = lf_dep_publish (d, fn, lf_json_str (q->body, "Description"), no);
  if (!v || lf_dep_save (d, fn, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_reply (d, fn, v, false);
  if (v->state == LF_DEP_PENDING)
    lf_dep_make_ready (d, fn, v);
  return reply;
}

cJSON *
lf_deploy_list_versions (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  size_t from, to;
  if (!fn || lf_dep_page (q, 10000, fn->n, &from, &to, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_empty (no), *list = reply ? cJSON_AddArrayToObject (reply, "Versions") : NULL;
  for (size_t i = from; list && i < to; i++)
    {
      cJSON *o = lf_dep_reply (d, fn, fn->v[i], true);
      char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, fn->v[i]->version);
      if (o && arn)
        cJSON_ReplaceItemInObjectCaseSensitive (o, "FunctionArn", cJSON_CreateString (arn));
      if (o)
        cJSON_AddItemToArray (list, o);
    }
  lf_dep_next_marker (reply, to, fn->n);
  return reply;
}

/* ---- aliases -------------------------------------------------------------------------------------------------------------------------- */

static int
check_alias_name (const char *name, lf_refusal *no)
{
  size_t n = name ? strlen (name) : 0;
  if (n > 0 && n <= 128 && strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n && strspn (name, "0123456789") != n)
    return 0;
  return lf_dep_no (no, LF_SVC_VALIDATION,
                    "1 validation error detected: Value '%.150s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                    "(?!^[0-9]+$)([a-zA-Z0-9-_]+)", name ? name : "");
}

static int
check_version (const lf_deploy *d, const lf_dep_fn *fn, const char *version, lf_refusal *no)
{
  if (version && lf_dep_version_get (fn, version))
    return 0;
  if (!version)
    return lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value null at 'functionVersion' failed to satisfy constraint: Member must not be null");
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, version);
  return lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Function not found: %s", arn ? arn : version);
}

static int
check_routing (const lf_deploy *d, const lf_dep_fn *fn, const cJSON *alias, lf_refusal *no)
{
  const cJSON *weights = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (alias, "RoutingConfig"), "AdditionalVersionWeights"), *w;
  cJSON_ArrayForEach (w, weights)
    {
      if (!cJSON_IsNumber (w) || w->valuedouble < 0 || w->valuedouble > 1)
        return lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value "
                                                 "must satisfy constraint: [Member must have value less than or equal to 1, Member must have value greater than or equal to 0]");
      if (strcmp (w->string, lf_json_str (alias, "FunctionVersion")) == 0)
        return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Invalid function version %s. Function version %s is already included in routing configuration.", w->string,
                          w->string);
      if (check_version (d, fn, w->string, no) < 0)
        return -1;
    }
  if (cJSON_GetArraySize (weights) > 1)
    return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Number of items in AdditionalVersionWeights cannot be greater than 1");
  if (cJSON_GetArraySize (weights) && (strcmp (lf_json_str (alias, "FunctionVersion"), LF_DEP_LATEST) == 0))
    return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "$LATEST is not supported for an alias pointing to more than 1 version");
  return 0;
}

static int
set_routing (cJSON *alias, const cJSON *request)
{
  const cJSON *r = cJSON_GetObjectItemCaseSensitive (request, "RoutingConfig");
  if (!r)
    return 0;
  cJSON_DeleteItemFromObjectCaseSensitive (alias, "RoutingConfig");
  const cJSON *weights = cJSON_GetObjectItemCaseSensitive (r, "AdditionalVersionWeights");
  if (!cJSON_GetArraySize (weights))
    return 0;
  return cJSON_AddItemToObject (cJSON_AddObjectToObject (alias, "RoutingConfig"), "AdditionalVersionWeights", cJSON_Duplicate (weights, true)) ? 0 : -1;
}

static cJSON *
alias_reply (lf_deploy *d, const lf_dep_fn *fn, const cJSON *alias, lf_refusal *no)
{
  cJSON *o = lf_dep_empty (no);
  const cJSON *m;
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, lf_json_str (alias, "Name"));
  lf_json_add_str (o, "AliasArn", arn);
  cJSON_ArrayForEach (m, alias)
    cJSON_AddItemToObject (o, m->string, cJSON_Duplicate (m, true));
  return o;
}

static void
new_revision (cJSON *alias)
{
  char id[37];
  lf_uuid4 (id);
  cJSON_DeleteItemFromObjectCaseSensitive (alias, "RevisionId");
  lf_json_add_str (alias, "RevisionId", id);
}

cJSON *
lf_deploy_create_alias (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  const char *name = lf_json_str (q->body, "Name"), *version = lf_json_str (q->body, "FunctionVersion"), *text = lf_json_str (q->body, "Description");
  if (!fn || lf_dep_check_alias_shape (q->body, no) < 0 || check_alias_name (name, no) < 0 || check_version (d, fn, version, no) < 0)
    return NULL;
  if (lf_dep_alias (fn, name))
    {
      char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, name);
      lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "Alias already exists: %s", arn ? arn : name);
      return NULL;
    }
  if (cJSON_GetArraySize (fn->aliases) >= LF_DEP_ALIASES_MAX)
    {
      lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %d aliases of a function", LF_DEP_ALIASES_MAX);
      return NULL;
    }
  cJSON *alias = lf_dep_empty (no);
  if (!alias)
    return NULL;
  lf_json_add_str (alias, "Name", name);
  lf_json_add_str (alias, "FunctionVersion", version);
  lf_json_add_str (alias, "Description", text ? text : "");
  new_revision (alias);
  if (set_routing (alias, q->body) < 0 || check_routing (d, fn, alias, no) < 0)
    {
      cJSON_Delete (alias);
      return NULL;
    }
  cJSON_AddItemToArray (fn->aliases, alias);
  return lf_dep_save (d, fn, no) < 0 ? NULL : alias_reply (d, fn, alias, no);
}

/* The alias that the path names. */
static cJSON *
find_alias (lf_deploy *d, const lf_deploy_request *q, lf_dep_fn **fn, lf_refusal *no)
{
  *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *alias = *fn ? lf_dep_alias (*fn, q->arg) : NULL;
  if (*fn && !alias)
    {
      char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, *fn, q->arg);
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Cannot find alias arn: %s", arn ? arn : q->arg);
    }
  return alias;
}

cJSON *
lf_deploy_get_alias (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  const cJSON *alias = find_alias (d, q, &fn, no);
  return alias ? alias_reply (d, fn, alias, no) : NULL;
}

cJSON *
lf_deploy_list_aliases (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  size_t n = fn ? (size_t) cJSON_GetArraySize (fn->aliases) : 0, from, to, at = 0;
  if (!fn || lf_dep_page (q, 10000, n, &from, &to, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_empty (no), *list = reply ? cJSON_AddArrayToObject (reply, "Aliases") : NULL;
  const cJSON *a;
  cJSON_ArrayForEach (a, fn->aliases)
    {
      cJSON *o = list && at >= from && at < to ? alias_reply (d, fn, a, no) : NULL;
      if (o)
        cJSON_AddItemToArray (list, o);
      at++;
    }
  lf_dep_next_marker (reply, to, n);
  return reply;
}

cJSON *
lf_deploy_update_alias (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn;
  cJSON *alias = find_alias (d, q, &fn, no);
  const char *version = lf_json_str (q->body, "FunctionVersion"), *text = lf_json_str (q->body, "Description"), *revision = lf_json_str (q->body, "RevisionId");
  if (!alias || lf_dep_check_alias_shape (q->body, no) < 0 || (version && check_version (d, fn, version, no) < 0))
    return NULL;
  if (revision && !lf_streq (revision, lf_json_str (alias, "RevisionId")))
    {
      lf_dep_no (no, LF_SVC_PRECONDITION_FAILED, "%s", lf_svc_error_get (LF_SVC_PRECONDITION_FAILED)->text);
      return NULL;
    }
  cJSON *now = cJSON_Duplicate (alias, true);
  if (version)
    cJSON_ReplaceItemInObjectCaseSensitive (now, "FunctionVersion", cJSON_CreateString (version));
  if (text)
    cJSON_ReplaceItemInObjectCaseSensitive (now, "Description", cJSON_CreateString (text));
  if (!now || set_routing (now, q->body) < 0 || check_routing (d, fn, now, no) < 0)
    {
      cJSON_Delete (now);
      return NULL;
    }
  new_revision (now);
  cJSON_ReplaceItemViaPointer (fn->aliases, alias, now);
  return lf_dep_save (d, fn, no) < 0 ? NULL : alias_reply (d, fn, now, no);
}

cJSON *
lf_deploy_delete_alias (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *alias = fn ? lf_dep_alias (fn, q->arg) : NULL;
  if (!fn)
    return NULL;
  if (alias)
    cJSON_Delete (cJSON_DetachItemViaPointer (fn->aliases, alias));
  return lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
}
