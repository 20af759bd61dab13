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
/* Waits until what was added is written; false when it is not after so long. Where there is room for it, it is not the reader who lets us wait, but a machine
 * on which the thread gets no CPU: then it is waited for up to 25 times as long. */
bool lf_log_writer_drain (lf_log_writer *w, int ms);
void lf_log_writer_free (lf_log_writer *w); /* writes what is queued, then ends the thread */

#endif
