/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit doctor: what this machine can enforce, tried.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "cli.h"
#include "lambdafit/sandbox.h"

static int
print_json (const lf_machine *m)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  cJSON *list = o ? cJSON_AddArrayToObject (o, "mechanisms") : NULL;
  lf_error err = { 0 };
  for (size_t i = 0; list && i < m->n; i++)
    {
      cJSON *one = cJSON_CreateObject ();
      if (!one)
        break;
      lf_json_add_str (one, "name", m->mech[i].name);
      cJSON_AddBoolToObject (one, "ok", m->mech[i].ok);
      lf_json_add_str (one, "detail", m->mech[i].detail);
      lf_json_add_str (one, "fix", m->mech[i].fix[0] ? m->mech[i].fix : NULL);
      cJSON_AddItemToArray (list, one);
    }
  lf_buf enforcement LF_CLEANUP (lf_buf_fini), text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&enforcement, 0);
  lf_buf_init (&text, 0);
  if (!list || lf_enforcement_json (&m->enforcement, &enforcement) < 0 || !cJSON_AddRawToObject (o, "enforcement", enforcement.data)
      || !cJSON_AddBoolToObject (o, "sandbox", m->sandbox) || lf_json_print_pretty (o, &text) < 0)
    {
      (void) LF_FAIL_NOMEM (&err);
      return lf_cli_error (&err);
    }
  printf ("%s\n", text.data);
  return 0;
}

static void
print_text (const lf_machine *m)
{
  lf_table t;
  lf_table_init (&t, 3, "lll");
  for (size_t i = 0; i < m->n; i++)
    {
      lf_table_add (&t, "%s", m->mech[i].ok ? "ok" : "no");
      lf_table_add (&t, "%s", m->mech[i].name);
      lf_table_add (&t, "%s", m->mech[i].detail);
    }
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
  for (size_t i = 0; i < m->n; i++)
    if (!m->mech[i].ok && m->mech[i].fix[0])
      printf ("fix for %s: %s\n", m->mech[i].name, m->mech[i].fix);
  printf ("\nsandbox: %s\n\nlimits:\n", m->sandbox ? "yes" : "no, functions cannot run here");
  lf_table_init (&t, 2, "ll");
  for (int l = 0; l < LF_LIM_COUNT; l++)
    {
      const lf_limit_info *info = lf_limit_get (l);
      lf_table_add (&t, "%s", info->id);
      lf_table_add (&t, "%s", info->by_default == LF_ENF_KERNEL ? lf_enforced_label (m->enforcement.by[l]) : "checked by lambdafit");
    }
  lf_table_add (&t, "CPU share");
  lf_table_add (&t, "%s", lf_enforced_label (m->enforcement.cpu));
  lf_table_print (&t, stdout, "  ");
  lf_table_fini (&t);
}

int
lf_cmd_doctor (const lf_args *a)
{
  lf_machine *m = calloc (1, sizeof *m);
  lf_error err = { 0 };
  if (!m)
    {
      (void) LF_FAIL_NOMEM (&err);
      return lf_cli_error (&err);
    }
  lf_machine_probe (m);
  int status = 0;
  if (a->json)
    status = print_json (m);
  else
    print_text (m);
  if (status == 0 && !m->sandbox)
    status = LF_EXIT_UNSUPPORTED;
  free (m);
  return status;
}
