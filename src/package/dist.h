/* SPDX-License-Identifier: Apache-2.0
 *
 * Which installed package a file belongs to: Python distributions by their RECORD, Node packages by node_modules.
 */
#ifndef LAMBDAFIT_PACKAGE_DIST_H
#define LAMBDAFIT_PACKAGE_DIST_H

#include "internal.h"

typedef struct lf_dist
{
  const char *name, *version; /* version NULL when nothing says it */
  const char *root;           /* the folder that is on the search path: "python", "" */
} lf_dist;
typedef struct lf_dists
{
  lf_dist *v;
  size_t n, cap;
  lf_pkg_map dirs, files;     /* what a RECORD claims */
  lf_pkg_map found;           /* packages by their folder, found by where they lie */
  lf_pkg_arena names;
} lf_dists;
int lf_dists_read (lf_pkg_source *s, lf_dists *d, lf_error *err);
/* Index of the package that owns the file, or -1; -2 when out of memory. Remembers what it finds, so it changes d. */
int64_t lf_dists_owner (lf_pkg_source *s, lf_dists *d, const char *path);
void lf_dists_fini (lf_dists *d);

#endif
