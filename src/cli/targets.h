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
  struct cJSON *env_vars; /* of --env-vars, or NULL */
  lf_refused refused;     /* after a failure: what the rules say of the function that Lambda would not take */
} lf_targets;

/* `one`: exactly one function is wanted (run). Warnings and, unless --quiet, what was taken go to standard error. */
int lf_targets_prepare (const lf_args *a, const lf_profile *p, bool one, lf_targets *out, lf_error *err);
void lf_targets_fini (lf_targets *t);
/* What is to be said when they could not be made ready: the error, and what the rules say, which goes to the log as well. The exit status. */
int lf_targets_refused (const lf_targets *t, const lf_profile *p, const char *db, const char *command, const lf_error *err);
/* Writes it to the log alone. */
void lf_targets_refused_log (const lf_targets *t, const lf_profile *p, const char *db, const char *command);

/* ---- variables of several functions in one file (--env-vars): env_vars.c ---- */
/* Reads and checks the file; *out is NULL when there is no such option. */
int lf_env_vars_load (const lf_args *a, struct cJSON **out, lf_error *err);
/* Sets those of "Parameters", then those of the function, known by id (may be NULL) or by name. */
int lf_env_vars_apply (const struct cJSON *vars, const char *id, const char *name, lf_function *f, lf_error *err);

/* The template that the arguments mean: the one given, else the folder's; *path NULL when there is none. The caller frees it. */
int lf_args_template (const lf_args *a, char **path, lf_error *err);
/* Its options: --parameter and --region. */
void lf_args_template_options (const lf_args *a, lf_template_options *out);

#endif
