/* SPDX-License-Identifier: Apache-2.0
 *
 * The Runtime API of one environment. It owns the protocol's state (what a runtime may send now) and translates; what an answer means
 * is the engine's. A runtime may use several connections and several waiting /next at once; an idle connection is never closed.
 */
#include <stdlib.h>
#include <string.h>

#include "lambdafit/api.h"
#include "routes.h"

/* The X-Ray cause header alone may be 1 MiB. */
#define LF_RUNTIME_HEADER_MAX ((size_t) 1 << 21)
#define LF_RUNTIME_CONNS_MAX 256
#define LF_WAITING_MAX 64

#define LF_PATH_PREFIX "/2018-06-01/runtime/"

typedef struct lf_face
{
  lf_live_env *env;
  lf_http_server *server;
  lf_rt_state state;
  lf_http_req *waiting[LF_WAITING_MAX]; /* parked /next, oldest first */
  size_t waiting_n;
  bool pending;                         /* an invocation waits for a /next */
  bool have_event;                      /* an event is being worked on: /next again gives it again */
  int64_t response_max;
  bool invocation_ids;
} lf_face;

static void
reply_error (lf_http_req *r, lf_rapi_error e, const char *from, const char *to)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_rapi_error_body (&b, e, from, to);
  lf_http_reply (r, lf_rapi_error_get (e)->status, &(lf_http_pair){ "Content-Type", "application/json" }, 1, b.data, b.len);
}

static void
reply_accepted (lf_http_req *r)
{
  lf_http_reply (r, 202, &(lf_http_pair){ "Content-Type", "application/json" }, 1, LF_RAPI_OK_BODY, sizeof LF_RAPI_OK_BODY - 1);
}

/* ---- /next ---------------------------------------------------------------------------------------------------------------------- */

static void
reply_event (lf_face *face, lf_http_req *r)
{
  const lf_call *c = lf_live_env_call (face->env);
  char deadline[24];
  snprintf (deadline, sizeof deadline, "%lld", (long long) lf_call_deadline_wall_ms (c));
  lf_http_pair h[8];
  size_t n = 0;
  h[n++] = (lf_http_pair){ "Content-Type", "application/json" };
  h[n++] = (lf_http_pair){ "Lambda-Runtime-Aws-Request-Id", lf_call_request_id (c) };
  h[n++] = (lf_http_pair){ "Lambda-Runtime-Deadline-Ms", deadline };
  h[n++] = (lf_http_pair){ "Lambda-Runtime-Invoked-Function-Arn", lf_call_arn (c) };
  h[n++] = (lf_http_pair){ "Lambda-Runtime-Trace-Id", lf_call_trace_id (c) };
  lf_str context = lf_call_client_context (c);
  if (context.n)
    h[n++] = (lf_http_pair){ "Lambda-Runtime-Client-Context", context.p };
  if (face->invocation_ids)
    h[n++] = (lf_http_pair){ "Lambda-Runtime-Invocation-Id", lf_call_invocation_id (c) };
  lf_str payload = lf_call_payload (c);
  face->pending = false;
  face->state = LF_RT_RUNNING;
  lf_http_reply (r, 200, h, n, payload.p, payload.n);
}

static void
on_next (lf_face *face, lf_http_req *r)
{
  switch (face->state)
    {
    case LF_RT_RUNNING: /* again while an event is being worked on: the same event */
      if (face->have_event && lf_live_env_call (face->env))
        {
          reply_event (face, r);
          return;
        }
      break;
    case LF_RT_INIT_ERROR:
    case LF_RT_INVOCATION_RESPONSE:
    case LF_RT_INVOCATION_ERROR_RESPONSE:
      reply_error (r, LF_RAPI_INVALID_STATE, lf_rt_state_name (face->state), "Ready");
      return;
    default:
      break;
    }
  if (face->waiting_n == LF_WAITING_MAX)
    {
      reply_error (r, LF_RAPI_INTERNAL, NULL, NULL);
      return;
    }
  bool news = face->state == LF_RT_STARTED || face->state == LF_RT_RESPONSE_SENT;
  if (face->pending)
    {
      reply_event (face, r); /* delivered while no /next was waiting: its connection had gone */
      return;
    }
  face->waiting[face->waiting_n++] = r;
  face->state = LF_RT_READY;
  if (news)
    lf_engine_next (face->env);
}

static void
face_deliver (void *f, const lf_call *call)
{
  (void) call;
  lf_face *face = f;
  face->have_event = true;
  face->pending = true;
  if (face->waiting_n == 0)
    return;
  lf_http_req *r = face->waiting[0];
  memmove (face->waiting, face->waiting + 1, --face->waiting_n * sizeof face->waiting[0]);
  reply_event (face, r);
}

/* ---- /response and /error --------------------------------------------------------------------------------------------------------- */

/* The id is checked before the state, as Lambda does. It is right from the event's delivery until the next /next, so that a second answer
 * is refused for the state and not for the id. True when the route may go on. */
static bool
check_id (lf_face *face, lf_http_req *r, lf_str id)
{
  const lf_call *c = face->have_event || face->state == LF_RT_RESPONSE_SENT ? lf_live_env_call (face->env) : NULL;
  lf_str nonce = lf_http_get (r, "Lambda-Runtime-Invocation-Id");
  if (face->invocation_ids && nonce.n && (!c || !lf_str_eq (nonce, lf_call_invocation_id (c))))
    {
      reply_error (r, LF_RAPI_STALE_INVOCATION, NULL, NULL);
      return false;
    }
  if (!c || !lf_str_eq (id, lf_call_request_id (c)))
    {
      reply_error (r, LF_RAPI_INVALID_REQUEST_ID, NULL, NULL);
      return false;
    }
  return true;
}

static void
on_response (lf_face *face, lf_http_req *r, lf_str id)
{
  if (!check_id (face, r, id))
    return;
  if (face->state != LF_RT_RUNNING)
    {
      reply_error (r, LF_RAPI_INVALID_STATE, lf_rt_state_name (face->state), "InvocationResponse");
      return;
    }
  lf_str mode = lf_http_get (r, "Lambda-Runtime-Function-Response-Mode");
  if (lf_http_has (r, "Lambda-Runtime-Function-Response-Mode") && !lf_str_eq (mode, "streaming"))
    {
      reply_error (r, LF_RAPI_INVALID_RESPONSE_MODE, NULL, NULL);
      return;
    }
  if (r->too_large || (int64_t) r->body.len > face->response_max)
    {
      int64_t bytes = r->too_large ? r->body_seen : (int64_t) r->body.len;
      face->state = LF_RT_RESPONSE_SENT;
      face->have_event = false;
      reply_error (r, LF_RAPI_TOO_LARGE, NULL, NULL);
      lf_engine_response_too_large (face->env, bytes);
      return;
    }
  face->state = LF_RT_RESPONSE_SENT;
  face->have_event = false;
  lf_buf body = r->body;
  lf_buf_init (&r->body, 0);
  /* A stream that broke says so after its body: what was sent before is dropped for the error, as a buffered caller sees it. */
  lf_str broke = lf_http_trailer (r, "Lambda-Runtime-Function-Error-Body");
  lf_str broke_type = lf_http_trailer (r, "Lambda-Runtime-Function-Error-Type");
  char type_copy[128], content_copy[128];
  snprintf (type_copy, sizeof type_copy, "%.*s", (int) broke_type.n, broke_type.n ? broke_type.p : "");
  lf_str content = lf_http_get (r, "Content-Type");
  snprintf (content_copy, sizeof content_copy, "%.*s", (int) content.n, content.n ? content.p : "");
  bool error = broke_type.n > 0;
  if (error)
    {
      lf_buf_reset (&body);
      if (lf_base64_decode (broke.p, broke.n, &body) < 0 || body.len == 0)
        {
          lf_buf_reset (&body);
          lf_buf_adds (&body, "{\"errorType\":");
          lf_buf_add_json_str (&body, type_copy, strlen (type_copy));
          lf_buf_addc (&body, '}');
        }
    }
  reply_accepted (r);
  lf_engine_response (face->env, &body, error, (lf_str){ content_copy, strlen (content_copy) }, (lf_str){ type_copy, strlen (type_copy) });
  lf_buf_fini (&body);
}

/* The X-Ray form of an error carries the cause too; the caller gets the three plain fields. */
static void
strip_cause (lf_buf *body)
{
  lf_error ignored = { 0 };
  struct cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_parse (body->data, body->len, "error body", &ignored);
  lf_buf out;
  lf_buf_init (&out, 0);
  if (!o || lf_api_error_fields (o, &out) < 0)
    {
      lf_buf_reset (&out);
      lf_buf_adds (&out, "\"Invalid error body\"");
    }
  lf_buf_fini (body);
  *body = out;
}

static void
on_error (lf_face *face, lf_http_req *r, lf_str id)
{
  if (!check_id (face, r, id))
    return;
  if (face->state != LF_RT_RUNNING)
    {
      reply_error (r, LF_RAPI_INVALID_STATE, lf_rt_state_name (face->state), "InvocationErrorResponse");
      return;
    }
  face->state = LF_RT_RESPONSE_SENT;
  face->have_event = false;
  if (r->too_large)
    {
      int64_t bytes = r->body_seen;
      reply_error (r, LF_RAPI_TOO_LARGE, NULL, NULL);
      lf_engine_response_too_large (face->env, bytes);
      return;
    }
  lf_buf body = r->body;
  lf_buf_init (&r->body, 0);
  if (lf_str_eq (lf_http_get (r, "Content-Type"), "application/vnd.aws.lambda.error.cause+json"))
    strip_cause (&body);
  reply_accepted (r);
  lf_engine_response (face->env, &body, true, (lf_str){ "application/json", 16 }, (lf_str){ NULL, 0 });
  lf_buf_fini (&body);
}

static void
on_init_error (lf_face *face, lf_http_req *r)
{
  if (face->state != LF_RT_STARTED)
    {
      reply_error (r, LF_RAPI_INVALID_STATE, lf_rt_state_name (face->state), "InitError");
      return;
    }
  face->state = LF_RT_INIT_ERROR;
  char type[128];
  lf_str given = lf_http_get (r, "Lambda-Runtime-Function-Error-Type");
  lf_fatal_error_type (given.p, given.n, type);
  lf_buf body = r->body;
  lf_buf_init (&r->body, 0);
  reply_accepted (r);
  lf_engine_init_error (face->env, &body, (lf_str){ type, strlen (type) });
  lf_buf_fini (&body);
}

/* ---- routes -------------------------------------------------------------------------------------------------------------------------- */

static bool
method_is (lf_http_req *r, const char *method)
{
  if (lf_str_eq (r->method, method))
    return true;
  lf_http_reply (r, 405, &(lf_http_pair){ "Allow", method }, 1, NULL, 0);
  return false;
}

static void
not_found (lf_http_req *r)
{
  lf_http_pair h[] = { { "Content-Type", "text/plain; charset=utf-8" }, { "X-Content-Type-Options", "nosniff" } };
  lf_http_reply (r, 404, h, 2, "404 page not found\n", 19);
}

/* SIGTERM support of the Go and Rust clients registers an internal extension that subscribes to nothing; it then waits for ever. */
static void
on_extension (lf_face *face, lf_http_req *r, lf_str rest)
{
  if (lf_str_eq (rest, "register") && method_is (r, "POST"))
    {
      const lf_function *f = lf_live_env_function (face->env);
      char id[37];
      lf_uuid4 (id);
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      lf_buf_adds (&b, "{\"functionName\":");
      lf_buf_add_json_str (&b, f->name, strlen (f->name));
      lf_buf_adds (&b, ",\"functionVersion\":");
      lf_buf_add_json_str (&b, f->version, strlen (f->version));
      lf_buf_adds (&b, ",\"handler\":");
      lf_buf_add_json_str (&b, f->handler ? f->handler : "", f->handler ? strlen (f->handler) : 0);
      lf_buf_addc (&b, '}');
      lf_http_pair h[] = { { "Content-Type", "application/json" }, { "Lambda-Extension-Identifier", id } };
      lf_http_reply (r, 200, h, 2, b.data, b.len);
    }
  else if (lf_str_eq (rest, "event/next") && method_is (r, "GET"))
    r->user = NULL; /* held open until the environment ends */
  else if (!lf_str_eq (rest, "register") && !lf_str_eq (rest, "event/next"))
    not_found (r);
}

static void
on_request (lf_http_req *r, void *user)
{
  lf_face *face = user;
  lf_str path = r->path, rest;
  if (lf_str_skip (path, "/2020-01-01/extension/", &rest))
    on_extension (face, r, rest);
  else if (lf_str_eq (path, LF_PATH_PREFIX "invocation/next"))
    {
      if (method_is (r, "GET"))
        on_next (face, r);
    }
  else if (lf_str_eq (path, LF_PATH_PREFIX "init/error"))
    {
      if (method_is (r, "POST"))
        on_init_error (face, r);
    }
  else if (lf_str_eq (path, "/2018-06-01/ping") || lf_str_eq (path, "/ping"))
    {
      if (method_is (r, "GET"))
        lf_http_reply (r, 200, &(lf_http_pair){ "Content-Type", "text/plain; charset=utf-8" }, 1, "pong", 4);
    }
  else if (lf_str_skip (path, LF_PATH_PREFIX "invocation/", &rest))
    {
      const char *slash = memchr (rest.p, '/', rest.n);
      lf_str id = { rest.p, slash ? (size_t) (slash - rest.p) : rest.n };
      lf_str verb = slash ? (lf_str){ slash + 1, rest.n - id.n - 1 } : (lf_str){ "", 0 };
      if (lf_str_eq (verb, "response"))
        {
          if (method_is (r, "POST"))
            on_response (face, r, id);
        }
      else if (lf_str_eq (verb, "error"))
        {
          if (method_is (r, "POST"))
            on_error (face, r, id);
        }
      else
        not_found (r);
    }
  else
    not_found (r);
}

/* What was sent is not the runtime's whole answer, and it may try again. */
static void
on_truncated (lf_http_req *r, void *user)
{
  (void) user;
  reply_error (r, LF_RAPI_TRUNCATED, NULL, NULL);
}

static void
on_gone (lf_http_req *r, void *user)
{
  lf_face *face = user;
  for (size_t i = 0; i < face->waiting_n; i++)
    if (face->waiting[i] == r)
      {
        memmove (face->waiting + i, face->waiting + i + 1, (--face->waiting_n - i) * sizeof face->waiting[0]);
        return;
      }
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

static void *
face_open (lf_live_env *env, int fd, int *port, lf_error *err)
{
  lf_face *face = calloc (1, sizeof *face);
  if (!face)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  const lf_profile *p = lf_engine_profile (lf_live_env_engine (env));
  face->env = env;
  face->response_max = p->response_max_bytes;
  face->invocation_ids = p->invocation_id != 0;
  face->server = lf_http_server_new (&(lf_http_server_options){ .loop = lf_engine_loop (lf_live_env_engine (env)),
                                                                .header_max = LF_RUNTIME_HEADER_MAX,
                                                                .body_max = p->response_max_bytes,
                                                                .conns_max = LF_RUNTIME_CONNS_MAX,
                                                                .user = face,
                                                                .on_request = on_request,
                                                                .on_gone = on_gone,
                                                                .on_truncated = on_truncated },
                                     err);
  if (!face->server || (fd >= 0 ? lf_http_listen_fd (face->server, fd, err) : lf_http_listen (face->server, "127.0.0.1", port, err)) < 0)
    {
      if (face->server)
        lf_http_server_close (face->server);
      free (face);
      return NULL;
    }
  return face;
}

static void
face_drop (void *f)
{
  lf_face *face = f;
  face->waiting_n = 0;
  face->state = LF_RT_STARTED;
  face->pending = face->have_event = false;
  lf_http_server_drop (face->server);
}

static void
face_revoke (void *f)
{
  lf_face *face = f;
  face->pending = face->have_event = false;
}

static void
face_close (void *f)
{
  lf_face *face = f;
  lf_http_server_close (face->server);
  free (face);
}

const lf_rt_ops lf_api_runtime = { .open = face_open, .deliver = face_deliver, .drop = face_drop, .close = face_close, .revoke = face_revoke };
