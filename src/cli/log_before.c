/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "log_before.h"

static void
drop_oldest (lf_log_before *b)
{
  free ((char *) b->v[0].function);
  memmove (b->v, b->v + 1, (--b->n) * sizeof *b->v);
}

typedef struct reading
{
  lf_log_before *out;
  int64_t since_us;
} reading;

static int
add (const lf_violation *one, void *user)
{
  reading *r = user;
  lf_log_before *b = r->out;
  const lf_rule_info *rule = lf_rule_find (one->rule);
  if (!rule || (r->since_us != LF_NONE && one->at_us < r->since_us))
    return 0; /* of a rule that is no more: `report` has it */
  char *function = lf_strdup (one->function);
  if (!function)
    {
      b->nomem = true;
      return -1;
    }
  if (b->n == LF_LOG_BEFORE_MAX)
    drop_oldest (b);
  b->v[b->n] = *one;
  b->v[b->n].function = function;
  b->v[b->n].rule = rule->id;
  b->v[b->n].limit_id = rule->subject;
  b->v[b->n].request_id = b->v[b->n].unit = NULL;
  b->n++;
  return 0;
}

int
lf_log_before_read (lf_store *s, const char *function, int64_t since_us, lf_log_before *out, lf_error *err)
{
  reading r = { out, since_us };
  *out = (lf_log_before){ .v = calloc (LF_LOG_BEFORE_MAX, sizeof *out->v) };
  if (!out->v)
    return LF_FAIL_NOMEM (err);
  int rc = lf_store_violations (s, function, "", add, &r, err);
  return rc == 0 && out->nomem ? LF_FAIL_NOMEM (err) : rc;
}

void
lf_log_before_fini (lf_log_before *b)
{
  for (size_t i = 0; i < b->n; i++)
    free ((char *) b->v[i].function);
  free (b->v);
  *b = (lf_log_before){ 0 };
}

const lf_violation *
lf_log_before_take (lf_log_before *b, int64_t until_us)
{
  return b->next < b->n && b->v[b->next].at_us <= until_us ? &b->v[b->next++] : NULL;
}
