/* SPDX-License-Identifier: Apache-2.0
 *
 * A simulation as one HTML page that needs nothing else, in the style of the report's.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "simulate.h"

#define WIDTH 480
#define HEIGHT 110

typedef struct series { const char *name, *class; double x[LF_SIM_BINS], y[LF_SIM_BINS]; size_t n; } series;

static void
cell (lf_buf *b, const char *fmt, ...) LF_PRINTF (2, 3);

static void
cell (lf_buf *b, const char *fmt, ...)
{
  char text[600];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  lf_buf_adds (b, "<td>");
  lf_html_text (b, text);
  lf_buf_adds (b, "</td>");
}

static void
estimate (lf_buf *b, lf_estimate e, lf_sim_form as)
{
  char v[48], half[48] = "";
  lf_sim_figure (e.mean, as, v);
  if (e.half > 0)
    lf_sim_figure (e.half, as, half);
  cell (b, "%s%s%s", e.mean < 0 ? "-" : v, *half ? " ± " : "", half);
}

static void
heads (lf_buf *b, const char *const *names, size_t n)
{
  lf_buf_adds (b, "<div class=\"card wide\"><table><thead><tr>");
  for (size_t i = 0; i < n; i++)
    {
      lf_buf_adds (b, "<th>");
      lf_html_text (b, names[i]);
      lf_buf_adds (b, "</th>");
    }
  lf_buf_adds (b, "</tr></thead><tbody>");
}

static void
ends (lf_buf *b)
{
  lf_buf_adds (b, "</tbody></table></div>");
}

/* ---- charts ---------------------------------------------------------------------------------------------------------------- */

static double
place (double v, double least, double most, bool powers)
{
  if (most <= least)
    return 0;
  return powers ? lf_sim_log (v / least) / lf_sim_log (most / least) : (v - least) / (most - least);
}

static void
line_chart (lf_buf *b, const char *title, const char *left, const char *right, const series *s, size_t n, bool powers)
{
  double x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  bool any = false;
  for (size_t k = 0; k < n; k++)
    for (size_t i = 0; i < s[k].n; i++)
      {
        if (powers && !(s[k].y[i] > 0))
          continue;
        x0 = !any || s[k].x[i] < x0 ? s[k].x[i] : x0;
        x1 = !any || s[k].x[i] > x1 ? s[k].x[i] : x1;
        y0 = powers && (!any || s[k].y[i] < y0) ? s[k].y[i] : y0;
        y1 = !any || s[k].y[i] > y1 ? s[k].y[i] : y1;
        any = true;
      }
  if (!any || !(y1 > y0) || !(x1 > x0))
    return;
  lf_buf_adds (b, "<div><h3>");
  lf_html_text (b, title);
  lf_buf_addf (b, " (at most %.4g)</h3><svg viewBox=\"0 -4 %d %d\" role=\"img\"><line class=\"axis\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", y1, WIDTH, HEIGHT + 8, WIDTH,
               HEIGHT, HEIGHT);
  for (size_t k = 0; k < n; k++)
    {
      lf_buf_addf (b, "<polyline class=\"line %s\" points=\"", s[k].class);
      for (size_t i = 0; i < s[k].n; i++)
        if (!powers || s[k].y[i] > 0)
          lf_buf_addf (b, "%.1f,%.1f ", WIDTH * place (s[k].x[i], x0, x1, powers), HEIGHT * (1 - place (s[k].y[i], y0, y1, powers)));
      lf_buf_adds (b, "\"/>");
    }
  lf_buf_adds (b, "</svg><div class=\"ends\"><span>");
  lf_html_text (b, left);
  lf_buf_adds (b, "</span><span class=\"key\">");
  for (size_t k = 0; n > 1 && k < n; k++)
    {
      lf_buf_addf (b, "<span class=\"name %s\">", s[k].class);
      lf_html_text (b, s[k].name);
      lf_buf_adds (b, "</span> ");
    }
  lf_buf_adds (b, "</span><span>");
  lf_html_text (b, right);
  lf_buf_adds (b, "</span></div></div>");
}

static void
over_time (lf_buf *b, const lf_sim_result *r)
{
  static const char *const titles[] = { "requests per second", "environments", "environments at work", "cold starts", "throttled" };
  series *s = calloc (1, sizeof *s);
  char right[48];
  snprintf (right, sizeof right, "%.4g h", (double) r->length_us / 3.6e9);
  lf_buf_adds (b, "<div class=\"card charts\">");
  for (size_t k = 0; s && k < LF_ARRAY_LEN (titles); k++)
    {
      *s = (series){ .name = titles[k], .class = k == 3 ? "cold" : k == 4 ? "bad" : "ok", .n = r->bins_n };
      for (size_t i = 0; i < r->bins_n; i++)
        {
          const lf_sim_bin *x = &r->bins[i];
          const double v[] = { (double) x->requests / ((double) r->bin_us / 1e6), x->environments, x->running, (double) x->cold, (double) x->throttled };
          s->x[i] = (double) i;
          s->y[i] = v[k];
        }
      line_chart (b, titles[k], "0", right, s, 1, false);
    }
  lf_buf_adds (b, "</div>");
  free (s);
}

static void
cost_chart (lf_buf *b, const lf_sim_beside *x)
{
  static const char *const classes[] = { "ok", "cold", "bad" };
  series *s = calloc (3, sizeof *s);
  char left[48], right[48];
  if (s && x->rates > 1)
    {
      for (size_t k = 0; k <= x->break_evens; k++)
        {
          s[k].name = k == 0 ? "lambda" : x->service[k - 1];
          s[k].class = classes[k];
          s[k].n = x->rates;
          for (size_t i = 0; i < x->rates; i++)
            {
              s[k].x[i] = x->rate[i].rate_per_s;
              s[k].y[i] = k == 0 ? x->rate[i].lambda_usd : x->rate[i].count[k - 1] >= 0 ? x->rate[i].usd[k - 1] : 0;
            }
        }
      snprintf (left, sizeof left, "%.3g/s", x->rate[0].rate_per_s);
      snprintf (right, sizeof right, "%.3g/s", x->rate[x->rates - 1].rate_per_s);
      lf_buf_adds (b, "<div class=\"card charts\">");
      line_chart (b, "a month's cost over the rate in USD, both as powers", left, right, s, x->break_evens + 1, true);
      lf_buf_adds (b, "</div>");
    }
  free (s);
}

/* ---- tables ---------------------------------------------------------------------------------------------------------------- */

static void
figures (lf_buf *b, const lf_sim_page *p)
{
  static const struct { const char *title; lf_metric m; lf_sim_form as; } rows[]
      = { { "requests", LF_METRIC_requests, LF_AS_COUNT },          { "cold starts", LF_METRIC_cold, LF_AS_COUNT },
          { "throttled", LF_METRIC_throttled, LF_AS_COUNT },        { "failed", LF_METRIC_failed, LF_AS_COUNT },
          { "environments, mean", LF_METRIC_environments_mean, LF_AS_MEAN }, { "environments, at most", LF_METRIC_environments_max, LF_AS_COUNT },
          { "environments at work", LF_METRIC_running_mean, LF_AS_MEAN },    { "environments idle", LF_METRIC_idle_mean, LF_AS_MEAN },
          { "lifespan of an environment", LF_METRIC_lifespan_mean_s, LF_AS_S }, { "wait, mean", LF_METRIC_wait_mean, LF_AS_MS },
          { "latency, mean", LF_METRIC_latency_mean, LF_AS_MS },    { "latency, p50", LF_METRIC_latency_p50, LF_AS_MS },
          { "latency, p95", LF_METRIC_latency_p95, LF_AS_MS },      { "latency, p99", LF_METRIC_latency_p99, LF_AS_MS },
          { "cost", LF_METRIC_cost_usd, LF_AS_MONEY },              { "  of requests", LF_METRIC_cost_requests_usd, LF_AS_MONEY },
          { "  of duration", LF_METRIC_cost_duration_usd, LF_AS_MONEY }, { "  of init", LF_METRIC_cost_init_usd, LF_AS_MONEY },
          { "a month of it", LF_METRIC_monthly_cost_usd, LF_AS_MONEY } };
  static const char *const names[] = { "", "mean over seeds, 95 % interval" };
  heads (b, names, LF_ARRAY_LEN (names));
  for (size_t i = 0; i < LF_ARRAY_LEN (rows); i++)
    {
      if (rows[i].as == LF_AS_MONEY && !p->runs[0].known_cost)
        continue;
      lf_buf_adds (b, "<tr>");
      cell (b, "%s", rows[i].title);
      estimate (b, p->m[rows[i].m], rows[i].as);
      lf_buf_adds (b, "</tr>");
    }
  ends (b);
}

static void
points (lf_buf *b, const lf_sim_page *p)
{
  static const char *const rest[] = { "cold", "lost", "environments", "p50", "p95", "a month", "not beaten" };
  const char *names[LF_SIM_AXES_MAX + LF_ARRAY_LEN (rest)];
  const lf_sim_sweep *s = p->sweep;
  for (size_t k = 0; k < s->n; k++)
    names[k] = s->axis[k].opt->name;
  memcpy (names + s->n, rest, sizeof rest);
  heads (b, names, s->n + LF_ARRAY_LEN (rest));
  for (size_t i = 0; i < s->points; i++)
    {
      const lf_estimate *m = p->points[i];
      double requests = m[LF_METRIC_requests].mean > 0 ? m[LF_METRIC_requests].mean : 1;
      lf_buf_adds (b, "<tr>");
      for (size_t k = 0; k < s->n; k++)
        cell (b, "%s", lf_sim_sweep_value (s, i, k));
      estimate (b, (lf_estimate){ m[LF_METRIC_cold].mean / requests, m[LF_METRIC_cold].half / requests }, LF_AS_PERCENT);
      estimate (b, (lf_estimate){ (m[LF_METRIC_throttled].mean + m[LF_METRIC_failed].mean) / requests, -1 }, LF_AS_PERCENT);
      estimate (b, m[LF_METRIC_environments_mean], LF_AS_MEAN);
      estimate (b, m[LF_METRIC_latency_p50], LF_AS_MS);
      estimate (b, m[LF_METRIC_latency_p95], LF_AS_MS);
      estimate (b, m[LF_METRIC_monthly_cost_usd], LF_AS_MONEY);
      cell (b, "%s", p->pareto[i] ? "*" : "");
      lf_buf_adds (b, "</tr>");
    }
  ends (b);
}

static void
alternatives (lf_buf *b, const lf_sim_beside *x)
{
  static const char *const names[] = { "service", "size", "", "count", "busy", "p50", "p95", "a month", "goal" };
  heads (b, names, LF_ARRAY_LEN (names));
  for (size_t i = 0; i < x->alternatives; i++)
    {
      const lf_sim_alternative *a = &x->alternative[i];
      lf_buf_adds (b, "<tr>");
      cell (b, "%s", a->on.service);
      cell (b, "%s", a->on.size);
      cell (b, "%s", a->scaled ? "scaled on load" : "fixed");
      cell (b, a->scaled ? "%.1f" : "%.0f", a->count);
      cell (b, "%.0f %%", 100 * a->busy_share);
      estimate (b, (lf_estimate){ a->latency_p50_ms, -1 }, LF_AS_MS);
      estimate (b, (lf_estimate){ a->latency_p95_ms, -1 }, LF_AS_MS);
      estimate (b, (lf_estimate){ a->monthly_usd, -1 }, LF_AS_MONEY);
      cell (b, "%s", a->meets_goal ? "reached" : "missed");
      lf_buf_adds (b, "</tr>");
    }
  ends (b);
  for (size_t i = 0; i < x->break_evens; i++)
    {
      const lf_sim_break_even *e = &x->break_even[i];
      lf_buf_adds (b, "<p>");
      lf_html_text (b, e->service);
      lf_buf_addc (b, ' ');
      lf_html_text (b, e->size);
      if (e->rate_per_s >= 0)
        lf_buf_addf (b, " is cheaper than Lambda from %.3g requests a second on (%.0f of them).</p>", e->rate_per_s, e->count);
      else
        lf_buf_adds (b, " is cheaper than Lambda at no rate that was looked at.</p>");
    }
}

static void
assumptions (lf_buf *b, const lf_sim_page *p)
{
  lf_buf_adds (b, "<div class=\"card\"><h2>Assumptions</h2>");
  for (size_t i = 0; i < p->sweep->points; i++)
    for (size_t k = 0; k < p->scenarios[i]->assumptions.n; k++)
      {
        bool known = false; /* the same sentence of an earlier point */
        for (size_t j = 0; j < i && !known; j++)
          known = k < p->scenarios[j]->assumptions.n && strcmp (p->scenarios[j]->assumptions.v[k], p->scenarios[i]->assumptions.v[k]) == 0;
        if (known)
          continue;
        lf_buf_adds (b, "<p>");
        lf_html_text (b, p->scenarios[i]->assumptions.v[k]);
        lf_buf_adds (b, "</p>");
      }
  for (size_t i = 0; p->beside && i < p->beside->assumptions.n; i++)
    {
      lf_buf_adds (b, "<p>");
      lf_html_text (b, p->beside->assumptions.v[i]);
      lf_buf_adds (b, "</p>");
    }
  lf_buf_adds (b, "</div>");
}

int
lf_sim_html (const lf_sim_page *p, lf_buf *b)
{
  const lf_sim_result *r = p->runs[0].result;
  lf_buf_adds (b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>lambdafit simulation</title><style>");
  lf_buf_adds (b, lf_html_style);
  lf_buf_adds (b, ".line{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}.line.ok{fill:none;stroke:var(--ok)}.line.cold{fill:none;stroke:var(--cold)}"
                  ".line.bad{fill:none;stroke:var(--bad)}.name.ok{color:var(--ok)}.name.cold{color:var(--cold)}.name.bad{color:var(--bad)}</style></head><body><main><h1>");
  lf_html_text (b, p->scenario->item[0].fn.name);
  lf_buf_addf (b, "</h1><p class=\"soft\">%.6g hours of simulated traffic, %zu seed%s from %llu, profile ", (double) r->length_us / 3.6e9, p->n, p->n == 1 ? "" : "s",
               (unsigned long long) p->runs[0].seed);
  lf_html_text (b, p->scenario->profile->name);
  lf_buf_adds (b, ", traffic ");
  lf_html_text (b, p->args->arrivals);
  lf_buf_adds (b, "</p>");
  if (p->sweep->n)
    points (b, p);
  else
    {
      figures (b, p);
      over_time (b, r);
    }
  if (p->beside && p->beside->alternatives)
    {
      alternatives (b, p->beside);
      cost_chart (b, p->beside);
    }
  assumptions (b, p);
  lf_buf_adds (b, "</main></body></html>\n");
  return b->failed ? -1 : 0;
}
