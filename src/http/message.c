/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to requests. The header block is first collected whole (so every view into it stays where it is, and its lines can be
 * checked for what a lenient parser would let through), then parsed in one go. Bodies with a length are counted here; chunked ones
 * go through the parser.
 */
#include <string.h>
#include <strings.h>
#include <stdlib.h>

#include "internal.h"

/* Makes room for one more header; false when there are too many or no memory. */
static bool
header_room (lf_http_header **v, size_t n, size_t *cap)
{
  if (n < *cap)
    return true;
  size_t more = *cap ? *cap * 2 : 16;
  if (n >= HEADERS_MAX)
    return false;
  lf_http_header *p = realloc (*v, more * sizeof *p);
  if (!p)
    return false;
  *v = p;
  *cap = more;
  return true;
}

static int
refuse (lf_http_conn *c, int status)
{
  if (!c->status)
    c->status = status;
  return HPE_USER;
}

static int
on_url (llhttp_t *p, const char *at, size_t n)
{
  lf_http_conn *c = p->data;
  if (c->req.target.p && c->req.target.p + c->req.target.n != at)
    return refuse (c, 400);
  if (!c->req.target.p)
    c->req.target.p = at;
  c->req.target.n += n;
  return 0;
}

/* Trailers may come in pieces over several reads, so their bytes are collected and the views made at the end (trailers_done). */
static int
trailer_bytes (lf_http_conn *c, const char *at, size_t n)
{
  if (n > c->server->o.header_max || c->trail.len > c->server->o.header_max - n)
    return refuse (c, 431);
  return lf_buf_add (&c->trail, at, n) < 0 ? refuse (c, 503) : 0;
}

static int
on_field (llhttp_t *p, const char *at, size_t n)
{
  lf_http_conn *c = p->data;
  lf_http_req *r = &c->req;
  bool trailer = c->headers_done;
  size_t *count = trailer ? &r->trailers_n : &r->headers_n;
  if (c->in_value || *count == 0)
    {
      if (!header_room (trailer ? &r->trailers : &r->headers, *count, trailer ? &c->trailers_cap : &c->headers_cap))
        return refuse (c, 431);
      (trailer ? r->trailers : r->headers)[(*count)++] = (lf_http_header){ { at, 0 }, { "", 0 } };
      c->in_value = false;
    }
  (trailer ? r->trailers : r->headers)[*count - 1].name.n += n;
  return trailer ? trailer_bytes (c, at, n) : 0;
}

static int
on_value (llhttp_t *p, const char *at, size_t n)
{
  lf_http_conn *c = p->data;
  lf_http_req *r = &c->req;
  bool trailer = c->headers_done;
  c->in_value = true;
  lf_str *v = trailer ? &r->trailers[r->trailers_n - 1].value : &r->headers[r->headers_n - 1].value;
  if (!trailer && v->n == 0)
    v->p = at;
  else if (!trailer && v->p + v->n != at)
    return refuse (c, 400);
  v->n += n;
  return trailer ? trailer_bytes (c, at, n) : 0;
}

static int
on_field_complete (llhttp_t *p)
{
  ((lf_http_conn *) p->data)->in_value = true; /* also when the value is empty */
  return 0;
}

static int
on_headers_complete (llhttp_t *p)
{
  lf_http_conn *c = p->data;
  c->headers_done = true;
  c->chunked = p->flags & F_CHUNKED;
  c->keep_alive = llhttp_should_keep_alive (p);
  c->http10 = p->http_minor == 0;
  if ((p->flags & F_TRANSFER_ENCODING) && (!c->chunked || c->http10 || (p->flags & F_CONTENT_LENGTH)))
    return refuse (c, 400);
  if (p->content_length > INT64_MAX)
    return refuse (c, 413);
  c->length_left = (int64_t) p->content_length;
  p->upgrade = 0; /* an upgrade is an offer, and we may ignore it */
  return c->chunked ? 0 : 1; /* 1: the parser is done with this message, the body is counted here */
}

static int
on_body (llhttp_t *p, const char *at, size_t n)
{
  lf_http_conn *c = p->data;
  lf_http_req *r = &c->req;
  r->body_seen += (int64_t) n;
  if (!r->too_large && r->body_seen > r->body_limit)
    {
      r->too_large = true;
      r->body.len = r->body.len < LF_HTTP_KEPT ? r->body.len : LF_HTTP_KEPT;
    }
  if (r->too_large || c->answered)
    return 0;
  return lf_buf_add (&r->body, at, n) < 0 ? refuse (c, 503) : 0;
}

static int
on_message_complete (llhttp_t *p)
{
  ((lf_http_conn *) p->data)->message_done = true;
  return HPE_PAUSED;
}

static const llhttp_settings_t *
settings (void)
{
  static const llhttp_settings_t s = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_field_complete = on_field_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
  };
  return &s;
}

static lf_str
trimmed (lf_str v)
{
  while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
    v.n--;
  while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
    {
      v.p++;
      v.n--;
    }
  return v;
}

void
lf_http_message_reset (lf_http_conn *c)
{
  lf_http_req *r = &c->req;
  lf_buf body = r->body;
  lf_buf_reset (&body);
  if (body.cap > (size_t) LF_MB)
    lf_buf_fini (&body);
  lf_buf_reset (&c->head);
  if (c->head.cap > KEEP_HEAD)
    lf_buf_fini (&c->head);
  if (c->headers_cap > KEEP_HEADERS)
    {
      free (r->headers);
      r->headers = NULL;
      c->headers_cap = 0;
    }
  lf_buf_reset (&c->trail);
  *r = (lf_http_req){ .conn = c, .headers = r->headers, .trailers = r->trailers, .body = body };
  c->head_scanned = 0;
  c->length_left = c->wire_bytes = 0;
  c->status = 0;
  c->blank = 0;
  c->seen = c->answered = c->streaming = c->headers_done = c->message_done = c->chunked = false;
  c->http10 = c->is_head = c->expect = c->discard = c->in_value = false;
  c->keep_alive = true;
}

/* ---- the header block ----------------------------------------------------------------------------------------------------- */

/* Looks for the end of the header block. Returns the offset after it, 0 when it is not there yet (*from says where to go on), -1
 * for a line that does not end in CRLF or that continues the line before: readers differ about those, which is how requests are
 * smuggled. */
static ptrdiff_t
head_end (const char *p, size_t n, size_t *from)
{
  size_t i = *from;
  const char *lf;
  while (i < n && (lf = memchr (p + i, '\n', n - i)))
    {
      size_t k = (size_t) (lf - p);
      if (k == 0 || p[k - 1] != '\r')
        return -1;
      if (k == 1 || p[k - 2] == '\n')
        return (ptrdiff_t) k + 1;
      if (k + 1 == n)
        {
          *from = k; /* the next byte decides whether the line goes on */
          return 0;
        }
      if (p[k + 1] == ' ' || p[k + 1] == '\t')
        return -1;
      i = k + 1;
    }
  *from = n;
  return 0;
}

static ptrdiff_t
head_fail (int *status, int with)
{
  *status = with;
  return -1;
}

ptrdiff_t
lf_http_head_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status)
{
  size_t skipped = 0, max = c->server->o.header_max, had;
  if (c->head.len == 0)
    while (skipped < n && (p[skipped] == '\r' || p[skipped] == '\n'))
      {
        /* Old clients send an empty line after a body. More than a few is no client. */
        skipped++;
        if (++c->blank > 8)
          return head_fail (status, 400);
      }
  p += skipped;
  n -= skipped;
  if (n == 0)
    return (ptrdiff_t) skipped;
  had = c->head.len;
  ptrdiff_t end = had == 0 ? head_end (p, n, &c->head_scanned) : 0;
  if (end < 0)
    return head_fail (status, 400);
  size_t take = end > 0 ? (size_t) end : n;
  if (take > max + 1 - had)
    take = max + 1 - had; /* one byte too many tells "too large" */
  if (lf_buf_add (&c->head, p, take) < 0)
    return head_fail (status, 503);
  if (had > 0)
    {
      end = head_end (c->head.data, c->head.len, &c->head_scanned);
      if (end < 0)
        return head_fail (status, 400);
      if (end > 0)
        {
          take = (size_t) end - had;
          c->head.len = (size_t) end;
        }
    }
  if (c->head.len > max)
    return head_fail (status, 431);
  *complete = end > 0;
  return (ptrdiff_t) (skipped + take);
}

/* "METHOD TARGET HTTP/1.x" with single spaces and nothing else. The parser is wider: it takes other protocols, and several spaces.
 */
static bool
request_line (lf_http_conn *c)
{
  lf_http_req *r = &c->req;
  const char *head = c->head.data;
  const char *space = memchr (head, ' ', c->head.len);
  if (!space || r->target.p != space + 1 || r->target.n == 0)
    return false;
  r->method = (lf_str){ head, (size_t) (space - head) };
  const char *rest = r->target.p + r->target.n;
  size_t left = c->head.len - (size_t) (rest - head);
  return left >= 11 && memcmp (rest, " HTTP/1.", 8) == 0 && (rest[8] == '0' || rest[8] == '1') && rest[9] == '\r';
}

/* path and query are parts of the target; an absolute target (as sent to proxies) is stripped of its origin. */
static void
split_target (lf_http_req *r)
{
  lf_str t = r->target;
  if (t.n >= 7 && strncasecmp (t.p, "http://", 7) == 0)
    {
      const char *slash = memchr (t.p + 7, '/', t.n - 7);
      t = slash ? (lf_str){ slash, t.n - (size_t) (slash - t.p) } : (lf_str){ "/", 1 };
    }
  const char *hash = memchr (t.p, '#', t.n);
  if (hash)
    t.n = (size_t) (hash - t.p);
  const char *mark = memchr (t.p, '?', t.n);
  r->path = mark ? (lf_str){ t.p, (size_t) (mark - t.p) } : t;
  r->query = mark ? (lf_str){ mark + 1, t.n - r->path.n - 1 } : (lf_str){ t.p + t.n, 0 };
}

/* What the header lines say about the message itself. Returns 0 or the status to refuse with. */
static int
header_rules (lf_http_conn *c)
{
  lf_http_req *r = &c->req;
  bool host = false;
  for (size_t i = 0; i < r->headers_n; i++)
    {
      lf_http_header *h = &r->headers[i];
      h->value = trimmed (h->value);
      if (h->name.n == 0)
        return 400;
      if (h->name.n == 4 && lf_str_ieq (h->name, "Host"))
        {
          if (host)
            return 400;
          host = true;
        }
      else if (h->name.n == 17 && lf_str_ieq (h->name, "Transfer-Encoding") && !lf_str_ieq (h->value, "chunked"))
        return 501;
      else if (h->name.n == 6 && lf_str_ieq (h->name, "Expect"))
        {
          if (!lf_str_ieq (h->value, "100-continue"))
            return 417;
          c->expect = !c->http10 && (c->chunked || c->length_left > 0);
        }
    }
  return 0;
}

int
lf_http_head_parse (lf_http_conn *c, int *status)
{
  llhttp_init (&c->parser, HTTP_REQUEST, settings ());
  c->parser.data = c;
  llhttp_errno_t e = llhttp_execute (&c->parser, c->head.data, c->head.len);
  if (!c->headers_done || (e != HPE_OK && e != HPE_PAUSED) || !request_line (c))
    return (int) head_fail (status, c->status ? c->status : e == HPE_INVALID_VERSION ? 505 : 400);
  c->is_head = lf_str_ieq (c->req.method, "HEAD");
  if (lf_str_ieq (c->req.method, "CONNECT"))
    return (int) head_fail (status, 501);
  split_target (&c->req);
  int rule = header_rules (c);
  return rule ? (int) head_fail (status, rule) : 0;
}

/* ---- bodies --------------------------------------------------------------------------------------------------------------- */

int
lf_http_body_begin (lf_http_conn *c)
{
  lf_http_req *r = &c->req;
  r->body.max = r->body_limit > 0 ? (size_t) r->body_limit : 1;
  if (r->body.max > LF_BUF_MAX)
    r->body.max = LF_BUF_MAX;
  /* All of a declared length at once: the socket then reads into it directly, and untouched pages cost nothing. */
  return c->chunked || r->stream ? 0 : lf_buf_reserve (&r->body, (size_t) c->length_left);
}

ptrdiff_t
lf_http_length_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status)
{
  lf_http_req *r = &c->req;
  size_t take = (uint64_t) c->length_left < n ? (size_t) c->length_left : n;
  if (!r->too_large && !c->answered)
    {
      if (r->body.data && p == r->body.data + r->body.len)
        {
          r->body.len += take; /* read in place */
          r->body.data[r->body.len] = '\0';
        }
      else if (lf_buf_add (&r->body, p, take) < 0)
        return head_fail (status, 503);
    }
  else if (r->too_large && !r->stream && !c->answered && r->body.len < LF_HTTP_KEPT)
    lf_buf_add (&r->body, p, take < LF_HTTP_KEPT - r->body.len ? take : LF_HTTP_KEPT - r->body.len); /* what does not fit in memory is not shown */
  c->length_left -= (int64_t) take;
  c->wire_bytes += (int64_t) take;
  r->body_seen += (int64_t) take;
  *complete = c->length_left == 0;
  return (ptrdiff_t) take;
}

static void
trailers_done (lf_http_conn *c)
{
  const char *p = c->trail.data;
  for (size_t i = 0; i < c->req.trailers_n; i++)
    {
      lf_http_header *h = &c->req.trailers[i];
      h->name.p = p;
      h->value.p = p + h->name.n;
      p = h->value.p + h->value.n;
      h->value = trimmed (h->value);
    }
}

ptrdiff_t
lf_http_chunked_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status)
{
  llhttp_errno_t e = llhttp_execute (&c->parser, p, n);
  size_t take = n;
  if (e == HPE_PAUSED && c->message_done)
    {
      take = (size_t) (llhttp_get_error_pos (&c->parser) - p);
      trailers_done (c);
      *complete = true;
    }
  else if (e != HPE_OK)
    return head_fail (status, c->status ? c->status : 400);
  c->wire_bytes += (int64_t) take;
  return (ptrdiff_t) take;
}
