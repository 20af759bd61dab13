/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit report: what the dashboard shows, as a document.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int
write_html (const lf_page *page, const char *path, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_page_html (page, &b) != 0)
    return LF_FAIL_NOMEM (err);
  if (strcmp (path, "-") == 0)
    return fwrite (b.data, 1, b.len, stdout) == b.len ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write the report");
  return lf_write_file_atomic (path, b.data, b.len, err);
}

static int
print_json (const lf_page *page, lf_error *err)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_page_json (page);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (o == NULL || lf_json_print_pretty (o, &b) != 0)
    return LF_FAIL_NOMEM (err);
  printf ("%s\n", b.data);
  return 0;
}

static int
print_markdown (const lf_page *page, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_page_markdown (page, &b) != 0)
    return LF_FAIL_NOMEM (err);
  fwrite (b.data, 1, b.len, stdout);
  return 0;
}

static int
print_page (const lf_args *a, const lf_page *page, lf_error *err)
{
  if (a->html != NULL && write_html (page, a->html, err) != 0)
    return -1;
  if (a->json)
    return print_json (page, err);
  if (a->md)
    return print_markdown (page, err);
  if (a->html == NULL && lf_page_text (page, stdout) != 0)
    return LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write the report");
  return 0;
}

static int
report (const lf_args *a, const lf_profile *profile, lf_store *store, lf_error *err)
{
  lf_report r;
  lf_report_filter f = { .function = a->function, .since_us = LF_NONE, .until_us = LF_NONE, .profile = profile, .region = a->region };
  if (a->since != NULL && lf_args_since (a->since, &f.since_us, err) < 0)
    return -1;
  if (lf_store_report (store, &f, &r, err) != 0)
    return -1;
  lf_page page = { &r, profile, lf_store_path (store) };
  int result = print_page (a, &page, err);
  lf_report_fini (&r);
  if (result == 0 && fflush (stdout) != 0)
    return LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write the report");
  return result;
}

int
lf_cmd_report (const lf_args *a)
{
  lf_error err = { 0 };
  bool stdout_twice = a->json + a->md + (a->html != NULL && strcmp (a->html, "-") == 0) > 1;
  if (stdout_twice)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, "report", "choose one of --json, --md and --html -; --html FILE goes with either", "only one form can go to standard output");
      return lf_cli_error (&err);
    }
  lf_profile *profile = lf_args_profile (a, &err);
  lf_store *store = profile != NULL ? lf_store_open_read (a->db, &err) : NULL;
  int status = LF_EXIT_OK;
  if (store == NULL || report (a, profile, store, &err) != 0)
    status = lf_cli_error (&err);
  lf_store_close (store);
  lf_profile_free (profile);
  return status;
}
