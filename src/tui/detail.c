/* SPDX-License-Identifier: Apache-2.0
 *
 * One invocation with everything that the log has of it.
 */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
lf_detail_fini (lf_detail *d)
{
  for (size_t i = 0; i < LF_ARRAY_LEN (d->text); i++)
    free (d->text[i]);
  for (int v = 0; v < d->v_n; v++)
    for (size_t i = 0; i < LF_ARRAY_LEN (d->v_text[v]); i++)
      free (d->v_text[v][i]);
  *d = (lf_detail){ 0 };
}

static int
keep_record (const lf_record *r, int64_t rowid, void *user)
{
  lf_detail *d = user;
  (void) rowid;
  if (d->found)
    return 1;
  d->r = *r;
  const char **strings[] = { &d->r.request_id, &d->r.function, &d->r.environment, &d->r.host, &d->r.error_type, &d->r.error_message, &d->r.region, &d->r.profile };
  for (size_t i = 0; i < LF_ARRAY_LEN (strings); i++)
    *strings[i] = d->text[i] = *strings[i] != NULL ? lf_strdup (*strings[i]) : NULL;
  d->text[8] = r->log_tail != NULL ? malloc (r->log_tail_len + 1) : NULL;
  if (d->text[8] != NULL)
    {
      memcpy (d->text[8], r->log_tail, r->log_tail_len);
      d->text[8][r->log_tail_len] = '\0';
    }
  d->r.log_tail = d->text[8];
  d->found = true;
  return 1;
}

static int
keep_violation (const lf_violation *v, void *user)
{
  lf_detail *d = user;
  if (d->v_n == LF_TOP_DETAIL_MAX)
    return 1;
  lf_violation *to = &d->v[d->v_n];
  *to = *v;
  const char **strings[] = { &to->request_id, &to->function, &to->limit_id, &to->unit };
  for (size_t i = 0; i < LF_ARRAY_LEN (strings); i++)
    *strings[i] = d->v_text[d->v_n][i] = *strings[i] != NULL ? lf_strdup (*strings[i]) : NULL;
  to->rule = NULL;
  d->v_n++;
  return 0;
}

int
lf_detail_read (lf_store *s, const char *request_id, lf_detail *out, lf_error *err)
{
  lf_log_filter f = { .request_id = request_id, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  *out = (lf_detail){ 0 };
  snprintf (out->request_id, sizeof out->request_id, "%s", request_id);
  if (lf_store_violations (s, NULL, request_id, keep_violation, out, err) == 0 && lf_store_invocations (s, &f, keep_record, out, NULL, err) == 0)
    return 0;
  lf_detail_fini (out);
  return -1;
}
