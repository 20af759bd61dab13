/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes read as a history of the fleet: calls, what environments do and do not do, and time. The driver's part of the contract is kept
 * (events only of environments that live, a kill is answered by an exit, a destroyed one by GONE); whatever the order, the fleet's
 * own invariants hold, and each invocation is answered once and finished once.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lambdafit/model.h"

#define FNS 3
#define INVS 24
#define ENVS 64
#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

typedef enum { FREE, LAUNCHING, INIT, READY, WORKING, DEAD, LEAVING } phase;
typedef struct place
{
  lf_env *env;
  phase at;
  bool dying; /* a kill was asked for */
} place;

typedef struct history
{
  lf_fleet *fleet;
  lf_fleet_fn *fn[FNS];
  lf_inv inv[INVS];
  bool used[INVS], answered[INVS];
  place places[ENVS];
  lf_effects fx;
  lf_time_us now;
} history;

static place *
place_of (history *h, const lf_env *e)
{
  CHECK (e && e->user);
  place *p = e->user;
  CHECK (p >= h->places && p < h->places + ENVS && p->env == e);
  return p;
}

static void
carry_out (history *h, const lf_effect *x)
{
  switch (x->type)
    {
    case LF_FX_START:
      for (int i = 0; i < ENVS; i++)
        if (h->places[i].at == FREE)
          {
            h->places[i] = (place){ x->env, LAUNCHING, false };
            x->env->user = &h->places[i];
            return;
          }
      abort ();
    case LF_FX_RESTART:
      place_of (h, x->env)->at = LAUNCHING;
      place_of (h, x->env)->dying = false;
      break;
    case LF_FX_DELIVER:
      CHECK (place_of (h, x->env)->at == READY);
      place_of (h, x->env)->at = WORKING;
      break;
    case LF_FX_KILL:
      place_of (h, x->env)->dying = true;
      break;
    case LF_FX_DESTROY:
      place_of (h, x->env)->at = LEAVING;
      break;
    case LF_FX_ANSWER:
      CHECK (!h->answered[x->inv - h->inv]);
      h->answered[x->inv - h->inv] = true;
      break;
    case LF_FX_FINISH:
      CHECK (h->used[x->inv - h->inv] && h->answered[x->inv - h->inv]);
      h->used[x->inv - h->inv] = false;
      break;
    default:
      break;
    }
}

static void
step (history *h, const lf_event *ev)
{
  h->fx.n = 0;
  CHECK (lf_fleet_step (h->fleet, ev, h->now, &h->fx) == 0);
  for (size_t i = 0; i < h->fx.n; i++)
    carry_out (h, &h->fx.v[i]);
  CHECK (!lf_fleet_broken (h->fleet));
}

static void
invoke (history *h, unsigned arg)
{
  for (int i = 0; i < INVS; i++)
    if (!h->used[i])
      {
        memset (&h->inv[i], 0, sizeof h->inv[i]);
        h->inv[i].sync = arg & 64;
        h->used[i] = true;
        h->answered[i] = false;
        step (h, &(lf_event){ .type = LF_EV_INVOKE, .fn = h->fn[arg % FNS], .inv = &h->inv[i] });
        return;
      }
}

/* What an environment does next, as far as it can. */
static void
act (history *h, place *p, unsigned what)
{
  lf_event ev = { .env = p->env };
  if (p->at == FREE)
    return;
  if (p->at == LEAVING)
    {
      ev.type = LF_EV_GONE;
      p->at = FREE;
    }
  else if (what == 0)
    ev.type = LF_EV_LAUNCH_FAILED;
  else if (p->dying || what == 1)
    {
      if (p->at == DEAD)
        return;
      ev.type = LF_EV_EXIT;
      ev.exit = (lf_exit_info){ .signal = 9 };
      p->at = DEAD;
      p->dying = false;
    }
  else if (p->at == LAUNCHING)
    {
      ev.type = LF_EV_LAUNCHED;
      p->at = INIT;
    }
  else if (p->at == INIT)
    {
      ev.type = LF_EV_NEXT;
      p->at = READY;
    }
  else if (p->at == WORKING)
    {
      ev.type = LF_EV_RESPONSE;
      ev.status = what & 1 ? LF_ST_OK : LF_ST_FUNCTION_ERROR;
      p->at = INIT;
    }
  else
    return;
  step (h, &ev);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static lf_profile profile;
  static lf_function config[FNS];
  profile = (lf_profile){ .name = "fuzz", .service = "lambda", .timeout_default_s = 3, .keepalive_ms = 50, .init_max_ms = 20, .concurrency_account = 8,
                          .concurrency_unreserved_min = 1, .requests_per_concurrency = 10, .scaling_burst = 6, .scaling_step = 3, .scaling_period_ms = 100,
                          .scaling_per_function = size & 1, .style = size & 2 ? LF_STYLE_2026 : LF_STYLE_2020 };
  history *h = calloc (1, sizeof *h);
  CHECK (h);
  lf_fleet_options o = { .profile = &profile, .concurrency = 8, .pick = LF_PICK_MRU, .rate_limit = size & 4, .scaling_limit = size & 8, .freeze_delay_us = 1000 };
  h->fleet = lf_fleet_new (&o);
  CHECK (h->fleet);
  for (int i = 0; i < FNS; i++)
    {
      config[i] = (lf_function){ .memory_mb = 128, .timeout_ms = 10 + 10 * i, .tmp_mb = 512, .reserved = i == 1 ? 2 : LF_NONE, .keepalive_ms = LF_NONE,
                                 .life_ms = i == 2 ? 100 : LF_NONE, .async_retries = -1, .async_max_age_s = LF_NONE, .single_use = i == 2 && size & 16 };
      h->fn[i] = lf_fleet_add (h->fleet, &config[i], NULL);
      CHECK (h->fn[i]);
    }
  for (size_t i = 0; i + 1 < size; i += 2)
    {
      unsigned op = data[i] & 7, arg = data[i + 1];
      if (op < 2)
        invoke (h, arg);
      else if (op < 6)
        act (h, &h->places[arg % ENVS], data[i] >> 3 & 7);
      else if (op == 6)
        {
          h->now += (lf_time_us) arg * arg * 10;
          step (h, &(lf_event){ .type = LF_EV_TICK });
        }
      else if (arg == 255)
        step (h, &(lf_event){ .type = LF_EV_SHUTDOWN });
      else if (arg >= 253)
        step (h, &(lf_event){ .type = LF_EV_REMOVE_FN, .fn = h->fn[2] });
    }
  lf_fleet_free (h->fleet);
  lf_effects_fini (&h->fx);
  free (h);
  return 0;
}
