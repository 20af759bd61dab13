/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of a template: what it says about each, and nothing it does not say.
 */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

typedef struct reading
{
  tpl *t;
  const tpl_resource *r;
  const tpl_node *props;
  lf_template_function *out;
  bool sam;
  uint32_t *guess;
  bool *env_guess;
} reading;

/* A property's resolved value, while problems are said to be its own. */
static const tpl_node *
take (reading *x, const char *name)
{
  x->t->where_id = x->r->id;
  x->t->where_property = name;
  const tpl_node *n = tpl_resolve (x->t, tpl_get (x->props, name));
  return n && tpl_is_null (n) ? NULL : n;
}

static char *
copy (reading *x, const char *s)
{
  char *p = lf_strdup (s);
  if (s && !p)
    x->t->oom = true;
  return p;
}

static char *
take_string (reading *x, const char *name, tpl_setting setting)
{
  bool guess;
  const char *s = tpl_string_guess (x->t, tpl_get (x->props, name), x->r->id, name, &guess);
  *x->guess |= (uint32_t) guess << setting;
  return copy (x, s);
}

static void
take_number (reading *x, const tpl_node *n, const char *property, int64_t *to)
{
  int64_t v;
  tpl_num kind = tpl_number (x->t, n, x->r->id, property, &v);
  if (kind == TPL_NUM_OK)
    *to = v;
}

/* A map property, or NULL; something else is a problem. */
static const tpl_node *
take_map (reading *x, const char *name)
{
  const tpl_node *n = take (x, name);
  if (!n || n->kind == TPL_MAP)
    return n;
  if (!n->guess)
    tpl_problem (x->t, LF_TPL_ERROR, tpl_get (x->props, name), x->r->id, name, "%s is a map, here it is %s", name, tpl_kind_name (n));
  return NULL;
}

/* ---- single settings -------------------------------------------------------------------------------------------------------------- */

static void
read_architecture (reading *x)
{
  const tpl_node *n = take (x, "Architectures");
  const char *s = tpl_is (n, TPL_SEQ) && n->n == 1 ? tpl_text (n->u.item[0]) : NULL;
  if (!n || (n->guess && !s))
    return;
  if (!s)
    tpl_problem (x->t, LF_TPL_ERROR, tpl_get (x->props, "Architectures"), x->r->id, "Architectures", "Architectures is a list of exactly one: x86_64 or arm64");
  else if (lf_arch_parse (s, &x->out->f.arch) != 0 && !n->guess)
    tpl_problem (x->t, LF_TPL_ERROR, tpl_get (x->props, "Architectures"), x->r->id, "Architectures",
                 "1 validation error detected: Value '[%.60s]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must "
                 "satisfy enum value set: [x86_64, arm64]]", s);
}

static void
read_logging (reading *x)
{
  const tpl_node *n = take_map (x, "LoggingConfig"), *format = tpl_get (n, "LogFormat");
  const char *s = tpl_string (x->t, format, x->r->id, "LoggingConfig.LogFormat");
  if (!s)
    return;
  if (strcmp (s, "JSON") == 0)
    x->out->f.log_format = LF_LOG_JSON;
  else if (strcmp (s, "Text") != 0 && !format->guess)
    tpl_problem (x->t, LF_TPL_ERROR, format, x->r->id, "LoggingConfig.LogFormat",
                 "1 validation error detected: Value '%.60s' at 'loggingConfig.logFormat' failed to satisfy constraint: Member must satisfy enum value set: "
                 "[JSON, Text]", s);
}

static void
read_async (reading *x)
{
  if (x->sam)
    tpl_event_config (x->t, x->r->id, "EventInvokeConfig.", take_map (x, "EventInvokeConfig"), &x->out->f);
}

static void
read_sizes (reading *x)
{
  lf_function *f = &x->out->f;
  int64_t timeout = LF_NONE;
  take_number (x, tpl_get (x->props, "MemorySize"), "MemorySize", &f->memory_mb);
  take_number (x, tpl_get (x->props, "Timeout"), "Timeout", &timeout);
  if (timeout != LF_NONE)
    f->timeout_ms = timeout > INT64_MAX / 1000 ? INT64_MAX : timeout < -1000 ? -1000 : timeout * 1000;
  take_number (x, tpl_get (take_map (x, "EphemeralStorage"), "Size"), "EphemeralStorage.Size", &f->tmp_mb);
  take_number (x, tpl_get (x->props, "ReservedConcurrentExecutions"), "ReservedConcurrentExecutions", &f->reserved);
}

/* ---- environment ------------------------------------------------------------------------------------------------------------------ */

/* Variables are texts: numbers stay as they are written, truth values become true and false, and nothing becomes the empty text. */
static const char *
variable_text (const tpl_node *v)
{
  if (tpl_is_null (v))
    return "";
  int b = v->plain ? tpl_bool (v) : -1;
  return b >= 0 ? (b ? "true" : "false") : v->u.s;
}

static void
read_variable (reading *x, const tpl_node *k, const tpl_node *raw)
{
  const char *property = tpl_printf (x->t, "Environment.Variables.%s", k->u.s);
  x->t->where_property = property;
  const tpl_node *v = tpl_resolve (x->t, raw);
  if (!v)
    return;
  x->env_guess[x->out->f.env.n] = v->guess;
  if (!tpl_text (v))
    tpl_problem (x->t, LF_TPL_ERROR, k, x->r->id, property, "the value of a variable is a text, here it is %s", tpl_kind_name (v));
  else if (lf_strv_addf (&x->out->f.env, "%s=%s", k->u.s, variable_text (v)) != 0)
    x->t->oom = true;
}

/* A map that is written as one, or what an intrinsic function in its place gives. */
static const tpl_node *
map_of (reading *x, const tpl_node *n, const char *property)
{
  const tpl_node *arg;
  x->t->where_id = x->r->id;
  x->t->where_property = property;
  if (tpl_is (n, TPL_MAP) && !tpl_intrinsic (n, &arg))
    return tpl_foreach (x->t, n);
  const tpl_node *r = tpl_resolve (x->t, n);
  if (!r || tpl_is_null (r) || tpl_is (r, TPL_MAP))
    return tpl_is (r, TPL_MAP) ? r : NULL;
  if (!r->guess)
    tpl_problem (x->t, LF_TPL_ERROR, n, x->r->id, property, "%s is a map, here it is %s", strrchr (property, '.') ? strrchr (property, '.') + 1 : property,
                 tpl_kind_name (r));
  return NULL;
}

static void
read_environment (reading *x)
{
  const tpl_node *vars = map_of (x, tpl_get (x->props, "Environment"), "Environment");
  vars = map_of (x, tpl_get (vars, "Variables"), "Environment.Variables");
  x->env_guess = tpl_alloc (x->t, vars ? vars->n : 0);
  for (uint32_t i = 0; x->env_guess && vars && i < vars->n; i++)
    read_variable (x, tpl_key (vars, i), tpl_value (vars, i));
}

/* ---- layers ----------------------------------------------------------------------------------------------------------------------- */

/* The path of a layer that is in the template, else the ARN. */
static void
add_layer (reading *x, const char *arn)
{
  const char *at = tpl_text (tpl_get (x->t->layer_index, arn));
  const lf_template_layer *l = at ? &x->t->out.layers[strtoul (at, NULL, 10)] : NULL;
  char *path LF_CLEANUP (lf_freep) = l && l->path ? lf_template_join (&x->t->out, l->path) : copy (x, l && l->location ? l->location : arn);
  if (!path || lf_strv_add (&x->out->f.layers, path) != 0)
    x->t->oom = true;
}

static void
read_layers (reading *x)
{
  const tpl_node *n = take (x, "Layers");
  if (!n)
    return;
  *x->guess |= (uint32_t) n->guess << TPL_SET_LAYERS;
  if (n->kind == TPL_SCALAR && n->guess)
    {
      add_layer (x, n->u.s);
      return;
    }
  if (n->kind != TPL_SEQ)
    {
      tpl_problem (x->t, LF_TPL_ERROR, tpl_get (x->props, "Layers"), x->r->id, "Layers", "Layers is a list, here it is %s", tpl_kind_name (n));
      return;
    }
  for (uint32_t i = 0; i < n->n; i++)
    {
      const tpl_node *item = n->u.item[i];
      if (tpl_text (item) && *tpl_text (item))
        add_layer (x, tpl_text (item));
      else if (item->kind == TPL_SEQ) /* a parameter that is a list, inside the list */
        for (uint32_t j = 0; j < item->n; j++)
          {
            if (tpl_text (item->u.item[j]) && *tpl_text (item->u.item[j]))
              add_layer (x, tpl_text (item->u.item[j]));
          }
      else if (!tpl_is_null (item))
        tpl_problem (x->t, LF_TPL_ERROR, item, x->r->id, "Layers", "a layer is the ARN of a layer version, here it is %s", tpl_kind_name (item));
    }
}

/* ---- code ------------------------------------------------------------------------------------------------------------------------- */

/* The file that Lambda writes inline code to. */
static const char *
inline_file (const char *runtime)
{
  if (runtime && lf_starts (runtime, "nodejs"))
    return "index.js";
  return "index.py";
}

/* ES modules only run from index.mjs; what the code is shows in its statements. */
static bool
looks_like_module (const char *code)
{
  for (const char *p = code; p && *p; p = strchr (p, '\n') ? strchr (p, '\n') + 1 : NULL)
    {
      while (*p == ' ' || *p == '\t')
        p++;
      if (lf_starts (p, "export ") || (lf_starts (p, "import ") && !strchr ("(.", p[7])))
        return true;
    }
  return false;
}

static void
code_inline (reading *x, const char *code)
{
  const char *file = inline_file (x->out->f.runtime);
  x->out->code = LF_TPL_CODE_INLINE;
  x->out->inline_code = code;
  x->out->inline_file = strcmp (file, "index.js") == 0 && looks_like_module (code) ? "index.mjs" : file;
}

static void
code_s3 (reading *x, const char *location)
{
  x->out->code = LF_TPL_CODE_S3;
  x->out->location = location;
}

static void
code_image (reading *x, const char *image)
{
  const tpl_node *metadata = tpl_get (x->r->body, "Metadata");
  const char *file = tpl_text (tpl_get (metadata, "Dockerfile")), *context = tpl_text (tpl_get (metadata, "DockerContext"));
  x->out->code = LF_TPL_CODE_IMAGE;
  x->out->path = context;
  x->out->location = image ? image : file ? file : "";
}

static void
code_map (reading *x, const tpl_node *code, const char *property)
{
  const char *zip = tpl_string (x->t, tpl_get (code, "ZipFile"), x->r->id, tpl_printf (x->t, "%s.ZipFile", property));
  const char *image = tpl_string (x->t, tpl_get (code, "ImageUri"), x->r->id, tpl_printf (x->t, "%s.ImageUri", property));
  const char *bucket = tpl_string (x->t, tpl_get (code, x->sam ? "Bucket" : "S3Bucket"), x->r->id, tpl_printf (x->t, "%s.%s", property, x->sam ? "Bucket" : "S3Bucket"));
  const char *key = tpl_string (x->t, tpl_get (code, x->sam ? "Key" : "S3Key"), x->r->id, tpl_printf (x->t, "%s.%s", property, x->sam ? "Key" : "S3Key"));
  if (image)
    code_image (x, image);
  else if (zip)
    code_inline (x, zip);
  else if (bucket && key)
    code_s3 (x, tpl_printf (x->t, "s3://%s/%s", bucket, key));
  else
    {
      code_s3 (x, "");
      tpl_problem (x->t, LF_TPL_ERROR, tpl_get (x->props, property), x->r->id, property,
                   x->sam ? "CodeUri is a path, or a map with Bucket and Key" : "Code needs ZipFile, S3Bucket with S3Key, or ImageUri");
    }
}

static void
read_code (reading *x)
{
  const tpl_node *metadata = tpl_get (x->r->body, "Metadata"), *code;
  const char *asset = tpl_text (tpl_get (metadata, "aws:asset:path")), *about = tpl_text (tpl_get (metadata, "aws:asset:property"));
  const char *package = tpl_string (x->t, tpl_get (x->props, "PackageType"), x->r->id, "PackageType"), *property = x->sam ? "CodeUri" : "Code";
  const char *image = x->sam ? tpl_string (x->t, tpl_get (x->props, "ImageUri"), x->r->id, "ImageUri") : NULL;
  const char *text = x->sam ? tpl_string (x->t, tpl_get (x->props, "InlineCode"), x->r->id, "InlineCode") : NULL;
  const tpl_node *at = tpl_get (x->props, text ? "InlineCode" : image ? "ImageUri" : property);
  x->out->build_method = tpl_text (tpl_get (metadata, "BuildMethod"));
  x->out->code_line = at ? at->line : x->r->key->line;
  x->out->code_column = at ? at->column : x->r->key->column;
  if (image || (package && strcmp (package, "Image") == 0 && (x->sam || asset == NULL)))
    {
      const char *uri = image ? image : tpl_string (x->t, tpl_get (tpl_get (x->props, property), "ImageUri"), x->r->id, "Code.ImageUri");
      code_image (x, uri);
      return;
    }
  if (text)
    {
      code_inline (x, text);
      return;
    }
  code = take (x, property);
  /* What a build or a synthesis says about the place of an asset counts more than the bucket it will be sent to. */
  if (asset && (!about || lf_starts (about, "Code")))
    x->out->path = asset;
  else if (tpl_text (code) && lf_starts (tpl_text (code), "s3://"))
    code_s3 (x, tpl_text (code));
  else if (tpl_text (code) && *tpl_text (code))
    x->out->path = tpl_text (code);
  else if (tpl_is (code, TPL_MAP))
    code_map (x, code, property);
  else if (code && code->kind == TPL_SEQ)
    tpl_problem (x->t, LF_TPL_ERROR, at, x->r->id, property, "%s is a path or a map, here it is a list", property);
  else if (x->sam)
    x->out->path = ".";
  else
    {
      code_s3 (x, "");
      tpl_problem (x->t, LF_TPL_ERROR, x->r->key, x->r->id, "Code", "the function has no Code");
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------------- */

static void
read_function (tpl *t, struct tpl_function *of, lf_template_function *out)
{
  tpl_resource *r = of->r;
  reading x = { t, r, r->props, out, tpl_serverless_type (r->type), &of->guess, NULL };
  bool guess;
  *out = (lf_template_function){ .logical_id = r->id, .type = r->type, .line = r->key->line, .column = r->key->column };
  lf_function_init (&out->f);
  const char *name = tpl_physical_name (t, r, &guess);
  out->named = name != r->id;
  /* An id may be longer than a name; a deployment would cut it too. */
  out->f.name = out->named ? copy (&x, name) : lf_strndup (name, strlen (name) < 64 ? strlen (name) : 64);
  t->oom = t->oom || !out->f.name;
  of->guess |= (uint32_t) guess << TPL_SET_NAME;
  out->f.region = copy (&x, t->region);
  out->f.account = copy (&x, t->account);
  out->f.runtime = take_string (&x, "Runtime", TPL_SET_RUNTIME);
  out->f.handler = take_string (&x, "Handler", TPL_SET_HANDLER);
  read_sizes (&x);
  read_architecture (&x);
  read_environment (&x);
  of->env_guess = x.env_guess;
  read_layers (&x);
  read_logging (&x);
  read_async (&x);
  read_code (&x);
  if (x.sam)
    tpl_function_events (t, r, x.props, out);
}

static void
index_name (tpl *t, tpl_node *m, const char *name, const tpl_node *position)
{
  const tpl_node *k = name ? tpl_scalar_str (t, NULL, name, false) : NULL;
  if (k && position)
    tpl_put (m, k, position);
}

/* {name or logical id: position}. A logical id that is another function's name counts as that name. */
static void
make_index (tpl *t)
{
  size_t n = t->out.functions_n;
  tpl_node *m = tpl_collection (t, TPL_MAP, NULL, 2 * n);
  for (int ids = 0; m && ids < 2; ids++)
    for (size_t i = 0; i < n; i++)
      {
        const lf_template_function *f = &t->out.functions[i];
        const tpl_node *v = tpl_scalar_str (t, NULL, tpl_printf (t, "%zu", i), false);
        if (!ids || !lf_streq (f->logical_id, f->f.name))
          index_name (t, m, ids ? f->logical_id : f->f.name, v);
      }
  if (m)
    tpl_index_make (t, m);
  t->function_index = m;
}

void
tpl_functions (tpl *t)
{
  size_t n = 0;
  for (size_t i = 0; i < t->resources_n; i++)
    n += tpl_type_is_function (t->resources[i].type) && !t->resources[i].left_out;
  t->out.functions = tpl_alloc (t, n * sizeof *t->out.functions);
  t->function_of = tpl_alloc (t, n * sizeof *t->function_of);
  if (!t->out.functions || !t->function_of)
    return;
  for (size_t i = 0; i < t->resources_n && !t->arena.failed && !t->oom; i++)
    if (tpl_type_is_function (t->resources[i].type) && !t->resources[i].left_out)
      {
        size_t at = t->out.functions_n++;
        t->function_of[at].r = &t->resources[i];
        read_function (t, &t->function_of[at], &t->out.functions[at]);
      }
  make_index (t);
}

const lf_template_function *
lf_template_function_find (const lf_template *t, const char *name)
{
  const char *at = tpl_text (tpl_get (t->inside->function_index, name));
  return at ? &t->functions[strtoul (at, NULL, 10)] : NULL;
}
