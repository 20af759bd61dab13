/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_world.h"

#define WORLD(...) \
  world w = { __VA_ARGS__ }; \
  LF_CLEANUP (lf_buf_fini) lf_buf in = { 0 }, one = { 0 }; \
  world_open (&w)
#define STARTS(b, text) assert_int_equal (strncmp ((b).data, (text), strlen (text)), 0)
#define HAS(b, text) assert_non_null (strstr ((b).data, (text)))

static char *
filled (size_t n, char c)
{
  char *p = malloc (n + 1);
  assert_non_null (p);
  memset (p, c, n);
  p[n] = '\0';
  return p;
}

static void
test_simple (void **state)
{
  (void) state;
  WORLD (.hold = false);
  int fd = dial (&w);
  gives (&w, fd, "GET /a%2Fb?x=1&y HTTP/1.1\r\nHost: h\r\nEmpty:\r\nSpace:  v \t\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ");
  HAS (one, " GMT\r\nContent-Length: 49\r\n\r\n");
  HAS (one, "\r\n\r\nGET /a%2Fb ? x=1&y\nHost=h\nEmpty=\nSpace=v\nbody(0)=");
  assert_null (strstr (one.data, "Connection"));
  assert_int_equal (lf_http_server_conns (w.server), 1);
  close (fd);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  assert_int_equal (w.gone, 0);
  world_close (&w);
}

static void
test_methods_and_versions (void **state)
{
  (void) state;
  static const struct { const char *request, *starts, *has, *hasnt; bool closes; } cases[] = {
    { "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "Content-Length: 26", "HEAD", false },
    { "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "OPTIONS * ?", NULL, false },
    { "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "DELETE / ?", NULL, false },
    { "GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "GET /p ? q", NULL, false },
    { "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "GET / ?", NULL, false },
    { "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "Connection: close", NULL, true },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200", "Connection: keep-alive", NULL, false },
    { "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 200", "Connection: close", NULL, true },
    { "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 200", "GET / ?", NULL, false },
    { "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200", "GET / ?", NULL, false },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      WORLD (.hold = false);
      int fd = dial (&w);
      gives (&w, fd, cases[i].request);
      if (strncmp (cases[i].request, "HEAD", 4) == 0)
        {
          while (!in.data || !strstr (in.data, "\r\n\r\n"))
            {
              bool closed;
              assert_true (take (&w, fd, &in, in.len + 1, &closed));
            }
          lf_buf_add (&one, in.data, in.len);
        }
      else
        assert_true (take_answer (&w, fd, &in, &one));
      STARTS (one, cases[i].starts);
      HAS (one, cases[i].has);
      if (cases[i].hasnt)
        assert_null (strstr (one.data, cases[i].hasnt));
      lf_buf_reset (&in);
      if (cases[i].closes)
        assert_true (take_close (&w, fd, &in));
      else
        {
          gives (&w, fd, "GET /again HTTP/1.1\r\n\r\n");
          assert_true (take_answer (&w, fd, &in, &one));
          HAS (one, "GET /again ?");
        }
      close (fd);
      world_close (&w);
    }
}

static const char chunked_request[]
    = "POST /r HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: A-Type\r\nTrailer: A-Body\r\n\r\n"
      "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nA-Type: t\r\nA-Body: \xc3\xa9 b \r\n\r\n";
static const char length_request[] = "PUT /l?q HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello there";
static const char plain_request[] = "GET /g HTTP/1.1\r\nHost: h\r\n\r\n";

static void
test_chunked_trailers (void **state)
{
  (void) state;
  WORLD (.hold = false);
  int fd = dial (&w);
  gives (&w, fd, chunked_request);
  assert_true (take_answer (&w, fd, &in, &one));
  HAS (one, "Trailer=A-Type\nTrailer=A-Body\nbody(12)=hello, world\n+A-Type=t\n+A-Body=\xc3\xa9 b");
  close (fd);
  world_close (&w);
}

/* Wherever the network cuts three pipelined requests in two, the answers are the same. */
static void
test_split_everywhere (void **state)
{
  (void) state;
  WORLD (.hold = false);
  LF_CLEANUP (lf_buf_fini) lf_buf all = { 0 };
  lf_buf_adds (&all, chunked_request);
  lf_buf_adds (&all, length_request);
  lf_buf_adds (&all, plain_request);
  char *expect[3] = { NULL, NULL, NULL };
  for (size_t cut = 0; cut <= all.len; cut++)
    {
      int fd = dial (&w);
      lf_buf_reset (&in);
      give (&w, fd, all.data, cut);
      for (int i = 0; i < 3; i++)
        turn (&w);
      give (&w, fd, all.data + cut, all.len - cut);
      for (int i = 0; i < 3; i++)
        {
          assert_true (take_answer (&w, fd, &in, &one));
          char *body = strstr (one.data, "\r\n\r\n");
          if (!expect[i])
            expect[i] = strdup (body);
          assert_string_equal (body, expect[i]);
        }
      close (fd);
    }
  HAS (((lf_buf){ .data = expect[1] }), "PUT /l ? q\nHost=h\nContent-Length=11\nbody(11)=hello there");
  HAS (((lf_buf){ .data = expect[2] }), "GET /g ?");
  for (int i = 0; i < 3; i++)
    free (expect[i]);
  assert_int_equal (w.gone, 0);
  world_close (&w);
}

static void
test_byte_by_byte (void **state)
{
  (void) state;
  WORLD (.hold = false);
  int fd = dial (&w);
  const char *parts[] = { chunked_request, length_request, plain_request };
  for (size_t k = 0; k < 3; k++)
    for (const char *p = parts[k]; *p; p++)
      {
        give (&w, fd, p, 1);
        turn (&w);
      }
  for (int i = 0; i < 3; i++)
    assert_true (take_answer (&w, fd, &in, &one));
  HAS (one, "GET /g ?");
  close (fd);
  world_close (&w);
}

static void
answer_held (world *w, const char *text)
{
  assert_true (w->held_n > 0);
  lf_http_req *r = w->held[0];
  memmove (w->held, w->held + 1, --w->held_n * sizeof w->held[0]);
  lf_http_reply (r, 200, NULL, 0, text, strlen (text));
}

/* Later requests wait until the first is answered; the answers keep the order. */
static void
test_pipelining_in_order (void **state)
{
  (void) state;
  WORLD (.hold = true);
  int fd = dial (&w);
  char text[80];
  for (int i = 0; i < 20; i++)
    {
      snprintf (text, sizeof text, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
      gives (&w, fd, text);
    }
  for (int i = 0; i < 20; i++)
    {
      UNTIL (&w, w.held_n == 1);
      turn (&w);
      assert_int_equal (w.held_n, 1); /* never two at once */
      snprintf (text, sizeof text, "/%d", i);
      assert_int_equal (w.held[0]->path.n, strlen (text));
      assert_memory_equal (w.held[0]->path.p, text, strlen (text));
      answer_held (&w, text);
    }
  for (int i = 0; i < 20; i++)
    {
      assert_true (take_answer (&w, fd, &in, &one));
      snprintf (text, sizeof text, "\r\n\r\n/%d", i);
      HAS (one, text);
    }
  close (fd);
  world_close (&w);
}

/* A client that pipelines without end is not read without end. */
static void
test_back_pressure (void **state)
{
  (void) state;
  WORLD (.hold = true);
  static const char request[] = "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
  LF_CLEANUP (lf_freep) char *body = filled (1000, 'x');
  LF_CLEANUP (lf_buf_fini) lf_buf out = { 0 };
  size_t sent = 0, stuck = 0, many = 40000;
  for (size_t i = 0; i < many; i++)
    {
      lf_buf_adds (&out, request);
      lf_buf_add (&out, body, 1000);
    }
  int fd = dial (&w), small = 65536;
  setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  UNTIL (&w, lf_http_server_conns (w.server) == 1);
  while (sent < out.len && stuck < 2000)
    {
      ssize_t k = send (fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);
      stuck = k > 0 ? 0 : stuck + 1;
      sent += k > 0 ? (size_t) k : 0;
      turn (&w);
    }
  assert_true (sent < out.len); /* reading stopped; what was taken sits in the kernel's buffers and in at most 128 KiB of ours */
  assert_int_equal (w.requests, 1);
  size_t answered = 0;
  LF_CLEANUP (lf_buf_fini) lf_buf got = { 0 };
  lf_time_us end = lf_now_us () + 120000000;
  while (answered < many && lf_now_us () < end)
    {
      if (w.held_n)
        {
          answer_held (&w, "");
          answered++;
        }
      if (sent < out.len)
        {
          ssize_t k = send (fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);
          sent += k > 0 ? (size_t) k : 0;
        }
      char sink[65536];
      while (recv (fd, sink, sizeof sink, 0) > 0)
        ;
      turn (&w);
    }
  assert_int_equal (answered, many);
  close (fd);
  world_close (&w);
}

static void
test_too_large (void **state)
{
  (void) state;
  WORLD (.o.body_max = 10000);
  LF_CLEANUP (lf_freep) char *body = filled (300000, 'x');
  int fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 10000\r\n\r\n");
  give (&w, fd, body, 10000);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 200");
  gives (&w, fd, "POST /b HTTP/1.1\r\nContent-Length: 10001\r\n\r\n");
  give (&w, fd, body, 10001);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 413 Request Entity Too Large\r\n");
  HAS (one, "body(10001 too large)=");
  gives (&w, fd, "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n");
  give (&w, fd, body, 300000);
  gives (&w, fd, "\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 413");
  HAS (one, "body(300000 too large)=");
  assert_true (take_answer (&w, fd, &in, &one)); /* and the connection goes on */
  HAS (one, "GET /next");
  assert_int_equal (w.truncated, 0);
  close (fd);
  world_close (&w);
}

static void
test_expect_continue (void **state)
{
  (void) state;
  WORLD (.o.body_max = 10000);
  int fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  assert_string_equal (one.data, "HTTP/1.1 100 Continue\r\n\r\n");
  assert_int_equal (w.requests, 0);
  gives (&w, fd, "abc");
  assert_true (take_answer (&w, fd, &in, &one));
  HAS (one, "body(3)=abc");
  gives (&w, fd, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  assert_string_equal (one.data, "HTTP/1.1 100 Continue\r\n\r\n");
  gives (&w, fd, "3\r\nabc\r\n0\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  HAS (one, "body(3)=abc");
  /* Nothing to wait for: no body. */
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 200");
  /* Too large: refused before it is sent. */
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 10001\r\nExpect: 100-continue\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 413");
  HAS (one, "Connection: close\r\n");
  assert_int_equal (w.last_seen, 10001);
  assert_true (take_close (&w, fd, &in));
  close (fd);
  fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 3\r\nExpect: something\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 417");
  close (fd);
  world_close (&w);
}

static void
test_answer_in_headers (void **state)
{
  (void) state;
  WORLD (.answer_in_headers = true);
  int fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one)); /* answered before the body */
  STARTS (one, "HTTP/1.1 403");
  gives (&w, fd, "12345");
  gives (&w, fd, chunked_request);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 403");
  gives (&w, fd, "GET /a HTTP/1.1\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 403");
  /* The client waits for leave to send: after a refusal nobody knows whether the body comes, so the connection ends. */
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 403");
  HAS (one, "Connection: close\r\n");
  assert_true (take_close (&w, fd, &in));
  assert_int_equal (w.requests, 0);
  assert_int_equal (w.heads, 4);
  assert_int_equal (w.gone, 0);
  close (fd);
  world_close (&w);
}

/* Runtime clients put a stack trace of up to 1 MiB into a header, in raw UTF-8. */
static void
test_big_header (void **state)
{
  (void) state;
  WORLD (.o.header_max = 1300000);
  LF_CLEANUP (lf_freep) char *cause = filled (1 << 20, '\xe9');
  int fd = dial (&w);
  for (int i = 0; i < 3; i++)
    {
      gives (&w, fd, "POST /error HTTP/1.1\r\nX: ");
      give (&w, fd, cause, 1 << 20);
      gives (&w, fd, "\r\nContent-Length: 2\r\n\r\n{}");
      assert_true (take_answer (&w, fd, &in, &one));
      HAS (one, "POST /error ? \nX=(1048576)\nContent-Length=2\nbody(2)={}");
    }
  close (fd);
  world_close (&w);
}

static void
test_headers_too_large (void **state)
{
  (void) state;
  WORLD (.o.header_max = 4096);
  int fd = dial (&w);
  LF_CLEANUP (lf_buf_fini) lf_buf out = { 0 };
  lf_buf_adds (&out, "GET / HTTP/1.1\r\nX: ");
  while (out.len < 4092)
    lf_buf_addc (&out, 'x');
  lf_buf_adds (&out, "\r\n\r\n"); /* 4096: the largest allowed */
  give (&w, fd, out.data, out.len);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 200");
  out.len -= 4;
  lf_buf_adds (&out, "x\r\n\r\n");
  give (&w, fd, out.data, out.len);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
  assert_true (take_close (&w, fd, &in));
  close (fd);
  /* Endless, and many small ones; also as trailers. */
  for (int kind = 0; kind < 3; kind++)
    {
      fd = dial (&w);
      lf_buf_reset (&in);
      gives (&w, fd, kind < 2 ? "GET / HTTP/1.1\r\n" : "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
      for (int i = 0; i < 20000; i++)
        {
          if (send (fd, kind == 1 ? "a:\r\n" : "abcdef: 1\r\n", kind == 1 ? 4 : 11, MSG_NOSIGNAL) < 0)
            break;
          turn (&w);
        }
      assert_true (take_answer (&w, fd, &in, &one));
      STARTS (one, "HTTP/1.1 431");
      close (fd);
    }
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  assert_int_equal (w.requests, 1);
  assert_int_equal (w.gone, 1); /* the one with trailers had been announced */
  world_close (&w);
}

static void
test_bad_requests (void **state)
{
  (void) state;
  static const struct { const char *text; int status; } cases[] = {
    { "\x16\x03\x01\x02", 0 }, /* a TLS hello: waits for more, then closed by its end */
    { "\x16\x03\x01\x02\x01\r\n\r\n", 400 },
    { "hello\r\n\r\n", 400 },
    { "GET / HTTP/1.1\nHost: h\n\n", 400 },
    { "GET / HTTP/1.1\r\nHost: h\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n\tHost: h\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n: h\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
    { "GET  / HTTP/1.1\r\n\r\n", 400 },
    { "GET / HTTP/1.1 \r\n\r\n", 505 },
    { "GET / x HTTP/1.1\r\n\r\n", 400 },
    { "GET /\r\n\r\n", 400 },
    { "GET / HTTP/1.2\r\n\r\n", 505 },
    { "GET / HTTP/2.0\r\n\r\n", 400 },
    { "PRI * HTTP/2.0\r\n\r\n", 400 },
    { "DESCRIBE / RTSP/1.0\r\n\r\n", 400 },
    { "SOURCE / ICE/1.0\r\n\r\n", 400 },
    { "get / HTTP/1.1\r\n\r\n", 400 },
    { "CONNECT h:1 HTTP/1.1\r\n\r\n", 501 },
    { "\r\n\r\n\r\n\r\n\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: \r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 400 },
    { "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nabc", 413 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding:\x0b" "chunked\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 400 },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      WORLD (.hold = false);
      int fd = dial (&w);
      char line[32];
      gives (&w, fd, cases[i].text);
      if (cases[i].status == 0)
        shutdown (fd, SHUT_WR);
      else
        {
          bool closed;
          snprintf (line, sizeof line, "HTTP/1.1 %d ", cases[i].status);
          assert_true (take (&w, fd, &in, 13, &closed));
          if (strncmp (in.data, line, strlen (line)) != 0)
            print_error ("case %zu: %s\ngot: %s\n", i, cases[i].text, in.data);
          STARTS (in, line);
        }
      assert_true (take_close (&w, fd, &in));
      if (cases[i].status)
        HAS (in, "Connection: close\r\n");
      assert_int_equal (w.requests, 0);
      assert_int_equal (w.gone, w.heads);
      close (fd);
      world_close (&w);
    }
}

/* ---- clients that leave --------------------------------------------------------------------------------------------------- */

static void
test_half_closed (void **state)
{
  (void) state;
  WORLD (.hold = false);
  int fd = dial (&w);
  gives (&w, fd, length_request);
  gives (&w, fd, plain_request);
  shutdown (fd, SHUT_WR);
  assert_true (take_close (&w, fd, &in));
  HAS (in, "PUT /l");
  HAS (in, "GET /g");
  close (fd);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  assert_int_equal (w.gone, 0);
  world_close (&w);
}

static void
test_gone (void **state)
{
  (void) state;
  WORLD (.hold = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  close (fd);
  UNTIL (&w, w.gone == 1);
  assert_int_equal (w.truncated, 0);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  /* A reset, not an orderly end. */
  fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof (struct linger));
  close (fd);
  UNTIL (&w, w.gone == 2);
  /* In the middle of a body: with a length, and chunked; and in the middle of headers, which nobody was told about. */
  static const char *const cut[]
      = { "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n123", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
          "POST / HTTP/1.1\r\nContent-Le" };
  for (size_t i = 0; i < 3; i++)
    {
      fd = dial (&w);
      gives (&w, fd, cut[i]);
      UNTIL (&w, w.heads == (i < 2 ? i + 3 : 4));
      close (fd);
      UNTIL (&w, lf_http_server_conns (w.server) == 0);
    }
  assert_int_equal (w.gone, 4);
  assert_int_equal (w.truncated, 2);
  assert_int_equal (w.requests, 2);
  world_close (&w);
}

static void
answer_truncated (lf_http_req *r, void *user)
{
  world *w = user;
  w->truncated += r->truncated;
  lf_http_reply (r, 400, NULL, 0, "cut", 3);
}

/* Half closed in the middle of a body: told, answered, and the connection ends. */
static void
test_truncated (void **state)
{
  (void) state;
  WORLD (.o = { .on_truncated = answer_truncated });
  static const char *const cut[] = { "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n123",
                                     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                                     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" };
  for (size_t i = 0; i < LF_ARRAY_LEN (cut); i++)
    {
      int fd = dial (&w);
      lf_buf_reset (&in);
      gives (&w, fd, cut[i]);
      UNTIL (&w, w.heads == i + 1);
      shutdown (fd, SHUT_WR);
      assert_true (take_close (&w, fd, &in));
      assert_true (lf_starts (in.data, "HTTP/1.1 400 "));
      assert_true (lf_ends (in.data, "\r\n\r\ncut"));
      close (fd);
      UNTIL (&w, lf_http_server_conns (w.server) == 0);
    }
  assert_int_equal (w.truncated, 3);
  assert_int_equal (w.gone, 0);
  assert_int_equal (w.requests, 0);
  world_close (&w);
}

static void
test_close_in_callback (void **state)
{
  (void) state;
  WORLD (.close_server = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  gives (&w, fd, plain_request);
  assert_true (take_close (&w, fd, &in));
  assert_int_equal (in.len, 0);
  assert_int_equal (w.requests, 1);
  close (fd);
  world_close (&w);
}

static void
test_close_with_held (void **state)
{
  (void) state;
  WORLD (.hold = true);
  int fds[10];
  for (int i = 0; i < 10; i++)
    {
      fds[i] = dial (&w);
      gives (&w, fds[i], plain_request);
    }
  UNTIL (&w, w.held_n == 10);
  lf_http_server_close (w.server);
  w.server = NULL;
  assert_true (take_close (&w, fds[0], &in));
  assert_int_equal (w.gone, 0); /* no callbacks afterwards */
  for (int i = 0; i < 10; i++)
    close (fds[i]);
  world_close (&w);
}

/* ---- answers -------------------------------------------------------------------------------------------------------------- */

static void
test_large_answer (void **state)
{
  (void) state;
  WORLD (.hold = true);
  size_t n = 6 << 20;
  LF_CLEANUP (lf_freep) char *body = malloc (n);
  for (size_t i = 0; i < n; i++)
    body[i] = (char) (i * 7 + i / 251);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  gives (&w, fd, plain_request);
  for (int i = 0; i < 2; i++)
    {
      UNTIL (&w, w.held_n == 1);
      lf_http_req *r = w.held[--w.held_n];
      lf_http_reply (r, 200, NULL, 0, body, n);
      turn (&w);
      assert_int_equal (w.held_n, 0); /* the next request waits until the client has taken this answer */
      assert_true (take_answer (&w, fd, &in, &one));
      assert_memory_equal (one.data + one.len - n, body, n);
    }
  close (fd);
  world_close (&w);
}

static void
test_header_injection (void **state)
{
  (void) state;
  WORLD (.hold = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_pair h[] = { { "A", "x\r\nSet-Cookie: y\n" }, { "Absent", NULL }, { "B", "" } };
  lf_http_reply (w.held[0], 299, h, 3, NULL, 0);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 299 OK\r\nA: x  Set-Cookie: y \r\nB: \r\nDate: ");
  close (fd);
  world_close (&w);
}

/* Headers that no answer can hold: the client hears of it, and the connection goes on. */
static void
test_endless_headers (void **state)
{
  (void) state;
  WORLD (.hold = true);
  size_t n = (size_t) 5 << 20;
  char *value = malloc (n + 1);
  memset (value, 'x', n);
  value[n] = '\0';
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  w.held_n = 0;
  lf_http_pair h = { "A", value };
  lf_http_reply (w.held[0], 200, &h, 1, "body", 4);
  free (value);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 500 Internal Server Error\r\nDate: ");
  assert_non_null (strstr (one.data, "\r\nContent-Length: 0\r\n\r\n"));
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply (w.held[0], 200, NULL, 0, "good", 4);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 200 OK\r\nDate: ");
  close (fd);
  world_close (&w);
}

static void
test_no_body_statuses (void **state)
{
  (void) state;
  WORLD (.hold = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  w.held_n = 0;
  lf_http_reply (w.held[0], 204, NULL, 0, "ignored", 7);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply_close (w.held[0], 200, NULL, 0, "end", 3);
  assert_true (take_close (&w, fd, &in));
  STARTS (in, "HTTP/1.1 204 No Content\r\nDate: ");
  char *next = strstr (in.data, "\r\n\r\n");
  assert_int_equal (strncmp (next + 4, "HTTP/1.1 200 OK", 15), 0);
  assert_true (next > in.data && !strstr (in.data, "ignored"));
  HAS (in, "Content-Length: 3\r\nConnection: close\r\n\r\nend");
  close (fd);
  world_close (&w);
}

static void
test_stream (void **state)
{
  (void) state;
  for (int old = 0; old < 2; old++)
    {
      WORLD (.hold = true);
      int fd = dial (&w);
      gives (&w, fd, old ? "GET / HTTP/1.0\r\n\r\n" : plain_request);
      UNTIL (&w, w.held_n == 1);
      lf_http_req *r = w.held[0];
      w.held_n = 0;
      lf_http_pair h[] = { { "Content-Type", "application/x" } };
      lf_http_reply_begin (r, 200, h, 1);
      bool closed;
      assert_true (take (&w, fd, &in, 60, &closed)); /* the head is sent at once */
      lf_http_reply_chunk (r, "hello", 5);
      lf_http_reply_chunk (r, "", 0);
      turn (&w);
      lf_http_reply_chunk (r, ", a chunk longer than", 21);
      lf_http_reply_end (r);
      if (old)
        {
          assert_true (take_close (&w, fd, &in));
          HAS (in, "Connection: close\r\n\r\nhello, a chunk longer than");
        }
      else
        {
          assert_true (take_answer (&w, fd, &in, &one));
          HAS (one, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n15\r\n, a chunk longer than\r\n0\r\n\r\n");
          gives (&w, fd, plain_request);
          UNTIL (&w, w.held_n == 1);
          w.hold = false;
        }
      close (fd);
      world_close (&w);
    }
}

/* A stream to a client that does not read is given up at a bound; to one that left, at once. */
static void
test_stream_slow_and_gone (void **state)
{
  (void) state;
  WORLD (.hold = true);
  size_t n = 1 << 20;
  LF_CLEANUP (lf_freep) char *piece = filled (n, 'p');
  int fd = dial (&w), i;
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply_begin (w.held[0], 200, NULL, 0);
  for (i = 0; i < 100 && w.gone == 0; i++)
    {
      lf_http_reply_chunk (w.held[0], piece, n);
      assert_true (lf_http_reply_queued (w.held[0]) <= (size_t) 65 << 20);
      turn (&w);
    }
  assert_int_equal (w.gone, 1);
  assert_true (i > 60);
  close (fd);
  fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply_begin (w.held[0], 200, NULL, 0);
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof (struct linger));
  close (fd);
  lf_http_req *r = w.held[0];
  for (i = 0; i < 10; i++)
    lf_http_reply_chunk (r, piece, n); /* finds out by writing; on_gone comes from the loop, not from in here */
  lf_http_reply_end (r);
  assert_int_equal (w.gone, 1);
  UNTIL (&w, w.gone == 2);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  world_close (&w);
}

/* A body in pieces: none of it is kept, its end is an ordinary request, with a length or in chunks. */
static void
test_body_in_pieces (void **state)
{
  (void) state;
  size_t n = 3 << 20;
  LF_CLEANUP (lf_freep) char *big = filled (n, 'b');
  for (int chunked = 0; chunked < 2; chunked++)
    {
      WORLD (.stream_bodies = true, .o.body_max = 4 << 20);
      int fd = dial (&w);
      gives (&w, fd, chunked ? "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n" : "POST /a HTTP/1.1\r\nContent-Length: 3145728\r\n\r\n");
      give (&w, fd, big, 1000);
      UNTIL (&w, w.piece_bytes == 1000); /* does not wait for the rest */
      assert_int_equal (w.requests, 0);
      give (&w, fd, big, n - 1000);
      gives (&w, fd, chunked ? "\r\n0\r\nX: y\r\n\r\n" : "");
      assert_true (take_answer (&w, fd, &in, &one));
      STARTS (one, "HTTP/1.1 200");
      HAS (one, "body(3145728)=");
      if (chunked)
        HAS (one, "+X=y");
      assert_int_equal (w.piece_bytes, n);
      assert_true (w.pieces > 10);
      gives (&w, fd, "POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nbbb");
      assert_true (take_answer (&w, fd, &in, &one));
      HAS (one, "body(3)=");
      close (fd);
      world_close (&w);
    }
}

static void
test_body_in_pieces_too_large (void **state)
{
  (void) state;
  LF_CLEANUP (lf_freep) char *big = filled (200000, 'b');
  WORLD (.stream_bodies = true, .o.body_max = 100000);
  int fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n");
  give (&w, fd, big, 200000);
  gives (&w, fd, "\r\n0\r\n\r\n");
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 413");
  assert_true (w.piece_bytes <= 100000);
  close (fd);
  fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 200000\r\n\r\n");
  give (&w, fd, big, 200000);
  assert_true (take_answer (&w, fd, &in, &one));
  STARTS (one, "HTTP/1.1 413");
  close (fd);
  world_close (&w);
}

/* While a body is stopped, its sender is: at most what the sockets hold has left it. */
static void
test_body_stopped (void **state)
{
  (void) state;
  LF_CLEANUP (lf_freep) char *big = filled (1 << 20, 'b');
  WORLD (.stream_bodies = true, .o.body_max = INT64_C (1) << 30);
  int fd = dial (&w);
  gives (&w, fd, "POST /a HTTP/1.1\r\nContent-Length: 104857600\r\n\r\nb");
  UNTIL (&w, w.piece_bytes == 1);
  lf_http_pause (w.last_piece_of, true);
  size_t sent = 1;
  for (int idle = 0; idle < 50;)
    {
      ssize_t k = send (fd, big, 1 << 20, MSG_NOSIGNAL);
      sent += k > 0 ? (size_t) k : 0;
      idle = k > 0 ? 0 : idle + 1;
      turn (&w);
    }
  assert_true (sent < 104857600 && w.piece_bytes < 200000);
  lf_http_pause (w.last_piece_of, false);
  while (sent < 104857600)
    {
      size_t n = 104857600 - sent < 1 << 20 ? 104857600 - sent : 1 << 20;
      give (&w, fd, big, n);
      sent += n;
    }
  assert_true (take_answer (&w, fd, &in, &one));
  HAS (one, "body(104857600)=");
  assert_int_equal (w.piece_bytes, 104857600);
  close (fd);
  world_close (&w);
}

/* The client sees that an answer is not whole: the last chunk is missing when the connection ends. What was written arrives. */
static void
test_stream_aborted (void **state)
{
  (void) state;
  LF_CLEANUP (lf_freep) char *piece = filled (8 << 20, 'p');
  WORLD (.hold = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply_begin (w.held[0], 200, NULL, 0);
  lf_http_reply_chunk (w.held[0], piece, 8 << 20);
  assert_true (lf_http_reply_queued (w.held[0]) > 0);
  lf_http_reply_abort (w.held[0]);
  lf_http_reply_chunk (w.held[0], "late", 4);
  lf_http_reply_end (w.held[0]);
  assert_true (take_close (&w, fd, &in));
  assert_true (in.len > 8 << 20);
  assert_memory_equal (in.data + in.len - 3, "p\r\n", 3);
  assert_int_equal (w.gone, 0);
  close (fd);
  world_close (&w);
}

static void
test_stream_drained (void **state)
{
  (void) state;
  LF_CLEANUP (lf_freep) char *piece = filled (8 << 20, 'p');
  WORLD (.hold = true);
  int fd = dial (&w);
  gives (&w, fd, plain_request);
  UNTIL (&w, w.held_n == 1);
  lf_http_reply_begin (w.held[0], 200, NULL, 0);
  lf_http_reply_chunk (w.held[0], piece, 8 << 20);
  for (int i = 0; i < 50; i++)
    turn (&w);
  assert_int_equal (w.drained, 0); /* the client has not read */
  bool closed;
  assert_true (take (&w, fd, &in, 8 << 20, &closed));
  UNTIL (&w, w.drained == 1);
  lf_http_reply_end (w.held[0]);
  assert_true (take_answer (&w, fd, &in, &one));
  assert_int_equal (w.drained, 1);
  close (fd);
  world_close (&w);
}

/* ---- limits of a server --------------------------------------------------------------------------------------------------- */

static void
test_many_connections (void **state)
{
  (void) state;
  WORLD (.hold = true);
  enum { N = 60 };
  int fds[N];
  for (int round = 0; round < 5; round++)
    {
      for (int i = 0; i < N; i++)
        {
          if (round == 0)
            fds[i] = dial (&w);
          gives (&w, fds[i], plain_request);
        }
      UNTIL (&w, w.held_n == N);
      assert_int_equal (lf_http_server_conns (w.server), N);
      while (w.held_n)
        answer_held (&w, "ok");
      for (int i = 0; i < N; i++)
        {
          assert_true (take_answer (&w, fds[i], &in, &one));
          assert_int_equal (in.len, 0);
        }
    }
  for (int i = 0; i < N; i++)
    close (fds[i]);
  world_close (&w);
}

static void
test_conns_max (void **state)
{
  (void) state;
  WORLD (.o.conns_max = 3);
  int fds[4];
  for (int i = 0; i < 3; i++)
    {
      fds[i] = dial (&w);
      gives (&w, fds[i], plain_request);
      assert_true (take_answer (&w, fds[i], &in, &one));
    }
  /* One that is idle makes room for the next. */
  fds[3] = dial (&w);
  gives (&w, fds[3], plain_request);
  assert_true (take_answer (&w, fds[3], &in, &one));
  assert_true (take_close (&w, fds[0], &in));
  close (fds[0]);
  UNTIL (&w, lf_http_server_conns (w.server) == 3);
  /* None of those that are in the middle of a request does. */
  for (int i = 1; i < 4; i++)
    gives (&w, fds[i], "GET / HT");
  fds[0] = dial (&w);
  assert_true (take_close (&w, fds[0], &in));
  for (int i = 0; i < 4; i++)
    close (fds[i]);
  world_close (&w);
}

static void
test_timeouts (void **state)
{
  (void) state;
  WORLD (.o.idle_ms = 2500, .o.header_ms = 2200); /* a machine that stands still meanwhile has not let these pass at once */
  int idle = dial (&w), half = dial (&w), body = dial (&w), used = dial (&w);
  gives (&w, half, "GET / HTTP/1.1\r\nHo");
  gives (&w, body, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
  gives (&w, used, plain_request);
  assert_true (take_answer (&w, used, &in, &one));
  STARTS (one, "HTTP/1.1 200");
  lf_buf_reset (&in);
  assert_true (take_close (&w, half, &in));
  STARTS (in, "HTTP/1.1 408");
  lf_buf_reset (&in);
  assert_true (take_close (&w, body, &in));
  STARTS (in, "HTTP/1.1 408");
  lf_buf_reset (&in);
  assert_true (take_close (&w, idle, &in) && take_close (&w, used, &in));
  assert_int_equal (in.len, 0);
  assert_int_equal (w.gone, 1);
  assert_int_equal (w.truncated, 1);
  close (idle);
  close (half);
  close (body);
  close (used);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  UNTIL (&w, uv_backend_timeout (&w.loop) == -1); /* with nobody there, no timer runs */
  /* A request that takes its time is not idle. */
  w.hold = true;
  int slow = dial (&w);
  gives (&w, slow, plain_request);
  UNTIL (&w, w.held_n == 1);
  for (lf_time_us end = lf_now_us () + 3000000; lf_now_us () < end;)
    turn (&w);
  answer_held (&w, "ok");
  assert_true (take_answer (&w, slow, &in, &one));
  close (slow);
  world_close (&w);
}

static void
test_header_time_only (void **state)
{
  (void) state;
  WORLD (.o.header_ms = 30);
  int idle = dial (&w), half = dial (&w);
  UNTIL (&w, lf_http_server_conns (w.server) == 2);
  UNTIL (&w, uv_backend_timeout (&w.loop) == -1); /* idle connections cost no wake-ups */
  gives (&w, half, "GET / HT");
  assert_true (take_close (&w, half, &in));
  STARTS (in, "HTTP/1.1 408");
  close (half);
  gives (&w, idle, plain_request);
  assert_true (take_answer (&w, idle, &in, &one));
  close (idle);
  world_close (&w);
}

/* What a connection used for big messages keeps when it is idle. */
static void
test_idle_memory (void **state)
{
  (void) state;
  WORLD (.o.header_max = 1300000, .o.body_max = 8 << 20);
  LF_CLEANUP (lf_freep) char *big = filled (6 << 20, 'b');
  int fds[8];
  for (int i = 0; i < 8; i++)
    {
      fds[i] = dial (&w);
      gives (&w, fds[i], plain_request);
      assert_true (take_answer (&w, fds[i], &in, &one));
    }
  size_t before = mallinfo2 ().uordblks + mallinfo2 ().hblkhd;
  for (int i = 0; i < 8; i++)
    {
      gives (&w, fds[i], "POST / HTTP/1.1\r\nContent-Length: 500000\r\nX: ");
      give (&w, fds[i], big, 100000);
      gives (&w, fds[i], "\r\n\r\n");
      give (&w, fds[i], big, 500000);
      gives (&w, fds[i], "POST / HTTP/1.1\r\nContent-Length: 6291456\r\n\r\n");
      give (&w, fds[i], big, 6 << 20);
      gives (&w, fds[i], plain_request);
      for (int k = 0; k < 3; k++)
        {
          assert_true (take_answer (&w, fds[i], &in, &one));
          STARTS (one, "HTTP/1.1 200");
        }
    }
  UNTIL (&w, uv_backend_timeout (&w.loop) == -1); /* the timer has tidied up and stopped */
  size_t after = mallinfo2 ().uordblks + mallinfo2 ().hblkhd;
  assert_true (after < before + 8 * 4096);
  for (int i = 0; i < 8; i++)
    close (fds[i]);
  world_close (&w);
}

/* ---- garbage -------------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 0x9E3779B97F4A7C15u;
static uint32_t
rnd (uint32_t n)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t) (seed >> 32) % n;
}

static void
make_garbage (lf_buf *b)
{
  static const char *const bits[] = {
    "GET ",
    "POST ",
    "/",
    "?",
    " HTTP/1.1",
    " HTTP/1.0",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "Host: h\r\n",
    "Content-Length: ",
    "5\r\n",
    "0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "5\r\nhello\r\n",
    "A: ",
    ": ",
    ";",
    "\xc3\xa9",
    "Connection: close\r\n",
    "Trailer: A\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "99999999999",
    "-1",
    "Upgrade: x\r\n",
  };
  lf_buf_reset (b);
  const char *base = rnd (3) == 0 ? chunked_request : rnd (2) ? length_request : plain_request;
  switch (rnd (4))
    {
    case 0: /* noise */
      for (uint32_t n = rnd (300); n > 0; n--)
        lf_buf_addc (b, (char) rnd (256));
      break;
    case 1: /* pieces in any order */
      for (uint32_t n = rnd (30); n > 0; n--)
        lf_buf_adds (b, bits[rnd (LF_ARRAY_LEN (bits))]);
      break;
    default: /* a good request, damaged */
      lf_buf_adds (b, base);
      for (uint32_t n = rnd (4); n > 0; n--)
        b->data[rnd ((uint32_t) b->len)] = rnd (2) ? (char) rnd (256) : "\r\n :;0"[rnd (6)];
      if (rnd (3) == 0)
        b->len = rnd ((uint32_t) b->len + 1);
    }
}

static void
test_garbage (void **state)
{
  (void) state;
  WORLD (.o.header_max = 400, .o.body_max = 8, .o.header_ms = 1000, .o.idle_ms = 1000);
  LF_CLEANUP (lf_buf_fini) lf_buf out = { 0 };
  print_message ("garbage: seed %#llx\n", (unsigned long long) seed);
  for (int round = 0; round < 3000; round++)
    {
      w.answer_in_headers = rnd (4) == 0;
      make_garbage (&out);
      int fd = dial (&w);
      size_t cut = out.len ? rnd ((uint32_t) out.len) : 0;
      give (&w, fd, out.data, cut);
      turn (&w);
      give (&w, fd, out.data + cut, out.len - cut);
      shutdown (fd, SHUT_WR);
      lf_buf_reset (&in);
      assert_true (take_close (&w, fd, &in));
      if (in.len)
        STARTS (in, "HTTP/1.1 ");
      close (fd);
    }
  w.answer_in_headers = false;
  int fd = dial (&w);
  gives (&w, fd, chunked_request);
  lf_buf_reset (&in);
  assert_true (take_answer (&w, fd, &in, &one)); /* body_max is 8 */
  STARTS (one, "HTTP/1.1 413");
  close (fd);
  UNTIL (&w, lf_http_server_conns (w.server) == 0);
  world_close (&w);
}

/* ---- listening ------------------------------------------------------------------------------------------------------------ */

static void
test_listen_errors (void **state)
{
  (void) state;
  WORLD (.hold = false);
  lf_error err;
  lf_http_server *s = lf_http_server_new (&w.o, &err);
  int port = w.port;
  char what[80];
  assert_int_equal (lf_http_listen (s, "127.0.0.1", &port, &err), -1);
  snprintf (what, sizeof what, "port %d on 127.0.0.1", port);
  assert_string_equal (err.what, what);
  assert_int_equal (err.exit, LF_EXIT_IO);
  assert_int_equal (err.sys_errno, EADDRINUSE);
  assert_non_null (strstr (err.why, "in use"));
  assert_non_null (strstr (err.fix, "--port"));
  port = 70000;
  assert_int_equal (lf_http_listen (s, "127.0.0.1", &port, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  port = 0;
  assert_int_equal (lf_http_listen (s, "203.0.113.7", &port, &err), -1);
  assert_int_equal (err.sys_errno, EADDRNOTAVAIL);
  assert_string_equal (err.what, "address 203.0.113.7");
  assert_int_equal (lf_http_listen (s, "not an address", &port, &err), -1);
  assert_int_equal (err.exit, LF_EXIT_USAGE);
  assert_int_equal (lf_http_listen_fd (s, -1, &err), -1);
  int pipes[2];
  assert_int_equal (pipe (pipes), 0);
  assert_int_equal (lf_http_listen_fd (s, pipes[0], &err), -1);
  assert_int_equal (close (pipes[0]) + close (pipes[1]), 0); /* still ours */
  port = 0;
  assert_int_equal (lf_http_listen (s, "localhost", &port, &err), 0); /* a server that failed to listen may try again */
  assert_int_equal (lf_http_listen (s, "localhost", &port, &err), -1);
  lf_http_server_close (s);
  world_close (&w);
}

static void
test_listen_fd (void **state)
{
  (void) state;
  WORLD (.hold = false);
  lf_error err;
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof a;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &a, len), 0);
  assert_int_equal (listen (fd, 1), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) &a, &len), 0);
  lf_http_server *s = lf_http_server_new (&w.o, &err);
  int first = w.port;
  w.port = ntohs (a.sin_port);
  int early = dial (&w); /* before the server has the socket: the runtime may be quicker than we are */
  gives (&w, early, plain_request);
  assert_int_equal (lf_http_listen_fd (s, fd, &err), 0);
  assert_true (take_answer (&w, early, &in, &one));
  HAS (one, "GET /g");
  close (early);
  w.port = first;
  int other = dial (&w);
  gives (&w, other, plain_request);
  assert_true (take_answer (&w, other, &in, &one));
  close (other);
  lf_http_server_close (s);
  world_close (&w);
}

static void
test_lookup (void **state)
{
  (void) state;
  lf_http_header h[]
      = { { { "Content-Type", 12 }, { "a", 1 } }, { { "content-type", 12 }, { "b", 1 } }, { { "X", 1 }, { "", 0 } } };
  lf_http_req r = { .headers = h, .headers_n = 3, .trailers = h + 2, .trailers_n = 1 };
  assert_memory_equal (lf_http_get (&r, "CONTENT-TYPE").p, "a", 1);
  assert_null (lf_http_get (&r, "Content").p);
  assert_true (lf_http_has (&r, "x"));
  assert_false (lf_http_has (&r, "y"));
  assert_non_null (lf_http_trailer (&r, "x").p);
  assert_null (lf_http_trailer (&r, "Content-Type").p);
  for (int i = 100; i < 600; i++)
    assert_true (strlen (lf_http_status_text (i)) > 1);
  assert_string_equal (lf_http_status_text (404), "Not Found");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_simple),
    cmocka_unit_test (test_methods_and_versions),
    cmocka_unit_test (test_chunked_trailers),
    cmocka_unit_test (test_split_everywhere),
    cmocka_unit_test (test_byte_by_byte),
    cmocka_unit_test (test_pipelining_in_order),
    cmocka_unit_test (test_back_pressure),
    cmocka_unit_test (test_too_large),
    cmocka_unit_test (test_expect_continue),
    cmocka_unit_test (test_answer_in_headers),
    cmocka_unit_test (test_big_header),
    cmocka_unit_test (test_headers_too_large),
    cmocka_unit_test (test_bad_requests),
    cmocka_unit_test (test_half_closed),
    cmocka_unit_test (test_gone),
    cmocka_unit_test (test_truncated),
    cmocka_unit_test (test_close_in_callback),
    cmocka_unit_test (test_close_with_held),
    cmocka_unit_test (test_large_answer),
    cmocka_unit_test (test_header_injection),
    cmocka_unit_test (test_no_body_statuses),
    cmocka_unit_test (test_stream),
    cmocka_unit_test (test_stream_slow_and_gone),
    cmocka_unit_test (test_body_in_pieces),
    cmocka_unit_test (test_body_in_pieces_too_large),
    cmocka_unit_test (test_endless_headers),
    cmocka_unit_test (test_body_stopped),
    cmocka_unit_test (test_stream_aborted),
    cmocka_unit_test (test_stream_drained),
    cmocka_unit_test (test_many_connections),
    cmocka_unit_test (test_conns_max),
    cmocka_unit_test (test_timeouts),
    cmocka_unit_test (test_header_time_only),
    cmocka_unit_test (test_idle_memory),
    cmocka_unit_test (test_garbage),
    cmocka_unit_test (test_listen_errors),
    cmocka_unit_test (test_listen_fd),
    cmocka_unit_test (test_lookup),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
