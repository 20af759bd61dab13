/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts about what is unpacked in the cache are kept beside it: its content never changes, and looking at thousands of files takes longer
 * than all else before a start. They go when the cache's entry goes. What is damaged, or of another version, is looked up anew.
 */
#include "config.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "facts.h"
#include "internal.h"

#define FORMAT 3
#define FILE_MAX (64 << 10)

const char *const lf_facts_kinds[LF_FACTS_KINDS] = { "structure", "architecture", "python-abi", "glibc", "libstdc++", "missing-library", "permissions" };

char *
lf_facts_path (const char *root, const lf_function *f)
{
  LF_CLEANUP (lf_freep) char *top = lf_cache_dir ();
  size_t n = top ? strlen (top) : 0;
  if (!root || n == 0 || strncmp (root, top, n) != 0 || root[n] != '/' || !lf_ends (root, "/root") || strchr (f->runtime, '/'))
    return NULL;
  return lf_asprintf ("%.*s/facts-%d-%s-%s-%s.json", (int) (strlen (root) - strlen ("/root")), root, FORMAT, PACKAGE_VERSION, f->runtime,
                      lf_arch_name (f->arch));
}

static int
add_problem (cJSON *list, const lf_package_problem *p, const lf_strv *targets)
{
  int64_t of = -1;
  for (size_t i = 0; i < targets->n; i++)
    if (strncmp (targets->v[i], p->target, sizeof p->target - 1) == 0)
      of = (int64_t) i;
  cJSON *o = cJSON_CreateObject ();
  if (!o || of < 0 || !cJSON_AddItemToArray (list, o))
    {
      cJSON_Delete (o);
      return -1;
    }
  return lf_json_add_i64 (o, "of", of) + lf_json_add_str (o, "kind", p->kind) + lf_json_add_str (o, "path", p->path)
         + lf_json_add_str (o, "what", p->what) + lf_json_add_str (o, "fix", p->fix);
}

void
lf_facts_keep (const char *path, const lf_package_facts *x, const lf_strv *targets)
{
  lf_error ignored = { 0 };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, FILE_MAX);
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  cJSON *list = o ? cJSON_AddArrayToObject (o, "problems") : NULL;
  int bad = !list || lf_json_add_i64 (o, "cuda_bytes", x->cuda_bytes) + lf_json_add_str (o, "cuda", x->cuda) != 0
            || lf_json_add_i64 (o, "prune_bytes", x->prune_bytes) + lf_json_add_str (o, "prune", x->prune) != 0;
  for (size_t i = 0; i < x->problems_n && !bad; i++)
    bad = add_problem (list, &x->problems[i], targets) != 0;
  if (!bad && lf_json_print (o, &b) == 0)
    (void) lf_write_file_atomic (path, b.data, b.len, &ignored); /* else it is looked up again the next time */
}

static bool
take (const cJSON *o, const char *key, char *to, size_t cap)
{
  const char *s = lf_json_str (o, key);
  if (s)
    lf_str_copy (to, cap, (lf_str){ s, strlen (s) });
  return s != NULL;
}

static bool
take_problem (const cJSON *o, const lf_strv *targets, lf_package_problem *p)
{
  const char *kind = lf_json_str (o, "kind");
  int64_t of = lf_json_i64 (o, "of", -1);
  for (size_t k = 0; k < LF_FACTS_KINDS && kind; k++)
    if (strcmp (lf_facts_kinds[k], kind) == 0)
      p->kind = lf_facts_kinds[k];
  if (!p->kind || of < 0 || (size_t) of >= targets->n)
    return false;
  lf_str_copy (p->target, sizeof p->target, (lf_str){ targets->v[of], strlen (targets->v[of]) });
  return take (o, "path", p->path, sizeof p->path) && take (o, "what", p->what, sizeof p->what) && take (o, "fix", p->fix, sizeof p->fix);
}

bool
lf_facts_kept (const char *path, const lf_strv *targets, lf_package_facts *out)
{
  lf_error ignored = { 0 };
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_load (path, FILE_MAX, &ignored);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive (o, "problems"), *one;
  lf_package_facts x = { .cuda_bytes = lf_json_i64 (o, "cuda_bytes", -1), .prune_bytes = lf_json_i64 (o, "prune_bytes", -1) };
  if (!o || !cJSON_IsArray (list) || x.cuda_bytes < 0 || x.prune_bytes < 0 || !take (o, "cuda", x.cuda, sizeof x.cuda)
      || !take (o, "prune", x.prune, sizeof x.prune))
    return false;
  cJSON_ArrayForEach (one, list)
    if (x.problems_n == LF_ARRAY_LEN (x.problems) || !take_problem (one, targets, &x.problems[x.problems_n++]))
      return false;
  *out = x;
  return true;
}
