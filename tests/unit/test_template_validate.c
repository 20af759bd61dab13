/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deployment would refuse: each finding with its line and property, the platform's own words where it has some, and nothing about
 * templates that are right.
 */
#include "template_help.h"

static lf_profile *profile;

static int
load_profile (void **state)
{
  (void) state;
  lf_error err = { 0 };
  profile = lf_profile_load (NULL, &err);
  return profile ? 0 : -1;
}

static int
free_profile (void **state)
{
  (void) state;
  lf_profile_free (profile);
  return 0;
}

static lf_template *
validated (const char *text)
{
  lf_error err = { 0 };
  lf_template *t = help_parse (text);
  assert_int_equal (lf_template_validate (t, profile, &err), 0);
  return t;
}

#define LAMBDA "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Role: r\n      Code: src\n"
#define PLAIN LAMBDA "      Handler: app.main\n      Runtime: python3.12\n" /* 8 lines */
#define PLAIN_OLD LAMBDA "      Handler: app.main\n      Runtime: python3.11\n"
#define SERVERLESS "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: src\n      Handler: app.main\n      Runtime: python3.12\n"
#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct { const char *text; int line; const char *property, *message; } errors[] = {
  { PLAIN "      MemorySize: 127\n", 9, "MemorySize",
    "1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128" },
  { PLAIN "      MemorySize: 10241\n", 9, "MemorySize", "Member must have value less than or equal to 10240" },
  { PLAIN "      MemorySize: -1\n", 9, "MemorySize", "greater than or equal to 128" },
  { PLAIN "      MemorySize: '64'\n", 9, "MemorySize", "Value '64' at 'memorySize'" },
  { PLAIN "      Timeout: 0\n", 9, "Timeout", "Value '0' at 'timeout'" },
  { PLAIN "      Timeout: 901\n", 9, "Timeout", "Member must have value less than or equal to 900" },
  { PLAIN "      Timeout: 9223372036854775807\n", 9, "Timeout", "less than or equal to 900" },
  { PLAIN "      EphemeralStorage:\n        Size: 511\n", 10, "EphemeralStorage.Size", "greater than or equal to 512" },
  { PLAIN "      EphemeralStorage: {Size: 10241}\n", 9, "EphemeralStorage.Size", "less than or equal to 10240" },
  { PLAIN "      ReservedConcurrentExecutions: 100000\n", 9, "ReservedConcurrentExecutions", "UnreservedConcurrentExecution" },
  { PLAIN "      FunctionName: a b\n", 9, "FunctionName", "Member must satisfy regular expression pattern" },
  { PLAIN "      FunctionName: " LONG64 "a\n", 9, "FunctionName", "Member must have length less than or equal to 64" },
  { LAMBDA "      Handler: a b\n      Runtime: python3.12\n", 7, "Handler", "[^\\s]+" },
  { LAMBDA "      Handler: " LONG64 LONG64 "a\n      Runtime: python3.12\n", 7, "Handler", "less than or equal to 128" },
  { LAMBDA "      Runtime: python3.12\n", 2, "Handler", "mandatory parameters" },
  { LAMBDA "      Handler: a.b\n", 2, "Runtime", "mandatory parameters" },
  { LAMBDA "      Handler: a.b\n      Runtime: python4.0\n", 8, "Runtime", "Value python4.0 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set" },
  { PLAIN "      Environment:\n        Variables:\n          OK: x\n          LAMBDA_TASK_ROOT: x\n", 12, "Environment.Variables.LAMBDA_TASK_ROOT", "reserved keys" },
  { PLAIN "      Environment:\n        Variables:\n          _bad: x\n", 11, "Environment.Variables._bad", "[a-zA-Z]([a-zA-Z0-9_])+" },
  { PLAIN "      Layers: [a, b, c, d, e, f]\n", 9, "Layers", "Cannot reference more than 5 layers." },
  { PLAIN "      Layers: ['arn:aws:lambda:us-east-1:123456789012:layer:x:1', 'arn:aws:lambda:us-east-1:123456789012:layer:x:2']\n", 9, "Layers",
    "Two different versions of the same layer" },
  { PLAIN "      PackageType: Tar\n", 9, "PackageType", "[Zip, Image]" },
  { PLAIN "      MemorySizes: 1\n", 9, "MemorySizes", "did you mean MemorySize?" },
  { PLAIN "      timeout: 1\n", 9, "timeout", "did you mean Timeout?" },
  { PLAIN "      Enviroment: {}\n", 9, "Enviroment", "did you mean Environment?" },
  { PLAIN "      EphemeralStorage: {size: 512}\n", 9, "EphemeralStorage.size", "did you mean Size?" },
  { "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {Code: src, Handler: a.b, Runtime: python3.12}\n", 2, "Role", "required key [Role]" },
  { "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {Role: r, Handler: a.b, Runtime: python3.12}\n", 2, "Code", "has no Code" },
  { "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Role: r\n      Handler: index.h\n      Runtime: java21\n      Code: {ZipFile: x}\n", 8,
    "Code.ZipFile", "inline code is for nodejs and python" },
  { "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: src, Handler: a.b, Runtime: python3.12}\n", 3, "Type", "Transform" },
  { SERVERLESS "      EventInvokeConfig: {MaximumRetryAttempts: 3}\n", 9, "EventInvokeConfig.MaximumRetryAttempts", "less than or equal to 2" },
  { SERVERLESS "      EventInvokeConfig:\n        MaximumEventAgeInSeconds: 59\n", 10, "EventInvokeConfig.MaximumEventAgeInSeconds", "greater than or equal to 60" },
  { SERVERLESS "      FunctionUrlConfig: {AuthType: ANY}\n", 9, "FunctionUrlConfig.AuthType", "[NONE, AWS_IAM]" },
  { SERVERLESS "      FunctionUrlConfig: {AuthType: NONE, InvokeMode: X}\n", 9, "FunctionUrlConfig.InvokeMode", "[BUFFERED, RESPONSE_STREAM]" },
  { SERVERLESS "Globals:\n  Function:\n    Timeout: 5000\n", 11, "Timeout", "less than or equal to 900" },
  { SERVERLESS "Globals:\n  Function:\n    Timout: 5\n", 11, "Globals.Function.Timout", "did you mean Timeout?" },
  { SERVERLESS "Globals:\n  Functions: {}\n", 10, "Globals.Functions", "did you mean Function?" },
  { SERVERLESS "Output: {}\n", 9, "Output", "did you mean Outputs?" },
  { SERVERLESS "Elsewhere: {}\n", 9, "Elsewhere", "Invalid template property" },
  { SERVERLESS "AWSTemplateFormatVersion: 2010-09-10\n", 9, "AWSTemplateFormatVersion", "not a supported value" },
  { SERVERLESS "  a-b: {Type: 'AWS::SQS::Queue'}\n", 9, NULL, "non alphanumeric" },
  { SERVERLESS "  Q:\n    Type: AWS::SQS::Queue\n    DependOn: F\n", 11, "DependOn", "did you mean DependsOn?" },
  { SERVERLESS "  L:\n    Type: AWS::Serverless::LayerVersion\n    Properties:\n      ContentUri: x\n      LayerName: 'a b'\n", 13, "LayerName", "layerName" },
  { SERVERLESS "  G:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: a, Handler: a.b, Runtime: python3.12, FunctionName: same}\n"
               "  H:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: a\n      Handler: a.b\n      Runtime: python3.12\n      FunctionName: same\n",
    18, "FunctionName", "G has this name already (line 9)" },
  { SERVERLESS "      Policies: [{S3ReadPolicy: {BucketName: !Ref Bukket}}]\n", 9, "Policies", "Ref names Bukket, which is neither a resource nor a parameter" },
  { SERVERLESS "      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Qeue.Arn}\n", 9, "DeadLetterQueue", "Fn::GetAtt names Qeue" },
  { SERVERLESS "      Policies: !If [Prod, [a], [b]]\n", 9, "Policies", "no condition \"Prod\"" },
  { SERVERLESS "      Role: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${!x}${ RoleNam }'\n", 9, "Role", "Ref names RoleNam," },
  { SERVERLESS "      Environment: {Variables: {AA: !Ref Once}}\n", 9, "Environment.Variables.AA", "Ref names Once" },
  { SERVERLESS "  Q:\n    Type: AWS::SQS::Queue\n    DependsOn: [F, G]\n", 11, "DependsOn", "DependsOn names G" },
  { SERVERLESS "Outputs:\n  A: {Value: !GetAtt [Gg, Arn]}\n", 10, "Outputs.A", "Fn::GetAtt names Gg" },
  { SERVERLESS "Outputs:\n  A: {Value: a, Condition: C}\n", 10, "Outputs.A.Condition", "no condition \"C\"" },
  { SERVERLESS "Conditions:\n  A: !And [!Condition B, !Equals [a, b]]\n", 10, "Conditions.A", "no condition \"B\"" },
  { SERVERLESS "      SnapStart: {ApplyOn: Always}\n", 9, "SnapStart.ApplyOn", "[PublishedVersions, None]" },
  { SERVERLESS "      EphemeralStorage: {Size: 513}\n      SnapStart: {ApplyOn: PublishedVersions}\n", 10, "SnapStart.ApplyOn", "512 MB of ephemeral storage, not 513" },
  { PLAIN_OLD "      SnapStart: {ApplyOn: PublishedVersions}\n", 9, "SnapStart.ApplyOn", "python3.11 is not supported for SnapStart" },
  { SERVERLESS "  G:\n    Type: AWS::Serverless::Funktion\n    Properties: {CodeUri: a}\n", 10, "Type", "did you mean AWS::Serverless::Function?" },
};

/* Names that are not in the text and yet right: what the transform of SAM adds, a loop's, a nested stack's, those of a macro. */
static void
test_names_from_elsewhere (void **state)
{
  (void) state;
  static const char *const texts[] = {
    SERVERLESS "      AutoPublishAlias: live\n      SnapStart: {ApplyOn: PublishedVersions}\n      EphemeralStorage: {Size: 512}\n      Policies: [!Ref AWS::NoValue]\n      Tags: {A: !Sub '${F.Arn}-${AWS::Region}-${!N}', B: !Sub ['${X}', {X: 1}]}\n"
               "  S: {Type: 'AWS::CloudFormation::Stack', Properties: {A: !Ref FRole, B: !Ref ServerlessRestApi, C: !GetAtt FAliaslive.Arn}}\n"
               "Outputs:\n  A: {Value: !GetAtt FUrl.FunctionUrl}\n  B: {Value: !Ref F.Version}\n  C: {Value: !GetAtt S.Outputs.X}\n"
               "  D: {Value: !Sub 'https://${ServerlessHttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/'}\n  E: {Value: !GetAtt FRole.Arn}\n",
    "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nResources:\n  'Fn::ForEach::L':\n    - N\n    - [A, B]\n"
    "    - '${N}Queue': {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref N}}\n"
    "Outputs:\n  'Fn::ForEach::O':\n    - N\n    - [A, B]\n    - '${N}Url': {Value: !Ref N}\n  A: {Value: !Ref AQueue}\n",
    "Transform: [Mine]\nResources:\n  Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref FromMacro}}\n",
    "Resources:\n  P: {Type: 'AWS::IAM::Policy', Properties: {PolicyDocument: {Statement: [{Condition: x, Action: '*'}]}}}\n"
    "  M: {Type: 'AWS::StepFunctions::StateMachine', Properties: {Definition: {A: {Condition: y}}}}\n",
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (texts); i++)
    {
      lf_template *t = validated (texts[i]);
      if (help_count (t, LF_TPL_ERROR))
        help_print_problems (t);
      assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
      lf_template_free (t);
    }
}

static void
test_errors (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (errors); i++)
    {
      lf_template *t = validated (errors[i].text);
      const lf_template_problem *p = help_problem (t, errors[i].line, errors[i].message);
      if (p->severity != LF_TPL_ERROR || !lf_streq (p->property, errors[i].property) || help_count (t, LF_TPL_ERROR) != 1)
        {
          help_print_problems (t);
          fail_msg ("not exactly this error at %s", errors[i].property);
        }
      lf_template_free (t);
    }
}

static void
test_environment_size (void **state)
{
  (void) state;
  for (int over = 0; over < 2; over++)
    {
      /* {"AA":"..."} is nine bytes and the value. */
      lf_buf b;
      lf_buf_init (&b, 0);
      lf_buf_adds (&b, PLAIN "      Environment:\n        Variables:\n          AA: ");
      for (int64_t i = 0; i < profile->env_max_bytes - 9 + over; i++)
        lf_buf_addc (&b, 'x');
      lf_buf_addc (&b, '\n');
      lf_template *t = validated (b.data);
      assert_int_equal (help_count (t, LF_TPL_ERROR), over);
      if (over)
        {
          const lf_template_problem *p = help_problem (t, 10, "exceeded the 4KB limit");
          assert_string_equal (p->limit_id, "env");
          lf_error err = { 0 };
          assert_int_equal (lf_template_function_usable (t, help_function (t, "F"), &err), -1);
          assert_int_equal (err.exit, LF_EXIT_FAILED);
        }
      lf_template_free (t);
      lf_buf_fini (&b);
    }
}

/* What only a deployment is refused for does not keep a function from running here. */
static void
test_deploy_only (void **state)
{
  (void) state;
  static const char *const texts[] = { PLAIN "      MemorySizes: 1\n", SERVERLESS "Elsewhere: {}\n",
                                       "Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Code: src, Handler: a.b, Runtime: python3.12}}}\n" };
  for (size_t i = 0; i < LF_ARRAY_LEN (texts); i++)
    {
      lf_error err = { 0 };
      lf_template *t = validated (texts[i]);
      assert_int_equal (help_count (t, LF_TPL_ERROR), 1);
      assert_int_equal (lf_template_function_usable (t, help_function (t, "F"), &err), 0);
      lf_template_free (t);
    }
}

/* Guesses are not judged: what they stand for may be right. */
static void
test_guesses (void **state)
{
  (void) state;
  lf_template *t = validated ("Parameters:\n  PP: {Type: String}\n  NN: {Type: Number}\n  LL: {Type: 'List<String>'}\n"
                              "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Role: r\n      Code: src\n      Runtime: !Ref PP\n"
                              "      Handler: !Sub '${PP} x'\n      FunctionName: !Sub '${PP}.f'\n      MemorySize: !Ref NN\n      Timeout: !ImportValue t\n"
                              "      Layers: !Ref LL\n      EphemeralStorage: {Size: !Ref NN}\n");
  if (help_count (t, LF_TPL_ERROR))
    help_print_problems (t);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  lf_template_free (t);
}

static void
test_good_ones (void **state)
{
  (void) state;
  const char *folder = getenv ("TOP_SRCDIR"), *names[] = { "full.yaml", "cloudformation.json" };
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    {
      char path[500];
      lf_error err = { 0 };
      snprintf (path, sizeof path, "%s/tests/templates/%s", folder ? folder : "..", names[i]);
      lf_template *t = lf_template_load (path, NULL, &err);
      assert_non_null (t);
      assert_int_equal (lf_template_validate (t, profile, &err), 0);
      if (help_count (t, LF_TPL_ERROR))
        help_print_problems (t);
      assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
      lf_template_free (t);
    }
}

/* Thousands of findings are kept to a maximum, errors before warnings. */
static void
test_many (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "Transform: AWS::Serverless-2016-10-31\nResources:\n");
  for (int i = 0; i < 5000; i++)
    lf_buf_addf (&b, "  F%d: {Type: 'AWS::Serverless::Function', Wrong: x, Properties: {Handler: a.b, Runtime: python3.12, MemorySize: 1}}\n", i);
  lf_template *t = validated (b.data);
  assert_int_equal (t->problems_n, 2000);
  assert_int_equal (t->problems_dropped, 5000 + 5000 + 1 - 2000);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 2000);
  for (size_t i = 1; i < t->problems_n; i++)
    assert_true (t->problems[i - 1].line <= t->problems[i].line);
  lf_template_free (t);
  lf_buf_fini (&b);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_errors),
    cmocka_unit_test (test_names_from_elsewhere), cmocka_unit_test (test_environment_size), cmocka_unit_test (test_deploy_only), cmocka_unit_test (test_guesses),
    cmocka_unit_test (test_good_ones), cmocka_unit_test (test_many),
  };
  return cmocka_run_group_tests_name ("template_validate", tests, load_profile, free_profile);
}
