/* SPDX-License-Identifier: Apache-2.0
 *
 * A server on a real loop with loopback clients, all in one thread: nothing happens but what `turn` lets happen, and waiting is
 * always for a condition with a deadline.
 */
#ifndef LF_HTTP_WORLD_H
#define LF_HTTP_WORLD_H

#include "lambdafit/http.h"

#define HELD_MAX 64

typedef struct world
{
  uv_loop_t loop;
  lf_http_server *server;
  lf_http_server_options o;
  int port;
  bool hold;                    /* keep requests in `held` instead of answering them */
  bool answer_in_headers;       /* on_headers answers with 403 */
  bool close_server;            /* on_request closes the server */
  lf_http_req *held[HELD_MAX];
  size_t held_n;
  size_t requests, gone, truncated, heads;
  int64_t last_seen;            /* body_seen of the last request */
  bool stream_bodies;           /* bodies are taken in pieces */
  size_t pieces, piece_bytes, drained;
  lf_http_req *last_piece_of;
  lf_buf echo;
} world;

void world_open (world *w);                     /* fill w->o first (zero is fine) */
void world_close (world *w);
void turn (world *w);                           /* one turn of the loop, without blocking */
int dial (world *w);                            /* a connected, non-blocking client */
void give (world *w, int fd, const void *p, size_t n); /* sends all of it, turning the loop meanwhile */
void gives (world *w, int fd, const char *s);
/* Reads until `want` bytes are there or the server closes; turns the loop meanwhile. false: neither within five seconds. */
bool take (world *w, int fd, lf_buf *in, size_t want, bool *closed);
/* Reads one whole answer (by its Content-Length or its chunks) and removes it from *in into *one. */
bool take_answer (world *w, int fd, lf_buf *in, lf_buf *one);
bool take_close (world *w, int fd, lf_buf *in);        /* everything until the server closes */
#define UNTIL(w, condition) \
  do \
    { \
      lf_time_us end_ = lf_now_us () + 60000000; \
      while (!(condition) && lf_now_us () < end_) \
        turn (w); \
      assert_true (condition); \
    } \
  while (0)

#endif
