/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon: composition. Puts log, sandbox host, engine and APIs together on one loop: as a daemon (`serve`) or for one run without one
 * (`run`). Signals end both in order: no new work, every environment destroyed, every row committed.
 */
#ifndef LAMBDAFIT_DAEMON_H
#define LAMBDAFIT_DAEMON_H

#include "lambdafit/engine.h"

typedef struct lf_live_options
{
  const lf_profile *profile;
  lf_prepared *functions;     /* moved into the engine */
  size_t functions_n;
  const char *db;             /* NULL: the default */
  const char *command;        /* for the log's runs: "run", "serve" */
  bool pass_credentials, rate_limit, quiet, say_rules;
  int64_t concurrency;        /* account limit, LF_NONE: the profile's */
  const char *port_file;      /* the one of lf_serve_options: it may lie among the code, and is no change of it */
} lf_live_options;

typedef struct lf_serve_options
{
  lf_live_options live;
  const char *host;
  int port;
  const char *port_file;
  /* for functions created through the API */
  const char *region;         /* NULL: the client's */
  lf_network network;
  int64_t keepalive_ms;       /* LF_NONE: the profile's */
  bool strict_runtime;
  lf_keep keep;               /* what the log keeps; both LF_NONE: all */
} lf_serve_options;
/* Serves until SIGTERM or SIGINT; a second signal ends at once. 0, or -1. */
int lf_serve (const lf_serve_options *o, lf_error *err);

/* One invocation of a plan that is made while it is carried out. */
typedef struct lf_shot_order
{
  const char *payload;        /* stays valid until its `each` */
  size_t payload_len;
  int64_t tag;                /* given back to `each` */
  bool keep;                  /* from this one on environments live on, though the function was prepared with single_use */
} lf_shot_order;
typedef enum { LF_NEXT_GO, LF_NEXT_WAIT /* until one that is under way has ended */, LF_NEXT_END } lf_next_shot;

typedef struct lf_oneshot_options
{
  lf_live_options live;
  const char *payload;
  size_t payload_len;
  int64_t count, parallel;
  /* When set, it says what comes next, instead of payload and count. LF_NEXT_WAIT with nothing under way is an end. */
  lf_next_shot (*next) (lf_shot_order *out, int64_t in_flight, void *user);
  /* For each invocation as it ends; strings live during the call. tag: of its order, else 0. f: the function as it runs. */
  void (*each) (const lf_outcome *o, const lf_enforcement *enforcement, const lf_function *f, int64_t tag, void *user);
  void *user;
} lf_oneshot_options;
/* 0 when every invocation ended (well or not), -1 when that could not be done. *signal is the signal that cut it short, or 0. */
int lf_oneshot (const lf_oneshot_options *o, int *signal, lf_error *err);

#endif
