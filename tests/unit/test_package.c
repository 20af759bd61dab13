/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include <cmocka.h>

#include "../../src/package/internal.h"
#include "rawzip.h"

#define BIG (INT64_C (250) * LF_MB)

static char top[200];

static char *
at (const char *name)
{
  static char path[8][4600];
  static int turn;
  char *p = path[turn++ % 8];
  snprintf (p, sizeof path[0], "%s/%s", top, name);
  return p;
}

static void
put (const char *name, const char *text, mode_t mode)
{
  char *path = at (name);
  lf_error e = { 0 };
  char *slash = strrchr (path, '/');
  *slash = '\0';
  assert_int_equal (lf_mkdir_p (path, 0755, &e), 0);
  *slash = '/';
  raw_save (path, text, strlen (text));
  assert_int_equal (chmod (path, mode), 0);
}

static char *
text_of (const char *dir, const char *name)
{
  static char buf[4096];
  char path[4600];
  snprintf (path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen (path, "re");
  if (!f)
    return NULL;
  size_t n = fread (buf, 1, sizeof buf - 1, f);
  fclose (f);
  buf[n] = '\0';
  return buf;
}

static int
setup (void **state)
{
  (void) state;
  const char *tmp = getenv ("TMPDIR");
  snprintf (top, sizeof top, "%s/lf-package-XXXXXX", tmp && strlen (tmp) < 100 ? tmp : "/tmp");
  if (!mkdtemp (top))
    return -1;
  setenv ("XDG_CACHE_HOME", at ("cache"), 1);
  return 0;
}

static int
teardown (void **state)
{
  (void) state;
  lf_error e = { 0 };
  return lf_pkg_remove (top, &e);
}

/* Opens and expects an error that says `why`; nothing may be left behind. */
static void
refused (const char *path, int64_t max, lf_exit exit, const char *why)
{
  lf_package p;
  lf_error e = { 0 };
  assert_int_equal (lf_package_open (path, max, &p, &e), -1);
  if (!strstr (e.why, why) || e.exit != exit)
    fail_msg ("%s: got (%d) \"%s\", expected (%d) \"%s\"", path, (int) e.exit, e.why, (int) exit, why);
  assert_null (p.dir);
  lf_package_fini (&p);
}

static void
refused_zip (const raw_entry *e, size_t n, const char *why)
{
  raw_write (at ("bad.zip"), e, n);
  refused (at ("bad.zip"), BIG, LF_EXIT_USAGE, why);
}
#define REFUSED(why, ...) refused_zip ((raw_entry[]){ __VA_ARGS__ }, sizeof ((raw_entry[]){ __VA_ARGS__ }) / sizeof (raw_entry), why)

#define F (S_IFREG | 0644)
#define L (S_IFLNK | 0777)

static void
test_directory (void **state)
{
  (void) state;
  put ("d/a.py", "12345", 0644);
  put ("d/sub/b.txt", "123", 0644);
  assert_int_equal (symlink ("/etc/passwd", at ("d/link")), 0);
  lf_package p, q;
  lf_error e = { 0 };
  assert_int_equal (lf_package_open (at ("d"), BIG, &p, &e), 0);
  assert_int_equal (p.unzipped_bytes, 8);
  assert_int_equal (p.files, 2);
  assert_int_equal (p.zip_bytes, LF_NONE);
  assert_false (p.is_zip);
  assert_int_equal (strlen (p.sha256), 44);
  assert_int_equal (lf_package_open (at ("d"), BIG, &q, &e), 0);
  assert_string_equal (p.sha256, q.sha256);
  lf_package_fini (&q);
  put ("d/a.py", "1234567", 0644); /* a change is noticed */
  assert_int_equal (lf_package_open (at ("d"), BIG, &q, &e), 0);
  assert_string_not_equal (p.sha256, q.sha256);
  lf_package_fini (&q);
  lf_package_fini (&p);
  refused (at ("d"), 10, LF_EXIT_FAILED, "Unzipped size must be smaller than 10 bytes");
}

static void
test_not_usable (void **state)
{
  (void) state;
  lf_error e = { 0 };
  refused (at ("absent"), BIG, LF_EXIT_USAGE, "No such file");
  refused ("", BIG, LF_EXIT_USAGE, "no path");
  assert_int_equal (lf_mkdir_p (at ("empty"), 0755, &e), 0);
  refused (at ("empty"), BIG, LF_EXIT_USAGE, "empty");
  assert_int_equal (lf_mkdir_p (at ("hollow/x/y"), 0755, &e), 0);
  refused (at ("hollow"), BIG, LF_EXIT_USAGE, "no files");
  assert_int_equal (mkfifo (at ("pipe"), 0600), 0);
  refused (at ("pipe"), BIG, LF_EXIT_USAGE, "neither");
  raw_save (at ("t.zip"), "", 0);
  refused (at ("t.zip"), BIG, LF_EXIT_USAGE, "file is empty");
  raw_save (at ("t.zip"), "\x1f\x8b rest", 7);
  refused (at ("t.zip"), BIG, LF_EXIT_USAGE, "gzip");
  raw_save (at ("t.zip"), "hello world, this is some text", 30);
  refused (at ("t.zip"), BIG, LF_EXIT_USAGE, "not a zip");
  put ("locked.zip", "x", 0);
  if (geteuid () != 0)
    refused (at ("locked.zip"), BIG, LF_EXIT_USAGE, "Permission denied");
}

static void
test_zip (void **state)
{
  (void) state;
  raw_entry e[] = { { .name = "lambda_function.py", .data = "def lambda_handler(e, c): pass\n", .mode = F, .method = 8 },
                    { .name = "./bin/", .mode = S_IFDIR | 0755 },
                    { .name = "bin//tool", .data = "#!/bin/sh\n", .mode = S_IFREG | 06755 },
                    { .name = "secret", .data = "x", .mode = S_IFREG | 0640 },
                    { .name = "dos.txt", .data = "y" },
                    { .name = "lib/libx.so.1", .data = "elf", .mode = F },
                    { .name = "lib/libx.so", .data = "libx.so.1", .mode = L },
                    { .name = "lib/abs", .data = "/opt/lib/libx.so", .mode = L },
                    { .name = "dangling", .data = "lib/none", .mode = L } };
  raw_write (at ("ok.zip"), e, LF_ARRAY_LEN (e));
  lf_package p, q;
  lf_error err = { 0 };
  assert_int_equal (lf_package_open (at ("ok.zip"), BIG, &p, &err), 0);
  assert_true (p.is_zip);
  assert_int_equal (p.files, 5);
  assert_int_equal (p.unzipped_bytes, 31 + 10 + 1 + 1 + 3);
  assert_string_equal (text_of (p.dir, "lambda_function.py"), "def lambda_handler(e, c): pass\n");
  assert_string_equal (text_of (p.dir, "lib/libx.so"), "elf");
  struct stat st;
  char path[4600];
  snprintf (path, sizeof path, "%s/bin/tool", p.dir);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0755);
  assert_int_equal (st.st_mtime, 1735732800); /* 2025-01-01 12:00 UTC */
  snprintf (path, sizeof path, "%s/secret", p.dir);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 0555, 0); /* others may not read it, and on Lambda the function is one of the others */
  snprintf (path, sizeof path, "%s/dos.txt", p.dir);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 0777, 0644);
  /* The second time it comes from the cache. */
  assert_int_equal (lf_package_open (at ("ok.zip"), BIG, &q, &err), 0);
  assert_string_equal (p.dir, q.dir);
  assert_int_equal (q.unzipped_bytes, p.unzipped_bytes);
  lf_package_fini (&q);
  refused (at ("ok.zip"), 46, LF_EXIT_FAILED, "Unzipped size must be smaller than 46 bytes");
  lf_package_fini (&p);
}

static void
test_libzip_agrees (void **state)
{
  (void) state;
  int code = 0;
  zip_t *z = zip_open (at ("lib.zip"), ZIP_CREATE | ZIP_TRUNCATE, &code);
  assert_non_null (z);
  for (int i = 0; i < 300; i++)
    {
      char name[60];
      snprintf (name, sizeof name, "m%d/f%d.txt", i % 7, i);
      char *data = malloc (5000);
      memset (data, 'a' + i % 26, 5000);
      zip_source_t *s = zip_source_buffer (z, data, 5000, 1);
      zip_int64_t at_index = zip_file_add (z, name, s, 0);
      assert_true (at_index >= 0);
      zip_file_set_external_attributes (z, (zip_uint64_t) at_index, 0, ZIP_OPSYS_UNIX, (zip_uint32_t) (S_IFREG | 0644) << 16);
    }
  assert_int_equal (zip_close (z), 0);
  lf_package p;
  lf_error e = { 0 };
  assert_int_equal (lf_package_open (at ("lib.zip"), BIG, &p, &e), 0);
  assert_int_equal (p.files, 300);
  assert_int_equal (p.unzipped_bytes, 300 * 5000);
  assert_int_equal (text_of (p.dir, "m4/f67.txt")[4000], 'a' + 67 % 26);
  lf_package_fini (&p);
}

static void
test_hostile_names (void **state)
{
  (void) state;
  REFUSED ("leads out", { .name = "../x", .data = "1", .mode = F });
  REFUSED ("leads out", { .name = "a/../../x", .data = "1", .mode = F });
  REFUSED ("leads out", { .name = "a/..", .data = "1", .mode = F });
  REFUSED ("absolute", { .name = "/etc/x", .data = "1", .mode = F });
  REFUSED ("backslash", { .name = "a\\b", .data = "1", .mode = F });
  REFUSED ("control character", { .name = "a\nb", .data = "1", .mode = F });
  REFUSED ("NUL byte", { .name = "a.py\0.txt", .name_n = 9, .data = "1", .mode = F });
  REFUSED ("names the package itself", { .name = "./", .data = "1", .mode = L });
  char longer[5000];
  memset (longer, 'a', sizeof longer);
  REFUSED ("too long", { .name = longer, .name_n = 300, .data = "1", .mode = F });
  REFUSED ("too long", { .name = longer, .name_n = 4500, .data = "1", .mode = F });
  for (size_t i = 1; i < sizeof longer; i += 2)
    longer[i] = '/';
  REFUSED ("too deep", { .name = longer, .name_n = 1001, .data = "1", .mode = F });
  REFUSED ("device, pipe or socket", { .name = "dev", .mode = S_IFCHR | 0666 }, { .name = "a", .data = "1", .mode = F });
  REFUSED ("device, pipe or socket", { .name = "p", .mode = S_IFIFO | 0666 }, { .name = "a", .data = "1", .mode = F });
  REFUSED ("encrypted", { .name = "a", .data = "1", .mode = F, .flags = 1 });
  REFUSED ("compression method 12", { .name = "a", .data = "1", .mode = F, .method = 12 });
  REFUSED ("comes twice", { .name = "a", .data = "1", .mode = F }, { .name = "./a", .data = "2", .mode = F });
  REFUSED ("both a file and a folder", { .name = "a", .data = "1", .mode = F }, { .name = "a/b", .data = "2", .mode = F });
  REFUSED ("both a file and a folder", { .name = "a", .data = "1", .mode = F }, { .name = "a/", .mode = S_IFDIR | 0755 });
  REFUSED ("both a link and a folder", { .name = "a", .data = "/tmp", .mode = L }, { .name = "a/b", .data = "2", .mode = F });
  REFUSED ("another name beside its data", { .name = "aaa", .local_name = "bbb", .data = "1", .mode = F });
  REFUSED ("no files", { .name = "a/", .mode = S_IFDIR | 0755 });
}

static void
test_hostile_links (void **state)
{
  (void) state;
  raw_entry f = { .name = "f", .data = "1", .mode = F };
  REFUSED ("leads out of the package, to /etc/passwd", f, { .name = "a", .data = "/etc/passwd", .mode = L });
  REFUSED ("leads out", f, { .name = "a", .data = "../x", .mode = L });
  REFUSED ("leads out", f, { .name = "d/a", .data = "../../x", .mode = L });
  REFUSED ("leads out", f, { .name = "a", .data = "/optical/x", .mode = L });
  REFUSED ("leads out", f, { .name = "a", .data = "/opt/../etc", .mode = L });
  /* Each looks harmless alone; together they climb. */
  REFUSED ("leads out", f, { .name = "x/y/up", .data = "../..", .mode = L }, { .name = "a", .data = "x/y/up/../etc", .mode = L });
  REFUSED ("leads out", f, { .name = "d/one", .data = "..", .mode = L }, { .name = "e", .data = "d/one/..", .mode = L });
  REFUSED ("empty or too long", f, { .name = "a", .mode = L });
  /* A loop leads nowhere, so it may stay. */
  raw_entry loop[] = { f, { .name = "a", .data = "b", .mode = L }, { .name = "b", .data = "a", .mode = L } };
  raw_write (at ("loop.zip"), loop, 3);
  lf_package p;
  lf_error e = { 0 };
  assert_int_equal (lf_package_open (at ("loop.zip"), BIG, &p, &e), 0);
  lf_package_fini (&p);
}

static void
test_bombs (void **state)
{
  (void) state;
  size_t n = 3 << 20;
  char *zeros = calloc (1, n);
  raw_entry bomb = { .name = "a", .data = zeros, .data_n = n, .mode = F, .method = 8 };
  raw_write (at ("bomb.zip"), &bomb, 1);
  refused (at ("bomb.zip"), 1 << 20, LF_EXIT_FAILED, "Unzipped size must be smaller than 1048576 bytes");
  bomb.declared = 1000; /* lies: found while unpacking */
  raw_write (at ("liar.zip"), &bomb, 1);
  refused (at ("liar.zip"), 1 << 20, LF_EXIT_USAGE, "holds more than the 1000 bytes it declares");
  REFUSED ("overlap", { .name = "a", .data = "12345", .mode = F }, { .name = "b", .same_as = 1, .data = "12345", .mode = F });
  free (zeros);
}

static void
test_damage (void **state)
{
  (void) state;
  char data[3000];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (char) (i * 7 + i / 13);
  raw_entry e[] = { { .name = "a", .data = data, .data_n = sizeof data, .mode = F, .method = 8 },
                    { .name = "d/b", .data = data, .data_n = sizeof data, .mode = F },
                    { .name = "l", .data = "a", .mode = L } };
  REFUSED ("checksum (CRC)", { .name = "a", .data = "12345", .mode = F, .crc_xor = 1 });
  raw_zip z = raw_make (e, 3);
  raw_save (at ("cut.zip"), z.p, z.n - 30);
  refused (at ("cut.zip"), BIG, LF_EXIT_USAGE, "cut off");
  /* Every cut and every changed byte: an error or a whole package, never a crash, never a file outside. */
  unsigned seed = 7;
  for (size_t i = 0; i < 400; i++)
    {
      seed = seed * 1103515245 + 12345;
      raw_zip c = { 0 };
      raw_put (&c, z.p, z.n);
      if (i < 100)
        c.n = z.n - 1 - i;
      else /* mostly in the directory, where the decisions are */
        c.p[i % 3 ? z.n - 1 - seed / 65536 % 190 : seed / 65536 % z.n] ^= (unsigned char) (1u << (i % 8));
      raw_save (at ("fuzz.zip"), c.p, c.n);
      free (c.p);
      lf_package p;
      lf_error err = { 0 };
      int r = lf_package_open (at ("fuzz.zip"), BIG, &p, &err);
      assert_true (r == 0 ? p.dir != NULL : r == -1 && err.why[0]);
      lf_package_fini (&p);
    }
  free (z.p);
}

static void
test_concurrent (void **state)
{
  (void) state;
  char data[20000];
  memset (data, 'z', sizeof data);
  raw_entry e[40];
  char names[40][20];
  for (int i = 0; i < 40; i++)
    {
      snprintf (names[i], sizeof names[i], "m/f%d", i);
      e[i] = (raw_entry){ .name = names[i], .data = data, .data_n = sizeof data, .mode = F, .method = 8 };
    }
  raw_write (at ("many.zip"), e, 40);
  pid_t kids[6];
  for (int i = 0; i < 6; i++)
    if ((kids[i] = fork ()) == 0)
      {
        lf_package p;
        lf_error err = { 0 };
        int bad = lf_package_open (at ("many.zip"), BIG, &p, &err) != 0 || !text_of (p.dir, "m/f39") || p.files != 40;
        if (bad)
          fprintf (stderr, "%s: %s\n", err.what, err.why);
        _exit (bad);
      }
  for (int i = 0; i < 6; i++)
    {
      int status;
      assert_int_equal (waitpid (kids[i], &status, 0), kids[i]);
      assert_int_equal (status, 0);
    }
  lf_pkg_cached *v;
  size_t n;
  assert_int_equal (lf_pkg_cache_list ("packages", &v, &n), 0);
  assert_true (n >= 1);
  free (v);
  /* What nobody holds is evicted, what this process holds is not, and nothing half-made is left. */
  lf_package p;
  lf_error err = { 0 };
  assert_int_equal (lf_package_open (at ("many.zip"), BIG, &p, &err), 0);
  lf_pkg_cache_shrink ("packages", 0);
  assert_non_null (text_of (p.dir, "m/f0"));
  lf_package again;
  assert_int_equal (lf_package_open (at ("many.zip"), BIG, &again, &err), 0);
  lf_package_fini (&p);
  lf_pkg_cache_shrink ("packages", 0);
  assert_non_null (text_of (again.dir, "m/f0")); /* one of two was released */
  char *dir LF_CLEANUP (lf_freep) = lf_strdup (again.dir);
  lf_package_fini (&again);
  lf_pkg_cache_shrink ("packages", 0);
  assert_int_equal (access (dir, F_OK), -1);
  lf_cache_release (dir);
  lf_cache_release (NULL);
  lf_cache_release ("/");
}

static char *
merged (const char *a, const char *b, lf_error *err)
{
  lf_strv v = { 0 };
  lf_strv_add (&v, at (a));
  if (b)
    lf_strv_add (&v, at (b));
  char *opt = NULL;
  int64_t bytes = 0;
  int r = lf_layers_open (&v, BIG, &opt, &bytes, err);
  lf_strv_fini (&v);
  assert_true (r == 0 || !opt);
  return opt;
}

static void
test_layers (void **state)
{
  (void) state;
  lf_error e = { 0 };
  lf_strv none = { 0 };
  char *opt = at ("x");
  int64_t bytes = 1;
  assert_int_equal (lf_layers_open (&none, BIG, &opt, &bytes, &e), 0);
  assert_null (opt);
  assert_int_equal (bytes, 0);
  put ("l1/python/same", "first", 0644);
  put ("l1/python/only1", "1", 0600);
  put ("l1/was/folder/deep", "x", 0644);
  put ("l1/was-file", "x", 0644);
  assert_int_equal (lf_mkdir_p (at ("l1/python/sub"), 0755, &e), 0);
  assert_int_equal (symlink ("/etc", at ("l1/esc")), 0);
  raw_entry two[] = { { .name = "python/same", .data = "second", .mode = F },
                      { .name = "was", .data = "now a file", .mode = F },
                      { .name = "was-file/now/folder", .data = "y", .mode = F },
                      { .name = "esc/passwd", .data = "mine", .mode = F } };
  raw_write (at ("l2.zip"), two, LF_ARRAY_LEN (two));
  opt = merged ("l1", NULL, &e); /* one folder is used in place */
  LF_CLEANUP (lf_freep) char *real = realpath (at ("l1"), NULL);
  assert_string_equal (opt, real);
  free (opt);
  opt = merged ("l1", "l2.zip", &e);
  assert_non_null (opt);
  assert_string_equal (text_of (opt, "python/same"), "second");
  assert_string_equal (text_of (opt, "python/only1"), "1");
  assert_string_equal (text_of (opt, "was"), "now a file");
  assert_string_equal (text_of (opt, "was-file/now/folder"), "y");
  assert_string_equal (text_of (opt, "esc/passwd"), "mine"); /* the link was replaced, not followed */
  assert_true (access (at ("l1/python/sub"), F_OK) == 0);
  char *again = merged ("l1", "l2.zip", &e);
  assert_string_equal (opt, again);
  free (again);
  char *other = merged ("l2.zip", "l1", &e); /* the order counts */
  assert_string_not_equal (opt, other);
  assert_string_equal (text_of (other, "python/same"), "first");
  free (other);
  put ("l1/python/only1", "changed", 0644);
  other = merged ("l1", "l2.zip", &e);
  assert_string_not_equal (opt, other);
  assert_string_equal (text_of (opt, "python/only1"), "1"); /* the older result is not touched by the edit */
  free (other);
  free (opt);
  lf_strv v = { 0 };
  lf_strv_add (&v, at ("l1"));
  lf_strv_add (&v, at ("l2.zip"));
  assert_int_equal (lf_layers_open (&v, 30, &opt, &bytes, &e), -1);
  assert_non_null (strstr (e.why, "Layers consume more than the available size of 30 bytes"));
  assert_int_equal (e.exit, LF_EXIT_FAILED);
  lf_strv_fini (&v);
  e = (lf_error){ 0 };
  lf_strv_add (&v, "arn:aws:lambda:us-east-1:1:layer:x:1");
  assert_int_equal (lf_layers_open (&v, BIG, &opt, &bytes, &e), -1);
  lf_strv_fini (&v);
}

/* Opens folder `name`, detects, and compares; handler NULL: an error that holds `text` is expected. */
static void
detects (const char *name, const char *given_runtime, const char *given_handler, const char *runtime, const char *handler, const char *text)
{
  lf_package p;
  lf_error e = { 0 };
  char note[256];
  lf_function f = { .runtime = lf_strdup (given_runtime), .handler = lf_strdup (given_handler) };
  assert_int_equal (lf_package_open (at (name), BIG, &p, &e), 0);
  int r = lf_package_detect (&p, &f, note, &e);
  const char *said = r == 0 ? note : e.why;
  if (r != (handler ? 0 : -1) || (text && !strstr (said, text)))
    fail_msg ("%s: %d \"%s\"", name, r, said);
  if (r == 0)
    {
      assert_string_equal (f.handler, handler);
      if (!lf_starts (f.runtime, runtime))
        fail_msg ("%s: runtime %s", name, f.runtime);
      if (!text)
        assert_string_equal (note, "");
    }
  free (f.runtime);
  free (f.handler);
  lf_package_fini (&p);
}

static void
test_detect (void **state)
{
  (void) state;
  put ("c1/lambda_function.py", "def lambda_handler(event, context):\n    return 1\n", 0644);
  put ("c1/other.py", "def handler(e, c): pass\n", 0644);
  detects ("c1", NULL, NULL, "python3.", "lambda_function.lambda_handler", NULL);
  detects ("c1", NULL, "other.handler", "python3.", "other.handler", NULL);
  detects ("c1", "provided.al2", NULL, "provided.al2", "bootstrap", NULL);
  put ("c2/index.mjs", "export const handler = async () => 1\n", 0644);
  detects ("c2", NULL, NULL, "nodejs", "index.handler", NULL);
  put ("c3/bootstrap", "#!/bin/sh\n", 0755);
  put ("c3/lib.py", "def handler(e, c): pass\n", 0644);
  detects ("c3", NULL, NULL, "provided.al2023", "bootstrap", NULL);
  detects ("c3", "python3.12", NULL, "python3.12", "lib.handler", "only module");
  put ("c4/util.py", "def helper(): pass\n", 0644);
  put ("c4/app.py", "import util\n\"\"\"\ndef handler(\n\"\"\"\n\nasync def lambda_handler (event, context):\n  pass\n", 0644);
  put ("c4/test_app.py", "def handler(): pass\n", 0644);
  detects ("c4", NULL, NULL, "python3.", "app.lambda_handler", "handler app.lambda_handler taken");
  put ("c4/zed.py", "handler = wrap(app)\n", 0644);
  detects ("c4", NULL, NULL, NULL, NULL, "app.lambda_handler, zed.handler");
  put ("c5/main.js", "const x = 1;\nmodule.exports = { other, handler }\n", 0644);
  detects ("c5", NULL, NULL, "nodejs", "main.handler", "taken");
  put ("c6/main.cjs", "exports.handler = async function () {}\n", 0644);
  detects ("c6", NULL, NULL, "nodejs", "main.handler", "taken");
  put ("c7/main.mjs", "export async function handlerless () {}\n", 0644);
  detects ("c7", NULL, NULL, NULL, NULL, "main.mjs");
  put ("c8/src/lambda_function.py", "def lambda_handler(e, c): pass\n", 0644);
  detects ("c8", NULL, NULL, NULL, NULL, "no handler at the top");
  put ("c9/README", "x", 0644);
  detects ("c9", NULL, NULL, NULL, NULL, "no bootstrap");
  put ("c10/index.ts", "export const handler = 1", 0644);
  detects ("c10", NULL, NULL, NULL, NULL, "TypeScript");
  put ("c11/a.py", "  def handler(): pass\n# def handler(\nhandlers = 1\nhandler == 2\n", 0644);
  detects ("c11", NULL, NULL, NULL, NULL, "a.py");
  put ("c12/lambda_function.py", "def handler(e, c): pass\n", 0644);
  detects ("c12", NULL, NULL, "python3.", "lambda_function.handler", "defines no lambda_handler");
  put ("c13/\x01garbage.py", "\xff\xfe\0def handler(", 0644);
  detects ("c13", NULL, NULL, NULL, NULL, "no module");
}

static void
checks (const char *dir, lf_runtime_kind kind, const char *handler, const char *error)
{
  lf_package p;
  lf_error e = { 0 };
  LF_CLEANUP (lf_freep) char *h = lf_strdup (handler), *r = lf_strdup ("runtime");
  lf_function f = { .handler = h, .runtime = r, .rt = { .kind = kind } };
  assert_int_equal (lf_package_open (at (dir), BIG, &p, &e), 0);
  assert_int_equal (lf_package_check_handler (&p, &f, &e), error ? -1 : 0);
  if (error && !strstr (e.why, error))
    fail_msg ("%s: \"%s\"", handler, e.why);
  lf_package_fini (&p);
}

static void
test_check_handler (void **state)
{
  (void) state;
  put ("h/app.py", "", 0644);
  put ("h/pkg/mod.py", "", 0644);
  put ("h/mod2/__init__.py", "", 0644);
  put ("h/index.mjs", "", 0644);
  put ("h/dist/main.js", "", 0644);
  put ("h/secret.py", "", 0600);
  put ("h/bootstrap", "", 0644);
  checks ("h", LF_RT_PYTHON, "app.handler", NULL);
  checks ("h", LF_RT_PYTHON, "pkg.mod.handler", NULL);
  checks ("h", LF_RT_PYTHON, "pkg/mod.handler", NULL);
  checks ("h", LF_RT_PYTHON, "mod2.handler", NULL);
  checks ("h", LF_RT_PYTHON, "nothing.handler", "no nothing.py for handler nothing.handler");
  checks ("h", LF_RT_PYTHON, "app", "does not name a module and a function");
  checks ("h", LF_RT_PYTHON, "../../x.y", "does not name");
  checks ("h", LF_RT_PYTHON, "secret.handler", "cannot be read by the function's user (mode 0600)");
  checks ("h", LF_RT_NODEJS, "index.handler", NULL);
  checks ("h", LF_RT_NODEJS, "dist/main.nested.handler", NULL);
  checks ("h", LF_RT_NODEJS, "other.handler", "other.js, .mjs or .cjs");
  checks ("h", LF_RT_PROVIDED, NULL, "not executable");
  assert_int_equal (chmod (at ("h/bootstrap"), 0755), 0);
  checks ("h", LF_RT_PROVIDED, "any", NULL);
  checks ("c1", LF_RT_PROVIDED, "any", "no bootstrap at its top");
}

/* What is known of a layer in the cache is kept beside it; damage there costs time and nothing else. */
static void
test_facts_kept (void **state)
{
  (void) state;
  lf_error e = { 0 };
  lf_package code;
  lf_function f;
  lf_package_facts first, again;
  char big[200000];
  memset (big, 'b', sizeof big);
  raw_entry in[] = { { .name = "numpy/__init__.py", .data = "x", .mode = F }, /* not in python/ */
                     { .name = "python/pkg/tests/data.bin", .data = big, .data_n = sizeof big, .mode = F } };
  raw_write (at ("facts.zip"), in, LF_ARRAY_LEN (in));
  put ("facts-code/lambda_function.py", "def lambda_handler(e, c): pass", 0644);
  assert_int_equal (lf_package_open (at ("facts-code"), BIG, &code, &e), 0);
  lf_function_init (&f);
  f.arch = LF_ARCH_X86_64;
  f.runtime = lf_strdup ("python3.12");
  assert_int_equal (lf_runtime_parse (f.runtime, &f.rt, &e), 0);
  assert_int_equal (lf_strv_add (&f.layers, at ("facts.zip")), 0);
  char *opt = NULL;
  int64_t bytes = 0;
  assert_int_equal (lf_layers_open (&f.layers, BIG, &opt, &bytes, &e), 0);
  lf_package_facts_read (&code, opt, bytes, &f, &first);
  assert_true (first.known && first.problems_n > 0 && first.prune_bytes == sizeof big);
  assert_string_equal (first.problems[0].kind, "structure");
  char kept[600];
  assert_true (snprintf (kept, sizeof kept, "%.*s/facts-*.json", (int) (strlen (opt) - 5), opt) < (int) sizeof kept);
  static const char *const damage[] = { NULL, "", "{", "[]", "{\"problems\": [{\"of\": 9, \"kind\": \"structure\"}]}", "{\"cuda_bytes\": -4}" };
  for (size_t i = 0; i < LF_ARRAY_LEN (damage); i++)
    {
      glob_t g;
      assert_int_equal (glob (kept, 0, NULL, &g), 0);
      assert_int_equal (g.gl_pathc, 1);
      if (damage[i])
        assert_int_equal (lf_write_file_atomic (g.gl_pathv[0], damage[i], strlen (damage[i]), &e), 0);
      globfree (&g);
      lf_package_facts_read (&code, opt, bytes, &f, &again);
      assert_int_equal (again.prune_bytes, first.prune_bytes);
      assert_string_equal (again.prune, first.prune);
      assert_int_equal (again.problems_n, first.problems_n);
      for (size_t k = 0; k < first.problems_n; k++)
        {
          assert_ptr_equal (again.problems[k].kind, first.problems[k].kind);
          assert_string_equal (again.problems[k].target, first.problems[k].target);
          assert_string_equal (again.problems[k].path, first.problems[k].path);
          assert_string_equal (again.problems[k].what, first.problems[k].what);
          assert_string_equal (again.problems[k].fix, first.problems[k].fix);
        }
    }
  free (opt);
  lf_function_fini (&f);
  lf_package_fini (&code);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_directory),     cmocka_unit_test (test_not_usable),   cmocka_unit_test (test_zip),
    cmocka_unit_test (test_libzip_agrees), cmocka_unit_test (test_hostile_names), cmocka_unit_test (test_hostile_links),
    cmocka_unit_test (test_bombs),         cmocka_unit_test (test_damage),       cmocka_unit_test (test_concurrent),
    cmocka_unit_test (test_layers),        cmocka_unit_test (test_facts_kept),   cmocka_unit_test (test_detect),       cmocka_unit_test (test_check_handler),
  };
  return cmocka_run_group_tests (tests, setup, teardown);
}
