/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lambdafit/base.h"

__extension__ typedef unsigned __int128 u128;

#define SCALE_MAX 18
#define MONEY_MAX ((lf_money) (((u128) 1 << 127) - 1))

/* ---- rates ------------------------------------------------------------------------------------------------------------------ */

static int64_t
pow10_i64 (int n)
{
  int64_t p = 1;
  while (n-- > 0)
    p *= 10;
  return p;
}

/* Exponent at s ("e-05"), 0 when there is none. */
static int
parse_exponent (const char *s, int *exponent)
{
  *exponent = 0;
  if (*s == '\0')
    return 0;
  if (*s != 'e' && *s != 'E')
    return -1;
  s++;
  bool negative = *s == '-';
  if (*s == '-' || *s == '+')
    s++;
  int64_t v;
  if (*s < '0' || *s > '9' || lf_parse_i64 (s, 0, 1000, &v) < 0)
    return -1;
  *exponent = (int) (negative ? -v : v);
  return 0;
}

int
lf_decimal_parse (const char *s, lf_decimal *out)
{
  int64_t m = 0;
  int scale = 0, zeros = 0, digits = 0, exponent;
  bool point = false;
  if (!s)
    return -1;
  for (; (*s >= '0' && *s <= '9') || *s == '.'; s++)
    {
      if (*s == '.')
        {
          if (point || digits == 0)
            return -1;
          point = true;
          digits = 0;
          continue;
        }
      if (digits++ >= 64)
        return -1;
      /* Trailing zeros carry no value: they are held back until another digit follows, so "0.50000000000000000000" fits. */
      if (*s == '0' && point)
        {
          zeros++;
          continue;
        }
      for (; zeros > 0; zeros--, scale++)
        if (__builtin_mul_overflow (m, 10, &m))
          return -1;
      if (__builtin_mul_overflow (m, 10, &m) || __builtin_add_overflow (m, *s - '0', &m))
        return -1;
      scale += point;
    }
  if (digits == 0 || parse_exponent (s, &exponent) < 0)
    return -1;
  scale -= exponent;
  for (; scale > 0 && m % 10 == 0; scale--)
    m /= 10; /* "50e-2": the shortest form is the only one, so equal rates are equal structs */
  if (m == 0)
    scale = 0;
  for (; scale < 0; scale++)
    if (__builtin_mul_overflow (m, 10, &m))
      return -1;
  if (scale > SCALE_MAX)
    return -1;
  *out = (lf_decimal){ m, scale };
  return 0;
}

int
lf_decimal_cmp (lf_decimal a, lf_decimal b)
{
  lf_money x = (lf_money) a.mantissa * pow10_i64 (b.scale), y = (lf_money) b.mantissa * pow10_i64 (a.scale);
  return x < y ? -1 : x > y;
}

void
lf_decimal_format (lf_decimal d, char out[40])
{
  while (d.scale > 0 && d.mantissa % 10 == 0)
    {
      d.mantissa /= 10;
      d.scale--;
    }
  if (d.scale == 0)
    snprintf (out, 40, "%lld", (long long) d.mantissa);
  else
    {
      int64_t p = pow10_i64 (d.scale);
      snprintf (out, 40, "%lld.%0*lld", (long long) (d.mantissa / p), d.scale, (long long) (d.mantissa % p));
    }
}

/* ---- amounts ----------------------------------------------------------------------------------------------------------------- */

/* Products of a rate, two factors and a power of ten need up to 270 bits before the division brings them back. */
#define LIMBS 5
typedef struct wide
{
  uint64_t limb[LIMBS]; /* least first */
} wide;

static void
wide_mul (wide *w, uint64_t f)
{
  uint64_t carry = 0;
  for (int i = 0; i < LIMBS; i++)
    {
      u128 p = (u128) w->limb[i] * f + carry;
      w->limb[i] = (uint64_t) p;
      carry = (uint64_t) (p >> 64);
    }
}

/* Divides in place, returns the remainder. */
static uint64_t
wide_div (wide *w, uint64_t d)
{
  uint64_t rem = 0;
  for (int i = LIMBS - 1; i >= 0; i--)
    {
      u128 part = (u128) rem << 64 | w->limb[i];
      w->limb[i] = (uint64_t) (part / d);
      rem = (uint64_t) (part % d);
    }
  return rem;
}

static uint64_t
magnitude (int64_t v)
{
  return v < 0 ? 0 - (uint64_t) v : (uint64_t) v;
}

lf_money
lf_money_mul2 (lf_decimal d, int64_t a, int64_t b, int64_t div)
{
  assert (div > 0 && d.scale >= 0 && d.scale <= SCALE_MAX);
  bool negative = ((d.mantissa < 0) != (a < 0)) != (b < 0);
  wide w = { { magnitude (d.mantissa) } };
  wide_mul (&w, magnitude (a));
  wide_mul (&w, magnitude (b));
  wide_mul (&w, (uint64_t) pow10_i64 (LF_MONEY_SCALE - SCALE_MAX));
  wide_mul (&w, (uint64_t) pow10_i64 (SCALE_MAX - d.scale));
  uint64_t rem = wide_div (&w, (uint64_t) div);
  u128 v = (u128) w.limb[1] << 64 | w.limb[0];
  if (w.limb[4] || w.limb[3] || w.limb[2] || v >= (u128) MONEY_MAX)
    v = (u128) MONEY_MAX; /* more than 1.7e14 of a currency: the largest amount stands for it */
  else if (rem >= (uint64_t) div - rem)
    v++;
  return negative ? -(lf_money) v : (lf_money) v;
}

lf_money
lf_money_mul (lf_decimal d, int64_t n, int64_t div)
{
  return lf_money_mul2 (d, n, 1, div);
}

static u128
pow10_u128 (int n)
{
  u128 p = 1;
  while (n-- > 0)
    p *= 10;
  return p;
}

static u128
money_abs (lf_money m)
{
  return m < 0 ? (u128) 0 - (u128) m : (u128) m;
}

void
lf_money_format (lf_money m, int digits, char out[64])
{
  digits = digits < 0 ? 0 : digits > LF_MONEY_SCALE ? LF_MONEY_SCALE : digits;
  u128 unit = pow10_u128 (LF_MONEY_SCALE - digits), v = money_abs (m);
  u128 q = v / unit, rem = v % unit;
  q += rem >= unit - rem;

  char text[48];
  char *p = text + sizeof text;
  *--p = '\0';
  bool negative = m < 0 && q != 0;
  for (int i = 0; i <= digits || q != 0; i++)
    {
      if (i == digits && digits > 0)
        *--p = '.';
      *--p = (char) ('0' + (int) (q % 10));
      q /= 10;
    }
  snprintf (out, 64, "%s%s", negative ? "-" : "", p);
}

void
lf_money_show (lf_money m, const char *currency, char out[64])
{
  u128 v = money_abs (m);
  /* Decimals that leave two significant digits: one more than the place of the first digit, never less than two. */
  int digits = 2;
  for (u128 unit = pow10_u128 (LF_MONEY_SCALE - 1); v != 0 && v < unit && digits < LF_MONEY_SCALE; unit /= 10)
    digits++;
  char text[64];
  lf_money_format (m, digits, text);
  char *point = strchr (text, '.');
  size_t n = strlen (text);
  while (point && text + n > point + 3 && text[n - 1] == '0')
    text[--n] = '\0';
  bool negative = text[0] == '-';
  const char *symbol = !currency || !*currency || strcmp (currency, "USD") == 0 ? "$" : currency;
  const char *gap = symbol[0] >= 'A' && symbol[0] <= 'Z' ? " " : "";
  snprintf (out, 64, "%s%.8s%s%s", negative ? "-" : "", symbol, gap, text + negative);
}

double
lf_money_double (lf_money m)
{
  return (double) m / 1e24;
}
