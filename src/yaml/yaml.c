/* SPDX-License-Identifier: Apache-2.0
 *
 * libfyaml writes a picture of the line in which an error is, with a mark below it, into a buffer that is too small when the line has tabs (0.7.12,
 * found by fuzzing). So it is asked to collect its errors, which draws nothing.
 */
#include "lambdafit/yaml.h"

#include "lambdafit/base.h"

#include <stdio.h>

const char *
lf_yaml_text (struct fy_token *token, size_t *n)
{
  *n = 0;
  return token ? fy_token_get_text (token, n) : NULL;
}

static lf_yaml_end
judge (struct fy_parser *p, struct fy_diag *d, lf_yaml_fault *fault, int line, int column)
{
  void *at = NULL;
  const struct fy_diag_error *e = fy_diag_errors_iterate (d, &at);
  if (!e && !fy_parser_get_stream_error (p))
    return LF_YAML_DONE;
  fault->line = e && e->line > 0 ? e->line : line;
  fault->column = e && e->column > 0 ? e->column : column;
  snprintf (fault->text, sizeof fault->text, "%s", e && e->msg ? e->msg : "the text cannot be read from here on");
  return LF_YAML_BAD;
}

static lf_yaml_end
walk (struct fy_parser *p, struct fy_diag *d, lf_yaml_visit visit, void *user, lf_yaml_fault *fault)
{
  struct fy_event *e;
  int line = 1, column = 1;
  while ((e = fy_parser_parse (p)) != NULL)
    {
      const struct fy_mark *m = fy_event_start_mark (e);
      if (m)
        {
          line = m->line + 1;
          column = m->column + 1;
        }
      int rc = visit (user, e, line, column);
      fy_parser_event_free (p, e);
      if (rc != 0)
        return LF_YAML_ENDED;
    }
  return judge (p, d, fault, line, column);
}

/* libfyaml says what it dislikes to nobody, as there are its collected errors. */
static void
no_output (struct fy_diag *d, void *user, const char *text, size_t n)
{
  (void) d, (void) user, (void) text, (void) n;
}

lf_yaml_end
lf_yaml_walk (const char *text, size_t n, lf_yaml_visit visit, void *user, lf_yaml_fault *fault)
{
  struct fy_diag_cfg dc;
  fy_diag_cfg_default (&dc);
  dc.fp = NULL;
  dc.output_fn = no_output;
  dc.colorize = false;
  struct fy_diag *d = fy_diag_create (&dc);
  if (d)
    fy_diag_set_collect_errors (d, true);
  struct fy_parse_cfg pc = { .flags = FYPCF_SLOPPY_FLOW_INDENTATION | FYPCF_JSON_NONE, .diag = d };
  struct fy_parser *p = d ? fy_parser_create (&pc) : NULL;
  lf_yaml_end end = !p || fy_parser_set_string (p, text, n) != 0 ? LF_YAML_NOMEM : walk (p, d, visit, user, fault);
  if (p)
    fy_parser_destroy (p);
  if (d)
    fy_diag_destroy (d);
  return end;
}
