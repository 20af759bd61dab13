/* SPDX-License-Identifier: Apache-2.0
 *
 * What all sandboxes of a daemon share: the prepared files, the list of what is visible, the users, and the proof, by one trial,
 * that a sandbox can be made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sandbox_impl.h"

#define TRIAL_MS 10000

/* ---- the common root ------------------------------------------------------------------------------------- */

int
lf_sb_step (lf_buf *b, uint32_t *n, char op, const char *path, const char *arg)
{
  lf_buf_addc (b, op);
  lf_buf_add (b, path, strlen (path) + 1);
  if (op != 'd')
    lf_buf_add (b, arg, strlen (arg) + 1);
  (*n)++;
  return b->failed ? -1 : 0;
}

/* A top-level folder of programs, or the link that stands for it on systems with a merged /usr. */
static int
step_top (lf_sb_host *h, const char *name)
{
  char path[64], target[256];
  struct stat st;
  snprintf (path, sizeof path, "/%s", name);
  if (lstat (path, &st) < 0)
    return 0;
  if (S_ISDIR (st.st_mode))
    return lf_sb_step (&h->steps, &h->steps_n, 'b', name, path);
  ssize_t n = S_ISLNK (st.st_mode) ? readlink (path, target, sizeof target - 1) : -1;
  if (n < 0)
    return 0;
  target[n] = 0;
  return lf_sb_step (&h->steps, &h->steps_n, 's', name, target);
}

/* Folders of /etc that are public, large and made of links: shown, not copied. Their places are made by lf_sb_etc_make. */
static const char *const etc_shown[]
    = { "alternatives", "fonts", "ssl/certs", "pki/ca-trust", "pki/tls/certs", "ca-certificates", "crypto-policies" };

static int
step_etc (lf_sb_host *h, const char *dir)
{
  char from[128], to[128];
  struct stat st;
  int r = lf_sb_step (&h->steps, &h->steps_n, 'b', "etc", dir);
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (etc_shown); i++)
    {
      snprintf (from, sizeof from, "/etc/%s", etc_shown[i]);
      snprintf (to, sizeof to, "etc/%s", etc_shown[i]);
      if (stat (from, &st) == 0 && S_ISDIR (st.st_mode))
        r = lf_sb_step (&h->steps, &h->steps_n, 'b', to, from);
    }
  return r;
}

static int
step_dev (lf_sb_host *h)
{
  static const char *const nodes[] = { "null", "zero", "full", "random", "urandom" };
  static const char *const links[][2] = {
    { "fd", "/proc/self/fd" }, { "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" }
  };
  char from[64];
  int r = lf_sb_step (&h->steps, &h->steps_n, 'd', "dev", NULL);
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (nodes); i++)
    {
      snprintf (from, sizeof from, "/dev/%s", nodes[i]);
      if (access (from, F_OK) == 0)
        r = lf_sb_step (&h->steps, &h->steps_n, 'v', from + 1, from);
    }
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (links); i++)
    {
      snprintf (from, sizeof from, "dev/%s", links[i][0]);
      r = lf_sb_step (&h->steps, &h->steps_n, 's', from, links[i][1]);
    }
  return r;
}

static int
make_steps (lf_sb_host *h, const char *etc)
{
  static const char *const tops[] = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
  static const char *const dirs[] = { "home", "mnt", "run", "var", "var/lang", "var/log", "var/tmp" };
  int r = 0;
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (tops); i++)
    r = step_top (h, tops[i]);
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (dirs); i++)
    r = lf_sb_step (&h->steps, &h->steps_n, 'd', dirs[i], NULL);
  /* Nix and Guix keep everything that programs need in their stores. */
  static const char *const stores[] = { "/nix/store", "/gnu/store" };
  for (size_t i = 0; r == 0 && i < LF_ARRAY_LEN (stores); i++)
    if (access (stores[i], F_OK) == 0)
      r = lf_sb_step (&h->steps, &h->steps_n, 'b', stores[i] + 1, stores[i]);
  return r == 0 && step_etc (h, etc) == 0 ? step_dev (h) : -1;
}

/* ---- users ----------------------------------------------------------------------------------------------- */

static bool
have_capabilities (void)
{
  struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct d[2];
  const uint32_t need = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETPCAP | 1u << CAP_KILL;
  return syscall (SYS_capget, &h, d) == 0 && (d[0].effective & need) == need;
}

/* Users that nobody has: above the ranges of distributions, containers and systemd, below those that some programs take for negative. */
#define OWN_USER_FIRST 0x70000000ul
#define OWN_USERS 0x0ffffffful

/* What our own namespace maps. */
static void
ranges_read (const char *file, lf_sb_ranges *out)
{
  FILE *f = fopen (file, "re");
  unsigned long inside, outside, count;
  out->n = 0;
  while (f && out->n < LF_ARRAY_LEN (out->v) && fscanf (f, "%lu %lu %lu", &inside, &outside, &count) == 3)
    {
      out->v[out->n].first = inside;
      out->v[out->n++].count = count;
    }
  if (f)
    fclose (f);
}

static bool
ranges_have (const lf_sb_ranges *r, unsigned long id, unsigned long count)
{
  for (size_t i = 0; i < r->n; i++)
    if (r->v[i].first <= id && id - r->v[i].first < r->v[i].count && count <= r->v[i].count - (id - r->v[i].first))
      return true;
  return false;
}

/* Adds `first` to `end` of the identity map, without `hole`. */
static void
map_range (lf_buf *b, unsigned long first, unsigned long end, unsigned long hole)
{
  if (hole >= first && hole < end)
    {
      map_range (b, first, hole, end);
      map_range (b, hole + 1, end, end);
    }
  else if (first < end)
    lf_buf_addf (b, "%lu %lu %lu\n", first, first, end - first);
}

/* The text for uid_map: everything of ours is itself, but `id`, which is `own` outside. */
static int
map_make (const lf_sb_ranges *r, unsigned long id, unsigned long own, lf_buf *b)
{
  lf_buf_reset (b);
  for (size_t i = 0; i < r->n; i++)
    {
      unsigned long first = r->v[i].first, end = first + r->v[i].count;
      if (own != id && id >= first && id < end)
        {
          map_range (b, first, id, own);
          map_range (b, id + 1, end, own);
        }
      else
        map_range (b, first, end, own == id ? end : own);
    }
  if (own != id)
    lf_buf_addf (b, "%lu %lu 1\n", id, own);
  return b->failed ? -1 : 0;
}

/* As root every user of ours is mapped to itself: files keep their owners, and all of the sandbox's powers end at its namespace. Only the
 * runtime's user is someone else in each environment: then it is nobody that the host knows, and the kernel can tell one environment's
 * sockets from another's. As anyone else only our own user can be mapped, and it becomes the runtime's. */
int
lf_sb_users (lf_sb_host *h, lf_sb_child *c)
{
  c->uid = h->userns ? (uid_t) geteuid () : LF_INIT_UID;
  c->uid_is_own = false;
  if (!h->switch_user || !h->userns)
    return 0;
  unsigned long own = h->own_users ? OWN_USER_FIRST + (((unsigned long) getpid () << 12) + h->serial) % OWN_USERS : LF_INIT_UID;
  c->uid = (uid_t) own;
  c->uid_is_own = h->own_users;
  return map_make (&h->uids, LF_INIT_UID, own, &h->uid_map) < 0
                 || map_make (&h->gids, LF_INIT_GID, h->own_users ? own : LF_INIT_GID, &h->gid_map) < 0
             ? -1
             : 0;
}

/* Whether our own namespace has the runtime's user and group, so that a process may become them without a user namespace of its own. */
static bool
runtime_user_mapped (const lf_sb_host *h)
{
  return ranges_have (&h->uids, 0, 1) && ranges_have (&h->uids, LF_INIT_UID, 1) && ranges_have (&h->gids, 0, 1)
         && ranges_have (&h->gids, LF_INIT_GID, 1);
}

static void
choose_users (lf_sb_host *h)
{
  ranges_read ("/proc/self/uid_map", &h->uids);
  ranges_read ("/proc/self/gid_map", &h->gids);
  lf_buf_init (&h->uid_map, 4000); /* the kernel takes a page */
  lf_buf_init (&h->gid_map, 4000);
  h->userns = true;
  h->switch_user = geteuid () == 0 && have_capabilities () && runtime_user_mapped (h);
  h->own_users = h->switch_user && ranges_have (&h->uids, OWN_USER_FIRST, OWN_USERS) && ranges_have (&h->gids, OWN_USER_FIRST, OWN_USERS);
  h->deny_setgroups = !h->switch_user;
  if (h->switch_user)
    return;
  lf_buf_addf (&h->uid_map, "%d %u 1\n", LF_INIT_UID, (unsigned) geteuid ());
  lf_buf_addf (&h->gid_map, "%d %u 1\n", LF_INIT_GID, (unsigned) getegid ());
}

/* ---- the trial ------------------------------------------------------------------------------------------- */

static int
trial_answer (lf_sb_host *h, lf_sb_child *c, lf_error *err)
{
  struct pollfd p = { c->ctl, POLLIN, 0 };
  lf_init_note n = { 0 };
  int r;
  while ((r = poll (&p, 1, TRIAL_MS)) < 0 && errno == EINTR)
    ;
  if (r == 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "sandbox", "", "the trial sandbox was not ready within %d s", TRIAL_MS / 1000);
  if (recv (c->ctl, &n, sizeof n, 0) != (ssize_t) sizeof n)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "sandbox", "", "the helper ended before the trial sandbox was ready");
  if (n.type == LF_INIT_NOTE_PREPARED)
    return 0;
  n.text[sizeof n.text - 1] = 0;
  lf_sb_setup_error (h, &n, err);
  return -1;
}

/* Builds the common root for real; the helper that did it serves the first environment. */
static int
trial (lf_sb_host *h, lf_error *err)
{
  if (lf_sb_spawn (h, &h->spare, err) < 0)
    return -1;
  if (trial_answer (h, &h->spare, err) == 0)
    return 0;
  lf_sb_child_abandon (&h->spare);
  return -1;
}

/* With a user namespace if possible, which confines more; root can also do without. */
static int
prove (lf_sb_host *h, lf_error *err)
{
  if (trial (h, err) == 0)
    return 0;
  if (geteuid () != 0 || !have_capabilities ())
    return -1;
  lf_error first = *err;
  if (!runtime_user_mapped (h))
    return LF_FAIL (err, first.exit, "sandbox", first.fix,
                    "%.300s; and without a user namespace of its own the function cannot leave root, because this one has no user %d", first.why,
                    LF_INIT_UID);
  h->userns = h->deny_setgroups = h->own_users = false;
  h->switch_user = true;
  if (trial (h, err) == 0)
    return 0;
  *err = first;
  return -1;
}

/* ---- the host -------------------------------------------------------------------------------------------- */

static void
find_cpus (lf_sb_host *h)
{
  uint64_t mask[LF_INIT_CPU_WORDS] = { 0 };
  if (syscall (SYS_sched_getaffinity, 0, sizeof mask, mask) < 0)
    return;
  for (unsigned c = 0; c < LF_SB_CPUS_MAX; c++)
    if (mask[c / 64] >> (c % 64) & 1)
      h->cpus[h->cpus_n++] = (uint16_t) c;
}

static void
find_enforcement (lf_sb_host *h)
{
  static const lf_limit checked[]
      = { LF_LIM_DURATION, LF_LIM_INIT,          LF_LIM_PACKAGE, LF_LIM_ZIP,         LF_LIM_LAYERS,      LF_LIM_REQUEST,
          LF_LIM_RESPONSE, LF_LIM_ASYNC_REQUEST, LF_LIM_ENV,     LF_LIM_CONCURRENCY, LF_LIM_REQUEST_RATE, LF_LIM_IMAGE };
  lf_cg_caps caps;
  lf_cg_caps_get (h->cg, &caps);
  lf_enforcement *e = &h->enforcement;
  for (size_t i = 0; i < LF_ARRAY_LEN (checked); i++)
    e->by[checked[i]] = LF_ENF_CHECKED;
  e->by[LF_LIM_MEMORY] = caps.memory ? LF_ENF_KERNEL : LF_ENF_SAMPLED;
  e->by[LF_LIM_TMP] = LF_ENF_KERNEL;
  e->by[LF_LIM_FDS] = LF_ENF_KERNEL;
  /* Without a group for it, RLIMIT_NPROC counts per user namespace; without that it counts all sandboxes together. */
  e->by[LF_LIM_PROCESSES] = caps.pids || h->userns ? LF_ENF_KERNEL : LF_ENF_NONE;
  e->cpu = caps.cpu ? LF_ENF_KERNEL : LF_ENF_NONE;
}

static int
open_parts (lf_sb_host *h, const lf_sb_host_options *o, lf_error *err)
{
  const char *found = o->init_path ? o->init_path : lf_libexec_path ("lambdafit-init");
  if (!found)
    return LF_FAIL_NOMEM (err);
  h->init_fd = open (found, O_RDONLY | O_CLOEXEC);
  if (h->init_fd < 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, found, "install lambdafit completely (make install)",
                    "the helper cannot be opened: %s", strerror (errno));
  h->null_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  if (h->null_fd < 0)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, "/dev/null", "", "cannot be opened: %s", strerror (errno));
  h->stack = mmap (NULL, LF_SB_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (h->stack == MAP_FAILED)
    {
      h->stack = NULL;
      return LF_FAIL_NOMEM (err);
    }
  return 0;
}

static int
prepare_files (lf_sb_host *h, const char *dir, lf_error *err)
{
  if (lf_mkdir_p (dir, 0700, err) < 0)
    return -1;
  h->state_dir = realpath (dir, NULL);
  if (!h->state_dir)
    return LF_FAIL (err, LF_EXIT_IO, dir, "", "cannot be used: %s", strerror (errno));
  h->attach = lf_asprintf ("%s/root", h->state_dir);
  char *etc LF_CLEANUP (lf_freep) = lf_asprintf ("%s/etc", h->state_dir);
  if (!h->attach || !etc)
    return LF_FAIL_NOMEM (err);
  if (lf_mkdir_p (h->attach, 0700, err) < 0 || lf_sb_etc_make (etc, err) < 0)
    return -1;
  return make_steps (h, etc) < 0 ? LF_FAIL_NOMEM (err) : 0;
}

lf_sb_host *
lf_sb_host_new (const lf_sb_host_options *o, lf_error *err)
{
  lf_sb_host *h = calloc (1, sizeof *h);
  if (!h)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  h->init_fd = h->null_fd = -1;
  h->spare = LF_SB_NO_CHILD;
  h->no_spare = o->no_spare;
  h->old_mounts = o->old_mounts;
  lf_buf_init (&h->steps, LF_INIT_PREPARE_MAX - 8192);
  h->nice = getpriority (PRIO_PROCESS, 0);
  find_cpus (h);
  choose_users (h);
  h->cg = lf_cg_open (o->cg, NULL, NULL, err);
  if (!h->cg || open_parts (h, o, err) < 0 || prepare_files (h, o->state_dir, err) < 0)
    {
      lf_sb_host_free (h);
      return NULL;
    }
  h->kind = lf_cg_driver_kind (h->cg);
  h->swept = lf_cg_sweep (h->cg);
  if (prove (h, err) < 0)
    {
      lf_sb_host_free (h);
      return NULL;
    }
  find_enforcement (h);
  return h;
}

void
lf_sb_host_free (lf_sb_host *h)
{
  if (!h)
    return;
  if (h->spare.pid > 0)
    lf_sb_child_abandon (&h->spare);
  if (h->cg)
    lf_cg_close (h->cg);
  lf_closep (&h->init_fd);
  lf_closep (&h->null_fd);
  if (h->stack)
    munmap (h->stack, LF_SB_STACK);
  lf_buf_fini (&h->steps);
  lf_buf_fini (&h->uid_map);
  lf_buf_fini (&h->gid_map);
  free (h->state_dir);
  free (h->attach);
  free (h);
}

int
lf_sb_host_swept (const lf_sb_host *h)
{
  return h->swept;
}

const lf_enforcement *
lf_sb_host_enforcement (const lf_sb_host *h)
{
  return &h->enforcement;
}

lf_cg_kind
lf_sb_host_cgroup (const lf_sb_host *h)
{
  return h->kind;
}
