# SPDX-License-Identifier: Apache-2.0
"""A Runtime API for tests of runtime clients: it hands out prepared events and keeps what it is sent."""
import collections
import json
import queue
import socket
import subprocess
import threading
import time

Post = collections.namedtuple("Post", "path headers body trailers chunked")
DEADLINE_S = 60
LEFT_MS = 30000  # from the moment in which an event is handed out


class FakeRuntimeApi:
    """Give it events, start the client, then wait() for its answers. Headers are kept in lower case."""

    def __init__(self, chunked=False, post_status=202, close_after=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.events = queue.Queue()
        self.posts = queue.Queue()
        self.idle = threading.Event()  # the client asks for an event and there is none
        self.connections = 0
        self.user_agents = set()
        self.chunked = chunked
        self.post_status = post_status
        self.close_after = close_after  # requests on one connection before it is closed without a word
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def add(self, event, request_id="11111111-1111-4111-8111-111111111111", **headers):
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        all_headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            "Content-Type": "application/json",
        }
        all_headers.update({k.replace("_", "-"): v for k, v in headers.items()})
        self.events.put((all_headers, body))

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        served = 0
        with conn, conn.makefile("rb") as reader:
            try:
                while self.serve_one(conn, reader):
                    served += 1
                    if self.close_after is not None and served >= self.close_after:
                        return
            except OSError:
                return

    @staticmethod
    def read_headers(reader):
        headers = collections.defaultdict(list)
        for line in iter(reader.readline, b"\r\n"):
            if not line:
                break
            name, _, value = line.decode("utf-8").partition(":")
            headers[name.lower()].append(value.strip())
        return {k: ", ".join(v) for k, v in headers.items()}

    def serve_one(self, conn, reader):
        line = reader.readline().split()
        if not line:
            return False
        method, path = line[0].decode(), line[1].decode()
        headers = self.read_headers(reader)
        self.user_agents.add(headers.get("user-agent"))
        if method == "GET":
            self.answer_next(conn)
            return True
        chunked = headers.get("transfer-encoding") == "chunked"
        body, trailers = self.read_chunked(reader) if chunked else (reader.read(int(headers["content-length"])), {})
        self.posts.put(Post(path.replace("/2018-06-01/runtime/", ""), headers, body, trailers, chunked))
        answer = b'{"status":"OK"}\n'
        head = "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (self.post_status, len(answer))
        conn.sendall(head.encode() + answer)
        return True

    def read_chunked(self, reader):
        body = b""
        while True:
            size = int(reader.readline(), 16)
            if size == 0:
                return body, self.read_headers(reader)
            body += reader.read(size)
            assert reader.readline() == b"\r\n"

    def answer_next(self, conn):
        try:
            headers, body = self.events.get_nowait()
        except queue.Empty:
            self.idle.set()
            headers, body = self.events.get()
        headers = {"Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + LEFT_MS), **headers}
        head = "HTTP/1.1 200 OK\r\n" + "".join("%s: %s\r\n" % pair for pair in headers.items())
        if self.chunked:
            pieces = [body[i:i + 700] for i in range(0, len(body), 700)]
            data = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
            conn.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode() + data)
            conn.sendall(b"0\r\n\r\n")
        else:
            conn.sendall((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body)


class Client:
    """A runtime client under test."""

    def __init__(self, api, argv, env, cwd):
        self.api = api
        self.process = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output = {"stdout": b"", "stderr": b""}
        self.readers = [threading.Thread(target=self.read, args=(name,), daemon=True) for name in self.output]
        for thread in self.readers:
            thread.start()

    def read(self, name):
        for line in getattr(self.process, name):
            self.output[name] += line

    def post(self):
        try:
            return self.api.posts.get(timeout=DEADLINE_S)
        except queue.Empty:
            raise AssertionError("the client sent nothing; %r" % (self.output,)) from None

    def wait(self):
        status = self.process.wait(DEADLINE_S)
        for thread in self.readers:
            thread.join(DEADLINE_S)
        return status

    def stop(self):
        """Ends it once it waits for an event, and gives what it printed."""
        assert self.api.idle.wait(DEADLINE_S), self.output
        self.process.kill()
        self.wait()
        return self.output["stdout"].decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.process.stdout.close()
        self.process.stderr.close()
