/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the project's values and SQLite's: absent is NULL, enums are words.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

void
lf_bind_i64 (sqlite3_stmt *st, int at, int64_t v)
{
  if (v == LF_NONE)
    sqlite3_bind_null (st, at);
  else
    sqlite3_bind_int64 (st, at, v);
}

/* What a function prints need not be text, but a TEXT column must be: other languages' SQLite modules refuse to read anything else. */
static void
bind_repaired (sqlite3_stmt *st, int at, const char *v, size_t n)
{
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  while (n > 0)
    {
      size_t good = lf_utf8_valid (v, n);
      lf_buf_add (&b, v, good);
      v += good;
      n -= good;
      if (n == 0)
        break;
      lf_buf_adds (&b, "\xef\xbf\xbd");
      v++;
      n--;
    }
  if (b.failed)
    sqlite3_bind_null (st, at);
  else
    sqlite3_bind_text64 (st, at, b.data, b.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static bool
all_ascii (const char *v, size_t n)
{
  uint64_t seen = 0, word;
  for (; n >= sizeof word; v += sizeof word, n -= sizeof word)
    {
      memcpy (&word, v, sizeof word);
      seen |= word;
    }
  for (; n > 0; v++, n--)
    seen |= (uint64_t) (unsigned char) *v;
  return (seen & UINT64_C (0x8080808080808080)) == 0;
}

void
lf_bind_text (sqlite3_stmt *st, int at, const char *v, size_t n)
{
  if (v == NULL)
    sqlite3_bind_null (st, at);
  else if (all_ascii (v, n) || lf_utf8_valid (v, n) == n)
    sqlite3_bind_text64 (st, at, v, n, SQLITE_STATIC, SQLITE_UTF8);
  else
    bind_repaired (st, at, v, n);
}

void
lf_bind_str (sqlite3_stmt *st, int at, const char *v)
{
  lf_bind_text (st, at, v, v != NULL ? strlen (v) : 0);
}

int64_t
lf_column_i64 (sqlite3_stmt *st, int at)
{
  return sqlite3_column_type (st, at) == SQLITE_NULL ? LF_NONE : sqlite3_column_int64 (st, at);
}

const char *
lf_column_str (sqlite3_stmt *st, int at)
{
  return (const char *) sqlite3_column_text (st, at);
}

static const char *const sources[] = { "live", "simulated", "imported" };
static const char *const severities[] = { "broken", "near" };

const char *
lf_source_name (lf_source s)
{
  return (size_t) s < LF_ARRAY_LEN (sources) ? sources[s] : sources[LF_SRC_IMPORTED];
}

const char *
lf_severity_name (lf_severity s)
{
  return severities[s == LF_SEV_NEAR];
}

const char *
lf_network_name (lf_network n)
{
  return n == LF_NET_NONE ? "none" : "host";
}

const char *
lf_log_format_name (lf_log_format f)
{
  return f == LF_LOG_JSON ? "JSON" : "text";
}

/* ---- a row of `invocations` ------------------------------------------------------------------------------------------------------ */

static lf_source
read_source (const char *text)
{
  for (size_t i = 0; text != NULL && i < LF_ARRAY_LEN (sources); i++)
    if (strcmp (text, sources[i]) == 0)
      return (lf_source) i;
  return LF_SRC_IMPORTED;
}

static lf_status
read_status (const char *text)
{
  lf_status s = LF_ST_REJECTED;
  /* A word that this program does not know is a failure of some kind. */
  if (text == NULL || lf_status_parse (text, &s) != 0)
    return LF_ST_REJECTED;
  return s;
}

static lf_arch
read_arch (const char *text)
{
  lf_arch a = LF_ARCH_X86_64;
  lf_arch_parse (text, &a);
  return a;
}

int
lf_record_columns (lf_buf *b, const char *alias, int version)
{
  static const struct { const char *name; int since; } columns[] = {
#define LF_REC_TEXT(c, since, type, doc) { #c, since },
#define LF_REC_INT LF_REC_TEXT
#define LF_REC_BOOL LF_REC_TEXT
#define LF_REC_WORD LF_REC_TEXT
#define LF_REC_TAIL LF_REC_TEXT
#define LF_REC_RUN LF_REC_TEXT
#include "record.def"
  };
  for (size_t i = 0; i < LF_ARRAY_LEN (columns); i++)
    if (columns[i].since <= version)
      lf_buf_addf (b, "%s%s.%s", i > 0 ? ", " : "", alias, columns[i].name);
    else
      lf_buf_addf (b, "%sNULL", i > 0 ? ", " : "");
  return b->failed ? -1 : 0;
}

void
lf_record_read (sqlite3_stmt *st, int first, lf_record *r)
{
  int at = first;
  lf_record_init (r);
#define LF_REC_TEXT(c, since, type, doc) r->c = lf_column_str (st, at++);
#define LF_REC_INT(c, since, type, doc) r->c = lf_column_i64 (st, at++);
#define LF_REC_BOOL(c, since, type, doc) r->c = sqlite3_column_type (st, at) == SQLITE_NULL ? -1 : sqlite3_column_int (st, at) != 0; at++;
#define LF_REC_WORD(c, since, type, doc) r->c = read_##c (lf_column_str (st, at++));
#define LF_REC_TAIL(c, since, type, doc) \
  r->c = lf_column_str (st, at); \
  r->c##_len = (size_t) sqlite3_column_bytes (st, at++);
#define LF_REC_RUN(c, since, type, doc) at++;
#include "record.def"
}
