/* SPDX-License-Identifier: Apache-2.0
 *
 * The check file: from a tree to what is to be checked. Nothing is passed over: an unknown key is an error, with the nearest known one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

void
lf_check_place (const lf_check *c, int line, int column, char out[200])
{
  const char *path = c->path;
  if (strlen (path) > 160)
    path += strlen (path) - 160;
  snprintf (out, 200, "%s:%d:%d", path, line, column);
}

int
lf_cfg_fail (reading *r, int line, int column, const char *fix, const char *fmt, ...)
{
  char what[200], why[1200];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (why, sizeof why, fmt, ap);
  va_end (ap);
  lf_check_place (r->c, line, column, what);
  return LF_FAIL (r->err, LF_EXIT_USAGE, what, fix, "%s%s%s", r->function ? r->function : "", r->function ? ": " : "", why);
}

int
lf_cfg_unknown (reading *r, const lf_doc *d, const char *where, const char *const *known, size_t n)
{
  char fix[500] = "";
  const char *near = lf_nearest (d->key, known, n);
  size_t at = 0;
  if (near)
    snprintf (fix, sizeof fix, "did you mean \"%s\"?", near);
  else
    {
      at = (size_t) snprintf (fix, sizeof fix, "known are: ");
      for (size_t i = 0; i < n && at + 40 < sizeof fix; i++)
        at += (size_t) snprintf (fix + at, sizeof fix - at, "%s%.36s", i ? ", " : "", known[i]);
    }
  return lf_cfg_fail (r, d->key_line, d->key_column, fix, "unknown key \"%.80s\" in %s", d->key, where);
}

static const char *
kind_of (const lf_doc *d)
{
  return d->kind == LF_DOC_MAP ? "a map" : d->kind == LF_DOC_SEQ ? "a list" : "a single value";
}

int
lf_cfg_text (reading *r, const lf_doc *d, char **out)
{
  if (d->kind != LF_DOC_SCALAR || !d->text || !d->text[0])
    return lf_cfg_fail (r, d->line, d->column, "", "%s is one text, here it is %s", d->key ? d->key : "this", d->kind == LF_DOC_SCALAR ? "empty" : kind_of (d));
  free (*out);
  return (*out = lf_strdup (d->text)) ? 0 : LF_FAIL_NOMEM (r->err);
}

int
lf_cfg_count (reading *r, const lf_doc *d, int64_t min, int64_t max, int64_t *out)
{
  if (d->kind != LF_DOC_SCALAR || lf_parse_i64 (d->text, min, max, out) < 0)
    return lf_cfg_fail (r, d->line, d->column, "", "%s is a whole number from %lld to %lld", d->key ? d->key : "this", (long long) min, (long long) max);
  return 0;
}

/* ---- expectations ------------------------------------------------------------------------------------------------------------------ */

int
lf_cfg_expect (reading *r, const lf_doc *d, lf_expect *out)
{
  static const char *const known[] = { "json", "equals", "schema", "tolerance" };
  *out = (lf_expect){ .line = d->line, .column = d->column };
  if (d->kind != LF_DOC_MAP)
    return lf_cfg_fail (r, d->line, d->column, "write expect: {json: FILE}, {equals: VALUE} or {schema: FILE}", "expect is a map, here it is %s", kind_of (d));
  for (size_t i = 0; i < d->n; i++)
    {
      const lf_doc *v = d->item[i];
      char *end;
      if (strcmp (v->key, "json") == 0)
        {
          if (lf_cfg_text (r, v, &out->json) < 0)
            return -1;
        }
      else if (strcmp (v->key, "schema") == 0)
        {
          if (lf_cfg_text (r, v, &out->schema) < 0)
            return -1;
        }
      else if (strcmp (v->key, "equals") == 0)
        out->equals = v;
      else if (strcmp (v->key, "tolerance") == 0)
        {
          out->tolerance = v->kind == LF_DOC_SCALAR && v->text ? strtod (v->text, &end) : -1;
          if (!(out->tolerance >= 0 && out->tolerance <= 1e9) || *end)
            return lf_cfg_fail (r, v->line, v->column, "", "tolerance is a number such as 1e-6");
        }
      else
        return lf_cfg_unknown (r, v, "expect", known, LF_ARRAY_LEN (known));
    }
  if (!out->json && !out->schema && !out->equals)
    return lf_cfg_fail (r, d->line, d->column, "give json: FILE, equals: VALUE or schema: FILE", "expect asks for nothing");
  return 0;
}

/* ---- events ------------------------------------------------------------------------------------------------------------------------- */

/* {$event: ..., $file: ..., $size: ..., $name: ..., $expect: ...}: an event with more to say about it. */
static int
described_event (reading *r, const lf_doc *d, lf_event_spec *e)
{
  static const char *const known[] = { "$event", "$file", "$size", "$name", "$expect" };
  int sources = 0;
  for (size_t i = 0; i < d->n; i++)
    {
      const lf_doc *v = d->item[i];
      int rc = 0;
      if (strcmp (v->key, "$event") == 0)
        {
          e->value = v;
          sources++;
        }
      else if (strcmp (v->key, "$file") == 0)
        {
          rc = lf_cfg_text (r, v, &e->path);
          sources++;
        }
      else if (strcmp (v->key, "$size") == 0)
        {
          sources++;
          if (v->kind != LF_DOC_SCALAR || !v->text || lf_bytes_parse (v->text, &e->size) < 0 || e->size < 2 || e->size > (int64_t) LF_EVENT_BYTES_MAX)
            return lf_cfg_fail (r, v->line, v->column, "", "$size is a size from 2 B to %zu MB, such as 1 MB", LF_EVENT_BYTES_MAX >> 20);
        }
      else if (strcmp (v->key, "$name") == 0)
        rc = lf_cfg_text (r, v, &e->name);
      else if (strcmp (v->key, "$expect") == 0)
        {
          e->has_expect = true;
          rc = lf_cfg_expect (r, v, &e->expect);
        }
      else
        rc = lf_cfg_unknown (r, v, "an event", known, LF_ARRAY_LEN (known));
      if (rc < 0)
        return -1;
    }
  if (sources != 1)
    return lf_cfg_fail (r, d->line, d->column, "", "such an event has one of $event, $file and $size");
  return 0;
}

static bool
is_described (const lf_doc *d)
{
  for (size_t i = 0; d->kind == LF_DOC_MAP && i < d->n; i++)
    if (d->item[i]->key[0] == '$')
      return true;
  return false;
}

int
lf_cfg_events (reading *r, const lf_doc *d, lf_check_function *f)
{
  size_t n = d->kind == LF_DOC_SEQ ? d->n : 1;
  if (n == 0)
    return lf_cfg_fail (r, d->line, d->column, "leave events out for one empty event", "the list of events is empty");
  if (n > LF_CHECK_EVENTS_MAX)
    return lf_cfg_fail (r, d->line, d->column, "", "more than %d events", LF_CHECK_EVENTS_MAX);
  if (!(f->events = calloc (n, sizeof *f->events)))
    return LF_FAIL_NOMEM (r->err);
  for (size_t i = 0; i < n; i++)
    {
      const lf_doc *v = d->kind == LF_DOC_SEQ ? d->item[i] : d;
      lf_event_spec *e = &f->events[f->events_n++];
      *e = (lf_event_spec){ .size = LF_NONE, .line = v->line, .column = v->column };
      int rc = 0;
      if (is_described (v))
        rc = described_event (r, v, e);
      else if (v->kind == LF_DOC_SCALAR && v->text && v->text[0])
        rc = lf_cfg_text (r, v, &e->path); /* a number or a word could only be meant as a file, too */
      else
        e->value = v;
      if (rc < 0)
        return -1;
    }
  return 0;
}

/* ---- budgets ------------------------------------------------------------------------------------------------------------------------- */

static int
one_budget (reading *r, const lf_doc *d, int measure, lf_stat stat, lf_check_function *f)
{
  char why[300];
  lf_budget *b = &f->budgets[f->budgets_n];
  if (d->kind != LF_DOC_SCALAR || !d->text)
    return lf_cfg_fail (r, d->line, d->column, "", "a budget is one value such as 80%%, +20%% or 8 s, here it is %s", kind_of (d));
  if (lf_budget_parse (measure, d->text, b, why) < 0)
    return lf_cfg_fail (r, d->line, d->column, "", "%s", why);
  b->stat = stat;
  b->line = d->line;
  b->column = d->column;
  f->budgets_n++;
  return 0;
}

/* A change of a timing is judged by all of its values, so the largest alone, which is the noisiest, cannot be compared. */
static lf_stat
default_stat (int measure, const lf_doc *v)
{
  lf_kind kind = lf_measure_get (measure)->kind;
  if (kind == LF_KIND_MONEY)
    return LF_STAT_MEAN;
  return kind == LF_KIND_TIME && v->kind == LF_DOC_SCALAR && v->text && v->text[0] == '+' ? LF_STAT_P50 : LF_STAT_MAX;
}

static int
stats_of (reading *r, const lf_doc *d, int measure, lf_check_function *f)
{
  static const char *const known[] = { "max", "mean", "p50", "p95", "p99" };
  const lf_measure *info = lf_measure_get (measure);
  for (size_t i = 0; i < d->n; i++)
    {
      const lf_doc *v = d->item[i];
      lf_stat stat = LF_STAT_MAX;
      while (stat < LF_STAT_COUNT && strcmp (v->key, lf_stat_name (stat)) != 0)
        stat++;
      if (stat == LF_STAT_COUNT)
        return lf_cfg_unknown (r, v, info->id, known, LF_ARRAY_LEN (known));
      if ((info->of_function || measure == LF_LIM_CONCURRENCY || measure == LF_LIM_REQUEST_RATE) && stat != LF_STAT_MAX)
        return lf_cfg_fail (r, v->key_line, v->key_column, "write it without a statistic", "%s has one value, not one for each invocation", info->id);
      if (info->kind == LF_KIND_MONEY && stat != LF_STAT_MEAN)
        return lf_cfg_fail (r, v->key_line, v->key_column, "write it without a statistic", "%s is the mean over all invocations", info->id);
      if (info->kind == LF_KIND_TIME && stat == LF_STAT_MAX && v->kind == LF_DOC_SCALAR && v->text && v->text[0] == '+')
        return lf_cfg_fail (r, v->line, v->column, "compare p50 with the baseline, or give max a quantity",
                            "the slowest of a few invocations is noise: it cannot be compared with another machine's");
      if (one_budget (r, v, measure, stat, f) < 0)
        return -1;
    }
  return d->n ? 0 : lf_cfg_fail (r, d->line, d->column, "", "%s has no budget", info->id);
}

int
lf_cfg_budgets (reading *r, const lf_doc *d, lf_check_function *f)
{
  const char *known[LF_CHK_COUNT];
  size_t total = 0;
  for (int m = 0; m < LF_CHK_COUNT; m++)
    known[m] = lf_measure_get (m)->id;
  if (d->kind == LF_DOC_SCALAR && (!d->text || !d->text[0]))
    return 0;
  if (d->kind != LF_DOC_MAP)
    return lf_cfg_fail (r, d->line, d->column, "write budgets: {memory: 80%, duration: {p95: 2 s}}", "budgets is a map, here it is %s", kind_of (d));
  for (size_t i = 0; i < d->n; i++)
    total += d->item[i]->kind == LF_DOC_MAP ? d->item[i]->n : 1;
  if (total && !(f->budgets = calloc (total, sizeof *f->budgets)))
    return LF_FAIL_NOMEM (r->err);
  for (size_t i = 0; i < d->n; i++)
    {
      const lf_doc *v = d->item[i];
      int m = lf_measure_find (v->key);
      if (m < 0)
        return lf_cfg_unknown (r, v, "budgets", known, LF_CHK_COUNT);
      if (v->kind == LF_DOC_MAP ? stats_of (r, v, m, f) < 0 : one_budget (r, v, m, default_stat (m, v), f) < 0)
        return -1;
      if (m == LF_CHK_MONTHLY_COST && f->requests_per_month == LF_NONE)
        return lf_cfg_fail (r, v->line, v->column, "give the function requests_per_month: N", "monthly_cost needs to know how many requests a month has");
    }
  return 0;
}

/* ---- functions ----------------------------------------------------------------------------------------------------------------------- */

static int
option_values (reading *r, const lf_doc *d, int kind, lf_option_value *o)
{
  *o = (lf_option_value){ .name = lf_strdup (d->key), .line = d->line, .column = d->column };
  if (!o->name)
    return LF_FAIL_NOMEM (r->err);
  for (char *p = o->name; *p; p++)
    if (*p == '_')
      *p = '-';
  if (kind != 2 && d->kind != LF_DOC_SCALAR)
    return lf_cfg_fail (r, d->line, d->column, "", "%s is one value, here it is %s", d->key, kind_of (d));
  for (size_t i = 0; i < (d->kind == LF_DOC_SCALAR ? 1 : d->n); i++)
    {
      const lf_doc *v = d->kind == LF_DOC_SCALAR ? d : d->item[i];
      if (v->kind != LF_DOC_SCALAR)
        return lf_cfg_fail (r, v->line, v->column, "", "%s: one text each, here it is %s", d->key, kind_of (v));
      int rc = d->kind == LF_DOC_MAP ? lf_strv_addf (&o->values, "%s=%s", v->key, v->text ? v->text : "") : lf_strv_add (&o->values, v->text ? v->text : "");
      if (rc < 0)
        return LF_FAIL_NOMEM (r->err);
    }
  return 0;
}

static int
numbers_of (reading *r, const lf_doc *v, lf_check_function *f, bool *mine)
{
  const struct { const char *key; int64_t *to, min, max; } numbers[] = {
    { "cold", &f->cold, 0, 10000 }, { "warm", &f->warm, 0, 100000 }, { "concurrency", &f->concurrency, 1, 1000 },
    { "requests_per_month", &f->requests_per_month, 1, INT64_C (1000000000000) },
  };
  *mine = false;
  for (size_t i = 0; i < LF_ARRAY_LEN (numbers); i++)
    if (strcmp (v->key, numbers[i].key) == 0)
      {
        *mine = true;
        return lf_cfg_count (r, v, numbers[i].min, numbers[i].max, numbers[i].to);
      }
  return 0;
}

static const char *const own_keys[] = { "target", "events", "cold", "warm", "concurrency", "requests_per_month", "expect", "budgets" };

static int
unknown_of_function (reading *r, const lf_doc *v)
{
  const char *known[80];
  size_t n = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (own_keys); i++)
    known[n++] = own_keys[i];
  for (size_t i = 0; i < r->names->n && n < LF_ARRAY_LEN (known); i++)
    known[n++] = r->names->names[i];
  return lf_cfg_unknown (r, v, "a function", known, n);
}

static int
key_of_function (reading *r, const lf_doc *v, lf_check_function *f)
{
  bool mine;
  if (numbers_of (r, v, f, &mine) < 0)
    return -1;
  if (mine || strcmp (v->key, "budgets") == 0) /* budgets come last, they may need the rest */
    return 0;
  if (strcmp (v->key, "target") == 0)
    return lf_cfg_text (r, v, &f->target);
  if (strcmp (v->key, "events") == 0)
    return lf_cfg_events (r, v, f);
  if (strcmp (v->key, "expect") == 0)
    {
      f->has_expect = true;
      return lf_cfg_expect (r, v, &f->expect);
    }
  char name[80];
  size_t n = strlen (v->key);
  if (n >= sizeof name)
    return unknown_of_function (r, v);
  for (size_t i = 0; i <= n; i++)
    name[i] = v->key[i] == '_' ? '-' : v->key[i];
  int kind = r->names->option (name);
  if (kind < 0)
    return unknown_of_function (r, v);
  return option_values (r, v, kind, &f->options[f->options_n++]);
}

static int
one_function (reading *r, const lf_doc *d)
{
  lf_check_function *f = &r->c->functions[r->c->functions_n++];
  *f = (lf_check_function){ .line = d->key_line, .column = d->key_column, .cold = LF_CHECK_COLD_DEFAULT, .warm = LF_CHECK_WARM_DEFAULT, .concurrency = 1,
                            .requests_per_month = LF_NONE };
  r->function = f->name = lf_strdup (d->key);
  bool empty = d->kind == LF_DOC_SCALAR && (!d->text || !d->text[0]);
  if (!f->name || !(f->options = calloc (d->n + 1, sizeof *f->options)))
    return LF_FAIL_NOMEM (r->err);
  if (d->kind != LF_DOC_MAP && !empty)
    return lf_cfg_fail (r, d->line, d->column, "write NAME: {target: FOLDER, budgets: {...}}", "a function is a map, here it is %s", kind_of (d));
  for (size_t i = 0; i < d->n; i++)
    if (key_of_function (r, d->item[i], f) < 0)
      return -1;
  const lf_doc *budgets = lf_doc_get (d, "budgets");
  if (budgets && lf_cfg_budgets (r, budgets, f) < 0)
    return -1;
  if (!f->target && !r->c->template_)
    return lf_cfg_fail (r, f->line, f->column, "give it target: FOLDER, or the file template: TEMPLATE", "nothing says where this function's code is");
  if (f->cold == 0 && f->warm == 0)
    return lf_cfg_fail (r, f->line, f->column, "give cold or warm a number above 0", "no cold start and no warm invocation: nothing would be measured");
  r->function = NULL;
  return 0;
}

static int
functions (reading *r, const lf_doc *d)
{
  if (d->kind != LF_DOC_MAP || d->n == 0)
    return lf_cfg_fail (r, d->line, d->column, "write functions: {NAME: {target: FOLDER}}", "functions is a map of names, here it is %s",
                        d->kind == LF_DOC_MAP ? "empty" : kind_of (d));
  if (d->n > LF_CHECK_FUNCTIONS_MAX)
    return lf_cfg_fail (r, d->line, d->column, "", "more than %d functions", LF_CHECK_FUNCTIONS_MAX);
  if (!(r->c->functions = calloc (d->n, sizeof *r->c->functions)))
    return LF_FAIL_NOMEM (r->err);
  for (size_t i = 0; i < d->n; i++)
    if (one_function (r, d->item[i]) < 0)
      return -1;
  return 0;
}

static int
top (reading *r)
{
  static const char *const known[] = { "profile", "region", "template", "functions" };
  lf_check *c = r->c;
  const lf_doc *d = c->doc, *list = NULL;
  if (d->kind != LF_DOC_MAP)
    return lf_cfg_fail (r, d->line, d->column, "lambdafit check --init writes one to begin with", "a check file is a map with functions, here it is %s", kind_of (d));
  for (size_t i = 0; i < d->n; i++)
    {
      const lf_doc *v = d->item[i];
      int rc = 0;
      if (strcmp (v->key, "profile") == 0)
        rc = lf_cfg_text (r, v, &c->profile);
      else if (strcmp (v->key, "region") == 0)
        rc = lf_cfg_text (r, v, &c->region);
      else if (strcmp (v->key, "template") == 0)
        rc = lf_cfg_text (r, v, &c->template_);
      else if (strcmp (v->key, "functions") == 0)
        list = v;
      else
        rc = lf_cfg_unknown (r, v, "the file", known, LF_ARRAY_LEN (known));
      if (rc < 0)
        return -1;
    }
  if (!list)
    return lf_cfg_fail (r, d->line, d->column, "lambdafit check --init writes one to begin with", "the file names no functions");
  return functions (r, list);
}

lf_check *
lf_check_parse (lf_doc *doc, const char *path, const lf_check_names *names, lf_error *err)
{
  lf_check *c = calloc (1, sizeof *c);
  if (!c || !(c->path = lf_strdup (path)))
    {
      free (c);
      lf_doc_free (doc);
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  c->doc = doc;
  reading r = { c, names, NULL, err };
  if (top (&r) == 0)
    return c;
  lf_check_free (c);
  return NULL;
}

/* ---- end ------------------------------------------------------------------------------------------------------------------------------ */

static void
function_fini (lf_check_function *f)
{
  for (size_t i = 0; i < f->options_n; i++)
    {
      free (f->options[i].name);
      lf_strv_fini (&f->options[i].values);
    }
  for (size_t i = 0; i < f->events_n; i++)
    {
      free (f->events[i].path);
      free (f->events[i].name);
      free (f->events[i].expect.json);
      free (f->events[i].expect.schema);
    }
  free (f->name);
  free (f->target);
  free (f->options);
  free (f->events);
  free (f->expect.json);
  free (f->expect.schema);
  free (f->budgets);
}

void
lf_check_free (lf_check *c)
{
  if (!c)
    return;
  for (size_t i = 0; i < c->functions_n; i++)
    function_fini (&c->functions[i]);
  free (c->functions);
  free (c->path);
  free (c->profile);
  free (c->region);
  free (c->template_);
  lf_doc_free (c->doc);
  free (c);
}
