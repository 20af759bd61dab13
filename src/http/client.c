/* SPDX-License-Identifier: Apache-2.0
 *
 * A blocking client for the command line: one request, one connection, one deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define HEAD_MAX ((size_t) 2 << 20)
#define BODY_MAX ((size_t) 512 << 20)

typedef struct call
{
  const char *endpoint;
  char host[256], port[8], prefix[512];
  int fd;
  lf_time_us deadline; /* LF_NONE: none */
  lf_http_answer *out;
  bool in_value, done, informational, no_memory;
  size_t names_cap;
  void (*piece) (lf_http_answer *a, void *user);
  void *user;
} call;

/* "http://HOST[:PORT][/PREFIX]" */
static int
parse_endpoint (call *c, lf_error *err)
{
  const char *p = c->endpoint, *fix = "give an endpoint such as http://127.0.0.1:3001";
  if (strncasecmp (p, "http://", 7) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, p, fix, "an endpoint starts with http://");
  p += 7;
  size_t n = strcspn (p, "/");
  const char *colon, *end = p + n;
  const char *host = p, *host_end;
  if (*p == '[')
    {
      host = p + 1;
      host_end = memchr (host, ']', (size_t) (end - host));
      colon = host_end && host_end[1] == ':' ? host_end + 1 : NULL;
    }
  else
    {
      colon = memchr (p, ':', n);
      host_end = colon ? colon : end;
    }
  size_t host_n = host_end ? (size_t) (host_end - host) : 0, prefix_n = strlen (end);
  while (prefix_n > 0 && end[prefix_n - 1] == '/')
    prefix_n--;
  if (host_n == 0 || host_n >= sizeof c->host || prefix_n >= sizeof c->prefix)
    return LF_FAIL (err, LF_EXIT_USAGE, c->endpoint, fix, "no host in the endpoint, or it is too long");
  memcpy (c->host, host, host_n);
  memcpy (c->prefix, end, prefix_n);
  int64_t port = 80;
  if (colon)
    {
      snprintf (c->port, sizeof c->port, "%.*s", (int) (end - colon - 1 < 6 ? end - colon - 1 : 6), colon + 1);
      if (lf_parse_i64 (c->port, 1, 65535, &port) < 0)
        return LF_FAIL (err, LF_EXIT_USAGE, c->endpoint, fix, "the port is not a number from 1 to 65535");
    }
  snprintf (c->port, sizeof c->port, "%d", (int) port);
  return 0;
}

static int
fail (call *c, lf_error *err, int e)
{
  int rc;
  if (e == ECONNREFUSED)
    rc = LF_FAIL (err, LF_EXIT_IO, c->endpoint, "start it with: lambdafit serve", "no daemon answers there (connection refused)");
  else if (e == ETIMEDOUT)
    rc = LF_FAIL (err, LF_EXIT_IO, c->endpoint, "", "no answer in time");
  else if (e == ECONNRESET || e == EPIPE)
    rc = LF_FAIL (err, LF_EXIT_IO, c->endpoint, "", "the connection was closed before the answer was complete");
  else
    rc = LF_FAIL (err, LF_EXIT_IO, c->endpoint, "", "%s", strerror (e));
  err->sys_errno = e;
  return rc;
}

/* Waits until the socket is ready. 0, or an errno. */
static int
wait_for (call *c, short events)
{
  for (;;)
    {
      int ms = -1;
      if (c->deadline != LF_NONE)
        {
          int64_t left = (c->deadline - lf_now_us () + 999) / 1000;
          if (left <= 0)
            return ETIMEDOUT;
          ms = left > 3600000 ? 3600000 : (int) left;
        }
      struct pollfd p = { .fd = c->fd, .events = events };
      int rc = poll (&p, 1, ms);
      if (rc > 0)
        return 0;
      if (rc < 0 && errno != EINTR)
        return errno;
    }
}

static int
connect_one (call *c, const struct addrinfo *a)
{
  int one = 1, e = 0;
  socklen_t len = sizeof e;
  c->fd = socket (a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->fd < 0)
    return errno;
  setsockopt (c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect (c->fd, a->ai_addr, a->ai_addrlen) < 0)
    {
      e = errno;
      if (e == EINPROGRESS && (e = wait_for (c, POLLOUT)) == 0 && getsockopt (c->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
        e = errno;
    }
  if (e)
    {
      close (c->fd);
      c->fd = -1;
    }
  return e;
}

static int
connect_any (call *c, lf_error *err)
{
  struct addrinfo *list = NULL, hints = { .ai_socktype = SOCK_STREAM };
  int rc = getaddrinfo (c->host, c->port, &hints, &list), e = 0;
  if (rc)
    return LF_FAIL (err, LF_EXIT_IO, c->endpoint, "", "cannot find the host: %s", gai_strerror (rc));
  for (struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next)
    e = connect_one (c, a);
  freeaddrinfo (list);
  return c->fd < 0 ? fail (c, err, e) : 0;
}

static int
send_all (call *c, const char *p, size_t n)
{
  while (n > 0)
    {
      ssize_t k = send (c->fd, p, n, MSG_NOSIGNAL);
      if (k >= 0)
        {
          p += k;
          n -= (size_t) k;
          continue;
        }
      int e = errno;
      if (e == EAGAIN)
        e = wait_for (c, POLLOUT);
      if (e && e != EINTR)
        return e;
    }
  return 0;
}

/* ---- the answer ----------------------------------------------------------------------------------------------------------- */

/* Names and values are collected one after another, and made into views at the end, when the buffer no longer moves. */
static int
head_bytes (call *c, const char *at, size_t n)
{
  return lf_buf_add (&c->out->head, at, n) < 0 ? HPE_USER : 0;
}

static int
on_field (llhttp_t *p, const char *at, size_t n)
{
  call *c = p->data;
  lf_http_answer *a = c->out;
  if (c->in_value || a->headers_n == 0)
    {
      if (a->headers_n == c->names_cap)
        {
          size_t cap = c->names_cap ? c->names_cap * 2 : 16;
          lf_http_header *h = cap <= (size_t) HEADERS_MAX * 2 ? realloc (a->headers, cap * sizeof *h) : NULL;
          if (!h)
            return HPE_USER;
          a->headers = h;
          c->names_cap = cap;
        }
      a->headers[a->headers_n++] = (lf_http_header){ { NULL, 0 }, { NULL, 0 } };
      c->in_value = false;
    }
  a->headers[a->headers_n - 1].name.n += n;
  return head_bytes (c, at, n);
}

static int
on_value (llhttp_t *p, const char *at, size_t n)
{
  call *c = p->data;
  c->in_value = true;
  c->out->headers[c->out->headers_n - 1].value.n += n;
  return head_bytes (c, at, n);
}

static int
on_field_complete (llhttp_t *p)
{
  ((call *) p->data)->in_value = true;
  return 0;
}

static int
on_headers_complete (llhttp_t *p)
{
  call *c = p->data;
  c->informational = p->status_code / 100 == 1;
  c->out->status = p->status_code;
  p->upgrade = 0;
  return 0;
}

static int
on_headers_complete_of_head (llhttp_t *p)
{
  on_headers_complete (p);
  return 1;
}

static int
on_body (llhttp_t *p, const char *at, size_t n)
{
  call *c = p->data;
  if (lf_buf_add (&c->out->body, at, n) == 0)
    {
      if (c->piece && c->out->status == 200)
        c->piece (c->out, c->user);
      return 0;
    }
  c->no_memory = true;
  return HPE_USER;
}

static int
on_complete (llhttp_t *p)
{
  call *c = p->data;
  if (c->informational)
    {
      lf_buf_reset (&c->out->head); /* "100 Continue": the answer is still to come */
      c->out->headers_n = 0;
      return 0;
    }
  c->done = true;
  return HPE_PAUSED;
}

static void
make_views (lf_http_answer *a)
{
  const char *p = a->head.data ? a->head.data : "";
  for (size_t i = 0; i < a->headers_n; i++)
    {
      lf_http_header *h = &a->headers[i];
      h->name.p = p;
      h->value.p = p + h->name.n;
      p += h->name.n + h->value.n;
      while (h->value.n > 0 && (h->value.p[h->value.n - 1] == ' ' || h->value.p[h->value.n - 1] == '\t'))
        h->value.n--;
    }
}

static int
receive (call *c, bool head, lf_error *err)
{
  llhttp_settings_t s = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_field_complete = on_field_complete,
    .on_headers_complete = head ? on_headers_complete_of_head : on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
  };
  llhttp_t parser;
  llhttp_init (&parser, HTTP_RESPONSE, &s);
  parser.data = c;
  while (!c->done)
    {
      char chunk[65536];
      ssize_t k = recv (c->fd, chunk, sizeof chunk, 0);
      int e = k < 0 ? errno : 0;
      if (e == EAGAIN && (e = wait_for (c, POLLIN)) == 0)
        continue;
      if (e == EINTR)
        continue;
      if (e)
        return fail (c, err, e);
      llhttp_errno_t rc = k > 0 ? llhttp_execute (&parser, chunk, (size_t) k) : llhttp_finish (&parser);
      if (rc != HPE_OK && !c->done)
        return k == 0         ? fail (c, err, ECONNRESET)
               : c->no_memory ? LF_FAIL (err, LF_EXIT_IO, c->endpoint, "", "the answer is too large")
                              : LF_FAIL (err, LF_EXIT_IO, c->endpoint, "is this the address of lambdafit serve?",
                                         "what answers there does not speak HTTP/1.1");
      if (k == 0 && !c->done)
        return fail (c, err, ECONNRESET);
    }
  c->out->status = parser.status_code;
  make_views (c->out);
  return 0;
}

static int
build (call *c, const char *method, const char *path, const lf_http_pair *headers, size_t n, size_t len, lf_buf *b)
{
  bool v6 = strchr (c->host, ':');
  lf_buf_addf (b, "%s %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", method, c->prefix, path, v6 ? "[" : "", c->host, v6 ? "]" : "",
               c->port);
  for (size_t i = 0; i < n; i++)
    if (headers[i].value)
      lf_buf_addf (b, "%s: %s\r\n", headers[i].name, headers[i].value);
  if (len || (!lf_streq (method, "GET") && !lf_streq (method, "HEAD")))
    lf_buf_addf (b, "Content-Length: %zu\r\n", len);
  return lf_buf_adds (b, "Connection: close\r\n\r\n");
}

static int
make_call (call c, const char *method, const char *path, const lf_http_pair *headers, size_t n, const void *body, size_t len, lf_error *err)
{
  LF_CLEANUP (lf_buf_fini) lf_buf head = { 0 };
  lf_http_answer *out = c.out;
  *out = (lf_http_answer){ 0 };
  lf_buf_init (&out->body, BODY_MAX);
  lf_buf_init (&out->head, HEAD_MAX);
  if (parse_endpoint (&c, err) < 0)
    return -1;
  if (build (&c, method, path, headers, n, len, &head) < 0)
    return LF_FAIL_NOMEM (err);
  if (connect_any (&c, err) < 0)
    return -1;
  int e = send_all (&c, head.data, head.len);
  if (e == 0)
    e = send_all (&c, body, len);
  /* A server that refuses a request answers before it has read all of it: the answer says more than the broken pipe. */
  int rc = e == 0 || e == EPIPE || e == ECONNRESET ? receive (&c, lf_streq (method, "HEAD"), err) : fail (&c, err, e);
  close (c.fd);
  if (rc < 0)
    lf_http_answer_fini (out);
  return rc;
}

int
lf_http_call (const char *endpoint, const char *method, const char *path, const lf_http_pair *headers, size_t n, const void *body,
              size_t len, int64_t timeout_ms, lf_http_answer *out, lf_error *err)
{
  int64_t deadline = timeout_ms > 0 ? lf_now_us () + timeout_ms * 1000 : LF_NONE;
  return make_call ((call){ .endpoint = endpoint, .fd = -1, .out = out, .deadline = deadline }, method, path, headers, n, body, len, err);
}

int
lf_http_call_stream (const char *endpoint, const char *method, const char *path, const lf_http_pair *headers, size_t n, const void *body,
                     size_t len, void (*piece) (lf_http_answer *a, void *user), void *user, lf_http_answer *out, lf_error *err)
{
  return make_call ((call){ .endpoint = endpoint, .fd = -1, .out = out, .deadline = LF_NONE, .piece = piece, .user = user }, method, path, headers, n, body, len,
                    err);
}

void
lf_http_answer_take (lf_http_answer *a, size_t n)
{
  a->body.len -= n;
  if (a->body.data)
    {
      memmove (a->body.data, a->body.data + n, a->body.len);
      a->body.data[a->body.len] = 0;
    }
}

void
lf_http_answer_fini (lf_http_answer *a)
{
  if (!a)
    return;
  free (a->headers);
  lf_buf_fini (&a->body);
  lf_buf_fini (&a->head);
  *a = (lf_http_answer){ 0 };
}
