/* SPDX-License-Identifier: Apache-2.0
 *
 * The view of one invocation: its phases one after the other, all measures, what it broke and why, its output.
 */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const lf_column measure_columns[] = { { "measure", "MEASURE", 'l', 0, 0 }, { "value", "VALUE", 'l', 0, 0 } };

static void
measure (lf_grid_table *t, lf_role role, const char *name, const char *text)
{
  if (text == NULL || lf_tab_row (t, 0) != 0)
    return;
  lf_tab_text (t, 0, LF_ROLE_TITLE, name);
  lf_tab_text (t, 1, role, text);
}

static void
put_output (lf_grid_table *t, const lf_record *r)
{
  for (size_t at = 0; r->log_tail != NULL && at < r->log_tail_len;)
    {
      size_t n = 0;
      while (at + n < r->log_tail_len && r->log_tail[at + n] != '\n' && r->log_tail[at + n] != '\0')
        n++;
      char *line LF_CLEANUP (lf_freep) = lf_strndup (r->log_tail + at, n);
      measure (t, LF_ROLE_DIM, at == 0 ? "output" : "", line);
      at += n + 1;
    }
}

static void
put_measures (lf_app *a, const lf_record *r)
{
  lf_grid_table *t = &a->tab;
  char text[64], iso[32];
  lf_iso8601_ms (r->received_us, iso);
  measure (t, LF_ROLE_TEXT, "request_id", r->request_id);
  measure (t, LF_ROLE_TEXT, "function", r->function);
  measure (t, r->status == LF_ST_OK ? LF_ROLE_GOOD : LF_ROLE_BAD, "status", lf_status_name (r->status));
  measure (t, LF_ROLE_BAD, "error_type", r->error_type);
  measure (t, LF_ROLE_BAD, "error_message", r->error_message);
  measure (t, LF_ROLE_TEXT, "received", iso);
  measure (t, LF_ROLE_COLD, "start", r->cold == 1 ? (r->cold_reason != NULL ? "cold, after a reload" : "cold") : r->cold == 0 ? "warm" : "none");
  const struct { const char *name, *key; int64_t v; const char *unit; } all[] = {
    { "wait", "wait_us", r->wait_us, "us" }, { "init", "init_us", r->init_us, "us" }, { "duration", "duration_us", r->duration_us, "us" },
    { "overhead", "overhead_us", r->overhead_us, "us" }, { "billed", "billed_ms", r->billed_ms, "ms" }, { "memory size", "memory_mb", r->memory_mb, "MB" },
    { "max memory", "max_memory_bytes", r->max_memory_bytes, "bytes" }, { "peak memory", "peak_memory_bytes", r->peak_memory_bytes, "bytes" },
    { "/tmp used", "tmp_used_bytes", r->tmp_used_bytes, "bytes" }, { "/tmp growth", "tmp_growth_bytes", r->tmp_growth_bytes, "bytes" },
    { "cpu", "cpu_us", r->cpu_us, "us" }, { "cpu throttled", "throttled_us", r->throttled_us, "us" },
    { "request", "request_bytes", r->request_bytes, "bytes" }, { "response", "response_bytes", r->response_bytes, "bytes" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
    if (all[i].v != LF_NONE && lf_tab_row (t, 0) == 0)
      {
        lf_tab_named (t, 0, LF_ROLE_TITLE, all[i].name, all[i].key);
        lf_tab_int (t, 1, LF_ROLE_TEXT, all[i].v, strcmp (all[i].unit, "us") == 0 ? lf_top_us (all[i].v, text) : lf_top_amount (all[i].v, all[i].unit, text));
      }
  lf_cost c;
  lf_cost_of_record (a->profile, a->region != NULL ? a->region : r->region, r, &c);
  measure (t, LF_ROLE_TEXT, "cost", lf_top_cost (&c, c.total, text));
  measure (t, LF_ROLE_DIM, "environment", r->environment);
  measure (t, LF_ROLE_DIM, "host", r->host);
  put_output (t, r);
}

static const char *
present (const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

/* What the reader has found of the invocation that is wanted; NULL: not yet. */
static const lf_detail *
detail_of (const lf_app *a)
{
  return a->request_id[0] != '\0' && strcmp (a->data.detail.request_id, a->request_id) == 0 ? &a->data.detail : NULL;
}

void
lf_view_invocation_make (lf_app *a)
{
  const lf_row *newest = lf_ring_back (&a->data.recent, 0);
  lf_tab_init (&a->tab, measure_columns, LF_ARRAY_LEN (measure_columns));
  if (a->request_id[0] == '\0' && newest != NULL)
    snprintf (a->request_id, sizeof a->request_id, "%s", newest->request_id);
  const lf_detail *d = detail_of (a);
  if (d == NULL)
    return;
  for (int i = 0; i < d->v_n; i++)
    {
      bool broken = d->v[i].severity == LF_SEV_BROKEN;
      measure (&a->tab, broken ? LF_ROLE_BAD : LF_ROLE_WARN, broken ? "broken" : "near", d->v[i].limit_id);
      measure (&a->tab, LF_ROLE_TEXT, "cause", present (d->v[i].message));
      measure (&a->tab, LF_ROLE_TEXT, "fix", present (d->v[i].fix));
    }
  if (d->found)
    put_measures (a, &d->r);
}

/* Wait, init, handler and overhead one after the other, each as long as its share. */
static int
draw_phases (lf_app *a, const lf_record *r, int y)
{
  const struct { const char *name; int64_t us; lf_role role; } phases[] = { { "wait", r->wait_us, LF_ROLE_DIM }, { "init", r->init_us, LF_ROLE_COLD },
                                                                            { "handler", r->duration_us, LF_ROLE_CHART }, { "overhead", r->overhead_us, LF_ROLE_WARN } };
  int64_t total = 0, at = 0;
  int room = a->grid.w - 24, n = (int) LF_ARRAY_LEN (phases);
  for (int i = 0; i < n; i++)
    total += phases[i].us > 0 ? phases[i].us : 0;
  for (int i = 0; i < n; i++)
    {
      char show[32];
      int64_t us = phases[i].us > 0 ? phases[i].us : 0;
      int from = total > 0 ? (int) ((double) at / (double) total * room) : 0, to = total > 0 ? (int) ((double) (at + us) / (double) total * room + 0.5) : 0;
      from = from >= room ? room - 1 : from;
      to = us > 0 && to <= from ? from + 1 : to;
      lf_grid_put (&a->grid, 1, y + i, 9, LF_ROLE_DIM, phases[i].name);
      for (int x = from; us > 0 && x < to; x++)
        lf_grid_put (&a->grid, 10 + x, y + i, 1, phases[i].role, a->grid.ascii ? "#" : "█");
      lf_grid_put (&a->grid, a->grid.w - 12, y + i, 11, LF_ROLE_TEXT, lf_top_us (phases[i].us, show));
      at += us;
    }
  return y + n;
}

int
lf_view_invocation_draw (lf_app *a, int y)
{
  const lf_detail *d = detail_of (a);
  if (d != NULL && d->found)
    return draw_phases (a, &d->r, y);
  if (a->request_id[0] != '\0')
    lf_grid_putf (&a->grid, 1, y, a->grid.w - 2, d != NULL ? LF_ROLE_WARN : LF_ROLE_DIM, d != NULL ? "no invocation %s in this log" : "reading %s", a->request_id);
  return y + 1;
}
