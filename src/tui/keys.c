/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of keys. The help screen is this table.
 */
#include "lambdafit/tui.h"

const lf_key lf_keys[] = {
  { LF_DO_UP, { LF_KEY_UP, 'k' }, "up, k", "one row up" },
  { LF_DO_DOWN, { LF_KEY_DOWN, 'j' }, "down, j", "one row down" },
  { LF_DO_PAGE_UP, { LF_KEY_PPAGE, 2 }, "PgUp, ^B", "a page up" },
  { LF_DO_PAGE_DOWN, { LF_KEY_NPAGE, 6 }, "PgDn, ^F", "a page down" },
  { LF_DO_HOME, { LF_KEY_HOME, 'g' }, "Home, g", "the first row" },
  { LF_DO_END, { LF_KEY_END, 'G' }, "End, G", "the last row" },
  { LF_DO_LEFT, { LF_KEY_LEFT, 'h' }, "left, h", "the view before" },
  { LF_DO_RIGHT, { LF_KEY_RIGHT, 'l' }, "right, l", "the view after" },
  { LF_DO_ENTER, { LF_KEY_ENTER, 10 }, "Enter", "open the row" },
  { LF_DO_BACK, { LF_KEY_ESC, LF_KEY_BACKSPACE }, "Esc", "back" },
  { LF_DO_NEXT_VIEW, { LF_KEY_TAB }, "Tab", "the next view" },
  { LF_DO_LAST_VIEW, { LF_KEY_BTAB }, "Shift-Tab", "the view before" },
  { LF_DO_VIEW, { 0 }, "1 to 7", "a view by its number" },
  { LF_DO_FILTER, { '/' }, "/", "only rows with words" },
  { LF_DO_SORT, { 's' }, "s", "sort by next column" },
  { LF_DO_REVERSE, { 'S' }, "S", "turn the order round" },
  { LF_DO_PROFILE, { 'p' }, "p", "the next profile" },
  { LF_DO_REGION, { 'r' }, "r", "next region's prices" },
  { LF_DO_TIME, { 't' }, "t", "time range" },
  { LF_DO_FOLLOW, { 'f' }, "f", "follow the newest" },
  { LF_DO_COPY, { 'c' }, "c", "copy the row's id" },
  { LF_DO_EXPORT, { 'x' }, "x", "export: CSV, JSON" },
  { LF_DO_HELP, { '?' }, "?", "this help" },
  { LF_DO_QUIT, { 'q', 3 }, "q, ^C", "quit" },
};
const size_t lf_keys_n = LF_ARRAY_LEN (lf_keys);

lf_do
lf_key_find (int key)
{
  if (key >= '1' && key <= '7')
    return LF_DO_VIEW;
  for (size_t i = 0; key != 0 && i < lf_keys_n; i++)
    for (size_t k = 0; k < LF_ARRAY_LEN (lf_keys[i].keys); k++)
      if (lf_keys[i].keys[k] == key)
        return lf_keys[i].what;
  return LF_DO_NONE;
}
