/* SPDX-License-Identifier: Apache-2.0
 *
 * What an invocation is billed and what it costs. Quantities are whole milliseconds and megabytes; money is exact and rounded only
 * when shown.
 */
#include "lambdafit/model.h"

/* milliseconds * MB in one GB-second: 1000 * 1024 */
#define MB_MS_PER_GB_S INT64_C (1024000)

static int64_t
add (int64_t a, int64_t b)
{
  int64_t sum;
  return __builtin_add_overflow (a, b, &sum) ? INT64_MAX : sum;
}

static bool
init_is_billed (const lf_profile *p, lf_runtime_kind kind)
{
  return p->init_billed == LF_INIT_BILLED_ALL || kind == LF_RT_PROVIDED;
}

/* Microseconds up to the next full step, in milliseconds. */
static int64_t
round_up (const lf_profile *p, int64_t us)
{
  int64_t step_us = (p->billing_granularity_ms > 0 ? p->billing_granularity_ms : 1) * 1000;
  return (us / step_us + (us % step_us > 0)) * (step_us / 1000);
}

int64_t
lf_billed_ms (const lf_profile *p, lf_runtime_kind kind, int64_t init_us, int64_t duration_us, bool timed_out, int64_t timeout_ms)
{
  int64_t us = duration_us > 0 ? duration_us : 0;
  /* A timed-out invocation bills exactly its timeout, however long the kill took. */
  if (timed_out && timeout_ms != LF_NONE)
    us = timeout_ms * 1000;
  /* The sum is rounded, not each part. */
  if (init_us > 0 && init_is_billed (p, kind))
    us = add (us, init_us);
  return round_up (p, us);
}

/* ---- cost ---------------------------------------------------------------------------------------------------------------------
 */

/* The largest amount stands for whatever is larger. */
static lf_money
add_money (lf_money a, lf_money b)
{
  lf_money sum;
  return __builtin_add_overflow (a, b, &sum) ? a : sum;
}

static lf_money
tiered (const lf_prices *pr, lf_arch arch, int64_t mb_ms_before, int64_t mb_ms)
{
  lf_money sum = 0;
  int n = pr->duration_tiers[arch];
  for (int i = 0; i < n && mb_ms > 0; i++)
    {
      int64_t gb_s = pr->duration[arch][i].up_to_gb_s;
      int64_t end = i == n - 1 || gb_s > INT64_MAX / MB_MS_PER_GB_S ? INT64_MAX : gb_s * MB_MS_PER_GB_S;
      if (mb_ms_before >= end)
        continue;
      int64_t room = end - mb_ms_before, here = mb_ms < room ? mb_ms : room;
      sum = add_money (sum, lf_money_mul (pr->duration[arch][i].per_gb_s, here, MB_MS_PER_GB_S));
      mb_ms -= here;
      mb_ms_before = add (mb_ms_before, here);
    }
  return sum;
}

static int64_t
mb_ms (int64_t mb, int64_t ms)
{
  int64_t product;
  if (mb <= 0 || ms <= 0)
    return 0;
  return __builtin_mul_overflow (mb, ms, &product) ? INT64_MAX : product;
}

static bool
rates_known (const lf_prices *pr, lf_arch arch)
{
  if ((unsigned) arch >= LF_ARCH_COUNT || pr->duration_tiers[arch] <= 0 || !lf_rate_known (pr->per_million_requests[arch]))
    return false;
  for (int i = 0; i < pr->duration_tiers[arch]; i++)
    if (!lf_rate_known (pr->duration[arch][i].per_gb_s))
      return false;
  return true;
}

void
lf_cost_of_month (const lf_profile *p, const char *region, lf_arch arch, int64_t mb_ms_before, int64_t billed_ms,
                  int64_t init_ms_part, int64_t memory_mb, int64_t tmp_mb, int64_t requests, lf_cost *out)
{
  *out = (lf_cost){ .currency = "USD" };
  const lf_prices *pr = region != NULL ? lf_profile_prices (p, region) : NULL;
  if (pr == NULL)
    return;
  out->currency = pr->currency;
  if (!rates_known (pr, arch) || billed_ms < 0 || memory_mb < 0 || requests < 0)
    return;
  int64_t init_ms = init_ms_part > 0 ? init_ms_part : 0;
  if (init_ms > billed_ms)
    init_ms = billed_ms;
  int64_t init = mb_ms (memory_mb, init_ms), rest = mb_ms (memory_mb, billed_ms - init_ms);
  int64_t before = mb_ms_before > 0 ? mb_ms_before : 0;
  out->init = tiered (pr, arch, before, init);
  out->duration = tiered (pr, arch, add (before, init), rest);
  out->requests = lf_money_mul (pr->per_million_requests[arch], requests, 1000000);
  int64_t extra_mb = tmp_mb != LF_NONE && tmp_mb > p->tmp_free_mb ? tmp_mb - p->tmp_free_mb : 0;
  if (extra_mb > 0)
    {
      if (!lf_rate_known (pr->tmp_per_gb_s))
        {
          *out = (lf_cost){ .currency = pr->currency };
          return;
        }
      out->tmp = lf_money_mul (pr->tmp_per_gb_s, mb_ms (extra_mb, billed_ms), MB_MS_PER_GB_S);
    }
  out->total = add_money (add_money (out->requests, out->duration), add_money (out->init, out->tmp));
  out->known = true;
}

void
lf_cost_of (const lf_profile *p, const char *region, lf_arch arch, int64_t billed_ms, int64_t init_ms_part, int64_t memory_mb,
            int64_t tmp_mb, int64_t requests, lf_cost *out)
{
  lf_cost_of_month (p, region, arch, 0, billed_ms, init_ms_part, memory_mb, tmp_mb, requests, out);
}

/* How much of the billed time is init. The row does not say whether the function's kind had its init billed, but the numbers do:
 * what is billed beyond the rounded duration can only be init. */
static int64_t
init_part (const lf_profile *p, const lf_record *r)
{
  if (r->init_us == LF_NONE || r->init_us <= 0)
    return 0;
  int64_t init = round_up (p, r->init_us);
  if (p->init_billed != LF_INIT_BILLED_ALL)
    {
      int64_t beyond = r->billed_ms - (r->duration_us > 0 ? round_up (p, r->duration_us) : 0);
      init = beyond < 0 ? 0 : beyond < init ? beyond : init;
    }
  return init < r->billed_ms ? init : r->billed_ms;
}

void
lf_cost_of_record (const lf_profile *p, const char *region, const lf_record *r, lf_cost *out)
{
  /* What never reached an environment costs nothing. */
  if (r->status == LF_ST_THROTTLED || r->status == LF_ST_REJECTED)
    {
      lf_cost_of (p, region, r->arch, 0, 0, 0, LF_NONE, 0, out);
      return;
    }
  if (r->billed_ms == LF_NONE || r->memory_mb == LF_NONE)
    {
      const lf_prices *pr = region != NULL ? lf_profile_prices (p, region) : NULL;
      *out = (lf_cost){ .currency = pr != NULL ? pr->currency : "USD" };
      return;
    }
  lf_cost_of (p, region, r->arch, r->billed_ms, init_part (p, r), r->memory_mb, r->tmp_mb, 1, out);
}

void
lf_cost_add (lf_cost *sum, const lf_cost *c)
{
  if (sum->currency == NULL)
    {
      *sum = *c;
      return;
    }
  sum->known = sum->known && c->known && lf_streq (sum->currency, c->currency);
  sum->total = add_money (sum->total, c->total);
  sum->requests = add_money (sum->requests, c->requests);
  sum->duration = add_money (sum->duration, c->duration);
  sum->init = add_money (sum->init, c->init);
  sum->tmp = add_money (sum->tmp, c->tmp);
}

/* ---- many rows ------------------------------------------------------------------------------------------------------------------ */

static int64_t
up_to_ms (int64_t us)
{
  return us > 0 ? us / 1000 + (us % 1000 > 0) : 0;
}

void
lf_usage_add (lf_usage *u, const lf_record *r, int sign)
{
  if (r->status == LF_ST_THROTTLED || r->status == LF_ST_REJECTED)
    {
      u->free += sign;
      return;
    }
  if (r->billed_ms == LF_NONE || r->memory_mb == LF_NONE)
    {
      u->unpriced += sign;
      return;
    }
  int64_t init = up_to_ms (r->init_us), beyond = r->billed_ms - up_to_ms (r->duration_us);
  init = init < r->billed_ms ? init : r->billed_ms;
  beyond = beyond < 0 ? 0 : beyond < init ? beyond : init;
  u->requests += sign;
  u->billed_ms += sign * r->billed_ms;
  u->init_all_ms += sign * init;
  u->init_beyond_ms += sign * beyond;
}

void
lf_usage_merge (lf_usage *u, const lf_usage *from)
{
  u->requests += from->requests;
  u->free += from->free;
  u->unpriced += from->unpriced;
  u->billed_ms = add (u->billed_ms, from->billed_ms);
  u->init_all_ms = add (u->init_all_ms, from->init_all_ms);
  u->init_beyond_ms = add (u->init_beyond_ms, from->init_beyond_ms);
}

void
lf_cost_of_usage (const lf_profile *p, const char *region, lf_arch arch, int64_t memory_mb, int64_t tmp_mb, const lf_usage *u, lf_cost *out)
{
  int64_t init = p->init_billed == LF_INIT_BILLED_ALL ? u->init_all_ms : u->init_beyond_ms;
  if (u->requests > 0)
    lf_cost_of (p, region, arch, u->billed_ms, init, memory_mb, tmp_mb, u->requests, out);
  else
    lf_cost_of (p, region, arch, 0, 0, 0, LF_NONE, 0, out);
  if (u->unpriced > 0)
    out->known = false;
}
