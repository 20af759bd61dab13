/* SPDX-License-Identifier: Apache-2.0
 *
 * Which template a folder has.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lambdafit/template.h"

static bool
newer (const struct stat *a, const struct stat *b)
{
  return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

int
lf_template_find (const char *dir, char **path, lf_error *err)
{
  static const char *const names[] = { "template.yaml", "template.yml", "template.json" };
  struct stat source, built;
  const char *prefix = strcmp (dir, ".") == 0 ? "" : dir, *slash = *prefix && !lf_ends (prefix, "/") ? "/" : "";
  *path = NULL;
  for (size_t i = 0; i < LF_ARRAY_LEN (names) && !*path; i++)
    {
      char *candidate = lf_asprintf ("%s%s%s", prefix, slash, names[i]);
      if (!candidate)
        return LF_FAIL_NOMEM (err);
      if (stat (candidate, &source) == 0 && S_ISREG (source.st_mode))
        *path = candidate;
      else
        free (candidate);
    }
  char *build = lf_asprintf ("%s%s.aws-sam/build/template.yaml", prefix, slash);
  if (!build)
    {
      lf_freep (path);
      *path = NULL;
      return LF_FAIL_NOMEM (err);
    }
  if (stat (build, &built) == 0 && S_ISREG (built.st_mode) && (!*path || newer (&built, &source)))
    {
      free (*path);
      *path = build;
    }
  else
    free (build);
  return 0;
}
