/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines, error bodies and API errors, byte for byte, in both eras.
 */
#include "model_help.h"

#include <errno.h>

#define ID "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
#define WALL INT64_C (1581700958033000) /* 2020-02-14T17:22:38.033Z */

static lf_record
a_record (const lf_function *f)
{
  lf_record r;
  lf_record_init (&r);
  r.request_id = ID;
  r.function = f->name;
  r.memory_mb = f->memory_mb;
  r.duration_us = 3010;
  r.billed_ms = 4;
  r.max_memory_bytes = 36 * LF_MB;
  return r;
}

static void
start_and_end (void **state)
{
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_line_start (&b, now26, &f, ID, WALL), 0);
  expect (&b, "START RequestId: " ID " Version: $LATEST\n");
  assert_int_equal (lf_line_end (&b, now26, &f, ID, WALL), 0);
  expect (&b, "END RequestId: " ID "\n");
  f.log_format = LF_LOG_JSON;
  lf_line_start (&b, now26, &f, ID, WALL);
  expect (&b, "{\"time\":\"2020-02-14T17:22:38.033Z\",\"type\":\"platform.start\",\"record\":{\"requestId\":\"" ID
              "\",\"functionArn\":\"arn:aws:lambda:us-east-1:123456789012:function:classify\",\"version\":\"$LATEST\"}}\n");
  lf_line_end (&b, now26, &f, ID, WALL);
  expect (&b, "");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
init_start (void **state)
{
  static const struct
  {
    const char *runtime, *version;
  } cases[] = {
    { "python3.12", "python:3.12.v" },
    { "nodejs22.x", "nodejs:22.v" },
    { "provided.al2023", "provided:al2023.v" },
  };
  lf_buf b;
  (void) state;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char want[128];
      lf_function f = a_function (now26, cases[i].runtime);
      assert_int_equal (lf_line_init_start (&b, now26, &f, WALL), 0);
      snprintf (want, sizeof want, "INIT_START Runtime Version: %s", cases[i].version);
      assert_true (lf_starts (b.data, want));
      const char *arn = strstr (b.data, "\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:");
      assert_non_null (arn);
      assert_int_equal (strspn (strrchr (b.data, ':') + 1, "0123456789abcdef"), 64);
      assert_true (lf_ends (b.data, "\n"));
      lf_buf_reset (&b);
      lf_line_init_start (&b, then20, &f, WALL);
      assert_int_equal (b.len, 0);
      f.log_format = LF_LOG_JSON;
      lf_line_init_start_in (&b, now26, &f, "2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef", WALL);
      assert_true (lf_starts (
          b.data, "{\"time\":\"2020-02-14T17:22:38.033Z\",\"type\":\"platform.initStart\",\"record\":{\"initializationType\":"
                  "\"on-demand\",\"phase\":\"init\",\"runtimeVersion\":\""));
      assert_true (lf_ends (
          b.data, "\"functionName\":\"classify\",\"functionVersion\":\"$LATEST\",\"instanceId\":\"2026/11/25/classify[$LATEST]"
                  "0123456789abcdef0123456789abcdef\",\"instanceMaxMemory\":134217728}}\n"));
      lf_buf_reset (&b);
      lf_line_init_start (&b, now26, &f, WALL);
      assert_null (strstr (b.data, "instanceId"));
      lf_buf_reset (&b);
      lf_function_fini (&f);
    }
  lf_buf_fini (&b);
}

static void
report_text (void **state)
{
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  lf_record r = a_record (&f);
  (void) state;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_line_report (&b, now26, &f, &r, WALL), 0);
  expect (&b,
          "REPORT RequestId: " ID "\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\n");
  r.init_us = 110100;
  r.billed_ms = 114;
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID "\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
              "Init Duration: 110.10 ms\t\n");
  r.status = LF_ST_FUNCTION_ERROR; /* the handler's own error is no failure of the platform */
  r.error_type = "ValueError";
  r.max_memory_bytes = 35 * LF_MB + 1;
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID "\tDuration: 3.01 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
              "Init Duration: 110.10 ms\t\n");
  r.status = LF_ST_TIMEOUT;
  r.error_type = "Sandbox.Timedout";
  r.init_us = LF_NONE;
  r.duration_us = 3003170;
  r.billed_ms = 3000;
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b,
          "REPORT RequestId: " ID "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
          "Status: timeout\n");
  r.status = LF_ST_OUT_OF_MEMORY;
  r.error_type = "Runtime.OutOfMemory";
  r.duration_us = 812400;
  r.billed_ms = 813;
  r.max_memory_bytes = 128 * LF_MB;
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b,
          "REPORT RequestId: " ID "\tDuration: 812.40 ms\tBilled Duration: 813 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t"
          "Status: error\tError Type: Runtime.OutOfMemory\n");
  r.status = LF_ST_INIT_ERROR; /* init failed again inside the invocation: its time is in Duration */
  r.error_type = "Runtime.ImportModuleError";
  r.duration_us = 95780;
  r.billed_ms = 96;
  r.max_memory_bytes = 39 * LF_MB;
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID "\tDuration: 95.78 ms\tBilled Duration: 96 ms\tMemory Size: 128 MB\tMax Memory Used: 39 MB\t"
              "Status: error\tError Type: Runtime.ImportModuleError\n");
  r.status = LF_ST_OUT_OF_MEMORY;
  r.error_type = "Runtime.OutOfMemory";
  r.duration_us = 812400;
  r.billed_ms = 813;
  r.max_memory_bytes = LF_NONE; /* not measured: not shown */
  lf_line_report (&b, now26, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID "\tDuration: 812.40 ms\tBilled Duration: 813 ms\tMemory Size: 128 MB\t"
              "Status: error\tError Type: Runtime.OutOfMemory\n");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

/* Two decimals, rounded, in text; up to three, none wasted, in JSON. */
static void
durations (void **state)
{
  static const struct
  {
    int64_t us;
    const char *text, *json;
  } cases[] = {
    { 0, "0.00", "0" },
    { 4, "0.00", "0.004" },
    { 5, "0.01", "0.005" },
    { 3014, "3.01", "3.014" },
    { 3015, "3.02", "3.015" },
    { 3100, "3.10", "3.1" },
    { 999994, "999.99", "999.994" },
    { 999995, "1000.00", "999.995" },
    { 1000000, "1000.00", "1000" },
    { 900000000, "900000.00", "900000" },
    { 1010, "1.01", "1.01" },
    { -7, "0.00", "0" },
  };
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  lf_record r = a_record (&f);
  (void) state;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char want[64];
      r.duration_us = cases[i].us;
      f.log_format = LF_LOG_TEXT;
      lf_line_report (&b, now26, &f, &r, WALL);
      snprintf (want, sizeof want, "\tDuration: %s ms\t", cases[i].text);
      if (strstr (b.data, want) == NULL)
        fail_msg ("%lld us: %s", (long long) cases[i].us, b.data);
      lf_buf_reset (&b);
      f.log_format = LF_LOG_JSON;
      lf_line_report (&b, now26, &f, &r, WALL);
      snprintf (want, sizeof want, "\"durationMs\":%s,", cases[i].json);
      if (strstr (b.data, want) == NULL)
        fail_msg ("%lld us: %s", (long long) cases[i].us, b.data);
      lf_buf_reset (&b);
    }
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
report_text_2020 (void **state)
{
  lf_buf b;
  lf_function f = a_function (then20, "python3.8");
  lf_record r = a_record (&f);
  (void) state;
  lf_buf_init (&b, 0);
  r.duration_us = 12340;
  r.billed_ms = 100;
  r.max_memory_bytes = 75 * LF_MB;
  lf_line_report (&b, then20, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID
              "\tDuration: 12.34 ms\tBilled Duration: 100 ms \tMemory Size: 128 MB\tMax Memory Used: 75 MB\t\n");
  r.status = LF_ST_TIMEOUT;
  r.duration_us = 3003170;
  r.billed_ms = 3000;
  lf_line_report (&b, then20, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID
              "\tDuration: 3003.17 ms\tBilled Duration: 3000 ms \tMemory Size: 128 MB\tMax Memory Used: 75 MB\t\n"
              "2020-02-14T17:22:38.033Z " ID " Task timed out after 3.00 seconds\n\n");
  r.error_message = "2020-02-14T17:22:38.000Z " ID " Task timed out after 3.00 seconds";
  lf_line_report (&b, then20, &f, &r, WALL);
  expect (&b, "REPORT RequestId: " ID
              "\tDuration: 3003.17 ms\tBilled Duration: 3000 ms \tMemory Size: 128 MB\tMax Memory Used: 75 MB\t\n"
              "2020-02-14T17:22:38.000Z " ID " Task timed out after 3.00 seconds\n\n");
  r.status = LF_ST_CRASH;
  r.error_type = "Runtime.ExitError";
  r.error_message = "RequestId: " ID " Error: Runtime exited with error: signal: killed";
  r.duration_us = 12340;
  r.billed_ms = 100;
  lf_line_report (&b, then20, &f, &r, WALL);
  expect (&b,
          "REPORT RequestId: " ID "\tDuration: 12.34 ms\tBilled Duration: 100 ms \tMemory Size: 128 MB\tMax Memory Used: 75 MB\t\n"
          "RequestId: " ID " Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n");
  lf_function_fini (&f);
  f = a_function (then20, "provided.al2");
  r = a_record (&f);
  r.init_us = 48260;
  r.duration_us = 237170;
  r.billed_ms = 300;
  lf_line_report (&b, then20, &f, &r, WALL);
  expect (&b,
          "REPORT RequestId: " ID "\tInit Duration: 48.26 ms\tDuration: 237.17 ms\tBilled Duration: 300 ms \tMemory Size: 128 MB\t"
          "Max Memory Used: 36 MB\t\n");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
report_json (void **state)
{
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  lf_record r = a_record (&f);
  (void) state;
  lf_buf_init (&b, 0);
  f.log_format = LF_LOG_JSON;
  r.duration_us = 1233960;
  r.init_us = 463512;
  r.billed_ms = 1698;
  r.memory_mb = 256;
  r.max_memory_bytes = 123 * LF_MB;
  lf_line_report (&b, now26, &f, &r, INT64_C (1791444629470000));
  expect (&b, "{\"time\":\"2026-10-08T07:30:29.470Z\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"" ID
              "\",\"metrics\":{\"durationMs\":1233.96,\"billedDurationMs\":1698,\"memorySizeMB\":256,\"maxMemoryUsedMB\":123,"
              "\"initDurationMs\":463.512},\"status\":\"success\"}}\n");
  r.status = LF_ST_CRASH;
  r.error_type = "Runtime.ExitError";
  r.init_us = LF_NONE;
  r.duration_us = 2000000;
  lf_line_report (&b, now26, &f, &r, INT64_C (1791444629470000));
  expect (&b, "{\"time\":\"2026-10-08T07:30:29.470Z\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"" ID
              "\",\"metrics\":{\"durationMs\":2000,\"billedDurationMs\":1698,\"memorySizeMB\":256,\"maxMemoryUsedMB\":123},"
              "\"status\":\"error\",\"errorType\":\"Runtime.ExitError\"}}\n");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
init_report (void **state)
{
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  lf_buf_init (&b, 0);
  lf_line_init_report (&b, now26, &f, 229040, "init", "error", "Runtime.ImportModuleError", WALL);
  expect (&b, "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n");
  lf_line_init_report (&b, now26, &f, 10000090, "init", "timeout", NULL, WALL);
  expect (&b, "INIT_REPORT Init Duration: 10000.09 ms\tPhase: init\tStatus: timeout\n");
  lf_line_init_report (&b, then20, &f, 10000090, "init", "timeout", NULL, WALL);
  expect (&b, "");
  f.log_format = LF_LOG_JSON;
  lf_line_init_report (&b, now26, &f, 10000090, "invoke", "timeout", NULL, WALL);
  expect (&b, "{\"time\":\"2020-02-14T17:22:38.033Z\",\"type\":\"platform.initReport\",\"record\":{\"initializationType\":\"on-"
              "demand\",\"phase\":"
              "\"invoke\",\"status\":\"timeout\",\"metrics\":{\"durationMs\":10000.09}}}\n");
  lf_buf_fini (&b);
  lf_function_fini (&f);
}

static void
exits (void **state)
{
  static const struct
  {
    lf_exit_info how;
    const char *sentence, *type;
  } cases[] = {
    { { .exited = true, .code = 0 }, "Runtime exited without providing a reason", "Runtime.ExitError" },
    { { .exited = true, .code = 1 }, "Runtime exited with error: exit status 1", "Runtime.ExitError" },
    { { .exited = true, .code = 127 }, "Runtime exited with error: exit status 127", "Runtime.ExitError" },
    { { .signal = 9 }, "Runtime exited with error: signal: killed", "Runtime.ExitError" },
    { { .signal = 9, .oom = true }, "Runtime exited with error: signal: killed", "Runtime.OutOfMemory" },
    { { .exited = true, .code = 1, .oom = true }, "Runtime exited with error: signal: killed", "Runtime.OutOfMemory" },
    { { .signal = 11 }, "Runtime exited with error: signal: segmentation fault", "Runtime.ExitError" },
    { { .signal = 11, .core = true }, "Runtime exited with error: signal: segmentation fault (core dumped)", "Runtime.ExitError" },
    { { .signal = 6 }, "Runtime exited with error: signal: aborted", "Runtime.ExitError" },
    { { .signal = 40 }, "Runtime exited with error: signal: signal 40", "Runtime.ExitError" },
    { { .exec_failed = true, .exec_errno = ENOENT },
      "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
      "Runtime.InvalidEntrypoint" },
    { { .exec_failed = true, .exec_errno = EACCES },
      "fork/exec /var/task/bootstrap: permission denied",
      "Runtime.InvalidEntrypoint" },
    { { .exec_failed = true, .exec_errno = ENOEXEC },
      "fork/exec /var/task/bootstrap: exec format error",
      "Runtime.InvalidEntrypoint" },
    { { .exec_failed = true, .exec_errno = 9999 }, "fork/exec /var/task/bootstrap: errno 9999", "Runtime.InvalidEntrypoint" },
  };
  lf_buf b;
  const char *type;
  (void) state;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      char sentence[96], want[400];
      lf_exit_sentence (&cases[i].how, sentence);
      assert_string_equal (sentence, cases[i].sentence);
      assert_int_equal (lf_body_exit (&b, now26, ID, &cases[i].how, &type), 0);
      assert_string_equal (type, cases[i].type);
      snprintf (want, sizeof want, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: " ID " Error: %s\"}", type, sentence);
      expect (&b, want);
    }
  lf_exit_info oom = { .signal = 9, .oom = true };
  lf_body_exit (&b, then20, ID, &oom, &type); /* not yet told apart from other kills */
  assert_string_equal (type, "Runtime.ExitError");
  lf_buf_fini (&b);
}

/* What the platform sees of an end, era by era. */
static void
noticed (void **state)
{
  (void) state;
  lf_exit_info segv = { .signal = 11 }, abrt = { .signal = 6, .core = true }, kill = { .signal = 9, .core = true };
  assert_false (lf_exit_noticed (now26, &segv));
  assert_true (lf_exit_noticed (now26, &abrt));
  assert_false (abrt.core);
  assert_true (lf_exit_noticed (then20, &segv));
  assert_true (segv.core);
  assert_true (lf_exit_noticed (then20, &abrt));
  assert_true (abrt.core);
  assert_true (lf_exit_noticed (then20, &kill));
  assert_false (kill.core);
  lf_exit_info code = { .exited = true, .code = 11 };
  assert_true (lf_exit_noticed (now26, &code));
}

static void
destinations (void **state)
{
  (void) state;
  static const struct
  {
    const char *dest;
    int kind;
    const char *name;
  } cases[] = {
    { "sink", 1, "sink" },
    { "./sink", 0, NULL },
    { "out.jsonl", 0, NULL },
    { "/tmp/x", 0, NULL },
    { "arn:aws:lambda:us-east-1:123456789012:function:sink", 1, "sink" },
    { "arn:aws:lambda:us-east-1:123456789012:function:sink:$LATEST", 1, "sink" },
    { "arn:aws:lambda:us-east-1:123456789012:function:sink:live", -1, NULL },
    { "arn:aws:lambda:eu-west-1:123456789012:function:sink", -1, NULL },
    { "arn:aws:sqs:us-east-1:123456789012:queue", -1, NULL },
    { "arn:", -1, NULL },
    { "", -1, NULL },
  };
  lf_function f = a_function (now26, "python3.12");
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_error err = { 0 };
      char *name = NULL;
      assert_int_equal (lf_destination_parse (cases[i].dest, &f, &name, &err), cases[i].kind);
      assert_true (lf_streq (name, cases[i].name));
      assert_int_equal (err.exit != LF_EXIT_OK, cases[i].kind < 0);
      free (name);
    }
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_async_record r = { .request_id = ID, .fn = &f, .end = LF_AS_SUCCESS, .attempts = 1, .payload = "{\"a\":1}", .payload_len = 7, .has_response = true,
                        .response = "plain \"text\"", .response_len = 12 };
  assert_int_equal (lf_async_record_json (&b, &r, 1573754888568000), 0);
  expect (&b, "{\"version\":\"1.0\",\"timestamp\":\"2019-11-14T18:08:08.568Z\",\"requestContext\":{\"requestId\":\"" ID
              "\",\"functionArn\":\"arn:aws:lambda:us-east-1:123456789012:function:classify:$LATEST\",\"condition\":\"Success\","
              "\"approximateInvokeCount\":1},\"requestPayload\":{\"a\":1},\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"},"
              "\"responsePayload\":\"plain \\\"text\\\"\"}");
  lf_function_fini (&f);
}

static void
bodies (void **state)
{
  lf_buf b;
  const char *type;
  (void) state;
  lf_buf_init (&b, 0);
  lf_body_timeout (&b, now26, ID, 1000, WALL, &type);
  expect (&b,
          "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: " ID " Error: Task timed out after 1.00 seconds\"}");
  assert_string_equal (type, "Sandbox.Timedout");
  lf_body_timeout (&b, now26, ID, 1555, WALL, &type);
  expect (&b,
          "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: " ID " Error: Task timed out after 1.56 seconds\"}");
  lf_body_timeout (&b, then20, ID, 3000, WALL, &type);
  expect (&b, "{\"errorMessage\":\"2020-02-14T17:22:38.033Z " ID " Task timed out after 3.00 seconds\"}");
  lf_body_response_too_large (&b, now26, 6291557, &type);
  expect (&b, "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":"
              "\"Function.ResponseSizeTooLarge\"}");
  lf_body_response_too_large (&b, then20, 6291557, &type);
  expect (&b, "{\"errorMessage\":\"Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).\","
              "\"errorType\":\"Function.ResponseSizeTooLarge\"}");
  assert_string_equal (type, "Function.ResponseSizeTooLarge");
  lf_buf_fini (&b);
}

static void
service_errors (void **state)
{
  static const struct
  {
    lf_svc_error e;
    const char *reason, *text;
    int status;
    const char *name, *body;
  } cases[] = {
    { LF_SVC_RESOURCE_NOT_FOUND, NULL, "Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST", 404,
      "ResourceNotFoundException",
      "{\"Message\":\"Function not found: arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST\",\"Type\":\"User\"}" },
    { LF_SVC_RESOURCE_NOT_FOUND, NULL, NULL, 404, "ResourceNotFoundException",
      "{\"Message\":\"The resource you requested does not exist.\",\"Type\":\"User\"}" },
    { LF_SVC_INVALID_REQUEST_CONTENT, NULL, "Could not parse request body into json: \"x\"\n at", 400,
      "InvalidRequestContentException",
      "{\"Type\":\"User\",\"message\":\"Could not parse request body into json: \\\"x\\\"\\n at\"}" },
    { LF_SVC_REQUEST_TOO_LARGE, NULL, "Request must be smaller than 6291456 bytes for the InvokeFunction operation", 413,
      "RequestEntityTooLargeException",
      "{\"Message\":\"Request must be smaller than 6291456 bytes for the InvokeFunction operation\"}" },
    { LF_SVC_TOO_MANY_REQUESTS, "ReservedFunctionConcurrentInvocationLimitExceeded", NULL, 429, "TooManyRequestsException",
      "{\"Reason\":\"ReservedFunctionConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}" },
    { LF_SVC_VALIDATION, NULL, "1 validation error detected", 400, "ValidationException",
      "{\"message\":\"1 validation error detected\"}" },
    { LF_SVC_INVALID_PARAMETER_VALUE, NULL, "Cannot reference more than 5 layers.", 400, "InvalidParameterValueException",
      "{\"Type\":\"User\",\"message\":\"Cannot reference more than 5 layers.\"}" },
    { LF_SVC_RESOURCE_CONFLICT, NULL, "x", 409, "ResourceConflictException", "{\"Type\":\"User\",\"message\":\"x\"}" },
    { LF_SVC_UNSUPPORTED_MEDIA_TYPE, NULL, "x", 415, "UnsupportedMediaTypeException", "{\"Type\":\"User\",\"message\":\"x\"}" },
    { LF_SVC_SERVICE, NULL, "x", 500, "ServiceException", "{\"Message\":\"x\",\"Type\":\"Service\"}" },
    { LF_SVC_ACCESS_DENIED, NULL, NULL, 403, "AccessDeniedException", "{\"Message\":null}" },
    { LF_SVC_PRECONDITION_FAILED, NULL, "x", 412, "PreconditionFailedException", "{\"Type\":\"User\",\"message\":\"x\"}" },
    { LF_SVC_INVALID_RUNTIME, NULL, "x", 502, "InvalidRuntimeException", "{\"Message\":\"x\",\"Type\":\"User\"}" },
  };
  lf_buf b;
  (void) state;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      assert_int_equal (lf_svc_error_get (cases[i].e)->status, cases[i].status);
      assert_string_equal (lf_svc_error_get (cases[i].e)->name, cases[i].name);
      assert_int_equal (lf_svc_error_body (&b, cases[i].e, cases[i].reason, cases[i].text), 0);
      expect (&b, cases[i].body);
    }
  for (int e = 0; e < LF_SVC_COUNT; e++)
    assert_true (lf_svc_error_get ((lf_svc_error) e)->status >= 400);
  /* After other bytes in the buffer the object still begins without a comma. */
  lf_buf_adds (&b, "x");
  lf_svc_error_body (&b, LF_SVC_VALIDATION, NULL, "y");
  expect (&b, "x{\"message\":\"y\"}");
  lf_buf_fini (&b);
}

static void
runtime_api_errors (void **state)
{
  static const struct
  {
    lf_rapi_error e;
    const char *from, *to;
    int status;
    const char *body;
  } cases[] = {
    { LF_RAPI_INVALID_REQUEST_ID, NULL, NULL, 400,
      "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n" },
    { LF_RAPI_INVALID_STATE, "Ready", "InvocationResponse", 403,
      "{\"errorMessage\":\"State transition from Ready to InvocationResponse failed for runtime. Error: State transition is not "
      "allowed\","
      "\"errorType\":\"InvalidStateTransition\"}\n" },
    { LF_RAPI_TOO_LARGE, NULL, NULL, 413,
      "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n" },
    { LF_RAPI_TOO_LARGE, "1048576", NULL, 413,
      "{\"errorMessage\":\"Exceeded maximum allowed payload size (1048576 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n" },
    { LF_RAPI_TRUNCATED, NULL, NULL, 400,
      "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}\n" },
    { LF_RAPI_INVALID_RESPONSE_MODE, NULL, NULL, 400,
      "{\"errorMessage\":\"Invalid function response mode\",\"errorType\":\"InvalidFunctionResponseMode\"}\n" },
    { LF_RAPI_STALE_INVOCATION, NULL, NULL, 410, "{\"errorMessage\":\"Invoke timeout\",\"errorType\":\"InvokeTimeout\"}\n" },
    { LF_RAPI_INTERNAL, NULL, NULL, 500, "{\"errorMessage\":\"Internal Server Error\",\"errorType\":\"InternalServerError\"}\n" },
  };
  lf_buf b;
  (void) state;
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      assert_int_equal (lf_rapi_error_get (cases[i].e)->status, cases[i].status);
      assert_int_equal (lf_rapi_error_body (&b, cases[i].e, cases[i].from, cases[i].to), 0);
      expect (&b, cases[i].body);
    }
  assert_int_equal (strlen (LF_RAPI_OK_BODY), 16);
  lf_buf_fini (&b);
}

static void
fatal_error_types (void **state)
{
  static const struct
  {
    const char *header, *want;
  } cases[] = {
    { "Runtime.ImportModuleError", "Runtime.ImportModuleError" },
    { "Function.MyError", "Function.MyError" },
    { "xxRuntime.Ab", "xxRuntime.Ab" }, /* the rule is not anchored */
    { "Function.lower", "Function.Unknown" },
    { "Function.X", "Function.Unknown" },
    { "Function.", "Function.Unknown" },
    { "Runtime.lower", "Runtime.Unknown" },
    { "unhandled", "Runtime.Unknown" },
    { "", "Runtime.Unknown" },
    { NULL, "Runtime.Unknown" },
  };
  char out[128];
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_fatal_error_type (cases[i].header, cases[i].header != NULL ? strlen (cases[i].header) : 0, out);
      assert_string_equal (out, cases[i].want);
    }
  char huge[4096];
  memset (huge, 'R', sizeof huge);
  memcpy (huge, "Runtime.Ab", 10);
  lf_fatal_error_type (huge, sizeof huge, out);
  assert_int_equal (strlen (out), 127);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (start_and_end),
    cmocka_unit_test (init_start),
    cmocka_unit_test (report_text),
    cmocka_unit_test (report_text_2020),
    cmocka_unit_test (durations),
    cmocka_unit_test (report_json),
    cmocka_unit_test (init_report),
    cmocka_unit_test (exits),
    cmocka_unit_test (noticed),
    cmocka_unit_test (destinations),
    cmocka_unit_test (bodies),
    cmocka_unit_test (service_errors),
    cmocka_unit_test (runtime_api_errors),
    cmocka_unit_test (fatal_error_types),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
