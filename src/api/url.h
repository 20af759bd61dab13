/* SPDX-License-Identifier: Apache-2.0
 *
 * api, inside: a call by a function URL, and its streamed answer.
 */
#ifndef LF_API_URL_H
#define LF_API_URL_H

#include "invoke.h"

typedef enum { LF_URLS_NONE, LF_URLS_PRELUDE, LF_URLS_OPEN, LF_URLS_DEAD } lf_url_stream_state;

typedef struct lf_url_call
{
  lf_waiting waiting;
  lf_http_req *req;        /* NULL: answered before the call's end */
  lf_call *call;
  lf_live_fn *fn;          /* valid while the call is */
  lf_svc_error reject;
  char text[160];
  lf_url_stream_state state; /* NONE: nothing has come; PRELUDE: its JSON is being collected; OPEN: the answer has begun; DEAD: it was refused */
  lf_buf prelude;
} lf_url_call;

extern const lf_stream_ops lf_url_stream_ops;
void lf_url_stream_drained (lf_http_req *r);
/* The end of a response that was streamed. */
void lf_url_stream_end (lf_url_call *c, const lf_outcome *o);

/* Header lines of an answer, with the request id and the trace id; the caller frees *h. -1: no memory. */
int lf_url_headers (const lf_url_answer *a, const char *request_id, const char *trace_id, lf_http_pair **h, size_t *n);
/* 502, and a line that says why (NULL: nothing to say). */
void lf_url_reply_failed (lf_http_req *r, lf_live_fn *fn, const char *request_id, const char *why);

#endif
