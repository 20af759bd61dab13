/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that are not known where they stand.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "validate.h"

static const struct { const char *kind, *words; } known[] = {
#define KNOWN(kind, words) { kind, words },
#include "properties.def"
};

#define WORD_MAX 48

/* Changes (insert, drop, replace, swap neighbours) that make b of a; stops counting above 2. */
static int
distance (const char *a, size_t an, const char *b, size_t bn)
{
  int rows[3][WORD_MAX + 1];
  if (an > WORD_MAX || bn > WORD_MAX || (an > bn ? an - bn : bn - an) > 2)
    return 3;
  for (size_t j = 0; j <= bn; j++)
    rows[0][j] = (int) j;
  for (size_t i = 1; i <= an; i++)
    {
      int *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
      now[0] = (int) i;
      for (size_t j = 1; j <= bn; j++)
        {
          int same = tolower ((unsigned char) a[i - 1]) == tolower ((unsigned char) b[j - 1]), best = last[j - 1] + !same;
          if (last[j] + 1 < best)
            best = last[j] + 1;
          if (now[j - 1] + 1 < best)
            best = now[j - 1] + 1;
          if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
            best = before[j - 2] + 1;
          now[j] = best;
        }
    }
  return rows[an % 3][bn];
}

typedef enum { NAME_KNOWN, NAME_CLOSE, NAME_UNKNOWN } name_kind;

/* Is the word in the list, or close to one of it? */
static name_kind
look_up (const char *words, const char *key, size_t n, const char **close, size_t *close_n)
{
  int best = 3;
  for (const char *w = words; *w;)
    {
      size_t len = strcspn (w, " ");
      if (len == n && memcmp (w, key, n) == 0)
        return NAME_KNOWN;
      int d = distance (key, n, w, len);
      if (d < best && (d <= 1 || len > 5))
        {
          best = d;
          *close = w;
          *close_n = len;
        }
      w += len + (w[len] == ' ');
    }
  return best < 3 ? NAME_CLOSE : NAME_UNKNOWN;
}

void
tpl_check_names (tpl *t, const char *kind, const tpl_node *map, const char *id, const char *property)
{
  const char *words = NULL, *close = NULL;
  const tpl_node *arg;
  size_t close_n = 0;
  for (size_t i = 0; i < LF_ARRAY_LEN (known); i++)
    if (strcmp (known[i].kind, kind) == 0)
      words = known[i].words;
  if (!words || !tpl_is (map, TPL_MAP) || tpl_intrinsic (map, &arg))
    return;
  for (uint32_t i = 0; i < map->n; i++)
    {
      const tpl_node *k = tpl_key (map, i);
      if (lf_starts (k->u.s, "Fn::"))
        continue;
      tpl_work (t, 1);
      name_kind r = look_up (words, k->u.s, k->n, &close, &close_n);
      if (r == NAME_KNOWN)
        continue;
      const char *path = tpl_printf (t, "%s%s", property, k->u.s);
      if (r == NAME_CLOSE)
        tpl_deploy (t, LF_TPL_ERROR, k, id, path, "%.80s is no property here: did you mean %.*s?", k->u.s, (int) close_n, close);
      else
        tpl_deploy (t, kind[0] ? LF_TPL_WARNING : LF_TPL_ERROR, k, id, path, kind[0] ? "%.80s is not known here" : "Invalid template property or properties [%.80s]", k->u.s);
    }
}

/* A function under a misspelled type would be passed over like any other resource. */
void
tpl_check_type (tpl *t, const tpl_resource *r)
{
  static const char *const types[] = { "AWS::Serverless::Function", "AWS::Lambda::Function", "AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion", "AWS::Lambda::Url" };
  size_t n = strlen (r->type);
  int best = 3, nearest = -1;
  for (size_t i = 0; i < LF_ARRAY_LEN (types); i++)
    {
      int d = distance (r->type, n, types[i], strlen (types[i]));
      if (strcmp (r->type, types[i]) == 0)
        return;
      if (d < best)
        best = d, nearest = (int) i;
    }
  if (nearest >= 0)
    tpl_deploy (t, LF_TPL_ERROR, tpl_place (r->body, "Type", r->key), r->id, "Type", "Unrecognized resource types: [%.80s]: did you mean %s?", r->type, types[nearest]);
}

const tpl_node *
tpl_place (const tpl_node *map, const char *path, const tpl_node *otherwise)
{
  const tpl_node *at = otherwise, *arg;
  while (*path && tpl_is (map, TPL_MAP) && !tpl_intrinsic (map, &arg))
    {
      size_t n = strcspn (path, ".");
      long i = tpl_find (map, path, n);
      if (i < 0)
        break;
      const tpl_node *k = tpl_key (map, (size_t) i), *v = tpl_value (map, (size_t) i);
      at = v->kind == TPL_SCALAR && v->line == k->line ? v : k;
      map = v;
      path += n + (path[n] == '.');
    }
  return at;
}

void
tpl_deploy (tpl *t, lf_template_severity s, const tpl_node *at, const char *id, const char *property, const char *fmt, ...)
{
  char text[600];
  va_list ap;
  va_start (ap, fmt);
  vsnprintf (text, sizeof text, fmt, ap);
  va_end (ap);
  t->deploy_only = true;
  tpl_problem_at (t, s, at ? at->line : 1, at ? at->column : 1, id, property, NULL, text);
  t->deploy_only = false;
}
