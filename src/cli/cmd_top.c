/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit top: the dashboard.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lambdafit/tui.h"

int
lf_cmd_top (const lf_args *a)
{
  lf_error err = { 0 };
  const char *endpoint = a->endpoint != NULL ? a->endpoint : getenv ("LAMBDAFIT_ENDPOINT");
  lf_top_options o = { .db = a->db, .endpoint = endpoint != NULL && *endpoint != '\0' ? endpoint : "http://127.0.0.1:3001", .view = a->view, .size = a->size,
                       .function = a->function, .request_id = a->request_id, .profile = a->profile, .region = a->region, .since_us = LF_NONE,
                       .theme = a->theme, .ascii = a->ascii, .once = a->once || a->json, .json = a->json };
  if (a->theme != NULL && strcmp (a->theme, "256") != 0 && strcmp (a->theme, "16") != 0 && strcmp (a->theme, "mono") != 0)
    (void) LF_FAIL (&err, LF_EXIT_USAGE, "--theme", "256, 16 or mono", "there is no theme \"%.40s\"", a->theme);
  else if (a->since == NULL || lf_args_since (a->since, &o.since_us, &err) == 0)
    {
      lf_profile *profile = lf_args_profile (a, &err);
      if (profile != NULL && lf_top (&o, &err) == 0)
        {
          lf_profile_free (profile);
          return LF_EXIT_OK;
        }
      lf_profile_free (profile);
    }
  return lf_cli_error (&err);
}
