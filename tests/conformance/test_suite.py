# SPDX-License-Identifier: Apache-2.0
"""The suite itself: that it refuses badly written cases, sees differences, works on a foreign endpoint, and that its page is current."""
import http.server
import os
import pathlib
import subprocess
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from suite import doc, load, match, runner, world  # noqa: E402

GOOD = """
group: G
cases:
- id: a-case
  behaviour: b
  source: s
  steps:
  - invoke: {event: 1}
    expect: {status: 200, body: '1'}
"""


@pytest.mark.parametrize("old,new,word", [
    ("id: a-case", "id: A Case", "small letters"),
    ("source: s", "source: ''", "source"),
    ("behaviour: b", "behavior: b", "behaviour"),
    ("status: 200", "stauts: 200", "stauts"),
    ("invoke: {event: 1}", "invok: {event: 1}", "exactly one"),
    ("  steps:\n  - invoke: {event: 1}\n    expect: {status: 200, body: '1'}\n", "  steps: []\n", "no steps"),
])
def test_bad_cases_are_refused(old, new, word):
    load.parse(GOOD, "x.yaml")
    with pytest.raises(load.BadCase, match=word):
        load.parse(GOOD.replace(old, new), "x.yaml")


def test_an_id_is_used_once(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(load.BadCase, match="a-case"):
        load.load(tmp_path)


@pytest.mark.parametrize("got,want,same", [
    ("Duration: 1.25 ms", "Duration: <ms> ms", True),
    ("Duration: 1.2 ms", "Duration: <ms> ms", False),
    ("id 7", "id <id>", True),
    ("id 8", "id <id>", False),
    ("a.c", "a.c", True),
    ("abc", "a.c", False),
    ("x\n", "x", False),
    ("<b>", "<b>", True),
])
def test_patterns(got, want, same):
    assert match.text_is(got, want, {"id": 7}) is same


@pytest.mark.parametrize("got,want,same", [
    ({"a": 1, "b": 2}, {"a": 1}, False),
    ({"a": 1, "b": 2}, {"a": 1, "...": 1}, True),
    ({"b": 2}, {"a": None, "...": 1}, True),
    ([1], [1, 2], False),
    (5, ">= 5 < 6", True),
    (6, ">= 5 < 6", False),
    (None, "<set>", False),
    (True, 1, False),
    ("1", 1, False),
])
def test_values(got, want, same):
    if same:
        match.check_value("v", got, want, {})
    else:
        with pytest.raises(match.Mismatch):
            match.check_value("v", got, want, {})


class Wrong(http.server.BaseHTTPRequestHandler):
    """An endpoint that has every function and answers each with almost the right thing."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        dry = self.headers.get("X-Amz-Invocation-Type") == "DryRun"
        self.send_response(204 if dry else 200)
        if not dry:
            self.send_header("Content-Length", "2")
        self.end_headers()
        if not dry:
            self.wfile.write(b"no")

    def log_message(self, *args):
        pass


def suite(*args):
    env = dict(os.environ, TOP_SRCDIR=str(world.SRC), TOP_BUILDDIR=str(world.BUILD))
    return subprocess.run([sys.executable, str(HERE / "run.py"), *args], capture_output=True, text=True, env=env, timeout=900)


def test_a_wrong_endpoint_fails():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        r = suite("--endpoint", f"http://127.0.0.1:{server.server_port}", "--case", "inv-empty-body", "--case", "inv-not-json")
    finally:
        server.shutdown()
        server.server_close()
    assert r.returncode == 1, r.stdout
    assert "failed      inv-empty-body" in r.stdout and "expected: {}\n  got:      no" in r.stdout
    assert "not covered inv-not-json: it looks inside our own daemon" in r.stdout
    assert r.stdout.endswith("0 passed, 1 failed, 1 not covered\n")


def test_a_foreign_endpoint_that_is_right(tmp_path):
    """Our own daemon, treated as somebody else's: the packaged functions are deployed, cases without a look inside pass."""
    ids = ["inv-empty-body", "inv-trailing-slash", "inv-qualifier-unknown", "rt-bad-response-mode", "inv-function-not-found"]
    chosen = [x for i in ids for x in ("--case", i)]
    assert suite("--package", str(tmp_path / "functions"), *chosen).returncode == 0
    targets = sorted((tmp_path / "functions").iterdir())
    assert [t.name for t in targets] == sorted(ids[:4])
    port_file = tmp_path / "port"
    command = [str(world.PROGRAM), "serve", *map(str, targets), "--port", "0", "--port-file", str(port_file), "--db", str(tmp_path / "log.db"), "--memory", "1792"]
    with open(tmp_path / "err", "wb") as err:
        p = subprocess.Popen(command, stderr=err, env=world.clean_environment())
    try:
        world.wait_for(lambda: port_file.exists() or p.poll() is not None, "the daemon is ready")
        endpoint = f"http://127.0.0.1:{int(port_file.read_text())}"
        r = suite("--endpoint", endpoint, *chosen, "--case", "inv-headers")
    finally:
        p.terminate()
        p.wait(60)
    assert r.returncode == 0, r.stdout
    assert "not covered inv-headers: the endpoint has no function inv-headers" in r.stdout
    assert r.stdout.endswith("5 passed, 0 failed, 1 not covered\n")


def test_list_and_unknown_case():
    r = suite("--list")
    assert r.returncode == 0 and "rt-next-twice@2020" in r.stdout
    r = suite("--case", "no-such")
    assert r.returncode == 1 and "no such case" in r.stderr


def test_the_page_is_current(request):
    """docs/conformance.md is what the cases and this run give. Run after the cases; alone it checks all but the statuses."""
    groups = load.load()
    played = getattr(request.config, "conformance_results", [])
    want = doc.render(groups, doc.merged(groups, played))
    assert doc.PATH.read_text() == want, "run scripts/conformance --write-doc"
