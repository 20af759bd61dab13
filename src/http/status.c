/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "internal.h"

const char *
lf_http_status_text (int status)
{
  static const struct
  {
    int status;
    const char *text;
  } texts[] = {
    { 100, "Continue" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 413, "Request Entity Too Large" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Entity" },
    { 424, "Failed Dependency" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (texts); i++)
    if (texts[i].status == status)
      return texts[i].text;
  return status < 200   ? "Information"
         : status < 300 ? "OK"
         : status < 400 ? "Redirect"
         : status < 500 ? "Client Error"
                        : "Server Error";
}

lf_str
lf_http_find (const lf_http_header *h, size_t n, const char *name)
{
  size_t len = strlen (name);
  for (size_t i = 0; i < n; i++)
    if (h[i].name.n == len && strncasecmp (h[i].name.p, name, len) == 0)
      return h[i].value;
  return (lf_str){ NULL, 0 };
}

lf_str
lf_http_get (const lf_http_req *r, const char *name)
{
  return lf_http_find (r->headers, r->headers_n, name);
}

lf_str
lf_http_trailer (const lf_http_req *r, const char *name)
{
  return lf_http_find (r->trailers, r->trailers_n, name);
}

bool
lf_http_has (const lf_http_req *r, const char *name)
{
  return lf_http_get (r, name).p != NULL;
}

lf_str
lf_http_answer_get (const lf_http_answer *a, const char *name)
{
  return lf_http_find (a->headers, a->headers_n, name);
}
