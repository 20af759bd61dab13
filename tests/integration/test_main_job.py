# SPDX-License-Identifier: Apache-2.0
"""The main job with small handlers: run, serve, invoke, ps, log; cold, warm, every way to end; limits; bad input."""
import base64
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import environment, listening, wait_for

HANDLER = '''
import os, socket, time, threading
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    what = event.get("do") if isinstance(event, dict) else None
    if what == "sleep": time.sleep(event["s"])
    elif what == "gate": socket.create_connection(("127.0.0.1", event["gate"])).recv(1)
    elif what == "raise": raise ValueError("no good")
    elif what == "exit": os._exit(event["code"])
    elif what == "signal": os.kill(os.getpid(), event["n"])
    elif what == "memory": x = bytearray(event["mb"] << 20); time.sleep(event.get("held", 0)); return len(x)
    elif what == "big": return "x" * event["n"]
    elif what == "tmp":
        with open("/tmp/f", "ab") as f:
            for _ in range(event["mb"]): f.write(b"x" * 1048576)
        return os.path.getsize("/tmp/f")
    elif what == "ls": return sorted(os.listdir("/tmp"))
    elif what == "print": print(event["text"])
    return {"count": count, "event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
'''


@pytest.fixture
def target(function):
    return function("hello", {"lambda_function.py": HANDLER})


def test_run_needs_nothing(run, target):
    """The first thing a new user does: lambdafit run . in a folder with a lambda_function.py."""
    r = run("run", ".", cwd=target)
    assert r.returncode == 0, r.stderr
    assert json.loads(r.stdout)["event"] == {}
    assert re.search(r"^START RequestId: [0-9a-f-]{36} Version: \$LATEST$", r.stderr, re.M)
    assert re.search(r"^REPORT RequestId: [0-9a-f-]{36}\tDuration: [0-9.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [0-9.]+ ms\t$", r.stderr, re.M)
    for word in ("memory", "tmp", "package", "per million invocations", "duration, cold", "init (cold)"):
        assert word in r.stderr, r.stderr


def test_lines_come_before_the_response(target, program, tmp_path):
    """On a terminal both outputs are one: an invocation's lines, also one that was not ended, then its response."""
    code = 'import sys\ndef lambda_handler(event, context):\n    sys.stdout.write("no end of line")\n    sys.stdout.flush()\n'
    (target / "lambda_function.py").write_text(code)
    r = subprocess.run([program, "run", target, "-n", "15", "--memory", "1024", "--db", tmp_path / "log.db"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, env=environment(), timeout=300)
    assert r.returncode == 0
    lines = [line.split()[0] for line in r.stdout.splitlines() if re.match("START|no end|END|REPORT|null", line)]
    assert lines == ["START", "no", "END", "REPORT", "null"] * 15, r.stdout


def test_run_json(run, target):
    r = run("run", target, "-e", '{"a": 1}', "-n", "3", "--json", "--quiet", "--memory", "512")
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    assert out["function"]["name"] == "hello" and out["function"]["memory_mb"] == 512
    inv = out["invocations"]
    assert [i["cold"] for i in inv] == [1, 0, 0]
    assert [i["response"]["count"] for i in inv] == [1, 2, 3]
    assert all(i["status"] == "ok" and i["error"] is None and i["billed_ms"] >= 1 for i in inv)
    assert inv[0]["init_us"] > 0 and inv[1]["init_us"] is None
    assert all(i["cost_usd"] > 0 for i in inv)
    assert abs(sum(i["cost_usd"] for i in inv) - out["cost"]["total_usd"]) < 1e-11
    limits = {l["limit"]: l for l in out["limits"]}
    assert limits["memory"]["allowed"] == 512 * 1048576 and 0 < limits["memory"]["used"] < 512 * 1048576
    assert limits["package"]["used"] == len(HANDLER)
    assert all(l["enforced"] in ("kernel", "sampled", "none") for l in out["limits"])
    assert r.stderr == ""


def test_run_cold(run, target):
    out = json.loads(run("run", target, "-n", "4", "-c", "2", "--cold", "--json", "--memory", "1024").stdout)
    assert [i["cold"] for i in out["invocations"]] == [1] * 4
    assert len({i["environment"] for i in out["invocations"]}) == 4


def test_run_failures_exit_1(run, target):
    r = run("run", target, "-e", '{"do": "raise"}', "--memory", "512")
    assert r.returncode == 1
    assert json.loads(r.stdout)["errorType"] == "ValueError"


def test_folders_of_their_owner_alone(run, tmp_path):
    """A package has no folder around it that could have rights; one in /tmp or under a umask of 077 does."""
    code, layer = tmp_path / "code", tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "own.py").write_text("word = 'from the layer'\n")
    (code / "sub").mkdir(parents=True)
    (code / "sub" / "data.txt").write_text("and the code")
    (code / "link.txt").symlink_to("sub/data.txt")
    (code / "lambda_function.py").write_text("import own\n\n\ndef lambda_handler(event, context):\n    return [own.word, open('/var/task/link.txt').read()]\n")
    for folder in (tmp_path, code, layer):
        folder.chmod(0o700)
    r = run("run", code, "--layer", layer, "--quiet")
    assert json.loads(r.stdout) == ["from the layer", "and the code"], r.stderr
    assert r.returncode == 0


def test_a_broken_limit_exits_1_though_the_function_came_through(run, tmp_path):
    (tmp_path / "lambda_function.py").write_text("files = []\n\n\ndef lambda_handler(event, context):\n    try:\n        while event['all']:\n"
                                                 "            files.append(open('/dev/null'))\n    except OSError:\n        pass\n    return len(files)\n")
    r = run("run", tmp_path, "-e", '{"all": 1}', "--json", "--quiet")
    out = json.loads(r.stdout)
    assert out["invocations"][0]["status"] == "ok" and out["invocations"][0]["response"] > 900
    assert [(v["limit_id"], v["severity"]) for v in out["violations"]] == [("fds", "broken")]
    assert r.returncode == 1
    assert run("run", tmp_path, "-e", '{"all": 0}', "--quiet").returncode == 0


@pytest.mark.parametrize("args,status,words", [
    (["run", "/nonexistent"], 2, ["/nonexistent"]),
    (["run", ".", "-e", "{bad"], 2, ["JSON"]),
    (["run", ".", "-e", "no-such-file.json"], 2, ["no-such-file.json"]),
    (["run", ".", "--memory", "100"], 1, ["memory"]),
    (["run", ".", "--runtime", "java21"], 2, ["java21"]),
    (["run", ".", "--runtime", "cobol"], 2, ["cobol"]),
    (["run", ".", "--profile", "nope"], 2, ["nope"]),
    (["run", ".", "--region", "mars-1"], 2, ["mars-1"]),
    (["run", ".", "--nope"], 2, ["--nope"]),
    (["run", ".", "--memory"], 2, ["--memory"]),
    (["run", ".", "--memory", "lots"], 2, ["lots"]),
    (["nope"], 2, ["nope"]),
    (["run", ".", "--env", "AWS_REGION=x"], 2, ["AWS_REGION"]),
    (["run", ".", "--timeout", "901"], 1, ["901"]),
    (["invoke", "hello", "--endpoint", "http://127.0.0.1:1"], 4, ["lambdafit serve"]),
    (["log", "--db", "/nonexistent/log.db"], 4, ["/nonexistent/log.db"]),
    (["profile", "frob"], 2, ["frob"]),
])
def test_bad_input(run, target, args, status, words):
    r = run(*args, cwd=target)
    assert r.returncode in ((status,) if status != 1 else (1, 2)), (r.returncode, r.stderr)
    assert r.stderr.startswith("lambdafit: "), r.stderr
    for w in words:
        assert w in r.stderr, r.stderr


def test_serve_life_cycle(serve, target):
    d = serve(target, args=["--memory", "1024"])
    first, second = d.invoke("hello", {"n": 1}), d.invoke("hello", {"n": 2})
    assert (first.status, second.status) == (200, 200)
    assert first.json["count"] == 1 and second.json["count"] == 2
    row1, row2 = d.row(first.headers["x-amzn-RequestId"]), d.row(second.headers["x-amzn-RequestId"])
    assert (row1["cold"], row2["cold"]) == (1, 0)
    assert row1["environment"] == row2["environment"]
    assert row1["request_bytes"] == len(b'{"n": 1}') and row1["response_bytes"] == len(first.body)
    assert row1["max_memory_bytes"] > 0 and row1["cpu_us"] > 0
    assert 29 < 3000 - second.json["left"] + 30 < 3000


@pytest.mark.parametrize("event,body,status", [
    ({"do": "raise"}, {"errorType": "ValueError", "errorMessage": "no good"}, "function_error"),
    ({"do": "exit", "code": 0}, {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: ID Error: Runtime exited without providing a reason"}, "crash"),
    ({"do": "exit", "code": 3}, {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: ID Error: Runtime exited with error: exit status 3"}, "crash"),
    ({"do": "signal", "n": 9}, {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: ID Error: Runtime exited with error: signal: killed"}, "crash"),
    ({"do": "sleep", "s": 60}, {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: ID Error: Task timed out after 4.00 seconds"}, "timeout"),
])
def test_ends(serve, target, event, body, status):
    # Long enough for what must not time out: after a crash the runtime starts again as part of the next invocation.
    d = serve(target, args=["--memory", "1769", "--timeout", "4" if status == "timeout" else "30"])
    d.invoke("hello")
    a = d.invoke("hello", event)
    request_id = a.headers["x-amzn-RequestId"]
    assert a.status == 200 and a.error == "Unhandled"
    for k, v in body.items():
        assert a.json[k] == v.replace("ID", request_id)
    row = d.row(request_id)
    assert row["status"] == status and row["error_type"] == body["errorType"] and row["cold"] == 0
    again = d.invoke("hello")
    assert again.status == 200 and not again.error
    assert again.json["count"] == (3 if status == "function_error" else 1)
    assert d.row(again.headers["x-amzn-RequestId"])["environment"] == row["environment"]


def test_out_of_memory(serve, target):
    d = serve(target, args=["--memory", "256", "--timeout", "60"])
    assert d.invoke("hello", {"do": "memory", "mb": 100}).json == 100 << 20
    a = d.invoke("hello", {"do": "memory", "mb": 400, "held": 20})  # until it is seen, also by a daemon that gets no CPU
    assert a.json["errorType"] == "Runtime.OutOfMemory"
    row = d.row(a.headers["x-amzn-RequestId"])
    assert row["status"] == "out_of_memory" and 250 << 20 < row["max_memory_bytes"] <= 256 << 20
    v = d.rows("SELECT * FROM violations WHERE request_id = ?", row["request_id"])
    assert [x["limit_id"] for x in v] == ["memory"] and v[0]["severity"] == "broken"


def test_tmp_is_disk_and_has_a_quota(serve, target):
    d = serve(target, args=["--memory", "1769", "--tmp", "600", "--timeout", "15"])
    assert d.invoke("hello", {"do": "tmp", "mb": 590}).json == 590 << 20
    row = d.rows()[-1]
    assert row["tmp_used_bytes"] == 590 << 20 and row["tmp_growth_bytes"] == 590 << 20
    assert row["max_memory_bytes"] < 200 << 20
    a = d.invoke("hello", {"do": "tmp", "mb": 20})
    assert a.json["errorType"] == "OSError" and "Errno 28" in a.json["errorMessage"]
    a = d.invoke("hello", {"do": "sleep", "s": 100})
    assert a.json["errorType"] == "Sandbox.Timedout"
    assert d.invoke("hello", {"do": "ls"}).json == ["f"]  # a reset keeps /tmp


def test_payload_limits(serve, target):
    d = serve(target, args=["--memory", "3008", "--timeout", "60"])
    event = b'"' + b"x" * 6291454 + b'"'
    assert d.invoke("hello", raw=event).status == 200
    a = d.invoke("hello", raw=event[:-1] + b'x"')
    assert a.status == 413 and a.headers["x-amzn-ErrorType"].startswith("Request")
    assert a.json["message" if "message" in a.json else "Message"] == "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    assert d.rows()[-1]["status"] == "rejected" and d.rows()[-1]["request_bytes"] == 6291457
    assert d.invoke("hello", {"do": "big", "n": 6291554}).error is None
    a = d.invoke("hello", {"do": "big", "n": 6291555})
    assert a.status == 200 and a.error == "Unhandled"
    assert a.json == {"errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                      "errorType": "Function.ResponseSizeTooLarge"}
    assert d.invoke("hello", {"a": 1}).error is None


def test_log_tail(serve, target):
    d = serve(target, args=["--memory", "1024"])
    a = d.invoke("hello", {"do": "print", "text": "y" * 5000 + "END-MARK"}, headers={"X-Amz-Log-Type": "Tail"})
    tail = base64.b64decode(a.headers["X-Amz-Log-Result"])
    assert len(tail) == 4096 and b"END-MARK\nEND RequestId: " in tail and tail.endswith(b"\t\n")
    assert "X-Amz-Log-Result" not in d.invoke("hello").headers


def test_not_json_and_not_found(serve, target):
    d = serve(target)
    a = d.invoke("hello", raw=b"{nope")
    assert a.status == 400 and a.headers["x-amzn-ErrorType"] == "InvalidRequestContentException"
    assert a.json["message"].startswith("Could not parse request body into json: Could not parse payload into json: Unexpected character ('n' (code 110))")
    a = d.invoke("other")
    assert a.status == 404 and a.json == {"Message": "Function not found: arn:aws:lambda:us-east-1:123456789012:function:other:$LATEST", "Type": "User"}
    assert d.invoke("hello", raw=b"").json["event"] == {}


def test_concurrency(serve, target, gate):
    d = serve(target, args=["--memory", "1769", "--concurrency", "2", "--timeout", "120"])
    calls = [subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", json.dumps({"do": "gate", "gate": gate.port}),
                               f"{d.endpoint}/2015-03-31/functions/hello/invocations"], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    gate.wait(2)
    a = d.invoke("hello")
    gate.open()
    assert a.status == 429 and a.json == {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded."}
    assert [c.communicate(timeout=120)[0] for c in calls] == ["200", "200"]
    assert d.rows("SELECT status, cold FROM invocations WHERE status = 'throttled'") == [{"status": "throttled", "cold": None}]


def test_fifty_at_once(serve, target, gate):
    d = serve(target, args=["--memory", "512", "--timeout", "300"])
    calls = [subprocess.Popen(["curl", "-s", "-d", json.dumps({"do": "gate", "gate": gate.port}), f"{d.endpoint}/2015-03-31/functions/hello/invocations"],
                              stdout=subprocess.PIPE, text=True) for _ in range(50)]
    gate.wait(50, 300)
    gate.open()
    answers = [json.loads(c.communicate(timeout=120)[0]) for c in calls]
    assert len({a["id"] for a in answers}) == 50
    rows = d.rows()
    assert len(rows) == 50 and {r["status"] for r in rows} == {"ok"} and {r["cold"] for r in rows} == {1}
    assert len(d.environments()) == 50


AFTERWARDS = '''#!/usr/bin/python3
import json, os, socket, urllib.request
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
while True:
    with urllib.request.urlopen(f"http://{api}/2018-06-01/runtime/invocation/next") as r:
        rid, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.load(r)
    with urllib.request.urlopen(f"http://{api}/2018-06-01/runtime/invocation/{rid}/response", b"{}") as r:
        r.read()
    if event.get("gate"): socket.create_connection(("127.0.0.1", event["gate"])).recv(1)
'''


def sockets(d):
    """Its TCP connections, as the kernel lists them: address, peer, state, queues to send and to read."""
    return pathlib.Path(f"/proc/{d.process.pid}/net/tcp").read_text()


def test_a_machine_that_stands_still(serve, function, gate):
    """A call waits a second for a runtime that has answered and not asked for its next event. A daemon that is stopped for longer, with that
    question already at its door, hears it when it goes on: no new environment is started."""
    d = serve(function("f", {"bootstrap": AFTERWARDS}), args=["--runtime", "provided.al2023", "--memory", "1769", "--timeout", "60"])
    assert d.invoke("f", {"gate": gate.port}).status == 200
    gate.wait()
    port, = set(listening(d.process.pid)) - {d.port}
    box = []
    second = threading.Thread(target=lambda: box.append(d.invoke("f")))
    second.start()
    wait_for(lambda: re.search(rf":{d.port:04X} \S+ 01 ", sockets(d)), "the second call has connected")
    wait_for(lambda: not re.search(rf":{d.port:04X} \S+ 01 \S+:0*[1-9A-F]", sockets(d)), "it has been read")
    d.environments()
    os.kill(d.process.pid, signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        gate.open()
        wait_for(lambda: re.search(rf":{port:04X} \S+ 01 \S+:0*[1-9A-F]", sockets(d)), "the runtime has asked")
        wait_for(lambda: time.monotonic() - stopped > 1.3, "the second is over")
    finally:
        os.kill(d.process.pid, signal.SIGCONT)
    second.join()
    assert box[0].status == 200 and [r["cold"] for r in d.rows()] == [1, 0]


BUSY_AFTERWARDS = AFTERWARDS.replace("import json,", "import time, json,") + """    enough = time.process_time() + event.get("busy", 0)
    while time.process_time() < enough: pass
"""


def quota_of(pid):
    """Where the CPU of the one environment of a daemon is limited: file, what leaves it a thousandth of a CPU, and what undoes that."""
    for base, name, little in ("cpu", "cpu.cfs_quota_us", "1000"), ("cpu,cpuacct", "cpu.cfs_quota_us", "1000"), ("", "cpu.max", "1000 1000000"):
        for file in (pathlib.Path("/sys/fs/cgroup") / base).glob(f"lambdafit-{pid}-*/*/{name}"):
            procs = file.with_name("cgroup.procs").read_text().split()
            if any("bootstrap" in pathlib.Path(f"/proc/{p}/cmdline").read_text() for p in procs) and os.access(file, os.W_OK):
                return file, little, file.read_text()
    return None


def test_a_runtime_that_gets_no_cpu_is_waited_for(serve, function, gate):
    """It has answered and wants to go on, and others have the CPU: a call waits for it longer than a second. For one that has its share and works on
    it does not."""
    d = serve(function("f", {"bootstrap": BUSY_AFTERWARDS}), args=["--runtime", "provided.al2023", "--memory", "1769", "--timeout", "60"])
    assert d.invoke("f", {"gate": gate.port, "busy": 0.02}).status == 200
    gate.wait()
    found = quota_of(d.process.pid)
    if not found:
        pytest.skip("there is no control group of CPU here that a test may change")
    file, little, as_it_was = found
    period = file.with_name("cpu.cfs_period_us")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        if period.exists():
            period.write_text("1000000")
        file.write_text(little)
        gate.open()
        begun = time.monotonic()
        second = pool.submit(d.invoke, "f", {"busy": 60})
        wait_for(lambda: time.monotonic() - begun > 3, "a second has long passed")  # time is the subject
        assert not second.done() and len(d.environments()) == 1, (d.rows(), d.environments())
        if period.exists():
            period.write_text("100000")
        file.write_text(as_it_was)
        assert second.result().status == 200 and [r["cold"] for r in d.rows()] == [1, 0], d.rows()
        assert d.invoke("f").status == 200 and len(d.environments()) == 2


def test_an_answer_in_time_that_is_found_late(serve, function, gate):
    """A daemon that is stopped until a timeout is over, with the answer already at its door: the function was not late. One that has not answered was."""
    code = "import socket\nimport time\ndef lambda_handler(event, context):\n    print('printed')\n    socket.create_connection(('127.0.0.1', event['gate'])).recv(1)\n    time.sleep(event['then'])\n    return 7\n"
    d = serve(function("f", {"lambda_function.py": code}), args=["--memory", "1769", "--timeout", "5"])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        warm = [pool.submit(d.invoke, "f", {"gate": gate.port, "then": 0}) for _ in range(2)]
        gate.wait(2)
        gate.open()
        assert [c.result().status for c in warm] == [200, 200]
        calls = [pool.submit(d.invoke, "f", {"gate": gate.port, "then": then}) for then in (0, 60)]
        gate.wait(2)
        begun = time.monotonic()
        ports = set(listening(d.process.pid)) - {d.port}
        os.kill(d.process.pid, signal.SIGSTOP)
        try:
            gate.open()
            wait_for(lambda: any(re.search(rf":{p:04X} \S+ 01 \S+:0*[1-9A-F]", sockets(d)) for p in ports), "one has answered")
            wait_for(lambda: time.monotonic() - begun > 5.5, "the time of both is over")
        finally:
            os.kill(d.process.pid, signal.SIGCONT)
        first, second = (c.result() for c in calls)
    assert first.status == 200 and first.json == 7 and second.json["errorType"] == "Sandbox.Timedout", (first.json, second.json)
    rows = {r["status"]: r for r in d.rows()[2:]}
    assert set(rows) == {"ok", "timeout"} and 0 < rows["ok"]["duration_us"] <= 5000000 and "printed" in rows["ok"]["log_tail"], rows


def test_keepalive_for_real(serve, target):
    d = serve(target, args=["--memory", "1024", "--keepalive", "0.5"])
    d.invoke("hello")
    wait_for(lambda: d.environments() == [], "the idle environment is reaped")
    sql = "SELECT end_reason, ended_us - received_us - wait_us - init_us - duration_us AS idle_us FROM environments AS e JOIN invocations AS i ON i.environment = e.id"
    assert [(r["end_reason"], r["idle_us"] >= 450000) for r in d.rows(sql)] == [("keepalive", True)]
    assert d.invoke("hello").json["count"] == 1


def test_network_none(serve, function):
    code = '''
import socket
def lambda_handler(event, context):
    s = socket.socket(); s.settimeout(1)
    try: s.connect(("127.0.0.1", event["port"])); return "connected"
    except OSError as e: return type(e).__name__
'''
    d = serve(function("net", {"lambda_function.py": code}), args=["--memory", "1024", "--network", "none"])
    assert d.invoke("net", {"port": 9001}).json == "connected"
    assert d.invoke("net", {"port": d.port}).json == "ConnectionRefusedError"


def test_init_error_and_missing_handler(serve, function):
    broken = function("broken", {"lambda_function.py": "import nothing_of_this_name\ndef lambda_handler(e, c): pass\n"})
    missing = function("missing", {"lambda_function.py": "x = 1\n"})
    d = serve(broken, missing, args=["--memory", "1769"])
    a = d.invoke("broken")
    assert a.status == 200 and a.error == "Unhandled" and a.json["errorType"] == "Runtime.ImportModuleError"
    assert d.rows()[-1]["status"] == "init_error"
    assert d.invoke("missing").json["errorType"] == "Runtime.HandlerNotFound"
    wait_for(lambda: re.search(r"^INIT_REPORT Init Duration: .*\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n", d.err, re.M), "the line about its init")


def test_second_daemon_says_so(serve, run, target):
    d = serve(target)
    r = run("serve", target, "--port", d.port, "--db", "other.db")
    assert r.returncode == 4 and str(d.port) in r.stderr and "use" in r.stderr
    r = run("serve", target, "--port", 0, "--db", d.db)
    assert r.returncode == 4 and str(d.process.pid) in r.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly(serve, target, how):
    d = serve(target, args=["--memory", "1024"])
    d.invoke("hello")
    assert d.stop(how) == 0
    assert d.rows("SELECT end_reason FROM environments") == [{"end_reason": "shutdown"}]
    assert d.rows("SELECT count(*) AS n FROM runs WHERE ended_us IS NULL") == [{"n": 0}]


def test_client_commands(serve, run, target):
    d = serve(target, args=["--memory", "1024"])
    e = {"LAMBDAFIT_ENDPOINT": d.endpoint}
    r = run("invoke", "hello", "-e", '{"do": "print", "text": "heard"}', "--tail", env=e)
    assert r.returncode == 0 and json.loads(r.stdout)["count"] == 1 and "heard" in r.stderr
    assert run("invoke", "hello", "-e", '{"do": "raise"}', env=e).returncode == 1
    wait_for(lambda: [x["state"] for x in d.environments()] == ["idle"], "it has asked for its next event")
    ps = json.loads(run("ps", "--json", env=e).stdout)
    assert len(ps) == 1 and ps[0]["function"] == "hello" and ps[0]["served"] == 2 and ps[0]["state"] == "idle"
    assert ps[0]["memory_bytes"] > 0 and ps[0]["tmp_bytes"] == 0 and 0 < ps[0]["keepalive_left_ms"] <= 300000
    lines = run("log", "--db", d.db, "--json").stdout.splitlines()
    assert [json.loads(x)["status"] for x in lines] == ["ok", "function_error"]
    assert len(run("log", "--db", d.db, "--errors").stdout.splitlines()) == 1
    good, bad = map(json.loads, lines)
    measured = json.loads(run("run", target, "--json", "--quiet").stdout)["invocations"][0]
    assert set(measured) <= set(good), set(measured) - set(good)  # the same keys
    assert good["response"] is None and good["error"] is None
    assert bad["error"] == {"errorType": bad["error_type"], "errorMessage": bad["error_message"]} and bad["error_type"]
    rid = good["request_id"]
    assert "heard" in run("log", "--db", d.db, "--explain", rid).stdout


def test_async(serve, run, target):
    d = serve(target, args=["--memory", "1024"])
    a = d.invoke("hello", {"x": 1}, headers={"X-Amz-Invocation-Type": "Event"})
    assert a.status == 202 and a.body == b""
    rid = a.headers["x-amzn-RequestId"]
    wait_for(lambda: d.rows("SELECT * FROM invocations WHERE request_id = ?", rid), "the event was handled")
    assert d.row(rid)["status"] == "ok"
    wait_for(lambda: d.rows("SELECT * FROM events") == [], "the event is done")
    a = d.invoke("hello", headers={"X-Amz-Invocation-Type": "DryRun"})
    assert a.status == 204


def test_kill_9_loses_nothing(serve, target):
    """Every answered request id is in the file, and the next daemon starts on what the dead one left."""
    for _ in range(3):
        d = serve(target, args=["--memory", "1769"])
        before = len(d.rows())
        load = subprocess.Popen(["bash", "-c", f"while curl -sf -D - -o /dev/null -d '{{}}' {d.endpoint}/2015-03-31/functions/hello/invocations; do :; done"],
                                stdout=subprocess.PIPE, text=True)
        wait_for(lambda: len(d.rows()) > before + 20, "invocations are under way")
        d.process.kill()
        d.process.wait()
        out = load.communicate(timeout=120)[0]
        answered = re.findall(r"x-amzn-RequestId: (\S+)", out, re.I)
        assert len(answered) >= 20
        known = {r["request_id"] for r in d.rows("SELECT request_id FROM invocations")}
        assert set(answered) <= known
