# SPDX-License-Identifier: Apache-2.0
"""`serve --keep`: a log that stays small while it serves. What is kept is whole, nobody waits for it, and the file shrinks."""
import contextlib
import os
import sqlite3
import threading
import time

import pytest

from conftest import wait_for

# The longest that one of many callers may wait while rows go or the file is rebuilt. Each of our transactions is kept near 3 ms; the rest is for
# machines that do other things, or stand still for seconds.
PATIENCE_S = 10.0

HANDLER = """
def lambda_handler(event, context):
    print("x" * event.get("print", 10))
    return event["n"]
"""


class Callers:
    """Threads that invoke one after the other; what they were answered, in order, and the longest wait."""

    def __init__(self, daemon, threads=2, printed=10, pause=0.0):
        self.pause = pause  # seconds between two of a thread
        self.daemon, self.printed, self.answers, self.longest, self.bad = daemon, printed, [], 0.0, []
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(threads)]

    def work(self, i):
        n = 0
        while not self.stop.is_set():
            n += 1
            begun = time.monotonic()
            a = self.daemon.invoke("keeper", {"n": n, "print": self.printed})
            took = time.monotonic() - begun
            with self.lock:
                self.answers.append(a.headers.get("X-Amzn-RequestId"))
                self.longest = max(self.longest, took)
                if a.status != 200 or a.json != n:
                    self.bad.append((a.status, a.body))

            self.stop.wait(self.pause)

    def until(self, n, seconds=300):
        wait_for(lambda: len(self.answers) >= n, f"{n} answers", seconds)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


@pytest.fixture
def keeper(function):
    return function("keeper", {"lambda_function.py": HANDLER})


def count(d, what="invocations"):
    return d.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"]


def test_old_rows_go_under_load_and_the_file_shrinks(serve, keeper):
    d = serve(keeper, args=["--memory", 1024, "--timeout", 60])
    with Callers(d, printed=3800) as before:
        before.until(1200)
    assert d.stop() == 0 and not before.bad
    large = os.path.getsize(d.db)
    assert large > 4 << 20
    d = serve(keeper, args=["--memory", 1024, "--timeout", 60, "--keep", 200])
    with Callers(d, pause=0.02) as during:
        during.until(3)
        wait_for(lambda: count(d) < 400, "old rows are gone", 120)
        wait_for(lambda: os.path.getsize(d.db) < large / 2, "the file is smaller", 120)
        during.until(len(during.answers) + 100)
    assert not during.bad and during.longest < PATIENCE_S, during.longest
    kept = [r["request_id"] for r in d.rows("SELECT request_id FROM invocations ORDER BY rowid")]
    assert len(kept) >= 200
    answered = set(before.answers) | set(during.answers)
    assert set(kept) <= answered and set(during.answers[-150:]) <= set(kept), "the newest are all there"
    with contextlib.closing(sqlite3.connect(d.db)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert d.rows("SELECT count(*) AS n FROM violations WHERE request_id IS NOT NULL AND request_id NOT IN (SELECT request_id FROM invocations)")[0]["n"] == 0


def test_by_age(serve, keeper):
    d = serve(keeper, args=["--memory", 1024])
    for n in range(120):
        assert d.invoke("keeper", {"n": n}).status == 200
    assert d.stop() == 0
    with contextlib.closing(sqlite3.connect(d.db)) as db, db:
        db.execute("UPDATE invocations SET received_us = received_us - 3600000000 WHERE rowid <= 50")
    d = serve(keeper, args=["--memory", 1024, "--keep", "30m"])
    assert d.invoke("keeper", {"n": 1}).status == 200
    wait_for(lambda: count(d) == 71, "those of an hour ago are gone")


def test_vacuum_by_somebody_else(serve, keeper):
    d = serve(keeper, args=["--memory", 1024])
    with Callers(d, printed=3000) as callers:
        callers.until(300)
        for _ in range(5):
            with contextlib.closing(sqlite3.connect(d.db, timeout=30)) as db:
                db.execute("VACUUM")
        callers.until(len(callers.answers) + 50)
    assert not callers.bad and callers.longest < PATIENCE_S, callers.longest
    assert {r["request_id"] for r in d.rows("SELECT request_id FROM invocations")} == set(callers.answers)


@pytest.mark.parametrize("given", ["0", "99", "30s", "7 days", "-5", ""])
def test_what_is_no_rule(run, given, tmp_path):
    r = run("serve", "--keep", given, "--db", str(tmp_path / "l.db"))
    assert r.returncode == 2 and "--keep" in r.stderr and "fix:" in r.stderr
