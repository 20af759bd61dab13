/* SPDX-License-Identifier: Apache-2.0
 *
 * What the caller is told when the platform ends an invocation and not the runtime: key order and wording are those of each era.
 */
#include "lambdafit/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The words of the program that runs environments on the service, which is written in Go. */
static const char *const signal_words[] = {
  [1] = "hangup",
  [2] = "interrupt",
  [3] = "quit",
  [4] = "illegal instruction",
  [5] = "trace/breakpoint trap",
  [6] = "aborted",
  [7] = "bus error",
  [8] = "floating point exception",
  [9] = "killed",
  [10] = "user defined signal 1",
  [11] = "segmentation fault",
  [12] = "user defined signal 2",
  [13] = "broken pipe",
  [14] = "alarm clock",
  [15] = "terminated",
  [16] = "stack fault",
  [17] = "child exited",
  [18] = "continued",
  [19] = "stopped (signal)",
  [20] = "stopped",
  [21] = "stopped (tty input)",
  [22] = "stopped (tty output)",
  [23] = "urgent I/O condition",
  [24] = "CPU time limit exceeded",
  [25] = "file size limit exceeded",
  [26] = "virtual timer expired",
  [27] = "profiling timer expired",
  [28] = "window changed",
  [29] = "I/O possible",
  [30] = "power failure",
  [31] = "bad system call",
};

static const char *
errno_words (int e, char other[32])
{
  switch (e)
    {
    case ENOENT:
      return "no such file or directory";
    case EACCES:
      return "permission denied";
    case ENOEXEC:
      return "exec format error";
    case EPERM:
      return "operation not permitted";
    case ENOTDIR:
      return "not a directory";
    case EISDIR:
      return "is a directory";
    case ELOOP:
      return "too many levels of symbolic links";
    case ENOMEM:
      return "cannot allocate memory";
    case ETXTBSY:
      return "text file busy";
    case E2BIG:
      return "argument list too long";
    default:
      snprintf (other, 32, "errno %d", e);
      return other;
    }
}

void
lf_exit_sentence (const lf_exit_info *how, char out[96])
{
  char other[32];
  if (how->exec_failed && how->exec_errno == ENOENT)
    snprintf (out, 96, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
  else if (how->exec_failed)
    snprintf (out, 96, "fork/exec /var/task/bootstrap: %s", errno_words (how->exec_errno, other));
  else if (how->signal > 0 && (size_t) how->signal < LF_ARRAY_LEN (signal_words))
    snprintf (out, 96, "Runtime exited with error: signal: %s%s", signal_words[how->signal], how->core ? " (core dumped)" : "");
  else if (how->signal > 0)
    snprintf (out, 96, "Runtime exited with error: signal: signal %d%s", how->signal, how->core ? " (core dumped)" : "");
  else if (how->oom)
    snprintf (out, 96, "Runtime exited with error: signal: killed");
  else if (how->exited && how->code != 0)
    snprintf (out, 96, "Runtime exited with error: exit status %d", how->code);
  else
    snprintf (out, 96, "Runtime exited without providing a reason");
}

/* Signals whose default is to leave a core. */
static bool
leaves_core (int signal)
{
  static const int list[] = { 3, 4, 5, 6, 7, 8, 11, 24, 25, 31 };
  for (size_t i = 0; i < LF_ARRAY_LEN (list); i++)
    if (list[i] == signal)
      return true;
  return false;
}

bool
lf_exit_noticed (const lf_profile *p, lf_exit_info *how)
{
  /* Whether this machine wrote one does not matter: Lambda's limit for cores is 10 GB. */
  how->core = p->style == LF_STYLE_2020 && leaves_core (how->signal);
  return p->style == LF_STYLE_2020 || how->oom || how->signal != 11;
}

static const char *
exit_type (const lf_profile *p, const lf_exit_info *how)
{
  if (how->exec_failed)
    return "Runtime.InvalidEntrypoint";
  /* The earlier era did not tell an out-of-memory kill from any other. */
  if (how->oom && p->style == LF_STYLE_2026)
    return "Runtime.OutOfMemory";
  return "Runtime.ExitError";
}

static int
done (lf_buf *b)
{
  return b->failed ? -1 : 0;
}

int
lf_body_timeout (lf_buf *b, const lf_profile *p, const char *request_id, int64_t timeout_ms, int64_t wall_us,
                 const char **error_type)
{
  *error_type = "Sandbox.Timedout";
  int64_t hundredths = (timeout_ms + 5) / 10;
  if (p->style == LF_STYLE_2020)
    {
      char when[32];
      lf_iso8601_ms (wall_us, when);
      lf_buf_addf (b, "{\"errorMessage\":\"%s %s Task timed out after %" PRId64 ".%02d seconds\"}", when, request_id,
                   hundredths / 100, (int) (hundredths % 100));
      return done (b);
    }
  lf_buf_addf (b, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: %s Error: Task timed out after %" PRId64 ".%02d seconds\"}",
               *error_type, request_id, hundredths / 100, (int) (hundredths % 100));
  return done (b);
}

int
lf_body_exit (lf_buf *b, const lf_profile *p, const char *request_id, const lf_exit_info *how, const char **error_type)
{
  char sentence[96];
  lf_exit_sentence (how, sentence);
  *error_type = exit_type (p, how);
  lf_buf_addf (b, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: %s Error: %s\"}", *error_type, request_id, sentence);
  return done (b);
}

int
lf_body_stream_too_large (lf_buf *b, const lf_profile *p, const char **error_type)
{
  *error_type = "Function.ResponseSizeTooLarge";
  lf_buf_addf (b, "{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (%" PRId64 " bytes).\",\"errorType\":\"%s\"}",
               p->stream_max_bytes, *error_type);
  return done (b);
}

int
lf_body_response_too_large (lf_buf *b, const lf_profile *p, int64_t bytes, const char **error_type)
{
  *error_type = "Function.ResponseSizeTooLarge";
  lf_buf_adds (b, "{\"errorMessage\":\"Response payload size ");
  if (p->style == LF_STYLE_2020 && bytes != LF_NONE)
    lf_buf_addf (b, "(%" PRId64 " bytes) ", bytes);
  lf_buf_addf (b, "exceeded maximum allowed payload size (%" PRId64 " bytes).\",\"errorType\":\"%s\"}", p->response_max_bytes,
               *error_type);
  return done (b);
}
