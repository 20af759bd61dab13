/* SPDX-License-Identifier: Apache-2.0
 *
 * A report as one HTML page that needs nothing else: styles and charts are in it, scripts and network are not, light and dark follow
 * the reader's setting.
 */
#include "report.h"

#include <string.h>

#define CHART_HEIGHT 96
#define BAR_WIDTH 10
#define CHART_WIDTH (LF_REPORT_BUCKETS * BAR_WIDTH)

const char lf_html_style[]
    = ":root{--bg:#fbfbfa;--card:#fff;--ink:#1c2024;--soft:#646b73;--line:#e3e5e8;--ok:#3b7dd8;--cold:#e0a21b;--bad:#c2372f;--near:#8a5a00;--track:#eceef1}"
      "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e8eaed;--soft:#9aa1a9;--line:#2e343a;--ok:#5b9bf0;--cold:#e8b645;--near:#e8b645;"
      "--bad:#f0716a;--track:#2a3036}}"
      "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,sans-serif}"
      "main{max-width:1440px;margin:0 auto;padding:24px}h1{font-size:22px;margin:0}h2{font-size:17px;margin:0 0 12px;overflow-wrap:anywhere}"
      "h3{font-size:13px;margin:0 0 6px;color:var(--soft);font-weight:600}p{margin:4px 0}.soft{color:var(--soft)}"
      ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px;margin:16px 0}"
      ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}"
      ".tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px}.tile b{display:block;font-size:22px}"
      ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
      "th,td{padding:6px 7px;font-size:13px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
      "th{color:var(--soft);font-weight:600;font-size:12px}td:first-child,th:first-child{text-align:left}td.text{white-space:normal}td.text,th.text{text-align:left}"
      ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:20px}"
      "svg{width:100%;height:auto;display:block}.ok{fill:var(--ok)}.cold{fill:var(--cold)}.bad{fill:var(--bad)}.axis{stroke:var(--line)}"
      ".mark{stroke:var(--ink);stroke-dasharray:3 3}svg text{fill:var(--soft);font-size:11px}"
      ".ends{display:flex;justify-content:space-between;color:var(--soft);font-size:12px}"
      ".gauge{margin:0 0 10px}.bar{height:8px;border-radius:4px;background:var(--track);overflow:hidden;display:flex}.bar i{display:block;height:8px}"
      "i.ok{background:var(--ok)}i.cold{background:var(--cold)}i.bad{background:var(--bad)}i.other{background:var(--soft)}"
      ".key span{white-space:nowrap}.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 4px 0 10px}"
      ".sev{font-weight:600}.sev.broken{color:var(--bad)}.sev.near{color:var(--near)}";

/* Text where markup is expected: nothing in it is markup. */
void
lf_html_text (lf_buf *b, const char *s)
{
  lf_buf clean LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&clean, 0);
  if (s == NULL || lf_buf_add_printable (&clean, s, strlen (s)) != 0)
    return;
  for (size_t i = 0; i < clean.len; i++)
    switch (clean.data[i])
      {
      case '<': lf_buf_adds (b, "&lt;"); break;
      case '>': lf_buf_adds (b, "&gt;"); break;
      case '&': lf_buf_adds (b, "&amp;"); break;
      case '"': lf_buf_adds (b, "&quot;"); break;
      case '\'': lf_buf_adds (b, "&#39;"); break;
      default: lf_buf_addc (b, clean.data[i]);
      }
}

static void
tile (lf_buf *b, const char *label, const char *value)
{
  lf_buf_addf (b, "<div class=\"tile\"><span class=\"soft\">%s</span><b>", label);
  lf_html_text (b, value);
  lf_buf_adds (b, "</b></div>");
}

static void
cell (lf_buf *b, const char *value)
{
  lf_buf_adds (b, "<td>");
  lf_html_text (b, value);
  lf_buf_adds (b, "</td>");
}

static void
overview (const lf_page *p, lf_buf *b)
{
  lf_buf_adds (b, "<div class=\"card wide\"><table><thead><tr><th>Function</th><th>Invocations</th><th>Errors</th><th>Cold</th><th>Init p50</th><th>p95</th>"
                  "<th>p99</th><th>Duration p50</th><th>p95</th><th>p99</th><th>Memory</th><th>Cost</th><th>Per million</th><th>Violations</th></tr></thead><tbody>");
  for (size_t i = 0; i < p->r->n; i++)
    {
      lf_figures g;
      char memory[32] = "-";
      int64_t permille = p->r->functions[i].memory_permille;
      if (permille != LF_NONE)
        snprintf (memory, sizeof memory, "%lld.%lld %%", (long long) permille / 10, (long long) permille % 10);
      lf_figures_of (p, &p->r->functions[i], &g);
      const char *const cells[] = { p->r->functions[i].name, g.invocations, g.errors, g.cold, g.init[0], g.init[1], g.init[2], g.duration[0], g.duration[1],
                                    g.duration[2], memory, g.cost, g.million, g.violations };
      lf_buf_adds (b, "<tr>");
      for (size_t k = 0; k < LF_ARRAY_LEN (cells); k++)
        cell (b, cells[k]);
      lf_buf_adds (b, "</tr>");
    }
  lf_buf_adds (b, "</tbody></table></div>");
}

/* ---- charts -------------------------------------------------------------------------------------------------------------------- */

static int
scaled (int64_t v, int64_t most)
{
  return most > 0 ? (int) ((double) v * CHART_HEIGHT / (double) most + 0.5) : 0;
}

static int
stack (lf_buf *b, size_t bucket, const char *class, int64_t v, int64_t most, int base)
{
  int height = scaled (v, most);
  if (v > 0 && height == 0)
    height = 1; /* a single error among thousands must be seen */
  if (height > 0)
    lf_buf_addf (b, "<rect class=\"%s\" x=\"%zu\" y=\"%d\" width=\"%d\" height=\"%d\"/>", class, bucket * BAR_WIDTH + 1, CHART_HEIGHT - base - height,
                 BAR_WIDTH - 2, height);
  return base + height;
}

static void
chart_begin (lf_buf *b, const char *title, const char *label)
{
  lf_buf_addf (b, "<div><h3>%s</h3><svg viewBox=\"0 -4 %d %d\" role=\"img\" aria-label=\"%s\"><line class=\"axis\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", title,
               CHART_WIDTH, CHART_HEIGHT + 5, label, CHART_WIDTH, CHART_HEIGHT, CHART_HEIGHT);
}

static void
chart_end (lf_buf *b, const char *from, const char *to)
{
  lf_buf_adds (b, "</svg><div class=\"ends\"><span>");
  lf_html_text (b, from);
  lf_buf_adds (b, "</span><span>");
  lf_html_text (b, to);
  lf_buf_adds (b, "</span></div></div>");
}

static void
timeline (const lf_page *p, const lf_report_function *it, lf_buf *b)
{
  char from[32], to[32];
  int64_t most = 0;
  for (size_t i = 0; i < LF_REPORT_BUCKETS; i++)
    most = it->timeline[i].invocations > most ? it->timeline[i].invocations : most;
  chart_begin (b, "Invocations over time<span class=\"key\"><i class=\"ok\"></i>warm<i class=\"cold\"></i>cold<i class=\"bad\"></i>error</span>",
               "invocations over time");
  for (size_t i = 0; i < LF_REPORT_BUCKETS; i++)
    {
      const lf_report_bucket *at = &it->timeline[i];
      int64_t cold = at->cold < at->invocations - at->errors ? at->cold : at->invocations - at->errors;
      int base = stack (b, i, "bad", at->errors, most, 0);
      base = stack (b, i, "cold", cold, most, base);
      stack (b, i, "ok", at->invocations - at->errors - cold, most, base);
    }
  lf_iso8601_ms (p->r->first_us, from);
  lf_iso8601_ms (p->r->last_us, to);
  from[19] = to[19] = '\0';
  chart_end (b, from, to);
}

/* Where a value lies on the histogram's scale of equal ratios: counted, since the buckets hold that already. */
static int
place (const lf_report_function *it, int percent)
{
  int64_t rank = ((int64_t) it->duration_us.n * percent + 99) / 100, seen = 0;
  for (int i = 0; i < LF_REPORT_BUCKETS; i++)
    if ((seen += it->histogram[i]) >= rank)
      return i * BAR_WIDTH + BAR_WIDTH / 2;
  return CHART_WIDTH;
}

static void
histogram (const lf_report_function *it, lf_buf *b)
{
  static const int percents[] = { 50, 95, 99 };
  char from[32], to[32];
  int64_t most = 0;
  for (size_t i = 0; i < LF_REPORT_BUCKETS; i++)
    most = it->histogram[i] > most ? it->histogram[i] : most;
  chart_begin (b, "Duration (logarithmic), with p50, p95 and p99", "histogram of durations");
  for (size_t i = 0; i < LF_REPORT_BUCKETS; i++)
    stack (b, i, "ok", it->histogram[i], most, 0);
  for (size_t i = 0; it->duration_us.n > 0 && i < LF_ARRAY_LEN (percents); i++)
    {
      int x = place (it, percents[i]);
      lf_buf_addf (b, "<line class=\"mark\" x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%d\"/>", x, x, CHART_HEIGHT);
    }
  lf_show_us (it->duration_us.min, from);
  lf_show_us (it->duration_us.max, to);
  chart_end (b, from, to);
}

static void
gauge (lf_buf *b, const char *label, const char *value, int64_t permille)
{
  int64_t width = permille == LF_NONE ? 0 : permille > 1000 ? 1000 : permille;
  const char *class = permille >= 1000 ? "bad" : permille >= 900 ? "cold" : "ok";
  lf_buf_addf (b, "<div class=\"gauge\"><div class=\"ends\"><span>%s</span><span>", label);
  lf_html_text (b, permille == LF_NONE && strcmp (value, "-") == 0 ? "not measured" : value);
  lf_buf_addf (b, "</span></div><div class=\"bar\"><i class=\"%s\" style=\"width:%lld.%lld%%\"></i></div></div>", class, (long long) width / 10,
               (long long) width % 10);
}

static void
gauges (const lf_page *p, const lf_report_function *it, lf_buf *b)
{
  lf_figures g;
  char duration[80];
  int64_t timeout_us = it->timeout_ms == LF_NONE ? LF_NONE : it->timeout_ms * 1000;
  lf_figures_of (p, it, &g);
  lf_show_used (it->duration_us.max, timeout_us, "us", it->duration_permille, duration);
  lf_buf_adds (b, "<h3>Limits, at the most</h3>");
  gauge (b, "Memory", g.memory, it->memory_permille);
  gauge (b, "/tmp", g.tmp, it->tmp_permille);
  gauge (b, "Duration", duration, it->duration_permille);
  gauge (b, "Package", g.package, lf_permille (it->package_bytes, p->profile->package_max_bytes));
}

static void
cost_split (const lf_report_function *it, lf_buf *b)
{
  const struct { const char *name, *class; lf_money m; } parts[] = {
    { "duration", "ok", it->cost.duration }, { "init", "cold", it->cost.init }, { "requests", "other", it->cost.requests }, { "/tmp", "bad", it->cost.tmp },
  };
  lf_buf_adds (b, "<h3>Cost</h3>");
  if (!it->cost.known || it->cost.total == 0)
    {
      lf_buf_addf (b, "<p class=\"soft\">%s</p>", it->cost.known ? "nothing was billed" : "the profile has no price for all of it");
      return;
    }
  char total[64];
  lf_page_cost (&it->cost, it->cost.total, total);
  lf_buf_adds (b, "<p>");
  lf_html_text (b, total);
  lf_buf_adds (b, "</p><div class=\"bar\">");
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      int permille = (int) (lf_money_double (parts[i].m) * 1000 / lf_money_double (it->cost.total) + 0.5);
      lf_buf_addf (b, "<i class=\"%s\" style=\"width:%d.%d%%\"></i>", parts[i].class, permille / 10, permille % 10);
    }
  lf_buf_adds (b, "</div><p class=\"key soft\">");
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      char part[64];
      lf_page_cost (&it->cost, parts[i].m, part);
      lf_buf_addf (b, "<span><i class=\"%s\"></i>%s ", parts[i].class, parts[i].name);
      lf_html_text (b, part);
      lf_buf_adds (b, "</span> ");
    }
  lf_buf_adds (b, "</p>");
}

static void
function_card (const lf_page *p, const lf_report_function *it, lf_buf *b)
{
  lf_buf_adds (b, "<section class=\"card\"><h2>");
  lf_html_text (b, it->name);
  lf_buf_adds (b, "</h2><div class=\"charts\">");
  if (it->invocations > 0)
    timeline (p, it, b);
  if (it->duration_us.n > 0)
    histogram (it, b);
  lf_buf_adds (b, "<div>");
  gauges (p, it, b);
  if (it->invocations > 0)
    cost_split (it, b);
  lf_buf_adds (b, "</div></div></section>");
}

static void
violations (const lf_page *p, lf_buf *b)
{
  if (p->r->violations_n == 0)
    return;
  lf_buf_adds (b, "<section class=\"card wide\"><h2>Violations</h2><table><thead><tr><th>Severity</th><th class=\"text\">Function</th><th>Limit</th><th>Times</th>"
                  "<th>Worst</th><th>Enforced</th><th>Last seen</th><th class=\"text\">What</th></tr></thead><tbody>");
  for (size_t i = 0; i < p->r->violations_n; i++)
    {
      const lf_report_violation *v = &p->r->violations[i];
      char used[80], last[32], count[24];
      bool broken = v->severity == LF_SEV_BROKEN;
      lf_show_used (v->used, v->allowed, v->unit != NULL ? v->unit : "", lf_permille (v->used, v->allowed), used);
      lf_iso8601_ms (v->last_us, last);
      last[19] = '\0';
      snprintf (count, sizeof count, "%lld", (long long) v->count);
      lf_buf_addf (b, "<tr><td><span class=\"sev %s\">%s</span></td>", broken ? "broken" : "near", broken ? "broken" : "near");
      const char *const cells[] = { v->function, v->limit_id, count, used, lf_enforced_name (v->enforced), last };
      for (size_t k = 0; k < LF_ARRAY_LEN (cells); k++)
        cell (b, cells[k]);
      lf_buf_adds (b, "<td class=\"text\">");
      lf_html_text (b, v->message);
      if (v->fix != NULL && v->fix[0] != '\0')
        {
          lf_buf_adds (b, "<br><span class=\"soft\">Fix: ");
          lf_html_text (b, v->fix);
          lf_buf_adds (b, "</span>");
        }
      lf_buf_adds (b, "</td></tr>");
    }
  lf_buf_adds (b, "</tbody></table></section>");
}

static void
head (const lf_page *p, lf_buf *b)
{
  char period[80], region[64];
  lf_page_period (p, period);
  lf_page_region (p, region);
  lf_buf_adds (b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
                  "<meta name=\"color-scheme\" content=\"light dark\"><title>lambdafit report</title><style>");
  lf_buf_adds (b, lf_html_style);
  lf_buf_adds (b, "</style></head><body><main><h1>lambdafit report</h1><p class=\"soft\">");
  lf_html_text (b, period);
  lf_buf_adds (b, period[0] != '\0' ? " · prices of " : "prices of ");
  lf_html_text (b, p->profile->title);
  lf_buf_adds (b, ", ");
  lf_html_text (b, region);
  lf_buf_adds (b, " · ");
  lf_html_text (b, p->log);
  lf_buf_adds (b, "</p>");
}

int
lf_page_html (const lf_page *p, lf_buf *b)
{
  const lf_report *r = p->r;
  char number[24], cost[64];
  const struct { const char *label; int64_t v; } counts[] = {
    { "Invocations", r->invocations }, { "Errors", r->errors }, { "Cold starts", r->cold }, { "Throttled", r->throttled },
  };
  head (p, b);
  lf_buf_adds (b, "<div class=\"tiles\">");
  for (size_t i = 0; i < LF_ARRAY_LEN (counts); i++)
    {
      snprintf (number, sizeof number, "%lld", (long long) counts[i].v);
      tile (b, counts[i].label, number);
    }
  lf_page_cost (&r->cost, r->cost.total, cost);
  tile (b, "Cost", cost);
  lf_buf_adds (b, "</div>");
  if (r->n == 0)
    lf_buf_adds (b, "<p class=\"card\">The log has no invocations.</p>");
  else
    overview (p, b);
  violations (p, b);
  for (size_t i = 0; i < r->n; i++)
    function_card (p, &r->functions[i], b);
  lf_buf_adds (b, "<p class=\"soft\">A percentile p of n values is the one at rank ceil(p/100 · n). “-” and “not measured” mean just that, never zero. "
                  "Times are UTC.</p></main></body></html>\n");
  return b->failed ? -1 : 0;
}
