/* SPDX-License-Identifier: Apache-2.0
 *
 * From JSON text to a profile, checking everything: a price or a limit that is silently wrong is worse than a file that is refused.
 */
#include "table.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#define PATH_MAX_LEN LF_PROFILE_PATH_MAX
#define REGIONS_MAX 256
#define EXACT_MAX 9007199254740992.0 /* integers of a JSON number are exact up to 2^53 */

typedef struct reader
{
  lf_profile *p;
  const char *what;
  char *missing; /* PATH_MAX_LEN bytes, or NULL */
  lf_error *err;
} reader;

#define SEE "docs/profiles.md describes the file; lambdafit profile check FILE tries it"

static int bad (const reader *r, const char *path, const char *why, ...) LF_PRINTF (3, 4);

static int
bad (const reader *r, const char *path, const char *why, ...)
{
  char text[512];
  va_list ap;
  va_start (ap, why);
  vsnprintf (text, sizeof text, why, ap);
  va_end (ap);
  return LF_FAIL (r->err, LF_EXIT_USAGE, r->what, SEE, "%s: %s", path, text);
}

static void
join (char out[PATH_MAX_LEN], const char *path, const char *key)
{
  snprintf (out, PATH_MAX_LEN, "%.100s%s%.50s", path, *path != '\0' ? "." : "", key);
}

/* Exactly these keys, each once. */
static int
check_keys (const reader *r, const cJSON *o, const char *path, const char *const *keys, size_t n)
{
  char at[PATH_MAX_LEN];
  const cJSON *child;
  if (!cJSON_IsObject (o))
    return bad (r, *path != '\0' ? path : "the file", "must be an object");
  cJSON_ArrayForEach (child, o)
    {
      size_t i = 0;
      while (i < n && strcmp (child->string, keys[i]) != 0)
        i++;
      join (at, path, child->string);
      if (i == n)
        return bad (r, at, "is not a known key");
      if (cJSON_GetObjectItemCaseSensitive (o, child->string) != child)
        return bad (r, at, "is given twice");
    }
  for (size_t i = 0; i < n; i++)
    if (cJSON_GetObjectItemCaseSensitive (o, keys[i]) == NULL)
      {
        join (at, path, keys[i]);
        if (r->missing != NULL)
          memcpy (r->missing, at, sizeof at);
        return bad (r, at, "is missing");
      }
  return 0;
}

static int
short_text (const reader *r, const cJSON *o, const char *path, const char *key, char *out, size_t size)
{
  char at[PATH_MAX_LEN];
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, key);
  join (at, path, key);
  if (!cJSON_IsString (v) || v->valuestring[0] == '\0')
    return bad (r, at, "must be text that is not empty");
  if (strlen (v->valuestring) >= size)
    return bad (r, at, "is longer than %zu bytes", size - 1);
  memcpy (out, v->valuestring, strlen (v->valuestring) + 1);
  return 0;
}

/* A {"value", "source", "confidence"}; the value's type is the caller's to check. */
static const cJSON *
number_value (const reader *r, const cJSON *entry, const char *path)
{
  static const char *const keys[] = { "value", "source", "confidence" };
  char source[400], confidence[16], at[PATH_MAX_LEN];
  if (check_keys (r, entry, path, keys, LF_ARRAY_LEN (keys)) != 0
      || short_text (r, entry, path, "source", source, sizeof source) != 0)
    return NULL;
  join (at, path, "confidence");
  if (short_text (r, entry, path, "confidence", confidence, sizeof confidence) != 0)
    return NULL;
  if (strcmp (confidence, "verified") != 0 && strcmp (confidence, "transcribed") != 0 && strcmp (confidence, "assumed") != 0)
    {
      bad (r, at, "must be \"verified\", \"transcribed\" or \"assumed\"");
      return NULL;
    }
  return cJSON_GetObjectItemCaseSensitive (entry, "value");
}

static int
integer (const reader *r, const cJSON *v, const char *path, int64_t min, int64_t max, int64_t *out)
{
  if (!cJSON_IsNumber (v) || v->valuedouble != floor (v->valuedouble) || fabs (v->valuedouble) > EXACT_MAX)
    return bad (r, path, "must be a whole number");
  if (v->valuedouble < (double) min || v->valuedouble > (double) max)
    return bad (r, path, "is %.0f; it must be from %" PRId64 " to %" PRId64, v->valuedouble, min, max);
  *out = (int64_t) v->valuedouble;
  return 0;
}

static int
read_cpus (const reader *r, const cJSON *v, const char *path, const lf_field *f)
{
  static const char *const keys[] = { "up_to_mb", "cpus" };
  const cJSON *step;
  int n = 0;
  if (!cJSON_IsArray (v) || v->child == NULL)
    return bad (r, path, "must be a list of steps that is not empty");
  cJSON_ArrayForEach (step, v)
    {
      char at[PATH_MAX_LEN], key[PATH_MAX_LEN];
      int64_t cpus = 0;
      if (n == (int) LF_ARRAY_LEN (r->p->cpus))
        return bad (r, path, "has more than %zu steps", LF_ARRAY_LEN (r->p->cpus));
      snprintf (at, sizeof at, "%.120s[%d]", path, n);
      if (check_keys (r, step, at, keys, LF_ARRAY_LEN (keys)) != 0)
        return -1;
      join (key, at, "up_to_mb");
      if (integer (r, cJSON_GetObjectItemCaseSensitive (step, "up_to_mb"), key, n > 0 ? r->p->cpus[n - 1].up_to_mb + 1 : 1, 1048576,
                   &r->p->cpus[n].up_to_mb)
          != 0)
        return -1;
      join (key, at, "cpus");
      if (integer (r, cJSON_GetObjectItemCaseSensitive (step, "cpus"), key, f->min, f->max, &cpus) != 0)
        return -1;
      r->p->cpus[n++].cpus = (int) cpus;
    }
  r->p->cpu_steps = n;
  return 0;
}

static int
read_field (const reader *r, const lf_field *f, const cJSON *section)
{
  char path[PATH_MAX_LEN], at[PATH_MAX_LEN];
  char *member = (char *) r->p + f->offset;
  int64_t number = 0;
  join (path, f->about.section, f->about.key);
  const cJSON *v = number_value (r, cJSON_GetObjectItemCaseSensitive (section, f->about.key), path);
  if (v == NULL)
    return -1;
  join (at, path, "value");
  switch (f->kind)
    {
    case LF_KIND_CPUS: return read_cpus (r, v, at, f);
    case LF_KIND_INT:
      if (integer (r, v, at, f->min, f->max, &number) != 0)
        return -1;
      break;
    case LF_KIND_FLAG:
      if (!cJSON_IsBool (v))
        return bad (r, at, "must be true or false");
      number = cJSON_IsTrue (v);
      break;
    case LF_KIND_CHOICE:
      {
        unsigned word = 0;
        while (word < 2 && !(cJSON_IsString (v) && strcmp (v->valuestring, f->words[word]) == 0))
          word++;
        if (word == 2)
          return bad (r, at, "must be \"%s\" or \"%s\"", f->words[0], f->words[1]);
        memcpy (member, &word, sizeof word);
        return 0;
      }
    }
  memcpy (member, &number, sizeof number);
  return 0;
}

static int
read_section (const reader *r, const char *section)
{
  const char *keys[128] = { NULL };
  size_t n = 0;
  const cJSON *o = cJSON_GetObjectItemCaseSensitive (r->p->tree, section);
  for (size_t i = 0; i < lf_field_count && n < LF_ARRAY_LEN (keys); i++)
    if (strcmp (lf_field_table[i].about.section, section) == 0)
      keys[n++] = lf_field_table[i].about.key;
  if (check_keys (r, o, section, keys, n) != 0)
    return -1;
  for (size_t i = 0; i < lf_field_count; i++)
    if (strcmp (lf_field_table[i].about.section, section) == 0 && read_field (r, &lf_field_table[i], o) != 0)
      return -1;
  return 0;
}

/* ---- prices ------------------------------------------------------------------------------------------------------------------ */

static int
read_rate (const reader *r, const cJSON *entry, const char *path, bool may_be_null, lf_decimal *out)
{
  char at[PATH_MAX_LEN];
  const cJSON *v = number_value (r, entry, path);
  if (v == NULL)
    return -1;
  join (at, path, "value");
  *out = (lf_decimal){ -1, 0 };
  if (cJSON_IsNull (v) && may_be_null)
    return 0;
  if (!cJSON_IsString (v))
    return bad (r, at, "must be a price as text, \"0.0000166667\"%s", may_be_null ? ", or null where none is published" : "");
  if (lf_decimal_parse (v->valuestring, out) != 0)
    return bad (r, at, "\"%.40s\" is not a price; it must be a plain decimal number, not negative, with at most 18 decimals", v->valuestring);
  /* 1000 of a currency for one unit is far above any published rate and keeps the sums of a whole log inside 128 bits. */
  if (lf_decimal_cmp (*out, (lf_decimal){ 1000, 0 }) > 0)
    return bad (r, at, "\"%.40s\" is above 1000", v->valuestring);
  return 0;
}

static int
read_rate_archs (const reader *r, const cJSON *o, const char *path, lf_decimal out[LF_ARCH_COUNT])
{
  const char *keys[LF_ARCH_COUNT];
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    keys[a] = lf_arch_name ((lf_arch) a);
  if (check_keys (r, o, path, keys, LF_ARCH_COUNT) != 0)
    return -1;
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    {
      char at[PATH_MAX_LEN];
      join (at, path, keys[a]);
      if (read_rate (r, cJSON_GetObjectItemCaseSensitive (o, keys[a]), at, true, &out[a]) != 0)
        return -1;
    }
  return 0;
}

static int
read_tier (const reader *r, const cJSON *tier, const char *path, int64_t above, bool last, lf_duration_tier *out)
{
  static const char *const keys[] = { "up_to_gb_s", "rate" };
  char at[PATH_MAX_LEN];
  const cJSON *up_to = cJSON_GetObjectItemCaseSensitive (tier, "up_to_gb_s");
  if (check_keys (r, tier, path, keys, LF_ARRAY_LEN (keys)) != 0)
    return -1;
  join (at, path, "rate");
  if (read_rate (r, cJSON_GetObjectItemCaseSensitive (tier, "rate"), at, false, &out->per_gb_s) != 0)
    return -1;
  join (at, path, "up_to_gb_s");
  out->up_to_gb_s = INT64_MAX;
  if (last)
    return cJSON_IsNull (up_to) ? 0 : bad (r, at, "must be null in the last tier, which has no end");
  const cJSON *v = number_value (r, up_to, at);
  return v != NULL ? integer (r, v, at, above + 1, INT64_C (1000000000000000), &out->up_to_gb_s) : -1;
}

static int
read_rate_tiers (const reader *r, const cJSON *o, const char *path, lf_prices *of)
{
  const char *keys[LF_ARCH_COUNT];
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    keys[a] = lf_arch_name ((lf_arch) a);
  if (check_keys (r, o, path, keys, LF_ARCH_COUNT) != 0)
    return -1;
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    {
      char at[PATH_MAX_LEN];
      const cJSON *tiers = cJSON_GetObjectItemCaseSensitive (o, keys[a]), *tier;
      join (at, path, keys[a]);
      if (!cJSON_IsArray (tiers))
        return bad (r, at, "must be a list of tiers (empty where the architecture is not offered)");
      if (cJSON_GetArraySize (tiers) > (int) LF_ARRAY_LEN (of->duration[a]))
        return bad (r, at, "has more than %zu tiers", LF_ARRAY_LEN (of->duration[a]));
      int n = 0;
      cJSON_ArrayForEach (tier, tiers)
        {
          char item[PATH_MAX_LEN];
          snprintf (item, sizeof item, "%.140s[%d]", at, n);
          if (read_tier (r, tier, item, n > 0 ? of->duration[a][n - 1].up_to_gb_s : 0, tier->next == NULL, &of->duration[a][n]) != 0)
            return -1;
          n++;
        }
      of->duration_tiers[a] = n;
    }
  return 0;
}

static int
add_region (const reader *r, const cJSON *name, const char *path, const lf_prices *of)
{
  lf_profile *p = r->p;
  size_t n = cJSON_IsString (name) ? strlen (name->valuestring) : 0;
  if (n == 0 || n >= sizeof of->region)
    return bad (r, path, "must be a region's name of 1 to %zu bytes", sizeof of->region - 1);
  for (size_t i = 0; i < n; i++)
    if (!islower ((unsigned char) name->valuestring[i]) && !isdigit ((unsigned char) name->valuestring[i]) && name->valuestring[i] != '-')
      return bad (r, path, "must be a region's name of a-z, 0-9 and \"-\"");
  if (lf_profile_prices (p, name->valuestring) != NULL)
    return bad (r, path, "region %s is priced twice", name->valuestring);
  if (p->prices_n == REGIONS_MAX)
    return bad (r, path, "more than %d regions", REGIONS_MAX);
  lf_prices *grown = realloc (p->prices, (p->prices_n + 1) * sizeof *grown);
  if (grown == NULL)
    return LF_FAIL_NOMEM (r->err);
  p->prices = grown;
  p->prices[p->prices_n] = *of;
  memcpy (p->prices[p->prices_n].region, name->valuestring, n + 1);
  p->prices_n++;
  return 0;
}

static int
read_group (const reader *r, const cJSON *group, const char *path)
{
  static const char *const keys[] = {
    "regions", "currency",
#define LF_RATE(m, unit, doc) #m,
#define LF_RATE_ARCH(m, unit, doc) #m,
#define LF_RATE_TIERS(m, unit, doc) #m,
#include "rates.def"
  };
  lf_prices of = { 0 };
  char at[PATH_MAX_LEN];
  if (check_keys (r, group, path, keys, LF_ARRAY_LEN (keys)) != 0)
    return -1;
  join (at, path, "currency");
  if (short_text (r, group, path, "currency", of.currency, sizeof of.currency) != 0)
    return -1;
  if (strlen (of.currency) != 3 || !isupper ((unsigned char) of.currency[0]) || !isupper ((unsigned char) of.currency[1])
      || !isupper ((unsigned char) of.currency[2]))
    return bad (r, at, "must be a currency's three capital letters, \"USD\"");
#define LF_READ(reading, m, into) \
  join (at, path, #m); \
  if (reading (r, cJSON_GetObjectItemCaseSensitive (group, #m), at, into) != 0) \
    return -1;
#define LF_RATE(m, unit, doc) \
  join (at, path, #m); \
  if (read_rate (r, cJSON_GetObjectItemCaseSensitive (group, #m), at, true, &of.m) != 0) \
    return -1;
#define LF_RATE_ARCH(m, unit, doc) LF_READ (read_rate_archs, m, of.m)
#define LF_RATE_TIERS(m, unit, doc) LF_READ (read_rate_tiers, m, &of)
#include "rates.def"
  const cJSON *regions = cJSON_GetObjectItemCaseSensitive (group, "regions"), *name;
  join (at, path, "regions");
  if (!cJSON_IsArray (regions) || regions->child == NULL)
    return bad (r, at, "must be a list of regions that is not empty");
  int i = 0;
  cJSON_ArrayForEach (name, regions)
    {
      char item[PATH_MAX_LEN];
      snprintf (item, sizeof item, "%.140s[%d]", at, i++);
      if (add_region (r, name, item, &of) != 0)
        return -1;
    }
  return 0;
}

static int
read_prices (const reader *r)
{
  const cJSON *prices = cJSON_GetObjectItemCaseSensitive (r->p->tree, "prices"), *group;
  int i = 0;
  if (!cJSON_IsArray (prices) || prices->child == NULL)
    return bad (r, "prices", "must be a list of price groups that is not empty");
  cJSON_ArrayForEach (group, prices)
    {
      char path[PATH_MAX_LEN];
      snprintf (path, sizeof path, "prices[%d]", i++);
      if (read_group (r, group, path) != 0)
        return -1;
    }
  return 0;
}

/* ---- what only several values together can break ------------------------------------------------------------------------------ */

static int
ordered (const reader *r, const char *section, const char *key, int64_t v, const char *low_key, int64_t low, const char *high_key, int64_t high)
{
  char path[PATH_MAX_LEN];
  join (path, section, key);
  if (v < low)
    return bad (r, path, "is %" PRId64 ", below %s (%" PRId64 ")", v, low_key, low);
  if (v > high)
    return bad (r, path, "is %" PRId64 ", above %s (%" PRId64 ")", v, high_key, high);
  return 0;
}

static int
check_together (const reader *r)
{
  const lf_profile *p = r->p;
#define NAMED(m) #m, p->m
  if (ordered (r, "limits", NAMED (memory_max_mb), NAMED (memory_min_mb), "", INT64_MAX) != 0
      || ordered (r, "limits", NAMED (memory_default_mb), NAMED (memory_min_mb), NAMED (memory_max_mb)) != 0
      || ordered (r, "limits", NAMED (timeout_max_s), NAMED (timeout_min_s), "", INT64_MAX) != 0
      || ordered (r, "limits", NAMED (timeout_default_s), NAMED (timeout_min_s), NAMED (timeout_max_s)) != 0
      || ordered (r, "limits", NAMED (tmp_max_mb), NAMED (tmp_min_mb), "", INT64_MAX) != 0
      || ordered (r, "limits", NAMED (tmp_default_mb), NAMED (tmp_min_mb), NAMED (tmp_max_mb)) != 0
      || ordered (r, "limits", NAMED (concurrency_unreserved_min), "zero", 0, NAMED (concurrency_account)) != 0
      || ordered (r, "behaviour", NAMED (async_backoff_max_ms), NAMED (async_backoff_min_ms), "", INT64_MAX) != 0
      || ordered (r, "behaviour", NAMED (tmp_free_mb), "zero", 0, NAMED (tmp_max_mb)) != 0)
    return -1;
#undef NAMED
  if ((p->memory_max_mb - p->memory_min_mb) % p->memory_step_mb != 0)
    return bad (r, "limits.memory_step_mb", "memory_max_mb cannot be reached from memory_min_mb in steps of %" PRId64, p->memory_step_mb);
  if (p->cpus[p->cpu_steps - 1].up_to_mb < p->memory_max_mb)
    return bad (r, "behaviour.cpus", "the last step ends below memory_max_mb (%" PRId64 ")", p->memory_max_mb);
  return 0;
}

/* Rates of services other than Lambda: any shape, but each leaf is a number with its source. */
static int
check_rates (const reader *r, const cJSON *o, const char *path, int depth)
{
  const cJSON *child;
  if (!cJSON_IsObject (o) || o->child == NULL || depth > 8)
    return bad (r, path, "must be an object of {\"value\", \"source\", \"confidence\"}");
  if (cJSON_GetObjectItemCaseSensitive (o, "value") != NULL)
    return number_value (r, o, path) != NULL ? 0 : -1;
  cJSON_ArrayForEach (child, o)
    {
      char at[PATH_MAX_LEN];
      join (at, path, child->string);
      if (check_rates (r, child, at, depth + 1) != 0)
        return -1;
    }
  return 0;
}

static int
read_other_service (const reader *r)
{
  static const char *const keys[] = { "name", "title", "date", "service", "rates" };
  if (check_keys (r, r->p->tree, "", keys, LF_ARRAY_LEN (keys)) != 0)
    return -1;
  r->p->extra = cJSON_GetObjectItemCaseSensitive (r->p->tree, "rates");
  return check_rates (r, r->p->extra, "rates", 0);
}

static int
read_all (const reader *r)
{
  static const char *const keys[] = { "name", "title", "date", "service", "limits", "behaviour", "prices" };
  lf_profile *p = r->p;
  if (!cJSON_IsObject (p->tree))
    return bad (r, "the file", "must be an object");
  const char *service = lf_json_str (p->tree, "service");
  bool other = service != NULL && (strcmp (service, "fargate") == 0 || strcmp (service, "ec2") == 0);
  if (!other && check_keys (r, p->tree, "", keys, LF_ARRAY_LEN (keys)) != 0)
    return -1;
  if (other && read_other_service (r) != 0)
    return -1;
  if (short_text (r, p->tree, "", "name", p->name, sizeof p->name) != 0
      || short_text (r, p->tree, "", "title", p->title, sizeof p->title) != 0
      || short_text (r, p->tree, "", "date", p->date, sizeof p->date) != 0
      || short_text (r, p->tree, "", "service", p->service, sizeof p->service) != 0)
    return -1;
  if (other)
    return 0;
  if (strcmp (p->service, "lambda") != 0)
    return bad (r, "service", "must be \"lambda\", \"fargate\" or \"ec2\"");
  if (read_section (r, "limits") != 0 || read_section (r, "behaviour") != 0 || read_prices (r) != 0)
    return -1;
  return check_together (r);
}

lf_profile *
lf_profile_parse_noting (const char *text, size_t n, const char *what, char missing[LF_PROFILE_PATH_MAX], lf_error *err)
{
  lf_profile *p = calloc (1, sizeof *p);
  if (p == NULL)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  reader r = { p, what, missing, err };
  p->tree = lf_json_parse (text, n, what, err);
  if (p->tree == NULL || read_all (&r) != 0)
    {
      lf_profile_free (p);
      return NULL;
    }
  return p;
}

lf_profile *
lf_profile_parse (const char *text, size_t n, const char *what, lf_error *err)
{
  return lf_profile_parse_noting (text, n, what, NULL, err);
}

void
lf_profile_free (lf_profile *p)
{
  if (p == NULL)
    return;
  free (p->prices);
  cJSON_Delete (p->tree);
  free (p);
}
