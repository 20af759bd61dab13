# SPDX-License-Identifier: Apache-2.0
"""lambdafit layer: size, check, build and the cache, with the built program and real packages of the machine."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest

from conftest import PROGRAM, PYTHON, SRC, environment


@pytest.fixture
def layer(tmp_path):
    """Runs `lambdafit layer ARGUMENTS` with a cache of its own."""
    env = environment({"XDG_CACHE_HOME": str(tmp_path / "cache")})

    def run(*arguments, status=0, text=False):
        done = subprocess.run([PROGRAM, "layer", *map(str, arguments)], env=env, capture_output=True, text=True, timeout=900)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        run.stderr = done.stderr
        return done.stdout if text else json.loads(done.stdout)

    return run


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, data)
    return path


def test_size_of_a_zip(layer, tmp_path):
    z = make_zip(tmp_path / "a.zip", {"python/pkg/__init__.py": "x" * 1000, "python/pkg/tests/t.py": "y" * 300,
                                      "python/pkg-1.5.dist-info/RECORD": "pkg/__init__.py,,\n"})
    got = layer("size", z, "--json")
    assert got["zipped_bytes"] == z.stat().st_size
    assert got["unzipped_bytes"] == 1318 == sum(e["bytes"] for e in got["entries"])
    assert {e["limit"]: (e["used"], e["allowed"]) for e in got["limits"]} == {
        "zip": (z.stat().st_size, 52428800), "package": (1318, 262144000), "layers": (1, 5)}
    largest = got["entries"][0]
    assert (largest["name"], largest["version"], largest["kind"], largest["path"]) == ("pkg", "1.5", "package", "python/pkg")
    assert [e["bytes"] for e in got["entries"]] == sorted((e["bytes"] for e in got["entries"]), reverse=True)


def test_size_breaks_the_limit(layer, tmp_path):
    (tmp_path / "big/python").mkdir(parents=True)
    with open(tmp_path / "big/python/model.bin", "wb") as f:
        f.truncate(262144000)
    got = layer("size", tmp_path / "big", "--json", status=1)
    assert got["zipped_bytes"] is None
    assert got["limits"][0]["percent"] == 100
    assert "Unzipped size must be smaller than 262144000 bytes" in layer.stderr
    os.truncate(tmp_path / "big/python/model.bin", 262143999)  # strictly smaller fits
    layer("size", tmp_path / "big", "--json")
    six = [make_zip(tmp_path / f"{i}.zip", {"python/a.py": str(i)}) for i in range(6)]
    layer("size", *six, status=1, text=True)
    assert "Cannot reference more than 5 layers." in layer.stderr


def test_size_counts_code_and_layers(layer, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/lambda_function.py").write_text("def lambda_handler(e, c): pass\n")
    z = make_zip(tmp_path / "l.zip", {"python/a.py": "12345"})
    got = layer("size", tmp_path / "src", "--layer", z, "--json")
    assert got["unzipped_bytes"] == 31 + 5
    assert [e["used"] for e in got["limits"] if e["limit"] == "layers"] == [1]
    out = layer("size", tmp_path / "src", "--layer", z, "--html", tmp_path / "size.html", text=True)
    assert "250 MB" in out
    page = (tmp_path / "size.html").read_text()
    assert "<svg" in page and "http" not in page and "<script" not in page


def test_real_numpy_is_over_80_mb_with_openblas(layer, tmp_path):
    numpy = pathlib.Path(subprocess.run([PYTHON, "-c", "import numpy; print(numpy.__path__[0])"], capture_output=True, text=True).stdout.strip() or "/none")
    if not numpy.is_dir():
        pytest.skip("no numpy for " + PYTHON)
    shutil.copytree(numpy, tmp_path / "l/python/numpy")
    got = layer("size", tmp_path / "l", "--json")
    du = sum(p.stat().st_size for p in (tmp_path / "l").rglob("*") if p.is_file() and not p.is_symlink())
    assert got["unzipped_bytes"] == du
    kinds = {e["kind"] for e in got["entries"]}
    assert {"package", "tests", "headers"} <= kinds


def test_check_names_each_fault(layer, tmp_path):
    top = tmp_path / "bad"
    (top / "numpy").mkdir(parents=True)
    (top / "numpy/__init__.py").write_text("")
    (top / "numpy/secret.py").write_text("")
    (top / "numpy/secret.py").chmod(0o600)
    shutil.copy(os.path.realpath("/proc/self/exe"), top / "numpy/mod.cpython-39-x86_64-linux-gnu.so")
    got = layer("check", top, "--runtime", "python3.12", "--arch", "arm64", "--json", status=1)
    rules = {p["rule"] for p in got["problems"]}
    assert {"structure", "permissions", "architecture", "python-abi"} <= rules
    assert all(p["path"] and p["message"] and p["fix"] for p in got["problems"])
    out = layer("check", top, "--runtime", "python3.12", status=1, text=True)
    assert "fix:" in out


def test_check_of_a_good_layer(layer, tmp_path):
    z = make_zip(tmp_path / "ok.zip", {"python/pkg/__init__.py": "x = 1\n"})
    got = layer("check", z, "--json")
    assert got["problems"] == []


def build_inputs(tmp_path):
    site = tmp_path / "site"
    (site / "pkg/__pycache__").mkdir(parents=True)
    (site / "pkg/__init__.py").write_text("VALUE = frozenset({'a', 'b', 'c'})\n")
    (site / "pkg/data.txt").write_text("data")
    (site / "pkg/data.txt").chmod(0o600)
    (site / "pkg/__pycache__/__init__.cpython-27.pyc").write_bytes(b"old")
    (site / "pkg-1.0.dist-info").mkdir()
    (site / "pkg-1.0.dist-info/RECORD").write_text("pkg/__init__.py,,\n")
    return site


def host_version():
    return subprocess.run([PYTHON, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True).stdout.strip()


def test_build_is_reproducible_and_loads(layer, tmp_path):
    site = build_inputs(tmp_path)
    runtime = host_version()
    first = layer("build", site, "-o", tmp_path / "1.zip", "--runtime", runtime, "--interpreter", PYTHON, "--json")
    os.utime(site / "pkg/__init__.py", (1, 1))
    (site / "pkg/__init__.py").chmod(0o640)
    second = layer("build", site, "-o", tmp_path / "2.zip", "--runtime", runtime, "--interpreter", PYTHON, "--json")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert first["sha256"] == second["sha256"] and first["compiled"] == 1
    with zipfile.ZipFile(tmp_path / "1.zip") as z:
        names = z.namelist()
        assert "python/pkg/__init__.py" in names and not [n for n in names if "cpython-27" in n]
        assert all((i.external_attr >> 16) & 0o777 in (0o644, 0o755) for i in z.infolist())
        z.extractall(tmp_path / "out")
    assert layer("check", tmp_path / "1.zip", "--runtime", runtime, "--json")["problems"] == []
    # the byte code is used although the times do not match any more
    done = subprocess.run([PYTHON, "-v", "-c", "import pkg; print(sorted(pkg.VALUE))"], cwd=tmp_path / "out/python", capture_output=True, text=True)
    assert "['a', 'b', 'c']" in done.stdout
    assert "code object from '" in done.stderr and "__init__.cpython" in done.stderr.split("pkg", 1)[1]


def test_build_says_when_byte_code_is_what_does_not_fit(layer, tmp_path):
    profile = json.loads((SRC / "profiles/aws-lambda-2026-11.json").read_text())
    profile["limits"]["package_max_bytes"]["value"] = 40000
    (tmp_path / "small.json").write_text(json.dumps(profile))
    site = tmp_path / "site"
    (site / "pkg").mkdir(parents=True)
    (site / "pkg/__init__.py").write_text("".join(f"def f{i}(a, b):\n    return a + b * {i}\n" for i in range(400)))
    arguments = ("build", site, "-o", tmp_path / "l.zip", "--runtime", host_version(), "--interpreter", PYTHON, "--profile", tmp_path / "small.json", "--json")
    got = layer(*arguments)
    bare = layer(*arguments, "--no-pyc")
    assert got["compiled"] == 1 and got["unzipped_bytes"] >= 40000 > bare["unzipped_bytes"] and bare["note"] is None, (got, bare)
    assert f"with --no-pyc it is {bare['unzipped_bytes'] / 1048576:.2f} MB" in got["note"]


def test_build_leaves_no_zip_that_nobody_unpacks(layer, tmp_path):
    for name, link in (("tab\there.txt", None), ("back\\slash.txt", None), ("out", "/etc/passwd")):
        site = tmp_path / "site"
        (site / "pkg").mkdir(parents=True)
        (site / "pkg/__init__.py").write_text("A = 1\n")
        (site / name).symlink_to(link) if link else (site / name).write_text("x")
        layer("build", site, "-o", tmp_path / "l.zip", "--runtime", host_version(), "--no-pyc", status=2, text=True)
        assert "not written: it would be refused" in layer.stderr and "in the input" in layer.stderr
        assert not (tmp_path / "l.zip").exists()
        (site / name).unlink()
        (site / "same").symlink_to("pkg")
        layer("build", site, "-o", tmp_path / "l.zip", "--runtime", host_version(), "--no-pyc", text=True)
        assert layer("check", tmp_path / "l.zip", "--runtime", host_version(), "--json")["problems"] == []
        before = (tmp_path / "l.zip").read_bytes()
        (site / name).symlink_to(link) if link else (site / name).write_text("x")
        layer("build", site, "-o", tmp_path / "l.zip", "--runtime", host_version(), "--no-pyc", status=2, text=True)
        assert (tmp_path / "l.zip").read_bytes() == before and sorted(p.name for p in tmp_path.glob("l.zip*")) == ["l.zip"]  # the earlier one is still there
        shutil.rmtree(site)
        (tmp_path / "l.zip").unlink()


def test_programs_for_another_processor_are_compiled_anew(layer, tmp_path):
    if os.uname().machine != "x86_64":
        pytest.skip("the program is this machine's")
    shutil.copy("/bin/true", tmp_path / "bootstrap")
    (problem,) = [p for p in layer("check", tmp_path, "--runtime", "provided.al2023", "--arch", "arm64", "--json", status=1)["problems"] if p["rule"] == "architecture"]
    assert "GOARCH=arm64 go build" in problem["fix"] and "deploy it as x86_64" in problem["fix"] and "pip" not in problem["fix"]


def wheel(tmp_path, tags, files):
    path = tmp_path / f"thing-2.0-{tags}.whl"
    return make_zip(path, {"thing-2.0.dist-info/METADATA": "Name: thing\nVersion: 2.0\n", "thing-2.0.dist-info/RECORD": "", **files})


def test_build_from_wheels(layer, tmp_path):
    w = wheel(tmp_path, "py3-none-any", {"thing/__init__.py": "", "thing-2.0.data/scripts/tool": "#!python\nprint(1)\n", "thing-2.0.data/purelib/extra.py": ""})
    layer("build", w, "-o", tmp_path / "w.zip", "--runtime", "python3.12", "--no-pyc", "--json")
    with zipfile.ZipFile(tmp_path / "w.zip") as z:
        assert {"python/thing/__init__.py", "python/extra.py", "bin/tool"} <= set(z.namelist())
        assert not [n for n in z.namelist() if ".data" in n]
        assert z.read("bin/tool").startswith(b"#!/usr/bin/env python3\n")
    for tags, why in (("cp39-cp39-manylinux2014_x86_64", "is for cp39"), ("cp312-cp312-musllinux_1_2_x86_64", "musllinux"),
                      ("cp312-cp312-win_amd64", "win_amd64"), ("cp312-cp312-manylinux_2_39_x86_64", "glibc 2.34"),
                      ("cp312-cp312-manylinux2014_aarch64", "x86_64")):
        bad = wheel(tmp_path, tags, {"thing/__init__.py": ""})
        layer("build", bad, "-o", tmp_path / "bad.zip", "--runtime", "python3.12", status=1, text=True)
        assert why in layer.stderr
        assert not (tmp_path / "bad.zip").exists()
    for tags in ("cp312-cp312-manylinux_2_28_x86_64.manylinux2014_x86_64", "cp38-abi3-manylinux_2_17_x86_64"):
        good = wheel(tmp_path, tags, {"thing/__init__.py": ""})
        layer("build", good, "-o", tmp_path / "good.zip", "--runtime", "python3.12", "--no-pyc", "--json")


def test_build_puts_folders_where_they_belong(layer, tmp_path):
    (tmp_path / "js/node_modules/left").mkdir(parents=True)
    (tmp_path / "js/node_modules/left/index.js").write_text("")
    (tmp_path / "js/package.json").write_text("{}")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libx.so.1").write_text("x")
    layer("build", tmp_path / "js", tmp_path / "lib", "-o", tmp_path / "o.zip", "--runtime", "nodejs22.x", "--json")
    with zipfile.ZipFile(tmp_path / "o.zip") as z:
        assert {"nodejs/node_modules/left/index.js", "lib/libx.so.1"} <= set(z.namelist())
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/readme").write_text("x")
    layer("build", tmp_path / "odd", "-o", tmp_path / "p.zip", status=2, text=True)
    assert "--as" in layer.stderr
    layer("build", tmp_path / "odd", "--as", "lib", "-o", tmp_path / "p.zip", "--json")


def test_bad_input(layer, tmp_path):
    for arguments, status in ((("size",), 2), (("size", tmp_path / "none"), 2), (("check",), 2), (("build", tmp_path), 2), (("cache", "odd"), 2),
                              (("other", "x"), 2), (("build", tmp_path / "none", "-o", tmp_path / "x.zip"), 2)):
        layer(*arguments, status=status, text=True)
        assert "lambdafit: " in layer.stderr
    (tmp_path / "cut.zip").write_bytes(make_zip(tmp_path / "whole.zip", {"a.py": "x" * 5000}).read_bytes()[:-30])
    layer("size", tmp_path / "cut.zip", status=2, text=True)
    assert "cut off" in layer.stderr and "fix:" in layer.stderr


def test_cache(layer, tmp_path):
    z = make_zip(tmp_path / "c.zip", {"python/pkg/__init__.py": "x" * 5000})
    assert layer("cache", "--json")["entries"] == []
    layer("check", z, "--json")
    entries = layer("cache", "--json")["entries"]
    assert [(e["kind"], e["bytes"], e["files"]) for e in entries] == [("packages", 5000, 1)]
    assert layer("cache", "clear", "--json")["freed_bytes"] == 5000
    assert layer("cache", "--json")["entries"] == []


def run_function(tmp_path, target, *arguments):
    env = environment({"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")})
    return subprocess.run([PROGRAM, "run", target, "--runtime", host_version(), "--interpreter", PYTHON, "--json", *map(str, arguments)],
                          env=env, capture_output=True, text=True, timeout=900)


def double_zip_inputs(tmp_path, filler=0):
    site = build_inputs(tmp_path)
    (site / "pkg/sub").mkdir()
    (site / "pkg/sub/__init__.py").write_text("import pkg\nDEEP = len(pkg.VALUE)\n")
    (site / "single.py").write_text("NAME = __name__\n")
    (site / "pkg.libs").mkdir()
    (site / "pkg.libs/libx.so.1").write_text("x")
    if filler:
        with open(site / "pkg/weights.bin", "wb") as f:
            f.truncate(filler)
    function = tmp_path / "fn"
    function.mkdir()
    (function / "lambda_function.py").write_text(
        "import importlib.metadata\nbefore = importlib.metadata.version('pkg')\n"
        "import pkg.sub, single\nfrom pkg import VALUE\n"
        "def lambda_handler(event, context):\n"
        "    return {'at': pkg.__file__, 'value': sorted(VALUE), 'deep': pkg.sub.DEEP, 'single': single.NAME, 'version': before}\n")
    return site, function


def test_double_zip_runs_unchanged_code(layer, tmp_path):
    site, function = double_zip_inputs(tmp_path)
    (site / "pkg-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
    got = layer("double-zip", site, "-o", tmp_path / "dz.zip", "--runtime", host_version(), "--interpreter", PYTHON, "--json")
    assert got["outer_zipped_bytes"] == (tmp_path / "dz.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "dz.zip") as z:
        assert got["outer_unzipped_bytes"] == sum(i.file_size for i in z.infolist())
        assert {"python/pkg.py", "python/single.py", "python/lambdafit_unzip.py", "lambdafit/packages.zip"} <= set(z.namelist())
        assert not [n for n in z.namelist() if "libs" in n]
    assert got["fits"] is True and got["init_limit_ms"] == 10000 and got["extra_init_ms"] >= 0 and got["tmp_needed_mb"] == 1
    done = run_function(tmp_path, function, "--layer", tmp_path / "dz.zip", "-n", 2, "--memory", 1769, "--timeout", 60)
    assert done.returncode == 0, done.stderr
    for invocation in json.loads(done.stdout)["invocations"]:
        answer = invocation["response"]
        assert answer["at"].startswith("/tmp/lambdafit/") and answer["single"] == "single" and answer["deep"] == 3 and answer["version"] == "1.0"
    first = (tmp_path / "dz.zip").read_bytes()
    layer("double-zip", site, "-o", tmp_path / "dz.zip", "--runtime", host_version(), "--interpreter", PYTHON, "--json")
    assert first == (tmp_path / "dz.zip").read_bytes()


def test_double_zip_and_ephemeral_storage(layer, tmp_path, patient):
    site, function = double_zip_inputs(tmp_path, filler=530 << 20)
    (site / "pkg-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
    got = layer("double-zip", site, "-o", tmp_path / "dz.zip", "--runtime", host_version(), "--interpreter", PYTHON, "--no-pyc", "--json")
    assert got["inner_unpacked_bytes"] > 530 << 20 and got["outer_unzipped_bytes"] < 2 << 20
    assert 530 < got["tmp_needed_mb"] < 535
    done = run_function(tmp_path, function, "--layer", tmp_path / "dz.zip", "--memory", 1769, "--timeout", 60, "--profile", patient)
    assert done.returncode == 1
    assert "No space left on device: the packages of this layer need %d MB of /tmp" % got["tmp_needed_mb"] in done.stdout + done.stderr
    done = run_function(tmp_path, function, "--layer", tmp_path / "dz.zip", "--memory", 1769, "--timeout", 60, "--profile", patient, "--tmp", got["tmp_needed_mb"])
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)["invocations"][0]
    assert answer["tmp_used_bytes"] > 530 << 20


def test_double_zip_helper_recovers(layer, tmp_path):
    """A process that was stopped half-way leaves a part; the next one removes it and unpacks again. Threads share one unpacking."""
    site, _ = double_zip_inputs(tmp_path)
    layer("double-zip", site, "-o", tmp_path / "dz.zip", "--runtime", host_version(), "--interpreter", PYTHON, "--json")
    with zipfile.ZipFile(tmp_path / "dz.zip") as z:
        z.extractall(tmp_path / "opt")
    about = json.loads((tmp_path / "opt/lambdafit/packages.json").read_text())
    part = tmp_path / "tmp" / (about["id"] + ".part99")
    part.mkdir(parents=True)
    code = ("import sys, threading; sys.path.insert(0, sys.argv[1]); import lambdafit_unzip as u\n"
            "t = [threading.Thread(target=u.unpack) for _ in range(8)]; [x.start() for x in t]; [x.join() for x in t]\n"
            "import pkg; print(pkg.__file__); u.remove()")
    done = subprocess.run([PYTHON, "-c", code, tmp_path / "opt/python"], env={**os.environ, "LAMBDAFIT_UNZIP_DIR": str(tmp_path / "tmp")},
                          capture_output=True, text=True)
    assert done.stdout.splitlines()[0].startswith(str(tmp_path / "tmp")), done.stderr
    assert not part.exists() and list((tmp_path / "tmp").iterdir()) == []


def test_double_zip_needs_python_packages(layer, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libx.so.1").write_text("x")
    layer("double-zip", tmp_path / "lib", "-o", tmp_path / "dz.zip", status=2, text=True)
    assert "no Python packages" in layer.stderr and not (tmp_path / "dz.zip").exists()
