# SPDX-License-Identifier: Apache-2.0
"""Environment variables: from files and options, what counts more; the caller's secrets stay outside, its endpoints come through."""
import json

import pytest

HANDLER = "import os\ndef lambda_handler(event, context):\n    return dict(os.environ)\n"
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real-secret", "AWS_SESSION_TOKEN": "real-token", "AWS_PROFILE": "mine", "SECRET_OF_MINE": "x",
           "AWS_CONFIG_FILE": "/home/me/config", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://c"}


@pytest.fixture
def target(function):
    return function("f", {"lambda_function.py": HANDLER})


def env_of(r):
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def test_env_file(run, target, tmp_path):
    (tmp_path / "vars").write_bytes(b"""# a comment
PLAIN=value
export EXPORTED=yes
  INDENTED=with blanks behind  \t
\t
EMPTY=
QUOTED="two words "
SINGLE='a "b" #c'
EQUALS=a=b=c
HALF="open
URL=http://host/?a=1#x
WINDOWS=line\r
BOTH=file
LATER=1
LATER=2""")
    env = env_of(run("run", target, "--env-file", "vars", "--env", "BOTH=option", "--quiet"))
    assert {k: env.get(k) for k in ("PLAIN", "EXPORTED", "INDENTED", "EMPTY", "QUOTED", "SINGLE", "EQUALS", "HALF", "URL", "WINDOWS", "BOTH", "LATER")} == {
        "PLAIN": "value", "EXPORTED": "yes", "INDENTED": "with blanks behind", "EMPTY": "", "QUOTED": "two words ", "SINGLE": 'a "b" #c', "EQUALS": "a=b=c",
        "HALF": '"open', "URL": "http://host/?a=1#x", "WINDOWS": "line", "BOTH": "option", "LATER": "2"}


@pytest.mark.parametrize("text,status,words", [
    ("no equals sign\n", 2, ["vars:1", "NAME=VALUE"]),
    ("A=1\n=x\n", 2, ["vars:2"]),
    ("AWS_REGION=x\n", 2, ["AWS_REGION"]),
    ("1A=x\n", 2, ["1A"]),
    ("AB=" + "x" * 5000, 1, ["4KB"]),
])
def test_bad_env_file(run, target, tmp_path, text, status, words):
    (tmp_path / "vars").write_text(text)
    r = run("run", target, "--env-file", "vars")
    assert r.returncode == status and all(w in r.stderr for w in words), (r.returncode, r.stderr)


def test_env_file_that_is_none(run, target, tmp_path):
    assert run("run", target, "--env-file", "gone").returncode == 4
    (tmp_path / "empty").write_text("")
    assert run("run", target, "--env-file", "empty", "--quiet").returncode == 0
    (tmp_path / "big").write_bytes(b"A=1\n" * 3000000)
    r = run("run", target, "--env-file", "big")
    assert r.returncode in (2, 4) and "big" in r.stderr


@pytest.mark.parametrize("how", ["run", "serve"])
def test_secrets_stay_outside(run, serve, target, how):
    for args in ([], ["--pass-credentials"]):
        extra = SECRETS if how == "run" else dict(SECRETS)
        if how == "run":
            env = env_of(run("run", target, "--quiet", *args, env=extra))
        else:
            d = serve(target, args=args, env=extra)
            env = d.invoke("f").json
            d.stop()
        keys = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]]
        if args:
            assert keys == ["AKIAREAL", "real-secret", "real-token"]
        else:
            assert all(keys) and not set(keys) & set(SECRETS.values()), "placeholders"
        assert not {"AWS_PROFILE", "SECRET_OF_MINE", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} & set(env)


def test_credentials_without_a_token(run, target):
    """Long-lived keys have none; a placeholder beside them would make every request fail."""
    env = env_of(run("run", target, "--quiet", "--pass-credentials", env={"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "s"}))
    assert env["AWS_ACCESS_KEY_ID"] == "AKIAREAL" and not env.get("AWS_SESSION_TOKEN")


def test_endpoints_come_through(run, serve, target):
    own = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "AWS_ENDPOINT_URL_DYNAMODB": ""}
    env = env_of(run("run", target, "--quiet", "--env", "AWS_ENDPOINT_URL_S3=http://mine", env=own))
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566" and env["AWS_ENDPOINT_URL_S3"] == "http://mine"
    d = serve(target, env=own)
    env = d.invoke("f").json
    assert env["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9000"
