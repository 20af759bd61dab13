/* SPDX-License-Identifier: Apache-2.0
 *
 * cli, inside: options and the small things commands share.
 */
#ifndef LF_CLI_INTERNAL_H
#define LF_CLI_INTERNAL_H

#include <stdio.h>

#include "lambdafit/cli.h"
#include "lambdafit/engine.h"

typedef enum { LF_OPT_FLAG, LF_OPT_TEXT, LF_OPT_INT, LF_OPT_LIST, LF_OPT_SECONDS /* decimal seconds, kept in ms */ } lf_opt_type;
typedef struct lf_opt
{
  const char *name;      /* long name */
  char letter;           /* short one, or 0 */
  const char *arg;       /* NULL for a flag */
  const char *doc;
  const char *otherwise; /* what holds when it is not given, for the help */
  lf_opt_type type;
  size_t offset;         /* in lf_args */
  int64_t min, max;      /* for LF_OPT_INT */
  bool in_function;      /* belongs to "@function" */
  const char *scope;     /* NULL, or the one command that has an option of this name of its own: "scope.name" in its list */
} lf_opt;
extern const lf_opt lf_opts[];
extern const size_t lf_opts_n;
const lf_opt *lf_opt_find (const char *name, size_t n);
/* Calls visit for each option of a command, in the order of its help. */
void lf_command_options (const lf_command *c, void (*visit) (const lf_opt *o, void *user), void *user);
const lf_command *lf_command_find (const char *name);
/* The option of a command by the name that is typed (n bytes); NULL if it has none of that name. */
const lf_opt *lf_command_option (const lf_command *c, const char *name, size_t n);
int lf_args_parse (const lf_command *c, int argc, char **argv, lf_args *out, bool *help, lf_error *err);
/* One option's value into *a, as the command line would. */
int lf_args_set (const lf_opt *o, const char *value, lf_args *a, lf_error *err);
void lf_args_init (lf_args *a); /* nothing given */
void lf_args_fini (lf_args *a);

void lf_help_all (FILE *f);
void lf_help_command (FILE *f, const lf_command *c);
int lf_help_generate (const char *format, lf_error *err); /* man, markdown, bash */

/* ---- functions from arguments ---- */
/* Fills *out from the function options (profile loaded by the caller). */
int lf_args_function (const lf_args *a, lf_function *out, lf_error *err);
lf_profile *lf_args_profile (const lf_args *a, lf_error *err);
/* "90s", "10m", "2h", "7d", "4w" in microseconds. 0 or -1. */
int lf_args_span (const char *s, int64_t *us);
/* "90s", "10m", "2h", "7d" before now, or a date and time in UTC, as microseconds since the epoch. */
int lf_args_since (const char *s, int64_t *us, lf_error *err);
/* The event's text: a file, "-", or JSON itself; default "{}". Checked to be JSON. */
int lf_args_event (const lf_args *a, lf_buf *out, lf_error *err);

/* ---- tables for people ---- */
typedef struct lf_table { lf_strv cells; int columns; const char *align; /* 'l' or 'r' per column */ } lf_table;
void lf_table_init (lf_table *t, int columns, const char *align);
void lf_table_add (lf_table *t, const char *fmt, ...) LF_PRINTF (2, 3); /* one cell */
void lf_table_print (const lf_table *t, FILE *f, const char *indent);
void lf_table_fini (lf_table *t);
/* "12.3 ms", "4.50 s"; "-" for LF_NONE. */
void lf_show_us (int64_t us, char out[32]);
/* A quantity in the limit's unit, for people: bytes as MB or bytes, ms, counts. */
void lf_show_quantity (int64_t v, const char *unit, char out[40]);
bool lf_color (FILE *f); /* a terminal, and NO_COLOR is not set */

/* ---- records as JSON ---- */
struct cJSON *lf_record_json (const lf_record *r);
struct cJSON *lf_violation_json (const lf_violation *v);
int lf_json_add_money (struct cJSON *o, const char *key, const lf_cost *c, lf_money m);

#endif
