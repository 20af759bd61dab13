# SPDX-License-Identifier: Apache-2.0
"""Container images: none is built or run. What a Dockerfile says of the handler is taken; a saved image is measured, whatever wrote it, and judged."""
import gzip
import hashlib
import io
import json
import subprocess
import tarfile

import pytest

from conftest import PYTHON

LAMBDA = "public.ecr.aws/lambda/python:3.11"
OK = "def handle(event, context):\n    return 7\n"
OTHER = "def lambda_handler(event, context):\n    return 8\n"

DOCKERFILES = {
    "plain": f'FROM {LAMBDA}\nCOPY . .\nCMD ["main.handle"]\n',
    "several-stages": f'FROM python:3.11 AS build\nCMD ["other.lambda_handler"]\nFROM {LAMBDA}-x86_64 as base\nCMD ["other.lambda_handler"]\nFROM base\nCMD [ "main.handle" ]\n',
    "continued": f"# syntax=docker/dockerfile:1\nfrom --platform=linux/amd64 {LAMBDA}\nRUN pip install \\\n    # the model\n    torch \\\n    numpy\ncmd main.handle\n",
    "own-base": 'FROM python:3.11-slim\nRUN pip install awslambdaric\nENTRYPOINT ["python", "-m", "awslambdaric"]\nCMD ["main.handle"]\n',
}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_handler_is_the_dockerfiles(run, function, name):
    f = function("f", {"main.py": OK, "other.py": OTHER, "Dockerfile": DOCKERFILES[name]})
    r = run("run", f, "--interpreter", PYTHON)
    assert r.returncode == 0 and r.stdout == "7\n", r.stderr
    assert "handler main.handle taken from its Dockerfile, whose image is not built" in r.stderr and "is not measured" in r.stderr
    out = json.loads(run("run", f, "--interpreter", PYTHON, "--json").stdout)
    assert out["function"]["handler"] == "main.handle" and out["violations"] == []
    if name != "own-base":
        assert out["function"]["runtime"] == "python3.11"


@pytest.mark.parametrize("text", ["FROM python:3.11\nCMD [\"main.handle\"]\n", "", "FROM\nCMD [\n", "CMD [\"main.handle\"]", f"FROM {LAMBDA}\nCMD [\"elsewhere.handle\"]\n", "FROM x\0lambda/\n"])
def test_other_dockerfiles_decide_nothing(run, function, text):
    f = function("f", {"other.py": OTHER, "Dockerfile": text})
    r = run("run", f, "--interpreter", PYTHON)
    assert r.returncode == 0 and r.stdout == "8\n" and "other.lambda_handler taken" in r.stderr, r.stderr


def test_what_is_copied_from_elsewhere_is_named(run, function):
    f = function("f", {"app/main.py": OK, "Dockerfile": f'FROM {LAMBDA}\nCOPY app/ .\nCMD ["main.handle"]\n'})
    r = run("run", f)
    assert r.returncode == 2 and f"fix: give the folder that it copies: {f}/app --handler main.handle --runtime python3.11" in r.stderr, r.stderr
    words = r.stderr.split("it copies: ")[1].split()
    assert run("run", *words, "--interpreter", PYTHON).stdout == "7\n"


def tar_of(files):
    """One layer: names to sizes (zeros) or contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, what in files.items():
            member = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else bytes(what)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["main.handle"]},
          "history": [{"created_by": "RUN /bin/sh -c pip install torch # buildkit"}, {"created_by": "ENV X=1", "empty_layer": True}, {"created_by": "COPY . . # buildkit"}]}


def add(tar, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def saved_by_docker(path, layers, config=CONFIG, mode="w"):
    """Texts come last, as `docker save` writes them."""
    with tarfile.open(path, mode) as tar:
        names = [f"{digest(layer)}/layer.tar" for layer in layers]
        for name, layer in dict(zip(names, layers)).items():
            add(tar, name, layer)
        text = json.dumps(config).encode()
        add(tar, f"{digest(text)}.json", text)
        add(tar, "manifest.json", json.dumps([{"Config": f"{digest(text)}.json", "RepoTags": ["f:1"], "Layers": names}]).encode())
    return path


def oci_layout(folder, layers, config=CONFIG, others=()):
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data, kind, **more):
        (blobs / digest(data)).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest(data)}", "size": len(data), **more}

    manifest = json.dumps({"schemaVersion": 2, "config": blob(json.dumps(config).encode(), "config.v1+json"), "layers": [blob(layer, "layer.v1.tar") for layer in layers]})
    inner = {"manifests": [blob(manifest.encode(), "manifest.v1+json", platform={"architecture": "amd64", "os": "linux"}), *others]}
    index = blob(json.dumps(inner).encode(), "index.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


SITE = "var/lang/lib/python3.11/site-packages"
LOWER = tar_of({f"{SITE}/torch/__init__.py": 100000, f"{SITE}/torch/lib/libtorch_cuda.so": 3 << 20, f"{SITE}/torch-2.1.dist-info/RECORD": b"torch/__init__.py,,\ntorch/lib/libtorch_cuda.so,,\n",
                "tmp/cache/a.whl": 2 << 20, "opt/model/w.bin": 5 << 20, "same": 1 << 20, "./left/" + 40 * "long-name/" + "x.bin": 1 << 20})
UPPER = tar_of({"tmp/cache/.wh.a.whl": b"", "opt/model/.wh..wh..opq": b"", "opt/model/w2.bin": 1 << 20, "same": 1 << 19, "var/task/main.py": OK.encode()})


def size(run, target, *more):
    r = run("layer", "size", target, "--json", *more)
    return json.loads(r.stdout) if r.stdout else None, r


@pytest.mark.parametrize("kind", ["docker", "docker.gz", "layers.gz", "two-gzips", "zstd", "oci", "oci.tar", "podman-links"])
def test_what_takes_the_space_of_an_image(run, tmp_path, kind):
    layers, target = [LOWER, UPPER], tmp_path / "image.tar"
    if kind == "layers.gz":
        layers = [gzip.compress(layer) for layer in layers]
    elif kind == "two-gzips":
        layers = [gzip.compress(layer[:70000]) + gzip.compress(layer[70000:]) for layer in layers]
    elif kind == "zstd":
        layers = [subprocess.run(["zstd", "-c"], input=layer, stdout=subprocess.PIPE, check=True, timeout=60).stdout for layer in layers]
    if kind.startswith("oci"):
        unknown = {"digest": "sha256:" + 64 * "0", "platform": {"architecture": "unknown", "os": "unknown"}}
        arm = {"digest": "sha256:" + 64 * "1", "platform": {"architecture": "arm64", "os": "linux"}}
        target = oci_layout(tmp_path / "layout", layers, others=(unknown, arm))
        if kind == "oci.tar":
            with tarfile.open(tmp_path / "oci.tar", "w") as tar:
                tar.add(target, ".")
            target = tmp_path / "oci.tar"
    elif kind == "podman-links":
        with tarfile.open(target, "w") as tar:
            for name, layer in (("1.tar", LOWER), ("2.tar", UPPER)):
                add(tar, name, layer)
                link = tarfile.TarInfo(f"{name[0]}/layer.tar")
                link.type, link.linkname = tarfile.SYMTYPE, f"../{name}"
                tar.addfile(link)
            add(tar, "manifest.json", b'[{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]')
            add(tar, "c.json", json.dumps(CONFIG).encode())
    else:
        saved_by_docker(target, layers, mode="w:gz" if kind == "docker.gz" else "w")
    out, r = size(run, target)
    assert r.returncode == 0, r.stderr
    total = len(LOWER) + len(UPPER)
    assert out["unzipped_bytes"] == total and out["limits"] == [{"limit": "image", "used": total, "allowed": 10 << 30, "percent": 0.13, "broken": False}]
    assert sum(e["bytes"] for e in out["entries"]) == total
    hidden = {e["path"]: e["bytes"] for e in out["entries"] if e["kind"] == "hidden"}
    assert hidden == {"tmp/cache": 2 << 20, "opt/model": 5 << 20, ".": 1 << 20}
    cuda, = (e for e in out["entries"] if e["kind"] == "cuda")
    assert (cuda["name"], cuda["version"], cuda["bytes"]) == ("torch", "2.1", 3 << 20)
    assert [(x["bytes"], x["hidden_bytes"], x["made_by"]) for x in out["layers"]] == [(len(LOWER), 8 << 20, "pip install torch"), (len(UPPER), 0, "COPY . .")]
    assert [v["rule"] for v in out["violations"]] == ["cuda_libraries"]
    text = run("layer", "size", target)
    assert text.returncode == 0 and "image (all layers, unpacked)" in text.stdout and "delete it in the RUN that makes it" in text.stdout and " left/" in text.stdout


def sparse_image(path, model_bytes):
    """`docker save` of one layer of zeros that takes no room on disk."""
    with open(path, "wb") as f:
        inner = tarfile.TarInfo("opt/ml/model.bin")
        inner.size = model_bytes
        layer = tarfile.TarInfo("l/layer.tar")
        layer.size = 512 + model_bytes + 1024
        f.write(layer.tobuf(tarfile.GNU_FORMAT) + inner.tobuf(tarfile.GNU_FORMAT))
        f.seek(model_bytes + 1024, 1)
        rest = io.BytesIO()
        with tarfile.open(fileobj=rest, mode="w") as tar:
            add(tar, "manifest.json", b'[{"Layers": ["l/layer.tar"]}]')
        f.write(rest.getvalue())
    return path, layer.size


@pytest.mark.parametrize("over, rule", [(1 << 29, "image_too_large"), (-(200 << 20), "image_near"), (-(2 << 30), None)])
def test_ten_gigabytes(run, tmp_path, over, rule):
    target, total = sparse_image(tmp_path / "image.tar", (10 << 30) + over)
    out, r = size(run, target)
    assert r.returncode == (rule == "image_too_large") and out["limits"][0]["used"] == total and out["limits"][0]["broken"] == (rule == "image_too_large")
    assert [(v["limit_id"], v["rule"]) for v in out["violations"]] == ([("image", rule)] if rule else [])
    template = tmp_path / "template.yaml"
    template.write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, ImageUri: ./image.tar}\n")
    v = run("validate", "-t", template, "--json")
    problems = [(p["severity"], p["property"], p["limit"]) for p in json.loads(v.stdout)["problems"]]
    assert problems == {"image_too_large": [("error", "ImageUri", "image")], "image_near": [("warning", "ImageUri", "image")], None: []}[rule]
    assert v.returncode == r.returncode
    if rule == "image_too_large":
        assert "are 10.5 GB; Lambda refuses more than 10 GB" in r.stderr and "512.0 MB must go. The largest are opt/ml (10752 MB): load models from S3" in r.stderr, r.stderr
        c = run("layer", "check", target, "--json")
        assert c.returncode == 1 and "image-size" in [p["rule"] for p in json.loads(c.stdout)["problems"]]


def test_ten_gigabytes_packed(run, tmp_path):
    """What can go is told: what is hidden, GPU libraries; following it makes the image fit."""
    block = gzip.compress(bytes(256 << 20), 1)

    def layer(name, blocks):
        member = tarfile.TarInfo(name)
        member.size = blocks * (256 << 20)
        return gzip.compress(member.tobuf(tarfile.GNU_FORMAT)) + blocks * block + gzip.compress(bytes(1024))

    big = [layer("root/.cache/pip/torch.whl", 22), layer("opt/nvidia/libcudnn.so.9", 19), gzip.compress(tar_of({"root/.cache/.wh.pip": b""}))]
    r = run("layer", "size", saved_by_docker(tmp_path / "big.tar", big), timeout=120)
    assert r.returncode == 1 and "is hidden by later layers, most in layer 1: pip install torch (5632 MB): delete it in the RUN" in r.stderr, r.stderr
    assert "Libraries for GPUs take 4864 MB" in r.stderr.replace(",", "")
    fixed = run("layer", "size", saved_by_docker(tmp_path / "fixed.tar", big[2:]))
    assert fixed.returncode == 0 and fixed.stderr == ""


HOSTILE = {
    "a layer that leads out": [tar_of({"../../etc/passwd": 5})],
    "a layer that is none": [b"garbage" * 1000],
    "a layer that is cut off": [LOWER[:5 << 20]],
    "a gzip that is cut off": [gzip.compress(LOWER)[:3000]],
    "a damaged gzip": [gzip.compress(LOWER)[:1500] + b"x" * 500],
    "an absurd size": [tar_of({"a": 0}).replace(b"00000000000\x00", b"77777777777\x00", 1)],
    "xz": [b"\xfd7zXZ\0" + bytes(100)],
    "no layers": [],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_layers(run, tmp_path, what):
    r = run("layer", "size", saved_by_docker(tmp_path / "image.tar", HOSTILE[what]))
    assert r.returncode == 2 and "lambdafit: " in r.stderr and "fix: " in r.stderr and r.stdout == "", r.stderr
    assert run("layer", "check", tmp_path / "image.tar").returncode == 2


MANIFESTS = {"empty": "", "cut": "{", "none": "[]", "no layers": "[{}]", "a text": '[{"Layers": "x"}]', "a number": '[{"Layers": [5]}]', "leads out": '[{"Layers": ["../../../etc/passwd"]}]',
             "missing": '[{"Layers": ["missing"]}]', "deep": "[" * 3000, "two images": '[{"Layers": ["a"]}, {"Layers": ["b"]}]', "many": '[{"Layers": [' + ",".join(['"x"'] * 1000) + "]}]"}


@pytest.mark.parametrize("what", MANIFESTS)
def test_hostile_manifests(run, tmp_path, what):
    manifest = MANIFESTS[what]
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        add(tar, "manifest.json", manifest.encode())
    r = run("layer", "size", tmp_path / "image.tar")
    assert r.returncode == 2 and "fix: " in r.stderr, r.stderr
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "oci-layout").write_text("{}")
    for index in (manifest, '{"manifests": [{"digest": "sha256:../../../../etc/passwd"}]}', '{"manifests": [{"digest": "sha256:' + 64 * "a" + '"}]}'):
        (layout / "index.json").write_text(index)
        r = run("layer", "size", layout)
        assert r.returncode == 2 and "fix: " in r.stderr, r.stderr


def test_an_index_that_leads_to_itself(run, tmp_path):
    layout = tmp_path / "layout"
    (layout / "blobs/sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text("{}")
    text = '{"manifests": [{"digest": "sha256:' + 64 * "a" + '"}]}'
    (layout / "index.json").write_text(text)
    (layout / "blobs/sha256" / (64 * "a")).write_text(text)
    r = run("layer", "size", layout)
    assert r.returncode == 2 and "again and again" in r.stderr
    (layout / "blobs/sha256" / (64 * "a")).unlink()
    (layout / "blobs/sha256" / (64 * "a")).symlink_to("/etc/passwd")
    assert run("layer", "size", layout).returncode == 2


def test_a_bomb_stops(run, tmp_path):
    block = subprocess.run(["zstd", "-c"], input=bytes(1 << 30), stdout=subprocess.PIPE, check=True, timeout=60).stdout
    member = tarfile.TarInfo("zeros")
    member.size = 1 << 40
    head = subprocess.run(["zstd", "-c"], input=member.tobuf(tarfile.GNU_FORMAT), stdout=subprocess.PIPE, check=True, timeout=60).stdout
    r = run("layer", "size", saved_by_docker(tmp_path / "image.tar", [head + block * 70]), timeout=60)
    assert r.returncode == 1 and "unpacks to more than 64 GB" in r.stderr, r.stderr


def test_names_have_an_end(run, tmp_path):
    """Forty thousand files with names of four thousand bytes, in a few kilobytes."""
    one = io.BytesIO()
    with tarfile.open(fileobj=one, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "d/" * 1990 + "f", b"")
        header = one.getvalue()[: tar.offset]  # without the end of the archive
    layer = 40 * gzip.compress(1000 * header) + gzip.compress(bytes(1024))
    r = run("layer", "size", saved_by_docker(tmp_path / "image.tar", [layer]))
    assert r.returncode == 2 and "128 MB of names" in r.stderr, r.stderr


def test_check_of_an_image(run, tmp_path):
    target = saved_by_docker(tmp_path / "image.tar", [LOWER, UPPER], {"architecture": "arm64", "os": "linux", "config": {}})
    out = json.loads(run("layer", "check", target, "--json").stdout)
    assert out["kind"] == "image" and [p["rule"] for p in out["problems"]] == ["architecture", "cuda", "image-start"]
    good = saved_by_docker(tmp_path / "good.tar", [UPPER])
    r = run("layer", "check", good)
    assert r.returncode == 0 and "as an image on x86_64: no problems" in r.stdout
    both = run("layer", "size", good, target)
    assert both.returncode == 2 and "measure it alone" in both.stderr
    assert json.loads(run("layer", "size", good, "--json", "--profile", "aws-lambda-2020-02").stdout)["violations"][0]["rule"] == "image_not_offered"


def test_an_image_is_called_one(run, function, tmp_path):
    path = saved_by_docker(tmp_path / "image.tar", [UPPER])
    packed = saved_by_docker(tmp_path / "image.tar.gz", [UPPER], mode="w:gz")
    folder = oci_layout(tmp_path / "layout", [UPPER])
    for target in (path, packed, folder):
        r = run("run", target)
        assert r.returncode == 2 and "is a container image: lambdafit runs folders" in r.stderr and "fix: run the folder of its handler" in r.stderr, r.stderr
        command = r.stderr.split("whether its size fits: lambdafit ")[1].split()
        assert run(*command).returncode == 0
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        tar.add(folder / "index.json", "other.json")
    assert "is not a zip" in run("run", tmp_path / "plain.tar").stderr


def test_a_template_names_the_images_folder(run, function, tmp_path):
    function("app", {"main.py": OK, "Dockerfile": DOCKERFILES["plain"]})
    (tmp_path / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n"
                                            "    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}\n")
    r = run("run", "-t", tmp_path / "template.yaml", "F")
    assert r.returncode == 2 and "its code is a container image, which lambdafit does not run" in r.stderr and "judged by lambdafit layer size IMAGE.tar" in r.stderr, r.stderr
    folder = r.stderr.split("lambdafit run ")[1].split()[0]
    assert run("run", folder, "--interpreter", PYTHON, cwd=tmp_path).stdout == "7\n"
