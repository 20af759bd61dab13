/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the symbolic links of a zip lead. Each target is followed inside the archive's own names, through other links too, before
 * anything is written: a link must stay inside the package, inside the folders where Lambda shows it (/opt, /var/task), or
 * where the packages of a double zip appear (/tmp/lambdafit).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define EXPANSIONS_MAX 40             /* as many as the kernel follows; a longer chain is an error for whoever opens it */
#define STEPS_MAX INT64_C (20000000)  /* names looked at for all links together */
#define REST_MAX ((size_t) 3 * LF_PKG_LINK_MAX)

typedef struct chase
{
  const lf_zip *z;
  int64_t steps;
  char at[LF_PKG_NAME_MAX + 1];       /* where we are, "" is the top */
  size_t at_n;
  char rest[REST_MAX + 1];            /* what is still to be walked */
} chase;

/* Puts target in front of what is left. False when that is longer than any path may be. */
static bool
push (chase *c, const char *rest, const char *target)
{
  size_t t = strlen (target), r = strlen (rest);
  if (t + 1 + r > REST_MAX)
    return false;
  memmove (c->rest + t + 1, rest, r + 1);
  memcpy (c->rest, target, t);
  c->rest[t] = '/';
  return true;
}

/* What of an absolute target lies inside the package; NULL when it leads elsewhere. Nothing here ever follows a link on the host. */
static const char *
inside (const char *target)
{
  static const char *const homes[] = { "/opt", "/var/task", "/tmp/lambdafit" };
  for (size_t i = 0; i < LF_ARRAY_LEN (homes); i++)
    {
      size_t n = strlen (homes[i]);
      if (strncmp (target, homes[i], n) == 0 && (target[n] == '/' || target[n] == '\0'))
        return target + n;
    }
  return NULL;
}

static void
up (chase *c)
{
  while (c->at_n && c->at[c->at_n - 1] != '/')
    c->at_n--;
  if (c->at_n)
    c->at_n--;
  c->at[c->at_n] = '\0';
}

static bool
follow (chase *c, const char *rest, const char *target)
{
  if (target[0] == '/')
    {
      target = inside (target);
      if (!target)
        return false;
      c->at_n = 0;
      c->at[0] = '\0';
    }
  return push (c, rest, target);
}

/* True when the link stays inside. c->at holds the link's folder. */
static bool
stays_inside (chase *c, const char *target)
{
  int expansions = 0;
  c->rest[0] = '\0';
  if (!follow (c, c->rest, target))
    return false;
  const char *p = c->rest;
  while (*p)
    {
      size_t n = strcspn (p, "/");
      const char *rest = p + n + (p[n] == '/');
      c->steps++;
      if (n == 0 || (n == 1 && p[0] == '.'))
        ;
      else if (n == 2 && p[0] == '.' && p[1] == '.')
        {
          if (c->at_n == 0)
            return false;
          up (c);
        }
      else
        {
          if (c->at_n + 1 + n > LF_PKG_NAME_MAX)
            return true; /* too long for the kernel: nobody can follow it */
          size_t before = c->at_n;
          if (before)
            c->at[c->at_n++] = '/';
          memcpy (c->at + c->at_n, p, n);
          c->at_n += n;
          c->at[c->at_n] = '\0';
          const lf_zip_entry *e = lf_zip_find (c->z, c->at, c->at_n);
          if (e && e->kind == LF_ZE_LINK)
            {
              if (++expansions > EXPANSIONS_MAX)
                return true;
              c->at_n = before;
              c->at[before] = '\0';
              if (!follow (c, rest, e->target))
                return false;
              rest = c->rest;
            }
        }
      p = rest;
    }
  return true;
}

int
lf_zip_check_links (const lf_zip *z, lf_error *err)
{
  if (z->links == 0)
    return 0;
  LF_CLEANUP (lf_freep) chase *c = malloc (sizeof *c);
  if (!c)
    return LF_FAIL_NOMEM (err);
  c->z = z;
  c->steps = 0;
  for (size_t i = 0; i < z->n; i++)
    if (z->v[i].kind == LF_ZE_LINK)
      {
        const lf_zip_entry *e = &z->v[i];
        c->at_n = strlen (e->name);
        memcpy (c->at, e->name, c->at_n + 1);
        up (c);
        if (!stays_inside (c, e->target))
          return LF_FAIL (err, LF_EXIT_USAGE, z->path, "put the file itself into the package, or make the link relative and inside it",
                          "refused: the link %.300s leads out of the package, to %.300s", e->name, e->target);
        if (c->steps > STEPS_MAX)
          return LF_FAIL (err, LF_EXIT_USAGE, z->path, "put files into the package instead of chains of links",
                          "refused: following its %lld links takes too long", (long long) z->links);
      }
  return 0;
}
