/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of results, inside.
 */
#ifndef LF_CHECK_REPORT_H
#define LF_CHECK_REPORT_H

#include "inside.h"

void lf_add_markdown (lf_buf *b, const char *s);
void lf_result_show (const lf_result *r, int64_t v, char out[48]);
void lf_result_title (const lf_result *r, lf_buf *b);   /* "memory max (80%) [events/a.json]" */
void lf_result_figures (const lf_result *r, lf_buf *b); /* "used: ...; allowed: ...; baseline: ...; event: ..." */
bool lf_result_fails (const lf_result *r, bool strict); /* makes the command's status other than 0 */

#endif
