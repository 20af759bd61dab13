/* SPDX-License-Identifier: Apache-2.0
 *
 * Function URLs: the event that a request becomes, the HTTP answer that a response becomes, CORS. Expected texts are those of the
 * developer guide's examples and of recorded answers.
 */
#include <cjson/cJSON.h>

#include "model_help.h"

#define S(text) { (text), sizeof (text) - 1 }

static cJSON *
event_of (lf_url_request *r)
{
  lf_error err = { 0 };
  lf_buf b;
  lf_function f = a_function (now26, "python3.12");
  r->domain = "classify.lambda-url.localhost";
  r->prefix = "classify";
  r->source_ip = "127.0.0.1";
  r->request_id = "e1506fd5-9e7b-434f-bd42-4f8fa224b599";
  r->trace_id = "Root=1-5bdb40ca-556d8b0c50dc66f0511bf520";
  r->port = 3001;
  r->wall_us = INT64_C (1583348638390000);
  lf_buf_init (&b, 0);
  assert_int_equal (lf_url_event (&f, r, &b), 0);
  lf_json_problem problem;
  if (lf_json_validate (b.data, b.len, &problem) != 0)
    fail_msg ("%s: %s", b.data, problem.reason);
  cJSON *o = lf_json_parse (b.data, b.len, "event", &err);
  assert_non_null (o);
  lf_buf_fini (&b);
  lf_function_fini (&f);
  return o;
}

static void
same (const cJSON *o, const char *key, const char *json)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, key);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (v)
    lf_json_print (v, &b);
  if (!lf_streq (v ? b.data : NULL, json))
    fail_msg ("%s is %s, not %s", key, v ? b.data : "absent", json ? json : "absent");
}

static void
event_of_the_guide (void **state)
{
  static const lf_url_header headers[] = { { S ("Host"), S ("x") }, { S ("Header1"), S ("value1") }, { S ("header2"), S ("value1") }, { S ("HEADER2"), S ("value2") },
                                           { S ("Cookie"), S ("cookie1=a; cookie2=b;") }, { S ("User-Agent"), S ("agent") },
                                           { S ("x-forwarded-for"), S ("6.6.6.6") }, { S ("Content-Type"), S ("text/plain") } };
  lf_url_request r = { .method = S ("POST"), .path = S ("/my/pa2%Fth/1"), .query = S ("parameter1=value1&parameter1=value2&parameter2=a%20b+c&flag"),
                       .headers = headers, .headers_n = LF_ARRAY_LEN (headers), .body = S ("Hello from client!") };
  (void) state;
  cJSON *o = event_of (&r);
  const cJSON *c = cJSON_GetObjectItem (o, "requestContext"), *h = cJSON_GetObjectItem (o, "headers");
  same (o, "version", "\"2.0\"");
  same (o, "routeKey", "\"$default\"");
  same (o, "rawPath", "\"/my/pa2%Fth/1\"");
  same (o, "rawQueryString", "\"parameter1=value1&parameter1=value2&parameter2=a%20b+c&flag\"");
  same (o, "cookies", "[\"cookie1=a\",\"cookie2=b\"]");
  same (o, "queryStringParameters", "{\"parameter1\":\"value1,value2\",\"parameter2\":\"a b c\",\"flag\":\"\"}");
  same (o, "body", "\"Hello from client!\"");
  same (o, "isBase64Encoded", "false");
  same (o, "pathParameters", NULL);
  same (h, "header1", "\"value1\"");
  same (h, "header2", "\"value1,value2\"");
  same (h, "cookie", NULL);
  same (h, "x-forwarded-for", "\"127.0.0.1\"");
  same (h, "x-forwarded-port", "\"3001\"");
  same (h, "x-forwarded-proto", "\"http\"");
  same (h, "x-amzn-trace-id", "\"Root=1-5bdb40ca-556d8b0c50dc66f0511bf520\"");
  same (c, "accountId", "\"anonymous\"");
  same (c, "authentication", "null");
  same (c, "authorizer", NULL);
  same (c, "apiId", "\"classify\"");
  same (c, "domainName", "\"classify.lambda-url.localhost\"");
  same (c, "domainPrefix", "\"classify\"");
  same (c, "http", "{\"method\":\"POST\",\"path\":\"/my/pa2%Fth/1\",\"protocol\":\"HTTP/1.1\",\"sourceIp\":\"127.0.0.1\",\"userAgent\":\"agent\"}");
  same (c, "requestId", "\"e1506fd5-9e7b-434f-bd42-4f8fa224b599\"");
  same (c, "stage", "\"$default\"");
  same (c, "time", "\"04/Mar/2020:19:03:58 +0000\"");
  same (c, "timeEpoch", "1583348638390");
  cJSON_Delete (o);
}

static void
event_without_much (void **state)
{
  lf_url_request r = { .method = S ("GET"), .path = S ("/"), .query = S (""), .access_key = S ("AKIDEXAMPLE") };
  (void) state;
  cJSON *o = event_of (&r);
  const cJSON *c = cJSON_GetObjectItem (o, "requestContext");
  static const char *const absent[] = { "cookies", "queryStringParameters", "body" };
  for (size_t i = 0; i < LF_ARRAY_LEN (absent); i++)
    same (o, absent[i], NULL);
  same (o, "isBase64Encoded", "false");
  same (c, "accountId", "\"123456789012\"");
  same (cJSON_GetObjectItem (c, "authorizer"), "iam",
        "{\"accessKey\":\"AKIDEXAMPLE\",\"accountId\":\"123456789012\",\"callerId\":\"AKIDEXAMPLE\",\"cognitoIdentity\":null,\"principalOrgId\":null,"
        "\"userArn\":\"arn:aws:iam::123456789012:user/local\",\"userId\":\"AKIDEXAMPLE\"}");
  cJSON_Delete (o);
}

static void
bodies_of_events (void **state)
{
  static const struct { const char *type, *body, *json, *base64; } cases[] = {
    { "application/json", "{\"a\":1}", "\"{\\\"a\\\":1}\"", "false" },
    { "application/json; charset=utf-8", "\xc3\xa9", "\"\xc3\xa9\"", "false" },
    { "application/problem+json", "{}", "\"{}\"", "false" },
    { "TEXT/html", "<p>", "\"<p>\"", "false" },
    { "application/xml", "<a/>", "\"<a/>\"", "false" },
    { "text/plain", "\xff\xfe", "\"//4=\"", "true" }, /* no UTF-8 */
    { "multipart/form-data; boundary=x", "--x", "\"LS14\"", "true" },
    { "application/x-www-form-urlencoded", "a=b", "\"YT1i\"", "true" },
    { "application/octet-stream", "abc", "\"YWJj\"", "true" },
    { NULL, "abc", "\"YWJj\"", "true" },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_url_header h = { S ("content-type"), { cases[i].type, cases[i].type ? strlen (cases[i].type) : 0 } };
      lf_url_request r = { .method = S ("POST"), .path = S ("/"), .headers = &h, .headers_n = cases[i].type != NULL, .body = { cases[i].body, strlen (cases[i].body) } };
      cJSON *o = event_of (&r);
      same (o, "body", cases[i].json);
      same (o, "isBase64Encoded", cases[i].base64);
      cJSON_Delete (o);
    }
}

/* "STATUS|name: value|...|BODY", or "bad". */
static void
answer_is (const char *response, const char *want)
{
  lf_url_answer a;
  const char *why = NULL;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_url_answer_init (&a);
  if (lf_url_answer_from (response, strlen (response), &a, &why) != 0)
    {
      assert_non_null (why);
      lf_buf_adds (&b, "bad");
    }
  else
    {
      lf_buf_addf (&b, "%d", a.status);
      for (size_t i = 0; i < a.names.n; i++)
        lf_buf_addf (&b, "|%s: %s", a.names.v[i], a.values.v[i]);
      lf_buf_addf (&b, "|%s", a.body.data ? a.body.data : "");
    }
  if (strcmp (b.data, want) != 0)
    fail_msg ("%s became %s, not %s", response, b.data, want);
  lf_url_answer_fini (&a);
}

#define JSON_TYPE "|content-type: application/json|"

static void
answers (void **state)
{
  (void) state;
  answer_is ("{\"hello\": \"world\"}", "200" JSON_TYPE "{\"hello\":\"world\"}");
  answer_is (" { \"a b\" : [ 1 , 2.50 , \" \\\" x \" ] }\n", "200" JSON_TYPE "{\"a b\":[1,2.50,\" \\\" x \"]}");
  answer_is ("\"hello\"", "200" JSON_TYPE "hello");
  answer_is ("3", "200" JSON_TYPE "3");
  answer_is ("3.1", "200" JSON_TYPE "3.1");
  answer_is ("12345678901234567890", "200" JSON_TYPE "12345678901234567890");
  answer_is ("true", "200" JSON_TYPE "true");
  answer_is ("null", "200" JSON_TYPE "null");
  answer_is ("[\"hello\", 3, true]", "200" JSON_TYPE "[\"hello\",3,true]");
  answer_is ("{\"statusCode\":201}", "201" JSON_TYPE);
  answer_is ("{\"statusCode\":200,\"body\":\"a b\"}", "200" JSON_TYPE "a b");
  answer_is ("{\"statusCode\":200,\"body\":{\"a\": 1}}", "200" JSON_TYPE "{\"a\":1}");
  answer_is ("{\"statusCode\":200,\"body\":null,\"headers\":null,\"cookies\":null}", "200" JSON_TYPE);
  answer_is ("{\"statusCode\":200,\"headers\":{\"Content-Type\":\"text/html\",\"X-N\":5,\"x-b\":true},\"body\":\"<p>\"}", "200|Content-Type: text/html|X-N: 5|x-b: true|<p>");
  answer_is ("{\"statusCode\":302,\"cookies\":[\"a=1; Secure\",\"b=2\"],\"headers\":{\"location\":\"/x\"}}",
             "302|location: /x|set-cookie: a=1; Secure|set-cookie: b=2" JSON_TYPE);
  answer_is ("{\"statusCode\":200,\"body\":\"aGk=\",\"isBase64Encoded\":true}", "200" JSON_TYPE "hi");
  answer_is ("{\"statusCode\":\"404\",\"body\":\"\"}", "404" JSON_TYPE);
  answer_is ("{\"statusCode\":200,\"headers\":{\"Content-Length\":\"7\",\"Transfer-Encoding\":\"chunked\",\"Connection\":\"close\",\"WWW-Authenticate\":\"Basic\"}}",
             "200|x-amzn-remapped-content-length: 7|x-amzn-remapped-connection: close|x-amzn-remapped-www-authenticate: Basic" JSON_TYPE);
}

static void
answers_that_are_none (void **state)
{
  static const char *const bad[] = { "", "{", "NaN", "{\"statusCode\":\"ok\"}", "{\"statusCode\":99}", "{\"statusCode\":600}", "{\"statusCode\":200.5}", "{\"statusCode\":null}",
                                     "{\"statusCode\":200,\"headers\":[]}", "{\"statusCode\":200,\"headers\":{\"a b\":\"x\"}}", "{\"statusCode\":200,\"headers\":{\"\":\"x\"}}",
                                     "{\"statusCode\":200,\"headers\":{\"a\":{}}}", "{\"statusCode\":200,\"cookies\":\"a\"}", "{\"statusCode\":200,\"cookies\":[1]}",
                                     "{\"statusCode\":200,\"body\":\"?\",\"isBase64Encoded\":true}" };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    answer_is (bad[i], "bad");
}

static const char *
value (const lf_url_answer *a, const char *name)
{
  const char *found = NULL;
  for (size_t i = 0; i < a->names.n; i++)
    if (strcmp (a->names.v[i], name) == 0)
      {
        assert_null (found); /* once */
        found = a->values.v[i];
      }
  return found;
}

static void
cors (void **state)
{
  static const char response[] = "{\"statusCode\":200,\"headers\":{\"Access-Control-Allow-Origin\":\"https://own\",\"x-a\":\"1\"}}";
  const lf_str here = S ("https://here"), there = S ("https://there");
  lf_url_config u = { .cors = true, .max_age_s = 60, .credentials = true };
  lf_url_answer a;
  const char *why;
  (void) state;
  lf_strv_add (&u.origins, "https://here");
  lf_strv_add (&u.methods, "GET");
  lf_strv_add (&u.methods, "POST");
  lf_strv_add (&u.headers, "x-key");
  lf_strv_add (&u.expose, "date");
  lf_url_answer_init (&a);
  assert_int_equal (lf_url_answer_from (response, strlen (response), &a, &why), 0);
  assert_int_equal (lf_url_cors (&u, here, &a), 0);
  assert_string_equal (value (&a, "access-control-allow-origin"), "https://here");
  assert_null (value (&a, "Access-Control-Allow-Origin"));
  assert_string_equal (value (&a, "access-control-allow-credentials"), "true");
  assert_string_equal (value (&a, "access-control-expose-headers"), "date");
  assert_string_equal (value (&a, "vary"), "Origin");
  assert_string_equal (value (&a, "x-a"), "1");
  lf_url_answer_fini (&a);

  lf_url_answer_init (&a);
  assert_int_equal (lf_url_preflight (&u, here, &a), 0);
  assert_int_equal (a.status, 200);
  assert_string_equal (value (&a, "access-control-allow-methods"), "GET,POST");
  assert_string_equal (value (&a, "access-control-allow-headers"), "x-key");
  assert_string_equal (value (&a, "access-control-max-age"), "60");
  lf_url_answer_fini (&a);

  lf_url_answer_init (&a);
  assert_int_equal (lf_url_preflight (&u, there, &a), 0);
  assert_int_equal (a.names.n, 0);
  lf_url_answer_fini (&a);

  lf_strv_add (&u.origins, "*");
  u.credentials = false;
  lf_url_answer_init (&a);
  assert_int_equal (lf_url_cors (&u, there, &a), 0);
  assert_string_equal (value (&a, "access-control-allow-origin"), "*");
  assert_null (value (&a, "vary"));
  lf_url_answer_fini (&a);
  lf_url_config_fini (&u);
}

static void
preludes (void **state)
{
  static const char good[] = "{\"statusCode\":418,\"headers\":{\"a\":\"b\"},\"cookies\":[\"c=d\"]}";
  lf_url_answer a;
  const char *why;
  (void) state;
  lf_url_answer_init (&a);
  assert_int_equal (lf_url_answer_prelude (good, strlen (good), &a, &why), 0);
  assert_int_equal (a.status, 418);
  assert_string_equal (value (&a, "a"), "b");
  assert_string_equal (value (&a, "set-cookie"), "c=d");
  lf_url_answer_fini (&a);
  lf_url_answer_init (&a);
  assert_int_equal (lf_url_answer_prelude ("{}", 2, &a, &why), 0);
  assert_int_equal (a.status, 200);
  assert_int_equal (lf_url_answer_prelude ("[]", 2, &a, &why), -1);
  lf_url_answer_fini (&a);
}

/* Many names must not cost their square: a table finds repeats. */
static void
many_names (void **state)
{
  lf_buf q LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&q, 0);
  (void) state;
  for (int i = 0; i < 100000; i++)
    lf_buf_addf (&q, "%sk%d=v", i ? "&" : "", i);
  lf_url_request r = { .method = S ("GET"), .path = S ("/"), .query = { q.data, q.len } };
  cJSON *o = event_of (&r);
  assert_int_equal (cJSON_GetArraySize (cJSON_GetObjectItem (o, "queryStringParameters")), 100000);
  cJSON_Delete (o);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (event_of_the_guide), cmocka_unit_test (event_without_much), cmocka_unit_test (bodies_of_events), cmocka_unit_test (answers),
    cmocka_unit_test (answers_that_are_none), cmocka_unit_test (cors), cmocka_unit_test (preludes), cmocka_unit_test (many_names),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
