/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets, the list of connections, and one timer for all of them. The timer runs only while there is something to wait
 * for, so an idle server costs nothing.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define BACKLOG 511

static _Thread_local lf_http_shared shared;

lf_http_shared *
lf_http_shared_get (void)
{
  return &shared;
}

static void
shared_unref (void)
{
  if (--shared.users > 0)
    return;
  free (shared.read);
  lf_buf_fini (&shared.out);
  shared = (lf_http_shared){ 0 };
}

static void
on_handle_closed (uv_handle_t *h)
{
  lf_http_server_unref (h->data);
}

void
lf_http_server_unref (lf_http_server *s)
{
  if (--s->handles > 0)
    return;
  shared_unref ();
  free (s);
}

lf_http_server *
lf_http_server_new (const lf_http_server_options *o, lf_error *err)
{
  lf_http_server *s = calloc (1, sizeof *s);
  if (!shared.read && !(shared.read = malloc (READ_BYTES)))
    {
      free (s);
      s = NULL;
    }
  if (!s)
    {
      LF_FAIL_NOMEM (err);
      return NULL;
    }
  if (shared.users++ == 0)
    lf_buf_init (&shared.out, (size_t) 4 << 20);
  s->o = *o;
  chain_init (&s->conns);
  chain_init (&s->wakes);
  int64_t shortest = 4000;
  if (o->idle_ms > 0 && o->idle_ms < shortest)
    shortest = o->idle_ms;
  if (o->header_ms > 0 && o->header_ms < shortest)
    shortest = o->header_ms;
  s->tick_ms = shortest / 4 > 5 ? shortest / 4 : 5;
  uv_tcp_init (o->loop, &s->listener);
  uv_timer_init (o->loop, &s->timer);
  uv_idle_init (o->loop, &s->idle);
  uv_unref ((uv_handle_t *) &s->timer);
  s->listener.data = s->timer.data = s->idle.data = s;
  s->handles = 3;
  return s;
}

size_t
lf_http_server_conns (const lf_http_server *s)
{
  return s->conns_n;
}

/* ---- listening ------------------------------------------------------------------------------------------------------------ */

static void
on_connection (uv_stream_t *stream, int status)
{
  lf_http_server *s = stream->data;
  if (status < 0 || s->closing)
    return;
  if (lf_http_conn_accept (s) < 0)
    {
      s->accept_owed = true; /* no memory just now; libuv waits until the connection is taken */
      lf_http_server_arm (s);
    }
}

int
lf_http_listen_fd (lf_http_server *s, int fd, lf_error *err)
{
  if (s->listening)
    return LF_FAIL (err, LF_EXIT_IO, "listening socket", "", "this server listens already");
  /* Tried first by hand: libuv would keep a descriptor that cannot listen, but the caller still owns it then. */
  if (listen (fd, BACKLOG) < 0)
    {
      int e = errno;
      LF_FAIL (err, LF_EXIT_IO, "listening socket", "", "cannot listen: %s", strerror (e));
      err->sys_errno = e;
      return -1;
    }
  int rc = uv_tcp_open (&s->listener, fd);
  if (rc < 0)
    return LF_FAIL (err, LF_EXIT_IO, "listening socket", "", "cannot be used: %s", uv_strerror (rc));
  s->listening = true;
  rc = uv_listen ((uv_stream_t *) &s->listener, BACKLOG, on_connection);
  return rc < 0 ? LF_FAIL (err, LF_EXIT_IO, "listening socket", "", "cannot listen: %s", uv_strerror (rc)) : 0;
}

int
lf_http_adopt_fd (lf_http_server *s, int fd, lf_error *err)
{
  lf_http_conn *c = lf_http_conn_new (s);
  if (!c)
    return LF_FAIL_NOMEM (err);
  int rc = uv_tcp_open (&c->tcp, fd);
  if (rc < 0)
    {
      lf_http_conn_close (c);
      return LF_FAIL (err, LF_EXIT_IO, "socket", "", "cannot be served: %s", uv_strerror (rc));
    }
  lf_http_conn_start (c);
  return 0;
}

static int
listen_error (lf_error *err, const char *host, int port, int e)
{
  char what[120];
  if (port)
    snprintf (what, sizeof what, "port %d on %s", port, host);
  else
    snprintf (what, sizeof what, "address %s", host);
  int rc;
  if (e == EADDRINUSE)
    rc = LF_FAIL (err, LF_EXIT_IO, what,
                  "stop the other program (is another lambdafit serve running?), or choose another port: --port N, or --port 0 for "
                  "any free one",
                  "it is in use by another program");
  else if (e == EACCES)
    rc = LF_FAIL (err, LF_EXIT_IO, what, "choose a port from 1024 upwards", "this user may not listen there");
  else if (e == EADDRNOTAVAIL)
    rc = LF_FAIL (err, LF_EXIT_IO, what, "use an address of this machine: 127.0.0.1, or 0.0.0.0 for all",
                  "this machine does not have that address");
  else
    rc = LF_FAIL (err, LF_EXIT_IO, what, "", "cannot listen: %s", strerror (e));
  err->sys_errno = e;
  return rc;
}

/* Numbers first: a name may have to be asked for on the network. */
static struct addrinfo *
resolve (const char *host, int port, lf_error *err)
{
  char service[16];
  struct addrinfo *list = NULL, hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST };
  snprintf (service, sizeof service, "%d", port);
  const char *name = lf_streq (host, "localhost") ? "127.0.0.1" : host;
  int rc = getaddrinfo (name, service, &hints, &list);
  if (rc == EAI_NONAME)
    {
      hints.ai_flags &= ~AI_NUMERICHOST;
      rc = getaddrinfo (name, service, &hints, &list);
    }
  if (rc == 0)
    return list;
  LF_FAIL (err, LF_EXIT_USAGE, host, "use an address of this machine, such as 127.0.0.1", "not an address to listen on: %s",
           gai_strerror (rc));
  return NULL;
}

int
lf_http_listen (lf_http_server *s, const char *host, int *port, lf_error *err)
{
  LF_CLEANUP (lf_closep) int fd = -1;
  int one = 1, e = 0;
  struct sockaddr_storage bound;
  socklen_t len = sizeof bound;
  if (*port < 0 || *port > 65535)
    return LF_FAIL (err, LF_EXIT_USAGE, "port", "choose a port from 0 (any) to 65535", "%d is not a port", *port);
  struct addrinfo *a = resolve (host, *port, err);
  if (!a)
    return -1;
  fd = socket (a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 || bind (fd, a->ai_addr, a->ai_addrlen) < 0
      || listen (fd, BACKLOG) < 0 || getsockname (fd, (struct sockaddr *) &bound, &len) < 0)
    e = errno;
  freeaddrinfo (a);
  if (e)
    return listen_error (err, host, *port, e);
  if (lf_http_listen_fd (s, fd, err) < 0)
    return -1;
  fd = -1;
  *port = ntohs (bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) (void *) &bound)->sin6_port
                                             : ((struct sockaddr_in *) (void *) &bound)->sin_port);
  return 0;
}

/* ---- timer and wake-ups --------------------------------------------------------------------------------------------------- */

static void
on_tick (uv_timer_t *t)
{
  lf_http_server *s = t->data;
  bool again = false;
  int64_t now = (int64_t) uv_now (s->o.loop);
  if (s->accept_owed)
    {
      s->accept_owed = lf_http_conn_accept (s) < 0;
      again = s->accept_owed;
    }
  /* Looking at one connection may close others, so the list is rotated and never remembered. */
  for (size_t n = s->conns_n; n > 0 && !s->closing && chain_linked (&s->conns); n--)
    {
      lf_http_conn *c = CONTAINER (s->conns.next, lf_http_conn, all);
      chain_remove (&c->all);
      chain_append (&s->conns, &c->all);
      lf_http_conn_sweep (c, now, &again);
    }
  if (!again && !s->closing)
    uv_timer_stop (t);
}

void
lf_http_server_arm (lf_http_server *s)
{
  if (!s->closing && !uv_is_active ((uv_handle_t *) &s->timer))
    uv_timer_start (&s->timer, on_tick, (uint64_t) s->tick_ms, (uint64_t) s->tick_ms);
}

static void
on_idle (uv_idle_t *h)
{
  lf_http_server *s = h->data;
  for (size_t n = s->conns_n; n > 0 && !s->closing && chain_linked (&s->wakes); n--)
    {
      lf_http_conn *c = CONTAINER (s->wakes.next, lf_http_conn, wake);
      chain_remove (&c->wake);
      lf_http_conn_wake (c);
    }
  if (!s->closing && !chain_linked (&s->wakes))
    uv_idle_stop (h);
}

void
lf_http_server_wake (lf_http_conn *c)
{
  lf_http_server *s = c->server;
  if (s->closing || c->state == ST_CLOSED || chain_linked (&c->wake))
    return;
  chain_append (&s->wakes, &c->wake);
  uv_idle_start (&s->idle, on_idle);
}

void
lf_http_server_refused (lf_http_server *s)
{
  if (s->o.on_refused && !s->closing)
    s->o.on_refused (s->o.user);
}

/* Reading a request: its memory can be given back by refusing it. */
static bool
reading_one (const lf_http_conn *c)
{
  return c->state == ST_HEAD || c->state == ST_LENGTH || c->state == ST_CHUNKED;
}

static lf_http_conn *
largest (lf_http_server *s)
{
  lf_http_conn *most = NULL;
  for (chain *l = s->conns.next; l != &s->conns; l = l->next)
    {
      lf_http_conn *c = CONTAINER (l, lf_http_conn, all);
      if (reading_one (c) && !c->close_after && (!most || c->held > most->held))
        most = c;
    }
  return most;
}

/* Whoever holds the most has to go: many who hold a little, or one who only wants a little, are not to suffer for it. */
void
lf_http_server_account (lf_http_conn *c)
{
  lf_http_server *s = c->server;
  size_t now = c->head.cap + c->req.body.cap + c->pending.cap + c->trail.cap;
  s->held += now - c->held;
  c->held = now;
  while (s->o.held_max && s->held > s->o.held_max)
    {
      lf_http_conn *most = largest (s);
      if (!most || most->held == 0)
        return;
      lf_http_conn_refuse (most, 503);
      if (most->state != ST_CLOSED)
        {
          lf_buf_fini (&most->req.body);
          size_t left = most->head.cap + most->pending.cap + most->trail.cap;
          s->held -= most->held - left;
          most->held = left;
          most->close_after = true;
        }
      if (most == c)
        return;
    }
}

/* Between two requests for the longest time. */
static lf_http_conn *
idlest (lf_http_server *s, const lf_http_conn *but)
{
  lf_http_conn *most = NULL;
  for (chain *l = s->conns.next; l != &s->conns; l = l->next)
    {
      lf_http_conn *c = CONTAINER (l, lf_http_conn, all);
      if (c != but && c->state == ST_HEAD && c->head.len == 0 && c->pending.len == 0 && (!most || c->since_ms < most->since_ms))
        most = c;
    }
  return most;
}

bool
lf_http_server_room (lf_http_conn *c)
{
  lf_http_server *s = c->server;
  if (!s->o.conns_max || s->conns_n <= s->o.conns_max)
    return true;
  lf_http_conn *idle = idlest (s, c);
  if (idle)
    lf_http_conn_close (idle);
  lf_http_server_refused (s);
  return idle != NULL;
}

void
lf_http_server_forget (lf_http_conn *c)
{
  c->server->held -= c->held;
  c->held = 0;
  chain_remove (&c->all);
  chain_remove (&c->wake);
  c->server->conns_n--;
}

void
lf_http_server_close (lf_http_server *s)
{
  if (!s || s->closing)
    return;
  s->closing = true;
  while (chain_linked (&s->conns))
    lf_http_conn_close (CONTAINER (s->conns.next, lf_http_conn, all));
  uv_close ((uv_handle_t *) &s->listener, on_handle_closed);
  uv_close ((uv_handle_t *) &s->timer, on_handle_closed);
  uv_close ((uv_handle_t *) &s->idle, on_handle_closed);
}

void
lf_http_server_drain (lf_http_server *s)
{
  for (chain *l = s->conns.next, *next; l != &s->conns; l = next)
    {
      next = l->next; /* this one may be closed meanwhile, and no other */
      lf_http_conn_drain (CONTAINER (l, lf_http_conn, all));
    }
}

void
lf_http_server_drop (lf_http_server *s)
{
  uv_os_fd_t listener;
  while (chain_linked (&s->conns))
    lf_http_conn_close (CONTAINER (s->conns.next, lf_http_conn, all));
  if (!s->listening || uv_fileno ((uv_handle_t *) &s->listener, &listener) < 0)
    return;
  /* What the dead process connected and nobody accepted yet must not be taken for its successor's. */
  for (int fd; (fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
    close (fd);
}
