/* SPDX-License-Identifier: Apache-2.0
 *
 * tui: the dashboard. A pure grid of cells and pure tables; a model that reads only the log's new rows; views that draw the model into the
 * grid; one file (term.c) that brings a grid to a terminal.
 */
#ifndef LAMBDAFIT_TUI_H
#define LAMBDAFIT_TUI_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"
#include "lambdafit/profile.h"

/* ---- the grid: pure ---------------------------------------------------------------------------------------------------------------- */

/* What a cell means; a theme gives it a colour. */
typedef enum
{
  LF_ROLE_TEXT, LF_ROLE_DIM, LF_ROLE_HEAD, LF_ROLE_TITLE, LF_ROLE_GOOD, LF_ROLE_WARN, LF_ROLE_BAD, LF_ROLE_CHART, LF_ROLE_COLD,
  LF_ROLE_SELECT, LF_ROLE_BAR, LF_ROLE_COUNT
} lf_role;
#define LF_CELL_BYTES 20
typedef struct lf_cell
{
  char text[LF_CELL_BYTES]; /* one character and what combines with it, UTF-8; "" is the right half of a wide one */
  uint8_t role;
} lf_cell;
typedef struct lf_grid
{
  int w, h;
  bool ascii;    /* draw with ASCII alone; any other character is '?' */
  lf_cell *cells;
} lf_grid;
#define LF_GRID_MAX 1000
int lf_grid_init (lf_grid *g, int w, int h, bool ascii); /* 0, or -1: no memory or a size that is not 1..LF_GRID_MAX */
void lf_grid_fini (lf_grid *g);
void lf_grid_clear (lf_grid *g);
/* Draws text from (x, y) in at most max columns; returns the columns used. Control bytes, invalid UTF-8 and what turns the direction of
 * writing become '?'. What does not fit ends in an ellipsis. */
int lf_grid_put (lf_grid *g, int x, int y, int max, lf_role role, const char *text);
int lf_grid_putf (lf_grid *g, int x, int y, int max, lf_role role, const char *fmt, ...) LF_PRINTF (6, 7);
void lf_grid_role (lf_grid *g, int x, int y, int n, lf_role role); /* recolours */
void lf_grid_line (lf_grid *g, int y, lf_role role);              /* a rule over the whole width */
int lf_grid_text (const lf_grid *g, lf_buf *out);                 /* its lines, without blanks at their ends */
int lf_text_width (const char *text);                              /* in columns, as lf_grid_put would need */
/* n values scaled from 0 to the largest, in n columns; LF_NONE leaves a gap. */
void lf_grid_spark (lf_grid *g, int x, int y, const int64_t *v, int n, lf_role role);
/* A bar of `width` columns; its role tells how near the limit is. */
void lf_grid_gauge (lf_grid *g, int x, int y, int width, int64_t used, int64_t allowed);
lf_role lf_gauge_role (int64_t used, int64_t allowed);
/* v into n buckets of equal width, each the sum (or the largest) of what falls into it. */
void lf_resample (const int64_t *v, int count, int64_t *out, int n, bool sum);

/* ---- tables: pure ------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_column
{
  const char *key, *title;
  char align;    /* 'l' or 'r' */
  int priority;  /* 0 stays; the largest goes first when there is no room */
  int chart;     /* columns of its gauge, before the text, or of its sparkline, instead of it; 0: neither. Gauges go before any column goes. */
} lf_column;
typedef struct lf_value
{
  char *show;    /* as drawn */
  char *raw;     /* as exported, NULL: null */
  bool number;   /* raw is a JSON number and `sort` orders it */
  double sort;
  uint8_t role;
  int64_t *chart; /* used and allowed, or the values of a sparkline */
  int chart_n;
} lf_value;
typedef struct lf_grid_table
{
  const lf_column *columns;
  int columns_n;
  lf_value *values; /* rows_n * columns_n */
  int64_t *ids;     /* the caller's, of each row */
  size_t rows_n, cap, *order, shown; /* order[0..shown): rows that match, sorted */
  bool failed;
} lf_grid_table;
#define LF_TABLE_ROWS_MAX 20000
void lf_tab_init (lf_grid_table *t, const lf_column *columns, int n);
void lf_tab_fini (lf_grid_table *t);
int lf_tab_row (lf_grid_table *t, int64_t id);                      /* begins a row; -1 when full or out of memory */
void lf_tab_text (lf_grid_table *t, int column, lf_role role, const char *text);
void lf_tab_named (lf_grid_table *t, int column, lf_role role, const char *show, const char *raw); /* drawn otherwise than exported */
void lf_tab_int (lf_grid_table *t, int column, lf_role role, int64_t v, const char *show); /* LF_NONE: absent */
void lf_tab_raw (lf_grid_table *t, int column, lf_role role, const char *number, double sort, const char *show);
void lf_tab_gauge (lf_grid_table *t, int column, int64_t used, int64_t allowed); /* beside what the cell says */
void lf_tab_spark (lf_grid_table *t, int column, const int64_t *v, int n);       /* exported as its sum */
/* Rows with every word of `filter` in some cell (case does not matter), sorted by a column (-1: as added). */
int lf_tab_arrange (lf_grid_table *t, const char *filter, int sort, bool descending);
int lf_tab_csv (const lf_grid_table *t, lf_buf *out);
int lf_tab_json (const lf_grid_table *t, lf_buf *out);
/* Draws heads and rows into lines y..y+h-1, from row `top`; `selected` is a position in the order, -1 for none. */
void lf_tab_draw (const lf_grid_table *t, lf_grid *g, int y, int h, size_t top, int64_t selected, int sort, bool descending);

/* ---- keys: one table, from which the help is made ------------------------------------------------------------------------------------ */

typedef enum
{
  LF_DO_NONE, LF_DO_UP, LF_DO_DOWN, LF_DO_PAGE_UP, LF_DO_PAGE_DOWN, LF_DO_HOME, LF_DO_END, LF_DO_LEFT, LF_DO_RIGHT, LF_DO_ENTER, LF_DO_BACK,
  LF_DO_NEXT_VIEW, LF_DO_LAST_VIEW, LF_DO_FILTER, LF_DO_SORT, LF_DO_REVERSE, LF_DO_PROFILE, LF_DO_REGION, LF_DO_TIME, LF_DO_FOLLOW, LF_DO_COPY,
  LF_DO_EXPORT, LF_DO_HELP, LF_DO_VIEW, LF_DO_QUIT
} lf_do;
enum { LF_KEY_UP = 0x110000, LF_KEY_DOWN, LF_KEY_LEFT, LF_KEY_RIGHT, LF_KEY_PPAGE, LF_KEY_NPAGE, LF_KEY_HOME, LF_KEY_END, LF_KEY_BTAB, LF_KEY_BACKSPACE,
       LF_KEY_ESC = 27, LF_KEY_ENTER = 13, LF_KEY_TAB = 9 };
typedef struct lf_key { lf_do what; int keys[3]; const char *names, *doc; } lf_key;
extern const lf_key lf_keys[];
extern const size_t lf_keys_n;
lf_do lf_key_find (int key);

/* ---- the program ----------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_top_options
{
  const char *db, *endpoint, *view, *size, *function, *request_id, *profile, *region;
  int64_t since_us; /* LF_NONE: all */
  const char *theme; /* "256", "16", "mono"; NULL: by the terminal and NO_COLOR */
  bool ascii, once;
  bool json;         /* with once: the view's rows as JSON instead of a frame */
} lf_top_options;
int lf_top (const lf_top_options *o, lf_error *err); /* 0 or -1 */

#endif
