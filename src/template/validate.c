/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deployment would refuse about functions. Each setting is put alone into a function that is in order otherwise, and the model's
 * own check speaks: so each has its own line, and the words are the platform's.
 */
#include <inttypes.h>
#include <string.h>

#include "validate.h"

#define INLINE_MAX (4 * LF_MB)

typedef struct checking
{
  tpl *t;
  const lf_profile *profile;
  lf_function good;               /* every setting in order */
  const lf_template_function *fn;
  const tpl_node *props, *body, *key;
  uint32_t guess;
  const bool *env_guess;
} checking;

static bool
guessed (const checking *c, tpl_setting s)
{
  return c->guess >> s & 1;
}

/* Asks the model about a function that differs from a good one in one setting. */
static void
ask (checking *c, const lf_function *probe, const tpl_node *at, const char *property)
{
  lf_error err = { 0 };
  const char *limit = NULL;
  tpl_work (c->t, 1);
  if (lf_function_check (probe, c->profile, &limit, &err) == 0)
    return;
  tpl_problem_at (c->t, LF_TPL_ERROR, at->line, at->column, c->fn->logical_id, property, limit, err.why);
}

static const tpl_node *
place (const checking *c, const char *path)
{
  return tpl_place (c->props, path, c->key);
}

/* ---- single settings -------------------------------------------------------------------------------------------------------------- */

static void
check_name (checking *c)
{
  const lf_function *f = &c->fn->f;
  if (!c->fn->named || guessed (c, TPL_SET_NAME))
    return;
  lf_function probe = c->good;
  probe.name = f->name;
  ask (c, &probe, place (c, "FunctionName"), "FunctionName");
  const lf_template_function *first = lf_template_function_find (&c->t->out, f->name);
  if (first && first != c->fn && first->named)
    tpl_problem (c->t, LF_TPL_ERROR, place (c, "FunctionName"), c->fn->logical_id, "FunctionName", "%s has this name already (line %d)", first->logical_id, first->line);
}

static void
check_runtime (checking *c)
{
  const lf_function *f = &c->fn->f;
  lf_runtime_info rt;
  lf_error err = { 0 };
  const char *id = c->fn->logical_id;
  if (guessed (c, TPL_SET_RUNTIME) && f->runtime)
    return;
  if (!f->runtime)
    {
      tpl_problem (c->t, LF_TPL_ERROR, c->key, id, "Runtime", "Runtime and Handler are mandatory parameters for functions created with deployment packages.");
      return;
    }
  const tpl_node *at = place (c, "Runtime");
  if (lf_runtime_parse (f->runtime, &rt, &err) != 0)
    tpl_problem (c->t, LF_TPL_ERROR, at, id, "Runtime", "%s", err.why);
  else if (rt.kind == LF_RT_REFUSED)
    tpl_deploy (c->t, LF_TPL_WARNING, at, id, "Runtime", "lambdafit does not run the managed runtime %s here: %s", rt.id, rt.instead);
}

static void
check_handler (checking *c)
{
  const lf_function *f = &c->fn->f;
  lf_function probe = c->good;
  lf_runtime_info rt;
  lf_error err = { 0 };
  if (guessed (c, TPL_SET_HANDLER))
    return;
  bool known = f->runtime && lf_runtime_parse (f->runtime, &rt, &err) == 0;
  if (!f->handler && known && rt.kind == LF_RT_PROVIDED)
    return;
  char managed[] = "python3.12"; /* any that needs a handler */
  probe.runtime = managed;
  probe.handler = f->handler;
  ask (c, &probe, place (c, "Handler"), "Handler");
}

static void
check_sizes (checking *c)
{
  const lf_function *f = &c->fn->f;
  lf_function probe = c->good;
  if (f->memory_mb != LF_NONE)
    {
      probe.memory_mb = f->memory_mb;
      ask (c, &probe, place (c, "MemorySize"), "MemorySize");
    }
  probe = c->good;
  if (f->timeout_ms != LF_NONE)
    {
      probe.timeout_ms = f->timeout_ms;
      ask (c, &probe, place (c, "Timeout"), "Timeout");
    }
  probe = c->good;
  if (f->tmp_mb != LF_NONE)
    {
      probe.tmp_mb = f->tmp_mb;
      ask (c, &probe, place (c, "EphemeralStorage.Size"), "EphemeralStorage.Size");
    }
  probe = c->good;
  probe.arch = f->arch;
  ask (c, &probe, place (c, "Architectures"), "Architectures");
  probe = c->good;
  probe.log_format = f->log_format;
  ask (c, &probe, place (c, "LoggingConfig.LogFormat"), "LoggingConfig.LogFormat");
  probe = c->good;
  probe.reserved = f->reserved;
  ask (c, &probe, place (c, "ReservedConcurrentExecutions"), "ReservedConcurrentExecutions");
}

/* ---- environment, layers, code ---------------------------------------------------------------------------------------------------- */

/* The sum is the platform's to measure. Names that are only guesses may be longer or shorter there: when they alone make it too large, nobody
 * knows. */
static void
check_environment_size (checking *c, lf_function *probe)
{
  lf_error err = { 0 }, ignored = { 0 };
  const char *limit = NULL;
  if (lf_function_check (probe, c->profile, &limit, &err) == 0 || !limit)
    return;
  lf_strv known = { tpl_alloc (c->t, probe->env.n * sizeof *known.v), 0, probe->env.n };
  for (size_t i = 0; known.v && i < probe->env.n; i++)
    if (!c->env_guess[i])
      known.v[known.n++] = probe->env.v[i];
  if (!known.v)
    return;
  probe->env = known;
  bool sure = lf_function_check (probe, c->profile, &limit, &ignored) != 0 && limit;
  const tpl_node *at = place (c, "Environment.Variables");
  tpl_problem_at (c->t, sure ? LF_TPL_ERROR : LF_TPL_WARNING, at->line, at->column, c->fn->logical_id, "Environment.Variables",
                  lf_limit_get (LF_LIM_ENV)->id, err.why);
}

static void
check_environment (checking *c)
{
  const lf_function *f = &c->fn->f;
  lf_function probe = c->good;
  for (size_t i = 0; i < f->env.n; i++)
    {
      char pair[300], *one[2] = { pair, NULL };
      size_t n = strcspn (f->env.v[i], "=");
      snprintf (pair, sizeof pair, "%.*s=", (int) (n < 290 ? n : 290), f->env.v[i]);
      probe.env = (lf_strv){ one, 1, 2 };
      const char *property = tpl_printf (c->t, "Environment.Variables.%.*s", (int) n, f->env.v[i]);
      ask (c, &probe, place (c, property), property);
    }
  probe = c->good;
  probe.env = f->env;
  check_environment_size (c, &probe);
}

static void
check_layers (checking *c)
{
  lf_function probe = c->good;
  lf_error err = { 0 };
  const char *limit = NULL;
  probe.layers = c->fn->f.layers;
  if (lf_function_check (&probe, c->profile, &limit, &err) == 0)
    return;
  const tpl_node *at = place (c, "Layers");
  tpl_problem_at (c->t, guessed (c, TPL_SET_LAYERS) ? LF_TPL_WARNING : LF_TPL_ERROR, at->line, at->column, c->fn->logical_id, "Layers", limit, err.why);
}

static void
check_destination (checking *c, const char *dest, const char *property)
{
  lf_error ignored = { 0 };
  char *name LF_CLEANUP (lf_freep) = NULL;
  if (dest && lf_destination_parse (dest, &c->fn->f, &name, &ignored) == 1 && strcmp (name, c->fn->f.name) == 0)
    tpl_deploy (c->t, LF_TPL_ERROR, place (c, property), c->fn->logical_id, property, "You can't specify the function as a destination for itself.");
}

static void
check_async (checking *c)
{
  static const struct { const char *property, *member; int64_t min, max; } ranges[] = {
    { "EventInvokeConfig.MaximumRetryAttempts", "maximumRetryAttempts", 0, 2 },
    { "EventInvokeConfig.MaximumEventAgeInSeconds", "maximumEventAgeInSeconds", 60, 21600 },
  };
  const int64_t value[] = { c->fn->f.async_retries < 0 ? LF_NONE : c->fn->f.async_retries, c->fn->f.async_max_age_s };
  for (size_t i = 0; i < LF_ARRAY_LEN (ranges); i++)
    if (value[i] != LF_NONE && (value[i] < ranges[i].min || value[i] > ranges[i].max))
      tpl_deploy (c->t, LF_TPL_ERROR, place (c, ranges[i].property), c->fn->logical_id, ranges[i].property,
                  "1 validation error detected: Value '%" PRId64 "' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %" PRId64,
                  value[i], ranges[i].member, value[i] < ranges[i].min ? "greater" : "less", value[i] < ranges[i].min ? ranges[i].min : ranges[i].max);
  check_destination (c, c->fn->f.on_success, "EventInvokeConfig.DestinationConfig.OnSuccess");
  check_destination (c, c->fn->f.on_failure, "EventInvokeConfig.DestinationConfig.OnFailure");
}

static void
check_code (checking *c)
{
  const lf_template_function *fn = c->fn;
  const char *property = strcmp (fn->type, "AWS::Lambda::Function") == 0 ? "Code.ZipFile" : "InlineCode", *runtime = fn->f.runtime;
  const tpl_node at = { .line = fn->code_line, .column = fn->code_column };
  if (fn->code != LF_TPL_CODE_INLINE)
    return;
  if (runtime && !lf_starts (runtime, "python") && !lf_starts (runtime, "nodejs") && !guessed (c, TPL_SET_RUNTIME))
    tpl_problem (c->t, LF_TPL_ERROR, &at, fn->logical_id, property, "inline code is for nodejs and python runtimes only, here it is %.60s", runtime);
  if ((int64_t) strlen (fn->inline_code) > INLINE_MAX)
    tpl_deploy (c->t, LF_TPL_ERROR, &at, fn->logical_id, property, "inline code has %zu bytes, at most %lld are taken", strlen (fn->inline_code), (long long) INLINE_MAX);
  if (fn->f.handler && !lf_starts (fn->f.handler, "index.") && !guessed (c, TPL_SET_HANDLER))
    tpl_deploy (c->t, LF_TPL_WARNING, place (c, "Handler"), fn->logical_id, "Handler", "inline code is put into the file %s, so the handler is index.FUNCTION", fn->inline_file);
}

/* Snapshots are of published versions, of some runtimes, and of functions with the least /tmp (the developer guide, snapstart.md). */
static void
check_snapstart (checking *c)
{
  lf_runtime_info rt;
  lf_error ignored = { 0 };
  const lf_function *f = &c->fn->f;
  c->t->where_id = c->fn->logical_id;
  c->t->where_property = "SnapStart.ApplyOn";
  const tpl_node *on = tpl_resolve (c->t, tpl_get (tpl_get (c->props, "SnapStart"), "ApplyOn"));
  if (!tpl_text (on) || on->guess)
    return;
  const tpl_node *at = place (c, "SnapStart.ApplyOn");
  const char *id = c->fn->logical_id;
  if (strcmp (on->u.s, "None") == 0)
    return;
  if (strcmp (on->u.s, "PublishedVersions") != 0)
    {
      tpl_deploy (c->t, LF_TPL_ERROR, at, id, "SnapStart.ApplyOn",
                  "1 validation error detected: Value '%.60s' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy enum value set: [PublishedVersions, None]",
                  on->u.s);
      return;
    }
  bool known = f->runtime && !guessed (c, TPL_SET_RUNTIME) && lf_runtime_parse (f->runtime, &rt, &ignored) == 0;
  if (known && (rt.kind == LF_RT_NODEJS || rt.kind == LF_RT_PROVIDED || (rt.kind == LF_RT_PYTHON && rt.minor < 12)))
    tpl_deploy (c->t, LF_TPL_ERROR, at, id, "SnapStart.ApplyOn", "%.60s is not supported for SnapStart enabled functions.", rt.id);
  if (f->tmp_mb != LF_NONE && f->tmp_mb > c->profile->tmp_default_mb)
    tpl_deploy (c->t, LF_TPL_ERROR, at, id, "SnapStart.ApplyOn", "SnapStart is for functions with %" PRId64 " MB of ephemeral storage, not %" PRId64, c->profile->tmp_default_mb,
                f->tmp_mb);
}

static void
check_deployment (checking *c)
{
  const char *id = c->fn->logical_id;
  bool sam = strcmp (c->fn->type, "AWS::Serverless::Function") == 0;
  const tpl_node *description = tpl_get (c->props, "Description");
  if (tpl_is (description, TPL_SCALAR) && description->n > 256)
    tpl_deploy (c->t, LF_TPL_ERROR, place (c, "Description"), id, "Description", "Member must have length less than or equal to 256");
  if (!sam && !tpl_get (c->props, "Role"))
    tpl_deploy (c->t, LF_TPL_ERROR, c->key, id, "Role", "required key [Role] not found");
  static const char *const inner[] = { "EphemeralStorage", "Environment", "LoggingConfig", "EventInvokeConfig" };
  tpl_check_names (c->t, c->fn->type, tpl_get (c->body, "Properties"), id, "");
  for (size_t i = 0; i < LF_ARRAY_LEN (inner); i++)
    tpl_check_names (c->t, inner[i], tpl_get (tpl_get (c->body, "Properties"), inner[i]), id, tpl_printf (c->t, "%s.", inner[i]));
  const tpl_node *package = tpl_get (c->props, "PackageType");
  if (tpl_text (package) && strcmp (package->u.s, "Zip") != 0 && strcmp (package->u.s, "Image") != 0)
    tpl_deploy (c->t, LF_TPL_ERROR, place (c, "PackageType"), id, "PackageType",
                "1 validation error detected: Value '%.60s' at 'packageType' failed to satisfy constraint: Member must satisfy enum value set: [Zip, Image]",
                package->u.s);
}

static void
check_function (checking *c)
{
  check_name (c);
  if (c->fn->code != LF_TPL_CODE_IMAGE)
    {
      check_runtime (c);
      check_handler (c);
      check_layers (c);
    }
  check_sizes (c);
  check_environment (c);
  check_async (c);
  check_code (c);
  check_snapstart (c);
  check_deployment (c);
}

static int
make_good (lf_function *f, const lf_profile *p, lf_error *err)
{
  lf_function_init (f);
  f->name = lf_strdup ("function");
  f->runtime = lf_strdup ("provided.al2");
  f->handler = lf_strdup ("index.handler");
  return f->name && f->runtime && f->handler ? lf_function_defaults (f, p, err) : LF_FAIL_NOMEM (err);
}

int
lf_template_validate (lf_template *out, const lf_profile *p, lf_error *err)
{
  tpl *t = out->inside;
  checking c = { .t = t, .profile = p };
  if (out->broken)
    return 0;
  if (make_good (&c.good, p, err) < 0)
    {
      lf_function_fini (&c.good);
      return -1;
    }
  tpl_check_sections (t);
  for (size_t i = 0; i < out->functions_n; i++)
    {
      const tpl_resource *r = t->function_of[i].r;
      c.fn = &out->functions[i];
      c.props = r->props;
      c.body = r->body;
      c.key = r->key;
      c.guess = t->function_of[i].guess;
      c.env_guess = t->function_of[i].env_guess;
      check_function (&c);
    }
  tpl_check_layers (t);
  tpl_check_urls (t);
  tpl_check_references (t);
  lf_function_fini (&c.good);
  tpl_problems_sort (t);
  return t->oom || t->arena.failed ? LF_FAIL_NOMEM (err) : 0;
}
