# SPDX-License-Identifier: Apache-2.0
"""`lambdafit report` in all its forms: its figures are those of the log, and what a function prints cannot break a document."""
import contextlib
import html.parser
import json
import math
import re
import sqlite3

import pytest

HANDLER = '''
def lambda_handler(event, context):
    if event.get("fail"):
        raise ValueError("<script>alert(1)</script> | `x`")
    return sum(range(event.get("n", 1000)))
'''
HOSTILE = "<script>alert(1)</script>|`*_@team_\x1b[31m\u202e'\""
VOID = {"meta", "line", "rect", "br", "link", "img"}


made = []  # the file's bytes, once it was made


@pytest.fixture
def log(run, function, tmp_path):
    """A log of two functions, some of whose invocations fail. Made once; each test has its own copy."""
    path = tmp_path / "run.db"
    if made:
        path.write_bytes(made[0])
        return path
    for name in ("first", "second"):
        folder = function(name, {"lambda_function.py": HANDLER})
        for event, count in (('{"n": 10}', 4), ('{"fail": true}', 1)):
            assert run("run", folder, "-e", event, "-n", count, "--quiet").returncode in (0, 1)
    made.append(path.read_bytes())
    return path


def rows(db, sql, *args):
    with contextlib.closing(sqlite3.connect(db)) as c:
        c.row_factory = sqlite3.Row
        result = [dict(r) for r in c.execute(sql, args)]
        c.commit()
        return result


def percentile(values, p):
    values = sorted(v for v in values if v is not None)
    return values[max(math.ceil(p / 100 * len(values)), 1) - 1] if values else None


def test_figures_agree(run, log):
    out = json.loads(run("report", "--json").stdout)
    lines = [json.loads(line) for line in run("log", "--json").stdout.splitlines()]
    assert [f["function"] for f in out["functions"]] == ["first", "second"]
    assert set(out) >= {"functions", "totals", "violations", "profile", "region"}
    assert out["profile"] == "aws-lambda-2026-11" and out["region"] == "us-east-1"
    for f in out["functions"]:
        of = rows(log, "SELECT * FROM invocations WHERE function = ?", f["function"])
        logged = [i for i in lines if i["function"] == f["function"]]
        assert f["invocations"] == len(of) == len(logged) == 5
        assert f["errors"] == sum(r["status"] != "ok" for r in of) == 1
        assert f["cold"] == sum(r["cold"] == 1 for r in of) == 2
        assert f["throttled"] == 0
        for key in ("init_us", "duration_us"):
            assert f[key] == {f"p{p}": percentile([r[key] for r in of], p) for p in (50, 95, 99)}
        for key in ("max_memory_bytes", "tmp_used_bytes"):
            assert f[key] == max((r[key] for r in of if r[key] is not None), default=None)
        assert f["package_bytes"] == rows(log, "SELECT package_bytes FROM functions WHERE name = ? ORDER BY id DESC", f["function"])[0]["package_bytes"]
        assert f["cost_usd"] == pytest.approx(sum(i["cost_usd"] for i in logged), abs=1e-11)
        assert f["cost_per_million_usd"] == pytest.approx(f["cost_usd"] / 5 * 1e6, rel=1e-5)
        assert f["violations"] == rows(log, "SELECT count(*) AS n FROM violations WHERE function = ?", f["function"])[0]["n"]
    assert out["totals"]["invocations"] == 10 and out["totals"]["errors"] == 2 and out["totals"]["cold"] == 4
    assert out["totals"]["cost_usd"] == pytest.approx(sum(f["cost_usd"] for f in out["functions"]), abs=1e-11)


def test_filters_and_prices(run, log):
    one = json.loads(run("report", "--json", "--function", "second").stdout)
    assert [f["function"] for f in one["functions"]] == ["second"] and one["totals"]["invocations"] == 5
    far = json.loads(run("report", "--json", "--region", "af-south-1").stdout)
    assert far["region"] == "af-south-1" and far["totals"]["cost_usd"] > json.loads(run("report", "--json").stdout)["totals"]["cost_usd"]
    assert json.loads(run("report", "--json", "--region", "cn-north-1").stdout)["totals"]["cost_usd"] is None
    assert json.loads(run("report", "--json", "--since", "2001-01-01").stdout)["totals"]["invocations"] == 10
    assert json.loads(run("report", "--json", "--since", "0s").stdout)["totals"]["invocations"] == 0


class Page(html.parser.HTMLParser):
    """Every element is closed, nothing is loaded and nothing runs."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for key, value in attrs:
            assert not key.startswith("on") and key not in ("src", "href", "action", "data"), (tag, key, value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parse(text):
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "img", "form"}
    return page


def test_html(run, log, tmp_path):
    r = run("report", "--html", "report.html")
    assert r.returncode == 0 and r.stdout == ""
    text = (tmp_path / "report.html").read_text()
    page = parse(text)
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    assert "prefers-color-scheme:dark" in text
    shown = " ".join(page.text)
    for word in ("first", "second", "Cold starts", "Per million"):
        assert word in shown
    assert run("report", "--html", "-").stdout == text


def test_hostile_names(run, log, tmp_path):
    rows(log, "UPDATE invocations SET function = ? WHERE function = 'first'", HOSTILE)
    rows(log, "INSERT INTO violations (function, at_us, limit_id, severity, message, fix) VALUES (?1, 1, ?1, 'broken', ?1, ?1)", HOSTILE)
    page = parse(run("report", "--html", "-").stdout)
    assert any("<script>alert(1)</script>" in t for t in page.text)
    md = run("report", "--md").stdout
    assert "<script" not in md and "\x1b" not in md and "@team" not in md
    table = [line for line in md.splitlines() if line.startswith("|")]
    for line in table:
        assert len(re.findall(r"(?<!\\)\|", line)) in (13, 7), line
    text = run("report").stdout
    assert "\x1b" not in text
    assert json.loads(run("report", "--json").stdout)["functions"][0]["function"] == HOSTILE


def test_text_and_markdown(run, log):
    text = run("report").stdout
    assert "first" in text and "total: 10 invocations, 2 errors, 4 cold" in text
    md = run("report", "--md").stdout
    assert "**10** invocations, **2** errors, **4** cold" in md


def test_bad_input(run, tmp_path):
    r = run("report", "--db", "nothing.db")
    assert r.returncode == 4 and "no log" in r.stderr and not (tmp_path / "nothing.db").exists()
    (tmp_path / "junk.db").write_bytes(b"x" * 5000)
    r = run("report", "--db", "junk.db")
    assert r.returncode == 4 and "not a lambdafit log" in r.stderr
    assert run("report", "--json", "--md").returncode == 2
    assert run("report", "--since", "yesterday-ish").returncode in (2, 4)
    assert run("report", "--region", "mars-north-1").returncode == 2


def test_unwritable_page(run, log):
    r = run("report", "--html", "no/such/folder/x.html")
    assert r.returncode == 4 and "x.html" in r.stderr
