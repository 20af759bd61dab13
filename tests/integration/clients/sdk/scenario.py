# SPDX-License-Identifier: Apache-2.0
"""What a deploy script does with boto3, whatever its age: scenario.py ENDPOINT FOLDER prints what it was told, as one JSON object."""
import base64
import json
import pathlib
import sys

import boto3
import botocore.exceptions
from botocore.config import Config

endpoint, folder = sys.argv[1], pathlib.Path(sys.argv[2])
client = boto3.client("lambda", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret",
                      config=Config(read_timeout=60, retries={"max_attempts": 4}))
out = {"client": "boto3 " + boto3.__version__}


def code(name):
    return (folder / name).read_bytes()


def refused(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as e:
        return [e.response["Error"]["Code"], e.response["Error"]["Message"], e.response["ResponseMetadata"]["HTTPStatusCode"]]
    return None


def invoke(**arguments):
    r = client.invoke(FunctionName="job", **arguments)
    body = r["Payload"].read()
    return {"status": r["StatusCode"], "error": r.get("FunctionError"), "version": r.get("ExecutedVersion"), "payload": json.loads(body) if body else None,
            "tail": base64.b64decode(r["LogResult"]).decode() if "LogResult" in r else None}


def updated():
    client.get_waiter("function_updated_v2").wait(FunctionName="job")


r = client.create_function(FunctionName="job", Role="arn:aws:iam::123456789012:role/job", Runtime="python3.11", Handler="app.handler", Timeout=20, MemorySize=256,
                           Code={"ZipFile": code("one.zip")}, Environment={"Variables": {"GREETING": "one"}}, Tags={"team": "tests"})
out["created"] = r
client.get_waiter("function_active_v2").wait(FunctionName="job")
client.get_waiter("function_exists").wait(FunctionName="job")
out["active"] = client.get_function_configuration(FunctionName="job")
out["whole"] = client.get_function(FunctionName="job")
out["first"] = invoke(Payload=json.dumps({"n": 1}), LogType="Tail")
out["failed"] = invoke(Payload=json.dumps({"fail": True}))
out["dry"] = invoke(InvocationType="DryRun")
out["event"] = invoke(InvocationType="Event", Payload=json.dumps({"n": 2}))
out["again"] = refused(client.create_function, FunctionName="job", Role="arn:aws:iam::123456789012:role/job", Runtime="python3.11", Handler="app.handler",
                       Code={"ZipFile": code("one.zip")})
out["missing"] = refused(client.get_function, FunctionName="nobody")

out["update"] = client.update_function_code(FunctionName="job", ZipFile=code("two.zip"))
updated()
layer = client.publish_layer_version(LayerName="shared", Content={"ZipFile": code("layer.zip")}, CompatibleRuntimes=["python3.11"], Description="shared things")
out["layer"] = layer
out["reconfigured"] = client.update_function_configuration(FunctionName="job", Layers=[layer["LayerVersionArn"]], Environment={"Variables": {"GREETING": "two"}})
updated()
out["second"] = invoke(Payload=json.dumps({"n": 3}))

out["version"] = client.publish_version(FunctionName="job", Description="kept")
client.get_waiter("published_version_active").wait(FunctionName="job", Qualifier="1")
out["alias"] = client.create_alias(FunctionName="job", Name="live", FunctionVersion="1")
out["by_alias"] = invoke(Qualifier="live", Payload=json.dumps({"n": 4}))
out["versions"] = [v["Version"] for v in client.list_versions_by_function(FunctionName="job")["Versions"]]

out["reserved"] = client.put_function_concurrency(FunctionName="job", ReservedConcurrentExecutions=5)["ReservedConcurrentExecutions"]
out["reserved_now"] = client.get_function_concurrency(FunctionName="job").get("ReservedConcurrentExecutions")
client.delete_function_concurrency(FunctionName="job")
out["reserved_then"] = client.get_function_concurrency(FunctionName="job").get("ReservedConcurrentExecutions")
out["account"] = client.get_account_settings()
out["listed"] = [f["FunctionName"] for page in client.get_paginator("list_functions").paginate() for f in page["Functions"]]
out["layers"] = [v["LayerName"] for v in client.list_layers()["Layers"]]
out["layer_again"] = client.get_layer_version(LayerName="shared", VersionNumber=1)
out["layer_by_arn"] = client.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])["Version"]
client.delete_layer_version(LayerName="shared", VersionNumber=1)
out["layer_versions"] = client.list_layer_versions(LayerName="shared")["LayerVersions"]
out["third"] = invoke(Payload=json.dumps({"n": 5}))
client.delete_alias(FunctionName="job", Name="live")
out["deleted"] = client.delete_function(FunctionName="job")["ResponseMetadata"]["HTTPStatusCode"]
out["gone"] = refused(client.invoke, FunctionName="job")
print(json.dumps(out, default=str))
