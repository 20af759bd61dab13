/* SPDX-License-Identifier: Apache-2.0
 *
 * What an execution environment is made of: its variables, its command and the folders it sees, as Lambda's own. Nothing is started
 * here; the only look outside is at which bootstrap and interpreter folders exist. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lambdafit/sandbox.h"

#define TASK "/var/task"
#define RUNTIME "/var/runtime"

void
lf_sb_plan_fini (lf_sb_plan *p)
{
  if (!p)
    return;
  free (p->task_dir);
  free (p->opt_dir);
  free (p->runtime_dir);
  for (size_t i = 0; i < p->binds_n; i++)
    {
      free (p->binds[i].from);
      free (p->binds[i].to);
    }
  lf_strv_fini (&p->argv);
  lf_strv_fini (&p->env);
  *p = (lf_sb_plan){ 0 };
}

/* ---- environment variables --------------------------------------------------------------------------------------------------------- */

/* Collects failures so that a list of variables reads as a list. */
typedef struct builder
{
  lf_strv *env;
  bool failed;
} builder;

static void
set (builder *b, const char *key, const char *value)
{
  b->failed |= lf_strv_setenv (b->env, key, value ? value : "") < 0;
}

static void LF_PRINTF (3, 4) setf (builder *b, const char *key, const char *fmt, ...)
{
  lf_buf text;
  lf_buf_init (&text, 0);
  va_list ap;
  va_start (ap, fmt);
  lf_buf_addv (&text, fmt, ap);
  va_end (ap);
  LF_CLEANUP (lf_freep) char *value = lf_buf_take (&text);
  if (value)
    set (b, key, value);
  b->failed |= !value;
}

/* A default that the function's own variable of that name replaces. */
static void
set_default (builder *b, const char *key, const char *value)
{
  if (!lf_strv_env (b->env, key))
    set (b, key, value);
}

static const char *
host_variable (char *const *host_env, const char *key)
{
  size_t n = strlen (key);
  for (char *const *e = host_env; e && *e; e++)
    if (strncmp (*e, key, n) == 0 && (*e)[n] == '=')
      return *e + n + 1;
  return NULL;
}

/* Present as on Lambda, so that SDKs find what they look for first; worthless unless the caller asked to pass its own. */
static void
set_credentials (builder *b, const lf_sb_plan_input *in)
{
  static const char *const keys[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN" };
  bool pass = in->pass_credentials && host_variable (in->host_env, keys[0]) && host_variable (in->host_env, keys[1]);
  for (size_t i = 0; i < LF_ARRAY_LEN (keys); i++)
    {
      const char *own = pass ? host_variable (in->host_env, keys[i]) : NULL;
      if (own)
        set (b, keys[i], own);
      else if (!pass)
        set (b, keys[i], "lambdafit-placeholder");
      /* Long-term keys have no session token: a made-up one would spoil them. */
    }
}

/* What Lambda decides and a function cannot replace. */
static void
set_platform (builder *b, const lf_sb_plan_input *in)
{
  const lf_function *f = in->f;
  set_credentials (b, in);
  set (b, "AWS_REGION", f->region);
  set (b, "AWS_DEFAULT_REGION", f->region);
  set (b, "AWS_LAMBDA_FUNCTION_NAME", f->name);
  setf (b, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "%lld", (long long) f->memory_mb);
  set (b, "AWS_LAMBDA_FUNCTION_VERSION", f->version ? f->version : "$LATEST");
  set (b, "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
  setf (b, "AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/%s", f->name);
  set (b, "AWS_LAMBDA_LOG_STREAM_NAME", in->log_stream);
  set (b, "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
  if (f->log_format == LF_LOG_JSON)
    {
      set (b, "AWS_LAMBDA_LOG_FORMAT", "JSON");
      set (b, "AWS_LAMBDA_LOG_LEVEL", "INFO");
    }
  set (b, "_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1");
  set (b, "_AWS_XRAY_DAEMON_PORT", "2000");
  set (b, "LAMBDA_TASK_ROOT", TASK);
  set (b, "LAMBDA_RUNTIME_DIR", RUNTIME);
  set (b, "_HANDLER", f->handler);
  if (f->rt.kind != LF_RT_PROVIDED)
    setf (b, "AWS_EXECUTION_ENV", "AWS_Lambda_%s", f->rt.id);
}

/* The function's variables; those of the platform win (a check has refused them long before). */
static void
set_users (builder *b, const lf_function *f)
{
  size_t platform = b->env->n;
  for (size_t i = 0; i < f->env.n; i++)
    {
      const char *entry = f->env.v[i], *eq = strchr (entry, '=');
      LF_CLEANUP (lf_freep) char *key = eq ? lf_strndup (entry, (size_t) (eq - entry)) : NULL;
      if (!eq || !key)
        {
          b->failed |= eq != NULL;
          continue;
        }
      const lf_strv taken = { b->env->v, platform < b->env->n ? platform : b->env->n, b->env->cap };
      if (!lf_strv_env (&taken, key))
        set (b, key, eq + 1);
    }
}

static void
set_defaults (builder *b, const lf_sb_plan_input *in)
{
  const lf_runtime_info *rt = &in->f->rt;
  bool managed = rt->kind != LF_RT_PROVIDED;
  set_default (b, "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR");
  set_default (b, "AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000");
  set_default (b, "LANG", "en_US.UTF-8");
  set_default (b, "TZ", ":UTC");
  /* The slash after /usr/bin is Lambda's. */
  set_default (b, "PATH", managed ? "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin" : "/usr/local/bin:/usr/bin/:/bin:/opt/bin");
  set_default (b, "LD_LIBRARY_PATH",
               managed ? "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
                       : "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib");
  if (managed)
    {
      set_default (b, "PWD", TASK);
      set_default (b, "SHLVL", "0");
    }
  if (rt->kind == LF_RT_PYTHON)
    {
      set_default (b, "PYTHONPATH", RUNTIME);
      set_default (b, "LC_CTYPE", "C.UTF-8");
    }
  if (rt->kind == LF_RT_NODEJS && !lf_strv_env (b->env, "NODE_PATH"))
    setf (b, "NODE_PATH", "/opt/nodejs/node%d/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task",
          rt->major);
}

/* Where the caller points its AWS clients (a local stack, a mock) the function's clients go as well. */
static void
pass_endpoints (builder *b, char *const *host_env)
{
  for (char *const *e = host_env; e && *e; e++)
    {
      const char *eq = strchr (*e, '=');
      if (!lf_starts (*e, "AWS_ENDPOINT_URL") || !eq)
        continue;
      LF_CLEANUP (lf_freep) char *key = lf_strndup (*e, (size_t) (eq - *e));
      if (key)
        set_default (b, key, eq + 1);
      b->failed |= !key;
    }
}

/* ---- folders --------------------------------------------------------------------------------------------------------------------------- */

static int
add_bind (lf_sb_plan *p, const char *from, const char *to)
{
  if (p->binds_n == LF_ARRAY_LEN (p->binds))
    return -1;
  lf_sb_bind b = { lf_strdup (from), lf_strdup (to) };
  if (!b.from || !b.to)
    {
      free (b.from);
      free (b.to);
      return -1;
    }
  p->binds[p->binds_n++] = b;
  return 0;
}

/* Folders that the sandbox fills itself: an interpreter installed there on the host must appear elsewhere. */
static bool
hidden_inside (const char *path)
{
  static const char *const own[] = { "/tmp", "/var/task", "/var/runtime", "/var/lang", "/proc", "/sys", "/dev", "/run", "/etc" };
  for (size_t i = 0; i < LF_ARRAY_LEN (own); i++)
    {
      size_t n = strlen (own[i]);
      if (strncmp (path, own[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
        return true;
    }
  return false;
}

/* Whether showing this whole folder would show more than an interpreter: the root, a home, what a home lies in, ~/.local. */
static bool
too_broad (const char *prefix, const char *home)
{
  size_t n = strlen (prefix);
  if (strcmp (prefix, "/") == 0 || strcmp (prefix, "/home") == 0 || strcmp (prefix, "/root") == 0 || strcmp (prefix, "/opt") == 0)
    return true;
  if (!home || home[0] != '/')
    return false;
  if (strncmp (home, prefix, n) == 0 && (home[n] == '/' || home[n] == '\0'))
    return true;
  size_t h = strlen (home);
  return strncmp (prefix, home, h) == 0 && strcmp (prefix + h, "/.local") == 0;
}

/* The interpreter alone and its library, out of a folder that holds other things too. */
static int
bind_parts (lf_sb_plan *p, const lf_interpreter *i)
{
  int rc = add_bind (p, i->path, i->path);
  int64_t major, minor;
  const char *at = i->version;
  if (rc < 0 || !at || lf_take_i64 (&at, 999, &major) < 0 || *at++ != '.' || lf_take_i64 (&at, 999, &minor) < 0)
    return rc;
  static const char *const parts[] = { "lib/python%d.%d", "lib64/python%d.%d", "lib/libpython%d.%d.so.1.0", "lib64/libpython%d.%d.so.1.0" };
  for (size_t k = 0; rc == 0 && k < LF_ARRAY_LEN (parts); k++)
    {
      char below[64];
      const char *percent = strchr (parts[k], '%');
      snprintf (below, sizeof below, "%.*s%d.%d%s", (int) (percent - parts[k]), parts[k], (int) major, (int) minor, percent + strlen ("%d.%d"));
      LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/%s", strcmp (i->prefix, "/") == 0 ? "" : i->prefix, below);
      if (!path)
        return -1;
      if (access (path, F_OK) == 0)
        rc = add_bind (p, path, path);
    }
  return rc;
}

/* Makes the interpreter visible; *inside is its path there (caller frees). */
static int
bind_interpreter (lf_sb_plan *p, const lf_sb_plan_input *in, char **inside)
{
  const lf_interpreter *i = in->interp;
  size_t n = i->prefix ? strlen (i->prefix) : 0;
  bool below = n > 0 && strncmp (i->path, i->prefix, n) == 0 && i->path[n] == '/';
  *inside = lf_strdup (i->path);
  if (!*inside)
    return -1;
  if (!i->prefix)
    return 0;
  if (too_broad (i->prefix, host_variable (in->host_env, "HOME")))
    return bind_parts (p, i);
  if (!hidden_inside (i->prefix))
    return add_bind (p, i->prefix, i->prefix);
  if (below)
    {
      /* Lambda's own place for interpreters; they find their library from where they lie. */
      free (*inside);
      *inside = lf_asprintf ("/var/lang%s", i->path + n);
    }
  return *inside ? add_bind (p, i->prefix, "/var/lang") : -1;
}

/* ---- command --------------------------------------------------------------------------------------------------------------------------- */

static bool
has_bootstrap (const char *dir)
{
  LF_CLEANUP (lf_freep) char *path = dir ? lf_asprintf ("%s/bootstrap", dir) : NULL;
  return path && access (path, F_OK) == 0;
}

/* The package's bootstrap, then a layer's, then the runtime's. Where there is none, starting the first fails as it does on Lambda. */
static int
provided_command (lf_sb_plan *p, const lf_sb_plan_input *in)
{
  const char *path = TASK "/bootstrap";
  if (!has_bootstrap (in->task_dir))
    {
      if (has_bootstrap (in->opt_dir))
        path = "/opt/bootstrap";
      else if (has_bootstrap (in->runtime_dir))
        path = RUNTIME "/bootstrap";
    }
  return lf_strv_add (&p->argv, path);
}

/* -S and -s: the host's own packages are not Lambda's, so a function must not find them by accident; our bootstrap lets through what
 * Lambda ships. The real client is started through it too, since only it knows the folders of layers. */
static int
python_command (lf_sb_plan *p, const lf_interpreter *i, const char *handler)
{
  int rc = lf_strv_add (&p->argv, "-S") | lf_strv_add (&p->argv, "-s") | lf_strv_add (&p->argv, RUNTIME "/bootstrap.py");
  if (i->own_client)
    rc |= lf_strv_add (&p->argv, "--awslambdaric");
  return rc | lf_strv_add (&p->argv, handler);
}

/* V8 sizes its heap by the machine's memory. On Lambda that is the function's; here it is the host's, and a heap that grows past the
 * function's memory before it is collected would be killed where Lambda's is not. The rule is V8's own: half, 2 GB at most. */
static int
node_heap_option (lf_sb_plan *p, const lf_function *f)
{
  const char *options = lf_strv_env (&p->env, "NODE_OPTIONS");
  if (options && (strstr (options, "max-old-space-size") || strstr (options, "max_old_space_size")))
    return 0;
  int64_t mb = f->memory_mb / 2;
  return lf_strv_addf (&p->argv, "--max-old-space-size=%lld", (long long) (mb > 2048 ? 2048 : mb));
}

static int
node_command (lf_sb_plan *p, const lf_sb_plan_input *in)
{
  const char *entry = in->interp->own_client && in->interp->client_argv0 ? in->interp->client_argv0 : RUNTIME "/bootstrap.mjs";
  return node_heap_option (p, in->f) | lf_strv_add (&p->argv, entry) | lf_strv_add (&p->argv, in->f->handler);
}

/* argv of a managed runtime; a wrapper script gets the whole command as its arguments. */
static int
managed_command (lf_sb_plan *p, const lf_sb_plan_input *in)
{
  LF_CLEANUP (lf_freep) char *inside = NULL;
  const char *wrapper = lf_strv_env (&p->env, "AWS_LAMBDA_EXEC_WRAPPER");
  if (bind_interpreter (p, in, &inside) < 0 || (wrapper && *wrapper && lf_strv_add (&p->argv, wrapper) < 0))
    return -1;
  if (lf_strv_add (&p->argv, inside) < 0)
    return -1;
  return in->f->rt.kind == LF_RT_PYTHON ? python_command (p, in->interp, in->f->handler) : node_command (p, in);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------------- */

static int
folders (lf_sb_plan *p, const lf_sb_plan_input *in)
{
  p->task_dir = lf_strdup (in->task_dir);
  p->opt_dir = lf_strdup (in->opt_dir);
  /* An OS-only runtime has an empty /var/runtime. */
  p->runtime_dir = in->f->rt.kind == LF_RT_PROVIDED ? NULL : lf_strdup (in->runtime_dir);
  return (in->task_dir && !p->task_dir) || (in->opt_dir && !p->opt_dir) ? -1 : 0;
}

static void
limits (lf_sb_plan *p, const lf_sb_plan_input *in)
{
  const lf_function *f = in->f;
  p->memory_bytes = f->memory_mb * LF_MB;
  p->tmp_bytes = f->tmp_mb * LF_MB;
  p->cpu_milli = lf_profile_cpu_milli (in->p, f->memory_mb);
  p->visible_cpus = lf_profile_visible_cpus (in->p, f->memory_mb);
  p->hides_cpu_lists = f->arch == LF_ARCH_ARM64;
  p->fds = in->p->fds_max;
  p->processes = in->p->processes_max;
  p->nproc_rlimit = in->p->nproc_rlimit;
  p->network = f->network;
}

int
lf_sb_plan_make (const lf_sb_plan_input *in, lf_sb_plan *out, lf_error *err)
{
  *out = (lf_sb_plan){ 0 };
  bool managed = in->f->rt.kind == LF_RT_PYTHON || in->f->rt.kind == LF_RT_NODEJS;
  if (in->f->rt.kind == LF_RT_REFUSED)
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, in->f->rt.id, in->f->rt.instead, "this runtime cannot be run here");
  if (managed && (!in->interp || !in->interp->path))
    return LF_FAIL (err, LF_EXIT_UNSUPPORTED, in->f->rt.id, "", "this runtime needs an interpreter");
  if (managed && (!in->f->handler || !in->f->handler[0]))
    return LF_FAIL (err, LF_EXIT_USAGE, in->f->name ? in->f->name : "function", "give --handler", "this runtime needs a handler");

  builder b = { .env = &out->env };
  set_platform (&b, in);
  set_users (&b, in->f);
  set_defaults (&b, in);
  pass_endpoints (&b, in->host_env);
  limits (out, in);
  if (b.failed || folders (out, in) < 0 || (managed ? managed_command (out, in) : provided_command (out, in)) < 0)
    {
      lf_sb_plan_fini (out);
      return LF_FAIL_NOMEM (err);
    }
  return 0;
}
