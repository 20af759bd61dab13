/* SPDX-License-Identifier: Apache-2.0
 *
 * The model of a log. It starts from the rollups that the log keeps, goes on with the rows after them, and then takes in what is new. Only
 * the reader's thread comes here; the lock is held while the model changes, never while the log is read.
 */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY 8192
#define SLIDES 60 /* a range of the newest hour is cut anew every minute, and so on */

/* ---- rings and rows ------------------------------------------------------------------------------------------------------------------------ */

static lf_row *
ring_push (lf_ring *r)
{
  lf_row *row = &r->v[r->at];
  r->at = (r->at + 1) % r->cap;
  r->n += r->n < r->cap;
  return row;
}

const lf_row *
lf_ring_back (const lf_ring *r, size_t back)
{
  return back < r->n ? &r->v[(r->at + r->cap - 1 - back) % r->cap] : NULL;
}

static void
copy_text (char *to, size_t size, const char *from)
{
  snprintf (to, size, "%s", from != NULL ? from : "");
  to[lf_utf8_valid (to, strlen (to))] = '\0';
}

static void
fill_row (lf_row *to, const lf_record *r, int64_t rowid, int64_t fn)
{
  memset (to, 0, sizeof *to);
  to->rowid = rowid;
  to->fn = fn;
  copy_text (to->request_id, sizeof to->request_id, r->request_id);
  copy_text (to->error_type, sizeof to->error_type, r->error_type);
  copy_text (to->error_message, sizeof to->error_message, r->error_message);
  copy_text (to->region, sizeof to->region, r->region);
  to->cold = r->cold;
  to->reload = r->cold_reason != NULL && strcmp (r->cold_reason, "reload") == 0;
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
  to->peak_memory_bytes = r->peak_memory_bytes;
  to->tmp_used_bytes = r->tmp_used_bytes;
  to->request_bytes = r->request_bytes;
  to->response_bytes = r->response_bytes;
}

void
lf_row_record (const lf_row *row, lf_record *out)
{
  lf_record_init (out);
  out->request_id = row->request_id;
  out->region = row->region[0] ? row->region : NULL;
  out->cold = row->cold;
  out->status = row->status;
  out->arch = row->arch;
  out->received_us = row->received_us;
  out->wait_us = row->wait_us;
  out->init_us = row->init_us;
  out->duration_us = row->duration_us;
  out->billed_ms = row->billed_ms;
  out->memory_mb = row->memory_mb;
  out->tmp_mb = row->tmp_mb;
  out->max_memory_bytes = row->max_memory_bytes;
  out->peak_memory_bytes = row->peak_memory_bytes;
  out->tmp_used_bytes = row->tmp_used_bytes;
  out->request_bytes = row->request_bytes;
  out->response_bytes = row->response_bytes;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------- */

int
lf_data_init (lf_data *d, lf_store *store)
{
  *d = (lf_data){ .store = store, .from_us = LF_NONE, .loading = true };
  pthread_mutex_init (&d->lock, NULL);
  lf_rollup_init (&d->sums);
  d->now.since_us = LF_NONE;
  snprintf (d->path, sizeof d->path, "%s", lf_store_path (store));
  d->recent = (lf_ring){ calloc (LF_TOP_RECENT, sizeof *d->recent.v), LF_TOP_RECENT, 0, 0 };
  d->overlap = (lf_ring){ calloc (LF_TOP_OVERLAP, sizeof *d->overlap.v), LF_TOP_OVERLAP, 0, 0 };
  return d->recent.v != NULL && d->overlap.v != NULL ? 0 : -1;
}

static void
forget (lf_data *d)
{
  lf_rollup_fini (&d->sums);
  for (size_t i = 0; i < d->fns_n; i++)
    lf_function_fini (&d->fns[i].config);
  free (d->fns);
  free (d->groups);
  d->fns = NULL;
  d->groups = NULL;
  d->fns_n = d->groups_n = 0;
  d->recent.n = d->recent.at = d->overlap.n = d->overlap.at = 0;
  d->last_rowid = d->recent_rowid = d->last_violation = d->covered = d->mark = 0;
  d->loading = true;
  d->dropped = false;
}

void
lf_data_fini (lf_data *d)
{
  if (d->store == NULL)
    return;
  forget (d);
  lf_detail_fini (&d->detail);
  free (d->enforcement);
  free (d->recent.v);
  free (d->overlap.v);
  lf_store_close (d->store);
  pthread_mutex_destroy (&d->lock);
  *d = (lf_data){ 0 };
}

lf_sums *
lf_data_sums (lf_data *d, const char *name, lf_fn **fn)
{
  int64_t at = lf_rollup_find (&d->sums, name);
  if (at < 0 || (size_t) at >= d->fns_n)
    return NULL;
  if (fn != NULL)
    *fn = &d->fns[at];
  return &d->sums.v[at];
}

/* Settings of the functions that the sums know and `fns` does not yet. */
static void
know_functions (lf_data *d)
{
  size_t n = d->sums.n;
  lf_fn *fresh = n > d->fns_n ? calloc (n, sizeof *fresh) : NULL;
  if (fresh == NULL)
    return;
  for (size_t i = d->fns_n; i < n; i++)
    {
      lf_error ignored = { 0 };
      if (lf_store_function_get (d->store, d->sums.v[i].name, &fresh[i].config, &ignored) < 0)
        lf_function_init (&fresh[i].config);
    }
  pthread_mutex_lock (&d->lock);
  if (d->fns_n > 0)
    memcpy (fresh, d->fns, d->fns_n * sizeof *fresh);
  free (d->fns);
  d->fns = fresh;
  d->fns_n = n;
  pthread_mutex_unlock (&d->lock);
}

/* A function that was given another memory size, say. */
static bool
refresh_functions (lf_data *d)
{
  int64_t mark = lf_store_functions_mark (d->store);
  if (mark == d->functions_mark)
    return false;
  d->functions_mark = mark;
  for (size_t i = 0; i < d->fns_n; i++)
    {
      lf_error ignored = { 0 };
      lf_function config;
      if (lf_store_function_get (d->store, d->sums.v[i].name, &config, &ignored) < 0)
        lf_function_init (&config);
      pthread_mutex_lock (&d->lock);
      lf_function old = d->fns[i].config;
      d->fns[i].config = config;
      pthread_mutex_unlock (&d->lock);
      lf_function_fini (&old);
    }
  return true;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------- */

typedef struct reading
{
  lf_data *d;
  lf_row *batch;
  size_t n;
  int64_t changed;
  bool silent, stopped, failed; /* silent: rows of the middle of the log, not its newest */
  lf_want *want;
  lf_data_look look;
  void *user;
  unsigned seen;
} reading;

static int load_recent (reading *it, lf_error *err);
static int read_detail (lf_data *d, lf_error *err);
static void read_enforcement (lf_data *d);

static bool
same_row (const lf_row *a, const lf_row *b)
{
  return memcmp (a, b, sizeof *a) == 0;
}

/* A row that was counted already: its last figures replace the first. */
static void
update_row (reading *it, const lf_row *fresh)
{
  lf_data *d = it->d;
  lf_ring *rings[] = { &d->recent, &d->overlap };
  bool done = false;
  for (int k = 1; k >= 0; k--)
    for (size_t back = 0; back < rings[k]->n; back++)
      {
        lf_row *old = &rings[k]->v[(rings[k]->at + rings[k]->cap - 1 - back) % rings[k]->cap];
        if (old->rowid < fresh->rowid)
          break;
        if (old->rowid != fresh->rowid || same_row (old, fresh))
          continue;
        if (!done && k == 1)
          {
            lf_record was, is;
            lf_row_record (old, &was);
            lf_row_record (fresh, &is);
            lf_sums_replace (&d->sums.v[fresh->fn], &was, &is);
            it->changed++;
            done = true;
          }
        *old = *fresh;
      }
}

static bool
scoped (const lf_data *d, const lf_row *row)
{
  return d->now.function[0] == '\0' || strcmp (d->sums.v[row->fn].name, d->now.function) == 0;
}

static void
take_in (reading *it)
{
  lf_data *d = it->d;
  pthread_mutex_lock (&d->lock);
  for (size_t i = 0; i < it->n; i++)
    {
      const lf_row *row = &it->batch[i];
      lf_record r;
      if (!it->silent && row->rowid <= d->last_rowid)
        {
          update_row (it, row);
          continue;
        }
      lf_row_record (row, &r);
      it->failed |= lf_rollup_add_at (&d->sums, row->fn, &r) != 0;
      it->changed++;
      if (it->silent)
        continue;
      d->last_rowid = row->rowid;
      *ring_push (&d->overlap) = *row;
      if (row->rowid > d->recent_rowid && scoped (d, row))
        *ring_push (&d->recent) = *row;
    }
  pthread_mutex_unlock (&d->lock);
  it->n = 0;
}

static int64_t
function_of (lf_data *d, const lf_record *r)
{
  int64_t at = r->function != NULL ? lf_rollup_find (&d->sums, r->function) : -1;
  if (at >= 0 || r->function == NULL)
    return at;
  pthread_mutex_lock (&d->lock);
  at = lf_rollup_need (&d->sums, r->function);
  d->dropped |= at < 0;
  pthread_mutex_unlock (&d->lock);
  return at;
}

static void
settle (lf_data *d)
{
  pthread_mutex_lock (&d->lock);
  lf_rollup_settle (&d->sums);
  pthread_mutex_unlock (&d->lock);
}

/* In the middle of a long log: is something else wanted meanwhile? True: stop. */
static bool
look_up (reading *it)
{
  lf_error ignored = { 0 };
  lf_data *d = it->d;
  lf_want before = *it->want;
  if (it->look == NULL)
    return false;
  if (it->look (it->user, it->want) || it->want->range_us != before.range_us || it->want->since_us != before.since_us)
    return true;
  bool function = strcmp (it->want->function, d->now.function) != 0, request = strcmp (it->want->request_id, d->now.request_id) != 0;
  if (!function && !request)
    return false;
  pthread_mutex_lock (&d->lock);
  d->now = *it->want;
  pthread_mutex_unlock (&d->lock);
  if (function)
    {
      load_recent (it, &ignored);
      read_enforcement (d);
    }
  if (request)
    read_detail (d, &ignored);
  return false;
}

static int
read_row (const lf_record *r, int64_t rowid, void *user)
{
  reading *it = user;
  lf_data *d = it->d;
  if (++it->seen % LOOK_EVERY == 0)
    {
      take_in (it);
      know_functions (d);
      settle (d);
      it->stopped = it->failed || look_up (it);
      if (it->stopped)
        return 1;
    }
  int64_t fn = d->from_us == LF_NONE || r->received_us >= d->from_us ? function_of (d, r) : -1;
  if (fn < 0)
    {
      if (!it->silent && rowid > d->last_rowid && it->n == 0)
        d->last_rowid = rowid;
      return 0;
    }
  fill_row (&it->batch[it->n++], r, rowid, fn);
  if (it->n < LF_TOP_BATCH)
    return 0;
  take_in (it);
  return 0;
}

static int
scan (reading *it, int64_t after, int64_t until, bool silent, lf_error *err)
{
  it->silent = silent;
  it->n = 0;
  if (lf_store_scan (it->d->store, after, until, read_row, it, err) != 0)
    return -1;
  take_in (it);
  know_functions (it->d);
  return it->failed ? LF_FAIL_NOMEM (err) : 0;
}

/* ---- what the log keeps ------------------------------------------------------------------------------------------------------------------- */

#define PIECES_MAX 20000
typedef struct pieces { lf_data *d; struct { int64_t first, last; } *v; size_t n; bool failed; } pieces;

/* One rollup: taken in whole, left out whole, or, when the range begins within it, noted so that its rows are read. */
static int
read_kept (const lf_kept *k, void *user)
{
  pieces *p = user;
  lf_data *d = p->d;
  lf_rollup r;
  if (lf_rollup_decode (k->data, k->n, &r) != 0)
    return 1; /* damaged: the rows from here on are read instead */
  bool all = d->from_us == LF_NONE || r.first_us >= d->from_us, none = !all && r.last_us < d->from_us;
  if (all)
    {
      pthread_mutex_lock (&d->lock);
      p->failed |= lf_rollup_merge (&d->sums, &r) != 0;
      d->dropped |= d->sums.n >= LF_ROLLUP_FUNCTIONS_MAX;
      pthread_mutex_unlock (&d->lock);
    }
  else if (!none && p->n < PIECES_MAX)
    {
      p->v[p->n].first = k->first;
      p->v[p->n++].last = k->last;
    }
  lf_rollup_fini (&r);
  return p->failed || (!none && !all && p->n == PIECES_MAX);
}

static int
load_kept (reading *it, lf_error *err)
{
  lf_data *d = it->d;
  pieces p = { .d = d, .v = malloc (PIECES_MAX * sizeof *p.v) };
  if (p.v == NULL)
    return LF_FAIL_NOMEM (err);
  int result = lf_store_kept (d->store, read_kept, &p, &d->covered, &d->mark, err);
  know_functions (d);
  for (size_t i = 0; result == 0 && i < p.n && !it->stopped; i++)
    result = scan (it, p.v[i].first - 1, p.v[i].last, true, err);
  free (p.v);
  d->last_rowid = d->covered;
  return p.failed ? LF_FAIL_NOMEM (err) : result;
}

/* ---- the newest rows ------------------------------------------------------------------------------------------------------------------------ */

static int
read_recent (const lf_record *r, int64_t rowid, void *user)
{
  reading *it = user;
  lf_data *d = it->d;
  int64_t fn = d->from_us == LF_NONE || r->received_us >= d->from_us ? function_of (d, r) : -1;
  if (fn >= 0)
    fill_row (&it->batch[it->n++], r, rowid, fn);
  return it->n == LF_TOP_RECENT;
}

static int
load_recent (reading *it, lf_error *err)
{
  lf_data *d = it->d;
  reading own = { .d = d, .batch = malloc (LF_TOP_RECENT * sizeof *own.batch) };
  if (own.batch == NULL)
    return LF_FAIL_NOMEM (err);
  int result = lf_store_newest (d->store, d->now.function[0] ? d->now.function : NULL, LF_TOP_RECENT, read_recent, &own, err);
  know_functions (d);
  pthread_mutex_lock (&d->lock);
  d->recent.n = d->recent.at = 0;
  d->recent_rowid = d->last_rowid;
  for (size_t i = 0; i < own.n; i++)
    {
      *ring_push (&d->recent) = own.batch[i];
      d->recent_rowid = own.batch[i].rowid > d->recent_rowid ? own.batch[i].rowid : d->recent_rowid;
    }
  pthread_mutex_unlock (&d->lock);
  free (own.batch);
  return result;
}

/* ---- violations ------------------------------------------------------------------------------------------------------------------------------ */

static lf_group *
group_of (lf_data *d, const lf_violation *v)
{
  char function[sizeof d->groups->function], limit[sizeof d->groups->limit_id], rule[sizeof d->groups->rule];
  copy_text (function, sizeof function, v->function);
  copy_text (limit, sizeof limit, v->limit_id);
  copy_text (rule, sizeof rule, v->rule);
  for (size_t i = 0; i < d->groups_n; i++)
    if (d->groups[i].severity == v->severity && strcmp (d->groups[i].limit_id, limit) == 0 && strcmp (d->groups[i].rule, rule) == 0
        && strcmp (d->groups[i].function, function) == 0)
      return &d->groups[i];
  lf_group *grown = d->groups_n < LF_TOP_GROUPS_MAX ? realloc (d->groups, (d->groups_n + 1) * sizeof *grown) : NULL;
  if (grown == NULL)
    return NULL;
  d->groups = grown;
  grown[d->groups_n] = (lf_group){ .severity = v->severity, .used = LF_NONE, .first_us = v->at_us, .last_us = v->at_us };
  return &grown[d->groups_n++];
}

static void
count_violation (lf_data *d, const lf_violation *v)
{
  lf_fn *f = NULL;
  if (v->function != NULL && lf_data_sums (d, v->function, &f) != NULL)
    {
      f->violations++;
      f->broken += v->severity == LF_SEV_BROKEN;
      if (f->worst[0] == '\0' || (v->severity == LF_SEV_BROKEN && !f->worst_broken))
        copy_text (f->worst, sizeof f->worst, v->limit_id);
      f->worst_broken |= v->severity == LF_SEV_BROKEN;
    }
  lf_group *g = group_of (d, v);
  if (g == NULL)
    return;
  g->count++;
  g->first_us = v->at_us < g->first_us ? v->at_us : g->first_us;
  g->last_us = v->at_us > g->last_us ? v->at_us : g->last_us;
  if (g->count > 1 && v->used <= g->used)
    return;
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
}

/* Violations are few; the lock is taken for each, so that it is never held for long. */
static int
read_violation (const lf_violation *v, void *user)
{
  reading *it = user;
  lf_data *d = it->d;
  if (++it->seen % LOOK_EVERY == 0 && look_up (it))
    return it->stopped = true;
  if (d->from_us != LF_NONE && v->at_us < d->from_us)
    return 0;
  pthread_mutex_lock (&d->lock);
  count_violation (d, v);
  pthread_mutex_unlock (&d->lock);
  return 0;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------------- */

static void
read_enforcement (lf_data *d)
{
  char *fresh = d->now.function[0] ? lf_store_function_enforcement (d->store, d->now.function) : NULL;
  pthread_mutex_lock (&d->lock);
  char *old = d->enforcement;
  d->enforcement = fresh;
  pthread_mutex_unlock (&d->lock);
  free (old);
}

static int
read_detail (lf_data *d, lf_error *err)
{
  lf_detail fresh;
  if (d->now.request_id[0] == '\0')
    return 0;
  if (lf_detail_read (d->store, d->now.request_id, &fresh, err) != 0)
    return -1;
  pthread_mutex_lock (&d->lock);
  lf_detail old = d->detail;
  d->detail = fresh;
  pthread_mutex_unlock (&d->lock);
  lf_detail_fini (&old);
  return 0;
}

static int
load (reading *it, lf_error *err)
{
  lf_data *d = it->d;
  pthread_mutex_lock (&d->lock);
  forget (d);
  pthread_mutex_unlock (&d->lock);
  d->from_us = d->now.range_us > 0 ? lf_wall_us () - d->now.range_us : d->now.since_us;
  d->next_slide = lf_now_us () + (d->now.range_us > 0 ? d->now.range_us / SLIDES : 0);
  if (load_kept (it, err) != 0 || it->stopped || load_recent (it, err) != 0)
    return -1;
  return 0;
}

static int
catch_up (reading *it, lf_error *err)
{
  lf_data *d = it->d;
  int64_t from = d->last_rowid - LF_TOP_OVERLAP;
  if (scan (it, from > d->covered ? from : d->covered, LF_NONE, false, err) != 0 || it->stopped)
    return -1;
  int64_t before = d->last_violation;
  if (lf_store_violations_after (d->store, &d->last_violation, read_violation, it, err) != 0 || it->stopped)
    return -1;
  it->changed += d->last_violation != before;
  return 0;
}

static int
read_all (reading *it, lf_error *err)
{
  lf_data *d = it->d;
  const lf_want *want = it->want;
  bool other_part = want->range_us != d->now.range_us || want->since_us != d->now.since_us;
  bool other_function = strcmp (want->function, d->now.function) != 0, other_request = strcmp (want->request_id, d->now.request_id) != 0;
  int changed = lf_store_changed (d->store, &d->state, err);
  if (changed < 0)
    return -1;
  bool slide = want->range_us > 0 && lf_now_us () >= d->next_slide;
  bool anew = d->loading || other_part || slide || changed == 2 || (changed == 1 && d->covered > 0 && lf_store_kept_mark (d->store, d->covered) != d->mark);
  if (!anew && changed == 0 && !other_function && !other_request)
    return 0;
  pthread_mutex_lock (&d->lock);
  d->now = *want;
  pthread_mutex_unlock (&d->lock);
  if ((anew && load (it, err) != 0) || (!anew && other_function && load_recent (it, err) != 0))
    return -1;
  if ((anew || changed == 1) && (catch_up (it, err) != 0))
    return -1;
  settle (d);
  refresh_functions (d);
  read_enforcement (d);
  if (read_detail (d, err) != 0)
    return -1;
  pthread_mutex_lock (&d->lock);
  d->loading = false;
  pthread_mutex_unlock (&d->lock);
  return 1;
}

int
lf_data_read (lf_data *d, lf_want *want, lf_data_look look, void *user, lf_error *err)
{
  reading it = { .d = d, .batch = malloc (LF_TOP_BATCH * sizeof *it.batch), .want = want, .look = look, .user = user };
  if (it.batch == NULL)
    return LF_FAIL_NOMEM (err);
  int result = read_all (&it, err);
  free (it.batch);
  pthread_mutex_lock (&d->lock);
  if (it.stopped)
    d->loading = true; /* what was begun is begun anew */
  else
    snprintf (d->error, sizeof d->error, "%.150s%s%.400s", result < 0 ? err->what : "", result < 0 ? ": " : "", result < 0 ? err->why : "");
  pthread_mutex_unlock (&d->lock);
  if (result < 0)
    d->state.version = -1; /* so that the next try looks again */
  return it.stopped ? 1 : result;
}
