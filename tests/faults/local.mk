# SPDX-License-Identifier: Apache-2.0
# Loaded into the daemon by tests/integration/test_faults.py: calls that fail when the test says so. Sanitizers have an allocator of their own.
EXTRA_DIST += tests/faults/fault.c
if !SANITIZE
check_DATA = tests/faults/libfault.so
endif
CLEANFILES += tests/faults/libfault.so
tests/faults/libfault.so: tests/faults/fault.c
	@$(MKDIR_P) tests/faults
	$(AM_V_CC)$(CC) $(CPPFLAGS) -O1 -g -Wall -Wextra -fPIC -shared -o $@ $(top_srcdir)/tests/faults/fault.c -ldl

# The long forms: hours, not minutes. SOAK_ROUNDS: of everything that is repeated.
EXTRA_DIST += tests/soak/soak.py
SOAK_ROUNDS = 10
SOAK_INVOCATIONS = 1000000
.PHONY: soak valgrind
soak: all tests/faults/libfault.so tests/bench/bench_runtime
	/usr/bin/python3 '$(abs_top_srcdir)/tests/soak/soak.py' '$(abs_top_builddir)' '$(abs_top_srcdir)' $(SOAK_INVOCATIONS)
	TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_top_builddir)' LF_FAULT_ROUNDS=$(SOAK_ROUNDS) \
	  /usr/bin/python3 -m pytest -q -s -p no:cacheprovider '$(abs_top_srcdir)/tests/integration/test_faults.py' '$(abs_top_srcdir)/tests/integration/test_abuse.py'

# gcc's analyzer and clang-tidy over all sources, or over the rooms in LINT_ROOMS.
LINT_ROOMS =
EXTRA_DIST += .clang-tidy
.PHONY: lint
lint: all
	@$(top_srcdir)/scripts/lint --rooms '$(LINT_ROOMS)' '$(abs_top_srcdir)' $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(LLHTTP_CFLAGS)

# Every integration test that a build with sanitizers can pass, and more of the unit tests.
.PHONY: sanitized
sanitized:
	BUILD_DIR='$(abs_top_builddir)' $(top_srcdir)/scripts/sanitized address --long
	BUILD_DIR='$(abs_top_builddir)' $(top_srcdir)/scripts/sanitized thread --long

# Unit tests that start no sandbox (valgrind does not know that kind of clone).
VALGRIND_TESTS = tests/unit/test_base_buf tests/unit/test_base_json tests/unit/test_base_money tests/unit/test_fleet \
	tests/unit/test_model_lines tests/unit/test_plan tests/unit/test_profile
valgrind: $(VALGRIND_TESTS)
	@for t in $(VALGRIND_TESTS); do echo $$t; TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_top_builddir)' LAMBDAFIT_DATADIR='$(abs_top_srcdir)' LAMBDAFIT_LIBEXECDIR='$(abs_top_builddir)' \
	  valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite $$t >valgrind.log 2>&1 || { tail -n 60 valgrind.log; exit 1; }; done
CLEANFILES += valgrind.log
