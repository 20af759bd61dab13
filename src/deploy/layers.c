/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers and their versions. A deleted version is not shown any more, but functions that have it keep it.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define NAME_MAX_CHARS 140

void
lf_dep_layer_free (lf_dep_layer *l)
{
  if (!l)
    return;
  cJSON_Delete (l->versions);
  free (l->region);
  free (l->name);
  free (l);
}

lf_dep_layer *
lf_dep_layer_new (lf_deploy *d, const char *name, const char *region)
{
  lf_dep_layer *l = calloc (1, sizeof *l), **at = &d->layers;
  if (!l)
    return NULL;
  l->next_version = 1;
  l->name = lf_strdup (name);
  l->region = lf_strdup (region);
  l->versions = cJSON_CreateArray ();
  if (!l->name || !l->region || !l->versions)
    {
      lf_dep_layer_free (l);
      return NULL;
    }
  while (*at)
    at = &(*at)->next;
  *at = l;
  return l;
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

/* "NAME", "arn:...:layer:NAME" or with ":N" after it: *name is the caller's; *version 0 when there is none. */
static int
parse_name (const char *text, char **name, int64_t *version, lf_refusal *no)
{
  const char *at = lf_starts (text, "arn:") ? strstr (text, ":layer:") : NULL, *start = at ? at + strlen (":layer:") : text;
  size_t n = strcspn (start, ":");
  *version = 0;
  if (n == 0 || n > NAME_MAX_CHARS || strspn (start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != n
      || (start[n] && lf_parse_i64 (start + n + 1, 1, INT32_MAX, version) < 0))
    return lf_dep_no (no, LF_SVC_VALIDATION,
                      "1 validation error detected: Value '%.200s' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                      "(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+", text);
  *name = lf_strndup (start, n);
  return *name ? 0 : lf_dep_no_memory (no);
}

static lf_dep_layer *
find_layer (const lf_deploy *d, const char *name)
{
  for (lf_dep_layer *l = d->layers; l; l = l->next)
    if (strcmp (l->name, name) == 0)
      return l;
  return NULL;
}

static cJSON *
find_version (const lf_dep_layer *l, int64_t version)
{
  cJSON *v;
  if (l)
    cJSON_ArrayForEach (v, l->versions)
      if (lf_json_i64 (v, "version", 0) == version)
        return v;
  return NULL;
}

cJSON *
lf_dep_layer_version (lf_deploy *d, const char *arn, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int64_t version;
  if (parse_name (arn, &name, &version, no) < 0)
    return NULL;
  cJSON *v = find_version (find_layer (d, name), version);
  if (!v)
    lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Layer version %.300s does not exist.", arn);
  return v;
}

static char *
layer_arn (const lf_dep_layer *l, int64_t version)
{
  lf_function f;
  lf_function_init (&f);
  f.name = (char *) "";
  f.region = l->region;
  char *arn LF_CLEANUP (lf_freep) = lf_function_arn (&f, NULL);
  char *cut = arn ? strstr (arn, "function:") : NULL;
  if (!cut)
    return NULL;
  *cut = 0;
  return version ? lf_asprintf ("%slayer:%s:%lld", arn, l->name, (long long) version) : lf_asprintf ("%slayer:%s", arn, l->name);
}

/* ---- replies ----------------------------------------------------------------------------------------------------------------------------- */

static void
copy (cJSON *o, const cJSON *v, const char *from, const char *to)
{
  const cJSON *m = cJSON_GetObjectItemCaseSensitive (v, from);
  if (m && !cJSON_IsNull (m) && (!cJSON_IsArray (m) || m->child))
    cJSON_AddItemToObject (o, to, cJSON_Duplicate (m, true));
}

static void
add_version (cJSON *o, const lf_dep_layer *l, const cJSON *v)
{
  char *arn LF_CLEANUP (lf_freep) = layer_arn (l, lf_json_i64 (v, "version", 0));
  lf_json_add_str (o, "LayerVersionArn", arn);
  copy (o, v, "version", "Version");
  copy (o, v, "description", "Description");
  copy (o, v, "created", "CreatedDate");
  copy (o, v, "runtimes", "CompatibleRuntimes");
  copy (o, v, "license", "LicenseInfo");
  copy (o, v, "architectures", "CompatibleArchitectures");
}

static cJSON *
reply_whole (const lf_deploy_request *q, const lf_dep_layer *l, const cJSON *v, const char *base_url, lf_refusal *no)
{
  cJSON *o = lf_dep_empty (no), *content = o ? cJSON_AddObjectToObject (o, "Content") : NULL;
  char *arn LF_CLEANUP (lf_freep) = layer_arn (l, 0);
  char *url LF_CLEANUP (lf_freep) = lf_asprintf ("%s/lambdafit/code/%s.zip", base_url ? base_url : q->base_url, lf_json_str (v, "zip"));
  if (!content)
    return o;
  lf_json_add_str (content, "Location", url);
  copy (content, v, "sha256", "CodeSha256");
  copy (content, v, "zip_bytes", "CodeSize");
  lf_json_add_str (o, "LayerArn", arn);
  add_version (o, l, v);
  return o;
}

/* ---- publishing ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_dep_publishing
{
  char *name, *region, *base_url;
  lf_deploy_done done;
  void *user;
} lf_dep_publishing;

static void
publishing_free (lf_dep_publishing *p)
{
  if (!p)
    return;
  free (p->name);
  free (p->region);
  free (p->base_url);
  free (p);
}

static void
take_member (cJSON *v, const cJSON *request, const char *from, const char *to, bool list)
{
  const cJSON *m = cJSON_GetObjectItemCaseSensitive (request, from);
  if (m && (list ? cJSON_IsArray (m) : cJSON_IsString (m)))
    cJSON_AddItemToObject (v, to, cJSON_Duplicate (m, true));
}

static cJSON *
version_new (lf_dep_layer *l, const lf_dep_upload *u)
{
  lf_dep_version stamp;
  cJSON *v = cJSON_CreateObject ();
  lf_dep_touch (&stamp);
  lf_json_add_i64 (v, "version", l->next_version);
  lf_json_add_str (v, "created", stamp.modified);
  lf_json_add_str (v, "zip", u->code.hex);
  lf_json_add_str (v, "sha256", u->code.sha256);
  lf_json_add_i64 (v, "zip_bytes", u->code.zip_bytes);
  lf_json_add_i64 (v, "unzipped_bytes", u->code.unzipped_bytes);
  const char *description = lf_json_str (u->request, "Description");
  lf_json_add_str (v, "description", description ? description : "");
  take_member (v, u->request, "LicenseInfo", "license", false);
  take_member (v, u->request, "CompatibleRuntimes", "runtimes", true);
  take_member (v, u->request, "CompatibleArchitectures", "architectures", true);
  return v;
}

static int
check_room (const lf_deploy *d, lf_refusal *no)
{
  size_t n = 0;
  for (const lf_dep_layer *l = d->layers; l; l = l->next)
    n += l->versions->child != NULL;
  return n < LF_DEP_LAYERS_MAX ? 0 : lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %d layers: delete some", LF_DEP_LAYERS_MAX);
}

static cJSON *
publish (lf_deploy *d, const lf_dep_publishing *p, const lf_dep_upload *u, lf_refusal *no)
{
  lf_dep_layer *l = find_layer (d, p->name);
  if (lf_dep_check_layer_shape (u->request, no) < 0 || (!l && check_room (d, no) < 0))
    return NULL;
  if (!l && !(l = lf_dep_layer_new (d, p->name, lf_dep_region (d, p->region))))
    {
      lf_dep_no_memory (no);
      return NULL;
    }
  if (cJSON_GetArraySize (l->versions) >= LF_DEP_LAYER_VERSIONS_MAX)
    {
      lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %d versions of a layer: delete some", LF_DEP_LAYER_VERSIONS_MAX);
      return NULL;
    }
  cJSON *v = version_new (l, u);
  if (!v || !cJSON_AddItemToArray (l->versions, v))
    {
      cJSON_Delete (v);
      lf_dep_no_memory (no);
      return NULL;
    }
  l->next_version++;
  return lf_dep_save_layer (d, l, no) < 0 ? NULL : reply_whole (NULL, l, v, p->base_url, no);
}

static void
layer_uploaded (lf_deploy *d, lf_dep_upload *u, void *user)
{
  lf_dep_publishing *p = user;
  lf_refusal no = u->no;
  cJSON *reply LF_CLEANUP (lf_json_freep) = u->refused || d->closing ? NULL : publish (d, p, u, &no);
  p->done (reply, reply ? NULL : &no, p->user);
  publishing_free (p);
}

void
lf_deploy_publish_layer (lf_deploy *d, const lf_deploy_request *q, lf_buf *body, lf_deploy_done done, void *user)
{
  lf_refusal no;
  int64_t version;
  lf_dep_publishing *p = calloc (1, sizeof *p);
  if (p && parse_name (q->name, &p->name, &version, &no) == 0 && (p->region = lf_strdup (q->region ? q->region : "")) && (p->base_url = lf_strdup (q->base_url)))
    {
      p->done = done;
      p->user = user;
      lf_dep_receive (d, body, "Content", layer_uploaded, p);
      return;
    }
  if (!p || p->name)
    lf_dep_no_memory (&no);
  publishing_free (p);
  done (NULL, &no, user);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------------------------- */

static bool
in_list (const cJSON *list, const char *wanted)
{
  const cJSON *one;
  if (!wanted)
    return true;
  cJSON_ArrayForEach (one, list)
    if (cJSON_IsString (one) && strcmp (one->valuestring, wanted) == 0)
      return true;
  return false;
}

static bool
shown (const lf_deploy_request *q, const cJSON *v)
{
  return !lf_json_bool (v, "deleted", false) && in_list (cJSON_GetObjectItemCaseSensitive (v, "runtimes"), q->runtime)
         && in_list (cJSON_GetObjectItemCaseSensitive (v, "architectures"), q->arch);
}

/* The newest version that is shown; NULL: none. */
static const cJSON *
newest (const lf_deploy_request *q, const lf_dep_layer *l)
{
  const cJSON *v, *found = NULL;
  cJSON_ArrayForEach (v, l->versions)
    if (shown (q, v))
      found = v;
  return found;
}

cJSON *
lf_deploy_list_layers (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  size_t n = 0, from, to, at = 0;
  for (const lf_dep_layer *l = d->layers; l; l = l->next)
    n += newest (q, l) != NULL;
  if (lf_dep_page (q, 50, n, &from, &to, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_empty (no), *list = reply ? cJSON_AddArrayToObject (reply, "Layers") : NULL;
  for (const lf_dep_layer *l = d->layers; list && l; l = l->next)
    {
      const cJSON *v = newest (q, l);
      if (!v || at++ < from || at > to)
        continue;
      cJSON *o = cJSON_CreateObject ();
      char *arn LF_CLEANUP (lf_freep) = layer_arn (l, 0);
      cJSON_AddItemToArray (list, o);
      lf_json_add_str (o, "LayerName", l->name);
      lf_json_add_str (o, "LayerArn", arn);
      add_version (cJSON_AddObjectToObject (o, "LatestMatchingVersion"), l, v);
    }
  lf_dep_next_marker (reply, to, n);
  return reply;
}

cJSON *
lf_deploy_list_layer_versions (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int64_t version;
  size_t n = 0, from, to, at = 0;
  const cJSON *v;
  if (parse_name (q->name, &name, &version, no) < 0)
    return NULL;
  const lf_dep_layer *l = find_layer (d, name);
  const cJSON *versions = l ? l->versions : NULL;
  cJSON_ArrayForEach (v, versions)
    n += shown (q, v);
  if (lf_dep_page (q, 50, n, &from, &to, no) < 0)
    return NULL;
  cJSON *reply = lf_dep_empty (no), *list = reply ? cJSON_AddArrayToObject (reply, "LayerVersions") : NULL;
  for (int i = cJSON_GetArraySize (versions) - 1; list && i >= 0; i--) /* newest first */
    {
      v = cJSON_GetArrayItem (versions, i);
      if (!shown (q, v) || at++ < from || at > to)
        continue;
      cJSON *o = cJSON_CreateObject ();
      cJSON_AddItemToArray (list, o);
      add_version (o, l, v);
    }
  lf_dep_next_marker (reply, to, n);
  return reply;
}

static cJSON *
get (lf_deploy *d, const lf_deploy_request *q, const char *name, int64_t version, lf_refusal *no)
{
  const lf_dep_layer *l = find_layer (d, name);
  const cJSON *v = find_version (l, version);
  if (v && !lf_json_bool (v, "deleted", false))
    return reply_whole (q, l, v, NULL, no);
  lf_dep_no (no, LF_SVC_RESOURCE_NOT_FOUND, "%s", lf_svc_error_get (LF_SVC_RESOURCE_NOT_FOUND)->text);
  return NULL;
}

static int
path_version (const lf_deploy_request *q, char **name, int64_t *version, lf_refusal *no)
{
  if (parse_name (q->name, name, version, no) < 0)
    return -1;
  return lf_parse_i64 (q->arg, 1, INT32_MAX, version) == 0 ? 0 : lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "Layer Version Cannot be less than 1.");
}

cJSON *
lf_deploy_get_layer (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int64_t version;
  return path_version (q, &name, &version, no) < 0 ? NULL : get (d, q, name, version, no);
}

cJSON *
lf_deploy_get_layer_by_arn (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int64_t version;
  return parse_name (q->arn ? q->arn : "", &name, &version, no) < 0 ? NULL : get (d, q, name, version, no);
}

/* ---- deleting ----------------------------------------------------------------------------------------------------------------------------------- */

static bool
config_has (const cJSON *config, const char *name, int64_t version)
{
  const cJSON *one;
  cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive (config, "Layers"))
    {
      char *n LF_CLEANUP (lf_freep) = NULL;
      int64_t v;
      lf_refusal no;
      if (lf_starts (one->valuestring, "arn:") && parse_name (one->valuestring, &n, &v, &no) == 0 && v == version && strcmp (n, name) == 0)
        return true;
    }
  return false;
}

static bool
in_use (const lf_deploy *d, const char *name, int64_t version)
{
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    for (size_t i = 0; i < fn->n; i++)
      if (config_has (fn->v[i]->config, name, version))
        return true;
  return false;
}

cJSON *
lf_deploy_delete_layer (lf_deploy *d, const lf_deploy_request *q, lf_refusal *no)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  int64_t version;
  if (path_version (q, &name, &version, no) < 0)
    return NULL;
  lf_dep_layer *l = find_layer (d, name);
  cJSON *v = find_version (l, version);
  if (!v)
    return lf_dep_empty (no);
  if (!in_use (d, name, version))
    cJSON_Delete (cJSON_DetachItemViaPointer (l->versions, v));
  else if (!lf_json_bool (v, "deleted", false))
    cJSON_AddTrueToObject (v, "deleted");
  if (lf_dep_save_layer (d, l, no) < 0)
    return NULL;
  lf_dep_sweep (d);
  return lf_dep_empty (no);
}

void
lf_dep_purge_layers (lf_deploy *d)
{
  lf_refusal no;
  for (lf_dep_layer *l = d->layers; l; l = l->next)
    {
      bool any = false;
      for (cJSON *v = l->versions->child, *next; v; v = next)
        {
          next = v->next;
          if (!lf_json_bool (v, "deleted", false) || in_use (d, l->name, lf_json_i64 (v, "version", 0)))
            continue;
          cJSON_Delete (cJSON_DetachItemViaPointer (l->versions, v));
          any = true;
        }
      if (any && lf_dep_save_layer (d, l, &no) < 0)
        lf_engine_tell (d->engine, "%s", no.text);
    }
}
