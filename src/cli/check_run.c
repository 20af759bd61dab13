/* SPDX-License-Identifier: Apache-2.0
 *
 * Measuring: cold starts, each in an environment of its own, then warm invocations of every event in turn.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "lambdafit/daemon.h"
#include "lambdafit/store.h"
#include "targets.h"

#define GIVE_UP_AFTER 3 /* failures of one event in a row */
#define ROUNDS_MAX 3

typedef struct lf_plan
{
  lf_checking *k;
  lf_observed *o;
  bool *mine;             /* of each event: this shard's */
  int *failures;          /* of each event, in a row */
  bool *given_up;
  int64_t cold, warm;     /* of the plan */
  int64_t at;             /* next: cold starts, then warm ones of each event in turn */
  int64_t batch;          /* what may still be started together */
  int round;
  lf_loops loops;
  bool nomem;
} lf_plan;

/* ---- the plan --------------------------------------------------------------------------------------------------------------------------- */

/* The event of the next invocation, or -1 when nothing is left. */
static int
next_event (lf_plan *p, bool *cold)
{
  int64_t n = (int64_t) p->o->events_n, total = p->cold + p->warm * n;
  for (; p->at < total; p->at++)
    {
      int64_t e = (p->at < p->cold ? p->at : p->at - p->cold) % n;
      if (!p->mine[e] || p->given_up[e])
        continue;
      *cold = p->at < p->cold;
      return (int) e;
    }
  return -1;
}

static int64_t
planned (const lf_plan *p)
{
  int64_t n = (int64_t) p->o->events_n, sum = 0;
  for (int64_t e = 0; e < n; e++)
    if (p->mine[e])
      sum += p->cold / n + (e < p->cold % n) + p->warm;
  return sum;
}

static lf_next_shot
on_next (lf_shot_order *out, int64_t in_flight, void *user)
{
  lf_plan *p = user;
  bool cold = false;
  int e = next_event (p, &cold);
  if (e < 0)
    return LF_NEXT_END;
  if (in_flight == 0)
    {
      /* Nothing of ours runs: the loop has the machine as the invocations after it will have it. */
      lf_calibrate (&p->loops);
      p->batch = p->o->of->concurrency;
    }
  if (p->batch == 0)
    return LF_NEXT_WAIT;
  p->batch--;
  p->at++;
  bool more_cold = false;
  int next = next_event (p, &more_cold);
  *out = (lf_shot_order){ .payload = p->o->events[e].payload.data, .payload_len = p->o->events[e].payload.len, .tag = e,
                          .keep = !cold || next < 0 || !more_cold };
  return LF_NEXT_GO;
}

/* ---- results of one invocation ------------------------------------------------------------------------------------------------------------ */

static void
note_failure (lf_plan *p, int e, bool failed)
{
  lf_observed *o = p->o;
  p->failures[e] = failed ? p->failures[e] + 1 : 0;
  if (p->failures[e] < GIVE_UP_AFTER || p->given_up[e])
    return;
  p->given_up[e] = true;
  if (!o->stopped[0])
    snprintf (o->stopped, sizeof o->stopped, "the event %.100s was given up after %d failures in a row", o->events[e].name, GIVE_UP_AFTER);
}

static void
on_each (const lf_outcome *out, const lf_enforcement *enforcement, const lf_function *f, int64_t tag, void *user)
{
  lf_plan *p = user;
  lf_observed *o = p->o;
  (void) f;
  o->enforcement = *enforcement;
  o->have_enforcement = true;
  lf_sample *s = lf_observed_add (o, out->record, (int) tag, p->round);
  if (!s)
    {
      p->nomem = true;
      return;
    }
  s->loop_wall_ns = p->loops.wall_ns;
  s->loop_cpu_ns = p->loops.cpu_ns;
  s->loop_memory_ns = p->loops.memory_ns;
  for (size_t i = 0; i < out->violations_n; i++)
    {
      int taken = lf_observed_violation (o, &out->violations[i], (int) tag);
      s->limited = s->limited || (taken > 0 && out->violations[i].severity == LF_SEV_BROKEN);
      p->nomem |= taken < 0;
    }
  if (out->status == LF_ST_OK && lf_sample_expect (s, &o->events[tag], out->body, out->body_len) < 0)
    p->nomem = true;
  note_failure (p, (int) tag, out->status != LF_ST_OK);
}

/* ---- one function -------------------------------------------------------------------------------------------------------------------------- */

static int
option_error (const lf_checking *k, const lf_option_value *o, lf_error *err)
{
  char what[200];
  lf_check_place (k->check, o->line, o->column, what);
  lf_error inner = *err;
  return LF_FAIL (err, LF_EXIT_USAGE, what, inner.fix, "%.60s: %s", o->name, inner.why);
}

int
lf_check_args (const lf_checking *k, const lf_check_function *f, lf_args *out, lf_error *err)
{
  lf_args_init (out);
  for (size_t i = 0; i < f->options_n; i++)
    {
      const lf_option_value *o = &f->options[i];
      const lf_opt *opt = lf_opt_find (o->name, strlen (o->name));
      const char *first = o->values.n ? o->values.v[0] : "";
      if (opt->type == LF_OPT_FLAG && strcmp (first, "true") != 0)
        {
          if (strcmp (first, "false") == 0)
            continue;
          (void) LF_FAIL (err, LF_EXIT_USAGE, o->name, "", "it is true or false");
          return option_error (k, o, err);
        }
      for (size_t v = 0; v < o->values.n; v++)
        if (lf_args_set (opt, o->values.v[v], out, err) < 0)
          return option_error (k, o, err);
    }
  out->quiet = !k->a->verbose;
  out->verbose = k->a->verbose;
  out->strict_runtime |= k->a->strict;
  if (k->a->region || !out->region)
    out->region = k->a->region ? k->a->region : k->check->region;
  if (!f->target)
    out->template_ = k->template_ ? k->template_ : k->check->template_;
  else if (!out->name)
    out->name = f->name;
  return 0;
}

static int
prepare (lf_checking *k, const lf_check_function *f, bool cold, lf_targets *t, lf_error *err)
{
  lf_args a;
  char *rest[2] = { f->target ? f->target : f->name, NULL };
  int rc = lf_check_args (k, f, &a, err);
  a.rest = rest;
  a.rest_n = 1;
  a.cold = cold;
  if (rc == 0)
    rc = lf_targets_prepare (&a, k->profile, true, t, err);
  lf_args_fini (&a);
  return rc;
}

/* A budget above what Lambda allows could never be broken, and so would never say anything. */
static int
check_budgets (const lf_checking *k, const lf_observed *o, lf_error *err)
{
  for (size_t i = 0; i < o->of->budgets_n; i++)
    {
      const lf_budget *b = &o->of->budgets[i];
      int64_t limit = lf_check_limit (b->measure, &o->f, k->profile);
      char what[200], shown[48];
      if (b->kind != LF_BUD_ABSOLUTE || limit == LF_NONE || b->value <= limit)
        continue;
      lf_check_place (k->check, b->line, b->column, what);
      lf_measure_show (b->measure, limit, shown);
      return LF_FAIL (err, LF_EXIT_USAGE, what, "give less, or raise the function's own setting", "%s: a budget of %s can never be broken: the limit of %s is %s",
                      o->name, b->text, lf_measure_get (b->measure)->id, shown);
    }
  return 0;
}

/* A function whose folder is the check file's: what the check itself keeps there is no part of the package. */
static void
leave_out_ours (const lf_checking *k, const lf_check_function *f, lf_function *to)
{
  const char *path = strrchr (k->check->path, '/');
  const char *const ours[] = { path ? path + 1 : k->check->path, LF_CHECK_BASELINE, LF_CHECK_LOG, LF_CHECK_LOG "-wal", LF_CHECK_LOG "-shm" };
  struct stat here, st;
  if (!f->target || stat (".", &here) < 0 || stat (f->target, &st) < 0 || here.st_ino != st.st_ino || here.st_dev != st.st_dev)
    return;
  for (size_t i = 0; i < LF_ARRAY_LEN (ours); i++)
    if (stat (ours[i], &st) == 0 && S_ISREG (st.st_mode) && to->package_bytes >= st.st_size)
      to->package_bytes -= st.st_size;
}

/* Folders in which a layer or a zip keeps its libraries: what is in them counts, not they. */
static bool
is_container (const char *name)
{
  static const char *const names[] = { "python", "nodejs", "node_modules", "lib", "lib64", "site-packages" };
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    if (strcmp (name, names[i]) == 0)
      return true;
  return lf_starts (name, "python3.");
}

static void
add_part (lf_observed *o, const char *name, int64_t bytes)
{
  size_t at = o->parts_n;
  if (at == LF_PARTS_MAX) /* the smallest makes room */
    {
      at = 0;
      for (size_t i = 1; i < LF_PARTS_MAX; i++)
        at = o->parts[i].bytes < o->parts[at].bytes ? i : at;
      if (o->parts[at].bytes >= bytes)
        return;
    }
  else
    o->parts_n++;
  snprintf (o->parts[at].name, sizeof o->parts[at].name, "%.79s", name);
  o->parts[at].bytes = bytes;
}

#define PART_MIN_BYTES 65536

static int
read_parts (lf_observed *o, const lf_prepared *prep, lf_error *err)
{
  lf_strv targets = { 0 };
  lf_space space = { 0 };
  bool wanted = false;
  for (size_t i = 0; i < o->of->budgets_n; i++)
    wanted |= o->of->budgets[i].kind >= LF_BUD_CHANGE && (o->of->budgets[i].measure == LF_LIM_PACKAGE || o->of->budgets[i].measure == LF_LIM_ZIP);
  int rc = wanted && lf_strv_add (&targets, prep->package.source) < 0 ? LF_FAIL_NOMEM (err) : 0;
  for (size_t i = 0; wanted && i < prep->f.layers.n && rc == 0; i++)
    rc = lf_strv_add (&targets, prep->f.layers.v[i]) < 0 ? LF_FAIL_NOMEM (err) : 0;
  if (wanted && rc == 0)
    rc = lf_space_measure (&targets, prep->f.arch, &space, err);
  bool *container = rc == 0 ? calloc (space.folders_n + 1, sizeof *container) : NULL;
  for (size_t i = 0; container && i < space.folders_n; i++)
    {
      const lf_space_folder *x = &space.folders[i];
      const char *slash = strrchr (x->path, '/'), *name = slash ? slash + 1 : x->path;
      bool inside = x->depth > 0 && container[x->parent];
      container[i] = x->depth == 0 || (inside && !x->is_file && is_container (name));
      if (inside && !container[i] && x->bytes >= PART_MIN_BYTES && !lf_starts (name, LF_CHECK_LOG))
        add_part (o, name, x->bytes);
    }
  free (container);
  lf_space_fini (&space);
  lf_strv_fini (&targets);
  return rc;
}

static int
set_function (lf_checking *k, lf_observed *o, const lf_prepared *prep, lf_error *err)
{
  if (o->have_f)
    return 0;
  if (lf_function_copy (&o->f, &prep->f, err) < 0)
    return -1;
  o->have_f = true;
  for (size_t i = 0; i < prep->notes.n; i++)
    if (lf_starts (prep->notes.v[i], "warning: ") && !k->a->verbose)
      fprintf (stderr, "lambdafit: %s: %s\n", o->name, prep->notes.v[i]);
  for (size_t i = 0; i < prep->near_n; i++)
    if (lf_observed_violation (o, &prep->near[i], -1) < 0)
      return LF_FAIL_NOMEM (err);
  return read_parts (o, prep, err) < 0 ? -1 : check_budgets (k, o, err);
}

/* What only the check knows goes to the log beside each invocation's row, for `check --from`. */
static int
write_checks (const lf_checking *k, const lf_observed *o, size_t from, lf_error *err)
{
  lf_store *s = from < o->samples_n ? lf_store_open (k->db, err) : NULL;
  int rc = s || from == o->samples_n ? 0 : -1;
  for (size_t i = from; i < o->samples_n && rc == 0; i++)
    {
      const lf_sample *x = &o->samples[i];
      lf_check_row r = { .request_id = x->request_id, .function = o->name, .event = o->events[x->event].name, .problem = x->expected == 0 ? x->problem : NULL,
                         .at_us = x->at_us, .round = x->round, .expected = x->expected < 0 ? LF_NONE : x->expected, .fds = x->value[LF_LIM_FDS],
                         .processes = x->value[LF_LIM_PROCESSES], .loop_wall_ns = x->loop_wall_ns, .loop_cpu_ns = x->loop_cpu_ns,
                         .loop_memory_ns = x->loop_memory_ns };
      rc = lf_store_check (s, &r, err);
    }
  if (s && rc == 0)
    rc = lf_store_commit (s, err);
  lf_store_close (s);
  return rc;
}

static int
one_round (lf_checking *k, lf_plan *p, lf_error *err)
{
  size_t from = p->o->samples_n;
  const lf_check_function *f = p->o->of;
  lf_targets t = { 0 };
  int rc = prepare (k, f, p->cold > 0, &t, err);
  if (rc < 0)
    lf_targets_refused_log (&t, k->profile, k->db, "check");
  if (rc == 0)
    leave_out_ours (k, f, &t.fns[0].f);
  if (rc == 0)
    rc = set_function (k, p->o, &t.fns[0], err);
  lf_oneshot_options o = { .live = { .profile = k->profile, .functions = t.fns, .functions_n = 1, .db = k->db, .command = "check", .quiet = !k->a->verbose,
                                     .concurrency = LF_NONE },
                           .parallel = f->concurrency, .next = on_next, .each = on_each, .user = p };
  p->at = p->batch = 0;
  if (rc == 0)
    {
      lf_error log = { 0 };
      rc = lf_oneshot (&o, &k->signum, err);
      if (write_checks (k, p->o, from, &log) < 0 && rc == 0)
        {
          *err = log;
          rc = -1;
        }
    }
  lf_targets_fini (&t);
  return rc == 0 && p->nomem ? LF_FAIL_NOMEM (err) : rc;
}

/* Is there a timing that another round could clear up? */
static int
doubtful (lf_checking *k, const lf_observed *o, bool *yes)
{
  lf_results r = { 0 };
  int rc = lf_check_judge (o, k->baseline, k->a->update, &r);
  *yes = false;
  for (size_t i = 0; i < r.n; i++)
    *yes |= r.v[i].doubtful;
  lf_results_fini (&r);
  return rc;
}

static int
measure (lf_checking *k, lf_plan *p, lf_error *err)
{
  bool again = true;
  for (p->round = 0; p->round < ROUNDS_MAX && again && !k->signum; p->round++)
    {
      if (p->round > 0 && !k->a->quiet)
        fprintf (stderr, "lambdafit: %s: a timing is over its budget: measured again (%d of %d)\n", p->o->name, p->round + 1, ROUNDS_MAX);
      if (one_round (k, p, err) < 0)
        return -1;
      if (doubtful (k, p->o, &again) < 0)
        return LF_FAIL_NOMEM (err);
      again = again && !p->o->stopped[0];
    }
  return 0;
}

/* Which of a function's events this shard has: the file's events are dealt out in turn. */
static int64_t
deal (const lf_checking *k, size_t index, lf_plan *p)
{
  size_t before = 0;
  int64_t n = 0;
  for (size_t i = 0; i < index; i++)
    before += k->observed[i].events_n;
  for (size_t e = 0; e < p->o->events_n; e++)
    {
      p->mine[e] = (int) ((before + e) % (size_t) k->shards) == k->shard - 1;
      n += p->mine[e];
    }
  return n;
}

int
lf_check_function_run (lf_checking *k, size_t index, lf_error *err)
{
  lf_observed *o = &k->observed[index];
  const lf_check_function *f = o->of;
  lf_plan p = { .k = k, .o = o, .cold = f->cold, .warm = f->warm };
  p.mine = calloc (o->events_n, sizeof *p.mine);
  p.given_up = calloc (o->events_n, sizeof *p.given_up);
  p.failures = calloc (o->events_n, sizeof *p.failures);
  int rc = 0;
  if (!p.mine || !p.given_up || !p.failures)
    rc = LF_FAIL_NOMEM (err);
  else if (deal (k, index, &p) > 0)
    {
      o->part = k->shards > 1;
      o->planned = planned (&p);
      if (!k->a->quiet)
        fprintf (stderr, "lambdafit: %s: %lld invocations of %zu event%s\n", o->name, (long long) o->planned, o->events_n, o->events_n == 1 ? "" : "s");
      rc = measure (k, &p, err);
    }
  free (p.mine);
  free (p.given_up);
  free (p.failures);
  return rc;
}
