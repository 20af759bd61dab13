/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit layer size: the limits, and what takes the space.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"

#define BAR 24
#define ROWS 25
#define TREE_SHARE 40 /* folders above 1/40 of the whole are shown */
#define TREE_DEPTH 6

typedef struct limit_row { const char *id, *title; int64_t used, allowed; bool broken; } limit_row;

static double
mb (int64_t bytes)
{
  return (double) bytes / (double) LF_MB;
}

/* Both size limits must be undercut; the number of layers, and the size of an image, may be reached. */
static size_t
limits_of (const lf_args *a, const lf_space *s, const lf_profile *p, limit_row out[3])
{
  size_t n = 0;
  if (s->is_image)
    {
      out[0] = (limit_row){ "image", "all layers, unpacked", s->unzipped_bytes, p->image_max_bytes, s->unzipped_bytes > p->image_max_bytes };
      return 1;
    }
  int64_t layers = a->layers.n ? (int64_t) a->layers.n : a->rest_n - 1;
  if (s->largest_zip != LF_NONE && !a->s3)
    out[n++] = (limit_row){ "zip", "zipped, direct upload", s->largest_zip, p->zip_max_bytes, s->largest_zip >= p->zip_max_bytes };
  out[n++] = (limit_row){ "package", "unzipped, code and layers", s->unzipped_bytes, p->package_max_bytes, s->unzipped_bytes >= p->package_max_bytes };
  out[n++] = (limit_row){ "layers", "layers", layers, p->layers_max, layers > p->layers_max };
  return n;
}

/* ---- images -------------------------------------------------------------------------------------------------------------------------- */

typedef struct said { lf_violation v[LF_VIOLATIONS_MAX]; size_t n; } said;

size_t
lf_image_judge (const lf_space *s, const char *name, lf_arch arch, const lf_profile *p, lf_violation out[LF_VIOLATIONS_MAX])
{
  lf_package_facts k = { 0 };
  lf_function f;
  lf_facts x;
  if (!s->is_image)
    return 0;
  lf_function_init (&f);
  f.name = (char *) (uintptr_t) name; /* borrowed */
  f.arch = arch;
  f.image_bytes = s->unzipped_bytes;
  lf_space_facts (s, &k);
  lf_facts_init (&x, &f, p, NULL, NULL);
  x.package = &k;
  return lf_judge (&x, 0, out);
}

static void
image_json (cJSON *json, const lf_space *s, const said *judged)
{
  cJSON *layers = cJSON_AddArrayToObject (json, "layers"), *list = cJSON_AddArrayToObject (json, "violations");
  for (size_t i = 0; i < s->layers_n; i++)
    {
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "name", s->layers[i].name);
      lf_json_add_str (o, "made_by", s->layers[i].made_by[0] ? s->layers[i].made_by : NULL);
      lf_json_add_i64 (o, "bytes", s->layers[i].bytes);
      lf_json_add_i64 (o, "hidden_bytes", s->layers[i].hidden_bytes);
      lf_json_add_i64 (o, "files", s->layers[i].files);
      cJSON_AddItemToArray (layers, o);
    }
  for (size_t i = 0; i < judged->n; i++)
    {
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "limit_id", judged->v[i].limit_id);
      lf_json_add_str (o, "severity", judged->v[i].severity == LF_SEV_BROKEN ? "broken" : "near");
      lf_json_add_str (o, "rule", judged->v[i].rule);
      lf_json_add_str (o, "message", judged->v[i].message);
      lf_json_add_str (o, "fix", judged->v[i].fix);
      cJSON_AddItemToArray (list, o);
    }
}

static void
print_layers (const lf_space *s)
{
  lf_table t;
  if (!s->is_image)
    return;
  puts ("");
  lf_table_init (&t, 4, "rrrl");
  lf_table_add (&t, "layer");
  lf_table_add (&t, "unpacked");
  lf_table_add (&t, "hidden");
  lf_table_add (&t, "made by");
  for (size_t i = 0; i < s->layers_n; i++)
    {
      lf_table_add (&t, "%zu", i + 1);
      lf_table_add (&t, "%.2f MB", mb (s->layers[i].bytes));
      lf_table_add (&t, "%.2f MB", mb (s->layers[i].hidden_bytes));
      lf_table_add (&t, "%.100s", s->layers[i].made_by[0] ? s->layers[i].made_by : s->layers[i].name);
    }
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
}

static void
print_judged (const said *judged)
{
  for (size_t i = 0; i < judged->n; i++)
    fprintf (stderr, "lambdafit: %s%s: %s\n  fix: %s\n", judged->v[i].limit_id, judged->v[i].severity == LF_SEV_NEAR ? " (near)" : "", judged->v[i].message, judged->v[i].fix);
}

static cJSON *
size_json (const lf_space *s, const limit_row *rows, size_t n, const lf_strv *targets)
{
  cJSON *json = cJSON_CreateObject (), *limits, *entries;
  lf_json_add_i64 (json, "zipped_bytes", s->zipped_bytes);
  lf_json_add_i64 (json, "unzipped_bytes", s->unzipped_bytes);
  lf_json_add_i64 (json, "files", s->files);
  limits = cJSON_AddArrayToObject (json, "limits");
  for (size_t i = 0; i < n; i++)
    {
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "limit", rows[i].id);
      lf_json_add_i64 (o, "used", rows[i].used);
      lf_json_add_i64 (o, "allowed", rows[i].allowed);
      if (rows[i].allowed > 0)
        cJSON_AddNumberToObject (o, "percent", (double) (rows[i].used * 10000 / rows[i].allowed) / 100);
      else
        cJSON_AddNullToObject (o, "percent");
      cJSON_AddBoolToObject (o, "broken", rows[i].broken);
      cJSON_AddItemToArray (limits, o);
    }
  entries = cJSON_AddArrayToObject (json, "entries");
  for (size_t i = 0; i < s->n; i++)
    {
      const lf_space_entry *e = &s->entries[i];
      cJSON *o = cJSON_CreateObject ();
      lf_json_add_str (o, "path", e->path);
      lf_json_add_str (o, "name", e->name);
      lf_json_add_str (o, "version", e->version);
      lf_json_add_str (o, "kind", lf_space_kind_name (e->kind));
      lf_json_add_i64 (o, "bytes", e->bytes);
      lf_json_add_i64 (o, "files", e->files);
      lf_json_add_str (o, "target", targets->v[e->target]);
      lf_json_add_str (o, "hint", e->hint);
      cJSON_AddItemToArray (entries, o);
    }
  return json;
}

static void
print_limits (const limit_row *rows, size_t n)
{
  lf_table t;
  lf_table_init (&t, 6, "lrrrrl");
  lf_table_add (&t, "limit");
  lf_table_add (&t, "used");
  lf_table_add (&t, "allowed");
  lf_table_add (&t, "left");
  lf_table_add (&t, "%%");
  lf_table_add (&t, "%s", "");
  for (size_t i = 0; i < n; i++)
    {
      const limit_row *r = &rows[i];
      bool count = strcmp (r->id, "layers") == 0;
      int64_t left = r->allowed - r->used;
      lf_table_add (&t, "%s (%s)", r->id, r->title);
      if (count)
        {
          lf_table_add (&t, "%lld", (long long) r->used);
          lf_table_add (&t, "%lld", (long long) r->allowed);
          lf_table_add (&t, "%lld", (long long) left);
        }
      else
        {
          lf_table_add (&t, "%.2f MB", mb (r->used));
          lf_table_add (&t, "%.0f MB", mb (r->allowed));
          lf_table_add (&t, "%.2f MB", mb (left));
        }
      if (r->allowed > 0)
        lf_table_add (&t, "%.1f", 100.0 * (double) r->used / (double) r->allowed);
      else
        lf_table_add (&t, "-");
      lf_table_add (&t, "%s", r->broken ? "TOO BIG" : "ok");
    }
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
}

static const char *
bar (int64_t bytes, int64_t largest, char out[BAR * 3 + 1])
{
  int64_t n = largest > 0 ? (bytes * BAR + largest - 1) / largest : 0;
  out[0] = '\0';
  for (int64_t i = 0; i < n && i < BAR; i++)
    strcat (out, "█");
  return out;
}

static void
print_entries (const lf_space *s)
{
  lf_table t;
  lf_table_init (&t, 5, "rllll");
  size_t shown = s->n < ROWS ? s->n : ROWS;
  for (size_t i = 0; i < shown; i++)
    {
      const lf_space_entry *e = &s->entries[i];
      char picture[BAR * 3 + 1];
      lf_table_add (&t, "%.2f MB", mb (e->bytes));
      lf_table_add (&t, "%s", bar (e->bytes, s->entries[0].bytes, picture));
      lf_table_add (&t, "%s", lf_space_kind_name (e->kind));
      lf_table_add (&t, "%.60s%s%.30s", e->name, e->version ? " " : "", e->version ? e->version : "");
      lf_table_add (&t, "%.80s%s%s", e->path, e->hint ? "  · " : "", e->hint ? e->hint : "");
    }
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
  int64_t rest = 0;
  for (size_t i = shown; i < s->n; i++)
    rest += s->entries[i].bytes;
  if (s->n > shown)
    printf ("%.2f MB in %zu smaller entries (--json lists all)\n", mb (rest), s->n - shown);
}


static const lf_space *sorting; /* qsort has no argument for it; one thread */

static int
larger_folder (const void *a, const void *b)
{
  const lf_space_folder *x = &sorting->folders[*(const size_t *) a], *y = &sorting->folders[*(const size_t *) b];
  if (x->bytes != y->bytes)
    return x->bytes > y->bytes ? -1 : 1;
  return strcmp (x->path, y->path);
}

/* Folders are in preorder, so the children of i follow it until the depth falls back. */
static void
print_folder (const lf_space *s, size_t i)
{
  const lf_space_folder *f = &s->folders[i];
  const char *slash = f->depth ? strrchr (f->path, '/') : NULL;
  lf_buf name LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&name, 0);
  const char *base = slash ? slash + 1 : f->path;
  lf_buf_add_printable (&name, base, strlen (base));
  printf ("%10.2f MB  %*s%s%s\n", mb (f->bytes), 2 * f->depth, "", name.data ? name.data : "", f->is_file ? "" : "/");
  size_t n = 0, end = i + 1;
  while (end < s->folders_n && s->folders[end].depth > f->depth)
    end++;
  LF_CLEANUP (lf_freep) size_t *child = f->depth < TREE_DEPTH ? malloc ((end - i) * sizeof *child) : NULL;
  if (!child)
    return;
  for (size_t k = i + 1; k < end; k++)
    if (s->folders[k].parent == i && s->folders[k].bytes * TREE_SHARE >= s->unzipped_bytes && s->folders[k].bytes >= 65536)
      child[n++] = k;
  sorting = s;
  qsort (child, n, sizeof *child, larger_folder);
  for (size_t k = 0; k < n; k++)
    print_folder (s, child[k]);
}

static void
print_tree (const lf_space *s)
{
  puts ("");
  for (size_t i = 0; i < s->folders_n; i++)
    if (s->folders[i].depth == 0)
      print_folder (s, i);
}

static void
print_verdict (const limit_row *rows, size_t n, const lf_space *s)
{
  for (size_t i = 0; i < n; i++)
    if (rows[i].broken && !s->is_image)
      {
        const char *id = rows[i].id;
        if (strcmp (id, "package") == 0)
          fprintf (stderr,
                   "lambdafit: package: Unzipped size must be smaller than %lld bytes. The actual size is %lld bytes.\n"
                   "  fix: leave out what is marked above; or lambdafit layer double-zip DIR -o layer.zip\n",
                   (long long) rows[i].allowed, (long long) s->unzipped_bytes);
        else if (strcmp (id, "zip") == 0)
          fprintf (stderr, "lambdafit: zip: Zipped size must be smaller than %lld bytes\n  fix: upload it through S3 (then --s3 leaves this limit out here)\n",
                   (long long) rows[i].allowed);
        else
          fprintf (stderr, "lambdafit: layers: Cannot reference more than %lld layers.\n  fix: merge layers: lambdafit layer build A.zip B.zip -o layer.zip\n",
                   (long long) rows[i].allowed);
      }
}

static int
write_html (const lf_args *a, const lf_space *s, const lf_profile *p, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_space_html (s, s->is_image ? p->image_max_bytes : p->package_max_bytes, &b) != 0)
    return LF_FAIL_NOMEM (err);
  return lf_write_file_atomic (a->html, b.data, b.len, err);
}

int
lf_layer_size (const lf_args *a)
{
  lf_error err = { 0 };
  lf_arch arch;
  lf_strv targets = { 0 };
  lf_space s = { 0 };
  said judged = { .n = 0 };
  if (lf_layer_arch (a, &arch, &err) != 0)
    return lf_cli_error (&err);
  lf_profile *p = lf_args_profile (a, &err);
  if (!p)
    return lf_cli_error (&err);
  int bad = 0, status;
  for (int i = 1; i < a->rest_n; i++)
    bad |= lf_strv_add (&targets, a->rest[i]);
  for (size_t i = 0; i < a->layers.n; i++)
    bad |= lf_strv_add (&targets, a->layers.v[i]);
  if (bad)
    (void) LF_FAIL_NOMEM (&err);
  if (bad || lf_space_measure (&targets, arch, &s, &err) != 0 || (a->html && write_html (a, &s, p, &err) != 0))
    status = lf_cli_error (&err);
  else
    {
      limit_row rows[3];
      size_t n = limits_of (a, &s, p, rows);
      status = LF_EXIT_OK;
      for (size_t i = 0; i < n; i++)
        status = rows[i].broken ? LF_EXIT_FAILED : status;
      const char *slash = strrchr (targets.v[0], '/');
      judged.n = lf_image_judge (&s, slash && slash[1] ? slash + 1 : targets.v[0], arch, p, judged.v);
      if (a->json)
        {
          cJSON *json = size_json (&s, rows, n, &targets);
          if (s.is_image)
            image_json (json, &s, &judged);
          status = lf_layer_print (json, status);
        }
      else
        {
          print_limits (rows, n);
          puts ("");
          print_entries (&s);
          print_tree (&s);
          print_layers (&s);
          fflush (stdout);
        }
      print_verdict (rows, n, &s);
      print_judged (&judged);
    }
  lf_space_fini (&s);
  lf_strv_fini (&targets);
  lf_profile_free (p);
  return status;
}
