/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading of a check file's tree: what its parts share.
 */
#ifndef LF_CHECK_CONFIG_H
#define LF_CHECK_CONFIG_H

#include "inside.h"

typedef struct reading
{
  lf_check *c;
  const lf_check_names *names;
  const char *function; /* where we are, or NULL */
  lf_error *err;
} reading;

/* Fails at a place of the file; the value -1. */
int lf_cfg_fail (reading *r, int line, int column, const char *fix, const char *fmt, ...) LF_PRINTF (5, 6);
int lf_cfg_unknown (reading *r, const lf_doc *d, const char *where, const char *const *known, size_t n);
int lf_cfg_text (reading *r, const lf_doc *d, char **out);
int lf_cfg_count (reading *r, const lf_doc *d, int64_t min, int64_t max, int64_t *out);
int lf_cfg_budgets (reading *r, const lf_doc *d, lf_check_function *f);
int lf_cfg_expect (reading *r, const lf_doc *d, lf_expect *out);
int lf_cfg_events (reading *r, const lf_doc *d, lf_check_function *f);

#endif
