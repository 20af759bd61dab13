# SPDX-License-Identifier: Apache-2.0
"""`check` over several machines and times: --init, --shard, `log merge`, --from; templates; what an interrupted check leaves."""
import json
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from conftest import PROGRAM, environment, left_behind, wait_for

HANDLER = '''
import time
def lambda_handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {"n": event.get("n", 0) * 2}
'''
TWO = """functions:
  A:
    target: src
    network: none
    timeout: 30
    cold: 5
    warm: 8
    events: [{n: 1}, {n: 2}, {n: 3}]
    expect: {schema: schema.json}
    budgets: {memory: 90%, duration: {p95: 20 s, max: 90%}, cold_start: +900%, package: +0%}
  B:
    target: src
    network: none
    timeout: 30
    memory: 256
    cold: 1
    warm: 2
    events: [{n: 4}, {n: 5, sleep: 0.01}]
    expect: {equals: {n: 10}}
"""


@pytest.fixture
def project(function, tmp_path):
    function("src", {"lambda_function.py": HANDLER})
    (tmp_path / "schema.json").write_text('{"properties": {"n": {"type": "integer", "maximum": 6}}}')
    (tmp_path / "lambdafit.yaml").write_text(TWO)
    return tmp_path


def rows(db, sql, *args):
    c = sqlite3.connect(db)
    try:
        return c.execute(sql, args).fetchall()
    finally:
        c.close()


def verdict(out):
    # Of what passes, the event is only where the value was found.
    return sorted((r["function"], r["budget"], r["statistic"] or "", r["event"] if r["result"] != "pass" else "", r["result"]) for r in out["results"])


def test_shards_merged_are_the_whole(run, project):
    p = run("check", "--update", "--db", "whole.db", "--json")
    assert p.returncode == 1  # B's first event does not answer 10, so there is no baseline
    assert "not written" in p.stderr and not (project / "lambdafit.baseline.json").exists()
    (project / "lambdafit.yaml").write_text(TWO.replace("{equals: {n: 10}}", "{json: any.json}"))
    (project / "any.json").write_text("{}")
    p = run("check", "--update", "--db", "base.db")
    assert p.returncode == 0, p.stdout + p.stderr
    (project / "lambdafit.yaml").write_text(TWO)
    whole = json.loads(run("check", "--json", "--db", "whole2.db").stdout)
    parts = []
    for i in (1, 2, 3):
        p = run("check", "--json", "--shard", f"{i}/3", "--db", f"part{i}.db")
        out = json.loads(p.stdout)
        assert out["shard"] == f"{i}/3" and p.returncode == (1 if any(r["budget"] == "expect" and r["result"] == "broken" for r in out["results"]) else 0)
        parts += [f"part{i}.db"]
    assert run("log", "merge", *parts, "-o", "all.db").returncode == 0
    counts = [rows(project / x, "SELECT count(*) FROM invocations")[0][0] for x in parts]
    assert sum(counts) == rows(project / "all.db", "SELECT count(*) FROM invocations")[0][0]
    assert rows(project / "all.db", "SELECT function, event, count(*) FROM checks WHERE round = 0 GROUP BY 1, 2") \
        == rows(project / "whole2.db", "SELECT function, event, count(*) FROM checks WHERE round = 0 GROUP BY 1, 2")
    p = run("check", "--from", "all.db", "--json")
    merged = json.loads(p.stdout)
    assert p.returncode == 1 and verdict(merged) == verdict(whole)
    assert [r["event"] for r in merged["results"] if r["result"] == "broken"] == ['{"n":4}']
    # A part that was forgotten does not make it green.
    assert run("log", "merge", *parts[1:], "-o", "some.db").returncode == 0
    p = run("check", "--from", "some.db", "--json")
    assert p.returncode == 2 and any("no invocation of this event" in (r["message"] or "") for r in json.loads(p.stdout)["results"])
    # A baseline from the merged log, and the log again: nothing is worse than itself.
    (project / "lambdafit.yaml").write_text(TWO.replace("{equals: {n: 10}}", "{json: any.json}"))
    assert run("check", "--from", "base.db", "--update").returncode == 0
    p = run("check", "--from", "base.db", "--json")
    assert p.returncode == 0 and json.loads(p.stdout)["result"] == "pass", p.stdout


def test_the_newest_run_of_a_log_counts(run, project):
    (project / "lambdafit.yaml").write_text(TWO.split("  B:")[0].replace(", cold_start: +900%, package: +0%", ""))
    good = (project / "src/lambda_function.py").read_text()
    (project / "src/lambda_function.py").write_text(good.replace("* 2", "* 200"))
    assert run("check", "--db", "twice.db").returncode == 1
    assert run("check", "--from", "twice.db").returncode == 1
    (project / "src/lambda_function.py").write_text(good)
    assert run("check", "--db", "twice.db").returncode == 0
    assert run("check", "--from", "twice.db").returncode == 0


def test_from_an_ordinary_log(run, project):
    """A log that no check wrote: limits and budgets are judged, what it cannot hold is not."""
    for _ in range(2):
        assert run("run", "src", "--name", "A", "-n", 3, "--memory", 128, "--timeout", 30, "--db", "o.db", "-q").returncode == 0
    (project / "lambdafit.yaml").write_text("functions:\n  A: {target: src, timeout: 30, budgets: {memory: 1 MB, duration: 90%, fds: 100}}\n")
    p = run("check", "--from", "o.db", "--json")
    out = {r["budget"]: r for r in json.loads(p.stdout)["results"]}
    assert p.returncode == 1 and out["memory"]["result"] == "broken" and out["duration"]["result"] == "pass" and out["fds"]["result"] == "not_measured"
    assert out["memory"]["used"] == rows(project / "o.db", "SELECT max(max_memory_bytes) FROM invocations")[0][0]
    (project / "lambdafit.yaml").write_text("functions:\n  Nobody: {target: src}\n")
    p = run("check", "--from", "o.db", "--json")
    assert p.returncode == 2 and "no invocation of this function" in p.stdout
    assert run("check", "--from", "nothing.db").returncode == 4
    assert run("check", "--from", "o.db", "--shard", "1/2").returncode == 2


def test_merge_reads_every_schema(run, project):
    """A log of the first schema, and one of today's: rows once, in the order of time, runs told apart."""
    assert run("run", "src", "-n", 3, "--db", "new.db", "-q").returncode == 0
    shutil.copy(project / "new.db", project / "old.db")
    with sqlite3.connect(project / "old.db") as c:
        for trigger in ("invocations_updated", "invocations_deleted"):
            c.execute(f"DROP TRIGGER {trigger}")
        for table in ("checks", "rollups"):
            c.execute(f"DROP TABLE {table}")
        for table, column in (("invocations", "overhead_us"), ("invocations", "cold_reason"), ("runs", "refused")):
            c.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        c.execute("ALTER TABLE violations DROP COLUMN observed")
        c.execute("UPDATE invocations SET request_id = 'old-' || request_id, received_us = received_us - 3600000000")
        c.execute("UPDATE runs SET host = 'elsewhere', started_us = started_us - 3600000000")
        c.execute("PRAGMA user_version = 1")
    c.close()
    p = run("log", "merge", "new.db", "old.db", "new.db", "-o", "all.db", "--json")
    assert p.returncode == 0 and json.loads(p.stdout) == {"logs": 3, "invocations": 6, "duplicates": 3}
    got = rows(project / "all.db", "SELECT request_id, overhead_us IS NULL, r.host = 'elsewhere' FROM invocations AS i JOIN runs AS r ON r.id = i.run ORDER BY i.rowid")
    assert [x[0].startswith("old-") for x in got] == [True] * 3 + [False] * 3
    assert [x[1:] for x in got] == [(1, 1)] * 3 + [(0, 0)] * 3
    assert rows(project / "all.db", "PRAGMA integrity_check") == [("ok",)]
    for command in (["report", "--json", "--db", "all.db"], ["top", "--once", "--db", "all.db"], ["log", "--db", "all.db"]):
        assert run(*command).returncode == 0
    assert json.loads(run("report", "--json", "--db", "all.db").stdout)["totals"]["invocations"] == 6
    with sqlite3.connect(project / "old.db") as c:
        c.execute("PRAGMA user_version = 99")
    c.close()
    p = run("log", "merge", "new.db", "old.db", "-o", "all.db")
    assert p.returncode == 4 and "newer" in p.stderr
    assert rows(project / "all.db", "SELECT count(*) FROM invocations") == [(6,)]  # as it was
    assert not [x for x in project.iterdir() if ".part" in x.name]


@pytest.mark.parametrize("arguments, status", [
    (["merge"], 2), (["merge", "a.db"], 2), (["merge", "-o", "x.db"], 2), (["merge", "nothing.db", "-o", "x.db"], 4), (["split", "a.db"], 2),
    (["-o", "x.db"], 2),
])
def test_merge_used_wrongly(run, project, arguments, status):
    p = run("log", *arguments)
    assert p.returncode == status and p.stderr.startswith("lambdafit: ") and not (project / "x.db").exists()


def test_merge_does_not_replace_other_files(run, project):
    assert run("run", "src", "--db", "a.db", "-q").returncode == 0
    (project / "notes.txt").write_text("mine")
    p = run("log", "merge", "a.db", "-o", "notes.txt")
    assert p.returncode == 4 and (project / "notes.txt").read_text() == "mine"


def test_init_by_a_first_run(run, function, tmp_path):
    folder = function("job", {"lambda_function.py": "X = bytearray(120 << 20)\n" + HANDLER, "events/a.json": '{"n": 7}'})
    p = run("check", "--init", cwd=folder)
    assert p.returncode == 0, p.stderr
    text = (folder / "lambdafit.yaml").read_text()
    assert "events: [events/*.json]" in text
    memory = int(re.search(r"memory: (\d+)\n", text)[1])
    assert 120 / 0.7 <= memory <= 400
    env = {"LAMBDAFIT_DB": ""}
    assert run("check", cwd=folder, env=env).returncode == 2  # no baseline yet
    assert run("check", "--update", cwd=folder, env=env).returncode == 0
    # The check's own files are beside the function, and no part of its package.
    for _ in range(2):
        p = run("check", "--json", cwd=folder, env=env)
        assert p.returncode == 0, p.stdout + p.stderr
    p = run("check", "--init", cwd=folder)
    assert p.returncode == 2 and "not overwritten" in p.stderr and (folder / "lambdafit.yaml").read_text() == text
    bad = function("bad", {"lambda_function.py": "def lambda_handler(event, context):\n    raise ValueError('x')\n"})
    p = run("check", "--init", cwd=bad)
    assert p.returncode == 1 and "ValueError" in p.stderr and not (bad / "lambdafit.yaml").exists()


TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  Classify:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: classify-prod, CodeUri: src/, Handler: lambda_function.lambda_handler, Runtime: python3.12, MemorySize: 256}
  Image:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, ImageUri: x}
"""


def test_template(run, project):
    (project / "lambdafit.yaml").unlink()
    (project / "template.yaml").write_text(TEMPLATE)
    assert run("check", "--init").returncode == 0
    text = (project / "lambdafit.yaml").read_text()
    assert '"Classify"' in text and "# Image: " in text
    p = run("check", "--json", "--update", "--db", "t.db")
    assert p.returncode == 0, p.stdout + p.stderr
    out = json.loads(p.stdout)
    assert {r["function"] for r in out["results"]} == {"Classify"}
    memory = [r for r in out["results"] if r["budget"] == "memory"][0]
    assert memory["allowed"] == 256 * 1048576 * 8 // 10
    assert rows(project / "t.db", "SELECT DISTINCT function FROM invocations") == [("classify-prod",)]
    assert run("check", "--from", "t.db").returncode == 0
    (project / "lambdafit.yaml").write_text("template: template.yaml\nfunctions:\n  Clasify: {}\n")
    p = run("check")
    assert p.returncode == 2 and "Classify" in p.stderr


def test_paths_are_relative_to_the_file(run, project):
    (project / "ci").mkdir()
    (project / "lambdafit.yaml").rename(project / "ci/gate.yaml")
    (project / "schema.json").rename(project / "ci/schema.json")
    (project / "src").rename(project / "ci/src")
    (project / "ci/gate.yaml").write_text(TWO.split("  B:")[0].replace(", cold_start: +900%, package: +0%", ""))
    p = run("check", "ci/gate.yaml", "--junit", "j.xml", "--db", "l.db")
    assert p.returncode == 0, p.stdout + p.stderr
    assert (project / "j.xml").exists() and (project / "l.db").exists()
    assert run("check", "ci/gate.yaml", "--update", env={"LAMBDAFIT_DB": ""}).returncode == 0
    assert (project / "ci/lambdafit.baseline.json").exists() and (project / "ci/lambdafit-check.db").exists()


def test_interrupted(project):
    """What was measured until the signal is reported, whole."""
    (project / "lambdafit.yaml").write_text("functions:\n  A: {target: src, network: none, cold: 1, warm: 500, events: [{sleep: 0.1}], timeout: 60}\n")
    p = subprocess.Popen([PROGRAM, "check", "--json", "--db", "l.db", "--junit", "j.xml"], cwd=project, env=environment(), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    def three():
        try:
            return rows(project / "l.db", "SELECT count(*) FROM invocations")[0][0] >= 3
        except sqlite3.OperationalError:
            return False

    wait_for(three, "three invocations")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=120)
    assert p.returncode == 130, err
    f = json.loads(out)["functions"][0]
    assert f["planned"] == 501 and 3 <= f["invocations"] < 501
    assert (project / "j.xml").read_text().endswith("</testsuites>\n")
    wait_for(lambda: not left_behind(p.pid), f"nothing is left behind: {left_behind(p.pid)}")


def test_strict(run, project):
    """What this machine cannot measure is told, and fails only when asked to."""
    (project / "lambdafit.yaml").write_text("functions:\n  A: {target: src, network: none, cold: 1, warm: 1, budgets: {zip: 1 MB}}\n")
    p = run("check", "--json")
    assert p.returncode == 0 and json.loads(p.stdout)["result"] == "not_measured"
    (project / "lambdafit.yaml").write_text("functions:\n  A: {target: src, network: none, cold: 1, warm: 1, runtime: python3.99, budgets: {zip: 1 MB}}\n")
    assert run("check", "--strict").returncode == 3


def test_a_log_that_cannot_be_written(run, project):
    p = run("check", "--db", "/proc/nowhere/l.db")
    assert p.returncode == 4 and "l.db" in p.stderr
