/* SPDX-License-Identifier: Apache-2.0
 *
 * The only file that knows a terminal: brings the grid to it, reads its keys, and leaves it as it was.
 */
#define NCURSES_WIDECHAR 1
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inside.h"

#include <ncurses.h>
#include <term.h> /* last: it makes macros of common words */

static volatile sig_atomic_t ended, resized;

static void
on_end (int sig)
{
  ended = sig;
}

static void
on_resize (int sig)
{
  (void) sig;
  resized = 1;
}

/* Foreground for 256 and for 16 colours (-1: the terminal's own), and what is used besides. */
static const struct { short c256, c16; attr_t attributes, mono; } theme_table[LF_ROLE_COUNT] = {
  [LF_ROLE_TEXT] = { -1, -1, 0, 0 },
  [LF_ROLE_DIM] = { 244, -1, 0, A_DIM },
  [LF_ROLE_HEAD] = { 75, COLOR_CYAN, A_BOLD, A_UNDERLINE },
  [LF_ROLE_TITLE] = { -1, -1, A_BOLD, A_BOLD },
  [LF_ROLE_GOOD] = { 71, COLOR_GREEN, 0, 0 },
  [LF_ROLE_WARN] = { 178, COLOR_YELLOW, 0, A_BOLD },
  [LF_ROLE_BAD] = { 167, COLOR_RED, A_BOLD, A_BOLD | A_UNDERLINE },
  [LF_ROLE_CHART] = { 110, COLOR_BLUE, 0, 0 },
  [LF_ROLE_COLD] = { 80, COLOR_CYAN, 0, A_BOLD },
  [LF_ROLE_SELECT] = { -1, -1, A_REVERSE, A_REVERSE },
  [LF_ROLE_BAR] = { -1, -1, A_REVERSE, A_REVERSE },
};

static int
start_colours (const char *theme)
{
  const char *no = getenv ("NO_COLOR");
  if (theme == NULL && no != NULL && *no != '\0')
    return 0;
  if ((theme != NULL && strcmp (theme, "mono") == 0) || !has_colors () || start_color () != OK)
    return 0;
  bool fine = COLORS >= 256 && (theme == NULL || strcmp (theme, "256") == 0);
  use_default_colors ();
  for (int r = 0; r < LF_ROLE_COUNT; r++)
    init_pair ((short) (r + 1), (short) (fine ? theme_table[r].c256 : theme_table[r].c16), -1);
  return 1;
}

static void
show (const lf_grid *g, int colours)
{
  for (int y = 0; y < g->h; y++)
    {
      move (y, 0);
      for (int x = 0; x < g->w; x++)
        {
          const lf_cell *c = &g->cells[(size_t) y * (size_t) g->w + (size_t) x];
          if (c->text[0] == '\0')
            continue;
          attr_t attributes = colours ? theme_table[c->role].attributes : theme_table[c->role].mono;
          attr_set (attributes, (short) (colours ? c->role + 1 : 0), NULL);
          mvaddstr (y, x, c->text);
        }
    }
  refresh ();
}

static int
to_key (int got, wint_t c)
{
  static const struct { int from, to; } special[] = {
    { KEY_UP, LF_KEY_UP }, { KEY_DOWN, LF_KEY_DOWN }, { KEY_LEFT, LF_KEY_LEFT }, { KEY_RIGHT, LF_KEY_RIGHT }, { KEY_PPAGE, LF_KEY_PPAGE },
    { KEY_NPAGE, LF_KEY_NPAGE }, { KEY_HOME, LF_KEY_HOME }, { KEY_END, LF_KEY_END }, { KEY_BTAB, LF_KEY_BTAB },
    { KEY_BACKSPACE, LF_KEY_BACKSPACE }, { KEY_ENTER, LF_KEY_ENTER } };
  if (got != KEY_CODE_YES)
    return c == 127 || c == 8 ? LF_KEY_BACKSPACE : (int) c;
  for (size_t i = 0; i < LF_ARRAY_LEN (special); i++)
    if (special[i].from == (int) c)
      return special[i].to;
  return 0;
}

static void
mouse (lf_app *a)
{
  MEVENT e;
  if (getmouse (&e) != OK)
    return;
  if (e.bstate & BUTTON4_PRESSED)
    lf_app_key (a, LF_KEY_UP);
  else if (e.bstate & BUTTON5_PRESSED)
    lf_app_key (a, LF_KEY_DOWN);
  else if (e.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED))
    lf_app_click (a, e.x, e.y, (e.bstate & BUTTON1_DOUBLE_CLICKED) != 0);
}

/* True if something was typed. */
static bool
read_keys (lf_app *a)
{
  bool any = false;
  wint_t c;
  int got;
  while (!a->quit && (got = get_wch (&c)) != ERR)
    {
      if (got == KEY_CODE_YES && c == KEY_RESIZE)
        continue; /* the signal has said it already */
      any = true;
      a->message[0] = '\0';
      if (got == KEY_CODE_YES && c == KEY_MOUSE)
        mouse (a);
      else
        lf_app_key (a, to_key (got, c));
    }
  return any;
}

static int
fit_screen (lf_app *a, lf_error *err)
{
  struct winsize ws = { 0 };
  resized = 0;
  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 && ws.ws_row > 0)
    resize_term (ws.ws_row, ws.ws_col); /* resizeterm would report a key besides */
  int w = COLS < 1 ? 1 : COLS > LF_GRID_MAX ? LF_GRID_MAX : COLS, h = LINES < 1 ? 1 : LINES > LF_GRID_MAX ? LF_GRID_MAX : LINES;
  lf_grid_fini (&a->grid);
  erase ();
  clearok (stdscr, TRUE);
  return lf_grid_init (&a->grid, w, h, a->ascii) == 0 ? 0 : LF_FAIL_NOMEM (err);
}

/* OSC 52: the terminal puts the text into the clipboard. Base64, so whatever the text is, it steers nothing. */
static void
send_copy (lf_app *a)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_adds (&b, "\033]52;c;");
  lf_buf_add_base64 (&b, a->copy, strlen (a->copy));
  lf_buf_adds (&b, "\a");
  a->copy[0] = '\0';
  if (!b.failed && write (STDOUT_FILENO, b.data, b.len) < 0)
    lf_app_say (a, LF_ROLE_BAD, "the terminal did not take it");
}

static void
draw (lf_app *a, int colours)
{
  pthread_mutex_lock (&a->data.lock);
  lf_app_draw (a);
  pthread_mutex_unlock (&a->data.lock);
  show (&a->grid, colours);
}

/* Keys may look at the model: which row is chosen. */
static bool
keys (lf_app *a)
{
  pthread_mutex_lock (&a->data.lock);
  bool any = read_keys (a);
  pthread_mutex_unlock (&a->data.lock);
  return any;
}

static int
loop (lf_app *a, lf_work *w, int colours, const sigset_t *quiet, lf_error *err)
{
  bool fresh = true;
  while (!a->quit && !ended)
    {
      if (resized)
        {
          if (fit_screen (a, err) != 0)
            return -1;
          fresh = true;
        }
      if (fresh)
        draw (a, colours);
      if (a->copy[0] != '\0')
        send_copy (a);
      lf_work_tell (w);
      /* Signals come in here and nowhere else, so that none is missed between looking and waiting. */
      struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 }, { lf_work_fd (w), POLLIN, 0 } };
      int n = ppoll (p, LF_ARRAY_LEN (p), NULL, quiet);
      if (n > 0 && (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
        ended = SIGHUP;
      bool news = lf_work_news (w);
      a->stale |= news;
      fresh = (!ended && keys (a)) || news;
    }
  return 0;
}

/* A terminal that went away cannot be restored, and waiting for it would be for ever. */
static void
leave (SCREEN *screen)
{
  if (ended != SIGHUP)
    {
      mousemask (0, NULL);
      endwin ();
    }
  delscreen (screen);
}

static void
enter (void)
{
  raw ();
  noecho ();
  nonl ();
  keypad (stdscr, TRUE);
  nodelay (stdscr, TRUE);
  set_escdelay (25);
  curs_set (0);
  mouseinterval (0);
  mousemask (BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
}

/* A terminal whose cursor cannot be put anywhere shows no frame. Asked before anything is sent to it. */
static bool
can_draw (void)
{
  int found = 0;
  if (setupterm (NULL, STDOUT_FILENO, &found) != OK)
    return false;
  const char *move_to = tigetstr ("cup");
  return move_to != NULL && move_to != (const char *) -1;
}

static int
run (lf_app *a, const char *theme, const sigset_t *quiet, lf_error *err)
{
  lf_work *w = lf_work_start (a, err);
  SCREEN *screen = w != NULL && can_draw () ? newterm (NULL, stdout, stdin) : NULL;
  int result = -1;
  if (screen != NULL)
    {
      enter ();
      int colours = start_colours (theme);
      result = fit_screen (a, err);
      if (result == 0)
        result = loop (a, w, colours, quiet, err);
      leave (screen);
    }
  else if (w != NULL)
    LF_FAIL (err, LF_EXIT_UNSUPPORTED, "top", "set TERM, as in TERM=xterm-256color, or use --once", "this terminal (TERM=%.40s) cannot be drawn on",
             getenv ("TERM") != NULL ? getenv ("TERM") : "");
  lf_work_stop (w);
  return result;
}

int
lf_term_run (lf_app *a, const char *theme, lf_error *err)
{
  struct sigaction end = { .sa_handler = on_end }, size = { .sa_handler = on_resize };
  const int ends[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT };
  sigset_t held, quiet;
  sigemptyset (&held);
  for (size_t i = 0; i < LF_ARRAY_LEN (ends); i++)
    {
      sigaddset (&held, ends[i]);
      sigaction (ends[i], &end, NULL);
    }
  sigaddset (&held, SIGWINCH);
  sigaction (SIGWINCH, &size, NULL);
  sigprocmask (SIG_BLOCK, &held, &quiet);
  int result = run (a, theme, &quiet, err);
  if (ended)
    {
      signal (ended, SIG_DFL);
      sigprocmask (SIG_SETMASK, &quiet, NULL);
      raise (ended);
    }
  sigprocmask (SIG_SETMASK, &quiet, NULL);
  return result;
}
