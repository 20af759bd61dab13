/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the generated parts of docs/limits.md from limits.def and the shipped profiles. Without an argument it prints the table;
 * with the path of the page it rewrites the page.
 */
#include <stdio.h>

#include "limits_doc.h"

static int
fail (const lf_error *err)
{
  fprintf (stderr, "gen_limits_doc: %s: %s\n", err->what, err->why);
  return 1;
}

static void
free_profile (lf_profile **p)
{
  lf_profile_free (*p);
}

int
main (int argc, char **argv)
{
  lf_error err = { 0 };
  LF_CLEANUP (lf_buf_fini) lf_buf page, out;
  lf_buf_init (&page, 0);
  lf_buf_init (&out, 0);
  LF_CLEANUP (free_profile) lf_profile *now = lf_profile_load ("aws-lambda-2026-11", &err);
  LF_CLEANUP (free_profile) lf_profile *then = now != NULL ? lf_profile_load ("aws-lambda-2020-02", &err) : NULL;
  if (then == NULL)
    return fail (&err);
  lf_profile *profiles[] = { now, then };
  if (argc < 2)
    {
      if (lf_limits_doc_table (&out, profiles, 2) != 0)
        return 1;
      fputs (out.data, stdout);
      return 0;
    }
  if (lf_read_file (argv[1], 1 << 20, &page, &err) != 0 || lf_limits_doc_update (page.data, &out, profiles, 2, &err) != 0
      || lf_write_file_atomic (argv[1], out.data, out.len, &err) != 0)
    return fail (&err);
  return 0;
}
