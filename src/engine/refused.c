/* SPDX-License-Identifier: Apache-2.0
 *
 * A function that Lambda would not take is never run, but what the rules say of it belongs into the log all the same.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static int64_t
measure (const lf_strv *targets, lf_arch arch)
{
  lf_space space;
  lf_error ignored = { 0 };
  if (targets->n == 0)
    return 0;
  if (lf_space_measure (targets, arch, &space, &ignored) < 0)
    return LF_NONE;
  int64_t bytes = space.unzipped_bytes;
  lf_space_fini (&space);
  return bytes;
}

/* A package that is too large was not opened, or not to its end. */
static void
measure_package (lf_function *f, const char *target, lf_package_facts *k)
{
  lf_strv code LF_CLEANUP (lf_strv_fini) = { 0 };
  int64_t layers = measure (&f->layers, f->arch), own = lf_strv_add (&code, target) == 0 ? measure (&code, f->arch) : LF_NONE;
  if (layers == LF_NONE || own == LF_NONE)
    return;
  k->known = true;
  k->code_bytes = own;
  k->layer_bytes = layers;
  lf_package_space_facts (target, f, k);
  if (f->package_bytes == LF_NONE)
    f->package_bytes = own + layers;
}

void
lf_refused_judge (lf_function *f, const char *target, const lf_profile *p, const lf_error *why, lf_refused *out)
{
  lf_facts x;
  lf_package_facts k = { 0 };
  lf_violation all[LF_VIOLATIONS_MAX];
  out->n = 0;
  if (why->exit != LF_EXIT_FAILED && why->exit != LF_EXIT_USAGE)
    return;
  if (why->exit == LF_EXIT_FAILED)
    measure_package (f, target, &k);
  lf_facts_init (&x, f, p, NULL, NULL);
  x.package = &k;
  size_t n = lf_judge (&x, lf_wall_us (), all);
  for (size_t i = 0; i < n; i++)
    if (all[i].severity == LF_SEV_BROKEN && strcmp (all[i].rule, "zip_too_large") != 0) /* which can be uploaded another way */
      out->v[out->n++] = all[i];
  snprintf (out->name, sizeof out->name, "%s", f->name ? f->name : "");
  snprintf (out->region, sizeof out->region, "%s", f->region ? f->region : "");
}

int
lf_refused_write (lf_store *s, const lf_refused *r, lf_error *err)
{
  for (size_t i = 0; i < r->n; i++)
    {
      lf_violation v = r->v[i];
      v.function = r->name;
      if (lf_store_violation (s, &v, err) < 0)
        return -1;
    }
  return 0;
}

int
lf_refused_log (const lf_refused *r, const lf_profile *p, const char *db, const char *command, lf_error *err)
{
  char hostname[65] = "localhost";
  if (r->n == 0)
    return 0;
  gethostname (hostname, sizeof hostname - 1);
  lf_store *s = lf_store_open (db, err);
  if (!s)
    return -1;
  int64_t run = lf_store_run_begin (s, command, p->name, r->region[0] ? r->region : NULL, hostname, err);
  int rc = run < 0 || lf_refused_write (s, r, err) < 0 || lf_store_run_end (s, run, err) < 0 || lf_store_commit (s, err) < 0 ? -1 : 0;
  lf_store_close (s);
  return rc;
}
