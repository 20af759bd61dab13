/* SPDX-License-Identifier: Apache-2.0
 *
 * Which runtime and which handler a package is for, from its files alone: by the names AWS's consoles use, else by the one module at the
 * top that defines a handler.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "internal.h"

#define SOURCE_MAX ((size_t) 4 << 20)
#define MODULES_MAX 1000
#define PYTHON_DEFAULT "python3.12"
#define PYTHON_MINOR_MIN 9
#define PYTHON_MINOR_MAX 14
#define NODE_DEFAULT "nodejs22.x"

static const char *const python_names[] = { "lambda_handler", "handler", NULL };
static const char *const node_names[] = { "handler", "lambdaHandler", NULL };

/* A module at the top that defines a handler: "app" + "handler". */
typedef struct found { char module[200], function[40], file[220]; } found;
typedef struct finds { found v[8]; size_t n; size_t modules; lf_buf seen; } finds;

/* ---- interpreters ---------------------------------------------------------------------------------------------------------------- */

/* 11 for "python3.11", from the file's own name or what it links to; -1 when the name says nothing. */
static int
python_minor (const char *path)
{
  LF_CLEANUP (lf_freep) char *real = realpath (path, NULL);
  const char *base = real ? strrchr (real, '/') : NULL;
  int64_t minor;
  if (!base || !lf_starts (base, "/python3.") || lf_parse_i64 (base + 9, PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, &minor) != 0)
    return -1;
  return access (path, X_OK) == 0 ? (int) minor : -1;
}

typedef bool visit_fn (const char *dir, void *user);

/* PATH's folders and /usr/bin, until visit says true. */
static bool
each_bin (visit_fn *visit, void *user)
{
  const char *p = getenv ("PATH");
  while (p && *p)
    {
      size_t n = strcspn (p, ":");
      LF_CLEANUP (lf_freep) char *dir = n ? lf_strndup (p, n) : NULL;
      if (dir && dir[0] == '/' && visit (dir, user))
        return true;
      p += n + (p[n] == ':');
    }
  return visit ("/usr/bin", user);
}

static bool
plain_python (const char *dir, void *user)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/python3", dir);
  int minor = path ? python_minor (path) : -1;
  if (minor >= 0)
    *(int *) user = minor;
  return minor >= 0;
}

static bool
numbered_python (const char *dir, void *user)
{
  for (int minor = PYTHON_MINOR_MAX; minor > *(int *) user; minor--)
    {
      LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/python3.%d", dir, minor);
      if (path && access (path, X_OK) == 0)
        *(int *) user = minor;
    }
  return false;
}

int
lf_pkg_host_python (void)
{
  int minor = -1;
  if (!each_bin (plain_python, &minor))
    each_bin (numbered_python, &minor);
  return minor;
}

static char *
python_runtime (void)
{
  int minor = lf_pkg_host_python ();
  return minor < 0 ? lf_strdup (PYTHON_DEFAULT) : lf_asprintf ("python3.%d", minor);
}

/* Node's version can be read from a path only where version managers put it: .../v20.11.1/bin/node. */
static bool
node_major (const char *dir, void *user)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/node", dir);
  LF_CLEANUP (lf_freep) char *real = path && access (path, X_OK) == 0 ? realpath (path, NULL) : NULL;
  for (char *p = real; p && (p = strchr (p, '/')); p++)
    {
      char *end;
      long v = strtol (p + 1 + (p[1] == 'v'), &end, 10);
      if (*end == '.' && v >= 18 && v <= 24 && v % 2 == 0)
        *(long *) user = v;
    }
  return real != NULL; /* the first node of PATH decides */
}

static char *
node_runtime (void)
{
  long major = 0;
  each_bin (node_major, &major);
  return major ? lf_asprintf ("nodejs%ld.x", major) : lf_strdup (NODE_DEFAULT);
}

/* ---- what modules define --------------------------------------------------------------------------------------------------------- */

static bool
word_at (const char *p, const char *end, const char *word, const char **after)
{
  size_t n = strlen (word);
  if ((size_t) (end - p) < n || memcmp (p, word, n) != 0)
    return false;
  const char *q = p + n;
  if (q < end && (*q == '_' || *q == '$' || (*q >= '0' && *q <= '9') || (*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z')))
    return false;
  *after = q;
  return true;
}

static const char *
blanks (const char *p, const char *end)
{
  while (p < end && (*p == ' ' || *p == '\t'))
    p++;
  return p;
}

/* A line at column 0: "def NAME(", "async def NAME(", "NAME = ...", or "from x import NAME". */
static bool
python_line_defines (const char *p, const char *end, const char *name)
{
  const char *q;
  bool def = false;
  if (word_at (p, end, "async", &q))
    p = blanks (q, end);
  if (word_at (p, end, "def", &q))
    {
      p = blanks (q, end);
      def = true;
    }
  if (!def && word_at (p, end, "from", &q))
    {
      const char *import = memmem (q, (size_t) (end - q), " import ", 8);
      for (p = import ? import + 7 : end; p < end; p++)
        if ((p[0] == ' ' || p[0] == ',') && word_at (p + 1, end, name, &q))
          {
            q = blanks (q, end);
            return !word_at (q, end, "as", &q);
          }
      return false;
    }
  if (!word_at (p, end, name, &q))
    return false;
  q = blanks (q, end);
  return q < end && (def ? *q == '(' : (*q == '=' && (q + 1 >= end || q[1] != '=')) || *q == ':');
}

/* Does the text hold the triple quote an odd number of times? Then what follows the line is inside a string (or outside again). */
static bool
toggles_string (const char *p, const char *end)
{
  bool odd = false;
  for (; end - p >= 3; p++)
    if (memcmp (p, "\"\"\"", 3) == 0 || memcmp (p, "'''", 3) == 0)
      {
        odd = !odd;
        p += 2;
      }
    else if (*p == '#' && !odd)
      break;
  return odd;
}

static bool
python_defines (const char *text, size_t n, const char *name)
{
  const char *end = text + n;
  bool in_string = false;
  for (const char *p = text; p < end;)
    {
      const char *nl = memchr (p, '\n', (size_t) (end - p)), *stop = nl ? nl : end;
      if (!in_string && python_line_defines (p, stop, name))
        return true;
      if (toggles_string (p, stop))
        in_string = !in_string;
      p = stop + 1;
    }
  return false;
}

/* "exports.NAME =", "export const NAME", "export async function NAME", "module.exports = { NAME", "export { NAME". */
static bool
node_defines (const char *text, size_t n, const char *name)
{
  const char *end = text + n, *q;
  for (const char *p = text; p < end; p++)
    {
      if (word_at (p, end, "exports", &q) && q < end && *q == '.' && word_at (q + 1, end, name, &q))
        {
          q = blanks (q, end);
          if (q < end && *q == '=' && (q + 1 >= end || q[1] != '='))
            return true;
        }
      bool list = false;
      if ((p == text || p[-1] == '\n' || p[-1] == ';') && word_at (p, end, "export", &q))
        {
          static const char *const words[] = { "const", "let", "var", "async", "function" };
          q = blanks (q, end);
          for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
            if (word_at (q, end, words[i], &q))
              q = blanks (q, end);
          if (q < end && *q == '*')
            q = blanks (q + 1, end);
          const char *after;
          if (word_at (q, end, name, &after))
            return true;
          list = q < end && *q == '{';
        }
      else if (word_at (p, end, "module.exports", &q))
        {
          q = blanks (q, end);
          q = q < end && *q == '=' ? blanks (q + 1, end) : end;
          list = q < end && *q == '{';
        }
      if (!list)
        continue;
      const char *close = memchr (q, '}', (size_t) (end - q)), *after;
      for (const char *w = q + 1; close && w < close; w++)
        if ((w[-1] == '{' || w[-1] == ' ' || w[-1] == ',' || w[-1] == '\n') && word_at (w, close + 1, name, &after))
          return true;
    }
  return false;
}

typedef bool defines_fn (const char *text, size_t n, const char *name);

static void
scan_module (int fd, const char *file, size_t stem, defines_fn *defines, const char *const *names, finds *out)
{
  int in = openat (fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  if (in < 0 || fstat (in, &st) != 0 || !S_ISREG (st.st_mode) || (size_t) st.st_size > SOURCE_MAX || stem >= sizeof out->v[0].module)
    {
      lf_closep (&in);
      return;
    }
  LF_CLEANUP (lf_freep) char *text = malloc ((size_t) st.st_size + 1);
  ssize_t n = text ? pread (in, text, (size_t) st.st_size, 0) : -1;
  close (in);
  for (size_t i = 0; n > 0 && names[i]; i++)
    if (defines (text, (size_t) n, names[i]))
      {
        if (out->n < LF_ARRAY_LEN (out->v))
          {
            found *f = &out->v[out->n];
            snprintf (f->module, sizeof f->module, "%.*s", (int) stem, file);
            snprintf (f->function, sizeof f->function, "%s", names[i]);
            snprintf (f->file, sizeof f->file, "%.219s", file);
            out->n++;
          }
        break;
      }
}

static bool
has_suffix (const char *name, const char *const *suffixes, size_t *stem)
{
  for (size_t i = 0; suffixes[i]; i++)
    if (lf_ends (name, suffixes[i]))
      {
        *stem = strlen (name) - strlen (suffixes[i]);
        return *stem > 0;
      }
  return false;
}

static const char *const python_suffixes[] = { ".py", NULL };
static const char *const node_suffixes[] = { ".mjs", ".cjs", ".js", NULL };

static bool
never_a_handler (const char *name)
{
  return lf_starts (name, "__") || lf_starts (name, "test_") || lf_starts (name, ".") || lf_ends (name, "_test.py")
         || strcmp (name, "setup.py") == 0 || strcmp (name, "conftest.py") == 0 || lf_ends (name, ".config.js") || lf_ends (name, ".test.js")
         || lf_ends (name, ".config.mjs") || lf_ends (name, ".config.cjs") || lf_ends (name, ".test.mjs");
}

static int
by_name (const struct dirent **a, const struct dirent **b)
{
  return strcmp ((*a)->d_name, (*b)->d_name);
}

static void
scan (const char *dir, bool python, finds *out)
{
  struct dirent **list;
  int n = scandir (dir, &list, NULL, by_name);
  if (n < 0)
    return;
  LF_CLEANUP (lf_closep) int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < n; i++)
    {
      const char *name = list[i]->d_name;
      size_t stem;
      if (fd >= 0 && !never_a_handler (name) && has_suffix (name, python ? python_suffixes : node_suffixes, &stem)
          && out->modules < MODULES_MAX)
        {
          out->modules++;
          lf_buf_addf (&out->seen, "%s%s", out->seen.len ? ", " : "", name);
          scan_module (fd, name, stem, python ? python_defines : node_defines, python ? python_names : node_names, out);
        }
      free (list[i]);
    }
  free (list);
}

static bool
has_file (const char *dir, const char *name)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/%s", dir, name);
  struct stat st;
  return path && stat (path, &st) == 0 && S_ISREG (st.st_mode);
}

static bool
has_index (const char *dir)
{
  return has_file (dir, "index.mjs") || has_file (dir, "index.js") || has_file (dir, "index.cjs");
}

/* ---- decisions -------------------------------------------------------------------------------------------------------------------- */

static int
several (const lf_package *p, const finds *f, lf_error *err)
{
  lf_buf list;
  lf_buf_init (&list, 1500);
  for (size_t i = 0; i < f->n; i++)
    lf_buf_addf (&list, "%s%s.%s", i ? ", " : "", f->v[i].module, f->v[i].function);
  char fix[300];
  snprintf (fix, sizeof fix, "say which one: --handler %.120s.%s", f->v[0].module, f->v[0].function);
  int r = LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "several modules define a handler: %s", list.data ? list.data : "");
  lf_buf_fini (&list);
  return r;
}

/* The folder below the top in which the console's names are found: the usual slip is to give the project and not its source. */
static const char *
better_folder (const char *dir, char out[256])
{
  struct dirent **list;
  int n = scandir (dir, &list, NULL, by_name);
  bool hit = false;
  for (int i = 0; i < n; i++)
    {
      if (!hit && list[i]->d_name[0] != '.')
        {
          LF_CLEANUP (lf_freep) char *sub = lf_asprintf ("%s/%s", dir, list[i]->d_name);
          if (sub && (has_file (sub, "lambda_function.py") || has_file (sub, "bootstrap") || (has_index (sub) && strcmp (list[i]->d_name, "node_modules") != 0)))
            {
              snprintf (out, 256, "%s", list[i]->d_name);
              hit = true;
            }
        }
      free (list[i]);
    }
  if (n >= 0)
    free (list);
  return hit ? out : NULL;
}

/* The folder below the top that has the file of the Dockerfile's handler: COPY takes it from there. */
static bool
copied_folder (const lf_package *p, const lf_dockerfile *d, char out[256])
{
  struct dirent **list;
  int n = d->handler[0] ? scandir (p->dir, &list, NULL, by_name) : -1;
  bool hit = false;
  for (int i = 0; i < n; i++)
    {
      LF_CLEANUP (lf_freep) char *sub = lf_asprintf ("%s/%s", p->dir, list[i]->d_name);
      if (!hit && sub && list[i]->d_name[0] != '.'
          && (lf_pkg_handler_file (sub, LF_RT_PYTHON, d->handler, NULL) || lf_pkg_handler_file (sub, LF_RT_NODEJS, d->handler, NULL)))
        {
          snprintf (out, 256, "%s", list[i]->d_name);
          hit = true;
        }
      free (list[i]);
    }
  if (n >= 0)
    free (list);
  return hit;
}

static int
nothing (const lf_package *p, const finds *py, const finds *js, lf_error *err)
{
  char sub[256], fix[480];
  lf_dockerfile d;
  if (lf_dockerfile_read (p->dir, &d) && copied_folder (p, &d, sub))
    {
      snprintf (fix, sizeof fix, "give the folder that it copies: %.160s/%.120s --handler %.100s%s%s", p->source, sub, d.handler, d.runtime[0] ? " --runtime " : "", d.runtime);
      return LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "no handler at the top of the package; the handler of its Dockerfile, %.100s, is in %.100s", d.handler, sub);
    }
  if (better_folder (p->dir, sub))
    {
      snprintf (fix, sizeof fix, "give the folder with the handler: %.200s/%.200s", p->source, sub);
      return LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "no handler at the top of the package");
    }
  if (py->modules || js->modules)
  {
    const char *seen = py->modules ? py->seen.data : js->seen.data;
    snprintf (fix, sizeof fix, "say which one is the handler: --handler MODULE.FUNCTION");
    return LF_FAIL (err, LF_EXIT_USAGE, p->source, fix, "no module defines %s (looked in %.400s)",
                    py->modules ? "lambda_handler or handler" : "an exported handler", seen ? seen : "");
  }
  if (has_file (p->dir, "index.ts") || has_file (p->dir, "app.ts") || has_file (p->dir, "handler.ts"))
    return LF_FAIL (err, LF_EXIT_USAGE, p->source, "compile it first, for example: esbuild index.ts --bundle --platform=node --outfile=dist/index.js",
                    "only TypeScript sources are here; Lambda runs JavaScript");
  return LF_FAIL (err, LF_EXIT_USAGE, p->source, "give --runtime and --handler, or put lambda_function.py, index.mjs or bootstrap at the top",
                  "no bootstrap, *.py, index.mjs, index.js or index.cjs at the top of the package");
}

static int
set (char **to, char *value, lf_error *err)
{
  if (*to)
    {
      free (value);
      return 0;
    }
  *to = value;
  return value ? 0 : LF_FAIL_NOMEM (err);
}

/* The console's module; its console's function unless the module plainly has only the other usual one. */
static int
console_handler (const lf_package *p, const char *module, const char *file, bool python, lf_function *f, char note[256], lf_error *err)
{
  const char *function = python ? python_names[0] : node_names[0];
  if (!f->handler)
    {
      finds one = { 0 };
      lf_buf_init (&one.seen, 4096);
      LF_CLEANUP (lf_closep) int fd = open (p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd >= 0)
        scan_module (fd, file, strlen (module), python ? python_defines : node_defines, python ? python_names : node_names, &one);
      lf_buf_fini (&one.seen);
      if (one.n && strcmp (one.v[0].function, function) != 0)
        {
          snprintf (note, 256, "handler %s.%s taken: %s defines no %s", module, one.v[0].function, file, function);
          return set (&f->handler, lf_asprintf ("%s.%s", module, one.v[0].function), err);
        }
    }
  return set (&f->handler, lf_asprintf ("%s.%s", module, function), err);
}

static int
decide_python (const lf_package *p, lf_function *f, char note[256], lf_error *err)
{
  return set (&f->runtime, python_runtime (), err) != 0 ? -1 : console_handler (p, "lambda_function", "lambda_function.py", true, f, note, err);
}

static int
decide_node (const lf_package *p, lf_function *f, char note[256], lf_error *err)
{
  const char *file = has_file (p->dir, "index.mjs") ? "index.mjs" : has_file (p->dir, "index.js") ? "index.js" : "index.cjs";
  return set (&f->runtime, node_runtime (), err) != 0 ? -1 : console_handler (p, "index", file, false, f, note, err);
}

static int
take (const finds *from, bool python, lf_function *f, char note[256], lf_error *err)
{
  const found *one = &from->v[0];
  if (!f->handler)
    snprintf (note, 256, "handler %.100s.%s taken: the only module that defines one", one->module, one->function);
  if (set (&f->runtime, python ? python_runtime () : node_runtime (), err) != 0)
    return -1;
  return set (&f->handler, lf_asprintf ("%s.%s", one->module, one->function), err);
}

/* The handler is given, the runtime not: the module's file tells the language. */
static int
runtime_of_handler (const lf_package *p, lf_function *f, lf_error *err)
{
  bool py = lf_pkg_handler_file (p->dir, LF_RT_PYTHON, f->handler, NULL), js = lf_pkg_handler_file (p->dir, LF_RT_NODEJS, f->handler, NULL);
  if (py != js)
    return set (&f->runtime, py ? python_runtime () : node_runtime (), err);
  if (has_file (p->dir, "bootstrap"))
    return set (&f->runtime, lf_strdup ("provided.al2023"), err);
  if (py)
    return LF_FAIL (err, LF_EXIT_USAGE, p->source, "say which: --runtime python3.12 or --runtime nodejs22.x",
                    "handler %.200s may be a Python or a Node.js module; both files are here", f->handler);
  return LF_FAIL (err, LF_EXIT_USAGE, p->source, "correct --handler, or give --runtime", "no file fits handler %.200s, so the runtime is not known",
                  f->handler);
}

/* What the folder's Dockerfile says of an image for Lambda, where its handler is here: the rest is found as ever. */
static int
decide_by_dockerfile (const lf_package *p, lf_function *f, char note[256], lf_error *err)
{
  lf_dockerfile d;
  bool handler = !f->handler;
  if (!lf_dockerfile_read (p->dir, &d))
    return 0;
  snprintf (note, 256, "the image of its Dockerfile is not built: what that installs beside the files here, and its size (10 GB at most), is not measured; a saved one by lambdafit layer size");
  if (handler && !lf_pkg_handler_file (p->dir, LF_RT_PYTHON, d.handler, NULL) && !lf_pkg_handler_file (p->dir, LF_RT_NODEJS, d.handler, NULL))
    return 0;
  if (handler)
    snprintf (note, 256, "handler %.100s taken from its Dockerfile, whose image is not built: what that installs, and its size (10 GB at most), is not measured", d.handler);
  if (handler && set (&f->handler, lf_strdup (d.handler), err) != 0)
    return -1;
  return d.runtime[0] && !f->runtime ? set (&f->runtime, lf_strdup (d.runtime), err) : 0;
}

int
lf_package_detect (const lf_package *p, lf_function *f, char note[256], lf_error *err)
{
  note[0] = '\0';
  if ((!f->runtime || !f->handler) && !p->is_zip && decide_by_dockerfile (p, f, note, err) != 0)
    return -1;
  if (f->runtime && f->handler)
    return 0;
  if (f->handler)
    return runtime_of_handler (p, f, err);
  bool any = !f->runtime, want_py = any || lf_starts (f->runtime, "python"), want_js = any || lf_starts (f->runtime, "nodejs");
  if (f->runtime && !want_py && !want_js)
    return set (&f->handler, lf_strdup ("bootstrap"), err); /* OS-only runtimes hand the name on and do not use it themselves */
  if (any && has_file (p->dir, "bootstrap"))
    return set (&f->runtime, lf_strdup ("provided.al2023"), err) != 0 ? -1 : set (&f->handler, lf_strdup ("bootstrap"), err);
  if (want_py && has_file (p->dir, "lambda_function.py"))
    return decide_python (p, f, note, err);
  if (want_js && has_index (p->dir))
    return decide_node (p, f, note, err);
  finds py = { 0 }, js = { 0 };
  lf_buf_init (&py.seen, 4096);
  lf_buf_init (&js.seen, 4096);
  if (want_py)
    scan (p->dir, true, &py);
  if (want_js)
    scan (p->dir, false, &js);
  int r;
  if (py.n + js.n == 0)
    r = nothing (p, &py, &js, err);
  else if (py.n > 1 || (py.n == 0 && js.n > 1))
    r = several (p, py.n ? &py : &js, err);
  else
    r = take (py.n ? &py : &js, py.n > 0, f, note, err);
  lf_buf_fini (&py.seen);
  lf_buf_fini (&js.seen);
  return r;
}
