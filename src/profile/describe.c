/* SPDX-License-Identifier: Apache-2.0
 *
 * What a loaded profile says: its fields and prices as text with their sources, and the small questions the model asks.
 */
#include "table.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#define AT(m) offsetof (lf_profile, m)
const lf_field lf_field_table[] = {
#define LF_FIELD_INT(m, section, unit, lo, hi, doc) { { #m, #section, unit, doc }, LF_KIND_INT, AT (m), INT64_C (lo), INT64_C (hi), { NULL, NULL } },
#define LF_FIELD_FLAG(m, section, doc) { { #m, #section, "", doc }, LF_KIND_FLAG, AT (m), 0, 1, { NULL, NULL } },
#define LF_FIELD_CHOICE(m, section, type, w0, w1, doc) { { #m, #section, "", doc }, LF_KIND_CHOICE, AT (m), 0, 1, { w0, w1 } },
#define LF_FIELD_CPUS(m, section, doc) { { #m, #section, "CPUs", doc }, LF_KIND_CPUS, AT (m), 1, 4096, { NULL, NULL } },
#include "fields.def"
};
const size_t lf_field_count = LF_ARRAY_LEN (lf_field_table);

#define LF_FIELD_INT(m, section, unit, lo, hi, doc) { #m, #section, unit, doc },
#define LF_FIELD_FLAG(m, section, doc) { #m, #section, "", doc },
#define LF_FIELD_CHOICE(m, section, type, w0, w1, doc) { #m, #section, "", doc },
#define LF_FIELD_CPUS(m, section, doc) { #m, #section, "CPUs", doc },
static const lf_profile_field about[] = {
#include "fields.def"
};

const char *
lf_arch_name (lf_arch a)
{
  return a == LF_ARCH_ARM64 ? "arm64" : "x86_64";
}

int
lf_arch_parse (const char *s, lf_arch *out)
{
  for (int a = 0; s != NULL && a < LF_ARCH_COUNT; a++)
    if (strcmp (s, lf_arch_name ((lf_arch) a)) == 0)
      {
        *out = (lf_arch) a;
        return 0;
      }
  return -1;
}

bool
lf_rate_known (lf_decimal d)
{
  return d.mantissa >= 0;
}

const lf_prices *
lf_profile_prices (const lf_profile *p, const char *region)
{
  for (size_t i = 0; region != NULL && i < p->prices_n; i++)
    if (strcmp (p->prices[i].region, region) == 0)
      return &p->prices[i];
  return NULL;
}

int
lf_profile_visible_cpus (const lf_profile *p, int64_t memory_mb)
{
  int cpus = 1;
  for (int i = 0; i < p->cpu_steps; i++)
    {
      cpus = p->cpus[i].cpus;
      if (memory_mb <= p->cpus[i].up_to_mb)
        break;
    }
  return cpus;
}

int64_t
lf_profile_cpu_milli (const lf_profile *p, int64_t memory_mb)
{
  if (p->mb_per_vcpu <= 0)
    return 0;
  return (memory_mb * 1000 + p->mb_per_vcpu / 2) / p->mb_per_vcpu;
}

size_t
lf_profile_fields (const lf_profile_field **out)
{
  *out = about;
  return LF_ARRAY_LEN (about);
}

const struct cJSON *
lf_profile_entry (const lf_profile *p, const char *section, const char *key)
{
  return cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (p->tree, section), key);
}

const struct cJSON *
lf_profile_group (const lf_profile *p, const char *region)
{
  const cJSON *group, *name;
  cJSON_ArrayForEach (group, cJSON_GetObjectItemCaseSensitive (p->tree, "prices"))
    cJSON_ArrayForEach (name, cJSON_GetObjectItemCaseSensitive (group, "regions"))
      if (cJSON_IsString (name) && region != NULL && strcmp (name->valuestring, region) == 0)
        return group;
  return NULL;
}

static const char *
text_of (const cJSON *entry, const char *key)
{
  const char *s = lf_json_str (entry, key);
  return s != NULL ? s : "";
}

static void
cpus_text (const lf_profile *p, char value[256])
{
  size_t n = 0;
  for (int i = 0; i < p->cpu_steps && n < 230; i++)
    n += (size_t) snprintf (value + n, 256 - n, "%s%d up to %" PRId64 " MB", i > 0 ? ", " : "", p->cpus[i].cpus, p->cpus[i].up_to_mb);
}

void
lf_profile_field_get (const lf_profile *p, size_t i, char value[256], const char **source, const char **confidence)
{
  const lf_field *f = &lf_field_table[i];
  const char *at = (const char *) p + f->offset;
  int64_t number = 0;
  value[0] = '\0';
  if (f->kind == LF_KIND_INT || f->kind == LF_KIND_FLAG)
    memcpy (&number, at, sizeof number);
  switch (f->kind)
    {
    case LF_KIND_INT: snprintf (value, 256, "%" PRId64, number); break;
    case LF_KIND_FLAG: snprintf (value, 256, "%s", number != 0 ? "true" : "false"); break;
    case LF_KIND_CHOICE:
      {
        unsigned word = 0;
        memcpy (&word, at, sizeof word);
        snprintf (value, 256, "%s", f->words[word & 1]);
        break;
      }
    case LF_KIND_CPUS: cpus_text (p, value); break;
    }
  const cJSON *entry = lf_profile_entry (p, f->about.section, f->about.key);
  if (source != NULL)
    *source = text_of (entry, "source");
  if (confidence != NULL)
    *confidence = text_of (entry, "confidence");
}

static void
rate_slot (lf_profile_rate *slot, const char *key, const char *unit, const char *doc, lf_decimal rate, int64_t up_to, const cJSON *entry)
{
  snprintf (slot->key, sizeof slot->key, "%s", key);
  slot->unit = unit;
  slot->doc = doc;
  slot->rate = rate;
  slot->up_to_gb_s = up_to == INT64_MAX ? LF_NONE : up_to;
  slot->source = text_of (entry, "source");
  slot->confidence = text_of (entry, "confidence");
}

static size_t
rate_archs (lf_profile_rate *out, const char *key, const char *unit, const char *doc, const lf_decimal rates[LF_ARCH_COUNT], const cJSON *group)
{
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    {
      char name[64];
      const char *arch = lf_arch_name ((lf_arch) a);
      snprintf (name, sizeof name, "%s.%s", key, arch);
      const cJSON *entry = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (group, key), arch);
      rate_slot (&out[a], name, unit, doc, rates[a], LF_NONE, entry);
    }
  return LF_ARCH_COUNT;
}

static size_t
rate_tiers (lf_profile_rate *out, const char *key, const char *unit, const char *doc, const lf_prices *of, const cJSON *group)
{
  size_t n = 0;
  for (int a = 0; a < LF_ARCH_COUNT; a++)
    {
      const char *arch = lf_arch_name ((lf_arch) a);
      const cJSON *tiers = cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (group, key), arch);
      for (int t = 0; t < of->duration_tiers[a]; t++)
        {
          char name[64];
          snprintf (name, sizeof name, "%s.%s[%d]", key, arch, t);
          const cJSON *entry = cJSON_GetObjectItemCaseSensitive (cJSON_GetArrayItem (tiers, t), "rate");
          rate_slot (&out[n++], name, unit, doc, of->duration[a][t].per_gb_s, of->duration[a][t].up_to_gb_s, entry);
        }
    }
  return n;
}

size_t
lf_profile_rates (const lf_profile *p, const char *region, lf_profile_rate out[LF_RATE_SLOTS_MAX])
{
  const lf_prices *of = lf_profile_prices (p, region);
  const cJSON *group = lf_profile_group (p, region);
  size_t n = 0;
  if (of == NULL)
    return 0;
#define LF_RATE(m, unit, doc) rate_slot (&out[n++], #m, unit, doc, of->m, LF_NONE, cJSON_GetObjectItemCaseSensitive (group, #m));
#define LF_RATE_ARCH(m, unit, doc) n += rate_archs (&out[n], #m, unit, doc, of->m, group);
#define LF_RATE_TIERS(m, unit, doc) n += rate_tiers (&out[n], #m, unit, doc, of, group);
#include "rates.def"
  return n;
}
