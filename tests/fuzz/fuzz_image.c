/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives of container images: whatever the bytes are, an error or a result, no name that leads out, and bytes that add up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/package/imagefile.h"
#include "fuzz.h"

static void
check_layer (const lf_image_layer *l)
{
  int64_t files = 0, hidden = 0;
  for (size_t i = 0; i < l->n; i++)
    {
      const lf_image_entry *e = &l->v[i];
      if (e->path[0] == '/' || lf_starts (e->path, "../") || strstr (e->path, "/../") || strcmp (e->path, "..") == 0 || lf_ends (e->path, "/.."))
        abort (); /* a name that leads out was let through */
      files += e->size;
      hidden += e->hidden ? e->size : 0;
    }
  if (files != l->file_bytes || hidden != l->hidden_bytes || (l->n > 0 && l->file_bytes > l->bytes))
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *p, size_t n)
{
  LF_CLEANUP (lf_closep) int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  char path[40];
  lf_error err = { 0 };
  lf_image im;
  if (fd < 0 || write (fd, p, n) != (ssize_t) n)
    abort ();
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  (void) lf_image_is (path);
  if (lf_image_read (path, LF_ARCH_X86_64, &im, &err) != 0)
    {
      if (!err.why[0])
        abort ();
      return 0;
    }
  int64_t sum = 0;
  for (size_t i = 0; i < im.layers_n; i++)
    {
      check_layer (&im.layers[i]);
      sum += im.layers[i].bytes;
    }
  if (sum != im.bytes || im.layers_n == 0)
    abort ();
  lf_image_fini (&im);
  return 0;
}
