/* SPDX-License-Identifier: Apache-2.0
 *
 * The folder: functions/NAME.json, layers/NAME.json, code/SHA256.zip. A file is written whole under another name and renamed, so a reader
 * sees all of it or nothing; it is not forced to disk, as the log is not: a killed daemon loses nothing, a power cut may lose the last
 * change. What cannot be read is told and left where it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define FORMAT 1

/* ---- writing ---------------------------------------------------------------------------------------------------------------------- */

static int
write_file (const char *path, const lf_buf *b)
{
  char *temp LF_CLEANUP (lf_freep) = lf_asprintf ("%s.tmp", path);
  int fd LF_CLEANUP (lf_closep) = temp ? open (temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
  size_t done = 0;
  if (fd < 0)
    return -1;
  while (done < b->len)
    {
      ssize_t n = write (fd, b->data + done, b->len - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          int e = errno;
          unlink (temp);
          errno = e;
          return -1;
        }
      done += (size_t) n;
    }
  return rename (temp, path);
}

static int
save (lf_deploy *d, const char *kind, const char *name, const cJSON *o, lf_refusal *no)
{
  lf_error err = { 0 };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", d->dir, kind);
  char *path LF_CLEANUP (lf_freep) = dir ? lf_asprintf ("%s/%s.json", dir, name) : NULL;
  lf_buf_init (&b, LF_DEP_FILE_MAX);
  if (!path || !o || lf_json_print_pretty (o, &b) < 0)
    return lf_dep_no_memory (no);
  if (lf_mkdir_p (dir, 0700, &err) < 0)
    return lf_dep_no_error (no, &err);
  if (write_file (path, &b) < 0)
    return lf_dep_no (no, LF_SVC_SERVICE, "%s cannot be written: %s. The change is in force until the daemon ends", path, strerror (errno));
  return 0;
}

static cJSON *
version_json (const lf_dep_version *v)
{
  cJSON *o = cJSON_CreateObject (), *code = o ? cJSON_AddObjectToObject (o, "code") : NULL;
  if (!code)
    return o;
  lf_json_add_str (o, "version", v->version);
  lf_json_add_str (o, "revision", v->revision);
  lf_json_add_str (o, "modified", v->modified);
  lf_json_add_str (code, "zip", v->code.hex);
  lf_json_add_str (code, "sha256", v->code.sha256);
  lf_json_add_i64 (code, "zip_bytes", v->code.zip_bytes);
  lf_json_add_i64 (code, "unzipped_bytes", v->code.unzipped_bytes);
  if (v->config)
    cJSON_AddItemToObject (o, "config", cJSON_Duplicate (v->config, true));
  return o;
}

static void
add_settings (const lf_deploy *d, const lf_dep_fn *fn, cJSON *o)
{
  const lf_live_fn *live = lf_dep_live (d, fn, fn->v[0]);
  const lf_function *f = live ? lf_live_fn_config (live) : NULL;
  if (!f)
    return;
  lf_json_add_i64 (o, "reserved", f->reserved);
  lf_json_add_i64 (o, "async_retries", f->async_retries);
  lf_json_add_i64 (o, "async_max_age_s", f->async_max_age_s);
  lf_json_add_str (o, "on_success", f->on_success);
  lf_json_add_str (o, "on_failure", f->on_failure);
  lf_json_add_str (o, "url_created", fn->url_created);
  lf_json_add_str (o, "url_modified", fn->url_modified);
  lf_dep_url_write (live, o);
}

int
lf_dep_save (lf_deploy *d, const lf_dep_fn *fn, lf_refusal *no)
{
  if (!fn->stored)
    return 0;
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  lf_json_add_i64 (o, "format", FORMAT);
  lf_json_add_str (o, "name", fn->name);
  lf_json_add_str (o, "region", fn->region);
  lf_json_add_i64 (o, "next_version", fn->next_version);
  add_settings (d, fn, o);
  cJSON_AddItemToObject (o, "tags", cJSON_Duplicate (fn->tags, true));
  cJSON_AddItemToObject (o, "policy", cJSON_Duplicate (fn->policy, true));
  cJSON_AddItemToObject (o, "aliases", cJSON_Duplicate (fn->aliases, true));
  cJSON *list = cJSON_AddArrayToObject (o, "versions");
  for (size_t i = 0; list && i < fn->n; i++)
    cJSON_AddItemToArray (list, version_json (fn->v[i]));
  return save (d, "functions", fn->name, o, no);
}

int
lf_dep_save_layer (lf_deploy *d, const lf_dep_layer *l, lf_refusal *no)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  lf_json_add_i64 (o, "format", FORMAT);
  lf_json_add_str (o, "name", l->name);
  lf_json_add_str (o, "region", l->region);
  lf_json_add_i64 (o, "next_version", l->next_version);
  cJSON_AddItemToObject (o, "versions", cJSON_Duplicate (l->versions, true));
  return save (d, "layers", l->name, o, no);
}

void
lf_dep_unsave (lf_deploy *d, const lf_dep_fn *fn)
{
  char *path LF_CLEANUP (lf_freep) = fn->stored ? lf_asprintf ("%s/functions/%s.json", d->dir, fn->name) : NULL;
  if (path)
    unlink (path);
}

/* ---- zips --------------------------------------------------------------------------------------------------------------------------- */

char *
lf_dep_zip (const lf_deploy *d, const char *hex)
{
  return hex && strlen (hex) == 64 && strspn (hex, "0123456789abcdef") == 64 ? lf_asprintf ("%s/code/%s.zip", d->dir, hex) : NULL;
}

char *
lf_deploy_code_path (const lf_deploy *d, const char *hex)
{
  char *path = lf_dep_zip (d, hex);
  if (path && access (path, R_OK) == 0)
    return path;
  free (path);
  return NULL;
}

static bool
needed (const lf_deploy *d, const char *file)
{
  const cJSON *v;
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    for (size_t i = 0; i < fn->n; i++)
      if (fn->v[i]->code.hex[0] && strncmp (file, fn->v[i]->code.hex, 64) == 0)
        return true;
  for (const lf_dep_layer *l = d->layers; l; l = l->next)
    cJSON_ArrayForEach (v, l->versions)
      if (lf_json_str (v, "zip") && strncmp (file, lf_json_str (v, "zip"), 64) == 0)
        return true;
  return false;
}

void
lf_dep_sweep (lf_deploy *d)
{
  lf_dep_purge_layers (d);
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/code", d->dir);
  DIR *list = dir && d->uploads == 0 && !d->keep_all ? opendir (dir) : NULL;
  if (!list)
    return;
  struct dirent *e;
  while ((e = readdir (list)))
    if (e->d_name[0] != '.' && !needed (d, e->d_name))
      unlinkat (dirfd (list), e->d_name, 0);
  closedir (list);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------- */

static void
pass_over (lf_deploy *d, const char *path, const char *why)
{
  d->keep_all = true;
  fprintf (stderr, "lambdafit: %s: %s; it is passed over\n  fix: correct it, or remove it and create it again\n", path, why);
}

static void
read_text (char *to, size_t size, const cJSON *o, const char *key)
{
  const char *s = lf_json_str (o, key);
  snprintf (to, size, "%s", s ? s : "");
}

/* NULL, or what is wrong. */
static const char *
read_version (lf_dep_fn *fn, const cJSON *o)
{
  const char *version = lf_json_str (o, "version");
  const cJSON *code = cJSON_GetObjectItemCaseSensitive (o, "code"), *config = cJSON_GetObjectItemCaseSensitive (o, "config");
  const char *hex = lf_json_str (code, "zip");
  int64_t number;
  bool latest = version && strcmp (version, LF_DEP_LATEST) == 0;
  if (!version || (!latest && lf_parse_i64 (version, 1, INT32_MAX, &number) < 0))
    return "a version has no number";
  if (!hex || strlen (hex) != 64 || !cJSON_IsObject (config))
    return "a version has no code or no configuration";
  lf_dep_version *v = lf_dep_version_get (fn, version);
  if (v && !latest)
    return "a version is there twice";
  if (!v && !(v = lf_dep_version_new (fn, version)))
    return "the system has no memory left";
  v->config = cJSON_Duplicate (config, true);
  read_text (v->code.hex, sizeof v->code.hex, code, "zip");
  read_text (v->code.sha256, sizeof v->code.sha256, code, "sha256");
  v->code.zip_bytes = lf_json_i64 (code, "zip_bytes", 0);
  v->code.unzipped_bytes = lf_json_i64 (code, "unzipped_bytes", 0);
  read_text (v->revision, sizeof v->revision, o, "revision");
  read_text (v->modified, sizeof v->modified, o, "modified");
  return v->config ? NULL : "the system has no memory left";
}

/* A list or object of the file in place of the empty one. */
static void
read_part (cJSON **to, const cJSON *o, const char *key)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, key);
  cJSON *copy = v && (v->type & 0xff) == ((*to)->type & 0xff) ? cJSON_Duplicate (v, true) : NULL;
  if (!copy)
    return;
  cJSON_Delete (*to);
  *to = copy;
}

static void
apply_settings (lf_deploy *d, lf_dep_fn *fn, const cJSON *o)
{
  lf_error err = { 0 };
  lf_live_fn *live = lf_dep_live (d, fn, fn->v[0]);
  int64_t reserved = lf_json_i64 (o, "reserved", LF_NONE), retries = lf_json_i64 (o, "async_retries", -1);
  lf_async_settings s = { .retries = retries >= 0 && retries <= 2 ? (int) retries : -1, .max_age_s = lf_json_i64 (o, "async_max_age_s", LF_NONE),
                          .on_success = lf_json_str (o, "on_success"), .on_failure = lf_json_str (o, "on_failure") };
  if (live && reserved != LF_NONE && lf_engine_set_reserved (live, reserved, &err) < 0)
    fprintf (stderr, "lambdafit: %s: %s\n", fn->name, err.why);
  if (live && (s.retries >= 0 || s.max_age_s != LF_NONE || s.on_success || s.on_failure) && lf_engine_set_async (live, &s, &err) < 0)
    fprintf (stderr, "lambdafit: %s: %s\n", fn->name, err.why);
  const cJSON *url = cJSON_GetObjectItemCaseSensitive (o, "url");
  if (live && cJSON_IsObject (url) && lf_dep_url_read (live, url) < 0)
    fprintf (stderr, "lambdafit: %s: the settings of its URL cannot be read\n", fn->name);
  read_text (fn->url_created, sizeof fn->url_created, o, "url_created");
  read_text (fn->url_modified, sizeof fn->url_modified, o, "url_modified");
}

static const char *
read_function (lf_deploy *d, const char *name, const cJSON *o, lf_dep_fn **out)
{
  const char *region = lf_json_str (o, "region");
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (o, "versions"), *v;
  *out = NULL;
  if (!lf_streq (lf_json_str (o, "name"), name))
    return "it does not hold the function that it is named after";
  if (!region || !cJSON_IsArray (list) || !cJSON_GetArraySize (list))
    return "it has no region or no versions";
  if (lf_engine_find_version (d->engine, name, LF_DEP_LATEST))
    return "a function of this name is described by the command line or its template, which counts more";
  lf_dep_fn *fn = *out = lf_dep_fn_new (d, name, region);
  if (!fn)
    return "the system has no memory left";
  fn->stored = true;
  fn->next_version = lf_json_i64 (o, "next_version", 1);
  read_part (&fn->tags, o, "tags");
  read_part (&fn->policy, o, "policy");
  read_part (&fn->aliases, o, "aliases");
  cJSON_ArrayForEach (v, list)
    {
      const char *why = read_version (fn, v);
      if (why)
        return why;
    }
  return fn->v[0]->config ? NULL : "it has no $LATEST";
}

static void
forget (lf_deploy *d, lf_dep_fn *fn)
{
  lf_dep_fn **at = &d->fns;
  while (*at && *at != fn)
    at = &(*at)->next;
  if (*at)
    *at = fn->next;
  lf_dep_fn_free (fn);
}

static void
load_function (lf_deploy *d, const char *name, const char *path, const cJSON *o)
{
  lf_dep_fn *fn;
  const char *why = read_function (d, name, o, &fn);
  if (why)
    {
      pass_over (d, path, why);
      if (fn)
        forget (d, fn);
      return;
    }
  for (size_t i = 0; i < fn->n; i++)
    lf_dep_make_ready_now (d, fn, fn->v[i]);
  apply_settings (d, fn, o);
}

static void
load_layer (lf_deploy *d, const char *name, const char *path, const cJSON *o)
{
  const char *region = lf_json_str (o, "region");
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (o, "versions"), *v;
  bool ok = region && cJSON_IsArray (list) && lf_streq (lf_json_str (o, "name"), name);
  cJSON_ArrayForEach (v, list)
    {
      char *zip LF_CLEANUP (lf_freep) = lf_dep_zip (d, lf_json_str (v, "zip"));
      ok = ok && zip && lf_json_i64 (v, "version", 0) > 0;
    }
  if (!ok)
    {
      pass_over (d, path, "it does not hold the versions of the layer that it is named after");
      return;
    }
  lf_dep_layer *l = lf_dep_layer_new (d, name, region);
  if (!l)
    return;
  l->next_version = lf_json_i64 (o, "next_version", 1);
  read_part (&l->versions, o, "versions");
}

static void
load_all (lf_deploy *d, const char *kind, void (*load) (lf_deploy *d, const char *name, const char *path, const cJSON *o))
{
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/%s", d->dir, kind);
  struct dirent **list;
  int n = dir ? scandir (dir, &list, NULL, alphasort) : -1;
  for (int i = 0; i < n; i++)
    {
      lf_error err = { 0 };
      char *name LF_CLEANUP (lf_freep) = lf_ends (list[i]->d_name, ".json") ? lf_strndup (list[i]->d_name, strlen (list[i]->d_name) - 5) : NULL;
      char *path LF_CLEANUP (lf_freep) = name ? lf_asprintf ("%s/%s", dir, list[i]->d_name) : NULL;
      cJSON *o LF_CLEANUP (lf_json_freep) = path ? lf_json_load (path, LF_DEP_FILE_MAX, &err) : NULL;
      if (path && (!cJSON_IsObject (o) || lf_json_i64 (o, "format", 0) != FORMAT))
        pass_over (d, path, err.why[0] ? err.why : "it is no file of this lambdafit");
      else if (path)
        load (d, name, path, o);
      free (list[i]);
    }
  if (n >= 0)
    free (list);
}

void
lf_dep_load (lf_deploy *d)
{
  load_all (d, "layers", load_layer);
  load_all (d, "functions", load_function);
  size_t n = 0;
  for (const lf_dep_fn *fn = d->fns; fn; fn = fn->next)
    n += fn->stored;
  if (n)
    lf_engine_tell (d->engine, "%zu function%s created through the API, kept in %s", n, n == 1 ? "" : "s", d->dir);
  /* What an interrupted upload left has no name that anybody knows. */
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/incoming", d->dir);
  lf_error ignored = { 0 };
  if (dir)
    lf_rm_rf (dir, &ignored);
}
