/* SPDX-License-Identifier: Apache-2.0
 *
 * The grid of cells. Nothing that could steer a terminal gets in, so nothing can come out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "lambdafit/tui.h"

int
lf_grid_init (lf_grid *g, int w, int h, bool ascii)
{
  *g = (lf_grid){ 0 };
  if (w < 1 || h < 1 || w > LF_GRID_MAX || h > LF_GRID_MAX)
    return -1;
  g->cells = calloc ((size_t) w * (size_t) h, sizeof *g->cells);
  if (g->cells == NULL)
    return -1;
  g->w = w;
  g->h = h;
  g->ascii = ascii;
  lf_grid_clear (g);
  return 0;
}

void
lf_grid_fini (lf_grid *g)
{
  if (g != NULL)
    {
      free (g->cells);
      *g = (lf_grid){ 0 };
    }
}

void
lf_grid_clear (lf_grid *g)
{
  for (size_t i = 0; i < (size_t) g->w * (size_t) g->h; i++)
    g->cells[i] = (lf_cell){ .text = " ", .role = LF_ROLE_TEXT };
}

/* One character of at least one byte; *cp is '?' for what may not be shown. Returns its bytes. */
static size_t
next_character (const char *p, uint32_t *cp)
{
  const unsigned char *s = (const unsigned char *) p;
  size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
  *cp = '?';
  if (n == 0 || lf_utf8_valid (p, strnlen (p, n)) < n)
    return 1;
  uint32_t c = n == 1 ? s[0] : (uint32_t) (s[0] & (0x7f >> n));
  for (size_t i = 1; i < n; i++)
    c = c << 6 | (s[i] & 0x3f);
  bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
  bool turns = c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  if (!control && !turns)
    *cp = c;
  return n;
}

static int
width_of (uint32_t cp)
{
  if (cp < 0x7f)
    return 1;
  int w = wcwidth ((wchar_t) cp);
  return w < 0 ? 1 : w > 2 ? 2 : w;
}

int
lf_text_width (const char *text)
{
  int w = 0;
  uint32_t cp;
  while (*text != '\0')
    {
      text += next_character (text, &cp);
      w += width_of (cp);
    }
  return w;
}

static lf_cell *
cell (const lf_grid *g, int x, int y)
{
  return x >= 0 && y >= 0 && x < g->w && y < g->h ? &g->cells[(size_t) y * (size_t) g->w + (size_t) x] : NULL;
}

/* A wide character that loses one half loses the other. */
static void
take (lf_grid *g, int x, int y)
{
  lf_cell *c = cell (g, x, y), *left = cell (g, x - 1, y), *right = cell (g, x + 1, y);
  if (c->text[0] == '\0' && left != NULL)
    memcpy (left->text, " ", 2);
  if (right != NULL && right->text[0] == '\0' && c->text[0] != '\0')
    memcpy (right->text, " ", 2);
}

static void
place (lf_grid *g, int x, int y, lf_role role, const char *p, size_t n, int w)
{
  lf_cell *c = cell (g, x, y), *second = w == 2 ? cell (g, x + 1, y) : NULL;
  take (g, x, y);
  memcpy (c->text, p, n);
  c->text[n] = '\0';
  c->role = (uint8_t) role;
  if (second != NULL)
    {
      take (g, x + 1, y);
      second->text[0] = '\0';
      second->role = (uint8_t) role;
    }
}

/* What does not fit into the cell any more is left out: a name may carry any number of marks. */
static void
combine (lf_grid *g, int x, int y, const char *p, size_t n)
{
  lf_cell *c = cell (g, x, y);
  if (c != NULL && c->text[0] == '\0')
    c = cell (g, x - 1, y);
  if (c == NULL)
    return;
  size_t have = strlen (c->text);
  if (have + n < sizeof c->text)
    {
      memcpy (c->text + have, p, n);
      c->text[have + n] = '\0';
    }
}

int
lf_grid_put (lf_grid *g, int x, int y, int max, lf_role role, const char *text)
{
  int used = 0, room = g->w - x < max ? g->w - x : max;
  if (text == NULL || room <= 0 || x < 0 || y < 0 || y >= g->h)
    return 0;
  bool cut = lf_text_width (text) > room;
  int stop = cut ? room - 1 : room;
  while (*text != '\0')
    {
      uint32_t cp;
      size_t n = next_character (text, &cp);
      int w = width_of (cp);
      const char *p = cp == '?' || (g->ascii && cp > 0x7e) ? "?" : text;
      size_t bytes = p == text ? n : 1;
      if (used + w > stop)
        break;
      if (w > 0)
        for (int i = 0; i < (p == text ? 1 : w); i++)
          place (g, x + used + i, y, role, p, bytes, p == text ? w : 1);
      else if (used > 0 && !g->ascii)
        combine (g, x + used - 1, y, text, n);
      used += w;
      text += n;
    }
  if (cut)
    {
      const char *mark = g->ascii ? "~" : "\xe2\x80\xa6";
      place (g, x + used, y, role, mark, strlen (mark), 1);
      used++;
    }
  return used;
}

int
lf_grid_putf (lf_grid *g, int x, int y, int max, lf_role role, const char *fmt, ...)
{
  char text[1024];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  return lf_grid_put (g, x, y, max, role, text);
}

void
lf_grid_role (lf_grid *g, int x, int y, int n, lf_role role)
{
  for (int i = 0; i < n; i++)
    {
      lf_cell *c = cell (g, x + i, y);
      if (c != NULL)
        c->role = (uint8_t) role;
    }
}

void
lf_grid_line (lf_grid *g, int y, lf_role role)
{
  for (int x = 0; x < g->w; x++)
    lf_grid_put (g, x, y, 1, role, g->ascii ? "-" : "\xe2\x94\x80");
}

int
lf_grid_text (const lf_grid *g, lf_buf *out)
{
  for (int y = 0; y < g->h; y++)
    {
      int end = g->w;
      while (end > 0 && strcmp (cell (g, end - 1, y)->text, " ") == 0)
        end--;
      for (int x = 0; x < end; x++)
        lf_buf_adds (out, cell (g, x, y)->text);
      lf_buf_addc (out, '\n');
    }
  return out->failed ? -1 : 0;
}

/* ---- charts ------------------------------------------------------------------------------------------------------------------------- */

void
lf_grid_spark (lf_grid *g, int x, int y, const int64_t *v, int n, lf_role role)
{
  static const char *const fine[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
  static const char *const plain[] = { " ", ".", ".", ":", "-", "=", "+", "*", "#" };
  int64_t max = 0;
  for (int i = 0; i < n; i++)
    max = v[i] > max ? v[i] : max;
  for (int i = 0; i < n; i++)
    {
      int level = v[i] <= 0 || max == 0 ? 0 : 1 + (int) ((double) v[i] / (double) max * 7.0 + 0.5);
      lf_grid_put (g, x + i, y, 1, role, (g->ascii ? plain : fine)[level > 8 ? 8 : level]);
    }
}

lf_role
lf_gauge_role (int64_t used, int64_t allowed)
{
  if (used == LF_NONE || allowed == LF_NONE || allowed <= 0)
    return LF_ROLE_DIM;
  double part = (double) used / (double) allowed;
  return part >= 1 ? LF_ROLE_BAD : part >= 0.9 ? LF_ROLE_WARN : LF_ROLE_GOOD;
}

void
lf_grid_gauge (lf_grid *g, int x, int y, int width, int64_t used, int64_t allowed)
{
  lf_role role = lf_gauge_role (used, allowed);
  double part = role == LF_ROLE_DIM || used <= 0 ? 0 : (double) used / (double) allowed;
  int full = part >= 1 ? width : (int) (part * width);
  for (int i = 0; i < width; i++)
    {
      const char *on = g->ascii ? "#" : "█", *off = g->ascii ? "." : "░";
      lf_grid_put (g, x + i, y, 1, i < full || (i == 0 && part > 0) ? role : LF_ROLE_DIM, i < full || (i == 0 && part > 0) ? on : off);
    }
}

void
lf_resample (const int64_t *v, int count, int64_t *out, int n, bool sum)
{
  for (int i = 0; i < n; i++)
    out[i] = 0;
  if (n <= 0)
    return;
  for (int i = 0; i < count; i++)
    {
      int at = (int) ((int64_t) i * n / count);
      if (v[i] == LF_NONE)
        continue;
      out[at] = sum ? out[at] + v[i] : v[i] > out[at] ? v[i] : out[at];
    }
}
