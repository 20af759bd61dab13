/* SPDX-License-Identifier: Apache-2.0
 *
 * Fn::ForEach of the language extensions, and what a template says about asynchronous events.
 */
#include <time.h>

#include "template_help.h"

#define LOOPS "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n"
#define GLOBALS "Globals: {Function: {Runtime: python3.12, Handler: a.b, CodeUri: src}}\n"

static const char *
variable (const lf_template *t, const char *function, const char *key)
{
  return lf_strv_env (&help_function (t, function)->f.env, key);
}

static lf_template *
good (const char *text, const char *parameters)
{
  lf_template *t = help_parse_with (text, "template.yaml", parameters);
  if (t->broken || t->problems_n)
    {
      help_print_problems (t);
      fail_msg ("problems in:\n%s", text);
    }
  return t;
}

static void
functions_by_a_loop (void **state)
{
  (void) state;
  lf_template *t = good (LOOPS GLOBALS
                         "Parameters: {Names: {Type: CommaDelimitedList, Default: 'Red,Green'}}\n"
                         "Mappings: {Sizes: {Red: {mb: 256}, Green: {mb: 512}}}\n"
                         "Resources:\n"
                         "  'Fn::ForEach::Workers':\n"
                         "    - Colour\n"
                         "    - !Ref Names\n"
                         "    - 'Worker${Colour}':\n"
                         "        Type: AWS::Serverless::Function\n"
                         "        Properties:\n"
                         "          FunctionName: !Sub 'w-${Colour}'\n"
                         "          MemorySize: !FindInMap [Sizes, !Ref Colour, mb]\n"
                         "          Environment: {Variables: {COLOUR: !Ref Colour, LONG: {Ref: Colour}, BOTH: !Sub '${Colour}-${AWS::Region}', 'K${Colour}': x}}\n"
                         "  Last: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {OTHER: !Ref WorkerRed, ARN: !GetAtt WorkerGreen.Arn}}}}\n",
                         NULL);
  assert_int_equal (t->functions_n, 3);
  assert_string_equal (t->functions[0].logical_id, "WorkerRed");
  assert_string_equal (help_function (t, "WorkerGreen")->f.name, "w-Green");
  assert_int_equal (help_function (t, "WorkerRed")->f.memory_mb, 256);
  assert_int_equal (help_function (t, "WorkerGreen")->f.memory_mb, 512);
  assert_string_equal (variable (t, "WorkerRed", "COLOUR"), "Red");
  assert_string_equal (variable (t, "WorkerRed", "LONG"), "Red");
  assert_string_equal (variable (t, "WorkerGreen", "BOTH"), "Green-us-east-1");
  assert_string_equal (variable (t, "WorkerGreen", "KGreen"), "x");
  assert_string_equal (variable (t, "Last", "OTHER"), "w-Red");
  assert_string_equal (variable (t, "Last", "ARN"), "arn:aws:lambda:us-east-1:123456789012:function:w-Green");
  lf_template_free (t);
  t = good (LOOPS GLOBALS "Parameters: {Names: {Type: CommaDelimitedList}}\nResources:\n  'Fn::ForEach::L': [N, !Ref Names, {'F${N}': {Type: 'AWS::Serverless::Function'}}]\n",
            "Names=A,B,C");
  assert_int_equal (t->functions_n, 3);
  lf_template_free (t);
}

static void
nested (void **state)
{
  (void) state;
  lf_template *t = good (LOOPS GLOBALS
                         "Resources:\n"
                         "  'Fn::ForEach::Outer':\n"
                         "    - A\n    - [one, two]\n"
                         "    - 'Fn::ForEach::Inner':\n"
                         "        - B\n        - ['x.y', !Ref 'AWS::Region']\n"
                         "        - 'F${A}&{B}':\n"
                         "            Type: AWS::Serverless::Function\n"
                         "            Properties: {Environment: {Variables: {V: !Sub '${A}/${B}', P: '&{B}', Q: !GetAtt [!Sub 'Own${A}', QueueName], R: !Ref {'Fn::Sub': 'Own${A}'}}}}\n"
                         "      'Own${A}': {Type: 'AWS::SQS::Queue'}\n",
                         NULL);
  assert_int_equal (t->functions_n, 4);
  assert_string_equal (variable (t, "Fonexy", "V"), "one/x.y");
  assert_string_equal (variable (t, "Fonexy", "P"), "xy");
  assert_string_equal (variable (t, "Ftwouseast1", "V"), "two/us-east-1");
  assert_string_equal (variable (t, "Ftwouseast1", "Q"), "local-Owntwo");
  assert_string_equal (variable (t, "Ftwouseast1", "R"), "https://sqs.us-east-1.amazonaws.com/123456789012/local-Owntwo");
  assert_int_equal (t->others_n, 2);
  lf_template_free (t);
}

static void
in_other_places (void **state)
{
  (void) state;
  lf_template *t = good (LOOPS GLOBALS
                         "Parameters: {Stage: {Type: String, Default: prod}}\n"
                         "Conditions:\n  'Fn::ForEach::C': [S, [dev, prod], {'Is${S}': !Equals [!Ref Stage, !Ref S]}]\n"
                         "Resources:\n"
                         "  Fdev: {Type: 'AWS::Serverless::Function', Condition: Isdev}\n"
                         "  F:\n    Type: AWS::Serverless::Function\n    Condition: Isprod\n    Properties:\n"
                         "      Environment:\n        Variables:\n          'Fn::ForEach::V': [K, [AA, BB], {'K_${K}': !Sub 'v-${K}', 'L_${K}': 1}]\n          OWN: x\n"
                         "      Tags: {'Fn::ForEach::T': [K, [a, b], {'t${K}': y}]}\n"
                         "      'Fn::ForEach::P': [N, [Memory], {'${N}Size': 640}]\n",
                         NULL);
  assert_int_equal (t->functions_n, 1);
  assert_string_equal (variable (t, "F", "K_AA"), "v-AA");
  assert_string_equal (variable (t, "F", "L_BB"), "1");
  assert_string_equal (variable (t, "F", "OWN"), "x");
  assert_int_equal (help_function (t, "F")->f.memory_mb, 640);
  lf_template_free (t);
}

#define LOOP(args) LOOPS "Resources:\n  'Fn::ForEach::L': " args "\n  Q: {Type: 'AWS::SQS::Queue'}\n"
#define FN "{'F${N}': {Type: 'AWS::Serverless::Function', Properties: {Runtime: python3.12, Handler: a.b}}}"

static const struct { const char *text; int line; const char *message; } wrong[] = {
  { LOOP ("[N, [A]]"), 3, "a list of three" },
  { LOOP ("x"), 3, "a list of three" },
  { LOOP ("[N, [A], x]"), 3, "a list of three" },
  { LOOP ("[[N], [A], {}]"), 3, "a list of three" },
  { LOOP ("['', [A], {}]"), 3, "a list of three" },
  { LOOP ("[N, A, " FN "]"), 3, "a list of texts" },
  { LOOP ("[N, {a: b}, " FN "]"), 3, "a list of texts" },
  { LOOP ("[N, [[A]], " FN "]"), 3, "a list of texts" },
  { LOOP ("[N, !Ref Nowhere, " FN "]"), 3, "Ref names Nowhere" },
  { LOOP ("[N, [A, A], " FN "]"), 3, "makes the key \"FA\" twice" },
  { LOOP ("[N, [Q], {'${N}': {Type: 'AWS::SNS::Topic'}}]"), 4, "makes the key \"Q\" twice" },
  { LOOP ("[A, [a], {'Fn::ForEach::B': [B, [b], {'Fn::ForEach::C': [C, [c], {'Fn::ForEach::D': [D, [d], {'Fn::ForEach::E': [E, [e], {'Fn::ForEach::G': [G, [g], {x: y}]}]}]}]}]}]"),
    3, "5 deep" },
  { "Transform: AWS::Serverless-2016-10-31\nResources:\n  'Fn::ForEach::L': [N, [A], " FN "]\n", 3, "needs \"Transform: AWS::LanguageExtensions\"" },
};

static void
wrong_forms (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (wrong); i++)
    {
      lf_template *t = help_parse (wrong[i].text);
      assert_false (t->broken);
      assert_int_equal (help_problem (t, wrong[i].line, wrong[i].message)->severity, LF_TPL_ERROR);
      lf_template_free (t);
    }
  /* Without the transform it is a deployment that is refused: here the function is there. */
  lf_template *t = help_parse (wrong[LF_ARRAY_LEN (wrong) - 1].text);
  lf_error err = { 0 };
  assert_int_equal (lf_template_function_usable (t, help_function (t, "FA"), &err), 0);
  lf_template_free (t);
  t = help_parse (LOOPS "Parameters: {P: {Type: 'List<AWS::EC2::Subnet::Id>'}}\nResources:\n  'Fn::ForEach::L': [N, !Ref P, " FN "]\n  Q: {Type: 'AWS::SQS::Queue'}\n");
  assert_false (t->broken);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  lf_template_free (t);
}

/* Loops that make more than memory and time allow end soon. */
static void
bombs (void **state)
{
  (void) state;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, LOOPS "Resources:\n");
  for (int d = 0; d < 5; d++)
    {
      lf_buf_addf (&b, "%*s'Fn::ForEach::L%d':\n%*s- I%d\n%*s- [", 2 + 4 * d, "", d, 4 + 4 * d, "", d, 4 + 4 * d, "");
      for (int i = 0; i < 1000; i++)
        lf_buf_addf (&b, "%sv%d", i ? "," : "", i);
      lf_buf_addf (&b, "]\n%*s-\n", 4 + 4 * d, "");
    }
  lf_buf_adds (&b, "                      'F${I0}x${I1}x${I2}x${I3}x${I4}': {Type: 'AWS::SQS::Queue'}\n");
  clock_t start = clock ();
  lf_template *t = help_parse (b.data);
  assert_true (t->broken);
  help_problem (t, 0, "expands too far");
  assert_true ((double) (clock () - start) / CLOCKS_PER_SEC < 30);
  lf_template_free (t);
}

/* ---- asynchronous events ------------------------------------------------------------------------------------------------------------ */

static void
event_settings (void **state)
{
  (void) state;
  lf_template *t = help_parse ("Transform: AWS::Serverless-2016-10-31\n" GLOBALS
                               "Resources:\n"
                               "  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      EventInvokeConfig:\n        MaximumRetryAttempts: 1\n        MaximumEventAgeInSeconds: 90\n"
                               "        DestinationConfig:\n          OnSuccess: {Type: Lambda, Destination: !GetAtt B.Arn}\n          OnFailure: {Type: SQS, Destination: !GetAtt Q.Arn}\n"
                               "  B: {Type: AWS::Serverless::Function, Properties: {EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS}}}}}\n"
                               "  C: {Type: AWS::Serverless::Function, Properties: {EventInvokeConfig: {MaximumRetryAttempts: 0}}}\n"
                               "  Q: {Type: 'AWS::SQS::Queue'}\n"
                               "  Config:\n    Type: AWS::Lambda::EventInvokeConfig\n    Properties: {FunctionName: !Ref C, Qualifier: $LATEST, MaximumEventAgeInSeconds: 60,\n"
                               "      DestinationConfig: {OnFailure: {Destination: !Sub '${A.Arn}:live'}}}\n"
                               "  Far: {Type: 'AWS::Lambda::EventInvokeConfig', Properties: {FunctionName: elsewhere, Qualifier: x}}\n"
                               "  None: {Type: 'AWS::Lambda::EventInvokeConfig', Properties: {Qualifier: x}}\n");
  const lf_function *a = &help_function (t, "A")->f, *b = &help_function (t, "B")->f, *c = &help_function (t, "C")->f;
  assert_int_equal (a->async_retries, 1);
  assert_int_equal (a->async_max_age_s, 90);
  assert_string_equal (a->on_success, "arn:aws:lambda:us-east-1:123456789012:function:B");
  assert_null (a->on_failure);
  assert_string_equal (help_problem (t, 12, "local-Q, which is not here")->property, "EventInvokeConfig.DestinationConfig.OnFailure");
  assert_null (b->on_failure);
  help_problem (t, 13, "a resource of type SQS");
  assert_int_equal (c->async_retries, 0);
  assert_int_equal (c->async_max_age_s, 60);
  assert_string_equal (c->on_failure, "arn:aws:lambda:us-east-1:123456789012:function:A");
  assert_int_equal (help_problem (t, 20, "not in this template")->severity, LF_TPL_WARNING);
  assert_int_equal (help_problem (t, 21, "needs FunctionName")->severity, LF_TPL_ERROR);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 1);
  lf_template_free (t);
}

static void
own_destination (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (NULL, &err);
  assert_non_null (p);
  lf_template *t = help_parse ("Transform: AWS::Serverless-2016-10-31\nResources:\n  A:\n    Type: AWS::Serverless::Function\n"
                               "    Properties: {Runtime: python3.12, Handler: a.b, EventInvokeConfig: {DestinationConfig: {OnSuccess: {Destination: !Sub\n"
                               "      'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:A'}}}}\n");
  assert_int_equal (lf_template_validate (t, p, &err), 0);
  assert_true (help_problem (t, 0, "as a destination for itself")->deploy_only);
  lf_template_free (t);
  lf_profile_free (p);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (functions_by_a_loop), cmocka_unit_test (nested), cmocka_unit_test (in_other_places), cmocka_unit_test (wrong_forms),
    cmocka_unit_test (bombs), cmocka_unit_test (event_settings), cmocka_unit_test (own_destination),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
