# SPDX-License-Identifier: Apache-2.0
"""run, serve and validate with templates, on the built program."""
import json
import os
import pathlib
import time

import pytest

from conftest import wait_for

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.11, Timeout: 60, MemorySize: 256}
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Deps: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: layer}}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-${Stage}-hello'
      CodeUri: src
      Handler: app.main
      EphemeralStorage: {Size: 600}
      Layers: [!Ref Deps]
      Environment:
        Variables: {WHO: world, QUEUE: !Ref Jobs, NUMBER: 31, FLAG: true, STAGE: !Ref Stage}
      Events:
        Get: {Type: HttpApi, Properties: {Path: /hi, Method: get}}
  Inline:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"inline": event}
  OnlyProd:
    Type: AWS::Serverless::Function
    Condition: IsProd
    Properties: {CodeUri: src, Handler: app.main}
  Jobs: {Type: 'AWS::SQS::Queue'}
"""

HANDLER = """\
import os, dep
def main(event, context):
    return {"name": context.function_name, "memory": context.memory_limit_in_mb, "dep": dep.VALUE, "env": dict(os.environ), "event": event}
"""


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    for path, text in {"template.yaml": TEMPLATE, "src/app.py": HANDLER, "layer/python/dep.py": "VALUE = 42\n"}.items():
        p = folder / path
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(text)
    return folder


def test_run_by_logical_id(run, app):
    r = run("run", "-t", "template.yaml", "Hello", "-e", '{"n": 1}', cwd=app)
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    assert out["name"] == "local-dev-hello" and out["memory"] in ("256", 256) and out["dep"] == 42 and out["event"] == {"n": 1}
    env = out["env"]
    assert env["WHO"] == "world" and env["NUMBER"] == "31" and env["FLAG"] == "true" and env["STAGE"] == "dev"
    assert env["QUEUE"] == "https://sqs.us-east-1.amazonaws.com/123456789012/local-Jobs"
    assert "  tmp " in r.stderr and "600" in r.stderr


@pytest.mark.parametrize("where", [[], ["-t", "template.yaml"]])
def test_template_of_the_folder(run, app, where):
    """A word that is no path is a function of the folder's template, by logical id or by name."""
    for name in ("Hello", "local-dev-hello"):
        r = run("run", *where, name, "--quiet", cwd=app)
        assert r.returncode == 0, r.stderr
        assert json.loads(r.stdout)["name"] == "local-dev-hello"


def test_template_from_elsewhere(run, app, tmp_path):
    """Paths of a template are relative to its own folder."""
    r = run("run", "-t", app / "template.yaml", "Hello", "--quiet", cwd=tmp_path)
    assert r.returncode == 0, r.stderr


def test_inline_code(run, app):
    r = run("run", "Inline", "-e", '{"a": [1]}', "--quiet", cwd=app)
    assert (r.returncode, json.loads(r.stdout)) == (0, {"inline": {"a": [1]}}), r.stderr


def test_options_count_more(run, app):
    r = run("run", "Hello", "--memory", "512", "--env", "WHO=me", "--env", "MORE=x", "--timeout", "7", "--name", "other", "--json", "--quiet", cwd=app)
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    assert out["function"]["memory_mb"] == 512 and out["function"]["timeout_ms"] == 7000 and out["function"]["name"] == "other"
    env = out["invocations"][0]["response"]["env"]
    assert env["WHO"] == "me" and env["MORE"] == "x" and env["NUMBER"] == "31"


def test_env_vars(run, app):
    """The file of `sam local --env-vars`, with a template and without."""
    vars = app / "vars.json"
    vars.write_text(json.dumps({"Hello": {"WHO": "file", "NUMBER": 5, "NEW": True}, "Parameters": {"WHO": "all", "ALL": "x"}, "src": {"WHO": "folder"}}))
    env = json.loads(run("run", "Hello", "--env-vars", "vars.json", "--quiet", cwd=app).stdout)["env"]
    assert (env["WHO"], env["NUMBER"], env["NEW"], env["ALL"], env["FLAG"]) == ("file", "5", "true", "x", "true")
    env = json.loads(run("run", "Hello", "--env-vars", "vars.json", "--env", "WHO=me", "--quiet", cwd=app).stdout)["env"]
    assert env["WHO"] == "me"
    env = json.loads(run("run", "src", "--handler", "app.main", "--layer", "layer", "--env-vars", "vars.json", "--quiet", cwd=app).stdout)["env"]
    assert (env["WHO"], env["ALL"]) == ("folder", "x")
    for text in ("[1]", '{"Hello": 1}', '{"Hello": {"A": {}}}', '{"Hello": {"A=B": "x"}}', "{", ""):
        vars.write_text(text)
        r = run("run", "Hello", "--env-vars", "vars.json", cwd=app)
        assert r.returncode == 2 and "vars.json" in r.stderr, (text, r.stderr)
    assert run("run", "Hello", "--env-vars", "gone.json", cwd=app).returncode in (2, 4)


def test_parameters(run, app):
    r = run("run", "Hello", "--parameter", "Stage=prod", "--quiet", cwd=app)
    assert json.loads(r.stdout)["name"] == "local-prod-hello", r.stderr
    assert run("run", "OnlyProd", "--parameter", "Stage=prod", "--layer", "layer", "--quiet", cwd=app).returncode == 0
    r = run("run", "OnlyProd", cwd=app)
    assert r.returncode == 2 and "its condition does not hold" in r.stderr and "--parameter" in r.stderr
    r = run("run", "OnlyProf", cwd=app)
    assert r.returncode == 2 and "no function of this logical id" in r.stderr
    r = run("run", "Hello", "--parameter", "Stage=test", cwd=app)
    assert r.returncode == 2 and "AllowedValues" in r.stderr
    r = run("run", "Hello", "--parameter", "Nothing=1", cwd=app)
    assert r.returncode == 2 and "no parameter of this name" in r.stderr and "Stage" in r.stderr


def test_which_function(run, app):
    r = run("run", cwd=app)
    assert r.returncode == 2 and "Hello" in r.stderr and "Inline" in r.stderr
    r = run("run", "Nothing", cwd=app)
    assert r.returncode == 2 and "Hello" in r.stderr


def test_a_path_is_a_path(run, app):
    """`run .` means the folder, whatever template lies in it."""
    (app / "lambda_function.py").write_text("def lambda_handler(event, context):\n    return 'folder'\n")
    r = run("run", ".", "--quiet", cwd=app)
    assert (r.returncode, r.stdout) == (0, '"folder"\n'), r.stderr


def test_the_build_is_taken_when_newer(run, app):
    build = app / ".aws-sam" / "build"
    (build / "Hello").mkdir(parents=True)
    (build / "Hello" / "app.py").write_text("def main(event, context):\n    return 'built'\n")
    (build / "template.yaml").write_text("Resources:\n  Hello: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: Hello, Handler: app.main, Runtime: python3.11}}\n")
    old, new = time.time() - 100, time.time()
    os.utime(app / "template.yaml", (old, old))
    os.utime(build / "template.yaml", (new, new))
    assert run("run", "--quiet", cwd=app).stdout == '"built"\n'
    os.utime(build / "template.yaml", (old - 100, old - 100))
    assert '"local-dev-hello"' in run("run", "Hello", "--quiet", cwd=app).stdout


def test_wrong_templates(run, app):
    """Each says FILE:LINE:COLUMN: the place of the word given second."""
    head = "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: {"
    cases = [
        ("Resources: {A: 'x\n", "x\n", "not valid YAML"),
        (head + "Code: src, Handler: !Ref Nowhere, Runtime: python3.11}}\n", "Nowhere", "Handler: Ref names Nowhere"),
        (head + "Code: src, Handler: app.main, Runtime: python3.11, MemorySize: 64}}\n", "64", "MemorySize: "),
        (head + "Code: gone, Handler: app.main, Runtime: python3.11}}\n", "gone", "no code at"),
        (head + "Code: {S3Bucket: b, S3Key: k}, Handler: app.main, Runtime: python3.11}}\n", "{S3Bucket", "s3://b/k"),
        (head + "PackageType: Image, Code: {ImageUri: x}}}\n", "{ImageUri", "container image"),
    ]
    for text, word, message in cases:
        (app / "t.yaml").write_text(text)
        r = run("run", "-t", "t.yaml", cwd=app)
        at = text.index(word)
        place = f"t.yaml:{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}: "
        assert r.returncode == 2 and place in r.stderr and message in r.stderr, (text, place, r.stderr)
        assert r.stdout == ""
    (app / "template.yaml").write_text("- nothing\n")
    r = run("run", cwd=app)
    assert r.returncode == 2 and "lambdafit run ." in r.stderr
    r = run("run", "-t", "missing.yaml", cwd=app)
    assert r.returncode in (2, 4) and "missing.yaml" in r.stderr


def test_serve(serve, app):
    """Every function, by either of its names; what is no function is listed with --verbose."""
    (app / "template.yaml").write_text(TEMPLATE + "  Stored: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: 's3://b/k', Handler: app.main}}\n")
    d = serve(args=["-t", app / "template.yaml", "--verbose"])
    for name in ("Hello", "local-dev-hello"):
        a = d.invoke(name, {"x": name})
        assert a.status == 200 and not a.error, a.body
        assert a.json["name"] == "local-dev-hello" and a.json["event"] == {"x": name}
    assert d.invoke("Inline", {"y": 2}).json == {"inline": {"y": 2}}
    assert d.invoke("Stored").status == 404
    assert {r["function"] for r in d.rows()} >= {"local-dev-hello", "Inline"}
    assert "Jobs (AWS::SQS::Queue) is no function" in d.err and "OnlyProd (AWS::Serverless::Function) is left out" in d.err
    assert "Stored is passed over" in d.err and "HttpApi GET /hi" in d.err


DESTINATIONS = """\
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Globals: {Function: {Runtime: python3.11, Handler: app.main, CodeUri: job, MemorySize: 1024, Timeout: 60}}
Resources:
  Fn::ForEach::Jobs:
  - Name
  - [One, Two]
  - Job${Name}:
      Type: AWS::Serverless::Function
      Properties:
        Environment: {Variables: {NAME: !Ref Name}}
        EventInvokeConfig:
          MaximumRetryAttempts: 0
          DestinationConfig:
            OnSuccess: {Type: Lambda, Destination: !GetAtt Record.Arn}
            OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}
  Record: {Type: AWS::Serverless::Function, Properties: {FunctionName: the-record}}
  JobsOfTwo:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref JobTwo, Qualifier: $LATEST, DestinationConfig: {OnFailure: {Destination: !GetAtt Record.Arn}}}
  Dead: {Type: 'AWS::SQS::Queue'}
"""

JOB = """\
import json, os
def main(event, context):
    if event.get("fail"): raise ValueError("no")
    text = "MARK " + json.dumps({"name": context.function_name, "env": os.environ.get("NAME"), "event": event}) + "\\n"
    os.write(1, text.encode())  # at once: print writes in parts, between which another function may come to word
"""


def test_serve_with_destinations(serve, run, tmp_path):
    """Functions made by a loop; what the template says of their asynchronous events is done."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job/app.py").write_text(JOB)
    (tmp_path / "template.yaml").write_text(DESTINATIONS)
    d = serve(args=["-t", tmp_path / "template.yaml"])
    wait_for(lambda: "local-Dead, which is not here: they are not delivered" in d.err, "the missing queue is told")

    def marks():
        return [json.loads(x[5:]) for x in d.err.splitlines(keepends=True) if x.startswith("MARK ") and x.endswith("\n")]  # not half a line

    assert d.invoke("JobOne", {"n": 1}, {"X-Amz-Invocation-Type": "Event"}).status == 202
    wait_for(lambda: len(marks()) == 2, "the job and the record of its success")
    job, record = sorted(marks(), key=lambda m: m["name"] == "the-record")
    assert job["name"] == "JobOne" and job["env"] == "One" and record["name"] == "the-record"
    assert record["event"]["requestContext"]["condition"] == "Success" and record["event"]["requestPayload"] == {"n": 1}
    assert d.invoke("JobTwo", {"fail": True}, {"X-Amz-Invocation-Type": "Event"}).status == 202
    wait_for(lambda: len(marks()) == 3, "the record of a failure")
    context = marks()[2]["event"]["requestContext"]
    assert context["condition"] == "RetriesExhausted" and context["approximateInvokeCount"] == 1 and ":JobTwo:" in context["functionArn"]
    assert d.invoke("JobOne", {"fail": True}, {"X-Amz-Invocation-Type": "Event"}).status == 202  # its queue is not here
    wait_for(lambda: len(d.rows("SELECT * FROM invocations WHERE status = 'function_error'")) == 2, "it failed")
    assert len(marks()) == 3


def test_serve_without_the_destination(serve, tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "job/app.py").write_text(JOB)
    (tmp_path / "template.yaml").write_text(DESTINATIONS)
    d = serve("JobOne", args=["-t", tmp_path / "template.yaml"])
    assert "the function the-record, which gets the records of its successful asynchronous events, is not served" in d.err
    assert d.invoke("JobOne", {}).status == 200


def test_serve_some(serve, app):
    d = serve("Inline", args=["-t", app / "template.yaml"])
    assert d.invoke("Inline", {}).status == 200
    assert d.invoke("Hello").status == 404


# ---- validate -------------------------------------------------------------------------------------------------------------------------

BAD = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app main
      Runtime: python9.99
      MemorySize: 64
      Timeout: 901
      EphemeralStorage:
        Size: 100
      FunctionName: not a name
      ReservedConcurrentExecutions: -1
      MemorySze: 3
      Layers: [a, b, c, d, e, f]
      Environment:
        Variables:
          AWS_REGION: x
          1BAD: y
"""


def problems(run, app, text, *args, name="t.yaml"):
    (app / name).write_text(text)
    r = run("validate", "-t", name, "--json", *args, cwd=app)
    return r.returncode, json.loads(r.stdout)["problems"] if r.stdout else r.stderr


def test_validate_says_where(run, app):
    status, found = problems(run, app, BAD)
    assert status == 1
    assert all(set(p) >= {"severity", "file", "line", "column", "logical_id", "property", "message"} for p in found)
    errors = {p["property"]: p for p in found if p["severity"] == "error"}
    lines = {"Handler": 8, "Runtime": 9, "MemorySize": 10, "Timeout": 11, "EphemeralStorage.Size": 13, "FunctionName": 14, "ReservedConcurrentExecutions": 15,
             "MemorySze": 16, "Layers": 17, "Environment.Variables.AWS_REGION": 20, "Environment.Variables.1BAD": 21}
    assert {k: v["line"] for k, v in errors.items()} == lines
    assert all(p["file"] == "t.yaml" and p["logical_id"] == "F" for p in errors.values())
    assert "Member must have value greater than or equal to 128" in errors["MemorySize"]["message"]
    assert "did you mean MemorySize?" in errors["MemorySze"]["message"]
    assert errors["Layers"]["message"] == "Cannot reference more than 5 layers."
    r = run("validate", "-t", "t.yaml", cwd=app)
    assert r.returncode == 1
    assert "t.yaml:10:19: error: F.MemorySize: 1 validation error detected: Value '64' at 'memorySize'" in r.stdout


def test_validate_good(run, app):
    r = run("validate", cwd=app)
    assert r.returncode == 0 and r.stdout == "", r.stdout + r.stderr
    assert "2 functions, 0 errors, 0 warnings" in r.stderr
    out = json.loads(run("validate", "--json", cwd=app).stdout)
    assert out["problems"] == [] and [f["logical_id"] for f in out["functions"]] == ["Hello", "Inline"]
    assert out["events"] == [{"function": "Hello", "name": "Get", "type": "HttpApi", "method": "GET", "path": "/hi", "auth": None, "mode": None}]


def test_validate_environment_size(run, app):
    text = TEMPLATE.replace("WHO: world", "WHO: " + "x" * 4100)
    status, found = problems(run, app, text)
    line = next(i for i, l in enumerate(text.split("\n"), 1) if l.lstrip().startswith("Variables:"))
    assert status == 1
    assert [(p["line"], p["limit"]) for p in found if p["severity"] == "error"] == [(line, "env")]
    # Where only the guess of a name makes it too large, nobody knows.
    status, found = problems(run, app, TEMPLATE.replace("WHO: world", "WHO: " + "x" * 3980))
    assert status == 0 and [(p["severity"], p["limit"]) for p in found] == [("warning", "env")]


def test_validate_package_size(run, app):
    with open(app / "src" / "big.bin", "wb") as f:
        f.truncate(262144000)
    status, found = problems(run, app, TEMPLATE, name="template.yaml")
    errors = [p for p in found if p["severity"] == "error"]
    assert status == 1 and [(p["logical_id"], p["property"], p["limit"]) for p in errors] == [("Hello", "CodeUri", "package")]
    assert errors[0]["line"] == 15 and "262144000" in errors[0]["message"]
    os.truncate(app / "src" / "big.bin", 200 << 20)
    with open(app / "layer" / "big.bin", "wb") as f:
        f.truncate(100 << 20)
    status, found = problems(run, app, TEMPLATE, name="template.yaml")
    assert status == 1 and [p["property"] for p in found if p["severity"] == "error"] == ["Layers"]


def test_validate_broken(run, app):
    for data in (b"", b"\x7fELF\x02\x01\x01\x00\x00", b"a: [", b"Resources: 5", b"Resources: {A: &a [*a]}", b"Resources: {A: !Nope x}", b"Resources: {A: {}, A: {}}",
                 b"[" * 100000, b"Resources:\n" + b"".join(b" " * i + b"a:\n" for i in range(1, 2000))):
        (app / "t.yaml").write_bytes(data)
        r = run("validate", "-t", "t.yaml", "--json", cwd=app, timeout=120)
        assert r.returncode == 1, (data[:20], r.stderr)
        found = json.loads(r.stdout)["problems"]
        assert found[0]["severity"] == "error" and found[0]["line"] >= 1 and found[0]["column"] >= 1 and found[0]["message"]


def test_validate_50_mb(run, app):
    with open(app / "t.yaml", "wb") as f:
        f.write(b"Resources:\n")
        for i in range(50):
            f.write(b"  # " + b"x" * (1 << 20) + b"\n")
    started = time.monotonic()
    r = run("validate", "-t", "t.yaml", cwd=app)
    assert r.returncode == 1 and "larger than" in r.stdout and time.monotonic() - started < 30  # it is not read


def test_validate_usage(run, app, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("validate", cwd=empty).returncode == 2
    assert run("validate", "-t", "gone.yaml", cwd=app).returncode in (2, 4)
    assert run("validate", "-t", "src", cwd=app).returncode == 2
    assert run("validate", "--parameter", "Nothing=1", cwd=app).returncode == 2


def test_validate_knows_the_platform(run, app):
    """Ranges are the profile's."""
    text = TEMPLATE.replace("MemorySize: 256", "MemorySize: 4096")
    assert problems(run, app, text)[0] == 0
    assert problems(run, app, text, "--profile", "aws-lambda-2020-02")[0] == 1
