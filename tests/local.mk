# SPDX-License-Identifier: Apache-2.0
# Unit tests of each room: tests/unit/ROOM.mk appends to UNIT_TESTS.
include tests/unit/base.mk
include tests/unit/profile.mk
include tests/unit/model.mk
include tests/unit/fleet.mk
include tests/unit/simulate.mk
include tests/unit/package.mk
include tests/unit/template.mk
include tests/unit/store.mk
include tests/unit/http.mk
include tests/unit/check.mk
include tests/unit/tui.mk
include tests/unit/sandbox.mk
include tests/fuzz/local.mk

# Integration and conformance tests, in Python, against the built program.
TESTS += tests/run-pytest
EXTRA_DIST += tests/run-pytest tests/integration
include tests/faults/local.mk
include tests/bench/local.mk
include tests/conformance/local.mk

# The unchanged sample repository, again and again on a loaded machine: never broken, never worse.
GATE_RUNS = 200
.PHONY: gate-runs
gate-runs: all
	TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_top_builddir)' LAMBDAFIT_GATE_RUNS=$(GATE_RUNS) \
	  python3 -m pytest -q -s -p no:cacheprovider '$(abs_top_srcdir)/tests/integration/test_check_history.py' -k no_false_failure
