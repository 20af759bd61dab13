/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory of one template: taken in chunks, given back at once, with a budget that what a template expands to cannot pass.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define CHUNK ((size_t) 256 << 10)

struct tpl_chunk
{
  tpl_chunk *next;
  size_t size;
};

static void *
fail (tpl_arena *a, bool over)
{
  a->failed = true;
  a->over = a->over || over;
  return NULL;
}

static void *
take (tpl_arena *a, size_t n)
{
  if (n > TPL_ARENA_MAX)
    return fail (a, true);
  n = (n + 7) & ~(size_t) 7;
  if (n > a->left)
    {
      size_t size = sizeof (tpl_chunk) + (n > CHUNK / 4 ? n : CHUNK);
      if (a->total + size > TPL_ARENA_MAX)
        return fail (a, true);
      tpl_chunk *c = malloc (size);
      if (!c)
        return fail (a, false);
      *c = (tpl_chunk){ a->chunks, size };
      a->chunks = c;
      a->total += size;
      if (n > CHUNK / 4) /* a chunk of its own; the one in use goes on */
        return c + 1;
      a->at = (char *) (c + 1);
      a->left = CHUNK;
    }
  void *p = a->at;
  a->at += n;
  a->left -= n;
  return p;
}

void *
tpl_alloc (tpl *t, size_t n)
{
  void *p = take (&t->arena, n ? n : 1);
  return p ? memset (p, 0, n) : NULL;
}

char *
tpl_strndup (tpl *t, const char *s, size_t n)
{
  char *p = take (&t->arena, n + 1);
  if (!p)
    return NULL;
  if (n)
    memcpy (p, s, n);
  p[n] = 0;
  return p;
}

char *
tpl_strdup (tpl *t, const char *s)
{
  return tpl_strndup (t, s, strlen (s));
}

const char *
tpl_printf (tpl *t, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  int n = vsnprintf (NULL, 0, fmt, ap);
  va_end (ap);
  char *p = n < 0 ? NULL : take (&t->arena, (size_t) n + 1);
  if (!p)
    return "";
  va_start (ap, fmt);
  vsnprintf (p, (size_t) n + 1, fmt, ap);
  va_end (ap);
  return p;
}

void
tpl_arena_fini (tpl_arena *a)
{
  for (tpl_chunk *c = a->chunks, *next; c; c = next)
    {
      next = c->next;
      free (c);
    }
  *a = (tpl_arena){ 0 };
}

/* ---- sets of texts ------------------------------------------------------------------------------------------------------------ */

static uint64_t
hash (const char *s)
{
  uint64_t h = UINT64_C (1469598103934665603);
  for (; *s; s++)
    h = (h ^ (unsigned char) *s) * UINT64_C (1099511628211);
  return h ^ (h >> 29);
}

static bool
insert (const char **slot, size_t cap, const char *text)
{
  size_t i = hash (text) & (cap - 1);
  while (slot[i])
    {
      if (strcmp (slot[i], text) == 0)
        return false;
      i = (i + 1) & (cap - 1);
    }
  slot[i] = text;
  return true;
}

bool
tpl_set_add (tpl *t, const char *text)
{
  tpl_set *s = &t->warned;
  if (2 * (s->n + 1) > s->cap)
    {
      size_t cap = s->cap ? 2 * s->cap : 64;
      const char **slot = calloc (cap, sizeof *slot);
      if (!slot)
        {
          t->oom = true;
          return false;
        }
      for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i])
          insert (slot, cap, s->slot[i]);
      free (s->slot);
      s->slot = slot;
      s->cap = cap;
    }
  const char *mine = tpl_strdup (t, text);
  if (!mine || !insert (s->slot, s->cap, mine))
    return false;
  s->n++;
  return true;
}

void
tpl_set_fini (tpl_set *s)
{
  free (s->slot);
  *s = (tpl_set){ 0 };
}
