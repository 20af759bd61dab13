/* SPDX-License-Identifier: Apache-2.0
 *
 * From argv to a command, and errors in one form.
 */
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "config.h"

int
lf_cli_error (const lf_error *err)
{
  fflush (stdout);
  lf_buf b LF_CLEANUP (lf_buf_fini);
  lf_buf_init (&b, 0);
  lf_buf_addf (&b, "lambdafit: %s: ", err->what);
  lf_buf_add_printable (&b, err->why, strlen (err->why));
  lf_buf_addc (&b, '\n');
  if (err->fix[0])
    lf_buf_addf (&b, "  fix: %s\n", err->fix);
  fputs (b.data ? b.data : "lambdafit: out of memory\n", stderr);
  return err->exit == LF_EXIT_OK ? LF_EXIT_FAILED : (int) err->exit;
}

static int
unknown_command (const char *name)
{
  lf_error err = { 0 };
  (void) LF_FAIL (&err, LF_EXIT_USAGE, name, "lambdafit --help lists the commands", "no such command");
  return lf_cli_error (&err);
}

int
lf_cli_main (int argc, char **argv)
{
  if (argc < 2)
    {
      lf_help_all (stderr);
      return LF_EXIT_USAGE;
    }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0)
    {
      lf_help_all (stdout);
      return 0;
    }
  if (strcmp (argv[1], "--version") == 0 || strcmp (argv[1], "-V") == 0)
    {
      printf ("lambdafit %s\n", PACKAGE_VERSION);
      return 0;
    }
  const lf_command *c = lf_command_find (argv[1]);
  if (!c)
    return unknown_command (argv[1]);
  lf_args a;
  lf_error err = { 0 };
  bool help = false;
  int status;
  if (lf_args_parse (c, argc - 1, argv + 1, &a, &help, &err) < 0)
    status = lf_cli_error (&err);
  else if (help)
    {
      lf_help_command (stdout, c);
      status = 0;
    }
  else
    status = c->run (&a);
  lf_args_fini (&a);
  if ((fflush (stdout) != 0 || ferror (stdout)) && status == 0)
    status = LF_EXIT_IO;
  return status;
}

int
main (int argc, char **argv)
{
  return lf_cli_main (argc, argv);
}
