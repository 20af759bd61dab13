# SPDX-License-Identifier: Apache-2.0
"""A local S3 server with one object, models/weights.bin of argv[1] bytes. Prints its port, serves until its standard input ends."""
import hashlib
import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
body = bytes(i * 31 & 255 for i in range(65536)) * (int(sys.argv[1]) // 65536)
s3.create_bucket(Bucket="models")
s3.put_object(Bucket="models", Key="weights.bin", Body=body)
print(port, hashlib.sha256(body).hexdigest(), flush=True)
sys.stdin.read()
server.stop()
