# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, broken, rude or many. The daemon's memory is bounded, others are served meanwhile, and what was refused is counted in the log."""
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import resource
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

from conftest import PROGRAM, environment, wait_for

HANDLER = '''
import time
def lambda_handler(event, context):
    if isinstance(event, dict) and event.get("s"): time.sleep(event["s"])
    return {"n": event.get("n") if isinstance(event, dict) else None}
'''
PATH = "/2015-03-31/functions/hello/invocations"


@pytest.fixture
def d(serve, function):
    d = serve(function("hello", {"lambda_function.py": HANDLER}), args=["--memory", "1769", "--timeout", "60", "--quiet"])
    good(d)
    return d


def good(d, limit=15.0):
    """Served, whatever the others do: a client that held it up would do so for its own half minute or for ever."""
    start = time.perf_counter()
    a = d.invoke("hello", {"n": 7}, timeout=60)
    took = time.perf_counter() - start
    assert a.status == 200 and a.json == {"n": 7}
    assert took < limit, f"another client waited {took:.1f} s"


def rss(d):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{d.process.pid}/status").read_text())[1]) * 1024


def refused(d):
    return d.rows("SELECT refused FROM runs ORDER BY id DESC LIMIT 1")[0]["refused"] or 0


def connect(d, timeout=120):
    return socket.create_connection(("127.0.0.1", d.port), timeout=timeout)


def answer(s):
    """The status of what comes back, 0 when the connection just ends."""
    data = b""
    with contextlib.suppress(OSError):
        while b"\r\n" not in data:
            more = s.recv(65536)
            if not more:
                break
            data += more
    return int(data.split(b" ")[1]) if data.startswith(b"HTTP/1.1 ") else 0


def head(length, extra=""):
    return f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}\r\n".encode()


def test_garbage(d):
    """Each broken request is refused or ends its connection, and is counted."""
    r = random.Random(7)
    before, asked = refused(d), 0
    for text in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(500), b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                 b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"GET / HTTP/1.1\r\n x: y\r\n\r\n",
                 b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n", *(bytes(r.randrange(256) for _ in range(r.randrange(1, 3000))) for _ in range(100))):
        with connect(d, 20) as s:
            with contextlib.suppress(OSError):
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
            status = answer(s)
            assert status in (0, 400, 404, 405, 408, 431, 501, 505), (status, text[:60])
            asked += status >= 400 and status not in (404, 405)
    assert asked > 20
    wait_for(lambda: refused(d) >= before + asked, f"{asked} refused ones are counted, {refused(d) - before} are")
    good(d)


def test_endless_headers(d):
    """A header block of more than 1 MB, in a line, in many, without an end."""
    before, memory = refused(d), rss(d)
    for piece in (b"x" * 65536, b"x: y\r\n" * 10000):
        with connect(d) as s:
            with contextlib.suppress(OSError):
                s.sendall(b"GET / HTTP/1.1\r\n" + (b"x: " if b":" not in piece else b""))
                for _ in range(100):
                    s.sendall(piece)
            assert answer(s) in (0, 400, 431)
    wait_for(lambda: refused(d) >= before + 2, "they are counted")
    assert rss(d) < memory + (16 << 20)
    good(d)


def test_chunk_bombs(d):
    """Chunks of a byte, chunks of absurd sizes, endless extensions and trailers, a body without end."""
    memory = rss(d)
    start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    bodies = {"bytes": b"1\r\n \r\n" * 200000 + b"0\r\n\r\n", "size": b"fffffffffffffffffff\r\n", "negative": b"-5\r\n", "extension": b"2;" + b"x" * 3000000 + b"\r\n{}\r\n0\r\n\r\n",
              "trailers": b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 400000 + b"\r\n", "endless": (b"100000\r\n" + b"x" * (1 << 20) + b"\r\n") * 40}
    for name, body in bodies.items():
        with connect(d) as s:
            with contextlib.suppress(OSError):
                s.sendall(start + body)
                if name == "endless":
                    s.sendall(b"0\r\n\r\n")
            assert answer(s) in (0, 200, 400, 413, 431), name
    assert rss(d) < memory + (64 << 20)
    good(d)


def test_disconnects(d):
    """The client goes away at every point: in the head, in the body, while the function runs, before it reads the answer."""
    body = b'{"s": 0.3}'
    whole = head(len(body)) + body
    before = ran = len(d.rows())
    busy = lambda: [e for e in d.environments() if e["state"] == "busy"]
    for cut in (1, 10, len(whole) - len(body) - 2, len(whole) - 3, len(whole)):
        for rude in (False, True):
            wait_for(lambda: not busy(), "the one before has ended")
            s = connect(d)
            if rude:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(whole[:cut])
            if cut == len(whole):
                ran += 1  # a machine that stands still may be back only when it has ended
                wait_for(lambda: busy() or len(d.rows()) >= ran, "the function runs")
            s.close()
    wait_for(lambda: len(d.rows()) >= before + 2, "those that ran are in the log: the invocation goes on, as on Lambda")
    good(d)


def test_events_that_wait(serve, function, gate):
    """Asynchronous events that wait are held in memory: too many of them are refused in Lambda's words, and taken again when others have been handled."""
    waits = "import socket\ndef lambda_handler(event, context):\n    if 'gate' in event: socket.create_connection(('127.0.0.1', event['gate'])).recv(1)\n"
    d = serve(function("waits", {"lambda_function.py": waits}), args=["--memory", "1769", "--timeout", "600", "--quiet", "--concurrency", "1"])
    later = {"X-Amz-Invocation-Type": "Event"}
    memory, event = rss(d), json.dumps({"x": "x" * 1000000}).encode()
    assert d.invoke("waits", {"gate": gate.port}, headers=later).status == 202
    gate.wait()
    taken = 0
    while (said := d.invoke("waits", raw=event, headers=later)).status == 202 and taken < 400:
        taken += 1
    held = rss(d) - memory
    assert 200 <= taken <= 270 and said.status == 429 and said.json["Reason"] == "CallerRateLimitExceeded" and said.headers["Retry-After"], (taken, said.status, said.body)
    assert held < 700 << 20, f"{held >> 20} MB are held"
    gate.open()
    wait_for(lambda: d.invoke("waits", raw=event, headers=later).status == 202, "there is room again", 120)


def test_pages_from_elsewhere(d):
    """What a browser sends for a web page that is not this machine's is refused; programs name no origin, and local pages may."""
    for origin in ("http://evil.example", "https://localhost.evil.example:3001", "null", "http://127.0.0.1.evil.example", "file://", "http://evil.example/localhost"):
        for method, path in (("POST", PATH), ("GET", "/2015-03-31/functions"), ("DELETE", "/2015-03-31/functions/hello")):
            a = d.request(method, path, b"{}" if method == "POST" else None, {"Origin": origin, "Content-Type": "text/plain"})
            assert a.status == 403 and b"Origin" in a.body, (origin, a.status, a.body)
    for origin in ("http://localhost:5173", "http://127.0.0.1:3001", "https://localhost", "http://[::1]:80", "http://app.localhost:8080"):
        assert d.request("POST", PATH, b'{"n": 1}', {"Origin": origin}).json == {"n": 1}, origin
    assert d.request("GET", "/lambda-url/hello/", headers={"Origin": "http://evil.example"}).status == 200
    good(d)


def test_names_with_a_nul(d):
    assert d.request("POST", PATH.replace("hello", "hello%00x"), b"{}").status == 400
    good(d)


def test_half_open(d):
    """A client that has no more to say may still listen, or may have gone."""
    with connect(d) as s:
        s.sendall(head(2) + b"{}")
        s.shutdown(socket.SHUT_WR)
        assert answer(s) in (0, 200)
    good(d)


def test_pipelining(d):
    """300 requests at once on one connection are answered in their order."""
    with connect(d) as s:
        wanted = b"".join(head(len(b)) + b for b in (json.dumps({"n": n}).encode() for n in range(300)))
        t = threading.Thread(target=s.sendall, args=(wanted,))
        t.start()
        f = s.makefile("rb")
        for n in range(300):
            length = 0
            assert f.readline().startswith(b"HTTP/1.1 200")
            while (line := f.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(f.read(length)) == {"n": n}
        t.join()
    good(d)


def test_slow_readers_and_writers(d):
    """200 clients that send a byte now and then, and 50 that ask and do not read: others do not notice."""
    slow = []
    for _ in range(200):
        s = connect(d)
        s.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHo")
        slow.append(s)
    deaf = []
    for _ in range(50):
        s = connect(d)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /lambdafit/operations HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        deaf.append(s)
    for _ in range(10):
        good(d)
        for s in slow[::20]:
            s.sendall(b"s")
    for s in slow + deaf:
        s.close()


def test_bodies_that_never_end(d):
    """2,000 clients say they will send 6 MB and send a part: what is held for all of them together is bounded, and a small request still gets through."""
    memory, keep, served = rss(d), [], 0
    for n in range(2000):
        s = connect(d)
        with contextlib.suppress(OSError):
            s.sendall(head(6 << 20) + b"[" * 400000)
        keep.append(s)
        if n % 200 == 199:
            good(d)
            served += 1
    held = rss(d) - memory
    for s in keep:
        s.close()
    assert served == 10
    assert held < 1300 << 20, f"{held >> 20} MB are held"
    assert refused(d) > 0
    good(d)


def test_ten_thousand_connections(d):
    """All idle, with an invocation through the crowd now and then; they cost memory in proportion, and go away."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = min(10000, (hard if hard != resource.RLIM_INFINITY else 1 << 20) - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, want + 500)), hard))
    memory, keep = rss(d), []
    try:
        for n in range(want):
            s = socket.socket()
            s.settimeout(120)
            s.connect(("127.0.0.1", d.port))
            keep.append(s)
            if n % 2000 == 1999:
                good(d)
        assert rss(d) - memory < want * (8 << 10)
        good(d)
    finally:
        for s in keep:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    good(d)


def test_more_connections_than_descriptors(serve, function, tmp_path):
    """With few descriptors: the oldest idle connections make room, environments can still be started, and it is counted."""
    target = function("hello", {"lambda_function.py": HANDLER})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    port = tmp_path / "port"
    p = subprocess.Popen([PROGRAM, "serve", target, "--memory", "1769", "--port", "0", "--port-file", port, "--db", tmp_path / "small.db", "--quiet"], env=environment(),
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)), cwd=tmp_path)
    keep = []
    try:
        wait_for(lambda: port.exists() or p.poll() is not None, "the daemon is ready")
        at = ("127.0.0.1", int(port.read_text()))
        for _ in range(600):
            keep.append(socket.create_connection(at, timeout=120))
        c = http.client.HTTPConnection(*at, timeout=120)
        c.request("POST", PATH, '{"n": 1}')
        r = c.getresponse()
        assert r.status == 200 and json.loads(r.read()) == {"n": 1}
    finally:
        for s in keep:
            s.close()
        p.terminate()
        assert p.wait(60) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "small.db")) as db:
        assert db.execute("SELECT refused FROM runs").fetchone()[0] >= 300
