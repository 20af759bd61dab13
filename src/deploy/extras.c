/* SPDX-License-Identifier: Apache-2.0
 *
 * What deploy tools ask for besides: tags, policies, and answers that never change here.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* ---- tags ---------------------------------------------------------------------------------------------------------------------------- */

static lf_dep_fn *
tagged (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL, *qualifier LF_CLEANUP (lf_freep) = NULL, *region LF_CLEANUP (lf_freep) = NULL;
  lf_error err = { 0 };
  if (!strstr (q->name, ":function:") || lf_function_name_parse (q->name, &name, &qualifier, &region, &err) < 0)
    {
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "The resource you requested does not exist.");
      return NULL;
    }
  return lf_dep_find (d, name, region, no);
}

cJSON *
lf_deploy_list_tags (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  const lf_dep_fn *fn = tagged (d, q, no);
  cJSON *o = fn ? lf_dep_empty (no) : NULL;
  if (o)
    cJSON_AddItemToObject (o, "Tags", cJSON_Duplicate (fn->tags, true));
  return o;
}

cJSON *
lf_deploy_tag (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = tagged (d, q, no);
  const cJSON *tags = cJSON_GetObjectItemCaseSensitive (q->body, "Tags");
  if (!fn)
    return NULL;
  if (!cJSON_IsObject (tags))
    {
      lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null");
      return NULL;
    }
  return lf_dep_take_tags (fn, tags, no) < 0 || lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
}

cJSON *
lf_deploy_untag (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = tagged (d, q, no);
  const cJSON *key;
  if (!fn)
    return NULL;
  cJSON_ArrayForEach (key, q->tag_keys)
    cJSON_DeleteItemFromObjectCaseSensitive (fn->tags, key->valuestring);
  return lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
}

/* ---- policies: kept and shown; nothing here asks them ------------------------------------------------------------------------------------ */

static const char *
text_or_empty (const char *s)
{
  return s ? s : "";
}

static cJSON *
find_statement (const lf_dep_fn *fn, const char *qualifier, const char *sid)
{
  cJSON *p;
  cJSON_ArrayForEach (p, fn->policy)
    if (lf_streq (lf_json_str (p, "qualifier"), text_or_empty (qualifier))
        && lf_streq (lf_json_str (cJSON_GetObjectItemCaseSensitive (p, "statement"), "Sid"), sid))
      return p;
  return NULL;
}

static void
add_condition (cJSON *statement, const char *operator_, const char *key, const char *value)
{
  if (!value)
    return;
  cJSON *all = cJSON_GetObjectItemCaseSensitive (statement, "Condition");
  if (!all)
    all = cJSON_AddObjectToObject (statement, "Condition");
  cJSON *one = cJSON_GetObjectItemCaseSensitive (all, operator_);
  if (!one)
    one = cJSON_AddObjectToObject (all, operator_);
  lf_json_add_str (one, key, value);
}

static void
add_principal (cJSON *s, const char *principal)
{
  if (strcmp (principal, "*") == 0)
    {
      lf_json_add_str (s, "Principal", "*");
      return;
    }
  bool service = strstr (principal, ".amazonaws.") != NULL, account = strspn (principal, "0123456789") == 12 && strlen (principal) == 12;
  char root[64];
  snprintf (root, sizeof root, "arn:aws:iam::%.12s:root", principal);
  lf_json_add_str (cJSON_AddObjectToObject (s, "Principal"), service ? "Service" : "AWS", account ? root : principal);
}

static cJSON *
statement_new (const cJSON *request, const char *resource)
{
  cJSON *s = cJSON_CreateObject ();
  lf_json_add_str (s, "Sid", lf_json_str (request, "StatementId"));
  lf_json_add_str (s, "Effect", "Allow");
  add_principal (s, lf_json_str (request, "Principal"));
  lf_json_add_str (s, "Action", lf_json_str (request, "Action"));
  lf_json_add_str (s, "Resource", resource);
  add_condition (s, "StringEquals", "AWS:SourceAccount", lf_json_str (request, "SourceAccount"));
  add_condition (s, "StringEquals", "lambda:EventSourceToken", lf_json_str (request, "EventSourceToken"));
  add_condition (s, "StringEquals", "lambda:FunctionUrlAuthType", lf_json_str (request, "FunctionUrlAuthType"));
  add_condition (s, "StringEquals", "aws:PrincipalOrgID", lf_json_str (request, "PrincipalOrgID"));
  add_condition (s, "ArnLike", "AWS:SourceArn", lf_json_str (request, "SourceArn"));
  return s;
}

static int
check_permission (const lf_dep_fn *fn, const lf_deploy_request *q, lf_refusal *no)
{
  static const char *const needed[] = { "StatementId", "Action", "Principal" };
  const char *revision = lf_json_str (q->body, "RevisionId");
  for (size_t i = 0; i < LF_ARRAY_LEN (needed); i++)
    if (!lf_json_str (q->body, needed[i]))
      return lf_dep_no (no, LF_SVC_VALIDATION, "1 validation error detected: Value null at '%c%s' failed to satisfy constraint: Member must not be null",
                        needed[i][0] | 32, needed[i] + 1);
  if (revision && strcmp (revision, fn->policy_revision) != 0)
    return lf_dep_no (no, LF_SVC_PRECONDITION_FAILED, "%s", lf_svc_error_get (LF_SVC_PRECONDITION_FAILED)->text);
  if (find_statement (fn, q->qualifier, lf_json_str (q->body, "StatementId")))
    return lf_dep_no (no, LF_SVC_RESOURCE_CONFLICT,
                      "The statement id (%.100s) provided already exists. Please provide a new statement id, or remove the existing statement.",
                      lf_json_str (q->body, "StatementId"));
  return 0;
}

/* All statements together have a maximum, with the one that would be added. */
static int
check_length (const lf_dep_fn *fn, const lf_buf *added, lf_refusal *no)
{
  lf_buf all LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&all, 2 * LF_DEP_POLICY_MAX);
  bool ok = lf_json_print (fn->policy, &all) == 0 && all.len + added->len <= LF_DEP_POLICY_MAX;
  return ok ? 0 : lf_dep_no (no, LF_SVC_POLICY_LENGTH, "The final policy size (%zu) is bigger than the limit (%zu).", all.len + added->len, LF_DEP_POLICY_MAX);
}

cJSON *
lf_deploy_add_permission (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  if (!fn || !lf_dep_pick (d, fn, q->qualifier, no) || check_permission (fn, q, no) < 0)
    return NULL;
  char *arn LF_CLEANUP (lf_freep) = lf_dep_arn (d, fn, q->qualifier);
  cJSON *p = lf_dep_empty (no), *s = p ? statement_new (q->body, arn) : NULL;
  lf_buf text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 0);
  if (!s || lf_json_print (s, &text) < 0)
    {
      cJSON_Delete (s);
      cJSON_Delete (p);
      lf_dep_no_memory (no);
      return NULL;
    }
  if (check_length (fn, &text, no) < 0)
    {
      cJSON_Delete (s);
      cJSON_Delete (p);
      return NULL;
    }
  lf_json_add_str (p, "qualifier", text_or_empty (q->qualifier));
  cJSON_AddItemToObject (p, "statement", s);
  cJSON_AddItemToArray (fn->policy, p);
  lf_uuid4 (fn->policy_revision);
  cJSON *reply = lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
  if (reply)
    lf_json_add_str (reply, "Statement", text.data);
  return reply;
}

cJSON *
lf_deploy_get_policy (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  const lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *policy LF_CLEANUP (lf_json_freep) = fn ? cJSON_CreateObject () : NULL;
  lf_buf text LF_CLEANUP (lf_buf_fini);
  const cJSON *p;
  lf_buf_init (&text, 0);
  if (!fn)
    return NULL;
  lf_json_add_str (policy, "Version", "2012-10-17");
  lf_json_add_str (policy, "Id", "default");
  cJSON *list = cJSON_AddArrayToObject (policy, "Statement");
  cJSON_ArrayForEach (p, fn->policy)
    if (lf_streq (lf_json_str (p, "qualifier"), text_or_empty (q->qualifier)))
      cJSON_AddItemToArray (list, cJSON_Duplicate (cJSON_GetObjectItemCaseSensitive (p, "statement"), true));
  if (!cJSON_GetArraySize (list))
    {
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "The resource you requested does not exist.");
      return NULL;
    }
  cJSON *o = lf_json_print (policy, &text) < 0 ? NULL : lf_dep_empty (no);
  if (o)
    {
      lf_json_add_str (o, "Policy", text.data);
      lf_json_add_str (o, "RevisionId", fn->policy_revision);
    }
  return o;
}

cJSON *
lf_deploy_remove_permission (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *p = fn ? find_statement (fn, q->qualifier, q->arg) : NULL;
  if (!fn)
    return NULL;
  if (!p)
    {
      lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "Statement %.100s is not found in resource policy.", q->arg);
      return NULL;
    }
  cJSON_Delete (cJSON_DetachItemViaPointer (fn->policy, p));
  lf_uuid4 (fn->policy_revision);
  return lf_dep_save (d, fn, no) < 0 ? NULL : lf_dep_empty (no);
}

/* ---- what never changes ------------------------------------------------------------------------------------------------------------------ */

/* Terraform's read fails on any error here: no configuration is an answer without one. */
cJSON *
lf_deploy_signing (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  const lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *o = fn ? lf_dep_empty (no) : NULL;
  if (o)
    lf_json_add_str (o, "FunctionName", fn->name);
  return o;
}

cJSON *
lf_deploy_runtime_management (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  const lf_dep_fn *fn = lf_dep_find (d, q->name, q->region, no);
  cJSON *o = fn ? lf_dep_empty (no) : NULL;
  char *arn LF_CLEANUP (lf_freep) = fn ? lf_dep_arn (d, fn, q->qualifier ? q->qualifier : LF_DEP_LATEST) : NULL;
  if (o)
    {
      lf_json_add_str (o, "UpdateRuntimeOn", "Auto");
      lf_json_add_str (o, "FunctionArn", arn);
    }
  return o;
}

cJSON *
lf_deploy_recursion (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  cJSON *o = lf_dep_find (d, q->name, q->region, no) ? lf_dep_empty (no) : NULL;
  if (o)
    lf_json_add_str (o, "RecursiveLoop", "Terminate");
  return o;
}

cJSON *
lf_deploy_scaling (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  return lf_dep_find (d, q->name, q->region, no) ? lf_dep_empty (no) : NULL;
}

cJSON *
lf_deploy_no_provisioned_list (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  cJSON *o = lf_dep_find (d, q->name, q->region, no) ? lf_dep_empty (no) : NULL;
  if (o)
    cJSON_AddArrayToObject (o, "ProvisionedConcurrencyConfigs");
  return o;
}

cJSON *
lf_deploy_no_provisioned (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  if (lf_dep_find (d, q->name, q->region, no))
    lf_dep_no (no, LF_SVC_NO_PROVISIONED, "No Provisioned Concurrency Config found for this function");
  return NULL;
}

cJSON *
lf_deploy_refuse_provisioned (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  if (lf_dep_find (d, q->name, q->region, no))
    lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE,
               "lambdafit makes no environments before they are needed: leave provisioned concurrency out here. What it would cost is in the profile's prices");
  return NULL;
}

cJSON *
lf_deploy_no_sources (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  (void) d;
  (void) q;
  cJSON *o = lf_dep_empty (no);
  if (o)
    cJSON_AddArrayToObject (o, "EventSourceMappings");
  return o;
}
