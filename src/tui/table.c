/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables: rows with a drawn and an exported form, filtered, sorted, fitted into a width.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lambdafit/tui.h"

void
lf_tab_init (lf_grid_table *t, const lf_column *columns, int n)
{
  *t = (lf_grid_table){ .columns = columns, .columns_n = n };
}

void
lf_tab_fini (lf_grid_table *t)
{
  for (size_t i = 0; i < t->rows_n * (size_t) t->columns_n; i++)
    {
      free (t->values[i].show);
      free (t->values[i].raw);
      free (t->values[i].chart);
    }
  free (t->values);
  free (t->ids);
  free (t->order);
  *t = (lf_grid_table){ 0 };
}

static int
grow (lf_grid_table *t)
{
  size_t cap = t->cap > 0 ? t->cap * 2 : 32;
  lf_value *values = realloc (t->values, cap * (size_t) t->columns_n * sizeof *values);
  if (values == NULL)
    return -1;
  t->values = values;
  int64_t *ids = realloc (t->ids, cap * sizeof *ids);
  if (ids == NULL)
    return -1;
  t->ids = ids;
  t->cap = cap;
  return 0;
}

int
lf_tab_row (lf_grid_table *t, int64_t id)
{
  if (t->rows_n >= LF_TABLE_ROWS_MAX || (t->rows_n == t->cap && grow (t) != 0))
    {
      t->failed = true;
      return -1;
    }
  memset (&t->values[t->rows_n * (size_t) t->columns_n], 0, (size_t) t->columns_n * sizeof *t->values);
  t->ids[t->rows_n++] = id;
  return 0;
}

static lf_value *
value (lf_grid_table *t, int column)
{
  return &t->values[(t->rows_n - 1) * (size_t) t->columns_n + (size_t) column];
}

static void
set (lf_grid_table *t, int column, lf_role role, const char *show, const char *raw)
{
  lf_value *v = value (t, column);
  v->role = (uint8_t) role;
  v->show = lf_strdup (show);
  v->raw = lf_strdup (raw);
  if (v->show == NULL || (raw != NULL && v->raw == NULL))
    t->failed = true;
}

void
lf_tab_text (lf_grid_table *t, int column, lf_role role, const char *text)
{
  set (t, column, role, text != NULL ? text : "-", text);
}

void
lf_tab_named (lf_grid_table *t, int column, lf_role role, const char *show, const char *raw)
{
  set (t, column, role, show, raw);
}

void
lf_tab_raw (lf_grid_table *t, int column, lf_role role, const char *number, double sort, const char *show)
{
  set (t, column, role, show, number);
  value (t, column)->number = true;
  value (t, column)->sort = number != NULL ? sort : -1e300;
}

void
lf_tab_int (lf_grid_table *t, int column, lf_role role, int64_t v, const char *show)
{
  char raw[32];
  snprintf (raw, sizeof raw, "%lld", (long long) v);
  lf_tab_raw (t, column, role, v == LF_NONE ? NULL : raw, (double) v, v == LF_NONE ? "-" : show != NULL ? show : raw);
}

static void
keep_chart (lf_grid_table *t, int column, const int64_t *v, int n)
{
  lf_value *to = value (t, column);
  to->chart = n > 0 ? malloc ((size_t) n * sizeof *v) : NULL;
  t->failed |= n > 0 && to->chart == NULL;
  if (to->chart == NULL)
    return;
  memcpy (to->chart, v, (size_t) n * sizeof *v);
  to->chart_n = n;
}

void
lf_tab_gauge (lf_grid_table *t, int column, int64_t used, int64_t allowed)
{
  keep_chart (t, column, (const int64_t[]){ used, allowed }, 2);
}

void
lf_tab_spark (lf_grid_table *t, int column, const int64_t *v, int n)
{
  int64_t sum = 0;
  for (int i = 0; i < n; i++)
    sum += v[i] > 0 ? v[i] : 0;
  lf_tab_int (t, column, LF_ROLE_CHART, sum, "");
  keep_chart (t, column, v, n);
}

/* ---- filter and sort ------------------------------------------------------------------------------------------------------------------ */

static bool
row_has (const lf_grid_table *t, size_t row, const char *word)
{
  for (int c = 0; c < t->columns_n; c++)
    {
      const lf_value *v = &t->values[row * (size_t) t->columns_n + (size_t) c];
      if ((v->show != NULL && strcasestr (v->show, word) != NULL) || (v->raw != NULL && strcasestr (v->raw, word) != NULL))
        return true;
    }
  return false;
}

static bool
matches (const lf_grid_table *t, size_t row, const char *filter)
{
  char word[128];
  for (const char *p = filter; p != NULL && *p != '\0';)
    {
      size_t n = strcspn (p, " ");
      if (n > 0)
        {
          snprintf (word, sizeof word, "%.*s", (int) (n < 120 ? n : 120), p);
          if (!row_has (t, row, word))
            return false;
        }
      p += n + (p[n] == ' ');
    }
  return true;
}

typedef struct sorting { const lf_grid_table *t; int column; bool descending; } sorting;

static int
compare (const void *a, const void *b, void *user)
{
  const sorting *s = user;
  size_t i = *(const size_t *) a, j = *(const size_t *) b;
  const lf_value *x = &s->t->values[i * (size_t) s->t->columns_n + (size_t) s->column];
  const lf_value *y = &s->t->values[j * (size_t) s->t->columns_n + (size_t) s->column];
  int by = 0;
  if (x->number && y->number)
    by = (x->sort > y->sort) - (x->sort < y->sort);
  else
    by = strcasecmp (x->raw != NULL ? x->raw : "", y->raw != NULL ? y->raw : "");
  if (by != 0)
    return s->descending ? -by : by;
  return (i > j) - (i < j);
}

int
lf_tab_arrange (lf_grid_table *t, const char *filter, int sort, bool descending)
{
  sorting s = { t, sort, descending };
  free (t->order);
  t->shown = 0;
  t->order = malloc ((t->rows_n + 1) * sizeof *t->order);
  if (t->order == NULL)
    return -1;
  for (size_t i = 0; i < t->rows_n; i++)
    if (matches (t, i, filter))
      t->order[t->shown++] = i;
  if (sort >= 0 && sort < t->columns_n && t->shown > 1)
    qsort_r (t->order, t->shown, sizeof *t->order, compare, &s);
  return t->failed ? -1 : 0;
}

/* ---- export --------------------------------------------------------------------------------------------------------------------------- */

/* Quoted where it has to be; a text that a spreadsheet would take for a formula gets an apostrophe. */
static void
csv_text (lf_buf *out, const lf_value *v)
{
  const char *s = v->raw != NULL ? v->raw : "";
  bool formula = !v->number && *s != '\0' && strchr ("=+-@\t\r", *s) != NULL;
  if (!formula && strpbrk (s, ",\"\r\n") == NULL)
    {
      lf_buf_adds (out, s);
      return;
    }
  lf_buf_adds (out, formula ? "\"'" : "\"");
  for (; *s != '\0'; s++)
    {
      if (*s == '"')
        lf_buf_addc (out, '"');
      lf_buf_addc (out, *s);
    }
  lf_buf_addc (out, '"');
}

int
lf_tab_csv (const lf_grid_table *t, lf_buf *out)
{
  for (int c = 0; c < t->columns_n; c++)
    lf_buf_addf (out, "%s%s", c > 0 ? "," : "", t->columns[c].key);
  lf_buf_adds (out, "\r\n");
  for (size_t i = 0; i < t->shown; i++)
    {
      for (int c = 0; c < t->columns_n; c++)
        {
          if (c > 0)
            lf_buf_addc (out, ',');
          csv_text (out, &t->values[t->order[i] * (size_t) t->columns_n + (size_t) c]);
        }
      lf_buf_adds (out, "\r\n");
    }
  return out->failed ? -1 : 0;
}

int
lf_tab_json (const lf_grid_table *t, lf_buf *out)
{
  lf_buf_addc (out, '[');
  for (size_t i = 0; i < t->shown; i++)
    {
      lf_buf_adds (out, i > 0 ? ",\n {" : "\n {");
      for (int c = 0; c < t->columns_n; c++)
        {
          const lf_value *v = &t->values[t->order[i] * (size_t) t->columns_n + (size_t) c];
          lf_buf_addf (out, "%s\"%s\":", c > 0 ? "," : "", t->columns[c].key);
          if (v->raw == NULL)
            lf_buf_adds (out, "null");
          else if (v->number)
            lf_buf_adds (out, v->raw);
          else
            lf_buf_add_json_str (out, v->raw, strlen (v->raw));
        }
      lf_buf_addc (out, '}');
    }
  lf_buf_adds (out, "\n]\n");
  return out->failed ? -1 : 0;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------------------------- */

#define COLUMNS_MAX 32
#define BEFORE_GAUGES 11 /* columns of this priority go before gauges do */

/* What a column needs with its charts, or without its gauges. */
static int
wanted_width (const lf_grid_table *t, int c, size_t top, size_t rows, bool gauges)
{
  const lf_column *column = &t->columns[c];
  int width = lf_text_width (column->title) + 1, text = 0;
  for (size_t i = top; i < t->shown && i < top + rows; i++)
    {
      const lf_value *v = &t->values[t->order[i] * (size_t) t->columns_n + (size_t) c];
      int w = v->show != NULL ? lf_text_width (v->show) : 0;
      text = w > text ? w : text;
    }
  if (column->chart > 0 && text == 0)
    text = column->chart;
  else if (column->chart > 0 && gauges)
    text += column->chart + 1;
  return text > width ? text : width;
}

/* The column that goes first. */
static int
least_needed (const lf_grid_table *t, const int width[COLUMNS_MAX])
{
  int drop = -1;
  for (int c = 0; c < t->columns_n; c++)
    if (width[c] > 0 && t->columns[c].priority > 0 && (drop < 0 || t->columns[c].priority >= t->columns[drop].priority))
      drop = c;
  return drop;
}

static int
measure (const lf_grid_table *t, size_t top, size_t rows, bool gauges, int width[COLUMNS_MAX])
{
  int total = 0;
  for (int c = 0; c < t->columns_n; c++)
    {
      width[c] = wanted_width (t, c, top, rows, gauges);
      total += width[c] + 1;
    }
  return total;
}

/* A long text is cut before a column goes. False: nothing can be cut any more. */
static bool
cut_widest (const lf_grid_table *t, int room, int floor, int *total, int width[COLUMNS_MAX])
{
  int widest = 0;
  for (int c = 1; c < t->columns_n; c++)
    widest = width[c] > width[widest] ? c : widest;
  int less = *total - room, to = width[widest] - less > floor ? width[widest] - less : floor;
  if (to >= width[widest])
    return false;
  *total -= width[widest] - to;
  width[widest] = to;
  return true;
}

/* A wide column that went may have left room for narrow ones that went before it. */
static void
restore (const lf_grid_table *t, int room, size_t top, size_t rows, bool gauges, int total, int width[COLUMNS_MAX])
{
  for (int priority = 0; priority < 100; priority++)
    for (int c = 0; c < t->columns_n; c++)
      {
        int w = width[c] == 0 && t->columns[c].priority == priority ? wanted_width (t, c, top, rows, gauges) : room;
        if (total + w + 1 > room)
          continue;
        width[c] = w;
        total += w + 1;
      }
}

/* Widths of the columns that fit, 0 for those that do not; whether there is room for gauges. First the columns that matter least go, then the
 * gauges, then other columns. Only the rows in sight count, so a long text far away moves nothing. */
static bool
fit (const lf_grid_table *t, int room, size_t top, size_t rows, int width[COLUMNS_MAX])
{
  bool gauges = true;
  int total = measure (t, top, rows, gauges, width);
  while (total > room)
    {
      int drop = least_needed (t, width);
      if (cut_widest (t, room, 24, &total, width))
        continue;
      if (drop >= 0 && (!gauges || t->columns[drop].priority >= BEFORE_GAUGES))
        {
          total -= width[drop] + 1;
          width[drop] = 0;
        }
      else if (gauges)
        {
          gauges = false;
          for (int c = 0; c < t->columns_n; c++)
            if (width[c] > 0)
              {
                total -= width[c];
                width[c] = wanted_width (t, c, top, rows, false);
                total += width[c];
              }
        }
      else if (!cut_widest (t, room, 4, &total, width))
        break;
    }
  restore (t, room, top, rows, gauges, total, width);
  return gauges;
}

static void
draw_text (lf_grid *g, int x, int y, int width, char align, lf_role role, const char *text)
{
  int w = lf_text_width (text);
  lf_grid_put (g, align == 'r' && w < width ? x + width - w : x, y, width, role, text);
}

static void
draw_value (lf_grid *g, int x, int y, int width, bool gauges, const lf_column *column, const lf_value *v)
{
  const char *text = v->show != NULL ? v->show : "";
  bool spark = column->chart > 0 && *text == '\0';
  if (spark && v->chart_n > 0)
    {
      int64_t out[64];
      int n = v->chart_n < column->chart ? v->chart_n : column->chart;
      n = n > (int) LF_ARRAY_LEN (out) ? (int) LF_ARRAY_LEN (out) : n;
      lf_resample (v->chart, v->chart_n, out, n, true);
      lf_grid_spark (g, x, y, out, n, LF_ROLE_CHART);
      return;
    }
  if (column->chart > 0 && gauges && v->chart_n == 2)
    {
      lf_grid_gauge (g, x, y, column->chart, v->chart[0], v->chart[1]);
      x += column->chart + 1;
      width -= column->chart + 1;
    }
  draw_text (g, x, y, width, column->align, (lf_role) v->role, text);
}

static void
draw_heads (const lf_grid_table *t, lf_grid *g, int y, const int width[COLUMNS_MAX], int sort, bool descending)
{
  int x = 1;
  for (int c = 0; c < t->columns_n; c++)
    if (width[c] > 0)
      {
        char title[64];
        const char *mark = c != sort ? "" : g->ascii ? (descending ? "v" : "^") : descending ? "▼" : "▲";
        snprintf (title, sizeof title, "%s%s", t->columns[c].title, mark);
        draw_text (g, x, y, width[c], t->columns[c].align, LF_ROLE_HEAD, title);
        x += width[c] + 1;
      }
}

void
lf_tab_draw (const lf_grid_table *t, lf_grid *g, int y, int h, size_t top, int64_t selected, int sort, bool descending)
{
  int width[COLUMNS_MAX] = { 0 };
  if (h < 2 || t->columns_n > COLUMNS_MAX)
    return;
  bool gauges = fit (t, g->w - 1, top, (size_t) h - 1, width);
  draw_heads (t, g, y, width, sort, descending);
  for (int r = 0; r < h - 1 && top + (size_t) r < t->shown; r++)
    {
      size_t at = top + (size_t) r;
      for (int c = 0, x = 1; c < t->columns_n; c++)
        if (width[c] > 0)
          {
            draw_value (g, x, y + 1 + r, width[c], gauges, &t->columns[c], &t->values[t->order[at] * (size_t) t->columns_n + (size_t) c]);
            x += width[c] + 1;
          }
      if ((int64_t) at == selected)
        {
          lf_grid_put (g, 0, y + 1 + r, 1, LF_ROLE_SELECT, g->ascii ? ">" : "▸");
          lf_grid_role (g, 0, y + 1 + r, g->w, LF_ROLE_SELECT);
        }
    }
}
