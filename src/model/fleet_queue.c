/* SPDX-License-Identifier: Apache-2.0
 *
 * The orders in which environments stand: by deadline (a heap), by use (a list per function), by age (a heap per function, only for
 * the policy that asks for it) and by the time they are to be frozen (a list: the delay is one for all, so first in is first out).
 */
#include "fleet.h"

#include <stdlib.h>

/* [0] is never used, so that position 0 can mean "not in it". */
static int
grow (void **heap, size_t *cap, size_t n, size_t size)
{
  size_t want = n + 1, grown = *cap ? *cap * 2 : 16;
  if (want <= *cap)
    return 0;
  while (grown < want)
    grown *= 2;
  void *v = realloc (*heap, grown * size);
  if (!v)
    return -1;
  *heap = v;
  *cap = grown;
  return 0;
}

int
lf_fl_newest_reserve (lf_fleet_fn *fn, size_t n)
{
  void *v = fn->newest;
  int failed = grow (&v, &fn->newest_cap, n, sizeof *fn->newest);
  fn->newest = v;
  return failed;
}

int
lf_fl_deadlines_reserve (lf_fleet *f, size_t n)
{
  void *v = f->heap;
  int failed = grow (&v, &f->heap_cap, n, sizeof *f->heap);
  f->heap = v;
  return failed;
}

/* ---- deadlines -------------------------------------------------------------------------------------------------------------- */

/* Equal deadlines are taken in order of creation, so a run can be repeated exactly. */
static inline bool
earlier (lf_due_env a, lf_due_env b)
{
  return a.at != b.at ? a.at < b.at : a.env->serial < b.env->serial;
}

static inline void
heap_put (lf_fleet *f, size_t i, lf_due_env d)
{
  f->heap[i] = d;
  d.env->heap_pos = i;
  d.env->heap_at = d.at;
}

static void
heap_up (lf_fleet *f, size_t i, lf_due_env d)
{
  for (; i > 1 && earlier (d, f->heap[i / 2]); i /= 2)
    heap_put (f, i, f->heap[i / 2]);
  heap_put (f, i, d);
}

static void
heap_down (lf_fleet *f, size_t i, lf_due_env d)
{
  for (size_t child; (child = 2 * i) <= f->heap_n; i = child)
    {
      if (child < f->heap_n && earlier (f->heap[child + 1], f->heap[child]))
        child++;
      if (!earlier (f->heap[child], d))
        break;
      heap_put (f, i, f->heap[child]);
    }
  heap_put (f, i, d);
}

static void
heap_fix (lf_fleet *f, size_t i, lf_due_env d)
{
  if (i > 1 && earlier (d, f->heap[i / 2]))
    heap_up (f, i, d);
  else
    heap_down (f, i, d);
}

static void
heap_remove (lf_fleet *f, lf_env *e)
{
  size_t i = e->heap_pos;
  lf_due_env last = f->heap[f->heap_n--];
  e->heap_pos = 0;
  if (last.env != e)
    heap_fix (f, i, last);
}

void
lf_fl_deadline_set (lf_fleet *f, lf_env *e, lf_time_us at)
{
  if (at == INT64_MAX)
    at = LF_NONE;
  e->deadline = at;
  if (at == LF_NONE)
    {
      if (e->heap_pos)
        heap_remove (f, e);
      return;
    }
  lf_due_env d = { at, e };
  if (!e->heap_pos)
    heap_up (f, ++f->heap_n, d);
  else if (at < e->heap_at)
    heap_up (f, e->heap_pos, d);
}

void
lf_fl_deadline_settle (lf_fleet *f)
{
  while (f->heap_n && f->heap[1].at < f->heap[1].env->deadline)
    heap_down (f, 1, (lf_due_env){ f->heap[1].env->deadline, f->heap[1].env });
}

static size_t
due_below (const lf_fleet *f, size_t i, lf_time_us now)
{
  if (i > f->heap_n || f->heap[i].at > now)
    return 0;
  return 1 + due_below (f, 2 * i, now) + due_below (f, 2 * i + 1, now);
}

/* Looks at those that may have passed and their children only. */
size_t
lf_fl_deadlines_due (const lf_fleet *f, lf_time_us now)
{
  return due_below (f, 1, now);
}

/* ---- idle environments of a function ----------------------------------------------------------------------------------------- */

static void
newest_put (lf_fleet_fn *fn, size_t i, lf_env *e)
{
  fn->newest[i] = e;
  e->pick_pos = i;
}

static void
newest_up (lf_fleet_fn *fn, size_t i, lf_env *e)
{
  for (; i > 1 && e->serial > fn->newest[i / 2]->serial; i /= 2)
    newest_put (fn, i, fn->newest[i / 2]);
  newest_put (fn, i, e);
}

static void
newest_remove (lf_fleet_fn *fn, lf_env *e)
{
  size_t i = e->pick_pos;
  lf_env *last = fn->newest[fn->newest_n--];
  e->pick_pos = 0;
  if (last == e)
    return;
  for (size_t child; (child = 2 * i) <= fn->newest_n; i = child)
    {
      if (child < fn->newest_n && fn->newest[child + 1]->serial > fn->newest[child]->serial)
        child++;
      if (fn->newest[child]->serial <= last->serial)
        break;
      newest_put (fn, i, fn->newest[child]);
    }
  newest_up (fn, i, last);
}

void
lf_fl_idle_push (lf_fleet *f, lf_env *e)
{
  lf_fleet_fn *fn = e->fn;
  e->lru_prev = NULL;
  e->lru_next = fn->idle_first;
  if (fn->idle_first)
    fn->idle_first->lru_prev = e;
  else
    fn->idle_last = e;
  fn->idle_first = e;
  if (f->o.pick == LF_PICK_NEWEST)
    newest_up (fn, ++fn->newest_n, e);
}

void
lf_fl_idle_remove (lf_fleet *f, lf_env *e)
{
  lf_fleet_fn *fn = e->fn;
  *(e->lru_prev ? &e->lru_prev->lru_next : &fn->idle_first) = e->lru_next;
  *(e->lru_next ? &e->lru_next->lru_prev : &fn->idle_last) = e->lru_prev;
  e->lru_prev = e->lru_next = NULL;
  if (f->o.pick == LF_PICK_NEWEST)
    newest_remove (fn, e);
}

lf_env *
lf_fl_idle_pick (const lf_fleet *f, const lf_fleet_fn *fn)
{
  switch (f->o.pick)
    {
    case LF_PICK_LRU:
      return fn->idle_last;
    case LF_PICK_NEWEST:
      return fn->newest_n ? fn->newest[1] : NULL;
    case LF_PICK_MRU:
      break;
    }
  return fn->idle_first;
}

/* ---- environments to be frozen ----------------------------------------------------------------------------------------------- */

void
lf_fl_freeze_queue (lf_fleet *f, lf_env *e, lf_time_us at)
{
  e->freeze_queued = true;
  e->freeze_at = at;
  e->freeze_next = NULL;
  e->freeze_prev = f->freeze_last;
  *(f->freeze_last ? &f->freeze_last->freeze_next : &f->freeze_first) = e;
  f->freeze_last = e;
}

void
lf_fl_freeze_unqueue (lf_fleet *f, lf_env *e)
{
  if (!e->freeze_queued)
    return;
  e->freeze_queued = false;
  *(e->freeze_prev ? &e->freeze_prev->freeze_next : &f->freeze_first) = e->freeze_next;
  *(e->freeze_next ? &e->freeze_next->freeze_prev : &f->freeze_last) = e->freeze_prev;
  e->freeze_prev = e->freeze_next = NULL;
}

size_t
lf_fl_freezes_due (const lf_fleet *f, lf_time_us now)
{
  size_t n = 0;
  for (const lf_env *e = f->freeze_first; e && e->freeze_at <= now; e = e->freeze_next)
    n++;
  return n;
}
