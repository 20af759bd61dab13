/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a zip, its links, and ELF headers: whatever the bytes are, an error or a result, and nothing outside the file is read.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/package/elf.h"
#include "../../src/package/internal.h"
#include "fuzz.h"

static int
memory_file (const uint8_t *p, size_t n)
{
  int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write (fd, p, n) != (ssize_t) n)
    abort ();
  return fd;
}

int
LLVMFuzzerTestOneInput (const uint8_t *p, size_t n)
{
  LF_CLEANUP (lf_closep) int fd = memory_file (p, n);
  lf_error err = { 0 };
  lf_zip z;
  if (lf_zip_read (fd, "fuzz.zip", &z, &err) == 0)
    {
      for (size_t i = 0; i < z.n; i++)
        {
          const char *name = z.v[i].name;
          if (name[0] == '/' || strstr (name, "/../") || lf_starts (name, "../") || strcmp (name, "..") == 0 || lf_ends (name, "/.."))
            abort (); /* a name that leads out was let through */
          if (lf_zip_find (&z, name, strlen (name)) != &z.v[i])
            abort ();
          if (z.v[i].kind == LF_ZE_LINK)
            z.v[i].target = z.v[z.n - 1 - i].name; /* targets are data; any text will do */
        }
      lf_error ignored = { 0 };
      (void) lf_zip_check_links (&z, &ignored);
    }
  else if (!err.why[0])
    abort ();
  lf_zip_fini (&z);
  lf_elf e;
  const char *reason;
  (void) lf_elf_read (fd, false, &e, &reason);
  lf_elf_fini (&e);
  return 0;
}
