/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about limits, answered from the one table in limits.def.
 */
#include "lambdafit/model.h"

#include <string.h>

static const lf_limit_info infos[] = {
#define LIMIT(e, id, title, unit, doc, by, per, fields, allowed, used)                                                             \
  [LF_LIM_##e] = { id, title, unit, doc, LF_ENF_##by, per, fields },
#include "limits.def"
#undef LIMIT
};
_Static_assert(LF_ARRAY_LEN (infos) == LF_LIM_COUNT, "limits.def and lf_limit differ");

const lf_limit_info *
lf_limit_get (lf_limit l)
{
  return (unsigned) l < LF_LIM_COUNT ? &infos[l] : NULL;
}

int
lf_limit_parse (const char *id, lf_limit *out)
{
  for (size_t i = 0; id != NULL && i < LF_LIM_COUNT; i++)
    if (strcmp (id, infos[i].id) == 0)
      {
        *out = (lf_limit) i;
        return 0;
      }
  return -1;
}

static int64_t
mb (int64_t n)
{
  return n == LF_NONE || n > INT64_MAX / LF_MB ? LF_NONE : n * LF_MB;
}

/* A started millisecond counts, so that a duration over a limit never reads as the limit. */
static int64_t
ms_up (int64_t us)
{
  return us == LF_NONE ? LF_NONE : us / 1000 + (us % 1000 > 0);
}

static int64_t
concurrency (const lf_function *f, const lf_profile *p)
{
  return f->reserved != LF_NONE ? f->reserved : p->concurrency_account;
}

static int64_t
request_rate (const lf_function *f, const lf_profile *p)
{
  int64_t n = concurrency (f, p);
  if (n == LF_NONE || p->requests_per_concurrency <= 0 || n > INT64_MAX / p->requests_per_concurrency)
    return LF_NONE;
  return n * p->requests_per_concurrency;
}

int64_t
lf_limit_allowed (lf_limit l, const lf_function *f, const lf_profile *p)
{
  switch (l)
    {
#define LIMIT(e, id, title, unit, doc, by, per, fields, allowed, used)                                                             \
  case LF_LIM_##e:                                                                                                                 \
    return allowed;
#include "limits.def"
#undef LIMIT
    case LF_LIM_COUNT:
      break;
    }
  return LF_NONE;
}

int64_t
lf_limit_used (lf_limit l, const lf_function *f, const lf_record *r)
{
  switch (l)
    {
#define LIMIT(e, id, title, unit, doc, by, per, fields, allowed, used)                                                             \
  case LF_LIM_##e:                                                                                                                 \
    return per && r == NULL ? LF_NONE : (used);
#include "limits.def"
#undef LIMIT
    case LF_LIM_COUNT:
      break;
    }
  return LF_NONE;
}

const char *
lf_enforced_name (lf_enforced e)
{
  return e == LF_ENF_KERNEL || e == LF_ENF_CHECKED ? "kernel" : e == LF_ENF_SAMPLED ? "sampled" : "none";
}

const char *
lf_enforced_label (lf_enforced e)
{
  return e == LF_ENF_CHECKED ? "checked" : lf_enforced_name (e);
}

int
lf_enforcement_json (const lf_enforcement *e, lf_buf *out)
{
  lf_buf_addc (out, '{');
  for (size_t i = 0; i < LF_LIM_COUNT; i++)
    lf_buf_addf (out, "\"%s\":\"%s\",", infos[i].id, lf_enforced_name (e->by[i]));
  lf_buf_addf (out, "\"cpu\":\"%s\"}", lf_enforced_name (e->cpu));
  return out->failed ? -1 : 0;
}
