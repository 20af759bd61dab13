/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters: the caller's values, defaults, what is allowed; and a placeholder where there is neither.
 */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define PATTERN_MAX 200

/* What a parameter of a type could look like. */
static const struct { const char *type, *value; } samples[] = {
  { "Number", "1" },
  { "AWS::EC2::AvailabilityZone::Name", "us-east-1a" },
  { "AWS::EC2::Image::Id", "ami-0123456789abcdef0" },
  { "AWS::EC2::Instance::Id", "i-0123456789abcdef0" },
  { "AWS::EC2::KeyPair::KeyName", "local-key" },
  { "AWS::EC2::SecurityGroup::GroupName", "local-group" },
  { "AWS::EC2::SecurityGroup::Id", "sg-0123456789abcdef0" },
  { "AWS::EC2::Subnet::Id", "subnet-0123456789abcdef0" },
  { "AWS::EC2::Volume::Id", "vol-0123456789abcdef0" },
  { "AWS::EC2::VPC::Id", "vpc-0123456789abcdef0" },
  { "AWS::Route53::HostedZone::Id", "Z0123456789ABCDEFGHIJ" },
};

static bool
is_list_type (const char *type)
{
  return strcmp (type, "CommaDelimitedList") == 0 || lf_starts (type, "List<") || lf_starts (type, "AWS::SSM::Parameter::Value<List<")
         || strcmp (type, "AWS::SSM::Parameter::Value<CommaDelimitedList>") == 0;
}

static bool
is_number_type (const char *type)
{
  return strcmp (type, "Number") == 0 || strcmp (type, "List<Number>") == 0;
}

static const char *
type_of (const tpl_param *p)
{
  const char *type = tpl_text (tpl_get (p->decl, "Type"));
  return type ? type : "String";
}

/* ---- what is allowed -------------------------------------------------------------------------------------------------------------- */

/* The larger number of "{m,n}", large when there is none. */
static int
count_of (const char *p)
{
  long a, b;
  char *end;
  a = strtol (p + 1, &end, 10);
  if (end == p + 1)
    return 1000000;
  b = *end == ',' ? strtol (end + 1, NULL, 10) : a;
  a = a > b ? a : b;
  return a < 1000000 ? (int) a : 1000000;
}

/* The part of Java's patterns that POSIX has too, written its way. False: leave it to the deployment. */
static bool
to_posix (const char *pattern, char *out, size_t size)
{
  size_t n = 0;
  bool bracket = false;
  int braces = 0, first = 0;
  n += (size_t) snprintf (out, size, "^(");
  for (const char *p = pattern; *p; p++)
    {
      const char *put = NULL;
      char one[3] = { *p, 0, 0 };
      if (*p == '\\' && p[1] == 'd')
        put = bracket ? "0-9" : "[0-9]";
      else if (*p == '\\' && p[1] == 'w')
        put = bracket ? "a-zA-Z0-9_" : "[a-zA-Z0-9_]";
      else if (*p == '\\' && p[1] == 's')
        put = bracket ? " \t" : "[ \t\n\r]";
      else if (*p == '\\' && (!p[1] || isalnum ((unsigned char) p[1])))
        return false;
      else if (*p == '\\' && bracket)
        {
          /* POSIX takes a backslash in brackets as itself, and has other rules for these. */
          if (strchr ("]^-[\\", p[1]))
            return false;
          one[0] = p[1];
        }
      else if (*p == '\\')
        one[1] = p[1];
      else if (*p == '[')
        bracket = true;
      else if (*p == ']')
        bracket = false;
      else if (!bracket && *p == '(' && p[1] == '?')
        return false;
      else if (!bracket && strchr ("*+?}", *p) && (p[1] == '?' || p[1] == '+'))
        return false;
      else if (!bracket && *p == '{')
        {
          /* Counts of counts make huge automata. */
          int most = count_of (p);
          if (++braces > 2 || most > 1000 || (braces == 2 && (most > 100 || first > 100)))
            return false;
          first = most;
        }
      n += (size_t) snprintf (out + n, size - n, "%s", put ? put : one);
      p += *p == '\\';
    }
  n += (size_t) snprintf (out + n, size - n, ")$");
  return n < size && !bracket;
}

static bool
matches (const char *pattern, const char *value)
{
  char posix[PATTERN_MAX * 12 + 8];
  regex_t re;
  if (strlen (pattern) > PATTERN_MAX || strlen (value) > 4096 || !to_posix (pattern, posix, sizeof posix)
      || regcomp (&re, posix, REG_EXTENDED | REG_NOSUB) != 0)
    return true;
  int rc = regexec (&re, value, 0, NULL, 0);
  regfree (&re);
  return rc != REG_NOMATCH;
}

static bool
number_of (const tpl_node *n, double *out)
{
  const char *s = tpl_text (n);
  char *end;
  if (!s || !*s)
    return false;
  *out = strtod (s, &end);
  return *end == 0;
}

static bool
in_list (const tpl_node *allowed, const char *value)
{
  for (uint32_t i = 0; i < allowed->n; i++)
    {
      const tpl_node *a = allowed->u.item[i];
      double x, y;
      tpl_node v = { .kind = TPL_SCALAR, .u.s = value };
      if (a->kind == TPL_SCALAR && (strcmp (a->u.s, value) == 0 || (a->plain && number_of (a, &x) && number_of (&v, &y) && x == y)))
        return true;
      if (a->kind == TPL_SCALAR && a->plain && tpl_bool (a) >= 0 && tpl_bool (a) == tpl_bool (&v))
        return true;
    }
  return false;
}

/* The rule that the value breaks, in `why`; false: it breaks none. */
static bool
refused (const tpl_param *p, const char *value, char *why, size_t size)
{
  const tpl_node *allowed = tpl_get (p->decl, "AllowedValues");
  const char *pattern = tpl_text (tpl_get (p->decl, "AllowedPattern")), *type = type_of (p);
  double v, bound;
  tpl_node text = { .kind = TPL_SCALAR, .u.s = value };
  bool is_number = number_of (&text, &v);
  why[0] = 0;
  if (is_number_type (type) && !is_number)
    snprintf (why, size, "is not a number");
  else if (tpl_is (allowed, TPL_SEQ) && !in_list (allowed, value))
    snprintf (why, size, "is not one of its AllowedValues");
  else if (is_number && is_number_type (type) && number_of (tpl_get (p->decl, "MinValue"), &bound) && v < bound)
    snprintf (why, size, "is less than its MinValue %g", bound);
  else if (is_number && is_number_type (type) && number_of (tpl_get (p->decl, "MaxValue"), &bound) && v > bound)
    snprintf (why, size, "is more than its MaxValue %g", bound);
  else if (number_of (tpl_get (p->decl, "MinLength"), &bound) && (double) strlen (value) < bound)
    snprintf (why, size, "is shorter than its MinLength %g", bound);
  else if (number_of (tpl_get (p->decl, "MaxLength"), &bound) && (double) strlen (value) > bound)
    snprintf (why, size, "is longer than its MaxLength %g", bound);
  else if (pattern && !matches (pattern, value))
    snprintf (why, size, "does not match its AllowedPattern %.120s", pattern);
  return why[0] != 0;
}

/* As `refused`, of each value of a list. */
static bool
refused_any (const tpl_param *p, const char *value, char *bad, size_t bad_size, char *why, size_t size)
{
  const tpl_node *allowed = tpl_get (p->decl, "AllowedValues");
  if (is_list_type (type_of (p)) && tpl_is (allowed, TPL_SEQ) && in_list (allowed, value))
    return false; /* a list may be allowed as a whole */
  if (!is_list_type (type_of (p)))
    {
      snprintf (bad, bad_size, "%s", value);
      return refused (p, value, why, size);
    }
  for (const char *s = value; s; s = strchr (s, ',') ? strchr (s, ',') + 1 : NULL)
    {
      s += strspn (s, " ");
      size_t n = strcspn (s, ",");
      while (n && s[n - 1] == ' ')
        n--;
      char one[300];
      if (n >= sizeof one)
        return false;
      snprintf (one, sizeof one, "%.*s", (int) n, s);
      snprintf (bad, bad_size, "%.150s", one);
      if (refused (p, one, why, size))
        return true;
    }
  return false;
}

/* ---- values ----------------------------------------------------------------------------------------------------------------------- */

static const tpl_node *
list_value (tpl *t, const tpl_node *at, const char *s, bool guess)
{
  size_t n = 1;
  for (const char *p = s; *p; p++)
    n += *p == ',';
  tpl_node *list = tpl_collection (t, TPL_SEQ, at, n);
  while (list)
    {
      s += strspn (s, " ");
      size_t len = strcspn (s, ","), keep = len;
      while (keep && s[keep - 1] == ' ')
        keep--;
      const tpl_node *item = tpl_scalar (t, at, s, keep, guess);
      if (!item)
        return NULL;
      tpl_push (list, item);
      if (!s[len])
        break;
      s += len + 1;
    }
  return list;
}

static const char *
placeholder (tpl *t, const tpl_param *p, bool *guess)
{
  const tpl_node *allowed = tpl_get (p->decl, "AllowedValues");
  const char *type = type_of (p), *min = tpl_text (tpl_get (p->decl, "MinValue"));
  *guess = true;
  if (tpl_is (allowed, TPL_SEQ) && allowed->n > 0 && tpl_text (allowed->u.item[0]))
    {
      *guess = false; /* it could be given just so */
      return tpl_text (allowed->u.item[0]);
    }
  if (is_number_type (type))
    return min ? min : "1";
  for (size_t i = 0; i < LF_ARRAY_LEN (samples); i++)
    if (strstr (type, samples[i].type))
      return strcmp (samples[i].type, "AWS::EC2::AvailabilityZone::Name") == 0 ? tpl_printf (t, "%sa", t->region) : samples[i].value;
  return p->key->u.s;
}

static const tpl_node *
make_value (tpl *t, const tpl_node *at, const tpl_param *p, const char *text, bool guess)
{
  const char *type = type_of (p);
  if (is_list_type (type))
    return list_value (t, at, text, guess);
  return tpl_scalar_str (t, at, text, guess);
}

const tpl_node *
tpl_param_value (tpl *t, size_t i, const tpl_node *at)
{
  tpl_param *p = &t->params[i];
  const tpl_node *dflt = tpl_get (p->decl, "Default");
  const char *name = p->key->u.s, *text = p->given ? p->given : tpl_text (dflt);
  bool in_ssm = lf_starts (type_of (p), "AWS::SSM::Parameter::Value<");
  if (p->value)
    return p->value;
  if (!text && tpl_is (dflt, TPL_SEQ))
    {
      /* A list as the default is no template for CloudFormation, but there is no doubt what it means. */
      p->value = tpl_resolve (t, dflt);
      return p->value;
    }
  if (text && !in_ssm)
    p->value = make_value (t, dflt && !p->given ? dflt : p->key, p, text, false);
  else if (text)
    {
      p->value = make_value (t, p->key, p, text, true);
      tpl_warn_once (t, at, tpl_printf (t, "parameter %s", name), "parameter %s has its value in the SSM parameter %.200s, which is not read: its name is taken "
                     "(or give --parameter with a value of another type)", name, text);
    }
  else
    {
      bool guess;
      const char *stand_in = placeholder (t, p, &guess);
      p->value = make_value (t, p->key, p, stand_in, guess);
      tpl_warn_once (t, at, tpl_printf (t, "parameter %s", name), "parameter %s has no default: \"%.100s\" is taken; give --parameter %s=VALUE", name, stand_in,
                     name);
    }
  return p->value;
}

/* ---- reading the section ---------------------------------------------------------------------------------------------------------- */

static int
give (tpl *t, const char *pair, lf_error *err)
{
  const char *eq = strchr (pair, '=');
  char what[200], bad[200], why[300];
  if (!eq || eq == pair)
    return LF_FAIL (err, LF_EXIT_USAGE, "--parameter", "write it as NAME=VALUE", "\"%.80s\" is no parameter with a value", pair);
  long i = tpl_find (t->params_map, pair, (size_t) (eq - pair));
  snprintf (what, sizeof what, "--parameter %.*s", (int) (eq - pair < 100 ? eq - pair : 100), pair);
  if (i < 0)
    {
      char have[400] = "";
      size_t n = 0;
      for (size_t k = 0; k < t->params_n && n + 70 < sizeof have; k++)
        n += (size_t) snprintf (have + n, sizeof have - n, "%s%.60s", k ? ", " : "the template has: ", t->params[k].key->u.s);
      return LF_FAIL (err, LF_EXIT_USAGE, what, have, "%s has no parameter of this name", t->out.path);
    }
  tpl_param *p = &t->params[i];
  p->given = tpl_strdup (t, eq + 1);
  if (!p->given)
    return LF_FAIL_NOMEM (err);
  if (!lf_starts (type_of (p), "AWS::SSM::Parameter::Value<") && refused_any (p, eq + 1, bad, sizeof bad, why, sizeof why))
    {
      const char *fix = tpl_text (tpl_get (p->decl, "ConstraintDescription"));
      return LF_FAIL (err, LF_EXIT_USAGE, what, fix ? fix : "", "\"%.100s\" %s (%s:%d:%d)", bad, why, t->out.path, p->key->line, p->key->column);
    }
  return 0;
}

static void
check_declaration (tpl *t, tpl_param *p)
{
  char bad[200], why[300];
  const char *name = p->key->u.s, *dflt = tpl_text (tpl_get (p->decl, "Default"));
  const char *property = tpl_printf (t, "Parameters.%s", name);
  if (!tpl_is (p->decl, TPL_MAP))
    {
      tpl_problem (t, LF_TPL_ERROR, p->key, NULL, property, "a parameter is a map with a Type, here it is %s", tpl_kind_name (p->decl));
      return;
    }
  if (!tpl_get (p->decl, "Type"))
    tpl_problem (t, LF_TPL_ERROR, p->key, NULL, property, "a parameter needs a Type");
  if (dflt && !lf_starts (type_of (p), "AWS::SSM::Parameter::Value<") && refused_any (p, dflt, bad, sizeof bad, why, sizeof why))
    tpl_problem (t, LF_TPL_ERROR, tpl_get (p->decl, "Default"), NULL, property, "the default \"%.100s\" %s", bad, why);
}

int
tpl_params (tpl *t, const lf_strv *given, lf_error *err)
{
  const tpl_node *m = t->params_map;
  t->params_n = m ? m->n : 0;
  t->params = tpl_alloc (t, t->params_n * sizeof *t->params);
  if (!t->params)
    {
      t->params_n = 0;
      return 0;
    }
  for (size_t i = 0; i < t->params_n; i++)
    {
      t->params[i].key = tpl_key (m, i);
      t->params[i].decl = tpl_value (m, i);
      check_declaration (t, &t->params[i]);
    }
  for (size_t i = 0; given && i < given->n; i++)
    if (give (t, given->v[i], err) < 0)
      return -1;
  return 0;
}
