/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the interpreter of a managed runtime on this machine. Versions are read from file and folder names where they tell it; a
 * binary is asked only when its name does not, and once more when it was chosen. Nothing but real binaries counts: the shims of version
 * managers are scripts that decide by the current folder, which inside a sandbox is another one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lambdafit/sandbox.h"

#define CANDIDATES_MAX 256
#define ASK_DEADLINE_MS 10000

typedef struct candidate
{
  char *path; /* resolved */
  int major, minor, patch; /* patch -1: not known from names */
} candidate;

typedef struct search
{
  lf_runtime_kind kind;
  candidate c[CANDIDATES_MAX];
  size_t n;
} search;

static void
search_fini (search *s)
{
  for (size_t i = 0; i < s->n; i++)
    free (s->c[i].path);
  s->n = 0;
}

void
lf_interpreter_fini (lf_interpreter *i)
{
  if (!i)
    return;
  free (i->path);
  free (i->version);
  free (i->prefix);
  free (i->client_argv0);
  *i = (lf_interpreter){ 0 };
}

/* ---- versions ------------------------------------------------------------------------------------------------------------------ */

/* Reads "3.11.2" or "20" at s; parts that are missing are -1. Returns how many were read. */
static int
read_version (const char *s, int v[3])
{
  int n = 0;
  v[0] = v[1] = v[2] = -1;
  while (n < 3 && *s >= '0' && *s <= '9')
    {
      int64_t part = 0;
      for (; *s >= '0' && *s <= '9' && part < 100000; s++)
        part = part * 10 + (*s - '0');
      v[n++] = (int) part;
      if (*s != '.')
        break;
      s++;
    }
  return n;
}

/* python3.11 -> 3.11. The whole name must be that: not python3.11-config. */
static bool
version_of_python_name (const char *name, int v[3])
{
  if (!lf_starts (name, "python") || read_version (name + 6, v) != 2)
    return false;
  char whole[32];
  snprintf (whole, sizeof whole, "python%d.%d", v[0], v[1]);
  return strcmp (name, whole) == 0;
}

/* The first part of a path that looks like a version of this language: ".../versions/node/v20.11.1/bin/node", ".../cpython-3.12.1-linux...". */
static bool
version_of_folders (const char *path, int v[3])
{
  for (const char *p = strrchr (path, '/'); p && p > path;)
    {
      const char *part = p;
      while (part > path && part[-1] != '/')
        part--;
      const char *d = part;
      while (d < p && (*d < '0' || *d > '9'))
        d++;
      if (d < p && read_version (d, v) == 3)
        return true;
      p = part > path ? part - 1 : NULL;
    }
  return false;
}

/* Runs PATH with ARG and reads at most n bytes of what it prints. -1 when that fails or takes too long. */
static int
ask (const char *path, const char *arg, char *out, size_t n)
{
  int p[2];
  if (pipe2 (p, O_CLOEXEC) < 0)
    return -1;
  posix_spawn_file_actions_t fa;
  posix_spawn_file_actions_init (&fa);
  posix_spawn_file_actions_addopen (&fa, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2 (&fa, p[1], 1);
  posix_spawn_file_actions_adddup2 (&fa, p[1], 2);
  char *argv[] = { (char *) path, (char *) arg, NULL };
  static char *const env[] = { (char *) "PATH=/usr/bin:/bin", (char *) "LC_ALL=C", NULL };
  pid_t pid;
  int rc = posix_spawn (&pid, path, &fa, NULL, argv, env);
  posix_spawn_file_actions_destroy (&fa);
  close (p[1]);
  size_t len = 0;
  lf_time_us end = lf_now_us () + ASK_DEADLINE_MS * 1000;
  bool done = false;
  while (rc == 0 && !done && len + 1 < n)
    {
      int64_t left = (end - lf_now_us ()) / 1000;
      struct pollfd pf = { .fd = p[0], .events = POLLIN };
      if (left <= 0 || (poll (&pf, 1, (int) left) < 0 && errno != EINTR))
        break;
      ssize_t k = pf.revents ? read (p[0], out + len, n - 1 - len) : 0;
      if (k > 0)
        len += (size_t) k;
      done = pf.revents && k <= 0;
    }
  close (p[0]);
  out[len] = '\0';
  if (rc != 0)
    return -1;
  int status = 0;
  if (!done)
    kill (pid, SIGKILL); /* no answer in time, or far more of it than a version */
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
    continue;
  return done && WIFEXITED (status) && WEXITSTATUS (status) == 0 ? 0 : -1;
}

/* "Python 3.11.2" or "v20.11.1". Takes the text of the version into *text when it is not NULL. */
static bool
version_by_asking (const char *path, lf_runtime_kind kind, int v[3], char text[64])
{
  char out[128];
  if (ask (path, kind == LF_RT_PYTHON ? "-V" : "--version", out, sizeof out) < 0)
    return false;
  const char *prefix = kind == LF_RT_PYTHON ? "Python " : "v";
  if (!lf_starts (out, prefix) || read_version (out + strlen (prefix), v) < 2)
    return false;
  const char *version = out + strlen (prefix);
  snprintf (text, 64, "%.*s", (int) strcspn (version, " \r\n"), version);
  return true;
}

/* ---- candidates ------------------------------------------------------------------------------------------------------------------ */

static bool
is_elf (const char *path)
{
  LF_CLEANUP (lf_closep) int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  char magic[4];
  return fd >= 0 && read (fd, magic, sizeof magic) == (ssize_t) sizeof magic && memcmp (magic, "\177ELF", 4) == 0;
}

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash ? slash + 1 : path;
}

/* A launcher such as /usr/bin/snap or busybox answers to many names: the resolved one must still be this language's. */
static bool
named_like (lf_runtime_kind kind, const char *path)
{
  const char *name = base_name (path);
  return kind == LF_RT_PYTHON ? lf_starts (name, "python") : lf_streq (name, "node") || lf_streq (name, "nodejs");
}

/* Adds PATH when it is a real interpreter that is not there yet. Takes nothing. */
static void
consider (search *s, const char *path)
{
  char real[PATH_MAX];
  if (s->n == CANDIDATES_MAX || !realpath (path, real) || access (real, X_OK) < 0 || !named_like (s->kind, real) || !is_elf (real))
    return;
  for (size_t i = 0; i < s->n; i++)
    if (strcmp (s->c[i].path, real) == 0)
      return;
  int v[3], folder[3];
  char text[64];
  bool from_folder = version_of_folders (real, folder);
  if (s->kind == LF_RT_PYTHON && version_of_python_name (base_name (real), v))
    {
      if (from_folder && folder[0] == v[0] && folder[1] == v[1])
        v[2] = folder[2];
    }
  else if (from_folder && s->kind == LF_RT_NODEJS)
    memcpy (v, folder, sizeof v);
  else if (!version_by_asking (real, s->kind, v, text))
    return;
  char *copy = lf_strdup (real);
  if (copy)
    s->c[s->n++] = (candidate){ copy, v[0], v[1], v[2] };
}

static void
consider_in (search *s, const char *dir, const char *name)
{
  char path[PATH_MAX];
  if (snprintf (path, sizeof path, "%s/%s", dir, name) < (int) sizeof path)
    consider (s, path);
}

/* Every python3.N in a folder, then the names without a version. */
static void
consider_bin (search *s, const char *dir)
{
  if (s->kind == LF_RT_NODEJS)
    {
      consider_in (s, dir, "node");
      consider_in (s, dir, "nodejs");
      return;
    }
  DIR *d = opendir (dir);
  if (!d)
    return;
  int v[3];
  for (struct dirent *e; (e = readdir (d)) != NULL;)
    if (version_of_python_name (e->d_name, v) && v[0] == 3)
      consider_in (s, dir, e->d_name);
  closedir (d);
  consider_in (s, dir, "python3");
  consider_in (s, dir, "python");
}

/* ROOT/ * /REST for every folder of ROOT; also ROOT/REST itself with `itself`. */
static void
consider_versions (search *s, const char *root, const char *rest, bool itself)
{
  char path[PATH_MAX];
  if (itself && snprintf (path, sizeof path, "%s/%s", root, rest) < (int) sizeof path)
    consider_bin (s, path);
  DIR *d = opendir (root);
  if (!d)
    return;
  for (struct dirent *e; (e = readdir (d)) != NULL;)
    if (e->d_name[0] != '.' && snprintf (path, sizeof path, "%s/%s/%s", root, e->d_name, rest) < (int) sizeof path)
      consider_bin (s, path);
  closedir (d);
}

/* ---- where version managers keep theirs ------------------------------------------------------------------------------------------- */

typedef struct place
{
  const char *variable;  /* environment variable with the manager's root, or NULL */
  const char *fallback;  /* root when it is not set; ~ is the home */
  const char *versions;  /* below the root */
  const char *bin;       /* below one version */
  bool itself;           /* the root is a version too */
} place;

static const place python_places[] = {
  { "PYENV_ROOT", "~/.pyenv", "versions", "bin", false },
  { "UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "", "bin", false },
  { "XDG_DATA_HOME", "~/.local/share", "uv/python", "bin", false },
  { "CONDA_PREFIX", NULL, "envs", "bin", true },
  { NULL, "~/miniconda3", "envs", "bin", true },
  { NULL, "~/anaconda3", "envs", "bin", true },
  { NULL, "~/miniforge3", "envs", "bin", true },
  { NULL, "~/mambaforge", "envs", "bin", true },
  { NULL, "/opt/conda", "envs", "bin", true },
  { NULL, "~/.conda", "envs", "bin", false },
  { "ASDF_DATA_DIR", "~/.asdf", "installs/python", "bin", false },
  { "MISE_DATA_DIR", "~/.local/share/mise", "installs/python", "bin", false },
};

static const place node_places[] = {
  { "NVM_DIR", "~/.nvm", "versions/node", "bin", false },
  { "FNM_DIR", "~/.local/share/fnm", "node-versions", "installation/bin", false },
  { NULL, "~/.fnm", "node-versions", "installation/bin", false },
  { "ASDF_DATA_DIR", "~/.asdf", "installs/nodejs", "bin", false },
  { "MISE_DATA_DIR", "~/.local/share/mise", "installs/node", "bin", false },
  { "CONDA_PREFIX", NULL, "envs", "bin", true },
};

static const char *
home (void)
{
  const char *h = getenv ("HOME");
  if (h && h[0] == '/')
    return h;
  const struct passwd *pw = getpwuid (getuid ());
  return pw ? pw->pw_dir : NULL;
}

static void
consider_place (search *s, const place *p)
{
  const char *value = p->variable ? getenv (p->variable) : NULL, *h = home ();
  char root[PATH_MAX], versions[PATH_MAX];
  int n = -1;
  if (value && value[0] == '/')
    n = snprintf (root, sizeof root, "%s", value);
  else if (p->fallback && p->fallback[0] == '~' && h)
    n = snprintf (root, sizeof root, "%s%s", h, p->fallback + 1);
  else if (p->fallback && p->fallback[0] == '/')
    n = snprintf (root, sizeof root, "%s", p->fallback);
  if (n < 0 || n >= (int) sizeof root)
    return;
  if (p->itself)
    {
      char bin[PATH_MAX];
      if (snprintf (bin, sizeof bin, "%s/%s", root, p->bin) < (int) sizeof bin)
        consider_bin (s, bin);
    }
  if (snprintf (versions, sizeof versions, "%s%s%s", root, *p->versions ? "/" : "", p->versions) < (int) sizeof versions)
    consider_versions (s, versions, p->bin, false);
}

static void
consider_path (search *s)
{
  const char *path = getenv ("PATH");
  LF_CLEANUP (lf_freep) char *copy = lf_strdup (path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
  char *save = NULL;
  for (char *dir = copy ? strtok_r (copy, ":", &save) : NULL; dir; dir = strtok_r (NULL, ":", &save))
    if (dir[0] == '/')
      consider_bin (s, dir);
}

/* ---- the choice -------------------------------------------------------------------------------------------------------------------- */

/* How far a candidate is from what is asked for: 0 is exact. Python counts minors, Node majors; another major of Python is far off. */
static int
distance (const lf_runtime_info *rt, const candidate *c)
{
  if (rt->kind == LF_RT_NODEJS)
    return abs (c->major - rt->major);
  return abs (c->major - rt->major) * 1000 + abs (c->minor - rt->minor);
}

/* Newer of two at the same distance; on equal versions the one found first stays, so PATH wins over folders. */
static bool
better (const lf_runtime_info *rt, const candidate *a, const candidate *b)
{
  int da = distance (rt, a), db = distance (rt, b);
  if (da != db)
    return da < db;
  if (da == 0)
    return false; /* exact: order of search decides */
  if (a->major != b->major)
    return a->major > b->major;
  return a->minor > b->minor;
}

/* The folder that must be visible for an interpreter to work, NULL when the system's folders are enough. */
static char *
prefix_of (const char *path)
{
  static const char *const shared[] = { "/nix/store/", "/home/linuxbrew/.linuxbrew/" }; /* their programs need each other's folders */
  static const char *const system[] = { "/usr/", "/bin/", "/sbin/", "/lib" };
  for (size_t i = 0; i < LF_ARRAY_LEN (system); i++)
    if (lf_starts (path, system[i]))
      return NULL;
  for (size_t i = 0; i < LF_ARRAY_LEN (shared); i++)
    if (lf_starts (path, shared[i]))
      return lf_strndup (path, strlen (shared[i]) - 1);
  const char *slash = strrchr (path, '/');
  size_t n = (size_t) (slash - path);
  if (n >= 4 && memcmp (slash - 4, "/bin", 4) == 0)
    n -= 4;
  return n > 0 ? lf_strndup (path, n) : lf_strdup ("/");
}

static int
fill (lf_interpreter *out, const lf_runtime_info *rt, const char *path, const int v[3], const char *version, lf_error *err)
{
  const candidate c = { NULL, v[0], v[1], v[2] };
  out->path = lf_strdup (path);
  out->version = lf_strdup (version);
  out->prefix = prefix_of (path);
  out->exact = distance (rt, &c) == 0;
  if (out->path && out->version)
    return 0;
  lf_interpreter_fini (out);
  return LF_FAIL_NOMEM (err);
}

/* A name without a slash is looked up in PATH, as a shell would. */
static char *
resolve_by_hand (const char *name)
{
  if (strchr (name, '/'))
    return realpath (name, NULL);
  const char *path = getenv ("PATH");
  LF_CLEANUP (lf_freep) char *copy = lf_strdup (path ? path : "/usr/local/bin:/usr/bin:/bin");
  char *save = NULL;
  for (char *dir = copy ? strtok_r (copy, ":", &save) : NULL; dir; dir = strtok_r (NULL, ":", &save))
    {
      LF_CLEANUP (lf_freep) char *full = lf_asprintf ("%s/%s", dir, name);
      char *real = full && access (full, X_OK) == 0 ? realpath (full, NULL) : NULL;
      if (real && is_elf (real))
        return real;
      free (real);
    }
  errno = ENOENT;
  return NULL;
}

static int
by_hand_or_fail (const lf_runtime_info *rt, const char *name, lf_interpreter *out, lf_error *err)
{
  const char *language = rt->kind == LF_RT_PYTHON ? "Python" : "Node.js";
  LF_CLEANUP (lf_freep) char *real = resolve_by_hand (name);
  if (!real)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, name, "give the path of an interpreter's binary with --interpreter",
                    "the interpreter cannot be used: %s", strerror (errno));
  if (!is_elf (real))
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, name, "give the path of the binary it starts, for example ~/.pyenv/versions/3.12.1/bin/python3.12",
                    "is a script and not an interpreter's binary");
  int v[3];
  char text[64];
  if (access (real, X_OK) < 0 || !version_by_asking (real, rt->kind, v, text))
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, name, "check the path, or choose another --runtime", "is no %s interpreter that runs here", language);
  return fill (out, rt, real, v, text, err);
}

int
lf_interpreter_find (const lf_runtime_info *rt, const char *by_hand, lf_interpreter *out, lf_error *err)
{
  *out = (lf_interpreter){ 0 };
  if (rt->kind != LF_RT_PYTHON && rt->kind != LF_RT_NODEJS)
    return LF_FAIL (err, LF_EXIT_USAGE, rt->id, "", "this runtime has no interpreter");
  if (by_hand)
    return by_hand_or_fail (rt, by_hand, out, err);

  LF_CLEANUP (search_fini) search s = { .kind = rt->kind };
  consider_path (&s);
  const place *places = rt->kind == LF_RT_PYTHON ? python_places : node_places;
  size_t n = rt->kind == LF_RT_PYTHON ? LF_ARRAY_LEN (python_places) : LF_ARRAY_LEN (node_places);
  for (size_t i = 0; i < n; i++)
    consider_place (&s, &places[i]);

  for (;;)
    {
      candidate *best = NULL;
      for (size_t i = 0; i < s.n; i++)
        if (s.c[i].path[0] && (!best || better (rt, &s.c[i], best)))
          best = &s.c[i];
      if (!best)
        break;
      int v[3];
      char text[64];
      if (version_by_asking (best->path, rt->kind, v, text))
        return fill (out, rt, best->path, v, text, err);
      best->path[0] = '\0'; /* broken: libraries missing, another machine's binary. The next one may do. */
    }
  const char *package = rt->kind == LF_RT_PYTHON ? "python3" : "nodejs";
  char fix[200];
  snprintf (fix, sizeof fix, "install one (Debian and Ubuntu: apt-get install %s), or give its path with --interpreter", package);
  return LF_FAIL (err, LF_EXIT_UNSUPPORTED, rt->id, fix, "no %s interpreter was found in PATH or in the folders of version managers",
                  rt->kind == LF_RT_PYTHON ? "Python" : "Node.js");
}
