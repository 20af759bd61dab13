/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection gets the input from a client. The first byte says how the server behaves (answer at once, later, in pieces, in
 * on_headers, never; bodies in pieces), the second in how many pieces the bytes arrive. Whatever comes, every request the server announced ends
 * exactly once, answers are HTTP, and nothing is left when the server is closed.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "lambdafit/http.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

typedef struct world { uv_loop_t loop; unsigned how; lf_http_req *held; long begun, ended; int64_t piece_bytes; } world;

static void
answer (world *w, lf_http_req *r)
{
  lf_http_pair h[] = { { "Content-Type", "text/plain" } };
  w->ended++;
  if (w->how & 2)
    {
      lf_http_reply_begin (r, 200, h, 1);
      lf_http_reply_chunk (r, r->body.data, r->body.len);
      lf_http_reply_end (r);
    }
  else
    lf_http_reply (r, r->too_large ? 413 : 200, h, 1, r->body.data, r->body.len);
}

static void
on_headers (lf_http_req *r, void *user)
{
  world *w = user;
  w->begun++;
  CHECK (r->method.n > 0 && r->target.n > 0 && r->path.n <= r->target.n);
  for (size_t i = 0; i < r->headers_n; i++)
    CHECK (r->headers[i].name.n > 0 && r->headers[i].value.p && !memchr (r->headers[i].value.p, '\n', r->headers[i].value.n));
  if (w->how & 4)
    r->body_limit = 3;
  r->stream = w->how & 32;
  w->piece_bytes = 0;
  if (w->how & 8)
    answer (w, r);
}

static void
on_body (lf_http_req *r, void *user)
{
  world *w = user;
  CHECK (r->stream && r->body.len > 0);
  w->piece_bytes += (int64_t) r->body.len;
  CHECK (w->piece_bytes <= r->body_limit);
}

static void
on_request (lf_http_req *r, void *user)
{
  world *w = user;
  CHECK (r->too_large ? r->body.len <= LF_HTTP_KEPT && r->body_seen > r->body_limit
                      : (r->stream ? w->piece_bytes : (int64_t) r->body.len) == r->body_seen && r->body_seen <= r->body_limit);
  CHECK (!w->held);
  for (size_t i = 0; i < r->trailers_n; i++)
    CHECK (lf_http_trailer (r, "x").n <= 2000 && r->trailers[i].name.p >= r->trailers[0].name.p);
  if (w->how & 1)
    w->held = r;
  else
    answer (w, r);
}

static void
on_gone (lf_http_req *r, void *user)
{
  world *w = user;
  w->ended++;
  CHECK (!w->held || w->held == r);
  w->held = NULL;
}

/* Lets the loop do what it can, answering what is held, and takes what the server says. */
static bool
settle (world *w, int fd, bool *first)
{
  char sink[4096];
  bool open = true;
  for (int i = 0; i < 3; i++)
    {
      uv_run (&w->loop, UV_RUN_NOWAIT);
      if (w->held && !(w->how & 16))
        {
          lf_http_req *r = w->held;
          w->held = NULL;
          answer (w, r);
        }
      ssize_t k;
      while ((k = recv (fd, sink, sizeof sink, MSG_DONTWAIT)) > 0)
        {
          CHECK (!*first || (k >= 9 && memcmp (sink, "HTTP/1.1 ", 9) == 0));
          *first = false;
        }
      open = k != 0;
    }
  return open;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  world w = { .how = size ? data[0] : 0 };
  lf_error err;
  int fd[2];
  bool first = true;
  size_t pieces = size > 1 ? 1 + data[1] % 8 : 1;
  data += size > 1 ? 2 : size;
  size -= size > 1 ? 2 : size;
  uv_loop_init (&w.loop);
  lf_http_server_options o = { .loop = &w.loop, .header_max = 2000, .body_max = 1000, .user = &w, .on_headers = on_headers, .on_body = on_body,
                               .on_request = on_request, .on_gone = on_gone };
  lf_http_server *s = lf_http_server_new (&o, &err);
  CHECK (s && socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0
         && lf_http_adopt_fd (s, fd[1], &err) == 0);
  for (size_t i = 0, at = 0; i < pieces; i++)
    {
      size_t n = i + 1 == pieces ? size - at : size / pieces;
      for (ssize_t k; n > 0 && (k = send (fd[0], data + at, n, MSG_NOSIGNAL)) > 0; at += (size_t) k, n -= (size_t) k)
        if (!settle (&w, fd[0], &first))
          break;
      settle (&w, fd[0], &first);
    }
  for (int i = 0; i < 500 && lf_http_server_conns (s) > 0; i++)
    {
      if (i == 3)
        shutdown (fd[0], SHUT_WR);
      if (i == 100)
        w.how &= ~16u;
      settle (&w, fd[0], &first);
    }
  CHECK (w.begun == w.ended);
  lf_http_server_close (s);
  close (fd[0]);
  uv_run (&w.loop, UV_RUN_DEFAULT);
  CHECK (uv_loop_close (&w.loop) == 0);
  return 0;
}
