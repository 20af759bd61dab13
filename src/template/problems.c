/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings about a template.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define MESSAGE_MAX 6000

static const char *
keep (tpl *t, const char *s)
{
  return s ? tpl_strdup (t, s) : NULL;
}

void
tpl_problem_at (tpl *t, lf_template_severity s, int line, int column, const char *id, const char *property, const char *limit_id,
                const char *message)
{
  if (t->problems_n == TPL_PROBLEMS_MAX)
    {
      /* An error is never lost behind warnings. */
      t->out.problems_dropped++;
      if (s == LF_TPL_ERROR && t->warnings_n > 0)
        for (size_t i = t->problems_n; i-- > 0;)
          if (t->problems[i].severity == LF_TPL_WARNING)
            {
              t->warnings_n--;
              t->problems[i] = (lf_template_problem){ s, line, column, keep (t, id), keep (t, property), keep (t, message), limit_id, t->deploy_only };
              return;
            }
      return;
    }
  if (t->problems_n == t->problems_cap)
    {
      size_t cap = t->problems_cap ? 2 * t->problems_cap : 16;
      lf_template_problem *p = realloc (t->problems, cap * sizeof *p);
      if (!p)
        {
          t->oom = true;
          return;
        }
      t->problems = p;
      t->problems_cap = cap;
    }
  const char *text = keep (t, message);
  t->warnings_n += s == LF_TPL_WARNING;
  t->problems[t->problems_n++]
      = (lf_template_problem){ s, line, column, keep (t, id), keep (t, property), text ? text : "the template expands too far", limit_id, t->deploy_only };
}

static LF_PRINTF (7, 0) void
add (tpl *t, lf_template_severity s, int line, int column, const char *id, const char *property, const char *fmt, va_list ap)
{
  char text[MESSAGE_MAX];
  vsnprintf (text, sizeof text, fmt, ap);
  tpl_problem_at (t, s, line, column, id, property, NULL, text);
}

void
tpl_problem (tpl *t, lf_template_severity s, const tpl_node *at, const char *id, const char *property, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  add (t, s, at ? at->line : 1, at ? at->column : 1, id, property, fmt, ap);
  va_end (ap);
}

void
tpl_fatal (tpl *t, int line, int column, const char *property, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  add (t, LF_TPL_ERROR, line, column, NULL, property, fmt, ap);
  va_end (ap);
  t->out.broken = true;
}

void
tpl_here (tpl *t, lf_template_severity s, const tpl_node *at, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  add (t, s, at ? at->line : 1, at ? at->column : 1, t->where_id, t->where_property, fmt, ap);
  va_end (ap);
}

void
tpl_warn_once (tpl *t, const tpl_node *at, const char *what, const char *fmt, ...)
{
  if (!tpl_set_add (t, what))
    return;
  va_list ap;
  va_start (ap, fmt);
  add (t, LF_TPL_WARNING, at ? at->line : 1, at ? at->column : 1, t->where_id, t->where_property, fmt, ap);
  va_end (ap);
}

static int
compare (const void *a, const void *b)
{
  const lf_template_problem *x = a, *y = b;
  if (x->line != y->line)
    return x->line < y->line ? -1 : 1;
  if (x->column != y->column)
    return x->column < y->column ? -1 : 1;
  if (x->severity != y->severity)
    return x->severity < y->severity ? -1 : 1;
  int c = strcmp (x->logical_id ? x->logical_id : "", y->logical_id ? y->logical_id : "");
  return c ? c : strcmp (x->message, y->message);
}

void
tpl_problems_sort (tpl *t)
{
  if (t->problems_n > 1)
    qsort (t->problems, t->problems_n, sizeof *t->problems, compare);
  t->out.problems = t->problems;
  t->out.problems_n = t->problems_n;
}

int
lf_template_problem_text (const lf_template *t, const lf_template_problem *p, lf_buf *b)
{
  lf_buf_addf (b, "%s:%d:%d: %s: ", t->path, p->line, p->column, p->severity == LF_TPL_ERROR ? "error" : "warning");
  if (p->logical_id)
    lf_buf_addf (b, "%s%s%s: ", p->logical_id, p->property ? "." : "", p->property ? p->property : "");
  else if (p->property)
    lf_buf_addf (b, "%s: ", p->property);
  lf_buf_add_printable (b, p->message, strlen (p->message));
  return lf_buf_addc (b, '\n');
}

int
lf_template_add_problem (lf_template *t, lf_template_severity severity, int line, int column, const char *logical_id, const char *property,
                         const char *limit_id, const char *message)
{
  tpl_problem_at (t->inside, severity, line, column, logical_id, property, limit_id, message);
  tpl_problems_sort (t->inside);
  return t->inside->oom ? -1 : 0;
}
