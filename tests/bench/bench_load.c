/* SPDX-License-Identifier: Apache-2.0
 *
 * A load generator: N keep-alive connections, each sends its next request as soon as the last is answered. Prints one line of JSON:
 * requests, failed, seconds, per_second, and latency in microseconds (mean, p50, p90, p99, p999, max). A request fails when its
 * status is not 200 or it carries X-Amz-Function-Error. bench_load -p PORT [-u PATH] [-c CONNECTIONS] [-n REQUESTS | -s SECONDS]
 * [-w WARM_SECONDS] [-b BODY]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lambdafit/base.h"

#define BUFFER 65536
#define SAMPLES_MAX ((size_t) 20000000)

typedef struct conn { int fd; size_t have, length; bool headers; bool bad; lf_time_us sent; char in[BUFFER]; } conn;

static const char *path = "/", *body = "{}";
static int port, conns_n = 1;
static int64_t want = LF_NONE, seconds = 2, warm_s = 1;
static lf_buf request;
static uint32_t *samples; /* microseconds */
static size_t done, started, failed;
static bool counting;
static lf_time_us begin_at, end_at;

static void
die (const char *what)
{
  fprintf (stderr, "bench_load: %s: %s\n", what, strerror (errno));
  exit (1);
}

static int64_t
number (const char *s, int64_t min, int64_t max)
{
  int64_t v;
  if (lf_parse_i64 (s, min, max, &v) < 0)
    {
      fprintf (stderr, "bench_load: not a number in range: %s\n", s);
      exit (2);
    }
  return v;
}

static void
dial (conn *c)
{
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) port), .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int one = 1;
  c->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect (c->fd, (struct sockaddr *) &a, sizeof a) < 0)
    die ("connect");
  setsockopt (c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static bool
more (void)
{
  return want == LF_NONE || started < (size_t) want;
}

static void
ask (conn *c)
{
  c->have = 0;
  c->headers = false;
  c->bad = false;
  c->sent = lf_now_us ();
  if (counting)
    started++;
  if (send (c->fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t) request.len)
    die ("send");
}

/* One answer is complete. */
static void
count (const conn *c)
{
  if (!counting || c->sent < begin_at || done >= SAMPLES_MAX)
    return;
  lf_time_us took = lf_now_us () - c->sent;
  samples[done++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t) took;
  failed += c->bad;
}

static bool
hear (conn *c)
{
  ssize_t k = recv (c->fd, c->in + c->have, BUFFER - 1 - c->have, 0);
  if (k <= 0)
    {
      errno = k == 0 ? ECONNRESET : errno;
      die ("recv");
    }
  c->have += (size_t) k;
  c->in[c->have] = '\0';
  if (!c->headers)
    {
      char *end = strstr (c->in, "\r\n\r\n");
      if (!end)
        return false;
      char *length = strcasestr (c->in, "\r\nContent-Length:"), *error = strcasestr (c->in, "\r\nX-Amz-Function-Error:");
      c->headers = true;
      c->bad = strncmp (c->in, "HTTP/1.1 200", 12) != 0 || (error && error < end);
      c->length = (size_t) (end + 4 - c->in) + (length && length < end ? strtoul (length + 17, NULL, 10) : 0);
    }
  return c->have >= c->length;
}

static int
compare (const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return (x > y) - (x < y);
}

static uint32_t
rank (double p)
{
  size_t i = (size_t) (p / 100 * (double) done + 0.999999);
  return done == 0 ? 0 : samples[i < 1 ? 0 : i > done ? done - 1 : i - 1];
}

static void
report (void)
{
  double took = (double) (end_at - begin_at) / 1e6, sum = 0;
  for (size_t i = 0; i < done; i++)
    sum += samples[i];
  qsort (samples, done, sizeof *samples, compare);
  printf ("{\"connections\":%d,\"requests\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"per_second\":%.0f,\"mean_us\":%.1f,\"p50_us\":%u,"
          "\"p90_us\":%u,"
          "\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u}\n",
          conns_n, done, failed, took, took > 0 ? (double)done / took : 0, done ? sum / (double)done : 0, rank (50), rank (90),
          rank (99), rank (99.9), rank (100));
}

static void
drive (conn *conns)
{
  int ep = epoll_create1 (EPOLL_CLOEXEC), busy = 0;
  lf_time_us warm_until = lf_now_us () + warm_s * 1000000;
  counting = warm_s == 0;
  begin_at = lf_now_us ();
  for (int i = 0; i < conns_n; i++)
    {
      struct epoll_event e = { .events = EPOLLIN, .data.ptr = &conns[i] };
      if (epoll_ctl (ep, EPOLL_CTL_ADD, conns[i].fd, &e) < 0)
        die ("epoll");
      if (more ())
        {
          ask (&conns[i]);
          busy++;
        }
    }
  for (bool stop = false; busy > 0;)
    {
      struct epoll_event ready[64];
      int n = epoll_wait (ep, ready, 64, 60000);
      if (n == 0)
        {
          errno = ETIMEDOUT;
          die ("no answer in a minute");
        }
      lf_time_us now = lf_now_us ();
      if (!counting && now >= warm_until)
        {
          counting = true;
          begin_at = now;
        }
      stop = stop || (counting && want == LF_NONE && now - begin_at >= seconds * 1000000);
      for (int i = 0; i < n; i++)
        {
          conn *c = ready[i].data.ptr;
          if (!hear (c))
            continue;
          count (c);
          if (stop || !more ())
            busy--;
          else
            ask (c);
        }
    }
  end_at = lf_now_us ();
  close (ep);
}

int
main (int argc, char **argv)
{
  for (int o; (o = getopt (argc, argv, "p:u:c:n:s:w:b:")) != -1;)
    switch (o)
      {
      case 'p':
        port = (int) number (optarg, 1, 65535);
        break;
      case 'u':
        path = optarg;
        break;
      case 'c':
        conns_n = (int) number (optarg, 1, 10000);
        break;
      case 'n':
        want = number (optarg, 1, (int64_t) SAMPLES_MAX);
        break;
      case 's':
        seconds = number (optarg, 1, 3600);
        break;
      case 'w':
        warm_s = number (optarg, 0, 3600);
        break;
      case 'b':
        body = optarg;
        break;
      default:
        return 2;
      }
  conn *conns = calloc ((size_t) conns_n, sizeof *conns);
  samples = malloc (SAMPLES_MAX * sizeof *samples); /* only what is used is touched */
  lf_buf_addf (&request,
               "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", path,
               port, strlen (body), body);
  if (!conns || !samples || request.failed || port == 0)
    {
      fprintf (stderr, "bench_load: -p PORT is needed\n");
      return 2;
    }
  for (int i = 0; i < conns_n; i++)
    dial (&conns[i]);
  drive (conns);
  report ();
  for (int i = 0; i < conns_n; i++)
    close (conns[i].fd);
  free (conns);
  free (samples);
  lf_buf_fini (&request);
  return failed ? 1 : 0;
}
