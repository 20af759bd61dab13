/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory kept back for libuv, which ends the process where it cannot grow the list of what it watches. When there is none left for it,
 * the reserve is given up, and taken anew as soon as there is memory again. Requests, meanwhile, fail with an error of their own.
 */
#include <stdlib.h>
#include <uv.h>

#include "live.h"

#define RESERVE ((size_t) 1 << 20) /* the list for 65,536 descriptors, twice */

static void *reserve;

static bool
give_up (void)
{
  if (!reserve)
    return false;
  free (reserve);
  reserve = NULL;
  return true;
}

static void *
taken (void *p)
{
  if (p && !reserve)
    reserve = malloc (RESERVE);
  return p;
}

static void *
uv_take (size_t n)
{
  void *p = malloc (n);
  return p ? taken (p) : give_up () ? malloc (n) : NULL;
}

static void *
uv_take_zero (size_t n, size_t size)
{
  void *p = calloc (n, size);
  return p ? taken (p) : give_up () ? calloc (n, size) : NULL;
}

static void *
uv_more (void *old, size_t n)
{
  void *p = realloc (old, n);
  return p || !n ? taken (p) : give_up () ? realloc (old, n) : NULL;
}

int
lf_reserve_open (void)
{
  static bool done;
  if (!done && uv_replace_allocator (uv_take, uv_more, uv_take_zero, free) < 0)
    return -1;
  done = true;
  return reserve || (reserve = malloc (RESERVE)) ? 0 : -1;
}
