# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: the built program, a daemon for a test, and the proof that nothing is left behind."""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

SRC = pathlib.Path(os.environ.get("TOP_SRCDIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("TOP_BUILDDIR", SRC / "build"))
PROGRAM = BUILD / "lambdafit"
PYTHON = "/usr/bin/python3"  # Debian's, whose modules the layers come from

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def pytest_configure(config):
    config.addinivalue_line("markers", "cgroup_v2: also run in a guest with control groups of version 2 (scripts/test-v2)")


def environment(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LAMBDAFIT_", "AWS_"))}
    env.update(LAMBDAFIT_DATADIR=str(SRC), LAMBDAFIT_LIBEXECDIR=str(BUILD))
    env.update(extra or {})
    return env


def wait_for(condition, what, seconds=60.0):
    """The value of `condition` once it is true; fails after the deadline, which costs nothing where all is well: long, for slow machines that stand
    still at times. Short naps only space out the looks."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def wait_for_a_watch():
    """Until a daemon can watch the files of some functions, and make another watch at each reload: Linux gives all programs of a user 128 inotify
    instances together, and others may have them."""
    libc = ctypes.CDLL(None)

    def free():
        fds = [libc.inotify_init1(os.O_CLOEXEC) for _ in range(8)]
        for fd in fds:
            if fd >= 0:
                os.close(fd)
        return min(fds) >= 0

    wait_for(free, "some inotify instances are free")


class Gate:
    """Where handlers wait that must still be at work while the test does something: no sleep is long enough for that on every machine. A handler
    enters with `socket.create_connection(("127.0.0.1", event["gate"])).recv(1)` and goes on when the gate is opened."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.inside = []

    def wait(self, count=1, seconds=60.0):
        """Until so many handlers have come in."""
        self.listener.settimeout(seconds)
        while len(self.inside) < count:
            self.inside.append(self.listener.accept()[0])

    def open(self):
        while self.inside:
            self.inside.pop().close()

    def close(self):
        self.open()
        self.listener.close()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.headers.get("X-Amz-Function-Error")


class Daemon:
    """A running `lambdafit serve`. `under`: the command of a program that becomes it, or runs it in its own process."""

    def __init__(self, tmp, targets, args=(), env=None, under=()):
        self.tmp, self.db = tmp, tmp / "log.db"
        port_file = tmp / "port"
        with contextlib.suppress(FileNotFoundError):
            port_file.unlink()
        self.err_path = tmp / f"serve-{time.monotonic_ns()}.err"
        command = [*under, str(PROGRAM), "serve", *map(str, targets), "--port", "0", "--port-file", str(port_file), "--db", str(self.db), *map(str, args)]
        with open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, env=environment(env), cwd=tmp)
        wait_for(lambda: port_file.exists() or self.process.poll() is not None, "the daemon is ready")
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {self.err}")
        self.port = int(port_file.read_text())
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def request(self, method, path, body=None, headers=None, timeout=120):
        req = urllib.request.Request(self.endpoint + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(req, timeout=timeout) as r:
                return Answer(r.status, r.headers, r.read())
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.headers, e.read())

    def invoke(self, name, event=None, headers=None, raw=None, timeout=120):
        body = raw if raw is not None else json.dumps({} if event is None else event).encode()
        return self.request("POST", f"/2015-03-31/functions/{name}/invocations", body, headers, timeout)

    def environments(self):
        return self.request("GET", "/lambdafit/environments").json

    def rows(self, sql="SELECT * FROM invocations ORDER BY rowid", *args):
        with contextlib.closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(sql, args)]

    def row(self, request_id):
        rows = self.rows("SELECT * FROM invocations WHERE request_id = ?", request_id)
        assert len(rows) == 1, rows
        return rows[0]

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


def left_behind(pid):
    """What is still there of the sandboxes of the lambdafit process `pid`: their processes, groups and mounts. Others' do not count."""
    mark = f"/lambdafit-{pid}-"
    found = []
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (p / "cgroup").read_text(errors="replace") or f"\nPPid:\t{pid}\n" in (p / "status").read_text(errors="replace"):
                    found.append(f"process {p.name} " + (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    for controller in ("memory", "cpu", "pids", "freezer", "cpuacct", ""):
        base = pathlib.Path("/sys/fs/cgroup") / controller
        if base.is_dir():
            found += [f"group {g}" for g in base.glob(f"lambdafit-{pid}-*")]
    return found


def listening(pid):
    """The ports on which a daemon listens: the Invoke API's and each environment's."""
    fds = pathlib.Path(f"/proc/{pid}/fd")
    inodes = set()
    for fd in fds.iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(fd))
    rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [int(r[1].split(":")[1], 16) for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in inodes]


@pytest.fixture(scope="session")
def program():
    assert PROGRAM.exists(), f"{PROGRAM} is not built"
    return PROGRAM


@pytest.fixture
def serve(tmp_path, program):
    """serve(targets..., args=[...]) starts a daemon that is stopped after the test; then nothing may be left."""
    daemons = []

    def start(*targets, args=(), env=None, under=()):
        d = Daemon(tmp_path, targets, args, env, under)
        daemons.append(d)
        return d

    yield start
    for d in daemons:
        killed = d.process.poll() == -signal.SIGKILL
        d.stop()
        pid = d.process.pid
        # The groups of a daemon that was killed are swept by the next one; its processes die with it.
        wait_for(lambda: not [x for x in left_behind(pid) if not (killed and x.startswith("group"))], f"nothing is left behind: {left_behind(pid)}")


@pytest.fixture
def gate():
    g = Gate()
    yield g
    g.close()


@pytest.fixture
def patient(tmp_path):
    """The path of a profile that gives an init two minutes: for tests of what is loaded, not of how quickly this machine loads it."""
    profile = json.loads((SRC / "profiles" / "aws-lambda-2026-11.json").read_text())

    def lengthen(o):
        for k, v in o.items() if isinstance(o, dict) else ():
            if k == "init_max_ms":
                v["value"] = 120000
            lengthen(v)

    lengthen(profile)
    path = tmp_path / "patient.json"
    path.write_text(json.dumps({**profile, "name": "patient"}))
    return path


@pytest.fixture
def run(tmp_path, program):
    """run(args...) runs `lambdafit` and gives its completed process."""

    def call(*args, input=None, env=None, timeout=600, cwd=None):
        command = [str(program), *map(str, args)]
        e = environment(env)
        e.setdefault("LAMBDAFIT_DB", str(tmp_path / "run.db"))
        return subprocess.run(command, input=input, capture_output=True, text=True, env=e, timeout=timeout, cwd=cwd or tmp_path)

    return call


@pytest.fixture
def function(tmp_path):
    """function(name, {file: text}) makes a function's folder."""

    def make(name, files):
        folder = tmp_path / name
        for path, text in files.items():
            p = folder / path
            p.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                p.write_bytes(text)
            else:
                p.write_text(text)
            if p.name == "bootstrap":
                p.chmod(0o755)
        return folder

    return make
