/* SPDX-License-Identifier: Apache-2.0
 *
 * The platform's own log lines, as text and as JSON, in the manner of each era.
 */
#include "lambdafit/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* JSON logs came after the earlier era, which has text only. */
static bool
is_json (const lf_profile *p, const lf_function *f)
{
  return f->log_format == LF_LOG_JSON && p->style == LF_STYLE_2026;
}

static const char *
version (const lf_function *f)
{
  return f->version != NULL ? f->version : "$LATEST";
}

static int
done (const lf_buf *b)
{
  return b->failed ? -1 : 0;
}

static void
add_str (lf_buf *b, const char *s)
{
  lf_buf_add_json_str (b, s != NULL ? s : "", s != NULL ? strlen (s) : 0);
}

/* These lines are made for every invocation, before its caller is answered: by hand, not by printf. */
static void
add_number (lf_buf *b, int64_t v)
{
  if (v < 0)
    lf_buf_addc (b, '-');
  lf_buf_addu (b, v < 0 ? 0 - (uint64_t) v : (uint64_t) v, 10);
}

static void
add_field_number (lf_buf *b, const char *title, int64_t v, const char *unit)
{
  lf_buf_adds (b, title);
  add_number (b, v);
  lf_buf_adds (b, unit);
}

/* "12.34" from microseconds, rounded half up. */
static void
add_ms_text (lf_buf *b, int64_t us)
{
  int64_t h = us > 0 ? us / 10 + (us % 10 >= 5) : 0;
  add_number (b, h / 100);
  const char frac[3] = { '.', (char) ('0' + h % 100 / 10), (char) ('0' + h % 10) };
  lf_buf_add (b, frac, 3);
}

/* The shortest form with up to three decimals: 12.345, 12.3, 12. */
static void
add_ms_json (lf_buf *b, int64_t us)
{
  if (us < 0)
    us = 0;
  int frac = (int) (us % 1000), digits = 3;
  for (; digits > 0 && frac % 10 == 0; digits--)
    frac /= 10;
  lf_buf_addf (b, "%" PRId64, us / 1000);
  if (digits > 0)
    lf_buf_addf (b, ".%0*d", digits, frac);
}

static void
open_event (lf_buf *b, const char *type, int64_t wall_us)
{
  char when[32];
  lf_iso8601_ms (wall_us, when);
  lf_buf_addf (b, "{\"time\":\"%s\",\"type\":\"platform.%s\",\"record\":{", when, type);
}

static int
close_event (lf_buf *b)
{
  lf_buf_adds (b, "}}\n");
  return done (b);
}

/* ---- INIT_START ----------------------------------------------------------------------------------------------------------------
 */

/* "python:3.12.v1", "nodejs:22.v1", "provided:al2023.v1": the service's form, with lambdafit's own runtime version. */
static void
runtime_version (const lf_function *f, char out[48])
{
  switch (f->rt.kind)
    {
    case LF_RT_PYTHON:
      snprintf (out, 48, "python:%d.%d.v1", f->rt.major, f->rt.minor);
      break;
    case LF_RT_NODEJS:
      snprintf (out, 48, "nodejs:%d.v1", f->rt.major);
      break;
    default:
      {
        const char *dot = strchr (f->rt.id, '.');
        snprintf (out, 48, "provided:%s.v1", dot != NULL ? dot + 1 : "al2023");
        break;
      }
    }
}

/* The service names a runtime's build by 64 hexadecimal digits. Here they are a digest of what really runs the function, so that
 * two logs show whether they came from the same interpreter. */
static int
runtime_digest (const lf_function *f, const char *runtime, char out[65])
{
  lf_sha256 *s = lf_sha256_new ();
  if (s == NULL)
    return -1;
  lf_sha256_update (s, runtime, strlen (runtime));
  if (f->interpreter != NULL)
    lf_sha256_update (s, f->interpreter, strlen (f->interpreter));
  lf_sha256_hex (s, out);
  lf_sha256_free (s);
  return 0;
}

/* The JSON form writes the stream "2026/11/25/[$LATEST]9f..." with the function's name before its bracket. */
static void
add_instance_id (lf_buf *b, const lf_function *f, const char *log_stream)
{
  const char *bracket = strchr (log_stream, '[');
  size_t n = bracket != NULL ? (size_t) (bracket - log_stream) : 0;
  char id[320];
  snprintf (id, sizeof id, "%.*s%s%s", (int) (n < 64 ? n : 64), log_stream, f->name != NULL ? f->name : "", log_stream + n);
  lf_buf_adds (b, ",\"instanceId\":");
  add_str (b, id);
}

int
lf_line_init_start_in (lf_buf *b, const lf_profile *p, const lf_function *f, const char *log_stream, int64_t wall_us)
{
  char runtime[48], digest[65];
  if (p->style == LF_STYLE_2020)
    return 0; /* the line came later */
  runtime_version (f, runtime);
  if (runtime_digest (f, runtime, digest) != 0)
    return -1;
  const char *region = f->region != NULL ? f->region : "us-east-1";
  if (!is_json (p, f))
    {
      lf_buf_addf (b, "INIT_START Runtime Version: %s\tRuntime Version ARN: arn:aws:lambda:%s::runtime:%s\n", runtime, region,
                   digest);
      return done (b);
    }
  open_event (b, "initStart", wall_us);
  lf_buf_addf (b, "\"initializationType\":\"on-demand\",\"phase\":\"init\",\"runtimeVersion\":\"%s\"", runtime);
  lf_buf_addf (b, ",\"runtimeVersionArn\":\"arn:aws:lambda:%s::runtime:%s\",\"functionName\":", region, digest);
  add_str (b, f->name);
  lf_buf_adds (b, ",\"functionVersion\":");
  add_str (b, version (f));
  if (log_stream != NULL)
    add_instance_id (b, f, log_stream);
  lf_buf_addf (b, ",\"instanceMaxMemory\":%" PRId64, f->memory_mb * LF_MB);
  return close_event (b);
}

int
lf_line_init_start (lf_buf *b, const lf_profile *p, const lf_function *f, int64_t wall_us)
{
  return lf_line_init_start_in (b, p, f, NULL, wall_us);
}

/* ---- START and END
 * --------------------------------------------------------------------------------------------------------------- */

int
lf_line_start (lf_buf *b, const lf_profile *p, const lf_function *f, const char *request_id, int64_t wall_us)
{
  if (!is_json (p, f))
    {
      lf_buf_adds (b, "START RequestId: ");
      lf_buf_adds (b, request_id);
      lf_buf_adds (b, " Version: ");
      lf_buf_adds (b, version (f));
      lf_buf_addc (b, '\n');
      return done (b);
    }
  char *arn = lf_function_arn (f, NULL);
  if (arn == NULL)
    return -1;
  open_event (b, "start", wall_us);
  lf_buf_adds (b, "\"requestId\":");
  add_str (b, request_id);
  lf_buf_adds (b, ",\"functionArn\":");
  add_str (b, arn);
  lf_buf_adds (b, ",\"version\":");
  add_str (b, version (f));
  lf_freep (&arn);
  return close_event (b);
}

int
lf_line_end (lf_buf *b, const lf_profile *p, const lf_function *f, const char *request_id, int64_t wall_us)
{
  (void) wall_us;
  if (is_json (p, f))
    return done (b); /* the JSON form has no event for it at the default level */
  lf_buf_adds (b, "END RequestId: ");
  lf_buf_adds (b, request_id);
  lf_buf_addc (b, '\n');
  return done (b);
}

/* ---- REPORT
 * ------------------------------------------------------------------------------------------------------------------------ */

/* How REPORT names what became of the invocation. An error that the handler itself reported is a success of the platform. */
static const char *
report_status (const lf_record *r)
{
  switch (r->status)
    {
    case LF_ST_TIMEOUT:
      return "timeout";
    case LF_ST_OUT_OF_MEMORY:
    case LF_ST_CRASH:
    case LF_ST_INIT_ERROR:
      return "error";
    case LF_ST_INIT_TIMEOUT:
      return "timeout";
    default:
      return "success";
    }
}

/* Since durations are capped a timed-out invocation lasts exactly its timeout; the earlier era printed how long the kill really
 * took. */
static int64_t
shown_duration (const lf_profile *p, const lf_function *f, const lf_record *r)
{
  int64_t limit = f->timeout_ms * 1000;
  return p->style == LF_STYLE_2026 && r->status == LF_ST_TIMEOUT && r->duration_us > limit ? limit : r->duration_us;
}

/* A started megabyte counts; nothing is shown for what was not measured. */
static int64_t
max_memory_mb (const lf_record *r)
{
  return r->max_memory_bytes == LF_NONE ? LF_NONE : r->max_memory_bytes / LF_MB + (r->max_memory_bytes % LF_MB > 0);
}

static void
add_field_ms (lf_buf *b, const char *title, int64_t us)
{
  if (us == LF_NONE)
    return;
  lf_buf_adds (b, title);
  lf_buf_adds (b, ": ");
  add_ms_text (b, us);
  lf_buf_adds (b, " ms\t");
}

static void
report_text (lf_buf *b, const lf_profile *p, const lf_function *f, const lf_record *r)
{
  bool old = p->style == LF_STYLE_2020, init_first = old && f->rt.kind == LF_RT_PROVIDED;
  lf_buf_adds (b, "REPORT RequestId: ");
  lf_buf_adds (b, r->request_id);
  lf_buf_addc (b, '\t');
  if (init_first)
    add_field_ms (b, "Init Duration", r->init_us);
  add_field_ms (b, "Duration", shown_duration (p, f, r));
  if (r->billed_ms != LF_NONE)
    add_field_number (b, "Billed Duration: ", r->billed_ms, old ? " ms \t" : " ms\t");
  add_field_number (b, "Memory Size: ", r->memory_mb != LF_NONE ? r->memory_mb : f->memory_mb, " MB\t");
  if (max_memory_mb (r) != LF_NONE)
    add_field_number (b, "Max Memory Used: ", max_memory_mb (r), " MB\t");
  if (!init_first)
    add_field_ms (b, "Init Duration", r->init_us);
  const char *status = report_status (r);
  if (!old && strcmp (status, "success") != 0)
    {
      /* The failure form has no TAB at its end. */
      lf_buf_addf (b, "Status: %s", status);
      if (strcmp (status, "error") == 0 && r->error_type != NULL)
        lf_buf_addf (b, "\tError Type: %s", r->error_type);
    }
  lf_buf_addc (b, '\n');
}

/* The earlier era said failures in lines of their own, after REPORT. */
static void
failure_lines_2020 (lf_buf *b, const lf_function *f, const lf_record *r, int64_t wall_us)
{
  if (r->status == LF_ST_TIMEOUT)
    {
      char when[32];
      lf_iso8601_ms (wall_us, when);
      if (r->error_message != NULL && strstr (r->error_message, "Task timed out after ") != NULL)
        lf_buf_adds (b, r->error_message);
      else
        {
          int64_t h = (f->timeout_ms + 5) / 10;
          lf_buf_addf (b, "%s %s Task timed out after %" PRId64 ".%02d seconds", when, r->request_id, h / 100, (int) (h % 100));
        }
      lf_buf_adds (b, "\n\n");
      return;
    }
  if (strcmp (report_status (r), "error") != 0 || r->error_message == NULL || !lf_starts (r->error_message, "RequestId: "))
    return; /* only what the platform itself found out; a runtime prints its own */
  lf_buf_addf (b, "%s\n%s\n", r->error_message, r->error_type != NULL ? r->error_type : "Runtime.ExitError");
}

static int
report_json (lf_buf *b, const lf_profile *p, const lf_function *f, const lf_record *r, int64_t wall_us)
{
  const char *comma = "", *status = report_status (r);
  open_event (b, "report", wall_us);
  lf_buf_adds (b, "\"requestId\":");
  add_str (b, r->request_id);
  lf_buf_adds (b, ",\"metrics\":{");
  if (r->duration_us != LF_NONE)
    {
      lf_buf_adds (b, "\"durationMs\":");
      add_ms_json (b, shown_duration (p, f, r));
      comma = ",";
    }
  if (r->billed_ms != LF_NONE)
    {
      lf_buf_addf (b, "%s\"billedDurationMs\":%" PRId64, comma, r->billed_ms);
      comma = ",";
    }
  lf_buf_addf (b, "%s\"memorySizeMB\":%" PRId64, comma, r->memory_mb != LF_NONE ? r->memory_mb : f->memory_mb);
  if (max_memory_mb (r) != LF_NONE)
    lf_buf_addf (b, ",\"maxMemoryUsedMB\":%" PRId64, max_memory_mb (r));
  if (r->init_us != LF_NONE)
    {
      lf_buf_adds (b, ",\"initDurationMs\":");
      add_ms_json (b, r->init_us);
    }
  lf_buf_addf (b, "},\"status\":\"%s\"", status);
  if (strcmp (status, "error") == 0 && r->error_type != NULL)
    {
      lf_buf_adds (b, ",\"errorType\":");
      add_str (b, r->error_type);
    }
  return close_event (b);
}

int
lf_line_report (lf_buf *b, const lf_profile *p, const lf_function *f, const lf_record *r, int64_t wall_us)
{
  if (is_json (p, f))
    return report_json (b, p, f, r, wall_us);
  report_text (b, p, f, r);
  if (p->style == LF_STYLE_2020)
    failure_lines_2020 (b, f, r, wall_us);
  return done (b);
}

/* ---- INIT_REPORT
 * ------------------------------------------------------------------------------------------------------------------- */

int
lf_line_init_report (lf_buf *b, const lf_profile *p, const lf_function *f, int64_t init_us, const char *phase, const char *status,
                     const char *error_type, int64_t wall_us)
{
  if (p->style == LF_STYLE_2020)
    return 0; /* the line came later */
  if (!is_json (p, f))
    {
      lf_buf_adds (b, "INIT_REPORT ");
      add_field_ms (b, "Init Duration", init_us);
      lf_buf_addf (b, "Phase: %s\tStatus: %s", phase, status);
      if (error_type != NULL)
        lf_buf_addf (b, "\tError Type: %s", error_type);
      lf_buf_addc (b, '\n');
      return done (b);
    }
  open_event (b, "initReport", wall_us);
  lf_buf_addf (b, "\"initializationType\":\"on-demand\",\"phase\":\"%s\",\"status\":\"%s\"", phase, status);
  if (error_type != NULL)
    {
      lf_buf_adds (b, ",\"errorType\":");
      add_str (b, error_type);
    }
  if (init_us != LF_NONE)
    {
      lf_buf_adds (b, ",\"metrics\":{\"durationMs\":");
      add_ms_json (b, init_us);
      lf_buf_addc (b, '}');
    }
  return close_event (b);
}
