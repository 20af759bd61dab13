/* SPDX-License-Identifier: Apache-2.0
 *
 * What `run` and `serve` work on: functions made ready, from folders and zips or from a template.
 */
#ifndef LF_CLI_TARGETS_H
#define LF_CLI_TARGETS_H

#include "cli.h"
#include "lambdafit/template.h"

typedef struct lf_targets
{
  lf_prepared *fns;
  size_t n;
  lf_template *template_; /* NULL: none was used */
} lf_targets;

/* `one`: exactly one function is wanted (run). Warnings and, unless --quiet, what was taken go to standard error. */
int lf_targets_prepare (const lf_args *a, const lf_profile *p, bool one, lf_targets *out, lf_error *err);
void lf_targets_fini (lf_targets *t);

/* The template that the arguments mean: the one given, else the folder's; *path NULL when there is none. The caller frees it. */
int lf_args_template (const lf_args *a, char **path, lf_error *err);
/* Its options: --parameter and --region. */
void lf_args_template_options (const lf_args *a, lf_template_options *out);

#endif
