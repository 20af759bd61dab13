/* SPDX-License-Identifier: Apache-2.0
 *
 * The control API's routes: a request's path, query and body become a lf_deploy_request, its reply becomes an answer.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "invoke.h"

#define LF_OP_BODY_MAX ((size_t) 1 << 20)
#define LF_CODE_FILE_MAX ((size_t) 64 << 20)

/* ---- answers ------------------------------------------------------------------------------------------------------------------------- */

static void
reply_json (lf_http_req *r, int status, const cJSON *o)
{
  char id[37];
  lf_uuid4 (id);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_http_pair h[] = { { "x-amzn-RequestId", id }, { "Content-Type", "application/json" } };
  if (status == 204)
    lf_http_reply (r, 204, h, 1, NULL, 0);
  else if (lf_json_print (o, &b) < 0)
    lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
  else
    lf_http_reply (r, status, h, 2, b.data, b.len);
}

static void
on_gone (lf_http_req *r)
{
  lf_api_pending *p = r->user;
  p->r = NULL;
}

static lf_api_pending *
pending_new (lf_api_invoke *a, lf_http_req *r, const lf_route *route)
{
  lf_api_pending *p = calloc (1, sizeof *p), **list = lf_api_pendings (a);
  if (!p)
    {
      lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
      return NULL;
    }
  p->w.gone = on_gone;
  p->r = r;
  p->route = route;
  r->user = &p->w;
  p->next = *list;
  *list = p;
  return p;
}

static void
pending_free (lf_api_invoke *a, lf_api_pending *p)
{
  lf_api_pending **at = lf_api_pendings (a);
  while (*at != p)
    at = &(*at)->next;
  *at = p->next;
  if (p->r)
    p->r->user = NULL;
  free (p);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

void
lf_api_client_region (const lf_http_req *r, char out[32])
{
  lf_str v = lf_http_get (r, "Authorization"), rest;
  out[0] = 0;
  const char *at = v.n ? memmem (v.p, v.n, "Credential=", 11) : NULL;
  if (!at)
    return;
  rest = (lf_str){ at, (size_t) (v.p + v.n - at) };
  for (int slashes = 0; slashes < 2; slashes++)
    {
      const char *slash = memchr (rest.p, '/', rest.n);
      if (!slash)
        return;
      rest.n -= (size_t) (slash + 1 - rest.p);
      rest.p = slash + 1;
    }
  const char *end = memchr (rest.p, '/', rest.n);
  if (end && end - rest.p < 32)
    snprintf (out, 32, "%.*s", (int) (end - rest.p), rest.p);
}

/* A request with the texts it borrows. */
typedef struct lf_op_request
{
  lf_deploy_request q;
  char *owned[10];
  size_t owned_n;
  cJSON *body;
  char region[32], base_url[300];
} lf_op_request;

static void
request_fini (lf_op_request *o)
{
  for (size_t i = 0; i < o->owned_n; i++)
    free (o->owned[i]);
  cJSON_Delete (o->body);
  cJSON_Delete (o->q.tag_keys);
}

static const char *
own (lf_op_request *o, char *text)
{
  if (text)
    o->owned[o->owned_n++] = text;
  return text;
}

static char *
decoded (lf_str s)
{
  lf_buf b;
  lf_buf_init (&b, 4096);
  char *text = lf_url_decode (s.p, s.n, &b) == 0 && b.len && !memchr (b.data, 0, b.len) ? lf_buf_take (&b) : NULL;
  lf_buf_fini (&b);
  return text;
}

/* "tagKeys=a&tagKeys=b". */
static cJSON *
read_tag_keys (const lf_http_req *r)
{
  cJSON *list = cJSON_CreateArray ();
  lf_str q = r->query;
  while (list && q.n)
    {
      const char *amp = memchr (q.p, '&', q.n);
      size_t n = amp ? (size_t) (amp - q.p) : q.n;
      lf_str value;
      if (lf_str_skip ((lf_str){ q.p, n }, "tagKeys=", &value))
        {
          char *text LF_CLEANUP (lf_freep) = decoded (value);
          cJSON *item = text ? cJSON_CreateString (text) : NULL;
          if (item)
            cJSON_AddItemToArray (list, item);
        }
      q.p += n + (amp != NULL);
      q.n -= n + (amp != NULL);
    }
  return list;
}

static void
read_query (lf_op_request *o, const lf_http_req *r)
{
  char *number LF_CLEANUP (lf_freep) = lf_api_query (r, "MaxItems");
  char *version LF_CLEANUP (lf_freep) = lf_api_query (r, "FunctionVersion");
  o->q.max_items = LF_NONE;
  if (number && lf_parse_i64 (number, INT32_MIN, INT32_MAX, &o->q.max_items) < 0)
    o->q.max_items = -1;
  o->q.all_versions = version && strcmp (version, "ALL") == 0;
  o->q.marker = own (o, lf_api_query (r, "Marker"));
  o->q.arn = own (o, lf_api_query (r, "Arn"));
  o->q.revision = own (o, lf_api_query (r, "RevisionId"));
  o->q.runtime = own (o, lf_api_query (r, "CompatibleRuntime"));
  o->q.arch = own (o, lf_api_query (r, "CompatibleArchitecture"));
  o->q.tag_keys = read_tag_keys (r);
}

/* False when it was answered with an error. */
static bool
read_names (lf_op_request *o, lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  char *name = NULL, *qualifier = NULL, *region = NULL;
  lf_refusal no;
  if (args->route->names == LF_NAMES_FUNCTION)
    {
      bool ok = lf_api_name (r, args->arg[0], &name, &qualifier, &region);
      o->q.name = own (o, name);
      o->q.qualifier = own (o, qualifier);
      if (region)
        snprintf (o->region, sizeof o->region, "%s", region);
      bool here = ok && lf_deploy_check_region (lf_api_deploy (a), name, region, &no) == 0;
      free (region);
      if (ok && !here)
        lf_svc_refuse (r, &no);
      if (!here)
        return false;
    }
  else if (args->route->names == LF_NAMES_OTHER)
    o->q.name = own (o, decoded (args->arg[0]));
  if (args->n > 1)
    o->q.arg = own (o, decoded (args->arg[1]));
  if ((args->n > 0 && !o->q.name) || (args->n > 1 && !o->q.arg))
    {
      lf_svc_reply (r, LF_SVC_VALIDATION, NULL, NULL, 0, "1 validation error detected: the path is not percent-encoded text");
      return false;
    }
  return true;
}

static bool
read_body (lf_op_request *o, lf_http_req *r)
{
  lf_error err = { 0 };
  lf_refusal no;
  bool fits = r->body.len <= LF_OP_BODY_MAX && !r->too_large;
  if (fits && r->body.len && lf_deploy_check_body (r->body.data, r->body.len, &no) < 0)
    {
      lf_svc_refuse (r, &no);
      return false;
    }
  o->body = !fits ? NULL : r->body.len ? lf_json_parse (r->body.data, r->body.len, "request", &err) : cJSON_CreateObject ();
  o->q.body = o->body;
  if (cJSON_IsObject (o->body))
    return true;
  lf_svc_reply (r, LF_SVC_INVALID_REQUEST_CONTENT, NULL, NULL, 0,
                fits ? "Could not parse request body into json: it is no JSON object" : "Could not parse request body into json: it is larger than 1 MB");
  return false;
}

static bool
read_request (lf_op_request *o, lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  lf_str host = lf_http_get (r, "Host");
  memset (o, 0, sizeof *o);
  lf_api_client_region (r, o->region);
  o->q.region = o->region;
  snprintf (o->base_url, sizeof o->base_url, "http://%.*s", (int) (host.n < 250 ? host.n : 250), host.n ? host.p : "");
  o->q.base_url = o->base_url;
  read_query (o, r);
  return read_names (o, a, r, args);
}

void
lf_route_op (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  lf_op_request o;
  lf_refusal no;
  if (read_request (&o, a, r, args) && read_body (&o, r))
    {
      cJSON *reply LF_CLEANUP (lf_json_freep) = args->route->op (lf_api_deploy (a), &o.q, &no);
      if (reply)
        reply_json (r, args->route->status, reply);
      else
        lf_svc_refuse (r, &no);
    }
  request_fini (&o);
}

/* ---- with code ------------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_code_call { lf_api_invoke *a; lf_deploy *deploy; lf_api_pending *p; } lf_code_call;

static void
on_done (const cJSON *reply, const lf_refusal *no, void *user)
{
  lf_code_call *c = user;
  if (lf_deploy_closing (c->deploy)) /* the server and who waited for it are gone */
    {
      free (c);
      return;
    }
  lf_http_req *r = c->p->r;
  const lf_route *route = c->p->route;
  pending_free (c->a, c->p);
  free (c);
  if (r && reply)
    reply_json (r, route->status, reply);
  else if (r)
    lf_svc_refuse (r, no);
}

static void
too_large (lf_http_req *r, const lf_route *route)
{
  char text[160];
  snprintf (text, sizeof text, "Request must be smaller than %lld bytes for the %s operation", (long long) route->body_max, route->operation);
  lf_svc_reply (r, LF_SVC_REQUEST_TOO_LARGE, NULL, NULL, 0, text);
}

void
lf_route_code (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  lf_op_request o;
  if (r->too_large)
    {
      too_large (r, args->route);
      return;
    }
  if (lf_deploy_uploads (lf_api_deploy (a)) >= LF_DEPLOY_UPLOADS_MAX)
    {
      lf_svc_reply (r, LF_SVC_TOO_MANY_REQUESTS, NULL, "CallerRateLimitExceeded", 1000, NULL); /* clients come again by themselves */
      return;
    }
  if (read_request (&o, a, r, args))
    {
      lf_code_call *c = calloc (1, sizeof *c);
      lf_api_pending *p = c ? pending_new (a, r, args->route) : NULL;
      if (c && p)
        {
          *c = (lf_code_call){ a, lf_api_deploy (a), p };
          args->route->code (lf_api_deploy (a), &o.q, &r->body, on_done, c);
        }
      else
        free (c);
    }
  request_fini (&o);
}

/* ---- downloads: what a reply's Location names --------------------------------------------------------------------------------------------- */

typedef struct lf_download
{
  uv_work_t work;
  lf_api_invoke *a;
  lf_deploy *deploy;
  lf_api_pending *p;
  char *path;
  lf_buf bytes;
  bool failed;
} lf_download;

static void
read_file (uv_work_t *w)
{
  lf_download *l = w->data;
  lf_error err = { 0 };
  l->failed = lf_read_file (l->path, LF_CODE_FILE_MAX, &l->bytes, &err) < 0;
}

static void
file_read (uv_work_t *w, int status)
{
  lf_download *l = w->data;
  (void) status;
  if (!lf_deploy_closing (l->deploy))
    {
      lf_http_req *r = l->p->r;
      pending_free (l->a, l->p);
      if (r && l->failed)
        lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "the file cannot be read");
      else if (r)
        lf_http_reply (r, 200, &(lf_http_pair){ "Content-Type", "application/zip" }, 1, l->bytes.data, l->bytes.len);
    }
  lf_buf_fini (&l->bytes);
  free (l->path);
  free (l);
}

void
lf_route_download (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  char hex[65];
  lf_str name = args->arg[0];
  snprintf (hex, sizeof hex, "%.*s", (int) (name.n < 64 ? name.n : 64), name.p);
  char *path = name.n == 68 && memcmp (name.p + 64, ".zip", 4) == 0 ? lf_deploy_code_path (lf_api_deploy (a), hex) : NULL;
  lf_download *l = path ? calloc (1, sizeof *l) : NULL;
  lf_api_pending *p = l ? pending_new (a, r, args->route) : NULL;
  if (!path)
    lf_svc_reply (r, LF_SVC_RESOURCE_NOT_FOUND, NULL, NULL, 0, NULL);
  else if (!l)
    lf_svc_reply (r, LF_SVC_SERVICE, NULL, NULL, 0, "out of memory");
  if (!p)
    {
      free (path);
      free (l);
      return;
    }
  l->a = a;
  l->deploy = lf_api_deploy (a);
  l->p = p;
  l->path = path;
  lf_buf_init (&l->bytes, LF_CODE_FILE_MAX);
  l->work.data = l;
  uv_queue_work (lf_engine_loop (lf_api_engine (a)), &l->work, read_file, file_read);
}
