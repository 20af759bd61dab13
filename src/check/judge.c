/* SPDX-License-Identifier: Apache-2.0
 *
 * The judgement: what was asked for, against what was measured. docs/check.md states the rules.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

typedef struct judge
{
  const lf_observed *o;
  const lf_baseline *baseline;
  bool update;
  lf_results *out;
} judge;

void
lf_results_fini (lf_results *r)
{
  free (r->v);
  memset (r, 0, sizeof *r);
}

static lf_result *
add (judge *j, const char *budget, int measure, lf_result_word word)
{
  lf_results *r = j->out;
  static lf_result nowhere;
  if (r->n == r->cap)
    {
      size_t cap = r->cap ? r->cap * 2 : 32;
      lf_result *more = realloc (r->v, cap * sizeof *more);
      if (!more)
        {
          r->nomem = true;
          return &nowhere;
        }
      r->v = more;
      r->cap = cap;
    }
  lf_result *x = &r->v[r->n++];
  *x = (lf_result){ .function = j->o->name, .budget = budget, .measure = measure, .word = word, .used = LF_NONE, .allowed = LF_NONE, .baseline = LF_NONE,
                    .line = j->o->of->line, .column = j->o->of->column };
  return x;
}

static const char *
event_name (const lf_observed *o, int event)
{
  return event >= 0 && (size_t) event < o->events_n ? o->events[event].name : NULL;
}

static void
place_event (const lf_observed *o, int event, lf_result *r)
{
  r->event = event_name (o, event);
  r->of_event = r->event != NULL;
  if (event >= 0 && (size_t) event < o->events_n && o->events[event].line > 0)
    {
      r->line = o->events[event].line;
      r->column = o->events[event].column;
    }
}

static void
say (lf_result *r, const char *fmt, ...) LF_PRINTF (2, 3);
static void
say (lf_result *r, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (r->message, sizeof r->message, fmt, ap);
  va_end (ap);
}

/* ---- what should be in a log ---------------------------------------------------------------------------------------------------------------- */

static int64_t count_event (const lf_observed *o, int event);

/* A shard's log that was forgotten must not make a check green. */
static void
missing (judge *j)
{
  const lf_observed *o = j->o;
  bool all = o->samples_n == 0;
  for (int e = 0; o->from_log && e < (int) o->events_n; e++)
    {
      if (!all && (o->events_unknown || count_event (o, e) > 0))
        continue;
      lf_result *r = add (j, "function_error", -1, LF_RES_NOT_MEASURED);
      r->incomplete = true;
      if (!all)
        place_event (o, e, r);
      say (r, "the log has no invocation of this %s", all ? "function" : "event");
      snprintf (r->fix, sizeof r->fix, "Merge the logs of all shards: lambdafit log merge PART1.db PART2.db -o ALL.db");
      if (all)
        return;
    }
}

/* ---- errors and expectations ----------------------------------------------------------------------------------------------------------- */

/* Counts samples of an event that `bad` is true of, and gives the first. */
static int64_t
count_bad (const lf_observed *o, int event, bool (*bad) (const lf_sample *s), const lf_sample **first)
{
  int64_t n = 0;
  *first = NULL;
  for (size_t i = 0; i < o->samples_n; i++)
    if (o->samples[i].event == event && bad (&o->samples[i]))
      {
        if (n++ == 0)
          *first = &o->samples[i];
      }
  return n;
}

static bool
is_error (const lf_sample *s)
{
  return s->status != LF_ST_OK && !s->limited;
}

static bool
is_unexpected (const lf_sample *s)
{
  return s->expected == 0;
}

static bool
is_expected (const lf_sample *s)
{
  return s->expected == 1;
}

static int64_t
count_event (const lf_observed *o, int event)
{
  int64_t n = 0;
  for (size_t i = 0; i < o->samples_n; i++)
    n += o->samples[i].event == event;
  return n;
}

static void
errors (judge *j)
{
  const lf_observed *o = j->o;
  bool any = false;
  for (int e = -1; e < (int) o->events_n; e++)
    {
      const lf_sample *first;
      int64_t n = count_bad (o, e, is_error, &first);
      if (!n)
        continue;
      any = true;
      lf_result *r = add (j, "function_error", -1, LF_RES_BROKEN);
      place_event (o, e, r);
      r->used = n;
      r->allowed = 0;
      say (r, "%lld of %lld invocations failed: %s", (long long) n, (long long) count_event (o, e), first->problem ? first->problem : "");
      snprintf (r->fix, sizeof r->fix, "lambdafit log --explain %.40s --db LOG shows its log; lambdafit run with this event repeats it.", first->request_id);
    }
  if (!any && o->samples_n)
    {
      lf_result *r = add (j, "function_error", -1, LF_RES_PASS);
      r->used = r->allowed = 0;
    }
}

static void
expectations (judge *j)
{
  const lf_observed *o = j->o;
  int64_t good = 0;
  bool asked = false, bad = false;
  for (int e = 0; e < (int) o->events_n; e++)
    {
      const lf_sample *first;
      if (!o->events[e].equals && !o->events[e].json && !o->events[e].schema)
        continue;
      int64_t wrong = count_bad (o, e, is_unexpected, &first), right = 0;
      const lf_sample *ignored;
      right = count_bad (o, e, is_expected, &ignored);
      if (count_event (o, e) == 0)
        continue; /* another shard's */
      asked = true;
      good += right;
      if (!wrong && right)
        continue;
      bad = true;
      lf_result *r = add (j, "expect", -1, wrong ? LF_RES_BROKEN : LF_RES_NOT_MEASURED);
      place_event (o, e, r);
      r->used = wrong;
      r->allowed = 0;
      if (wrong)
        say (r, "%lld of %lld responses are not as expected: %s", (long long) wrong, (long long) wrong + (long long) right, first->problem ? first->problem : "");
      else
        say (r, "there was no response to compare");
      snprintf (r->fix, sizeof r->fix, "%s", wrong ? "If the new answer is right, correct what is expected; else find what changed it: the model, its input, a library's version."
                                                   : "The other failures of this event say why.");
    }
  if (asked && !bad)
    {
      lf_result *r = add (j, "expect", -1, LF_RES_PASS);
      r->used = r->allowed = 0;
      say (r, "%lld responses are as expected", (long long) good);
    }
}

/* The value that a budget is about. A timing is taken as the best of the rounds that were measured: what only a busy moment did is none. */
static int64_t
used_of (const judge *j, const lf_budget *b, const lf_sample **worst)
{
  const lf_observed *o = j->o;
  const lf_measure *info = lf_measure_get (b->measure);
  *worst = NULL;
  if (b->measure == LF_LIM_CONCURRENCY)
    return lf_observed_concurrency (o);
  if (b->measure == LF_LIM_REQUEST_RATE)
    return lf_observed_rate (o);
  if (info->of_function)
    return lf_observed_static (o, b->measure);
  int64_t best = lf_observed_stat (o, b->measure, b->stat, -1, 0, worst);
  for (int round = 1; info->kind == LF_KIND_TIME && round < o->rounds; round++)
    {
      const lf_sample *at = NULL;
      int64_t v = lf_observed_stat (o, b->measure, b->stat, -1, round, &at);
      if (v != LF_NONE && v < best)
        {
          best = v;
          *worst = at;
        }
    }
  return best;
}

/* ---- Lambda's own limits ----------------------------------------------------------------------------------------------------------------- */

static bool
has_budget (const lf_observed *o, int measure)
{
  for (size_t i = 0; i < o->of->budgets_n; i++)
    if (o->of->budgets[i].measure == measure && o->of->budgets[i].kind <= LF_BUD_PERCENT)
      return true;
  return false;
}

static int64_t
limit_units (int m, int64_t v)
{
  return v != LF_NONE && lf_measure_get (m)->kind == LF_KIND_TIME ? v * 1000 : v;
}

/* Near a limit of time, in every round that was measured? A busy moment is forgiven, as it is for a budget. */
static bool
still_near (const judge *j, const lf_seen *s)
{
  const lf_sample *ignored;
  int64_t used = used_of (j, &(lf_budget){ .measure = s->measure, .stat = LF_STAT_MAX }, &ignored), limit = lf_check_limit (s->measure, &j->o->f, j->o->profile);
  return used == LF_NONE || limit == LF_NONE || (lf_money) used * 10 >= (lf_money) limit * 9;
}

static void
violations (judge *j)
{
  const lf_observed *o = j->o;
  for (size_t i = 0; i < o->seen_n; i++)
    {
      const lf_seen *s = &o->seen[i];
      bool near = s->severity == LF_SEV_NEAR;
      if (near && has_budget (o, s->measure))
        continue; /* how near it may come is said there */
      bool timing = near && s->measure >= 0 && lf_measure_get (s->measure)->kind == LF_KIND_TIME;
      if (timing && !still_near (j, s))
        continue;
      lf_result *r = add (j, s->subject, s->measure, LF_RES_BROKEN);
      place_event (o, s->event, r);
      r->doubtful = timing && o->rounds < ROUNDS_MAX;
      r->statistic = s->used != LF_NONE ? "max" : NULL;
      r->used = s->measure >= 0 ? limit_units (s->measure, s->used) : s->times;
      r->allowed = s->measure >= 0 ? limit_units (s->measure, s->allowed) : 0;
      snprintf (r->budget_text, sizeof r->budget_text, "%s", near ? "less than 90%" : "Lambda's limit");
      say (r, "%s%s", near ? "too near: " : "", s->message);
      if (near)
        snprintf (r->fix, sizeof r->fix, "%.330s Or say how near it may come: budgets: {%s: %s}.", s->fix, s->subject, s->measure < LF_LIM_COUNT ? "98%" : "1 MB");
      else
        snprintf (r->fix, sizeof r->fix, "%s", s->fix);
    }
}

static bool
not_enforced (const lf_observed *o, int measure)
{
  return measure < LF_LIM_COUNT && o->have_enforcement && lf_limit_get ((lf_limit) measure)->by_default == LF_ENF_KERNEL
         && o->enforcement.by[measure] == LF_ENF_NONE;
}

static void
say_not_measured (const lf_observed *o, lf_result *r, int measure)
{
  const char *id = lf_measure_get (measure)->id;
  bool none = not_enforced (o, measure);
  r->word = LF_RES_NOT_MEASURED;
  say (r, none ? "this machine cannot enforce the limit of %s, so what happens at it was not seen" : "%s was not measured here", id);
  snprintf (r->fix, sizeof r->fix, "%s",
            measure == LF_LIM_ZIP ? "Give the function's zip as its target: a folder has no zipped size."
            : none || measure == LF_LIM_MEMORY || measure == LF_LIM_TMP || measure == LF_LIM_FDS || measure == LF_LIM_PROCESSES
                ? "lambdafit doctor says what this machine lacks, and how to get it."
                : "No invocation had it: see the other results of this function.");
}

static void
unseen_limits (judge *j)
{
  for (int m = 0; m < LF_LIM_COUNT; m++)
    if (not_enforced (j->o, m) && !has_budget (j->o, m))
      say_not_measured (j->o, add (j, lf_measure_get (m)->id, m, LF_RES_NOT_MEASURED), m);
}

/* ---- budgets of an absolute size -------------------------------------------------------------------------------------------------------- */

static int64_t
allowed_of (const judge *j, const lf_budget *b)
{
  if (b->kind == LF_BUD_ABSOLUTE)
    return b->value;
  int64_t limit = lf_check_limit (b->measure, &j->o->f, j->o->profile);
  return limit == LF_NONE ? LF_NONE : (int64_t) ((lf_money) limit * b->value / 1000000);
}

static lf_result *
budget_result (judge *j, const lf_budget *b)
{
  lf_result *r = add (j, lf_measure_get (b->measure)->id, b->measure, LF_RES_PASS);
  r->statistic = lf_measure_get (b->measure)->of_function ? NULL : lf_stat_name (b->stat);
  r->line = b->line;
  r->column = b->column;
  snprintf (r->budget_text, sizeof r->budget_text, "%s", b->text);
  return r;
}

static void
say_over (lf_result *r, const lf_measure *info, const char *than)
{
  char used[48], allowed[48], base[48];
  lf_measure_show (r->measure, r->used, used);
  lf_measure_show (r->measure, r->allowed, allowed);
  lf_measure_show (r->measure, r->baseline, base);
  if (r->baseline == LF_NONE)
    say (r, "%s%s%s is %s, %s allowed (%s%s). Likely cause: %s", r->statistic ? r->statistic : "", r->statistic ? " " : "", info->id, used, allowed,
         r->budget_text, than, info->cause);
  else
    say (r, "%s%s%s is %s, the baseline has %s, %s allowed (%s%s). Likely cause: %s", r->statistic ? r->statistic : "", r->statistic ? " " : "", info->id,
         used, base, allowed, r->budget_text, than, info->cause);
  snprintf (r->fix, sizeof r->fix, "%s", info->fix);
}

/* An init that was abandoned has no duration, but a limit that is broken: that result says all. */
static bool
seen_broken (const lf_observed *o, int measure)
{
  for (size_t i = 0; i < o->seen_n; i++)
    if (o->seen[i].measure == measure && o->seen[i].severity == LF_SEV_BROKEN)
      return true;
  return false;
}

static void
absolute (judge *j, const lf_budget *b)
{
  const lf_observed *o = j->o;
  const lf_sample *worst;
  const lf_measure *info = lf_measure_get (b->measure);
  bool whole = info->of_function || (b->stat == LF_STAT_MAX && info->kind != LF_KIND_MONEY);
  if (o->part && !whole)
    return; /* the merged log has all of it */
  int64_t used = used_of (j, b, &worst), allowed = allowed_of (j, b);
  if (used == LF_NONE && seen_broken (o, b->measure))
    return;
  lf_result *r = budget_result (j, b);
  r->used = used;
  r->allowed = allowed;
  r->event = worst ? event_name (o, worst->event) : NULL;
  if (used == LF_NONE || allowed == LF_NONE)
    say_not_measured (o, r, b->measure);
  else if (used > allowed)
    {
      r->word = LF_RES_BROKEN;
      r->doubtful = info->kind == LF_KIND_TIME && o->rounds < ROUNDS_MAX;
      say_over (r, info, b->kind == LF_BUD_PERCENT ? " of Lambda's limit" : "");
    }
  else if (not_enforced (o, b->measure))
    say_not_measured (o, r, b->measure);
}

/* ---- changes ---------------------------------------------------------------------------------------------------------------------------- */

static void
say_no_baseline (const judge *j, lf_result *r, const char *lacks, const char *name)
{
  const lf_sample *ignored;
  int m = r->measure;
  bool exact = lf_measure_get (m)->kind == LF_KIND_BYTES || lf_measure_get (m)->kind == LF_KIND_COUNT;
  if (r->used == LF_NONE)
    r->used = exact ? used_of (j, &(lf_budget){ .measure = m, .stat = LF_STAT_MAX }, &ignored) : lf_observed_stat (j->o, m, LF_STAT_P50, -1, 0, NULL);
  r->word = LF_RES_NOT_MEASURED;
  r->incomplete = true;
  say (r, "%s%s%s: the change of %s was not judged", lacks, *name ? " " : "", name, r->budget);
  snprintf (r->fix, sizeof r->fix, "lambdafit check --update writes %s; review it and commit it.", j->baseline ? "the baseline anew" : "a baseline");
}

/* The part of the package that grew the most, or is new. */
static void
say_part (const judge *j, lf_result *r)
{
  const lf_part *most = NULL;
  int64_t grown = 0, before = LF_NONE, was;
  for (size_t i = 0; i < j->o->parts_n; i++)
    {
      const lf_part *p = &j->o->parts[i];
      if (!lf_baseline_part (j->baseline, j->o->name, p->name, &was))
        return;
      int64_t more = p->bytes - (was == LF_NONE ? 0 : was);
      if (more > grown)
        {
          grown = more;
          before = was;
          most = p;
        }
    }
  if (!most)
    return;
  char now[48], then[48];
  size_t n = strlen (r->message);
  lf_measure_show (LF_LIM_PACKAGE, most->bytes, now);
  lf_measure_show (LF_LIM_PACKAGE, before, then);
  if (before == LF_NONE)
    snprintf (r->message + n, sizeof r->message - n, " New in it: %s, %s.", most->name, now);
  else
    snprintf (r->message + n, sizeof r->message - n, " Grown the most: %s, from %s to %s.", most->name, then, now);
}

static void
exact_change (judge *j, const lf_budget *b)
{
  const lf_sample *worst;
  const lf_measure *info = lf_measure_get (b->measure);
  lf_result *r = budget_result (j, b);
  r->used = used_of (j, b, &worst);
  r->event = worst ? event_name (j->o, worst->event) : NULL;
  if (r->used == LF_NONE)
    {
      say_not_measured (j->o, r, b->measure);
      return;
    }
  r->baseline = lf_baseline_value (j->baseline, j->o->name, b->measure, b->stat);
  if (r->baseline == LF_NONE)
    {
      say_no_baseline (j, r, "the baseline has no value of", info->id);
      return;
    }
  r->allowed = b->kind == LF_BUD_MORE ? r->baseline + b->value : r->baseline + (int64_t) ((lf_money) r->baseline * b->value / 1000000);
  if (r->used <= r->allowed)
    return;
  r->word = LF_RES_WORSE;
  say_over (r, info, "");
  if (b->measure == LF_LIM_PACKAGE || b->measure == LF_LIM_ZIP)
    say_part (j, r);
}

/* All rounds that were measured, compared with the base. */
static lf_comparison
compare_rounds (const judge *j, const lf_budget *b, int event, const lf_timings *base, double more)
{
  lf_comparison c = { .word = LF_CMP_FEW, .ratio = 1 };
  lf_timings *rounds = calloc (ROUNDS_MAX, sizeof *rounds);
  size_t n = 0;
  for (int round = 0; rounds && round < j->o->rounds && n < ROUNDS_MAX; round++)
    {
      lf_observed_timings (j->o, b->measure, event, round, &rounds[n]);
      n += rounds[n].n > 0;
    }
  if (rounds)
    c = lf_compare (base, rounds, n, more);
  free (rounds);
  return c;
}

static void
say_comparison (judge *j, lf_result *r, const lf_comparison *c, double more)
{
  char settings[200];
  const lf_measure *info = lf_measure_get (r->measure);
  r->doubtful = c->doubtful;
  if (c->word == LF_CMP_FEW)
    {
      r->word = LF_RES_NOT_MEASURED;
      say (r, "too few measurements to tell a change of %s from noise", info->id);
      snprintf (r->fix, sizeof r->fix, "Give the function %s: %d or more, and write the baseline anew.", info->cold_only ? "cold" : "warm", info->cold_only ? 5 : 10);
      return;
    }
  /* The base's as this machine would have it just now. */
  r->baseline = (int64_t) ((double) r->used / c->ratio + 0.5);
  r->allowed = (int64_t) ((double) r->baseline * (1 + more) + 0.5);
  if (c->word == LF_CMP_SAME)
    return;
  if (c->word == LF_CMP_BUSY)
    {
      r->word = LF_RES_NOT_MEASURED;
      say (r, "the machine is too busy to tell whether %s changed: %s is %.2f times the baseline's, which others' work on it may have caused", info->id,
           c->by_cpu ? "its CPU time" : "it", c->ratio);
      snprintf (r->fix, sizeof r->fix, "Run the check again, or on a machine with less to do.");
      return;
    }
  r->word = LF_RES_WORSE;
  say_over (r, info, "");
  size_t n = strlen (r->message);
  lf_baseline_settings (j->baseline, j->o, settings);
  snprintf (r->message + n, sizeof r->message - n, " %s is %.2f times the baseline's, surely more than %.2f times%s%s.", c->by_cpu ? "Its CPU time" : "It", c->ratio,
            c->low, *settings ? "; " : "", settings);
}

/* event -1: of cold starts, all of them together. */
static void
timing_change (judge *j, const lf_budget *b, int event)
{
  lf_timings *base = malloc (sizeof *base);
  lf_result *r = budget_result (j, b);
  r->event = event_name (j->o, event);
  r->of_event = r->event != NULL;
  r->used = lf_observed_stat (j->o, b->measure, b->stat, event, 0, NULL);
  if (!base)
    j->out->nomem = true;
  else if (r->used == LF_NONE)
    say_not_measured (j->o, r, b->measure);
  else if (!lf_baseline_timings (j->baseline, j->o->name, r->event, b->measure, base))
    say_no_baseline (j, r, r->event ? "the baseline has no timings of the event" : "the baseline has no timings of cold starts", r->event ? r->event : "");
  else
    {
      double more = b->kind == LF_BUD_MORE ? (base->p50 > 0 ? (double) b->value / (double) base->p50 : INFINITY) : (double) b->value / 1e6;
      lf_comparison c = compare_rounds (j, b, event, base, more);
      say_comparison (j, r, &c, more);
    }
  free (base);
}

static void
change (judge *j, const lf_budget *b)
{
  const lf_measure *info = lf_measure_get (b->measure);
  if (j->update || j->o->part)
    return;
  if (!j->baseline)
    say_no_baseline (j, budget_result (j, b), "there is no baseline", "");
  else if (!lf_baseline_has (j->baseline, j->o->name))
    say_no_baseline (j, budget_result (j, b), "the baseline has no function", j->o->name);
  else if (info->kind == LF_KIND_BYTES || info->kind == LF_KIND_COUNT)
    exact_change (j, b);
  else if (info->cold_only)
    timing_change (j, b, -1);
  else
    for (int e = 0; e < (int) j->o->events_n; e++)
      timing_change (j, b, e);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------------------ */

int
lf_check_judge (const lf_observed *o, const lf_baseline *baseline, bool update, lf_results *out)
{
  judge j = { o, baseline, update, out };
  missing (&j);
  errors (&j);
  expectations (&j);
  violations (&j);
  unseen_limits (&j);
  for (size_t i = 0; i < o->of->budgets_n; i++)
    if (o->of->budgets[i].kind <= LF_BUD_PERCENT)
      absolute (&j, &o->of->budgets[i]);
    else
      change (&j, &o->of->budgets[i]);
  return out->nomem ? -1 : 0;
}

int
lf_check_not_run (const lf_observed *o, const lf_error *why, lf_results *out)
{
  judge j = { o, NULL, false, out };
  lf_result *r = add (&j, "function_error", -1, LF_RES_NOT_MEASURED);
  r->incomplete = true;
  say (r, "%s: %.150s: %.450s", o->samples_n ? "not run to the end" : "not run", why->what, why->why);
  snprintf (r->fix, sizeof r->fix, "%s", *why->fix ? why->fix : "Put that right, and check again.");
  return out->nomem ? -1 : 0;
}

lf_result_word
lf_results_word (const lf_results *r)
{
  lf_result_word w = LF_RES_PASS;
  for (size_t i = 0; i < r->n; i++)
    w = r->v[i].word > w ? r->v[i].word : w;
  return w;
}

int
lf_results_exit (const lf_results *r, bool strict)
{
  lf_result_word w = lf_results_word (r);
  if (w >= LF_RES_WORSE)
    return LF_EXIT_FAILED;
  for (size_t i = 0; i < r->n; i++)
    if (r->v[i].incomplete)
      return LF_EXIT_USAGE;
  return w == LF_RES_NOT_MEASURED && strict ? LF_EXIT_UNSUPPORTED : LF_EXIT_OK;
}
