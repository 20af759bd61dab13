# SPDX-License-Identifier: Apache-2.0
"""A small model, as a sample of what the gate checks: it loads weights during init, and answers with a score."""
import pathlib
import zlib

HERE = pathlib.Path(__file__).parent
WEIGHTS = (HERE / "model.bin").read_bytes()
ROUNDS = 60000


def score(values):
    total = 0
    for i in range(ROUNDS):
        total = (total * 31 + values[i % len(values)] + WEIGHTS[i % 1000]) % 1000003
    return total / 1000003


def lambda_handler(event, context):
    values = event["values"]
    return {"score": score(values), "model": zlib.crc32(WEIGHTS[:1000]), "label": "even" if sum(values) % 2 == 0 else "odd"}
