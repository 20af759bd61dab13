/* SPDX-License-Identifier: Apache-2.0
 *
 * The row of one invocation, the names of its status, and percentiles over many of them.
 */
#include "lambdafit/model.h"

#include <string.h>

static const char *const status_names[] = {
#define STATUS(id, name) [LF_ST_##id] = name,
#include "status.def"
#undef STATUS
};
_Static_assert(LF_ARRAY_LEN (status_names) == LF_ST_COUNT, "status.def and lf_status differ");

const char *
lf_status_name (lf_status s)
{
  return (unsigned) s < LF_ST_COUNT ? status_names[s] : "unknown";
}

int
lf_status_parse (const char *s, lf_status *out)
{
  for (size_t i = 0; s != NULL && i < LF_ST_COUNT; i++)
    if (strcmp (s, status_names[i]) == 0)
      {
        *out = (lf_status) i;
        return 0;
      }
  return -1;
}

void
lf_record_init (lf_record *r)
{
  *r = (lf_record){
    .source = LF_SRC_LIVE,
    .received_us = LF_NONE,
    .cold = -1,
    .status = LF_ST_OK,
    .wait_us = LF_NONE,
    .init_us = LF_NONE,
    .duration_us = LF_NONE,
    .billed_ms = LF_NONE,
    .memory_mb = LF_NONE,
    .tmp_mb = LF_NONE,
    .arch = LF_ARCH_X86_64,
    .max_memory_bytes = LF_NONE,
    .peak_memory_bytes = LF_NONE,
    .tmp_used_bytes = LF_NONE,
    .tmp_growth_bytes = LF_NONE,
    .cpu_us = LF_NONE,
    .throttled_us = LF_NONE,
    .request_bytes = LF_NONE,
    .response_bytes = LF_NONE,
    .overhead_us = LF_NONE,
    .fds = LF_NONE,
    .processes = LF_NONE,
  };
}

int64_t
lf_percentile (const int64_t *sorted, size_t n, int p)
{
  if (n == 0)
    return LF_NONE;
  if (p <= 0)
    return sorted[0];
  if (p >= 100)
    return sorted[n - 1];
  /* ceil (p/100 * n) without a product that could overflow: n = 100 q + r. */
  size_t q = n / 100, r = n % 100;
  size_t rank = q * (size_t) p + (r * (size_t) p + 99) / 100;
  return sorted[rank - 1];
}
