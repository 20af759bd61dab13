/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request of the control API has to look like before anything of it is kept: the kinds of its members, their lengths, and how much they are
 * together. What is kept is copied, compared and written with every later change, while others wait.
 */
#include <string.h>

#include "internal.h"

/* All settings of a function as JSON: 4 KB of variables, and more than all others may have by the lengths below. */
#define CONFIG_MAX ((size_t) 32 << 10)
#define JSON_VALUES_MAX 20000 /* a value takes a hundred bytes where its text has two */

#define CONSTRAINT "1 validation error detected: Value '%.100s' at '%s' failed to satisfy constraint: "

typedef struct shape
{
  const char *member, *sub; /* sub NULL: the member itself */
  int kind;                 /* cJSON's */
  int max;                  /* length of a text, items of a list */
  const char *shown;        /* as messages name it */
} shape;

static const shape config_shapes[] = {
  { "Description", NULL, cJSON_String, LF_DEP_DESCRIPTION_MAX, "description" },
  { "Role", NULL, cJSON_String, 2048, "role" },
  { "KMSKeyArn", NULL, cJSON_String, 2048, "kmsKeyArn" },
  { "Environment", "Variables", cJSON_Object, 0, "environment.variables" },
  { "EphemeralStorage", "Size", cJSON_Number, 0, "ephemeralStorage.size" },
  { "LoggingConfig", "LogFormat", cJSON_String, 64, "loggingConfig.logFormat" },
  { "LoggingConfig", "ApplicationLogLevel", cJSON_String, 64, "loggingConfig.applicationLogLevel" },
  { "LoggingConfig", "SystemLogLevel", cJSON_String, 64, "loggingConfig.systemLogLevel" },
  { "LoggingConfig", "LogGroup", cJSON_String, 512, "loggingConfig.logGroup" },
  { "VpcConfig", "SubnetIds", cJSON_Array, 16, "vpcConfig.subnetIds" },
  { "VpcConfig", "SecurityGroupIds", cJSON_Array, 5, "vpcConfig.securityGroupIds" },
  { "TracingConfig", "Mode", cJSON_String, 64, "tracingConfig.mode" },
  { "SnapStart", "ApplyOn", cJSON_String, 64, "snapStart.applyOn" },
  { "DeadLetterConfig", "TargetArn", cJSON_String, 2048, "deadLetterConfig.targetArn" },
};

static const shape layer_shapes[] = {
  { "Description", NULL, cJSON_String, LF_DEP_DESCRIPTION_MAX, "description" },
  { "LicenseInfo", NULL, cJSON_String, 512, "licenseInfo" },
  { "CompatibleRuntimes", NULL, cJSON_Array, 15, "compatibleRuntimes" },
  { "CompatibleArchitectures", NULL, cJSON_Array, 2, "compatibleArchitectures" },
};

static const shape alias_shapes[] = {
  { "Description", NULL, cJSON_String, LF_DEP_DESCRIPTION_MAX, "description" },
  { "RoutingConfig", NULL, cJSON_Object, 0, "routingConfig" },
  { "RoutingConfig", "AdditionalVersionWeights", cJSON_Object, 0, "routingConfig.additionalVersionWeights" },
};

static const shape version_shapes[] = { { "Description", NULL, cJSON_String, LF_DEP_DESCRIPTION_MAX, "description" } };

bool
lf_dep_is_whole (const cJSON *v)
{
  return cJSON_IsNumber (v) && v->valuedouble >= -9e15 && v->valuedouble <= 9e15 && v->valuedouble == (double) (int64_t) v->valuedouble;
}

static int
check_shape (const cJSON *o, const shape *s, lf_refusal *no)
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (o, s->member);
  v = s->sub ? cJSON_GetObjectItemCaseSensitive (v, s->sub) : v;
  if (!v || cJSON_IsNull (v))
    return 0;
  if ((v->type & 0xff) != s->kind || (s->kind == cJSON_Number && !lf_dep_is_whole (v)))
    return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s has a value of the wrong type", s->sub ? s->sub : s->member);
  size_t n = s->kind == cJSON_String ? strlen (v->valuestring) : s->kind == cJSON_Array ? (size_t) cJSON_GetArraySize (v) : 0;
  if (n > (size_t) s->max)
    return lf_dep_no (no, LF_SVC_VALIDATION, CONSTRAINT "Member must have length less than or equal to %d", s->kind == cJSON_String ? v->valuestring : "[...]",
                      s->shown, s->max);
  return 0;
}

/* A name with a "=" would be another variable's in the process. */
static int
check_variables (const cJSON *config, lf_refusal *no)
{
  const cJSON *v;
  cJSON_ArrayForEach (v, cJSON_GetObjectItemCaseSensitive (cJSON_GetObjectItemCaseSensitive (config, "Environment"), "Variables"))
    if (!v->string || strchr (v->string, '='))
      return lf_dep_no (no, LF_SVC_VALIDATION,
                        CONSTRAINT "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
                        v->string ? v->string : "", "environment.variables");
  return 0;
}

static int
check_texts (const cJSON *o, const char *member, size_t max, lf_refusal *no)
{
  const cJSON *v;
  cJSON_ArrayForEach (v, cJSON_GetObjectItemCaseSensitive (o, member))
    if (!cJSON_IsString (v) || strlen (v->valuestring) > max)
      return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s holds a value that is not a string, or a longer one than %zu bytes",
                        member, max);
  return 0;
}

static int
check_all (const cJSON *o, const shape *shapes, size_t n, lf_refusal *no)
{
  for (size_t i = 0; i < n; i++)
    if (check_shape (o, &shapes[i], no) < 0)
      return -1;
  return 0;
}

static int
check_size (const cJSON *config, lf_refusal *no)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, CONFIG_MAX);
  if (lf_json_print (config, &b) == 0)
    return 0;
  return lf_dep_no (no, LF_SVC_INVALID_PARAMETER_VALUE, "lambdafit keeps at most %zu bytes of settings of a function, not too deeply nested", CONFIG_MAX);
}

int
lf_dep_check_config_shape (const cJSON *config, lf_refusal *no)
{
  return check_all (config, config_shapes, LF_ARRAY_LEN (config_shapes), no) < 0 || check_texts (config, "Architectures", 64, no) < 0 || check_variables (config, no) < 0
                 || check_size (config, no) < 0
             ? -1
             : 0;
}

int
lf_dep_check_layer_shape (const cJSON *request, lf_refusal *no)
{
  return check_all (request, layer_shapes, LF_ARRAY_LEN (layer_shapes), no) < 0 || check_texts (request, "CompatibleRuntimes", 64, no) < 0
                 || check_texts (request, "CompatibleArchitectures", 64, no) < 0
             ? -1
             : 0;
}

int
lf_dep_check_alias_shape (const cJSON *request, lf_refusal *no)
{
  return check_all (request, alias_shapes, LF_ARRAY_LEN (alias_shapes), no);
}

int
lf_dep_check_version_shape (const cJSON *request, lf_refusal *no)
{
  return check_all (request, version_shapes, LF_ARRAY_LEN (version_shapes), no);
}

/* ---- the text, before a tree is made of it ------------------------------------------------------------------------------------------------ */

/* The end of a string that begins behind `p`; NULL: it has none. */
static const char *
skip_string (const char *p, const char *end)
{
  while ((p = memchr (p, '"', (size_t) (end - p))))
    {
      const char *q = p;
      while (q[-1] == '\\')
        q--;
      if ((p - q) % 2 == 0)
        return p;
      p++;
    }
  return NULL;
}

int
lf_deploy_check_body (const char *text, size_t n, lf_refusal *no)
{
  const char *end = text + n;
  size_t values = 0;
  for (const char *p = text; p < end; p++)
    if (*p == '"')
      {
        if (!(p = skip_string (p + 1, end)))
          return 0; /* whoever parses it says so */
      }
    else if ((*p == ',' || *p == '[' || *p == '{') && ++values > JSON_VALUES_MAX)
      return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: it holds more than %d values", JSON_VALUES_MAX);
  /* A text would end there for everybody who reads it here. */
  if (n && memmem (text, n, "\\u0000", 6))
    return lf_dep_no (no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: it holds the character U+0000");
  return 0;
}
