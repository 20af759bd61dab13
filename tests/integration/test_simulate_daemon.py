# SPDX-License-Identifier: Apache-2.0
"""The daemon and the simulator, fed the same 5,000 arrivals and service times, make the same decisions.

The plan is a list of events one after the other, an arrival or the end of a request, three milliseconds apart. The simulator gets it as a trace. The daemon gets
it in the same order: the runtimes answer when the test tells them to, so that only the keepalive runs by a clock of its own. Phases of much traffic are
short beside it, so no environment ends in them; phases with one request at a time are longer, so all but one end in them. On a machine that is too
slow for that, the plan is carried out again more slowly: all of its times, the keepalive too, are three times as long, which changes no decision.
"""
import contextlib
import json
import random
import selectors
import socket
import sqlite3
import subprocess
import time

from conftest import PROGRAM, environment

LIMIT, KEEPALIVE, PACE, BUSY, QUIET, ARRIVALS = 5, 5.0, 0.003, 260, 1800, 5000

RUNTIME = '''#!/usr/bin/python3 -SE
import os, socket

def connect(address):
    host, port = address.rsplit(":", 1)
    s = socket.create_connection((host, int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s

def message(f):
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        line = f.readline()
        if not line:
            raise SystemExit(0)
        head += line
    headers = {k.strip().lower(): v.strip() for k, _, v in (l.partition(":") for l in head.decode().split("\\r\\n")[1:])}
    return headers, f.read(int(headers.get("content-length", 0)))

api, test = connect(os.environ["AWS_LAMBDA_RUNTIME_API"]), connect(os.environ["TEST_PORT"])
answers, orders = api.makefile("rb"), test.makefile("r")
while True:
    api.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    headers, event = message(answers)
    test.sendall(event + b"\\n")
    if not orders.readline():
        break
    api.sendall(("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{}" % headers["lambda-runtime-aws-request-id"]).encode())
    message(answers)
'''


def make_plan(seed):
    """Phases of events ("arrive" or "end", request), busy and quiet ones by turns, and the number of requests. Those that will be throttled have no end."""
    rng, phases, running, count = random.Random(seed), [], [], 0
    while count < ARRIVALS:
        busy = []
        for _ in range(BUSY):
            if running and rng.random() < len(running) / (LIMIT + 3):
                busy.append(("end", running.pop(rng.randrange(len(running)))))
            else:
                busy.append(("arrive", count))
                if len(running) < LIMIT:
                    running.append(count)
                count += 1
        rng.shuffle(running)
        busy += [("end", running.pop()) for _ in range(len(running))]
        quiet = [event for n in range(count, count + QUIET // 2) for event in (("arrive", n), ("end", n))]
        count += QUIET // 2
        phases += [busy, quiet]
    return phases, count


class Lockstep:
    """Carries the plan out on a daemon."""

    def __init__(self, daemon, pace):
        self.pace, self.daemon, self.requests, self.runtimes, self.ids, self.refused, self.busy = pace, daemon, {}, {}, {}, set(), 0
        self.selector = selectors.DefaultSelector()

    def listen(self, listener):
        self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def accept(self, listener):
        runtime, _ = listener.accept()
        runtime.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(runtime, selectors.EVENT_READ, self.heard)

    def heard(self, runtime):
        text = runtime.recv(4096)
        if not text:
            self.selector.unregister(runtime)
            runtime.close()
            return
        self.runtimes[json.loads(text)["n"]] = runtime

    def answered(self, caller):
        text = caller.recv(65536)
        number = self.requests[caller]
        while b"\r\n\r\n" not in text:
            text += caller.recv(65536)
        status = int(text.split(b" ", 2)[1])
        headers = dict(line.split(": ", 1) for line in text.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:])
        self.ids[number] = {k.lower(): v for k, v in headers.items()}["x-amzn-requestid"]
        assert status in (200, 429), text
        if status == 429:
            self.refused.add(number)
        self.selector.unregister(caller)
        caller.close()

    def until(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, what
            for key, _ in self.selector.select(1):
                key.data(key.fileobj)

    def arrive(self, number):
        body = json.dumps({"n": number}).encode()
        caller = socket.create_connection(("127.0.0.1", self.daemon.port))
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests[caller] = number
        caller.sendall(b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.selector.register(caller, selectors.EVENT_READ, self.answered)
        self.until(lambda: number in self.runtimes or number in self.refused, f"request {number} is served or refused")

    def end(self, number, busy):
        self.runtimes[number].sendall(b"go\n")
        self.until(lambda: number in self.ids, f"request {number} is answered")
        # The runtime asks for its next event a moment later: only then is its environment idle.
        end = time.monotonic() + 60
        while sum(e["state"] == "busy" for e in self.daemon.environments()) != busy:
            assert time.monotonic() < end, "the environment is idle"

    def step(self, what, number):
        if what == "arrive":
            self.arrive(number)
            self.busy += number not in self.refused
        else:
            self.busy -= 1
            self.end(number, self.busy)

    def run(self, phases, allowed):
        """How long the longest busy phase took: within the keepalive, or an environment may have ended in it that the plan still has. The first that
        takes longer ends it."""
        at, longest = time.monotonic(), 0.0
        for i, phase in enumerate(phases):
            begin = time.monotonic()
            for event in phase:
                at = max(at + self.pace, time.monotonic() - self.pace)
                time.sleep(max(0.0, at - time.monotonic()))  # the pace of the plan, not a wait for anything
                self.step(*event)
            if i % 2 == 0:
                longest = max(longest, time.monotonic() - begin)
            if longest >= allowed:
                break
        return longest


def decisions(db, order):
    """For each request in order of arrival: throttled, cold and which environment, environments numbered as they come up."""
    with contextlib.closing(sqlite3.connect(db)) as log:
        rows = {row[0]: row[1:] for row in log.execute("SELECT request_id, status, cold, environment FROM invocations")}
    names, out = {}, []
    for request in order if order else [r for r in rows]:
        status, cold, env = rows[request]
        out.append((status, cold, None if env is None else names.setdefault(env, len(names) + 1)))
    return out


def simulated(tmp_path, phases, count, pick="mru", slower=1):
    at = {event: i * PACE * slower for i, event in enumerate(event for phase in phases for event in phase)}
    trace = tmp_path / "plan.csv"
    trace.write_text("arrival,duration\n" + "".join(f"{at['arrive', n]:.6f},{at.get(('end', n), at['arrive', n]) - at['arrive', n]:.6f}\n" for n in range(count)))
    db = tmp_path / f"simulated-{pick}-{slower}.db"
    subprocess.run([str(PROGRAM), "simulate", "--arrivals", f"csv:{trace}", "--keepalive", str(KEEPALIVE * slower), "--limit", str(LIMIT), "--rate-limit", "off", "--log", str(db),
                    "--pick", pick, "--quiet",
                    "--beside", "off", "--json"], check=True, env=environment(), stdout=subprocess.DEVNULL, timeout=300)
    with contextlib.closing(sqlite3.connect(db)) as log:
        order = [row[0] for row in log.execute("SELECT request_id FROM invocations ORDER BY received_us")]
    return decisions(db, order)


def test_the_same_decisions(serve, function, tmp_path):
    phases, count = make_plan(20261128)
    expected = simulated(tmp_path, phases, count)
    assert len(expected) == count >= ARRIVALS
    assert simulated(tmp_path, phases, count, "lru") != expected  # another rule would be seen
    for slower in (1, 3, 9):
        assert slower == 1 or simulated(tmp_path, phases, count, slower=slower) == expected
        listener = socket.create_server(("127.0.0.1", 0))
        daemon = serve(function(f"f{slower}", {"bootstrap": RUNTIME}), args=["--name", "f", "--runtime", "provided.al2023", "--memory", "1769", "--timeout", "600", "--keepalive",
                       str(KEEPALIVE * slower), "--account-concurrency", str(LIMIT), "--env", f"TEST_PORT=127.0.0.1:{listener.getsockname()[1]}"])
        steps = Lockstep(daemon, PACE * slower)
        steps.listen(listener)
        allowed = KEEPALIVE * slower * 0.95
        longest = steps.run(phases, allowed)
        daemon.stop()
        listener.close()
        if longest < allowed:
            break
        daemon.db.unlink()
    else:
        raise AssertionError(f"this machine is too slow: {BUSY} events took {longest:.2f} s")
    got = decisions(daemon.db, [steps.ids[n] for n in range(count)])
    assert sum(status == "throttled" for status, _, _ in expected) > 50 and sum(cold == 1 for _, cold, _ in expected) > 15
    different = [(n, want, have) for n, (want, have) in enumerate(zip(expected, got)) if want != have]
    assert different == [], f"{len(different)} of {count} differ, first: {different[:3]}"
