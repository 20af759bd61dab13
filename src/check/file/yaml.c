/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML (and so JSON) to a tree, from the events of the text. Aliases become copies, of which there can be no more than the tree may have nodes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambdafit/check.h"
#include "lambdafit/yaml.h"

#define ANCHORS_MAX 200

typedef struct anchor { char *name; const lf_doc *node; } anchor;

typedef struct reader
{
  lf_doc *stack[LF_DOC_DEPTH_MAX];
  int depth;
  lf_doc *root, *key; /* key: of the map on top, waiting for its value */
  size_t nodes;
  anchor anchors[ANCHORS_MAX];
  size_t anchors_n;
  int line, column, documents;
  const char *path;
  lf_error *err;
} reader;

static int
fail (reader *r, int line, int column, const char *fmt, const char *arg)
{
  char what[200];
  snprintf (what, sizeof what, "%.150s:%d:%d", r->path, line, column);
  return LF_FAIL (r->err, LF_EXIT_USAGE, what, "", "%s%s", fmt, arg);
}

static lf_doc *
fresh (reader *r, lf_doc_kind kind)
{
  if (++r->nodes > LF_DOC_NODES_MAX)
    {
      fail (r, r->line, r->column, "the file has too many values", "");
      return NULL;
    }
  lf_doc *d = lf_doc_new (kind, r->line, r->column);
  if (!d)
    (void) LF_FAIL_NOMEM (r->err);
  return d;
}

static int
remember (reader *r, struct fy_event *e, const lf_doc *d)
{
  size_t n;
  const char *s = lf_yaml_text (fy_event_get_anchor_token (e), &n);
  /* A key's anchor names nothing: keys do not outlive their place in the reader. */
  bool as_key = d->kind == LF_DOC_SCALAR && r->depth > 0 && r->stack[r->depth - 1]->kind == LF_DOC_MAP && !r->key;
  if (!s || !n || as_key)
    return 0;
  if (r->anchors_n == ANCHORS_MAX)
    return fail (r, r->line, r->column, "the file has too many anchors", "");
  char *name = lf_strndup (s, n);
  if (!name)
    return LF_FAIL_NOMEM (r->err);
  r->anchors[r->anchors_n++] = (anchor){ name, d };
  return 0;
}

static int
take_key (reader *r, lf_doc *d)
{
  const lf_doc *map = r->stack[r->depth - 1];
  if (d->kind != LF_DOC_SCALAR)
    {
      fail (r, d->line, d->column, "a key is one text, not a list or a map", "");
      lf_doc_free (d);
      return -1;
    }
  if (lf_doc_get (map, d->text ? d->text : ""))
    {
      fail (r, d->line, d->column, "this key is there twice: ", d->text);
      lf_doc_free (d);
      return -1;
    }
  r->key = d;
  return 0;
}

/* A finished or just opened node takes its place; takes d over. */
static int
place (reader *r, lf_doc *d)
{
  if (r->depth == 0)
    {
      if (r->root)
        lf_doc_free (d);
      else
        r->root = d;
      return 0;
    }
  lf_doc *top = r->stack[r->depth - 1];
  if (top->kind == LF_DOC_MAP && !r->key)
    return take_key (r, d);
  if (top->kind == LF_DOC_MAP)
    {
      free (d->key);
      d->key = r->key->text ? r->key->text : lf_strdup ("");
      d->key_line = r->key->line;
      d->key_column = r->key->column;
      r->key->text = NULL;
      lf_doc_free (r->key);
      r->key = NULL;
    }
  if ((top->kind == LF_DOC_MAP && !d->key) || lf_doc_add (top, d) < 0)
    return LF_FAIL_NOMEM (r->err);
  return 0;
}

static int
open_node (reader *r, struct fy_event *e, lf_doc_kind kind)
{
  if (r->depth == LF_DOC_DEPTH_MAX)
    return fail (r, r->line, r->column, "nested too deeply", "");
  bool as_key = r->depth > 0 && r->stack[r->depth - 1]->kind == LF_DOC_MAP && !r->key;
  if (as_key)
    return fail (r, r->line, r->column, "a key is one text, not a list or a map", "");
  lf_doc *d = fresh (r, kind);
  if (!d || place (r, d) < 0)
    return -1;
  if (remember (r, e, d) < 0)
    return -1;
  r->stack[r->depth++] = d;
  return 0;
}

static int
scalar (reader *r, struct fy_event *e)
{
  size_t n;
  const char *s = lf_yaml_text (e->scalar.value, &n);
  lf_doc *d = fresh (r, LF_DOC_SCALAR);
  if (!d)
    return -1;
  enum fy_scalar_style style = e->scalar.value ? fy_token_scalar_style (e->scalar.value) : FYSS_PLAIN;
  d->plain = style == FYSS_PLAIN;
  d->text = lf_strndup (s ? s : "", s ? n : 0);
  d->len = d->text ? strlen (d->text) : 0;
  if (!d->text || d->len != n * (s != NULL) || remember (r, e, d) < 0)
    {
      if (d->text)
        fail (r, r->line, r->column, "a text with a NUL in it", "");
      else
        (void) LF_FAIL_NOMEM (r->err);
      lf_doc_free (d);
      return -1;
    }
  return place (r, d);
}

static lf_doc *
copy (reader *r, const lf_doc *from)
{
  lf_doc *d = fresh (r, from->kind);
  if (!d)
    return NULL;
  d->plain = from->plain;
  d->len = from->len;
  if ((from->text && !(d->text = lf_strdup (from->text))) || (from->key && !(d->key = lf_strdup (from->key))))
    {
      (void) LF_FAIL_NOMEM (r->err);
      lf_doc_free (d);
      return NULL;
    }
  d->key_line = from->key_line;
  d->key_column = from->key_column;
  for (size_t i = 0; i < from->n; i++)
    {
      lf_doc *child = copy (r, from->item[i]);
      if (!child || lf_doc_add (d, child) < 0)
        {
          lf_doc_free (d);
          return NULL;
        }
    }
  return d;
}

static int
alias (reader *r, struct fy_event *e)
{
  size_t n;
  const char *s = lf_yaml_text (e->alias.anchor, &n);
  for (size_t i = r->anchors_n; s && i-- > 0;)
    if (strlen (r->anchors[i].name) == n && memcmp (r->anchors[i].name, s, n) == 0)
      {
        for (int k = 0; k < r->depth; k++)
          if (r->stack[k] == r->anchors[i].node)
            return fail (r, r->line, r->column, "an alias stands inside of what it stands for", "");
        lf_doc *d = copy (r, r->anchors[i].node);
        if (!d)
          return r->err->exit ? -1 : LF_FAIL_NOMEM (r->err);
        return place (r, d);
      }
  return fail (r, r->line, r->column, "an alias without its anchor", "");
}

static int
on_event (void *user, struct fy_event *e, int line, int column)
{
  reader *r = user;
  r->line = line;
  r->column = column;
  switch (e->type)
    {
    case FYET_DOCUMENT_START:
      return ++r->documents == 1 ? 0 : fail (r, r->line, r->column, "a second document begins here: this is one document", "");
    case FYET_MAPPING_START:
      return open_node (r, e, LF_DOC_MAP);
    case FYET_SEQUENCE_START:
      return open_node (r, e, LF_DOC_SEQ);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
      r->depth -= r->depth > 0;
      return 0;
    case FYET_SCALAR:
      return scalar (r, e);
    case FYET_ALIAS:
      return alias (r, e);
    default:
      return 0;
    }
}

static int
run (reader *r, const char *text, size_t n)
{
  lf_yaml_fault fault;
  switch (lf_yaml_walk (text, n, on_event, r, &fault))
    {
    case LF_YAML_DONE:
      return r->root ? 0 : fail (r, 1, 1, "the file is empty", "");
    case LF_YAML_BAD:
      return fail (r, fault.line, fault.column, "not valid YAML: ", fault.text);
    case LF_YAML_NOMEM:
      return LF_FAIL_NOMEM (r->err);
    case LF_YAML_ENDED:
      break;
    }
  return -1;
}

lf_doc *
lf_doc_read (const char *text, size_t n, const char *path, lf_error *err)
{
  reader *r = calloc (1, sizeof *r);
  lf_doc *root = NULL;
  if (!r)
    {
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  r->path = path;
  r->err = err;
  r->line = r->column = 1;
  bool text_ok = lf_utf8_valid (text, n) == n && !memchr (text, 0, n);
  if (!text_ok)
    fail (r, 1, 1, "not a text in UTF-8", "");
  else if (n == 0)
    fail (r, 1, 1, "the file is empty", "");
  else if (run (r, text, n) == 0)
    {
      root = r->root;
      r->root = NULL;
    }
  lf_doc_free (r->key);
  lf_doc_free (r->root);
  for (size_t i = 0; i < r->anchors_n; i++)
    free (r->anchors[i].name);
  free (r);
  return root;
}
