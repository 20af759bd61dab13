/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: a bare relay on libuv with the two hops of an invocation and as little as possible around them. A caller's POST waits
 * for a runtime in its long poll; the runtime's response goes back to that caller. No routes, no checks, no record, fixed buffers.
 * Prints "PORT RUNTIME_PORT" when ready; ends with its standard input.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BUFFER 65536
#define CONNS 2048

typedef struct conn conn;
struct conn
{
  uv_tcp_t tcp;
  bool runtime;
  unsigned id;
  size_t have;
  conn *peer;  /* a caller's runtime, a runtime's caller */
  conn *next;  /* in a queue */
  char in[BUFFER];
};
typedef struct queue { conn *first, **last; } queue;

static uv_loop_t *loop;
static uv_tcp_t callers, runtimes;
static queue waiting, ready; /* callers without a runtime; runtimes in their long poll */
static size_t bodies[CONNS]; /* of a caller's request, by id: length */
static conn *conns[CONNS];
static unsigned conns_n;

static void
push (queue *q, conn *c)
{
  c->next = NULL;
  *q->last = c;
  q->last = &c->next;
}

static conn *
pop (queue *q)
{
  conn *c = q->first;
  q->first = c->next;
  if (!q->first)
    q->last = &q->first;
  return c;
}

static void
send_two (conn *c, char *head, size_t head_n, char *body, size_t body_n)
{
  uv_buf_t b[2] = { uv_buf_init (head, (unsigned) head_n), uv_buf_init (body, (unsigned) body_n) };
  int k = uv_try_write ((uv_stream_t *) &c->tcp, b, 2);
  if (k != (int) (head_n + body_n))
    {
      fprintf (stderr, "bench_relay: short write\n");
      exit (1);
    }
}

/* Both sides are there: the event goes to the runtime. The caller's bytes stay in its buffer until it is answered. */
static void
match (void)
{
  while (waiting.first && ready.first)
    {
      char head[300];
      conn *caller = pop (&waiting), *runtime = pop (&ready);
      runtime->peer = caller;
      int n = snprintf (head, sizeof head,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: %08x\r\n"
                        "Lambda-Runtime-Deadline-Ms: 4102444800000\r\nContent-Length: %zu\r\n\r\n",
                        caller->id, bodies[caller->id]);
      send_two (runtime, head, (size_t) n, caller->in + caller->have - bodies[caller->id], bodies[caller->id]);
    }
}

static void
on_message (conn *c, char *body, size_t n)
{
  if (!c->runtime)
    {
      bodies[c->id] = n;
      push (&waiting, c);
    }
  else if (c->in[0] == 'G')
    {
      c->have = 0;
      push (&ready, c);
    }
  else
    {
      char head[100];
      static char ok[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
      int k = snprintf (head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
      conn *caller = c->peer;
      c->peer = NULL;
      if (caller)
        {
          caller->have = 0;
          send_two (caller, head, (size_t) k, body, n);
        }
      c->have = 0;
      send_two (c, ok, sizeof ok - 1, NULL, 0);
    }
  match ();
}

static void
on_alloc (uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
  conn *c = h->data;
  (void) suggested;
  *b = uv_buf_init (c->in + c->have, (unsigned) (BUFFER - 1 - c->have));
}

static void
on_read (uv_stream_t *s, ssize_t k, const uv_buf_t *b)
{
  conn *c = s->data;
  (void) b;
  if (k < 0)
    {
      uv_close ((uv_handle_t *) s, NULL);
      return;
    }
  c->have += (size_t) k;
  c->in[c->have] = '\0';
  char *end = strstr (c->in, "\r\n\r\n");
  if (!end)
    return;
  char *length = strstr (c->in, "Content-Length: ");
  size_t n = length && length < end ? strtoul (length + 16, NULL, 10) : 0;
  if (c->have >= (size_t) (end + 4 - c->in) + n)
    on_message (c, end + 4, n);
}

static void
on_connection (uv_stream_t *s, int status)
{
  conn *c = conns_n < CONNS ? calloc (1, sizeof *c) : NULL;
  if (status < 0 || !c)
    exit (1);
  uv_tcp_init (loop, &c->tcp);
  c->tcp.data = c;
  c->runtime = s == (uv_stream_t *) &runtimes;
  c->id = conns_n;
  conns[conns_n++] = c;
  if (uv_accept (s, (uv_stream_t *) &c->tcp) < 0)
    exit (1);
  uv_tcp_nodelay (&c->tcp, 1);
  uv_read_start ((uv_stream_t *) &c->tcp, on_alloc, on_read);
}

static int
listen_on (uv_tcp_t *t)
{
  struct sockaddr_in a;
  int len = sizeof a;
  uv_ip4_addr ("127.0.0.1", 0, &a);
  uv_tcp_init (loop, t);
  if (uv_tcp_bind (t, (struct sockaddr *) &a, 0) < 0 || uv_listen ((uv_stream_t *) t, 511, on_connection) < 0
      || uv_tcp_getsockname (t, (struct sockaddr *) &a, &len) < 0)
    exit (1);
  return ntohs (a.sin_port);
}

static void
on_stdin (uv_stream_t *s, ssize_t k, const uv_buf_t *b)
{
  (void) s;
  (void) b;
  if (k < 0)
    exit (0);
}

static void
on_stdin_alloc (uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
  static char sink[64];
  (void) h;
  (void) suggested;
  *b = uv_buf_init (sink, sizeof sink);
}

int
main (void)
{
  static uv_pipe_t in;
  loop = uv_default_loop ();
  waiting.last = &waiting.first;
  ready.last = &ready.first;
  int port = listen_on (&callers), runtime_port = listen_on (&runtimes);
  uv_pipe_init (loop, &in, 0);
  uv_pipe_open (&in, 0);
  uv_read_start ((uv_stream_t *) &in, on_stdin_alloc, on_stdin);
  printf ("%d %d\n", port, runtime_port);
  fflush (stdout);
  return uv_run (loop, UV_RUN_DEFAULT);
}
