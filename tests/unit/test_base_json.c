/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON: what is refused and why, and what survives a way through text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#include "lambdafit/base.h"

static int
check (const char *text)
{
  lf_json_problem p = { 0 };
  return lf_json_validate (text, strlen (text), &p);
}

static void
valid_texts_pass (void **state)
{
  (void) state;
  static const char *const good[]
      = { "{}", "[]", "0", "-0", "-0.0e-0", "1E+2", "\"\"", "null", " true\r\n\t", "false", "\"\\u0000\\ud800\"", "[[],{},[{}]]",
          "{\"a\":1,\"a\":[1,2,{\"b\":null}]}", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", "{\"\":\"\"}", "1.5e300", "[1 , 2]", "{ \"a\" : 1 }",
          "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" };
  for (size_t i = 0; i < LF_ARRAY_LEN (good); i++)
    assert_int_equal (check (good[i]), 0);
}

typedef struct refused
{
  const char *text, *reason;
  int line, column;
} refused;

static void
expect_refused (const refused *t, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      lf_json_problem p = { 0 };
      assert_int_equal (lf_json_validate (t[i].text, strlen (t[i].text), &p), -1);
      if (!strstr (p.reason, t[i].reason))
        fail_msg ("%s: got \"%s\", expected \"%s\"", t[i].text, p.reason, t[i].reason);
      assert_int_equal (p.line, t[i].line);
      assert_int_equal (p.column, t[i].column);
    }
}

static void
broken_structure_is_named (void **state)
{
  (void) state;
  static const refused t[] = {
    { "", "Unexpected end-of-input", 1, 1 },
    { "  ", "Unexpected end-of-input", 1, 3 },
    { "{", "Unexpected end-of-input: expected close marker for Object", 1, 2 },
    { "[1,", "Unexpected end-of-input: expected close marker for Array", 1, 4 },
    { "{\"a\"", "Unexpected end-of-input", 1, 5 },
    { "{\"a\":", "Unexpected end-of-input", 1, 6 },
    { "{\"a\":1", "Unexpected end-of-input", 1, 7 },
    { "xyz", "Unrecognized token 'xyz': was expecting (JSON String", 1, 1 },
    { "tru", "Unrecognized token 'tru'", 1, 1 },
    { "nullx", "Unrecognized token 'nullx'", 1, 1 },
    { "NaN", "Unrecognized token 'NaN'", 1, 1 },
    { "{x:1}", "Unexpected character ('x' (code 120)): was expecting double-quote to start field name", 1, 2 },
    { "{'x':1}", "Unexpected character (''' (code 39)): was expecting double-quote", 1, 2 },
    { "{\"a\" 1}", "Unexpected character ('1' (code 49)): was expecting a colon", 1, 6 },
    { "{\"a\":1 \"b\"}", "was expecting comma to separate Object entries", 1, 8 },
    { "[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 4 },
    { "[1,]", "Unexpected character (']' (code 93)): expected a valid value", 1, 4 },
    { "{\"a\":1,}", "was expecting double-quote to start field name", 1, 8 },
    { "{\"a\":1]", "Unexpected close marker ']': expected '}'", 1, 7 },
    { "[1}", "Unexpected close marker '}': expected ']'", 1, 3 },
    { "}", "Unexpected character ('}' (code 125))", 1, 1 },
    { "{}\n\n  {}", "Unexpected character ('{' (code 123))", 3, 3 },
    { "1 2", "Unexpected character ('2' (code 50))", 1, 3 },
    { "[]x", "Expected space separating root-level values", 1, 3 },
    { "[1,\v2]", "Illegal character ((CTRL-CHAR, code 11)): only regular white space", 1, 4 },
    { "\xef\xbb\xbf{}", "code 65279 / 0xfeff", 1, 1 },
    { "[\xc3\xa9]", "Unexpected character ('\xc3\xa9' (code 233 / 0xe9))", 1, 2 },
    { "/*c*/1", "Unexpected character ('/' (code 47))", 1, 1 },
  };
  expect_refused (t, LF_ARRAY_LEN (t));
}

static void
broken_scalars_are_named (void **state)
{
  (void) state;
  static const refused t[] = {
    { "01", "Leading zeroes not allowed", 1, 1 },
    { "-01", "Leading zeroes not allowed", 1, 2 },
    { "-", "Unexpected end-of-input", 1, 2 },
    { "-x", "expected digit (0-9) to follow minus sign", 1, 2 },
    { "1.", "Unexpected end-of-input: Decimal point not followed by a digit", 1, 3 },
    { "[1.]", "Decimal point not followed by a digit", 1, 4 },
    { "[1e]", "Exponent indicator not followed by a digit", 1, 4 },
    { "1e+", "Exponent indicator not followed by a digit", 1, 4 },
    { "+1", "Unexpected character ('+' (code 43))", 1, 1 },
    { ".5", "Unexpected character ('.' (code 46))", 1, 1 },
    { "1.5x", "Expected space separating root-level values", 1, 4 },
    { "\"abc", "was expecting closing quote for a string value", 1, 5 },
    { "{\"abc", "Unexpected end-of-input in field name", 1, 6 },
    { "\"a\nb\"", "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped", 1, 3 },
    { "\"\\x\"", "Unrecognized character escape 'x' (code 120)", 1, 3 },
    { "\"\\", "Unexpected end-of-input in character escape sequence", 1, 3 },
    { "\"\\u12g4\"", "Unexpected character ('g' (code 103)): expected a hex-digit", 1, 6 },
    { "\"\\u12", "Unexpected end-of-input", 1, 6 },
    { "\x87", "Invalid UTF-8 start byte 0x87", 1, 1 },
    { "\"\xff\"", "Invalid UTF-8 start byte 0xff", 1, 2 },
    { "\"\xc0\x80\"", "Invalid UTF-8 start byte 0xc0", 1, 2 },
    { "\"\xc3(\"", "Invalid UTF-8 middle byte 0x28", 1, 2 },
    { "\"\xe2\x82(\"", "Invalid UTF-8 middle byte 0x28", 1, 2 },
    { "\"\xed\xa0\x80\"", "Invalid UTF-8 middle byte 0xa0", 1, 2 },
    { "\"\xf4\x90\x80\x80\"", "Invalid UTF-8 middle byte 0x90", 1, 2 },
    { "\"\xf0\x9f", "Unexpected end-of-input", 1, 4 },
    { "{\"a\xff\":1}", "Invalid UTF-8 start byte 0xff", 1, 4 },
  };
  expect_refused (t, LF_ARRAY_LEN (t));
  lf_json_problem p;
  assert_int_equal (lf_json_validate ("[1]\0", 4, &p), -1);
  assert_int_equal (p.offset, 3);
  assert_int_equal (lf_json_validate ("\"\0\"", 3, &p), -1);
}

static void
depth_is_bounded (void **state)
{
  (void) state;
  enum { MANY = 1000000 };
  char *bomb = malloc (MANY);
  assert_non_null (bomb);
  memset (bomb, '[', MANY);
  lf_json_problem p;
  assert_int_equal (lf_json_validate (bomb, MANY, &p), -1);
  assert_int_equal (p.offset, LF_JSON_DEPTH_MAX);
  assert_non_null (strstr (p.reason, "nesting depth"));

  memset (bomb + LF_JSON_DEPTH_MAX, ']', LF_JSON_DEPTH_MAX);
  assert_int_equal (lf_json_validate (bomb, 2 * LF_JSON_DEPTH_MAX, &p), 0);
  lf_error err;
  LF_CLEANUP (lf_json_freep) cJSON *o = lf_json_parse (bomb, 2 * LF_JSON_DEPTH_MAX, "deep", &err);
  assert_non_null (o);
  lf_buf b;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_json_print (o, &b), 0);
  assert_int_equal (b.len, 2 * LF_JSON_DEPTH_MAX);
  lf_buf_fini (&b);
  free (bomb);
}

/* Any change of one byte gives either a valid text that cJSON reads, or a reason and a place inside the text. */
static void
garbage_never_confuses (void **state)
{
  (void) state;
  static const char seed[] = "{\"a\":[1,-2.5e3,\"\\u00e9\\n\xc3\xa9\",true,null,{\"b\":{}}],\"c\":\"\xf0\x9f\x98\x80\"}";
  char text[sizeof seed];
  for (size_t i = 0; i < sizeof seed - 1; i++)
    for (int c = 0; c < 256; c++)
      {
        memcpy (text, seed, sizeof seed);
        text[i] = (char) c;
        lf_json_problem p = { 0 };
        if (lf_json_validate (text, sizeof seed - 1, &p) < 0)
          {
            assert_true (p.offset < sizeof seed);
            assert_true (p.reason[0] != '\0' && p.line >= 1 && p.column >= 1);
            continue;
          }
        lf_error err;
        cJSON *o = lf_json_parse (text, sizeof seed - 1, "x", &err);
        assert_true (o != NULL || strstr (err.why, "cannot be represented") != NULL);
        cJSON_Delete (o);
      }
  for (size_t n = 0; n < sizeof seed - 1; n++)
    {
      lf_json_problem p;
      assert_int_equal (lf_json_validate (seed, n, &p), -1);
    }
}

static void
parse_errors_say_where (void **state)
{
  (void) state;
  lf_error err = { 0 };
  assert_null (lf_json_parse ("{\n \"a\" 1}", 9, "event.json", &err));
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_string_equal (err.what, "event.json:2:6");
  assert_non_null (strstr (err.why, "was expecting a colon"));

  char digits[100];
  memset (digits, '1', sizeof digits);
  memcpy (digits, "[2, ", 4);
  digits[99] = ']';
  assert_null (lf_json_parse (digits, sizeof digits, "n.json", &err));
  assert_string_equal (err.what, "n.json:1:5");
  assert_non_null (strstr (err.why, "95 characters"));
  assert_null (lf_json_parse ("\"\\ud800\"", 8, "s.json", &err));
  assert_true (err.why[0] != '\0');
}

static void
members_are_typed (void **state)
{
  (void) state;
  lf_error err;
  static const char text[] = "{\"s\":\"x\",\"i\":-5,\"f\":1.5,\"big\":1e300,\"b\":true,\"n\":null,\"S\":\"upper\"}";
  LF_CLEANUP (lf_json_freep) cJSON *o = lf_json_parse (text, sizeof text - 1, "t", &err);
  assert_string_equal (lf_json_str (o, "s"), "x");
  assert_string_equal (lf_json_str (o, "S"), "upper");
  assert_null (lf_json_str (o, "i"));
  assert_null (lf_json_str (o, "absent"));
  assert_null (lf_json_str (NULL, "s"));
  assert_int_equal (lf_json_i64 (o, "i", 9), -5);
  assert_int_equal (lf_json_i64 (o, "f", 9), 9);
  assert_int_equal (lf_json_i64 (o, "big", 9), 9);
  assert_int_equal (lf_json_i64 (o, "s", 9), 9);
  assert_int_equal (lf_json_i64 (o, "n", 9), 9);
  assert_true (lf_json_bool (o, "b", false));
  assert_true (lf_json_bool (o, "n", true));
  assert_false (lf_json_bool (NULL, "b", false));
}

static void
printing_is_exact (void **state)
{
  (void) state;
  LF_CLEANUP (lf_json_freep) cJSON *o = cJSON_CreateObject ();
  assert_int_equal (lf_json_add_i64 (o, "none", LF_NONE), 0);
  assert_int_equal (lf_json_add_i64 (o, "small", 42), 0);
  assert_int_equal (lf_json_add_i64 (o, "large", INT64_MAX), 0);
  assert_int_equal (lf_json_i64 (o, "large", 0) == INT64_MAX, 1);
  assert_int_equal (lf_json_add_str (o, "null", NULL), 0);
  assert_int_equal (lf_json_add_str (o, "bad", "a\xff" "b\xc3"), 0);
  cJSON_AddNumberToObject (o, "f", 0.1);
  cJSON_AddNumberToObject (o, "third", 1.0 / 3);
  cJSON_AddNumberToObject (o, "nan", (double) __builtin_nanf (""));
  cJSON_AddItemToObject (o, "list", cJSON_CreateArray ());
  cJSON_AddItemToArray (cJSON_GetObjectItem (o, "list"), cJSON_CreateString ("q\"\n"));
  cJSON_AddItemToObject (o, "empty", cJSON_CreateObject ());
  lf_buf b;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_json_print (o, &b), 0);
  assert_string_equal (b.data, "{\"none\":null,\"small\":42,\"large\":9223372036854775807,\"null\":null,"
                               "\"bad\":\"a\xef\xbf\xbd" "b\xef\xbf\xbd\",\"f\":0.1,\"third\":0.3333333333333333,\"nan\":null,"
                               "\"list\":[\"q\\\"\\n\"],\"empty\":{}}");
  lf_buf_reset (&b);
  cJSON_DeleteItemFromObject (o, "bad");
  cJSON_DeleteItemFromObject (o, "nan");
  cJSON_DeleteItemFromObject (o, "third");
  cJSON_DeleteItemFromObject (o, "f");
  assert_int_equal (lf_json_print_pretty (o, &b), 0);
  assert_string_equal (b.data, "{\n  \"none\": null,\n  \"small\": 42,\n  \"large\": 9223372036854775807,\n  \"null\": null,\n"
                               "  \"list\": [\n    \"q\\\"\\n\"\n  ],\n  \"empty\": {}\n}");
  lf_buf_fini (&b);
  lf_buf_init (&b, 10);
  lf_buf_adds (&b, "kept");
  assert_int_equal (lf_json_print (o, &b), -1);
  assert_string_equal (b.data, "kept");
  lf_buf_fini (&b);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (valid_texts_pass),       cmocka_unit_test (broken_structure_is_named), cmocka_unit_test (broken_scalars_are_named),
    cmocka_unit_test (depth_is_bounded),       cmocka_unit_test (garbage_never_confuses),    cmocka_unit_test (parse_errors_say_where),
    cmocka_unit_test (members_are_typed),      cmocka_unit_test (printing_is_exact),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
