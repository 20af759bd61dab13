/* SPDX-License-Identifier: Apache-2.0
 *
 * From rows to what a report says: one pass over the invocations, one over the violations, in one view of the file.
 */
#include "inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct samples { int64_t *v; size_t n, cap; } samples;

typedef struct gather
{
  const lf_report_filter *f;
  lf_report *out;
  samples *init, *duration; /* one of each for every function */
  size_t last;              /* function of the last row */
  bool regions_differ;
} gather;

static void
gather_fini (gather *g)
{
  for (size_t i = 0; g->init != NULL && i < g->out->n; i++)
    free (g->init[i].v);
  for (size_t i = 0; g->duration != NULL && i < g->out->n; i++)
    free (g->duration[i].v);
  free (g->init);
  free (g->duration);
}

void
lf_report_fini (lf_report *r)
{
  if (r == NULL)
    return;
  for (size_t i = 0; i < r->n; i++)
    free (r->functions[i].name);
  for (size_t i = 0; i < r->violations_n; i++)
    {
      lf_report_violation *v = &r->violations[i];
      free (v->function);
      free (v->limit_id);
      free (v->unit);
      free (v->rule);
      free (v->message);
      free (v->fix);
      free (v->request_id);
    }
  free (r->functions);
  free (r->violations);
  *r = (lf_report){ 0 };
}

static int
sample (samples *s, int64_t v)
{
  if (v == LF_NONE)
    return 0;
  if (s->n == s->cap)
    {
      size_t cap = s->cap > 0 ? s->cap * 2 : 64;
      int64_t *grown = realloc (s->v, cap * sizeof *grown);
      if (grown == NULL)
        return -1;
      s->v = grown;
      s->cap = cap;
    }
  s->v[s->n++] = v;
  return 0;
}

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static lf_spread
spread_of (samples *s)
{
  lf_spread out = { s->n, LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE };
  if (s->n == 0)
    return out;
  qsort (s->v, s->n, sizeof *s->v, by_value);
  out.min = s->v[0];
  out.p50 = lf_percentile (s->v, s->n, 50);
  out.p95 = lf_percentile (s->v, s->n, 95);
  out.p99 = lf_percentile (s->v, s->n, 99);
  out.max = s->v[s->n - 1];
  return out;
}

/* Buckets of equal ratio: a duration of 1 ms and one of 10 s both have their place. */
static void
fill_histogram (const samples *s, int64_t out[LF_REPORT_BUCKETS])
{
  if (s->n == 0)
    return;
  double low = log ((double) (s->v[0] > 1 ? s->v[0] : 1)), high = log ((double) (s->v[s->n - 1] > 1 ? s->v[s->n - 1] : 1));
  for (size_t i = 0; i < s->n; i++)
    {
      double at = high > low ? (log ((double) (s->v[i] > 1 ? s->v[i] : 1)) - low) / (high - low) : 0;
      size_t bucket = (size_t) (at * LF_REPORT_BUCKETS);
      out[bucket < LF_REPORT_BUCKETS ? bucket : LF_REPORT_BUCKETS - 1]++;
    }
}

/* ---- the functions ------------------------------------------------------------------------------------------------------------- */

static int
compare_names (const void *a, const void *b)
{
  return strcmp (((const lf_report_function *) a)->name, ((const lf_report_function *) b)->name);
}

static void
set_up_function (lf_report_function *to, const lf_function *config)
{
  to->memory_mb = config->memory_mb;
  to->tmp_mb = config->tmp_mb;
  to->timeout_ms = config->timeout_ms;
  to->package_bytes = config->package_bytes;
  to->max_memory_bytes = to->tmp_used_bytes = to->memory_permille = to->tmp_permille = to->duration_permille = LF_NONE;
}

static int
list_functions (lf_store *s, gather *g, lf_error *err)
{
  lf_strv names LF_CLEANUP (lf_strv_fini) = { 0 };
  if (lf_store_functions (s, &names, err) != 0)
    return -1;
  size_t most = names.n > 0 ? names.n : 1;
  g->out->functions = calloc (most, sizeof *g->out->functions);
  g->init = calloc (most, sizeof *g->init);
  g->duration = calloc (most, sizeof *g->duration);
  if (g->out->functions == NULL || g->init == NULL || g->duration == NULL)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < names.n; i++)
    {
      lf_function config;
      if (g->f->function != NULL && strcmp (g->f->function, names.v[i]) != 0)
        continue;
      lf_report_function *to = &g->out->functions[g->out->n];
      if (lf_store_function_get (s, names.v[i], &config, err) < 0)
        return -1;
      set_up_function (to, &config);
      lf_function_fini (&config);
      to->name = lf_strdup (names.v[i]);
      if (to->name == NULL)
        return LF_FAIL_NOMEM (err);
      g->out->n++;
    }
  qsort (g->out->functions, g->out->n, sizeof *g->out->functions, compare_names);
  return 0;
}

/* Index of a function, or -1; rows of one function often follow each other. */
static int64_t
find_function (gather *g, const char *name)
{
  if (name == NULL || g->out->n == 0)
    return -1;
  if (strcmp (g->out->functions[g->last].name, name) == 0)
    return (int64_t) g->last;
  lf_report_function key = { .name = (char *) (uintptr_t) name };
  const lf_report_function *found = bsearch (&key, g->out->functions, g->out->n, sizeof key, compare_names);
  if (found == NULL)
    return -1;
  g->last = (size_t) (found - g->out->functions);
  return (int64_t) g->last;
}

/* ---- the rows ------------------------------------------------------------------------------------------------------------------ */

static int64_t
larger (int64_t a, int64_t b)
{
  return a > b ? a : b; /* LF_NONE is the smallest number */
}

static int64_t
permille (int64_t used, double allowed)
{
  return used == LF_NONE || !(allowed > 0) ? LF_NONE : (int64_t) ((double) used * 1000 / allowed + 0.5);
}

static void
note_region (gather *g, const char *region)
{
  char *known = g->out->region;
  if (region == NULL || g->regions_differ)
    return;
  if (*known == '\0')
    memcpy (known, region, strnlen (region, sizeof g->out->region - 1));
  else if (strcmp (known, region) != 0)
    {
      g->regions_differ = true;
      *known = '\0';
    }
}

static lf_report_bucket *
bucket_of (gather *g, lf_report_function *to, int64_t at)
{
  double length = (double) (g->out->last_us - g->out->first_us);
  double part = length > 0 ? (double) (at - g->out->first_us) / length * LF_REPORT_BUCKETS : 0;
  size_t i = part > 0 ? (size_t) part : 0;
  return &to->timeline[i < LF_REPORT_BUCKETS ? i : LF_REPORT_BUCKETS - 1];
}

static int
add_row (gather *g, const lf_record *r)
{
  lf_report *out = g->out;
  lf_cost cost = { 0 };
  int64_t i = find_function (g, r->function);
  if (i < 0)
    return 0;
  lf_report_function *to = &out->functions[i];
  bool error = r->status != LF_ST_OK, cold = r->cold == 1;
  lf_report_bucket *bucket = bucket_of (g, to, r->received_us);
  to->invocations++;
  to->errors += error;
  to->cold += cold;
  to->throttled += r->status == LF_ST_THROTTLED;
  to->billed_ms += r->billed_ms > 0 ? r->billed_ms : 0;
  bucket->invocations++;
  bucket->errors += error;
  bucket->cold += cold;
  to->max_memory_bytes = larger (to->max_memory_bytes, r->max_memory_bytes);
  to->tmp_used_bytes = larger (to->tmp_used_bytes, r->tmp_used_bytes);
  to->memory_permille = larger (to->memory_permille, permille (r->max_memory_bytes, (double) r->memory_mb * (double) LF_MB));
  to->tmp_permille = larger (to->tmp_permille, permille (r->tmp_used_bytes, (double) r->tmp_mb * (double) LF_MB));
  to->duration_permille = larger (to->duration_permille, permille (r->duration_us, (double) to->timeout_ms * 1000));
  const char *region = g->f->region != NULL ? g->f->region : r->region;
  note_region (g, region);
  lf_cost_of_record (g->f->profile, region, r, &cost);
  lf_cost_add (&to->cost, &cost);
  return sample (&g->init[i], r->init_us) | sample (&g->duration[i], r->duration_us);
}

#define ROW_COLUMNS "function, received_us, cold, status, init_us, duration_us, billed_ms, memory_mb, tmp_mb, arch, region, max_memory_bytes, tmp_used_bytes"

static int
read_row (gather *g, sqlite3_stmt *st)
{
  lf_record r;
  lf_record_init (&r);
  r.function = lf_column_str (st, 0);
  r.received_us = sqlite3_column_int64 (st, 1);
  r.cold = sqlite3_column_type (st, 2) == SQLITE_NULL ? -1 : sqlite3_column_int (st, 2);
  r.status = LF_ST_REJECTED;
  lf_status_parse (lf_column_str (st, 3), &r.status);
  r.init_us = lf_column_i64 (st, 4);
  r.duration_us = lf_column_i64 (st, 5);
  r.billed_ms = lf_column_i64 (st, 6);
  r.memory_mb = lf_column_i64 (st, 7);
  r.tmp_mb = lf_column_i64 (st, 8);
  lf_arch_parse (lf_column_str (st, 9), &r.arch);
  r.region = lf_column_str (st, 10);
  r.max_memory_bytes = lf_column_i64 (st, 11);
  r.tmp_used_bytes = lf_column_i64 (st, 12);
  return add_row (g, &r);
}

/* ?1 function, ?2 since, ?3 until */
static sqlite3_stmt *
filtered (lf_store *s, const lf_report_filter *f, const char *sql, lf_error *err)
{
  sqlite3_stmt *st = lf_store_prepare (s, sql, err);
  if (st == NULL)
    return NULL;
  lf_bind_str (st, 1, f->function);
  sqlite3_bind_int64 (st, 2, f->since_us == LF_NONE ? INT64_MIN : f->since_us);
  sqlite3_bind_int64 (st, 3, f->until_us == LF_NONE ? INT64_MAX : f->until_us);
  return st;
}

/* First and last moment: a step in the index for each function. */
static int
find_period (lf_store *s, gather *g, lf_error *err)
{
  const lf_report_filter *f = g->f;
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = filtered (
      s, f,
      "SELECT min (a), max (b) FROM (SELECT"
      " (SELECT min (received_us) FROM invocations WHERE function = n AND received_us BETWEEN ?2 AND ?3) AS a,"
      " (SELECT max (received_us) FROM invocations WHERE function = n AND received_us BETWEEN ?2 AND ?3) AS b"
      " FROM (" LF_FUNCTION_NAMES_SQL ") WHERE ?1 IS NULL OR n = ?1)",
      err);
  if (st == NULL)
    return -1;
  int rc = sqlite3_step (st);
  if (rc != SQLITE_ROW)
    return lf_store_fail (s, rc, "read it", err);
  g->out->first_us = lf_column_i64 (st, 0);
  g->out->last_us = lf_column_i64 (st, 1);
  return 0;
}

static int
read_rows (lf_store *s, gather *g, lf_error *err)
{
  const lf_report_filter *f = g->f;
  const char *sql = "SELECT " ROW_COLUMNS " FROM invocations NOT INDEXED";
  if (f->function != NULL)
    sql = "SELECT " ROW_COLUMNS " FROM invocations INDEXED BY invocations_by_function WHERE function = ?1 AND received_us BETWEEN ?2 AND ?3";
  else if (f->since_us != LF_NONE || f->until_us != LF_NONE)
    sql = "SELECT " ROW_COLUMNS " FROM invocations INDEXED BY invocations_by_function"
          " WHERE function IN (" LF_FUNCTION_NAMES_SQL ") AND received_us BETWEEN ?2 AND ?3";
  sqlite3_stmt *st LF_CLEANUP (lf_stmt_freep) = filtered (s, f, sql, err);
  if (st == NULL)
    return -1;
  int rc;
  while ((rc = sqlite3_step (st)) == SQLITE_ROW)
    if (read_row (g, st) != 0)
      return LF_FAIL_NOMEM (err);
  return rc == SQLITE_DONE ? 0 : lf_store_fail (s, rc, "read it", err);
}

/* ---- violations ---------------------------------------------------------------------------------------------------------------- */

typedef struct tally
{
  gather *g;
  bool nomem;
} tally;

static lf_report_violation *
group_of (lf_report *out, const lf_violation *v)
{
  for (size_t i = 0; i < out->violations_n; i++)
    {
      lf_report_violation *it = &out->violations[i];
      if (it->severity == v->severity && lf_streq (it->limit_id, v->limit_id) && lf_streq (it->rule, v->rule) && lf_streq (it->function, v->function))
        return it;
    }
  lf_report_violation *grown = realloc (out->violations, (out->violations_n + 1) * sizeof *grown);
  if (grown == NULL)
    return NULL;
  out->violations = grown;
  lf_report_violation *fresh = &grown[out->violations_n++];
  *fresh = (lf_report_violation){ .severity = v->severity, .used = LF_NONE, .allowed = LF_NONE, .first_us = v->at_us, .last_us = v->at_us };
  return fresh;
}

static int
replace (char **member, const char *text)
{
  char *copy = lf_strdup (text);
  if (text != NULL && copy == NULL)
    return -1;
  free (*member);
  *member = copy;
  return 0;
}

static int
add_violation (const lf_violation *v, void *user)
{
  tally *t = user;
  const lf_report_filter *f = t->g->f;
  if ((f->since_us != LF_NONE && v->at_us < f->since_us) || (f->until_us != LF_NONE && v->at_us > f->until_us))
    return 0;
  int64_t i = find_function (t->g, v->function);
  lf_report_violation *to = group_of (t->g->out, v);
  if (to == NULL)
    return t->nomem = true;
  if (i >= 0)
    {
      t->g->out->functions[i].violations++;
      t->g->out->functions[i].broken += v->severity == LF_SEV_BROKEN;
    }
  to->count++;
  to->first_us = v->at_us < to->first_us ? v->at_us : to->first_us;
  to->last_us = larger (to->last_us, v->at_us);
  if (to->count > 1 && v->used <= to->used)
    return 0;
  to->used = v->used;
  to->allowed = v->allowed;
  to->enforced = v->enforced;
  if (replace (&to->function, v->function) != 0 || replace (&to->limit_id, v->limit_id) != 0 || replace (&to->unit, v->unit) != 0
      || replace (&to->rule, v->rule) != 0 || replace (&to->message, v->message) != 0 || replace (&to->fix, v->fix) != 0
      || replace (&to->request_id, v->request_id) != 0)
    return t->nomem = true;
  return 0;
}

static int
by_weight (const void *a, const void *b)
{
  const lf_report_violation *x = a, *y = b;
  if (x->severity != y->severity)
    return x->severity == LF_SEV_BROKEN ? -1 : 1;
  if (x->count != y->count)
    return x->count > y->count ? -1 : 1;
  int by_name = strcmp (x->function != NULL ? x->function : "", y->function != NULL ? y->function : "");
  return by_name != 0 ? by_name : strcmp (x->limit_id != NULL ? x->limit_id : "", y->limit_id != NULL ? y->limit_id : "");
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------------- */

static void
sum_up (gather *g)
{
  lf_report *out = g->out;
  for (size_t i = 0; i < out->n; i++)
    {
      lf_report_function *it = &out->functions[i];
      it->init_us = spread_of (&g->init[i]);
      it->duration_us = spread_of (&g->duration[i]);
      fill_histogram (&g->duration[i], it->histogram);
      out->invocations += it->invocations;
      out->errors += it->errors;
      out->cold += it->cold;
      out->throttled += it->throttled;
      out->billed_ms += it->billed_ms;
      if (it->invocations > 0)
        lf_cost_add (&out->cost, &it->cost);
    }
  if (out->violations_n > 0)
    qsort (out->violations, out->violations_n, sizeof *out->violations, by_weight);
}

static int
read_all (lf_store *s, gather *g, lf_error *err)
{
  tally t = { g, false };
  if (list_functions (s, g, err) != 0 || find_period (s, g, err) != 0 || read_rows (s, g, err) != 0
      || lf_store_violations (s, g->f->function, NULL, add_violation, &t, err) != 0)
    return -1;
  if (t.nomem)
    return LF_FAIL_NOMEM (err);
  sum_up (g);
  return 0;
}

int
lf_store_report (lf_store *s, const lf_report_filter *f, lf_report *out, lf_error *err)
{
  gather g = { .f = f, .out = out };
  *out = (lf_report){ .first_us = LF_NONE, .last_us = LF_NONE };
  if (lf_store_refresh (s, err) != 0)
    return -1;
  bool alone = !s->dirty; /* a writer in a transaction has its one view already */
  int rc = alone ? sqlite3_exec (s->db, "BEGIN", NULL, NULL, NULL) : SQLITE_OK;
  if (rc != SQLITE_OK)
    return lf_store_fail (s, rc, "read it", err);
  int result = read_all (s, &g, err);
  if (alone)
    sqlite3_exec (s->db, "COMMIT", NULL, NULL, NULL);
  gather_fini (&g);
  if (result != 0)
    lf_report_fini (out);
  return result;
}
