/* SPDX-License-Identifier: Apache-2.0
 *
 * base: what every room stands on. Errors as values, bounded buffers, strings, JSON over cJSON, exact decimal money, and the
 * clock types. The only part that touches the outside (clock, randomness, files) is in os.c; pure rooms do not link it.
 *
 * Conventions of the whole project
 *   - A function that can fail takes `lf_error *err` last and returns 0 or -1 (or a pointer or NULL). On failure it fills *err
 *     exactly once, with LF_FAIL. `err` is never NULL.
 *   - `_new/_free` own heap memory, `_init/_fini` work on the caller's memory; `_free` and `_fini` accept NULL and zeroed objects.
 *   - Units are in names: _us (microseconds), _ms, _mb (1,048,576 bytes), _bytes.
 *   - LF_NONE in an int64_t means "not measured or not applicable"; it is stored as NULL and shown as absent, never as zero.
 */
#ifndef LAMBDAFIT_BASE_H
#define LAMBDAFIT_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

#define LF_NONE INT64_MIN
#define LF_MB INT64_C (1048576)
#define LF_ARRAY_LEN(a) (sizeof (a) / sizeof ((a)[0]))
#define LF_PRINTF(f, a) __attribute__ ((format (printf, f, a)))
#define LF_NODISCARD __attribute__ ((warn_unused_result))
/* Run FN on the variable's address when it leaves scope. */
#define LF_CLEANUP(fn) __attribute__ ((cleanup (fn)))

/* ---- errors -------------------------------------------------------------------------------------------------------------- */

/* Exit statuses of every command; an error carries the one it leads to. */
typedef enum
{
  LF_EXIT_OK = 0,
  LF_EXIT_FAILED = 1,      /* the function, package or check failed what was asked */
  LF_EXIT_USAGE = 2,       /* wrong usage or configuration */
  LF_EXIT_UNSUPPORTED = 3, /* this machine cannot do it */
  LF_EXIT_IO = 4           /* a file, database, port or daemon problem */
} lf_exit;

/* An error value: what failed, why, and how to fix it. It owns nothing, so it can be copied and needs no cleanup, and making
 * one cannot fail for want of memory. Text that does not fit is cut. */
typedef struct lf_error
{
  lf_exit exit;     /* LF_EXIT_OK means "no error" */
  int sys_errno;    /* errno that caused it, or 0 */
  const char *file; /* birthplace */
  int line;
  char what[200];   /* the thing that failed: "template.yaml", "port 3001" */
  char why[2048];   /* one sentence */
  char fix[500];    /* "" when there is nothing to advise */
} lf_error;

/* As `lf_error err = { 0 }`, without clearing its 2.7 KB of text: for what is called with every request. */
static inline void
lf_error_none (lf_error *err)
{
  err->exit = LF_EXIT_OK;
  err->sys_errno = err->line = 0;
  err->file = NULL;
  err->what[0] = err->why[0] = err->fix[0] = '\0';
}

/* Fills *err and is the value -1. WHY is a printf format. Use: return LF_FAIL (err, LF_EXIT_IO, path, "fix text", "cannot: %s", strerror (e)); */
#define LF_FAIL(err, status, what, fix, ...) lf_failed (lf_error_set ((err), (status), __FILE__, __LINE__, (what), (fix), __VA_ARGS__))
/* Says where a compiler or an analyzer can see it that what failed is -1. */
static inline int
lf_failed (int minus_one)
{
  (void) minus_one;
  return -1;
}
int lf_error_set (lf_error *err, lf_exit status, const char *file, int line, const char *what, const char *fix, const char *why, ...)
    LF_PRINTF (7, 8);
/* Out of memory, said once in one way. Also the value -1. */
#define LF_FAIL_NOMEM(err) LF_FAIL ((err), LF_EXIT_IO, "memory", "", "the system has no memory left")

/* ---- buffers ------------------------------------------------------------------------------------------------------------- */

/* A growable byte buffer with a maximum. data is NUL-terminated after every successful call (the NUL is not in len).
 * A failed append leaves the content as it was and sets `failed`, so a chain of appends can be checked once at its end. */
typedef struct lf_buf
{
  char *data;
  size_t len, cap, max; /* max 0 means LF_BUF_MAX */
  bool failed;
} lf_buf;
#define LF_BUF_MAX ((size_t) 1 << 30)

void lf_buf_init (lf_buf *b, size_t max);
void lf_buf_fini (lf_buf *b);
void lf_buf_reset (lf_buf *b);                                  /* len = 0, keeps the memory, clears failed */
int lf_buf_reserve (lf_buf *b, size_t extra);                   /* 0, or -1 over max or out of memory (sets failed) */
int lf_buf_add (lf_buf *b, const void *p, size_t n);
int lf_buf_adds (lf_buf *b, const char *s);
int lf_buf_addc (lf_buf *b, char c);
int lf_buf_addu (lf_buf *b, uint64_t v, unsigned base); /* digits of a number in base 2 to 16, without printf */
int lf_buf_addf (lf_buf *b, const char *fmt, ...) LF_PRINTF (2, 3);
int lf_buf_addv (lf_buf *b, const char *fmt, va_list ap);
int lf_buf_add_json_str (lf_buf *b, const char *s, size_t n);   /* quoted and escaped; invalid UTF-8 becomes U+FFFD */
char *lf_buf_take (lf_buf *b);                                  /* the caller owns the string; b is empty afterwards; NULL if failed */

/* ---- strings ------------------------------------------------------------------------------------------------------------- */

/* A borrowed piece of text, not NUL-terminated. */
typedef struct lf_str
{
  const char *p;
  size_t n;
} lf_str;

char *lf_strdup (const char *s);                                /* NULL for NULL */
char *lf_strndup (const char *s, size_t n);
char *lf_asprintf (const char *fmt, ...) LF_PRINTF (1, 2);      /* NULL when out of memory */
bool lf_streq (const char *a, const char *b);                   /* both may be NULL */
bool lf_starts (const char *s, const char *prefix);
bool lf_ends (const char *s, const char *suffix);
bool lf_str_ieq (lf_str a, const char *b);                      /* ASCII case-insensitive */
void lf_str_copy (char *to, size_t size, lf_str s);             /* as much as there is room for, and a NUL; size > 0 */
/* Whole-string decimal integer in [min,max]; 0 or -1. Leading blanks, signs other than '-', and trailing text are refused. */
int lf_parse_i64 (const char *s, int64_t min, int64_t max, int64_t *out);
/* The digits at *p as a number of at most `max`; *p then points behind them. 0, or -1 (no digit, or too large; nothing changes). */
int lf_take_i64 (const char **p, int64_t max, int64_t *out);
void lf_freep (void *p);                                        /* LF_CLEANUP for any malloc'd pointer: frees *(void **) p */
/* Length of the valid UTF-8 prefix of p[0..n). */
size_t lf_utf8_valid (const char *p, size_t n);
/* Copies text for a terminal: control bytes and invalid UTF-8 become '?', except '\n' and '\t'. */
int lf_buf_add_printable (lf_buf *b, const char *p, size_t n);

/* A growing array of owned strings, NULL-terminated (usable as argv or envp). */
typedef struct lf_strv
{
  char **v;
  size_t n, cap;
} lf_strv;
int lf_strv_add (lf_strv *a, const char *s);                    /* copies; 0 or -1 (no memory) */
int lf_strv_addf (lf_strv *a, const char *fmt, ...) LF_PRINTF (2, 3);
void lf_strv_fini (lf_strv *a);
const char *lf_strv_env (const lf_strv *a, const char *key);    /* value of KEY in an envp-like array, or NULL */
int lf_strv_setenv (lf_strv *a, const char *key, const char *value); /* replaces or adds KEY=VALUE */

size_t lf_base64_encoded_len (size_t n);
int lf_buf_add_base64 (lf_buf *b, const void *p, size_t n);
int lf_base64_decode (const char *s, size_t n, lf_buf *out);    /* strict, padding required; 0 or -1 */
int lf_url_decode (const char *s, size_t n, lf_buf *out);       /* percent-decoding, '+' left alone; -1 on a bad escape */

typedef struct lf_sha256 lf_sha256;                             /* streaming digest */
lf_sha256 *lf_sha256_new (void);
void lf_sha256_update (lf_sha256 *s, const void *p, size_t n);
void lf_sha256_hex (lf_sha256 *s, char out[65]);                /* finishes */
void lf_sha256_base64 (lf_sha256 *s, char out[45]);             /* finishes; as Lambda's CodeSha256 */
void lf_sha256_free (lf_sha256 *s);

/* ---- JSON ---------------------------------------------------------------------------------------------------------------- */

#define LF_JSON_DEPTH_MAX 512

/* What is wrong with a JSON text. `reason` names the problem as the parser in front of Lambda does (Jackson's wording where
 * reference facts give it: "Unexpected character ('x' (code 120)): ...", "Invalid UTF-8 start byte 0x87", "Unexpected end-of-input ..."). */
typedef struct lf_json_problem
{
  size_t offset;      /* byte offset */
  int line, column;   /* from 1 */
  char reason[240];
} lf_json_problem;

/* Is text one complete RFC 8259 value? A single pass that builds nothing: 0, or -1 with *p filled. Never recurses deeper than LF_JSON_DEPTH_MAX. */
int lf_json_validate (const char *text, size_t n, lf_json_problem *p);
/* Parses one complete value; `what` names the source in the error (with line and column). The caller owns it (cJSON_Delete). */
struct cJSON *lf_json_parse (const char *text, size_t n, const char *what, lf_error *err);
/* As lf_json_parse for a file of at most max bytes (in os.c). */
struct cJSON *lf_json_load (const char *path, size_t max, lf_error *err);
const char *lf_json_str (const struct cJSON *o, const char *key);                     /* NULL if absent or not a string */
int64_t lf_json_i64 (const struct cJSON *o, const char *key, int64_t otherwise);      /* `otherwise` if absent or not an integer */
bool lf_json_bool (const struct cJSON *o, const char *key, bool otherwise);
void lf_json_freep (struct cJSON **o);                                                /* for LF_CLEANUP */
/* Adds KEY with an integer, or null when v is LF_NONE. 0 or -1. Integers above 2^53 are written exactly. */
int lf_json_add_i64 (struct cJSON *o, const char *key, int64_t v);
int lf_json_add_str (struct cJSON *o, const char *key, const char *v);                /* null when v is NULL; invalid UTF-8 made valid */
/* Compact text into b, 0 or -1. lf_json_print_pretty indents by two. */
int lf_json_print (const struct cJSON *o, lf_buf *b);
int lf_json_print_pretty (const struct cJSON *o, lf_buf *b);

/* ---- event streams (application/vnd.amazon.eventstream): pure -------------------------------------------------------------------- */

/* CRC-32 as in zlib and IEEE 802.3; begin with 0. */
uint32_t lf_crc32 (uint32_t crc, const void *p, size_t n);

#define LF_ES_HEADERS_MAX 32
#define LF_ES_MESSAGE_MAX ((size_t) 16 << 20) /* of one message, as the AWS SDKs take it */
typedef struct lf_es_header { lf_str name, value; } lf_es_header; /* a text (type 7) */
typedef struct lf_es_message
{
  lf_es_header headers[LF_ES_HEADERS_MAX];
  size_t headers_n;
  lf_str payload;
} lf_es_message;
/* Appends one message. 0 or -1: no memory, or it would be too large (names 1..255 bytes, values up to 65,535). */
int lf_es_encode (lf_buf *out, const lf_es_header *headers, size_t n, const void *payload, size_t len);
/* The message that p[0..n) begins with: how many bytes it has, 0 when more are needed, -1 when they are no message. Views point into p.
 * Headers of other types than text are passed over. */
ptrdiff_t lf_es_decode (const char *p, size_t n, lf_es_message *out, lf_error *err);
lf_str lf_es_get (const lf_es_message *m, const char *name); /* {NULL,0} when absent */

/* ---- money --------------------------------------------------------------------------------------------------------------- */

/* Amounts are integers of 1e-24 of the currency: every product of a published rate (at most 11 decimals) with ms*MB/1,024,000 is
 * exact, and the largest amount is 1.7e14. Rounded only when shown. */
__extension__ typedef __int128 lf_money;
#define LF_MONEY_SCALE 24

/* A rate as published, exact: mantissa / 10^scale. "0.0000166667" is {166667, 10}. */
typedef struct lf_decimal
{
  int64_t mantissa;
  int scale; /* 0..18 */
} lf_decimal;
int lf_decimal_parse (const char *s, lf_decimal *out);          /* plain or exponent form, non-negative; 0 or -1 */
int lf_decimal_cmp (lf_decimal a, lf_decimal b);
void lf_decimal_format (lf_decimal d, char out[40]);            /* shortest plain form, parses back to the same value */
/* d * n / div, exact for div 1 and for divisors of a power of ten within the scale; otherwise rounded half up at 1e-24. */
lf_money lf_money_mul (lf_decimal d, int64_t n, int64_t div);
/* As above with two factors, computed in 128 bits: d * a * b / div. */
lf_money lf_money_mul2 (lf_decimal d, int64_t a, int64_t b, int64_t div);
/* Decimal text with `digits` decimals, rounded half up: "0.000002", "12.34". */
void lf_money_format (lf_money m, int digits, char out[64]);
/* For a person: at least two significant digits whatever the size, no trailing noise: "$0.0000021", "$1.25". */
void lf_money_show (lf_money m, const char *currency, char out[64]);
double lf_money_double (lf_money m);                            /* for JSON numbers and charts only */

/* ---- time types and the outside (os.c) ----------------------------------------------------------------------------------- */

typedef int64_t lf_time_us; /* microseconds of a monotonic clock, or of a virtual one */

lf_time_us lf_now_us (void);                                    /* CLOCK_MONOTONIC */
int64_t lf_wall_us (void);                                      /* CLOCK_REALTIME, microseconds since the epoch */
void lf_random_bytes (void *p, size_t n);                       /* getrandom's, also after a fork; aborts if the kernel has none */
void lf_uuid4 (char out[37]);
void lf_uuid4_from (const uint8_t r[16], char out[37]);         /* pure */
/* "2026-11-25T02:26:54.123Z" from microseconds since the epoch (pure, proleptic Gregorian). */
void lf_iso8601_ms (int64_t wall_us, char out[32]);
/* Broken-down UTC of wall_us (pure). */
typedef struct lf_utc { int year, month, day, hour, minute, second, ms, weekday; } lf_utc;
lf_utc lf_utc_from (int64_t wall_us);
/* Reads a whole file of at most max bytes; 0 or -1. "-" is standard input. */
int lf_read_file (const char *path, size_t max, lf_buf *out, lf_error *err);
/* Writes a temporary file beside `path` and renames it, so a reader sees all of it or nothing. A device, a pipe or another output of this
 * process (/dev/null, /dev/stdout, >(command)) is written to as it is: a name put in its place would take it away from everybody. */
int lf_write_file_atomic (const char *path, const void *p, size_t n, lf_error *err);
/* Something is at `path`, and it is no file that another could take the place of. */
bool lf_is_no_file (const char *path);
int lf_mkdir_p (const char *path, int mode, lf_error *err);
/* Removes a tree without following links; 0 even if it was not there. */
int lf_rm_rf (const char *path, lf_error *err);
void lf_closep (int *fd);                                       /* for LF_CLEANUP; ignores -1, leaves -1 */
/* Where our own installed data is: $LAMBDAFIT_DATADIR, else beside the running binary (build tree or relocated prefix), else the
 * configured pkgdatadir. The string lives for the process. NULL name gives the folder; "profiles/x.json" a file in it. */
const char *lf_data_path (const char *name);
const char *lf_libexec_path (const char *name);                    /* the same for helpers: lambdafit-init */
char *lf_state_dir (void);                                      /* $XDG_STATE_HOME/lambdafit (made if missing, 0700); caller frees */
char *lf_cache_dir (void);
char *lf_runtime_dir (void);                                    /* $XDG_RUNTIME_DIR/lambdafit or a private folder in /tmp */

#endif
