# SPDX-License-Identifier: Apache-2.0
"""A function in Python. Its event says what to do; INIT in its environment says how it starts."""
import os
import socket
import sys
import time

count = 0
INIT = os.environ.get("INIT")
if INIT == "raise":
    raise RuntimeError("no start")
if INIT == "exit":
    sys.exit(3)
if INIT == "hang":
    time.sleep(3600)


class NoGood(Exception):
    pass


def recurse(n):
    return recurse(n + 1)


def lambda_handler(event, context):
    global count
    count += 1
    what = event.get("do") if isinstance(event, dict) else None
    if what == "raise":
        raise NoGood(event["text"])
    if what == "recurse":
        return recurse(0)
    if what == "exit":
        os._exit(event["n"])
    if what == "signal":
        os.kill(os.getpid(), event["n"])
    if what == "sleep":
        time.sleep(event["s"])
    if what == "gate":  # held there until the test lets it go
        socket.create_connection(("127.0.0.1", event["gate"])).recv(1)
    if what == "big":
        return "x" * event["n"]
    if what == "bytes":
        return b"\x00\xff" * 4
    if what == "print":
        print(event["text"])
    if what == "nan":
        return [float("nan"), float("inf")]
    if what == "tmp":
        with open("/tmp/f", "wb") as f:
            for _ in range(event["n"]):
                f.write(b"x" * 1048576)
        return None
    if what == "memory":
        return len(bytearray(event["n"] << 20))
    if what == "client":
        return "awslambdaric" in sys.modules
    return {"count": count, "event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(), "context": getattr(context.client_context, "custom", None)}
