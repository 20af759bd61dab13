/* SPDX-License-Identifier: Apache-2.0
 *
 * deploy, inside: functions and their versions, layers, and the workers.
 */
#ifndef LF_DEPLOY_INTERNAL_H
#define LF_DEPLOY_INTERNAL_H

#include <cjson/cJSON.h>
#include "lambdafit/deploy.h"

#define LF_DEP_LATEST "$LATEST"
#define LF_DEP_FUNCTIONS_MAX 1000
#define LF_DEP_VERSIONS_MAX 200
#define LF_DEP_ALIASES_MAX 200
#define LF_DEP_LAYERS_MAX 1000
#define LF_DEP_LAYER_VERSIONS_MAX 1000
#define LF_DEP_DESCRIPTION_MAX 256 /* of functions, versions, aliases and layers, as on Lambda */
#define LF_DEP_POLICY_MAX ((size_t) 20 << 10) /* as on Lambda */
#define LF_DEP_TAGS_MAX 50
#define LF_DEP_FILE_MAX ((size_t) 16 << 20)

/* A zip in the folder: code/HEX.zip. */
typedef struct lf_dep_code
{
  char hex[65];          /* "" when the code is where the command line says */
  char sha256[45];       /* base64, as replies have it */
  int64_t zip_bytes, unzipped_bytes;
} lf_dep_code;

typedef enum { LF_DEP_PENDING, LF_DEP_ACTIVE, LF_DEP_FAILED } lf_dep_state;

/* $LATEST or a published version. */
typedef struct lf_dep_version
{
  char version[24];
  cJSON *config;         /* members of a FunctionConfiguration that a caller can set; NULL: those of the function being served */
  lf_dep_code code;
  char *target;          /* without code: the folder or zip of the command line */
  char revision[37], modified[40];
  lf_dep_state state;    /* of its creation */
  bool updating;         /* LastUpdateStatus InProgress */
  bool update_failed;
  char why[400], why_code[40]; /* of what failed */
} lf_dep_version;

typedef struct lf_dep_fn lf_dep_fn;
struct lf_dep_fn
{
  char *name;
  char *region;
  bool stored;           /* created through the API: kept */
  uint64_t id;           /* of this creation */
  bool busy;             /* code is being received or made ready for it */
  lf_dep_version **v;    /* v[0] is $LATEST */
  size_t n;
  int64_t next_version;
  cJSON *aliases, *tags, *policy;
  char policy_revision[37];
  char url_created[32], url_modified[32];
  lf_dep_fn *next;
};

typedef struct lf_dep_layer lf_dep_layer;
struct lf_dep_layer
{
  char *name;
  char *region;
  cJSON *versions;       /* as in its file, oldest first; deleted ones stay while a function has them */
  int64_t next_version;
  lf_dep_layer *next;
};

typedef struct lf_dep_job lf_dep_job;

struct lf_deploy
{
  lf_engine *engine;
  const lf_profile *profile;
  char *dir, *region;
  lf_network network;
  int64_t keepalive_ms;
  bool strict_runtime, closing;
  bool keep_all;         /* a file was passed over: its zips are not known */
  uint64_t last_id;
  lf_dep_fn *fns;
  lf_dep_layer *layers;
  size_t uploads;        /* whose zip nobody names yet */
};

/* ---- refusals ----------------------------------------------------------------------------------------------------------------- */

/* Fills *no; is the value -1. */
int lf_dep_no (lf_refusal *no, lf_svc_error e, const char *fmt, ...) LF_PRINTF (3, 4);
/* An error of another room in the service's words: a text of a validation keeps its class. Is the value -1. */
int lf_dep_no_error (lf_refusal *no, const lf_error *err);
int lf_dep_no_memory (lf_refusal *no);

/* ---- registry.c ---------------------------------------------------------------------------------------------------------------- */

lf_dep_fn *lf_dep_fn_new (lf_deploy *d, const char *name, const char *region);
void lf_dep_fn_free (lf_dep_fn *fn);
lf_dep_version *lf_dep_version_new (lf_dep_fn *fn, const char *version); /* appended */
lf_dep_version *lf_dep_version_get (const lf_dep_fn *fn, const char *version);
void lf_dep_version_drop (lf_dep_fn *fn, lf_dep_version *v);
void lf_dep_touch (lf_dep_version *v);                                   /* a new revision, modified now */
/* Functions of the engine that are not known yet are taken in. */
void lf_dep_adopt (lf_deploy *d);
lf_dep_fn *lf_dep_lookup (lf_deploy *d, const char *name);               /* NULL: none */
lf_dep_fn *lf_dep_find (lf_deploy *d, const char *name, const char *region, lf_refusal *no);
/* The version that a qualifier (a number, an alias, NULL) means now. */
lf_dep_version *lf_dep_pick (lf_deploy *d, lf_dep_fn *fn, const char *qualifier, lf_refusal *no);
cJSON *lf_dep_alias (const lf_dep_fn *fn, const char *name);
lf_live_fn *lf_dep_live (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v);
char *lf_dep_arn (const lf_deploy *d, const lf_dep_fn *fn, const char *qualifier);
int lf_dep_check_revision (const lf_dep_version *v, const char *revision, lf_refusal *no);
/* Busy functions refuse changes, as the service does while an update is in progress. */
int lf_dep_check_free (const lf_deploy *d, const lf_dep_fn *fn, lf_refusal *no);

/* ---- config.c ------------------------------------------------------------------------------------------------------------------- */

/* What a CreateFunction asks for, or with `config` what a change makes of it. The caller's; NULL with *no. */
cJSON *lf_dep_config_create (const lf_deploy *d, const cJSON *request, lf_refusal *no);
cJSON *lf_dep_config_change (const cJSON *config, const cJSON *request, lf_refusal *no);
cJSON *lf_dep_config_now (const lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v); /* a copy */
/* The function as the engine needs it; layers are paths. NULL version: not served before. */
int lf_dep_function (lf_deploy *d, const lf_dep_fn *fn, const char *version, const cJSON *config, lf_function *out, lf_refusal *no);
/* All that the service refuses about settings, with code (may be NULL) and layers. */
bool lf_dep_is_whole (const cJSON *v); /* a whole number that a double holds exactly */
/* Kinds and lengths of what a request gives; -1: refused (shapes.c). */
int lf_dep_check_config_shape (const cJSON *config, lf_refusal *no);
int lf_dep_check_layer_shape (const cJSON *request, lf_refusal *no);
int lf_dep_check_alias_shape (const cJSON *request, lf_refusal *no);
int lf_dep_check_version_shape (const cJSON *request, lf_refusal *no);
int lf_dep_config_check (lf_deploy *d, const char *name, const cJSON *config, const lf_dep_code *code, lf_refusal *no);
cJSON *lf_dep_reply (lf_deploy *d, const lf_dep_fn *fn, const lf_dep_version *v, bool in_list);

/* ---- layers.c ------------------------------------------------------------------------------------------------------------------- */

/* One version's entry by the ARN a function names; NULL with *no. */
cJSON *lf_dep_layer_version (lf_deploy *d, const char *arn, lf_refusal *no);
void lf_dep_purge_layers (lf_deploy *d); /* deleted versions that no function has any more */
void lf_dep_layer_free (lf_dep_layer *l);
lf_dep_layer *lf_dep_layer_new (lf_deploy *d, const char *name, const char *region);

/* ---- files.c --------------------------------------------------------------------------------------------------------------------- */

int lf_dep_save (lf_deploy *d, const lf_dep_fn *fn, lf_refusal *no);     /* only what is stored */
int lf_dep_save_layer (lf_deploy *d, const lf_dep_layer *l, lf_refusal *no);
void lf_dep_unsave (lf_deploy *d, const lf_dep_fn *fn);
void lf_dep_load (lf_deploy *d);
void lf_dep_sweep (lf_deploy *d);                                        /* removes zips that nothing names */
char *lf_dep_zip (const lf_deploy *d, const char *hex);

/* ---- upload.c: bytes of a request become a checked zip in the folder -------------------------------------------------------------- */

typedef struct lf_dep_upload
{
  cJSON *request;        /* without its code */
  lf_dep_code code;      /* hex "" when the request carried none */
  lf_refusal no;
  bool refused;
} lf_dep_upload;
typedef void (*lf_dep_uploaded) (lf_deploy *d, lf_dep_upload *u, void *user);
/* `container` is the member that holds ZipFile ("Code", "Content"), NULL: the request itself. Takes *body. Comes back on the loop,
 * also when it closes. */
void lf_dep_receive (lf_deploy *d, lf_buf *body, const char *container, lf_dep_uploaded back, void *user);

/* ---- ready.c: a function is made ready to run in a worker, and given to the engine -------------------------------------------------- */

void lf_dep_make_ready (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v);
void lf_dep_make_ready_now (lf_deploy *d, lf_dep_fn *fn, lf_dep_version *v); /* blocks: before serving */

/* ---- functions.c ----------------------------------------------------------------------------------------------------------------- */

void lf_dep_remove (lf_deploy *d, lf_dep_fn *fn); /* no longer served, and forgotten */
int lf_dep_take_tags (lf_dep_fn *fn, const cJSON *tags, lf_refusal *no);

/* ---- versions.c --------------------------------------------------------------------------------------------------------------------- */

/* $LATEST as it is now under the next number, not made ready yet (state Pending); the last version when nothing changed since. */
lf_dep_version *lf_dep_publish (lf_deploy *d, lf_dep_fn *fn, const char *description, lf_refusal *no);

/* ---- urls.c -------------------------------------------------------------------------------------------------------------------------- */

int lf_dep_url_read (lf_live_fn *live, const cJSON *o);
void lf_dep_url_write (const lf_live_fn *live, cJSON *o); /* adds "url" to a function's file */

/* ---- small things ------------------------------------------------------------------------------------------------------------------- */

cJSON *lf_dep_empty (lf_refusal *no);                                     /* {} */
/* A page of a list: from the marker on, at most max_items. */
int lf_dep_page (const lf_deploy_request *q, int64_t most, size_t n, size_t *from, size_t *to, lf_refusal *no);
void lf_dep_next_marker (cJSON *reply, size_t to, size_t n);
const char *lf_dep_region (const lf_deploy *d, const char *client);

#endif
