# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a real terminal: every key, the mouse, colours, and what may go wrong with the log, the daemon and the terminal under it."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import threading
import time

import pytest
from conftest import wait_for
from screen import fill_known_log, screen  # noqa: F401, screen is a fixture

made = []


@pytest.fixture
def log(run, function, tmp_path):
    path = tmp_path / "run.db"
    if not made:
        folder = function("any", {"lambda_function.py": "def lambda_handler(event, context):\n    return 1\n"})
        assert run("run", folder, "--quiet").returncode == 0
        fill_known_log(path)
        made.append(path.read_bytes())
    path.write_bytes(made[0])
    return path


def add_row(log, request_id, function="classify", received_us=None, status="ok"):
    with contextlib.closing(sqlite3.connect(log)) as c:
        columns = [r[1] for r in c.execute("PRAGMA table_info(invocations)") if r[1] not in ("request_id", "function", "received_us", "status")]
        names = ", ".join(columns)
        c.execute(f"INSERT INTO invocations (request_id, function, received_us, status, {names}) SELECT ?, ?, ?, ?, {names} FROM invocations WHERE function = 'classify' LIMIT 1",
                  (request_id, function, received_us or time.time_ns() // 1000, status))
        c.commit()


def test_every_letter_does_what_the_help_says(screen, log, tmp_path):  # noqa: F811
    s = screen(columns=120)
    s.tmux("set-option", "-s", "set-clipboard", "on")
    s.top(log)
    s.wait("▸classify", "aws-lambda-2026-11")
    s.keys("p")
    s.wait("profile aws-lambda-20", without=["profile aws-lambda-2026-11"])
    s.keys("p")
    s.wait("profile aws-lambda-2026-11")
    s.keys("r")
    region = re.search(r"prices of (\S+)", s.wait("prices of"))[1]
    s.wait(f"aws-lambda-2026-11/{region}")
    for wanted in ("newest 15 min", "newest 1 h", "newest 24 h", "newest 7 d", "all of the log"):
        s.keys("t")
        s.wait(wanted)
    s.wait("▸classify")
    s.keys("3")
    s.wait("57 of 57")
    s.keys("G")
    s.wait("▸09-21")
    first = re.search(r"▸(\S+ \S+)", s.text())[1]
    s.keys("f")
    s.wait("follow", without=["▸" + first])
    add_row(log, "the-newest-one")
    s.wait(r"▸.*the-newest-one", "58 of 58")
    s.keys("c")
    s.wait("copied: the-newest-one")
    wait_for(lambda: s.tmux("show-buffer").strip() == "the-newest-one", "the id in the terminal's clipboard")
    s.keys("j")
    s.wait("▸09-22", without=["follow"])
    s.keys("x")
    s.wait("export to")
    s.keys("C-u")
    s.keys(str(tmp_path / "out.json"), "Enter")
    s.wait("58 rows written")
    assert [r["request_id"] for r in json.loads((tmp_path / "out.json").read_text())][0] == "the-newest-one"
    s.keys("x")
    s.wait("export to")
    s.keys("C-u")
    s.keys("/nowhere/at/all.csv", "Enter")
    s.wait("not exported")
    for back, forth, wanted in (("h", "l", "RECEIVED"), ("Left", "Right", "RECEIVED"), ("BTab", "Tab", "RECEIVED")):
        s.keys(back)
        s.wait("LIMIT")
        s.keys(forth)
        s.wait(wanted)
    s.keys("/")
    s.keys("日本", "Enter")
    s.wait("filter: 日本", "0 of 41")
    s.keys("Escape")
    s.wait("41 of 41")
    s.keys("q")
    s.wait("prompt>", without=["? help"])


def test_mouse(screen, log):  # noqa: F811
    s = screen(columns=120)
    s.top(log)
    lines = s.wait("▸classify", "3 of 3").splitlines()
    y = next(i for i, line in enumerate(lines) if " resize " in line)
    s.click(3, y)
    s.wait("▸resize")
    s.click(3, y)
    s.wait("resize +python3.12", "LIMIT")
    s.click(lines[0].index("violations") + 2, 0)
    s.wait("SEVERITY")
    s.click(lines[0].index("functions") + 2, 0)
    s.wait("▸classify")
    s.click(5, 10, button=65)  # the wheel
    s.wait("▸resize")
    s.click(5, 10, button=64)
    s.wait("▸classify")
    s.keys("q")
    s.wait("prompt>", without=["? help"])


@pytest.mark.parametrize("args,env,wanted,unwanted", [
    (["--theme", "256"], {"TERM": "screen-256color"}, r"38;5;\d", None),
    ([], {"TERM": "screen-256color"}, r"38;5;\d", None),
    (["--theme", "16"], {"TERM": "screen-256color"}, r"\x1b\[[0-9;]*3[1-6]m", r"38;5;\d"),
    (["--theme", "mono"], {}, r"\x1b\[1?;?[147]", r"\x1b\[[0-9;]*3[0-8]"),
    ([], {"NO_COLOR": "1"}, r"\x1b\[1?;?[147]", r"\x1b\[[0-9;]*3[0-8]"),
    ([], {"TERM": "vt100"}, r"\x1b\[1?;?[147]", r"\x1b\[[0-9;]*3[0-8]"),
    (["--ascii"], {}, "classify", "[^\x00-\x7f]"),
    ([], {"LC_ALL": "C"}, "classify", "[^\x00-\x7f]"),
])
def test_colours_and_characters(screen, log, args, env, wanted, unwanted):  # noqa: F811
    s = screen(**env)
    s.top(log, *args)
    s.keys("3")
    s.wait("RECEIVED", "57 of 57")
    text = s.text("-e")
    assert re.search(wanted, text)
    assert unwanted is None or not re.search(unwanted, text)
    s.keys("q")
    s.wait("prompt>", without=["? help"])


def test_terminals_that_cannot(screen, log):  # noqa: F811
    s = screen()
    for term in ("dumb", "no-such-terminal"):
        s.keys(f"TERM={term} ")
        s.top(log, wanted=[rf"this terminal \(TERM={term}\) cannot", "--once"])
        s.keys("echo status $?", "Enter")
        s.wait("status 3")
        s.keys("clear", "Enter")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_told_to_end(screen, log, sig):  # noqa: F811
    s = screen()
    s.top(log)
    os.kill(s.pid(), sig)
    s.wait("prompt>", without=["? help"])
    s.keys("stty -a; echo status $?", "Enter")
    # the shell's own state is back: keys are echoed, lines are edited
    s.wait(r"[^-]echo ", "[^-]icanon", r"status 0|status \d+")


def test_the_terminal_disappears(screen, log):  # noqa: F811
    s = screen()
    s.top(log)
    pid = s.pid()
    s.tmux("kill-server")

    def ended():
        try:
            return "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:  # just now, perhaps
            return True
    wait_for(ended, "the program ends with its terminal")


def test_the_log_is_locked_for_a_while(screen, log):  # noqa: F811
    s = screen(columns=120)
    s.top(log)
    s.wait("▸classify")
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as c:
        c.execute("PRAGMA locking_mode = EXCLUSIVE")
        c.execute("BEGIN EXCLUSIVE")
        c.execute("UPDATE functions SET handler = 'other'")
        s.wait("another program has locked it", "▸classify")
        s.keys("?")
        s.wait("Keys")
        s.keys("Escape")
        c.execute("COMMIT")
    add_row(log, "later", function="later-one")
    s.wait("later-one", without=["has locked it"])
    s.keys("q")
    s.wait("prompt>", without=["? help"])


@pytest.mark.parametrize("what,wanted", [("truncated", "damaged|not a lambdafit log|is empty"), ("newer", "newer lambdafit"), ("text", "not a lambdafit log"), ("gone", "there is no log here")])
def test_the_log_changes_into_something_else(screen, log, what, wanted):  # noqa: F811
    s = screen(columns=120)
    s.top(log)
    s.wait("▸classify")
    whole = log.read_bytes()
    if what == "truncated":
        log.write_bytes(whole[: len(whole) // 2 // 2048 * 2048 - 700])
    elif what == "newer":
        with contextlib.closing(sqlite3.connect(log)) as c:
            c.execute("PRAGMA user_version = 99")
            c.execute("PRAGMA journal_mode = DELETE")
    elif what == "text":
        log.write_text("this is no database\n" * 1000)
    else:
        log.unlink()
    s.wait(wanted)
    s.keys("2")
    s.wait("LIMIT")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            pathlib.Path(str(log) + suffix).unlink()
    fresh = log.with_name("fresh.db")
    fresh.write_bytes(whole)
    fresh.rename(log)
    s.keys("1")
    s.wait("▸classify", "3 of 3", without=["lambdafit log", "newer", "damaged"])
    s.keys("q")
    s.wait("prompt>", without=["? help"])


def test_the_log_grows_and_the_range_slides(screen, log):  # noqa: F811
    s = screen(columns=120)
    now = time.time_ns() // 1000
    add_row(log, "old", function="hours-ago", received_us=now - 3 * 3_600_000_000)
    add_row(log, "new", function="just-now")
    s.top(log)
    s.wait("hours-ago", "just-now", "5 of 5")
    s.keys("t", "t")
    s.wait("time: 1 h", "just-now", without=["hours-ago"])
    for i in range(5):
        add_row(log, f"more-{i}", function="just-now", status="ok" if i else "crash")
    s.wait(r"just-now +6 +16\.7%")
    with contextlib.closing(sqlite3.connect(log)) as c:
        c.execute("UPDATE invocations SET status = 'crash' WHERE request_id IN ('more-1', 'more-2')")
        c.commit()
    s.wait(r"just-now +6 +50\.0%")
    s.keys("q")
    s.wait("prompt>", without=["? help"])


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([{"environment": "env-1", "function": "classify", "state": "idle", "age_ms": 1000, "served": 3, "memory_bytes": 1 << 20, "tmp_bytes": 0,
                            "keepalive_left_ms": 200_000, "pid": 1}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def answering(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_the_daemon_goes_and_comes_back(screen, log):  # noqa: F811
    s = screen(columns=120)
    with answering(0) as port:
        s.top(log, "--view", "environments", endpoint=f"http://127.0.0.1:{port}", wanted=["▸env-1"])
    s.wait(f"no daemon at http://127.0.0.1:{port}", without=["env-1"])
    # one that accepts and never answers holds up nothing
    with contextlib.closing(socket.socket()) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", port))
        silent.listen()
        silent.settimeout(60)
        silent.accept()
        for _ in range(3):
            s.keys("?")
            s.wait("Keys")
            s.keys("Escape")
            s.wait("daemon", without=["Keys"])
    with answering(port):
        s.wait("▸env-1")
        s.keys("q")
        s.wait("prompt>", without=["? help"])


def test_a_real_daemon(screen, serve, function):  # noqa: F811
    d = serve(function("live", {"lambda_function.py": "def lambda_handler(event, context):\n    return 1\n"}))
    assert d.invoke("live").status == 200
    s = screen(columns=120)
    s.top(d.db, endpoint=d.endpoint, wanted=[r"▸live +1 "])
    assert d.invoke("live").status == 200
    s.wait(r"▸live +2 ")
    s.keys("5")
    s.wait(r"▸\S+ +live +idle")
    s.keys("2")
    s.wait("memory .*(kernel|sampled)")
    s.keys("4")
    s.wait("overhead", "request_id")
    s.keys("q")
    s.wait("prompt>", without=["? help"])


def test_an_idle_dashboard_costs_nothing(screen, log):  # noqa: F811
    s = screen()
    s.top(log)
    s.wait("▸classify")
    pid = s.pid()

    def ticks():
        return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    before, start = ticks(), time.monotonic()
    wait_for(lambda: time.monotonic() - start > 3, "three seconds have passed")
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start) < 0.03
    s.keys("q")
    s.wait("prompt>", without=["? help"])
