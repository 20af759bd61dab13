/* SPDX-License-Identifier: Apache-2.0
 *
 * The view of one function: over time, its durations, its limits, and what it costs or would cost.
 */
#include "inside.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const lf_column limit_columns[] = {
  { "limit", "LIMIT", 'l', 0, 0 }, { "percent", "USED %", 'r', 0, 12 }, { "used", "USED", 'r', 1, 0 }, { "allowed", "ALLOWED", 'r', 1, 0 },
  { "enforced", "ENFORCED", 'l', 2, 0 },
};

/* As the function's newest environment recorded it. The log does not tell what the kernel refuses from what lambdafit checks as exactly. */
static const char *
how_enforced (const cJSON *recorded, const lf_limit_info *info)
{
  const char *how = recorded != NULL ? lf_json_str (recorded, info->id) : NULL;
  if (how == NULL)
    return NULL;
  return strcmp (how, "kernel") == 0 && info->by_default == LF_ENF_CHECKED ? lf_enforced_label (LF_ENF_CHECKED) : how;
}

static void
limit_row (lf_app *a, lf_limit l, const lf_function *config, const lf_record *most, const cJSON *recorded)
{
  const lf_limit_info *info = lf_limit_get (l);
  int64_t allowed = lf_limit_allowed (l, config, a->profile), used = lf_limit_used (l, config, info->per_invocation ? most : NULL);
  lf_tab_text (&a->tab, 0, LF_ROLE_TITLE, info->id);
  lf_put_percent (&a->tab, 1, used, allowed, true);
  lf_put_amount (&a->tab, 2, LF_ROLE_TEXT, used, info->unit);
  lf_put_amount (&a->tab, 3, LF_ROLE_TEXT, allowed, info->unit);
  lf_tab_text (&a->tab, 4, LF_ROLE_DIM, how_enforced (recorded, info));
}

void
lf_view_function_make (lf_app *a)
{
  lf_data *d = &a->data;
  lf_error ignored = { 0 };
  lf_fn *f = NULL;
  lf_record most;
  lf_sums *s = lf_data_sums (d, a->function, &f);
  /* the reader may not have come to this function yet */
  bool known = d->enforcement != NULL && strcmp (d->now.function, a->function) == 0;
  cJSON *recorded LF_CLEANUP (lf_json_freep) = known ? lf_json_parse (d->enforcement, strlen (d->enforcement), "enforcement", &ignored) : NULL;
  lf_tab_init (&a->tab, limit_columns, LF_ARRAY_LEN (limit_columns));
  if (s == NULL)
    return;
  lf_sums_extremes (s, &most);
  for (int l = 0; l < LF_LIM_COUNT; l++)
    {
      if (lf_limit_allowed ((lf_limit) l, &f->config, a->profile) == LF_NONE)
        continue; /* none of this function's */
      if (lf_tab_row (&a->tab, l) != 0)
        return;
      limit_row (a, (lf_limit) l, &f->config, &most, recorded);
    }
}

/* A line of the timeline: its name, and one value for each column. */
static void
draw_line (lf_app *a, int y, const char *name, const int64_t *v, int used, int n, lf_role role)
{
  int64_t out[LF_TIMELINE_BUCKETS];
  lf_grid_put (&a->grid, 1, y, 11, LF_ROLE_DIM, name);
  lf_resample (v, used, out, n, false);
  lf_grid_spark (&a->grid, 12, y, out, n, role);
}

static void
draw_over_time (lf_app *a, const lf_sums *s, int y)
{
  int64_t duration[LF_TIMELINE_BUCKETS], memory[LF_TIMELINE_BUCKETS], cold[LF_TIMELINE_BUCKETS], out[LF_TIMELINE_BUCKETS];
  int used = lf_timeline_used (&s->timeline), n = a->grid.w - 14 < used ? a->grid.w - 14 : used;
  for (int i = 0; i < used; i++)
    {
      duration[i] = s->timeline.v[i].max_duration_us;
      memory[i] = s->timeline.v[i].max_memory_bytes;
      cold[i] = s->timeline.v[i].cold;
    }
  draw_line (a, y, "duration", duration, used, n, LF_ROLE_CHART);
  lf_grid_put (&a->grid, 1, y + 1, 11, LF_ROLE_DIM, "cold");
  lf_resample (cold, used, out, n, true);
  for (int i = 0; i < n; i++)
    if (out[i] > 0)
      lf_grid_put (&a->grid, 12 + i, y + 1, 1, LF_ROLE_COLD, a->grid.ascii ? "*" : "◆");
  draw_line (a, y + 2, "memory", memory, used, n, LF_ROLE_GOOD);
}

#define HISTOGRAM 48

/* Durations in buckets of equal width between the least and the largest. */
static void
draw_histogram (lf_app *a, const lf_sums *s, int y)
{
  int64_t out[HISTOGRAM] = { 0 }, fit[HISTOGRAM];
  char low[32], high[32];
  int64_t min = lf_samples_at (&s->duration, 0), max = lf_samples_at (&s->duration, 100);
  for (int i = 0; i < HISTOGRAM && min != LF_NONE; i++)
    {
      int64_t from = min + (int64_t) ((double) (max - min) * i / HISTOGRAM), to = min + (int64_t) ((double) (max - min) * (i + 1) / HISTOGRAM);
      out[i] = (int64_t) (lf_samples_below (&s->duration, i == HISTOGRAM - 1 ? max + 1 : to) - lf_samples_below (&s->duration, from));
    }
  lf_grid_put (&a->grid, 1, y, 11, LF_ROLE_DIM, "histogram");
  int n = a->grid.w - 36 < HISTOGRAM ? a->grid.w - 36 : HISTOGRAM;
  lf_resample (out, HISTOGRAM, fit, n, true);
  lf_grid_spark (&a->grid, 12, y, fit, n, LF_ROLE_CHART);
  lf_grid_putf (&a->grid, 13 + n, y, a->grid.w, LF_ROLE_DIM, "%s to %s", lf_top_us (min, low), lf_top_us (max, high));
}

/* The same work billed with another setting: time is taken to stay the same. */
static const char *
what_if (const lf_app *a, const lf_sums *s, const char *region, int arch, int64_t memory_mb, char out[64])
{
  lf_cost c;
  lf_sums_cost (s, a->profile, region, arch, memory_mb, LF_NONE, &c);
  return lf_top_cost (&c, c.total, out);
}

/* The regions in which the same work costs least and most, of those that have a price in the same currency. */
static void
draw_regions (lf_app *a, const lf_sums *s, int y)
{
  const char *least = NULL, *most = NULL;
  lf_cost now, low = { 0 }, high = { 0 };
  char low_text[64], high_text[64];
  lf_sums_cost (s, a->profile, a->region, -1, LF_NONE, LF_NONE, &now);
  for (size_t i = 0; i < a->profile->prices_n; i++)
    {
      lf_cost c;
      lf_sums_cost (s, a->profile, a->profile->prices[i].region, -1, LF_NONE, LF_NONE, &c);
      if (!c.known || !lf_streq (c.currency, now.currency))
        continue;
      if (least == NULL || c.total < low.total)
        least = a->profile->prices[i].region, low = c;
      if (most == NULL || c.total > high.total)
        most = a->profile->prices[i].region, high = c;
    }
  if (least != NULL)
    lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_DIM, "other regions: from %s (%s) to %s (%s)", lf_top_cost (&low, low.total, low_text), least,
                  lf_top_cost (&high, high.total, high_text), most);
}

static void
draw_cost_lines (lf_app *a, const lf_sums *s, const lf_fn *f, int y)
{
  char total[64], requests[64], duration[64], init[64], tmp[64], half[64], twice[64], arm[64];
  lf_cost c;
  int64_t mb = f->config.memory_mb;
  lf_sums_cost (s, a->profile, a->region, -1, LF_NONE, LF_NONE, &c);
  bool wide = a->grid.w >= 100;
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TEXT, "cost %s%s requests %s%s duration %s%s init %s%s /tmp %s", lf_top_cost (&c, c.total, total),
                wide ? " =" : ":", lf_top_cost (&c, c.requests, requests), wide ? " +" : ",", lf_top_cost (&c, c.duration, duration), wide ? " +" : ",",
                lf_top_cost (&c, c.init, init), wide ? " +" : ",", lf_top_cost (&c, c.tmp, tmp));
  if (mb == LF_NONE)
    return;
  lf_arch other = f->config.arch == LF_ARCH_ARM64 ? LF_ARCH_X86_64 : LF_ARCH_ARM64;
  lf_grid_putf (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_DIM, "same time with %lld MB: %s, %lld MB: %s, %s: %s", (long long) mb / 2,
                what_if (a, s, a->region, -1, mb / 2, half), (long long) mb * 2, what_if (a, s, a->region, -1, mb * 2, twice), lf_arch_name (other),
                what_if (a, s, a->region, (int) other, LF_NONE, arm));
}

static void
draw_head (lf_app *a, const lf_sums *s, const lf_fn *f, int y)
{
  char p50[32], p95[32], p99[32], i50[32], i95[32];
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TITLE, "%s  %s  %lld MB  %s", s->name, f->config.runtime ? f->config.runtime : "-",
                (long long) (f->config.memory_mb == LF_NONE ? 0 : f->config.memory_mb), lf_arch_name (f->config.arch));
  int n = lf_grid_putf (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_TEXT, "%lld invocations, %lld errors, %lld cold  %sp50 %s p95 %s p99 %s", (long long) s->invocations,
                        (long long) s->errors, (long long) s->cold, a->grid.w >= 100 ? "duration " : "", lf_top_us (lf_samples_at (&s->duration, 50), p50),
                        lf_top_us (lf_samples_at (&s->duration, 95), p95), lf_top_us (lf_samples_at (&s->duration, 99), p99));
  lf_grid_putf (&a->grid, n + 3, y + 1, a->grid.w - n - 4, LF_ROLE_COLD, "init %s%s%s%s", a->grid.w >= 100 ? "p50 " : "", lf_top_us (lf_samples_at (&s->init, 50), i50),
                a->grid.w >= 100 ? " p95 " : " ", lf_top_us (lf_samples_at (&s->init, 95), i95));
}

int
lf_view_function_draw (lf_app *a, int y)
{
  lf_fn *f = NULL;
  const lf_sums *s = lf_data_sums (&a->data, a->function, &f);
  if (s == NULL)
    {
      lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_WARN, "no function \"%s\" in this log", a->function);
      return y + 1;
    }
  draw_head (a, s, f, y);
  y += 2;
  if (a->grid.h >= 22)
    {
      draw_over_time (a, s, y);
      draw_histogram (a, s, y + 3);
      y += 4;
    }
  draw_cost_lines (a, s, f, y);
  y += 2;
  if (a->grid.h >= 22)
    draw_regions (a, s, y++);
  return y;
}
