/* SPDX-License-Identifier: Apache-2.0
 *
 * From a plan to a started helper: its channels, its namespaces, its users and its configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define NAMESPACES_FIX \
  "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), " \
  "user.max_user_namespaces=10000; in a container, run it with the right to make namespaces (docker run --privileged); or run as root"

/* ---- the helper ---------------------------------------------------------------------------------------------------------------- */

static int
write_proc (pid_t pid, const char *file, const char *text)
{
  char path[64];
  snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, file);
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  size_t n = strlen (text);
  ssize_t r = write (fd, text, n);
  int e = errno;
  close (fd);
  errno = e;
  return r == (ssize_t) n ? 0 : -1;
}

static int
map_users (const lf_sb_host *h, pid_t pid)
{
  if (h->deny_setgroups && write_proc (pid, "setgroups", "deny") < 0)
    return -1;
  return write_proc (pid, "uid_map", h->uid_map) < 0 || write_proc (pid, "gid_map", h->gid_map) < 0 ? -1 : 0;
}

void
lf_sb_child_abandon (lf_sb_child *c)
{
  if (c->pidfd >= 0)
    {
      siginfo_t si;
      syscall (SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
      while (waitid ((idtype_t) 3 /* P_PIDFD */, (id_t) c->pidfd, &si, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
    }
  lf_closep (&c->pidfd);
  lf_closep (&c->ctl);
  lf_closep (&c->log);
}

static int
make_channels (int ctl[2], int log[2], lf_error *err)
{
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "raise the limit of open files (ulimit -n)", "no control socket: %s", strerror (errno));
  if (pipe2 (log, O_CLOEXEC) < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "raise the limit of open files (ulimit -n)", "no log pipe: %s", strerror (errno));
  /* Only our ends: a runtime may not expect its output to be non-blocking. */
  fcntl (log[0], F_SETFL, O_NONBLOCK);
  fcntl (ctl[0], F_SETFL, O_NONBLOCK);
  return 0;
}

int
lf_sb_spawn (lf_sb_host *h, lf_network net, int cgroup_fd, lf_sb_child *out, lf_error *err)
{
  int ctl[2] = { -1, -1 }, log[2] = { -1, -1 };
  *out = (lf_sb_child){ .pid = -1, .pidfd = -1, .ctl = -1, .log = -1 };
  if (make_channels (ctl, log, err) < 0)
    {
      lf_closep (&ctl[0]);
      lf_closep (&ctl[1]);
      return -1;
    }
  lf_sb_clone c = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | (h->userns ? CLONE_NEWUSER : 0) | (net == LF_NET_NONE ? CLONE_NEWNET : 0),
                    .cgroup_fd = cgroup_fd, .init_fd = h->init_fd, .null_fd = h->null_fd, .ctl_fd = ctl[1], .log_fd = log[1], .userns = h->userns, .stack = h->stack };
  const char *step;
  int e = lf_sb_clone_run (&c, &out->pid, &out->pidfd, &step);
  lf_closep (&ctl[1]);
  lf_closep (&log[1]);
  out->ctl = ctl[0];
  out->log = log[0];
  if (e == 0 && h->userns && map_users (h, out->pid) < 0)
    {
      e = errno;
      step = "map users";
    }
  if (e == 0)
    return 0;
  lf_sb_child_abandon (out);
  bool room = e == EAGAIN || e == ENOMEM || e == EMFILE || e == ENFILE || (e == ENOSPC && h->enforcement.by[LF_LIM_TMP] == LF_ENF_KERNEL);
  return LF_FAIL (err, room ? LF_EXIT_IO : LF_EXIT_UNSUPPORTED, "sandbox", room ? "start fewer environments or raise the limits (ulimit -n -u, user.max_*_namespaces)" : NAMESPACES_FIX,
                  "cannot %s: %s", step, strerror (e));
}

void
lf_sb_setup_error (const lf_sb_host *h, const lf_init_note *n, lf_error *err)
{
  bool denied = n->value == EPERM || n->value == EACCES;
  const char *fix = "";
  if (denied && h->userns && !strncmp (n->text, "mount /proc", 11))
    fix = "this container hides parts of /proc, so a new one may not be mounted; run the container with --privileged or --security-opt systempaths=unconfined";
  else if (denied && strncmp (n->text, "show ", 5) != 0)
    fix = NAMESPACES_FIX;
  else if (denied)
    fix = "make it readable for this user";
  lf_error_set (err, denied && fix[0] != 'm' ? LF_EXIT_UNSUPPORTED : LF_EXIT_IO, __FILE__, __LINE__, "sandbox", fix, "cannot %.190s: %s", n->text, strerror (n->value));
}

/* ---- the configuration ----------------------------------------------------------------------------------------------------------- */

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
    return LF_FAIL (err, LF_EXIT_USAGE, to ? to : "bind", "give absolute paths without '..'", "not a place that can be shown in a sandbox");
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

/* /opt when something else must be visible below it too (an interpreter in /opt/conda): each entry of the layers by itself. */
static int
add_opt_entries (lf_buf *b, uint32_t *n, const char *opt, lf_error *err)
{
  DIR *d = opendir (opt);
  if (!d)
    return LF_FAIL (err, LF_EXIT_IO, opt, "", "cannot be read: %s", strerror (errno));
  int r = lf_sb_step (b, n, 'd', "opt", NULL);
  struct dirent *e;
  while (r == 0 && (e = readdir (d)) != NULL)
    {
      if (!strcmp (e->d_name, ".") || !strcmp (e->d_name, ".."))
        continue;
      char from[4096], to[512], target[4096];
      if (snprintf (from, sizeof from, "%s/%s", opt, e->d_name) >= (int) sizeof from)
        continue;
      snprintf (to, sizeof to, "/opt/%s", e->d_name);
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

static int
add_plan_steps (lf_sb_host *h, const lf_sb_plan *p, lf_buf *b, uint32_t *n, lf_error *err)
{
  bool split_opt = false;
  for (size_t i = 0; i < p->binds_n; i++)
    split_opt = split_opt || (p->opt_dir && below (p->binds[i].to, "/opt"));
  if (add_bind (b, n, p->task_dir, "/var/task", err) < 0)
    return -1;
  if (p->runtime_dir ? add_bind (b, n, p->runtime_dir, "/var/runtime", err) : lf_sb_step (b, n, 'd', "var/runtime", NULL))
    return -1;
  if (split_opt ? add_opt_entries (b, n, p->opt_dir, err) : p->opt_dir ? add_bind (b, n, p->opt_dir, "/opt", err) : lf_sb_step (b, n, 'd', "opt", NULL))
    return -1;
  for (size_t i = 0; i < p->binds_n; i++)
    if (add_bind (b, n, p->binds[i].from, p->binds[i].to ? p->binds[i].to : p->binds[i].from, err) < 0)
      return -1;
  int cpus = p->visible_cpus < 1 ? 1 : p->visible_cpus > LF_SB_CPUS_MAX ? LF_SB_CPUS_MAX : p->visible_cpus;
  char dir[4096];
  if (snprintf (dir, sizeof dir, "%s/sys-%d", h->state_dir, cpus) >= (int) sizeof dir)
    return LF_FAIL (err, LF_EXIT_USAGE, h->state_dir, "use a shorter path", "path too long");
  if (!h->sys_made[cpus] && lf_sb_sys_make (dir, cpus, err) < 0)
    return -1;
  h->sys_made[cpus] = true;
  return lf_sb_step (b, n, 'b', "sys", dir);
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
  c->flags = (h->switch_user ? LF_INIT_SWITCH_USER : 0) | (h->userns ? 0 : LF_INIT_PRIVATE) | (h->old_mounts ? LF_INIT_OLD_MOUNTS : 0);
  c->tmp_bytes = 16 * LF_MB;
  c->nofile = 1024;
  c->nproc = -1;
  c->argc = 1;
  if (!p)
    c->flags |= LF_INIT_TRIAL;
  else
    {
      c->flags |= p->network == LF_NET_NONE ? LF_INIT_NET_NONE : 0;
      c->tmp_bytes = p->tmp_bytes;
      c->nofile = p->fds > 0 ? p->fds : 1024;
      c->nproc = p->nproc_rlimit > 0 ? p->nproc_rlimit : -1;
      c->argc = (uint32_t) p->argv.n;
      c->envc = (uint32_t) p->env.n;
      choose_cpus (h, p->visible_cpus, c->cpus);
    }
  /* As many files as the quota has blocks of 4 KB, and never so few that an ordinary cache of small files would not fit. */
  c->tmp_inodes = c->tmp_bytes / 4096 < 65536 ? 65536 : c->tmp_bytes / 4096;
}

int
lf_sb_config (lf_sb_host *h, const lf_sb_plan *plan, lf_buf *out, lf_error *err)
{
  lf_init_config c = { 0 };
  if (plan && (plan->argv.n < 1 || plan->argv.n > LF_INIT_ARGV_MAX || plan->env.n > LF_INIT_ENV_MAX || plan->tmp_bytes < 4096))
    return LF_FAIL (err, LF_EXIT_USAGE, "sandbox", "", "a runtime needs 1 to %d arguments, at most %d variables and a /tmp of at least 4096 bytes", LF_INIT_ARGV_MAX,
                    LF_INIT_ENV_MAX);
  fill_header (h, plan, &c);
  lf_buf_reset (out);
  lf_buf_add (out, &c, sizeof c);
  lf_buf_add (out, h->attach, strlen (h->attach) + 1);
  lf_buf_add (out, LF_SB_HOSTNAME, sizeof LF_SB_HOSTNAME);
  lf_buf_add (out, h->steps.data, h->steps.len);
  c.ops = h->steps_n;
  if (plan && add_plan_steps (h, plan, out, &c.ops, err) < 0)
    return out->failed ? LF_FAIL_NOMEM (err) : -1;
  for (size_t i = 0; plan && i < plan->argv.n; i++)
    lf_buf_add (out, plan->argv.v[i], strlen (plan->argv.v[i]) + 1);
  if (!plan)
    lf_buf_add (out, "", 1);
  for (size_t i = 0; plan && i < plan->env.n; i++)
    lf_buf_add (out, plan->env.v[i], strlen (plan->env.v[i]) + 1);
  if (out->failed || out->len > LF_INIT_CONFIG_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "sandbox", "shorten the arguments and variables", "the configuration of a sandbox is larger than %d bytes", LF_INIT_CONFIG_MAX);
  memcpy (out->data, &c, sizeof c);
  return 0;
}

int
lf_sb_send_config (lf_sb_child *c, const lf_buf *config, lf_error *err)
{
  ssize_t r;
  do
    r = send (c->ctl, config->data, config->len, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  if (r == (ssize_t) config->len)
    return 0;
  return LF_FAIL (err, LF_EXIT_IO, "sandbox", "", "the helper did not take its configuration: %s", strerror (errno));
}
