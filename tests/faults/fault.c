/* SPDX-License-Identifier: Apache-2.0
 *
 * Loaded into lambdafit by LD_PRELOAD: calls that fail when a test says so. The test and the process share a small file, LF_FAULT, whose
 * first bytes are `control`; what is armed there counts calls of its kinds and fails, or kills, at the chosen one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum
{
  ALLOC = 1,
  OPEN = 2,   /* what makes a descriptor */
  WRITE = 4,  /* to files: pwrite, ftruncate, fallocate */
  SYNC = 8,
  CLONE = 16,
  ANY = 32,   /* all of these, and reading, sending and waiting */
  CLOCK = 64  /* the wall clock is off by `offset_us` */
};

typedef struct control
{
  volatile uint32_t kinds, at, every, error, kill;
  volatile uint32_t seen, fired; /* written here */
  uint32_t unused;
  volatile int64_t offset_us;
} control;

static control *ctl;

/* A test that finds a crash wants to know where. */
static void
on_crash (int n)
{
  void *at[40];
  ctl = NULL;
  backtrace_symbols_fd (at, backtrace (at, 40), 2);
  signal (n, SIG_DFL);
  raise (n);
}

static void __attribute__ ((constructor))
begin (void)
{
  const char *path = getenv ("LF_FAULT");
  int fd = path ? (int) syscall (SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  void *p = mmap (NULL, sizeof *ctl, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);
  void *at[1];
  backtrace (at, 1); /* loads what it needs now */
  signal (SIGABRT, on_crash);
  signal (SIGSEGV, on_crash);
  if (p != MAP_FAILED)
    ctl = p;
}

/* Whether this call is to fail; errno is then set. */
static int
fails (uint32_t kind)
{
  if (!ctl || !(ctl->kinds & (kind | ANY)))
    return 0;
  uint32_t n = __atomic_add_fetch (&ctl->seen, 1, __ATOMIC_RELAXED), at = ctl->at;
  if (n < at || (n > at && (!ctl->every || (n - at) % ctl->every)))
    return 0;
  __atomic_add_fetch (&ctl->fired, 1, __ATOMIC_RELAXED);
  if (ctl->kill)
    syscall (SYS_kill, getpid (), SIGKILL);
  errno = (int) ctl->error;
  return ctl->error != 0;
}

#define REAL(type, name) (__extension__ (type) dlsym (RTLD_NEXT, name))

/* ---- memory ------------------------------------------------------------------------------------------------------------------------- */

extern void *__libc_malloc (size_t n);
extern void *__libc_calloc (size_t n, size_t size);
extern void *__libc_realloc (void *p, size_t n);

void *
malloc (size_t n)
{
  return fails (ALLOC) ? NULL : __libc_malloc (n);
}

void *
calloc (size_t n, size_t size)
{
  return fails (ALLOC) ? NULL : __libc_calloc (n, size);
}

void *
realloc (void *p, size_t n)
{
  return fails (ALLOC) ? NULL : __libc_realloc (p, n);
}

/* ---- descriptors ---------------------------------------------------------------------------------------------------------------------- */

int
open (const char *path, int flags, ...)
{
  va_list ap;
  va_start (ap, flags);
  int mode = va_arg (ap, int);
  va_end (ap);
  return fails (OPEN) ? -1 : (int) syscall (SYS_openat, AT_FDCWD, path, flags, mode);
}

int
open64 (const char *path, int flags, ...)
{
  va_list ap;
  va_start (ap, flags);
  int mode = va_arg (ap, int);
  va_end (ap);
  return fails (OPEN) ? -1 : (int) syscall (SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int
openat (int dir, const char *path, int flags, ...)
{
  va_list ap;
  va_start (ap, flags);
  int mode = va_arg (ap, int);
  va_end (ap);
  return fails (OPEN) ? -1 : (int) syscall (SYS_openat, dir, path, flags, mode);
}

int
accept4 (int fd, struct sockaddr *a, socklen_t *n, int flags)
{
  return fails (OPEN) ? -1 : (int) syscall (SYS_accept4, fd, a, n, flags);
}

int
socket (int domain, int type, int protocol)
{
  return fails (OPEN) ? -1 : (int) syscall (SYS_socket, domain, type, protocol);
}

int
socketpair (int domain, int type, int protocol, int fds[2])
{
  return fails (OPEN) ? -1 : (int) syscall (SYS_socketpair, domain, type, protocol, fds);
}

int
pipe2 (int fds[2], int flags)
{
  return fails (OPEN) ? -1 : (int) syscall (SYS_pipe2, fds, flags);
}

int
epoll_create1 (int flags)
{
  return fails (OPEN) ? -1 : (int) syscall (SYS_epoll_create1, flags);
}

/* ---- files ---------------------------------------------------------------------------------------------------------------------------- */

ssize_t
pwrite64 (int fd, const void *p, size_t n, off64_t at)
{
  return fails (WRITE) ? -1 : syscall (SYS_pwrite64, fd, p, n, at);
}

ssize_t
pwrite (int fd, const void *p, size_t n, off_t at)
{
  return fails (WRITE) ? -1 : syscall (SYS_pwrite64, fd, p, n, at);
}

int
ftruncate64 (int fd, off64_t n)
{
  return fails (WRITE) ? -1 : (int) syscall (SYS_ftruncate, fd, n);
}

int
fsync (int fd)
{
  return fails (SYNC) ? -1 : (int) syscall (SYS_fsync, fd);
}

int
fdatasync (int fd)
{
  return fails (SYNC) ? -1 : (int) syscall (SYS_fdatasync, fd);
}

/* ---- processes -------------------------------------------------------------------------------------------------------------------------- */

int
clone (int (*fn) (void *), void *stack, int flags, void *arg, ...)
{
  typedef int (*real) (int (*) (void *), void *, int, void *, ...);
  va_list ap;
  va_start (ap, arg);
  void *a = va_arg (ap, void *), *b = va_arg (ap, void *), *c = va_arg (ap, void *);
  va_end (ap);
  return fails (CLONE) ? -1 : REAL (real, "clone") (fn, stack, flags, arg, a, b, c);
}

/* ---- the rest, as places to be killed at -------------------------------------------------------------------------------------------------- */

static void
passes (void)
{
  if (ctl && ctl->kinds & ANY)
    {
      int e = errno;
      fails (ANY);
      errno = e;
    }
}

ssize_t
read (int fd, void *p, size_t n)
{
  passes ();
  return syscall (SYS_read, fd, p, n);
}

/* What a fortified program calls where the size of its buffer is known. */
ssize_t __read_chk (int fd, void *p, size_t n, size_t room);

ssize_t
__read_chk (int fd, void *p, size_t n, size_t room)
{
  if (n > room)
    abort ();
  return read (fd, p, n);
}

ssize_t
write (int fd, const void *p, size_t n)
{
  passes ();
  return syscall (SYS_write, fd, p, n);
}

ssize_t
sendmsg (int fd, const struct msghdr *m, int flags)
{
  passes ();
  return syscall (SYS_sendmsg, fd, m, flags);
}

ssize_t
recvmsg (int fd, struct msghdr *m, int flags)
{
  passes ();
  return syscall (SYS_recvmsg, fd, m, flags);
}

int
epoll_pwait (int fd, struct epoll_event *e, int max, int ms, const sigset_t *mask)
{
  typedef int (*real) (int, struct epoll_event *, int, int, const sigset_t *);
  passes ();
  return REAL (real, "epoll_pwait") (fd, e, max, ms, mask);
}

int
epoll_ctl (int fd, int op, int of, struct epoll_event *e)
{
  passes ();
  return (int) syscall (SYS_epoll_ctl, fd, op, of, e);
}

/* ---- the clock ---------------------------------------------------------------------------------------------------------------------------- */

int
clock_gettime (clockid_t id, struct timespec *t)
{
  int r = (int) syscall (SYS_clock_gettime, id, t);
  if (r == 0 && id == CLOCK_REALTIME && ctl && ctl->kinds & CLOCK)
    t->tv_sec += ctl->offset_us / 1000000;
  return r;
}
