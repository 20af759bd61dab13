/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs of the host that a build needs (Python for byte code, pip): started directly, no shell, their output on our standard error.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"

extern char **environ;

/* The caller's environment without what would change how Python behaves, and with a fixed seed so that the same sources compile to the same bytes. */
static int
environment (lf_strv *env)
{
  for (char **e = environ; e && *e; e++)
    if (!lf_starts (*e, "PYTHON") || lf_starts (*e, "PYTHONHOME="))
      if (lf_strv_add (env, *e) != 0)
        return -1;
  return lf_strv_add (env, "PYTHONHASHSEED=0") != 0 || lf_strv_add (env, "PYTHONNOUSERSITE=1") != 0 ? -1 : 0;
}

int
lf_pkg_run (const lf_strv *argv, int *status, lf_error *err)
{
  lf_strv env = { 0 };
  posix_spawn_file_actions_t fa;
  if (environment (&env) != 0 || posix_spawn_file_actions_init (&fa) != 0)
    {
      lf_strv_fini (&env);
      return LF_FAIL_NOMEM (err);
    }
  pid_t pid;
  int e = posix_spawn_file_actions_addopen (&fa, 0, "/dev/null", O_RDONLY, 0);
  e = e ? e : posix_spawn_file_actions_adddup2 (&fa, 2, 1);
  e = e ? e : posix_spawnp (&pid, argv->v[0], &fa, NULL, argv->v, env.v);
  posix_spawn_file_actions_destroy (&fa);
  lf_strv_fini (&env);
  if (e)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, argv->v[0], "install it, or give another with --interpreter", "cannot be started: %s", strerror (e));
  int s;
  while (waitpid (pid, &s, 0) < 0)
    if (errno != EINTR)
      return LF_FAIL (err, LF_EXIT_IO, argv->v[0], "", "cannot be waited for: %s", strerror (errno));
  *status = WIFEXITED (s) ? WEXITSTATUS (s) : 128 + WTERMSIG (s);
  return 0;
}
