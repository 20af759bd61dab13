/* SPDX-License-Identifier: Apache-2.0
 *
 * A report as Markdown, for a pull request.
 */
#include "report.h"

#include <string.h>

/* Text inside a table cell: nothing in it may end the cell, start markup or call an HTML tag. */
static void
cell_text (lf_buf *b, const char *text)
{
  lf_buf clean LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&clean, 0);
  if (text == NULL || lf_buf_add_printable (&clean, text, strlen (text)) != 0 || clean.len == 0)
    return;
  for (size_t i = 0; i < clean.len; i++)
    switch (clean.data[i])
      {
      case '\n':
      case '\t': lf_buf_addc (b, ' '); break;
      case '<': lf_buf_adds (b, "&lt;"); break;
      case '>': lf_buf_adds (b, "&gt;"); break;
      case '&': lf_buf_adds (b, "&amp;"); break;
      case '|':
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '#':
      case '~':
      case '@':
        if (clean.data[i] == '@')
          lf_buf_adds (b, "@&#8203;"); /* a name in a log must not notify anybody */
        else
          {
            lf_buf_addc (b, '\\');
            lf_buf_addc (b, clean.data[i]);
          }
        break;
      default: lf_buf_addc (b, clean.data[i]);
      }
}

static void
function_row (const lf_page *p, const lf_report_function *it, lf_buf *b)
{
  lf_figures g;
  lf_figures_of (p, it, &g);
  lf_buf_adds (b, "| ");
  cell_text (b, it->name);
  lf_buf_addf (b, " | %s | %s | %s | %s / %s / %s | %s / %s / %s | %s | %s | %s | %s | %s | %s |\n", g.invocations, g.errors, g.cold, g.init[0], g.init[1],
               g.init[2], g.duration[0], g.duration[1], g.duration[2], g.memory, g.tmp, g.package, g.cost, g.million, g.violations);
}

static void
violation_row (const lf_report_violation *v, lf_buf *b)
{
  char used[80];
  lf_show_used (v->used, v->allowed, v->unit != NULL ? v->unit : "", lf_permille (v->used, v->allowed), used);
  lf_buf_addf (b, "| %s | ", v->severity == LF_SEV_BROKEN ? "**broken**" : "near");
  cell_text (b, v->function);
  lf_buf_adds (b, " | ");
  cell_text (b, v->limit_id);
  lf_buf_addf (b, " | %lld | %s | ", (long long) v->count, used);
  cell_text (b, v->message);
  if (v->fix != NULL && v->fix[0] != '\0')
    {
      lf_buf_adds (b, " Fix: ");
      cell_text (b, v->fix);
    }
  lf_buf_adds (b, " |\n");
}

static int
violations_table (const lf_report *r, lf_buf *b)
{
  if (r->violations_n > 0)
    lf_buf_adds (b, "\n| severity | function | limit | times | worst | what |\n|---|---|---|--:|--:|---|\n");
  for (size_t i = 0; i < r->violations_n; i++)
    violation_row (&r->violations[i], b);
  return b->failed ? -1 : 0;
}

int
lf_page_markdown (const lf_page *p, lf_buf *b)
{
  char period[80], region[64], cost[64];
  const lf_report *r = p->r;
  lf_page_period (p, period);
  lf_page_region (p, region);
  lf_page_cost (&r->cost, r->cost.total, cost);
  lf_buf_adds (b, "## lambdafit\n\n");
  if (r->n == 0)
    {
      lf_buf_adds (b, "The log has no invocations.\n");
      return violations_table (r, b);
    }
  lf_buf_addf (b, "**%lld** invocations, **%lld** errors, **%lld** cold, cost **%s** (%s, %s)%s%s\n\n", (long long) r->invocations, (long long) r->errors,
               (long long) r->cold, cost, p->profile->name, region, period[0] != '\0' ? ", " : "", period);
  lf_buf_adds (b, "| function | invocations | errors | cold | init p50 / p95 / p99 | duration p50 / p95 / p99 | memory | /tmp | package | cost | per million |"
                  " violations |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (size_t i = 0; i < r->n; i++)
    function_row (p, &r->functions[i], b);
  return violations_table (r, b);
}
