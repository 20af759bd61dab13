/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a function brings the real runtime client (its package, a layer, or the interpreter's own packages). */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lambdafit/sandbox.h"

static bool
there (const char *dir, const char *name)
{
  char path[PATH_MAX];
  return snprintf (path, sizeof path, "%s/%s", dir, name) < (int) sizeof path && access (path, R_OK) == 0;
}

/* The client's extension module must be built for this very Python: one for another minor version cannot be imported. */
static bool
has_extension_for (const char *dir, int minor)
{
  char wanted[64];
  snprintf (wanted, sizeof wanted, "runtime_client.cpython-3%d-", minor);
  DIR *d = opendir (dir);
  bool found = false;
  for (struct dirent *e; d && !found && (e = readdir (d)) != NULL;)
    found = lf_ends (e->d_name, ".so") && (lf_starts (e->d_name, wanted) || lf_starts (e->d_name, "runtime_client.abi3."));
  if (d)
    closedir (d);
  return found;
}

static bool
python_client_in (const char *dir, int minor)
{
  return there (dir, "awslambdaric/bootstrap.py") && has_extension_for (dir, minor);
}

static bool
python_client (const lf_interpreter *i, const lf_runtime_info *rt, const char *task_dir, const char *opt_dir)
{
  int64_t minor = -1;
  const char *dot = i->version ? strchr (i->version, '.') : NULL;
  char text[16];
  if (!dot || snprintf (text, sizeof text, "%.*s", (int) strcspn (dot + 1, "."), dot + 1) >= (int) sizeof text
      || lf_parse_i64 (text, 0, 999, &minor) < 0)
    return false;
  if (task_dir && python_client_in (task_dir, (int) minor))
    return true;
  char dir[PATH_MAX];
  const char *prefix = i->prefix ? i->prefix : "/usr";
  const struct
  {
    const char *root, *below;
    int minor;
  } places[] = {
    { opt_dir, "python/lib/python3.%d/site-packages", rt->minor },
    { opt_dir, "python", -1 },
    { prefix, "lib/python3.%d/site-packages", (int) minor },
    { i->prefix ? NULL : "/usr/local", "lib/python3.%d/dist-packages", (int) minor },
    { i->prefix ? NULL : "/usr/local", "lib/python3.%d/site-packages", (int) minor },
    { i->prefix ? NULL : "/usr/lib/python3", "dist-packages", -1 },
  };
  for (size_t k = 0; k < LF_ARRAY_LEN (places); k++)
    {
      if (!places[k].root)
        continue;
      char below[64];
      if (places[k].minor < 0)
        snprintf (below, sizeof below, "%s", places[k].below);
      else
        {
          const char *percent = strchr (places[k].below, '%');
          snprintf (below, sizeof below, "%.*s%d%s", (int) (percent - places[k].below), places[k].below, places[k].minor, percent + 2);
        }
      if (snprintf (dir, sizeof dir, "%s/%s", places[k].root, below) < (int) sizeof dir && python_client_in (dir, (int) minor))
        return true;
    }
  return false;
}

/* The program that package.json names, relative to the package; NULL when it is not there or would lead out of it. */
static char *
node_entry (const char *package)
{
  char path[PATH_MAX];
  lf_error err;
  if (snprintf (path, sizeof path, "%s/package.json", package) >= (int) sizeof path || access (path, R_OK) < 0)
    return NULL;
  LF_CLEANUP (lf_json_freep) cJSON *o = lf_json_load (path, 1 << 20, &err);
  const cJSON *bin = cJSON_GetObjectItemCaseSensitive (o, "bin");
  const char *entry = cJSON_IsString (bin) ? bin->valuestring : lf_json_str (bin, "aws-lambda-ric");
  if (!entry || entry[0] == '/' || strstr (entry, ".."))
    return NULL;
  while (lf_starts (entry, "./"))
    entry += 2;
  return there (package, entry) ? lf_strdup (entry) : NULL;
}

/* Its native part is built at installation; a package copied without it cannot start. */
static bool
node_addon_built (const char *package)
{
  return there (package, "rapid-client.node") || there (package, "dist/rapid-client.node")
         || there (package, "build/Release/rapid-client.node");
}

static int
node_client (lf_interpreter *i, const lf_runtime_info *rt, const char *task_dir, const char *opt_dir, lf_error *err)
{
  char versioned[64];
  snprintf (versioned, sizeof versioned, "nodejs/node%d/node_modules", rt->major);
  const struct
  {
    const char *root, *below, *inside;
  } places[] = {
    { task_dir, "node_modules", "/var/task" },
    { opt_dir, versioned, "/opt" },
    { opt_dir, "nodejs/node_modules", "/opt" },
    { i->prefix ? i->prefix : "/usr", "lib/node_modules", i->prefix ? i->prefix : "/usr" },
    { i->prefix ? NULL : "/usr/local", "lib/node_modules", "/usr/local" },
  };
  for (size_t k = 0; k < LF_ARRAY_LEN (places); k++)
    {
      char package[PATH_MAX];
      if (!places[k].root
          || snprintf (package, sizeof package, "%s/%s/aws-lambda-ric", places[k].root, places[k].below) >= (int) sizeof package)
        continue;
      LF_CLEANUP (lf_freep) char *entry = node_addon_built (package) ? node_entry (package) : NULL;
      if (!entry)
        continue;
      i->client_argv0 = lf_asprintf ("%s/%s/aws-lambda-ric/%s", places[k].inside, places[k].below, entry);
      if (!i->client_argv0)
        return LF_FAIL_NOMEM (err);
      i->own_client = true;
      return 0;
    }
  return 0;
}

int
lf_interpreter_client (lf_interpreter *i, const lf_runtime_info *rt, const char *task_dir, const char *opt_dir, lf_error *err)
{
  i->own_client = false;
  free (i->client_argv0);
  i->client_argv0 = NULL;
  if (rt->kind == LF_RT_PYTHON)
    i->own_client = python_client (i, rt, task_dir, opt_dir);
  else if (rt->kind == LF_RT_NODEJS)
    return node_client (i, rt, task_dir, opt_dir, err);
  return 0;
}
