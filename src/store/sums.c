/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of the rows of functions.
 */
#include <stdlib.h>
#include <string.h>

#include "lambdafit/rollup.h"

#define SECOND INT64_C (1000000)
#define DAY (86400 * SECOND)
#define UNIT_MAX (SECOND << 40)

static int64_t
larger (int64_t a, int64_t b)
{
  return a > b ? a : b; /* LF_NONE is the smallest number */
}

static int64_t
earlier (int64_t a, int64_t b)
{
  return a == LF_NONE || (b != LF_NONE && b < a) ? b : a;
}

static int64_t
floor_div (int64_t a, int64_t b)
{
  return a / b - (a % b < 0);
}

/* ---- timeline --------------------------------------------------------------------------------------------------------------------------- */

static const lf_bucket no_bucket = { 0, 0, 0, LF_NONE, LF_NONE };

static void
bucket_merge (lf_bucket *to, const lf_bucket *from)
{
  to->invocations += from->invocations;
  to->errors += from->errors;
  to->cold += from->cold;
  to->max_duration_us = larger (to->max_duration_us, from->max_duration_us);
  to->max_memory_bytes = larger (to->max_memory_bytes, from->max_memory_bytes);
}

int
lf_timeline_used (const lf_timeline *t)
{
  int n = t->unit_us > 0 ? LF_TIMELINE_BUCKETS : 0;
  while (n > 0 && t->v[n - 1].invocations == 0)
    n--;
  return n;
}

/* Each bucket takes its neighbour in. */
static void
twice_as_long (lf_timeline *t)
{
  int64_t start = floor_div (t->start, 2);
  lf_bucket v[LF_TIMELINE_BUCKETS];
  for (int i = 0; i < LF_TIMELINE_BUCKETS; i++)
    v[i] = no_bucket;
  for (int i = 0; i < LF_TIMELINE_BUCKETS; i++)
    if (t->v[i].invocations > 0)
      bucket_merge (&v[floor_div (t->start + i, 2) - start], &t->v[i]);
  memcpy (t->v, v, sizeof v);
  t->start = start;
  t->unit_us *= 2;
}

static lf_bucket *
bucket_at (lf_timeline *t, int64_t at_us)
{
  int used = lf_timeline_used (t);
  if (used == 0)
    {
      t->unit_us = t->unit_us > 0 ? t->unit_us : SECOND;
      t->start = floor_div (at_us, t->unit_us);
      for (int i = 0; i < LF_TIMELINE_BUCKETS; i++)
        t->v[i] = no_bucket;
    }
  for (;; twice_as_long (t))
    {
      int64_t slot = floor_div (at_us, t->unit_us), earlier_by = t->start - slot;
      if (earlier_by > 0 && earlier_by + lf_timeline_used (t) <= LF_TIMELINE_BUCKETS)
        {
          memmove (t->v + earlier_by, t->v, (size_t) (LF_TIMELINE_BUCKETS - earlier_by) * sizeof *t->v);
          for (int64_t i = 0; i < earlier_by; i++)
            t->v[i] = no_bucket;
          t->start = slot;
        }
      if ((slot >= t->start && slot < t->start + LF_TIMELINE_BUCKETS) || t->unit_us >= UNIT_MAX)
        return &t->v[slot >= t->start && slot < t->start + LF_TIMELINE_BUCKETS ? slot - t->start : 0];
    }
}

static void
timeline_merge (lf_timeline *to, const lf_timeline *from)
{
  int used = lf_timeline_used (from);
  if (lf_timeline_used (to) == 0)
    {
      *to = *from;
      return;
    }
  while (used > 0 && to->unit_us < from->unit_us)
    twice_as_long (to);
  for (int i = 0; i < used; i++)
    if (from->v[i].invocations > 0)
      bucket_merge (bucket_at (to, (from->start + i) * from->unit_us), &from->v[i]);
}

/* ---- cells ----------------------------------------------------------------------------------------------------------------------------------- */

static bool
same_cell (const lf_sums_cell *a, const lf_sums_cell *b)
{
  return a->day == b->day && a->memory_mb == b->memory_mb && a->tmp_mb == b->tmp_mb && a->arch == b->arch && strcmp (a->region, b->region) == 0;
}

/* Rows that follow each other mostly belong to one cell, and new cells to the newest days. */
static lf_sums_cell *
cell_of (lf_sums *s, const lf_sums_cell *key)
{
  if (s->cells_n > 0 && same_cell (&s->cells[s->cell_last], key))
    return &s->cells[s->cell_last];
  for (size_t i = s->cells_n; i-- > 0;)
    if (same_cell (&s->cells[i], key))
      {
        s->cell_last = i;
        return &s->cells[i];
      }
  if (s->cells_n >= LF_CELLS_MAX)
    {
      s->rough = true;
      return &s->cells[s->cell_last];
    }
  if (s->cells_n == s->cells_cap)
    {
      size_t cap = s->cells_cap > 0 ? s->cells_cap * 2 : 4;
      lf_sums_cell *grown = realloc (s->cells, cap * sizeof *grown);
      if (grown == NULL)
        return NULL;
      s->cells = grown;
      s->cells_cap = cap;
    }
  s->cell_last = s->cells_n++;
  s->cells[s->cell_last] = *key;
  s->cells[s->cell_last].invocations = 0;
  s->cells[s->cell_last].usage = (lf_usage){ 0 };
  return &s->cells[s->cell_last];
}

static void
key_of (const lf_record *r, lf_sums_cell *key)
{
  *key = (lf_sums_cell){ .day = floor_div (r->received_us, DAY), .memory_mb = r->memory_mb, .tmp_mb = r->tmp_mb, .arch = r->arch };
  size_t n = r->region != NULL ? strlen (r->region) : 0;
  memcpy (key->region, n > 0 ? r->region : "", n < sizeof key->region ? n : sizeof key->region - 1);
}

void
lf_sums_cost (const lf_sums *s, const lf_profile *p, const char *region, int arch, int64_t memory_mb, int64_t day, lf_cost *out)
{
  *out = (lf_cost){ 0 };
  for (size_t i = 0; i < s->cells_n; i++)
    {
      const lf_sums_cell *c = &s->cells[i];
      lf_cost one;
      if (day != LF_NONE && c->day != day)
        continue;
      lf_cost_of_usage (p, region != NULL ? region : c->region[0] ? c->region : NULL, arch >= 0 ? (lf_arch) arch : c->arch,
                        memory_mb != LF_NONE ? memory_mb : c->memory_mb, c->tmp_mb, &c->usage, &one);
      lf_cost_add (out, &one);
    }
}

/* ---- one function ------------------------------------------------------------------------------------------------------------------------------ */

int
lf_sums_init (lf_sums *s, const char *name)
{
  *s = (lf_sums){ .name = lf_strdup (name), .first_us = LF_NONE, .last_us = LF_NONE, .init_us = LF_NONE, .duration_us = LF_NONE,
                  .max_memory_bytes = LF_NONE, .peak_memory_bytes = LF_NONE, .tmp_used_bytes = LF_NONE, .request_bytes = LF_NONE,
                  .response_bytes = LF_NONE };
  return s->name != NULL ? 0 : -1;
}

void
lf_sums_fini (lf_sums *s)
{
  free (s->name);
  lf_samples_fini (&s->init);
  lf_samples_fini (&s->duration);
  free (s->cells);
  *s = (lf_sums){ 0 };
}

static void
extremes (lf_sums *s, const lf_record *r)
{
  s->init_us = larger (s->init_us, r->init_us);
  s->duration_us = larger (s->duration_us, r->duration_us);
  s->max_memory_bytes = larger (s->max_memory_bytes, r->max_memory_bytes);
  s->peak_memory_bytes = larger (s->peak_memory_bytes, r->peak_memory_bytes);
  s->tmp_used_bytes = larger (s->tmp_used_bytes, r->tmp_used_bytes);
  s->request_bytes = larger (s->request_bytes, r->request_bytes);
  s->response_bytes = larger (s->response_bytes, r->response_bytes);
}

void
lf_sums_extremes (const lf_sums *s, lf_record *out)
{
  lf_record_init (out);
  out->init_us = s->init_us;
  out->duration_us = s->duration_us;
  out->max_memory_bytes = s->max_memory_bytes;
  out->peak_memory_bytes = s->peak_memory_bytes;
  out->tmp_used_bytes = s->tmp_used_bytes;
  out->request_bytes = s->request_bytes;
  out->response_bytes = s->response_bytes;
}

int
lf_sums_add (lf_sums *s, const lf_record *r)
{
  bool error = r->status != LF_ST_OK, cold = r->cold == 1;
  lf_sums_cell key;
  key_of (r, &key);
  lf_sums_cell *cell = cell_of (s, &key);
  if (cell == NULL || lf_samples_add (&s->init, r->init_us) != 0 || lf_samples_add (&s->duration, r->duration_us) != 0)
    return -1;
  const lf_bucket one = { 1, error, cold, r->duration_us, r->max_memory_bytes };
  s->invocations++;
  s->errors += error;
  s->cold += cold;
  s->throttled += r->status == LF_ST_THROTTLED;
  s->first_us = earlier (s->first_us, r->received_us);
  s->last_us = larger (s->last_us, r->received_us);
  extremes (s, r);
  bucket_merge (bucket_at (&s->timeline, r->received_us), &one);
  cell->invocations++;
  lf_usage_add (&cell->usage, r, 1);
  return 0;
}

void
lf_sums_replace (lf_sums *s, const lf_record *old, const lf_record *fresh)
{
  lf_sums_cell key;
  int errors = (fresh->status != LF_ST_OK) - (old->status != LF_ST_OK);
  key_of (old, &key);
  lf_sums_cell *cell = cell_of (s, &key);
  lf_bucket *bucket = bucket_at (&s->timeline, old->received_us);
  s->errors += errors;
  bucket->errors += errors;
  bucket->max_duration_us = larger (bucket->max_duration_us, fresh->duration_us);
  bucket->max_memory_bytes = larger (bucket->max_memory_bytes, fresh->max_memory_bytes);
  extremes (s, fresh);
  if (cell != NULL)
    {
      lf_usage_add (&cell->usage, old, -1);
      lf_usage_add (&cell->usage, fresh, 1);
    }
  if (old->init_us != fresh->init_us)
    {
      lf_samples_remove (&s->init, old->init_us);
      lf_samples_add (&s->init, fresh->init_us);
    }
  if (old->duration_us != fresh->duration_us)
    {
      lf_samples_remove (&s->duration, old->duration_us);
      lf_samples_add (&s->duration, fresh->duration_us);
    }
}

int
lf_sums_settle (lf_sums *s)
{
  return lf_samples_settle (&s->init) | lf_samples_settle (&s->duration);
}

int
lf_sums_merge (lf_sums *into, const lf_sums *from)
{
  lf_record most;
  for (size_t i = 0; i < from->cells_n; i++)
    {
      lf_sums_cell *cell = cell_of (into, &from->cells[i]);
      if (cell == NULL)
        return -1;
      cell->invocations += from->cells[i].invocations;
      lf_usage_merge (&cell->usage, &from->cells[i].usage);
    }
  if (lf_samples_add_sorted (&into->init, from->init.v, from->init.n) != 0 || lf_samples_add_sorted (&into->duration, from->duration.v, from->duration.n) != 0)
    return -1;
  into->invocations += from->invocations;
  into->errors += from->errors;
  into->cold += from->cold;
  into->throttled += from->throttled;
  into->first_us = earlier (into->first_us, from->first_us);
  into->last_us = larger (into->last_us, from->last_us);
  into->rough |= from->rough;
  lf_sums_extremes (from, &most);
  extremes (into, &most);
  timeline_merge (&into->timeline, &from->timeline);
  return 0;
}

/* ---- all functions -------------------------------------------------------------------------------------------------------------------------------- */

void
lf_rollup_init (lf_rollup *r)
{
  *r = (lf_rollup){ .first_us = LF_NONE, .last_us = LF_NONE };
}

void
lf_rollup_fini (lf_rollup *r)
{
  for (size_t i = 0; i < r->n; i++)
    lf_sums_fini (&r->v[i]);
  free (r->v);
  free (r->hash);
  lf_rollup_init (r);
}

static uint32_t
hash_of (const char *name)
{
  uint32_t h = 2166136261u;
  for (; *name != '\0'; name++)
    h = (h ^ (unsigned char) *name) * 16777619u;
  return h;
}

/* The hash's places hold index + 1; 0 is free. */
static size_t
place_of (const lf_rollup *r, const char *name)
{
  size_t at = hash_of (name) & (r->hash_n - 1);
  while (r->hash[at] != 0 && strcmp (r->v[r->hash[at] - 1].name, name) != 0)
    at = (at + 1) & (r->hash_n - 1);
  return at;
}

int64_t
lf_rollup_find (const lf_rollup *r, const char *name)
{
  if (r->n > 0 && strcmp (r->v[r->last].name, name) == 0)
    return (int64_t) r->last;
  return r->n > 0 ? (int64_t) r->hash[place_of (r, name)] - 1 : -1;
}

static int
grow (lf_rollup *r)
{
  size_t cap = r->cap > 0 ? r->cap * 2 : 16;
  lf_sums *v = realloc (r->v, cap * sizeof *v);
  if (v == NULL)
    return -1;
  r->v = v;
  uint32_t *hash = calloc (cap * 2, sizeof *hash);
  if (hash == NULL)
    return -1;
  free (r->hash);
  r->hash = hash;
  r->hash_n = cap * 2;
  r->cap = cap;
  for (size_t i = 0; i < r->n; i++)
    hash[place_of (r, v[i].name)] = (uint32_t) i + 1;
  return 0;
}

int64_t
lf_rollup_need (lf_rollup *r, const char *name)
{
  int64_t at = lf_rollup_find (r, name);
  if (at < 0)
    {
      if (r->n >= LF_ROLLUP_FUNCTIONS_MAX || (r->n == r->cap && grow (r) != 0))
        return -1;
      if (lf_sums_init (&r->v[r->n], name) != 0)
        return -1;
      r->hash[place_of (r, name)] = (uint32_t) r->n + 1;
      at = (int64_t) r->n++;
    }
  r->last = (size_t) at;
  return at;
}

int
lf_rollup_add_at (lf_rollup *r, int64_t function, const lf_record *row)
{
  if (lf_sums_add (&r->v[function], row) != 0)
    return -1;
  r->rows++;
  r->first_us = earlier (r->first_us, row->received_us);
  r->last_us = larger (r->last_us, row->received_us);
  return 0;
}

int
lf_rollup_add (lf_rollup *r, const lf_record *row)
{
  int64_t at = row->function != NULL ? lf_rollup_need (r, row->function) : -1;
  if (at < 0)
    return row->function == NULL || r->n >= LF_ROLLUP_FUNCTIONS_MAX ? 1 : -1;
  return lf_rollup_add_at (r, at, row);
}

int
lf_rollup_merge (lf_rollup *into, const lf_rollup *from)
{
  for (size_t i = 0; i < from->n; i++)
    {
      int64_t at = lf_rollup_need (into, from->v[i].name);
      if (at < 0 && into->n >= LF_ROLLUP_FUNCTIONS_MAX)
        continue;
      if (at < 0 || lf_sums_merge (&into->v[at], &from->v[i]) != 0)
        return -1;
      into->rows += from->v[i].invocations;
    }
  into->first_us = earlier (into->first_us, from->first_us);
  into->last_us = larger (into->last_us, from->last_us);
  return 0;
}

int
lf_rollup_settle (lf_rollup *r)
{
  int bad = 0;
  for (size_t i = 0; i < r->n; i++)
    bad |= lf_sums_settle (&r->v[i]);
  return bad;
}
