/* SPDX-License-Identifier: Apache-2.0
 *
 * template, inside. The text becomes a tree of nodes in one arena with a budget. Short tags are turned into their long form while reading,
 * so that everything after knows one spelling. A resolved tree shares what it can with the tree it was made from.
 *
 * Absence is NULL everywhere, and every helper takes NULL: a property that is not there, one that AWS::NoValue removed, and an allocation
 * that failed look alike; the last sets tpl.failed, which is checked once at the end.
 */
#ifndef LF_TEMPLATE_INSIDE_H
#define LF_TEMPLATE_INSIDE_H

#include <stdio.h>

#include "lambdafit/template.h"

#define TPL_DEPTH_MAX 128          /* nesting of the text */
#define TPL_NODES_MAX 2000000      /* nodes, aliases counted as what they stand for */
#define TPL_ARENA_MAX ((size_t) 768 << 20)
#define TPL_CALLS_MAX 400          /* nesting while resolving: through conditions, names, mappings */
#define TPL_PROBLEMS_MAX 2000
#define TPL_STEPS_MAX UINT64_C (100000000)

typedef enum { TPL_SCALAR, TPL_SEQ, TPL_MAP } tpl_kind;
typedef struct tpl_node tpl_node;
typedef struct tpl_index { uint32_t mask; uint32_t slot[]; } tpl_index;

struct tpl_node
{
  uint8_t kind;
  bool plain;      /* a scalar without quotes */
  bool guess;      /* stands for something only a deployment knows */
  bool alias;      /* somewhere below is an alias */
  int line, column;
  uint32_t n;      /* bytes of a scalar, items of a sequence, pairs of a map */
  uint32_t weight; /* nodes below and itself, aliases counted as what they stand for */
  union
  {
    const char *s;    /* NUL-terminated */
    tpl_node **item;  /* sequence: items; map: key, value, key, value... */
  } u;
  tpl_index *index;   /* of a larger map's keys */
};

typedef struct tpl_chunk tpl_chunk;
typedef struct tpl_arena
{
  tpl_chunk *chunks;
  char *at;
  size_t left, total;
  bool failed, over; /* out of memory; over the budget */
} tpl_arena;

typedef struct tpl_param
{
  const tpl_node *key, *decl;
  const tpl_node *value;  /* resolved: a scalar or a list of scalars */
  const char *given;      /* from the caller */
  bool warned, checked;
} tpl_param;

typedef enum { TPL_COND_NEW, TPL_COND_BUSY, TPL_COND_TRUE, TPL_COND_FALSE } tpl_cond_state;
typedef struct tpl_cond { const tpl_node *key, *body; uint8_t state; } tpl_cond;

typedef enum { TPL_NAME_NEW, TPL_NAME_BUSY, TPL_NAME_DONE } tpl_name_state;
typedef struct tpl_resource
{
  const tpl_node *key, *body, *props; /* props: with Globals merged, unresolved */
  const char *id, *type;
  const char *name;                    /* physical name, once asked for */
  uint8_t name_state;
  bool name_guess, left_out;
} tpl_resource;

/* Settings whose value may be only a guess: what is said about such a value would be said about a stand-in. */
typedef enum { TPL_SET_NAME, TPL_SET_RUNTIME, TPL_SET_HANDLER, TPL_SET_LAYERS } tpl_setting;

/* A set of texts (warnings already given). */
typedef struct tpl_set { const char **slot; size_t cap, n; } tpl_set;

typedef struct tpl
{
  lf_template out;
  tpl_arena arena;
  const tpl_node *root;
  uint32_t nodes;
  const char *region, *account, *stack, *partition, *suffix;
  tpl_param *params;
  size_t params_n;
  tpl_cond *conds;
  size_t conds_n;
  tpl_resource *resources;
  size_t resources_n;
  const tpl_node *params_map, *conds_map, *resources_map, *mappings, *globals;
  bool macros;            /* a transform that is not SAM's: names may come from it */
  bool language_extensions;
  tpl_set warned;
  lf_template_problem *problems;
  size_t problems_n, problems_cap, warnings_n;
  bool oom;
  bool deploy_only;       /* set while a problem is said that only a deployment has */
  size_t bytes;
  /* where we are, for problems found while resolving */
  const char *where_id;
  const char *where_property;
  int calls;
  bool endless;           /* nothing more is resolved */
  const tpl_node *function_index, *layer_index; /* by name and ARN: the position in the list as a scalar */
  struct tpl_function { tpl_resource *r; uint32_t guess; bool *env_guess; /* of each variable */ } *function_of; /* beside out.functions */
} tpl;

/* ---- arena.c ---- */
void *tpl_alloc (tpl *t, size_t n);                              /* zeroed */
char *tpl_strndup (tpl *t, const char *s, size_t n);
char *tpl_strdup (tpl *t, const char *s);
const char *tpl_printf (tpl *t, const char *fmt, ...) LF_PRINTF (2, 3); /* "" when it fails */
/* Counts work; too much of it ends the template as too much memory does. */
static inline void
tpl_work (tpl *t, uint64_t steps)
{
  t->out.steps += steps;
  if (t->out.steps > TPL_STEPS_MAX)
    t->arena.failed = t->arena.over = true;
}
void tpl_arena_fini (tpl_arena *a);
bool tpl_set_add (tpl *t, const char *text);                     /* true when it is new */
void tpl_set_fini (tpl_set *s);

/* ---- node.c ---- */
tpl_node *tpl_node_new (tpl *t, tpl_kind kind, int line, int column);
tpl_node *tpl_scalar (tpl *t, const tpl_node *at, const char *s, size_t n, bool guess);
tpl_node *tpl_scalar_str (tpl *t, const tpl_node *at, const char *s, bool guess);
/* A collection with room for n items or pairs; *n starts at 0 and grows with tpl_push and tpl_put. */
tpl_node *tpl_collection (tpl *t, tpl_kind kind, const tpl_node *at, size_t room);
void tpl_push (tpl_node *seq, const tpl_node *item);
void tpl_put (tpl_node *map, const tpl_node *key, const tpl_node *value);
/* Makes the index of a finished map. Returns the key that is there twice (the later one), or NULL. */
const tpl_node *tpl_index_make (tpl *t, tpl_node *map);
const tpl_node *tpl_get (const tpl_node *map, const char *key);
long tpl_find (const tpl_node *map, const char *key, size_t n); /* which pair, or -1 */
static inline const tpl_node *tpl_key (const tpl_node *map, size_t i) { return map->u.item[2 * i]; }
static inline const tpl_node *tpl_value (const tpl_node *map, size_t i) { return map->u.item[2 * i + 1]; }
static inline bool tpl_is (const tpl_node *n, tpl_kind k) { return n != NULL && n->kind == k; }
const char *tpl_text (const tpl_node *n);                         /* a scalar's, NULL for anything else */
bool tpl_is_null (const tpl_node *n);
int tpl_bool (const tpl_node *n);                                 /* 1, 0; -1: no truth value */
const char *tpl_kind_name (const tpl_node *n);                    /* "a list" ... */
/* The intrinsic's name when the node is one ({"Fn::Sub": ...}, {"Ref": ...}), with its argument. */
const char *tpl_intrinsic (const tpl_node *n, const tpl_node **arg);
/* A tree as compact JSON. */
int tpl_json (const tpl_node *n, lf_buf *b);

/* ---- problems.c ---- */
void tpl_problem (tpl *t, lf_template_severity s, const tpl_node *at, const char *id, const char *property, const char *fmt, ...) LF_PRINTF (6, 7);
void tpl_problem_at (tpl *t, lf_template_severity s, int line, int column, const char *id, const char *property, const char *limit_id,
                     const char *message);
/* The template as a whole cannot be used. */
void tpl_fatal (tpl *t, int line, int column, const char *property, const char *fmt, ...) LF_PRINTF (5, 6);
/* While resolving: at the resource and property we are in. */
void tpl_here (tpl *t, lf_template_severity s, const tpl_node *at, const char *fmt, ...) LF_PRINTF (4, 5);
/* A warning given once for `what`, whatever the place. */
void tpl_warn_once (tpl *t, const tpl_node *at, const char *what, const char *fmt, ...) LF_PRINTF (4, 5);
void tpl_problems_sort (tpl *t);

/* ---- yaml.c, jsontext.c ---- */
/* The tree of the text, or NULL with a fatal problem. */
tpl_node *tpl_read_yaml (tpl *t, const char *text, size_t n);
tpl_node *tpl_read_json (tpl *t, const char *text, size_t n);

/* ---- sections.c: what stands at the top of the template ---- */
void tpl_sections (tpl *t);
void tpl_resources (tpl *t); /* after parameters and conditions: loops may make resources */
/* ---- foreach.c ---- */
/* A map with its Fn::ForEach keys carried out; the same map when it has none. NULL when memory or the budget is out. */
const tpl_node *tpl_foreach (tpl *t, const tpl_node *map);
/* ---- params.c ---- */
int tpl_params (tpl *t, const lf_strv *given, lf_error *err);
const tpl_node *tpl_param_value (tpl *t, size_t i, const tpl_node *at);
/* ---- conditions.c ---- */
void tpl_conditions (tpl *t);
/* 1, 0; an unknown condition is said and counts as true. */
int tpl_condition (tpl *t, const char *name, const tpl_node *at);
int tpl_truth (tpl *t, const tpl_node *n);
/* ---- resolve.c ---- */
const tpl_node *tpl_resolve (tpl *t, const tpl_node *n);
const tpl_node *tpl_unresolved (tpl *t, const tpl_node *at, const char *text); /* a guess */
/* ---- functions of lists and texts: lists.c, sub.c ---- */
const tpl_node *tpl_fn_sub (tpl *t, const tpl_node *at, const tpl_node *arg);
/* The next ${...} of such a text: where it opens, and what is in it without the blanks around it; *at goes on behind it. A literal begins with "!". */
bool tpl_sub_next (const char **at, const char **open, const char **name, size_t *n);
bool tpl_sub_name_valid (const char *s, size_t n);
const tpl_node *tpl_fn_join (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_select (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_split (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_find_in_map (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_base64 (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_get_azs (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_cidr (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_length (tpl *t, const tpl_node *at, const tpl_node *arg);
const tpl_node *tpl_fn_to_json (tpl *t, const tpl_node *at, const tpl_node *arg);
/* ---- refs.c: names, ARNs and attributes of what a deployment would make ---- */
const tpl_node *tpl_ref (tpl *t, const tpl_node *at, const char *name);
const tpl_node *tpl_get_att (tpl *t, const tpl_node *at, const char *id, const char *attribute);
const char *tpl_pseudo (tpl *t, const char *name); /* NULL: no pseudo parameter */
const char *tpl_physical_name (tpl *t, tpl_resource *r, bool *guess);
tpl_resource *tpl_resource_find (tpl *t, const char *id);
bool tpl_may_be_added (tpl *t, const char *id); /* no resource of the text, but one that the SAM transform may add */
/* ---- globals.c ---- */
/* The properties of a serverless resource with those of Globals below them. */
const tpl_node *tpl_globals_merge (tpl *t, const tpl_resource *r);
/* ---- functions.c, layers.c, events.c ---- */
void tpl_layers (tpl *t);
void tpl_functions (tpl *t);
void tpl_function_events (tpl *t, const tpl_resource *r, const tpl_node *props, lf_template_function *f);
void tpl_url_resource (tpl *t, const tpl_resource *r);
/* A function by its name, its ARN or its logical id, as a template names it; NULL: it is not in this one. */
lf_template_function *tpl_function_named (tpl *t, const char *s);
/* ---- destinations.c ---- */
/* What becomes of asynchronous events: the settings of an EventInvokeConfig, or of a resource of that type. `prefix` stands before a property. */
void tpl_event_config (tpl *t, const char *id, const char *prefix, const tpl_node *config, lf_function *f);
void tpl_event_config_resource (tpl *t, const tpl_resource *r);
/* ---- reading of properties ---- */
typedef enum { TPL_NUM_ABSENT, TPL_NUM_OK, TPL_NUM_BAD } tpl_num;
/* A whole number; anything else is a problem at its place. A guess counts as absent: the default is as good. */
tpl_num tpl_number (tpl *t, const tpl_node *n, const char *id, const char *property, int64_t *out);
/* A scalar's text resolved; a list or map is a problem. NULL when absent. */
const char *tpl_string (tpl *t, const tpl_node *n, const char *id, const char *property);
/* The same, and whether it is a guess. */
const char *tpl_string_guess (tpl *t, const tpl_node *n, const char *id, const char *property, bool *guess);
bool tpl_type_is_function (const char *type);
bool tpl_type_is_layer (const char *type);
bool tpl_serverless_type (const char *type);

#endif
