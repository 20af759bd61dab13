/* SPDX-License-Identifier: Apache-2.0
 *
 * The Invoke API: POST /2015-03-31/functions/NAME/invocations, as the AWS command line, boto3 and the JavaScript SDK call it. Signatures
 * are not checked. The path is split before it is decoded, since an ARN arrives percent-encoded.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "invoke.h"

/* ---- answers -------------------------------------------------------------------------------------------------------------------- */

void
lf_svc_reply (lf_http_req *r, lf_svc_error e, const char *request_id, const char *reason, int64_t retry_after_ms, const char *text)
{
  const lf_svc_error_info *info = lf_svc_error_get (e);
  char own[37], retry[24];
  if (!request_id)
    {
      lf_uuid4 (own);
      request_id = own;
    }
  lf_http_pair h[6];
  size_t n = 0;
  h[n++] = (lf_http_pair){ "Content-Type", "application/json" };
  h[n++] = (lf_http_pair){ "x-amzn-RequestId", request_id };
  h[n++] = (lf_http_pair){ "x-amzn-ErrorType", info->name };
  if (retry_after_ms > 0)
    {
      snprintf (retry, sizeof retry, "%lld", (long long) ((retry_after_ms + 999) / 1000));
      h[n++] = (lf_http_pair){ "Retry-After", retry };
    }
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_svc_error_body (&b, e, reason, text);
  lf_http_reply (r, info->status, h, n, b.data, b.len);
}

typedef struct lf_pending
{
  lf_waiting waiting;
  lf_http_req *req;
  lf_call *call;
  bool tail, old_form, stream, begun; /* begun: a part of the stream is out */
  lf_svc_error reject;      /* for a refused request */
  char text[512];
} lf_pending;

/* The form in which the answer carries it: "root=1-...;sampled=0", whatever else the caller's had. */
static void
trace_for_caller (const char *trace, char out[160])
{
  size_t n = 0;
  char sampled = '0';
  out[0] = 0;
  for (const char *p = trace; *p;)
    {
      size_t len = strcspn (p, ";");
      if (len > 5 && len < 100 && strncasecmp (p, "root=", 5) == 0)
        {
          memcpy (out, "root=", 5);
          memcpy (out + 5, p + 5, len - 5);
          n = len;
        }
      else if (len == 9 && strncasecmp (p, "sampled=", 8) == 0 && p[8] == '1')
        sampled = '1';
      p += len + (p[len] == ';');
    }
  if (n)
    {
      memcpy (out + n, ";sampled=0", 11);
      out[n + 9] = sampled;
    }
}

static void
reply_result (lf_http_req *r, const lf_outcome *o, bool tail)
{
  lf_http_pair h[8];
  size_t n = 0;
  lf_buf log LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&log, 0);
  h[n++] = (lf_http_pair){ "Content-Type", "application/json" };
  h[n++] = (lf_http_pair){ "x-amzn-RequestId", o->request_id };
  h[n++] = (lf_http_pair){ "x-amzn-Remapped-Content-Length", "0" };
  h[n++] = (lf_http_pair){ "X-Amz-Executed-Version", o->version };
  if (o->function_error)
    h[n++] = (lf_http_pair){ "X-Amz-Function-Error", "Unhandled" };
  if (tail && lf_buf_add_base64 (&log, o->log_tail, o->log_tail_len) == 0)
    h[n++] = (lf_http_pair){ "X-Amz-Log-Result", log.data ? log.data : "" };
  char trace[160];
  trace_for_caller (o->trace_id ? o->trace_id : "", trace);
  if (trace[0])
    h[n++] = (lf_http_pair){ "X-Amzn-Trace-Id", trace };
  lf_http_reply (r, 200, h, n, o->body, o->body_len);
}

static void gone (lf_http_req *r);

static lf_pending *
pending_new (lf_http_req *r)
{
  lf_pending *p = calloc (1, sizeof *p);
  if (!p)
    {
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
      return NULL;
    }
  p->waiting.gone = gone;
  p->req = r;
  r->user = p;
  return p;
}

/* ---- streams ------------------------------------------------------------------------------------------------------------------------ */

static void
on_stream_begin (const lf_call *c, const char *content_type, void *user)
{
  lf_pending *p = user;
  char trace[160];
  trace_for_caller (lf_call_trace_id (c), trace);
  p->begun = true;
  lf_stream_begin (p->req, lf_call_request_id (c), lf_call_version (c), content_type, trace);
}

static bool
on_stream_piece (const void *piece, size_t n, void *user)
{
  lf_pending *p = user;
  lf_stream_chunk (p->req, piece, n);
  return lf_http_reply_queued (p->req) < LF_STREAM_AHEAD;
}

static void
on_drained (lf_http_req *r)
{
  lf_pending *p = r->user;
  if (p->call)
    lf_engine_stream_resume (p->call);
}

static const lf_stream_ops stream_ops = { .begin = on_stream_begin, .piece = on_stream_piece };

static void
end_stream (lf_pending *p, const lf_outcome *o)
{
  char trace[160];
  trace_for_caller (o->trace_id ? o->trace_id : "", trace);
  if (!p->begun)
    lf_stream_begin (p->req, o->request_id, o->version, o->content_type, trace);
  if (o->error)
    {
      lf_stream_fail (p->req, o->error->why);
      return;
    }
  if (!o->streamed && !o->function_error)
    lf_stream_chunk (p->req, o->body, o->body_len);
  lf_stream_end (p->req, o, p->tail);
}

/* ---- the outcome -------------------------------------------------------------------------------------------------------------------- */

static void
on_done (const lf_outcome *o, void *user)
{
  lf_pending *p = user;
  lf_http_req *r = p->req;
  r->user = NULL;
  if (p->begun)
    end_stream (p, o);
  else if (o->error)
    {
      char text[700];
      snprintf (text, sizeof text, "%.150s: %.500s", o->error->what, o->error->why);
      lf_svc_reply (r, LF_SVC_SERVICE, o->request_id, NULL, 0, text);
    }
  else if (o->status == LF_ST_REJECTED)
    lf_svc_reply (r, p->reject, o->request_id, NULL, 0, p->text);
  else if (o->status == LF_ST_THROTTLED)
    lf_svc_reply (r, LF_SVC_TOO_MANY_REQUESTS, o->request_id, o->throttle_reason, o->retry_after_ms, NULL);
  else if (p->stream)
    end_stream (p, o);
  else
    reply_result (r, o, p->tail);
  free (p);
}

/* ---- one invocation --------------------------------------------------------------------------------------------------------------- */

typedef enum { LF_INVOKE_SYNC, LF_INVOKE_EVENT, LF_INVOKE_DRY } lf_invoke_type;

typedef struct lf_invoke_request
{
  lf_live_fn *fn;
  char *qualifier; /* owned, or NULL */
  lf_invoke_type type;
  bool tail, old_form, stream; /* old_form: InvokeAsync; stream: InvokeWithResponseStream */
} lf_invoke_request;

static void
reject (lf_http_req *r, const lf_invoke_request *q, lf_svc_error e, const char *text, int64_t bytes)
{
  lf_engine *engine = lf_live_fn_engine (q->fn);
  lf_pending *p = pending_new (r);
  lf_error err;
  lf_error_none (&err);
  if (!p)
    return;
  p->reject = e;
  snprintf (p->text, sizeof p->text, "%s", text);
  p->call = lf_engine_reject (engine, q->fn, bytes, q->type == LF_INVOKE_EVENT, lf_svc_error_get (e)->name, text, on_done, p, &err);
  if (!p->call)
    {
      r->user = NULL;
      free (p);
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, err.why);
    }
}

static bool
check_json (lf_http_req *r, const lf_invoke_request *q)
{
  lf_json_problem problem;
  if (r->body.len == 0)
    return lf_buf_adds (&r->body, "{}") == 0; /* what AWS hands the function for no payload */
  if (lf_json_validate (r->body.data, r->body.len, &problem) == 0)
    return true;
  char text[512];
  snprintf (text, sizeof text,
            "Could not parse request body into json: Could not parse payload into json: %s\n at [Source: REDACTED "
            "(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]",
            problem.reason, problem.line, problem.column);
  reject (r, q, LF_SVC_INVALID_REQUEST_CONTENT, text, (int64_t) r->body.len);
  return false;
}

/* X-Amz-Client-Context: base64 of JSON. False when it was refused. */
static bool
read_context (lf_http_req *r, const lf_invoke_request *q, lf_buf *out)
{
  lf_str v = lf_http_get (r, "X-Amz-Client-Context");
  const lf_profile *p = lf_engine_profile (lf_live_fn_engine (q->fn));
  const char *why = NULL;
  lf_json_problem problem;
  if (!v.n)
    return true;
  if ((int64_t) v.n > p->client_context_max_bytes)
    why = "Client context must be at most 3583 bytes of base64";
  else if (lf_base64_decode (v.p, v.n, out) < 0 || lf_json_validate (out->data ? out->data : "", out->len, &problem) < 0)
    why = "Client context must be a valid Base64-encoded JSON object.";
  if (why)
    reject (r, q, LF_SVC_INVALID_REQUEST_CONTENT, why, (int64_t) r->body.len);
  return !why;
}

static void
invoke_sync (lf_http_req *r, const lf_invoke_request *q)
{
  lf_buf context LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&context, 0);
  if (!read_context (r, q, &context))
    return;
  /* A header value may not hold a line break; JSON may, between its tokens. */
  for (size_t i = 0; i < context.len; i++)
    if (context.data[i] == '\n' || context.data[i] == '\r')
      context.data[i] = ' ';
  lf_pending *p = pending_new (r);
  lf_error err;
  lf_error_none (&err);
  if (!p)
    return;
  p->tail = q->tail;
  p->stream = q->stream;
  p->waiting.drained = on_drained;
  lf_call_options o = { .payload = &r->body, .client_context = { context.data, context.len }, .trace_id = lf_http_get (r, "X-Amzn-Trace-Id"),
                        .qualifier = q->qualifier, .want_tail = q->tail, .sync = true, .stream = q->stream ? &stream_ops : NULL,
                        .done = on_done, .user = p };
  p->call = lf_engine_call (lf_live_fn_engine (q->fn), q->fn, &o, &err);
  if (!p->call)
    {
      r->user = NULL;
      free (p);
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, err.why);
    }
}

/* InvokeAsync, which is older than Invoke, has a body. */
static void
reply_accepted (lf_http_req *r, const char *request_id, bool old_form)
{
  static const char old_body[] = "{\"Status\":202}";
  lf_http_pair h[] = { { "x-amzn-RequestId", request_id }, { "x-amzn-Remapped-Content-Length", "0" }, { "Content-Type", "application/json" } };
  lf_http_reply (r, 202, h, old_form ? 3 : 2, old_form ? old_body : NULL, old_form ? sizeof old_body - 1 : 0);
}

/* The event is in the log's queue: only now is it accepted. */
static void
on_accepted (const char *request_id, const lf_error *failure, void *user)
{
  lf_pending *p = user;
  if (p->req)
    {
      p->req->user = NULL;
      if (failure)
        lf_svc_reply (p->req, LF_SVC_SERVICE, request_id, NULL, 0, failure->why);
      else
        reply_accepted (p->req, request_id, p->old_form);
    }
  free (p);
}

static void
invoke_event (lf_http_req *r, const lf_invoke_request *q)
{
  if (lf_engine_events_full (lf_live_fn_engine (q->fn), r->body.len))
    {
      lf_svc_reply (r, LF_SVC_TOO_MANY_REQUESTS, NULL, "CallerRateLimitExceeded", 1000, NULL);
      return;
    }
  lf_pending *p = pending_new (r);
  lf_error err;
  lf_error_none (&err);
  if (!p)
    return;
  p->old_form = q->old_form;
  if (lf_engine_event_accept (lf_live_fn_engine (q->fn), q->fn, &r->body, on_accepted, p, &err) < 0)
    {
      r->user = NULL;
      free (p);
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, err.why);
    }
}

/* The payload limit of InvokeAsync was never raised. */
#define LF_OLD_ASYNC_MAX 262144

static int64_t
payload_max (const lf_invoke_request *q)
{
  const lf_profile *p = lf_engine_profile (lf_live_fn_engine (q->fn));
  if (q->type != LF_INVOKE_EVENT)
    return p->request_max_bytes;
  return q->old_form && p->async_request_max_bytes > LF_OLD_ASYNC_MAX ? LF_OLD_ASYNC_MAX : p->async_request_max_bytes;
}

static void
too_large (lf_http_req *r, const lf_invoke_request *q)
{
  char text[160];
  snprintf (text, sizeof text, "Request must be smaller than %lld bytes for the %s operation", (long long) payload_max (q),
            q->old_form ? "InvokeAsync" : q->stream ? "InvokeWithResponseStream" : "InvokeFunction");
  reject (r, q, LF_SVC_REQUEST_TOO_LARGE, text, r->too_large ? r->body_seen : (int64_t) r->body.len);
}

static bool
not_in_set (lf_http_req *r, lf_str value, const char *member, const char *set)
{
  char text[256];
  snprintf (text, sizeof text,
            "1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %s",
            (int) (value.n < 64 ? value.n : 64), value.p, member, set);
  lf_svc_reply (r, LF_SVC_VALIDATION, NULL, NULL, 0, text);
  return false;
}

static bool
read_log_type (lf_http_req *r, lf_invoke_request *q)
{
  lf_str type = lf_http_get (r, "X-Amz-Log-Type");
  bool tail = lf_str_eq (type, "Tail");
  if (type.n && !tail && !lf_str_eq (type, "None"))
    return not_in_set (r, type, "logType", "[None, Tail]");
  q->tail = tail && q->type == LF_INVOKE_SYNC;
  return true;
}

static bool
read_type (lf_http_req *r, lf_invoke_request *q)
{
  lf_str type = lf_http_get (r, "X-Amz-Invocation-Type");
  if (!type.n || lf_str_eq (type, "RequestResponse"))
    q->type = LF_INVOKE_SYNC;
  else if (lf_str_eq (type, "Event") && !q->stream)
    q->type = LF_INVOKE_EVENT;
  else if (lf_str_eq (type, "DryRun"))
    q->type = LF_INVOKE_DRY;
  else
    return not_in_set (r, type, "invocationType", q->stream ? "[RequestResponse, DryRun]" : "[Event, RequestResponse, DryRun]");
  return read_log_type (r, q);
}

static void
route (lf_http_req *r, lf_invoke_request *q)
{
  if (r->too_large || (int64_t) r->body.len > payload_max (q))
    {
      too_large (r, q);
      return;
    }
  if (!check_json (r, q))
    return;
  char id[37];
  switch (q->type)
    {
    case LF_INVOKE_SYNC:
      invoke_sync (r, q);
      break;
    case LF_INVOKE_EVENT:
      invoke_event (r, q);
      break;
    case LF_INVOKE_DRY:
      lf_uuid4 (id);
      lf_http_reply (r, 204, &(lf_http_pair){ "x-amzn-RequestId", id }, 1, NULL, 0);
      break;
    }
}

void
lf_invoke_route (lf_http_req *r, lf_live_fn *fn, const char *qualifier)
{
  lf_invoke_request q = { .fn = fn, .qualifier = (char *) qualifier };
  if (read_type (r, &q))
    route (r, &q);
}

void
lf_invoke_stream_route (lf_http_req *r, lf_live_fn *fn, const char *qualifier)
{
  lf_invoke_request q = { .fn = fn, .qualifier = (char *) qualifier, .stream = true };
  if (read_type (r, &q))
    route (r, &q);
}

void
lf_invoke_async_route (lf_http_req *r, lf_live_fn *fn)
{
  lf_invoke_request q = { .fn = fn, .type = LF_INVOKE_EVENT, .old_form = true };
  route (r, &q);
}

/* The caller closed its connection; the invocation goes on, as on Lambda. */
static void
gone (lf_http_req *r)
{
  lf_pending *p = r->user;
  r->user = NULL;
  if (!p->call)
    {
      p->req = NULL; /* an event being accepted: it stays accepted */
      return;
    }
  lf_engine_forget (p->call);
  free (p);
}
