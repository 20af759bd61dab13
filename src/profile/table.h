/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields.def as data, shared by the loader and by what describes a profile. Private to this room.
 */
#ifndef LF_PROFILE_TABLE_H
#define LF_PROFILE_TABLE_H

#include "lambdafit/profile.h"

typedef enum { LF_KIND_INT, LF_KIND_FLAG, LF_KIND_CHOICE, LF_KIND_CPUS } lf_field_kind;

typedef struct lf_field
{
  lf_profile_field about;
  lf_field_kind kind;
  size_t offset;          /* of the member in lf_profile */
  int64_t min, max;
  const char *words[2];   /* of a choice, in the order of the enum */
} lf_field;

extern const lf_field lf_field_table[];
extern const size_t lf_field_count;

#define LF_PROFILE_PATH_MAX 160 /* "limits.memory_max_mb" */
/* As lf_profile_parse; a key that is not there is also named in `missing` (may be NULL), which is otherwise left alone. */
lf_profile *lf_profile_parse_noting (const char *text, size_t n, const char *what, char missing[LF_PROFILE_PATH_MAX], lf_error *err);

/* Finds the object that holds a field or a region's prices in the file; NULL when there is none. */
const struct cJSON *lf_profile_entry (const lf_profile *p, const char *section, const char *key);
const struct cJSON *lf_profile_group (const lf_profile *p, const char *region);

#endif
