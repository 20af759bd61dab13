/* SPDX-License-Identifier: Apache-2.0
 *
 * Budgets as people write them: "80%", "+20%", "8 s", "512 MB", "0.40 USD", "100". 1 MB is 1,048,576 bytes, as on Lambda.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

typedef struct unit { const char *name; lf_kind kind; double factor; } unit;
static const unit units[] = {
  { "us", LF_KIND_TIME, 1 },        { "ms", LF_KIND_TIME, 1e3 },          { "s", LF_KIND_TIME, 1e6 },          { "min", LF_KIND_TIME, 60e6 },
  { "B", LF_KIND_BYTES, 1 },        { "bytes", LF_KIND_BYTES, 1 },        { "KB", LF_KIND_BYTES, 1024 },       { "MB", LF_KIND_BYTES, 1048576 },
  { "GB", LF_KIND_BYTES, 1073741824.0 }, { "KiB", LF_KIND_BYTES, 1024 },  { "MiB", LF_KIND_BYTES, 1048576 },   { "GiB", LF_KIND_BYTES, 1073741824.0 },
  { "USD", LF_KIND_MONEY, 1e12 },
};
static const char *const wanted[] = { "a time such as 800 ms or 8 s", "a size such as 512 MB or 40 KB", "a number", "an amount such as 0.40 USD" };

/* Digits with at most one point; where it ends. */
static bool
read_number (const char *s, const char **end, double *out)
{
  size_t digits = strspn (s, "0123456789");
  size_t point = s[digits] == '.' ? 1 + strspn (s + digits + 1, "0123456789") : 0;
  if (digits == 0 || point == 1 || digits + point > 18)
    return false;
  *end = s + digits + point;
  *out = strtod (s, NULL);
  return true;
}

/* The factor of a unit for a kind; 0: no such unit of it. */
static double
factor_of (const char *name, lf_kind kind)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (units); i++)
    if (units[i].kind == kind && strcmp (units[i].name, name) == 0)
      return units[i].factor;
  return 0;
}

static int
percent (int m, double v, bool change, lf_budget *out, char why[300])
{
  const char *id = lf_measure_get (m)->id;
  if (!change && m >= LF_LIM_COUNT)
    {
      snprintf (why, 300, "%s is no limit of Lambda's, so there is nothing that %g%% could be a part of; give %s, or a change such as +%g%%", id, v,
                wanted[lf_measure_get (m)->kind], v);
      return -1;
    }
  if (v > 100000 || (!change && v > 100))
    {
      snprintf (why, 300, change ? "a change of %g%% of %s is no budget" : "%g%% of Lambda's limit of %s can never be reached: Lambda ends it at 100%%", v, id);
      return -1;
    }
  if (!change && v == 0 && m != LF_LIM_LAYERS)
    {
      snprintf (why, 300, "%g%% of %s is less than anything: no function can hold to it", v, id);
      return -1;
    }
  out->kind = change ? LF_BUD_CHANGE : LF_BUD_PERCENT;
  out->value = llround (v * 1e4);
  return 0;
}

int
lf_budget_parse (int m, const char *text, lf_budget *out, char why[300])
{
  const lf_measure *info = lf_measure_get (m);
  bool change = *text == '+';
  const char *end;
  double v;
  out->measure = m;
  snprintf (out->text, sizeof out->text, "%.39s", text);
  if (!read_number (text + change, &end, &v))
    {
      snprintf (why, 300, "\"%.40s\" is no budget of %s: give %s%s, or a change against the baseline such as +20%%", text, info->id, wanted[info->kind],
                m < LF_LIM_COUNT ? ", a part of Lambda's limit such as 80%" : "");
      return -1;
    }
  end += strspn (end, " ");
  if (strcmp (end, "%") == 0)
    return percent (m, v, change, out, why);
  double factor = *end ? factor_of (end, info->kind) : info->kind == LF_KIND_COUNT || v == 0 ? 1 : 0;
  if (factor == 0 && info->kind == LF_KIND_COUNT && m < LF_LIM_COUNT && strcmp (end, lf_limit_get ((lf_limit) m)->unit) == 0)
    factor = 1;
  if (factor == 0)
    {
      snprintf (why, 300, *end ? "\"%.40s\" has a unit that %s is not measured in: give %s" : "\"%.40s\" has no unit; %s is %s", text, info->id, wanted[info->kind]);
      return -1;
    }
  if (!(v * factor < 9e18))
    {
      snprintf (why, 300, "\"%.40s\" is more than %s can ever be", text, info->id);
      return -1;
    }
  out->kind = change ? LF_BUD_MORE : LF_BUD_ABSOLUTE;
  out->value = llround (v * factor);
  return 0;
}

int
lf_bytes_parse (const char *text, int64_t *out)
{
  const char *end;
  double v;
  if (!read_number (text, &end, &v))
    return -1;
  end += strspn (end, " ");
  double factor = *end ? factor_of (end, LF_KIND_BYTES) : 1;
  if (factor == 0 || v * factor > 1e12)
    return -1;
  *out = llround (v * factor);
  return 0;
}
