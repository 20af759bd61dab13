# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, spoken to through two pipes."""
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


class Browser:
    def __init__(self, tmp):
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()
        self.err = open(tmp / "chromium.err", "wb")  # noqa: SIM115, closed in stop
        # The pipes have to be descriptors 3 and 4 there.
        command = ["bash", "-c", f'exec {PROGRAM} "$@" 3<&{to_read} 4>&{from_write}', "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-extensions", "--remote-debugging-pipe", f"--user-data-dir={tmp / 'chromium'}", "about:blank"]
        self.process = subprocess.Popen(command, pass_fds=(to_read, from_write), stdout=self.err, stderr=self.err, start_new_session=True,
                                        env={**os.environ, "HOME": str(tmp)})
        os.close(to_read)
        os.close(from_write)
        self.number, self.rest, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.page(f"{domain}.enable")

    def message(self, seconds=180):
        end = time.monotonic() + seconds
        while b"\0" not in self.rest:
            if not select.select([self.answers], [], [], max(end - time.monotonic(), 0))[0]:
                raise AssertionError(f"no answer from the browser within {seconds} s")
            data = os.read(self.answers, 1 << 20)
            assert data, "the browser has ended"
            self.rest += data
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def page(self, method, **params):
        return self.call(method, session=self.session, **params)

    def js(self, expression):
        result = self.page("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url, width=1200, height=900, dark=False):
        self.page("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        self.page("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message())

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        return [e["params"] for e in self.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]

    def stop(self):
        os.close(self.to)
        os.close(self.answers)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)
        self.err.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("chromium is not installed")
    b = Browser(tmp_path_factory.mktemp("browser"))
    yield b
    b.stop()
