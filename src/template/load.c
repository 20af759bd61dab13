/* SPDX-License-Identifier: Apache-2.0
 *
 * From a file to functions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inside.h"

static const char *
or_default (tpl *t, const char *s, const char *otherwise)
{
  return tpl_strdup (t, s && *s ? s : otherwise);
}

static tpl *
new_template (const char *path, const lf_template_options *o)
{
  tpl *t = calloc (1, sizeof *t);
  if (!t)
    return NULL;
  t->out.inside = t;
  const char *slash = strrchr (path, '/');
  t->out.path = tpl_strdup (t, path);
  t->out.dir = !slash ? "." : slash == path ? "/" : tpl_strndup (t, path, (size_t) (slash - path));
  t->region = or_default (t, o ? o->region : NULL, "us-east-1");
  t->account = or_default (t, o ? o->account : NULL, "123456789012");
  t->stack = or_default (t, o ? o->stack_name : NULL, "local");
  bool china = t->region && lf_starts (t->region, "cn-");
  t->partition = china ? "aws-cn" : t->region && lf_starts (t->region, "us-gov-") ? "aws-us-gov" : "aws";
  t->suffix = china ? "amazonaws.com.cn" : "amazonaws.com";
  if (t->arena.failed)
    {
      lf_template_free (&t->out);
      return NULL;
    }
  return t;
}

void
lf_template_free (lf_template *t)
{
  if (!t)
    return;
  tpl *x = t->inside;
  for (size_t i = 0; i < t->functions_n; i++)
    lf_function_fini (&t->functions[i].f);
  free (x->problems);
  tpl_set_fini (&x->warned);
  tpl_arena_fini (&x->arena);
  free (x);
}

/* ---- text ------------------------------------------------------------------------------------------------------------------------- */

static void
place_of (const char *text, size_t at, int *line, int *column)
{
  *line = *column = 1;
  for (size_t i = 0; i < at; i++)
    {
      *column += ((unsigned char) text[i] & 0xC0) != 0x80;
      if (text[i] == '\n')
        {
          *line += 1;
          *column = 1;
        }
    }
}

/* The first byte that no text has, or n. */
static size_t
text_until (const char *text, size_t n)
{
  size_t good = lf_utf8_valid (text, n);
  for (size_t i = 0; i < good; i++)
    {
      unsigned char c = (unsigned char) text[i];
      if (c < 0x20 && c != '\n' && c != '\r' && c != '\t')
        return i;
    }
  return good;
}

static bool
is_blank (const char *text, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      if (text[i] == '#')
        while (i < n && text[i] != '\n')
          i++;
      else if (!strchr (" \t\r\n", text[i]))
        return false;
    }
  return true;
}

static void
read_text (tpl *t, const char *text, size_t n)
{
  t->bytes = n;
  int line, column;
  lf_json_problem jp;
  size_t good = text_until (text, n);
  if (good < n)
    {
      place_of (text, good, &line, &column);
      tpl_fatal (t, line, column, NULL, "not a text in UTF-8: the byte 0x%02x is here", (unsigned) (unsigned char) text[good]);
      return;
    }
  if (n >= 3 && memcmp (text, "\xEF\xBB\xBF", 3) == 0)
    {
      text += 3;
      n -= 3;
    }
  if (is_blank (text, n))
    {
      tpl_fatal (t, 1, 1, NULL, "the template is empty");
      return;
    }
  const char *first = text + strspn (text, " \t\r\n");
  bool json = lf_ends (t->out.path, ".json");
  if (*first == '{' || json)
    {
      if (lf_json_validate (text, n, &jp) == 0)
        {
          t->root = tpl_read_json (t, text, n);
          return;
        }
      if (json && *first == '{')
        {
          tpl_fatal (t, jp.line, jp.column, NULL, "not valid JSON: %s", jp.reason);
          return;
        }
    }
  t->root = tpl_read_yaml (t, text, n);
  if (!t->root && !t->out.broken && !t->oom && !t->arena.failed)
    tpl_fatal (t, 1, 1, NULL, "the template is empty");
}

/* ---- resources -------------------------------------------------------------------------------------------------------------------- */

/* A false Condition leaves a resource out. */
static void
leave_out (tpl *t)
{
  for (size_t i = 0; i < t->resources_n; i++)
    {
      tpl_resource *r = &t->resources[i];
      const tpl_node *c = tpl_get (r->body, "Condition");
      t->where_id = r->id;
      t->where_property = "Condition";
      if (tpl_text (c))
        r->left_out = !tpl_condition (t, tpl_text (c), c);
      else if (c)
        tpl_problem (t, LF_TPL_ERROR, c, r->id, "Condition", "Condition is a condition's name, here it is %s", tpl_kind_name (c));
    }
}

static void
list_others (tpl *t)
{
  t->out.others = tpl_alloc (t, t->resources_n * sizeof *t->out.others);
  for (size_t i = 0; t->out.others && i < t->resources_n; i++)
    {
      const tpl_resource *r = &t->resources[i];
      if (!r->left_out && strcmp (r->type, "AWS::Lambda::Url") == 0)
        tpl_url_resource (t, r);
      if (!r->left_out && strcmp (r->type, "AWS::Lambda::EventInvokeConfig") == 0)
        tpl_event_config_resource (t, r);
      if (*r->type && (r->left_out || (!tpl_type_is_function (r->type) && !tpl_type_is_layer (r->type))))
        t->out.others[t->out.others_n++] = (lf_template_other){ r->id, r->type, r->key->line, r->left_out };
    }
}

static int
understand (tpl *t, const lf_template_options *o, lf_error *err)
{
  tpl_sections (t);
  if (t->out.broken)
    return 0;
  if (tpl_params (t, o ? o->parameters : NULL, err) < 0)
    return -1;
  tpl_conditions (t);
  tpl_resources (t);
  leave_out (t);
  tpl_layers (t);
  tpl_functions (t);
  list_others (t);
  t->where_id = t->where_property = NULL;
  return 0;
}

/* What stopped the work, if anything did, is said once. */
static int
conclude (tpl *t, lf_error *err)
{
  if (t->oom || (t->arena.failed && !t->arena.over))
    return LF_FAIL_NOMEM (err);
  if (t->arena.over && !t->out.broken)
    {
      t->out.broken = true;
      tpl_problem_at (t, LF_TPL_ERROR, 1, 1, NULL, NULL, NULL, "the template expands too far: it needs more memory or work than any real one");
    }
  if (t->out.broken)
    {
      for (size_t i = 0; i < t->out.functions_n; i++)
        lf_function_fini (&t->out.functions[i].f);
      t->out.functions_n = t->out.layers_n = t->out.events_n = t->out.others_n = 0;
      t->function_index = NULL;
    }
  tpl_problems_sort (t);
  return 0;
}

/* text ends with a NUL that is not counted. */
static lf_template *
parse (const char *text, size_t n, const char *path, const lf_template_options *o, lf_error *err)
{
  tpl *t = new_template (path, o);
  if (!t)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  if (n > LF_TEMPLATE_BYTES_MAX)
    tpl_fatal (t, 1, 1, NULL, "larger than %zu MB: no template is so large (CloudFormation takes 1 MB)", LF_TEMPLATE_BYTES_MAX >> 20);
  else
    read_text (t, text, n);
  if ((t->root && !t->out.broken && understand (t, o, err) < 0) || conclude (t, err) < 0)
    {
      lf_template_free (&t->out);
      return NULL;
    }
  return &t->out;
}

lf_template *
lf_template_parse (const char *text, size_t n, const char *path, const lf_template_options *o, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  /* What is too large is refused without being copied. */
  if (n <= LF_TEMPLATE_BYTES_MAX && lf_buf_add (&b, text, n) < 0)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  return parse (b.data ? b.data : "", n, path, o, err);
}

lf_template *
lf_template_read (const char *path, const lf_template_options *o, lf_error *err)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  struct stat st;
  if (strcmp (path, "-") != 0 && stat (path, &st) == 0)
    {
      if (S_ISDIR (st.st_mode))
        {
          (void) LF_FAIL (err, LF_EXIT_USAGE, path, "give the template's file, such as template.yaml", "this is a directory");
          return NULL;
        }
      if (st.st_size > (off_t) LF_TEMPLATE_BYTES_MAX)
        return parse ("", LF_TEMPLATE_BYTES_MAX + 1, path, o, err);
    }
  if (lf_read_file (path, LF_TEMPLATE_BYTES_MAX + 1, &b, err) < 0)
    return NULL;
  return parse (b.data ? b.data : "", b.len, strcmp (path, "-") == 0 ? "<stdin>" : path, o, err);
}

/* ---- errors for commands ---------------------------------------------------------------------------------------------------------- */

static int
as_error (const lf_template *t, const lf_template_problem *p, lf_error *err)
{
  char what[200];
  const char *path = t->path;
  if (strlen (path) > 150)
    path += strlen (path) - 150;
  snprintf (what, sizeof what, "%s:%d:%d", path, p->line, p->column);
  if (p->logical_id || p->property)
    return LF_FAIL (err, p->limit_id ? LF_EXIT_FAILED : LF_EXIT_USAGE, what, "", "%s%s%s: %s", p->logical_id ? p->logical_id : "",
                    p->logical_id && p->property ? "." : "", p->property ? p->property : "", p->message);
  return LF_FAIL (err, LF_EXIT_USAGE, what, "", "%s", p->message);
}

lf_template *
lf_template_load (const char *path, const lf_template_options *o, lf_error *err)
{
  lf_template *t = lf_template_read (path, o, err);
  if (!t || !t->broken)
    return t;
  for (size_t i = 0; i < t->problems_n; i++)
    if (t->problems[i].severity == LF_TPL_ERROR)
      {
        (void) as_error (t, &t->problems[i], err);
        break;
      }
  lf_template_free (t);
  return NULL;
}

int
lf_template_function_usable (const lf_template *t, const lf_template_function *fn, lf_error *err)
{
  for (size_t i = 0; i < t->problems_n; i++)
    if (t->problems[i].severity == LF_TPL_ERROR && !t->problems[i].deploy_only && lf_streq (t->problems[i].logical_id, fn->logical_id))
      return as_error (t, &t->problems[i], err);
  return 0;
}

char *
lf_template_join (const lf_template *t, const char *path)
{
  if (path[0] == '/' || strcmp (t->dir, ".") == 0)
    return lf_strdup (path);
  return lf_asprintf ("%s/%s", strcmp (t->dir, "/") == 0 ? "" : t->dir, path);
}
