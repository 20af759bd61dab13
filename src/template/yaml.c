/* SPDX-License-Identifier: Apache-2.0
 *
 * A template in YAML, built from the events of its text.
 */
#include <stdlib.h>

#include "build.h"
#include "lambdafit/yaml.h"

typedef struct reader
{
  tpl *t;
  tpl_builder b;
  int line, column;  /* of this event */
  int documents;
} reader;

static const char *
token_text (reader *r, struct fy_token *token)
{
  size_t n;
  const char *s = lf_yaml_text (token, &n);
  return s && n ? tpl_strndup (r->t, s, n) : NULL;
}

static int
on_scalar (reader *r, struct fy_event *e, const char *tag, const char *anchor)
{
  size_t n;
  const char *s = lf_yaml_text (e->scalar.value, &n);
  enum fy_scalar_style style = e->scalar.value ? fy_token_scalar_style (e->scalar.value) : FYSS_PLAIN;
  /* The mark of a quoted text is behind its quote. */
  int column = r->column - (r->column > 1 && (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED));
  return tpl_build_scalar (&r->b, s, s ? n : 0, style == FYSS_PLAIN, r->line, column, tag, anchor);
}

static int
on_event (void *user, struct fy_event *e, int line, int column)
{
  reader *r = user;
  r->line = line;
  r->column = column;
  const char *tag = token_text (r, fy_event_get_tag_token (e)), *anchor = token_text (r, fy_event_get_anchor_token (e));
  switch (e->type)
    {
    case FYET_DOCUMENT_START:
      if (++r->documents == 1)
        return 0;
      tpl_fatal (r->t, r->line, r->column, NULL, "a second document begins here: a template is one document");
      return -1;
    case FYET_MAPPING_START:
      return tpl_build_open (&r->b, TPL_MAP, r->line, r->column, tag, anchor);
    case FYET_SEQUENCE_START:
      return tpl_build_open (&r->b, TPL_SEQ, r->line, r->column, tag, anchor);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
      return tpl_build_close (&r->b);
    case FYET_SCALAR:
      return on_scalar (r, e, tag, anchor);
    case FYET_ALIAS:
      {
        const char *name = token_text (r, e->alias.anchor);
        return name ? tpl_build_alias (&r->b, name, r->line, r->column - (r->column > 1)) : -1;
      }
    default:
      return 0;
    }
}

tpl_node *
tpl_read_yaml (tpl *t, const char *text, size_t n)
{
  reader *r = calloc (1, sizeof *r);
  tpl_node *root = NULL;
  lf_yaml_fault fault;
  if (!r)
    {
      t->oom = true;
      return NULL;
    }
  r->t = r->b.t = t;
  r->line = r->column = 1;
  lf_yaml_end end = lf_yaml_walk (text, n, on_event, r, &fault);
  if (end == LF_YAML_NOMEM)
    t->oom = true;
  else if (end == LF_YAML_BAD && !t->out.broken)
    tpl_fatal (t, fault.line, fault.column, NULL, "not valid YAML: %s", fault.text);
  else if (end == LF_YAML_DONE && !t->out.broken)
    root = tpl_build_root (&r->b);
  tpl_build_fini (&r->b);
  free (r);
  return root;
}
