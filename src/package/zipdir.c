/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a zip, read by ourselves and not through libzip, because a hostile archive must be judged on what libzip does not
 * show: the bytes of names after a NUL, where each entry's data lies, and which rights a Unix tool wrote.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define END_SIG 0x06054b50u
#define END_LEN 22
#define END64_SIG 0x06064b50u
#define END64_LEN 56
#define LOC64_SIG 0x07064b50u
#define LOC64_LEN 20
#define CEN_SIG 0x02014b50u
#define CEN_LEN 46
#define LOCAL_LEN 30
#define REBUILD "build the zip again: lambdafit layer build DIR -o FILE.zip, or zip -r"

static uint16_t
u16 (const unsigned char *p)
{
  return (uint16_t) (p[0] | p[1] << 8);
}

static uint32_t
u32 (const unsigned char *p)
{
  return (uint32_t) u16 (p) | (uint32_t) u16 (p + 2) << 16;
}

static uint64_t
u64 (const unsigned char *p)
{
  return (uint64_t) u32 (p) | (uint64_t) u32 (p + 4) << 32;
}

static int
read_at (int fd, void *p, size_t n, uint64_t at)
{
  size_t done = 0;
  while (done < n)
    {
      ssize_t r = pread (fd, (char *) p + done, n - done, (off_t) (at + done));
      if (r < 0 && errno == EINTR)
        continue;
      if (r <= 0)
        return -1;
      done += (size_t) r;
    }
  return 0;
}

#define BROKEN(z, err, ...) LF_FAIL ((err), LF_EXIT_USAGE, (z)->path, REBUILD, __VA_ARGS__)

/* What a file that is no zip looks like, so that the error can say it. */
static const char *
looks_like (const unsigned char *p, size_t n)
{
  static const struct { const char *magic; size_t n; const char *name; } kinds[] = {
    { "\x1f\x8b", 2, "it is gzip data (a .tar.gz?)" },      { "7z\xbc\xaf\x27\x1c", 6, "it is a 7-Zip archive" },
    { "Rar!", 4, "it is a RAR archive" },                    { "\x28\xb5\x2f\xfd", 4, "it is zstd data" },
    { "BZh", 3, "it is bzip2 data" },                        { "\xfd" "7zXZ", 5, "it is xz data" },
    { "\x7f" "ELF", 4, "it is a compiled program; put it in a folder under the name bootstrap" },
    { "<", 1, "it looks like a web page (a failed download?)" }, { "{", 1, "it looks like JSON text" },
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (kinds); i++)
    if (n >= kinds[i].n && memcmp (p, kinds[i].magic, kinds[i].n) == 0)
      return kinds[i].name;
  return "it has no zip directory at its end";
}

static int
not_a_zip (lf_zip *z, int fd, uint64_t size, lf_error *err)
{
  unsigned char head[8] = { 0 };
  size_t n = size < sizeof head ? (size_t) size : sizeof head;
  if (n && read_at (fd, head, n, 0) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, "", "cannot be read: %s", strerror (errno));
  if (n >= 4 && memcmp (head, "PK\3\4", 4) == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, "copy, download or build it again", "the zip is cut off: its directory, which comes last, is missing");
  if (size == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, REBUILD, "is not a zip: the file is empty");
  return LF_FAIL (err, LF_EXIT_USAGE, z->path, "give a folder or a .zip file", "is not a zip: %s", looks_like (head, n));
}

typedef struct directory { uint64_t records, bytes, at; } directory;

static int
read_end64 (lf_zip *z, int fd, uint64_t end_at, directory *d, lf_error *err)
{
  unsigned char loc[LOC64_LEN], end[END64_LEN];
  if (end_at < LOC64_LEN || read_at (fd, loc, sizeof loc, end_at - LOC64_LEN) != 0 || u32 (loc) != LOC64_SIG)
    return BROKEN (z, err, "the zip's directory says Zip64 but has no Zip64 record");
  uint64_t at = u64 (loc + 8);
  if (at > end_at || end_at - at < END64_LEN + LOC64_LEN || read_at (fd, end, sizeof end, at) != 0 || u32 (end) != END64_SIG)
    return BROKEN (z, err, "the zip's Zip64 record is damaged");
  if (u32 (end + 16) != 0 || u32 (end + 20) != 0)
    return BROKEN (z, err, "the zip is one part of several");
  *d = (directory){ .records = u64 (end + 32), .bytes = u64 (end + 40), .at = u64 (end + 48) };
  if (d->at > at || d->bytes != at - d->at)
    return BROKEN (z, err, "the zip's directory is not where its Zip64 record says");
  return 0;
}

static int
find_directory (lf_zip *z, int fd, uint64_t size, directory *d, lf_error *err)
{
  size_t n = size < END_LEN + 65535 ? (size_t) size : END_LEN + 65535;
  LF_CLEANUP (lf_freep) unsigned char *tail = malloc (n + 1);
  if (!tail)
    return LF_FAIL_NOMEM (err);
  if (n < END_LEN)
    return not_a_zip (z, fd, size, err);
  if (read_at (fd, tail, n, size - n) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, "", "cannot be read: %s", strerror (errno));
  size_t i = n - END_LEN + 1;
  const unsigned char *e = NULL;
  while (i-- > 0 && !e)
    if (u32 (tail + i) == END_SIG && u16 (tail + i + 20) == n - i - END_LEN)
      e = tail + i;
  if (!e)
    return not_a_zip (z, fd, size, err);
  uint64_t end_at = size - n + (uint64_t) (e - tail);
  if (u16 (e + 4) == 0xffff || u16 (e + 10) == 0xffff || u32 (e + 12) == 0xffffffff || u32 (e + 16) == 0xffffffff)
    return read_end64 (z, fd, end_at, d, err);
  if (u16 (e + 4) != 0 || u16 (e + 6) != 0 || u16 (e + 8) != u16 (e + 10))
    return BROKEN (z, err, "the zip is one part of several");
  *d = (directory){ .records = u16 (e + 10), .bytes = u32 (e + 12), .at = u32 (e + 16) };
  if (d->at > end_at || d->bytes != end_at - d->at)
    return BROKEN (z, err, "the zip's directory is not where its last record says (bytes before or inside the archive that do not belong to it?)");
  return 0;
}

static int
bad_name (lf_zip *z, const char *name, size_t n, const char *why, lf_error *err)
{
  lf_buf shown;
  lf_buf_init (&shown, 4096);
  lf_buf_add_printable (&shown, name, n < 200 ? n : 200);
  int r = LF_FAIL (err, LF_EXIT_USAGE, z->path, REBUILD, "refused: the name of an entry %s: %s", why, shown.data ? shown.data : "");
  lf_buf_fini (&shown);
  return r;
}

/* Cleans a name into the arena: "./" and doubled slashes out, trailing slash off. *out is NULL for the top itself. */
static int
clean_name (lf_zip *z, const char *p, size_t n, char **out, lf_error *err)
{
  *out = NULL;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char) p[i] < 0x20 || p[i] == 0x7f)
      return bad_name (z, p, n, p[i] == '\0' ? "holds a NUL byte" : "holds a control character", err);
  if (n == 0)
    return bad_name (z, p, n, "is empty", err);
  if (memchr (p, '\\', n))
    return bad_name (z, p, n, "holds a backslash (a zip tool of Windows wrote it; names must use /)", err);
  if (p[0] == '/')
    return bad_name (z, p, n, "is absolute", err);
  if (n > LF_PKG_NAME_MAX)
    return bad_name (z, p, n, "is too long", err);
  char *w = lf_pkg_arena_alloc (&z->names, n + 1);
  if (!w)
    return LF_FAIL_NOMEM (err);
  size_t len = 0;
  int depth = 0;
  for (size_t i = 0; i < n;)
    {
      const char *slash = memchr (p + i, '/', n - i);
      size_t part = slash ? (size_t) (slash - (p + i)) : n - i;
      if (part == 2 && p[i] == '.' && p[i + 1] == '.')
        return bad_name (z, p, n, "leads out of the package with \"..\"", err);
      if (part > 255 || ++depth > LF_PKG_DEPTH_MAX)
        return bad_name (z, p, n, "is too long or too deep", err);
      if (part > 0 && !(part == 1 && p[i] == '.'))
        {
          if (len)
            w[len++] = '/';
          memcpy (w + len, p + i, part);
          len += part;
        }
      i += part + 1;
    }
  w[len] = '\0';
  *out = len ? w : NULL;
  return 0;
}

/* DOS time without a zone: taken as UTC, the zone Lambda runs in. */
static int64_t
dos_time (uint16_t date, uint16_t clock)
{
  int64_t y = 1980 + (date >> 9), m = date >> 5 & 15, d = date & 31;
  if (m < 1 || m > 12 || d < 1)
    return 315532800; /* 1980-01-01 */
  int64_t yy = m <= 2 ? y - 1 : y, era = yy / 400, yoe = yy - era * 400;
  int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return (era * 146097 + doe - 719468) * 86400 + (clock >> 11) * 3600 + (clock >> 5 & 63) * 60 + (clock & 31) * 2;
}

/* Zip64 sizes and the Unix time from the extra fields. -1 when they are damaged. */
static int
read_extra (const unsigned char *p, size_t n, lf_zip_entry *e, bool need_size, bool need_packed, bool need_offset)
{
  while (n >= 4)
    {
      uint16_t id = u16 (p), len = u16 (p + 2);
      p += 4, n -= 4;
      if (len > n)
        return -1;
      const unsigned char *q = p;
      size_t left = len;
      if (id == 0x0001)
        {
          struct { bool *need; uint64_t *to; } want[] = { { &need_size, &e->size }, { &need_packed, &e->packed }, { &need_offset, &e->offset } };
          for (size_t i = 0; i < LF_ARRAY_LEN (want); i++)
            if (*want[i].need && left >= 8)
              {
                *want[i].to = u64 (q);
                *want[i].need = false;
                q += 8, left -= 8;
              }
        }
      else if (id == 0x5455 && len >= 5 && (q[0] & 1))
        e->mtime_s = (int32_t) u32 (q + 1);
      p += len, n -= len;
    }
  return need_size || need_packed || need_offset ? -1 : 0;
}

/* The kind and the rights, from what a Unix tool wrote, else from the name alone. */
static int
read_kind (lf_zip *z, const unsigned char *c, const char *name, size_t n, lf_zip_entry *e, lf_error *err)
{
  bool slash = n > 0 && name[n - 1] == '/';
  uint32_t attr = u32 (c + 38) >> 16;
  if (c[5] != 3 /* Unix */ && c[5] != 19 /* macOS */)
    {
      bool dir = slash || (u32 (c + 38) & 0x10);
      e->kind = dir ? LF_ZE_DIR : LF_ZE_FILE;
      e->mode = dir ? 0755 : 0644;
      return 0;
    }
  e->mode = attr & 0777; /* setuid, setgid and sticky mean nothing in a package */
  switch (attr & S_IFMT)
    {
    case 0:
    case S_IFREG:
      if (slash && e->size > 0 && (attr & S_IFMT) == S_IFREG)
        return bad_name (z, name, n, "is a folder's but the entry is a file", err);
      e->kind = slash ? LF_ZE_DIR : LF_ZE_FILE;
      break;
    case S_IFDIR:
      e->kind = LF_ZE_DIR;
      break;
    case S_IFLNK:
      if (e->size == 0 || e->size > LF_PKG_LINK_MAX)
        return bad_name (z, name, n, "is a link's whose target is empty or too long", err);
      e->kind = LF_ZE_LINK;
      break;
    default:
      return bad_name (z, name, n, "belongs to a device, pipe or socket, which a package cannot hold", err);
    }
  if (e->kind == LF_ZE_DIR && e->mode == 0)
    e->mode = 0755; /* folders named without rights, as many libraries write them */
  return 0;
}

static int
read_record (lf_zip *z, const unsigned char *c, size_t left, uint64_t index, size_t *used, lf_error *err)
{
  if (left < CEN_LEN || u32 (c) != CEN_SIG)
    return BROKEN (z, err, "the zip's directory is damaged at entry %llu", (unsigned long long) index);
  size_t name_n = u16 (c + 28), extra_n = u16 (c + 30), comment_n = u16 (c + 32);
  *used = CEN_LEN + name_n + extra_n + comment_n;
  if (*used > left)
    return BROKEN (z, err, "the zip's directory is cut off at entry %llu", (unsigned long long) index);
  const char *name = (const char *) c + CEN_LEN;
  uint16_t flags = u16 (c + 8);
  lf_zip_entry e = { .index = index, .method = u16 (c + 10), .packed = u32 (c + 20), .size = u32 (c + 24), .offset = u32 (c + 42),
                     .crc = u32 (c + 16), .raw_n = (uint16_t) name_n, .mtime_s = dos_time (u16 (c + 14), u16 (c + 12)) };
  if (read_extra (c + CEN_LEN + name_n, extra_n, &e, e.size == 0xffffffff, e.packed == 0xffffffff, e.offset == 0xffffffff) != 0)
    return BROKEN (z, err, "the extra fields of entry %llu are damaged", (unsigned long long) index);
  if (clean_name (z, name, name_n, &e.name, err) != 0)
    return -1;
  if (flags & 0x2041)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, "build the zip without a password", "refused: the entry %s is encrypted", e.name ? e.name : "./");
  if (e.method != 0 && e.method != 8)
    return LF_FAIL (err, LF_EXIT_USAGE, z->path, "build the zip with deflate (zip -r does)",
                    "refused: the entry %s uses compression method %d; only stored and deflated entries are read", e.name ? e.name : "./", e.method);
  if (e.method == 0 && e.size != e.packed)
    return BROKEN (z, err, "the stored entry %s has two different sizes", e.name ? e.name : "./");
  if (u16 (c + 34) != 0)
    return BROKEN (z, err, "the zip is one part of several");
  if (e.size > INT64_MAX / 4 || e.packed > INT64_MAX / 4)
    return BROKEN (z, err, "the size of entry %llu is damaged", (unsigned long long) index);
  if (read_kind (z, c, name, name_n, &e, err) != 0)
    return -1;
  if (!e.name)
    return e.kind == LF_ZE_DIR ? 0 : bad_name (z, name, name_n, "names the package itself", err);
  e.raw = strncmp (e.name, name, name_n) == 0 && e.name[name_n] == '\0' ? e.name : lf_pkg_arena_dup (&z->names, name, name_n);
  if (!e.raw)
    return LF_FAIL_NOMEM (err);
  if (e.kind == LF_ZE_FILE)
    {
      z->files++;
      if (z->bytes > INT64_MAX / 2 - (int64_t) e.size)
        return BROKEN (z, err, "the sizes in the zip's directory are damaged");
      z->bytes += (int64_t) e.size;
    }
  z->links += e.kind == LF_ZE_LINK;
  z->v[z->n++] = e;
  return 0;
}

static int
offset_cmp (const void *a, const void *b)
{
  const lf_zip_entry *x = *(lf_zip_entry *const *) a, *y = *(lf_zip_entry *const *) b;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

/* No byte of the archive may serve two entries: that is how small zips that unpack to petabytes are made. */
static int
check_overlap (lf_zip *z, lf_error *err)
{
  LF_CLEANUP (lf_freep) lf_zip_entry **by = malloc ((z->n + 1) * sizeof *by);
  if (!by)
    return LF_FAIL_NOMEM (err);
  for (size_t i = 0; i < z->n; i++)
    by[i] = &z->v[i];
  qsort (by, z->n, sizeof *by, offset_cmp);
  for (size_t i = 0; i < z->n; i++)
    {
      const lf_zip_entry *e = by[i];
      uint64_t next = i + 1 < z->n ? by[i + 1]->offset : z->directory_at;
      uint64_t head = LOCAL_LEN + (uint64_t) e->raw_n;
      if (e->offset > next || next - e->offset < head || next - e->offset - head < e->packed)
        return BROKEN (z, err, i + 1 < z->n ? "refused: the entries %s and %s overlap, as in a zip bomb"
                                            : "refused: the data of %s runs into the zip's directory%s",
                       e->name, i + 1 < z->n ? by[i + 1]->name : "");
    }
  return 0;
}

static int
name_cmp (const void *a, const void *b)
{
  const lf_zip_entry *x = a, *y = b;
  int c = lf_pkg_path_cmp (x->name, y->name);
  return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* Sorted names make both conflicts neighbours: the same name twice, and a file that is somebody's folder. */
static int
check_names (lf_zip *z, lf_error *err)
{
  if (z->n)
    qsort (z->v, z->n, sizeof *z->v, name_cmp);
  size_t kept = 0;
  for (size_t i = 0; i < z->n; i++)
    {
      const lf_zip_entry *e = &z->v[i], *before = kept ? &z->v[kept - 1] : NULL;
      if (before && strcmp (before->name, e->name) == 0)
        {
          if (before->kind == LF_ZE_DIR && e->kind == LF_ZE_DIR)
            continue;
          return BROKEN (z, err, before->kind == LF_ZE_DIR || e->kind == LF_ZE_DIR ? "refused: %s is both a file and a folder"
                                                                                    : "refused: the name %s comes twice",
                         e->name);
        }
      size_t n = before ? strlen (before->name) : 0;
      if (before && before->kind != LF_ZE_DIR && strncmp (e->name, before->name, n) == 0 && e->name[n] == '/')
        return BROKEN (z, err, "refused: %s is both a %s and a folder (of %s)", before->name, before->kind == LF_ZE_LINK ? "link" : "file",
                       e->name + n + 1);
      z->v[kept++] = *e;
    }
  z->n = kept;
  return 0;
}

lf_zip_entry *
lf_zip_find (const lf_zip *z, const char *name, size_t n)
{
  char key[LF_PKG_NAME_MAX + 1];
  if (n > LF_PKG_NAME_MAX)
    return NULL;
  memcpy (key, name, n);
  key[n] = '\0';
  size_t lo = 0, hi = z->n;
  while (lo < hi)
    {
      size_t mid = lo + (hi - lo) / 2;
      int c = lf_pkg_path_cmp (z->v[mid].name, key);
      if (c == 0)
        return &z->v[mid];
      if (c < 0)
        lo = mid + 1;
      else
        hi = mid;
    }
  return NULL;
}

int
lf_zip_read (int fd, const char *path, lf_zip *z, lf_error *err)
{
  *z = (lf_zip){ .path = path };
  struct stat st;
  if (fstat (fd, &st) != 0)
    return LF_FAIL (err, LF_EXIT_USAGE, path, "", "cannot be read: %s", strerror (errno));
  directory d = { 0 };
  if (find_directory (z, fd, (uint64_t) st.st_size, &d, err) != 0)
    return -1;
  if (d.records > LF_PKG_ENTRIES_MAX)
    return LF_FAIL (err, LF_EXIT_USAGE, path, "leave out what the function does not need", "refused: the zip holds %llu entries; %d are the most",
                    (unsigned long long) d.records, LF_PKG_ENTRIES_MAX);
  if (d.bytes > (uint64_t) d.records * (CEN_LEN + 3 * 65535) || d.bytes > LF_BUF_MAX)
    return BROKEN (z, err, "the zip's directory has an impossible size");
  z->records = d.records;
  z->directory_at = d.at;
  LF_CLEANUP (lf_freep) unsigned char *cen = malloc (d.bytes + 1);
  z->v = malloc ((d.records + 1) * sizeof *z->v);
  if (!cen || !z->v)
    return LF_FAIL_NOMEM (err);
  if (read_at (fd, cen, d.bytes, d.at) != 0)
    return BROKEN (z, err, "the zip's directory cannot be read");
  size_t at = 0, used = 0;
  for (uint64_t i = 0; i < d.records; i++, at += used)
    if (read_record (z, cen + at, d.bytes - at, i, &used, err) != 0)
      return -1;
  if (at != d.bytes)
    return BROKEN (z, err, "the zip's directory holds more than the %llu entries it announces", (unsigned long long) d.records);
  if (z->files == 0)
    return LF_FAIL (err, LF_EXIT_USAGE, path, "put the function's files in it", "the zip holds no files");
  return check_overlap (z, err) != 0 || check_names (z, err) != 0 ? -1 : 0;
}

void
lf_zip_fini (lf_zip *z)
{
  if (!z)
    return;
  free (z->v);
  lf_pkg_arena_fini (&z->names);
  *z = (lf_zip){ 0 };
}
