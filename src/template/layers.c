/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers of a template.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

/* s3://BUCKET/KEY of a map with both, or NULL. */
static const char *
s3_of (tpl *t, const tpl_node *n, const char *bucket_key, const char *key_key, const char *id, const char *property)
{
  const char *bucket = tpl_string (t, tpl_get (n, bucket_key), id, property), *key = tpl_string (t, tpl_get (n, key_key), id, property);
  return bucket && key ? tpl_printf (t, "s3://%s/%s", bucket, key) : NULL;
}

/* Content of a layer and code of a function are written alike: a path, s3://..., or a map of bucket and key. */
static void
content (tpl *t, const tpl_resource *r, const char *property, lf_template_layer *out)
{
  const tpl_node *raw = tpl_get (r->props, property), *n, *metadata = tpl_get (r->body, "Metadata");
  const char *asset = tpl_text (tpl_get (metadata, "aws:asset:path"));
  t->where_id = r->id;
  t->where_property = property;
  n = tpl_resolve (t, raw);
  if (asset)
    out->path = asset;
  else if (tpl_text (n) && lf_starts (tpl_text (n), "s3://"))
    out->location = tpl_text (n);
  else if (tpl_text (n) && *tpl_text (n))
    out->path = tpl_text (n);
  else if (tpl_is (n, TPL_MAP))
    {
      out->location = s3_of (t, n, "Bucket", "Key", r->id, property);
      if (!out->location)
        out->location = s3_of (t, n, "S3Bucket", "S3Key", r->id, property);
    }
  if (!out->path && !out->location)
    tpl_problem (t, LF_TPL_ERROR, raw ? raw : r->key, r->id, property, raw ? "%s says neither a path nor an S3 location" : "a layer needs %s", property);
}

static void
read_layer (tpl *t, tpl_resource *r, lf_template_layer *out)
{
  bool guess;
  *out = (lf_template_layer){ .logical_id = r->id, .type = r->type, .line = r->key->line, .column = r->key->column };
  out->name = tpl_physical_name (t, r, &guess);
  out->build_method = tpl_text (tpl_get (tpl_get (r->body, "Metadata"), "BuildMethod"));
  out->arn = tpl_text (tpl_ref (t, r->key, r->id));
  content (t, r, tpl_serverless_type (r->type) ? "ContentUri" : "Content", out);
}

/* {ARN: position} */
static void
make_index (tpl *t)
{
  tpl_node *m = tpl_collection (t, TPL_MAP, NULL, t->out.layers_n);
  for (size_t i = 0; m && i < t->out.layers_n; i++)
    {
      const char *arn = t->out.layers[i].arn;
      const tpl_node *k = arn ? tpl_scalar_str (t, NULL, arn, false) : NULL, *v = tpl_scalar_str (t, NULL, tpl_printf (t, "%zu", i), false);
      if (k && v)
        tpl_put (m, k, v);
    }
  if (m)
    tpl_index_make (t, m);
  t->layer_index = m;
}

void
tpl_layers (tpl *t)
{
  size_t n = 0;
  for (size_t i = 0; i < t->resources_n; i++)
    n += tpl_type_is_layer (t->resources[i].type) && !t->resources[i].left_out;
  t->out.layers = tpl_alloc (t, n * sizeof *t->out.layers);
  if (!t->out.layers)
    return;
  for (size_t i = 0; i < t->resources_n && !t->arena.failed; i++)
    if (tpl_type_is_layer (t->resources[i].type) && !t->resources[i].left_out)
      read_layer (t, &t->resources[i], &t->out.layers[t->out.layers_n++]);
  make_index (t);
}
