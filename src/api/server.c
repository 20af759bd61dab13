/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's one public port: which route a request belongs to. A path is split at its slashes first and decoded afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "invoke.h"

#define LF_INVOKE_HEADER_MAX ((size_t) 1 << 20) /* request line and headers: Lambda's quota is 1 MB in total */
#define LF_INVOKE_IDLE_MS (10 * 60 * 1000)
#define LF_INVOKE_HEADER_MS (30 * 1000)
#define LF_SEGMENTS_MAX 8

/* CreateFunction and its like carry a zip of 50 MB as base64. */
#define LF_CODE_REQUEST_MAX INT64_C (70167211)

#define LF_INVOKE_HELD_MAX ((size_t) 1 << 30) /* of requests that are being read, all together */
#define LF_INVOKE_CONNS_MAX 16384
#define LF_REFUSED_MS 200 /* how long refused ones are gathered before the log is told */

struct lf_api_invoke
{
  uv_timer_t refused_timer; /* its memory is freed when it is closed */
  int64_t refused, refused_told;
  lf_engine *engine;
  lf_deploy *deploy;
  lf_http_server *server;
  int port;
  lf_api_pending *pending;
};

lf_engine *
lf_api_engine (const lf_api_invoke *a)
{
  return a->engine;
}

int
lf_api_port (const lf_api_invoke *a)
{
  return a->port;
}

lf_deploy *
lf_api_deploy (const lf_api_invoke *a)
{
  return a->deploy;
}

lf_api_pending **
lf_api_pendings (lf_api_invoke *a)
{
  return &a->pending;
}

typedef struct lf_path
{
  lf_str seg[LF_SEGMENTS_MAX];
  size_t n;
} lf_path;

/* Old clients put a slash at the end; it means nothing. */
static int
split_path (lf_str path, lf_path *out)
{
  out->n = 0;
  const char *p = path.p, *end = path.p + path.n;
  while (p < end)
    {
      if (*p == '/')
        {
          p++;
          continue;
        }
      const char *slash = memchr (p, '/', (size_t) (end - p));
      size_t n = slash ? (size_t) (slash - p) : (size_t) (end - p);
      if (out->n == LF_SEGMENTS_MAX)
        return -1;
      out->seg[out->n++] = (lf_str){ p, n };
      p += n;
    }
  return 0;
}

char *
lf_api_query (const lf_http_req *r, const char *key)
{
  lf_str query = r->query;
  const char *p = query.p, *end = query.p + query.n;
  size_t key_n = strlen (key);
  while (p && p < end)
    {
      const char *amp = memchr (p, '&', (size_t) (end - p));
      size_t n = amp ? (size_t) (amp - p) : (size_t) (end - p);
      if (n > key_n && memcmp (p, key, key_n) == 0 && p[key_n] == '=')
        {
          lf_buf b;
          lf_buf_init (&b, 4096);
          if (lf_url_decode (p + key_n + 1, n - key_n - 1, &b) == 0 && lf_buf_add (&b, "", 0) == 0)
            {
              char *v = b.len ? lf_buf_take (&b) : NULL;
              lf_buf_fini (&b);
              return v;
            }
          lf_buf_fini (&b);
          return NULL;
        }
      p += n + 1;
    }
  return NULL;
}

/* ---- functions by name ------------------------------------------------------------------------------------------------------------- */

void
lf_svc_refuse (lf_http_req *r, const lf_refusal *no)
{
  lf_svc_reply (r, no->svc, NULL, NULL, 0, no->text);
}

bool
lf_api_name (lf_http_req *r, lf_str segment, char **name, char **qualifier, char **region)
{
  lf_error err;
  lf_error_none (&err);
  lf_buf text LF_CLEANUP (lf_buf_fini);
  char *wanted LF_CLEANUP (lf_freep) = lf_api_query (r, "Qualifier");
  lf_buf_init (&text, 4096);
  if (lf_url_decode (segment.p, segment.n, &text) < 0 || (text.data && strlen (text.data) != text.len)
      || lf_function_name_parse (text.data ? text.data : "", name, qualifier, region, &err) < 0)
    {
      lf_svc_reply (r, LF_SVC_VALIDATION, NULL, NULL, 0, err.why[0] ? err.why : "1 validation error detected: the function's name is not percent-encoded text");
      return false;
    }
  if (wanted && *qualifier && strcmp (wanted, *qualifier) != 0)
    {
      lf_svc_reply (r, LF_SVC_INVALID_PARAMETER_VALUE, NULL, NULL, 0, "The derived qualifier from the function name does not match the specified qualifier.");
      return false;
    }
  if (wanted && !*qualifier)
    {
      *qualifier = wanted;
      wanted = NULL;
    }
  return true;
}

lf_live_fn *
lf_api_function (lf_api_invoke *a, lf_http_req *r, lf_str segment, bool control, char **qualifier)
{
  char *name LF_CLEANUP (lf_freep) = NULL;
  char *region LF_CLEANUP (lf_freep) = NULL;
  char client[32];
  lf_refusal no;
  if (!lf_api_name (r, segment, &name, qualifier, &region))
    return NULL;
  lf_api_client_region (r, client);
  lf_live_fn *fn = lf_deploy_check_region (a->deploy, name, region, &no) < 0
                       ? NULL
                       : lf_deploy_resolve (a->deploy, name, *qualifier, region ? region : client, control, &no);
  if (!fn)
    lf_svc_refuse (r, &no);
  return fn;
}

/* ---- routes --------------------------------------------------------------------------------------------------------------------------- */

static void
unknown (lf_http_req *r, int status)
{
  char id[37], text[300];
  lf_uuid4 (id);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  int n = r->path.n < 150 ? (int) r->path.n : 150;
  snprintf (text, sizeof text, "%s %.*s is not served by lambdafit", status == 405 ? "This method of" : "The path", n, r->path.p);
  lf_buf_adds (&b, "{\"Type\":\"User\",\"Message\":");
  lf_buf_add_json_str (&b, text, strlen (text));
  lf_buf_addc (&b, '}');
  lf_http_pair h[] = { { "Content-Type", "application/json" }, { "x-amzn-RequestId", id },
                       { "x-amzn-ErrorType", status == 405 ? "MethodNotAllowedException" : "UnknownOperationException" } };
  lf_http_reply (r, status, h, 3, b.data, b.len);
}

static const lf_route routes[] = {
#define ROUTE(operation, method, path, run) { operation, method, path, NULL, run, 0, LF_NAMES_NOTHING, NULL, NULL, 0 },
#define ROUTE_OP(operation, method, path, query, names, op, status)                                                                          \
  { operation, method, path, query, lf_route_op, 0, LF_NAMES_##names, op, NULL, status },
#define ROUTE_CODE(operation, method, path, names, op, status)                                                                               \
  { operation, method, path, NULL, lf_route_code, LF_CODE_REQUEST_MAX, LF_NAMES_##names, NULL, op, status },
#include "routes.def"
};

size_t
lf_api_routes (const lf_route **out)
{
  *out = routes;
  return LF_ARRAY_LEN (routes);
}

/* "DATE/functions/ * /code": a star stands for one segment. */
static bool
path_matches (const char *pattern, const lf_path *p, lf_route_args *args)
{
  args->n = 0;
  for (size_t i = 0; i < p->n; i++)
    {
      size_t n = strcspn (pattern, "/");
      if (!*pattern)
        return false;
      if (n == 1 && *pattern == '*')
        args->arg[args->n++] = p->seg[i];
      else if (n != p->seg[i].n || memcmp (pattern, p->seg[i].p, n) != 0)
        return false;
      pattern += n + (pattern[n] == '/');
    }
  return !*pattern;
}

/* "find=LayerVersion" is in the query, as it is there. */
static bool
query_matches (const char *wanted, lf_str query)
{
  size_t n = strlen (wanted);
  for (size_t i = 0; i + n <= query.n; i++)
    if ((i == 0 || query.p[i - 1] == '&') && memcmp (query.p + i, wanted, n) == 0 && (i + n == query.n || query.p[i + n] == '&'))
      return true;
  return false;
}

/* The route of a request; NULL with the status to answer. */
static const lf_route *
find_route (const lf_http_req *r, lf_route_args *args, int *status)
{
  lf_path p;
  *status = 404;
  if (split_path (r->path, &p) < 0)
    return NULL;
  for (size_t i = 0; i < LF_ARRAY_LEN (routes); i++)
    {
      if (!path_matches (routes[i].path, &p, args) || (routes[i].query && !query_matches (routes[i].query, r->query)))
        continue;
      if (lf_str_eq (r->method, routes[i].method))
        return &routes[i];
      *status = 405;
    }
  return NULL;
}

static void
on_headers (lf_http_req *r, void *user)
{
  (void) user;
  lf_route_args args;
  int status;
  const lf_route *route = lf_url_is (r) ? NULL : find_route (r, &args, &status);
  if (route && route->body_max)
    r->body_limit = route->body_max;
}

/* Browsers let every web page send requests to this machine, and name it in this header. A page from elsewhere has no business here: it could run or
 * change functions behind its reader's back. Function URLs are for pages; what these may do there is said by their CORS settings. */
static bool
from_foreign_page (const lf_http_req *r)
{
  if (!lf_http_has (r, "Origin"))
    return false;
  lf_str o = lf_http_get (r, "Origin");
  size_t scheme = o.n > 7 && memcmp (o.p, "http://", 7) == 0 ? 7 : o.n > 8 && memcmp (o.p, "https://", 8) == 0 ? 8 : 0;
  const char *host = o.p + scheme, *end = o.p + o.n;
  const char *port = end;
  while (port > host && port[-1] >= '0' && port[-1] <= '9')
    port--;
  lf_str name = { host, (size_t) (port > host && port[-1] == ':' && port < end ? port - 1 - host : end - host) };
  static const char tail[] = ".localhost";
  const size_t n = sizeof tail - 1;
  return !scheme
         || !(lf_str_ieq (name, "localhost") || lf_str_eq (name, "[::1]") || lf_str_eq (name, "127.0.0.1")
              || (name.n > n && memcmp (name.p + name.n - n, tail, n) == 0));
}

static void
on_request (lf_http_req *r, void *user)
{
  lf_api_invoke *a = user;
  lf_route_args args;
  int status;
  r->user = NULL;
  if (lf_url_route (a, r))
    return;
  if (from_foreign_page (r))
    {
      lf_svc_reply (r, LF_SVC_ACCESS_DENIED, NULL, NULL, 0,
                    "A web page from another machine (header Origin) may not use lambdafit: call it from a program, from a page on localhost, or by a function URL");
      return;
    }
  const lf_route *route = find_route (r, &args, &status);
  if (route)
    {
      args.route = route;
      route->run (a, r, &args);
    }
  else
    unknown (r, status);
}

void
lf_route_invoke (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  char *qualifier LF_CLEANUP (lf_freep) = NULL;
  lf_live_fn *fn = lf_api_function (a, r, args->arg[0], false, &qualifier);
  if (fn)
    lf_invoke_route (r, fn, qualifier);
}

void
lf_route_invoke_stream (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  char *qualifier LF_CLEANUP (lf_freep) = NULL;
  if (!lf_engine_profile (a->engine)->stream_max_bytes)
    {
      unknown (r, 404);
      return;
    }
  lf_live_fn *fn = lf_api_function (a, r, args->arg[0], false, &qualifier);
  if (fn)
    lf_invoke_stream_route (r, fn, qualifier);
}

void
lf_route_invoke_async (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  char *qualifier LF_CLEANUP (lf_freep) = NULL;
  lf_live_fn *fn = lf_api_function (a, r, args->arg[0], false, &qualifier);
  if (fn)
    lf_invoke_async_route (r, fn);
}

static void
settings (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args, void (*run) (lf_http_req *r, lf_live_fn *fn))
{
  char *qualifier LF_CLEANUP (lf_freep) = NULL;
  lf_live_fn *fn = lf_api_function (a, r, args->arg[0], true, &qualifier);
  if (!fn)
    return;
  bool changes = strcmp (args->route->method, "GET") != 0;
  run (r, fn);
  if (changes)
    lf_deploy_settings_changed (a->deploy, lf_live_fn_config (fn)->name);
}

void
lf_route_concurrency (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  settings (a, r, args, lf_settings_concurrency);
}

void
lf_route_events_list (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  settings (a, r, args, lf_settings_events_list);
}

void
lf_route_events (lf_api_invoke *a, lf_http_req *r, const lf_route_args *args)
{
  settings (a, r, args, lf_settings_events);
}

static void
on_gone (lf_http_req *r, void *user)
{
  (void) user;
  lf_waiting *w = r->user;
  if (w)
    w->gone (r);
}

static void
on_drain (lf_http_req *r, void *user)
{
  (void) user;
  lf_waiting *w = r->user;
  if (w && w->drained)
    w->drained (r);
}

/* ---- refused ones ------------------------------------------------------------------------------------------------------------------ */

static void
tell_refused (lf_api_invoke *a)
{
  lf_error err = { 0 };
  if (a->refused == a->refused_told)
    return;
  if (lf_engine_refused (a->engine, a->refused, &err) == 0)
    a->refused_told = a->refused;
}

static void
on_refused_timer (uv_timer_t *t)
{
  tell_refused (t->data);
}

static void
on_refused (void *user)
{
  lf_api_invoke *a = user;
  a->refused++;
  if (!uv_is_active ((uv_handle_t *) &a->refused_timer))
    uv_timer_start (&a->refused_timer, on_refused_timer, LF_REFUSED_MS, 0);
}

static void
on_closed (uv_handle_t *h)
{
  free (h->data);
}

/* Half of the descriptors are for environments, which need a dozen each. */
static size_t
conns_max (void)
{
  struct rlimit r;
  size_t n = getrlimit (RLIMIT_NOFILE, &r) == 0 && r.rlim_cur / 2 < LF_INVOKE_CONNS_MAX ? (size_t) r.rlim_cur / 2 : LF_INVOKE_CONNS_MAX;
  return n < 32 ? 32 : n;
}

/* A quarter of the machine's memory, where that is less. */
static size_t
held_max (void)
{
  long pages = sysconf (_SC_PHYS_PAGES), size = sysconf (_SC_PAGESIZE);
  size_t quarter = pages > 0 && size > 0 ? (size_t) pages / 4 * (size_t) size : LF_INVOKE_HELD_MAX;
  return quarter < LF_INVOKE_HELD_MAX ? quarter : LF_INVOKE_HELD_MAX;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

lf_api_invoke *
lf_api_invoke_new (lf_engine *e, lf_deploy *d, uv_loop_t *loop, const char *host, int *port, lf_error *err)
{
  lf_api_invoke *a = calloc (1, sizeof *a);
  if (!a)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  const lf_profile *p = lf_engine_profile (e);
  int64_t body_max = p->request_max_bytes > p->async_request_max_bytes ? p->request_max_bytes : p->async_request_max_bytes;
  a->engine = e;
  a->deploy = d;
  a->server = lf_http_server_new (&(lf_http_server_options){ .loop = loop,
                                                             .header_max = LF_INVOKE_HEADER_MAX,
                                                             .body_max = body_max,
                                                             .conns_max = conns_max (),
                                                             .held_max = held_max (),
                                                             .on_refused = on_refused,
                                                             .idle_ms = LF_INVOKE_IDLE_MS,
                                                             .header_ms = LF_INVOKE_HEADER_MS,
                                                             .user = a,
                                                             .on_headers = on_headers,
                                                             .on_request = on_request,
                                                             .on_drain = on_drain,
                                                             .on_gone = on_gone },
                                  err);
  if (!a->server || lf_http_listen (a->server, host, port, err) < 0)
    {
      if (a->server)
        lf_http_server_close (a->server);
      free (a);
      return NULL;
    }
  uv_timer_init (loop, &a->refused_timer);
  uv_unref ((uv_handle_t *) &a->refused_timer);
  a->refused_timer.data = a;
  a->port = *port;
  return a;
}

void
lf_api_invoke_close (lf_api_invoke *a)
{
  if (!a)
    return;
  lf_http_server_close (a->server);
  lf_deploy_close (a->deploy); /* its workers find nobody to answer */
  while (a->pending)
    {
      lf_api_pending *p = a->pending;
      a->pending = p->next;
      free (p);
    }
  tell_refused (a);
  uv_close ((uv_handle_t *) &a->refused_timer, on_closed);
}
