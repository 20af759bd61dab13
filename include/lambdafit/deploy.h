/* SPDX-License-Identifier: Apache-2.0
 *
 * deploy: the control API's functions, versions, aliases and layers. What is created through it is kept in a folder beside the log and
 * served again by the next daemon; functions that the command line or a template describes can be read, changed and removed in the same
 * way, but only until the daemon ends. Requests come in as parsed JSON or, where they carry code, as bytes that a worker thread decodes
 * and unpacks; the loop never waits for either. Everything here is called on the loop's thread.
 *
 * Shapes, texts and states are those of the service (recordings of its API, and its clients' models).
 */
#ifndef LAMBDAFIT_DEPLOY_H
#define LAMBDAFIT_DEPLOY_H

#include "lambdafit/engine.h"

struct cJSON;
typedef struct lf_deploy lf_deploy;

/* What the caller is told instead of a reply. */
typedef struct lf_refusal
{
  lf_svc_error svc;
  char text[2600];
} lf_refusal;

typedef struct lf_deploy_options
{
  lf_engine *engine;
  const char *dir;             /* made when first needed */
  const char *region;          /* of what is created; NULL: the client's, where the profile knows it */
  lf_network network;
  int64_t keepalive_ms;        /* LF_NONE: the profile's */
  bool strict_runtime;
} lf_deploy_options;
/* Reads the folder and adds its functions to the engine, which has those of the command line already. Blocks (unpacks, starts interpreters):
 * before serving only. A file that cannot be read is told and passed over; a function that cannot be made ready is there, in state Failed. */
lf_deploy *lf_deploy_new (const lf_deploy_options *o, lf_error *err);
/* Nothing more is begun. The loop must run until its workers have ended; their requests are then answered as refused. */
void lf_deploy_close (lf_deploy *d);
bool lf_deploy_closing (const lf_deploy *d);
void lf_deploy_free (lf_deploy *d);

/* A request, its texts decoded and borrowed; what does not apply is NULL, LF_NONE or false. */
typedef struct lf_deploy_request
{
  const char *name;            /* the function or layer, or a whole ARN */
  const char *qualifier;       /* version or alias */
  const char *arg;             /* what the path names in it: a version, an alias, a statement */
  const char *region;          /* the client's */
  const char *base_url;        /* "http://HOST:PORT", as the client has it */
  const struct cJSON *body;    /* an object, or NULL */
  const char *marker, *arn, *revision, *runtime, *arch; /* of the query */
  int64_t max_items;
  bool all_versions;
  struct cJSON *tag_keys;      /* array of texts, or NULL */
} lf_deploy_request;

/* The reply, which is the caller's; an empty object where the service says nothing. NULL with *no filled. */
typedef struct cJSON *lf_deploy_op (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no);
/* Operations that carry code: *body is taken. `done` comes once, perhaps before this returns; the reply is borrowed, NULL with `no`. */
typedef void (*lf_deploy_done) (const struct cJSON *reply, const lf_refusal *no, void *user);
typedef void lf_deploy_code_op (lf_deploy *d, const lf_deploy_request *q, lf_buf *body, lf_deploy_done done, void *user);

lf_deploy_code_op lf_deploy_create_function, lf_deploy_update_code, lf_deploy_publish_layer;

lf_deploy_op lf_deploy_list_functions, lf_deploy_get_function, lf_deploy_get_config, lf_deploy_update_config, lf_deploy_delete_function,
    lf_deploy_account;
lf_deploy_op lf_deploy_publish_version, lf_deploy_list_versions, lf_deploy_create_alias, lf_deploy_get_alias, lf_deploy_list_aliases,
    lf_deploy_update_alias, lf_deploy_delete_alias;
lf_deploy_op lf_deploy_list_layers, lf_deploy_list_layer_versions, lf_deploy_get_layer, lf_deploy_get_layer_by_arn, lf_deploy_delete_layer;
lf_deploy_op lf_deploy_create_url, lf_deploy_get_url, lf_deploy_update_url, lf_deploy_delete_url, lf_deploy_list_urls;
lf_deploy_op lf_deploy_list_tags, lf_deploy_tag, lf_deploy_untag, lf_deploy_add_permission, lf_deploy_get_policy, lf_deploy_remove_permission;
/* Answers that never change here, but without which deploy tools stop. */
lf_deploy_op lf_deploy_signing, lf_deploy_runtime_management, lf_deploy_recursion, lf_deploy_scaling, lf_deploy_no_sources,
    lf_deploy_no_provisioned_list, lf_deploy_no_provisioned, lf_deploy_refuse_provisioned;

/* The function that an invocation of name and qualifier (NULL: none) is for: itself, a version, or what an alias says now. NULL with *no,
 * whose text is that of a control operation, or of an invocation. */
lf_live_fn *lf_deploy_resolve (lf_deploy *d, const char *name, const char *qualifier, const char *region, bool control, lf_refusal *no);
/* An ARN names its region: 0, or -1 with *no when the function is in another. */
int lf_deploy_check_region (lf_deploy *d, const char *name, const char *region, lf_refusal *no);
/* Before a body is parsed, which takes much more memory than its text: not too many values, and no NUL in a text. 0, or -1 with *no. */
int lf_deploy_check_body (const char *text, size_t n, lf_refusal *no);
/* Requests with code that are being worked on; more are refused, so that their memory has a bound. */
#define LF_DEPLOY_UPLOADS_MAX 16
size_t lf_deploy_uploads (const lf_deploy *d);
/* Settings changed that the engine holds (reserved concurrency, asynchronous events): keeps them. */
void lf_deploy_settings_changed (lf_deploy *d, const char *name);
/* The file of a stored zip by its digest, as replies' Location names it; NULL when there is none. The caller frees it. */
char *lf_deploy_code_path (const lf_deploy *d, const char *hex);

#endif
