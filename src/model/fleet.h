/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the fleet share with each other and with nobody else.
 */
#ifndef LF_MODEL_FLEET_H
#define LF_MODEL_FLEET_H

#include "lambdafit/model.h"

/* A continuous token bucket in integers: one token is `unit`, `rate` units flow in every microsecond, up to `cap`. */
typedef struct lf_bucket
{
  int64_t level, cap, unit, rate;
  lf_time_us at; /* when `level` was true; LF_NONE before the first use */
} lf_bucket;

/* What the versions of one function have together, and the old code of one that was changed with the new. */
typedef struct lf_fl_share
{
  size_t refs, members;                      /* functions that point here; those of them that are not removed */
  int64_t reserved;                          /* LF_NONE: shares the unreserved pool */
  int64_t in_flight;
  lf_bucket rate, scale;
} lf_fl_share;
/* When an environment is next looked at: never later than its deadline, often earlier. A deadline that moves away, as it does with every
 * request, costs nothing; the environment is put where it belongs when it comes first. That of the first one is its deadline after every
 * step. */
typedef struct lf_due_env { lf_time_us at; lf_env *env; } lf_due_env;

struct lf_fleet_fn
{
  lf_fleet *fleet;
  lf_fleet_fn *prev, *next;
  const lf_function *config;
  void *user;
  int64_t timeout_us, keepalive_us, life_us; /* INT64_MAX: for ever */
  bool single_use, removed;
  lf_fl_share *share;
  int64_t in_flight;
  lf_env *idle_first, *idle_last;            /* most recently used first */
  lf_env **newest;                           /* the same environments as a heap by serial, only for LF_PICK_NEWEST; from [1] */
  size_t newest_n, newest_cap;
  size_t envs;                               /* allocated ones, gone ones too */
  lf_fleet_counts counts;                    /* without gone ones */
};

struct lf_fleet
{
  lf_fleet_options o;
  lf_time_us now;
  int64_t concurrency, init_max_us;
  int64_t in_flight, pool_in_flight, reserved_sum;
  uint64_t serial;
  bool shut;
  lf_fleet_fn *fns;
  lf_env *all;
  size_t envs;
  lf_fleet_counts counts;
  lf_due_env *heap;                          /* deadlines, earliest at [1] */
  size_t heap_n, heap_cap;
  lf_env *freeze_first, *freeze_last;
  lf_bucket rate, scale;                     /* of the unreserved pool; of the account */
  lf_env *spare;                             /* allocated before anything changes, so that placing cannot fail */
};

/* fleet_queue.c: the orders in which environments stand. None of them can fail: room was made before. */
int lf_fl_newest_reserve (lf_fleet_fn *fn, size_t n);
int lf_fl_deadlines_reserve (lf_fleet *f, size_t n);
void lf_fl_deadline_settle (lf_fleet *f); /* makes the first one's time its deadline */
void lf_fl_deadline_set (lf_fleet *f, lf_env *e, lf_time_us at); /* LF_NONE or INT64_MAX: none */
size_t lf_fl_deadlines_due (const lf_fleet *f, lf_time_us now); /* or more */
void lf_fl_idle_push (lf_fleet *f, lf_env *e);
void lf_fl_idle_remove (lf_fleet *f, lf_env *e);
lf_env *lf_fl_idle_pick (const lf_fleet *f, const lf_fleet_fn *fn);
void lf_fl_freeze_queue (lf_fleet *f, lf_env *e, lf_time_us at);
void lf_fl_freeze_unqueue (lf_fleet *f, lf_env *e);
size_t lf_fl_freezes_due (const lf_fleet *f, lf_time_us now);

/* fleet_place.c: who gets in, and where. */
void lf_fl_bucket_set (lf_bucket *b, int64_t tokens, int64_t unit, int64_t rate, bool fill);
void lf_fl_rates_set (lf_fleet *f, lf_fl_share *s, bool fill);
void lf_fl_invoke (lf_fleet *f, lf_fleet_fn *fn, lf_inv *inv, lf_effects *fx);

/* fleet_life.c: what happens to an environment and its invocation. All at f->now. */
static inline void
lf_fl_emit (lf_effects *fx, lf_effect_type type, lf_env *e, lf_inv *inv)
{
  fx->v[fx->n++] = (lf_effect) { .type = type, .env = e, .inv = inv };
}

static inline lf_time_us
lf_fl_after (lf_time_us t, int64_t us) /* saturating */
{
  if (us <= 0)
    return t;
  return t > INT64_MAX - us ? INT64_MAX : t + us;
}

/* Where environments in a state are counted; NULL: nowhere. */
static inline size_t *
lf_fl_counted (lf_fleet_counts *c, lf_env_state s)
{
  switch (s)
    {
    case LF_ENV_STARTING:
      return &c->starting;
    case LF_ENV_IDLE:
      return &c->idle;
    case LF_ENV_BUSY:
    case LF_ENV_RESETTING:
      return &c->busy;
    case LF_ENV_GONE:
      break;
    }
  return NULL;
}

static inline void
lf_fl_recount (lf_fleet_counts *c, lf_env_state from, lf_env_state to)
{
  size_t *less = lf_fl_counted (c, from), *more = lf_fl_counted (c, to);
  if (less)
    --*less;
  if (more)
    ++*more;
  c->environments += (size_t) (more != NULL) - (size_t) (less != NULL);
}

static inline void
lf_fl_state (lf_env *e, lf_env_state to)
{
  lf_fl_recount (&e->fn->counts, e->state, to);
  lf_fl_recount (&e->fn->fleet->counts, e->state, to);
  e->state = to;
}

void lf_fl_destroy (lf_fleet *f, lf_env *e, lf_env_end end, lf_effects *fx);
void lf_fl_deliver (lf_fleet *f, lf_env *e, lf_effects *fx);
void lf_fl_forget_env (lf_fleet *f, lf_env *e);
void lf_fl_deadline (lf_fleet *f, lf_env *e, lf_effects *fx);
void lf_fl_freeze (lf_fleet *f, lf_env *e, lf_effects *fx);
void lf_fl_event (lf_fleet *f, const lf_event *ev, lf_effects *fx);

#endif
