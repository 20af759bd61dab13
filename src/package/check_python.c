/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules about Python's compiled modules and byte code, and about GPU libraries.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "space.h"

/* ---- extension modules --------------------------------------------------------------------------------------------------------------- */

int
lf_check_abi_minor (const char *path, bool *free_threaded)
{
  *free_threaded = false;
  const char *slash = strrchr (path, '/'), *tag = strstr (slash ? slash : path, ".cpython-3");
  if (!tag || !lf_ends (path, ".so"))
    return -1;
  char *end;
  long minor = strtol (tag + 10, &end, 10);
  if (end == tag + 10 || minor < 0 || minor > 99)
    return -1;
  *free_threaded = *end == 't';
  return (int) minor;
}

/* "pkg/_mod" of "pkg/_mod.cpython-312-x86_64-linux-gnu.so". */
static size_t
module_length (const char *path)
{
  const char *slash = strrchr (path, '/'), *base = slash ? slash + 1 : path;
  return (size_t) (base - path) + strcspn (base, ".");
}

/* Modules for several versions may lie side by side; one that fits is enough. */
static int
find_fitting (lf_check *c, lf_pkg_map *fits)
{
  for (size_t i = 0; i < c->s->n; i++)
    {
      const char *path = c->s->v[i].path, *slash = strrchr (path, '/'), *base = slash ? slash + 1 : path;
      bool ft;
      bool plain = lf_ends (path, ".so") && strcmp (base + strcspn (base, "."), ".so") == 0;
      bool fit = lf_ends (path, ".abi3.so") || plain || (lf_check_abi_minor (path, &ft) == c->python_minor && !ft);
      if (fit && !lf_pkg_map_add (fits, path, module_length (path)))
        return LF_FAIL_NOMEM (c->err);
    }
  return 0;
}

int
lf_check_abi (lf_check *c)
{
  if (c->python_minor < 0)
    return 0;
  lf_pkg_map fits = { 0 };
  int r = find_fitting (c, &fits);
  for (size_t i = 0; i < c->s->n && r == 0; i++)
    {
      const char *path = c->s->v[i].path;
      bool ft;
      int minor = lf_check_abi_minor (path, &ft);
      const char *pypy = strstr (path, ".pypy3");
      if (lf_pkg_map_get (&fits, path, module_length (path)))
        continue;
      if (minor >= 0)
        r = lf_check_add (c, LF_RULE_ABI, path, NULL, "built for CPython 3.%d%s; runtime %s imports only modules for CPython 3.%d", minor,
                          ft ? " without GIL" : "", c->out->runtime, c->python_minor);
      else if (pypy && lf_ends (path, ".so"))
        r = lf_check_add (c, LF_RULE_ABI, path, NULL, "built for PyPy; runtime %s is CPython", c->out->runtime);
      else if (lf_ends (path, ".pyd"))
        r = lf_check_add (c, LF_RULE_ARCHITECTURE, path, NULL, "this is a Python module for Windows");
    }
  lf_pkg_map_fini (&fits);
  return r;
}

/* ---- byte code ------------------------------------------------------------------------------------------------------------------------ */

/* First and last magic number of each version's releases. */
static const struct { int minor; unsigned magic; } magics[] = {
  { 6, 3379 }, { 7, 3394 }, { 8, 3413 }, { 9, 3425 }, { 10, 3439 }, { 11, 3495 }, { 12, 3531 }, { 13, 3571 }, { 14, 3627 },
};

static unsigned
magic_of (int minor)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (magics); i++)
    if (magics[i].minor == minor)
      return magics[i].magic;
  return 0;
}

/* The source that a file in __pycache__ was made from: NULL when the name is no such file. */
static char *
source_of (const char *path)
{
  const char *slash = strrchr (path, '/'), *base = slash ? slash + 1 : path, *tag = strstr (base, ".cpython-");
  if (!slash || !tag || slash - path < 11 || memcmp (slash - 11, "__pycache__", 11) != 0)
    return NULL;
  return lf_asprintf ("%.*s%.*s.py", (int) (slash - 11 - path), path, (int) (tag - base), base);
}

typedef enum { PYC_FINE, PYC_STALE, PYC_OTHER_VERSION, PYC_BAD_MAGIC, PYC_NOT } pyc_state;

static uint32_t
u32 (const char *p)
{
  const unsigned char *u = (const unsigned char *) p;
  return (uint32_t) u[0] | (uint32_t) u[1] << 8 | (uint32_t) u[2] << 16 | (uint32_t) u[3] << 24;
}

static pyc_state
state_of (lf_check *c, const lf_pkg_file *f)
{
  char tag[24];
  snprintf (tag, sizeof tag, ".cpython-3%d.", c->python_minor);
  LF_CLEANUP (lf_freep) char *source_path = source_of (f->path);
  if (source_path && c->python_minor >= 0 && !strstr (f->path, tag))
    return PYC_OTHER_VERSION;
  lf_buf b;
  lf_error ignored = { 0 };
  lf_buf_init (&b, 64);
  pyc_state st = PYC_FINE;
  if (lf_pkg_source_read (c->s, f, 16, &b, &ignored) != 0 || b.len < 16 || b.data[2] != '\r' || b.data[3] != '\n')
    st = b.len ? PYC_BAD_MAGIC : PYC_NOT;
  else
    {
      unsigned wanted = magic_of (c->python_minor), magic = u32 (b.data) & 0xffff;
      const lf_pkg_file *source = source_path ? lf_pkg_source_find (c->s, source_path) : NULL;
      if (wanted && magic != wanted)
        st = PYC_BAD_MAGIC;
      else if (u32 (b.data + 4) == 0 && source
               && (u32 (b.data + 8) != (uint32_t) source->mtime_s || u32 (b.data + 12) != (uint32_t) source->size))
        st = PYC_STALE;
    }
  lf_buf_fini (&b);
  return st;
}

/* One problem for each package and state: thousands of files say the same. */
typedef struct tally { const char *name, *example; size_t stale, other, bad; int64_t other_bytes; } tally;

static int
count_pyc (lf_check *c, tally *by, size_t n)
{
  for (size_t i = 0; i < c->s->n; i++)
    {
      const lf_pkg_file *f = &c->s->v[i];
      if (!S_ISREG (f->mode) || !lf_ends (f->path, ".pyc"))
        continue;
      int64_t owner = lf_dists_owner (c->s, c->dists, f->path);
      if (owner == -2)
        return LF_FAIL_NOMEM (c->err);
      tally *t = &by[owner >= 0 && (size_t) owner + 1 < n ? owner + 1 : 0];
      pyc_state st = state_of (c, f);
      t->stale += st == PYC_STALE;
      t->other += st == PYC_OTHER_VERSION;
      t->other_bytes += st == PYC_OTHER_VERSION ? f->size : 0;
      t->bad += st == PYC_BAD_MAGIC;
      if (!t->example && st != PYC_FINE && st != PYC_NOT)
        t->example = f->path;
    }
  return 0;
}

int
lf_check_pyc (lf_check *c)
{
  /* Owners found by place are added while counting: ask for all of them first. */
  for (size_t i = 0; i < c->s->n; i++)
    if (lf_ends (c->s->v[i].path, ".pyc") && lf_dists_owner (c->s, c->dists, c->s->v[i].path) == -2)
      return LF_FAIL_NOMEM (c->err);
  size_t n = c->dists->n + 1;
  LF_CLEANUP (lf_freep) tally *by = calloc (n, sizeof *by);
  if (!by)
    return LF_FAIL_NOMEM (c->err);
  int r = count_pyc (c, by, n);
  for (size_t i = 0; i < n && r == 0; i++)
    {
      const char *name = i ? c->dists->v[i - 1].name : "the package";
      if (by[i].stale)
        r = lf_check_add (c, LF_RULE_PYC, by[i].example, NULL,
                          "%zu compiled files of %s do not match the time or size of their source: Python compiles it again at every cold start", by[i].stale, name);
      if (r == 0 && by[i].bad)
        r = lf_check_add (c, LF_RULE_PYC, by[i].example, NULL, "%zu compiled files of %s are damaged or of another Python than their name says or the runtime has", by[i].bad, name);
      if (r == 0 && by[i].other)
        r = lf_check_add (c, LF_RULE_PYC, by[i].example, NULL, "%zu compiled files of %s (%.1f MB) are for another Python than %s and never used",
                          by[i].other, name, (double) by[i].other_bytes / (double) LF_MB, c->out->runtime);
    }
  return r;
}

/* ---- GPUs ----------------------------------------------------------------------------------------------------------------------------- */

int
lf_check_cuda (lf_check *c)
{
  size_t n = c->dists->n + 64;
  LF_CLEANUP (lf_freep) int64_t *bytes = calloc (n, sizeof *bytes);
  LF_CLEANUP (lf_freep) size_t *largest = calloc (n, sizeof *largest);
  if (!bytes || !largest)
    return LF_FAIL_NOMEM (c->err);
  for (size_t i = 0; i < c->s->n; i++)
    {
      const lf_pkg_file *f = &c->s->v[i];
      int64_t owner = S_ISREG (f->mode) ? lf_dists_owner (c->s, c->dists, f->path) : -1;
      if (owner == -2)
        return LF_FAIL_NOMEM (c->err);
      if (!S_ISREG (f->mode) || !lf_space_is_cuda (f->path, owner >= 0 ? c->dists->v[owner].name : NULL))
        continue;
      size_t k = owner >= 0 && (size_t) owner + 1 < n ? (size_t) owner + 1 : 0;
      if (bytes[k] == 0 || f->size > c->s->v[largest[k]].size)
        largest[k] = i;
      bytes[k] += f->size;
    }
  for (size_t k = 0; k < n; k++)
    if (bytes[k]
        && lf_check_add (c, LF_RULE_CUDA, c->s->v[largest[k]].path, NULL, "%.1f MB of GPU libraries%s%s: Lambda has no GPU",
                         (double) bytes[k] / (double) LF_MB, k && k <= c->dists->n ? " in " : "", k && k <= c->dists->n ? c->dists->v[k - 1].name : "")
               != 0)
      return -1;
  return 0;
}
