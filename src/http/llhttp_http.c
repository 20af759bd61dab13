/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles one file of llhttp from where the distribution keeps its source (found by configure). */
#include <http.c>
