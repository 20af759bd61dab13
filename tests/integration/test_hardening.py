# SPDX-License-Identifier: Apache-2.0
"""What configure promised of the built programs, read from their ELF headers: a random place in memory, nothing writable that is executable, no
pointer table that stays writable, checks of the stack and of buffers."""
import re
import subprocess

import pytest

from conftest import BUILD

HARDENED = re.search(r"^LF_HARDENED = (.*)$", (BUILD / "Makefile").read_text(), re.M).group(1)
SANITIZED = "-fsanitize=" in re.search(r"^LF_CFLAGS = (.*)$", (BUILD / "Makefile").read_text(), re.M).group(1)
pytestmark = pytest.mark.skipif(SANITIZED, reason="a build with sanitizers is not hardened")


def elf(program, *what):
    return subprocess.run(["readelf", "-W", *what, BUILD / program], check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


@pytest.mark.parametrize("flag", ["-fstack-protector-strong", "-D_FORTIFY_SOURCE=", "-fPIE -pie", "-z,relro", "-z,now", "-z,noexecstack"])
def test_the_compiler_took_it(flag):
    assert flag in HARDENED, f"configure did not take it, or this build is by --disable-hardening: {HARDENED}"


@pytest.mark.parametrize("program", ["lambdafit", "lambdafit-init"])
def test_the_program_has_it(program):
    assert re.search(r"^\s*Type:\s+DYN ", elf(program, "-h"), re.M), "not position independent"
    segments = elf(program, "-l")
    assert "GNU_RELRO" in segments
    kinds = {m.group(1): m.group(2).replace(" ", "") for m in re.finditer(r"^\s+(LOAD|GNU_STACK)(?:\s+0x[0-9a-f]+){5} ([R ][W ][E ])", segments, re.M)}
    assert kinds["GNU_STACK"] == "RW", kinds
    loads = re.findall(r"^\s+LOAD(?:\s+0x[0-9a-f]+){5} ([R ][W ][E ])", segments, re.M)
    assert len(loads) >= 3 and not any("W" in flags and "E" in flags for flags in loads), loads
    dynamic = elf(program, "-d")
    assert re.search(r"\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW", dynamic), "symbols are bound late: their table stays writable"
    assert "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic
    symbols = elf(program, "-s")
    assert "__stack_chk_fail" in symbols, "no stack protector"
    assert re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")), "no fortified call"
