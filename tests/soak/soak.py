#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many invocations over many functions, with timeouts, crashes, lost environments, new code and reaping: the daemon's memory, descriptors, threads and latency must be
flat, and the log's size per invocation constant. Prints the slopes of the second half, per 100,000 invocations.

usage: soak.py BUILD SOURCE [INVOCATIONS [FUNCTIONS [CALLERS]]]"""
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BUILD, SOURCE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
TOTAL, FUNCTIONS, CALLERS = ([int(a) for a in sys.argv[3:]] + [1000000, 50, 8][len(sys.argv) - 3:])[:3]
SAMPLES = 40
EVENTFUL = ((4001, "timeout"), (5003, "lost"), (6007, "crash"), (7001, "reload"))  # every so many invocations
EVENTS = {"timeout": '{"hold_ms":5000}', "crash": '{"crash":1}'}
# What one sample may grow by per 100,000 invocations without being called a leak.
ALLOWED = {"memory_kb": 2048, "descriptors_per_environment": 0.5, "threads": 1, "latency_us": 300, "log_bytes_per_invocation": 100}


def slope(xs, ys):
    return statistics.linear_regression(xs, ys).slope * 100000 if len(set(xs)) > 1 else 0


class Soak:
    def __init__(self, top):
        self.top, self.done, self.lock = top, 0, threading.Lock()
        self.latencies, self.bad, self.samples = [], {}, []
        names = []
        for n in range(FUNCTIONS):
            (top / f"f{n}").mkdir()
            shutil.copy(BUILD / "tests" / "bench" / "bench_runtime", top / f"f{n}" / "bootstrap")
            names.append(f"f{n}")
        env = dict(os.environ, LAMBDAFIT_DATADIR=str(SOURCE), LAMBDAFIT_LIBEXECDIR=str(BUILD))
        self.daemon = subprocess.Popen([BUILD / "lambdafit", "serve", *names, "--runtime", "provided.al2023", "--memory", "1769", "--timeout", "1", "--keepalive", "2",
                                        "--port", "0", "--port-file", "port", "--db", "log.db", "--quiet"], cwd=top, env=env)
        while not (top / "port").exists():
            assert self.daemon.poll() is None
            time.sleep(0.05)
        self.port = int((top / "port").read_text())

    def call(self, seed):
        r, c = random.Random(seed), http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while True:
            with self.lock:
                if self.done >= TOTAL:
                    return
                self.done += 1
                n = self.done
            kind = next((what for every, what in EVENTFUL if n % every == 0), "ok")
            if kind == "lost":
                self.lose(r)
            if kind == "reload":
                self.change(r.randrange(FUNCTIONS), n)
            start = time.perf_counter()
            c.request("POST", f"/2015-03-31/functions/f{r.randrange(FUNCTIONS)}/invocations", EVENTS.get(kind, '{"n":1}'))
            a = c.getresponse()
            a.read()
            took = time.perf_counter() - start
            with self.lock:
                if kind == "ok" and not a.headers.get("X-Amz-Function-Error"):
                    self.latencies.append(took)
                key = f"{a.status} {a.headers.get('X-Amz-Function-Error') or ''}".strip()
                self.bad[key] = self.bad.get(key, 0) + 1

    def change(self, function, n):
        """New code, put in place at once: the function's next invocation is cold with it."""
        old, new = self.top / f"f{function}" / "bootstrap", self.top / f"new{n}"
        shutil.copy(BUILD / "tests" / "bench" / "bench_runtime", new)
        with open(new, "ab") as f:
            f.write(b"\0%d" % n)
        os.replace(new, old)

    def lose(self, r):
        """Somebody kills an environment from outside."""
        pids = [e["pid"] for e in self.environments() if e["pid"]]
        if pids:
            try:
                os.kill(r.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def environments(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request("GET", "/lambdafit/environments")
        found = json.load(c.getresponse())
        c.close()
        return found

    def sample(self):
        proc = pathlib.Path(f"/proc/{self.daemon.pid}")
        status = (proc / "status").read_text()
        with self.lock:
            done, took, self.latencies = self.done, self.latencies, []
        descriptors = len(os.listdir(proc / "fd"))
        living = len(self.environments())
        size = sum(f.stat().st_size for f in self.top.glob("log.db"))
        self.samples.append({"done": done, "memory_kb": int(re.search(r"VmRSS:\s+(\d+)", status)[1]), "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
                             "descriptors": descriptors, "environments": living, "descriptors_per_environment": descriptors / max(living, 1), "latency_us": statistics.median(took) * 1e6 if took else 0,
                             "log_bytes_per_invocation": size / max(done, 1)})
        print("{done:>9} done  {memory_kb:>7} KB  {descriptors:>4} descriptors  {environments:>3} environments  {threads} threads  {latency_us:6.0f} us  {log_bytes_per_invocation:6.0f} bytes of log each"
              .format(**self.samples[-1]), flush=True)

    def run(self):
        threads = [threading.Thread(target=self.call, args=(n,)) for n in range(CALLERS)]
        for t in threads:
            t.start()
        for n in range(1, SAMPLES + 1):
            while self.done < TOTAL * n // SAMPLES:
                assert self.daemon.poll() is None, "the daemon ended"
                time.sleep(0.05)
            self.sample()
        for t in threads:
            t.join()
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(60) == 0, self.daemon.returncode

    def verdict(self):
        half, grown = self.samples[len(self.samples) // 2:], []
        xs = [s["done"] for s in half]
        for key, allowed in ALLOWED.items():
            k = slope(xs, [s[key] for s in half])
            print(f"slope of {key}: {k:+.2f} per 100,000 invocations (allowed {allowed})")
            if k > allowed and TOTAL >= 200000:  # a short run is warming up all the time
                grown.append(key)
        with contextlib.closing(sqlite3.connect(self.top / "log.db")) as log:
            rows, reloads = (log.execute(q).fetchone()[0] for q in ("SELECT count(DISTINCT request_id) FROM invocations", "SELECT count(*) FROM environments WHERE end_reason = 'reload'"))
        print(f"{rows} invocations are in the log; {reloads} environments ended because of new code")
        if rows != TOTAL:
            grown.append(f"the log holds {rows} of {TOTAL}")
        print("answers:", ", ".join(f"{n} x {k}" for k, n in sorted(self.bad.items())))
        return grown


with tempfile.TemporaryDirectory(prefix="lfsoak") as folder:
    soak = Soak(pathlib.Path(folder))
    try:
        soak.run()
    finally:
        if soak.daemon.poll() is None:
            soak.daemon.kill()
            soak.daemon.wait()
    grown = soak.verdict()
sys.exit(f"not flat: {', '.join(grown)}" if grown else 0)
