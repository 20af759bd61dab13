/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate --log: the first run once more, every attempt of it as a row with source `simulated`, so that top, report and queries work on it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulate.h"

#define ROWS_MAX 1000000
#define COMMIT_EVERY 5000
#define MONDAY_US INT64_C (1793577600000000) /* 2026-11-02T00:00:00Z: weekly traffic begins on a Monday */

typedef struct writer
{
  const lf_scenario *s;
  lf_store *store;
  uint64_t seed;
  int64_t start_us, rows, written;
  char host[256], *enforcement;
  lf_enforcement none;
  lf_profile limits;             /* the profile, with the account's limit of this simulation */
} writer;

/* Ids come from the seed, so the same run writes the same rows. */
static void
request_id (const writer *w, const lf_sim_row *row, char out[64])
{
  uint8_t bytes[16];
  lf_rng r;
  int64_t attempt = row->async ? 1 : row->attempt;
  lf_rng_seed (&r, w->seed, row->number * 128 + (uint64_t) attempt);
  uint64_t a = lf_rng_u64 (&r), b = lf_rng_u64 (&r);
  memcpy (bytes, &a, 8);
  memcpy (bytes + 8, &b, 8);
  lf_uuid4_from (bytes, out);
  if (row->async && row->attempt > 1)
    snprintf (out + 36, 24, "/%d", row->attempt);
}

static void
env_name (const writer *w, uint64_t serial, char out[64])
{
  snprintf (out, 64, "simulated-%llu-%llu", (unsigned long long) w->seed, (unsigned long long) serial);
}

static int
commit_now_and_then (writer *w, lf_error *err)
{
  return ++w->written % COMMIT_EVERY == 0 ? lf_store_commit (w->store, err) : 0;
}

static void
fill (const writer *w, const lf_sim_row *row, const char *id, const char *env, lf_record *r)
{
  const lf_inv *inv = row->inv;
  const lf_function *f = &w->s->item[row->workload].fn;
  static const char *const errors[LF_ST_COUNT] = { [LF_ST_FUNCTION_ERROR] = "Simulated", [LF_ST_TIMEOUT] = "Sandbox.Timedout",
                                                   [LF_ST_INIT_TIMEOUT] = "Sandbox.Timedout", [LF_ST_THROTTLED] = "TooManyRequestsException" };
  lf_record_init (r);
  r->request_id = id;
  r->function = row->function;
  r->host = w->host;
  r->source = LF_SRC_SIMULATED;
  r->received_us = w->start_us + inv->received;
  r->status = inv->status;
  r->error_type = errors[inv->status];
  r->error_message = inv->throttle_reason;
  r->memory_mb = f->memory_mb;
  r->tmp_mb = f->tmp_mb;
  r->arch = f->arch;
  r->region = f->region;
  r->profile = w->s->profile->name;
  r->async = row->async;
  r->cold = env ? inv->cold : -1;
  if (!env)
    return;
  r->environment = env;
  r->wait_us = inv->wait_us;
  r->init_us = inv->init_us;
  r->duration_us = inv->duration_us;
  r->billed_ms = row->billed_ms;
}

static int
nothing (const lf_record *r, int64_t rowid, void *user)
{
  (void) r;
  (void) rowid;
  (void) user;
  return 0;
}

static int
write_row (const lf_sim_row *row, void *user, lf_error *err)
{
  writer *w = user;
  char id[64], env[64];
  lf_record r;
  lf_violation v[LF_VIOLATIONS_MAX];
  if (w->rows == ROWS_MAX)
    return 0;
  request_id (w, row, id);
  env_name (w, row->environment, env);
  fill (w, row, id, row->environment ? env : NULL, &r);
  w->rows++;
  if (lf_store_invocation (w->store, &r, err) != 0)
    return -1;
  size_t n = lf_violations (&w->s->item[row->workload].fn, &w->limits, &w->none, &r, v);
  for (size_t i = 0; i < n; i++)
    if (lf_store_violation (w->store, &v[i], err) != 0)
      return -1;
  return commit_now_and_then (w, err);
}

/* The same simulation again would be an error of the database in the middle of it. */
static int
not_there_yet (const writer *w, lf_error *err)
{
  char id[64];
  const lf_sim_row first = { .number = 1, .attempt = 1 };
  lf_log_filter f = { .request_id = id, .since_us = LF_NONE, .until_us = LF_NONE, .limit = 1 };
  int64_t last = 0;
  request_id (w, &first, id);
  if (lf_store_invocations (w->store, &f, nothing, NULL, &last, err) != 0)
    return -1;
  return last == 0 ? 0
                   : LF_FAIL (err, LF_EXIT_USAGE, "--log", "give another file or another --seed", "%s has a simulation with this seed already", lf_store_path (w->store));
}

static int
write_env (const lf_env *e, size_t workload, lf_time_us ended, lf_env_end why, void *user, lf_error *err)
{
  writer *w = user;
  char id[64];
  if (w->rows >= ROWS_MAX)
    return 0;
  env_name (w, e->serial, id);
  const lf_function *f = lf_fleet_fn_config (e->fn);
  (void) workload;
  if (ended != LF_NONE)
    return lf_store_env_end (w->store, id, w->start_us + ended, lf_env_end_name (why), err);
  return lf_store_env_begin (w->store, id, f->name, w->start_us + e->created, f->network == LF_NET_NONE ? "none" : "host", w->enforcement, err);
}

static int
enough (void *user, lf_time_us now, int64_t requests)
{
  (void) now;
  (void) requests;
  return ((writer *) user)->rows >= ROWS_MAX;
}

static int
write_run (writer *w, lf_error *err)
{
  lf_sim_options o = w->s->options;
  lf_workload *work LF_CLEANUP (lf_freep) = malloc (w->s->n * sizeof *work);
  lf_sim_files *files LF_CLEANUP (lf_freep) = calloc (w->s->n, sizeof *files);
  lf_sim_result r = { 0 };
  size_t opened = 0;
  int failed = work && files ? 0 : LF_FAIL_NOMEM (err);
  if (!failed)
    memcpy (work, w->s->work, w->s->n * sizeof *work);
  for (; !failed && opened < w->s->n; opened++)
    {
      failed = lf_sim_files_open (&files[opened], work[opened].arrivals, err) != 0 || lf_store_function (w->store, work[opened].fn, w->start_us, err) != 0;
      work[opened].bytes = files[opened].bytes;
    }
  o.work = work;
  o.seed = w->seed;
  o.row = write_row;
  o.env = write_env;
  o.progress = enough;
  o.user = w;
  failed = failed || lf_simulate (&o, &r, err) != 0 || lf_store_commit (w->store, err) != 0;
  lf_sim_result_fini (&r);
  while (opened-- > 0)
    lf_sim_files_close (&files[opened]);
  return failed ? -1 : 0;
}

int
lf_sim_write_log (const lf_scenario *s, uint64_t seed, const char *file, const char *start, bool quiet, lf_error *err)
{
  writer w = { .s = s, .seed = seed, .start_us = MONDAY_US, .limits = *s->profile };
  if (s->options.concurrency != LF_NONE)
    w.limits.concurrency_account = s->options.concurrency;
  for (size_t i = 0; i < s->n; i++)
    for (size_t k = 0; k < s->item[i].arrivals.n; k++)
      if (strcmp (s->item[i].arrivals.v[k].file, "-") == 0)
        return LF_FAIL (err, LF_EXIT_USAGE, "--log", "save the trace in a file", "standard input can be read once");
  if (start && lf_args_since (start, &w.start_us, err) != 0)
    {
      snprintf (err->what, sizeof err->what, "--start");
      return -1;
    }
  if (gethostname (w.host, sizeof w.host - 1) != 0)
    w.host[0] = 0;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_enforcement_json (&w.none, &b) != 0)
    return LF_FAIL_NOMEM (err);
  w.enforcement = b.data;
  w.store = lf_store_open (file, err);
  if (!w.store)
    return -1;
  if (not_there_yet (&w, err) != 0)
    {
      lf_store_close (w.store);
      return -1;
    }
  int64_t run = lf_store_run_begin (w.store, "simulate", s->profile->name, s->item[0].fn.region, w.host, err);
  int failed = run < 0 || write_run (&w, err) != 0 || lf_store_run_end (w.store, run, err) != 0 || lf_store_commit (w.store, err) != 0;
  lf_store_close (w.store);
  if (!failed && !quiet)
    fprintf (stderr, "%lld rows are in %s%s\n", (long long) w.rows, file, w.rows == ROWS_MAX ? ", which is as many as are written" : "");
  return failed ? -1 : 0;
}
