/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run happens with: its workloads, functions and feeds, and the memory of attempts and events, in chunks that are used again.
 */
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* ---- attempts and events -------------------------------------------------------------------------------- */

static int
too_many (sim *s, size_t most)
{
  return LF_FAIL (s->err, LF_EXIT_FAILED, "simulate", "shorten --for, raise the limits, or let fewer clients retry",
                  "more than %zu requests wait or run at once at %.0f s: the traffic is more than its limits let through", most, (double) s->now / 1e6);
}

static size_t
waiting_max (const sim *s)
{
  return s->o->waiting_max ? s->o->waiting_max : LF_SIM_WAITING_MAX;
}

int
lf_sim_more_slots (sim *s)
{
  if (s->slots_n * CHUNK >= waiting_max (s))
    return too_many (s, waiting_max (s));
  if (s->slots_n == s->slots_cap)
    {
      size_t cap = s->slots_cap ? s->slots_cap * 2 : 16;
      slot **v = realloc (s->slots, cap * sizeof (slot *));
      if (!v)
        return LF_FAIL_NOMEM (s->err);
      s->slots = v;
      s->slots_cap = cap;
    }
  slot *chunk = calloc (CHUNK, sizeof *chunk);
  if (!chunk || lf_queue_reserve (&s->queue, (s->slots_n + 1) * CHUNK) != 0)
    {
      free (chunk);
      return LF_FAIL_NOMEM (s->err);
    }
  s->slots[s->slots_n] = chunk;
  for (uint32_t i = CHUNK; i-- > 0;)
    {
      chunk[i].id = (uint32_t) (s->slots_n * CHUNK) + i;
      chunk[i].next = s->slot_free;
      s->slot_free = chunk[i].id + 1;
    }
  s->slots_n++;
  return 0;
}

event *
lf_sim_event_new (sim *s)
{
  if (!s->event_free)
    {
      if (s->events_n * CHUNK >= waiting_max (s))
        {
          too_many (s, waiting_max (s));
          return NULL;
        }
      event **v = realloc (s->events, (s->events_n + 1) * sizeof (event *)), *chunk = calloc (CHUNK, sizeof *chunk);
      if (v)
        s->events = v;
      if (!v || !chunk)
        {
          free (chunk);
          LF_FAIL_NOMEM (s->err);
          return NULL;
        }
      s->events[s->events_n++] = chunk;
      for (size_t i = CHUNK; i-- > 0;)
        {
          chunk[i].next = s->event_free;
          s->event_free = &chunk[i];
        }
    }
  event *e = s->event_free;
  s->event_free = e->next;
  return e;
}

/* ---- functions ------------------------------------------------------------------------------------------ */

static function *
function_new (sim *s, work *w, const char *name)
{
  function *f = calloc (1, sizeof *f);
  if (!f)
    return NULL;
  f->config = *w->w->fn;
  if (name && *name)
    f->config.name = (char *) (uintptr_t) name; /* lent, as all of the copy is */
  f->work = w;
  f->fleet = lf_fleet_add (s->fleet, &f->config, f);
  if (f->fleet)
    return f;
  free (f);
  return NULL;
}

function *
lf_sim_function_of (sim *s, feed *d)
{
  uint32_t n = d->head.fn;
  if (n >= d->fn_n)
    {
      size_t cap = d->fn_n ? d->fn_n * 2 : 1;
      while (cap <= n)
        cap *= 2;
      function **v = realloc (d->fn, cap * sizeof (function *));
      if (!v)
        return NULL;
      memset (v + d->fn_n, 0, (cap - d->fn_n) * sizeof *v);
      d->fn = v;
      d->fn_n = cap;
    }
  if (d->fn[n])
    return d->fn[n];
  const char *name = lf_stream_function (d->source, n);
  if (*name)
    d->fn[n] = function_new (s, d->work, name);
  else
    d->fn[n] = d->work->own ? d->work->own : (d->work->own = function_new (s, d->work, NULL));
  if (d->fn[n])
    d->work->part->functions += *name || d->work->part->functions == 0;
  return d->fn[n];
}

/* ---- beginning and end ---------------------------------------------------------------------------------- */

static int
open_feeds (sim *s, size_t i)
{
  const lf_workload *w = &s->o->work[i];
  const lf_bytes *bytes = w->bytes;
  for (size_t k = 0; k < w->arrivals->n; k++)
    {
      feed *d = &s->feeds[s->feeds_n++];
      const lf_source_spec *spec = &w->arrivals->v[k];
      d->work = &s->work[i];
      lf_rng_seed (&d->rng, s->o->seed, 1000 * i + 10 + k);
      d->source = lf_stream_new (spec, lf_source_is_trace (spec) ? bytes++ : NULL, s->o->for_us, w->only, &d->rng, s->err);
      if (!d->source || lf_sim_pull (s, d) != 0)
        return -1;
    }
  return 0;
}

static int
open_work (sim *s)
{
  const lf_sim_options *o = s->o;
  size_t feeds = 0;
  for (size_t i = 0; i < o->work_n; i++)
    feeds += o->work[i].arrivals->n;
  s->work = calloc (o->work_n + 1, sizeof *s->work);
  s->feeds = calloc (feeds + 1, sizeof *s->feeds);
  s->r->part = calloc (o->work_n + 1, sizeof *s->r->part);
  if (!s->work || !s->feeds || !s->r->part)
    return LF_FAIL_NOMEM (s->err);
  s->r->parts = o->work_n;
  bool async = false;
  for (size_t i = 0; i < o->work_n; i++)
    {
      work *w = &s->work[i];
      *w = (work){ .w = &o->work[i], .part = &s->r->part[i], .index = i };
      lf_rng_seed (&w->service, o->seed, 1000 * i + 1);
      lf_rng_seed (&w->cold, o->seed, 1000 * i + 2);
      lf_rng_seed (&w->chance, o->seed, 1000 * i + 3);
      async |= o->work[i].async;
      if (open_feeds (s, i) != 0)
        return -1;
    }
  if (async && !(s->async = lf_async_new (o->profile)))
    return LF_FAIL_NOMEM (s->err);
  lf_sim_choose_feed (s);
  return 0;
}

int
lf_sim_open (sim *s)
{
  const lf_sim_options *o = s->o;
  lf_fleet_options f = { .profile = o->profile, .concurrency = o->concurrency, .pick = o->pick, .rate_limit = o->rate_limit,
                         .scaling_limit = o->scaling_limit, .freeze_delay_us = LF_NONE };
  s->fleet = lf_fleet_new (&f);
  if (!s->fleet || lf_hist_init (&s->r->wait) != 0 || lf_hist_init (&s->r->latency) != 0)
    return LF_FAIL_NOMEM (s->err);
  s->horizon = o->for_us == LF_NONE ? INT64_MAX : o->for_us;
  s->bin_us = o->for_us == LF_NONE ? 1000000 : (o->for_us + LF_SIM_BINS - 1) / LF_SIM_BINS;
  if (s->bin_us < 1)
    s->bin_us = 1;
  s->bin = s->r->bins;
  s->bin_end = s->bin_us;
  return open_work (s);
}

void
lf_sim_close (sim *s)
{
  lf_fleet_free (s->fleet);
  lf_async_free (s->async);
  lf_effects_fini (&s->fx);
  free (s->afx.v);
  lf_queue_fini (&s->queue);
  for (size_t i = 0; i < s->slots_n; i++)
    free (s->slots[i]);
  for (size_t i = 0; i < s->events_n; i++)
    free (s->events[i]);
  for (size_t i = 0; i < s->feeds_n; i++)
    {
      lf_stream_free (s->feeds[i].source);
      for (size_t k = 0; k < s->feeds[i].fn_n; k++)
        if (s->feeds[i].fn[k] && s->feeds[i].fn[k] != s->feeds[i].work->own)
          free (s->feeds[i].fn[k]);
      free (s->feeds[i].fn);
    }
  for (size_t i = 0; s->work && i < s->o->work_n; i++)
    free (s->work[i].own);
  free (s->slots);
  free (s->events);
  free (s->feeds);
  free (s->work);
}
