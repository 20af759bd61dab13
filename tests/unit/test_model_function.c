/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions: names in every accepted form, runtimes, defaults, and each refusal of the control plane with its text.
 */
#include "model_help.h"

#define ARN "arn:aws:lambda:eu-west-1:123456789012:function:"

static void
accepted_names (void **state)
{
  static const struct
  {
    const char *text, *name, *qualifier, *region;
  } cases[] = {
    { "f", "f", NULL, NULL },
    { "my_Func-1", "my_Func-1", NULL, NULL },
    { "f.g", "f.g", NULL, NULL },
    { "f:prod", "f", "prod", NULL },
    { "f:1", "f", "1", NULL },
    { "f:$LATEST", "f", "$LATEST", NULL },
    { "f:$LATEST.PUBLISHED", "f", "$LATEST.PUBLISHED", NULL },
    { "f:$latest", "f", "$latest", NULL }, /* then not found, a 404 */
    { "function:f", "f", NULL, NULL },
    { "function:f:prod", "f", "prod", NULL },
    { "function", "function", NULL, NULL },
    { "function:function", "function", NULL, NULL },
    { "function:$LATEST", "function", "$LATEST", NULL },
    { "123456789012:function:f", "f", NULL, NULL },
    { "123456789012:function:f:2", "f", "2", NULL },
    { "123456789012:f", "f", NULL, NULL },
    { "123456789012", "123456789012", NULL, NULL },
    { "123456789012:$LATEST", "123456789012", "$LATEST", NULL },
    { ARN "f", "f", NULL, "eu-west-1" },
    { ARN "f:prod", "f", "prod", "eu-west-1" },
    { ARN "f:$LATEST", "f", "$LATEST", "eu-west-1" },
    { "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f", "f", NULL, "us-gov-west-1" },
    { "arn:aws-iso-b:lambda:us-isob-east-1:123456789012:function:f", "f", NULL, "us-isob-east-1" },
    { "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:f", "f", NULL, "eusc-de-east-1" },
    { "arn::lambda:us-east-1:123456789012:function:f", "f", NULL, "us-east-1" },
    { "arn:aws:lambda:us-east-1:123456789012:function", "function", NULL, "us-east-1" }, /* incomplete: the name is "function" */
    { "arn:aws:lambda:f", "f", NULL, NULL },
    { "us-east-1:123456789012:function:f", "f", NULL, "us-east-1" },
    { "my-func-1:live", "my-func-1", "live", NULL },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char *name, *qualifier, *region;
      lf_error err = { 0 };
      if (lf_function_name_parse (cases[i].text, &name, &qualifier, &region, &err) != 0)
        fail_msg ("%s: %s", cases[i].text, err.why);
      if (!lf_streq (name, cases[i].name) || !lf_streq (qualifier, cases[i].qualifier) || !lf_streq (region, cases[i].region))
        fail_msg ("%s became name %s, qualifier %s, region %s", cases[i].text, name, qualifier ? qualifier : "-",
                  region ? region : "-");
      free (name);
      free (qualifier);
      free (region);
    }
}

static void
refused_names (void **state)
{
  static const char *const cases[] = {
    "a b",
    "f:",
    ":f",
    "f::g",
    "f:a:b:c",
    "f:a.b",
    "f/g",
    "f$",
    "$LATEST",
    "f:$LATES",
    "arn:aws:lambda:us-east-1:12:function:f:g",
    "arn:aws:s3:us-east-1:123456789012:function:f",
    "arn:aws:lambda:us-east-1:123456789012:function:f:g:h",
    "f\n",
    "f\xff",
    "%2e",
    "f:x%",
    "arn:aws:lambda:us-east-12:123456789012:function:f:g",
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char *name, *qualifier, *region, want[128];
      lf_error err = { 0 };
      if (lf_function_name_parse (cases[i], &name, &qualifier, &region, &err) == 0)
        fail_msg ("\"%s\" was accepted as %s %s", cases[i], name, qualifier ? qualifier : "-");
      assert_null (name);
      assert_null (qualifier);
      assert_null (region);
      snprintf (want, sizeof want,
                "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: ", cases[i]);
      assert_true (lf_starts (err.why, want));
      assert_non_null (strstr (err.why, "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?"));
      assert_int_equal (err.exit, LF_EXIT_USAGE);
    }
}

static void
name_lengths (void **state)
{
  char text[400], *name, *qualifier, *region;
  lf_error err = { 0 };
  (void) state;
  assert_int_equal (lf_function_name_parse ("", &name, &qualifier, &region, &err), -1);
  assert_true (lf_starts (err.why,
                          "2 validation errors detected: Value '' at 'functionName' failed to satisfy constraint: Member must have "
                          "length greater than or equal to 1; Value '' at 'functionName' failed"));
  memset (text, 'a', sizeof text);
  text[64] = '\0';
  assert_int_equal (lf_function_name_parse (text, &name, &qualifier, &region, &err), 0);
  free (name);
  text[64] = 'a', text[65] = '\0';
  assert_int_equal (lf_function_name_parse (text, &name, &qualifier, &region, &err), -1);
  assert_non_null (strstr (err.why, "Member must have length less than or equal to 64"));
  text[65] = 'a', text[171] = '\0';
  assert_int_equal (lf_function_name_parse (text, &name, &qualifier, &region, &err), -1);
  assert_non_null (strstr (err.why, "1 validation error detected"));
  assert_non_null (strstr (err.why, "Member must have length less than or equal to 170"));
  text[0] = '/';
  assert_int_equal (lf_function_name_parse (text, &name, &qualifier, &region, &err), -1);
  assert_non_null (strstr (err.why, "2 validation errors detected"));
}

/* Any text is either parsed into something that parses to itself again, or refused with a reason. */
static void
garbage_names (void **state)
{
  static const char alphabet[] = "abf019:::--__..$ARNLATESTfunctionlambdaus-east-1\x01\xff %/";
  uint32_t seed = 20261125;
  int accepted = 0;
  (void) state;
  for (int round = 0; round < 200000; round++)
    {
      char text[200], *name, *qualifier, *region;
      lf_error err = { 0 };
      seed = seed * 1664525 + 1013904223;
      size_t n = seed >> 8 & 15;
      if (round % 1000 == 0)
        n = sizeof text - 1;
      for (size_t i = 0; i < n; i++)
        {
          seed = seed * 1664525 + 1013904223;
          text[i] = alphabet[(seed >> 10) % (sizeof alphabet - 1)];
        }
      text[n] = '\0';
      if (lf_function_name_parse (text, &name, &qualifier, &region, &err) != 0)
        {
          assert_true (err.why[0] != '\0');
          continue;
        }
      accepted++;
      char *again = lf_asprintf ("function:%s%s%s", name, qualifier ? ":" : "", qualifier ? qualifier : "");
      char *name2, *qualifier2, *region2;
      if (lf_function_name_parse (again, &name2, &qualifier2, &region2, &err) != 0 || !lf_streq (name, name2)
          || !lf_streq (qualifier, qualifier2))
        fail_msg ("\"%s\" and \"%s\" differ", text, again);
      char *all[] = { again, name, qualifier, region, name2, qualifier2, region2 };
      for (size_t i = 0; i < LF_ARRAY_LEN (all); i++)
        free (all[i]);
    }
  assert_true (accepted > 1000);
}

static void
runtimes (void **state)
{
  static const struct
  {
    const char *id;
    lf_runtime_kind kind;
    int major, minor;
  } cases[] = {
    { "provided.al2", LF_RT_PROVIDED, 0, 0 }, { "provided.al2023", LF_RT_PROVIDED, 0, 0 }, { "python3.8", LF_RT_PYTHON, 3, 8 },
    { "python3.12", LF_RT_PYTHON, 3, 12 },    { "python3.99", LF_RT_PYTHON, 3, 99 },       { "nodejs22.x", LF_RT_NODEJS, 22, 0 },
    { "nodejs8.x", LF_RT_NODEJS, 8, 0 },      { "java21", LF_RT_REFUSED, 0, 0 },           { "java8.al2", LF_RT_REFUSED, 0, 0 },
    { "ruby3.4", LF_RT_REFUSED, 0, 0 },       { "dotnet10", LF_RT_REFUSED, 0, 0 },         { "go1.x", LF_RT_REFUSED, 0, 0 },
    { "python2.7", LF_RT_REFUSED, 0, 0 },     { "provided", LF_RT_REFUSED, 0, 0 },         { "nodejs8.10", LF_RT_REFUSED, 0, 0 },
    { "dotnetcore3.1", LF_RT_REFUSED, 0, 0 }, { "nodejs", LF_RT_REFUSED, 0, 0 },
  };
  static const char *const unknown[] = {
    "",
    "python",
    "python3",
    "python3.",
    "python3.x",
    "python3.012",
    "python3.123",
    "python4.1",
    "nodejs22",
    "nodejs.x",
    "nodejs0.x",
    "nodejs022.x",
    "nodejs22.xx",
    "provided.al2024",
    "Python3.12",
    " python3.12",
    "perl5",
    "python3.12python3.12python3.12python3.12",
  };
  lf_runtime_info rt;
  lf_error err = { 0 };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      if (lf_runtime_parse (cases[i].id, &rt, &err) != 0)
        fail_msg ("%s: %s", cases[i].id, err.why);
      assert_string_equal (rt.id, cases[i].id);
      assert_int_equal (rt.kind, cases[i].kind);
      assert_int_equal (rt.major, cases[i].major);
      assert_int_equal (rt.minor, cases[i].minor);
      assert_true ((rt.instead != NULL) == (rt.kind == LF_RT_REFUSED));
    }
  for (size_t i = 0; i < LF_ARRAY_LEN (unknown); i++)
    if (lf_runtime_parse (unknown[i], &rt, &err) == 0)
      fail_msg ("runtime \"%s\" was accepted", unknown[i]);
  assert_int_equal (lf_runtime_parse (NULL, &rt, &err), -1);
  assert_int_equal (lf_runtime_parse ("perl5", &rt, &err), -1);
  assert_true (lf_starts (
      err.why, "Value perl5 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "));
  assert_true (lf_ends (err.why, "provided.al2023] or be a valid ARN"));
}

static void
defaults_and_copy (void **state)
{
  lf_error err = { 0 };
  lf_function f = a_function (now26, "python3.12"), g;
  (void) state;
  assert_int_equal (f.memory_mb, 128);
  assert_int_equal (f.timeout_ms, 3000);
  assert_int_equal (f.tmp_mb, 512);
  assert_string_equal (f.version, "$LATEST");
  assert_string_equal (f.region, "us-east-1");
  assert_string_equal (f.handler, "lambda_function.lambda_handler");
  assert_int_equal (f.rt.kind, LF_RT_PYTHON);
  assert_int_equal (f.env_bytes, 0);
  assert_int_equal (f.keepalive_ms, LF_NONE);
  lf_strv_add (&f.env, "MODEL=a");
  lf_strv_add (&f.layers, "numpy.zip");
  assert_int_equal (lf_function_copy (&g, &f, &err), 0);
  assert_ptr_not_equal (g.name, f.name);
  assert_string_equal (g.name, f.name);
  assert_string_equal (g.env.v[0], "MODEL=a");
  assert_null (g.env.v[1]);
  assert_string_equal (g.layers.v[0], "numpy.zip");
  assert_null (g.interpreter);
  lf_function_fini (&g);
  lf_function_fini (&f);
  f = a_function (now26, "nodejs22.x");
  assert_string_equal (f.handler, "index.handler");
  lf_function_fini (&f);
  lf_function_fini (&f); /* a zeroed one is accepted */
  lf_function_fini (NULL);
}

static void
arns (void **state)
{
  static const struct
  {
    const char *region, *qualifier, *want;
  } cases[] = {
    { "us-east-1", NULL, "arn:aws:lambda:us-east-1:123456789012:function:classify" },
    { "us-east-1", "$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:classify:$LATEST" },
    { "cn-north-1", "prod", "arn:aws-cn:lambda:cn-north-1:123456789012:function:classify:prod" },
    { "us-gov-west-1", NULL, "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:classify" },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_function f = a_function (now26, "python3.12");
      free (f.region);
      f.region = lf_strdup (cases[i].region);
      char *arn = lf_function_arn (&f, cases[i].qualifier);
      assert_string_equal (arn, cases[i].want);
      free (arn);
      lf_function_fini (&f);
    }
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------------
 */

static void
refused (lf_function *f, const lf_profile *p, lf_exit status, const char *limit, const char *why)
{
  lf_error err = { 0 };
  const char *limit_id = "unset";
  if (lf_function_check (f, p, &limit_id, &err) == 0)
    fail_msg ("accepted, but wanted: %s", why);
  if (strstr (err.why, why) == NULL)
    fail_msg ("said: %s\nwanted: %s", err.why, why);
  assert_int_equal (err.exit, status);
  assert_true (lf_streq (limit_id, limit));
  assert_true (err.fix[0] != '\0');
  assert_int_equal (lf_function_check (f, p, NULL, &err), -1);
}

static void
accepted (lf_function *f, const lf_profile *p)
{
  lf_error err = { 0 };
  const char *limit_id = "unset";
  if (lf_function_check (f, p, &limit_id, &err) != 0)
    fail_msg ("refused: %s", err.why);
  assert_null (limit_id);
}

static void
set (char **s, const char *value)
{
  free (*s);
  *s = lf_strdup (value);
}

static void
check_ranges (void **state)
{
  static const struct
  {
    int64_t memory_mb, timeout_ms, tmp_mb;
    bool old;
    const char *why;
  } cases[] = {
    { 128, 3000, 512, false, NULL },
    { 129, 900000, 10240, false, NULL },
    { 10240, 1, 513, false, NULL },
    { 127, 3000, 512, false,
      "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128" },
    { 10241, 3000, 512, false,
      "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240" },
    { 128, 900001, 512, false,
      "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900" },
    { 128, 0, 512, false,
      "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1" },
    { 128, -5, 512, false, "Value '0' at 'timeout'" },
    { 128, 3000, 511, false, "Value '511' at 'ephemeralStorage.size' failed" },
    { 128, 3000, 10241, false, "Member must have value less than or equal to 10240" },
    { 192, 3000, 512, true, NULL },
    { 3008, 3000, 512, true, NULL },
    { 3072, 3000, 512, true, "Member must have value less than or equal to 3008" },
    { 200, 3000, 512, true, "Value '200' at 'memorySize' failed to satisfy constraint: Member must be a multiple of 64" },
    { 128, 3000, 513, true, "Value '513' at 'ephemeralStorage.size' failed" },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      const lf_profile *p = cases[i].old ? then20 : now26;
      lf_function f = a_function (p, "python3.8");
      f.memory_mb = cases[i].memory_mb;
      f.timeout_ms = cases[i].timeout_ms;
      f.tmp_mb = cases[i].tmp_mb;
      if (cases[i].why == NULL)
        accepted (&f, p);
      else
        refused (&f, p, LF_EXIT_USAGE, NULL, cases[i].why);
      lf_function_fini (&f);
    }
}

static void
check_names (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  set (&f.name, "bad name");
  refused (&f, now26, LF_EXIT_USAGE, NULL,
           "Value 'bad name' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression");
  set (&f.name, "a.b");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "functionName");
  set (&f.name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "length less than or equal to 64");
  set (&f.name, NULL);
  refused (&f, now26, LF_EXIT_USAGE, NULL, "Value null at 'functionName'");
  set (&f.name, "ok");
  set (&f.handler, "a b");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "Member must satisfy regular expression pattern: [^\\s]+");
  set (&f.handler, "");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "Runtime and Handler are mandatory");
  set (&f.handler, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                   "aaaaaaaaaaaaaaaaaa");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "length less than or equal to 128");
  set (&f.handler, "m.h");
  set (&f.runtime, "java21");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "lambdafit does not run the managed runtime java21");
  set (&f.runtime, "cobol1");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "Value cobol1 at 'runtime' failed");
  set (&f.runtime, "provided.al2023");
  set (&f.handler, NULL);
  accepted (&f, now26);
  f.log_format = LF_LOG_JSON;
  accepted (&f, now26);
  refused (&f, then20, LF_EXIT_USAGE, NULL, "no JSON log format");
  f.log_format = LF_LOG_TEXT;
  f.arch = LF_ARCH_ARM64;
  accepted (&f, now26);
  refused (&f, then20, LF_EXIT_USAGE, NULL, "Value 'arm64' at 'architectures'");
  f.arch = LF_ARCH_X86_64;
  f.reserved = 900;
  accepted (&f, now26);
  f.reserved = 901;
  refused (&f, now26, LF_EXIT_USAGE, NULL, "UnreservedConcurrentExecution below its minimum value of [100].");
  f.reserved = -1;
  refused (&f, now26, LF_EXIT_USAGE, NULL, "'reservedConcurrentExecutions'");
  lf_function_fini (&f);
}

static void
check_environment (void **state)
{
  static const struct
  {
    const char *kv, *why;
  } cases[] = {
    { "AB=x", NULL },
    { "MODEL_1=", NULL },
    { "PATH=/x", NULL },
    { "TZ=UTC", NULL },
    { "A=x", "[a-zA-Z]([a-zA-Z0-9_])+" },
    { "1A=x", "'environment.variables'" },
    { "_AB=x", "'environment.variables'" },
    { "A-B=x", "'environment.variables'" },
    { "=x", "'environment.variables'" },
    { "AWS_REGION=x", "Reserved keys used in this request: AWS_REGION" },
    { "_HANDLER=x", "Reserved keys used in this request: _HANDLER" },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_function f = a_function (now26, "python3.12");
      lf_strv_add (&f.env, cases[i].kv);
      if (cases[i].why == NULL)
        accepted (&f, now26);
      else
        refused (&f, now26, LF_EXIT_USAGE, NULL, cases[i].why);
      lf_function_fini (&f);
    }
  lf_function f = a_function (now26, "python3.12");
  lf_strv_add (&f.env, "AWS_ACCESS_KEY_ID=a");
  lf_strv_add (&f.env, "GOOD=a");
  lf_strv_add (&f.env, "AWS_SECRET_ACCESS_KEY=a");
  refused (&f, now26, LF_EXIT_USAGE, NULL, "Reserved keys used in this request: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY");
  lf_function_fini (&f);
  assert_true (lf_env_key_reserved ("LAMBDA_TASK_ROOT"));
  assert_false (lf_env_key_reserved ("AWS_XRAY_CONTEXT_MISSING"));
}

/* The limit is on the JSON text: 4,096 bytes pass, one more does not. */
static void
check_environment_size (void **state)
{
  lf_buf b;
  lf_error err = { 0 };
  (void) state;
  for (int over = 0; over <= 1; over++)
    {
      char kv[5000] = "KEY=";
      size_t n = 4096 - strlen ("{\"KEY\":\"\"}") + (size_t) over;
      memset (kv + 4, 'v', n);
      kv[4 + n] = '\0';
      lf_function f = a_function (now26, "python3.12");
      lf_strv_add (&f.env, kv);
      assert_int_equal (lf_function_defaults (&f, now26, &err), 0);
      assert_int_equal (f.env_bytes, 4096 + over);
      if (over)
        refused (&f, now26, LF_EXIT_FAILED, "env", "exceeded the 4KB limit. String measured: {\"KEY\":\"vvv");
      else
        accepted (&f, now26);
      lf_function_fini (&f);
    }
  lf_function f = a_function (now26, "python3.12");
  lf_strv_add (&f.env, "AB=quote \" and = sign");
  lf_strv_add (&f.env, "CD=");
  lf_buf_init (&b, 0);
  assert_int_equal (lf_function_env_json (&f, &b), 0);
  expect (&b, "{\"AB\":\"quote \\\" and = sign\",\"CD\":\"\"}");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
check_layers_and_package (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  for (int i = 0; i < 5; i++)
    lf_strv_addf (&f.layers, "layer%d.zip", i);
  f.package_bytes = 262143999;
  accepted (&f, now26);
  f.package_bytes = 262144000;
  refused (&f, now26, LF_EXIT_FAILED, "package", "Unzipped size must be smaller than 262144000 bytes");
  lf_strv_add (&f.layers, "sixth.zip");
  refused (&f, now26, LF_EXIT_FAILED, "layers", "Cannot reference more than 5 layers.");
  lf_strv_fini (&f.layers);
  f.layers = (lf_strv){ 0 };
  f.package_bytes = LF_NONE;
  lf_strv_add (&f.layers, "arn:aws:lambda:us-east-1:1:layer:numpy:1");
  lf_strv_add (&f.layers, "arn:aws:lambda:us-east-1:1:layer:numpy2:1");
  accepted (&f, now26);
  lf_strv_add (&f.layers, "arn:aws:lambda:us-east-1:1:layer:numpy:12");
  refused (
      &f, now26, LF_EXIT_USAGE, NULL,
      "Two different versions of the same layer are not allowed to be referenced in the same function. "
      "arn:aws:lambda:us-east-1:1:layer:numpy:1 and arn:aws:lambda:us-east-1:1:layer:numpy:12 are versions of the same layer.");
  lf_function_fini (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (accepted_names),
    cmocka_unit_test (refused_names),
    cmocka_unit_test (name_lengths),
    cmocka_unit_test (garbage_names),
    cmocka_unit_test (runtimes),
    cmocka_unit_test (defaults_and_copy),
    cmocka_unit_test (arns),
    cmocka_unit_test (check_ranges),
    cmocka_unit_test (check_names),
    cmocka_unit_test (check_environment),
    cmocka_unit_test (check_environment_size),
    cmocka_unit_test (check_layers_and_package),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
