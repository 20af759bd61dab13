# SPDX-License-Identifier: Apache-2.0
"""What a case runs against: our own daemon with the case's functions, or somebody else's endpoint."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.parse
import zipfile

HERE = pathlib.Path(__file__).resolve().parents[1]
SRC = pathlib.Path(os.environ.get("TOP_SRCDIR", HERE.parents[1]))
BUILD = pathlib.Path(os.environ.get("TOP_BUILDDIR", SRC / "build"))
PROGRAM = BUILD / "lambdafit"
CORE = BUILD / "tests" / "conformance" / "core"

DEFAULT_OPTIONS = {"memory": 1792, "keepalive": 20}


class NotCovered(Exception):
    """The case cannot be decided here; why is the text."""


def wait_for(look, what, seconds=60.0):
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.005)


def clean_environment(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LAMBDAFIT_", "AWS_"))}
    env.update(LAMBDAFIT_DATADIR=str(SRC), LAMBDAFIT_LIBEXECDIR=str(BUILD))
    env.update(extra or {})
    return env


class Answer:
    def __init__(self, status, headers, body, took):
        self.status, self.headers, self.body, self.took = status, headers, body, took

    @property
    def request_id(self):
        return self.headers.get("x-amzn-requestid", "")

    @property
    def text(self):
        return self.body.decode("utf-8", "surrogateescape")


def http_request(host, port, method, path, headers, body, timeout=300):
    """One request on a connection of its own; the path goes out as it is."""
    conn = http.client.HTTPConnection(host, port, timeout=timeout)
    began = time.monotonic()
    try:
        conn.putrequest(method, path, skip_accept_encoding=True)
        for k, v in headers.items():
            conn.putheader(k, v)
        if body is not None and "Content-Length" not in headers:
            conn.putheader("Content-Length", str(len(body)))
        conn.endheaders(body or None)
        r = conn.getresponse()
        data = r.read()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, data, (time.monotonic() - began) * 1000)
    finally:
        conn.close()


# ---- functions ------------------------------------------------------------------------------------------------------------------


def write_file(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if path.name == "bootstrap" else 0o644
    if isinstance(content, dict):
        mode = content.get("mode", mode)
        if "size" in content:
            with open(path, "wb") as f:
                f.truncate(content["size"])
        elif "random" in content:
            path.write_bytes(os.urandom(content["random"]))
        elif "link" in content:
            path.symlink_to(content["link"])
            return
        else:
            path.write_text(content["text"])
    else:
        path.write_text(content)
    path.chmod(mode)


def write_function(folder, f):
    folder.mkdir(parents=True)
    if "copy" in f:
        shutil.copytree(str(f["copy"]).replace("<clients>", str(BUILD / "clients")), folder, dirs_exist_ok=True, symlinks=True)
    if f.get("scripted"):
        shutil.copy(HERE / "runtime" / "bootstrap", folder / "bootstrap")
    if "init" in f:
        init = f["init"]
        write_file(folder / "init.json", json.dumps(init if isinstance(init, dict) else {"*": init}))
    if "python" in f:
        write_file(folder / "lambda_function.py", f["python"])
    if "node" in f:
        write_file(folder / "index.mjs", f["node"])
    for path, content in f.get("files", {}).items():
        write_file(folder / path, content)
    folder.chmod(0o755)
    if f.get("zip"):
        write_zip(folder)


def write_zip(folder):
    """The folder beside itself as a zip, uncompressed, so that its size follows from its content."""
    with zipfile.ZipFile(f"{folder}.zip", "w", zipfile.ZIP_STORED) as z:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(str(path.relative_to(folder)))
                info.external_attr = (path.stat().st_mode & 0xFFFF) << 16
                z.writestr(info, path.read_bytes())
    shutil.rmtree(folder)


def function_name(case, key):
    base = case.id.replace("@", "-")
    return base if key == "fn" else f"{base}-{key}"


def option_arguments(options, folder):
    out = []
    for k, v in options.items():
        for one in v if isinstance(v, list) else [f"{a}={b}" for a, b in v.items()] if isinstance(v, dict) else [v]:
            if one is True:
                out.append(f"--{k}")
            elif one is not None and one is not False:
                out.append(f"--{k}={str(one).replace('<dir>', str(folder)).replace('<clients>', str(BUILD / 'clients'))}")
    return out


# ---- our own daemon ---------------------------------------------------------------------------------------------------------------


def profile_argument(profile, folder):
    """A shipped profile's name, or {base, set}: a file of its own, with other values."""
    if isinstance(profile, str):
        return profile
    doc = json.loads((SRC / "profiles" / (profile.get("base", "aws-lambda-2026-11") + ".json")).read_text())
    for key, value in profile["set"].items():
        section = "limits" if key in doc["limits"] else "behaviour"
        doc[section][key] = {"value": value, "source": "a test of the suite", "confidence": "assumed"}
    doc["name"] = profile.get("name", "conformance-test")
    path = folder / "profile.json"
    path.write_text(json.dumps(doc))
    return str(path)


class Own:
    """A `lambdafit serve` for some cases that agree in profile and options."""

    foreign = False

    def __init__(self, folder, cases):
        self.folder = pathlib.Path(folder)
        self.cases = cases
        self.targets = []
        for case in cases:
            case.missing = [n for n in case.needs if n.startswith("client-") and not (BUILD / "clients" / n[7:]).is_dir()]
            if case.missing:
                continue
            for key, f in case.functions.items():
                target = self.folder / "functions" / function_name(case, key)
                write_function(target, f)
                self.targets.append(pathlib.Path(f"{target}.zip") if f.get("zip") else target)
            for name, files in case.raw.get("files", {}).items():
                for path, content in files.items():
                    write_file(self.folder / name / path, content)
        self.quiet = all({"core", "run"} & set(step) for case in cases for step in case.steps)
        if not self.targets and not self.quiet:
            self.targets = [self.folder / "functions" / "unused"]
            write_function(self.targets[0], {"scripted": True})
        self.db = self.folder / "log.db"
        self.profile = profile_argument(cases[0].profile, self.folder)
        self.arguments = option_arguments({**DEFAULT_OPTIONS, **cases[0].options}, self.folder)
        self.err_path = self.folder / "serve.err"
        self.process = None
        self.starts = 0
        self.last_id = None  # of the last invocation that ran

    def start(self):
        if self.quiet:
            return  # nothing is sent to it
        port_file = self.folder / f"port-{self.starts}"
        self.starts += 1
        command = [str(PROGRAM), "serve", *map(str, self.targets), "--profile", self.profile, "--port", "0", "--port-file", str(port_file), "--db", str(self.db),
                   *self.arguments]
        with open(self.err_path, "ab") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, env=clean_environment(), cwd=self.folder)
        wait_for(lambda: port_file.exists() or self.process.poll() is not None, "the daemon is ready")
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {self.err_path.read_text(errors='replace')}")
        self.host, self.port = "127.0.0.1", int(port_file.read_text())
        # Its greeting, written by a thread of its own, is not a line of the first case.
        wait_for(lambda: f"http://127.0.0.1:{self.port} ..." in self.log_since(0), "the daemon has said that it serves")

    @property
    def endpoint(self):
        return f"http://{self.host}:{self.port}"

    def prepare(self, case):
        pass

    def request(self, method, path, headers, body, timeout=300):
        return http_request(self.host, self.port, method, path, headers, body, timeout)

    def log_size(self):
        return self.err_path.stat().st_size

    def log_since(self, offset):
        with open(self.err_path, "rb") as f:
            f.seek(offset)
            return f.read().decode("utf-8", "surrogateescape")

    def rows(self, sql, *args):
        with contextlib.closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(sql, args)]

    def bad_end(self):
        """Ends the daemon and says what was wrong with its end; "" when nothing was."""
        if not self.process or self.process.poll() is not None:
            return ""  # a case has ended it
        self.stop()
        text = self.log_since(0)
        wrong = re.search(r"^.*(AddressSanitizer|LeakSanitizer|runtime error:).*$", text, re.M)
        if self.process.returncode != 0 or wrong:
            return f"the daemon ended with {self.process.returncode}: {text[-3000:]}"
        return ""

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Foreign:
    """Any endpoint that speaks the Invoke API. Its functions must be there (see --package), or it must know CreateFunction."""

    foreign = True
    last_id = None

    def __init__(self, url, folder):
        u = urllib.parse.urlsplit(url)
        if u.scheme != "http" or not u.hostname:
            raise SystemExit("--endpoint: give a URL like http://127.0.0.1:3001")
        self.host, self.port, self.folder = u.hostname, u.port or 80, pathlib.Path(folder)
        self.lock = threading.Lock()
        self.known = {}

    def request(self, method, path, headers, body, timeout=300):
        return http_request(self.host, self.port, method, path, headers, body, timeout)

    def prepare(self, case):
        if case.functions and not case.raw.get("files") and needs_functions(case):
            for key in case.functions:
                name = function_name(case, key)
                if not self.there(name):
                    raise NotCovered(f"the endpoint has no function {name}")

    def there(self, name):
        with self.lock:
            if name not in self.known:
                a = self.request("POST", f"/2015-03-31/functions/{name}/invocations", {"X-Amz-Invocation-Type": "DryRun"}, b"{}")
                self.known[name] = a.status == 204
            return self.known[name]


def needs_functions(case):
    text = json.dumps(case.steps)
    return any("invoke" in s or "saw" in s for s in case.steps) or "<name>" in text
