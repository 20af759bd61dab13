/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks that run as the runtime of a sandbox.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sandbox_inside.h"

static int failures;

#define EXPECT(c) expect ((c), #c, __LINE__)
static void
expect (bool ok, const char *what, int line)
{
  if (ok)
    return;
  printf ("inside, line %d: not so: %s (errno %d: %s)\n", line, what, errno, strerror (errno));
  failures++;
}

static bool
fails_with (int e, int r)
{
  return r < 0 && errno == e;
}

static int
create (const char *path)
{
  int fd = open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  if (fd >= 0)
    close (fd);
  return fd;
}

static int
entries (const char *path)
{
  DIR *d = opendir (path);
  if (!d)
    return -1;
  int n = 0;
  while (readdir (d))
    n++;
  closedir (d);
  return n - 2;
}

static bool
line_is (const char *path, const char *text)
{
  char buf[256] = "";
  FILE *f = fopen (path, "re");
  bool ok = f && fgets (buf, sizeof buf, f);
  if (f)
    fclose (f);
  buf[strcspn (buf, "\n")] = 0;
  return ok && !strcmp (buf, text);
}

static bool
limit_is (int what, rlim_t soft, rlim_t hard)
{
  struct rlimit r;
  return getrlimit ((__rlimit_resource_t) what, &r) == 0 && r.rlim_cur == soft && r.rlim_max == hard;
}

static void
check_user (void)
{
  char cwd[64];
  struct utsname u;
  EXPECT (getuid () == 993 && geteuid () == 993 && getgid () == 990 && getegid () == 990);
  EXPECT (getcwd (cwd, sizeof cwd) && !strcmp (cwd, "/var/task"));
  EXPECT (uname (&u) == 0 && !strcmp (u.nodename, "169-254-10-1"));
  mode_t m = umask (0);
  umask (m);
  EXPECT (m == 022);
  EXPECT (getsid (0) == getpid ());
  EXPECT (getpid () < 10);
  EXPECT (!strcmp (getenv ("MARKER") ? getenv ("MARKER") : "", "present") && !getenv ("HOME"));
  sigset_t s;
  EXPECT (sigprocmask (SIG_BLOCK, NULL, &s) == 0 && !sigismember (&s, SIGCHLD) && !sigismember (&s, SIGTERM));
  EXPECT (signal (SIGPIPE, SIG_DFL) == SIG_DFL);
  EXPECT (fcntl (3, F_GETFD) < 0 && fcntl (4, F_GETFD) < 0 && fcntl (5, F_GETFD) < 0);
}

static bool
status_zero (const char *key)
{
  char line[256];
  FILE *f = fopen ("/proc/self/status", "re");
  size_t n = strlen (key);
  bool ok = false;
  while (f && fgets (line, sizeof line, f))
    if (!strncmp (line, key, n))
      ok = strtoull (line + n, NULL, 16) == 0;
  if (f)
    fclose (f);
  return ok;
}

static void
check_powers (void)
{
  EXPECT (status_zero ("CapInh:") && status_zero ("CapPrm:") && status_zero ("CapEff:") && status_zero ("CapBnd:")
          && status_zero ("CapAmb:"));
  EXPECT (setuid (0) < 0);
  EXPECT (fails_with (EPERM, sethostname ("x", 1)));
  /* Pid 1 stands. The signals are ignored, not refused. */
  kill (1, SIGTERM);
  kill (1, SIGKILL);
  kill (1, SIGSTOP);
  EXPECT (ptrace (PTRACE_ATTACH, 1, NULL, NULL) < 0);
  EXPECT (getppid () == 1);
}

static void
check_limits (void)
{
  EXPECT (limit_is (RLIMIT_NOFILE, 1024, 1024));
  EXPECT (limit_is (RLIMIT_NPROC, 742, 742));
  EXPECT (limit_is (RLIMIT_MEMLOCK, 65536, 65536));
  struct rlimit r;
  EXPECT (getrlimit (RLIMIT_STACK, &r) == 0 && r.rlim_cur == 8388608);
  int n = 0, fd;
  while ((fd = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n++;
  EXPECT (errno == EMFILE);
  if (n != 1021)
    printf ("%d descriptors could be opened\n", n);
  EXPECT (n == 1021);
  for (int i = 3; i < 1024; i++)
    close (i);
}

static void
check_files (const char *secret)
{
  EXPECT (fails_with (EROFS, create ("/x")));
  EXPECT (fails_with (EROFS, create ("/var/task/x")));
  EXPECT (fails_with (EROFS, create ("/usr/x")) || errno == EACCES);
  EXPECT (fails_with (EROFS, create ("/opt/x")));
  EXPECT (fails_with (EROFS, create ("/etc/x")));
  EXPECT (fails_with (EROFS, mkdir ("/home/sbx_user1051", 0755)));
  EXPECT (fails_with (EROFS, open ("/proc/self/comm", O_WRONLY | O_CLOEXEC)));
  EXPECT (entries ("/home") == 0);
  EXPECT (fails_with (ENOENT, access ("/root", F_OK)));
  EXPECT (fails_with (ENOENT, access ("/etc/shadow", F_OK)));
  EXPECT (fails_with (ENOENT, access (secret, F_OK)));
  EXPECT (fails_with (ENOENT, access ("/sys/fs", F_OK)));
  EXPECT (entries ("/tmp") == 0);
  struct stat st;
  EXPECT (stat ("/tmp", &st) == 0 && (st.st_mode & 07777) == 01777);
  EXPECT (access ("/etc/passwd", R_OK) == 0 && access ("/usr/bin/env", X_OK) == 0 && access ("/bin/sh", X_OK) == 0);
  EXPECT (access ("/var/runtime", R_OK) == 0 && access ("/var/lang", R_OK) == 0);
  struct statvfs v;
  EXPECT (statvfs ("/usr", &v) == 0 && (v.f_flag & ST_RDONLY) && (v.f_flag & ST_NOSUID));
}

static void
check_devices (void)
{
  char c;
  EXPECT (fails_with (ENOENT, access ("/dev/shm", F_OK)));
  EXPECT (fails_with (ENOENT, shm_open ("/x", O_CREAT | O_RDWR, 0600)));
  EXPECT (sem_open ("/x", O_CREAT, 0600, 1) == SEM_FAILED);
  int fd = open ("/dev/urandom", O_RDONLY | O_CLOEXEC);
  EXPECT (fd >= 0 && read (fd, &c, 1) == 1);
  close (fd);
  fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT (fd >= 0 && write (fd, "x", 1) == 1);
  close (fd);
  fd = open ("/dev/full", O_RDWR | O_CLOEXEC);
  EXPECT (fd >= 0 && fails_with (ENOSPC, (int) write (fd, "x", 1)));
  close (fd);
  EXPECT (read (0, &c, 1) == 0);
}

static void
check_cpus (void)
{
  cpu_set_t set;
  long host = sysconf (_SC_NPROCESSORS_CONF);
  EXPECT (line_is ("/sys/devices/system/cpu/online", "0-1") && line_is ("/sys/devices/system/cpu/possible", "0-1")
          && line_is ("/sys/devices/system/cpu/present", "0-1"));
  EXPECT (sysconf (_SC_NPROCESSORS_ONLN) == 2);
  EXPECT (sched_getaffinity (0, sizeof set, &set) == 0 && CPU_COUNT (&set) <= 2 && (host < 2 || CPU_COUNT (&set) >= 1));
}

static int
look (const char *secret)
{
  check_user ();
  check_powers ();
  check_files (secret);
  check_devices ();
  check_cpus ();
  check_limits ();
  return failures != 0;
}

static long long
fill (const char *path, long long want)
{
  static char block[65536];
  long long sum = 0;
  memset (block, 'x', sizeof block);
  int fd = open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ssize_t r = 1;
  while (fd >= 0 && sum < want && (r = write (fd, block, sizeof block)) > 0)
    sum += r;
  if (fd >= 0 && r > 0)
    errno = 0;
  return sum;
}

/* Exactly as many bytes as the quota, then ENOSPC. */
static int
quota (const char *bytes)
{
  long long want = atoll (bytes), got = fill ("/tmp/all", want + 65536);
  EXPECT (errno == ENOSPC);
  EXPECT (got == want);
  return failures != 0;
}

static int
copy_self (const char *to)
{
  char buf[65536];
  ssize_t n;
  int in = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = open (to, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
  while (in >= 0 && out >= 0 && (n = read (in, buf, sizeof buf)) > 0)
    if (write (out, buf, (size_t) n) != n)
      return -1;
  close (in);
  return close (out);
}

static int
exec_from_tmp (void)
{
  char path[] = "/tmp/program", flag[] = "--inside", name[] = "true";
  char *argv[] = { path, flag, name, NULL };
  EXPECT (copy_self (path) == 0);
  execv (path, argv);
  EXPECT (false);
  return 1;
}

/* The first life leaves a file, the second finds it. */
static int
kept (void)
{
  if (access ("/tmp/kept", F_OK) < 0)
    return create ("/tmp/kept") < 0 ? 9 : 1;
  return 2;
}

static void
say (const char *s)
{
  fputs (s, stdout);
  fflush (stdout);
}

static void
wait_forever (void)
{
  for (;;)
    pause ();
}

/* Children of children in sessions of their own that ignore what can be ignored. */
static int
tree (bool stay)
{
  for (int i = 0; i < 8; i++)
    if (fork () == 0)
      {
        setsid ();
        signal (SIGTERM, SIG_IGN);
        signal (SIGHUP, SIG_IGN);
        if (fork () != 0)
          _exit (0);
        wait_forever ();
      }
  for (int i = 0; i < 8; i++)
    wait (NULL);
  say ("grown\n");
  if (stay)
    wait_forever ();
  return 5;
}

static int
bomb (void)
{
  int n = 0;
  for (pid_t p; n < 5000 && (p = fork ()) >= 0; n++)
    if (p == 0)
      wait_forever ();
  EXPECT (errno == EAGAIN);
  printf ("forked %d\n", n);
  say ("bomb\n");
  if (failures || n >= 5000)
    return 1;
  wait_forever ();
  return 0;
}

static int
eat (const char *mb)
{
  size_t n = (size_t) atoll (mb) << 20;
  char *p = mmap (NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return 9;
  for (size_t i = 0; i < n; i += 4096)
    {
      p[i] = 1;
      /* A machine that only samples needs a moment to look. */
      if (i % (16u << 20) == 0)
        usleep (20000);
    }
  for (int i = 0; i < 500; i++)
    usleep (20000); /* its end is on the way */
  return 0;
}

/* Files in /tmp are not memory. */
static int
eat_tmp (const char *mb)
{
  long long n = atoll (mb) << 20;
  EXPECT (fill ("/tmp/big", n) == n);
  return failures != 0;
}

/* Maps the same file of 8 MB so many times, all of its pages each time. */
static int
map_again (const char *times)
{
  const size_t n = 8 << 20;
  EXPECT (fill ("/tmp/mapped", (long long) n - 4096) > 0);
  int fd = open ("/tmp/mapped", O_RDONLY | O_CLOEXEC);
  for (int i = atoi (times); i > 0; i--)
    EXPECT (mmap (NULL, n - 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0) != MAP_FAILED);
  say (failures ? "failed\n" : "mapped\n");
  wait_forever ();
  return 0;
}

static int
read_all (const char *path)
{
  static char block[65536];
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t r = -1;
  long long sum = 0;
  while (fd >= 0 && (r = read (fd, block, sizeof block)) > 0)
    sum += r;
  EXPECT (fd >= 0 && r == 0 && sum > 0);
  return failures != 0;
}

/* Takes memory at a signal and gives it back. */
static int
breathe (const char *mb)
{
  size_t n = (size_t) atoll (mb) << 20;
  sigset_t usr;
  int sig;
  sigemptyset (&usr);
  sigaddset (&usr, SIGUSR1);
  sigprocmask (SIG_BLOCK, &usr, NULL);
  say ("ready\n");
  sigwait (&usr, &sig);
  char *p = mmap (NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return 9;
  memset (p, 1, n);
  munmap (p, n);
  say ("breathed\n");
  wait_forever ();
  return 0;
}

static int
talk (void)
{
  char c = 0;
  struct sockaddr_in api = { .sin_family = AF_INET, .sin_port = htons (9001), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct sockaddr_in out = { .sin_family = AF_INET, .sin_port = htons (80), .sin_addr.s_addr = htonl (0x01010101) };
  int s = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT (s >= 0 && connect (s, (struct sockaddr *) &api, sizeof api) == 0);
  EXPECT (read (s, &c, 1) == 1 && c == '!');
  int t = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT (t >= 0 && connect (t, (struct sockaddr *) &out, sizeof out) < 0 && errno == ENETUNREACH);
  return failures != 0;
}

static int
tick (void)
{
  for (;;)
    {
      say (".");
      usleep (2000);
    }
  return 0;
}

int
inside_main (int argc, char **argv)
{
  const char *name = argc > 2 ? argv[2] : "", *arg = argc > 3 ? argv[3] : "";
  if (!strcmp (name, "true"))
    return 0;
  if (!strcmp (name, "exit"))
    return atoi (arg);
  if (!strcmp (name, "signal"))
    return raise (atoi (arg)), 0;
  if (!strcmp (name, "sleep"))
    return say ("asleep\n"), wait_forever (), 0;
  if (!strcmp (name, "look"))
    return look (arg);
  if (!strcmp (name, "quota"))
    return quota (arg);
  if (!strcmp (name, "exec-tmp"))
    return exec_from_tmp ();
  if (!strcmp (name, "kept"))
    return kept ();
  if (!strcmp (name, "tree"))
    return tree (true);
  if (!strcmp (name, "leave-tree"))
    return tree (false);
  if (!strcmp (name, "bomb"))
    return bomb ();
  if (!strcmp (name, "eat"))
    return eat (arg);
  if (!strcmp (name, "eat-tmp"))
    return eat_tmp (arg);
  if (!strcmp (name, "map-again"))
    return map_again (arg);
  if (!strcmp (name, "read"))
    return read_all (arg);
  if (!strcmp (name, "breathe"))
    return breathe (arg);
  if (!strcmp (name, "talk"))
    return talk ();
  if (!strcmp (name, "tick"))
    return tick ();
  printf ("no such check: %s\n", name);
  return 99;
}
