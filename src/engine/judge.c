/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rules need to know of an invocation and of those before it in its environment, gathered as it happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Only the first part of a response is looked at, and a shorter run of letters and digits is no data. */
#define SAMPLE 16384
#define RUN_MIN 1024

void
lf_judge_init_began (lf_live_env *env, lf_time_us at)
{
  env->init_began = at;
  env->init_cpu_base = env->usage.cpu_us == LF_NONE ? 0 : env->usage.cpu_us;
}

void
lf_judge_init_ended (lf_call *c, bool done)
{
  lf_live_env *env = c->env;
  if (!env || env->init_began == LF_NONE)
    return;
  lf_live_env_look (env);
  c->init_wall_us = lf_now_us () - env->init_began;
  c->init_cpu_us = env->usage.cpu_us == LF_NONE ? LF_NONE : env->usage.cpu_us - env->init_cpu_base;
  c->init_done = done;
  env->init_began = LF_NONE;
  if (!done)
    return;
  lf_sandbox_tasks (env->sb, &env->tasks); /* what init started is none of the handler's */
  memset (env->tasks.cpu_ticks, 0, sizeof env->tasks.cpu_ticks); /* but its CPU time is in the same row */
}

static void
take_left_running (lf_call *c)
{
  c->left_running = c->inv.status == LF_ST_OK ? c->env->tasks.left_running : 0;
}

void
lf_judge_measure (lf_call *c)
{
  lf_live_env *env = c->env;
  env->tasks.suspects_n = 0;
  if (!c->init_done && env->tasks.n == 0)
    return; /* the first look must come before the handler's first call */
  if (c->record.processes != LF_NONE && c->record.processes <= 1 && env->tasks.n <= 1)
    return;
  lf_sandbox_tasks (env->sb, &env->tasks);
  take_left_running (c);
  c->busy_threads = env->tasks.busy;
}

bool
lf_judge_measure_again (lf_call *c)
{
  lf_live_env *env = c->env;
  int64_t before = c->left_running;
  if (!c->looked || !env || !env->sb || env->dead || !lf_sandbox_tasks_again (env->sb, &env->tasks))
    return false;
  take_left_running (c);
  return before == 0 && c->left_running > 0;
}

/* Do the files that it has mapped fit beside its memory? If not, how much of them does one invocation touch: begun at the end of one, looked at at the
 * end of the next, once in an environment. */
void
lf_judge_files (lf_call *c)
{
  lf_live_env *env = c->env;
  int64_t allowed = c->fn->prep.f.memory_mb * LF_MB, used = env->usage.memory_bytes;
  if (env->files == LF_FILES_LOOKED || used == LF_NONE || !c->inv.responded)
    return;
  if (env->files == LF_FILES_BEGUN)
    {
      c->files_touched = lf_sandbox_touched (env->sb);
      env->files = LF_FILES_LOOKED;
      return;
    }
  int64_t mapped = lf_sandbox_mapped (env->sb);
  if (mapped != LF_NONE && used + mapped > allowed && lf_sandbox_touched_begin (env->sb))
    env->files = LF_FILES_BEGUN;
}

/* FNV-1a: only equality within one environment matters. */
static uint64_t
digest (const char *p, size_t n)
{
  uint64_t h = UINT64_C (14695981039346656037);
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char) p[i]) * UINT64_C (1099511628211);
  return h;
}

static void
remember_event (lf_call *c, lf_history *h)
{
  bool first = h->served == 1;
  if (!first && (!h->first_ok || c->inv.status == LF_ST_OK))
    {
      h->same_failures = 0;
      return;
    }
  if (!first && c->inv.status != LF_ST_FUNCTION_ERROR)
    return;
  uint64_t event = digest (c->payload.data, c->payload.len);
  if (first)
    {
      h->first_event = event;
      h->first_ok = c->inv.status == LF_ST_OK;
    }
  else
    h->same_failures = event == h->first_event ? h->same_failures + 1 : 0;
}

static bool
is_base64 (char ch)
{
  return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '+' || ch == '/' || ch == '=';
}

/* Data has many different letters in a short run, padding and repeated ones have not. */
#define VARIETY_MIN 24

static bool
is_data (const char *run, size_t n)
{
  bool seen[256] = { false };
  size_t different = 0;
  for (size_t i = 0; i < n; i++)
    {
      different += !seen[(unsigned char) run[i]];
      seen[(unsigned char) run[i]] = true;
    }
  return different >= VARIETY_MIN;
}

/* An answer over HTTP says so itself, before its body or after it. */
static bool
says_base64 (const char *p, size_t n)
{
  static const char *const words[] = { "\"isBase64Encoded\":true", "\"isBase64Encoded\": true" };
  size_t near = n < 1024 ? n : 1024;
  for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
    if (near && (memmem (p, near, words[i], strlen (words[i])) || memmem (p + n - near, near, words[i], strlen (words[i]))))
      return true;
  return false;
}

bool
lf_judge_base64 (const char *p, size_t n)
{
  size_t run = 0, in_runs = 0;
  if (says_base64 (p, n))
    return true;
  n = n < SAMPLE ? n : SAMPLE;
  for (size_t i = 0; i <= n; i++)
    if (i < n && is_base64 (p[i]))
      run++;
    else
      {
        in_runs += run >= RUN_MIN && is_data (p + i - run, run) ? run : 0;
        run = 0;
      }
  return n >= RUN_MIN && in_runs > n / 2;
}

/* A handler behind an HTTP API often catches everything and answers {"statusCode": 500, "body": ...}. */
#define ANSWER_MAX 65536

static bool
answered_error (const lf_call *c)
{
  static const char key[] = "\"statusCode\":";
  if (c->inv.status != LF_ST_OK || !c->body.data || c->body.len > ANSWER_MAX || c->body.data[0] != '{')
    return false;
  const char *p = strstr (c->body.data, key);
  if (!p)
    return false;
  p += sizeof key - 1;
  p += strspn (p, " \"");
  return *p == '5';
}

/* Memory and /tmp after each invocation that ended well: what a killed one held says nothing about the next. The first one is still
 * filling caches, so memory begins with the second. */
static void
remember (lf_call *c)
{
  lf_history *h = &c->env->history;
  h->served++;
  h->tmp_before = c->env->tmp_base;
  remember_event (c, h);
  if (c->inv.status != LF_ST_OK && c->inv.status != LF_ST_FUNCTION_ERROR)
    return;
  if (c->record.cold == 0)
    lf_trend_add (&h->trend[LF_TREND_MEMORY], h->served, c->usage.memory_bytes);
  lf_trend_add (&h->trend[LF_TREND_TMP], h->served, c->usage.tmp_bytes);
  lf_trend_add (&h->trend[LF_TREND_FDS], h->served, c->record.fds);
}

int
lf_call_judge (lf_call *c, lf_error *err)
{
  lf_engine *e = c->engine;
  lf_facts x;
  lf_record r = c->record;
  if (c->env)
    remember (c);
  lf_judge_init_ended (c, false);
  if (c->inv.abandoned_status == LF_ST_INIT_TIMEOUT && r.init_us == LF_NONE)
    r.init_us = c->inv.abandoned_init_us; /* the first init broke its limit, whatever came of the second */
  lf_facts_init (&x, &c->fn->prep.f, e->profile, lf_sb_host_enforcement (e->host), &r);
  x.package = &c->fn->prep.facts;
  x.history = c->env ? &c->env->history : NULL;
  if (c->env) /* without the platform's own lines, in which there is nothing to be found */
    x.output = (lf_str){ c->env->log.buf.data, c->env->log.buf.len };
  x.init_wall_us = c->init_wall_us;
  x.init_cpu_us = c->init_cpu_us;
  x.init_done = c->init_done;
  x.segfault = c->env && c->env->segfault;
  if (c->env)
    c->env->segfault = false;
  x.base64 = c->base64;
  if (c->inv.status == LF_ST_OK && c->body.data)
    x.no_number = lf_response_no_number ((lf_str){ c->body.data, c->body.len }, &x.no_number_in_body);
  if ((x.answered_error = answered_error (c)))
    x.response = (lf_str){ c->body.data, c->body.len };
  x.left_running = c->left_running;
  x.left_behind = c->left_behind;
  x.busy_threads = c->busy_threads;
  x.files_touched = c->files_touched;
  x.memory_now = c->usage.memory_bytes;
  size_t n = lf_judge (&x, r.received_us, e->judged);
  if (n == 0)
    return 0;
  c->violations = malloc (n * sizeof *c->violations);
  if (!c->violations)
    return LF_FAIL_NOMEM (err);
  memcpy (c->violations, e->judged, n * sizeof *c->violations);
  c->violations_n = n;
  return 0;
}

int
lf_judge_late (lf_call *c, bool more_at_work, lf_error *err)
{
  lf_facts x;
  lf_record r;
  lf_engine *e = c->engine;
  lf_record_init (&r);
  r.request_id = c->row_id;
  r.function = c->record.function;
  r.status = c->inv.status;
  lf_facts_init (&x, &c->fn->prep.f, e->profile, lf_sb_host_enforcement (e->host), &r);
  x.left_running = more_at_work ? c->left_running : 0; /* else it was judged before */
  x.left_behind = c->left_behind;
  size_t n = lf_judge (&x, c->record.received_us, e->judged);
  lf_violation *all = n ? realloc (c->violations, (c->violations_n + n) * sizeof *all) : NULL;
  if (n && !all)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < n; i++)
    {
      all[c->violations_n++] = e->judged[i];
      if (lf_store_violation (e->store, &e->judged[i], err) < 0)
        n = i + 1; /* kept, so that it is said all the same */
    }
  c->violations = n ? all : c->violations;
  return err->exit == LF_EXIT_OK ? 0 : -1;
}

static uint32_t *
times_of (lf_live_fn *fn, const char *rule)
{
  const lf_rule_info *rules, *found = lf_rule_find (rule);
  lf_rules (&rules);
  return found ? &fn->rule_times[found - rules] : NULL;
}

void
lf_judge_say (lf_live_fn *fn, const lf_violation *v, size_t n)
{
  lf_engine *e = fn->engine;
  for (size_t i = 0; i < n && e->log && e->say_rules; i++)
    {
      uint32_t *times = times_of (fn, v[i].rule);
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (!times || *times == UINT32_MAX || ++*times > 1)
        continue;
      lf_buf_addf (&b, "lambdafit: %s: %s %s: %s\n  fix: %s\n", fn->prep.f.name, v[i].severity == LF_SEV_BROKEN ? "BROKEN" : "NEAR", v[i].limit_id, v[i].message,
                   v[i].fix);
      if (!b.failed)
        lf_engine_say (e, &fn->prep.f, b.data, b.len);
    }
}

void
lf_judge_say_times (lf_live_fn *fn)
{
  const lf_rule_info *rules;
  size_t n = lf_rules (&rules);
  for (size_t i = 0; i < n; i++)
    if (fn->rule_times[i] > 1)
      {
        char text[160];
        int len = snprintf (text, sizeof text, "lambdafit: %.64s: rule %.48s held %u times\n", fn->prep.f.name, rules[i].id, fn->rule_times[i]);
        lf_engine_say (fn->engine, &fn->prep.f, text, (size_t) len);
      }
}
