/* SPDX-License-Identifier: Apache-2.0
 *
 * How many descriptors and tasks an environment has now, from the host's /proc: the kernel keeps no marks of them, so this is a look and
 * not a peak.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox_impl.h"

#define PROCESSES_MAX 256

typedef struct counting
{
  pid_t pid[PROCESSES_MAX]; /* found so far; those from `next` on are still to be looked at */
  size_t n, next;
  int64_t fds, tasks;
} counting;

/* The entries of /proc/PID/fd. Since Linux 6.2 the folder's size says it; before, it must be read. */
static int64_t
descriptors (pid_t pid)
{
  char path[64];
  struct stat st;
  snprintf (path, sizeof path, "/proc/%d/fd", (int) pid);
  if (stat (path, &st) < 0)
    return 0;
  if (st.st_size > 0)
    return st.st_size;
  DIR *d = opendir (path);
  int64_t n = 0;
  for (struct dirent *e; d && (e = readdir (d));)
    n += e->d_name[0] != '.';
  if (d)
    closedir (d);
  return n;
}

static void
children (counting *c, pid_t pid)
{
  char path[64], text[4096];
  snprintf (path, sizeof path, "/proc/%d/task/%d/children", (int) pid, (int) pid);
  int fd LF_CLEANUP (lf_closep) = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  if (n <= 0)
    return;
  text[n] = 0;
  for (char *p = text, *end; c->n < PROCESSES_MAX; p = end)
    {
      long child = strtol (p, &end, 10);
      if (end == p || child <= 0)
        return;
      c->pid[c->n++] = (pid_t) child;
    }
}

static void
look (counting *c, pid_t pid)
{
  char path[64];
  struct stat st;
  int64_t fds = descriptors (pid);
  snprintf (path, sizeof path, "/proc/%d/task", (int) pid);
  c->fds = fds > c->fds ? fds : c->fds;
  if (stat (path, &st) == 0 && st.st_nlink > 2)
    c->tasks += (int64_t) st.st_nlink - 2;
  children (c, pid);
}

void
lf_sandbox_counts (const lf_sandbox *s, int64_t *fds, int64_t *processes)
{
  counting c;
  c.n = c.next = 0;
  c.fds = c.tasks = 0;
  *fds = *processes = LF_NONE;
  pid_t top = lf_sandbox_pid (s);
  if (top <= 0)
    return;
  children (&c, top);
  while (c.next < c.n)
    look (&c, c.pid[c.next++]);
  /* Of a large tree only a part is looked at; the group counts all, and our helper with them. */
  int64_t counted = c.n == PROCESSES_MAX ? lf_sb_group_processes (s) : LF_NONE;
  if (counted > c.tasks + 1)
    c.tasks = counted - 1;
  if (c.tasks > 0)
    {
      *fds = c.fds;
      /* An ordinary user's supervisor has the function's user and takes one of its processes. */
      *processes = c.tasks + (lf_sb_supervisor_counts (s) ? 1 : 0);
    }
}
