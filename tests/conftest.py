# SPDX-License-Identifier: Apache-2.0
"""For every test in Python: a report may hold bytes that are no text (a sandbox's output); a junit file may not."""
import pytest


def _clean(text):
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c in "\t\n\r" or c >= " " else f"\\x{ord(c):02x}" for c in text)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    if report.longrepr is not None and report.failed:
        report.longrepr = _clean(str(report.longrepr))
    report.sections = [(name, _clean(content)) for name, content in report.sections]
