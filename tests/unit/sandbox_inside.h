/* SPDX-License-Identifier: Apache-2.0
 *
 * What test_sandbox runs inside of a sandbox: the test program itself, with the name of a check.
 */
#ifndef LF_TEST_SANDBOX_INSIDE_H
#define LF_TEST_SANDBOX_INSIDE_H

/* Runs the check argv[2]; the exit status of the program. What went wrong is printed. */
int inside_main (int argc, char **argv);

#endif
