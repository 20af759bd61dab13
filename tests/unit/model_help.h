/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the model's facts share: both shipped profiles, a function, comparing buffers.
 */
#ifndef MODEL_HELP_H
#define MODEL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lambdafit/model.h"

static lf_profile *now26, *then20;

static inline int
load_profiles (void **state)
{
  (void) state;
  lf_error err = { 0 };
  now26 = lf_profile_load ("aws-lambda-2026-11", &err);
  then20 = now26 != NULL ? lf_profile_load ("aws-lambda-2020-02", &err) : NULL;
  if (then20 == NULL)
    fprintf (stderr, "%s: %s\n", err.what, err.why);
  return then20 == NULL ? -1 : 0;
}

static inline int
free_profiles (void **state)
{
  (void) state;
  lf_profile_free (now26);
  lf_profile_free (then20);
  return 0;
}

static inline lf_function
a_function (const lf_profile *p, const char *runtime)
{
  lf_error err = { 0 };
  lf_function f;
  lf_function_init (&f);
  f.name = lf_strdup ("classify");
  f.runtime = lf_strdup (runtime);
  if (lf_function_defaults (&f, p, &err) != 0)
    fail_msg ("%s: %s", err.what, err.why);
  return f;
}

/* Compares what is in the buffer and empties it. */
static inline void
expect (lf_buf *b, const char *want)
{
  assert_false (b->failed);
  assert_string_equal (b->data != NULL ? b->data : "", want);
  lf_buf_fini (b);
  lf_buf_init (b, 0);
}

#endif
