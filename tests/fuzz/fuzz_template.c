/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a template. The first byte says how the file is called: a name that ends in .json is read as JSON first. Whatever comes, there
 * is an answer: functions, or an error with its place; every function is found by its names and can be asked whether it is usable.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lambdafit/template.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

/* libfyaml 0.7.12 itself loses 4 KB on some broken texts. What is ours is still looked for. */
const char *__lsan_default_suppressions (void);
const char *
__lsan_default_suppressions (void)
{
  return "leak:libfyaml";
}

static const lf_profile *
platform (void)
{
  static lf_profile *p;
  lf_error err = { 0 };
  if (!p)
    p = lf_profile_load (NULL, &err);
  CHECK (p);
  return p;
}

static void
check (const lf_template *t)
{
  size_t errors = 0;
  for (size_t i = 0; i < t->problems_n; i++)
    {
      const lf_template_problem *p = &t->problems[i];
      errors += p->severity == LF_TPL_ERROR;
      CHECK (p->line >= 1 && p->column >= 1 && p->message && p->message[0]);
      CHECK (i == 0 || t->problems[i - 1].line <= p->line);
    }
  CHECK (!t->broken || (errors > 0 && t->functions_n == 0 && t->layers_n == 0 && t->events_n == 0));
  for (size_t i = 0; i < t->functions_n; i++)
    {
      const lf_template_function *f = &t->functions[i];
      lf_error err = { 0 };
      CHECK (f->f.name && f->logical_id && lf_template_function_find (t, f->f.name) && lf_template_function_find (t, f->logical_id));
      CHECK (f->code != LF_TPL_CODE_PATH || f->path);
      CHECK (f->code != LF_TPL_CODE_INLINE || (f->inline_code && f->inline_file));
      CHECK ((f->code != LF_TPL_CODE_S3 && f->code != LF_TPL_CODE_IMAGE) || f->location);
      CHECK (lf_template_function_usable (t, f, &err) == 0 || err.exit != LF_EXIT_OK);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  lf_error err = { 0 };
  if (size == 0)
    return 0;
  lf_template *t = lf_template_parse ((const char *) data + 1, size - 1, data[0] & 1 ? "t.json" : "t.yaml", NULL, &err);
  CHECK (t);
  check (t);
  CHECK (lf_template_validate (t, platform (), &err) == 0);
  check (t);
  lf_template_free (t);
  return 0;
}
