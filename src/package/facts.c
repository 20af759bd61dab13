/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rules ask of a package: what in it could be left out, what is for a GPU, what would not load, and whether its own code wants
 * workers. All of it is looked up once, before anything is served.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "facts.h"
#include "internal.h"

#define CODE_FILES 64
#define CODE_BYTES (256 << 10)

static void
add_part (char *out, size_t cap, const char *what, const char *path, int64_t bytes)
{
  size_t n = strlen (out);
  char size[32];
  snprintf (size, sizeof size, bytes >= 10 * LF_MB ? "%.0f MB" : "%.1f MB", (double) bytes / (double) LF_MB);
  if (n + strlen (what) + strlen (path) + strlen (size) + 6 < cap)
    snprintf (out + n, cap - n, "%s%s%s (%s)", n > 0 ? ", " : "", what, path, size);
}

/* Of some entries not all that lies there is meant: tests that are spread over a package have its folder as their path. */
static const char *
part_of (const lf_space_entry *e)
{
  const char *slash = strrchr (e->path, '/'), *base = slash ? slash + 1 : e->path;
  switch (e->kind)
    {
    case LF_SPACE_DEBUG: return "debug information in ";
    case LF_SPACE_DUPLICATE: return "the second copy of ";
    case LF_SPACE_TESTS: return strstr (base, "test") ? "" : "tests in ";
    case LF_SPACE_HEADERS: return strstr (base, "include") || strchr (base, '.') ? "" : "headers in ";
    default: return "";
    }
}

/* Compiled Python files are small and make a start quick: they are no waste. */
static bool
is_waste (lf_space_kind k)
{
  return k == LF_SPACE_TESTS || k == LF_SPACE_HEADERS || k == LF_SPACE_DEBUG || k == LF_SPACE_DUPLICATE;
}

/* Of an image: the layers with the most that is not seen, and what is large and no waste. */
static void
add_image (const lf_space *s, lf_package_facts *out)
{
  const lf_space_layer *most = NULL;
  for (size_t i = 0; i < s->layers_n; i++)
    {
      out->hidden_bytes += s->layers[i].hidden_bytes;
      if (!most || s->layers[i].hidden_bytes > most->hidden_bytes)
        most = &s->layers[i];
    }
  if (most && most->hidden_bytes > 0)
    {
      char name[150];
      snprintf (name, sizeof name, "layer %zu%s%.100s", (size_t) (most - s->layers) + 1, *most->made_by ? ": " : "", most->made_by);
      add_part (out->hidden, sizeof out->hidden, "", name, most->hidden_bytes);
    }
  for (size_t i = 0, n = 0; i < s->n && n < 4; i++)
    {
      const lf_space_entry *e = &s->entries[i];
      if ((e->kind == LF_SPACE_PACKAGE || e->kind == LF_SPACE_OTHER || e->kind == LF_SPACE_ARCHIVE) && e->bytes >= LF_MB / 10)
        {
          add_part (out->largest, sizeof out->largest, "", strcmp (e->path, ".") == 0 ? e->name : e->path, e->bytes);
          n++;
        }
    }
}

void
lf_space_facts (const lf_space *s, lf_package_facts *out)
{
  for (size_t i = 0; i < s->n; i++)
    {
      const lf_space_entry *e = &s->entries[i]; /* largest first */
      if (e->kind == LF_SPACE_CUDA)
        {
          out->cuda_bytes += e->bytes;
          add_part (out->cuda, sizeof out->cuda, "", e->path, e->bytes);
        }
      else if (is_waste (e->kind))
        {
          out->prune_bytes += e->bytes;
          if (e->bytes >= LF_MB / 10)
            add_part (out->prune, sizeof out->prune, part_of (e), e->path, e->bytes);
        }
    }
  if (s->is_image)
    add_image (s, out);
}

/* The first problem of each kind that keeps a file from loading; a later target's comes behind. False: it could not be looked at. */
static bool
add_problems (const char *target, const lf_function *f, bool layer, lf_package_facts *out)
{
  lf_problems p;
  lf_error ignored = { 0 };
  lf_check_options o = { .runtime = f->runtime, .arch = f->arch, .image_max_bytes = LF_NONE };
  if (lf_package_check (target, &o, &p, &ignored) != 0)
    return false;
  for (size_t k = layer ? 0 : 1; k < LF_FACTS_KINDS; k++)
    for (size_t i = 0; i < p.n && out->problems_n < LF_ARRAY_LEN (out->problems); i++)
      if (strcmp (p.v[i].rule, lf_facts_kinds[k]) == 0)
        {
          lf_package_problem *to = &out->problems[out->problems_n++];
          to->kind = lf_facts_kinds[k];
          snprintf (to->target, sizeof to->target, "%s", target);
          snprintf (to->path, sizeof to->path, "%s", p.v[i].path);
          snprintf (to->what, sizeof to->what, "%s", p.v[i].message);
          snprintf (to->fix, sizeof to->fix, "%s", p.v[i].fix);
          break;
        }
  lf_problems_fini (&p);
  return true;
}

/* What the call is of in which `at` stands: "RandomForestClassifier" for "RandomForestClassifier(n_estimators=10, n_jobs". Empty: not known. */
static lf_str
called (const char *text, const char *at)
{
  int depth = 0;
  const char *p = at;
  while (p > text && at - p < 2000 && !(p[-1] == '(' && depth == 0))
    {
      p--;
      depth += *p == ')' ? 1 : *p == '(' ? -1 : 0;
    }
  const char *end = p > text && p[-1] == '(' ? p - 1 : p;
  for (p = end; p > text && (isalnum ((unsigned char) p[-1]) || p[-1] == '_');)
    p--;
  return (lf_str){ p, (size_t) (end - p) };
}

/* These take n_jobs for threads, never for processes. */
static bool
has_threads (lf_str call)
{
  static const char *const names[] = { "RandomForest", "ExtraTrees", "RandomTreesEmbedding", "IsolationForest", "KNeighbors", "NearestNeighbors", "RadiusNeighbors",
                                       "LocalOutlierFactor", "DBSCAN", "OPTICS", "LGBM", "XGB" };
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    if (call.n >= strlen (names[i]) && strncmp (call.p, names[i], strlen (names[i])) == 0)
      return true;
  return false;
}

/* n_jobs with another value than 1, where it means processes, and no word of threads. */
static bool
asks_for_workers (const char *text)
{
  if (strstr (text, "threads") || strstr (text, "threading\"") || strstr (text, "sharedmem"))
    return false;
  for (const char *p = text; (p = strstr (p, "n_jobs")) != NULL;)
    {
      lf_str call = called (text, p);
      p += strlen ("n_jobs");
      p += strspn (p, " =:\"'");
      if ((strncmp (p, "1", 1) != 0 || (p[1] >= '0' && p[1] <= '9')) && !has_threads (call))
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
  lf_space_facts (&space, out);
  lf_space_fini (&space);
}

/* Of one tree, or of layers merged into one: from what is kept beside it, or looked up and kept. */
static void
read_part (const lf_strv *targets, const char *path, const lf_function *f, bool layer, lf_package_facts *out)
{
  lf_error ignored = { 0 };
  lf_space space;
  if (lf_facts_kept (path, targets, out))
    return;
  bool whole = lf_space_measure (targets, f->arch, &space, &ignored) == 0;
  if (whole)
    {
      lf_space_facts (&space, out);
      lf_space_fini (&space);
    }
  for (size_t i = 0; i < targets->n; i++)
    whole = add_problems (targets->v[i], f, layer, out) && whole;
  if (whole) /* what failed for a want of the moment must not stay */
    lf_facts_keep (path, out, targets);
}

/* Texts list the largest first, so those of the part that has more come first. */
static void
join_texts (char to[160], const char more[160], bool first)
{
  char both[330];
  const char *a = first ? more : to, *b = first ? to : more;
  snprintf (both, sizeof both, "%.159s%s%.159s", a, *a && *b ? ", " : "", b);
  if (strlen (both) >= 160)
    snprintf (both, sizeof both, "%.159s", a);
  memcpy (to, both, 160);
}

static void
join (lf_package_facts *to, const lf_package_facts *part)
{
  join_texts (to->cuda, part->cuda, part->cuda_bytes > to->cuda_bytes);
  join_texts (to->prune, part->prune, part->prune_bytes > to->prune_bytes);
  to->cuda_bytes += part->cuda_bytes;
  to->prune_bytes += part->prune_bytes;
  for (size_t i = 0; i < part->problems_n && to->problems_n < LF_ARRAY_LEN (to->problems); i++)
    to->problems[to->problems_n++] = part->problems[i];
}

/* Layers in the cache apart from the code, which is mostly small or changes; otherwise all together, which also finds what is in both. */
void
lf_package_facts_read (const lf_package *p, const char *opt_dir, int64_t layer_bytes, const lf_function *f, lf_package_facts *out)
{
  LF_CLEANUP (lf_freep) char *kept = f->layers.n ? lf_facts_path (opt_dir, f) : NULL;
  LF_CLEANUP (lf_freep) char *code_kept = lf_facts_path (p->dir, f);
  lf_strv code LF_CLEANUP (lf_strv_fini) = { 0 };
  lf_package_facts layers = { 0 };
  *out = (lf_package_facts){ .known = true };
  if (kept || (code_kept && !f->layers.n))
    {
      lf_function alone = *f;
      alone.layers = (lf_strv){ 0 };
      if (lf_strv_add (&code, p->dir) == 0 && code_kept)
        read_part (&code, code_kept, f, false, out);
      else
        {
          lf_package_space_facts (p->dir, &alone, out);
          add_problems (p->dir, f, false, out);
        }
      if (kept)
        read_part (&f->layers, kept, f, true, &layers);
      join (out, &layers);
    }
  else
    {
      lf_package_space_facts (p->dir, f, out);
      add_problems (p->dir, f, false, out);
      for (size_t i = 0; i < f->layers.n; i++)
        add_problems (f->layers.v[i], f, true, out);
    }
  out->known = true;
  out->code_bytes = p->unzipped_bytes;
  out->layer_bytes = layer_bytes;
  out->wants_workers = f->rt.kind == LF_RT_PYTHON && wants_workers (p->dir);
}
