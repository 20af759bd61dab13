/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit invoke and ps: clients of the daemon.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lambdafit/http.h"

static const char *
endpoint (const lf_args *a)
{
  const char *e = a->endpoint ? a->endpoint : getenv ("LAMBDAFIT_ENDPOINT");
  return e && e[0] ? e : "http://127.0.0.1:3001";
}

/* The end of the log, as base64. */
static void
print_tail (lf_str log)
{
  lf_buf text LF_CLEANUP (lf_buf_fini), clean LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 0);
  lf_buf_init (&clean, 0);
  if (!log.n || lf_base64_decode (log.p, log.n, &text) < 0)
    return;
  /* Python's client breaks the lines of a traceback with carriage returns, to keep it one record. */
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] == '\r')
      text.data[i] = '\n';
  if (lf_buf_add_printable (&clean, text.data, text.len) == 0)
    fwrite (clean.data, 1, clean.len, stderr);
}

/* A name may hold characters that a path may not. */
static char *
invoke_path (const char *name, bool stream)
{
  lf_buf b;
  lf_buf_init (&b, 4096);
  lf_buf_adds (&b, stream ? "/2021-11-15/functions/" : "/2015-03-31/functions/");
  for (const char *p = name; *p; p++)
    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr ("-_.~", *p))
      lf_buf_addc (&b, *p);
    else
      lf_buf_addf (&b, "%%%02X", (unsigned char) *p);
  lf_buf_adds (&b, stream ? "/response-streaming-invocations" : "/invocations");
  char *path = lf_buf_take (&b);
  lf_buf_fini (&b);
  return path;
}

static int
service_error (const char *name, const lf_http_answer *ans, lf_error *err)
{
  lf_error ignored = { 0 };
  cJSON *o LF_CLEANUP (lf_json_freep) = ans->body.len ? lf_json_parse (ans->body.data, ans->body.len, "answer", &ignored) : NULL;
  const char *message = o ? lf_json_str (o, "message") : NULL;
  if (!message && o)
    message = lf_json_str (o, "Message");
  lf_str type = lf_http_answer_get (ans, "x-amzn-ErrorType");
  lf_exit status = ans->status == 404 ? LF_EXIT_USAGE : ans->status >= 500 ? LF_EXIT_IO : LF_EXIT_FAILED;
  (void) LF_FAIL (err, status, name, ans->status == 404 ? "lambdafit serve names the functions it serves when it starts" : "", "%.*s: %.1500s", (int) type.n,
                  type.n ? type.p : "", message ? message : "no message");
  return lf_cli_error (err);
}

/* ---- a response in pieces ----------------------------------------------------------------------------------------------------------- */

typedef struct stream { cJSON *end; bool broken; lf_error err; } stream;

/* Whole messages are at the front of the body: their payload goes out at once. */
static void
on_piece (lf_http_answer *ans, void *user)
{
  stream *s = user;
  lf_es_message m;
  size_t at = 0;
  ptrdiff_t n = 0;
  while (!s->broken && (n = lf_es_decode (ans->body.data + at, ans->body.len - at, &m, &s->err)) > 0)
    {
      lf_str type = lf_es_get (&m, ":event-type");
      if (type.n == 12 && memcmp (type.p, "PayloadChunk", 12) == 0)
        fwrite (m.payload.p, 1, m.payload.n, stdout);
      else if (!s->end)
        s->end = lf_json_parse (m.payload.p, m.payload.n, "the end of the stream", &s->err);
      at += (size_t) n;
    }
  s->broken = s->broken || n < 0;
  fflush (stdout);
  lf_http_answer_take (ans, s->broken ? ans->body.len : at);
}

/* What the last message says: nothing, or what went wrong. */
static int
end_stream (const lf_args *a, const stream *s, lf_error *err)
{
  const char *tail = s->end ? lf_json_str (s->end, "LogResult") : NULL, *details = s->end ? lf_json_str (s->end, "ErrorDetails") : NULL;
  if (s->broken || !s->end)
    {
      (void) LF_FAIL (err, LF_EXIT_IO, a->rest[0], "", "the stream broke off%s%s", s->err.why[0] ? ": " : "", s->err.why);
      return lf_cli_error (err);
    }
  fputc ('\n', stdout);
  if (tail)
    print_tail ((lf_str){ tail, strlen (tail) });
  const char *message = lf_json_str (s->end, "Message"), *code = lf_json_str (s->end, "ErrorCode");
  if (!code && !message)
    return 0;
  (void) LF_FAIL (err, code ? LF_EXIT_FAILED : LF_EXIT_IO, a->rest[0], "", "%.1900s", details ? details : message ? message : code);
  return lf_cli_error (err);
}

static int
invoke_stream (const lf_args *a, const lf_buf *event)
{
  lf_error err = { 0 };
  lf_http_answer ans = { 0 };
  stream s = { 0 };
  char *path LF_CLEANUP (lf_freep) = invoke_path (a->rest[0], true);
  lf_http_pair h[2] = { { "Content-Type", "application/json" }, { "X-Amz-Log-Type", "Tail" } };
  if (!path || lf_http_call_stream (endpoint (a), "POST", path, h, a->tail ? 2 : 1, event->data, event->len, on_piece, &s, &ans, &err) < 0)
    {
      cJSON_Delete (s.end);
      return lf_cli_error (&err);
    }
  int status = ans.status == 200 ? end_stream (a, &s, &err) : service_error (a->rest[0], &ans, &err);
  lf_http_answer_fini (&ans);
  cJSON_Delete (s.end);
  return status;
}

int
lf_cmd_invoke (const lf_args *a)
{
  lf_error err = { 0 };
  lf_buf event LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&event, 0);
  if (lf_args_event (a, &event, &err) < 0)
    return lf_cli_error (&err);
  if (a->stream && a->async)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, "--stream", "leave out one of the two", "an asynchronous invocation (--async) has no response");
      return lf_cli_error (&err);
    }
  if (a->stream)
    return invoke_stream (a, &event);
  char *path LF_CLEANUP (lf_freep) = invoke_path (a->rest[0], false);
  lf_http_pair h[3] = { { "Content-Type", "application/json" }, { "X-Amz-Invocation-Type", a->async ? "Event" : "RequestResponse" }, { "X-Amz-Log-Type", "Tail" } };
  lf_http_answer ans = { 0 };
  if (!path || lf_http_call (endpoint (a), "POST", path, h, a->tail && !a->async ? 3 : 2, event.data, event.len, 0, &ans, &err) < 0)
    return lf_cli_error (&err);
  int status = 0;
  lf_str id = lf_http_answer_get (&ans, "x-amzn-RequestId");
  if (ans.status == 202)
    fprintf (stderr, "lambdafit: accepted, request id %.*s\n", (int) id.n, id.n ? id.p : "");
  else if (ans.status != 200)
    status = service_error (a->rest[0], &ans, &err);
  else
    {
      fwrite (ans.body.data, 1, ans.body.len, stdout);
      fputc ('\n', stdout);
      print_tail (lf_http_answer_get (&ans, "X-Amz-Log-Result"));
      if (lf_http_answer_get (&ans, "X-Amz-Function-Error").n)
        status = LF_EXIT_FAILED;
    }
  lf_http_answer_fini (&ans);
  return status;
}

static void
add_row (lf_table *t, const cJSON *e)
{
  char age[32], memory[40], tmp[40], left[32];
  int64_t left_ms = lf_json_i64 (e, "keepalive_left_ms", LF_NONE);
  snprintf (age, sizeof age, "%.1f s", (double) lf_json_i64 (e, "age_ms", 0) / 1000);
  lf_show_quantity (lf_json_i64 (e, "memory_bytes", LF_NONE), "bytes", memory);
  lf_show_quantity (lf_json_i64 (e, "tmp_bytes", LF_NONE), "bytes", tmp);
  snprintf (left, sizeof left, left_ms == LF_NONE ? "-" : "%.1f s", (double) left_ms / 1000);
  lf_table_add (t, "%.12s", lf_json_str (e, "environment") ? lf_json_str (e, "environment") : "?");
  lf_table_add (t, "%s", lf_json_str (e, "function") ? lf_json_str (e, "function") : "?");
  lf_table_add (t, "%s%s", lf_json_str (e, "state") ? lf_json_str (e, "state") : "?", lf_json_bool (e, "frozen", false) ? (lf_json_bool (e, "after_reload", false) ? " (frozen, after a reload)" : " (frozen)")
                                                                                : lf_json_bool (e, "after_reload", false) ? " (after a reload)" : "");
  lf_table_add (t, "%s", age);
  lf_table_add (t, "%lld", (long long) lf_json_i64 (e, "served", 0));
  lf_table_add (t, "%s", memory);
  lf_table_add (t, "%s", tmp);
  lf_table_add (t, "%s", left);
  lf_table_add (t, "%lld", (long long) lf_json_i64 (e, "pid", 0));
}

int
lf_cmd_ps (const lf_args *a)
{
  static const char *const heads[] = { "ENVIRONMENT", "FUNCTION", "STATE", "AGE", "SERVED", "MEMORY", "/TMP", "KEEPALIVE", "PID" };
  lf_error err = { 0 };
  lf_http_answer ans = { 0 };
  if (lf_http_call (endpoint (a), "GET", "/lambdafit/environments", NULL, 0, NULL, 0, 10000, &ans, &err) < 0)
    return lf_cli_error (&err);
  cJSON *list LF_CLEANUP (lf_json_freep) = ans.status == 200 ? lf_json_parse (ans.body.data, ans.body.len, "the daemon's answer", &err) : NULL;
  lf_http_answer_fini (&ans);
  if (!cJSON_IsArray (list))
    {
      (void) LF_FAIL (&err, LF_EXIT_IO, endpoint (a), "is another program listening there?", "this is not the answer of a lambdafit daemon");
      return lf_cli_error (&err);
    }
  if (a->json)
    {
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (lf_json_print_pretty (list, &b) == 0)
        printf ("%s\n", b.data);
      return 0;
    }
  lf_table t;
  lf_table_init (&t, 9, "lllrrrrrr");
  for (size_t i = 0; i < LF_ARRAY_LEN (heads); i++)
    lf_table_add (&t, "%s", heads[i]);
  const cJSON *e;
  cJSON_ArrayForEach (e, list) add_row (&t, e);
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
  return 0;
}
