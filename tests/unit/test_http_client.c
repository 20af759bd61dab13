/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking client against our own server, which runs in a thread here, and against servers that misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lambdafit/http.h"

typedef struct peer
{
  pthread_t thread;
  pthread_barrier_t ready;
  uv_async_t stop;
  int port;
} peer;

static void
on_request (lf_http_req *r, void *user)
{
  (void) user;
  lf_http_pair h[] = { { "X-Path", "\xc3\xa9" }, { "Empty", "" } };
  if (r->path.n == 7 && memcmp (r->path.p, "/stream", 7) == 0)
    {
      lf_http_reply_begin (r, 202, h, 2);
      for (int i = 0; i < 1000; i++)
        lf_http_reply_chunk (r, "0123456789", 10);
      lf_http_reply_end (r);
    }
  else if (r->path.n == 5 && memcmp (r->path.p, "/hang", 5) == 0)
    ;
  else if (r->too_large)
    lf_http_reply (r, 413, NULL, 0, "large", 5);
  else
    lf_http_reply (r, 200, h, 2, r->body.data, r->body.len);
}

static void
on_stop (uv_async_t *a)
{
  lf_http_server_close (a->data);
  uv_close ((uv_handle_t *) a, NULL);
}

static void *
serve (void *arg)
{
  peer *p = arg;
  uv_loop_t loop;
  lf_error err;
  uv_loop_init (&loop);
  lf_http_server_options o = { .loop = &loop, .header_max = 8192, .body_max = 8 << 20, .on_request = on_request };
  lf_http_server *s = lf_http_server_new (&o, &err);
  if (!s || lf_http_listen (s, "127.0.0.1", &p->port, &err) < 0)
    abort ();
  uv_async_init (&loop, &p->stop, on_stop);
  p->stop.data = s;
  pthread_barrier_wait (&p->ready);
  uv_run (&loop, UV_RUN_DEFAULT);
  return uv_loop_close (&loop) == 0 ? p : NULL;
}

static int
start (void **state)
{
  peer *p = calloc (1, sizeof *p);
  pthread_barrier_init (&p->ready, NULL, 2);
  pthread_create (&p->thread, NULL, serve, p);
  pthread_barrier_wait (&p->ready);
  *state = p;
  return 0;
}

static int
finish (void **state)
{
  peer *p = *state;
  void *result;
  uv_async_send (&p->stop);
  pthread_join (p->thread, &result);
  pthread_barrier_destroy (&p->ready);
  free (p);
  return result ? 0 : -1;
}

static void
test_call (void **state)
{
  peer *p = *state;
  lf_error err;
  lf_http_answer a;
  char endpoint[64];
  lf_http_pair h[] = { { "X-A", "b" }, { "Absent", NULL } };
  snprintf (endpoint, sizeof endpoint, "http://localhost:%d/", p->port);
  assert_int_equal (lf_http_call (endpoint, "POST", "/x", h, 2, "hello", 5, 5000, &a, &err), 0);
  assert_int_equal (a.status, 200);
  assert_string_equal (a.body.data, "hello");
  assert_int_equal (lf_http_answer_get (&a, "x-path").n, 2);
  assert_memory_equal (lf_http_answer_get (&a, "x-path").p, "\xc3\xa9", 2);
  assert_int_equal (lf_http_answer_get (&a, "empty").n, 0);
  assert_null (lf_http_answer_get (&a, "other").p);
  lf_http_answer_fini (&a);
  snprintf (endpoint, sizeof endpoint, "http://127.0.0.1:%d", p->port);
  assert_int_equal (lf_http_call (endpoint, "GET", "/stream", NULL, 0, NULL, 0, 0, &a, &err), 0);
  assert_int_equal (a.status, 202);
  assert_int_equal (a.body.len, 10000);
  lf_http_answer_fini (&a);
  assert_int_equal (lf_http_call (endpoint, "HEAD", "/x", NULL, 0, NULL, 0, 5000, &a, &err), 0);
  assert_int_equal (a.body.len, 0);
  lf_http_answer_fini (&a);
  lf_http_pair expect[] = { { "Expect", "100-continue" } };
  assert_int_equal (lf_http_call (endpoint, "POST", "/x", expect, 1, "hello", 5, 5000, &a, &err), 0);
  assert_int_equal (a.status, 200); /* "100 Continue" is passed over */
  assert_string_equal (a.body.data, "hello");
  lf_http_answer_fini (&a);
}

static void
test_large (void **state)
{
  peer *p = *state;
  lf_error err;
  lf_http_answer a;
  char endpoint[64];
  size_t n = (6 << 20) + 1;
  char *body = malloc (9 << 20);
  memset (body, 'x', 9 << 20);
  snprintf (endpoint, sizeof endpoint, "http://127.0.0.1:%d", p->port);
  assert_int_equal (lf_http_call (endpoint, "POST", "/x", NULL, 0, body, n, 20000, &a, &err), 0);
  assert_int_equal (a.body.len, n);
  assert_memory_equal (a.body.data, body, n);
  lf_http_answer_fini (&a);
  assert_int_equal (lf_http_call (endpoint, "POST", "/x", NULL, 0, body, 9 << 20, 20000, &a, &err), 0);
  assert_int_equal (a.status, 413);
  lf_http_answer_fini (&a);
  free (body);
}

static void
test_errors (void **state)
{
  peer *p = *state;
  lf_error err;
  lf_http_answer a;
  char endpoint[64];
  snprintf (endpoint, sizeof endpoint, "http://127.0.0.1:%d", p->port);
  lf_time_us before = lf_now_us ();
  assert_int_equal (lf_http_call (endpoint, "GET", "/hang", NULL, 0, NULL, 0, 50, &a, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_int_equal (err.sys_errno, ETIMEDOUT);
  assert_true (lf_now_us () - before >= 50000);
  /* A port that was free a moment ago. */
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof sa;
  assert_int_equal (bind (fd, (struct sockaddr *) &sa, len), 0);
  getsockname (fd, (struct sockaddr *) &sa, &len);
  snprintf (endpoint, sizeof endpoint, "http://127.0.0.1:%d", ntohs (sa.sin_port));
  assert_int_equal (lf_http_call (endpoint, "GET", "/", NULL, 0, NULL, 0, 1000, &a, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_non_null (strstr (err.why, "refused"));
  assert_non_null (strstr (err.fix, "lambdafit serve"));
  close (fd);
  static const char *const bad[]
      = { "https://x", "127.0.0.1:3001", "http://", "http://:1", "http://h:0", "http://h:99999", "http://h:1x", "http://[::1", "" };
  for (size_t i = 0; i < LF_ARRAY_LEN (bad); i++)
    {
      assert_int_equal (lf_http_call (bad[i], "GET", "/", NULL, 0, NULL, 0, 1000, &a, &err), -1);
      assert_int_equal (err.exit, LF_EXIT_USAGE);
      assert_non_null (strstr (err.fix, "http://127.0.0.1:3001"));
    }
}

/* Says `text` to whoever connects, and closes. */
typedef struct liar { int fd; const char *text; } liar;
static void *
lie (void *arg)
{
  liar *l = arg;
  int fd = accept (l->fd, NULL, NULL);
  char sink[1024];
  if (fd >= 0 && recv (fd, sink, sizeof sink, 0) >= 0)
    send (fd, l->text, strlen (l->text), MSG_NOSIGNAL);
  close (fd);
  return NULL;
}

static void
test_bad_servers (void **state)
{
  (void) state;
  static const struct { const char *text; const char *why; } cases[] = {
    { "", "closed before" },
    { "SSH-2.0-OpenSSH_9\r\n", "does not speak HTTP" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", "closed before" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "closed before" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n123", "does not speak HTTP" },
    { "HTTP/1.1 200 OK\r\nA: b\r\n\r\nuntil the end", NULL },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
      socklen_t len = sizeof sa;
      liar l = { socket (AF_INET, SOCK_STREAM, 0), cases[i].text };
      pthread_t t;
      lf_error err;
      lf_http_answer a;
      char endpoint[64];
      assert_int_equal (bind (l.fd, (struct sockaddr *) &sa, len), 0);
      assert_int_equal (listen (l.fd, 1), 0);
      getsockname (l.fd, (struct sockaddr *) &sa, &len);
      snprintf (endpoint, sizeof endpoint, "http://127.0.0.1:%d", ntohs (sa.sin_port));
      pthread_create (&t, NULL, lie, &l);
      int rc = lf_http_call (endpoint, "GET", "/", NULL, 0, NULL, 0, 5000, &a, &err);
      pthread_join (t, NULL);
      close (l.fd);
      assert_int_equal (rc, cases[i].why ? -1 : 0);
      if (cases[i].why)
        assert_non_null (strstr (err.why, cases[i].why));
      else
        assert_string_equal (a.body.data, "until the end");
      if (rc == 0)
        lf_http_answer_fini (&a);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_call),
    cmocka_unit_test (test_large),
    cmocka_unit_test (test_errors),
    cmocka_unit_test (test_bad_servers),
  };
  return cmocka_run_group_tests (tests, start, finish);
}
