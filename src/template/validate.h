/* SPDX-License-Identifier: Apache-2.0
 *
 * Validation, inside.
 */
#ifndef LF_TEMPLATE_VALIDATE_H
#define LF_TEMPLATE_VALIDATE_H

#include "inside.h"

/* The node to show for a property: its value where that is one word, else its key. `path` is "Environment.Variables"; as far as it can be
 * followed; `otherwise` when nothing of it is there. */
const tpl_node *tpl_place (const tpl_node *map, const char *path, const tpl_node *otherwise);
/* Keys that no place of the kind knows. property: put before the key ("" or "Globals.Function."). */
void tpl_check_names (tpl *t, const char *kind, const tpl_node *map, const char *id, const char *property);
/* A type that is nearly one of those that are read. */
void tpl_check_type (tpl *t, const tpl_resource *r);
/* A problem that only a deployment has. */
void tpl_deploy (tpl *t, lf_template_severity s, const tpl_node *at, const char *id, const char *property, const char *fmt, ...) LF_PRINTF (6, 7);
/* The outer parts: sections, logical ids, layers, URLs. validate_parts.c */
void tpl_check_sections (tpl *t);
void tpl_check_layers (tpl *t);
void tpl_check_urls (tpl *t);
/* Names that lead nowhere. references.c */
void tpl_check_references (tpl *t);

#endif
