/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions' output on its way to standard error. A terminal or pipe may be slow and must not hold the loop, so a thread writes, from
 * a bounded queue; what does not fit is dropped, and how much is said.
 */
#ifndef LF_LOG_WRITER_H
#define LF_LOG_WRITER_H

#include "lambdafit/base.h"

typedef struct lf_log_writer lf_log_writer;
lf_log_writer *lf_log_writer_new (int fd, lf_error *err);
void lf_log_writer_add (lf_log_writer *w, const char *text, size_t n);
/* Waits until what was added is written, for so long at most; false when it is not. */
bool lf_log_writer_drain (lf_log_writer *w, int ms);
void lf_log_writer_free (lf_log_writer *w); /* writes what is queued, then ends the thread */

#endif
