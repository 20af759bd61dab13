/* SPDX-License-Identifier: Apache-2.0
 *
 * The double zip: packages as a zip inside the layer's zip. Lambda counts the inner one as a single file of its packed size; a helper unpacks it to
 * /tmp on the first import. What stays outside: a small module for each package, links for the shared libraries, metadata.
 */
#include "config.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"

#define TMP_BLOCK 4096      /* /tmp gives space in pages */
#define STUB "# SPDX-License-Identifier: Apache-2.0\nimport lambdafit_unzip\n\nlambdafit_unzip.take_over(__name__)\n"

typedef struct job
{
  const lf_double_options *o;
  lf_double_result *res;
  char *inner, *outer;      /* folders */
  char id[17];
  lf_error *err;
} job;

static int
move (job *j, const char *name)
{
  LF_CLEANUP (lf_freep) char *from = lf_asprintf ("%s/%s", j->inner, name);
  LF_CLEANUP (lf_freep) char *to = lf_asprintf ("%s/%s", j->outer, name);
  if (!from || !to)
    return LF_FAIL_NOMEM (j->err);
  return rename (from, to) == 0 ? 0 : LF_FAIL (j->err, LF_EXIT_IO, to, "", "cannot be moved: %s", strerror (errno));
}

static int
write_text (job *j, const char *name, const char *text)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/%s", j->outer, name);
  if (!path)
    return LF_FAIL_NOMEM (j->err);
  return lf_write_file_atomic (path, text, strlen (text), j->err) == 0 && chmod (path, 0644) == 0 ? 0 : -1;
}

/* The name an entry of python/ is imported by; false for what is no module. */
static bool
module_name (const char *entry, bool dir, char out[256])
{
  size_t n = strcspn (entry, ".");
  if (n == 0 || n > 200 || strcmp (entry, "__pycache__") == 0)
    return false;
  if (!(dir ? entry[n] == '\0' : lf_ends (entry, ".py") || lf_ends (entry, ".so")))
    return false;
  for (size_t i = 0; i < n; i++)
    if (!((entry[i] >= 'a' && entry[i] <= 'z') || (entry[i] >= 'A' && entry[i] <= 'Z') || entry[i] == '_' || (i && entry[i] >= '0' && entry[i] <= '9')))
      return false; /* "numpy.libs", "scikit_learn.libs": not importable */
  snprintf (out, 256, "%.*s", (int) n, entry);
  return true;
}

/* Metadata stays outside: programs ask for versions before they import. */
static int
write_stubs (job *j)
{
  LF_CLEANUP (lf_freep) char *dir = lf_asprintf ("%s/python", j->inner);
  struct dirent **list;
  int n = dir ? scandir (dir, &list, NULL, alphasort) : -1, r = 0, modules = 0;
  if (n < 0)
    return LF_FAIL (j->err, LF_EXIT_USAGE, "double-zip", "give a folder with Python packages (a double zip is unpacked by an import)",
                    "there are no Python packages in it");
  for (int i = 0; i < n; i++)
    {
      const char *name = list[i]->d_name;
      char module[256], path[600];
      struct stat st;
      LF_CLEANUP (lf_freep) char *full = lf_asprintf ("%s/%s", dir, name);
      bool is_dir = full && lstat (full, &st) == 0 && S_ISDIR (st.st_mode);
      snprintf (path, sizeof path, "python/%.255s", name);
      if (r == 0 && (lf_ends (name, ".dist-info") || lf_ends (name, ".egg-info")))
        r = move (j, path);
      else if (r == 0 && name[0] != '.' && module_name (name, is_dir, module))
        {
          modules++;
          snprintf (path, sizeof path, "python/%s.py", module);
          r = write_text (j, path, STUB);
        }
      free (list[i]);
    }
  free (list);
  if (r == 0 && modules == 0)
    r = LF_FAIL (j->err, LF_EXIT_USAGE, "double-zip", "give a folder with Python packages", "no module to import was found in it");
  return r;
}

/* The loader looks in /opt/lib when a module is imported; by then the links lead to something. */
static int
write_links (job *j)
{
  LF_CLEANUP (lf_freep) char *dir = lf_asprintf ("%s/lib", j->inner);
  DIR *d = dir ? opendir (dir) : NULL;
  if (!d)
    return 0;
  LF_CLEANUP (lf_freep) char *lib = lf_asprintf ("%s/lib", j->outer);
  int r = lib ? lf_mkdir_p (lib, 0755, j->err) : LF_FAIL_NOMEM (j->err);
  struct dirent *de;
  while (r == 0 && (de = readdir (d)))
    {
      if (de->d_name[0] == '.')
        continue;
      LF_CLEANUP (lf_freep) char *link = lf_asprintf ("%s/%s", lib, de->d_name);
      LF_CLEANUP (lf_freep) char *target = lf_asprintf ("/tmp/lambdafit/%s/lib/%s", j->id, de->d_name);
      r = link && target ? 0 : LF_FAIL_NOMEM (j->err);
      if (r == 0 && symlink (target, link) != 0)
        r = LF_FAIL (j->err, LF_EXIT_IO, link, "", "cannot be made: %s", strerror (errno));
    }
  closedir (d);
  return r;
}

/* Everything but python/ and lib/ stays an ordinary part of the layer. */
static int
split (job *j)
{
  LF_CLEANUP (lf_freep) char *python = lf_asprintf ("%s/python", j->outer);
  LF_CLEANUP (lf_freep) char *home = lf_asprintf ("%s/lambdafit", j->outer);
  if (!python || !home)
    return LF_FAIL_NOMEM (j->err);
  if (lf_mkdir_p (python, 0755, j->err) != 0 || lf_mkdir_p (home, 0755, j->err) != 0)
    return -1;
  struct dirent **list;
  int n = scandir (j->inner, &list, NULL, alphasort), r = 0;
  for (int i = 0; i < n; i++)
    {
      const char *name = list[i]->d_name;
      if (r == 0 && strcmp (name, ".") != 0 && strcmp (name, "..") != 0 && strcmp (name, "python") != 0 && strcmp (name, "lib") != 0)
        r = move (j, name);
      free (list[i]);
    }
  if (n >= 0)
    free (list);
  return r == 0 ? write_stubs (j) : -1;
}

static int
measure_inner (job *j)
{
  lf_pkg_tree t;
  if (lf_pkg_tree_read (j->inner, false, &t, j->err) != 0)
    return -1;
  int64_t blocks = 1;
  for (size_t i = 0; i < t.n; i++)
    blocks += S_ISREG (t.v[i].mode) ? (t.v[i].size + TMP_BLOCK - 1) / TMP_BLOCK : 1;
  j->res->inner_unpacked_bytes = t.bytes;
  j->res->tmp_needed_mb = (blocks * TMP_BLOCK + LF_MB - 1) / LF_MB;
  lf_pkg_tree_fini (&t);
  return 0;
}

static int
write_about (job *j)
{
  LF_CLEANUP (lf_json_freep) cJSON *o = cJSON_CreateObject ();
  lf_buf b;
  lf_buf_init (&b, 4096);
  lf_json_add_str (o, "id", j->id);
  lf_json_add_i64 (o, "tmp_needed_mb", j->res->tmp_needed_mb);
  lf_json_add_i64 (o, "unpacked_bytes", j->res->inner_unpacked_bytes);
  int r = lf_json_print (o, &b) == 0 ? write_text (j, "lambdafit/packages.json", b.data) : LF_FAIL_NOMEM (j->err);
  lf_buf_fini (&b);
  return r;
}

static int
write_helper (job *j)
{
  const char *from = lf_data_path ("package/lambdafit_unzip.py");
  lf_buf b;
  lf_buf_init (&b, 1 << 20);
  int r = from ? lf_read_file (from, 1 << 20, &b, j->err) : LF_FAIL_NOMEM (j->err);
  if (r == 0)
    r = write_text (j, "python/lambdafit_unzip.py", b.data);
  lf_buf_fini (&b);
  return r;
}

static int
pack_inner (job *j)
{
  LF_CLEANUP (lf_freep) char *zip = lf_asprintf ("%s/lambdafit/packages.zip", j->outer);
  char hex[65];
  if (!zip)
    return LF_FAIL_NOMEM (j->err);
  if (lf_zip_write (j->inner, zip, 0, &j->o->build, NULL, j->err) != 0 || chmod (zip, 0644) != 0)
    return -1;
  LF_CLEANUP (lf_closep) int fd = open (zip, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || lf_pkg_file_sha (fd, zip, hex, j->err) != 0)
    return -1;
  memcpy (j->id, hex, 16);
  return 0;
}

/* ---- measuring ------------------------------------------------------------------------------------------------------------------------ */

static int
run_helper (job *j, const char *code, const char *tmp, int64_t *us)
{
  LF_CLEANUP (lf_freep) char *program = lf_asprintf ("import sys; sys.path.insert(0, sys.argv[1]); import os; os.environ['LAMBDAFIT_UNZIP_DIR'] = sys.argv[2]; "
                                                     "sys.dont_write_bytecode = True; import lambdafit_unzip; %s",
                                                     code);
  lf_strv a = { 0 };
  int bad = !program || lf_strv_add (&a, j->o->build.python) | lf_strv_add (&a, "-S") | lf_strv_add (&a, "-c") | lf_strv_add (&a, program)
            | lf_strv_addf (&a, "%s/python", j->outer) | lf_strv_add (&a, tmp);
  int status = 0;
  lf_time_us begun = lf_now_us ();
  int r = bad ? LF_FAIL_NOMEM (j->err) : lf_pkg_run (&a, &status, j->err);
  *us = lf_now_us () - begun;
  lf_strv_fini (&a);
  if (r == 0 && status != 0)
    r = LF_FAIL (j->err, LF_EXIT_FAILED, "double-zip", "see the message above", "the layer's helper failed to unpack the packages here (status %d)", status);
  return r;
}

/* The helper itself unpacks once, here: how long it takes, and the proof that it works. */
static int
measure_init (job *j, const char *work)
{
  if (!j->o->build.python)
    return 0;
  LF_CLEANUP (lf_freep) char *tmp = lf_asprintf ("%s/try", work);
  int64_t with, without;
  if (!tmp)
    return LF_FAIL_NOMEM (j->err);
  if (run_helper (j, "pass", tmp, &without) != 0 || run_helper (j, "lambdafit_unzip.unpack()", tmp, &with) != 0)
    return -1;
  j->res->extra_init_ms = with > without ? (with - without + 999) / 1000 : 0;
  return lf_pkg_remove (tmp, j->err);
}

static int
outer_size (job *j, const char *out)
{
  lf_pkg_tree t;
  struct stat st;
  if (lf_pkg_tree_read (j->outer, false, &t, j->err) != 0)
    return -1;
  j->res->outer_unzipped_bytes = t.bytes;
  lf_pkg_tree_fini (&t);
  if (stat (out, &st) != 0)
    return LF_FAIL (j->err, LF_EXIT_IO, out, "", "cannot be read: %s", strerror (errno));
  j->res->outer_zipped_bytes = st.st_size;
  return 0;
}

static int
make (job *j, const lf_strv *inputs, const char *out, const char *work)
{
  if (j->o->build.progress)
    j->o->build.progress (j->o->build.user, "gathering", 0);
  if (lf_layer_stage (inputs, j->inner, &j->o->build, j->res->note, j->err) != 0 || split (j) != 0 || measure_inner (j) != 0 || pack_inner (j) != 0
      || write_links (j) != 0 || write_about (j) != 0 || write_helper (j) != 0)
    return -1;
  if (j->o->build.progress)
    j->o->build.progress (j->o->build.user, "measuring", 0);
  return measure_init (j, work) != 0 || lf_zip_write (j->outer, out, 1, NULL, NULL, j->err) != 0 || outer_size (j, out) != 0 ? -1 : 0;
}

int
lf_double_zip (const lf_strv *inputs, const char *out, const lf_double_options *o, lf_double_result *res, lf_error *err)
{
  *res = (lf_double_result){ .extra_init_ms = LF_NONE, .init_limit_ms = o->init_limit_ms };
  lf_pkg_build b;
  if (lf_pkg_cache_begin ("builds", &b, err) != 0)
    return -1;
  job j = { .o = o, .res = res, .err = err, .inner = lf_asprintf ("%s/inner", b.root), .outer = lf_asprintf ("%s/outer", b.root) };
  int r = j.inner && j.outer ? 0 : LF_FAIL_NOMEM (err);
  if (r == 0)
    r = lf_mkdir_p (j.inner, 0755, err) != 0 || lf_mkdir_p (j.outer, 0755, err) != 0 ? -1 : make (&j, inputs, out, b.root);
  if (r == 0)
    res->fits = res->outer_unzipped_bytes < o->package_max_bytes && (res->extra_init_ms == LF_NONE || res->extra_init_ms < o->init_limit_ms)
                && res->tmp_needed_mb <= o->tmp_max_mb;
  free (j.inner);
  free (j.outer);
  lf_pkg_cache_abort (&b);
  return r;
}
