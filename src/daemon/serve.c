/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon: one loop, one port, until a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lambdafit/api.h"
#include "live.h"

typedef struct lf_server
{
  lf_live live;
  lf_api_invoke *api;
  lf_deploy *deploy;
  uv_signal_t sigint, sigterm;
  int lock_fd;
  bool ending;
} lf_server;

/* One daemon a log: two would count each other's environments. */
static int
lock_log (lf_server *s, lf_error *err)
{
  char *path LF_CLEANUP (lf_freep) = lf_asprintf ("%s.serve.lock", lf_store_path (s->live.store));
  if (!path)
    return LF_FAIL_NOMEM (err);
  s->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (s->lock_fd < 0)
    return LF_FAIL (err, LF_EXIT_IO, path, "check the folder's permissions, or choose another log with --db", "cannot be made: %s", strerror (errno));
  if (flock (s->lock_fd, LOCK_EX | LOCK_NB) < 0)
    {
      char pid[32] = "";
      ssize_t n = read (s->lock_fd, pid, sizeof pid - 1);
      pid[n > 0 ? n : 0] = 0;
      pid[strcspn (pid, "\n")] = 0;
      return LF_FAIL (err, LF_EXIT_IO, lf_store_path (s->live.store), "stop that daemon, or give this one its own log with --db FILE",
                      "another lambdafit serve (pid %s) writes this log", pid[0] ? pid : "unknown");
    }
  char pid[32];
  int n = snprintf (pid, sizeof pid, "%d\n", (int) getpid ());
  if (ftruncate (s->lock_fd, 0) < 0 || write (s->lock_fd, pid, (size_t) n) != n)
    return LF_FAIL (err, LF_EXIT_IO, path, "", "cannot be written: %s", strerror (errno));
  return 0;
}

static void
on_engine_closed (void *user)
{
  lf_server *s = user;
  uv_close ((uv_handle_t *) &s->sigint, NULL);
  uv_close ((uv_handle_t *) &s->sigterm, NULL);
}

static void
end (lf_server *s)
{
  s->ending = true;
  lf_api_invoke_close (s->api);
  s->api = NULL;
  lf_engine_close (s->live.engine, on_engine_closed, s);
}

static void
on_signal (uv_signal_t *h, int signum)
{
  lf_server *s = h->data;
  if (s->ending)
    _exit (128 + signum); /* asked twice: the sandboxes die with us */
  end (s);
}

static int
write_port (const char *path, int port, lf_error *err)
{
  char text[16];
  int n = snprintf (text, sizeof text, "%d\n", port);
  return lf_write_file_atomic (path, text, (size_t) n, err);
}

typedef struct say_url_at { const char *host; int port; } say_url_at;

/* Functions that a template gives a URL; the others have one too, but nobody asked. */
static void
say_url (lf_live_fn *fn, void *user)
{
  const say_url_at *at = user;
  const lf_function *f = lf_live_fn_config (fn);
  if (f->url.set)
    fprintf (stderr, "  %s: http://%s.lambda-url.localhost:%d/ or http://%s:%d/lambda-url/%s/ (%s, %s)\n", f->name, f->name, at->port, at->host, at->port, f->name,
             f->url.iam ? "AWS_IAM" : "NONE", f->url.stream ? "RESPONSE_STREAM" : "BUFFERED");
}

/* Said before the port file tells a script to go on, so that it never comes between the functions' lines. */
static void
say_ready (const lf_serve_options *o, lf_server *s, int port)
{
  if (!s->live.writer)
    return;
  fprintf (stderr, "lambdafit: serving on http://%s:%d (log: %s)\n", o->host, port, lf_store_path (s->live.store));
  fprintf (stderr, "  try: lambdafit invoke NAME -e '{}'   or   aws lambda invoke --endpoint-url http://%s:%d ...   end: Ctrl-C\n", o->host, port);
  lf_engine_each_fn (s->live.engine, say_url, &(say_url_at){ o->host, port });
  fflush (stderr);
}

/* What was created through the API is kept beside the log that its invocations are in. */
static int
open_deploy (lf_server *s, const lf_serve_options *o, lf_error *err)
{
  char *dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s.deployed", lf_store_path (s->live.store));
  if (!dir)
    return LF_FAIL_NOMEM (err);
  s->deploy = lf_deploy_new (&(lf_deploy_options){ .engine = s->live.engine, .dir = dir, .region = o->region, .network = o->network,
                                                   .keepalive_ms = o->keepalive_ms, .strict_runtime = o->strict_runtime },
                             err);
  return s->deploy ? 0 : -1;
}

/* A daemon that was killed could not clear up. Its processes, mounts and /tmp went with it; what is left is done here, and said. */
static int
clear_up (lf_server *s, lf_error *err)
{
  int64_t envs;
  int groups = lf_sb_host_swept (s->live.host);
  if (lf_store_envs_killed (s->live.store, &envs, err) < 0)
    return -1;
  if (s->live.writer && (envs || groups))
    fprintf (stderr, "lambdafit: cleared up after a daemon that was killed: %lld environments marked as ended, %d control groups removed\n", (long long) envs,
             groups);
  return 0;
}

static int
serve (lf_server *s, const lf_serve_options *o, lf_error *err)
{
  int port = o->port;
  if (lf_live_open (&s->live, &o->live, err) < 0 || lock_log (s, err) < 0 || clear_up (s, err) < 0
      || ((o->keep.rows != LF_NONE || o->keep.age_us != LF_NONE) && lf_store_keep (s->live.store, &o->keep, err) < 0) || open_deploy (s, o, err) < 0
      || lf_engine_check_destinations (s->live.engine, err) < 0 || lf_engine_resume_events (s->live.engine, err) < 0)
    return -1;
  if (!(s->api = lf_api_invoke_new (s->live.engine, s->deploy, &s->live.loop, o->host, &port, err)))
    return -1;
  uv_signal_init (&s->live.loop, &s->sigint);
  uv_signal_init (&s->live.loop, &s->sigterm);
  s->sigint.data = s->sigterm.data = s;
  uv_signal_start (&s->sigint, on_signal, SIGINT);
  uv_signal_start (&s->sigterm, on_signal, SIGTERM);
  say_ready (o, s, port);
  if (o->port_file && write_port (o->port_file, port, err) < 0)
    {
      end (s);
      uv_run (&s->live.loop, UV_RUN_DEFAULT);
      lf_engine_free (s->live.engine);
      s->live.engine = NULL;
      return -1;
    }
  uv_run (&s->live.loop, UV_RUN_DEFAULT);
  lf_engine_free (s->live.engine);
  s->live.engine = NULL;
  return 0;
}

int
lf_serve (const lf_serve_options *o, lf_error *err)
{
  lf_server *s = calloc (1, sizeof *s);
  if (!s)
    return LF_FAIL_NOMEM (err);
  s->lock_fd = -1;
  int rc = serve (s, o, err);
  lf_api_invoke_close (s->api);
  lf_deploy_close (s->deploy);
  lf_live_close (&s->live);
  lf_deploy_free (s->deploy);
  if (o->port_file && rc == 0 && !lf_is_no_file (o->port_file))
    unlink (o->port_file);
  if (s->lock_fd >= 0)
    close (s->lock_fd);
  free (s);
  return rc;
}
