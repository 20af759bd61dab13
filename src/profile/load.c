/* SPDX-License-Identifier: Apache-2.0
 *
 * Which file a profile's name means.
 */
#include "lambdafit/profile.h"

#include <stdlib.h>
#include <string.h>

#define PROFILE_FILE_MAX ((size_t) 4 << 20)

int
lf_profile_list (lf_strv *out, lf_error *err)
{
  static const char *const shipped[] = {
#define LF_SHIPPED(name) name,
#include "shipped.def"
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (shipped); i++)
    if (lf_strv_add (out, shipped[i]) != 0)
      return LF_FAIL_NOMEM (err);
  return 0;
}

static int
unknown_name (const char *name, lf_error *err)
{
  lf_strv known LF_CLEANUP (lf_strv_fini) = { 0 };
  char fix[400] = "use one of:";
  if (lf_profile_list (&known, err) != 0)
    return -1;
  for (size_t i = 0; i < known.n; i++)
    {
      strncat (fix, " ", sizeof fix - strlen (fix) - 1);
      strncat (fix, known.v[i], sizeof fix - strlen (fix) - 1);
    }
  strncat (fix, "; or a path to a file of your own, with a \"/\" or ending in .json", sizeof fix - strlen (fix) - 1);
  return LF_FAIL (err, LF_EXIT_USAGE, "profile", fix, "there is no profile named \"%.100s\"", name);
}

static bool
shipped_name (const char *name)
{
#define LF_SHIPPED(known) \
  if (strcmp (name, known) == 0) \
    return true;
#include "shipped.def"
  return false;
}

/* The file that NAME means; the caller frees it. */
static char *
path_of (const char *name, lf_error *err)
{
  if (strchr (name, '/') != NULL || lf_ends (name, ".json"))
    {
      char *copy = lf_strdup (name);
      if (copy == NULL)
        LF_FAIL_NOMEM (err);
      return copy;
    }
  if (!shipped_name (name))
    {
      unknown_name (name, err);
      return NULL;
    }
  char *relative LF_CLEANUP (lf_freep) = lf_asprintf ("profiles/%s.json", name);
  char *path = relative != NULL ? lf_strdup (lf_data_path (relative)) : NULL;
  if (path == NULL)
    LF_FAIL_NOMEM (err);
  return path;
}

lf_profile *
lf_profile_load (const char *name, lf_error *err)
{
  if (name == NULL || *name == '\0')
    name = getenv ("LAMBDAFIT_PROFILE");
  if (name == NULL || *name == '\0')
    name = LF_PROFILE_DEFAULT;
  char *path LF_CLEANUP (lf_freep) = path_of (name, err);
  if (path == NULL)
    return NULL;
  lf_buf text LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&text, PROFILE_FILE_MAX);
  if (lf_read_file (path, PROFILE_FILE_MAX, &text, err) != 0)
    return NULL;
  return lf_profile_parse (text.data != NULL ? text.data : "", text.len, path, err);
}
