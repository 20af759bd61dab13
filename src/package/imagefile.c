/* SPDX-License-Identifier: Apache-2.0
 *
 * An image's archive or folder: which layers it has, in which order, and what its configuration says. An archive is read twice: once for the
 * texts that say it, which may come last, and once for the layers, which come in any order.
 */
#include "config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imagefile.h"

#define TEXT_MAX ((size_t) 4 << 20)
#define TEXTS_MAX 4096
#define TEXTS_BYTES_MAX ((size_t) 32 << 20)
#define MEMBERS_MAX 20000
#define NESTED_MAX 3
#define AGAIN "save it again: docker save IMAGE -o image.tar, podman save, or skopeo copy docker-daemon:IMAGE oci:DIR"

typedef struct text { char *name, *data, *link; size_t n; } text; /* link: it is the same as another member */
typedef struct box
{
  lf_image *im;
  int fd;
  bool folder;
  int64_t size;
  text *texts;
  size_t n, bytes;
} box;

static void
box_fini (box *b)
{
  for (size_t i = 0; i < b->n; i++)
    {
      free (b->texts[i].name);
      free (b->texts[i].data);
      free (b->texts[i].link);
    }
  free (b->texts);
  lf_closep (&b->fd);
}

static int
bad (const box *b, lf_error *err, const char *how)
{
  return LF_FAIL (err, LF_EXIT_USAGE, b->im->what, AGAIN, "the image is not whole: %s", how);
}

/* ---- members ------------------------------------------------------------------------------------------------------------------------ */

typedef int (*on_member) (box *b, lf_tar *t, lf_error *err); /* -1 ends it */

static int
each_member (box *b, on_member fn, lf_error *err)
{
  LF_CLEANUP (lf_pkg_stream_freep) lf_pkg_stream *s = lf_pkg_stream_unpacked (lf_pkg_stream_file (b->fd, 0, b->size), b->im->what, err);
  lf_tar t LF_CLEANUP (lf_tar_fini) = { .s = s, .what = b->im->what };
  int rc = s ? 1 : -1;
  for (size_t i = 0; rc > 0; i++)
    {
      rc = lf_tar_next (&t, err);
      if (rc > 0 && i == MEMBERS_MAX)
        return bad (b, err, "its archive has too many members");
      if (rc > 0 && s->read + t.size > 2 * LF_IMAGE_BYTES_MAX)
        return bad (b, err, "its archive unpacks to far more than any image has");
      if (rc > 0 && fn (b, &t, err) != 0)
        return -1;
    }
  return rc;
}

static text *
add_text (box *b, const char *name)
{
  if (b->n == TEXTS_MAX)
    return NULL;
  text *v = b->n % 64 == 0 ? realloc (b->texts, (b->n + 64) * sizeof *v) : b->texts;
  if (!v)
    return NULL;
  b->texts = v;
  v[b->n] = (text){ .name = lf_strdup (name) };
  return v[b->n].name ? &v[b->n++] : NULL;
}

static int
read_text (box *b, const char *name, lf_pkg_stream *s, int64_t size, lf_error *err)
{
  char first = '\0';
  if (size < 2 || size > (int64_t) TEXT_MAX || b->bytes + (size_t) size > TEXTS_BYTES_MAX || lf_pkg_stream_read (s, &first, 1) != 1
      || (first != '{' && first != '['))
    return 0; /* a layer, or nothing that matters */
  text *t = add_text (b, name);
  if (!t || !(t->data = malloc ((size_t) size)))
    return b->n == TEXTS_MAX ? bad (b, err, "it has too many texts") : LF_FAIL_NOMEM (err);
  t->data[0] = first;
  int64_t got = lf_pkg_stream_read (s, t->data + 1, (size_t) size - 1);
  if (got != size - 1)
    return bad (b, err, "it is cut off");
  t->n = (size_t) size;
  b->bytes += t->n;
  return 0;
}

static int
take_text (box *b, lf_tar *t, lf_error *err)
{
  if (t->type == '0')
    {
      LF_CLEANUP (lf_pkg_stream_freep) lf_pkg_stream *s = lf_tar_stream (t);
      return s ? read_text (b, t->path, s, t->size, err) : LF_FAIL_NOMEM (err);
    }
  if (t->type != '1' && t->type != '2')
    return 0;
  text *x = add_text (b, t->path);
  return x && (x->link = lf_strdup (t->link)) ? 0 : LF_FAIL_NOMEM (err);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------------- */

/* Only what is written in the archive itself, or lies in the folder. */
static bool
name_ok (const char *name)
{
  return name[0] && name[0] != '/' && strlen (name) < 180 && strcmp (name, "..") != 0 && !lf_starts (name, "../") && !strstr (name, "/../") && !lf_ends (name, "/..");
}

static int
open_in_folder (const box *b, const char *name, int64_t *size)
{
  struct stat st;
  int fd = name_ok (name) ? openat (b->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
  if (fd >= 0 && (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode)))
    lf_closep (&fd);
  *size = fd >= 0 ? st.st_size : 0;
  return fd;
}

static const text *
known_text (const box *b, const char *name)
{
  for (size_t i = 0; i < b->n; i++)
    if (strcmp (b->texts[i].name, name) == 0)
      return &b->texts[i];
  return NULL;
}

/* A text of the image as JSON; NULL: there is none, or (err filled) it is none of JSON. */
static cJSON *
json_of (box *b, const char *name, lf_error *err)
{
  const text *t = known_text (b, name);
  if (!t && b->folder)
    {
      int64_t size;
      LF_CLEANUP (lf_closep) int fd = open_in_folder (b, name, &size);
      LF_CLEANUP (lf_pkg_stream_freep) lf_pkg_stream *s = fd >= 0 ? lf_pkg_stream_file (fd, 0, size) : NULL;
      if (!s || read_text (b, name, s, size, err) != 0)
        return NULL;
      t = known_text (b, name);
    }
  lf_error why = { 0 };
  cJSON *o = t && t->data ? lf_json_parse (t->data, t->n, name, &why) : NULL;
  if (!o && why.exit != LF_EXIT_OK)
    (void) LF_FAIL (err, LF_EXIT_USAGE, b->im->what, AGAIN, "the image is not whole: %.100s: %.300s", name, why.why);
  return o;
}

/* Old archives of Docker have one layer many times as a link to the first: "../ID/layer.tar". */
static const char *
without_link (const box *b, const char *name, char out[200])
{
  const text *t = known_text (b, name);
  if (!t || !t->link)
    return name;
  const char *to = t->link, *slash = strrchr (name, '/');
  size_t n = slash ? (size_t) (slash - name) + 1 : 0;
  while (lf_starts (to, "../") && n > 0)
    {
      for (to += 3, n--; n > 0 && name[n - 1] != '/';)
        n--;
    }
  if (known_text (b, to) == t || snprintf (out, 200, "%.*s%s", (int) n, name, to) >= 200)
    return name;
  return out;
}

static int
add_layer (box *b, const char *name, lf_error *err)
{
  lf_image *im = b->im;
  char buf[200];
  name = without_link (b, name, buf);
  if (!name_ok (name))
    return bad (b, err, "a layer has no proper name");
  if (im->layers_n == LF_IMAGE_LAYERS_MAX)
    return bad (b, err, "it has too many layers");
  lf_image_layer *l = &im->layers[im->layers_n];
  *l = (lf_image_layer){ .bytes = LF_NONE, .same_as = im->layers_n };
  snprintf (l->name, sizeof l->name, "%s", name);
  for (size_t i = im->layers_n; i-- > 0;)
    if (strcmp (im->layers[i].name, name) == 0)
      l->same_as = im->layers[i].same_as;
  im->layers_n++;
  return 0;
}

/* sha256:HEX is blobs/sha256/HEX. */
static const char *
blob_name (const cJSON *descriptor, char out[200])
{
  const char *digest = lf_json_str (descriptor, "digest"), *colon = digest ? strchr (digest, ':') : NULL;
  if (!colon || strlen (digest) > 150 || strchr (digest, '/') || snprintf (out, 200, "blobs/%.*s/%s", (int) (colon - digest), digest, colon + 1) >= 200)
    return NULL;
  return out;
}

/* ---- what is written ------------------------------------------------------------------------------------------------------------------- */

/* "/bin/sh -c #(nop) CMD [...]" and "RUN /bin/sh -c pip install ... # buildkit" are for machines: the middle is for people. */
static void
set_made_by (lf_image_layer *l, const char *by)
{
  static const char *const before[] = { "|", "/bin/sh -c #(nop) ", "/bin/sh -c ", "RUN " };
  for (size_t i = 1; i < LF_ARRAY_LEN (before); i++)
    if (lf_starts (by, before[i]))
      by += strlen (before[i]);
  if (lf_starts (by, "/bin/sh -c "))
    by += strlen ("/bin/sh -c ");
  by += strspn (by, " \t");
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (lf_buf_add_printable (&b, by, strnlen (by, 400)) == 0 && b.data)
    lf_str_copy (l->made_by, sizeof l->made_by, (lf_str){ b.data, b.len });
  char *end = strstr (l->made_by, " # buildkit");
  if (end)
    *end = '\0';
}

static void
read_config (lf_image *im, const cJSON *config)
{
  const cJSON *run = cJSON_GetObjectItemCaseSensitive (config, "config"), *history = cJSON_GetObjectItemCaseSensitive (config, "history"), *one;
  const cJSON *cmd = cJSON_GetObjectItemCaseSensitive (run, "Cmd"), *entry = cJSON_GetObjectItemCaseSensitive (run, "Entrypoint");
  const char *arch = lf_json_str (config, "architecture"), *os = lf_json_str (config, "os");
  lf_str_copy (im->arch, sizeof im->arch, (lf_str){ arch ? arch : "", arch ? strlen (arch) : 0 });
  lf_str_copy (im->os, sizeof im->os, (lf_str){ os ? os : "", os ? strlen (os) : 0 });
  im->starts = cJSON_GetArraySize (cmd) > 0 || cJSON_GetArraySize (entry) > 0;
  const char *first = cJSON_GetStringValue (cJSON_GetArrayItem (cmd, 0));
  if (first)
    lf_str_copy (im->handler, sizeof im->handler, (lf_str){ first, strlen (first) });
  size_t i = 0;
  cJSON_ArrayForEach (one, history)
    if (!lf_json_bool (one, "empty_layer", false) && i < im->layers_n)
      {
        const char *by = lf_json_str (one, "created_by");
        if (by)
          set_made_by (&im->layers[i], by);
        i++;
      }
}

static int
docker_manifest (box *b, const cJSON *list, lf_error *err)
{
  const cJSON *one = cJSON_GetArrayItem (list, 0), *layers = cJSON_GetObjectItemCaseSensitive (one, "Layers"), *l;
  lf_error ignored = { 0 };
  if (cJSON_GetArraySize (list) > 1)
    return LF_FAIL (err, LF_EXIT_USAGE, b->im->what, "save one: docker save IMAGE -o image.tar", "the archive holds %d images", cJSON_GetArraySize (list));
  if (!cJSON_IsArray (layers))
    return bad (b, err, "its manifest.json lists no layers");
  cJSON_ArrayForEach (l, layers)
    if (!cJSON_IsString (l) || add_layer (b, l->valuestring, err) != 0)
      return cJSON_IsString (l) ? -1 : bad (b, err, "its manifest.json has no list of layers");
  const char *config = lf_json_str (one, "Config");
  cJSON *said LF_CLEANUP (lf_json_freep) = config ? json_of (b, config, &ignored) : NULL;
  if (said)
    read_config (b->im, said);
  return 0;
}

static int
oci_manifest (box *b, const cJSON *m, lf_error *err)
{
  const cJSON *l, *layers = cJSON_GetObjectItemCaseSensitive (m, "layers");
  lf_error ignored = { 0 };
  char name[200];
  if (!cJSON_IsArray (layers))
    return bad (b, err, "its manifest lists no layers");
  cJSON_ArrayForEach (l, layers)
    {
      const char *blob = blob_name (l, name);
      if (!blob)
        return bad (b, err, "a layer has no digest");
      if (add_layer (b, blob, err) != 0)
        return -1;
    }
  const char *blob = blob_name (cJSON_GetObjectItemCaseSensitive (m, "config"), name);
  cJSON *said LF_CLEANUP (lf_json_freep) = blob ? json_of (b, blob, &ignored) : NULL;
  if (said)
    read_config (b->im, said);
  return 0;
}

/* Signatures and statements about the image stand beside it as if they were images. */
static bool
is_image_of (const cJSON *d, const char *arch)
{
  const cJSON *platform = cJSON_GetObjectItemCaseSensitive (d, "platform"), *notes = cJSON_GetObjectItemCaseSensitive (d, "annotations");
  const char *its = lf_json_str (platform, "architecture"), *os = lf_json_str (platform, "os");
  return !lf_streq (os, "unknown") && !lf_json_str (notes, "vnd.docker.reference.type") && (!arch || !its || strcmp (its, arch) == 0);
}

/* The one for the processor, or, if there is none, the only one. */
static const cJSON *
choose (const cJSON *list, const char *arch, int *others)
{
  const cJSON *d, *found = NULL;
  *others = 0;
  for (int pass = 0; pass < 2 && !found; pass++)
    cJSON_ArrayForEach (d, list)
      if (is_image_of (d, pass == 0 ? arch : NULL))
        {
          if (found && !lf_streq (lf_json_str (found, "digest"), lf_json_str (d, "digest")))
            ++*others;
          found = found ? found : d;
        }
  return found;
}

static int
oci_index (box *b, const cJSON *index, const char *arch, lf_error *err)
{
  LF_CLEANUP (lf_json_freep) cJSON *held = NULL;
  char name[200];
  for (int depth = 0; depth <= NESTED_MAX; depth++)
    {
      const cJSON *list = cJSON_GetObjectItemCaseSensitive (index, "manifests");
      int others = 0;
      if (!cJSON_IsArray (list))
        return depth == 0 ? bad (b, err, "its index.json lists no image") : oci_manifest (b, index, err);
      const cJSON *d = choose (list, arch, &others);
      if (others > 0)
        return LF_FAIL (err, LF_EXIT_USAGE, b->im->what, "save one: skopeo copy docker-daemon:IMAGE oci:DIR", "it holds %d images", others + 1);
      const char *blob = d ? blob_name (d, name) : NULL;
      cJSON *next = blob ? json_of (b, blob, err) : NULL;
      if (!next)
        return err->exit != LF_EXIT_OK ? -1 : bad (b, err, d ? "the manifest that its index names is not there" : "its index.json names no image");
      cJSON_Delete (held);
      held = next;
      index = held;
    }
  return bad (b, err, "its index leads to an index again and again");
}

/* ---- layers --------------------------------------------------------------------------------------------------------------------------- */

static int
take_layer (box *b, lf_tar *t, lf_error *err)
{
  lf_image *im = b->im;
  for (size_t i = 0; i < im->layers_n && t->type == '0'; i++)
    if (im->layers[i].same_as == i && im->layers[i].bytes == LF_NONE && strcmp (im->layers[i].name, t->path) == 0)
      {
        LF_CLEANUP (lf_pkg_stream_freep) lf_pkg_stream *plain = lf_pkg_stream_unpacked (lf_tar_stream (t), im->what, err);
        return plain ? lf_image_read_layer (im, i, plain, err) : -1;
      }
  return 0;
}

static int
read_layers (box *b, lf_error *err)
{
  lf_image *im = b->im;
  if (!b->folder && each_member (b, take_layer, err) != 0)
    return -1;
  for (size_t i = 0; i < im->layers_n && b->folder; i++)
    {
      int64_t size;
      if (im->layers[i].same_as != i)
        continue;
      LF_CLEANUP (lf_closep) int fd = open_in_folder (b, im->layers[i].name, &size);
      LF_CLEANUP (lf_pkg_stream_freep) lf_pkg_stream *s = fd >= 0 ? lf_pkg_stream_unpacked (lf_pkg_stream_file (fd, 0, size), im->what, err) : NULL;
      if (fd >= 0 && (!s || lf_image_read_layer (im, i, s, err) != 0))
        return -1;
    }
  for (size_t i = 0; i < im->layers_n; i++)
    {
      lf_image_layer *l = &im->layers[i];
      if (im->layers[l->same_as].bytes == LF_NONE)
        return LF_FAIL (err, LF_EXIT_USAGE, im->what, AGAIN, "the image is not whole: layer %zu of %zu, %.100s, is not in it", i + 1, im->layers_n, l->name);
      if (l->same_as == i)
        continue;
      l->bytes = im->layers[l->same_as].bytes; /* the same files once more: they show nothing new, but count */
      im->bytes += l->bytes;
    }
  return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------------ */

static int
open_box (const char *path, box *b, lf_error *err)
{
  struct stat st;
  b->fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (b->fd < 0 || fstat (b->fd, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, path, "check the path", "cannot be opened: %s", strerror (errno));
  b->folder = S_ISDIR (st.st_mode);
  b->size = st.st_size;
  return b->folder || each_member (b, take_text, err) == 0 ? 0 : -1;
}

static int
read_manifest (box *b, lf_arch arch, lf_error *err)
{
  cJSON *docker LF_CLEANUP (lf_json_freep) = json_of (b, "manifest.json", err);
  cJSON *index LF_CLEANUP (lf_json_freep) = !docker && err->exit == LF_EXIT_OK ? json_of (b, "index.json", err) : NULL;
  if (err->exit != LF_EXIT_OK)
    return -1;
  if (docker)
    return docker_manifest (b, docker, err);
  return index ? oci_index (b, index, arch == LF_ARCH_ARM64 ? "arm64" : "amd64", err) : bad (b, err, "it has neither a manifest.json nor an index.json");
}

int
lf_image_read (const char *path, lf_arch arch, lf_image *out, lf_error *err)
{
  *out = (lf_image){ .what = path };
  box b LF_CLEANUP (box_fini) = { .im = out, .fd = -1 };
  out->layers = calloc (LF_IMAGE_LAYERS_MAX, sizeof *out->layers);
  int rc = out->layers ? open_box (path, &b, err) : LF_FAIL_NOMEM (err);
  if (rc == 0)
    rc = read_manifest (&b, arch, err);
  if (rc == 0 && out->layers_n == 0)
    rc = bad (&b, err, "it has no layers");
  if (rc == 0)
    rc = read_layers (&b, err);
  if (rc == 0)
    rc = lf_image_hide (out, err);
  if (rc != 0)
    lf_image_fini (out);
  return rc;
}

void
lf_image_fini (lf_image *im)
{
  if (!im)
    return;
  for (size_t i = 0; i < im->layers_n && im->layers; i++)
    free (im->layers[i].v);
  free (im->layers);
  lf_pkg_arena_fini (&im->names);
  *im = (lf_image){ 0 };
}

/* ---- is it one? ------------------------------------------------------------------------------------------------------------------------ */

/* 64 hexadecimal digits, as Docker and Podman name what they save, or OCI's folder. */
static bool
begins_like_one (const char *name)
{
  if (lf_starts (name, "sha256:"))
    name += strlen ("sha256:");
  return strspn (name, "0123456789abcdef") == 64 || strcmp (name, "blobs") == 0 || lf_starts (name, "blobs/");
}

/* Whatever else it was to do: `folder` says that it is one. Of a packed archive the first name decides, since the rest means unpacking. */
static int
look_for_manifest (box *b, lf_tar *t, lf_error *err)
{
  static const char *const names[] = { "manifest.json", "oci-layout", "index.json", "repositories" };
  (void) err;
  bool packed = t->s->packed;
  b->folder = packed && begins_like_one (t->path);
  for (size_t i = 0; i < LF_ARRAY_LEN (names); i++)
    b->folder = b->folder || strcmp (t->path, names[i]) == 0;
  return b->folder || packed ? -1 : 0;
}

bool
lf_image_is (const char *path)
{
  lf_image im = { .what = path };
  lf_error ignored = { 0 };
  unsigned char head[262] = { 0 };
  LF_CLEANUP (lf_closep) int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) != 0)
    return false;
  if (S_ISDIR (st.st_mode))
    {
      LF_CLEANUP (lf_freep) char *layout = lf_asprintf ("%s/oci-layout", path);
      LF_CLEANUP (lf_freep) char *index = lf_asprintf ("%s/index.json", path);
      return layout && index && access (layout, F_OK) == 0 && access (index, F_OK) == 0;
    }
  if (!S_ISREG (st.st_mode) || pread (fd, head, sizeof head, 0) < 4)
    return false;
  if (memcmp (head, "\x1f\x8b", 2) != 0 && memcmp (head, "\x28\xb5\x2f\xfd", 4) != 0 && memcmp (head + 257, "ustar", 5) != 0)
    return false; /* a zip, mostly: nothing is read of it */
  box b = { .im = &im, .fd = fd, .size = st.st_size };
  (void) each_member (&b, look_for_manifest, &ignored);
  return b.folder;
}
