/* SPDX-License-Identifier: Apache-2.0
 *
 * store: sums of many invocations, exact enough to say of a log what its rows would say. The dashboard adds rows to them as they come; the
 * log keeps one for each 8,192 settled rows, made in the background, so that a long log need not be read row by row.
 *
 * Pure but for the readers at the end.
 */
#ifndef LAMBDAFIT_ROLLUP_H
#define LAMBDAFIT_ROLLUP_H

#include "lambdafit/store.h"

/* ---- values of which percentiles are wanted: all of them, sorted ------------------------------------------------------------------------ */

/* v[0..main) is sorted, v[main..settled) is sorted, v[settled..n) is as it came. Questions are answered of the settled ones. */
typedef struct lf_samples { int64_t *v; size_t n, main, settled, cap; } lf_samples;
int lf_samples_add (lf_samples *s, int64_t v);          /* LF_NONE is left out; 0 or -1: no memory */
int lf_samples_add_sorted (lf_samples *s, const int64_t *v, size_t n);
int lf_samples_settle (lf_samples *s);
void lf_samples_remove (lf_samples *s, int64_t v);      /* one of that value, among the settled ones */
void lf_samples_fini (lf_samples *s);
int64_t lf_samples_at (const lf_samples *s, int percent); /* the value at rank ceil (percent/100 * n); 0: the least. LF_NONE without any */
size_t lf_samples_below (const lf_samples *s, int64_t v); /* how many are less */

/* ---- one function -------------------------------------------------------------------------------------------------------------------------- */

#define LF_TIMELINE_BUCKETS 120
typedef struct lf_bucket { int64_t invocations, errors, cold, max_duration_us, max_memory_bytes; } lf_bucket; /* the largest: LF_NONE if not measured */
/* Buckets of unit_us each, the first from start * unit_us on. The unit is a second times a power of two and doubles when the buckets do not
 * reach far enough, so that merging two timelines loses nothing. */
typedef struct lf_timeline { int64_t unit_us, start; lf_bucket v[LF_TIMELINE_BUCKETS]; } lf_timeline;
int lf_timeline_used (const lf_timeline *t); /* buckets up to the last that has anything */

/* What is billed alike: a day (days since 1970, UTC), a region and a setting. */
typedef struct lf_sums_cell
{
  int64_t day, memory_mb, tmp_mb, invocations;
  lf_arch arch;
  char region[24]; /* "" unknown */
  lf_usage usage;
} lf_sums_cell;
#define LF_CELLS_MAX 20000 /* of a function; beyond, rows count for the cell that was used last and `rough` says so */

typedef struct lf_sums
{
  char *name;
  int64_t invocations, errors, cold, throttled, first_us, last_us;
  /* the largest of all rows, LF_NONE if never measured */
  int64_t init_us, duration_us, max_memory_bytes, peak_memory_bytes, tmp_used_bytes, request_bytes, response_bytes;
  lf_samples init, duration;
  lf_timeline timeline;
  lf_sums_cell *cells;
  size_t cells_n, cells_cap, cell_last;
  bool rough;
} lf_sums;
int lf_sums_init (lf_sums *s, const char *name);
void lf_sums_fini (lf_sums *s);
int lf_sums_add (lf_sums *s, const lf_record *r);       /* 0 or -1: no memory */
void lf_sums_replace (lf_sums *s, const lf_record *old, const lf_record *fresh); /* a row's figures have changed; maxima only grow */
int lf_sums_merge (lf_sums *into, const lf_sums *from);
int lf_sums_settle (lf_sums *s);
/* A record that holds the largest of each measure, for the questions of limits.def. */
void lf_sums_extremes (const lf_sums *s, lf_record *out);
/* Of all cells, or of one day (LF_NONE: all); region NULL: each cell's own. arch < 0 and memory_mb LF_NONE: each cell's own too. */
void lf_sums_cost (const lf_sums *s, const lf_profile *p, const char *region, int arch, int64_t memory_mb, int64_t day, lf_cost *out);

/* ---- all functions of some rows -------------------------------------------------------------------------------------------------------------- */

typedef struct lf_rollup
{
  lf_sums *v;
  size_t n, cap, last;
  uint32_t *hash;
  size_t hash_n;
  int64_t rows, first_us, last_us;
} lf_rollup;
#define LF_ROLLUP_FUNCTIONS_MAX 5000
void lf_rollup_fini (lf_rollup *r);                             /* a zeroed one is empty, but for first_us and last_us: use lf_rollup_init */
void lf_rollup_init (lf_rollup *r);
int64_t lf_rollup_find (const lf_rollup *r, const char *name);  /* index, or -1 */
int64_t lf_rollup_need (lf_rollup *r, const char *name);        /* makes it; -1: no memory or too many */
int lf_rollup_add_at (lf_rollup *r, int64_t function, const lf_record *row); /* to a function that it has; 0 or -1: no memory */
int lf_rollup_add (lf_rollup *r, const lf_record *row); /* 0; 1: too many functions, left out; -1: no memory */
int lf_rollup_merge (lf_rollup *into, const lf_rollup *from);
int lf_rollup_settle (lf_rollup *r);
/* As bytes and back. Decoding refuses whatever encoding could not have made: -1, and *out is empty. */
int lf_rollup_encode (const lf_rollup *r, lf_buf *out);
int lf_rollup_decode (const void *data, size_t n, lf_rollup *out);

/* ---- readers ------------------------------------------------------------------------------------------------------------------------------------ */

/* Rows after `after` up to `until` (LF_NONE: all), in the order of writing, with the columns that sums and lists need (no output, no host, no
 * environment). A non-zero return of `each` stops. */
int lf_store_scan (lf_store *s, int64_t after, int64_t until, lf_log_each each, void *user, lf_error *err);
/* The newest `n` rows (of a function, NULL: all), oldest first. */
int lf_store_newest (lf_store *s, const char *function, int64_t n, lf_log_each each, void *user, lf_error *err);

/* One rollup that the log keeps: rows first..last, all of which are settled. */
typedef struct lf_kept { int64_t first, last; const void *data; size_t n; } lf_kept;
typedef int (*lf_kept_each) (const lf_kept *k, void *user);
/* All of them, oldest first, without a gap from the first row on; none if they do not belong to these rows (after a VACUUM, say). *mark changes when
 * one that was given has become invalid since. */
int lf_store_kept (lf_store *s, lf_kept_each each, void *user, int64_t *covered, int64_t *mark, lf_error *err);
int64_t lf_store_kept_mark (lf_store *s, int64_t covered);
/* 0: nothing was written since the last call; 1: something was; 2: it is another file, or its rows began anew; -1 error. */
typedef struct lf_store_state { uint64_t device, inode; int64_t version, newest; } lf_store_state;
int lf_store_changed (lf_store *s, lf_store_state *state, lf_error *err);
int64_t lf_store_functions_mark (lf_store *s); /* changes when a function has another configuration */
/* How the newest environment of a function enforced its limits: JSON, the caller frees; NULL when unknown. */
char *lf_store_function_enforcement (lf_store *s, const char *function);

#endif
