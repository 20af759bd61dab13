# SPDX-License-Identifier: Apache-2.0
"""Plays many cases: those that agree in profile and options share a daemon; a few daemons run at a time."""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import yaml

from . import world
from .load import BadCase
from .match import Mismatch
from .play import Play
from .world import NotCovered

WORKERS = 3
SHARE = 20  # cases a daemon at most, so that the work can be spread


class Result:
    def __init__(self, case, status, detail, seconds):
        self.case, self.status, self.detail, self.seconds = case, status, detail, seconds


_have = {}


def have(need):
    """What a case says it needs of the machine."""
    if not _have:
        p = subprocess.run([str(world.PROGRAM), "doctor", "--json"], capture_output=True, text=True, env=world.clean_environment())
        import json

        doctor = json.loads(p.stdout) if p.stdout else {}
        _have["sandbox"] = doctor.get("sandbox", False)
        for k, v in doctor.get("enforcement", {}).items():
            _have[k] = v == "kernel"
        _have["root"] = os.getuid() == 0
        for p in (world.BUILD / "clients").glob("*/"):
            _have[f"client-{p.name}"] = True
        _have["boto3"] = subprocess.run(["/usr/bin/python3", "-c", "import boto3"], capture_output=True).returncode == 0 or _have.get("client-aws", False)
        _have["node"] = shutil.which("node") is not None
    return _have.get(need, False)


def groups(cases):
    """Cases by daemon."""
    shared, out = {}, []
    for c in cases:
        if c.alone:
            out.append([c])
            continue
        key = (c.profile_key, yaml.safe_dump(c.options))
        g = shared.setdefault(key, [])
        if len(g) == SHARE:
            g = shared[key] = []
        if not g:
            out.append(g)
        g.append(c)
    # The longest first, so that the end is not one worker's alone.
    return sorted(out, key=lambda g: -len(g))


def play_one(case, w):
    began = time.monotonic()
    try:
        if w.foreign and case.inside:
            raise NotCovered("it looks inside our own daemon")
        if not w.foreign:
            for n in case.needs:
                if not have(n):
                    raise NotCovered(f"{n} is not built: run scripts/test" if n.startswith("client-") else f"{n} is not here" if n in ("node", "boto3")
                                     else f"kernel cannot: {n}")
        Play(case, w).play()
        status, detail = "passed", ""
    except NotCovered as e:
        status, detail = "not covered", str(e)
    except Mismatch as e:
        status, detail = "failed", str(e)
    except BadCase as e:
        status, detail = "failed", f"the case is written wrongly: {e}"
    except Exception as e:
        status, detail = "failed", f"{type(e).__name__}: {e}"
    return Result(case, status, detail, time.monotonic() - began)


def play_group(cases, told):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lfconf-"))
    folder.chmod(0o755)
    w = None
    out = []
    try:
        try:
            w = world.Own(folder, cases)
            w.start()
        except Exception as e:
            out = [Result(c, "failed", f"no daemon: {e}", 0.0) for c in cases]
            for r in out:
                told(r)
        else:
            for c in cases:
                r = play_one(c, w)
                if r.status == "failed" and w.process and w.process.poll() is not None and not c.alone:
                    r.detail += f"\n  the daemon has ended with {w.process.returncode}"
                    out.append(r)
                    told(r)
                    w.start()
                    continue
                out.append(r)
                told(r)
                if c is cases[-1] and (bad := w.bad_end()):
                    r.status, r.detail = "failed", f"{r.detail}\n  {bad}".strip()
                    told(r)
    finally:
        if w:
            w.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return out


def play_all(cases, endpoint=None, told=lambda r: None):
    """Every case's Result, in the order of the cases."""
    results = {}
    if endpoint:
        with tempfile.TemporaryDirectory(prefix="lfconf-") as folder:
            w = world.Foreign(endpoint, folder)
            for c in cases:
                results[c.id] = play_one(c, w)
                told(results[c.id])
    else:
        if not world.PROGRAM.exists():
            raise SystemExit(f"{world.PROGRAM} is not built")
        have("sandbox")
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for group in pool.map(lambda g: play_group(g, told), groups(cases)):
                for r in group:
                    results[r.case.id] = r
    return [results[c.id] for c in cases]
