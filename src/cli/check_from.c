/* SPDX-License-Identifier: Apache-2.0
 *
 * What another run, or many, measured: samples from a log, which may be merged of many. Of each function's event the newest run that has it
 * counts, so that a log that was written to several times is judged by its last.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lambdafit/store.h"
#include "targets.h"

#define ROWS_MAX 2000000

typedef struct lf_from_row
{
  char *request_id, *problem;
  int function, event;
  int64_t round, expected, fds, processes, loop_wall_ns, loop_cpu_ns, loop_memory_ns, run, started_us;
} lf_from_row;

typedef struct lf_from
{
  lf_checking *k;
  lf_store *s;
  lf_from_row *rows;
  size_t n, cap;
  bool nomem;
  lf_observed *o;         /* the one that is filled just now */
  const lf_from_row *row;
  int64_t since_us;
} lf_from;

/* ---- rows of checks ----------------------------------------------------------------------------------------------------------------------- */

static int
find_function (const lf_checking *k, const char *name)
{
  for (size_t i = 0; i < k->check->functions_n; i++)
    if (strcmp (k->check->functions[i].name, name) == 0)
      return (int) i;
  return -1;
}

static int
find_event (const lf_observed *o, const char *name)
{
  for (size_t i = 0; i < o->events_n; i++)
    if (strcmp (o->events[i].name, name) == 0)
      return (int) i;
  return -1;
}

static int
on_check (const lf_check_row *r, void *user)
{
  lf_from *f = user;
  int function = find_function (f->k, r->function), event = function < 0 ? -1 : find_event (&f->k->observed[function], r->event);
  if (event < 0)
    return 0; /* the file has it no longer */
  if (f->n == f->cap)
    {
      size_t cap = f->cap ? f->cap * 2 : 256;
      lf_from_row *more = cap <= ROWS_MAX ? realloc (f->rows, cap * sizeof *more) : NULL;
      if (!more)
        {
          f->nomem = true;
          return 1;
        }
      f->rows = more;
      f->cap = cap;
    }
  lf_from_row *x = &f->rows[f->n];
  *x = (lf_from_row){ .function = function, .event = event, .round = r->round, .expected = r->expected, .fds = r->fds, .processes = r->processes,
                      .loop_wall_ns = r->loop_wall_ns, .loop_cpu_ns = r->loop_cpu_ns, .loop_memory_ns = r->loop_memory_ns, .run = r->run,
                      .started_us = r->run_started_us };
  x->request_id = lf_strdup (r->request_id);
  x->problem = lf_strdup (r->problem);
  f->n++;
  f->nomem |= !x->request_id || (r->problem && !x->problem);
  return f->nomem;
}

/* The newest run that has this event. The run's number decides only between runs that began at the same moment. */
static bool
is_newest (const lf_from *f, const lf_from_row *row, int64_t *started, int64_t *run)
{
  if (*run == LF_NONE)
    for (size_t i = 0; i < f->n; i++)
      {
        const lf_from_row *x = &f->rows[i];
        if (x->function == row->function && x->event == row->event && (*run == LF_NONE || x->started_us > *started || (x->started_us == *started && x->run > *run)))
          {
            *started = x->started_us;
            *run = x->run;
          }
      }
  return row->run == *run;
}

/* ---- rows of invocations -------------------------------------------------------------------------------------------------------------------- */

/* The function as it ran, and what was enforced for it. */
static int
set_function (lf_from *f, const lf_record *r)
{
  lf_observed *o = f->o;
  lf_error ignored = { 0 };
  if (!o->have_f)
    {
      lf_function_init (&o->f);
      o->have_f = true;
      if (lf_store_function_get (f->s, r->function, &o->f, &ignored) < 0)
        lf_function_init (&o->f);
    }
  char *text LF_CLEANUP (lf_freep) = !o->have_enforcement && r->environment ? lf_store_env_enforcement (f->s, r->environment) : NULL;
  cJSON *j LF_CLEANUP (lf_json_freep) = text ? lf_json_parse (text, strlen (text), "enforcement", &ignored) : NULL;
  for (int l = 0; j && l < LF_LIM_COUNT; l++)
    {
      const char *word = lf_json_str (j, lf_limit_get ((lf_limit) l)->id);
      o->enforcement.by[l] = lf_streq (word, "kernel") ? LF_ENF_KERNEL : lf_streq (word, "sampled") ? LF_ENF_SAMPLED : LF_ENF_NONE;
      o->have_enforcement = true;
    }
  return 0;
}

static lf_sample *
add_sample (lf_from *f, const lf_record *r, int event, int round)
{
  set_function (f, r);
  return lf_observed_add (f->o, r, event, round);
}

static int
on_invocation (const lf_record *r, int64_t rowid, void *user)
{
  lf_from *f = user;
  const lf_from_row *x = f->row;
  lf_record with = *r;
  (void) rowid;
  with.fds = x->fds;
  with.processes = x->processes;
  lf_sample *s = add_sample (f, &with, x->event, (int) x->round);
  if (!s)
    {
      f->nomem = true;
      return 1;
    }
  s->expected = x->expected == LF_NONE ? -1 : (int) x->expected;
  s->loop_wall_ns = x->loop_wall_ns;
  s->loop_cpu_ns = x->loop_cpu_ns;
  s->loop_memory_ns = x->loop_memory_ns;
  if (x->problem && !s->problem)
    {
      s->problem = lf_strdup (x->problem);
      f->nomem |= !s->problem;
    }
  return 0;
}

static int
on_violation (const lf_violation *v, void *user)
{
  lf_from *f = user;
  lf_observed *o = f->o;
  int event = f->row ? f->row->event : -1;
  if (!f->row && (v->request_id || v->at_us < f->since_us))
    return 0; /* an invocation's, or of an earlier run */
  int taken = lf_observed_violation (o, v, event);
  if (f->row && o->samples_n)
    o->samples[o->samples_n - 1].limited |= taken > 0 && v->severity == LF_SEV_BROKEN;
  f->nomem |= taken < 0;
  return f->nomem;
}

/* Without rows of checks: an ordinary log, whose events are not known. */
static int
on_plain (const lf_record *r, int64_t rowid, void *user)
{
  lf_from *f = user;
  (void) rowid;
  if (r->source == LF_SRC_SIMULATED)
    return 0;
  lf_sample *s = add_sample (f, r, -1, 0);
  f->nomem |= !s;
  return f->nomem;
}

static int
on_plain_violation (const lf_violation *v, void *user)
{
  lf_from *f = user;
  lf_observed *o = f->o;
  int taken = lf_observed_violation (o, v, -1);
  for (size_t i = 0; v->request_id && taken > 0 && i < o->samples_n; i++)
    if (strcmp (o->samples[i].request_id, v->request_id) == 0)
      o->samples[i].limited |= v->severity == LF_SEV_BROKEN;
  f->nomem |= taken < 0;
  return f->nomem;
}

/* ---- one function ----------------------------------------------------------------------------------------------------------------------------- */

static int
read_checked (lf_from *f, int index, lf_error *err)
{
  f->since_us = INT64_MAX;
  for (size_t e = 0; e < f->o->events_n; e++)
    {
      int64_t started = LF_NONE, run = LF_NONE;
      for (size_t i = 0; i < f->n; i++)
        {
          f->row = &f->rows[i];
          if (f->row->function != index || f->row->event != (int) e || !is_newest (f, f->row, &started, &run))
            continue;
          lf_log_filter filter = { .request_id = f->row->request_id, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
          if (lf_store_invocations (f->s, &filter, on_invocation, f, NULL, err) < 0
              || lf_store_violations (f->s, NULL, f->row->request_id, on_violation, f, err) < 0)
            return -1;
        }
      f->since_us = run != LF_NONE && started < f->since_us ? started : f->since_us;
    }
  f->row = NULL;
  return f->o->have_f && f->o->f.name ? lf_store_violations (f->s, f->o->f.name, NULL, on_violation, f, err) : 0;
}

/* What the function is called in a log: by an option, by the template, or as in the file. */
static char *
name_in_log (const lf_checking *k, const lf_check_function *fn)
{
  for (size_t i = 0; i < fn->options_n; i++)
    if (strcmp (fn->options[i].name, "name") == 0 && fn->options[i].values.n)
      return lf_strdup (fn->options[i].values.v[0]);
  lf_error ignored = { 0 };
  lf_template *t = !fn->target && k->check->template_ ? lf_template_load (k->check->template_, NULL, &ignored) : NULL;
  const lf_template_function *of = t ? lf_template_function_find (t, fn->name) : NULL;
  char *name = lf_strdup (of ? of->f.name : fn->name);
  lf_template_free (t);
  return name;
}

static int
read_plain (lf_from *f, lf_error *err)
{
  char *name LF_CLEANUP (lf_freep) = name_in_log (f->k, f->o->of);
  if (!name)
    return LF_FAIL_NOMEM (err);
  lf_log_filter filter = { .function = name, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  if (lf_store_invocations (f->s, &filter, on_plain, f, NULL, err) < 0)
    return -1;
  return lf_store_violations (f->s, name, NULL, on_plain_violation, f, err);
}

static int
read_function (lf_from *f, int index, lf_error *err)
{
  bool checked = false;
  f->o = &f->k->observed[index];
  f->o->from_log = true;
  for (size_t i = 0; i < f->n; i++)
    checked = checked || f->rows[i].function == index;
  f->o->events_unknown = !checked;
  int rc = checked ? read_checked (f, index, err) : read_plain (f, err);
  return rc == 0 && f->nomem ? LF_FAIL_NOMEM (err) : rc;
}

static int
by_time (const void *a, const void *b)
{
  const lf_sample *x = a, *y = b;
  return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

int
lf_check_from (lf_checking *k, lf_error *err)
{
  lf_from f = { .k = k };
  int rc = (f.s = lf_store_open_read (k->db, err)) ? 0 : -1;
  if (rc == 0)
    rc = lf_store_checks (f.s, on_check, &f, err);
  if (rc == 0 && f.nomem)
    rc = LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < k->check->functions_n && rc == 0; i++)
    {
      k->observed_n = i + 1;
      rc = read_function (&f, (int) i, err);
      /* The loops around a sample are found by their order. */
      if (k->observed[i].samples_n)
        qsort (k->observed[i].samples, k->observed[i].samples_n, sizeof *k->observed[i].samples, by_time);
    }
  for (size_t i = 0; i < f.n; i++)
    {
      free (f.rows[i].request_id);
      free (f.rows[i].problem);
    }
  free (f.rows);
  lf_store_close (f.s);
  return rc;
}
