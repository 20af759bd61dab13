/* SPDX-License-Identifier: Apache-2.0
 *
 * What takes the space, and will it load.
 */
#include "config.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/package/elf.h"
#include "../../src/package/internal.h"
#include "../../src/package/space.h"
#include "rawzip.h"

static char top[200];

static char *
at (const char *name)
{
  static char path[8][1200];
  static int turn;
  char *p = path[turn++ % 8];
  snprintf (p, sizeof path[0], "%s/%s", top, name);
  return p;
}

static void
put_bytes (const char *name, const void *p, size_t n, mode_t mode)
{
  char *path = at (name), *slash = strrchr (path, '/');
  lf_error e = { 0 };
  *slash = '\0';
  assert_int_equal (lf_mkdir_p (path, 0755, &e), 0);
  *slash = '/';
  raw_save (path, p, n);
  assert_int_equal (chmod (path, mode), 0);
}

static void
put (const char *name, const char *text)
{
  put_bytes (name, text, strlen (text), 0644);
}

static void
put_size (const char *name, size_t n, char fill)
{
  char *p = malloc (n);
  memset (p, fill, n);
  put_bytes (name, p, n, 0644);
  free (p);
}

static int
setup (void **state)
{
  (void) state;
  const char *tmp = getenv ("TMPDIR");
  snprintf (top, sizeof top, "%s/lf-layer-XXXXXX", tmp && strlen (tmp) < 100 ? tmp : "/tmp");
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

static void
measure (lf_space *s, const char *a, const char *b)
{
  lf_strv v = { 0 };
  lf_error e = { 0 };
  lf_strv_add (&v, at (a));
  if (b)
    lf_strv_add (&v, at (b));
  if (lf_space_measure (&v, LF_ARCH_X86_64, s, &e) != 0)
    fail_msg ("%s: %s", e.what, e.why);
  lf_strv_fini (&v);
  int64_t sum = 0, files = 0;
  for (size_t i = 0; i < s->n; i++)
    {
      sum += s->entries[i].bytes;
      files += s->entries[i].files;
      assert_true (i == 0 || s->entries[i - 1].bytes >= s->entries[i].bytes);
    }
  assert_int_equal (sum, s->unzipped_bytes);
  assert_int_equal (files, s->files);
}

static const lf_space_entry *
entry (const lf_space *s, lf_space_kind kind, const char *name)
{
  for (size_t i = 0; i < s->n; i++)
    if (s->entries[i].kind == kind && strcmp (s->entries[i].name, name) == 0)
      return &s->entries[i];
  fail_msg ("no entry of kind %s named %s", lf_space_kind_name (kind), name);
  return NULL;
}

static void
test_space_python (void **state)
{
  (void) state;
  put ("s/python/numpy-1.2.3.dist-info/RECORD", "numpy/__init__.py,sha256=x,3\nnumpy/core/a.py,,\n\"numpy/odd,name.py\",,\n../../bin/f2py,,\nsix.py,,\n");
  put_size ("s/python/numpy/__init__.py", 1000, 'a');
  put_size ("s/python/numpy/core/big.so", 90000, 'b');
  put_size ("s/python/numpy/core/tests/test_a.py", 500, 'c');
  put_size ("s/python/numpy/include/x.h", 300, 'd');
  put_size ("s/python/numpy/__pycache__/a.cpython-312.pyc", 200, 'e');
  put_size ("s/python/nometa/__init__.py", 700, 'f');
  put_size ("s/python/six.py", 600, 'g');
  put_size ("s/python/nvidia_cublas-12.1.dist-info/RECORD", 0, 'x');
  put ("s/python/nvidia_cublas-12.1.dist-info/RECORD", "nvidia/cublas/lib/libcublas.so.12,,\n");
  put_size ("s/python/nvidia/cublas/lib/libcublas.so.12", 5000, 'h');
  put_size ("s/python/model.tar.gz", 300000, 'i');
  put_size ("s/python/copy/of.so", 90000, 'b');
  put_size ("s/lib/libx.so.1", 4000, 'j');
  put_size ("s/lib/libx.so.1.debug", 100, 'k');
  put_size ("s/top.txt", 10, 'l');
  lf_space s;
  measure (&s, "s", NULL);
  assert_int_equal (s.zipped_bytes, LF_NONE);
  const lf_space_entry *e = entry (&s, LF_SPACE_PACKAGE, "numpy");
  assert_string_equal (e->version, "1.2.3");
  assert_string_equal (e->path, "python/numpy");
  assert_int_equal (entry (&s, LF_SPACE_TESTS, "numpy")->bytes, 500);
  assert_int_equal (entry (&s, LF_SPACE_HEADERS, "numpy")->bytes, 300);
  assert_int_equal (entry (&s, LF_SPACE_CACHE, "numpy")->bytes, 200);
  assert_int_equal (entry (&s, LF_SPACE_PACKAGE, "nometa")->bytes, 700);
  assert_null (entry (&s, LF_SPACE_PACKAGE, "nometa")->version);
  assert_int_equal (entry (&s, LF_SPACE_CUDA, "nvidia_cublas")->bytes, 5000 + (int64_t) strlen ("nvidia/cublas/lib/libcublas.so.12,,\n"));
  assert_int_equal (entry (&s, LF_SPACE_ARCHIVE, "model.tar.gz")->bytes, 300000);
  assert_int_equal (entry (&s, LF_SPACE_OTHER, "lib")->bytes, 4000);
  assert_int_equal (entry (&s, LF_SPACE_DEBUG, "lib")->bytes, 100);
  e = NULL;
  for (size_t i = 0; i < s.n; i++)
    if (s.entries[i].kind == LF_SPACE_DUPLICATE)
      e = &s.entries[i];
  assert_non_null (e);
  assert_int_equal (e->bytes, 90000);
  lf_buf html;
  lf_buf_init (&html, 0);
  assert_int_equal (lf_space_html (&s, 262144000, &html), 0);
  assert_non_null (strstr (html.data, "<svg"));
  assert_non_null (strstr (html.data, "model.tar.gz"));
  assert_null (strstr (html.data, "http")); /* loads nothing */
  lf_buf_fini (&html);
  lf_space_fini (&s);
}

static void
test_space_node (void **state)
{
  (void) state;
  put ("n/nodejs/node_modules/onnx/package.json", "{\"name\": \"onnx\", \"version\": \"1.30.0\"}");
  put_size ("n/nodejs/node_modules/onnx/bin/napi/win32/x64/a.node", 3000, 'a');
  put_size ("n/nodejs/node_modules/onnx/bin/napi/darwin/arm64/a.node", 2000, 'b');
  put_size ("n/nodejs/node_modules/onnx/bin/napi/linux/x64/a.node", 1500, 'c');
  put_size ("n/nodejs/node_modules/onnx/bin/napi/linux/arm64/a.node", 1400, 'd');
  put_size ("n/nodejs/node_modules/@scope/pkg/index.js", 100, 'e');
  put_size ("n/nodejs/node_modules/onnx/node_modules/inner/index.js", 50, 'f');
  put ("n/nodejs/node_modules/broken/package.json", "{not json");
  lf_space s;
  measure (&s, "n", NULL);
  assert_string_equal (entry (&s, LF_SPACE_PACKAGE, "onnx")->version, "1.30.0");
  assert_string_equal (entry (&s, LF_SPACE_PACKAGE, "onnx")->path, "nodejs/node_modules/onnx");
  assert_int_equal (entry (&s, LF_SPACE_PACKAGE, "@scope/pkg")->bytes, 100);
  assert_int_equal (entry (&s, LF_SPACE_PACKAGE, "inner")->bytes, 50);
  assert_int_equal (entry (&s, LF_SPACE_PACKAGE, "broken")->bytes, 9);
  int64_t foreign = 0;
  for (size_t i = 0; i < s.n; i++)
    if (s.entries[i].kind == LF_SPACE_OTHER)
      {
        foreign += s.entries[i].bytes;
        assert_non_null (s.entries[i].hint);
        assert_non_null (strstr (s.entries[i].hint, "leave out"));
      }
  assert_int_equal (foreign, 3000 + 2000 + 1400);
  lf_space_fini (&s);
}

static void
test_space_zips (void **state)
{
  (void) state;
  size_t big = 70000;
  char *same = malloc (big);
  memset (same, 'z', big);
  raw_entry a[] = { { .name = "python/m/lib.so", .data = same, .data_n = big, .mode = S_IFREG | 0644, .method = 8 },
                    { .name = "python/x-2.0.dist-info/RECORD", .data = "m/lib.so,,\n", .mode = S_IFREG | 0644 } };
  raw_entry b[] = { { .name = "python/copy.so", .data = same, .data_n = big, .mode = S_IFREG | 0644, .method = 8 } };
  raw_write (at ("a.zip"), a, 2);
  raw_write (at ("b.zip"), b, 1);
  lf_space s;
  measure (&s, "a.zip", "b.zip");
  assert_int_equal (s.unzipped_bytes, 2 * (int64_t) big + 11);
  struct stat st, st2;
  assert_int_equal (stat (at ("a.zip"), &st) | stat (at ("b.zip"), &st2), 0);
  assert_int_equal (s.zipped_bytes, st.st_size + st2.st_size);
  assert_int_equal (s.largest_zip, st.st_size > st2.st_size ? st.st_size : st2.st_size);
  assert_int_equal (entry (&s, LF_SPACE_PACKAGE, "x")->target, 0);
  assert_string_equal (entry (&s, LF_SPACE_PACKAGE, "x")->version, "2.0");
  const lf_space_entry *d = entry (&s, LF_SPACE_DUPLICATE, "python");
  assert_int_equal (d->target, 1); /* the second layer's copy */
  lf_space_fini (&s);
  free (same);
  lf_strv v = { 0 };
  lf_error e = { 0 };
  assert_int_equal (lf_space_measure (&v, LF_ARCH_X86_64, &s, &e), -1);
}

/* ---- ELF ------------------------------------------------------------------------------------------------------------------------------ */

static lf_buf own; /* this program: an ELF file that needs libraries and versions */

static void
load_own (void)
{
  lf_error e = { 0 };
  if (!own.len)
    {
      lf_buf_init (&own, 0);
      assert_int_equal (lf_read_file ("/proc/self/exe", (size_t) 64 << 20, &own, &e), 0);
    }
}

static void
test_elf (void **state)
{
  (void) state;
  LF_CLEANUP (lf_closep) int fd = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  lf_elf e;
  const char *reason;
  assert_int_equal (lf_elf_read (fd, false, &e, &reason), LF_ELF_OK);
  assert_int_equal (e.bits, 64);
#if defined __x86_64__
  assert_string_equal (lf_elf_machine_name (e.machine), "x86_64");
#endif
  assert_true (e.dynamic);
  assert_non_null (e.interpreter);
  bool libc = false, cmocka = false, version = false;
  for (size_t i = 0; i < e.needed.n; i++)
    {
      libc = libc || strcmp (e.needed.v[i], "libc.so.6") == 0;
      cmocka = cmocka || lf_starts (e.needed.v[i], "libcmocka.so");
    }
  for (size_t i = 0; i < e.needs_n; i++)
    version = version || (strcmp (e.needs[i].library, "libc.so.6") == 0 && lf_starts (e.needs[i].version, "GLIBC_2."));
  assert_true (libc && cmocka && version);
  lf_elf_fini (&e);
  /* Garbage: every byte of the headers and tables may be anything. */
  load_own ();
  unsigned seed = 99;
  for (int i = 0; i < 300; i++)
    {
      size_t n = 65536 < own.len ? 65536 : own.len;
      char *copy = malloc (n);
      memcpy (copy, own.data, n);
      for (int k = 0; k < 4; k++)
        {
          seed = seed * 1103515245 + 12345;
          copy[seed / 65536 % (k ? 4096 : 64)] = (char) (seed >> 8);
        }
      put_bytes ("fuzz.so", copy, i % 3 ? n : seed / 65536 % n, 0644);
      free (copy);
      int f = open (at ("fuzz.so"), O_RDONLY | O_CLOEXEC);
      lf_elf_result r = lf_elf_read (f, false, &e, &reason);
      assert_true (r == LF_ELF_OK || r == LF_ELF_NOT || (r == LF_ELF_DAMAGED && reason[0]));
      lf_elf_fini (&e);
      close (f);
    }
}

/* ---- check ---------------------------------------------------------------------------------------------------------------------------- */

/* The number of problems of a rule; the first one's message must hold `text`. */
static size_t
problems (const char *target, const char *runtime, lf_arch arch, const char *rule, const char *text)
{
  lf_check_options o = { .runtime = runtime, .arch = arch };
  lf_problems p;
  lf_error e = { 0 };
  if (lf_package_check (at (target), &o, &p, &e) != 0)
    fail_msg ("%s: %s", e.what, e.why);
  size_t n = 0;
  for (size_t i = 0; i < p.n; i++)
    {
      assert_true (p.v[i].path[0] && p.v[i].message[0] && p.v[i].fix[0]);
      if (strcmp (p.v[i].rule, rule) == 0 && n++ == 0 && text && !strstr (p.v[i].message, text))
        fail_msg ("%s: \"%s\"", target, p.v[i].message);
      if (!rule[0])
        fail_msg ("%s: unexpected %s: %s: %s", target, p.v[i].rule, p.v[i].path, p.v[i].message);
    }
  lf_problems_fini (&p);
  return n;
}
#define ONE(...) assert_int_equal (problems (__VA_ARGS__), 1)
#define X LF_ARCH_X86_64

static void
test_check_structure (void **state)
{
  (void) state;
  put ("ok/python/pkg/__init__.py", "");
  problems ("ok", "python3.12", X, "", NULL);
  put ("k1/pkg/__init__.py", "");
  ONE ("k1", "python3.12", X, "structure", "belong in python/");
  put ("k2/node_modules/x/index.js", "");
  ONE ("k2", "nodejs22.x", X, "structure", "nodejs/node_modules");
  put ("k3/libx.so.1", "");
  ONE ("k3", NULL, X, "structure", "belong in lib/");
  put ("k4/layer/python/pkg/__init__.py", "");
  ONE ("k4", NULL, X, "structure", "inside the folder layer");
  put ("k5/python/python/pkg/__init__.py", "");
  ONE ("k5", NULL, X, "structure", "python/ is inside python/");
  put ("k6/python/lib/python3.11/site-packages/pkg/__init__.py", "");
  ONE ("k6", "python3.12", X, "structure", "python3.11");
  assert_int_equal (problems ("k6", NULL, X, "structure", NULL), 0); /* the folder says what it is for */
  put ("k7/lib/python3.12/site-packages/pkg/__init__.py", "");
  ONE ("k7", NULL, X, "structure", "virtual environment");
  put ("k8/nodejs/x/index.js", "");
  ONE ("k8", NULL, X, "structure", "no node_modules");
  put ("k9/readme.txt", "");
  ONE ("k9", NULL, X, "structure", "nothing in it");
  put ("k10/lambda_function.py", "def lambda_handler(e, c): pass\n");
  put ("k10/pkg/__init__.py", "");
  problems ("k10", NULL, X, "", NULL); /* a function's package keeps its libraries at the top */
}

static void
test_check_permissions (void **state)
{
  (void) state;
  put_bytes ("p1/python/a.py", "x", 1, 0600);
  ONE ("p1", NULL, X, "permissions", "cannot read");
  put_bytes ("p2/bin/tool", "x", 1, 0644);
  ONE ("p2", NULL, X, "permissions", "not executable");
  put ("p3/python/d/a.py", "x");
  assert_int_equal (chmod (at ("p3/python/d"), 0750), 0);
  ONE ("p3", NULL, X, "permissions", "cannot enter");
  raw_entry z[] = { { .name = "python/a.py", .data = "x", .mode = S_IFREG | 0600 } };
  raw_write (at ("p4.zip"), z, 1);
  ONE ("p4.zip", NULL, X, "permissions", "mode 0600");
}

static void
test_check_binaries (void **state)
{
  (void) state;
  load_own ();
  unsigned char *elf = (unsigned char *) own.data;
  put_bytes ("b1/python/m/mod.cpython-312-x86_64-linux-gnu.so", elf, own.len, 0755);
#if defined __x86_64__
  size_t missing = problems ("b1", "python3.12", X, "missing-library", NULL); /* libcmocka at least, which Lambda has not */
  assert_true (missing >= 1);
  assert_int_equal (problems ("b1", "python3.12", X, "architecture", NULL), 0);
  ONE ("b1", "python3.12", LF_ARCH_ARM64, "architecture", "compiled for x86_64; the function runs on arm64");
  put_bytes ("b1/lib/libcmocka.so.0", "x", 1, 0644);
  assert_int_equal (problems ("b1", "python3.12", X, "missing-library", NULL), missing - 1);
#endif
  ONE ("b1", "python3.11", X, "python-abi", "built for CPython 3.12; runtime python3.11");
  assert_int_equal (problems ("b1", "python3.12", X, "python-abi", NULL), 0);
  put_bytes ("b1/python/m/mod.cpython-311-x86_64-linux-gnu.so", elf, own.len, 0755);
  assert_int_equal (problems ("b1", "python3.11", X, "python-abi", NULL), 0); /* one that fits is enough */
  put_bytes ("b2/python/m/mac.so", "\xcf\xfa\xed\xfe" "0123456789abcdef", 20, 0755);
  ONE ("b2", NULL, X, "architecture", "Mach-O");
  put_bytes ("b3/python/m/cut.so", elf, 3000, 0755);
  ONE ("b3", NULL, X, "elf", "cut off");
  /* A newer C library: raise one version in the names. */
  char *copy = malloc (own.len);
  memcpy (copy, own.data, own.len);
  char *v = NULL;
  for (size_t i = 0; i + 12 < own.len && !v; i++)
    if (memcmp (copy + i, "GLIBC_2.", 8) == 0 && copy[i + 10] == '\0')
      v = copy + i;
  assert_non_null (v);
  memcpy (v + 8, "99", 2);
  put_bytes ("b4/python/m/new.so", copy, own.len, 0755);
  free (copy);
  ONE ("b4", "python3.12", X, "glibc", "needs GLIBC_2.99; python3.12 on Amazon Linux 2023 has 2.34");
}

static void
pyc (const char *name, unsigned magic, unsigned flags, unsigned mtime, unsigned size)
{
  unsigned char b[20] = { (unsigned char) magic, (unsigned char) (magic >> 8), '\r', '\n', (unsigned char) flags, 0, 0, 0 };
  for (int i = 0; i < 4; i++)
    {
      b[8 + i] = (unsigned char) (mtime >> (8 * i));
      b[12 + i] = (unsigned char) (size >> (8 * i));
    }
  put_bytes (name, b, sizeof b, 0644);
}

static void
test_check_python (void **state)
{
  (void) state;
  put ("y1/python/m/__init__.py", "x = 1\n");
  struct stat st;
  assert_int_equal (stat (at ("y1/python/m/__init__.py"), &st), 0);
  pyc ("y1/python/m/__pycache__/__init__.cpython-312.pyc", 3531, 0, (unsigned) st.st_mtime, 6);
  problems ("y1", "python3.12", X, "", NULL);
  pyc ("y1/python/m/__pycache__/__init__.cpython-312.pyc", 3531, 0, (unsigned) st.st_mtime + 1, 6);
  ONE ("y1", "python3.12", X, "pyc", "1 compiled files of m do not match");
  pyc ("y1/python/m/__pycache__/__init__.cpython-312.pyc", 3531, 1, 0, 0); /* valid whatever the time */
  problems ("y1", "python3.12", X, "", NULL);
  ONE ("y1", "python3.13", X, "pyc", "never used");
  pyc ("y1/python/m/__pycache__/__init__.cpython-312.pyc", 3495, 1, 0, 0);
  ONE ("y1", "python3.12", X, "pyc", "damaged");
  put ("y2/python/nvidia/cudnn/lib/libcudnn.so.9", "xxxxxxxxxxx");
  assert_int_equal (problems ("y2", NULL, X, "cuda", "no GPU"), 1);
}

static void
test_check_limits (void **state)
{
  (void) state;
  for (int i = 0; i < LF_PKG_DEPTH_MAX / 2; i++)
    {
      char name[60];
      snprintf (name, sizeof name, "many/python/m/f%d.py", i);
      put_bytes (name, "x", 1, 0600);
    }
  assert_int_equal (problems ("many", NULL, X, "permissions", NULL), 20 + 1); /* listed, and "and N more" */
  lf_problems p;
  lf_error e = { 0 };
  lf_check_options o = { .runtime = "cobol9", .arch = X };
  assert_int_equal (lf_package_check (at ("many"), &o, &p, &e), -1);
  assert_int_equal (lf_package_check (at ("nothing-here"), &o, &p, &e), -1);
  const lf_check_rule *rules;
  size_t n = lf_check_rules (&rules);
  assert_true (n >= 9);
  for (size_t i = 0; i < n; i++)
    assert_true (rules[i].id[0] && rules[i].what[0] && rules[i].fix[0]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_space_python),     cmocka_unit_test (test_space_node),     cmocka_unit_test (test_space_zips),
    cmocka_unit_test (test_elf),              cmocka_unit_test (test_check_structure), cmocka_unit_test (test_check_permissions),
    cmocka_unit_test (test_check_binaries),   cmocka_unit_test (test_check_python),   cmocka_unit_test (test_check_limits),
  };
  int r = cmocka_run_group_tests (tests, setup, teardown);
  lf_buf_fini (&own);
  return r;
}
