/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a log file that somebody sent: it is read, or refused with words; never written by reading. The first byte chooses between a file of
 * these bytes and a good log over which they are written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "lambdafit/store.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

static char dir[64], path[128];
static char *good;
static size_t good_n;

static void
clean (void)
{
  char side[160];
  unlink (path);
  snprintf (side, sizeof side, "%s-wal", path);
  unlink (side);
  snprintf (side, sizeof side, "%s-shm", path);
  unlink (side);
}

static void
at_end (void)
{
  clean ();
  rmdir (dir);
}

static void
make_good (void)
{
  lf_error err = { 0 };
  lf_store *s = lf_store_open (path, &err);
  CHECK (s && lf_store_run_begin (s, "serve", "p", "us-east-1", "h", &err) > 0);
  for (int i = 0; i < 50; i++)
    {
      lf_record r;
      char id[40];
      lf_record_init (&r);
      snprintf (id, sizeof id, "request-%d", i);
      r.request_id = id;
      r.function = "f";
      r.received_us = 1000000 + i;
      r.status = i % 5 ? LF_ST_OK : LF_ST_TIMEOUT;
      r.region = "us-east-1";
      r.profile = "p";
      r.duration_us = 1000;
      r.billed_ms = 1;
      r.memory_mb = 128;
      CHECK (lf_store_invocation (s, &r, &err) == 0);
    }
  CHECK (lf_store_commit (s, &err) == 0);
  lf_store_close (s);
  lf_buf b;
  lf_buf_init (&b, 0);
  CHECK (lf_read_file (path, (size_t) 16 << 20, &b, &err) == 0);
  good_n = b.len;
  good = lf_buf_take (&b);
}

static void
set_up (void)
{
  const char *tmp = getenv ("TMPDIR");
  snprintf (dir, sizeof dir, "%.40s/lffuzzXXXXXX", access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : tmp ? tmp : "/tmp");
  CHECK (mkdtemp (dir));
  snprintf (path, sizeof path, "%s/log.db", dir);
  atexit (at_end);
  make_good ();
  clean ();
}

static int
each (const lf_record *r, int64_t rowid, void *user)
{
  (void) rowid;
  size_t *sum = user;
  *sum += r->request_id ? strlen (r->request_id) : 0;
  *sum += r->function ? strlen (r->function) : 0;
  *sum += r->error_message ? strlen (r->error_message) : 0;
  return 0;
}

static void
read_it (void)
{
  lf_error err = { 0 };
  lf_store *s = lf_store_open_read (path, &err);
  CHECK ((s == NULL) == (err.exit != LF_EXIT_OK) && (s || err.why[0]));
  if (!s)
    return;
  size_t sum = 0;
  lf_store_busy_timeout (s, 0);
  lf_log_filter f = { .since_us = LF_NONE, .until_us = LF_NONE, .limit = 1000 };
  lf_store_invocations (s, &f, each, &sum, NULL, &err);
  lf_strv names = { 0 };
  lf_store_functions (s, &names, &err);
  lf_strv_fini (&names);
  lf_function fn;
  lf_function_init (&fn);
  lf_store_function_get (s, "f", &fn, &err);
  lf_function_fini (&fn);
  lf_store_close (s);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (!good)
    set_up ();
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK (fd >= 0);
  size_t n = size ? size - 1 : 0;
  if (size && data[0] & 1)
    CHECK (write (fd, data + 1, n) == (ssize_t) n);
  else
    {
      CHECK (write (fd, good, good_n) == (ssize_t) good_n);
      /* pieces: two bytes of place, one of length, that many bytes */
      for (size_t i = 1; i + 3 < size;)
        {
          size_t at = ((size_t) data[i] << 8 | data[i + 1]) * 4 % good_n, len = data[i + 2];
          i += 3;
          len = len < size - i ? len : size - i;
          CHECK (pwrite (fd, data + i, len, (off_t) at) == (ssize_t) len);
          i += len;
        }
    }
  close (fd);
  read_it ();
  clean ();
  return 0;
}
