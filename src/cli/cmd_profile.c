/* SPDX-License-Identifier: Apache-2.0
 *
 * lambdafit profile: platforms on a date.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int
list (const lf_args *a)
{
  lf_error err = { 0 };
  lf_strv names = { 0 };
  if (lf_profile_list (&names, &err) < 0)
    return lf_cli_error (&err);
  cJSON *json LF_CLEANUP (lf_json_freep) = cJSON_CreateArray ();
  for (size_t i = 0; i < names.n; i++)
    {
      lf_profile *p = lf_profile_load (names.v[i], &err);
      if (!p)
        {
          lf_strv_fini (&names);
          return lf_cli_error (&err);
        }
      if (a->json)
        {
          cJSON *o = cJSON_CreateObject ();
          lf_json_add_str (o, "name", p->name);
          lf_json_add_str (o, "title", p->title);
          lf_json_add_str (o, "date", p->date);
          lf_json_add_str (o, "service", p->service);
          cJSON_AddBoolToObject (o, "default", strcmp (p->name, LF_PROFILE_DEFAULT) == 0);
          cJSON_AddItemToArray (json, o);
        }
      else
        printf ("%-24s %-12s %s%s\n", p->name, p->date, p->title, strcmp (p->name, LF_PROFILE_DEFAULT) == 0 ? " (default)" : "");
      lf_profile_free (p);
    }
  lf_strv_fini (&names);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  if (a->json && lf_json_print_pretty (json, &b) == 0)
    printf ("%s\n", b.data);
  return 0;
}

/* ---- services other than Lambda: rates of any shape ------------------------------------------------------------------------------- */

/* The value of a leaf as text: a number or a word as it is, a list by its length. */
static void
leaf_text (const cJSON *leaf, char out[64])
{
  const cJSON *v = cJSON_GetObjectItemCaseSensitive (leaf, "value");
  if (cJSON_IsString (v))
    snprintf (out, 64, "%s", v->valuestring);
  else if (cJSON_IsNumber (v))
    snprintf (out, 64, "%.15g", v->valuedouble);
  else if (cJSON_IsArray (v))
    snprintf (out, 64, "%d entries", cJSON_GetArraySize (v));
  else
    snprintf (out, 64, "?");
}

/* Visits every {"value", "source", "confidence"} under o with its path. */
static void
each_leaf (const cJSON *o, const char *path, void (*visit) (const char *path, const cJSON *leaf, void *user), void *user)
{
  const cJSON *child;
  if (cJSON_GetObjectItemCaseSensitive (o, "value"))
    {
      visit (path, o, user);
      return;
    }
  cJSON_ArrayForEach (child, o)
    {
      char at[200];
      snprintf (at, sizeof at, "%.120s%s%.70s", path, *path ? "." : "", child->string);
      each_leaf (child, at, visit, user);
    }
}

static void
show_leaf (const char *path, const cJSON *leaf, void *user)
{
  lf_table *t = user;
  char value[64];
  leaf_text (leaf, value);
  lf_table_add (t, "%s", path);
  lf_table_add (t, "%s", value);
  lf_table_add (t, "%s", lf_json_str (leaf, "confidence"));
  lf_table_add (t, "%s", lf_json_str (leaf, "source"));
}

static void
show_service (const lf_profile *p)
{
  lf_table t;
  printf ("%s: %s (%s)\n\n", p->name, p->title, p->date);
  lf_table_init (&t, 4, "lrll");
  each_leaf (p->extra, "", show_leaf, &t);
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
}

static int
show (const lf_args *a, const char *name)
{
  lf_error err = { 0 };
  lf_profile *p = lf_profile_load (name, &err);
  if (!p)
    return lf_cli_error (&err);
  if (a->json)
    {
      lf_buf b LF_CLEANUP (lf_buf_fini);
      lf_buf_init (&b, 0);
      if (lf_json_print_pretty (p->tree, &b) == 0)
        printf ("%s\n", b.data);
      lf_profile_free (p);
      return 0;
    }
  if (p->extra)
    {
      show_service (p);
      lf_profile_free (p);
      return 0;
    }
  printf ("%s: %s (%s)\n\n", p->name, p->title, p->date);
  const lf_profile_field *fields;
  size_t n = lf_profile_fields (&fields);
  lf_table t;
  lf_table_init (&t, 5, "lrlll");
  for (size_t i = 0; i < n; i++)
    {
      char value[256];
      const char *source, *confidence;
      lf_profile_field_get (p, i, value, &source, &confidence);
      lf_table_add (&t, "%s.%s", fields[i].section, fields[i].key);
      lf_table_add (&t, "%.40s", value);
      lf_table_add (&t, "%s", fields[i].unit);
      lf_table_add (&t, "%s", confidence);
      lf_table_add (&t, "%s", source);
    }
  const char *region = a->region ? a->region : "us-east-1";
  lf_profile_rate rates[LF_RATE_SLOTS_MAX];
  size_t rates_n = lf_profile_rates (p, region, rates);
  for (size_t i = 0; i < rates_n; i++)
    {
      char value[40] = "not published";
      if (lf_rate_known (rates[i].rate))
        lf_decimal_format (rates[i].rate, value);
      lf_table_add (&t, "prices.%s.%s", region, rates[i].key);
      lf_table_add (&t, "%s", value);
      lf_table_add (&t, "%s", rates[i].unit);
      lf_table_add (&t, "%s", rates[i].confidence);
      lf_table_add (&t, "%s", rates[i].source);
    }
  lf_table_print (&t, stdout, "");
  lf_table_fini (&t);
  fputs ("\nregions:", stdout);
  for (size_t i = 0; i < p->prices_n; i++)
    printf (" %s", p->prices[i].region);
  putchar ('\n');
  lf_profile_free (p);
  return 0;
}

static void
diff_values (lf_table *t, const char *key, const char *a, const char *b)
{
  if (strcmp (a, b) == 0)
    return;
  lf_table_add (t, "%s", key);
  lf_table_add (t, "%.60s", a);
  lf_table_add (t, "%.60s", b);
}

static void
diff_rates (lf_table *t, const lf_profile *a, const lf_profile *b, const char *region)
{
  lf_profile_rate x[LF_RATE_SLOTS_MAX], y[LF_RATE_SLOTS_MAX];
  size_t xn = lf_profile_rates (a, region, x), yn = lf_profile_rates (b, region, y);
  for (size_t i = 0; i < xn + yn; i++)
    {
      const lf_profile_rate *r = i < xn ? &x[i] : &y[i - xn];
      char left[40] = "-", right[40] = "-", key[120];
      bool seen = false;
      for (size_t k = 0; k < xn; k++)
        if (strcmp (x[k].key, r->key) == 0)
          {
            seen = i >= xn;
            if (lf_rate_known (x[k].rate))
              lf_decimal_format (x[k].rate, left);
          }
      for (size_t k = 0; k < yn; k++)
        if (strcmp (y[k].key, r->key) == 0 && lf_rate_known (y[k].rate))
          lf_decimal_format (y[k].rate, right);
      snprintf (key, sizeof key, "prices.%s.%s", region, r->key);
      if (!seen)
        diff_values (t, key, left, right);
    }
}

typedef struct leaf_search { const char *path; const cJSON *found; } leaf_search;

static void
find_leaf (const char *path, const cJSON *leaf, void *user)
{
  leaf_search *s = user;
  if (strcmp (path, s->path) == 0)
    s->found = leaf;
}

typedef struct leaf_diff { lf_table *t; const lf_profile *other; bool turned; } leaf_diff;

/* turned: of the second profile, what the first does not have at all. */
static void
diff_leaf (const char *path, const cJSON *leaf, void *user)
{
  const leaf_diff *d = user;
  leaf_search s = { path, NULL };
  char here[64], there[64] = "-";
  each_leaf (d->other->extra, "", find_leaf, &s);
  leaf_text (leaf, here);
  if (s.found)
    leaf_text (s.found, there);
  if (!d->turned)
    diff_values (d->t, path, here, there);
  else if (!s.found)
    diff_values (d->t, path, there, here);
}

static void
diff_services (lf_table *t, const lf_profile *x, const lf_profile *y)
{
  leaf_diff d = { t, y, false }, turned = { t, x, true };
  each_leaf (x->extra, "", diff_leaf, &d);
  each_leaf (y->extra, "", diff_leaf, &turned);
}

static int
diff (const lf_args *a)
{
  lf_error err = { 0 };
  lf_profile *x = lf_profile_load (a->rest[1], &err), *y = x ? lf_profile_load (a->rest[2], &err) : NULL;
  int status = 0;
  if (x && y && !x->extra != !y->extra)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, y->name, "compare profiles of Lambda with each other, and others with each other",
                      "%s is of %s and %s of %s: they have nothing in common", x->name, x->service, y->name, y->service);
      status = lf_cli_error (&err);
    }
  else if (!x || !y)
    status = lf_cli_error (&err);
  else
    {
      const lf_profile_field *fields;
      size_t n = lf_profile_fields (&fields);
      lf_table t;
      lf_table_init (&t, 3, "lrr");
      lf_table_add (&t, "value");
      lf_table_add (&t, "%s", x->name);
      lf_table_add (&t, "%s", y->name);
      if (x->extra)
        diff_services (&t, x, y);
      for (size_t i = 0; !x->extra && i < n; i++)
        {
          char left[256], right[256], key[120];
          const char *source, *confidence;
          lf_profile_field_get (x, i, left, &source, &confidence);
          lf_profile_field_get (y, i, right, &source, &confidence);
          snprintf (key, sizeof key, "%s.%s", fields[i].section, fields[i].key);
          diff_values (&t, key, left, right);
        }
      if (!x->extra)
        diff_rates (&t, x, y, a->region ? a->region : "us-east-1");
      lf_table_print (&t, stdout, "");
      lf_table_fini (&t);
    }
  lf_profile_free (x);
  lf_profile_free (y);
  return status;
}

int
lf_cmd_profile (const lf_args *a)
{
  lf_error err = { 0 };
  const char *verb = a->rest[0];
  if (strcmp (verb, "list") == 0 && a->rest_n == 1)
    return list (a);
  if (strcmp (verb, "show") == 0 && a->rest_n <= 2)
    return show (a, a->rest_n == 2 ? a->rest[1] : NULL);
  if (strcmp (verb, "diff") == 0 && a->rest_n == 3)
    return diff (a);
  if (strcmp (verb, "check") == 0 && a->rest_n == 2)
    {
      lf_profile *p = lf_profile_load (a->rest[1], &err);
      if (!p)
        return lf_cli_error (&err);
      size_t regions = p->extra ? (size_t) cJSON_GetArraySize (cJSON_GetObjectItemCaseSensitive (p->extra, "regions")) : p->prices_n;
      printf ("%s: ok, %s, %zu regions\n", a->rest[1], p->name, regions);
      lf_profile_free (p);
      return 0;
    }
  (void) LF_FAIL (&err, LF_EXIT_USAGE, verb, "lambdafit profile list | show [PROFILE] | diff A B | check FILE", "not a way to call profile");
  return lf_cli_error (&err);
}
