# SPDX-License-Identifier: Apache-2.0
"""Function URLs in both forms of their address: the event, the answer, failures, limits, and the row that each call has."""
import base64
import http.client
import json

import pytest

from conftest import wait_for

HANDLER = '''
import base64, os, time
def handler(event, context):
    path = event["rawPath"]
    if path == "/event": return event
    if path == "/raise": raise ValueError("no good")
    if path == "/exit": os._exit(3)
    if path == "/sleep": time.sleep(60)
    if path == "/big": return "x" * 6291557
    if path == "/id": return {"statusCode": 200, "body": context.aws_request_id}
    if path == "/return":
        import json
        body = event["body"]
        return json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)
    return {"statusCode": 204}
'''

TEMPLATE = '''
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.11, Handler: app.handler, CodeUri: src, MemorySize: 1024, Timeout: 60}
Resources:
  Shop:
    Type: AWS::Serverless::Function
    Properties:
      FunctionUrlConfig:
        AuthType: NONE
        Cors: {AllowOrigins: ["https://shop.example"], AllowMethods: [GET, POST], AllowHeaders: [x-key], MaxAge: 60}
  Closed:
    Type: AWS::Serverless::Function
    Properties: {FunctionUrlConfig: {AuthType: AWS_IAM}}
  Plain:
    Type: AWS::Serverless::Function
  PlainUrl:
    Type: AWS::Lambda::Url
    Properties: {AuthType: NONE, TargetFunctionArn: !GetAtt Plain.Arn}
'''


class Client:
    def __init__(self, daemon, name):
        self.daemon, self.name = daemon, name

    def __call__(self, method="GET", path="/", body=None, headers=(), host=True):
        c = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=120)
        c.putrequest(method, path if host else f"/lambda-url/{self.name}{path}", skip_host=True, skip_accept_encoding=True)
        c.putheader("Host", f"{self.name}.lambda-url.localhost:{self.daemon.port}" if host else f"127.0.0.1:{self.daemon.port}")
        for k, v in headers:
            c.putheader(k, v)
        if body is not None:
            c.putheader("Content-Length", str(len(body)))
        c.endheaders(body)
        r = c.getresponse()
        r.body = r.read()
        c.close()
        return r


@pytest.fixture
def url(serve, function):
    d = serve(function("Hello", {"lambda_function.py": HANDLER.replace("def handler", "def lambda_handler")}), args=["--memory", "1024", "--timeout", "5"])
    return Client(d, "Hello")


@pytest.mark.parametrize("host", [True, False], ids=["host", "path"])
def test_event(url, host):
    r = url("POST", "/event?a=1&a=2&b=x%20y", b'{"n": 1}', [("Content-Type", "application/json"), ("X-One", "1"), ("X-One", "2"), ("Cookie", "a=1; b=2")], host)
    event = json.loads(r.body)
    assert r.status == 200 and r.headers["content-type"] == "application/json"
    assert r.body.startswith(b'{"version":"2.0","routeKey":')  # compact, as the service writes it
    assert event["version"] == "2.0" and event["rawPath"] == "/event" and event["rawQueryString"] == "a=1&a=2&b=x%20y"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y"}
    assert event["cookies"] == ["a=1", "b=2"] and "cookie" not in event["headers"]
    assert event["headers"]["x-one"] == "1,2" and event["headers"]["x-forwarded-port"] == str(url.daemon.port)
    assert event["body"] == '{"n": 1}' and event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["http"]["method"] == "POST" and context["http"]["sourceIp"] == "127.0.0.1"
    assert context["domainName"] == "Hello.lambda-url.localhost" and context["accountId"] == "anonymous"
    assert context["requestId"] == r.headers["x-amzn-RequestId"]
    row = url.daemon.row(context["requestId"])
    assert row["status"] == "ok" and row["function"] == "Hello" and row["response_bytes"] >= len(r.body)


def test_both_addresses_are_one_function(url):
    ids = [url("GET", "/id", host=h).body.decode() for h in (True, False)]
    assert [url.daemon.row(i)["environment"] for i in ids] == [url.daemon.row(ids[0])["environment"]] * 2
    assert Client(url.daemon, "hello")("GET", "/id").status == 200  # a browser writes host names small
    assert url("GET", "", host=False).status == 204


@pytest.mark.parametrize("value,status,body,kind", [
    ({"hello": "world"}, 200, b'{"hello":"world"}', "application/json"),
    ("hello", 200, b"hello", "application/json"),
    (3, 200, b"3", "application/json"),
    (3.1, 200, b"3.1", "application/json"),
    (True, 200, b"true", "application/json"),
    (None, 200, b"null", "application/json"),
    (["hello", 3, True], 200, b'["hello",3,true]', "application/json"),
    ({"statusCode": 201, "body": "made", "headers": {"Content-Type": "text/plain"}}, 201, b"made", "text/plain"),
    ({"statusCode": 200, "body": {"a": 1}}, 200, b'{"a":1}', "application/json"),
    ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, 200, b"\0\xff", "application/json"),
    ({"statusCode": "nope"}, 502, b"Internal Server Error", "application/json"),
    ({"statusCode": 200, "body": "x", "cookies": ["x" * 1100000]}, 502, b"Internal Server Error", "application/json"),
    ({"statusCode": 200, "body": "x", "headers": {f"x-{i}": "x" * 50 for i in range(20000)}}, 502, b"Internal Server Error", "application/json"),
    ({"statusCode": 200, "body": "%", "isBase64Encoded": True}, 502, b"Internal Server Error", "application/json"),
])
def test_response(url, value, status, body, kind):
    r = url("POST", "/return", json.dumps(value).encode())
    assert (r.status, r.body, r.headers["content-type"]) == (status, body, kind)
    if status == 502:
        wait_for(lambda: "its URL answers 502" in url.daemon.err, "the reason is told")


def test_cookies_and_headers(url):
    value = {"statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "headers": {"X-One": "1", "Content-Length": "999"}, "body": "x"}
    r = url("POST", "/return", json.dumps(value).encode())
    assert r.headers.get_all("set-cookie") == ["a=1; Secure", "b=2"]
    assert r.headers["x-one"] == "1" and r.headers["content-length"] == "1" and r.headers["x-amzn-remapped-content-length"] == "999"


def test_binary_body(url):
    r = url("POST", "/event", b"\0\1\xff", [("Content-Type", "application/octet-stream")])
    event = json.loads(r.body)
    assert event["isBase64Encoded"] is True and base64.b64decode(event["body"]) == b"\0\1\xff"


@pytest.mark.parametrize("path,status", [("/raise", "function_error"), ("/exit", "crash"), ("/sleep", "timeout"), ("/big", "function_error")])
def test_failures_are_502(url, path, status):
    r = url("GET", path)
    assert (r.status, r.body) == (502, b"Internal Server Error")
    assert url.daemon.row(r.headers["x-amzn-RequestId"])["status"] == status


def test_limits(url):
    for n in (6291457, 5000000):  # too large as it comes; too large as base64
        r = url("POST", "/id", b"x" * n)
        assert r.status == 413 and json.loads(r.body) == {"Message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation"}
        assert url.daemon.row(r.headers["x-amzn-RequestId"])["status"] == "rejected"
    assert url("POST", "/id", b"x" * 6200000, [("Content-Type", "text/plain")]).status == 200


def test_unknown_and_throttled(url):
    r = Client(url.daemon, "nobody")()
    assert (r.status, r.body, r.headers["x-amzn-ErrorType"]) == (403, b'{"Message":null}', "AccessDeniedException")
    assert url.daemon.request("PUT", "/2017-10-31/functions/Hello/concurrency", b'{"ReservedConcurrentExecutions": 0}').status == 200
    r = url("GET", "/id")
    assert r.status == 429 and json.loads(r.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert url.daemon.row(r.headers["x-amzn-RequestId"])["status"] == "throttled"


def test_template(serve, function, tmp_path):
    function("src", {"app.py": HANDLER})
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    d = serve(args=["-t", tmp_path / "template.yaml"])
    assert f"Shop: http://Shop.lambda-url.localhost:{d.port}/ or http://127.0.0.1:{d.port}/lambda-url/Shop/ (NONE, BUFFERED)" in d.err
    assert f"http://Closed.lambda-url.localhost:{d.port}/" in d.err and "(AWS_IAM, BUFFERED)" in d.err
    assert f"http://Plain.lambda-url.localhost:{d.port}/" in d.err
    closed = Client(d, "Closed")
    r = closed("GET", "/id")
    assert r.status == 403 and json.loads(r.body)["Message"].startswith("Forbidden. For troubleshooting") and r.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    r = closed("GET", "/event", headers=[("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0")])
    assert json.loads(r.body)["requestContext"]["authorizer"]["iam"]["accessKey"] == "AKID"
    shop, before = Client(d, "Shop"), len(d.rows())
    r = shop("OPTIONS", "/id", headers=[("Origin", "https://shop.example"), ("Access-Control-Request-Method", "GET")])
    assert r.status == 200 and r.headers["access-control-allow-methods"] == "GET,POST" and len(d.rows()) == before
    r = shop("GET", "/id", headers=[("Origin", "https://shop.example")])
    assert r.headers["access-control-allow-origin"] == "https://shop.example" and len(d.rows()) == before + 1
    assert shop("GET", "/id", headers=[("Origin", "https://other.example")]).headers["access-control-allow-origin"] is None
