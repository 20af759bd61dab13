/* SPDX-License-Identifier: Apache-2.0
 *
 * api, inside: the Invoke API's server and its routes.
 */
#ifndef LF_API_INVOKE_H
#define LF_API_INVOKE_H

#include "lambdafit/api.h"
#include "routes.h"

/* What r->user points to while a request waits begins with this: what to do when the client goes away, and when it has taken all that was
 * written of an answer in pieces (may be NULL). */
typedef struct lf_waiting { void (*gone) (lf_http_req *r); void (*drained) (lf_http_req *r); } lf_waiting;
#define LF_STREAM_AHEAD ((size_t) 1 << 20) /* bytes of a stream that may wait for a slow client before the function waits */

/* Answers with a service error; request_id NULL makes one. */
void lf_svc_reply (lf_http_req *r, lf_svc_error e, const char *request_id, const char *reason, int64_t retry_after_ms, const char *text);

/* ---- routes (one table: routes.def) ---------------------------------------------------------------------------------------------- */

typedef struct lf_route lf_route;
typedef struct lf_route_args
{
  const lf_route *route;
  lf_str arg[8];  /* the path's parts that stand where the pattern has stars, not decoded */
  size_t n;
} lf_route_args;
/* Answers, now or later. */
typedef void (*lf_route_run) (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
/* What the first star of a control operation stands for. */
typedef enum { LF_NAMES_NOTHING, LF_NAMES_FUNCTION, LF_NAMES_OTHER } lf_route_names;
struct lf_route
{
  const char *operation, *method, *path, *query; /* query may be NULL */
  lf_route_run run;
  int64_t body_max;         /* 0: the server's */
  lf_route_names names;     /* the rest is for lf_route_op and lf_route_code */
  lf_deploy_op *op;
  lf_deploy_code_op *code;
  int status;
};
size_t lf_api_routes (const lf_route **out);

/* Value of a query parameter, decoded; caller frees; NULL when absent. */
char *lf_api_query (const lf_http_req *r, const char *key);
/* The function a part of the path names, or NULL when it was answered with an error. *qualifier is the caller's to free. Control operations
 * name a function they do not find without a qualifier. */
lf_live_fn *lf_api_function (lf_api_invoke *a, lf_http_req *r, lf_str segment, bool control, char **qualifier);

/* Cuts a part of the path into the function's name, its qualifier (of the query, too) and its region; false when it was answered with an
 * error. The caller frees all three. */
bool lf_api_name (lf_http_req *r, lf_str segment, char **name, char **qualifier, char **region);
lf_deploy *lf_api_deploy (const lf_api_invoke *a);
void lf_svc_refuse (lf_http_req *r, const lf_refusal *no);

/* deploy.c */
void lf_route_op (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_code (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_download (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
/* Requests that a worker is busy with; the caller may go away meanwhile. */
typedef struct lf_api_pending { lf_waiting w; lf_http_req *r; const lf_route *route; struct lf_api_pending *next; } lf_api_pending;
lf_api_pending **lf_api_pendings (lf_api_invoke *a);
/* The region in the scope of the caller's signature, "" without one. */
void lf_api_client_region (const lf_http_req *r, char out[32]);

void lf_route_invoke (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_invoke_async (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_concurrency (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_events_list (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_route_events (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);

void lf_route_invoke_stream (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_invoke_stream_route (lf_http_req *r, lf_live_fn *fn, const char *qualifier);
/* The pieces of InvokeWithResponseStream's answer: invoke_stream.c */
void lf_stream_begin (lf_http_req *r, const char *request_id, const char *version, const char *content_type, const char *trace);
void lf_stream_chunk (lf_http_req *r, const char *p, size_t n);
void lf_stream_end (lf_http_req *r, const lf_outcome *o, bool tail);
void lf_stream_fail (lf_http_req *r, const char *text);

void lf_invoke_route (lf_http_req *r, lf_live_fn *fn, const char *qualifier);
void lf_invoke_async_route (lf_http_req *r, lf_live_fn *fn); /* InvokeAsync */
lf_engine *lf_api_engine (const lf_api_invoke *a);

/* Function URLs: is the request one (by its Host or its path)? lf_url_route answers it if so. */
bool lf_url_is (const lf_http_req *r);
bool lf_url_route (lf_api_invoke *a, lf_http_req *r);
int lf_api_port (const lf_api_invoke *a);

/* Control operations; the method was checked. */
void lf_settings_concurrency (lf_http_req *r, lf_live_fn *fn); /* PUT, GET, DELETE */
void lf_settings_events (lf_http_req *r, lf_live_fn *fn);      /* PUT, POST, GET, DELETE */
void lf_settings_events_list (lf_http_req *r, lf_live_fn *fn); /* GET: the one of $LATEST, if there is one */

/* Our own: what `lambdafit ps` shows. */
void lf_control_environments (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_control_info (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);
void lf_control_operations (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args);

#endif
