/* SPDX-License-Identifier: Apache-2.0
 *
 * A table from strings to numbers: open addressing, at most two thirds full.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct lf_pkg_slot
{
  const char *key;
  size_t n;
  uint64_t hash;
  int64_t value;
};

static uint64_t
hash_of (const char *p, size_t n)
{
  uint64_t h = UINT64_C (14695981039346656037);
  for (size_t i = 0; i < n; i++)
    h = (h ^ (unsigned char) p[i]) * UINT64_C (1099511628211);
  return h ^ h >> 29;
}

static struct lf_pkg_slot *
slot_of (const lf_pkg_map *m, const char *key, size_t n, uint64_t hash)
{
  size_t i = hash & (m->cap - 1);
  while (m->v[i].key && (m->v[i].hash != hash || m->v[i].n != n || memcmp (m->v[i].key, key, n) != 0))
    i = (i + 1) & (m->cap - 1);
  return &m->v[i];
}

static int
grow (lf_pkg_map *m)
{
  lf_pkg_map bigger = { .cap = m->cap ? m->cap * 2 : 64 };
  bigger.v = calloc (bigger.cap, sizeof *bigger.v);
  if (!bigger.v)
    return -1;
  for (size_t i = 0; i < m->cap; i++)
    if (m->v[i].key)
      *slot_of (&bigger, m->v[i].key, m->v[i].n, m->v[i].hash) = m->v[i];
  bigger.n = m->n;
  free (m->v);
  *m = bigger;
  return 0;
}

int64_t *
lf_pkg_map_add (lf_pkg_map *m, const char *key, size_t n)
{
  if (m->n * 3 >= m->cap * 2 && grow (m) != 0)
    return NULL;
  uint64_t h = hash_of (key, n);
  struct lf_pkg_slot *s = slot_of (m, key, n, h);
  if (!s->key)
    {
      *s = (struct lf_pkg_slot){ .key = key, .n = n, .hash = h, .value = -1 };
      m->n++;
    }
  return &s->value;
}

int64_t *
lf_pkg_map_get (const lf_pkg_map *m, const char *key, size_t n)
{
  if (m->cap == 0)
    return NULL;
  struct lf_pkg_slot *s = slot_of (m, key, n, hash_of (key, n));
  return s->key ? &s->value : NULL;
}

void
lf_pkg_map_fini (lf_pkg_map *m)
{
  free (m->v);
  *m = (lf_pkg_map){ 0 };
}
