/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers. The common case is one system call and no allocation: the header block is built in a buffer shared by all connections
 * and written together with the caller's body; only what the socket does not take is copied and queued.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define TOGETHER_MAX 4096 /* copying so much costs less than handing over a second buffer */

typedef struct rest
{
  uv_write_t req;
  lf_http_conn *conn;
  size_t n;
  char data[];
} rest;

static void
on_written (uv_write_t *req, int status)
{
  rest *w = CONTAINER (req, rest, req);
  lf_http_conn *c = w->conn;
  c->queued -= w->n;
  free (w);
  if (c->state == ST_CLOSED)
    return;
  if (status < 0)
    {
      lf_http_conn_gone (c, false);
      lf_http_conn_close (c);
    }
  else
    {
      lf_http_conn_settle (c);
      if (c->state == ST_ANSWER && c->streaming && !c->answered && !c->failed && c->queued == 0 && c->server->o.on_drain)
        c->server->o.on_drain (&c->req, c->server->o.user);
    }
}

/* The client cannot be written to. The user hears of it from the loop, not from inside its own call. */
static void
lost (lf_http_conn *c)
{
  if (c->answered)
    lf_http_conn_close (c);
  else
    {
      c->failed = true;
      lf_http_server_wake (c);
    }
}

/* What the socket takes now; 0 when it is full, -1 when it is lost. One buffer goes by send, which is half the way of writev through the
 * kernel's file layer. */
static ssize_t
write_now (lf_http_conn *c, const uv_buf_t *bufs, unsigned n)
{
  uv_os_fd_t fd;
  if (n > 1 || uv_fileno ((uv_handle_t *) &c->tcp, &fd) < 0)
    {
      int rc = uv_try_write ((uv_stream_t *) &c->tcp, bufs, n);
      return rc == UV_EAGAIN ? 0 : rc;
    }
  for (;;)
    {
      ssize_t k = send (fd, bufs[0].base, bufs[0].len, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (k >= 0 || errno != EINTR)
        return k < 0 && (errno == EAGAIN || errno == ENOBUFS) ? 0 : k;
    }
}

static void
write_out (lf_http_conn *c, const uv_buf_t *bufs, unsigned n)
{
  size_t total = 0, sent = 0, at = 0;
  if (c->state == ST_CLOSED || c->failed)
    return;
  for (unsigned i = 0; i < n; i++)
    total += bufs[i].len;
  if (c->queued == 0)
    {
      ssize_t k = write_now (c, bufs, n);
      if (k < 0)
        {
          lost (c);
          return;
        }
      sent = (size_t) k;
    }
  if (sent == total)
    return;
  rest *w = malloc (sizeof *w + total - sent);
  if (!w)
    {
      lost (c);
      return;
    }
  w->conn = c;
  w->n = total - sent;
  for (unsigned i = 0; i < n; i++)
    {
      size_t skip = sent < bufs[i].len ? sent : bufs[i].len;
      sent -= skip;
      memcpy (w->data + at, bufs[i].base + skip, bufs[i].len - skip);
      at += bufs[i].len - skip;
    }
  uv_buf_t b = uv_buf_init (w->data, (unsigned) w->n);
  if (uv_write (&w->req, (uv_stream_t *) &c->tcp, &b, 1, on_written) < 0)
    {
      free (w);
      lost (c);
      return;
    }
  c->queued += w->n;
}

/* ---- the header block ----------------------------------------------------------------------------------------------------- */

static const char *
date_line (lf_http_shared *sh)
{
  int64_t now = lf_wall_us ();
  if (now / 1000000 != sh->date_s)
    {
      static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
      lf_utc t = lf_utc_from (now);
      lf_buf b;
      sh->date_s = now / 1000000;
      lf_buf_init (&b, sizeof sh->date - 1);
      lf_buf_addf (&b, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * (t.weekday % 7), t.day,
                   months + 3 * ((t.month + 11) % 12), t.year, t.hour, t.minute, t.second);
      memcpy (sh->date, b.failed ? "" : b.data, b.failed ? 1 : b.len + 1);
      lf_buf_fini (&b);
    }
  return sh->date;
}

/* A value comes from functions and clients as often as from us: a line break in it must not become a header of its own. */
static void
add_value (lf_buf *b, const char *v)
{
  size_t n = strlen (v), at = b->len;
  if (lf_buf_add (b, v, n) < 0)
    return;
  for (size_t i = strcspn (v, "\r\n"); i < n; i++)
    if (v[i] == '\r' || v[i] == '\n')
      b->data[at + i] = ' ';
}

typedef enum { FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE } framing;

static bool
bodiless (int status)
{
  return status == 204 || status == 304 || status < 200;
}

static lf_buf *
build_head (lf_http_conn *c, int status, const lf_http_pair *headers, size_t n, framing how, size_t len)
{
  lf_http_shared *sh = lf_http_shared_get ();
  lf_buf *b = &sh->out;
  if (b->cap > READ_BYTES)
    lf_buf_fini (b);
  lf_buf_reset (b);
  if (status == 200)
    lf_buf_add (b, "HTTP/1.1 200 OK\r\n", 17);
  else
    {
      lf_buf_add (b, "HTTP/1.1 ", 9);
      lf_buf_addu (b, status < 100 || status > 999 ? 500 : (unsigned) status, 10);
      lf_buf_addc (b, ' ');
      lf_buf_adds (b, lf_http_status_text (status));
      lf_buf_add (b, "\r\n", 2);
    }
  for (size_t i = 0; i < n; i++)
    {
      if (!headers[i].value)
        continue;
      lf_buf_adds (b, headers[i].name);
      lf_buf_add (b, ": ", 2);
      add_value (b, headers[i].value);
      lf_buf_add (b, "\r\n", 2);
    }
  lf_buf_adds (b, date_line (sh));
  if (how == FRAME_CHUNKED)
    lf_buf_adds (b, "Transfer-Encoding: chunked\r\n");
  else if (how == FRAME_LENGTH && !bodiless (status))
    {
      lf_buf_add (b, "Content-Length: ", 16);
      lf_buf_addu (b, len, 10);
      lf_buf_add (b, "\r\n", 2);
    }
  if (c->close_after)
    lf_buf_adds (b, "Connection: close\r\n");
  else if (c->http10)
    lf_buf_adds (b, "Connection: keep-alive\r\n");
  lf_buf_add (b, "\r\n", 2);
  return b;
}

static bool
usable (const lf_http_conn *c)
{
  return c->state != ST_CLOSED && c->state != ST_LINGER && !c->answered && !c->failed && !c->streaming;
}

/* The connection cannot go on after this answer: the client asked for that, or it waits for a "100 Continue" that will not come and
 * may or may not send its body. */
static void
decide_close (lf_http_conn *c)
{
  if (!c->keep_alive || c->expect)
    c->close_after = true;
}

static void
answer (lf_http_conn *c, int status, const lf_http_pair *headers, size_t n, const void *body, size_t len)
{
  c->answered = true;
  lf_buf *b = build_head (c, status, headers, n, FRAME_LENGTH, len);
  if (b->failed) /* no memory, or headers without end: whoever waits hears at least of that */
    b = build_head (c, 500, NULL, 0, FRAME_LENGTH, len = 0);
  if (b->failed)
    {
      lf_http_conn_close (c);
      return;
    }
  if (c->is_head || bodiless (status))
    len = 0;
  if (len && len <= TOGETHER_MAX && lf_buf_add (b, body, len) == 0)
    len = 0; /* it goes with the header block */
  uv_buf_t bufs[2] = { uv_buf_init (b->data, (unsigned) b->len), { .base = (char *) (uintptr_t) body, .len = len } };
  write_out (c, bufs, len ? 2 : 1);
  lf_http_conn_settle (c);
}

void
lf_http_reply (lf_http_req *r, int status, const lf_http_pair *headers, size_t n, const void *body, size_t len)
{
  lf_http_conn *c = r->conn;
  if (!usable (c))
    return;
  decide_close (c);
  answer (c, status, headers, n, body, len);
}

void
lf_http_reply_close (lf_http_req *r, int status, const lf_http_pair *headers, size_t n, const void *body, size_t len)
{
  lf_http_conn *c = r->conn;
  if (!usable (c))
    return;
  c->close_after = true;
  answer (c, status, headers, n, body, len);
}

void
lf_http_reply_refusal (lf_http_conn *c, int status)
{
  static const lf_http_pair type = { "Content-Type", "text/plain; charset=utf-8" };
  const char *text = lf_http_status_text (status);
  answer (c, status, &type, 1, text, strlen (text));
}

void
lf_http_reply_continue (lf_http_conn *c)
{
  static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
  uv_buf_t b = { .base = (char *) (uintptr_t) text, .len = sizeof text - 1 };
  c->expect = false;
  write_out (c, &b, 1);
}

/* ---- answers in pieces ---------------------------------------------------------------------------------------------------- */

void
lf_http_reply_begin (lf_http_req *r, int status, const lf_http_pair *headers, size_t n)
{
  lf_http_conn *c = r->conn;
  if (!usable (c))
    return;
  decide_close (c);
  if (c->http10)
    c->close_after = true; /* no chunks in 1.0: the end of the connection is the end of the answer */
  c->streaming = true;
  lf_buf *b = build_head (c, status, headers, n, c->http10 ? FRAME_CLOSE : FRAME_CHUNKED, 0);
  if (b->failed)
    {
      lost (c);
      return;
    }
  uv_buf_t buf = uv_buf_init (b->data, (unsigned) b->len);
  write_out (c, &buf, 1);
}

static bool
streaming (const lf_http_conn *c)
{
  return c->state != ST_CLOSED && c->streaming && !c->answered && !c->failed;
}

void
lf_http_reply_chunk (lf_http_req *r, const void *p, size_t n)
{
  lf_http_conn *c = r->conn;
  if (!streaming (c) || n == 0 || c->is_head)
    return;
  if (c->queued + n > WRITE_MAX)
    {
      lost (c); /* a reader this slow would have us hold the whole stream */
      return;
    }
  uv_buf_t data = { .base = (char *) (uintptr_t) p, .len = n };
  if (c->http10)
    {
      write_out (c, &data, 1);
      return;
    }
  lf_buf *b = &lf_http_shared_get ()->out;
  lf_buf_reset (b);
  lf_buf_addu (b, n, 16);
  lf_buf_add (b, "\r\n", 2);
  if (b->failed)
    {
      lost (c);
      return;
    }
  uv_buf_t bufs[3] = { uv_buf_init (b->data, (unsigned) b->len), data, { .base = b->data + b->len - 2, .len = 2 } };
  write_out (c, bufs, 3);
}

void
lf_http_reply_end (lf_http_req *r)
{
  static const char last[] = "0\r\n\r\n";
  lf_http_conn *c = r->conn;
  if (!streaming (c))
    return;
  c->answered = true;
  uv_buf_t b = { .base = (char *) (uintptr_t) last, .len = sizeof last - 1 };
  if (!c->http10 && !c->is_head)
    write_out (c, &b, 1);
  lf_http_conn_settle (c);
}

/* The last chunk is missing, and the connection ends. */
void
lf_http_reply_abort (lf_http_req *r)
{
  lf_http_conn *c = r->conn;
  if (!streaming (c))
    return;
  c->answered = c->close_after = true;
  lf_http_conn_settle (c);
}

size_t
lf_http_reply_queued (const lf_http_req *r)
{
  return r->conn->queued;
}
