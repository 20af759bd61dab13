/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rules ask of a package: what in it could be left out, what is for a GPU, what would not load, and whether its own code wants
 * workers. All of it is looked up once, before anything is served.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

#define CODE_FILES 64
#define CODE_BYTES (256 << 10)

static void
add_part (char *out, size_t cap, const char *path, int64_t bytes)
{
  size_t n = strlen (out);
  char size[32];
  snprintf (size, sizeof size, bytes >= 10 * LF_MB ? "%.0f MB" : "%.1f MB", (double) bytes / (double) LF_MB);
  if (n + strlen (path) + strlen (size) + 6 < cap)
    snprintf (out + n, cap - n, "%s%s (%s)", n > 0 ? ", " : "", path, size);
}

/* Compiled Python files are small and make a start quick: they are no waste. */
static bool
is_waste (lf_space_kind k)
{
  return k == LF_SPACE_TESTS || k == LF_SPACE_HEADERS || k == LF_SPACE_DEBUG || k == LF_SPACE_DUPLICATE;
}

static void
add_space (const lf_space *s, lf_package_facts *out)
{
  for (size_t i = 0; i < s->n; i++)
    {
      const lf_space_entry *e = &s->entries[i]; /* largest first */
      if (e->kind == LF_SPACE_CUDA)
        {
          out->cuda_bytes += e->bytes;
          add_part (out->cuda, sizeof out->cuda, e->path, e->bytes);
        }
      else if (is_waste (e->kind))
        {
          out->prune_bytes += e->bytes;
          if (e->bytes >= LF_MB / 10)
            add_part (out->prune, sizeof out->prune, e->path, e->bytes);
        }
    }
}

/* The first problem of each kind that keeps a file from loading; a later target's comes behind. */
static void
add_problems (const char *target, const lf_function *f, bool layer, lf_package_facts *out)
{
  static const char *const kinds[] = { "structure", "architecture", "python-abi", "glibc", "libstdc++", "missing-library", "permissions" };
  lf_problems p;
  lf_error ignored = { 0 };
  lf_check_options o = { .runtime = f->runtime, .arch = f->arch };
  if (lf_package_check (target, &o, &p, &ignored) != 0)
    return;
  for (size_t k = layer ? 0 : 1; k < LF_ARRAY_LEN (kinds); k++)
    for (size_t i = 0; i < p.n && out->problems_n < LF_ARRAY_LEN (out->problems); i++)
      if (strcmp (p.v[i].rule, kinds[k]) == 0)
        {
          lf_package_problem *to = &out->problems[out->problems_n++];
          to->kind = kinds[k];
          snprintf (to->target, sizeof to->target, "%s", target);
          snprintf (to->path, sizeof to->path, "%s", p.v[i].path);
          snprintf (to->what, sizeof to->what, "%s", p.v[i].message);
          snprintf (to->fix, sizeof to->fix, "%s", p.v[i].fix);
          break;
        }
  lf_problems_fini (&p);
}

/* n_jobs with another value than 1, and no word of threads. */
static bool
asks_for_workers (const char *text)
{
  if (strstr (text, "threads") || strstr (text, "threading\"") || strstr (text, "sharedmem"))
    return false;
  for (const char *p = text; (p = strstr (p, "n_jobs")) != NULL;)
    {
      p += strlen ("n_jobs");
      p += strspn (p, " =:\"'");
      if (strncmp (p, "1", 1) != 0 || (p[1] >= '0' && p[1] <= '9'))
        return true;
    }
  return false;
}

static bool
wants_workers (const char *dir)
{
  lf_pkg_source s;
  lf_error ignored = { 0 };
  bool yes = false;
  size_t read = 0;
  if (lf_pkg_source_open (dir, &s, &ignored) != 0)
    return false;
  for (size_t i = 0; i < s.n && !yes && read < CODE_FILES; i++)
    {
      const lf_pkg_file *file = &s.v[i];
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (!S_ISREG (file->mode) || strchr (file->path, '/') || !lf_ends (file->path, ".py"))
        continue;
      read++;
      if (lf_pkg_source_read (&s, file, CODE_BYTES, &b, &ignored) == 0 && b.data)
        yes = asks_for_workers (b.data);
    }
  lf_pkg_source_fini (&s);
  return yes;
}

void
lf_package_space_facts (const char *target, const lf_function *f, lf_package_facts *out)
{
  lf_strv targets LF_CLEANUP (lf_strv_fini) = { 0 };
  lf_error ignored = { 0 };
  lf_space space;
  bool bad = lf_strv_add (&targets, target) < 0;
  for (size_t i = 0; i < f->layers.n && !bad; i++)
    bad = lf_strv_add (&targets, f->layers.v[i]) < 0;
  if (bad || lf_space_measure (&targets, f->arch, &space, &ignored) != 0)
    return;
  add_space (&space, out);
  lf_space_fini (&space);
}

void
lf_package_facts_read (const lf_package *p, int64_t layer_bytes, const lf_function *f, lf_package_facts *out)
{
  *out = (lf_package_facts){ .known = true, .code_bytes = p->unzipped_bytes, .layer_bytes = layer_bytes };
  lf_package_space_facts (p->dir, f, out);
  add_problems (p->dir, f, false, out);
  for (size_t i = 0; i < f->layers.n; i++)
    add_problems (f->layers.v[i], f, true, out);
  out->wants_workers = f->rt.kind == LF_RT_PYTHON && wants_workers (p->dir);
}
