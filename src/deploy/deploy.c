/* SPDX-License-Identifier: Apache-2.0
 *
 * The room's life.
 */
#include <stdlib.h>

#include "internal.h"

lf_deploy *
lf_deploy_new (const lf_deploy_options *o, lf_error *err)
{
  lf_deploy *d = calloc (1, sizeof *d);
  if (!d || !(d->dir = lf_strdup (o->dir)) || (o->region && !(d->region = lf_strdup (o->region))))
    {
      lf_deploy_free (d);
      (void) LF_FAIL_NOMEM (err);
      return NULL;
    }
  d->engine = o->engine;
  d->profile = lf_engine_profile (o->engine);
  d->network = o->network;
  d->keepalive_ms = o->keepalive_ms;
  d->strict_runtime = o->strict_runtime;
  lf_dep_adopt (d);
  lf_dep_load (d);
  lf_dep_sweep (d);
  return d;
}

void
lf_deploy_close (lf_deploy *d)
{
  if (d)
    d->closing = true;
}

size_t
lf_deploy_uploads (const lf_deploy *d)
{
  return d->uploads;
}

bool
lf_deploy_closing (const lf_deploy *d)
{
  return d->closing;
}

void
lf_deploy_free (lf_deploy *d)
{
  if (!d)
    return;
  for (lf_dep_fn *fn = d->fns, *next; fn; fn = next)
    {
      next = fn->next;
      lf_dep_fn_free (fn);
    }
  for (lf_dep_layer *l = d->layers, *next; l; l = next)
    {
      next = l->next;
      lf_dep_layer_free (l);
    }
  free (d->dir);
  free (d->region);
  free (d);
}
