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

void
lf_sim_figure (double v, lf_sim_form as, char out[48])
{
  switch (as)
    {
    case LF_AS_COUNT:
      snprintf (out, 48, v == (double) (int64_t) v ? "%.0f" : "%.1f", v);
      return;
    case LF_AS_MEAN:
      snprintf (out, 48, "%.3f", v);
      return;
    case LF_AS_MS:
      lf_show_us ((int64_t) (v * 1000 + 0.5), out);
      return;
    case LF_AS_S:
      snprintf (out, 48, "%.1f s", v);
      return;
    case LF_AS_MONEY:
      snprintf (out, 48, v >= 100 ? "$%.0f" : v >= 0.1 ? "$%.2f" : "$%.3g", v);
      return;
    case LF_AS_PERCENT:
      snprintf (out, 48, "%.4g %%", v * 100);
      return;
    }
}

static void
row (lf_table *t, const char *title, lf_estimate e, lf_sim_form as, const char *more)
{
  char v[48], half[48] = "";
  lf_sim_figure (e.mean, as, v);
  if (e.half >= 0)
    lf_sim_figure (e.half, as, half);
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
      lf_sim_figure (n / of, LF_AS_PERCENT, v);
      snprintf (out, 64, "%s", v);
    }
}

static void
counts (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  char more[64];
  double requests = m[LF_METRIC_requests].mean;
  row (t, "requests", m[LF_METRIC_requests], LF_AS_COUNT, "");
  part (more, m[LF_METRIC_cold].mean, requests);
  row (t, "cold starts", m[LF_METRIC_cold], LF_AS_COUNT, more);
  part (more, m[LF_METRIC_throttled].mean, requests);
  row (t, "throttled", m[LF_METRIC_throttled], LF_AS_COUNT, more);
  part (more, m[LF_METRIC_failed].mean, requests);
  row (t, "failed", m[LF_METRIC_failed], LF_AS_COUNT, more);
  if (m[LF_METRIC_attempts].mean != requests)
    row (t, "attempts", m[LF_METRIC_attempts], LF_AS_COUNT, "");
  if (m[LF_METRIC_timeouts].mean > 0)
    row (t, "timeouts", m[LF_METRIC_timeouts], LF_AS_COUNT, "");
  row (t, "environments, mean", m[LF_METRIC_environments_mean], LF_AS_MEAN, "");
  row (t, "  at most", m[LF_METRIC_environments_max], LF_AS_COUNT, "");
  row (t, "  at work", m[LF_METRIC_running_mean], LF_AS_MEAN, "");
  row (t, "  idle", m[LF_METRIC_idle_mean], LF_AS_MEAN, "");
  row (t, "  lifespan", m[LF_METRIC_lifespan_mean_s], LF_AS_S, "");
}

static void
times (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  row (t, "latency, mean", m[LF_METRIC_latency_mean], LF_AS_MS, "");
  row (t, "  p50", m[LF_METRIC_latency_p50], LF_AS_MS, "");
  row (t, "  p95", m[LF_METRIC_latency_p95], LF_AS_MS, "");
  row (t, "  p99", m[LF_METRIC_latency_p99], LF_AS_MS, "");
  if (m[LF_METRIC_wait_mean].mean > 0)
    {
      row (t, "wait, mean", m[LF_METRIC_wait_mean], LF_AS_MS, "before an environment takes it");
      row (t, "  p95", m[LF_METRIC_wait_p95], LF_AS_MS, "");
    }
}

static void
money (lf_table *t, const lf_sim_page *p)
{
  const lf_estimate *m = p->m;
  row (t, "billed time", (lf_estimate){ m[LF_METRIC_billed_ms].mean / 1000, m[LF_METRIC_billed_ms].half < 0 ? -1 : m[LF_METRIC_billed_ms].half / 1000 }, LF_AS_S, "");
  if (!p->runs[0].known_cost)
    return;
  row (t, "cost", m[LF_METRIC_cost_usd], LF_AS_MONEY, "");
  row (t, "  requests", m[LF_METRIC_cost_requests_usd], LF_AS_MONEY, "");
  row (t, "  duration", m[LF_METRIC_cost_duration_usd], LF_AS_MONEY, "");
  row (t, "  init", m[LF_METRIC_cost_init_usd], LF_AS_MONEY, "");
  if (m[LF_METRIC_cost_tmp_usd].mean > 0)
    row (t, "  /tmp", m[LF_METRIC_cost_tmp_usd], LF_AS_MONEY, "");
  row (t, "a month of it", m[LF_METRIC_monthly_cost_usd], LF_AS_MONEY, "30 days, no free tier");
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
cell (lf_table *t, lf_estimate e, lf_sim_form as)
{
  char v[48], half[48];
  lf_sim_figure (e.mean, as, v);
  lf_sim_figure (e.half, as, half);
  if (e.mean < 0)
    lf_table_add (t, "-");
  else if (e.half > 0)
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
      cell (&t, (lf_estimate){ m[LF_METRIC_cold].mean / requests, m[LF_METRIC_cold].half / requests }, LF_AS_PERCENT);
      cell (&t, (lf_estimate){ (m[LF_METRIC_throttled].mean + m[LF_METRIC_failed].mean) / requests, -1 }, LF_AS_PERCENT);
      cell (&t, m[LF_METRIC_environments_mean], LF_AS_MEAN);
      cell (&t, m[LF_METRIC_latency_p50], LF_AS_MS);
      cell (&t, m[LF_METRIC_latency_p95], LF_AS_MS);
      if (p->runs[i * p->n].known_cost)
        cell (&t, m[LF_METRIC_monthly_cost_usd], LF_AS_MONEY);
      else
        lf_table_add (&t, "-");
      lf_table_add (&t, "%s", p->pareto[i] ? "*" : "");
    }
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
  fputs ("* no other point is as good in cost, p95, cold starts and lost requests and better in one of them\n", f);
}

/* ---- beside Lambda ------------------------------------------------------------------------------------------------------------- */

static void
alternatives (const lf_sim_page *p, FILE *f)
{
  static const char *const heads[] = { "", "size", "", "count", "busy", "p50", "p95", "a month" };
  const lf_sim_beside *b = p->beside;
  lf_table t;
  lf_table_init (&t, 8, "lllrrrrr");
  for (size_t i = 0; i < LF_ARRAY_LEN (heads); i++)
    lf_table_add (&t, "%s", heads[i]);
  char v[48];
  lf_table_add (&t, "lambda");
  lf_table_add (&t, "%lld MB", (long long) p->scenario->item[0].fn.memory_mb);
  lf_table_add (&t, "%s", "");
  lf_table_add (&t, "%.1f", p->m[LF_METRIC_environments_mean].mean);
  lf_table_add (&t, "%s", "");
  cell (&t, (lf_estimate){ p->m[LF_METRIC_latency_p50].mean, -1 }, LF_AS_MS);
  cell (&t, (lf_estimate){ p->m[LF_METRIC_latency_p95].mean, -1 }, LF_AS_MS);
  cell (&t, (lf_estimate){ p->m[LF_METRIC_monthly_cost_usd].mean, -1 }, LF_AS_MONEY);
  for (size_t i = 0; i < b->alternatives; i++)
    {
      const lf_sim_alternative *x = &b->alternative[i];
      lf_table_add (&t, "%s", x->on.service);
      lf_table_add (&t, "%s", x->on.size);
      lf_table_add (&t, "%s", x->scaled ? "scaled on load" : "fixed");
      lf_table_add (&t, x->scaled ? "%.1f" : "%.0f", x->count);
      lf_table_add (&t, "%.0f %%", 100 * x->busy_share);
      cell (&t, (lf_estimate){ x->latency_p50_ms, -1 }, LF_AS_MS);
      cell (&t, (lf_estimate){ x->latency_p95_ms, -1 }, LF_AS_MS);
      lf_sim_figure (x->monthly_usd, LF_AS_MONEY, v);
      lf_table_add (&t, "%s%s", v, x->meets_goal ? "" : " misses the goal");
    }
  fputc ('\n', f);
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
}

static const char *
cheapest_of (const lf_sim_beside *b, const lf_sim_rate_row *r)
{
  double least = r->lambda_usd;
  const char *name = "lambda";
  for (size_t k = 0; k < b->break_evens; k++)
    if (r->count[k] >= 0 && r->usd[k] < least)
      {
        least = r->usd[k];
        name = b->service[k];
      }
  return name;
}

static void
rates (const lf_sim_beside *b, FILE *f)
{
  char v[48];
  for (size_t i = 0; i < b->break_evens; i++)
    if (b->break_even[i].rate_per_s >= 0)
      fprintf (f, "%s %s is cheaper than Lambda from %.3g requests a second on (%.0f of them)\n", b->break_even[i].service, b->break_even[i].size,
               b->break_even[i].rate_per_s, b->break_even[i].count);
    else
      fprintf (f, "%s %s is cheaper than Lambda at no rate that up to 64 of them serve\n", b->break_even[i].service, b->break_even[i].size);
  if (!b->rates)
    return;
  lf_table t;
  lf_table_init (&t, (int) (3 + 2 * b->break_evens), "rrrrrrrrr");
  lf_table_add (&t, "a second");
  lf_table_add (&t, "lambda");
  for (size_t k = 0; k < b->break_evens; k++)
    {
      lf_table_add (&t, "%s", b->service[k]);
      lf_table_add (&t, "of");
    }
  lf_table_add (&t, "cheapest");
  for (size_t i = 0; i < b->rates; i++)
    {
      const lf_sim_rate_row *r = &b->rate[i];
      lf_table_add (&t, "%.3g", r->rate_per_s);
      cell (&t, (lf_estimate){ r->lambda_usd, -1 }, LF_AS_MONEY);
      for (size_t k = 0; k < b->break_evens; k++)
        {
          lf_sim_figure (r->usd[k], LF_AS_MONEY, v);
          lf_table_add (&t, "%s", r->count[k] < 0 ? "-" : v);
          lf_table_add (&t, r->count[k] < 0 ? "-" : "%.0f", r->count[k]);
        }
      lf_table_add (&t, "%s", cheapest_of (b, r));
    }
  fputc ('\n', f);
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
}

/* A month's cost over the rate, both as powers: Lambda and the others in one picture. */
static void
cost_chart (const lf_sim_beside *b, FILE *f)
{
  static const char marks[] = "LFE";
  char grid[12][LF_SIM_RATES * 4 + 1];
  double least = 0, most = 0;
  if (b->rates < 2)
    return;
  for (size_t i = 0; i < b->rates; i++)
    for (size_t k = 0; k <= b->break_evens; k++)
      {
        double v = k == 0 ? b->rate[i].lambda_usd : b->rate[i].count[k - 1] >= 0 ? b->rate[i].usd[k - 1] : 0;
        if (v > 0 && (least == 0 || v < least))
          least = v;
        most = v > most ? v : most;
      }
  if (!(least > 0) || !(most > least))
    return;
  memset (grid, ' ', sizeof grid);
  for (size_t i = 0; i < b->rates; i++)
    for (size_t k = 0; k <= b->break_evens; k++)
      {
        double v = k == 0 ? b->rate[i].lambda_usd : b->rate[i].count[k - 1] >= 0 ? b->rate[i].usd[k - 1] : 0;
        char mark = k == 0 ? marks[0] : strcmp (b->service[k - 1], "fargate") == 0 ? marks[1] : marks[2];
        if (!(v > 0))
          continue;
        char *at = &grid[11 - (int) (11 * lf_sim_log (v / least) / lf_sim_log (most / least) + 0.5)][4 * i];
        *(*at == ' ' ? at : at[1] == ' ' ? at + 1 : at + 2) = mark;
      }
  char low[48], high[48];
  lf_sim_figure (least, LF_AS_MONEY, low);
  lf_sim_figure (most, LF_AS_MONEY, high);
  fprintf (f, "\na month's cost over the rate: L Lambda, F Fargate, E EC2; from %s to %s, from %.3g to %.3g requests a second, both as powers\n", low, high,
           b->rate[0].rate_per_s, b->rate[b->rates - 1].rate_per_s);
  for (size_t r = 0; r < LF_ARRAY_LEN (grid); r++)
    {
      size_t n = sizeof grid[r] - 1;
      while (n && grid[r][n - 1] == ' ')
        n--;
      fprintf (f, "  |%.*s\n", (int) n, grid[r]);
    }
}

static void
beside (const lf_sim_page *p, FILE *f)
{
  if (p->beside->alternatives)
    {
      alternatives (p, f);
      fputc ('\n', f);
      rates (p->beside, f);
      cost_chart (p->beside, f);
    }
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
  for (size_t i = 0; p->beside && i < p->beside->assumptions.n; i++)
    fprintf (f, "%s  %s\n", seen.n + i == 0 ? "\nassumptions\n" : "", p->beside->assumptions.v[i]);
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
  if (p->beside)
    beside (p, f);
  assumptions (p, f);
  return ferror (f) ? -1 : 0;
}
