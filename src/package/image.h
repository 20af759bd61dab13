/* SPDX-License-Identifier: Apache-2.0
 *
 * package, inside: container images. None is built or run; what is known of one is what its Dockerfile or its archive says.
 */
#ifndef LF_PACKAGE_IMAGE_H
#define LF_PACKAGE_IMAGE_H

#include "lambdafit/package.h"

/* Of the last stage of a Dockerfile that makes an image for Lambda. */
typedef struct lf_dockerfile { char runtime[32], handler[130]; } lf_dockerfile; /* "" when it does not say, or not plainly */
/* False: there is none at the top of the folder, or it is for something else. */
bool lf_dockerfile_read (const char *dir, lf_dockerfile *out);

/* Is this an archive of an image (`docker save`, OCI), or a folder in OCI's layout? Then the error says what can be done instead: -1. */
int lf_image_refuse (const char *target, lf_error *err);

#endif
