/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit serve: the daemon.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lambdafit/daemon.h"

static int
prepare_all (const lf_args *a, const lf_profile *p, lf_prepared *fns, size_t n, lf_error *err)
{
  for (size_t i = 0; i < n; i++)
    {
      const char *target = a->rest_n ? a->rest[i] : ".";
      lf_function f;
      if (lf_args_function (a, &f, err) < 0 || lf_prepare (&f, target, a->interpreter, a->strict_runtime, p, &fns[i], err) < 0)
        {
          lf_function_fini (&f);
          return -1;
        }
      for (size_t k = 0; k < fns[i].notes.n; k++)
        fprintf (stderr, "lambdafit: %s: %s\n", fns[i].f.name, fns[i].notes.v[k]);
      for (size_t k = 0; k < fns[i].near_n; k++)
        fprintf (stderr, "lambdafit: %s: %s\n  fix: %s\n", fns[i].f.name, fns[i].near[k].message, fns[i].near[k].fix);
      if (!a->quiet)
        fprintf (stderr, "lambdafit: %s: %s, handler %s, %lld MB, timeout %lld s, from %s\n", fns[i].f.name, fns[i].f.runtime, fns[i].f.handler,
                 (long long) fns[i].f.memory_mb, (long long) (fns[i].f.timeout_ms / 1000), target);
    }
  return 0;
}

int
lf_cmd_serve (const lf_args *a)
{
  lf_error err = { 0 };
  size_t n = a->rest_n ? (size_t) a->rest_n : 1;
  int status = 0;
  if (a->name && n > 1)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, "--name", "leave it out: each function is named after its target", "one name cannot be given to %zu functions", n);
      return lf_cli_error (&err);
    }
  if (a->rate_limit && strcmp (a->rate_limit, "on") != 0 && strcmp (a->rate_limit, "off") != 0)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, "--rate-limit", "give on or off", "\"%.40s\" is neither on nor off", a->rate_limit);
      return lf_cli_error (&err);
    }
  lf_prepared *fns = calloc (n, sizeof *fns);
  lf_profile *p = fns ? lf_args_profile (a, &err) : NULL;
  if (!fns)
    (void) LF_FAIL_NOMEM (&err);
  if (!p || prepare_all (a, p, fns, n, &err) < 0)
    status = lf_cli_error (&err);
  else
    {
      lf_serve_options o = { .live = { .profile = p, .functions = fns, .functions_n = n, .db = a->db, .command = "serve", .pass_credentials = a->pass_credentials,
                                       .rate_limit = a->rate_limit && strcmp (a->rate_limit, "on") == 0, .quiet = a->quiet,
                                       .concurrency = a->account_concurrency },
                             .host = a->host ? a->host : "127.0.0.1", .port = a->port == LF_NONE ? 3001 : (int) a->port, .port_file = a->port_file };
      if (lf_serve (&o, &err) < 0)
        status = lf_cli_error (&err);
    }
  for (size_t i = 0; fns && i < n; i++)
    lf_prepared_fini (&fns[i]);
  free (fns);
  lf_profile_free (p);
  return status;
}
