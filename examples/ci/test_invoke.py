# SPDX-License-Identifier: Apache-2.0
"""Calls a function as its callers do. With an SDK: boto3.client("lambda", endpoint_url=lambdafit, region_name="us-east-1", ...)."""
import json
import os
import urllib.request

FUNCTION = os.environ.get("LAMBDAFIT_FUNCTION", "function")


def invoke(endpoint, event):
    request = urllib.request.Request(f"{endpoint}/2015-03-31/functions/{FUNCTION}/invocations", json.dumps(event).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read()), answer.headers.get("X-Amz-Function-Error")


def test_cold_and_warm(lambdafit):
    for _ in range(2):
        answer, error = invoke(lambdafit, {})
        assert error is None, answer
