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

/* ---- has it changed? ---------------------------------------------------------------------------------------------------------------- */

typedef struct lf_watch lf_watch;
/* Folders (with all below them) and files. NULL: the system cannot, with what to do. Blocks while it walks the folders. */
lf_watch *lf_watch_new (const lf_strv *targets, lf_error *err);
void lf_watch_free (lf_watch *w);
/* Changes of a path that begins so do not count: what we write ourselves. 0 or -1 (no memory). */
int lf_watch_ignore (lf_watch *w, const char *path);
/* True when something changed since the last look: `what` names the first of it. Never blocks; forgets all changes so far. */
bool lf_watch_changed (lf_watch *w, char what[256]);

/* ---- what takes the space --------------------------------------------------------------------------------------------------------- */

typedef enum
{
  LF_SPACE_PACKAGE, LF_SPACE_TESTS, LF_SPACE_CACHE, LF_SPACE_HEADERS, LF_SPACE_DEBUG, LF_SPACE_CUDA, LF_SPACE_ARCHIVE, LF_SPACE_DUPLICATE,
  LF_SPACE_OTHER, LF_SPACE_HIDDEN /* of an image: in a layer, but not seen */, LF_SPACE_KINDS
} lf_space_kind;
const char *lf_space_kind_name (lf_space_kind k); /* "package", "tests", ... */

/* The entries part the bytes among them: each byte is in exactly one. */
typedef struct lf_space_entry
{
  const char *path;      /* in its target; "." for files at the top */
  const char *name, *version; /* version may be NULL */
  const char *hint;      /* what to do about it; may be NULL */
  lf_space_kind kind;
  int target;
  int64_t bytes, files;
} lf_space_entry;
typedef struct lf_space_folder { const char *path; int64_t bytes, files; int depth, target; size_t parent; bool is_file; } lf_space_folder; /* preorder; depth 0: a target */
typedef struct lf_space_layer { const char *name, *made_by; int64_t bytes, hidden_bytes, files; } lf_space_layer; /* of an image, first to last */
typedef struct lf_space
{
  lf_space_entry *entries;  /* largest first */
  size_t n;
  lf_space_folder *folders; /* folders, and files of some size */
  size_t folders_n;
  int64_t unzipped_bytes, files;
  int64_t zipped_bytes;     /* of all targets; LF_NONE when one of them is a folder */
  int64_t largest_zip;      /* the largest zip among them, LF_NONE without one */
  bool is_image;            /* then unzipped_bytes is the size of all layers unpacked, hidden files and the archives' own bytes included, as Lambda's limit counts */
  lf_space_layer *layers;
  size_t layers_n;
  struct lf_space_impl *impl;
} lf_space;
/* Is it a container image: an archive of one, or a folder in OCI's layout? Reads of it what says so. */
bool lf_image_is (const char *path);
/* Folders and zips, or one container image (an archive as `docker save` or `podman save` write it, or OCI's layout as a folder or an archive), none of which is
 * unpacked to disk. The size limit is not applied. Of an image for several processors that for `arch` is taken. */
int lf_space_measure (const lf_strv *targets, lf_arch arch, lf_space *out, lf_error *err);
void lf_space_fini (lf_space *s);
/* A self-contained page with a treemap and the entries; `allowed` is the limit it is compared with. 0 or -1 (no memory). */
int lf_space_html (const lf_space *s, int64_t allowed, lf_buf *out);

/* ---- will it load? ------------------------------------------------------------------------------------------------------------------ */

typedef struct lf_check_options
{
  const char *runtime;   /* NULL: from its compiled modules and folders */
  lf_arch arch;
  int64_t image_max_bytes; /* of a container image; LF_NONE: its size is not judged */
} lf_check_options;
typedef struct lf_problem { const char *rule; char *path, *message, *fix; } lf_problem;
typedef struct lf_problems
{
  lf_problem *v;
  size_t n;
  char runtime[32];      /* what it was checked for; "" when nothing says */
  lf_arch arch;
  bool is_function;      /* has a handler at its top, so it was judged as a function's package and not as a layer */
  bool is_image;         /* a container image */
} lf_problems;
/* A folder or a zip (unpacked into the cache) against every rule, an image against those of images. -1 only when it cannot be looked at. */
int lf_package_check (const char *target, const lf_check_options *o, lf_problems *out, lf_error *err);
void lf_problems_fini (lf_problems *p);
typedef struct lf_check_rule { const char *id, *what, *fix; } lf_check_rule;
size_t lf_check_rules (const lf_check_rule **out); /* the table, for help and documentation */

/* ---- what rules ask ------------------------------------------------------------------------------------------------------------------- */

/* Sizes, what could be left out, GPU libraries, what would not load, and what the code asks for. What cannot be looked at stays unknown.
 * Takes about 0.1 s for 200 MB, the first time for what is unpacked in the cache: before serving. The function's layers are paths; opt_dir: what
 * they were merged into, or NULL. */
void lf_package_facts_read (const lf_package *p, const char *opt_dir, int64_t layer_bytes, const lf_function *f, lf_package_facts *out);
/* Of these only what could be left out and GPU libraries: of what was measured; also of a target (folder or zip) that is too large to be opened. */
void lf_space_facts (const lf_space *s, lf_package_facts *out);
void lf_package_space_facts (const char *target, const lf_function *f, lf_package_facts *out);

/* ---- building ------------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_build_options
{
  int python_minor;        /* of the runtime: 12 for python3.12; -1 when it is not Python */
  lf_arch arch;
  int glibc_minor;         /* of the runtime's system: 34 for 2.34 */
  const char *python;      /* an interpreter to run pip and the compiler with; NULL when there is none */
  bool python_exact;       /* it has the runtime's version, so what it compiles is valid there */
  bool no_compile;
  const char *as;          /* "python", "nodejs", "lib", "bin": where a folder belongs; NULL: from its content */
  void (*progress) (void *user, const char *what, double done /* 0..1 */); /* may be NULL */
  void *user;
} lf_build_options;
typedef struct lf_build_result { int64_t zipped_bytes, unzipped_bytes, compiled_bytes, files; size_t compiled; char sha256[65]; char note[200]; } lf_build_result;
/* Folders with installed packages, wheels, layer zips and requirements files (.txt; run through pip) into one layer. The same inputs make
 * the same bytes. */
int lf_layer_build (const lf_strv *inputs, const char *out, const lf_build_options *o, lf_build_result *res, lf_error *err);
/* The first part of a build: inputs put in place under the folder root and compiled. */
int lf_layer_stage (const lf_strv *inputs, const char *root, const lf_build_options *o, char note[200], lf_error *err);

typedef struct lf_double_options { lf_build_options build; int64_t package_max_bytes, init_limit_ms, tmp_max_mb; } lf_double_options;
typedef struct lf_double_result
{
  int64_t outer_zipped_bytes, outer_unzipped_bytes, inner_unpacked_bytes;
  int64_t tmp_needed_mb;     /* what the unpacked packages take of /tmp */
  int64_t extra_init_ms;     /* unpacking with the layer's own helper, measured here; LF_NONE without an interpreter */
  int64_t init_limit_ms;
  bool fits;                 /* outer size, /tmp and init limit */
  char note[200];
} lf_double_result;
/* Python packages (and the libraries in lib/) as a zip inside a layer, unpacked to /tmp by the first import of one of them. */
int lf_double_zip (const lf_strv *inputs, const char *out, const lf_double_options *o, lf_double_result *res, lf_error *err);

/* Which Python 3.N the inputs are for: by wheels' tags, compiled modules and folders; else this machine's plain python3, else 12. */
int lf_layer_python (const lf_strv *inputs);
/* glibc and libstdc++ of the system a runtime runs on: 26 and 24 (Amazon Linux 2), 34 and 29 (Amazon Linux 2023). */
void lf_runtime_system (const lf_runtime_info *rt, const char *id, int *glibc_minor, int *glibcxx_minor, const char **name);

/* ---- the cache ------------------------------------------------------------------------------------------------------------------------ */

/* A folder that lf_layers_open gave is no longer used; that of a package goes with lf_package_fini. Until then (and while another
 * process uses it) it stays. Folders that are not the cache's, and NULL, are left alone. */
void lf_cache_release (const char *dir);
typedef struct lf_cache_entry { const char *kind; /* "packages", "layers" */ char sha256[65]; int64_t bytes, files, used_us; } lf_cache_entry;
/* Unpacked packages and merged layers, most recently used first; the caller frees *out. */
int lf_cache_list (lf_cache_entry **out, size_t *n, lf_error *err);
/* Removes all but max_bytes of each kind, least recently used first; what a running process uses stays. Returns the bytes freed. */
int64_t lf_cache_clear (int64_t max_bytes);

#endif
