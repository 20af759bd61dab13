/* SPDX-License-Identifier: Apache-2.0
 *
 * http: HTTP/1.1 connections on libuv with llhttp: bounded, keep-alive, pipelining in order, chunked bodies with trailers in both directions,
 * Expect: 100-continue. One loop, one thread, nothing blocks. Plus a small blocking client for the command line.
 */
#ifndef LAMBDAFIT_HTTP_H
#define LAMBDAFIT_HTTP_H

#include <uv.h>
#include "lambdafit/base.h"

typedef struct lf_http_server lf_http_server;
typedef struct lf_http_conn lf_http_conn;
typedef struct lf_http_req lf_http_req;

#define LF_HTTP_KEPT ((size_t) 16384)
typedef struct lf_http_header { lf_str name, value; } lf_http_header;

/* A request, owned by its connection. Valid from on_headers until it is answered (and, if the client goes away first, until `gone` was called). */
struct lf_http_req
{
  lf_http_conn *conn;
  lf_str method;                  /* "GET" */
  lf_str target, path, query;     /* raw, not decoded; query without '?' */
  lf_http_header *headers;
  size_t headers_n;
  lf_buf body;                    /* whole body (on_request); the route may take it (and leave an initialised one) */
  lf_http_header *trailers;
  size_t trailers_n;
  int64_t body_limit;             /* set by on_headers: most bytes to accept (default: the server's); more: `too_large` */
  bool too_large;                 /* the body was larger: it was read and thrown away but for its first LF_HTTP_KEPT bytes (none with `stream`); body_seen counts them all */
  int64_t body_seen;
  bool stream;                    /* set by on_headers: the body comes in pieces (on_body) and is never kept; on_request still ends it */
  bool truncated;                 /* the client closed in the middle of the body (only on_gone is called) */
  void *user;                     /* the route's */
};
lf_str lf_http_get (const lf_http_req *r, const char *name);      /* header value, trimmed; {NULL,0} when absent; first of repeats */
lf_str lf_http_trailer (const lf_http_req *r, const char *name);
bool lf_http_has (const lf_http_req *r, const char *name);
void lf_http_peer (const lf_http_req *r, char out[46]);           /* the client's address without its port; "" when there is none */

typedef struct lf_http_server_options
{
  uv_loop_t *loop;
  size_t header_max;              /* whole header block; more: 431 and close */
  int64_t body_max;               /* default body limit */
  size_t conns_max;               /* 0: no limit; for one more the one that has been idle longest is closed, or it is closed itself */
  size_t held_max;                /* 0: no limit; memory for requests that are not complete, of all connections: over it, the largest is refused (503) */
  int64_t idle_ms;                /* a connection with no request for this long is closed; 0: never (Runtime API) */
  int64_t header_ms;              /* a header block must be complete within this time of its first byte; 0: never */
  void *user;
  void (*on_refused) (void *user);                  /* optional: a connection or a request was refused before the user saw it, or given up as too slow */
  bool (*on_connect) (int fd, void *user);          /* optional: false closes a connection that was just accepted */
  void (*on_headers) (lf_http_req *r, void *user);  /* optional: may set body_limit, or answer at once with lf_http_reply */
  void (*on_request) (lf_http_req *r, void *user);  /* body complete; answer now or later with lf_http_reply */
  void (*on_body) (lf_http_req *r, void *user);     /* of a request with `stream`: r->body holds a piece, which is dropped afterwards */
  void (*on_drain) (lf_http_req *r, void *user);    /* optional: the client has taken all of what was written of an answer in pieces */
  void (*on_gone) (lf_http_req *r, void *user);     /* optional: the client closed before the answer (also mid-body: truncated); do not answer; forget r */
  void (*on_truncated) (lf_http_req *r, void *user); /* optional: the client half closed in the middle of the body; must answer before it returns. Not set: on_gone */
} lf_http_server_options;

lf_http_server *lf_http_server_new (const lf_http_server_options *o, lf_error *err);
/* port 0: any. The bound port is *port afterwards. "address in use" is an error that says so. */
int lf_http_listen (lf_http_server *s, const char *host, int *port, lf_error *err);
int lf_http_listen_fd (lf_http_server *s, int fd, lf_error *err); /* takes ownership of a listening socket (on success) */
int lf_http_adopt_fd (lf_http_server *s, int fd, lf_error *err);  /* serves one connected socket; takes ownership (on success) */
/* Stops listening and closes every connection; frees itself when libuv has closed the handles. No callbacks afterwards. */
void lf_http_server_close (lf_http_server *s);
/* Reads what the connections have sent already: before lf_http_server_drop, so that the last words of a dead process count. */
void lf_http_server_drain (lf_http_server *s);
/* Closes every connection (no on_gone for their requests), goes on listening: the peer's process is known to be dead. */
void lf_http_server_drop (lf_http_server *s);
size_t lf_http_server_conns (const lf_http_server *s);

/* The life of a request. on_headers (if set) and then on_request are called from the loop, never from inside a reply. A request answered in
 * on_headers gets no on_request: what is left of its body is read and thrown away. A client that closes (or half closes) its connection
 * before the answer is gone: on_gone is called once, and the request's memory goes with the connection when the loop comes round, so it must
 * be forgotten there; answers inside on_gone are ignored. on_gone is also called for a request that broke off or went wrong in its body,
 * with `truncated`, whether or not on_headers is set. A body over the limit whose client waits for "100 Continue" is not read at all:
 * body_seen is then the declared length. Malformed requests are answered with 400, 417, 431, 501 or 505 and the connection ends. */

/* Answers a request. Headers are literal lines without Content-Length, Date, Connection (added here as needed): an array of name, value pairs.
 * The body is copied (small) or written at once without copying where the socket takes it. Pipelined requests are answered in order. */
typedef struct lf_http_pair { const char *name; const char *value; } lf_http_pair;
void lf_http_reply (lf_http_req *r, int status, const lf_http_pair *headers, size_t n, const void *body, size_t len);
void lf_http_reply_close (lf_http_req *r, int status, const lf_http_pair *headers, size_t n, const void *body, size_t len); /* and close */
/* Chunked answer in pieces, for streams. */
void lf_http_reply_begin (lf_http_req *r, int status, const lf_http_pair *headers, size_t n);
void lf_http_reply_chunk (lf_http_req *r, const void *p, size_t n);
void lf_http_reply_end (lf_http_req *r);
void lf_http_reply_abort (lf_http_req *r); /* ends an answer in pieces so that the client sees it is not whole */
/* Stops and goes on reading the body of a request with `stream`. A little may still come after a stop. */
void lf_http_pause (lf_http_req *r, bool stop);
size_t lf_http_reply_queued (const lf_http_req *r); /* bytes the client has not taken yet; a stream of which 64 MiB wait is given up (on_gone) */
const char *lf_http_status_text (int status);

/* ---- blocking client (command line only) --------------------------------------------------------------------------------------------- */

typedef struct lf_http_answer { int status; lf_http_header *headers; size_t headers_n; lf_buf body; lf_buf head; } lf_http_answer;
/* endpoint "http://127.0.0.1:3001". timeout_ms 0: none. A refused connection is LF_EXIT_IO with the fix "start it with lambdafit serve". */
int lf_http_call (const char *endpoint, const char *method, const char *path, const lf_http_pair *headers, size_t n, const void *body,
                  size_t len, int64_t timeout_ms, lf_http_answer *out, lf_error *err);
/* The same for an answer that comes in pieces: `piece` is called whenever more of the body of a 200 is there. out->body holds what is not yet
 * taken; what it takes it removes from the front with lf_http_answer_take. Other answers are read whole. */
int lf_http_call_stream (const char *endpoint, const char *method, const char *path, const lf_http_pair *headers, size_t n, const void *body,
                         size_t len, void (*piece) (lf_http_answer *a, void *user), void *user, lf_http_answer *out, lf_error *err);
void lf_http_answer_take (lf_http_answer *a, size_t n);
lf_str lf_http_answer_get (const lf_http_answer *a, const char *name);
void lf_http_answer_fini (lf_http_answer *a);

#endif
