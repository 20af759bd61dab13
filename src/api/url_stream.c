/* SPDX-License-Identifier: Apache-2.0
 *
 * A function URL whose mode is RESPONSE_STREAM: bytes go to the caller as they come. A response of the type
 * application/vnd.awslambda.http-integration-response begins with its status and headers as JSON and eight NULs; any other is its body.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "url.h"

#define LF_PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
#define LF_PRELUDE_MAX ((size_t) 1 << 20)
#define LF_PRELUDE_NULS 8

/* Nothing of the function's response goes to this caller any more. The request is about to be answered, and may be gone before the call has ended. */
static lf_http_req *
let_go (lf_url_call *c)
{
  lf_http_req *r = c->req;
  c->state = LF_URLS_DEAD;
  r->user = NULL;
  c->req = NULL;
  return r;
}

/* Begins the answer; whatever else the function sends is its body. */
static void
open_answer (lf_url_call *c, lf_url_answer *a)
{
  lf_http_pair *h = NULL;
  size_t n = 0;
  if (lf_url_cors (&lf_live_fn_config (c->fn)->url, lf_http_get (c->req, "Origin"), a) < 0
      || lf_url_headers (a, lf_call_request_id (c->call), lf_call_trace_id (c->call), &h, &n) < 0)
    {
      lf_svc_reply (let_go (c), LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
      return;
    }
  c->state = LF_URLS_OPEN;
  lf_http_reply_begin (c->req, a->status, h, n);
  free (h);
}

static void
refuse (lf_url_call *c, const char *why)
{
  lf_url_reply_failed (let_go (c), c->fn, lf_call_request_id (c->call), why);
}

static int
add_type (lf_url_answer *a, const char *type)
{
  return lf_strv_add (&a->names, "content-type") < 0 || lf_strv_add (&a->values, type) < 0 ? -1 : 0;
}

static bool
has_type (const lf_url_answer *a)
{
  for (size_t i = 0; i < a->names.n; i++)
    if (strcasecmp (a->names.v[i], "content-type") == 0)
      return true;
  return false;
}

static void
open_with_prelude (lf_url_call *c, const char *json, size_t n)
{
  lf_url_answer a;
  const char *why = NULL;
  lf_url_answer_init (&a);
  if (lf_url_answer_prelude (json, n, &a, &why) < 0 || (!has_type (&a) && add_type (&a, "application/octet-stream") < 0))
    refuse (c, why);
  else
    open_answer (c, &a);
  lf_url_answer_fini (&a);
}

static void
on_begin (const lf_call *call, const char *content_type, void *user)
{
  lf_url_call *c = user;
  c->fn = lf_call_fn (call);
  if (strncasecmp (content_type, LF_PRELUDE_TYPE, sizeof LF_PRELUDE_TYPE - 1) == 0)
    {
      c->state = LF_URLS_PRELUDE;
      return;
    }
  lf_url_answer a;
  lf_url_answer_init (&a);
  if (add_type (&a, *content_type ? content_type : "application/octet-stream") == 0)
    open_answer (c, &a);
  else
    refuse (c, NULL);
  lf_url_answer_fini (&a);
}

/* More of the JSON, or its end. Returns how many bytes of the piece were not body. */
static size_t
add_prelude (lf_url_call *c, const char *p, size_t n)
{
  static const char nuls[LF_PRELUDE_NULS] = { 0 };
  size_t had = c->prelude.len, from = had < LF_PRELUDE_NULS ? 0 : had - LF_PRELUDE_NULS + 1;
  size_t room = LF_PRELUDE_MAX - had, take = n < room ? n : room;
  if (lf_buf_add (&c->prelude, p, take) < 0)
    {
      refuse (c, NULL);
      return n;
    }
  const char *end = memmem (c->prelude.data + from, c->prelude.len - from, nuls, sizeof nuls);
  if (end)
    {
      size_t json = (size_t) (end - c->prelude.data);
      open_with_prelude (c, c->prelude.data, json);
      lf_buf_fini (&c->prelude);
      return json + LF_PRELUDE_NULS - had;
    }
  if (c->prelude.len == LF_PRELUDE_MAX)
    refuse (c, "what is in front of its streamed response is too long");
  return n;
}

static bool
on_piece (const void *p, size_t n, void *user)
{
  lf_url_call *c = user;
  size_t used = c->state == LF_URLS_PRELUDE ? add_prelude (c, p, n) : 0;
  if (c->state == LF_URLS_OPEN && used < n)
    lf_http_reply_chunk (c->req, (const char *) p + used, n - used);
  return c->state == LF_URLS_DEAD || lf_http_reply_queued (c->req) < LF_STREAM_AHEAD;
}

const lf_stream_ops lf_url_stream_ops = { .begin = on_begin, .piece = on_piece };

void
lf_url_stream_drained (lf_http_req *r)
{
  lf_url_call *c = r->user;
  if (c->call)
    lf_engine_stream_resume (c->call);
}

void
lf_url_stream_end (lf_url_call *c, const lf_outcome *o)
{
  bool failed = o->error || o->function_error;
  if (c->state == LF_URLS_PRELUDE && failed)
    refuse (c, NULL);
  else if (c->state == LF_URLS_PRELUDE)
    open_with_prelude (c, c->prelude.data ? c->prelude.data : "", c->prelude.len); /* no NULs: there is no body */
  if (c->state != LF_URLS_OPEN)
    return;
  if (failed)
    lf_http_reply_abort (c->req);
  else
    lf_http_reply_end (c->req);
}
