# SPDX-License-Identifier: Apache-2.0
"""What `lambdafit check` writes, read by those who read it elsewhere: a JUnit parser, SARIF's schema, a Markdown parser, GitHub's runner."""
import json
import os
import re
import subprocess

import pytest
from conftest import BUILD, PYTHON, SRC

DOCUMENTS = BUILD / "clients" / "documents"
NASTY = "<a>&\"'|`*_@team]]>\u202e\u0001"
HANDLER = f'''
def lambda_handler(event, context):
    if event.get("fail"):
        raise ValueError({NASTY!r})
    return 1
'''


@pytest.fixture(scope="module")
def consumers():
    if not DOCUMENTS.is_dir():
        pytest.skip(f"{DOCUMENTS} is not there: run scripts/test-clients {BUILD / 'clients'}")

    def python(code, *args):
        """Runs code with the consumers at hand; its standard output as JSON."""
        env = {**os.environ, "PYTHONPATH": str(DOCUMENTS)}
        p = subprocess.run([PYTHON, "-c", code, *map(str, args)], capture_output=True, text=True, env=env, timeout=120)
        assert p.returncode == 0, p.stderr
        return json.loads(p.stdout)

    return python


@pytest.fixture
def written(run, function, tmp_path):
    """One check with a result of every kind but worse, and all that it wrote."""
    function("a b", {"lambda_function.py": HANDLER})
    (tmp_path / "lambdafit.yaml").write_text(
        "functions:\n  F:\n    target: 'a b'\n    network: none\n    cold: 1\n    warm: 1\n"
        "    events: [{n: 1}, {$event: {fail: true}, $name: " + json.dumps("<ev>|&[x]`") + "}]\n"
        "    budgets:\n      memory: 1 MB\n      package: +5%\n      zip: 1 MB\n      duration: 90%\n    timeout: 60\n")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    (tmp_path / "summary.md").write_text("before\n")
    p = run("check", "--junit", "j.xml", "--sarif", "s.sarif", "--markdown", env["GITHUB_STEP_SUMMARY"], env=env)
    assert p.returncode == 1, (p.stdout, p.stderr)
    return p, tmp_path


EXPECTED = {("function_error", "broken"), ("memory", "broken"), ("package", "not_measured"), ("zip", "not_measured"), ("duration", "pass")}


def test_junit(consumers, written):
    _, folder = written
    out = consumers("import sys, json, junitparser\n"
                    "x = junitparser.JUnitXml.fromfile(sys.argv[1])\n"
                    "print(json.dumps([[s.name, s.tests, s.failures, s.skipped, [[c.name, c.classname, [[type(r).__name__, r.type, r.message, r.text] "
                    "for r in c.result]] for c in s]] for s in x]))", folder / "j.xml")
    [[name, tests, failures, skipped, cases]] = out
    assert name == "F" and (tests, failures, skipped) == (len(cases), sum(c[2][0][0] == "Failure" for c in cases if c[2]),
                                                          sum(c[2][0][0] == "Skipped" for c in cases if c[2]))
    # Without a baseline nothing is compared, which fails too.
    by = {c[0].split()[0]: c for c in cases}
    assert set(by) == {b for b, _ in EXPECTED}
    assert by["duration"][2] == [] and by["zip"][2][0][0] == "Skipped" and by["package"][2][0][0] == "Failure"
    kind, type_, message, text = by["memory"][2][0]
    assert (kind, type_) == ("Failure", "broken") and "fix: " in text and "lambdafit.yaml:9:15" in text and "allowed: 1.0 MB" in text
    assert "<ev>|&[x]`" in by["function_error"][0] and "<a>&\"'|`*_@team]]>" in by["function_error"][2][0][2]


def test_sarif(consumers, written):
    _, folder = written
    out = consumers("import sys, json\nfrom pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif\n"
                    "d = json.load(open(sys.argv[1]))\nSarif.model_validate(d)\nprint(json.dumps(d))", folder / "s.sarif")
    assert out["version"] == "2.1.0"
    [r] = out["runs"]
    rules = r["tool"]["driver"]["rules"]
    assert {(x["ruleId"], x["properties"]["result"]) for x in r["results"]} == {x for x in EXPECTED if x[1] != "pass"}
    for x in r["results"]:
        assert rules[x["ruleIndex"]]["id"] == x["ruleId"]
        place = x["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "lambdafit.yaml" and place["region"]["startLine"] >= 1
    assert [x["locations"][0]["physicalLocation"]["region"] for x in r["results"] if x["ruleId"] == "memory"] == [{"startLine": 9, "startColumn": 15}]
    assert {x["level"] for x in r["results"]} == {"error", "note"}
    # The model is one that refuses.
    with pytest.raises(AssertionError):
        consumers("import sys, json\nfrom pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif\n"
                  "d = json.load(open(sys.argv[1]))\nd['runs'][0]['results'][0]['levle'] = 1\nSarif.model_validate(d)\nprint(1)", folder / "s.sarif")


def test_markdown(consumers, written):
    _, folder = written
    text = (folder / "summary.md").read_text()
    assert text.startswith("before\n## ")
    tokens = consumers("import sys, json, markdown_it\n"
                       "t = markdown_it.MarkdownIt('commonmark').enable('table').parse(open(sys.argv[1]).read())\n"
                       "def flat(ts):\n    for x in ts:\n        yield [x.type, x.tag, x.content if x.type in ('text', 'html_block', 'html_inline', 'text_special', 'code_inline') else '']\n"
                       "        yield from flat(x.children or [])\nprint(json.dumps(list(flat(t))))", folder / "summary.md")
    types = [t for t, _, _ in tokens]
    assert types.count("table_open") == 2
    rows = types.count("tr_open")
    assert types.count("td_open") + types.count("th_open") == 7 * rows
    # What an event or a handler says is text and nothing else.
    assert "code_inline" not in types and "link_open" not in types and "html_inline" not in types
    assert all(re.fullmatch(r"</?details>(<summary>All results</summary>)?\s*", c) for t, _, c in tokens if t == "html_block")
    said = "".join(c for t, _, c in tokens if t in ("text", "text_special"))
    assert "<a>&\"'|`*_@team]]>" in said and "<ev>|&[x]`" in said and "@" not in text


def test_annotations(written):
    p, _ = written
    lines = [x for x in p.stdout.splitlines() if x.startswith("::")]
    assert len(lines) == 4
    for x in lines:
        m = re.fullmatch(r"::(error|warning) file=lambdafit\.yaml,line=\d+,col=\d+,title=([^:,]*)::(.+)", x)
        assert m, x
        assert "used%3A" not in m[3] and "used: " in m[3] and "fix: " in m[3]
    assert sum("::error" in x for x in lines) == 3
    assert any(x.startswith("::error file=lambdafit.yaml,line=9,col=15,title=F%3A memory max (1 MB)::") for x in lines)


def test_json_is_alone_on_standard_output(run, written, tmp_path):
    p = run("check", "--json", env={"GITHUB_ACTIONS": "true"})
    assert {(r["budget"], r["result"]) for r in json.loads(p.stdout)["results"]} == EXPECTED
    assert "::error " in p.stderr
    p = run("check", "--quiet", "--junit", "-")
    assert p.stdout.startswith("<?xml") and p.stderr == ""


def test_ci_files_by_their_schemas(consumers):
    """The files to paste are what GitHub and GitLab take."""
    for name, schema in (("github.yml", "vendor.github-workflows"), ("gitlab-ci.yml", "vendor.gitlab-ci")):
        p = subprocess.run([PYTHON, "-m", "check_jsonschema", "--builtin-schema", schema, "--color", "never", str(SRC / "examples/ci" / name)],
                           env={**os.environ, "PYTHONPATH": str(DOCUMENTS)}, capture_output=True, text=True, timeout=120)
        assert p.returncode == 0, p.stdout + p.stderr
