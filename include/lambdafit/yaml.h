/* SPDX-License-Identifier: Apache-2.0
 *
 * A walk over a YAML text, and so over JSON too, by libfyaml's events, which cost the same however the text is nested and keep nothing of what was
 * passed. What the events mean is the caller's.
 */
#ifndef LAMBDAFIT_YAML_H
#define LAMBDAFIT_YAML_H

#include <libfyaml.h>
#include <stddef.h>

/* Called for each event. line and column count from 1 and are those where the event begins, or of the last one that had a place. The event belongs to
 * the walk and is gone afterwards. Anything but 0 ends the walk. */
typedef int (*lf_yaml_visit) (void *user, struct fy_event *e, int line, int column);

/* Why a text is no YAML, and where. */
typedef struct lf_yaml_fault { char text[400]; int line, column; } lf_yaml_fault;

typedef enum
{
  LF_YAML_DONE,
  LF_YAML_ENDED, /* by the visitor */
  LF_YAML_BAD,   /* `fault` says why; the visitor has seen what came before */
  LF_YAML_NOMEM,
} lf_yaml_end;

/* text needs no NUL behind it. `fault` is written for LF_YAML_BAD only. */
lf_yaml_end lf_yaml_walk (const char *text, size_t n, lf_yaml_visit visit, void *user, lf_yaml_fault *fault);

/* The text of a token, not ended by a NUL: *n bytes that belong to the event. NULL for no token, and for one without a text. */
const char *lf_yaml_text (struct fy_token *token, size_t *n);

#endif
