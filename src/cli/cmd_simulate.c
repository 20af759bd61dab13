/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit simulate: traffic under a virtual clock.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

/* More than this takes hours: a typing error is likelier than patience. */
static int
bounded (const lf_scenario *const *s, size_t points, size_t seeds, lf_error *err)
{
  double sum = 0;
  for (size_t i = 0; i < points; i++)
    for (size_t k = 0; k < s[i]->n && s[i]->options.for_us != LF_NONE; k++)
      sum += lf_arrivals_expected (&s[i]->arrivals[k], s[i]->options.for_us) * (double) seeds;
  if (sum <= LF_SIM_REQUESTS_MAX)
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, "simulate", "shorten --for, or ask for fewer seeds or points of a sweep",
                  "%.3g requests are asked for, more than the %.0g that are simulated at once", sum, LF_SIM_REQUESTS_MAX);
}

static int
print_page (const lf_args *a, const lf_sim_page *p, lf_error *err)
{
  if (!a->json)
    return lf_sim_text (p, stdout) == 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write");
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_sim_json (p);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (!o || lf_json_print_pretty (o, &b) != 0)
    return LF_FAIL_NOMEM (err);
  return printf ("%s\n", b.data) > 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write");
}

static int
simulate (const lf_args *a, const lf_profile *p, lf_error *err)
{
  size_t seeds = a->seeds == LF_NONE ? 1 : (size_t) a->seeds;
  lf_scenario *s = lf_scenario_new (a, p, err);
  if (!s)
    return -1;
  const lf_scenario *points[] = { s };
  lf_sim_run *runs = bounded (points, 1, seeds, err) == 0 ? calloc (seeds, sizeof *runs) : NULL;
  int failed = runs == NULL;
  if (failed && err->exit == LF_EXIT_OK)
    LF_FAIL_NOMEM (err);
  for (size_t i = 0; runs && i < seeds; i++)
    {
      runs[i].scenario = s;
      runs[i].seed = (uint64_t) (a->seed == LF_NONE ? 1 : a->seed) + i;
    }
  failed = failed || lf_sim_run_all (runs, seeds, a->quiet, err) != 0;
  if (!failed)
    {
      lf_sim_page page = { .args = a, .scenario = s, .runs = runs, .n = seeds };
      lf_sim_estimates (runs, seeds, page.m);
      failed = print_page (a, &page, err) != 0;
    }
  lf_sim_runs_free (runs, runs ? seeds : 0);
  lf_scenario_free (s);
  return failed ? -1 : 0;
}

int
lf_cmd_simulate (const lf_args *a)
{
  lf_error err = { 0 };
  lf_profile *p = lf_args_profile (a, &err);
  int failed = p == NULL || simulate (a, p, &err) != 0;
  lf_profile_free (p);
  return failed ? lf_cli_error (&err) : 0;
}
