/* SPDX-License-Identifier: Apache-2.0
 *
 * The two messages that make a sandbox, taken apart in place. They come from the daemon; still every count and every string is
 * checked, so that a wrong one ends in a message and not in a strange sandbox.
 */
#include <errno.h>
#include <string.h>
#include "init.h"

/* The next NUL-terminated string, or NULL past the end. */
static char *
take_string (char **at, const char *end)
{
  char *s = *at, *nul = s < end ? memchr (s, 0, (size_t) (end - s)) : NULL;
  if (nul)
    *at = nul + 1;
  return nul ? s : NULL;
}

static bool
take_steps (char **at, const char *end, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    {
      const char *op = take_string (at, end);
      if (!op || !op[0] || !op[1] || (op[0] != 'd' && !take_string (at, end)))
        return false;
    }
  return true;
}

int
prepare_parse (job *j, char *text, size_t n)
{
  char *at = text + sizeof j->p;
  const char *end = text + n;
  errno = EPROTO;
  if (n < sizeof j->p)
    return -1;
  memcpy (&j->p, text, sizeof j->p);
  if (j->p.magic != LF_INIT_MAGIC || !(j->attach = take_string (&at, end)) || !(j->hostname = take_string (&at, end)))
    return -1;
  j->common_ops = at;
  j->flags = j->p.flags;
  return take_steps (&at, end, j->p.ops) ? 0 : -1;
}

int
config_parse (job *j, char *text, size_t n)
{
  char *at = text + sizeof j->c;
  const char *end = text + n;
  errno = EPROTO;
  if (n < sizeof j->c)
    return -1;
  memcpy (&j->c, text, sizeof j->c);
  if (j->c.magic != LF_INIT_MAGIC || j->c.argc < 1 || j->c.argc > LF_INIT_ARGV_MAX || j->c.envc > LF_INIT_ENV_MAX)
    return -1;
  j->ops = at;
  j->flags |= j->c.flags;
  if (!take_steps (&at, end, j->c.ops))
    return -1;
  for (uint32_t i = 0; i < j->c.argc; i++)
    if (!(j->argv[i] = take_string (&at, end)))
      return -1;
  for (uint32_t i = 0; i < j->c.envc; i++)
    if (!(j->envp[i] = take_string (&at, end)))
      return -1;
  return 0;
}
