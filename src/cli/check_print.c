/* SPDX-License-Identifier: Apache-2.0
 *
 * The results as a table for a terminal.
 */
#include <string.h>

#include "check.h"

static const char *
color_of (lf_result_word w)
{
  return w == LF_RES_PASS ? "\033[32m" : w == LF_RES_NOT_MEASURED ? "\033[33m" : "\033[31m";
}

static void
show (const lf_result *r, int64_t v, char out[48])
{
  if (r->measure >= 0)
    lf_measure_show (r->measure, v, out);
  else if (v == LF_NONE)
    snprintf (out, 48, "-");
  else
    snprintf (out, 48, "%lld", (long long) v);
}

static void
add_row (lf_table *t, const lf_result *r)
{
  char used[48], allowed[48], base[48];
  show (r, r->used, used);
  show (r, r->allowed, allowed);
  show (r, r->baseline, base);
  lf_table_add (t, "%s", lf_result_name (r->word));
  lf_table_add (t, "%s", r->function);
  lf_table_add (t, "%s%s%s", r->budget, r->statistic ? " " : "", r->statistic ? r->statistic : "");
  lf_table_add (t, "%s", used);
  lf_table_add (t, "%s", allowed);
  lf_table_add (t, "%s", base);
  lf_table_add (t, "%.60s", r->event ? r->event : "");
}

static void
print_failures (const lf_checking *k, FILE *f)
{
  bool color = lf_color (f);
  for (size_t i = 0; i < k->results.n; i++)
    {
      const lf_result *r = &k->results.v[i];
      if (r->word == LF_RES_PASS)
        continue;
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      lf_buf_addf (&b, "%s: %s", r->function, r->budget);
      if (r->event)
        lf_buf_addf (&b, " (event %.100s)", r->event);
      lf_buf_addf (&b, ": %s", r->message);
      lf_buf out LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&out, 0);
      lf_buf_add_printable (&out, b.data ? b.data : "", b.len);
      fprintf (f, "\n%s%s%s %s\n", color ? color_of (r->word) : "", lf_result_name (r->word), color ? "\033[0m" : "", out.data ? out.data : "");
      if (r->fix[0])
        fprintf (f, "  fix: %s\n", r->fix);
    }
}

static void
print_stopped (const lf_checking *k, FILE *f)
{
  for (size_t i = 0; i < k->observed_n; i++)
    {
      const lf_observed *o = &k->observed[i];
      int64_t first = 0;
      for (size_t s = 0; s < o->samples_n; s++)
        first += o->samples[s].round == 0;
      if (o->stopped[0] || first < o->planned)
        fprintf (f, "\n%s: %lld of %lld invocations were made%s%s\n", o->name, (long long) first, (long long) o->planned, o->stopped[0] ? ": " : "", o->stopped);
    }
}

void
lf_check_print (const lf_checking *k, FILE *f)
{
  static const char *const heads[] = { "result", "function", "budget", "used", "allowed", "baseline", "event" };
  size_t by[LF_RES_BROKEN + 1] = { 0 };
  lf_table t;
  lf_table_init (&t, LF_ARRAY_LEN (heads), "lllrrrl");
  for (size_t i = 0; i < LF_ARRAY_LEN (heads); i++)
    lf_table_add (&t, "%s", heads[i]);
  for (size_t i = 0; i < k->results.n; i++)
    {
      add_row (&t, &k->results.v[i]);
      by[k->results.v[i].word]++;
    }
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
  print_failures (k, f);
  print_stopped (k, f);
  fprintf (f, "\n%s: %zu passed, %zu broken, %zu worse, %zu not measured here; the log is %s\n", lf_result_name (lf_results_word (&k->results)), by[LF_RES_PASS],
           by[LF_RES_BROKEN], by[LF_RES_WORSE], by[LF_RES_NOT_MEASURED], k->db);
}
