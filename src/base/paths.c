/* SPDX-License-Identifier: Apache-2.0
 *
 * Where our own files are (installed data, helpers) and where a user's are (XDG folders). */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lambdafit/base.h"

/* ---- strings that live for the process ------------------------------------------------------------------------------------------ */

#define KEPT_MAX 1024
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static char *kept[KEPT_MAX];
static size_t kept_n;

/* Takes s; gives the one kept copy of that text, or NULL. */
static char *
keep (char *s)
{
  if (!s)
    return NULL;
  pthread_mutex_lock (&kept_lock);
  size_t i = 0;
  while (i < kept_n && strcmp (kept[i], s) != 0)
    i++;
  char *found = i < kept_n ? kept[i] : NULL;
  if (!found && kept_n < KEPT_MAX)
    {
      found = kept[kept_n++] = s;
      s = NULL;
    }
  pthread_mutex_unlock (&kept_lock);
  free (s);
  return found;
}

/* ---- our own files ---------------------------------------------------------------------------------------------------------------- */

static bool
exists (const char *path)
{
  return access (path, F_OK) == 0;
}

static bool
has (const char *dir, const char *name)
{
  LF_CLEANUP (lf_freep) char *p = lf_asprintf ("%s/%s", dir, name);
  return p && exists (p);
}

/* Folder of the running program, without a slash at its end; caller frees. */
static char *
program_dir (void)
{
  char path[PATH_MAX];
  ssize_t n = readlink ("/proc/self/exe", path, sizeof path - 1);
  if (n <= 0)
    return NULL;
  path[n] = '\0';
  char *slash = strrchr (path, '/');
  if (!slash || slash == path)
    return NULL;
  *slash = '\0';
  return lf_strdup (path);
}

/* dir/name, or dir itself. */
static char *
join (const char *dir, const char *name)
{
  return name ? lf_asprintf ("%s/%s", dir, name) : lf_strdup (dir);
}

/* In a source tree data lies as it is written: profiles/ at the top, runtimes/ under src/. */
static char *
in_source (const char *top, const char *name)
{
  char *p = join (top, name);
  if (!name || !p || exists (p))
    return p;
  LF_CLEANUP (lf_freep) char *src = lf_asprintf ("%s/src/%s", top, name);
  if (!src || !exists (src))
    return p;
  free (p);
  return lf_strdup (src);
}

/* The top of the source when the program runs from a build tree in it (or in a folder of it), else NULL; caller frees. */
static char *
source_top (const char *dir)
{
  static const char *const up[] = { "", "/.." };
  for (size_t i = 0; i < LF_ARRAY_LEN (up); i++)
    {
      LF_CLEANUP (lf_freep) char *top = lf_asprintf ("%s%s", dir, up[i]);
      if (top && has (top, "profiles") && has (top, "configure.ac"))
        return lf_strdup (top);
    }
  return NULL;
}

const char *
lf_data_path (const char *name)
{
  const char *env = getenv ("LAMBDAFIT_DATADIR");
  if (env && *env)
    return keep (in_source (env, name));
  LF_CLEANUP (lf_freep) char *dir = program_dir ();
  if (dir)
    {
      LF_CLEANUP (lf_freep) char *top = source_top (dir);
      if (top)
        return keep (in_source (top, name));
      LF_CLEANUP (lf_freep) char *share = lf_asprintf ("%s/../share/lambdafit", dir);
      if (share && exists (share))
        return keep (join (share, name));
    }
  return keep (join (LF_PKGDATADIR, name));
}

const char *
lf_libexec_path (const char *name)
{
  const char *env = getenv ("LAMBDAFIT_LIBEXECDIR");
  if (env && *env)
    return keep (join (env, name));
  LF_CLEANUP (lf_freep) char *dir = program_dir ();
  if (dir)
    {
      LF_CLEANUP (lf_freep) char *top = source_top (dir);
      if (top)
        return keep (join (dir, name));
      LF_CLEANUP (lf_freep) char *libexec = lf_asprintf ("%s/../libexec/lambdafit", dir);
      if (libexec && exists (libexec))
        return keep (join (libexec, name));
    }
  return keep (join (LF_PKGLIBEXECDIR, name));
}

/* ---- the user's folders ------------------------------------------------------------------------------------------------------------- */

static char *
home_dir (void)
{
  const char *home = getenv ("HOME");
  if (home && home[0] == '/')
    return lf_strdup (home);
  const struct passwd *pw = getpwuid (getuid ());
  return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? lf_strdup (pw->pw_dir) : NULL;
}

/* Made if missing, for us alone; NULL when it cannot be. Takes dir. */
static char *
made (char *dir)
{
  lf_error err;
  if (dir && lf_mkdir_p (dir, 0700, &err) == 0)
    return dir;
  free (dir);
  return NULL;
}

static char *
xdg_dir (const char *variable, const char *fallback)
{
  const char *base = getenv (variable);
  if (base && base[0] == '/') /* the specification says to ignore relative ones */
    return made (lf_asprintf ("%s/lambdafit", base));
  LF_CLEANUP (lf_freep) char *home = home_dir ();
  return home ? made (lf_asprintf ("%s/%s/lambdafit", home, fallback)) : NULL;
}

char *
lf_state_dir (void)
{
  return xdg_dir ("XDG_STATE_HOME", ".local/state");
}

char *
lf_cache_dir (void)
{
  return xdg_dir ("XDG_CACHE_HOME", ".cache");
}

char *
lf_runtime_dir (void)
{
  const char *base = getenv ("XDG_RUNTIME_DIR");
  if (base && base[0] == '/')
    {
      char *dir = made (lf_asprintf ("%s/lambdafit", base));
      if (dir)
        return dir;
    }
  char *dir = lf_asprintf ("/tmp/lambdafit-%u", (unsigned) getuid ());
  struct stat st;
  /* Anyone may make that name first: it must be ours, closed to others, and no link. */
  if (dir && (mkdir (dir, 0700) == 0 || errno == EEXIST) && lstat (dir, &st) == 0 && S_ISDIR (st.st_mode) && st.st_uid == getuid ()
      && (st.st_mode & 077) == 0)
    return dir;
  free (dir);
  return NULL;
}
