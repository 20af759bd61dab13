/* SPDX-License-Identifier: Apache-2.0
 *
 * Building the tree from the events of a reader, without recursion.
 */
#ifndef LF_TEMPLATE_BUILD_H
#define LF_TEMPLATE_BUILD_H

#include "inside.h"

typedef struct tpl_frame
{
  tpl_kind kind;
  size_t start;       /* of its children in builder.v */
  int line, column;
  const char *tag, *anchor;
} tpl_frame;

typedef struct tpl_anchor { const char *name; tpl_node *node; /* NULL while it is open */ } tpl_anchor;

typedef struct tpl_builder
{
  tpl *t;
  tpl_node **v;
  size_t n, cap;
  tpl_frame frames[TPL_DEPTH_MAX];
  int depth;
  tpl_anchor *anchors;
  size_t anchors_n, anchors_cap;
  bool stop;          /* a fatal problem was said, or memory is out */
} tpl_builder;

void tpl_build_fini (tpl_builder *b);
/* All four return -1 when building must stop. tag and anchor may be NULL and live in the arena. */
int tpl_build_open (tpl_builder *b, tpl_kind kind, int line, int column, const char *tag, const char *anchor);
int tpl_build_close (tpl_builder *b);
int tpl_build_scalar (tpl_builder *b, const char *s, size_t n, bool plain, int line, int column, const char *tag, const char *anchor);
int tpl_build_alias (tpl_builder *b, const char *name, int line, int column);
/* The finished tree, or NULL. */
tpl_node *tpl_build_root (tpl_builder *b);

#endif
