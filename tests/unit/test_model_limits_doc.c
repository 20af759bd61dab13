/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/limits.md says what limits.def and the shipped profiles say, and has a whole section for every limit.
 */
#include "model_help.h"

#include "src/model/limits_doc.h"

static void
read_page (lf_buf *page)
{
  lf_error err = { 0 };
  char *path = lf_asprintf ("%s/docs/limits.md", getenv ("TOP_SRCDIR") != NULL ? getenv ("TOP_SRCDIR") : ".");
  lf_buf_init (page, 0);
  if (lf_read_file (path, 1 << 20, page, &err) != 0)
    fail_msg ("%s: %s", err.what, err.why);
  free (path);
}

static void
page_is_current (void **state)
{
  lf_buf page, out;
  lf_error err = { 0 };
  lf_profile *profiles[] = { now26, then20 };
  (void) state;
  read_page (&page);
  lf_buf_init (&out, 0);
  if (lf_limits_doc_update (page.data, &out, profiles, 2, &err) != 0)
    fail_msg ("%s: %s", err.what, err.why);
  if (strcmp (page.data, out.data) != 0)
    fail_msg ("docs/limits.md is out of date: run `make limits-doc`");
  assert_non_null (strstr (out.data, "| 262,144,000 | 262,144,000 | lambdafit | before the first invocation |"));
  lf_buf_fini (&page);
  lf_buf_fini (&out);
}

/* Each section is headed by the limit's id (its anchor) and tells how it is enforced, what Lambda answers and how to fix it. */
static void
every_limit_has_a_section (void **state)
{
  lf_buf page;
  (void) state;
  read_page (&page);
  for (int i = 0; i < LF_LIM_COUNT; i++)
    {
      char heading[64];
      snprintf (heading, sizeof heading, "\n## %s\n", lf_limit_get ((lf_limit) i)->id);
      const char *section = strstr (page.data, heading);
      if (section == NULL)
        {
          fail_msg ("no section %s", heading);
          return; /* never, but the compiler does not know */
        }
      const char *end = strstr (section + 4, "\n## ");
      char *text = lf_strndup (section, end != NULL ? (size_t) (end - section) : strlen (section));
      if (strstr (text, "cgroup") == NULL || strstr (text, "To fix: ") == NULL || strlen (text) < 400)
        fail_msg ("the section on %s is not whole", lf_limit_get ((lf_limit) i)->id);
      free (text);
    }
  lf_buf_fini (&page);
}

/* What a rule is about has a section, so that its link leads somewhere. */
static void
every_subject_has_a_section (void **state)
{
  lf_buf page;
  const lf_rule_info *rules;
  size_t n = lf_rules (&rules);
  (void) state;
  read_page (&page);
  assert_true (n > 40);
  for (size_t i = 0; i < n; i++)
    {
      char heading[64];
      snprintf (heading, sizeof heading, "\n## %s\n", rules[i].subject);
      if (strstr (page.data, heading) == NULL)
        fail_msg ("no section for %s", rules[i].subject);
    }
  lf_buf_fini (&page);
}

static void
broken_pages (void **state)
{
  static const struct
  {
    const char *page, *why;
  } cases[] = {
    { "", "there is no generated part for: duration" },
    { "<!-- generated: table -->\n", "a generated part has no end: table" },
    { "<!-- generated: table -->", "a generated part has no end: table" },
    { "<!-- generated: nonsense -->\n<!-- end -->", "no such limit: nonsense" },
  };
  lf_profile *profiles[] = { now26, then20 };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_buf out;
      lf_error err = { 0 };
      lf_buf_init (&out, 0);
      assert_int_equal (lf_limits_doc_update (cases[i].page, &out, profiles, 2, &err), -1);
      assert_string_equal (err.why, cases[i].why);
      lf_buf_fini (&out);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (page_is_current),
    cmocka_unit_test (every_limit_has_a_section),
    cmocka_unit_test (every_subject_has_a_section),
    cmocka_unit_test (broken_pages),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
