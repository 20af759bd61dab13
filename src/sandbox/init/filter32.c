/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of the 32-bit calls of an x86_64 kernel, which have their own header, so their own file.
 */
#if defined __x86_64__
#include <asm/unistd_32.h>
#include "filter.h"

#define DENY(nr) nr,
const filter_numbers filter_i386 = {
  .denied = {
#include "denied.def"
  },
  .clone = __NR_clone,
  .clone3 = 435,
  .unshare = __NR_unshare,
  .socket = __NR_socket,
  .socketpair = __NR_socketpair,
  .socketcall = __NR_socketcall,
};
#else
typedef int filter_i386_is_of_x86_64_only;
#endif
