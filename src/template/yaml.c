/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML by libfyaml's events, which cost the same however the text is nested and keep nothing of what was passed.
 */
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"

static void
on_diag (struct fy_diag *d, void *user, const char *buf, size_t len)
{
  (void) d;
  lf_yaml_diag_read (user, buf, len);
}

typedef struct reader
{
  tpl *t;
  tpl_builder b;
  int line, column;  /* of the last event that had a place */
  int documents;
} reader;

static const char *
token_text (reader *r, struct fy_token *token)
{
  size_t n = 0;
  const char *s = token ? fy_token_get_text (token, &n) : NULL;
  return s && n ? tpl_strndup (r->t, s, n) : NULL;
}

static int
on_scalar (reader *r, struct fy_event *e, const char *tag, const char *anchor)
{
  size_t n = 0;
  const char *s = e->scalar.value ? fy_token_get_text (e->scalar.value, &n) : NULL;
  enum fy_scalar_style style = e->scalar.value ? fy_token_scalar_style (e->scalar.value) : FYSS_PLAIN;
  /* The mark of a quoted text is behind its quote. */
  int column = r->column - (r->column > 1 && (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED));
  return tpl_build_scalar (&r->b, s, s ? n : 0, style == FYSS_PLAIN, r->line, column, tag, anchor);
}

static int
on_event (reader *r, struct fy_event *e)
{
  const struct fy_mark *m = fy_event_start_mark (e);
  if (m)
    {
      r->line = m->line + 1;
      r->column = m->column + 1;
    }
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

static tpl_node *
read_events (reader *r, struct fy_parser *p, const lf_yaml_diag *d)
{
  struct fy_event *e;
  int rc = 0;
  while (rc == 0 && (e = fy_parser_parse (p)) != NULL)
    {
      rc = on_event (r, e);
      fy_parser_event_free (p, e);
    }
  if (r->t->out.broken || rc < 0)
    return NULL;
  if (fy_parser_get_stream_error (p) || d->text[0])
    {
      tpl_fatal (r->t, d->line > 0 ? d->line : r->line, d->column > 0 ? d->column : r->column, NULL, "not valid YAML: %s",
                 d->text[0] ? d->text : "the text cannot be read from here on");
      return NULL;
    }
  return tpl_build_root (&r->b);
}

tpl_node *
tpl_read_yaml (tpl *t, const char *text, size_t n)
{
  lf_yaml_diag d = { "", 0, 0 };
  struct fy_diag_cfg dc;
  fy_diag_cfg_default (&dc);
  dc.fp = NULL;
  dc.output_fn = on_diag;
  dc.user = &d;
  dc.colorize = dc.show_source = dc.show_type = dc.show_module = false;
  dc.show_position = true;
  struct fy_diag *fd = fy_diag_create (&dc);
  struct fy_parse_cfg pc = { .flags = FYPCF_SLOPPY_FLOW_INDENTATION | FYPCF_JSON_NONE, .diag = fd };
  struct fy_parser *p = fd ? fy_parser_create (&pc) : NULL;
  reader *r = calloc (1, sizeof *r);
  tpl_node *root = NULL;
  if (!r || !p || fy_parser_set_string (p, text, n) != 0)
    t->oom = true;
  else
    {
      r->t = r->b.t = t;
      r->line = r->column = 1;
      root = read_events (r, p, &d);
      tpl_build_fini (&r->b);
    }
  free (r);
  if (p)
    fy_parser_destroy (p);
  if (fd)
    fy_diag_destroy (fd);
  return root;
}
