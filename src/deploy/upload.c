/* SPDX-License-Identifier: Apache-2.0
 *
 * A request that carries a package: parsed, decoded, unpacked and judged in a worker, since it may be 70 MB. The zip is kept under its
 * digest, so the same code is there once, however many versions have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

typedef struct lf_dep_receiving
{
  uv_work_t work;
  lf_deploy *d;
  lf_buf body;
  const char *container;
  char *dir;
  int64_t package_max, zip_max;
  char detail[1200];     /* what the caller is not told */
  lf_dep_upload u;
  lf_dep_uploaded back;
  void *user;
} lf_dep_receiving;

static int
bad_zip (lf_dep_receiving *w, const lf_error *err)
{
  if (err->exit == LF_EXIT_FAILED)
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE, "%s", err->why);
  if (err->exit != LF_EXIT_USAGE)
    return lf_dep_no_error (&w->u.no, err);
  snprintf (w->detail, sizeof w->detail, "an uploaded zip was refused: %.1000s", err->why);
  return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE, "Could not unzip uploaded file. Please check your file, then try to upload again.");
}

static void
digest (const lf_buf *zip, lf_dep_code *code)
{
  lf_sha256 *hex = lf_sha256_new (), *base64 = lf_sha256_new ();
  if (hex && base64)
    {
      lf_sha256_update (hex, zip->data, zip->len);
      lf_sha256_update (base64, zip->data, zip->len);
      lf_sha256_hex (hex, code->hex);
      lf_sha256_base64 (base64, code->sha256);
    }
  lf_sha256_free (hex);
  lf_sha256_free (base64);
  code->zip_bytes = (int64_t) zip->len;
}

/* The bytes go to a file of their own; only a zip that could be unpacked gets its name. */
static int
keep (lf_dep_receiving *w, const lf_buf *zip)
{
  lf_error err = { 0 };
  lf_package package = { 0 };
  char id[37];
  lf_uuid4 (id);
  char *in_dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/incoming", w->dir), *code_dir LF_CLEANUP (lf_freep) = lf_asprintf ("%s/code", w->dir);
  char *in LF_CLEANUP (lf_freep) = in_dir ? lf_asprintf ("%s/%s.zip", in_dir, id) : NULL;
  digest (zip, &w->u.code);
  char *path LF_CLEANUP (lf_freep) = code_dir && w->u.code.hex[0] ? lf_asprintf ("%s/%s.zip", code_dir, w->u.code.hex) : NULL;
  if (!in || !path)
    return lf_dep_no_memory (&w->u.no);
  if (lf_mkdir_p (in_dir, 0700, &err) < 0 || lf_mkdir_p (code_dir, 0700, &err) < 0 || lf_write_file_atomic (in, zip->data, zip->len, &err) < 0)
    return lf_dep_no_error (&w->u.no, &err);
  if (lf_package_open (in, w->package_max, &package, &err) < 0)
    {
      unlink (in);
      return bad_zip (w, &err);
    }
  w->u.code.unzipped_bytes = package.unzipped_bytes;
  bool empty = package.files == 0;
  lf_package_fini (&package);
  if (!empty && rename (in, path) == 0)
    return 0;
  int e = errno;
  unlink (in);
  return empty ? lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE, "Uploaded file must be a non-empty zip")
               : lf_dep_no (&w->u.no, LF_SVC_SERVICE, "%s cannot be written: %s", path, strerror (e));
}

static int
take_zip (lf_dep_receiving *w, const char *text)
{
  lf_buf zip LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&zip, 0);
  if (lf_base64_decode (text, strlen (text), &zip) < 0)
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: ZipFile is not base64");
  if (zip.len == 0)
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE, "Uploaded file must be a non-empty zip");
  if ((int64_t) zip.len >= w->zip_max)
    return lf_dep_no (&w->u.no, LF_SVC_REQUEST_TOO_LARGE, "Zipped size must be smaller than %lld bytes", (long long) w->zip_max);
  return keep (w, &zip);
}

static int
take_code (lf_dep_receiving *w)
{
  cJSON *in = w->container ? cJSON_GetObjectItemCaseSensitive (w->u.request, w->container) : w->u.request;
  const char *zip = lf_json_str (in, "ZipFile"), *bucket = lf_json_str (in, "S3Bucket");
  if (lf_json_str (in, "ImageUri"))
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE,
                      "lambdafit does not run container images: give the code as a zip, with the runtime that the image is made from");
  if (!zip && bucket)
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE,
                      "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: lambdafit does not read from S3 (%.100s/%.300s); give the code "
                      "itself, as ZipFile", bucket, lf_json_str (in, "S3Key") ? lf_json_str (in, "S3Key") : "");
  if (!zip)
    return lf_dep_no (&w->u.no, LF_SVC_INVALID_PARAMETER_VALUE, "Please provide a source for function code.");
  int rc = take_zip (w, zip);
  cJSON_DeleteItemFromObjectCaseSensitive (in, "ZipFile");
  return rc;
}

static void
receive (uv_work_t *work)
{
  lf_dep_receiving *w = work->data;
  lf_json_problem problem;
  lf_error err = { 0 };
  const char *text = w->body.data ? w->body.data : "";
  int rc = 0;
  if (lf_json_validate (text, w->body.len, &problem) < 0)
    rc = lf_dep_no (&w->u.no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: %s (line %d, column %d)", problem.reason, problem.line,
                    problem.column);
  else if (lf_deploy_check_body (text, w->body.len, &w->u.no) < 0)
    rc = -1;
  else if (!(w->u.request = lf_json_parse (text, w->body.len, "request", &err)) || !cJSON_IsObject (w->u.request))
    rc = lf_dep_no (&w->u.no, LF_SVC_INVALID_REQUEST_CONTENT, "Could not parse request body into json: it is no JSON object");
  lf_buf_fini (&w->body);
  lf_buf_init (&w->body, 0);
  w->u.refused = rc < 0 || take_code (w) < 0;
}

static void
received (uv_work_t *work, int status)
{
  lf_dep_receiving *w = work->data;
  lf_deploy *d = w->d;
  (void) status; /* work is never cancelled */
  if (w->detail[0] && !d->closing)
    lf_engine_tell (d->engine, "%s", w->detail);
  w->back (d, &w->u, w->user);
  d->uploads--;
  lf_dep_sweep (d); /* the request may have been refused, or other code been replaced */
  cJSON_Delete (w->u.request);
  lf_buf_fini (&w->body);
  free (w->dir);
  free (w);
}

void
lf_dep_receive (lf_deploy *d, lf_buf *body, const char *container, lf_dep_uploaded back, void *user)
{
  lf_dep_receiving *w = calloc (1, sizeof *w);
  lf_dep_upload none = { .refused = true };
  if (!w || !(w->dir = lf_strdup (d->dir)))
    {
      free (w);
      lf_dep_no_memory (&none.no);
      back (d, &none, user);
      return;
    }
  w->d = d;
  w->body = *body;
  lf_buf_init (body, 0);
  w->container = container;
  w->package_max = d->profile->package_max_bytes;
  w->zip_max = d->profile->zip_max_bytes;
  w->back = back;
  w->user = user;
  w->work.data = w;
  d->uploads++;
  uv_queue_work (lf_engine_loop (d->engine), &w->work, receive, received);
}
