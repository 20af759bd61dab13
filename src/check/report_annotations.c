/* SPDX-License-Identifier: Apache-2.0
 *
 * Annotations of GitHub Actions: workflow commands that its runner reads from the output, shown at the budget's line in the pull request.
 */
#include <string.h>

#include "report.h"

static void
escaped (lf_buf *b, const char *s, bool property)
{
  for (; *s; s++)
    if (*s == '%' || *s == '\r' || *s == '\n' || (property && (*s == ':' || *s == ',')))
      lf_buf_addf (b, "%%%02X", (unsigned) *s);
    else
      lf_buf_addc (b, *s);
}

int
lf_report_check_annotations (const lf_check_report *r, lf_buf *out)
{
  for (size_t i = 0; i < r->results->n; i++)
    {
      const lf_result *x = &r->results->v[i];
      if (x->word == LF_RES_PASS)
        continue;
      lf_buf title LF_CLEANUP (lf_buf_fini), text LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&title, 0);
      lf_buf_init (&text, 0);
      lf_buf_addf (&title, "%s: ", x->function);
      lf_result_title (x, &title);
      lf_buf_addf (&text, "%s\n", x->message);
      lf_result_figures (x, &text);
      lf_buf_addf (&text, "\nfix: %s", x->fix);
      lf_buf_addf (out, "::%s file=", lf_result_fails (x, r->strict) ? "error" : "warning");
      escaped (out, r->path, true);
      lf_buf_addf (out, ",line=%d,col=%d,title=", x->line > 0 ? x->line : 1, x->column > 0 ? x->column : 1);
      escaped (out, title.data ? title.data : "", true);
      lf_buf_adds (out, "::");
      escaped (out, text.data ? text.data : "", false);
      lf_buf_addc (out, '\n');
    }
  return out->failed ? -1 : 0;
}
