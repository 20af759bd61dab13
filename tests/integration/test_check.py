# SPDX-License-Identifier: Apache-2.0
"""`lambdafit check`: what it measures, how it judges, how it ends, against real sandboxes."""
import json
import sqlite3

import pytest

HANDLER = '''
import os, sys, time
def lambda_handler(event, context):
    do = event.get("do")
    if do == "fail":
        raise ValueError("no such thing")
    if do == "hang":
        time.sleep(60)
    if do == "die":
        os._exit(3)
    if do == "flood":
        for _ in range(40000):
            print("x" * 1000)
    if do == "leak":
        with open(f"/tmp/{time.monotonic_ns()}", "wb") as f:
            f.write(b"x" * 1000000)
    return {"n": event.get("n", 0) * 2, "third": 1 / 3, "text": "x" * event.get("size", 0)}
'''


@pytest.fixture
def check(run, function, tmp_path):
    """check(function's settings, *arguments) writes a check file for one function and runs it: (process, its JSON or None)."""
    function("src", {"lambda_function.py": HANDLER})

    def call(settings, *args, name="F", top="", **kw):
        if "timeout:" not in settings:  # what is no matter of time must not become one on a slow machine
            settings += "\ntimeout: 30"
        body = "".join(f"    {line}\n" for line in settings.splitlines())
        (tmp_path / "lambdafit.yaml").write_text(f"{top}functions:\n  {name}:\n    target: src\n    network: none\n{body}")
        p = run("check", "--json", *args, **kw)
        return p, json.loads(p.stdout) if p.stdout else None

    return call


def results(out, budget):
    return [r for r in out["results"] if r["budget"] == budget]


def only(out, budget):
    found = results(out, budget)
    assert len(found) == 1, out["results"]
    return found[0]


def test_all_is_well(check, tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events/one.json").write_text('{"n": 1}')
    (tmp_path / "want.json").write_text('{"third": 0.333333}')
    p, out = check("memory: 256\nevents: [events/*.json, {n: 5}]\ncold: 2\nwarm: 3\nexpect: {json: want.json, tolerance: 1e-5}\n"
                   "budgets: {memory: 80%, init: 9 s, duration: {p95: 20 s, max: 90%}, package: 1 MB, tmp_growth: 0 B, cost_per_million: 50 USD}")
    assert p.returncode == 0, (p.stdout, p.stderr)
    assert out["result"] == "pass" and {r["result"] for r in out["results"]} == {"pass"}
    assert set(out["results"][0]) >= {"function", "budget", "statistic", "event", "used", "allowed", "baseline", "unit", "result", "message", "fix"}
    assert [(r["budget"], r["statistic"]) for r in out["results"]] == [
        ("function_error", None), ("expect", None), ("memory", "max"), ("init", "max"), ("duration", "p95"), ("duration", "max"), ("package", None),
        ("tmp_growth", "max"), ("cost_per_million", "mean")]
    memory = only(out, "memory")
    assert memory["allowed"] == 256 * 1048576 * 8 // 10 and memory["unit"] == "bytes"
    with sqlite3.connect(out["log"]) as db:
        rows = db.execute("SELECT cold, request_bytes, max_memory_bytes FROM invocations").fetchall()
        assert db.execute("SELECT DISTINCT command FROM runs").fetchall() == [("check",)]
    # Two cold starts, and three warm invocations of each event.
    assert sum(cold == 1 for cold, _, _ in rows) == 2 and sum(cold == 0 for cold, _, _ in rows) == 6
    assert memory["used"] == max(m for _, _, m in rows)
    assert only(out, "package")["used"] == len(HANDLER)


@pytest.mark.parametrize("settings, budget, event", [
    ("events: [{n: 1}, {do: fail}]\nwarm: 1\ncold: 1", "function_error", '{"do":"fail"}'),
    ("events: [{n: 1}, {do: die}]\nwarm: 1\ncold: 1", "function_error", '{"do":"die"}'),
    ("events: [{do: hang}]\ntimeout: 1\nwarm: 5\ncold: 1", "duration", '{"do":"hang"}'),
    ("events: [{size: 7000000}]\nmemory: 512\nwarm: 1\ncold: 1", "response", '{"size":7000000}'),
    ("events: [{$size: 7 MB}]\nwarm: 1\ncold: 1", "request", "7340032 bytes"),
    ("events: [{n: 4}]\nwarm: 1\ncold: 1\nexpect: {equals: {n: 9}}", "expect", '{"n":4}'),
    ("events: [{do: leak}]\nwarm: 3\ncold: 1\nbudgets: {tmp_growth: 0 B}", "tmp_growth", '{"do":"leak"}'),
    ("events: [{n: 1}]\nwarm: 1\ncold: 1\nbudgets: {memory: 1 MB}", "memory", '{"n":1}'),
])
def test_what_is_broken_is_named(check, settings, budget, event):
    p, out = check(settings)
    assert p.returncode == 1, (p.stdout, p.stderr)
    broken = [r for r in out["results"] if r["result"] != "pass"]
    assert [(r["budget"], r["event"], r["result"]) for r in broken] == [(budget, event, "broken")]
    assert broken[0]["message"] and broken[0]["fix"] and out["result"] == "broken"


def test_a_flood_is_survived(check):
    p, out = check("events: [{do: flood}, {n: 1}]\ntimeout: 60\nmemory: 1024\ncold: 1\nwarm: 1")
    assert p.returncode == 0, (p.stdout, p.stderr)
    assert out["functions"][0]["invocations"] == 3


def test_what_was_measured_is_told(check):
    """An event that always fails is given up, the others are measured to the end."""
    p, out = check("events: [{do: die}, {n: 1}]\ncold: 0\nwarm: 6")
    assert p.returncode == 1
    f = out["functions"][0]
    assert (f["planned"], f["invocations"], f["failed"]) == (12, 9, 3) and "given up after 3 failures" in f["stopped"]


@pytest.mark.parametrize("settings, where, what", [
    ("budgets: {memroy: 80%}", "lambdafit.yaml:5:15", 'did you mean "memory"?'),
    ("budgets: {memory: 300%}", "lambdafit.yaml:5:", "can never be reached"),
    ("budgets: {memory: 300 MB}", "lambdafit.yaml:5:", "can never be broken"),
    ("events: [nothing/*.json]", "lambdafit.yaml:5:", "no file matches"),
    ("timeout: long", "lambdafit.yaml:5:", "not a whole number"),
    ("tiemout: 3", "lambdafit.yaml:5:5", 'did you mean "timeout"?'),
])
def test_bad_files(check, settings, where, what):
    p, out = check(settings)
    assert p.returncode == 2, (p.stdout, p.stderr)
    assert p.stderr.startswith("lambdafit: " + where) or "\nlambdafit: " + where in p.stderr
    assert what in p.stderr


@pytest.mark.parametrize("settings", ["memory: 64", "runtime: cobol1", "layer: [nowhere.zip]"])
def test_what_cannot_run_is_not_green(check, tmp_path, settings):
    """The status says so, and so does every document."""
    p, out = check(settings + "\nbudgets: {package: 1 MB}", "--junit", "j.xml", "--markdown", "m.md")
    assert p.returncode == 2 and out["result"] == "not_measured", out
    (r,) = out["results"]
    assert (r["function"], r["budget"], r["result"]) == ("F", "function_error", "not_measured") and r["message"].startswith("not run: ") and r["fix"], r
    assert '<testsuites name="lambdafit check" tests="1" failures="1"' in (tmp_path / "j.xml").read_text()
    assert "lambdafit check: failed" in (tmp_path / "m.md").read_text()


def test_no_file(run):
    p = run("check")
    assert p.returncode == 2 and "lambdafit.yaml" in p.stderr


def test_baseline(check, tmp_path):
    settings = "cold: 5\nwarm: 10\nbudgets: {package: +0%, duration: +400%, memory: +20%}"
    p, out = check(settings)
    assert p.returncode == 2 and out["result"] == "not_measured" and "no baseline" in only(out, "package")["message"]
    p, out = check(settings, "--update")
    assert p.returncode == 0, p.stderr
    baseline = tmp_path / "lambdafit.baseline.json"
    assert json.loads(baseline.read_text())["functions"]["F"]["sizes"]["package"] == len(HANDLER)
    p, out = check(settings)
    assert p.returncode == 0 and out["result"] == "pass", (p.stdout, p.stderr)
    assert only(out, "package")["baseline"] == len(HANDLER)
    assert only(out, "duration")["baseline"] is not None
    (tmp_path / "src/more.py").write_text("# more")
    p, out = check(settings)
    assert p.returncode == 1 and out["result"] == "worse"
    assert [r["budget"] for r in out["results"] if r["result"] == "worse"] == ["package"]
    # Another function's baseline, another version's, and none at all.
    p, out = check(settings, name="G")
    assert p.returncode == 2 and "the baseline has no function G" in only(out, "package")["message"]
    baseline.write_text(baseline.read_text().replace('"lambdafit_baseline": 1', '"lambdafit_baseline": 9'))
    p, out = check(settings)
    assert p.returncode == 2 and out is None and "version 9" in p.stderr
