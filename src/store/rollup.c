/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums as bytes. Numbers are in groups of 7 bits, sorted values as differences: about two bytes for each duration.
 */
#include <stdlib.h>
#include <string.h>

#include "lambdafit/rollup.h"

#define FORMAT 1
#define NAME_MAX_BYTES 4096

/* ---- writing ---------------------------------------------------------------------------------------------------------------------------- */

static void
put (lf_buf *b, uint64_t v)
{
  char bytes[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7)
    bytes[n++] = (char) (v | 0x80);
  bytes[n++] = (char) v;
  lf_buf_add (b, bytes, n);
}

/* 0 is absent; small negative numbers stay small. */
static void
put_maybe (lf_buf *b, int64_t v)
{
  put (b, v == LF_NONE ? 0 : ((uint64_t) v << 1 ^ (v < 0 ? UINT64_MAX : 0)) + 1);
}

static void
put_text (lf_buf *b, const char *s)
{
  size_t n = strnlen (s, NAME_MAX_BYTES);
  put (b, n);
  lf_buf_add (b, s, n);
}

static void
put_samples (lf_buf *b, const lf_samples *s)
{
  int64_t last = 0;
  put (b, s->n);
  for (size_t i = 0; i < s->n; i++)
    {
      put_maybe (b, (int64_t) ((uint64_t) s->v[i] - (uint64_t) last));
      last = s->v[i];
    }
}

static void
put_timeline (lf_buf *b, const lf_timeline *t)
{
  int n = lf_timeline_used (t);
  put (b, (uint64_t) n);
  put (b, (uint64_t) t->unit_us);
  put_maybe (b, t->start);
  for (int i = 0; i < n; i++)
    {
      put (b, (uint64_t) t->v[i].invocations);
      if (t->v[i].invocations == 0)
        continue;
      put (b, (uint64_t) t->v[i].errors);
      put (b, (uint64_t) t->v[i].cold);
      put_maybe (b, t->v[i].max_duration_us);
      put_maybe (b, t->v[i].max_memory_bytes);
    }
}

static void
put_cell (lf_buf *b, const lf_sums_cell *c)
{
  put_maybe (b, c->day);
  put_maybe (b, c->memory_mb);
  put_maybe (b, c->tmp_mb);
  put (b, (uint64_t) c->arch);
  put_text (b, c->region);
  put (b, (uint64_t) c->invocations);
  const int64_t all[] = { c->usage.requests, c->usage.free, c->usage.unpriced, c->usage.billed_ms, c->usage.init_all_ms, c->usage.init_beyond_ms };
  for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
    put_maybe (b, all[i]);
}

int
lf_rollup_encode (const lf_rollup *r, lf_buf *out)
{
  lf_buf_addc (out, FORMAT);
  put_maybe (out, r->first_us);
  put_maybe (out, r->last_us);
  put (out, r->n);
  for (size_t i = 0; i < r->n; i++)
    {
      const lf_sums *s = &r->v[i];
      if (s->init.main != s->init.n || s->duration.main != s->duration.n)
        return -1; /* not settled */
      const int64_t counts[] = { s->invocations, s->errors, s->cold, s->throttled };
      const int64_t figures[] = { s->first_us, s->last_us, s->init_us, s->duration_us, s->max_memory_bytes, s->peak_memory_bytes, s->tmp_used_bytes,
                                  s->request_bytes, s->response_bytes };
      put_text (out, s->name);
      for (size_t k = 0; k < LF_ARRAY_LEN (counts); k++)
        put (out, (uint64_t) counts[k]);
      for (size_t k = 0; k < LF_ARRAY_LEN (figures); k++)
        put_maybe (out, figures[k]);
      put_samples (out, &s->init);
      put_samples (out, &s->duration);
      put_timeline (out, &s->timeline);
      put (out, s->cells_n);
      for (size_t k = 0; k < s->cells_n; k++)
        put_cell (out, &s->cells[k]);
    }
  return out->failed ? -1 : 0;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct from { const unsigned char *p, *end; bool bad; } from;

static uint64_t
take (from *f)
{
  uint64_t v = 0;
  for (int shift = 0; shift < 64 && f->p < f->end; shift += 7)
    {
      unsigned char c = *f->p++;
      v |= (uint64_t) (c & 0x7f) << shift;
      if (c < 0x80)
        return v;
    }
  f->bad = true;
  return 0;
}

static int64_t
take_maybe (from *f)
{
  uint64_t v = take (f);
  if (v == 0)
    return LF_NONE;
  v--;
  return (int64_t) (v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

/* A count or an amount that is never negative; anything larger than `max` is none. */
static int64_t
take_count (from *f, uint64_t max)
{
  uint64_t v = take (f);
  f->bad |= v > max;
  return f->bad ? 0 : (int64_t) v;
}

static char *
take_text (from *f)
{
  size_t n = (size_t) take_count (f, NAME_MAX_BYTES);
  if (f->bad || (size_t) (f->end - f->p) < n || memchr (f->p, '\0', n) != NULL)
    {
      f->bad = true;
      return NULL;
    }
  char *text = lf_strndup ((const char *) f->p, n);
  f->p += n;
  f->bad |= text == NULL;
  return text;
}

static void
take_samples (from *f, lf_samples *s)
{
  /* each takes a byte at least, so no number of them can ask for more memory than the data has bytes */
  size_t n = (size_t) take_count (f, (uint64_t) (f->end - f->p));
  int64_t last = 0;
  s->v = n > 0 && !f->bad ? malloc (n * sizeof *s->v) : NULL;
  if (s->v == NULL)
    {
      f->bad |= n > 0;
      return;
    }
  s->cap = n;
  for (size_t i = 0; i < n && !f->bad; i++)
    {
      int64_t step = take_maybe (f);
      f->bad |= step == LF_NONE || __builtin_add_overflow (last, step, &last) || (i > 0 && step < 0);
      s->v[s->n++] = last;
    }
  s->main = s->settled = s->n;
}

static void
take_timeline (from *f, lf_timeline *t)
{
  int n = (int) take_count (f, LF_TIMELINE_BUCKETS);
  t->unit_us = take_count (f, UINT64_C (1) << 62);
  t->start = take_maybe (f);
  int64_t seconds = t->unit_us / 1000000, most = seconds > 0 ? INT64_MAX / 4 / t->unit_us : 0;
  f->bad |= n > 0 && (seconds < 1 || t->unit_us % 1000000 != 0 || (seconds & (seconds - 1)) != 0 || seconds > INT64_C (1) << 40);
  f->bad |= n > 0 && (t->start < -most || t->start > most);
  for (int i = 0; i < LF_TIMELINE_BUCKETS; i++)
    {
      t->v[i] = (lf_bucket){ 0, 0, 0, LF_NONE, LF_NONE };
      if (i >= n || f->bad)
        continue;
      t->v[i].invocations = take_count (f, INT32_MAX);
      if (t->v[i].invocations == 0)
        continue;
      t->v[i].errors = take_count (f, INT32_MAX);
      t->v[i].cold = take_count (f, INT32_MAX);
      t->v[i].max_duration_us = take_maybe (f);
      t->v[i].max_memory_bytes = take_maybe (f);
    }
}

static void
take_cell (from *f, lf_sums_cell *c)
{
  *c = (lf_sums_cell){ 0 };
  c->day = take_maybe (f);
  c->memory_mb = take_maybe (f);
  c->tmp_mb = take_maybe (f);
  c->arch = (lf_arch) take_count (f, LF_ARCH_COUNT - 1);
  char *region LF_CLEANUP (lf_freep) = take_text (f);
  if (region != NULL)
    memcpy (c->region, region, strnlen (region, sizeof c->region - 1));
  c->invocations = take_count (f, INT32_MAX);
  int64_t *all[] = { &c->usage.requests, &c->usage.free, &c->usage.unpriced, &c->usage.billed_ms, &c->usage.init_all_ms, &c->usage.init_beyond_ms };
  for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
    {
      *all[i] = take_maybe (f);
      f->bad |= *all[i] < 0 || *all[i] > INT64_C (1) << 60;
    }
}

static void
take_cells (from *f, lf_sums *s)
{
  size_t n = (size_t) take_count (f, LF_CELLS_MAX);
  f->bad |= n > (size_t) (f->end - f->p);
  s->cells = n > 0 && !f->bad ? calloc (n, sizeof *s->cells) : NULL;
  if (s->cells == NULL)
    {
      f->bad |= n > 0;
      return;
    }
  s->cells_cap = n;
  for (size_t i = 0; i < n && !f->bad; i++)
    take_cell (f, &s->cells[s->cells_n++]);
}

static void
take_sums (from *f, lf_rollup *out)
{
  char *name LF_CLEANUP (lf_freep) = take_text (f);
  int64_t at = f->bad || lf_rollup_find (out, name) >= 0 ? -1 : lf_rollup_need (out, name);
  f->bad |= at < 0;
  if (f->bad)
    return;
  lf_sums *s = &out->v[at];
  int64_t *counts[] = { &s->invocations, &s->errors, &s->cold, &s->throttled };
  int64_t *figures[] = { &s->first_us, &s->last_us, &s->init_us, &s->duration_us, &s->max_memory_bytes, &s->peak_memory_bytes, &s->tmp_used_bytes,
                         &s->request_bytes, &s->response_bytes };
  for (size_t k = 0; k < LF_ARRAY_LEN (counts); k++)
    *counts[k] = take_count (f, INT32_MAX);
  for (size_t k = 0; k < LF_ARRAY_LEN (figures); k++)
    *figures[k] = take_maybe (f);
  take_samples (f, &s->init);
  take_samples (f, &s->duration);
  take_timeline (f, &s->timeline);
  take_cells (f, s);
  out->rows += s->invocations;
}

int
lf_rollup_decode (const void *data, size_t n, lf_rollup *out)
{
  from f = { data, (const unsigned char *) data + n, n == 0 };
  lf_rollup_init (out);
  f.bad |= take (&f) != FORMAT;
  out->first_us = take_maybe (&f);
  out->last_us = take_maybe (&f);
  size_t functions = (size_t) take_count (&f, LF_ROLLUP_FUNCTIONS_MAX);
  for (size_t i = 0; i < functions && !f.bad; i++)
    take_sums (&f, out);
  if (!f.bad && f.p == f.end)
    return 0;
  lf_rollup_fini (out);
  return -1;
}
