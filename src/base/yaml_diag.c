/* SPDX-License-Identifier: Apache-2.0
 *
 * What libfyaml says of an error, "INPUT:LINE:COLUMN: error: TEXT" and then the line itself, as fields. Only text: the library is not needed here.
 */
#include "lambdafit/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
lf_yaml_diag_read (lf_yaml_diag *to, const char *p, size_t n)
{
  static const char mark[] = ": error: ";
  const char *at = to->text[0] ? NULL : memmem (p, n, mark, sizeof mark - 1);
  if (!at)
    return;
  const char *column = at;
  while (column > p && column[-1] >= '0' && column[-1] <= '9')
    column--;
  const char *line = column > p ? column - 1 : column;
  while (line > p && line[-1] >= '0' && line[-1] <= '9')
    line--;
  to->line = (int) strtol (line, NULL, 10);
  to->column = (int) strtol (column, NULL, 10);
  const char *text = at + sizeof mark - 1;
  size_t left = (size_t) (p + n - text);
  const char *nl = memchr (text, '\n', left);
  lf_str_copy (to->text, sizeof to->text, (lf_str){ text, nl ? (size_t) (nl - text) : left });
}
