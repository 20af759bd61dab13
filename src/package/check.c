/* SPDX-License-Identifier: Apache-2.0
 *
 * Will it load? The rules of rules.def, applied to a layer or a function's package.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "imagefile.h"

#define UNPACK_MAX (INT64_C (16) << 30) /* a check must be able to look at what is too big */

static const lf_check_rule rules[] = {
#define RULE(name, id, what, fix) { id, what, fix },
#include "rules.def"
#undef RULE
};

size_t
lf_check_rules (const lf_check_rule **out)
{
  *out = rules;
  return LF_ARRAY_LEN (rules);
}

static int
append (lf_problems *out, const char *rule, const char *path, const char *fix, const char *message)
{
  lf_problem *v = realloc (out->v, (out->n + 1) * sizeof *v);
  if (!v)
    return -1;
  out->v = v;
  lf_problem p = { .rule = rule, .path = lf_strdup (path), .message = lf_strdup (message), .fix = lf_strdup (fix) };
  if (!p.path || !p.message || !p.fix)
    {
      free (p.path);
      free (p.message);
      free (p.fix);
      return -1;
    }
  v[out->n++] = p;
  return 0;
}

int
lf_check_add (lf_check *c, lf_rule rule, const char *path, const char *fix, const char *fmt, ...)
{
  if (c->count[rule]++ >= LF_CHECK_LISTED)
    return 0;
  va_list ap;
  va_start (ap, fmt);
  lf_buf b;
  lf_buf_init (&b, 4096);
  lf_buf_addv (&b, fmt, ap);
  va_end (ap);
  int r = append (c->out, rules[rule].id, path, fix ? fix : rules[rule].fix, b.data ? b.data : rules[rule].what);
  lf_buf_fini (&b);
  return r == 0 ? 0 : LF_FAIL_NOMEM (c->err);
}

const char *
lf_check_owner (lf_check *c, const char *path)
{
  int64_t i = lf_dists_owner (c->s, c->dists, path);
  return i >= 0 ? c->dists->v[i].name : NULL;
}

int
lf_check_say_rest (lf_check *c)
{
  for (int i = 0; i < LF_RULE_COUNT; i++)
    if (c->count[i] > LF_CHECK_LISTED)
      {
        char more[100];
        snprintf (more, sizeof more, "and %zu more like these", c->count[i] - LF_CHECK_LISTED);
        if (append (c->out, rules[i].id, ".", rules[i].fix, more) != 0)
          return LF_FAIL_NOMEM (c->err);
      }
  return 0;
}

/* ---- what it is checked for --------------------------------------------------------------------------------------------------------- */

/* The version of Python that most of its compiled modules, or its folder, are for. */
int
lf_pkg_guess_python (const lf_pkg_source *s)
{
  int votes[100] = { 0 }, best = -1;
  for (size_t i = 0; i < s->n; i++)
    {
      bool ft;
      int minor = lf_check_abi_minor (s->v[i].path, &ft);
      int64_t in_path = -1;
      if (lf_starts (s->v[i].path, "python/lib/python3."))
        {
          char digits[4] = "";
          size_t n = strspn (s->v[i].path + 19, "0123456789");
          if (n && n < sizeof digits)
            {
              memcpy (digits, s->v[i].path + 19, n);
              if (lf_parse_i64 (digits, 0, 99, &in_path) == 0)
                return (int) in_path;
            }
        }
      if (minor >= 0 && minor < 100)
        votes[minor]++;
    }
  for (int i = 0; i < 100; i++)
    if (votes[i] && (best < 0 || votes[i] > votes[best]))
      best = i;
  return best;
}

void
lf_runtime_system (const lf_runtime_info *rt, const char *id, int *glibc_minor, int *glibcxx_minor, const char **name)
{
  bool al2 = (rt->kind == LF_RT_PYTHON && rt->minor < 12) || (rt->kind == LF_RT_NODEJS && rt->major < 20)
             || (id && strcmp (id, "provided.al2") == 0);
  *glibc_minor = al2 ? 26 : 34;
  *glibcxx_minor = al2 ? 24 : 29;
  *name = al2 ? "Amazon Linux 2" : "Amazon Linux 2023";
}

static int
settle_runtime (lf_check *c)
{
  lf_runtime_info rt = { .kind = LF_RT_PROVIDED };
  c->python_minor = -1;
  if (c->o->runtime)
    {
      if (lf_runtime_parse (c->o->runtime, &rt, c->err) != 0)
        return -1;
      if (rt.kind == LF_RT_PYTHON)
        c->python_minor = rt.minor;
      snprintf (c->out->runtime, sizeof c->out->runtime, "%s", c->o->runtime);
    }
  else
    {
      c->python_minor = lf_pkg_guess_python (c->s);
      if (c->python_minor >= 0)
        {
          rt.kind = LF_RT_PYTHON;
          rt.minor = c->python_minor;
          snprintf (c->out->runtime, sizeof c->out->runtime, "python3.%d", c->python_minor);
        }
    }
  lf_runtime_system (&rt, c->o->runtime, &c->glibc_minor, &c->glibcxx_minor, &c->system);
  return 0;
}

/* A function's package has a handler at its top; a layer has the folders of a layer, even if it brings a bootstrap. */
static bool
is_function (const lf_pkg_source *s, const lf_package *p)
{
  static const char *const homes[] = { "python", "nodejs", "lib", "bin", "java", "ruby", "extensions" };
  for (size_t i = 0; i < LF_ARRAY_LEN (homes); i++)
    {
      const lf_pkg_file *f = lf_pkg_source_find (s, homes[i]);
      if (f && S_ISDIR (f->mode) && !lf_pkg_source_find (s, "lambda_function.py"))
        return false;
    }
  for (size_t i = 0; i < s->n; i++) /* zips without entries for folders */
    for (size_t k = 0; k < 2; k++)
      if (lf_starts (s->v[i].path, homes[k]) && s->v[i].path[strlen (homes[k])] == '/' && !lf_pkg_source_find (s, "lambda_function.py"))
        return false;
  lf_function f = { 0 };
  lf_error ignored = { 0 };
  char note[256];
  bool yes = lf_package_detect (p, &f, note, &ignored) == 0 || strstr (ignored.why, "several modules");
  free (f.runtime);
  free (f.handler);
  return yes;
}

static int
run_rules (lf_check *c)
{
  static int (*const all[]) (lf_check *) = { lf_check_structure, lf_check_permissions, lf_check_binaries, lf_check_abi, lf_check_pyc, lf_check_cuda };
  for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
    if (all[i] (c) != 0)
      return -1;
  return lf_check_say_rest (c);
}

int
lf_package_check (const char *target, const lf_check_options *o, lf_problems *out, lf_error *err)
{
  if (lf_image_is (target))
    return lf_check_image (target, o, out, err);
  *out = (lf_problems){ .arch = o->arch };
  lf_pkg_source s;
  lf_dists dists = { 0 };
  lf_package p = { 0 };
  if (lf_pkg_source_open (target, &s, err) != 0)
    return -1;
  lf_check c = { .s = &s, .dists = &dists, .o = o, .out = out, .err = err, .dir = -1 };
  int r = s.is_zip ? lf_package_open (target, UNPACK_MAX, &p, err) : 0;
  if (r == 0 && !s.is_zip)
    {
      p.source = lf_strdup (target);
      p.dir = lf_strdup (target);
      r = p.source && p.dir ? 0 : LF_FAIL_NOMEM (err);
    }
  if (r == 0 && s.files == 0)
    r = LF_FAIL (err, LF_EXIT_USAGE, target, "give the folder with the layer's files", "the folder is empty");
  if (r == 0)
    r = lf_dists_read (&s, &dists, err);
  if (r == 0)
    r = settle_runtime (&c);
  if (r == 0)
    {
      c.is_function = out->is_function = is_function (&s, &p);
      c.dir = open (p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      r = run_rules (&c);
    }
  lf_closep (&c.dir);
  lf_package_fini (&p);
  lf_dists_fini (&dists);
  lf_pkg_source_fini (&s);
  if (r != 0)
    lf_problems_fini (out);
  return r;
}

void
lf_problems_fini (lf_problems *p)
{
  if (!p)
    return;
  for (size_t i = 0; i < p->n; i++)
    {
      free (p->v[i].path);
      free (p->v[i].message);
      free (p->v[i].fix);
    }
  free (p->v);
  *p = (lf_problems){ 0 };
}
