# SPDX-License-Identifier: Apache-2.0
"""Each case of the suite is one test with its id; all of them are played once, together, before the first one is asked for."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from suite import load, runner  # noqa: E402

GROUPS = load.load()
CASES = {c.id: c for _, cases in GROUPS for c in cases}


@pytest.fixture(scope="session")
def results(request):
    ids = [i.callspec.params["case_id"] for i in request.session.items if i.nodeid.split("::")[0].endswith("test_conformance.py") and hasattr(i, "callspec")]
    found = {r.case.id: r for r in runner.play_all([CASES[i] for i in ids])}
    request.config.conformance_results = list(found.values())
    return found


@pytest.mark.parametrize("case_id", list(CASES))
def test_case(results, case_id):
    r = results[case_id]
    assert r.status != "failed", r.detail
    if r.status == "not covered":
        pytest.skip(r.detail)
