/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that puts a case's questions to the pure core, inside.
 */
#ifndef CORE_H
#define CORE_H

#include <cjson/cJSON.h>
#include "lambdafit/model.h"

_Noreturn void core_bad (const char *what);          /* the question is written wrongly */
int64_t core_num (const cJSON *o, const char *key, int64_t otherwise);
/* A function from {name, runtime, memory_mb, timeout_ms, tmp_mb, log_format, region, env, layers, reserved, package_bytes, zip_bytes, ...}. */
void core_function (const cJSON *o, const lf_profile *p, lf_function *f);

/* core_time.c: the fleet and the queue of events on a virtual clock. */
cJSON *core_fleet (const cJSON *q, const lf_profile *p);
cJSON *core_async (const cJSON *q, const lf_profile *p);

#endif
