/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of options. A command names those it takes; parsing, help, man page and completion come from here.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lambdafit/simulate.h"

#define AT(field) offsetof (lf_args, field)
#define FLAG(name, letter, field, doc) { name, letter, NULL, doc, NULL, LF_OPT_FLAG, AT (field), 0, 0, false }
#define TEXT(name, letter, arg, field, otherwise, doc) { name, letter, arg, doc, otherwise, LF_OPT_TEXT, AT (field), 0, 0, false }
#define INT(name, letter, arg, field, min, max, otherwise, doc) { name, letter, arg, doc, otherwise, LF_OPT_INT, AT (field), min, max, false }
#define LIST(name, letter, arg, field, doc) { name, letter, arg, doc, NULL, LF_OPT_LIST, AT (field), 0, 0, false }
/* Options whose name means something else with another command. */
#define S_TEXT(scope, name, arg, field, otherwise, doc) { name, 0, arg, doc, otherwise, LF_OPT_TEXT, AT (field), 0, 0, false, scope }
#define S_LIST(scope, name, arg, field, doc) { name, 0, arg, doc, NULL, LF_OPT_LIST, AT (field), 0, 0, false, scope }
#define F_TEXT(name, letter, arg, field, otherwise, doc) { name, letter, arg, doc, otherwise, LF_OPT_TEXT, AT (field), 0, 0, true }
#define F_INT(name, letter, arg, field, min, max, otherwise, doc) { name, letter, arg, doc, otherwise, LF_OPT_INT, AT (field), min, max, true }
#define F_LIST(name, letter, arg, field, doc) { name, letter, arg, doc, NULL, LF_OPT_LIST, AT (field), 0, 0, true }
#define F_FLAG(name, letter, field, doc) { name, letter, NULL, doc, NULL, LF_OPT_FLAG, AT (field), 0, 0, true }

const lf_opt lf_opts[] = {
  F_TEXT ("name", 0, "NAME", name, "the target's base name", "the function's name"),
  F_TEXT ("handler", 0, "HANDLER", handler, "found in the files", "the function's handler, as on Lambda: module.function"),
  F_TEXT ("runtime", 0, "ID", runtime, "found from the files", "python3.N, nodejsN.x, provided.al2023 or provided.al2"),
  F_TEXT ("interpreter", 0, "PATH", interpreter, "found on this machine", "the interpreter to run a managed runtime with"),
  F_INT ("memory", 'm', "MB", memory, 1, 1000000, "128", "memory; sets the CPU share too"),
  F_INT ("timeout", 0, "S", timeout, 1, 1000000, "3", "function timeout in seconds"),
  F_INT ("tmp", 0, "MB", tmp, 1, 1000000, "512", "ephemeral storage (/tmp)"),
  F_LIST ("layer", 0, "PATH", layers, "a layer: a directory or a zip; may be repeated, later ones win"),
  F_LIST ("env", 0, "K=V", env, "an environment variable; may be repeated"),
  F_TEXT ("env-file", 0, "FILE", env_file, NULL, "environment variables, one K=V a line"),
  F_TEXT ("env-vars", 0, "FILE", env_vars, NULL, "environment variables of several functions, as JSON: {\"NAME\": {\"K\": \"V\"}, \"Parameters\": {...}}"),
  F_TEXT ("arch", 0, "ARCH", arch, "x86_64", "x86_64 or arm64 (for the price; code runs on this machine)"),
  F_TEXT ("region", 0, "R", region, "us-east-1", "AWS region: prices and the function's ARN"),
  F_TEXT ("profile", 'p', "P|FILE", profile, LF_PROFILE_DEFAULT, "the platform: limits, behaviour and prices on a date"),
  F_TEXT ("network", 0, "host|none", network, "host", "host: the machine's network; none: no network at all, as in a VPC without NAT"),
  { "keepalive", 0, "S", "how long an idle environment is kept", "the profile's, 300", LF_OPT_SECONDS, AT (keepalive), 0, 0, true },
  F_INT ("concurrency", 0, "N", reserved, 0, 1000000, "not reserved", "reserved concurrency of the function"),
  F_INT ("async-retries", 0, "N", async_retries, 0, 2, "the profile's, 2", "how often an asynchronous event is retried after an error"),
  F_INT ("async-max-age", 0, "S", async_max_age, 60, 21600, "the profile's, 21600", "how old an asynchronous event may become before it is given up"),
  F_TEXT ("on-success", 0, "DEST", on_success, NULL, "where the record of a successful asynchronous event goes: a function's name or ARN, or a file"),
  F_TEXT ("on-failure", 0, "DEST", on_failure, NULL, "where the record of an asynchronous event goes that was given up"),
  F_TEXT ("log-format", 0, "text|JSON", log_format, "text", "format of the platform's log lines"),
  F_FLAG ("strict-runtime", 0, strict_runtime, "refuse (status 3) unless an interpreter of exactly the runtime's version is here"),
  F_FLAG ("pass-credentials", 0, pass_credentials, "give the function your AWS credentials instead of placeholders"),
  TEXT ("template", 't', "FILE", template_, NULL, "a SAM or CloudFormation template"),
  LIST ("parameter", 0, "K=V", parameters, "a value for a template parameter; may be repeated"),
  TEXT ("event", 'e', "FILE|-|JSON", event, "{}", "the event: a file, standard input, or JSON itself"),
  INT ("count", 'n', "COUNT", count, 1, 100000000, NULL, "how many"),
  INT ("callers", 'c', "CONCURRENCY", parallel, 1, 100000, "1", "parallel callers"),
  FLAG ("cold", 0, cold, "cold starts: for run, each invocation in a new environment; for log, only cold ones"),
  TEXT ("db", 0, "FILE", db, "$LAMBDAFIT_DB, or log.db in the XDG state directory", "the log"),
  FLAG ("json", 0, json, "print JSON"),
  FLAG ("quiet", 'q', quiet, "no logs and no verdict, only the response"),
  TEXT ("host", 0, "ADDRESS", host, "127.0.0.1", "address to listen on"),
  INT ("port", 0, "PORT", port, 0, 65535, "3001", "port to listen on; 0: any free one"),
  TEXT ("port-file", 0, "FILE", port_file, NULL, "write the port here, whole, when ready to serve"),
  INT ("account-concurrency", 0, "N", account_concurrency, 1, 10000000, "the profile's", "the account's concurrency limit"),
  TEXT ("rate-limit", 0, "on|off", rate_limit, "off", "enforce requests per second (10 for each unit of concurrency)"),
  TEXT ("keep", 0, "N|TIME", keep, "all", "what the log keeps: the newest N invocations (100 or more), or those of the last 7d, 12h, 30m; older ones go while it serves"),
  FLAG ("no-reload", 0, no_reload, "go on with the code of the start when a function's files change"),
  FLAG ("tail", 0, tail, "print the end of the invocation's log to standard error"),
  FLAG ("async", 0, async, "asynchronous invocation: queued, retried, no response"),
  FLAG ("stream", 0, stream, "print the response while the function makes it (InvokeWithResponseStream)"),
  TEXT ("endpoint", 0, "URL", endpoint, "$LAMBDAFIT_ENDPOINT, or http://127.0.0.1:3001", "the daemon"),
  TEXT ("function", 'f', "NAME", function, "all", "only this function"),
  FLAG ("errors", 0, errors, "only invocations that did not end well"),
  TEXT ("since", 0, "WHEN", since, NULL, "only newer ones: 90s, 10m, 2h, 7d, or a time like 2026-11-25T08:00:00Z"),
  FLAG ("follow", 0, follow, "go on as new ones come"),
  TEXT ("explain", 0, "REQUEST_ID", explain, NULL, "one invocation: all that was measured, and each violation with its cause and fix"),
  FLAG ("md", 0, md, "print Markdown, for a pull request"),
  TEXT ("format", 0, "FORMAT", output, NULL, "man, markdown or bash: the whole manual, or the completion, made from the tables of commands and options"),
  TEXT ("output", 'o', "FILE", output, NULL, "the file to write"),
  TEXT ("html", 0, "FILE", html, NULL, "write one self-contained HTML page to FILE"),
  TEXT ("as", 0, "FOLDER", as, "found from the files", "where a folder's content belongs in the layer: python, nodejs, lib or bin"),
  INT ("max", 0, "MB", max_mb, 0, 100000000, "0", "what to keep of the cache, most recently used first"),
  FLAG ("s3", 0, s3, "the zip is uploaded through S3, so the limit of a direct upload does not count"),
  FLAG ("no-pyc", 0, no_pyc, "do not compile Python files"),
  { "init", 0, NULL, "write a check file from the template or from the folder's function after a first run, and do nothing else", NULL, LF_OPT_FLAG, AT (init),
    0, 0, false, "check" },
  FLAG ("update", 0, update, "write the baseline from what is measured"),
  FLAG ("strict", 0, strict, "fail (status 3) when something cannot be measured here"),
  TEXT ("shard", 0, "I/N", shard, NULL, "only part I of N, for several machines; `log merge` puts their logs together"),
  TEXT ("from", 0, "DB", from, NULL, "judge what is in this log, and run nothing"),
  TEXT ("junit", 0, "FILE", junit, NULL, "write the results as JUnit XML"),
  TEXT ("sarif", 0, "FILE", sarif, NULL, "write what failed as SARIF 2.1.0"),
  TEXT ("markdown", 0, "FILE", markdown, NULL, "write the results as Markdown; appended where FILE is $GITHUB_STEP_SUMMARY"),
  FLAG ("once", 0, once, "print one frame as text and end"),
  TEXT ("view", 0, "VIEW", view, "functions", "functions, function, invocations, invocation, environments, violations or cost"),
  TEXT ("size", 0, "WxH", size, "80x24", "columns and lines of the frame, from 60x16"),
  TEXT ("request-id", 0, "ID", request_id, "the newest", "the invocation that the view `invocation` shows"),
  TEXT ("theme", 0, "256|16|mono", theme, "by the terminal and NO_COLOR", "colours"),
  FLAG ("ascii", 0, ascii, "draw with ASCII alone"),
  TEXT ("arrivals", 0, "TRAFFIC", arrivals, NULL, "how requests come: " LF_ARRIVALS_FORMS),
  TEXT ("for", 0, "TIME", for_, "1d; a trace's own length", "how long: 90s, 10m, 24h, 30d"),
  TEXT ("warm", 0, "DIST", warm, NULL, "how long the handler of a warm request takes: " LF_DIST_FORMS),
  S_TEXT ("simulate", "init", "DIST", init_dist, "no init", "the init phase of a cold request, added to its handler"),
  S_TEXT ("simulate", "cold", "DIST", cold_dist, NULL, "the whole response of a cold request, in place of init and handler"),
  S_TEXT ("simulate", "from", "FUNCTION", from, NULL, "how long it takes as the log (--db) has measured it: its cold and warm phases, resampled"),
  TEXT ("cpu-share", 0, "SHARE", cpu_share, "100%", "how much of a handler given by hand is CPU time, for other memory sizes than --memory"),
  LIST ("sweep", 0, "OPTION=V1,V2", sweep, "one simulation for each value; may be repeated: every combination"),
  LIST ("with", 0, "FUNCTION", with, "another function that shares the account: \"NAME arrivals=TRAFFIC warm=DIST memory=512...\"; may be repeated"),
  TEXT ("beside", 0, "on|off", beside, "on", "compare with Fargate and EC2 (not with --sweep)"),
  TEXT ("latency-goal", 0, "TIME", latency_goal, "1.1 times Lambda's", "the p95 that Fargate and EC2 have to reach"),
  INT ("tasks", 0, "N", tasks, 1, 10000, "as the goal needs", "how many tasks or machines Fargate and EC2 have"),
  TEXT ("log", 0, "FILE", log, NULL, "write every attempt of the first run into this log, as rows with source `simulated`, at most 1,000,000"),
  TEXT ("start", 0, "TIME", start, "2026-11-02T00:00:00Z, a Monday", "when the rows of --log begin"),
  TEXT ("only", 0, "NAME", only, "all", "only this function of a trace"),
  TEXT ("fail", 0, "SHARE", fail, "0", "share of invocations that end in a function error: 0.01, 1%"),
  INT ("retries", 0, "N", retries, 0, 100, "0", "how often a synchronous caller that was throttled tries again, after up to 1 s, 2 s, 4 s... 20 s"),
  { "life", 0, "S", "how old an environment may become", "no limit", LF_OPT_SECONDS, AT (life), 0, 0, false, NULL },
  INT ("limit", 0, "N", limit, 0, 10000000, "the profile's, 1000", "the account's concurrency"),
  TEXT ("pick", 0, "mru|newest|lru", pick, "mru", "which idle environment serves: the most recently used, the newest, or the least recently used"),
  S_TEXT ("simulate", "name", "NAME", name, "function", "the function's name in what is printed"),
  S_TEXT ("simulate", "runtime", "ID", runtime, "python3.12", "decides whether init is billed on older platforms"),
  { "timeout", 0, "S", "function timeout in seconds", "the profile's longest, 900", LF_OPT_INT, AT (timeout), 1, 1000000, false, "simulate" },
  { "quiet", 'q', NULL, "no progress", NULL, LF_OPT_FLAG, AT (quiet), 0, 0, false, "simulate" },
  TEXT ("scaling", 0, "on|off", scaling, "on", "enforce the rate at which environments may start (1000 at once, 1000 more every 10 s)"),
  INT ("seed", 0, "N", seed, 0, INT64_MAX, "1", "the first seed; the same seed gives the same bytes"),
  INT ("seeds", 0, "N", seeds, 1, 10000, "1", "how many runs with different seeds: means with 95 % intervals"),
  FLAG ("verbose", 'v', verbose, "say more"),
};
const size_t lf_opts_n = LF_ARRAY_LEN (lf_opts);

const lf_opt *
lf_opt_find (const char *name, size_t n)
{
  const char *dot = memchr (name, '.', n), *own = dot ? dot + 1 : name;
  size_t own_n = n - (size_t) (own - name);
  for (size_t i = 0; i < lf_opts_n; i++)
    {
      const lf_opt *o = &lf_opts[i];
      bool scoped = dot ? o->scope && strlen (o->scope) == (size_t) (dot - name) && memcmp (o->scope, name, (size_t) (dot - name)) == 0 : !o->scope;
      if (scoped && strlen (o->name) == own_n && memcmp (o->name, own, own_n) == 0)
        return o;
    }
  return NULL;
}

void
lf_command_options (const lf_command *c, void (*visit) (const lf_opt *o, void *user), void *user)
{
  for (const char *p = c->options ? c->options : ""; *p;)
    {
      size_t n = strcspn (p, " ");
      if (n == 9 && memcmp (p, "@function", 9) == 0)
        {
          for (size_t i = 0; i < lf_opts_n; i++)
            if (lf_opts[i].in_function)
              visit (&lf_opts[i], user);
        }
      else if (n)
        {
          const lf_opt *o = lf_opt_find (p, n);
          if (o)
            visit (o, user);
        }
      p += n + (p[n] == ' ');
    }
}

typedef struct lookup { const char *name; size_t n; const lf_opt *found; } lookup;

static void
compare_name (const lf_opt *o, void *user)
{
  lookup *l = user;
  if (strlen (o->name) == l->n && memcmp (o->name, l->name, l->n) == 0)
    l->found = o;
}

const lf_opt *
lf_command_option (const lf_command *c, const char *name, size_t n)
{
  lookup l = { name, n, NULL };
  lf_command_options (c, compare_name, &l);
  return l.found;
}

/* ---- parsing -------------------------------------------------------------------------------------------------------------------- */

#define OPTS_MAX 64

typedef struct lf_getopt_tables
{
  struct option longs[OPTS_MAX + 2];
  const lf_opt *opts[OPTS_MAX];
  char shorts[3 * OPTS_MAX];
  size_t n;
} lf_getopt_tables;

static void
add_option (const lf_opt *o, void *user)
{
  lf_getopt_tables *t = user;
  if (t->n == OPTS_MAX)
    return;
  t->opts[t->n] = o;
  t->longs[t->n] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL, 1000 + (int) t->n };
  t->n++;
  if (o->letter)
    {
      size_t n = strlen (t->shorts);
      t->shorts[n] = o->letter;
      t->shorts[n + 1] = o->arg ? ':' : 0;
    }
}

static int
parse_seconds (const char *s, int64_t *ms)
{
  char *end;
  double v = strtod (s, &end);
  if (end == s || *end || !(v >= 0) || v > 1e9)
    return -1;
  *ms = llround (v * 1000);
  return 0;
}

int
lf_args_set (const lf_opt *o, const char *value, lf_args *a, lf_error *err)
{
  char *at = (char *) a + o->offset;
  char what[80];
  snprintf (what, sizeof what, "--%s", o->name);
  switch (o->type)
    {
    case LF_OPT_FLAG:
      *(bool *) at = true;
      return 0;
    case LF_OPT_TEXT:
      *(const char **) at = value;
      return 0;
    case LF_OPT_LIST:
      return lf_strv_add ((lf_strv *) at, value) < 0 ? LF_FAIL_NOMEM (err) : 0;
    case LF_OPT_SECONDS:
      return parse_seconds (value, (int64_t *) at) < 0
                 ? LF_FAIL (err, LF_EXIT_USAGE, what, "give seconds, such as 300 or 0.5", "\"%.60s\" is not a number of seconds", value)
                 : 0;
    case LF_OPT_INT:
      if (lf_parse_i64 (value, o->min, o->max, (int64_t *) at) < 0)
        return LF_FAIL (err, LF_EXIT_USAGE, what, "", "\"%.60s\" is not a whole number from %lld to %lld", value, (long long) o->min, (long long) o->max);
      return 0;
    }
  return 0;
}

void
lf_args_init (lf_args *a)
{
  memset (a, 0, sizeof *a);
  for (size_t i = 0; i < lf_opts_n; i++)
    if (lf_opts[i].type == LF_OPT_INT || lf_opts[i].type == LF_OPT_SECONDS)
      *(int64_t *) ((char *) a + lf_opts[i].offset) = LF_NONE;
}

void
lf_args_fini (lf_args *a)
{
  lf_strv_fini (&a->layers);
  lf_strv_fini (&a->env);
  lf_strv_fini (&a->parameters);
  lf_strv_fini (&a->sweep);
  lf_strv_fini (&a->with);
}

int
lf_args_parse (const lf_command *c, int argc, char **argv, lf_args *out, bool *help, lf_error *err)
{
  lf_getopt_tables t = { .shorts = "h" };
  lf_args_init (out);
  lf_command_options (c, add_option, &t);
  t.longs[t.n] = (struct option){ "help", no_argument, NULL, 'h' };
  opterr = 0;
  optind = 1;
  char fix[80];
  snprintf (fix, sizeof fix, "lambdafit %s --help lists its options", c->name);
  for (;;)
    {
      int k = getopt_long (argc, argv, t.shorts, t.longs, NULL);
      if (k == -1)
        break;
      if (k == 'h')
        {
          *help = true;
          return 0;
        }
      if (k == '?')
        {
          /* To name it: a bad short one is in optopt, a long one has just been passed in argv. */
          char letter[3] = { '-', (char) optopt, 0 };
          const char *what = optopt > 0 && optopt < 1000 ? letter : argv[optind - 1];
          bool needs = false;
          for (size_t i = 0; i < t.n; i++)
            needs |= t.opts[i]->arg && (optopt == 1000 + (int) i || (t.opts[i]->letter && optopt == t.opts[i]->letter));
          return LF_FAIL (err, LF_EXIT_USAGE, what, fix, needs ? "this option needs a value" : "no such option of %s", c->name);
        }
      const lf_opt *o = NULL;
      if (k >= 1000)
        o = t.opts[k - 1000];
      for (size_t i = 0; i < t.n && !o; i++)
        if (t.opts[i]->letter == k)
          o = t.opts[i];
      if (o && lf_args_set (o, optarg, out, err) < 0)
        return -1;
    }
  out->rest = argv + optind;
  out->rest_n = argc - optind;
  if (out->rest_n < c->min_rest || (c->max_rest >= 0 && out->rest_n > c->max_rest))
    return LF_FAIL (err, LF_EXIT_USAGE, out->rest_n > c->max_rest && c->max_rest >= 0 ? out->rest[c->max_rest] : c->name, fix,
                    out->rest_n < c->min_rest ? "an argument is missing: lambdafit %s" : "one argument too many: lambdafit %s", c->synopsis);
  return 0;
}
