# SPDX-License-Identifier: Apache-2.0
"""Packages that are a zip inside the layer, unpacked to /tmp when one of them is first imported.

Beside this module lies a small module for each package in the zip; importing it calls take_over, which unpacks the zip once,
puts it on the search path and imports the real package in its place. Nothing is to be changed in the function's code.

LAMBDAFIT_UNZIP_DIR   where to unpack (default /tmp/lambdafit)
"""
import errno
import importlib
import json
import os
import shutil
import stat
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

_HERE = os.path.dirname(os.path.abspath(__file__))
_HOME = os.path.join(os.path.dirname(_HERE), "lambdafit")
_BLOCK = 1 << 20
_lock = threading.Lock()
_done = None


def _about():
    with open(os.path.join(_HOME, "packages.json"), encoding="utf-8") as f:
        return json.load(f)


def _write(archive, info, root):
    path = os.path.join(root, info.filename)
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        os.symlink(archive.read(info).decode("utf-8", "surrogateescape"), path)
        return
    with archive.open(info) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)
    os.chmod(path, 0o755 if mode & 0o111 else 0o644)


def _extract(path, root):
    """Unpacks with a thread for each processor: inflating does not hold the interpreter's lock."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for info in entries:
        if info.is_dir():
            os.makedirs(os.path.join(root, info.filename), exist_ok=True)
    files = sorted((i for i in entries if not i.is_dir()), key=lambda i: -i.file_size)
    count = max(1, min(4, len(os.sched_getaffinity(0)), len(files)))

    def part(k):
        with zipfile.ZipFile(path) as archive:
            for info in files[k::count]:
                _write(archive, info, root)

    with ThreadPoolExecutor(count) as pool:
        for result in [pool.submit(part, k) for k in range(count)]:
            result.result()


def _no_space(about, free=None):
    have = "" if free is None else ", %d MB are free" % (free >> 20)
    return OSError(errno.ENOSPC, "No space left on device: the packages of this layer need %d MB of /tmp%s; "
                                 "set the function's ephemeral storage to at least %d MB"
                   % (about["tmp_needed_mb"], have, max(512, about["tmp_needed_mb"])))


def unpack():
    """Unpacks if that was not done yet, and returns the folder. Safe to call from several threads."""
    global _done
    with _lock:
        if _done:
            return _done
        about = _about()
        top = os.environ.get("LAMBDAFIT_UNZIP_DIR", "/tmp/lambdafit")
        target = os.path.join(top, about["id"])
        if not os.path.isdir(target):
            os.makedirs(top, exist_ok=True)
            for name in os.listdir(top):  # what a process that was stopped half-way left behind
                if name.startswith(about["id"] + ".part"):
                    shutil.rmtree(os.path.join(top, name), ignore_errors=True)
            space = os.statvfs(top)
            free = space.f_bavail * space.f_frsize
            if free < about["tmp_needed_mb"] << 20:
                raise _no_space(about, free)
            part = "%s.part%d" % (target, os.getpid())
            try:
                os.mkdir(part)
                _extract(os.path.join(_HOME, "packages.zip"), part)
                os.rename(part, target)
            except OSError as e:
                shutil.rmtree(part, ignore_errors=True)
                if e.errno == errno.ENOSPC:
                    raise _no_space(about) from None
                if not os.path.isdir(target):
                    raise
        sys.path.insert(0, os.path.join(target, "python"))
        importlib.invalidate_caches()
        _preload(target)
        _done = target
        return target


def _preload(target):
    """The layer's lib/ holds links to the unpacked libraries. Where links did not survive the upload, the libraries are loaded by hand:
    each may need others, so the rounds go on while one brings something."""
    lib = os.path.join(target, "lib")
    names = [n for n in sorted(os.listdir(lib)) if ".so" in n] if os.path.isdir(lib) else []
    left = [n for n in names if not os.path.exists(os.path.join(os.path.dirname(_HERE), "lib", n))]
    import ctypes
    while left:
        failed = []
        for name in left:
            try:
                ctypes.CDLL(os.path.join(lib, name), mode=os.RTLD_LAZY | os.RTLD_LOCAL)
            except OSError:
                failed.append(name)
        if len(failed) == len(left):
            return
        left = failed


def take_over(name):
    """Called by the small module that stands for a package: the real one takes its place."""
    unpack()
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def remove():
    """Removes the unpacked files once everything is imported: /tmp is then free for data. Modules that are imported later are gone, and
    libraries that are loaded keep their space until the process ends."""
    global _done
    with _lock:
        if _done:
            shutil.rmtree(_done, ignore_errors=True)
            _done = None
