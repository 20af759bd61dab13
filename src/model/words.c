/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of the rules' texts: quantities as people read them, and advice that is computed from what was measured. How much is
 * advised, and why, is decided here and nowhere else.
 */
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- quantities ------------------------------------------------------------------------------------------------------------------- */

static void
show_bytes (int64_t n, char *out, size_t cap)
{
  static const struct { const char *name; int64_t size; } units[] = { { "GB", 1024 * LF_MB }, { "MB", LF_MB }, { "KB", 1024 } };
  for (size_t i = 0; i < LF_ARRAY_LEN (units); i++)
    if (n >= units[i].size * (units[i].size > LF_MB ? 10 : 1))
      {
        bool whole = n % units[i].size == 0;
        snprintf (out, cap, whole ? "%.0f %s" : "%.1f %s", (double) n / (double) units[i].size, units[i].name);
        return;
      }
  snprintf (out, cap, "%" PRId64 " bytes", n);
}

void
lf_show_amount (int64_t n, const char *unit, char *out, size_t cap)
{
  if (n == LF_NONE)
    snprintf (out, cap, "an unmeasured amount");
  else if (strcmp (unit, "bytes") == 0)
    show_bytes (n, out, cap);
  else if (strcmp (unit, "ms") == 0 && n >= 1000)
    snprintf (out, cap, n % 1000 == 0 ? "%.0f s" : "%.2f s", (double) n / 1000.0);
  else
    snprintf (out, cap, "%" PRId64 " %s", n, unit);
}

static const char *
trend_unit (lf_trend_id t)
{
  return t == LF_TREND_FDS ? "descriptors" : "bytes";
}

static const char *
unit_of (const judge *j)
{
  return j->limit != LF_LIM_COUNT ? lf_limit_get (j->limit)->unit : "bytes";
}

static int64_t
round_up (int64_t n, int64_t step)
{
  return (n + step - 1) / step * step;
}

static int64_t
mb_up (int64_t bytes)
{
  return bytes / LF_MB + (bytes % LF_MB > 0);
}

static int64_t
with_margin (int64_t n)
{
  return n > INT64_MAX / 200 ? n : n + n * LF_ADVICE_MARGIN_PERCENT / 100;
}

static void
w_used (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->limit != LF_LIM_COUNT ? lf_judge_used (j, j->limit) : LF_NONE, unit_of (j), out, cap);
}

static void
w_allowed (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->limit != LF_LIM_COUNT ? lf_judge_allowed (j, j->limit) : LF_NONE, unit_of (j), out, cap);
}

/* Rounded down: 99.9 % must not read as 100 %. */
static void
w_percent (const judge *j, char *out, size_t cap)
{
  int64_t used = lf_judge_used (j, j->limit), allowed = lf_judge_allowed (j, j->limit);
  snprintf (out, cap, "%" PRId64 " %%", used == LF_NONE || allowed <= 0 ? 0 : (int64_t) ((double) used * 100.0 / (double) allowed));
}

static void
w_name (const judge *j, char *out, size_t cap)
{
  const lf_record *r = j->x->r;
  const char *name = r != NULL && r->function != NULL ? r->function : j->x->f->name;
  snprintf (out, cap, "%s", name != NULL ? name : "The function");
}

/* ---- settings ----------------------------------------------------------------------------------------------------------------------- */

static void
w_asked (const judge *j, char *out, size_t cap)
{
  lf_range r;
  *out = '\0';
  if (lf_judge_range (j, j->limit, &r))
    snprintf (out, cap, "%" PRId64 " %s", r.asked, r.unit);
}

static void
w_range (const judge *j, char *out, size_t cap)
{
  lf_range r;
  *out = '\0';
  if (!lf_judge_range (j, j->limit, &r))
    return;
  if (r.min == r.max)
    snprintf (out, cap, "exactly %" PRId64 " %s", r.min, r.unit);
  else if (r.step > 1)
    snprintf (out, cap, "%" PRId64 " to %" PRId64 " %s in steps of %" PRId64, r.min, r.max, r.unit, r.step);
  else
    snprintf (out, cap, "%" PRId64 " to %" PRId64 " %s", r.min, r.max, r.unit);
}

static void
w_nearest (const judge *j, char *out, size_t cap)
{
  lf_range r;
  *out = '\0';
  if (lf_judge_range (j, j->limit, &r))
    snprintf (out, cap, "%" PRId64, lf_range_nearest (&r));
}

static void
w_arch (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", lf_arch_name (j->x->f->arch));
}

/* ---- time and CPU -------------------------------------------------------------------------------------------------------------------- */

static void
show_us (int64_t us, char *out, size_t cap)
{
  if (us >= 10 * 1000000)
    snprintf (out, cap, "%.0f s", (double) us / 1e6);
  else if (us >= 1000000)
    snprintf (out, cap, "%.1f s", (double) us / 1e6);
  else
    snprintf (out, cap, "%" PRId64 " ms", (us + 500) / 1000);
}

/* Whole seconds: half as much again as was used, and twice the timeout where the end is not known. */
static void
w_timeout_fit (const judge *j, char *out, size_t cap)
{
  int64_t used = lf_judge_used (j, LF_LIM_DURATION), now = j->x->f->timeout_ms / 1000, max = j->x->p->timeout_max_s;
  int64_t s = j->x->r->status == LF_ST_OK || j->x->r->status == LF_ST_FUNCTION_ERROR ? used / 1000 * 3 / 2 + 1 : now * 2;
  s = s <= now ? now + 1 : s;
  snprintf (out, cap, "%" PRId64, max > 0 && s > max ? max : s);
}

static void
w_throttled (const judge *j, char *out, size_t cap)
{
  show_us (j->x->r->throttled_us, out, cap);
}

static void
w_cpu (const judge *j, char *out, size_t cap)
{
  show_us (j->x->r->cpu_us, out, cap);
}

static void
w_memory (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64 " MB", j->x->f->memory_mb);
}

static void
w_share (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%.2f", (double) lf_profile_cpu_milli (j->x->p, j->x->f->memory_mb) / 1000.0);
}

static void
w_full_mb (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64, j->x->p->mb_per_vcpu);
}

static void
cpu_sentence (const judge *j, const char *what, int64_t wall, int64_t cpu, char *out, size_t cap)
{
  int64_t us = lf_whole_cpu_us (j->x, wall, cpu);
  char time[32];
  *out = '\0';
  if (us == LF_NONE || us > wall - wall / 5)
    return; /* little to gain */
  show_us (us, time, sizeof time);
  snprintf (out, cap, "At %" PRId64 " MB, one whole CPU, %s would take about %s.", j->x->p->mb_per_vcpu, what, time);
}

static void
w_cpu_advice (const judge *j, char *out, size_t cap)
{
  const lf_record *r = j->x->r;
  bool done = r->status == LF_ST_OK || r->status == LF_ST_FUNCTION_ERROR;
  cpu_sentence (j, done ? "the same work" : "what it had done by then", lf_judge_wall_us (r), r->cpu_us, out, cap);
}

static void
w_init_advice (const judge *j, char *out, size_t cap)
{
  cpu_sentence (j, j->x->init_done ? "init" : "what init had done by then", j->x->init_wall_us, j->x->init_cpu_us, out, cap);
  if (*out)
    {
      size_t n = strlen (out);
      snprintf (out + n, cap - n, " Give `--memory %" PRId64 "`. ", j->x->p->mb_per_vcpu);
    }
}

/* ---- memory and /tmp ------------------------------------------------------------------------------------------------------------------ */

/* "7.45 GiB", "8589934592 bytes": how much was asked for in the line, or 0. */
static int64_t
asked_for (const char *line)
{
  static const struct { const char *unit; double size; } units[] = { { "GiB", 1073741824.0 }, { "MiB", 1048576.0 }, { "KiB", 1024.0 }, { "TiB", 1099511627776.0 },
                                                                     { "PiB", 1125899906842624.0 }, { "bytes", 1.0 } };
  for (const char *p = line; *p; p++)
    {
      if (*p < '0' || *p > '9' || (p > line && (p[-1] == '.' || (p[-1] >= '0' && p[-1] <= '9'))))
        continue;
      char *end;
      double v = strtod (p, &end);
      while (*end == ' ')
        end++;
      for (size_t i = 0; i < LF_ARRAY_LEN (units); i++)
        if (lf_starts (end, units[i].unit) && v > 0 && v * units[i].size < 1e18)
          return (int64_t) (v * units[i].size);
    }
  return 0;
}

/* What memory to advise, and from what: what was asked for beside the peak, the peak, or twice the size where it was killed on the way. */
static int64_t
memory_fit (const judge *j, char *reason, size_t cap)
{
  int64_t peak = lf_judge_used (j, LF_LIM_MEMORY), asked = asked_for (j->line), size = j->x->f->memory_mb;
  int64_t max = j->x->p->memory_max_mb, mb;
  char show[48], more[48];
  lf_show_amount (peak, "bytes", show, sizeof show);
  lf_show_amount (asked, "bytes", more, sizeof more);
  if (asked > 0)
    {
      mb = mb_up (with_margin ((peak == LF_NONE ? 0 : peak) + asked));
      snprintf (reason, cap, "%s asked for beside %s, and %d %% more", more, show, LF_ADVICE_MARGIN_PERCENT);
    }
  else if (j->x->r->status == LF_ST_OUT_OF_MEMORY || peak == LF_NONE || peak < size * LF_MB / 2)
    {
      mb = size * 2;
      snprintf (reason, cap, "twice the size: what it needs in all is not known");
    }
  else
    {
      mb = mb_up (with_margin (peak));
      snprintf (reason, cap, "the measured peak of %s and %d %% more", show, LF_ADVICE_MARGIN_PERCENT);
    }
  int64_t step = j->x->p->memory_step_mb > LF_ADVICE_MEMORY_STEP_MB ? j->x->p->memory_step_mb : LF_ADVICE_MEMORY_STEP_MB;
  mb = round_up (mb <= size ? size + 1 : mb, step);
  if (mb <= max)
    return mb;
  snprintf (reason, cap, "the most there is, for %s", asked > 0 ? more : "more than it has");
  return max;
}

static void
w_memory_fit (const judge *j, char *out, size_t cap)
{
  char reason[120];
  snprintf (out, cap, "%" PRId64, memory_fit (j, reason, sizeof reason));
}

/* Where no size would do, none is advised. */
static void
w_allocation_fix (const judge *j, char *out, size_t cap)
{
  char reason[120];
  int64_t peak = lf_judge_used (j, LF_LIM_MEMORY), asked = asked_for (j->line), max = j->x->p->memory_max_mb;
  if (asked > 0 && asked + (peak == LF_NONE ? 0 : peak) > max * LF_MB)
    {
      snprintf (out, cap, "Work in parts, since the largest function has %" PRId64 " MB:", max);
      return;
    }
  int64_t mb = memory_fit (j, reason, sizeof reason);
  snprintf (out, cap, "Give `--memory %" PRId64 "` (%s), or work in parts:", mb, reason);
}

static void
w_memory_twice (const judge *j, char *out, size_t cap)
{
  int64_t step = j->x->p->memory_step_mb > 1 ? j->x->p->memory_step_mb : 1, mb = round_up (j->x->f->memory_mb * 2, step), max = j->x->p->memory_max_mb;
  snprintf (out, cap, "%" PRId64, mb < max ? mb : max);
}

static void
w_memory_reason (const judge *j, char *out, size_t cap)
{
  memory_fit (j, out, cap);
}

static void
w_memory_now (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->x->memory_now, "bytes", out, cap);
}

static void
w_files_touched (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->x->files_touched, "bytes", out, cap);
}

static void
w_files_fit (const judge *j, char *out, size_t cap)
{
  int64_t mb = round_up (mb_up (with_margin (j->x->memory_now + j->x->files_touched)), LF_ADVICE_MEMORY_STEP_MB), max = j->x->p->memory_max_mb;
  snprintf (out, cap, "%" PRId64, mb < max ? mb : max);
}

static void
w_allocation (const judge *j, char *out, size_t cap)
{
  char show[48];
  int64_t asked = asked_for (j->line);
  *out = '\0';
  if (asked <= 0)
    return;
  lf_show_amount (asked, "bytes", show, sizeof show);
  snprintf (out, cap, ": %s at once", show);
}

static int64_t
tmp_fit (const judge *j, char *reason, size_t cap)
{
  int64_t used = lf_judge_used (j, LF_LIM_TMP), size = j->x->f->tmp_mb, max = j->x->p->tmp_max_mb, mb;
  char show[48];
  lf_show_amount (used, "bytes", show, sizeof show);
  if (used == LF_NONE || used >= size * LF_MB)
    {
      mb = size * 2;
      snprintf (reason, cap, "twice the size: what it needs in all is not known");
    }
  else
    {
      mb = mb_up (with_margin (used));
      snprintf (reason, cap, "the %s used and %d %% more", show, LF_ADVICE_MARGIN_PERCENT);
    }
  mb = round_up (mb <= size ? size + 1 : mb, LF_ADVICE_TMP_STEP_MB);
  if (mb <= max)
    return mb;
  snprintf (reason, cap, "%s", size >= max ? "already the most there is" : "the most there is");
  return max;
}

static void
w_tmp_fit (const judge *j, char *out, size_t cap)
{
  char reason[120];
  snprintf (out, cap, "%" PRId64, tmp_fit (j, reason, sizeof reason));
}

static void
w_tmp_reason (const judge *j, char *out, size_t cap)
{
  tmp_fit (j, out, cap);
}

static void
w_tmp_more (const judge *j, char *out, size_t cap)
{
  int64_t mb = j->x->f->tmp_mb * 2, max = j->x->p->tmp_max_mb;
  snprintf (out, cap, "%" PRId64, mb < max ? mb : max);
}

static void
w_tmp_before (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->x->history->tmp_before, "bytes", out, cap);
}

/* ---- growth ----------------------------------------------------------------------------------------------------------------------------- */

static void
w_slope (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->slope, trend_unit (j->trend), out, cap);
}

static void
w_breaks_at (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64, j->breaks_at);
}

static void
w_samples (const judge *j, char *out, size_t cap)
{
  const lf_trend *t = &j->x->history->trend[j->trend];
  char first[48], last[48];
  size_t from = t->n - LF_TREND_NEED;
  lf_show_amount (t->value[from], trend_unit (j->trend), first, sizeof first);
  lf_show_amount (t->value[t->n - 1], trend_unit (j->trend), last, sizeof last);
  snprintf (out, cap, "%s after invocation %" PRId64 ", %s after %" PRId64, first, t->at[from], last, t->at[t->n - 1]);
}

/* ---- the package --------------------------------------------------------------------------------------------------------------------- */

static void
w_residual_advice (const judge *j, char *out, size_t cap)
{
  const lf_package_facts *k = j->x->package;
  char layers[48], code[48];
  *out = '\0';
  if (k == NULL || !k->known || k->layer_bytes <= 0)
    return;
  int64_t left = lf_judge_allowed (j, LF_LIM_PACKAGE) - k->layer_bytes;
  lf_show_amount (k->layer_bytes, "bytes", layers, sizeof layers);
  lf_show_amount (k->code_bytes, "bytes", code, sizeof code);
  if (left > 0)
    snprintf (out, cap, "Its layers are %s, so the code (%s) must be smaller than %" PRId64 " bytes. ", layers, code, left);
  else
    snprintf (out, cap, "Its layers alone are %s. ", layers);
}

void
lf_prune_advice (const lf_package_facts *k, char *out, size_t cap)
{
  char bytes[48];
  *out = '\0';
  if (k == NULL || k->prune_bytes < LF_MB)
    return;
  lf_show_amount (k->prune_bytes, "bytes", bytes, sizeof bytes);
  snprintf (out, cap, "Pruning tests, headers and the like such as %s saves %s. ", k->prune, bytes);
}

static void
w_prune_advice (const judge *j, char *out, size_t cap)
{
  lf_prune_advice (j->x->package, out, cap);
}

static void
w_too_much (const judge *j, char *out, size_t cap)
{
  lf_show_amount (lf_judge_used (j, LF_LIM_IMAGE) - lf_judge_allowed (j, LF_LIM_IMAGE), "bytes", out, cap);
}

/* What can go without a loss comes first; what else is large, where that is not enough to fit, or nothing can. */
static void
w_image_advice (const judge *j, char *out, size_t cap)
{
  const lf_package_facts *k = j->x->package;
  char bytes[48];
  size_t n = 0;
  *out = '\0';
  if (k == NULL)
    return;
  if (k->hidden_bytes >= LF_MB)
    {
      lf_show_amount (k->hidden_bytes, "bytes", bytes, sizeof bytes);
      n += (size_t) snprintf (out, cap, "%s is hidden by later layers, most in %s: delete it in the RUN that makes it, or build in a stage of its own. ", bytes, k->hidden);
    }
  if (k->cuda_bytes >= LF_MB && n < cap)
    {
      lf_show_amount (k->cuda_bytes, "bytes", bytes, sizeof bytes);
      n += (size_t) snprintf (out + n, cap - n, "Libraries for GPUs take %s, and Lambda has none: install CPU builds (`pip install --index-url https://download.pytorch.org/whl/cpu torch`). ", bytes);
    }
  if (n < cap)
    lf_prune_advice (k, out + n, cap - n);
  n = strlen (out);
  int64_t need = lf_judge_used (j, LF_LIM_IMAGE) - lf_judge_allowed (j, LF_LIM_IMAGE);
  if (n < cap && (n == 0 || need > k->hidden_bytes + k->cuda_bytes + k->prune_bytes))
    snprintf (out + n, cap - n, "The largest are %s: load models from S3 into /tmp, or from EFS.", k->largest);
}

static void
w_cuda (const judge *j, char *out, size_t cap)
{
  lf_show_amount (j->x->package->cuda_bytes, "bytes", out, cap);
}

static void
w_problem (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->problem->what);
}

static void
w_problem_path (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->problem->path);
}

static void
w_problem_fix (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->problem->fix);
}

static void
w_problem_target (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->problem->target);
}

static void
w_zip_base64 (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64 " bytes", (lf_judge_used (j, LF_LIM_ZIP) + 2) / 3 * 4);
}

static void
w_zip_base64_max (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64, lf_judge_allowed (j, LF_LIM_ZIP) * 4 / 3);
}

static void
w_threads (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%" PRId64, j->x->busy_threads);
}

static void
w_threads_mb (const judge *j, char *out, size_t cap)
{
  int64_t mb = j->x->busy_threads * j->x->p->mb_per_vcpu, max = j->x->p->memory_max_mb;
  snprintf (out, cap, "%" PRId64, mb < max ? mb : max);
}

static void
w_left (const judge *j, char *out, size_t cap)
{
  if (j->x->left_running == 1)
    snprintf (out, cap, "a thread or process");
  else
    snprintf (out, cap, "%" PRId64 " threads or processes", j->x->left_running);
}

static void
w_is (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->x->left_running == 1 ? "was" : "were");
}

static void
w_behind (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->x->left_behind);
}

static void
w_raw_max (const judge *j, char *out, size_t cap)
{
  lf_show_amount (lf_judge_allowed (j, LF_LIM_RESPONSE) / 4 * 3 / 1024 * 1024, "bytes", out, cap);
}

/* ---- out of the output ----------------------------------------------------------------------------------------------------------------- */

static bool
copy_between (const char *text, const char *before, const char *until, char *out, size_t cap)
{
  const char *p = strstr (text, before);
  if (p == NULL)
    return false;
  p += strlen (before);
  snprintf (out, cap, "%.*s", (int) strcspn (p, until), p);
  return *out != '\0';
}

static void
w_no_number (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->x->no_number != NULL ? j->x->no_number : "NaN");
}

static void
w_no_number_place (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", j->x->no_number_in_body ? "The body in the response" : "The response");
}

static void
w_type (const judge *j, char *out, size_t cap)
{
  char type[60];
  if (copy_between (j->line, "Object of type ", " ", type, sizeof type))
    snprintf (out, cap, "a value of type %s", type);
  else if (copy_between (j->line, "None, not ", " ", type, sizeof type))
    snprintf (out, cap, "a key of type %s", type);
  else
    snprintf (out, cap, "a value");
}

static void
w_resource (const judge *j, char *out, size_t cap)
{

  char line[120];
  const lf_record *r = j->x->r;
  lf_str texts[] = { { r->error_message, r->error_message != NULL ? strlen (r->error_message) : 0 }, j->x->output };
  for (size_t i = 0; i < LF_ARRAY_LEN (texts); i++)
    if (lf_pattern_find (texts[i], "nltk.download('", line, sizeof line) && copy_between (line, "nltk.download('", "'", out, cap))
      return;
  /* TextBlob does not say which. */
  snprintf (out, cap, "%s", strstr (j->line, "MissingCorpusError") != NULL ? "brown punkt_tab wordnet averaged_perceptron_tagger_eng conll2000" : "RESOURCE");
}

/* What was to be started, from the words of whoever could not. */
static void
w_program (const judge *j, char *out, size_t cap)
{
  static const struct { const char *before, *until; } named[] = { { "directory: '", "'" }, { "spawn ", " " }, { "sh: 1: ", ":" } };
  static const struct { const char *sign, *program; } known[] = { { "tesseract", "tesseract" }, { "poppler", "a program of poppler (pdftoppm)" }, { "wkhtmltopdf", "wkhtmltopdf" },
                                                                  { "ffprobe", "ffprobe" }, { "ffmpeg", "ffmpeg" }, { "git", "git" } };
  for (size_t i = 0; i < LF_ARRAY_LEN (named); i++)
    if (copy_between (j->line, named[i].before, named[i].until, out, cap))
      return;
  const char *shell = strstr (j->line, ": command not found"), *from = shell;
  while (from != NULL && from > j->line && from[-1] != ' ')
    from--;
  if (shell != NULL && shell > from)
    {
      snprintf (out, cap, "%.*s", (int) (shell - from), from);
      return;
    }
  for (size_t i = 0; i < LF_ARRAY_LEN (known); i++)
    if (strstr (j->line, known[i].sign) != NULL)
      {
        snprintf (out, cap, "%s", known[i].program);
        return;
      }
  snprintf (out, cap, "a program");
}

static void
w_model (const judge *j, char *out, size_t cap)
{
  if (!copy_between (j->line, "find model '", "'", out, cap))
    snprintf (out, cap, "of this name");
}

/* A model is a module or a folder; what the function's folder holds is at /var/task. */
static void
w_model_advice (const judge *j, char *out, size_t cap)
{
  char model[120];
  w_model (j, model, sizeof model);
  if (strchr (model, '/') != NULL)
    snprintf (out, cap, "Put the folder of the model, with its config.cfg, into the package so that it is at %s; the code's folder is /var/task, a layer /opt.", model);
  else
    snprintf (out, cap, "Install it into the package: `python -m spacy download %s --target DIR`, with DIR the code's folder or a layer's python/.", model);
}

static void
w_line (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%.160s", j->line);
}

/* The path that a line names: what stands in quotes, else what begins with a slash. */
static void
w_path (const judge *j, char *out, size_t cap)
{
  if (strstr (j->line, " cannot be opened") != NULL && copy_between (j->line, "File ", " ", out, cap)) /* PyTorch's words */
    return;
  const char *colon = strstr (j->line, ": '"), *p = colon != NULL ? colon + 2 : strchr (j->line, '\'');
  if (p != NULL && p[1] != '\0' && strchr (p + 1, '\'') != NULL)
    {
      snprintf (out, cap, "%.*s", (int) strcspn (p + 1, "'"), p + 1);
      return;
    }
  for (p = strchr (j->line, '/'); p != NULL; p = strchr (p + 1, '/'))
    if (p == j->line || strchr (" ('\"<`", p[-1]) != NULL)
      {
        snprintf (out, cap, "%.*s", (int) strcspn (p, " '\")>`:,;"), p);
        return;
      }
  snprintf (out, cap, "a file");
}

static void
w_base (const judge *j, char *out, size_t cap)
{
  char path[200];
  w_path (j, path, sizeof path);
  const char *base = strrchr (path, '/');
  base = base != NULL ? base + 1 : path;
  if (strncmp (base, ".tmp", 4) == 0)
    base = ""; /* a name that a library made up */
  snprintf (out, cap, "%s", *base != '\0' && strcmp (path, "a file") != 0 ? base : "NAME");
}

static bool
in_text (const judge *j, const char *patterns)
{
  const lf_record *r = j->x->r;
  lf_str message = { r->error_message, r->error_message != NULL ? strlen (r->error_message) : 0 };
  char line[64];
  return lf_pattern_find (message, patterns, line, sizeof line) || lf_pattern_find (j->x->output, patterns, line, sizeof line)
         || lf_pattern_find (j->x->response, patterns, line, sizeof line);
}

/* Which variable moves the cache of the library that is named in the output. */
static void
w_cache_env (const judge *j, char *out, size_t cap)
{
  static const struct { const char *sign, *set; } table[] = {
    { "/seaborn/", "SEABORN_DATA=/tmp/seaborn" }, /* before matplotlib, which it brings */
    { "/sklearn/datasets/", "SCIKIT_LEARN_DATA=/tmp/scikit_learn_data" },
    { "huggingface|/transformers/|/sentence_transformers/|/diffusers/|/datasets/", "HF_HOME=/tmp/huggingface" },
    { "/torch/hub.py|/torchvision/|/torchaudio/", "TORCH_HOME=/tmp/torch" },
    { "matplotlib", "MPLCONFIGDIR=/tmp/matplotlib" },
    { "numba", "NUMBA_CACHE_DIR=/tmp/numba" },
    { ".keras|/keras/", "KERAS_HOME=/tmp/keras" },
    { "easyocr", "EASYOCR_MODULE_PATH=/tmp/easyocr" },
    { "paddle", "PADDLE_PDX_CACHE_HOME=/tmp/paddle" },
    { "tfhub|tensorflow_hub", "TFHUB_CACHE_DIR=/tmp/tfhub" },
    { "ultralytics", "YOLO_CONFIG_DIR=/tmp/ultralytics" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (table); i++)
    if (in_text (j, table[i].sign))
      {
        snprintf (out, cap, "%s", table[i].set);
        return;
      }
  snprintf (out, cap, "HOME=/tmp");
}

#define HUB_SIGNS "/models--|huggingface|/transformers/"

static void
w_baked_env (const judge *j, char *out, size_t cap)
{
  if (in_text (j, HUB_SIGNS))
    snprintf (out, cap, "HF_HUB_OFFLINE=1");
  else
    w_cache_env (j, out, cap);
}

static void
w_baked_reason (const judge *j, char *out, size_t cap)
{
  snprintf (out, cap, "%s", in_text (j, HUB_SIGNS) ? ", which uses what is there as it is" : "");
}

/* ---- filling in ------------------------------------------------------------------------------------------------------------------------ */

static const struct
{
  const char *key;
  void (*write) (const judge *j, char *out, size_t cap);
} words[] = {
  { "name", w_name },
  { "used", w_used },
  { "allowed", w_allowed },
  { "percent", w_percent },
  { "asked", w_asked },                   /* a setting that is refused, what is taken, and the next that is */
  { "range", w_range },
  { "nearest", w_nearest },
  { "arch", w_arch },
  { "timeout_fit", w_timeout_fit },       /* seconds to try */
  { "throttled", w_throttled },
  { "cpu", w_cpu },
  { "memory", w_memory },                 /* the function's size */
  { "share", w_share },                   /* of one CPU, that this size gives */
  { "full_mb", w_full_mb },               /* the size that gives a whole one */
  { "cpu_advice", w_cpu_advice },
  { "init_advice", w_init_advice },
  { "memory_fit", w_memory_fit },         /* MB to try, and from what it was computed */
  { "memory_twice", w_memory_twice },
  { "memory_reason", w_memory_reason },
  { "memory_now", w_memory_now },         /* held at the end, and mapped files touched; the size that has room for both */
  { "files_touched", w_files_touched },
  { "files_fit", w_files_fit },
  { "allocation_fix", w_allocation_fix }, /* the size to try, where one would do */
  { "allocation", w_allocation },         /* ": 7.5 GB at once" */
  { "tmp_fit", w_tmp_fit },
  { "tmp_reason", w_tmp_reason },
  { "tmp_more", w_tmp_more },             /* twice as many MB */
  { "tmp_before", w_tmp_before },
  { "slope", w_slope },                   /* growth of one invocation */
  { "breaks_at", w_breaks_at },           /* number of the invocation that reaches the limit */
  { "samples", w_samples },
  { "residual_advice", w_residual_advice },
  { "prune_advice", w_prune_advice },
  { "too_much", w_too_much },             /* of an image over its limit */
  { "image_advice", w_image_advice },
  { "cuda", w_cuda },
  { "problem", w_problem },               /* of `layer check` */
  { "problem_path", w_problem_path },
  { "problem_fix", w_problem_fix },
  { "problem_target", w_problem_target },
  { "zip_base64", w_zip_base64 },         /* the zip as it travels */
  { "zip_base64_max", w_zip_base64_max },
  { "threads", w_threads },               /* that computed */
  { "threads_mb", w_threads_mb },         /* the size that gives each of them a CPU */
  { "left", w_left },                     /* still at work after the response */
  { "behind", w_behind },                 /* in its event loop */
  { "is", w_is },
  { "raw_max", w_raw_max },               /* of binary data, as base64 in a response */
  { "no_number", w_no_number },           /* NaN, in a response or the body in it */
  { "no_number_place", w_no_number_place },
  { "type", w_type },
  { "resource", w_resource },             /* of NLTK */
  { "program", w_program },               /* that was to be started */
  { "model", w_model },                   /* of spaCy */
  { "model_advice", w_model_advice },
  { "line", w_line },                     /* of the output, that a pattern was in */
  { "path", w_path },
  { "base", w_base },                     /* its last part */
  { "cache_env", w_cache_env },           /* NAME=VALUE */
  { "baked_env", w_baked_env },
  { "baked_reason", w_baked_reason },
};

static void
write_word (const judge *j, const char *key, size_t n, char *out, size_t cap)
{
  *out = '\0';
  for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
    if (strlen (words[i].key) == n && memcmp (words[i].key, key, n) == 0)
      words[i].write (j, out, cap);
}

void
lf_fill (char *out, size_t cap, const char *text, const judge *j)
{
  size_t n = 0;
  char word[240];
  while (*text != '\0' && n + 1 < cap)
    {
      const char *end = *text == '{' ? strchr (text, '}') : NULL;
      if (end == NULL)
        {
          out[n++] = *text++;
          continue;
        }
      write_word (j, text + 1, (size_t) (end - text - 1), word, sizeof word);
      size_t len = strlen (word);
      if (len > cap - 1 - n)
        len = cap - 1 - n;
      memcpy (out + n, word, len);
      n += len;
      text = end + 1;
    }
  while (n > 0 && out[n - 1] == ' ')
    n--;
  out[n] = '\0';
  out[lf_utf8_valid (out, n)] = '\0';
}
