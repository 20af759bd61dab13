/* SPDX-License-Identifier: Apache-2.0
 *
 * Events from what the file says: files, patterns, values, generated sizes; and what is expected of their responses.
 */
#include <cjson/cJSON.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lambdafit/check.h"

#define NAME_MAX_ 60
#define EXPECT_BYTES_MAX ((size_t) 64 << 20)

typedef struct loading
{
  const lf_check *c;
  const lf_check_function *f;
  lf_check_event *v;
  size_t n, cap;
  lf_error *err;
} loading;

static int
fail_at (const loading *l, int line, int column, const char *fix, const char *fmt, ...) LF_PRINTF (5, 6);
static int
fail_at (const loading *l, int line, int column, const char *fix, const char *fmt, ...)
{
  char what[200], why[1000];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (why, sizeof why, fmt, ap);
  va_end (ap);
  lf_check_place (l->c, line, column, what);
  return LF_FAIL (l->err, LF_EXIT_USAGE, what, fix, "%s: %s", l->f->name, why);
}

void
lf_check_events_free (lf_check_event *events, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      free (events[i].name);
      lf_buf_fini (&events[i].payload);
      cJSON_Delete (events[i].equals);
      cJSON_Delete (events[i].json);
      cJSON_Delete (events[i].schema);
    }
  free (events);
}

static lf_check_event *
add (loading *l, const lf_event_spec *spec, const char *name)
{
  if (l->n == LF_CHECK_EVENTS_MAX)
    {
      fail_at (l, spec->line, spec->column, "", "more than %d events", LF_CHECK_EVENTS_MAX);
      return NULL;
    }
  for (size_t i = 0; i < l->n; i++)
    if (strcmp (l->v[i].name, name) == 0)
      {
        fail_at (l, spec->line, spec->column, "give each an own $name", "the event %.100s is there twice", name);
        return NULL;
      }
  if (l->n == l->cap)
    {
      size_t cap = l->cap ? l->cap * 2 : 8;
      lf_check_event *more = realloc (l->v, cap * sizeof *more);
      if (!more)
        {
          (void) LF_FAIL_NOMEM (l->err);
          return NULL;
        }
      l->v = more;
      l->cap = cap;
    }
  lf_check_event *e = &l->v[l->n];
  *e = (lf_check_event){ .name = lf_strdup (name), .line = spec->line, .column = spec->column };
  lf_buf_init (&e->payload, 0);
  if (!e->name)
    {
      (void) LF_FAIL_NOMEM (l->err);
      return NULL;
    }
  l->n++;
  return e;
}

/* ---- expectations -------------------------------------------------------------------------------------------------------------------- */

/* "expected/" "*" ".json" for events/three.json is expected/three.json. */
static char *
path_for (const char *pattern, const char *event)
{
  const char *star = strchr (pattern, '*'), *base = strrchr (event, '/');
  if (!star)
    return lf_strdup (pattern);
  base = base ? base + 1 : event;
  size_t n = lf_ends (base, ".json") ? strlen (base) - 5 : strlen (base);
  return lf_asprintf ("%.*s%.*s%s", (int) (star - pattern), pattern, (int) n, base, star + 1);
}

static int
load_expected (const loading *l, const char *pattern, const lf_expect *x, const lf_check_event *e, cJSON **out)
{
  char *path LF_CLEANUP (lf_freep) = path_for (pattern, e->name);
  lf_error problem = { 0 };
  if (!path)
    return LF_FAIL_NOMEM (l->err);
  if (!(*out = lf_json_load (path, EXPECT_BYTES_MAX, &problem)))
    return fail_at (l, x->line, x->column, "a path is relative to the check file; a * in it stands for the event's name",
                    "what is expected of %.100s cannot be read: %.200s: %.400s", e->name, path, problem.why);
  return 0;
}

static int
set_expect (const loading *l, const lf_expect *x, lf_check_event *e)
{
  e->tolerance = x->tolerance;
  if (x->equals && !(e->equals = lf_doc_json (x->equals)))
    return LF_FAIL_NOMEM (l->err);
  if (x->json && load_expected (l, x->json, x, e, &e->json) < 0)
    return -1;
  if (x->schema && load_expected (l, x->schema, x, e, &e->schema) < 0)
    return -1;
  return e->schema ? lf_schema_check (e->schema, x->schema, l->err) : 0;
}

static int
expect_of (const loading *l, const lf_event_spec *spec, lf_check_event *e)
{
  if (spec->has_expect)
    return set_expect (l, &spec->expect, e);
  return l->f->has_expect ? set_expect (l, &l->f->expect, e) : 0;
}

/* ---- events ---------------------------------------------------------------------------------------------------------------------------- */

static int
from_file (loading *l, const lf_event_spec *spec, const char *path)
{
  lf_json_problem p;
  lf_error problem = { 0 };
  lf_check_event *e = add (l, spec, spec->name ? spec->name : path);
  if (!e)
    return -1;
  if (lf_read_file (path, LF_EVENT_BYTES_MAX, &e->payload, &problem) < 0)
    return fail_at (l, spec->line, spec->column, "", "the event %.200s cannot be read: %.400s", path, problem.why);
  if (lf_json_validate (e->payload.data ? e->payload.data : "", e->payload.len, &p) < 0)
    return fail_at (l, spec->line, spec->column, "an event is one JSON value", "the event %.200s is not JSON, line %d column %d: %s", path, p.line, p.column, p.reason);
  return expect_of (l, spec, e);
}

static int
from_pattern (loading *l, const lf_event_spec *spec)
{
  glob_t g;
  struct stat st;
  if (strcmp (spec->path, "-") == 0)
    return fail_at (l, spec->line, spec->column, "", "an event of a check cannot come from standard input");
  if (stat (spec->path, &st) == 0 && !S_ISDIR (st.st_mode))
    return from_file (l, spec, spec->path);
  int rc = glob (spec->path, GLOB_ERR, NULL, &g);
  if (rc == GLOB_NOSPACE)
    return LF_FAIL_NOMEM (l->err);
  int result = 0, files = 0;
  for (size_t i = 0; rc == 0 && i < g.gl_pathc && result == 0; i++)
    if (stat (g.gl_pathv[i], &st) == 0 && !S_ISDIR (st.st_mode))
      {
        files++;
        result = spec->name && files > 1 ? fail_at (l, spec->line, spec->column, "", "$name is for one event, %.200s matches several", spec->path)
                                         : from_file (l, spec, g.gl_pathv[i]);
      }
  if (rc == 0)
    globfree (&g);
  if (result == 0 && files == 0)
    return fail_at (l, spec->line, spec->column, "a path is relative to the check file's folder; write an inline event as a map: {\"key\": 1}",
                    "no file matches the event %.200s", spec->path);
  return result;
}

/* The JSON itself where it is short, else its beginning and a digest. */
static int
name_of (const lf_buf *json, char out[NAME_MAX_ + 1])
{
  if (json->len <= 40)
    {
      snprintf (out, NAME_MAX_ + 1, "%s", json->data);
      return 0;
    }
  char hex[65];
  lf_sha256 *s = lf_sha256_new ();
  if (!s)
    return -1;
  lf_sha256_update (s, json->data, json->len);
  lf_sha256_hex (s, hex);
  lf_sha256_free (s);
  snprintf (out, NAME_MAX_ + 1, "%.*s...#%.8s", (int) lf_utf8_valid (json->data, 30), json->data, hex);
  return 0;
}

static int
from_value (loading *l, const lf_event_spec *spec)
{
  char name[NAME_MAX_ + 1];
  cJSON *v LF_CLEANUP (lf_json_freep) = lf_doc_json (spec->value);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (!v || lf_json_print (v, &b) < 0 || name_of (&b, name) < 0)
    return LF_FAIL_NOMEM (l->err);
  lf_check_event *e = add (l, spec, spec->name ? spec->name : name);
  if (!e)
    return -1;
  return lf_buf_add (&e->payload, b.data, b.len) < 0 ? LF_FAIL_NOMEM (l->err) : expect_of (l, spec, e);
}

/* Exactly so many bytes of JSON: {"data":"xxx"}, or a plain text of x where that does not fit. */
static int
from_size (loading *l, const lf_event_spec *spec)
{
  static const char head[] = "{\"data\":\"", tail[] = "\"}";
  char name[NAME_MAX_ + 1];
  size_t n = (size_t) spec->size, frame = sizeof head - 1 + sizeof tail - 1;
  bool object = n >= frame;
  size_t fill = n - (object ? frame : 2);
  snprintf (name, sizeof name, "%lld bytes", (long long) spec->size);
  lf_check_event *e = add (l, spec, spec->name ? spec->name : name);
  if (!e)
    return -1;
  if (lf_buf_adds (&e->payload, object ? head : "\"") < 0 || lf_buf_reserve (&e->payload, fill + 8) < 0)
    return LF_FAIL_NOMEM (l->err);
  char block[4096];
  memset (block, 'x', sizeof block);
  for (size_t left = fill; left > 0;)
    {
      size_t k = left < sizeof block ? left : sizeof block;
      lf_buf_add (&e->payload, block, k);
      left -= k;
    }
  lf_buf_adds (&e->payload, object ? tail : "\"");
  return e->payload.failed ? LF_FAIL_NOMEM (l->err) : expect_of (l, spec, e);
}

static int
load_all (loading *l)
{
  static const lf_event_spec empty = { .size = LF_NONE };
  if (l->f->events_n == 0)
    {
      lf_check_event *e = add (l, &empty, "{}");
      if (!e)
        return -1;
      e->line = l->f->line;
      e->column = l->f->column;
      return lf_buf_adds (&e->payload, "{}") < 0 ? LF_FAIL_NOMEM (l->err) : expect_of (l, &empty, e);
    }
  for (size_t i = 0; i < l->f->events_n; i++)
    {
      const lf_event_spec *spec = &l->f->events[i];
      int rc = spec->value ? from_value (l, spec) : spec->path ? from_pattern (l, spec) : from_size (l, spec);
      if (rc < 0)
        return -1;
    }
  return 0;
}

int
lf_check_events_load (const lf_check *c, const lf_check_function *f, lf_check_event **events, size_t *n, lf_error *err)
{
  loading l = { .c = c, .f = f, .err = err };
  int rc = load_all (&l);
  if (rc < 0)
    {
      lf_check_events_free (l.v, l.n);
      l.v = NULL;
      l.n = 0;
    }
  *events = l.v;
  *n = l.n;
  return rc;
}
