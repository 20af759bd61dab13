# SPDX-License-Identifier: Apache-2.0
"""What examples/ci holds to paste, run as it is: the steps of the workflows, the hooks, the make targets, the pytest fixture."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import BUILD, PYTHON, SRC, environment

CI = SRC / "examples" / "ci"
GOOD = "def lambda_handler(event, context):\n    return 1\n"
BAD = "def lambda_handler(event, context):\n    raise ValueError('no')\n"
FILE = "functions:\n  function:\n    target: function\n    network: none\n    cold: 1\n    warm: 1\n    events: [{}, {n: 1}]\n    budgets: {memory: 80%}\n"


@pytest.fixture
def project(tmp_path, function):
    """A project with one function and a check file, and the program on the PATH."""
    function("project/function", {"lambda_function.py": GOOD})
    folder = tmp_path / "project"
    (folder / "lambdafit.yaml").write_text(FILE)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/lambdafit").symlink_to(BUILD / "lambdafit")
    return folder


@pytest.fixture
def shell(project, tmp_path):
    def call(script, cwd=project, **env):
        e = environment({"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", **{k: str(v) for k, v in env.items()}})
        e.pop("LAMBDAFIT_DB", None)
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=cwd, env=e, capture_output=True, text=True, timeout=180)

    return call


def step(job, name):
    found = [s["run"] for s in job["steps"] if s.get("name") == name]
    assert len(found) == 1
    return found[0]


def test_github(project, shell, tmp_path):
    job = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["check"]
    summary = tmp_path / "summary.md"
    p = shell(step(job, "check"), GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=summary)
    assert p.returncode == 0, p.stdout + p.stderr
    assert "lambdafit check: passed" in summary.read_text()
    [kept] = [s["with"]["path"].split() for s in job["steps"] if s.get("uses", "").startswith("actions/upload-artifact") and s.get("name") == "keep the log"]
    assert all((project / x).exists() for x in kept)
    (project / "function/lambda_function.py").write_text(BAD)
    p = shell(step(job, "check"), GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=summary)
    assert p.returncode == 1 and "::error file=lambdafit.yaml" in p.stdout and (project / "lambdafit.sarif").exists()


@pytest.mark.parametrize("source", [GOOD, BAD])
def test_github_shards(project, shell, tmp_path, source):
    jobs = yaml.safe_load((CI / "github-shards.yml").read_text())["jobs"]
    (project / "function/lambda_function.py").write_text(source)
    script = step(jobs["measure"], "measure")
    for index, shard in enumerate(jobs["measure"]["strategy"]["matrix"]["shard"]):
        p = shell(script.replace("${{ matrix.shard }}", shard).replace("${{ strategy.job-index }}", str(index)))
        assert p.returncode == 0, p.stdout + p.stderr
        assert (project / f"part-{index}.db").exists()  # two events, three parts: the last has nothing to do
    assert "${{" not in step(jobs["judge"], "judge")
    p = shell(step(jobs["judge"], "judge"), GITHUB_STEP_SUMMARY=tmp_path / "summary.md")
    assert p.returncode == (0 if source == GOOD else 1), p.stdout + p.stderr


def test_gitlab(project, shell):
    job = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["lambdafit"]
    p = shell("\n".join(job["script"]))
    assert p.returncode == 0, p.stdout + p.stderr
    for x in [job["artifacts"]["reports"]["junit"], *job["artifacts"]["paths"]]:
        assert (project / x).exists()


def test_packages_are_those_that_a_build_needs():
    wanted = re.search(r"packages_build=\(([^)]*)\)", (SRC / "scripts/common.sh").read_text())[1].split()
    for name in ("github.yml", "github-shards.yml", "gitlab-ci.yml"):
        lines = [x for x in (CI / name).read_text().splitlines() if "apt-get install" in x]
        assert lines and all(set(wanted) <= set(x.split()) for x in lines)


def test_git_hook(project, shell):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    setup = ("git init -q . && git config user.email a@b && git config user.name a && git config commit.gpgsign false && "
             f"cp {CI / 'pre-commit'} .git/hooks/pre-commit && printf 'lambdafit-check.db*\\n' >.gitignore && git add -A && ")
    p = shell(setup + "git commit -q -m good")
    assert p.returncode == 0 and "pass" in p.stdout + p.stderr, p.stdout + p.stderr
    (project / "function/lambda_function.py").write_text(BAD)
    p = shell("git commit -q -a -m bad")
    assert p.returncode != 0 and "function_error" in p.stdout + p.stderr
    p = shell("git checkout -q function && echo text >notes.md && git add notes.md && git commit -q -m words")
    assert p.returncode == 0 and "function_error" not in p.stdout + p.stderr
    assert shell("git log --format=%s").stdout.split() == ["words", "good"]


def test_pre_commit_program(project, shell):
    [repo] = yaml.safe_load((CI / "pre-commit-config.yaml").read_text())["repos"]
    [hook] = repo["hooks"]
    assert repo["repo"] == "local" and hook["language"] == "system" and hook["pass_filenames"] is False
    assert re.search(hook["exclude"], "docs/a.md") and not re.search(hook["exclude"], "function/lambda_function.py")
    assert shell(hook["entry"]).returncode == 0


def test_make(project, shell):
    (project / "Makefile").write_text(f"include {CI / 'check.mk'}\n")
    assert shell("make -s lambda-baseline").returncode == 0
    assert (project / "lambdafit.baseline.json").exists()
    p = shell("make -s lambda-check LAMBDAFIT_FLAGS=--json")
    assert p.returncode == 0 and '"result": "pass"' in p.stdout
    (project / "function/lambda_function.py").write_text(BAD)
    assert shell("make -s lambda-check").returncode != 0


def test_pytest_fixture(project, shell):
    for name in ("conftest.py", "test_invoke.py"):
        shutil.copy(CI / name, project / name)
    run = f"{PYTHON} -m pytest -q -p no:cacheprovider"
    p = shell(run, LAMBDAFIT_TARGETS="function")
    assert p.returncode == 0 and "1 passed" in p.stdout, p.stdout + p.stderr
    left = [x for x in pathlib.Path("/proc").iterdir() if x.name.isdigit() and str(project).encode() in _read(x / "cmdline")]
    assert not left
    (project / "function/lambda_function.py").write_text(BAD)
    p = shell(run, LAMBDAFIT_TARGETS="function")
    assert p.returncode == 1 and "ValueError" in p.stdout


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
