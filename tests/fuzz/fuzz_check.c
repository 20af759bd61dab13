/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what `check` reads. The first byte says as what: a check file, a baseline, a schema with a response, a pattern with a text. Whatever
 * comes there is an answer: a check that can be worked with, or an error with its place.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "../../src/check/inside.h"
#include "../../src/check/pattern.h"
#include "fuzz.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

/* libfyaml 0.7.12 itself loses memory on some broken texts. What is ours is still looked for. */
const char *__lsan_default_suppressions (void);
const char *
__lsan_default_suppressions (void)
{
  return "leak:libfyaml";
}

static int
option (const char *name)
{
  return strcmp (name, "memory") == 0 ? 1 : strcmp (name, "layer") == 0 ? 2 : strcmp (name, "strict-runtime") == 0 ? 0 : -1;
}

static void
look_at (const lf_check *c)
{
  CHECK (c->functions_n > 0);
  for (size_t i = 0; i < c->functions_n; i++)
    {
      const lf_check_function *f = &c->functions[i];
      CHECK (f->name && (f->target || c->template_) && f->line >= 1 && f->cold + f->warm > 0 && f->concurrency >= 1);
      for (size_t b = 0; b < f->budgets_n; b++)
        {
          const lf_budget *x = &f->budgets[b];
          CHECK (x->measure >= 0 && x->measure < LF_CHK_COUNT && x->stat < LF_STAT_COUNT && x->value >= 0 && x->line >= 1 && x->text[0]);
          CHECK (x->kind != LF_BUD_PERCENT || (x->measure < LF_LIM_COUNT && x->value <= 1000000));
        }
      for (size_t e = 0; e < f->events_n; e++)
        {
          const lf_event_spec *x = &f->events[e];
          CHECK ((x->path != NULL) + (x->value != NULL) + (x->size != LF_NONE) == 1);
          cJSON *j = x->value ? lf_doc_json (x->value) : NULL;
          CHECK (!x->value || j);
          cJSON_Delete (j);
        }
    }
}

static void
as_check (const char *text, size_t n)
{
  static const char *const words[] = { "memory", "layer", "strict_runtime" };
  static const lf_check_names names = { option, words, 3 };
  lf_error err = { 0 };
  lf_doc *d = lf_doc_read (text, n, "t.yaml", &err);
  lf_check *c = d ? lf_check_parse (d, "t.yaml", &names, &err) : NULL;
  if (c)
    look_at (c);
  else
    CHECK (err.exit == LF_EXIT_USAGE && lf_starts (err.what, "t.yaml:") && err.why[0]);
  lf_check_free (c);
}

static void
as_baseline (const char *text, size_t n)
{
  static const char *const events[] = { "e", "events/a.json", NULL };
  lf_error err = { 0 };
  lf_baseline *b = lf_baseline_parse (text, n, "b.json", &err);
  lf_timings *t = malloc (2 * sizeof *t);
  CHECK (t && (b || err.exit == LF_EXIT_USAGE));
  memset (&t[1], 0, sizeof t[1]);
  for (t[1].n = t[1].used_n = 0; t[1].n < 10; t[1].n++, t[1].used_n++)
    t[1].plain[t[1].n] = t[1].wall[t[1].n] = t[1].cpu[t[1].n] = t[1].used[t[1].used_n] = 1 + (double) t[1].n;
  for (int m = 0; b && m < LF_CHK_COUNT; m++)
    {
      lf_baseline_value (b, "F", m, LF_STAT_MAX);
      for (size_t e = 0; e < LF_ARRAY_LEN (events); e++)
        if (lf_baseline_timings (b, "F", events[e], m, &t[0]))
          {
            lf_comparison c = lf_compare (&t[0], &t[1], 1, 0.1);
            CHECK (c.word <= LF_CMP_FEW && t[0].n <= LF_BASELINE_SAMPLES_MAX);
          }
    }
  free (t);
  lf_baseline_free (b);
}

static void
as_schema (const char *text, size_t n)
{
  lf_error err = { 0 };
  lf_buf why;
  lf_buf_init (&why, 0);
  /* [schema, response] */
  cJSON *pair = lf_json_parse (text, n, "pair", &err), *schema = cJSON_GetArrayItem (pair, 0), *got = cJSON_GetArrayItem (pair, 1);
  if (schema && got)
    {
      if (lf_schema_check (schema, "schema", &err) == 0)
        CHECK (lf_match_schema (got, schema, &why) == 0 || why.len > 0);
      else
        CHECK (err.exit == LF_EXIT_USAGE);
      CHECK (lf_match_equal (got, got, 0, &why) == 0);
      CHECK (lf_match_subset (got, got, 0.5, &why) == 0);
      bool same = lf_match_equal (got, schema, 0, &why) == 0;
      CHECK (!same || lf_match_equal (schema, got, 0, &why) == 0);
    }
  cJSON_Delete (pair);
  lf_buf_fini (&why);
}

static void
as_pattern (const char *text, size_t n)
{
  char why[120], *copy = lf_strndup (text, n), *newline;
  CHECK (copy);
  newline = strchr (copy, '\n');
  if (newline)
    *newline = 0;
  int found = lf_pattern_match (copy, newline ? newline + 1 : ""), known = lf_pattern_check (copy, why);
  CHECK (found >= -1 && found <= 1 && (known == 0 || found == -1));
  free (copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size == 0 || size > 20000)
    return 0;
  const char *text = (const char *) data + 1;
  switch (data[0])
    {
    case 'b':
      as_baseline (text, size - 1);
      break;
    case 's':
      as_schema (text, size - 1);
      break;
    case 'p':
      as_pattern (text, size - 1);
      break;
    default:
      as_check (text, size - 1);
    }
  return 0;
}
