/* SPDX-License-Identifier: Apache-2.0
 *
 * The filter of system calls that everything in a sandbox lives under, and the Landlock scope. They are a second wall: what they refuse, the
 * missing capabilities and namespaces refuse as well. Calls that are always allowed cost nothing measurable: since Linux 5.11 the kernel
 * keeps a bitmap of them. Where a kernel has neither, the sandbox does without.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "filter.h"
#include "init.h"

#define NEW_NAMESPACES 0x7e020000u /* CLONE_NEW*, without the one of time, which shares its bit with clone's signal */
#define NEW_TIME 0x80u
#define PROGRAM_MAX 512

#define DENY(nr) nr,
static const filter_numbers native = {
  .denied = {
#include "denied.def"
  },
  .clone = __NR_clone,
  .clone3 = 435,
  .unshare = __NR_unshare,
  .socket = __NR_socket,
  .socketpair = __NR_socketpair,
};

#if defined __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined __aarch64__
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE

/* Unix, IPv4, IPv6, netlink, and packet sockets, which the kernel refuses with the error that programs know. */
static const uint16_t families[] = { 1, 2, 10, 16, 17 };

typedef struct program
{
  struct sock_filter code[PROGRAM_MAX];
  unsigned n;
} program;

static program prog;

static void
add (uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
  if (prog.n < PROGRAM_MAX)
    prog.code[prog.n] = (struct sock_filter){ code, yes, no, k };
  prog.n++; /* past the end: found by the caller */
}

static void
answer (uint32_t what)
{
  add (BPF_RET | BPF_K, 0, 0, what);
}

/* If the number is `nr`: what follows, of `skip` instructions. */
static void
unless (uint32_t nr, uint8_t skip)
{
  add (BPF_JMP | BPF_JEQ | BPF_K, 0, skip, nr);
}

static void
load (size_t at)
{
  add (BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t) at);
}

#define REFUSE(e) (SECCOMP_RET_ERRNO | (e))
#define FIRST_ARGUMENT (offsetof (struct seccomp_data, args)) /* its low half: both architectures are little-endian */

static void
flags_of (uint32_t nr, uint32_t mask)
{
  unless (nr, 4);
  load (FIRST_ARGUMENT);
  add (BPF_JMP | BPF_JSET | BPF_K, 0, 1, mask);
  answer (REFUSE (EPERM));
  answer (SECCOMP_RET_ALLOW);
}

static void
family_of (uint32_t nr)
{
  const uint8_t n = sizeof families / sizeof families[0];
  unless (nr, (uint8_t) (n + 3));
  load (FIRST_ARGUMENT);
  for (uint8_t i = 0; i < n; i++)
    add (BPF_JMP | BPF_JEQ | BPF_K, (uint8_t) (n - i), 0, families[i]);
  answer (REFUSE (EAFNOSUPPORT));
  answer (SECCOMP_RET_ALLOW);
}

/* The rules of one architecture; the number of the call is loaded. */
static void
rules (const filter_numbers *a)
{
  for (int i = 0; i < FILTER_DENIED_MAX && a->denied[i]; i++)
    {
      unless (a->denied[i], 1);
      answer (REFUSE (EPERM));
    }
  /* The flags of clone3 lie in memory, where no filter can look; the C library falls back to clone. */
  unless (a->clone3, 1);
  answer (REFUSE (ENOSYS));
  if (a->socketcall) /* the same with sockets; the C library has not used it since Linux 4.3 */
    {
      unless (a->socketcall, 1);
      answer (REFUSE (ENOSYS));
    }
  flags_of (a->clone, NEW_NAMESPACES);
  flags_of (a->unshare, NEW_NAMESPACES | NEW_TIME);
  family_of (a->socket);
  family_of (a->socketpair);
  answer (SECCOMP_RET_ALLOW);
}

static void
build (void)
{
  load (offsetof (struct seccomp_data, arch));
  unsigned at = prog.n;
  add (BPF_JMP | BPF_JEQ | BPF_K, 1, 0, NATIVE);
  add (BPF_JMP | BPF_JA, 0, 0, 0); /* to the other architecture: set below */
  load (offsetof (struct seccomp_data, nr));
#ifdef X32_BIT
  add (BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
  answer (REFUSE (ENOSYS));
#endif
  rules (&native);
  prog.code[at + 1].k = prog.n - (at + 2);
#if defined __x86_64__
  unless (AUDIT_ARCH_I386, 1);
  add (BPF_JMP | BPF_JA, 0, 0, 1);
  answer (REFUSE (ENOSYS));
  load (offsetof (struct seccomp_data, nr));
  rules (&filter_i386);
#else
  answer (REFUSE (ENOSYS));
#endif
}

/* SPEC_ALLOW: a filter must not switch on the costly guards against speculation, as it did before Linux 5.16. */
static int
filter_install (void)
{
  build ();
  if (prog.n > PROGRAM_MAX)
    {
      errno = E2BIG;
      return -1;
    }
  struct sock_fprog p = { (unsigned short) prog.n, prog.code };
  if (syscall (__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &p) == 0
      || syscall (__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == 0)
    return 0;
  return errno == ENOSYS || errno == EINVAL ? 0 : -1; /* a kernel without filters */
}

#else

static int
filter_install (void)
{
  return 0; /* an architecture whose numbers nobody has written down here */
}

#endif

/* From Linux 6.12 on: no abstract Unix socket of anyone outside can be reached, which the network namespace of the host would allow. */
static void
scope_abstract_sockets (void)
{
  struct
  {
    uint64_t fs, net, scoped;
  } rules = { 0, 0, 1 /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET */ };
  int fd = (int) syscall (444 /* landlock_create_ruleset */, &rules, sizeof rules, 0);
  if (fd < 0)
    return;
  syscall (446 /* landlock_restrict_self */, fd, 0);
  close (fd);
}

int
walls_raise (void)
{
  scope_abstract_sockets ();
  return filter_install ();
}
