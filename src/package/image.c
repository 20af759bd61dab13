/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder from which an image is made tells in its Dockerfile what Lambda would run: the runtime is the base image's, the handler is CMD.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "imagefile.h"

#define DOCKERFILE_MAX (64 << 10)
#define STAGES_MAX 32
#define WHAT_IS_NOT "lambdafit runs folders and zips, not images"

/* ---- Dockerfiles -------------------------------------------------------------------------------------------------------------------- */

typedef struct stage { char name[64], image[200]; } stage;
typedef struct stages { stage v[STAGES_MAX]; size_t n; } stages;

/* The next word of a line; false at its end. */
static bool
word (const char **p, char *out, size_t cap)
{
  *p += strspn (*p, " \t");
  size_t n = strcspn (*p, " \t");
  snprintf (out, cap, "%.*s", (int) (n < cap ? n : cap - 1), *p);
  *p += n;
  return n > 0;
}

/* FROM [--platform=...] IMAGE [AS NAME], where the image may be an earlier stage. */
static void
read_from (const char *p, stages *s)
{
  char image[200] = "", as[8], name[64] = "";
  while (word (&p, image, sizeof image) && lf_starts (image, "--"))
    ;
  if (!word (&p, as, sizeof as) || strcasecmp (as, "as") != 0 || !word (&p, name, sizeof name))
    name[0] = '\0';
  for (size_t i = 0; i < s->n; i++)
    if (strcasecmp (s->v[i].name, image) == 0)
      memcpy (image, s->v[i].image, sizeof image);
  if (s->n == STAGES_MAX)
    s->n--;
  stage *one = &s->v[s->n++];
  memcpy (one->name, name, sizeof name);
  memcpy (one->image, image, sizeof image);
}

/* CMD ["app.handler"], or as one word. */
static void
read_cmd (const char *p, char *handler, size_t cap)
{
  handler[0] = '\0';
  p += strspn (p, " \t");
  if (*p == '[')
    {
      p += 1 + strspn (p + 1, " \t");
      if (*p == '"')
        snprintf (handler, cap, "%.*s", (int) strcspn (p + 1, "\""), p + 1);
    }
  else
    word (&p, handler, cap);
}

/* public.ecr.aws/lambda/python:3.11-x86_64, amazon/aws-lambda-nodejs:20, ...; also copies of them in a registry of one's own. */
static void
runtime_of (const char *image, char *out, size_t cap)
{
  static const struct { const char *name, *before, *after; } bases[] = { { "python:", "python", "" }, { "nodejs:", "nodejs", ".x" }, { "provided:", "provided.", "" } };
  const char *at = strstr (image, "lambda/"), *name;
  lf_runtime_info rt;
  lf_error ignored = { 0 };
  name = at ? at + strlen ("lambda/") : (at = strstr (image, "aws-lambda-")) ? at + strlen ("aws-lambda-") : "";
  out[0] = '\0';
  for (size_t i = 0; i < LF_ARRAY_LEN (bases); i++)
    if (lf_starts (name, bases[i].name))
      {
        const char *version = name + strlen (bases[i].name);
        snprintf (out, cap, "%s%.*s%s", bases[i].before, (int) strspn (version, "0123456789.al"), version, bases[i].after);
      }
  if (out[0] && (lf_runtime_parse (out, &rt, &ignored) != 0 || rt.kind == LF_RT_REFUSED))
    out[0] = '\0';
}

/* Continued lines become one; comments and empty ones are left out. */
static bool
next_line (const char **p, char *line, size_t cap)
{
  size_t n = 0;
  bool more = true;
  while (**p && more)
    {
      size_t len = strcspn (*p, "\n");
      const char *from = *p + strspn (*p, " \t"), *end = *p + len;
      *p += len + ((*p)[len] == '\n');
      if (from >= end || *from == '#')
        continue;
      while (end > from && isspace ((unsigned char) end[-1]))
        end--;
      more = end[-1] == '\\';
      if (n + (size_t) (end - from) + 1 < cap)
        {
          memcpy (line + n, from, (size_t) (end - from) - more);
          n += (size_t) (end - from) - more;
        }
    }
  line[n] = '\0';
  return n > 0;
}

bool
lf_dockerfile_read (const char *dir, lf_dockerfile *out)
{
  LF_CLEANUP (lf_freep) char *path = lf_asprintf ("%s/Dockerfile", dir);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_error ignored = { 0 };
  stages s = { .n = 0 };
  char line[2048], verb[16];
  *out = (lf_dockerfile){ "", "" };
  lf_buf_init (&b, DOCKERFILE_MAX + 1);
  if (!path || access (path, R_OK) != 0 || lf_read_file (path, DOCKERFILE_MAX, &b, &ignored) != 0 || !b.data || memchr (b.data, '\0', b.len))
    return false;
  for (const char *p = b.data; next_line (&p, line, sizeof line);)
    {
      const char *rest = line;
      word (&rest, verb, sizeof verb);
      if (strcasecmp (verb, "FROM") == 0)
        {
          read_from (rest, &s);
          out->handler[0] = '\0';
        }
      else if (strcasecmp (verb, "CMD") == 0)
        read_cmd (rest, out->handler, sizeof out->handler);
    }
  if (s.n > 0)
    runtime_of (s.v[s.n - 1].image, out->runtime, sizeof out->runtime);
  return s.n > 0 && (out->runtime[0] || strstr (s.v[s.n - 1].image, "lambda") || strstr (b.data, "awslambdaric"));
}

/* ---- images ------------------------------------------------------------------------------------------------------------------------- */

int
lf_image_refuse (const char *target, lf_error *err)
{
  char fix[480];
  if (!lf_image_is (target))
    return 0;
  snprintf (fix, sizeof fix,
            "run the folder of its handler with the runtime of its base image, and what it installs as a layer: lambdafit run DIR --runtime ID --layer DIR; "
            "whether its size fits: lambdafit layer size %.150s", target);
  return LF_FAIL (err, LF_EXIT_USAGE, target, fix, "is a container image: " WHAT_IS_NOT);
}
