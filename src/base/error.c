/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lambdafit/base.h"

int
lf_error_set (lf_error *err, lf_exit status, const char *file, int line, const char *what, const char *fix, const char *why, ...)
{
  int saved = errno;
  va_list ap;

  /* Format first: an argument may point into *err itself when an error is wrapped in another. */
  char text[sizeof err->why];
  va_start (ap, why);
  if (vsnprintf (text, sizeof text, why, ap) < 0)
    text[0] = '\0';
  va_end (ap);
  char name[sizeof err->what], advice[sizeof err->fix];
  snprintf (name, sizeof name, "%s", what ? what : "");
  snprintf (advice, sizeof advice, "%s", fix ? fix : "");

  err->exit = status;
  err->sys_errno = saved;
  err->file = file;
  err->line = line;
  memcpy (err->what, name, sizeof name);
  memcpy (err->why, text, sizeof text);
  memcpy (err->fix, advice, sizeof advice);
  errno = saved;
  return -1;
}
