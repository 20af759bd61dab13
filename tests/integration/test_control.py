# SPDX-License-Identifier: Apache-2.0
"""The Invoke and control API on the wire: what real clients do not show."""
import base64
import re

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
