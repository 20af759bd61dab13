/* SPDX-License-Identifier: Apache-2.0
 *
 * Asynchronous events, live: the pure queue of the model decides when each is tried, the log holds each until it is done. An event counts
 * as accepted only when it is committed.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Of the payloads that wait, all together, and of each what else it costs: Lambda holds them outside of the machine, here they are in memory. */
#define HELD_MAX ((size_t) 256 << 20)
#define HELD_EACH 1024

typedef struct lf_live_event
{
  lf_async_event core;
  lf_events *events;
  lf_live_fn *fn;
  char id[37];
  int tries;               /* rows written so far: throttled tries have one too */
  lf_buf payload;
  bool has_response, function_error; /* of the last attempt, when somebody wants to be told */
  lf_buf response;
  lf_accept_done accepted; /* until the commit */
  void *user;
  bool gone;               /* its function is deleted: nobody tries it again, and fn is not valid */
  struct lf_live_event *next; /* waiting for the commit, or to be tried */
  struct lf_live_event *all_prev, *all_next;
} lf_live_event;

struct lf_events
{
  lf_engine *e;
  lf_async *core;
  uv_timer_t timer;
  lf_async_fxs fx;
  lf_live_event *fresh, **fresh_tail; /* accepted in this loop turn */
  lf_live_event *all;
  size_t held; /* by all of them */
  lf_live_event *over; /* done by an earlier daemon, which did not come to note it */
};

static void carry_out (lf_events *ev);
static void on_timer (uv_timer_t *t);

static void
arm (lf_events *ev)
{
  lf_time_us next = lf_async_next (ev->core);
  if (next == LF_NONE)
    {
      uv_timer_stop (&ev->timer);
      return;
    }
  lf_time_us now = lf_now_us ();
  uv_update_time (ev->e->loop);
  uv_timer_start (&ev->timer, on_timer, next > now ? (uint64_t) ((next - now + 999) / 1000) : 0, 0);
}

static void
on_timer (uv_timer_t *t)
{
  lf_events *ev = t->data;
  lf_async_tick (ev->core, lf_now_us (), &ev->fx);
  carry_out (ev);
}

static void
drop (lf_live_event *one)
{
  lf_events *ev = one->events;
  if (one->all_prev)
    one->all_prev->all_next = one->all_next;
  else
    ev->all = one->all_next;
  if (one->all_next)
    one->all_next->all_prev = one->all_prev;
  ev->held -= HELD_EACH + one->payload.len;
  lf_buf_fini (&one->payload);
  lf_buf_fini (&one->response);
  free (one);
}

static lf_live_event *
add (lf_events *ev, lf_live_fn *fn, lf_error *err)
{
  lf_live_event *one = calloc (1, sizeof *one);
  if (!one)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  ev->held += HELD_EACH;
  one->events = ev;
  one->fn = fn;
  one->core.user = one;
  one->core.fn = &fn->prep.f;
  lf_buf_init (&one->payload, 0);
  lf_buf_init (&one->response, 0);
  one->all_next = ev->all;
  if (ev->all)
    ev->all->all_prev = one;
  ev->all = one;
  return one;
}

/* ---- tries -------------------------------------------------------------------------------------------------------------------- */

static void
keep_response (lf_live_event *one, const lf_outcome *o)
{
  if (!lf_destination_wanted (one->fn) || o->error || o->status == LF_ST_THROTTLED || o->status == LF_ST_REJECTED)
    return;
  lf_buf_reset (&one->response);
  lf_buf_add (&one->response, o->body, o->body_len);
  one->has_response = true;
  one->function_error = o->function_error;
}

/* Invocations that the end of the daemon cuts short are not the event's fault. */
static lf_status
counted_status (const lf_events *ev, const lf_outcome *o)
{
  bool cut = ev->e->closing && o->status != LF_ST_OK && o->status != LF_ST_FUNCTION_ERROR;
  return o->error || cut ? LF_ST_THROTTLED : o->status; /* the log could not be written: the event is tried again, not lost */
}

/* Without a word: its function is deleted. */
static void
forget (lf_live_event *one)
{
  lf_error err = { 0 };
  if (lf_store_event_done (one->events->e->store, one->id, &err) < 0)
    lf_engine_log_failed (one->events->e, &err);
  drop (one);
}

static void
on_result (const lf_outcome *o, void *user)
{
  lf_live_event *one = user;
  lf_events *ev = one->events;
  lf_error err = { 0 };
  int64_t wall = lf_wall_us ();
  lf_time_us now = lf_now_us ();
  if (one->gone)
    {
      forget (one);
      return;
    }
  keep_response (one, o);
  if (o->error)
    one->tries--; /* its row is not there */
  lf_async_result (ev->core, &one->core, counted_status (ev, o), now, &ev->fx);
  if (one->core.heap_pos > 0 && lf_store_event_update (ev->e->store, one->id, one->core.attempts, wall + (one->core.due - now), &err) < 0)
    lf_engine_log_failed (ev->e, &err);
  carry_out (ev);
}

static void
try_now (lf_live_event *one)
{
  lf_events *ev = one->events;
  lf_error err = { 0 };
  lf_buf payload LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&payload, 0);
  lf_call_options o = { .payload = &payload, .request_id = one->id, .attempt = ++one->tries, .sync = false, .done = on_result, .user = one };
  if (lf_buf_add (&payload, one->payload.data ? one->payload.data : "", one->payload.len) == 0 && lf_engine_call (ev->e, one->fn, &o, &err))
    return;
  one->tries--;
  lf_async_result (ev->core, &one->core, LF_ST_THROTTLED, lf_now_us (), &ev->fx);
}

static void
done (lf_live_event *one, lf_async_end end)
{
  lf_events *ev = one->events;
  lf_error err = { 0 };
  if (end != LF_AS_SUCCESS)
    {
      char text[300];
      int n = snprintf (text, sizeof text, "lambdafit: %.64s: asynchronous event %s was given up after %d attempt%s: %s\n", one->fn->prep.f.name, one->id,
                        one->core.attempts, one->core.attempts == 1 ? "" : "s", lf_async_end_name (end));
      lf_engine_say (ev->e, &one->fn->prep.f, text, (size_t) n);
    }
  lf_destination_tell (one->fn, &(lf_async_record){ .request_id = one->id, .fn = &one->fn->prep.f, .end = end, .attempts = one->core.attempts,
                                                    .payload = one->payload.data, .payload_len = one->payload.len, .has_response = one->has_response,
                                                    .function_error = one->function_error, .response = one->response.data,
                                                    .response_len = one->response.len });
  if (lf_store_event_done (ev->e->store, one->id, &err) < 0)
    lf_engine_log_failed (ev->e, &err);
  drop (one);
}

static void
carry_out (lf_events *ev)
{
  for (size_t i = 0; i < ev->fx.n; i++)
    {
      lf_async_fx fx = ev->fx.v[i]; /* a try may append and move the array */
      if (fx.type == LF_AFX_INVOKE)
        try_now (fx.ev->user);
      else
        done (fx.ev->user, fx.end);
    }
  ev->fx.n = 0;
  arm (ev);
}

/* ---- accepting ------------------------------------------------------------------------------------------------------------------- */

/* How the log names it: versions have theirs after the name. */
static void
stored_name (const lf_function *f, char out[100])
{
  bool latest = strcmp (f->version, "$LATEST") == 0;
  snprintf (out, 100, "%.64s%s%.24s", f->name, latest ? "" : ":", latest ? "" : f->version);
}

static lf_live_fn *
find_stored (lf_engine *e, const char *stored)
{
  const char *colon = strchr (stored, ':');
  char *name LF_CLEANUP (lf_freep) = colon ? lf_strndup (stored, (size_t) (colon - stored)) : NULL;
  return colon ? (name ? lf_engine_find_version (e, name, colon + 1) : NULL) : lf_engine_find (e, stored);
}

bool
lf_engine_events_full (const lf_engine *e, size_t bytes)
{
  return e->events->held > HELD_MAX || bytes > HELD_MAX - e->events->held;
}

int
lf_engine_event_accept (lf_engine *e, lf_live_fn *fn, lf_buf *payload, lf_accept_done accepted, void *user, lf_error *err)
{
  lf_events *ev = e->events;
  lf_live_event *one = add (ev, fn, err);
  if (!one)
    return -1;
  lf_uuid4 (one->id);
  one->payload = *payload;
  ev->held += one->payload.len;
  lf_buf_init (payload, 0);
  one->accepted = accepted;
  one->user = user;
  lf_error log_err = { 0 };
  char name[100];
  stored_name (&fn->prep.f, name);
  if (lf_store_event (e->store, one->id, name, lf_wall_us (), one->payload.data ? one->payload.data : "", one->payload.len, &log_err) < 0)
    lf_engine_log_failed (e, &log_err);
  *ev->fresh_tail = one;
  ev->fresh_tail = &one->next;
  return 0;
}

void
lf_events_flushed (lf_events *ev, const lf_error *failure)
{
  lf_live_event *one = ev->fresh;
  ev->fresh = NULL;
  ev->fresh_tail = &ev->fresh;
  bool any = one != NULL;
  while (one)
    {
      lf_live_event *next = one->next;
      one->next = NULL;
      one->accepted (one->id, failure, one->user);
      if (failure)
        drop (one);
      else if (one->gone)
        forget (one);
      else
        lf_async_accept (ev->core, &one->core, lf_now_us (), lf_fleet_reserved (one->fn->core) == 0, &ev->fx);
      one = next;
    }
  if (any)
    carry_out (ev);
}

typedef struct lf_tried
{
  bool found, ok, throttled;
} lf_tried;

static int
read_try (const lf_record *r, int64_t rowid, void *user)
{
  (void) rowid;
  lf_tried *t = user;
  t->found = true;
  t->ok = r->status == LF_ST_OK;
  t->throttled = r->status == LF_ST_THROTTLED;
  return 0;
}

/* The rows say what the dead daemon did with an event, even where it came to nothing more: how often it was tried, and whether it is done. */
static int
read_tries (lf_events *ev, lf_live_event *one, bool *ok, int *attempts, lf_error *err)
{
  *ok = false;
  *attempts = 0;
  for (;;)
    {
      char row[48];
      lf_tried t = { 0 };
      snprintf (row, sizeof row, one->tries ? "%s/%d" : "%s", one->id, one->tries + 1);
      lf_log_filter filter = { .request_id = row, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
      if (lf_store_invocations (ev->e->store, &filter, read_try, &t, NULL, err) < 0)
        return -1;
      if (!t.found)
        return 0;
      one->tries++;
      *attempts += !t.throttled;
      *ok = *ok || t.ok;
    }
}

static int
resume_one (const lf_stored_event *stored, void *user)
{
  lf_events *ev = user;
  lf_error err = { 0 };
  lf_live_fn *fn = find_stored (ev->e, stored->function);
  if (!fn)
    return 0; /* its function is not served now: it stays in the log until it is */
  lf_live_event *one = add (ev, fn, &err);
  if (!one || lf_buf_add (&one->payload, stored->payload, stored->payload_len) < 0)
    return -1;
  ev->held += one->payload.len; /* what was accepted is kept, however much it is */
  snprintf (one->id, sizeof one->id, "%s", stored->request_id);
  int64_t wall = lf_wall_us ();
  int attempts;
  bool ok;
  if (read_tries (ev, one, &ok, &attempts, &err) < 0)
    return -1;
  if (ok)
    {
      one->core.attempts = attempts;
      one->next = ev->over;
      ev->over = one;
      return 0;
    }
  return lf_async_resume (ev->core, &one->core, lf_now_us (), wall - stored->accepted_us, attempts > stored->attempts ? attempts : stored->attempts,
                          stored->due_us - wall);
}

int
lf_events_resume (lf_events *ev, lf_error *err)
{
  if (lf_store_events (ev->e->store, resume_one, ev, err) < 0)
    return -1;
  while (ev->over)
    {
      lf_live_event *one = ev->over;
      ev->over = one->next;
      done (one, LF_AS_SUCCESS);
    }
  arm (ev);
  return 0;
}

/* ---- functions that change --------------------------------------------------------------------------------------------------------- */

void
lf_events_move (lf_events *ev, lf_live_fn *from, lf_live_fn *to)
{
  for (lf_live_event *one = ev->all; one; one = one->all_next)
    if (one->fn == from && !one->gone)
      {
        one->fn = to;
        one->core.fn = &to->prep.f;
      }
}

void
lf_events_forget (lf_events *ev, const lf_live_fn *fn)
{
  for (lf_live_event *one = ev->all, *next; one; one = next)
    {
      next = one->all_next;
      if (one->fn != fn || one->gone)
        continue;
      bool waits = one->core.heap_pos > 0;
      lf_async_drop (ev->core, &one->core);
      one->gone = true;
      if (waits)
        forget (one); /* the others are told about: by the result of the try that runs, or by the commit that accepts them */
    }
  arm (ev);
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------- */

lf_events *
lf_events_new (lf_engine *e, lf_error *err)
{
  lf_events *ev = calloc (1, sizeof *ev);
  if (!ev || !(ev->core = lf_async_new (e->profile)))
    {
      free (ev);
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  ev->e = e;
  ev->fresh_tail = &ev->fresh;
  uv_timer_init (e->loop, &ev->timer);
  ev->timer.data = ev;
  return ev;
}

static void
on_closed (uv_handle_t *h)
{
  lf_events *ev = h->data;
  h->data = ev->e;
  lf_engine_handle_closed (h);
}

void
lf_events_close (lf_events *ev)
{
  uv_close ((uv_handle_t *) &ev->timer, on_closed);
}

void
lf_events_free (lf_events *ev)
{
  if (!ev)
    return;
  while (ev->all)
    drop (ev->all);
  lf_async_free (ev->core);
  free (ev->fx.v);
  free (ev);
}
