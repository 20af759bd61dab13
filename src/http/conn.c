/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a connection: reads go to the request being read; a complete request goes to the user; what follows it waits until it
 * is answered, and when too much waits, reading stops. The user's callbacks are called from the loop only, never from inside a
 * reply.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static int64_t
now_ms (const lf_http_conn *c)
{
  return (int64_t) uv_now (c->server->o.loop);
}

static void
on_closed (uv_handle_t *h)
{
  lf_http_conn *c = h->data;
  lf_http_server *s = c->server;
  lf_http_conn_free (c);
  lf_http_server_unref (s);
}

void
lf_http_conn_free (lf_http_conn *c)
{
  lf_buf_fini (&c->head);
  lf_buf_fini (&c->trail);
  lf_buf_fini (&c->pending);
  lf_buf_fini (&c->req.body);
  free (c->req.headers);
  free (c->req.trailers);
  free (c);
}

void
lf_http_conn_close (lf_http_conn *c)
{
  if (c->state == ST_CLOSED)
    return;
  c->state = ST_CLOSED;
  lf_http_server_forget (c);
  uv_close ((uv_handle_t *) &c->tcp, on_closed);
}

void
lf_http_conn_gone (lf_http_conn *c, bool truncated)
{
  if (!c->seen || c->answered || c->server->closing)
    return;
  c->answered = true; /* from here on an answer is ignored */
  c->req.truncated = truncated;
  if (c->server->o.on_gone)
    c->server->o.on_gone (&c->req, c->server->o.user);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

static void on_read (uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void
on_alloc (uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
  lf_http_conn *c = h->data;
  lf_http_req *r = &c->req;
  (void) suggested;
  size_t room = r->body.cap > r->body.len ? r->body.cap - r->body.len - 1 : 0;
  if (c->state == ST_LENGTH && !r->too_large && !c->answered && room >= (size_t) c->length_left && c->length_left > 4096)
    *buf = uv_buf_init (r->body.data + r->body.len, c->length_left > INT32_MAX ? INT32_MAX : (unsigned) c->length_left);
  else
    *buf = uv_buf_init (lf_http_shared_get ()->read, READ_BYTES);
}

static void
reading (lf_http_conn *c, bool on)
{
  if (c->state == ST_CLOSED || c->paused == !on)
    return;
  c->paused = !on;
  if (!on)
    uv_read_stop ((uv_stream_t *) &c->tcp);
  else if (uv_read_start ((uv_stream_t *) &c->tcp, on_alloc, on_read) < 0)
    lf_http_conn_close (c);
}

/* The last answer is out. Closing now would reset the connection if bytes are unread, and the client might never see the answer:
 * say "no more from us" and read on for a while. */
static void
linger (lf_http_conn *c)
{
  uv_os_fd_t fd;
  if (c->eof || uv_fileno ((uv_handle_t *) &c->tcp, &fd) < 0 || shutdown (fd, SHUT_WR) < 0)
    {
      lf_http_conn_close (c);
      return;
    }
  c->state = ST_LINGER;
  c->since_ms = now_ms (c);
  c->wire_bytes = 0;
  if (!c->in_feed)
    lf_buf_fini (&c->pending);
  c->pending_off = c->pending.len;
  reading (c, true);
  lf_http_server_arm (c->server);
}

static bool
has_pending (const lf_http_conn *c)
{
  return c->pending_off < c->pending.len;
}

void
lf_http_conn_settle (lf_http_conn *c)
{
  if (c->state == ST_CLOSED || c->state == ST_LINGER || !c->answered || c->queued > 0)
    return;
  if (c->close_after || (c->eof && !has_pending (c)))
    {
      linger (c);
      return;
    }
  if (c->state != ST_ANSWER)
    return; /* the rest of the body is still to be thrown away */
  lf_http_message_reset (c);
  c->state = ST_HEAD;
  c->since_ms = now_ms (c);
  if (c->req.body.cap > KEEP_BODY)
    lf_http_server_arm (c->server);
  if (!c->in_feed && has_pending (c))
    lf_http_server_wake (c);
}

void
lf_http_conn_refuse (lf_http_conn *c, int status)
{
  bool streaming = c->streaming;
  lf_http_server_refused (c->server);
  lf_http_conn_gone (c, true);
  if (c->state == ST_CLOSED)
    return;
  if (streaming)
    {
      lf_http_conn_close (c);
      return;
    }
  c->close_after = true;
  lf_http_reply_refusal (c, status);
}

/* The whole request is here. */
static void
complete (lf_http_conn *c)
{
  c->state = ST_ANSWER;
  c->since_ms = now_ms (c);
  if (c->answered)
    lf_http_conn_settle (c);
  else if (!c->streaming)
    c->server->o.on_request (&c->req, c->server->o.user);
}

/* A body that will not be read: the request is complete without it, and the connection ends with the answer. */
static void
complete_unread (lf_http_conn *c, int64_t bytes)
{
  c->req.too_large = true;
  c->req.body_seen = bytes;
  lf_buf_fini (&c->req.body);
  c->discard = true;
  c->close_after = true;
  complete (c);
}

/* The header block is here. */
static void
begin (lf_http_conn *c)
{
  int status = 0;
  lf_http_server *s = c->server;
  lf_http_req *r = &c->req;
  if (lf_http_head_parse (c, &status) < 0)
    {
      lf_http_conn_refuse (c, status);
      return;
    }
  r->body_limit = s->o.body_max;
  c->seen = true;
  if (s->o.on_headers)
    s->o.on_headers (r, s->o.user);
  if (c->state == ST_CLOSED || c->state == ST_LINGER)
    return;
  if (!c->chunked && c->length_left == 0)
    {
      complete (c);
      return;
    }
  r->too_large = c->length_left > r->body_limit;
  if (!c->answered && r->too_large && (c->expect || c->length_left > SWALLOW_MAX))
    {
      complete_unread (c, c->length_left);
      return;
    }
  if (c->expect && !c->answered)
    lf_http_reply_continue (c);
  if (c->state == ST_CLOSED)
    return;
  if (!r->too_large && !c->answered && lf_http_body_begin (c) < 0)
    {
      lf_http_conn_refuse (c, 503);
      return;
    }
  c->state = c->chunked ? ST_CHUNKED : ST_LENGTH;
}

/* A piece of a body that nobody keeps. */
static void
hand_over (lf_http_conn *c)
{
  lf_http_req *r = &c->req;
  if (!r->stream || r->body.len == 0)
    return;
  if (!c->answered && c->server->o.on_body)
    c->server->o.on_body (r, c->server->o.user);
  lf_buf_reset (&r->body);
}

void
lf_http_pause (lf_http_req *r, bool stop)
{
  lf_http_conn *c = r->conn;
  if (c->state == ST_LENGTH || c->state == ST_CHUNKED)
    reading (c, !stop);
}

/* Hands bytes to the request being read, and goes on to the next requests as long as each is answered at once. Returns how many
 * bytes were taken. */
static size_t
feed (lf_http_conn *c, const char *p, size_t n)
{
  size_t off = 0;
  c->in_feed = true;
  while (off < n && c->state != ST_ANSWER && c->state != ST_CLOSED && c->state != ST_LINGER)
    {
      bool done = false;
      int status = 0;
      bool head = c->state == ST_HEAD;
      ptrdiff_t k = head                      ? lf_http_head_feed (c, p + off, n - off, &done, &status)
                    : c->state == ST_LENGTH ? lf_http_length_feed (c, p + off, n - off, &done, &status)
                                            : lf_http_chunked_feed (c, p + off, n - off, &done, &status);
      if (k < 0)
        {
          lf_http_conn_refuse (c, status);
          break;
        }
      off += (size_t) k;
      if (!head)
        hand_over (c);
      if (c->state == ST_CLOSED)
        break;
      if (done && head)
        begin (c);
      else if (done)
        complete (c);
      else if (c->wire_bytes > SWALLOW_MAX)
        {
          if (c->answered)
            lf_http_conn_close (c);
          else
            complete_unread (c, c->req.body_seen);
        }
    }
  c->in_feed = false;
  return off;
}

static void
hold (lf_http_conn *c, const char *p, size_t n)
{
  if (c->pending_off > 0)
    {
      c->pending.len -= c->pending_off;
      memmove (c->pending.data, c->pending.data + c->pending_off, c->pending.len);
      c->pending_off = 0;
    }
  if (lf_buf_add (&c->pending, p, n) < 0)
    {
      lf_http_conn_gone (c, false);
      lf_http_conn_close (c);
    }
  else if (c->pending.len > PENDING_MAX)
    reading (c, false);
}

/* Nothing more will come of this body, but the client still listens. */
static void
cut_off (lf_http_conn *c)
{
  reading (c, false);
  c->state = ST_ANSWER;
  c->close_after = c->discard = c->req.truncated = true;
  lf_buf_reset (&c->req.body);
  c->server->o.on_truncated (&c->req, c->server->o.user);
}

static void
on_eof (lf_http_conn *c, bool clean)
{
  c->eof = true;
  bool in_body = c->state == ST_LENGTH || c->state == ST_CHUNKED;
  if (clean && in_body && c->seen && !c->answered && c->server->o.on_truncated)
    {
      cut_off (c);
      return;
    }
  if (clean && c->state == ST_ANSWER && c->answered && c->queued > 0)
    reading (c, false); /* half closed: it may still take the answer */
  else if (clean && c->state == ST_HEAD && has_pending (c))
    reading (c, false); /* the wake-up that is on its way serves them */
  else
    {
      lf_http_conn_gone (c, c->state != ST_ANSWER);
      lf_http_conn_close (c);
    }
}

static void
take (uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
  lf_http_conn *c = stream->data;
  if (nread == 0 || c->state == ST_CLOSED)
    return;
  if (nread < 0)
    {
      on_eof (c, nread == UV_EOF);
      return;
    }
  size_t n = (size_t) nread;
  bool in_head = c->state == ST_HEAD && c->head.len > 0;
  if (c->state == ST_LINGER || (c->state == ST_ANSWER && c->discard))
    {
      c->wire_bytes += nread;
      if (c->wire_bytes > SWALLOW_MAX)
        reading (c, false);
      return;
    }
  if (c->state == ST_ANSWER || has_pending (c))
    {
      hold (c, buf->base, n);
      return;
    }
  if (!in_head)
    c->since_ms = now_ms (c);
  size_t used = feed (c, buf->base, n);
  if (used < n && c->state != ST_CLOSED && c->state != ST_LINGER && !c->discard)
    hold (c, buf->base + used, n - used);
  if (c->state == ST_HEAD && c->head.len > 0 && c->server->o.header_ms > 0)
    lf_http_server_arm (c->server);
}

static void
on_read (uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
  lf_http_conn *c = stream->data;
  take (stream, nread, buf);
  if (c->state != ST_CLOSED)
    lf_http_server_account (c);
}

/* What the socket holds already, without waiting for the loop. */
void
lf_http_conn_drain (lf_http_conn *c)
{
  uv_os_fd_t fd;
  if (uv_fileno ((uv_handle_t *) &c->tcp, &fd) < 0)
    return;
  for (int round = 0; round < 256 && (c->state == ST_HEAD || c->state == ST_LENGTH || c->state == ST_CHUNKED) && !c->paused; round++)
    {
      uv_buf_t buf;
      on_alloc ((uv_handle_t *) &c->tcp, READ_BYTES, &buf);
      ssize_t n = recv (fd, buf.base, buf.len, MSG_DONTWAIT);
      if (n <= 0)
        return; /* its end, or an error, is the loop's to notice */
      on_read ((uv_stream_t *) &c->tcp, n, &buf);
    }
}

void
lf_http_conn_wake (lf_http_conn *c)
{
  if (c->failed)
    {
      lf_http_conn_gone (c, false);
      lf_http_conn_close (c);
      return;
    }
  if (c->state == ST_HEAD && has_pending (c))
    {
      size_t used = feed (c, c->pending.data + c->pending_off, c->pending.len - c->pending_off);
      if (c->state == ST_CLOSED)
        return;
      c->pending_off = c->state == ST_LINGER || c->discard ? c->pending.len : c->pending_off + used;
    }
  if (!has_pending (c))
    {
      lf_buf_fini (&c->pending);
      c->pending_off = 0;
      if (!c->eof)
        reading (c, true);
      else if (c->state != ST_ANSWER)
        on_eof (c, true);
    }
}

void
lf_http_peer (const lf_http_req *r, char out[46])
{
  struct sockaddr_storage a = { 0 };
  int n = sizeof a;
  out[0] = 0;
  if (uv_tcp_getpeername (&r->conn->tcp, (struct sockaddr *) &a, &n) == 0)
    uv_ip_name ((struct sockaddr *) &a, out, 46);
}

/* ---- accepting, timers ---------------------------------------------------------------------------------------------------- */

lf_http_conn *
lf_http_conn_new (lf_http_server *s)
{
  lf_http_conn *c = calloc (1, sizeof *c);
  if (!c)
    return NULL;
  c->server = s;
  c->tcp.data = c;
  chain_init (&c->all);
  chain_init (&c->wake);
  if (uv_tcp_init (s->o.loop, &c->tcp) < 0)
    {
      free (c);
      return NULL;
    }
  s->handles++;
  s->conns_n++;
  chain_append (&s->conns, &c->all);
  lf_buf_init (&c->head, s->o.header_max + 1);
  lf_buf_init (&c->trail, s->o.header_max);
  lf_buf_init (&c->pending, PENDING_MAX + READ_BYTES);
  lf_http_message_reset (c);
  c->since_ms = now_ms (c);
  return c;
}

void
lf_http_conn_start (lf_http_conn *c)
{
  lf_http_server *s = c->server;
  uv_os_fd_t fd;
  if (s->o.on_connect && (uv_fileno ((uv_handle_t *) &c->tcp, &fd) < 0 || !s->o.on_connect (fd, s->o.user)))
    {
      lf_http_conn_close (c);
      return;
    }
  if (!lf_http_server_room (c) || uv_read_start ((uv_stream_t *) &c->tcp, on_alloc, on_read) < 0)
    {
      lf_http_conn_close (c);
      return;
    }
  uv_tcp_nodelay (&c->tcp, 1);
  if (s->o.idle_ms > 0)
    lf_http_server_arm (s);
}

int
lf_http_conn_accept (lf_http_server *s)
{
  lf_http_conn *c = lf_http_conn_new (s);
  if (!c)
    return -1;
  if (uv_accept ((uv_stream_t *) &s->listener, (uv_stream_t *) &c->tcp) < 0)
    lf_http_conn_close (c);
  else
    lf_http_conn_start (c);
  return 0;
}

/* Gives back a body's memory that no new request has used since. */
static void
shrink (lf_http_conn *c, bool *again)
{
  lf_buf *body = &c->req.body;
  if (body->len == 0 && c->state != ST_LENGTH && c->state != ST_CHUNKED && body->cap > KEEP_BODY)
    lf_buf_fini (body);
  *again = *again || body->cap > KEEP_BODY;
}

void
lf_http_conn_sweep (lf_http_conn *c, int64_t now, bool *again)
{
  const lf_http_server_options *o = &c->server->o;
  int64_t age = now - c->since_ms;
  bool idle = o->idle_ms > 0 && age >= o->idle_ms;
  *again = *again || o->idle_ms > 0;
  switch (c->state)
    {
    case ST_LINGER:
      *again = true;
      if (age >= LINGER_MS)
        lf_http_conn_close (c);
      return;
    case ST_HEAD:
      if (c->head.len > 0 && o->header_ms > 0)
        {
          *again = true;
          if (age >= o->header_ms)
            {
              lf_http_conn_refuse (c, 408);
              return;
            }
        }
      if (idle)
        {
          lf_http_conn_close (c);
          return;
        }
      break;
    case ST_LENGTH:
    case ST_CHUNKED:
      if (idle)
        {
          lf_http_conn_refuse (c, 408);
          return;
        }
      break;
    case ST_ANSWER:
      if (c->queued > 0 && uv_stream_get_write_queue_size ((uv_stream_t *) &c->tcp) != c->stall_bytes)
        {
          c->stall_bytes = uv_stream_get_write_queue_size ((uv_stream_t *) &c->tcp);
          c->since_ms = now;
        }
      else if (c->queued > 0 && idle)
        {
          lf_http_server_refused (c->server);
          lf_http_conn_gone (c, false);
          lf_http_conn_close (c);
          return;
        }
      break;
    case ST_CLOSED:
      return;
    }
  shrink (c, again);
  lf_http_server_account (c);
}
