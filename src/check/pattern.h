/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions as JSON Schema uses them: the part of ECMA-262 that schemas are written with. Alternatives, groups, classes, the
 * escapes \d \w \s and their opposites, anchors, \b, repetitions greedy or not. No back references and no look-around.
 */
#ifndef LF_CHECK_PATTERN_H
#define LF_CHECK_PATTERN_H

/* 0, or -1 with a reason: not understood. */
int lf_pattern_check (const char *pattern, char why[120]);
/* 1: the pattern is found somewhere in the text; 0: not; -1: it is not understood, or took too long. */
int lf_pattern_match (const char *pattern, const char *text);

#endif
