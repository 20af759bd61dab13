# SPDX-License-Identifier: Apache-2.0
"""500 environments at once, then idle: the daemon holds them, answers, and takes them away again."""
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import threading

import pytest

from conftest import SRC, left_behind, wait_for

COUNT = 500


@pytest.fixture
def descriptors():
    """Enough of them for both ends of every call, and the gate's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)) if hard != resource.RLIM_INFINITY else max(soft, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_five_hundred_idle_environments(serve, tmp_path, gate, descriptors):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no compiler for the small runtime")
    folder = tmp_path / "echo"
    folder.mkdir()
    command = [compiler, "-O1", "-D_GNU_SOURCE", SRC / "tests" / "bench" / "bench_runtime.c", "-o", folder / "bootstrap"]
    if subprocess.run([*command, "-static"], capture_output=True).returncode:
        subprocess.run(command, check=True)
    d = serve(folder, args=["--runtime", "provided.al2023", "--memory", "128", "--timeout", "300", "--quiet"])
    bad = []

    def call():
        a = d.invoke("echo", {"gate": gate.port}, timeout=400)
        if a.status != 200 or a.error:
            bad.append(a.body)

    threads = [threading.Thread(target=call) for _ in range(COUNT)]
    for t in threads:
        t.start()
    gate.wait(COUNT, 300)  # all have come before the first one's environment is free
    gate.open()
    for t in threads:
        t.join()
    assert not bad, bad[:3]
    wait_for(lambda: len([e for e in d.environments() if e["state"] == "idle" and e["frozen"]]) >= COUNT * 9 // 10, "they are idle and frozen", 120)
    living = len(d.environments())
    memory = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{d.process.pid}/status").read_text())[1]) * 1024
    assert memory < (40 << 20) + living * (128 << 10), (memory, living)
    # Connections that ended at the same time are closed one after the other.
    wait_for(lambda: len(os.listdir(f"/proc/{d.process.pid}/fd")) < 200 + living * 16, "descriptors are those of the environments")
    assert json.loads(d.invoke("echo", {"n": 1}).body) == {"n": 1}
    assert d.rows("SELECT count(*) AS n FROM invocations WHERE status = 'ok'") == [{"n": COUNT + 1}]
    pid = d.process.pid
    assert d.stop() == 0
    wait_for(lambda: not left_behind(pid), "all of them are gone", 120)
