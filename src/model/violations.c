/* SPDX-License-Identifier: Apache-2.0
 *
 * Which limits an invocation broke or came near, and what to say about it.
 */
#include "lambdafit/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct rule
{
  const char *rule, *message, *fix;
} rules[LF_LIM_COUNT][2] = {
#define RULE(limit, severity, rule, message, fix) [LF_LIM_##limit][LF_SEV_##severity] = { rule, message, fix },
#include "violations.def"
#undef RULE
};

/* ---- texts ------------------------------------------------------------------------------------------------------------------ */

static void
show_bytes (int64_t n, char *out, size_t cap)
{
  int64_t unit = n >= LF_MB ? LF_MB : 1024;
  if (n < 1024)
    snprintf (out, cap, "%" PRId64 " bytes", n);
  else if (n % unit == 0)
    snprintf (out, cap, "%" PRId64 " %s", n / unit, unit == LF_MB ? "MB" : "KB");
  else
    snprintf (out, cap, "%.1f %s", (double) n / (double) unit, unit == LF_MB ? "MB" : "KB");
}

static void
show_quantity (int64_t n, const char *unit, char out[48])
{
  if (n == LF_NONE)
    snprintf (out, 48, "an unmeasured amount");
  else if (strcmp (unit, "bytes") == 0)
    show_bytes (n, out, 48);
  else if (strcmp (unit, "ms") == 0 && n >= 1000)
    snprintf (out, 48, n % 1000 == 0 ? "%.0f s" : "%.2f s", (double) n / 1000.0);
  else
    snprintf (out, 48, "%" PRId64 " %s", n, unit);
}

/* Rounded down: 99.9 % must not read as 100 %. */
static int64_t
percent (int64_t used, int64_t allowed)
{
  if (used == LF_NONE || allowed <= 0)
    return LF_NONE;
  return (int64_t) ((double) used * 100.0 / (double) allowed);
}

/* A value to try next: half as much again, in the steps people use, at most the platform's maximum. */
static void
show_more (lf_limit l, const lf_function *f, const lf_profile *p, char out[48])
{
  int64_t now, step, max;
  const char *unit = "MB";
  if (l == LF_LIM_DURATION)
    now = f->timeout_ms / 1000, step = 5, max = p->timeout_max_s, unit = "s";
  else if (l == LF_LIM_TMP)
    now = f->tmp_mb, step = 256, max = p->tmp_max_mb;
  else
    now = f->memory_mb, step = p->memory_step_mb > 128 ? p->memory_step_mb : 128, max = p->memory_max_mb;
  int64_t next = (now + now / 2 + step - 1) / step * step;
  if (now >= max)
    snprintf (out, 48, "%" PRId64 " %s is already the most there is", max, unit);
  else
    snprintf (out, 48, "%" PRId64 " %s", next < max ? next : max, unit);
}

typedef struct words
{
  char used[48], allowed[48], percent[24], more[48];
  const char *name;
} words;

static const char *
word_for (const words *w, const char *key, size_t n)
{
  static const struct
  {
    const char *key;
    size_t at;
  } table[] = {
    { "used", offsetof (words, used) },
    { "allowed", offsetof (words, allowed) },
    { "percent", offsetof (words, percent) },
    { "more", offsetof (words, more) },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (table); i++)
    if (strlen (table[i].key) == n && memcmp (table[i].key, key, n) == 0)
      return (const char *) w + table[i].at;
  return w->name;
}

static void
fill (char *out, size_t cap, const char *text, const words *w)
{
  size_t n = 0;
  while (*text != '\0' && n + 1 < cap)
    {
      const char *end = *text == '{' ? strchr (text, '}') : NULL;
      if (end == NULL)
        {
          out[n++] = *text++;
          continue;
        }
      const char *word = word_for (w, text + 1, (size_t) (end - text - 1));
      size_t len = strlen (word);
      if (len > cap - 1 - n)
        len = cap - 1 - n;
      memcpy (out + n, word, len);
      n += len;
      text = end + 1;
    }
  out[n] = '\0';
}

/* ---- which ------------------------------------------------------------------------------------------------------------------ */

typedef struct finding
{
  const lf_function *f;
  const lf_profile *p;
  const lf_enforcement *e;
  const lf_record *r; /* NULL before any invocation */
  int64_t at_us;
  lf_violation *out;
  size_t n;
} finding;

/* The user's own limit of processes may be below the platform's, and strikes first. A streamed response has a limit of its own. */
static int64_t
allowed_for (lf_limit l, const finding *x)
{
  const lf_profile *p = x->p;
  int64_t allowed = lf_limit_allowed (l, x->f, p);
  if (l == LF_LIM_RESPONSE && x->r != NULL && x->r->streamed)
    return p->stream_max_bytes;
  return l == LF_LIM_PROCESSES && p->nproc_rlimit > 0 && p->nproc_rlimit < allowed ? p->nproc_rlimit : allowed;
}

static void
report (finding *x, lf_limit l, lf_severity severity, int64_t used)
{
  const lf_limit_info *info = lf_limit_get (l);
  const struct rule *rule = &rules[l][severity];
  if (rule->rule == NULL || x->n == LF_VIOLATIONS_MAX)
    return;
  int64_t allowed = allowed_for (l, x);
  lf_violation *v = &x->out[x->n++];
  *v = (lf_violation){
    .request_id = x->r != NULL ? x->r->request_id : NULL,
    .function = x->r != NULL && x->r->function != NULL ? x->r->function : x->f->name,
    .at_us = x->at_us,
    .limit_id = info->id,
    .severity = severity,
    .used = used,
    .allowed = allowed,
    .unit = info->unit,
    .enforced = x->e != NULL ? x->e->by[l] : info->by_default,
    .rule = rule->rule,
  };
  words w = { .name = v->function != NULL ? v->function : "The function" };
  show_quantity (used, info->unit, w.used);
  show_quantity (allowed, info->unit, w.allowed);
  snprintf (w.percent, sizeof w.percent, "%" PRId64 " %%", percent (used, allowed) == LF_NONE ? 0 : percent (used, allowed));
  show_more (l, x->f, x->p, w.more);
  fill (v->message, sizeof v->message, rule->message, &w);
  fill (v->fix, sizeof v->fix, rule->fix, &w);
}

static bool
near (int64_t used, int64_t allowed)
{
  if (used == LF_NONE || allowed <= 0)
    return false;
  return used >= allowed - allowed / 10;
}

/* Why a throttled request was refused: the rate of requests has its own Reasons, all others are about concurrency. */
static bool
is_rate_throttle (const lf_record *r)
{
  const char *reason = "RateLimitExceeded";
  return (r->error_type != NULL && strstr (r->error_type, reason) != NULL)
         || (r->error_message != NULL && strstr (r->error_message, reason) != NULL);
}

static bool
over (lf_limit l, const finding *x)
{
  int64_t used = lf_limit_used (l, x->f, x->r), allowed = allowed_for (l, x);
  return used != LF_NONE && allowed != LF_NONE && used > allowed;
}

/* Was the limit broken? What the status says decides; a quantity only where no status can (a full /tmp, an init that was run
 * again). */
static bool
broken (lf_limit l, const finding *x)
{
  const lf_record *r = x->r;
  int64_t used = lf_limit_used (l, x->f, r), allowed = allowed_for (l, x);
  bool too_large = r->status == LF_ST_REJECTED && lf_streq (r->error_type, "RequestEntityTooLargeException");
  switch (l)
    {
    case LF_LIM_DURATION:
      return r->status == LF_ST_TIMEOUT || r->status == LF_ST_INIT_TIMEOUT;
    case LF_LIM_INIT:
      return r->status == LF_ST_INIT_TIMEOUT || (used != LF_NONE && allowed > 0 && used >= allowed);
    case LF_LIM_MEMORY:
      return r->status == LF_ST_OUT_OF_MEMORY;
    case LF_LIM_TMP:
      return used != LF_NONE && allowed > 0 && used >= allowed;
    case LF_LIM_REQUEST:
      return !r->async && (too_large || (r->status == LF_ST_REJECTED && over (l, x)));
    case LF_LIM_ASYNC_REQUEST:
      return r->async && (too_large || (r->status == LF_ST_REJECTED && over (l, x)));
    case LF_LIM_RESPONSE:
      return lf_streq (r->error_type, "Function.ResponseSizeTooLarge") || over (l, x);
    case LF_LIM_FDS:
    case LF_LIM_PROCESSES:
      return used != LF_NONE && allowed > 0 && used >= allowed;
    case LF_LIM_CONCURRENCY:
      return r->status == LF_ST_THROTTLED && !is_rate_throttle (r);
    case LF_LIM_REQUEST_RATE:
      return r->status == LF_ST_THROTTLED && is_rate_throttle (r);
    default:
      return false;
    }
}

/* The mark that REPORT shows is the environment's highest so far. A later invocation is only near if it went there itself, where
 * its own peak is known. */
static bool
near_is_old (lf_limit l, const finding *x, int64_t allowed)
{
  const lf_record *r = x->r;
  return l == LF_LIM_MEMORY && r->cold == 0 && r->peak_memory_bytes != LF_NONE && !near (r->peak_memory_bytes, allowed);
}

size_t
lf_violations (const lf_function *f, const lf_profile *p, const lf_enforcement *e, const lf_record *r,
               lf_violation out[LF_VIOLATIONS_MAX])
{
  finding x = { .f = f, .p = p, .e = e, .r = r, .at_us = r->received_us, .out = out };
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      lf_limit l = (lf_limit) i;
      if (!lf_limit_get (l)->per_invocation)
        continue;
      int64_t used = lf_limit_used (l, f, r), allowed = allowed_for (l, &x);
      if (broken (l, &x))
        report (&x, l, LF_SEV_BROKEN, used);
      else if (near (used, allowed) && !near_is_old (l, &x, allowed))
        report (&x, l, LF_SEV_NEAR, used);
    }
  return x.n;
}

size_t
lf_violations_static (const lf_function *f, const lf_profile *p, int64_t at_us, lf_violation out[LF_VIOLATIONS_MAX])
{
  finding x = { .f = f, .p = p, .at_us = at_us, .out = out };
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      lf_limit l = (lf_limit) i;
      if (lf_limit_get (l)->per_invocation)
        continue;
      int64_t used = lf_limit_used (l, f, NULL), allowed = lf_limit_allowed (l, f, p);
      if (used == LF_NONE || allowed == LF_NONE)
        continue;
      /* The unzipped sum must be smaller than its limit, the others may reach it. */
      if (used > allowed || (l == LF_LIM_PACKAGE && used == allowed))
        report (&x, l, LF_SEV_BROKEN, used);
      else if (near (used, allowed))
        report (&x, l, LF_SEV_NEAR, used);
    }
  return x.n;
}
