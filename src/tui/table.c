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

/* Widths of the columns that fit, 0 for those that do not. Only the rows in sight count, so a long text far away moves nothing. */
static void
fit (const lf_grid_table *t, int room, size_t top, size_t rows, int width[COLUMNS_MAX])
{
  int total = 0;
  for (int c = 0; c < t->columns_n; c++)
    {
      width[c] = lf_text_width (t->columns[c].title) + 1;
      for (size_t i = top; i < t->shown && i < top + rows; i++)
        {
          const lf_value *v = &t->values[t->order[i] * (size_t) t->columns_n + (size_t) c];
          int w = v->show != NULL ? lf_text_width (v->show) : 0;
          width[c] = w > width[c] ? w : width[c];
        }
      total += width[c] + 1;
    }
  while (total > room)
    {
      int drop = -1;
      for (int c = 0; c < t->columns_n; c++)
        if (width[c] > 0 && t->columns[c].priority > 0 && (drop < 0 || t->columns[c].priority >= t->columns[drop].priority))
          drop = c;
      /* A long text is cut before a column goes. */
      int widest = 0;
      for (int c = 1; c < t->columns_n; c++)
        widest = width[c] > width[widest] ? c : widest;
      if (width[widest] > 24 || drop < 0)
        {
          int less = total - room, floor = width[widest] > 24 ? 24 : 4;
          int to = width[widest] - less > floor ? width[widest] - less : floor;
          if (to == width[widest])
            return;
          total -= width[widest] - to;
          width[widest] = to;
          continue;
        }
      total -= width[drop] + 1;
      width[drop] = 0;
    }
}

static void
draw_cell (lf_grid *g, int x, int y, int width, char align, lf_role role, const char *text)
{
  int w = lf_text_width (text);
  lf_grid_put (g, align == 'r' && w < width ? x + width - w : x, y, width, role, text);
}

void
lf_tab_draw (const lf_grid_table *t, lf_grid *g, int y, int h, size_t top, int64_t selected, int sort, bool descending)
{
  int width[COLUMNS_MAX] = { 0 }, x = 1;
  if (h < 2 || t->columns_n > COLUMNS_MAX)
    return;
  fit (t, g->w - 1, top, (size_t) h - 1, width);
  for (int c = 0; c < t->columns_n; c++)
    if (width[c] > 0)
      {
        char title[64];
        const char *mark = c != sort ? "" : g->ascii ? (descending ? "v" : "^") : descending ? "▼" : "▲";
        snprintf (title, sizeof title, "%s%s", t->columns[c].title, mark);
        draw_cell (g, x, y, width[c], t->columns[c].align, LF_ROLE_HEAD, title);
        x += width[c] + 1;
      }
  for (int r = 0; r < h - 1 && top + (size_t) r < t->shown; r++)
    {
      size_t at = top + (size_t) r;
      x = 1;
      for (int c = 0; c < t->columns_n; c++)
        {
          const lf_value *v = &t->values[t->order[at] * (size_t) t->columns_n + (size_t) c];
          if (width[c] == 0)
            continue;
          draw_cell (g, x, y + 1 + r, width[c], t->columns[c].align, (lf_role) v->role, v->show != NULL ? v->show : "");
          x += width[c] + 1;
        }
      if ((int64_t) at == selected)
        {
          lf_grid_put (g, 0, y + 1 + r, 1, LF_ROLE_SELECT, g->ascii ? ">" : "▸");
          lf_grid_role (g, 0, y + 1 + r, g->w, LF_ROLE_SELECT);
        }
    }
}
