# SPDX-License-Identifier: Apache-2.0
"""Handlers with a local S3 server, which they find by the caller's AWS_ENDPOINT_URL_S3: one streams an object to memory, one downloads it to /tmp
each time. The second grows towards its quota, and is told so before it is full."""
import pathlib
import subprocess

import pytest

from conftest import BUILD, PYTHON, environment, wait_for

HERE = pathlib.Path(__file__).parent / "clients" / "s3"
MOTO = BUILD / "clients" / "moto"
SIZE = 8 << 20

HANDLER = '''
import hashlib, os
import boto3
s3 = boto3.client("s3")
def stream(event, context):
    digest = hashlib.sha256()
    for piece in s3.get_object(Bucket="models", Key="weights.bin")["Body"].iter_chunks(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
def download(event, context):
    path = f"/tmp/weights-{context.aws_request_id}.bin"
    s3.download_file("models", "weights.bin", path)
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()
'''


@pytest.fixture
def s3():
    """(endpoint, digest of the object)"""
    if not MOTO.is_dir():
        pytest.skip(f"{MOTO} is not there: run scripts/test-clients {BUILD / 'clients'}")
    p = subprocess.Popen([PYTHON, HERE / "server.py", str(SIZE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         env=environment({"PYTHONPATH": str(MOTO / "python")}))
    try:
        port, digest = p.stdout.readline().split()
        yield f"http://127.0.0.1:{port}", digest
    finally:
        p.stdin.close()
        p.wait(60)


def test_stream_and_download(serve, function, s3, tmp_path):
    endpoint, digest = s3
    code = function("code", {"app.py": HANDLER})
    (tmp_path / "template.yaml").write_text(f'''
Transform: AWS::Serverless-2016-10-31
Globals: {{Function: {{Runtime: python3.11, CodeUri: {code}, MemorySize: 1769, Timeout: 120, Layers: [!Ref Boto]}}}}
Resources:
  Boto: {{Type: AWS::Serverless::LayerVersion, Properties: {{ContentUri: {MOTO}}}}}
  Stream: {{Type: AWS::Serverless::Function, Properties: {{Handler: app.stream}}}}
  Download: {{Type: AWS::Serverless::Function, Properties: {{Handler: app.download}}}}
''')
    d = serve(args=["-t", tmp_path / "template.yaml"], env={"AWS_ENDPOINT_URL_S3": endpoint})
    for name in ("Stream", "Download"):
        for _ in range(6):
            a = d.invoke(name)
            assert a.error is None and a.json == digest, a.body
    rows = {name: d.rows("SELECT * FROM invocations WHERE function = ? ORDER BY rowid", name) for name in ("Stream", "Download")}
    assert [r["tmp_used_bytes"] for r in rows["Stream"]] == [0] * 6
    assert [r["tmp_growth_bytes"] for r in rows["Download"]] == [SIZE] * 6
    told = d.rows("SELECT function, limit_id, rule, severity, message, fix FROM violations WHERE limit_id IN ('tmp', 'tmp_growth')")
    assert {v["function"] for v in told} == {"Download"}
    assert {(v["rule"], v["severity"]) for v in told} == {("tmp_growing", "near")}
    assert "8 MB" in told[0]["message"] and "64" in told[0]["message"] and told[0]["fix"]  # 512 MB hold 64 of them
    wait_for(lambda: "Download leaves 8 MB in /tmp at each invocation" in d.err, "it is said while it runs")
