/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files about functions share inside the room.
 */
#ifndef LF_MODEL_FUNCTION_H
#define LF_MODEL_FUNCTION_H

#include "lambdafit/model.h"

#define LF_FUNCTION_NAME_PATTERN                                                                                                   \
  "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"               \
  "([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"

/* Letters, digits, "-" and "_" only: what a function may be called when it is made. */
bool lf_function_name_plain (const char *name);
/* Has this platform functions of this architecture? */
bool lf_function_arch_offered (const lf_profile *p, lf_arch arch);

#endif
