/* SPDX-License-Identifier: Apache-2.0
 *
 * api, inside: the Invoke API's server and its routes.
 */
#ifndef LF_API_INVOKE_H
#define LF_API_INVOKE_H

#include "lambdafit/api.h"
#include "routes.h"

/* Answers with a service error; request_id NULL makes one. */
void lf_svc_reply (lf_http_req *r, lf_svc_error e, const char *request_id, const char *reason, int64_t retry_after_ms, const char *text);

void lf_invoke_route (lf_http_req *r, lf_live_fn *fn, const char *qualifier);
void lf_invoke_async_route (lf_http_req *r, lf_live_fn *fn); /* InvokeAsync */
void lf_invoke_gone (lf_http_req *r);
lf_engine *lf_api_engine (const lf_api_invoke *a);

/* Control operations; the method was checked. */
void lf_settings_concurrency (lf_http_req *r, lf_live_fn *fn); /* PUT, GET, DELETE */
void lf_settings_events (lf_http_req *r, lf_live_fn *fn);      /* PUT, POST, GET, DELETE */

/* Our own: what `lambdafit ps` shows. */
void lf_control_environments (lf_api_invoke *a, lf_http_req *r);
void lf_control_info (lf_api_invoke *a, lf_http_req *r);

#endif
