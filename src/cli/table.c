/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns for people, and quantities as people read them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

void
lf_table_init (lf_table *t, int columns, const char *align)
{
  memset (t, 0, sizeof *t);
  t->columns = columns;
  t->align = align;
}

void
lf_table_fini (lf_table *t)
{
  lf_strv_fini (&t->cells);
}

void
lf_table_add (lf_table *t, const char *fmt, ...)
{
  char text[512];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  lf_strv_add (&t->cells, text);
}

/* Characters, not bytes: names may hold UTF-8. */
static int
width (const char *s)
{
  int n = 0;
  for (; *s; s++)
    n += ((unsigned char) *s & 0xc0) != 0x80;
  return n;
}

void
lf_table_print (const lf_table *t, FILE *f, const char *indent)
{
  size_t rows = t->cells.n / (size_t) t->columns;
  int widths[16] = { 0 };
  for (size_t i = 0; i < rows * (size_t) t->columns; i++)
    {
      int w = width (t->cells.v[i]);
      int c = (int) (i % (size_t) t->columns);
      if (w > widths[c])
        widths[c] = w;
    }
  for (size_t r = 0; r < rows; r++)
    {
      fputs (indent, f);
      for (int c = 0; c < t->columns; c++)
        {
          const char *cell = t->cells.v[r * (size_t) t->columns + (size_t) c];
          int pad = widths[c] - width (cell);
          if (t->align[c] == 'r')
            fprintf (f, "%*s%s", pad, "", cell);
          else
            fprintf (f, "%s%*s", cell, c + 1 < t->columns ? pad : 0, "");
          fputs (c + 1 < t->columns ? "  " : "\n", f);
        }
    }
}

void
lf_show_us (int64_t us, char out[32])
{
  if (us == LF_NONE)
    snprintf (out, 32, "-");
  else if (us < 10 * 1000 * 1000)
    snprintf (out, 32, "%.2f ms", (double) us / 1e3);
  else
    snprintf (out, 32, "%.2f s", (double) us / 1e6);
}

void
lf_show_quantity (int64_t v, const char *unit, char out[40])
{
  if (v == LF_NONE)
    snprintf (out, 40, "-");
  else if (strcmp (unit, "bytes") == 0 && (v >= LF_MB || v <= -LF_MB))
    snprintf (out, 40, "%.1f MB", (double) v / (double) LF_MB);
  else if (strcmp (unit, "us") == 0)
    lf_show_us (v, out);
  else
    snprintf (out, 40, "%lld%s%s", (long long) v, strcmp (unit, "count") == 0 ? "" : " ", strcmp (unit, "count") == 0 ? "" : unit);
}

bool
lf_color (FILE *f)
{
  const char *no = getenv ("NO_COLOR");
  const char *term = getenv ("TERM");
  return (!no || !no[0]) && isatty (fileno (f)) && term && strcmp (term, "dumb") != 0;
}
