# SPDX-License-Identifier: Apache-2.0
"""The Invoke and control API on the wire: what real clients do not show."""
import base64
import json
import random
import re
import threading

import pytest

from conftest import SRC

ECHO = {"lambda_function.py": "def lambda_handler(event, context):\n    return event\n"}


@pytest.mark.parametrize("context", ["no base64!", base64.b64encode(b"{").decode(), "e30=" * 1000])
def test_refused_client_context_is_a_row(serve, function, context):
    d = serve(function("f", ECHO))
    a = d.invoke("f", {"n": 1}, headers={"X-Amz-Client-Context": context})
    assert (a.status, a.headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")
    row = d.row(a.headers["x-amzn-RequestId"])
    assert (row["status"], row["error_type"], row["request_bytes"]) == ("rejected", "InvalidRequestContentException", 8)
    assert row["error_message"] == a.json["message"]


def test_operations_are_told(serve, function):
    d = serve(function("f", ECHO))
    table = {(o["operation"], o["method"]): o["path"] for o in d.request("GET", "/lambdafit/operations").json}
    assert table["Invoke", "POST"] == "2015-03-31/functions/*/invocations"
    assert d.request("GET", "/2015-03-31/functions/f/invocations").headers["x-amzn-ErrorType"] == "MethodNotAllowedException"
    assert d.request("GET", "/2015-03-31/nothing").headers["x-amzn-ErrorType"] == "UnknownOperationException"
    assert d.request("GET", "/" + "a/" * 20).status == 404


def test_operations_are_documented(serve, function):
    d = serve(function("f", ECHO))
    served = [(o["operation"], f"{o['method']} /{o['path']}" + ("?" + o["query"] if "query" in o else "")) for o in d.request("GET", "/lambdafit/operations").json]
    written = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", (SRC / "docs" / "invoke-api.md").read_text(), re.M)
    assert written == served


def test_functions_of_another_region(serve, function):
    d = serve(function("f", ECHO), args=["--region", "eu-central-1"])
    text = "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')"
    for method, rest in (("POST", "/invocations"), ("GET", ""), ("GET", "/configuration")):
        a = d.request(method, "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af" + rest)
        assert (a.status, a.headers["x-amzn-ErrorType"], a.json["Message"]) == (404, "ResourceNotFoundException", text)
        assert d.request(method, "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Af" + rest).status == 200


NAMES = ["a", "b", "a:1", "a:live", "$LATEST", "x" * 70, "%00", "%ff", "%zz", "..", "a%2Fb", "l", "1", "live", "s", "-1", "9" * 25, "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aa",
         "arn:aws:lambda:us-east-1:123456789012:layer:l:1"]
VALUES = [None, 0, -1, 1e300, True, "x", "", [], {}, ["x"], {"x": 1}, "x" * 5000, 256, ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"], [None], {"Variables": {"AA": 1}},
          {"AdditionalVersionWeights": {"1": 2}}, {"LogFormat": 3}, "1", "$LATEST", "python3.11", [3], {"ZipFile": "UEsFBg=="}]
KEYS = ["FunctionName", "Role", "Runtime", "Handler", "Timeout", "MemorySize", "Environment", "Layers", "EphemeralStorage", "LoggingConfig", "Architectures", "PackageType", "Publish",
        "Tags", "Code", "Content", "ZipFile", "Name", "FunctionVersion", "RoutingConfig", "Description", "RevisionId", "StatementId", "Action", "Principal", "ReservedConcurrentExecutions",
        "MaximumRetryAttempts", "DestinationConfig", "CompatibleRuntimes"]
QUERIES = ["", "", "", "?Qualifier=1", "?Qualifier=%zz", "?MaxItems=x", "?MaxItems=1&Marker=1", "?FunctionVersion=ALL", "?find=LayerVersion&Arn=x", "?tagKeys=a&tagKeys=%"]


def nonsense(d, operations, seed, failures):
    r = random.Random(seed)
    for _ in range(250):
        op = r.choice(operations)
        path = re.sub(r"\*", lambda _: r.choice(NAMES), op["path"])
        body = json.dumps({r.choice(KEYS): r.choice(VALUES) for _ in range(r.randint(0, 6))}).encode()
        if r.random() < 0.1:
            body = bytes(r.randrange(256) for _ in range(40))
        a = d.request(op["method"], "/" + path + r.choice(QUERIES), None if op["method"] == "GET" else body, timeout=60)
        if a.status >= 500:
            failures.append((op["operation"], path, body, a.status, a.body))


def test_nonsense_is_refused_by_every_operation(serve, function):
    d = serve(function("a", ECHO), args=["--network", "none"])
    operations = [o for o in d.request("GET", "/lambdafit/operations").json if o["operation"] not in ("DeleteFunction", "lambdafit: environments")]
    d.request("POST", "/2015-03-31/functions/a/versions", b"{}")
    failures = []
    threads = [threading.Thread(target=nonsense, args=(d, operations, seed, failures)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == [] and d.process.poll() is None
    assert d.request("DELETE", "/2015-03-31/functions/a").status == 204
