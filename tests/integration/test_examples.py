# SPDX-License-Identifier: Apache-2.0
"""The examples, as a user runs them: the image classifier with its numpy layer, and the runtime in bash."""
import importlib.util
import json
import os
import shutil
import subprocess
import zipfile

import pytest

from conftest import PYTHON, SRC

DIGITS, BASH = SRC / "examples" / "digits", SRC / "examples" / "bash"
HELD_OUT = 450


@pytest.fixture(scope="session")
def layer(tmp_path_factory):
    """The layer, from Debian's package."""
    folder = tmp_path_factory.mktemp("layer") / "numpy"
    subprocess.run([DIGITS / "make-layer", folder], check=True, capture_output=True, text=True)
    return folder


def npy(data):
    """A small array of bytes from .npy, so that this test needs no numpy of its own."""
    header = int.from_bytes(data[8:10], "little")
    described = eval(data[10 : 10 + header], {"__builtins__": {}})  # a literal, by the format's definition
    assert described["descr"] == "|u1" and not described["fortran_order"]
    return described["shape"], data[10 + header :]


def held_out():
    with zipfile.ZipFile(DIGITS / "heldout.npz") as z:
        (n, height, width), pixels = npy(z.read("images.npy"))
        (count,), labels = npy(z.read("labels.npy"))
    assert (n, height, width) == (HELD_OUT, 8, 8) and count == HELD_OUT
    for i in range(n):
        image = pixels[64 * i : 64 * (i + 1)]
        yield [list(image[8 * y : 8 * (y + 1)]) for y in range(8)], labels[i]


def options(layer):
    version = subprocess.run([PYTHON, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"], check=True, capture_output=True, text=True).stdout.strip()
    return ["--runtime", version, "--memory", "512", "--timeout", "30", "--layer", str(layer)]


def test_digits_is_right_about_images_it_was_not_trained_on(serve, layer):
    """Through the daemon and the sandbox, every one of the held-out images."""
    daemon = serve(DIGITS, args=options(layer))
    right = 0
    for image, label in held_out():
        answer = daemon.invoke("digits", {"image": image})
        assert answer.status == 200 and not answer.error, answer.body
        right += answer.json["digit"] == label
    assert right / HELD_OUT > 0.93, f"{right} of {HELD_OUT}"
    rows = daemon.rows("SELECT status, cold, max_memory_bytes FROM invocations")
    assert len(rows) == HELD_OUT and {r["status"] for r in rows} == {"ok"}
    assert sum(r["cold"] for r in rows) == 1


def test_digits_held_out_images_are_held_out():
    """train.py makes the same split again and compares."""
    if importlib.util.find_spec("sklearn") is None and subprocess.run([PYTHON, "-c", "import sklearn"], capture_output=True).returncode:
        pytest.skip("scikit-learn is not here")
    r = subprocess.run([PYTHON, DIGITS / "train.py", "--check"], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert f"of {HELD_OUT} held-out images" in r.stdout


def test_digits_answers_its_events(run, layer):
    events = sorted((DIGITS / "events").glob("*.json"))
    assert len(events) == 10
    for event in events[:3]:
        r = run("run", DIGITS, *options(layer), "-e", event, "-n", "2", "--json", "--quiet")
        assert r.returncode == 0, r.stderr
        out = json.loads(r.stdout)
        want = json.loads((DIGITS / "expected" / event.name).read_text())
        for invocation in out["invocations"]:
            got = invocation["response"]
            assert got["digit"] == want["digit"]
            assert got["probabilities"] == pytest.approx(want["probabilities"], abs=2e-3)
        assert [i["cold"] for i in out["invocations"]] == [1, 0]


def test_digits_passes_its_gate(run, layer, tmp_path):
    """And another model does not: its answers are others."""
    folder = tmp_path / "gate"
    shutil.copytree(DIGITS, folder)
    file = folder / "lambdafit.yaml"
    text = file.read_text().replace("../../build/numpy-layer", str(layer)).replace("python3.11", options(layer)[1])
    file.write_text(text)
    p = run("check", file, "--json")
    assert p.returncode == 0 and json.loads(p.stdout)["result"] == "pass", p.stdout + p.stderr
    code = folder / "lambda_function.py"
    code.write_text(code.read_text() + "\n_handler = lambda_handler\n\n\ndef lambda_handler(event, context):\n    answer = _handler(event, context)\n"
                                       "    answer['confidence'] = round(answer['confidence'] - 0.01, 4)\n    return answer\n")
    file.write_text(text.replace("cold: 5", "cold: 1").replace("warm: 5", "warm: 1"))
    p = run("check", file, "--json")
    assert p.returncode == 1 and {r["budget"] for r in json.loads(p.stdout)["results"] if r["result"] != "pass"} == {"expect"}


def test_digits_events_are_held_out_images():
    images = {(json.dumps(image), label) for image, label in held_out()}
    for event in (DIGITS / "events").glob("*.json"):
        image = json.loads(event.read_text())["image"]
        want = json.loads((DIGITS / "expected" / event.name).read_text())["digit"]
        assert (json.dumps(image), want) in images, event.name


@pytest.mark.parametrize("event", [{}, [], None, "x", {"image": None}, {"image": []}, {"image": [[1] * 8] * 7}, {"image": [[1] * 7] * 8}, {"image": [[17] * 8] * 8},
                                   {"image": [[-1] * 8] * 8}, {"image": [["a"] * 8] * 8}, {"image": {"a": 1}}, {"image": [[1e999] * 8] * 8}])
def test_digits_refuses_what_is_no_image(event, layer):
    code = f"""
import json, sys
sys.path[:0] = [{str(layer / "python")!r}, {str(DIGITS)!r}]
import lambda_function
try:
    lambda_function.lambda_handler(json.loads(sys.stdin.read()), None)
except (ValueError, TypeError) as e:
    print("refused:", e)
"""
    r = subprocess.run([PYTHON, "-c", code], input=json.dumps(event), capture_output=True, text=True,
                       env={"LD_LIBRARY_PATH": str(layer / "lib"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})
    assert r.returncode == 0 and r.stdout.startswith("refused:"), r.stdout + r.stderr


def test_layer_stands_alone(layer):
    """No test suites, no caches, and no library that would have to be on the system besides those of the C library."""
    assert not [p for p in layer.rglob("*") if p.name in ("tests", "__pycache__") or p.is_symlink()]
    inside = {p.name for p in (layer / "lib").iterdir()}
    system = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libutil.so", "/lib", "statically")
    for module in layer.rglob("*.so*"):
        needed = subprocess.run(["ldd", module], capture_output=True, text=True).stdout.split("\n\t")
        for line in needed:
            name = line.split()[0] if line.split() else ""
            assert not name or name in inside or name.startswith(system), f"{module.name} needs {name}"


def test_layer_is_not_made_over_something_else(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    r = subprocess.run([DIGITS / "make-layer", tmp_path / "precious"], capture_output=True, text=True)
    assert r.returncode == 2 and "not a numpy layer" in r.stderr
    assert (tmp_path / "precious" / "file").read_text() == "mine"
    assert subprocess.run([DIGITS / "make-layer"], capture_output=True).returncode == 2


@pytest.mark.cgroup_v2
def test_bash_keeps_its_state_while_warm(run):
    # The CPU of a large function, because a guest may emulate it.
    r = run("run", BASH, "--handler", "function.handler", "--memory", "1769", "--timeout", "120", "-e", BASH / "events" / "hello.json", "-n", "3", "--json",
            timeout=600)
    assert r.returncode == 0, r.stderr
    out = json.loads(r.stdout)
    answers = [i["response"] for i in out["invocations"]]
    assert [a["served"] for a in answers] == [1, 2, 3]
    assert answers[0]["event"] == json.loads((BASH / "events" / "hello.json").read_text())
    assert "invocation 3 of this environment" in r.stderr
    limits = {x["limit"]: x for x in out["limits"]}
    assert limits["tmp"]["enforced"] == "kernel"
    assert limits["memory"]["enforced"] in ("kernel", "sampled")
    if os.environ.get("LF_TEST_CGROUP") == "v2":
        assert limits["memory"]["enforced"] == limits["processes"]["enforced"] == "kernel"
        assert all(1 << 20 < i["max_memory_bytes"] < 64 << 20 for i in out["invocations"])
        assert all(i["cpu_us"] > 0 and i["throttled_us"] is not None for i in out["invocations"])


def test_bash_errors(serve):
    daemon = serve(BASH, args=["--handler", "function.handler", "--memory", "512"])
    answer = daemon.invoke("bash", {"fail": True})
    assert answer.status == 200 and answer.error == "Unhandled"
    assert answer.json["errorType"] == "Function.Failed" and answer.json["errorMessage"] == "asked to fail"
    text = 'a "quote", a \\ and\na line' * 1000
    answer = daemon.invoke("bash", {"text": text})
    assert not answer.error and answer.json["event"] == {"text": text} and answer.json["served"] == 2


@pytest.mark.parametrize("handler, error", [("function.nope", "Runtime.NoSuchHandler"), ("nothing.handler", "Runtime.NoSuchFile")])
def test_bash_init_errors(run, handler, error):
    r = run("run", BASH, "--handler", handler, "--memory", "512", "--json", "--quiet")
    assert r.returncode == 1
    (invocation,) = json.loads(r.stdout)["invocations"]
    assert invocation["status"] == "init_error" and invocation["error"]["errorType"] == error
