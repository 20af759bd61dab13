/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit top: one frame as text, or the interactive dashboard.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "inside.h"

static int
parse_size (const char *size, int *w, int *h, lf_error *err)
{
  int64_t columns = 80, lines = 24;
  const char *at = size;
  if (!size || (lf_take_i64 (&at, LF_GRID_MAX, &columns) == 0 && *at++ == 'x' && lf_take_i64 (&at, LF_GRID_MAX, &lines) == 0 && !*at && columns >= 60 && lines >= 16))
    {
      *w = (int) columns;
      *h = (int) lines;
      return 0;
    }
  return LF_FAIL (err, LF_EXIT_USAGE, "--size", "give columns and lines, as in 120x40", "\"%.40s\" is not a size from 60x16 to %dx%d", size, LF_GRID_MAX, LF_GRID_MAX);
}

static int
parse_view (const char *name, lf_view *out, lf_error *err)
{
  *out = LF_V_FUNCTIONS;
  for (int v = 0; name != NULL && v < LF_V_COUNT; v++)
    if (strcmp (lf_view_names[v], name) == 0)
      {
        *out = (lf_view) v;
        return 0;
      }
  return name == NULL ? 0 : LF_FAIL (err, LF_EXIT_USAGE, "--view", "functions, function, invocations, invocation, environments, violations, cost",
                                     "there is no view \"%.40s\"", name);
}

/* Everything is read before the one frame is drawn. */
static int
once (lf_app *a, bool json, lf_error *err)
{
  lf_want want;
  lf_buf out LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&out, 0);
  lf_app_want (a, &want);
  if (lf_data_read (&a->data, &want, NULL, NULL, err) < 0)
    return -1;
  if (a->place.view == LF_V_ENVIRONMENTS)
    lf_app_ask_daemon (a);
  lf_app_draw (a);
  /* Which function or invocation is the newest is known only now. */
  lf_app_want (a, &want);
  if (lf_data_read (&a->data, &want, NULL, NULL, err) < 0)
    return -1;
  a->stale = true;
  lf_app_draw (a);
  if ((json ? lf_tab_json (&a->tab, &out) : lf_grid_text (&a->grid, &out)) != 0)
    return LF_FAIL_NOMEM (err);
  if (fwrite (out.data, 1, out.len, stdout) != out.len || fflush (stdout) != 0)
    return LF_FAIL (err, LF_EXIT_IO, "standard output", "", "cannot write the frame");
  return 0;
}

static void
app_fini (lf_app *a)
{
  lf_data_fini (&a->data);
  lf_grid_fini (&a->grid);
  lf_tab_fini (&a->tab);
  lf_strv_fini (&a->profile_names);
  lf_json_freep (&a->environments);
  for (int i = 0; i < a->profiles_n; i++)
    lf_profile_free (a->profiles[i]);
}

static int
start (lf_app *a, const lf_top_options *o, lf_error *err)
{
  int w, h;
  lf_view view;
  if (parse_size (o->size, &w, &h, err) != 0 || parse_view (o->view, &view, err) != 0)
    return -1;
  a->profiles[0] = lf_profile_load (o->profile, err);
  if (a->profiles[0] == NULL)
    return -1;
  a->profiles_n = 1;
  a->profile = a->profiles[0];
  lf_store *store = lf_store_open_read (o->db, err);
  if (store == NULL)
    return -1;
  if (lf_data_init (&a->data, store) != 0 || lf_grid_init (&a->grid, w, h, a->ascii) != 0)
    return LF_FAIL_NOMEM (err);
  a->region = o->region;
  a->since_us = o->since_us;
  a->endpoint = o->endpoint;
  lf_store_busy_timeout (store, o->once ? 5000 : 500);
  snprintf (a->function, sizeof a->function, "%s", o->function != NULL ? o->function : "");
  snprintf (a->request_id, sizeof a->request_id, "%s", o->request_id != NULL ? o->request_id : "");
  lf_app_open (a, view);
  return lf_profile_list (&a->profile_names, err);
}

int
lf_top (const lf_top_options *o, lf_error *err)
{
  lf_app a = { 0 };
  setlocale (LC_CTYPE, "");
  /* Widths of characters are those of UTF-8 whatever the terminal can draw. */
  a.ascii = o->ascii || strcmp (nl_langinfo (CODESET), "UTF-8") != 0;
  setlocale (LC_CTYPE, "C.UTF-8");
  int result = 0;
  if (!o->once && (!isatty (STDIN_FILENO) || !isatty (STDOUT_FILENO)))
    return LF_FAIL (err, LF_EXIT_USAGE, "top", "--once prints one frame as text", "standard input and output are not a terminal");
  result = start (&a, o, err);
  if (result == 0)
    result = o->once ? once (&a, o->json, err) : lf_term_run (&a, o->theme, err);
  app_fini (&a);
  return result;
}
