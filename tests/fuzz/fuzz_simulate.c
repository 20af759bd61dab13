/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a trace, an empirical distribution or the text of an option. The first byte says as what, and in pieces of which size the trace
 * is read. Whatever comes, the run ends, and its requests come in order.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lambdafit/simulate.h"

#define REQUESTS_MAX 2000
#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

typedef struct input { const uint8_t *p; size_t n, at, piece; } input;

static int64_t
read_input (void *user, void *p, size_t n, lf_error *err)
{
  input *in = user;
  size_t left = in->n - in->at;
  (void) err;
  n = n < left ? n : left;
  n = n < in->piece ? n : in->piece;
  memcpy (p, in->p + in->at, n);
  in->at += n;
  return (int64_t) n;
}

static int
rewind_input (void *user, lf_error *err)
{
  (void) err;
  ((input *) user)->at = 0;
  return 0;
}

static void
trace (lf_arr_kind kind, input *in)
{
  static lf_profile *p;
  lf_error err = { 0 };
  if (!p)
    p = lf_profile_load (NULL, &err);
  CHECK (p);
  lf_function fn;
  lf_function_init (&fn);
  CHECK (lf_function_defaults (&fn, p, &err) == 0);
  lf_bytes bytes = { in, read_input, rewind_input };
  lf_arrivals_spec a = { .n = 1 };
  a.v[0] = (lf_source_spec){ .kind = kind, .file = "trace" };
  lf_dist warm = { .kind = LF_DIST_EXP, .a = 200000, .scale = 1 };
  lf_workload w = { .fn = &fn, .arrivals = &a, .bytes = &bytes, .law = { .warm = kind == LF_ARR_AZURE2019 ? &warm : NULL } };
  lf_sim_options o = { .profile = p, .work = &w, .work_n = 1, .for_us = LF_NONE, .concurrency = LF_NONE, .seed = 1, .requests_max = REQUESTS_MAX };
  lf_sim_result r;
  int rc = lf_simulate (&o, &r, &err);
  CHECK (rc == 0 ? r.total.requests <= REQUESTS_MAX && r.total.requests == r.total.served + r.total.throttled : err.exit != LF_EXIT_OK && *err.why);
  lf_sim_result_fini (&r);
  lf_function_fini (&fn);
}

static void
texts (const char *text, size_t n)
{
  lf_error err = { 0 };
  lf_dist d = { .scale = 1, .file = "values" };
  lf_arrivals_spec a;
  lf_rng rng;
  lf_rng_seed (&rng, 1, 1);
  if (lf_dist_values ("--warm", text, n, &d, &err) == 0)
    {
      CHECK (lf_dist_draw (&d, &rng) >= 0);
      lf_dist_fini (&d);
    }
  if (lf_dist_parse ("--warm", text, &d, &err) == 0 && d.kind != LF_DIST_EMPIRICAL)
    CHECK (lf_dist_draw (&d, &rng) >= 0);
  if (lf_arrivals_parse ("--arrivals", text, &a, &err) == 0)
    CHECK (a.n > 0 && lf_arrivals_expected (&a, 1000000) >= 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  input in = { data + 1, size - 1, 0, (data[0] >> 2) ? (size_t) (data[0] >> 2) : SIZE_MAX };
  switch (data[0] & 3)
    {
    case 0:
      trace (LF_ARR_CSV, &in);
      break;
    case 1:
      trace (LF_ARR_AZURE2019, &in);
      break;
    case 2:
      trace (LF_ARR_AZURE2021, &in);
      break;
    default:
      {
        char *text = malloc (size);
        CHECK (text);
        memcpy (text, data + 1, size - 1);
        text[size - 1] = 0;
        texts (text, size - 1);
        free (text);
      }
    }
  return 0;
}
