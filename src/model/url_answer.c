/* SPDX-License-Identifier: Apache-2.0
 *
 * What a function's response means as an HTTP answer of its URL. Recorded: an object without statusCode is the body itself, compact; a
 * string is the body without its quotes; numbers, truth values and lists are their JSON text; the type is application/json unless the
 * response says another.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/model.h"

void
lf_url_answer_init (lf_url_answer *a)
{
  *a = (lf_url_answer){ .status = 200 };
  lf_buf_init (&a->body, 0);
}

void
lf_url_answer_fini (lf_url_answer *a)
{
  lf_strv_fini (&a->names);
  lf_strv_fini (&a->values);
  lf_buf_fini (&a->body);
}

/* Of all headers together. No number of the service's is known; no client takes as much, and an answer's head is held whole. */
#define HEADERS_BYTES_MAX ((size_t) 1 << 20)

static int
add (lf_url_answer *a, const char *name, const char *value)
{
  if (lf_strv_add (&a->names, name) < 0)
    return -1;
  if (lf_strv_add (&a->values, value) == 0)
    return 0;
  free (a->names.v[--a->names.n]);
  a->names.v[a->names.n] = NULL;
  return -1;
}

static bool
has (const lf_url_answer *a, const char *name)
{
  for (size_t i = 0; i < a->names.n; i++)
    if (lf_str_ieq ((lf_str){ a->names.v[i], strlen (a->names.v[i]) }, name))
      return true;
  return false;
}

static void
drop (lf_url_answer *a, const char *name)
{
  size_t to = 0;
  for (size_t i = 0; i < a->names.n; i++)
    if (lf_str_ieq ((lf_str){ a->names.v[i], strlen (a->names.v[i]) }, name))
      {
        free (a->names.v[i]);
        free (a->values.v[i]);
      }
    else
      {
        a->names.v[to] = a->names.v[i];
        a->values.v[to++] = a->values.v[i];
      }
  if (a->names.n)
    a->names.v[to] = a->values.v[to] = NULL;
  a->names.n = a->values.n = to;
}

/* ---- headers ---------------------------------------------------------------------------------------------------------------------- */

static bool
is_token (const char *s)
{
  static const char others[] = "!#$%&'*+-.^_`|~";
  if (!*s)
    return false;
  for (; *s; s++)
    if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr (others, *s)))
      return false;
  return true;
}

typedef enum { KEEP, RENAME, LEAVE_OUT } treatment;

/* The connection belongs to the service: what a function says about it comes through under another name, or not at all. */
static treatment
treat (const char *name)
{
  static const struct { const char *name; treatment how; } table[] = {
    { "connection", RENAME }, { "content-length", RENAME }, { "date", RENAME }, { "server", RENAME }, { "www-authenticate", RENAME },
    { "transfer-encoding", LEAVE_OUT }, { "keep-alive", LEAVE_OUT }, { "upgrade", LEAVE_OUT }, { "trailer", LEAVE_OUT }, { "te", LEAVE_OUT },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (table); i++)
    if (lf_str_ieq ((lf_str){ name, strlen (name) }, table[i].name))
      return table[i].how;
  return KEEP;
}

/* A header's value as text: texts as they are, numbers and truth values as JSON writes them; lists are joined. NULL: it has none. */
static int
value_text (const cJSON *v, lf_buf *b)
{
  const cJSON *item;
  if (cJSON_IsString (v))
    return lf_buf_adds (b, v->valuestring);
  if (cJSON_IsNumber (v) || cJSON_IsBool (v))
    return lf_json_print (v, b);
  if (!cJSON_IsArray (v))
    return -1;
  cJSON_ArrayForEach (item, v)
    {
      if (item != v->child)
        lf_buf_addc (b, ',');
      if (cJSON_IsArray (item) || value_text (item, b) < 0)
        return -1;
    }
  return 0;
}

static int
add_header (lf_url_answer *a, const cJSON *h, const char **why)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  char renamed[64];
  const char *name = h->string;
  treatment how = treat (name);
  if (how == LEAVE_OUT || cJSON_IsNull (h))
    return 0;
  if (!is_token (name) || value_text (h, &b) < 0)
    {
      *why = "a header of its response is no header";
      return -1;
    }
  if (how == RENAME)
    {
      snprintf (renamed, sizeof renamed, "x-amzn-remapped-%s", name);
      for (char *c = renamed; *c; c++)
        *c = (char) (*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
      name = renamed;
    }
  if (add (a, name, b.data ? b.data : "") == 0)
    return 0;
  *why = "the system has no memory left";
  return -1;
}

static int
check_headers (const lf_url_answer *a, const char **why)
{
  size_t n = 0;
  for (size_t i = 0; i < a->names.n && n <= HEADERS_BYTES_MAX; i++)
    n += strlen (a->names.v[i]) + strlen (a->values.v[i]) + strlen (": \r\n");
  if (n <= HEADERS_BYTES_MAX)
    return 0;
  *why = "the headers of its response are larger than 1 MB together";
  return -1;
}

static int
add_headers (lf_url_answer *a, const cJSON *o, const char **why)
{
  const cJSON *headers = cJSON_GetObjectItemCaseSensitive (o, "headers"), *cookies = cJSON_GetObjectItemCaseSensitive (o, "cookies"), *i;
  if ((headers && !cJSON_IsObject (headers) && !cJSON_IsNull (headers)) || (cookies && !cJSON_IsArray (cookies) && !cJSON_IsNull (cookies)))
    {
      *why = headers && !cJSON_IsObject (headers) && !cJSON_IsNull (headers) ? "the headers of its response are no object" : "the cookies of its response are no list";
      return -1;
    }
  cJSON_ArrayForEach (i, headers)
    if (add_header (a, i, why) < 0)
      return -1;
  cJSON_ArrayForEach (i, cookies)
    {
      if (!cJSON_IsString (i))
        {
          *why = "a cookie of its response is no text";
          return -1;
        }
      if (add (a, "set-cookie", i->valuestring) < 0)
        {
          *why = "the system has no memory left";
          return -1;
        }
    }
  return check_headers (a, why);
}

static int
read_status (lf_url_answer *a, const cJSON *o, const char **why)
{
  const cJSON *s = cJSON_GetObjectItemCaseSensitive (o, "statusCode");
  int64_t n = 200;
  if (cJSON_IsString (s) ? lf_parse_i64 (s->valuestring, 200, 599, &n) == 0 : cJSON_IsNumber (s) && (n = lf_json_i64 (o, "statusCode", 0)) >= 200 && n <= 599)
    {
      a->status = (int) n;
      return 0;
    }
  *why = "the statusCode of its response is no number from 200 to 599";
  return -1;
}

/* ---- bodies ------------------------------------------------------------------------------------------------------------------------- */

/* JSON without the blanks between its tokens; numbers stay as they are written. */
static int
compact (const char *s, size_t n, lf_buf *out)
{
  bool in_string = false;
  size_t from = 0;
  for (size_t i = 0; i < n; i++)
    if (in_string)
      {
        if (s[i] == '\\')
          i++;
        else if (s[i] == '"')
          in_string = false;
      }
    else if (s[i] == '"')
      in_string = true;
    else if (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r')
      {
        lf_buf_add (out, s + from, i - from);
        from = i + 1;
      }
  return lf_buf_add (out, s + from, n - from);
}

static int
read_body (lf_url_answer *a, const cJSON *o, const char **why)
{
  const cJSON *body = cJSON_GetObjectItemCaseSensitive (o, "body");
  bool base64 = cJSON_IsTrue (cJSON_GetObjectItemCaseSensitive (o, "isBase64Encoded"));
  if (!body || cJSON_IsNull (body))
    return 0;
  if (!cJSON_IsString (body))
    return lf_json_print (body, &a->body);
  size_t n = strlen (body->valuestring);
  if (!base64)
    return lf_buf_add (&a->body, body->valuestring, n);
  if (lf_base64_decode (body->valuestring, n, &a->body) == 0)
    return 0;
  *why = "the body of its response is no base64";
  return -1;
}

static int
default_type (lf_url_answer *a)
{
  return has (a, "content-type") ? 0 : add (a, "content-type", "application/json");
}

int
lf_url_answer_from (const char *response, size_t n, lf_url_answer *a, const char **why)
{
  lf_error err = { 0 };
  *why = "its response is no JSON";
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_parse (response, n, "response", &err);
  if (!o)
    return -1;
  *why = "the system has no memory left";
  if (cJSON_IsString (o))
    return lf_buf_adds (&a->body, o->valuestring) < 0 ? -1 : default_type (a);
  if (!cJSON_IsObject (o) || !cJSON_GetObjectItemCaseSensitive (o, "statusCode"))
    return compact (response, n, &a->body) < 0 ? -1 : default_type (a);
  return read_status (a, o, why) < 0 || add_headers (a, o, why) < 0 || read_body (a, o, why) < 0 || default_type (a) < 0 ? -1 : 0;
}

int
lf_url_answer_prelude (const char *json, size_t n, lf_url_answer *a, const char **why)
{
  lf_error err = { 0 };
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_json_parse (json, n, "prelude", &err);
  *why = "what is in front of its streamed response is no JSON object";
  if (!cJSON_IsObject (o))
    return -1;
  if (cJSON_GetObjectItemCaseSensitive (o, "statusCode") && read_status (a, o, why) < 0)
    return -1;
  return add_headers (a, o, why);
}

/* ---- CORS --------------------------------------------------------------------------------------------------------------------------- */

static int
add_joined (lf_url_answer *a, const char *name, const lf_strv *list)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  for (size_t i = 0; i < list->n; i++)
    lf_buf_addf (&b, "%s%s", i ? "," : "", list->v[i]);
  return list->n == 0 ? 0 : b.failed ? -1 : add (a, name, b.data);
}

/* Who may see the answer: everybody, or this origin; an empty text when it may not. */
static const char *
allowed (const lf_url_config *u, lf_str origin)
{
  for (size_t i = 0; i < u->origins.n; i++)
    {
      if (strcmp (u->origins.v[i], "*") == 0)
        return "*";
      if (lf_str_ieq (origin, u->origins.v[i]))
        return u->origins.v[i];
    }
  return "";
}

static int
common (const lf_url_config *u, lf_str origin, lf_url_answer *a)
{
  const char *who = allowed (u, origin);
  if (!*who)
    return 0;
  /* A browser that sends cookies does not take a star. */
  char *own LF_CLEANUP (lf_freep) = strcmp (who, "*") == 0 && u->credentials ? lf_strndup (origin.p, origin.n) : lf_strdup (who);
  if (!own || add (a, "access-control-allow-origin", own) < 0 || (strcmp (own, "*") != 0 && add (a, "vary", "Origin") < 0)
      || (u->credentials && add (a, "access-control-allow-credentials", "true") < 0))
    return -1;
  return 1;
}

int
lf_url_cors (const lf_url_config *u, lf_str origin, lf_url_answer *a)
{
  static const char *const ours[] = { "access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers" };
  if (!u->cors || !origin.n)
    return 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (ours); i++)
    drop (a, ours[i]);
  int rc = common (u, origin, a);
  return rc <= 0 ? rc : add_joined (a, "access-control-expose-headers", &u->expose);
}

int
lf_url_preflight (const lf_url_config *u, lf_str origin, lf_url_answer *a)
{
  char age[24];
  int rc = common (u, origin, a);
  if (rc <= 0)
    return rc;
  snprintf (age, sizeof age, "%lld", (long long) u->max_age_s);
  return add_joined (a, "access-control-allow-methods", &u->methods) < 0 || add_joined (a, "access-control-allow-headers", &u->headers) < 0
                 || (u->max_age_s != LF_NONE && add (a, "access-control-max-age", age) < 0)
             ? -1
             : 0;
}
