/* SPDX-License-Identifier: Apache-2.0
 *
 * What the control plane refuses about a function's settings, in its own words. Each check is one small function; they run in order
 * and the first that fails decides.
 */
#include "lambdafit/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "function.h"

#define WHAT "function configuration"
#define INVALID "1 validation error detected: Value '%.300s' at '%s' failed to satisfy constraint: %s"
#define INVALID_NUM                                                                                                                \
  "1 validation error detected: Value '%" PRId64                                                                                   \
  "' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %" PRId64

static const char *const reserved_keys[] = {
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_EXECUTION_ENV",
  "AWS_LAMBDA_FUNCTION_NAME",
  "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
  "AWS_LAMBDA_FUNCTION_VERSION",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_LAMBDA_RUNTIME_API",
  "LAMBDA_TASK_ROOT",
  "LAMBDA_RUNTIME_DIR",
  "AWS_LAMBDA_MAX_CONCURRENCY",
  "AWS_LAMBDA_METADATA_API",
  "AWS_LAMBDA_METADATA_TOKEN",
};

bool
lf_env_key_reserved (const char *key)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (reserved_keys); i++)
    if (strcmp (key, reserved_keys[i]) == 0)
      return true;
  return false;
}

static int
check_name (const lf_function *f, lf_error *err)
{
  const char *fix = "use letters, digits, hyphens and underscores, at most 64 (--name)";
  if (f->name == NULL || f->name[0] == '\0')
    return LF_FAIL (
        err, LF_EXIT_USAGE, WHAT, fix,
        "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null");
  if (!lf_function_name_plain (f->name))
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix, INVALID "%s", f->name, "functionName",
                    "Member must satisfy regular expression pattern: ", LF_FUNCTION_NAME_PATTERN);
  if (strlen (f->name) > 64)
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix, INVALID, f->name, "functionName",
                    "Member must have length less than or equal to 64");
  return 0;
}

static int
check_handler (const lf_function *f, lf_runtime_kind kind, lf_error *err)
{
  const char *fix = "name it as FILE.FUNCTION, for example lambda_function.lambda_handler (--handler)";
  if (f->handler == NULL || f->handler[0] == '\0')
    return kind == LF_RT_PROVIDED
               ? 0
               : LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix,
                          "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
  if (strpbrk (f->handler, " \t\r\n\f\v") != NULL)
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix, INVALID, f->handler, "handler",
                    "Member must satisfy regular expression pattern: [^\\s]+");
  if (strlen (f->handler) > 128)
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix, INVALID, f->handler, "handler",
                    "Member must have length less than or equal to 128");
  return 0;
}

static int
check_runtime (const lf_function *f, lf_error *err)
{
  lf_runtime_info rt;
  if (lf_runtime_parse (f->runtime, &rt, err) != 0)
    return -1;
  if (rt.kind == LF_RT_REFUSED)
    return LF_FAIL (err, LF_EXIT_USAGE, rt.id, rt.instead, "lambdafit does not run the managed runtime %s", rt.id);
  return check_handler (f, rt.kind, err);
}

static int
check_range (const char *member, const char *option, const char *unit, int64_t v, int64_t min, int64_t max, lf_error *err)
{
  char fix[160];
  if (v >= min && v <= max)
    return 0;
  if (min == max)
    snprintf (fix, sizeof fix, "this platform has exactly %" PRId64 " %s: leave out %s", min, unit, option);
  else
    snprintf (fix, sizeof fix, "choose from %" PRId64 " to %" PRId64 " %s (%s)", min, max, unit, option);
  return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix, INVALID_NUM, v == LF_NONE ? 0 : v, member, v < min ? "greater" : "less",
                  v < min ? min : max);
}

static int
check_sizes (const lf_function *f, const lf_profile *p, lf_error *err)
{
  if (check_range ("memorySize", "--memory", "MB", f->memory_mb, p->memory_min_mb, p->memory_max_mb, err) != 0)
    return -1;
  if (p->memory_step_mb > 1 && (f->memory_mb - p->memory_min_mb) % p->memory_step_mb != 0)
    {
      char fix[120];
      int64_t lower = f->memory_mb - (f->memory_mb - p->memory_min_mb) % p->memory_step_mb;
      snprintf (fix, sizeof fix, "use %" PRId64 " or %" PRId64 " MB (--memory)", lower, lower + p->memory_step_mb);
      return LF_FAIL (err, LF_EXIT_USAGE, WHAT, fix,
                      "1 validation error detected: Value '%" PRId64 "' at 'memorySize' failed to satisfy constraint: "
                      "Member must be a multiple of %" PRId64,
                      f->memory_mb, p->memory_step_mb);
    }
  /* The timeout is whole seconds on the service; milliseconds are kept so that tests can be quick, but the range is its own. */
  int64_t ms = f->timeout_ms, seconds = ms == LF_NONE || ms < 0 ? 0 : ms / 1000 + (ms % 1000 != 0);
  if (check_range ("timeout", "--timeout", "seconds", seconds, p->timeout_min_s, p->timeout_max_s, err) != 0)
    return -1;
  return check_range ("ephemeralStorage.size", "--tmp", "MB", f->tmp_mb, p->tmp_min_mb, p->tmp_max_mb, err);
}

bool
lf_function_arch_offered (const lf_profile *p, lf_arch arch)
{
  bool any = false;
  if ((unsigned) arch >= LF_ARCH_COUNT)
    return false;
  for (size_t i = 0; i < p->prices_n; i++)
    {
      if (p->prices[i].duration_tiers[arch] > 0)
        return true;
      any = any || p->prices[i].duration_tiers[LF_ARCH_X86_64] > 0;
    }
  return !any;
}

static int
check_era (const lf_function *f, const lf_profile *p, lf_error *err)
{
  if (!lf_function_arch_offered (p, f->arch))
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, "use --arch x86_64 or a later profile", INVALID, lf_arch_name (f->arch),
                    "architectures", "Member must satisfy enum value set: [x86_64]");
  if (f->log_format == LF_LOG_JSON && p->style == LF_STYLE_2020)
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, "use --log-format text or a later profile", "the platform %s has no JSON log format",
                    p->name);
  return 0;
}

/* [a-zA-Z]([a-zA-Z0-9_])+ */
static bool
env_key_valid (const char *k, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      bool letter = (k[i] >= 'a' && k[i] <= 'z') || (k[i] >= 'A' && k[i] <= 'Z');
      if (!letter && (i == 0 || !((k[i] >= '0' && k[i] <= '9') || k[i] == '_')))
        return false;
    }
  return n >= 2;
}

static int
check_env_keys (const lf_function *f, lf_error *err)
{
  char bad[512] = "";
  size_t used = 0;
  for (size_t i = 0; i < f->env.n; i++)
    {
      char key[256];
      size_t n = strcspn (f->env.v[i], "=");
      snprintf (key, sizeof key, "%.*s", (int) (n < sizeof key ? n : sizeof key - 1), f->env.v[i]);
      if (lf_env_key_reserved (key))
        {
          int w = snprintf (bad + used, sizeof bad - used, "%s%s", used > 0 ? ", " : "", key);
          if (w > 0 && (size_t) w < sizeof bad - used)
            used += (size_t) w;
        }
      else if (!env_key_valid (f->env.v[i], n))
        return LF_FAIL (
            err, LF_EXIT_USAGE, WHAT, "start with a letter, then letters, digits and underscores, at least two characters", INVALID,
            key, "environment.variables",
            "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]");
    }
  if (used == 0)
    return 0;
  return LF_FAIL (
      err, LF_EXIT_USAGE, WHAT, "remove these variables: Lambda sets them itself",
      "Lambda was unable to configure your environment variables because the environment variables you have provided contains "
      "reserved keys that are currently not supported for modification. Reserved keys used in this request: %s",
      bad);
}

static int
check_env_size (const lf_function *f, const lf_profile *p, const char **limit_id, lf_error *err)
{
  lf_buf b;
  if (f->env.n == 0)
    return 0;
  lf_buf_init (&b, 0);
  int rc = 0;
  if (lf_function_env_json (f, &b) != 0)
    rc = LF_FAIL_NOMEM (err);
  else if ((int64_t) b.len > p->env_max_bytes)
    {
      *limit_id = lf_limit_get (LF_LIM_ENV)->id;
      rc = LF_FAIL (
          err, LF_EXIT_FAILED, WHAT,
          "move large values to a file in the package, or to SSM Parameter Store or S3, and read them during init",
          "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded "
          "the 4KB limit. String measured: %s",
          b.data);
    }
  lf_buf_fini (&b);
  return rc;
}

/* Length of "arn:...:layer:NAME" in a layer version's ARN, 0 for anything else. */
static size_t
layer_arn_stem (const char *arn)
{
  const char *colon = strrchr (arn, ':');
  if (!lf_starts (arn, "arn:") || colon == NULL || strstr (arn, ":layer:") == NULL || colon[1] < '0' || colon[1] > '9')
    return 0;
  return (size_t) (colon - arn);
}

static int
check_layers (const lf_function *f, const lf_profile *p, const char **limit_id, lf_error *err)
{
  if ((int64_t) f->layers.n > p->layers_max)
    {
      *limit_id = lf_limit_get (LF_LIM_LAYERS)->id;
      return LF_FAIL (err, LF_EXIT_FAILED, WHAT, "merge layers: their folders are laid over each other anyway",
                      "Cannot reference more than %" PRId64 " layers.", p->layers_max);
    }
  for (size_t i = 0; i < f->layers.n; i++)
    for (size_t j = i + 1; j < f->layers.n; j++)
      {
        const char *a = f->layers.v[i], *b = f->layers.v[j];
        size_t n = layer_arn_stem (a);
        if (n == 0 || layer_arn_stem (b) != n || strncmp (a, b, n) != 0)
          continue;
        return LF_FAIL (
            err, LF_EXIT_USAGE, WHAT, "keep one version of the layer",
            "Two different versions of the same layer are not allowed to be referenced in the same function. %.400s and %.400s are "
            "versions of the same layer.",
            a, b);
      }
  return 0;
}

static int
check_package (const lf_function *f, const lf_profile *p, const char **limit_id, lf_error *err)
{
  if (f->package_bytes == LF_NONE || f->package_bytes < p->package_max_bytes)
    return 0;
  *limit_id = lf_limit_get (LF_LIM_PACKAGE)->id;
  return LF_FAIL (
      err, LF_EXIT_FAILED, WHAT,
      "see what is large with `lambdafit layer size`, remove what the handler never imports (tests, headers, CUDA libraries), or "
      "load the model from S3 or a double zip into /tmp",
      "Unzipped size must be smaller than %" PRId64 " bytes", p->package_max_bytes);
}

static int
check_reserved (const lf_function *f, const lf_profile *p, lf_error *err)
{
  if (f->reserved == LF_NONE)
    return 0;
  if (f->reserved < 0)
    return LF_FAIL (err, LF_EXIT_USAGE, WHAT, "use 0 or more (--concurrency)", INVALID_NUM, f->reserved,
                    "reservedConcurrentExecutions", "greater", (int64_t) 0);
  if (f->reserved > p->concurrency_account - p->concurrency_unreserved_min)
    return LF_FAIL (
        err, LF_EXIT_USAGE, WHAT, "reserve less, or none (--concurrency)",
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
        "value of [%" PRId64 "].",
        p->concurrency_unreserved_min);
  return 0;
}

int
lf_function_check (const lf_function *f, const lf_profile *p, const char **limit_id, lf_error *err)
{
  const char *ignored;
  if (limit_id == NULL)
    limit_id = &ignored;
  *limit_id = NULL;
  if (check_name (f, err) != 0 || check_runtime (f, err) != 0 || check_sizes (f, p, err) != 0 || check_era (f, p, err) != 0
      || check_env_keys (f, err) != 0 || check_env_size (f, p, limit_id, err) != 0 || check_layers (f, p, limit_id, err) != 0
      || check_package (f, p, limit_id, err) != 0)
    return -1;
  return check_reserved (f, p, err);
}
