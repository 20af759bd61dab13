/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for interpreters, in folders made for it. Interpreters must be real binaries that tell their version, so the test puts
 * itself there: called with -V or --version it answers from its own path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lambdafit/sandbox.h"

static char dir[] = "/tmp/lf-test-interp-XXXXXX";
static lf_error err;

static const char *
in_dir (const char *name)
{
  static char path[8][512];
  static unsigned turn;
  char *p = path[turn++ % 8];
  snprintf (p, sizeof path[0], "%s/%s", dir, name);
  return p;
}

static void
make_parent (const char *path)
{
  char parent[512];
  snprintf (parent, sizeof parent, "%s", path);
  *strrchr (parent, '/') = '\0';
  assert_int_equal (lf_mkdir_p (parent, 0755, &err), 0);
}

static void
put_text (const char *name, const char *text)
{
  const char *path = in_dir (name);
  make_parent (path);
  assert_int_equal (lf_write_file_atomic (path, text, strlen (text), &err), 0);
  assert_int_equal (chmod (path, 0755), 0);
}

/* One copy of this program, linked to wherever an interpreter is wanted. */
static void
put_binary (const char *name)
{
  const char *path = in_dir (name), *original = in_dir ("original");
  if (access (original, F_OK) < 0)
    {
      lf_buf b;
      lf_buf_init (&b, 0);
      assert_int_equal (lf_read_file ("/proc/self/exe", (size_t) 1 << 28, &b, &err), 0);
      assert_int_equal (lf_write_file_atomic (original, b.data, b.len, &err), 0);
      assert_int_equal (chmod (original, 0755), 0);
      lf_buf_fini (&b);
    }
  make_parent (path);
  assert_int_equal (link (original, path), 0);
}

static lf_runtime_info
runtime (lf_runtime_kind kind, int major, int minor)
{
  lf_runtime_info rt = { .kind = kind, .major = major, .minor = minor };
  snprintf (rt.id, sizeof rt.id, kind == LF_RT_PYTHON ? "python%d.%d" : "nodejs%d.x", major, minor);
  return rt;
}

static void
expect (const lf_runtime_info *rt, const char *by_hand, const char *path, const char *version, const char *prefix, bool exact)
{
  lf_interpreter i;
  if (lf_interpreter_find (rt, by_hand, &i, &err) < 0)
    fail_msg ("%s: %s: %s", rt->id, err.what, err.why);
  assert_string_equal (i.path, in_dir (path));
  assert_string_equal (i.version, version);
  assert_string_equal (i.prefix, *prefix ? in_dir (prefix) : dir);
  assert_int_equal (i.exact, exact);
  lf_interpreter_fini (&i);
  lf_interpreter_fini (&i);
}

static void
clear (void)
{
  assert_int_equal (lf_rm_rf (in_dir ("home"), &err), 0);
  assert_int_equal (lf_rm_rf (in_dir ("bin"), &err), 0);
}

static void
nothing_is_an_error_that_says_what_to_install (void **state)
{
  (void) state;
  clear ();
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  lf_interpreter i;
  assert_int_equal (lf_interpreter_find (&rt, NULL, &i, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_non_null (strstr (err.fix, "apt-get install python3"));
  rt = runtime (LF_RT_NODEJS, 22, 0);
  assert_int_equal (lf_interpreter_find (&rt, NULL, &i, &err), -1);
  assert_non_null (strstr (err.fix, "nodejs"));
  rt = runtime (LF_RT_PROVIDED, 0, 0);
  assert_int_equal (lf_interpreter_find (&rt, NULL, &i, &err), -1);
}

static void
exact_python_wins_wherever_it_is (void **state)
{
  (void) state;
  clear ();
  put_binary ("bin/python3.11");
  put_binary ("home/.pyenv/versions/3.12.1/bin/python3.12");
  put_text ("home/.pyenv/shims/python3.12", "#!/bin/sh\nexit 1\n");
  put_binary ("home/.local/share/uv/python/cpython-3.13.2-linux-x86_64-gnu/bin/python3.13");
  put_binary ("home/miniconda3/envs/ml/bin/python3.9");
  put_binary ("home/.asdf/installs/python/3.8.20/bin/python3.8");
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  expect (&rt, NULL, "home/.pyenv/versions/3.12.1/bin/python3.12", "3.12.4", "home/.pyenv/versions/3.12.1", true);
  rt = runtime (LF_RT_PYTHON, 3, 11);
  expect (&rt, NULL, "bin/python3.11", "3.11.4", "", true);
  rt = runtime (LF_RT_PYTHON, 3, 13);
  expect (&rt, NULL, "home/.local/share/uv/python/cpython-3.13.2-linux-x86_64-gnu/bin/python3.13", "3.13.4",
          "home/.local/share/uv/python/cpython-3.13.2-linux-x86_64-gnu", true);
  rt = runtime (LF_RT_PYTHON, 3, 9);
  expect (&rt, NULL, "home/miniconda3/envs/ml/bin/python3.9", "3.9.4", "home/miniconda3/envs/ml", true);
  rt = runtime (LF_RT_PYTHON, 3, 8);
  expect (&rt, NULL, "home/.asdf/installs/python/3.8.20/bin/python3.8", "3.8.4", "home/.asdf/installs/python/3.8.20", true);
}

static void
nearest_is_taken_when_there_is_no_exact_one (void **state)
{
  (void) state;
  clear ();
  put_binary ("bin/python3.9");
  put_binary ("bin/python3.11");
  put_binary ("bin/python3.13");
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  expect (&rt, NULL, "bin/python3.13", "3.13.4", "", false); /* of two equally near, the newer */
  rt = runtime (LF_RT_PYTHON, 3, 8);
  expect (&rt, NULL, "bin/python3.9", "3.9.4", "", false);
  rt = runtime (LF_RT_PYTHON, 3, 15);
  expect (&rt, NULL, "bin/python3.13", "3.13.4", "", false);
}

static void
links_are_resolved_and_scripts_are_not_interpreters (void **state)
{
  (void) state;
  clear ();
  put_text ("bin/python3.12", "#!/bin/sh\necho Python 3.12.4\n");
  put_text ("bin/python3.12-config", "#!/bin/sh\n");
  put_text ("bin/python", "");
  put_binary ("home/venvs/base/bin/python3.10");
  assert_int_equal (symlink (in_dir ("home/venvs/base/bin/python3.10"), in_dir ("bin/python3")), 0);
  assert_int_equal (symlink ("nowhere", in_dir ("bin/python3.14")), 0);
  assert_int_equal (symlink ("python3.15", in_dir ("bin/python3.15")), 0);
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  expect (&rt, NULL, "home/venvs/base/bin/python3.10", "3.10.4", "home/venvs/base", false);
}

static void
a_broken_binary_is_passed_over (void **state)
{
  (void) state;
  clear ();
  put_text ("bin/python3.12", "\177ELF but nothing that runs");
  put_binary ("bin/python3.11");
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  expect (&rt, NULL, "bin/python3.11", "3.11.4", "", false);
}

static void
node_of_every_manager (void **state)
{
  (void) state;
  clear ();
  put_binary ("home/.nvm/versions/node/v18.20.4/bin/node");
  put_binary ("home/.nvm/versions/node/v22.9.0/bin/node");
  put_binary ("home/.local/share/fnm/node-versions/v20.11.1/installation/bin/node");
  put_binary ("home/.local/share/mise/installs/node/24.1.0/bin/node");
  static const struct
  {
    int major;
    const char *path, *version, *prefix;
    bool exact;
  } t[] = {
    { 18, "home/.nvm/versions/node/v18.20.4/bin/node", "18.20.4", "home/.nvm/versions/node/v18.20.4", true },
    { 22, "home/.nvm/versions/node/v22.9.0/bin/node", "22.9.0", "home/.nvm/versions/node/v22.9.0", true },
    { 20, "home/.local/share/fnm/node-versions/v20.11.1/installation/bin/node", "20.11.1",
      "home/.local/share/fnm/node-versions/v20.11.1/installation", true },
    { 24, "home/.local/share/mise/installs/node/24.1.0/bin/node", "24.1.0", "home/.local/share/mise/installs/node/24.1.0", true },
    { 26, "home/.local/share/mise/installs/node/24.1.0/bin/node", "24.1.0", "home/.local/share/mise/installs/node/24.1.0", false },
    { 16, "home/.nvm/versions/node/v18.20.4/bin/node", "18.20.4", "home/.nvm/versions/node/v18.20.4", false },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (t); i++)
    {
      lf_runtime_info rt = runtime (LF_RT_NODEJS, t[i].major, 0);
      expect (&rt, NULL, t[i].path, t[i].version, t[i].prefix, t[i].exact);
    }
}

static void
a_choice_by_hand_is_checked (void **state)
{
  (void) state;
  clear ();
  put_binary ("bin/python3.11");
  put_binary ("home/v9.8.7/bin/node");
  put_text ("bin/script", "#!/bin/sh\n");
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  expect (&rt, in_dir ("bin/python3.11"), "bin/python3.11", "3.11.4", "", false);
  expect (&rt, "python3.11", "bin/python3.11", "3.11.4", "", false);
  lf_interpreter i;
  assert_int_equal (lf_interpreter_find (&rt, in_dir ("absent"), &i, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_UNSUPPORTED);
  assert_int_equal (lf_interpreter_find (&rt, "no-such-name", &i, &err), -1);
  assert_int_equal (lf_interpreter_find (&rt, in_dir ("bin/script"), &i, &err), -1);
  assert_non_null (strstr (err.why, "script"));
  assert_int_equal (lf_interpreter_find (&rt, dir, &i, &err), -1);
  rt = runtime (LF_RT_PYTHON, 3, 12);
  assert_int_equal (lf_interpreter_find (&rt, in_dir ("home/v9.8.7/bin/node"), &i, &err), -1);
  assert_non_null (strstr (err.why, "no Python interpreter"));
}

static void
the_real_clients_are_found (void **state)
{
  (void) state;
  clear ();
  lf_runtime_info rt = runtime (LF_RT_PYTHON, 3, 12);
  lf_interpreter i = { .version = lf_strdup ("3.12.4"), .path = lf_strdup (in_dir ("bin/python3.12")), .prefix = lf_strdup (in_dir ("home/py")) };
  assert_int_equal (lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err), 0);
  assert_false (i.own_client);
  put_text ("task/awslambdaric/bootstrap.py", "");
  put_text ("task/runtime_client.cpython-311-x86_64-linux-gnu.so", "");
  lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err);
  assert_false (i.own_client); /* built for another Python */
  put_text ("opt/python/lib/python3.12/site-packages/awslambdaric/bootstrap.py", "");
  put_text ("opt/python/lib/python3.12/site-packages/runtime_client.cpython-312-x86_64-linux-gnu.so", "");
  lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err);
  assert_true (i.own_client);
  lf_interpreter_client (&i, &rt, in_dir ("task"), NULL, &err);
  assert_false (i.own_client);
  put_text ("home/py/lib/python3.12/site-packages/awslambdaric/bootstrap.py", "");
  put_text ("home/py/lib/python3.12/site-packages/runtime_client.cpython-312-x86_64-linux-gnu.so", "");
  lf_interpreter_client (&i, &rt, in_dir ("task"), NULL, &err);
  assert_true (i.own_client);

  rt = runtime (LF_RT_NODEJS, 22, 0);
  lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err);
  assert_false (i.own_client);
  put_text ("opt/nodejs/node_modules/aws-lambda-ric/package.json", "{\"bin\":{\"aws-lambda-ric\":\"./index.mjs\"}}");
  put_text ("opt/nodejs/node_modules/aws-lambda-ric/index.mjs", "");
  lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err);
  assert_false (i.own_client); /* its native part was never built */
  put_text ("opt/nodejs/node_modules/aws-lambda-ric/rapid-client.node", "");
  lf_interpreter_client (&i, &rt, in_dir ("task"), in_dir ("opt"), &err);
  assert_true (i.own_client);
  assert_string_equal (i.client_argv0, "/opt/nodejs/node_modules/aws-lambda-ric/index.mjs");
  put_text ("task/node_modules/aws-lambda-ric/rapid-client.node", "");
  put_text ("task/node_modules/aws-lambda-ric/package.json", "{\"bin\":\"../../../etc/passwd\"}");
  lf_interpreter_client (&i, &rt, in_dir ("task"), NULL, &err);
  assert_false (i.own_client);
  put_text ("task/node_modules/aws-lambda-ric/package.json", "{ not json");
  lf_interpreter_client (&i, &rt, in_dir ("task"), NULL, &err);
  assert_false (i.own_client);
  lf_interpreter_fini (&i);
}

/* The part of an interpreter that is played here. */
static int
answer_version (const char *self)
{
  const char *name = strrchr (self, '/') + 1;
  if (lf_starts (name, "python3."))
    return printf ("Python %s.4\n", name + strlen ("python")) < 0;
  const char *v = NULL;
  for (const char *p = self; (p = strchr (p, '/')) != NULL; p++)
    if (p[1 + (p[1] == 'v')] >= '0' && p[1 + (p[1] == 'v')] <= '9')
      v = p + 1 + (p[1] == 'v');
  return !v || printf ("v%.*s\n", (int) strcspn (v, "/"), v) < 0;
}

static int
setup (void **state)
{
  (void) state;
  if (!mkdtemp (dir))
    return -1;
  clearenv ();
  setenv ("HOME", in_dir ("home"), 1);
  setenv ("PATH", in_dir ("bin"), 1);
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  return lf_rm_rf (dir, &err);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && (strcmp (argv[1], "-V") == 0 || strcmp (argv[1], "--version") == 0))
    return answer_version (argv[0]);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (nothing_is_an_error_that_says_what_to_install),
    cmocka_unit_test (exact_python_wins_wherever_it_is),
    cmocka_unit_test (nearest_is_taken_when_there_is_no_exact_one),
    cmocka_unit_test (links_are_resolved_and_scripts_are_not_interpreters),
    cmocka_unit_test (a_broken_binary_is_passed_over),
    cmocka_unit_test (node_of_every_manager),
    cmocka_unit_test (a_choice_by_hand_is_checked),
    cmocka_unit_test (the_real_clients_are_found),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
