# SPDX-License-Identifier: Apache-2.0
"""Every view of a known log, cell by cell, in three sizes; and its figures, the same in `top`, `report`, `log --json` and a query of one's own.

LAMBDAFIT_WRITE_GOLDEN=1 writes the frames anew; read the difference before you keep it.
"""
import contextlib
import http.server
import json
import math
import os
import pathlib
import sqlite3
import subprocess
import threading

import pytest
from screen import NO_DAEMON, fill_known_log

GOLDEN = pathlib.Path(__file__).parent / "golden"
VIEWS = ["functions", "function", "invocations", "invocation", "environments", "violations", "cost"]
ENVIRONMENTS = [
    {"environment": "env-1", "function": "classify", "state": "busy", "age_ms": 65_000, "served": 12, "memory_bytes": 800 << 20, "tmp_bytes": 100 << 20, "keepalive_left_ms": None, "pid": 4711},
    {"environment": "env-2", "function": "classify", "state": "idle", "age_ms": 5_000, "served": 1, "memory_bytes": 700 << 20, "tmp_bytes": 0, "keepalive_left_ms": 295_000, "pid": 4712,
     "frozen": True},
    {"environment": "env-3", "function": "請求書-e\u0301\x1b[31m", "state": "starting", "age_ms": 300, "served": 0, "memory_bytes": None, "tmp_bytes": None, "keepalive_left_ms": None, "pid": 4713},
]
made = []


@pytest.fixture
def log(run, function, tmp_path):
    path = tmp_path / "run.db"
    if not made:
        folder = function("any", {"lambda_function.py": "def lambda_handler(event, context):\n    return 1\n"})
        assert run("run", folder, "--quiet").returncode == 0
        fill_known_log(path)
        made.append(path.read_bytes())
    path.write_bytes(made[0])
    return path


@pytest.fixture(scope="module")
def daemon():
    """Answers as the daemon does, always the same."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(ENVIRONMENTS).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("size", ["60x16", "80x24", "120x40"])
@pytest.mark.parametrize("view", VIEWS)
def test_golden(run, log, daemon, view, size):
    for name, extra in (("", []), ("-ascii", ["--ascii"])):
        p = run("top", "--once", "--db", log.name, "--endpoint", daemon, "--view", view, "--size", size, "--function", "classify", "--request-id",
                "00000000-0000-4000-8000-000000000054", *extra, env={"LC_ALL": "C.UTF-8"})
        assert p.returncode == 0, p.stderr
        golden = GOLDEN / f"top-{view}-{size}{name}.txt"
        if os.environ.get("LAMBDAFIT_WRITE_GOLDEN"):
            golden.write_text(p.stdout)
        assert p.stdout == golden.read_text(), golden.name


def rows(log, sql, *args):
    with contextlib.closing(sqlite3.connect(log)) as c:
        c.row_factory = sqlite3.Row
        return [dict(r) for r in c.execute(sql, args)]


def percentile_by_sqlite3(log, function, column, p):
    """By the `sqlite3` program: the value at rank ceil(p/100 * n)."""
    sql = (f"SELECT {column} FROM invocations WHERE function = '{function}' AND {column} IS NOT NULL ORDER BY 1 LIMIT 1 OFFSET "
           f"(SELECT max((count({column}) * {p} + 99) / 100 - 1, 0) FROM invocations WHERE function = '{function}')")
    out = subprocess.run(["sqlite3", str(log), sql], capture_output=True, text=True, check=True).stdout.strip()
    return int(out) if out else None


def test_figures_agree_everywhere(run, log):
    top = {f["function"]: f for f in json.loads(run("top", "--json", "--db", log, "--endpoint", NO_DAEMON).stdout)}
    report = json.loads(run("report", "--json", "--db", log).stdout)
    lines = [json.loads(line) for line in run("log", "--json", "--db", log).stdout.splitlines()]
    cost = json.loads(run("top", "--json", "--view", "cost", "--db", log).stdout)
    assert len(top) == len(report["functions"]) == 3 and len(lines) == 57
    for f in report["functions"]:
        name, t = f["function"], top[f["function"]]
        logged = [i for i in lines if i["function"] == name]
        (sql,) = rows(log, "SELECT count(*) AS n, sum(status <> 'ok') AS errors, sum(cold = 1) AS cold, max(max_memory_bytes) AS memory, max(tmp_used_bytes) AS tmp, sum(billed_ms) AS billed "
                           "FROM invocations WHERE function = ?", name)
        (config,) = rows(log, "SELECT * FROM functions WHERE name = ?", name)
        assert t["invocations"] == f["invocations"] == len(logged) == sql["n"]
        assert f["errors"] == sql["errors"] and t["error_percent"] == pytest.approx(sql["errors"] / sql["n"] * 100, abs=6e-4)
        assert f["cold"] == sql["cold"] and t["cold_percent"] == pytest.approx(sql["cold"] / sql["n"] * 100, abs=6e-4)
        for column in ("init_us", "duration_us"):
            values = sorted(i[column] for i in logged if i[column] is not None)
            for p in (50, 95, 99):
                wanted = values[math.ceil(p / 100 * len(values)) - 1]
                assert t[f"{column[:-3]}_p{p}_us"] == f[column][f"p{p}"] == percentile_by_sqlite3(log, name, column, p) == wanted
        assert f["max_memory_bytes"] == sql["memory"] and t["memory_percent"] == pytest.approx(sql["memory"] / (config["memory_mb"] << 20) * 100, abs=6e-4)
        assert f["tmp_used_bytes"] == sql["tmp"] and t["tmp_percent"] == pytest.approx(sql["tmp"] / (config["tmp_mb"] << 20) * 100, abs=6e-4)
        assert t["package_percent"] == pytest.approx(config["package_bytes"] / (250 << 20) * 100, abs=6e-4)
        assert t["cost_usd"] == pytest.approx(f["cost_usd"], abs=1e-11) and f["cost_usd"] == pytest.approx(sum(i["cost_usd"] for i in logged), abs=1e-10)
        days = [c for c in cost if c["function"] == name]
        assert sum(d["cost_usd"] for d in days) == pytest.approx(f["cost_usd"], abs=1e-10)
        assert sum(d["billed_ms"] for d in days) == sql["billed"] and sum(d["invocations"] for d in days) == sql["n"]
        assert t["trend"] == sql["n"]
    assert report["totals"]["cost_usd"] == pytest.approx(sum(t["cost_usd"] for t in top.values()), abs=1e-10)
    worst = {v["limit"]: v["count"] for v in json.loads(run("top", "--json", "--view", "violations", "--db", log).stdout)}
    assert worst == {"duration": 1, "memory": 2, "package": 1} and sum(f["violations"] for f in report["functions"]) == 4


def test_figures_agree_with_another_price(run, log):
    for args in (["--region", "af-south-1"], ["--profile", "aws-lambda-2020-02"], ["--profile", "aws-lambda-2020-02", "--region", "eu-west-1"]):
        top = {f["function"]: f["cost_usd"] for f in json.loads(run("top", "--json", "--db", log, *args).stdout)}
        report = {f["function"]: f["cost_usd"] for f in json.loads(run("report", "--json", "--db", log, *args).stdout)["functions"]}
        assert top == pytest.approx(report, abs=1e-11) and all(top.values())


def test_json_of_every_view(run, log, daemon):
    for view in VIEWS:
        p = run("top", "--json", "--db", log, "--endpoint", daemon, "--view", view, "--function", "classify", "--request-id", "00000000-0000-4000-8000-000000000054")
        assert p.returncode == 0, p.stderr
        assert isinstance(json.loads(p.stdout), list) and json.loads(p.stdout)
    environments = json.loads(run("top", "--json", "--db", log, "--endpoint", daemon, "--view", "environments").stdout)
    assert [(e["environment"], e["state"], e["frozen"], e["keepalive_left_ms"]) for e in environments] == [
        ("env-1", "busy", "", None), ("env-2", "idle", "frozen", 295_000), ("env-3", "starting", "", None)]
    limits = {r["limit"]: r["enforced"] for r in json.loads(run("top", "--json", "--db", log, "--view", "function", "--function", "classify").stdout)}
    assert limits["memory"] == "sampled" and limits["tmp"] == "none" and limits["package"] == "checked" and limits["fds"] == "kernel"
    measures = {r["measure"]: r["value"] for r in json.loads(
        run("top", "--json", "--db", log, "--view", "invocation", "--request-id", "00000000-0000-4000-8000-000000000054").stdout)}
    (sql,) = rows(log, "SELECT * FROM invocations WHERE request_id = '00000000-0000-4000-8000-000000000054'")
    for key in ("wait_us", "duration_us", "overhead_us", "billed_ms", "max_memory_bytes", "cpu_us", "request_bytes"):
        assert measures[key] == sql[key]
