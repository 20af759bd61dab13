/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the runtime. The child shares the supervisor's memory until exec (vfork), so a failed exec is told by a variable and the
 * supervisor knows, when vfork returns, which of the two happened.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "init.h"

/* Hard limits cannot be raised by everyone: then what is allowed is taken. */
static void
limit (int what, rlim_t soft, rlim_t hard)
{
  struct rlimit r = { soft, hard };
  if (setrlimit ((__rlimit_resource_t) what, &r) == 0)
    return;
  struct rlimit now;
  if (getrlimit ((__rlimit_resource_t) what, &now) < 0)
    return;
  r.rlim_max = hard > now.rlim_max ? now.rlim_max : hard;
  r.rlim_cur = soft > r.rlim_max ? r.rlim_max : soft;
  setrlimit ((__rlimit_resource_t) what, &r);
}

static int
become_runtime (job *j)
{
  step_set (j, "become", "the function's user");
  setsid ();
  setpriority (PRIO_PROCESS, 0, j->p.nice);
  limit (RLIMIT_NOFILE, (rlim_t) j->c.nofile, (rlim_t) j->c.nofile);
  limit (RLIMIT_CORE, 10737418240u, 10737418240u);
  limit (RLIMIT_STACK, 8388608, RLIM_INFINITY);
  limit (RLIMIT_MEMLOCK, 65536, 65536);
  /* These are counted for whoever made the namespace as well, up to the same limits: one function must not use up its share, and the others'. */
  limit (RLIMIT_SIGPENDING, 1024, 1024);
  limit (RLIMIT_MSGQUEUE, 204800, 204800);
  if (j->c.nproc >= 0)
    limit (RLIMIT_NPROC, (rlim_t) j->c.nproc, (rlim_t) j->c.nproc);
  /* Raw calls: the C library's would look for threads to tell. */
  if (j->flags & LF_INIT_SWITCH_USER)
    if (syscall (SYS_setgroups, 0, NULL) < 0 || syscall (SYS_setresgid, LF_INIT_GID, LF_INIT_GID, LF_INIT_GID) < 0
        || syscall (SYS_setresuid, LF_INIT_UID, LF_INIT_UID, LF_INIT_UID) < 0)
      return -1;
  struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct d[2] = { { 0 }, { 0 } };
  if (syscall (SYS_capset, &h, d) < 0)
    return -1;
  sigset_t none;
  sigemptyset (&none);
  return sigprocmask (SIG_SETMASK, &none, NULL);
}

int
runtime_start (job *j, pid_t *pid)
{
  volatile int failed = 0;
  j->exec_us = 0;
  step_set (j, "start", "a process for the function");
  pid_t p = vfork ();
  if (p < 0)
    return errno;
  if (p == 0)
    {
      struct timespec t;
      if (become_runtime (j) == 0 && clock_gettime (CLOCK_MONOTONIC, &t) == 0)
        {
          j->exec_us = (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
          if (chdir ("/var/task") == 0)
            execve (j->argv[0], j->argv, j->envp);
        }
      failed = errno;
      _exit (127);
    }
  *pid = p;
  return failed;
}
