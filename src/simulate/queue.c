/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "inside.h"

#define LINE 64

int
lf_queue_reserve (lf_queue *q, size_t n)
{
  if (n + LF_QUEUE_ROOT <= q->cap)
    return 0;
  size_t cap = q->cap ? q->cap * 2 : 64;
  while (cap < n + LF_QUEUE_ROOT)
    cap *= 2;
  char *memory = malloc (cap * sizeof (lf_due) + LINE);
  if (!memory)
    return -1;
  /* v[4] begins a cache line: the four children of a node are one. */
  lf_due *v = (lf_due *) (void *) (memory + (LINE - (uintptr_t) memory % LINE) % LINE);
  if (q->n)
    memcpy (v + LF_QUEUE_ROOT, q->v + LF_QUEUE_ROOT, q->n * sizeof *v);
  free (q->memory);
  q->memory = memory;
  q->v = v;
  q->cap = cap;
  return 0;
}

void
lf_queue_fini (lf_queue *q)
{
  free (q->memory);
  *q = (lf_queue){ 0 };
}
