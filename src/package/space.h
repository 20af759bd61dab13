/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAMBDAFIT_PACKAGE_SPACE_H
#define LAMBDAFIT_PACKAGE_SPACE_H

#include "dist.h"

/* package: the name of the one that owns the file, or NULL. */
bool lf_space_is_cuda (const char *path, const char *package);
bool lf_space_is_archive (const char *path);
/* By name and place; LF_SPACE_PACKAGE when nothing else fits. */
lf_space_kind lf_space_kind_of (const char *path, const char *package);
/* For another operating system or processor than Lambda's: "win32/x64". */
bool lf_space_foreign (const char *path, lf_arch arch, char out[64]);

#endif
