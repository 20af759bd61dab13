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
SOAK_ROUNDS = 10
.PHONY: soak
soak: all tests/faults/libfault.so
	TOP_SRCDIR='$(abs_top_srcdir)' TOP_BUILDDIR='$(abs_top_builddir)' LF_FAULT_ROUNDS=$(SOAK_ROUNDS) \
	  /usr/bin/python3 -m pytest -q -s -p no:cacheprovider '$(abs_top_srcdir)/tests/integration/test_faults.py' '$(abs_top_srcdir)/tests/integration/test_abuse.py'
