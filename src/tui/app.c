/* SPDX-License-Identifier: Apache-2.0
 *
 * The dashboard's state: what each key does, and the frame around the views.
 */
#include "inside.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/http.h"

#define ASK_MS 2000 /* how long the daemon may take to answer */

static const struct { const char *name; int64_t us; } ranges[] = {
  { "all", 0 }, { "15 min", INT64_C (900000000) }, { "1 h", INT64_C (3600000000) }, { "24 h", INT64_C (86400000000) }, { "7 d", INT64_C (604800000000) } };

void
lf_app_say (lf_app *a, lf_role role, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (a->message, sizeof a->message, fmt, ap);
  va_end (ap);
  a->message_role = role;
}

static cJSON *
environments_of (const lf_http_answer *answer, lf_error *err)
{
  cJSON *list = answer->status == 200 ? lf_json_parse (answer->body.data, answer->body.len, "the daemon's answer", err) : NULL;
  if (cJSON_IsArray (list))
    return list;
  lf_json_freep (&list);
  snprintf (err->why, sizeof err->why, "what answers there is not a lambdafit daemon");
  return NULL;
}

void
lf_app_ask_daemon (lf_app *a)
{
  lf_error err = { 0 };
  lf_http_answer answer = { 0 };
  cJSON *list = NULL;
  if (lf_http_call (a->endpoint, "GET", "/lambdafit/environments", NULL, 0, NULL, 0, ASK_MS, &answer, &err) == 0)
    {
      list = environments_of (&answer, &err);
      lf_http_answer_fini (&answer);
    }
  pthread_mutex_lock (&a->data.lock);
  cJSON *old = a->environments;
  a->environments = list;
  a->environments_asked = true;
  snprintf (a->environments_why, sizeof a->environments_why, "%.290s", list != NULL ? "" : err.why[0] ? err.why : "no answer");
  pthread_mutex_unlock (&a->data.lock);
  lf_json_freep (&old);
}

void
lf_app_want (const lf_app *a, lf_want *out)
{
  memset (out, 0, sizeof *out);
  snprintf (out->function, sizeof out->function, "%s", a->place.view == LF_V_FUNCTIONS ? "" : a->function);
  if (a->place.view == LF_V_INVOCATION)
    snprintf (out->request_id, sizeof out->request_id, "%s", a->request_id);
  out->since_us = a->since_us;
  out->range_us = ranges[a->range].us;
}

void
lf_app_open (lf_app *a, lf_view v)
{
  a->place = (lf_place){ .view = v, .sort = -1 };
  a->stale = true;
  a->message[0] = '\0';
}

static void
go_deeper (lf_app *a, lf_view v)
{
  if (a->back_n == (int) LF_ARRAY_LEN (a->back))
    memmove (a->back, a->back + 1, sizeof a->back - sizeof a->back[0]), a->back_n--;
  a->back[a->back_n++] = a->place;
  lf_app_open (a, v);
}

static int64_t
selected_id (const lf_app *a)
{
  return a->place.selected < (int64_t) a->tab.shown ? a->tab.ids[a->tab.order[a->place.selected]] : -1;
}

static const lf_row *
row_of (const lf_app *a, int64_t rowid)
{
  const lf_row *r;
  for (size_t back = 0; (r = lf_ring_back (&a->data.recent, back)) != NULL; back++)
    if (r->rowid == rowid)
      return r;
  return NULL;
}

static void
enter (lf_app *a)
{
  int64_t id = selected_id (a);
  const lf_row *r = a->place.view == LF_V_INVOCATIONS && id >= 0 ? row_of (a, id) : NULL;
  if (a->place.view == LF_V_FUNCTION)
    go_deeper (a, LF_V_INVOCATIONS);
  else if (id < 0)
    return;
  else if (a->place.view == LF_V_FUNCTIONS || a->place.view == LF_V_COST)
    {
      snprintf (a->function, sizeof a->function, "%s", a->data.sums.v[id].name);
      go_deeper (a, LF_V_FUNCTION);
    }
  else if (r != NULL)
    {
      snprintf (a->request_id, sizeof a->request_id, "%s", r->request_id);
      go_deeper (a, LF_V_INVOCATION);
    }
  else if (a->place.view == LF_V_VIOLATIONS && a->data.groups[id].request_id[0] != '\0')
    {
      snprintf (a->request_id, sizeof a->request_id, "%s", a->data.groups[id].request_id);
      go_deeper (a, LF_V_INVOCATION);
    }
}

static void
go_back (lf_app *a)
{
  if (a->place.filter[0] != '\0')
    a->place.filter[0] = '\0';
  else if (a->back_n > 0)
    a->place = a->back[--a->back_n];
  else if (a->function[0] != '\0' && a->place.view != LF_V_FUNCTIONS)
    lf_app_open (a, LF_V_FUNCTIONS);
  else
    return;
  if (a->place.view == LF_V_FUNCTIONS)
    a->function[0] = '\0';
  a->stale = true;
}

static void
step_view (lf_app *a, int by)
{
  a->back_n = 0;
  lf_app_open (a, (lf_view) (((int) a->place.view + LF_V_COUNT + by) % LF_V_COUNT));
}

/* One that was loaded stays, because the view may be drawn with it at any time. NULL: not a profile of the service whose rows these are. */
static lf_profile *
profile_named (lf_app *a, const char *name)
{
  lf_error ignored = { 0 };
  for (int i = 0; i < a->profiles_n; i++)
    if (strcmp (a->profiles[i]->name, name) == 0)
      return a->profiles[i];
  lf_profile *p = a->profiles_n < LF_TOP_PROFILES ? lf_profile_load (name, &ignored) : NULL;
  if (p != NULL && strcmp (p->service, "lambda") == 0)
    return a->profiles[a->profiles_n++] = p;
  lf_profile_free (p);
  return NULL;
}

static void
next_profile (lf_app *a)
{
  size_t at = 0;
  for (size_t i = 0; i < a->profile_names.n; i++)
    if (strcmp (a->profile_names.v[i], a->profile->name) == 0)
      at = i;
  for (size_t k = 1; k <= a->profile_names.n; k++)
    {
      const lf_profile *p = profile_named (a, a->profile_names.v[(at + k) % a->profile_names.n]);
      if (p == NULL)
        continue;
      a->profile = p;
      a->region = NULL;
      lf_app_say (a, LF_ROLE_GOOD, "profile %s", p->name);
      return;
    }
}

static void
next_region (lf_app *a)
{
  const lf_profile *p = a->profile;
  size_t at = 0;
  while (a->region != NULL && at < p->prices_n && strcmp (p->prices[at].region, a->region) != 0)
    at++;
  at = a->region != NULL ? at + 1 : 0;
  a->region = at < p->prices_n ? p->prices[at].region : NULL;
  lf_app_say (a, LF_ROLE_GOOD, "prices of %s", a->region != NULL ? a->region : "each row's own region");
}

static void
next_range (lf_app *a)
{
  a->range = (a->range + 1) % (int) LF_ARRAY_LEN (ranges);
  lf_app_say (a, LF_ROLE_GOOD, a->range == 0 ? "all of the log" : "the newest %s", ranges[a->range].name);
}

static void
export_view (lf_app *a)
{
  lf_error err = { 0 };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int made = lf_ends (a->input, ".json") ? lf_tab_json (&a->tab, &b) : lf_tab_csv (&a->tab, &b);
  if (made != 0 || lf_write_file_atomic (a->input, b.data, b.len, &err) != 0)
    lf_app_say (a, LF_ROLE_BAD, "not exported: %s", made != 0 ? "no memory" : err.why);
  else
    lf_app_say (a, LF_ROLE_GOOD, "%zu rows written to %s", a->tab.shown, a->input);
}

static void
edit (lf_app *a, int key)
{
  char *text = a->mode == LF_MODE_FILTER ? a->place.filter : a->input;
  size_t size = a->mode == LF_MODE_FILTER ? sizeof a->place.filter : sizeof a->input, n = strlen (text);
  if (key == LF_KEY_ENTER || key == 10 || key == LF_KEY_ESC)
    {
      if (a->mode == LF_MODE_EXPORT && key != LF_KEY_ESC && n > 0)
        export_view (a);
      else if (a->mode == LF_MODE_FILTER && key == LF_KEY_ESC)
        text[0] = '\0';
      a->mode = LF_MODE_NORMAL;
    }
  else if (key == LF_KEY_BACKSPACE || key == 127 || key == 8)
    {
      while (n > 0 && ((unsigned char) text[--n] & 0xc0) == 0x80)
        ;
      text[n] = '\0';
    }
  else if (key == 21) /* ^U */
    text[0] = '\0';
  else if (key >= 0x20 && key < 0x110000 && n + 5 < size)
    {
      if (key < 0x80)
        text[n++] = (char) key;
      else if (key < 0x800)
        text[n++] = (char) (0xc0 | key >> 6), text[n++] = (char) (0x80 | (key & 0x3f));
      else if (key < 0x10000)
        text[n++] = (char) (0xe0 | key >> 12), text[n++] = (char) (0x80 | (key >> 6 & 0x3f)), text[n++] = (char) (0x80 | (key & 0x3f));
      else
        text[n++] = (char) (0xf0 | key >> 18), text[n++] = (char) (0x80 | (key >> 12 & 0x3f)), text[n++] = (char) (0x80 | (key >> 6 & 0x3f)),
        text[n++] = (char) (0x80 | (key & 0x3f));
      text[n] = '\0';
    }
  a->stale = true;
}

static void
copy_id (lf_app *a)
{
  int64_t id = selected_id (a);
  const lf_row *r = a->place.view == LF_V_INVOCATIONS ? row_of (a, id) : NULL;
  const char *text = r != NULL ? r->request_id : a->place.view == LF_V_INVOCATION ? a->request_id : NULL;
  if (text == NULL && id >= 0)
    text = a->tab.values[a->tab.order[a->place.selected] * (size_t) a->tab.columns_n].raw;
  if (text == NULL)
    return;
  snprintf (a->copy, sizeof a->copy, "%s", text);
  lf_app_say (a, LF_ROLE_GOOD, "copied: %s", a->copy);
}

static void
move (lf_app *a, int64_t by)
{
  int64_t to = a->place.selected + by, last = (int64_t) a->tab.shown - 1;
  a->place.selected = to > last ? last : to;
  if (a->place.selected < 0)
    a->place.selected = 0;
  if (by != 0)
    a->follow = false;
}

static void
act (lf_app *a, lf_do what, int key)
{
  int page = a->table_h > 2 ? a->table_h - 2 : 1;
  switch (what)
    {
    case LF_DO_UP: move (a, -1); break;
    case LF_DO_DOWN: move (a, 1); break;
    case LF_DO_PAGE_UP: move (a, -page); break;
    case LF_DO_PAGE_DOWN: move (a, page); break;
    case LF_DO_HOME: move (a, -LF_TABLE_ROWS_MAX); break;
    case LF_DO_END: move (a, LF_TABLE_ROWS_MAX); break;
    case LF_DO_LEFT: case LF_DO_LAST_VIEW: step_view (a, -1); break;
    case LF_DO_RIGHT: case LF_DO_NEXT_VIEW: step_view (a, 1); break;
    case LF_DO_ENTER: enter (a); break;
    case LF_DO_BACK: go_back (a); break;
    case LF_DO_FILTER: a->mode = LF_MODE_FILTER; break;
    case LF_DO_SORT: a->place.sort = a->place.sort + 1 < a->tab.columns_n ? a->place.sort + 1 : -1; a->place.descending = a->place.sort > 0; break;
    case LF_DO_REVERSE: a->place.descending = !a->place.descending; break;
    case LF_DO_PROFILE: next_profile (a); break;
    case LF_DO_REGION: next_region (a); break;
    case LF_DO_TIME: next_range (a); break;
    case LF_DO_FOLLOW: a->follow = !a->follow; break;
    case LF_DO_COPY: copy_id (a); break;
    case LF_DO_EXPORT: a->mode = LF_MODE_EXPORT; snprintf (a->input, sizeof a->input, "lambdafit-%s.csv", lf_view_names[a->place.view]); break;
    case LF_DO_HELP: a->mode = LF_MODE_HELP; break;
    case LF_DO_VIEW: a->back_n = 0; lf_app_open (a, (lf_view) (key - '1')); break;
    case LF_DO_QUIT: a->quit = true; break;
    case LF_DO_NONE: return;
    }
  a->stale = true;
}

void
lf_app_key (lf_app *a, int key)
{
  if (key == 3)
    a->quit = true;
  else if (a->mode == LF_MODE_HELP)
    a->mode = LF_MODE_NORMAL;
  else if (a->mode != LF_MODE_NORMAL)
    edit (a, key);
  else
    act (a, lf_key_find (key), key);
}

/* The names on the first line are where draw_head puts them. */
static int
tab_x (const lf_grid *g, lf_view v)
{
  int x = g->w >= 84 ? 11 : 1; /* beside the program's name, or instead of it */
  for (int i = 0; i < (int) v; i++)
    x += (int) strlen (lf_view_names[i]) + 1;
  return x;
}

void
lf_app_click (lf_app *a, int x, int y, bool twice)
{
  int64_t row = (int64_t) a->place.top + y - a->table_y - 1;
  if (a->mode != LF_MODE_NORMAL)
    return;
  for (int v = 0; y == 0 && v < LF_V_COUNT; v++)
    if (x >= tab_x (&a->grid, (lf_view) v) && x < tab_x (&a->grid, (lf_view) v) + (int) strlen (lf_view_names[v]))
      {
        a->back_n = 0;
        lf_app_open (a, (lf_view) v);
        return;
      }
  if (y > a->table_y && y < a->table_y + a->table_h && row < (int64_t) a->tab.shown)
    {
      bool again = row == a->place.selected;
      move (a, row - a->place.selected);
      if (twice || again)
        enter (a);
    }
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------------------------------- */

static void
draw_head (lf_app *a)
{
  lf_grid *g = &a->grid;
  bool room = tab_x (g, LF_V_COUNT) <= g->w + 1;
  if (!room || g->w >= 84)
    lf_grid_put (g, 1, 0, 9, LF_ROLE_TITLE, "lambdafit");
  for (int v = 0; room && v < LF_V_COUNT; v++)
    lf_grid_put (g, tab_x (&a->grid, (lf_view) v), 0, g->w, v == (int) a->place.view ? LF_ROLE_SELECT : LF_ROLE_DIM, lf_view_names[v]);
  if (!room)
    lf_grid_put (g, 11, 0, 14, LF_ROLE_SELECT, lf_view_names[a->place.view]);
  char about[800], reading[40] = "";
  if (a->data.loading)
    snprintf (reading, sizeof reading, ", reading, %lld rows so far", (long long) a->data.sums.rows);
  /* What the user chose comes first, because a long path is what may be cut. */
  bool scoped = a->function[0] != '\0' && a->place.view != LF_V_FUNCTIONS;
  snprintf (about, sizeof about, "%s%.100s%s%s%.80s%stime: %s%s%s  %.40s/%.24s  %.150s", scoped ? "of: " : "", scoped ? a->function : "", scoped ? "  " : "",
            a->place.filter[0] ? "filter: " : "", a->place.filter, a->place.filter[0] ? "  " : "", ranges[a->range].name, a->follow ? ", follow" : "", reading,
            a->profile->name, a->region != NULL ? a->region : "own region", a->data.path);
  lf_grid_put (g, 1, 1, g->w - 2, LF_ROLE_DIM, about);
}

static void
draw_foot (lf_app *a)
{
  lf_grid *g = &a->grid;
  int y = g->h - 1;
  lf_grid_line (g, y - 1, LF_ROLE_DIM);
  if (a->mode == LF_MODE_FILTER)
    lf_grid_putf (g, 1, y, g->w - 2, LF_ROLE_TITLE, "filter: %s_", a->place.filter);
  else if (a->mode == LF_MODE_EXPORT)
    lf_grid_putf (g, 1, y, g->w - 2, LF_ROLE_TITLE, "export to (.csv or .json): %s_", a->input);
  else if (a->message[0] != '\0')
    lf_grid_put (g, 1, y, g->w - 2, a->message_role, a->message);
  else if (a->data.error[0] != '\0')
    lf_grid_put (g, 1, y, g->w - 2, LF_ROLE_BAD, a->data.error);
  else
    lf_grid_putf (g, 1, y, g->w - 2, LF_ROLE_DIM, "? help  Enter open  Esc back  Tab view  / filter  s sort  q quit  %zu of %zu", a->tab.shown, a->tab.rows_n);
}

static void
draw_help (lf_app *a)
{
  int half = (int) (lf_keys_n + 1) / 2, rows = a->grid.h - 4;
  int per = rows < half ? rows : half, width = (a->grid.w - 2) / 2;
  lf_grid_putf (&a->grid, 1, 1, a->grid.w - 2, LF_ROLE_HEAD, "%-*s", a->grid.w - 2, "Keys (any key closes this)");
  for (int i = 0; i < (int) lf_keys_n && i < per * 2; i++)
    {
      int x = 1 + i / per * width, y = 2 + i % per;
      int n = lf_grid_put (&a->grid, x, y, 16, LF_ROLE_TITLE, lf_keys[i].names);
      lf_grid_put (&a->grid, x + (n < 9 ? 10 : n + 1), y, width - (n < 9 ? 11 : n + 2), LF_ROLE_TEXT, lf_keys[i].doc);
    }
}

void
lf_app_draw (lf_app *a)
{
  lf_grid_clear (&a->grid);
  if (a->grid.w < 60 || a->grid.h < 16)
    {
      lf_grid_putf (&a->grid, 0, 0, a->grid.w, LF_ROLE_WARN, "%dx%d is too small", a->grid.w, a->grid.h);
      lf_grid_put (&a->grid, 0, 1, a->grid.w, LF_ROLE_TEXT, "60x16 is needed; q quits");
      return;
    }
  if (a->stale)
    lf_views_make (a);
  a->stale = false;
  if (a->follow)
    a->place.selected = 0;
  draw_head (a);
  if (a->mode == LF_MODE_HELP)
    draw_help (a);
  else
    lf_views_draw (a);
  draw_foot (a);
}
