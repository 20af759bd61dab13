/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulation for a terminal.
 */
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

#define CHART_COLUMNS 72
#define CHART_ROWS 6

/* ---- figures --------------------------------------------------------------------------------------------------------------- */

typedef enum { AS_COUNT, AS_MEAN, AS_MS, AS_S, AS_MONEY, AS_PERCENT } form;

static void
figure (double v, form as, char out[48])
{
  switch (as)
    {
    case AS_COUNT:
      snprintf (out, 48, v == (double) (int64_t) v ? "%.0f" : "%.1f", v);
      return;
    case AS_MEAN:
      snprintf (out, 48, "%.3f", v);
      return;
    case AS_MS:
      lf_show_us ((int64_t) (v * 1000 + 0.5), out);
      return;
    case AS_S:
      snprintf (out, 48, "%.1f s", v);
      return;
    case AS_MONEY:
      snprintf (out, 48, v >= 100 ? "$%.0f" : v >= 0.1 ? "$%.2f" : "$%.3g", v);
      return;
    case AS_PERCENT:
      snprintf (out, 48, "%.4g %%", v * 100);
      return;
    }
}

static void
row (lf_table *t, const char *title, lf_estimate e, form as, const char *more)
{
  char v[48], half[48] = "";
  figure (e.mean, as, v);
  if (e.half >= 0)
    figure (e.half, as, half);
  lf_table_add (t, "%s", title);
  lf_table_add (t, "%s", e.mean < 0 ? "-" : v);
  lf_table_add (t, "%s%s", e.half >= 0 ? "± " : "", half);
  lf_table_add (t, "%s", more);
}

static void
part (char out[64], double n, double of)
{
  char v[48];
  *out = 0;
  if (of > 0)
    {
      figure (n / of, AS_PERCENT, v);
      snprintf (out, 64, "%s", v);
    }
}

static void
counts (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  char more[64];
  double requests = m[LF_METRIC_requests].mean;
  row (t, "requests", m[LF_METRIC_requests], AS_COUNT, "");
  part (more, m[LF_METRIC_cold].mean, requests);
  row (t, "cold starts", m[LF_METRIC_cold], AS_COUNT, more);
  part (more, m[LF_METRIC_throttled].mean, requests);
  row (t, "throttled", m[LF_METRIC_throttled], AS_COUNT, more);
  part (more, m[LF_METRIC_failed].mean, requests);
  row (t, "failed", m[LF_METRIC_failed], AS_COUNT, more);
  if (m[LF_METRIC_attempts].mean != requests)
    row (t, "attempts", m[LF_METRIC_attempts], AS_COUNT, "");
  if (m[LF_METRIC_timeouts].mean > 0)
    row (t, "timeouts", m[LF_METRIC_timeouts], AS_COUNT, "");
  row (t, "environments, mean", m[LF_METRIC_environments_mean], AS_MEAN, "");
  row (t, "  at most", m[LF_METRIC_environments_max], AS_COUNT, "");
  row (t, "  at work", m[LF_METRIC_running_mean], AS_MEAN, "");
  row (t, "  idle", m[LF_METRIC_idle_mean], AS_MEAN, "");
  row (t, "  lifespan", m[LF_METRIC_lifespan_mean_s], AS_S, "");
}

static void
times (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  row (t, "latency, mean", m[LF_METRIC_latency_mean], AS_MS, "");
  row (t, "  p50", m[LF_METRIC_latency_p50], AS_MS, "");
  row (t, "  p95", m[LF_METRIC_latency_p95], AS_MS, "");
  row (t, "  p99", m[LF_METRIC_latency_p99], AS_MS, "");
  if (m[LF_METRIC_wait_mean].mean > 0)
    {
      row (t, "wait, mean", m[LF_METRIC_wait_mean], AS_MS, "before an environment takes it");
      row (t, "  p95", m[LF_METRIC_wait_p95], AS_MS, "");
    }
}

static void
money (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  row (t, "billed time", (lf_estimate){ m[LF_METRIC_billed_ms].mean / 1000, m[LF_METRIC_billed_ms].half < 0 ? -1 : m[LF_METRIC_billed_ms].half / 1000 }, AS_S, "");
  if (!p->runs[0].known_cost)
    return;
  row (t, "cost", m[LF_METRIC_cost_usd], AS_MONEY, "");
  row (t, "  requests", m[LF_METRIC_cost_requests_usd], AS_MONEY, "");
  row (t, "  duration", m[LF_METRIC_cost_duration_usd], AS_MONEY, "");
  row (t, "  init", m[LF_METRIC_cost_init_usd], AS_MONEY, "");
  if (m[LF_METRIC_cost_tmp_usd].mean > 0)
    row (t, "  /tmp", m[LF_METRIC_cost_tmp_usd], AS_MONEY, "");
  row (t, "a month of it", m[LF_METRIC_monthly_cost_usd], AS_MONEY, "30 days, no free tier");
}

/* ---- charts ---------------------------------------------------------------------------------------------------------------- */

/* One column is two points, one row four: a line of dots. */
static void
chart (FILE *f, const char *title, const double *v, size_t n, double seconds)
{
  double most = 0;
  unsigned char dots[CHART_ROWS][CHART_COLUMNS] = { 0 };
  for (size_t i = 0; i < n; i++)
    most = v[i] > most ? v[i] : most;
  if (n < 2 || most <= 0)
    return;
  int last = -1;
  for (int x = 0; x < 2 * CHART_COLUMNS; x++)
    {
      static const unsigned char bit[2][4] = { { 0x01, 0x02, 0x04, 0x40 }, { 0x08, 0x10, 0x20, 0x80 } };
      double at = v[(size_t) x * n / (2 * CHART_COLUMNS)];
      int y = (int) (at / most * (4 * CHART_ROWS - 1) + 0.5), from = last < 0 ? y : last < y ? last + 1 : last > y ? last - 1 : y;
      for (int k = from;; k += k < y ? 1 : -1)
        {
          int down = 4 * CHART_ROWS - 1 - k;
          dots[down / 4][x / 2] |= bit[x % 2][down % 4];
          if (k == y)
            break;
        }
      last = y;
    }
  fprintf (f, "\n%s (at most %.4g)\n", title, most);
  for (int r = 0; r < CHART_ROWS; r++)
    {
      fputs ("  ", f);
      for (int c = 0; c < CHART_COLUMNS; c++)
        {
          unsigned code = 0x2800 + dots[r][c];
          fputc (0xe0 | (int) (code >> 12), f);
          fputc (0x80 | (int) (code >> 6 & 0x3f), f);
          fputc (0x80 | (int) (code & 0x3f), f);
        }
      fputc ('\n', f);
    }
  char end[48];
  if (seconds >= 172800)
    snprintf (end, sizeof end, "%.4g d", seconds / 86400);
  else if (seconds >= 7200)
    snprintf (end, sizeof end, "%.4g h", seconds / 3600);
  else
    snprintf (end, sizeof end, "%.4g s", seconds);
  fprintf (f, "  0%*s\n", CHART_COLUMNS - 1, end);
}

static void
charts (FILE *f, const lf_sim_page *p)
{
  const lf_sim_result *r = p->runs[0].result;
  double env[LF_SIM_BINS], running[LF_SIM_BINS], cold[LF_SIM_BINS], requests[LF_SIM_BINS], seconds = (double) r->length_us / 1e6, step = (double) r->bin_us / 1e6;
  for (size_t i = 0; i < r->bins_n; i++)
    {
      env[i] = r->bins[i].environments;
      running[i] = r->bins[i].running;
      cold[i] = (double) r->bins[i].cold;
      requests[i] = (double) r->bins[i].requests / step;
    }
  chart (f, "requests per second", requests, r->bins_n, seconds);
  chart (f, "environments", env, r->bins_n, seconds);
  chart (f, "environments at work", running, r->bins_n, seconds);
  chart (f, "cold starts", cold, r->bins_n, seconds);
}

/* ---- sweeps ----------------------------------------------------------------------------------------------------------------- */

static void
cell (lf_table *t, lf_estimate e, form as)
{
  char v[48], half[48];
  figure (e.mean, as, v);
  figure (e.half, as, half);
  if (e.half > 0)
    lf_table_add (t, "%s ± %s", v, half);
  else
    lf_table_add (t, "%s", v);
}

static void
sweep_table (const lf_sim_page *p, FILE *f)
{
  const lf_sim_sweep *s = p->sweep;
  lf_table t;
  lf_table_init (&t, (int) s->n + 7, "rrrrrrrrrrrrrrrr" + (LF_SIM_AXES_MAX - s->n));
  for (size_t k = 0; k < s->n; k++)
    lf_table_add (&t, "%s", s->axis[k].opt->name);
  static const char *const heads[] = { "cold", "lost", "environments", "p50", "p95", "a month", "" };
  for (size_t k = 0; k < LF_ARRAY_LEN (heads); k++)
    lf_table_add (&t, "%s", heads[k]);
  for (size_t i = 0; i < s->points; i++)
    {
      const lf_estimate *m = p->points[i];
      for (size_t k = 0; k < s->n; k++)
        lf_table_add (&t, "%s", lf_sim_sweep_value (s, i, k));
      double requests = m[LF_METRIC_requests].mean > 0 ? m[LF_METRIC_requests].mean : 1;
      cell (&t, (lf_estimate){ m[LF_METRIC_cold].mean / requests, m[LF_METRIC_cold].half / requests }, AS_PERCENT);
      cell (&t, (lf_estimate){ (m[LF_METRIC_throttled].mean + m[LF_METRIC_failed].mean) / requests, -1 }, AS_PERCENT);
      cell (&t, m[LF_METRIC_environments_mean], AS_MEAN);
      cell (&t, m[LF_METRIC_latency_p50], AS_MS);
      cell (&t, m[LF_METRIC_latency_p95], AS_MS);
      if (p->runs[i * p->n].known_cost)
        cell (&t, m[LF_METRIC_monthly_cost_usd], AS_MONEY);
      else
        lf_table_add (&t, "-");
      lf_table_add (&t, "%s", p->pareto[i] ? "*" : "");
    }
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
  fputs ("* no other point is as good in cost, p95, cold starts and lost requests and better in one of them\n", f);
}

/* Those of all points, each once. */
static void
assumptions (const lf_sim_page *p, FILE *f)
{
  lf_strv seen = { 0 };
  for (size_t i = 0; i < p->sweep->points; i++)
    for (size_t k = 0; k < p->scenarios[i]->assumptions.n; k++)
      {
        const char *text = p->scenarios[i]->assumptions.v[k];
        bool known = false;
        for (size_t j = 0; j < seen.n && !known; j++)
          known = strcmp (seen.v[j], text) == 0;
        if (!known && lf_strv_add (&seen, text) == 0)
          fprintf (f, "%s  %s\n", seen.n == 1 ? "\nassumptions\n" : "", text);
      }
  lf_strv_fini (&seen);
}

int
lf_sim_text (const lf_sim_page *p, FILE *f)
{
  if (p->sweep->n)
    sweep_table (p, f);
  else
    {
      lf_table t;
      lf_table_init (&t, 4, "lrll");
      counts (&t, p);
      times (&t, p);
      money (&t, p);
      lf_table_print (&t, f, "");
      lf_table_fini (&t);
      charts (f, p);
    }
  assumptions (p, f);
  return ferror (f) ? -1 : 0;
}
