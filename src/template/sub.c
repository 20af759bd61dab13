/* SPDX-License-Identifier: Apache-2.0
 *
 * Fn::Sub: ${Name}, ${Resource.Attribute}, ${!Literal}, and the list form with its own names.
 */
#include <ctype.h>
#include <string.h>

#include "inside.h"

#define TEXT_MAX ((size_t) 16 << 20)

typedef struct sub
{
  tpl *t;
  const tpl_node *at, *names; /* names: of the list form */
  lf_buf out;
  bool guess;
} sub;

bool
tpl_sub_name_valid (const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (!isalnum ((unsigned char) s[i]) && !strchr ("_.:", s[i]))
      return false;
  return n > 0;
}

bool
tpl_sub_next (const char **at, const char **open, const char **name, size_t *n)
{
  const char *close = (*open = strstr (*at, "${")) ? strchr (*open, '}') : NULL;
  if (!close)
    return false;
  *name = *open + 2;
  *n = (size_t) (close - *name);
  while (*n && isspace ((unsigned char) **name))
    ++*name, --*n;
  while (*n && isspace ((unsigned char) (*name)[*n - 1]))
    --*n;
  *at = close + 1;
  return true;
}

/* A value put into text: a list's items are set one after another with commas, as a parameter that is a list was given. */
static void
add_value (sub *s, const tpl_node *v, const char *name)
{
  if (!v)
    return;
  s->guess |= v->guess;
  if (v->kind == TPL_SCALAR)
    lf_buf_adds (&s->out, v->u.s);
  else if (v->kind == TPL_SEQ)
    for (uint32_t i = 0; i < v->n; i++)
      lf_buf_addf (&s->out, "%s%s", i ? "," : "", tpl_text (v->u.item[i]) ? tpl_text (v->u.item[i]) : "");
  else
    tpl_here (s->t, LF_TPL_ERROR, s->at, "Fn::Sub puts texts in, and %.100s is a map", name);
}

static void
add_name (sub *s, const char *p, size_t n)
{
  if (!tpl_sub_name_valid (p, n))
    {
      tpl_here (s->t, LF_TPL_ERROR, s->at,
                "${%.*s} in Fn::Sub is no name: only letters, digits, \"_\", \".\" and \":\" may be in one (write ${!...} for text that is to stay)",
                (int) (n < 100 ? n : 100), p);
      return;
    }
  const char *name = tpl_strndup (s->t, p, n), *dot = name ? strchr (name, '.') : NULL;
  const tpl_node *own = name ? tpl_get (s->names, name) : NULL;
  if (!name)
    return;
  if (own)
    add_value (s, tpl_resolve (s->t, own), name);
  else if (dot && dot > name && dot[1])
    {
      const char *id = tpl_strndup (s->t, name, (size_t) (dot - name));
      add_value (s, id ? tpl_get_att (s->t, s->at, id, dot + 1) : NULL, name);
    }
  else
    add_value (s, tpl_ref (s->t, s->at, name), name);
}

static void
expand (sub *s, const char *p)
{
  const char *from = p, *open, *name;
  for (size_t n; tpl_sub_next (&p, &open, &name, &n); from = p)
    {
      lf_buf_add (&s->out, from, (size_t) (open - from));
      if (open[2] == '!')
        {
          lf_buf_adds (&s->out, "${");
          lf_buf_add (&s->out, open + 3, (size_t) (p - (open + 3)));
        }
      else
        add_name (s, name, n);
      tpl_work (s->t, 1);
    }
  lf_buf_adds (&s->out, from);
}

const tpl_node *
tpl_fn_sub (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  sub s = { .t = t, .at = at };
  const char *text = tpl_text (arg);
  if (tpl_is (arg, TPL_SEQ) && arg->n == 2 && tpl_is (arg->u.item[1], TPL_MAP))
    {
      text = tpl_text (arg->u.item[0]);
      s.names = arg->u.item[1];
    }
  else if (tpl_is (arg, TPL_SEQ) && arg->n == 1)
    text = tpl_text (arg->u.item[0]);
  if (!text)
    {
      tpl_here (t, LF_TPL_ERROR, at, "Fn::Sub takes a text, or a list of a text and a map of names");
      return tpl_unresolved (t, at, "unresolved");
    }
  lf_buf_init (&s.out, TEXT_MAX);
  expand (&s, text);
  const tpl_node *r = NULL;
  if (s.out.failed)
    tpl_here (t, LF_TPL_ERROR, at, "this makes a text of more than 16 MB");
  else
    tpl_work (t, s.out.len / 64), r = tpl_scalar (t, at, s.out.data ? s.out.data : "", s.out.len, s.guess);
  lf_buf_fini (&s.out);
  return r;
}
