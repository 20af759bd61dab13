/* SPDX-License-Identifier: Apache-2.0
 *
 * Destinations of asynchronous events: what is told, and whom.
 */
#include "lambdafit/model.h"

#include <inttypes.h>
#include <string.h>

#include "function.h"

/* Not every runtime answers with JSON; the record must be. */
static void
add_json (lf_buf *b, const char *text, size_t n)
{
  lf_json_problem ignored;
  if (n > 0 && lf_json_validate (text, n, &ignored) == 0)
    lf_buf_add (b, text, n);
  else
    lf_buf_add_json_str (b, text != NULL ? text : "", n);
}

int
lf_async_record_json (lf_buf *b, const lf_async_record *r, int64_t wall_us)
{
  char when[32];
  char *arn = lf_function_arn (r->fn, "$LATEST");
  if (arn == NULL)
    return -1;
  lf_iso8601_ms (wall_us, when);
  lf_buf_addf (b, "{\"version\":\"1.0\",\"timestamp\":\"%s\",\"requestContext\":{\"requestId\":\"%s\",\"functionArn\":\"%s\",\"condition\":\"%s\"", when,
               r->request_id, arn, lf_async_end_name (r->end));
  lf_buf_addf (b, ",\"approximateInvokeCount\":%d},\"requestPayload\":", r->attempts);
  add_json (b, r->payload, r->payload_len);
  if (r->has_response)
    {
      lf_buf_addf (b, ",\"responseContext\":{\"statusCode\":200,\"executedVersion\":\"$LATEST\"%s},\"responsePayload\":",
                   r->function_error ? ",\"functionError\":\"Unhandled\"" : "");
      add_json (b, r->response, r->response_len);
    }
  lf_buf_addc (b, '}');
  lf_freep (&arn);
  return b->failed ? -1 : 0;
}

int
lf_destination_parse (const char *dest, const lf_function *of, char **name, lf_error *err)
{
  const char *fix = "give a function's name or ARN, or a file's path (with a slash or a dot in it)";
  char *qualifier = NULL, *region = NULL;
  *name = NULL;
  if (!lf_starts (dest, "arn:"))
    {
      if (!lf_function_name_plain (dest))
        return dest[0] != '\0' ? 0 : LF_FAIL (err, LF_EXIT_USAGE, "destination", fix, "its name is empty");
      *name = lf_strdup (dest);
      return *name != NULL ? 1 : LF_FAIL_NOMEM (err);
    }
  if (strstr (dest, ":lambda:") == NULL || lf_function_name_parse (dest, name, &qualifier, &region, err) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, "destination", fix, "The destination ARN %.200s is invalid.", dest);
  bool here = region == NULL || of->region == NULL || strcmp (region, of->region) == 0;
  bool latest = qualifier == NULL || strcmp (qualifier, "$LATEST") == 0;
  lf_freep (&qualifier);
  lf_freep (&region);
  if (here && latest)
    return 1;
  lf_freep (name);
  *name = NULL;
  return LF_FAIL (err, LF_EXIT_USAGE, "destination", fix, "The destination ARN %.200s is invalid.", dest);
}
