# SPDX-License-Identifier: Apache-2.0
"""Why did my model die? Each failure as real libraries make it, the rule that names it, and the printed fix, followed literally."""
import json
import re
import subprocess

import pytest

from conftest import PYTHON, SRC, environment, wait_for

# Debian's libraries, as a layer would bring them: the sandbox shows /usr, but not as a place of modules.
LIBRARIES = 'import sys\nsys.path.append("/usr/lib/python3/dist-packages")\n'


class Result:
    def __init__(self, process):
        assert process.returncode in (0, 1), process.stderr
        self.out = json.loads(process.stdout)
        self.text = process.stderr
        self.violations = {v["rule"]: v for v in self.out["violations"]}
        self.status = [i["status"] for i in self.out["invocations"]]

    def __repr__(self):
        return f"{self.status} {self.out['violations']} {[i['error'] for i in self.out['invocations']]}"

    def fix(self, rule):
        """The options that the fix of a rule prints, as they would be typed."""
        fix = self.violations[rule]["fix"]
        options = [o.split(" ", 1) for o in re.findall(r"`(--[a-z]+ [^`]*)`", fix)]
        assert options, fix
        return options[0]


@pytest.fixture
def judge(run, function):
    """judge(code, *options) runs it and gives what the rules say."""

    def call(code, *options, files=None, memory=1769, timeout=30, count=1, name="f"):
        target = function(name, {"lambda_function.py": code, **(files or {})})
        args = ["run", target, "--json", "--interpreter", PYTHON, "-n", count]
        for option, value in (("--memory", memory), ("--timeout", timeout)):
            if option not in options:
                args += [option, value]
        r = Result(run(*args, *options))
        for v in r.violations.values():
            assert v["message"] and v["fix"] and v["observed"] and "{" not in v["message"] + v["fix"], v
        return r

    return call


def simple(body, top=""):
    return LIBRARIES + top + "\ndef lambda_handler(event, context):\n" + "".join(f"    {line}\n" for line in body.splitlines())


# name, rule, the handler that fails, the same with the fix followed: another handler, or the option that the fix names
FAILURES = {
    "home": ("readonly_home", simple('import os\nos.makedirs(os.path.expanduser("~/.cache/torch/hub"))'), None),
    "relative": ("readonly_filesystem", simple('import numpy as np\nnp.save("model.npy", np.zeros(3))'), simple('import numpy as np\nnp.save("/tmp/model.npy", np.zeros(3))')),
    "numba": ("numba_cache", simple("return int(f(1))", "import numba\n@numba.njit(cache=True)\ndef f(x): return x + 1\n"), None),
    "joblib-cache": ("readonly_filesystem", simple("return f(3)", 'from joblib import Memory\n@Memory("cache", verbose=0).cache\ndef f(x): return x * x\n'),
                     simple("return f(3)", 'from joblib import Memory\n@Memory("/tmp/cache", verbose=0).cache\ndef f(x): return x * x\n')),
    "pool": ("no_shared_memory", simple("import multiprocessing\nwith multiprocessing.Pool(2) as p: return p.map(abs, [-1])"),
             simple("from concurrent.futures import ThreadPoolExecutor as E\nwith E(2) as p: return list(p.map(abs, [-1]))")),
    "executor": ("no_shared_memory", simple("from concurrent.futures import ProcessPoolExecutor as E\nwith E(2) as p: return list(p.map(abs, [-1]))"),
                 simple("from concurrent.futures import ThreadPoolExecutor as E\nwith E(2) as p: return list(p.map(abs, [-1]))")),
    "queue": ("no_shared_memory", simple("import multiprocessing\nmultiprocessing.Queue().put(1)"), simple("import multiprocessing\na, b = multiprocessing.Pipe()\na.send(1)\nreturn b.recv()")),
    "shared-array": ("no_shared_memory", simple("from multiprocessing import shared_memory\nshared_memory.SharedMemory(create=True, size=10)"), simple("return list(bytearray(10))")),
    "float32": ("not_serializable", simple('import numpy as np\nreturn {"p": np.float32(0.5)}'), simple('import numpy as np\nreturn {"p": float(np.float32(0.5))}')),
    "ndarray": ("not_serializable", simple("import numpy as np\nreturn np.eye(2)"), simple("import numpy as np\nreturn np.eye(2).tolist()")),
    "predict": ("not_serializable", simple("return {'class': m.predict([[1.0]])[0]}", "from sklearn.tree import DecisionTreeClassifier\nm = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])\n"),
                simple("return {'class': m.predict([[1.0]])[0].item()}", "from sklearn.tree import DecisionTreeClassifier\nm = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])\n")),
    "image-bytes": ("not_serializable", simple('import io\nfrom PIL import Image\nb = io.BytesIO()\nImage.new("RGB", (8, 8)).save(b, "PNG")\nreturn {"png": b.getvalue()}'),
                    simple('import base64, io\nfrom PIL import Image\nb = io.BytesIO()\nImage.new("RGB", (8, 8)).save(b, "PNG")\nreturn {"png": base64.b64encode(b.getvalue()).decode()}')),
    "base64": ("response_too_large_base64", simple('import base64, os\nreturn {"body": base64.b64encode(os.urandom(5 << 20)).decode()}'),
               simple('import base64, os\nreturn {"body": base64.b64encode(os.urandom(4 << 20)).decode()}')),
    "response": ("response_too_large", simple('return ["a short text"] * 500000'), simple('return {"key": "result.json"}')),
    "tmp": ("tmp_full", simple('with open("/tmp/model", "wb") as f:\n  for _ in range(600): f.write(bytes(1 << 20))'), None),
    "tmp-meanwhile": ("tmp_full_meanwhile", simple('import tempfile\nwith tempfile.TemporaryFile() as f:\n  for _ in range(600): f.write(bytes(1 << 20))'), None),
    "descriptors": ("too_many_descriptors", simple('k = [open("/etc/passwd") for _ in range(1100)]'), simple('for _ in range(1100):\n  with open("/etc/passwd"): pass')),
    "threads": ("too_many_processes", simple("import threading\ne = threading.Event()\nt = [threading.Thread(target=e.wait, daemon=True) for _ in range(900)]\n"
                                            "try:\n  for x in t: x.start()\nfinally: e.set()"),
                simple("from concurrent.futures import ThreadPoolExecutor as E\nwith E(8) as p: return sum(p.map(int, range(900)))")),
    "cpu-timeout": ("timeout_cpu", simple("import time\nwhile time.process_time() < 0.6: pass"), None),
    "waiting": ("timeout_waiting", simple("import time\ntime.sleep(1.5)"), None),
    "memory": ("out_of_memory", simple("import numpy as np\nreturn float(np.ones(30 << 20).sum())"), None),
    "model-load": ("out_of_memory_init", simple("return len(model)", "model = bytearray(b'x' * (110 << 20))\n"), None),
}
OPTIONS = {"cpu-timeout": dict(memory=128, timeout=2), "waiting": dict(timeout=1), "memory": dict(memory=192), "model-load": dict(memory=192)}


@pytest.mark.parametrize("name", FAILURES)
def test_it_is_named_and_the_fix_works(judge, name):
    rule, code, fixed = FAILURES[name]
    options = OPTIONS.get(name, {})
    bad = judge(code, **options)
    assert bad.status != ["ok"] and rule in bad.violations, bad
    assert bad.violations[rule]["severity"] == "broken"
    good = judge(fixed, **options) if fixed else judge(code, *bad.fix(rule), **options)
    assert good.status == ["ok"], good
    assert not good.violations, good


MATPLOTLIB = simple('import matplotlib\nmatplotlib.use("Agg")\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig("/tmp/p.png")\nreturn 1')


def test_matplotlib(judge):
    """A warning of the library that costs time at each cold start: said, and near."""
    files = {"matplotlibrc": ""}  # Debian keeps its own in /etc
    bad = judge(MATPLOTLIB, files=files)
    assert bad.status == ["ok"] and bad.violations["matplotlib_cache"]["severity"] == "near", bad
    good = judge(MATPLOTLIB, *bad.fix("matplotlib_cache"), files=files)
    assert good.status == ["ok"] and not good.violations, good


def test_nltk(judge):
    code = simple('from nltk.corpus import stopwords\nreturn stopwords.words("english")')
    bad = judge(code)
    assert "nltk_data" in bad.violations and "stopwords" in bad.violations["nltk_data"]["fix"], bad
    good = judge(code, *bad.fix("nltk_data"), files={"nltk_data/corpora/stopwords/english": "a\nthe\n"})
    assert good.status == ["ok"] and not good.violations, good


# ---- over several invocations ----------------------------------------------------------------------------------------------------------


def test_tmp_grows(judge):
    """A handler that downloads to /tmp each time."""
    bad = judge(simple('import tempfile, os\nfd, name = tempfile.mkstemp()\nos.write(fd, bytes(8 << 20))\nos.close(fd)'), count=7)
    assert set(bad.status) == {"ok"} and list(bad.violations) == ["tmp_growing"], bad
    v = bad.violations["tmp_growing"]
    assert "8 MB" in v["message"] and "invocation 64" in v["message"] and v["times"] == 3 and v["limit_id"] == "tmp_growth", v
    assert "(3 times)" in bad.text and bad.text.count(v["message"]) == 1
    good = judge(simple('import tempfile\nwith tempfile.TemporaryFile() as f: f.write(bytes(8 << 20))'), count=7)
    assert not good.violations, good


def test_tmp_is_full_of_what_was_left(judge):
    code = simple('import tempfile, os\nfd, name = tempfile.mkstemp()\nf = os.fdopen(fd, "wb")\nfor _ in range(200): f.write(bytes(1 << 20))\nf.close()')
    bad = judge(code, count=3)
    assert bad.status == ["ok", "ok", "function_error"]
    assert "400 MB were left" in bad.violations["tmp_full_leftovers"]["message"], bad
    assert not judge(code + "    os.unlink(name)\n", count=3).violations


def test_memory_grows(judge):
    code = simple("keep.append(bytearray(b'x' * (4 << 20)))", "keep = []\n")
    bad = judge(code, memory=512, count=8)
    assert list(bad.violations) == ["memory_growing"], bad
    assert re.search(r"grows by 4(\.\d)? MB an invocation; at this pace invocation 1[23]\d ", bad.violations["memory_growing"]["message"]), bad
    assert not judge(simple("keep.append(bytearray(b'x' * (4 << 20)))\ndel keep[:]", "keep = []\n"), memory=512, count=8).violations


def test_memory_grows_until_it_is_killed(judge):
    bad = judge(simple("keep.append(bytearray(b'x' * (16 << 20)))", "keep = []\n"), memory=192, count=14)
    assert "out_of_memory" in bad.status and "out_of_memory_growth" in bad.violations, bad


def test_descriptors_leak(judge):
    code = simple('import time\nkeep.append([open("/etc/passwd") for _ in range(9)])\ntime.sleep(0.06)', "keep = []\n")
    bad = judge(code, count=8)
    assert list(bad.violations) == ["descriptors_growing"] and "9 descriptors" in bad.violations["descriptors_growing"]["message"], bad
    assert not judge(code.replace("keep.append", "len"), count=8).violations


def test_init_advice(judge):
    """Init as slow as its share of the CPU; what a larger size would change is computed from what it used."""
    code = simple("return 1", "import time\nwhile time.process_time() < 1.33: pass\n")
    bad = judge(code, memory=256)
    assert "init_near" in bad.violations, bad
    told = re.search(r"At 1769 MB, one whole CPU, init would take about ([\d.]+) s", bad.violations["init_near"]["fix"])
    good = judge(code, *bad.fix("init_near"))
    assert good.status == ["ok"] and not good.violations, good
    assert 1.3 <= float(told[1]) < 1.8 and good.out["invocations"][0]["init_us"] < bad.out["invocations"][0]["init_us"] / 2, (told[0], good)


# ---- where it is shown ------------------------------------------------------------------------------------------------------------------


def test_the_same_words_everywhere(run, function, tmp_path):
    target = function("f", {"lambda_function.py": FAILURES["relative"][1]})
    r = run("run", target, "--json", "--interpreter", PYTHON, "--memory", "1769", "--timeout", "30")
    v = json.loads(r.stdout)["violations"][0]
    assert v["message"] in r.stderr and "fix: " + v["fix"] in r.stderr
    request_id = json.loads(r.stdout)["invocations"][0]["request_id"]
    explained = run("log", "--explain", request_id).stdout
    for text in (v["message"], v["fix"], v["observed"], "rule readonly_filesystem", "holds when it failed to write", "docs/limits.md#filesystem"):
        assert text in explained, explained
    assert "output: [Errno 30] Read-only file system: 'model.npy'" in v["observed"]
