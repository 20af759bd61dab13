/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules about compiled files, from what the files themselves say.
 */
#include "config.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "elf.h"

static const char *const os_libraries[] = {
#include "oslibs.def"
};

typedef struct binary { const lf_pkg_file *f; lf_elf e; } binary;
typedef struct binaries
{
  binary *v;
  size_t n, cap;
  lf_pkg_map provided; /* names under which the package's own libraries can be asked for */
} binaries;

static bool
is_os_library (const char *name)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (os_libraries); i++)
    {
      size_t n = strlen (os_libraries[i]);
      if (os_libraries[i][n - 1] == '*' ? strncmp (name, os_libraries[i], n - 1) == 0 : strcmp (name, os_libraries[i]) == 0)
        return true;
    }
  return false;
}

static const char *
base_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash ? slash + 1 : path;
}

static bool
looks_shared (const char *base)
{
  const char *so = strstr (base, ".so");
  return (so && (so[3] == '\0' || so[3] == '.')) || lf_ends (base, ".node");
}

/* Names files of other systems by their first bytes. */
static const char *
other_format (int fd)
{
  unsigned char b[4] = { 0 };
  if (pread (fd, b, sizeof b, 0) != (ssize_t) sizeof b)
    return "an empty file";
  if (memcmp (b, "\xcf\xfa\xed\xfe", 4) == 0 || memcmp (b, "\xca\xfe\xba\xbe", 4) == 0)
    return "a macOS library (Mach-O)";
  if (memcmp (b, "MZ", 2) == 0)
    return "a Windows library (PE)";
  if (memcmp (b, "/* G", 4) == 0 || memcmp (b, "INPU", 4) == 0 || memcmp (b, "GROU", 4) == 0)
    return "linker script"; /* for compiling; nobody loads it */
  return "no ELF file";
}

static int
keep (lf_check *c, binaries *all, const lf_pkg_file *f, lf_elf *e)
{
  if (all->n == all->cap)
    {
      size_t cap = all->cap ? all->cap * 2 : 64;
      binary *v = realloc (all->v, cap * sizeof *v);
      if (!v)
        {
          lf_elf_fini (e);
          return LF_FAIL_NOMEM (c->err);
        }
      all->v = v;
      all->cap = cap;
    }
  all->v[all->n++] = (binary){ .f = f, .e = *e };
  if (e->soname && !lf_pkg_map_add (&all->provided, e->soname, strlen (e->soname)))
    return LF_FAIL_NOMEM (c->err);
  return 0;
}

/* Which command brings the right one: of npm for what lies in node_modules, else (NULL) the rule's, of pip. A package of npm's that is for one
 * platform alone (@img/sharp-darwin-arm64) is a part of another, of the same name before the platform. */
static const char *
install_fix (const lf_check *c, const char *path, char out[200])
{
  static const char *const platforms[] = { "-darwin", "-win32", "-linux", "-freebsd", "-android" };
  const char *at = NULL;
  for (const char *p = path; (p = strstr (p, "node_modules/")) != NULL;)
    at = p += strlen ("node_modules/");
  if (!at)
    return NULL;
  size_t scope = *at == '@' ? strcspn (at, "/") : 0, n = scope + (at[scope] == '/' && scope), end = n + strcspn (at + n, "/");
  const char *name = at;
  size_t len = end;
  for (size_t i = 0; i < LF_ARRAY_LEN (platforms); i++)
    {
      const char *cut = memmem (at, end, platforms[i], strlen (platforms[i]));
      if (!cut)
        continue;
      bool owned = scope > 0 && strncmp (at, "@img/", scope + 1) != 0; /* @img/sharp-... is of sharp, @swc/core-... of @swc/core */
      name = owned || scope == 0 ? at : at + n;
      len = (size_t) (cut - name);
    }
  snprintf (out, 200, "npm install --os=linux --cpu=%s %.*s", c->o->arch == LF_ARCH_ARM64 ? "arm64" : "x64", (int) (len < 100 ? len : 100), name);
  return out;
}

static int
read_one (lf_check *c, binaries *all, const lf_pkg_file *f)
{
  const char *base = base_of (f->path);
  bool shared = looks_shared (base);
  if (!S_ISREG (f->mode) || f->size < 4 || !(shared || (f->mode & 0111)))
    return 0;
  LF_CLEANUP (lf_closep) int fd = c->dir < 0 ? -1 : openat (c->dir, f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return 0; /* unreadable: the rule of permissions says so */
  lf_elf e;
  const char *reason;
  switch (lf_elf_read (fd, false, &e, &reason))
    {
    case LF_ELF_NOMEM:
      lf_elf_fini (&e);
      return LF_FAIL_NOMEM (c->err);
    case LF_ELF_DAMAGED:
      lf_elf_fini (&e);
      return lf_check_add (c, LF_RULE_ELF, f->path, NULL, "the compiled file cannot be loaded: %s", reason);
    case LF_ELF_NOT:
      {
        char fix[200];
        const char *what = other_format (fd);
        if (!shared || strcmp (what, "linker script") == 0)
          return 0;
        return lf_check_add (c, LF_RULE_ARCHITECTURE, f->path, install_fix (c, f->path, fix), "this is %s; Lambda runs Linux on %s", what, lf_arch_name (c->o->arch));
      }
    case LF_ELF_OK:
      break;
    }
  return keep (c, all, f, &e);
}

/* A program that no package manager installs is compiled anew. */
static const char *
machine_fix (const lf_check *c, const binary *b, char out[200])
{
  const char *fix = install_fix (c, b->f->path, out);
  bool arm = c->o->arch == LF_ARCH_ARM64;
  if (fix || looks_shared (base_of (b->f->path)))
    return fix;
  snprintf (out, 200, "compile it for the function's architecture (GOARCH=%s go build, cargo build --target %s-unknown-linux-gnu)%s", arm ? "arm64" : "amd64",
            arm ? "aarch64" : "x86_64", b->e.machine == (arm ? EM_X86_64 : EM_AARCH64) ? arm ? ", or deploy it as x86_64" : ", or deploy it as arm64" : "");
  return out;
}

static int
check_machine (lf_check *c, const binary *b)
{
  char fix[200];
  int wanted = c->o->arch == LF_ARCH_ARM64 ? EM_AARCH64 : EM_X86_64;
  if (b->e.machine == wanted)
    return 0;
  return lf_check_add (c, LF_RULE_ARCHITECTURE, b->f->path, machine_fix (c, b, fix), "compiled for %s; the function runs on %s", lf_elf_machine_name (b->e.machine),
                       lf_arch_name (c->o->arch));
}

/* The highest minor number among needs like GLIBC_2.34, by prefix; -1 when there is none. */
static int
highest (const lf_elf *e, const char *prefix)
{
  int best = -1;
  size_t n = strlen (prefix);
  for (size_t i = 0; i < e->needs_n; i++)
    if (strncmp (e->needs[i].version, prefix, n) == 0)
      {
        long v = strtol (e->needs[i].version + n, NULL, 10);
        if (v > best && v < 10000)
          best = (int) v;
      }
  return best;
}

static int
check_versions (lf_check *c, const binaries *all, const binary *b)
{
  int glibc = highest (&b->e, "GLIBC_2."), cxx = highest (&b->e, "GLIBCXX_3.4.");
  if (glibc > c->glibc_minor
      && lf_check_add (c, LF_RULE_GLIBC, b->f->path, NULL, "needs GLIBC_2.%d; %s%s%s has 2.%d", glibc, c->out->runtime, c->out->runtime[0] ? " on " : "",
                       c->system, c->glibc_minor)
             != 0)
    return -1;
  if (cxx > c->glibcxx_minor && !lf_pkg_map_get (&all->provided, "libstdc++.so.6", 14))
    return lf_check_add (c, LF_RULE_LIBSTDCXX, b->f->path, NULL, "needs GLIBCXX_3.4.%d; %s%s%s has 3.4.%d", cxx, c->out->runtime,
                         c->out->runtime[0] ? " on " : "", c->system, c->glibcxx_minor);
  return 0;
}

static int
check_needed (lf_check *c, const binaries *all, const binary *b)
{
  for (size_t i = 0; i < b->e.needed.n; i++)
    {
      const char *lib = b->e.needed.v[i];
      if (is_os_library (lib) || lf_pkg_map_get (&all->provided, lib, strlen (lib)))
        continue;
      int r;
      if (lf_starts (lib, "libc.musl") || lf_starts (lib, "ld-musl"))
        r = lf_check_add (c, LF_RULE_LIBRARY, b->f->path, "install the manylinux build instead of the musllinux one",
                          "built for musl (Alpine Linux); Lambda's runtimes have glibc");
      else if (lf_starts (lib, "libpython3."))
        {
          char own[40];
          snprintf (own, sizeof own, "libpython3.%d.so", c->python_minor);
          r = lf_starts (lib, own) ? 0 : lf_check_add (c, LF_RULE_ABI, b->f->path, NULL, "needs %s, another Python than the runtime's", lib);
        }
      else
        r = lf_check_add (c, LF_RULE_LIBRARY, b->f->path, NULL, "needs %s, which is neither in the package nor in the runtime", lib);
      if (r != 0)
        return -1;
    }
  return 0;
}

static int
read_all (lf_check *c, binaries *all)
{
  for (size_t i = 0; i < c->s->n; i++)
    {
      const lf_pkg_file *f = &c->s->v[i];
      const char *base = base_of (f->path);
      if (!S_ISDIR (f->mode) && looks_shared (base) && !lf_pkg_map_add (&all->provided, base, strlen (base)))
        return LF_FAIL_NOMEM (c->err);
      if (read_one (c, all, f) != 0)
        return -1;
    }
  return 0;
}

int
lf_check_binaries (lf_check *c)
{
  binaries all = { 0 };
  int r = read_all (c, &all);
  for (size_t i = 0; i < all.n && r == 0; i++)
    {
      const binary *b = &all.v[i];
      r = check_machine (c, b);
      if (r == 0 && b->e.misaligned)
        r = lf_check_add (c, LF_RULE_ELF, b->f->path, NULL, "the compiled file cannot be loaded: a segment is not aligned to pages (damaged by strip?)");
      if (r == 0 && b->e.bits == 64)
        r = check_versions (c, &all, b) != 0 || check_needed (c, &all, b) != 0 ? -1 : 0;
    }
  for (size_t i = 0; i < all.n; i++)
    lf_elf_fini (&all.v[i].e);
  free (all.v);
  lf_pkg_map_fini (&all.provided);
  return r;
}
