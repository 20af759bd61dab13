/* SPDX-License-Identifier: Apache-2.0
 *
 * One call: from the caller's payload to the row and the answer. The row is written when the outcome is known (ANSWER) and told to the
 * caller after the commit; when the invocation has wholly ended (FINISH) the row is corrected if anything grew since.
 */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "internal.h"

#define LF_ERROR_BODY_PARSE_MAX (1 << 20)

/* ---- making one ------------------------------------------------------------------------------------------------------------------ */

static char *
add_hex (char *to, const uint8_t *from, size_t n)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++)
    {
      *to++ = digits[from[i] >> 4];
      *to++ = digits[from[i] & 15];
    }
  return to;
}

static void
make_trace_id (lf_call *c, lf_str given, const uint8_t r[20])
{
  if (given.n && given.n < sizeof c->trace_id)
    {
      memcpy (c->trace_id, given.p, given.n);
      return;
    }
  uint32_t s = (uint32_t) (c->received_wall_us / 1000000);
  const uint8_t seconds[4] = { (uint8_t) (s >> 24), (uint8_t) (s >> 16), (uint8_t) (s >> 8), (uint8_t) s };
  char *p = c->trace_id;
  p = add_hex (stpcpy (p, "Root=1-"), seconds, 4);
  p = add_hex (stpcpy (p, "-"), r, 12);
  p = add_hex (stpcpy (p, ";Parent="), r + 12, 8);
  stpcpy (p, ";Sampled=0");
}

/* A version 4 UUID whose first 48 bits are the time: rows of one moment then stand side by side in the index of request ids, and a commit
 * writes fewer pages. The other 74 bits are random. */
static void
make_request_id (int64_t wall_us, uint8_t r[16], char out[37])
{
  uint64_t ms = (uint64_t) (wall_us / 1000);
  for (int i = 0; i < 6; i++)
    r[i] = (uint8_t) (ms >> (40 - 8 * i));
  lf_uuid4_from (r, out);
}

void
lf_engine_request_id (char out[37])
{
  uint8_t random[16];
  lf_random_bytes (random, sizeof random);
  make_request_id (lf_wall_us (), random, out);
}

static lf_call *
call_new (lf_engine *e, lf_live_fn *fn, const char *request_id, uint8_t random[16], lf_error *err)
{
  lf_call *c = calloc (1, sizeof *c);
  if (!c)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  c->engine = e;
  c->fn = fn;
  c->inv.user = c;
  c->received_wall_us = lf_wall_us ();
  if (request_id)
    snprintf (c->request_id, sizeof c->request_id, "%s", request_id);
  else
    make_request_id (c->received_wall_us, random, c->request_id);
  memcpy (c->row_id, c->request_id, sizeof c->request_id);
  lf_buf_init (&c->payload, 0);
  lf_buf_init (&c->client_context, 0);
  lf_buf_init (&c->body, 0);
  lf_buf_init (&c->tail, 0);
  lf_record_init (&c->record);
  c->files_touched = c->response_bytes = c->cpu_us = c->throttled_us = c->tmp_growth = c->init_wall_us = c->init_cpu_us = LF_NONE;
  c->usage = (lf_sb_usage){ LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE, LF_NONE };
  e->calls++;
  fn->calls++;
  return c;
}

static void
call_free (lf_call *c)
{
  lf_stream_forget (c);
  c->engine->calls--;
  c->fn->calls--;
  lf_buf_fini (&c->payload);
  lf_buf_fini (&c->client_context);
  lf_buf_fini (&c->body);
  lf_buf_fini (&c->tail);
  free (c->arn);
  free (c->no_sandbox);
  free (c->violations);
  free (c);
}

lf_call *
lf_engine_call (lf_engine *e, lf_live_fn *fn, lf_call_options *o, lf_error *err)
{
  lf_engine_turn (e);
  uint8_t random[52]; /* asked for once: request id, invocation id, trace id */
  lf_random_bytes (random, sizeof random);
  lf_call *c = call_new (e, fn, o->request_id, random, err);
  if (!c)
    return NULL;
  c->want_tail = o->want_tail;
  c->done = o->done;
  c->user = o->user;
  c->inv.sync = o->sync;
  c->stream = e->profile->stream_max_bytes > 0 ? o->stream : NULL;
  c->attempt = o->attempt;
  if (o->attempt > 1)
    snprintf (c->row_id, sizeof c->row_id, "%s/%d", c->request_id, o->attempt);
  make_trace_id (c, o->trace_id, random + 16);
  if (e->profile->invocation_id)
    lf_uuid4_from (random + 36, c->invocation_id);
  if ((o->client_context.n && lf_buf_add (&c->client_context, o->client_context.p, o->client_context.n) < 0)
      || (o->qualifier && !(c->arn = lf_function_arn (&fn->prep.f, o->qualifier))))
    {
      call_free (c);
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  if (o->payload)
    {
      c->payload = *o->payload;
      lf_buf_init (o->payload, 0);
    }
  c->request_bytes = (int64_t) c->payload.len;
  if (!lf_reload_wait (c) && !lf_hold (c))
    lf_engine_event (e, &(lf_event){ .type = LF_EV_INVOKE, .fn = fn->core, .inv = &c->inv });
  return c;
}

void
lf_engine_forget (lf_call *c)
{
  c->done = NULL;
  c->stream = NULL; /* what is still streamed goes nowhere */
  if (c->caller_full)
    lf_engine_stream_resume (c);
}

/* ---- while it runs --------------------------------------------------------------------------------------------------------------- */

/* Measures start anew. Nothing ran since the last look, at the end of the invocation before. */
static void
mark (lf_live_env *env)
{
  if (env->usage.tmp_bytes == LF_NONE)
    lf_live_env_look (env);
  env->cpu_base = env->usage.cpu_us;
  env->throttled_base = env->usage.throttled_us;
  env->tmp_base = env->usage.tmp_bytes;
  lf_sandbox_mark (env->sb);
  lf_engine_watch_memory (env);
  env->marked = true;
}

/* The environment works for this call from now on: measures and output count for it. Called again at delivery, when it must not start
 * over what the init has used. */
void
lf_call_begin (lf_call *c, lf_live_env *env)
{
  if (env->call == c)
    return;
  env->call = c;
  c->env = env;
  memcpy (c->env_id, env->id, sizeof c->env_id);
  c->after_reload = env->after_reload;
  if (!env->sb)
    return; /* being launched: all bases are zero */
  if (!env->marked)
    mark (env);
  env->marked = false;
  /* What a background thread printed since belongs to this invocation's log, as on Lambda. */
}

void
lf_call_delivered (lf_call *c)
{
  lf_engine *e = c->engine;
  lf_judge_init_ended (c, true);
  lf_time_us left = c->inv.env->deadline == LF_NONE ? 0 : c->inv.env->deadline - lf_now_us ();
  c->deadline_wall_ms = (lf_wall_us () + left) / 1000;
  if (!e->log)
    return;
  lf_buf line LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&line, 0);
  lf_buf_reserve (&line, LF_LINES_BYTES);
  if (lf_line_start (&line, e->profile, &c->fn->prep.f, c->request_id, lf_wall_us ()) == 0 && !line.failed)
    lf_engine_say (e, &c->fn->prep.f, line.data, line.len);
}

void
lf_call_abandoned (lf_call *c)
{
  lf_engine *e = c->engine;
  lf_live_env *env = c->env;
  const char *type = NULL;
  if (c->inv.abandoned_status == LF_ST_INIT_ERROR)
    {
      lf_buf body LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&body, 0);
      lf_body_exit (&body, e->profile, c->request_id, &c->inv.exit, &type);
      if (env && env->init_error_type[0])
        type = env->init_error_type;
    }
  lf_buf line LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&line, 0);
  if (lf_line_init_report (&line, e->profile, &c->fn->prep.f, c->inv.abandoned_init_us, "init",
                           c->inv.abandoned_status == LF_ST_INIT_TIMEOUT ? "timeout" : "error", type, lf_wall_us ()) == 0 && !line.failed)
    lf_engine_say (e, &c->fn->prep.f, line.data, line.len);
}

void
lf_engine_response (lf_live_env *env, lf_buf *body, bool error, lf_str content_type, lf_str error_type)
{
  lf_call *c = env->call;
  env->acknowledge = true;
  lf_engine_news (env);
  if (!c)
    return;
  lf_buf_fini (&c->body);
  c->body = *body;
  lf_buf_init (body, 0);
  if (!c->streamed)
    c->response_bytes = (int64_t) c->body.len;
  lf_str_copy (c->content_type, sizeof c->content_type, content_type);
  lf_str_copy (c->error_type, sizeof c->error_type, error_type);
  c->posted_error = error;
  env->posted = true;
}

/* The function's own process says it, so it is text of the user's. */
void
lf_engine_left_behind (lf_live_env *env, lf_str what)
{
  if (!env->call || what.n == 0)
    return;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 1024);
  char *to = env->call->left_behind;
  if (lf_buf_add_printable (&b, what.p, what.n < 200 ? what.n : 200) == 0)
    lf_str_copy (to, sizeof env->call->left_behind, (lf_str){ b.data, b.len });
}

void
lf_engine_response_too_large (lf_live_env *env, lf_str body, int64_t bytes)
{
  lf_call *c = env->call;
  if (!c)
    return;
  const char *type = "";
  c->base64 = lf_judge_base64 (body.p, body.n);
  lf_buf_reset (&c->body);
  if (c->streamed)
    lf_body_stream_too_large (&c->body, env->engine->profile, &type);
  else
    lf_body_response_too_large (&c->body, env->engine->profile, bytes, &type);
  snprintf (c->error_type, sizeof c->error_type, "%s", type);
  c->posted_error = true;
  c->response_bytes = bytes;
  env->posted = true;
  lf_engine_news (env);
}

void
lf_call_posted (lf_call *c)
{
  if (!lf_sandbox_check_memory (c->env->sb))
    {
      const lf_engine *e = c->engine;
      int64_t own_us = e->step_at == LF_NONE ? 0 : lf_now_us () - e->step_at + LF_AFTER_LATE_US;
      lf_engine_event (c->engine, &(lf_event){ .type = LF_EV_RESPONSE, .env = c->env->core, .own_us = own_us,
                                               .status = c->posted_error ? LF_ST_FUNCTION_ERROR : LF_ST_OK });
      return;
    }
  /* More memory than the function has: its end follows, and this answer would not have come on Lambda. */
  lf_buf_reset (&c->body);
  if (!c->streamed)
    c->response_bytes = LF_NONE;
  c->content_type[0] = c->error_type[0] = 0;
  c->posted_error = false;
}

/* Told, not ended: init fails when the process does (or when its time is over), as on Lambda. */
void
lf_engine_init_error (lf_live_env *env, lf_buf *body, lf_str error_type)
{
  lf_buf_fini (&env->init_error_body);
  env->init_error_body = *body;
  lf_buf_init (body, 0);
  lf_str_copy (env->init_error_type, sizeof env->init_error_type, error_type);
}

/* ---- the outcome --------------------------------------------------------------------------------------------------------------------- */

/* errorType and errorMessage as the row shows them, from the JSON the caller gets. */
static void
read_error_body (lf_call *c)
{
  if (c->body.len == 0 || c->body.len > LF_ERROR_BODY_PARSE_MAX)
    return;
  lf_error ignored = { 0 };
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_parse (c->body.data, c->body.len, "error body", &ignored);
  const char *type = o ? lf_json_str (o, "errorType") : NULL;
  const char *message = o ? lf_json_str (o, "errorMessage") : NULL;
  if (type && !c->error_type[0])
    snprintf (c->error_type, sizeof c->error_type, "%s", type);
  if (message && !c->error_message[0])
    {
      snprintf (c->error_message, sizeof c->error_message, "%s", message);
      c->error_message[lf_utf8_valid (c->error_message, strlen (c->error_message))] = 0;
    }
}

static void
platform_body (lf_call *c)
{
  lf_engine *e = c->engine;
  const char *type = NULL;
  lf_buf_reset (&c->body);
  switch (c->inv.status)
    {
    case LF_ST_TIMEOUT:
    case LF_ST_INIT_TIMEOUT:
      lf_body_timeout (&c->body, e->profile, c->request_id, c->fn->prep.f.timeout_ms, lf_wall_us (), &type);
      break;
    case LF_ST_INIT_ERROR:
      if (c->env && c->env->init_error_body.len)
        {
          lf_buf_add (&c->body, c->env->init_error_body.data, c->env->init_error_body.len);
          type = c->env->init_error_type;
          break;
        }
      /* fall through */
    default:
      if (c->env && c->env->launch_error.exit != LF_EXIT_OK)
        {
          type = "Sandbox.Failure";
          if (!c->no_sandbox && (c->no_sandbox = malloc (sizeof *c->no_sandbox)))
            *c->no_sandbox = c->env->launch_error;
          lf_buf_adds (&c->body, "{\"errorType\":\"Sandbox.Failure\",\"errorMessage\":");
          char text[2400];
          snprintf (text, sizeof text, "RequestId: %s Error: %s: %s", c->request_id, c->env->launch_error.what, c->env->launch_error.why);
          lf_buf_add_json_str (&c->body, text, strlen (text));
          lf_buf_addc (&c->body, '}');
          break;
        }
      lf_body_exit (&c->body, e->profile, c->request_id, &c->inv.exit, &type);
      break;
    }
  if (type)
    snprintf (c->error_type, sizeof c->error_type, "%s", type);
}

/* The answer was known before the process ended badly: the caller keeps it, only the row's error type is new. */
static void
type_after_answer (lf_call *c)
{
  if (c->inv.status != LF_ST_CRASH && c->inv.status != LF_ST_OUT_OF_MEMORY)
    return;
  const char *type = NULL;
  lf_buf body LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&body, 0);
  lf_body_exit (&body, c->engine->profile, c->request_id, &c->inv.exit, &type);
  snprintf (c->error_type, sizeof c->error_type, "%s", type ? type : "");
}

static int64_t
less (int64_t now, int64_t base)
{
  return now == LF_NONE || base == LF_NONE ? LF_NONE : now - base;
}

/* The look costs tens of microseconds: not for the shortest invocations, in which little is opened, and not a hundred times a second, but
 * for the first ones of an environment, which show whether something grows. Once, as the tasks that are new are so at the first look. */
static void
look_at_tasks (lf_call *c)
{
  lf_live_env *env = c->env;
  lf_time_us now = lf_now_us ();
  if (c->looked || (!c->inv.cold && env->history.served >= LF_COUNTS_FIRST && (c->inv.duration_us < LF_COUNTS_US || now - env->counted_at <= LF_COUNTS_AGE_US)))
    return;
  lf_sandbox_counts (env->sb, &c->record.fds, &c->record.processes);
  env->counted_at = now;
  c->looked = true;
  lf_judge_measure (c);
  lf_judge_files (c);
}

static void
measure (lf_call *c)
{
  lf_live_env *env = c->env;
  if (!env || !env->sb)
    return;
  if (!c->inv.responded) /* else its output came before its answer */
    lf_live_env_drain (env);
  lf_live_env_look (env);
  c->usage = env->usage;
  look_at_tasks (c);
  c->cpu_us = less (c->usage.cpu_us, env->cpu_base);
  c->throttled_us = less (c->usage.throttled_us, env->throttled_base);
  c->tmp_growth = less (c->usage.tmp_bytes, env->tmp_base);
}

/* Last part of the log as X-Amz-Log-Result would give it: START, what was printed, END, REPORT. */
static void
make_tail (lf_call *c)
{
  lf_engine *e = c->engine;
  const lf_function *f = &c->fn->prep.f;
  int64_t now = lf_wall_us ();
  size_t max = (size_t) e->profile->log_tail_bytes, seen = c->env ? c->env->log.buf.len : 0;
  lf_buf *all = &c->tail;
  lf_buf_reset (all);
  lf_buf_reserve (all, seen + LF_LINES_BYTES);
  lf_line_start (all, e->profile, f, c->request_id, now);
  if (seen)
    {
      lf_buf_add (all, c->env->log.buf.data, seen);
      if (all->len && all->data[all->len - 1] != '\n')
        lf_buf_addc (all, '\n');
      c->log_seen = seen;
    }
  c->end_at = all->len;
  lf_line_end (all, e->profile, f, c->request_id, now);
  lf_line_report (all, e->profile, f, &c->record, now);
  if (all->len <= max)
    return;
  size_t cut = all->len - max;
  memmove (all->data, all->data + cut, max + 1);
  all->len = max;
  c->end_at = c->end_at >= cut ? c->end_at - cut : max;
}

static void
fill_record (lf_call *c)
{
  const lf_function *f = &c->fn->prep.f;
  const lf_inv *inv = &c->inv;
  lf_record *r = &c->record;
  r->request_id = c->row_id;
  r->async = c->attempt > 0;
  r->function = f->name;
  r->environment = c->env_id[0] ? c->env_id : NULL;
  r->host = c->engine->hostname;
  r->source = LF_SRC_LIVE;
  r->received_us = c->received_wall_us;
  r->status = inv->status;
  r->cold = inv->status == LF_ST_THROTTLED || inv->status == LF_ST_REJECTED ? -1 : inv->cold;
  r->error_type = c->error_type[0] ? c->error_type : NULL;
  r->error_message = c->error_message[0] ? c->error_message : NULL;
  r->memory_mb = f->memory_mb;
  r->tmp_mb = f->tmp_mb;
  r->arch = f->arch;
  r->region = f->region;
  r->profile = c->engine->profile->name;
  r->request_bytes = c->request_bytes;
  r->response_bytes = c->response_bytes;
  r->streamed = c->streamed;
  r->cold_reason = r->cold == 1 && c->after_reload ? "reload" : NULL;
  if (r->cold < 0)
    return;
  r->wait_us = inv->wait_us == LF_NONE ? c->held_us : inv->wait_us + c->held_us;
  r->init_us = inv->init_us;
  r->duration_us = inv->duration_us;
  if (r->overhead_us == LF_NONE && inv->wait_us != LF_NONE && inv->duration_us != LF_NONE)
    {
      int64_t rest = lf_now_us () - inv->received - inv->wait_us - (inv->init_us == LF_NONE ? 0 : inv->init_us) - inv->duration_us;
      r->overhead_us = rest > 0 ? rest : 0;
    }
  bool timed_out = inv->status == LF_ST_TIMEOUT || inv->status == LF_ST_INIT_TIMEOUT;
  r->billed_ms = lf_billed_ms (c->engine->profile, f->rt.kind, inv->init_us, inv->duration_us == LF_NONE ? 0 : inv->duration_us, timed_out, f->timeout_ms);
  r->max_memory_bytes = c->usage.max_memory_bytes;
  r->peak_memory_bytes = c->usage.peak_memory_bytes;
  r->tmp_used_bytes = c->usage.tmp_bytes;
  r->tmp_growth_bytes = c->tmp_growth;
  r->cpu_us = c->cpu_us;
  r->throttled_us = c->throttled_us;
}

static void
write_row (lf_call *c)
{
  lf_engine *e = c->engine;
  lf_error err;
  lf_error_none (&err);
  int rc = c->recorded ? lf_store_invocation_update (e->store, &c->record, &err) : lf_store_invocation (e->store, &c->record, &err);
  if (!c->recorded && rc == 0)
    {
      rc = lf_call_judge (c, &err);
      for (size_t i = 0; i < c->violations_n && rc == 0; i++)
        rc = lf_store_violation (e->store, &c->violations[i], &err);
    }
  c->recorded = true;
  if (rc < 0)
    lf_engine_log_failed (e, &err);
}

static void
settle (lf_call *c)
{
  lf_stream_forget (c);
  measure (c);
  if (c->inv.responded)
    type_after_answer (c);
  else if (c->inv.status != LF_ST_OK && c->inv.status != LF_ST_FUNCTION_ERROR && c->inv.status != LF_ST_THROTTLED && c->inv.status != LF_ST_REJECTED)
    platform_body (c);
  if (c->inv.status == LF_ST_THROTTLED)
    {
      snprintf (c->error_type, sizeof c->error_type, "TooManyRequestsException");
      snprintf (c->error_message, sizeof c->error_message, "Rate Exceeded. (%s)", c->inv.throttle_reason ? c->inv.throttle_reason : "");
    }
  else if (c->inv.status != LF_ST_OK)
    read_error_body (c);
  fill_record (c);
  if (c->record.cold >= 0)
    {
      make_tail (c);
      c->record.log_tail = c->tail.data;
      c->record.log_tail_len = c->tail.len;
    }
}

void
lf_call_answer (lf_call *c)
{
  c->inv.answered = true;
  lf_hold_finishing (c);
  if (c->want_tail && c->inv.status != LF_ST_THROTTLED)
    {
      if (c->inv.responded && c->env && c->env->sb)
        look_at_tasks (c);
      return; /* the log is complete only at the end */
    }
  settle (c);
  write_row (c);
  lf_engine_queue_answer (c);
}

static void
say_end (lf_call *c)
{
  lf_engine *e = c->engine;
  if (!e->log || c->record.cold < 0)
    return;
  bool init_failed = c->inv.status == LF_ST_INIT_ERROR || c->inv.status == LF_ST_INIT_TIMEOUT;
  bool delivered = c->inv.delivered != 0 && c->inv.delivered != LF_NONE;
  if (!init_failed && delivered && !c->tail.failed && c->end_at < c->tail.len) /* the lines are there already */
    {
      lf_engine_say (e, &c->fn->prep.f, c->tail.data + c->end_at, c->tail.len - c->end_at);
      return;
    }
  lf_buf lines LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&lines, 0);
  int64_t now = lf_wall_us ();
  if (init_failed)
    lf_line_init_report (&lines, e->profile, &c->fn->prep.f, c->inv.duration_us, "invoke", c->inv.status == LF_ST_INIT_TIMEOUT ? "timeout" : "error",
                         c->inv.status == LF_ST_INIT_ERROR ? c->record.error_type : NULL, now);
  if (!delivered)
    lf_line_start (&lines, e->profile, &c->fn->prep.f, c->request_id, now);
  lf_line_end (&lines, e->profile, &c->fn->prep.f, c->request_id, now);
  lf_line_report (&lines, e->profile, &c->fn->prep.f, &c->record, now);
  if (!lines.failed)
    lf_engine_say (e, &c->fn->prep.f, lines.data, lines.len);
}

/* The runtime has asked for its next event meanwhile: whatever still computes is no thread on its way to sleep. */
static void
late_look (lf_call *c)
{
  lf_error err;
  lf_error_none (&err);
  bool more = c->inv.responded && lf_judge_measure_again (c);
  if (c->inv.responded && (more || c->left_behind[0]) && c->recorded && lf_judge_late (c, more, &err) < 0)
    lf_engine_log_failed (c->engine, &err);
}

void
lf_call_finish (lf_call *c)
{
  lf_live_env *env = c->env;
  int64_t duration_before = c->record.duration_us;
  lf_status status_before = c->record.status;
  c->finished = true;
  late_look (c);
  if (!c->recorded)
    {
      settle (c);
      write_row (c);
    }
  else if (c->record.cold >= 0)
    {
      if (env && !c->inv.responded)
        lf_live_env_drain (env);
      bool more_output = env && env->log.buf.len != c->log_seen;
      if (more_output || c->inv.duration_us != duration_before || c->inv.status != status_before)
        {
          type_after_answer (c);
          measure (c);
          fill_record (c);
          make_tail (c);
          c->record.log_tail = c->tail.data;
          c->record.log_tail_len = c->tail.len;
          write_row (c);
        }
    }
  say_end (c);
  lf_judge_say (c->fn, c->violations, c->violations_n);
  lf_hold_finished (c);
  if (env && env->call == c)
    {
      env->call = NULL;
      lf_log_ring_reset (&env->log);
      memset (&env->launch_error, 0, sizeof env->launch_error);
      if (env->sb && !env->dead && c->inv.responded)
        mark (env); /* now, and not when the next caller waits for it */
    }
  c->env = NULL;
  lf_engine_queue_answer (c); /* also when told already: it is released there, after its row is committed */
}

void
lf_call_tell (lf_call *c, const lf_error *failure)
{
  if (c->told)
    return;
  if (!c->rejected && c->want_tail && !c->finished && !failure)
    return;
  c->told = true;
  if (!c->done)
    return;
  bool service = c->inv.status == LF_ST_THROTTLED || c->inv.status == LF_ST_REJECTED;
  lf_outcome o = { .request_id = c->request_id,
                   .status = c->inv.status,
                   .fn = c->fn,
                   .version = c->fn->prep.f.version,
                   .function_error = !service && (c->inv.responded ? c->posted_error : c->inv.status != LF_ST_OK),
                   .streamed = c->streamed,
                   .body = c->body.data ? c->body.data : "",
                   .body_len = c->body.len,
                   .content_type = c->content_type[0] ? c->content_type : NULL,
                   .log_tail = c->tail.data ? c->tail.data : "",
                   .log_tail_len = c->tail.len,
                   .trace_id = c->trace_id[0] ? c->trace_id : NULL,
                   .throttle_reason = c->inv.throttle_reason,
                   .retry_after_ms = c->inv.retry_after_ms,
                   .record = &c->record,
                   .inv = &c->inv,
                   .violations = c->violations,
                   .violations_n = c->violations_n,
                   .no_sandbox = c->no_sandbox,
                   .error = failure };
  lf_call_done done = c->done;
  c->done = NULL;
  done (&o, c->user);
}

void
lf_call_release (lf_call *c)
{
  if (c->finished && c->told)
    call_free (c);
}

lf_call *
lf_engine_reject (lf_engine *e, lf_live_fn *fn, int64_t request_bytes, bool async, const char *error_type, const char *message, lf_call_done done,
                  void *user, lf_error *err)
{
  uint8_t random[16];
  lf_random_bytes (random, sizeof random);
  lf_call *c = call_new (e, fn, NULL, random, err);
  if (!c)
    return NULL;
  c->done = done;
  c->user = user;
  c->rejected = c->finished = true;
  c->attempt = async;
  c->request_bytes = request_bytes;
  c->inv.status = LF_ST_REJECTED;
  snprintf (c->error_type, sizeof c->error_type, "%s", error_type);
  snprintf (c->error_message, sizeof c->error_message, "%s", message);
  fill_record (c);
  write_row (c);
  lf_judge_say (fn, c->violations, c->violations_n);
  lf_engine_queue_answer (c);
  return c;
}

/* ---- looking in ----------------------------------------------------------------------------------------------------------------------- */

const char *
lf_call_request_id (const lf_call *c)
{
  return c->request_id;
}

const char *
lf_call_invocation_id (const lf_call *c)
{
  return c->invocation_id;
}

const char *
lf_call_trace_id (const lf_call *c)
{
  return c->trace_id;
}

const char *
lf_call_arn (const lf_call *c)
{
  return c->arn ? c->arn : c->fn->arn;
}

const char *
lf_call_version (const lf_call *c)
{
  return c->fn->prep.f.version;
}

lf_live_fn *
lf_call_fn (const lf_call *c)
{
  return c->fn;
}

lf_str
lf_call_client_context (const lf_call *c)
{
  return (lf_str){ c->client_context.data, c->client_context.len };
}

lf_str
lf_call_payload (const lf_call *c)
{
  return (lf_str){ c->payload.data ? c->payload.data : "", c->payload.len };
}

int64_t
lf_call_deadline_wall_ms (const lf_call *c)
{
  return c->deadline_wall_ms;
}
