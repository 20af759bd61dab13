/* SPDX-License-Identifier: Apache-2.0
 *
 * What an environment is made of, against what was recorded on Lambda. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lambdafit/sandbox.h"

static char dir[] = "/tmp/lf-test-plan-XXXXXX";
static lf_profile *profile;
static char *no_env[] = { NULL };

/* Strings of a function as a test needs them: constants, so nothing is freed but the arrays. */
typedef struct fixture
{
  lf_function f;
  lf_interpreter i;
  lf_sb_plan_input in;
  lf_sb_plan p;
  lf_error err;
} fixture;

static char *
text (const char *s)
{
  return (char *) (uintptr_t) s;
}

static void
fix (fixture *t, lf_runtime_kind kind, const char *id, int major, int minor)
{
  *t = (fixture){ 0 };
  t->f.name = text ("Classify");
  t->f.version = text ("$LATEST");
  t->f.handler = text ("app.handler");
  t->f.region = text ("eu-west-1");
  t->f.memory_mb = 1024;
  t->f.tmp_mb = 512;
  t->f.rt.kind = kind;
  snprintf (t->f.rt.id, sizeof t->f.rt.id, "%s", id);
  t->f.rt.major = major;
  t->f.rt.minor = minor;
  t->i.path = text ("/usr/bin/python3.12");
  t->i.version = text ("3.12.4");
  t->in = (lf_sb_plan_input){ .f = &t->f, .p = profile, .interp = kind == LF_RT_PROVIDED ? NULL : &t->i, .task_dir = dir,
                              .runtime_dir = "/usr/share/lambdafit/runtimes/python", .log_stream = "2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef",
                              .host_env = no_env };
}

static void
make (fixture *t)
{
  if (lf_sb_plan_make (&t->in, &t->p, &t->err) < 0)
    fail_msg ("%s: %s", t->err.what, t->err.why);
}

static void
done (fixture *t)
{
  lf_sb_plan_fini (&t->p);
  lf_strv_fini (&t->f.env);
}

static void
expect_env (const fixture *t, const char *const *pairs)
{
  for (; pairs[0]; pairs += 2)
    {
      const char *v = lf_strv_env (&t->p.env, pairs[0]);
      if (!v || strcmp (v, pairs[1]) != 0)
        fail_msg ("%s is \"%s\", expected \"%s\"", pairs[0], v ? v : "(absent)", pairs[1]);
    }
}

static void
expect_argv (const fixture *t, const char *const *argv)
{
  size_t n = 0;
  for (; argv[n]; n++)
    {
      assert_true (n < t->p.argv.n);
      assert_string_equal (t->p.argv.v[n], argv[n]);
    }
  assert_int_equal (t->p.argv.n, n);
}

static void
python_has_the_recorded_variables (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  make (&t);
  static const char *const env[] = {
    "AWS_REGION", "eu-west-1", "AWS_DEFAULT_REGION", "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME", "Classify", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024",
    "AWS_LAMBDA_FUNCTION_VERSION", "$LATEST", "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/Classify",
    "AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef", "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR",
    "AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000", "_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1", "_AWS_XRAY_DAEMON_PORT", "2000",
    "LAMBDA_TASK_ROOT", "/var/task", "LAMBDA_RUNTIME_DIR", "/var/runtime", "LANG", "en_US.UTF-8", "TZ", ":UTC", "_HANDLER", "app.handler",
    "LD_LIBRARY_PATH", "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin", "AWS_EXECUTION_ENV", "AWS_Lambda_python3.12", "PWD", "/var/task", "SHLVL", "0",
    "PYTHONPATH", "/var/runtime", "LC_CTYPE", "C.UTF-8", NULL };
  expect_env (&t, env);
  assert_non_null (lf_strv_env (&t.p.env, "AWS_LAMBDA_RUNTIME_API"));
  assert_non_null (lf_strv_env (&t.p.env, "AWS_ACCESS_KEY_ID"));
  assert_non_null (lf_strv_env (&t.p.env, "AWS_SECRET_ACCESS_KEY"));
  assert_non_null (lf_strv_env (&t.p.env, "AWS_SESSION_TOKEN"));
  assert_null (lf_strv_env (&t.p.env, "_X_AMZN_TRACE_ID"));
  assert_null (lf_strv_env (&t.p.env, "AWS_LAMBDA_LOG_FORMAT"));
  assert_null (lf_strv_env (&t.p.env, "HOME"));
  assert_null (lf_strv_env (&t.p.env, "NODE_PATH"));
  static const char *const argv[] = { "/usr/bin/python3.12", "-S", "-s", "/var/runtime/bootstrap.py", "app.handler", NULL };
  expect_argv (&t, argv);
  assert_int_equal (t.p.binds_n, 0);
  assert_string_equal (t.p.runtime_dir, "/usr/share/lambdafit/runtimes/python");
  assert_int_equal (t.p.memory_bytes, 1024 * LF_MB);
  assert_int_equal (t.p.tmp_bytes, 512 * LF_MB);
  assert_int_equal (t.p.cpu_milli, lf_profile_cpu_milli (profile, 1024));
  assert_int_equal (t.p.visible_cpus, lf_profile_visible_cpus (profile, 1024));
  assert_int_equal (t.p.fds, 1024);
  assert_int_equal (t.p.processes, profile->processes_max);
  assert_int_equal (t.p.nproc_rlimit, profile->nproc_rlimit);
  done (&t);
}

static void
provided_has_no_language (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_PROVIDED, "provided.al2023", 0, 0);
  make (&t);
  static const char *const env[] = { "LD_LIBRARY_PATH", "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
                                     "PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin", NULL };
  expect_env (&t, env);
  static const char *const absent[] = { "AWS_EXECUTION_ENV", "PYTHONPATH", "NODE_PATH", "LC_CTYPE", "PWD", "SHLVL" };
  for (size_t i = 0; i < LF_ARRAY_LEN (absent); i++)
    assert_null (lf_strv_env (&t.p.env, absent[i]));
  assert_null (t.p.runtime_dir);
  done (&t);
}

static void
touch (const char *path)
{
  FILE *f = fopen (path, "w");
  assert_non_null (f);
  fclose (f);
}

static void
bootstrap_is_looked_for_in_order (void **state)
{
  (void) state;
  char task[300], opt[300], path[320];
  snprintf (task, sizeof task, "%s/task", dir);
  snprintf (opt, sizeof opt, "%s/opt", dir);
  mkdir (task, 0755);
  mkdir (opt, 0755);
  static const char *const none[] = { "/var/task/bootstrap", NULL }, *const layer[] = { "/opt/bootstrap", NULL };
  fixture t;
  fix (&t, LF_RT_PROVIDED, "provided.al2", 0, 0);
  t.in.task_dir = task;
  t.in.opt_dir = opt;
  make (&t);
  expect_argv (&t, none);
  lf_sb_plan_fini (&t.p);
  snprintf (path, sizeof path, "%s/bootstrap", opt);
  touch (path);
  make (&t);
  expect_argv (&t, layer);
  lf_sb_plan_fini (&t.p);
  snprintf (path, sizeof path, "%s/bootstrap", task);
  touch (path);
  make (&t);
  expect_argv (&t, none);
  assert_string_equal (t.p.opt_dir, opt);
  done (&t);
}

static void
users_variables_replace_defaults_only (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  static const char *const user[] = { "TZ=Europe/Amsterdam", "PYTHONPATH=/var/task/lib", "PATH=/x", "MODEL=a=b", "EMPTY=", "AWS_REGION=mars-1",
                                      "_HANDLER=evil", "AWS_LAMBDA_RUNTIME_API=1.2.3.4:1", "not a pair", "MODEL=last" };
  for (size_t i = 0; i < LF_ARRAY_LEN (user); i++)
    lf_strv_add (&t.f.env, user[i]);
  make (&t);
  static const char *const env[] = { "TZ", "Europe/Amsterdam", "PYTHONPATH", "/var/task/lib", "PATH", "/x", "MODEL", "last", "EMPTY", "",
                                     "AWS_REGION", "eu-west-1", "_HANDLER", "app.handler", "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001", NULL };
  expect_env (&t, env);
  for (size_t i = 0; i < t.p.env.n; i++)
    assert_non_null (strchr (t.p.env.v[i], '='));
  done (&t);
}

static void
json_logging_adds_its_variables (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.f.log_format = LF_LOG_JSON;
  make (&t);
  static const char *const env[] = { "AWS_LAMBDA_LOG_FORMAT", "JSON", "AWS_LAMBDA_LOG_LEVEL", "INFO", NULL };
  expect_env (&t, env);
  done (&t);
}

static void
credentials_pass_only_when_asked (void **state)
{
  (void) state;
  char *host[] = { text ("AWS_ACCESS_KEY_ID=real"), text ("AWS_SECRET_ACCESS_KEY=secret"), text ("AWS_ENDPOINT_URL=http://127.0.0.1:4566"),
                   text ("AWS_ENDPOINT_URL_S3=http://s3"), text ("AWS_PROFILE=me"), text ("SECRET=x"), NULL };
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.in.host_env = host;
  lf_strv_add (&t.f.env, "AWS_ENDPOINT_URL_S3=http://own");
  make (&t);
  static const char *const env[] = { "AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_S3", "http://own", NULL };
  expect_env (&t, env);
  assert_string_not_equal (lf_strv_env (&t.p.env, "AWS_ACCESS_KEY_ID"), "real");
  assert_null (lf_strv_env (&t.p.env, "AWS_PROFILE"));
  assert_null (lf_strv_env (&t.p.env, "SECRET"));
  lf_sb_plan_fini (&t.p);
  t.in.pass_credentials = true;
  make (&t);
  static const char *const real[] = { "AWS_ACCESS_KEY_ID", "real", "AWS_SECRET_ACCESS_KEY", "secret", NULL };
  expect_env (&t, real);
  assert_null (lf_strv_env (&t.p.env, "AWS_SESSION_TOKEN")); /* a placeholder would make real long-term keys invalid */
  lf_sb_plan_fini (&t.p);
  t.in.host_env = no_env; /* asked for, but there are none: placeholders, so that SDKs do not search on */
  make (&t);
  assert_non_null (lf_strv_env (&t.p.env, "AWS_SESSION_TOKEN"));
  done (&t);
}

static void
node_commands (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_NODEJS, "nodejs22.x", 22, 0);
  t.i.path = text ("/usr/bin/node");
  make (&t);
  static const char *const own[] = { "/usr/bin/node", "--max-old-space-size=512", "/var/runtime/bootstrap.mjs", "app.handler", NULL };
  static const char *const real[]
      = { "/opt/wrap", "/usr/bin/node", "/var/task/node_modules/aws-lambda-ric/index.mjs", "app.handler", NULL };
  static const char *const env[]
      = { "NODE_PATH", "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task", NULL };
  expect_argv (&t, own);
  expect_env (&t, env);
  lf_sb_plan_fini (&t.p);
  t.i.own_client = true;
  t.i.client_argv0 = text ("/var/task/node_modules/aws-lambda-ric/index.mjs");
  lf_strv_add (&t.f.env, "NODE_OPTIONS=--max-old-space-size=700");
  lf_strv_add (&t.f.env, "AWS_LAMBDA_EXEC_WRAPPER=/opt/wrap");
  make (&t);
  expect_argv (&t, real);
  lf_sb_plan_fini (&t.p);
  lf_strv_fini (&t.f.env);
  t.f.memory_mb = 10240;
  make (&t);
  assert_string_equal (t.p.argv.v[1], "--max-old-space-size=2048");
  done (&t);
}

static void
the_real_python_client_is_started (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.i.own_client = true;
  make (&t);
  static const char *const argv[]
      = { "/usr/bin/python3.12", "-S", "-s", "/var/runtime/bootstrap.py", "--awslambdaric", "app.handler", NULL };
  expect_argv (&t, argv);
  done (&t);
}

static void
interpreters_are_shown_by_their_prefix (void **state)
{
  (void) state;
  static const struct
  {
    const char *path, *prefix, *from, *to, *argv0;
  } c[] = {
    { "/home/u/.pyenv/versions/3.12.4/bin/python3.12", "/home/u/.pyenv/versions/3.12.4", "/home/u/.pyenv/versions/3.12.4",
      "/home/u/.pyenv/versions/3.12.4", "/home/u/.pyenv/versions/3.12.4/bin/python3.12" },
    { "/opt/conda/bin/python3.12", "/opt/conda", "/opt/conda", "/opt/conda", "/opt/conda/bin/python3.12" },
    { "/tmp/py/bin/python3.12", "/tmp/py", "/tmp/py", "/var/lang", "/var/lang/bin/python3.12" },
    { "/home/u/.local/bin/python3.12", "/home/u/.local", "/home/u/.local/bin/python3.12", "/home/u/.local/bin/python3.12",
      "/home/u/.local/bin/python3.12" },
    { "/home/u/bin/python3.12", "/home/u", "/home/u/bin/python3.12", "/home/u/bin/python3.12", "/home/u/bin/python3.12" },
  };
  char *host[] = { text ("HOME=/home/u"), NULL };
  for (size_t k = 0; k < LF_ARRAY_LEN (c); k++)
    {
      fixture t;
      fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
      t.in.host_env = host;
      t.i.path = text (c[k].path);
      t.i.prefix = text (c[k].prefix);
      make (&t);
      assert_int_equal (t.p.binds_n, 1);
      assert_string_equal (t.p.binds[0].from, c[k].from);
      assert_string_equal (t.p.binds[0].to, c[k].to);
      assert_string_equal (t.p.argv.v[0], c[k].argv0);
      done (&t);
    }
}

static void
a_home_that_is_a_prefix_shows_only_the_interpreter (void **state)
{
  (void) state;
  char bin[320], lib[320], std[340], secret[320], home[320];
  snprintf (bin, sizeof bin, "%s/bin", dir);
  snprintf (lib, sizeof lib, "%s/lib", dir);
  snprintf (std, sizeof std, "%s/python3.12", lib);
  snprintf (secret, sizeof secret, "%s/.ssh", dir);
  snprintf (home, sizeof home, "HOME=%s", dir);
  mkdir (bin, 0755);
  mkdir (lib, 0755);
  mkdir (std, 0755);
  mkdir (secret, 0700);
  char exe[340];
  snprintf (exe, sizeof exe, "%s/python3.12", bin);
  char *host[] = { home, NULL };
  fixture t;
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.in.host_env = host;
  t.i.path = exe;
  t.i.prefix = dir;
  make (&t);
  assert_int_equal (t.p.binds_n, 2);
  assert_string_equal (t.p.binds[0].from, exe);
  assert_string_equal (t.p.binds[1].from, std);
  done (&t);
}

static void
what_cannot_be_planned_is_said (void **state)
{
  (void) state;
  fixture t;
  fix (&t, LF_RT_REFUSED, "java21", 0, 0);
  t.f.rt.instead = "package it as provided.al2023";
  assert_int_equal (lf_sb_plan_make (&t.in, &t.p, &t.err), -1);
  assert_int_equal (t.err.exit, LF_EXIT_UNSUPPORTED);
  assert_string_equal (t.err.fix, "package it as provided.al2023");
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.in.interp = NULL;
  assert_int_equal (lf_sb_plan_make (&t.in, &t.p, &t.err), -1);
  fix (&t, LF_RT_PYTHON, "python3.12", 3, 12);
  t.f.handler = NULL;
  assert_int_equal (lf_sb_plan_make (&t.in, &t.p, &t.err), -1);
  assert_int_equal (t.err.exit, LF_EXIT_USAGE);
  lf_sb_plan_fini (NULL);
}

static int
setup (void **state)
{
  (void) state;
  lf_error err;
  profile = lf_profile_load (LF_PROFILE_DEFAULT, &err);
  return profile && mkdtemp (dir) ? 0 : -1;
}

static int
teardown (void **state)
{
  (void) state;
  lf_error err;
  lf_profile_free (profile);
  return lf_rm_rf (dir, &err);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (python_has_the_recorded_variables),
    cmocka_unit_test (provided_has_no_language),
    cmocka_unit_test (bootstrap_is_looked_for_in_order),
    cmocka_unit_test (users_variables_replace_defaults_only),
    cmocka_unit_test (json_logging_adds_its_variables),
    cmocka_unit_test (credentials_pass_only_when_asked),
    cmocka_unit_test (node_commands),
    cmocka_unit_test (the_real_python_client_is_started),
    cmocka_unit_test (interpreters_are_shown_by_their_prefix),
    cmocka_unit_test (a_home_that_is_a_prefix_shows_only_the_interpreter),
    cmocka_unit_test (what_cannot_be_planned_is_said),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
