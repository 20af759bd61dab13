# SPDX-License-Identifier: Apache-2.0
"""What is made from the program's tables is current, and help is complete."""
import pytest

from conftest import SRC


@pytest.mark.parametrize("form,path", [("man", "docs/lambdafit.1"), ("markdown", "docs/cli.md"), ("bash", "docs/completion/lambdafit")])
def test_generated(run, form, path):
    r = run("help", "--format", form)
    assert r.returncode == 0 and r.stdout == (SRC / path).read_text(), f"{path} is old: make docs"


def test_every_command_has_help(run):
    commands = [line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ") and not line.startswith("  lambdafit")]
    assert {"run", "serve", "invoke", "ps", "log", "doctor", "profile"} <= set(commands)
    for c in commands:
        r = run(c, "--help")
        assert r.returncode == 0 and "usage: lambdafit " + c in r.stdout and "examples:" in r.stdout, c


def test_version(run):
    assert run("--version").stdout.startswith("lambdafit ")
