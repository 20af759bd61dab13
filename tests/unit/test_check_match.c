/* SPDX-License-Identifier: Apache-2.0
 *
 * Responses against what is expected: exactly, as a subset, by a schema; patterns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "../../src/check/pattern.h"
#include "lambdafit/check.h"

typedef int (*matching) (const cJSON *got, const cJSON *want, double tolerance, lf_buf *why);

static void
expect (matching how, const char *got, const char *want, double tolerance, bool ok, const char *place)
{
  lf_error err = { 0 };
  lf_buf why;
  lf_buf_init (&why, 0);
  cJSON *g = lf_json_parse (got, strlen (got), "got", &err), *w = lf_json_parse (want, strlen (want), "want", &err);
  assert_non_null (g);
  assert_non_null (w);
  bool is = how (g, w, tolerance, &why) == 0;
  if (is != ok || (!ok && !lf_starts (why.data, place)))
    fail_msg ("%s against %s: %s (%s)", got, want, is ? "matches" : "does not match", why.data ? why.data : "");
  lf_buf_fini (&why);
  cJSON_Delete (g);
  cJSON_Delete (w);
}

static void
test_equal_and_subset (void **state)
{
  (void) state;
  expect (lf_match_equal, "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1.0}", 0, true, "");
  expect (lf_match_equal, "{\"a\":1,\"b\":2}", "{\"a\":1}", 0, false, "$.b ");
  expect (lf_match_subset, "{\"a\":1,\"b\":2}", "{\"a\":1}", 0, true, "");
  expect (lf_match_subset, "{\"a\":1}", "{\"a\":1,\"b\":2}", 0, false, "$.b is missing");
  expect (lf_match_subset, "{\"a\":{\"b\":[{\"c\":1,\"d\":2}]}}", "{\"a\":{\"b\":[{\"c\":1}]}}", 0, true, "");
  expect (lf_match_subset, "{\"a\":[1,2,3]}", "{\"a\":[1,2]}", 0, false, "$.a has 3 items");
  expect (lf_match_subset, "[[1],[2,3]]", "[[1],[2,4]]", 0, false, "$[1][1] is 3, expected 4");
  expect (lf_match_equal, "0.30000000000000004", "0.3", 0, false, "$ ");
  expect (lf_match_equal, "0.30000000000000004", "0.3", 1e-9, true, "");
  expect (lf_match_equal, "1000001", "1000000", 1e-6, true, "");
  expect (lf_match_equal, "1000002", "1000000", 1e-6, false, "$ is 1000002");
  expect (lf_match_equal, "0.0000009", "0", 1e-6, true, "");
  expect (lf_match_equal, "true", "false", 1, false, "$ ");
  expect (lf_match_equal, "true", "1", 1, false, "$ ");
  expect (lf_match_equal, "null", "{}", 0, false, "$ ");
  expect (lf_match_equal, "\"1\"", "1", 5, false, "$ ");
  expect (lf_match_equal, "[]", "{}", 0, false, "$ ");
  expect (lf_match_subset, "{}", "{}", 0, true, "");
}

static void
test_responses (void **state)
{
  (void) state;
  lf_error err = { 0 };
  lf_check_event e = { .json = lf_json_parse ("{\"a\":1}", 7, "x", &err) };
  lf_sample s = { .expected = -1 };
  assert_int_equal (lf_sample_expect (&s, &e, "{\"a\":1,\"b\":2}", 13), 0);
  assert_int_equal (s.expected, 1);
  assert_int_equal (lf_sample_expect (&s, &e, "NaN", 3), 0);
  assert_int_equal (s.expected, 0);
  assert_non_null (strstr (s.problem, "not JSON"));
  free (s.problem);
  cJSON_Delete (e.json);
  e.json = NULL;
  s = (lf_sample){ .expected = -1 };
  assert_int_equal (lf_sample_expect (&s, &e, "NaN", 3), 0);
  assert_int_equal (s.expected, -1);
}

static void
schema (const char *schema_text, const char *good, const char *bad)
{
  lf_error err = { 0 };
  lf_buf why;
  lf_buf_init (&why, 0);
  cJSON *s = lf_json_parse (schema_text, strlen (schema_text), "schema", &err), *g = lf_json_parse (good, strlen (good), "good", &err),
        *b = lf_json_parse (bad, strlen (bad), "bad", &err);
  if (!s || !g || !b || lf_schema_check (s, "s", &err) < 0)
    fail_msg ("%s: %s", schema_text, err.why);
  if (lf_match_schema (g, s, &why) < 0)
    fail_msg ("%s refuses %s: %s", schema_text, good, why.data);
  if (lf_match_schema (b, s, &why) == 0)
    fail_msg ("%s accepts %s", schema_text, bad);
  assert_int_equal (why.data[0], '$');
  lf_buf_fini (&why);
  cJSON_Delete (s);
  cJSON_Delete (g);
  cJSON_Delete (b);
}

static void
test_schemas (void **state)
{
  (void) state;
  schema ("{\"type\":\"integer\"}", "3.0", "3.5");
  schema ("{\"type\":[\"string\",\"null\"]}", "null", "1");
  schema ("{\"enum\":[1,\"a\",[1]]}", "[1]", "[2]");
  schema ("{\"const\":{\"a\":1}}", "{\"a\":1}", "{\"a\":1,\"b\":1}");
  schema ("{\"minimum\":0,\"exclusiveMaximum\":1}", "0", "1");
  schema ("{\"multipleOf\":0.1}", "0.3", "0.35");
  schema ("{\"minLength\":2,\"maxLength\":3}", "\"\xC3\xA4\xC3\xB6\"", "\"abcd\"");
  schema ("{\"pattern\":\"^[a-z]+\\\\d{2}$\"}", "\"abc12\"", "\"abc1\"");
  schema ("{\"minItems\":1,\"uniqueItems\":true}", "[1,2]", "[1,1]");
  schema ("{\"items\":{\"type\":\"number\"}}", "[1,2.5]", "[1,\"2\"]");
  schema ("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\"]", "[\"a\",1]");
  schema ("{\"items\":[{\"type\":\"string\"}],\"additionalItems\":{\"type\":\"number\"}}", "[\"a\",1]", "[\"a\",\"b\"]");
  schema ("{\"contains\":{\"const\":5},\"maxContains\":1}", "[1,5]", "[5,5]");
  schema ("{\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"number\"}},\"additionalProperties\":false}", "{\"a\":1}", "{\"a\":1,\"b\":2}");
  schema ("{\"patternProperties\":{\"^x_\":{\"type\":\"number\"}}}", "{\"x_a\":1,\"y\":\"\"}", "{\"x_a\":\"\"}");
  schema ("{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1}", "{\"abc\":1}");
  schema ("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"b\":1}", "{\"a\":1}");
  schema ("{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "7", "3");
  schema ("{\"oneOf\":[{\"minimum\":5},{\"maximum\":10}]}", "3", "7");
  schema ("{\"allOf\":[{\"minimum\":5}],\"not\":{\"const\":6}}", "7", "6");
  schema ("{\"if\":{\"minimum\":10},\"then\":{\"multipleOf\":10},\"else\":{\"maximum\":5}}", "20", "15");
  schema ("{\"$defs\":{\"p\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/p\"}}},\"$ref\":\"#/$defs/p\"}", "[[],[[]]]", "[[1]]");
}

static void
test_schemas_that_are_refused (void **state)
{
  (void) state;
  static const char *const bad[] = { "{\"unevaluatedProperties\":false}", "{\"tpye\":\"string\"}", "{\"$ref\":\"other.json\"}", "{\"$ref\":\"#/nowhere\"}",
                                     "{\"pattern\":\"(?=a)\"}",          "{\"pattern\":\"(\"}",    "{\"properties\":[]}",       "5",
                                     "{\"allOf\":{}}",                   "{\"items\":{\"x\":1}}" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      lf_error err = { 0 };
      cJSON *s = lf_json_parse (bad[i], strlen (bad[i]), "schema", &err);
      assert_non_null (s);
      if (lf_schema_check (s, "s", &err) == 0)
        fail_msg ("accepted: %s", bad[i]);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      cJSON_Delete (s);
    }
  /* A reference that leads to itself ends. */
  lf_error err = { 0 };
  lf_buf why;
  lf_buf_init (&why, 0);
  cJSON *s = lf_json_parse ("{\"$ref\":\"#\"}", 12, "s", &err), *v = cJSON_CreateNumber (1);
  assert_int_equal (lf_match_schema (v, s, &why), -1);
  lf_buf_fini (&why);
  cJSON_Delete (s);
  cJSON_Delete (v);
}

static void
test_patterns (void **state)
{
  (void) state;
  static const struct { const char *pattern, *text; int found; } cases[] = {
    { "", "", 1 }, { "a", "cba", 1 }, { "^a", "ba", 0 }, { "a$", "ab", 0 }, { "a|b$|^c", "cx", 1 }, { "^(a|bc)+$", "abca", 1 }, { "^(a|bc)+$", "abcb", 0 },
    { "^a{2,3}$", "aaaa", 0 }, { "^a{2,3}$", "aa", 1 }, { "^a{2}$", "aaa", 0 }, { "^(ab){2,}$", "ababab", 1 }, { "^[^0-9]+$", "a1", 0 },
    { "^[\\w.-]+@[\\w-]+\\.[a-z]{2,}$", "a.b@c-d.org", 1 }, { "^\\d{4}-\\d{2}$", "2026-11", 1 }, { "^.$", "\xC3\xA4", 1 }, { "^[\xC3\xA4-\xC3\xB6]$", "\xC3\xA5", 1 },
    { "\\bcat\\b", "a cat.", 1 }, { "\\bcat\\b", "concat", 0 }, { "^a.*?c$", "abcbc", 1 }, { "^(a*)*$", "aaaa", 1 }, { "^(a?){3}b$", "b", 1 }, { "^(|a)+$", "aa", 1 },
    { "^\\$\\{x\\}$", "${x}", 1 }, { "[\\]]", "]", 1 }, { "^(?:a|b)c$", "bc", 1 }, { "^\\s+\\S$", " \tx", 1 }, { "a{,2}", "a", -1 }, { "(", "", -1 }, { "a**", "a", -1 },
    { "[a", "a", -1 }, { "\\1", "", -1 }, { "a{3,2}", "", -1 }, { ")", ")", -1 }, { "*", "", -1 },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    if (lf_pattern_match (cases[i].pattern, cases[i].text) != cases[i].found)
      fail_msg ("%s on %s: %d", cases[i].pattern, cases[i].text, lf_pattern_match (cases[i].pattern, cases[i].text));
  /* What would take for ever is given up, and a long text is no deep stack. */
  assert_int_equal (lf_pattern_match ("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), -1);
  char *text = malloc (1000001);
  memset (text, 'a', 1000000);
  text[1000000] = 0;
  assert_int_equal (lf_pattern_match ("^.*$", text), 1);
  assert_int_not_equal (lf_pattern_match ("^(?:aa?)*$", text), 0);
  free (text);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_equal_and_subset), cmocka_unit_test (test_responses), cmocka_unit_test (test_schemas),
    cmocka_unit_test (test_schemas_that_are_refused), cmocka_unit_test (test_patterns),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
