/* SPDX-License-Identifier: Apache-2.0
 *
 * JUnit XML, as Jenkins and GitLab read it: a suite for each function, a case for each result.
 */
#include <string.h>

#include "report.h"

static void
attribute (lf_buf *b, const char *name, const char *value)
{
  lf_buf_addf (b, " %s=\"", name);
  lf_add_xml (b, value);
  lf_buf_addc (b, '"');
}

static void
add_case (const lf_check_report *r, const lf_result *x, lf_buf *b)
{
  lf_buf title LF_CLEANUP (lf_buf_fini), text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&title, 0);
  lf_buf_init (&text, 0);
  lf_result_title (x, &title);
  lf_buf_adds (b, "    <testcase");
  attribute (b, "name", title.data ? title.data : "");
  lf_buf_adds (b, " classname=\"lambdafit.");
  lf_add_xml (b, x->function);
  lf_buf_adds (b, "\" time=\"0\"");
  if (x->word == LF_RES_PASS)
    {
      lf_buf_adds (b, "/>\n");
      return;
    }
  bool fails = lf_result_fails (x, r->strict);
  lf_buf_adds (b, fails ? ">\n      <failure" : ">\n      <skipped");
  attribute (b, "message", x->message);
  if (fails)
    {
      attribute (b, "type", lf_result_name (x->word));
      lf_buf_addf (&text, "%s\n", x->message);
      lf_result_figures (x, &text);
      lf_buf_addf (&text, "\nfix: %s\n%s:%d:%d\n", x->fix, r->path, x->line, x->column);
      lf_buf_addc (b, '>');
      lf_add_xml (b, text.data ? text.data : "");
      lf_buf_adds (b, "</failure>\n    </testcase>\n");
    }
  else
    lf_buf_adds (b, "/>\n    </testcase>\n");
}

static void
add_suite (const lf_check_report *r, const char *function, const char *when, lf_buf *b)
{
  size_t tests = 0, failures = 0, skipped = 0;
  for (size_t i = 0; i < r->results->n; i++)
    {
      const lf_result *x = &r->results->v[i];
      if (strcmp (x->function, function) != 0)
        continue;
      bool fails = lf_result_fails (x, r->strict);
      tests++;
      failures += fails;
      skipped += !fails && x->word != LF_RES_PASS;
    }
  lf_buf_adds (b, "  <testsuite");
  attribute (b, "name", function);
  lf_buf_addf (b, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\" timestamp=\"%s\">\n", tests, failures, skipped,
               r->observed_n ? (double) r->took_us / 1e6 / (double) r->observed_n : 0, when);
  for (size_t i = 0; i < r->results->n; i++)
    if (strcmp (r->results->v[i].function, function) == 0)
      add_case (r, &r->results->v[i], b);
  lf_buf_adds (b, "  </testsuite>\n");
}

int
lf_report_check_junit (const lf_check_report *r, lf_buf *out)
{
  char when[32];
  size_t failures = 0;
  lf_iso8601_ms (r->at_us, when);
  when[19] = 0; /* without a fraction and zone, as the schema has it */
  for (size_t i = 0; i < r->results->n; i++)
    failures += lf_result_fails (&r->results->v[i], r->strict);
  lf_buf_addf (out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"lambdafit check\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n",
               r->results->n, failures, (double) r->took_us / 1e6);
  for (size_t i = 0; i < r->observed_n; i++)
    add_suite (r, r->observed[i]->name, when, out);
  return lf_buf_adds (out, "</testsuites>\n");
}
