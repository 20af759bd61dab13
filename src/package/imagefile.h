/* SPDX-License-Identifier: Apache-2.0
 *
 * package, inside: what is in a container image, read from an archive (`docker save`, `podman save`, OCI, also as a whole packed with gzip) or from a folder
 * in OCI's layout. Nothing is unpacked to disk, and no layer is held: its names and sizes are.
 */
#ifndef LF_PACKAGE_IMAGEFILE_H
#define LF_PACKAGE_IMAGEFILE_H

#include "stream.h"

#define LF_IMAGE_LAYERS_MAX 256
#define LF_IMAGE_ENTRIES_MAX 1000000                 /* of all layers */
#define LF_IMAGE_NAMES_MAX ((size_t) 128 << 20)      /* bytes of their names */
#define LF_IMAGE_BYTES_MAX (INT64_C (64) << 30)      /* of all layers, unpacked: reading stops there */

typedef enum { LF_IE_FILE, LF_IE_FOLDER, LF_IE_LINK, LF_IE_GONE /* a whiteout: what it names is deleted */, LF_IE_HIDES /* all below it is */ } lf_image_kind;
typedef struct lf_image_entry
{
  const char *path;
  int64_t size;
  const char *data;  /* of the few files whose content is wanted; NULL */
  uint32_t data_n;
  uint8_t kind;
  bool hidden;       /* a later layer replaces or deletes it */
} lf_image_entry;
typedef struct lf_image_layer
{
  char name[200];        /* as the manifest has it */
  char made_by[120];     /* the line of the Dockerfile, where the image says it; "" */
  int64_t bytes;         /* unpacked: what Lambda counts; LF_NONE until it is read */
  int64_t file_bytes, hidden_bytes, files;
  lf_image_entry *v;
  size_t n, cap;
  size_t same_as;        /* the layer of the same name before it, or its own index */
} lf_image_layer;
struct lf_image
{
  const char *what;
  lf_image_layer *layers;
  size_t layers_n, entries, name_bytes;
  int64_t bytes, kept_bytes;
  char os[32], arch[32]; /* "" where it does not say */
  char handler[130];     /* the first word of CMD */
  bool starts;           /* it has an ENTRYPOINT or a CMD */
  lf_pkg_arena names;
};
typedef struct lf_image lf_image;
/* Which of an image for several processors: that for `arch`. */
int lf_image_read (const char *path, lf_arch arch, lf_image *out, lf_error *err);
void lf_image_fini (lf_image *im);
/* imagelayers.c: one layer's tar; and what is seen in the end of all of them together. */
int lf_image_read_layer (lf_image *im, size_t layer, lf_pkg_stream *s, lf_error *err);
int lf_image_hide (lf_image *im, lf_error *err);
int lf_pkg_source_open_image (const char *path, lf_arch arch, lf_pkg_source *s, lf_error *err);

#endif
