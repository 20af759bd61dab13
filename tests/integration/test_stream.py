# SPDX-License-Identifier: Apache-2.0
"""Streamed responses: InvokeWithResponseStream and function URLs of mode RESPONSE_STREAM, with our Node.js bootstrap and with a runtime that
says exactly what a test wants; errors in the middle, limits, a slow caller, a caller that goes away."""
import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
import zlib

import pytest

from conftest import BUILD, PYTHON, SRC, environment, wait_for

NODE = '''
const big = Buffer.alloc(1 << 20, "x");
exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
  const path = event.rawPath ?? event.do;
  if (path === "/throw") throw new RangeError("at once");
  if (path === "/http") {
    out = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { "x-one": "1", "Content-Type": "text/plain" }, cookies: ["a=1", "b=2"] });
  } else {
    out.setContentType("text/plain");
  }
  out.write("first ");
  if (path === "/wait") await new Promise((r) => setTimeout(r, 60000));
  if (path === "/break") throw new RangeError("in the middle");
  if (path === "/exit") { await new Promise((r) => setTimeout(r, 50)); process.exit(7); }
  if (path === "/big") for (let i = 0; i < event.mb; i++) await new Promise((r) => out.write(big, r));
  if (path === "/print") console.log("printed");
  out.end("second");
});
'''

# A runtime of sockets: each event is a list of [what to send | seconds to wait], in the place of the answer to its own /response.
BOOTSTRAP = '''#!/usr/bin/python3
import json, os, socket, sys, time, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
while True:
    with urllib.request.urlopen(base + "next") as r:
        rid, event = r.headers["Lambda-Runtime-Aws-Request-Id"], json.load(r)
    s = socket.create_connection((host, int(port)))
    s.sendall(f"POST /2018-06-01/runtime/invocation/{rid}/response HTTP/1.1\\r\\nHost: x\\r\\n".encode())
    for part in event["parts"]:
        if isinstance(part, str): s.sendall(part.encode("latin-1"))
        elif part["n"] == "exit": os._exit(9)
        else: s.sendall(b"x" * part["n"])
    if event.get("half"): s.shutdown(socket.SHUT_WR)
    if event.get("cut"): s.close()
    else: print("reply", s.recv(65536).split(b"\\r\\n")[0].decode(), flush=True)
'''


def frames(body):
    """The messages of an event stream, whose checksums must be right."""
    out = []
    while body:
        total, n = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        assert int.from_bytes(body[8:12], "big") == zlib.crc32(body[:8])
        assert int.from_bytes(body[total - 4:total], "big") == zlib.crc32(body[:total - 4])
        raw, headers = body[12:12 + n], {}
        while raw:
            k, v = raw[0], int.from_bytes(raw[raw[0] + 2:raw[0] + 4], "big")
            headers[raw[1:k + 1].decode()] = raw[k + 4:k + 4 + v].decode()
            raw = raw[k + 4 + v:]
        out.append((headers, body[12 + n:total - 4]))
        body = body[total:]
    return out


class Streamed:
    def __init__(self, answer):
        self.answer, all_ = answer, frames(answer.body)
        assert all(h[":event-type"] == "PayloadChunk" and h[":message-type"] == "event" and h[":content-type"] == "application/octet-stream" for h, _ in all_[:-1])
        assert all_[-1][0] == {":event-type": "InvokeComplete", ":message-type": "event", ":content-type": "application/json"}
        self.body, self.complete = b"".join(p for _, p in all_[:-1]), json.loads(all_[-1][1])
        self.id = answer.headers["x-amzn-RequestId"]


def stream(d, name, event, headers=None):
    a = d.request("POST", f"/2021-11-15/functions/{name}/response-streaming-invocations", json.dumps(event).encode(), headers)
    assert a.status == 200 and a.headers["Content-Type"] == "application/vnd.amazon.eventstream" and a.headers["X-Amz-Executed-Version"] == "$LATEST"
    return Streamed(a)


@pytest.fixture
def node(serve, function):
    if not shutil.which("node"):
        pytest.skip("no node")
    return serve(function("f", {"index.cjs": NODE}), args=["--memory", "1792", "--timeout", "6"])


def profile(tmp_path, **fields):
    p = json.loads((SRC / "profiles/aws-lambda-2026-11.json").read_text())
    for k, v in fields.items():
        p["limits"][k]["value"] = v
    (tmp_path / "p.json").write_text(json.dumps(p))
    return str(tmp_path / "p.json")


@pytest.fixture
def raw(serve, function, tmp_path):
    """raw(parts...) streams with a runtime that sends these parts; fields= changes the profile."""
    daemons = {}

    def call(*parts, fields=None, **keys):
        key = json.dumps(fields)
        if key not in daemons:
            daemons[key] = serve(function("f", {"bootstrap": BOOTSTRAP}), args=["--memory", "1792", "--timeout", "6", "--profile", profile(tmp_path, **(fields or {}))])
        call.d = daemons[key]
        return stream(call.d, "f", {"parts": parts, **keys})

    return call


CHUNKED = "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"


def test_pieces_and_the_row(node):
    s = stream(node, "f", {})
    assert s.body == b"first second" and s.complete == {}
    assert s.answer.headers["X-Amzn-Remapped-Content-Type"] == "text/plain"
    row = node.row(s.id)
    assert row["status"] == "ok" and row["response_bytes"] == 12
    s = stream(node, "f", {"do": "/print"}, {"X-Amz-Log-Type": "Tail"})
    tail = base64.b64decode(s.complete["LogResult"]).decode()
    assert "printed" in tail and "REPORT RequestId: " + s.id in tail
    a = node.invoke("f", {})  # the same function, a caller who wants it whole
    assert a.status == 200 and a.body == b"first second"


def test_the_first_piece_does_not_wait(node):
    """The caller has the beginning while the function still works."""
    c = http.client.HTTPConnection("127.0.0.1", node.port, timeout=120)
    start = time.monotonic()
    c.request("POST", "/2021-11-15/functions/f/response-streaming-invocations", b'{"do": "/wait"}')
    r = c.getresponse()
    first = r.read1(1000)
    assert b"first " in first and node.environments()[0]["state"] == "busy"
    rest = r.read()
    assert time.monotonic() - start > 5
    s = frames(first + rest)
    assert json.loads(s[-1][1])["ErrorCode"] == "Unhandled" and "Task timed out after 6.00 seconds" in json.loads(s[-1][1])["ErrorDetails"]
    assert node.row(r.headers["x-amzn-RequestId"])["status"] == "timeout"


@pytest.mark.parametrize("do,body,kind,status", [("/break", b"first ", "RangeError", "function_error"), ("/throw", b"", "RangeError", "function_error"),
                                                 ("/exit", b"first ", "Runtime.ExitError", "crash")])
def test_errors_are_in_the_last_message(node, do, body, kind, status):
    s = stream(node, "f", {"do": do})
    assert s.body == body and s.complete["ErrorCode"] == "Unhandled"
    assert json.loads(s.complete["ErrorDetails"])["errorType"] == kind
    row = node.row(s.id)
    assert row["status"] == status and row["error_type"] == kind and row["response_bytes"] == len(body)
    assert stream(node, "f", {}).complete == {}


def test_other_runtimes_are_streamed_in_one_piece(serve, function):
    d = serve(function("p", {"lambda_function.py": "def lambda_handler(e, c):\n    if e: raise KeyError('k')\n    return 'x' * 200000\n"}), args=["--memory", "1792"])
    s = stream(d, "p", {})
    assert json.loads(s.body) == "x" * 200000 and s.complete == {}
    s = stream(d, "p", {"a": 1})
    assert s.body == b"" and json.loads(s.complete["ErrorDetails"])["errorType"] == "KeyError"


def test_requests_are_refused_before_the_stream(node):
    path = "/2021-11-15/functions/f/response-streaming-invocations"
    a = node.request("POST", "/2021-11-15/functions/no/response-streaming-invocations", b"{}")
    assert a.status == 404 and a.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    a = node.request("POST", path, b"{")
    assert a.status == 400 and a.headers["x-amzn-ErrorType"] == "InvalidRequestContentException"
    a = node.request("POST", path, b"{}", {"X-Amz-Invocation-Type": "Event"})
    assert a.status == 400 and "[RequestResponse, DryRun]" in a.json["message"]
    assert node.request("POST", path, b"{}", {"X-Amz-Invocation-Type": "DryRun"}).status == 204
    a = node.request("POST", path, b'"' + b"x" * 6291455 + b'"')
    assert a.status == 413 and a.json["Message"] == "Request must be smaller than 6291456 bytes for the InvokeWithResponseStream operation"
    assert node.request("PUT", "/2017-10-31/functions/f/concurrency", b'{"ReservedConcurrentExecutions": 0}').status == 200
    a = node.request("POST", path, b"{}")
    assert a.status == 429 and a.json["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_no_streams_in_2020(serve, function):
    d = serve(function("p", {"lambda_function.py": "def lambda_handler(e, c): return 1\n"}), args=["--profile", "aws-lambda-2020-02"])
    a = d.request("POST", "/2021-11-15/functions/p/response-streaming-invocations", b"{}")
    assert a.status == 404 and a.headers["x-amzn-ErrorType"] == "UnknownOperationException"


def test_trailers_and_plain_lengths(raw):
    error = base64.b64encode(b'{"errorType":"My.Error","errorMessage":"m"}').decode()
    s = raw(CHUNKED, "3\r\nabc\r\n", f"0\r\nLambda-Runtime-Function-Error-Type: My.Error\r\nLambda-Runtime-Function-Error-Body: {error}\r\n\r\n")
    assert s.body == b"abc" and s.complete == {"ErrorCode": "Unhandled", "ErrorDetails": '{"errorType":"My.Error","errorMessage":"m"}'}
    s = raw(CHUNKED, "0\r\nLambda-Runtime-Function-Error-Type: My.Error\r\n\r\n")
    assert s.body == b"" and json.loads(s.complete["ErrorDetails"]) == {"errorType": "My.Error"}
    s = raw("Content-Length: 5\r\n\r\n", "hello")
    assert s.body == b"hello" and s.complete == {} and s.answer.headers["X-Amzn-Remapped-Content-Type"] == "application/octet-stream"
    s = raw("Lambda-Runtime-Function-Response-Mode: Streaming\r\nContent-Length: 2\r\n\r\n", "hi")  # no such mode, and it may try again; it does not
    assert "Task timed out" in s.complete["ErrorDetails"]


def test_broken_off(raw):
    s = raw(CHUNKED, "3\r\nabc\r\n", half=True)
    assert s.body == b"abc" and json.loads(s.complete["ErrorDetails"])["errorType"] == "Runtime.TruncatedResponse"
    s = raw(CHUNKED, "3\r\nabc\r\n", cut=True)  # it asks for its next event without an end
    assert s.body == b"abc" and json.loads(s.complete["ErrorDetails"])["errorType"] == "Runtime.TruncatedResponse"
    assert raw.d.row(s.id)["error_type"] == "Runtime.TruncatedResponse"
    s = raw(CHUNKED, "3\r\nabc\r\n", {"n": "exit"})
    assert s.body == b"abc" and json.loads(s.complete["ErrorDetails"])["errorType"] == "Runtime.ExitError"
    assert raw.d.row(s.id)["status"] == "crash"
    assert raw(CHUNKED, "0\r\n\r\n").complete == {}


def test_limit(raw):
    """A stream is cut at its limit; the runtime is told, the row and its violation know."""
    limits = {"stream_max_bytes": 300000, "stream_burst_bytes": 10000000}
    s = raw(CHUNKED, "493e0\r\n", {"n": 300000}, "\r\n0\r\n\r\n", fields=limits)
    assert len(s.body) == 300000 and s.complete == {}
    s = raw(CHUNKED, "493e1\r\n", {"n": 300001}, "\r\n0\r\n\r\n", fields=limits)
    assert len(s.body) <= 300000 and json.loads(s.complete["ErrorDetails"]) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (300000 bytes).", "errorType": "Function.ResponseSizeTooLarge"}
    wait_for(lambda: "reply HTTP/1.1 413" in raw.d.err, "the runtime is told")
    row = raw.d.row(s.id)
    assert row["status"] == "function_error" and row["error_type"] == "Function.ResponseSizeTooLarge"
    found = raw.d.rows("SELECT * FROM violations WHERE request_id = ? AND limit_id = 'response'", s.id)
    assert [v["severity"] for v in found] == ["broken"] and found[0]["allowed"] == 300000
    s = raw("Content-Length: 6291557\r\n\r\n", {"n": 6291557}, fields=limits)  # it is not streamed by its runtime: the limit of buffered ones
    assert json.loads(s.complete["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"


def test_more_than_a_buffered_response_may_have(node):
    s = stream(node, "f", {"do": "/big", "mb": 7})
    assert len(s.body) == (7 << 20) + 12 and s.complete == {}
    assert node.row(s.id)["response_bytes"] == (7 << 20) + 12
    assert node.rows("SELECT * FROM violations WHERE limit_id = 'response'") == []


def test_bandwidth(serve, function, tmp_path):
    """After its first part a stream is as fast as the profile says, however slow the reader and the writer are not."""
    if not shutil.which("node"):
        pytest.skip("no node")
    p = profile(tmp_path, stream_burst_bytes=1 << 20, stream_bytes_per_s=2 << 20)
    d = serve(function("f", {"index.cjs": NODE}), args=["--memory", "1792", "--timeout", "60", "--profile", p])
    stream(d, "f", {})
    start = time.monotonic()
    assert len(stream(d, "f", {"do": "/big", "mb": 5}).body) == (5 << 20) + 12
    assert 1.5 < time.monotonic() - start < 20


def test_a_slow_caller_slows_the_function(node):
    """Nobody keeps what the caller does not take: the daemon's memory stays, and the function waits."""
    s = socket.create_connection(("127.0.0.1", node.port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    event = json.dumps({"do": "/big", "mb": 100}).encode()
    s.sendall(b"POST /2021-11-15/functions/f/response-streaming-invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(event) + event)
    assert s.recv(1000).startswith(b"HTTP/1.1 200")

    def resident():
        status = open(f"/proc/{node.process.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0]) << 10

    wait_for(lambda: node.rows("SELECT status FROM invocations"), "its time is over")
    assert node.rows("SELECT status FROM invocations")[0]["status"] == "timeout"
    assert resident() < 64 << 20
    s.close()
    assert stream(node, "f", {}).body == b"first second"


def test_a_caller_that_goes_away(node):
    """The invocation goes on without it, and the environment serves the next one."""
    s = socket.create_connection(("127.0.0.1", node.port))
    event = json.dumps({"do": "/big", "mb": 5}).encode()
    s.sendall(b"POST /2021-11-15/functions/f/response-streaming-invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(event) + event)
    assert s.recv(10)
    s.close()
    wait_for(lambda: node.rows(), "it ends")
    row = node.rows()[0]
    assert row["status"] == "ok" and row["response_bytes"] == (5 << 20) + 12
    assert node.row(stream(node, "f", {}).id)["cold"] == 0


def test_the_command_line(node, run):
    r = run("invoke", "f", "--stream", "--endpoint", node.endpoint)
    assert (r.returncode, r.stdout, r.stderr) == (0, "first second\n", "")
    r = run("invoke", "f", "--stream", "--tail", "-e", '{"do": "/print"}', "--endpoint", node.endpoint)
    assert r.returncode == 0 and r.stdout == "first second\n" and "printed" in r.stderr and "REPORT RequestId" in r.stderr
    r = run("invoke", "f", "--stream", "-e", '{"do": "/break"}', "--endpoint", node.endpoint)
    assert r.returncode == 1 and r.stdout == "first \n" and "RangeError" in r.stderr
    r = run("invoke", "nobody", "--stream", "--endpoint", node.endpoint)
    assert r.returncode == 2 and "Function not found" in r.stderr
    assert run("invoke", "f", "--stream", "--async", "--endpoint", node.endpoint).returncode == 2
    r = run("invoke", "f", "--stream", "-e", '{"do": "/big", "mb": 5}', "--endpoint", node.endpoint)
    assert r.returncode == 0 and len(r.stdout) == (5 << 20) + 13


# ---- function URLs ----------------------------------------------------------------------------------------------------------------------

TEMPLATE = '''
Transform: AWS::Serverless-2016-10-31
Resources:
  Live:
    Type: AWS::Serverless::Function
    Properties:
      {Runtime: nodejs20.x, Handler: index.handler, CodeUri: src, MemorySize: 1792, Timeout: 6,
       FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM, Cors: {AllowOrigins: ['*']}}}
  Raw:
    Type: AWS::Serverless::Function
    Properties:
      {Runtime: provided.al2023, Handler: x, CodeUri: raw, MemorySize: 1792, Timeout: 6, FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}}
'''


@pytest.fixture
def url(serve, function, tmp_path):
    if not shutil.which("node"):
        pytest.skip("no node")
    function("src", {"index.cjs": NODE})
    function("raw", {"bootstrap": BOOTSTRAP.replace("event = r.headers[", "event = r.headers[").replace("json.load(r)", "json.loads(json.load(r)['body'])")})
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    d = serve(args=["-t", tmp_path / "template.yaml"])
    assert "(NONE, RESPONSE_STREAM)" in d.err

    def call(path, name="Live", body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=120)
        c.request("POST" if body else "GET", f"/lambda-url/{name}{path}", body, headers or {})
        r = c.getresponse()
        try:
            r.body, r.whole = r.read(), True
        except http.client.IncompleteRead as e:
            r.body, r.whole = e.partial, False
        return r

    call.d = d
    return call


def test_url_streams(url):
    r = url("/x", headers={"Origin": "https://a"})
    assert (r.status, r.body, r.whole) == (200, b"first second", True)
    assert r.headers["content-type"] == "text/plain" and r.headers["transfer-encoding"] == "chunked" and r.headers["access-control-allow-origin"] == "*"
    assert url.d.row(r.headers["x-amzn-RequestId"])["response_bytes"] == 12
    r = url("/http")
    assert (r.status, r.body, r.headers["x-one"], r.headers["content-type"]) == (201, b"first second", "1", "text/plain")
    assert r.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_url_stream_errors(url):
    r = url("/throw")
    assert (r.status, r.body) in ((502, b"Internal Server Error"), (200, b""))
    assert url.d.row(r.headers["x-amzn-RequestId"])["status"] == "function_error"
    r = url("/break")
    assert (r.status, r.body, r.whole) == (200, b"first ", False)  # the end is missing, and the caller can see it
    r = url("/exit")
    assert (r.status, r.body, r.whole) == (200, b"first ", False)
    r = url("/wait")
    assert (r.status, r.body, r.whole) == (200, b"first ", False)
    assert url.d.row(r.headers["x-amzn-RequestId"])["status"] == "timeout"


def test_url_preludes(url):
    def send(*parts):
        head = CHUNKED.replace("text/plain", "application/vnd.awslambda.http-integration-response")
        pieces = [head] + [f"{len(p):x}\r\n{p}\r\n" for p in parts] + ["0\r\n\r\n"]
        return url("/", "Raw", json.dumps({"parts": pieces}).encode(), {"Content-Type": "application/json"})

    nuls = "\0" * 8
    r = send('{"statusCode":', '404}' + nuls[:3], nuls[3:] + "bo", "dy")
    assert (r.status, r.body, r.headers["content-type"]) == (404, b"body", "application/octet-stream")
    r = send('{"headers":{"content-type":"text/css"}}' + nuls + "\0\0")
    assert (r.status, r.body, r.headers["content-type"]) == (200, b"\0\0", "text/css")
    r = send('{"statusCode":201}')  # no NULs
    assert (r.status, r.body) == (201, b"")
    for bad in ("[1]", "nonsense", '{"statusCode":"x"}', '{"headers":{"a b":"c"}}'):
        r = send(bad + nuls + "body")
        assert (r.status, r.body) == (502, b"Internal Server Error"), bad
    r = send("x" * 1100000)
    assert r.status == 502
    # Refused, and the caller has gone, long before the function has ended: what it still says goes nowhere.
    head = CHUNKED.replace("text/plain", "application/vnd.awslambda.http-integration-response")
    more = [f"{1 << 20:x}\r\n", {"n": 1 << 20}, "\r\n"]
    r = url("/", "Raw", json.dumps({"parts": [head, "9\r\n[1]" + nuls[:6] + "\r\n2\r\n\0\0\r\n", *more * 8, "0\r\n\r\n"]}).encode(), {"Content-Type": "application/json"})
    assert r.status == 502
    wait_for(lambda: url.d.rows("SELECT status FROM invocations WHERE request_id = ?", r.headers["x-amzn-RequestId"]), "the end of what was refused")
    assert url.d.row(r.headers["x-amzn-RequestId"])["status"] == "ok"
    assert url("/x").body == b"first second"


# ---- real clients -----------------------------------------------------------------------------------------------------------------------

BOTO = '''
import boto3, json, sys
from botocore.config import Config
c = boto3.client("lambda", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b", config=Config(retries={"total_max_attempts": 1}))
def call(event, **more):
    a = c.invoke_with_response_stream(FunctionName="f", Payload=json.dumps(event), **more)
    chunks, end = b"", None
    for e in a["EventStream"]:
        if "PayloadChunk" in e: chunks += e["PayloadChunk"]["Payload"]
        if "InvokeComplete" in e: end = e["InvokeComplete"]
    return [a["StatusCode"], a["ExecutedVersion"], chunks.decode(), sorted(end), end.get("ErrorCode"), json.loads(end.get("ErrorDetails", "{}")).get("errorType")]
print(json.dumps([call({}), call({"do": "/break"}), call({"do": "/print"}, LogType="Tail")]))
'''

SDK_JS = '''
const { LambdaClient, InvokeWithResponseStreamCommand } = require("@aws-sdk/client-lambda");
const c = new LambdaClient({ endpoint: process.argv[2], region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" }, maxAttempts: 1 });
async function call(event, more = {}) {
  const a = await c.send(new InvokeWithResponseStreamCommand({ FunctionName: "f", Payload: JSON.stringify(event), ...more }));
  let text = "", end = {};
  for await (const e of a.EventStream) {
    if (e.PayloadChunk) text += Buffer.from(e.PayloadChunk.Payload).toString();
    if (e.InvokeComplete) end = e.InvokeComplete;
  }
  const keys = Object.keys(end).filter((k) => end[k] !== undefined).sort();
  return [a.StatusCode, a.ExecutedVersion, text, keys, end.ErrorCode ?? null, JSON.parse(end.ErrorDetails ?? "{}").errorType ?? null];
}
(async () => console.log(JSON.stringify([await call({}), await call({ do: "/break" }), await call({ do: "/print" }, { LogType: "Tail" })])))();
'''


@pytest.mark.parametrize("client", ["boto3", "aws_sdk_js"])
def test_real_clients(node, tmp_path, client):
    """They decode the stream themselves, checksums and all."""
    folder = BUILD / "clients" / {"boto3": "aws"}.get(client, client)
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run scripts/test-clients {BUILD / 'clients'}")
    script = tmp_path / ("client.py" if client == "boto3" else "client.js")
    script.write_text(BOTO if client == "boto3" else SDK_JS)
    command = [PYTHON] if client == "boto3" else ["node"]
    r = subprocess.run([*command, script, node.endpoint], capture_output=True, text=True, timeout=300,
                       env=environment({"PYTHONPATH": str(folder), "NODE_PATH": str(folder / "node_modules")}))
    assert r.returncode == 0, r.stderr
    assert json.loads(r.stdout) == [[200, "$LATEST", "first second", [], None, None],
                                    [200, "$LATEST", "first ", ["ErrorCode", "ErrorDetails"], "Unhandled", "RangeError"],
                                    [200, "$LATEST", "first second", ["LogResult"], None, None]]
    assert len(node.rows()) == 3  # none was tried again
