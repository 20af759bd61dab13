/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plan to the configuration of a helper.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sandbox_impl.h"

/* ---- the configuration ----------------------------------------------------------------------------------- */

/* An absolute path without "." or ".." parts, not "/" itself. */
static bool
plain_path (const char *p)
{
  if (!p || p[0] != '/' || !p[1] || strstr (p, "//"))
    return false;
  for (const char *s = p; s; s = strchr (s + 1, '/'))
    if (s[1] == '.' && (!s[2] || s[2] == '/' || (s[2] == '.' && (!s[3] || s[3] == '/'))))
      return false;
  return true;
}

static int
add_bind (lf_buf *b, uint32_t *n, const char *from, const char *to, lf_error *err)
{
  struct stat st;
  if (!plain_path (to) || !from || from[0] != '/')
    return LF_FAIL (err, LF_EXIT_USAGE, to ? to : "bind", "give absolute paths without '..'",
                    "not a place that can be shown in a sandbox");
  if (stat (from, &st) < 0)
    return LF_FAIL (err, LF_EXIT_USAGE, from, "", "cannot be shown in a sandbox: %s", strerror (errno));
  return lf_sb_step (b, n, S_ISDIR (st.st_mode) ? 'b' : 'f', to + 1, from);
}

static bool
below (const char *path, const char *dir)
{
  size_t n = strlen (dir);
  return !strncmp (path, dir, n) && path[n] == '/';
}

/* A folder entry by entry, each bound by itself. */
static int
add_entries (lf_buf *b, uint32_t *n, const char *dir, const char *where, lf_error *err)
{
  DIR *d = opendir (dir);
  if (!d)
    return LF_FAIL (err, LF_EXIT_IO, dir, "", "cannot be read: %s", strerror (errno));
  int r = lf_sb_step (b, n, 'd', where + 1, NULL);
  struct dirent *e;
  while (r == 0 && (e = readdir (d)) != NULL)
    {
      if (!strcmp (e->d_name, ".") || !strcmp (e->d_name, ".."))
        continue;
      char from[4096], to[512], target[4096];
      if (snprintf (from, sizeof from, "%s/%s", dir, e->d_name) >= (int) sizeof from)
        continue;
      snprintf (to, sizeof to, "%s/%s", where, e->d_name);
      ssize_t k = readlink (from, target, sizeof target - 1);
      if (k < 0)
        {
          r = add_bind (b, n, from, to, err);
          continue;
        }
      target[k] = 0;
      r = lf_sb_step (b, n, 's', to + 1, target);
    }
  closedir (d);
  return r;
}

/* A package or layer has no folder around its files that could have rights. One on this disk has, and if it is its owner's alone (a new
 * folder in /tmp, a umask of 077) Lambda's user could not enter it: then it is shown without it. */
static int
add_tree (lf_buf *b, uint32_t *n, const char *dir, const char *where, bool split, lf_error *err)
{
  struct stat st;
  split = split || (stat (dir, &st) == 0 && (st.st_mode & 05) != 05);
  return split ? add_entries (b, n, dir, where, err) : add_bind (b, n, dir, where, err);
}

/* Made when the first environment with so many CPUs starts. */
static int
add_cpu_steps (lf_sb_host *h, int visible, bool hides_lists, lf_buf *b, uint32_t *n, lf_error *err)
{
  int cpus = visible < 1 ? 1 : visible > LF_SB_CPUS_MAX ? LF_SB_CPUS_MAX : visible;
  char sys[4096], info[4096];
  if (snprintf (sys, sizeof sys, "%s/sys-%d%s", h->state_dir, cpus, hides_lists ? "-unlisted" : "") >= (int) sizeof sys
      || snprintf (info, sizeof info, "%s/cpuinfo-%d", h->state_dir, cpus) >= (int) sizeof info)
    return LF_FAIL (err, LF_EXIT_USAGE, h->state_dir, "use a shorter path", "path too long");
  if (!h->sys_made[hides_lists][cpus] && (lf_sb_sys_make (sys, cpus, hides_lists, err) < 0 || lf_sb_cpuinfo_make (info, cpus, err) < 0))
    return -1;
  h->sys_made[hides_lists][cpus] = true;
  if (lf_sb_step (b, n, 'b', "sys", sys) < 0)
    return -1;
  return sysconf (_SC_NPROCESSORS_ONLN) == cpus ? 0 : lf_sb_step (b, n, 'f', "proc/cpuinfo", info);
}

static int
add_plan_steps (lf_sb_host *h, const lf_sb_plan *p, lf_buf *b, uint32_t *n, lf_error *err)
{
  bool split_opt = false;
  for (size_t i = 0; i < p->binds_n; i++)
    split_opt = split_opt || (p->opt_dir && below (p->binds[i].to, "/opt"));
  if (add_tree (b, n, p->task_dir, "/var/task", false, err) < 0)
    return -1;
  if (p->runtime_dir ? add_bind (b, n, p->runtime_dir, "/var/runtime", err) : lf_sb_step (b, n, 'd', "var/runtime", NULL))
    return -1;
  /* Something else may have to be visible below /opt too: an interpreter in /opt/conda. */
  if (p->opt_dir ? add_tree (b, n, p->opt_dir, "/opt", split_opt, err) : lf_sb_step (b, n, 'd', "opt", NULL))
    return -1;
  for (size_t i = 0; i < p->binds_n; i++)
    if (add_bind (b, n, p->binds[i].from, p->binds[i].to ? p->binds[i].to : p->binds[i].from, err) < 0)
      return -1;
  return add_cpu_steps (h, p->visible_cpus, p->hides_cpu_lists, b, n, err);
}

/* Neighbouring environments get neighbouring CPUs, so all of the machine is used. */
static void
choose_cpus (lf_sb_host *h, int visible, uint64_t cpus[LF_INIT_CPU_WORDS])
{
  size_t n = visible < 1 ? 1 : (size_t) visible;
  if (n >= h->cpus_n)
    return;
  for (size_t i = 0; i < n; i++)
    {
      uint16_t c = h->cpus[(h->next_cpu + i) % h->cpus_n];
      cpus[c / 64] |= UINT64_C (1) << (c % 64);
    }
  h->next_cpu = (h->next_cpu + n) % h->cpus_n;
}

static void
fill_header (lf_sb_host *h, const lf_sb_plan *p, lf_init_config *c)
{
  c->magic = LF_INIT_MAGIC;
  c->flags = p->network == LF_NET_NONE ? LF_INIT_NET_NONE : 0;
  c->argc = (uint32_t) p->argv.n;
  c->envc = (uint32_t) p->env.n;
  c->nofile = p->fds > 0 ? p->fds : 1024;
  c->nproc = p->nproc_rlimit > 0 ? p->nproc_rlimit : -1;
  c->tmp_bytes = p->tmp_bytes;
  /* As many files as the quota has blocks of 4 KB, and never so few that an ordinary cache of small files would not fit. */
  c->tmp_inodes = c->tmp_bytes / 4096 < 65536 ? 65536 : c->tmp_bytes / 4096;
  choose_cpus (h, p->visible_cpus, c->cpus);
}

int
lf_sb_config (lf_sb_host *h, const lf_sb_plan *plan, lf_buf *out, lf_error *err)
{
  lf_init_config c = { 0 };
  if (plan->argv.n < 1 || plan->argv.n > LF_INIT_ARGV_MAX || plan->env.n > LF_INIT_ENV_MAX || plan->tmp_bytes < 4096)
    return LF_FAIL (err, LF_EXIT_USAGE, "sandbox", "",
                    "a runtime needs 1 to %d arguments, at most %d variables and a /tmp of at least 4096 bytes", LF_INIT_ARGV_MAX,
                    LF_INIT_ENV_MAX);
  fill_header (h, plan, &c);
  lf_buf_reset (out);
  lf_buf_add (out, &c, sizeof c);
  if (add_plan_steps (h, plan, out, &c.ops, err) < 0)
    return out->failed ? LF_FAIL_NOMEM (err) : -1;
  for (size_t i = 0; i < plan->argv.n; i++)
    lf_buf_add (out, plan->argv.v[i], strlen (plan->argv.v[i]) + 1);
  for (size_t i = 0; i < plan->env.n; i++)
    lf_buf_add (out, plan->env.v[i], strlen (plan->env.v[i]) + 1);
  if (out->failed || out->len > LF_INIT_CONFIG_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "sandbox", "shorten the arguments and variables",
                    "the configuration of a sandbox is larger than %d bytes", LF_INIT_CONFIG_MAX);
  memcpy (out->data, &c, sizeof c);
  return 0;
}
