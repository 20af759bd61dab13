/* SPDX-License-Identifier: Apache-2.0
 *
 * template: SAM and CloudFormation templates (YAML and JSON) read as function configuration. Globals are merged, parameters, mappings,
 * conditions and intrinsic functions are resolved as far as that can be done here; what only a deployment can know gets a stable, plausible
 * value and one warning. Every finding has the line and column of the text that caused it.
 */
#ifndef LAMBDAFIT_TEMPLATE_H
#define LAMBDAFIT_TEMPLATE_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"

#define LF_TEMPLATE_BYTES_MAX ((size_t) 8 << 20)

typedef struct lf_template_options
{
  const lf_strv *parameters;   /* "K=V", may be NULL; the last one of a name counts */
  const char *region, *account, *stack_name; /* NULL: us-east-1, 123456789012, local */
} lf_template_options;

typedef enum { LF_TPL_ERROR, LF_TPL_WARNING } lf_template_severity;
typedef struct lf_template_problem
{
  lf_template_severity severity;
  int line, column;            /* from 1 */
  const char *logical_id;      /* the resource it belongs to, or NULL */
  const char *property;        /* "MemorySize", "Environment.Variables.MODEL", or NULL */
  const char *message;
  const char *limit_id;        /* a limit of the contract that is broken, or NULL */
  bool deploy_only;            /* only a deployment is refused for it: the function can be run here all the same */
} lf_template_problem;

/* Where a function's code is. PATH and a layer's path are what the template says, relative to its folder; lf_template_join makes them whole. */
typedef enum { LF_TPL_CODE_PATH, LF_TPL_CODE_INLINE, LF_TPL_CODE_S3, LF_TPL_CODE_IMAGE } lf_template_code;

typedef struct lf_template_function
{
  const char *logical_id, *type;
  int line, column;
  lf_function f;               /* only what the template says; name is FunctionName, else the logical id; layers are paths joined with the
                                  template's folder, or ARNs */
  bool named;                  /* FunctionName was given */
  lf_template_code code;
  const char *path;            /* PATH: directory or zip; also the folder of an image's build context where the template tells it */
  const char *inline_code;     /* INLINE */
  const char *inline_file;     /* INLINE: the file Lambda would write it to: index.py, index.mjs... */
  const char *location;        /* S3: s3://BUCKET/KEY; IMAGE: the image, or its Dockerfile */
  const char *build_method;    /* Metadata's BuildMethod, or NULL */
  int code_line, code_column;
} lf_template_function;

typedef struct lf_template_layer
{
  const char *logical_id, *name, *arn, *type;
  int line, column;
  const char *path;            /* NULL when the content is on S3 */
  const char *location;        /* s3://BUCKET/KEY, or NULL */
  const char *build_method;    /* Metadata's BuildMethod, or NULL */
} lf_template_layer;

/* How a function is reached: a function URL, an API route, or any other event source. */
typedef struct lf_template_event
{
  const char *function;        /* logical id */
  const char *name, *type;     /* "FunctionUrl", "Api", "HttpApi", "SQS"... */
  const char *method, *path;   /* upper case, "ANY" for all; NULL where they mean nothing */
  const char *auth;            /* FunctionUrl: NONE or AWS_IAM */
  const char *mode;            /* FunctionUrl: BUFFERED or RESPONSE_STREAM */
  int line, column;
} lf_template_event;

/* A resource that is no function and no layer, or one that a false condition leaves out. */
typedef struct lf_template_other
{
  const char *logical_id, *type;
  int line;
  bool left_out;
} lf_template_other;

typedef struct lf_template
{
  const char *path, *dir;      /* as given; its folder ("." when the path has none) */
  lf_template_function *functions;
  size_t functions_n;
  lf_template_layer *layers;
  size_t layers_n;
  lf_template_event *events;
  size_t events_n;
  lf_template_other *others;
  size_t others_n;
  const lf_template_problem *problems; /* in the order of the text */
  size_t problems_n, problems_dropped; /* dropped: found beyond the 2,000 that are kept */
  bool broken;                 /* it could not be understood as a whole: the problems say why, the lists are empty */
  bool serverless;             /* has the SAM transform */
  uint64_t steps;              /* work done, for proofs of linear time */
  struct tpl *inside;
} lf_template;

/* Reads a template whatever it is: a file that is no template gives one with `broken` set. NULL only when the file cannot be read, a
 * parameter is wrong usage, or memory is out. "-" is standard input. */
lf_template *lf_template_read (const char *path, const lf_template_options *o, lf_error *err);
/* The same for text in memory; `path` names it in messages. */
lf_template *lf_template_parse (const char *text, size_t n, const char *path, const lf_template_options *o, lf_error *err);
/* For commands that need its functions: a broken template is an error too (what: FILE:LINE:COLUMN). */
lf_template *lf_template_load (const char *path, const lf_template_options *o, lf_error *err);
void lf_template_free (lf_template *t);
/* Adds what a deployment on the platform would refuse: ranges, names, sizes, unknown properties. 0 or -1 (out of memory). */
int lf_template_validate (lf_template *t, const lf_profile *p, lf_error *err);
/* A finding of the caller's own (package size), kept in the order of the text. */
int lf_template_add_problem (lf_template *t, lf_template_severity severity, int line, int column, const char *logical_id, const char *property,
                             const char *limit_id, const char *message);
/* By logical id or by name; NULL when there is none. */
const lf_template_function *lf_template_function_find (const lf_template *t, const char *name);
/* 0, or -1 with the first error that the template has about this function (what: FILE:LINE:COLUMN). */
int lf_template_function_usable (const lf_template *t, const lf_template_function *fn, lf_error *err);
/* A path of the template as one for this process; the caller frees it. NULL when out of memory. */
char *lf_template_join (const lf_template *t, const char *path);
/* The template of a folder: template.yaml, template.yml or template.json, or .aws-sam/build/template.yaml when that is newer. *path is NULL
 * when there is none; the caller frees it. */
int lf_template_find (const char *dir, char **path, lf_error *err);
/* "FILE:LINE:COLUMN: severity: message" and a line break. */
int lf_template_problem_text (const lf_template *t, const lf_template_problem *p, lf_buf *b);

#endif
