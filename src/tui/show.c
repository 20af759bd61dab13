/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures for people, and figures as cells of a table.
 */
#include "inside.h"

#include <stdio.h>
#include <string.h>

const char *
lf_top_us (int64_t us, char out[32])
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

const char *
lf_top_amount (int64_t v, const char *unit, char out[40])
{
  if (v == LF_NONE)
    snprintf (out, 40, "-");
  else if (strcmp (unit, "bytes") == 0 && v >= LF_MB)
    snprintf (out, 40, "%.1f MB", (double) v / (double) LF_MB);
  else
    snprintf (out, 40, "%lld %s", (long long) v, unit);
  return out;
}

const char *
lf_top_cost (const lf_cost *c, lf_money m, char out[64])
{
  if (c->currency == NULL || !c->known)
    snprintf (out, 64, c->currency == NULL ? "-" : "no price");
  else
    lf_money_show (m, c->currency, out);
  return out;
}

void
lf_put_us (lf_grid_table *t, int column, int64_t us)
{
  char show[32];
  lf_tab_int (t, column, LF_ROLE_TEXT, us, lf_top_us (us, show));
}

void
lf_put_amount (lf_grid_table *t, int column, lf_role role, int64_t v, const char *unit)
{
  char show[40];
  lf_tab_int (t, column, role, v, lf_top_amount (v, unit, show));
}

void
lf_put_percent (lf_grid_table *t, int column, int64_t used, int64_t allowed, bool limit)
{
  char show[32] = "-", raw[32];
  bool known = used != LF_NONE && allowed != LF_NONE && allowed > 0;
  double p = known ? (double) used * 100 / (double) allowed : 0;
  snprintf (raw, sizeof raw, "%.3f", p);
  if (known)
    snprintf (show, sizeof show, "%.1f%%", p);
  lf_role role = limit ? lf_gauge_role (used, allowed) : p > 0 ? LF_ROLE_WARN : LF_ROLE_TEXT;
  lf_tab_raw (t, column, role == LF_ROLE_GOOD ? LF_ROLE_TEXT : role, known ? raw : NULL, p, show);
  if (limit)
    lf_tab_gauge (t, column, used, allowed);
}

void
lf_put_cost (lf_grid_table *t, int column, const lf_cost *c, lf_money m)
{
  char show[64], raw[64];
  lf_money_format (m, 12, raw);
  lf_tab_raw (t, column, LF_ROLE_TEXT, c->known ? raw : NULL, lf_money_double (m), lf_top_cost (c, m, show));
}

void
lf_put_time (lf_grid_table *t, int column, int64_t us)
{
  char iso[32], show[32];
  lf_iso8601_ms (us == LF_NONE ? 0 : us, iso);
  snprintf (show, sizeof show, "%.5s %.12s", iso + 5, iso + 11);
  lf_tab_int (t, column, LF_ROLE_DIM, us, us == LF_NONE ? "-" : show);
}
