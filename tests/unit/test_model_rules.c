/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules: their table is whole, patterns find what libraries say and nothing else, growth is growth, advice is computed.
 */
#include "model_help.h"

static bool
finds (const char *text, const char *patterns)
{
  char line[200];
  return lf_pattern_find ((lf_str){ text, strlen (text) }, patterns, line, sizeof line);
}

static void
patterns (void **state)
{
  (void) state;
  assert_true (finds ("OSError: [Errno 30] Read-only file system: '/home/x'", "read-only FILE system*/home/"));
  assert_false (finds ("/home/x: Read-only file system", "Read-only file system*/home/")); /* in order */
  assert_true (finds ("abc", "x|b"));
  assert_true (finds ("a ab abc", "a*b*c"));
  assert_false (finds ("a ab abc", "a*b*d|e"));
  assert_false (finds ("", "a"));
  assert_false (finds ("a", ""));
  assert_false (finds ("ab", "abc"));
  assert_true (finds ("xxab", "ab"));
  char far[2000];
  memset (far, '.', sizeof far);
  memcpy (far, "first", 5);
  memcpy (far + 1900, "second", 7);
  assert_false (finds (far, "first*second"));
  char line[32];
  const char *text = "one\rtwo \033[93mpunkt\033[0m\xc2\xa0\xc2\xa0 here and so on for long\nthree";
  assert_true (lf_pattern_find ((lf_str){ text, strlen (text) }, "punkt", line, sizeof line));
  assert_string_equal (line, "two punkt here and so on for lo");
  assert_true (lf_pattern_find ((lf_str){ text, strlen (text) }, "three", line, sizeof line));
  assert_string_equal (line, "three");
}

/* NULL: none; else the word, with "body:" before it where it is in the body. */
static void
numbers_that_are_none (void **state)
{
  static const struct { const char *response, *word; } cases[] = {
    { "{\"p\": NaN}", "NaN" }, { "{\"p\":Infinity}", "Infinity" }, { "[1.5, -Infinity, 2]", "-Infinity" }, { "NaN", "NaN" }, { "-Infinity", "-Infinity" },
    { "{\"a\": {\"b\": [[0.1], [NaN\n]]}}", "NaN" }, { " [\t\nNaN]", "NaN" }, { "{\"a\\\"\": \"\\\\\", \"b\": NaN}", "NaN" },
    { "{\"p\": \"NaN\"}", NULL }, { "{\"NaN\": 1}", NULL }, { "{\"p\": \"a, NaN, b\"}", NULL }, { "{\"p\": \"\\\": NaN,\"}", NULL }, { "\"NaN\"", NULL },
    { "{\"statusCode\": 200, \"body\": \"{\\\"p\\\": NaN}\"}", "body:NaN" }, { "{\"statusCode\": 200, \"body\": \"[NaN]\"}", "body:NaN" },
    { "{\"statusCode\": 200, \"body\": \"{\\\"p\\\": \\\"NaN\\\"}\"}", NULL }, { "{\"statusCode\": 200, \"body\": \"mean: NaN\"}", NULL },
    { "{\"statusCode\": NaN, \"body\": \"[1]\"}", "NaN" }, { "{\"body\": \"[NaN]\"}", NULL }, { "{\"statusCode\": 200, \"body\": {\"p\": NaN}}", "NaN" },
    { "1,NaN,3\n", NULL }, { "[INFO] NaN found", NULL }, { "{NaN}", NULL }, { "[NaNs]", NULL }, { "", NULL }, { "N", NULL }, { "[Nan, nan, infinity]", NULL },
    { "{\"statusCode\": 200, \"body\": \"[NaN", NULL }, { "[\"\\", NULL }, { "[\"NaN", NULL }, { "{\"p\": NaN", "NaN" }, { "NaN NaN NaN", NULL },
  };
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      bool in_body = true;
      size_t n = strlen (cases[i].response);
      char *copy = malloc (n + 1); /* of its exact size, for the sanitizers */
      memcpy (copy, cases[i].response, n);
      const char *found = lf_response_no_number ((lf_str){ copy, n }, &in_body), *want = cases[i].word;
      bool want_body = want != NULL && strncmp (want, "body:", 5) == 0;
      if ((found == NULL) != (want == NULL) || (found != NULL && strcmp (found, want + (want_body ? 5 : 0)) != 0) || in_body != want_body)
        fail_msg ("%s: %s%s", cases[i].response, in_body ? "body:" : "", found != NULL ? found : "none");
      free (copy);
    }
}

/* What comes behind the first MB is not looked at. */
static void
numbers_far_behind (void **state)
{
  (void) state;
  size_t n = ((size_t) 1 << 20) + 100;
  bool in_body;
  char *text = malloc (n);
  memset (text, ' ', n);
  text[0] = '[';
  memcpy (text + n - 50, "NaN]", 4);
  assert_null (lf_response_no_number ((lf_str){ text, n }, &in_body));
  memcpy (text + n - 200, "NaN,", 4);
  assert_string_equal (lf_response_no_number ((lf_str){ text, n }, &in_body), "NaN");
  free (text);
}

/* Random bytes, random patterns: no byte outside is read (the sanitizers see to it), and the line is text. */
static void
patterns_of_garbage (void **state)
{
  uint64_t seed = 7;
  (void) state;
  for (int i = 0; i < 20000; i++)
    {
      char text[64], pattern[12], line[24];
      size_t n = 0;
      for (size_t k = 0; k < sizeof text + sizeof pattern; k++)
        {
          seed = seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
          char c = "ab*|\n\033[\xc2\xa0m"[(seed >> 40) % 10];
          if (k < sizeof text)
            text[k] = c;
          else
            pattern[n++] = c;
        }
      pattern[sizeof pattern - 1] = '\0';
      size_t len = (size_t) (seed >> 50) % sizeof text;
      char *copy = malloc (len + 1);
      memcpy (copy, text, len);
      if (lf_pattern_find ((lf_str){ copy, len }, pattern, line, sizeof line))
        assert_int_equal (lf_utf8_valid (line, strlen (line)), strlen (line));
      free (copy);
    }
}

static bool
grows (const int64_t *v, size_t n, int64_t allowed, int64_t *slope, int64_t *at)
{
  lf_trend t = { 0 };
  for (size_t i = 0; i < n; i++)
    lf_trend_add (&t, (int64_t) i + 1, v[i]);
  return lf_trend_grows (&t, allowed, 1, slope, at);
}

static void
growth (void **state)
{
  static const struct
  {
    int64_t v[20];
    size_t n;
    bool grows;
    int64_t slope, at;
  } cases[] = {
    { { 10, 20, 30, 40, 50 }, 5, true, 10, 100 },
    { { 10, 20, 30, 40 }, 4, false, 0, 0 },                              /* too few */
    { { 10, 20, 30, 40, 40 }, 5, false, 0, 0 },                          /* stands still */
    { { 10, 20, 30, 40, 39 }, 5, false, 0, 0 },                          /* goes back */
    { { 10, 500, 501, 502, 503 }, 5, true, 1, 502 },                     /* a leap, then one at each: the median */
    { { 10, 100, 200, 300, 301 }, 5, false, 0, 0 },                      /* creeps after it grew */
    { { 500, 10, 20, 30, 40, 50 }, 6, true, 10, 101 },                   /* what was before the fall is forgotten */
    { { 10, 20, 30, 40, 1005 }, 5, true, 10, 5 },                        /* there already */
    { { 0, 0, 0, 0, 0 }, 5, false, 0, 0 },
    { { 100, 90, 80, 70, 60 }, 5, false, 0, 0 },
    { { 10, LF_NONE, 20, 30, 40, 50 }, 6, true, 10, 101 },               /* what was not measured is left out, and counted in time */
    { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }, 20, true, 1, 1000 },
  };
  int64_t slope = 0, at = 0;
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      bool got = grows (cases[i].v, cases[i].n, 1000, &slope, &at);
      if (got != cases[i].grows)
        fail_msg ("case %zu", i);
      if (got && (slope != cases[i].slope || at != cases[i].at))
        fail_msg ("case %zu: slope %lld, at %lld", i, (long long) slope, (long long) at);
    }
  const int64_t slow[] = { 1, 2, 3, 4, 5 };
  assert_true (grows (slow, 5, 10005, &slope, &at));
  assert_false (grows (slow, 5, 10006, &slope, &at)); /* beyond the horizon */
  assert_false (grows (slow, 5, 0, &slope, &at));
}

static void
table (void **state)
{
  const lf_rule_info *rules;
  size_t n = lf_rules (&rules);
  (void) state;
  for (size_t i = 0; i < n; i++)
    {
      assert_ptr_equal (lf_rule_find (rules[i].id), &rules[i]); /* no id twice */
      assert_true (strlen (rules[i].when) > 10 && strlen (rules[i].what) > 10 && strlen (rules[i].why) > 10 && strlen (rules[i].fix) > 10);
    }
  assert_null (lf_rule_find ("nothing"));
  assert_null (lf_rule_find (NULL));
}

/* Which rule a failure's output leads to, with the messages as the libraries print them. */
static void
outputs (void **state)
{
  static const struct
  {
    const char *rule, *output, *word; /* word: in the fix */
  } cases[] = {
    { "readonly_home", "OSError: [Errno 30] Read-only file system: '/home/sbx_user1051'", "HOME=/tmp" },
    { "readonly_home",
      "[ERROR] OSError: [Errno 30] Read-only file system: '/home/sbx_user1051'\rTraceback (most recent call last):\r  File "
      "\"/opt/python/huggingface_hub/file_download.py\", line 1127",
      "HF_HOME=/tmp/huggingface" },
    { "readonly_home", "OSError: [Errno 30] Read-only file system: '/home/sbx_user1051/.cache'\r  File \"/opt/python/torch/hub.py\", line 5", "TORCH_HOME=/tmp/torch" },
    { "readonly_home",
      "There was a problem when trying to write in your cache folder (/home/sbx_user1051/.cache/huggingface/hub). You should set the environment "
      "variable TRANSFORMERS_CACHE to a writable directory.",
      "HF_HOME=/tmp/huggingface" },
    { "readonly_home", "Error: EROFS: read-only file system, mkdir '/home/sbx_user1051/.cache'", "HOME=/tmp" },
    { "readonly_filesystem", "Error: EROFS: read-only file system, open '/var/task/out.json'", "/tmp/out.json" },
    { "baked_cache", "OSError: [Errno 30] Read-only file system: '/var/task/model/.locks/models--x/abc.lock'", "HF_HUB_OFFLINE=1" },
    { "baked_cache", "PermissionError: [Errno 13] Permission denied: '/opt/cache/matplotlib/fontlist.json.lock'", "MPLCONFIGDIR" },
    { "numba_cache", "RuntimeError: cannot cache function '__shear_dense': no locator available for file '/var/task/librosa/util/utils.py'", "NUMBA_CACHE_DIR" },
    { "no_shared_memory", "OSError: [Errno 38] Function not implemented", "threads" },
    { "no_shared_memory", "RuntimeError: unable to open shared memory object </torch_9_1> in read-write mode: Function not implemented (38)", "num_workers=0" },
    { "not_serializable", "[ERROR] Runtime.MarshalError: Unable to marshal response: Object of type Tensor is not JSON serializable", "tolist" },
    { "not_serializable", "Object of type uint8 is not JSON serializable", "item" },
    { "allocation_refused", "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 2.00 GiB for an array with shape (16384, 16384)", "--memory 2496" },
    { "allocation_refused", "RuntimeError: [enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1073741824 bytes. Error code 12",
      "--memory 1280" },
    { "allocation_refused", "MemoryError: Unable to allocate 74.5 GiB for an array with shape (100000, 100000) and data type float64", "Work in parts, since the largest function has 10240 MB: smaller batches" },
    { "not_serializable", "Object of type Timestamp is not JSON serializable", "isoformat" },
    { "nltk_data", "[ERROR] MissingCorpusError: \rLooks like you are missing some required data for this feature.", "downloader -d nltk_data brown punkt_tab" },
    { "too_many_descriptors", "OSError: [Errno 24] Too many open files: 'x'", "with open" },
    { "too_many_descriptors", "Error: EMFILE: too many open files, open 'x'", "with open" },
    { "too_many_processes", "OpenBLAS blas_thread_init: pthread_create failed for thread 5 of 64: Resource temporarily unavailable", "OMP_NUM_THREADS" },
    { "unreadable_files", "PermissionError: [Errno 13] Permission denied: '/var/task/model.bin'", "chmod -R a+rX" },
    { "tmp_full_meanwhile", "OSError: [Errno 28] No space left on device", "--tmp 1024" },
    { "readonly_filesystem",
      "[ERROR] RuntimeError: File model.pt cannot be opened.Traceback (most recent call last):\r  File \"/opt/python/torch/serialization.py\", line 287, in __init__\r"
      "    super().__init__(torch._C.PyTorchFileWriter(str(name)))",
      "/tmp/model.pt" },
    { "readonly_filesystem", "RuntimeError: SystemError : 30", "/tmp/NAME" },
    { "database_not_opened", "sqlite3.OperationalError: unable to open database file", "immutable=1" },
    { "missing_program", "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'\r  File \"subprocess.py\", line 1901, in _execute_child", "/opt/bin" },
    { "missing_program", "pytesseract.pytesseract.TesseractNotFoundError: tesseract is not installed or it's not in your PATH.", "/opt/bin" },
    { "missing_program", "Error: spawn ffprobe ENOENT", "/opt/bin" },
    { "missing_program", "/var/task/bootstrap: line 3: jq: command not found", "/opt/bin" },
    { "spacy_model", "OSError: [E050] Can't find model 'en_core_web_sm'. It doesn't seem to be a Python package", "`python -m spacy download en_core_web_sm --target DIR`" },
    { "spacy_model", "OSError: [E050] Can't find model '/opt/model'. It doesn't seem to be a Python package", "is at /opt/model;" },
    { "not_serializable", "Object of type Doc is not JSON serializable", "spaCy" },
    { NULL, "RuntimeError: File /tmp/out/model.pt cannot be opened.\r  torch._C.PyTorchFileWriter(str(name))", NULL },
    { NULL, "RuntimeError: File model.pt cannot be opened.", NULL },
    { NULL, "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/work'\r  File \"subprocess.py\", line 1901, in _execute_child", NULL }, /* its cwd */
    { NULL, "FileNotFoundError: [Errno 2] No such file or directory: 'model.bin'", NULL },
    { NULL, "ValueError: shapes (3,) and (4,) not aligned", NULL },
    { NULL, "KeyError: 'image'", NULL },
    { NULL, "RuntimeError: Unable to find torch_shm_manager at /tmp/py/torch/bin/torch_shm_manager", NULL },
    { NULL, "BlockingIOError: [Errno 11] Resource temporarily unavailable\r  File \"/var/task/lambda_function.py\", line 4, in lambda_handler\r    fcntl.flock(f, 6)", NULL },
    { "too_many_processes", "BlockingIOError: [Errno 11] Resource temporarily unavailable\r  File \"subprocess.py\", line 1827, in _execute_child\r    self.pid = _fork_exec(", "OMP_NUM_THREADS" },
    { NULL, "TypeError: Object of type set is not JSON serializable", NULL },
    { NULL, "FileNotFoundError: [Errno 2] No such file or directory: '/var/task/model.bin'", NULL },
    { NULL, "PermissionError: [Errno 13] Permission denied: '/tmp/x'", NULL },
    { NULL, "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='x', port=443): Max retries exceeded", NULL },
  };
  lf_function f = a_function (now26, "python3.12");
  (void) state;
  for (size_t i = 0; i < LF_ARRAY_LEN (cases); i++)
    {
      lf_record r;
      lf_violation v[LF_VIOLATIONS_MAX];
      lf_record_init (&r);
      r.status = LF_ST_FUNCTION_ERROR;
      r.max_memory_bytes = 30 * LF_MB;
      r.tmp_used_bytes = 0;
      r.log_tail = cases[i].output;
      r.log_tail_len = strlen (r.log_tail);
      size_t n = lf_violations (&f, now26, NULL, &r, v);
      if (n != (cases[i].rule != NULL) || (n && (strcmp (v[0].rule, cases[i].rule) != 0 || strstr (v[0].fix, cases[i].word) == NULL)))
        fail_msg ("%s\ngives %s: %s", cases[i].output, n ? v[0].rule : "nothing", n ? v[0].fix : "");
      assert_true (n == 0 || (v[0].severity == LF_SEV_BROKEN && strstr (v[0].observed, "output: ") != NULL));
      /* The same in the error's message; and with an answer that is well, hardly anything is said. */
      r.error_message = r.log_tail;
      r.log_tail = NULL;
      assert_int_equal (lf_violations (&f, now26, NULL, &r, v), n);
      r.status = LF_ST_OK;
      n = lf_violations (&f, now26, NULL, &r, v);
      assert_true (n == 0 || (n == 1 && v[0].severity == LF_SEV_NEAR));
    }
  lf_function_fini (&f);
}

/* One rule speaks for each subject: the most specific. */
static void
specific_first (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  lf_record r;
  lf_facts x;
  lf_history h = { .served = 6 };
  lf_violation v[LF_VIOLATIONS_MAX];
  (void) state;
  f.memory_mb = 512;
  lf_record_init (&r);
  r.status = LF_ST_OUT_OF_MEMORY;
  r.cold = 0;
  r.max_memory_bytes = 512 * LF_MB;
  lf_facts_init (&x, &f, now26, NULL, &r);
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "out_of_memory");
  assert_non_null (strstr (v[0].fix, "`--memory 1024`"));
  x.history = &h;
  for (int64_t i = 1; i <= 6; i++)
    lf_trend_add (&h.trend[LF_TREND_MEMORY], i, i * 80 * LF_MB);
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "out_of_memory_growth");
  assert_non_null (strstr (v[0].message, "80 MB an invocation"));
  r.status = LF_ST_OK;
  r.max_memory_bytes = 300 * LF_MB;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "memory_growing");
  f.rt.kind = LF_RT_NODEJS;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  for (int i = 0; i < 6; i++)
    h.trend[LF_TREND_MEMORY].value[i] = (80 + 10 * i) * LF_MB; /* 50 MB more than at first: not collected yet, perhaps */
  assert_int_equal (lf_judge (&x, 1, v), 0);
  f.rt.kind = LF_RT_PYTHON;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  r.status = LF_ST_TIMEOUT;
  r.duration_us = 3000000;
  r.max_memory_bytes = 100 * LF_MB;
  r.cpu_us = 850000;
  r.throttled_us = 2100000;
  x.history = NULL;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "timeout_cpu");
  assert_non_null (strstr (v[0].message, "waited 2.1 s of that for CPU. 512 MB give 0.29 of one CPU"));
  assert_string_equal (v[0].fix, "Give it `--memory 1769`, which is one whole CPU, before raising the timeout. At 1769 MB, one whole CPU, what it had done by "
                                 "then would take about 909 ms.");
  r.cpu_us = 100000;
  r.throttled_us = 0;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "timeout_waiting");
  lf_function_fini (&f);
}

static void
packages (void **state)
{
  lf_function f = a_function (now26, "python3.12");
  lf_facts x;
  lf_violation v[LF_VIOLATIONS_MAX];
  lf_package_facts k = { .known = true, .code_bytes = 190 * LF_MB, .layer_bytes = 55 * LF_MB, .prune_bytes = 80 * LF_MB, .prune = "torch/test (80 MB)" };
  (void) state;
  f.package_bytes = 245 * LF_MB;
  lf_facts_init (&x, &f, now26, NULL, NULL);
  x.package = &k;
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "package_near");
  assert_non_null (strstr (v[0].message, "Its layers are 55 MB, so the code (190 MB) must be smaller than 204472320 bytes."));
  assert_true (lf_starts (v[0].fix, "Pruning tests, headers and the like such as torch/test (80 MB) saves 80 MB. "));
  k.cuda_bytes = 60 * LF_MB;
  snprintf (k.cuda, sizeof k.cuda, "libcudnn.so.8");
  assert_int_equal (lf_judge (&x, 1, v), 1);
  assert_string_equal (v[0].rule, "cuda_libraries");
  lf_function_fini (&f);
}

/* ---- every rule ------------------------------------------------------------------------------------------------------------------ */

typedef struct setting
{
  lf_function f;
  lf_record r;
  lf_history h;
  lf_package_facts k;
  lf_facts x;
} setting;

static void
growing (setting *s, lf_trend_id t, int64_t step)
{
  for (int64_t i = 1; i <= 8; i++)
    lf_trend_add (&s->h.trend[t], i, i * step);
}

static void
layers (setting *s, int n)
{
  while (n-- > 0)
    lf_strv_add (&s->f.layers, "layer");
}

static void
broken_package (setting *s, const char *kind)
{
  s->k.problems_n = 1;
  s->k.problems[0] = (lf_package_problem){ .kind = kind, .target = "layer", .path = "a.so", .what = "it is wrong", .fix = "do it right" };
}

/* What makes each rule hold, out of a warm invocation that went well. */
#define FAILED(text) s->r.status = LF_ST_FUNCTION_ERROR, s->r.error_message = (text)
#define STATIC s->x.r = NULL
#define EACH_RULE(MAKE) \
  MAKE (timeout_out_of_range, STATIC, s->f.timeout_ms = 900001) \
  MAKE (memory_out_of_range, STATIC, s->f.memory_mb = 127) \
  MAKE (tmp_out_of_range, STATIC, s->f.tmp_mb = 10241) \
  MAKE (arch_not_offered, STATIC, s->x.p = then20, s->f.arch = LF_ARCH_ARM64) \
  MAKE (segmentation_fault, s->r.status = LF_ST_TIMEOUT, s->x.segfault = true) \
  MAKE (init_segmentation_fault, s->r.cold = 1, s->r.init_us = 10000000, s->x.segfault = true) \
  MAKE (timeout_init, s->r.status = LF_ST_INIT_TIMEOUT) \
  MAKE (timeout_cpu, s->r.status = LF_ST_TIMEOUT, s->r.duration_us = 3000000, s->r.cpu_us = 200000, s->r.throttled_us = 2700000) \
  MAKE (timeout_waiting, s->r.status = LF_ST_TIMEOUT, s->r.duration_us = 3000000, s->r.cpu_us = 2000, s->r.throttled_us = 0) \
  MAKE (timeout, s->r.status = LF_ST_TIMEOUT, s->r.duration_us = 3000000) \
  MAKE (timeout_near, s->r.duration_us = 2800000) \
  MAKE (init_timeout, s->r.cold = 1, s->r.init_us = 10000000) \
  MAKE (init_near, s->r.cold = 1, s->r.init_us = s->x.init_wall_us = 9500000, s->x.init_cpu_us = 600000, s->x.init_done = true) \
  MAKE (out_of_memory_growth, s->r.status = LF_ST_OUT_OF_MEMORY, growing (s, LF_TREND_MEMORY, 10 * LF_MB)) \
  MAKE (out_of_memory_init, s->r.status = LF_ST_OUT_OF_MEMORY, s->r.cold = 1, s->x.init_wall_us = 5) \
  MAKE (out_of_memory, s->r.status = LF_ST_OUT_OF_MEMORY) \
  MAKE (javascript_heap, FAILED ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory")) \
  MAKE (fork_refused, FAILED ("/bin/sh: fork: Cannot allocate memory")) \
  MAKE (allocation_refused, FAILED ("MemoryError")) \
  MAKE (memory_growing, growing (s, LF_TREND_MEMORY, 10 * LF_MB)) \
  MAKE (memory_near, s->r.max_memory_bytes = 120 * LF_MB) \
  MAKE (page_cache, s->x.memory_now = 60 * LF_MB, s->x.files_touched = 80 * LF_MB) \
  MAKE (tmp_full_leftovers, s->r.tmp_used_bytes = 512 * LF_MB, s->h.tmp_before = 400 * LF_MB) \
  MAKE (tmp_full, s->r.tmp_used_bytes = 512 * LF_MB) \
  MAKE (tmp_full_meanwhile, FAILED ("[Errno 28] No space left on device")) \
  MAKE (tmp_near, s->r.tmp_used_bytes = 500 * LF_MB) \
  MAKE (tmp_growing, growing (s, LF_TREND_TMP, LF_MB)) \
  MAKE (package_too_large, STATIC, s->f.package_bytes = 262144000) \
  MAKE (cuda_libraries, STATIC, s->k.cuda_bytes = 10 * LF_MB, strcpy (s->k.cuda, "libcudnn.so.9 (10 MB)")) \
  MAKE (package_near, STATIC, s->f.package_bytes = 262143999) \
  MAKE (zip_too_large, STATIC, s->f.zip_bytes = 52428801) \
  MAKE (zip_near, STATIC, s->f.zip_bytes = 52428800) \
  MAKE (too_many_layers, STATIC, layers (s, 6)) \
  MAKE (layers_near, STATIC, layers (s, 5)) \
  MAKE (image_not_offered, STATIC, s->x.p = then20, s->f.image_bytes = 5) \
  MAKE (image_too_large, STATIC, s->f.image_bytes = 10737418241, s->k.hidden_bytes = 10 * LF_MB, strcpy (s->k.hidden, "layer 2 (10 MB)")) \
  MAKE (image_near, STATIC, s->f.image_bytes = 10737418240) \
  MAKE (env_too_large, STATIC, s->f.env_bytes = 4097) \
  MAKE (env_near, STATIC, s->f.env_bytes = 4096) \
  MAKE (request_too_large, s->r.status = LF_ST_REJECTED, s->r.request_bytes = 6291457) \
  MAKE (request_near, s->r.request_bytes = 6291456) \
  MAKE (response_too_large_base64, s->r.status = LF_ST_FUNCTION_ERROR, s->r.response_bytes = 7000000, s->x.base64 = true) \
  MAKE (response_too_large, s->r.status = LF_ST_FUNCTION_ERROR, s->r.response_bytes = 7000000) \
  MAKE (response_near, s->r.response_bytes = 6291456) \
  MAKE (not_serializable, FAILED ("Object of type float32 is not JSON serializable")) \
  MAKE (not_a_number, s->x.no_number = "NaN") \
  MAKE (async_request_too_large, s->r.async = true, s->r.status = LF_ST_REJECTED, s->r.request_bytes = 1048577) \
  MAKE (async_request_near, s->r.async = true, s->r.request_bytes = 1048576) \
  MAKE (too_many_descriptors, s->r.fds = 1024) \
  MAKE (descriptors_growing, growing (s, LF_TREND_FDS, 5)) \
  MAKE (descriptors_near, s->r.fds = 1000) \
  MAKE (too_many_processes, FAILED ("can't start new thread")) \
  MAKE (processes_near, s->r.processes = 700) \
  MAKE (cpu_threads, s->r.duration_us = 2000000, s->r.cpu_us = 140000, s->r.throttled_us = 1900000, s->x.busy_threads = 2) \
  MAKE (cpu_starved, s->f.timeout_ms = 60000, s->r.duration_us = 20000000, s->r.cpu_us = 1400000, s->r.throttled_us = 18000000) \
  MAKE (throttled, s->r.status = LF_ST_THROTTLED, s->r.error_type = "TooManyRequestsException") \
  MAKE (request_rate, s->r.status = LF_ST_THROTTLED, s->r.error_type = "FunctionInvocationRateLimitExceeded") \
  MAKE (layer_folder, FAILED ("No module named 'numpy'"), broken_package (s, "structure")) \
  MAKE (wrong_architecture, FAILED ("/opt/x.so: invalid ELF header"), broken_package (s, "architecture")) \
  MAKE (glibc_too_old, FAILED ("version `GLIBC_2.38' not found (required by /opt/x.so)")) \
  MAKE (wrong_python, FAILED ("cannot import name '_imaging'"), broken_package (s, "python-abi")) \
  MAKE (missing_library, FAILED ("libGL.so.1: cannot open shared object file: No such file or directory")) \
  MAKE (missing_program, FAILED ("spawn ffmpeg ENOENT")) \
  MAKE (spacy_model, FAILED ("[E050] Can't find model 'en_core_web_sm'")) \
  MAKE (gpu_wanted, FAILED ("Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False")) \
  MAKE (cpuinfo_arm64, FAILED ("Error in cpuinfo: failed to parse the list of possible processors in /sys/devices/system/cpu/possible")) \
  MAKE (numba_cache, FAILED ("cannot cache function 'f': no locator available for file 'x'")) \
  MAKE (matplotlib_cache, s->r.error_message = "Matplotlib created a temporary cache directory at /tmp/x") \
  MAKE (nltk_data, FAILED ("Please use the NLTK Downloader to obtain the resource: nltk.download('punkt')")) \
  MAKE (baked_cache, FAILED ("[Errno 30] Read-only file system: '/opt/c/x.lock'")) \
  MAKE (readonly_home, FAILED ("[Errno 30] Read-only file system: '/home/sbx_user1051'")) \
  MAKE (readonly_filesystem, FAILED ("[Errno 30] Read-only file system: 'x'")) \
  MAKE (database_not_opened, FAILED ("unable to open database file")) \
  MAKE (unreadable_files, FAILED ("Permission denied: '/var/task/x'")) \
  MAKE (no_shared_memory, s->x.answered_error = true, s->x.response = (lf_str){ "Function not implemented", 24 }) \
  MAKE (no_network, s->f.network = LF_NET_NONE, FAILED ("[Errno -3] Temporary failure in name resolution")) \
  MAKE (event_loop_left, s->x.left_behind = "1 timer") \
  MAKE (work_after_response, s->x.left_running = 2) \
  MAKE (left_in_tmp, FAILED ("[Errno 17] File exists: '/tmp/work'")) \
  MAKE (stale_state, FAILED ("closed"), s->h.first_ok = true, s->h.same_failures = 2)

#define MAKE(id, ...)                                                                                                                                            \
  static void make_##id (setting *s) { __VA_ARGS__; }
EACH_RULE (MAKE)
#undef MAKE
#define MAKE(id, ...) { #id, make_##id },
static const struct { const char *rule; void (*make) (setting *s); } makers[] = { EACH_RULE (MAKE) };
#undef MAKE

static void
setting_init (setting *s)
{
  *s = (setting){ .f = a_function (now26, "python3.12"), .h = { .served = 5 }, .k = { .known = true } };
  lf_error err = { 0 };
  assert_int_equal (lf_runtime_parse ("python3.12", &s->f.rt, &err), 0);
  lf_record_init (&s->r);
  s->r.cold = 0;
  s->r.duration_us = 1000;
  s->r.max_memory_bytes = 40 * LF_MB;
  s->r.tmp_used_bytes = 0;
  lf_facts_init (&s->x, &s->f, now26, NULL, &s->r);
  s->x.history = &s->h;
  s->x.package = &s->k;
}

static void
every_rule_can_hold (void **state)
{
  const lf_rule_info *rules;
  size_t n = lf_rules (&rules);
  (void) state;
  assert_int_equal (n, LF_ARRAY_LEN (makers));
  for (size_t i = 0; i < n; i++)
    {
      setting s;
      lf_violation v[LF_VIOLATIONS_MAX];
      setting_init (&s);
      assert_int_equal (lf_judge (&s.x, 1, v), 0);
      makers[i].make (&s);
      size_t found = lf_judge (&s.x, 1, v), at = 0;
      while (at < found && strcmp (v[at].rule, makers[i].rule) != 0)
        at++;
      if (at == found || lf_rule_find (makers[i].rule) == NULL)
        fail_msg ("%s does not hold; %s does", makers[i].rule, found ? v[0].rule : "none");
      /* An init that is given up breaks two limits, a timeout for want of CPU or a full /tmp nothing else. */
      assert_int_equal (found, strcmp (makers[i].rule, "timeout_init") == 0 ? 2 : 1);
      assert_null (strpbrk (v[at].message, "{}"));
      assert_null (strpbrk (v[at].fix, "{}"));
      if (v[at].observed[0] == '\0')
        fail_msg ("%s: nothing observed", makers[i].rule);
      lf_function_fini (&s.f);
    }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (patterns), cmocka_unit_test (patterns_of_garbage), cmocka_unit_test (growth),   cmocka_unit_test (table),
    cmocka_unit_test (outputs),  cmocka_unit_test (specific_first),      cmocka_unit_test (packages),
    cmocka_unit_test (every_rule_can_hold), cmocka_unit_test (numbers_that_are_none), cmocka_unit_test (numbers_far_behind),
  };
  return cmocka_run_group_tests (tests, load_profiles, free_profiles);
}
