/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathering what a build is made from in one folder, in the structure that a layer has.
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

static bool
left_behind (const char *path)
{
  static const char *const dirs[] = { "__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".DS_Store" };
  if (lf_ends (path, ".pyc") || lf_ends (path, ".pyo"))
    return true;
  for (const char *p = path; *p;)
    {
      size_t n = strcspn (p, "/");
      for (size_t i = 0; i < LF_ARRAY_LEN (dirs); i++)
        if (strlen (dirs[i]) == n && memcmp (p, dirs[i], n) == 0)
          return true;
      p += n + (p[n] == '/');
    }
  return false;
}

static int
cannot (const char *path, int e, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_IO, path, e == ENOSPC ? "free some space, or set XDG_CACHE_HOME to a folder on a larger file system" : "",
                  "cannot be copied: %s", strerror (e));
}

static int
copy_file (int from, int to, const lf_pkg_node *n, lf_error *err)
{
  if (linkat (from, n->path, to, n->path, 0) == 0)
    return 0;
  if (errno == EEXIST)
    { /* two inputs have the file: the later one wins, as with layers */
      if (unlinkat (to, n->path, 0) != 0)
        return cannot (n->path, errno, err);
      return copy_file (from, to, n, err);
    }
  LF_CLEANUP (lf_closep) int in = openat (from, n->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  LF_CLEANUP (lf_closep) int out = in < 0 ? -1 : openat (to, n->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (out < 0)
    return cannot (n->path, errno, err);
  char buf[65536];
  ssize_t k;
  while ((k = read (in, buf, sizeof buf)) != 0)
    {
      if (k < 0 && errno == EINTR)
        continue;
      for (ssize_t w = 0, done; w < k; w += done)
        if ((done = write (out, buf + w, (size_t) (k - w))) < 0)
          return cannot (n->path, errno, err);
      if (k < 0)
        return cannot (n->path, errno, err);
    }
  return fchmod (out, n->mode & 0777) == 0 ? 0 : cannot (n->path, errno, err);
}

static int
copy_node (int from, int to, const lf_pkg_node *n, lf_error *err)
{
  if (S_ISDIR (n->mode))
    return mkdirat (to, n->path, 0755) == 0 || errno == EEXIST ? 0 : cannot (n->path, errno, err);
  if (S_ISREG (n->mode))
    return copy_file (from, to, n, err);
  if (!S_ISLNK (n->mode))
    return 0;
  char target[LF_PKG_LINK_MAX + 1];
  ssize_t len = readlinkat (from, n->path, target, sizeof target - 1);
  if (len < 0)
    return cannot (n->path, errno, err);
  target[len] = '\0';
  if (symlinkat (target, to, n->path) == 0)
    return 0;
  if (errno != EEXIST || unlinkat (to, n->path, 0) != 0 || symlinkat (target, to, n->path) != 0)
    return cannot (n->path, errno, err);
  return 0;
}

int
lf_stage_tree (const char *from, const char *to, lf_error *err)
{
  lf_pkg_tree t;
  if (lf_mkdir_p (to, 0755, err) != 0 || lf_pkg_tree_read (from, false, &t, err) != 0)
    return -1;
  LF_CLEANUP (lf_closep) int in = open (from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  LF_CLEANUP (lf_closep) int out = open (to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int r = in < 0 || out < 0 ? cannot (in < 0 ? from : to, errno, err) : 0;
  for (size_t i = 0; i < t.n && r == 0; i++)
    if (!left_behind (t.v[i].path))
      r = copy_node (in, out, &t.v[i], err);
  lf_pkg_tree_fini (&t);
  return r;
}

/* ---- where a folder belongs ----------------------------------------------------------------------------------------------------------- */

typedef struct folder
{
  bool home, node_modules, package_json, init, python, shared, program, other;
  char venv[300];          /* "lib/python3.12/site-packages" */
} folder;

static void
look (const lf_pkg_tree *t, folder *f)
{
  static const char *const homes[] = { "python", "nodejs", "java", "ruby", "extensions", "dotnet" };
  for (size_t i = 0; i < t->n; i++)
    {
      const lf_pkg_node *n = &t->v[i];
      const char *p = n->path;
      bool dir = S_ISDIR (n->mode);
      if (dir && !f->venv[0] && lf_starts (p, "lib/python3.") && lf_ends (p, "/site-packages") && strlen (p) < sizeof f->venv)
        strcpy (f->venv, p);
      const char *rest = strchr (p, '/');
      if (rest)
        {
          f->python = f->python || strcmp (rest, "/__init__.py") == 0;
          continue;
        }
      for (size_t k = 0; k < LF_ARRAY_LEN (homes); k++)
        f->home = f->home || (dir && strcmp (p, homes[k]) == 0);
      f->node_modules = f->node_modules || (dir && strcmp (p, "node_modules") == 0);
      f->package_json = f->package_json || strcmp (p, "package.json") == 0;
      f->init = f->init || strcmp (p, "__init__.py") == 0;
      f->python = f->python || lf_ends (p, ".dist-info") || lf_ends (p, ".egg-info") || lf_ends (p, ".py") || strstr (p, ".cpython-3");
      f->shared = f->shared || (!dir && !strstr (p, ".cpython-3") && (lf_ends (p, ".so") || strstr (p, ".so.")));
      f->program = f->program || (S_ISREG (n->mode) && (n->mode & 0111) && !strstr (p, ".so"));
    }
}

/* The folder to copy and the place in the layer it goes to; both relative, "" for the top. False when the content does not say. */
static bool
place_of (const folder *f, const char *base, char from[300], char to[300])
{
  from[0] = '\0';
  bool lib_bin = strcmp (base, "lib") == 0 || strcmp (base, "bin") == 0;
  if (f->venv[0] && !f->home)
    {
      snprintf (from, 300, "%s", f->venv);
      strcpy (to, "python");
    }
  else if (f->home)
    to[0] = '\0';
  else if (strcmp (base, "node_modules") == 0)
    strcpy (to, "nodejs/node_modules");
  else if (f->node_modules)
    {
      strcpy (from, "node_modules");
      strcpy (to, "nodejs/node_modules");
    }
  else if (f->init)
    snprintf (to, 300, "python/%.200s", base);
  else if (f->package_json && !f->python)
    snprintf (to, 300, "nodejs/node_modules/%.200s", base);
  else if (f->python)
    strcpy (to, "python");
  else if (f->shared || lib_bin)
    strcpy (to, f->shared ? "lib" : base);
  else if (f->program)
    strcpy (to, "bin");
  else
    return false;
  return true;
}

static int
stage_folder (const char *input, const lf_build_options *o, const char *root, lf_error *err)
{
  LF_CLEANUP (lf_freep) char *real = realpath (input, NULL);
  const char *base = real ? strrchr (real, '/') + 1 : "";
  char from[300] = "", to[300] = "";
  if (o->as)
    snprintf (to, sizeof to, "%s", strcmp (o->as, "nodejs") == 0 ? "nodejs/node_modules" : o->as);
  else
    {
      lf_pkg_tree t;
      folder f = { 0 };
      if (lf_pkg_tree_read (input, false, &t, err) != 0)
        return -1;
      look (&t, &f);
      size_t files = (size_t) t.files;
      lf_pkg_tree_fini (&t);
      if (files == 0)
        return LF_FAIL (err, LF_EXIT_USAGE, input, "give a folder with installed packages", "the folder is empty");
      if (!place_of (&f, base, from, to))
        return LF_FAIL (err, LF_EXIT_USAGE, input, "say where it belongs: --as python, nodejs, lib or bin",
                        "holds neither Python or Node.js packages nor libraries or programs");
    }
  LF_CLEANUP (lf_freep) char *source = lf_asprintf ("%s/%s", input, from);
  LF_CLEANUP (lf_freep) char *target = lf_asprintf ("%s/%s", root, to);
  return source && target ? lf_stage_tree (source, target, err) : LF_FAIL_NOMEM (err);
}

int
lf_stage_input (const char *input, const lf_build_options *o, const char *root, lf_error *err)
{
  struct stat st;
  if (stat (input, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, input, "check the path", "cannot be opened: %s", strerror (errno));
  if (S_ISDIR (st.st_mode))
    return stage_folder (input, o, root, err);
  if (lf_ends (input, ".whl"))
    return lf_stage_wheel (input, o, root, err);
  if (lf_ends (input, ".zip"))
    {
      lf_package p;
      if (lf_package_open (input, INT64_C (16) << 30, &p, err) != 0)
        return -1;
      int r = stage_folder (p.dir, o, root, err);
      lf_package_fini (&p);
      return r;
    }
  return LF_FAIL (err, LF_EXIT_USAGE, input, "give a folder, a wheel (.whl), a .zip or a requirements file (.txt)", "is nothing a layer can be built from");
}
