/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates that are none: garbage, endless ones, bombs. Each gives a clear error at its place, in bounded time and memory.
 */
#include <time.h>

#include "template_help.h"

/* libfyaml 0.7.12 itself loses 4 KB on some broken texts. What is ours is still looked for. */
const char *__lsan_default_suppressions (void);
const char *
__lsan_default_suppressions (void)
{
  return "leak:libfyaml";
}

#define FUNCTION "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n"

static const struct { const char *text; int line, column; const char *message; } broken[] = {
  { "", 1, 1, "empty" },
  { " \n\n# only this\n", 1, 1, "empty" },
  { "---\n", 1, 1, "empty" },
  { "hello", 1, 1, "a map with Resources" },
  { "- a\n- b\n", 1, 1, "a map with Resources" },
  { "Description: x\n", 1, 1, "has no Resources" },
  { "Resources:\n", 1, 1, "Resources is a map, here it is nothing" },
  { "Resources: [a]\n", 1, 12, "Resources is a map, here it is a list" },
  { "Resources: {}\nParameters: x\n", 2, 13, "Parameters is a map" },
  { "Resources: {}\nGlobals: [1]\n", 2, 10, "Globals is a map" },
  { "Resources: {A: 1\n", 2, 1, "not valid YAML" },
  { "Resources:\n\tA: b\n", 2, 1, "not valid YAML" },
  { "a: 1\n b: 2\n", 1, 4, "not valid YAML" },
  { "Resources: 'x\n", 1, 13, "not valid YAML" },
  /* In these libfyaml's own picture of the error would write over what lies behind its buffer. */
  { ".\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t12\n    Pr\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t!Or\t\t\t\t\t\t\t\tWS:", 1, 1, "not valid YAML: invalid multiline plain key" },
  { FUNCTION "      Code: x\n      Code: y\n", 6, 7, "the key \"Code\" is here twice" },
  { "Resources: {A: {Type: x}, A: {Type: y}}\n", 1, 27, "the key \"A\" is here twice" },
  { FUNCTION "      Handler: !Foo x\n", 5, 21, "the tag !Foo is unknown" },
  { FUNCTION "      Handler: !<tag:example.com,2000:x> x\n", 5, 42, "the tag tag:example.com,2000:x is unknown" },
  { FUNCTION "      Handler: *nowhere\n", 5, 16, "names no anchor" },
  { FUNCTION "      Handler: &a [x, *a]\n", 5, 23, "no end" },
  { "Resources: &r\n  A: *r\n", 2, 6, "no end" },
  { "Resources: {? [a] : b}\n", 1, 15, "a key must be text" },
  { "Resources: {}\n---\nResources: {}\n", 2, 1, "a second document" },
  { "Resources: {}\n\xff\n", 2, 1, "not a text in UTF-8" },
  { "Resources: {A: \x01}\n", 1, 16, "not a text in UTF-8" },
  { "Resources: {A: \"\\0\"}\n", 1, 16, "NUL character" },
  { "PK\x03\x04garbage", 1, 3, "not a text in UTF-8" },
};

static void
test_broken (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (broken); i++)
    {
      lf_template *t = help_parse (broken[i].text);
      if (!t->broken || t->problems_n == 0)
        fail_msg ("taken as a template: %s", broken[i].text);
      const lf_template_problem *p = NULL;
      for (size_t k = 0; k < t->problems_n && !p; k++)
        if (t->problems[k].severity == LF_TPL_ERROR)
          p = &t->problems[k];
      if (!p || p->line != broken[i].line || p->column != broken[i].column || !strstr (p->message, broken[i].message))
        {
          help_print_problems (t);
          fail_msg ("expected %d:%d \"%s\" of:\n%s", broken[i].line, broken[i].column, broken[i].message, broken[i].text);
        }
      assert_int_equal (t->functions_n, 0);
      lf_template_free (t);
    }
}

static void
test_broken_json (void **state)
{
  (void) state;
  lf_template *t = help_parse_with ("{\"Resources\": {\n  \"A\": tru }}", "t.json", NULL);
  assert_true (t->broken);
  assert_non_null (strstr (help_problem (t, 2, "not valid JSON")->message, "tru"));
  lf_template_free (t);
  t = help_parse_with ("{\"Resources\": {\n  \"A\": {},\n  \"A\": {}}}", "t.json", NULL);
  assert_true (t->broken);
  assert_int_equal (help_problem (t, 3, "twice")->column, 3);
  lf_template_free (t);
  /* What begins like JSON but is YAML is read as YAML. */
  t = help_parse ("{Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Code: x, Handler: !Sub 'a.${AWS::Region}', Runtime: python3.12}}}}");
  assert_false (t->broken);
  assert_string_equal (help_function (t, "F")->f.handler, "a.us-east-1");
  lf_template_free (t);
}

/* ---- what makes no end or no sense, but is only part of a template ---------------------------------------------------------------- */

static const struct { const char *text; int line; const char *message; } parts[] = {
  { "Conditions: {A: !Condition B, B: !Condition A}\nResources:\n  F: {Type: 'AWS::Lambda::Function', Condition: A}\n", 1, "refers to itself" },
  { "Resources:\n  A: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !GetAtt B.QueueName}}\n  B: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !GetAtt "
    "A.QueueName}}\n  F: {Type: 'AWS::Lambda::Function', Properties: {Code: x, Handler: !GetAtt A.QueueName}}\n",
    2, "the name of A refers to itself" },
  { "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: {FunctionName: !Ref F}}\n", 2, "the name of F refers to itself" },
  { "Resources:\n  A: {Type: 'X::Y::Z', Properties: {P: !Join ['', [!GetAtt A.P, !GetAtt A.P]]}}\n  F: {Type: 'AWS::Lambda::Function', Properties: {Code: x, "
    "Handler: !GetAtt A.P}}\n",
    2, "has no end" },
  { "Resources:\n  F: x\n", 2, "a resource is a map" },
  { "Resources:\n  F: {}\n", 2, "has no Type" },
  { "Resources:\n  F: {Type: [x]}\n", 2, "Type is a text" },
  { "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: [x]}\n", 2, "Properties is a map" },
  { "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: !Ref AWS::Region}\n", 2, "Properties is a map" },
  { "Resources:\n  F: {Type: 'AWS::Lambda::Function', Condition: [x]}\n", 2, "a condition's name" },
  { FUNCTION "      Environment: [x]\n", 5, "Environment is a map" },
  { FUNCTION "      Environment: {Variables: x}\n", 5, "Variables is a map" },
  { FUNCTION "      EphemeralStorage: 512\n", 5, "EphemeralStorage is a map" },
  { FUNCTION "      MemorySize: lots\n", 5, "\"lots\" is not a whole number" },
  { FUNCTION "      MemorySize: 1.5\n", 5, "\"1.5\" is not a whole number" },
  { FUNCTION "      MemorySize: [1]\n", 5, "here it is a list" },
  { FUNCTION "      Timeout: 99999999999999999999\n", 5, "is not a whole number" },
  { FUNCTION "      Runtime: [python3.12]\n", 5, "Runtime is a text" },
  { FUNCTION "      Architectures: arm64\n", 5, "a list of exactly one" },
  { FUNCTION "      Architectures: [mips]\n", 5, "[x86_64, arm64]" },
  { FUNCTION "      Layers: x\n", 5, "Layers is a list" },
  { FUNCTION "      Layers: [{a: b}]\n", 5, "the ARN of a layer version" },
  { FUNCTION "      Code: [x]\n", 5, "a path or a map" },
  { FUNCTION "      Code: {S3Bucket: x}\n", 5, "S3Bucket with S3Key" },
  { FUNCTION "      LoggingConfig: {LogFormat: XML}\n", 5, "[JSON, Text]" },
  { "Parameters: {P: x}\nResources: {}\n", 1, "a parameter is a map" },
  { "Parameters: {P: {Default: x}}\nResources: {}\n", 1, "needs a Type" },
  { "Parameters: {P: {Type: Number, Default: x}}\nResources: {}\n", 1, "is not a number" },
  { "Conditions: {C: nonsense}\nResources:\n  F: {Type: 'AWS::Lambda::Function', Condition: C}\n", 1, "a condition is" },
  { "Conditions: {C: !And [!Equals [a, a]]}\nResources:\n  F: {Type: 'AWS::Lambda::Function', Condition: C}\n", 1, "2 to 10" },
  { "Conditions: {C: !Equals [a]}\nResources:\n  F: {Type: 'AWS::Lambda::Function', Condition: C}\n", 1, "a list of 2" },
  { "Resources:\n  L: {Type: 'AWS::Serverless::LayerVersion'}\n", 2, "a layer needs ContentUri" },
  { "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {Events: [x]}}\n", 2, "Events is a map" },
  { "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {Events: {A: x}}}\n", 2, "an event is a map" },
  { "Resources:\n  F: {Type: 'AWS::Serverless::Function', Properties: {Events: {A: {Type: Api}}}}\n", 2, "needs Method and Path" },
  { "Resources:\n  U: {Type: 'AWS::Lambda::Url'}\n", 2, "needs TargetFunctionArn" },
};

static void
test_parts (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (parts); i++)
    {
      lf_template *t = help_parse (parts[i].text);
      assert_int_equal (help_problem (t, parts[i].line, parts[i].message)->severity, LF_TPL_ERROR);
      lf_template_free (t);
    }
}

/* ---- bombs ------------------------------------------------------------------------------------------------------------------------------ */

static char *
repeat (const char *head, const char *each, size_t n, const char *tail)
{
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, head);
  for (size_t i = 0; i < n; i++)
    lf_buf_addf (&b, "%s", each);
  lf_buf_adds (&b, tail);
  char *s = lf_buf_take (&b);
  assert_non_null (s);
  return s;
}

static void
refused (char *text, const char *message)
{
  lf_template *t = help_parse (text);
  assert_true (t->broken);
  help_problem (t, 0, message);
  lf_template_free (t);
  free (text);
}

static void
test_bombs (void **state)
{
  (void) state;
  refused (repeat ("a: ", "[", 100000, ""), "nested deeper");
  refused (repeat ("{\"a\": ", "[", 100000, ""), "nested deeper");
  refused (repeat ("{\"a\":", "[", 300, "1") , "nested deeper");
  refused (repeat ("", "- ", 100000, "x"), "nested deeper");
  refused (repeat ("", "? ", 100000, "x"), "nested deeper");
  /* A billion laughs: nine levels of ten aliases. */
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "a0: &a0 lol\n");
  for (int i = 1; i <= 9; i++)
    {
      lf_buf_addf (&b, "a%d: &a%d [", i, i);
      for (int k = 0; k < 10; k++)
        lf_buf_addf (&b, "%s*a%d", k ? ", " : "", i - 1);
      lf_buf_adds (&b, "]\n");
    }
  refused (lf_buf_take (&b), "aliases expand this");
  /* Each text is twice the last one. */
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "Resources:\n  Q0: {Type: 'AWS::SQS::Queue', Properties: {QueueName: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}\n");
  for (int i = 1; i < 60; i++)
    lf_buf_addf (&b, "  Q%d: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Sub '${Q%d.QueueName}${Q%d.QueueName}'}}\n", i, i - 1, i - 1);
  lf_buf_adds (&b, "  F: {Type: 'AWS::Lambda::Function', Properties: {Handler: !GetAtt Q59.QueueName, Code: x}}\n");
  char *text = lf_buf_take (&b);
  lf_template *t = help_parse (text);
  help_problem (t, 0, "more than");
  lf_template_free (t);
  free (text);
  /* Conditions that refer to one another a thousand deep. */
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "Resources: {F: {Type: 'AWS::Lambda::Function', Condition: C0}}\nConditions:\n");
  for (int i = 0; i < 1000; i++)
    lf_buf_addf (&b, "  C%d: !Not [!Condition C%d]\n", i, i + 1);
  lf_buf_adds (&b, "  C1000: !Equals [a, b]\n");
  refused (lf_buf_take (&b), "deep");
}

static void
test_too_large (void **state)
{
  (void) state;
  size_t n = (size_t) 50 << 20;
  char *text = malloc (n + 1);
  assert_non_null (text);
  memset (text, 'x', n);
  text[n] = 0;
  lf_error err = { 0 };
  lf_template *t = lf_template_parse (text, n, "big.yaml", NULL, &err);
  assert_non_null (t);
  assert_true (t->broken);
  help_problem (t, 1, "larger than 8 MB");
  lf_template_free (t);
  free (text);
}

/* ---- linear time ------------------------------------------------------------------------------------------------------------------------ */

static char *
many (size_t functions)
{
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Timeout: 9, Environment: {Variables: {SHARED: x}}}}\n"
                   "Parameters: {P: {Type: String, Default: v}}\nConditions: {C: !Equals [!Ref P, v]}\nResources:\n");
  for (size_t i = 0; i < functions; i++)
    lf_buf_addf (&b,
                 "  Function%zu:\n    Type: AWS::Serverless::Function\n    Condition: C\n    Properties:\n      CodeUri: src/f%zu\n      Handler: app.handler\n"
                 "      Runtime: python3.12\n      FunctionName: !Sub '${AWS::StackName}-f%zu'\n      MemorySize: 512\n      Layers: [!Ref Layer%zu]\n"
                 "      Environment:\n        Variables: {QUEUE: !Ref Queue%zu, NEXT: !GetAtt Function%zu.Arn, NAME: !Join ['-', [a, !Ref P]]}\n"
                 "      FunctionUrlConfig: {AuthType: NONE}\n      Events: {Get: {Type: HttpApi, Properties: {Path: /f%zu, Method: GET}}}\n"
                 "  Queue%zu:\n    Type: AWS::SQS::Queue\n  Layer%zu:\n    Type: AWS::Serverless::LayerVersion\n    Properties: {ContentUri: layer%zu}\n"
                 "  Url%zu: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !Ref Function%zu}}\n",
                 i, i, i, i, i, (i + 1) % functions, i, i, i, i, i, i);
  char *s = lf_buf_take (&b);
  assert_non_null (s);
  return s;
}

static uint64_t
steps_of (size_t functions, const lf_profile *p, size_t *bytes)
{
  char *text = many (functions);
  lf_error err = { 0 };
  lf_template *t = help_parse (text);
  assert_int_equal (t->functions_n, functions);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  assert_int_equal (lf_template_validate (t, p, &err), 0);
  if (help_count (t, LF_TPL_ERROR))
    help_print_problems (t);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  uint64_t steps = t->steps;
  *bytes = strlen (text);
  lf_template_free (t);
  free (text);
  return steps;
}

static double
seconds (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void
test_linear (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  assert_non_null (p);
  size_t small, large;
  uint64_t a, b;
  double t0, t1, t2;
  int tries = 0;
  do /* what the machine adds differs each time; what is not linear takes ten times as long a byte each time */
    {
      t0 = seconds ();
      a = steps_of (700, p, &small);
      t1 = seconds ();
      b = steps_of (7000, p, &large);
      t2 = seconds ();
      print_message ("%zu bytes: %llu steps, %.3f s; %zu bytes: %llu steps, %.3f s\n", small, (unsigned long long) a, t1 - t0, large, (unsigned long long) b, t2 - t1);
    }
  while ((t2 - t1) / (double) large >= 4 * (t1 - t0) / (double) small && ++tries < 5);
  assert_true (large > (size_t) 5000000);
  /* Steps per byte do not grow; time per byte is given room, since machines are busy. */
  assert_true ((double) b / (double) large < 1.02 * (double) a / (double) small);
  assert_true ((t2 - t1) / (double) large < 4 * (t1 - t0) / (double) small);
  lf_profile_free (p);
}

/* ---- random changes of templates -------------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static size_t
random_below (size_t n)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return n ? (size_t) (seed % n) : 0;
}

static const char *const pieces[] = {
  "!Ref ", "!Sub ", "!GetAtt ", "!If [", "]", "{", "}", "\n", "  ", ": ", "- ", "'", "\"", "&a ", "*a", "<<: *a", "|\n", ">\n", "Fn::Join: ", "Ref: ", "${", "${!", "}",
  "\t", "#", "null", "!!binary ", "? ", "---\n", "...\n", "%YAML 1.1\n", "AWS::NoValue", "Fn::Transform: {Name: x}", "Condition: C", "[[[[", "\\u0000", "\xC3", "\xF0\x9F\x98\x80", "1e9", "99999999999999999999",
};

static char *
changed (const char *text)
{
  lf_buf b;
  size_t n = strlen (text);
  lf_buf_init (&b, 0);
  lf_buf_add (&b, text, n);
  for (size_t k = 1 + random_below (6); k > 0; k--)
    {
      size_t at = random_below (b.len), len = random_below (40);
      len = len < b.len - at ? len : b.len - at;
      lf_buf c;
      lf_buf_init (&c, 0);
      lf_buf_add (&c, b.data, at);
      switch (random_below (4))
        {
        case 0: /* drop */
          lf_buf_add (&c, b.data + at + len, b.len - at - len);
          break;
        case 1: /* put something in */
          lf_buf_adds (&c, pieces[random_below (LF_ARRAY_LEN (pieces))]);
          lf_buf_add (&c, b.data + at, b.len - at);
          break;
        case 2: /* one byte */
          lf_buf_addc (&c, (char) (1 + random_below (255)));
          lf_buf_add (&c, b.data + at + (len > 0), b.len - at - (len > 0));
          break;
        default: /* a part again */
          lf_buf_add (&c, b.data + at, len);
          lf_buf_add (&c, b.data + at, b.len - at);
        }
      lf_buf_fini (&b);
      b = c;
    }
  return lf_buf_take (&b);
}

static void
test_mutations (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  assert_non_null (p);
  const char *folder = getenv ("TOP_SRCDIR"), *names[] = { "full.yaml", "intrinsics.yaml", "cloudformation.json" };
  size_t good = 0, rounds = 0;
  const char *given = getenv ("LF_SEED");
  seed = given ? strtoull (given, NULL, 10) : UINT64_C (88172645463325252);
  print_message ("LF_SEED=%llu\n", (unsigned long long) seed);
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    {
      char path[500];
      lf_buf b;
      lf_buf_init (&b, 0);
      snprintf (path, sizeof path, "%s/tests/templates/%s", folder ? folder : "..", names[i]);
      assert_int_equal (lf_read_file (path, 1 << 20, &b, &err), 0);
      for (int k = 0; k < 400; k++, rounds++)
        {
          char *text = changed (b.data);
          lf_error e = { 0 };
          lf_template *t = lf_template_parse (text, strlen (text), names[i], NULL, &e);
          assert_non_null (t);
          assert_int_equal (lf_template_validate (t, p, &e), 0);
          /* Broken ones have an error to show; all places are inside the text. */
          assert_true (!t->broken || help_count (t, LF_TPL_ERROR) > 0);
          for (size_t j = 0; j < t->problems_n; j++)
            assert_true (t->problems[j].line >= 1 && t->problems[j].column >= 1 && t->problems[j].message[0]);
          good += !t->broken;
          lf_template_free (t);
          free (text);
        }
      lf_buf_fini (&b);
    }
  print_message ("%zu of %zu changed templates could still be read\n", good, rounds);
  assert_true (good > rounds / 20 && good < rounds);
  lf_profile_free (p);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_broken), cmocka_unit_test (test_broken_json), cmocka_unit_test (test_parts), cmocka_unit_test (test_bombs),
    cmocka_unit_test (test_too_large), cmocka_unit_test (test_linear), cmocka_unit_test (test_mutations),
  };
  return cmocka_run_group_tests_name ("template_bad", tests, NULL, NULL);
}
