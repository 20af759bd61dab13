/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator's parts: functions of its own, texts, histograms, and traces good and bad.
 */
#include "simulate_world.h"

static void
own_functions_are_right (void **state)
{
  (void) state;
  for (int i = -600; i <= 600; i++)
    {
      double x = pow (1.07, i), y = i * 0.37;
      assert_true (fabs (lf_sim_log (x) - log (x)) <= 4e-16 * (1 + fabs (log (x))));
      assert_true (fabs (lf_sim_exp (y) - exp (y)) <= 3e-14 * exp (y));
      assert_true (fabs (lf_sim_cos_turn (y) - cos (2 * M_PI * y)) < 1e-12);
    }
}

/* The layers of the ziggurat: equal areas, the last one closing the density at 1, and the tail in the first. */
static void
layers_have_equal_areas (void **state)
{
  (void) state;
  static const struct { double x, y; } layer[] = {
#define LF_LAYER(x, y) { x, y },
#include "../../src/simulate/layers.def"
#undef LF_LAYER
  };
  assert_int_equal (LF_ARRAY_LEN (layer), 257);
  double r = layer[1].x, area = (r + 1) * exp (-r);
  assert_true (fabs (layer[0].x * exp (-r) - area) < 1e-15 && layer[256].x == 0 && layer[256].y == 1);
  for (size_t i = 1; i < 256; i++)
    {
      assert_true (fabs (layer[i].y - exp (-layer[i].x)) < 1e-15);
      assert_true (fabs (layer[i].x * (layer[i + 1].y - layer[i].y) - area) < 1e-13);
    }
}

/* The whole shape of the exponential, the tail too: how many draws lie above each of some bounds. */
static void
exponentials_have_their_shape (void **state)
{
  (void) state;
  static const double above[] = { 0.001, 0.05, 0.2, 0.7, 1, 2, 4, 7, 7.7, 9, 11 };
  int64_t n = 6000000, seen[LF_ARRAY_LEN (above)] = { 0 };
  lf_rng rng;
  lf_rng_seed (&rng, 11, 1);
  for (int64_t i = 0; i < n; i++)
    {
      double x = lf_rng_exp (&rng);
      for (size_t k = 0; k < LF_ARRAY_LEN (above) && x > above[k]; k++)
        seen[k]++;
    }
  for (size_t k = 0; k < LF_ARRAY_LEN (above); k++)
    {
      double p = exp (-above[k]), expected = p * (double) n, deviation = sqrt (expected * (1 - p));
      assert_true (fabs ((double) seen[k] - expected) < 3.5 * deviation);
    }
}

static void
draws_have_their_moments (void **state)
{
  (void) state;
  static const struct { const char *text; double mean, deviation; } laws[]
      = { { "exp:2s", 2e6, 2e6 }, { "uniform:1s,3s", 2e6, 577350.27 }, { "fixed:150ms", 150000, 0 },
          { "lognormal:1s,0.5", 1133148.45, 603901.07 } }; /* exp (1/8), and that times sqrt (exp (1/4) - 1) */
  for (size_t i = 0; i < LF_ARRAY_LEN (laws); i++)
    {
      lf_dist d;
      lf_error err = { 0 };
      lf_rng rng;
      double sum = 0, square = 0;
      int n = 1000000;
      assert_int_equal (lf_dist_parse ("--warm", laws[i].text, &d, &err), 0);
      assert_true (fabs (lf_dist_mean_us (&d) - laws[i].mean) < 1);
      lf_rng_seed (&rng, 1, i);
      for (int k = 0; k < n; k++)
        {
          double v = (double) lf_dist_draw (&d, &rng);
          sum += v;
          square += v * v;
        }
      double mean = sum / n, deviation = sqrt (fmax (square / n - mean * mean, 0));
      assert_true (fabs (mean - laws[i].mean) <= 4 * laws[i].deviation / 1000 + 0.5);
      assert_true (fabs (deviation - laws[i].deviation) <= 0.01 * laws[i].deviation + 1);
    }
}

static void
bad_texts_are_refused (void **state)
{
  (void) state;
  static const char *const dists[] = { "", "fixed", "fixed:", "fixed:-1s", "fixed:nan", "fixed:inf", "fixed:1x", "exp:0s", "exp:1e400s", "lognormal:1s",
                                       "lognormal:1s,-1", "lognormal:1s,nan", "lognormal:0s,1", "uniform:2s,1s", "uniform:1s,2s,3s", "uniform:1s", "gamma:1s",
                                       "empirical:", "fixed:0x10", "fixed:1001d", "exp:99999999999999999999999999999999999999999999999s", "fixed:1s extra" };
  static const char *const arrivals[] = { "", "poisson", "poisson:", "poisson:0/s", "poisson:-1/s", "poisson:1", "poisson:nan/s", "poisson:inf/s", "poisson:1/s,2",
                                          "constant:1/x", "burst:0@0s", "burst:1.5@0s", "burst:-1@0s", "burst:10@", "burst:10@1s/0s", "burst:1000000001@0s",
                                          "diurnal:1/s,2", "weekly:1/s,0.5,1.5", "csv:", "poisson:1/s+", "poisson:2000000000/s", "azure2019:" };
  for (size_t i = 0; i < LF_ARRAY_LEN (dists); i++)
    {
      lf_dist d;
      lf_error err = { 0 };
      assert_int_equal (lf_dist_parse ("--warm", dists[i], &d, &err), -1);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      assert_true (*err.why && *err.fix);
    }
  for (size_t i = 0; i < LF_ARRAY_LEN (arrivals); i++)
    {
      lf_arrivals_spec a;
      lf_error err = { 0 };
      assert_int_equal (lf_arrivals_parse ("--arrivals", arrivals[i], &a, &err), -1);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
    }
}

static void
empirical_values_are_read (void **state)
{
  (void) state;
  lf_dist d;
  lf_error err = { 0 };
  assert_int_equal (lf_dist_parse ("--warm", "empirical:f", &d, &err), 0);
  static const char good[] = "duration_s\n# measured\n1.5\n 200ms \r\n3\n\n0.25,\n";
  assert_int_equal (lf_dist_values ("--warm", good, strlen (good), &d, &err), 0);
  assert_int_equal (d.n, 4);
  assert_int_equal (d.values[0], 1500000);
  assert_int_equal (d.values[1], 200000);
  assert_int_equal (d.values[3], 250000);
  lf_dist_fini (&d);
  static const char *const bad[] = { "", "# nothing\n", "1\n-2\n", "1\nnan\n", "1\n2\nx\n", "-1\n" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      err = (lf_error){ 0 };
      assert_int_equal (lf_dist_values ("--warm", bad[i], strlen (bad[i]), &d, &err), -1);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
    }
}

static int
by_value (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
  return x < y ? -1 : x > y;
}

static void
percentiles_are_close (void **state)
{
  (void) state;
  enum { N = 20001 };
  static int64_t v[N];
  lf_hist h;
  lf_rng rng;
  lf_rng_seed (&rng, 3, 3);
  assert_int_equal (lf_hist_init (&h), 0);
  for (int i = 0; i < N; i++)
    {
      v[i] = (int64_t) (1e5 * lf_rng_exp (&rng) * lf_rng_exp (&rng));
      lf_hist_add (&h, v[i]);
    }
  qsort (v, N, sizeof *v, by_value);
  for (int p = 1; p <= 100; p++)
    {
      double exact = (double) lf_percentile (v, N, p), got = lf_hist_percentile (&h, p);
      assert_true (fabs (got - exact) <= exact / 256 + 1);
    }
  lf_hist_fini (&h);
  assert_int_equal (lf_hist_init (&h), 0);
  lf_hist_add (&h, INT64_C (1) << 46);
  lf_hist_add (&h, 0);
  assert_true (lf_hist_percentile (&h, 50) == 0 && lf_hist_percentile (&h, 51) == 0x1p46);
  lf_hist_fini (&h);
}

/* ---- traces ------------------------------------------------------------------------------------------------------------------------ */

static void
run_trace (world *w, const char *arrivals, const char *text, size_t piece, lf_sim_result *r)
{
  world_set (w, arrivals, NULL, NULL, NULL, 300, NULL);
  world_trace (w, text);
  w->piece = piece;
  w->work.law.warm = NULL;
  if (world_run (w, 1, r) != 0)
    fail_msg ("%s: %s", w->err.what, w->err.why);
}

static void
csv_is_read (void **state)
{
  (void) state;
  static const struct { const char *text; int64_t requests, functions; double mean; } good[]
      = { { "0,1\n0.5,2\n1.25,3\n", 3, 1, 2e6 },
          { "arrival_s,duration_ms,function\n0,100,a\n1,300,b\r\n2,200,a", 3, 2, 200000 },
          { "function,arrival,duration\nf,250ms,1s\nf,1s,250ms\n", 2, 1, 625000 },
          { "# recorded\n0,1\n\n0,1\n0,1\n", 3, 1, 1e6 },
          { "1700000000.5,1\n1700000001,1\n", 2, 1, 1e6 } };
  for (size_t piece = 0; piece < 3; piece++)
    for (size_t i = 0; i < LF_ARRAY_LEN (good); i++)
      {
        world w;
        lf_sim_result r;
        run_trace (&w, "csv:f", good[i].text, piece, &r);
        assert_int_equal (r.total.requests, good[i].requests);
        assert_int_equal (r.total.functions, good[i].functions);
        assert_true (lf_hist_mean (&r.latency) == good[i].mean);
        assert_true (r.length_us < 10000000);
        lf_sim_result_fini (&r);
        world_fini (&w);
      }
}

static void
azure2019_is_read (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  static const char text[] = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,2,0,1\no,a,g,timer,0,5,0\no,b,h,queue,0,0,0\n";
  world_set (&w, "azure2019:f", "fixed:1s", NULL, NULL, 300, NULL);
  world_trace (&w, text);
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.requests, 8);
  assert_int_equal (r.total.functions, 2);
  assert_int_equal (r.length_us, 180000000); /* whole minutes, whatever is in them */
  lf_sim_result_fini (&r);
  w.work.only = "g";
  assert_int_equal (world_run (&w, 1, &r), 0);
  assert_int_equal (r.total.requests, 5);
  lf_sim_result_fini (&r);
  world_fini (&w);
}

typedef struct order { int64_t at[64], took[64]; size_t n; } order;

static int
note_order (const lf_sim_row *row, void *user, lf_error *err)
{
  order *o = user;
  (void) err;
  o->at[row->number - 1] = row->arrived;
  o->took[row->number - 1] = row->inv->duration_us;
  o->n++;
  return 0;
}

/* In order of ends, of beginnings, and of neither: the same requests at the same times. */
static void
azure2021_is_put_in_order (void **state)
{
  (void) state;
  static const char *const files[] = {
    "app,func,end_timestamp,duration\na,f,1.0,0.5\na,g,2.0,1.9\na,f,3.0,0.25\na,f,9.0,8.5\na,g,9.5,0.5\n",
    "app,func,end_timestamp,duration\na,g,2.0,1.9\na,f,1.0,0.5\na,f,9.0,8.5\na,f,3.0,0.25\na,g,9.5,0.5\n",
    "app,func,end_timestamp,duration\na,g,9.5,0.5\na,f,9.0,8.5\na,f,1.0,0.5\na,f,3.0,0.25\na,g,2.0,1.9\n",
  };
  static const int64_t at[] = { 100000, 500000, 500000, 2750000, 9000000 }, took[] = { 1900000, 500000, 8500000, 250000, 500000 };
  for (size_t i = 0; i < LF_ARRAY_LEN (files); i++)
    {
      world w;
      lf_sim_result r;
      order o = { 0 };
      world_set (&w, "azure2021:f", NULL, NULL, NULL, 300, NULL);
      world_trace (&w, files[i]);
      w.options.row = note_order;
      w.options.user = &o;
      assert_int_equal (world_run (&w, 1, &r), 0);
      assert_int_equal (o.n, 5);
      assert_int_equal (r.total.functions, 2);
      for (size_t k = 0; k < 5; k++)
        {
          assert_int_equal (o.at[k], at[k]);
          assert_true (o.took[k] == took[k] || ((k == 1 || k == 2) && i == 2)); /* two come at once: either first */
        }
      lf_sim_result_fini (&r);
      world_fini (&w);
    }
}

static void
bad_traces_name_their_line (void **state)
{
  (void) state;
  static const struct { const char *arrivals, *text, *says; } bad[]
      = { { "csv:f", "0,1\n2,1\n1,1\n", "line 3: arrives before" },
          { "csv:f", "0,1\n1,-1\n", "line 2: \"-1\" is not a duration" },
          { "csv:f", "0,1\nnan,1\n", "line 2: \"nan" },
          { "csv:f", "0,1\ninf,1\n", "line 2" },
          { "csv:f", "-3,1\n", "line 1" },
          { "csv:f", "when,what\n1,2\n", "heading" },
          { "csv:f", "function,arrival\nf\n", "line 2: has no arrival" },
          { "csv:f", "0\n1\n", "does not say how long" },
          { "azure2019:f", "", "heading" },
          { "azure2019:f", "a,b\n", "line 1: is not the heading" },
          { "azure2019:f", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,1\n", "line 2: has 1 counts" },
          { "azure2019:f", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,1,-2\n", "line 2" },
          { "azure2019:f", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,1,1.5\n", "line 2" },
          { "azure2019:f", "HashOwner,HashApp,HashFunction,Trigger\n", "columns" },
          { "azure2021:f", "app,func,end_timestamp,duration\na,f,1.0\n", "line 2: has fewer than four" },
          { "azure2021:f", "app,func,end_timestamp,duration\na,f,1.0,-1\n", "line 2" },
          { "azure2021:f", "app,func,end_timestamp,duration\na,f,x,1\n", "line 2: \"x\" is not a time" },
          { "azure2021:f", "app,func,end_timestamp,duration\na,f,0,12.9\na,f,3111111111.0,0.25\naa,f,3.0,0.25\n", "more than 1000 days after" },
          { "csv:f", "0,1\n86400001,1\n", "more than 1000 days after" } };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      world w;
      lf_sim_result r;
      world_set (&w, bad[i].arrivals, NULL, NULL, NULL, 300, NULL);
      world_trace (&w, bad[i].text);
      assert_int_equal (world_run (&w, 1, &r), -1);
      assert_int_equal (w.err.exit, LF_EXIT_USAGE);
      if (!strstr (w.err.why, bad[i].says))
        fail_msg ("\"%s\" does not say \"%s\"", w.err.why, bad[i].says);
      lf_sim_result_fini (&r);
      world_fini (&w);
    }
}

static void
a_long_line_is_refused (void **state)
{
  (void) state;
  world w;
  lf_sim_result r;
  char *text = malloc (10001);
  assert_non_null (text);
  memset (text, '1', 10000);
  text[10000] = 0;
  world_set (&w, "csv:f", NULL, NULL, NULL, 300, NULL);
  world_trace (&w, text);
  assert_int_equal (world_run (&w, 1, &r), -1);
  assert_non_null (strstr (w.err.why, "longer than"));
  lf_sim_result_fini (&r);
  world_fini (&w);
  free (text);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (own_functions_are_right),
    cmocka_unit_test (layers_have_equal_areas),
    cmocka_unit_test (exponentials_have_their_shape),
    cmocka_unit_test (draws_have_their_moments),
    cmocka_unit_test (bad_texts_are_refused),
    cmocka_unit_test (empirical_values_are_read),
    cmocka_unit_test (percentiles_are_close),
    cmocka_unit_test (csv_is_read),
    cmocka_unit_test (azure2019_is_read),
    cmocka_unit_test (azure2021_is_put_in_order),
    cmocka_unit_test (bad_traces_name_their_line),
    cmocka_unit_test (a_long_line_is_refused),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
