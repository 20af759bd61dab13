/* SPDX-License-Identifier: Apache-2.0
 *
 * A fuzz target is one file that defines this one function; it returns 0, and aborts when something is wrong. Built with replay.c
 * it is a test of `make check` (each file of tests/fuzz/corpus/NAME and some seeded mutations of it); built by `make fuzz` it runs
 * under libFuzzer.
 */
#ifndef LF_FUZZ_H
#define LF_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#endif
