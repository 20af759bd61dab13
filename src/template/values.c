/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of properties, in the form that is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

tpl_num
tpl_number (tpl *t, const tpl_node *n, const char *id, const char *property, int64_t *out)
{
  t->where_id = id;
  t->where_property = property;
  const tpl_node *r = tpl_resolve (t, n);
  const char *s = tpl_text (r);
  if (!r)
    return TPL_NUM_ABSENT;
  if (s && lf_parse_i64 (s, INT64_MIN + 1, INT64_MAX, out) == 0)
    return r->guess ? TPL_NUM_ABSENT : TPL_NUM_OK;
  if (s && *s)
    {
      /* 30.0 and 1e2 are whole numbers too. */
      char *end;
      double d = strtod (s, &end);
      if (*end == 0 && d > -1e15 && d < 1e15 && (double) (int64_t) d == d && strchr ("+-.0123456789", *s))
        {
          *out = (int64_t) d;
          return r->guess ? TPL_NUM_ABSENT : TPL_NUM_OK;
        }
    }
  if (r->guess)
    return TPL_NUM_ABSENT;
  if (s)
    tpl_problem (t, LF_TPL_ERROR, n, id, property, "\"%.100s\" is not a whole number", s);
  else
    tpl_problem (t, LF_TPL_ERROR, n, id, property, "%s is a whole number, here it is %s", property, tpl_kind_name (r));
  return TPL_NUM_BAD;
}

const char *
tpl_string_guess (tpl *t, const tpl_node *n, const char *id, const char *property, bool *guess)
{
  t->where_id = id;
  t->where_property = property;
  const tpl_node *r = tpl_resolve (t, n);
  *guess = r && r->guess;
  if (!r || tpl_is_null (r))
    return NULL;
  if (tpl_text (r))
    return tpl_text (r);
  tpl_problem (t, LF_TPL_ERROR, n, id, property, "%s is a text, here it is %s", property, tpl_kind_name (r));
  return NULL;
}

const char *
tpl_string (tpl *t, const tpl_node *n, const char *id, const char *property)
{
  bool guess;
  return tpl_string_guess (t, n, id, property, &guess);
}
