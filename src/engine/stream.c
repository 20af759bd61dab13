/* SPDX-License-Identifier: Apache-2.0
 *
 * Responses that go to the caller while the function still makes them. Nothing is kept: when the caller does not take more, or the response
 * is faster than Lambda lets it be, the runtime's connection is not read, and the function waits in its write.
 */
#include "internal.h"

#define LF_STREAM_REFILL_MS 125 /* as AWS's emulator refills its bucket */

static void
pause_if (lf_call *c)
{
  if (c->env && c->env->face)
    c->engine->rt->pause (c->env->face, c->caller_full || c->too_fast);
}

/* ---- bandwidth ---------------------------------------------------------------------------------------------------------------------- */

/* Pieces pass as long as the bucket is not below zero; the last one may take it there. */
static void
take_tokens (lf_call *c, size_t n)
{
  lf_engine *e = c->engine;
  if (!e->profile->stream_bytes_per_s)
    return;
  c->stream_tokens -= (int64_t) n;
  if (c->stream_tokens > 0 || c->too_fast)
    return;
  c->too_fast = true;
  c->stream_filled = lf_now_us ();
  c->stream_next = e->too_fast;
  e->too_fast = c;
  if (!uv_is_active ((uv_handle_t *) &e->streamer))
    uv_timer_start (&e->streamer, lf_stream_timer, LF_STREAM_REFILL_MS, LF_STREAM_REFILL_MS);
}

void
lf_stream_timer (uv_timer_t *t)
{
  lf_engine *e = t->data;
  lf_time_us now = lf_now_us ();
  for (lf_call **at = &e->too_fast, *c; (c = *at) != NULL;)
    {
      c->stream_tokens += (now - c->stream_filled) * e->profile->stream_bytes_per_s / 1000000;
      c->stream_filled = now;
      if (c->stream_tokens <= 0)
        {
          at = &c->stream_next;
          continue;
        }
      *at = c->stream_next;
      c->too_fast = false;
      pause_if (c);
    }
  if (!e->too_fast)
    uv_timer_stop (t);
}

void
lf_stream_forget (lf_call *c)
{
  if (!c->too_fast)
    return;
  lf_call **at = &c->engine->too_fast;
  while (*at != c)
    at = &(*at)->stream_next;
  *at = c->stream_next;
  c->too_fast = false;
}

/* ---- pieces -------------------------------------------------------------------------------------------------------------------------- */

bool
lf_engine_stream_wanted (const lf_live_env *env)
{
  return env->call && env->call->stream;
}

void
lf_engine_stream_begin (lf_live_env *env, lf_str content_type)
{
  lf_call *c = env->call;
  if (!c || !c->stream)
    return;
  c->streamed = true;
  c->response_bytes = 0;
  c->stream_tokens = env->engine->profile->stream_burst_bytes;
  snprintf (c->content_type, sizeof c->content_type, "%.*s", (int) content_type.n, content_type.n ? content_type.p : "");
  c->stream->begin (c, c->content_type, c->user);
}

void
lf_engine_stream_piece (lf_live_env *env, const void *p, size_t n)
{
  lf_call *c = env->call;
  if (!c || !c->streamed)
    return;
  int64_t left = env->engine->profile->stream_max_bytes - c->response_bytes;
  c->response_bytes += (int64_t) n;
  if ((int64_t) n > left)
    n = left > 0 ? (size_t) left : 0;
  if (!c->stream || !n)
    return; /* the caller is gone, or gets no more than the limit */
  take_tokens (c, n);
  c->caller_full = !c->stream->piece (p, n, c->user);
  if (c->caller_full || c->too_fast)
    pause_if (c);
}

void
lf_engine_stream_resume (lf_call *c)
{
  if (!c->caller_full)
    return;
  c->caller_full = false;
  pause_if (c);
}
