/* SPDX-License-Identifier: Apache-2.0
 *
 * One run as its files share it: what happens (run.c), and what it happens with (world.c). The hot functions stay beside the loop.
 */
#ifndef LAMBDAFIT_SIMULATE_RUN_H
#define LAMBDAFIT_SIMULATE_RUN_H

#include "inside.h"

#define CHUNK 1024

typedef struct function
{
  lf_function config;            /* a copy that owns nothing */
  lf_fleet_fn *fleet;
  struct work *work;
} function;

typedef struct work
{
  const lf_workload *w;
  lf_sim_part *part;
  lf_rng service, cold, chance;
  size_t index;
  function *own;                 /* what is not a trace's function of a name */
} work;

typedef struct feed
{
  lf_stream *source;
  lf_arrival head;
  lf_rng rng;
  work *work;
  function **fn;                 /* of a trace, by number */
  size_t fn_n;
  bool ended;
} feed;

/* An asynchronous event, from its acceptance to its end. */
typedef struct event
{
  lf_async_event model;          /* first, so that it is the event */
  function *fn;
  lf_time_us arrived;
  int64_t service;
  uint64_t number;
  struct event *next;            /* free ones */
} event;

typedef enum { PHASE_INIT, PHASE_HANDLER, PHASE_RETRY } phase;

/* One attempt; of a synchronous request also its waiting between two. */
typedef struct slot
{
  lf_inv inv;
  lf_time_us arrived;
  int64_t service, first;        /* warm handler; LF_NONE or the handler that was drawn with the init */
  function *fn;
  event *ev;
  uint64_t number;
  uint32_t id, next;             /* next: free ones, id + 1 */
  int attempt;
  phase phase;
} slot;

typedef struct sim
{
  const lf_sim_options *o;
  lf_sim_result *r;
  lf_error *err;
  lf_fleet *fleet;
  lf_async *async;
  lf_effects fx;
  lf_async_fxs afx;
  lf_event ev;
  lf_queue queue;
  slot **slots;
  size_t slots_n, slots_cap, slots_used; /* chunks; slots in use */
  uint32_t slot_free;
  event **events;
  size_t events_n, events_used;
  event *event_free;
  work *work;
  feed *feeds;
  size_t feeds_n, next_feed;
  lf_time_us next_at, now, horizon;
  int64_t timed;                 /* billed time of the attempt that has just been billed */
  /* what is counted over time */
  lf_time_us last, bin_end, bin_us;
  int64_t envs, running;
  int64_t env_area, running_area; /* of this bin; a bin is short enough for that */
  lf_time_us env_since;           /* env_area is true up to here, running_area up to `last` */
  double env_total, running_total, empty_total;
  lf_sim_bin before, *bin;        /* totals at the beginning of the bin */
  double life_sum;
} sim;

/* world.c. 0, or -1 with the simulation's error set; NULL likewise. */
int lf_sim_open (sim *s);
void lf_sim_close (sim *s);
int lf_sim_more_slots (sim *s);
event *lf_sim_event_new (sim *s);
function *lf_sim_function_of (sim *s, feed *d); /* the function that the feed's arrival is for, made when it is first called; NULL: no memory */

/* run.c */
int lf_sim_pull (sim *s, feed *d);     /* the feed's next arrival */
void lf_sim_choose_feed (sim *s);      /* which of the feeds is next */

static inline slot *
slot_at (const sim *s, uint32_t id)
{
  return &s->slots[id / CHUNK][id % CHUNK];
}

static inline slot *
slot_new (sim *s)
{
  if (!s->slot_free && lf_sim_more_slots (s) != 0)
    return NULL;
  slot *x = slot_at (s, s->slot_free - 1);
  s->slot_free = x->next;
  return x;
}

static inline void
slot_done (sim *s, slot *x)
{
  x->next = s->slot_free;
  s->slot_free = x->id + 1;
}

#endif
