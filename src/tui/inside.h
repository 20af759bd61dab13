/* SPDX-License-Identifier: Apache-2.0
 *
 * tui, inside: the model of a log, and the dashboard's state.
 *
 * Two threads work for the drawing one: the reader, which alone uses the log and alone changes the model, and the asker, which alone speaks to
 * the daemon. Both change what the drawing thread sees only while they hold the lock, and never hold it during a query or a call.
 */
#ifndef LF_TUI_INSIDE_H
#define LF_TUI_INSIDE_H

#include <pthread.h>

#include "lambdafit/rollup.h"
#include "lambdafit/store.h"
#include "lambdafit/tui.h"

#define LF_TOP_RECENT 2000      /* rows kept whole */
#define LF_TOP_OVERLAP 1024     /* rows read again: the figures of an answered invocation may still grow */
#define LF_TOP_BATCH 256        /* rows that are taken in under one lock */
#define LF_TOP_GROUPS_MAX 4000  /* of violations */
#define LF_TOP_DETAIL_MAX 32    /* violations of one invocation */

/* What is known of a function beside its sums. */
typedef struct lf_fn
{
  lf_function config;        /* its latest setting in the log */
  int64_t violations, broken;
  char worst[64];
  bool worst_broken;
} lf_fn;

typedef struct lf_row
{
  int64_t rowid, fn;
  char request_id[64], error_type[64], error_message[200], region[24];
  int cold;
  bool reload;             /* it is cold because its code had changed */
  lf_status status;
  lf_arch arch;
  int64_t received_us, wait_us, init_us, duration_us, billed_ms, memory_mb, tmp_mb, max_memory_bytes, peak_memory_bytes, tmp_used_bytes, request_bytes,
      response_bytes;
} lf_row;

typedef struct lf_ring { lf_row *v; size_t cap, n, at; } lf_ring;

typedef struct lf_group
{
  char function[72], limit_id[24], unit[16], rule[64], message[480], fix[480], request_id[64];
  lf_severity severity;
  lf_enforced enforced;
  int64_t used, allowed, count, first_us, last_us;
} lf_group;

/* One invocation with everything that the log has of it. */
typedef struct lf_detail
{
  char request_id[160];      /* whose this is; "" nobody's */
  bool found;
  lf_record r;               /* strings are owned by `text` */
  char *text[9];
  lf_violation v[LF_TOP_DETAIL_MAX];
  char *v_text[LF_TOP_DETAIL_MAX][4];
  int v_n;
} lf_detail;

/* What the drawing thread wants to see. */
typedef struct lf_want
{
  char function[160], request_id[160]; /* "": none in particular */
  int64_t since_us, range_us;          /* the log's part from a moment on (LF_NONE: all), or its newest part (0: no range) */
} lf_want;

typedef struct lf_data
{
  lf_store *store;
  pthread_mutex_t lock;
  /* what the drawing thread may look at under the lock */
  lf_rollup sums;
  lf_fn *fns;                /* one for each of sums.v */
  size_t fns_n;
  lf_ring recent;            /* the newest rows of the function wanted */
  lf_group *groups;
  size_t groups_n;
  lf_detail detail;
  char *enforcement;         /* recorded for the function wanted; NULL: none */
  bool loading, dropped;
  char error[600];           /* why the log cannot be read now; "" it can */
  char path[600];
  /* the reader's own */
  lf_want now;
  lf_ring overlap;           /* the newest rows of all functions */
  int64_t from_us;           /* rows before are left out; LF_NONE: none */
  int64_t last_rowid, recent_rowid, last_violation, covered, mark, functions_mark;
  lf_store_state state;
  lf_time_us next_slide;
} lf_data;

int lf_data_init (lf_data *d, lf_store *store); /* the store is its own now */
void lf_data_fini (lf_data *d);
/* Brings the model up to date with the log and with *want. 1 something changed, 0 nothing, -1 error. `look` (may be NULL) is called now and then, on
 * the way through a long log, to renew *want; when it returns true, reading stops and is begun anew by the next call. */
typedef bool (*lf_data_look) (void *user, lf_want *want);
int lf_data_read (lf_data *d, lf_want *want, lf_data_look look, void *user, lf_error *err);
lf_sums *lf_data_sums (lf_data *d, const char *name, lf_fn **fn); /* NULL: no such function */
const lf_row *lf_ring_back (const lf_ring *r, size_t back); /* 0 is the newest; NULL beyond the oldest */
void lf_row_record (const lf_row *row, lf_record *out);
void lf_detail_fini (lf_detail *d);
int lf_detail_read (lf_store *s, const char *request_id, lf_detail *out, lf_error *err);

/* ---- the dashboard ------------------------------------------------------------------------------------------------------------------ */

typedef enum { LF_V_FUNCTIONS, LF_V_FUNCTION, LF_V_INVOCATIONS, LF_V_INVOCATION, LF_V_ENVIRONMENTS, LF_V_VIOLATIONS, LF_V_COST, LF_V_COUNT } lf_view;
extern const char *const lf_view_names[LF_V_COUNT];
typedef struct lf_place { lf_view view; int64_t selected; size_t top; int sort; bool descending; char filter[80]; } lf_place;
typedef enum { LF_MODE_NORMAL, LF_MODE_FILTER, LF_MODE_EXPORT, LF_MODE_HELP } lf_mode;
#define LF_TOP_PROFILES 16

typedef struct lf_app
{
  lf_data data;
  lf_profile *profiles[LF_TOP_PROFILES]; /* loaded ones; the first is the one that was asked for */
  int profiles_n;
  const lf_profile *profile;       /* of these */
  const char *region;              /* NULL: each row's own */
  lf_grid grid;
  lf_grid_table tab;
  lf_place place, back[16];
  int back_n, range;
  lf_mode mode;
  char function[160], request_id[160], input[256], message[512];
  lf_role message_role;
  bool follow, ascii, quit, stale; /* stale: the table must be made again */
  int table_y, table_h;
  int64_t since_us;
  lf_strv profile_names;
  const char *endpoint;
  char copy[160];                  /* to be sent to the clipboard, then emptied */
  /* the asker's, under the lock */
  struct cJSON *environments;
  char environments_why[300];
  bool environments_asked;
} lf_app;

void lf_app_key (lf_app *a, int key);
void lf_app_click (lf_app *a, int x, int y, bool twice);
void lf_app_draw (lf_app *a);
void lf_app_want (const lf_app *a, lf_want *out);
/* Asks the daemon for its environments; waits for the answer. */
void lf_app_ask_daemon (lf_app *a);
void lf_views_make (lf_app *a);                 /* fills a->tab */
void lf_views_draw (lf_app *a);                 /* all between head and foot */
void lf_app_open (lf_app *a, lf_view v);
void lf_app_say (lf_app *a, lf_role role, const char *fmt, ...) LF_PRINTF (3, 4);

/* Views with a file of their own: what they put into the table, and what they draw above it from line y on (they return the next line). */
void lf_view_function_make (lf_app *a);
int lf_view_function_draw (lf_app *a, int y);
void lf_view_invocation_make (lf_app *a);
int lf_view_invocation_draw (lf_app *a, int y);
bool lf_view_in_scope (const lf_app *a, const char *function);

/* ---- figures for people (show.c) ---------------------------------------------------------------------------------------------------- */

const char *lf_top_us (int64_t us, char out[32]);
const char *lf_top_amount (int64_t v, const char *unit, char out[40]);
const char *lf_top_cost (const lf_cost *c, lf_money m, char out[64]);
void lf_put_us (lf_grid_table *t, int column, int64_t us);
void lf_put_amount (lf_grid_table *t, int column, lf_role role, int64_t v, const char *unit);
void lf_put_percent (lf_grid_table *t, int column, int64_t used, int64_t allowed, bool limit); /* limit: with a gauge, coloured by nearness */
void lf_put_cost (lf_grid_table *t, int column, const lf_cost *c, lf_money m);
void lf_put_time (lf_grid_table *t, int column, int64_t us);

/* ---- threads (work.c) ------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_work lf_work;
lf_work *lf_work_start (lf_app *a, lf_error *err);
void lf_work_stop (lf_work *w);
int lf_work_fd (const lf_work *w);               /* readable when there is something new to draw */
bool lf_work_news (lf_work *w);                  /* empties it; whether there was something */
void lf_work_tell (lf_work *w);                  /* the app's wishes may have changed */

/* ---- the terminal (term.c) ------------------------------------------------------------------------------------------------------------ */

int lf_term_run (lf_app *a, const char *theme, lf_error *err);

#endif
