/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of templates share.
 */
#ifndef LF_TEST_TEMPLATE_HELP_H
#define LF_TEST_TEMPLATE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lambdafit/template.h"

/* Parses a text that must be readable; parameters are separated by blanks, or NULL. */
static inline lf_template *
help_parse_with (const char *text, const char *path, const char *parameters)
{
  lf_error err = { 0 };
  lf_strv given = { 0 };
  for (const char *p = parameters ? parameters : ""; *p;)
    {
      size_t n = strcspn (p, " ");
      char *one = lf_strndup (p, n);
      assert_int_equal (lf_strv_add (&given, one), 0);
      free (one);
      p += n + strspn (p + n, " ");
    }
  lf_template_options o = { .parameters = &given };
  lf_template *t = lf_template_parse (text, strlen (text), path, &o, &err);
  lf_strv_fini (&given);
  if (!t)
    fail_msg ("%s: %s\n%s", err.what, err.why, text);
  return t;
}

static inline lf_template *
help_parse (const char *text)
{
  return help_parse_with (text, "template.yaml", NULL);
}

static inline void
help_print_problems (const lf_template *t)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < t->problems_n; i++)
    lf_template_problem_text (t, &t->problems[i], &b);
  print_error ("%s", b.data ? b.data : "no problem\n");
}

static inline size_t
help_count (const lf_template *t, lf_template_severity s)
{
  size_t n = 0;
  for (size_t i = 0; i < t->problems_n; i++)
    n += t->problems[i].severity == s;
  return n;
}

/* The problem at a place, or NULL. */
static inline const lf_template_problem *
help_problem (const lf_template *t, int line, const char *part)
{
  for (size_t i = 0; i < t->problems_n; i++)
    if ((line == 0 || t->problems[i].line == line) && strstr (t->problems[i].message, part))
      return &t->problems[i];
  help_print_problems (t);
  fail_msg ("no problem in line %d with \"%s\"", line, part);
  return NULL;
}

static inline const lf_template_function *
help_function (const lf_template *t, const char *name)
{
  const lf_template_function *f = lf_template_function_find (t, name);
  if (!f)
    {
      help_print_problems (t);
      fail_msg ("there is no function %s", name);
    }
  return f;
}

#endif
