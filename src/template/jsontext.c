/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON templates. The text was checked to be JSON before; this builds the same tree as YAML does, with the place of every value.
 */
#include <stdlib.h>
#include <string.h>

#include "build.h"

typedef struct reader
{
  tpl *t;
  tpl_builder b;
  const char *p, *end;
  int line;
  const char *seen;  /* a place on the line, and its column */
  int seen_column;
  lf_buf text;
} reader;

/* Characters, not bytes, from the start of the line; goes on from where the last answer was. */
static int
column (reader *r, const char *at)
{
  for (; r->seen < at; r->seen++)
    r->seen_column += ((unsigned char) *r->seen & 0xC0) != 0x80;
  return r->seen_column;
}

static void
skip (reader *r)
{
  for (; r->p < r->end && strchr (" \t\r\n,:", *r->p); r->p++)
    if (*r->p == '\n')
      {
        r->line++;
        r->seen = r->p + 1;
        r->seen_column = 1;
      }
}

static uint32_t
hex4 (const char *p)
{
  char digits[5] = { p[0], p[1], p[2], p[3], 0 };
  return (uint32_t) strtoul (digits, NULL, 16);
}

static void
add_utf8 (lf_buf *b, uint32_t c)
{
  if (c >= 0xD800 && c < 0xE000)
    c = 0xFFFD; /* half of a pair */
  if (c < 0x80)
    lf_buf_addc (b, (char) c);
  else if (c < 0x800)
    {
      lf_buf_addc (b, (char) (0xC0 | c >> 6));
      lf_buf_addc (b, (char) (0x80 | (c & 63)));
    }
  else
    {
      if (c >= 0x10000)
        {
          lf_buf_addc (b, (char) (0xF0 | c >> 18));
          lf_buf_addc (b, (char) (0x80 | (c >> 12 & 63)));
        }
      else
        lf_buf_addc (b, (char) (0xE0 | c >> 12));
      lf_buf_addc (b, (char) (0x80 | (c >> 6 & 63)));
      lf_buf_addc (b, (char) (0x80 | (c & 63)));
    }
}

/* At a backslash; the text is valid, so what must follow does. */
static void
escape (reader *r)
{
  char c = r->p[1];
  const char *from = "bfnrt", *to = "\b\f\n\r\t", *at = strchr (from, c);
  r->p += 2;
  if (c != 'u')
    {
      lf_buf_addc (&r->text, at ? to[at - from] : c);
      return;
    }
  uint32_t u = hex4 (r->p);
  r->p += 4;
  if (u >= 0xD800 && u < 0xDC00 && r->p[0] == '\\' && r->p[1] == 'u')
    {
      uint32_t low = hex4 (r->p + 2);
      if (low >= 0xDC00 && low < 0xE000)
        {
          u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
          r->p += 6;
        }
    }
  add_utf8 (&r->text, u);
}

static int
read_string (reader *r)
{
  int at = column (r, r->p);
  lf_buf_reset (&r->text);
  r->p++;
  while (*r->p != '"')
    {
      size_t n = strcspn (r->p, "\"\\");
      lf_buf_add (&r->text, r->p, n);
      r->p += n;
      if (*r->p == '\\')
        escape (r);
    }
  r->p++;
  if (r->text.failed)
    {
      r->t->oom = true;
      return -1;
    }
  return tpl_build_scalar (&r->b, r->text.data, r->text.len, false, r->line, at, NULL, NULL);
}

static int
read_values (reader *r)
{
  for (skip (r); r->p < r->end; skip (r))
    {
      int rc;
      char c = *r->p;
      if (c == '{' || c == '[')
        rc = tpl_build_open (&r->b, c == '{' ? TPL_MAP : TPL_SEQ, r->line, column (r, r->p++), NULL, NULL);
      else if (c == '}' || c == ']')
        {
          r->p++;
          rc = tpl_build_close (&r->b);
        }
      else if (c == '"')
        rc = read_string (r);
      else
        {
          size_t n = strcspn (r->p, " \t\r\n,:]}");
          rc = tpl_build_scalar (&r->b, r->p, n, true, r->line, column (r, r->p), NULL, NULL);
          r->p += n;
        }
      if (rc < 0)
        return -1;
    }
  return 0;
}

tpl_node *
tpl_read_json (tpl *t, const char *text, size_t n)
{
  reader *r = calloc (1, sizeof *r);
  tpl_node *root = NULL;
  if (!r)
    {
      t->oom = true;
      return NULL;
    }
  r->t = r->b.t = t;
  r->p = r->seen = text;
  r->seen_column = 1;
  r->end = text + n;
  r->line = 1;
  lf_buf_init (&r->text, 0);
  if (read_values (r) == 0)
    root = tpl_build_root (&r->b);
  lf_buf_fini (&r->text);
  tpl_build_fini (&r->b);
  free (r);
  return root;
}
