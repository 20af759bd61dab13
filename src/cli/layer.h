/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of `lambdafit layer`.
 */
#ifndef LF_CLI_LAYER_H
#define LF_CLI_LAYER_H

#include "cli.h"
#include "lambdafit/package.h"

int lf_layer_size (const lf_args *a);
int lf_layer_check (const lf_args *a);
int lf_layer_cache (const lf_args *a);
int lf_layer_make (const lf_args *a, bool double_zip); /* build, double-zip */

/* What the rules say of a container image by its size and content; nothing of anything else. */
size_t lf_image_judge (const lf_space *s, const char *name, lf_arch arch, const lf_profile *p, lf_violation out[LF_VIOLATIONS_MAX]);
int lf_layer_arch (const lf_args *a, lf_arch *out, lf_error *err);
/* Prints pretty JSON and frees it; the exit status `status` unless there is no memory. */
int lf_layer_print (struct cJSON *json, int status);

#endif
