/* SPDX-License-Identifier: Apache-2.0
 *
 * From the options of simulate to a scenario.
 */
#include <stdlib.h>
#include <string.h>

#include "simulate.h"

#define EMPIRICAL_FILE_MAX ((size_t) 256 << 20)

int
lf_scenario_assume (lf_scenario *s, const char *fmt, ...)
{
  char text[600];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  for (size_t i = 0; i < s->assumptions.n; i++)
    if (strcmp (s->assumptions.v[i], text) == 0)
      return 0;
  return lf_strv_add (&s->assumptions, text);
}

void
lf_scenario_free (lf_scenario *s)
{
  if (!s)
    return;
  for (size_t i = 0; i < s->n; i++)
    lf_function_fini (&s->item[i].fn);
  free (s->item);
  free (s->work);
  lf_strv_fini (&s->assumptions);
  free (s);
}

/* ---- distributions --------------------------------------------------------------------------------------------------------- */

void
lf_sim_stock_fini (lf_sim_stock *s)
{
  for (size_t i = 0; i < s->n; i++)
    {
      lf_dist_fini (&s->dist[i]);
      free (s->text[i]);
    }
  free (s->dist);
  free (s->text);
  lf_measured_free (s->measured);
  *s = (lf_sim_stock){ 0 };
}

static int
read_dist (const char *what, const char *text, lf_dist *out, lf_error *err)
{
  if (lf_dist_parse (what, text, out, err) != 0)
    return -1;
  if (out->kind != LF_DIST_EMPIRICAL)
    return 0;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, EMPIRICAL_FILE_MAX);
  if (lf_read_file (out->file, EMPIRICAL_FILE_MAX, &b, err) != 0)
    return -1;
  return lf_dist_values (what, b.data ? b.data : "", b.len, out, err);
}

static int
dist (lf_sim_stock *s, const char *what, const char *text, lf_dist *out, lf_error *err)
{
  size_t i = 0;
  while (i < s->n && strcmp (s->text[i], text) != 0)
    i++;
  if (i == s->n)
    {
      lf_dist *d = realloc (s->dist, (i + 1) * sizeof *d);
      if (d)
        s->dist = d;
      char **t = realloc (s->text, (i + 1) * sizeof *t);
      if (t)
        s->text = t;
      char *copy = lf_strdup (text);
      if (!d || !t || !copy)
        {
          free (copy);
          return LF_FAIL_NOMEM (err);
        }
      if (read_dist (what, text, &s->dist[i], err) != 0)
        {
          free (copy);
          return -1;
        }
      s->text[i] = copy;
      s->n++;
    }
  *out = s->dist[i];
  out->lent = true;
  return 0;
}

int
lf_sim_share (const char *what, const char *text, double *out, lf_error *err)
{
  char *end;
  double v = strtod (text, &end);
  bool percent = *end == '%';
  if (end == text || end[percent] || !(v >= 0) || v > (percent ? 100 : 1))
    return LF_FAIL (err, LF_EXIT_USAGE, what, "give a share from 0 to 1, or a percentage: 0.01, 1%", "\"%.40s\" is not a share", text);
  *out = percent ? v / 100 : v;
  return 0;
}

/* How much longer a handler takes at one size than at another, when a part of it is CPU time of one thread. */
static int
scale_by_cpu (lf_scenario *s, lf_sim_item *it, const lf_args *a, int64_t base_mb, lf_error *err)
{
  double cpu = 1;
  if (a->cpu_share && lf_sim_share ("--cpu-share", a->cpu_share, &cpu, err) != 0)
    return -1;
  if (base_mb == it->fn.memory_mb || (!it->has_warm && !it->has_cold))
    return 0;
  double vcpu = (double) s->profile->mb_per_vcpu, before = (double) base_mb / vcpu, now = (double) it->fn.memory_mb / vcpu;
  double scale = 1 - cpu + cpu * (before < 1 ? before : 1) / (now < 1 ? now : 1);
  it->warm.scale = it->cold.scale = scale;
  return lf_scenario_assume (s, "durations hold at %lld MB and are modelled for other sizes: %.0f %% of a handler is CPU time of one thread "
                                "(--cpu-share), of which there is memory / %lld MB, at most one CPU; init does not change with memory",
                             (long long) base_mb, cpu * 100, (long long) s->profile->mb_per_vcpu);
}

static int
by_hand (lf_scenario *s, lf_sim_item *it, const lf_args *a, lf_sim_stock *stock, lf_error *err)
{
  if (a->init_dist && a->cold_dist)
    return LF_FAIL (err, LF_EXIT_USAGE, "--cold", "--init is added to a cold request's handler; --cold is all of a cold request", "given together with --init");
  if ((a->warm && dist (stock, "--warm", a->warm, &it->warm, err) != 0) || (a->init_dist && dist (stock, "--init", a->init_dist, &it->init, err) != 0)
      || (a->cold_dist && dist (stock, "--cold", a->cold_dist, &it->cold, err) != 0))
    return -1;
  it->has_warm |= a->warm != NULL;
  it->has_init |= a->init_dist != NULL;
  it->has_cold |= a->cold_dist != NULL;
  if (a->warm || a->init_dist || a->cold_dist)
    it->has_first = false;
  if (a->cold_dist)
    it->has_init = false;
  (void) s;
  return 0;
}

static int
measured (lf_scenario *s, lf_sim_item *it, const lf_args *a, lf_sim_stock *stock, lf_error *err)
{
  const char *how;
  if (lf_measured_at (stock->measured, s->profile, it->fn.memory_mb, &it->warm, &it->init, &it->first, &how, err) != 0)
    return -1;
  it->has_warm = true;
  it->has_init = it->has_first = it->init.n > 0;
  if (!it->has_init && !a->init_dist && !a->cold_dist)
    return LF_FAIL (err, LF_EXIT_USAGE, "--from", "lambdafit run TARGET --cold -n 20 measures some; or give --init DIST",
                    "the log has no cold start of %s that ended well", a->from);
  return lf_scenario_assume (s, "%s", how);
}

static bool
trace_has_durations (const lf_arrivals_spec *a)
{
  for (size_t i = 0; i < a->n; i++)
    if (a->v[i].kind != LF_ARR_AZURE2021 && a->v[i].kind != LF_ARR_CSV)
      return false;
  return true;
}

static int
laws (lf_scenario *s, size_t i, const lf_args *a, const lf_args *base, lf_sim_stock *stock, lf_error *err)
{
  lf_sim_item *it = &s->item[i];
  lf_law *law = &s->work[i].law;
  bool from = i == 0 && stock->measured;
  int64_t base_mb = base->memory == LF_NONE ? s->profile->memory_default_mb : base->memory;
  if ((from && measured (s, it, a, stock, err) != 0) || by_hand (s, it, a, stock, err) != 0)
    return -1;
  if (!from && i == 0 && scale_by_cpu (s, it, a, base_mb, err) != 0)
    return -1;
  if (!it->has_warm && !trace_has_durations (&it->arrivals))
    return LF_FAIL (err, LF_EXIT_USAGE, "--warm", "give --from FUNCTION for what the log has measured, or --warm DIST (" LF_DIST_FORMS ")",
                    "how long a warm request takes is not given");
  if (a->fail && lf_sim_share ("--fail", a->fail, &law->fail, err) != 0)
    return -1;
  law->warm = it->has_warm ? &it->warm : NULL;
  law->init = it->has_init ? &it->init : NULL;
  law->first = it->has_first ? &it->first : NULL;
  law->cold = it->has_cold ? &it->cold : NULL;
  law->paired = it->has_init && it->has_first;
  return 0;
}

/* ---- functions ------------------------------------------------------------------------------------------------------------- */

static int
in_range (const char *what, int64_t v, int64_t min, int64_t max, const char *unit, const lf_profile *p, lf_error *err)
{
  if (v >= min && v <= max)
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, what, "", "%lld is not from %lld to %lld %s, as %s has it", (long long) v, (long long) min, (long long) max, unit, p->name);
}

/* What the log says of the function, where no option says otherwise. */
static int
as_in_log (lf_function *f, const lf_function *log, const lf_args *a, lf_error *err)
{
  if (!a->runtime && log->runtime)
    {
      free (f->runtime);
      if (!(f->runtime = lf_strdup (log->runtime)))
        return LF_FAIL_NOMEM (err);
    }
  if (!a->arch)
    f->arch = log->arch;
  if (f->memory_mb == LF_NONE)
    f->memory_mb = log->memory_mb;
  if (f->timeout_ms == LF_NONE)
    f->timeout_ms = log->timeout_ms;
  if (f->tmp_mb == LF_NONE)
    f->tmp_mb = log->tmp_mb;
  if (f->keepalive_ms == LF_NONE)
    f->keepalive_ms = log->keepalive_ms;
  return 0;
}

static int
function (lf_scenario *s, size_t i, const lf_args *a, const char *name, const lf_function *log, lf_error *err)
{
  const lf_profile *p = s->profile;
  lf_function *f = &s->item[i].fn;
  if (lf_args_function (a, f, err) != 0)
    return -1;
  free (f->name);
  if (!(f->name = lf_strdup (name)))
    return LF_FAIL_NOMEM (err);
  if (log && as_in_log (f, log, a, err) != 0)
    return -1;
  if (!f->runtime && !(f->runtime = lf_strdup ("python3.12")))
    return LF_FAIL_NOMEM (err);
  if (lf_runtime_parse (f->runtime, &f->rt, err) != 0)
    return -1;
  if (f->timeout_ms == LF_NONE)
    f->timeout_ms = p->timeout_max_s * 1000;
  f->life_ms = a->life;
  if (lf_function_defaults (f, p, err) != 0)
    return -1;
  if (in_range ("--memory", f->memory_mb, p->memory_min_mb, p->memory_max_mb, "MB", p, err) != 0
      || in_range ("--timeout", f->timeout_ms / 1000, p->timeout_min_s, p->timeout_max_s, "s", p, err) != 0
      || in_range ("--tmp", f->tmp_mb, p->tmp_min_mb, p->tmp_max_mb, "MB", p, err) != 0)
    return -1;
  return 0;
}

static int
traffic (lf_scenario *s, size_t i, const lf_args *a, lf_error *err)
{
  if (!a->arrivals)
    return LF_FAIL (err, LF_EXIT_USAGE, "--arrivals", "forms: " LF_ARRIVALS_FORMS, "how requests come is not given");
  if (lf_arrivals_parse ("--arrivals", a->arrivals, &s->item[i].arrivals, err) != 0)
    return -1;
  lf_workload *w = &s->work[i];
  w->fn = &s->item[i].fn;
  w->arrivals = &s->item[i].arrivals;
  w->only = a->only;
  w->async = a->async;
  w->retries = a->retries == LF_NONE ? 0 : (int) a->retries;
  return 0;
}

static int
add_work (lf_scenario *s, const lf_args *a, const lf_args *base, const char *name, lf_sim_stock *stock, lf_error *err)
{
  size_t i = s->n++;
  const lf_function *log = i == 0 && stock->measured ? lf_measured_function (stock->measured) : NULL;
  return function (s, i, a, name, log, err) != 0 || traffic (s, i, a, err) != 0 || laws (s, i, a, base, stock, err) != 0 ? -1 : 0;
}

/* ---- functions beside it: "NAME option=value option=value" --------------------------------------------------------------------- */

#define WITH_FIX "write it as --with \"NAME arrivals=poisson:5/s warm=exp:100ms memory=512\", with options of simulate that are a function's"
#define WITH_OPTIONS \
  "arrivals warm simulate.init simulate.cold only fail async retries async-retries async-max-age memory simulate.timeout tmp keepalive life concurrency " \
  "simulate.runtime arch"

static int
with_option (lf_args *a, char *word, lf_error *err)
{
  static const lf_command own = { .name = "simulate", .options = WITH_OPTIONS };
  char *eq = strchr (word, '=');
  const lf_opt *o = lf_command_option (&own, word, eq ? (size_t) (eq - word) : strlen (word));
  if (!o || (!eq && o->type != LF_OPT_FLAG) || (eq && o->type == LF_OPT_FLAG))
    return LF_FAIL (err, LF_EXIT_USAGE, "--with", WITH_FIX, "\"%.80s\" is not an option with its value", word);
  return lf_args_set (o, eq ? eq + 1 : NULL, a, err);
}

/* The text is cut at its blanks; *a borrows the pieces. */
static int
with_args (const lf_args *base, char *text, lf_args *a, const char **name, lf_error *err)
{
  *a = *base;
  a->arrivals = a->warm = a->init_dist = a->cold_dist = a->fail = a->only = a->runtime = a->from = NULL;
  a->async = false;
  a->reserved = a->life = a->retries = a->timeout = LF_NONE;
  *name = NULL;
  char *save = NULL;
  for (char *word = strtok_r (text, " ", &save); word; word = strtok_r (NULL, " ", &save))
    if (!*name)
      *name = word;
    else if (with_option (a, word, err) != 0)
      return -1;
  return *name && !strchr (*name, '=') ? 0 : LF_FAIL (err, LF_EXIT_USAGE, "--with", WITH_FIX, "begins without the function's name");
}

static int
add_beside (lf_scenario *s, const lf_args *base, lf_sim_stock *stock, lf_error *err)
{
  for (size_t i = 0; i < base->with.n; i++)
    {
      lf_args a;
      const char *name;
      char *text LF_CLEANUP (lf_freep) = lf_strdup (base->with.v[i]);
      if (!text)
        return LF_FAIL_NOMEM (err);
      if (with_args (base, text, &a, &name, err) != 0 || add_work (s, &a, &a, name, stock, err) != 0)
        return -1;
    }
  return 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------- */

static int
pick_of (const char *text, lf_pick *out, lf_error *err)
{
  static const char *const words[] = { [LF_PICK_MRU] = "mru", [LF_PICK_NEWEST] = "newest", [LF_PICK_LRU] = "lru" };
  for (size_t i = 0; i < LF_ARRAY_LEN (words); i++)
    if (!text || strcmp (text, words[i]) == 0)
      {
        *out = (lf_pick) i;
        return 0;
      }
  return LF_FAIL (err, LF_EXIT_USAGE, "--pick", "give mru, newest or lru", "\"%.40s\" is no way to choose an environment", text);
}

int
lf_sim_on_off (const char *what, const char *text, bool otherwise, bool *out, lf_error *err)
{
  if (text && strcmp (text, "on") != 0 && strcmp (text, "off") != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, what, "give on or off", "\"%.40s\" is neither", text);
  *out = text ? strcmp (text, "on") == 0 : otherwise;
  return 0;
}

static int
length (lf_scenario *s, const char *text, lf_error *err)
{
  bool formula = false;
  for (size_t i = 0; i < s->n; i++)
    for (size_t k = 0; k < s->item[i].arrivals.n; k++)
      formula |= !lf_source_is_trace (&s->item[i].arrivals.v[k]);
  s->options.for_us = LF_NONE;
  if (!text && !formula)
    return 0;
  if (!text)
    text = "1d";
  if (lf_duration_parse (text, strlen (text), &s->options.for_us) != 0 || s->options.for_us == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "--for", "give a time above 0: 90s, 10m, 24h, 30d; at most 1000d", "\"%.40s\" is not a time", text);
  return 0;
}

/* CreateFunction and PutFunctionConcurrency leave an account its minimum; here only the sum can be wrong. */
static int
reservations (const lf_scenario *s, lf_error *err)
{
  int64_t sum = 0, limit = s->options.concurrency == LF_NONE ? s->profile->concurrency_account : s->options.concurrency;
  for (size_t i = 0; i < s->n; i++)
    if (s->item[i].fn.reserved != LF_NONE)
      sum += s->item[i].fn.reserved;
  return sum <= limit ? 0
                      : LF_FAIL (err, LF_EXIT_USAGE, "--concurrency", "reserve less, or raise --limit", "%lld is reserved of an account's %lld", (long long) sum,
                                 (long long) limit);
}

static int
settings (lf_scenario *s, const lf_args *a, lf_error *err)
{
  lf_sim_options *o = &s->options;
  o->profile = s->profile;
  o->work = s->work;
  o->work_n = s->n;
  o->concurrency = a->limit;
  o->requests_max = LF_NONE;
  return pick_of (a->pick, &o->pick, err) != 0 || lf_sim_on_off ("--rate-limit", a->rate_limit, false, &o->rate_limit, err) != 0
                 || lf_sim_on_off ("--scaling", a->scaling, true, &o->scaling_limit, err) != 0 || length (s, a->for_, err) != 0 || reservations (s, err) != 0
             ? -1
             : 0;
}

/* What holds of every simulation and is not plain from its options. */
static int
standing_assumptions (lf_scenario *s)
{
  const lf_profile *p = s->profile;
  const lf_sim_options *o = &s->options;
  int64_t keep = s->item[0].fn.keepalive_ms != LF_NONE ? s->item[0].fn.keepalive_ms : p->keepalive_ms;
  int bad = lf_scenario_assume (s, "an idle environment is kept for exactly %.6g s (AWS publishes no number) and ends sooner for no other reason%s", (double) keep / 1000,
                                s->item[0].fn.life_ms == LF_NONE ? "" : " than its age (--life)");
  bad |= lf_scenario_assume (s, "a month is 30 days of this traffic, at list prices without the free tier");
  if (!o->rate_limit)
    bad |= lf_scenario_assume (s, "the request rate is not limited (Lambda: %lld a second for each unit of concurrency); --rate-limit on", (long long) p->requests_per_concurrency);
  if (!o->scaling_limit)
    bad |= lf_scenario_assume (s, "the rate at which environments start is not limited");
  if (s->item[0].has_cold)
    bad |= lf_scenario_assume (s, "a cold request's whole response counts as duration: how much of it is init is not known");
  return bad;
}

lf_scenario *
lf_scenario_new (const lf_args *a, const lf_args *base, lf_sim_stock *stock, lf_error *err)
{
  lf_scenario *s = calloc (1, sizeof *s);
  size_t n = 1 + a->with.n;
  if (s && n <= LF_SIM_WORK_MAX)
    {
      s->item = calloc (n, sizeof *s->item);
      s->work = calloc (n, sizeof *s->work);
    }
  if (n > LF_SIM_WORK_MAX)
    (void) LF_FAIL (err, LF_EXIT_USAGE, "--with", "", "more than %d functions; a trace may have more", LF_SIM_WORK_MAX);
  else if (!s || !s->item || !s->work)
    (void) LF_FAIL_NOMEM (err);
  else
    {
      s->profile = stock->profile;
      const char *name = a->name ? a->name : a->from ? a->from : "function";
      if (add_work (s, a, base, name, stock, err) == 0 && add_beside (s, a, stock, err) == 0 && settings (s, a, err) == 0)
        {
          if (standing_assumptions (s) == 0)
            return s;
          (void) LF_FAIL_NOMEM (err);
        }
    }
  lf_scenario_free (s);
  return NULL;
}
