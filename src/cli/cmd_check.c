/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit check: the CI gate.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "config.h"
#include "lambdafit/store.h"

/* ---- reading ---------------------------------------------------------------------------------------------------------------------------- */

static int
option_kind (const char *name)
{
  const lf_opt *o = lf_opt_find (name, strlen (name));
  if (!o || !o->in_function)
    return -1;
  return o->type == LF_OPT_FLAG ? 0 : o->type == LF_OPT_LIST ? 2 : 1;
}

/* Function options as a file writes them: with "_" for "-". */
static int
option_names (lf_strv *out)
{
  for (size_t i = 0; i < lf_opts_n; i++)
    if (lf_opts[i].in_function)
      {
        if (lf_strv_add (out, lf_opts[i].name) < 0)
          return -1;
        for (char *p = out->v[out->n - 1]; *p; p++)
          *p = *p == '-' ? '_' : *p;
      }
  return 0;
}

/* As seen from where the command was started, for a process that goes elsewhere. */
static char *
from_here (const lf_checking *k, const char *path)
{
  return path[0] == '/' ? lf_strdup (path) : lf_asprintf ("%s/%s", k->cwd, path);
}

static int
go_beside (const char *path, lf_error *err)
{
  const char *slash = strrchr (path, '/');
  char *dir LF_CLEANUP (lf_freep) = slash ? lf_strndup (path, slash == path ? 1 : (size_t) (slash - path)) : NULL;
  if (slash && !dir)
    return LF_FAIL_NOMEM (err);
  if (dir && chdir (dir) < 0)
    return LF_FAIL (err, LF_EXIT_IO, dir, "", "cannot go there: %s", strerror (errno));
  return 0;
}

static int
parse_text (lf_checking *k, const char *text, size_t n, const char *path, lf_error *err)
{
  lf_strv names = { 0 };
  lf_doc *doc = lf_doc_read (text, n, path, err);
  if (!doc || option_names (&names) < 0)
    {
      lf_doc_free (doc);
      lf_strv_fini (&names);
      return doc ? LF_FAIL_NOMEM (err) : -1;
    }
  lf_check_names known = { option_kind, (const char *const *) names.v, names.n };
  k->check = lf_check_parse (doc, path, &known, err);
  lf_strv_fini (&names);
  return k->check ? 0 : -1;
}

static int
read_file (lf_checking *k, lf_error *err)
{
  const char *path = k->a->rest_n ? k->a->rest[0] : LF_CHECK_FILE;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_read_file (path, LF_CHECK_BYTES_MAX, &b, err) < 0)
    {
      if (err->sys_errno == ENOENT || access (path, F_OK) < 0)
        return LF_FAIL (err, LF_EXIT_USAGE, path, "lambdafit check --init writes one", "there is no such check file");
      return -1;
    }
  return parse_text (k, b.data ? b.data : "", b.len, path, err) < 0 ? -1 : go_beside (path, err);
}

static int
read_baseline (lf_checking *k, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (k->a->update || access (LF_CHECK_BASELINE, F_OK) < 0)
    return 0;
  if (lf_read_file (LF_CHECK_BASELINE, LF_CHECK_BYTES_MAX, &b, err) < 0)
    return -1;
  k->baseline = lf_baseline_parse (b.data ? b.data : "", b.len, LF_CHECK_BASELINE, err);
  return k->baseline ? 0 : -1;
}

/* A profile's file that is named on the command line or in the environment is seen from where the command was started. */
static int
read_profile (lf_checking *k, lf_error *err)
{
  lf_args a;
  lf_args_init (&a);
  const char *env = getenv ("LAMBDAFIT_PROFILE");
  const char *named = k->a->profile ? k->a->profile : !k->check->profile && env && *env ? env : NULL;
  char *path LF_CLEANUP (lf_freep) = named && k->cwd && (strchr (named, '/') || lf_ends (named, ".json")) ? from_here (k, named) : NULL;
  a.profile = path ? path : named ? named : k->check->profile;
  a.region = k->a->region ? k->a->region : k->check->region;
  k->profile = lf_args_profile (&a, err);
  return k->profile ? 0 : -1;
}

static int
read_events (lf_checking *k, lf_error *err)
{
  k->observed = calloc (k->check->functions_n, sizeof *k->observed);
  if (!k->observed)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < k->check->functions_n; i++)
    {
      lf_observed *o = &k->observed[i];
      *o = (lf_observed){ .of = &k->check->functions[i], .name = k->check->functions[i].name, .profile = k->profile };
      if (lf_check_events_load (k->check, o->of, &o->events, &o->events_n, err) < 0)
        return -1;
    }
  return 0;
}

static int
read_shard (lf_checking *k, lf_error *err)
{
  int64_t i = 0, n = 0;
  const char *at = k->a->shard;
  k->shard = k->shards = 1;
  if (!k->a->shard)
    return 0;
  if (k->a->from)
    return LF_FAIL (err, LF_EXIT_USAGE, "--shard", "leave one of the two out", "--from judges a whole log and runs nothing");
  if (lf_take_i64 (&at, 1000, &i) < 0 || *at++ != '/' || lf_take_i64 (&at, 1000, &n) < 0 || *at || i < 1 || n < i)
    return LF_FAIL (err, LF_EXIT_USAGE, "--shard", "the first of three is --shard 1/3", "\"%.40s\" is no part I/N", k->a->shard);
  if (k->a->update)
    return LF_FAIL (err, LF_EXIT_USAGE, "--update", "merge the logs of all shards, then: lambdafit check --from MERGED.db --update",
                    "a shard measures only a part of what a baseline holds");
  k->shard = (int) i;
  k->shards = (int) n;
  return 0;
}

/* The log: the one that is named, else a new one beside the file each time. */
static int
choose_log (lf_checking *k, lf_error *err)
{
  const char *env = getenv ("LAMBDAFIT_DB");
  const char *named = k->a->from ? k->a->from : k->a->db ? k->a->db : env && *env ? env : NULL;
  char *here LF_CLEANUP (lf_freep) = named ? NULL : getcwd (NULL, 0);
  k->db = named ? from_here (k, named) : here ? lf_asprintf ("%s/%s", here, LF_CHECK_LOG) : NULL;
  if (!k->db)
    return LF_FAIL_NOMEM (err);
  static const char *const parts[] = { LF_CHECK_LOG, LF_CHECK_LOG "-wal", LF_CHECK_LOG "-shm" };
  for (size_t i = 0; !named && i < LF_ARRAY_LEN (parts); i++)
    if (unlink (parts[i]) < 0 && errno != ENOENT)
      return LF_FAIL (err, LF_EXIT_IO, parts[i], "use another place with --db FILE", "the log of the last check cannot be removed: %s", strerror (errno));
  return 0;
}

/* A shard without any event leaves a log too, so that what collects them finds each. */
static int
make_log (const lf_checking *k, lf_error *err)
{
  lf_store *s = k->shards > 1 ? lf_store_open (k->db, err) : NULL;
  lf_store_close (s);
  return s || k->shards == 1 ? 0 : -1;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------------------- */

static int
write_text (const lf_checking *k, const char *path, const lf_buf *b, lf_error *err)
{
  if (strcmp (path, "-") == 0)
    {
      fwrite (b->data, 1, b->len, stdout);
      return 0;
    }
  char *real LF_CLEANUP (lf_freep) = from_here (k, path);
  return real ? lf_write_file_atomic (real, b->data, b->len, err) : LF_FAIL_NOMEM (err);
}

static int
append_text (const char *path, const lf_buf *b, lf_error *err)
{
  FILE *f = fopen (path, "a");
  bool ok = f && fwrite (b->data, 1, b->len, f) == b->len;
  ok = f && fclose (f) == 0 && ok;
  return ok ? 0 : LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be written: %s", strerror (errno));
}

typedef int (*document) (const lf_check_report *r, lf_buf *out);

/* One document: to a file, to standard output, or appended to the summary that GitHub collects. */
static int
write_document (const lf_checking *k, const lf_check_report *r, document make, const char *path, bool summary, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  const char *collected = getenv ("GITHUB_STEP_SUMMARY");
  lf_buf_init (&b, 0);
  if (!path)
    return 0;
  if (make (r, &b) < 0)
    return LF_FAIL_NOMEM (err);
  if (!b.data)
    return 0;
  return summary && collected && strcmp (collected, path) == 0 ? append_text (path, &b, err) : write_text (k, path, &b, err);
}

/* Where GitHub Actions runs, what failed is shown at its line. The runner reads both streams; with --json one of them is taken. */
static int
annotate (const lf_checking *k, const lf_check_report *r, lf_error *err)
{
  const char *actions = getenv ("GITHUB_ACTIONS");
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (!actions || strcmp (actions, "true") != 0)
    return 0;
  if (lf_report_check_annotations (r, &b) < 0)
    return LF_FAIL_NOMEM (err);
  fwrite (b.data ? b.data : "", 1, b.len, k->a->json ? stderr : stdout);
  return 0;
}

static int
write_documents (const lf_checking *k, const lf_check_report *r, lf_error *err)
{
  const lf_args *a = k->a;
  if (write_document (k, r, lf_report_check_json, a->json ? "-" : NULL, false, err) < 0)
    return -1;
  if (!a->json && !a->quiet)
    lf_check_print (k, stdout);
  if (write_document (k, r, lf_report_check_junit, a->junit, false, err) < 0 || write_document (k, r, lf_report_check_sarif, a->sarif, false, err) < 0
      || write_document (k, r, lf_report_check_markdown, a->markdown, true, err) < 0)
    return -1;
  return annotate (k, r, err);
}

static int
write_baseline (lf_checking *k, const lf_observed *const *all, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < k->results.n; i++)
    if (k->results.v[i].word == LF_RES_BROKEN && k->results.v[i].measure < 0)
      return LF_FAIL (err, LF_EXIT_FAILED, LF_CHECK_BASELINE, "put the failures above right first", "not written: a baseline of failing functions would be none");
  if (lf_baseline_write (all, k->observed_n, NULL, &b) < 0)
    return LF_FAIL_NOMEM (err);
  if (lf_write_file_atomic (LF_CHECK_BASELINE, b.data, b.len, err) < 0)
    return -1;
  if (!k->a->quiet)
    fprintf (stderr, "lambdafit: %s is written: review it and commit it\n", LF_CHECK_BASELINE);
  return 0;
}

static int
report (lf_checking *k, lf_error *err)
{
  const lf_observed **all = malloc ((k->observed_n + 1) * sizeof *all);
  int rc = all ? 0 : LF_FAIL_NOMEM (err);
  for (size_t i = 0; all && i < k->observed_n; i++)
    all[i] = &k->observed[i];
  lf_check_report r = { .results = &k->results, .path = k->check->path, .log = k->db, .profile = k->profile->name,
                        .region = k->a->region ? k->a->region : k->check->region ? k->check->region : "us-east-1", .shard = k->a->shard, .observed = all,
                        .observed_n = k->observed_n, .at_us = k->wall_us, .took_us = lf_now_us () - k->began_us, .strict = k->a->strict,
                        .version = PACKAGE_VERSION };
  if (rc == 0)
    rc = write_documents (k, &r, err);
  if (rc == 0 && k->a->update && k->failure.exit == LF_EXIT_OK && !k->signum)
    rc = write_baseline (k, all, err);
  free (all);
  return rc;
}

/* ---- the command -------------------------------------------------------------------------------------------------------------------------- */

static int
measure_all (lf_checking *k, lf_error *err)
{
  if (k->a->from)
    {
      if (lf_check_from (k, err) < 0)
        return -1;
    }
  for (size_t i = 0; !k->a->from && i < k->check->functions_n && !k->signum; i++)
    {
      k->observed_n = i + 1;
      if (lf_check_function_run (k, i, &k->failure) < 0)
        break; /* what was measured until now is still told */
    }
  const lf_observed *failed = k->failure.exit != LF_EXIT_OK && k->observed_n > 0 ? &k->observed[k->observed_n - 1] : NULL;
  for (size_t i = 0; i < k->observed_n; i++)
    {
      const lf_observed *o = &k->observed[i];
      bool measured = !failed || o != failed || failed->samples_n > 0;
      if (measured && lf_check_judge (o, k->baseline, k->a->update, &k->results) < 0)
        return LF_FAIL_NOMEM (err);
    }
  if (failed && lf_check_not_run (failed, &k->failure, &k->results) < 0)
    return LF_FAIL_NOMEM (err);
  return 0;
}

static int
run (lf_checking *k, lf_error *err)
{
  if (k->a->template_ && !(k->template_ = from_here (k, k->a->template_)))
    (void) LF_FAIL_NOMEM (err);
  if (err->exit != LF_EXIT_OK || read_shard (k, err) < 0 || read_file (k, err) < 0 || read_profile (k, err) < 0 || read_baseline (k, err) < 0 || read_events (k, err) < 0
      || choose_log (k, err) < 0 || make_log (k, err) < 0)
    return lf_cli_error (err);
  if (measure_all (k, err) < 0 || report (k, err) < 0)
    return lf_cli_error (err);
  if (k->failure.exit != LF_EXIT_OK)
    return lf_cli_error (&k->failure);
  return k->signum ? 128 + k->signum : lf_results_exit (&k->results, k->a->strict);
}

static void
finish (lf_checking *k)
{
  lf_results_fini (&k->results);
  for (size_t i = 0; k->observed && i < k->check->functions_n; i++)
    {
      lf_check_events_free (k->observed[i].events, k->observed[i].events_n);
      lf_observed_fini (&k->observed[i]);
    }
  free (k->observed);
  lf_baseline_free (k->baseline);
  lf_check_free (k->check);
  lf_profile_free (k->profile);
  free (k->cwd);
  free (k->db);
  free (k->template_);
}

static void
remove_log (const char *path)
{
  static const char *const parts[] = { "", "-wal", "-shm" };
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      char *p LF_CLEANUP (lf_freep) = lf_asprintf ("%s%s", path, parts[i]);
      if (p)
        unlink (p);
    }
}

int
lf_check_trial (const lf_args *a, const char *text, size_t n, lf_observed *out, lf_error *err)
{
  char dir[] = "/tmp/lambdafit-init-XXXXXX";
  lf_checking k = { .a = a, .shard = 1, .shards = 1 };
  if (!mkdtemp (dir))
    return LF_FAIL (err, LF_EXIT_IO, dir, "", "cannot be made: %s", strerror (errno));
  k.db = lf_asprintf ("%s/log.db", dir);
  int rc = k.db ? parse_text (&k, text, n, "first run", err) : LF_FAIL_NOMEM (err);
  if (rc == 0)
    rc = read_profile (&k, err);
  if (rc == 0)
    rc = read_events (&k, err);
  if (rc == 0)
    rc = lf_check_function_run (&k, 0, err);
  if (rc == 0)
    {
      *out = k.observed[0];
      lf_check_events_free (out->events, out->events_n);
      out->of = NULL;
      out->name = NULL;
      out->profile = NULL;
      out->events = NULL;
      out->events_n = 0;
      memset (&k.observed[0], 0, sizeof k.observed[0]);
    }
  if (k.db)
    remove_log (k.db);
  rmdir (dir);
  finish (&k);
  return rc;
}

int
lf_cmd_check (const lf_args *a)
{
  lf_error err = { 0 };
  lf_checking k = { .a = a, .began_us = lf_now_us (), .wall_us = lf_wall_us () };
  int status;
  if (a->init)
    return lf_check_init (a);
  k.cwd = getcwd (NULL, 0);
  if (!k.cwd)
    {
      (void) LF_FAIL (&err, LF_EXIT_IO, "current folder", "", "cannot be named: %s", strerror (errno));
      status = lf_cli_error (&err);
    }
  else
    status = run (&k, &err);
  finish (&k);
  return status;
}
