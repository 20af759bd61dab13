# SPDX-License-Identifier: Apache-2.0
"""lambdafit simulate, as people and scripts call it."""
import json
import math
import sqlite3
import subprocess

import pytest
from conftest import PROGRAM as BUILT
from conftest import environment

PROGRAM = str(BUILT)


def simulate(*argv, threads=None, stdin=None, check=True):
    env = environment({"LAMBDAFIT_THREADS": str(threads)} if threads else None)
    done = subprocess.run([PROGRAM, "simulate", *argv], input=stdin, capture_output=True, text=True, env=env, timeout=900, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def figures(*argv, **more):
    return json.loads(simulate(*argv, "--json", **more).stdout)


def test_keys_and_the_published_run():
    r = figures("--arrivals", "poisson:0.9/s", "--warm", "exp:1.991s", "--cold", "exp:2.244s", "--keepalive", "600", "--for", "30d", "--seeds", "4")
    for key in ("requests", "cold", "throttled", "failed", "environments_mean", "environments_max", "running_mean", "idle_mean", "lifespan_mean_s",
                "wait_ms", "latency_ms", "billed_ms", "cost_usd", "monthly_cost_usd"):
        assert key in r and key in r["interval"], key
    assert set(r["latency_ms"]) == set(r["wait_ms"]) == {"mean", "p50", "p95", "p99"}
    assert abs(r["cold"] / r["requests"] - 0.00133) < 1.5 * r["interval"]["cold"] / r["requests"]
    assert abs(r["environments_mean"] - 7.69) < 1.5 * r["interval"]["environments_mean"]
    assert abs(r["running_mean"] - 1.792) < 1.5 * r["interval"]["running_mean"]


def test_cost_is_the_bills():
    r = figures("--arrivals", "burst:500@0s", "--warm", "fixed:5s", "--init", "fixed:2s", "--memory", "1769", "--for", "1h")
    gb_s = 500 * 7 * 1769 / 1024
    assert r["billed_ms"] == 3500000 and r["cold"] == 500
    assert math.isclose(r["cost_usd"], gb_s * 0.0000166667 + 500 * 0.2e-6, rel_tol=1e-9)
    assert math.isclose(r["monthly_cost_usd"], 720 * r["cost_usd"], rel_tol=1e-9)
    assert math.isclose(sum(r["cost_parts"].values()), r["cost_usd"], rel_tol=1e-9)


def test_same_bytes_for_any_number_of_threads():
    argv = ["--arrivals", "poisson:40/s", "--warm", "lognormal:300ms,0.8", "--init", "uniform:500ms,2s", "--for", "2000s", "--seeds", "7", "--json"]
    one, two, five = (simulate(*argv, threads=n).stdout for n in (1, 2, 5))
    assert one == two == five
    assert simulate(*argv, "--seed", "2").stdout != one


def test_a_trace_from_standard_input():
    r = figures("--arrivals", "csv:-", "--init", "fixed:1s", stdin="0,1\n0.5,1\n10,1\n")
    assert r["requests"] == 3 and r["cold"] == 2 and r["latency_ms"]["mean"] == pytest.approx(5000 / 3)


@pytest.mark.parametrize("argv, says", [
    ([], "--arrivals"),
    (["--arrivals", "poisson:1/s"], "--warm"),
    (["--arrivals", "poisson:0/s", "--warm", "fixed:1s"], "above 0"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:-1s"], "--warm"),
    (["--arrivals", "poisson:1/s", "--warm", "exp:inf"], "--warm"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--for", "0s"], "--for"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--memory", "64"], "--memory"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--pick", "best"], "--pick"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--limit", "-1"], "--limit"),
    (["--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--init", "fixed:1s", "--cold", "fixed:2s"], "--cold"),
    (["--arrivals", "poisson:1000000/s", "--warm", "fixed:1s", "--for", "30d"], "more than"),
])
def test_bad_usage_is_status_2(argv, says):
    done = simulate(*argv, check=False)
    assert done.returncode == 2 and says in done.stderr and done.stdout == "", done.stderr


def test_a_missing_file_is_status_4():
    assert simulate("--arrivals", "csv:/nowhere/at/all", "--warm", "fixed:1s", check=False).returncode == 4
    assert simulate("--arrivals", "poisson:1/s", "--warm", "empirical:/nowhere/at/all", check=False).returncode == 4


def test_nothing_served_has_no_times():
    r = figures("--arrivals", "csv:-", "--warm", "fixed:1s", stdin="")
    assert r["requests"] == 0 and r["latency_ms"] == {"mean": None, "p50": None, "p95": None, "p99": None} and r["alternatives"] == []


def test_a_limit_of_nought_throttles_everything():
    r = figures("--arrivals", "constant:10/s", "--warm", "fixed:1s", "--limit", "0", "--for", "10s")
    assert r["throttled"] == r["requests"] == 100 and r["cost_usd"] == 0 and r["latency_ms"]["p95"] is None


# ---- beside Lambda -----------------------------------------------------------------------------------------------------------------------

def erlang_c(load, servers):
    b = 1.0
    for i in range(1, servers + 1):
        b = load * b / (i + load * b)
    return b / (1 - load / servers * (1 - b))


def test_alternatives_and_break_even():
    r = figures("--arrivals", "poisson:2/s", "--warm", "exp:500ms", "--init", "fixed:2s", "--for", "1d", "--memory", "1769")
    fixed = {a["service"]: a for a in r["alternatives"] if a["mode"] == "fixed"}
    assert set(fixed) == {"fargate", "ec2"}
    for a in fixed.values():
        assert {"service", "size", "count", "monthly_cost_usd", "latency_p95_ms"} <= set(a)
        assert a["meets_goal"] and a["latency_p95_ms"] <= r["latency_goal_ms"]
        # Nothing waits for longer than Erlang C says, and one place fewer would be too slow or overloaded.
        servers = a["count"] * a["requests_at_once"]
        assert a["wait_mean_ms"] == pytest.approx(1000 * erlang_c(1, servers) * 0.5 / (servers - 1), rel=0.25, abs=0.5)
    assert fixed["fargate"]["monthly_cost_usd"] == pytest.approx(fixed["fargate"]["count"] * 720 * (0.04048 + 2 * 0.004445))
    for even in r["break_even"]:
        # At the break-even rate both cost the same: Lambda a request, the service for its count.
        per_request = r["cost_usd"] / r["requests"]
        assert even["rate_per_s"] * 2592000 * per_request == pytest.approx(even["monthly_cost_usd"], rel=0.1)
    assert [row["rate_per_s"] for row in r["rates"]] == sorted(row["rate_per_s"] for row in r["rates"])
    assert any("burstable" in text for text in r["assumptions"]) and any("CPU time" in text for text in r["assumptions"])


def test_a_fixed_number_of_tasks_is_erlang_c():
    r = figures("--arrivals", "poisson:10/s", "--warm", "exp:300ms", "--memory", "1769", "--for", "2d", "--tasks", "4")
    fargate = next(a for a in r["alternatives"] if a["service"] == "fargate" and a["mode"] == "fixed")
    assert fargate["count"] == 4 and fargate["requests_at_once"] == 1
    assert fargate["wait_mean_ms"] == pytest.approx(1000 * erlang_c(3, 4) * 0.3 / (4 - 3), rel=0.05)
    assert fargate["busy_share"] == pytest.approx(0.75, rel=0.02)


def test_no_price_in_the_region_is_said():
    r = figures("--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--for", "1h", "--region", "eu-north-1")
    assert r["alternatives"] == [] and r["break_even"] == [] and any("no price" in text for text in r["assumptions"])


# ---- sweeps, other functions, logs, pages ----------------------------------------------------------------------------------------------------

def test_sweep_marks_what_nothing_beats():
    r = figures("--arrivals", "poisson:2/s", "--warm", "exp:500ms", "--init", "fixed:2s", "--for", "6h", "--memory", "512", "--sweep", "memory=512,1769,3538",
                "--sweep", "keepalive=60,600")
    assert [p["set"] for p in r["points"]] == [{"memory": m, "keepalive": k} for m in (512, 1769, 3538) for k in (60, 600)]

    def goods(p):
        return p["monthly_cost_usd"], p["latency_ms"]["p95"], p["cold"], p["throttled"] + p["failed"]

    for p in r["points"]:
        beaten = any(all(a <= b for a, b in zip(goods(q), goods(p))) and goods(q) != goods(p) for q in r["points"])
        assert p["pareto"] == (not beaten)
    # One thread: above one CPU nothing is faster, below in proportion.
    mean = {p["set"]["memory"]: p["latency_ms"]["p50"] for p in r["points"]}
    assert mean[1769] == mean[3538] and mean[512] == pytest.approx(mean[1769] * 1769 / 512, rel=0.01)
    assert any("modelled" in text for p in r["points"] for text in p["assumptions"])


@pytest.mark.parametrize("sweep", ["memory", "memory=", "memory=512,,1024", "colour=1,2", "seed=1,2", "memory=" + ",".join(["512"] * 10001), "memory=many"])
def test_bad_sweeps(sweep):
    done = simulate("--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--for", "10s", "--sweep", sweep, check=False)
    assert done.returncode == 2 and ("--sweep" in done.stderr or "--memory" in done.stderr), done.stderr


def test_a_million_points_are_refused():
    hundred = ",".join(str(n) for n in range(1, 101))
    done = simulate("--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--sweep", "limit=" + hundred, "--sweep", "keepalive=" + hundred, "--sweep",
                    "retries=" + hundred, check=False)
    assert done.returncode == 2 and "points" in done.stderr


def test_functions_share_the_account():
    argv = ["--arrivals", "constant:5/s", "--warm", "fixed:1s", "--limit", "10", "--for", "100s", "--beside", "off"]
    alone = figures(*argv)
    both = figures(*argv, "--with", "hungry arrivals=constant:20/s warm=fixed:1s memory=512")
    reserved = figures(*argv, "--concurrency", "5", "--with", "hungry arrivals=constant:20/s warm=fixed:1s memory=512")
    assert alone["throttled"] == 0 and both["functions"][0]["throttled"] > 0
    assert reserved["functions"][0]["throttled"] == 0 and reserved["functions"][1]["throttled"] > 0
    assert [f["function"] for f in both["functions"]] == ["function", "hungry"]
    assert simulate(*argv, "--with", "x colour=red", check=False).returncode == 2


def test_rows_in_a_log_and_from_it(tmp_path):
    db = str(tmp_path / "log.db")
    argv = ["--arrivals", "poisson:2/s", "--warm", "lognormal:400ms,0.5", "--init", "uniform:1s,3s", "--for", "1h", "--memory", "1024", "--keepalive", "20", "--log", db,
            "--beside", "off", "--name", "classify"]
    r = figures(*argv)
    rows = sqlite3.connect(db)
    assert rows.execute("SELECT count(*), sum(cold), sum(billed_ms), min(source), max(source) FROM invocations").fetchone() == (
        r["requests"], r["cold"], r["billed_ms"], "simulated", "simulated")
    assert rows.execute("SELECT count(*), count(ended_us) FROM environments").fetchone()[0] == r["cold"]
    report = json.loads(subprocess.run([PROGRAM, "report", "--db", db, "--json"], capture_output=True, text=True, check=True, timeout=300, env=environment()).stdout)
    assert report["totals"]["invocations"] == r["requests"] and report["totals"]["cost_usd"] == pytest.approx(r["cost_usd"])
    again = simulate(*argv, check=False)
    assert again.returncode == 2 and "--seed" in again.stderr
    # Simulated rows are no measurement.
    done = simulate("--from", "classify", "--db", db, "--arrivals", "poisson:1/s", check=False)
    assert done.returncode == 2 and "no warm invocation" in done.stderr
    # Taken as measured, they give themselves back.
    rows.execute("UPDATE invocations SET source = 'live', cpu_us = duration_us * 1024 / 1769 / 2")
    rows.commit()
    back = figures("--from", "classify", "--db", db, "--arrivals", "poisson:2/s", "--for", "1h", "--keepalive", "20", "--seeds", "5", "--beside", "off")
    assert back["latency_ms"]["mean"] == pytest.approx(r["latency_ms"]["mean"], rel=0.05) and back["cold"] == pytest.approx(r["cold"], rel=0.3)
    assert back["functions"][0]["memory_mb"] == 1024 and any("measured at 1024 MB" in text for text in back["assumptions"])
    # Half of the wall time was CPU time at 1024/1769 of a CPU: at 1769 MB and more that half takes 1024/1769 of the time.
    more = figures("--from", "classify", "--db", db, "--arrivals", "poisson:2/s", "--for", "1h", "--keepalive", "20", "--seeds", "5", "--beside", "off", "--memory", "3008")
    assert any("modelled from 1024 MB" in text for text in more["assumptions"])
    assert more["latency_ms"]["p50"] == pytest.approx(back["latency_ms"]["p50"] * (0.5 + 0.5 * 1024 / 1769), rel=0.02)
    assert simulate("--from", "nobody", "--db", db, "--arrivals", "poisson:1/s", check=False).returncode == 2


def test_a_page(tmp_path):
    page = tmp_path / "page.html"
    simulate("--arrivals", "poisson:2/s", "--warm", "exp:500ms", "--for", "1h", "--name", "<b>&", "--html", str(page))
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "&lt;b&gt;&amp;" in text and "<b>&" not in text
    assert "polyline" in text and "http" not in text.replace("http-equiv", "") and "<script" not in text


def test_text_has_charts_and_assumptions():
    text = simulate("--arrivals", "diurnal:3/s,0.9", "--warm", "exp:500ms", "--for", "2d").stdout
    assert "cold starts" in text and "assumptions" in text and any("\u2801" <= c <= "\u28ff" for c in text)
    assert "is cheaper than Lambda" in text


def test_a_long_trace_is_streamed(tmp_path):
    """Two million requests through a pipe, in memory that a fraction of them would not fit into."""
    code = "import sys\nfor i in range(2000000): sys.stdout.write('%d.%03d,0.2\\n' % (i // 1000, i % 1000))"
    make = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE)
    done = subprocess.run(["/bin/sh", "-c", "ulimit -v 400000; exec \"$0\" simulate --arrivals csv:- --json", PROGRAM], stdin=make.stdout, capture_output=True, text=True,
                          env=environment(), timeout=900, check=False)
    make.stdout.close()
    make.wait()
    assert done.returncode == 0, done.stderr
    r = json.loads(done.stdout)
    assert r["requests"] == 2000000 and r["running_mean"] == pytest.approx(200, rel=0.01)


def test_services_have_profiles():
    out = subprocess.run([PROGRAM, "profile", "list", "--json"], capture_output=True, text=True, check=True, timeout=300, env=environment()).stdout
    assert {"fargate-2026-11": "fargate", "ec2-2026-11": "ec2"}.items() <= {p["name"]: p["service"] for p in json.loads(out)}.items()
    shown = subprocess.run([PROGRAM, "profile", "show", "fargate-2026-11"], capture_output=True, text=True, check=True, timeout=300, env=environment()).stdout
    assert "0.04048" in shown and "0.004445" in shown
    assert subprocess.run([PROGRAM, "profile", "diff", "ec2-2026-11", "aws-lambda-2026-11"], capture_output=True, text=True, timeout=60, check=False, env=environment()).returncode == 2
    assert simulate("--arrivals", "poisson:1/s", "--warm", "fixed:1s", "--profile", "ec2-2026-11", check=False).returncode == 2
