/* SPDX-License-Identifier: Apache-2.0
 *
 * Will Lambda take and start it? What `layer check` says of a container image. Its compiled files are not looked into: they would have to
 * be unpacked, and its own system decides what they need.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "imagefile.h"

static int
check_platform (lf_check *c, const lf_image *im)
{
  bool arm = c->o->arch == LF_ARCH_ARM64;
  if ((!im->arch[0] || strcmp (im->arch, arm ? "arm64" : "amd64") == 0) && (!im->os[0] || strcmp (im->os, "linux") == 0))
    return 0;
  char fix[120];
  snprintf (fix, sizeof fix, "docker buildx build --platform linux/%s --provenance=false, or give --arch %s", arm ? "arm64" : "amd64", arm ? "x86_64" : "arm64");
  return lf_check_add (c, LF_RULE_ARCHITECTURE, ".", fix, "the image is for %s/%s, the function for linux/%s", im->os, im->arch, arm ? "arm64" : "amd64");
}

static int
check_size (lf_check *c, const lf_image *im)
{
  int64_t max = c->o->image_max_bytes;
  if (max == LF_NONE || im->bytes <= max)
    return 0;
  return lf_check_add (c, LF_RULE_IMAGE_SIZE, ".", NULL, "its layers are %.1f MB unpacked; Lambda refuses more than %.1f MB", (double) im->bytes / (double) LF_MB,
                       (double) max / (double) LF_MB);
}

int
lf_check_image (const char *target, const lf_check_options *o, lf_problems *out, lf_error *err)
{
  lf_pkg_source s;
  lf_dists dists = { 0 };
  *out = (lf_problems){ .arch = o->arch, .is_image = true };
  if (lf_pkg_source_open_image (target, o->arch, &s, err) != 0)
    return -1;
  lf_check c = { .s = &s, .dists = &dists, .o = o, .out = out, .err = err, .dir = -1 };
  int rc = lf_dists_read (&s, &dists, err);
  if (rc == 0)
    rc = check_size (&c, s.image) != 0 || check_platform (&c, s.image) != 0 || lf_check_cuda (&c) != 0 ? -1 : 0;
  if (rc == 0 && !s.image->starts)
    rc = lf_check_add (&c, LF_RULE_IMAGE_START, ".", NULL, "it has neither an ENTRYPOINT nor a CMD");
  if (rc == 0)
    rc = lf_check_say_rest (&c);
  lf_dists_fini (&dists);
  lf_pkg_source_fini (&s);
  if (rc != 0)
    lf_problems_fini (out);
  return rc;
}
