/* SPDX-License-Identifier: Apache-2.0
 *
 * Randomness and the few functions of it, the same on every machine. The C library's log and exp differ in the last bit between
 * libraries and processors; these are sums and products in a fixed order and do not.
 */
#include <string.h>

#include "inside.h"

#define LN2_HIGH 6.93147180369123816490e-01 /* the first 33 bits of ln 2, so that whole multiples of it are exact */
#define LN2_LOW 1.90821492927058770002e-10

static uint64_t
bits_of (double x)
{
  uint64_t u;
  memcpy (&u, &x, sizeof u);
  return u;
}

static double
double_of (uint64_t u)
{
  double x;
  memcpy (&x, &u, sizeof x);
  return x;
}

/* ln m = 2 artanh ((m - 1) / (m + 1)), with m between sqrt (1/2) and sqrt 2. x must be a normal number above 0. */
double
lf_sim_log (double x)
{
  uint64_t u = bits_of (x);
  int e = (int) (u >> 52) - 1023;
  double m = double_of ((u & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.4142135623730951)
    {
      m *= 0.5;
      e++;
    }
  double s = (m - 1) / (m + 1), z = s * s;
  double z2 = z * z, z4 = z2 * z2, z8 = z4 * z4;
  double p01 = 1.0 / 3 + z * (1.0 / 5), p23 = 1.0 / 7 + z * (1.0 / 9), p45 = 1.0 / 11 + z * (1.0 / 13), p67 = 1.0 / 15 + z * (1.0 / 17);
  double p89 = 1.0 / 19 + z * (1.0 / 21);
  double p = (p01 + z2 * p23) + z4 * (p45 + z2 * p67) + z8 * p89; /* in pairs, so that the processor can take several at once */
  double low = 2 * s * z * p + e * LN2_LOW;
  return 2 * s + low + e * LN2_HIGH;
}

double
lf_sim_exp (double x)
{
  if (x > 700)
    x = 700;
  if (x < -700)
    return 0;
  double k = (double) (int) (x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
  double r = x - k * LN2_HIGH - k * LN2_LOW, p = 1;
  static const double part[] = { 1, 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 5, 1.0 / 6, 1.0 / 7, 1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13 };
  for (size_t i = LF_ARRAY_LEN (part); i-- > 0;)
    p = 1 + p * r * part[i];
  return p * double_of ((uint64_t) (1023 + (int) k) << 52);
}

double
lf_sim_cos_turn (double turn)
{
  turn -= (double) (int64_t) turn;
  if (turn < 0)
    turn += 1;
  if (turn > 0.5)
    turn = 1 - turn;
  bool mirrored = turn > 0.25;
  double x = 6.283185307179586 * (mirrored ? 0.5 - turn : turn), z = x * x, p = 1;
  for (int i = 20; i > 0; i -= 2)
    p = 1 - p * z / (i * (i - 1));
  return mirrored ? -p : p;
}

/* ---- xoshiro256++, seeded through splitmix64 ----------------------------------------------------------------------------------- */

static uint64_t
splitmix (uint64_t *x)
{
  uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void
lf_rng_seed (lf_rng *r, uint64_t seed, uint64_t stream)
{
  uint64_t a = seed, b = stream ^ 0x5851f42d4c957f2dULL;
  uint64_t x = splitmix (&a) ^ (splitmix (&b) << 1 | 1);
  for (int i = 0; i < 4; i++)
    r->s[i] = splitmix (&x) ^ splitmix (&b);
  r->s[0] |= r->s[1] == 0; /* all zeros is the one state that never leaves itself */
}

static inline uint64_t
rotl (uint64_t x, int k)
{
  return x << k | x >> (64 - k);
}

uint64_t
lf_rng_u64 (lf_rng *r)
{
  uint64_t *s = r->s, result = rotl (s[0] + s[3], 23) + s[0], t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl (s[3], 45);
  return result;
}

double
lf_rng_unit (lf_rng *r)
{
  return (double) (lf_rng_u64 (r) >> 11) * 0x1p-53;
}

#define LAYERS 256
static const double layer_x[LAYERS + 1] = {
#define LF_LAYER(x, y) x,
#include "layers.def"
#undef LF_LAYER
};
static const double layer_y[LAYERS + 1] = {
#define LF_LAYER(x, y) y,
#include "layers.def"
#undef LF_LAYER
};

double
lf_rng_exp (lf_rng *r)
{
  for (;;)
    {
      uint64_t u = lf_rng_u64 (r);
      size_t i = u % LAYERS;
      double x = (double) (u >> 11) * 0x1p-53 * layer_x[i];
      if (x < layer_x[i + 1])
        return x; /* 98.9 % of the time */
      if (i == 0)
        return layer_x[1] - lf_sim_log ((double) ((lf_rng_u64 (r) >> 11) + 1) * 0x1p-53);
      if (layer_y[i] + lf_rng_unit (r) * (layer_y[i + 1] - layer_y[i]) < lf_sim_exp (-x))
        return x;
    }
}

double
lf_rng_normal (lf_rng *r)
{
  for (;;)
    {
      double x = 2 * lf_rng_unit (r) - 1, y = 2 * lf_rng_unit (r) - 1, s = x * x + y * y;
      if (s > 0 && s < 1)
        return x * lf_sim_sqrt (-2 * lf_sim_log (s) / s);
    }
}
