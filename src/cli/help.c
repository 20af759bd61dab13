/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that tells about commands and options, made from their tables: --help, the man page, docs/cli.md, bash completion.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "config.h"

static const char about[] = "a local AWS Lambda emulator and cost and limit simulator for machine-learning handlers";

void
lf_help_all (FILE *f)
{
  fprintf (f, "lambdafit: %s\n\nusage: lambdafit COMMAND [OPTIONS] [ARGUMENTS]\n\n", about);
  for (size_t i = 0; i < lf_commands_n; i++)
    fprintf (f, "  %-10s %s\n", lf_commands[i].name, lf_commands[i].summary);
  fputs ("\nexamples:\n"
         "  lambdafit run .                      run the function in this folder, see its limits and its cost\n"
         "  lambdafit serve . &                  serve it to the AWS command line and SDKs\n"
         "  lambdafit doctor                     what this machine can enforce\n"
         "\n`lambdafit COMMAND --help` tells a command's options and has examples.\n",
         f);
}

static void
print_option (const lf_opt *o, void *user)
{
  char left[64], text[400];
  snprintf (left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->arg ? " " : "",
            o->arg ? o->arg : "");
  snprintf (text, sizeof text, "%s%s%s%s", o->doc, o->otherwise ? " (default: " : "", o->otherwise ? o->otherwise : "", o->otherwise ? ")" : "");
  if (strlen (left) > 26)
    fprintf (user, "  %s\n  %-26s %s\n", left, "", text);
  else
    fprintf (user, "  %-26s %s\n", left, text);
}

void
lf_help_command (FILE *f, const lf_command *c)
{
  fprintf (f, "usage: lambdafit %s\n\n%s\n\noptions:\n", c->synopsis, c->description);
  lf_command_options (c, print_option, f);
  fprintf (f, "      --help                 this help\n\nexamples:\n%s", c->examples);
}

/* ---- man ---------------------------------------------------------------------------------------------------------------------------- */

static void
man_text (FILE *f, const char *s)
{
  bool start = true;
  for (; *s; s++)
    {
      if (start && (*s == '.' || *s == '\''))
        fputs ("\\&", f);
      if (*s == '\\')
        fputs ("\\e", f);
      else if (*s == '-')
        fputs ("\\-", f);
      else
        fputc (*s, f);
      start = *s == '\n';
    }
}

static void
man_option (const lf_opt *o, void *user)
{
  FILE *f = user;
  fputs (".TP\n.B ", f);
  if (o->letter)
    fprintf (f, "\\-%c, ", o->letter);
  fputs ("\\-\\-", f);
  man_text (f, o->name);
  if (o->arg)
    {
      fputs (" \\fI", f);
      man_text (f, o->arg);
      fputs ("\\fR", f);
    }
  fputc ('\n', f);
  man_text (f, o->doc);
  if (o->otherwise)
    {
      fputs (" (default: ", f);
      man_text (f, o->otherwise);
      fputc (')', f);
    }
  fputc ('\n', f);
}

static void
generate_man (FILE *f)
{
  fprintf (f, ".TH LAMBDAFIT 1 \"\" \"lambdafit %s\" \"User Commands\"\n.SH NAME\nlambdafit \\- ", PACKAGE_VERSION);
  man_text (f, about);
  fputs ("\n.SH SYNOPSIS\n.B lambdafit\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH COMMANDS\n", f);
  for (size_t i = 0; i < lf_commands_n; i++)
    {
      const lf_command *c = &lf_commands[i];
      fputs (".SS lambdafit ", f);
      man_text (f, c->synopsis);
      fputc ('\n', f);
      man_text (f, c->description);
      fputs ("\n", f);
      lf_command_options (c, man_option, f);
      fputs (".P\nExamples:\n.nf\n", f);
      man_text (f, c->examples);
      fputs (".fi\n", f);
    }
  fputs (".SH EXIT STATUS\n.TP\n.B 0\ndone and well\n.TP\n.B 1\nthe function, package or check failed what was asked\n.TP\n.B 2\nwrong usage or configuration\n"
         ".TP\n.B 3\nthis machine cannot do it\n.TP\n.B 4\na file, database, port or daemon problem\n.TP\n.B 128+N\nended by signal N\n"
         ".SH ENVIRONMENT\n.TP\n.B LAMBDAFIT_DB\nthe log\n.TP\n.B LAMBDAFIT_PROFILE\nthe profile\n.TP\n.B LAMBDAFIT_ENDPOINT\nthe daemon's address\n.TP\n.B NO_COLOR\n"
         "no colours\n.TP\n.B XDG_STATE_HOME, XDG_CACHE_HOME\nwhere the log and unpacked packages are kept\n",
         f);
}

/* ---- markdown ------------------------------------------------------------------------------------------------------------------------ */

static void
markdown_option (const lf_opt *o, void *user)
{
  FILE *f = user;
  fputs ("| `", f);
  if (o->letter)
    fprintf (f, "-%c, ", o->letter);
  fprintf (f, "--%s%s", o->name, o->arg ? " " : "");
  for (const char *p = o->arg ? o->arg : ""; *p; p++)
    fprintf (f, "%s%c", *p == '|' ? "\\" : "", *p);
  fprintf (f, "` | %s | %s |\n", o->doc, o->otherwise ? o->otherwise : "");
}

static void
generate_markdown (FILE *f)
{
  fputs ("# Command line\n\nMade from the program's own tables (`lambdafit help --format markdown`).\n\n"
         "Exit status of every command: **0** done and well; **1** the function, package or check failed what was asked; **2** wrong usage or\n"
         "configuration; **3** this machine cannot do it; **4** a file, database, port or daemon problem; 128+N ended by signal N.\n",
         f);
  for (size_t i = 0; i < lf_commands_n; i++)
    {
      const lf_command *c = &lf_commands[i];
      fprintf (f, "\n## `lambdafit %s`\n\n%s\n\n", c->synopsis, c->description);
      if (c->options && c->options[0])
        {
          fputs ("| option | what | default |\n|---|---|---|\n", f);
          lf_command_options (c, markdown_option, f);
        }
      fprintf (f, "\n```\n%s```\n", c->examples);
    }
}

/* ---- bash ------------------------------------------------------------------------------------------------------------------------------ */

static void
bash_option (const lf_opt *o, void *user)
{
  fprintf (user, " --%s", o->name);
}

static void
generate_bash (FILE *f)
{
  fputs ("# bash completion for lambdafit\n_lambdafit ()\n{\n  local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=\"",
         f);
  for (size_t i = 0; i < lf_commands_n; i++)
    fprintf (f, "%s%s", i ? " " : "", lf_commands[i].name);
  fputs (" --help --version\"\n  else\n    case $command in\n", f);
  for (size_t i = 0; i < lf_commands_n; i++)
    {
      fprintf (f, "      %s) words=\"--help", lf_commands[i].name);
      lf_command_options (&lf_commands[i], bash_option, f);
      fputs ("\" ;;\n", f);
    }
  fputs ("    esac\n  fi\n  case $cur in\n    -*) COMPREPLY=( $(compgen -W \"$words\" -- \"$cur\") ) ;;\n    *) if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=( $(compgen -W \"$words\" -- \"$cur\") ); "
         "else COMPREPLY=( $(compgen -f -- \"$cur\") ); fi ;;\n  esac\n}\ncomplete -o filenames -F _lambdafit lambdafit\n",
         f);
}

int
lf_help_generate (const char *format, lf_error *err)
{
  if (strcmp (format, "man") == 0)
    generate_man (stdout);
  else if (strcmp (format, "markdown") == 0)
    generate_markdown (stdout);
  else if (strcmp (format, "bash") == 0)
    generate_bash (stdout);
  else
    return LF_FAIL (err, LF_EXIT_USAGE, "--format", "give man, markdown or bash", "\"%.60s\" is no format of the manual", format);
  return 0;
}

int
lf_cmd_help (const lf_args *a)
{
  lf_error err = { 0 };
  if (a->output)
    return lf_help_generate (a->output, &err) < 0 ? lf_cli_error (&err) : 0;
  if (a->rest_n == 0)
    {
      lf_help_all (stdout);
      return 0;
    }
  const lf_command *c = lf_command_find (a->rest[0]);
  if (!c)
    {
      (void) LF_FAIL (&err, LF_EXIT_USAGE, a->rest[0], "lambdafit --help lists the commands", "no such command");
      return lf_cli_error (&err);
    }
  lf_help_command (stdout, c);
  return 0;
}
