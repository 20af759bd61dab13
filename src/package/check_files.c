/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules about where files are and who may read them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

static const char *const homes[] = { "python", "nodejs", "java", "ruby", "lib", "bin", "extensions", "dotnet" };

static bool
is_home (const char *name, size_t n)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (homes); i++)
    if (strlen (homes[i]) == n && memcmp (homes[i], name, n) == 0)
      return true;
  return false;
}

/* What the first level of the package holds. */
typedef struct tops
{
  bool home, python_files, metadata, node, shared_objects, many;
  char only[256];          /* the only name at the top */
  char package[256];       /* a Python package at the top */
  bool home_inside;        /* python/ and the like one level below the only folder */
} tops;

static void
look_inside (const lf_check *c, tops *t, const char *path, size_t first_n)
{
  const char *rest = path + first_n + 1;
  size_t second_n = strcspn (rest, "/");
  if (rest[second_n] == '/' && is_home (rest, second_n))
    t->home_inside = true;
  if (strcmp (rest, "__init__.py") == 0 && !is_home (path, first_n) && !t->package[0])
    snprintf (t->package, sizeof t->package, "%.*s", (int) first_n, path);
  (void) c;
}

static void
look (const lf_check *c, tops *t)
{
  for (size_t i = 0; i < c->s->n; i++)
    {
      const char *path = c->s->v[i].path;
      size_t n = strcspn (path, "/");
      bool top = path[n] == '\0';
      if (!t->only[0])
        snprintf (t->only, sizeof t->only, "%.*s", (int) n, path);
      else if (strlen (t->only) != n || memcmp (t->only, path, n) != 0)
        t->many = true;
      t->home = t->home || (is_home (path, n) && (!top || S_ISDIR (c->s->v[i].mode)));
      if (!top)
        look_inside (c, t, path, n);
      char name[256];
      snprintf (name, sizeof name, "%.*s", (int) n, path);
      t->metadata = t->metadata || lf_ends (name, ".dist-info") || lf_ends (name, ".egg-info");
      t->python_files = t->python_files || (top && lf_ends (path, ".py"));
      t->node = t->node || strcmp (name, "node_modules") == 0 || (top && strcmp (path, "package.json") == 0);
      t->shared_objects = t->shared_objects || (top && (lf_ends (path, ".so") || strstr (path, ".so.")));
    }
}

static int
check_tops (lf_check *c, const tops *t)
{
  if (!t->many && t->home_inside && !t->home)
    return lf_check_add (c, LF_RULE_STRUCTURE, t->only, "build the zip from inside the folder: cd DIR && zip -r ../layer.zip .",
                         "the layer's content is inside the folder %s; python/, nodejs/, lib/ and bin/ must be at the top", t->only);
  if (t->metadata || t->package[0] || (t->python_files && !t->home))
    return lf_check_add (c, LF_RULE_STRUCTURE, t->package[0] ? t->package : ".", NULL,
                         "Python packages lie at the top of the layer, where Python does not look; they belong in python/");
  if (t->node)
    return lf_check_add (c, LF_RULE_STRUCTURE, "node_modules", NULL,
                         "Node.js packages lie at the top of the layer, where Node.js does not look; they belong in nodejs/node_modules/");
  if (t->shared_objects)
    return lf_check_add (c, LF_RULE_STRUCTURE, ".", NULL, "shared libraries lie at the top of the layer, where the loader does not look; they belong in lib/");
  if (!t->home)
    return lf_check_add (c, LF_RULE_STRUCTURE, ".", NULL, "nothing in it is where a runtime looks (python/, nodejs/, lib/, bin/, extensions/)");
  return 0;
}

/* The folder of python/lib/python3.N/ in the path, -1 when it is none. */
static int
versioned_folder (const char *path, const char *before)
{
  size_t n = strlen (before);
  if (strncmp (path, before, n) != 0)
    return -1;
  char *end;
  long minor = strtol (path + n, &end, 10);
  return end != path + n && *end == '/' && minor >= 0 && minor < 100 ? (int) minor : -1;
}

static int
check_python_folders (lf_check *c)
{
  bool nested = false, venv = false, sites = false;
  int wrong = -1;
  for (size_t i = 0; i < c->s->n; i++)
    {
      const char *path = c->s->v[i].path;
      nested = nested || lf_starts (path, "python/python/");
      venv = venv || versioned_folder (path, "lib/python3.") >= 0;
      sites = sites || lf_starts (path, "python/site-packages/") || lf_starts (path, "python/dist-packages/");
      int minor = versioned_folder (path, "python/lib/python3.");
      if (minor >= 0 && c->python_minor >= 0 && minor != c->python_minor)
        wrong = minor;
    }
  if (nested && lf_check_add (c, LF_RULE_STRUCTURE, "python/python", NULL, "python/ is inside python/ once more; Python looks only in the outer one") != 0)
    return -1;
  if (sites && lf_check_add (c, LF_RULE_STRUCTURE, "python/site-packages", NULL,
                             "packages lie in python/site-packages; Python looks in python/ and python/lib/python3.N/site-packages") != 0)
    return -1;
  if (venv && lf_check_add (c, LF_RULE_STRUCTURE, "lib", NULL,
                            "lib/python3.N is a virtual environment's folder; in a layer it must be python/lib/python3.N/site-packages") != 0)
    return -1;
  return wrong < 0 ? 0
                   : lf_check_add (c, LF_RULE_STRUCTURE, "python/lib", NULL, "packages lie in python/lib/python3.%d, which runtime python3.%d does not look at",
                                   wrong, c->python_minor);
}

static int
check_node_folders (lf_check *c)
{
  bool any = false, modules = false;
  for (size_t i = 0; i < c->s->n; i++)
    {
      const char *path = c->s->v[i].path;
      any = any || lf_starts (path, "nodejs/");
      modules = modules || (lf_starts (path, "nodejs/") && strstr (path, "node_modules/"));
    }
  return any && !modules ? lf_check_add (c, LF_RULE_STRUCTURE, "nodejs", NULL,
                                         "nodejs/ has no node_modules folder; Node.js looks in nodejs/node_modules and nodejs/nodeN/node_modules")
                         : 0;
}

int
lf_check_structure (lf_check *c)
{
  if (c->is_function)
    return 0; /* everything lies in /var/task, which every runtime searches */
  tops t = { 0 };
  look (c, &t);
  if (check_tops (c, &t) != 0 || (t.home && (check_python_folders (c) != 0 || check_node_folders (c) != 0)))
    return -1;
  return 0;
}

/* Programs that a runtime or Lambda itself starts. */
static bool
must_run (const lf_check *c, const char *path)
{
  const char *rest = strchr (path, '/');
  if (strcmp (path, "bootstrap") == 0)
    return true;
  if (!rest || strchr (rest + 1, '/'))
    return false;
  return lf_starts (path, "extensions/") || (!c->is_function && lf_starts (path, "bin/"));
}

int
lf_check_permissions (lf_check *c)
{
  for (size_t i = 0; i < c->s->n; i++)
    {
      const lf_pkg_file *f = &c->s->v[i];
      unsigned mode = f->mode & 0777;
      int r = 0;
      if (S_ISDIR (f->mode) && (mode & 05) != 05)
        r = lf_check_add (c, LF_RULE_PERMISSIONS, f->path, NULL, "the folder has mode %04o: the function's user cannot enter it", mode);
      else if (S_ISREG (f->mode) && !(mode & 04))
        r = lf_check_add (c, LF_RULE_PERMISSIONS, f->path, NULL, "the file has mode %04o: the function's user cannot read it", mode);
      else if (S_ISREG (f->mode) && !(mode & 01) && must_run (c, f->path))
        r = lf_check_add (c, LF_RULE_PERMISSIONS, f->path, "chmod a+x the file, and build the zip again",
                          "the file has mode %04o and is to be started: it is not executable", mode);
      if (r != 0)
        return -1;
    }
  return 0;
}
