/* SPDX-License-Identifier: Apache-2.0
 *
 * package: code and layers on disk. Opens a directory or a zip, checks it against hostile input, measures it as Lambda does, and gives
 * a folder that can be shown read-only as /var/task or /opt. Unpacked zips and merged layers are kept in a cache by their content, so that
 * a second start is free.
 */
#ifndef LAMBDAFIT_PACKAGE_H
#define LAMBDAFIT_PACKAGE_H

#include "lambdafit/base.h"
#include "lambdafit/model.h"

typedef struct lf_package
{
  char *source;              /* as given */
  char *dir;                 /* absolute host folder with the files */
  bool is_zip;
  int64_t unzipped_bytes;    /* sum of the sizes of the regular files */
  int64_t zip_bytes;         /* the zip's own size; LF_NONE for a directory */
  int64_t files;
  char sha256[45];           /* base64, of the zip; of a directory: of its sorted paths, modes and contents' sizes and times */
} lf_package;
void lf_package_fini (lf_package *p);
/* Refused with a clear error (LF_EXIT_USAGE, or FAILED for a broken size limit): not there, unreadable, not a zip, absolute or ".." names, links that lead out, encrypted
 * entries, more than 500,000 entries, an unzipped size above `max_bytes` (counted while unpacking too, so a bomb stops at the limit). */
int lf_package_open (const char *target, int64_t max_bytes, lf_package *out, lf_error *err);
/* Layers in order, merged into one folder (later ones overwrite files of earlier ones); *opt_dir NULL when there are none; a single
 * directory layer is used in place. Sizes summed into *bytes. */
int lf_layers_open (const lf_strv *layers, int64_t max_bytes, char **opt_dir, int64_t *bytes, lf_error *err);

/* What the files say about the function. Fills only what is NULL in *f: runtime and handler. `note` (may be empty) says a choice worth telling
 * ("handler app.handler taken: the only module that defines one"). -1 with a clear error when nothing fits. */
int lf_package_detect (const lf_package *p, lf_function *f, char note[256], lf_error *err);
/* Does the handler's file exist (module, bootstrap)? -1 names the file that was looked for and what is there. Missing files are no error on Lambda
 * before init; this gives the sentence for the verdict. */
int lf_package_check_handler (const lf_package *p, const lf_function *f, lf_error *err);

#endif
