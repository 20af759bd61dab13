/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: what ships loads with the recorded values, and every way to break a file is refused with the key's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "lambdafit/profile.h"

#define CLEAN_PROFILE LF_CLEANUP (free_profile)

static void
free_profile (lf_profile **p)
{
  lf_profile_free (*p);
}

static lf_profile *
load (const char *name)
{
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (name, &err);
  if (p == NULL)
    fail_msg ("%s: %s", err.what, err.why);
  return p;
}

static void
same_rate (lf_decimal d, const char *text)
{
  char out[40];
  lf_decimal_format (d, out);
  assert_string_equal (out, text);
}

static void
values_2026 (void **state)
{
  (void) state;
  lf_profile *p CLEAN_PROFILE = load ("aws-lambda-2026-11");
  assert_string_equal (p->name, "aws-lambda-2026-11");
  assert_string_equal (p->service, "lambda");
  assert_int_equal (p->memory_min_mb, 128);
  assert_int_equal (p->memory_max_mb, 10240);
  assert_int_equal (p->memory_step_mb, 1);
  assert_int_equal (p->timeout_max_s, 900);
  assert_int_equal (p->tmp_min_mb, 512);
  assert_int_equal (p->tmp_max_mb, 10240);
  assert_int_equal (p->package_max_bytes, 262144000);
  assert_int_equal (p->zip_max_bytes, 52428800);
  assert_int_equal (p->create_request_max_bytes, 70167211);
  assert_int_equal (p->layers_max, 5);
  assert_int_equal (p->request_max_bytes, 6291456);
  assert_int_equal (p->response_max_bytes, 6291556);
  assert_int_equal (p->async_request_max_bytes, 1048576);
  assert_int_equal (p->env_max_bytes, 4096);
  assert_int_equal (p->fds_max, 1024);
  assert_int_equal (p->nproc_rlimit, 742);
  assert_int_equal (p->concurrency_account, 1000);
  assert_int_equal (p->scaling_step, 1000);
  assert_int_equal (p->scaling_period_ms, 10000);
  assert_int_equal (p->scaling_per_function, 1);
  assert_int_equal (p->init_max_ms, 10000);
  assert_int_equal (p->client_context_max_bytes, 3583);
  assert_int_equal (p->keepalive_ms, 300000);
  assert_int_equal (p->billing_granularity_ms, 1);
  assert_int_equal (p->init_billed, LF_INIT_BILLED_ALL);
  assert_int_equal (p->style, LF_STYLE_2026);
  assert_int_equal (p->mb_per_vcpu, 1769);
  assert_int_equal (p->tmp_free_mb, 512);
  assert_int_equal (p->invocation_id, 1);
  assert_int_equal (p->async_retries, 2);
  assert_int_equal (p->async_max_age_s, 21600);
  assert_int_equal (p->free_requests, 1000000);
  assert_int_equal (p->free_gb_s, 400000);
  const int64_t mb[] = { 128, 3008, 3009, 5307, 5308, 7076, 7077, 8845, 8846, 10240 };
  const int cpus[] = { 2, 2, 3, 3, 4, 4, 5, 5, 6, 6 };
  for (size_t i = 0; i < LF_ARRAY_LEN (mb); i++)
    assert_int_equal (lf_profile_visible_cpus (p, mb[i]), cpus[i]);
  assert_int_equal (lf_profile_cpu_milli (p, 1769), 1000);
  assert_int_equal (lf_profile_cpu_milli (p, 128), 72);
  assert_int_equal (lf_profile_cpu_milli (p, 10240), 5789);
}

static void
prices_2026 (void **state)
{
  (void) state;
  lf_profile *p CLEAN_PROFILE = load (NULL);
  assert_string_equal (p->name, LF_PROFILE_DEFAULT);
  const lf_prices *us = lf_profile_prices (p, "us-east-1");
  assert_non_null (us);
  same_rate (us->per_million_requests[LF_ARCH_X86_64], "0.2");
  assert_int_equal (us->duration_tiers[LF_ARCH_X86_64], 3);
  same_rate (us->duration[LF_ARCH_X86_64][0].per_gb_s, "0.0000166667");
  assert_int_equal (us->duration[LF_ARCH_X86_64][0].up_to_gb_s, INT64_C (6000000000));
  same_rate (us->duration[LF_ARCH_X86_64][1].per_gb_s, "0.000015");
  assert_int_equal (us->duration[LF_ARCH_X86_64][1].up_to_gb_s, INT64_C (15000000000));
  same_rate (us->duration[LF_ARCH_X86_64][2].per_gb_s, "0.0000133334");
  assert_true (us->duration[LF_ARCH_X86_64][2].up_to_gb_s == INT64_MAX);
  same_rate (us->duration[LF_ARCH_ARM64][0].per_gb_s, "0.0000133334");
  assert_int_equal (us->duration[LF_ARCH_ARM64][1].up_to_gb_s, INT64_C (18750000000));
  same_rate (us->duration[LF_ARCH_ARM64][2].per_gb_s, "0.0000106667");
  same_rate (us->tmp_per_gb_s, "0.0000000309");
  same_rate (us->pc_idle_per_gb_s[LF_ARCH_ARM64], "0.0000033334");
  same_rate (us->pc_duration_per_gb_s[LF_ARCH_X86_64], "0.0000097222");
  const lf_prices *eu = lf_profile_prices (p, "eu-central-1");
  assert_non_null (eu);
  same_rate (eu->pc_duration_per_gb_s[LF_ARCH_X86_64], "0.0000117011");
  same_rate (eu->tmp_per_gb_s, "0.0000000367");
  const lf_prices *za = lf_profile_prices (p, "af-south-1");
  assert_non_null (za);
  same_rate (za->duration[LF_ARCH_ARM64][0].per_gb_s, "0.00001768");
  assert_int_equal (za->duration_tiers[LF_ARCH_ARM64], 1);
  const lf_prices *cn = lf_profile_prices (p, "cn-north-1");
  assert_non_null (cn);
  assert_string_equal (cn->currency, "CNY");
  assert_false (lf_rate_known (cn->tmp_per_gb_s));
  assert_null (lf_profile_prices (p, "mars-north-1"));
  assert_null (lf_profile_prices (p, NULL));
  assert_int_equal (p->prices_n, 26);
}

static void
values_2020 (void **state)
{
  (void) state;
  lf_profile *p CLEAN_PROFILE = load ("aws-lambda-2020-02");
  assert_int_equal (p->memory_max_mb, 3008);
  assert_int_equal (p->memory_step_mb, 64);
  assert_int_equal (p->tmp_max_mb, 512);
  assert_int_equal (p->async_request_max_bytes, 262144);
  assert_int_equal (p->scaling_burst, 3000);
  assert_int_equal (p->scaling_step, 500);
  assert_int_equal (p->scaling_per_function, 0);
  assert_int_equal (p->billing_granularity_ms, 100);
  assert_int_equal (p->init_billed, LF_INIT_BILLED_CUSTOM);
  assert_int_equal (p->style, LF_STYLE_2020);
  assert_int_equal (p->mb_per_vcpu, 1792);
  assert_int_equal (p->invocation_id, 0);
  assert_int_equal (lf_profile_visible_cpus (p, 3008), 2);
  assert_int_equal (lf_profile_cpu_milli (p, 3008), 1679);
  const lf_prices *us = lf_profile_prices (p, "us-east-1");
  assert_non_null (us);
  assert_int_equal (us->duration_tiers[LF_ARCH_X86_64], 1);
  assert_int_equal (us->duration_tiers[LF_ARCH_ARM64], 0);
  assert_false (lf_rate_known (us->per_million_requests[LF_ARCH_ARM64]));
  same_rate (us->tmp_per_gb_s, "0");
}

static void
which_file (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_strv names LF_CLEANUP (lf_strv_fini) = { 0 };
  assert_int_equal (lf_profile_list (&names, &err), 0);
  assert_int_equal (names.n, 4);
  for (size_t i = 0; i < names.n; i++)
    {
      lf_profile *p CLEAN_PROFILE = load (names.v[i]);
      assert_string_equal (p->name, names.v[i]);
      assert_true (i == 0 || strcmp (names.v[i - 1], names.v[i]) < 0);
    }
  assert_null (lf_profile_load ("aws-lambda-1999", &err));
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_non_null (strstr (err.fix, "aws-lambda-2026-11"));
  err = (lf_error){ 0 };
  assert_null (lf_profile_load ("../../etc/passwd", &err));
  assert_int_not_equal (err.exit, LF_EXIT_OK);
  err = (lf_error){ 0 };
  assert_null (lf_profile_load ("/nowhere/at/all.json", &err));
  assert_non_null (strstr (err.what, "/nowhere/at/all.json"));
  setenv ("LAMBDAFIT_PROFILE", "aws-lambda-2020-02", 1);
  lf_profile *from_env CLEAN_PROFILE = load (NULL);
  unsetenv ("LAMBDAFIT_PROFILE");
  assert_string_equal (from_env->name, "aws-lambda-2020-02");
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/profiles/aws-lambda-2020-02.json", getenv ("TOP_SRCDIR"));
  lf_profile *by_path CLEAN_PROFILE = load (path);
  assert_string_equal (by_path->name, "aws-lambda-2020-02");
}

static cJSON *tree_of (const char *name);

/* Loads the default profile without a key of a section; true when the advice has WORDS. */
static bool
advised_without (const char *section, const char *key, const char *words)
{
  lf_error err = { 0 };
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2026-11");
  cJSON *o = section != NULL ? cJSON_GetObjectItemCaseSensitive (tree, section) : tree;
  assert_non_null (cJSON_GetObjectItemCaseSensitive (o, key));
  cJSON_DeleteItemFromObjectCaseSensitive (o, key);
  char path[] = "/tmp/lf-test-profile-XXXXXX.json", *text LF_CLEANUP (lf_freep) = cJSON_PrintUnformatted (tree);
  int fd = mkstemps (path, 5);
  assert_int_equal (write (fd, text, strlen (text)), strlen (text));
  close (fd);
  assert_null (lf_profile_load (path, &err));
  unlink (path);
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_non_null (strstr (err.why, key));
  assert_non_null (strstr (err.why, "is missing"));
  return strstr (err.fix, words) != NULL;
}

static void
older_files (void **state)
{
  (void) state;
  assert_true (advised_without ("limits", "image_max_bytes", "add to its \"limits\", as aws-lambda-2026-11 has it: \"image_max_bytes\": {\"value\":10737418240,"));
  assert_true (advised_without ("behaviour", "init_billed", "\"init_billed\": {\"value\":\"all\","));
  assert_true (advised_without ("behaviour", "cpus", "\"cpus\": {"));
  assert_false (advised_without (NULL, "limits", "add to"));
  assert_true (advised_without (NULL, "prices", "docs/profiles.md"));
}

/* ---- breaking a good file ---------------------------------------------------------------------------------------------------- */

static cJSON *
tree_of (const char *name)
{
  lf_error err = { 0 };
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/profiles/%s.json", getenv ("TOP_SRCDIR"), name);
  cJSON *tree = lf_json_load (path, (size_t) 1 << 20, &err);
  assert_non_null (tree);
  return tree;
}

static void
refused_as (const cJSON *tree, const char *key_path)
{
  lf_error err = { 0 };
  char *text = cJSON_PrintUnformatted (tree);
  lf_profile *p = lf_profile_parse (text, strlen (text), "mine.json", &err);
  free (text);
  if (p != NULL)
    {
      lf_profile_free (p);
      fail_msg ("accepted although %s is broken", key_path);
    }
  assert_string_equal (err.what, "mine.json");
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_true (err.fix[0] != '\0');
  if (strncmp (err.why, key_path, strlen (key_path)) != 0)
    fail_msg ("\"%s\" does not name %s", err.why, key_path);
}

/* Replaces `item` of `parent` by `with` (NULL: removes it), expects the refusal, and puts it back. */
static void
broken (cJSON *tree, cJSON *parent, cJSON *item, cJSON *with, const char *key_path)
{
  cJSON *copy = cJSON_Duplicate (item, 1);
  char *key = lf_strdup (item->string);
  int index = 0;
  for (cJSON *c = parent->child; c != item; c = c->next)
    index++;
  if (with != NULL && key != NULL)
    cJSON_ReplaceItemInObjectCaseSensitive (parent, key, with);
  else if (with != NULL)
    cJSON_ReplaceItemInArray (parent, index, with);
  else
    cJSON_Delete (cJSON_DetachItemViaPointer (parent, item));
  refused_as (tree, key_path);
  if (with != NULL && key != NULL)
    cJSON_ReplaceItemInObjectCaseSensitive (parent, key, copy);
  else if (with != NULL)
    cJSON_ReplaceItemInArray (parent, index, copy);
  else if (key != NULL)
    cJSON_AddItemToObject (parent, key, copy);
  else
    cJSON_InsertItemInArray (parent, index, copy);
  free (key);
}

static cJSON *
child (cJSON *o, const char *key)
{
  cJSON *c = cJSON_GetObjectItemCaseSensitive (o, key);
  assert_non_null (c);
  return c;
}

static void
every_key_is_needed (void **state)
{
  (void) state;
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2020-02");
  const lf_profile_field *fields;
  size_t n = lf_profile_fields (&fields);
  assert_true (n > 40);
  for (size_t i = 0; i < n; i++)
    {
      char path[160];
      cJSON *section = child (tree, fields[i].section);
      snprintf (path, sizeof path, "%s.%s", fields[i].section, fields[i].key);
      broken (tree, section, child (section, fields[i].key), NULL, path);
      broken (tree, section, child (section, fields[i].key), cJSON_CreateNumber (5), path);
      cJSON *entry = child (section, fields[i].key);
      const char *const parts[] = { "value", "confidence", "source" };
      for (size_t k = 0; k < 3; k++)
        {
          snprintf (path, sizeof path, "%s.%s.%s", fields[i].section, fields[i].key, parts[k]);
          broken (tree, entry, child (entry, parts[k]), NULL, path);
          broken (tree, entry, child (entry, parts[k]), cJSON_CreateNull (), path);
          broken (tree, entry, child (entry, parts[k]), cJSON_CreateString (k < 2 ? "perhaps" : ""), path);
          if (k == 0)
            {
              broken (tree, entry, child (entry, parts[k]), cJSON_CreateNumber (-1), path);
              broken (tree, entry, child (entry, parts[k]), cJSON_CreateNumber (1e300), path);
              broken (tree, entry, child (entry, parts[k]), cJSON_CreateNumber (0.5), path);
            }
        }
    }
}

static void
every_price_is_needed (void **state)
{
  (void) state;
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2026-11");
  cJSON *group = child (tree, "prices")->child;
  const char *const keys[] = { "regions", "currency", "per_million_requests", "duration", "tmp_per_gb_s", "pc_duration_per_gb_s", "pc_idle_per_gb_s" };
  for (size_t i = 0; i < LF_ARRAY_LEN (keys); i++)
    {
      char path[160];
      snprintf (path, sizeof path, "prices[0].%s", keys[i]);
      broken (tree, group, child (group, keys[i]), NULL, path);
      broken (tree, group, child (group, keys[i]), cJSON_CreateNumber (1), path);
      broken (tree, group, child (group, keys[i]), cJSON_CreateArray (), path);
    }
  cJSON *rate = child (child (group, "per_million_requests"), "arm64");
  const char *const no_prices[] = { "", "x", "-1", "0.2.0", "1e400", "NaN", " 1", "1 ", "1000.1", "0x10" };
  for (size_t i = 0; i < LF_ARRAY_LEN (no_prices); i++)
    broken (tree, rate, child (rate, "value"), cJSON_CreateString (no_prices[i]), "prices[0].per_million_requests.arm64.value");
  broken (tree, rate, child (rate, "value"), cJSON_CreateNumber (0.2), "prices[0].per_million_requests.arm64.value");
  cJSON *tiers = child (child (group, "duration"), "x86_64");
  broken (tree, tiers->child, child (tiers->child, "up_to_gb_s"), cJSON_CreateNull (), "prices[0].duration.x86_64[0].up_to_gb_s");
  cJSON *second = child (tiers->child->next, "up_to_gb_s");
  broken (tree, second, child (second, "value"), cJSON_CreateNumber (6e9), "prices[0].duration.x86_64[1].up_to_gb_s");
  broken (tree, tiers, tiers->child->next->next, NULL, "prices[0].duration.x86_64[1].up_to_gb_s");
  cJSON *regions = child (group, "regions");
  broken (tree, regions, regions->child, cJSON_CreateString ("eu-west-1"), "prices[");
  broken (tree, regions, regions->child, cJSON_CreateString ("Us East"), "prices[0].regions[0]");
  broken (tree, regions, regions->child, cJSON_CreateString (""), "prices[0].regions[0]");
  broken (tree, regions, regions->child, cJSON_CreateString ("a-region-with-a-very-long-name"), "prices[0].regions[0]");
}

static void
what_values_break_together (void **state)
{
  (void) state;
  static const struct { const char *section, *key; double value; } cases[] = {
    { "limits", "memory_max_mb", 127 },      { "limits", "memory_default_mb", 20000 }, { "limits", "timeout_default_s", 901 },
    { "limits", "tmp_max_mb", 511 },         { "limits", "tmp_default_mb", 511 },      { "limits", "memory_step_mb", 100 },
    { "limits", "concurrency_unreserved_min", 1001 }, { "behaviour", "async_backoff_max_ms", 10 }, { "behaviour", "tmp_free_mb", 20000 },
  };
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2026-11");
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char path[160];
      cJSON *entry = child (child (tree, cases[i].section), cases[i].key);
      snprintf (path, sizeof path, "%s.%s", cases[i].section, cases[i].key);
      broken (tree, entry, child (entry, "value"), cJSON_CreateNumber (cases[i].value), path);
    }
  cJSON *steps = child (child (child (tree, "behaviour"), "cpus"), "value");
  broken (tree, steps, steps->child->next->next->next->next, NULL, "behaviour.cpus");
  broken (tree, steps->child->next, child (steps->child->next, "up_to_mb"), cJSON_CreateNumber (3008), "behaviour.cpus.value[1].up_to_mb");
  cJSON_AddItemToObject (child (tree, "limits"), "memory_maximum", cJSON_CreateNumber (1));
  refused_as (tree, "limits.memory_maximum: is not a known key");
}

static void
a_key_given_twice (void **state)
{
  (void) state;
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2026-11");
  cJSON *limits = child (tree, "limits");
  cJSON_AddItemToObject (limits, "layers_max", cJSON_Duplicate (child (limits, "layers_max"), 1));
  refused_as (tree, "limits.layers_max: is given twice");
}

static void
garbage (void **state)
{
  (void) state;
  static const char *const texts[] = {
    "", "{", "[]", "null", "7", "\"x\"", "{}", "{\"service\": 1}", "{\"service\": \"moon\"}", "\xff\xfe", "{\"name\": \"a\"}",
    "{\"service\": \"fargate\"}", "{\"service\": \"ec2\", \"name\": \"a\", \"title\": \"b\", \"date\": \"c\", \"rates\": {\"x\": 1}}",
    "{\"service\": \"ec2\", \"name\": \"a\", \"title\": \"b\", \"date\": \"c\", \"rates\": {\"x\": {\"value\": 1}}}",
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (texts); i++)
    {
      lf_error err = { 0 };
      assert_null (lf_profile_parse (texts[i], strlen (texts[i]), "mine.json", &err));
      assert_int_not_equal (err.exit, LF_EXIT_OK);
      assert_true (err.why[0] != '\0');
    }
  /* Every short cut of a real file, and a real file with one byte changed, ends in a profile or an error, never in a crash. */
  cJSON *tree LF_CLEANUP (lf_json_freep) = tree_of ("aws-lambda-2020-02");
  char *text LF_CLEANUP (lf_freep) = cJSON_PrintUnformatted (tree);
  size_t n = strlen (text);
  for (size_t i = 0; i < n; i += 7)
    {
      lf_error err = { 0 };
      assert_null (lf_profile_parse (text, i, "cut.json", &err));
      char kept = text[i];
      text[i] = (char) (i * 31 + 1);
      lf_profile_free (lf_profile_parse (text, n, "changed.json", &err));
      text[i] = kept;
    }
}

static void
other_services (void **state)
{
  (void) state;
  const char *text = "{\"service\": \"fargate\", \"name\": \"f\", \"title\": \"Fargate\", \"date\": \"2026-11\", \"rates\": {\"us-east-1\": {"
                     "\"vcpu_hour\": {\"value\": \"0.04048\", \"source\": \"s\", \"confidence\": \"transcribed\"}}}}";
  lf_error err = { 0 };
  lf_profile *p CLEAN_PROFILE = lf_profile_parse (text, strlen (text), "f.json", &err);
  assert_non_null (p);
  assert_string_equal (p->service, "fargate");
  assert_non_null (p->extra);
}

static void
differences (void **state)
{
  (void) state;
  lf_profile *a CLEAN_PROFILE = load ("aws-lambda-2020-02");
  lf_profile *b CLEAN_PROFILE = load ("aws-lambda-2026-11");
  const lf_profile_field *fields;
  size_t n = lf_profile_fields (&fields), differ = 0;
  bool memory = false, layers = false;
  for (size_t i = 0; i < n; i++)
    {
      char one[256], two[256];
      const char *source, *confidence;
      lf_profile_field_get (a, i, one, &source, &confidence);
      assert_true (source[0] != '\0' && confidence[0] != '\0' && one[0] != '\0');
      lf_profile_field_get (b, i, two, NULL, NULL);
      if (strcmp (one, two) == 0)
        continue;
      differ++;
      memory = memory || strcmp (fields[i].key, "memory_max_mb") == 0;
      layers = layers || strcmp (fields[i].key, "layers_max") == 0;
      if (strcmp (fields[i].key, "init_billed") == 0)
        {
          assert_string_equal (one, "custom");
          assert_string_equal (two, "all");
        }
    }
  assert_true (memory && !layers);
  assert_true (differ > 10 && differ < n);
}

static void
rates_with_sources (void **state)
{
  (void) state;
  lf_profile *p CLEAN_PROFILE = load ("aws-lambda-2026-11");
  lf_profile_rate rates[LF_RATE_SLOTS_MAX];
  for (size_t i = 0; i < p->prices_n; i++)
    {
      size_t n = lf_profile_rates (p, p->prices[i].region, rates);
      assert_true (n >= 9 && n <= LF_RATE_SLOTS_MAX);
      for (size_t k = 0; k < n; k++)
        assert_true (rates[k].key[0] != '\0' && rates[k].source[0] != '\0' && rates[k].confidence[0] != '\0');
    }
  assert_int_equal (lf_profile_rates (p, "us-east-1", rates), 13);
  assert_string_equal (rates[2].key, "duration.x86_64[0]");
  assert_int_equal (rates[2].up_to_gb_s, INT64_C (6000000000));
  assert_true (rates[4].up_to_gb_s == LF_NONE);
  assert_int_equal (lf_profile_rates (p, "nowhere", rates), 0);
}

/* docs/profiles.md lists every field and every price with the meaning that the table gives it. */
static void
documented (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_buf text LF_CLEANUP (lf_buf_fini);
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s/docs/profiles.md", getenv ("TOP_SRCDIR"));
  lf_buf_init (&text, 0);
  assert_int_equal (lf_read_file (path, (size_t) 1 << 20, &text, &err), 0);
  const lf_profile_field *fields;
  size_t n = lf_profile_fields (&fields);
  for (size_t i = 0; i < n; i++)
    {
      char *row LF_CLEANUP (lf_freep) = lf_asprintf ("| `%s` | %s | %s |\n", fields[i].key, fields[i].unit, fields[i].doc);
      if (strstr (text.data, row) == NULL)
        fail_msg ("docs/profiles.md lacks: %s", row);
    }
#define PRICE(m, unit, doc) \
  if (strstr (text.data, "| `" #m "` | " unit " | " doc " |\n") == NULL) \
    fail_msg ("docs/profiles.md lacks: %s", "| `" #m "` | " unit " | " doc " |");
#define LF_RATE PRICE
#define LF_RATE_ARCH PRICE
#define LF_RATE_TIERS PRICE
#include "../../src/profile/rates.def"
}

int
main (void)
{
  unsetenv ("LAMBDAFIT_PROFILE");
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (values_2026),           cmocka_unit_test (prices_2026),
    cmocka_unit_test (values_2020),           cmocka_unit_test (which_file), cmocka_unit_test (older_files),
    cmocka_unit_test (every_key_is_needed),   cmocka_unit_test (every_price_is_needed),
    cmocka_unit_test (what_values_break_together), cmocka_unit_test (a_key_given_twice),
    cmocka_unit_test (garbage),               cmocka_unit_test (other_services),
    cmocka_unit_test (differences),           cmocka_unit_test (rates_with_sources),
    cmocka_unit_test (documented),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
