# SPDX-License-Identifier: Apache-2.0
"""`lambdafit top`: one frame as text in every view and size, figures that are those of the log, and the real program in a terminal."""
import contextlib
import csv
import json
import os
import re
import shlex
import sqlite3
import subprocess

import pytest
from conftest import PROGRAM, wait_for
from screen import screen  # noqa: F401, it is a fixture

VIEWS = ["functions", "function", "invocations", "invocation", "environments", "violations", "cost"]
HANDLER = '''
def lambda_handler(event, context):
    if event.get("fail"):
        raise ValueError("broken on purpose")
    return 1
'''
GARBAGE = "\x1b[31mred\x07\u202e日本e\u0301"
made = []  # the file's bytes, once it was made


@pytest.fixture
def log(run, function, tmp_path):
    path = tmp_path / "run.db"
    if not made:
        for name in ("first", "second"):
            folder = function(name, {"lambda_function.py": HANDLER})
            for event, count in (('{}', 4), ('{"fail": true}', 1)):
                assert run("run", folder, "-e", event, "-n", count, "--quiet").returncode in (0, 1)
        with contextlib.closing(sqlite3.connect(path)) as c:
            c.execute("INSERT INTO violations (request_id, function, at_us, limit_id, severity, used, allowed, unit, enforced, rule, message, fix) "
                      "SELECT request_id, function, received_us, 'memory', 'broken', 134217728, 134217728, 'bytes', 'kernel', 'r', 'It used all its memory.', "
                      "'Give it more.' FROM invocations WHERE function = 'second' LIMIT 1")
            c.commit()
        made.append(path.read_bytes())
    path.write_bytes(made[0])
    return path


@pytest.fixture
def frame(run, log):
    def call(*args, status=0, env=None):
        p = run("top", "--once", "--db", log, "--endpoint", "http://127.0.0.1:1", *args, env={"LC_ALL": "C.UTF-8", **(env or {})})
        assert p.returncode == status, p.stderr
        return p.stdout if status == 0 else p.stderr
    return call


@pytest.mark.parametrize("size", ["60x16", "80x24", "120x40", "200x50"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_and_size(frame, view, size):
    w, h = map(int, size.split("x"))
    for extra in ([], ["--ascii"]):
        lines = frame("--view", view, "--size", size, *extra).split("\n")
        assert len(lines) == h + 1 and lines[-1] == ""
        assert max(map(len, lines)) <= w
        assert view in lines[0]
        assert "".join(lines).isascii() == bool(extra)
        assert not re.search(r"[\x00-\x1f\x7f]", "".join(lines))


def test_figures_agree(run, log, frame):
    report = {f["function"]: f for f in json.loads(run("report", "--json", "--db", log).stdout)["functions"]}
    text = frame("--size", "200x30")
    for name, f in report.items():
        row = next(line for line in text.splitlines() if re.match(rf"[ ▸]{name} +\d", line))
        row = re.sub("[▸█░▁-▇]", " ", row).split()
        assert row[1] == str(f["invocations"]) == "5"
        assert row[2] == "20.0%" and row[3] == "40.0%"
        for at, us in zip(row[4:10], [f[k][p] for k in ("init_us", "duration_us") for p in ("p50", "p95", "p99")]):
            shown = float(at.removesuffix("ms").removesuffix("s")) * (1e3 if at.endswith("ms") else 1e6)
            assert shown == pytest.approx(us, rel=0.06, abs=600)
        assert float(row[13].lstrip("$")) == pytest.approx(f["cost_usd"], rel=0.05)
    assert " memory" in text


def test_one_function_and_one_invocation(frame, log):
    text = frame("--view", "function", "--function", "second", "--size", "120x40")
    assert "5 invocations, 1 errors, 2 cold" in text and "arm64" in text and "histogram" in text
    assert re.search(r"memory +█.*128.0 MB kernel", text)
    with contextlib.closing(sqlite3.connect(log)) as c:
        (failed,) = c.execute("SELECT request_id FROM invocations WHERE function = 'first' AND status <> 'ok'").fetchone()
        (broken,) = c.execute("SELECT request_id FROM violations").fetchone()
    text = frame("--view", "invocation", "--request-id", failed, "--size", "120x40")
    assert failed in text and "broken on purpose" in text and "handler" in text and "init" in text
    text = frame("--view", "invocation", "--request-id", broken)
    assert "It used all its memory." in text and "Give it more." in text
    assert "no invocation nowhere" in frame("--view", "invocation", "--request-id", "nowhere")
    assert 'no function "nowhere"' in frame("--view", "function", "--function", "nowhere")
    assert "It used all its memory." in frame("--view", "violations")


def test_garbage_never_reaches_the_terminal(frame, log):
    with contextlib.closing(sqlite3.connect(log)) as c:
        c.execute("UPDATE invocations SET function = ?, error_message = ?, error_type = ?, log_tail = ? WHERE function = 'first'", (GARBAGE, GARBAGE, GARBAGE, GARBAGE + "\n\x00x"))
        c.execute("UPDATE violations SET function = ?, message = ?, limit_id = ?", (GARBAGE, GARBAGE, GARBAGE))
        c.commit()
    for view in VIEWS:
        text = frame("--view", view, "--function", GARBAGE, "--size", "160x50")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
        if view in ("function", "invocations"):
            assert "?[31mred??日本e\u0301" in text
    assert frame("--ascii", env={"LC_ALL": "C"}).isascii()


def test_bad_use_and_bad_logs(run, frame, tmp_path):
    assert "60x16" in frame("--size", "10x3", status=2)
    assert "fix: functions, function" in frame("--view", "everything", status=2)
    assert "no daemon at" in frame("--view", "environments")
    for content in (b"not a database at all, but long enough to be read as one" * 40, b"\x00" * 5000, made[0][:5000]):
        bad = tmp_path / "bad.db"
        bad.write_bytes(content)
        p = run("top", "--once", "--db", bad)
        assert p.returncode == 4 and "bad.db" in p.stderr and p.stdout == ""
    p = run("top")
    assert p.returncode == 2 and "--once" in p.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("pending", [False, True], ids=["whole", "with-wal"])
def test_a_log_on_a_full_disk(run, log, tmp_path, pending):
    """Nothing can be written beside it, not even SQLite's own small files: it is read all the same, and is as it was."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=True)
    try:
        there = disk / "run.db"
        there.write_bytes(log.read_bytes())
        writer = sqlite3.connect(there)
        if pending:
            writer.execute("PRAGMA wal_autocheckpoint = 0")
            writer.execute("UPDATE functions SET name = 'third' WHERE name = 'second'")
            writer.execute("UPDATE invocations SET function = 'third' WHERE function = 'second'")
            writer.commit()
            assert os.path.getsize(f"{there}-wal") > 0
        else:
            writer.close()
        with open(disk / "ballast", "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))
        for view in ("functions", "invocations", "cost"):
            p = run("top", "--once", "--db", there, "--view", view, "--endpoint", "http://127.0.0.1:1", env={"LC_ALL": "C.UTF-8"})
            assert p.returncode == 0 and ("third" if pending else "second") in p.stdout, p.stderr
        before = there.read_bytes()
        p = run("report", "--db", there, "--json")
        assert p.returncode == 0 and there.read_bytes() == before, p.stderr
        writer.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_empty_log_shows_how_to_begin(frame, log):
    with contextlib.closing(sqlite3.connect(log)) as c:
        c.execute("DELETE FROM invocations")
        c.execute("DELETE FROM violations")
        c.commit()
    for view in VIEWS:
        assert view == "environments" or "lambdafit run PATH" in frame("--view", view, "--size", "60x16")


def start(s, log, *args):
    s.keys(shlex.join(map(str, [PROGRAM, "top", "--db", log, "--endpoint", "http://127.0.0.1:1", *args])), "Enter")
    s.wait("FUNCTION +INV", r"▸first", "2 of 2")


def test_in_a_terminal(screen, log, tmp_path):
    s = screen()
    start(s, log)
    assert "\x1b[" in s.text("-e")
    s.keys("j")
    s.wait("▸second")
    s.keys("Enter")
    s.wait("histogram", "second +python", "LIMIT")
    s.keys("Enter")
    s.wait("of: second", "5 of 5")
    s.keys("Enter")
    s.wait("MEASURE", "request_id")
    s.keys("Escape")
    s.wait("5 of 5")
    for number, wanted in zip("34567", ["RECEIVED", "MEASURE", "no daemon at", "It used all", "a month at this rate"]):
        s.keys(number)
        s.wait(wanted)
    s.keys("1")
    s.wait("2 of 2")
    s.keys("/")
    s.keys("sec", "Enter")
    s.wait("▸second", "1 of 2", "filter: sec")
    s.keys("Escape")
    s.wait("2 of 2")
    s.keys("s")
    s.wait("FUNCTION▲")
    s.keys("S")
    s.wait("FUNCTION▼", "▸second|second")
    s.keys("r")
    s.wait("prices of")
    s.keys("?")
    s.wait("Keys", "copy the row's id", "quit")
    s.keys("Escape")
    s.wait("FUNCTION▼")
    s.tmux("resize-window", "-t", "t", "-x", "70", "-y", "18")
    wait_for(lambda: max(map(len, s.text().splitlines())) <= 70 and "FUNCTION" in s.text() and "? help" in s.text().splitlines()[-1], "the frame fits the new size")
    s.tmux("resize-window", "-t", "t", "-x", "40", "-y", "10")
    s.wait("is too small")
    s.tmux("resize-window", "-t", "t", "-x", "120", "-y", "30")
    s.wait("FUNCTION▼")
    s.keys("x")
    s.wait("export to")
    s.keys("C-u")
    s.keys(str(tmp_path / "out.csv"), "Enter")
    s.wait("2 rows written")
    with open(tmp_path / "out.csv", newline="") as f:
        assert {r["function"]: r["invocations"] for r in csv.DictReader(f)} == {"first": "5", "second": "5"}
    s.keys("q")
    # tmux itself may keep a line of a screen that was made smaller
    s.wait("prompt>", without=["? help", "▸"])


def test_new_rows_appear(screen, log):
    s = screen()
    start(s, log)
    with contextlib.closing(sqlite3.connect(log)) as c:
        columns = [r[1] for r in c.execute("PRAGMA table_info(invocations)") if r[1] not in ("id", "request_id", "function")]
        names = ", ".join(columns)
        c.execute(f"INSERT INTO invocations (request_id, function, {names}) SELECT 'new-one', 'third', {names} FROM invocations LIMIT 1")
        c.commit()
    s.wait("third +1 ", "3 of 3")
    s.keys("q")
    s.wait("prompt>", without=["FUNCTION"])


def test_without_colour_and_when_told_to_end(screen, log):
    s = screen(NO_COLOR="1")
    start(s, log)
    assert not re.search(r"\x1b\[[0-9;]*[34][0-8](?![0-9])", s.text("-e"))
    pid = next(p for p in os.listdir("/proc") if p.isdigit() and is_top(p, log))
    os.kill(int(pid), 15)
    s.wait("prompt>", without=["FUNCTION"])


def is_top(pid, log):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")[:4] == [os.fsencode(PROGRAM), b"top", b"--db", os.fsencode(log)]
    except OSError:
        return False
