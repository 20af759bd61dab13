/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit serve: the daemon.
 */
#include <stdlib.h>
#include <string.h>

#include "targets.h"
#include "lambdafit/daemon.h"

#define KEEP_ROWS_MIN 100
#define KEEP_AGE_MIN_US (60 * INT64_C (1000000))

static int
read_keep (const char *text, lf_keep *out, lf_error *err)
{
  *out = (lf_keep){ LF_NONE, LF_NONE };
  if (!text || lf_parse_i64 (text, KEEP_ROWS_MIN, INT64_MAX / 2, &out->rows) == 0 || (lf_args_span (text, &out->age_us) == 0 && out->age_us >= KEEP_AGE_MIN_US))
    return 0;
  return LF_FAIL (err, LF_EXIT_USAGE, "--keep", "give how many invocations the log keeps, 100 or more, or for how long, 1m or longer: 30m, 12h, 7d, 4w",
                  "\"%.40s\" is neither", text);
}

int
lf_cmd_serve (const lf_args *a)
{
  lf_error err = { 0 };
  lf_targets targets = { 0 };
  int status = 0;
  if (a->rate_limit && strcmp (a->rate_limit, "on") != 0 && strcmp (a->rate_limit, "off") != 0)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, "--rate-limit", "give on or off", "\"%.40s\" is neither on nor off", a->rate_limit);
      return lf_cli_error (&err);
    }
  lf_keep keep;
  if (read_keep (a->keep, &keep, &err) < 0)
    return lf_cli_error (&err);
  lf_profile *p = lf_args_profile (a, &err);
  if (!p || lf_targets_prepare (a, p, false, &targets, &err) < 0)
    status = lf_targets_refused (&targets, p, a->db, "serve", &err);
  else
    {
      lf_serve_options o = { .live = { .profile = p, .functions = targets.fns, .functions_n = targets.n, .db = a->db, .command = "serve", .pass_credentials = a->pass_credentials,
                                       .rate_limit = a->rate_limit && strcmp (a->rate_limit, "on") == 0, .quiet = a->quiet, .say_rules = true,
                                       .concurrency = a->account_concurrency, .port_file = a->port_file },
                             .host = a->host ? a->host : "127.0.0.1", .port = a->port == LF_NONE ? 3001 : (int) a->port, .port_file = a->port_file,
                             .region = a->region, .network = a->network && strcmp (a->network, "none") == 0 ? LF_NET_NONE : LF_NET_HOST,
                             .keepalive_ms = a->keepalive, .strict_runtime = a->strict_runtime, .keep = keep };
      if (lf_serve (&o, &err) < 0)
        status = lf_cli_error (&err);
    }
  lf_targets_fini (&targets);
  lf_profile_free (p);
  return status;
}
