# SPDX-License-Identifier: Apache-2.0
"""Plays the steps of one case."""
import base64
import json
import math
import re
import signal
import socket
import subprocess
import threading
import time

from . import match, world
from .load import BadCase
from .match import Mismatch
from .world import NotCovered, wait_for

REGION, ACCOUNT = "us-east-1", "123456789012"


class Play:
    def __init__(self, case, w):
        self.case, self.w = case, w
        self.names = {"region": REGION, "account": ACCOUNT}
        for key in case.functions:
            self.names["name" if key == "fn" else f"name-{key}"] = world.function_name(case, key)
        if not w.foreign:
            self.names["dir"] = str(w.folder)
            self.names["clients"] = str(world.BUILD / "clients")
        self.background = {}

    # ---- text ---------------------------------------------------------------------------------------------------------------

    def fill(self, v):
        """<name>, <id> and the like inside what is sent."""
        if isinstance(v, str):
            for k, n in self.names.items():
                v = v.replace(f"<{k}>", str(n))
            return v
        if isinstance(v, dict):
            return {self.fill(k): self.fill(x) for k, x in v.items()}
        if isinstance(v, list):
            return [self.fill(x) for x in v]
        return v

    def payload(self, s):
        if "raw" in s:
            return self.fill(s["raw"]).encode("utf-8", "surrogateescape")
        if "base64" in s:
            return base64.b64decode(s["base64"])
        if "size" in s:
            return b'"' + b"x" * (s["size"] - 2) + b'"'
        if "event" in s:
            return json.dumps(self.fill(s["event"])).encode()
        if "ops" in s:
            return json.dumps({"ops": self.fill(s["ops"])}).encode()
        return b"{}"

    # ---- calls --------------------------------------------------------------------------------------------------------------

    def send(self, kind, s):
        headers = {k: self.fill(str(v)) if not isinstance(v, dict) else "x" * v["size"] for k, v in s.get("headers", {}).items()}
        if kind == "request":
            body = self.payload(s) if {"raw", "size", "event", "ops", "base64"} & set(s) else None
            return self.w.request(s.get("method", "GET"), self.fill(s["path"]), headers, body)
        name = self.names["name" if s.get("function", "fn") == "fn" else f"name-{s['function']}"]
        if s.get("type"):
            headers["X-Amz-Invocation-Type"] = s["type"]
        if s.get("tail"):
            headers["X-Amz-Log-Type"] = "Tail"
        query = f"?Qualifier={s['qualifier']}" if "qualifier" in s else ""
        return self.w.request("POST", f"/2015-03-31/functions/{name}/invocations{query}", headers, self.payload(s))

    def call(self, kind, step):
        s, expect = step[kind], step.get("expect", {})
        wants_tail = {"tail", "tail_has", "tail_size", "tail_ends"} & set(expect)
        if wants_tail:
            s = dict(s, tail=True)
        if {"log", "log_has"} & set(expect) and not self.w.foreign:
            self.settle()
        offset = 0 if self.w.foreign else self.w.log_size()
        if s.get("background"):
            box = {}

            def work():
                try:
                    box["answer"] = self.send(kind, s)
                except Exception as e:  # given on at the join
                    box["error"] = e

            t = threading.Thread(target=work, daemon=True)
            t.start()
            self.background[s["background"]] = (t, box, offset)
            return
        times = s.get("times", 1)
        for _ in range(times):
            answer = self.send(kind, s)
            if answer.status == s.get("until"):
                break
        self.check_answer(step, answer, offset)

    def settle(self):
        """The lines of the call before come after its answer: they are not this call's."""
        last = self.w.last_id
        if last:
            wait_for(lambda: f"REPORT RequestId: {last}" in (text := self.w.log_since(0)) or re.search(rf'platform\.report[^\n]*"{last}"', text), f"the REPORT line of {last}")

    def join(self, step):
        t, box, offset = self.background.pop(step["join"])
        t.join(300)
        if t.is_alive():
            raise Mismatch(f"{step['join']}: no answer within 300 s")
        if "error" in box:
            raise box["error"]
        self.check_answer(step, box["answer"], offset)

    # ---- what came ----------------------------------------------------------------------------------------------------------

    def check_answer(self, step, a, offset):
        expect = self.fill_names(step, a)
        if "status" in expect and a.status != expect["status"]:
            raise Mismatch(f"status: expected {expect['status']}, got {a.status}: {match.short(a.text)}")
        for k, v in expect.get("headers", {}).items():
            got = a.headers.get(k.lower())
            if v is None:
                if got is not None:
                    raise Mismatch(f"header {k}: expected none, got {got!r}")
            elif got is None:
                raise Mismatch(f"no header {k}")
            else:
                match.check_text(f"header {k}", got, str(v), self.names)
        if "body" in expect:
            match.check_text("body", a.text, expect["body"], self.names)
        if "body_size" in expect and len(a.body) != expect["body_size"]:
            raise Mismatch(f"body: expected {expect['body_size']} bytes, got {len(a.body)}: {match.short(a.text)}")
        if "json" in expect:
            try:
                got = json.loads(a.body)
            except ValueError:
                raise Mismatch(f"body is not JSON: {match.short(a.text)}")
            match.check_value("body", got, expect["json"], self.names)
        if "took_ms" in expect and not match.number_is(a.took, expect["took_ms"]):
            raise Mismatch(f"the answer took {a.took:.0f} ms, expected {expect['took_ms']}")
        self.check_tail(expect, a)
        if not self.w.foreign:
            self.check_log(expect, offset)
            self.check_rows(expect, a)

    def fill_names(self, step, a):
        self.names["id"] = a.request_id
        if a.status == 200 and "x-amz-executed-version" in a.headers:
            self.w.last_id = a.request_id
        if "as" in step:
            self.names[f"id-{step['as']}"] = a.request_id
        return step.get("expect", {})

    def check_tail(self, expect, a):
        if not {"tail", "tail_has", "tail_size", "tail_ends"} & set(expect):
            return
        if "x-amz-log-result" not in a.headers:
            raise Mismatch("no header X-Amz-Log-Result")
        tail = base64.b64decode(a.headers["x-amz-log-result"]).decode("utf-8", "surrogateescape")
        if "tail" in expect:
            match.check_text("log tail", tail, expect["tail"], self.names)
        if "tail_has" in expect:
            match.check_lines("log tail", tail.split("\n"), expect["tail_has"], self.names, False)
        if "tail_size" in expect and len(tail.encode("utf-8", "surrogateescape")) != expect["tail_size"]:
            raise Mismatch(f"log tail: expected {expect['tail_size']} bytes, got {len(tail)}")

    def check_log(self, expect, offset):
        for key, whole in (("log", True), ("log_has", False)):
            if key not in expect:
                continue
            want = expect[key].split("\n")[:-1] if isinstance(expect[key], str) else expect[key]
            end = time.monotonic() + 30
            while True:
                # What the daemon says beside Lambda's lines is no part of them.
                text = re.sub(r"^lambdafit: [^\n]*: (BROKEN|NEAR) [^\n]*\n  fix: [^\n]*\n", "", self.w.log_since(offset), flags=re.M)
                try:
                    match.check_lines("log", text.split("\n")[:-1], want, self.names, whole)
                    break
                except Mismatch:
                    if time.monotonic() > end:
                        raise
                time.sleep(0.01)

    def check_rows(self, expect, a):
        if "row" in expect:
            rows = self.w.rows("SELECT * FROM invocations WHERE request_id = ?", a.request_id)
            if len(rows) != 1:
                raise Mismatch(f"expected one row of {a.request_id}, got {len(rows)}")
            match.check_value("row", rows[0], {**expect["row"], "...": 1}, self.names)
            rows[0]["ceil"] = math.ceil
        if "violations" in expect:
            rows = self.w.rows("SELECT * FROM violations WHERE request_id = ? ORDER BY limit_id", a.request_id)
            self.check_violations(rows, expect["violations"])
        for formula in expect.get("that", []):
            row = dict(self.w.rows("SELECT * FROM invocations WHERE request_id = ?", a.request_id)[0])
            try:
                ok = eval(formula, {"__builtins__": {}}, {**row, "ceil": math.ceil, "abs": abs, "took_ms": a.took, "len": len})
            except Exception as e:
                raise Mismatch(f"{formula}: {e}")
            if not ok:
                raise Mismatch(f"not true: {formula}, with {row}")

    def check_violations(self, rows, want):
        got = [r["limit_id"] for r in rows]
        if sorted(got) != sorted(v["limit_id"] for v in want):
            raise Mismatch(f"violations: expected {[v['limit_id'] for v in want]}, got {rows}")
        for v, r in zip(sorted(want, key=lambda v: v["limit_id"]), rows):
            match.check_value(f"violation {v['limit_id']}", r, {**v, "...": 1}, self.names)

    # ---- other steps ----------------------------------------------------------------------------------------------------------

    def saw(self, step):
        """Asks the scripted runtime what it has seen."""
        want = step["saw"]
        function = "fn"
        if isinstance(want, dict):
            function, want = want.get("function", "fn"), want["list"]
        a = self.send("invoke", {"event": {"report": True}, "function": function})
        try:
            got = json.loads(a.body)
        except ValueError:
            got = None
        if a.status != 200 or not isinstance(got, list):
            raise Mismatch(f"the runtime does not report: {a.status} {match.short(a.text)}")
        match.check_value("seen by the runtime", got, want, self.names)

    def sql(self, step):
        s = step["sql"]
        query, want = self.fill(s["query"]), s["gives"]
        last = None
        end = time.monotonic() + s.get("within_s", 60)
        while True:
            rows = [list(r.values()) for r in self.w.rows(query)]
            try:
                match.check_value(query, rows, want, self.names)
                return
            except Mismatch as e:
                last = e
            if time.monotonic() > end:
                raise last
            time.sleep(0.02)

    def raw(self, step):
        """Bytes to the Invoke API's own port; what comes until the other side closes or is silent after a whole answer."""
        s, expect = step["raw"], step.get("expect", {})
        data = self.fill(s["send"]).encode("latin-1")
        if "size" in s:
            data += b"x" * s["size"]
        with socket.create_connection((self.w.host, self.w.port), timeout=60) as c:
            got = b""
            try:
                c.sendall(data)
                if s.get("half_close"):
                    c.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                while not re.search(s.get("until", r"\r\n\r\n"), got.decode("latin-1")):
                    more = c.recv(65536)
                    if not more:
                        break
                    got += more
            except ConnectionError:
                pass
        text = got.decode("latin-1")
        if "starts" in expect and not text.startswith(expect["starts"]):
            raise Mismatch(f"expected it to start with {expect['starts']!r}, got {match.short(text)}")
        if "text" in expect:
            match.check_text("answer", text, expect["text"], self.names)

    def environments(self, step):
        want = step["environments"]
        last = [None]

        def look():
            got = json.loads(self.w.request("GET", "/lambdafit/environments", {}, None).body)
            got = [e for e in got if e["function"] in self.names.values()]
            last[0] = got
            try:
                match.check_value("environments", got, want["are"], self.names)
                return True
            except Mismatch as e:
                last[0] = e
                return False

        wait_for(look, lambda: str(last[0]), want.get("within_s", 60))

    def daemon(self, step):
        how = step["daemon"]
        if how in ("kill", "stop"):
            self.w.stop(signal.SIGKILL if how == "kill" else signal.SIGTERM)
        elif how == "start":
            self.w.start()
        else:
            raise BadCase(f"daemon: {how}")

    def run(self, step):
        s = step["run"]
        args = [str(world.PROGRAM), *(self.fill(str(a)) for a in s["args"])]
        self.command(step, args, {"LAMBDAFIT_DB": str(self.w.folder / "run.db"), **s.get("env", {})}, s.get("stdin"))

    def script(self, step):
        """A program with a client of AWS's: Python with boto3, which finds the endpoint in ENDPOINT and the function's name in NAME."""
        sdk = world.BUILD / "clients" / "aws"
        env = {"ENDPOINT": f"http://{self.w.host}:{self.w.port}", "NAME": self.names.get("name", ""), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
               "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(sdk) if sdk.is_dir() else "", "PYTHONDONTWRITEBYTECODE": "1"}
        self.command(step, ["/usr/bin/python3", "-c", self.fill(step["script"]["python"])], env, None)

    def command(self, step, args, env, stdin):
        expect = step.get("expect", {})
        try:
            p = subprocess.run(args, input=stdin, capture_output=True, text=True, env=world.clean_environment(env), cwd=self.w.folder, timeout=600, errors="replace")
        except subprocess.TimeoutExpired:
            raise Mismatch("the command did not end within 600 s")
        if "status" in expect and p.returncode != expect["status"]:
            raise Mismatch(f"exit status: expected {expect['status']}, got {p.returncode}: {match.short(p.stderr, 2000)}")
        for k in ("stdout", "stderr"):
            if k in expect:
                match.check_text(k, getattr(p, k), expect[k], self.names)
            if k + "_has" in expect:
                match.check_lines(k, getattr(p, k).split("\n"), expect[k + "_has"], self.names, False)
        if "json" in expect:
            match.check_value("stdout", json.loads(p.stdout), expect["json"], self.names)

    def core(self, step):
        """One or more questions to the core of the product, with no clock and no sandbox."""
        s = step["core"]
        if not world.CORE.exists():
            raise NotCovered("the program that asks the core is not built (make check builds it)")
        questions = "".join(json.dumps(q) + "\n" for q in s["ask"])
        args = [str(world.CORE), world.profile_argument(self.case.profile, self.w.folder)]
        p = subprocess.run(args, input=questions, capture_output=True, text=True, env=world.clean_environment(), timeout=300)
        if p.returncode != 0:
            raise Mismatch(f"core: {p.returncode} {p.stderr}")
        match.check_value("core", [json.loads(line) for line in p.stdout.splitlines()], s["gives"], self.names)

    def file(self, step):
        """A file that the daemon writes; read until it is as expected."""
        s = step["file"]
        path = self.w.folder / self.fill(s["path"])
        last = [Mismatch(f"{path} is not there")]

        def look():
            try:
                text = path.read_text()
                if "lines" in s:
                    match.check_lines(s["path"], text.split("\n")[:-1], s["lines"], self.names, True)
                else:
                    match.check_value(s["path"], [json.loads(line) for line in text.splitlines()], s["json"], self.names)
                return True
            except FileNotFoundError:
                return False
            except (Mismatch, ValueError) as e:
                last[0] = e
                return False

        wait_for(look, lambda: str(last[0]), s.get("within_s", 60))

    def step(self, step):
        for kind in ("invoke", "request"):
            if kind in step:
                return self.call(kind, step)
        if "pass_ms" in step:
            return time.sleep(step["pass_ms"] / 1000)  # time is the subject here: nothing is waited for
        kind = next(k for k in step if k not in ("expect", "as"))
        return getattr(self, kind)(step)

    def play(self):
        self.w.prepare(self.case)
        for i, step in enumerate(self.case.steps):
            try:
                self.step(step)
            except Mismatch as e:
                raise Mismatch(f"step {i + 1}: {e}")
            except (OSError, AssertionError) as e:
                raise Mismatch(f"step {i + 1}: {type(e).__name__}: {e}")
