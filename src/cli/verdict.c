/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

void
lf_verdict_init (lf_verdict *v, const lf_function *f, const lf_profile *p)
{
  memset (v, 0, sizeof *v);
  v->f = f;
  v->profile = p;
  for (int l = 0; l < LF_LIM_COUNT; l++)
    v->used[l] = lf_limit_get (l)->per_invocation ? LF_NONE : lf_limit_used (l, f, NULL);
  v->cpu_us = v->throttled_us = LF_NONE;
  v->cost.known = true;
  lf_cost zero = { 0 };
  v->cost = zero;
}

void
lf_verdict_fini (lf_verdict *v)
{
  free (v->init);
  free (v->cold_duration);
  free (v->warm_duration);
  cJSON_Delete (v->invocations);
  memset (v, 0, sizeof *v);
}

static void
sample (lf_verdict *v, int64_t **a, size_t *n, int64_t us)
{
  if (us == LF_NONE)
    return;
  if ((*n & (*n - 1)) == 0) /* full at each power of two */
    {
      int64_t *more = realloc (*a, (*n ? *n * 2 : 1) * sizeof **a);
      if (!more)
        {
          v->nomem = true;
          return;
        }
      *a = more;
    }
  (*a)[(*n)++] = us;
}

static void
add_sum (int64_t *sum, int64_t more)
{
  if (more != LF_NONE)
    *sum = *sum == LF_NONE ? more : *sum + more;
}

/* The same rule again is counted, and its worst value kept. */
void
lf_verdict_violation (lf_verdict *v, const lf_violation *one)
{
  v->failed |= one->severity == LF_SEV_BROKEN; /* also when the function came through: what is broken here does not deploy, or fails there */
  for (size_t i = 0; i < v->seen_n; i++)
    if (strcmp (v->seen[i].v.rule, one->rule) == 0 && v->seen[i].v.severity == one->severity)
      {
        v->seen[i].times++;
        if (one->used > v->seen[i].v.used)
          v->seen[i].v.used = one->used;
        return;
      }
  if (v->seen_n == LF_VERDICT_VIOLATIONS_MAX)
    return;
  lf_verdict_note *n = &v->seen[v->seen_n++];
  *n = (lf_verdict_note){ .v = *one, .times = 1 };
  snprintf (n->request_id, sizeof n->request_id, "%s", one->request_id ? one->request_id : "");
  n->v.request_id = NULL;
  n->v.function = v->f->name;
}

static void
add_json (lf_verdict *v, const lf_outcome *o, const lf_cost *cost)
{
  if (!v->invocations)
    v->invocations = cJSON_CreateArray ();
  cJSON *j = lf_record_json (o->record);
  if (!v->invocations || !j)
    {
      v->nomem = true;
      return;
    }
  lf_error ignored = { 0 };
  cJSON *body = o->body_len ? lf_json_parse (o->body, o->body_len, "response", &ignored) : NULL;
  bool error = o->function_error;
  if (!body && o->body_len)
    {
      /* Not JSON (Python's NaN, plain text): the text itself. */
      char *text LF_CLEANUP (lf_freep) = lf_strndup (o->body, o->body_len);
      if (text)
        text[lf_utf8_valid (text, strlen (text))] = 0;
      body = text ? cJSON_CreateString (text) : NULL;
    }
  cJSON_AddItemToObject (j, "response", !error && body ? body : cJSON_CreateNull ());
  cJSON_AddItemToObject (j, "error", error && body ? body : cJSON_CreateNull ());
  lf_json_add_money (j, "cost_usd", cost, cost->total);
  cJSON_AddItemToArray (v->invocations, j);
}

void
lf_verdict_add (lf_verdict *v, const lf_outcome *o)
{
  const lf_record *r = o->record;
  lf_cost cost;
  v->count++;
  v->by_status[r->status]++;
  v->failed |= r->status != LF_ST_OK;
  if (r->cold == 1)
    {
      v->cold++;
      sample (v, &v->init, &v->init_n, r->init_us);
      sample (v, &v->cold_duration, &v->cold_n, r->duration_us);
    }
  else if (r->cold == 0)
    {
      v->warm++;
      sample (v, &v->warm_duration, &v->warm_n, r->duration_us);
    }
  if (r->billed_ms != LF_NONE)
    v->billed_ms += r->billed_ms;
  add_sum (&v->cpu_us, r->cpu_us);
  add_sum (&v->throttled_us, r->throttled_us);
  for (int l = 0; l < LF_LIM_COUNT; l++)
    if (lf_limit_get (l)->per_invocation)
      {
        int64_t used = lf_limit_used (l, v->f, r);
        if (used != LF_NONE && (v->used[l] == LF_NONE || used > v->used[l]))
          v->used[l] = used;
      }
  lf_cost_of_record (v->profile, v->f->region, r, &cost);
  lf_cost_add (&v->cost, &cost);
  for (size_t i = 0; i < o->violations_n; i++)
    lf_verdict_violation (v, &o->violations[i]);
  if (v->json)
    add_json (v, o, &cost);
}

static lf_enforced
enforced (const lf_verdict *v, lf_limit l)
{
  const lf_limit_info *info = lf_limit_get (l);
  return info->by_default == LF_ENF_KERNEL ? v->enforcement.by[l] : info->by_default;
}

/* ---- for people --------------------------------------------------------------------------------------------------------------------- */

static int
compare (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static void
add_times (lf_table *t, const char *name, int64_t *samples, size_t n)
{
  char text[4][32];
  if (!n)
    return;
  qsort (samples, n, sizeof *samples, compare);
  lf_show_us (samples[0], text[0]);
  lf_show_us (lf_percentile (samples, n, 50), text[1]);
  lf_show_us (lf_percentile (samples, n, 95), text[2]);
  lf_show_us (samples[n - 1], text[3]);
  lf_table_add (t, "%s", name);
  lf_table_add (t, "%zu", n);
  for (int i = 0; i < 4; i++)
    lf_table_add (t, "%s", text[i]);
}

static void
print_times (lf_verdict *v, FILE *f)
{
  lf_table t;
  static const char *const heads[] = { "time", "n", "min", "p50", "p95", "max" };
  lf_table_init (&t, 6, "lrrrrr");
  for (size_t i = 0; i < LF_ARRAY_LEN (heads); i++)
    lf_table_add (&t, "%s", heads[i]);
  add_times (&t, "init (cold)", v->init, v->init_n);
  add_times (&t, "duration, cold", v->cold_duration, v->cold_n);
  add_times (&t, "duration, warm", v->warm_duration, v->warm_n);
  lf_table_print (&t, f, "  ");
  lf_table_fini (&t);
  if (v->throttled_us != LF_NONE && v->cpu_us != LF_NONE && v->throttled_us > 0)
    {
      char cpu[32], wait[32];
      lf_show_us (v->cpu_us, cpu);
      lf_show_us (v->throttled_us, wait);
      fprintf (f, "  CPU: %s used, %s spent waiting for the share that %lld MB give (%.2f of one CPU)\n", cpu, wait, (long long) v->f->memory_mb,
               (double) lf_profile_cpu_milli (v->profile, v->f->memory_mb) / 1000);
    }
}

static void
print_limits (const lf_verdict *v, FILE *f)
{
  lf_table t;
  static const char *const heads[] = { "limit", "used", "allowed", "%", "enforced" };
  bool color = lf_color (f);
  lf_table_init (&t, 5, "lrrrl");
  for (size_t i = 0; i < LF_ARRAY_LEN (heads); i++)
    lf_table_add (&t, "%s", heads[i]);
  for (int l = 0; l < LF_LIM_COUNT; l++)
    {
      char used[40], allowed[40];
      int64_t max = lf_limit_allowed (l, v->f, v->profile);
      if (max == LF_NONE)
        continue;
      lf_show_quantity (v->used[l], lf_limit_get (l)->unit, used);
      lf_show_quantity (max, lf_limit_get (l)->unit, allowed);
      lf_table_add (&t, "%s", lf_limit_get (l)->id);
      lf_table_add (&t, "%s", used);
      lf_table_add (&t, "%s", allowed);
      if (v->used[l] == LF_NONE || max <= 0)
        lf_table_add (&t, "-");
      else
        lf_table_add (&t, "%.1f", 100.0 * (double) v->used[l] / (double) max);
      lf_table_add (&t, "%s", lf_enforced_label (enforced (v, l)));
    }
  (void) color;
  lf_table_print (&t, f, "  ");
  lf_table_fini (&t);
}

static void
print_violations (const lf_verdict *v, FILE *f)
{
  bool color = lf_color (f);
  for (size_t i = 0; i < v->seen_n; i++)
    {
      const lf_verdict_note *n = &v->seen[i];
      bool broken = n->v.severity == LF_SEV_BROKEN;
      fprintf (f, "  %s%s%s %s", color ? (broken ? "\033[31m" : "\033[33m") : "", broken ? "BROKEN" : "NEAR", color ? "\033[0m" : "", n->v.limit_id);
      if (n->times > 1)
        fprintf (f, " (%lld times)", (long long) n->times);
      fprintf (f, ": %s\n    fix: %s\n", n->v.message, n->v.fix);
    }
}

static void
print_cost (const lf_verdict *v, FILE *f)
{
  char total[64], million[64];
  if (!v->cost.known || v->count == 0)
    {
      fprintf (f, "  cost: profile %s has no price for %s in %s\n", v->profile->name, lf_arch_name (v->f->arch), v->f->region);
      return;
    }
  lf_money_show (v->cost.total, v->cost.currency, total);
  lf_money_show (v->cost.total * 1000000 / v->count, v->cost.currency, million);
  fprintf (f, "  billed: %lld ms; cost: %s for this run, %s per million invocations (%s, %s)\n", (long long) v->billed_ms, total, million, v->f->region,
           v->profile->name);
}

void
lf_verdict_print (lf_verdict *v, FILE *f)
{
  fprintf (f, "\n%s: %s, %lld MB, %s%s%s\n", v->f->name, v->f->runtime, (long long) v->f->memory_mb, lf_arch_name (v->f->arch),
           v->f->interpreter ? ", " : "", v->f->interpreter ? v->f->interpreter : "");
  for (size_t i = 0; v->notes && i < v->notes->n; i++)
    if (lf_starts (v->notes->v[i], "warning: "))
      fprintf (f, "  %s\n", v->notes->v[i]);
  fprintf (f, "  %lld invocation%s: %lld cold, %lld warm", (long long) v->count, v->count == 1 ? "" : "s", (long long) v->cold, (long long) v->warm);
  for (int s = 1; s < LF_ST_COUNT; s++)
    if (v->by_status[s])
      fprintf (f, ", %lld %s", (long long) v->by_status[s], lf_status_name (s));
  fputs ("\n\n", f);
  print_limits (v, f);
  fputc ('\n', f);
  print_times (v, f);
  print_cost (v, f);
  print_violations (v, f);
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------------------- */

cJSON *
lf_function_json (const lf_function *f, const lf_profile *p)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return NULL;
  lf_json_add_str (o, "name", f->name);
  lf_json_add_str (o, "version", f->version);
  lf_json_add_str (o, "runtime", f->runtime);
  lf_json_add_str (o, "handler", f->handler);
  lf_json_add_str (o, "arch", lf_arch_name (f->arch));
  lf_json_add_str (o, "region", f->region);
  lf_json_add_str (o, "profile", p->name);
  lf_json_add_i64 (o, "memory_mb", f->memory_mb);
  lf_json_add_i64 (o, "timeout_ms", f->timeout_ms);
  lf_json_add_i64 (o, "tmp_mb", f->tmp_mb);
  lf_json_add_i64 (o, "keepalive_ms", f->keepalive_ms == LF_NONE ? p->keepalive_ms : f->keepalive_ms);
  lf_json_add_i64 (o, "reserved_concurrency", f->reserved);
  lf_json_add_str (o, "network", f->network == LF_NET_NONE ? "none" : "host");
  lf_json_add_str (o, "log_format", f->log_format == LF_LOG_JSON ? "JSON" : "text");
  lf_json_add_i64 (o, "package_bytes", f->package_bytes);
  lf_json_add_i64 (o, "zip_bytes", f->zip_bytes);
  lf_json_add_i64 (o, "env_bytes", f->env_bytes);
  lf_json_add_str (o, "code_sha256", f->code_sha256);
  lf_json_add_str (o, "interpreter", f->interpreter);
  lf_json_add_i64 (o, "cpu_milli", lf_profile_cpu_milli (p, f->memory_mb));
  lf_json_add_i64 (o, "visible_cpus", lf_profile_visible_cpus (p, f->memory_mb));
  cJSON *layers = cJSON_AddArrayToObject (o, "layers");
  for (size_t i = 0; layers && i < f->layers.n; i++)
    cJSON_AddItemToArray (layers, cJSON_CreateString (f->layers.v[i]));
  return o;
}

static cJSON *
limits_json (const lf_verdict *v)
{
  cJSON *a = cJSON_CreateArray ();
  for (int l = 0; a && l < LF_LIM_COUNT; l++)
    {
      int64_t max = lf_limit_allowed (l, v->f, v->profile);
      if (max == LF_NONE)
        continue;
      cJSON *o = cJSON_CreateObject ();
      if (!o)
        break;
      lf_json_add_str (o, "limit", lf_limit_get (l)->id);
      lf_json_add_i64 (o, "used", v->used[l]);
      lf_json_add_i64 (o, "allowed", max);
      lf_json_add_str (o, "unit", lf_limit_get (l)->unit);
      if (v->used[l] == LF_NONE || max <= 0)
        cJSON_AddNullToObject (o, "percent");
      else
        {
          char text[40];
          snprintf (text, sizeof text, "%.2f", 100.0 * (double) v->used[l] / (double) max);
          cJSON_AddRawToObject (o, "percent", text);
        }
      lf_json_add_str (o, "enforced", lf_enforced_name (enforced (v, l)));
      cJSON_AddItemToArray (a, o);
    }
  return a;
}

static cJSON *
cost_json (const lf_verdict *v)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o)
    return NULL;
  const lf_cost *c = &v->cost;
  lf_json_add_money (o, "total_usd", c, c->total);
  lf_json_add_money (o, "per_million_usd", c, v->count ? c->total * 1000000 / v->count : 0);
  cJSON *parts = cJSON_AddObjectToObject (o, "parts");
  if (parts)
    {
      lf_json_add_money (parts, "requests", c, c->requests);
      lf_json_add_money (parts, "duration", c, c->duration);
      lf_json_add_money (parts, "init", c, c->init);
      lf_json_add_money (parts, "tmp", c, c->tmp);
    }
  lf_json_add_i64 (o, "billed_ms", v->billed_ms);
  lf_json_add_str (o, "profile", v->profile->name);
  lf_json_add_str (o, "region", v->f->region);
  lf_json_add_str (o, "currency", c->currency);
  return o;
}

cJSON *
lf_verdict_json (lf_verdict *v)
{
  cJSON *o = cJSON_CreateObject ();
  if (!o || v->nomem)
    {
      cJSON_Delete (o);
      return NULL;
    }
  cJSON_AddItemToObject (o, "function", lf_function_json (v->f, v->profile));
  cJSON_AddItemToObject (o, "invocations", v->invocations ? v->invocations : cJSON_CreateArray ());
  v->invocations = NULL;
  cJSON_AddItemToObject (o, "limits", limits_json (v));
  cJSON *list = cJSON_AddArrayToObject (o, "violations");
  for (size_t i = 0; list && i < v->seen_n; i++)
    {
      const lf_verdict_note *n = &v->seen[i];
      lf_violation one = n->v;
      one.request_id = n->request_id[0] ? n->request_id : NULL;
      cJSON *j = lf_violation_json (&one);
      if (j)
        {
          lf_json_add_i64 (j, "times", n->times);
          cJSON_AddItemToArray (list, j);
        }
    }
  cJSON_AddItemToObject (o, "cost", cost_json (v));
  cJSON *notes = cJSON_AddArrayToObject (o, "notes");
  for (size_t i = 0; v->notes && notes && i < v->notes->n; i++)
    cJSON_AddItemToArray (notes, cJSON_CreateString (v->notes->v[i]));
  return o;
}
