/* SPDX-License-Identifier: Apache-2.0
 *
 * A function from the command line's options.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

#define ENV_FILE_MAX ((size_t) 1 << 20)
/* Larger events are read only far enough to know that they are too large. */
#define EVENT_MAX ((size_t) 64 << 20)

lf_profile *
lf_args_profile (const lf_args *a, lf_error *err)
{
  lf_profile *p = lf_profile_load (a->profile, err);
  if (p && strcmp (p->service, "lambda") != 0)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, p->name, "lambdafit profile list shows those of Lambda", "this profile is of %s, not of Lambda", p->service);
      lf_profile_free (p);
      return NULL;
    }
  if (p && a->region && !lf_profile_prices (p, a->region))
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, "--region", "lambdafit profile show lists the regions", "profile %s has no prices for region \"%.40s\"", p->name,
                      a->region);
      lf_profile_free (p);
      return NULL;
    }
  return p;
}

static int
copy_text (char **to, const char *from, lf_error *err)
{
  if (!from)
    return 0;
  free (*to);
  return (*to = lf_strdup (from)) ? 0 : LF_FAIL_NOMEM (err);
}

static int
add_env (lf_function *f, const char *pair, const char *where, lf_error *err)
{
  const char *eq = strchr (pair, '=');
  if (!eq || eq == pair)
    return LF_FAIL (err, LF_EXIT_USAGE, where, "write it as NAME=VALUE", "\"%.80s\" is not a variable", pair);
  char *key LF_CLEANUP (lf_freep) = lf_strndup (pair, (size_t) (eq - pair));
  return !key || lf_strv_setenv (&f->env, key, eq + 1) < 0 ? LF_FAIL_NOMEM (err) : 0;
}

/* One K=V a line; blank lines and lines that begin with # are passed over; a value may be in quotes. */
static int
read_env_file (lf_function *f, const char *path, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_read_file (path, ENV_FILE_MAX, &b, err) < 0)
    return -1;
  int line = 0;
  char *save = NULL;
  if (!b.data)
    return 0;
  for (char *p = b.data; p && *p; p = save)
    {
      line++;
      char *nl = strchr (p, '\n');
      save = nl ? nl + 1 : NULL;
      if (nl)
        *nl = 0;
      p += strspn (p, " \t");
      for (size_t end = strlen (p); end && strchr (" \t\r", p[end - 1]);)
        p[--end] = 0;
      if (lf_starts (p, "export "))
        p += 7;
      if (!*p || *p == '#')
        continue;
      char *eq = strchr (p, '=');
      size_t n = eq ? strlen (eq + 1) : 0;
      if (n >= 2 && (eq[1] == '"' || eq[1] == '\'') && eq[n] == eq[1])
        {
          eq[n] = 0;
          memmove (eq + 1, eq + 2, n - 1);
        }
      char where[300];
      snprintf (where, sizeof where, "%.200s:%d", path, line);
      if (add_env (f, p, where, err) < 0)
        return -1;
    }
  return 0;
}

static int
read_words (const lf_args *a, lf_function *f, lf_error *err)
{
  if (a->arch && lf_arch_parse (a->arch, &f->arch) < 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--arch", "give x86_64 or arm64", "\"%.40s\" is no architecture of Lambda", a->arch);
  if (a->network && strcmp (a->network, "host") != 0 && strcmp (a->network, "none") != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--network", "give host or none", "\"%.40s\" is no kind of network", a->network);
  if (a->network)
    f->network = strcmp (a->network, "none") == 0 ? LF_NET_NONE : LF_NET_HOST;
  if (a->log_format && strcmp (a->log_format, "text") != 0 && strcmp (a->log_format, "Text") != 0 && strcmp (a->log_format, "JSON") != 0
      && strcmp (a->log_format, "json") != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--log-format", "give text or JSON", "\"%.40s\" is no log format", a->log_format);
  if (a->log_format)
    f->log_format = a->log_format[0] == 'J' || a->log_format[0] == 'j' ? LF_LOG_JSON : LF_LOG_TEXT;
  return 0;
}

int
lf_args_function (const lf_args *a, lf_function *out, lf_error *err)
{
  lf_function_init (out);
  if (copy_text (&out->name, a->name, err) < 0 || copy_text (&out->handler, a->handler, err) < 0 || copy_text (&out->runtime, a->runtime, err) < 0
      || copy_text (&out->region, a->region, err) < 0 || read_words (a, out, err) < 0)
    return -1;
  out->memory_mb = a->memory;
  out->timeout_ms = a->timeout == LF_NONE ? LF_NONE : a->timeout * 1000;
  out->tmp_mb = a->tmp;
  out->keepalive_ms = a->keepalive;
  out->reserved = a->reserved;
  out->async_retries = a->async_retries == LF_NONE ? -1 : (int) a->async_retries;
  out->async_max_age_s = a->async_max_age;
  if (copy_text (&out->on_success, a->on_success, err) < 0 || copy_text (&out->on_failure, a->on_failure, err) < 0)
    return -1;
  for (size_t i = 0; i < a->layers.n; i++)
    if (lf_strv_add (&out->layers, a->layers.v[i]) < 0)
      return LF_FAIL_NOMEM (err);
  if (a->env_file && read_env_file (out, a->env_file, err) < 0)
    return -1;
  for (size_t i = 0; i < a->env.n; i++)
    if (add_env (out, a->env.v[i], "--env", err) < 0)
      return -1;
  return 0;
}

int
lf_args_event (const lf_args *a, lf_buf *out, lf_error *err)
{
  const char *e = a->event ? a->event : "{}";
  struct stat st;
  lf_json_problem p;
  const char *what = strcmp (e, "-") == 0 ? "standard input" : "the event";
  if (strcmp (e, "-") == 0 || stat (e, &st) == 0)
    {
      what = strcmp (e, "-") == 0 ? what : e;
      if (lf_read_file (e, EVENT_MAX, out, err) < 0)
        return -1;
    }
  else if (e[0] && (strchr ("{[\"", e[0]) || lf_json_validate (e, strlen (e), &p) == 0))
    {
      if (lf_buf_adds (out, e) < 0)
        return LF_FAIL_NOMEM (err);
    }
  else
    return LF_FAIL (err, LF_EXIT_USAGE, e, "give a file, - for standard input, or JSON: -e '{\"key\": 1}'", "no such file, and it is not JSON");
  if (out->len == 0)
    return lf_buf_adds (out, "{}") < 0 ? LF_FAIL_NOMEM (err) : 0;
  if (lf_json_validate (out->data, out->len, &p) < 0)
    return LF_FAIL (err, LF_EXIT_USAGE, what, "an event is one JSON value", "not JSON, line %d column %d: %s", p.line, p.column, p.reason);
  return 0;
}
