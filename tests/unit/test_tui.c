/* SPDX-License-Identifier: Apache-2.0
 *
 * The pure parts of the dashboard: the grid, widths, charts, tables, keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lambdafit/tui.h"

static char drawn[20000];

static const char *
text_of (const lf_grid *g)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  assert_int_equal (lf_grid_text (g, &b), 0);
  assert_true (b.len < sizeof drawn);
  memcpy (drawn, b.data, b.len + 1);
  return drawn;
}

static void
test_sizes (void **state)
{
  lf_grid g;
  (void) state;
  assert_int_equal (lf_grid_init (&g, 0, 5, false), -1);
  assert_int_equal (lf_grid_init (&g, 5, -1, false), -1);
  assert_int_equal (lf_grid_init (&g, LF_GRID_MAX + 1, 5, false), -1);
  lf_grid_fini (&g);
  assert_int_equal (lf_grid_init (&g, 3, 2, false), 0);
  assert_string_equal (text_of (&g), "\n\n");
  assert_int_equal (lf_grid_put (&g, 3, 0, 9, LF_ROLE_TEXT, "x"), 0);
  assert_int_equal (lf_grid_put (&g, 0, 2, 9, LF_ROLE_TEXT, "x"), 0);
  assert_int_equal (lf_grid_put (&g, -1, 0, 9, LF_ROLE_TEXT, "x"), 0);
  assert_string_equal (text_of (&g), "\n\n");
  lf_grid_fini (&g);
}

static void
test_text (void **state)
{
  static const struct { const char *in, *out; int used; } cases[] = {
    { "plain", "plain", 5 }, { "too long a text", "too lon\u2026", 8 }, { "日本", "日本", 4 }, { "日本語日本", "日本語\u2026", 7 },
    { "e\u0301a", "e\u0301a", 2 }, { "a\x1b[31mb", "a?[31mb", 7 }, { "a\nb\tc\x7f", "a?b?c?", 6 }, { "\xff\xc3[", "??[", 3 }, { "\u202eab", "?ab", 3 },
    { "\xc2\x9b" "1m", "?1m", 3 }, { "", "", 0 } };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_grid g;
      char line[64];
      assert_int_equal (lf_grid_init (&g, 8, 1, false), 0);
      assert_int_equal (lf_grid_put (&g, 0, 0, 8, LF_ROLE_TEXT, cases[i].in), cases[i].used);
      snprintf (line, sizeof line, "%s\n", cases[i].out);
      assert_string_equal (text_of (&g), line);
      lf_grid_fini (&g);
    }
  assert_int_equal (lf_text_width ("日e\u0301"), 3);
}

/* Any bytes at all: the grid's text has no control byte but its line ends. */
static void
test_garbage (void **state)
{
  uint32_t seed = 7;
  (void) state;
  for (int round = 0; round < 3000; round++)
    {
      char in[40];
      lf_grid g;
      for (size_t i = 0; i < sizeof in - 1; i++)
        in[i] = (char) ((seed = seed * 1664525u + 1013904223u) >> 24);
      in[sizeof in - 1] = '\0';
      assert_int_equal (lf_grid_init (&g, 12, 2, round % 2), 0);
      assert_true (lf_grid_put (&g, round % 5, 0, 12, LF_ROLE_TEXT, in) <= 12);
      lf_grid_put (&g, round % 7, 0, 3, LF_ROLE_TEXT, in + 9);
      const char *out = text_of (&g);
      assert_int_equal (lf_utf8_valid (out, strlen (out)), strlen (out));
      for (const char *p = out; *p != '\0'; p++)
        assert_true (((unsigned char) *p >= 0x20 && *p != 0x7f) || *p == '\n');
      if (round % 2)
        for (const char *p = out; *p != '\0'; p++)
          assert_true ((unsigned char) *p < 0x80);
      lf_grid_fini (&g);
    }
}

static void
test_wide_overwritten (void **state)
{
  lf_grid g;
  (void) state;
  assert_int_equal (lf_grid_init (&g, 6, 1, false), 0);
  lf_grid_put (&g, 0, 0, 6, LF_ROLE_TEXT, "日本");
  lf_grid_put (&g, 1, 0, 1, LF_ROLE_TEXT, "x");
  assert_string_equal (text_of (&g), " x本\n");
  lf_grid_put (&g, 2, 0, 1, LF_ROLE_TEXT, "y");
  assert_string_equal (text_of (&g), " xy\n");
  lf_grid_fini (&g);
}

static void
test_many_marks (void **state)
{
  lf_grid g;
  char in[400] = "e";
  (void) state;
  for (int i = 0; i < 100; i++)
    strcat (in, "\u0301");
  assert_int_equal (lf_grid_init (&g, 4, 1, false), 0);
  assert_int_equal (lf_grid_put (&g, 0, 0, 4, LF_ROLE_TEXT, in), 1);
  assert_true (strlen (g.cells[0].text) < LF_CELL_BYTES);
  lf_grid_fini (&g);
}

static void
test_charts (void **state)
{
  lf_grid g;
  int64_t v[5] = { 0, 1, 4, 8, LF_NONE }, out[3];
  (void) state;
  assert_int_equal (lf_grid_init (&g, 10, 1, false), 0);
  lf_grid_spark (&g, 0, 0, v, 5, LF_ROLE_CHART);
  assert_string_equal (text_of (&g), " ▂▅█\n");
  lf_grid_clear (&g);
  lf_grid_gauge (&g, 0, 0, 10, 50, 100);
  assert_string_equal (text_of (&g), "█████░░░░░\n");
  lf_grid_clear (&g);
  lf_grid_gauge (&g, 0, 0, 10, 1, 1000);
  assert_string_equal (text_of (&g), "█░░░░░░░░░\n");
  lf_grid_gauge (&g, 0, 0, 10, INT64_MAX, 1);
  assert_string_equal (text_of (&g), "██████████\n");
  lf_grid_gauge (&g, 0, 0, 10, LF_NONE, 1);
  assert_string_equal (text_of (&g), "░░░░░░░░░░\n");
  lf_grid_fini (&g);
  assert_int_equal (lf_gauge_role (89, 100), LF_ROLE_GOOD);
  assert_int_equal (lf_gauge_role (90, 100), LF_ROLE_WARN);
  assert_int_equal (lf_gauge_role (100, 100), LF_ROLE_BAD);
  assert_int_equal (lf_gauge_role (1, 0), LF_ROLE_DIM);
  lf_resample ((const int64_t[]){ 1, 2, 3, 4, 5, 6 }, 6, out, 3, true);
  assert_true (out[0] == 3 && out[1] == 7 && out[2] == 11);
  lf_resample ((const int64_t[]){ 1, 2, 3, LF_NONE, 5, 6 }, 6, out, 3, false);
  assert_true (out[0] == 2 && out[1] == 3 && out[2] == 6);
}

static const lf_column columns[] = { { "name", "NAME", 'l', 0 }, { "n", "N", 'r', 1 }, { "why", "WHY", 'l', 2 } };

static void
fill (lf_grid_table *t)
{
  static const char *const names[] = { "beta", "Alpha", "=cmd()" };
  static const int64_t numbers[] = { 10, 9, LF_NONE };
  lf_tab_init (t, columns, 3);
  for (int i = 0; i < 3; i++)
    {
      assert_int_equal (lf_tab_row (t, i), 0);
      lf_tab_text (t, 0, LF_ROLE_TEXT, names[i]);
      lf_tab_int (t, 1, LF_ROLE_TEXT, numbers[i], NULL);
      lf_tab_text (t, 2, LF_ROLE_TEXT, i == 0 ? "said \"no\", twice" : NULL);
    }
}

static void
test_table (void **state)
{
  lf_grid_table t;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  (void) state;
  lf_buf_init (&b, 0);
  fill (&t);
  assert_int_equal (lf_tab_arrange (&t, "", 0, false), 0);
  assert_true (t.shown == 3 && t.ids[t.order[0]] == 2 && t.ids[t.order[1]] == 1 && t.ids[t.order[2]] == 0);
  assert_int_equal (lf_tab_arrange (&t, "", 1, true), 0);
  assert_true (t.ids[t.order[0]] == 0 && t.ids[t.order[1]] == 1 && t.ids[t.order[2]] == 2);
  assert_int_equal (lf_tab_arrange (&t, "NO be", -1, false), 0);
  assert_true (t.shown == 1 && t.ids[t.order[0]] == 0);
  assert_int_equal (lf_tab_arrange (&t, "nowhere", -1, false), 0);
  assert_int_equal (t.shown, 0);
  assert_int_equal (lf_tab_arrange (&t, NULL, -1, false), 0);
  assert_int_equal (lf_tab_csv (&t, &b), 0);
  assert_string_equal (b.data, "name,n,why\r\nbeta,10,\"said \"\"no\"\", twice\"\r\nAlpha,9,\r\n\"'=cmd()\",,\r\n");
  lf_buf_reset (&b);
  assert_int_equal (lf_tab_json (&t, &b), 0);
  struct lf_json_problem problem;
  assert_int_equal (lf_json_validate (b.data, b.len, &problem), 0);
  assert_non_null (strstr (b.data, "{\"name\":\"beta\",\"n\":10,\"why\":\"said \\\"no\\\", twice\"}"));
  assert_non_null (strstr (b.data, "{\"name\":\"=cmd()\",\"n\":null,\"why\":null}"));
  lf_tab_fini (&t);
}

static void
test_table_fits (void **state)
{
  lf_grid_table t;
  lf_grid g;
  (void) state;
  fill (&t);
  assert_int_equal (lf_tab_arrange (&t, NULL, -1, false), 0);
  assert_int_equal (lf_grid_init (&g, 30, 4, true), 0);
  lf_tab_draw (&t, &g, 0, 4, 0, 1, 1, true);
  assert_string_equal (text_of (&g), " NAME   Nv WHY\n beta   10 said \"no\", twice\n>Alpha   9 -\n =cmd()  - -\n");
  lf_grid_fini (&g);
  assert_int_equal (lf_grid_init (&g, 13, 3, true), 0);
  lf_tab_draw (&t, &g, 0, 3, 1, -1, -1, false);
  assert_string_equal (text_of (&g), " NAME    N\n Alpha   9\n =cmd()  -\n");
  lf_grid_fini (&g);
  for (int w = 1; w < 40; w++)
    {
      assert_int_equal (lf_grid_init (&g, w, 5, false), 0);
      lf_tab_draw (&t, &g, 0, 5, 0, 0, 0, false);
      lf_grid_fini (&g);
    }
  lf_tab_fini (&t);
}

static void
test_table_is_bounded (void **state)
{
  lf_grid_table t;
  (void) state;
  lf_tab_init (&t, columns, 3);
  for (int i = 0; i < LF_TABLE_ROWS_MAX; i++)
    assert_int_equal (lf_tab_row (&t, i), 0);
  assert_int_equal (lf_tab_row (&t, 0), -1);
  assert_int_equal (t.rows_n, LF_TABLE_ROWS_MAX);
  lf_tab_fini (&t);
}

/* A key means one thing, and the help names every key. */
static void
test_keys (void **state)
{
  (void) state;
  for (size_t i = 0; i < lf_keys_n; i++)
    {
      assert_true (lf_keys[i].names[0] != '\0' && lf_keys[i].doc[0] != '\0');
      for (size_t k = 0; k < LF_ARRAY_LEN (lf_keys[i].keys); k++)
        if (lf_keys[i].keys[k] != 0)
          assert_int_equal (lf_key_find (lf_keys[i].keys[k]), lf_keys[i].what);
    }
  for (const char *p = "hjkl/s?prtfcxq"; *p != '\0'; p++)
    assert_int_not_equal (lf_key_find (*p), LF_DO_NONE);
  assert_int_equal (lf_key_find ('1'), LF_DO_VIEW);
  assert_int_equal (lf_key_find ('8'), LF_DO_NONE);
  assert_int_equal (lf_key_find (0), LF_DO_NONE);
}

int
main (void)
{
  setlocale (LC_CTYPE, "C.UTF-8");
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_sizes), cmocka_unit_test (test_text), cmocka_unit_test (test_garbage), cmocka_unit_test (test_wide_overwritten),
    cmocka_unit_test (test_many_marks), cmocka_unit_test (test_charts), cmocka_unit_test (test_table), cmocka_unit_test (test_table_fits),
    cmocka_unit_test (test_table_is_bounded), cmocka_unit_test (test_keys),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
