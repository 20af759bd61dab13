/* SPDX-License-Identifier: Apache-2.0
 *
 * Traffic out of files. Each is read as a stream; only what cannot be put in order otherwise is kept, up to a bound.
 *
 *   csv        one request a line: its arrival in seconds (or with a unit), then how long it takes, then its function; the last two may
 *              be left out. A heading names the columns in another order. In order of arrival.
 *   azure2019  "HashOwner,HashApp,HashFunction,Trigger,1,2,...": a line a function, a column a minute. Within a minute the requests come at
 *              times drawn evenly. All lines are needed for the first minute, so the counts that are not 0 are kept.
 *   azure2021  "app,func,end_timestamp,duration" in seconds: a line a request. It arrived at end - duration, so a file in order of ends is
 *              read twice: once for the longest duration, then through a window of that length.
 */
#include <string.h>

#include "inside.h"

#define LINE_MAX_CSV 4096
#define LINE_MAX_2019 (1 << 20)
#define COUNTS_MAX 32000000
#define MINUTES_MAX 100000
#define MINUTE_REQUESTS_MAX 50000000
#define WINDOW_MAX 20000000
#define SORTED_MAX 8000000
#define MINUTE_US INT64_C (60000000)
#define EPOCH_S 1e8 /* a first time above this is a date: counted from then */

typedef struct row { int64_t at, service; uint32_t fn; uint32_t seq; } row;
typedef struct count { uint32_t minute, fn, n; } count;

struct lf_trace
{
  lf_arr_kind kind;
  lf_lines lines;
  int64_t for_us, length;
  const char *only;
  lf_rng *rng;
  lf_names names;
  /* csv: which column is what (from 0), -1 none; what a number without a unit is worth there */
  int arrival, service, function;
  double arrival_unit, service_unit;
  bool begun, has_origin, in_order;
  int64_t origin, last;
  /* azure2019 */
  count *counts;
  size_t counts_n, counts_cap, counts_at;
  int64_t minutes, minute_end;
  /* rows that wait to be put in order: a heap of the next ones, or all */
  row *rows;
  size_t rows_n, rows_cap, rows_at;
  int64_t longest, end_seen;
  bool ended, windowed;
  uint32_t seq;
};

static int
row_order (const void *a, const void *b)
{
  const row *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
rows_add (lf_trace *t, row r, size_t most, const char *fix, lf_error *err)
{
  if (t->rows_n == most)
    return lf_lines_bad (&t->lines, err, fix, "more than %zu requests would have to be kept to put them in order", most);
  if (t->rows_n == t->rows_cap)
    {
      size_t cap = t->rows_cap ? t->rows_cap * 2 : 1024;
      row *v = realloc (t->rows, cap * sizeof *v);
      if (!v)
        return LF_FAIL_NOMEM (err);
      t->rows = v;
      t->rows_cap = cap;
    }
  r.seq = t->seq++;
  t->rows[t->rows_n++] = r;
  return 0;
}

/* Cuts the next field off *p; NULL after the last. */
static char *
field (char **p, size_t *n)
{
  char *s = *p;
  if (!s)
    return NULL;
  char *comma = strchr (s, ',');
  *p = comma ? comma + 1 : NULL;
  *n = comma ? (size_t) (comma - s) : strlen (s);
  while (*n && (*s == ' ' || *s == '"'))
    s++, (*n)--;
  while (*n && (s[*n - 1] == ' ' || s[*n - 1] == '"'))
    (*n)--;
  return s;
}

/* 1 wanted and numbered, 0 not wanted, -1. */
static int
function_of (lf_trace *t, const char *s, size_t n, uint32_t *fn, lf_error *err)
{
  bool added;
  if (t->only && (strncmp (t->only, s, n) != 0 || t->only[n]))
    return 0;
  int64_t i = lf_names_put (&t->names, s, n, &added);
  if (i < 0)
    return LF_FAIL_NOMEM (err);
  if (t->names.n > LF_TRACE_FUNCTIONS_MAX)
    return lf_lines_bad (&t->lines, err, "choose one function with --only", "more than %d functions", LF_TRACE_FUNCTIONS_MAX);
  *fn = (uint32_t) i;
  return 1;
}

/* ---- csv ------------------------------------------------------------------------------------------------------------------- */

static bool
named (const char *s, size_t n, const char *const *names, double *unit)
{
  size_t len = n;
  *unit = 1e6;
  if (n > 3 && memcmp (s + n - 3, "_ms", 3) == 0)
    *unit = 1e3, len = n - 3;
  else if (n > 3 && memcmp (s + n - 3, "_us", 3) == 0)
    *unit = 1, len = n - 3;
  else if (n > 2 && memcmp (s + n - 2, "_s", 2) == 0)
    len = n - 2;
  for (; *names; names++)
    if (lf_str_ieq ((lf_str){ s, len }, *names))
      return true;
  return false;
}

static int
csv_heading (lf_trace *t, char *line, lf_error *err)
{
  static const char *const arrivals[] = { "arrival", "time", "timestamp", "start", "t", NULL };
  static const char *const services[] = { "duration", "service", NULL };
  static const char *const functions[] = { "function", "func", "name", NULL };
  size_t n;
  double unit;
  t->arrival = t->service = t->function = -1;
  char *p = line;
  int i = 0;
  for (char *f; (f = field (&p, &n)) != NULL; i++)
    if (named (f, n, arrivals, &unit) && t->arrival < 0)
      t->arrival = i, t->arrival_unit = unit;
    else if (named (f, n, services, &unit) && t->service < 0)
      t->service = i, t->service_unit = unit;
    else if (named (f, n, functions, &unit) && t->function < 0)
      t->function = i;
  if (t->arrival < 0)
    return lf_lines_bad (&t->lines, err, "the first line is numbers, or a heading with \"arrival\" (and \"duration\", \"function\")",
                         "neither a time nor a heading with a column \"arrival\"");
  return 0;
}

static bool
csv_time (const char *s, size_t n, double unit, double *us)
{
  int64_t with_unit;
  size_t used = lf_sim_number (s, n, us);
  if (used > 0 && used == n)
    {
      *us *= unit;
      return *us <= 1e17;
    }
  if (lf_duration_parse (s, n, &with_unit) != 0)
    return false;
  *us = (double) with_unit;
  return true;
}

/* 1 a request, 0 a line to pass over, -1. */
static int
csv_row (lf_trace *t, char *line, row *out, lf_error *err)
{
  double at = -1, us;
  int i = 0, wanted = 1;
  size_t n;
  char *p = line;
  *out = (row){ .service = LF_NONE };
  for (char *f; (f = field (&p, &n)) != NULL; i++)
    {
      if (i == t->arrival)
        {
          if (!csv_time (f, n, t->arrival_unit, &at))
            return lf_lines_bad (&t->lines, err, "times are seconds from the start, 12.5, or have a unit, 300ms; not negative",
                                 "\"%.60s\" is not a time", f);
        }
      else if (i == t->service && n > 0)
        {
          if (!csv_time (f, n, t->service_unit, &us) || us > (double) LF_SIM_TIME_MAX)
            return lf_lines_bad (&t->lines, err, "durations are seconds, 0.25, or have a unit, 250ms; not negative", "\"%.60s\" is not a duration", f);
          out->service = lf_sim_round (us);
        }
      else if (i == t->function && (wanted = function_of (t, f, n, &out->fn, err)) < 0)
        return -1;
    }
  if (at < 0)
    return lf_lines_bad (&t->lines, err, "is the file whole?", "has no arrival");
  if (!t->has_origin)
    {
      t->has_origin = true;
      t->origin = at >= EPOCH_S * 1e6 ? (int64_t) at : 0;
    }
  out->at = (int64_t) at - t->origin;
  return wanted;
}

static int
csv_next (lf_trace *t, row *out, lf_error *err)
{
  char *line;
  size_t n;
  int got;
  while ((got = lf_lines_next (&t->lines, &line, &n, err)) == 1)
    {
      if (n == 0 || *line == '#')
        continue;
      if (!t->begun)
        {
          t->begun = true;
          if ((*line < '0' || *line > '9') && *line != '-' && *line != '.')
            {
              if (csv_heading (t, line, err) != 0)
                return -1;
              continue;
            }
        }
      int is = csv_row (t, line, out, err);
      if (is < 0)
        return -1;
      if (is == 0)
        continue;
      if (out->at < t->last)
        return lf_lines_bad (&t->lines, err, "sort the file by arrival: sort -t, -k1,1g FILE", "arrives before the line above it");
      t->last = out->at;
      return 1;
    }
  return got;
}

/* ---- a heap of requests by time --------------------------------------------------------------------------------------------- */

static void
window_down (lf_trace *t)
{
  row *v = t->rows, last = v[--t->rows_n];
  size_t i = 0;
  for (size_t c; (c = 2 * i + 1) < t->rows_n; i = c)
    {
      if (c + 1 < t->rows_n && row_order (&v[c + 1], &v[c]) < 0)
        c++;
      if (row_order (&last, &v[c]) <= 0)
        break;
      v[i] = v[c];
    }
  v[i] = last;
}

static int
window_add (lf_trace *t, row r, lf_error *err)
{
  if (rows_add (t, r, WINDOW_MAX, "leave out the requests with the longest durations", err) != 0)
    return -1;
  row *v = t->rows, x = v[t->rows_n - 1];
  size_t i = t->rows_n - 1;
  for (; i > 0 && row_order (&x, &v[(i - 1) / 2]) < 0; i = (i - 1) / 2)
    v[i] = v[(i - 1) / 2];
  v[i] = x;
  return 0;
}

/* ---- azure2019 ------------------------------------------------------------------------------------------------------------- */

#define FIX_2019 "the layout is HashOwner,HashApp,HashFunction,Trigger,1,2,...,1440 with a line a function"

static int
counts_add (lf_trace *t, count c, lf_error *err)
{
  if (t->counts_n == COUNTS_MAX)
    return lf_lines_bad (&t->lines, err, "choose one function with --only, or cut the file", "more than %d minutes with requests", COUNTS_MAX);
  if (t->counts_n == t->counts_cap)
    {
      size_t cap = t->counts_cap ? t->counts_cap * 2 : 4096;
      count *v = realloc (t->counts, cap * sizeof *v);
      if (!v)
        return LF_FAIL_NOMEM (err);
      t->counts = v;
      t->counts_cap = cap;
    }
  t->counts[t->counts_n++] = c;
  return 0;
}

static int
counts_row (lf_trace *t, char *line, lf_error *err)
{
  size_t n;
  uint32_t fn = 0;
  int wanted = 1;
  int64_t minute = 0;
  char *p = line, *f;
  for (int i = 0; i < 4; i++)
    {
      f = field (&p, &n);
      if (!f)
        return lf_lines_bad (&t->lines, err, FIX_2019, "has fewer than four columns before the counts");
      if (i == 2 && (wanted = function_of (t, f, n, &fn, err)) < 0)
        return -1;
    }
  for (; (f = field (&p, &n)) != NULL; minute++)
    {
      double v;
      if (n == 0 || lf_sim_number (f, n, &v) != n || v != (double) (int64_t) v || v > MINUTE_REQUESTS_MAX)
        return lf_lines_bad (&t->lines, err, FIX_2019, "\"%.*s\" is not a number of requests", (int) (n > 40 ? 40 : n), f);
      if (minute < t->minutes && v > 0 && wanted && minute * MINUTE_US < t->for_us
          && counts_add (t, (count){ (uint32_t) minute, fn, (uint32_t) v }, err) != 0)
        return -1;
    }
  if (minute != t->minutes)
    return lf_lines_bad (&t->lines, err, FIX_2019, "has %lld counts where the heading has %lld", (long long) minute, (long long) t->minutes);
  return 0;
}

static int
count_order (const void *a, const void *b)
{
  const count *x = a, *y = b;
  if (x->minute != y->minute)
    return x->minute < y->minute ? -1 : 1;
  return x->fn < y->fn ? -1 : x->fn > y->fn;
}

static int
read_2019 (lf_trace *t, lf_error *err)
{
  char *line, *p;
  size_t n;
  int got = lf_lines_next (&t->lines, &line, &n, err), columns = 0;
  if (got < 0)
    return -1;
  if (got == 0 || strncmp (line, "HashOwner", 9) != 0)
    {
      t->lines.line = 1;
      return lf_lines_bad (&t->lines, err, FIX_2019, "is not the heading");
    }
  for (p = line; field (&p, &n); columns++)
    ;
  if (columns < 5 || columns - 4 > MINUTES_MAX)
    return lf_lines_bad (&t->lines, err, FIX_2019, "the heading has %d columns", columns);
  t->minutes = columns - 4;
  t->length = t->minutes * MINUTE_US;
  while ((got = lf_lines_next (&t->lines, &line, &n, err)) == 1)
    if (n > 0 && counts_row (t, line, err) != 0)
      return -1;
  if (got == 0 && t->counts_n > 1)
    qsort (t->counts, t->counts_n, sizeof *t->counts, count_order);
  return got;
}

/* The first of k moments that are drawn evenly from what is left of a minute: so all of them come in order, and none is kept. */
static int64_t
first_of (lf_trace *t, int64_t from, int64_t k)
{
  double u = 1 - lf_rng_unit (t->rng), left = (double) (t->minute_end - from);
  return from + (int64_t) (left * (1 - lf_sim_exp (lf_sim_log (u) / (double) k)));
}

/* A heap with one request a function, the next of this minute; `service` is how many come after it. */
static int
next_2019 (lf_trace *t, row *out, lf_error *err)
{
  if (t->rows_n == 0)
    {
      if (t->counts_at == t->counts_n)
        return 0;
      uint32_t minute = t->counts[t->counts_at].minute;
      t->minute_end = ((int64_t) minute + 1) * MINUTE_US;
      t->seq = 0;
      for (; t->counts_at < t->counts_n && t->counts[t->counts_at].minute == minute; t->counts_at++)
        {
          const count *c = &t->counts[t->counts_at];
          row r = { .at = first_of (t, minute * MINUTE_US, c->n), .service = c->n - 1, .fn = c->fn };
          if (window_add (t, r, err) != 0)
            return -1;
        }
    }
  *out = t->rows[0];
  window_down (t);
  if (out->service > 0)
    {
      row r = { .at = first_of (t, out->at, out->service), .service = out->service - 1, .fn = out->fn };
      if (window_add (t, r, err) != 0)
        return -1;
    }
  out->service = LF_NONE;
  return 1;
}

/* ---- azure2021 ------------------------------------------------------------------------------------------------------------- */

#define FIX_2021 "the layout is app,func,end_timestamp,duration with times in seconds, a line a request"

/* 1 a request, 0 not wanted, -1. *end is when it ended. */
static int
row_2021 (lf_trace *t, char *line, row *out, int64_t *end, lf_error *err)
{
  char *p = line, *f[4];
  size_t n[4];
  double ended, took;
  for (int i = 0; i < 4; i++)
    if (!(f[i] = field (&p, &n[i])))
      return lf_lines_bad (&t->lines, err, FIX_2021, "has fewer than four columns");
  if (n[2] == 0 || lf_sim_number (f[2], n[2], &ended) != n[2] || ended > 1e11)
    return lf_lines_bad (&t->lines, err, FIX_2021, "\"%.*s\" is not a time", (int) (n[2] > 40 ? 40 : n[2]), f[2]);
  if (n[3] == 0 || lf_sim_number (f[3], n[3], &took) != n[3] || took * 1e6 > (double) LF_SIM_TIME_MAX)
    return lf_lines_bad (&t->lines, err, FIX_2021, "\"%.*s\" is not a duration", (int) (n[3] > 40 ? 40 : n[3]), f[3]);
  *out = (row){ .at = (int64_t) ((ended - took) * 1e6 + 0.5), .service = lf_sim_round (took * 1e6) };
  *end = (int64_t) (ended * 1e6 + 0.5);
  return function_of (t, f[1], n[1], &out->fn, err);
}

static int
line_2021 (lf_trace *t, row *out, int64_t *end, lf_error *err)
{
  char *line;
  size_t n;
  int got, is;
  while ((got = lf_lines_next (&t->lines, &line, &n, err)) == 1)
    {
      if (n == 0 || (t->lines.line == 1 && lf_starts (line, "app,")))
        continue;
      if ((is = row_2021 (t, line, out, end, err)) != 0)
        return is;
    }
  return got;
}

/* The first reading: checks every line and finds out how they are ordered. */
static int
scan_2021 (lf_trace *t, lf_error *err)
{
  row r;
  int64_t end, rows = 0, last_end = INT64_MIN, last_at = INT64_MIN, first = INT64_MAX, wrong_line = 0;
  bool by_end = true, by_start = true;
  int got;
  while ((got = line_2021 (t, &r, &end, err)) == 1)
    {
      if (end < last_end && by_end)
        wrong_line = t->lines.line;
      by_end &= end >= last_end;
      by_start &= r.at >= last_at;
      last_end = end;
      last_at = r.at;
      if (r.at < first)
        first = r.at;
      if (r.service > t->longest)
        t->longest = r.service;
      rows++;
    }
  if (got < 0)
    return -1;
  if (!by_end && !by_start && rows > SORTED_MAX)
    {
      t->lines.line = wrong_line;
      return lf_lines_bad (&t->lines, err, "sort the file by its third column: sort -t, -k3,3g FILE",
                           "ended before the line above it, and the file is too long to be sorted here");
    }
  t->origin = rows && first >= (int64_t) (EPOCH_S * 1e6) ? first : 0;
  t->windowed = by_end && !by_start;
  t->in_order = by_start;
  return lf_lines_again (&t->lines, err);
}

/* Everything that ends later began at most the longest duration before: what began earlier than that is complete. */
static int
next_window (lf_trace *t, row *out, lf_error *err)
{
  row r;
  while (!t->ended && (t->rows_n == 0 || t->rows[0].at > t->end_seen - t->longest))
    {
      int got = line_2021 (t, &r, &t->end_seen, err);
      if (got < 0 || (got == 1 && window_add (t, r, err) != 0))
        return -1;
      t->ended = got == 0;
    }
  if (t->rows_n == 0)
    return 0;
  *out = t->rows[0];
  window_down (t);
  return 1;
}

static int
next_2021 (lf_trace *t, row *out, lf_error *err)
{
  int64_t end;
  if (t->in_order)
    return line_2021 (t, out, &end, err);
  if (t->windowed)
    return next_window (t, out, err);
  if (!t->ended)
    {
      row r;
      int got;
      while ((got = line_2021 (t, &r, &end, err)) == 1)
        if (rows_add (t, r, SORTED_MAX, "sort the file by its third column: sort -t, -k3,3g FILE", err) != 0)
          return -1;
      if (got < 0)
        return -1;
      t->ended = true;
      if (t->rows_n > 1)
        qsort (t->rows, t->rows_n, sizeof *t->rows, row_order);
    }
  if (t->rows_at == t->rows_n)
    return 0;
  *out = t->rows[t->rows_at++];
  return 1;
}

/* ---- the door -------------------------------------------------------------------------------------------------------------- */

lf_trace *
lf_trace_new (lf_arr_kind kind, const lf_bytes *bytes, const char *file, int64_t for_us, const char *only, lf_rng *rng, lf_error *err)
{
  lf_trace *t = calloc (1, sizeof *t);
  if (!t)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  t->kind = kind;
  t->for_us = for_us == LF_NONE ? INT64_MAX : for_us;
  t->length = LF_NONE;
  t->only = only;
  t->rng = rng;
  t->arrival = 0;
  t->service = 1;
  t->function = 2;
  t->arrival_unit = t->service_unit = 1e6;
  int failed = lf_lines_init (&t->lines, bytes, file, kind == LF_ARR_AZURE2019 ? LINE_MAX_2019 : LINE_MAX_CSV, err);
  if (failed == 0 && kind == LF_ARR_AZURE2019)
    failed = read_2019 (t, err);
  else if (failed == 0 && kind == LF_ARR_AZURE2021)
    failed = bytes->rewind ? scan_2021 (t, err)
                           : LF_FAIL (err, LF_EXIT_USAGE, file, "save it in a file", "this layout is read twice, which a pipe cannot be");
  if (failed == 0)
    return t;
  lf_trace_free (t);
  return NULL;
}

void
lf_trace_free (lf_trace *t)
{
  if (!t)
    return;
  lf_lines_fini (&t->lines);
  lf_names_fini (&t->names);
  free (t->counts);
  free (t->rows);
  free (t);
}

int
lf_trace_next (lf_trace *t, lf_arrival *out, lf_error *err)
{
  row r;
  int got = t->kind == LF_ARR_CSV ? csv_next (t, &r, err) : t->kind == LF_ARR_AZURE2019 ? next_2019 (t, &r, err) : next_2021 (t, &r, err);
  if (got != 1)
    return got;
  if (t->kind == LF_ARR_AZURE2021)
    r.at -= t->origin;
  if (r.at >= t->for_us)
    return 0;
  *out = (lf_arrival){ .at = r.at > 0 ? r.at : 0, .service_us = r.service, .fn = r.fn };
  return 1;
}

const char *
lf_trace_function (const lf_trace *t, uint32_t fn)
{
  return fn < t->names.n ? t->names.v[fn] : "";
}

int64_t
lf_trace_length (const lf_trace *t)
{
  return t->length;
}
