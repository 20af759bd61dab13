/* SPDX-License-Identifier: Apache-2.0
 *
 * Which file a profile's name means.
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

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

static int
read_profile (const char *path, lf_buf *text, lf_error *err)
{
  lf_buf_init (text, PROFILE_FILE_MAX);
  return lf_read_file (path, PROFILE_FILE_MAX, text, err);
}

/* A file that was copied from an older version's lacks what came later: says what the shipped one has there, to be copied. */
static void
advise_missing (const char *missing, lf_error *err)
{
  lf_error ignored = { 0 };
  lf_buf text LF_CLEANUP (lf_buf_fini), value LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&value, 0);
  char section[LF_PROFILE_PATH_MAX];
  snprintf (section, sizeof section, "%s", missing);
  char *key = strchr (section, '.'), *path LF_CLEANUP (lf_freep) = path_of (LF_PROFILE_DEFAULT, &ignored);
  if (read_profile (path != NULL ? path : "", &text, &ignored) != 0 || key == NULL)
    return;
  *key++ = '\0';
  lf_profile *p = lf_profile_parse (text.data != NULL ? text.data : "", text.len, path, &ignored);
  const cJSON *entry = p != NULL ? lf_profile_entry (p, section, key) : NULL;
  if (entry != NULL && lf_json_print (entry, &value) == 0)
    {
      const char *whole = value.len < sizeof err->fix - 150 ? value.data : "{...}";
      snprintf (err->fix, sizeof err->fix, "a file has every key, also of later versions; add to its \"%.20s\", as %s has it: \"%.50s\": %s", section,
                LF_PROFILE_DEFAULT, key, whole);
    }
  lf_profile_free (p);
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
  if (read_profile (path, &text, err) != 0)
    return NULL;
  char missing[LF_PROFILE_PATH_MAX] = "";
  lf_profile *p = lf_profile_parse_noting (text.data != NULL ? text.data : "", text.len, path, missing, err);
  if (p == NULL && missing[0] != '\0')
    advise_missing (missing, err);
  return p;
}
