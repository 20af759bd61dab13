# SPDX-License-Identifier: Apache-2.0
"""A terminal in tmux, and a log whose every figure is known."""
import contextlib
import re
import shlex
import shutil
import sqlite3
import subprocess

import pytest
from conftest import PROGRAM, environment, wait_for

NO_DAEMON = "http://127.0.0.1:1"
START = 1_790_000_000_000_000  # 2026-09-21T13:33:20Z
DAY = 86_400_000_000
ENFORCED = ('{"duration":"kernel","init":"kernel","memory":"sampled","tmp":"none","package":"kernel","zip":"kernel","layers":"kernel","request":"kernel",'
            '"response":"kernel","env":"kernel","fds":"kernel","processes":"kernel","cpu":"kernel"}')


class Screen:
    """A terminal in tmux, on a server of its own."""

    def __init__(self, tmp, env, columns=100, lines=30):
        self.socket = str(tmp / "tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "-s", "t", "env", *(f"{k}={v}" for k, v in env.items()), "bash", "--norc")
        self.keys("PS1='prompt''> '; clear", "Enter")
        self.wait("prompt>")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, text=True, check=True, timeout=120).stdout

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def bytes(self, data):
        self.tmux("send-keys", "-t", "t", "-H", *(f"{b:02x}" for b in data))

    def click(self, x, y, button=0):
        """A press and a release as a terminal reports them."""
        self.bytes(b"\x1b[M" + bytes([32 + button, 33 + x, 33 + y]) + b"\x1b[M" + bytes([35, 33 + x, 33 + y]))

    def text(self, *args):
        return self.tmux("capture-pane", "-p", "-t", "t", *args)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(lines))

    def wait(self, *wanted, without=()):
        def there():
            text = self.text()
            return all(re.search(w, text) for w in wanted) and not any(w in text for w in without)
        try:
            wait_for(there, f"{wanted} on the screen")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.text()}") from None
        return self.text()

    def top(self, log, *args, endpoint=NO_DAEMON, wanted=("FUNCTION +INV",)):
        self.keys(shlex.join(map(str, [PROGRAM, "top", "--db", log, "--endpoint", endpoint, *args])), "Enter")
        return self.wait(*wanted)

    def pid(self):
        """Of the dashboard that runs in it."""
        shell = self.tmux("display-message", "-p", "-t", "t", "#{pane_pid}").strip()
        children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", shell], capture_output=True, text=True, check=False).stdout.splitlines()
        found = [int(line.split()[0]) for line in children if line.split()[1] == "lambdafit"]
        assert len(found) == 1, children
        return found[0]


@pytest.fixture
def screen(tmp_path):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = []

    def make(**extra):
        size = {k: extra.pop(k) for k in ("columns", "lines") if k in extra}
        made.append(Screen(tmp_path, {**environment(), "TERM": "screen", "LC_ALL": "C.UTF-8", **extra}, **size))
        return made[-1]
    yield make
    for s in made:
        with contextlib.suppress(subprocess.CalledProcessError):
            s.tmux("kill-server")


def rows_of_known_log():
    """(function, seconds, cold, status, init_us, duration_us, memory, tmp): a function near its limits over two days, one that fails, one with a wide name."""
    rows = []
    for i in range(40):
        cold = i % 16 == 0
        status = "timeout" if i == 37 else "ok"
        rows.append(("classify", i * 2700, cold, status, 2_400_000 + i * 10_000 if cold else None, 3_000_000 if i == 37 else 180_000 + (i * 7919) % 400_000,
                     (700 + i * 8) << 20, (100 + i * 5) << 20))
    for i in range(12):
        rows.append(("resize", 3000 + i * 60, i == 0, "function_error" if i % 4 == 3 else "ok", 120_000 if i == 0 else None, 9_000 + i * 1_000, 64 << 20, 0))
    for i in range(5):
        rows.append(("請求書-e\u0301", 9000 + i * 1000, i == 0, "ok", 90_000 if i == 0 else None, 1_500 + i, 40 << 20, 4096))
    return sorted(rows, key=lambda r: r[1])


def fill_known_log(path):
    """Empties a log that lambdafit made and writes the known rows."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        for table in ("invocations", "violations", "functions", "environments", "runs"):
            c.execute(f"DELETE FROM {table}")
        for name, memory, tmp, package in (("classify", 1024, 512, 240 << 20), ("resize", 128, 512, 3 << 20), ("請求書-e\u0301", 256, 1024, 50_000)):
            c.execute("INSERT INTO functions (created_us, name, version, runtime, handler, arch, region, memory_mb, timeout_ms, tmp_mb, package_bytes, layers, env_bytes, network, log_format) "
                      "VALUES (?, ?, '$LATEST', 'python3.12', 'app.handler', 'x86_64', 'us-east-1', ?, 3000, ?, ?, '[]', 120, 'none', 'text')", (START, name, memory, tmp, package))
            c.execute("INSERT INTO environments (id, function, started_us, network, enforcement) VALUES (?, ?, ?, 'none', ?)", ("env-" + name, name, START, ENFORCED))
        sizes = {"classify": (1024, 512), "resize": (128, 512), "請求書-e\u0301": (256, 1024)}
        for n, (name, seconds, cold, status, init, duration, memory, tmp) in enumerate(rows_of_known_log()):
            mb, tmp_mb = sizes[name]
            error = {"timeout": ("Sandbox.Timedout", "Task timed out after 3.00 seconds"), "function_error": ("ValueError", "no \x1b[31mred\x07 in\u202e here")}.get(status, (None, None))
            c.execute("INSERT INTO invocations (request_id, function, environment, source, received_us, cold, status, error_type, error_message, wait_us, init_us, duration_us, billed_ms, "
                      "memory_mb, tmp_mb, arch, region, profile, max_memory_bytes, tmp_used_bytes, tmp_growth_bytes, cpu_us, throttled_us, request_bytes, response_bytes, host, log_tail, overhead_us) "
                      "VALUES (?, ?, ?, 'live', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'x86_64', 'us-east-1', 'aws-lambda-2026-11', ?, ?, 0, ?, 0, ?, ?, 'ci', ?, ?)",
                      (f"00000000-0000-4000-8000-{n:012d}", name, "env-" + name, START + seconds * 1_000_000, cold, status, *error, 12_000 if cold else 40, init, duration,
                       -(-(duration + (init or 0)) // 1000), mb, tmp_mb, memory, tmp, duration // 2, 2_000 + n, 500,
                       "START\n\x1b[2Jcleared\x00\nwide 日本 e\u0301\nEND", 700))
        for n, (limit, severity, used, allowed, unit) in enumerate([("duration", "broken", 3000, 3000, "ms"), ("memory", "near", 1012 << 20, 1024 << 20, "bytes"),
                                                                    ("memory", "near", 1004 << 20, 1024 << 20, "bytes"), ("package", "near", 240 << 20, 250 << 20, "bytes")]):
            c.execute("INSERT INTO violations (request_id, function, at_us, limit_id, severity, used, allowed, unit, enforced, rule, message, fix) "
                      "VALUES (?, 'classify', ?, ?, ?, ?, ?, ?, 'kernel', ?, ?, ?)",
                      ("00000000-0000-4000-8000-000000000054" if limit != "package" else None, START + n * DAY // 4, limit, severity, used, allowed, unit, limit,
                       f"It came to its limit of {limit}.", f"Give it more {limit}."))
        c.commit()
    with contextlib.closing(sqlite3.connect(path)) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
