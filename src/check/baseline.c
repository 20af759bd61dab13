/* SPDX-License-Identifier: Apache-2.0
 *
 * The baseline: small, in a stable order, one line for each thing, so that a change of it can be reviewed. Sizes are exact; a timing is kept as
 * ratios to the calibration loop that ran beside it, and its median in milliseconds for people.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/* ---- reading ------------------------------------------------------------------------------------------------------------------------------ */

void
lf_baseline_free (lf_baseline *b)
{
  if (!b)
    return;
  cJSON_Delete (b->tree);
  free (b->path);
  free (b);
}

lf_baseline *
lf_baseline_parse (const char *text, size_t n, const char *path, lf_error *err)
{
  static const char fix[] = "write it anew: lambdafit check --update";
  lf_error problem = { 0 };
  cJSON *tree LF_CLEANUP (lf_json_freep) = lf_json_parse (text, n, path, &problem);
  if (!tree)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, path, fix, "the baseline cannot be read: %s", problem.why);
      return NULL;
    }
  int64_t version = lf_json_i64 (tree, "lambdafit_baseline", -1);
  if (!cJSON_IsObject (tree) || version < 1 || !cJSON_IsObject (cJSON_GetObjectItemCaseSensitive (tree, "functions")))
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, path, fix, "this is no baseline of lambdafit");
      return NULL;
    }
  if (version != LF_BASELINE_VERSION)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, path, fix, "it is a baseline of version %lld, this program reads version %d", (long long) version, LF_BASELINE_VERSION);
      return NULL;
    }
  lf_baseline *b = calloc (1, sizeof *b);
  if (b && (b->path = lf_strdup (path)))
    {
      b->tree = tree;
      tree = NULL;
      return b;
    }
  free (b);
  (void) LF_FAIL_NOMEM (err);
  return NULL;
}

static const cJSON *
part (const cJSON *o, const char *key)
{
  return o ? cJSON_GetObjectItemCaseSensitive (o, key) : NULL;
}

static const cJSON *
function_of (const lf_baseline *b, const char *function)
{
  return part (part (b->tree, "functions"), function);
}

bool
lf_baseline_has (const lf_baseline *b, const char *function)
{
  return cJSON_IsObject (function_of (b, function));
}

int64_t
lf_baseline_value (const lf_baseline *b, const char *function, int measure, lf_stat stat)
{
  const cJSON *v = part (part (function_of (b, function), "sizes"), lf_measure_get (measure)->id);
  if (cJSON_IsObject (v))
    v = part (v, lf_stat_name (stat));
  return cJSON_IsNumber (v) && fabs (v->valuedouble) < 9e18 ? llround (v->valuedouble) : LF_NONE;
}

bool
lf_baseline_part (const lf_baseline *b, const char *function, const char *part_name, int64_t *bytes)
{
  const cJSON *parts = part (function_of (b, function), "parts");
  *bytes = lf_json_i64 (parts, part_name, LF_NONE);
  return cJSON_IsObject (parts);
}

static size_t
numbers (const cJSON *list, double *out, size_t max)
{
  size_t n = 0;
  const cJSON *i;
  cJSON_ArrayForEach (i, list) if (n < max && cJSON_IsNumber (i) && i->valuedouble >= 0) out[n++] = i->valuedouble;
  return n;
}

bool
lf_baseline_timings (const lf_baseline *b, const char *function, const char *event, int measure, lf_timings *out)
{
  int of = measure == LF_CHK_MONTHLY_COST ? LF_CHK_COST_PER_MILLION : measure; /* the same, by another factor */
  const cJSON *where = event ? part (part (function_of (b, function), "timings"), event) : part (function_of (b, function), "cold_starts");
  const cJSON *t = part (where, lf_measure_get (of)->id);
  const cJSON *p50 = part (t, "p50");
  memset (out, 0, sizeof *out);
  out->p50 = cJSON_IsNumber (p50) && fabs (p50->valuedouble) < 1e12 ? llround (p50->valuedouble * 1000) : LF_NONE;
  out->n = numbers (part (t, "wall"), out->wall, LF_BASELINE_SAMPLES_MAX);
  if (numbers (part (t, "plain"), out->plain, LF_BASELINE_SAMPLES_MAX) != out->n)
    return false;
  out->used_n = numbers (part (t, "used"), out->used, LF_BASELINE_SAMPLES_MAX);
  const cJSON *memory = part (t, "memory");
  out->memory = cJSON_IsNumber (memory) ? memory->valuedouble : 0;
  return numbers (part (t, "cpu"), out->cpu, LF_BASELINE_SAMPLES_MAX) == out->n && out->n > 0;
}

void
lf_baseline_settings (const lf_baseline *b, const lf_observed *o, char out[200])
{
  const cJSON *s = part (function_of (b, o->name), "settings");
  int64_t memory = lf_json_i64 (s, "memory_mb", LF_NONE);
  const char *runtime = lf_json_str (s, "runtime"), *interpreter = lf_json_str (s, "interpreter");
  out[0] = 0;
  if (!o->have_f)
    return;
  if (memory != LF_NONE && memory != o->f.memory_mb)
    snprintf (out, 200, "its memory was %lld MB in the baseline, now %lld MB", (long long) memory, (long long) o->f.memory_mb);
  else if (runtime && o->f.runtime && strcmp (runtime, o->f.runtime) != 0)
    snprintf (out, 200, "its runtime was %.40s in the baseline, now %.40s", runtime, o->f.runtime);
  else if (interpreter && o->f.interpreter && strcmp (interpreter, o->f.interpreter) != 0)
    snprintf (out, 200, "its interpreter was %.60s in the baseline, now %.60s", interpreter, o->f.interpreter);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------------ */

static int
by_double (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* In order, thinned evenly, with four digits. */
static void
write_numbers (lf_buf *b, const char *key, double *v, size_t n)
{
  size_t keep = n > LF_BASELINE_SAMPLES_MAX ? LF_BASELINE_SAMPLES_MAX : n;
  qsort (v, n, sizeof *v, by_double);
  lf_buf_addf (b, ", \"%s\": [", key);
  for (size_t i = 0; i < keep; i++)
    lf_buf_addf (b, "%s%.4g", i ? ", " : "", v[(2 * i + 1) * n / (2 * keep)]);
  lf_buf_addc (b, ']');
}

static void
write_string (lf_buf *b, const char *s)
{
  lf_buf_add_json_str (b, s, strlen (s));
}

static void
write_settings (lf_buf *b, const lf_observed *o)
{
  lf_buf_addf (b, "      \"settings\": {\"memory_mb\": %lld, \"arch\": \"%s\"", (long long) o->f.memory_mb, lf_arch_name (o->f.arch));
  if (o->f.runtime)
    {
      lf_buf_adds (b, ", \"runtime\": ");
      write_string (b, o->f.runtime);
    }
  if (o->f.interpreter)
    {
      lf_buf_adds (b, ", \"interpreter\": ");
      write_string (b, o->f.interpreter);
    }
  lf_buf_addc (b, '}');
}

static int
by_part_name (const void *a, const void *b)
{
  return strcmp (((const lf_part *) a)->name, ((const lf_part *) b)->name);
}

/* What the package is made of, so that a larger one can be told why. */
static void
write_parts (lf_buf *b, const lf_observed *o)
{
  lf_part sorted[LF_PARTS_MAX];
  memcpy (sorted, o->parts, sizeof sorted);
  qsort (sorted, o->parts_n, sizeof *sorted, by_part_name);
  lf_buf_adds (b, ",\n      \"parts\": {");
  for (size_t i = 0; i < o->parts_n; i++)
    {
      lf_buf_adds (b, i ? ", " : "");
      write_string (b, sorted[i].name);
      lf_buf_addf (b, ": %lld", (long long) sorted[i].bytes);
    }
  lf_buf_addc (b, '}');
}

static void
write_sizes (lf_buf *b, const lf_observed *o)
{
  const char *comma = "";
  lf_buf_adds (b, ",\n      \"sizes\": {");
  for (int m = 0; m < LF_CHK_COUNT; m++)
    {
      const lf_measure *info = lf_measure_get (m);
      if (info->kind != LF_KIND_BYTES && info->kind != LF_KIND_COUNT)
        continue;
      int64_t max = info->of_function ? lf_observed_static (o, m) : lf_observed_stat (o, m, LF_STAT_MAX, -1, 0, NULL);
      if (m == LF_LIM_CONCURRENCY || m == LF_LIM_REQUEST_RATE || max == LF_NONE)
        continue;
      lf_buf_addf (b, "%s\n        \"%s\": ", comma, info->id);
      comma = ",";
      if (info->of_function)
        lf_buf_addf (b, "%lld", (long long) max);
      else
        for (lf_stat s = LF_STAT_MAX; s < LF_STAT_COUNT; s++)
          lf_buf_addf (b, "%s\"%s\": %lld%s", s ? ", " : "{", lf_stat_name (s), (long long) lf_observed_stat (o, m, s, -1, 0, NULL), s + 1 == LF_STAT_COUNT ? "}" : "");
    }
  lf_buf_adds (b, "\n      }");
}

/* Timings of an event, or with -1 those of cold starts, which are taken together whatever their event was. */
static void
write_event (lf_buf *b, const lf_observed *o, int event, const char *indent, lf_timings *t)
{
  const char *comma = "";
  for (int m = 0; m < LF_CHK_COUNT; m++)
    {
      lf_kind kind = lf_measure_get (m)->kind;
      if ((kind != LF_KIND_TIME && kind != LF_KIND_MONEY) || m == LF_CHK_MONTHLY_COST || lf_measure_get (m)->cold_only != (event < 0))
        continue;
      lf_observed_timings (o, m, event, 0, t);
      if (t->n == 0)
        continue;
      lf_buf_addf (b, "%s\n%s\"%s\": {\"p50\": %.6g", comma, indent, lf_measure_get (m)->id, (double) t->p50 / 1000);
      comma = ",";
      write_numbers (b, "plain", t->plain, t->n);
      write_numbers (b, "wall", t->wall, t->n);
      write_numbers (b, "cpu", t->cpu, t->n);
      write_numbers (b, "used", t->used, t->used_n);
      lf_buf_addf (b, ", \"memory\": %.3g}", t->memory);
    }
}

typedef struct entry { const char *name; size_t at; const cJSON *kept; } entry;

static int
by_name (const void *a, const void *b)
{
  return strcmp (((const entry *) a)->name, ((const entry *) b)->name);
}

static int
write_timings (lf_buf *b, const lf_observed *o)
{
  lf_timings *t = malloc (sizeof *t);
  entry *order = malloc ((o->events_n + 1) * sizeof *order);
  if (!t || !order)
    {
      free (t);
      free (order);
      return -1;
    }
  for (size_t i = 0; i < o->events_n; i++)
    order[i] = (entry){ o->events[i].name, i, NULL };
  qsort (order, o->events_n, sizeof *order, by_name);
  lf_buf_adds (b, ",\n      \"cold_starts\": {");
  write_event (b, o, -1, "        ", t);
  lf_buf_adds (b, "\n      },\n      \"timings\": {");
  for (size_t i = 0; i < o->events_n; i++)
    {
      lf_buf_adds (b, i ? ",\n        " : "\n        ");
      write_string (b, order[i].name);
      lf_buf_adds (b, ": {");
      write_event (b, o, (int) order[i].at, "          ", t);
      lf_buf_adds (b, "\n        }");
    }
  lf_buf_adds (b, "\n      }");
  free (t);
  free (order);
  return 0;
}

static int
write_function (lf_buf *b, const lf_observed *o)
{
  write_settings (b, o);
  write_sizes (b, o);
  if (o->parts_n)
    write_parts (b, o);
  return write_timings (b, o);
}

/* What another run wrote of a function that this one did not check: kept as it is, on one line. */
static int
write_kept (lf_buf *b, const cJSON *f)
{
  const cJSON *i;
  const char *comma = "";
  cJSON_ArrayForEach (i, f)
  {
    lf_buf_addf (b, "%s      ", comma);
    write_string (b, i->string);
    lf_buf_adds (b, ": ");
    if (lf_json_print (i, b) < 0)
      return -1;
    comma = ",\n";
  }
  return 0;
}

static size_t
all_functions (const lf_observed *const *o, size_t n, const lf_baseline *old, entry *out)
{
  size_t k = 0;
  const cJSON *i, *kept = old ? part (old->tree, "functions") : NULL;
  for (; k < n; k++)
    out[k] = (entry){ o[k]->name, k, NULL };
  cJSON_ArrayForEach (i, kept)
  {
    bool observed = false;
    for (size_t j = 0; j < n; j++)
      observed = observed || strcmp (o[j]->name, i->string) == 0;
    if (!observed)
      out[k++] = (entry){ i->string, 0, i };
  }
  qsort (out, k, sizeof *out, by_name);
  return k;
}

int
lf_baseline_write (const lf_observed *const *o, size_t n, const lf_baseline *old, lf_buf *out)
{
  size_t room = n + 1 + (old ? (size_t) cJSON_GetArraySize (part (old->tree, "functions")) : 0);
  entry *order = malloc (room * sizeof *order);
  int rc = order ? 0 : -1;
  size_t k = order ? all_functions (o, n, old, order) : 0;
  lf_buf_addf (out, "{\n  \"lambdafit_baseline\": %d,\n  \"profile\": ", LF_BASELINE_VERSION);
  write_string (out, n ? o[0]->profile->name : "");
  lf_buf_adds (out, ",\n  \"functions\": {");
  for (size_t i = 0; i < k && rc == 0; i++)
    {
      lf_buf_adds (out, i ? ",\n    " : "\n    ");
      write_string (out, order[i].name);
      lf_buf_adds (out, ": {\n");
      rc = order[i].kept ? write_kept (out, order[i].kept) : write_function (out, o[order[i].at]);
      lf_buf_adds (out, "\n    }");
    }
  lf_buf_adds (out, "\n  }\n}\n");
  free (order);
  return rc < 0 || out->failed ? -1 : 0;
}
