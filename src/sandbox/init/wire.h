/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon and lambdafit-init say to each other over the control socket (descriptor 3 of the helper, SOCK_SEQPACKET). Both
 * are built together and run on the same machine, so messages are plain structs. The daemon sends two messages that make the
 * sandbox, then commands; the helper sends notes.
 */
#ifndef LF_INIT_WIRE_H
#define LF_INIT_WIRE_H

#include <stdint.h>

#define LF_INIT_MAGIC 0x4c464931u
#define LF_INIT_PREPARE_MAX (32 * 1024)
#define LF_INIT_CONFIG_MAX (160 * 1024) /* fits the default send buffer of a socket (212,992) with its overhead */
#define LF_INIT_ARGV_MAX 256
#define LF_INIT_ENV_MAX 1024
#define LF_INIT_CPU_WORDS 16
#define LF_INIT_FDS_MAX 5
#define LF_INIT_CTL_FD 3
#define LF_INIT_UID 993 /* sbx_user1051 */
#define LF_INIT_GID 990
#define LF_INIT_API_PORT 9001

enum
{
  LF_INIT_NET_NONE = 1,    /* own network namespace: lo up, listening socket for the Runtime API */
  LF_INIT_SWITCH_USER = 2, /* the runtime must change from uid 0 to LF_INIT_UID; otherwise the mapping already says so */
  LF_INIT_OLD_MOUNTS = 4,  /* use mount(2) only */
  LF_INIT_USERNS = 8       /* in a user namespace of its own */
};

/* First message: what every sandbox has. A helper that has got it may wait for its second message for as long as the daemon likes.
 * NUL-terminated strings follow: the folder to build the root on, the host name, `ops` steps. Descriptors that come with it are
 * lists of processes of control groups: writing "0" moves the helper in. */
typedef struct lf_init_prepare
{
  uint32_t magic, flags, ops;
  int32_t nice; /* the runtime's; the helper itself may be preferred, so that it is heard in a crowd */
} lf_init_prepare;

/* Second message: one environment. `ops` steps, `argc` arguments, `envc` variables follow. A step is its letter and a path inside,
 * with a second string where said:
 *   d PATH            folder
 *   s PATH, TARGET    symbolic link
 *   b PATH, FROM      read-only recursive bind of a folder
 *   f PATH, FROM      read-only bind of a file
 *   v PATH, FROM      bind of a device
 * Missing parents are made. Paths inside are relative to the new root. */
typedef struct lf_init_config
{
  uint32_t magic, flags, ops, argc, envc;
  int64_t tmp_bytes, tmp_inodes, nofile, nproc; /* nproc below 0: not limited */
  uint64_t cpus[LF_INIT_CPU_WORDS];             /* affinity; all zero leaves it alone */
} lf_init_config;

enum
{
  LF_INIT_CMD_START = 1,
  LF_INIT_CMD_KILL,
  LF_INIT_CMD_STOP,
  LF_INIT_CMD_CONT,
  LF_INIT_CMD_QUIT
};
typedef struct lf_init_cmd
{
  uint32_t type;
} lf_init_cmd;

enum
{
  LF_INIT_NOTE_PREPARED = 1, /* the common root stands; waiting for the configuration */
  LF_INIT_NOTE_READY,        /* descriptors: /tmp, /proc and, with network none, the listening socket */
  LF_INIT_NOTE_LAUNCHED,     /* at_us: when the runtime was exec'd; descriptor: its process */
  LF_INIT_NOTE_EXEC_FAILED,  /* value: errno */
  LF_INIT_NOTE_SETUP_FAILED, /* value: errno, text: the step */
  LF_INIT_NOTE_EXIT          /* value: wait status */
};
typedef struct lf_init_note
{
  uint32_t type;
  int32_t value;
  int64_t at_us; /* CLOCK_MONOTONIC */
  char text[200];
} lf_init_note;

#endif
