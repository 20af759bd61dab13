/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations on functions.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

/* With FunctionVersion=ALL every version is an entry, and $LATEST's ARN says so. */
static void
list_one (lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v, bool all, cJSON *list)
{
  cJSON *o = lf_dep_reply (d, fn, v, true);
  if (o && all && strcmp (v->version, LF_DEP_LATEST) == 0)
    {
      char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, LF_DEP_LATEST);
      cJSON *text = arn ? cJSON_CreateString (arn) : NULL;
      if (text)
        cJSON_ReplaceItemInObjectCaseSensitive (o, "FunctionArn", text);
    }
  if (o)
    cJSON_AddItemToArray (list, o);
}

cJSON *
lf_deploy_list_functions (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  size_t n = 0, from, to, at = 0;
  lf_dep_adopt (d);
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    n += q->all_versions ? fn->n : 1;
  if (lf_dep_page (q, 10000, n, &from, &to, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_empty (no), *list = reply ? cJSON_AddArrayToObject (reply, "Functions") : NULL;
  for (const lf_dep_fn *fn = d->fns; list && fn; fn = fn->next)
    for (size_t i = 0; i < (q->all_versions ? fn->n : 1); i++, at++)
      if (at >= from && at < to)
        list_one (d, fn, fn->v[i], q->all_versions, list);
  lf_dep_next_marker (reply, to, n);
  return reply;
}

/* "$LATEST" asked for by name is in the ARN of the answer. */
static cJSON *
reply_as_asked (lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v, const char *qualifier, lf_refusal *no)
{
  cJSON *o = lf_dep_reply (d, fn, v, false);
  char *arn LF_CLEANUP (lf_freep) = qualifier ? lf_dep_arn (d, fn, qualifier) : NULL;
  cJSON *text = arn ? cJSON_CreateString (arn) : NULL;
  if (o && text)
    cJSON_ReplaceItemInObjectCaseSensitive (o, "FunctionArn", text);
  else
    cJSON_Delete (text);
  if (!o)
    lf_dep_no_memory (no);
  return o;
}

cJSON *
lf_deploy_get_config (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  lf_dep_version *v = fn ? lf_dep_pick (d, fn, q->qualifier, no) : NULL;
  return v ? reply_as_asked (d, fn, v, q->qualifier, no) : NULL;
}

static void
add_location (const lf_deploy *d, const lf_deploy_request *q, const lf_dep_fn *fn, const lf_dep_version *v, cJSON *code)
{
  const lf_live_fn *live = lf_dep_live (d, fn, v);
  const char *source = v->target ? v->target : live ? lf_live_fn_prepared (live)->package.source : "";
  char *real LF_CLEANUP (lf_freep) = v->code.hex[0] ? NULL : realpath (source, NULL);
  char *url LF_CLEANUP (lf_freep)
      = v->code.hex[0] ? lf_asprintf ("%s/lambdafit/code/%s.zip", q->base_url, v->code.hex) : lf_asprintf ("file://%s", real ? real : source);
  lf_json_add_str (code, "RepositoryType", "S3");
  lf_json_add_str (code, "Location", url);
}

cJSON *
lf_deploy_get_function (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  lf_dep_version *v = fn ? lf_dep_pick (d, fn, q->qualifier, no) : NULL;
  cJSON *config = v ? reply_as_asked (d, fn, v, q->qualifier, no) : NULL, *o = config ? lf_dep_empty (no) : NULL;
  if (!o)
    {
      cJSON_Delete (config);
      return NULL;
    }
  cJSON_AddItemToObject (o, "Configuration", config);
  add_location (d, q, fn, v, cJSON_AddObjectToObject (o, "Code"));
  if (fn->tags->child)
    cJSON_AddItemToObject (o, "Tags", cJSON_Duplicate (fn->tags, true));
  const lf_live_fn *live = lf_engine_find_version (d->engine, fn->name, LF_DEP_LATEST);
  int64_t reserved = live ? lf_live_fn_config (live)->reserved : LF_NONE;
  if (reserved != LF_NONE)
    lf_json_add_i64 (cJSON_AddObjectToObject (o, "Concurrency"), "ReservedConcurrentExecutions", reserved);
  return o;
}

static void
add_usage (lf_live_fn *live, void *user)
{
  int64_t *sum = user;
  const lf_prepared *p = lf_live_fn_prepared (live);
  sum[0] += p->f.zip_bytes == LF_NONE ? p->package.unzipped_bytes : p->f.zip_bytes;
  sum[1] += lf_live_fn_config (live)->reserved == LF_NONE ? 0 : lf_live_fn_config (live)->reserved;
}

#define CODE_STORAGE (INT64_C (75) << 30) /* an account's default quota, 75 GB */

cJSON *
lf_deploy_account (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  (void) q;
  int64_t sum[2] = { 0, 0 }, n = 0, all = lf_engine_concurrency (d->engine);
  cJSON *o = lf_dep_empty (no), *limit = o ? cJSON_AddObjectToObject (o, "AccountLimit") : NULL;
  if (!limit)
    return o;
  lf_dep_adopt (d);
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    n++;
  lf_engine_each_fn (d->engine, add_usage, sum);
  lf_json_add_i64 (limit, "TotalCodeSize", CODE_STORAGE);
  lf_json_add_i64 (limit, "CodeSizeUnzipped", d->profile->package_max_bytes);
  lf_json_add_i64 (limit, "CodeSizeZipped", d->profile->zip_max_bytes);
  lf_json_add_i64 (limit, "ConcurrentExecutions", all);
  lf_json_add_i64 (limit, "UnreservedConcurrentExecutions", all - sum[1]);
  cJSON *usage = cJSON_AddObjectToObject (o, "AccountUsage");
  lf_json_add_i64 (usage, "TotalCodeSize", sum[0]);
  lf_json_add_i64 (usage, "FunctionCount", n);
  return o;
}

/* ---- creating ------------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_dep_asked
{
  char *name, *region;
  uint64_t id;           /* of the function to update */
  lf_deploy_done done;
  void *user;
} lf_dep_asked;

static lf_dep_asked *
asked_new (const lf_deploy_request *q, lf_deploy_done done, void *user)
{
  lf_dep_asked *a = calloc (1, sizeof *a);
  lf_refusal no;
  if (a && (!q->name || (a->name = lf_strdup (q->name))) && (!q->region || (a->region = lf_strdup (q->region))))
    {
      a->done = done;
      a->user = user;
      return a;
    }
  if (a)
    free (a->name);
  free (a);
  lf_dep_no_memory (&no);
  done (NULL, &no, user);
  return NULL;
}

static void
answer (lf_dep_asked *a, cJSON *reply, const lf_refusal *no)
{
  a->done (reply, reply ? NULL : no, a->user);
  cJSON_Delete (reply);
  free (a->name);
  free (a->region);
  free (a);
}

static int
check_new_name (lf_deploy *d, const char *given, char **name, lf_refusal *no)
{
  lf_error err = { 0 };
  char *qualifier LF_CLEANUP (lf_freep) = NULL, *region LF_CLEANUP (lf_freep) = NULL;
  size_t n = 0;
  if (!given)
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null");
  if (lf_function_name_parse (given, name, &qualifier, &region, &err) < 0)
    return lf_dep_no_error (no, &err);
  if (lf_dep_lookup (d, *name))
    return lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "Function already exist: %s", *name);
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    n++;
  return n < LF_DEP_FUNCTIONS_MAX ? 0
                                  : lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %d functions: delete some", LF_DEP_FUNCTIONS_MAX);
}

static int
check_tags (const lf_dep_fn *fn, const cJSON *tags, lf_refusal *no)
{
  const cJSON *t;
  int n = cJSON_GetArraySize (fn->tags);
  if (tags && !cJSON_IsNull (tags) && !cJSON_IsObject (tags))
    return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: Tags has a value of the wrong type");
  if (cJSON_GetArraySize (tags) > LF_DEP_TAGS_MAX)
    return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "A function has at most %d tags", LF_DEP_TAGS_MAX);
  cJSON_ArrayForEach (t, tags)
    {
      if (!cJSON_IsString (t))
        return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "The tag %.100s has no text", t->string);
      if (!t->string[0] || strlen (t->string) > 128 || strlen (t->valuestring) > 256)
        return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "The tag %.100s is too long: a key has 1 to 128 bytes, its text at most 256", t->string);
      n += cJSON_GetObjectItemCaseSensitive (fn->tags, t->string) == NULL;
    }
  return n <= LF_DEP_TAGS_MAX ? 0 : lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "A function has at most %d tags", LF_DEP_TAGS_MAX);
}

int
lf_dep_take_tags (lf_dep_fn *fn, const cJSON *tags, lf_refusal *no)
{
  const cJSON *t;
  if (check_tags (fn, tags, no) < 0)
    return -1;
  cJSON_ArrayForEach (t, tags)
    {
      cJSON_DeleteItemFromObjectCaseSensitive (fn->tags, t->string);
      lf_json_add_str (fn->tags, t->string, t->valuestring);
    }
  return 0;
}

static lf_dep_fn *
create (lf_deploy *d, lf_dep_upload *u, const char *region, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  cJSON *config LF_CLEANUP (lf_json_freep) = NULL;
  if (check_new_name (d, lf_json_str (u->request, "FunctionName"), &name, no) < 0 || !(config = lf_dep_config_create (d, u->request, no))
      || lf_dep_config_check (d, name, config, &u->code, no) < 0)
    return NULL;
  lf_dep_fn *fn = lf_dep_fn_new (d, name, lf_dep_region (d, region));
  if (!fn)
    {
      lf_dep_no_memory (no);
      return NULL;
    }
  lf_dep_version *v = fn->v[0];
  fn->stored = true;
  v->config = config;
  config = NULL;
  v->code = u->code;
  bool publish = lf_json_bool (u->request, "Publish", false);
  if (lf_dep_take_tags (fn, cJSON_GetObjectItemCaseSensitive (u->request, "Tags"), no) < 0 || (publish && !lf_dep_publish (d, fn, NULL, no))
      || lf_dep_save (d, fn, no) < 0)
    {
      lf_dep_remove (d, fn);
      return NULL;
    }
  for (size_t i = 0; i < fn->n; i++)
    lf_dep_make_ready (d, fn, fn->v[i]);
  return fn;
}

static void
create_uploaded (lf_deploy *d, lf_dep_upload *u, void *user)
{
  lf_dep_asked *a = user;
  lf_refusal no = u->no;
  lf_dep_fn *fn = u->refused || d->closing ? NULL : create (d, u, a->region, &no);
  answer (a, fn ? lf_dep_reply (d, fn, fn->v[fn->n - 1], false) : NULL, &no);
}

void
lf_deploy_create_function (lf_deploy *d, const lf_deploy_request *q, lf_buf *body, lf_deploy_done done, void *user)
{
  lf_dep_asked *a = asked_new (q, done, user);
  if (a)
    lf_dep_receive (d, body, "Code", create_uploaded, a);
}

/* ---- changing ------------------------------------------------------------------------------------------------------------------------- */

/* A function of the command line keeps its folder until it gets other code. */
static int
own_config (lf_deploy *d, lf_dep_fn *fn, lf_refusal *no)
{
  lf_dep_version *v = fn->v[0];
  const lf_live_fn *live = lf_dep_live (d, fn, v);
  if (!v->config && !(v->config = lf_dep_config_now (d, fn, v)))
    return lf_dep_no_memory (no);
  if (!v->code.hex[0] && !v->target && live && !(v->target = lf_strdup (lf_live_fn_prepared (live)->package.source)))
    return lf_dep_no_memory (no);
  return 0;
}

static void
begin_update (lf_deploy *d, lf_dep_fn *fn)
{
  lf_dep_version *v = fn->v[0];
  lf_dep_touch (v);
  v->updating = true;
  v->update_failed = false;
  if (v->state == LF_DEP_FAILED)
    v->state = LF_DEP_PENDING; /* it was never there: this is its creation */
  lf_dep_make_ready (d, fn, v);
}

cJSON *
lf_deploy_update_config (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  if (!fn || lf_dep_check_free (d, fn, no) < 0 || own_config (d, fn, no) < 0 || lf_dep_check_revision (fn->v[0], lf_json_str (q->body, "RevisionId"), no) < 0)
    return NULL;
  lf_dep_version *v = fn->v[0];
  cJSON *config = lf_dep_config_change (v->config, q->body, no);
  if (!config || lf_dep_config_check (d, fn->name, config, v->code.hex[0] ? &v->code : NULL, no) < 0)
    {
      cJSON_Delete (config);
      return NULL;
    }
  cJSON *before = v->config;
  v->config = config;
  if (lf_dep_save (d, fn, no) < 0)
    {
      v->config = before;
      cJSON_Delete (config);
      return NULL;
    }
  cJSON_Delete (before);
  begin_update (d, fn);
  cJSON *reply = lf_dep_reply (d, fn, v, false);
  if (!reply)
    lf_dep_no_memory (no);
  return reply;
}

static cJSON *
update_code (lf_deploy *d, lf_dep_fn *fn, lf_dep_upload *u, lf_refusal *no)
{
  lf_dep_version *v = fn->v[0];
  if (lf_dep_check_revision (v, lf_json_str (u->request, "RevisionId"), no) < 0 || own_config (d, fn, no) < 0)
    return NULL;
  cJSON *arch = cJSON_GetObjectItemCaseSensitive (u->request, "Architectures");
  cJSON *config LF_CLEANUP (lf_json_freep) = cJSON_Duplicate (v->config, true);
  if (config && cJSON_IsArray (arch))
    {
      cJSON_DeleteItemFromObjectCaseSensitive (config, "Architectures");
      cJSON_AddItemToObject (config, "Architectures", cJSON_Duplicate (arch, true));
    }
  if (!config || lf_dep_check_config_shape (config, no) < 0 || lf_dep_config_check (d, fn->name, config, &u->code, no) < 0)
    return config ? NULL : (lf_dep_no_memory (no), NULL);
  if (lf_json_bool (u->request, "DryRun", false))
    return lf_dep_reply (d, fn, v, false);
  cJSON *before = v->config;
  v->config = config;
  config = before; /* freed below */
  v->code = u->code;
  begin_update (d, fn);
  lf_dep_version *shown = v;
  if (lf_json_bool (u->request, "Publish", false) && (shown = lf_dep_publish (d, fn, NULL, no)) && shown->state == LF_DEP_PENDING)
    lf_dep_make_ready (d, fn, shown);
  cJSON *reply = shown && lf_dep_save (d, fn, no) == 0 ? lf_dep_reply (d, fn, shown, false) : NULL;
  return reply;
}

static void
code_uploaded (lf_deploy *d, lf_dep_upload *u, void *user)
{
  lf_dep_asked *a = user;
  lf_refusal no = u->no;
  cJSON *reply = NULL;
  lf_dep_fn *fn = d->fns;
  while (fn && fn->id != a->id)
    fn = fn->next;
  if (fn)
    fn->busy = false;
  if (!fn && !u->refused && !d->closing)
    lf_dep_find (d, a->name, a->region, &no); /* deleted meanwhile */
  else if (fn && !u->refused && !d->closing)
    reply = update_code (d, fn, u, &no);
  answer (a, reply, &no);
}

void
lf_deploy_update_code (lf_deploy *d, const lf_deploy_request *q, lf_buf *body, lf_deploy_done done, void *user)
{
  lf_refusal no;
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, &no);
  lf_dep_asked *a = NULL;
  if (!fn || lf_dep_check_free (d, fn, &no) < 0)
    done (NULL, &no, user);
  else if ((a = asked_new (q, done, user)))
    {
      a->id = fn->id;
      fn->busy = true;
      lf_dep_receive (d, body, NULL, code_uploaded, a);
    }
}

/* ---- deleting --------------------------------------------------------------------------------------------------------------------------- */

static void
stop_serving (lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v)
{
  lf_live_fn *live = lf_dep_live (d, fn, v);
  if (live)
    lf_engine_remove (live);
}

void
lf_dep_remove (lf_deploy *d, lf_dep_fn *fn)
{
  lf_dep_fn **at = &d->fns;
  for (size_t i = 0; i < fn->n; i++)
    stop_serving (d, fn, fn->v[i]);
  while (*at != fn)
    at = &(*at)->next;
  *at = fn->next;
  lf_dep_unsave (d, fn);
  lf_dep_fn_free (fn);
  lf_dep_sweep (d);
}

static bool
has_alias_for (const lf_dep_fn *fn, const char *version)
{
  const cJSON *a;
  cJSON_ArrayForEach (a, fn->aliases)
    if (lf_streq (lf_json_str (a, "FunctionVersion"), version)
        || cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (a, "RoutingConfig"), "AdditionalVersionWeights"),
                                             version))
      return true;
  return false;
}

static cJSON *
delete_version (lf_deploy *d, lf_dep_fn *fn, const char *qualifier, lf_refusal *no)
{
  lf_dep_version *v = lf_dep_version_get (fn, qualifier);
  if (v == fn->v[0] || lf_dep_alias (fn, qualifier))
    lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, v ? "$LATEST version cannot be deleted without deleting the function." : "Deletion of aliases is not currently supported.");
  else if (v && has_alias_for (fn, qualifier))
    lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT, "Version %s is referenced by an alias of %s", qualifier, fn->name);
  else if (v)
    {
      stop_serving (d, fn, v);
      lf_dep_version_drop (fn, v);
      if (lf_dep_save (d, fn, no) < 0)
        return NULL;
      lf_dep_sweep (d);
      return lf_dep_empty (no);
    }
  else
    return lf_dep_empty (no); /* nothing there: done, as on Lambda */
  return NULL;
}

cJSON *
lf_deploy_delete_function (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  if (!fn)
    return NULL;
  if (q->qualifier)
    return delete_version (d, fn, q->qualifier, no);
  lf_dep_remove (d, fn);
  return lf_dep_empty (no);
}
