/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of a control group, and where the hierarchies are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_impl.h"

void
lf_cgp_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

int
lf_cgp_open (int dirfd, const char *file, int flags)
{
  int fd = openat (dirfd, file, flags | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int
lf_cgp_write (int dirfd, const char *file, const char *text)
{
  int fd = lf_cgp_open (dirfd, file, O_WRONLY | O_TRUNC);
  if (fd < 0)
    return fd;
  size_t n = strlen (text);
  ssize_t w = write (fd, text, n);
  int e = w < 0 ? -errno : (size_t) w == n ? 0 : -EIO;
  close (fd);
  return e;
}

int
lf_cgp_write_i64 (int dirfd, const char *file, int64_t v)
{
  char text[32];
  snprintf (text, sizeof text, "%lld", (long long) v);
  return lf_cgp_write (dirfd, file, text);
}

int
lf_cgp_pread (int fd, char *buf, size_t n)
{
  buf[0] = '\0';
  if (fd < 0)
    return -EBADF;
  ssize_t r = pread (fd, buf, n - 1, 0);
  if (r < 0)
    return -errno;
  buf[r] = '\0';
  return (int) r;
}

int
lf_cgp_read (int dirfd, const char *file, char *buf, size_t n)
{
  buf[0] = '\0';
  int fd = lf_cgp_open (dirfd, file, O_RDONLY);
  if (fd < 0)
    return fd;
  size_t have = 0;
  int e = 0;
  while (have < n - 1)
    {
      ssize_t r = read (fd, buf + have, n - 1 - have);
      if (r < 0)
        e = -errno;
      if (r <= 0)
        break;
      have += (size_t) r;
    }
  close (fd);
  buf[have] = '\0';
  return e < 0 ? e : (int) have;
}

int64_t
lf_cgp_number (const char *text)
{
  if (text[0] < '0' || text[0] > '9')
    return LF_NONE;
  errno = 0;
  char *end;
  long long v = strtoll (text, &end, 10);
  if (errno || (*end && *end != '\n' && *end != ' '))
    return LF_NONE;
  return v;
}

int64_t
lf_cgp_pread_i64 (int fd)
{
  char buf[64];
  return lf_cgp_pread (fd, buf, sizeof buf) < 0 ? LF_NONE : lf_cgp_number (buf);
}

int64_t
lf_cgp_key (const char *text, const char *key)
{
  size_t n = strlen (key);
  for (const char *p = text; p && *p; p = strchr (p, '\n'), p = p ? p + 1 : NULL)
    if (!strncmp (p, key, n) && p[n] == ' ')
      return lf_cgp_number (p + n + 1);
  return LF_NONE;
}

int64_t
lf_cgp_file_bytes (int fd, const char *file, const char *shmem)
{
  char text[8192];
  if (fd < 0 || lf_cgp_pread (fd, text, sizeof text) <= 0)
    return LF_NONE;
  int64_t f = lf_cgp_key (text, file), s = lf_cgp_key (text, shmem);
  if (f == LF_NONE)
    return LF_NONE;
  return s == LF_NONE || s > f ? 0 : f - s;
}

bool
lf_cgp_has_word (const char *text, const char *word)
{
  size_t n = strlen (word);
  for (const char *p = text; (p = strstr (p, word)) != NULL; p += n)
    if ((p == text || strchr (" ,\n", p[-1])) && strchr (" ,\n", p[n])) /* strchr finds the ending NUL too */
      return true;
  return false;
}

bool
lf_cgp_exists (int dirfd, const char *file)
{
  return faccessat (dirfd, file, F_OK, 0) == 0;
}

bool
lf_cgp_can_write (int dirfd, const char *file)
{
  return faccessat (dirfd, file, W_OK, AT_EACCESS) == 0;
}

/* ---- where hierarchies are ------------------------------------------------------------------------------------------------------------ */

const char *
lf_cgp_controller (int h)
{
  static const char *const names[LF_CGH_COUNT] = { "memory", "cpu", "cpuacct", "pids", "freezer" };
  return names[h];
}

void
lf_cgp_place_fini (lf_cgp_place *p)
{
  free (p->v2.mount);
  free (p->v2.own);
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      free (p->v1[h].mount);
      free (p->v1[h].own);
    }
  memset (p, 0, sizeof *p);
}

/* mountinfo writes blanks, tabs, newlines and backslashes as \ooo. */
static char *
unescape (lf_str s)
{
  char *out = malloc (s.n + 1);
  if (!out)
    return NULL;
  size_t w = 0;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3' && s.p[i + 2] >= '0' && s.p[i + 2] <= '7'
        && s.p[i + 3] >= '0' && s.p[i + 3] <= '7')
      {
        out[w++] = (char) (((s.p[i + 1] - '0') << 6) | ((s.p[i + 2] - '0') << 3) | (s.p[i + 3] - '0'));
        i += 3;
      }
    else
      out[w++] = s.p[i];
  out[w] = '\0';
  return out;
}

static lf_str
next_field (const char **p, const char *end, char sep)
{
  lf_str s = { *p, 0 };
  while (*p < end && **p != sep)
    (*p)++;
  s.n = (size_t) (*p - s.p);
  if (*p < end)
    (*p)++;
  return s;
}

static bool
list_has (lf_str list, const char *word)
{
  const char *p = list.p, *end = list.p + list.n;
  while (p < end)
    {
      lf_str f = next_field (&p, end, ',');
      if (f.n == strlen (word) && !memcmp (f.p, word, f.n))
        return true;
    }
  return false;
}

/* Our path in a hierarchy from the text of /proc/self/cgroup: controller NULL means v2's line "0::PATH". Owned by the caller. */
static char *
self_path (const char *self, const char *controller)
{
  const char *end = self + strlen (self), *p = self;
  while (p < end)
    {
      lf_str line = next_field (&p, end, '\n');
      const char *q = line.p, *line_end = line.p + line.n;
      lf_str id = next_field (&q, line_end, ':'), list = next_field (&q, line_end, ':');
      bool v2 = id.n == 1 && id.p[0] == '0' && list.n == 0;
      if (controller ? list_has (list, controller) : v2)
        return lf_strndup (q, (size_t) (line_end - q));
    }
  return NULL;
}

/* Where `own` (a path of the hierarchy) is below a mount that shows `root` of it; NULL when it is not visible there. */
static char *
below (const char *own, const char *root)
{
  size_t n = strcmp (root, "/") ? strlen (root) : 0;
  if (strstr (own, "/..") || strncmp (own, root, n) != 0 || (own[n] && own[n] != '/'))
    return NULL;
  while (own[n] == '/')
    n++;
  return lf_strdup (own + n);
}

/* A mount where we see ourselves is better than one where we do not; otherwise the first wins. */
static int
take (lf_cgp_spot *s, const char *mount, const char *root, const char *self, const char *controller)
{
  char *path LF_CLEANUP (lf_freep) = self_path (self, controller);
  char *own LF_CLEANUP (lf_freep) = path ? below (path, root) : NULL;
  if (s->mount && (s->own || !own))
    return 0;
  free (s->mount);
  free (s->own);
  s->own = lf_strdup (own);
  s->mount = lf_strdup (mount);
  return s->mount && (!own || s->own) ? 0 : -1;
}

static int
mount_line (const char *p, const char *end, const char *self, lf_cgp_place *out)
{
  for (int i = 0; i < 3; i++)
    next_field (&p, end, ' ');
  char *root LF_CLEANUP (lf_freep) = unescape (next_field (&p, end, ' '));
  char *mount LF_CLEANUP (lf_freep) = unescape (next_field (&p, end, ' '));
  lf_str f;
  do
    f = next_field (&p, end, ' ');
  while (f.n && !(f.n == 1 && f.p[0] == '-'));
  if (!f.n)
    return 0;
  lf_str type = next_field (&p, end, ' ');
  next_field (&p, end, ' ');
  lf_str options = next_field (&p, end, ' ');
  if (!root || !mount)
    return -1;
  if (type.n == 7 && !memcmp (type.p, "cgroup2", 7))
    return take (&out->v2, mount, root, self, NULL);
  if (type.n == 6 && !memcmp (type.p, "cgroup", 6))
    for (int h = 0; h < LF_CGH_COUNT; h++)
      if (list_has (options, lf_cgp_controller (h)) && take (&out->v1[h], mount, root, self, lf_cgp_controller (h)))
        return -1;
  return 0;
}

int
lf_cgp_place_parse (const char *mountinfo, const char *self, lf_cgp_place *out)
{
  memset (out, 0, sizeof *out);
  const char *end = mountinfo + strlen (mountinfo), *p = mountinfo;
  while (p < end)
    {
      lf_str line = next_field (&p, end, '\n');
      if (mount_line (line.p, line.p + line.n, self, out))
        {
          lf_cgp_place_fini (out);
          return -1;
        }
    }
  return 0;
}

int
lf_cgp_place_under (const char *root, lf_cgp_place *out)
{
  memset (out, 0, sizeof *out);
  char *probe LF_CLEANUP (lf_freep) = lf_asprintf ("%s/cgroup.controllers", root);
  if (!probe)
    return -1;
  if (access (probe, F_OK) == 0)
    {
      out->v2.mount = lf_strdup (root);
      out->v2.own = lf_strdup ("");
    }
  for (int h = 0; h < LF_CGH_COUNT; h++)
    {
      char *dir = lf_asprintf ("%s/%s", root, lf_cgp_controller (h));
      struct stat st;
      if (dir && stat (dir, &st) == 0 && S_ISDIR (st.st_mode))
        {
          out->v1[h].mount = dir;
          out->v1[h].own = lf_strdup ("");
        }
      else
        free (dir);
    }
  return 0;
}
