/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated parts of docs/limits.md. Only the generator and its test use this; it is not in the room's archive.
 */
#ifndef LF_MODEL_LIMITS_DOC_H
#define LF_MODEL_LIMITS_DOC_H

#include "lambdafit/model.h"

/* The table of all limits, a column for each profile. */
int lf_limits_doc_table (lf_buf *out, lf_profile *const *profiles, size_t n);
/* Copies a page and writes every generated part anew: between "<!-- generated: table -->", "<!-- generated: rules -->" or
 * "<!-- generated: ID -->" and "<!-- end -->". A page without one of the tables or without a part for some limit is refused. */
int lf_limits_doc_update (const char *page, lf_buf *out, lf_profile *const *profiles, size_t n, lf_error *err);

#endif
