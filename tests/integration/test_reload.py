# SPDX-License-Identifier: Apache-2.0
"""Hot reload: a change of the code or of a layer makes the next invocation cold with the new code, and everything that tells says why."""
import concurrent.futures
import json
import shutil
import zipfile

import pytest

from conftest import wait_for, wait_for_a_watch

HANDLER = '''
import socket
from dep import WORD
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    if event.get("gate"):
        socket.create_connection(("127.0.0.1", event["gate"])).recv(1)
    return [WORD, "{tag}", count]
'''


@pytest.fixture(autouse=True)
def watch():
    wait_for_a_watch()


@pytest.fixture
def code(function):
    def write(tag, word="w", name="f"):
        return function(name, {"lambda_function.py": HANDLER.replace("{tag}", tag), "dep.py": f"WORD = {word!r}\n"})

    return write


ARGS = ["--memory", "1024", "--timeout", "60"]


def pack(to, files):
    """A zip in the place of another, as builds do it."""
    new = to.with_suffix(".new")
    with zipfile.ZipFile(new, "w") as z:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            z.writestr(info, text)
    new.rename(to)
    return to


def reasons(d):
    return [(r["cold"], r["cold_reason"]) for r in d.rows()]


def test_the_next_invocation_has_the_new_code(serve, code, run):
    d = serve(code("one"), args=ARGS)
    assert d.invoke("f").json == ["w", "one", 1] and d.invoke("f").json == ["w", "one", 2]
    for n in range(5):  # at once after the write, every time
        code(f"v{n}")
        assert d.invoke("f").json == ["w", f"v{n}", 1]
        assert d.invoke("f").json == ["w", f"v{n}", 2]
    assert reasons(d) == [(1, None), (0, None)] + [(1, "reload"), (0, None)] * 5
    wait_for(lambda: len(d.rows("SELECT * FROM environments WHERE end_reason = 'reload'")) == 5, "the old environments are told to have ended by reload")
    wait_for(lambda: d.err.count("f: reloaded: ") == 5, "each is said")
    assert "/f/" in [x for x in d.err.splitlines() if "reloaded: " in x][0]
    env, = d.environments()
    assert env["after_reload"] is True
    out = run("ps", "--endpoint", d.endpoint).stdout
    assert "after a reload" in out
    lines = run("log", "--db", d.db).stdout.splitlines()
    assert [line.split()[-1] == "reload" for line in lines] == [False, False] + [True, False] * 5
    assert [json.loads(x)["cold_reason"] for x in run("log", "--json", "--db", d.db).stdout.splitlines()] == [None, None] + ["reload", None] * 5
    top = run("top", "--once", "--view", "invocations", "--size", "120x30", "--db", d.db)
    assert top.stdout.count(" reload ") == 5, top.stdout
    versions = d.rows("SELECT code_sha256 FROM functions ORDER BY id")
    assert len(versions) == 6 and len({v["code_sha256"] for v in versions}) == 6


def test_no_reload(serve, code):
    d = serve(code("one"), args=ARGS + ["--no-reload"])
    assert d.invoke("f").json == ["w", "one", 1]
    code("two")
    assert d.invoke("f").json == ["w", "one", 2]
    assert reasons(d) == [(1, None), (0, None)]


def test_only_the_function_that_changed(serve, code):
    d = serve(code("one", name="f"), code("one", name="g"), args=ARGS)
    d.invoke("f"), d.invoke("g")
    code("two", name="g")
    assert d.invoke("f").json == ["w", "one", 2]
    assert d.invoke("g").json == ["w", "two", 1]


def test_what_runs_ends_with_its_code(serve, code, gate):
    """A call that runs while the code changes answers with the old code; the next does not wait for it."""
    d = serve(code("old"), args=ARGS)
    d.invoke("f")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(d.invoke, "f", {"gate": gate.port})
        gate.wait()
        code("new")
        assert d.invoke("f").json == ["w", "new", 1]
        assert not slow.done()
        gate.open()
        assert slow.result().json == ["w", "old", 2]
    wait_for(lambda: len(d.environments()) == 1, "the old environment goes")
    assert d.invoke("f").json == ["w", "new", 2]


def test_many_callers_one_reload(serve, code):
    d = serve(code("one"), args=ARGS)
    d.invoke("f")
    code("two")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: d.invoke("f").json, range(8)))
    assert {a[1] for a in answers} == {"two"}
    assert d.err.count("reloaded: ") <= 2 and len(d.rows("SELECT * FROM functions")) <= 3
    assert sum(r == (1, "reload") for r in reasons(d)) == 1  # the one environment that was there


def test_asynchronous_events(serve, code):
    d = serve(code("one"), args=ARGS)
    d.invoke("f")
    code("two")
    assert d.invoke("f", headers={"X-Amz-Invocation-Type": "Event"}).status == 202
    wait_for(lambda: len(d.rows()) == 2, "the event is done")
    assert reasons(d)[1] == (1, "reload")


@pytest.mark.parametrize("kind", ["one folder", "merged folders", "zip", "zip beside a folder"])
def test_layers(serve, function, tmp_path, kind):
    """A layer in place, layers that are merged, and zips, which are unpacked."""
    def layer(name, word):
        return function(name, {"python/dep.py": f"WORD = {word!r}\n", "python/other.py": ""})

    def archive(word):
        return pack(tmp_path / "layer.zip", {"python/dep.py": f"WORD = {word!r}\n"})

    code = function("f", {"lambda_function.py": HANDLER.replace("{tag}", "t")})
    change = archive if kind.startswith("zip") else lambda word: layer("layer", word)
    layers = [change("one")]
    if kind in ("merged folders", "zip beside a folder"):
        layers.insert(0, function("below", {"python/dep.py": "WORD = 'below'\n", "python/more.py": ""}))
    d = serve(code, args=ARGS + [x for p in layers for x in ("--layer", p)])
    assert d.invoke("f").json == ["one", "t", 1]
    change("two")
    assert d.invoke("f").json == ["two", "t", 1]
    if len(layers) == 2:
        (layers[1] if layers[1].is_file() else layers[1] / "python/dep.py").unlink()
        if layers[1].suffix == ".zip":
            assert d.invoke("f").json == ["two", "t", 2]  # a layer that is not there: not reloaded
            wait_for(lambda: "f: not reloaded" in d.err, "it is said")
        else:
            assert d.invoke("f").json == ["below", "t", 1]
    assert reasons(d)[1] == (1, "reload")


def test_zip_package(serve, function, tmp_path):
    def package(tag):
        return pack(tmp_path / "f.zip", {"lambda_function.py": HANDLER.replace("{tag}", tag), "dep.py": "WORD = 'w'\n"})

    d = serve(package("one"), args=ARGS)
    assert d.invoke("f").json == ["w", "one", 1]
    package("two")
    assert d.invoke("f").json == ["w", "two", 1]
    (tmp_path / "f.zip").write_bytes(b"no zip")
    assert d.invoke("f").json == ["w", "two", 2]
    wait_for(lambda: "f: not reloaded, it goes on with the code it had" in d.err and "fix: " in d.err, "it is said")
    package("three")
    assert d.invoke("f").json == ["w", "three", 1]


def test_a_build_that_replaces_the_folder(serve, code, tmp_path):
    d = serve(code("one"), args=ARGS)
    assert d.invoke("f").json == ["w", "one", 1]
    shutil.rmtree(tmp_path / "f")
    d.invoke("f")
    wait_for(lambda: "f: not reloaded" in d.err, "the missing folder is said")
    code("two")
    assert d.invoke("f").json == ["w", "two", 1]
    shutil.move(tmp_path / "f", tmp_path / "away")
    code("three")
    assert d.invoke("f").json == ["w", "three", 1]
    function_file = tmp_path / "f" / "extra"  # new folders are watched too
    function_file.mkdir()
    assert d.invoke("f").json[2] == 1
    (function_file / "x.txt").write_text("x")
    assert d.invoke("f").json[2] == 1
    assert d.invoke("f").json[2] == 2


def test_a_broken_handler_and_its_repair(serve, code, tmp_path):
    d = serve(code("one"), args=ARGS)
    d.invoke("f")
    (tmp_path / "f/lambda_function.py").write_text("def lambda_handler(event, context: return 1\n")
    a = d.invoke("f")
    assert a.error == "Unhandled" and a.json["errorType"] == "Runtime.UserCodeSyntaxError"
    code("two")
    assert d.invoke("f").json == ["w", "two", 1]


def test_files_of_ours_among_the_code(serve, code, tmp_path):
    """The log, the port file and the daemon's own output may lie in the served folder without making every invocation cold."""
    target = code("one")
    d = serve(target, args=ARGS + ["--db", target / "log.db", "--on-failure", target / "failed.json"])
    d.db = target / "log.db"
    assert [d.invoke("f").json[2] for _ in range(5)] == [1, 2, 3, 4, 5]
    (target / "seen.py").write_text("")
    assert d.invoke("f").json[2] == 1


def test_from_a_template(serve, code, tmp_path):
    code("one", name="src")
    (tmp_path / "template.yaml").write_text('''
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: lambda_function.lambda_handler, CodeUri: src, MemorySize: 1024, FunctionName: other, Layers: [!Ref L]}
  L:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer}
''')
    (tmp_path / "layer/python").mkdir(parents=True)
    (tmp_path / "layer/python/extra.py").write_text("X = 1\n")
    d = serve(args=["-t", tmp_path / "template.yaml"])
    assert d.invoke("Fn").json == ["w", "one", 1]
    code("two", name="src")
    assert d.invoke("Fn").json == ["w", "two", 1]  # by its logical id too
    (tmp_path / "layer/python/extra.py").write_text("X = 2\n")
    assert d.invoke("other").json == ["w", "two", 1]


def test_reload_while_it_ends(serve, code):
    """A daemon that is told to end while functions are made ready again ends well."""
    d = serve(code("one"), args=ARGS)
    d.invoke("f")
    code("two")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(d.invoke, "f") for _ in range(4)]
        assert d.stop() in (0, -15, 143)
        for f in futures:
            f.exception()
