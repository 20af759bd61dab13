/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/life-cycle.md is true: every row of its table of transitions is tried, every pair that it leaves out does nothing, and no
 * name of
 * the door is missing from it.
 */
#include "fleet_world.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
slurp (const char *name)
{
  const char *top = getenv ("TOP_SRCDIR");
  char path[4096];
  snprintf (path, sizeof path, "%s/%s", top ? top : ".", name);
  FILE *in = fopen (path, "rb");
  if (!in)
    fail_msg ("cannot open %s (TOP_SRCDIR says where the sources are)", path);
  char *text = calloc (1, 200001);
  assert_non_null (text);
  size_t n = fread (text, 1, 200000, in);
  assert_true (n > 1000 && n < 200000);
  fclose (in);
  return text;
}

static void
no_name_is_missing (void **state)
{
  (void) state;
  static const char *const prefixes[] = { "LF_ENV_", "LF_EV_", "LF_FX_", "LF_END_", "LF_AFX_", "LF_AS_" };
  char *door = slurp ("include/lambdafit/model.h"), *doc = slurp ("docs/life-cycle.md");
  size_t names = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (prefixes); i++)
    for (const char *p = door; (p = strstr (p, prefixes[i])); p++)
      {
        char name[64] = "";
        size_t n = 0;
        for (; (isupper ((unsigned char) p[n]) || p[n] == '_') && n < sizeof name - 1; n++)
          name[n] = p[n];
        if (strcmp (name, "LF_ENV_KEY_") == 0)
          continue;
        if (!strstr (doc, name))
          fail_msg ("docs/life-cycle.md does not mention %s", name);
        names++;
      }
  assert_true (names >= 40);
  free (door);
  free (doc);
}

/* ---- transitions ------------------------------------------------------------------------------------------------------------- */

/* How to come into each state. Times are small, so that nothing is due; the freeze delay is 1 ms. */
#define DELIVERED { 0, "invoke a" }, { 0, "launched 1" }, { 0, "next 1" }
#define RESTED DELIVERED, { 0, "ok 1" }, { 0, "next 1" }
static const struct { const char *name; struct { lf_time_us at; const char *event; } by[8]; } states[] = {
  { "none idle", { { 0, NULL } } },
  { "LF_ENV_STARTING not launched", { { 0, "invoke a" } } },
  { "LF_ENV_STARTING first init", { { 0, "invoke a" }, { 0, "launched 1" } } },
  { "LF_ENV_RESETTING first init", { { 0, "invoke a" }, { 0, "launched 1" }, { 10000000, "tick" } } },
  { "LF_ENV_BUSY init again", { { 0, "invoke a" }, { 0, "launched 1" }, { 0, "exit 1" } } },
  { "LF_ENV_BUSY handling", { DELIVERED } },
  { "LF_ENV_BUSY answered", { DELIVERED, { 0, "ok 1" } } },
  { "LF_ENV_RESETTING timeout", { DELIVERED, { 3000000, "tick" } } },
  { "LF_ENV_RESETTING answered", { DELIVERED, { 0, "ok 1" }, { 3000000, "tick" } } },
  { "LF_ENV_IDLE awake", { RESTED } },
  { "LF_ENV_IDLE frozen", { RESTED, { 1000, "tick" } } },
  { "LF_ENV_IDLE no process", { RESTED, { 0, "exit 1" } } },
  { "LF_ENV_IDLE frozen, no process", { RESTED, { 1000, "tick" }, { 1000, "exit 1" } } },
  { "LF_ENV_GONE", { { 0, "invoke a" }, { 0, "failed 1" } } },
};

static const struct { const char *name, *event; } events[] = {
  { "LF_EV_INVOKE", "invoke b" }, { "LF_EV_LAUNCHED", "launched 1" }, { "LF_EV_LAUNCH_FAILED", "failed 1" },
  { "LF_EV_NEXT", "next 1" },
  { "LF_EV_RESPONSE", "ok 1" }, { "LF_EV_EXIT", "exit 1" }, { "LF_EV_GONE", "gone 1" }, { "LF_EV_TICK deadline", "tick" },
  { "LF_EV_TICK freeze delay", "tick" }, { "LF_EV_REMOVE_FN", "remove 0" }, { "LF_EV_SHUTDOWN", "shutdown" },
};

static const char *
state_of (const lf_env *e)
{
  switch (e->state)
    {
    case LF_ENV_STARTING:
      return e->launched == LF_NONE ? "LF_ENV_STARTING not launched" : "LF_ENV_STARTING first init";
    case LF_ENV_BUSY:
      return e->in_invoke_init ? "LF_ENV_BUSY init again" : e->inv->responded ? "LF_ENV_BUSY answered" : "LF_ENV_BUSY handling";
    case LF_ENV_IDLE:
      if (e->needs_init)
        return e->frozen ? "LF_ENV_IDLE frozen, no process" : "LF_ENV_IDLE no process";
      return e->frozen ? "LF_ENV_IDLE frozen" : "LF_ENV_IDLE awake";
    case LF_ENV_RESETTING:
      return e->init_overran ? "LF_ENV_RESETTING first init"
             : e->inv->answered ? "LF_ENV_RESETTING answered"
                                : "LF_ENV_RESETTING timeout";
    case LF_ENV_GONE:
      break;
    }
  return "LF_ENV_GONE";
}

/* "ANSWER:a DESTROY:1:keepalive" as the document writes it. */
static void
as_written (const lf_effects *fx, char *out, size_t size)
{
  static const char *const names[] = { "START", "RESTART", "THAW", "DELIVER", "FREEZE", "KILL", "DESTROY", "ABANDONED", "ANSWER",
      "FINISH" };
  static const char *const ends[] = { "KEEPALIVE", "LIFE", "SINGLE_USE", "SHUTDOWN", "START_FAILED", "REMOVED" };
  out[0] = '\0';
  for (size_t i = 0; i < fx->n; i++)
    {
      size_t n = strlen (out);
      snprintf (out + n, size - n, "%sLF_FX_%s", i ? " " : "", names[fx->v[i].type]);
      n = strlen (out);
      if (fx->v[i].type == LF_FX_DESTROY)
        snprintf (out + n, size - n, " (LF_END_%s)", ends[fx->v[i].end]);
    }
}

typedef struct line { char cell[4][200]; int cells; } line;

/* One row of a Markdown table, without its backticks. */
static line
read_line (const char *p, size_t n)
{
  line l = { .cells = 0 };
  size_t w = 0;
  for (size_t i = 1; i < n && l.cells < 4; i++)
    {
      char *cell = l.cell[l.cells];
      if (p[i] == '|')
        {
          while (w && cell[w - 1] == ' ')
            w--;
          cell[w] = '\0';
          l.cells++;
          w = 0;
        }
      else if (p[i] != '`' && (w || p[i] != ' ') && w < sizeof l.cell[0] - 1)
        cell[w++] = p[i];
    }
  return l;
}

static bool
find_row (const char *doc, const char *state_name, const char *event_name, line *out)
{
  const char *p = strstr (doc, "## Transitions");
  assert_non_null (p);
  for (; p && *p; p = strchr (p, '\n'), p += p != NULL)
    {
      const char *end = strchr (p, '\n');
      if (*p != '|' || !end)
        continue;
      *out = read_line (p, (size_t) (end - p));
      if (out->cells == 4 && strcmp (out->cell[0], state_name) == 0 && strcmp (out->cell[1], event_name) == 0)
        return true;
    }
  return false;
}

static void
try_pair (const char *doc, size_t s, size_t e, size_t *rows)
{
  world w;
  world_init (&w, world_profile_2026 ());
  w.options.freeze_delay_us = 1000;
  world_open (&w);
  lf_time_us now = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (states[s].by) && states[s].by[i].event; i++)
    world_do (&w, now = states[s].by[i].at, states[s].by[i].event);
  bool none = s == 0, idle = strncmp (states[s].name, "LF_ENV_IDLE", 11) == 0;
  if (!none)
    assert_string_equal (state_of (w.env[1]), states[s].name);
  if (strcmp (events[e].name, "LF_EV_TICK freeze delay") == 0)
    now += 1000;
  if (strcmp (events[e].name, "LF_EV_TICK deadline") == 0 && !none && w.env[1]->deadline != LF_NONE)
    now = w.env[1]->deadline;
  world_do (&w, now, events[e].event);
  const char *broken = lf_fleet_broken (w.fleet);
  assert_null (broken);
  char effects[400];
  as_written (&w.fx, effects, sizeof effects);
  bool forgotten = strcmp (events[e].name, "LF_EV_GONE") == 0;
  const char *then = forgotten ? "forgotten" : state_of (w.env[1]);
  line l = { .cells = 0 };
  bool written = find_row (doc, none || (!idle && e == 0) ? "none idle" : states[s].name, events[e].name, &l);
  if (!none && !idle && e == 0)
    then = state_of (w.env[2]);
  const char *want = written ? l.cell[2] : "", *want_then = written ? l.cell[3] : states[s].name;
  if (strcmp (effects, want) != 0 || strcmp (then, want_then) != 0)
    fail_msg ("%s, %s: docs/life-cycle.md says \"%s\", then %s; it is \"%s\", then %s", states[s].name, events[e].name, want,
        want_then, effects, then);
  *rows += written && (none || idle || e != 0);
  world_close (&w);
}

static void
every_row_is_true (void **state)
{
  (void) state;
  char *doc = slurp ("docs/life-cycle.md");
  size_t rows = 0, written = 0;
  for (size_t s = 0; s < LF_ARRAY_LEN (states); s++)
    for (size_t e = 0; e < LF_ARRAY_LEN (events); e++)
      if (s > 0 || e == 0)
        try_pair (doc, s, e, &rows);
  /* no row is there that was not tried */
  const char *end = strstr (doc, "## What an invocation becomes");
  assert_non_null (end);
  for (const char *p = strstr (doc, "## Transitions"); p && p < end; p = strchr (p, '\n') + 1)
    written += strncmp (p, "| `LF_ENV_", 10) == 0 || strncmp (p, "| none", 6) == 0;
  assert_int_equal (rows, written);
  free (doc);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (no_name_is_missing),
    cmocka_unit_test (every_row_is_true),
  };
  return cmocka_run_group_tests_name ("the life cycle as it is documented", tests, NULL, NULL);
}
