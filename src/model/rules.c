/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rules of rules.def hold for an invocation. Each condition is made of the small questions below; a question that is answered
 * with yes notes what it saw, so that a user can see why a rule spoke.
 */
#include "function.h"
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOT_FOUND "No module named|Cannot find module|Cannot find package|cannot open shared object file"
#define NOT_LOADED                                                                                                                                               \
  "invalid ELF header|wrong ELF class|cannot open shared object file|C-extensions failed|C extension|No module named|cannot import name|Exec format error|" \
  "incompatible architecture|undefined symbol|Could not load the *module using the linux|native addon module|No native build was found|should not try to import numpy from"
#define NOT_REACHED                                                                                                                                              \
  "Temporary failure in name resolution|Name or service not known|Failed to resolve|Could not resolve host|getaddrinfo ENOTFOUND|getaddrinfo EAI_AGAIN|"         \
  "Network is unreachable|ENETUNREACH|Could not connect to the endpoint URL"
#define NO_SPACE "No space left on device|[Errno 28]|ENOSPC"

enum { BROKEN, NEAR, AS_ENDED };

/* ---- what was seen ---------------------------------------------------------------------------------------------------------------- */

static void note (judge *j, const char *fmt, ...) LF_PRINTF (2, 3);

static void
note (judge *j, const char *fmt, ...)
{
  size_t n = strlen (j->observed);
  va_list ap;
  va_start (ap, fmt);
  if (n > 0 && n + 3 < sizeof j->observed)
    n += (size_t) snprintf (j->observed + n, sizeof j->observed - n, "; ");
  vsnprintf (j->observed + n, sizeof j->observed - n, fmt, ap);
  va_end (ap);
  j->observed[lf_utf8_valid (j->observed, strlen (j->observed))] = '\0';
}

static bool
note_limit (judge *j, lf_limit l)
{
  char used[48], allowed[48];
  lf_show_amount (lf_judge_used (j, l), lf_limit_get (l)->unit, used, sizeof used);
  lf_show_amount (lf_judge_allowed (j, l), lf_limit_get (l)->unit, allowed, sizeof allowed);
  note (j, "%s %s of %s", lf_limit_get (l)->id, used, allowed);
  return true;
}

/* ---- settings ----------------------------------------------------------------------------------------------------------------------- */

bool
lf_judge_range (const judge *j, lf_limit l, lf_range *out)
{
  const lf_function *f = j->x->f;
  const lf_profile *p = j->x->p;
  int64_t ms = f->timeout_ms;
  if (l == LF_LIM_MEMORY)
    *out = (lf_range){ f->memory_mb, p->memory_min_mb, p->memory_max_mb, p->memory_step_mb, "MB" };
  else if (l == LF_LIM_TMP)
    *out = (lf_range){ f->tmp_mb, p->tmp_min_mb, p->tmp_max_mb, 1, "MB" };
  else if (l == LF_LIM_DURATION)
    *out = (lf_range){ ms < 0 ? ms : ms / 1000 + (ms % 1000 != 0), p->timeout_min_s, p->timeout_max_s, 1, "seconds" };
  else
    return false;
  return out->asked != LF_NONE;
}

bool
lf_range_outside (const lf_range *r)
{
  return r->asked < r->min || r->asked > r->max || (r->step > 1 && (r->asked - r->min) % r->step != 0);
}

int64_t
lf_range_nearest (const lf_range *r)
{
  if (r->asked < r->min)
    return r->min;
  int64_t step = r->step > 1 ? r->step : 1, n = r->min + ((r->asked > r->max ? r->max : r->asked) - r->min + step - 1) / step * step;
  return n > r->max ? r->max : n;
}

/* Before any invocation a setting is used by being asked for. */
static bool
refused_setting (const judge *j, lf_limit l, lf_range *out)
{
  return j->x->r == NULL && lf_judge_range (j, l, out) && lf_range_outside (out);
}

static int64_t
setting_amount (lf_limit l, int64_t n)
{
  int64_t amount;
  return __builtin_mul_overflow (n, l == LF_LIM_DURATION ? 1000 : LF_MB, &amount) ? LF_NONE : amount;
}

int64_t
lf_judge_used (const judge *j, lf_limit l)
{
  const lf_record *r = j->x->r;
  lf_range range;
  if (refused_setting (j, l, &range))
    return setting_amount (l, range.asked);
  int64_t used = lf_limit_used (l, j->x->f, r);
  /* An init that was given up is in no row, but it broke its limit. */
  if (l == LF_LIM_INIT && used == LF_NONE && r != NULL && j->x->init_wall_us != LF_NONE)
    return (j->x->init_wall_us + 999) / 1000;
  return used;
}

/* The user's own limit of processes may be below the platform's, and strikes first. A streamed response has a limit of its own. */
int64_t
lf_judge_allowed (const judge *j, lf_limit l)
{
  const lf_profile *p = j->x->p;
  lf_range range;
  if (refused_setting (j, l, &range))
    return setting_amount (l, range.asked < range.min ? range.min : range.max);
  int64_t allowed = lf_limit_allowed (l, j->x->f, p);
  if (l == LF_LIM_RESPONSE && j->x->r != NULL && j->x->r->streamed)
    return p->stream_max_bytes;
  return l == LF_LIM_PROCESSES && p->nproc_rlimit > 0 && p->nproc_rlimit < allowed ? p->nproc_rlimit : allowed;
}

int64_t
lf_whole_cpu_us (const lf_facts *x, int64_t wall_us, int64_t cpu_us)
{
  int64_t milli = lf_profile_cpu_milli (x->p, x->f->memory_mb);
  if (wall_us == LF_NONE || cpu_us == LF_NONE || milli <= 0 || milli >= 1000 || cpu_us > INT64_MAX / 1000 || wall_us < 0 || cpu_us < 0)
    return LF_NONE;
  /* What was not spent on computing at this share was spent on waiting for something else, and remains. */
  int64_t computing = cpu_us * 1000 / milli;
  return cpu_us + (wall_us > computing ? wall_us - computing : 0);
}

/* ---- questions: the end ------------------------------------------------------------------------------------------------------------ */

static bool
before (const judge *j)
{
  return j->x->r == NULL;
}

static bool
out_of_range (judge *j, lf_limit l)
{
  lf_range r;
  if (!refused_setting (j, l, &r))
    return false;
  note (j, "%" PRId64 " %s asked for", r.asked, r.unit);
  return true;
}

static bool
arch_offered (judge *j)
{
  if (lf_function_arch_offered (j->x->p, j->x->f->arch))
    return true;
  note (j, "%s", lf_arch_name (j->x->f->arch));
  return false;
}

static bool
status (judge *j, lf_status s)
{
  if (before (j) || j->x->r->status != s)
    return false;
  note (j, "status %s", lf_status_name (s));
  return true;
}

static bool
has_failed (const judge *j)
{
  if (before (j))
    return false;
  lf_status s = j->x->r->status;
  return s == LF_ST_OK ? j->x->answered_error : s != LF_ST_THROTTLED && s != LF_ST_REJECTED;
}

static bool
failed (judge *j)
{
  if (!has_failed (j))
    return false;
  note (j, "status %s%s", lf_status_name (j->x->r->status), j->x->answered_error ? ", but the handler answered with an error" : "");
  return true;
}

/* Killed before the handler was called. */
static bool
in_init (judge *j)
{
  if (before (j) || j->x->r->cold != 1 || j->x->init_done || j->x->init_wall_us == LF_NONE)
    return false;
  note (j, "it was loading");
  return true;
}

/* Why a throttled request was refused: the rate of requests has its own Reasons, all others are about concurrency. */
static bool
rate_throttle (judge *j)
{
  const lf_record *r = j->x->r;
  const char *reason = "RateLimitExceeded";
  if ((r->error_type == NULL || strstr (r->error_type, reason) == NULL) && (r->error_message == NULL || strstr (r->error_message, reason) == NULL))
    return false;
  note (j, "reason: rate limit");
  return true;
}

/* ---- questions: quantities ----------------------------------------------------------------------------------------------------------- */

static bool
nearly (judge *j, lf_limit l)
{
  int64_t used = lf_judge_used (j, l), allowed = lf_judge_allowed (j, l);
  return used != LF_NONE && allowed > 0 && used >= allowed - allowed / 10 && note_limit (j, l);
}

static bool
reached (judge *j, lf_limit l)
{
  int64_t used = lf_judge_used (j, l), allowed = lf_judge_allowed (j, l);
  return used != LF_NONE && allowed > 0 && used >= allowed && note_limit (j, l);
}

static bool
over (judge *j, lf_limit l)
{
  int64_t used = lf_judge_used (j, l), allowed = lf_judge_allowed (j, l);
  return used != LF_NONE && allowed != LF_NONE && used > allowed && note_limit (j, l);
}

static bool
refused_size (judge *j, lf_limit l)
{
  const lf_record *r = j->x->r;
  if (before (j) || r->status != LF_ST_REJECTED || r->async != (l == LF_LIM_ASYNC_REQUEST))
    return false;
  if (over (j, l))
    return true;
  if (!lf_streq (r->error_type, "RequestEntityTooLargeException"))
    return false;
  note (j, "error %s", r->error_type);
  return true;
}

static bool
response_over (judge *j)
{
  if (before (j))
    return false;
  if (over (j, LF_LIM_RESPONSE))
    return true;
  if (!lf_streq (j->x->r->error_type, "Function.ResponseSizeTooLarge"))
    return false;
  note (j, "error %s", j->x->r->error_type);
  return true;
}

static bool
base64 (judge *j)
{
  if (j->x->base64)
    note (j, "the response is base64");
  return j->x->base64;
}

static bool
no_number (judge *j)
{
  if (j->x->no_number != NULL)
    note (j, "the response has %s%s", j->x->no_number, j->x->no_number_in_body ? " in its body" : "");
  return j->x->no_number != NULL;
}

/* The mark that REPORT shows is the environment's highest so far. A later invocation is only near if it went there itself, where
 * its own peak is known. */
static bool
old_mark (const judge *j)
{
  const lf_record *r = j->x->r;
  int64_t allowed = lf_judge_allowed (j, LF_LIM_MEMORY);
  return r->cold == 0 && r->peak_memory_bytes != LF_NONE && r->peak_memory_bytes < allowed - allowed / 10;
}

/* A runtime that collects garbage lets it lie for a while: so much more memory than after the second invocation is no growth yet. V8's young
 * generation is three times 16 MB. */
static int64_t
slack (const judge *j, lf_trend_id t)
{
  lf_runtime_kind kind = j->x->f->rt.kind;
  if (t != LF_TREND_MEMORY)
    return 0;
  return kind == LF_RT_NODEJS ? 64 * LF_MB : kind == LF_RT_PROVIDED ? 32 * LF_MB : LF_MB;
}

static bool
grows (judge *j, lf_trend_id t)
{
  static const struct { lf_limit limit; const char *unit; } of[] = { { LF_LIM_MEMORY, "bytes" }, { LF_LIM_TMP, "bytes" }, { LF_LIM_FDS, "descriptors" } };
  if (before (j) || j->x->history == NULL)
    return false;
  const lf_trend *trend = &j->x->history->trend[t];
  int64_t allowed = lf_judge_allowed (j, of[t].limit), least = t == LF_TREND_MEMORY ? allowed / 2000 : 1;
  if (!lf_trend_grows (trend, allowed, least, &j->slope, &j->breaks_at) || trend->value[trend->n - 1] - trend->first < slack (j, t))
    return false;
  char slope[48], last[48];
  j->trend = t;
  lf_show_amount (j->slope, of[t].unit, slope, sizeof slope);
  lf_show_amount (trend->value[trend->n - 1], of[t].unit, last, sizeof last);
  note (j, "%s %s after invocation %" PRId64 ", %s more at each", lf_limit_get (of[t].limit)->id, last, trend->at[trend->n - 1], slope);
  return true;
}

int64_t
lf_judge_wall_us (const lf_record *r)
{
  int64_t wall = r->duration_us, init = r->init_us == LF_NONE ? 0 : r->init_us;
  return wall == LF_NONE || __builtin_add_overflow (wall, init, &wall) ? LF_NONE : wall; /* nothing that was measured is so long */
}

/* At this share of a CPU, what it computed takes half of the time or more, and it was held back for it. */
static bool
starved (judge *j)
{
  const lf_record *r = j->x->r;
  int64_t wall = lf_judge_wall_us (r), milli = lf_profile_cpu_milli (j->x->p, j->x->f->memory_mb);
  char wait[48], cpu[48];
  if (r->throttled_us == LF_NONE || r->cpu_us == LF_NONE || wall == LF_NONE || milli <= 0 || milli >= 1000 || r->throttled_us < wall / 4
      || (double) r->cpu_us * 1000.0 / (double) milli < (double) wall / 2)
    return false;
  lf_show_amount (r->throttled_us / 1000, "ms", wait, sizeof wait);
  lf_show_amount (r->cpu_us / 1000, "ms", cpu, sizeof cpu);
  note (j, "CPU %s, held back for %s", cpu, wait);
  return true;
}

/* For so long that it is worth a word although it went well. */
static bool
took (const judge *j, int64_t ms)
{
  return !before (j) && lf_judge_wall_us (j->x->r) != LF_NONE && lf_judge_wall_us (j->x->r) >= ms * 1000;
}

static bool
more_threads_than_cpu (judge *j)
{
  if (j->x->busy_threads < 2 || j->x->busy_threads * 1000 <= lf_profile_cpu_milli (j->x->p, j->x->f->memory_mb))
    return false;
  note (j, "%" PRId64 " threads computed", j->x->busy_threads);
  return true;
}

static bool
memory_free (judge *j)
{
  int64_t used = lf_judge_used (j, LF_LIM_MEMORY), allowed = lf_judge_allowed (j, LF_LIM_MEMORY);
  return used != LF_NONE && used < allowed / 2 && note_limit (j, LF_LIM_MEMORY);
}

/* What it holds and the files it goes through: together more than there is. */
static bool
files_do_not_fit (judge *j)
{
  const lf_facts *x = j->x;
  char held[48], touched[48];
  if (x->memory_now == LF_NONE || x->files_touched == LF_NONE || x->memory_now + x->files_touched <= lf_judge_allowed (j, LF_LIM_MEMORY))
    return false;
  lf_show_amount (x->memory_now, "bytes", held, sizeof held);
  lf_show_amount (x->files_touched, "bytes", touched, sizeof touched);
  note (j, "%s held, %s of mapped files touched", held, touched);
  return true;
}

static bool
waited (judge *j)
{
  const lf_record *r = j->x->r;
  char cpu[48];
  if (r->cpu_us == LF_NONE || lf_judge_wall_us (r) == LF_NONE || r->cpu_us >= lf_judge_wall_us (r) / 10)
    return false;
  lf_show_amount (r->cpu_us / 1000, "ms", cpu, sizeof cpu);
  note (j, "CPU %s", cpu);
  return true;
}

/* ---- questions: /tmp, package, output ------------------------------------------------------------------------------------------------ */

static bool
tmp_full (judge *j)
{
  return reached (j, LF_LIM_TMP);
}

static bool
leftovers (judge *j)
{
  const lf_history *h = j->x->history;
  char left[48];
  if (h == NULL || j->x->r->cold != 0 || h->tmp_before == LF_NONE || h->tmp_before < lf_judge_allowed (j, LF_LIM_TMP) / 10)
    return false;
  lf_show_amount (h->tmp_before, "bytes", left, sizeof left);
  note (j, "%s were there when it began", left);
  return true;
}

static bool
cuda (judge *j)
{
  const lf_package_facts *k = j->x->package;
  if (k == NULL || k->cuda_bytes < LF_MB)
    return false;
  note (j, "%s", k->cuda);
  return true;
}

static bool
image_not_offered (judge *j)
{
  if (j->x->f->image_bytes == LF_NONE || j->x->p->image_max_bytes > 0)
    return false;
  note (j, "the profile has no images");
  return true;
}

static bool
workers_wanted (judge *j)
{
  if (j->x->package == NULL || !j->x->package->wants_workers)
    return false;
  note (j, "the code sets n_jobs");
  return true;
}

static bool
segfault (judge *j)
{
  if (before (j) || !j->x->segfault)
    return false;
  note (j, "the runtime died of signal 11");
  return true;
}

/* Started by it, and not done when its answer was there. */
static bool
left_running (judge *j)
{
  if (before (j) || j->x->left_running <= 0)
    return false;
  note (j, "%" PRId64 " still at work after the response", j->x->left_running);
  return true;
}

/* Timers and requests of an event loop, which are no threads. */
static bool
left_behind (judge *j)
{
  if (before (j) || j->x->r->status != LF_ST_OK || j->x->left_behind == NULL || j->x->left_behind[0] == '\0')
    return false;
  note (j, "%s after the response", j->x->left_behind);
  return true;
}

static bool
warm (judge *j)
{
  if (before (j) || j->x->r->cold != 0)
    return false;
  note (j, "warm");
  return true;
}

/* The environment's first invocation had the same event and went well, and now it has failed for the second time in a row. */
static bool
only_first_went_well (judge *j)
{
  const lf_history *h = j->x->history;
  if (h == NULL || !h->first_ok || h->same_failures < 2)
    return false;
  note (j, "the same event went well at first, and failed %" PRId64 " times since", h->same_failures);
  return true;
}

/* `layer check` found such a problem in the code or a layer. */
static bool
problem (judge *j, const char *kind)
{
  const lf_package_facts *k = j->x->package;
  for (size_t i = 0; k != NULL && i < k->problems_n; i++)
    if (strcmp (k->problems[i].kind, kind) == 0)
      {
        j->problem = &k->problems[i];
        note (j, "layer check: %s: %s: %s", kind, k->problems[i].path, k->problems[i].what);
        return true;
      }
  return false;
}

/* Libraries warn when they are loaded or first used: what an environment that works well prints later is not searched. */
#define SEARCHED_FIRST 8

static bool
said (judge *j, const char *patterns)
{
  const lf_record *r = j->x->r;
  if (before (j) || (r->status == LF_ST_OK && !j->x->answered_error && j->x->history != NULL && j->x->history->served > SEARCHED_FIRST))
    return false;
  lf_str message = { r->error_message, r->error_message != NULL ? strlen (r->error_message) : 0 };
  if (lf_pattern_find (message, patterns, j->line, sizeof j->line) || lf_pattern_find (j->x->output, patterns, j->line, sizeof j->line))
    note (j, "output: %s", j->line);
  else if (j->x->answered_error && lf_pattern_find (j->x->response, patterns, j->line, sizeof j->line))
    note (j, "response: %s", j->line);
  else
    return false;
  return true;
}

/* Python names the program or the folder to start it in; a program that is looked for in PATH has no slash in its name. */
static bool
program_missing (judge *j)
{
  const char *quoted;
  if (said (j, "_execute_child") && said (j, "No such file or directory: '") && (quoted = strchr (j->line, '\'')) != NULL
      && memchr (quoted, '/', strcspn (quoted, " ")) == NULL)
    return true;
  return said (j, "TesseractNotFoundError|is poppler installed and in PATH|No wkhtmltopdf executable found|Couldn't find ffmpeg|Couldn't find ffprobe|"
                  "No ffmpeg exe could be found|Bad git executable|spawn *ENOENT|sh: 1: *: not found|: command not found");
}

/* What failed is a write, of which a warning about another cache says nothing. */
static bool
cannot_write (judge *j)
{
  return failed (j) && said (j, "Read-only file system|EROFS|[Errno 30]");
}

/* Its writer says neither why nor, for a name without a folder, where. In /tmp it is the folder that is not there. */
static bool
torch_cannot_write (judge *j)
{
  return said (j, "PyTorchFileWriter") && said (j, "File *cannot be opened") && strstr (j->line, "File /tmp/") == NULL;
}

static bool
without_network (judge *j)
{
  if (j->x->f->network != LF_NET_NONE)
    return false;
  note (j, "network none");
  return true;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------- */

static const lf_rule_info rules[] = {
#define RULE(id, subject, severity, condition, when, what, why, fix)                                                                                             \
  { id, subject, severity == BROKEN ? "broken" : severity == NEAR ? "near" : "broken or near", when, what, why, fix },
#include "rules.def"
#undef RULE
};

_Static_assert(LF_ARRAY_LEN (rules) <= LF_RULES_MAX, "LF_RULES_MAX is too small");

#define RULE(id, subject, severity, condition, when, what, why, fix) severity,
static const int severities[] = {
#include "rules.def"
};
#undef RULE

size_t
lf_rules (const lf_rule_info **out)
{
  *out = rules;
  return LF_ARRAY_LEN (rules);
}

const lf_rule_info *
lf_rule_find (const char *id)
{
  for (size_t i = 0; id != NULL && i < LF_ARRAY_LEN (rules); i++)
    if (strcmp (rules[i].id, id) == 0)
      return &rules[i];
  return NULL;
}

/* ---- judging ----------------------------------------------------------------------------------------------------------------------- */

void
lf_facts_init (lf_facts *x, const lf_function *f, const lf_profile *p, const lf_enforcement *e, const lf_record *r)
{
  *x = (lf_facts){ .f = f, .p = p, .e = e, .r = r, .init_wall_us = LF_NONE, .init_cpu_us = LF_NONE, .memory_now = LF_NONE, .files_touched = LF_NONE };
  if (r != NULL)
    x->output = (lf_str){ r->log_tail, r->log_tail != NULL ? r->log_tail_len : 0 };
}

static lf_enforced
enforced (const judge *j)
{
  lf_limit l = j->limit;
  if (l != LF_LIM_COUNT)
    return j->x->e != NULL ? j->x->e->by[l] : lf_limit_get (l)->by_default;
  return j->x->e != NULL ? j->x->e->by[LF_LIM_TMP] : lf_limit_get (LF_LIM_TMP)->by_default; /* the file system's: of the same mounts */
}

static void
report (size_t i, judge *j, int64_t at_us, lf_violation *v)
{
  const lf_record *r = j->x->r;
  if (lf_limit_parse (rules[i].subject, &j->limit) != 0)
    j->limit = LF_LIM_COUNT;
  const char *unit = j->limit != LF_LIM_COUNT ? lf_limit_get (j->limit)->unit : NULL;
  *v = (lf_violation){
    .request_id = r != NULL ? r->request_id : NULL,
    .function = r != NULL && r->function != NULL ? r->function : j->x->f->name,
    .at_us = at_us,
    .limit_id = rules[i].subject,
    .severity = severities[i] == BROKEN || (severities[i] == AS_ENDED && has_failed (j)) ? LF_SEV_BROKEN : LF_SEV_NEAR,
    .used = unit != NULL ? lf_judge_used (j, j->limit) : LF_NONE,
    .allowed = unit != NULL ? lf_judge_allowed (j, j->limit) : LF_NONE,
    .unit = unit,
    .enforced = enforced (j),
    .rule = rules[i].id,
  };
  lf_fill (v->message, sizeof v->message, rules[i].what, j);
  size_t n = strlen (v->message);
  if (n + 1 < sizeof v->message)
    {
      v->message[n++] = ' ';
      lf_fill (v->message + n, sizeof v->message - n, rules[i].why, j);
    }
  lf_fill (v->fix, sizeof v->fix, rules[i].fix, j);
  snprintf (v->observed, sizeof v->observed, "%s", j->observed);
}

static bool
spoken (const lf_violation *v, size_t n, const char *subject)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (v[i].limit_id, subject) == 0)
      return true;
  return false;
}

/* In the order of the table. Nearly every invocation breaks nothing, so a question costs a comparison or two until one is answered. */
size_t
lf_judge (const lf_facts *facts, int64_t at_us, lf_violation out[LF_VIOLATIONS_MAX])
{
  size_t n = 0, i = 0;
  judge j, *x = &j;
  j.x = facts;
#define RULE(id, subject, severity, condition, when, what, why, fix)                                                                                             \
  j.observed[0] = j.line[0] = '\0';                                                                                                                              \
  if (n < LF_VIOLATIONS_MAX && !spoken (out, n, subject) && (condition))                                                                                         \
    report (i, x, at_us, &out[n++]);                                                                                                                             \
  i++;
#include "rules.def"
#undef RULE
  return n;
}

size_t
lf_violations (const lf_function *f, const lf_profile *p, const lf_enforcement *e, const lf_record *r, lf_violation out[LF_VIOLATIONS_MAX])
{
  lf_facts x;
  lf_facts_init (&x, f, p, e, r);
  return lf_judge (&x, r->received_us, out);
}

size_t
lf_violations_static (const lf_function *f, const lf_profile *p, int64_t at_us, lf_violation out[LF_VIOLATIONS_MAX])
{
  lf_facts x;
  lf_facts_init (&x, f, p, NULL, NULL);
  return lf_judge (&x, at_us, out);
}
