/* SPDX-License-Identifier: Apache-2.0
 *
 * Markdown for a job's summary or a comment: the verdict, each failure with its figures, cause and fix, then all results folded away.
 */
#include <string.h>

#include "report.h"

#define BYTES_MAX 60000 /* a comment may have 65,536 characters */

static const char *
mark (const lf_result *r, bool strict)
{
  return r->word == LF_RES_PASS ? "✅" : lf_result_fails (r, strict) ? "❌" : "⚠️";
}

static void
cell (lf_buf *b, const char *s)
{
  lf_buf_adds (b, " ");
  lf_add_markdown (b, s && *s ? s : "-");
  lf_buf_adds (b, " |");
}

static void
row (const lf_check_report *r, const lf_result *x, lf_buf *b)
{
  char text[48];
  lf_buf what LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&what, 0);
  lf_buf_addf (&what, "%s%s%s", x->budget, x->statistic ? " " : "", x->statistic ? x->statistic : "");
  lf_buf_addf (b, "| %s %s |", mark (x, r->strict), x->word == LF_RES_NOT_MEASURED ? "not measured" : lf_result_name (x->word));
  cell (b, x->function);
  cell (b, what.data ? what.data : "");
  const int64_t values[] = { x->used, x->allowed, x->baseline };
  for (size_t i = 0; i < LF_ARRAY_LEN (values); i++)
    {
      lf_result_show (x, values[i], text);
      cell (b, text);
    }
  cell (b, x->event);
  lf_buf_addc (b, '\n');
}

static void
head (lf_buf *b)
{
  lf_buf_adds (b, "| result | function | budget | used | allowed | baseline | event |\n|---|---|---|--:|--:|--:|---|\n");
}

static void
failure (const lf_result *x, lf_buf *b)
{
  lf_buf_adds (b, "- **");
  lf_add_markdown (b, x->function);
  lf_buf_adds (b, ": ");
  lf_add_markdown (b, x->budget);
  lf_buf_adds (b, "**: ");
  lf_add_markdown (b, x->message);
  if (x->fix[0])
    {
      lf_buf_adds (b, "  \n  *Fix:* ");
      lf_add_markdown (b, x->fix);
    }
  lf_buf_addc (b, '\n');
}

static void
verdict (const lf_check_report *r, lf_buf *b)
{
  size_t by[LF_RES_BROKEN + 1] = { 0 };
  bool fails = false;
  for (size_t i = 0; i < r->results->n; i++)
    {
      by[r->results->v[i].word]++;
      fails = fails || lf_result_fails (&r->results->v[i], r->strict);
    }
  lf_buf_addf (b, "## %s lambdafit check: %s\n\n%zu passed, %zu broken, %zu worse, %zu not measured here", fails ? "❌" : by[LF_RES_NOT_MEASURED] ? "⚠️" : "✅",
               fails ? "failed" : "passed", by[LF_RES_PASS], by[LF_RES_BROKEN], by[LF_RES_WORSE], by[LF_RES_NOT_MEASURED]);
  lf_buf_adds (b, " (");
  lf_add_markdown (b, r->path);
  if (r->shard)
    lf_buf_addf (b, ", shard %s", r->shard);
  lf_buf_addf (b, ", %s, %s)\n\n", r->profile, r->region);
}

int
lf_report_check_markdown (const lf_check_report *r, lf_buf *out)
{
  bool any = false;
  verdict (r, out);
  for (size_t i = 0; i < r->results->n && out->len < BYTES_MAX; i++)
    if (r->results->v[i].word != LF_RES_PASS)
      {
        if (!any)
          head (out);
        any = true;
        row (r, &r->results->v[i], out);
      }
  lf_buf_adds (out, any ? "\n" : "");
  for (size_t i = 0; i < r->results->n && out->len < BYTES_MAX; i++)
    if (r->results->v[i].word != LF_RES_PASS)
      failure (&r->results->v[i], out);
  lf_buf_addf (out, "%s<details><summary>All results</summary>\n\n", any ? "\n" : "");
  head (out);
  for (size_t i = 0; i < r->results->n && out->len < BYTES_MAX; i++)
    row (r, &r->results->v[i], out);
  if (out->len >= BYTES_MAX)
    lf_buf_adds (out, "\nMore was left out: a comment may not be longer.\n");
  return lf_buf_adds (out, "\n</details>\n");
}
