/* SPDX-License-Identifier: Apache-2.0
 *
 * cli: commands. One table of commands and one of options (src/cli/options.c, commands.c); help, man page, completion and docs/cli.md are
 * made from them. A command gets its parsed arguments and returns an exit status; an error is printed by lf_cli_error in one form.
 */
#ifndef LAMBDAFIT_CLI_H
#define LAMBDAFIT_CLI_H

#include "lambdafit/base.h"

/* Every option's value, of all commands. Integers not given are LF_NONE, texts NULL. */
typedef struct lf_args
{
  /* function options */
  const char *name, *handler, *runtime, *interpreter, *env_file, *arch, *region, *profile, *network, *log_format;
  int64_t memory, timeout, tmp, keepalive, reserved;
  lf_strv layers, env;
  bool strict_runtime, pass_credentials;
  const char *template_;
  lf_strv parameters;
  const char *env_vars;
  /* run, invoke */
  const char *event, *db, *endpoint;
  int64_t count, parallel;
  bool cold, json, quiet, tail, async, stream;
  /* serve */
  const char *host, *port_file;
  int64_t port, account_concurrency;
  const char *rate_limit;
  const char *keep;
  bool no_reload;
  /* log */
  const char *function, *since, *explain;
  bool errors, follow;
  /* report, layer, check, simulate and top keep theirs in their own files, by value of a text */
  const char *html, *output, *md_flag;
  bool md, init, update, strict, once;
  const char *shard, *from, *junit, *sarif, *markdown, *view, *size, *request_id;
  /* simulate */
  const char *arrivals, *for_, *warm, *init_dist, *cold_dist, *only, *fail, *pick, *scaling, *cpu_share, *beside, *latency_goal, *log, *start;
  int64_t tasks;
  lf_strv sweep, with;
  int64_t retries, life, limit, seed, seeds;
  bool verbose;
  /* layer */
  const char *as;
  int64_t max_mb;
  bool s3, no_pyc;
  /* asynchronous events of a function */
  const char *on_success, *on_failure;
  int64_t async_retries, async_max_age;
  /* top */
  const char *theme;
  bool ascii;
  /* what is left */
  char **rest;
  int rest_n;
} lf_args;

typedef struct lf_command
{
  const char *name, *synopsis, *summary, *description, *examples;
  const char *options;   /* names of the options it takes, separated by blanks, in the order of its help; "@function" is the group */
  int min_rest, max_rest;
  int (*run) (const lf_args *a);
} lf_command;
extern const lf_command lf_commands[];
extern const size_t lf_commands_n;

int lf_cli_main (int argc, char **argv);
/* Prints "lambdafit: WHAT: WHY" and "  fix: HOW"; returns the error's exit status. */
int lf_cli_error (const lf_error *err);

int lf_cmd_run (const lf_args *a);
int lf_cmd_serve (const lf_args *a);
int lf_cmd_validate (const lf_args *a);
int lf_cmd_invoke (const lf_args *a);
int lf_cmd_ps (const lf_args *a);
int lf_cmd_log (const lf_args *a);
int lf_cmd_doctor (const lf_args *a);
int lf_cmd_profile (const lf_args *a);
int lf_cmd_layer (const lf_args *a);
int lf_cmd_report (const lf_args *a);
int lf_cmd_top (const lf_args *a);
int lf_cmd_simulate (const lf_args *a);
int lf_cmd_check (const lf_args *a);
int lf_cmd_help (const lf_args *a);

#endif
