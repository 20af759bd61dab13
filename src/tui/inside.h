/* SPDX-License-Identifier: Apache-2.0
 *
 * tui, inside: the model of a log, and the dashboard's state.
 */
#ifndef LF_TUI_INSIDE_H
#define LF_TUI_INSIDE_H

#include "lambdafit/store.h"
#include "lambdafit/tui.h"

#define LF_TOP_FUNCTIONS_MAX 2000
#define LF_TOP_RECENT 2000      /* rows kept whole */
#define LF_TOP_BUCKETS 120
#define LF_TOP_DAYS 400
#define LF_TOP_GROUPS_MAX 4000  /* of violations */

/* Sorted values; over the cap every second one is kept, then every fourth: `stride` says so, and the figures become estimates. */
typedef struct lf_samples { int64_t *v; size_t n, sorted, cap, max; int64_t stride, skipped; } lf_samples;
typedef struct lf_bucket { int64_t invocations, errors, cold, max_duration_us, max_memory_bytes; } lf_bucket;
typedef struct lf_day { int64_t day, invocations, billed_ms; lf_cost cost; } lf_day;

typedef struct lf_fn
{
  char *name;
  lf_function config;        /* its latest setting in the log */
  int64_t invocations, errors, cold, throttled, billed_ms, init_billed_ms;
  int64_t max_memory_bytes, tmp_used_bytes, first_us, last_us;
  int64_t used[LF_LIM_COUNT];
  lf_samples init, duration;
  lf_cost cost;
  int64_t violations, broken;
  char worst[64];
  bool worst_broken;
  lf_bucket buckets[LF_TOP_BUCKETS];
  int64_t bucket_start, bucket_us;
  lf_day *days;
  size_t days_n;
} lf_fn;

typedef struct lf_row
{
  int64_t rowid;
  size_t fn;
  char request_id[64], error_type[64], error_message[200], region[24];
  int cold;
  lf_status status;
  lf_arch arch;
  int64_t received_us, wait_us, init_us, duration_us, billed_ms, memory_mb, tmp_mb, max_memory_bytes, tmp_used_bytes;
  lf_cost cost;
} lf_row;

typedef struct lf_group
{
  char function[72], limit_id[24], unit[16], rule[64], message[400], fix[400], request_id[64];
  lf_severity severity;
  lf_enforced enforced;
  int64_t used, allowed, count, first_us, last_us;
} lf_group;

typedef struct lf_data
{
  lf_store *store;
  lf_profile *profile;
  const char *region;        /* NULL: each row's own */
  int64_t since_us;
  lf_fn *fns;
  size_t fns_n;
  lf_row *recent;            /* a ring */
  size_t recent_n, recent_at;
  int64_t last_rowid, newest_rowid, last_violation, rows, first_us, last_us;
  lf_group *groups;
  size_t groups_n;
  bool loading, dropped;
  size_t sample_max;
  lf_time_us deadline;
} lf_data;

int lf_data_init (lf_data *d, lf_store *store, lf_profile *profile, bool exact);
void lf_data_reset (lf_data *d); /* forget all rows: they are read again */
void lf_data_fini (lf_data *d);
/* Reads rows that are new, for at most budget_us (0: all of them). 1 something changed, 0 nothing new, -1 error. */
int lf_data_read (lf_data *d, int64_t budget_us, lf_error *err);
lf_fn *lf_data_fn (lf_data *d, const char *name);
const lf_row *lf_data_recent (const lf_data *d, size_t back); /* 0 is the newest; NULL beyond the oldest */
int64_t lf_samples_at (lf_samples *s, int percent);
int lf_samples_add (lf_samples *s, int64_t v);
void lf_samples_remove (lf_samples *s, int64_t v);

/* ---- the dashboard ------------------------------------------------------------------------------------------------------------------ */

typedef enum { LF_V_FUNCTIONS, LF_V_FUNCTION, LF_V_INVOCATIONS, LF_V_INVOCATION, LF_V_ENVIRONMENTS, LF_V_VIOLATIONS, LF_V_COST, LF_V_COUNT } lf_view;
extern const char *const lf_view_names[LF_V_COUNT];
typedef struct lf_place { lf_view view; int64_t selected; size_t top; int sort; bool descending; char filter[80]; } lf_place;
typedef enum { LF_MODE_NORMAL, LF_MODE_FILTER, LF_MODE_EXPORT, LF_MODE_HELP } lf_mode;

typedef struct lf_app
{
  lf_data data;
  lf_grid grid;
  lf_grid_table tab;
  lf_place place, back[16];
  int back_n, range;
  lf_mode mode;
  char function[160], request_id[160], input[256], message[512];
  lf_role message_role;
  bool follow, ascii, quit, stale; /* stale: the table must be made again */
  int table_y, table_h;
  int64_t range_us;
  lf_strv profiles;
  const char *endpoint;
  struct cJSON *environments;
  char environments_why[300];
  int64_t environments_us;
  char copy[160];                  /* to be sent to the clipboard, then emptied */
} lf_app;

void lf_app_key (lf_app *a, int key);
void lf_app_click (lf_app *a, int x, int y, bool twice);
void lf_app_draw (lf_app *a);
void lf_app_ask_daemon (lf_app *a);
void lf_views_make (lf_app *a);                 /* fills a->tab */
void lf_views_draw (lf_app *a);                 /* all between head and foot */
void lf_app_open (lf_app *a, lf_view v);
void lf_app_say (lf_app *a, lf_role role, const char *fmt, ...) LF_PRINTF (3, 4);

/* ---- the terminal (term.c) ------------------------------------------------------------------------------------------------------------ */

int lf_term_run (lf_app *a, const char *theme, lf_error *err);

#endif
