/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts that are kept beside what they are about.
 */
#ifndef LF_PACKAGE_FACTS_H
#define LF_PACKAGE_FACTS_H

#include "lambdafit/package.h"

#define LF_FACTS_KINDS 7
extern const char *const lf_facts_kinds[LF_FACTS_KINDS]; /* of problems, in the order in which they are told */

/* Where the facts of an unpacked tree are kept: NULL when it is not in the cache. Owned by the caller. */
char *lf_facts_path (const char *root, const lf_function *f);
/* Best effort: what cannot be kept is looked up again. `targets`: what the problems are of. */
void lf_facts_keep (const char *path, const lf_package_facts *x, const lf_strv *targets);
bool lf_facts_kept (const char *path, const lf_strv *targets, lf_package_facts *out);

#endif
