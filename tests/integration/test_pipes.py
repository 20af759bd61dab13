# SPDX-License-Identifier: Apache-2.0
"""Readers that go away: `lambdafit log | head -1`. Every command ends soon, as other programs do, and what was invoked is in the log. And outputs that are
no files: `--html /dev/null`, `--html >(command)`."""
import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import threading

import pytest

from conftest import PROGRAM, environment, left_behind, wait_for

# Done before it was noticed, told by the signal, or with the status of what cannot be written and its reason.
CLEAN = (0, -signal.SIGPIPE, 4)
HANDLER = 'def lambda_handler(event, context):\n    print("said")\n    return "x" * 20000\n'


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipes")
    (folder / "wordy").mkdir()
    (folder / "wordy" / "lambda_function.py").write_text(HANDLER)
    subprocess.run([PROGRAM, "run", folder / "wordy", "-n", "400", "--memory", "1024", "--quiet", "--db", folder / "log.db"], check=True, stdout=subprocess.DEVNULL,
                   env=environment(), timeout=120)
    return folder


def rows(db):
    with contextlib.closing(sqlite3.connect(db)) as d:
        return d.execute("SELECT count(*) FROM invocations").fetchone()[0]


def leave(folder, args, read):
    """Starts it, reads so many bytes, goes away. Its status, and what it said."""
    with open(folder / "err", "w+b") as err:
        p = subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.PIPE, stderr=err, env=environment(), cwd=folder)
        assert len(p.stdout.read(read)) == read
        p.stdout.close()
        status = p.wait(60)
        err.seek(0)
        return p.pid, status, err.read().decode(errors="replace")


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("args", [["log"], ["log", "--json"], ["report"], ["report", "--json"], ["top", "--once"], ["profile", "show"], ["--help"]], ids=" ".join)
def test_what_prints(log, args, read):
    _, status, said = leave(log, args + (["--db", log / "log.db"] if args[0] in ("log", "report", "top") else []), read)
    assert status in CLEAN, said
    assert status != 4 or said.startswith("lambdafit: "), said


@pytest.mark.parametrize("args", [[], ["--json"], ["--quiet"]], ids=["plain", "json", "quiet"])
def test_run(log, args):
    db = log / f"run{len(args)}{args[:1]}.db"
    pid, status, said = leave(log, ["run", "wordy", "-n", "300", "--memory", "1024", "--db", db, *args], 1)
    assert status in CLEAN, said[-500:]
    assert 1 <= rows(db) <= 300
    wait_for(lambda: not left_behind(pid), f"nothing is left behind: {left_behind(pid)}")


def test_follow(serve, log):
    d = serve(log / "wordy", args=["--memory", 1024])
    d.invoke("wordy")
    p = subprocess.Popen([PROGRAM, "log", "--follow", "--json", "--db", d.db], stdout=subprocess.PIPE, env=environment())
    assert b"request_id" in p.stdout.readline()
    p.stdout.close()

    def ended():
        d.invoke("wordy")
        return p.poll() is not None

    wait_for(ended, "the end of `log --follow` whose reader has gone", 30)
    assert p.returncode in CLEAN


def test_the_daemons_own_output(log, tmp_path):
    """Both outputs of a daemon may be pipes of a script that has ended."""
    r, w = os.pipe()
    port = tmp_path / "port"
    p = subprocess.Popen([PROGRAM, "serve", log / "wordy", "--memory", "1024", "--port", "0", "--port-file", port, "--db", tmp_path / "l.db"], stdout=w, stderr=w,
                         env=environment())
    os.close(w)
    wait_for(lambda: port.exists() or p.poll() is not None, "the daemon is ready")
    os.close(r)
    for _ in range(3):
        out = subprocess.run([PROGRAM, "invoke", "wordy", "--endpoint", f"http://127.0.0.1:{port.read_text().strip()}"], capture_output=True, env=environment(), timeout=60)
        assert out.returncode == 0 and len(out.stdout) > 20000, out
    p.terminate()
    assert p.wait(30) == 0
    assert rows(tmp_path / "l.db") == 3
    wait_for(lambda: not left_behind(p.pid), f"nothing is left behind: {left_behind(p.pid)}")


# ---- outputs that are no files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path):
    """(a pipe with a name, what ends it and gives what was written to it). It stands for /dev/null, which a test must not take away from the machine."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ends = os.open(path, os.O_RDWR)  # so that neither side waits for the other
    heard = bytearray()

    def hear():
        while not heard.endswith(b"THE END"):
            heard.extend(os.read(ends, 65536))

    t = threading.Thread(target=hear)
    t.start()

    def end():
        if t.is_alive():
            os.write(ends, b"THE END")
            t.join()
        assert stat.S_ISFIFO(os.lstat(path).st_mode), "it is what it was"
        return bytes(heard).removesuffix(b"THE END")

    end.heard = heard
    yield path, end
    end()
    os.close(ends)


OUTPUTS = {
    "report": (["report", "--db", "LOG", "--html", "PIPE"], b"</html>"),
    "layer size": (["layer", "size", "wordy", "--html", "PIPE"], b"</html>"),
    "simulate": (["simulate", "--arrivals", "constant:1/s", "--warm", "fixed:1s", "--for", "9s", "--html", "PIPE"], b"</html>"),
    "check": (["check", "check.yaml", "--db", "TMP/check.db", "--junit", "PIPE"], b"</testsuites>"),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_an_output_that_is_no_file(log, pipe, tmp_path, what):
    path, end = pipe
    args, last = OUTPUTS[what]
    (log / "check.yaml").write_text("functions:\n  wordy: {target: wordy, network: none, cold: 1, warm: 1, timeout: 60}\n")
    command = [a.replace("PIPE", str(path)).replace("LOG", str(log / "log.db")).replace("TMP", str(tmp_path)) for a in args]
    p = subprocess.run([PROGRAM, *command], capture_output=True, text=True, env=environment(), cwd=log, timeout=300)
    assert p.returncode == 0, p.stderr
    assert end().rstrip().endswith(last)


@pytest.mark.parametrize("args", [["log", "merge", "log.db", "-o"], ["layer", "build", "wordy", "--as", "python", "-o"]], ids=["log merge", "layer build"])
def test_archives_and_logs_want_a_file(log, pipe, args):
    path, end = pipe
    p = subprocess.run([PROGRAM, *args, path], capture_output=True, text=True, env=environment(), cwd=log, timeout=300)
    assert p.returncode == 4 and "is no file" in p.stderr and "fix: " in p.stderr, p.stderr
    assert end() == b""


def test_a_port_file_that_is_no_file(log, pipe, tmp_path):
    path, end = pipe
    with subprocess.Popen([PROGRAM, "serve", log / "wordy", "--port", "0", "--port-file", path, "--db", tmp_path / "l.db", "--quiet"], env=environment()) as p:
        wait_for(lambda: end.heard.endswith(b"\n") or p.poll() is not None, "the port is told")
        p.terminate()
    assert p.returncode == 0 and int(end()) > 0
