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
#define LF_RUNTIME_HELD_MAX ((size_t) 64 << 20) /* of requests that are being read */
#define LF_WAITING_MAX 64

#define LF_PATH_PREFIX "/2018-06-01/runtime/"

typedef struct lf_face
{
  lf_live_env *env;
  lf_http_server *server;
  lf_rt_state state;
  lf_http_req *waiting[LF_WAITING_MAX]; /* parked /next, oldest first */
  lf_http_req *answered;                /* a response or error taken, told so after its caller is */
  size_t waiting_n;
  bool pending;                         /* an invocation waits for a /next */
  bool have_event;                      /* an event is being worked on: /next again gives it again */
  lf_http_req *streaming;               /* the /response that is passed on while it comes */
  bool stream_broke;                    /* its connection ended in the middle of it */
  int64_t response_max, stream_max;
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

/* A stream whose end never came: what was sent before it broke is with the caller already. */
static void
stream_truncated (lf_face *face)
{
  static const char type[] = "Runtime.TruncatedResponse";
  lf_buf body LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&body, 0);
  lf_buf_addf (&body, "{\"errorType\":\"%s\",\"errorMessage\":\"The streamed response ended before it was whole\"}", type);
  face->stream_broke = face->have_event = false;
  face->streaming = NULL;
  face->state = LF_RT_RESPONSE_SENT;
  lf_engine_response (face->env, &body, true, (lf_str){ NULL, 0 }, (lf_str){ type, sizeof type - 1 });
}

/* A /next that overtook the end of its stream. */
static void
next_after_stream (lf_face *face)
{
  if (face->waiting_n == 0 || face->state != LF_RT_RESPONSE_SENT)
    return;
  face->state = LF_RT_READY;
  lf_engine_next (face->env);
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
    case LF_RT_INVOCATION_RESPONSE:
      if (face->stream_broke)
        {
          stream_truncated (face);
          break;
        }
      if (face->streaming && face->waiting_n < LF_WAITING_MAX)
        {
          face->waiting[face->waiting_n++] = r; /* by another connection, whose bytes came first: the stream ends before it */
          return;
        }
      /* fall through */
    case LF_RT_INIT_ERROR:
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
  if (!news)
    return;
  lf_engine_left_behind (face->env, lf_http_get (r, "Lambdafit-Left-Behind"));
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
id_is_right (lf_face *face, lf_http_req *r, lf_str id, lf_rapi_error *what)
{
  const lf_call *c = face->have_event || face->state == LF_RT_RESPONSE_SENT ? lf_live_env_call (face->env) : NULL;
  lf_str nonce = lf_http_get (r, "Lambda-Runtime-Invocation-Id");
  if (face->invocation_ids && nonce.n && (!c || !lf_str_eq (nonce, lf_call_invocation_id (c))))
    *what = LF_RAPI_STALE_INVOCATION;
  else if (!c || !lf_str_eq (id, lf_call_request_id (c)))
    *what = LF_RAPI_INVALID_REQUEST_ID;
  else
    return true;
  return false;
}

static bool
check_id (lf_face *face, lf_http_req *r, lf_str id)
{
  lf_rapi_error what;
  if (id_is_right (face, r, id, &what))
    return true;
  reply_error (r, what, NULL, NULL);
  return false;
}

/* ---- a response in pieces ----------------------------------------------------------------------------------------------------------- */

/* Whether a body may be as long as a stream is known before it comes: from the mode, or from trailers, which Go's client announces without
 * naming the mode. */
static bool
is_long (const lf_http_req *r)
{
  return lf_str_eq (lf_http_get (r, "Lambda-Runtime-Function-Response-Mode"), "streaming") || lf_http_has (r, "Trailer");
}

/* The headers of a /response are here: pass its body on as it comes, if its caller takes it so. What is wrong with it is said at its end. */
static void
stream_begin (lf_face *face, lf_http_req *r, lf_str id)
{
  lf_rapi_error what;
  lf_str mode = lf_http_get (r, "Lambda-Runtime-Function-Response-Mode");
  if (face->state != LF_RT_RUNNING || !id_is_right (face, r, id, &what) || (mode.n && !lf_str_eq (mode, "streaming")) || !lf_engine_stream_wanted (face->env))
    return;
  r->stream = true;
  r->body_limit = is_long (r) ? face->stream_max : face->response_max;
  face->streaming = r;
  face->state = LF_RT_INVOCATION_RESPONSE;
  lf_engine_stream_begin (face->env, lf_http_get (r, "Content-Type"));
}

static void
on_body (lf_http_req *r, void *user)
{
  lf_face *face = user;
  if (face->streaming == r && face->have_event)
    lf_engine_stream_piece (face->env, r->body.data, r->body.len);
}

static void
face_pause (void *f, bool stop)
{
  lf_face *face = f;
  if (face->streaming)
    lf_http_pause (face->streaming, stop);
}

/* The error that trailers tell of, as the JSON that the caller gets; false when there is none. */
static bool
broken_stream (const lf_http_req *r, lf_buf *body, char type[128])
{
  lf_str text = lf_http_trailer (r, "Lambda-Runtime-Function-Error-Body"), name = lf_http_trailer (r, "Lambda-Runtime-Function-Error-Type");
  lf_str_copy (type, 128, name);
  if (!name.n)
    return false;
  lf_buf_reset (body);
  if (lf_base64_decode (text.p, text.n, body) == 0 && body->len > 0)
    return true;
  lf_buf_reset (body);
  lf_buf_adds (body, "{\"errorType\":");
  lf_buf_add_json_str (body, type, strlen (type));
  lf_buf_addc (body, '}');
  return true;
}

/* What was kept of the body outlives the answer to the runtime: the engine looks at it. */
static void
too_large (lf_face *face, lf_http_req *r, int64_t bytes)
{
  lf_buf kept LF_CLEANUP (lf_buf_fini) = r->body;
  lf_buf_init (&r->body, 0);
  reply_error (r, LF_RAPI_TOO_LARGE, NULL, NULL);
  lf_engine_response_too_large (face->env, (lf_str){ kept.data, kept.len }, bytes);
}

static void
stream_end (lf_face *face, lf_http_req *r)
{
  char type[128], content[128];
  lf_buf body LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&body, 0);
  face->streaming = NULL;
  if (!face->have_event)
    {
      reply_error (r, LF_RAPI_INVALID_REQUEST_ID, NULL, NULL); /* its invocation has ended meanwhile */
      return;
    }
  face->state = LF_RT_RESPONSE_SENT;
  face->have_event = false;
  if (r->too_large)
    {
      int64_t bytes = r->body_seen;
      reply_error (r, LF_RAPI_TOO_LARGE, NULL, NULL);
      lf_engine_response_too_large (face->env, (lf_str){ NULL, 0 }, bytes);
      next_after_stream (face);
      return;
    }
  bool error = broken_stream (r, &body, type);
  lf_str given = lf_http_get (r, "Content-Type");
  lf_str_copy (content, sizeof content, given);
  reply_accepted (r);
  lf_engine_response (face->env, &body, error, (lf_str){ content, strlen (content) }, (lf_str){ type, strlen (type) });
  next_after_stream (face);
}

static void
on_response (lf_face *face, lf_http_req *r, lf_str id)
{
  if (face->streaming == r)
    {
      stream_end (face, r);
      return;
    }
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
      too_large (face, r, bytes);
      return;
    }
  face->state = LF_RT_RESPONSE_SENT;
  face->have_event = false;
  lf_buf body = r->body;
  lf_buf_init (&r->body, 0);
  /* A stream that broke says so after its body: what was sent before is dropped for the error, as a buffered caller sees it. */
  char type_copy[128], content_copy[128];
  lf_str content = lf_http_get (r, "Content-Type");
  lf_str_copy (content_copy, sizeof content_copy, content);
  bool error = broken_stream (r, &body, type_copy);
  face->answered = r;
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
      too_large (face, r, r->body_seen);
      return;
    }
  lf_buf body = r->body;
  lf_buf_init (&r->body, 0);
  if (lf_str_eq (lf_http_get (r, "Content-Type"), "application/vnd.aws.lambda.error.cause+json"))
    strip_cause (&body);
  face->answered = r;
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

/* "ID/VERB" behind the prefix. */
static bool
split_invocation (lf_str path, lf_str *id, lf_str *verb)
{
  lf_str rest;
  if (!lf_str_skip (path, LF_PATH_PREFIX "invocation/", &rest))
    return false;
  const char *slash = memchr (rest.p, '/', rest.n);
  *id = (lf_str){ rest.p, slash ? (size_t) (slash - rest.p) : rest.n };
  *verb = slash ? (lf_str){ slash + 1, rest.n - id->n - 1 } : (lf_str){ "", 0 };
  return true;
}

static void
on_headers (lf_http_req *r, void *user)
{
  lf_str id, verb;
  if (lf_str_eq (r->method, "POST") && split_invocation (r->path, &id, &verb) && lf_str_eq (verb, "response"))
    stream_begin (user, r, id);
}

static void
on_request (lf_http_req *r, void *user)
{
  lf_face *face = user;
  lf_str path = r->path, rest, id, verb;
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
  else if (split_invocation (path, &id, &verb))
    {
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

/* The connection of a stream ended in the middle of it. Its process may have died, which is told in a moment, and says more; if it lives, it
 * will ask for its next event. */
static void
stream_ended (lf_face *face, const lf_http_req *r)
{
  if (face->streaming != r)
    return;
  face->streaming = NULL;
  face->stream_broke = face->have_event;
  if (face->stream_broke && face->waiting_n > 0)
    {
      stream_truncated (face);
      next_after_stream (face);
    }
}

/* What was sent is not the runtime's whole answer, and it may try again. */
static void
on_truncated (lf_http_req *r, void *user)
{
  lf_face *face = user;
  reply_error (r, LF_RAPI_TRUNCATED, NULL, NULL);
  stream_ended (face, r);
}

static void
on_gone (lf_http_req *r, void *user)
{
  lf_face *face = user;
  stream_ended (face, r);
  if (face->answered == r)
    face->answered = NULL;
  for (size_t i = 0; i < face->waiting_n; i++)
    if (face->waiting[i] == r)
      {
        memmove (face->waiting + i, face->waiting + i + 1, (--face->waiting_n - i) * sizeof face->waiting[0]);
        return;
      }
}

/* With the host's network anyone on the machine can connect. */
static bool
on_connect (int fd, void *user)
{
  lf_face *face = user;
  return lf_live_env_is_peer (face->env, fd);
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
  face->stream_max = p->stream_max_bytes;
  face->invocation_ids = p->invocation_id != 0;
  face->server = lf_http_server_new (&(lf_http_server_options){ .loop = lf_engine_loop (lf_live_env_engine (env)),
                                                                .header_max = LF_RUNTIME_HEADER_MAX,
                                                                .body_max = p->response_max_bytes,
                                                                .conns_max = LF_RUNTIME_CONNS_MAX,
                                                                .held_max = LF_RUNTIME_HELD_MAX,
                                                                .user = face,
                                                                .on_headers = on_headers,
                                                                .on_body = on_body,
                                                                .on_connect = fd < 0 ? on_connect : NULL, /* a socket made inside is reached from there only */
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
face_drain (void *f)
{
  lf_face *face = f;
  lf_http_server_drain (face->server);
}

static void
face_drop (void *f)
{
  lf_face *face = f;
  face->waiting_n = 0;
  face->answered = NULL;
  face->state = LF_RT_STARTED;
  face->pending = face->have_event = face->stream_broke = false;
  face->streaming = NULL;
  lf_http_server_drop (face->server);
}

static void
face_revoke (void *f)
{
  lf_face *face = f;
  face->pending = face->have_event = face->stream_broke = false;
}

static void
face_accepted (void *f)
{
  lf_face *face = f;
  lf_http_req *r = face->answered;
  face->answered = NULL;
  if (r)
    reply_accepted (r);
}

static void
face_close (void *f)
{
  lf_face *face = f;
  lf_http_server_close (face->server);
  free (face);
}

const lf_rt_ops lf_api_runtime = { .open = face_open, .deliver = face_deliver, .drain = face_drain, .drop = face_drop, .close = face_close, .revoke = face_revoke,
                                .pause = face_pause, .accepted = face_accepted };
