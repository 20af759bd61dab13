/* SPDX-License-Identifier: Apache-2.0
 *
 * api, inside: small things the routes share.
 */
#ifndef LF_API_ROUTES_H
#define LF_API_ROUTES_H

#include <string.h>
#include "lambdafit/base.h"

static inline bool
lf_str_eq (lf_str s, const char *text)
{
  size_t n = strlen (text);
  return s.n == n && memcmp (s.p, text, n) == 0;
}

/* s begins with prefix: *rest is what follows. */
static inline bool
lf_str_skip (lf_str s, const char *prefix, lf_str *rest)
{
  size_t n = strlen (prefix);
  if (s.n < n || memcmp (s.p, prefix, n) != 0)
    return false;
  *rest = (lf_str){ s.p + n, s.n - n };
  return true;
}

struct cJSON;
/* errorMessage, errorType, stackTrace of an error object, in this order; -1 when it is not an object. */
int lf_api_error_fields (const struct cJSON *o, lf_buf *out);

#endif
