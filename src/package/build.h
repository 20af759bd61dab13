/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of `layer build` and `layer double-zip`: gather inputs in a folder, compile, write a reproducible zip.
 */
#ifndef LAMBDAFIT_PACKAGE_BUILD_H
#define LAMBDAFIT_PACKAGE_BUILD_H

#include "internal.h"

/* Starts argv[0] (found in PATH) and waits. -1 only when it could not be started. */
int lf_pkg_run (const lf_strv *argv, int *status, lf_error *err);

/* Copies (or links) the tree `from` to the folder `to`, which is made. Byte code and version control are left behind. */
int lf_stage_tree (const char *from, const char *to, lf_error *err);
/* Puts one input of a build (folder, wheel, zip) where a layer keeps it under root. */
int lf_stage_input (const char *input, const lf_build_options *o, const char *root, lf_error *err);
/* A wheel into root/python, after its tags were found to fit the runtime. */
int lf_stage_wheel (const char *wheel, const lf_build_options *o, const char *root, lf_error *err);
int lf_wheel_fits (const char *wheel, const lf_build_options *o, lf_error *err);

/* Looks at a zip, open at fd, before it takes the place of `out`. */
typedef int lf_zip_judge (int fd, const char *out, lf_error *err);
/* Every file below root in a fixed order, with a fixed time and clean rights; the result replaces `out` whole, when the judge (or NULL) agrees. level 0:
 * zlib's default. */
int lf_zip_write (const char *root, const char *out, int level, const lf_build_options *o, lf_zip_judge *judge, lf_error *err);

#endif
