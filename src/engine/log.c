/* SPDX-License-Identifier: Apache-2.0
 *
 * What an invocation printed, with a bound: a handler may print gigabytes, and only the end is ever shown.
 */
#include <string.h>

#include "internal.h"

void
lf_log_ring_init (lf_log_ring *r)
{
  lf_buf_init (&r->buf, 4 * (size_t) LF_LOG_KEEP);
  r->cut = false;
}

void
lf_log_ring_fini (lf_log_ring *r)
{
  lf_buf_fini (&r->buf);
}

void
lf_log_ring_reset (lf_log_ring *r)
{
  if (r->buf.cap > LF_LOG_KEEP)
    lf_buf_fini (&r->buf), lf_log_ring_init (r);
  else
    lf_buf_reset (&r->buf);
  r->cut = false;
}

void
lf_log_ring_add (lf_log_ring *r, const char *p, size_t n)
{
  if (n > LF_LOG_KEEP)
    {
      p += n - LF_LOG_KEEP;
      n = LF_LOG_KEEP;
      r->buf.len = 0;
      r->cut = true;
    }
  /* Twice the kept size before old text is moved out, so that the move is paid once in LF_LOG_KEEP bytes. */
  if (r->buf.len + n > 2 * (size_t) LF_LOG_KEEP)
    {
      size_t keep = LF_LOG_KEEP - n;
      if (keep < r->buf.len)
        {
          memmove (r->buf.data, r->buf.data + r->buf.len - keep, keep);
          r->buf.len = keep;
          r->cut = true;
        }
    }
  if (lf_buf_add (&r->buf, p, n) < 0)
    {
      /* No memory: the newest text is lost, the invocation is not. */
      r->cut = true;
      r->buf.failed = false;
    }
}
