/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the file that the handler names really there, and may the function read it?
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static bool
regular (const char *dir, const char *name, const char *suffix, struct stat *st, char **path)
{
  LF_CLEANUP (lf_freep) char *full = lf_asprintf ("%s/%s%s", dir, name, suffix);
  struct stat s;
  if (!full || stat (full, &s) != 0 || !S_ISREG (s.st_mode))
    return false;
  if (st)
    *st = s;
  if (path)
    *path = lf_asprintf ("%s%s", name, suffix);
  return true;
}

/* "pkg.mod.func" and "pkg/mod.func" both mean pkg/mod; NULL when there is no function part. */
static char *
python_stem (const char *handler)
{
  const char *dot = strrchr (handler, '.');
  if (!dot || dot == handler || !dot[1] || strstr (handler, ".."))
    return NULL;
  char *s = lf_strndup (handler, (size_t) (dot - handler));
  for (char *p = s; p && *p; p++)
    if (*p == '.')
      *p = '/';
  return s;
}

/* The module ends at the first dot of the last component: "dist/index.a.b" is dist/index. */
static char *
node_stem (const char *handler)
{
  const char *slash = strrchr (handler, '/'), *base = slash ? slash + 1 : handler, *dot = strchr (base, '.');
  if (!dot || dot == base || !dot[1] || strstr (handler, ".."))
    return NULL;
  return lf_strndup (handler, (size_t) (dot - handler));
}

static const char *const python_forms[] = { ".py", "/__init__.py", ".pyc", NULL };
static const char *const node_forms[] = { "", ".js", ".mjs", ".cjs", NULL };

static bool
find_file (const char *dir, lf_runtime_kind kind, const char *handler, struct stat *st, char **path)
{
  if (kind == LF_RT_PROVIDED)
    return regular (dir, "bootstrap", "", st, path);
  LF_CLEANUP (lf_freep) char *stem = kind == LF_RT_PYTHON ? python_stem (handler) : node_stem (handler);
  const char *const *forms = kind == LF_RT_PYTHON ? python_forms : node_forms;
  for (size_t i = 0; stem && forms[i]; i++)
    if (regular (dir, stem, forms[i], st, path))
      return true;
  return false;
}

bool
lf_pkg_handler_file (const char *dir, lf_runtime_kind kind, const char *handler, char **path)
{
  return find_file (dir, kind, handler, NULL, path);
}

static int
by_name (const struct dirent **a, const struct dirent **b)
{
  return strcmp ((*a)->d_name, (*b)->d_name);
}

/* What is there instead, for the error: the first names at the top. */
static void
what_is_there (const char *dir, lf_buf *out)
{
  struct dirent **list;
  int n = scandir (dir, &list, NULL, by_name), shown = 0;
  for (int i = 0; i < n; i++)
    {
      const char *name = list[i]->d_name;
      if (name[0] != '.' && shown < 12)
        {
          lf_buf_adds (out, shown ? ", " : "");
          lf_buf_add_printable (out, name, strnlen (name, 60));
          shown++;
        }
      free (list[i]);
    }
  if (n >= 0)
    free (list);
}

static int
absent (const lf_package *p, const lf_function *f, lf_error *err)
{
  lf_buf there;
  lf_buf_init (&there, 1200);
  what_is_there (p->dir, &there);
  LF_CLEANUP (lf_freep) char *stem = f->rt.kind == LF_RT_PYTHON ? python_stem (f->handler) : f->rt.kind == LF_RT_NODEJS ? node_stem (f->handler) : NULL;
  const char *list = there.data && there.len ? there.data : "nothing";
  int r;
  if (f->rt.kind == LF_RT_PROVIDED)
    r = LF_FAIL (err, LF_EXIT_USAGE, p->source, "put an executable named bootstrap at the top of the package or of a layer",
                 "no bootstrap at its top, which runtime %s starts (there: %s)", f->runtime, list);
  else if (!stem)
    r = LF_FAIL (err, LF_EXIT_USAGE, "handler", "write it as MODULE.FUNCTION, for example lambda_function.lambda_handler",
                 "%.200s does not name a module and a function", f->handler);
  else
    r = LF_FAIL (err, LF_EXIT_USAGE, p->source, "correct --handler (MODULE.FUNCTION), or add the file",
                 "no %.200s%s for handler %.200s (there: %s)", stem, f->rt.kind == LF_RT_PYTHON ? ".py" : ".js, .mjs or .cjs", f->handler, list);
  lf_buf_fini (&there);
  return r;
}

int
lf_package_check_handler (const lf_package *p, const lf_function *f, lf_error *err)
{
  if (!f->handler && f->rt.kind != LF_RT_PROVIDED)
    return LF_FAIL (err, LF_EXIT_USAGE, "handler", "give --handler MODULE.FUNCTION", "none is set");
  struct stat st = { 0 };
  LF_CLEANUP (lf_freep) char *path = NULL;
  if (!find_file (p->dir, f->rt.kind, f->handler, &st, &path))
    return absent (p, f, err);
  const char *name = path ? path : "the handler's file";
  char fix[300];
  bool read = st.st_mode & 0004, run = st.st_mode & 0001;
  if (f->rt.kind == LF_RT_PROVIDED && !(read && run))
    {
      snprintf (fix, sizeof fix, "chmod 755 bootstrap%s", p->is_zip ? ", then build the zip again" : "");
      return LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "bootstrap is not executable for the function's user (mode %04o)",
                      (unsigned) (st.st_mode & 0777));
    }
  if (!read)
    {
      snprintf (fix, sizeof fix, "chmod 644 %.200s%s", name, p->is_zip ? ", then build the zip again" : "");
      return LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "%.300s cannot be read by the function's user (mode %04o)", name,
                      (unsigned) (st.st_mode & 0777));
    }
  return 0;
}
