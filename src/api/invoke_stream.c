/* SPDX-License-Identifier: Apache-2.0
 *
 * InvokeWithResponseStream's answer: an event stream of PayloadChunk messages and one InvokeComplete at its end. Whatever goes wrong after the
 * first byte is told in that one; the HTTP status is 200 by then.
 */
#include <stdio.h>
#include <string.h>

#include "invoke.h"

#define LF_CHUNK_MAX ((size_t) 128 << 10) /* payload of one message: a client holds a whole one before it gives any of it */

#define S(text) { (text), sizeof (text) - 1 }

static void
send_message (lf_http_req *r, const lf_es_header headers[3], const void *p, size_t n)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_es_encode (&b, headers, 3, p, n) == 0)
    lf_http_reply_chunk (r, b.data, b.len);
  else
    lf_http_reply_abort (r);
}

void
lf_stream_begin (lf_http_req *r, const char *request_id, const char *version, const char *content_type, const char *trace)
{
  lf_http_pair h[5];
  size_t n = 0;
  h[n++] = (lf_http_pair){ "Content-Type", "application/vnd.amazon.eventstream" };
  h[n++] = (lf_http_pair){ "x-amzn-RequestId", request_id };
  h[n++] = (lf_http_pair){ "X-Amz-Executed-Version", version };
  h[n++] = (lf_http_pair){ "X-Amzn-Remapped-Content-Type", content_type && *content_type ? content_type : "application/octet-stream" };
  if (trace[0])
    h[n++] = (lf_http_pair){ "X-Amzn-Trace-Id", trace };
  lf_http_reply_begin (r, 200, h, n);
}

void
lf_stream_chunk (lf_http_req *r, const char *p, size_t n)
{
  static const lf_es_header headers[] = { { S (":event-type"), S ("PayloadChunk") }, { S (":content-type"), S ("application/octet-stream") },
                                          { S (":message-type"), S ("event") } };
  for (size_t k; n > 0; p += k, n -= k)
    {
      k = n < LF_CHUNK_MAX ? n : LF_CHUNK_MAX;
      send_message (r, headers, p, k);
    }
}

static void
add_field (lf_buf *b, const char *key, const char *p, size_t n)
{
  lf_buf_addf (b, "%s\"%s\":", b->len > 1 ? "," : "", key);
  lf_buf_add_json_str (b, p, n);
}

void
lf_stream_end (lf_http_req *r, const lf_outcome *o, bool tail)
{
  static const lf_es_header headers[] = { { S (":event-type"), S ("InvokeComplete") }, { S (":content-type"), S ("application/json") },
                                          { S (":message-type"), S ("event") } };
  lf_buf b LF_CLEANUP (lf_buf_fini), log LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_init (&log, 0);
  lf_buf_addc (&b, '{');
  if (o->function_error)
    {
      add_field (&b, "ErrorCode", "Unhandled", 9);
      add_field (&b, "ErrorDetails", o->body, o->body_len);
    }
  if (tail && lf_buf_add_base64 (&log, o->log_tail, o->log_tail_len) == 0)
    add_field (&b, "LogResult", log.data ? log.data : "", log.len);
  lf_buf_addc (&b, '}');
  send_message (r, headers, b.data ? b.data : "", b.len);
  lf_http_reply_end (r);
}

/* The service failed in the middle: the general form of an error in an event stream. */
void
lf_stream_fail (lf_http_req *r, const char *text)
{
  static const lf_es_header headers[] = { { S (":exception-type"), S ("ServiceException") }, { S (":content-type"), S ("application/json") },
                                          { S (":message-type"), S ("exception") } };
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_svc_error_body (&b, LF_SVC_SERVICE, NULL, text);
  send_message (r, headers, b.data ? b.data : "", b.len);
  lf_http_reply_end (r);
}
