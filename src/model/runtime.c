/* SPDX-License-Identifier: Apache-2.0
 *
 * Runtime ids. An id is not tied to one interpreter: any python3.N and nodejsN.x is known, so that next year's runtimes need no
 * release.
 */
#include "lambdafit/model.h"

#include <stdio.h>
#include <string.h>

typedef enum
{
  FORM_EXACT,
  FORM_DOT,
  FORM_X,
  FORM_ANY
} form;

static const struct family
{
  const char *prefix;
  form form;
  lf_runtime_kind kind;
  const char *instead;
} families[] = {
#define FAMILY(prefix, form, kind, instead) { prefix, FORM_##form, LF_RT_##kind, instead },
#include "runtimes.def"
};

static const char enumeration[] =
#define CURRENT(id) id ", "
#include "runtimes.def"
    ;

/* One or two digits without a leading zero, which must be all of the text up to `end`. */
static int
number (const char *s, const char *end, int *out)
{
  size_t n = strspn (s, "0123456789");
  if (n == 0 || n > 2 || (n == 2 && s[0] == '0') || strcmp (s + n, end) != 0)
    return -1;
  *out = n == 1 ? s[0] - '0' : (s[0] - '0') * 10 + (s[1] - '0');
  return 0;
}

static bool
family_matches (const struct family *f, const char *id, int *major, int *minor)
{
  size_t n = strlen (f->prefix);
  if (strncmp (id, f->prefix, n) != 0)
    return false;
  *major = *minor = 0;
  switch (f->form)
    {
    case FORM_EXACT:
      return id[n] == '\0';
    case FORM_ANY:
      return true;
    case FORM_X:
      return number (id + n, ".x", major) == 0 && *major > 0;
    case FORM_DOT:
      *major = f->prefix[n - 2] - '0'; /* the prefix ends in "MAJOR." */
      return number (id + n, "", minor) == 0;
    }
  return false;
}

int
lf_runtime_parse (const char *id, lf_runtime_info *out, lf_error *err)
{
  *out = (lf_runtime_info){ 0 };
  if (id != NULL && strlen (id) < sizeof out->id)
    for (size_t i = 0; i < LF_ARRAY_LEN (families); i++)
      {
        int major, minor;
        if (!family_matches (&families[i], id, &major, &minor))
          continue;
        snprintf (out->id, sizeof out->id, "%s", id);
        out->kind = families[i].kind;
        out->major = major;
        out->minor = minor;
        out->instead = families[i].instead;
        return 0;
      }
  return LF_FAIL (
      err, LF_EXIT_USAGE, "runtime",
      "use a python3.N or nodejsN.x runtime, or provided.al2023 with an executable called `bootstrap`",
      "Value %.64s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%.*s] or be a valid ARN",
      id != NULL ? id : "null", (int) (sizeof enumeration - 3), enumeration);
}
