/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes and prices of Fargate and EC2 out of their profiles (profiles/fargate-*.json, ec2-*.json).
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "services.h"

/* ---- values of a profile that has rates of its own shape ------------------------------------------------------------------------ */

static const cJSON *
value_at (const cJSON *o, const char *key)
{
  return cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (o, key), "value");
}

static int
missing (const lf_profile *p, const char *key, lf_error *err)
{
  return LF_FAIL (err, LF_EXIT_USAGE, p->name, "compare the file with the shipped one of this service", "rates.%s is missing or not as it should be", key);
}

static int
seconds (const lf_profile *p, const char *key, int64_t *us, lf_error *err)
{
  const cJSON *v = value_at (p->extra, key);
  if (!cJSON_IsNumber (v) || !(v->valuedouble >= 0) || v->valuedouble > 86400)
    return missing (p, key, err);
  *us = (int64_t) (v->valuedouble * 1e6 + 0.5);
  return 0;
}

static int
rate (const lf_profile *p, const cJSON *of, const char *key, lf_decimal *out, lf_error *err)
{
  const cJSON *v = value_at (of, key);
  return cJSON_IsString (v) && lf_decimal_parse (v->valuestring, out) == 0 ? 0 : missing (p, key, err);
}

static int64_t
whole (const cJSON *o, const char *key, int64_t max)
{
  int64_t v = lf_json_i64 (o, key, -1);
  return v > 0 && v <= max ? v : -1;
}

/* ---- candidates -------------------------------------------------------------------------------------------------------------------- */

static int
add (lf_sim_candidates *c, const lf_sim_candidate *x, lf_error *err)
{
  lf_sim_candidate *v = realloc (c->v, (c->n + 1) * sizeof *v);
  if (!v)
    return LF_FAIL_NOMEM (err);
  c->v = v;
  c->v[c->n++] = *x;
  return 0;
}

/* As many requests at once as there are whole CPUs, each with the function's memory; the smallest memory of the size that holds them. */
static int
fargate_size (lf_sim_candidates *c, const lf_profile *p, const cJSON *size, lf_decimal vcpu_hour, lf_decimal gb_hour, int64_t need_mb, lf_error *err)
{
  int64_t units = whole (size, "cpu_units", 1 << 20), best = -1;
  const cJSON *mb;
  lf_sim_candidate x = { .vcpus = (double) units / 1024, .places = units >= 1024 ? units / 1024 : 1 };
  if (units < 0)
    return missing (p, "sizes", err);
  cJSON_ArrayForEach (mb, cJSON_GetObjectItemCaseSensitive (size, "memory_mb"))
    if (cJSON_IsNumber (mb) && mb->valuedouble >= (double) (need_mb * x.places) && (best < 0 || mb->valuedouble < (double) best))
      best = (int64_t) mb->valuedouble;
  if (best < 0)
    return 0; /* the function does not fit */
  x.memory_mb = best;
  x.per_hour = lf_money_mul (vcpu_hour, units, 1024) + lf_money_mul (gb_hour, best, 1024);
  strcpy (x.service, "fargate");
  snprintf (x.size, sizeof x.size, "%.4g vCPU, %.4g GB", x.vcpus, (double) best / 1024);
  if (seconds (p, "start_s", &x.start_us, err) != 0 || seconds (p, "min_billed_s", &x.min_billed_us, err) != 0)
    return -1;
  return add (c, &x, err);
}

static int
fargate (lf_sim_candidates *c, const lf_profile *p, const lf_function *f, lf_error *err)
{
  const cJSON *region = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (p->extra, "regions"), f->region), *size;
  const cJSON *arch = cJSON_GetObjectItemCaseSensitive (region, lf_arch_name (f->arch));
  lf_decimal vcpu_hour, gb_hour;
  if (!arch)
    return 0;
  if (rate (p, arch, "vcpu_hour", &vcpu_hour, err) != 0 || rate (p, arch, "gb_hour", &gb_hour, err) != 0)
    return -1;
  cJSON_ArrayForEach (size, value_at (p->extra, "sizes"))
    if (fargate_size (c, p, size, vcpu_hour, gb_hour, f->memory_mb, err) != 0)
      return -1;
  return 0;
}

/* Burstable types are left out: a whole CPU is theirs for a time only. */
static int
ec2 (lf_sim_candidates *c, const lf_profile *p, const lf_function *f, lf_error *err)
{
  const cJSON *region = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (p->extra, "regions"), f->region), *type;
  cJSON_ArrayForEach (type, value_at (p->extra, "instances"))
    {
      const char *name = lf_json_str (type, "name"), *arch = lf_json_str (type, "arch");
      int64_t vcpus = whole (type, "vcpus", 4096), mb = whole (type, "memory_mb", INT64_C (1) << 30);
      lf_decimal hour;
      if (!name || !arch || vcpus < 0 || mb < 0)
        return missing (p, "instances", err);
      if (!value_at (region, name) || lf_json_bool (type, "burstable", false) || strcmp (arch, lf_arch_name (f->arch)) != 0)
        continue;
      if (rate (p, region, name, &hour, err) != 0)
        return -1;
      int64_t fit = mb / f->memory_mb;
      lf_sim_candidate x = { .vcpus = (double) vcpus, .memory_mb = mb, .places = vcpus < fit ? vcpus : fit, .per_hour = lf_money_mul (hour, 1, 1) };
      strcpy (x.service, "ec2");
      snprintf (x.size, sizeof x.size, "%.40s", name);
      if (seconds (p, "start_s", &x.start_us, err) != 0 || seconds (p, "min_billed_s", &x.min_billed_us, err) != 0 || (x.places > 0 && add (c, &x, err) != 0))
        return -1;
    }
  return 0;
}

int
lf_sim_candidates_load (const char *profile, const lf_function *f, lf_sim_candidates *out, lf_error *err)
{
  lf_profile *p = lf_profile_load (profile, err);
  *out = (lf_sim_candidates){ 0 };
  if (!p)
    return -1;
  snprintf (out->profile, sizeof out->profile, "%s", p->name);
  snprintf (out->service, sizeof out->service, "%s", p->service);
  int failed = strcmp (p->service, "fargate") == 0 ? fargate (out, p, f, err)
               : strcmp (p->service, "ec2") == 0   ? ec2 (out, p, f, err)
                                                   : LF_FAIL (err, LF_EXIT_USAGE, p->name, "", "is not a profile of Fargate or EC2");
  lf_profile_free (p);
  return failed;
}

void
lf_sim_candidates_fini (lf_sim_candidates *c)
{
  free (c->v);
  *c = (lf_sim_candidates){ 0 };
}
