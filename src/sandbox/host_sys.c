/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sandbox sees of CPUs. On Lambda an environment has a few of them whatever the machine has, and libraries size their pools
 * by /sys and /proc/cpuinfo; so both are made for the number the environment has, from what the host says of its own. The rest of
 * /sys is the host's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define CPUINFO_MAX (4 * LF_MB)

static const char *const topology_copied[] = { "physical_package_id", "die_id", "cluster_id" };
static const char *const topology_own[] = { "core_id", "thread_siblings_list", "core_cpus_list", "cluster_cpus_list" };
static const char *const topology_all[] = { "core_siblings_list", "package_cpus_list", "die_cpus_list" };
static const char *const topology_own_mask[] = { "thread_siblings", "core_cpus", "cluster_cpus" };
static const char *const topology_all_mask[] = { "core_siblings", "package_cpus", "die_cpus" };
static const char *const cache_copied[] = {
  "level", "type", "size", "coherency_line_size", "number_of_sets", "ways_of_associativity", "physical_line_partition", "id"
};
static const char *const freq_copied[] = { "cpuinfo_max_freq", "cpuinfo_min_freq", "base_frequency" };

typedef struct texts
{
  char all[32], all_mask[64], own[16], own_mask[64];
} texts;

/* A mask as the kernel writes it: words of 32 bits from the highest, with commas. */
static void
mask_text (char out[64], int first, int count)
{
  char *p = out;
  for (int w = (first + count - 1) / 32; w >= 0 && p < out + 48; w--)
    {
      uint32_t bits = 0;
      for (int i = first; i < first + count; i++)
        if (i / 32 == w)
          bits |= 1u << (i % 32);
      p += sprintf (p, p == out ? "%x" : ",%08x", bits);
    }
  strcpy (p, "\n");
}

static void
make_texts (texts *t, int number, int cpus)
{
  snprintf (t->all, sizeof t->all, cpus > 1 ? "0-%d\n" : "0\n", cpus - 1);
  snprintf (t->own, sizeof t->own, "%d\n", number);
  mask_text (t->all_mask, 0, cpus);
  mask_text (t->own_mask, number, 1);
}

/* Writes TEXT to those of the files that the host has too. */
static int
put_known (int dir, int host, const char *const *names, size_t n, const char *text, lf_error *err)
{
  for (size_t i = 0; i < n; i++)
    if (faccessat (host, names[i], F_OK, 0) == 0 && lf_sb_puts_at (dir, names[i], text, err) < 0)
      return -1;
  return 0;
}

static int
copy_known (int dir, int host, const char *const *names, size_t n, lf_error *err)
{
  for (size_t i = 0; i < n; i++)
    if (lf_sb_copy_file (host, names[i], dir, names[i], err) < 0)
      return -1;
  return 0;
}

static int
topology_make (int dir, int host, const texts *t, lf_error *err)
{
  int from LF_CLEANUP (lf_closep) = openat (host, "topology", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from < 0)
    return 0;
  int to LF_CLEANUP (lf_closep) = lf_sb_folder (dir, "topology", err);
  if (to < 0 || copy_known (to, from, topology_copied, LF_ARRAY_LEN (topology_copied), err) < 0)
    return -1;
  return put_known (to, from, topology_own, LF_ARRAY_LEN (topology_own), t->own, err) < 0
                 || put_known (to, from, topology_all, LF_ARRAY_LEN (topology_all), t->all, err) < 0
                 || put_known (to, from, topology_own_mask, LF_ARRAY_LEN (topology_own_mask), t->own_mask, err) < 0
                 || put_known (to, from, topology_all_mask, LF_ARRAY_LEN (topology_all_mask), t->all_mask, err) < 0
             ? -1
             : 0;
}

/* The third level and what is above it are shared by all, the others belong to one CPU. */
static int
cache_make (int dir, int host, const texts *t, lf_error *err)
{
  for (int i = 0; i < 8; i++)
    {
      char path[32], level[8] = "";
      snprintf (path, sizeof path, "cache/index%d", i);
      int from LF_CLEANUP (lf_closep) = openat (host, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (from < 0)
        return 0;
      int to LF_CLEANUP (lf_closep) = lf_sb_folders (dir, path, err);
      if (to < 0 || copy_known (to, from, cache_copied, LF_ARRAY_LEN (cache_copied), err) < 0)
        return -1;
      int fd LF_CLEANUP (lf_closep) = openat (from, "level", O_RDONLY | O_CLOEXEC);
      ssize_t n = fd < 0 ? -1 : read (fd, level, sizeof level - 1);
      bool shared = n > 0 && level[0] >= '3'; /* one digit; from the third level on a cache is not one core's own */
      if (lf_sb_puts_at (to, "shared_cpu_list", shared ? t->all : t->own, err) < 0
          || lf_sb_puts_at (to, "shared_cpu_map", shared ? t->all_mask : t->own_mask, err) < 0)
        return -1;
    }
  return 0;
}

static int
cpu_make (int dir, int host, int number, int like, int cpus, lf_error *err)
{
  char name[32];
  texts t;
  make_texts (&t, number, cpus);
  snprintf (name, sizeof name, "cpu%d", number);
  int fd LF_CLEANUP (lf_closep) = lf_sb_folder (dir, name, err);
  snprintf (name, sizeof name, "cpu%d", like);
  int from LF_CLEANUP (lf_closep) = openat (host, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  if (from < 0)
    return 0;
  if (topology_make (fd, from, &t, err) < 0 || cache_make (fd, from, &t, err) < 0)
    return -1;
  int freq LF_CLEANUP (lf_closep) = openat (from, "cpufreq", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (freq < 0)
    return 0;
  int to LF_CLEANUP (lf_closep) = lf_sb_folder (fd, "cpufreq", err);
  return to < 0 ? -1 : copy_known (to, freq, freq_copied, LF_ARRAY_LEN (freq_copied), err);
}

int
lf_sb_sys_make (const char *path, int cpus, bool hides_lists, lf_error *err)
{
  static const char *const lists[] = { "online", "possible", "present" };
  size_t lists_n = hides_lists ? 1 : LF_ARRAY_LEN (lists);
  static const char *const huge[] = { "enabled", "hpage_pmd_size" };
  texts t;
  make_texts (&t, 0, cpus);
  int sys LF_CLEANUP (lf_closep) = lf_sb_folder (AT_FDCWD, path, err);
  if (sys < 0)
    return -1;
  int dir LF_CLEANUP (lf_closep) = lf_sb_folders (sys, "devices/system/cpu", err);
  int thp LF_CLEANUP (lf_closep) = dir < 0 ? -1 : lf_sb_folders (sys, "kernel/mm/transparent_hugepage", err);
  if (dir < 0 || thp < 0 || lf_sb_puts_at (dir, "offline", "\n", err) < 0)
    return -1;
  for (size_t i = 0; i < lists_n; i++)
    if (lf_sb_puts_at (dir, lists[i], t.all, err) < 0)
      return -1;
  int from LF_CLEANUP (lf_closep) = open ("/sys/kernel/mm/transparent_hugepage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from >= 0 && copy_known (thp, from, huge, LF_ARRAY_LEN (huge), err) < 0)
    return -1;
  int host LF_CLEANUP (lf_closep) = open ("/sys/devices/system/cpu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long here = sysconf (_SC_NPROCESSORS_CONF);
  for (int i = 0; host >= 0 && i < cpus && i < 64; i++)
    if (cpu_make (dir, host, i, here > 0 ? (int) (i % here) : 0, cpus, err) < 0)
      return -1;
  return 0;
}

/* ---- /proc/cpuinfo ------------------------------------------------------------------------------------------- */

/* One paragraph of the file, from its first line to the blank line that ends it. */
static lf_str
paragraph (const char **at)
{
  const char *p = *at, *end;
  while (*p == '\n')
    p++;
  end = strstr (p, "\n\n");
  lf_str s = { p, end ? (size_t) (end + 1 - p) : strlen (p) };
  *at = end ? end + 2 : p + s.n;
  return s;
}

static bool
key_is (lf_str line, const char *key)
{
  size_t n = strlen (key);
  return line.n > n && !memcmp (line.p, key, n) && (line.p[n] == '\t' || line.p[n] == ' ' || line.p[n] == ':');
}

static void
add_renumbered (lf_buf *out, lf_str para, int number, int cpus)
{
  static const char *const own[] = { "processor", "core id", "apicid", "initial apicid" }, *const all[]
                                                                                           = { "siblings", "cpu cores" };
  while (para.n > 0)
    {
      const char *nl = memchr (para.p, '\n', para.n);
      lf_str line = { para.p, nl ? (size_t) (nl - para.p) : para.n };
      const char *colon = memchr (line.p, ':', line.n);
      int value = -1;
      for (size_t i = 0; i < LF_ARRAY_LEN (own); i++)
        if (key_is (line, own[i]))
          value = number;
      for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
        if (key_is (line, all[i]))
          value = cpus;
      if (value >= 0 && colon)
        lf_buf_addf (out, "%.*s: %d\n", (int) (colon - line.p), line.p, value);
      else
        {
          lf_buf_add (out, line.p, line.n);
          lf_buf_addc (out, '\n');
        }
      para.p += line.n + (nl != NULL);
      para.n -= line.n + (nl != NULL);
    }
  lf_buf_addc (out, '\n');
}

void
lf_sb_cpuinfo (const char *host, int cpus, lf_buf *out)
{
  lf_str cpu[64];
  size_t n = 0;
  const char *at = host;
  lf_buf rest;
  lf_buf_init (&rest, 65536);
  while (*at)
    {
      lf_str p = paragraph (&at);
      if (!key_is (p, "processor"))
        lf_buf_add (&rest, p.p, p.n); /* on some machines the whole is described at the end */
      else if (n < LF_ARRAY_LEN (cpu))
        cpu[n++] = p;
    }
  for (int i = 0; n > 0 && i < cpus; i++)
    add_renumbered (out, cpu[(size_t) i % n], i, cpus);
  if (n > 0 && rest.len > 0)
    lf_buf_add (out, rest.data, rest.len);
  lf_buf_fini (&rest);
}

int
lf_sb_cpuinfo_make (const char *path, int cpus, lf_error *err)
{
  lf_buf in, out;
  lf_buf_init (&in, CPUINFO_MAX);
  lf_buf_init (&out, CPUINFO_MAX);
  int r = lf_read_file ("/proc/cpuinfo", CPUINFO_MAX, &in, err);
  if (r == 0)
    {
      lf_sb_cpuinfo (in.data ? in.data : "", cpus, &out);
      r = out.failed ? LF_FAIL_NOMEM (err) : lf_sb_puts_at (AT_FDCWD, path, out.data ? out.data : "", err);
    }
  lf_buf_fini (&in);
  lf_buf_fini (&out);
  return r;
}
