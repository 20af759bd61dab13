/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit log: the invocations of any log file.
 */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "lambdafit/store.h"
#include "log_before.h"

#define FOLLOW_MS 200

static volatile sig_atomic_t stop_signal;

static void
on_stop (int signum)
{
  stop_signal = signum;
}

int
lf_args_span (const char *s, int64_t *us)
{
  int64_t n;
  static const struct { const char *unit; int64_t seconds; } units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 604800 } };
  if (lf_take_i64 (&s, 999999999, &n) == 0)
    for (size_t i = 0; i < LF_ARRAY_LEN (units); i++)
      if (strcmp (s, units[i].unit) == 0 && n < INT64_MAX / 1000000 / units[i].seconds)
        {
          *us = n * units[i].seconds * 1000000;
          return 0;
        }
  return -1;
}

/* "90s", "10m", "2h", "7d" before now, or a date and time in UTC. */
int
lf_args_since (const char *s, int64_t *us, lf_error *err)
{
  int64_t span;
  if (lf_args_span (s, &span) == 0)
    {
      *us = lf_wall_us () - span;
      return 0;
    }
  static const char *const formats[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
  for (size_t i = 0; i < LF_ARRAY_LEN (formats); i++)
    {
      struct tm t = { 0 };
      char *rest = strptime (s, formats[i], &t);
      if (rest && !*rest)
        {
          *us = (int64_t) timegm (&t) * 1000000;
          return 0;
        }
    }
  return LF_FAIL (err, LF_EXIT_USAGE, "--since", "give 90s, 10m, 2h, 7d, or a time in UTC such as 2026-11-25T08:00:00Z", "\"%.60s\" is no time", s);
}

#define SAID_MAX 256

typedef struct lf_log_view
{
  const lf_args *a;
  lf_profile *profile;
  int64_t rows;
  lf_store *store;
  lf_log_before before;
  char *said[SAID_MAX]; /* FUNCTION/RULE that was printed in full */
  size_t said_n;
} lf_log_view;

/* Of a rule that speaks again only its name is printed. */
static bool
said_before (lf_log_view *v, const lf_violation *one)
{
  char *key = lf_asprintf ("%s/%s", one->function ? one->function : "", one->rule ? one->rule : "");
  for (size_t i = 0; key && i < v->said_n; i++)
    if (strcmp (v->said[i], key) == 0)
      {
        free (key);
        return true;
      }
  if (key && v->said_n < SAID_MAX)
    v->said[v->said_n++] = key;
  else
    free (key);
  return false;
}

static int
print_row_violation (const lf_violation *one, void *user)
{
  const char *severity = one->severity == LF_SEV_BROKEN ? "BROKEN" : "NEAR";
  if (said_before (user, one))
    printf ("    %s %s: rule %s again\n", severity, one->limit_id, one->rule ? one->rule : "-");
  else
    printf ("    %s %s: %s\n      fix: %s\n", severity, one->limit_id, one->message, one->fix);
  return 0;
}

static int
add_json_violation (const lf_violation *one, void *user)
{
  cJSON *j = lf_violation_json (one);
  return j && cJSON_AddItemToArray (user, j) ? 0 : -1;
}

/* The keys that `run --json` has besides: the response is not kept in a log, and of an error's body its type and message. */
static int
add_answer (cJSON *o, const lf_record *r)
{
  if (!cJSON_AddNullToObject (o, "response"))
    return -1;
  if (!r->error_type)
    return cJSON_AddNullToObject (o, "error") ? 0 : -1;
  cJSON *error = cJSON_AddObjectToObject (o, "error");
  return error && lf_json_add_str (error, "errorType", r->error_type) == 0 && lf_json_add_str (error, "errorMessage", r->error_message) == 0 ? 0 : -1;
}

static int
print_json_row (const lf_record *r, lf_log_view *v)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_record_json (r);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_cost cost = { 0 };
  if (v->profile)
    lf_cost_of_record (v->profile, v->a->region ? v->a->region : r->region, r, &cost);
  cJSON *list = o ? cJSON_AddArrayToObject (o, "violations") : NULL;
  lf_error err = { 0 };
  if (!list || add_answer (o, r) < 0 || lf_json_add_money (o, "cost_usd", &cost, cost.total) < 0
      || lf_store_violations (v->store, NULL, r->request_id, add_json_violation, list, &err) < 0 || lf_json_print (o, &b) < 0)
    return -1;
  printf ("%s\n", b.data);
  return 0;
}

/* What was known before any invocation, up to this moment. */
static void
print_before (lf_log_view *v, int64_t until_us)
{
  const lf_violation *one;
  char when[32];
  while ((one = lf_log_before_take (&v->before, until_us)))
    {
      lf_iso8601_ms (one->at_us, when);
      printf ("%s  %-36s  %-20s before any invocation\n", when, "-", one->function);
      print_row_violation (one, v);
    }
}

static int
print_row (const lf_record *r, int64_t rowid, void *user)
{
  lf_log_view *v = user;
  (void) rowid;
  v->rows++;
  if (v->a->json)
    return print_json_row (r, v);
  if (v->rows == 1 && v->a->count != LF_NONE) /* the newest rows were asked for, and no more */
    while (lf_log_before_take (&v->before, r->received_us))
      ;
  print_before (v, r->received_us);
  char when[32], init[32], duration[32], memory[40];
  lf_iso8601_ms (r->received_us, when);
  lf_show_us (r->init_us, init);
  lf_show_us (r->duration_us, duration);
  lf_show_quantity (r->max_memory_bytes, "bytes", memory);
  bool color = lf_color (stdout) && r->status != LF_ST_OK;
  printf ("%s  %s  %-20s %-4s %s%-14s%s init %-10s duration %-11s billed %lld ms  memory %s", when, r->request_id, r->function,
          r->cold == 1 ? "cold" : r->cold == 0 ? "warm" : "-", color ? "\033[31m" : "", lf_status_name (r->status), color ? "\033[0m" : "", init, duration,
          (long long) (r->billed_ms == LF_NONE ? 0 : r->billed_ms), memory);
  if (r->cold_reason)
    printf ("  %s", r->cold_reason);
  if (r->error_type)
    printf ("  %s", r->error_type);
  putchar ('\n');
  lf_error err = { 0 };
  if (lf_store_violations (v->store, NULL, r->request_id, print_row_violation, v, &err) < 0)
    return -1;
  return 0;
}

/* The rule as it stands in the table, and beside it what was seen of this invocation. */
static int
print_violation (const lf_violation *one, void *user)
{
  int *n = user;
  const lf_rule_info *rule = lf_rule_find (one->rule);
  char used[40], allowed[40];
  printf ("\n%s %s (rule %s)\n", one->severity == LF_SEV_BROKEN ? "BROKEN" : "NEAR", one->limit_id, one->rule ? one->rule : "-");
  if (rule)
    printf ("  rule:     holds when %s\n", rule->when);
  if (one->observed[0])
    printf ("  observed: %s\n", one->observed);
  if (one->unit)
    {
      lf_show_quantity (one->used, one->unit, used);
      lf_show_quantity (one->allowed, one->unit, allowed);
      printf ("  limit:    %s used of %s allowed; enforced: %s\n", used, allowed, lf_enforced_name (one->enforced));
    }
  printf ("  what:     %s\n  fix:      %s\n", one->message, one->fix);
  if (rule)
    printf ("  see:      docs/limits.md#%s\n", rule->subject);
  (*n)++;
  return 0;
}

static int
explain_row (const lf_record *r, int64_t rowid, void *user)
{
  (void) rowid;
  lf_log_view *v = user;
  v->rows++;
  cJSON *o LF_CLEANUP (lf_json_freep) = lf_record_json (r);
  const cJSON *i;
  cJSON_ArrayForEach (i, o)
  {
    if (strcmp (i->string, "log_tail") == 0 || (cJSON_IsNull (i) && strcmp (i->string, "cold_reason") == 0))
      continue;
    if (cJSON_IsString (i))
      {
        lf_buf b LF_CLEANUP (lf_buf_fini);
        lf_buf_init (&b, 0);
        lf_buf_add_printable (&b, i->valuestring, strlen (i->valuestring));
        printf ("%-18s %s\n", i->string, b.data ? b.data : "");
      }
    else if (cJSON_IsNull (i))
      printf ("%-18s not measured\n", i->string);
    else
      {
        char *text = cJSON_PrintUnformatted (i);
        printf ("%-18s %s\n", i->string, text ? text : "");
        cJSON_free (text);
      }
  }
  if (r->log_tail_len)
    {
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      lf_buf_add_printable (&b, r->log_tail, r->log_tail_len);
      printf ("\nlog:\n%s", b.data ? b.data : "");
    }
  return 0;
}

static int
explain (lf_log_view *v, lf_error *err)
{
  lf_log_filter f = { .request_id = v->a->explain, .since_us = LF_NONE, .until_us = LF_NONE, .limit = LF_NONE };
  int violations = 0;
  if (lf_store_invocations (v->store, &f, v->a->json ? print_row : explain_row, v, NULL, err) < 0)
    return lf_cli_error (err);
  if (v->rows == 0)
    {
      (void) LF_FAIL (err, LF_EXIT_USAGE, v->a->explain, "lambdafit log lists the request ids", "no invocation with this request id is in the log");
      return lf_cli_error (err);
    }
  if (!v->a->json && lf_store_violations (v->store, NULL, v->a->explain, print_violation, &violations, err) < 0)
    return lf_cli_error (err);
  if (!v->a->json && !violations)
    printf ("\nno limit was broken or near\n");
  return 0;
}

static int
show (lf_log_view *v, lf_error *err)
{
  const lf_args *a = v->a;
  lf_log_filter f = { .function = a->function, .errors = a->errors, .cold = a->cold, .since_us = LF_NONE, .until_us = LF_NONE, .limit = a->count };
  int64_t last = 0;
  if ((a->since && lf_args_since (a->since, &f.since_us, err) < 0)
      || (!a->json && !a->cold && lf_log_before_read (v->store, a->function, f.since_us, &v->before, err) < 0)
      || lf_store_invocations (v->store, &f, print_row, v, &last, err) < 0)
    return lf_cli_error (err);
  print_before (v, INT64_MAX);
  if (!a->follow)
    return 0;
  signal (SIGINT, on_stop);
  signal (SIGTERM, on_stop);
  f.limit = LF_NONE;
  while (!stop_signal && fflush (stdout) == 0)
    {
      f.after_rowid = last;
      if (lf_store_invocations (v->store, &f, print_row, v, &last, err) < 0)
        return lf_cli_error (err);
      poll (NULL, 0, FOLLOW_MS);
    }
  return 0;
}

/* log merge A.db B.db -o C.db */
static int
merge (const lf_args *a, lf_error *err)
{
  lf_merge_counts counts;
  if (a->rest_n < 2 || !a->output)
    return LF_FAIL (err, LF_EXIT_USAGE, "log merge", "lambdafit log merge A.db B.db -o C.db", a->output ? "there is no log to merge" : "nothing says where the merged log goes");
  if (lf_store_merge (a->rest + 1, (size_t) a->rest_n - 1, a->output, &counts, err) < 0)
    return -1;
  if (a->json)
    printf ("{\"logs\": %d, \"invocations\": %lld, \"duplicates\": %lld}\n", a->rest_n - 1, (long long) counts.invocations, (long long) counts.duplicates);
  else
    fprintf (stderr, "lambdafit: %s: %lld invocations of %d log%s%s", a->output, (long long) counts.invocations, a->rest_n - 1, a->rest_n == 2 ? "" : "s",
             counts.duplicates ? "" : "\n");
  if (!a->json && counts.duplicates)
    fprintf (stderr, "; %lld were in more than one\n", (long long) counts.duplicates);
  return 0;
}

int
lf_cmd_log (const lf_args *a)
{
  lf_error err = { 0 };
  if (a->rest_n && strcmp (a->rest[0], "merge") == 0)
    return merge (a, &err) < 0 ? lf_cli_error (&err) : 0;
  if (a->rest_n || a->output)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, a->rest_n ? a->rest[0] : "--output", "lambdafit log --help", "only `log merge` takes logs and writes one");
      return lf_cli_error (&err);
    }
  lf_log_view v = { .a = a };
  int status;
  v.profile = lf_args_profile (a, &err);
  v.store = v.profile ? lf_store_open_read (a->db, &err) : NULL;
  if (!v.store)
    status = lf_cli_error (&err);
  else
    status = a->explain ? explain (&v, &err) : show (&v, &err);
  lf_store_close (v.store);
  lf_profile_free (v.profile);
  lf_log_before_fini (&v.before);
  for (size_t i = 0; i < v.said_n; i++)
    free (v.said[i]);
  return status;
}
