# SPDX-License-Identifier: Apache-2.0
"""lambdafit simulate, as people and scripts call it."""
import json
import math
import os
import subprocess

import pytest

PROGRAM = os.path.join(os.environ["TOP_BUILDDIR"], "lambdafit")


def simulate(*argv, threads=None, stdin=None, check=True):
    env = dict(os.environ)
    if threads:
        env["LAMBDAFIT_THREADS"] = str(threads)
    done = subprocess.run([PROGRAM, "simulate", *argv], input=stdin, capture_output=True, text=True, env=env, timeout=120, check=False)
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


def test_a_limit_of_nought_throttles_everything():
    r = figures("--arrivals", "constant:10/s", "--warm", "fixed:1s", "--limit", "0", "--for", "10s")
    assert r["throttled"] == r["requests"] == 100 and r["cost_usd"] == 0
