# SPDX-License-Identifier: Apache-2.0
"""Runs a Python handler as Lambda's managed runtime does: python -S -s bootstrap.py [--awslambdaric] MODULE.FUNCTION

With --awslambdaric the real client takes over once the import paths are as on Lambda; otherwise the loop below speaks the Runtime API
itself. Only cheap modules are imported before the handler's: their time is part of every cold start.
"""
import _socket  # the socket module alone would cost more than all the rest here
import decimal
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime/"
XRAY_CAUSE_MAX = 1024 * 1024
NBSP = "\u00a0"

# What Lambda's image brings besides the standard library. Other packages of the host stay hidden: a function that finds one here by
# accident would fail on Lambda.
SHIPPED = frozenset(
    "boto3 botocore s3transfer jmespath dateutil six urllib3 awslambdaric runtime_client simplejson snapshot_restore_py".split()
)


class Fault(Exception):
    """An error of the runtime itself, with Lambda's name for it."""

    def __init__(self, error_type, message, trace=None):
        Exception.__init__(self, message)
        self.error_type = error_type
        self.message = message
        self.trace = trace or []


# ---- import paths -----------------------------------------------------------------------------------------------------------------


class ShippedFinder(object):
    """Finds the packages of SHIPPED in the interpreter's own folders, which are not on sys.path."""

    def __init__(self, folders):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is not None or name not in SHIPPED:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, self.folders, target)


def layer_folders():
    version = "%d.%d" % sys.version_info[:2]
    execution_env = os.environ.get("AWS_EXECUTION_ENV", "")
    if execution_env.startswith("AWS_Lambda_python"):
        version = execution_env[len("AWS_Lambda_python"):]  # layers are built for the runtime, which may run on a neighbour version
    return ["/opt/python/lib/python%s/site-packages" % version, "/opt/python"]


def set_paths(task_root):
    import site

    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    own = [p for p in site.getsitepackages() if os.path.isdir(p)]
    sys.path[:] = [p for p in sys.path if p not in own]
    sys.meta_path.append(ShippedFinder(own))
    if sys.flags.no_site:
        site.setquit()
        site.sethelper()
    sys.path[:0] = [task_root] + layer_folders()
    for folder in [task_root] + layer_folders():
        if os.path.isdir(folder):
            site.addsitedir(folder)  # for .pth files


# ---- output -----------------------------------------------------------------------------------------------------------------------


def unbuffered(stream):
    """Lambda freezes a process between invocations: what is left in a buffer would appear under the next one."""
    write = stream.write

    class Unbuffered(object):
        def __getattr__(self, name):
            return getattr(stream, name)

        def __iter__(self):
            return iter(stream)

        def __enter__(self):
            return self

        def __exit__(self, *unused):
            return None

        def write(self, text):
            n = write(text)
            stream.flush()
            return n

        def writelines(self, lines):
            stream.writelines(lines)
            stream.flush()

    return Unbuffered()


class Current(object):
    """What the loggers know about the invocation that runs."""

    request_id = ""
    tenant_id = None


class LogFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = Current.request_id
        record.tenant_id = Current.tenant_id
        return True


class LogHandler(logging.Handler):
    """Writes to whatever sys.stdout is at that moment, as print does."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record))
        except Exception:
            self.handleError(record)


PLAIN_FIELDS = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created msecs "
    "relativeCreated thread threadName processName process taskName aws_request_id tenant_id".split()
)


class JsonFormatter(logging.Formatter):
    def format(self, record):
        message = record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": message,
            "logger": record.name,
        }
        if record.exc_info:
            kind, value, trace = record.exc_info
            line["stackTrace"] = traceback.format_tb(trace)
            line["errorType"] = kind.__name__ if kind else None
            line["errorMessage"] = str(value)
            line["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        line["requestId"] = record.aws_request_id
        if record.tenant_id is not None:
            line["tenantId"] = record.tenant_id
        for key, value in record.__dict__.items():  # what the caller passed as extra
            if key not in PLAIN_FIELDS and key not in line:
                line[key] = value
        return json.dumps({k: v for k, v in line.items() if v is not None}, ensure_ascii=False, default=str) + "\n"


def json_logs():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def set_up_logging():
    logging.Formatter.converter = time.gmtime
    handler = LogHandler()
    if json_logs():
        handler.setFormatter(JsonFormatter())
    else:
        text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(LogFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)


def indented(line):
    body = line.lstrip(" ")
    return NBSP * (len(line) - len(body)) + body


def print_error(error):
    """One log record: its lines are separated by carriage returns."""
    if json_logs():
        record = {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": "ERROR"}
        record.update(error)
        sys.stdout.write(encode(record) + "\n")
        return
    kind, message = error["errorType"], error["errorMessage"]
    head = "[ERROR]" + (" " + kind if kind else "") + (":" if kind and message else "") + (" " + message if message else "")
    lines = [head, "Traceback (most recent call last):"]
    for entry in error["stackTrace"]:
        lines += [indented(line) for line in entry.splitlines()] or [""]
    sys.stdout.write("\r".join(lines) + "\n")


# ---- JSON -------------------------------------------------------------------------------------------------------------------------


def ensure_ascii():
    """Since python3.12 Lambda sends text as it is, before that as \\u escapes."""
    env = os.environ.get("AWS_EXECUTION_ENV", "")
    try:
        return not (env.startswith("AWS_Lambda_python3.") and int(env[len("AWS_Lambda_python3."):]) >= 12)
    except ValueError:
        return True


ATOMS = frozenset([str, int, float, bool, type(None)])


def is_plain(value):
    """Whether nothing in it is a named tuple. Long lists of numbers are decided without a Python loop."""
    kind = type(value)
    if kind in ATOMS:
        return True
    if kind is list or kind is tuple:
        items = value
    elif isinstance(value, dict):
        items = value.values()
    else:
        return not hasattr(value, "_asdict")
    return ATOMS.issuperset(map(type, items)) or all(map(is_plain, items))


def without_named_tuples(value):
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {k: without_named_tuples(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_named_tuples(v) for v in value]
    return value


class Encoder(object):
    """JSON as Lambda writes it: NaN is allowed, decimals keep all their digits, named tuples are objects."""

    def __init__(self):
        self.ascii = ensure_ascii()
        self.mark = os.urandom(12).hex()
        self.decimals = []
        self.encode_json = json.JSONEncoder(ensure_ascii=self.ascii, allow_nan=True, default=self.other).encode

    def other(self, value):
        if isinstance(value, decimal.Decimal):
            if value.is_nan():
                return float("nan")
            # The encoder writes no number but its own, so a marked string stands for this one until the text is complete.
            self.decimals.append(str(value))
            return "%s:%d" % (self.mark, len(self.decimals) - 1)
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    def __call__(self, value):
        try:
            try:
                if not is_plain(value):
                    value = without_named_tuples(value)
            except RecursionError:
                pass  # the encoder says it better: a circular reference
            text = self.encode_json(value)
            if self.decimals:
                pieces = text.split('"' + self.mark + ":")
                out = [pieces[0]]
                for piece in pieces[1:]:
                    index, _, rest = piece.partition('"')
                    out.append(self.decimals[int(index)] + rest)
                text = "".join(out)
            return text
        finally:
            del self.decimals[:]


encode = Encoder()


# ---- the Runtime API --------------------------------------------------------------------------------------------------------------


class Closed(Exception):
    pass


class Connection(object):
    """One keep-alive connection, and just enough of HTTP/1.1 for the API that we know is at its other end."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.host = address
        self.sock = None
        agent = "lambdafit-python/%d.%d.%d" % sys.version_info[:3]
        self.common = " HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n" % (address, agent)
        self.next_request = ("GET " + API + "invocation/next" + self.common + "\r\n").encode("ascii")

    def connect(self):
        self.sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.sock.connect(self.address)

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def receive(self, n):
        data = self.sock.recv(n)
        if not data:
            raise Closed()
        return data

    def read_head(self):
        data = self.receive(65536)
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self.receive(65536)
            end = data.find(b"\r\n\r\n")
        lines = data[:end].split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        return int(lines[0].split(b" ", 2)[1]), headers, data[end + 4:]

    def read_chunked(self, rest):
        body = []
        while True:
            end = rest.find(b"\r\n")
            while end < 0:
                rest += self.receive(65536)
                end = rest.find(b"\r\n")
            size = int(rest[:end].split(b";")[0], 16)
            rest = rest[end + 2:]
            if size == 0:
                break
            while len(rest) < size + 2:
                rest += self.receive(max(65536, size + 2 - len(rest)))
            body.append(rest[:size])
            rest = rest[size + 2:]
        while not rest.startswith(b"\r\n") and b"\r\n\r\n" not in rest:  # trailers
            rest += self.receive(65536)
        return b"".join(body)

    def read_body(self, headers, rest):
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            return self.read_chunked(rest)
        length = int(headers.get(b"content-length", b"0"))
        if len(rest) >= length:
            return rest[:length]
        body = bytearray(length)
        body[:len(rest)] = rest
        view = memoryview(body)
        have = len(rest)
        while have < length:
            n = self.sock.recv_into(view[have:])
            if n == 0:
                raise Closed()
            have += n
        return body

    def exchange(self, request, body=None):
        """Sends and receives. A connection that the other side closed while it was idle is opened again, once."""
        fresh = self.sock is None
        while True:
            try:
                if self.sock is None:
                    self.connect()
                if body is None or len(body) < 65536:
                    self.sock.sendall(request + body if body else request)
                else:
                    self.sock.sendall(request)
                    self.sock.sendall(body)
                status, headers, rest = self.read_head()
            except (Closed, ConnectionError):
                self.close()
                if fresh:
                    raise
                fresh = True
                continue
            body = self.read_body(headers, rest)
            if headers.get(b"connection", b"").lower() == b"close":
                self.close()
            return status, headers, body

    def next(self):
        status, headers, body = self.exchange(self.next_request)
        if status < 200 or status > 299:
            raise RuntimeError("The Runtime API refused the request for the next event: HTTP status %d" % status)
        return headers, body

    def post(self, path, body, headers):
        head = ["POST ", API, path, self.common, "Content-Length: %d\r\n" % len(body)]
        head += ["%s: %s\r\n" % pair for pair in headers]
        head.append("\r\n")
        return self.exchange("".join(head).encode("utf-8", "replace"), body)[0]


# ---- the handler ------------------------------------------------------------------------------------------------------------------


def load_handler(name):
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module_name
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, e))
    except SyntaxError as e:
        where = '  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module_name, e), [where])
    try:
        return getattr(module, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module_name))


class Record(object):
    """Base of the small objects that hang on a context: fields from a dictionary, absent ones None."""

    __slots__ = ()

    def __init__(self, values):
        for field in self.__slots__:
            setattr(self, field, values.get(field))

    def __repr__(self):
        return "%s([%s])" % (type(self).__name__, ",".join("%s=%s" % (f, getattr(self, f)) for f in self.__slots__))


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")


def json_header(headers, name, title):
    value = headers.get(name)
    if not value:
        return None
    try:
        return json.loads(value.decode("utf-8"))
    except Exception as e:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (title, e))


class LambdaContext(object):
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")

    def __init__(self, headers, request_id):
        self.aws_request_id = request_id
        arn = headers.get(b"lambda-runtime-invoked-function-arn")
        self.invoked_function_arn = arn.decode("utf-8") if arn else None
        self.tenant_id = Current.tenant_id
        self.client_context = None
        client = json_header(headers, b"lambda-runtime-client-context", "Client Context")
        if client is not None:
            self.client_context = ClientContext(client)
            if self.client_context.client is not None:
                self.client_context.client = Client(self.client_context.client)
        cognito = json_header(headers, b"lambda-runtime-cognito-identity", "Cognito Identity") or {}
        self.identity = CognitoIdentity({
            "cognito_identity_id": cognito.get("cognitoIdentityId"),
            "cognito_identity_pool_id": cognito.get("cognitoIdentityPoolId"),
        })
        self._epoch_deadline_time_in_ms = int(headers.get(b"lambda-runtime-deadline-ms", b"0"))

    def get_remaining_time_in_millis(self):
        left = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return left if left > 0 else 0

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ("aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb function_version "
                  "invoked_function_arn client_context identity tenant_id").split()
        return "LambdaContext([%s])" % ",".join("%s=%s" % (f, getattr(self, f)) for f in fields)


# ---- errors -----------------------------------------------------------------------------------------------------------------------


def own_frame(frame):
    return frame.filename.endswith("/bootstrap.py")


def describe(error, request_id):
    """The error as the caller gets it, and as X-Ray does."""
    if isinstance(error, Fault):
        kind, message, frames, trace = error.error_type, error.message, [], error.trace
        cause_type = "LambdaValidationError"
    else:
        kind = cause_type = type(error).__name__
        message = str(error)
        frames = list(traceback.extract_tb(error.__traceback__))
        while frames and own_frame(frames[0]):
            del frames[0]
        # As tuples: then newer versions of Python add no column markers, which Lambda's traces do not have.
        trace = traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames])
    shown = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    stack = [{"label": f.name, "path": f.filename, "line": f.lineno} for f in frames]
    cause = {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": message, "type": cause_type, "stack": stack}],
        "paths": sorted(set(f.filename for f in frames)),
    }
    return shown, cause


def report_init_error(connection, error):
    shown, _ = describe(error, "")
    print_error(shown)
    connection.post("init/error", encode(shown).encode("utf-8", "replace"), [("Lambda-Runtime-Function-Error-Type", shown["errorType"])])
    sys.exit(1)


def echo(headers):
    """Newer platforms number each attempt and want the number back."""
    attempt = headers.get(b"lambda-runtime-invocation-id")
    return [("Lambda-Runtime-Invocation-Id", attempt.decode("latin-1"))] if attempt else []


def check_posted(status, what):
    # 410: the attempt is over for the platform, which is no reason to stop.
    if (status < 200 or status > 299) and status != 410:
        raise RuntimeError("The Runtime API refused the %s: HTTP status %d" % (what, status))


def report_error(connection, request_id, error, headers):
    shown, cause = describe(error, request_id)
    print_error(shown)
    extra = echo(headers)
    cause_text = json.dumps(cause)
    if len(cause_text) < XRAY_CAUSE_MAX:
        extra.append(("Lambda-Runtime-Function-XRay-Error-Cause", cause_text))
    extra.append(("Content-Type", "application/json"))
    body = encode(shown).encode("utf-8", "replace")
    check_posted(connection.post("invocation/%s/error" % request_id, body, extra), "error")


# ---- one invocation ---------------------------------------------------------------------------------------------------------------


def event_of(headers, body):
    if headers.get(b"content-type") != b"application/json":
        return bytes(body)
    try:
        return json.loads(body.decode("utf-8"))
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e)


def answer_of(value):
    if isinstance(value, bytes):
        return value, "application/unknown"
    try:
        return encode(value).encode("utf-8"), "application/json"
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e)


def set_trace_id(headers):
    trace = headers.get(b"lambda-runtime-trace-id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace.decode("latin-1")
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def serve_one(connection, handler):
    headers, body = connection.next()
    request_id = headers[b"lambda-runtime-aws-request-id"].decode("ascii")
    Current.request_id = request_id
    tenant = headers.get(b"lambda-runtime-aws-tenant-id")
    Current.tenant_id = tenant.decode("utf-8") if tenant else None
    set_trace_id(headers)
    try:
        context = LambdaContext(headers, request_id)
        answer, content_type = answer_of(handler(event_of(headers, body), context))
    except Exception as e:
        report_error(connection, request_id, e, headers)
        return
    status = connection.post("invocation/%s/response" % request_id, answer, [("Content-Type", content_type)] + echo(headers))
    check_posted(status, "response")


def real_client(name):
    """True once the real client ran; False when it cannot be imported after all."""
    try:
        importlib.import_module("awslambdaric.bootstrap")
        entry = importlib.import_module("awslambdaric.__main__")
    except ImportError as e:
        print("lambdafit: awslambdaric cannot be imported (%s); the built-in client runs instead" % e, file=sys.stderr)
        return False
    sys.argv = [entry.__file__, name]
    entry.main(sys.argv)
    return True


def main(arguments):
    wants_real = "--awslambdaric" in arguments
    names = [a for a in arguments if a != "--awslambdaric"]
    name = names[0] if names else os.environ["_HANDLER"]
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    set_paths(task_root)
    if wants_real and real_client(name):
        return
    sys.stdout = unbuffered(sys.stdout)
    sys.stderr = unbuffered(sys.stderr)
    set_up_logging()
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(name)
    except Exception as e:
        report_init_error(connection, e)
    while True:
        serve_one(connection, handler)


if __name__ == "__main__":
    main(sys.argv[1:])
