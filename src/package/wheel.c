/* SPDX-License-Identifier: Apache-2.0
 *
 * Wheels: whether their tags fit the runtime, and their files in the place where an installer would put them.
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

#define WHEEL_MAX (INT64_C (16) << 30)

/* The three tags at the end of the name: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl */
static bool
tags_of (const char *wheel, char python[80], char abi[80], char platform[300])
{
  const char *slash = strrchr (wheel, '/'), *base = slash ? slash + 1 : wheel;
  char name[512];
  if (strlen (base) >= sizeof name || !lf_ends (base, ".whl"))
    return false;
  strcpy (name, base);
  name[strlen (name) - 4] = '\0';
  struct { char *to; size_t n; } parts[] = { { platform, 300 }, { abi, 80 }, { python, 80 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      char *dash = strrchr (name, '-');
      if (!dash || strlen (dash + 1) >= parts[i].n || !dash[1])
        return false;
      strcpy (parts[i].to, dash + 1);
      *dash = '\0';
    }
  return strchr (name, '-') != NULL;
}

typedef bool tag_fn (const char *tag, const lf_build_options *o);

/* Tags may be several, joined by dots; one that fits is enough. */
static bool
any_tag (const char *tags, tag_fn *fits, const lf_build_options *o)
{
  char one[80];
  for (const char *p = tags; *p;)
    {
      size_t n = strcspn (p, ".");
      snprintf (one, sizeof one, "%.*s", (int) n, p);
      if (fits (one, o))
        return true;
      p += n + (p[n] == '.');
    }
  return false;
}

static int
cp_minor (const char *tag)
{
  int64_t minor;
  return lf_starts (tag, "cp3") && lf_parse_i64 (tag + 3, 0, 99, &minor) == 0 ? (int) minor : -1;
}

static bool
python_fits (const char *tag, const lf_build_options *o)
{
  int minor = cp_minor (tag);
  return strcmp (tag, "py3") == 0 || (minor >= 0 && (o->python_minor < 0 || minor <= o->python_minor))
         || (lf_starts (tag, "py3") && o->python_minor >= 0 && strtol (tag + 3, NULL, 10) <= o->python_minor);
}

static bool
abi_fits (const char *tag, const lf_build_options *o)
{
  return strcmp (tag, "none") == 0 || strcmp (tag, "abi3") == 0 || o->python_minor < 0 || cp_minor (tag) == o->python_minor;
}

static bool
platform_fits (const char *tag, const lf_build_options *o)
{
  if (strcmp (tag, "any") == 0)
    return true;
  const char *cpu = o->arch == LF_ARCH_ARM64 ? "_aarch64" : "_x86_64";
  if (!lf_ends (tag, cpu) || !strstr (tag, "linux") || lf_starts (tag, "musllinux"))
    return false;
  int64_t major, minor;
  const char *at = tag + strlen ("manylinux_");
  if (lf_starts (tag, "manylinux_") && lf_take_i64 (&at, INT32_MAX, &major) == 0 && *at++ == '_' && lf_take_i64 (&at, INT32_MAX, &minor) == 0 && *at == '_')
    return major < 2 || (major == 2 && minor <= o->glibc_minor);
  return true; /* manylinux1, 2010, 2014 and plain linux */
}

int
lf_wheel_fits (const char *wheel, const lf_build_options *o, lf_error *err)
{
  char python[80], abi[80], platform[300], fix[200];
  if (!tags_of (wheel, python, abi, platform))
    return LF_FAIL (err, LF_EXIT_USAGE, wheel, "keep the name the wheel was published under", "its name is not a wheel's (NAME-VERSION-PYTHON-ABI-PLATFORM.whl)");
  if (!any_tag (platform, platform_fits, o))
    {
      snprintf (fix, sizeof fix, "take the wheel for manylinux2014_%s (or a manylinux_2_N with N at most %d)",
                o->arch == LF_ARCH_ARM64 ? "aarch64" : "x86_64", o->glibc_minor);
      return LF_FAIL (err, LF_EXIT_FAILED, wheel, fix, "is for %s; the function runs on Linux %s with glibc 2.%d", platform, lf_arch_name (o->arch),
                      o->glibc_minor);
    }
  if (!any_tag (python, python_fits, o) || !any_tag (abi, abi_fits, o))
    {
      snprintf (fix, sizeof fix, "take the wheel for cp3%d, or choose the runtime it is for with --runtime", o->python_minor);
      return LF_FAIL (err, LF_EXIT_FAILED, wheel, fix, "is for %s-%s; the runtime is python3.%d", python, abi, o->python_minor);
    }
  return 0;
}

/* bin/ scripts begin with "#!python": the installer's part is to name a real one. Written anew in any case, because the file may be shared with
 * the cache, and its rights must not change there. */
static int
fix_script (const char *path, lf_error *err)
{
  lf_buf b, out;
  lf_buf_init (&b, 16 << 20);
  lf_buf_init (&out, 17 << 20);
  int r = lf_read_file (path, 16 << 20, &b, err);
  if (r == 0)
    {
      bool generic = b.len > 8 && memcmp (b.data, "#!python", 8) == 0;
      size_t line = generic ? strcspn (b.data, "\n") : 0;
      if (generic)
        lf_buf_adds (&out, "#!/usr/bin/env python3");
      lf_buf_add (&out, b.data + line, b.len - line);
      r = out.failed ? LF_FAIL_NOMEM (err) : lf_write_file_atomic (path, out.data, out.len, err);
    }
  lf_buf_fini (&b);
  lf_buf_fini (&out);
  return r == 0 && chmod (path, 0755) != 0 ? LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be made executable: %s", strerror (errno)) : r;
}

static int
stage_scripts (const char *from, const char *to, lf_error *err)
{
  lf_pkg_tree t;
  if (lf_stage_tree (from, to, err) != 0 || lf_pkg_tree_read (from, false, &t, err) != 0)
    return -1;
  int r = 0;
  for (size_t i = 0; i < t.n && r == 0; i++)
    if (S_ISREG (t.v[i].mode))
      {
        LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/%s", to, t.v[i].path);
        r = path ? fix_script (path, err) : LF_FAIL_NOMEM (err);
      }
  lf_pkg_tree_fini (&t);
  return r;
}

/* NAME-VERSION.data holds what goes elsewhere than the packages' folder. Headers are for compiling and left out. */
static int
stage_data (const char *dir, const char *name, const char *root, lf_error *err)
{
  static const struct { const char *from, *to; } moves[] = { { "purelib", "python" }, { "platlib", "python" }, { "data", "python" } };
  for (size_t i = 0; i < LF_ARRAY_LEN (moves); i++)
    {
      LF_CLEANUP (lf_freep) char *from = lf_asprintf ("%s/%s/%s", dir, name, moves[i].from);
      LF_CLEANUP (lf_freep) char *to = lf_asprintf ("%s/%s", root, moves[i].to);
      if (!from || !to)
        return LF_FAIL_NOMEM (err);
      if (access (from, F_OK) == 0 && lf_stage_tree (from, to, err) != 0)
        return -1;
    }
  LF_CLEANUP (lf_freep) char *scripts = lf_asprintf ("%s/%s/scripts", dir, name);
  LF_CLEANUP (lf_freep) char *bin = lf_asprintf ("%s/bin", root);
  LF_CLEANUP (lf_freep) char *gone = lf_asprintf ("%s/python/%s", root, name);
  if (!scripts || !bin || !gone)
    return LF_FAIL_NOMEM (err);
  if (access (scripts, F_OK) == 0 && stage_scripts (scripts, bin, err) != 0)
    return -1;
  return lf_pkg_remove (gone, err);
}

int
lf_stage_wheel (const char *wheel, const lf_build_options *o, const char *root, lf_error *err)
{
  lf_package p;
  if (lf_wheel_fits (wheel, o, err) != 0 || lf_package_open (wheel, WHEEL_MAX, &p, err) != 0)
    return -1;
  LF_CLEANUP (lf_freep) char *to = lf_asprintf ("%s/python", root);
  lf_pkg_tree t = { 0 };
  int r = to ? lf_stage_tree (p.dir, to, err) : LF_FAIL_NOMEM (err);
  if (r == 0)
    r = lf_pkg_tree_read (p.dir, false, &t, err);
  bool info = false;
  for (size_t i = 0; i < t.n && r == 0; i++)
    if (!strchr (t.v[i].path, '/') && S_ISDIR (t.v[i].mode))
      {
        info = info || lf_ends (t.v[i].path, ".dist-info");
        if (lf_ends (t.v[i].path, ".data"))
          r = stage_data (p.dir, t.v[i].path, root, err);
      }
  if (r == 0 && !info)
    r = LF_FAIL (err, LF_EXIT_USAGE, wheel, "download it again", "is no wheel: it has no .dist-info folder");
  lf_pkg_tree_fini (&t);
  lf_package_fini (&p);
  return r;
}

/* A wheel's own version, from its tags: only one with compiled modules of one version has one. */
static int
wheel_python (const char *wheel)
{
  char python[80], abi[80], platform[300];
  return tags_of (wheel, python, abi, platform) ? cp_minor (abi) : -1;
}

int
lf_layer_python (const lf_strv *inputs)
{
  for (size_t i = 0; i < inputs->n; i++)
    {
      lf_pkg_source s;
      lf_error ignored = { 0 };
      int minor = lf_ends (inputs->v[i], ".whl") ? wheel_python (inputs->v[i]) : -1;
      if (minor < 0 && !lf_ends (inputs->v[i], ".txt") && lf_pkg_source_open (inputs->v[i], &s, &ignored) == 0)
        {
          minor = lf_pkg_guess_python (&s);
          lf_pkg_source_fini (&s);
        }
      if (minor >= 0)
        return minor;
    }
  int host = lf_pkg_host_python ();
  return host >= 0 ? host : 12;
}
