# SPDX-License-Identifier: Apache-2.0
"""What the machine may do to the daemon: no memory, no descriptors, no processes, no disk, a clock that jumps, a log that is taken away, groups that
are removed, and kill -9 at any moment. Each time: every answered invocation is in the log, the daemon goes on, or the next one does and says what it
cleared up. LF_FAULT_ROUNDS (1 in `make check`, more in `make soak`) makes the rounds longer."""
import contextlib
import ctypes
import errno
import http.client
import itertools
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

from conftest import BUILD, PROGRAM, Daemon, environment, left_behind, wait_for

LIBRARY = BUILD / "tests" / "faults" / "libfault.so"
ROUNDS = int(os.environ.get("LF_FAULT_ROUNDS", "1"))
ALLOC, OPEN, WRITE, SYNC, CLONE, ANY, CLOCK = 1, 2, 4, 8, 16, 32, 64
FAULTS = pytest.mark.skipif(not LIBRARY.exists(), reason="built without tests/faults/libfault.so (sanitizers have their own malloc)")

HANDLER = '''
import os, time
def lambda_handler(event, context):
    if event.get("s"): time.sleep(event["s"])
    if event.get("exit"): os._exit(1)
    return {"n": event.get("n")}
'''


class Fault:
    """The file that tests/faults/fault.c looks at."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)
        self.env = {"LD_PRELOAD": str(LIBRARY), "LF_FAULT": str(path)}

    def arm(self, kinds, at=1, every=0, error=errno.ENOMEM, kill=False, offset_us=0):
        self.map[0:4] = struct.pack("I", 0)
        self.map[4:40] = struct.pack("IIIIIII q", at, every, error, kill, 0, 0, 0, offset_us)[0:36]
        self.map[32:40] = struct.pack("q", offset_us)
        self.map[0:4] = struct.pack("I", kinds)

    def off(self):
        """Ends it; how often the call failed."""
        self.map[0:4] = struct.pack("I", 0)
        return struct.unpack("I", self.map[24:28])[0]


@pytest.fixture
def fault(tmp_path):
    return Fault(tmp_path / "fault")


@pytest.fixture
def target(function):
    return function("hello", {"lambda_function.py": HANDLER})


def attempt(d, event, timeout=60):
    """(status, request id, error) of an invocation, or None when the connection ended without an answer."""
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=timeout)
    try:
        c.request("POST", "/2015-03-31/functions/hello/invocations", json.dumps(event))
        r = c.getresponse()
        body = r.read()
        return r.status, r.headers.get("x-amzn-RequestId"), r.headers.get("X-Amz-Function-Error"), body
    except (OSError, http.client.HTTPException):
        return None
    finally:
        c.close()


def works_again(d, n):
    """Within a few calls: what failed may have cost the environment."""
    def call():
        a = attempt(d, {"n": n})
        return a and a[0] == 200 and not a[2] and json.loads(a[3]) == {"n": n}
    assert d.process.poll() is None, (d.process.returncode, d.err[-3000:])
    wait_for(call, f"invocations work again; the daemon said: {d.err[-1500:]}")


def says(d, *words):
    """Standard error is written by a thread that nobody waits for."""
    wait_for(lambda: all(w in d.err for w in words), f"the daemon says {words}")


def ids(d):
    return {r["request_id"] for r in d.rows("SELECT request_id FROM invocations")}


# ---- memory ------------------------------------------------------------------------------------------------------------------------------


@FAULTS
def test_no_memory_while_serving(serve, target, fault):
    """The n-th allocation of a warm invocation fails, for every n; then of a cold one, for every few."""
    d = serve(target, args=["--memory", "1769", "--timeout", "5"], env=fault.env)
    works_again(d, 0)
    answered, fired = set(), 0
    warm = itertools.takewhile(lambda n: n < 2000, itertools.count(1))
    for n in warm:
        fault.arm(ALLOC, n)
        a = attempt(d, {"n": n})
        if not fault.off():
            break
        fired += 1
        if a and a[0] == 200:
            answered.add(a[1])
        works_again(d, n)
    assert fired > 10
    for n in range(1, 1200, 5 if ROUNDS == 1 else 1):
        attempt(d, {"exit": True})
        with contextlib.suppress(Exception):
            [os.kill(e["pid"], signal.SIGKILL) for e in d.environments() if e["pid"]]
        fault.arm(ALLOC, n)
        a = attempt(d, {"n": n})
        done = fault.off() == 0
        if a and a[0] == 200:
            answered.add(a[1])
        works_again(d, n)
        if done:
            break
    assert answered <= ids(d)


@FAULTS
def test_no_memory_for_a_run(run, target, fault, tmp_path):
    """The n-th allocation of a whole run fails: it says so, or does without, and never crashes."""
    ends = set()
    for n in itertools.chain(range(1, 60, 7), range(60, 60000, 97 if ROUNDS == 1 else 1)):
        fault.arm(ALLOC, n)
        r = run("run", target, "--memory", "1769", "--db", tmp_path / "run.db", env=fault.env)
        fired = fault.off()
        assert r.returncode in (0, 1, 2, 3, 4), (n, r.returncode, r.stderr[-2000:])
        if r.returncode:
            assert "lambdafit: " in r.stderr or r.stdout, (n, r.stderr)
        ends.add(r.returncode)
        if not fired:
            break
    else:
        pytest.fail("a run of more than 60,000 allocations")
    assert 0 in ends and 4 in ends


# ---- descriptors, processes, disk ----------------------------------------------------------------------------------------------------------


@FAULTS
@pytest.mark.parametrize("kinds,error,every", [(OPEN, errno.EMFILE, 1), (OPEN, errno.ENFILE, 3), (CLONE, errno.EAGAIN, 1), (CLONE, errno.ENOMEM, 1)])
def test_nothing_to_be_had(serve, target, fault, kinds, error, every):
    """For a while every new descriptor, or process, is refused."""
    d = serve(target, args=["--memory", "1769", "--timeout", "5"], env=fault.env)
    works_again(d, 1)
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=120)
    c.request("POST", "/2015-03-31/functions/hello/invocations", '{"exit": true}')
    c.getresponse().read()
    [os.kill(e["pid"], signal.SIGKILL) for e in d.environments() if e["pid"]]
    fault.arm(kinds, 1, every, error)
    for n in range(5):  # on a connection that is there: each needs a new environment
        c.request("POST", "/2015-03-31/functions/hello/invocations", '{"n": 1}')
        r = c.getresponse()
        body = r.read()
        assert r.status in (200, 500, 502, 503), (r.status, body)
        if r.status == 200 and r.headers.get("X-Amz-Function-Error"):
            assert b"Sandbox.Failure" in body or b"Runtime." in body, body
    fault.off()
    works_again(d, 2)


@FAULTS
@pytest.mark.parametrize("kinds,error", [(WRITE, errno.ENOSPC), (WRITE, errno.EIO), (SYNC, errno.EIO), (WRITE, errno.EDQUOT)])
def test_log_cannot_be_written(serve, target, fault, kinds, error):
    """A result that is not in the log is not given out; when the disk works again, so does the daemon."""
    d = serve(target, args=["--memory", "1769", "--timeout", "5"], env=fault.env)
    works_again(d, 1)
    fault.arm(kinds, 1, 1, error)
    answers = [attempt(d, {"n": n}) for n in range(3)]
    fired = fault.off()
    for a in answers:
        assert a and a[0] in (200, 500, 503), a
        if kinds == WRITE:
            assert a[0] != 200, a
    if kinds == WRITE:
        assert fired
        says(d, "lambdafit: ", "cannot ")
    works_again(d, 2)
    assert {a[1] for a in answers if a[0] == 200} <= ids(d)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_disk_full(serve, target, tmp_path):
    """A real one, of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)
    try:
        d = serve(target, args=["--memory", "1769", "--timeout", "5", "--db", disk / "log.db"])
        d.db = disk / "log.db"
        works_again(d, 1)
        (disk / "ballast").touch()
        with open(disk / "ballast", "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(bytes(65536))
        answered, refused = set(), 0
        for n in range(200):
            a = attempt(d, {"n": n})
            assert a and a[0] in (200, 500, 503), a
            if a[0] == 200:
                answered.add(a[1])
            else:
                refused += 1
        assert refused
        says(d, "the disk is full", "fix: free some space there")
        (disk / "ballast").unlink()
        works_again(d, 2)
        assert answered <= ids(d)
        assert d.stop() == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# ---- the log -------------------------------------------------------------------------------------------------------------------------------


def test_log_locked(serve, target):
    """Another program holds the log: invocations wait for a moment, are refused then, and work again."""
    d = serve(target, args=["--memory", "1769", "--timeout", "30"])
    works_again(d, 1)
    with contextlib.closing(sqlite3.connect(d.db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        a = attempt(d, {"n": 1}, timeout=60)
        assert a and a[0] in (500, 503), a
        says(d, "another program has locked it", "fix: ")
        other.execute("ROLLBACK")
    works_again(d, 2)


def test_log_deleted(serve, target):
    """Nobody would ever see what is written to a file that has no name: that is said, and no result is given out."""
    d = serve(target, args=["--memory", "1769"])
    works_again(d, 1)
    for suffix in ("", "-wal", "-shm"):
        pathlib.Path(f"{d.db}{suffix}").unlink()
    refused = wait_for(lambda: (a := attempt(d, {"n": 1})) and a[0] != 200 and a, "an invocation is refused")
    assert refused[0] in (500, 503)
    says(d, "deleted or replaced", "fix: ")
    assert d.stop() in (0, 4)


def test_log_corrupted(serve, target):
    """Garbage is written over a log that is in use, and over one that is not."""
    d = serve(target, args=["--memory", "1769"])
    for n in range(30):
        works_again(d, n)
    with open(d.db, "r+b") as f:
        f.seek(4096)
        f.write(os.urandom(200000))
    for n in range(20):
        a = attempt(d, {"n": n})
        assert a is None or a[0] in (200, 500, 503)
    assert d.process.poll() is None or d.process.returncode == 4, d.err[-2000:]
    d.stop()
    assert "AddressSanitizer" not in d.err and d.process.returncode in (0, 4)
    for text in (b"", b"SQLite format 3\0" + os.urandom(5000), os.urandom(100), b"x" * 100000):
        bad = d.tmp / "bad.db"
        for suffix in ("-wal", "-shm"):
            pathlib.Path(f"{bad}{suffix}").unlink(missing_ok=True)
        bad.write_bytes(text)
        r = subprocess.run([PROGRAM, "log", "--db", bad], capture_output=True, text=True, env=environment(), timeout=120)
        assert r.returncode in (0, 4), r
        if r.returncode:
            assert r.stderr.startswith("lambdafit: ") and "bad.db" in r.stderr


def test_log_read_only(run, target, tmp_path):
    """A folder that may not be written to; for root, who may write everywhere, a read-only disk."""
    folder = tmp_path / "ro"
    folder.mkdir(mode=0o555)
    root = os.geteuid() == 0
    if root:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", folder], check=True)
    try:
        r = run("run", target, "--db", folder / "log.db")
        assert r.returncode == 4 and "log.db" in r.stderr and "fix: " in r.stderr, r.stderr
    finally:
        if root:
            subprocess.run(["umount", folder], check=True)


# ---- clock, pipes, groups -------------------------------------------------------------------------------------------------------------------


@FAULTS
def test_clock_jumps(serve, target, fault):
    """By a day, both ways, in the middle of an invocation: no duration and no timeout changes."""
    d = serve(target, args=["--memory", "1769", "--timeout", "4"], env=fault.env)
    works_again(d, 0)
    for offset in (86400, -86400):
        t = threading.Timer(0.2, fault.arm, (CLOCK,), {"offset_us": offset * 1000000})
        t.start()
        a = attempt(d, {"n": 1, "s": 0.6})
        t.join()
        assert a and a[0] == 200 and not a[2], a
        row = d.row(a[1])
        assert 600000 <= row["duration_us"] < 4000000 and row["billed_ms"] <= 4000, row
        a = attempt(d, {"n": 1, "s": 90}, timeout=120)
        # Nothing that a day was added to or taken from; a machine that stands still adds seconds.
        assert d.row(a[1])["status"] == "timeout" and 4000000 <= d.row(a[1])["duration_us"] < 60000000
        fault.off()
    works_again(d, 1)


def test_output_that_nobody_reads(target, tmp_path, program):
    """Standard error is a pipe that is full, then one that is closed: the daemon serves all the same."""
    (target / "lambda_function.py").write_text('def lambda_handler(event, context):\n    print("x" * 100000)\n    return {"n": event.get("n")}\n')
    r, w = os.pipe()
    port = tmp_path / "port"
    p = subprocess.Popen([program, "serve", target, "--port", "0", "--port-file", port, "--db", tmp_path / "log.db", "--memory", "1769"], stderr=w, stdout=w,
                         env=environment(), cwd=tmp_path)
    os.close(w)

    class Place:
        process, err = p, ""

    try:
        wait_for(lambda: port.exists() or p.poll() is not None, "the daemon is ready")
        Place.port = int(port.read_text())
        for n in range(20):
            works_again(Place, n)
        os.close(r)
        for n in range(20):
            works_again(Place, n)
    finally:
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 0


def groups_of(pid):
    found = []
    for base in pathlib.Path("/sys/fs/cgroup").glob("*"):
        found += base.glob(f"lambdafit-{pid}-*/*") if base.is_dir() else []
    found += pathlib.Path("/sys/fs/cgroup").glob(f"lambdafit-{pid}-*/*")
    return [g for g in found if g.is_dir()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may move processes out of their groups")
def test_groups_removed(serve, target):
    """Somebody moves all processes out of our groups and removes them: what cannot be measured is absent, and all goes on."""
    d = serve(target, args=["--memory", "1769", "--timeout", "5"])
    works_again(d, 1)
    groups = groups_of(d.process.pid)
    if not groups:
        pytest.skip("no control groups here")
    for g in groups:
        top = g.parent.parent
        for pid in (g / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (top / "cgroup.procs").write_text(pid)
        with contextlib.suppress(OSError):
            g.rmdir()
    assert not [g for g in groups if g.exists()] or groups
    works_again(d, 2)
    attempt(d, {"exit": True})
    works_again(d, 3)
    assert d.stop() == 0


# ---- kill -9 --------------------------------------------------------------------------------------------------------------------------------


def gone(d):
    """All processes and mounts of a killed daemon are gone at once; its empty groups wait for the next one."""
    pid = d.process.pid
    wait_for(lambda: not [x for x in left_behind(pid) if x.startswith("process")], f"its processes are gone: {left_behind(pid)}")


@FAULTS
def test_killed_at_every_stage(target, tmp_path, program, fault):
    """kill -9 at the n-th call of an invocation, cold and warm: what was answered is in the log, and the next daemon clears up and says so."""
    answered, said, d, live = set(), 0, None, 0
    step, last = (14, 220) if ROUNDS == 1 else (1, 600)
    for n in range(1, last, step):
        for warm in (False, True):
            d = Daemon(tmp_path, [target], ["--memory", "1769", "--timeout", "5"], env=fault.env)
            said += "cleared up after a daemon that was killed" in d.err
            if warm:
                a = attempt(d, {"n": n})
                assert a and a[0] == 200, (a, d.err)
                answered.add(a[1])
            fault.arm(ANY, n, kill=True, error=0)
            for _ in range(3):
                a = attempt(d, {"n": n})
                if a and a[0] == 200:
                    answered.add(a[1])
                if d.process.poll() is not None:
                    break
            fault.off()
            d.process.kill()
            d.process.wait()
            gone(d)
            live += 1
    d = Daemon(tmp_path, [target], ["--memory", "1769"])
    try:
        assert "cleared up after a daemon that was killed" in d.err and said > live // 2
        assert answered <= ids(d)
        assert not d.rows("SELECT * FROM environments WHERE ended_us IS NULL AND end_reason IS NULL")
        assert not [g for g in pathlib.Path("/sys/fs/cgroup").glob(f"*/lambdafit-{d.process.pid - 1}-*")]
        assert d.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    finally:
        d.stop()


def test_killed_under_load(target, tmp_path, program):
    """20 times kill -9 with 8 callers at once: every answered request id is in the file."""
    answered, lock = set(), threading.Lock()
    for round in range(20 * ROUNDS):
        d = Daemon(tmp_path, [target], ["--memory", "1769", "--concurrency", "4", "--quiet"])
        stop = threading.Event()

        def call():
            c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=120)
            with contextlib.suppress(OSError, http.client.HTTPException):
                while not stop.is_set():
                    c.request("POST", "/2015-03-31/functions/hello/invocations", '{"n": 1}')
                    r = c.getresponse()
                    body = r.read()
                    if r.status == 200 and body:
                        with lock:
                            answered.add(r.headers["x-amzn-RequestId"])
            c.close()

        before = len(answered)
        threads = [threading.Thread(target=call) for _ in range(8)]
        for t in threads:
            t.start()
        wait_for(lambda: len(answered) > before + 20 + 7 * round, "invocations are under way")
        d.process.kill()
        stop.set()
        for t in threads:
            t.join()
        d.process.wait()
        gone(d)
    d = Daemon(tmp_path, [target], ["--quiet"])
    try:
        assert answered <= ids(d), len(answered - ids(d))
        assert d.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    finally:
        d.stop()
    print(len(answered), "answered")
