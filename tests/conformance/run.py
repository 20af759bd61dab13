#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance suite.

conformance [--endpoint URL] [--case ID]... [--group WORD] [--list] [--write-doc] [--package DIR] [--verbose]

Without --endpoint our own daemons are started. Against another endpoint the cases that look inside (log lines, rows, environments) are
not covered; its functions must exist: --package DIR writes a folder for each, named as the function, to deploy there.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from suite import doc, load, runner, world  # noqa: E402


def main(argv):
    p = argparse.ArgumentParser(prog="conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--endpoint", metavar="URL", help="an Invoke API, such as http://127.0.0.1:3001")
    p.add_argument("--case", metavar="ID", action="append", default=[], help="only this case; an id without @ means it in every profile")
    p.add_argument("--group", metavar="WORD", action="append", default=[], help="only files whose name holds WORD")
    p.add_argument("--list", action="store_true", help="list the cases and end")
    p.add_argument("--write-doc", action="store_true", help="write docs/conformance.md from the cases and this run")
    p.add_argument("--package", metavar="DIR", help="write the functions of the cases into DIR and end")
    p.add_argument("--cases", metavar="DIR", default=str(load.CASES), help="read the cases from here")
    p.add_argument("--verbose", action="store_true", help="print every case")
    a = p.parse_args(argv)
    try:
        groups = load.load(a.cases)
    except load.BadCase as e:
        sys.exit(f"conformance: {e}")
    cases = [c for _, cs in groups for c in cs if (not a.case or c.id in a.case or c.id.split("@")[0] in a.case) and (not a.group or any(g in c.where for g in a.group))]
    if not cases:
        sys.exit("conformance: no such case (--list shows them)")
    if a.list:
        for c in cases:
            print(f"{c.id:48} {c.behaviour}")
        return 0
    if a.package:
        for c in cases:
            for key, f in c.functions.items():
                if not c.inside:
                    world.write_function(pathlib.Path(a.package) / world.function_name(c, key), f)
        return 0

    def told(r):
        if a.verbose or r.status == "failed":
            print(f"{r.status:12}{r.case.id}  ({r.seconds:.2f} s)" + (f"\n  {r.detail}" if r.detail else ""), flush=True)

    results = runner.play_all(cases, a.endpoint, told)
    if a.write_doc:
        doc.write(groups, results)
    count = {s: sum(r.status == s for r in results) for s in ("passed", "failed", "not covered")}
    if a.endpoint and not a.verbose:
        for r in results:
            if r.status == "not covered":
                print(f"not covered {r.case.id}: {r.detail}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['not covered']} not covered")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
