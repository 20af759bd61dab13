/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- an allocator that can fail (the linker sends every call of the archives and the tests here) ----------------------------- */

long world_alloc_fails_after = -1;
void *__real_malloc (size_t n);
void *__real_calloc (size_t n, size_t size);
void *__real_realloc (void *p, size_t n);
void *__wrap_malloc (size_t n);
void *__wrap_calloc (size_t n, size_t size);
void *__wrap_realloc (void *p, size_t n);

static bool
refused (void)
{
  if (world_alloc_fails_after < 0)
    return false;
  return world_alloc_fails_after-- == 0;
}

void *
__wrap_malloc (size_t n)
{
  return refused () ? NULL : __real_malloc (n);
}

void *
__wrap_calloc (size_t n, size_t size)
{
  return refused () ? NULL : __real_calloc (n, size);
}

void *
__wrap_realloc (void *p, size_t n)
{
  return refused () ? NULL : __real_realloc (p, n);
}

uint64_t
world_seed (void)
{
  const char *s = getenv ("LF_SEED");
  return s ? strtoull (s, NULL, 0) : UINT64_C (20261125);
}

/* ---- profiles and functions -------------------------------------------------------------------------------------------------- */

lf_profile
world_profile_2026 (void)
{
  return (lf_profile) {
    .name = "test-2026", .service = "lambda", .timeout_default_s = 3, .keepalive_ms = 300000, .init_max_ms = 10000,
    .concurrency_account = 1000, .concurrency_unreserved_min = 100, .requests_per_concurrency = 10,
    .scaling_burst = 1000, .scaling_step = 1000, .scaling_period_ms = 10000, .scaling_per_function = 1,
    .async_retries = 2, .async_max_age_s = 21600, .async_retry_delay_1_ms = 60000, .async_retry_delay_2_ms = 120000,
    .async_backoff_min_ms = 1000, .async_backoff_max_ms = 300000, .style = LF_STYLE_2026,
  };
}

lf_profile
world_profile_2020 (void)
{
  lf_profile p = world_profile_2026 ();
  p.style = LF_STYLE_2020;
  p.scaling_burst = 3000;
  p.scaling_step = 500;
  p.scaling_period_ms = 60000;
  p.scaling_per_function = 0;
  return p;
}

lf_function
world_function (void)
{
  return (lf_function) {
    .memory_mb = 128, .timeout_ms = 3000, .tmp_mb = 512, .reserved = LF_NONE, .keepalive_ms = LF_NONE, .life_ms = LF_NONE,
    .async_retries = -1, .async_max_age_s = LF_NONE,
  };
}

const char *
world_status (lf_status s)
{
  static const char *const names[LF_ST_COUNT] = {
    "ok", "function_error", "timeout", "out_of_memory", "crash", "init_error", "init_timeout", "throttled", "rejected",
  };
  return (size_t) s < LF_ST_COUNT ? names[s] : "?";
}

void
world_init (world *w, lf_profile profile)
{
  memset (w, 0, sizeof *w);
  w->profile = profile;
  for (size_t i = 0; i < WORLD_FNS; i++)
    w->config[i] = world_function ();
  w->options = (lf_fleet_options) { .profile = &w->profile, .concurrency = LF_NONE, .freeze_delay_us = LF_NONE };
}

void
world_open (world *w)
{
  w->fleet = lf_fleet_new (&w->options);
  assert_non_null (w->fleet);
  for (size_t i = 0; i < WORLD_FNS; i++)
    {
      w->fn[i] = lf_fleet_add_sharing (w->fleet, &w->config[i], NULL, w->versions && i == 1 ? w->fn[0] : NULL);
      assert_non_null (w->fn[i]);
    }
}

void
world_close (world *w)
{
  lf_fleet_free (w->fleet);
  lf_effects_fini (&w->fx);
}

/* ---- in words ---------------------------------------------------------------------------------------------------------------- */

static const char *const effect_names[] = {
  [LF_FX_START] = "START", [LF_FX_RESTART] = "RESTART", [LF_FX_THAW] = "THAW", [LF_FX_DELIVER] = "DELIVER",
  [LF_FX_FREEZE] = "FREEZE",
  [LF_FX_KILL] = "KILL", [LF_FX_DESTROY] = "DESTROY", [LF_FX_ABANDONED] = "ABANDONED", [LF_FX_ANSWER] = "ANSWER",
  [LF_FX_FINISH] = "FINISH",
};

static void LF_PRINTF (2, 3)
say (world *w, const char *fmt, ...)
{
  size_t n = strlen (w->text);
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (w->text + n, sizeof w->text - n, fmt, ap);
  va_end (ap);
}

static void
say_effect (world *w, const lf_effect *x)
{
  if (x->type == LF_FX_START)
    {
      assert_true (x->env->serial < WORLD_ENVS);
      w->env[x->env->serial] = x->env;
    }
  say (w, "%s%s", w->text[0] ? " " : "", effect_names[x->type]);
  if (x->type == LF_FX_ANSWER || x->type == LF_FX_FINISH)
    say (w, ":%c", (int) ('a' + (x->inv - w->inv)));
  else
    say (w, ":%" PRIu64, x->env->serial);
  if (x->type == LF_FX_DELIVER)
    say (w, "%c", (int) ('a' + (x->inv - w->inv)));
  if (x->type == LF_FX_DESTROY)
    say (w, ":%s", lf_env_end_name (x->end));
}

static void
say_number (world *w, const char *name, int64_t v)
{
  if (v != LF_NONE)
    say (w, " %s=%" PRId64, name, v);
}

static void
say_inv (world *w, const lf_inv *inv)
{
  say (w, "%s%s", world_status (inv->status), inv->cold ? " cold" : "");
  say_number (w, "wait", inv->wait_us);
  say_number (w, "init", inv->init_us);
  if (inv->abandoned_init_us != LF_NONE)
    say (w, " abandoned=%s/%" PRId64, world_status (inv->abandoned_status), inv->abandoned_init_us);
  say_number (w, "duration", inv->duration_us);
  say_number (w, "ended", inv->ended);
  if (inv->exit.exited || inv->exit.signal || inv->exit.exec_failed)
    say (w, " exit=%d/%d", inv->exit.code, inv->exit.signal);
  if (inv->throttle_reason)
    say (w, " %s", inv->throttle_reason);
  say_number (w, "retry", inv->retry_after_ms);
}

static void
say_env (world *w, const lf_env *e)
{
  say (w, "%s%s%s%s%s served=%" PRIu64, lf_env_state_name (e->state), e->state == LF_ENV_RESETTING ? " resetting" : "",
       e->frozen ? " frozen" : "", e->needs_init ? " needs_init" : "", e->in_invoke_init ? " in_invoke_init" : "", e->served);
  say_number (w, "deadline", e->deadline);
}

static lf_status
status_of (const char *name)
{
  for (lf_status s = 0; s < LF_ST_COUNT; s++)
    if (strcmp (name, world_status (s)) == 0)
      return s;
  fail_msg ("no status %s", name);
  return LF_ST_OK;
}

static bool
event_of (world *w, const char *text, lf_event *ev)
{
  char verb[32] = "", who[32] = "", more[32] = "";
  sscanf (text, "%31s %31s %31s", verb, who, more);
  static const struct { const char *verb; lf_event_type type; lf_status status; lf_exit_info exit; } verbs[] = {
    { .verb = "launched", .type = LF_EV_LAUNCHED }, { .verb = "failed", .type = LF_EV_LAUNCH_FAILED },
    { .verb = "next", .type = LF_EV_NEXT },
    { .verb = "ok", .type = LF_EV_RESPONSE }, { .verb = "error", .type = LF_EV_RESPONSE, .status = LF_ST_FUNCTION_ERROR },
    { .verb = "exit", .type = LF_EV_EXIT, .exit = { .exited = true, .code = 1 } },
    { .verb = "oom", .type = LF_EV_EXIT, .exit = { .signal = 9, .oom = true } },
    { .verb = "noexec", .type = LF_EV_EXIT, .exit = { .exec_failed = true, .exec_errno = 2 } },
    { .verb = "gone", .type = LF_EV_GONE },
    { .verb = "tick", .type = LF_EV_TICK }, { .verb = "shutdown", .type = LF_EV_SHUTDOWN },
  };
  *ev = (lf_event) { 0 };
  if (strcmp (verb, "invoke") == 0)
    {
      ev->type = LF_EV_INVOKE;
      ev->inv = &w->inv[who[0] - 'a'];
      ev->fn = w->fn[atoi (more)];
      memset (ev->inv, 0, sizeof *ev->inv);
      return true;
    }
  if (strcmp (verb, "remove") == 0)
    {
      ev->type = LF_EV_REMOVE_FN;
      ev->fn = w->fn[atoi (who)];
      return true;
    }
  for (size_t i = 0; i < LF_ARRAY_LEN (verbs); i++)
    if (strcmp (verb, verbs[i].verb) == 0)
      {
        ev->type = verbs[i].type;
        if (ev->type == LF_EV_LAUNCHED)
          ev->at = atoi (more);
        else if (ev->type == LF_EV_NEXT)
          ev->own_us = atoi (more);
        else
          ev->status = more[0] ? status_of (more) : verbs[i].status;
        ev->exit = verbs[i].exit;
        ev->env = who[0] ? w->env[atoi (who)] : NULL;
        return true;
      }
  return false;
}

const char *
world_do (world *w, lf_time_us at, const char *event)
{
  lf_event ev;
  w->text[0] = '\0';
  if (event[0] == '?')
    say_inv (w, &w->inv[event[2] - 'a']);
  else if (strncmp (event, "env ", 4) == 0)
    say_env (w, w->env[atoi (event + 4)]);
  else if (strcmp (event, "due") == 0)
    say_number (w, "", lf_fleet_next (w->fleet));
  else
    {
      if (!event_of (w, event, &ev))
        fail_msg ("no event %s", event);
      w->fx.n = 0;
      assert_int_equal (lf_fleet_step (w->fleet, &ev, at, &w->fx), 0);
      for (size_t i = 0; i < w->fx.n; i++)
        say_effect (w, &w->fx.v[i]);
    }
  return w->text;
}

void
world_play (world *w, const row *rows, size_t n, const char *file, int line)
{
  for (size_t i = 0; i < n; i++)
    {
      const char *got = world_do (w, rows[i].at, rows[i].event);
      const char *broken = lf_fleet_broken (w->fleet);
      if (broken || strcmp (got, rows[i].effects) != 0)
        {
          print_error ("%s:%d: row %zu, at %" PRId64 ", %s\n  expected: %s\n  happened: %s\n%s\n", file, line, i + 1, rows[i].at,
              rows[i].event,
                       rows[i].effects, got, broken ? broken : "");
          fail ();
        }
    }
}
