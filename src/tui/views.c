/* SPDX-License-Identifier: Apache-2.0
 *
 * The views: what each puts into the table, and what it draws above it.
 */
#include "inside.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const lf_view_names[LF_V_COUNT] = { "functions", "function", "invocations", "invocation", "environments", "violations", "cost" };

/* ---- figures for people ------------------------------------------------------------------------------------------------------------------ */

static const char *
show_us (int64_t us, char out[32])
{
  if (us == LF_NONE)
    snprintf (out, 32, "-");
  else if (us < 10000)
    snprintf (out, 32, "%.2fms", (double) us / 1e3);
  else if (us < 10000000)
    snprintf (out, 32, "%.0fms", (double) us / 1e3);
  else
    snprintf (out, 32, "%.1fs", (double) us / 1e6);
  return out;
}

static const char *
show_amount (int64_t v, const char *unit, char out[40])
{
  if (v == LF_NONE)
    snprintf (out, 40, "-");
  else if (strcmp (unit, "bytes") == 0 && v >= LF_MB)
    snprintf (out, 40, "%.1f MB", (double) v / (double) LF_MB);
  else
    snprintf (out, 40, "%lld %s", (long long) v, unit);
  return out;
}

static const char *
show_percent (int64_t used, int64_t allowed, char out[32])
{
  if (used == LF_NONE || allowed == LF_NONE || allowed <= 0)
    snprintf (out, 32, "-");
  else
    snprintf (out, 32, "%.1f%%", (double) used * 100 / (double) allowed);
  return out;
}

static const char *
show_cost (const lf_cost *c, lf_money m, char out[64])
{
  if (c->currency == NULL || !c->known)
    snprintf (out, 64, c->currency == NULL ? "-" : "no price");
  else
    lf_money_show (m, c->currency, out);
  return out;
}

static void
put_us (lf_grid_table *t, int column, int64_t us)
{
  char show[32];
  lf_tab_int (t, column, LF_ROLE_TEXT, us, show_us (us, show));
}

static void
put_percent (lf_grid_table *t, int column, int64_t used, int64_t allowed, bool limit)
{
  char show[32], raw[32];
  bool known = used != LF_NONE && allowed != LF_NONE && allowed > 0;
  double p = known ? (double) used * 100 / (double) allowed : 0;
  snprintf (raw, sizeof raw, "%.3f", p);
  lf_role role = limit ? lf_gauge_role (used, allowed) : p > 0 ? LF_ROLE_WARN : LF_ROLE_TEXT;
  lf_tab_raw (t, column, role == LF_ROLE_GOOD ? LF_ROLE_TEXT : role, known ? raw : NULL, p, show_percent (used, allowed, show));
}

static void
put_cost (lf_grid_table *t, int column, const lf_cost *c, lf_money m)
{
  char show[64], raw[64];
  lf_money_format (m, 12, raw);
  lf_tab_raw (t, column, LF_ROLE_TEXT, c->known ? raw : NULL, lf_money_double (m), show_cost (c, m, show));
}

static void
put_time (lf_grid_table *t, int column, int64_t us)
{
  char iso[32], show[32];
  lf_iso8601_ms (us == LF_NONE ? 0 : us, iso);
  snprintf (show, sizeof show, "%.5s %.12s", iso + 5, iso + 11);
  lf_tab_int (t, column, LF_ROLE_DIM, us, show);
}

static int64_t
tmp_bytes (int64_t mb)
{
  return mb == LF_NONE ? LF_NONE : mb * LF_MB;
}

/* At the rate of the time that the log covers, in a month of 30 days; unknown before a minute has passed. */
static bool
per_month (const lf_data *d, const lf_cost *c, lf_money *out)
{
  int64_t span = d->last_us == LF_NONE ? 0 : d->last_us - d->first_us;
  if (span < 60000000 || !c->known)
    return false;
  *out = (lf_money) ((long double) c->total / (long double) span * 2592000e6L);
  return true;
}

static void
put_month (lf_grid_table *t, int column, const lf_data *d, const lf_cost *c)
{
  lf_money m = 0;
  if (per_month (d, c, &m))
    put_cost (t, column, c, m);
  else
    lf_tab_raw (t, column, LF_ROLE_DIM, NULL, 0, "-");
}

static bool
in_scope (const lf_app *a, const char *function)
{
  return a->function[0] == '\0' || a->place.view == LF_V_FUNCTIONS || strcmp (a->function, function) == 0;
}

/* ---- functions --------------------------------------------------------------------------------------------------------------------------- */

static const lf_column functions_columns[] = {
  { "function", "FUNCTION", 'l', 0 }, { "invocations", "INV", 'r', 0 }, { "error_percent", "ERR", 'r', 2 }, { "cold_percent", "COLD", 'r', 3 },
  { "init_p50_us", "INIT50", 'r', 12 }, { "init_p95_us", "INIT95", 'r', 8 }, { "init_p99_us", "INIT99", 'r', 13 },
  { "duration_p50_us", "DUR50", 'r', 6 }, { "duration_p95_us", "DUR95", 'r', 1 }, { "duration_p99_us", "DUR99", 'r', 7 },
  { "memory_percent", "MEM", 'r', 4 }, { "tmp_percent", "/TMP", 'r', 9 }, { "package_percent", "PKG", 'r', 10 },
  { "cost_usd", "COST", 'r', 5 }, { "monthly_cost_usd", "/MONTH", 'r', 11 }, { "worst", "WORST", 'l', 6 },
};

static void
make_functions (lf_app *a)
{
  lf_data *d = &a->data;
  lf_tab_init (&a->tab, functions_columns, LF_ARRAY_LEN (functions_columns));
  for (size_t i = 0; i < d->fns_n; i++)
    {
      lf_fn *f = &d->fns[i];
      int c = 0;
      if (lf_tab_row (&a->tab, (int64_t) i) != 0)
        return;
      lf_tab_text (&a->tab, c++, LF_ROLE_TITLE, f->name);
      lf_tab_int (&a->tab, c++, LF_ROLE_TEXT, f->invocations, NULL);
      put_percent (&a->tab, c++, f->errors, f->invocations, false);
      put_percent (&a->tab, c++, f->cold, f->invocations, false);
      for (int k = 0; k < 6; k++)
        put_us (&a->tab, c++, lf_samples_at (k < 3 ? &f->init : &f->duration, (const int[]){ 50, 95, 99 }[k % 3]));
      put_percent (&a->tab, c++, f->max_memory_bytes, tmp_bytes (f->config.memory_mb), true);
      put_percent (&a->tab, c++, f->tmp_used_bytes, tmp_bytes (f->config.tmp_mb), true);
      put_percent (&a->tab, c++, f->config.package_bytes, d->profile->package_max_bytes, true);
      put_cost (&a->tab, c++, &f->cost, f->cost.total);
      put_month (&a->tab, c++, d, &f->cost);
      lf_tab_text (&a->tab, c, f->worst_broken ? LF_ROLE_BAD : LF_ROLE_WARN, f->worst[0] ? f->worst : NULL);
    }
}

/* The selected function's invocations over time, on the line above the table. */
static int
draw_functions (lf_app *a, int y)
{
  size_t at = (size_t) a->place.selected;
  if (at >= a->tab.shown)
    return y;
  const lf_fn *f = &a->data.fns[a->tab.ids[a->tab.order[at]]];
  int64_t v[LF_TOP_BUCKETS], out[LF_TOP_BUCKETS];
  int used = 0, n = 0;
  for (int i = 0; i < LF_TOP_BUCKETS; i++)
    {
      v[i] = f->buckets[i].invocations;
      used = v[i] > 0 ? i + 1 : used;
    }
  int x = 1 + lf_grid_putf (&a->grid, 1, y, a->grid.w / 3, LF_ROLE_DIM, "%s ", f->name);
  n = a->grid.w - x - 1 < used ? a->grid.w - x - 1 : used;
  lf_resample (v, used, out, n, true);
  lf_grid_spark (&a->grid, x, y, out, n, LF_ROLE_CHART);
  return y + 1;
}

/* ---- one function ------------------------------------------------------------------------------------------------------------------------- */

static const lf_column limit_columns[] = {
  { "limit", "LIMIT", 'l', 0 }, { "gauge", "", 'l', 3 }, { "percent", "USED %", 'r', 0 }, { "used", "USED", 'r', 1 }, { "allowed", "ALLOWED", 'r', 1 },
  { "enforced", "ENFORCED", 'l', 2 },
};

static void
make_function (lf_app *a)
{
  lf_data *d = &a->data;
  lf_fn *f = lf_data_fn (d, a->function);
  lf_tab_init (&a->tab, limit_columns, LF_ARRAY_LEN (limit_columns));
  for (int l = 0; f != NULL && l < LF_LIM_COUNT; l++)
    {
      char show[40];
      const lf_limit_info *info = lf_limit_get ((lf_limit) l);
      int64_t allowed = lf_limit_allowed ((lf_limit) l, &f->config, d->profile);
      int64_t used = info->per_invocation ? f->used[l] : lf_limit_used ((lf_limit) l, &f->config, NULL);
      if (lf_tab_row (&a->tab, l) != 0)
        return;
      lf_tab_text (&a->tab, 0, LF_ROLE_TITLE, info->id);
      lf_tab_text (&a->tab, 1, LF_ROLE_DIM, "            ");
      put_percent (&a->tab, 2, used, allowed, true);
      lf_tab_int (&a->tab, 3, LF_ROLE_TEXT, used, show_amount (used, info->unit, show));
      lf_tab_int (&a->tab, 4, LF_ROLE_TEXT, allowed, show_amount (allowed, info->unit, show));
      lf_tab_text (&a->tab, 5, LF_ROLE_DIM, lf_enforced_label (info->by_default));
    }
}

static void
draw_over_time (lf_app *a, const lf_fn *f, int y)
{
  int64_t duration[LF_TOP_BUCKETS], memory[LF_TOP_BUCKETS], cold[LF_TOP_BUCKETS], out[LF_TOP_BUCKETS];
  int used = 0;
  for (int i = 0; i < LF_TOP_BUCKETS; i++)
    {
      duration[i] = f->buckets[i].max_duration_us;
      memory[i] = f->buckets[i].max_memory_bytes;
      cold[i] = f->buckets[i].cold;
      used = f->buckets[i].invocations > 0 ? i + 1 : used;
    }
  int n = a->grid.w - 14 < used ? a->grid.w - 14 : used;
  lf_grid_put (&a->grid, 1, y, 12, LF_ROLE_DIM, "duration");
  lf_resample (duration, used, out, n, false);
  lf_grid_spark (&a->grid, 12, y, out, n, LF_ROLE_CHART);
  lf_grid_put (&a->grid, 1, y + 1, 12, LF_ROLE_DIM, "cold");
  lf_resample (cold, used, out, n, true);
  for (int i = 0; i < n; i++)
    if (out[i] > 0)
      lf_grid_put (&a->grid, 12 + i, y + 1, 1, LF_ROLE_COLD, a->grid.ascii ? "*" : "◆");
  lf_grid_put (&a->grid, 1, y + 2, 12, LF_ROLE_DIM, "memory");
  lf_resample (memory, used, out, n, false);
  lf_grid_spark (&a->grid, 12, y + 2, out, n, LF_ROLE_GOOD);
}

/* Durations in buckets of equal width between the least and the largest. */
static void
draw_histogram (lf_app *a, lf_fn *f, int y)
{
  int64_t out[48] = { 0 };
  char low[32], high[32];
  int64_t min = lf_samples_at (&f->duration, 0), max = lf_samples_at (&f->duration, 100);
  for (size_t i = 0; i < f->duration.n; i++)
    out[max > min ? (int) ((double) (f->duration.v[i] - min) / (double) (max - min) * 47) : 0]++;
  lf_grid_put (&a->grid, 1, y, 12, LF_ROLE_DIM, "histogram");
  int n = a->grid.w - 14 < 48 ? a->grid.w - 14 : 48;
  int64_t fit[48];
  lf_resample (out, 48, fit, n, true);
  lf_grid_spark (&a->grid, 12, y, fit, n, LF_ROLE_CHART);
  lf_grid_putf (&a->grid, 13 + n, y, a->grid.w, LF_ROLE_DIM, "%s to %s", show_us (min, low), show_us (max, high));
}

/* The same work billed with another setting: time is taken to stay the same. */
static void
what_if (const lf_data *d, const lf_fn *f, const char *region, lf_arch arch, int64_t memory_mb, char out[64])
{
  lf_cost c;
  lf_cost_of (d->profile, region, arch, f->billed_ms, 0, memory_mb, f->config.tmp_mb, f->invocations - f->throttled, &c);
  show_cost (&c, c.total, out);
}

static void
draw_cost_lines (lf_app *a, const lf_fn *f, int y)
{
  const lf_data *d = &a->data;
  char total[64], requests[64], duration[64], init[64], tmp[64], half[64], twice[64], arm[64];
  const lf_cost *c = &f->cost;
  const char *region = d->region != NULL ? d->region : f->config.region;
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TEXT, "cost %s = requests %s + duration %s + init %s + /tmp %s", show_cost (c, c->total, total),
                show_cost (c, c->requests, requests), show_cost (c, c->duration, duration), show_cost (c, c->init, init), show_cost (c, c->tmp, tmp));
  if (region == NULL || f->config.memory_mb == LF_NONE)
    return;
  what_if (d, f, region, f->config.arch, f->config.memory_mb / 2, half);
  what_if (d, f, region, f->config.arch, f->config.memory_mb * 2, twice);
  what_if (d, f, region, LF_ARCH_ARM64, f->config.memory_mb, arm);
  lf_grid_putf (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_DIM, "same time with %lld MB: %s, %lld MB: %s, arm64: %s; r: other regions",
                (long long) f->config.memory_mb / 2, half, (long long) f->config.memory_mb * 2, twice, arm);
}

static int
draw_function (lf_app *a, int y)
{
  char p50[32], p95[32], p99[32], i50[32], i95[32];
  lf_fn *f = lf_data_fn (&a->data, a->function);
  if (f == NULL)
    {
      lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_WARN, "no function \"%s\" in this log", a->function);
      return y + 1;
    }
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TITLE, "%s  %s  %lld MB  %s", f->name, f->config.runtime ? f->config.runtime : "-",
                (long long) (f->config.memory_mb == LF_NONE ? 0 : f->config.memory_mb), lf_arch_name (f->config.arch));
  lf_grid_putf (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_TEXT,
                "%lld invocations, %lld errors, %lld cold  %sduration p50 %s p95 %s p99 %s  init p50 %s p95 %s", (long long) f->invocations, (long long) f->errors,
                (long long) f->cold, f->duration.stride > 1 ? "~" : "", show_us (lf_samples_at (&f->duration, 50), p50),
                show_us (lf_samples_at (&f->duration, 95), p95), show_us (lf_samples_at (&f->duration, 99), p99),
                show_us (lf_samples_at (&f->init, 50), i50), show_us (lf_samples_at (&f->init, 95), i95));
  y += 2;
  if (a->grid.h >= 22)
    {
      draw_over_time (a, f, y);
      draw_histogram (a, f, y + 3);
      y += 4;
    }
  draw_cost_lines (a, f, y);
  return y + 2;
}

/* ---- invocations -------------------------------------------------------------------------------------------------------------------------- */

static const lf_column invocations_columns[] = {
  { "received_us", "RECEIVED", 'l', 1 }, { "function", "FUNCTION", 'l', 2 }, { "status", "STATUS", 'l', 0 }, { "cold", "COLD", 'l', 3 },
  { "init_us", "INIT", 'r', 5 }, { "duration_us", "DURATION", 'r', 0 }, { "billed_ms", "BILLED", 'r', 7 }, { "max_memory_bytes", "MEMORY", 'r', 4 },
  { "tmp_used_bytes", "/TMP", 'r', 9 }, { "wait_us", "WAIT", 'r', 10 }, { "cost_usd", "COST", 'r', 8 }, { "error_type", "ERROR", 'l', 6 },
  { "request_id", "REQUEST ID", 'l', 7 },
};

static void
invocation_row (lf_app *a, const lf_row *r)
{
  char show[40];
  lf_grid_table *t = &a->tab;
  put_time (t, 0, r->received_us);
  lf_tab_text (t, 1, LF_ROLE_TITLE, a->data.fns[r->fn].name);
  lf_tab_text (t, 2, r->status == LF_ST_OK ? LF_ROLE_GOOD : LF_ROLE_BAD, lf_status_name (r->status));
  lf_tab_int (t, 3, LF_ROLE_COLD, r->cold < 0 ? LF_NONE : r->cold, r->cold == 1 ? "cold" : "");
  put_us (t, 4, r->init_us);
  put_us (t, 5, r->duration_us);
  lf_tab_int (t, 6, LF_ROLE_TEXT, r->billed_ms, NULL);
  lf_tab_int (t, 7, LF_ROLE_TEXT, r->max_memory_bytes, show_amount (r->max_memory_bytes, "bytes", show));
  lf_tab_int (t, 8, LF_ROLE_TEXT, r->tmp_used_bytes, show_amount (r->tmp_used_bytes, "bytes", show));
  put_us (t, 9, r->wait_us);
  put_cost (t, 10, &r->cost, r->cost.total);
  lf_tab_text (t, 11, LF_ROLE_BAD, r->error_type[0] ? r->error_type : NULL);
  lf_tab_text (t, 12, LF_ROLE_DIM, r->request_id);
}

static void
make_invocations (lf_app *a)
{
  const lf_row *r;
  lf_tab_init (&a->tab, invocations_columns, LF_ARRAY_LEN (invocations_columns));
  for (size_t back = 0; (r = lf_data_recent (&a->data, back)) != NULL; back++)
    if (in_scope (a, a->data.fns[r->fn].name))
      {
        if (lf_tab_row (&a->tab, r->rowid) != 0)
          return;
        invocation_row (a, r);
      }
}

/* ---- one invocation ------------------------------------------------------------------------------------------------------------------------ */

static const lf_column measure_columns[] = { { "measure", "MEASURE", 'l', 0 }, { "value", "VALUE", 'l', 0 } };

static void
measure (lf_grid_table *t, lf_role role, const char *name, const char *text)
{
  if (text == NULL || lf_tab_row (t, 0) != 0)
    return;
  lf_tab_text (t, 0, LF_ROLE_TITLE, name);
  lf_tab_text (t, 1, role, text);
}

typedef struct found { lf_app *a; bool any; } found;

static int
one_invocation (const lf_record *r, int64_t rowid, void *user)
{
  found *it = user;
  lf_grid_table *t = &it->a->tab;
  char text[64], iso[32];
  (void) rowid;
  it->any = true;
  lf_iso8601_ms (r->received_us, iso);
  measure (t, LF_ROLE_TEXT, "request_id", r->request_id);
  measure (t, LF_ROLE_TEXT, "function", r->function);
  measure (t, r->status == LF_ST_OK ? LF_ROLE_GOOD : LF_ROLE_BAD, "status", lf_status_name (r->status));
  measure (t, LF_ROLE_BAD, "error_type", r->error_type);
  measure (t, LF_ROLE_BAD, "error_message", r->error_message);
  measure (t, LF_ROLE_TEXT, "received", iso);
  measure (t, LF_ROLE_COLD, "start", r->cold == 1 ? "cold" : r->cold == 0 ? "warm" : "none");
  const struct { const char *name; int64_t v; const char *unit; } all[] = {
    { "wait", r->wait_us, "us" }, { "init", r->init_us, "us" }, { "duration", r->duration_us, "us" }, { "billed", r->billed_ms, "ms" },
    { "memory size", r->memory_mb, "MB" }, { "max memory", r->max_memory_bytes, "bytes" }, { "peak memory", r->peak_memory_bytes, "bytes" },
    { "/tmp used", r->tmp_used_bytes, "bytes" }, { "/tmp growth", r->tmp_growth_bytes, "bytes" }, { "cpu", r->cpu_us, "us" },
    { "cpu throttled", r->throttled_us, "us" }, { "request", r->request_bytes, "bytes" }, { "response", r->response_bytes, "bytes" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
    if (all[i].v != LF_NONE)
      measure (t, LF_ROLE_TEXT, all[i].name, strcmp (all[i].unit, "us") == 0 ? show_us (all[i].v, text) : show_amount (all[i].v, all[i].unit, text));
  lf_cost c;
  lf_cost_of_record (it->a->data.profile, it->a->data.region != NULL ? it->a->data.region : r->region, r, &c);
  measure (t, LF_ROLE_TEXT, "cost", show_cost (&c, c.total, text));
  measure (t, LF_ROLE_DIM, "environment", r->environment);
  measure (t, LF_ROLE_DIM, "host", r->host);
  for (size_t at = 0; r->log_tail != NULL && at < r->log_tail_len;)
    {
      size_t n = 0;
      while (at + n < r->log_tail_len && r->log_tail[at + n] != '\n' && r->log_tail[at + n] != '\0')
        n++;
      char *line LF_CLEANUP (lf_freep) = lf_strndup (r->log_tail + at, n);
      measure (t, LF_ROLE_DIM, at == 0 ? "output" : "", line);
      at += n + 1;
    }
  return 1;
}

static int
one_violation (const lf_violation *v, void *user)
{
  lf_grid_table *t = user;
  measure (t, v->severity == LF_SEV_BROKEN ? LF_ROLE_BAD : LF_ROLE_WARN, v->severity == LF_SEV_BROKEN ? "broken" : "near", v->limit_id);
  measure (t, LF_ROLE_TEXT, "cause", v->message[0] ? v->message : NULL);
  measure (t, LF_ROLE_TEXT, "fix", v->fix[0] ? v->fix : NULL);
  return 0;
}

static void
make_invocation (lf_app *a)
{
  lf_error err = { 0 };
  const lf_row *newest = NULL;
  found it = { a, false };
  lf_tab_init (&a->tab, measure_columns, LF_ARRAY_LEN (measure_columns));
  for (size_t back = 0; a->request_id[0] == '\0' && (newest = lf_data_recent (&a->data, back)) != NULL; back++)
    if (in_scope (a, a->data.fns[newest->fn].name))
      snprintf (a->request_id, sizeof a->request_id, "%s", newest->request_id);
  if (a->request_id[0] == '\0')
    return;
  lf_log_filter f = { .request_id = a->request_id, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  if (lf_store_violations (a->data.store, NULL, a->request_id, one_violation, &a->tab, &err) != 0
      || lf_store_invocations (a->data.store, &f, one_invocation, &it, NULL, &err) != 0)
    lf_app_say (a, LF_ROLE_BAD, "%s: %s", err.what, err.why);
  else if (!it.any)
    lf_app_say (a, LF_ROLE_WARN, "no invocation %s in this log", a->request_id);
}

/* Wait, init and handler one after the other, each as long as its share. */
static int
draw_invocation (lf_app *a, int y)
{
  const lf_row *r = NULL;
  for (size_t back = 0; (r = lf_data_recent (&a->data, back)) != NULL && strcmp (r->request_id, a->request_id) != 0; back++)
    ;
  if (r == NULL)
    return y;
  const struct { const char *name; int64_t us; lf_role role; } phases[] = {
    { "wait", r->wait_us, LF_ROLE_DIM }, { "init", r->init_us, LF_ROLE_COLD }, { "handler", r->duration_us, LF_ROLE_CHART } };
  int64_t total = 0, at = 0;
  for (int i = 0; i < 3; i++)
    total += phases[i].us > 0 ? phases[i].us : 0;
  int room = a->grid.w - 24;
  for (int i = 0; i < 3; i++)
    {
      char show[32];
      int64_t us = phases[i].us > 0 ? phases[i].us : 0;
      int from = total > 0 ? (int) ((double) at / (double) total * room) : 0, n = total > 0 ? (int) ((double) us / (double) total * room + 0.5) : 0;
      lf_grid_put (&a->grid, 1, y + i, 9, LF_ROLE_DIM, phases[i].name);
      for (int x = 0; x < (us > 0 && n == 0 ? 1 : n) && from + x < room; x++)
        lf_grid_put (&a->grid, 10 + from + x, y + i, 1, phases[i].role, a->grid.ascii ? "#" : "█");
      lf_grid_put (&a->grid, a->grid.w - 12, y + i, 11, LF_ROLE_TEXT, show_us (phases[i].us, show));
      at += us;
    }
  return y + 3;
}

/* ---- environments -------------------------------------------------------------------------------------------------------------------------- */

static const lf_column environments_columns[] = {
  { "environment", "ENVIRONMENT", 'l', 2 }, { "function", "FUNCTION", 'l', 0 }, { "state", "STATE", 'l', 0 }, { "frozen", "FROZEN", 'l', 4 },
  { "age_ms", "AGE", 'r', 1 }, { "served", "SERVED", 'r', 1 }, { "memory_bytes", "MEMORY", 'r', 3 }, { "tmp_bytes", "/TMP", 'r', 5 },
  { "keepalive_left_ms", "KEEPALIVE", 'r', 3 }, { "pid", "PID", 'r', 6 },
};

static void
make_environments (lf_app *a)
{
  const cJSON *e;
  int64_t i = 0;
  lf_tab_init (&a->tab, environments_columns, LF_ARRAY_LEN (environments_columns));
  cJSON_ArrayForEach (e, a->environments)
  {
    char show[40];
    const char *state = lf_json_str (e, "state");
    int64_t age = lf_json_i64 (e, "age_ms", LF_NONE), left = lf_json_i64 (e, "keepalive_left_ms", LF_NONE);
    int64_t memory = lf_json_i64 (e, "memory_bytes", LF_NONE), tmp = lf_json_i64 (e, "tmp_bytes", LF_NONE);
    if (lf_tab_row (&a->tab, i++) != 0)
      return;
    lf_tab_text (&a->tab, 0, LF_ROLE_DIM, lf_json_str (e, "environment"));
    lf_tab_text (&a->tab, 1, LF_ROLE_TITLE, lf_json_str (e, "function"));
    lf_tab_text (&a->tab, 2, lf_streq (state, "busy") ? LF_ROLE_WARN : lf_streq (state, "idle") ? LF_ROLE_GOOD : LF_ROLE_COLD, state);
    lf_tab_text (&a->tab, 3, LF_ROLE_COLD, lf_json_bool (e, "frozen", false) ? "frozen" : "");
    lf_tab_int (&a->tab, 4, LF_ROLE_TEXT, age, show_us (age == LF_NONE ? age : age * 1000, show));
    lf_tab_int (&a->tab, 5, LF_ROLE_TEXT, lf_json_i64 (e, "served", LF_NONE), NULL);
    lf_tab_int (&a->tab, 6, LF_ROLE_TEXT, memory, show_amount (memory, "bytes", show));
    lf_tab_int (&a->tab, 7, LF_ROLE_TEXT, tmp, show_amount (tmp, "bytes", show));
    lf_tab_int (&a->tab, 8, LF_ROLE_TEXT, left, show_us (left == LF_NONE ? left : left * 1000, show));
    lf_tab_int (&a->tab, 9, LF_ROLE_DIM, lf_json_i64 (e, "pid", LF_NONE), NULL);
  }
}

static int
draw_environments (lf_app *a, int y)
{
  if (a->environments_why[0] != '\0')
    {
      lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_WARN, "no daemon at %s", a->endpoint);
      lf_grid_put (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_DIM, a->environments_why);
      lf_grid_put (&a->grid, 1, y + 2, a->grid.w - 2, LF_ROLE_DIM, "start one: lambdafit serve TARGET");
      return y + 3;
    }
  if (cJSON_GetArraySize (a->environments) == 0)
    lf_grid_put (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_DIM, a->environments != NULL ? "the daemon has no environments now" : "asking the daemon");
  return y + 1;
}

/* ---- violations, cost ------------------------------------------------------------------------------------------------------------------------ */

static const lf_column violations_columns[] = {
  { "severity", "SEVERITY", 'l', 0 }, { "limit", "LIMIT", 'l', 0 }, { "function", "FUNCTION", 'l', 1 }, { "count", "COUNT", 'r', 0 },
  { "used", "USED", 'r', 3 }, { "allowed", "ALLOWED", 'r', 4 }, { "first_us", "FIRST", 'l', 7 }, { "last_us", "LAST", 'l', 5 },
  { "message", "WHY", 'l', 6 }, { "fix", "FIX", 'l', 8 },
};

static void
make_violations (lf_app *a)
{
  lf_tab_init (&a->tab, violations_columns, LF_ARRAY_LEN (violations_columns));
  for (size_t i = 0; i < a->data.groups_n; i++)
    {
      const lf_group *g = &a->data.groups[i];
      char show[40];
      lf_role role = g->severity == LF_SEV_BROKEN ? LF_ROLE_BAD : LF_ROLE_WARN;
      if (!in_scope (a, g->function))
        continue;
      if (lf_tab_row (&a->tab, (int64_t) i) != 0)
        return;
      lf_tab_text (&a->tab, 0, role, g->severity == LF_SEV_BROKEN ? "broken" : "near");
      lf_tab_text (&a->tab, 1, LF_ROLE_TITLE, g->limit_id);
      lf_tab_text (&a->tab, 2, LF_ROLE_TEXT, g->function);
      lf_tab_int (&a->tab, 3, LF_ROLE_TEXT, g->count, NULL);
      lf_tab_int (&a->tab, 4, role, g->used, show_amount (g->used, g->unit, show));
      lf_tab_int (&a->tab, 5, LF_ROLE_TEXT, g->allowed, show_amount (g->allowed, g->unit, show));
      put_time (&a->tab, 6, g->first_us);
      put_time (&a->tab, 7, g->last_us);
      lf_tab_text (&a->tab, 8, LF_ROLE_TEXT, g->message);
      lf_tab_text (&a->tab, 9, LF_ROLE_DIM, g->fix);
    }
}

static int
draw_violations (lf_app *a, int y)
{
  size_t at = (size_t) a->place.selected;
  if (at >= a->tab.shown)
    {
      lf_grid_put (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_GOOD, "no limit was broken or nearly reached");
      return y + 1;
    }
  const lf_group *g = &a->data.groups[a->tab.ids[a->tab.order[at]]];
  lf_grid_put (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TEXT, g->message);
  lf_grid_putf (&a->grid, 1, y + 1, a->grid.w - 2, LF_ROLE_DIM, "%s%s", g->fix[0] ? "fix: " : "", g->fix);
  return y + 2;
}

static const lf_column cost_columns[] = {
  { "function", "FUNCTION", 'l', 0 }, { "day", "DAY", 'l', 0 }, { "invocations", "INV", 'r', 1 }, { "billed_ms", "BILLED MS", 'r', 3 },
  { "cost_usd", "COST", 'r', 0 }, { "requests_usd", "REQUESTS", 'r', 4 }, { "duration_usd", "DURATION", 'r', 2 }, { "init_usd", "INIT", 'r', 5 },
  { "tmp_usd", "/TMP", 'r', 6 },
};

static void
make_cost (lf_app *a)
{
  lf_tab_init (&a->tab, cost_columns, LF_ARRAY_LEN (cost_columns));
  for (size_t i = 0; i < a->data.fns_n; i++)
    for (size_t k = 0; in_scope (a, a->data.fns[i].name) && k < a->data.fns[i].days_n; k++)
      {
        const lf_day *day = &a->data.fns[i].days[k];
        char iso[32];
        lf_iso8601_ms (day->day * INT64_C (86400000000), iso);
        iso[10] = '\0';
        if (lf_tab_row (&a->tab, (int64_t) i) != 0)
          return;
        lf_tab_text (&a->tab, 0, LF_ROLE_TITLE, a->data.fns[i].name);
        lf_tab_text (&a->tab, 1, LF_ROLE_DIM, iso);
        lf_tab_int (&a->tab, 2, LF_ROLE_TEXT, day->invocations, NULL);
        lf_tab_int (&a->tab, 3, LF_ROLE_TEXT, day->billed_ms, NULL);
        put_cost (&a->tab, 4, &day->cost, day->cost.total);
        put_cost (&a->tab, 5, &day->cost, day->cost.requests);
        put_cost (&a->tab, 6, &day->cost, day->cost.duration);
        put_cost (&a->tab, 7, &day->cost, day->cost.init);
        put_cost (&a->tab, 8, &day->cost, day->cost.tmp);
      }
}

static int
draw_cost (lf_app *a, int y)
{
  lf_cost sum = { 0 };
  char total[64], month[64] = "-";
  lf_money m;
  for (size_t i = 0; i < a->data.fns_n; i++)
    if (in_scope (a, a->data.fns[i].name))
      lf_cost_add (&sum, &a->data.fns[i].cost);
  if (per_month (&a->data, &sum, &m))
    show_cost (&sum, m, month);
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TEXT, "total %s, a month at this rate: %s (profile %s, region %s)", show_cost (&sum, sum.total, total), month,
                a->data.profile->name, a->data.region != NULL ? a->data.region : "each row's own");
  return y + 1;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------------------ */

static const struct { void (*make) (lf_app *a); int (*draw) (lf_app *a, int y); } views[LF_V_COUNT] = {
  { make_functions, draw_functions }, { make_function, draw_function }, { make_invocations, NULL }, { make_invocation, draw_invocation },
  { make_environments, draw_environments }, { make_violations, draw_violations }, { make_cost, draw_cost },
};

void
lf_views_make (lf_app *a)
{
  if (a->place.view == LF_V_FUNCTION && a->function[0] == '\0' && a->data.fns_n > 0)
    snprintf (a->function, sizeof a->function, "%s", a->data.fns[0].name);
  lf_tab_fini (&a->tab);
  views[a->place.view].make (a);
  if (lf_tab_arrange (&a->tab, a->place.filter, a->place.sort, a->place.descending) != 0 && a->tab.rows_n < LF_TABLE_ROWS_MAX)
    lf_app_say (a, LF_ROLE_BAD, "no memory left for this view");
}

static void
draw_beginning (lf_app *a)
{
  static const char *const lines[] = { "This log is empty.", "", "Run a function once:       lambdafit run PATH", "Or serve it to your tests: lambdafit serve PATH",
                                       "Or open another log:       lambdafit top --db FILE", "", "Each invocation appears here as it ends." };
  for (int i = 0; i < (int) LF_ARRAY_LEN (lines); i++)
    lf_grid_put (&a->grid, 3, 3 + i, a->grid.w - 4, i == 0 ? LF_ROLE_TITLE : LF_ROLE_TEXT, lines[i]);
}

static void
draw_gauges (lf_app *a)
{
  if (a->place.view != LF_V_FUNCTION || a->grid.w < 70)
    return;
  lf_fn *f = lf_data_fn (&a->data, a->function);
  for (int r = 0; f != NULL && r < a->table_h - 1 && a->place.top + (size_t) r < a->tab.shown; r++)
    {
      lf_limit l = (lf_limit) a->tab.ids[a->tab.order[a->place.top + (size_t) r]];
      const lf_limit_info *info = lf_limit_get (l);
      /* the column of the longest limit's name is 13 wide */
      lf_grid_gauge (&a->grid, 15, a->table_y + 1 + r, 12, info->per_invocation ? f->used[l] : lf_limit_used (l, &f->config, NULL),
                     lf_limit_allowed (l, &f->config, a->data.profile));
    }
}

void
lf_views_draw (lf_app *a)
{
  int y = 2;
  if (a->data.rows == 0 && !a->data.loading && a->place.view != LF_V_ENVIRONMENTS)
    {
      draw_beginning (a);
      return;
    }
  if (views[a->place.view].draw != NULL)
    y = views[a->place.view].draw (a, y);
  a->table_y = y;
  a->table_h = a->grid.h - 2 - y;
  int rows = a->table_h > 1 ? a->table_h - 1 : 1;
  if (a->place.selected >= (int64_t) a->tab.shown)
    a->place.selected = a->tab.shown > 0 ? (int64_t) a->tab.shown - 1 : 0;
  if ((int64_t) a->place.top > a->place.selected)
    a->place.top = (size_t) a->place.selected;
  if (a->place.selected >= (int64_t) a->place.top + rows)
    a->place.top = (size_t) (a->place.selected - rows + 1);
  lf_tab_draw (&a->tab, &a->grid, y, a->table_h, a->place.top, a->place.selected, a->place.sort, a->place.descending);
  draw_gauges (a);
}
