/* SPDX-License-Identifier: Apache-2.0
 *
 * Function URLs: http://NAME.lambda-url.localhost:PORT/PATH (the Host header decides) and http://HOST:PORT/lambda-url/NAME/PATH. Every
 * function has one; a template may set its authorization, its mode and CORS. What the bytes mean is src/model/url_*.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "url.h"

#define LF_URL_DOMAIN ".lambda-url.localhost"
#define LF_URL_PREFIX "/lambda-url/"
#define LF_URL_HEADERS_MAX 256 /* as many as a request can have */

/* ---- which function ---------------------------------------------------------------------------------------------------------------- */

typedef struct by_name { lf_str name; lf_live_fn *fn; } by_name;

static void
match_name (lf_live_fn *fn, void *user)
{
  by_name *b = user;
  const lf_function *f = lf_live_fn_config (fn);
  if (!b->fn && strcmp (f->version, "$LATEST") == 0 && lf_str_ieq (b->name, f->name))
    b->fn = fn;
}

/* By name or logical id; host names have no case, and browsers write them small. */
static lf_live_fn *
find (lf_api_invoke *a, lf_str name, bool any_case)
{
  char text[200];
  if (name.n == 0 || name.n >= sizeof text)
    return NULL;
  snprintf (text, sizeof text, "%.*s", (int) name.n, name.p);
  by_name b = { name, lf_engine_find (lf_api_engine (a), text) };
  if (!b.fn && any_case)
    lf_engine_each_fn (lf_api_engine (a), match_name, &b);
  return b.fn;
}

static lf_str
host_without_port (const lf_http_req *r)
{
  lf_str h = lf_http_get (r, "Host");
  const char *colon = h.n ? memchr (h.p, ':', h.n) : NULL;
  return (lf_str){ h.p, colon ? (size_t) (colon - h.p) : h.n };
}

/* The label in front of our domain; empty when the request is not for it. */
static lf_str
host_name (const lf_http_req *r)
{
  lf_str h = host_without_port (r);
  size_t tail = sizeof LF_URL_DOMAIN - 1;
  if (h.n <= tail || !lf_str_ieq ((lf_str){ h.p + h.n - tail, tail }, LF_URL_DOMAIN))
    return (lf_str){ NULL, 0 };
  return (lf_str){ h.p, h.n - tail };
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------------ */

int
lf_url_headers (const lf_url_answer *a, const char *request_id, const char *trace_id, lf_http_pair **h, size_t *n)
{
  if (!(*h = malloc ((a->names.n + 2) * sizeof **h)))
    return -1;
  *n = 0;
  for (size_t i = 0; i < a->names.n; i++)
    (*h)[(*n)++] = (lf_http_pair){ a->names.v[i], a->values.v[i] };
  (*h)[(*n)++] = (lf_http_pair){ "x-amzn-RequestId", request_id };
  if (trace_id)
    (*h)[(*n)++] = (lf_http_pair){ "X-Amzn-Trace-Id", trace_id };
  return 0;
}

static void
reply_answer (lf_http_req *r, const lf_url_answer *a, const char *request_id, const char *trace_id)
{
  lf_http_pair *h;
  size_t n;
  if (lf_url_headers (a, request_id, trace_id, &h, &n) < 0)
    {
      lf_svc_reply (r, LF_SVC_SERVICE, request_id, NULL, 0, "out of memory");
      return;
    }
  lf_http_reply (r, a->status, h, n, a->body.data ? a->body.data : "", a->body.len);
  free (h);
}

/* The function failed, or what it answered means nothing as HTTP. */
void
lf_url_reply_failed (lf_http_req *r, lf_live_fn *fn, const char *request_id, const char *why)
{
  lf_url_answer a;
  char note[200];
  lf_url_answer_init (&a);
  a.status = 502;
  if (why)
    {
      snprintf (note, sizeof note, "its URL answers 502: %s", why);
      lf_engine_note (fn, note);
    }
  if (lf_strv_add (&a.names, "content-type") == 0 && lf_strv_add (&a.values, "application/json") == 0 && lf_buf_adds (&a.body, "Internal Server Error") == 0
      && lf_url_cors (&lf_live_fn_config (fn)->url, lf_http_get (r, "Origin"), &a) == 0)
    reply_answer (r, &a, request_id, NULL);
  else
    lf_svc_reply (r, LF_SVC_SERVICE, request_id, NULL, 0, "out of memory");
  lf_url_answer_fini (&a);
}

static void
reply_result (lf_url_call *c, const lf_outcome *o)
{
  lf_url_answer a;
  const char *why = NULL;
  lf_url_answer_init (&a);
  if (!o->function_error && lf_url_answer_from (o->body, o->body_len, &a, &why) == 0
      && lf_url_cors (&lf_live_fn_config (o->fn)->url, lf_http_get (c->req, "Origin"), &a) == 0)
    reply_answer (c->req, &a, o->request_id, o->trace_id);
  else
    lf_url_reply_failed (c->req, o->fn, o->request_id, why);
  lf_url_answer_fini (&a);
}

static void
call_free (lf_url_call *c)
{
  lf_buf_fini (&c->prelude);
  free (c);
}

static void
on_done (const lf_outcome *o, void *user)
{
  lf_url_call *c = user;
  if (c->req) /* not, when a stream was refused before its end */
    c->req->user = NULL;
  c->fn = o->fn;
  if (c->state != LF_URLS_NONE)
    lf_url_stream_end (c, o);
  else if (o->error)
    lf_svc_reply (c->req, LF_SVC_SERVICE, o->request_id, NULL, 0, o->error->why);
  else if (o->status == LF_ST_REJECTED)
    lf_svc_reply (c->req, c->reject, o->request_id, NULL, 0, c->text);
  else if (o->status == LF_ST_THROTTLED)
    lf_svc_reply (c->req, LF_SVC_TOO_MANY_REQUESTS, o->request_id, o->throttle_reason, o->retry_after_ms, NULL);
  else
    reply_result (c, o);
  call_free (c);
}

static void
gone (lf_http_req *r)
{
  lf_url_call *c = r->user;
  r->user = NULL;
  lf_engine_forget (c->call);
  call_free (c);
}

/* ---- the call ------------------------------------------------------------------------------------------------------------------------ */

static lf_url_call *
call_new (lf_http_req *r)
{
  lf_url_call *c = calloc (1, sizeof *c);
  if (!c)
    {
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
      return NULL;
    }
  c->waiting.gone = gone;
  c->waiting.drained = lf_url_stream_drained;
  c->req = r;
  lf_buf_init (&c->prelude, 0);
  r->user = c;
  return c;
}

static void
call_failed (lf_url_call *c, const lf_error *err)
{
  c->req->user = NULL;
  lf_svc_reply (c->req, LF_SVC_SERVICE, NULL, NULL, 0, err->why);
  call_free (c);
}

static void
too_large (lf_http_req *r, lf_live_fn *fn, int64_t bytes)
{
  lf_url_call *c = call_new (r);
  lf_error err = { 0 };
  if (!c)
    return;
  c->reject = LF_SVC_REQUEST_TOO_LARGE;
  snprintf (c->text, sizeof c->text, "Request must be smaller than %lld bytes for the InvokeFunction operation",
            (long long) lf_engine_profile (lf_live_fn_engine (fn))->request_max_bytes);
  c->call = lf_engine_reject (lf_live_fn_engine (fn), fn, bytes, false, lf_svc_error_get (c->reject)->name, c->text, on_done, c, &err);
  if (!c->call)
    call_failed (c, &err);
}

static void
make_trace (const lf_http_req *r, int64_t wall_us, char out[128])
{
  lf_str given = lf_http_get (r, "X-Amzn-Trace-Id");
  uint8_t random[12];
  if (given.n && given.n < 100)
    {
      snprintf (out, 128, "%.*s", (int) given.n, given.p);
      return;
    }
  lf_random_bytes (random, sizeof random);
  int n = snprintf (out, 128, "Root=1-%08llx-", (unsigned long long) (wall_us / 1000000) & 0xffffffff);
  for (size_t i = 0; i < sizeof random; i++)
    n += snprintf (out + n, (size_t) (128 - n), "%02x", random[i]);
}

/* AWS_IAM: somebody signed it. Signatures are not checked, as nowhere here. False: answered. */
static bool
authorized (lf_http_req *r, const lf_function *f, lf_str *access_key)
{
  static const char mark[] = "Credential=";
  lf_str h = lf_http_get (r, "Authorization");
  *access_key = (lf_str){ NULL, 0 };
  if (!f->url.iam)
    return true;
  const char *at = h.n ? memmem (h.p, h.n, mark, sizeof mark - 1) : NULL;
  if (at)
    {
      at += sizeof mark - 1;
      size_t left = (size_t) (h.p + h.n - at), n = 0;
      while (n < left && at[n] != '/' && at[n] != ',' && at[n] != ' ')
        n++;
      *access_key = (lf_str){ at, n };
    }
  if (access_key->n)
    return true;
  lf_svc_reply (r, LF_SVC_ACCESS_DENIED, NULL, NULL, 0,
                "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html");
  return false;
}

static int
make_event (lf_api_invoke *a, lf_http_req *r, const lf_function *f, lf_url_request *u, lf_buf *event)
{
  lf_url_header headers[LF_URL_HEADERS_MAX];
  char peer[46], domain[200], prefix[100];
  lf_str host = host_name (r);
  size_t n = r->headers_n < LF_URL_HEADERS_MAX ? r->headers_n : LF_URL_HEADERS_MAX;
  for (size_t i = 0; i < n; i++)
    headers[i] = (lf_url_header){ r->headers[i].name, r->headers[i].value };
  lf_http_peer (r, peer);
  snprintf (prefix, sizeof prefix, "%.*s", (int) (host.n ? host.n : strlen (f->name)), host.n ? host.p : f->name);
  snprintf (domain, sizeof domain, "%s%s", prefix, LF_URL_DOMAIN);
  u->method = r->method;
  u->query = r->query;
  u->headers = headers;
  u->headers_n = n;
  u->body = (lf_str){ r->body.data, r->body.len };
  u->domain = domain;
  u->prefix = prefix;
  u->source_ip = peer;
  u->port = lf_api_port (a);
  int rc = lf_url_event (f, u, event);
  /* What was made here goes with this function. */
  u->headers = NULL;
  u->headers_n = 0;
  u->domain = u->prefix = u->source_ip = NULL;
  return rc;
}

static void
invoke (lf_api_invoke *a, lf_http_req *r, lf_live_fn *fn, lf_str path, lf_str access_key)
{
  const lf_function *f = lf_live_fn_config (fn);
  lf_engine *e = lf_api_engine (a);
  lf_buf event LF_CLEANUP (lf_buf_fini);
  lf_error err = { 0 };
  char id[37], trace[128];
  int64_t now = lf_wall_us ();
  lf_engine_request_id (id);
  make_trace (r, now, trace);
  lf_buf_init (&event, 0);
  lf_url_request u = { .path = path, .request_id = id, .trace_id = trace, .access_key = access_key, .wall_us = now };
  if (r->too_large || make_event (a, r, f, &u, &event) < 0)
    {
      if (r->too_large)
        too_large (r, fn, r->body_seen);
      else
        lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
      return;
    }
  if ((int64_t) event.len > lf_engine_profile (e)->request_max_bytes)
    {
      too_large (r, fn, (int64_t) event.len);
      return;
    }
  lf_url_call *c = call_new (r);
  if (!c)
    return;
  lf_call_options o = { .payload = &event, .request_id = id, .trace_id = { trace, strlen (trace) }, .sync = true,
                        .stream = f->url.stream ? &lf_url_stream_ops : NULL, .done = on_done, .user = c };
  if (!(c->call = lf_engine_call (e, fn, &o, &err)))
    call_failed (c, &err);
}

static void
preflight (lf_http_req *r, const lf_function *f)
{
  lf_url_answer a;
  char id[37];
  lf_uuid4 (id);
  lf_url_answer_init (&a);
  if (lf_url_preflight (&f->url, lf_http_get (r, "Origin"), &a) == 0)
    reply_answer (r, &a, id, NULL);
  else
    lf_svc_reply (r, LF_SVC_SERVICE, id, NULL, 0, "out of memory");
  lf_url_answer_fini (&a);
}

bool
lf_url_is (const lf_http_req *r)
{
  lf_str rest;
  return host_name (r).n > 0 || lf_str_skip (r->path, LF_URL_PREFIX, &rest);
}

bool
lf_url_route (lf_api_invoke *a, lf_http_req *r)
{
  lf_str name = host_name (r), path = r->path, rest, key;
  bool by_host = name.n > 0;
  lf_buf text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 4096);
  if (!by_host)
    {
      if (!lf_str_skip (path, LF_URL_PREFIX, &rest))
        return false;
      const char *slash = rest.n ? memchr (rest.p, '/', rest.n) : NULL;
      size_t n = slash ? (size_t) (slash - rest.p) : rest.n;
      path = slash ? (lf_str){ slash, rest.n - n } : (lf_str){ "/", 1 };
      if (lf_url_decode (rest.p, n, &text) == 0)
        name = (lf_str){ text.data, text.len };
    }
  lf_live_fn *fn = find (a, name, by_host);
  const lf_function *f = fn ? lf_live_fn_config (fn) : NULL;
  if (!fn)
    lf_svc_reply (r, LF_SVC_ACCESS_DENIED, NULL, NULL, 0, NULL);
  else if (f->url.cors && lf_str_eq (r->method, "OPTIONS") && lf_http_has (r, "Origin") && lf_http_has (r, "Access-Control-Request-Method"))
    preflight (r, f);
  else if (authorized (r, f, &key))
    invoke (a, r, fn, path.n ? path : (lf_str){ "/", 1 }, key);
  return true;
}
