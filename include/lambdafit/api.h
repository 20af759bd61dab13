/* SPDX-License-Identifier: Apache-2.0
 *
 * api: the HTTP faces: Runtime API (one server per environment) and Invoke/control API (one per daemon). Routes and nothing more: they
 * translate bytes to engine calls and back.
 */
#ifndef LAMBDAFIT_API_H
#define LAMBDAFIT_API_H

#include "lambdafit/deploy.h"
#include "lambdafit/engine.h"
#include "lambdafit/http.h"

/* The Runtime API for lf_engine_options.rt. */
extern const lf_rt_ops lf_api_runtime;

typedef struct lf_api_invoke lf_api_invoke;
/* Serves the Invoke API on host:port (0: any; *port says which). */
lf_api_invoke *lf_api_invoke_new (lf_engine *e, lf_deploy *d, uv_loop_t *loop, const char *host, int *port, lf_error *err);
void lf_api_invoke_close (lf_api_invoke *a); /* stops listening and drops the connections; frees itself */

#endif
