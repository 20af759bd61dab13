/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `layer check`, one file for each family of rules.
 */
#ifndef LAMBDAFIT_PACKAGE_CHECK_H
#define LAMBDAFIT_PACKAGE_CHECK_H

#include "dist.h"

typedef enum
{
#define RULE(name, id, what, fix) LF_RULE_##name,
#include "rules.def"
#undef RULE
  LF_RULE_COUNT
} lf_rule;

#define LF_CHECK_LISTED 20 /* problems of one rule that are listed; the rest are counted */

typedef struct lf_check
{
  lf_pkg_source *s;
  lf_dists *dists;
  int dir;                     /* the unpacked files */
  const lf_check_options *o;
  bool is_function;
  int python_minor;            /* 12 for python3.12; -1 when the runtime is not Python or not known */
  int glibc_minor, glibcxx_minor; /* of the runtime: 34 for 2.34, 29 for 3.4.29 */
  const char *system;          /* "Amazon Linux 2023" */
  lf_problems *out;
  size_t count[LF_RULE_COUNT];
  lf_error *err;
} lf_check;

/* fix NULL: the rule's. Returns 0, or -1 when out of memory. */
int lf_check_add (lf_check *c, lf_rule rule, const char *path, const char *fix, const char *fmt, ...) LF_PRINTF (5, 6);
/* The name of the package that owns file i, or NULL. */
const char *lf_check_owner (lf_check *c, const char *path);

int lf_check_say_rest (lf_check *c); /* how many more there are of a rule than are listed */
int lf_check_image (const char *target, const lf_check_options *o, lf_problems *out, lf_error *err);

int lf_check_structure (lf_check *c);
int lf_check_permissions (lf_check *c);
int lf_check_binaries (lf_check *c);
int lf_check_abi (lf_check *c);
int lf_check_pyc (lf_check *c);
int lf_check_cuda (lf_check *c);
/* 12 for "x.cpython-312-x86_64-linux-gnu.so", -1 for anything else; *free_threaded for "313t". */
int lf_check_abi_minor (const char *path, bool *free_threaded);

#endif
