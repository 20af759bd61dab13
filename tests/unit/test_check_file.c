/* SPDX-License-Identifier: Apache-2.0
 *
 * The check file: what it may say, and what is said about what it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "lambdafit/check.h"

static int
option (const char *name)
{
  return strcmp (name, "memory") == 0 ? 1 : strcmp (name, "layer") == 0 || strcmp (name, "env") == 0 ? 2 : strcmp (name, "strict-runtime") == 0 ? 0 : -1;
}
static const char *const option_words[] = { "memory", "layer", "env", "strict_runtime" };
static const lf_check_names names = { option, option_words, LF_ARRAY_LEN (option_words) };

static lf_check *
parse (const char *text, lf_error *err)
{
  *err = (lf_error){ 0 };
  lf_doc *d = lf_doc_read (text, strlen (text), "t.yaml", err);
  return d ? lf_check_parse (d, "t.yaml", &names, err) : NULL;
}

static void
refused (const char *text, const char *where, const char *why)
{
  lf_error err;
  lf_check *c = parse (text, &err);
  if (c)
    fail_msg ("accepted: %s", text);
  if (err.exit != LF_EXIT_USAGE || !lf_starts (err.what, where) || (!strstr (err.why, why) && !strstr (err.fix, why)))
    fail_msg ("%s\ngave: %s: %s (fix: %s), wanted %s ... %s", text, err.what, err.why, err.fix, where, why);
}

static void
test_all_of_the_contract (void **state)
{
  (void) state;
  lf_error err;
  lf_check *c = parse ("profile: aws-lambda-2026-11\nregion: us-east-1\ntemplate: template.yaml\nfunctions:\n  Classify:\n    target: src/\n    memory: 1024\n"
                       "    layer: [a.zip, b.zip]\n    env: {A: 1, B: two}\n    strict_runtime: true\n    events: [events/*.json, {\"n\": 1}, {$size: 1 MB, $name: big}]\n"
                       "    cold: 3\n    warm: 7\n    concurrency: 2\n    expect: {json: expected.json, tolerance: 1e-6}\n    budgets:\n      memory: 80%\n      init: 8 s\n"
                       "      cold_start: +20%\n      duration: {p95: 2 s, max: 90%}\n      package: +5 MB\n      cost_per_million: 0.40 USD\n      layers: 2\n",
                       &err);
  assert_non_null (c);
  assert_string_equal (c->profile, "aws-lambda-2026-11");
  assert_int_equal (c->functions_n, 1);
  const lf_check_function *f = &c->functions[0];
  assert_string_equal (f->name, "Classify");
  assert_int_equal (f->line, 5);
  assert_int_equal (f->cold, 3);
  assert_int_equal (f->warm, 7);
  assert_int_equal (f->concurrency, 2);
  assert_int_equal (f->options_n, 4);
  assert_string_equal (f->options[1].values.v[1], "b.zip");
  assert_string_equal (f->options[2].values.v[1], "B=two");
  assert_string_equal (f->options[3].name, "strict-runtime");
  assert_int_equal (f->events_n, 3);
  assert_string_equal (f->events[0].path, "events/*.json");
  assert_non_null (f->events[1].value);
  assert_int_equal (f->events[2].size, 1048576);
  assert_string_equal (f->expect.json, "expected.json");
  assert_true (f->expect.tolerance == 1e-6);
  static const struct { int m; lf_stat stat; lf_budget_kind kind; int64_t value; } want[] = {
    { LF_LIM_MEMORY, LF_STAT_MAX, LF_BUD_PERCENT, 800000 }, { LF_LIM_INIT, LF_STAT_MAX, LF_BUD_ABSOLUTE, 8000000 },
    { LF_CHK_COLD_START, LF_STAT_P50, LF_BUD_CHANGE, 200000 }, { LF_LIM_DURATION, LF_STAT_P95, LF_BUD_ABSOLUTE, 2000000 },
    { LF_LIM_DURATION, LF_STAT_MAX, LF_BUD_PERCENT, 900000 }, { LF_LIM_PACKAGE, LF_STAT_MAX, LF_BUD_MORE, 5242880 },
    { LF_CHK_COST_PER_MILLION, LF_STAT_MEAN, LF_BUD_ABSOLUTE, INT64_C (400000000000) }, { LF_LIM_LAYERS, LF_STAT_MAX, LF_BUD_ABSOLUTE, 2 },
  };
  assert_int_equal (f->budgets_n, LF_ARRAY_LEN (want));
  for (size_t i = 0; i < LF_ARRAY_LEN (want); i++)
    {
      assert_int_equal (f->budgets[i].measure, want[i].m);
      assert_int_equal (f->budgets[i].stat, want[i].stat);
      assert_int_equal (f->budgets[i].kind, want[i].kind);
      assert_int_equal (f->budgets[i].value, want[i].value);
    }
  lf_check_free (c);
}

static void
test_defaults_and_json (void **state)
{
  (void) state;
  lf_error err;
  lf_check *c = parse ("{\"functions\": {\"a\": {\"target\": \".\"}}}", &err);
  assert_non_null (c);
  assert_int_equal (c->functions[0].cold, LF_CHECK_COLD_DEFAULT);
  assert_int_equal (c->functions[0].warm, LF_CHECK_WARM_DEFAULT);
  lf_check_free (c);
  c = parse ("x: &e {n: 1}\nfunctions: {a: {target: .}}", &err);
  assert_null (c);
  c = parse ("functions:\n  a: {target: ., events: &e [{n: 1}], budgets: &b {memory: 50%}}\n  b: {target: ., events: *e, budgets: *b}\n", &err);
  assert_non_null (c);
  assert_int_equal (c->functions[1].budgets_n, 1);
  assert_int_equal (c->functions[1].events_n, 1);
  lf_check_free (c);
}

static void
test_bad_files (void **state)
{
  (void) state;
  refused ("", "t.yaml:1:1", "empty");
  refused ("- 1", "t.yaml:1:1", "is a map");
  refused ("functions: [", "t.yaml:", "not valid YAML");
  refused ("profile: x", "t.yaml:1:1", "names no functions");
  refused ("functions: {}", "t.yaml:1:12", "empty");
  refused ("functoins: {a: {target: .}}", "t.yaml:1:1", "did you mean \"functions\"?");
  refused ("functions:\n  a:\n    target: .\n    budget: {}\n", "t.yaml:4:5", "did you mean \"budgets\"?");
  refused ("functions:\n  a:\n    target: .\n    memroy: 5\n", "t.yaml:4:5", "did you mean \"memory\"?");
  refused ("functions:\n  a:\n    target: .\n    budgets: {memoy: 80%}\n", "t.yaml:4:15", "did you mean \"memory\"?");
  refused ("functions:\n  a:\n    target: .\n    budgets: {duration: {p96: 1 s}}\n", "t.yaml:4:26", "did you mean \"p95\"?");
  refused ("functions:\n  a:\n    target: .\n    expect: {jsn: f}\n", "t.yaml:4:14", "did you mean \"json\"?");
  refused ("functions:\n  a: {target: ., events: [{$evnt: 1}]}\n", "t.yaml:2:", "did you mean \"$event\"?");
  refused ("functions:\n  a: {target: ., target: b}\n", "t.yaml:2:", "twice");
  refused ("functions:\n  a: {memory: 5}\n", "t.yaml:2:3", "where this function's code is");
  refused ("functions:\n  a: {target: ., cold: 0, warm: 0}\n", "t.yaml:2:3", "nothing would be measured");
  refused ("functions:\n  a: {target: ., cold: many}\n", "t.yaml:2:", "whole number");
  refused ("functions:\n  a: {target: ., events: []}\n", "t.yaml:2:", "empty");
  refused ("functions:\n  a: {target: ., expect: {tolerance: 1}}\n", "t.yaml:2:", "asks for nothing");
  refused ("functions:\n  a: {target: ., expect: {equals: 1, tolerance: -1}}\n", "t.yaml:2:", "tolerance");
  refused ("functions:\n  a: {target: ., budgets: {monthly_cost: 5 USD}}\n", "t.yaml:2:", "requests_per_month");
  refused ("functions: {a: {target: .}}\n---\nx: 1\n", "t.yaml:2:", "second document");
  refused ("functions: {? [a, b] : 1}", "t.yaml:1:", "one text");
  refused ("functions: {a: {target: ., memory: [1, 2]}}", "t.yaml:1:", "one value");
  refused ("functions: &a {b: *a}", "t.yaml:1:", "");
  refused ("a: *nobody", "t.yaml:1:", "without its anchor");
  refused ("functions: {a: {target: \"\\0\"}}", "t.yaml:1:", "NUL");
}

static void
test_an_alias_bomb_ends (void **state)
{
  (void) state;
  char text[4000] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; i++)
    {
      size_t n = strlen (text);
      snprintf (text + n, sizeof text - n, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
  refused (text, "t.yaml:", "too many values");
}

static void
test_budgets (void **state)
{
  (void) state;
  lf_budget b;
  char why[300];
  static const struct { const char *measure, *text; } bad[] = {
    { "memory", "101%" }, { "memory", "0%" },      { "memory", "-5%" },   { "memory", "100" },    { "memory", "8 s" },     { "memory", "" },
    { "memory", "much" }, { "duration", "2 MB" },  { "duration", "2" },   { "tmp_growth", "5%" }, { "cold_start", "80%" }, { "layers", "2 MB" },
    { "memory", "1..2 MB" }, { "memory", "99999999999999 GB" }, { "cost_per_million", "80%" }, { "cost_per_million", "3 EUR" }, { "memory", "+" },
    { "memory", "80 %%" }, { "duration", "+999999999%" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      why[0] = 0;
      if (lf_budget_parse (lf_measure_find (bad[i].measure), bad[i].text, &b, why) == 0 || !strstr (why, *bad[i].text ? bad[i].measure : ""))
        fail_msg ("%s: \"%s\" gave: %s", bad[i].measure, bad[i].text, why);
    }
  static const struct { const char *measure, *text; lf_budget_kind kind; int64_t value; } good[] = {
    { "memory", "80%", LF_BUD_PERCENT, 800000 },  { "memory", "80 %", LF_BUD_PERCENT, 800000 }, { "memory", "12.5%", LF_BUD_PERCENT, 125000 },
    { "memory", "1.5 GB", LF_BUD_ABSOLUTE, 1610612736 }, { "memory", "10KB", LF_BUD_ABSOLUTE, 10240 }, { "tmp_growth", "0", LF_BUD_ABSOLUTE, 0 },
    { "duration", "1500us", LF_BUD_ABSOLUTE, 1500 }, { "duration", "2 min", LF_BUD_ABSOLUTE, 120000000 }, { "init", "+0%", LF_BUD_CHANGE, 0 },
    { "init", "+250 ms", LF_BUD_MORE, 250000 },  { "fds", "100", LF_BUD_ABSOLUTE, 100 },      { "layers", "2 layers", LF_BUD_ABSOLUTE, 2 },
    { "monthly_cost", "12.5 USD", LF_BUD_ABSOLUTE, INT64_C (12500000000000) },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (good); i++)
    {
      if (lf_budget_parse (lf_measure_find (good[i].measure), good[i].text, &b, why) < 0)
        fail_msg ("%s: \"%s\" refused: %s", good[i].measure, good[i].text, why);
      assert_int_equal (b.kind, good[i].kind);
      assert_int_equal (b.value, good[i].value);
    }
}

static void
test_nearest (void **state)
{
  (void) state;
  static const char *const words[] = { "memory", "duration", "tmp", "cold_start" };
  assert_string_equal (lf_nearest ("durtaion", words, 4), "duration");
  assert_string_equal (lf_nearest ("cold-start", words, 4), "cold_start");
  assert_string_equal (lf_nearest ("Memory", words, 4), "memory");
  assert_null (lf_nearest ("qwertyuiop", words, 4));
  assert_null (lf_nearest ("", words, 4) == words[1] ? "" : NULL);
}

/* ---- events, in a folder of their own ---------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/lambdafit-check-XXXXXX";

static int
enter (void **state)
{
  (void) state;
  lf_error err = { 0 };
  return !mkdtemp (folder) || chdir (folder) < 0 || mkdir ("events", 0755) < 0 || mkdir ("want", 0755) < 0
         || lf_write_file_atomic ("events/b.json", "{\"n\": 2}", 8, &err) < 0 || lf_write_file_atomic ("events/a.json", "1", 1, &err) < 0
         || lf_write_file_atomic ("events/bad.txt", "{", 1, &err) < 0 || lf_write_file_atomic ("want/a.json", "5", 1, &err) < 0
         || lf_write_file_atomic ("s.json", "{\"type\": \"string\", \"unevaluatedItems\": false}", strlen ("{\"type\": \"string\", \"unevaluatedItems\": false}"), &err) < 0;
}

static int
leave (void **state)
{
  (void) state;
  lf_error err = { 0 };
  return chdir ("/") < 0 || lf_rm_rf (folder, &err) < 0;
}

static size_t
events_of (const char *list, lf_check_event **events, lf_error *err)
{
  size_t n = 0;
  char text[600];
  snprintf (text, sizeof text, "functions:\n  a: {target: ., %s}\n", list);
  lf_check *c = parse (text, err);
  assert_non_null (c);
  *events = NULL;
  lf_check_events_load (c, &c->functions[0], events, &n, err);
  lf_check_free (c);
  return n;
}

static void
test_events (void **state)
{
  (void) state;
  lf_check_event *e;
  lf_error err;
  size_t n = events_of ("events: [events/*.json, {\"n\": 3, x: [1.5, true, ~, 'yes']}, {$size: 40}, {$size: 5}, {$event: 7, $name: seven, $expect: {equals: 8}}]", &e, &err);
  assert_int_equal (n, 6);
  assert_string_equal (e[0].name, "events/a.json");
  assert_string_equal (e[1].name, "events/b.json");
  assert_string_equal (e[1].payload.data, "{\"n\": 2}");
  assert_string_equal (e[2].payload.data, "{\"n\":3,\"x\":[1.5,true,null,\"yes\"]}");
  assert_int_equal (e[3].payload.len, 40);
  assert_int_equal (e[4].payload.len, 5);
  assert_string_equal (e[5].name, "seven");
  assert_true (e[5].equals->valuedouble == 8);
  lf_json_problem p;
  for (size_t i = 0; i < n; i++)
    assert_int_equal (lf_json_validate (e[i].payload.data, e[i].payload.len, &p), 0);
  lf_check_events_free (e, n);
  n = events_of ("cold: 1", &e, &err);
  assert_int_equal (n, 1);
  assert_string_equal (e[0].payload.data, "{}");
  lf_check_events_free (e, n);
  n = events_of ("events: [events/a.json], expect: {json: want/*.json}", &e, &err);
  assert_int_equal (n, 1);
  assert_true (e[0].json->valuedouble == 5);
  lf_check_events_free (e, n);
}

static void
test_bad_events (void **state)
{
  (void) state;
  static const char *const bad[][2] = {
    { "events: [nothing/*.json]", "no file matches" }, { "events: [events/bad.txt]", "not JSON" },     { "events: [events/a.json, events/*.json]", "twice" },
    { "events: [1]", "no file matches" },              { "events: ['-']", "standard input" },          { "events: events", "no file matches" },
    { "events: [events/b.json], expect: {json: want/*.json}", "cannot be read" },                      { "expect: {schema: s.json}", "unevaluatedItems" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      lf_check_event *e;
      lf_error err;
      assert_int_equal (events_of (bad[i][0], &e, &err), 0);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      if (!strstr (err.why, bad[i][1]))
        fail_msg ("%s gave: %s", bad[i][0], err.why);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_all_of_the_contract), cmocka_unit_test (test_defaults_and_json), cmocka_unit_test (test_bad_files),
    cmocka_unit_test (test_an_alias_bomb_ends),  cmocka_unit_test (test_budgets),           cmocka_unit_test (test_nearest),
    cmocka_unit_test (test_events),              cmocka_unit_test (test_bad_events),
  };
  return cmocka_run_group_tests (tests, enter, leave);
}
