/* SPDX-License-Identifier: Apache-2.0 */
#include "limits_doc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPEN "<!-- generated: "
#define CLOSE "<!-- end -->"

/* 262,144,000 */
static void
add_grouped (lf_buf *b, const char *digits)
{
  size_t n = strlen (digits);
  bool plain = n > 0 && strspn (digits, "0123456789") == n;
  for (size_t i = 0; i < n; i++)
    {
      if (plain && i > 0 && (n - i) % 3 == 0)
        lf_buf_addc (b, ',');
      lf_buf_addc (b, digits[i]);
    }
}

static void
add_number (lf_buf *b, int64_t v)
{
  char digits[32];
  snprintf (digits, sizeof digits, "%" PRId64, v);
  add_grouped (b, digits);
}

int
lf_limits_doc_table (lf_buf *out, lf_profile *const *profiles, size_t n)
{
  lf_buf_adds (out, "| limit | what | unit |");
  for (size_t k = 0; k < n; k++)
    lf_buf_addf (out, " %s |", profiles[k]->name);
  lf_buf_adds (out, " by | seen |\n|---|---|---|");
  for (size_t k = 0; k < n; k++)
    lf_buf_adds (out, "---|");
  lf_buf_adds (out, "---|---|\n");
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      const lf_limit_info *info = lf_limit_get ((lf_limit) i);
      lf_buf_addf (out, "| [`%s`](#%s) | %s: %s | %s |", info->id, info->id, info->title, info->doc, info->unit);
      for (size_t k = 0; k < n; k++)
        {
          lf_error err = { 0 };
          lf_function f;
          lf_function_init (&f);
          f.image_bytes = 0; /* every limit is to be seen */
          lf_buf_addc (out, ' ');
          if (lf_function_defaults (&f, profiles[k], &err) == 0)
            add_number (out, lf_limit_allowed ((lf_limit) i, &f, profiles[k]));
          else
            out->failed = true;
          lf_buf_adds (out, " |");
          lf_function_fini (&f);
        }
      lf_buf_addf (out, " %s | %s |\n", info->by_default == LF_ENF_KERNEL ? "the kernel" : "lambdafit",
                   info->per_invocation ? "in each invocation" : "before the first invocation");
    }
  return out->failed ? -1 : 0;
}

/* One row for each profile field of the limit, with its sources. */
static int
add_values (lf_buf *out, const lf_limit_info *info, lf_profile *const *profiles, size_t n)
{
  const lf_profile_field *fields;
  size_t count = lf_profile_fields (&fields), rows = 0;
  lf_buf_adds (out, "| profile | field | value | unit | source | confidence |\n|---|---|---|---|---|---|\n");
  for (size_t k = 0; k < n; k++)
    for (const char *key = info->fields; *key != '\0';)
      {
        size_t len = strcspn (key, " ");
        for (size_t i = 0; i < count; i++)
          {
            char value[256];
            const char *source, *confidence;
            if (strlen (fields[i].key) != len || memcmp (fields[i].key, key, len) != 0)
              continue;
            lf_profile_field_get (profiles[k], i, value, &source, &confidence);
            lf_buf_addf (out, "| %s | `%s` | ", profiles[k]->name, fields[i].key);
            add_grouped (out, value);
            lf_buf_addf (out, " | %s | %s | %s |\n", fields[i].unit, source, confidence);
            rows++;
          }
        key += len + (key[len] == ' ');
      }
  return rows > 0 && !out->failed ? 0 : -1;
}

/* A vertical bar would end a cell. */
static void
add_cell (lf_buf *out, const char *text)
{
  for (; *text != '\0'; text++)
    {
      if (*text == '|')
        lf_buf_addc (out, '\\');
      lf_buf_addc (out, *text);
    }
}

/* Every rule, in the order in which they are asked. */
static int
add_rules (lf_buf *out)
{
  const lf_rule_info *rules;
  size_t n = lf_rules (&rules);
  lf_buf_adds (out, "| rule | about | severity | holds when | what and why | fix |\n|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < n; i++)
    {
      lf_buf_addf (out, "| `%s` | [%s](#%s) | %s | ", rules[i].id, rules[i].subject, rules[i].subject, rules[i].severity);
      add_cell (out, rules[i].when);
      lf_buf_adds (out, " | ");
      add_cell (out, rules[i].what);
      lf_buf_addc (out, ' ');
      add_cell (out, rules[i].why);
      lf_buf_adds (out, " | ");
      add_cell (out, rules[i].fix);
      lf_buf_adds (out, " |\n");
    }
  return out->failed ? -1 : 0;
}

static int
refuse (lf_error *err, const char *what, const char *why, const char *detail)
{
  return LF_FAIL (err, LF_EXIT_FAILED, what, "", "%s: %s", why, detail);
}

int
lf_limits_doc_update (const char *page, lf_buf *out, lf_profile *const *profiles, size_t n, lf_error *err)
{
  bool have[LF_LIM_COUNT + 2] = { false }; /* the last are the tables of limits and of rules */
  const char *open;
  while ((open = strstr (page, OPEN)) != NULL)
    {
      const char *name = open + strlen (OPEN), *body = strchr (name, '\n');
      const char *close = body != NULL ? strstr (body, CLOSE) : NULL;
      char id[64];
      lf_limit l;
      snprintf (id, sizeof id, "%.*s", (int) strcspn (name, " \n"), name);
      if (close == NULL)
        return refuse (err, "limits page", "a generated part has no end", id);
      lf_buf_add (out, page, (size_t) (body + 1 - page));
      if (strcmp (id, "table") == 0)
        {
          have[LF_LIM_COUNT] = true;
          if (lf_limits_doc_table (out, profiles, n) != 0)
            return LF_FAIL_NOMEM (err);
        }
      else if (strcmp (id, "rules") == 0)
        {
          have[LF_LIM_COUNT + 1] = true;
          if (add_rules (out) != 0)
            return LF_FAIL_NOMEM (err);
        }
      else if (lf_limit_parse (id, &l) != 0)
        return refuse (err, "limits page", "no such limit", id);
      else
        {
          have[l] = true;
          if (add_values (out, lf_limit_get (l), profiles, n) != 0)
            return refuse (err, "limits.def", "no profile field decides this limit", id);
        }
      page = close;
    }
  lf_buf_adds (out, page);
  for (int i = 0; i <= LF_LIM_COUNT + 1; i++)
    if (!have[i])
      return refuse (err, "limits page", "there is no generated part for",
                     i > LF_LIM_COUNT ? "the rules" : i == LF_LIM_COUNT ? "the table" : lf_limit_get ((lf_limit) i)->id);
  return out->failed ? LF_FAIL_NOMEM (err) : 0;
}
