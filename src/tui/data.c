/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of a log: sums that grow with each new row, so that a frame costs the same however long the log is.
 */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERLAP 32 /* rows read again: the figures of an answered invocation may still grow */

/* ---- samples -------------------------------------------------------------------------------------------------------------------------- */

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return (x > y) - (x < y);
}

static void
settle (lf_samples *s)
{
  if (s->sorted < s->n)
    qsort (s->v, s->n, sizeof *s->v, by_value);
  s->sorted = s->n;
}

static void
thin (lf_samples *s)
{
  settle (s);
  size_t kept = 0;
  for (size_t i = 1; i < s->n; i += 2)
    s->v[kept++] = s->v[i];
  s->n = s->sorted = kept;
  s->stride *= 2;
}

int
lf_samples_add (lf_samples *s, int64_t v)
{
  if (v == LF_NONE)
    return 0;
  s->stride = s->stride > 0 ? s->stride : 1;
  if (++s->skipped < s->stride)
    return 0;
  s->skipped = 0;
  if (s->n >= s->max)
    thin (s);
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

void
lf_samples_remove (lf_samples *s, int64_t v)
{
  settle (s);
  int64_t *at = v != LF_NONE && s->n > 0 ? bsearch (&v, s->v, s->n, sizeof *s->v, by_value) : NULL;
  if (at == NULL)
    return;
  memmove (at, at + 1, (size_t) (s->v + s->n - at - 1) * sizeof *at);
  s->sorted = --s->n;
}

int64_t
lf_samples_at (lf_samples *s, int percent)
{
  settle (s);
  return lf_percentile (s->v, s->n, percent);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------- */

int
lf_data_init (lf_data *d, lf_store *store, lf_profile *profile, bool exact)
{
  *d = (lf_data){ .store = store, .profile = profile, .since_us = LF_NONE };
  d->sample_max = (size_t) 1 << (exact ? 26 : 18);
  d->recent = calloc (LF_TOP_RECENT, sizeof *d->recent);
  lf_data_reset (d);
  return d->recent != NULL ? 0 : -1;
}

void
lf_data_reset (lf_data *d)
{
  for (size_t i = 0; i < d->fns_n; i++)
    {
      free (d->fns[i].name);
      free (d->fns[i].init.v);
      free (d->fns[i].duration.v);
      free (d->fns[i].days);
      lf_function_fini (&d->fns[i].config);
    }
  free (d->fns);
  free (d->groups);
  d->fns = NULL;
  d->groups = NULL;
  d->fns_n = d->groups_n = d->recent_n = d->recent_at = 0;
  d->last_rowid = d->last_violation = d->rows = 0;
  d->first_us = d->last_us = LF_NONE;
  d->loading = true;
  d->dropped = false;
}

void
lf_data_fini (lf_data *d)
{
  lf_data_reset (d);
  free (d->recent);
  d->recent = NULL;
  lf_store_close (d->store);
  lf_profile_free (d->profile);
  d->store = NULL;
  d->profile = NULL;
}

lf_fn *
lf_data_fn (lf_data *d, const char *name)
{
  for (size_t i = 0; i < d->fns_n; i++)
    if (strcmp (d->fns[i].name, name) == 0)
      return &d->fns[i];
  return NULL;
}

const lf_row *
lf_data_recent (const lf_data *d, size_t back)
{
  return back < d->recent_n ? &d->recent[(d->recent_at + LF_TOP_RECENT - 1 - back) % LF_TOP_RECENT] : NULL;
}

static lf_fn *
need_fn (lf_data *d, const char *name)
{
  lf_error err;
  lf_fn *it = lf_data_fn (d, name);
  if (it != NULL)
    return it;
  if (d->fns_n >= LF_TOP_FUNCTIONS_MAX)
    {
      d->dropped = true;
      return NULL;
    }
  lf_fn *grown = realloc (d->fns, (d->fns_n + 1) * sizeof *grown);
  if (grown == NULL)
    return NULL;
  d->fns = grown;
  it = &grown[d->fns_n];
  *it = (lf_fn){ .name = lf_strdup (name), .max_memory_bytes = LF_NONE, .tmp_used_bytes = LF_NONE, .first_us = LF_NONE, .last_us = LF_NONE };
  it->init.max = it->duration.max = d->sample_max;
  for (size_t i = 0; i < LF_LIM_COUNT; i++)
    it->used[i] = LF_NONE;
  if (lf_store_function_get (d->store, name, &it->config, &err) < 0)
    lf_function_init (&it->config);
  if (it->name == NULL)
    return NULL;
  d->fns_n++;
  return it;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------- */

static int64_t
larger (int64_t a, int64_t b)
{
  return a > b ? a : b; /* LF_NONE is the smallest number */
}

/* The bucket of a moment; when the buckets do not reach so far, each takes its neighbour in and becomes twice as long. */
static lf_bucket *
bucket_at (lf_fn *f, int64_t at)
{
  if (f->bucket_us == 0)
    {
      f->bucket_us = 1000000;
      f->bucket_start = at;
    }
  while (at - f->bucket_start >= f->bucket_us * LF_TOP_BUCKETS)
    {
      for (size_t i = 0; i < LF_TOP_BUCKETS; i++)
        {
          lf_bucket a = i * 2 < LF_TOP_BUCKETS ? f->buckets[i * 2] : (lf_bucket){ 0 };
          lf_bucket b = i * 2 + 1 < LF_TOP_BUCKETS ? f->buckets[i * 2 + 1] : (lf_bucket){ 0 };
          f->buckets[i] = (lf_bucket){ a.invocations + b.invocations, a.errors + b.errors, a.cold + b.cold,
                                       larger (a.max_duration_us, b.max_duration_us), larger (a.max_memory_bytes, b.max_memory_bytes) };
        }
      f->bucket_us *= 2;
    }
  return &f->buckets[at > f->bucket_start ? (at - f->bucket_start) / f->bucket_us : 0];
}

static lf_day *
day_at (lf_fn *f, int64_t at)
{
  int64_t day = at / INT64_C (86400000000);
  for (size_t i = f->days_n; i-- > 0;)
    if (f->days[i].day == day)
      return &f->days[i];
  if (f->days_n >= LF_TOP_DAYS)
    return &f->days[f->days_n - 1];
  lf_day *grown = realloc (f->days, (f->days_n + 1) * sizeof *grown);
  if (grown == NULL)
    return NULL;
  f->days = grown;
  grown[f->days_n] = (lf_day){ .day = day };
  return &grown[f->days_n++];
}

static void
copy_text (char *to, size_t size, const char *from)
{
  snprintf (to, size, "%s", from != NULL ? from : "");
  to[lf_utf8_valid (to, strlen (to))] = '\0';
}

static void
fill_row (lf_data *d, lf_row *to, const lf_record *r, int64_t rowid, size_t fn)
{
  memset (to, 0, sizeof *to);
  to->rowid = rowid;
  to->fn = fn;
  copy_text (to->request_id, sizeof to->request_id, r->request_id);
  copy_text (to->error_type, sizeof to->error_type, r->error_type);
  copy_text (to->error_message, sizeof to->error_message, r->error_message);
  copy_text (to->region, sizeof to->region, r->region);
  to->cold = r->cold;
  to->status = r->status;
  to->arch = r->arch;
  to->received_us = r->received_us;
  to->wait_us = r->wait_us;
  to->init_us = r->init_us;
  to->duration_us = r->duration_us;
  to->billed_ms = r->billed_ms;
  to->memory_mb = r->memory_mb;
  to->tmp_mb = r->tmp_mb;
  to->max_memory_bytes = r->max_memory_bytes;
  to->tmp_used_bytes = r->tmp_used_bytes;
  lf_cost_of_record (d->profile, d->region != NULL ? d->region : r->region, r, &to->cost);
}

static void
cost_subtract (lf_cost *from, const lf_cost *c)
{
  if (!from->known || !c->known)
    return;
  from->total -= c->total;
  from->requests -= c->requests;
  from->duration -= c->duration;
  from->init -= c->init;
  from->tmp -= c->tmp;
}

/* Measures that a row has from its start to its last figure. */
static void
add_measures (lf_fn *f, const lf_record *r, const lf_row *row)
{
  f->billed_ms += row->billed_ms > 0 ? row->billed_ms : 0;
  f->max_memory_bytes = larger (f->max_memory_bytes, row->max_memory_bytes);
  f->tmp_used_bytes = larger (f->tmp_used_bytes, row->tmp_used_bytes);
  for (int l = 0; l < LF_LIM_COUNT; l++)
    if (lf_limit_get ((lf_limit) l)->per_invocation)
      f->used[l] = larger (f->used[l], lf_limit_used ((lf_limit) l, &f->config, r));
  lf_cost_add (&f->cost, &row->cost);
  lf_day *day = day_at (f, row->received_us);
  if (day != NULL)
    {
      day->billed_ms += row->billed_ms > 0 ? row->billed_ms : 0;
      lf_cost_add (&day->cost, &row->cost);
    }
  lf_bucket *b = bucket_at (f, row->received_us);
  b->max_duration_us = larger (b->max_duration_us, row->duration_us);
  b->max_memory_bytes = larger (b->max_memory_bytes, row->max_memory_bytes);
  lf_samples_add (&f->init, row->init_us);
  lf_samples_add (&f->duration, row->duration_us);
}

static void
count_row (lf_data *d, lf_fn *f, const lf_row *row)
{
  lf_bucket *b = bucket_at (f, row->received_us);
  lf_day *day = day_at (f, row->received_us);
  bool error = row->status != LF_ST_OK;
  f->invocations++;
  f->errors += error;
  f->cold += row->cold == 1;
  f->throttled += row->status == LF_ST_THROTTLED;
  b->invocations++;
  b->errors += error;
  b->cold += row->cold == 1;
  if (day != NULL)
    day->invocations++;
  f->first_us = f->first_us == LF_NONE || row->received_us < f->first_us ? row->received_us : f->first_us;
  f->last_us = larger (f->last_us, row->received_us);
  d->first_us = d->first_us == LF_NONE || row->received_us < d->first_us ? row->received_us : d->first_us;
  d->last_us = larger (d->last_us, row->received_us);
  d->rows++;
}

/* A row that was counted already: its last figures replace the first. */
static bool
update_row (lf_data *d, const lf_record *r, int64_t rowid)
{
  for (size_t back = 0; back < OVERLAP * 2 && back < d->recent_n; back++)
    {
      lf_row *old = &d->recent[(d->recent_at + LF_TOP_RECENT - 1 - back) % LF_TOP_RECENT], fresh;
      if (old->rowid != rowid)
        continue;
      fill_row (d, &fresh, r, rowid, old->fn);
      if (memcmp (&fresh, old, sizeof fresh) == 0)
        return false;
      lf_fn *f = &d->fns[old->fn];
      bool was = old->status != LF_ST_OK, is = fresh.status != LF_ST_OK;
      lf_day *day = day_at (f, old->received_us);
      f->errors += is - was;
      bucket_at (f, old->received_us)->errors += is - was;
      f->billed_ms -= old->billed_ms > 0 ? old->billed_ms : 0;
      cost_subtract (&f->cost, &old->cost);
      if (day != NULL)
        {
          day->billed_ms -= old->billed_ms > 0 ? old->billed_ms : 0;
          cost_subtract (&day->cost, &old->cost);
        }
      lf_samples_remove (&f->init, old->init_us);
      lf_samples_remove (&f->duration, old->duration_us);
      add_measures (f, r, &fresh);
      *old = fresh;
      return true;
    }
  return false;
}

typedef struct reading { lf_data *d; int64_t seen, changed, budget_us; bool cut; } reading;

static int
read_row (const lf_record *r, int64_t rowid, void *user)
{
  reading *it = user;
  lf_data *d = it->d;
  if (rowid <= d->last_rowid)
    {
      it->changed += update_row (d, r, rowid);
      return 0;
    }
  d->last_rowid = rowid;
  lf_fn *f = r->function != NULL && (d->since_us == LF_NONE || r->received_us >= d->since_us) ? need_fn (d, r->function) : NULL;
  if (f != NULL)
    {
      lf_row *row = &d->recent[d->recent_at];
      fill_row (d, row, r, rowid, (size_t) (f - d->fns));
      d->recent_at = (d->recent_at + 1) % LF_TOP_RECENT;
      d->recent_n += d->recent_n < LF_TOP_RECENT;
      count_row (d, f, row);
      add_measures (f, r, row);
      it->changed++;
    }
  it->cut = it->budget_us > 0 && ++it->seen % 256 == 0 && lf_now_us () > d->deadline;
  return it->cut;
}

static int
read_violation (const lf_violation *v, void *user)
{
  lf_data *d = user;
  if (d->since_us != LF_NONE && v->at_us < d->since_us)
    return 0;
  lf_fn *f = v->function != NULL ? lf_data_fn (d, v->function) : NULL;
  if (f != NULL)
    {
      f->violations++;
      f->broken += v->severity == LF_SEV_BROKEN;
      if (f->worst[0] == '\0' || (v->severity == LF_SEV_BROKEN && !f->worst_broken))
        copy_text (f->worst, sizeof f->worst, v->limit_id);
      f->worst_broken |= v->severity == LF_SEV_BROKEN;
    }
  lf_group *g = NULL;
  for (size_t i = 0; i < d->groups_n && g == NULL; i++)
    if (d->groups[i].severity == v->severity && strncmp (d->groups[i].limit_id, v->limit_id ? v->limit_id : "", sizeof g->limit_id - 1) == 0
        && strncmp (d->groups[i].function, v->function ? v->function : "", sizeof g->function - 1) == 0)
      g = &d->groups[i];
  if (g == NULL)
    {
      lf_group *grown = d->groups_n < LF_TOP_GROUPS_MAX ? realloc (d->groups, (d->groups_n + 1) * sizeof *grown) : NULL;
      if (grown == NULL)
        return 0;
      d->groups = grown;
      g = &grown[d->groups_n++];
      *g = (lf_group){ .severity = v->severity, .used = LF_NONE, .first_us = v->at_us, .last_us = v->at_us };
    }
  g->count++;
  g->first_us = v->at_us < g->first_us ? v->at_us : g->first_us;
  g->last_us = larger (g->last_us, v->at_us);
  if (g->count > 1 && v->used <= g->used)
    return 0;
  g->used = v->used;
  g->allowed = v->allowed;
  g->enforced = v->enforced;
  copy_text (g->function, sizeof g->function, v->function);
  copy_text (g->limit_id, sizeof g->limit_id, v->limit_id);
  copy_text (g->unit, sizeof g->unit, v->unit);
  copy_text (g->rule, sizeof g->rule, v->rule);
  copy_text (g->message, sizeof g->message, v->message);
  copy_text (g->fix, sizeof g->fix, v->fix);
  copy_text (g->request_id, sizeof g->request_id, v->request_id);
  return 0;
}

int
lf_data_read (lf_data *d, int64_t budget_us, lf_error *err)
{
  reading it = { d, 0, 0, budget_us, false };
  bool was_loading = d->loading;
  lf_log_filter f = { .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE,
                      .after_rowid = d->last_rowid > OVERLAP ? d->last_rowid - OVERLAP : 0 };
  d->deadline = lf_now_us () + budget_us;
  if (lf_store_invocations (d->store, &f, read_row, &it, NULL, err) != 0)
    return -1;
  d->loading = it.cut;
  if (d->loading)
    return 1;
  int64_t before = d->last_violation;
  if (lf_store_violations_after (d->store, &d->last_violation, read_violation, d, err) != 0)
    return -1;
  return it.changed > 0 || was_loading || d->last_violation != before;
}
