/* SPDX-License-Identifier: Apache-2.0
 *
 * A report of a log as a document: text, Markdown, HTML, JSON. Each form is a pure function of the same page.
 */
#ifndef LF_CLI_REPORT_H
#define LF_CLI_REPORT_H

#include "cli.h"
#include "lambdafit/store.h"

typedef struct lf_page
{
  const lf_report *r;
  const lf_profile *profile;
  const char *log;     /* the log's path */
} lf_page;

int lf_page_text (const lf_page *p, FILE *f);
int lf_page_markdown (const lf_page *p, lf_buf *b);
int lf_page_html (const lf_page *p, lf_buf *b);
struct cJSON *lf_page_json (const lf_page *p); /* the caller owns it */

/* What every HTML page is made with: its styles, and text where markup is expected, of which nothing becomes markup. */
extern const char lf_html_style[];
void lf_html_text (lf_buf *b, const char *s);

/* Figures as every form shows them; "-" for what is not known. */
typedef struct lf_figures
{
  char invocations[24], errors[64], cold[64], throttled[24];
  char init[3][32], duration[3][32]; /* p50, p95, p99 */
  char memory[80], tmp[80], package[80], billed[32], cost[64], million[64], violations[64];
} lf_figures;
void lf_figures_of (const lf_page *p, const lf_report_function *it, lf_figures *out);
/* "2026-11-25 08:00:00 to 2026-11-25 09:12:30 UTC", or "" without rows. */
void lf_page_period (const lf_page *p, char out[80]);
void lf_page_region (const lf_page *p, char out[64]);
/* "97.0 MB of 128.0 MB (75.8 %)" */
void lf_show_used (int64_t used, int64_t allowed, const char *unit, int64_t permille, char out[80]);
void lf_page_cost (const lf_cost *c, lf_money m, char out[64]);
int64_t lf_permille (int64_t used, int64_t allowed);

#endif
