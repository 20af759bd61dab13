/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "lambdafit/base.h"

/* Quotient rounded down, for times before 1970. */
static int64_t
floor_div (int64_t a, int64_t b)
{
  int64_t q = a / b;
  return a % b < 0 ? q - 1 : q;
}

/* gmtime_r would do, but it consults the time zone database (a file) on its first call, and this room is pure. */
lf_utc
lf_utc_from (int64_t wall_us)
{
  int64_t ms = floor_div (wall_us, 1000), seconds = floor_div (ms, 1000), days = floor_div (seconds, 86400);
  int64_t of_day = seconds - days * 86400;

  /* Count from 0000-03-01: leap days then fall at the end of a year and of each 400-year era. */
  int64_t z = days + 719468, era = floor_div (z, 146097), doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  int64_t month = mp < 10 ? mp + 3 : mp - 9;
  lf_utc u = {
    .year = (int) (yoe + era * 400 + (month <= 2)),
    .month = (int) month,
    .day = (int) (doy - (153 * mp + 2) / 5 + 1),
    .hour = (int) (of_day / 3600),
    .minute = (int) (of_day / 60 % 60),
    .second = (int) (of_day % 60),
    .ms = (int) (ms - seconds * 1000),
    .weekday = (int) ((days % 7 + 11) % 7), /* 1970-01-01 was a Thursday; Sunday is 0 */
  };
  return u;
}

void
lf_iso8601_ms (int64_t wall_us, char out[32])
{
  lf_utc u = lf_utc_from (wall_us);
  snprintf (out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", u.year, u.month, u.day, u.hour, u.minute, u.second, u.ms);
}
