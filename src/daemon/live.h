/* SPDX-License-Identifier: Apache-2.0
 *
 * What `serve` and `run` share: everything that must exist around an engine, made and ended in order.
 */
#ifndef LF_DAEMON_LIVE_H
#define LF_DAEMON_LIVE_H

#include "lambdafit/daemon.h"
#include "log_writer.h"

typedef struct lf_live
{
  uv_loop_t loop;
  lf_store *store;
  lf_sb_host *host;
  lf_log_writer *writer;
  lf_engine *engine;
  int64_t run_id;
  bool loop_open;
} lf_live;

int lf_live_open (lf_live *l, const lf_live_options *o, lf_error *err);
/* The loop must have ended, and the engine been closed (or never made). */
void lf_live_close (lf_live *l);

/* Before anything of libuv is used (reserve.c). -1: no memory. */
int lf_reserve_open (void);

#endif
