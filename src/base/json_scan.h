/* SPDX-License-Identifier: Apache-2.0
 *
 * The scan behind lf_json_validate, with what lf_json_parse wants to know besides. */
#ifndef LAMBDAFIT_BASE_JSON_SCAN_H
#define LAMBDAFIT_BASE_JSON_SCAN_H

#include "lambdafit/base.h"

typedef struct lf_json_facts
{
  size_t longest_number;    /* bytes */
  size_t longest_number_at; /* its offset */
} lf_json_facts;

int lf_json_scan (const char *text, size_t n, lf_json_problem *p, lf_json_facts *facts);
/* Line and column, from 1, of a byte offset. */
void lf_json_place (const char *text, size_t offset, lf_json_problem *p);

#endif
