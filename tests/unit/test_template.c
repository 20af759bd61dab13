/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates: what functions they give. Every intrinsic function in both spellings, in YAML and JSON; Globals; parameters; conditions.
 */
#include "template_help.h"

/* ---- intrinsic functions ------------------------------------------------------------------------------------------------------------ */

#define HEAD                                                                                                                       \
  "AWSTemplateFormatVersion: 2010-09-09\n"                                                                                         \
  "Transform: AWS::Serverless-2016-10-31\n"                                                                                        \
  "Parameters:\n"                                                                                                                  \
  "  Given: {Type: String, Default: value}\n"                                                                                      \
  "  Count: {Type: Number, Default: 7}\n"                                                                                          \
  "  Names: {Type: CommaDelimitedList, Default: 'a, b,c'}\n"                                                                       \
  "  Missing: {Type: String}\n"                                                                                                    \
  "  Choice: {Type: String, AllowedValues: [one, two]}\n"                                                                          \
  "  Vpc: {Type: 'AWS::EC2::VPC::Id'}\n"                                                                                           \
  "Mappings:\n"                                                                                                                    \
  "  Sizes: {small: {mb: 128, names: [x, y]}, us-east-1: {mb: 1024}}\n"                                                            \
  "Conditions:\n"                                                                                                                  \
  "  IsValue: !Equals [!Ref Given, value]\n"                                                                                       \
  "  IsOther:\n    Fn::Equals: [{Ref: Given}, other]\n"                                                                            \
  "  Both: !And [!Condition IsValue, !Not [!Condition IsOther]]\n"                                                                 \
  "  Neither: {'Fn::Not': [{'Fn::Or': [{Condition: IsValue}, {Condition: IsOther}]}]}\n"                                           \
  "Resources:\n"                                                                                                                   \
  "  Queue: {Type: 'AWS::SQS::Queue'}\n"                                                                                           \
  "  NamedQueue: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Sub '${Given}-q'}}\n"                                          \
  "  Topic: {Type: 'AWS::SNS::Topic'}\n"                                                                                           \
  "  Bucket: {Type: 'AWS::S3::Bucket'}\n"                                                                                          \
  "  Table: {Type: 'AWS::DynamoDB::Table', Properties: {TableName: items}}\n"                                                      \
  "  Machine: {Type: 'AWS::Serverless::StateMachine', Properties: {Name: m}}\n"                                                    \
  "  Layer: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layer, LayerName: deps}}\n"                           \
  "  Other: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: other-name, CodeUri: x, Handler: a.b, Runtime: python3.12}}\n" \
  "  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: .\n      Handler: app.main\n      Runtime: python3.12\n"   \
  "      Environment:\n        Variables:\n          VALUE: "

static const struct { const char *expression, *expected; } values[] = {
  /* Ref */
  { "!Ref Given", "value" },
  { "{Ref: Given}", "value" },
  { "!Ref Count", "7" },
  { "!Ref Queue", "https://sqs.us-east-1.amazonaws.com/123456789012/local-Queue" },
  { "!Ref NamedQueue", "https://sqs.us-east-1.amazonaws.com/123456789012/value-q" },
  { "!Ref Topic", "arn:aws:sns:us-east-1:123456789012:local-Topic" },
  { "!Ref Bucket", "local-bucket" },
  { "!Ref Table", "items" },
  { "!Ref Machine", "arn:aws:states:us-east-1:123456789012:stateMachine:m" },
  { "!Ref Layer", "arn:aws:lambda:us-east-1:123456789012:layer:deps:1" },
  { "!Ref Other", "other-name" },
  { "!Ref F", "F" },
  { "!Ref Missing", "Missing" },
  { "!Ref Choice", "one" },
  { "!Ref Vpc", "vpc-0123456789abcdef0" },
  /* pseudo parameters */
  { "!Ref AWS::Region", "us-east-1" },
  { "{Ref: 'AWS::AccountId'}", "123456789012" },
  { "!Ref AWS::Partition", "aws" },
  { "!Ref AWS::StackName", "local" },
  { "!Ref AWS::URLSuffix", "amazonaws.com" },
  { "!Ref AWS::NoValue", NULL },
  { "{Ref: 'AWS::NoValue'}", NULL },
  /* GetAtt */
  { "!GetAtt Queue.Arn", "arn:aws:sqs:us-east-1:123456789012:local-Queue" },
  { "{'Fn::GetAtt': [Queue, Arn]}", "arn:aws:sqs:us-east-1:123456789012:local-Queue" },
  { "{'Fn::GetAtt': Queue.Arn}", "arn:aws:sqs:us-east-1:123456789012:local-Queue" },
  { "!GetAtt\n            - Queue\n            - QueueName", "local-Queue" },
  { "!GetAtt Other.Arn", "arn:aws:lambda:us-east-1:123456789012:function:other-name" },
  { "!GetAtt Topic.TopicName", "local-Topic" },
  { "!GetAtt Bucket.Arn", "arn:aws:s3:::local-bucket" },
  { "!GetAtt Bucket.RegionalDomainName", "local-bucket.s3.us-east-1.amazonaws.com" },
  { "!GetAtt Table.StreamArn", "arn:aws:dynamodb:us-east-1:123456789012:table/items/stream/2026-01-01T00:00:00.000" },
  { "!GetAtt Machine.Name", "m" },
  { "!GetAtt FRole.Arn", "arn:aws:iam::123456789012:role/local-FRole" },
  /* Sub */
  { "!Sub 'x-${Given}-${AWS::Region}'", "x-value-us-east-1" },
  { "{'Fn::Sub': 'x-${Given}'}", "x-value" },
  { "!Sub '${Queue.Arn}'", "arn:aws:sqs:us-east-1:123456789012:local-Queue" },
  { "!Sub '${!Literal} $x ${ Given }'", "${Literal} $x value" },
  { "!Sub ['${Own}-${Given}', {Own: !Ref Count}]", "7-value" },
  { "{'Fn::Sub': ['${Own}', {Own: {'Fn::Join': [':', [p, q]]}}]}", "p:q" },
  { "!Sub |\n            a ${Given}\n            b", "a value\nb\n" },
  { "!Sub 'open ${Given'", "open ${Given" },
  /* Join, Select, Split */
  { "!Join ['-', [a, !Ref Given, 3]]", "a-value-3" },
  { "{'Fn::Join': ['', [a, {Ref: Given}]]}", "avalue" },
  { "!Join [',', !Ref Names]", "a,b,c" },
  { "!Join ['+', !Split ['/', 'a/b/c']]", "a+b+c" },
  { "!Join ['-', [a, !Ref AWS::NoValue, b]]", "a-b" },
  { "!Select [1, [x, y, z]]", "y" },
  { "!Select ['2', !Split ['|', 'a|b|c']]", "c" },
  { "{'Fn::Select': ['0', {'Fn::Split': [':', 'p:q']}]}", "p" },
  { "!Select [2, !Ref Names]", "c" },
  { "!Select [1, !GetAZs '']", "us-east-1b" },
  { "!Select [0, {'Fn::GetAZs': {Ref: 'AWS::Region'}}]", "us-east-1a" },
  { "!Select [2, !Cidr ['10.0.0.0/16', 4, 8]]", "10.0.2.0/24" },
  { "{'Fn::Select': [1, {'Fn::Cidr': ['192.168.0.0/24', 4, 5]}]}", "192.168.0.32/27" },
  /* FindInMap */
  { "!FindInMap [Sizes, small, mb]", "128" },
  { "{'Fn::FindInMap': [Sizes, {Ref: 'AWS::Region'}, mb]}", "1024" },
  { "!Join ['', !FindInMap [Sizes, small, names]]", "xy" },
  { "!FindInMap [Sizes, large, mb, {DefaultValue: 99}]", "99" },
  /* conditions */
  { "!If [IsValue, yes-it-is, no]", "yes-it-is" },
  { "{'Fn::If': [IsOther, a, b]}", "b" },
  { "!If [Both, a, b]", "a" },
  { "!If [Neither, a, b]", "b" },
  { "!If [Neither, a, !Ref AWS::NoValue]", NULL },
  { "!If [IsValue, !Sub '${Given}!', !Ref Nowhere]", "value!" },
  { "!Equals [a, a]", "true" },
  { "{'Fn::Equals': [a, b]}", "false" },
  { "!Not [!Equals [a, b]]", "true" },
  { "{'Fn::Not': [{'Fn::Equals': [a, a]}]}", "false" },
  { "!And [!Condition IsValue, !Equals [a, a]]", "true" },
  { "{'Fn::And': [{Condition: IsValue}, {Condition: IsOther}]}", "false" },
  { "!Or [!Condition IsOther, !Condition IsValue]", "true" },
  { "{'Fn::Or': [{Condition: IsOther}, {Condition: Neither}]}", "false" },
  /* Base64, ImportValue and the rest */
  { "!Base64 hello", "aGVsbG8=" },
  { "{'Fn::Base64': {'Fn::Sub': 'v=${Given}'}}", "dj12YWx1ZQ==" },
  { "!ImportValue network-Id", "network-Id" },
  { "{'Fn::ImportValue': {'Fn::Sub': '${AWS::StackName}-x'}}", "local-x" },
  { "{'Fn::ToJsonString': {a: 1, b: [true, !Ref Given, 'x \"y\"']}}", "{\"a\":1,\"b\":[true,\"value\",\"x \\\"y\\\"\"]}" },
  { "!ToJsonString [1, '2']", "[1,\"2\"]" },
  { "{'Fn::Length': [a, b]}", "2" },
  { "!Length [a, b, c]", "3" },
  { "{'Fn::GetAtt': [Queue, QueueName]}", "local-Queue" },
  { "{'Fn::Select': ['2', {'Fn::GetAZs': ''}]}", "us-east-1c" },
  /* what is no text in YAML becomes one */
  { "31", "31" },
  { "1.50", "1.50" },
  { "true", "true" },
  { "No", "false" },
  { "'No'", "No" },
  { "2012-10-17", "2012-10-17" },
  { "null", "" },
  { "~", "" },
  { "!!str 012", "012" },
  { "'{{resolve:ssm:/a/b}}'", "{{resolve:ssm:/a/b}}" },
};

static void
test_values (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (values); i++)
    {
      char *text = lf_asprintf ("%s%s\n", HEAD, values[i].expression);
      lf_template *t = help_parse (text);
      const char *got = lf_strv_env (&help_function (t, "F")->f.env, "VALUE");
      if (!lf_streq (got, values[i].expected) || help_count (t, LF_TPL_ERROR) != 0)
        {
          help_print_problems (t);
          fail_msg ("%s gave \"%s\", not \"%s\"", values[i].expression, got ? got : "(nothing)", values[i].expected ? values[i].expected : "(nothing)");
        }
      lf_template_free (t);
      free (text);
    }
}

/* What only a deployment knows is said once, however often it is used. */
static void
test_warned_once (void **state)
{
  (void) state;
  lf_template *t = help_parse (HEAD "!Sub '${Missing} ${Missing}'\n          B: !Ref Missing\n          CC: !ImportValue one\n          DD: !ImportValue one\n");
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  assert_int_equal (help_count (t, LF_TPL_WARNING), 2);
  assert_non_null (strstr (help_problem (t, 0, "Missing")->message, "--parameter Missing=VALUE"));
  help_problem (t, 0, "import \"one\"");
  lf_template_free (t);
}

/* ---- wrong uses ----------------------------------------------------------------------------------------------------------------------- */

static const struct { const char *expression, *message; } wrong[] = {
  { "!Ref Nowhere", "Ref names Nowhere" },
  { "!Ref ''", "Ref takes" },
  { "{Ref: [a]}", "Ref takes" },
  { "!Ref AWS::Nothing", "no pseudo parameter" },
  { "!GetAtt Nowhere.Arn", "Fn::GetAtt names Nowhere" },
  { "!GetAtt Queue", "Fn::GetAtt takes" },
  { "!GetAtt Given.Arn", "which has no attributes" },
  { "!Sub '${Nowhere}'", "Ref names Nowhere" },
  { "!Sub '${Nowhere.Arn}'", "Fn::GetAtt names Nowhere" },
  { "!Sub '${a b}'", "is no name" },
  { "!Sub '${}'", "is no name" },
  { "!Sub {a: b}", "Fn::Sub takes" },
  { "!Sub [a, b, c]", "Fn::Sub takes" },
  { "!Join [a]", "Fn::Join takes" },
  { "!Join [a, b]", "second argument of Fn::Join" },
  { "!Join ['', [[a]]]", "Fn::Join joins texts" },
  { "!Select [9, [a]]", "beyond the end" },
  { "!Select [x, [a]]", "index from 0" },
  { "!Select [-1, [a]]", "index from 0" },
  { "!Select [0, a]", "is a list" },
  { "!Split ['', a]", "Fn::Split takes" },
  { "!Split [',']", "Fn::Split takes" },
  { "!FindInMap [Sizes, small]", "Fn::FindInMap takes" },
  { "!FindInMap [Nothing, a, b]", "no mapping \"Nothing\"" },
  { "!FindInMap [Sizes, tiny, mb]", "nothing for tiny" },
  { "!If [IsValue, a]", "Fn::If takes" },
  { "!If [Nothing, a, b]", "no condition \"Nothing\"" },
  { "!Base64 [a]", "Fn::Base64 takes" },
  { "!Cidr [nonsense, 2, 8]", "no address block" },
  { "!Cidr ['10.0.0.0/30', 200, 8]", "too small" },
  { "{'Fn::Nothing': a}", "no intrinsic function" },
  { "[a]", "a text, here it is a list" },
  { "{a: b, c: d}", "a text, here it is a map" },
};

static void
test_wrong (void **state)
{
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (wrong); i++)
    {
      char *text = lf_asprintf ("%s%s\n", HEAD, wrong[i].expression);
      int line = 1;
      for (const char *p = HEAD; *p; p++)
        line += *p == '\n';
      lf_template *t = help_parse (text);
      const lf_template_problem *p = help_problem (t, line, wrong[i].message);
      assert_int_equal (p->severity, LF_TPL_ERROR);
      assert_string_equal (p->logical_id, "F");
      assert_true (lf_starts (p->property, "Environment"));
      lf_error err = { 0 };
      assert_int_equal (lf_template_function_usable (t, help_function (t, "F"), &err), -1);
      char what[60];
      snprintf (what, sizeof what, "template.yaml:%d:%d", line, p->column);
      assert_string_equal (err.what, what);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      /* The other function is as good as before. */
      assert_int_equal (lf_template_function_usable (t, help_function (t, "other-name"), &err), 0);
      lf_template_free (t);
      free (text);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------------- */

static void
test_json (void **state)
{
  (void) state;
  const char *text = "{\n  \"Resources\": {\n    \"F\": {\"Type\": \"AWS::Lambda::Function\",\n"
                     "      \"Properties\": {\"Code\": {\"ZipFile\": \"def handler(e, c):\\n  return \\\"\\u00e9\\ud83d\\ude00\\/\\\"\\n\"},\n"
                     "        \"Handler\": \"index.handler\", \"Runtime\": \"python3.12\", \"Role\": \"r\", \"MemorySize\": 256, \"Timeout\": \"9\",\n"
                     "        \"Environment\": {\"Variables\": {\"AA\": {\"Fn::Join\": [\"-\", [\"a\", {\"Ref\": \"AWS::Region\"}]]}, \"BB\": true, \"CC\": 1e3,\n"
                     "          \"DD\": {\"Ref\": \"Nowhere\"}}}}}}}\n";
  for (int i = 0; i < 2; i++)
    {
      lf_template *t = help_parse_with (text, i ? "template.json" : "template.yaml", NULL);
      const lf_template_function *f = help_function (t, "F");
      assert_int_equal (f->code, LF_TPL_CODE_INLINE);
      assert_string_equal (f->inline_code, "def handler(e, c):\n  return \"\xC3\xA9\xF0\x9F\x98\x80/\"\n");
      assert_string_equal (f->inline_file, "index.py");
      assert_int_equal (f->f.memory_mb, 256);
      assert_int_equal (f->f.timeout_ms, 9000);
      assert_string_equal (lf_strv_env (&f->f.env, "AA"), "a-us-east-1");
      assert_string_equal (lf_strv_env (&f->f.env, "BB"), "true");
      assert_string_equal (lf_strv_env (&f->f.env, "CC"), "1e3");
      assert_int_equal (help_problem (t, 7, "Nowhere")->column, 17);
      lf_template_free (t);
    }
}

/* ---- Globals ---------------------------------------------------------------------------------------------------------------------------- */

static const char globals[]
    = "Transform: AWS::Serverless-2016-10-31\n"
      "Globals:\n  Function:\n    Runtime: python3.12\n    Timeout: 20\n    MemorySize: 512\n    Handler: app.handler\n    CodeUri: src\n"
      "    Architectures: [arm64]\n    Layers: ['arn:aws:lambda:us-east-1:1:layer:g:1']\n"
      "    Environment: {Variables: {SHARED: g, OVER: g}}\n    EphemeralStorage: {Size: 1024}\n"
      "Resources:\n"
      "  Plain: {Type: 'AWS::Serverless::Function'}\n"
      "  Own:\n    Type: AWS::Serverless::Function\n    Properties:\n      Timeout: 5\n      Layers: ['arn:aws:lambda:us-east-1:1:layer:own:2']\n"
      "      Environment: {Variables: {OVER: own, MINE: m}}\n"
      "  Lambda: {Type: 'AWS::Lambda::Function', Properties: {Code: dir, Role: r, Handler: x.y, Runtime: nodejs22.x}}\n"
      "  Free: {Type: 'AWS::Serverless::Function', IgnoreGlobals: '*', Properties: {Handler: a.b, Runtime: python3.11}}\n"
      "  Part: {Type: 'AWS::Serverless::Function', IgnoreGlobals: [Timeout, Layers]}\n"
      "  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n      Environment: !If [Yes, {Variables: {ONLY: x}}, !Ref AWS::NoValue]\n"
      "Conditions: {Yes: !Equals [a, a]}\n";

static void
test_globals (void **state)
{
  (void) state;
  lf_template *t = help_parse (globals);
  assert_int_equal (t->problems_n, 0);
  const lf_function *f = &help_function (t, "Plain")->f;
  assert_int_equal (f->timeout_ms, 20000);
  assert_int_equal (f->memory_mb, 512);
  assert_int_equal (f->tmp_mb, 1024);
  assert_int_equal (f->arch, LF_ARCH_ARM64);
  assert_string_equal (f->handler, "app.handler");
  assert_string_equal (help_function (t, "Plain")->path, "src");
  f = &help_function (t, "Own")->f;
  assert_int_equal (f->timeout_ms, 5000);
  assert_int_equal (f->layers.n, 2);
  assert_string_equal (f->layers.v[0], "arn:aws:lambda:us-east-1:1:layer:g:1");
  assert_string_equal (f->layers.v[1], "arn:aws:lambda:us-east-1:1:layer:own:2");
  assert_int_equal (f->env.n, 3);
  assert_string_equal (lf_strv_env (&f->env, "SHARED"), "g");
  assert_string_equal (lf_strv_env (&f->env, "OVER"), "own");
  assert_string_equal (lf_strv_env (&f->env, "MINE"), "m");
  f = &help_function (t, "Lambda")->f;
  assert_int_equal (f->timeout_ms, LF_NONE);
  assert_int_equal (f->env.n, 0);
  f = &help_function (t, "Free")->f;
  assert_int_equal (f->timeout_ms, LF_NONE);
  assert_string_equal (f->runtime, "python3.11");
  f = &help_function (t, "Part")->f;
  assert_int_equal (f->timeout_ms, LF_NONE);
  assert_int_equal (f->layers.n, 0);
  assert_int_equal (f->memory_mb, 512);
  f = &help_function (t, "Fn")->f;
  assert_int_equal (f->env.n, 1);
  assert_string_equal (lf_strv_env (&f->env, "ONLY"), "x");
  lf_template_free (t);
}

/* ---- parameters ---------------------------------------------------------------------------------------------------------------------- */

static void
test_parameters (void **state)
{
  (void) state;
  static const char text[] = "Parameters:\n  Mem: {Type: Number, Default: 256, MinValue: 128, MaxValue: 1024}\n  Stage: {Type: String, AllowedValues: [dev, prod]}\n"
                             "  Name: {Type: String, Default: abc, AllowedPattern: '[a-z\\d]{2,8}', MaxLength: 8}\n"
                             "  Free: {Type: Number}\n  Path: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}\n"
                             "Conditions: {Prod: !Equals [!Ref Stage, prod]}\n"
                             "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: d\n      Role: r\n      Handler: a.b\n      Runtime: python3.12\n"
                             "      FunctionName: !Ref Name\n      MemorySize: !Ref Mem\n      Timeout: !Ref Free\n"
                             "      Environment: {Variables: {STAGE: !Ref Stage, SSM: !Ref Path}}\n"
                             "  OnlyProd:\n    Type: AWS::Lambda::Function\n    Condition: Prod\n    Properties: {Code: d, Role: r, Handler: a.b, Runtime: python3.12}\n";
  lf_template *t = help_parse (text);
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  assert_int_equal (t->functions_n, 1);
  assert_int_equal (t->others_n, 1);
  assert_true (t->others[0].left_out);
  const lf_template_function *f = help_function (t, "abc");
  assert_ptr_equal (f, help_function (t, "F"));
  assert_int_equal (f->f.memory_mb, 256);
  assert_int_equal (f->f.timeout_ms, LF_NONE); /* nothing is known, so the platform's default holds */
  assert_string_equal (lf_strv_env (&f->f.env, "STAGE"), "dev");
  assert_string_equal (lf_strv_env (&f->f.env, "SSM"), "/a/b");
  lf_template_free (t);

  t = help_parse_with (text, "t.yaml", "Mem=512 Stage=prod Name=x1y Free=9 Mem=1024");
  assert_int_equal (t->functions_n, 2);
  f = help_function (t, "x1y");
  assert_int_equal (f->f.memory_mb, 1024);
  assert_int_equal (f->f.timeout_ms, 9000);
  lf_template_free (t);

  static const struct { const char *given, *message; } bad[] = {
    { "Nothing=1", "no parameter of this name" }, { "Mem", "no parameter with a value" }, { "=x", "no parameter with a value" },
    { "Mem=abc", "is not a number" }, { "Mem=64", "less than its MinValue" }, { "Mem=2048", "more than its MaxValue" }, { "Stage=test", "AllowedValues" },
    { "Name=X", "AllowedPattern" }, { "Name=abcdefghi", "longer than its MaxLength" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      lf_error err = { 0 };
      lf_strv given = { 0 };
      assert_int_equal (lf_strv_add (&given, bad[i].given), 0);
      lf_template_options o = { .parameters = &given };
      assert_null (lf_template_parse (text, strlen (text), "t.yaml", &o, &err));
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      assert_true (lf_starts (err.what, "--parameter"));
      if (!strstr (err.why, bad[i].message))
        fail_msg ("%s: %s", bad[i].given, err.why);
      lf_strv_fini (&given);
    }
}

/* ---- code, layers, events --------------------------------------------------------------------------------------------------------------- */

static const char parts[]
    = "Transform: AWS::Serverless-2016-10-31\n"
      "Resources:\n"
      "  L: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layers/deps.zip, LayerName: deps}}\n"
      "  M: {Type: 'AWS::Lambda::LayerVersion', Properties: {Content: {S3Bucket: b, S3Key: k.zip}}}\n"
      "  Dir:\n    Type: AWS::Serverless::Function\n    Metadata: {BuildMethod: makefile}\n    Properties: {Handler: a.b, Runtime: python3.12, CodeUri: src/,\n"
      "      Layers: [!Ref L, !Ref M, !Sub 'arn:aws:lambda:${AWS::Region}:1:layer:far:3'], FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM,\n"
      "        Cors: {AllowOrigins: ['https://a', !Sub 'https://${AWS::Region}'], AllowMethods: ['*'], AllowHeaders: [x-a], ExposeHeaders: [date], AllowCredentials: true, MaxAge: 5}},\n"
      "      Events: {Get: {Type: Api, Properties: {Path: '/x/{id}', Method: get}}, Any: {Type: HttpApi}, Put: {Type: HttpApi, Properties: {Path: /y, Method: PUT}},\n"
      "        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}}}\n"
      "  Q: {Type: 'AWS::SQS::Queue'}\n"
      "  S3: {Type: 'AWS::Serverless::Function', Properties: {Handler: a.b, Runtime: python3.12, CodeUri: 's3://bucket/key.zip'}}\n"
      "  S3Map: {Type: 'AWS::Lambda::Function', Properties: {Handler: a.b, Runtime: python3.12, Role: r, Code: {S3Bucket: bucket, S3Key: key.zip}}}\n"
      "  Image: {Type: 'AWS::Serverless::Function', Metadata: {DockerContext: ./app, Dockerfile: Dockerfile}, Properties: {PackageType: Image}}\n"
      "  Image2: {Type: 'AWS::Lambda::Function', Properties: {Role: r, PackageType: Image, Code: {ImageUri: repo/image:1}}}\n"
      "  Here: {Type: 'AWS::Serverless::Function', Properties: {Handler: a.b, Runtime: python3.12}}\n"
      "  Node: {Type: 'AWS::Serverless::Function', Properties: {Handler: index.handler, Runtime: nodejs22.x, InlineCode: 'exports.handler = async () => 1'}}\n"
      "  Module: {Type: 'AWS::Serverless::Function', Properties: {Handler: index.handler, Runtime: nodejs22.x, InlineCode: 'export const handler = async () => 1'}}\n"
      "  Asset: {Type: 'AWS::Lambda::Function', Metadata: {'aws:asset:path': asset.0123, 'aws:asset:property': Code},\n"
      "    Properties: {Handler: a.b, Runtime: python3.12, Role: r, Code: {S3Bucket: b, S3Key: k}}}\n"
      "  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: AWS_IAM, TargetFunctionArn: !GetAtt Asset.Arn}}\n";

static const lf_template_event *
event (const lf_template *t, const char *name)
{
  for (size_t i = 0; i < t->events_n; i++)
    if (strcmp (t->events[i].name, name) == 0)
      return &t->events[i];
  fail_msg ("no event %s", name);
  return NULL;
}

static void
test_parts (void **state)
{
  (void) state;
  lf_template *t = help_parse_with (parts, "sub/dir/template.yaml", NULL);
  if (t->problems_n)
    help_print_problems (t);
  assert_int_equal (t->problems_n, 0);
  const lf_template_function *f = help_function (t, "Dir");
  assert_int_equal (f->code, LF_TPL_CODE_PATH);
  assert_string_equal (f->path, "src/");
  assert_string_equal (f->build_method, "makefile");
  char *path = lf_template_join (t, f->path);
  assert_string_equal (path, "sub/dir/src/");
  free (path);
  assert_int_equal (f->f.layers.n, 3);
  assert_string_equal (f->f.layers.v[0], "sub/dir/layers/deps.zip");
  assert_string_equal (f->f.layers.v[1], "s3://b/k.zip");
  assert_string_equal (f->f.layers.v[2], "arn:aws:lambda:us-east-1:1:layer:far:3");
  assert_int_equal (help_function (t, "S3")->code, LF_TPL_CODE_S3);
  assert_string_equal (help_function (t, "S3")->location, "s3://bucket/key.zip");
  assert_string_equal (help_function (t, "S3Map")->location, "s3://bucket/key.zip");
  assert_int_equal (help_function (t, "Image")->code, LF_TPL_CODE_IMAGE);
  assert_string_equal (help_function (t, "Image")->path, "./app");
  assert_string_equal (help_function (t, "Image2")->location, "repo/image:1");
  assert_string_equal (help_function (t, "Here")->path, ".");
  assert_string_equal (help_function (t, "Node")->inline_file, "index.js");
  assert_string_equal (help_function (t, "Module")->inline_file, "index.mjs");
  assert_string_equal (help_function (t, "Asset")->path, "asset.0123");
  assert_int_equal (t->layers_n, 2);
  assert_string_equal (t->layers[0].path, "layers/deps.zip");
  assert_string_equal (t->layers[1].location, "s3://b/k.zip");
  assert_string_equal (event (t, "Get")->method, "GET");
  assert_string_equal (event (t, "Get")->path, "/x/{id}");
  assert_string_equal (event (t, "Any")->method, "ANY");
  assert_string_equal (event (t, "Any")->path, "$default");
  assert_string_equal (event (t, "Put")->type, "HttpApi");
  assert_string_equal (event (t, "Jobs")->type, "SQS");
  assert_null (event (t, "Jobs")->path);
  assert_string_equal (event (t, "FunctionUrl")->mode, "RESPONSE_STREAM");
  const lf_url_config *u = &help_function (t, "Dir")->f.url;
  assert_true (u->set && u->stream && !u->iam && u->cors && u->credentials);
  assert_int_equal (u->max_age_s, 5);
  assert_int_equal (u->origins.n, 2);
  assert_string_equal (u->origins.v[1], "https://us-east-1");
  assert_string_equal (u->methods.v[0], "*");
  assert_string_equal (u->headers.v[0], "x-a");
  assert_string_equal (u->expose.v[0], "date");
  u = &help_function (t, "Asset")->f.url;
  assert_true (u->set && u->iam && !u->stream && !u->cors);
  assert_false (help_function (t, "Here")->f.url.set);
  assert_string_equal (event (t, "Url")->function, "Asset");
  assert_string_equal (event (t, "Url")->auth, "AWS_IAM");
  assert_int_equal (t->others_n, 2);
  lf_template_free (t);
}

/* Names that only a transform or another stack would give. */
static void
test_made_up (void **state)
{
  (void) state;
  lf_template *t = help_parse ("Transform: [AWS::Serverless-2016-10-31, Mine]\n"
                               "Resources:\n"
                               "  C: {Type: 'Custom::Thing'}\n"
                               "  F: {Type: 'AWS::Serverless::Function', Properties: {Handler: a.b, Runtime: python3.12, CodeUri: x, Environment: {Variables: {\n"
                               "    AA: !Ref ServerlessRestApi, BB: !GetAtt C.Answer, CC: !Ref FromMacro, DD: !GetAtt FUrl.FunctionUrl, EE: !Ref F.Version}}}}\n");
  const lf_strv *env = &help_function (t, "F")->f.env;
  assert_int_equal (help_count (t, LF_TPL_ERROR), 0);
  assert_int_equal (strlen (lf_strv_env (env, "AA")), 10);
  assert_string_equal (lf_strv_env (env, "BB"), "local-C-Answer");
  assert_string_equal (lf_strv_env (env, "CC"), "local-FromMacro");
  assert_true (lf_ends (lf_strv_env (env, "DD"), ".lambda-url.us-east-1.on.aws/"));
  assert_string_equal (lf_strv_env (env, "EE"), "arn:aws:lambda:us-east-1:123456789012:function:F:1");
  help_problem (t, 0, "Answer of C");
  help_problem (t, 0, "the macro Mine");
  lf_template_free (t);
}

static void
test_region (void **state)
{
  (void) state;
  static const char text[] = "Resources:\n  Q: {Type: 'AWS::SQS::Queue'}\n  F: {Type: 'AWS::Lambda::Function', Properties: {Role: r, Handler: a.b, Runtime: python3.12, Code: c,\n"
                             "    Environment: {Variables: {QQ: !Ref Q, AA: !GetAtt Q.Arn}}}}\n";
  lf_error err = { 0 };
  lf_template_options o = { .region = "cn-north-1", .account = "111122223333", .stack_name = "s" };
  lf_template *t = lf_template_parse (text, strlen (text), "t", &o, &err);
  assert_non_null (t);
  const lf_strv *env = &help_function (t, "F")->f.env;
  assert_string_equal (lf_strv_env (env, "QQ"), "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/s-Q");
  assert_string_equal (lf_strv_env (env, "AA"), "arn:aws-cn:sqs:cn-north-1:111122223333:s-Q");
  assert_string_equal (help_function (t, "F")->f.region, "cn-north-1");
  lf_template_free (t);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_values), cmocka_unit_test (test_warned_once), cmocka_unit_test (test_wrong), cmocka_unit_test (test_json),
    cmocka_unit_test (test_globals), cmocka_unit_test (test_parameters), cmocka_unit_test (test_parts), cmocka_unit_test (test_made_up),
    cmocka_unit_test (test_region),
  };
  return cmocka_run_group_tests_name ("template", tests, NULL, NULL);
}
