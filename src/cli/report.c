/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of a report as text, its table for a terminal, and its JSON.
 */
#include "report.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

int64_t
lf_permille (int64_t used, int64_t allowed)
{
  return used == LF_NONE || allowed == LF_NONE || allowed <= 0 ? LF_NONE : (int64_t) ((double) used * 1000 / (double) allowed + 0.5);
}

void
lf_show_used (int64_t used, int64_t allowed, const char *unit, int64_t permille, char out[80])
{
  char u[40], a[40];
  lf_show_quantity (used, unit, u);
  lf_show_quantity (allowed, unit, a);
  if (used == LF_NONE)
    snprintf (out, 80, "-");
  else if (allowed == LF_NONE)
    snprintf (out, 80, "%.38s", u);
  else if (permille == LF_NONE)
    snprintf (out, 80, "%.30s of %.30s", u, a);
  else
    snprintf (out, 80, "%.24s of %.24s (%lld.%lld %%)", u, a, (long long) permille / 10, (long long) permille % 10);
}

static void
with_percent (int64_t n, int64_t of, char out[64])
{
  int64_t permille = lf_permille (n, of);
  if (n == 0 || permille == LF_NONE)
    snprintf (out, 64, "%lld", (long long) n);
  else
    snprintf (out, 64, "%lld (%lld.%lld %%)", (long long) n, (long long) permille / 10, (long long) permille % 10);
}

void
lf_page_cost (const lf_cost *c, lf_money m, char out[64])
{
  if (c->known)
    lf_money_show (m, c->currency, out);
  else
    snprintf (out, 64, "-");
}

void
lf_figures_of (const lf_page *p, const lf_report_function *it, lf_figures *out)
{
  const int64_t init[] = { it->init_us.p50, it->init_us.p95, it->init_us.p99 };
  const int64_t duration[] = { it->duration_us.p50, it->duration_us.p95, it->duration_us.p99 };
  int64_t memory = it->memory_mb == LF_NONE ? LF_NONE : it->memory_mb * LF_MB, tmp = it->tmp_mb == LF_NONE ? LF_NONE : it->tmp_mb * LF_MB;
  snprintf (out->invocations, sizeof out->invocations, "%lld", (long long) it->invocations);
  snprintf (out->throttled, sizeof out->throttled, "%lld", (long long) it->throttled);
  with_percent (it->errors, it->invocations, out->errors);
  with_percent (it->cold, it->invocations, out->cold);
  for (int i = 0; i < 3; i++)
    {
      lf_show_us (init[i], out->init[i]);
      lf_show_us (duration[i], out->duration[i]);
    }
  lf_show_used (it->max_memory_bytes, memory, "bytes", it->memory_permille, out->memory);
  lf_show_used (it->tmp_used_bytes, tmp, "bytes", it->tmp_permille, out->tmp);
  lf_show_used (it->package_bytes, p->profile->package_max_bytes, "bytes", lf_permille (it->package_bytes, p->profile->package_max_bytes), out->package);
  snprintf (out->billed, sizeof out->billed, "%lld ms", (long long) it->billed_ms);
  lf_page_cost (&it->cost, it->cost.total, out->cost);
  lf_page_cost (&it->cost, it->invocations > 0 ? it->cost.total * 1000000 / it->invocations : 0, out->million);
  if (it->broken > 0)
    snprintf (out->violations, sizeof out->violations, "%lld (%lld broken)", (long long) it->violations, (long long) it->broken);
  else
    snprintf (out->violations, sizeof out->violations, "%lld", (long long) it->violations);
}

static void
moment (int64_t us, char out[32])
{
  lf_iso8601_ms (us, out);
  out[10] = ' ';
  out[19] = '\0';
}

void
lf_page_period (const lf_page *p, char out[80])
{
  char first[32], last[32];
  out[0] = '\0';
  if (p->r->first_us == LF_NONE)
    return;
  moment (p->r->first_us, first);
  moment (p->r->last_us, last);
  snprintf (out, 80, "%.19s to %.19s UTC", first, last);
}

void
lf_page_region (const lf_page *p, char out[64])
{
  snprintf (out, 64, "%s", p->r->region[0] != '\0' ? p->r->region : p->r->invocations > 0 ? "each invocation's own region" : "no region");
}

/* ---- text ---------------------------------------------------------------------------------------------------------------------- */

static void
print_name (lf_table *t, const char *name)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_add_printable (&b, name, strlen (name));
  for (size_t i = 0; i < b.len; i++)
    if (b.data[i] == '\n' || b.data[i] == '\t')
      b.data[i] = '?';
  lf_table_add (t, "%.100s", b.data != NULL ? b.data : "");
}

static void
print_times (const lf_page *p, FILE *f)
{
  lf_table t;
  lf_table_init (&t, 11, "lrrrrrrrrrr");
  static const char *const head[] = { "FUNCTION", "INVOKED", "ERRORS", "COLD", "THROTTLED", "INIT p50", "p95", "p99", "DURATION p50", "p95", "p99" };
  for (size_t i = 0; i < LF_ARRAY_LEN (head); i++)
    lf_table_add (&t, "%s", head[i]);
  for (size_t i = 0; i < p->r->n; i++)
    {
      lf_figures g;
      lf_figures_of (p, &p->r->functions[i], &g);
      print_name (&t, p->r->functions[i].name);
      lf_table_add (&t, "%s", g.invocations);
      lf_table_add (&t, "%s", g.errors);
      lf_table_add (&t, "%s", g.cold);
      lf_table_add (&t, "%s", g.throttled);
      for (int k = 0; k < 3; k++)
        lf_table_add (&t, "%s", g.init[k]);
      for (int k = 0; k < 3; k++)
        lf_table_add (&t, "%s", g.duration[k]);
    }
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
}

static void
print_use (const lf_page *p, FILE *f)
{
  lf_table t;
  lf_table_init (&t, 7, "lrrrrrr");
  static const char *const head[] = { "FUNCTION", "MEMORY", "/TMP", "PACKAGE", "COST", "PER MILLION", "VIOLATIONS" };
  for (size_t i = 0; i < LF_ARRAY_LEN (head); i++)
    lf_table_add (&t, "%s", head[i]);
  for (size_t i = 0; i < p->r->n; i++)
    {
      lf_figures g;
      lf_figures_of (p, &p->r->functions[i], &g);
      print_name (&t, p->r->functions[i].name);
      const char *const cells[] = { g.memory, g.tmp, g.package, g.cost, g.million, g.violations };
      for (size_t k = 0; k < LF_ARRAY_LEN (cells); k++)
        lf_table_add (&t, "%s", cells[k]);
    }
  lf_table_print (&t, f, "");
  lf_table_fini (&t);
}

static void
print_printable (const char *text, FILE *f)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (text != NULL && lf_buf_add_printable (&b, text, strlen (text)) == 0)
    fputs (b.data, f);
}

static void
print_violation (const lf_report_violation *v, FILE *f)
{
  bool broken = v->severity == LF_SEV_BROKEN, color = lf_color (f);
  fprintf (f, "  %s%s%s ", color ? (broken ? "\033[31m" : "\033[33m") : "", broken ? "BROKEN" : "NEAR", color ? "\033[0m" : "");
  print_printable (v->limit_id, f);
  fputs (" of ", f);
  print_printable (v->function, f);
  if (v->count > 1)
    fprintf (f, " (%lld times)", (long long) v->count);
  fputs (": ", f);
  print_printable (v->message, f);
  if (v->fix != NULL && v->fix[0] != '\0')
    {
      fputs ("\n    fix: ", f);
      print_printable (v->fix, f);
    }
  fputc ('\n', f);
}

/* Of a log without invocations too: a package that Lambda would not take is not run. */
static void
print_violations (const lf_report *r, FILE *f)
{
  if (r->violations_n > 0)
    fputs ("\nviolations\n", f);
  for (size_t i = 0; i < r->violations_n; i++)
    print_violation (&r->violations[i], f);
}

int
lf_page_text (const lf_page *p, FILE *f)
{
  char period[80], region[64], cost[64];
  const lf_report *r = p->r;
  lf_page_period (p, period);
  lf_page_region (p, region);
  lf_page_cost (&r->cost, r->cost.total, cost);
  if (r->n == 0)
    {
      fprintf (f, "%s: no invocations\n", p->log);
      print_violations (r, f);
      return ferror (f) ? -1 : 0;
    }
  fprintf (f, "%s\n%s%sprices: %s, %s\n\n", p->log, period, period[0] != '\0' ? "; " : "", p->profile->name, region);
  print_times (p, f);
  fputc ('\n', f);
  print_use (p, f);
  fprintf (f, "\ntotal: %lld invocations, %lld errors, %lld cold, billed %lld ms, cost %s\n", (long long) r->invocations, (long long) r->errors,
           (long long) r->cold, (long long) r->billed_ms, cost);
  print_violations (r, f);
  return ferror (f) ? -1 : 0;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------------- */

/* The keys say USD, so an amount in another currency is not given there. */
static int
add_usd (cJSON *o, const char *key, const lf_cost *c, lf_money m)
{
  lf_cost usd = *c;
  usd.known = c->known && lf_streq (c->currency, "USD");
  return lf_json_add_money (o, key, &usd, m);
}

static int
add_spread (cJSON *o, const char *key, const lf_spread *s)
{
  cJSON *at = cJSON_AddObjectToObject (o, key);
  if (at == NULL)
    return -1;
  return lf_json_add_i64 (at, "p50", s->p50) | lf_json_add_i64 (at, "p95", s->p95) | lf_json_add_i64 (at, "p99", s->p99);
}

static int
add_function (cJSON *list, const lf_report_function *it)
{
  cJSON *o = cJSON_CreateObject ();
  if (o == NULL || !cJSON_AddItemToArray (list, o))
    return -1;
  int bad = lf_json_add_str (o, "function", it->name);
  bad |= lf_json_add_i64 (o, "invocations", it->invocations);
  bad |= lf_json_add_i64 (o, "errors", it->errors);
  bad |= lf_json_add_i64 (o, "cold", it->cold);
  bad |= lf_json_add_i64 (o, "throttled", it->throttled);
  bad |= add_spread (o, "init_us", &it->init_us);
  bad |= add_spread (o, "duration_us", &it->duration_us);
  bad |= lf_json_add_i64 (o, "max_memory_bytes", it->max_memory_bytes);
  bad |= lf_json_add_i64 (o, "tmp_used_bytes", it->tmp_used_bytes);
  bad |= lf_json_add_i64 (o, "package_bytes", it->package_bytes);
  bad |= lf_json_add_i64 (o, "billed_ms", it->billed_ms);
  bad |= add_usd (o, "cost_usd", &it->cost, it->cost.total);
  bad |= add_usd (o, "cost_per_million_usd", &it->cost, it->invocations > 0 ? it->cost.total * 1000000 / it->invocations : 0);
  bad |= lf_json_add_i64 (o, "violations", it->violations);
  return bad;
}

static int
add_violation (cJSON *list, const lf_report_violation *v)
{
  cJSON *o = cJSON_CreateObject ();
  if (o == NULL || !cJSON_AddItemToArray (list, o))
    return -1;
  int bad = lf_json_add_str (o, "function", v->function);
  bad |= lf_json_add_str (o, "limit_id", v->limit_id);
  bad |= lf_json_add_str (o, "severity", v->severity == LF_SEV_BROKEN ? "broken" : "near");
  bad |= lf_json_add_i64 (o, "count", v->count);
  bad |= lf_json_add_i64 (o, "first_us", v->first_us);
  bad |= lf_json_add_i64 (o, "last_us", v->last_us);
  bad |= lf_json_add_str (o, "request_id", v->request_id);
  bad |= lf_json_add_i64 (o, "used", v->used);
  bad |= lf_json_add_i64 (o, "allowed", v->allowed);
  bad |= lf_json_add_str (o, "unit", v->unit);
  bad |= lf_json_add_str (o, "enforced", lf_enforced_name (v->enforced));
  bad |= lf_json_add_str (o, "rule", v->rule);
  bad |= lf_json_add_str (o, "message", v->message);
  bad |= lf_json_add_str (o, "fix", v->fix);
  return bad;
}

cJSON *
lf_page_json (const lf_page *p)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  cJSON *functions = cJSON_AddArrayToObject (o, "functions"), *totals = cJSON_AddObjectToObject (o, "totals");
  cJSON *violations = cJSON_AddArrayToObject (o, "violations");
  const lf_report *r = p->r;
  if (functions == NULL || totals == NULL || violations == NULL)
    return NULL;
  int bad = 0;
  for (size_t i = 0; i < r->n; i++)
    bad |= add_function (functions, &r->functions[i]);
  bad |= lf_json_add_i64 (totals, "invocations", r->invocations);
  bad |= lf_json_add_i64 (totals, "errors", r->errors);
  bad |= lf_json_add_i64 (totals, "cold", r->cold);
  bad |= lf_json_add_i64 (totals, "throttled", r->throttled);
  bad |= lf_json_add_i64 (totals, "billed_ms", r->billed_ms);
  bad |= r->invocations > 0 ? add_usd (totals, "cost_usd", &r->cost, r->cost.total) : lf_json_add_i64 (totals, "cost_usd", 0);
  for (size_t i = 0; i < r->violations_n; i++)
    bad |= add_violation (violations, &r->violations[i]);
  bad |= lf_json_add_str (o, "profile", p->profile->name);
  bad |= lf_json_add_str (o, "region", r->region[0] != '\0' ? r->region : NULL);
  bad |= lf_json_add_i64 (o, "first_us", r->first_us);
  bad |= lf_json_add_i64 (o, "last_us", r->last_us);
  bad |= lf_json_add_str (o, "log", p->log);
  if (bad)
    return NULL;
  cJSON *result = o;
  o = NULL;
  return result;
}
