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

static int64_t
bytes_of (int64_t mb)
{
  return mb == LF_NONE ? LF_NONE : mb * LF_MB;
}

/* At the rate of the time that the log covers, in a month of 30 days; unknown before a minute has passed. */
static bool
per_month (const lf_data *d, const lf_cost *c, lf_money *out)
{
  int64_t span = d->sums.last_us == LF_NONE ? 0 : d->sums.last_us - d->sums.first_us;
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
    lf_put_cost (t, column, c, m);
  else
    lf_tab_raw (t, column, LF_ROLE_DIM, NULL, 0, "-");
}

bool
lf_view_in_scope (const lf_app *a, const char *function)
{
  return a->function[0] == '\0' || a->place.view == LF_V_FUNCTIONS || strcmp (a->function, function) == 0;
}

/* ---- functions --------------------------------------------------------------------------------------------------------------------------- */

static const lf_column functions_columns[] = {
  { "function", "FUNCTION", 'l', 0, 0 }, { "invocations", "INV", 'r', 0, 0 }, { "error_percent", "ERR", 'r', 2, 0 }, { "cold_percent", "COLD", 'r', 3, 0 },
  { "init_p50_us", "INIT50", 'r', 13, 0 }, { "init_p95_us", "INIT95", 'r', 12, 0 }, { "init_p99_us", "INIT99", 'r', 14, 0 },
  { "duration_p50_us", "DUR50", 'r', 7, 0 }, { "duration_p95_us", "DUR95", 'r', 1, 0 }, { "duration_p99_us", "DUR99", 'r', 8, 0 },
  { "memory_percent", "MEM", 'r', 4, 4 }, { "tmp_percent", "/TMP", 'r', 9, 4 }, { "package_percent", "PKG", 'r', 10, 4 },
  { "cost_usd", "COST", 'r', 5, 0 }, { "monthly_cost_usd", "/MONTH", 'r', 11, 0 }, { "worst", "WORST", 'l', 6, 0 }, { "trend", "TREND", 'l', 6, 10 },
};

static void
function_row (lf_app *a, const lf_sums *s, const lf_fn *f)
{
  lf_data *d = &a->data;
  lf_cost cost;
  int c = 0;
  int64_t trend[LF_TIMELINE_BUCKETS];
  int used = lf_timeline_used (&s->timeline);
  lf_sums_cost (s, a->profile, a->region, -1, LF_NONE, LF_NONE, &cost);
  lf_tab_text (&a->tab, c++, LF_ROLE_TITLE, s->name);
  lf_tab_int (&a->tab, c++, LF_ROLE_TEXT, s->invocations, NULL);
  lf_put_percent (&a->tab, c++, s->errors, s->invocations, false);
  lf_put_percent (&a->tab, c++, s->cold, s->invocations, false);
  for (int k = 0; k < 6; k++)
    lf_put_us (&a->tab, c++, lf_samples_at (k < 3 ? &s->init : &s->duration, (const int[]){ 50, 95, 99 }[k % 3]));
  lf_put_percent (&a->tab, c++, s->max_memory_bytes, bytes_of (f->config.memory_mb), true);
  lf_put_percent (&a->tab, c++, s->tmp_used_bytes, bytes_of (f->config.tmp_mb), true);
  lf_put_percent (&a->tab, c++, f->config.package_bytes, a->profile->package_max_bytes, true);
  lf_put_cost (&a->tab, c++, &cost, cost.total);
  put_month (&a->tab, c++, d, &cost);
  lf_tab_text (&a->tab, c++, f->worst_broken ? LF_ROLE_BAD : LF_ROLE_WARN, f->worst[0] ? f->worst : NULL);
  for (int i = 0; i < used; i++)
    trend[i] = s->timeline.v[i].invocations;
  lf_tab_spark (&a->tab, c, trend, used);
}

static void
make_functions (lf_app *a)
{
  lf_tab_init (&a->tab, functions_columns, LF_ARRAY_LEN (functions_columns));
  for (size_t i = 0; i < a->data.fns_n; i++)
    if (a->data.sums.v[i].invocations > 0)
      {
        if (lf_tab_row (&a->tab, (int64_t) i) != 0)
          return;
        function_row (a, &a->data.sums.v[i], &a->data.fns[i]);
      }
}

/* ---- invocations -------------------------------------------------------------------------------------------------------------------------- */

static const lf_column invocations_columns[] = {
  { "received_us", "RECEIVED", 'l', 1, 0 }, { "function", "FUNCTION", 'l', 2, 0 }, { "status", "STATUS", 'l', 0, 0 }, { "cold", "COLD", 'l', 3, 0 },
  { "init_us", "INIT", 'r', 4, 0 }, { "duration_us", "DURATION", 'r', 0, 0 }, { "billed_ms", "BILLED", 'r', 7, 0 }, { "max_memory_bytes", "MEMORY", 'r', 4, 0 },
  { "tmp_used_bytes", "/TMP", 'r', 9, 0 }, { "wait_us", "WAIT", 'r', 10, 0 }, { "cost_usd", "COST", 'r', 8, 0 }, { "error_type", "ERROR", 'l', 5, 0 },
  { "request_id", "REQUEST ID", 'l', 6, 0 },
};

static void
invocation_row (lf_app *a, const lf_row *r)
{
  char show[40];
  lf_grid_table *t = &a->tab;
  lf_put_time (t, 0, r->received_us);
  lf_cost cost;
  lf_record record;
  lf_row_record (r, &record);
  lf_cost_of_record (a->profile, a->region != NULL ? a->region : record.region, &record, &cost);
  lf_tab_text (t, 1, LF_ROLE_TITLE, a->data.sums.v[r->fn].name);
  lf_tab_text (t, 2, r->status == LF_ST_OK ? LF_ROLE_GOOD : LF_ROLE_BAD, lf_status_name (r->status));
  lf_tab_int (t, 3, LF_ROLE_COLD, r->cold < 0 ? LF_NONE : r->cold, r->reload ? "reload" : r->cold == 1 ? "cold" : "");
  lf_put_us (t, 4, r->init_us);
  lf_put_us (t, 5, r->duration_us);
  lf_tab_int (t, 6, LF_ROLE_TEXT, r->billed_ms, NULL);
  lf_tab_int (t, 7, LF_ROLE_TEXT, r->max_memory_bytes, lf_top_amount (r->max_memory_bytes, "bytes", show));
  lf_tab_int (t, 8, LF_ROLE_TEXT, r->tmp_used_bytes, lf_top_amount (r->tmp_used_bytes, "bytes", show));
  lf_put_us (t, 9, r->wait_us);
  lf_put_cost (t, 10, &cost, cost.total);
  lf_tab_text (t, 11, LF_ROLE_BAD, r->error_type[0] ? r->error_type : NULL);
  lf_tab_text (t, 12, LF_ROLE_DIM, r->request_id);
}

static void
make_invocations (lf_app *a)
{
  const lf_row *r;
  lf_tab_init (&a->tab, invocations_columns, LF_ARRAY_LEN (invocations_columns));
  for (size_t back = 0; (r = lf_ring_back (&a->data.recent, back)) != NULL; back++)
    if (lf_view_in_scope (a, a->data.sums.v[r->fn].name))
      {
        if (lf_tab_row (&a->tab, r->rowid) != 0)
          return;
        invocation_row (a, r);
      }
}

/* ---- environments -------------------------------------------------------------------------------------------------------------------------- */

static const lf_column environments_columns[] = {
  { "environment", "ENVIRONMENT", 'l', 2, 0 }, { "function", "FUNCTION", 'l', 0, 0 }, { "state", "STATE", 'l', 0, 0 }, { "frozen", "FROZEN", 'l', 4, 0 },
  { "age_ms", "AGE", 'r', 1, 0 }, { "served", "SERVED", 'r', 1, 0 }, { "memory_bytes", "MEMORY", 'r', 3, 0 }, { "tmp_bytes", "/TMP", 'r', 5, 0 },
  { "keepalive_left_ms", "KEEPALIVE", 'r', 3, 0 }, { "pid", "PID", 'r', 6, 0 },
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
    lf_tab_int (&a->tab, 4, LF_ROLE_TEXT, age, lf_top_us (age == LF_NONE ? age : age * 1000, show));
    lf_tab_int (&a->tab, 5, LF_ROLE_TEXT, lf_json_i64 (e, "served", LF_NONE), NULL);
    lf_tab_int (&a->tab, 6, LF_ROLE_TEXT, memory, lf_top_amount (memory, "bytes", show));
    lf_tab_int (&a->tab, 7, LF_ROLE_TEXT, tmp, lf_top_amount (tmp, "bytes", show));
    lf_tab_int (&a->tab, 8, LF_ROLE_TEXT, left, lf_top_us (left == LF_NONE ? left : left * 1000, show));
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
    lf_grid_put (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_DIM, a->environments_asked ? "the daemon has no environments now" : "asking the daemon");
  return y + 1;
}

/* ---- violations, cost ------------------------------------------------------------------------------------------------------------------------ */

static const lf_column violations_columns[] = {
  { "severity", "SEVERITY", 'l', 0, 0 }, { "limit", "LIMIT", 'l', 0, 0 }, { "function", "FUNCTION", 'l', 1, 0 }, { "count", "COUNT", 'r', 0, 0 },
  { "used", "USED", 'r', 3, 0 }, { "allowed", "ALLOWED", 'r', 4, 0 }, { "first_us", "FIRST", 'l', 7, 0 }, { "last_us", "LAST", 'l', 5, 0 },
  { "message", "WHY", 'l', 6, 0 }, { "fix", "FIX", 'l', 8, 0 },
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
      if (!lf_view_in_scope (a, g->function))
        continue;
      if (lf_tab_row (&a->tab, (int64_t) i) != 0)
        return;
      lf_tab_text (&a->tab, 0, role, g->severity == LF_SEV_BROKEN ? "broken" : "near");
      lf_tab_text (&a->tab, 1, LF_ROLE_TITLE, g->limit_id);
      lf_tab_text (&a->tab, 2, LF_ROLE_TEXT, g->function);
      lf_tab_int (&a->tab, 3, LF_ROLE_TEXT, g->count, NULL);
      lf_tab_int (&a->tab, 4, role, g->used, lf_top_amount (g->used, g->unit, show));
      lf_tab_int (&a->tab, 5, LF_ROLE_TEXT, g->allowed, lf_top_amount (g->allowed, g->unit, show));
      lf_put_time (&a->tab, 6, g->first_us);
      lf_put_time (&a->tab, 7, g->last_us);
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
  { "function", "FUNCTION", 'l', 0, 0 }, { "day", "DAY", 'l', 0, 0 }, { "invocations", "INV", 'r', 1, 0 }, { "billed_ms", "BILLED MS", 'r', 3, 0 },
  { "cost_usd", "COST", 'r', 0, 0 }, { "requests_usd", "REQUESTS", 'r', 4, 0 }, { "duration_usd", "DURATION", 'r', 2, 0 }, { "init_usd", "INIT", 'r', 5, 0 },
  { "tmp_usd", "/TMP", 'r', 6, 0 },
};

static int
later_day (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x < y) - (x > y);
}

/* The days of a function, the newest first. */
static size_t
days_of (const lf_sums *s, int64_t *days)
{
  size_t n = 0;
  for (size_t i = 0; i < s->cells_n; i++)
    days[n++] = s->cells[i].day;
  if (n == 0)
    return 0;
  qsort (days, n, sizeof *days, later_day);
  size_t kept = 1;
  for (size_t i = 1; i < n; i++)
    if (days[i] != days[kept - 1])
      days[kept++] = days[i];
  return kept;
}

static void
cost_row (lf_app *a, const lf_sums *s, int64_t day)
{
  char iso[32];
  lf_cost cost;
  int64_t invocations = 0, billed = 0;
  for (size_t i = 0; i < s->cells_n; i++)
    if (s->cells[i].day == day)
      {
        invocations += s->cells[i].invocations;
        billed += s->cells[i].usage.billed_ms;
      }
  lf_sums_cost (s, a->profile, a->region, -1, LF_NONE, day, &cost);
  lf_iso8601_ms (day * INT64_C (86400000000), iso);
  iso[10] = '\0';
  lf_tab_text (&a->tab, 0, LF_ROLE_TITLE, s->name);
  lf_tab_text (&a->tab, 1, LF_ROLE_DIM, iso);
  lf_tab_int (&a->tab, 2, LF_ROLE_TEXT, invocations, NULL);
  lf_tab_int (&a->tab, 3, LF_ROLE_TEXT, billed, NULL);
  lf_put_cost (&a->tab, 4, &cost, cost.total);
  lf_put_cost (&a->tab, 5, &cost, cost.requests);
  lf_put_cost (&a->tab, 6, &cost, cost.duration);
  lf_put_cost (&a->tab, 7, &cost, cost.init);
  lf_put_cost (&a->tab, 8, &cost, cost.tmp);
}

static void
make_cost (lf_app *a)
{
  lf_tab_init (&a->tab, cost_columns, LF_ARRAY_LEN (cost_columns));
  for (size_t i = 0; i < a->data.fns_n; i++)
    {
      const lf_sums *s = &a->data.sums.v[i];
      int64_t *days = lf_view_in_scope (a, s->name) ? malloc ((s->cells_n + 1) * sizeof *days) : NULL;
      size_t n = days != NULL ? days_of (s, days) : 0;
      for (size_t k = 0; k < n && lf_tab_row (&a->tab, (int64_t) i) == 0; k++)
        cost_row (a, s, days[k]);
      free (days);
    }
}

static int
draw_cost (lf_app *a, int y)
{
  lf_cost sum = { 0 };
  char total[64], month[64] = "-";
  lf_money m;
  for (size_t i = 0; i < a->data.fns_n; i++)
    if (a->data.sums.v[i].invocations > 0 && lf_view_in_scope (a, a->data.sums.v[i].name))
      {
        lf_cost one;
        lf_sums_cost (&a->data.sums.v[i], a->profile, a->region, -1, LF_NONE, LF_NONE, &one);
        lf_cost_add (&sum, &one);
      }
  if (per_month (&a->data, &sum, &m))
    lf_top_cost (&sum, m, month);
  lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, LF_ROLE_TEXT, "total %s, a month at this rate: %s", lf_top_cost (&sum, sum.total, total), month);
  return y + 1;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------------------ */

static const struct { void (*make) (lf_app *a); int (*draw) (lf_app *a, int y); } views[LF_V_COUNT] = {
  { make_functions, NULL }, { lf_view_function_make, lf_view_function_draw }, { make_invocations, NULL },
  { lf_view_invocation_make, lf_view_invocation_draw },
  { make_environments, draw_environments }, { make_violations, draw_violations }, { make_cost, draw_cost },
};

void
lf_views_make (lf_app *a)
{
  if (a->place.view == LF_V_FUNCTION && a->function[0] == '\0' && a->data.fns_n > 0)
    snprintf (a->function, sizeof a->function, "%s", a->data.sums.v[0].name);
  lf_tab_fini (&a->tab);
  views[a->place.view].make (a);
  if (lf_tab_arrange (&a->tab, a->place.filter, a->place.sort, a->place.descending) != 0 && a->tab.rows_n < LF_TABLE_ROWS_MAX)
    lf_app_say (a, LF_ROLE_BAD, "no memory left for this view");
}

static void
draw_beginning (lf_app *a)
{
  static const char *const empty[] = { "This log is empty.", "", "Run a function once:       lambdafit run PATH", "Or serve it to your tests: lambdafit serve PATH",
                                       "Or open another log:       lambdafit top --db FILE", "", "Each invocation appears here as it ends." };
  static const char *const none[] = { "Nothing in this part of the log.", "", "t: another time range", "Each invocation appears here as it ends." };
  bool part = a->range > 0 || a->since_us != LF_NONE;
  int n = part ? (int) LF_ARRAY_LEN (none) : (int) LF_ARRAY_LEN (empty);
  for (int i = 0; i < n; i++)
    lf_grid_put (&a->grid, 3, 3 + i, a->grid.w - 4, i == 0 ? LF_ROLE_TITLE : LF_ROLE_TEXT, (part ? none : empty)[i]);
}

void
lf_views_draw (lf_app *a)
{
  int y = 2;
  if (a->data.sums.rows == 0 && a->data.error[0] == '\0' && !a->data.loading && a->place.view != LF_V_ENVIRONMENTS)
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
}
