# SPDX-License-Identifier: Apache-2.0
"""The program as it is built, under valgrind's memcheck: every command once, and a daemon that serves. No error, and nothing lost. It sees what the
address sanitizer does not: values that were never set, in libraries too.

valgrind 3.19 does not know pidfd_send_signal: the daemon then takes `kill`, as behind an old filter. The helper and the functions run outside of it."""
import base64
import json
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, PROGRAM, environment, wait_for
from test_sdk import make_zip

SANITIZED = "-fsanitize=" in re.search(r"^LF_CFLAGS = (.*)$", (BUILD / "Makefile").read_text(), re.M).group(1)
pytestmark = [pytest.mark.skipif(SANITIZED, reason="sanitizers and valgrind want the same memory"),
              pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")]

WRONG = 99  # no status of ours
HANDLER = '''
import time
def lambda_handler(event, context):
    print("said")
    if event.get("fail"):
        raise ValueError("asked to")
    time.sleep(event.get("sleep", 0))
    return {"got": event}
'''
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Works:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: f/, Handler: lambda_function.lambda_handler, Runtime: python3.11, MemorySize: 256,
                 Environment: {Variables: {STAGE: !Sub "${Stage}-1", WHO: !Ref Other}}}
  Other:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.9, MemorySize: 64, Timeout: 9000, Nonsense: 1, Role: !GetAtt Nobody.Arn}
"""
CHECKS = {"functions": {"f": {"target": "f/", "events": [{"n": 1}], "cold": 1, "warm": 2, "timeout": 30, "expect": {"equals": {"got": {"n": 1}}},
                              "budgets": {"memory": "80%", "duration": {"p95": "20 s"}, "cold_start": "30 s"}}}}


class Memcheck:
    def __init__(self, folder):
        self.folder = folder
        self.under = ["valgrind", "-q", f"--log-file={folder}/said.%p", f"--error-exitcode={WRONG}", "--leak-check=full", "--errors-for-leak-kinds=definite",
                      "--show-leak-kinds=definite"]

    def clean(self, status):
        """What it says of errors begins with "==", what it cannot do itself with "--"."""
        said = [line for f in sorted(self.folder.glob("said.*")) for line in f.read_text(errors="replace").splitlines() if line.startswith("==")]
        assert status != WRONG and not said, "\n".join(said[:60])


@pytest.fixture
def memcheck(tmp_path):
    folder = tmp_path / "memcheck"
    folder.mkdir()
    return Memcheck(folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    top = tmp_path_factory.mktemp("valgrind")
    (top / "f").mkdir()
    (top / "f" / "lambda_function.py").write_text(HANDLER)
    (top / "template.yaml").write_text(TEMPLATE)
    (top / "bad.yaml").write_text("Resources:\n  A: {Type: [1, &x *x\n")
    (top / "lambdafit.yaml").write_text(json.dumps(CHECKS))
    (top / "layer" / "python" / "thing").mkdir(parents=True)
    (top / "layer" / "python" / "thing" / "__init__.py").write_text("x = 1\n")
    (top / "layer.zip").write_bytes(make_zip({"python/thing.py": "x = 1\n", "python/broken.so": b"\x7fELF\x02\x01\x01" + b"\0" * 20}))
    (top / "new" / "g").mkdir(parents=True)
    (top / "new" / "lambda_function.py").write_text(HANDLER)
    (top / "rates.csv").write_text("0.5\n1\n4\n4\n")
    return top


# What it is, its arguments, its status.
COMMANDS = [
    ("run", ["run", "f", "-n", "3", "-c", "2", "-e", '{"n": 1}', "--timeout", "30"], 0),
    ("run-fails", ["run", "f", "-e", '{"fail": true}', "--json", "--network", "none", "--timeout", "30"], 1),
    ("run-times-out", ["run", "f", "-n", "2", "-e", '{"sleep": 60}', "--timeout", "1"], 1),
    ("validate", ["validate", "--json"], 1),
    ("validate-broken", ["validate", "-t", "bad.yaml"], 1),
    ("layer-size", ["layer", "size", "f", "--layer", "layer.zip", "--html", "size.html"], 0),
    ("layer-check", ["layer", "check", "layer.zip", "--runtime", "python3.11", "--json"], 1),
    ("layer-build", ["layer", "build", "layer", "--runtime", "python3.11", "--no-pyc", "-o", "built.zip"], 0),
    ("simulate", ["simulate", "--arrivals", "poisson:0.9/s", "--for", "1m", "--warm", "exp:1.9s", "--init", "lognormal:2s,0.5", "--limit", "3", "--seeds", "2", "--json"], 0),
    ("check-init", ["check", "--init"], 0),
    ("check", ["check", "--junit", "j.xml", "--sarif", "s.json", "--markdown", "m.md"], 0),
    ("log", ["log"], 0),
    ("log-merge", ["log", "merge", "kept.db", "-o", "merged.db"], 0),
    ("report", ["report", "--html", "r.html"], 0),
    ("top-functions", ["top", "--once", "--size", "120x40"], 0),
    ("top-cost", ["top", "--once", "--view", "cost", "--size", "80x24"], 0),
    ("doctor", ["doctor", "--json"], 0),
    ("profile-diff", ["profile", "diff", "aws-lambda-2020-02", "aws-lambda-2026-11"], 0),
    ("usage", ["run", "--memory", "a lot"], 2),
]


@pytest.fixture(scope="module")
def kept(place):
    """A log with a little of everything, made outside of valgrind."""
    for event in ('{"n": 1}', '{"fail": 1}', '{"sleep": 5}'):
        subprocess.run([PROGRAM, "run", "f", "-n", "3", "-e", event, "--timeout", "1", "--quiet", "--db", "kept.db"], cwd=place, env=environment(), timeout=120)
    return place / "kept.db"


@pytest.mark.parametrize("name,args,status", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_command(memcheck, place, kept, name, args, status):
    reads = args[0] in ("log", "report", "top") and args[1:2] != ["merge"]
    cwd = place / "new" if name == "check-init" else place
    env = environment({"LAMBDAFIT_DB": str(kept if reads else memcheck.folder / "log.db"), "XDG_CACHE_HOME": str(memcheck.folder)})
    p = subprocess.run([*memcheck.under, PROGRAM, *args], capture_output=True, text=True, env=env, cwd=cwd, timeout=300)
    memcheck.clean(p.returncode)
    assert p.returncode == status, (p.stdout[-1000:], p.stderr[-2000:])


def ended(d, memcheck):
    """Ends it. An environment that is not told to end would keep a daemon for good, so this also sees that all are."""
    status = d.stop()
    memcheck.clean(status)
    assert status == 0, d.err


def test_serves_nothing(memcheck, serve, function):
    d = serve(function("f", {"lambda_function.py": HANDLER}), under=memcheck.under)
    assert [f["FunctionName"] for f in d.request("GET", "/2015-03-31/functions").json["Functions"]] == ["f"]
    assert d.invoke("no").status == 404 and d.request("GET", "/nowhere").status in (403, 404) and d.environments() == []
    assert d.request("POST", "/2015-03-31/functions", b'{"FunctionName": "x", "Code": 1').status == 400
    ended(d, memcheck)


@pytest.mark.parametrize("network", ["host", "none"])
def test_serves(memcheck, serve, function, network, tmp_path):
    """Cold, warm, failed, timed out and started again, streamed, through its URL, later."""
    failed = tmp_path / "failed.jsonl"
    d = serve(function("f", {"lambda_function.py": HANDLER}), under=memcheck.under,
              args=["--network", network, "--timeout", "2", "--async-retries", "0", "--on-failure", failed])
    assert [d.invoke("f", {"n": n}).json for n in range(3)] == [{"got": {"n": n}} for n in range(3)]
    assert d.invoke("f", {"fail": 1}).error and d.invoke("f", {"sleep": 60}).error and d.invoke("f", {"n": 3}).json == {"got": {"n": 3}}
    assert b'"got"' in d.request("POST", "/2021-11-15/functions/f/response-streaming-invocations", b'{"n": 4}').body
    assert d.request("GET", "/lambda-url/f/path?q=1").status == 200
    assert d.invoke("f", {"fail": 1}, headers={"X-Amz-Invocation-Type": "Event"}).status == 202
    wait_for(lambda: failed.exists() and failed.read_text().endswith("\n"), "the event was given up")
    rows = d.rows()
    assert len(rows) == 9 and [r["cold"] for r in rows[:3]] == [1, 0, 0]
    assert {r["status"] for r in rows} == {"ok", "function_error", "timeout"}
    ended(d, memcheck)


def test_deploys(memcheck, serve):
    """A function and a layer of the control API, changed, called by an alias, and deleted."""
    d = serve(under=memcheck.under)

    def ask(method, path, body=None, status=200):
        a = d.request(method, path, json.dumps(body).encode() if body is not None else None)
        assert a.status == status, a.body
        return json.loads(a.body or "null")

    def code(answer):
        return base64.b64encode(make_zip({"app.py": f"import thing\ndef h(e, c):\n    return [thing.x, {answer}]\n"})).decode()

    def steady():
        c = ask("GET", "/2015-03-31/functions/f/configuration")
        return c["State"] != "Pending" and c["LastUpdateStatus"] != "InProgress"

    zipped = base64.b64encode(make_zip({"python/thing.py": "x = 1\n"})).decode()
    layer = ask("POST", "/2018-10-31/layers/l/versions", {"Content": {"ZipFile": zipped}}, 201)
    ask("POST", "/2015-03-31/functions", {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/any", "Runtime": "python3.11", "Handler": "app.h", "Timeout": 30,
                                          "Code": {"ZipFile": code(1)}, "Layers": [layer["LayerVersionArn"]], "Tags": {"a": "b"}}, 201)
    wait_for(steady, "the function is made")
    assert d.invoke("f").json == [1, 1]
    ask("PUT", "/2015-03-31/functions/f/code", {"ZipFile": code(2), "Publish": True})
    wait_for(steady, "the code is changed")
    ask("POST", "/2015-03-31/functions/f/aliases", {"Name": "live", "FunctionVersion": "1"}, 201)
    assert d.invoke("f").json == [1, 2] and d.invoke("f:live").json == [1, 2]
    ask("PUT", "/2015-03-31/functions/f/configuration", {"Timeout": 20, "Environment": {"Variables": {"STAGE": "b"}}})
    wait_for(steady, "the settings are changed")
    ask("PUT", "/2015-03-31/functions/f/configuration", {"Timeout": 90000}, 400)
    ask("PUT", "/2015-03-31/functions/f/code", {"ZipFile": "bm8gemlw"}, 400)
    assert d.invoke("f").json == [1, 2]
    ask("DELETE", "/2018-10-31/layers/l/versions/1", status=204)
    ask("DELETE", "/2015-03-31/functions/f", status=204)
    ended(d, memcheck)
