/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log has from before any invocation: what the rules said of packages and settings. `log` shows it between the invocations.
 */
#ifndef LF_CLI_LOG_BEFORE_H
#define LF_CLI_LOG_BEFORE_H

#include "cli.h"
#include "lambdafit/store.h"

#define LF_LOG_BEFORE_MAX 256 /* the newest */

typedef struct lf_log_before
{
  lf_violation *v; /* functions are owned; rule, limit and unit are the tables' own */
  size_t n, next;  /* next: not shown yet */
  bool nomem;
} lf_log_before;

int lf_log_before_read (lf_store *s, const char *function, int64_t since_us, lf_log_before *out, lf_error *err);
void lf_log_before_fini (lf_log_before *b);
/* The next one that is not younger than this moment, or NULL. */
const lf_violation *lf_log_before_take (lf_log_before *b, int64_t until_us);

#endif
