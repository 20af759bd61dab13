/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LF_CLI_SERVICES_H
#define LF_CLI_SERVICES_H

#include "simulate.h"

/* The sizes of a service in a function's region and architecture that have memory for it. */
typedef struct lf_sim_candidates { char profile[64], service[16]; lf_sim_candidate *v; size_t n; } lf_sim_candidates;
int lf_sim_candidates_load (const char *profile, const lf_function *f, lf_sim_candidates *out, lf_error *err);
void lf_sim_candidates_fini (lf_sim_candidates *c);

#endif
