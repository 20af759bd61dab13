/* SPDX-License-Identifier: Apache-2.0
 *
 * SARIF 2.1.0: a rule for each measure that failed, a result for each failure, at the budget's place in the check file.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

#define RULES_MAX (LF_CHK_COUNT + 2)

static const char *
rule_text (const char *id)
{
  int m = lf_measure_find (id);
  if (m >= 0)
    return lf_measure_get (m)->doc;
  return strcmp (id, "expect") == 0 ? "the response is as expected" : "no invocation ends in an error";
}

static void
add_text (cJSON *to, const char *key, const char *text)
{
  cJSON *o = cJSON_AddObjectToObject (to, key);
  if (o)
    lf_json_add_str (o, "text", text);
}

/* The rule's number, added at its first use. */
static int
rule_of (cJSON *rules, const char *id)
{
  int n = 0;
  const cJSON *i;
  cJSON_ArrayForEach (i, rules)
  {
    if (lf_streq (lf_json_str (i, "id"), id))
      return n;
    n++;
  }
  cJSON *rule = cJSON_CreateObject ();
  if (!rule)
    return 0;
  lf_json_add_str (rule, "id", id);
  lf_json_add_str (rule, "name", id);
  add_text (rule, "shortDescription", rule_text (id));
  int m = lf_measure_find (id);
  add_text (rule, "help", m >= 0 ? lf_measure_get (m)->fix : "lambdafit log --explain REQUEST_ID shows the invocation's log.");
  cJSON_AddItemToArray (rules, rule);
  return n;
}

/* A path as a URI reference. */
static void
add_uri (cJSON *o, const char *path)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (*path == '/')
    lf_buf_adds (&b, "file://");
  for (const char *p = path; *p; p++)
    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr ("/-._~", *p))
      lf_buf_addc (&b, *p);
    else
      lf_buf_addf (&b, "%%%02X", (unsigned) (unsigned char) *p);
  lf_json_add_str (o, "uri", b.data ? b.data : "");
}

static void
add_location (cJSON *result, const lf_check_report *r, const lf_result *x)
{
  cJSON *list = cJSON_AddArrayToObject (result, "locations"), *one = cJSON_CreateObject ();
  if (!list || !one || !cJSON_AddItemToArray (list, one))
    {
      cJSON_Delete (one);
      return;
    }
  cJSON *place = cJSON_AddObjectToObject (one, "physicalLocation");
  cJSON *file = place ? cJSON_AddObjectToObject (place, "artifactLocation") : NULL, *region = place ? cJSON_AddObjectToObject (place, "region") : NULL;
  if (!file || !region)
    return;
  add_uri (file, r->path);
  lf_json_add_i64 (region, "startLine", x->line > 0 ? x->line : 1);
  lf_json_add_i64 (region, "startColumn", x->column > 0 ? x->column : 1);
}

static cJSON *
result_json (const lf_check_report *r, const lf_result *x, cJSON *rules)
{
  cJSON *o = cJSON_CreateObject ();
  lf_buf text LF_CLEANUP (lf_buf_fini), print LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 0);
  lf_buf_init (&print, 0);
  if (!o)
    return NULL;
  lf_buf_addf (&text, "%s: ", x->function);
  lf_result_title (x, &text);
  lf_buf_addf (&text, ": %s ", x->message);
  lf_result_figures (x, &text);
  lf_buf_addf (&text, ". Fix: %s", x->fix);
  lf_json_add_i64 (o, "ruleIndex", rule_of (rules, x->budget));
  lf_json_add_str (o, "ruleId", x->budget);
  lf_json_add_str (o, "level", lf_result_fails (x, r->strict) ? "error" : "note");
  add_text (o, "message", text.data ? text.data : "");
  add_location (o, r, x);
  /* The same failure in the next run is the same alert. */
  lf_buf_addf (&print, "%s/%s/%s/%s", x->function, x->budget, x->statistic ? x->statistic : "", x->of_event ? x->event : "");
  cJSON *prints = cJSON_AddObjectToObject (o, "partialFingerprints");
  if (prints)
    lf_json_add_str (prints, "lambdafit/v1", print.data ? print.data : "");
  cJSON *properties = cJSON_AddObjectToObject (o, "properties");
  if (properties)
    {
      lf_json_add_str (properties, "result", lf_result_name (x->word));
      lf_json_add_str (properties, "function", x->function);
      lf_json_add_str (properties, "event", x->event);
    }
  return o;
}

int
lf_report_check_sarif (const lf_check_report *r, lf_buf *out)
{
  cJSON *o LF_CLEANUP (lf_json_freep) = cJSON_CreateObject ();
  if (!o)
    return -1;
  lf_json_add_str (o, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
  lf_json_add_str (o, "version", "2.1.0");
  cJSON *runs = cJSON_AddArrayToObject (o, "runs"), *run = cJSON_CreateObject ();
  if (!runs || !run || !cJSON_AddItemToArray (runs, run))
    {
      cJSON_Delete (run);
      return -1;
    }
  cJSON *tool = cJSON_AddObjectToObject (run, "tool"), *driver = tool ? cJSON_AddObjectToObject (tool, "driver") : NULL;
  cJSON *rules = NULL, *results = cJSON_AddArrayToObject (run, "results");
  if (driver)
    {
      lf_json_add_str (driver, "name", "lambdafit");
      lf_json_add_str (driver, "version", r->version);
      rules = cJSON_AddArrayToObject (driver, "rules");
    }
  if (!rules || !results)
    return -1;
  for (size_t i = 0; i < r->results->n; i++)
    if (r->results->v[i].word != LF_RES_PASS)
      cJSON_AddItemToArray (results, result_json (r, &r->results->v[i], rules));
  return lf_json_print_pretty (o, out) < 0 ? -1 : lf_buf_addc (out, '\n');
}
