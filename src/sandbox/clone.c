/* SPDX-License-Identifier: Apache-2.0
 *
 * The start of lambdafit-init: a clone that shares the daemon's memory until exec, as vfork does, so its cost does not grow with
 * the daemon. Between clone and exec the child may only make system calls and touch its own stack.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox_impl.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* Capabilities the helper needs to build a root; they must survive exec by a user that is not 0, so they are made ambient. */
static const uint8_t needed[] = { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_KILL,      CAP_SETGID,      CAP_SETUID,
                                  CAP_SETPCAP,      CAP_NET_ADMIN,       CAP_SYS_ADMIN, CAP_SYS_RESOURCE };

typedef struct child
{
  const lf_sb_clone *c;
  int error; /* errno, written by the child */
  const char *step;
} child;

#if defined __SANITIZE_ADDRESS__
#define NO_SANITIZE __attribute__ ((no_sanitize_address))
#elif defined __SANITIZE_THREAD__
#define NO_SANITIZE __attribute__ ((no_sanitize_thread))
/* The thread sanitizer takes a `clone` for a fork, after which it watches nothing any more. This is glibc's other name for it. */
extern int __clone (int (*fn) (void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#else
#define NO_SANITIZE
#endif

NO_SANITIZE static int
keep_capabilities (void)
{
  struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct d[2] = { { 0 }, { 0 } };
  if (syscall (SYS_capget, &h, d) < 0)
    return -1;
  for (size_t i = 0; i < sizeof needed; i++)
    d[0].inheritable |= 1u << needed[i];
  if (syscall (SYS_capset, &h, d) < 0)
    return -1;
  for (size_t i = 0; i < sizeof needed; i++)
    if (prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (unsigned long) needed[i], 0ul, 0ul) < 0)
      return -1;
  return 0;
}

/* Puts the descriptors at 0 to 3. They are first moved out of the way of each other. */
NO_SANITIZE static int
place_descriptors (const lf_sb_clone *c, int *init_fd)
{
  int null = fcntl (c->null_fd, F_DUPFD_CLOEXEC, 10), ctl = fcntl (c->ctl_fd, F_DUPFD_CLOEXEC, 10),
      log = fcntl (c->log_fd, F_DUPFD_CLOEXEC, 10);
  *init_fd = fcntl (c->init_fd, F_DUPFD_CLOEXEC, 10);
  if (null < 0 || ctl < 0 || log < 0 || *init_fd < 0)
    return -1;
  return dup2 (null, 0) < 0 || dup2 (log, 1) < 0 || dup2 (log, 2) < 0 || dup2 (ctl, LF_INIT_CTL_FD) < 0 ? -1 : 0;
}

NO_SANITIZE static int
child_main (void *p)
{
  child *k = p;
  static char *const no_strings[] = { NULL };
  static char name[] = "lambdafit-init";
  char *argv[] = { name, NULL };
  int init_fd = -1;
  k->step = "ask to die with the daemon";
  if (prctl (PR_SET_PDEATHSIG, (unsigned long) SIGKILL, 0ul, 0ul, 0ul) < 0)
    goto failed;
  k->step = "keep capabilities for the helper";
  if (k->c->userns && keep_capabilities () < 0)
    goto failed;
  k->step = "place descriptors";
  if (place_descriptors (k->c, &init_fd) < 0)
    goto failed;
  k->step = "run lambdafit-init";
  syscall (SYS_execveat, init_fd, "", argv, no_strings, AT_EMPTY_PATH);
failed:
  k->error = errno;
  _exit (127);
}

/* clone3 on a stack of our own: the C library has no call for it. Only used to be born inside a v2 group; everything else can do
 * with clone. */
#if defined __x86_64__
#define HAVE_CLONE3 1
NO_SANITIZE static long
clone3_run (struct clone_args *a, int (*fn) (void *), void *arg)
{
  long r;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "mov %[arg], %%rdi\n\t"
                   "call *%[fn]\n\t"
                   "ud2\n"
                   "1:"
                   : "=a"(r)
                   : "0"((long) SYS_clone3), "D"(a), "S"(sizeof *a), [fn] "r"(fn), [arg] "r"(arg)
                   : "rcx", "r11", "memory", "cc");
  return r;
}
#elif defined __aarch64__
#define HAVE_CLONE3 1
NO_SANITIZE static long
clone3_run (struct clone_args *a, int (*fn) (void *), void *arg)
{
  register long x8 __asm__("x8") = SYS_clone3;
  register long x0 __asm__("x0") = (long) a;
  register long x1 __asm__("x1") = (long) sizeof *a;
  register int (*x19) (void *) __asm__("x19") = fn;
  register void *x20 __asm__("x20") = arg;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t"
                   "mov x0, x20\n\t"
                   "blr x19\n\t"
                   "brk #1\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x19), "r"(x20)
                   : "memory", "cc");
  return x0;
}
#else
#define HAVE_CLONE3 0
#endif

static int
do_clone (const lf_sb_clone *c, child *k, pid_t *pid, int *pidfd)
{
  const uint64_t common = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
#if HAVE_CLONE3
  if (c->cgroup_fd >= 0)
    {
      struct clone_args a = { .flags = c->flags | common | CLONE_INTO_CGROUP,
                              .pidfd = (uint64_t) (uintptr_t) pidfd,
                              .exit_signal = SIGCHLD,
                              .stack = (uint64_t) (uintptr_t) c->stack,
                              .stack_size = LF_SB_STACK,
                              .cgroup = (uint64_t) c->cgroup_fd };
      long r = clone3_run (&a, child_main, k);
      if (r < 0)
        return (int) -r;
      *pid = (pid_t) r;
      return 0;
    }
#endif
  /* The C library takes the first 32 bits; pidfd comes back in the place of the parent's tid. */
  *pid = clone (child_main, (char *) c->stack + LF_SB_STACK, (int) (c->flags | common | SIGCHLD), k, pidfd);
  return *pid < 0 ? errno : 0;
}

int
lf_sb_clone_run (const lf_sb_clone *c, pid_t *pid, int *pidfd, const char **step)
{
  child k = { .c = c };
  sigset_t all, old;
  /* A handler of the daemon running in the child would run in the daemon's memory. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  *pidfd = -1;
  int e = do_clone (c, &k, pid, pidfd);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  *step = "make namespaces";
  if (e || !k.error)
    return e;
  *step = k.step;
  siginfo_t si;
  while (waitid ((idtype_t) P_PIDFD, (id_t) *pidfd, &si, WEXITED | __WALL) < 0 && errno == EINTR)
    ;
  close (*pidfd);
  *pidfd = -1;
  return k.error;
}
