/* SPDX-License-Identifier: Apache-2.0
 *
 * The intrinsic functions of lists, texts and maps.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define TEXT_MAX ((size_t) 16 << 20)

static const tpl_node *
wrong (tpl *t, const tpl_node *at, const char *what)
{
  tpl_here (t, LF_TPL_ERROR, at, "%s", what);
  return tpl_unresolved (t, at, "unresolved");
}

static bool
args (const tpl_node *arg, uint32_t min, uint32_t max)
{
  return tpl_is (arg, TPL_SEQ) && arg->n >= min && arg->n <= max;
}

/* A resolved value as a list. A guess of one value stands for a list of it. */
static const tpl_node *
as_list (tpl *t, const tpl_node *n)
{
  const tpl_node *r = tpl_resolve (t, n);
  if (tpl_is (r, TPL_SEQ) || !r || !r->guess)
    return tpl_is (r, TPL_SEQ) ? r : NULL;
  tpl_node *list = tpl_collection (t, TPL_SEQ, n, 1);
  if (list)
    tpl_push (list, r);
  return list;
}

static const tpl_node *
take_text (tpl *t, const tpl_node *at, lf_buf *b, bool guess)
{
  if (b->failed)
    return wrong (t, at, "this makes a text of more than 16 MB");
  tpl_work (t, b->len / 64);
  return tpl_scalar (t, at, b->data ? b->data : "", b->len, guess);
}

const tpl_node *
tpl_fn_join (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  if (!args (arg, 2, 2) || !tpl_text (arg->u.item[0]))
    return wrong (t, at, "Fn::Join takes a list of two: what stands between, and a list of values");
  const tpl_node *list = as_list (t, arg->u.item[1]);
  if (!list)
    return wrong (t, at, "the second argument of Fn::Join is a list of values");
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, TEXT_MAX);
  for (uint32_t i = 0; i < list->n; i++)
    {
      const char *s = tpl_text (list->u.item[i]);
      if (!s)
        return wrong (t, list->u.item[i], "Fn::Join joins texts, here is a list or a map among them");
      if (i)
        lf_buf_adds (&b, tpl_text (arg->u.item[0]));
      lf_buf_adds (&b, s);
    }
  return take_text (t, at, &b, list->guess);
}

const tpl_node *
tpl_fn_select (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  int64_t i;
  if (!args (arg, 2, 2))
    return wrong (t, at, "Fn::Select takes a list of two: an index from 0, and a list");
  const tpl_node *index = tpl_resolve (t, arg->u.item[0]), *list = as_list (t, arg->u.item[1]);
  if (!tpl_text (index) || lf_parse_i64 (tpl_text (index), 0, INT32_MAX, &i) < 0)
    {
      if (!index || !index->guess)
        return wrong (t, at, "the first argument of Fn::Select is an index from 0");
      i = 0;
    }
  if (!list)
    return wrong (t, at, "the second argument of Fn::Select is a list");
  if (i < list->n)
    return list->u.item[i];
  if (list->guess)
    return tpl_unresolved (t, at, list->n && tpl_text (list->u.item[0]) ? tpl_text (list->u.item[0]) : "unresolved");
  return wrong (t, at, "Fn::Select has an index that is beyond the end of its list");
}

const tpl_node *
tpl_fn_split (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const char *sep = args (arg, 2, 2) ? tpl_text (arg->u.item[0]) : NULL;
  if (!sep || !*sep)
    return wrong (t, at, "Fn::Split takes a list of two: what stands between, and a text");
  const tpl_node *text = tpl_resolve (t, arg->u.item[1]);
  const char *s = tpl_text (text);
  if (!s)
    return wrong (t, at, "the second argument of Fn::Split is a text");
  size_t n = 1, len = strlen (sep);
  for (const char *p = s; (p = strstr (p, sep)) != NULL; p += len)
    n++;
  tpl_node *list = tpl_collection (t, TPL_SEQ, at, n);
  while (list)
    {
      const char *next = strstr (s, sep);
      const tpl_node *item = tpl_scalar (t, at, s, next ? (size_t) (next - s) : strlen (s), text->guess);
      if (!item)
        return NULL;
      tpl_push (list, item);
      if (!next)
        break;
      s = next + len;
    }
  return list;
}

/* The value of a key; where the key is only a guess or the region that was assumed, the first one is as good. */
static const tpl_node *
step_into (tpl *t, const tpl_node *at, const tpl_node *map, const tpl_node *key, const char *what)
{
  const char *k = tpl_text (key);
  const tpl_node *v = k ? tpl_get (map, k) : NULL;
  if (v || !k || !tpl_is (map, TPL_MAP) || !map->n)
    return v;
  if (!key->guess && strcmp (k, t->region) != 0 && strcmp (k, t->account) != 0)
    return NULL;
  v = tpl_value (map, 0);
  tpl_warn_once (t, at, tpl_printf (t, "map %s %s", what, k), "the mapping %.100s has nothing for \"%.100s\": its entry \"%.100s\" is taken", what, k,
                 tpl_text (tpl_key (map, 0)));
  return v;
}

const tpl_node *
tpl_fn_find_in_map (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  if (!args (arg, 3, 4))
    return wrong (t, at, "Fn::FindInMap takes a list of three: a mapping's name and two keys");
  const tpl_node *name = tpl_resolve (t, arg->u.item[0]), *k1 = tpl_resolve (t, arg->u.item[1]), *k2 = tpl_resolve (t, arg->u.item[2]);
  const tpl_node *otherwise = arg->n == 4 ? tpl_get (arg->u.item[3], "DefaultValue") : NULL;
  const char *s = tpl_text (name);
  const tpl_node *map = s ? tpl_get (t->mappings, s) : NULL;
  bool guess = (k1 && k1->guess) || (k2 && k2->guess) || (name && name->guess);
  if (!map && !otherwise)
    {
      tpl_here (t, LF_TPL_ERROR, at, "there is no mapping \"%.100s\" in this template", s ? s : "");
      return tpl_unresolved (t, at, "unresolved");
    }
  const tpl_node *inner = otherwise ? (tpl_text (k1) ? tpl_get (map, tpl_text (k1)) : NULL) : step_into (t, at, map, k1, s);
  const tpl_node *v = otherwise ? (tpl_text (k2) ? tpl_get (inner, tpl_text (k2)) : NULL) : step_into (t, at, inner, k2, s);
  v = tpl_resolve (t, v ? v : otherwise);
  if (!v)
    {
      tpl_here (t, LF_TPL_ERROR, at, "the mapping %.100s has nothing for %.100s, %.100s", s, tpl_text (k1) ? tpl_text (k1) : "(no text)",
                tpl_text (k2) ? tpl_text (k2) : "(no text)");
      return tpl_unresolved (t, at, "unresolved");
    }
  if (!guess || v->kind != TPL_SCALAR)
    return v;
  return tpl_scalar (t, at, v->u.s, v->n, true);
}

const tpl_node *
tpl_fn_base64 (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const tpl_node *text = tpl_resolve (t, arg);
  if (!tpl_text (text))
    return wrong (t, at, "Fn::Base64 takes a text");
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, TEXT_MAX);
  lf_buf_add_base64 (&b, text->u.s, text->n);
  return take_text (t, at, &b, text->guess);
}

const tpl_node *
tpl_fn_get_azs (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const char *region = tpl_text (tpl_resolve (t, arg));
  if (!region || !*region)
    region = t->region;
  tpl_node *list = tpl_collection (t, TPL_SEQ, at, 3);
  for (int i = 0; list && i < 3; i++)
    {
      const tpl_node *zone = tpl_scalar_str (t, at, tpl_printf (t, "%s%c", region, 'a' + i), false);
      if (!zone)
        return NULL;
      tpl_push (list, zone);
    }
  return list;
}

/* The network of the block, of which the first parts of 2^bits addresses are given. */
static bool
parse_block (const char *s, uint32_t *base, int64_t *prefix)
{
  char address[64];
  const char *slash = strchr (s, '/');
  struct in_addr a;
  if (!slash || (size_t) (slash - s) >= sizeof address || lf_parse_i64 (slash + 1, 0, 32, prefix) < 0)
    return false;
  snprintf (address, sizeof address, "%.*s", (int) (slash - s), s);
  if (inet_pton (AF_INET, address, &a) != 1)
    return false;
  *base = *prefix ? ntohl (a.s_addr) & (uint32_t) (UINT64_C (0xFFFFFFFF) << (32 - *prefix)) : 0;
  return true;
}

const tpl_node *
tpl_fn_cidr (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  int64_t count, bits = 8, prefix;
  uint32_t base;
  if (!args (arg, 2, 3))
    return wrong (t, at, "Fn::Cidr takes a list: an address block, how many, and the bits of each");
  const tpl_node *block = tpl_resolve (t, arg->u.item[0]), *n = tpl_resolve (t, arg->u.item[1]), *b = arg->n == 3 ? tpl_resolve (t, arg->u.item[2]) : NULL;
  if (!tpl_text (n) || lf_parse_i64 (tpl_text (n), 1, 256, &count) < 0)
    return wrong (t, at, "the second argument of Fn::Cidr is a count from 1 to 256");
  if (b && (!tpl_text (b) || lf_parse_i64 (tpl_text (b), 1, 128, &bits) < 0))
    return wrong (t, at, "the third argument of Fn::Cidr is a number of bits");
  bool known = tpl_text (block) && parse_block (tpl_text (block), &base, &prefix) && bits <= 32 - prefix;
  if (!known && !(block && block->guess) && !(tpl_text (block) && strchr (tpl_text (block), ':')))
    return wrong (t, at, "Fn::Cidr has a block that is no address block, or one too small");
  tpl_node *list = tpl_collection (t, TPL_SEQ, at, (size_t) count);
  for (int64_t i = 0; list && i < count; i++)
    {
      uint32_t a = known ? base + (uint32_t) ((uint64_t) i << bits) : UINT32_C (0x0A000000) + ((uint32_t) i << 8);
      if (known && ((uint64_t) i + 1) << bits > UINT64_C (1) << (32 - prefix))
        return wrong (t, at, "Fn::Cidr has a block too small for so many");
      const char *s = tpl_printf (t, "%u.%u.%u.%u/%d", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, known ? (int) (32 - bits) : 24);
      const tpl_node *item = tpl_scalar_str (t, at, s, !known);
      if (!item)
        return NULL;
      tpl_push (list, item);
    }
  return list;
}

const tpl_node *
tpl_fn_length (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const tpl_node *list = as_list (t, arg);
  return list ? tpl_scalar_str (t, at, tpl_printf (t, "%u", list->n), list->guess) : wrong (t, at, "Fn::Length takes a list");
}

const tpl_node *
tpl_fn_to_json (tpl *t, const tpl_node *at, const tpl_node *arg)
{
  const tpl_node *r = tpl_resolve (t, arg);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, TEXT_MAX);
  if (!r || r->kind == TPL_SCALAR)
    return wrong (t, at, "Fn::ToJsonString takes a map or a list");
  tpl_json (r, &b);
  return take_text (t, at, &b, r->guess);
}
