/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of API errors, from the table in errors.def, and the rule for the error types that runtimes send.
 */
#include "lambdafit/model.h"

#include <stdio.h>
#include <string.h>

static const lf_svc_error_info services[] = {
#define SERVICE(e, name, status, key, type, text) [LF_SVC_##e] = { name, status, key, type, text },
#include "errors.def"
};
_Static_assert(LF_ARRAY_LEN (services) == LF_SVC_COUNT, "errors.def and lf_svc_error differ");

static const lf_rapi_error_info rapis[] = {
#define RAPI(e, type, status, text) [LF_RAPI_##e] = { type, status, text },
#include "errors.def"
};
_Static_assert(LF_ARRAY_LEN (rapis) == LF_RAPI_COUNT, "errors.def and lf_rapi_error differ");

const lf_svc_error_info *
lf_svc_error_get (lf_svc_error e)
{
  return (unsigned) e < LF_SVC_COUNT ? &services[e] : &services[LF_SVC_SERVICE];
}

const lf_rapi_error_info *
lf_rapi_error_get (lf_rapi_error e)
{
  return (unsigned) e < LF_RAPI_COUNT ? &rapis[e] : &rapis[LF_RAPI_INTERNAL];
}

static void
member (lf_buf *b, const char *key, const char *value)
{
  lf_buf_addf (b, "%s\"%s\":", b->len > 0 && b->data[b->len - 1] == '{' ? "" : ",", key);
  if (value == NULL)
    lf_buf_adds (b, "null");
  else
    lf_buf_add_json_str (b, value, strlen (value));
}

int
lf_svc_error_body (lf_buf *b, lf_svc_error e, const char *reason, const char *text)
{
  const lf_svc_error_info *info = lf_svc_error_get (e);
  bool upper = info->message_key[0] == 'M';
  if (text == NULL)
    text = info->text;
  lf_buf_addc (b, '{');
  if (upper)
    member (b, info->message_key, text);
  if (reason != NULL)
    member (b, "Reason", reason);
  if (info->type != NULL)
    member (b, "Type", info->type);
  if (!upper)
    member (b, info->message_key, text);
  lf_buf_addc (b, '}');
  return b->failed ? -1 : 0;
}

int
lf_rapi_error_body (lf_buf *b, lf_rapi_error e, const char *from, const char *to)
{
  const lf_rapi_error_info *info = lf_rapi_error_get (e);
  char text[256];
  switch (e)
    {
    case LF_RAPI_INVALID_STATE:
      snprintf (text, sizeof text,
                "State transition from %.64s to %.64s failed for runtime. Error: State transition is not allowed",
                from != NULL ? from : "", to != NULL ? to : "");
      break;
    case LF_RAPI_TOO_LARGE:
      snprintf (text, sizeof text, "Exceeded maximum allowed payload size (%.20s bytes).", from != NULL ? from : "6291556");
      break;
    default:
      snprintf (text, sizeof text, "%s", info->text);
      break;
    }
  lf_buf_adds (b, "{\"errorMessage\":");
  lf_buf_add_json_str (b, text, strlen (text));
  lf_buf_addf (b, ",\"errorType\":\"%s\"}\n", info->type);
  return b->failed ? -1 : 0;
}

static bool
is_letter (char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* (Runtime|Function)\.[A-Z][a-zA-Z]+ anywhere in the text, as the service looks for it. */
static bool
names_a_type (const char *s, size_t n)
{
  static const char *const prefixes[] = { "Runtime.", "Function." };
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < LF_ARRAY_LEN (prefixes); k++)
      {
        size_t len = strlen (prefixes[k]);
        if (n - i >= len + 2 && memcmp (s + i, prefixes[k], len) == 0 && s[i + len] >= 'A' && s[i + len] <= 'Z'
            && is_letter (s[i + len + 1]))
          return true;
      }
  return false;
}

void
lf_fatal_error_type (const char *header, size_t n, char out[128])
{
  static const char function[] = "Function.";
  if (header != NULL && names_a_type (header, n))
    snprintf (out, 128, "%.*s", (int) (n < 127 ? n : 127), header);
  else if (header != NULL && n >= sizeof function - 1 && memcmp (header, function, sizeof function - 1) == 0)
    snprintf (out, 128, "Function.Unknown");
  else
    snprintf (out, 128, "Runtime.Unknown");
}
