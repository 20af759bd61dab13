/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the filter: the numbers that it needs of one architecture.
 */
#ifndef LF_INIT_FILTER_H
#define LF_INIT_FILTER_H

#include <stdint.h>

#define FILTER_DENIED_MAX 80

typedef struct filter_numbers
{
  uint16_t denied[FILTER_DENIED_MAX]; /* up to the first 0, which is no number of a denied call */
  uint16_t clone, clone3, unshare, socket, socketpair;
  uint16_t socketcall; /* 0: there is none */
} filter_numbers;

#if defined __x86_64__
extern const filter_numbers filter_i386;
#endif

#endif
