/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit layer build and double-zip.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"
#include "lambdafit/sandbox.h"

/* One line on a terminal, rewritten; a line for each step elsewhere. */
static void
show_progress (void *user, const char *what, double done)
{
  bool *terminal = user;
  if (*terminal)
    fprintf (stderr, "\r\033[K%s %3.0f %%", what, 100 * done);
  else if (done == 0)
    fprintf (stderr, "%s\n", what);
}

/* The runtime that is asked for, else the one its compiled modules are for, else the one of this machine's Python. */
static int
settle (const lf_args *a, const lf_strv *inputs, lf_build_options *o, lf_interpreter *interp, char runtime[32], lf_error *err)
{
  lf_runtime_info rt;
  int minor = a->runtime ? -1 : lf_layer_python (inputs);
  snprintf (runtime, 32, "%s", a->runtime ? a->runtime : "");
  if (!a->runtime)
    snprintf (runtime, 32, "python3.%d", minor);
  if (lf_runtime_parse (runtime, &rt, err) != 0 || lf_layer_arch (a, &o->arch, err) != 0)
    return -1;
  const char *system;
  int cxx;
  lf_runtime_system (&rt, runtime, &o->glibc_minor, &cxx, &system);
  o->python_minor = rt.kind == LF_RT_PYTHON ? rt.minor : -1;
  o->no_compile = a->no_pyc || rt.kind != LF_RT_PYTHON;
  o->as = a->as;
  if (a->as && strcmp (a->as, "python") != 0 && strcmp (a->as, "nodejs") != 0 && strcmp (a->as, "lib") != 0 && strcmp (a->as, "bin") != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--as", "python, nodejs, lib or bin", "%.60s is no folder of a layer", a->as);
  lf_error none = { 0 };
  if (rt.kind == LF_RT_PYTHON && lf_interpreter_find (&rt, a->interpreter, interp, a->interpreter ? err : &none) == 0)
    {
      o->python = interp->path;
      o->python_exact = interp->exact;
    }
  else if (a->interpreter && rt.kind == LF_RT_PYTHON)
    return -1;
  return 0;
}

/* A layer that does not fit alone. Byte code is for speed: without it many do. */
static void
note_size (const lf_profile *p, lf_build_result *r)
{
  int64_t bare = r->unzipped_bytes - r->compiled_bytes;
  if (r->note[0] || r->unzipped_bytes < p->package_max_bytes)
    return;
  int n = snprintf (r->note, sizeof r->note, "unzipped it is %.2f MB, and code and layers must be smaller than %.0f MB: ", (double) r->unzipped_bytes / (double) LF_MB,
                    (double) p->package_max_bytes / (double) LF_MB);
  size_t left = sizeof r->note - (size_t) n;
  if (bare < p->package_max_bytes)
    snprintf (r->note + n, left, "with --no-pyc it is %.2f MB (imports are slower at cold starts)", (double) bare / (double) LF_MB);
  else
    snprintf (r->note + n, left, "`lambdafit layer size` says what takes the space");
}

static int
report_build (const lf_args *a, const char *runtime, const lf_build_result *r)
{
  if (a->json)
    {
      cJSON *json = cJSON_CreateObject ();
      lf_json_add_str (json, "output", a->output);
      lf_json_add_i64 (json, "zipped_bytes", r->zipped_bytes);
      lf_json_add_i64 (json, "unzipped_bytes", r->unzipped_bytes);
      lf_json_add_i64 (json, "files", r->files);
      lf_json_add_i64 (json, "compiled", (int64_t) r->compiled);
      lf_json_add_str (json, "sha256", r->sha256);
      lf_json_add_str (json, "runtime", runtime);
      lf_json_add_str (json, "note", r->note[0] ? r->note : NULL);
      return lf_layer_print (json, 0);
    }
  printf ("%s: %.2f MB zipped, %.2f MB unzipped, %lld files (%zu compiled), for %s, sha256 %s\n", a->output, (double) r->zipped_bytes / (double) LF_MB,
          (double) r->unzipped_bytes / (double) LF_MB, (long long) r->files, r->compiled, runtime, r->sha256);
  if (r->note[0])
    fprintf (stderr, "lambdafit: note: %s\n", r->note);
  return 0;
}

static void
print_double (const lf_args *a, const lf_profile *p, const lf_double_result *r)
{
  int64_t least = r->tmp_needed_mb > p->tmp_default_mb ? r->tmp_needed_mb : p->tmp_default_mb;
  lf_table t;
  lf_table_init (&t, 3, "lrl");
  lf_table_add (&t, "layer, zipped");
  lf_table_add (&t, "%.2f MB", (double) r->outer_zipped_bytes / (double) LF_MB);
  lf_table_add (&t, "%s", r->outer_zipped_bytes >= p->zip_max_bytes ? "over the limit of a direct upload: upload it through S3" : "");
  lf_table_add (&t, "layer, unzipped");
  lf_table_add (&t, "%.2f MB", (double) r->outer_unzipped_bytes / (double) LF_MB);
  lf_table_add (&t, "%s %.0f MB", r->outer_unzipped_bytes < p->package_max_bytes ? "of" : "TOO BIG: over", (double) p->package_max_bytes / (double) LF_MB);
  lf_table_add (&t, "packages, unpacked");
  lf_table_add (&t, "%.2f MB", (double) r->inner_unpacked_bytes / (double) LF_MB);
  lf_table_add (&t, "not counted by Lambda");
  lf_table_add (&t, "/tmp they take");
  lf_table_add (&t, "%lld MB", (long long) r->tmp_needed_mb);
  lf_table_add (&t, "set --tmp %lld or more (and what the function itself writes)", (long long) least);
  lf_table_add (&t, "extra init, measured here");
  if (r->extra_init_ms == LF_NONE)
    lf_table_add (&t, "-");
  else
    lf_table_add (&t, "%lld ms", (long long) r->extra_init_ms);
  lf_table_add (&t, r->extra_init_ms == LF_NONE    ? "no interpreter here to measure with"
                    : r->extra_init_ms < r->init_limit_ms ? "of the init limit of %lld ms; importing comes on top, and less memory means less CPU"
                                                          : "TOO SLOW: over the init limit of %lld ms",
                (long long) r->init_limit_ms);
  printf ("%s\n", a->output);
  lf_table_print (&t, stdout, "  ");
  lf_table_fini (&t);
  puts ("\nlambdafit_unzip.remove() after the imports frees /tmp for data, except for libraries that are loaded (their space returns when the process\n"
        "ends). The risk: a module that is imported later is gone, and after a crash or timeout the packages must be unpacked again.");
}

static int
report_double (const lf_args *a, const lf_profile *p, const lf_double_result *r)
{
  int status = r->fits ? LF_EXIT_OK : LF_EXIT_FAILED;
  if (!a->json)
    {
      print_double (a, p, r);
      if (r->note[0])
        fprintf (stderr, "lambdafit: note: %s\n", r->note);
      return status;
    }
  cJSON *json = cJSON_CreateObject ();
  lf_json_add_str (json, "output", a->output);
  lf_json_add_i64 (json, "outer_zipped_bytes", r->outer_zipped_bytes);
  lf_json_add_i64 (json, "outer_unzipped_bytes", r->outer_unzipped_bytes);
  lf_json_add_i64 (json, "inner_unpacked_bytes", r->inner_unpacked_bytes);
  lf_json_add_i64 (json, "tmp_needed_mb", r->tmp_needed_mb);
  lf_json_add_i64 (json, "extra_init_ms", r->extra_init_ms);
  lf_json_add_i64 (json, "init_limit_ms", r->init_limit_ms);
  cJSON_AddBoolToObject (json, "fits", r->fits);
  lf_json_add_str (json, "note", r->note[0] ? r->note : NULL);
  return lf_layer_print (json, status);
}

static int
make (const lf_args *a, bool double_zip, const lf_strv *inputs, lf_build_options *o, const char *runtime)
{
  lf_error err = { 0 };
  lf_profile *p = lf_args_profile (a, &err);
  if (!p)
    return lf_cli_error (&err);
  if (!double_zip)
    {
      lf_build_result r;
      int failed = lf_layer_build (inputs, a->output, o, &r, &err);
      if (*(bool *) o->user)
        fputs ("\r\033[K", stderr);
      if (!failed)
        note_size (p, &r);
      lf_profile_free (p);
      return failed ? lf_cli_error (&err) : report_build (a, runtime, &r);
    }
  lf_double_result r;
  lf_double_options d = { .build = *o, .package_max_bytes = p->package_max_bytes, .init_limit_ms = p->init_max_ms, .tmp_max_mb = p->tmp_max_mb };
  int failed = lf_double_zip (inputs, a->output, &d, &r, &err);
  if (*(bool *) o->user)
    fputs ("\r\033[K", stderr);
  int status = failed ? lf_cli_error (&err) : report_double (a, p, &r);
  lf_profile_free (p);
  return status;
}

int
lf_layer_make (const lf_args *a, bool double_zip)
{
  lf_error err = { 0 };
  if (!a->output || a->rest_n < 2)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, double_zip ? "layer double-zip" : "layer build",
                      double_zip ? "lambdafit layer double-zip DIR -o layer.zip" : "lambdafit layer build DIR|WHEEL…|requirements.txt -o layer.zip",
                      a->output ? "there is nothing to build from" : "no file to write was given");
      return lf_cli_error (&err);
    }
  bool terminal = isatty (2) && !a->quiet;
  lf_build_options o = { .progress = a->quiet ? NULL : show_progress, .user = &terminal };
  lf_interpreter interp = { 0 };
  lf_strv inputs = { 0 };
  char runtime[32];
  int bad = 0, status;
  for (int i = 1; i < a->rest_n; i++)
    bad |= lf_strv_add (&inputs, a->rest[i]);
  if (bad)
    (void) LF_FAIL_NOMEM (&err);
  if (bad || settle (a, &inputs, &o, &interp, runtime, &err) != 0)
    status = lf_cli_error (&err);
  else
    status = make (a, double_zip, &inputs, &o, runtime);
  lf_interpreter_fini (&interp);
  lf_strv_fini (&inputs);
  return status;
}
