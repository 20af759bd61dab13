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
bounded (lf_scenario *const *s, size_t points, size_t seeds, lf_error *err)
{
  double sum = 0;
  if (points * seeds > LF_SIM_RUNS_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, "--sweep", "sweep fewer values, or ask for fewer seeds", "%zu points with %zu seeds are more than %d runs", points, seeds,
                    LF_SIM_RUNS_MAX);
  for (size_t i = 0; i < points; i++)
    for (size_t k = 0; k < s[i]->n && s[i]->options.for_us != LF_NONE; k++)
      sum += lf_arrivals_expected (&s[i]->item[k].arrivals, s[i]->options.for_us) * (double) seeds;
  if (sum <= LF_SIM_REQUESTS_MAX)
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, "simulate", "shorten --for, or ask for fewer seeds or points of a sweep",
                  "%.3g requests are asked for, more than the %.0g that are simulated at once", sum, LF_SIM_REQUESTS_MAX);
}

/* A pipe can be read by one run only. */
static int
readable (const lf_scenario *s, size_t runs, lf_error *err)
{
  size_t from_pipe = 0;
  for (size_t k = 0; k < s->n; k++)
    for (size_t i = 0; i < s->item[k].arrivals.n; i++)
      from_pipe += strcmp (s->item[k].arrivals.v[i].file, "-") == 0;
  return from_pipe * runs <= 1 ? 0
                               : LF_FAIL (err, LF_EXIT_USAGE, "--arrivals", "save it in a file", "standard input can be read once, by one seed and one point");
}

static int
write_html (const char *path, const lf_sim_page *p, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_sim_html (p, &b) != 0)
    return LF_FAIL_NOMEM (err);
  if (strcmp (path, "-") == 0)
    return fwrite (b.data, 1, b.len, stdout) == b.len ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write the page");
  return lf_write_file_atomic (path, b.data, b.len, err);
}

static int
print_page (const lf_args *a, const lf_sim_page *p, lf_error *err)
{
  if (a->html && write_html (a->html, p, err) != 0)
    return -1;
  if (a->html && strcmp (a->html, "-") == 0)
    return 0;
  if (!a->json)
    return lf_sim_text (p, stdout) == 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write");
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_sim_json (p);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (!o || lf_json_print_pretty (o, &b) != 0)
    return LF_FAIL_NOMEM (err);
  return printf ("%s\n", b.data) > 0 ? 0 : LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write");
}

typedef struct plan
{
  lf_sim_stock stock;
  lf_sim_sweep sweep;
  size_t seeds;
  lf_scenario **scenario;
  lf_sim_run *runs;
  lf_estimate (*points)[LF_METRIC_COUNT];
  bool *pareto;
  lf_sim_beside beside;
} plan;

static void
plan_fini (plan *p)
{
  lf_sim_runs_free (p->runs, p->runs ? p->sweep.points * p->seeds : 0);
  for (size_t i = 0; p->scenario && i < p->sweep.points; i++)
    lf_scenario_free (p->scenario[i]);
  free (p->scenario);
  free (p->points);
  free (p->pareto);
  lf_sim_beside_fini (&p->beside);
  lf_sim_sweep_fini (&p->sweep);
  lf_sim_stock_fini (&p->stock);
}

static int
plan_make (plan *p, const lf_args *a, lf_error *err)
{
  p->seeds = a->seeds == LF_NONE ? 1 : (size_t) a->seeds;
  if (lf_sim_sweep_parse (a, &p->sweep, err) != 0)
    return -1;
  if (a->from && !(p->stock.measured = lf_measured_load (a->db, a->from, err)))
    return -1;
  size_t points = p->sweep.points;
  p->scenario = calloc (points, sizeof (lf_scenario *));
  p->points = calloc (points, sizeof *p->points);
  p->pareto = calloc (points, sizeof *p->pareto);
  if (!p->scenario || !p->points || !p->pareto)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < points; i++)
    {
      lf_args at;
      if (lf_sim_sweep_args (&p->sweep, i, a, &at, err) != 0 || !(p->scenario[i] = lf_scenario_new (&at, a, &p->stock, err)))
        return -1;
    }
  if (bounded (p->scenario, points, p->seeds, err) != 0 || readable (p->scenario[0], points * p->seeds, err) != 0)
    return -1;
  p->runs = calloc (points * p->seeds, sizeof *p->runs);
  if (!p->runs)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < points * p->seeds; i++)
    {
      p->runs[i].scenario = p->scenario[i / p->seeds];
      p->runs[i].seed = (uint64_t) (a->seed == LF_NONE ? 1 : a->seed) + i % p->seeds;
    }
  p->runs[0].keep = true;
  return 0;
}

static int
simulate (const lf_args *a, plan *p, lf_error *err)
{
  bool beside = true;
  if (lf_sim_on_off ("--beside", a->beside, true, &beside, err) != 0 || plan_make (p, a, err) != 0 || lf_sim_run_all (p->runs, p->sweep.points * p->seeds, a->quiet, err) != 0)
    return -1;
  beside = beside && p->sweep.n == 0;
  for (size_t i = 0; i < p->sweep.points; i++)
    lf_sim_estimates (p->runs + i * p->seeds, p->seeds, p->points[i]);
  const lf_estimate (*points)[LF_METRIC_COUNT] = (const lf_estimate (*)[LF_METRIC_COUNT]) p->points;
  lf_sim_pareto (points, p->sweep.points, p->pareto);
  lf_sim_page page = { .args = a, .scenario = p->scenario[0], .runs = p->runs, .n = p->seeds, .sweep = &p->sweep, .scenarios = p->scenario, .points = points,
                       .pareto = p->pareto };
  memcpy (page.m, p->points[0], sizeof page.m);
  if (beside)
    {
      if (lf_sim_beside_make (a, p->scenario[0], &p->stock, page.m, (double) p->runs[0].result->length_us, &p->beside, err) != 0)
        return -1;
      page.beside = &p->beside;
    }
  if (a->log && lf_sim_write_log (p->scenario[0], p->runs[0].seed, a->log, a->start, a->quiet, err) != 0)
    return -1;
  return print_page (a, &page, err);
}

int
lf_cmd_simulate (const lf_args *a)
{
  lf_error err = { 0 };
  plan p = { 0 };
  lf_profile *profile = lf_args_profile (a, &err);
  p.stock.profile = profile;
  int failed = profile == NULL || simulate (a, &p, &err) != 0;
  plan_fini (&p);
  lf_profile_free (profile);
  return failed ? lf_cli_error (&err) : 0;
}
