/* SPDX-License-Identifier: Apache-2.0
 *
 * `run`: the same engine without the daemon's port, for a number of invocations by a number of callers.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

typedef struct lf_shot
{
  lf_live live;
  const lf_oneshot_options *o;
  lf_live_fn *fn;
  uv_signal_t sigint, sigterm;
  uv_idle_t starter;
  int64_t started, done, in_flight;
  int signum;
  bool ending, stuck, planned; /* planned: nothing more is to be started */
  lf_error failure;
} lf_shot;

/* One invocation under way. */
typedef struct lf_flight
{
  lf_shot *shot;
  int64_t tag;
} lf_flight;

static void
on_engine_closed (void *user)
{
  lf_shot *s = user;
  uv_close ((uv_handle_t *) &s->sigint, NULL);
  uv_close ((uv_handle_t *) &s->sigterm, NULL);
  uv_close ((uv_handle_t *) &s->starter, NULL);
}

static void
end (lf_shot *s)
{
  if (s->ending)
    return;
  s->ending = true;
  uv_idle_stop (&s->starter);
  lf_engine_close (s->live.engine, on_engine_closed, s);
}

static void on_starter (uv_idle_t *h);

#define DRAIN_MS 200

/* The lines of an invocation come before its response on a terminal that shows both. Whoever does not read them is not waited for. */
static void
lines_first (lf_shot *s)
{
  if (s->live.writer && !s->stuck)
    s->stuck = !lf_log_writer_drain (s->live.writer, DRAIN_MS);
}

static void
on_done (const lf_outcome *out, void *user)
{
  lf_flight *flight = user;
  lf_shot *s = flight->shot;
  int64_t tag = flight->tag;
  free (flight);
  s->done++;
  s->in_flight--;
  lines_first (s);
  if (out->error)
    s->failure = *out->error;
  else if (!s->ending || out->status == LF_ST_OK)
    s->o->each (out, lf_sb_host_enforcement (s->live.host), lf_live_fn_config (s->fn), tag, s->o->user);
  if (out->no_sandbox && out->no_sandbox->exit == LF_EXIT_UNSUPPORTED && s->failure.exit == LF_EXIT_OK)
    s->failure = *out->no_sandbox; /* no fault of the function's, and the next one would end so too */
  if (s->failure.exit != LF_EXIT_OK || (s->planned && s->in_flight == 0))
    end (s);
  else if (!s->ending)
    uv_idle_start (&s->starter, on_starter); /* not here: the answers of this turn come first */
}

static int
start (lf_shot *s, const lf_shot_order *order, lf_flight *flight)
{
  const lf_profile *p = s->o->live.profile;
  if (order->keep)
    lf_engine_end_single_use (s->fn);
  if ((int64_t) order->payload_len > p->request_max_bytes)
    {
      char text[160];
      snprintf (text, sizeof text, "Request must be smaller than %lld bytes for the InvokeFunction operation", (long long) p->request_max_bytes);
      return lf_engine_reject (s->live.engine, s->fn, (int64_t) order->payload_len, false, "RequestEntityTooLargeException", text, on_done, flight,
                               &s->failure)
                 ? 0
                 : -1;
    }
  lf_buf payload LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&payload, 0);
  if (lf_buf_add (&payload, order->payload, order->payload_len) < 0)
    return LF_FAIL_NOMEM (&s->failure);
  lf_call_options o = { .payload = &payload, .want_tail = true, .sync = true, .done = on_done, .user = flight };
  return lf_engine_call (s->live.engine, s->fn, &o, &s->failure) ? 0 : -1;
}

static lf_next_shot
next_order (lf_shot *s, lf_shot_order *order)
{
  if (s->o->next)
    return s->o->next (order, s->in_flight, s->o->user);
  *order = (lf_shot_order){ .payload = s->o->payload, .payload_len = s->o->payload_len };
  return s->started < s->o->count ? LF_NEXT_GO : LF_NEXT_END;
}

static int
start_one (lf_shot *s, const lf_shot_order *order)
{
  lf_flight *flight = malloc (sizeof *flight);
  if (!flight)
    return LF_FAIL_NOMEM (&s->failure);
  *flight = (lf_flight){ s, order->tag };
  s->started++;
  s->in_flight++;
  if (start (s, order, flight) == 0)
    return 0;
  free (flight);
  s->in_flight--;
  return -1;
}

static void
on_starter (uv_idle_t *h)
{
  lf_shot *s = h->data;
  uv_idle_stop (h);
  while (!s->ending && !s->planned && s->in_flight < s->o->parallel)
    {
      lf_shot_order order = { 0 };
      lf_next_shot what = next_order (s, &order);
      if (what == LF_NEXT_GO)
        {
          if (start_one (s, &order) == 0)
            continue;
          end (s);
          return;
        }
      s->planned = what == LF_NEXT_END || s->in_flight == 0;
      break;
    }
  if (s->planned && s->in_flight == 0)
    end (s);
}

static void
on_signal (uv_signal_t *h, int signum)
{
  lf_shot *s = h->data;
  s->signum = signum;
  end (s);
}

static void
find_first (lf_live_fn *fn, void *user)
{
  lf_shot *s = user;
  if (!s->fn)
    s->fn = fn;
}

int
lf_oneshot (const lf_oneshot_options *o, int *signum, lf_error *err)
{
  lf_shot *s = calloc (1, sizeof *s);
  if (!s)
    return LF_FAIL_NOMEM (err);
  s->o = o;
  int rc = lf_live_open (&s->live, &o->live, err);
  if (rc == 0)
    {
      lf_engine_each_fn (s->live.engine, find_first, s);
      uv_signal_init (&s->live.loop, &s->sigint);
      uv_signal_init (&s->live.loop, &s->sigterm);
      uv_idle_init (&s->live.loop, &s->starter);
      s->sigint.data = s->sigterm.data = s->starter.data = s;
      uv_signal_start (&s->sigint, on_signal, SIGINT);
      uv_signal_start (&s->sigterm, on_signal, SIGTERM);
      uv_idle_start (&s->starter, on_starter);
      uv_run (&s->live.loop, UV_RUN_DEFAULT);
      lf_engine_free (s->live.engine);
      s->live.engine = NULL;
    }
  *signum = s->signum;
  if (rc == 0 && s->failure.exit != LF_EXIT_OK)
    {
      *err = s->failure;
      rc = -1;
    }
  lf_live_close (&s->live);
  free (s);
  return rc;
}
