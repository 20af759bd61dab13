/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a layer: gather, compile, pack.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"

static void
tell (const lf_build_options *o, const char *what)
{
  if (o->progress)
    o->progress (o->user, what, 0);
}

/* pip chooses builds by tags, not by what this machine runs. It does not expand manylinux_2_N to the older ones, so all are named. */
static int
run_pip (const char *requirements, const lf_build_options *o, const char *root, lf_error *err)
{
  static const int glibcs[] = { 34, 31, 28, 27, 26, 24, 17 };
  const char *cpu = o->arch == LF_ARCH_ARM64 ? "aarch64" : "x86_64";
  if (!o->python)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, requirements, "install Python and pip, or give the installed packages or wheels instead",
                    "a requirements file needs pip, and there is no Python here");
  lf_strv a = { 0 };
  int bad = lf_strv_add (&a, o->python);
  static const char *const fixed[] = { "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile", "--only-binary=:all:",
                                       "--implementation", "cp", "--upgrade", "-r" };
  for (size_t i = 0; i < LF_ARRAY_LEN (fixed); i++)
    bad |= lf_strv_add (&a, fixed[i]);
  bad |= lf_strv_add (&a, requirements) | lf_strv_addf (&a, "--target=%s/python", root) | lf_strv_addf (&a, "--python-version=3.%d", o->python_minor);
  for (size_t i = 0; i < LF_ARRAY_LEN (glibcs); i++)
    if (glibcs[i] <= o->glibc_minor)
      bad |= lf_strv_addf (&a, "--platform=manylinux_2_%d_%s", glibcs[i], cpu);
  bad |= lf_strv_addf (&a, "--platform=manylinux2014_%s", cpu);
  int status = 0, r = bad ? LF_FAIL_NOMEM (err) : lf_pkg_run (&a, &status, err);
  lf_strv_fini (&a);
  if (r == 0 && status != 0)
    r = LF_FAIL (err, LF_EXIT_FAILED, requirements, "see pip's message above; packages without a wheel for the runtime cannot be installed for it",
                 "pip ended with status %d", status);
  return r;
}

/* Byte code that is valid whatever the files' times are: a zip keeps times only roughly, and /opt cannot be written to. */
static int
compile (const char *root, const lf_build_options *o, char note[200], lf_error *err)
{
  LF_CLEANUP (lf_freep) char *dir = lf_asprintf ("%s/python", root);
  if (!dir)
    return LF_FAIL_NOMEM (err);
  if (access (dir, F_OK) != 0 || o->no_compile)
    return 0;
  if (!o->python || !o->python_exact)
    {
      snprintf (note, 200, "not compiled: python3.%d is not on this machine; Python will compile at every cold start", o->python_minor);
      return 0;
    }
  tell (o, "compiling");
  lf_strv a = { 0 };
  int bad = lf_strv_add (&a, o->python);
  static const char *const fixed[] = { "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "-s" };
  for (size_t i = 0; i < LF_ARRAY_LEN (fixed); i++)
    bad |= lf_strv_add (&a, fixed[i]);
  bad |= lf_strv_add (&a, root) | lf_strv_add (&a, "-p") | lf_strv_add (&a, "/opt") | lf_strv_add (&a, dir);
  int status = 0, r = bad ? LF_FAIL_NOMEM (err) : lf_pkg_run (&a, &status, err);
  lf_strv_fini (&a);
  if (r == 0 && status != 0)
    snprintf (note, 200, "some files do not compile with python3.%d (see above); they are packed as they are", o->python_minor);
  return r;
}

static int
summarise (const char *root, const char *out, lf_build_result *res, lf_error *err)
{
  lf_pkg_tree t;
  struct stat st;
  if (lf_pkg_tree_read (root, false, &t, err) != 0)
    return -1;
  res->unzipped_bytes = t.bytes;
  res->files = t.files;
  for (size_t i = 0; i < t.n; i++)
    if (lf_ends (t.v[i].path, ".pyc"))
      {
        res->compiled++;
        res->compiled_bytes += t.v[i].size;
      }
  lf_pkg_tree_fini (&t);
  LF_CLEANUP (lf_closep) int fd = open (out, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) != 0)
    return LF_FAIL (err, LF_EXIT_IO, out, "", "cannot be read: %s", strerror (errno));
  res->zipped_bytes = st.st_size;
  return lf_pkg_file_sha (fd, out, res->sha256, err);
}

/* What nobody could unpack is not written: names and links of the inputs that no package may have. */
static int
check_unpacks (int fd, const char *out, lf_error *err)
{
  lf_zip z;
  lf_error why = { 0 };
  int r = lf_zip_read (fd, out, &z, &why);
  if (r == 0)
    r = lf_zip_read_links (fd, &z, &why);
  lf_zip_fini (&z);
  if (r == 0)
    return 0;
  return LF_FAIL (err, why.exit, out, "rename that file in the input or leave it out; a link may only lead to what is in the package", "not written: it would be %s", why.why);
}

int
lf_layer_stage (const lf_strv *inputs, const char *root, const lf_build_options *o, char note[200], lf_error *err)
{
  note[0] = '\0';
  if (inputs->n == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "layer", "give folders, wheels or a requirements file", "there is nothing to build from");
  int r = 0;
  for (size_t i = 0; i < inputs->n && r == 0; i++)
    {
      tell (o, inputs->v[i]);
      r = lf_ends (inputs->v[i], ".txt") ? run_pip (inputs->v[i], o, root, err) : lf_stage_input (inputs->v[i], o, root, err);
    }
  return r == 0 ? compile (root, o, note, err) : -1;
}

int
lf_layer_build (const lf_strv *inputs, const char *out, const lf_build_options *o, lf_build_result *res, lf_error *err)
{
  *res = (lf_build_result){ 0 };
  lf_pkg_build b;
  if (lf_pkg_cache_begin ("builds", &b, err) != 0)
    return -1;
  int r = lf_layer_stage (inputs, b.root, o, res->note, err);
  if (r == 0)
    r = lf_zip_write (b.root, out, 0, o, check_unpacks, err);
  if (r == 0)
    r = summarise (b.root, out, res, err);
  lf_pkg_cache_abort (&b);
  return r;
}
