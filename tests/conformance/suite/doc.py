# SPDX-License-Identifier: Apache-2.0
"""docs/conformance.md, from the cases and a run."""
import re

from . import world

PATH = world.SRC / "docs" / "conformance.md"

HEAD = """# Conformance

What lambdafit promises to do exactly as AWS Lambda does, case by case: the behaviour, where the fact comes from, and what the last run
of the suite said. This page is generated from the files in `tests/conformance/cases/` by `scripts/conformance --write-doc`; a test
checks that it is current.

    scripts/conformance                      # all cases, against daemons of its own
    scripts/conformance --case ID            # one
    scripts/conformance --endpoint URL       # against any Invoke API; what looks inside ours is then not covered

A case is a few lines in one of those files; `tests/conformance/README.md` says how to write one. Ids that end in `@2020` or `@2026` are
the same case in the profile of that year.
"""


def cell(text):
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def render(groups, status):
    """`status`: id -> passed, failed, not covered."""
    out = [HEAD]
    total = sum(len(cases) for _, cases in groups)
    words = ", ".join(f"{n} {s}" for s in ("passed", "failed", "not covered") if (n := sum(status.get(c.id) == s for _, cs in groups for c in cs)))
    out.append(f"{total} cases: {words}.\n")
    for doc, cases in groups:
        out.append(f"## {doc['group']}\n")
        if doc.get("about"):
            out.append(doc["about"].strip() + "\n")
        out.append("| id | behaviour | source | last run |\n|---|---|---|---|")
        for c in cases:
            out.append(f"| `{c.id}` | {cell(c.behaviour)} | {cell(c.source)} | {status.get(c.id, 'not covered')} |")
        out.append("")
    return "\n".join(out)


def read():
    """Statuses in the document as it is."""
    if not PATH.exists():
        return {}
    return dict(re.findall(r"^\| `([^`]+)` \|.*\| (passed|failed|not covered) \|$", PATH.read_text(), re.M))


def merged(groups, results):
    """This run's statuses; what this machine could not decide keeps what the document says."""
    before = read()
    now = {c.id: before.get(c.id, "not covered") for _, cs in groups for c in cs}
    for r in results:
        if r.status != "not covered" or r.case.id not in before:
            now[r.case.id] = r.status
    return now


def write(groups, results):
    PATH.write_text(render(groups, merged(groups, results)))
