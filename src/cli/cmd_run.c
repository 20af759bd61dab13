/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit run: one function, here and now.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lambdafit/daemon.h"
#include "targets.h"
#include "verdict.h"

static void
print_response (const lf_outcome *o)
{
  /* One line an invocation: a response with line breaks is made one line where it is JSON, which may have them only between tokens. */
  size_t n = o->body_len;
  if (memchr (o->body, '\n', n))
    {
      lf_error ignored = { 0 };
      cJSON *j LF_CLEANUP (lf_json_freep) = lf_json_parse (o->body, n, "response", &ignored);
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (j && lf_json_print (j, &b) == 0)
        {
          fwrite (b.data, 1, b.len, stdout);
          fputc ('\n', stdout);
          return;
        }
    }
  fwrite (o->body, 1, n, stdout);
  fputc ('\n', stdout);
}

static void
on_each (const lf_outcome *o, const lf_enforcement *enforcement, const lf_function *f, int64_t tag, void *user)
{
  (void) f;
  (void) tag;
  lf_verdict *v = user;
  v->enforcement = *enforcement;
  lf_verdict_add (v, o);
  if (v->json)
    return;
  if (o->status != LF_ST_THROTTLED && o->status != LF_ST_REJECTED)
    print_response (o);
  else
    fprintf (stderr, "lambdafit: %s: %s\n", o->record->error_type, o->record->error_message);
  fflush (stdout);
}

static int
finish (lf_verdict *v, const lf_args *a, int signum, lf_error *err)
{
  if (a->json)
    {
      cJSON *o LF_CLEANUP (lf_json_freep) = lf_verdict_json (v);
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (!o || lf_json_print_pretty (o, &b) < 0)
        {
          (void) LF_FAIL_NOMEM (err);
          return lf_cli_error (err);
        }
      fwrite (b.data, 1, b.len, stdout);
      fputc ('\n', stdout);
    }
  if (!a->quiet)
    lf_verdict_print (v, stderr);
  if (signum)
    return 128 + signum;
  return v->failed ? LF_EXIT_FAILED : LF_EXIT_OK;
}

static int
run (const lf_args *a, lf_verdict *v, lf_prepared *prep, const lf_buf *event, lf_error *err)
{
  int signum = 0;
  lf_function shown;
  lf_function_init (&shown);
  if (lf_function_copy (&shown, &prep->f, err) < 0)
    return lf_cli_error (err);
  lf_verdict_init (v, &shown, v->profile);
  v->json = a->json;
  v->notes = &prep->notes;
  lf_strv notes = prep->notes; /* the engine takes the rest */
  memset (&prep->notes, 0, sizeof prep->notes);
  v->notes = &notes;
  for (size_t i = 0; i < prep->near_n; i++)
    lf_verdict_violation (v, &prep->near[i]);
  lf_oneshot_options o = { .live = { .profile = v->profile, .functions = prep, .functions_n = 1, .db = a->db, .command = "run",
                                     .pass_credentials = a->pass_credentials, .quiet = a->quiet, .concurrency = a->account_concurrency },
                           .payload = event->data, .payload_len = event->len, .count = a->count == LF_NONE ? 1 : a->count,
                           .parallel = a->parallel == LF_NONE ? 1 : a->parallel, .each = on_each, .user = v };
  int status;
  if (lf_oneshot (&o, &signum, err) < 0)
    status = lf_cli_error (err);
  else
    status = finish (v, a, signum, err);
  lf_verdict_fini (v);
  lf_strv_fini (&notes);
  lf_function_fini (&shown);
  return status;
}

/* A function that was not run is an object too, if the rules have something to say of it. */
static int
refused (const lf_args *a, const lf_targets *t, const lf_profile *p, const lf_error *err)
{
  int status = lf_targets_refused (t, p, a->db, "run", err);
  if (!a->json || t->refused.n == 0)
    return status;
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  cJSON *f = o ? cJSON_AddObjectToObject (o, "function") : NULL;
  cJSON *invocations = f ? cJSON_AddArrayToObject (o, "invocations") : NULL, *list = invocations ? cJSON_AddArrayToObject (o, "violations") : NULL;
  bool bad = !list || lf_json_add_str (f, "name", t->refused.name) < 0;
  for (size_t i = 0; i < t->refused.n && !bad; i++)
    {
      lf_violation v = t->refused.v[i];
      v.function = t->refused.name;
      cJSON *j = lf_violation_json (&v);
      bad = !j || lf_json_add_i64 (j, "times", 1) < 0 || !cJSON_AddItemToArray (list, j);
    }
  if (!bad && lf_json_print_pretty (o, &b) == 0)
    printf ("%s\n", b.data);
  return status;
}

int
lf_cmd_run (const lf_args *a)
{
  lf_error err = { 0 };
  lf_verdict v = { 0 };
  lf_targets targets = { 0 };
  lf_buf event LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&event, 0);
  lf_profile *p = lf_args_profile (a, &err);
  int status;
  if (!p || lf_args_event (a, &event, &err) < 0 || lf_targets_prepare (a, p, true, &targets, &err) < 0)
    status = refused (a, &targets, p, &err);
  else
    {
      v.profile = p;
      status = run (a, &v, &targets.fns[0], &event, &err);
    }
  lf_targets_fini (&targets);
  lf_profile_free (p);
  return status;
}
