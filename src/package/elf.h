/* SPDX-License-Identifier: Apache-2.0
 *
 * What an ELF file says about where it can run: machine, libraries and symbol versions it needs, search paths.
 */
#ifndef LAMBDAFIT_PACKAGE_ELF_H
#define LAMBDAFIT_PACKAGE_ELF_H

#include "lambdafit/base.h"

typedef struct lf_elf_need
{
  char *library, *version; /* "libc.so.6", "GLIBC_2.34" */
} lf_elf_need;

typedef struct lf_elf
{
  int bits, machine, type;    /* 32 or 64, EM_*, ET_* */
  bool little_endian;
  int64_t strippable_bytes;   /* debug sections and the full symbol table: strip removes them */
  bool misaligned;            /* a segment that the loader refuses to map */
  bool dynamic;
  char *soname, *runpath, *interpreter; /* NULL when absent; runpath is DT_RUNPATH, else DT_RPATH */
  lf_strv needed;
  lf_elf_need *needs;
  size_t needs_n;
} lf_elf;

typedef enum { LF_ELF_OK, LF_ELF_NOT, LF_ELF_DAMAGED, LF_ELF_NOMEM } lf_elf_result;
/* With `sizes_only` nothing is allocated and only the first fields, up to strippable_bytes, are filled. Damaged: *reason is a sentence. */
lf_elf_result lf_elf_read (int fd, bool sizes_only, lf_elf *out, const char **reason);
void lf_elf_fini (lf_elf *e);
const char *lf_elf_machine_name (int machine); /* "x86_64", "arm64", "i386", ... or "unknown" */

#endif
