# SPDX-License-Identifier: Apache-2.0
"""Real clients, unchanged, through everything that a deploy script does: create, wait, invoke in every way, update, layers, versions, concurrency,
delete. Each prints what it was told; what that must be is here, once for all of them, and so is how often the function ran."""
import base64
import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import zipfile

import pytest

from conftest import BUILD, PYTHON, environment, wait_for

HERE = pathlib.Path(__file__).parent / "clients" / "sdk"
BUILT = BUILD / "clients"

ONE = """
import os
def handler(event, context):
    print("asked for", event)
    if event.get("fail"):
        raise ValueError("no good")
    return {"code": "one", "greeting": os.environ["GREETING"], "n": event.get("n"), "version": context.function_version, "arn": context.invoked_function_arn}
"""
# Its layer comes a call after the code, and the event before them may be handled in between.
TWO = ONE.replace('"one"', '"two"').replace("import os", "import os\ntry:\n    import shared\nexcept ImportError:\n    shared = None").replace('"n":', '"layer": shared and shared.VALUE, "n":')
EVENTS = 1  # asynchronous invocations of a scenario


def make_zip(files):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            z.writestr(info, text)
    return b.getvalue()


@pytest.fixture
def packages(tmp_path):
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "one.zip").write_bytes(make_zip({"app.py": ONE}))
    (folder / "two.zip").write_bytes(make_zip({"app.py": TWO}))
    (folder / "layer.zip").write_bytes(make_zip({"python/shared.py": "VALUE = 42\n"}))
    return folder


@pytest.fixture
def empty(serve, tmp_path):
    """A daemon that has no function yet."""
    return serve(args=["--network", "none"])


def there(name):
    if not (BUILT / name).is_dir():
        pytest.skip(f"{BUILT / name} is not there: run scripts/test-clients {BUILT}")
    return BUILT / name


def ask(command, d, packages, env=None):
    r = subprocess.run([*map(str, command), d.endpoint, str(packages)], capture_output=True, text=True, timeout=900, env=environment(env))
    assert r.returncode == 0, r.stderr[-3000:]
    return json.loads(r.stdout)


ARN = "arn:aws:lambda:eu-west-1:123456789012:function:job"


def sha256(path):
    return base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()


def check_created(out, packages):
    c = out["created"]
    assert (c["State"], c["StateReasonCode"], c["StateReason"]) == ("Pending", "Creating", "The function is being created.")
    assert (c["FunctionName"], c["FunctionArn"], c["Version"], c["Description"]) == ("job", ARN, "$LATEST", "")
    assert (c["Runtime"], c["Handler"], c["Timeout"], c["MemorySize"]) == ("python3.11", "app.handler", 20, 256)
    assert (c["CodeSize"], c["CodeSha256"]) == ((packages / "one.zip").stat().st_size, sha256(packages / "one.zip"))
    assert (c["PackageType"], c["Architectures"], c["EphemeralStorage"], c["TracingConfig"]) == ("Zip", ["x86_64"], {"Size": 512}, {"Mode": "PassThrough"})
    logging = {"LogFormat": "Text", "LogGroup": "/aws/lambda/job"}  # which old clients do not know
    assert c.get("LoggingConfig", logging) == logging and c["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", c["LastModified"]) and len(c["RevisionId"]) == 36
    assert c["Environment"] == {"Variables": {"GREETING": "one"}}
    a = out["active"]
    assert (a["State"], a["LastUpdateStatus"]) == ("Active", "Successful") and "StateReason" not in a
    assert out["whole"]["Configuration"]["CodeSha256"] == c["CodeSha256"] and out["whole"]["Tags"] == {"team": "tests"}


def check_invoked(out):
    tail = out["first"].pop("tail")
    assert tail.startswith("START RequestId: ") and "asked for {'n': 1}" in tail and "\tMemory Size: 256 MB\t" in tail
    first = {"code": "one", "greeting": "one", "n": 1, "version": "$LATEST", "arn": ARN}
    assert out["first"] == {"status": 200, "error": None, "version": "$LATEST", "payload": first}
    failed = out["failed"]
    assert (failed["status"], failed["error"], failed["payload"]["errorType"], failed["payload"]["errorMessage"]) == (200, "Unhandled", "ValueError", "no good")
    assert (out["dry"]["status"], out["event"]["status"]) == (204, 202)
    assert out["second"]["payload"] == {"code": "two", "greeting": "two", "layer": 42, "n": 3, "version": "$LATEST", "arn": ARN}
    assert out["by_alias"]["payload"]["arn"] == ARN + ":live" and out["by_alias"]["payload"]["version"] == "1" and out["by_alias"]["version"] == "1"
    assert out["third"]["payload"]["layer"] == 42  # a deleted layer stays with those that have it


def check_deployed(out, d, packages):
    assert out["again"][:2] == ["ResourceConflictException", "Function already exist: job"] and out["again"][2:] in ([], [409])
    assert out["missing"][:2] == ["ResourceNotFoundException", "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nobody"]
    assert (out["update"]["LastUpdateStatus"], out["update"]["State"], out["update"]["CodeSha256"]) == ("InProgress", "Active", sha256(packages / "two.zip"))
    layer = out["layer"]
    assert layer["LayerVersionArn"] == "arn:aws:lambda:eu-west-1:123456789012:layer:shared:1" and layer["Version"] == 1
    assert layer["Content"]["CodeSha256"] == sha256(packages / "layer.zip") and layer["CompatibleRuntimes"] == ["python3.11"]
    assert out["reconfigured"]["Layers"] == [{"Arn": layer["LayerVersionArn"], "CodeSize": (packages / "layer.zip").stat().st_size}]
    assert (out["version"]["Version"], out["version"]["FunctionArn"], out["version"]["Description"]) == ("1", ARN + ":1", "kept")
    assert (out["alias"]["AliasArn"], out["alias"]["FunctionVersion"]) == (ARN + ":live", "1") and out["versions"] == ["$LATEST", "1"]
    assert (out["reserved"], out["reserved_now"], out["reserved_then"]) == (5, 5, None)
    assert out["account"]["AccountLimit"]["CodeSizeUnzipped"] == 262144000 and out["account"]["AccountUsage"]["FunctionCount"] == 1
    assert out["listed"] == ["job"] and out["layers"] == ["shared"] and out["layer_by_arn"] == 1
    assert out["layer_again"]["Content"] == layer["Content"] and out["layer_versions"] == []
    assert out["deleted"] == 204 and out["gone"][:1] == ["ResourceNotFoundException"] and out["gone"][1] == "Function not found: " + ARN + ":$LATEST"


def check_rows(d):
    """No invocation ran twice, whatever the client repeats by itself."""
    rows = wait_for(lambda: (r := d.rows()) and len(r) >= 6 and r, "the event's row")
    assert sorted(r["status"] for r in rows) == ["function_error"] + ["ok"] * 5, rows
    assert len({r["request_id"] for r in rows}) == 6
    wait_for(lambda: d.environments() == [], "of a deleted function nothing is left")


def check_all(out, d, packages):
    check_created(out, packages)
    check_invoked(out)
    check_deployed(out, d, packages)
    check_rows(d)


def test_boto3_of_debian(empty, packages):
    check_all(ask([PYTHON, HERE / "scenario.py"], empty, packages), empty, packages)


def test_boto3_of_now(empty, packages):
    out = ask([PYTHON, HERE / "scenario.py"], empty, packages, {"PYTHONPATH": str(there("aws"))})
    assert out["client"] != "boto3 1.26.27"
    check_all(out, empty, packages)


def test_javascript(empty, packages):
    check_all(ask(["node", HERE / "scenario.cjs"], empty, packages, {"NODE_PATH": str(there("aws_sdk_js") / "node_modules")}), empty, packages)


INVOKED = ("first", "failed", "dry", "event", "second", "by_alias", "third")


def cli_answers(folder):
    """The files that scenario.sh wrote, in the form of the other clients."""
    out = {p.stem: json.loads(p.read_text() or "{}") for p in folder.glob("*.json")}
    for name in INVOKED:
        body, r = (folder / f"{name}.body").read_text(), out[name]
        out[name] = {"status": r["StatusCode"], "error": r.get("FunctionError"), "version": r.get("ExecutedVersion"),
                     "payload": json.loads(body) if body else None, "tail": base64.b64decode(r["LogResult"]).decode() if "LogResult" in r else None}
    for p in folder.glob("*.err"):
        m = re.search(r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)", p.read_text())
        out[p.stem] = [m[1], m[2].strip()]
    out["reserved"], out["reserved_now"] = (out[k]["ReservedConcurrentExecutions"] for k in ("reserved", "reserved_now"))
    out["reserved_then"] = out["reserved_then"].get("ReservedConcurrentExecutions")
    out["versions"] = [v["Version"] for v in out["versions"]["Versions"]]
    out["listed"] = [f["FunctionName"] for f in out["listed"]["Functions"]]
    out["layers"] = [v["LayerName"] for v in out["layers"]["Layers"]]
    out["layer_by_arn"], out["layer_versions"] = out["layer_by_arn"]["Version"], out["layer_versions"]["LayerVersions"]
    out["deleted"] = 204  # it does not say
    return out


@pytest.mark.parametrize("cli", ["version 2, Debian's", "version 1, now"])
def test_command_line(empty, packages, cli):
    env = {"AWS": "/usr/bin/aws", "AWS_RAW": "--cli-binary-format raw-in-base64-out"}
    if cli.startswith("version 1"):
        env = {"AWS": f"{PYTHON} {there('aws') / 'bin' / 'aws'}", "PYTHONPATH": str(there("aws"))}
    r = subprocess.run([HERE / "scenario.sh", empty.endpoint, packages], capture_output=True, text=True, timeout=900, env=environment(env))
    assert r.returncode == 0, r.stderr[-3000:]
    check_all(cli_answers(packages / "out"), empty, packages)


def terraform(folder, *args, allowed=(0,)):
    env = environment({"TF_CLI_CONFIG_FILE": str(BUILT / "terraform" / "terraformrc"), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"})
    r = subprocess.run(["terraform", *args], cwd=folder, capture_output=True, text=True, timeout=900, env=env)
    assert r.returncode in allowed, r.stdout[-3000:] + r.stderr[-3000:]
    return r


if (BUILT / "terraform").is_dir():  # only where terraform is installed and its provider can be had

    def test_terraform(empty, packages):
        """Created, changed and destroyed, with nothing that terraform would want to change again in between."""
        shutil.copytree(BUILT / "terraform", packages, dirs_exist_ok=True, symlinks=True)

        def settings(package, memory):
            return ["-no-color", "-input=false", f"-var=endpoint={empty.endpoint}", f"-var=zip={package}", f"-var=memory={memory}"]

        terraform(packages, "apply", "-auto-approve", *settings("one.zip", 256))
        result = json.loads(json.loads(terraform(packages, "output", "-json").stdout)["result"]["value"])
        assert (result["code"], result["n"]) == ("one", 1)
        terraform(packages, "apply", "-auto-approve", *settings("two.zip", 300))
        terraform(packages, "plan", "-detailed-exitcode", *settings("two.zip", 300))
        function = empty.request("GET", "/2015-03-31/functions/job").json
        assert (function["Configuration"]["MemorySize"], function["Configuration"]["CodeSha256"]) == (300, sha256(packages / "two.zip"))
        assert function["Concurrency"] == {"ReservedConcurrentExecutions": 4} and function["Tags"] == {"team": "tests"}
        assert empty.invoke("job:live", {"n": 2}).json["version"] == "2"
        terraform(packages, "destroy", "-auto-approve", *settings("two.zip", 300))
        assert empty.request("GET", "/2015-03-31/functions").json["Functions"] == []
        assert [r["status"] for r in empty.rows()] == ["ok", "ok"]
