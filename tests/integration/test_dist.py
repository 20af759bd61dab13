# SPDX-License-Identifier: Apache-2.0
"""A release can be made again by whoever doubts it: two tarballs of the same tree are the same bytes."""
import hashlib
import os
import re
import subprocess
import tarfile

from conftest import BUILD


def make_dist(tmp_path, name, umask, env):
    """The tarball, made under other circumstances each time: when, by which umask, in which time zone."""
    made = subprocess.run(["make", "-s", "dist"], cwd=BUILD, capture_output=True, text=True, umask=umask, timeout=300,
                          env=dict({k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}, **env))
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    version = re.search(r"^VERSION = (\S+)$", (BUILD / "Makefile").read_text(), re.M).group(1)
    (BUILD / f"lambdafit-{version}.tar.xz").rename(tmp_path / name)
    return tmp_path / name


def test_the_same_bytes(tmp_path):
    first = make_dist(tmp_path, "a.tar.xz", 0o022, {"TZ": "UTC", "XZ_OPT": "-1"})
    second = make_dist(tmp_path, "b.tar.xz", 0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "C", "XZ_OPT": "-1"})
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    with tarfile.open(first) as tar:
        members = tar.getmembers()
    names = [m.name for m in members]
    assert any(n.endswith("/configure") for n in names) and any(n.endswith("/src/cli/main.c") for n in names)
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert len({m.mtime for m in members}) == 1
    assert not [n for n in names if "__pycache__" in n or n.endswith((".o", ".pyc"))]
