/* SPDX-License-Identifier: Apache-2.0
 *
 * A page that shows what takes the space: one self-contained HTML file with a treemap drawn as SVG, no script, nothing loaded.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "space.h"

#define WIDTH 1200.0
#define HEIGHT 720.0
#define HEAD 15.0        /* height of a folder's title */
#define SIDE_MIN 4.0     /* smaller boxes are not drawn */
#define RECTS_MAX 20000
#define TABLE_ROWS 60

typedef struct box { double x, y, w, h; } box;
typedef struct child { size_t folder; int64_t bytes; } child; /* folder SIZE_MAX: the small files of the parent */
typedef struct map
{
  const lf_space *s;
  lf_buf *out;
  size_t *first, *next; /* children as lists */
  size_t drawn;
} map;

static const char *const colours[LF_SPACE_KINDS] = {
  [LF_SPACE_PACKAGE] = "#4e79a7", [LF_SPACE_TESTS] = "#f28e2b", [LF_SPACE_CACHE] = "#bab0ac", [LF_SPACE_HEADERS] = "#9c755f",
  [LF_SPACE_DEBUG] = "#b07aa1",   [LF_SPACE_CUDA] = "#e15759",  [LF_SPACE_ARCHIVE] = "#edc948", [LF_SPACE_DUPLICATE] = "#ff9da7",
  [LF_SPACE_OTHER] = "#59a14f",   [LF_SPACE_HIDDEN] = "#76b7b2",
};

static void
escaped (lf_buf *b, const char *s)
{
  lf_buf clean;
  lf_buf_init (&clean, 1 << 16);
  lf_buf_add_printable (&clean, s, strlen (s));
  for (const char *p = clean.data ? clean.data : ""; *p; p++)
    if (*p == '<' || *p == '>' || *p == '&' || *p == '"')
      lf_buf_addf (b, "&#%d;", *p);
    else
      lf_buf_addc (b, *p);
  lf_buf_fini (&clean);
}

static const char *
base_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

static const char *
colour_of (const lf_space_folder *f)
{
  char path[LF_PKG_NAME_MAX + 3];
  if (f->depth == 0 || strlen (f->path) > LF_PKG_NAME_MAX)
    return colours[LF_SPACE_OTHER];
  strcpy (path, f->path);
  if (!f->is_file)
    strcat (path, "/x");
  return colours[lf_space_kind_of (path, NULL)];
}

static void
draw_box (map *m, const lf_space_folder *f, box b, int64_t bytes, const char *rest, bool title)
{
  m->drawn++;
  lf_buf_addf (m->out, "<g><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"%s/>", b.x, b.y, b.w, b.h, colour_of (f),
               title ? " fill-opacity=\".35\"" : "");
  lf_buf_adds (m->out, "<title>");
  escaped (m->out, f->path);
  lf_buf_addf (m->out, "%s: %.2f MB</title>", rest, (double) bytes / (double) LF_MB);
  size_t room = b.w > 16 ? (size_t) ((b.w - 6) / 6.2) : 0;
  if (b.h >= 13 && room >= 3)
    {
      const char *name = *rest ? "files" : base_of (f->path);
      lf_buf_addf (m->out, "<text x=\"%.1f\" y=\"%.1f\">", b.x + 3, b.y + 11);
      LF_CLEANUP (lf_freep) char *cut = lf_strndup (name, strnlen (name, room));
      escaped (m->out, cut ? cut : "");
      lf_buf_adds (m->out, "</text>");
    }
  lf_buf_adds (m->out, "</g>\n");
}

static void draw_folder (map *m, size_t i, box b);

static void
draw_child (map *m, size_t parent, const child *c, box b)
{
  if (b.w < SIDE_MIN || b.h < SIDE_MIN || m->drawn >= RECTS_MAX)
    return;
  if (c->folder == SIZE_MAX)
    draw_box (m, &m->s->folders[parent], b, c->bytes, "/ (small files)", false);
  else
    draw_folder (m, c->folder, b);
}

static int
bigger (const void *a, const void *b)
{
  const child *x = a, *y = b;
  if (x->bytes != y->bytes)
    return x->bytes > y->bytes ? -1 : 1;
  return (x->folder > y->folder) - (x->folder < y->folder);
}

/* The worst ratio of sides in a row of boxes of sum area along a side. */
static double
worst (double sum, double smallest, double largest, double side)
{
  double a = side * side * largest / (sum * sum), b = sum * sum / (side * side * smallest);
  return a > b ? a : b;
}

/* Rows along the shorter side, each grown while its boxes get squarer. */
static void
lay_out (map *m, size_t parent, const child *c, size_t n, box b, int64_t bytes)
{
  double scale = b.w * b.h / (double) bytes;
  size_t i = 0;
  while (i < n && b.w >= SIDE_MIN && b.h >= SIDE_MIN)
    {
      double side = b.w < b.h ? b.w : b.h, sum = 0;
      double largest = (double) c[i].bytes * scale;
      size_t k = i;
      while (k < n)
        {
          double a = (double) c[k].bytes * scale;
          if (a <= 0 || (k > i && worst (sum + a, a, largest, side) > worst (sum, (double) c[k - 1].bytes * scale, largest, side)))
            break;
          sum += a;
          k++;
        }
      if (k == i)
        return; /* only empty files are left */
      double thick = sum / side, at = 0;
      for (; i < k; i++)
        {
          double len = (double) c[i].bytes * scale / thick;
          draw_child (m, parent, &c[i], b.w < b.h ? (box){ b.x + at, b.y, len, thick } : (box){ b.x, b.y + at, thick, len });
          at += len;
        }
      b = b.w < b.h ? (box){ b.x, b.y + thick, b.w, b.h - thick } : (box){ b.x + thick, b.y, b.w - thick, b.h };
    }
}

static void
draw_folder (map *m, size_t i, box b)
{
  const lf_space_folder *f = &m->s->folders[i];
  size_t n = 0;
  int64_t rest = f->bytes;
  for (size_t k = m->first[i]; k != SIZE_MAX; k = m->next[k], n++)
    rest -= m->s->folders[k].bytes;
  bool inside = n > 0 && b.w > 12 && b.h > HEAD + 8;
  draw_box (m, f, b, f->bytes, "", inside);
  LF_CLEANUP (lf_freep) child *c = inside ? malloc ((n + 1) * sizeof *c) : NULL;
  if (!c)
    return;
  n = 0;
  for (size_t k = m->first[i]; k != SIZE_MAX; k = m->next[k])
    c[n++] = (child){ .folder = k, .bytes = m->s->folders[k].bytes };
  if (rest > 0)
    c[n++] = (child){ .folder = SIZE_MAX, .bytes = rest };
  qsort (c, n, sizeof *c, bigger);
  lay_out (m, i, c, n, (box){ b.x + 2, b.y + HEAD, b.w - 4, b.h - HEAD - 2 }, f->bytes);
}

static void
draw_table (const lf_space *s, lf_buf *out)
{
  lf_buf_adds (out, "<table><tr><th>MB</th><th>%</th><th>kind</th><th>name</th><th>version</th><th>path</th><th></th></tr>\n");
  for (size_t i = 0; i < s->n && i < TABLE_ROWS; i++)
    {
      const lf_space_entry *e = &s->entries[i];
      const char *cells[] = { lf_space_kind_name (e->kind), e->name, e->version ? e->version : "", e->path, e->hint ? e->hint : "" };
      lf_buf_addf (out, "<tr><td>%.2f</td><td>%.1f</td>", (double) e->bytes / (double) LF_MB,
                   s->unzipped_bytes ? 100.0 * (double) e->bytes / (double) s->unzipped_bytes : 0.0);
      for (size_t k = 0; k < LF_ARRAY_LEN (cells); k++)
        {
          lf_buf_adds (out, "<td>");
          escaped (out, cells[k]);
          lf_buf_adds (out, "</td>");
        }
      lf_buf_adds (out, "</tr>\n");
    }
  lf_buf_adds (out, "</table>\n");
}

static void
draw_targets (map *m)
{
  const lf_space *s = m->s;
  LF_CLEANUP (lf_freep) child *c = malloc ((s->folders_n + 1) * sizeof *c);
  size_t n = 0;
  for (size_t i = 0; c && i < s->folders_n; i++)
    if (s->folders[i].depth == 0)
      c[n++] = (child){ .folder = i, .bytes = s->folders[i].bytes };
  if (!n || s->unzipped_bytes <= 0)
    return;
  qsort (c, n, sizeof *c, bigger);
  lay_out (m, c[0].folder, c, n, (box){ 0, 0, WIDTH, HEIGHT }, s->unzipped_bytes);
}

int
lf_space_html (const lf_space *s, int64_t allowed, lf_buf *out)
{
  map m = { .s = s, .out = out, .first = malloc ((s->folders_n + 1) * sizeof (size_t)), .next = malloc ((s->folders_n + 1) * sizeof (size_t)) };
  if (m.first && m.next)
    {
      for (size_t i = 0; i < s->folders_n; i++)
        m.first[i] = m.next[i] = SIZE_MAX;
      for (size_t i = s->folders_n; i-- > 0;)
        if (s->folders[i].parent != SIZE_MAX)
          {
            m.next[i] = m.first[s->folders[i].parent];
            m.first[s->folders[i].parent] = i;
          }
      lf_buf_addf (out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>What takes the space</title>\n<style>"
                        ":root{--bg:#fff;--ink:#222;--line:#ddd;--empty:#eee}@media(prefers-color-scheme:dark){:root{--bg:#14171a;--ink:#e8eaed;--line:#2e343a;--empty:#1c2024}}"
                        "body{font:14px system-ui,sans-serif;margin:1.5em auto;padding:0 1em;max-width:%.0fpx;color:var(--ink);background:var(--bg);overflow-wrap:anywhere}"
                        "svg{width:100%%;height:auto;background:var(--empty)}rect{stroke:var(--bg);stroke-width:1}text{font:11px system-ui,sans-serif;fill:#111}"
                        "table{border-collapse:collapse;margin-top:1em}td,th{padding:2px 8px;text-align:left;border-bottom:1px solid var(--line)}"
                        "td:nth-child(-n+2){text-align:right;font-variant-numeric:tabular-nums}i{display:inline-block;width:1em;height:1em;margin:0 .3em 0 1em}"
                        "</style></head><body>\n<h1>What takes the space</h1>\n<p>%.2f MB %s in %lld files: %.1f %% of Lambda's %.0f MB.</p>\n<p>",
                   WIDTH, (double) s->unzipped_bytes / (double) LF_MB, s->is_image ? "unpacked" : "unzipped", (long long) s->files, allowed > 0 ? 100.0 * (double) s->unzipped_bytes / (double) allowed : 100.0,
                   (double) allowed / (double) LF_MB);
      for (int k = 0; k < LF_SPACE_KINDS; k++)
        if (k != LF_SPACE_DUPLICATE && (k != LF_SPACE_HIDDEN || s->is_image))
          lf_buf_addf (out, "<i style=\"background:%s\"></i>%s", colours[k], lf_space_kind_name ((lf_space_kind) k));
      lf_buf_addf (out, "</p>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"treemap of the package\">\n", WIDTH, HEIGHT);
      draw_targets (&m);
      lf_buf_adds (out, "</svg>\n");
      draw_table (s, out);
      lf_buf_adds (out, "</body></html>\n");
    }
  else
    out->failed = true;
  free (m.first);
  free (m.next);
  return out->failed ? -1 : 0;
}
