/* SPDX-License-Identifier: Apache-2.0
 *
 * simulate --from: how long a function takes, out of a log. Cold and warm phases of what ended well, at every memory size it was run with;
 * for other sizes a model, and the sentence that says so.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

#define SAMPLES_MAX 1000000

typedef struct sample { int64_t memory_mb, duration_us, init_us /* LF_NONE: warm */, cpu_us; } sample;

/* The times for one memory size, ready to be drawn from. */
typedef struct prepared { int64_t memory_mb; lf_dist warm, init, first; char how[500]; } prepared;

struct lf_measured
{
  lf_function fn;
  char name[160];
  sample *v;
  size_t n, cap;
  bool out_of_memory;
  prepared **ready;
  size_t ready_n;
};

static int
keep (const lf_record *r, int64_t rowid, void *user)
{
  lf_measured *m = user;
  (void) rowid;
  if (r->source == LF_SRC_SIMULATED || r->status != LF_ST_OK || r->duration_us == LF_NONE || r->memory_mb == LF_NONE || r->cold < 0
      || (r->cold && r->init_us == LF_NONE))
    return 0;
  if (m->n == m->cap)
    {
      size_t cap = m->cap ? m->cap * 2 : 256;
      sample *v = realloc (m->v, cap * sizeof *v);
      if (!v)
        return m->out_of_memory = true;
      m->v = v;
      m->cap = cap;
    }
  m->v[m->n++] = (sample){ r->memory_mb, r->duration_us, r->cold ? r->init_us : LF_NONE, r->cpu_us };
  return 0;
}

lf_measured *
lf_measured_load (const char *db, const char *function, lf_error *err)
{
  lf_measured *m = calloc (1, sizeof *m);
  lf_store *s = m ? lf_store_open_read (db, err) : NULL;
  int found = 0;
  if (!m)
    LF_FAIL_NOMEM (err);
  else
    lf_function_init (&m->fn);
  if (s)
    {
      lf_log_filter f = { .function = function, .since_us = LF_NONE, .until_us = LF_NONE, .limit = SAMPLES_MAX };
      snprintf (m->name, sizeof m->name, "%s", function);
      found = lf_store_function_get (s, function, &m->fn, err);
      if (found >= 0 && lf_store_invocations (s, &f, keep, m, NULL, err) != 0)
        found = m->out_of_memory ? LF_FAIL_NOMEM (err) : -1;
      size_t warm = 0;
      for (size_t i = 0; i < m->n; i++)
        warm += m->v[i].init_us == LF_NONE;
      if (found >= 0 && warm == 0)
        found = LF_FAIL (err, LF_EXIT_USAGE, "--from", "lambdafit run TARGET -n 20 --name NAME measures some; lambdafit report lists the functions of a log",
                         "%s has no warm invocation of %.100s that ended well", lf_store_path (s), function);
    }
  lf_store_close (s);
  if (s && found >= 0)
    return m;
  lf_measured_free (m);
  return NULL;
}

void
lf_measured_free (lf_measured *m)
{
  if (!m)
    return;
  for (size_t i = 0; i < m->ready_n; i++)
    {
      lf_dist_fini (&m->ready[i]->warm);
      lf_dist_fini (&m->ready[i]->init);
      lf_dist_fini (&m->ready[i]->first);
      free (m->ready[i]);
    }
  free (m->ready);
  free (m->v);
  lf_function_fini (&m->fn);
  free (m);
}

const lf_function *
lf_measured_function (const lf_measured *m)
{
  return &m->fn;
}

/* The measured size that is nearest by ratio, among those with what is asked for. LF_NONE: none. */
static int64_t
nearest (const lf_measured *m, int64_t memory_mb, bool cold)
{
  int64_t best = LF_NONE;
  double least = 0;
  for (size_t i = 0; i < m->n; i++)
    {
      double ratio = (double) m->v[i].memory_mb / (double) memory_mb, distance = ratio > 1 ? ratio : 1 / ratio;
      if ((m->v[i].init_us != LF_NONE) == cold && (best == LF_NONE || distance < least))
        {
          best = m->v[i].memory_mb;
          least = distance;
        }
    }
  return best;
}

/* A handler at another size: what was CPU time is given out in the share of the new size, the rest stays. A sample without a measured
 * CPU time counts as nothing but CPU time. */
static int64_t
at_size (const sample *s, int64_t memory_mb, int64_t mb_per_vcpu)
{
  if (s->memory_mb == memory_mb)
    return s->duration_us;
  double share = (double) s->memory_mb / (double) mb_per_vcpu, wanted = (double) memory_mb / (double) mb_per_vcpu, wall = (double) s->duration_us;
  double threads = s->cpu_us != LF_NONE && (double) s->cpu_us > wall ? (double) s->cpu_us / wall : 1;
  double before = share < threads ? share : threads, now = wanted < threads ? wanted : threads;
  double cpu = s->cpu_us != LF_NONE ? (double) s->cpu_us : wall * before;
  double busy = cpu / before < wall ? cpu / before : wall;
  return llround (wall - busy + busy * before / now);
}

double
lf_measured_cpu_share (const lf_measured *m, const lf_profile *p, int64_t memory_mb, bool *measured)
{
  int64_t from = nearest (m, memory_mb, false);
  double busy = 0, wall = 0, share = (double) from / (double) p->mb_per_vcpu;
  *measured = true;
  for (size_t i = 0; i < m->n; i++)
    if (m->v[i].memory_mb == from && m->v[i].init_us == LF_NONE)
      {
        double cpu = (double) m->v[i].cpu_us / (share < 1 ? share : 1);
        *measured &= m->v[i].cpu_us != LF_NONE;
        busy += cpu < (double) m->v[i].duration_us ? cpu : (double) m->v[i].duration_us;
        wall += (double) m->v[i].duration_us;
      }
  return *measured && wall > 0 ? busy / wall : 1;
}

static size_t
fill (const lf_measured *m, int64_t from_mb, int64_t to_mb, int64_t mb_per_vcpu, bool cold, int64_t *handler, int64_t *init)
{
  size_t n = 0;
  for (size_t i = 0; i < m->n; i++)
    if (m->v[i].memory_mb == from_mb && (m->v[i].init_us != LF_NONE) == cold)
      {
        if (init)
          init[n] = m->v[i].init_us;
        handler[n++] = at_size (&m->v[i], to_mb, mb_per_vcpu);
      }
  return n;
}

static size_t
without_cpu (const lf_measured *m, int64_t memory_mb)
{
  size_t n = 0;
  for (size_t i = 0; i < m->n; i++)
    n += m->v[i].memory_mb == memory_mb && m->v[i].cpu_us == LF_NONE;
  return n;
}

static void
explain (const lf_measured *m, prepared *p, int64_t warm_mb, int64_t cold_mb, int64_t mb_per_vcpu)
{
  size_t used = (size_t) snprintf (p->how, sizeof p->how, "%s: %zu warm and %zu cold invocations of the log, resampled", m->name, p->warm.n, p->init.n);
  if (warm_mb == p->memory_mb && (cold_mb == p->memory_mb || p->init.n == 0))
    snprintf (p->how + used, sizeof p->how - used, "; measured at %lld MB", (long long) p->memory_mb);
  else
    snprintf (p->how + used, sizeof p->how - used,
              "; not measured at %lld MB but modelled from %lld MB: CPU time%s in shares of memory / %lld MB, at most as many CPUs as were used; "
              "other time and init stay", (long long) p->memory_mb, (long long) (warm_mb != p->memory_mb ? warm_mb : cold_mb),
              without_cpu (m, warm_mb) ? " (where it was not measured, the whole handler)" : "", (long long) mb_per_vcpu);
}

static prepared *
prepare (const lf_measured *m, const lf_profile *profile, int64_t memory_mb)
{
  int64_t warm_mb = nearest (m, memory_mb, false), cold_mb = nearest (m, memory_mb, true);
  prepared *p = calloc (1, sizeof *p);
  int64_t *warm = malloc ((m->n + 1) * sizeof *warm), *init = malloc ((m->n + 1) * sizeof *init), *first = malloc ((m->n + 1) * sizeof *first);
  if (!p || !warm || !init || !first)
    {
      free (p);
      free (warm);
      free (init);
      free (first);
      return NULL;
    }
  p->memory_mb = memory_mb;
  p->warm.scale = p->init.scale = p->first.scale = 1;
  lf_dist_empirical (&p->warm, warm, fill (m, warm_mb, memory_mb, profile->mb_per_vcpu, false, warm, NULL));
  size_t cold = cold_mb == LF_NONE ? 0 : fill (m, cold_mb, memory_mb, profile->mb_per_vcpu, true, first, init);
  lf_dist_empirical (&p->init, init, cold);
  lf_dist_empirical (&p->first, first, cold);
  explain (m, p, warm_mb, cold_mb, profile->mb_per_vcpu);
  return p;
}

int
lf_measured_at (lf_measured *m, const lf_profile *profile, int64_t memory_mb, lf_dist *warm, lf_dist *init, lf_dist *first, const char **how, lf_error *err)
{
  prepared *p = NULL;
  for (size_t i = 0; i < m->ready_n; i++)
    if (m->ready[i]->memory_mb == memory_mb)
      p = m->ready[i];
  if (!p)
    {
      prepared **ready = realloc (m->ready, (m->ready_n + 1) * sizeof (prepared *));
      if (ready)
        m->ready = ready;
      if (!ready || !(p = prepare (m, profile, memory_mb)))
        return LF_FAIL_NOMEM (err);
      m->ready[m->ready_n++] = p;
    }
  *warm = p->warm;
  *init = p->init;
  *first = p->first;
  warm->lent = init->lent = first->lent = true;
  *how = p->how;
  return 0;
}
