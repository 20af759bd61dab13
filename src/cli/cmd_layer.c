/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit layer: which verb; check and cache.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"

int
lf_layer_arch (const lf_args *a, lf_arch *out, lf_error *err)
{
  *out = LF_ARCH_X86_64;
  if (a->arch && lf_arch_parse (a->arch, out) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--arch", "x86_64 or arm64", "%.60s is no architecture of Lambda's", a->arch);
  return 0;
}

int
lf_layer_print (cJSON *json, int status)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int r = json ? lf_json_print_pretty (json, &b) : -1;
  cJSON_Delete (json);
  if (r == 0)
    printf ("%s\n", b.data);
  else
    {
      lf_error err = { 0 };
      (void) LF_FAIL_NOMEM (&err);
      return lf_cli_error (&err);
    }
  return status;
}

static int
usage (const char *what, const char *how)
{
  lf_error err = { 0 };
  (void) LF_FAIL (&err, LF_EXIT_USAGE, "layer", how, "%s", what);
  return lf_cli_error (&err);
}

static const char *
kind_of (const lf_problems *p)
{
  return p->is_image ? "image" : p->is_function ? "function" : "layer";
}

static void
print_problems (const char *target, const lf_problems *p)
{
  for (size_t i = 0; i < p->n; i++)
    {
      const lf_problem *q = &p->v[i];
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      lf_buf_addf (&b, "%s: ", q->rule);
      lf_buf_add_printable (&b, q->path, strlen (q->path));
      lf_buf_adds (&b, ": ");
      lf_buf_add_printable (&b, q->message, strlen (q->message));
      bool same = i + 1 < p->n && strcmp (q->fix, p->v[i + 1].fix) == 0; /* said once, after the last it is for */
      if (!same)
        lf_buf_addf (&b, "\n  fix: %s", q->fix);
      puts (b.data ? b.data : "");
    }
  printf ("%s: %s as %s %s%s%s on %s: ", target, p->n ? "checked" : "ok", p->is_image ? "an" : "a", kind_of (p), p->runtime[0] ? " for " : "", p->runtime,
          lf_arch_name (p->arch));
  if (p->n)
    printf ("%zu problem%s\n", p->n, p->n == 1 ? "" : "s");
  else
    puts ("no problems");
}

int
lf_layer_check (const lf_args *a)
{
  lf_error err = { 0 };
  lf_check_options o = { .runtime = a->runtime, .image_max_bytes = LF_NONE };
  if (a->rest_n != 2)
    return usage ("check takes one folder, zip or image", "lambdafit layer check TARGET");
  if (lf_layer_arch (a, &o.arch, &err) != 0)
    return lf_cli_error (&err);
  lf_profile *profile = lf_args_profile (a, &err);
  if (!profile)
    return lf_cli_error (&err);
  o.image_max_bytes = profile->image_max_bytes;
  lf_profile_free (profile);
  lf_problems p;
  if (lf_package_check (a->rest[1], &o, &p, &err) != 0)
    return lf_cli_error (&err);
  int status = p.n ? LF_EXIT_FAILED : LF_EXIT_OK;
  if (!a->json)
    print_problems (a->rest[1], &p);
  else
    {
      cJSON *json = cJSON_CreateObject (), *list = cJSON_AddArrayToObject (json, "problems");
      for (size_t i = 0; i < p.n; i++)
        {
          cJSON *o1 = cJSON_CreateObject ();
          lf_json_add_str (o1, "rule", p.v[i].rule);
          lf_json_add_str (o1, "path", p.v[i].path);
          lf_json_add_str (o1, "message", p.v[i].message);
          lf_json_add_str (o1, "fix", p.v[i].fix);
          cJSON_AddItemToArray (list, o1);
        }
      lf_json_add_str (json, "target", a->rest[1]);
      lf_json_add_str (json, "kind", kind_of (&p));
      lf_json_add_str (json, "runtime", p.runtime[0] ? p.runtime : NULL);
      lf_json_add_str (json, "arch", lf_arch_name (p.arch));
      status = lf_layer_print (json, status);
    }
  lf_problems_fini (&p);
  return status;
}

static void
cache_row (cJSON *list, lf_table *t, const lf_cache_entry *e)
{
  char used[32];
  lf_iso8601_ms (e->used_us, used);
  if (list)
    {
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "kind", e->kind);
      lf_json_add_str (o, "sha256", e->sha256);
      lf_json_add_i64 (o, "bytes", e->bytes);
      lf_json_add_i64 (o, "files", e->files);
      lf_json_add_str (o, "used", used);
      cJSON_AddItemToArray (list, o);
      return;
    }
  lf_table_add (t, "%s", e->kind);
  lf_table_add (t, "%.12s", e->sha256);
  lf_table_add (t, "%.1f MB", (double) e->bytes / (double) LF_MB);
  lf_table_add (t, "%lld files", (long long) e->files);
  lf_table_add (t, "%s", used);
}

/* Unpacks now what would be unpacked by the first run. */
static int
fill_cache (const lf_args *a)
{
  lf_error err = { 0 };
  lf_profile *profile = lf_args_profile (a, &err);
  int status = profile ? 0 : lf_cli_error (&err);
  for (int i = 2; i < a->rest_n && status == 0; i++)
    {
      lf_package p;
      if (lf_package_open (a->rest[i], profile->package_max_bytes, &p, &err) != 0)
        status = lf_cli_error (&err);
      else if (!a->quiet)
        printf ("%s: %.1f MB, %lld files\n", a->rest[i], (double) p.unzipped_bytes / (double) LF_MB, (long long) p.files);
      if (status == 0)
        lf_package_fini (&p);
    }
  lf_profile_free (profile);
  return status;
}

int
lf_layer_cache (const lf_args *a)
{
  const char *verb = a->rest_n > 1 ? a->rest[1] : "list";
  lf_error err = { 0 };
  if (strcmp (verb, "clear") == 0)
    {
      int64_t freed = lf_cache_clear ((a->max_mb == LF_NONE ? 0 : a->max_mb) * LF_MB);
      if (a->json)
        {
          cJSON *json = cJSON_CreateObject ();
          lf_json_add_i64 (json, "freed_bytes", freed);
          return lf_layer_print (json, 0);
        }
      printf ("%.1f MB freed; what running environments use was kept\n", (double) freed / (double) LF_MB);
      return 0;
    }
  if (strcmp (verb, "fill") == 0 && a->rest_n > 2)
    return fill_cache (a);
  if (strcmp (verb, "list") != 0 || a->rest_n > 2)
    return usage ("cache takes list, clear, or fill with zips", "lambdafit layer cache [list | clear [--max MB] | fill ZIP…]");
  lf_cache_entry *v;
  size_t n;
  if (lf_cache_list (&v, &n, &err) != 0)
    return lf_cli_error (&err);
  int64_t total = 0;
  cJSON *json = a->json ? cJSON_CreateObject () : NULL, *list = json ? cJSON_AddArrayToObject (json, "entries") : NULL;
  lf_table t;
  lf_table_init (&t, 5, "llrrl");
  for (size_t i = 0; i < n; i++)
    {
      cache_row (list, &t, &v[i]);
      total += v[i].bytes;
    }
  free (v);
  int status = 0;
  if (json)
    {
      lf_json_add_i64 (json, "bytes", total);
      status = lf_layer_print (json, 0);
    }
  else
    {
      lf_table_print (&t, stdout, "");
      printf ("%zu entries, %.1f MB\n", n, (double) total / (double) LF_MB);
    }
  lf_table_fini (&t);
  return status;
}

int
lf_cmd_layer (const lf_args *a)
{
  const char *verb = a->rest[0];
  if (strcmp (verb, "size") == 0)
    return lf_layer_size (a);
  if (strcmp (verb, "check") == 0)
    return lf_layer_check (a);
  if (strcmp (verb, "cache") == 0)
    return lf_layer_cache (a);
  if (strcmp (verb, "build") == 0 || strcmp (verb, "double-zip") == 0)
    return lf_layer_make (a, verb[0] == 'd');
  return usage ("no such verb", "lambdafit layer size | check | build | double-zip | cache");
}
