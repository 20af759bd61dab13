/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target without a fuzzer. Arguments are files or folders of inputs; with none it takes tests/fuzz/corpus/NAME of the
 * source tree, NAME being the program's name without "fuzz_". Each input is run as it is, then FUZZ_ROUNDS (200) times damaged,
 * from a seed that is printed and that FUZZ_SEED sets. An input that makes the target abort is left in the file "crash-NAME".
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX ((size_t) 4 << 20)

static uint64_t seed;
static long rounds;
static unsigned long runs, inputs;
static uint8_t input[INPUT_MAX], work[INPUT_MAX];
static size_t work_n;
static char crash_path[300];

static uint32_t
rnd (size_t n)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t) ((seed >> 32) % (n ? n : 1));
}

static void
on_abort (int sig)
{
  int fd = open (crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0 && write (fd, work, work_n) == (ssize_t) work_n)
    close (fd);
  signal (sig, SIG_DFL);
  raise (sig);
}

/* One of: change a byte, remove some, repeat some, cut the end, overwrite with a number that parsers like to get wrong. */
static void
damage (void)
{
  static const char *const nasty[]
      = { "-1", "0", "18446744073709551616", "9223372036854775807", "\r\n", "\n", "\"", "[[[[[[[[", "\xff\xfe", "\xc3" };
  size_t at = rnd (work_n), n = 1 + rnd (16), left = work_n - at;
  switch (rnd (6))
    {
    case 0:
      if (work_n)
        work[at] = (uint8_t) rnd (256);
      break;
    case 1:
      if (work_n)
        work[at] ^= (uint8_t) (1u << rnd (8));
      break;
    case 2:
      n = n < left ? n : left;
      memmove (work + at, work + at + n, left - n);
      work_n -= n;
      break;
    case 3:
      n = n < left ? n : left;
      if (work_n + n <= INPUT_MAX)
        {
          memmove (work + at + n, work + at, left);
          work_n += n;
        }
      break;
    case 4:
      work_n = at;
      break;
    default:
      {
        const char *s = nasty[rnd (sizeof nasty / sizeof nasty[0])];
        n = strlen (s);
        if (at + n <= INPUT_MAX)
          memcpy (work + at, s, n);
        work_n = at + n > work_n ? at + n : work_n;
      }
    }
}

static void
run_file (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  ssize_t k;
  size_t n = 0;
  if (fd < 0)
    {
      perror (path);
      exit (1);
    }
  while (n < INPUT_MAX && (k = read (fd, input + n, INPUT_MAX - n)) > 0)
    n += (size_t) k;
  close (fd);
  inputs++;
  for (long i = 0; i <= rounds; i++)
    {
      memcpy (work, input, n);
      work_n = n;
      for (uint32_t d = i == 0 ? 0 : 1 + rnd (4); d > 0; d--)
        damage ();
      /* Exactly its own memory, so that reading past the end is found. */
      uint8_t *exact = malloc (work_n ? work_n : 1);
      if (!exact)
        abort ();
      memcpy (exact, work, work_n);
      LLVMFuzzerTestOneInput (exact, work_n);
      free (exact);
      runs++;
    }
}

static int
by_name (const struct dirent **a, const struct dirent **b)
{
  return strcmp ((*a)->d_name, (*b)->d_name);
}

static void
run (const char *path)
{
  struct stat st;
  struct dirent **list;
  if (stat (path, &st) < 0)
    {
      perror (path);
      exit (1);
    }
  if (!S_ISDIR (st.st_mode))
    {
      run_file (path);
      return;
    }
  int n = scandir (path, &list, NULL, by_name);
  for (int i = 0; i < n; i++)
    {
      char file[1200];
      if (list[i]->d_name[0] != '.')
        {
          snprintf (file, sizeof file, "%s/%s", path, list[i]->d_name);
          run (file);
        }
      free (list[i]);
    }
  free (n < 0 ? NULL : list);
}

int
main (int argc, char **argv)
{
  const char *name = strrchr (argv[0], '/'), *s = getenv ("FUZZ_SEED"), *r = getenv ("FUZZ_ROUNDS"), *top = getenv ("TOP_SRCDIR");
  char corpus[1024];
  name = name ? name + 1 : argv[0];
  name = strncmp (name, "fuzz_", 5) == 0 ? name + 5 : name;
  seed = s ? strtoull (s, NULL, 0) : 0x2545F4914F6CDD1Du;
  seed = seed ? seed : 1;
  rounds = r ? strtol (r, NULL, 10) : 200;
  snprintf (crash_path, sizeof crash_path, "crash-%s", name);
  printf ("%s: FUZZ_SEED=%#llx FUZZ_ROUNDS=%ld\n", name, (unsigned long long) seed, rounds);
  signal (SIGABRT, on_abort);
  signal (SIGSEGV, on_abort);
  for (int i = 1; i < argc; i++)
    run (argv[i]);
  if (argc < 2)
    {
      snprintf (corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
      run (corpus);
    }
  printf ("%s: %lu inputs, %lu runs\n", name, inputs, runs);
  return inputs > 0 ? 0 : 1;
}
