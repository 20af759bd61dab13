/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest runtime client: one keep-alive connection, asks for the next invocation, sends the event back as the response. Used
 * as the `bootstrap` of a provided.al2023 function and, as it is, against the relay. An event {"hold_ms":N} is answered after N
 * milliseconds; {"gate":PORT} when the listener on that port of this machine closes the connection; one of {"crash": ends it by a signal. With the argument "--now" it only prints the monotonic clock in microseconds and ends: the moment it was exec'd.
 * With "--wait" it waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (8u << 20)

static char *buffer;
static size_t have; /* bytes in buffer */

static void
fail (const char *what)
{
  fprintf (stderr, "bench_runtime: %s: %s\n", what, strerror (errno));
  exit (1);
}

static int
dial (const char *api)
{
  char host[64];
  const char *colon = strrchr (api, ':');
  struct sockaddr_in a = { .sin_family = AF_INET };
  int one = 1, fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!colon || (size_t) (colon - api) >= sizeof host || fd < 0)
    fail (api);
  memcpy (host, api, (size_t) (colon - api));
  host[colon - api] = '\0';
  a.sin_port = htons ((uint16_t) strtoul (colon + 1, NULL, 10));
  if (inet_pton (AF_INET, host, &a.sin_addr) != 1 || connect (fd, (struct sockaddr *) &a, sizeof a) < 0)
    fail (api);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void
say (int fd, const char *head, size_t head_n, const char *body, size_t body_n)
{
  struct iovec v[2] = { { (void *) (uintptr_t) head, head_n }, { (void *) (uintptr_t) body, body_n } };
  for (int i = 0; i < 2;)
    {
      ssize_t k = writev (fd, v + i, 2 - i);
      if (k < 0 && errno != EINTR)
        fail ("write");
      for (size_t left = k > 0 ? (size_t) k : 0; i < 2 && left >= v[i].iov_len; i++)
        {
          left -= v[i].iov_len;
          v[i].iov_len = 0;
          if (i == 1 || (v[1].iov_len == 0 && left == 0))
            return;
          v[i + 1].iov_base = (char *) v[i + 1].iov_base + left;
          v[i + 1].iov_len -= left;
          left = 0;
        }
    }
}

/* Reads one whole answer with Content-Length; returns where its body starts, and its size in *n. */
static char *
hear (int fd, size_t *n)
{
  have = 0;
  for (char *end = NULL;;)
    {
      ssize_t k = read (fd, buffer + have, BUFFER - 1 - have);
      if (k < 0 && errno == EINTR)
        continue;
      if (k <= 0)
        {
          if (k == 0)
            exit (0); /* the other side is done with us */
          fail ("read");
        }
      have += (size_t) k;
      buffer[have] = '\0';
      if (!end && (end = strstr (buffer, "\r\n\r\n")))
        {
          char *length = strcasestr (buffer, "\r\nContent-Length:");
          *n = length && length < end ? strtoul (length + 17, NULL, 10) : 0;
          if ((size_t) (end + 4 - buffer) + *n >= BUFFER)
            fail ("event too large");
        }
      if (end && have >= (size_t) (end + 4 - buffer) + *n)
        return end + 4;
    }
}

static void
pass (const char *port)
{
  char at[32], c;
  snprintf (at, sizeof at, "127.0.0.1:%ld", strtol (port, NULL, 10));
  int fd = dial (at);
  while (read (fd, &c, 1) < 0 && errno == EINTR)
    ;
  close (fd);
}

static void
hold (const char *body, size_t n)
{
  static const char key[] = "{\"hold_ms\":", gate[] = "{\"gate\":", crash[] = "{\"crash\":";
  if (n > sizeof crash - 1 && memcmp (body, crash, sizeof crash - 1) == 0)
    abort ();
  if (n > sizeof gate - 1 && memcmp (body, gate, sizeof gate - 1) == 0)
    pass (body + sizeof gate - 1);
  if (n > sizeof key - 1 && memcmp (body, key, sizeof key - 1) == 0)
    {
      long ms = strtol (body + sizeof key - 1, NULL, 10);
      struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
      while (nanosleep (&t, &t) < 0 && errno == EINTR)
        ;
    }
}

int
main (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--now") == 0)
    {
      struct timespec t;
      char text[32];
      clock_gettime (CLOCK_MONOTONIC, &t);
      int n = snprintf (text, sizeof text, "%lld\n", (long long) t.tv_sec * 1000000 + t.tv_nsec / 1000);
      return write (1, text, (size_t) n) == n ? 0 : 1;
    }
  if (argc > 1 && strcmp (argv[1], "--wait") == 0)
    for (;;)
      pause ();
  const char *api = getenv ("AWS_LAMBDA_RUNTIME_API");
  if (!api)
    {
      fprintf (stderr, "bench_runtime: AWS_LAMBDA_RUNTIME_API is not set\n");
      return 1;
    }
  char next[200], head[600];
  int fd = dial (api),
      next_n = snprintf (next, sizeof next, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
  buffer = malloc (BUFFER);
  if (!buffer)
    fail ("malloc");
  for (;;)
    {
      size_t n, ignored;
      say (fd, next, (size_t) next_n, NULL, 0);
      char *body = hear (fd, &n), *id = strcasestr (buffer, "\r\nLambda-Runtime-Aws-Request-Id:");
      if (!id || id > body)
        fail ("no request id");
      id += 32;
      id += strspn (id, " ");
      hold (body, n);
      int head_n = snprintf (head, sizeof head,
                             "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: %s\r\n"
                             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                             (int) strcspn (id, "\r"), id, api, n);
      say (fd, head, (size_t) head_n, body, n);
      hear (fd, &ignored);
      if (strncmp (buffer, "HTTP/1.1 202", 12) != 0)
        {
          errno = EPROTO;
          fail ("response refused");
        }
    }
}
