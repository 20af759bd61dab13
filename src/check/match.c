/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the response the expected one?
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define DEPTH_MAX 200
#define PATH_MAX_ 300

typedef struct match
{
  double tolerance;
  bool subset;
  lf_buf *why;
  char path[PATH_MAX_];
} match;

static void
say_value (lf_buf *b, const cJSON *v)
{
  lf_buf text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, 0);
  if (lf_json_print (v, &text) < 0)
    return;
  size_t n = text.len > 80 ? lf_utf8_valid (text.data, 77) : text.len;
  lf_buf_add (b, text.data, n);
  if (n < text.len)
    lf_buf_adds (b, "...");
}

static int
differs (match *m, const cJSON *got, const cJSON *want)
{
  lf_buf_addf (m->why, "%s is ", m->path);
  say_value (m->why, got);
  lf_buf_adds (m->why, ", expected ");
  say_value (m->why, want);
  if (m->tolerance > 0 && cJSON_IsNumber (got) && cJSON_IsNumber (want))
    lf_buf_addf (m->why, " (tolerance %g)", m->tolerance);
  return -1;
}

static bool
numbers_agree (double got, double want, double tolerance)
{
  double size = fabs (want) > 1 ? fabs (want) : 1;
  return got == want || (tolerance > 0 && fabs (got - want) <= tolerance * size);
}

/* Adds a part to the path and gives the length to cut it back to. */
static size_t
enter (match *m, const char *key, int index)
{
  size_t n = strlen (m->path);
  if (key)
    snprintf (m->path + n, sizeof m->path - n, ".%.60s", key);
  else
    snprintf (m->path + n, sizeof m->path - n, "[%d]", index);
  return n;
}

static int compare (match *m, const cJSON *got, const cJSON *want, int depth);

/* The member of this name; most often it is where the last search ended. */
static const cJSON *
member (const cJSON *of, const char *name, const cJSON *likely)
{
  return likely && strcmp (likely->string, name) == 0 ? likely : cJSON_GetObjectItemCaseSensitive (of, name);
}

static int
compare_objects (match *m, const cJSON *got, const cJSON *want, int depth)
{
  const cJSON *w, *g, *next = got->child;
  cJSON_ArrayForEach (w, want)
  {
    g = member (got, w->string, next);
    size_t cut = enter (m, w->string, 0);
    if (!g)
      {
        lf_buf_addf (m->why, "%s is missing, expected ", m->path);
        say_value (m->why, w);
        return -1;
      }
    if (compare (m, g, w, depth) < 0)
      return -1;
    m->path[cut] = 0;
    next = g->next;
  }
  next = want->child;
  for (g = m->subset ? NULL : got->child; g; g = g->next)
    {
      w = member (want, g->string, next);
      if (!w)
        {
          enter (m, g->string, 0);
          lf_buf_addf (m->why, "%s is there and was not expected", m->path);
          return -1;
        }
      next = w->next;
    }
  return 0;
}

static int
compare_arrays (match *m, const cJSON *got, const cJSON *want, int depth)
{
  int i = 0, n = cJSON_GetArraySize (got), k = cJSON_GetArraySize (want);
  if (n != k)
    {
      lf_buf_addf (m->why, "%s has %d item%s, expected %d", m->path, n, n == 1 ? "" : "s", k);
      return -1;
    }
  const cJSON *g = got->child;
  for (const cJSON *w = want->child; w && g; w = w->next, g = g->next, i++)
    {
      size_t cut = enter (m, NULL, i);
      if (compare (m, g, w, depth) < 0)
        return -1;
      m->path[cut] = 0;
    }
  return 0;
}

static int
compare (match *m, const cJSON *got, const cJSON *want, int depth)
{
  if (depth > DEPTH_MAX)
    {
      lf_buf_addf (m->why, "%s is nested too deeply to compare", m->path);
      return -1;
    }
  if ((got->type & 0xff) != (want->type & 0xff))
    return differs (m, got, want);
  if (cJSON_IsNumber (want))
    return numbers_agree (got->valuedouble, want->valuedouble, m->tolerance) ? 0 : differs (m, got, want);
  if (cJSON_IsString (want))
    return strcmp (got->valuestring, want->valuestring) == 0 ? 0 : differs (m, got, want);
  if (cJSON_IsObject (want))
    return compare_objects (m, got, want, depth + 1);
  if (cJSON_IsArray (want))
    return compare_arrays (m, got, want, depth + 1);
  return 0;
}

static int
begin (const cJSON *got, const cJSON *want, double tolerance, bool subset, lf_buf *why)
{
  match m = { .tolerance = tolerance, .subset = subset, .why = why, .path = "$" };
  return compare (&m, got, want, 0);
}

int
lf_match_equal (const cJSON *got, const cJSON *want, double tolerance, lf_buf *why)
{
  return begin (got, want, tolerance, false, why);
}

int
lf_match_subset (const cJSON *got, const cJSON *want, double tolerance, lf_buf *why)
{
  return begin (got, want, tolerance, true, why);
}

/* ---- one sample ------------------------------------------------------------------------------------------------------------------------ */

#define PROBLEM_MAX 500

static int
match_all (const cJSON *got, const lf_check_event *e, lf_buf *why)
{
  if (e->equals && lf_match_equal (got, e->equals, e->tolerance, why) < 0)
    return -1;
  if (e->json && lf_match_subset (got, e->json, e->tolerance, why) < 0)
    return -1;
  return e->schema ? lf_match_schema (got, e->schema, why) : 0;
}

int
lf_sample_expect (lf_sample *s, const lf_check_event *e, const char *body, size_t n)
{
  if (!e->equals && !e->json && !e->schema)
    return 0;
  lf_error problem = { 0 };
  lf_buf why LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&why, 0);
  cJSON *got LF_CLEANUP (lf_json_freep) = lf_json_parse (body, n, "the response", &problem);
  s->expected = got && match_all (got, e, &why) == 0;
  if (s->expected)
    return 0;
  if (!got)
    lf_buf_addf (&why, "the response is not JSON: %.200s", problem.why);
  size_t cut = why.len > PROBLEM_MAX ? lf_utf8_valid (why.data, PROBLEM_MAX) : why.len;
  free (s->problem);
  s->problem = lf_strndup (why.data ? why.data : "", cut);
  return s->problem ? 0 : -1;
}
