# SPDX-License-Identifier: Apache-2.0
"""The pages that lambdafit writes, in a real browser: they load nothing, complain about nothing, fit their window, and can be read in light and dark."""
import contextlib
import json
import sqlite3

import pytest
from browser import browser  # noqa: F401, a fixture
from screen import fill_known_log

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
# The least contrast of the text of the page against what is behind it, and where.
CONTRAST = """(() => {
  const lum = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.5) return c; } return [255, 255, 255]; };
  let worst = [99, ''];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const n = walk.currentNode, e = n.parentElement;
    if (!n.textContent.trim() || e.closest('svg') || e.closest('style') || !e.getClientRects().length) continue;
    const a = lum(rgb(getComputedStyle(e).color)), b = lum(behind(e)), c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (c < worst[0]) worst = [c, n.textContent.trim().slice(0, 40)];
  }
  return worst; })()"""


@pytest.fixture(scope="module")
def report(tmp_path_factory, program):
    import subprocess

    from conftest import environment
    tmp = tmp_path_factory.mktemp("report")
    (tmp / "f").mkdir()
    (tmp / "f" / "lambda_function.py").write_text("def lambda_handler(event, context):\n    return 1\n")
    env = environment({"XDG_STATE_HOME": str(tmp), "XDG_CACHE_HOME": str(tmp)})

    def run(*args):
        subprocess.run([str(program), *map(str, args)], check=True, capture_output=True, env=env, cwd=tmp, timeout=120)
    run("run", "f", "--db", "run.db", "--quiet")
    fill_known_log(tmp / "run.db")
    with contextlib.closing(sqlite3.connect(tmp / "run.db")) as c:
        c.execute("UPDATE invocations SET function = ? WHERE function = 'resize'", (HOSTILE,))
        c.execute("UPDATE violations SET message = ? WHERE limit_id = 'memory'", (HOSTILE,))
        c.commit()
    run("report", "--db", "run.db", "--html", "report.html")
    run("layer", "size", "f", "--html", "size.html")
    return tmp


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["report.html", "size.html"])
@pytest.mark.parametrize("width", [400, 1200])
def test_page(browser, report, name, dark, width):  # noqa: F811
    url = (report / name).as_uri()
    browser.open(url, width=width, dark=dark)
    assert browser.requests() == [url] and browser.complaints() == []
    assert browser.js("document.title") != "owned" and browser.js("document.scripts.length") == 0 and browser.js("document.images.length") == 0
    assert browser.js("document.compatMode") == "CSS1Compat"
    assert browser.js("document.documentElement.scrollWidth") <= width
    background = json.loads(browser.js("JSON.stringify(getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number))"))
    html = json.loads(browser.js("JSON.stringify(getComputedStyle(document.documentElement).backgroundColor.match(/[\\d.]+/g).map(Number))"))
    seen = background if len(background) == 3 or background[3] > 0 else html
    assert (sum(seen[:3]) / 3 < 100) == dark, seen
    worst, where = browser.js(CONTRAST)
    assert worst >= 4.5, (worst, where)
    assert browser.js("[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().width > 0 && s.getBoundingClientRect().height > 0)")


def test_charts_show_what_the_log_says(browser, report):  # noqa: F811
    browser.open((report / "report.html").as_uri())
    text = browser.js("document.body.innerText")
    for word in ("classify", "請求書-e\u0301", "<script>document.title", "40", "It came to its limit of duration."):
        assert word in text
    assert browser.js("document.querySelectorAll('svg rect').length") > 10
    assert browser.js("[...document.querySelectorAll('svg rect')].some(r => r.getBoundingClientRect().height > 5)")
