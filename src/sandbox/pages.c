/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that a function has mapped. On Lambda the pages of them need room in the function's memory, and what does not fit is read again; here they lie in
 * this machine's page cache, where they cost the function nothing. So how many it touches is looked at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_impl.h"

static int
open_of (const lf_sandbox *s, const char *file, int flags)
{
  char path[64];
  pid_t pid = lf_sb_runtime_pid (s);
  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, file);
  return pid > 0 ? open (path, flags | O_CLOEXEC) : -1;
}

static ssize_t
read_of (const lf_sandbox *s, const char *file, char *text, size_t cap)
{
  int fd LF_CLEANUP (lf_closep) = open_of (s, file, O_RDONLY);
  ssize_t n = fd >= 0 ? read (fd, text, cap - 1) : -1;
  text[n > 0 ? n : 0] = '\0';
  return n;
}

int64_t
lf_sandbox_mapped (const lf_sandbox *s)
{
  char text[256];
  long long size, resident, shared;
  if (read_of (s, "statm", text, sizeof text) <= 0 || sscanf (text, "%lld %lld %lld", &size, &resident, &shared) != 3)
    return LF_NONE;
  return (int64_t) shared * sysconf (_SC_PAGESIZE);
}

int64_t
lf_sb_line_bytes (const char *text, const char *key)
{
  const char *p = strstr (text, key);
  long long kb = p ? strtoll (p + strlen (key), NULL, 10) : -1;
  return kb >= 0 && kb <= INT64_MAX / 1024 ? kb * 1024 : LF_NONE;
}

static bool
may_walk (const lf_sandbox *s)
{
  char text[4096];
  int64_t tables = read_of (s, "status", text, sizeof text) > 0 ? lf_sb_line_bytes (text, "\nVmPTE:") : LF_NONE;
  return tables != LF_NONE && tables <= LF_SB_TABLES_MAX;
}

bool
lf_sandbox_touched_begin (const lf_sandbox *s)
{
  int fd LF_CLEANUP (lf_closep) = may_walk (s) ? open_of (s, "clear_refs", O_WRONLY) : -1;
  return fd >= 0 && write (fd, "1", 1) == 1;
}

int64_t
lf_sandbox_touched (const lf_sandbox *s)
{
  char text[2048];
  if (!may_walk (s) || read_of (s, "smaps_rollup", text, sizeof text) <= 0)
    return LF_NONE;
  int64_t referenced = lf_sb_line_bytes (text, "\nReferenced:"), own = lf_sb_line_bytes (text, "\nAnonymous:");
  if (referenced == LF_NONE || own == LF_NONE)
    return LF_NONE;
  return referenced > own ? referenced - own : 0;
}
