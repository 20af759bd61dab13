/* SPDX-License-Identifier: Apache-2.0
 *
 * What the documents share: text that is safe in each of them, and a result in one line.
 */
#include <stdio.h>
#include <string.h>

#include "report.h"

/* The length of the character at s, 0 for bytes that are none, and what XML and Markdown take: no controls but tab and line break. */
static size_t
good_char (const char *s, size_t n)
{
  unsigned char c = (unsigned char) *s;
  if (c < 0x80)
    return c >= 0x20 || c == '\n' || c == '\t' ? (c != 0x7F) : 0;
  size_t len = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
  if (len > n || lf_utf8_valid (s, len) != len)
    return 0;
  /* U+FFFE, U+FFFF: no XML characters. */
  return memcmp (s, "\xEF\xBF\xBE", len < 3 ? len : 3) == 0 || memcmp (s, "\xEF\xBF\xBF", len < 3 ? len : 3) == 0 ? 0 : len;
}

void
lf_add_xml (lf_buf *b, const char *s)
{
  for (size_t n = strlen (s), len; n > 0; s += len, n -= len)
    {
      const char *as = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '"' ? "&quot;" : *s == '\n' ? "&#10;" : *s == '\t' ? "&#9;" : NULL;
      len = good_char (s, n);
      if (as)
        lf_buf_adds (b, as);
      else if (len)
        lf_buf_add (b, s, len);
      else
        lf_buf_addc (b, '?');
      len = len ? len : 1;
    }
}

/* One line of Markdown in which nothing is markup. */
void
lf_add_markdown (lf_buf *b, const char *s)
{
  for (size_t n = strlen (s), len; n > 0; s += len, n -= len)
    {
      len = good_char (s, n);
      if (*s == '\n' || *s == '\t')
        lf_buf_addc (b, ' ');
      else if (*s == '&')
        lf_buf_adds (b, "&amp;");
      else if (*s == '<')
        lf_buf_adds (b, "&lt;");
      else if (*s == '>')
        lf_buf_adds (b, "&gt;");
      else if (*s == '@')
        lf_buf_adds (b, "&#64;"); /* nobody is to be called */
      else if (strchr ("\\`*_{}[]()#|~!", *s))
        lf_buf_addf (b, "\\%c", *s);
      else if (len)
        lf_buf_add (b, s, len);
      else
        lf_buf_addc (b, '?');
      len = len ? len : 1;
    }
}

void
lf_result_show (const lf_result *r, int64_t v, char out[48])
{
  if (r->measure >= 0)
    lf_measure_show (r->measure, v, out);
  else if (v == LF_NONE)
    snprintf (out, 48, "-");
  else
    snprintf (out, 48, "%lld", (long long) v);
}

void
lf_result_title (const lf_result *r, lf_buf *b)
{
  lf_buf_addf (b, "%s%s%s", r->budget, r->statistic ? " " : "", r->statistic ? r->statistic : "");
  if (r->budget_text[0])
    lf_buf_addf (b, " (%s)", r->budget_text);
  if (r->of_event) /* a title stays the same when another event has the largest value */
    lf_buf_addf (b, " [%s]", r->event);
}

void
lf_result_figures (const lf_result *r, lf_buf *b)
{
  char used[48], allowed[48], base[48];
  lf_result_show (r, r->used, used);
  lf_result_show (r, r->allowed, allowed);
  lf_result_show (r, r->baseline, base);
  lf_buf_addf (b, "used: %s; allowed: %s; baseline: %s; event: %s", used, allowed, base, r->event ? r->event : "-");
}

bool
lf_result_fails (const lf_result *r, bool strict)
{
  return r->word >= LF_RES_WORSE || r->incomplete || (strict && r->word == LF_RES_NOT_MEASURED);
}
