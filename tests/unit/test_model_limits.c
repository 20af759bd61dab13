/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of limits, and which of them an invocation broke or came near.
 */
#include "model_help.h"

static void
names (void **state)
{
  static const char *const ids[]
      = { "duration", "init",          "memory", "tmp", "package",   "zip",         "layers",      "image",       "request",
          "response", "async_request", "env",    "fds", "processes", "concurrency", "request_rate" };
  static const char *const statuses[]
      = { "ok", "function_error", "timeout", "out_of_memory", "crash", "init_error", "init_timeout", "throttled", "rejected" };
  (void) state;
  assert_int_equal (LF_ARRAY_LEN (ids), LF_LIM_COUNT);
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      lf_limit l;
      const lf_limit_info *info = lf_limit_get ((lf_limit) i);
      assert_string_equal (info->id, ids[i]);
      assert_true (info->title[0] != '\0' && info->unit[0] != '\0' && info->doc[0] != '\0');
      assert_true (info->by_default == LF_ENF_KERNEL || info->by_default == LF_ENF_CHECKED);
      assert_int_equal (lf_limit_parse (ids[i], &l), 0);
      assert_int_equal (l, i);
    }
  assert_null (lf_limit_get (LF_LIM_COUNT));
  lf_limit l;
  assert_int_equal (lf_limit_parse ("Memory", &l), -1);
  assert_int_equal (lf_limit_parse (NULL, &l), -1);
  assert_int_equal (LF_ARRAY_LEN (statuses), LF_ST_COUNT);
  for (int i = 0; i < LF_ST_COUNT; i++)
    {
      lf_status s;
      assert_string_equal (lf_status_name ((lf_status) i), statuses[i]);
      assert_int_equal (lf_status_parse (statuses[i], &s), 0);
      assert_int_equal (s, i);
    }
  lf_status s;
  assert_int_equal (lf_status_parse ("OK", &s), -1);
  assert_int_equal (lf_status_parse (NULL, &s), -1);
}

static void
allowed_values (void **state)
{
  static const struct
  {
    lf_limit l;
    int64_t in26, in20;
  } cases[] = {
    { LF_LIM_DURATION, 3000, 3000 },
    { LF_LIM_INIT, 10000, 10000 },
    { LF_LIM_MEMORY, 134217728, 134217728 },
    { LF_LIM_TMP, 536870912, 536870912 },
    { LF_LIM_PACKAGE, 262144000, 262144000 },
    { LF_LIM_ZIP, 52428800, 52428800 },
    { LF_LIM_LAYERS, 5, 5 },
    { LF_LIM_IMAGE, 10737418240, 0 },
    { LF_LIM_REQUEST, 6291456, 6291456 },
    { LF_LIM_RESPONSE, 6291556, 6291556 },
    { LF_LIM_ASYNC_REQUEST, 1048576, 262144 },
    { LF_LIM_ENV, 4096, 4096 },
    { LF_LIM_FDS, 1024, 1024 },
    { LF_LIM_PROCESSES, 1024, 1024 },
    { LF_LIM_CONCURRENCY, 1000, 1000 },
    { LF_LIM_REQUEST_RATE, 10000, 10000 },
  };
  (void) state;
  lf_function f = a_function (now26, "python3.12");
  assert_int_equal (LF_ARRAY_LEN (cases), LF_LIM_COUNT);
  assert_int_equal (lf_limit_allowed (LF_LIM_IMAGE, &f, now26), LF_NONE); /* a folder or a zip is no image */
  f.image_bytes = 1;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      if (lf_limit_allowed (cases[i].l, &f, now26) != cases[i].in26 || lf_limit_allowed (cases[i].l, &f, then20) != cases[i].in20)
        fail_msg ("%s", lf_limit_get (cases[i].l)->id);
    }
  f.reserved = 7;
  assert_int_equal (lf_limit_allowed (LF_LIM_CONCURRENCY, &f, now26), 7);
  assert_int_equal (lf_limit_allowed (LF_LIM_REQUEST_RATE, &f, now26), 70);
  lf_function_fini (&f);
}

static void
used_values (void **state)
{
  lf_record r;
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  lf_record_init (&r);
  f.package_bytes = 5;
  f.zip_bytes = 6;
  f.image_bytes = 8;
  f.env_bytes = 7;
  lf_strv_add (&f.layers, "a.zip");
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      bool fixed = !lf_limit_get ((lf_limit) i)->per_invocation;
      assert_true ((lf_limit_used ((lf_limit) i, &f, NULL) != LF_NONE) == fixed);
      assert_true ((lf_limit_used ((lf_limit) i, &f, &r) != LF_NONE) == fixed);
    }
  r.duration_us = 2999001;
  r.init_us = 1000;
  r.peak_memory_bytes = 10;
  r.request_bytes = 11;
  r.response_bytes = 12;
  r.tmp_used_bytes = 13;
  assert_int_equal (lf_limit_used (LF_LIM_DURATION, &f, &r), 3000); /* a started millisecond counts */
  assert_int_equal (lf_limit_used (LF_LIM_INIT, &f, &r), 1);
  assert_int_equal (lf_limit_used (LF_LIM_MEMORY, &f, &r), 10);
  r.max_memory_bytes = 20;
  assert_int_equal (lf_limit_used (LF_LIM_MEMORY, &f, &r), 20);
  assert_int_equal (lf_limit_used (LF_LIM_TMP, &f, &r), 13);
  assert_int_equal (lf_limit_used (LF_LIM_REQUEST, &f, &r), 11);
  assert_int_equal (lf_limit_used (LF_LIM_ASYNC_REQUEST, &f, &r), LF_NONE);
  r.async = true;
  assert_int_equal (lf_limit_used (LF_LIM_REQUEST, &f, &r), LF_NONE);
  assert_int_equal (lf_limit_used (LF_LIM_ASYNC_REQUEST, &f, &r), 11);
  assert_int_equal (lf_limit_used (LF_LIM_LAYERS, &f, &r), 1);
  lf_function_fini (&f);
}

static void
enforcement (void **state)
{
  lf_buf b;
  lf_enforcement e = { .cpu = LF_ENF_SAMPLED };
  (void) state;
  e.by[LF_LIM_MEMORY] = LF_ENF_KERNEL;
  e.by[LF_LIM_REQUEST] = LF_ENF_CHECKED;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_enforcement_json (&e, &b), 0);
  expect (&b,
          "{\"duration\":\"none\",\"init\":\"none\",\"memory\":\"kernel\",\"tmp\":\"none\",\"package\":\"none\",\"zip\":\"none\","
          "\"layers\":\"none\",\"image\":\"none\",\"request\":\"kernel\",\"response\":\"none\",\"async_request\":\"none\",\"env\":\"none\",\"fds\":"
          "\"none\","
          "\"processes\":\"none\",\"concurrency\":\"none\",\"request_rate\":\"none\",\"cpu\":\"sampled\"}");
  assert_string_equal (lf_enforced_label (LF_ENF_CHECKED), "checked");
  assert_string_equal (lf_enforced_name (LF_ENF_CHECKED), "kernel");
  lf_buf_fini (&b);
}

/* ---- violations
 * --------------------------------------------------------------------------------------------------------------------- */

typedef struct seen
{
  lf_violation v[LF_VIOLATIONS_MAX];
  size_t n;
} seen;

static const lf_violation *
find (const seen *s, const char *limit)
{
  for (size_t i = 0; i < s->n; i++)
    if (strcmp (s->v[i].limit_id, limit) == 0)
      return &s->v[i];
  return NULL;
}

/* An invocation with nothing to complain about. */
static lf_record
a_good_record (void)
{
  lf_record r;
  lf_record_init (&r);
  r.request_id = "id";
  r.received_us = 77;
  r.cold = 0;
  r.duration_us = 2699000;
  r.max_memory_bytes = 115 * LF_MB;
  r.tmp_used_bytes = 460 * LF_MB;
  r.request_bytes = 5662310;
  r.response_bytes = 5662400;
  return r;
}

static void
near_limits (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  lf_record r = a_good_record ();
  seen s;
  (void) state;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_int_equal (s.n, 0);
  r.cold = 1;
  r.duration_us = 2700000;
  r.init_us = 9000000;
  r.max_memory_bytes = 116 * LF_MB;
  r.tmp_used_bytes = 461 * LF_MB;
  r.request_bytes = 5662311;
  r.response_bytes = 5662401;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  static const char *const limits[] = { "duration", "init", "memory", "tmp", "request", "response" };
  assert_int_equal (s.n, LF_ARRAY_LEN (limits));
  for (size_t i = 0; i < s.n; i++)
    {
      assert_string_equal (s.v[i].limit_id, limits[i]);
      assert_int_equal (s.v[i].severity, LF_SEV_NEAR);
      assert_string_equal (s.v[i].request_id, "id");
      assert_string_equal (s.v[i].function, "classify");
      assert_int_equal (s.v[i].at_us, 77);
      assert_null (strchr (s.v[i].message, '{'));
      assert_null (strchr (s.v[i].fix, '{'));
      assert_true (strlen (s.v[i].message) > 20 && strlen (s.v[i].fix) > 20);
    }
  assert_string_equal (
      s.v[2].message,
      "classify reached 116 MB of 128 MB (90 %). Near the limit the page cache is squeezed out and everything slows down "
      "before it is killed.");
  assert_string_equal (s.v[2].fix, "Give `--memory 192` (the measured peak of 116 MB and 20 % more).");
  assert_int_equal (s.v[0].used, 2700);
  assert_int_equal (s.v[0].allowed, 3000);
  assert_string_equal (s.v[0].unit, "ms");
  /* The environment's mark is old news to a warm invocation that stayed below. */
  r.cold = 0;
  r.peak_memory_bytes = 50 * LF_MB;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_null (find (&s, "memory"));
  r.peak_memory_bytes = 116 * LF_MB;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_non_null (find (&s, "memory"));
  lf_function_fini (&f);
}

static void
broken_limits (void **state)
{
  static const struct
  {
    lf_status status;
    const char *type, *message;
    bool async;
    int64_t bytes;
    const char *limit, *rule;
  } cases[] = {
    { LF_ST_TIMEOUT, "Sandbox.Timedout", NULL, false, 10, "duration", "timeout" },
    { LF_ST_OUT_OF_MEMORY, "Runtime.OutOfMemory", NULL, false, 10, "memory", "out_of_memory" },
    { LF_ST_REJECTED, "RequestEntityTooLargeException", NULL, false, 6291457, "request", "request_too_large" },
    { LF_ST_REJECTED, "RequestEntityTooLargeException", NULL, false, LF_NONE, "request", "request_too_large" },
    { LF_ST_REJECTED, "RequestEntityTooLargeException", NULL, true, 1048577, "async_request", "async_request_too_large" },
    { LF_ST_REJECTED, "InvalidRequestContentException", NULL, false, 10, NULL, NULL },
    { LF_ST_FUNCTION_ERROR, "Function.ResponseSizeTooLarge", NULL, false, 10, "response", "response_too_large" },
    { LF_ST_FUNCTION_ERROR, "ValueError", NULL, false, 10, NULL, NULL },
    { LF_ST_CRASH, "Runtime.ExitError", NULL, false, 10, NULL, NULL },
    { LF_ST_THROTTLED, "TooManyRequestsException", "Rate Exceeded.", false, 10, "concurrency", "throttled" },
    { LF_ST_THROTTLED, "TooManyRequestsException", "ConcurrentInvocationLimitExceeded", false, 10, "concurrency", "throttled" },
    { LF_ST_THROTTLED, "FunctionInvocationRateLimitExceeded", NULL, false, 10, "request_rate", "request_rate" },
    { LF_ST_THROTTLED, "TooManyRequestsException", "ReservedFunctionInvocationRateLimitExceeded", false, 10, "request_rate",
      "request_rate" },
  };
  lf_function f = a_function (now26, "python3.12");
  lf_enforcement e = { 0 };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      seen s;
      lf_record r;
      lf_record_init (&r);
      r.function = "other";
      r.status = cases[i].status;
      r.error_type = cases[i].type;
      r.error_message = cases[i].message;
      r.async = cases[i].async;
      r.request_bytes = cases[i].bytes;
      s.n = lf_violations (&f, now26, &e, &r, s.v);
      if (s.n != (cases[i].limit != NULL))
        fail_msg ("case %zu: %zu violations", i, s.n);
      if (s.n == 0)
        continue;
      assert_string_equal (s.v[0].limit_id, cases[i].limit);
      assert_string_equal (s.v[0].rule, cases[i].rule);
      assert_int_equal (s.v[0].severity, LF_SEV_BROKEN);
      assert_int_equal (s.v[0].enforced, LF_ENF_NONE);
      assert_string_equal (s.v[0].function, "other");
      assert_true (s.v[0].fix[0] != '\0');
      s.n = lf_violations (&f, now26, NULL, &r, s.v);
      assert_int_equal (s.v[0].enforced,
                        lf_limit_get (LF_LIM_MEMORY)->by_default == s.v[0].enforced ? LF_ENF_KERNEL : LF_ENF_CHECKED);
    }
  lf_function_fini (&f);
}

static void
broken_quantities (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  lf_record r = a_good_record ();
  seen s;
  (void) state;
  r.tmp_used_bytes = 512 * LF_MB;
  r.init_us = 10000000;
  r.cold = 1;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_int_equal (s.n, 2);
  assert_string_equal (find (&s, "tmp")->rule, "tmp_full");
  assert_string_equal (find (&s, "init")->rule, "init_timeout");
  assert_string_equal (
      find (&s, "tmp")->fix,
      "Give `--tmp 1024` (twice the size: what it needs in all is not known), or unpack and download less: a double zip needs room for all it "
      "holds.");
  f.tmp_mb = 10240;
  r.tmp_used_bytes = 10240 * LF_MB;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_non_null (strstr (find (&s, "tmp")->fix, "`--tmp 10240` (already the most there is)"));
  lf_function_fini (&f);
}

/* The init was abandoned, and its repetition ran into the function's timeout: both are broken. */
static void
init_timeout_breaks_two (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  lf_record r;
  seen s;
  (void) state;
  lf_record_init (&r);
  r.status = LF_ST_INIT_TIMEOUT;
  r.duration_us = 3000000;
  s.n = lf_violations (&f, now26, NULL, &r, s.v);
  assert_int_equal (s.n, 2);
  assert_string_equal (find (&s, "duration")->rule, "timeout_init");
  assert_string_equal (find (&s, "init")->rule, "init_timeout");
  lf_function_fini (&f);
}

/* The user's limit of processes is below the documented one, and strikes first. */
static void
counted_limits (void **state)
{
  static const struct
  {
    int64_t fds, processes;
    const char *rule;
  } cases[] = {
    { 921, 667, NULL },
    { 922, 1, "descriptors_near" },
    { 1024, 1, "too_many_descriptors" },
    { 3, 668, "processes_near" },
    { 3, 742, "too_many_processes" },
    { 3, 800, "too_many_processes" },
  };
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_record r = a_good_record ();
      seen s;
      r.fds = cases[i].fds;
      r.processes = cases[i].processes;
      s.n = lf_violations (&f, now26, NULL, &r, s.v);
      assert_int_equal (s.n, cases[i].rule != NULL);
      if (s.n)
        {
          assert_string_equal (s.v[0].rule, cases[i].rule);
          assert_int_equal (s.v[0].allowed, cases[i].fds > 3 ? 1024 : 742);
        }
    }
  lf_function_fini (&f);
}

static void
static_limits (void **state)
{
  static const struct
  {
    int64_t package, zip, env;
    const char *limit, *rule;
  } cases[] = {
    { 235929599, 47185919, 3686, NULL, NULL },
    { 235929600, LF_NONE, 0, "package", "package_near" },
    { 262143999, LF_NONE, 0, "package", "package_near" },
    { 262144000, LF_NONE, 0, "package", "package_too_large" },
    { 1, 47185920, 0, "zip", "zip_near" },
    { 1, 52428800, 0, "zip", "zip_near" },
    { 1, 52428801, 0, "zip", "zip_too_large" },
    { 1, LF_NONE, 3687, "env", "env_near" },
    { 1, LF_NONE, 4097, "env", "env_too_large" },
    { LF_NONE, LF_NONE, LF_NONE, NULL, NULL },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      seen s;
      lf_function f = a_function (now26, "python3.12");
      f.package_bytes = cases[i].package;
      f.zip_bytes = cases[i].zip;
      f.env_bytes = cases[i].env;
      s.n = lf_violations_static (&f, now26, 5, s.v);
      if (s.n != (cases[i].limit != NULL))
        fail_msg ("case %zu: %zu violations", i, s.n);
      if (s.n == 1)
        {
          assert_string_equal (s.v[0].limit_id, cases[i].limit);
          assert_string_equal (s.v[0].rule, cases[i].rule);
          assert_null (s.v[0].request_id);
          assert_int_equal (s.v[0].at_us, 5);
          assert_int_equal (s.v[0].enforced, LF_ENF_CHECKED);
        }
      lf_function_fini (&f);
    }
  seen s;
  lf_function f = a_function (now26, "python3.12");
  for (int i = 0; i < 6; i++)
    lf_strv_addf (&f.layers, "l%d", i);
  s.n = lf_violations_static (&f, now26, 5, s.v);
  assert_int_equal (s.n, 1);
  assert_string_equal (s.v[0].message, "classify has 6 layers; Lambda accepts 5 layers. Each layer is one more archive to fetch and unpack at a "
                                      "cold start.");
  lf_function_fini (&f);
}

/* Whatever the numbers, texts are complete and the array is never overrun. */
static void
random_records (void **state)
{
  uint64_t seed = 99;
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  f.name = (free (f.name), lf_strdup ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
  for (int i = 0; i < 50000; i++)
    {
      lf_record r;
      seen s;
      lf_record_init (&r);
      int64_t *v[] = { &r.duration_us,    &r.init_us,       &r.max_memory_bytes, &r.peak_memory_bytes,
                       &r.tmp_used_bytes, &r.request_bytes, &r.response_bytes };
      for (size_t k = 0; k < LF_ARRAY_LEN (v); k++)
        {
          seed = seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
          *v[k] = seed >> 62 == 0 ? LF_NONE : (int64_t) (seed >> (1 + (seed >> 5) % 60));
        }
      r.status = (lf_status) (i % LF_ST_COUNT);
      r.async = i & 1;
      s.n = lf_violations (&f, i & 2 ? now26 : then20, NULL, &r, s.v);
      assert_true (s.n <= LF_VIOLATIONS_MAX);
      for (size_t k = 0; k < s.n; k++)
        {
          assert_true (strlen (s.v[k].message) < sizeof s.v[k].message - 1);
          assert_true (strlen (s.v[k].fix) < sizeof s.v[k].fix - 1);
          assert_null (strchr (s.v[k].message, '{'));
        }
    }
  lf_function_fini (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (names),
    cmocka_unit_test (allowed_values),
    cmocka_unit_test (used_values),
    cmocka_unit_test (enforcement),
    cmocka_unit_test (near_limits),
    cmocka_unit_test (broken_limits),
    cmocka_unit_test (broken_quantities),
    cmocka_unit_test (init_timeout_breaks_two),
    cmocka_unit_test (counted_limits),
    cmocka_unit_test (static_limits),
    cmocka_unit_test (random_records),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
