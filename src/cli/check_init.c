/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit check --init: a check file to begin with, from a template, or from a first run of the folder's function.
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "targets.h"

#define TRIES 5 /* 128, 256, ... MB until it fits */
#define USED_PERMILLE 700

static bool
any_events (void)
{
  glob_t g;
  bool any = glob ("events/*.json", 0, NULL, &g) == 0 && g.gl_pathc > 0;
  globfree (&g);
  return any;
}

static void
head (lf_buf *b, const lf_args *a)
{
  lf_buf_adds (b, "# What `lambdafit check` asks for. `lambdafit check --update` measures and writes lambdafit.baseline.json, which changes are\n"
                  "# compared with; commit both, and leave lambdafit-check.db, the log, out of the repository.\n");
  if (a->profile)
    lf_buf_addf (b, "profile: %s\n", a->profile);
  lf_buf_addf (b, "region: %s\n", a->region ? a->region : "us-east-1");
}

static void
body (lf_buf *b, bool events)
{
  lf_buf_adds (b, events ? "    events: [events/*.json]\n" : "    events: [{}]               # files, patterns such as events/*.json, or the event itself\n");
  lf_buf_adds (b, "    cold: 5                    # how many cold starts\n"
                  "    warm: 20                   # how many warm invocations of each event\n"
                  "    # expect: {json: expected/*.json, tolerance: 1e-6}\n"
                  "    budgets:\n"
                  "      memory: 80%              # of Lambda's limit\n"
                  "      duration: {max: 80%}\n"
                  "      init: 80%\n"
                  "      tmp: 80%\n"
                  "      package: +5%             # against the baseline\n"
                  "      response: +20%\n"
                  "      cold_start: +30%\n");
}

static void
quoted (lf_buf *b, const char *s)
{
  lf_buf_add_json_str (b, s, strlen (s));
}

/* ---- from a template ------------------------------------------------------------------------------------------------------------------------ */

static int
from_template (const lf_args *a, const char *path, lf_buf *b, lf_error *err)
{
  lf_template_options o;
  lf_args_template_options (a, &o);
  lf_template *t = lf_template_load (path, &o, err);
  size_t n = 0;
  if (!t)
    return -1;
  head (b, a);
  lf_buf_adds (b, "template: ");
  quoted (b, path);
  lf_buf_adds (b, "\nfunctions:\n");
  for (size_t i = 0; i < t->functions_n; i++)
    {
      const lf_template_function *f = &t->functions[i];
      if (f->code != LF_TPL_CODE_PATH && f->code != LF_TPL_CODE_INLINE)
        {
          lf_buf_addf (b, "  # %s: its code is not on this machine\n", f->logical_id);
          continue;
        }
      lf_buf_adds (b, "  ");
      quoted (b, f->logical_id);
      lf_buf_adds (b, ":\n");
      body (b, any_events ());
      n++;
    }
  lf_template_free (t);
  return n ? 0 : LF_FAIL (err, LF_EXIT_USAGE, path, "write the file by hand; docs/check.md shows one", "the template has no function whose code is here");
}

/* ---- from a first run ----------------------------------------------------------------------------------------------------------------------- */

static char *
folder_name (void)
{
  char *cwd LF_CLEANUP (lf_freep) = getcwd (NULL, 0);
  const char *slash = cwd ? strrchr (cwd, '/') : NULL;
  char *name = lf_strdup (slash && slash[1] ? slash + 1 : "function");
  for (char *p = name; p && *p; p++)
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_'))
      *p = '_';
  return name;
}

static void
function_text (lf_buf *b, const char *name, int64_t memory_mb, bool events, bool trial)
{
  lf_buf_adds (b, "functions:\n  ");
  quoted (b, name);
  lf_buf_addf (b, ":\n    target: .\n    memory: %lld\n", (long long) memory_mb);
  if (trial)
    lf_buf_addf (b, "    timeout: 60\n    cold: 1\n    warm: 1\n    events: [%s]\n", events ? "events/*.json" : "{}");
}

/* One cold start and one warm invocation of each event. */
static int
trial (const lf_args *a, const char *name, int64_t memory_mb, bool events, lf_observed *kept, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  function_text (&b, name, memory_mb, events, true);
  return b.failed ? LF_FAIL_NOMEM (err) : lf_check_trial (a, b.data, b.len, kept, err);
}

static int64_t
largest (const lf_observed *o, int measure)
{
  int64_t most = LF_NONE;
  for (size_t i = 0; i < o->samples_n; i++)
    most = o->samples[i].value[measure] > most ? o->samples[i].value[measure] : most;
  return most;
}

static bool
out_of_memory (const lf_observed *o)
{
  for (size_t i = 0; i < o->samples_n; i++)
    if (o->samples[i].status == LF_ST_OUT_OF_MEMORY)
      return true;
  return false;
}

static const lf_sample *
first_failure (const lf_observed *o)
{
  for (size_t i = 0; i < o->samples_n; i++)
    if (o->samples[i].status != LF_ST_OK)
      return &o->samples[i];
  return NULL;
}

/* Memory of which what was used is not more than 70 %, in steps of 64 MB; whole seconds of three times the longest. */
static void
settings (const lf_observed *o, int64_t memory_mb, int64_t *memory, int64_t *timeout)
{
  int64_t used = largest (o, LF_LIM_MEMORY), longest = largest (o, LF_LIM_DURATION);
  *memory = memory_mb;
  while (used != LF_NONE && used * 1000 > *memory * LF_MB * USED_PERMILLE)
    *memory += 64;
  *timeout = longest == LF_NONE ? 3 : longest * 3 / 1000000 + 1;
  *timeout = *timeout < 3 ? 3 : *timeout;
}

static void
first_run_text (lf_buf *b, const lf_args *a, const char *name, const lf_observed *o, int64_t memory_mb, bool events)
{
  char used[48], init[48], duration[48], package[48];
  int64_t memory, timeout;
  settings (o, memory_mb, &memory, &timeout);
  lf_measure_show (LF_LIM_MEMORY, largest (o, LF_LIM_MEMORY), used);
  lf_measure_show (LF_LIM_INIT, largest (o, LF_LIM_INIT), init);
  lf_measure_show (LF_LIM_DURATION, largest (o, LF_LIM_DURATION), duration);
  lf_measure_show (LF_LIM_PACKAGE, o->f.package_bytes, package);
  head (b, a);
  function_text (b, name, memory, events, false);
  lf_buf_addf (b, "    timeout: %lld\n    # The first run: memory %s, init %s, duration %s, package %s.\n", (long long) timeout, used, init, duration, package);
  body (b, events);
}

static int
from_run (const lf_args *a, lf_buf *b, lf_error *err)
{
  char *name LF_CLEANUP (lf_freep) = folder_name ();
  bool events = any_events ();
  int64_t memory = 128;
  int rc = name ? 0 : LF_FAIL_NOMEM (err);
  for (int i = 0; rc == 0 && i < TRIES; i++, memory *= 2)
    {
      lf_observed o = { 0 };
      rc = trial (a, name, memory, events, &o, err);
      if (rc == 0 && out_of_memory (&o) && i + 1 < TRIES)
        {
          lf_observed_fini (&o);
          continue;
        }
      const lf_sample *bad = first_failure (&o);
      if (rc == 0 && bad)
        rc = LF_FAIL (err, LF_EXIT_FAILED, name, "put it right first (lambdafit run . shows its log), or put events that it understands in events/*.json",
                      "the first run failed: %s", bad->problem);
      if (rc == 0)
        first_run_text (b, a, name, &o, memory, events);
      lf_observed_fini (&o);
      break;
    }
  return rc;
}

int
lf_check_init (const lf_args *a)
{
  lf_error err = { 0 };
  const char *path = a->rest_n ? a->rest[0] : LF_CHECK_FILE;
  char *template_ LF_CLEANUP (lf_freep) = NULL;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int rc = 0;
  if (strchr (path, '/'))
    rc = LF_FAIL (&err, LF_EXIT_USAGE, path, "go to its folder first", "--init writes a file in the current folder");
  else if (access (path, F_OK) == 0)
    rc = LF_FAIL (&err, LF_EXIT_USAGE, path, "remove it first, or give another name", "it is there already and is not overwritten");
  else
    rc = lf_args_template (a, &template_, &err);
  if (rc == 0)
    rc = template_ ? from_template (a, template_, &b, &err) : from_run (a, &b, &err);
  if (rc == 0 && b.failed)
    rc = LF_FAIL_NOMEM (&err);
  if (rc == 0)
    rc = lf_write_file_atomic (path, b.data, b.len, &err);
  if (rc < 0)
    return lf_cli_error (&err);
  if (!a->quiet)
    fprintf (stderr, "lambdafit: %s is written from %s: look through it, then: lambdafit check --update\n", path, template_ ? template_ : "a first run");
  return 0;
}
