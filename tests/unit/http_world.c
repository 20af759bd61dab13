/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_world.h"

#define DEADLINE_US 60000000 /* nothing that goes well takes as long, on a machine that stands still for seconds either */

/* The answer tells all that the server understood of the request. */
static void
describe (world *w, const lf_http_req *r)
{
  lf_buf *b = &w->echo;
  lf_buf_reset (b);
  lf_buf_addf (b, "%.*s %.*s ? %.*s\n", (int) r->method.n, r->method.p, (int) r->path.n, r->path.p, (int) r->query.n, r->query.p);
  for (size_t i = 0; i < r->headers_n; i++)
    if (r->headers[i].value.n < 200)
      lf_buf_addf (b, "%.*s=%.*s\n", (int)r->headers[i].name.n, r->headers[i].name.p, (int)r->headers[i].value.n,
                   r->headers[i].value.p);
    else
      lf_buf_addf (b, "%.*s=(%zu)\n", (int) r->headers[i].name.n, r->headers[i].name.p, r->headers[i].value.n);
  lf_buf_addf (b, "body(%lld%s)=", (long long) r->body_seen, r->too_large ? " too large" : "");
  lf_buf_add (b, r->body.data, r->body.len < 100 ? r->body.len : 100);
  for (size_t i = 0; i < r->trailers_n; i++)
    lf_buf_addf (b, "\n+%.*s=%.*s", (int)r->trailers[i].name.n, r->trailers[i].name.p, (int)r->trailers[i].value.n,
                 r->trailers[i].value.p);
  assert_false (b->failed);
}

static void
on_headers (lf_http_req *r, void *user)
{
  world *w = user;
  w->heads++;
  r->stream = w->stream_bodies;
  assert_non_null (r->headers_n ? r->headers : (void *) w);
  if (w->answer_in_headers)
    lf_http_reply (r, 403, NULL, 0, "no", 2);
}

static void
on_request (lf_http_req *r, void *user)
{
  world *w = user;
  w->requests++;
  w->last_seen = r->body_seen;
  if (w->close_server)
    {
      lf_http_server_close (w->server);
      w->server = NULL;
      lf_http_reply (r, 200, NULL, 0, "late", 4);
      return;
    }
  if (w->hold)
    {
      assert_true (w->held_n < HELD_MAX);
      w->held[w->held_n++] = r;
      return;
    }
  describe (w, r);
  static const lf_http_pair type = { "Content-Type", "text/plain" };
  lf_http_reply (r, r->too_large ? 413 : 200, &type, 1, w->echo.data, w->echo.len);
}

static void
on_gone (lf_http_req *r, void *user)
{
  world *w = user;
  w->gone++;
  w->truncated += r->truncated;
  lf_http_reply (r, 200, NULL, 0, "ignored", 7);
  for (size_t i = 0; i < w->held_n; i++)
    if (w->held[i] == r)
      w->held[i] = w->held[--w->held_n];
}

static void
on_body (lf_http_req *r, void *user)
{
  world *w = user;
  assert_true (r->stream && r->body.len > 0);
  for (size_t i = 0; i < r->body.len; i++)
    assert_int_equal (r->body.data[i], 'b');
  w->pieces++;
  w->piece_bytes += r->body.len;
  w->last_piece_of = r;
}

static void
on_drain (lf_http_req *r, void *user)
{
  world *w = user;
  assert_int_equal (lf_http_reply_queued (r), 0);
  w->drained++;
}

void
world_open (world *w)
{
  lf_error err;
  uv_loop_init (&w->loop);
  lf_buf_init (&w->echo, 0);
  w->o.loop = &w->loop;
  w->o.user = w;
  w->o.header_max = w->o.header_max ? w->o.header_max : 8192;
  w->o.body_max = w->o.body_max ? w->o.body_max : 1 << 20;
  w->o.on_headers = on_headers;
  w->o.on_request = on_request;
  w->o.on_gone = on_gone;
  w->o.on_body = on_body;
  w->o.on_drain = on_drain;
  w->server = lf_http_server_new (&w->o, &err);
  assert_non_null (w->server);
  assert_int_equal (lf_http_listen (w->server, "127.0.0.1", &w->port, &err), 0);
  assert_true (w->port > 0);
}

void
world_close (world *w)
{
  lf_http_server_close (w->server);
  uv_run (&w->loop, UV_RUN_DEFAULT);
  assert_int_equal (uv_loop_close (&w->loop), 0);
  lf_buf_fini (&w->echo);
}

void
turn (world *w)
{
  uv_run (&w->loop, UV_RUN_NOWAIT);
}

int
dial (world *w)
{
  struct sockaddr_in a
      = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)w->port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true (fd >= 0);
  assert_true (connect (fd, (struct sockaddr *) &a, sizeof a) == 0 || errno == EINPROGRESS);
  return fd;
}

void
give (world *w, int fd, const void *p, size_t n)
{
  const char *q = p;
  lf_time_us end = lf_now_us () + DEADLINE_US;
  while (n > 0 && lf_now_us () < end)
    {
      ssize_t k = send (fd, q, n, MSG_NOSIGNAL);
      if (k > 0)
        {
          q += k;
          n -= (size_t) k;
          end = lf_now_us () + DEADLINE_US;
        }
      else if (k < 0 && errno != EAGAIN && errno != ENOTCONN)
        return; /* the server closed: what it said decides the test */
      turn (w);
    }
  assert_int_equal (n, 0);
}

void
gives (world *w, int fd, const char *s)
{
  give (w, fd, s, strlen (s));
}

bool
take (world *w, int fd, lf_buf *in, size_t want, bool *closed)
{
  lf_time_us end = lf_now_us () + DEADLINE_US;
  *closed = false;
  while (in->len < want && lf_now_us () < end)
    {
      turn (w);
      if (lf_buf_reserve (in, 65536) < 0)
        return false;
      ssize_t k = recv (fd, in->data + in->len, 65536, 0);
      if (k > 0)
        {
          in->len += (size_t) k;
          in->data[in->len] = '\0';
          end = lf_now_us () + DEADLINE_US;
        }
      else if (k == 0 || (errno != EAGAIN && errno != ENOTCONN))
        {
          *closed = true;
          return true;
        }
    }
  return in->len >= want;
}

static bool
take_more (world *w, int fd, lf_buf *in)
{
  bool closed;
  return take (w, fd, in, in->len + 1, &closed) && !closed;
}

bool
take_answer (world *w, int fd, lf_buf *in, lf_buf *one)
{
  char *end, *p;
  size_t total;
  lf_buf_reset (one);
  while (!in->data || !(end = strstr (in->data, "\r\n\r\n")))
    if (!take_more (w, fd, in))
      return false;
  total = (size_t) (end - in->data) + 4;
  if ((p = strcasestr (in->data, "Content-Length: ")) && p < end)
    total += strtoul (p + 16, NULL, 10);
  else if ((p = strcasestr (in->data, "Transfer-Encoding: chunked")) && p < end)
    {
      while (!(end = memmem (in->data, in->len, "\r\n0\r\n\r\n", 7)))
        if (!take_more (w, fd, in))
          return false;
      total = (size_t) (end - in->data) + 7;
    }
  while (in->len < total)
    if (!take_more (w, fd, in))
      return false;
  lf_buf_add (one, in->data, total);
  in->len -= total;
  memmove (in->data, in->data + total, in->len + 1);
  return true;
}

bool
take_close (world *w, int fd, lf_buf *in)
{
  bool closed;
  return take (w, fd, in, SIZE_MAX, &closed) && closed;
}
