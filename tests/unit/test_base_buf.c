/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers, strings, encodings, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lambdafit/base.h"

static void
buffer_grows_to_exactly_its_maximum (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 100);
  for (int i = 0; i < 100; i++)
    assert_int_equal (lf_buf_addc (&b, 'x'), 0);
  assert_int_equal (b.len, 100);
  assert_int_equal (strlen (b.data), 100);
  assert_int_equal (lf_buf_addc (&b, 'y'), -1);
  assert_true (b.failed);
  assert_int_equal (b.len, 100);
  assert_null (strchr (b.data, 'y'));
  lf_buf_reset (&b);
  assert_false (b.failed);
  assert_int_equal (lf_buf_addf (&b, "%s", "again"), 0);
  assert_string_equal (b.data, "again");
  lf_buf_fini (&b);
  lf_buf_fini (&b);
  lf_buf_fini (NULL);
}

static void
digits_of_numbers (void **state)
{
  (void) state;
  static const struct { uint64_t v; unsigned base; const char *text; } cases[] = {
    { 0, 10, "0" }, { 9, 10, "9" }, { 10, 10, "10" }, { UINT64_MAX, 10, "18446744073709551615" }, { 0, 16, "0" }, { 0xbeef, 16, "beef" },
    { UINT64_MAX, 16, "ffffffffffffffff" }, { 5, 2, "101" }, { (uint64_t) 1 << 63, 2, "1000000000000000000000000000000000000000000000000000000000000000" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      assert_int_equal (lf_buf_addu (&b, cases[i].v, cases[i].base), 0);
      assert_string_equal (b.data, cases[i].text);
    }
}

static void
failed_append_leaves_the_content (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 8);
  assert_int_equal (lf_buf_adds (&b, "1234567"), 0);
  assert_int_equal (lf_buf_addf (&b, "%d", 89), -1);
  assert_string_equal (b.data, "1234567");
  assert_int_equal (lf_buf_add_json_str (&b, "", 0), -1);
  assert_string_equal (b.data, "1234567");
  assert_int_equal (lf_buf_add_base64 (&b, "a", 1), -1);
  assert_int_equal (lf_buf_add_printable (&b, "ab", 2), -1);
  assert_string_equal (b.data, "1234567");
  assert_int_equal (lf_buf_reserve (&b, SIZE_MAX), -1);
  assert_null (lf_buf_take (&b));
  assert_int_equal (b.len, 0);

  /* Memory left from before a reset does not raise the maximum. */
  lf_buf_init (&b, 50);
  assert_int_equal (lf_buf_addf (&b, "%50s", "x"), 0);
  lf_buf_reset (&b);
  b.max = 3;
  assert_int_equal (lf_buf_addf (&b, "%s", "four"), -1);
  assert_int_equal (b.len, 0);
  assert_string_equal (b.data, "");
  lf_buf_fini (&b);
}

static void
take_gives_the_string_even_when_empty (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  LF_CLEANUP (lf_freep) char *s = lf_buf_take (&b);
  assert_string_equal (s, "");
  assert_null (b.data);
  lf_buf_adds (&b, "new life");
  LF_CLEANUP (lf_freep) char *t = lf_buf_take (&b);
  assert_string_equal (t, "new life");
}

static void
long_format_is_not_cut (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  for (int i = 0; i < 2000; i++)
    assert_int_equal (lf_buf_addf (&b, "%07d,", i), 0);
  assert_int_equal (b.len, 16000);
  assert_memory_equal (b.data + 8 * 1999, "0001999,", 8);
  lf_buf_fini (&b);
}

static void
json_strings_are_escaped_and_made_valid (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  static const char text[] = "a\"\\\n\r\t\b\f\x01/\xc3\xa9\xff\xf0\x9f\x98\x80\xed\xa0\x80z\0y";
  assert_int_equal (lf_buf_add_json_str (&b, text, sizeof text - 1), 0);
  assert_string_equal (b.data, "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001/\xc3\xa9\xef\xbf\xbd\xf0\x9f\x98\x80"
                               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\\u0000y\"");
  lf_json_problem p;
  assert_int_equal (lf_json_validate (b.data, b.len, &p), 0);
  lf_buf_fini (&b);
}

static void
printable_text_holds_no_control_bytes (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  static const char text[] = "ok\n\t\x1b[31m\x7f\xc2\x9b" "1m\xc3\xa9\xff.";
  assert_int_equal (lf_buf_add_printable (&b, text, sizeof text - 1), 0);
  assert_string_equal (b.data, "ok\n\t?[31m???1m\xc3\xa9?.");
  lf_buf_fini (&b);
}

static void
every_byte_pair_is_judged_as_utf8 (void **state)
{
  (void) state;
  size_t valid = 0;
  for (unsigned i = 0; i < 65536; i++)
    {
      char p[2] = { (char) (i >> 8), (char) i };
      valid += lf_utf8_valid (p, 2) == 2;
    }
  /* 128*128 ASCII pairs and U+0080..U+07FF. */
  assert_int_equal (valid, 128 * 128 + 0x800 - 0x80);
  assert_int_equal (lf_utf8_valid ("\xf4\x8f\xbf\xbf", 4), 4);
  assert_int_equal (lf_utf8_valid ("\xf4\x90\x80\x80", 4), 0);
  assert_int_equal (lf_utf8_valid ("\xe0\x80\x80", 3), 0);
  assert_int_equal (lf_utf8_valid ("\xf0\x80\x80\x80", 4), 0);
  assert_int_equal (lf_utf8_valid ("abcdefgh\xc3", 9), 8);
  assert_int_equal (lf_utf8_valid ("", 0), 0);
}

static void
whole_integers_only (void **state)
{
  (void) state;
  int64_t v = 7;
  static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0", "1e3", "--1", "9223372036854775808",
                                     "-9223372036854775809", "99999999999999999999999999", "\xef\xbc\x91" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    assert_int_equal (lf_parse_i64 (bad[i], INT64_MIN, INT64_MAX, &v), -1);
  assert_int_equal (lf_parse_i64 (NULL, 0, 1, &v), -1);
  assert_int_equal (v, 7);
  assert_int_equal (lf_parse_i64 ("9223372036854775807", INT64_MIN, INT64_MAX, &v), 0);
  assert_true (v == INT64_MAX);
  assert_int_equal (lf_parse_i64 ("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
  assert_true (v == INT64_MIN);
  assert_int_equal (lf_parse_i64 ("007", 7, 7, &v), 0);
  assert_int_equal (v, 7);
  const char *at = "12/345x", *large = "9223372036854775808", *none = "-1";
  assert_int_equal (lf_take_i64 (&at, 12, &v), 0);
  assert_int_equal (v, 12);
  assert_string_equal (at, "/345x");
  at++;
  assert_int_equal (lf_take_i64 (&at, 344, &v), -1);
  assert_string_equal (at, "345x");
  assert_int_equal (lf_take_i64 (&at, INT64_MAX, &v), 0);
  assert_string_equal (at, "x");
  assert_int_equal (lf_take_i64 (&at, 1, &v), -1);
  assert_int_equal (lf_take_i64 (&large, INT64_MAX, &v), -1);
  assert_int_equal (lf_take_i64 (&none, INT64_MAX, &v), -1);
  assert_int_equal (v, 345);
  assert_int_equal (lf_parse_i64 ("8", 0, 7, &v), -1);
  assert_int_equal (lf_parse_i64 ("-1", 0, 7, &v), -1);
}

static void
string_helpers (void **state)
{
  (void) state;
  assert_true (lf_streq (NULL, NULL));
  assert_false (lf_streq (NULL, ""));
  assert_true (lf_starts ("python3.12", "python"));
  assert_false (lf_starts (NULL, "p"));
  assert_true (lf_ends ("a.zip", ".zip"));
  assert_false (lf_ends ("p", ".zip"));
  assert_true (lf_str_ieq ((lf_str){ "Content-Length: 3", 14 }, "content-length"));
  assert_false (lf_str_ieq ((lf_str){ "content", 7 }, "content-length"));
  assert_false (lf_str_ieq ((lf_str){ "content-length", 14 }, "content"));
  assert_null (lf_strdup (NULL));
  LF_CLEANUP (lf_freep) char *s = lf_strndup ("abcdef", 3);
  assert_string_equal (s, "abc");
  LF_CLEANUP (lf_freep) char *f = lf_asprintf ("%s-%d", s, 5);
  assert_string_equal (f, "abc-5");
}

static void
environment_arrays (void **state)
{
  (void) state;
  lf_strv a = { 0 };
  assert_null (lf_strv_env (&a, "A"));
  for (int i = 0; i < 100; i++)
    assert_int_equal (lf_strv_addf (&a, "K%d=%d", i, i), 0);
  assert_null (a.v[a.n]);
  assert_string_equal (lf_strv_env (&a, "K10"), "10");
  assert_null (lf_strv_env (&a, "K"));
  assert_int_equal (lf_strv_setenv (&a, "K10", "ten"), 0);
  assert_int_equal (lf_strv_setenv (&a, "K", ""), 0);
  assert_string_equal (lf_strv_env (&a, "K10"), "ten");
  assert_string_equal (lf_strv_env (&a, "K"), "");
  assert_int_equal (a.n, 101);
  lf_strv_fini (&a);
  lf_strv_fini (&a);
  lf_strv_fini (NULL);
}

static void
base64_there_and_back (void **state)
{
  (void) state;
  uint8_t bytes[256];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t) (i * 37 + 11);
  for (size_t n = 0; n <= sizeof bytes; n++)
    {
      lf_buf text, back;
      lf_buf_init (&text, lf_base64_encoded_len (n) ? lf_base64_encoded_len (n) : 1);
      lf_buf_init (&back, n ? n : 1);
      assert_int_equal (lf_buf_add_base64 (&text, bytes, n), 0);
      assert_int_equal (text.len, lf_base64_encoded_len (n));
      assert_int_equal (lf_base64_decode (text.data, text.len, &back), 0);
      assert_int_equal (back.len, n);
      assert_memory_equal (back.data, bytes, n);
      lf_buf_fini (&text);
      lf_buf_fini (&back);
    }
}

static void
base64_is_strict (void **state)
{
  (void) state;
  static const char *const bad[] = { "Y", "YQ", "YQ=", "YR==", "YWF=", "Y=Q=", "====", "YQ==YQ==", "YW E", "YWE\n", "YW-_", "=QQQ" };
  lf_buf b;
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "kept");
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      assert_int_equal (lf_base64_decode (bad[i], strlen (bad[i]), &b), -1);
      assert_string_equal (b.data, "kept");
    }
  assert_int_equal (lf_base64_decode ("YWI=", 4, &b), 0);
  assert_string_equal (b.data, "keptab");
  lf_buf_fini (&b);
}

static void
percent_escapes (void **state)
{
  (void) state;
  lf_buf b;
  lf_buf_init (&b, 0);
  assert_int_equal (lf_url_decode ("a%2Fb+c%c3%A9", 13, &b), 0);
  assert_string_equal (b.data, "a/b+c\xc3\xa9");
  static const char *const bad[] = { "%", "%2", "a%", "%zz", "%2x", "%-1" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    assert_int_equal (lf_url_decode (bad[i], strlen (bad[i]), &b), -1);
  assert_string_equal (b.data, "a/b+c\xc3\xa9");
  lf_buf_fini (&b);
}

static void
digests (void **state)
{
  (void) state;
  char hex[65], b64[45];
  lf_sha256 *s = lf_sha256_new ();
  lf_sha256_update (s, "a", 1);
  lf_sha256_update (s, "bc", 2);
  lf_sha256_hex (s, hex);
  assert_string_equal (hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  lf_sha256_base64 (s, b64); /* a finished digest starts anew */
  assert_string_equal (b64, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  lf_sha256_free (s);
  lf_sha256_free (NULL);
}

static void
errors_hold_their_text (void **state)
{
  (void) state;
  lf_error e = { 0 };
  char big[4096];
  memset (big, 'w', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  assert_int_equal (LF_FAIL (&e, LF_EXIT_IO, big, big, "%s", big), -1);
  assert_int_equal (strlen (e.what), sizeof e.what - 1);
  assert_int_equal (strlen (e.why), sizeof e.why - 1);
  assert_int_equal (strlen (e.fix), sizeof e.fix - 1);
  LF_FAIL (&e, LF_EXIT_USAGE, "template.yaml", NULL, "line %d", 3);
  /* An error may be wrapped in itself. */
  LF_FAIL (&e, LF_EXIT_FAILED, "run", e.fix, "%s: %s", e.what, e.why);
  assert_string_equal (e.why, "template.yaml: line 3");
  assert_string_equal (e.fix, "");
  assert_int_equal (e.exit, LF_EXIT_FAILED);
  assert_int_equal (LF_FAIL_NOMEM (&e), -1);
  assert_string_equal (e.what, "memory");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (buffer_grows_to_exactly_its_maximum),
    cmocka_unit_test (digits_of_numbers),
    cmocka_unit_test (failed_append_leaves_the_content),
    cmocka_unit_test (take_gives_the_string_even_when_empty),
    cmocka_unit_test (long_format_is_not_cut),
    cmocka_unit_test (json_strings_are_escaped_and_made_valid),
    cmocka_unit_test (printable_text_holds_no_control_bytes),
    cmocka_unit_test (every_byte_pair_is_judged_as_utf8),
    cmocka_unit_test (whole_integers_only),
    cmocka_unit_test (string_helpers),
    cmocka_unit_test (environment_arrays),
    cmocka_unit_test (base64_there_and_back),
    cmocka_unit_test (base64_is_strict),
    cmocka_unit_test (percent_escapes),
    cmocka_unit_test (digests),
    cmocka_unit_test (errors_hold_their_text),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
