# SPDX-License-Identifier: Apache-2.0
"""A daemon for the whole test session, on a free port. Set LAMBDAFIT_TARGETS to the functions' folders, or to -t template.yaml."""
import os
import shlex
import subprocess
import time

import pytest


@pytest.fixture(scope="session")
def lambdafit(tmp_path_factory):
    """The endpoint: give it to an AWS SDK as endpoint_url, or call it with HTTP."""
    folder = tmp_path_factory.mktemp("lambdafit")
    port_file = folder / "port"
    targets = shlex.split(os.environ.get("LAMBDAFIT_TARGETS", "."))
    with open(folder / "serve.log", "wb") as log:
        daemon = subprocess.Popen(["lambdafit", "serve", *targets, "--port", "0", "--port-file", str(port_file), "--db", str(folder / "log.db")],
                                  stdout=subprocess.DEVNULL, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():  # written whole, when it is ready
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "serve.log").read_text(errors="replace"))
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
