/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of commands.
 */
#include <string.h>

#include "cli.h"

const lf_command lf_commands[] = {
  { "run", "run [OPTIONS] [TARGET|LOGICAL_ID]", "run a function once or more, no daemon needed, and print the verdict",
    "Runs the function in TARGET (a directory or a .zip; default: the current directory) in a sandbox with Lambda's limits. The response goes to\n"
    "standard output, one line an invocation; logs, REPORT lines and the verdict go to standard error. The verdict has a row for each limit (used,\n"
    "allowed, percent, how it was enforced), cold and warm durations apart, billed time and cost. Exit status: 0 when every invocation ended well, 1 when\n"
    "one did not or a limit was broken. With a template (-t, or one in the current directory when no TARGET is given) a function is named by its logical id and is what the\n"
    "template says; options count more.",
    "  lambdafit run .\n"
    "  lambdafit run -t template.yaml Classify -e event.json\n"
    "  lambdafit run examples/digits --memory 512 --layer numpy-layer -e examples/digits/events/three.json -n 10\n"
    "  echo '{\"n\": 1}' | lambdafit run function.zip -e - --json\n"
    "  lambdafit run . -n 20 -c 4 --cold --network none\n",
    "@function template parameter event count callers cold db json quiet verbose account-concurrency", 0, 1, lf_cmd_run },
  { "serve", "serve [OPTIONS] [TARGET…|LOGICAL_ID…]", "the daemon: Invoke API, environments, log",
    "Serves every TARGET as a function on an Invoke API at the address of `sam local start-lambda`, so existing --endpoint-url settings work.\n"
    "Several targets share the options given; per-function settings come from a template (-t, or one in the current directory when no TARGET is given):\n"
    "all its functions, or those named. When files of a function or of its layers change, its next invocation starts in a new environment with them\n"
    "(--no-reload stops that). Ends on SIGTERM or Ctrl-C.",
    "  lambdafit serve .\n"
    "  lambdafit serve -t template.yaml --parameter Stage=dev\n"
    "  lambdafit serve api/ worker/ --memory 512 --timeout 30\n"
    "  lambdafit serve . --port 0 --port-file port &\n"
    "  aws lambda invoke --endpoint-url http://127.0.0.1:3001 --function-name api out.json\n",
    "@function template parameter host port port-file db quiet verbose account-concurrency rate-limit keep no-reload", 0, -1, lf_cmd_serve },
  { "validate", "validate [OPTIONS]", "what a deployment would refuse in a template",
    "Reads a SAM or CloudFormation template (-t, or the one in the current directory) and lists what a deployment would refuse: settings out of range,\n"
    "names, sizes of environment and packages, layers, unknown properties, functions and references that lead nowhere; each with its line. What only a\n"
    "deployment can know is a warning. Exit status: 1 when there is an error.",
    "  lambdafit validate\n"
    "  lambdafit validate -t template.yaml --parameter Stage=prod --region eu-west-1\n"
    "  lambdafit validate -t template.yaml --json\n",
    "template parameter region profile json quiet verbose", 0, 0, lf_cmd_validate },
  { "invoke", "invoke [OPTIONS] NAME", "invoke a function of the running daemon",
    "Sends the event to the daemon and prints the response. Exit status: 1 when the function failed, 4 when there is no daemon.",
    "  lambdafit invoke classify -e event.json\n"
    "  lambdafit invoke classify -e '{\"n\": 1}' --tail\n"
    "  lambdafit invoke worker --async\n"
    "  lambdafit invoke talker --stream\n",
    "event tail async stream endpoint json", 1, 1, lf_cmd_invoke },
  { "ps", "ps [OPTIONS]", "the daemon's execution environments", "Shows each execution environment: function, state, age, invocations served, memory, /tmp, and what is left of its keepalive.",
    "  lambdafit ps\n  lambdafit ps --json\n", "json endpoint", 0, 0, lf_cmd_ps },
  { "log", "log [OPTIONS] | log merge A.db B.db… -o C.db", "the logged invocations", "Reads the log (live, or a file from elsewhere): one invocation a line, oldest first. With --json each line is an object.\n"
    "merge: writes the logs of several machines into one, every row once, in the order of time.",
    "  lambdafit log -n 20\n  lambdafit log --function classify --errors --since 1h\n  lambdafit log --follow\n  lambdafit log --explain 8f5a…\n  lambdafit log merge part1.db part2.db -o all.db\n",
    "function errors cold since count json follow explain output db profile region", 0, -1, lf_cmd_log },
  { "report", "report [OPTIONS]", "the log as a document: text, Markdown, HTML or JSON",
    "Sums up the log, live or a file from elsewhere: for each function invocations, errors, cold starts, init and duration percentiles, memory, /tmp and\n"
    "package against their limits, cost, and every kind of violation with its fix. The HTML page is one file that needs no network.",
    "  lambdafit report\n  lambdafit report --md > comment.md\n  lambdafit report --html report.html --db ci/log.db\n  lambdafit report --json --region eu-west-1 --since 1h\n",
    "html md json db profile region function since", 0, 0, lf_cmd_report },
  { "check", "check [OPTIONS] [FILE]", "the CI gate: fails when a limit or a budget is broken, or something got worse",
    "Runs the functions of FILE (default: lambdafit.yaml) on its events, cold and warm, and judges what was measured: no function error, no limit broken or\n"
    "nearly so, responses as expected, and each budget: an absolute value, a part of Lambda's limit, or a change against lambdafit.baseline.json, which\n"
    "--update writes. Timings are compared as ratios to a calibration loop, by a rule that tells noise from change; sizes exactly. Exit status: 0 when all\n"
    "is well, 1 when something is broken or worse, 2 when the file or the baseline is not right, 3 with --strict when something cannot be measured here.",
    "  lambdafit check --init && lambdafit check --update\n"
    "  lambdafit check\n"
    "  lambdafit check ci/lambdafit.yaml --strict --junit check.xml --markdown \"$GITHUB_STEP_SUMMARY\"\n"
    "  lambdafit check --shard 1/3 --db part1.db\n"
    "  lambdafit check --from all.db --json\n",
    "check.init update strict shard from junit sarif markdown json db profile region template quiet verbose", 0, 1, lf_cmd_check },
  { "top", "top [OPTIONS]", "the dashboard: cost, limits and violations at a glance",
    "Shows a log, live or a file from elsewhere, and the running daemon's environments: which functions are slow, cold, near a limit or expensive, and\n"
    "why. Press ? for the keys. With --once it prints one frame as text and needs no terminal.",
    "  lambdafit top\n  lambdafit top --db ci/log.db\n  lambdafit top --once --view function --function classify --size 120x40\n  lambdafit top --json --view cost\n",
    "db function view request-id since once json size endpoint profile region theme ascii", 0, 0, lf_cmd_top },
  { "doctor", "doctor [OPTIONS]", "what this machine can enforce", "Tries each mechanism here and says which limits the kernel will enforce, which are sampled and which are not enforced, with the fix for each.",
    "  lambdafit doctor\n  lambdafit doctor --json\n", "json", 0, 0, lf_cmd_doctor },
  { "profile", "profile list|show [PROFILE]|diff A B|check FILE", "platforms: limits, behaviour and prices on a date",
    "list: the profiles that come with lambdafit. show: every value with its source and how sure it is. diff: what differs between two. check: is a file of\n"
    "your own a profile?",
    "  lambdafit profile list\n  lambdafit profile show aws-lambda-2020-02\n  lambdafit profile diff aws-lambda-2020-02 aws-lambda-2026-11\n  lambdafit profile check mine.json\n",
    "json region", 1, 3, lf_cmd_profile },
  { "layer", "layer size|check|build|double-zip|cache [OPTIONS] [ARGUMENT…]", "packages and layers: size, faults, building, the double zip, the cache",
    "size TARGET…: zipped and unzipped size against each limit, and what takes the space, largest first. TARGETs are a function's code when --layer gives\n"
    "layers beside it, else each is a layer; or one container image, saved by docker save or podman save, or in OCI's layout. check TARGET: will it load? Folder structure, rights, processor, Python and C library versions, missing\n"
    "libraries, byte code, GPU libraries, each fault with its fix. build INPUT… -o FILE: a layer from folders with installed packages, wheels, layer zips\n"
    "or a requirements file (pip is run for that); the same inputs make the same bytes. double-zip DIR -o FILE: a layer whose packages are a zip inside\n"
    "the zip, unpacked to /tmp when first imported. cache [list|clear|fill ZIP…]: unpacked packages kept on this machine. Exit status: 1 when a limit is broken or a\n"
    "fault is found.",
    "  lambdafit layer size layer.zip\n"
    "  lambdafit layer size image.tar\n"
    "  lambdafit layer size src/ --layer numpy.zip --layer model.zip --html size.html\n"
    "  lambdafit layer check layer.zip --runtime python3.12 --arch arm64\n"
    "  lambdafit layer build requirements.txt --runtime python3.12 -o layer.zip\n"
    "  lambdafit layer build venv/ wheels/numpy-2.1.0-cp312-cp312-manylinux2014_x86_64.whl -o layer.zip\n"
    "  lambdafit layer double-zip torch-layer/ -o layer.zip\n"
    "  lambdafit layer cache clear --max 2000\n",
    "layer runtime arch interpreter profile output as no-pyc s3 html max json quiet", 1, -1, lf_cmd_layer },
  { "simulate", "simulate [OPTIONS]", "traffic under a virtual clock: cold starts, throttles, cost, Fargate and EC2 beside it",
    "Sends traffic through the same decisions as the daemon makes (placement, keepalive, concurrency, scaling rate, timeouts, asynchronous retries, billing),\n"
    "under a virtual clock, and counts. Requests come as --arrivals says. How long they take is what a log has measured (--from FUNCTION) or given by\n"
    "hand: --warm with --init or --cold. With --seeds N each figure is a mean with a 95 % interval; --sweep tries values of any option; the same work on\n"
    "Fargate and EC2 and the rate from which on they are cheaper stand beside it. docs/simulate.md has every figure's meaning. The same seed gives\n"
    "the same bytes on any machine.",
    "  lambdafit simulate --from classify --arrivals diurnal:20/s,0.8 --for 7d --seeds 5\n"
    "  lambdafit simulate --from classify --arrivals poisson:2/s --sweep memory=512,1024,1769 --sweep keepalive=60,300\n"
    "  lambdafit simulate --arrivals poisson:0.9/s --warm exp:1.991s --cold exp:2.244s --keepalive 600 --for 30d --seeds 5\n"
    "  lambdafit simulate --arrivals burst:500@0s --warm fixed:5s --init fixed:2s --memory 1769 --for 1h\n"
    "  lambdafit simulate --arrivals azure2021:trace.txt --init fixed:800ms --limit 200 --html page.html\n",
    "arrivals for warm simulate.init simulate.cold simulate.from db only with sweep beside latency-goal tasks cpu-share fail async retries async-retries async-max-age memory simulate.timeout tmp keepalive life concurrency limit "
    "pick rate-limit scaling seed seeds simulate.runtime arch region profile simulate.name json html log start simulate.quiet", 0, 0, lf_cmd_simulate },
  { "help", "help [COMMAND]", "this help, or a command's", "Prints the help of a command.", "  lambdafit help run\n", "format", 0, 1, lf_cmd_help },
};
const size_t lf_commands_n = LF_ARRAY_LEN (lf_commands);

const lf_command *
lf_command_find (const char *name)
{
  for (size_t i = 0; i < lf_commands_n; i++)
    if (strcmp (lf_commands[i].name, name) == 0)
      return &lf_commands[i];
  return NULL;
}
