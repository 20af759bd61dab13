/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the package room share: the tree of a folder, the directory of a zip, safe unpacking, and the cache by content.
 */
#ifndef LAMBDAFIT_PACKAGE_INTERNAL_H
#define LAMBDAFIT_PACKAGE_INTERNAL_H

#include <sys/types.h>

#include "lambdafit/package.h"

#define LF_PKG_ENTRIES_MAX 500000
#define LF_PKG_NAME_MAX 4000      /* bytes of a path inside a package: PATH_MAX with room for the folder it is put in */
#define LF_PKG_DEPTH_MAX 128
#define LF_PKG_LINK_MAX 4095

/* ---- strings that live as long as their owner -------------------------------------------------------------------------------- */

typedef struct lf_pkg_arena { struct lf_pkg_chunk *head; } lf_pkg_arena;
char *lf_pkg_arena_alloc (lf_pkg_arena *a, size_t n);                 /* unaligned bytes; NULL when out of memory */
char *lf_pkg_arena_dup (lf_pkg_arena *a, const char *p, size_t n);    /* NUL-terminated copy */
void lf_pkg_arena_fini (lf_pkg_arena *a);

/* Order of paths in which a folder comes right before what is in it: '/' sorts before every other byte. */
int lf_pkg_path_cmp (const char *a, const char *b);

/* ---- a folder's tree ----------------------------------------------------------------------------------------------------------- */

typedef struct lf_pkg_node
{
  char *path;          /* relative to the top, no leading "./" */
  mode_t mode;
  int64_t size;
  int64_t mtime_ns;
  uint64_t dev, ino;
  bool unreadable;     /* a folder that could not be listed */
} lf_pkg_node;
typedef struct lf_pkg_tree
{
  lf_pkg_node *v;
  size_t n, cap;
  lf_pkg_arena names;
  int64_t bytes, files; /* regular files */
} lf_pkg_tree;
/* Every entry below dir, sorted by lf_pkg_path_cmp, links not followed. Folders that cannot be listed are marked when `tolerant`, else an error. */
int lf_pkg_tree_read (const char *dir, bool tolerant, lf_pkg_tree *t, lf_error *err);
void lf_pkg_tree_fini (lf_pkg_tree *t);
/* base64 digest of paths, modes, sizes, times and link targets. */
int lf_pkg_tree_sha (const char *dir, const lf_pkg_tree *t, char hex[65], lf_error *err);
/* Removes a tree whatever the permissions of its folders are. */
int lf_pkg_remove (const char *path, lf_error *err);

/* ---- a zip's directory ---------------------------------------------------------------------------------------------------------- */

typedef enum { LF_ZE_FILE, LF_ZE_DIR, LF_ZE_LINK } lf_zip_kind;
typedef struct lf_zip_entry
{
  char *name;             /* cleaned: no "./", no trailing '/' */
  const char *raw;        /* as the archive has it, raw_n bytes */
  char *target;           /* a link's, once read */
  uint64_t index;         /* in the archive's directory */
  uint64_t size, packed, offset;
  uint32_t crc;
  int64_t mtime_s;
  mode_t mode;            /* permission bits only */
  uint16_t raw_n;
  uint16_t method;
  lf_zip_kind kind;
} lf_zip_entry;
typedef struct lf_zip
{
  const char *path;
  lf_zip_entry *v;        /* sorted by name after lf_zip_read */
  size_t n;
  uint64_t records;       /* entries of the archive, folders written twice included */
  uint64_t directory_at;
  lf_pkg_arena names;
  int64_t bytes, files, links;
} lf_zip;
/* Reads and judges the directory of the zip open at fd: every rule that needs no decompression. */
int lf_zip_read (int fd, const char *path, lf_zip *z, lf_error *err);
void lf_zip_fini (lf_zip *z);
/* Looks a cleaned name up; NULL when absent. */
lf_zip_entry *lf_zip_find (const lf_zip *z, const char *name, size_t n);
/* Every link's target resolved inside the archive's own names; -1 for the first that leads out. */
int lf_zip_check_links (const lf_zip *z, lf_error *err);
/* The same, after reading the targets from the zip open at fd, whose directory was read. */
int lf_zip_read_links (int fd, lf_zip *z, lf_error *err);
/* Unpacks into the empty folder `root`. Stops at max_bytes whatever the directory declares. */
int lf_zip_unpack (int fd, lf_zip *z, const char *root, int64_t max_bytes, lf_error *err);
/* lf_package_open, with the digest as the cache writes it. */
int lf_pkg_open_hex (const char *target, int64_t max_bytes, lf_package *out, char hex[65], lf_error *err);
/* What the sandbox's user may do with a file of this mode on Lambda, where the files are root's: the rights of "others", for everybody. */
mode_t lf_pkg_lambda_mode (mode_t m, bool dir);

int lf_pkg_too_big (const char *what, int64_t bytes, int64_t max_bytes, lf_error *err);

/* The handler's file under dir, by the rules of the runtime's language; *path (may be NULL) is relative and the caller's. */
bool lf_pkg_handler_file (const char *dir, lf_runtime_kind kind, const char *handler, char **path);

/* 11 when this machine's python3 is 3.11; -1 when no Python of Lambda's range is found. Nothing is started. */
int lf_pkg_host_python (void);
/* ---- the cache ------------------------------------------------------------------------------------------------------------------- */

typedef struct lf_pkg_meta { int64_t bytes, files; } lf_pkg_meta;
typedef struct lf_pkg_build
{
  char *dir, *root;  /* .../.tmp-XXXX and its root/ */
  int lock;
} lf_pkg_build;
/* 1: *root is the finished folder of this content, kept from eviction until lf_cache_release; 0: not there. */
int lf_pkg_cache_find (const char *kind, const char *hex, char **root, lf_pkg_meta *meta);
int lf_pkg_cache_begin (const char *kind, lf_pkg_build *b, lf_error *err);
/* Makes the built folder the entry for hex. If another process was first, its folder is taken. */
int lf_pkg_cache_publish (const char *kind, const char *hex, const lf_pkg_meta *meta, lf_pkg_build *b, char **root, lf_error *err);
void lf_pkg_cache_abort (lf_pkg_build *b);
typedef struct lf_pkg_cached { char hex[65]; int64_t bytes, files, used_s, used_ns; } lf_pkg_cached;
int lf_pkg_cache_list (const char *kind, lf_pkg_cached **out, size_t *n); /* the caller frees *out; -1 when out of memory */
/* Removes what is unused, oldest first, until the rest is within max_bytes, and what killed processes left. Returns the bytes freed. */
int64_t lf_pkg_cache_shrink (const char *kind, int64_t max_bytes);
/* sha256 of a file, remembered by path, inode, size and times. */
int lf_pkg_file_sha (int fd, const char *path, char hex[65], lf_error *err);
void lf_pkg_hex_to_base64 (const char *hex, char out[45]);

/* ---- a table from strings to numbers ----------------------------------------------------------------------------------------------- */

typedef struct lf_pkg_map { struct lf_pkg_slot *v; size_t n, cap; } lf_pkg_map;
/* Keys are borrowed. Both return where the value is kept (valid until the next add); add makes it -1 when the key is new, NULL: no memory. */
int64_t *lf_pkg_map_add (lf_pkg_map *m, const char *key, size_t n);
int64_t *lf_pkg_map_get (const lf_pkg_map *m, const char *key, size_t n);
void lf_pkg_map_fini (lf_pkg_map *m);

/* ---- files of a folder or a zip, looked at without unpacking ------------------------------------------------------------------------ */

typedef struct lf_pkg_file
{
  const char *path;
  int64_t size, mtime_s;
  mode_t mode;         /* with the kind */
  uint32_t crc;        /* of a zip's files */
  uint64_t index;      /* in the zip */
  const char *data;    /* of an image: the content of the few files that tell of packages; else NULL */
  size_t data_n;
} lf_pkg_file;
typedef struct lf_pkg_source
{
  char *path;
  bool is_zip;
  int fd;              /* the zip, or the folder */
  int64_t zip_bytes;   /* LF_NONE for a folder */
  lf_pkg_file *v;      /* sorted, folders before what is in them */
  size_t n;
  int64_t bytes, files;
  lf_pkg_tree tree;
  lf_zip zip;
  struct zip *handle;
  struct lf_image *image; /* see imagefile.h; NULL: a folder or a zip */
} lf_pkg_source;
int lf_pkg_source_open (const char *path, lf_pkg_source *s, lf_error *err);
void lf_pkg_source_fini (lf_pkg_source *s);
/* A file's first max bytes, appended. */
int lf_pkg_source_read (lf_pkg_source *s, const lf_pkg_file *f, size_t max, lf_buf *out, lf_error *err);
lf_pkg_file *lf_pkg_source_find (const lf_pkg_source *s, const char *path);
/* The version of Python that the compiled modules or the folders of s are for; -1 when nothing says. */
int lf_pkg_guess_python (const lf_pkg_source *s);

#endif
