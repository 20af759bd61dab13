/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. server.c owns sockets, lists and the timer; conn.c moves bytes and knows the life of a
 * connection; message.c turns bytes into a request; reply.c turns an answer into bytes.
 */
#ifndef LF_HTTP_INTERNAL_H
#define LF_HTTP_INTERNAL_H

#include <llhttp.h>

#include "lambdafit/http.h"

#define READ_BYTES ((size_t) 64 << 10)       /* one read; the buffer is shared by all connections of a thread */
#define PENDING_MAX ((size_t) 64 << 10)      /* pipelined bytes held while a request is being answered; then reading stops */
#define SWALLOW_MAX ((int64_t) 1 << 30)      /* most bytes of a refused body to read and throw away */
#define WRITE_MAX ((size_t) 64 << 20)        /* bytes of a streamed answer that may wait for a slow reader */
#define HEADERS_MAX 256                      /* header lines of one block */
#define LINGER_MS 2000                       /* how long to read on after the last answer, so that the client gets to see it */
#define KEEP_HEAD ((size_t) 4 << 10)         /* what an idle connection may keep of its buffers */
#define KEEP_BODY ((size_t) 4 << 10)
#define KEEP_HEADERS ((size_t) 32)

typedef struct chain { struct chain *prev, *next; } chain;
#define CONTAINER(p, type, member) ((type *) (void *) ((char *) (p) -offsetof (type, member)))
static inline void
chain_init (chain *l)
{
  l->prev = l->next = l;
}
static inline void
chain_remove (chain *l)
{
  l->prev->next = l->next;
  l->next->prev = l->prev;
  chain_init (l);
}
static inline void
chain_append (chain *list, chain *l)
{
  l->prev = list->prev;
  l->next = list;
  list->prev->next = l;
  list->prev = l;
}
static inline bool
chain_linked (const chain *l)
{
  return l->next != l;
}

typedef enum
{
  ST_HEAD,    /* waiting for a header block, or in the middle of one */
  ST_LENGTH,  /* reading a body with Content-Length */
  ST_CHUNKED, /* reading a chunked body and its trailers */
  ST_ANSWER,  /* the request is complete and waits for its answer, or for the answer to be taken by the client */
  ST_LINGER,  /* everything is answered; reading on so that the client sees it */
  ST_CLOSED   /* uv_close was called */
} conn_state;

struct lf_http_conn
{
  uv_tcp_t tcp;
  lf_http_server *server;
  chain all, wake;           /* in the server's lists */
  lf_http_req req;
  llhttp_t parser;
  conn_state state;
  int64_t since_ms;         /* when the state last moved on */
  lf_buf head;              /* the header block; views point into it */
  size_t head_scanned;
  lf_buf trail;             /* names and values of trailers, one after another */
  lf_buf pending;           /* bytes after the request that is being answered */
  size_t pending_off;
  size_t headers_cap, trailers_cap;
  int64_t length_left;      /* Content-Length bytes still to come */
  int64_t wire_bytes;       /* of the message body as sent */
  size_t held;              /* memory of its request, as the server has counted it */
  size_t queued;            /* answer bytes the socket has not taken */
  size_t stall_bytes;       /* of them at the last look of the timer: no change means a client that does not read */
  int status;               /* of a protocol error found by a callback of the parser, or 0 */
  unsigned blank;           /* empty lines before a request line */
  bool in_feed;             /* do not go on to the next request from inside a callback */
  bool paused;              /* reading is stopped */
  bool seen;                /* the user may know the request */
  bool answered;            /* its answer is complete */
  bool streaming;           /* its answer has begun in pieces */
  bool failed;              /* the client is gone, found while writing a streamed answer */
  bool headers_done, message_done, chunked, keep_alive, http10, is_head, expect, discard, close_after, eof, in_value;
};

struct lf_http_server
{
  lf_http_server_options o;
  uv_tcp_t listener;
  uv_timer_t timer;
  uv_idle_t idle;
  chain conns, wakes;
  size_t conns_n;
  size_t held;              /* of all connections */
  int handles;              /* still to be closed before the memory may go */
  int64_t tick_ms;
  bool listening, closing;
  bool accept_owed;         /* a connection waits to be accepted when there is memory again */
};

/* What all servers of a thread share: nothing here outlives one callback. */
typedef struct lf_http_shared
{
  size_t users;
  char *read;               /* READ_BYTES */
  lf_buf out;               /* header block of an answer */
  int64_t date_s;
  char date[64];
} lf_http_shared;
lf_http_shared *lf_http_shared_get (void);

/* server.c */
void lf_http_server_arm (lf_http_server *s);         /* the timer has something to wait for */
void lf_http_server_wake (lf_http_conn *c);          /* call lf_http_conn_wake soon, outside any callback of the user */
void lf_http_server_forget (lf_http_conn *c);        /* c is being closed */
void lf_http_server_unref (lf_http_server *s);       /* a handle is closed */
void lf_http_server_refused (lf_http_server *s);     /* counts one */
void lf_http_server_account (lf_http_conn *c);       /* its buffers have changed; may refuse it or another one */
bool lf_http_server_room (lf_http_conn *c);          /* for one more connection, if necessary in the place of an idle one */

/* conn.c */
lf_http_conn *lf_http_conn_new (lf_http_server *s);   /* with a handle that has no socket yet; NULL: no memory */
void lf_http_conn_start (lf_http_conn *c);
int lf_http_conn_accept (lf_http_server *s);         /* -1: no memory, try again later */
void lf_http_conn_close (lf_http_conn *c);
void lf_http_conn_free (lf_http_conn *c);
void lf_http_conn_wake (lf_http_conn *c);
void lf_http_conn_drain (lf_http_conn *c);
void lf_http_conn_sweep (lf_http_conn *c, int64_t now, bool *again);
void lf_http_conn_gone (lf_http_conn *c, bool truncated);
void lf_http_conn_refuse (lf_http_conn *c, int status); /* a protocol error: says so and closes */
void lf_http_conn_settle (lf_http_conn *c);          /* after an answer or its last byte: next request, or close */

/* message.c. Return how many bytes were taken, or -1 with *status the error to answer with. */
void lf_http_message_reset (lf_http_conn *c);
ptrdiff_t lf_http_head_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status);
int lf_http_head_parse (lf_http_conn *c, int *status);
ptrdiff_t lf_http_chunked_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status);
ptrdiff_t lf_http_length_feed (lf_http_conn *c, const char *p, size_t n, bool *complete, int *status);
int lf_http_body_begin (lf_http_conn *c);

/* reply.c */
void lf_http_reply_refusal (lf_http_conn *c, int status);
void lf_http_reply_continue (lf_http_conn *c);

/* Case-insensitive search of a header. */
lf_str lf_http_find (const lf_http_header *h, size_t n, const char *name);

#endif
