/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP request to a function URL as the event of payload format 2.0. Keys and their order are those of the developer guide's example;
 * which bodies stay text was recorded: JSON and text/... do, multipart/form-data does not.
 */
#include <stdlib.h>
#include <string.h>

#include "lambdafit/model.h"

static int
add_str (lf_buf *b, lf_str s)
{
  return lf_buf_add_json_str (b, s.p ? s.p : "", s.n);
}

static int
add_text (lf_buf *b, const char *s)
{
  return lf_buf_add_json_str (b, s ? s : "", s ? strlen (s) : 0);
}

static void
add_key (lf_buf *b, const char *key)
{
  lf_buf_addf (b, ",\"%s\":", key);
}

static lf_str
header (const lf_url_request *r, const char *name)
{
  for (size_t i = 0; i < r->headers_n; i++)
    if (lf_str_ieq (r->headers[i].name, name))
      return r->headers[i].value;
  return (lf_str){ NULL, 0 };
}

/* ---- names with values, repeats joined ------------------------------------------------------------------------------------------ */

/* One name and value, in the order in which they came; `next` is the next one of the same name. */
typedef struct pair { lf_buf name, value; struct pair *next; bool repeat; } pair;
typedef struct pairs { pair *v; size_t n; size_t *slots; size_t slots_n; } pairs;

static int
pairs_init (pairs *p, size_t max)
{
  p->slots_n = 16;
  while (p->slots_n < 2 * max)
    p->slots_n *= 2;
  p->v = calloc (max + 1, sizeof *p->v);
  p->slots = calloc (p->slots_n, sizeof *p->slots);
  return p->v && p->slots ? 0 : -1;
}

static void
pairs_fini (pairs *p)
{
  for (size_t i = 0; i < p->n; i++)
    {
      lf_buf_fini (&p->v[i].name);
      lf_buf_fini (&p->v[i].value);
    }
  free (p->v);
  free (p->slots);
}

static size_t
hash (const lf_buf *b)
{
  size_t h = 1469598103u;
  for (size_t i = 0; i < b->len; i++)
    h = (h ^ (unsigned char) b->data[i]) * 16777619u;
  return h;
}

/* The new last pair: it goes to the first one of its name, if there is one. A table, so that ten thousand names stay linear. */
static void
pairs_join (pairs *p)
{
  pair *last = &p->v[p->n++];
  for (size_t at = hash (&last->name) & (p->slots_n - 1);; at = (at + 1) & (p->slots_n - 1))
    {
      if (!p->slots[at])
        {
          p->slots[at] = p->n;
          return;
        }
      pair *first = &p->v[p->slots[at] - 1];
      if (first->name.len != last->name.len || (last->name.len && memcmp (first->name.data, last->name.data, last->name.len) != 0))
        continue;
      lf_buf_addc (&first->value, ',');
      lf_buf_add (&first->value, last->value.data ? last->value.data : "", last->value.len);
      last->repeat = true;
      return;
    }
}

static void
pairs_print (const pairs *p, lf_buf *out, bool *first)
{
  for (size_t i = 0; i < p->n; i++)
    if (!p->v[i].repeat)
      {
        if (!*first)
          lf_buf_addc (out, ',');
        *first = false;
        lf_buf_add_json_str (out, p->v[i].name.data ? p->v[i].name.data : "", p->v[i].name.len);
        lf_buf_addc (out, ':');
        lf_buf_add_json_str (out, p->v[i].value.data ? p->v[i].value.data : "", p->v[i].value.len);
        out->failed = out->failed || p->v[i].value.failed || p->v[i].name.failed;
      }
}

/* ---- headers and cookies ---------------------------------------------------------------------------------------------------------- */

static void
print_cookies (const lf_url_request *r, lf_buf *out)
{
  bool any = false;
  for (size_t i = 0; i < r->headers_n; i++)
    {
      lf_str v = r->headers[i].value;
      if (!lf_str_ieq (r->headers[i].name, "cookie"))
        continue;
      while (v.n)
        {
          const char *semi = memchr (v.p, ';', v.n);
          lf_str one = { v.p, semi ? (size_t) (semi - v.p) : v.n };
          v = (lf_str){ v.p + one.n, v.n - one.n };
          while (v.n && (*v.p == ';' || *v.p == ' '))
            v.p++, v.n--;
          if (!one.n)
            continue;
          lf_buf_adds (out, any ? "," : ",\"cookies\":[");
          add_str (out, one);
          any = true;
        }
    }
  if (any)
    lf_buf_addc (out, ']');
}

/* What the service in front of Lambda sets itself, whatever the caller sent. There is no TLS here; the two headers tell what Lambda's
 * address negotiates at the least, since handlers only look whether they are there. */
static const char *const platform[] = { "x-amzn-tls-cipher-suite", "x-amzn-tls-version", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port",
                                        "x-forwarded-proto", "cookie" };

static bool
is_platform (lf_str name)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (platform); i++)
    if (lf_str_ieq (name, platform[i]))
      return true;
  return false;
}

static int
print_headers (const lf_url_request *r, lf_buf *out)
{
  pairs p = { 0 };
  bool first = false;
  if (pairs_init (&p, r->headers_n) < 0)
    {
      pairs_fini (&p);
      return -1;
    }
  for (size_t i = 0; i < r->headers_n; i++)
    {
      lf_str name = r->headers[i].name;
      if (is_platform (name))
        continue;
      pair *x = &p.v[p.n];
      lf_buf_init (&x->name, 0);
      lf_buf_init (&x->value, 0);
      for (size_t k = 0; k < name.n; k++)
        lf_buf_addc (&x->name, (char) (name.p[k] >= 'A' && name.p[k] <= 'Z' ? name.p[k] + 32 : name.p[k]));
      lf_buf_add (&x->value, r->headers[i].value.p ? r->headers[i].value.p : "", r->headers[i].value.n);
      pairs_join (&p);
    }
  add_key (out, "headers");
  lf_buf_adds (out, "{\"x-amzn-tls-cipher-suite\":\"TLS_AES_128_GCM_SHA256\",\"x-amzn-tls-version\":\"TLSv1.3\",\"x-amzn-trace-id\":");
  add_text (out, r->trace_id);
  lf_buf_adds (out, ",\"x-forwarded-for\":");
  add_text (out, r->source_ip);
  lf_buf_addf (out, ",\"x-forwarded-port\":\"%d\",\"x-forwarded-proto\":\"http\"", r->port);
  pairs_print (&p, out, &first);
  lf_buf_addc (out, '}');
  pairs_fini (&p);
  return 0;
}

/* ---- query -------------------------------------------------------------------------------------------------------------------------- */

/* A blank may be written as a plus; what is no proper escape stays as it is. */
static void
decode (lf_buf *b, const char *s, size_t n)
{
  lf_buf plain LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&plain, 0);
  lf_buf_init (b, 0);
  for (size_t i = 0; i < n; i++)
    lf_buf_addc (&plain, s[i] == '+' ? ' ' : s[i]);
  if (plain.len && lf_url_decode (plain.data, plain.len, b) < 0)
    {
      lf_buf_reset (b);
      lf_buf_add (b, plain.data, plain.len);
    }
}

static int
print_query (lf_str q, lf_buf *out)
{
  pairs p = { 0 };
  size_t parts = 1;
  bool first = true;
  for (size_t i = 0; i < q.n; i++)
    parts += q.p[i] == '&';
  if (pairs_init (&p, parts) < 0)
    {
      pairs_fini (&p);
      return -1;
    }
  while (q.n)
    {
      const char *amp = memchr (q.p, '&', q.n);
      size_t n = amp ? (size_t) (amp - q.p) : q.n;
      const char *eq = memchr (q.p, '=', n);
      size_t key = eq ? (size_t) (eq - q.p) : n;
      if (n)
        {
          decode (&p.v[p.n].name, q.p, key);
          decode (&p.v[p.n].value, eq ? eq + 1 : "", eq ? n - key - 1 : 0);
          pairs_join (&p);
        }
      q = amp ? (lf_str){ amp + 1, q.n - n - 1 } : (lf_str){ NULL, 0 };
    }
  if (p.n)
    {
      add_key (out, "queryStringParameters");
      lf_buf_addc (out, '{');
      pairs_print (&p, out, &first);
      lf_buf_addc (out, '}');
    }
  pairs_fini (&p);
  return 0;
}

/* ---- context and body --------------------------------------------------------------------------------------------------------------- */

static void
print_iam (const lf_function *f, const lf_url_request *r, lf_buf *out)
{
  lf_buf_adds (out, ",\"authorizer\":{\"iam\":{\"accessKey\":");
  add_str (out, r->access_key);
  lf_buf_adds (out, ",\"accountId\":");
  add_text (out, f->account);
  lf_buf_adds (out, ",\"callerId\":");
  add_str (out, r->access_key);
  lf_buf_addf (out, ",\"cognitoIdentity\":null,\"principalOrgId\":null,\"userArn\":\"arn:aws:iam::%s:user/local\",\"userId\":", f->account ? f->account : "");
  add_str (out, r->access_key);
  lf_buf_adds (out, "}}");
}

static void
print_context (const lf_function *f, const lf_url_request *r, lf_buf *out)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  lf_utc t = lf_utc_from (r->wall_us);
  bool iam = r->access_key.n > 0;
  lf_buf_adds (out, ",\"requestContext\":{\"accountId\":");
  add_text (out, iam ? f->account : "anonymous");
  add_key (out, "apiId");
  add_text (out, r->prefix);
  lf_buf_adds (out, ",\"authentication\":null");
  if (iam)
    print_iam (f, r, out);
  add_key (out, "domainName");
  add_text (out, r->domain);
  add_key (out, "domainPrefix");
  add_text (out, r->prefix);
  lf_buf_adds (out, ",\"http\":{\"method\":");
  add_str (out, r->method);
  add_key (out, "path");
  add_str (out, r->path);
  lf_buf_adds (out, ",\"protocol\":\"HTTP/1.1\",\"sourceIp\":");
  add_text (out, r->source_ip);
  add_key (out, "userAgent");
  add_str (out, header (r, "user-agent"));
  lf_buf_adds (out, "},\"requestId\":");
  add_text (out, r->request_id);
  lf_buf_addf (out, ",\"routeKey\":\"$default\",\"stage\":\"$default\",\"time\":\"%02d/%.3s/%04d:%02d:%02d:%02d +0000\",\"timeEpoch\":%lld}", t.day,
               months + 3 * ((t.month + 11) % 12), t.year, t.hour, t.minute, t.second, (long long) (r->wall_us / 1000));
}

static bool
ends_with (lf_str s, const char *tail)
{
  size_t n = strlen (tail);
  return s.n > n && lf_str_ieq ((lf_str){ s.p + s.n - n, n }, tail);
}

/* Does a body of this type go into the event as it is? */
static bool
is_text_type (lf_str type)
{
  static const char *const whole[] = { "application/json", "application/xml", "application/javascript" };
  const char *semi = type.n ? memchr (type.p, ';', type.n) : NULL;
  if (semi)
    type.n = (size_t) (semi - type.p);
  while (type.n && type.p[type.n - 1] == ' ')
    type.n--;
  for (size_t i = 0; i < LF_ARRAY_LEN (whole); i++)
    if (lf_str_ieq (type, whole[i]))
      return true;
  return (type.n >= 5 && lf_str_ieq ((lf_str){ type.p, 5 }, "text/")) || ends_with (type, "+json") || ends_with (type, "+xml");
}

static void
print_body (const lf_url_request *r, lf_buf *out)
{
  bool text = r->body.n == 0 || (is_text_type (header (r, "content-type")) && lf_utf8_valid (r->body.p, r->body.n) == r->body.n);
  if (r->body.n)
    {
      add_key (out, "body");
      if (text)
        add_str (out, r->body);
      else
        {
          lf_buf_addc (out, '"');
          lf_buf_add_base64 (out, r->body.p, r->body.n);
          lf_buf_addc (out, '"');
        }
    }
  lf_buf_addf (out, ",\"isBase64Encoded\":%s", text ? "false" : "true");
}

int
lf_url_event (const lf_function *f, const lf_url_request *r, lf_buf *out)
{
  lf_buf_adds (out, "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":");
  add_str (out, r->path);
  add_key (out, "rawQueryString");
  add_str (out, r->query);
  print_cookies (r, out);
  if (print_headers (r, out) < 0 || print_query (r->query, out) < 0)
    return -1;
  print_context (f, r, out);
  print_body (r, out);
  lf_buf_addc (out, '}');
  return out->failed ? -1 : 0;
}
