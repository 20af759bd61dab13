/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate_world.h"

static int64_t
read_text (void *user, void *p, size_t n, lf_error *err)
{
  world *w = user;
  size_t left = strlen (w->text) - w->at;
  (void) err;
  if (n > left)
    n = left;
  if (w->piece && n > w->piece)
    n = w->piece;
  memcpy (p, w->text + w->at, n);
  w->at += n;
  return (int64_t) n;
}

static int
rewind_text (void *user, lf_error *err)
{
  (void) err;
  ((world *) user)->at = 0;
  return 0;
}

void
world_set (world *w, const char *arrivals, const char *warm, const char *init, const char *cold, double keepalive_s, const char *for_)
{
  memset (w, 0, sizeof *w);
  w->profile = lf_profile_load (NULL, &w->err);
  assert_non_null (w->profile);
  lf_function_init (&w->fn);
  assert_int_equal (lf_function_defaults (&w->fn, w->profile, &w->err), 0);
  w->fn.timeout_ms = 900000;
  w->fn.keepalive_ms = keepalive_s < 0 ? LF_NONE : llround (keepalive_s * 1000);
  assert_int_equal (lf_arrivals_parse ("arrivals", arrivals, &w->arrivals, &w->err), 0);
  assert_true (!warm || lf_dist_parse ("warm", warm, &w->warm, &w->err) == 0);
  assert_true (!init || lf_dist_parse ("init", init, &w->init, &w->err) == 0);
  assert_true (!cold || lf_dist_parse ("cold", cold, &w->cold, &w->err) == 0);
  w->bytes = (lf_bytes){ w, read_text, rewind_text };
  w->work = (lf_workload){ .fn = &w->fn, .arrivals = &w->arrivals, .bytes = &w->bytes,
                           .law = { .warm = warm ? &w->warm : NULL, .init = init ? &w->init : NULL, .cold = cold ? &w->cold : NULL } };
  w->options = (lf_sim_options){ .profile = w->profile, .work = &w->work, .work_n = 1, .for_us = LF_NONE, .concurrency = LF_NONE, .requests_max = LF_NONE };
  if (for_)
    assert_int_equal (lf_duration_parse (for_, strlen (for_), &w->options.for_us), 0);
}

void
world_trace (world *w, const char *text)
{
  w->text = text;
  w->at = 0;
}

void
world_fini (world *w)
{
  lf_function_fini (&w->fn);
  lf_dist_fini (&w->warm);
  lf_profile_free (w->profile);
}

int
world_run (world *w, uint64_t seed, lf_sim_result *r)
{
  w->options.seed = seed;
  w->at = 0;
  return lf_simulate (&w->options, r, &w->err);
}

void
assert_within (world *w, size_t n, double (*f) (const lf_sim_result *), double expected, double k)
{
  double v[64];
  assert_true (n <= LF_ARRAY_LEN (v));
  for (size_t i = 0; i < n; i++)
    {
      lf_sim_result r;
      assert_int_equal (world_run (w, i + 1, &r), 0);
      v[i] = f (&r);
      lf_sim_result_fini (&r);
    }
  lf_estimate e = lf_estimate_of (v, n);
  if (!(fabs (e.mean - expected) <= k * e.half))
    fail_msg ("%.8g ± %.2g is not %.8g", e.mean, e.half, expected);
}

double
erlang_b (double load, int servers)
{
  double b = 1;
  for (int i = 1; i <= servers; i++)
    b = load * b / (i + load * b);
  return b;
}
