/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for machines without control groups of our own: it measures and enforces nothing and says so.
 */
#include "cgroup_impl.h"

static int
none_open (lf_cg_driver *d, const lf_cgp_place *p, char *why, lf_error *err)
{
  (void) d;
  (void) p;
  (void) why;
  (void) err;
  return 0;
}

static int
none_setup (lf_cg *g, const lf_cg_limits *l, lf_error *err)
{
  (void) g;
  (void) l;
  (void) err;
  return 0;
}

static int
none_attach (lf_cg *g, pid_t pid, lf_error *err)
{
  (void) g;
  (void) pid;
  (void) err;
  return 0;
}

static int
none_set_memory (lf_cg *g, int64_t bytes, lf_error *err)
{
  (void) g;
  (void) bytes;
  (void) err;
  return 0;
}

static int
none_freeze (lf_cg *g, bool on)
{
  (void) g;
  (void) on;
  return -1;
}

static int
none_no (lf_cg *g)
{
  (void) g;
  return -1;
}

static void
none_usage (lf_cg *g, lf_cg_usage *u, bool all)
{
  (void) g;
  (void) u;
  (void) all;
}

static int
none_event_fd (lf_cg *g, int64_t threshold)
{
  (void) g;
  (void) threshold;
  return -1;
}

static int
none_join (lf_cg *g, int fds[LF_CG_JOIN_MAX], lf_error *err)
{
  (void) g;
  (void) fds;
  (void) err;
  return 0;
}

static int64_t
none_file_bytes (lf_cg *g)
{
  (void) g;
  return LF_NONE;
}

const lf_cgp_ops lf_cgp_none = { .kind = LF_CG_NONE, .open = none_open, .setup = none_setup, .limit = none_setup, .join = none_join, .attach = none_attach,
                                 .set_memory = none_set_memory, .freeze = none_freeze, .kill = none_no, .usage = none_usage, .file_bytes = none_file_bytes,
                                 .peak_reset = none_no, .event_fd = none_event_fd };
