# SPDX-License-Identifier: Apache-2.0
"""The runtime clients that we ship, against a small Runtime API. No daemon and no sandbox is needed."""
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_runtime_api import LEFT_MS, Client, FakeRuntimeApi  # noqa: E402

TOP = os.path.abspath(os.environ.get("TOP_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PYTHON_BOOTSTRAP = os.path.join(TOP, "src", "runtimes", "python", "bootstrap.py")
NODE_BOOTSTRAP = os.path.join(TOP, "src", "runtimes", "nodejs", "bootstrap.mjs")
NODE = shutil.which("node")
ID1 = "11111111-1111-4111-8111-111111111111"
ID2 = "22222222-2222-4222-8222-222222222222"

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


class Bench:
    """Makes functions in a folder of the test's own and starts clients for them."""

    def __init__(self, root):
        self.task = root / "task"
        self.task.mkdir()
        self.apis = []
        self.clients = []

    def write(self, name, text):
        path = self.task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def api(self, **options):
        api = FakeRuntimeApi(**options)
        self.apis.append(api)
        return api

    def env(self, api, execution_env, **more):
        env = {
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(self.task),
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_EXECUTION_ENV": execution_env,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/25/[$LATEST]0",
            "TZ": ":UTC",
            "LANG": "C.UTF-8",
        }
        env.update(more)
        return env

    def start(self, api, argv, env):
        client = Client(api, argv, env, str(self.task))
        self.clients.append(client)
        return client

    def python(self, api, handler="app.handler", flags=("-S", "-s"), execution_env="AWS_Lambda_python3.12", **more):
        return self.start(api, [sys.executable, *flags, PYTHON_BOOTSTRAP, handler], self.env(api, execution_env, **more))

    def node(self, api, handler="index.handler", execution_env="AWS_Lambda_nodejs20.x", **more):
        return self.start(api, [NODE, NODE_BOOTSTRAP, handler], self.env(api, execution_env, _HANDLER=handler, **more))

    def close(self):
        for client in self.clients:
            client.close()
        for api in self.apis:
            api.close()


@pytest.fixture
def bench(tmp_path):
    b = Bench(tmp_path)
    yield b
    b.close()


def python_once(bench, code, event=None, handler="app.handler", headers=None, **more):
    """One invocation of a Python handler: what it posted and what it printed."""
    bench.write("app.py", code)
    api = bench.api()
    api.add({} if event is None else event, **(headers or {}))
    client = bench.python(api, handler, **more)
    post = client.post()
    return post, client.stop()


def node_once(bench, code, event=None, handler="index.handler", headers=None, name="index.js", **more):
    bench.write(name, code)
    api = bench.api()
    api.add({} if event is None else event, **(headers or {}))
    client = bench.node(api, handler, **more)
    post = client.post()
    return post, client.stop()


def init_failure(client, status):
    post = client.post()
    assert client.wait() == status
    assert post.path == "init/error"
    body = json.loads(post.body)
    assert post.headers["lambda-runtime-function-error-type"] == body["errorType"]
    return body, client.output["stdout"].decode()


# ---- Python ---------------------------------------------------------------------------------------------------------------------------


def test_python_answers_on_one_connection(bench):
    bench.write("app.py", "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return {'n': n, 'event': event}\n")
    api = bench.api()
    for i in range(50):
        api.add({"i": i}, request_id=ID1 if i % 2 else ID2)
    client = bench.python(api)
    for i in range(50):
        post = client.post()
        assert post.path == "invocation/%s/response" % (ID1 if i % 2 else ID2)
        assert post.headers["content-type"] == "application/json"
        assert json.loads(post.body) == {"n": i + 1, "event": {"i": i}}
    client.stop()
    assert api.connections == 1


def test_python_context(bench):
    post, _ = python_once(bench, """
        import os
        def handler(event, c):
            left = c.get_remaining_time_in_millis()
            c.log("logged\\n")
            return [c.aws_request_id, c.function_name, c.function_version, c.memory_limit_in_mb, c.invoked_function_arn, c.log_group_name,
                    c.log_stream_name, c.identity.cognito_identity_id, c.identity.cognito_identity_pool_id, c.client_context.custom,
                    c.client_context.env, c.client_context.client.app_title, c.tenant_id, LEFT / 2 < left <= LEFT, os.environ["_X_AMZN_TRACE_ID"],
                    repr(c).startswith("LambdaContext([aws_request_id=")]
        """.replace("LEFT", str(LEFT_MS)), headers={
            "Lambda_Runtime_Client_Context": '{"custom":{"a":"é"},"env":{"b":1},"client":{"app_title":"t"}}',
            "Lambda_Runtime_Cognito_Identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
            "Lambda_Runtime_Aws_Tenant_Id": "tenant"})
    assert json.loads(post.body) == [
        ID1, "f", "$LATEST", "128", "arn:aws:lambda:us-east-1:123456789012:function:f", "/aws/lambda/f", "2026/11/25/[$LATEST]0", "i", "p",
        {"a": "é"}, {"b": 1}, "t", "tenant", True, "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1", True]


def test_python_context_without_extras(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return [c.client_context, c.identity.cognito_identity_id, c.tenant_id]\n")
    assert json.loads(post.body) == [None, None, None]


def test_python_error(bench):
    post, out = python_once(bench, """
        class Broken(Exception):
            pass
        def inner():
            raise Broken("no\\nluck")
        def handler(event, context):
            inner()
        """)
    assert post.path == "invocation/%s/error" % ID1
    body = json.loads(post.body)
    app = str(bench.task / "app.py")
    assert body == {"errorMessage": "no\nluck", "errorType": "Broken", "requestId": ID1, "stackTrace": [
        '  File "%s", line 7, in handler\n    inner()\n' % app, '  File "%s", line 5, in inner\n    raise Broken("no\\nluck")\n' % app]}
    assert list(body) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    cause = json.loads(post.headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == "Broken" and cause["paths"] == [app]
    assert out.startswith("[ERROR] Broken: no\nluck\rTraceback (most recent call last):\r\u00a0\u00a0File ")


def test_python_lives_on_after_an_error(bench):
    bench.write("app.py", "def handler(e, c):\n    return 1 / e\n")
    api = bench.api()
    api.add(0)
    api.add(2, request_id=ID2)
    client = bench.python(api)
    assert json.loads(client.post().body)["errorType"] == "ZeroDivisionError"
    post = client.post()
    assert (post.path, post.body) == ("invocation/%s/response" % ID2, b"0.5")
    client.stop()


@pytest.mark.parametrize("code, handler, kind, message", [
    ("import nowhere", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'nowhere'"),
    ("", "absent.handler", "Runtime.ImportModuleError", "Unable to import module 'absent': No module named 'absent'"),
    ("x = 1", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
    ("x = 1", "app", "Runtime.MalformedHandlerName", "Bad handler 'app': not enough values to unpack (expected 2, got 1)"),
    ("x = 1", "sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
    ("raise ValueError('early')", "app.handler", "ValueError", "early"),
])
def test_python_init_errors(bench, code, handler, kind, message):
    bench.write("app.py", code)
    body, out = init_failure(bench.python(bench.api(), handler), 1)
    assert (body["errorType"], body["errorMessage"], body["requestId"]) == (kind, message, "")
    assert "[ERROR] %s: %s\rTraceback" % (kind, message) in out
    assert bool(body["stackTrace"]) == (kind == "ValueError")


def test_python_syntax_error(bench):
    bench.write("app.py", "def handler(:\n    pass\n")
    body, _ = init_failure(bench.python(bench.api()), 1)
    assert body["errorType"] == "Runtime.UserCodeSyntaxError"
    assert body["errorMessage"].startswith("Syntax error in module 'app': invalid syntax")
    assert body["stackTrace"] == ['  File "%s" Line 1\n    def handler(:\n' % (bench.task / "app.py")]


def test_python_exit_is_not_an_error_report(bench):
    bench.write("app.py", "import sys\ndef handler(e, c):\n    sys.exit(3)\n")
    api = bench.api()
    api.add({})
    client = bench.python(api)
    assert client.wait() == 3
    assert api.posts.empty()


@pytest.mark.parametrize("value, sent", [
    ("float('nan')", b"NaN"), ("None", b"null"), ("'\\u00e9'", "\"é\"".encode()), ("b'\\x00raw'", b"\x00raw"), ("(1, [2])", b"[1, [2]]"),
    ("[P(1, (2, P([], {})))]", b'[{"a": 1, "b": [2, {"a": [], "b": {}}]}]'),
    ("[Decimal('1.10'), Decimal('NaN'), {'a': Decimal('12345678901234567890.5')}]", b'[1.10, NaN, {"a": 12345678901234567890.5}]'),
])
def test_python_answers_of_every_kind(bench, value, sent):
    head = "from collections import namedtuple\nfrom decimal import Decimal\nP = namedtuple('P', 'a b')\n"
    post, _ = python_once(bench, head + "def handler(e, c):\n    return %s\n" % value)
    assert post.body == sent
    assert post.headers["content-type"] == ("application/unknown" if value.startswith("b") else "application/json")


def test_python_escapes_before_312(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return '\\u00e9'\n", execution_env="AWS_Lambda_python3.11")
    assert post.body == b'"\\u00e9"'


def test_python_marshal_errors(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return {1, 2}\n")
    assert json.loads(post.body)["errorType"] == "Runtime.MarshalError"
    assert json.loads(post.body)["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"
    post, _ = python_once(bench, "def handler(e, c):\n    a = []\n    a.append(a)\n    return a\n")
    assert json.loads(post.body)["errorMessage"] == "Unable to marshal response: Circular reference detected"


def test_python_events_that_are_not_json(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return e\n", event=b'{"a":')
    assert json.loads(post.body)["errorType"] == "Runtime.UnmarshalError"


def test_python_raw_events(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return e\n", event=b"\x00\xff", headers={"Content_Type": "text/plain"})
    assert post.body == b"\x00\xff"


def test_python_bad_client_context(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return 1\n", headers={"Lambda_Runtime_Client_Context": "{"})
    assert json.loads(post.body)["errorType"] == "Runtime.LambdaContextUnmarshalError"


@pytest.mark.parametrize("chunked", [False, True])
def test_python_big_payloads(bench, chunked):
    bench.write("app.py", "def handler(e, c):\n    return e\n")
    api = bench.api(chunked=chunked)
    big = "x" * (6 * 1024 * 1024 - 100)
    for size in (1, 699, 65500, 65536, 70000, len(big)):
        api.add(big[:size])
    client = bench.python(api)
    for size in (1, 699, 65500, 65536, 70000, len(big)):
        assert len(client.post().body) == size + 2
    client.stop()


def test_python_logging(bench):
    _, out = python_once(bench, """
        import logging
        print("loading")
        log = logging.getLogger()
        log.setLevel("INFO")
        def handler(event, context):
            log.info("hello %s", "you")
            logging.getLogger("x").warning("careful")
            log.debug("hidden")
            print("plain")
        """)
    lines = out.splitlines()
    assert lines[0] == "loading"
    assert re.fullmatch(r"\[INFO\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\thello you" % ID1, lines[1])
    assert re.fullmatch(r"\[WARNING\]\t\S+Z\t%s\tcareful" % ID1, lines[2])
    assert lines[3:] == ["plain"]


def test_python_json_logging(bench):
    _, out = python_once(bench, """
        import logging
        log = logging.getLogger("mine")
        def handler(event, context):
            log.info("hello", extra={"k": [1]})
            log.info({"a": 1})
            log.debug("hidden")
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("caught")
            raise ValueError("out")
        """, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    hello, dictionary, caught, error = [json.loads(line) for line in out.splitlines()]
    assert {k: hello[k] for k in ("level", "message", "logger", "requestId", "k")} == {
        "level": "INFO", "message": "hello", "logger": "mine", "requestId": ID1, "k": [1]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", hello["timestamp"])
    assert dictionary["message"] == {"a": 1}
    assert caught["errorType"] == "ZeroDivisionError" and caught["stackTrace"]
    assert error["errorType"] == "ValueError" and error["level"] == "ERROR" and error["requestId"] == ID1


def test_python_paths(bench):
    post, _ = python_once(bench, "import sys\ndef handler(e, c):\n    return sys.path\n")
    paths = json.loads(post.body)
    assert paths[:3] == [str(bench.task), "/opt/python/lib/python3.12/site-packages", "/opt/python"]
    assert not any(p.endswith(("site-packages", "dist-packages")) for p in paths[3:])


@pytest.mark.parametrize("flags", [("-S", "-s"), ("-s",)])
def test_python_hides_the_hosts_packages(bench, flags):
    """pytest is installed for this interpreter and boto3 may be: the first must not be found, the second is Lambda's own."""
    post, _ = python_once(bench, """
        import importlib.util
        def handler(e, c):
            exit, quit, help
            return [importlib.util.find_spec(name) is not None for name in ("pytest", "boto3")]
        """, flags=flags)
    has_boto3 = subprocess.run([sys.executable, "-s", "-c", "import boto3"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    assert json.loads(post.body) == [False, has_boto3]


def test_python_own_modules_and_pth(bench):
    bench.write("vendored/thing.py", "VALUE = 7\n")
    bench.write("extra.pth", "vendored\n")
    bench.write("pkg/sub/app.py", "import thing\ndef handler(e, c):\n    return thing.VALUE\n")
    api = bench.api()
    api.add({})
    client = bench.python(api, "pkg/sub/app.handler")
    assert client.post().body == b"7"
    client.stop()


def test_python_reopens_a_closed_connection(bench):
    bench.write("app.py", "def handler(e, c):\n    return e\n")
    api = bench.api(close_after=2)
    for i in range(5):
        api.add(i)
    client = bench.python(api)
    assert [client.post().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    client.stop()


def test_python_stops_when_an_answer_is_refused(bench):
    bench.write("app.py", "def handler(e, c):\n    return e\n")
    api = bench.api(post_status=413)
    api.add(1)
    client = bench.python(api)
    client.post()
    assert client.wait() == 1


def test_python_echoes_the_attempt(bench):
    post, _ = python_once(bench, "def handler(e, c):\n    return 1\n", headers={"Lambda_Runtime_Invocation_Id": "attempt-7"})
    assert post.headers["lambda-runtime-invocation-id"] == "attempt-7"


def test_python_starts_the_real_client(bench):
    """A stand-in for the package: it must be started with Lambda's import paths and the handler's name."""
    bench.write("awslambdaric/__init__.py", "")
    bench.write("awslambdaric/bootstrap.py", "")
    bench.write("awslambdaric/__main__.py", "import sys\ndef main(args):\n    print('real', args[1], sys.path[1])\n")
    api = bench.api()
    client = bench.start(api, [sys.executable, "-S", "-s", PYTHON_BOOTSTRAP, "--awslambdaric", "app.handler"], bench.env(api, "AWS_Lambda_python3.12"))
    assert client.wait() == 0
    assert client.output["stdout"] == b"real app.handler /opt/python/lib/python3.12/site-packages\n"


# ---- Node.js -----------------------------------------------------------------------------------------------------------------------------


@needs_node
def test_node_answers_on_one_connection(bench):
    bench.write("index.js", "let n = 0;\nexports.handler = async (event) => ({ n: ++n, event });\n")
    api = bench.api()
    for i in range(50):
        api.add({"i": i}, request_id=ID1 if i % 2 else ID2)
    client = bench.node(api)
    for i in range(50):
        post = client.post()
        assert post.path == "invocation/%s/response" % (ID1 if i % 2 else ID2)
        assert post.headers["content-type"] == "application/json"
        assert json.loads(post.body) == {"n": i + 1, "event": {"i": i}}
    client.stop()
    assert api.connections == 1


@needs_node
@pytest.mark.parametrize("name, code", [
    ("index.mjs", "export const handler = async (e) => [e, 'é'];"),
    ("index.cjs", "exports.handler = async (e) => [e, 'é'];"),
    ("index.js", "module.exports.handler = (e, c, done) => done(null, [e, 'é']);"),
    ("index.js", "exports.handler = (e, c, done) => setTimeout(() => done(null, [e, 'é']), 5);"),
    ("index.js", "exports.handler = (e, c) => c.succeed([e, 'é']);"),
    ("index.js", "exports.handler = (e, c) => c.done(null, [e, 'é']);"),
    ("index.mjs", "const v = await Promise.resolve('é');\nexport default { handler: async (e) => [e, v] };"),
])
def test_node_handlers_of_every_kind(bench, name, code):
    post, _ = node_once(bench, code, event={"a": 1}, name=name)
    assert post.body == '[{"a":1},"é"]'.encode()


@needs_node
def test_node_package_of_type_module(bench):
    bench.write("package.json", '{"type": "module"}')
    bench.write("lib/util.js", "export const word = 'ok';\n")
    bench.write("src/app.js", "import { word } from '../lib/util.js';\nexport const nested = { handler: async () => word };\n")
    api = bench.api()
    api.add({})
    client = bench.node(api, "src/app.nested.handler")
    assert client.post().body == b'"ok"'
    client.stop()


@needs_node
def test_node_context(bench):
    post, _ = node_once(bench, """
        exports.handler = async (event, c) => {
          const left = c.getRemainingTimeInMillis();
          return [c.awsRequestId, c.functionName, c.functionVersion, c.memoryLimitInMB, c.invokedFunctionArn, c.logGroupName, c.logStreamName,
                  c.identity, c.clientContext, c.callbackWaitsForEmptyEventLoop, left > LEFT / 2 && left <= LEFT, process.env._X_AMZN_TRACE_ID];
        };
        """.replace("LEFT", str(LEFT_MS)), headers={"Lambda_Runtime_Client_Context": '{"custom":{"a":"é"}}', "Lambda_Runtime_Cognito_Identity": '{"cognitoIdentityId":"i"}'})
    assert json.loads(post.body) == [
        ID1, "f", "$LATEST", "128", "arn:aws:lambda:us-east-1:123456789012:function:f", "/aws/lambda/f", "2026/11/25/[$LATEST]0",
        {"cognitoIdentityId": "i"}, {"custom": {"a": "é"}}, True, True,
        "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"]


@needs_node
@pytest.mark.parametrize("code", [
    "exports.handler = async () => { throw new RangeError('no luck é'); };",
    "exports.handler = () => { throw new RangeError('no luck é'); };",
    "exports.handler = (e, c, done) => done(new RangeError('no luck é'));",
    "exports.handler = (e, c, done) => setTimeout(() => c.fail(new RangeError('no luck é')), 1);",
])
def test_node_error(bench, code):
    post, out = node_once(bench, code)
    assert post.path == "invocation/%s/error" % ID1
    body = json.loads(post.body)
    assert list(body) == ["errorType", "errorMessage", "trace"]
    assert (body["errorType"], body["errorMessage"]) == ("RangeError", "no luck é")
    assert body["trace"][0] == "RangeError: no luck é" and "index.js:1:" in body["trace"][1]
    cause = json.loads(post.headers["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == "RangeError"
    assert re.match(r'\S+Z\t%s\tERROR\tInvoke Error \t\{"errorType":"RangeError","errorMessage":"no luck é"' % ID1, out)


@needs_node
def test_node_errors_that_are_not_errors(bench):
    post, _ = node_once(bench, "exports.handler = (e, c, done) => done('words');")
    assert json.loads(post.body) == {"errorType": "string", "errorMessage": "words", "trace": []}


@needs_node
@pytest.mark.parametrize("code, answer", [
    ("exports.handler = () => 5;", b"null"),  # neither a promise nor a callback
    ("exports.handler = () => new Promise(() => {});", b"null"),  # never settles, and nothing is left to do
    ("exports.handler = async () => undefined;", b"null"),
    ("exports.handler = async () => () => 1;", b"null"),
    ("let late = 0; exports.handler = (e, c, done) => { setTimeout(() => { late = 1; }, 20); done(null, { get late() { return late; } }); };", b'{"late":1}'),
    ("let late = 0; exports.handler = (e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => { late = 1; }, 600000);"
     " done(null, { get late() { return late; } }); };", b'{"late":0}'),
])
def test_node_empty_event_loop(bench, code, answer):
    post, _ = node_once(bench, code)
    assert (post.path, post.body) == ("invocation/%s/response" % ID1, answer)


@needs_node
def test_node_answers_that_are_not_json(bench):
    post, _ = node_once(bench, "exports.handler = async () => { const a = {}; a.a = a; return a; };")
    assert json.loads(post.body)["errorMessage"] == "Unable to stringify response body"
    post, _ = node_once(bench, "exports.handler = async () => 1n;")
    assert post.path.endswith("/error")


@needs_node
@pytest.mark.parametrize("code, handler, kind, message", [
    ("require('nowhere');", "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'nowhere'"),
    ("", "absent.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'absent'"),
    ("exports.x = 1;", "index.handler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
    ("exports.handler = 1;", "index.handler", "Runtime.HandlerNotFound", "index.handler is not a function"),
    ("", "index", "Runtime.MalformedHandlerName", "Bad handler"),
    ("", "../index.handler", "Runtime.MalformedHandlerName", "'../index.handler' is not a valid handler name."),
    ("exports.handler = (;", "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token ';'"),
    ("throw new TypeError('early');", "index.handler", "TypeError", "early"),
])
def test_node_init_errors(bench, code, handler, kind, message):
    bench.write("index.js", code)
    body, out = init_failure(bench.node(bench.api(), handler), 129)
    assert body["errorType"] == kind
    assert body["errorMessage"].startswith(message)
    assert "\tundefined\tERROR\tUncaught Exception \t{" in out


@needs_node
def test_node_24_has_no_callbacks(bench):
    bench.write("index.js", "exports.handler = (e, c, done) => done(null, 1);")
    body, _ = init_failure(bench.node(bench.api(), execution_env="AWS_Lambda_nodejs24.x"), 1)
    assert body["errorType"] == "Runtime.CallbackHandlerDeprecated"


@needs_node
@pytest.mark.parametrize("code, kind, status", [
    ("exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));", "Error", 129),
    ("exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 50)); };",
     "Runtime.UnhandledPromiseRejection", 128),
])
def test_node_uncaught_errors_end_the_process(bench, code, kind, status):
    bench.write("index.js", code)
    api = bench.api()
    api.add({})
    client = bench.node(api)
    post = client.post()
    assert post.path == "invocation/%s/error" % ID1
    assert json.loads(post.body)["errorType"] == kind
    assert client.wait() == status


@needs_node
@pytest.mark.parametrize("chunked", [False, True])
def test_node_big_payloads(bench, chunked):
    bench.write("index.js", "exports.handler = async (e) => e;")
    api = bench.api(chunked=chunked)
    big = "x" * (6 * 1024 * 1024 - 100)
    sizes = (1, 699, 65536, len(big))
    for size in sizes:
        api.add(big[:size])
    client = bench.node(api)
    for size in sizes:
        assert len(client.post().body) == size + 2
    client.stop()


@needs_node
def test_node_console(bench):
    _, out = node_once(bench, """
        console.log("loading");
        exports.handler = async () => { console.warn("a %s", "b", { c: 1 }); console.error("two\\nlines"); console.debug("d"); };
        """)
    lines = out.split("\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\tundefined\tINFO\tloading", lines[0])
    assert re.fullmatch(r"\S+Z\t%s\tWARN\ta b \{ c: 1 \}" % ID1, lines[1])
    assert re.fullmatch(r"\S+Z\t%s\tERROR\ttwo\rlines" % ID1, lines[2])
    assert re.fullmatch(r"\S+Z\t%s\tDEBUG\td" % ID1, lines[3])


@needs_node
def test_node_json_console(bench):
    _, out = node_once(bench, """
        exports.handler = async () => {
          console.log({ a: 1 });
          console.info("x %d", 2);
          console.debug("hidden");
          console.error("bad", new TypeError("t"));
          throw new RangeError("r");
        };
        """, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    one, two, three, four = [json.loads(line) for line in out.splitlines()]
    assert one["message"] == {"a": 1} and one["level"] == "INFO" and one["requestId"] == ID1
    assert two["message"] == "x 2"
    assert (three["errorType"], three["errorMessage"]) == ("TypeError", "t") and three["stackTrace"]
    assert four["level"] == "ERROR" and four["message"]["errorType"] == "RangeError"


@needs_node
def test_node_streams(bench):
    post, _ = node_once(bench, """
        exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
          stream.setContentType("text/plain");
          stream.write("one ");
          await new Promise((r) => setTimeout(r, 5));
          stream.write(Buffer.from("two "));
          stream.end(context.awsRequestId);
        });
        """)
    assert post.chunked and post.body == b"one two " + ID1.encode()
    assert post.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert post.headers["content-type"] == "text/plain"
    assert post.headers["trailer"] == "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
    assert post.trailers == {}


@needs_node
def test_node_streams_big_pipelines(bench):
    post, _ = node_once(bench, """
        const { pipeline } = require("stream/promises");
        const { Readable } = require("stream");
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          await pipeline(Readable.from((function* () { for (let i = 0; i < 300; i++) yield Buffer.alloc(10000, i); })()), stream);
        });
        """)
    assert post.body == b"".join(bytes([i % 256]) * 10000 for i in range(300))


@needs_node
def test_node_stream_errors_are_trailers(bench):
    bench.write("index.js", """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          if (event === 1) { stream.write("part"); throw new RangeError("mid"); }
          if (event === 2) throw new RangeError("before");
          stream.end("fine");
        });
        """)
    api = bench.api()
    for i in (1, 2, 3):
        api.add(i)
    client = bench.node(api)
    import base64
    for body in (b"part", b""):
        post = client.post()
        assert post.body == body
        assert post.trailers["lambda-runtime-function-error-type"] == "RangeError"
        assert json.loads(base64.b64decode(post.trailers["lambda-runtime-function-error-body"]))["errorType"] == "RangeError"
    assert client.post().body == b"fine"
    client.stop()


@needs_node
def test_node_http_stream(bench):
    post, _ = node_once(bench, """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { "x-a": "b" } });
          stream.write("hello");
          stream.end();
        });
        """)
    assert post.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert post.body == b'{"statusCode":201,"headers":{"x-a":"b"}}' + bytes(8) + b"hello"


@needs_node
def test_node_goes_on_when_an_answer_is_refused(bench):
    bench.write("index.js", "exports.handler = async (e) => e;")
    api = bench.api(post_status=413)
    api.add(1)
    api.add(2)
    client = bench.node(api)
    assert [client.post().body, client.post().body] == [b"1", b"2"]
    client.stop()


@needs_node
def test_node_reopens_a_closed_connection(bench):
    bench.write("index.js", "exports.handler = async (e) => e;")
    api = bench.api(close_after=2)
    for i in range(5):
        api.add(i)
    client = bench.node(api)
    assert [client.post().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    client.stop()


@needs_node
def test_node_path_is_honoured(bench):
    bench.write("layer/node_modules/thing/index.js", "module.exports = 42;")
    post, _ = node_once(bench, "exports.handler = async () => require('thing');", NODE_PATH=str(bench.task / "layer" / "node_modules"))
    assert post.body == b"42"


@needs_node
def test_node_echoes_the_attempt(bench):
    post, _ = node_once(bench, "exports.handler = async () => 1;", headers={"Lambda_Runtime_Invocation_Id": "attempt-7"})
    assert post.headers["lambda-runtime-invocation-id"] == "attempt-7"
