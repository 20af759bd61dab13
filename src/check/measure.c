/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of measures, and values as JSON and people have them.
 */
#include <stdio.h>
#include <string.h>

#include "inside.h"

static const lf_measure measures[] = {
#define MEASURE(id, kind, of_function, cold_only, doc, cause, fix) { id, LF_KIND_##kind, of_function, cold_only, doc, cause, fix },
#include "measures.def"
};
_Static_assert (LF_ARRAY_LEN (measures) == LF_CHK_COUNT, "one line for each limit and each extra measure");

const lf_measure *
lf_measure_get (int m)
{
  return &measures[m];
}

int
lf_measure_find (const char *id)
{
  for (int m = 0; m < LF_CHK_COUNT; m++)
    if (strcmp (measures[m].id, id) == 0)
      return m;
  return -1;
}

const char *
lf_measure_unit (int m)
{
  switch (measures[m].kind)
    {
    case LF_KIND_TIME:
      return "ms";
    case LF_KIND_BYTES:
      return "bytes";
    case LF_KIND_MONEY:
      return "USD";
    case LF_KIND_COUNT:
      break;
    }
  return lf_limit_get ((lf_limit) m)->unit;
}

double
lf_measure_json (int m, int64_t v)
{
  switch (measures[m].kind)
    {
    case LF_KIND_TIME:
      return (double) v / 1e3;
    case LF_KIND_MONEY:
      return (double) v / 1e12;
    default:
      return (double) v;
    }
}

static void
show_bytes (int64_t v, char out[48])
{
  int64_t size = v < 0 ? -v : v;
  if (size >= 1024 * LF_MB)
    snprintf (out, 48, "%.2f GB", (double) v / (1024.0 * (double) LF_MB));
  else if (size >= LF_MB)
    snprintf (out, 48, "%.1f MB", (double) v / (double) LF_MB);
  else if (size >= 10240)
    snprintf (out, 48, "%.1f KB", (double) v / 1024);
  else
    snprintf (out, 48, "%lld B", (long long) v);
}

void
lf_measure_show (int m, int64_t v, char out[48])
{
  if (v == LF_NONE)
    {
      snprintf (out, 48, "-");
      return;
    }
  switch (measures[m].kind)
    {
    case LF_KIND_TIME:
      if (v >= 10000000)
        snprintf (out, 48, "%.2f s", (double) v / 1e6);
      else
        snprintf (out, 48, "%.*f ms", v < 100000 ? 2 : 0, (double) v / 1e3);
      return;
    case LF_KIND_BYTES:
      show_bytes (v, out);
      return;
    case LF_KIND_MONEY:
      {
        char text[64];
        lf_money_show ((lf_money) v * 1000000000000, "USD", text);
        snprintf (out, 48, "%.47s", text);
        return;
      }
    case LF_KIND_COUNT:
      snprintf (out, 48, "%lld %s", (long long) v, lf_measure_unit (m));
      return;
    }
}

static const char *const stats[LF_STAT_COUNT] = { "max", "mean", "p50", "p95", "p99" };

const char *
lf_stat_name (lf_stat s)
{
  return stats[s];
}

static const char *const words[] = { "pass", "not_measured", "worse", "broken" };

const char *
lf_result_name (lf_result_word w)
{
  return words[w];
}
