/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes read as JSON and as a profile: neither crashes, an error has its words, and JSON that was read is written and read again the same.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lambdafit/profile.h"

#define CHECK(c) \
  do \
    if (!(c)) \
      abort (); \
  while (0)

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  char *p = malloc (size + 1); /* of its own size, so that one byte too far is seen */
  CHECK (p);
  memcpy (p, data, size);
  p[size] = 0;
  lf_error err = { 0 };
  cJSON *o = lf_json_parse (p, size, "input", &err);
  CHECK ((o == NULL) == (err.exit != LF_EXIT_OK));
  if (o)
    {
      lf_buf text, again;
      lf_buf_init (&text, 0);
      lf_buf_init (&again, 0);
      if (lf_json_print (o, &text) == 0)
        {
          cJSON *twin = lf_json_parse (text.data, text.len, "output", &err);
          CHECK (twin && lf_json_print (twin, &again) == 0 && text.len == again.len && memcmp (text.data, again.data, text.len) == 0);
          cJSON_Delete (twin);
        }
      lf_buf_fini (&text);
      lf_buf_fini (&again);
      cJSON_Delete (o);
    }
  memset (&err, 0, sizeof err);
  lf_profile *profile = lf_profile_parse (p, size, "input", &err);
  CHECK ((profile == NULL) == (err.exit != LF_EXIT_OK) && (profile || err.why[0]));
  lf_profile_free (profile);
  free (p);
  return 0;
}
