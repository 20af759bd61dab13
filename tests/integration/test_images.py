# SPDX-License-Identifier: Apache-2.0
"""Container images: none is built or run. What a Dockerfile says of the handler is taken, what an image would be is said, and what is not measured too."""
import io
import json
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


def test_an_image_is_called_one(run, function, tmp_path):
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as tar:
        for name, size in (("blobs/sha256/aa", 3 << 20), ("manifest.json", 2)):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(bytes(size)))
    folder = function("layout", {"oci-layout": "{}", "index.json": "{}"})
    for target, words in ((path, "is a container image (its archive holds 3 MB; Lambda takes 10,240 MB at most, unpacked)"), (folder, "is a container image: lambdafit runs folders")):
        r = run("run", target)
        assert r.returncode == 2 and words in r.stderr and "fix: run the folder of its handler" in r.stderr, r.stderr
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        tar.add(folder / "index.json", "index.json")
    assert "is not a zip" in run("run", tmp_path / "plain.tar").stderr


def test_a_template_names_the_images_folder(run, function, tmp_path):
    function("app", {"main.py": OK, "Dockerfile": DOCKERFILES["plain"]})
    (tmp_path / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n"
                                            "    Metadata: {Dockerfile: Dockerfile, DockerContext: ./app}\n")
    r = run("run", "-t", tmp_path / "template.yaml", "F")
    assert r.returncode == 2 and "its code is a container image, which lambdafit does not run, and whose size (10 GB at most) it does not measure" in r.stderr, r.stderr
    folder = r.stderr.split("lambdafit run ")[1].split()[0]
    assert run("run", folder, "--interpreter", PYTHON, cwd=tmp_path).stdout == "7\n"
