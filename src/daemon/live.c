/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lambdafit/api.h"
#include "live.h"

static void
on_log (const lf_function *f, const char *text, size_t n, void *user)
{
  (void) f;
  lf_log_writer_add (user, text, n);
}

/* Every environment costs a dozen descriptors; the function's own limit is set inside its sandbox. */
static void
raise_descriptors (void)
{
  struct rlimit r;
  if (getrlimit (RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max)
    {
      r.rlim_cur = r.rlim_max < 1048576 ? r.rlim_max : 1048576;
      setrlimit (RLIMIT_NOFILE, &r);
    }
}

static int
open_engine (lf_live *l, const lf_live_options *o, lf_error *err)
{
  char *state LF_CLEANUP (lf_freep) = lf_state_dir ();
  l->host = lf_sb_host_new (&(lf_sb_host_options){ .state_dir = state }, err);
  if (!l->host)
    return -1;
  if (!o->quiet && !(l->writer = lf_log_writer_new (STDERR_FILENO, err)))
    return -1;
  l->engine = lf_engine_new (&(lf_engine_options){ .loop = &l->loop,
                                                   .profile = o->profile,
                                                   .store = l->store,
                                                   .host = l->host,
                                                   .rt = &lf_api_runtime,
                                                   .log = l->writer ? on_log : NULL,
                                                   .log_user = l->writer,
                                                   .pass_credentials = o->pass_credentials,
                                                   .rate_limit = o->rate_limit,
                                                   .say_rules = o->say_rules,
                                                   .concurrency = o->concurrency,
                                                   .environ_ = environ,
                                                   .port_file = o->port_file },
                             err);
  if (!l->engine)
    return -1;
  for (size_t i = 0; i < o->functions_n; i++)
    if (!lf_engine_add (l->engine, &o->functions[i], err))
      return -1;
  return 0;
}

int
lf_live_open (lf_live *l, const lf_live_options *o, lf_error *err)
{
  memset (l, 0, sizeof *l);
  signal (SIGPIPE, SIG_IGN);
  raise_descriptors ();
  if (lf_reserve_open () < 0)
    return LF_FAIL_NOMEM (err);
  int rc = uv_loop_init (&l->loop);
  if (rc < 0)
    return LF_FAIL (err, LF_EXIT_IO, "event loop", "", "%s", uv_strerror (rc));
  l->loop_open = true;
  if (!(l->store = lf_store_open (o->db, err)))
    return -1;
  const char *region = o->functions_n ? o->functions[0].f.region : NULL;
  char hostname[65] = "localhost";
  gethostname (hostname, sizeof hostname - 1);
  l->run_id = lf_store_run_begin (l->store, o->command, o->profile->name, region, hostname, err);
  return l->run_id < 0 ? -1 : open_engine (l, o, err);
}

static void
on_closed (void *user)
{
  (void) user;
}

void
lf_live_close (lf_live *l)
{
  lf_error ignored = { 0 };
  if (l->engine)
    {
      /* Failed half-way: the engine's handles still have to be closed on the loop. */
      lf_engine_close (l->engine, on_closed, l);
      uv_run (&l->loop, UV_RUN_DEFAULT);
      lf_engine_free (l->engine);
    }
  lf_sb_host_free (l->host);
  lf_log_writer_free (l->writer);
  if (l->store)
    {
      if (l->run_id > 0 && lf_store_run_end (l->store, l->run_id, &ignored) == 0)
        lf_store_commit (l->store, &ignored);
      lf_store_close (l->store);
    }
  if (l->loop_open)
    {
      uv_run (&l->loop, UV_RUN_DEFAULT);
      uv_loop_close (&l->loop);
    }
  memset (l, 0, sizeof *l);
}
