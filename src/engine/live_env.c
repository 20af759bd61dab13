/* SPDX-License-Identifier: Apache-2.0
 *
 * One execution environment, live: its sandbox, the descriptors the loop watches for it, and its Runtime API.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static void on_ctl (uv_poll_t *h, int status, int events);
static void on_log (uv_poll_t *h, int status, int events);
static void on_memory (uv_poll_t *h, int status, int events);
static int close_poll (lf_live_env *env, lf_poll_kind k);

static void
send_event (lf_live_env *env, lf_event_type type, const lf_exit_info *how)
{
  lf_event ev = { .type = type, .env = env->core };
  if (how)
    ev.exit = *how;
  lf_engine_event (env->engine, &ev);
}

/* ---- start -------------------------------------------------------------------------------------------------------------------- */

static void
make_names (lf_live_env *env)
{
  uint8_t r[16];
  lf_random_bytes (r, sizeof r);
  for (int i = 0; i < 16; i++)
    snprintf (env->id + 2 * i, 3, "%02x", r[i]);
  lf_utc t = lf_utc_from (lf_wall_us ());
  snprintf (env->log_stream, sizeof env->log_stream, "%04d/%02d/%02d/[%.16s]%s", t.year, t.month, t.day, env->fn->prep.f.version,
            env->id);
}

static int
set_runtime_api (lf_live_env *env, lf_error *err)
{
  char value[64];
  if (env->plan.network == LF_NET_NONE)
    snprintf (value, sizeof value, "127.0.0.1:9001"); /* the socket is made inside and comes back at launch */
  else
    {
      env->port = 0;
      if (!(env->face = env->engine->rt->open (env, -1, &env->port, err)))
        return -1;
      snprintf (value, sizeof value, "127.0.0.1:%d", env->port);
    }
  return lf_strv_setenv (&env->plan.env, "AWS_LAMBDA_RUNTIME_API", value) < 0 ? LF_FAIL_NOMEM (err) : 0;
}

static int
open_poll (lf_live_env *env, lf_poll_kind k, int fd, int events, uv_poll_cb cb, lf_error *err)
{
  if (fd < 0)
    return 0;
  uv_poll_t *h = &env->polls[k].handle;
  int rc = uv_poll_init (env->engine->loop, h, fd);
  if (rc < 0)
    return LF_FAIL (err, LF_EXIT_IO, "sandbox", "", "its descriptor cannot be watched: %s", uv_strerror (rc));
  h->data = env;
  env->polls[k].open = true;
  env->polls_open++;
  rc = uv_poll_start (h, events, cb);
  return rc < 0 ? LF_FAIL (err, LF_EXIT_IO, "sandbox", "", "its descriptor cannot be watched: %s", uv_strerror (rc)) : 0;
}

static int
launch (lf_live_env *env, lf_error *err)
{
  lf_engine *e = env->engine;
  lf_prepared *p = &env->fn->prep;
  lf_sb_plan_input in = { .f = &p->f, .p = e->profile, .interp = p->has_interp ? &p->interp : NULL, .task_dir = p->package.dir, .opt_dir = p->opt_dir,
                          .log_stream = env->log_stream, .pass_credentials = e->pass_credentials, .host_env = e->environ_ };
  const char *runtimes = NULL;
  if (p->f.rt.kind == LF_RT_PYTHON || p->f.rt.kind == LF_RT_NODEJS)
    {
      runtimes = lf_data_path (p->f.rt.kind == LF_RT_PYTHON ? "runtimes/python" : "runtimes/nodejs");
      if (!runtimes)
        return LF_FAIL (err, LF_EXIT_IO, "runtime bootstraps", "install lambdafit again, or point LAMBDAFIT_DATADIR at its data", "our own data folder was not found");
    }
  in.runtime_dir = runtimes;
  if (lf_sb_plan_make (&in, &env->plan, err) < 0 || set_runtime_api (env, err) < 0)
    return -1;
  if (!(env->sb = lf_sandbox_launch (e->host, env->id, &env->plan, err)))
    return -1;
  int pri = lf_sandbox_memory_fd_is_pri (env->sb) ? UV_PRIORITIZED : UV_READABLE;
  if (open_poll (env, LF_POLL_CTL, lf_sandbox_ctl_fd (env->sb), UV_READABLE, on_ctl, err) < 0
      || open_poll (env, LF_POLL_LOG, lf_sandbox_log_fd (env->sb), UV_READABLE, on_log, err) < 0
      || open_poll (env, LF_POLL_MEMORY, lf_sandbox_memory_fd (env->sb), pri, on_memory, err) < 0)
    return -1;
  return 0;
}

void
lf_live_env_start (lf_engine *e, lf_env *core)
{
  lf_live_env *env = calloc (1, sizeof *env);
  if (!env)
    {
      lf_engine_event (e, &(lf_event){ .type = LF_EV_LAUNCH_FAILED, .env = core });
      return;
    }
  env->engine = e;
  env->core = core;
  env->fn = lf_fleet_fn_user (core->fn);
  env->cpu_base = env->throttled_base = env->tmp_base = 0;
  env->init_began = LF_NONE;
  env->usage = (lf_sb_usage){ LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE };
  lf_log_ring_init (&env->log);
  lf_buf_init (&env->init_error_body, 0);
  core->user = env;
  env->after_reload = env->fn->reload_cold > 0;
  env->fn->reload_cold -= env->after_reload;
  e->envs++;
  make_names (env);
  if (core->inv)
    lf_call_begin (core->inv->user, env);
  lf_error err = { 0 };
  if (launch (env, &err) < 0)
    {
      env->launch_error = err;
      send_event (env, LF_EV_LAUNCH_FAILED, NULL);
      return;
    }
  if (lf_store_env_begin (e->store, env->id, env->fn->prep.f.name, lf_wall_us (), env->plan.network == LF_NET_NONE ? "none" : "host", e->enforcement_json, &err) < 0)
    lf_engine_log_failed (e, &err);
  else
    env->recorded = true;
}

void
lf_live_env_restart (lf_live_env *env)
{
  lf_error err = { 0 };
  env->marked = false;
  lf_buf_reset (&env->init_error_body);
  env->init_error_type[0] = 0;
  if (env->core->inv)
    lf_call_begin (env->core->inv->user, env);
  if (!env->sb || env->dead || lf_sandbox_restart (env->sb, &err) < 0)
    {
      env->launch_error = err;
      send_event (env, LF_EV_LAUNCH_FAILED, NULL);
    }
}

/* ---- what the sandbox tells ------------------------------------------------------------------------------------------------------ */

static void
on_launched (lf_live_env *env, lf_time_us at)
{
  lf_error err = { 0 };
  if (env->plan.network == LF_NET_NONE && !env->face)
    {
      int fd = lf_sandbox_listen_fd (env->sb);
      if (fd < 0 || !(env->face = env->engine->rt->open (env, fd, &env->port, &err)))
        {
          if (fd >= 0)
            close (fd);
          env->launch_error = err;
          send_event (env, LF_EV_LAUNCH_FAILED, NULL);
          return;
        }
    }
  if (env->engine->profile->style == LF_STYLE_2026 && !env->core->in_invoke_init)
    {
      lf_buf line LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&line, 0);
      if (lf_line_init_start_in (&line, env->engine->profile, &env->fn->prep.f, env->log_stream, lf_wall_us ()) == 0 && !line.failed)
        lf_engine_say (env->engine, &env->fn->prep.f, line.data, line.len);
    }
  lf_judge_init_began (env, at);
  lf_engine_event (env->engine, &(lf_event){ .type = LF_EV_LAUNCHED, .env = env->core, .at = at });
  env->launched = true;
  if (env->next_early)
    send_event (env, LF_EV_NEXT, NULL);
  env->next_early = false;
}

static void
say_unnoticed (lf_live_env *env)
{
  char text[300];
  int n = snprintf (text, sizeof text, "lambdafit: %.64s: the runtime crashed with a segmentation fault; Lambda does not notice, and shows a timeout\n",
                    env->fn->prep.f.name);
  lf_engine_say (env->engine, &env->fn->prep.f, text, (size_t) n);
}

static void
on_exit_event (lf_live_env *env, lf_exit_info *how)
{
  if (env->face)
    env->engine->rt->drain (env->face);
  lf_engine_hear (env);
  bool working = env->core->state == LF_ENV_STARTING || env->core->state == LF_ENV_BUSY;
  lf_live_env_drain (env);
  if (env->face)
    env->engine->rt->drop (env->face);
  if (lf_exit_noticed (env->engine->profile, how) || !working)
    {
      send_event (env, LF_EV_EXIT, how);
      return;
    }
  env->unnoticed = env->segfault = true;
  say_unnoticed (env);
}

bool
lf_live_env_kill (lf_live_env *env)
{
  if (!env->unnoticed)
    return env->sb && lf_sandbox_kill (env->sb) == 0;
  env->unnoticed = false;
  send_event (env, LF_EV_EXIT, &(lf_exit_info){ .signal = 9 });
  return true;
}

static void on_closed (uv_handle_t *h);

/* On Lambda a shell script starts a managed runtime and its wrapper; its exit status is what is seen when that is not there. */
static void
wrapper_failed (lf_live_env *env, lf_exit_info *how)
{
  const char *wrapper = lf_strv_env (&env->plan.env, "AWS_LAMBDA_EXEC_WRAPPER");
  if (env->fn->prep.f.rt.kind == LF_RT_PROVIDED || !wrapper || !*wrapper)
    return;
  *how = (lf_exit_info){ .exited = true, .code = how->exec_errno == ENOENT ? 127 : 126 };
}

/* The supervisor is gone: either because we asked for it, or because something killed it. */
static void
on_dead (lf_live_env *env)
{
  if (env->dead)
    return;
  env->dead = true;
  if (env->destroying)
    {
      for (int k = 0; k < LF_POLL_COUNT; k++)
        close_poll (env, k);
      return;
    }
  lf_live_env_drain (env);
  if (env->launch_error.exit == LF_EXIT_OK)
    (void) LF_FAIL (&env->launch_error, LF_EXIT_FAILED, "sandbox", "", "its supervisor was killed from outside");
  send_event (env, LF_EV_LAUNCH_FAILED, NULL);
}

static void
on_ctl (uv_poll_t *h, int status, int events)
{
  (void) status;
  (void) events;
  lf_live_env *env = h->data;
  lf_engine_hear (env); /* a runtime that answers and ends at once has answered */
  for (;;)
    {
      lf_sb_event ev = { 0 };
      lf_sandbox_read (env->sb, &ev);
      switch (ev.type)
        {
        case LF_SB_NONE:
          return;
        case LF_SB_LAUNCHED:
          on_launched (env, ev.at);
          break;
        case LF_SB_EXEC_FAILED:
          ev.exit.exec_failed = true;
          wrapper_failed (env, &ev.exit);
          on_exit_event (env, &ev.exit);
          break;
        case LF_SB_SETUP_FAILED:
          env->launch_error = ev.error;
          send_event (env, LF_EV_LAUNCH_FAILED, NULL);
          break;
        case LF_SB_EXIT:
          on_exit_event (env, &ev.exit);
          break;
        case LF_SB_DEAD:
          on_dead (env);
          return;
        }
    }
}

/* Reads what was printed. Bounded per turn, so that a handler that prints without end cannot hold the loop. */
static bool
read_log (lf_live_env *env, int rounds)
{
  char buf[16384];
  int fd = lf_sandbox_log_fd (env->sb);
  while (rounds-- > 0)
    {
      ssize_t n = read (fd, buf, sizeof buf);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return n < 0 && errno == EAGAIN;
      lf_log_ring_add (&env->log, buf, (size_t) n);
      lf_engine_say_output (env->engine, env, buf, (size_t) n);
      if ((size_t) n < sizeof buf)
        return true;
    }
  return true;
}

void
lf_live_env_drain (lf_live_env *env)
{
  if (env->sb && env->polls[LF_POLL_LOG].open)
    read_log (env, 64);
}

/* Memory is noticed a little after it went over; Lambda never shows more than the function's size. */
static int64_t
at_most (int64_t v, int64_t max)
{
  return v != LF_NONE && v > max ? max : v;
}

void
lf_live_env_look (lf_live_env *env)
{
  if (!env->sb)
    return;
  lf_engine *e = env->engine;
  if (lf_sb_host_enforcement (e->host)->by[LF_LIM_MEMORY] == LF_ENF_SAMPLED)
    {
      /* Nobody but we look: also at short invocations, though not more often than the figure can have changed much. */
      lf_time_us now = lf_now_us ();
      if (env->usage.memory_bytes == LF_NONE || now - env->sampled_at > LF_SAMPLE_MS * 200)
        {
          lf_sandbox_sample (env->sb);
          env->sampled_at = now;
        }
    }
  lf_sandbox_usage (env->sb, &env->usage);
  int64_t max = env->fn->prep.f.memory_mb * LF_MB;
  env->usage.max_memory_bytes = at_most (env->usage.max_memory_bytes, max);
  env->usage.peak_memory_bytes = at_most (env->usage.peak_memory_bytes, max);
}

static void
on_log (uv_poll_t *h, int status, int events)
{
  (void) status;
  (void) events;
  lf_live_env *env = h->data;
  if (!read_log (env, 16))
    close_poll (env, LF_POLL_LOG); /* end of file: nobody holds the other end any more */
}

static void
on_memory (uv_poll_t *h, int status, int events)
{
  (void) status;
  (void) events;
  lf_live_env *env = h->data;
  lf_sandbox_on_memory (env->sb);
  lf_engine_watch_memory (env);
}

/* ---- end --------------------------------------------------------------------------------------------------------------------------- */

static void
free_env (lf_live_env *env)
{
  lf_engine *e = env->engine;
  lf_env *core = env->core;
  lf_engine_no_news (env);
  if (env->face)
    e->rt->close (env->face);
  lf_sandbox_free (env->sb);
  lf_sb_plan_fini (&env->plan);
  lf_log_ring_fini (&env->log);
  lf_buf_fini (&env->init_error_body);
  core->user = NULL;
  free (env);
  lf_engine_event (e, &(lf_event){ .type = LF_EV_GONE, .env = core });
  lf_engine_env_gone (e);
}

static void
on_closed (uv_handle_t *h)
{
  lf_live_env *env = h->data;
  if (--env->polls_open == 0 && env->destroying && env->dead)
    free_env (env);
}

static int
close_poll (lf_live_env *env, lf_poll_kind k)
{
  if (!env->polls[k].open)
    return 0;
  env->polls[k].open = false;
  uv_poll_stop (&env->polls[k].handle);
  uv_close ((uv_handle_t *) &env->polls[k].handle, on_closed);
  return 1;
}

void
lf_live_env_destroy (lf_live_env *env, lf_env_end end)
{
  lf_engine *e = env->engine;
  env->destroying = true;
  lf_error err = { 0 };
  const char *why = end == LF_END_REMOVED && env->fn->reloaded ? "reload" : lf_env_end_name (end);
  if (env->recorded && lf_store_env_end (e->store, env->id, lf_wall_us (), why, &err) < 0)
    lf_engine_log_failed (e, &err);
  if (env->call)
    env->call->env = NULL, env->call = NULL;
  if (!env->sb)
    env->dead = true;
  else if (!env->dead)
    {
      close_poll (env, LF_POLL_LOG);
      close_poll (env, LF_POLL_MEMORY);
      lf_sandbox_destroy (env->sb);
      if (env->polls[LF_POLL_CTL].open)
        return; /* its end comes by the control socket */
      env->dead = true;
    }
  for (int k = 0; k < LF_POLL_COUNT; k++)
    close_poll (env, k);
  if (env->polls_open == 0)
    free_env (env);
}

const lf_call *
lf_live_env_call (const lf_live_env *env)
{
  return env->call;
}

lf_engine *
lf_live_env_engine (const lf_live_env *env)
{
  return env->engine;
}

const lf_function *
lf_live_env_function (const lf_live_env *env)
{
  return &env->fn->prep.f;
}

const char *
lf_live_env_id (const lf_live_env *env)
{
  return env->id;
}

bool
lf_live_env_is_peer (const lf_live_env *env, int fd)
{
  return lf_sandbox_is_peer (env->sb, fd);
}

/* ---- the runtime's side --------------------------------------------------------------------------------------------------------------- */

void
lf_engine_next (lf_live_env *env)
{
  /* A quick runtime speaks before its helper has told that it runs; the init could not be measured. */
  if (!env->launched)
    {
      env->next_early = true;
      return;
    }
  env->asked = true;
  lf_engine_news (env);
}

const char *
lf_rt_state_name (lf_rt_state s)
{
  static const char *const names[] = { "Started", "InitError", "Ready", "Running", "InvocationResponse", "InvocationErrorResponse", "RuntimeResponseSentState" };
  return names[s];
}
