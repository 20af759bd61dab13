/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file is good for, by its name and place.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "space.h"

static const char *const kind_names[LF_SPACE_KINDS] = {
  [LF_SPACE_PACKAGE] = "package", [LF_SPACE_TESTS] = "tests",     [LF_SPACE_CACHE] = "cache",
  [LF_SPACE_HEADERS] = "headers", [LF_SPACE_DEBUG] = "debug",     [LF_SPACE_CUDA] = "cuda",
  [LF_SPACE_ARCHIVE] = "archive", [LF_SPACE_DUPLICATE] = "duplicate", [LF_SPACE_OTHER] = "other",     [LF_SPACE_HIDDEN] = "hidden",
};

const char *
lf_space_kind_name (lf_space_kind k)
{
  return k < LF_SPACE_KINDS ? kind_names[k] : "other";
}

static bool
has_component (const char *path, const char *name)
{
  size_t n = strlen (name);
  for (const char *p = path; (p = strstr (p, name)); p += n)
    if ((p == path || p[-1] == '/') && p[n] == '/')
      return true;
  return false;
}

static bool
ends_in (const char *path, const char *const *suffixes)
{
  for (; *suffixes; suffixes++)
    if (lf_ends (path, *suffixes))
      return true;
  return false;
}

static const char *
base_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash ? slash + 1 : path;
}

bool
lf_space_is_cuda (const char *path, const char *package)
{
  static const char *const libs[] = { "libcublas", "libcudnn", "libcudart", "libcufft", "libcurand", "libcusolver", "libcusparse", "libnccl",
                                      "libnvrtc", "libnvToolsExt", "libnvJitLink", "libcupti", "libtorch_cuda", "libc10_cuda", "libcufile",
                                      "libnvshmem", "libonnxruntime_providers_cuda", "libonnxruntime_providers_tensorrt", "libnvinfer" };
  static const char *const packages[] = { "nvidia", "triton", "cupy", "pytorch_triton" };
  const char *base = base_of (path);
  for (size_t i = 0; i < LF_ARRAY_LEN (libs); i++)
    if (lf_starts (base, libs[i]))
      return true;
  for (size_t i = 0; package && i < LF_ARRAY_LEN (packages); i++)
    {
      size_t n = strlen (packages[i]);
      if (strncmp (package, packages[i], n) == 0 && strchr ("_-", package[n])) /* the end of the name counts too */
        return true;
    }
  return false;
}

bool
lf_space_is_archive (const char *path)
{
  static const char *const s[] = { ".zip", ".whl", ".egg", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".jar", ".zst", NULL };
  return ends_in (path, s);
}

static bool
is_cache (const char *path)
{
  static const char *const s[] = { ".pyc", ".pyo", ".nbc", ".nbi", NULL };
  static const char *const dirs[] = { "__pycache__", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints" };
  for (size_t i = 0; i < LF_ARRAY_LEN (dirs); i++)
    if (has_component (path, dirs[i]))
      return true;
  return ends_in (path, s);
}

static bool
is_headers (const char *path)
{
  static const char *const s[] = { ".h", ".hpp", ".hh", ".hxx", ".cuh", ".pxd", ".pxi", ".a", ".lib", ".cmake", ".la", ".pc", NULL };
  return ends_in (path, s);
}

static bool
is_debug (const char *path)
{
  static const char *const s[] = { ".debug", ".pdb", ".dbg", ".js.map", ".mjs.map", ".cjs.map", ".css.map", NULL };
  return has_component (path, ".debug") || has_component (path, ".dSYM") || ends_in (path, s);
}

lf_space_kind
lf_space_kind_of (const char *path, const char *package)
{
  if (lf_space_is_cuda (path, package))
    return LF_SPACE_CUDA;
  if (is_debug (path))
    return LF_SPACE_DEBUG;
  if (is_cache (path))
    return LF_SPACE_CACHE;
  if (has_component (path, "tests") || has_component (path, "test") || has_component (path, "__tests__"))
    return LF_SPACE_TESTS;
  if (is_headers (path))
    return LF_SPACE_HEADERS;
  return lf_space_is_archive (path) ? LF_SPACE_ARCHIVE : LF_SPACE_PACKAGE;
}

/* ---- other systems ---------------------------------------------------------------------------------------------------------------- */

static bool
token (const char *p, size_t n, const char *const *words)
{
  for (; *words; words++)
    if (strlen (*words) == n && memcmp (p, *words, n) == 0)
      return true;
  return false;
}

bool
lf_space_foreign (const char *path, lf_arch arch, char out[64])
{
  static const char *const foreign_files[] = { ".dll", ".dylib", ".pyd", ".exe", NULL };
  static const char *const foreign_os[] = { "darwin", "win32", "macos", "osx", "android", "freebsd", "linuxmusl", "musl", NULL };
  static const char *const linux_os[] = { "linux", NULL };
  static const char *const x86[] = { "x64", "x86_64", "amd64", NULL }, *const arm[] = { "arm64", "aarch64", NULL };
  static const char *const neither[] = { "ia32", "x86", "arm", "armv7l", "s390x", "ppc64le", "riscv64", NULL };
  static const char *const homes[] = { "bin", "prebuilds", "native", "runtimes", "prebuilt", "build" };
  bool home = has_component (path, "node_modules");
  for (size_t i = 0; i < LF_ARRAY_LEN (homes) && !home; i++)
    home = has_component (path, homes[i]);
  const char *os = NULL, *cpu = NULL;
  size_t os_n = 0, cpu_n = 0;
  bool os_foreign = false, cpu_foreign = false;
  for (const char *p = path; home && *p && strchr (p, '/');)
    {
      size_t n = strcspn (p, "/-");
      if (!os && (token (p, n, foreign_os) || token (p, n, linux_os)))
        {
          os = p, os_n = n;
          os_foreign = !token (p, n, linux_os);
        }
      else if (os && !cpu && (token (p, n, x86) || token (p, n, arm) || token (p, n, neither)))
        {
          cpu = p, cpu_n = n;
          cpu_foreign = !token (p, n, arch == LF_ARCH_ARM64 ? arm : x86);
        }
      p += n + (p[n] != '\0');
    }
  if (os && (os_foreign || cpu_foreign))
    {
      snprintf (out, 64, "%.*s%s%.*s", (int) os_n, os, cpu ? "/" : "", (int) cpu_n, cpu ? cpu : "");
      return true;
    }
  if (!ends_in (path, foreign_files))
    return false;
  snprintf (out, 64, "%s", lf_ends (path, ".dylib") ? "macOS" : "Windows");
  return true;
}
